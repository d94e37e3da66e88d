//! The table in a SQLite database that the processes of one machine share: write-ahead log, every commit synced to the disk.
//! SQLite itself is compiled in. Everything blocks, off the async threads.

use super::{NamedRow, Reseal, Row, RowVault, Snapshot, Table, problem};
use crate::error::{Error, Result};
use crate::model::{Passphrase, ProblemKind, VaultFinding};
use crate::vault::file::{Place, off_thread, shard_of};
use crate::vault::key::KeyCost;
use crate::vault::{Host, Vault, VaultLock, permission};
use async_trait::async_trait;
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension as _, TransactionBehavior};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

/// Opens the vault in a database file, or makes both. Errors: `Config`, `Storage`, `Unavailable`.
pub(in crate::vault) async fn open(
    path: &str,
    passphrase: &Passphrase,
    host: &Host,
) -> Result<Arc<dyn Vault>> {
    let vault = open_at_cost(path, passphrase, host, KeyCost::NEW_VAULT).await?;
    Ok(Arc::new(vault))
}

async fn open_at_cost(
    path: &str,
    passphrase: &Passphrase,
    host: &Host,
    cost: KeyCost,
) -> Result<RowVault> {
    let place = Place::new(path)?;
    let table = off_thread(move || SqliteTable::open(place)).await?;
    RowVault::open(Arc::new(table), passphrase, host, cost).await
}

/// Cheap to clone; all clones are the same connection.
#[derive(Clone)]
struct SqliteTable {
    place: Place,
    connection: Arc<Mutex<Connection>>,
}

impl SqliteTable {
    fn open(place: Place) -> Result<Self> {
        place.create_folder()?;
        // One process at a time turns a new file into a database.
        let _lock = place.lock()?;
        create_private(&place)?;
        let failed = |error| failed(place.path(), error);
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection = Connection::open_with_flags(place.path(), flags).map_err(failed)?;
        prepare(&mut connection).map_err(failed)??;
        Ok(Self {
            connection: Arc::new(Mutex::new(connection)),
            place,
        })
    }

    /// Does the work where it may block; it goes on to its end even when nobody waits for it any more.
    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T> {
        let table = self.clone();
        off_thread(move || {
            // A file that was replaced or laid open since is not to be used any further.
            if !table.place.is_there()? {
                return Err(problem::missing(&table.name()));
            }
            work(&mut table.connection()).map_err(|error| failed(table.place.path(), error))
        })
        .await
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(|e| e.into_inner())
    }
}

/// The file for this user alone, before SQLite would create it for everybody; what SQLite puts beside it takes over its mode.
/// The caller holds the lock.
fn create_private(place: &Place) -> Result<()> {
    if place.is_there()? {
        return Ok(());
    }
    let mut options = permission::opening();
    let created = options.write(true).create_new(true).open(place.path());
    created.map(drop).map_err(|error| place.write_failed(error))
}

fn prepare(connection: &mut Connection) -> rusqlite::Result<Result<()>> {
    connection.busy_timeout(BUSY)?;
    let path = connection.path().unwrap_or_default().to_owned();
    let path = Path::new(&path);
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let (application, version): (i32, i32) = (
        transaction.pragma_query_value(None, "application_id", |row| row.get(0))?,
        transaction.pragma_query_value(None, "user_version", |row| row.get(0))?,
    );
    let tables: i64 =
        transaction.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    match (application, version) {
        (0, 0) if tables == 0 => transaction.execute_batch(SCHEMA)?,
        (APPLICATION, SCHEMA_VERSION) => {}
        (APPLICATION, newer) => return Ok(Err(newer_schema(path, newer))),
        _ => return Ok(Err(foreign(path))),
    }
    transaction.commit()?;
    connection.execute_batch(PRAGMAS)?;
    Ok(Ok(()))
}

/// A commit returns when it is on the disk; what is removed is overwritten; nothing in the file is run as code.
const PRAGMAS: &str = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA fullfsync = ON; \
    PRAGMA secure_delete = ON; PRAGMA trusted_schema = OFF; PRAGMA temp_store = MEMORY;";

