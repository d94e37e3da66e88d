//! The ledger of every fake secret the sandbox made or was shown, so that a test can search logs and databases for them.
//! It remembers only; it never takes part in a decision.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use crate::sync::lock;

/// The ledger; clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct SecretLedger {
    seen: Arc<Mutex<BTreeSet<String>>>,
}

impl SecretLedger {
    /// Remembers one secret; an empty one would be found in every log and is left out.
    pub(crate) fn note(&self, secret: &str) {
        if !secret.is_empty() {
            lock(&self.seen).insert(secret.to_owned());
        }
    }

    /// Everything noted so far, sorted.
    pub(crate) fn all(&self) -> Vec<String> {
        lock(&self.seen).iter().cloned().collect()
    }
}
