//! Where secrets rest: records by key, in memory or in an encrypted file.
//! A vault stores and returns octets; what they mean is `account`'s and `token`'s business.

mod command;
#[cfg(test)]
mod contract;
mod file;
mod fixed;
mod header;
mod key;
mod keyring;
mod memory;
mod passphrase;
mod permission;
mod records;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod rows;

use crate::error::{Error, Result};
use crate::host::{Clock, Environment, Network, Random};
use crate::model::{Passphrase, ProblemKind, VaultFinding, VaultSettings};
use crate::secret::SecretBytes;
use async_trait::async_trait;
use command::CommandVault;
use file::EncryptedFile;
#[cfg(feature = "fuzzing")]
pub(crate) use file::survive_any_file;
pub(crate) use fixed::FixedVault;
pub(crate) use memory::MemoryVault;
pub(crate) use records::is_same;
use std::fmt::{self, Debug};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

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

    /// Writes a record only if it still is what `old` says, and tells whether it was. Durable, and safe to drop, like
    /// `write`. Default: reads, compares and writes, with nothing that keeps others out in between.
    /// Errors: `Storage`, `Config`, `Misuse`.
    async fn write_if(
        &self,
        key: &str,
        old: Option<&SecretBytes>,
        value: &SecretBytes,
    ) -> Result<bool> {
        let is_still = is_same(self.read(key).await?.as_ref(), old);
        if is_still {
            self.write(key, value).await?;
        }
        Ok(is_still)
    }

    /// Tries to become the one who renews what `name` stands for, among all processes that share this vault; `None`
    /// while somebody else is. Default: whoever asks may, so that every process renews for itself. Errors: `Storage`.
    async fn try_lock(&self, name: &str) -> Result<Option<VaultLock>> {
        let _ = name;
        Ok(Some(VaultLock::free()))
    }

    /// When a record was written last, in milliseconds since 1970-01-01T00:00:00Z, where the vault knows. Default: it does
    /// not. Errors: `Storage`, `Config`, `Misuse`.
    async fn written_at(&self, key: &str) -> Result<Option<i64>> {
        let _ = key;
        Ok(None)
    }

    /// Seals everything with a new key, made from another passphrase or a new one of the same source. Other processes
    /// notice, and ask their source again. Default: there is no key of ours (`Misuse`).
    /// Errors: `Storage`, `Config`, `Unavailable`, `Misuse`.
    async fn rotate(&self, passphrase: &Passphrase) -> Result<()> {
        let _ = passphrase;
        Err(no_key_of_ours(&self.name()))
    }

    /// Looks for what is wrong around the records: permissions, locks, leftovers. Default: nothing is.
    /// Errors: `Storage`, `Config`.
    async fn check(&self) -> Result<Vec<VaultFinding>> {
        Ok(Vec::new())
    }
}

/// The machine's services that vaults work with.
#[derive(Clone, Debug)]
pub(crate) struct Host {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
    pub(crate) environment: Arc<dyn Environment>,
    #[cfg_attr(
        not(feature = "postgres"),
        expect(dead_code, reason = "only a database is reached over the network")
    )]
    pub(crate) network: Arc<dyn Network>,
}

/// Held until it is dropped, until the process has ended, however it ended, or until what guards it is gone.
pub struct VaultLock {
    _held: Box<dyn Send + Sync>,
    lost: Arc<AtomicBool>,
}

impl VaultLock {
    /// A lock that keeps nobody out.
    pub fn free() -> Self {
        Self::holding(())
    }

    /// A lock that is held as long as this lives.
    pub fn holding(held: impl Send + Sync + 'static) -> Self {
        Self::holding_until(held, Arc::default())
    }

    /// A lock that is held as long as this lives and `lost` is false: a database may lose its clients.
    pub fn holding_until(held: impl Send + Sync + 'static, lost: Arc<AtomicBool>) -> Self {
        Self {
            _held: Box::new(held),
            lost,
        }
    }

    /// Whether it still keeps the others out, as far as is known here.
    pub fn is_held(&self) -> bool {
        !self.lost.load(Ordering::SeqCst)
    }
}

impl Debug for VaultLock {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("VaultLock")
    }
}

/// Opens the vault of the settings; a file or a table that does not exist is created.
///
/// Errors: `Config` for what the settings must correct (passphrase, path), `Storage` for what must be repaired
/// (permissions, damage, disk), `Unavailable` for what does not answer. What cannot be opened is never written to.
pub(crate) async fn open(settings: &VaultSettings, host: &Host) -> Result<Arc<dyn Vault>> {
    match settings {
        VaultSettings::Memory => Ok(Arc::new(MemoryVault::default())),
        VaultSettings::File { path, passphrase } => {
            let file = EncryptedFile::open(path, passphrase, host).await?;
            Ok(Arc::new(file))
        }
        #[cfg(feature = "sqlite")]
        VaultSettings::Sqlite { path, passphrase } => rows::sqlite(path, passphrase, host).await,
        #[cfg(feature = "postgres")]
        VaultSettings::Postgres {
            url,
            password,
            ca_pem,
            passphrase,
        } => rows::postgres(url, password.as_ref(), ca_pem.as_deref(), passphrase, host).await,
        #[cfg(not(feature = "sqlite"))]
        VaultSettings::Sqlite { .. } => Err(not_built("SQLite", "sqlite")),
        #[cfg(not(feature = "postgres"))]
        VaultSettings::Postgres { .. } => Err(not_built("PostgreSQL", "postgres")),
        VaultSettings::Command { command } => {
            Ok(Arc::new(CommandVault::open(command, host).await?))
        }
        // What is in it, `account` reads.
        VaultSettings::Environment { .. } => Ok(Arc::new(MemoryVault::default())),
    }
}

#[cfg(not(all(feature = "sqlite", feature = "postgres", feature = "keyring")))]
fn not_built(what: &str, feature: &str) -> Error {
    Error::new(
        ProblemKind::Config,
        "vault-not-built",
        format!("this build of Mailbearer has no {what}"),
        format!("build it with the feature {feature}, or use another vault"),
    )
}

fn no_key_of_ours(vault: &str) -> Error {
    Error::new(
        ProblemKind::Misuse,
        "vault-without-key",
        format!("this vault is not sealed with a key of Mailbearer's: {vault}"),
        "change the key where the vault is kept, or move the accounts to a vault with a passphrase",
    )
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
    use crate::host::{SystemClock, SystemEnvironment, SystemNetwork, SystemRandom};

    impl Default for Host {
        fn default() -> Self {
            Self {
                clock: Arc::new(SystemClock::default()),
                random: Arc::new(SystemRandom),
                environment: Arc::new(SystemEnvironment),
                network: Arc::new(SystemNetwork::default()),
            }
        }
    }

    async fn open(settings: VaultSettings) -> Result<Arc<dyn Vault>> {
        super::open(&settings, &Host::default()).await
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