const SCHEMA: &str = "PRAGMA application_id = 0x4D425654; PRAGMA user_version = 1; \
    CREATE TABLE mailbearer_vault (id INTEGER PRIMARY KEY CHECK (id = 1), header BLOB NOT NULL) STRICT; \
    CREATE TABLE mailbearer_records (name TEXT PRIMARY KEY, version INTEGER NOT NULL, present INTEGER NOT NULL, \
    sealed BLOB NOT NULL, written_at_unix_ms INTEGER NOT NULL) STRICT, WITHOUT ROWID;";

/// `MBVT`, where file(1) and SQLite's own tools look.
const APPLICATION: i32 = 0x4D42_5654;
const SCHEMA_VERSION: i32 = 1;

/// A write takes milliseconds; half a minute of waiting is a process that hangs.
const BUSY: Duration = Duration::from_secs(30);

#[async_trait]
impl Table for SqliteTable {
    fn name(&self) -> String {
        format!("SQLite database {}", self.place.path().display())
    }

    async fn header(&self) -> Result<Option<Vec<u8>>> {
        self.run(|connection| read_header(connection)).await
    }

    async fn lock_for_creation(&self) -> Result<VaultLock> {
        let place = self.place.clone();
        let lock = off_thread(move || place.lock()).await?;
        Ok(VaultLock::holding(lock))
    }

    async fn create(&self, header: &[u8]) -> Result<()> {
        let header = header.to_vec();
        self.run(move |connection| {
            let insert =
                "INSERT INTO mailbearer_vault (id, header) VALUES (1, ?1) ON CONFLICT DO NOTHING";
            connection.execute(insert, [header]).map(drop)
        })
        .await
    }

    async fn read(&self, name: &str) -> Result<Snapshot> {
        let name = name.to_owned();
        let (header, row) = self
            .run(move |connection| {
                let transaction = connection.transaction()?;
                let header = read_header(&transaction)?;
                let select = "SELECT version, present, sealed, written_at_unix_ms FROM mailbearer_records \
                    WHERE name = ?1";
                let row = transaction.query_row(select, [name], |row| read_row(row, 0));
                Ok((header, row.optional()?))
            })
            .await?;
        let header = header.ok_or_else(|| problem::missing(&self.name()))?;
        Ok(Snapshot { header, row })
    }

    async fn swap(&self, header: &[u8], name: &str, row: &Row) -> Result<bool> {
        let (header, name, row) = (header.to_vec(), name.to_owned(), row.clone());
        self.run(move |connection| {
            let transaction =
                connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            if read_header(&transaction)?.as_ref() != Some(&header) {
                return Ok(false);
            }
            let written = write_row(&transaction, &name, &row)?;
            transaction.commit()?;
            Ok(written)
        })
        .await
    }

    async fn names(&self, prefix: &str) -> Result<Vec<String>> {
        let prefix = prefix.to_owned();
        self.run(move |connection| {
            let mut select = connection.prepare(
                "SELECT name FROM mailbearer_records WHERE present AND substr(name, 1, length(?1)) = ?1 \
                 ORDER BY name COLLATE BINARY",
            )?;
            let names = select.query_map([prefix], |row| row.get(0))?;
            names.collect()
        })
        .await
    }

    async fn rewrite(&self, old: &[u8], new: &[u8], reseal: Reseal) -> Result<bool> {
        let (old, new) = (old.to_vec(), new.to_vec());
        let done = self.run(move |connection| {
            let transaction =
                connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            if read_header(&transaction)?.as_ref() != Some(&old) {
                return Ok(Ok(false));
            }
            let rows = match reseal(read_rows(&transaction)?) {
                Ok(rows) => rows,
                Err(error) => return Ok(Err(error)),
            };
            for (name, row) in rows {
                write_row(&transaction, &name, &row)?;
            }
            transaction.execute("UPDATE mailbearer_vault SET header = ?1", [new])?;
            transaction.commit()?;
            // The old rows are in the log until it is written back.
            connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)")?;
            Ok(Ok(true))
        });
        done.await?
    }

    async fn try_lock(&self, name: &str) -> Result<Option<VaultLock>> {
        let (place, shard) = (self.place.clone(), shard_of(name));
        let locked = off_thread(move || place.try_lock(shard)).await?;
        Ok(locked.map(VaultLock::holding))
    }

    async fn check(&self) -> Result<Vec<VaultFinding>> {
        let flaws: Vec<String> = self
            .run(|connection| {
                let mut check = connection.prepare("PRAGMA quick_check")?;
                let lines = check.query_map([], |row| row.get(0))?;
                lines.collect()
            })
            .await?;
        if flaws.first().is_some_and(|first| first != "ok") {
            return Err(damaged(self.place.path()));
        }
        let place = self.place.clone();
        off_thread(move || place.check()).await
    }
}

