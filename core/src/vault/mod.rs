//! Where secrets rest: records by key, in memory or in an encrypted file.
//! A vault stores and returns octets; what they mean is `account`'s and `token`'s business.

use crate::error::Result;
use crate::secret::SecretBytes;
use async_trait::async_trait;
use std::fmt::Debug;

/// A store of secret records.
///
/// Keys are not secret: 1 to 200 characters of `a-z A-Z 0-9 . _ - / @ +`.
#[async_trait]
pub trait Vault: Send + Sync + Debug {
    /// The vault's name for people, such as `encrypted file /var/lib/app/vault.mbv`.
    fn name(&self) -> String;

    /// Reads a record. Errors: `Storage`.
    async fn read(&self, key: &str) -> Result<Option<SecretBytes>>;

    /// Writes a record. When it returns, the record is durable; when it fails or is dropped, the old one is intact
    /// or the new one is whole. Errors: `Storage`.
    async fn write(&self, key: &str, value: &SecretBytes) -> Result<()>;

    /// Removes a record; tells whether there was one. Errors: `Storage`.
    async fn remove(&self, key: &str) -> Result<bool>;

    /// The keys that start with a prefix, sorted. Errors: `Storage`.
    async fn keys(&self, prefix: &str) -> Result<Vec<String>>;
}
/// Stub until merge.
pub(crate) async fn open(
    _: &crate::model::VaultSettings,
    _: std::sync::Arc<dyn crate::host::Random>,
) -> Result<std::sync::Arc<dyn Vault>> {
    Err(crate::Error::new(
        crate::model::ProblemKind::Internal,
        "stub",
        "stub",
        "stub",
    ))
}
