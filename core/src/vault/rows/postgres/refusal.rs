//! What a database refuses, as errors that say what to do. The database's own words may quote what they were given, so only
//! its code (SQLSTATE, PostgreSQL documentation appendix A) is shown.

use super::connect::Server;
use crate::error::Error;
use crate::model::{Problem, ProblemKind, Retry};
use std::error::Error as _;
use std::time::Duration;
use tokio_postgres::error::SqlState;

/// Tells a failure's cause from its code.
pub(super) fn of(server: &Server, error: &tokio_postgres::Error) -> Error {
    let Some(state) = error.code() else {
        return without_code(server, error);
    };
    use ProblemKind::{Config, Storage, Unavailable};
    let name = server.name();
    let words = error.as_db_error().map_or("", |error| error.message());
    let (kind, code, text, fix) = match state.code() {
        // Only its words tell this from a wrong user; in another language the general advice stands.
        "28000" if words.contains("no encryption") => (
            Config,
            "vault-database-plaintext",
            "the database lets nobody in without TLS from this address",
            "add sslmode=require to the URL; a certificate of your own authority is trusted with ca_pem",
        ),
        "28P01" | "28000" => (
            Config,
            "vault-database-refused",
            "the database does not let this user in, or not with this password",
            "correct the user and the password; for peer authentication, run this program as that user",
        ),
        "3D000" => (
            Config,
            "vault-database-unknown",
            "there is no such database",
            "create it (CREATE DATABASE), or correct the name in the URL",
        ),
        "42501" => (
            Config,
            "vault-database-denied",
            "the database's user may not do this",
            "let it create tables in its schema once (GRANT CREATE ON SCHEMA), and read and write the two mailbearer tables",
        ),
        "3F000" => (
            Config,
            "vault-database-unknown",
            "there is no schema to make the tables in",
            "create the schema that the user's search_path names",
        ),
        "42P01" | "42703" | "42804" => (
            Storage,
            "vault-file-foreign",
            "the database's tables are not a vault's",
            "use a schema or a database of its own; Mailbearer has left the tables as they are",
        ),
        "25006" => (
            Storage,
            "vault-database-read-only",
            "the database takes no writes",
            "name the primary in the URL, not a replica",
        ),
        "53100" => (
            Storage,
            "vault-write-failed",
            "the database's disk is full",
            "free some space on the database server",
        ),
        "57014" | "55P03" => (
            Storage,
            "vault-locked",
            "a statement has waited too long for somebody else's lock",
            "look in pg_stat_activity for a session that holds the mailbearer tables",
        ),
        "53300" | "57P01" | "57P02" | "57P03" => (
            Unavailable,
            "vault-database-busy",
            "the database takes no connections now",
            "try again; if it goes on, raise max_connections or look at the database's log",
        ),
        _ => (
            Storage,
            "vault-database-failed",
            "the database has failed",
            "look for the SQLSTATE in the database's log",
        ),
    };
    let text = format!("{text} (SQLSTATE {}): {name}", state.code());
    let refused = Error::new(kind, code, text, fix);
    match kind {
        Unavailable => refused.with_retry(Retry::Now),
        _ => refused,
    }
}

/// The connection, TLS, or what the password is asked for.
fn without_code(server: &Server, error: &tokio_postgres::Error) -> Error {
    let ours = error
        .source()
        .and_then(|source| source.downcast_ref::<Error>());
    if let Some(ours) = ours {
        // TLS says more itself.
        return Problem::clone(ours.problem()).into();
    }
    let name = server.name();
    // The crate names these only in words.
    let words = error.to_string();
    if words.contains("TLS") {
        return Error::new(
            ProblemKind::Config,
            "vault-database-plaintext",
            format!("the database offers no TLS: {name}"),
            "switch it on in postgresql.conf (ssl = on); only loopback addresses and Unix sockets go without",
        );
    }
    if words.contains("configuration") || words.contains("authenticat") {
        return Error::new(
            ProblemKind::Config,
            "vault-database-refused",
            format!(
                "the database asks for a password, and none was given, or in a way that is not known: {name}"
            ),
            "give the password in the settings (password) or in the URL",
        );
    }
    Error::new(
        ProblemKind::Unavailable,
        "vault-database-lost",
        format!("the connection to the database has broken: {name}"),
        "try again; if it goes on, look at the database's log and the network in between",
    )
    .with_retry(Retry::Now)
}

/// The server has said that it ends the session.
pub(super) fn ends_the_session(error: &tokio_postgres::Error) -> bool {
    let ends = [
        SqlState::ADMIN_SHUTDOWN,
        SqlState::CRASH_SHUTDOWN,
        SqlState::CANNOT_CONNECT_NOW,
        SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT,
    ];
    error
        .code()
        .is_some_and(|code| ends.contains(code) || code.code() == "57P05")
}

/// The URL is not one; never quoted, for it may hold a password.
pub(super) fn url_invalid(reason: &str) -> Error {
    Error::new(
        ProblemKind::Config,
        "vault-url-invalid",
        format!("the database's URL {reason}"),
        "give postgresql://user@host:5432/database; percent-encode special characters (%40 for @)",
    )
}

/// Passwords and records would be seen on the way.
pub(super) fn in_clear() -> Error {
    Error::new(
        ProblemKind::Config,
        "vault-database-plaintext",
        "the database's URL switches TLS off, and it is another machine",
        "remove sslmode=disable; a certificate of your own authority is trusted with ca_pem",
    )
}

/// No answer in time.
pub(super) fn silent(server: &Server, limit: Duration) -> Error {
    Error::new(
        ProblemKind::Unavailable,
        "vault-database-lost",
        format!(
            "the database has not answered within {} s: {}",
            limit.as_secs(),
            server.name()
        ),
        "try again; if it goes on, look at the database's load and the network in between",
    )
    .with_retry(Retry::Now)
}

/// A replica.
pub(super) fn read_only(server: &Server) -> Error {
    Error::new(
        ProblemKind::Storage,
        "vault-database-read-only",
        format!("the database takes no writes: {}", server.name()),
        "name the primary in the URL, not a replica; several hosts may be named, separated by commas",
    )
}

/// The tables have other columns than ours.
pub(super) fn foreign(server: &Server) -> Error {
    Error::new(
        ProblemKind::Storage,
        "vault-file-foreign",
        format!("the database's tables are not a vault's: {}", server.name()),
        "use a schema or a database of its own; Mailbearer has left the tables as they are",
    )
}

/// A newer Mailbearer made the tables.
pub(super) fn newer_schema(server: &Server, version: i32) -> Error {
    Error::new(
        ProblemKind::Storage,
        "vault-file-newer",
        format!(
            "the vault has a newer format (version {version}): {}",
            server.name()
        ),
        "update Mailbearer here to the version that made the tables, or use a schema of its own",
    )
}

/// An answer of another form than asked for.
pub(super) fn unreadable(_: &tokio_postgres::Error) -> Error {
    Error::new(
        ProblemKind::Storage,
        "vault-file-foreign",
        "the database's tables are not a vault's",
        "use a schema or a database of its own; Mailbearer has left the tables as they are",
    )
}

/// A lock that is held far longer than a renewal takes.
pub(super) fn stale_lock(server: &Server, pid: i32, address: Option<&str>) -> Error {
    let address = address.unwrap_or("a Unix socket");
    Error::new(
        ProblemKind::Storage,
        "vault-locked",
        format!(
            "a process has held a renewal's lock for more than two minutes (session {pid}, from {address}): {}",
            server.name()
        ),
        format!(
            "look for a stopped process there; SELECT pg_terminate_backend({pid}) ends its session"
        ),
    )
}