fn read_header(connection: &Connection) -> rusqlite::Result<Option<Vec<u8>>> {
    let select = "SELECT header FROM mailbearer_vault";
    connection
        .query_row(select, [], |row| row.get(0))
        .optional()
}

fn read_rows(connection: &Connection) -> rusqlite::Result<Vec<NamedRow>> {
    let mut select = connection.prepare(
        "SELECT name, version, present, sealed, written_at_unix_ms FROM mailbearer_records",
    )?;
    let rows = select.query_map([], |row| Ok((row.get(0)?, read_row(row, 1)?)))?;
    rows.collect()
}

fn read_row(row: &rusqlite::Row<'_>, first: usize) -> rusqlite::Result<Row> {
    Ok(Row {
        version: row.get(first)?,
        present: row.get(first + 1)?,
        sealed: row.get(first + 2)?,
        written_at_unix_ms: row.get(first + 3)?,
    })
}

/// Writes a row over the version before it; tells whether that was there.
fn write_row(connection: &Connection, name: &str, row: &Row) -> rusqlite::Result<bool> {
    let statement = match row.version {
        1 => {
            "INSERT INTO mailbearer_records (name, version, present, sealed, written_at_unix_ms) \
             VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO NOTHING"
        }
        _ => {
            "UPDATE mailbearer_records SET version = ?2, present = ?3, sealed = ?4, written_at_unix_ms = ?5 \
             WHERE name = ?1 AND version = ?2 - 1"
        }
    };
    let values = (
        name,
        row.version,
        row.present,
        &row.sealed,
        row.written_at_unix_ms,
    );
    Ok(connection.execute(statement, values)? == 1)
}

fn newer_schema(path: &Path, version: i32) -> Error {
    Error::new(
        ProblemKind::Storage,
        "vault-file-newer",
        format!(
            "the vault's database has a newer format (version {version}): {}",
            path.display()
        ),
        "update Mailbearer here to the version that wrote it, or use a database of its own",
    )
}

fn foreign(path: &Path) -> Error {
    Error::new(
        ProblemKind::Config,
        "vault-file-foreign",
        format!("the file is not a Mailbearer vault: {}", path.display()),
        "correct the vault's path; Mailbearer has left this file as it is",
    )
}

fn damaged(path: &Path) -> Error {
    Error::new(
        ProblemKind::Storage,
        "vault-file-damaged",
        format!("the vault's database is damaged: {}", path.display()),
        "put it back from a backup; without one, move it away and sign in again",
    )
}

/// Tells what stands in the way from SQLite's code.
fn failed(path: &Path, error: rusqlite::Error) -> Error {
    let shown = path.display();
    let code = error.sqlite_error_code();
    let error_of = |kind, code, text: String, fix| Error::new(kind, code, text, fix);
    let mapped = match code {
        Some(ErrorCode::NotADatabase) => foreign(path),
        Some(ErrorCode::DatabaseCorrupt) => damaged(path),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => error_of(
            ProblemKind::Storage,
            "vault-locked",
            format!(
                "another process has held the vault's database for {} s: {shown}",
                BUSY.as_secs()
            ),
            "look for a stopped or hanging process that uses it",
        ),
        Some(ErrorCode::DiskFull) => error_of(
            ProblemKind::Storage,
            "vault-write-failed",
            format!("the vault's database could not be written, no space is left: {shown}"),
            "free some space on the vault's disk or raise the quota",
        ),
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::CannotOpen) => {
            error_of(
                ProblemKind::Storage,
                "vault-write-failed",
                format!("the vault's database cannot be written: {shown}"),
                "give the file and its folder to the user that runs this program: SQLite writes beside the file too",
            )
        }
        _ => error_of(
            ProblemKind::Storage,
            "vault-write-failed",
            format!("the vault's database has failed: {shown}"),
            "check the disk and the vault's path",
        ),
    };
    mapped.with_source(error)
}

/// The path alone.
impl std::fmt::Debug for SqliteTable {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let path = self.place.path();
        formatter
            .debug_struct("SqliteTable")
            .field("path", &path)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
