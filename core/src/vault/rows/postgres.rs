//! The table in a PostgreSQL database that many machines share. One session serves a handle: statements, and the advisory
//! locks by which one of all processes on all machines renews a token; the server lets go of them when the session ends.
//! Statements stand alone, so a connection that breaks is replaced and the statement is tried once more.

mod connect;
mod refusal;

use super::{NamedRow, Reseal, Row, RowVault, Snapshot, Table, problem};
use crate::error::Result;
use crate::host::within;
use crate::model::{Passphrase, VaultFinding};
use crate::secret::SecretText;
use crate::vault::key::KeyCost;
use crate::vault::{Host, Vault, VaultLock};
use async_trait::async_trait;
use connect::{Parameters, Server, Session};
use ring::digest::{SHA256, digest};
use std::sync::Arc;
use std::time::Duration;
use tokio_postgres::types::{ToSql, Type};

/// Opens the vault in a database, or makes its tables. Errors: `Config`, `Storage`, `Unavailable`.
pub(in crate::vault) async fn open(
    url: &SecretText,
    password: Option<&Passphrase>,
    ca_pem: Option<&str>,
    passphrase: &Passphrase,
    host: &Host,
) -> Result<Arc<dyn Vault>> {
    let server = Server::new(url, password, ca_pem)?;
    let vault = open_at_cost(server, passphrase, host, KeyCost::NEW_VAULT).await?;
    Ok(Arc::new(vault))
}

async fn open_at_cost(
    server: Server,
    passphrase: &Passphrase,
    host: &Host,
    cost: KeyCost,
) -> Result<RowVault> {
    let table = PostgresTable {
        server,
        host: host.clone(),
        session: tokio::sync::Mutex::default(),
    };
    table.prepare().await?;
    RowVault::open(Arc::new(table), passphrase, host, cost).await
}

#[derive(Debug)]
struct PostgresTable {
    server: Server,
    host: Host,
    session: tokio::sync::Mutex<Option<Arc<Session>>>,
}

/// What a statement gave.
struct Answer {
    rows: Vec<tokio_postgres::Row>,
    /// The connection broke, so the statement may have been carried out twice.
    repeated: bool,
}

impl PostgresTable {
    /// Makes the tables where there are none, and refuses those of a newer version.
    async fn prepare(&self) -> Result<()> {
        let exists = "SELECT to_regclass('mailbearer_vault') IS NOT NULL";
        let answer = self.query(exists, &[]).await?;
        if !first::<bool>(&answer)?.unwrap_or_default() {
            let session = self.session().await?;
            let made = session.client.batch_execute(SCHEMA).await;
            made.map_err(|error| refusal::of(&self.server, &error))?;
        }
        let version = "SELECT max(schema_version) FROM mailbearer_vault";
        let answer = self.query(version, &[]).await?;
        match first::<Option<i32>>(&answer)?.flatten() {
            Some(version) if version > SCHEMA_VERSION => {
                Err(refusal::newer_schema(&self.server, version))
            }
            _ => Ok(()),
        }
    }

    /// The session, a new one when the last has ended.
    async fn session(&self) -> Result<Arc<Session>> {
        let mut session = self.session.lock().await;
        if let Some(session) = &*session
            && !session.is_lost()
        {
            return Ok(session.clone());
        }
        let new = Arc::new(self.server.connect(&self.host).await?);
        *session = Some(new.clone());
        Ok(new)
    }

    async fn query(&self, statement: &str, parameters: Parameters<'_>) -> Result<Answer> {
        let mut repeated = false;
        loop {
            let session = self.session().await?;
            let running = session.query(statement, parameters);
            match within(&*self.host.clock, STATEMENT_LIMIT, running).await {
                Some(Ok(rows)) => return Ok(Answer { rows, repeated }),
                Some(Err(error)) if session.has_broken(&error) && !repeated => {
                    session.lose();
                    repeated = true;
                }
                Some(Err(error)) => return Err(refusal::of(&self.server, &error)),
                None => {
                    // Nobody knows what becomes of it: its locks must not stay.
                    session.lose();
                    return Err(refusal::silent(&self.server, STATEMENT_LIMIT));
                }
            }
        }
    }
}

/// A statement takes milliseconds.
const STATEMENT_LIMIT: Duration = Duration::from_secs(20);

const SCHEMA_VERSION: i32 = 1;

/// Under a lock, since two processes that make the same table at the same time both fail.
const SCHEMA: &str = r#"BEGIN;
SELECT pg_advisory_xact_lock(1296192068, 0);
CREATE TABLE IF NOT EXISTS mailbearer_vault (
    id smallint PRIMARY KEY CHECK (id = 1),
    schema_version integer NOT NULL,
    header bytea NOT NULL
);
CREATE TABLE IF NOT EXISTS mailbearer_records (
    name text COLLATE "C" PRIMARY KEY,
    version bigint NOT NULL,
    present boolean NOT NULL,
    sealed bytea NOT NULL,
    written_at_unix_ms bigint NOT NULL
);
COMMIT;"#;

/// `MBVT`: tells our advisory locks from everybody else's in the database.
const LOCKS: i32 = 0x4D42_5654;

