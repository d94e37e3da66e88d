//! A vault's key in the keyring of the person who is logged in: one entry per vault, with a random key in it.
//! Records stay out of it: keyrings differ in how much an entry may hold (Windows: 2560 octets), some cannot be listed, and
//! none locks out other processes.

use super::Host;
use crate::error::{Error, Result};
use crate::model::ProblemKind;
use crate::secret::SecretBytes;

/// The keys of an entry, the newest first. Errors: `Config`, `Unavailable`.
pub(super) async fn fetch(name: &str, host: &Host) -> Result<Vec<SecretBytes>> {
    let keys = system::read(name, host).await?;
    if keys.is_empty() {
        return Err(no_entry(name));
    }
    Ok(keys)
}

/// The keys of an entry; a new one when there is none. Errors: `Config`, `Unavailable`, `Internal`.
pub(super) async fn fetch_or_make(name: &str, host: &Host) -> Result<Vec<SecretBytes>> {
    let keys = system::read(name, host).await?;
    if !keys.is_empty() {
        return Ok(keys);
    }
    let keys = vec![random_key(host)?];
    system::write(name, &keys, host).await?;
    Ok(keys)
}

/// Puts a new key before the current one. A process that is killed before the vault has it finds both.
pub(super) async fn begin_change(name: &str, host: &Host) -> Result<Vec<SecretBytes>> {
    let mut keys = system::read(name, host).await?;
    keys.insert(0, random_key(host)?);
    keys.truncate(KEYS_KEPT);
    system::write(name, &keys, host).await?;
    Ok(keys)
}

/// Leaves the new key alone in its entry.
pub(super) async fn finish_change(name: &str, key: SecretBytes, host: &Host) -> Result<()> {
    system::write(name, &[key], host).await
}

/// The new key, the current one, and one of a change that was cut short.
const KEYS_KEPT: usize = 3;

/// 256 bits, as text, so that people can look at the entry with their system's own program.
fn random_key(host: &Host) -> Result<SecretBytes> {
    use base64::Engine as _;
    let mut octets = zeroize::Zeroizing::new([0; 32]);
    host.random.fill(&mut *octets)?;
    let text = base64::engine::general_purpose::STANDARD.encode(*octets);
    Ok(SecretBytes::new(text.into_bytes()))
}

fn no_entry(name: &str) -> Error {
    Error::new(
        ProblemKind::Config,
        "vault-keyring-entry-missing",
        format!("the keyring has no key for this vault: {name}"),
        "log in as the person who made the vault, or give the passphrase it was made with from another source",
    )
}

#[cfg(feature = "keyring")]
mod system {
    use super::super::file::off_thread;
    use super::{Error, Host, ProblemKind, Result, SecretBytes};
    use crate::host::within;
    use keyring_core::{CredentialStore, Entry, Error as KeyringError};
    use std::sync::Arc;
    use std::time::Duration;
    use zeroize::Zeroizing;

    pub(super) async fn read(name: &str, host: &Host) -> Result<Vec<SecretBytes>> {
        let entry = name.to_owned();
        let work = off_thread(move || read_in(&store().map_err(unavailable)?, &entry));
        limited(host, work).await
    }

    pub(super) async fn write(name: &str, keys: &[SecretBytes], host: &Host) -> Result<()> {
        let (entry, keys) = (name.to_owned(), keys.to_vec());
        let work = off_thread(move || write_in(&store().map_err(unavailable)?, &entry, &keys));
        limited(host, work).await
    }

    /// A keyring that is locked asks the person, who may be away.
    async fn limited<T>(host: &Host, work: impl Future<Output = Result<T>>) -> Result<T> {
        match within(&*host.clock, LIMIT, work).await {
            Some(done) => done,
            None => Err(refused("it has not answered within a minute")),
        }
    }

    const LIMIT: Duration = Duration::from_secs(60);

    pub(super) fn read_in(store: &Arc<CredentialStore>, name: &str) -> Result<Vec<SecretBytes>> {
        let entry = Entry::new_in_store(store, SERVICE, name).map_err(|e| failed(name, e))?;
        match entry.get_secret() {
            Ok(secret) => {
                let secret = Zeroizing::new(secret);
                let keys = secret.split(|octet| *octet == b'\n');
                let keys = keys.filter(|key| !key.is_empty());
                Ok(keys.map(|key| key.to_vec().into()).collect())
            }
            Err(KeyringError::NoEntry) => Ok(Vec::new()),
            Err(error) => Err(failed(name, error)),
        }
    }

    pub(super) fn write_in(
        store: &Arc<CredentialStore>,
        name: &str,
        keys: &[SecretBytes],
    ) -> Result<()> {
        // Exposed to be kept by the keyring.
        let keys: Vec<_> = keys.iter().map(|key| key.expose().as_slice()).collect();
        let secret = Zeroizing::new(keys.join(&b'\n'));
        let entry = Entry::new_in_store(store, SERVICE, name).map_err(|e| failed(name, e))?;
        entry.set_secret(&secret).map_err(|e| failed(name, e))
    }

