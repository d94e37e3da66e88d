//! A vault in one encrypted file that several processes may share: Argon2id, XChaCha20-Poly1305, atomic replacement.
//! No server, no keyring, and no protection from whoever has both the file and the passphrase.

mod header;
mod key;
mod payload;
mod place;
mod problem;
mod seal;
#[cfg(test)]
mod tests;

use super::records::Records;
use super::{Vault, VaultLock, check_key};
use crate::error::Result;
use crate::host::Random;
use crate::secret::SecretBytes;
use async_trait::async_trait;
use header::{Flaw, HEADER_BYTES, Header};
use key::{DerivedKey, KeyCost, KeySource, SALT_BYTES};
use place::Place;
use ring::digest::{SHA256, digest};
#[cfg(feature = "fuzzing")]
pub(crate) use seal::survive_any_file;
use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::sync::{Arc, Mutex, MutexGuard};

/// Records in one encrypted file.
///
/// A write reads the file, changes it and replaces it under a lock that every process respects, so none is lost.
/// A read looks at the file's header, and reads on only if the file has changed.
/// All work is done off the async threads, and goes on to its end when the caller stops waiting.
pub(super) struct EncryptedFile {
    inner: Arc<Inner>,
    /// Changes of this process go one after the other, in the order of their calls. The turn belongs to the work and
    /// not to the caller: a write that nobody waits for any more cannot overtake, and undo, a later one.
    turn: Arc<tokio::sync::Mutex<()>>,
}

struct Inner {
    place: Place,
    /// Kept because another process may create the file anew with another salt, which needs another key.
    passphrase: SecretBytes,
    random: Arc<dyn Random>,
    new_file_cost: KeyCost,
    /// What has been read, to be used again while the file's header says that it is current.
    known: Mutex<Option<Known>>,
}

struct Known {
    key: Arc<DerivedKey>,
    /// The header as octets: its random nonce makes every state's header unique.
    header: Vec<u8>,
    records: Records,
}

impl EncryptedFile {
    /// Opens the file, or creates it with no records. Errors: `Config`, `Storage`.
    pub(super) async fn open(
        path: &str,
        passphrase: SecretBytes,
        random: Arc<dyn Random>,
    ) -> Result<Self> {
        Self::open_at_cost(path, passphrase, random, KeyCost::NEW_FILE).await
    }

    async fn open_at_cost(
        path: &str,
        passphrase: SecretBytes,
        random: Arc<dyn Random>,
        new_file_cost: KeyCost,
    ) -> Result<Self> {
        let inner = Arc::new(Inner {
            place: Place::new(path)?,
            passphrase,
            random,
            new_file_cost,
            known: Mutex::default(),
        });
        let opening = inner.clone();
        off_thread(move || opening.open_or_create()).await?;
        let turn = Arc::default();
        Ok(Self { inner, turn })
    }

    async fn look<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Records) -> T + Send + 'static,
    ) -> Result<T> {
        let inner = self.inner.clone();
        off_thread(move || inner.look(question)).await
    }

    async fn change(
        &self,
        edit: impl FnOnce(&mut Records) -> bool + Send + 'static,
    ) -> Result<bool> {
        let turn = self.turn.clone().lock_owned().await;
        let inner = self.inner.clone();
        off_thread(move || {
            let _turn = turn;
            inner.change(edit)
        })
        .await
    }
}

#[async_trait]
impl Vault for EncryptedFile {
    fn name(&self) -> String {
        format!("encrypted file {}", self.inner.place.path().display())
    }

    async fn read(&self, key: &str) -> Result<Option<SecretBytes>> {
        check_key(key)?;
        let key = key.to_owned();
        self.look(move |records| records.read(&key)).await
    }

    async fn write(&self, key: &str, value: &SecretBytes) -> Result<()> {
        check_key(key)?;
        let (key, value) = (key.to_owned(), value.clone());
        self.change(move |records| {
            records.write(&key, value);
            true
        })
        .await?;
        Ok(())
    }

    async fn remove(&self, key: &str) -> Result<bool> {
        check_key(key)?;
        let key = key.to_owned();
        self.change(move |records| records.remove(&key)).await
    }

    async fn keys(&self, prefix: &str) -> Result<Vec<String>> {
        let prefix = prefix.to_owned();
        self.look(move |records| records.keys(&prefix)).await
    }

    async fn try_lock(&self, name: &str) -> Result<Option<VaultLock>> {
        let shard = shard_of(name);
        let inner = self.inner.clone();
        let locked = off_thread(move || inner.place.try_lock(shard)).await?;
        Ok(locked.map(VaultLock::holding))
    }
}

/// Which of [`RENEWAL_LOCKS`] locks a name has: the same in every process and version.
fn shard_of(name: &str) -> u8 {
    let digest = digest(&SHA256, name.as_bytes());
    digest.as_ref().first().copied().unwrap_or_default() % RENEWAL_LOCKS
}