#[async_trait]
impl Table for PostgresTable {
    fn name(&self) -> String {
        self.server.name().to_owned()
    }

    async fn header(&self) -> Result<Option<Vec<u8>>> {
        let answer = self
            .query("SELECT header FROM mailbearer_vault", &[])
            .await?;
        first(&answer)
    }

    async fn lock_for_creation(&self) -> Result<VaultLock> {
        for _ in 0..CREATION_ATTEMPTS {
            if let Some(lock) = self.try_lock("").await? {
                return Ok(lock);
            }
            self.host.clock.sleep(CREATION_PAUSE).await;
        }
        Err(problem::contended(&self.name(), "header"))
    }

    async fn create(&self, header: &[u8]) -> Result<()> {
        let insert = "INSERT INTO mailbearer_vault (id, schema_version, header) VALUES (1, $1, $2) \
            ON CONFLICT DO NOTHING";
        let parameters: Parameters<'_> = &[(&SCHEMA_VERSION, Type::INT4), (&header, Type::BYTEA)];
        self.query(insert, parameters).await.map(drop)
    }

    async fn read(&self, name: &str) -> Result<Snapshot> {
        let select = "SELECT header, version, present, sealed, written_at_unix_ms FROM mailbearer_vault \
            LEFT JOIN mailbearer_records ON name = $1";
        let answer = self.query(select, &[(&name, Type::TEXT)]).await?;
        let row = answer.rows.first();
        let row = row.ok_or_else(|| problem::missing(&self.name()))?;
        let read = || -> Result<_, tokio_postgres::Error> {
            let row = match row.try_get::<_, Option<i64>>(1)? {
                Some(_) => Some(read_row(row, 1)?),
                None => None,
            };
            Ok(row)
        };
        Ok(Snapshot {
            header: row.try_get(0).map_err(|_| refusal::foreign(&self.server))?,
            row: read().map_err(|_| refusal::foreign(&self.server))?,
        })
    }

    async fn swap(&self, header: &[u8], name: &str, row: &Row) -> Result<bool> {
        let answer = self
            .query(write_statement(row), &write_parameters(&header, &name, row))
            .await?;
        if answer.rows.is_empty() && answer.repeated {
            // The first time it may have been carried out, and only its answer was lost.
            return Ok(self.read(name).await?.row.as_ref() == Some(row));
        }
        Ok(!answer.rows.is_empty())
    }

    async fn names(&self, prefix: &str) -> Result<Vec<String>> {
        let select = "SELECT name FROM mailbearer_records WHERE present AND starts_with(name, $1) ORDER BY name";
        let answer = self.query(select, &[(&prefix, Type::TEXT)]).await?;
        let names = answer.rows.iter().map(|row| row.try_get(0));
        names
            .collect::<Result<_, _>>()
            .map_err(|_| refusal::foreign(&self.server))
    }

    /// In a session of its own: a transaction must not mix with the statements of others.
    async fn rewrite(&self, old: &[u8], new: &[u8], reseal: Reseal) -> Result<bool> {
        let session = self.server.connect(&self.host).await?;
        let failed = |error| refusal::of(&self.server, &error);
        let begun = session.client.batch_execute("BEGIN").await;
        begun.map_err(failed)?;
        let lock = "SELECT 1 FROM mailbearer_vault WHERE header = $1 FOR UPDATE";
        let locked = session.query(lock, &[(&old, Type::BYTEA)]).await;
        if locked.map_err(failed)?.is_empty() {
            return Ok(false);
        }
        let select =
            "SELECT name, version, present, sealed, written_at_unix_ms FROM mailbearer_records";
        let rows = session.query(select, &[]).await.map_err(failed)?;
        let read = |row: &tokio_postgres::Row| -> Result<NamedRow, tokio_postgres::Error> {
            Ok((row.try_get(0)?, read_row(row, 1)?))
        };
        let rows: Result<Vec<_>, _> = rows.iter().map(read).collect();
        for (name, row) in reseal(rows.map_err(failed)?)? {
            let parameters = write_parameters(&old, &name, &row);
            let written = session.query(write_statement(&row), &parameters).await;
            written.map_err(failed)?;
        }
        let update = "UPDATE mailbearer_vault SET header = $1";
        let updated = session.query(update, &[(&new, Type::BYTEA)]).await;
        updated.map_err(failed)?;
        let committed = session.client.batch_execute("COMMIT").await;
        committed.map_err(failed)?;
        Ok(true)
    }

    async fn try_lock(&self, name: &str) -> Result<Option<VaultLock>> {
        let session = self.session().await?;
        let number = lock_number(session.schema(), name);
        // Within one session the server lets everybody in.
        if !session.reserve(number) {
            return Ok(None);
        }
        let reserved = Reserved { session, number };
        let parameters: Parameters<'_> = &[(&LOCKS, Type::INT4), (&number, Type::INT4)];
        let running = reserved
            .session
            .query("SELECT pg_try_advisory_lock($1, $2)", parameters);
        let locked = match within(&*self.host.clock, STATEMENT_LIMIT, running).await {
            Some(Ok(rows)) => rows
                .first()
                .is_some_and(|row| row.try_get(0).unwrap_or_default()),
            Some(Err(error)) if reserved.session.has_broken(&error) => {
                reserved.session.lose();
                // Asked again in a moment, through a new session.
                false
            }
            Some(Err(error)) => return Err(refusal::of(&self.server, &error)),
            None => {
                reserved.session.lose();
                return Err(refusal::silent(&self.server, STATEMENT_LIMIT));
            }
        };
        let lost = reserved.session.lost();
        Ok(locked.then(|| VaultLock::holding_until(Held(reserved), lost)))
    }

