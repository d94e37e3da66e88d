//! A vault in one encrypted file that several processes may share: Argon2id, XChaCha20-Poly1305, atomic replacement.
//! No server, no keyring, and no protection from whoever has both the file and the passphrase.

mod payload;
mod place;
mod problem;
mod seal;
#[cfg(test)]
mod tests;

use super::header::{Flaw, HEADER_BYTES, Header};
use super::key::{DerivedKey, KeyCost};
use super::passphrase::Passphrases;
use super::records::{Records, is_same};
use super::{Host, Vault, VaultLock, check_key};
use crate::error::{Error, Result};
use crate::model::{Passphrase, VaultFinding};
use crate::secret::SecretBytes;
use async_trait::async_trait;
pub(super) use place::Place;
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
    /// Kept because another process may create the file anew with another salt, or change its key.
    passphrases: Passphrases,
    host: Host,
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
    /// Opens the file, or creates it with no records. Errors: `Config`, `Unavailable`, `Storage`.
    pub(super) async fn open(path: &str, passphrase: &Passphrase, host: &Host) -> Result<Self> {
        Self::open_at_cost(path, passphrase, host, KeyCost::NEW_VAULT).await
    }

    async fn open_at_cost(
        path: &str,
        passphrase: &Passphrase,
        host: &Host,
        new_file_cost: KeyCost,
    ) -> Result<Self> {
        let place = Place::new(path)?;
        let vault = |passphrases| Self {
            inner: Arc::new(Inner {
                place: place.clone(),
                passphrases,
                host: host.clone(),
                new_file_cost,
                known: Mutex::default(),
            }),
            turn: Arc::default(),
        };
        // A file that is there needs no lock to be read, so it can be opened where nothing may be written.
        if exists(&place).await? {
            let vault = vault(Passphrases::of(passphrase, host).await?);
            vault.look_once(Arc::new(|_: &Records| ())).await?;
            return Ok(vault);
        }
        let lock = lock_for_creation(&place).await?;
        // Another process may have been quicker.
        if exists(&place).await? {
            let vault = vault(Passphrases::of(passphrase, host).await?);
            vault.look_once(Arc::new(|_: &Records| ())).await?;
            return Ok(vault);
        }
        let vault = vault(Passphrases::of_new_vault(passphrase, host).await?);
        let inner = vault.inner.clone();
        off_thread(move || {
            let _lock = lock;
            inner.create()
        })
        .await?;
        Ok(vault)
    }

    /// Answers a question; when another process has changed the key, with the new one.
    async fn look<T: Send + 'static>(
        &self,
        question: impl Fn(&Records) -> T + Send + Sync + 'static,
    ) -> Result<T> {
        let question = Arc::new(question);
        match self.look_once(question.clone()).await {
            Err(error) if self.has_new_key(&error).await? => self.look_once(question).await,
            done => done,
        }
    }

    async fn look_once<T: Send + 'static>(
        &self,
        question: Arc<impl Fn(&Records) -> T + Send + Sync + 'static>,
    ) -> Result<T> {
        let inner = self.inner.clone();
        off_thread(move || inner.look(&*question)).await
    }

    /// Changes the records; when another process has changed the key, with the new one.
    async fn change(
        &self,
        edit: impl Fn(&mut Records) -> bool + Send + Sync + 'static,
    ) -> Result<bool> {
        let edit = Arc::new(edit);
        match self.change_once(edit.clone()).await {
            Err(error) if self.has_new_key(&error).await? => self.change_once(edit).await,
            done => done,
        }
    }

    async fn change_once(
        &self,
        edit: Arc<impl Fn(&mut Records) -> bool + Send + Sync + 'static>,
    ) -> Result<bool> {
        let turn = self.turn.clone().lock_owned().await;
        let inner = self.inner.clone();
        off_thread(move || {
            let _turn = turn;
            inner.change(&*edit)
        })
        .await
    }

    /// Whether the source of the passphrase gives another one since the vault's key was changed. An error when it does
    /// not.
    async fn has_new_key(&self, error: &Error) -> Result<bool> {
        if error.code() != problem::WRONG_PASSPHRASE {
            return Ok(false);
        }
        match self.inner.passphrases.fetch_anew().await? {
            true => Ok(true),
            false => Err(problem::key_changed(self.inner.place.path())),
        }
    }
}

