//! A vault in a table of a database: every record a sealed row of its own, and one header row that says how the key is made.
//! What the databases have in common is here; how each reads and writes is in `sqlite` and `postgres`.

#[cfg(feature = "postgres")]
mod postgres;
mod problem;
mod seal;
#[cfg(feature = "sqlite")]
mod sqlite;

use super::file::off_thread;
use super::header::{Flaw, Header, NONCE_BYTES};
use super::key::{DerivedKey, KeyCost};
use super::passphrase::Passphrases;
use super::records::is_same;
use super::{Host, Vault, VaultLock, check_key, is_key};
use crate::error::Result;
use crate::model::{Passphrase, VaultFinding};
use crate::secret::SecretBytes;
use async_trait::async_trait;
use std::collections::HashMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex, MutexGuard};

#[cfg(feature = "postgres")]
pub(super) use postgres::open as postgres;
#[cfg(feature = "sqlite")]
pub(super) use sqlite::open as sqlite;

/// A table of rows, as a database keeps it. Every call is durable when it returns.
#[async_trait]
trait Table: Send + Sync + Debug {
    /// The name for people.
    fn name(&self) -> String;

    /// The header row.
    async fn header(&self) -> Result<Option<Vec<u8>>>;

    /// Keeps others out while a vault is made.
    async fn lock_for_creation(&self) -> Result<VaultLock>;

    /// Writes the first header row, unless there is one.
    async fn create(&self, header: &[u8]) -> Result<()>;

    /// A row, with the header it belongs to.
    async fn read(&self, name: &str) -> Result<Snapshot>;

    /// Writes a row if the header is still this one and the row is still of the version before; tells whether it was.
    async fn swap(&self, header: &[u8], name: &str, row: &Row) -> Result<bool>;

    /// The names of the rows that hold a record and start with a prefix, sorted by octet.
    async fn names(&self, prefix: &str) -> Result<Vec<String>>;

    /// Replaces the header and every row in one transaction, if the header is still the old one; tells whether it was.
    async fn rewrite(&self, old: &[u8], new: &[u8], reseal: Reseal) -> Result<bool>;

    /// See [`Vault::try_lock`].
    async fn try_lock(&self, name: &str) -> Result<Option<VaultLock>>;

    /// See [`Vault::check`].
    async fn check(&self) -> Result<Vec<VaultFinding>>;
}

/// Makes all rows anew.
type Reseal = Arc<dyn Fn(Vec<NamedRow>) -> Result<Vec<NamedRow>> + Send + Sync>;
type NamedRow = (String, Row);

#[derive(Debug)]
struct Snapshot {
    header: Vec<u8>,
    row: Option<Row>,
}

/// One row. A record that was removed leaves its row, sealed as such, so that its version goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Row {
    version: i64,
    present: bool,
    sealed: Vec<u8>,
    written_at_unix_ms: i64,
}

/// A vault on a table.
#[derive(Debug)]
struct RowVault {
    table: Arc<dyn Table>,
    host: Host,
    cost: KeyCost,
    passphrases: Passphrases,
    known: Mutex<Option<Known>>,
    /// The newest version seen of each row: an older one is a row that somebody put back.
    versions: Mutex<HashMap<String, i64>>,
}

#[derive(Clone, Debug)]
struct Known {
    header: Vec<u8>,
    key: Arc<DerivedKey>,
}

impl RowVault {
    /// Opens the vault of a table, or makes it. Errors: `Config`, `Unavailable`, `Storage`.
    async fn open(
        table: Arc<dyn Table>,
        passphrase: &Passphrase,
        host: &Host,
        cost: KeyCost,
    ) -> Result<Self> {
        let vault = |passphrases| Self {
            table: table.clone(),
            host: host.clone(),
            cost,
            passphrases,
            known: Mutex::default(),
            versions: Mutex::default(),
        };
        if let Some(header) = table.header().await? {
            let vault = vault(Passphrases::of(passphrase, host).await?);
            vault.unlock(&header).await?;
            return Ok(vault);
        }
        let _lock = table.lock_for_creation().await?;
        // Another process may have been quicker.
        if table.header().await?.is_some() {
            let vault = vault(Passphrases::of(passphrase, host).await?);
            vault.unlock(&vault.header().await?).await?;
            return Ok(vault);
        }
        let vault = vault(Passphrases::of_new_vault(passphrase, host).await?);
        let (header, key) = new_header(&vault.passphrases, cost, host).await?;
        table.create(&header).await?;
        vault.know(header, key);
        Ok(vault)
    }

