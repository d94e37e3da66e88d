//! Accounts that were read from the environment at the start: tokens may change, in memory, and nothing else.

use super::{Vault, VaultLock};
use crate::error::{Error, Result};
use crate::model::ProblemKind;
use crate::secret::SecretBytes;
use async_trait::async_trait;
use std::sync::Arc;

/// A vault in which only records with a certain prefix can be written.
#[derive(Debug)]
pub(crate) struct FixedVault {
    pub(crate) inner: Arc<dyn Vault>,
    pub(crate) changing: &'static str,
    pub(crate) variable: String,
}

impl FixedVault {
    fn check_changing(&self, key: &str) -> Result<()> {
        if key.starts_with(self.changing) {
            return Ok(());
        }
        Err(Error::new(
            ProblemKind::Misuse,
            "vault-read-only",
            format!(
                "accounts come from the environment, and cannot be changed here: {}",
                self.variable
            ),
            format!(
                "change {} and start the program again, or use a vault that can be written",
                self.variable
            ),
        ))
    }
}

#[async_trait]
impl Vault for FixedVault {
    fn name(&self) -> String {
        format!("environment variable {}", self.variable)
    }

    async fn read(&self, key: &str) -> Result<Option<SecretBytes>> {
        self.inner.read(key).await
    }

    async fn write(&self, key: &str, value: &SecretBytes) -> Result<()> {
        self.check_changing(key)?;
        self.inner.write(key, value).await
    }

    async fn write_if(
        &self,
        key: &str,
        old: Option<&SecretBytes>,
        value: &SecretBytes,
    ) -> Result<bool> {
        self.check_changing(key)?;
        self.inner.write_if(key, old, value).await
    }

    async fn remove(&self, key: &str) -> Result<bool> {
        self.check_changing(key)?;
        self.inner.remove(key).await
    }

    async fn keys(&self, prefix: &str) -> Result<Vec<String>> {
        self.inner.keys(prefix).await
    }

    async fn try_lock(&self, name: &str) -> Result<Option<VaultLock>> {
        self.inner.try_lock(name).await
    }
}