async fn exists(place: &Place) -> Result<bool> {
    let place = place.clone();
    off_thread(move || Ok(place.open()?.is_some())).await
}

async fn lock_for_creation(place: &Place) -> Result<File> {
    let place = place.clone();
    off_thread(move || {
        place.create_folder()?;
        place.lock()
    })
    .await
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
            records.write(&key, value.clone());
            true
        })
        .await?;
        Ok(())
    }

    async fn write_if(
        &self,
        key: &str,
        old: Option<&SecretBytes>,
        value: &SecretBytes,
    ) -> Result<bool> {
        check_key(key)?;
        let (key, old, value) = (key.to_owned(), old.cloned(), value.clone());
        self.change(move |records| {
            let is_still = is_same(records.read(&key).as_ref(), old.as_ref());
            if is_still {
                records.write(&key, value.clone());
            }
            is_still
        })
        .await
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

    async fn rotate(&self, passphrase: &Passphrase) -> Result<()> {
        let new = Passphrases::of_new_key(passphrase, &self.inner.host).await?;
        // With the current key, whoever changed it last.
        self.look(|_| ()).await?;
        let turn = self.turn.clone().lock_owned().await;
        let inner = self.inner.clone();
        let new = off_thread(move || {
            let _turn = turn;
            inner.rotate(&new)?;
            Ok(new)
        })
        .await?;
        new.settle().await
    }

    async fn check(&self) -> Result<Vec<VaultFinding>> {
        self.look(|_| ()).await?;
        let inner = self.inner.clone();
        off_thread(move || inner.place.check()).await
    }
}

/// Which of [`RENEWAL_LOCKS`] locks a name has: the same in every process and version.
pub(super) fn shard_of(name: &str) -> u8 {
    let digest = digest(&SHA256, name.as_bytes());
    digest.as_ref().first().copied().unwrap_or_default() % RENEWAL_LOCKS
}

/// Few enough to lie beside the vault, and enough that accounts seldom wait for one another.
const RENEWAL_LOCKS: u8 = 64;

impl Inner {
    /// The caller holds the lock, and there is no file.
    fn create(&self) -> Result<()> {
        let passphrase = self.passphrases.newest();
        let key = DerivedKey::new(&passphrase, self.new_file_cost, &*self.host.random)?;
        self.replace(Arc::new(key), Records::default())
    }

    /// Seals everything with the key of other passphrases, and goes on with them.
    fn rotate(&self, new: &Passphrases) -> Result<()> {
        let _lock = self.place.lock()?;
        let (_, records) = self.read_current()?;
        let key = DerivedKey::new(&new.newest(), self.new_file_cost, &*self.host.random)?;
        self.replace(Arc::new(key), records)?;
        self.passphrases.become_another(new);
        Ok(())
    }

    /// Answers a question about the records as they are now.
    fn look<T>(&self, question: impl Fn(&Records) -> T) -> Result<T> {
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
    fn change(&self, edit: impl Fn(&mut Records) -> bool) -> Result<bool> {
        let _lock = self.place.lock()?;
        let (key, mut records) = self.read_current()?;
        let changed = edit(&mut records);
        if changed {
            self.replace(key, records)?;
        }
        Ok(changed)
    }

    /// Reads the file whole, however well it is known: one that has been damaged must not be replaced.
    fn read_current(&self) -> Result<(Arc<DerivedKey>, Records)> {
        let mut file = self.existing()?;
        let header = self.read_header(&mut file)?;
        let known_key = self.known().as_ref().map(|known| known.key.clone());
        self.read_on(file, header, known_key)
    }

    fn replace(&self, key: Arc<DerivedKey>, records: Records) -> Result<()> {
        let file = seal::seal(&key, &records, &*self.host.random)?;
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
            _ => self
                .passphrases
                .key_of(&header)?
                .ok_or_else(|| self.flawed(&Flaw::WrongKey))?,
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

    fn flawed(&self, flaw: &Flaw) -> Error {
        problem::flawed(self.place.path(), flaw)
    }

    fn known(&self) -> MutexGuard<'_, Option<Known>> {
        self.known.lock().unwrap_or_else(|e| e.into_inner())
    }
}

/// Runs blocking work where it may block. It goes on to its end even when nobody waits for it any more.
pub(super) async fn off_thread<T: Send + 'static>(
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