    async fn header(&self) -> Result<Vec<u8>> {
        let header = self.table.header().await?;
        header.ok_or_else(|| problem::missing(&self.table.name()))
    }

    /// The key that belongs to a header.
    async fn unlock(&self, header: &[u8]) -> Result<Arc<DerivedKey>> {
        if let Some(known) = &*self.known()
            && known.header == header
        {
            return Ok(known.key.clone());
        }
        let name = self.table.name();
        let parsed = Header::parse(header).map_err(|flaw| problem::flawed(&name, &flaw))?;
        let mut key = self.derive(&parsed).await?;
        let was_open = self.known().is_some();
        // Another process has changed the key since this one opened the vault.
        if key.is_none() && was_open {
            if !self.passphrases.fetch_anew().await? {
                return Err(problem::key_changed(&name));
            }
            key = self.derive(&parsed).await?;
        }
        let key = key.ok_or_else(|| problem::flawed(&name, &Flaw::WrongKey))?;
        self.know(header.to_owned(), key.clone());
        Ok(key)
    }

    async fn derive(&self, header: &Header) -> Result<Option<Arc<DerivedKey>>> {
        let (passphrases, header) = (self.passphrases.clone(), header.clone());
        off_thread(move || passphrases.key_of(&header)).await
    }

    fn know(&self, header: Vec<u8>, key: Arc<DerivedKey>) {
        *self.known() = Some(Known { header, key });
    }

    /// A row as it is now, opened.
    async fn look(&self, name: &str) -> Result<Seen> {
        // Before the row is read: one that another task writes meanwhile is newer, not put back.
        let newest = self.newest_version(name);
        let Snapshot { header, row } = self.table.read(name).await?;
        let key = self.unlock(&header).await?;
        let (version, value, written_at_unix_ms) = match &row {
            None => (0, None, None),
            Some(row) => {
                let value = seal::unseal(&key, name, row);
                let value = value.ok_or_else(|| problem::damaged(&self.table.name(), name))?;
                (row.version, value, Some(row.written_at_unix_ms))
            }
        };
        if version < newest {
            return Err(problem::rolled_back(&self.table.name(), name));
        }
        self.notice(name, version);
        Ok(Seen {
            header,
            key,
            version,
            value,
            written_at_unix_ms,
        })
    }

    /// The newest version of a row that this process has seen.
    fn newest_version(&self, name: &str) -> i64 {
        self.versions().get(name).copied().unwrap_or_default()
    }

    fn notice(&self, name: &str, version: i64) {
        let mut versions = self.versions();
        let newest = versions.entry(name.to_owned()).or_default();
        *newest = version.max(*newest);
    }

    /// Changes a record to what `edit` makes of it, again when somebody else was quicker. `edit` gives `None` to leave it.
    async fn change(
        &self,
        name: &str,
        edit: impl Fn(Option<&SecretBytes>) -> Option<Option<SecretBytes>> + Send,
    ) -> Result<bool> {
        check_key(name)?;
        for _ in 0..CHANGE_ATTEMPTS {
            let seen = self.look(name).await?;
            let Some(value) = edit(seen.value.as_ref()) else {
                return Ok(false);
            };
            let version = seen.version + 1;
            let random = &*self.host.random;
            let row = Row {
                version,
                present: value.is_some(),
                sealed: seal::seal(&seen.key, name, version, value.as_ref(), random)?,
                written_at_unix_ms: self.host.clock.now_unix_ms(),
            };
            if self.table.swap(&seen.header, name, &row).await? {
                self.notice(name, version);
                return Ok(true);
            }
        }
        Err(problem::contended(&self.table.name(), name))
    }
}

/// A row that was looked at; version 0 is none.
struct Seen {
    header: Vec<u8>,
    key: Arc<DerivedKey>,
    version: i64,
    value: Option<SecretBytes>,
    written_at_unix_ms: Option<i64>,
}

