//! Where secrets rest: records by key, in memory or in an encrypted file.
//! A vault stores and returns octets; what they mean is `account`'s and `token`'s business.

#[cfg(test)]
mod contract;
mod file;
mod memory;
mod passphrase;
mod permission;
mod records;

use crate::error::{Error, Result};
use crate::host::Random;
use crate::model::{ProblemKind, VaultSettings};
use crate::secret::SecretBytes;
use async_trait::async_trait;
use file::EncryptedFile;
#[cfg(feature = "fuzzing")]
pub(crate) use file::survive_any_file;
pub(crate) use memory::MemoryVault;
use std::fmt::{self, Debug};
use std::sync::Arc;

/// A store of secret records.
///
/// Keys are not secret: 1 to 200 characters of `a-z A-Z 0-9 . _ - / @ +`; any other key is `Misuse`.
/// Calls may come from many tasks at once, and a record that one has written is what the next one reads.
#[async_trait]
pub trait Vault: Send + Sync + Debug {
    /// The vault's name for people, such as `encrypted file /var/lib/app/vault.mbv`.
    fn name(&self) -> String;

    /// Reads a record. Errors: `Storage`, `Config`, `Misuse`.
    async fn read(&self, key: &str) -> Result<Option<SecretBytes>>;

    /// Writes a record. When it returns, the record is durable; when it fails or is dropped, the old one is intact
    /// or the new one is whole. Errors: `Storage`, `Config`, `Misuse`.
    async fn write(&self, key: &str, value: &SecretBytes) -> Result<()>;

    /// Removes a record; tells whether there was one. Durable, and safe to drop, like `write`.
    /// Errors: `Storage`, `Config`, `Misuse`.
    async fn remove(&self, key: &str) -> Result<bool>;

    /// The keys that start with a prefix, sorted by octet. The empty prefix gives them all. Errors: `Storage`, `Config`.
    async fn keys(&self, prefix: &str) -> Result<Vec<String>>;

    /// Tries to become the one who renews what `name` stands for, among all processes that share this vault; `None`
    /// while somebody else is. Default: whoever asks may, so that every process renews for itself. Errors: `Storage`.
    async fn try_lock(&self, name: &str) -> Result<Option<VaultLock>> {
        let _ = name;
        Ok(Some(VaultLock::free()))
    }
}

/// Held until it is dropped, or until the process has ended, however it ended.
pub struct VaultLock {
    _held: Box<dyn Send + Sync>,
}

impl VaultLock {
    /// A lock that keeps nobody out.
    pub fn free() -> Self {
        Self::holding(())
    }

    /// A lock that is held as long as this lives.
    pub fn holding(held: impl Send + Sync + 'static) -> Self {
        Self {
            _held: Box::new(held),
        }
    }
}

impl Debug for VaultLock {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("VaultLock")
    }
}

/// Opens the vault of the settings; a file that does not exist is created.
///
/// Errors: `Config` for what the settings must correct (passphrase, path), `Storage` for what must be repaired
/// (permissions, damage, disk). A file that cannot be opened is never written to.
pub(crate) async fn open(
    settings: &VaultSettings,
    random: Arc<dyn Random>,
) -> Result<Arc<dyn Vault>> {
    match settings {
        VaultSettings::Memory => Ok(Arc::new(MemoryVault::default())),
        VaultSettings::File { path, passphrase } => {
            let passphrase = passphrase::resolve(passphrase).await?;
            Ok(Arc::new(
                EncryptedFile::open(path, passphrase, random).await?,
            ))
        }
    }
}

fn check_key(key: &str) -> Result<()> {
    if is_key(key) {
        return Ok(());
    }
    Err(Error::new(
        ProblemKind::Misuse,
        "vault-key-invalid",
        format!("not a key for a vault record: {key:?}"),
        format!("use 1 to {KEY_MAX_CHARACTERS} characters of a-z A-Z 0-9 . _ - / @ +"),
    ))
}

fn is_key(key: &str) -> bool {
    let allowed = |octet: u8| octet.is_ascii_alphanumeric() || b"._-/@+".contains(&octet);
    (1..=KEY_MAX_CHARACTERS).contains(&key.len()) && key.bytes().all(allowed)
}

/// Long enough for a folder, an e-mail address and a suffix.
const KEY_MAX_CHARACTERS: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::SystemRandom;
    use crate::model::Passphrase;

    async fn open(settings: VaultSettings) -> Result<Arc<dyn Vault>> {
        super::open(&settings, Arc::new(SystemRandom)).await
    }

    #[tokio::test]
    async fn opens_what_the_settings_ask_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vault.mbv").display().to_string();
        let file = |text: &str| VaultSettings::File {
            path: path.clone(),
            passphrase: Passphrase::Text {
                text: text.to_owned().into(),
            },
        };

        let memory = open(VaultSettings::Memory).await.unwrap();
        assert_eq!(memory.name(), "memory");
        let vault = open(file("correct horse")).await.unwrap();
        assert_eq!(vault.name(), format!("encrypted file {path}"));
        let value = SecretBytes::new(b"rt".to_vec());
        vault.write("token/billing", &value).await.unwrap();

        let again = open(file("correct horse")).await.unwrap();
        let read = again.read("token/billing").await.unwrap().unwrap();
        assert_eq!(read.expose(), b"rt");
        let error = open(file("battery staple")).await.unwrap_err();
        assert_eq!(error.code(), "vault-passphrase-wrong");
        let error = open(file("")).await.unwrap_err();
        assert_eq!(error.code(), "vault-passphrase-empty");
    }

    #[test]
    fn tells_keys_from_other_texts() {
        fn check(key: &str, expected: bool) {
            assert_eq!(check_key(key).is_ok(), expected, "{key:?}");
        }
        check("a", true);
        check("token/Ada.Lovelace+test@contoso-1.example_2", true);
        check(&"k".repeat(200), true);
        check("", false);
        check(&"k".repeat(201), false);
        check("a b", false);
        check("a\n", false);
        check("clé", false);
        check("a\\b", false);
        check("a\0", false);
    }
}