/// Few enough to lie beside the vault, and enough that accounts seldom wait for one another.
const RENEWAL_LOCKS: u8 = 64;

impl Inner {
    fn open_or_create(&self) -> Result<()> {
        // A file that is there needs no lock to be read, so it can be opened where nothing may be written.
        if self.place.open()?.is_some() {
            return self.look(|_| ());
        }
        self.place.create_folder()?;
        let _lock = self.place.lock()?;
        // Another process may have been quicker.
        if self.place.open()?.is_some() {
            return self.look(|_| ());
        }
        let mut salt = [0; SALT_BYTES];
        self.random.fill(&mut salt)?;
        let key = self.derive(&KeySource {
            cost: self.new_file_cost,
            salt,
        })?;
        self.replace(key, Records::default())
    }

    /// Answers a question about the records as they are now.
    fn look<T>(&self, question: impl FnOnce(&Records) -> T) -> Result<T> {
        let mut known = self.known();
        let mut file = self.existing()?;
        let header = self.read_header(&mut file)?;
        if let Some(known) = &*known
            && known.header == header
        {
            return Ok(question(&known.records));
        }
        let known_key = known.as_ref().map(|known| known.key.clone());
        let (key, records) = self.read_on(file, header.clone(), known_key)?;
        let answer = question(&records);
        *known = Some(Known {
            key,
            header,
            records,
        });
        Ok(answer)
    }

    /// Changes the records, and writes them if `edit` says so. What it said is returned.
    fn change(&self, edit: impl FnOnce(&mut Records) -> bool) -> Result<bool> {
        let _lock = self.place.lock()?;
        // Read whole, however well it is known: a file that has been damaged must not be replaced.
        let mut file = self.existing()?;
        let header = self.read_header(&mut file)?;
        let known_key = self.known().as_ref().map(|known| known.key.clone());
        let (key, mut records) = self.read_on(file, header, known_key)?;
        let changed = edit(&mut records);
        if changed {
            self.replace(key, records)?;
        }
        Ok(changed)
    }

    fn replace(&self, key: Arc<DerivedKey>, records: Records) -> Result<()> {
        let file = seal::seal(&key, &records, &*self.random)?;
        self.place.replace(&file)?;
        *self.known() = Some(Known {
            key,
            header: file.into_iter().take(HEADER_BYTES).collect(),
            records,
        });
        Ok(())
    }

    fn existing(&self) -> Result<File> {
        let file = self.place.open()?;
        file.ok_or_else(|| problem::missing(self.place.path()))
    }

    fn read_header(&self, file: &mut File) -> Result<Vec<u8>> {
        let mut octets = Vec::with_capacity(HEADER_BYTES);
        self.read_up_to(HEADER_BYTES, file, &mut octets)?;
        Ok(octets)
    }

    /// Opens the rest of a file. A file is replaced, never changed, so this is the state that the header belongs to.
    fn read_on(
        &self,
        mut file: File,
        mut octets: Vec<u8>,
        known_key: Option<Arc<DerivedKey>>,
    ) -> Result<(Arc<DerivedKey>, Records)> {
        let header = Header::parse(&octets).map_err(|flaw| self.flawed(&flaw))?;
        self.read_up_to(seal::FILE_MAX_BYTES, &mut file, &mut octets)?;
        let key = match known_key {
            Some(key) if key.source == header.key_source => key,
            _ => self.derive(&header.key_source)?,
        };
        let records = seal::unseal(&key, &header, &octets).map_err(|flaw| self.flawed(&flaw))?;
        Ok((key, records))
    }

    fn read_up_to(&self, limit: usize, file: &mut File, octets: &mut Vec<u8>) -> Result<()> {
        let limit = u64::try_from(limit).unwrap_or(u64::MAX);
        file.take(limit)
            .read_to_end(octets)
            .map_err(|error: io::Error| problem::unreadable(self.place.path(), error))?;
        Ok(())
    }

    fn derive(&self, source: &KeySource) -> Result<Arc<DerivedKey>> {
        DerivedKey::derive(&self.passphrase, source).map(Arc::new)
    }

    fn flawed(&self, flaw: &Flaw) -> crate::error::Error {
        problem::flawed(self.place.path(), flaw)
    }

    fn known(&self) -> MutexGuard<'_, Option<Known>> {
        self.known.lock().unwrap_or_else(|e| e.into_inner())
    }
}

/// Runs blocking work where it may block. It goes on to its end even when nobody waits for it any more.
async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|error| Err(problem::stopped(error)))
}

/// The file's path alone.
impl fmt::Debug for EncryptedFile {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("EncryptedFile")
            .field("path", &self.inner.place.path())
            .finish_non_exhaustive()
    }
}