/// Every attempt that fails is another process's that succeeded.
const CHANGE_ATTEMPTS: u32 = 100;

#[async_trait]
impl Vault for RowVault {
    fn name(&self) -> String {
        self.table.name()
    }

    async fn read(&self, key: &str) -> Result<Option<SecretBytes>> {
        check_key(key)?;
        Ok(self.look(key).await?.value)
    }

    async fn write(&self, key: &str, value: &SecretBytes) -> Result<()> {
        self.change(key, |_| Some(Some(value.clone()))).await?;
        Ok(())
    }

    async fn write_if(
        &self,
        key: &str,
        old: Option<&SecretBytes>,
        value: &SecretBytes,
    ) -> Result<bool> {
        self.change(key, |current| {
            is_same(current, old).then(|| Some(value.clone()))
        })
        .await
    }

    async fn remove(&self, key: &str) -> Result<bool> {
        self.change(key, |current| current.map(|_| None)).await
    }

    async fn keys(&self, prefix: &str) -> Result<Vec<String>> {
        // No row has such a name, and not every database can be asked for it.
        if !prefix.is_empty() && !is_key(prefix) {
            return Ok(Vec::new());
        }
        self.table.names(prefix).await
    }

    async fn try_lock(&self, name: &str) -> Result<Option<VaultLock>> {
        self.table.try_lock(name).await
    }

    async fn written_at(&self, key: &str) -> Result<Option<i64>> {
        check_key(key)?;
        Ok(self.look(key).await?.written_at_unix_ms)
    }

    async fn rotate(&self, passphrase: &Passphrase) -> Result<()> {
        let new = Passphrases::of_new_key(passphrase, &self.host).await?;
        for _ in 0..CHANGE_ATTEMPTS {
            let old_header = self.header().await?;
            let old_key = self.unlock(&old_header).await?;
            let (header, key) = new_header(&new, self.cost, &self.host).await?;
            let reseal = reseal(self.table.name(), old_key, key.clone(), &self.host);
            if self.table.rewrite(&old_header, &header, reseal).await? {
                self.passphrases.become_another(&new);
                self.know(header, key);
                return new.settle().await;
            }
        }
        Err(problem::contended(&self.table.name(), "header"))
    }

    async fn check(&self) -> Result<Vec<VaultFinding>> {
        self.unlock(&self.header().await?).await?;
        self.table.check().await
    }
}

impl RowVault {
    fn versions(&self) -> MutexGuard<'_, HashMap<String, i64>> {
        self.versions.lock().unwrap_or_else(|e| e.into_inner())
    }

    fn known(&self) -> MutexGuard<'_, Option<Known>> {
        self.known.lock().unwrap_or_else(|e| e.into_inner())
    }
}

async fn new_header(
    passphrases: &Passphrases,
    cost: KeyCost,
    host: &Host,
) -> Result<(Vec<u8>, Arc<DerivedKey>)> {
    let (passphrase, random) = (passphrases.newest(), host.random.clone());
    let key = off_thread(move || DerivedKey::new(&passphrase, cost, &*random)).await?;
    // Nothing is sealed with this nonce: it tells one header from another.
    let mut nonce = [0; NONCE_BYTES];
    host.random.fill(&mut nonce)?;
    let header = Header {
        key_source: key.source.clone(),
        key_check: key.check,
        nonce,
    };
    Ok((header.encode().to_vec(), Arc::new(key)))
}

/// Opens every row with the old key, and seals it with the new one as its next version.
fn reseal(table: String, old: Arc<DerivedKey>, new: Arc<DerivedKey>, host: &Host) -> Reseal {
    let host = host.clone();
    Arc::new(move |rows| {
        let reseal_row = |(name, row): NamedRow| -> Result<NamedRow> {
            let value = seal::unseal(&old, &name, &row);
            let value = value.ok_or_else(|| problem::damaged(&table, &name))?;
            let version = row.version + 1;
            let sealed = seal::seal(&new, &name, version, value.as_ref(), &*host.random)?;
            let row = Row {
                version,
                sealed,
                ..row
            };
            Ok((name, row))
        };
        rows.into_iter().map(reseal_row).collect()
    })
}
