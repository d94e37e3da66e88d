//! The records of a vault while they are in memory: sorted by key, wiped when dropped.
//! How they rest on a disk is `file`'s business.

use crate::secret::SecretBytes;
use std::collections::BTreeMap;

/// Records by key.
#[derive(Debug, Default)]
pub(super) struct Records(BTreeMap<String, SecretBytes>);

impl Records {
    pub(super) fn read(&self, key: &str) -> Option<SecretBytes> {
        self.0.get(key).cloned()
    }

    pub(super) fn write(&mut self, key: &str, value: SecretBytes) {
        self.0.insert(key.to_owned(), value);
    }

    pub(super) fn remove(&mut self, key: &str) -> bool {
        self.0.remove(key).is_some()
    }

    pub(super) fn keys(&self, prefix: &str) -> Vec<String> {
        self.0
            .range(prefix.to_owned()..)
            .map(|(key, _)| key)
            .take_while(|key| key.starts_with(prefix))
            .cloned()
            .collect()
    }

    /// Every record, sorted by key.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &SecretBytes)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value))
    }
}

/// Whether two records are the same, or both are none.
pub(crate) fn is_same(one: Option<&SecretBytes>, other: Option<&SecretBytes>) -> bool {
    // Exposed to be compared; both are ours, so the time it takes tells nobody anything.
    one.map(SecretBytes::expose) == other.map(SecretBytes::expose)
}
