//! A vault in this process only: for programs that sign in anew after every start, and for tests.
//! Nothing is written anywhere; records are wiped when they are replaced and when the vault is dropped.

use super::records::{Records, is_same};
use super::{Vault, check_key};
use crate::error::Result;
use crate::secret::SecretBytes;
use async_trait::async_trait;
use std::sync::{Mutex, MutexGuard};

/// Records that are gone when the vault is dropped.
#[derive(Debug, Default)]
pub(crate) struct MemoryVault(Mutex<Records>);

impl MemoryVault {
    fn records(&self) -> MutexGuard<'_, Records> {
        self.0.lock().unwrap_or_else(|e| e.into_inner())
    }
}

#[async_trait]
impl Vault for MemoryVault {
    fn name(&self) -> String {
        "memory".to_owned()
    }

    async fn read(&self, key: &str) -> Result<Option<SecretBytes>> {
        check_key(key)?;
        Ok(self.records().read(key))
    }

    async fn write(&self, key: &str, value: &SecretBytes) -> Result<()> {
        check_key(key)?;
        self.records().write(key, value.clone());
        Ok(())
    }

    async fn write_if(
        &self,
        key: &str,
        old: Option<&SecretBytes>,
        value: &SecretBytes,
    ) -> Result<bool> {
        check_key(key)?;
        let mut records = self.records();
        let is_still = is_same(records.read(key).as_ref(), old);
        if is_still {
            records.write(key, value.clone());
        }
        Ok(is_still)
    }

    async fn remove(&self, key: &str) -> Result<bool> {
        check_key(key)?;
        Ok(self.records().remove(key))
    }

    async fn keys(&self, prefix: &str) -> Result<Vec<String>> {
        Ok(self.records().keys(prefix))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vault::contract::keeps_the_contract;
    use std::sync::Arc;

    #[tokio::test(flavor = "multi_thread")]
    async fn memory_keeps_the_contract() {
        keeps_the_contract(Arc::new(MemoryVault::default())).await;
    }

    #[test]
    fn debug_shows_no_record() {
        let vault = MemoryVault::default();
        let value = SecretBytes::new(b"hunter2".to_vec());
        vault.records().write("token/a", value);
        let shown = format!("{vault:?}");
        assert!(shown.contains("Secret(***)"), "{shown}");
        // 104 is the first octet of the secret, as `Debug` of a vector would show it.
        assert!(!shown.contains("104"), "{shown}");
    }
}