    const SERVICE: &str = "mailbearer";

    #[cfg(target_os = "macos")]
    fn store() -> keyring_core::Result<Arc<CredentialStore>> {
        Ok(apple_native_keyring_store::keychain::Store::new()?)
    }

    #[cfg(windows)]
    fn store() -> keyring_core::Result<Arc<CredentialStore>> {
        Ok(windows_native_keyring_store::Store::new()?)
    }

    #[cfg(not(any(target_os = "macos", windows)))]
    fn store() -> keyring_core::Result<Arc<CredentialStore>> {
        Ok(zbus_secret_service_keyring_store::Store::new()?)
    }

    fn unavailable(error: KeyringError) -> Error {
        Error::new(
            ProblemKind::Config,
            "vault-keyring-unavailable",
            "there is no keyring to keep the vault's key in: nobody is logged in to a desktop here",
            "on a server, give the passphrase from a key file, a systemd credential or a command instead",
        )
        .with_source(error)
    }

    /// The crate's own words may quote an entry: they become the source.
    fn failed(name: &str, error: KeyringError) -> Error {
        match error {
            KeyringError::Invalid(..) | KeyringError::TooLong(..) => Error::new(
                ProblemKind::Config,
                "vault-keyring-name-invalid",
                format!("the keyring takes no entry of this name: {name:?}"),
                "give a short name without control characters",
            ),
            KeyringError::Ambiguous(_) => refused("it has several entries of this name"),
            error => refused("it is locked, or denies access").with_source(error),
        }
    }

    fn refused(reason: &str) -> Error {
        Error::new(
            ProblemKind::Config,
            "vault-keyring-refused",
            format!("the keyring does not give the vault's key: {reason}"),
            "unlock the keyring and allow this program, or give the passphrase from another source",
        )
    }
}

#[cfg(not(feature = "keyring"))]
mod system {
    use super::super::not_built;
    use super::{Host, Result, SecretBytes};

    pub(super) async fn read(_: &str, _: &Host) -> Result<Vec<SecretBytes>> {
        std::future::ready(Err(not_built("keyring", "keyring"))).await
    }

    pub(super) async fn write(_: &str, _: &[SecretBytes], _: &Host) -> Result<()> {
        std::future::ready(Err(not_built("keyring", "keyring"))).await
    }
}

#[cfg(all(test, feature = "keyring"))]
mod tests {
    use super::system::{read_in, write_in};
    use keyring_core::CredentialStore;
    use std::sync::Arc;

    #[test]
    fn an_entry_holds_several_keys_in_order() {
        let store: Arc<CredentialStore> = keyring_core::mock::Store::new().unwrap();
        assert!(read_in(&store, "a").unwrap().is_empty());
        write_in(
            &store,
            "a",
            &[b"new".to_vec().into(), b"old".to_vec().into()],
        )
        .unwrap();
        let keys = read_in(&store, "a").unwrap();
        let keys: Vec<_> = keys.iter().map(|key| key.expose().as_slice()).collect();
        assert_eq!(keys, [b"new", b"old"]);
        assert!(read_in(&store, "b").unwrap().is_empty());
        write_in(&store, "a", &[b"new".to_vec().into()]).unwrap();
        assert_eq!(read_in(&store, "a").unwrap().len(), 1);
    }

    /// Against whatever keyring this session has.
    #[tokio::test]
    #[ignore = "needs a keyring: cargo xtask test vaults"]
    async fn a_vault_is_made_opened_and_changed_with_a_key_in_a_real_keyring() {
        use crate::model::{Passphrase, VaultSettings};
        use crate::vault::{Host, open};
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vault.mbv").display().to_string();
        let passphrase = Passphrase::Keyring { name: path.clone() };
        let settings = VaultSettings::File { path, passphrase };
        let host = Host::default();
        let vault = open(&settings, &host).await.unwrap();
        let value = crate::secret::SecretBytes::new(b"rt".to_vec());
        vault.write("tokens/a", &value).await.unwrap();
        let again = open(&settings, &host).await.unwrap();
        let read = again.read("tokens/a").await.unwrap().unwrap();
        assert_eq!(read.expose(), b"rt");
        let VaultSettings::File { path, passphrase } = &settings else {
            unreachable!("it is a file")
        };
        let before = super::fetch(path, &host).await.unwrap();
        vault.rotate(passphrase).await.unwrap();
        let after = super::fetch(path, &host).await.unwrap();
        assert_eq!(after.len(), 1);
        assert_ne!(after[0].expose(), before[0].expose());
        // One that was open goes on with the new key, and so does one that is opened now.
        assert!(again.read("tokens/a").await.unwrap().is_some());
        assert!(open(&settings, &host).await.is_ok());
        let other = Passphrase::Keyring {
            name: format!("{path}.other"),
        };
        let other = VaultSettings::File {
            path: path.clone(),
            passphrase: other,
        };
        let error = open(&other, &host).await.unwrap_err();
        assert_eq!(error.code(), "vault-keyring-entry-missing");
    }
}
