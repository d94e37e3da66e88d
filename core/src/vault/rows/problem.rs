//! What can be wrong with a vault in a database, as errors that name the vault and the next step.

use crate::error::Error;
use crate::model::{ProblemKind, Retry};
use crate::vault::header::Flaw;

/// The header row is not what it should be.
pub(super) fn flawed(vault: &str, flaw: &Flaw) -> Error {
    match flaw {
        Flaw::WrongKey => Error::new(
            ProblemKind::Config,
            "vault-passphrase-wrong",
            format!("the passphrase does not open the vault: {vault}"),
            "give the passphrase that the vault was created with, the same on every machine",
        ),
        Flaw::Newer { version } => Error::new(
            ProblemKind::Storage,
            "vault-file-newer",
            format!("the vault has a newer format (version {version}): {vault}"),
            "update Mailbearer here to the version that wrote the vault",
        ),
        Flaw::Empty | Flaw::Foreign | Flaw::Damaged(_) => Error::new(
            ProblemKind::Storage,
            "vault-file-damaged",
            format!("the vault's header row has been altered: {vault}"),
            "put the table mailbearer_vault back from a backup",
        ),
    }
}

/// The header row was there when the vault was opened.
pub(super) fn missing(vault: &str) -> Error {
    Error::new(
        ProblemKind::Storage,
        "vault-file-missing",
        format!("the vault's tables have been emptied: {vault}"),
        "put them back from a backup, or restart this program to begin with an empty vault and sign in again",
    )
}

/// Another process has changed the key, and the source of the passphrase still gives the old one.
pub(super) fn key_changed(vault: &str) -> Error {
    Error::new(
        ProblemKind::Config,
        "vault-key-changed",
        format!(
            "the vault's key has been changed, and the source of its passphrase still gives the old one: {vault}"
        ),
        "put the new passphrase where this program takes it from, or restart the program with the new source",
    )
}

/// A row cannot be opened with the right key.
pub(super) fn damaged(vault: &str, name: &str) -> Error {
    Error::new(
        ProblemKind::Storage,
        "vault-record-damaged",
        format!("a row has been altered, or stands in another's place: {name} in {vault}"),
        "put the row back from a backup; without one, remove the account and add it again",
    )
}

/// A row is older than it was.
pub(super) fn rolled_back(vault: &str, name: &str) -> Error {
    Error::new(
        ProblemKind::Storage,
        "vault-record-rolled-back",
        format!("an older state of a row has been put back: {name} in {vault}"),
        "if the database was restored from a backup, restart this program; if not, find out who writes to the table",
    )
}

/// More than the cipher takes.
pub(super) fn too_large(name: &str) -> Error {
    Error::new(
        ProblemKind::Storage,
        "vault-full",
        format!("the record is too large to be sealed: {name}"),
        "remove accounts that are not in use",
    )
}

/// Others were quicker, each time.
pub(super) fn contended(vault: &str, name: &str) -> Error {
    Error::new(
        ProblemKind::Storage,
        "vault-locked",
        format!("others change the same record without end: {name} in {vault}"),
        "look for a program that writes to the vault in a loop",
    )
    .with_retry(Retry::Now)
}