    async fn check(&self) -> Result<Vec<VaultFinding>> {
        let select = "SELECT activity.pid, host(activity.client_addr) FROM pg_locks AS held \
            JOIN pg_stat_activity AS activity USING (pid) \
            WHERE held.locktype = 'advisory' AND held.granted AND held.classid = $1::int4::oid AND held.objsubid = 2 \
            AND held.database = (SELECT oid FROM pg_database WHERE datname = current_database()) \
            AND activity.state_change < now() - interval '2 minutes'";
        let answer = self.query(select, &[(&LOCKS, Type::INT4)]).await?;
        let finding = |row: &tokio_postgres::Row| {
            let pid: i32 = row.try_get(0).unwrap_or_default();
            let address: Option<String> = row.try_get(1).unwrap_or_default();
            VaultFinding {
                record: None,
                problem: refusal::stale_lock(&self.server, pid, address.as_deref()).into(),
            }
        };
        Ok(answer.rows.iter().map(finding).collect())
    }
}

const CREATION_ATTEMPTS: u32 = 300;
const CREATION_PAUSE: Duration = Duration::from_millis(100);

/// Which advisory lock a name has: the same in every process and version. Two names with the same one wait for each other,
/// no more.
fn lock_number(schema: &str, name: &str) -> i32 {
    let digest = digest(&SHA256, format!("{schema}\0{name}").as_bytes());
    let first = digest.as_ref().first_chunk().copied().unwrap_or_default();
    i32::from_be_bytes(first)
}

/// A lock that nobody else in this process asks for.
struct Reserved {
    session: Arc<Session>,
    number: i32,
}

impl Drop for Reserved {
    fn drop(&mut self) {
        self.session.release(self.number);
    }
}

/// A lock that is ours.
struct Held(Reserved);

impl Drop for Held {
    fn drop(&mut self) {
        let (session, number) = (self.0.session.clone(), self.0.number);
        // Reserved until the server has let go: otherwise this process could take it again, and then lose it.
        session.keep(number);
        let unlock = async move {
            let parameters: Parameters<'_> = &[(&LOCKS, Type::INT4), (&number, Type::INT4)];
            let statement = "SELECT pg_advisory_unlock($1, $2)";
            if session.query(statement, parameters).await.is_err() {
                // The server lets go of everything when the session ends.
                session.lose();
            }
            session.release(number);
        };
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(unlock);
        } else {
            self.0.session.lose();
        }
    }
}

/// The first column of the first row.
fn first<T: for<'a> tokio_postgres::types::FromSql<'a>>(answer: &Answer) -> Result<Option<T>> {
    let value = answer.rows.first().map(|row| row.try_get(0));
    value
        .transpose()
        .map_err(|error| refusal::unreadable(&error))
}

fn read_row(row: &tokio_postgres::Row, first: usize) -> Result<Row, tokio_postgres::Error> {
    Ok(Row {
        version: row.try_get(first)?,
        present: row.try_get(first + 1)?,
        sealed: row.try_get(first + 2)?,
        written_at_unix_ms: row.try_get(first + 3)?,
    })
}

/// Gives a row back if it has written one. The header's row is locked until it is done, so that the key cannot be changed
/// in between.
fn write_statement(row: &Row) -> &'static str {
    match row.version {
        1 => {
            "WITH vault AS MATERIALIZED (SELECT 1 FROM mailbearer_vault WHERE header = $1 FOR SHARE) \
             INSERT INTO mailbearer_records (name, version, present, sealed, written_at_unix_ms) \
             SELECT $2, $3, $4, $5, $6 FROM vault ON CONFLICT DO NOTHING RETURNING 1"
        }
        _ => {
            "WITH vault AS MATERIALIZED (SELECT 1 FROM mailbearer_vault WHERE header = $1 FOR SHARE) \
             UPDATE mailbearer_records SET version = $3, present = $4, sealed = $5, written_at_unix_ms = $6 \
             FROM vault WHERE name = $2 AND version = $3 - 1 RETURNING 1"
        }
    }
}

fn write_parameters<'a>(
    header: &'a (dyn ToSql + Sync),
    name: &'a (dyn ToSql + Sync),
    row: &'a Row,
) -> [(&'a (dyn ToSql + Sync), Type); 6] {
    [
        (header, Type::BYTEA),
        (name, Type::TEXT),
        (&row.version, Type::INT8),
        (&row.present, Type::BOOL),
        (&row.sealed, Type::BYTEA),
        (&row.written_at_unix_ms, Type::INT8),
    ]
}

#[cfg(test)]
mod tests;
