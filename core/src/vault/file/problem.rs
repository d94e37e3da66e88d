//! What can be wrong with a vault file, as errors that name the file and the next step.
//! Whatever is wrong, the advice never is to delete secrets without a copy.

use crate::error::Error;
use crate::model::{ProblemKind, Retry};
use crate::vault::header::Flaw;
use crate::vault::permission::Exposure;
use std::io;
use std::path::Path;

/// The path leads to something that cannot be a vault file.
pub(super) fn path_invalid(path: &Path, reason: &str) -> Error {
    Error::new(
        ProblemKind::Config,
        "vault-path-invalid",
        format!("the vault's path {reason}: {}", path.display()),
        "give the path of the vault file itself; it is created when it does not exist",
    )
}

/// The file was there when the vault was opened.
pub(super) fn missing(path: &Path) -> Error {
    Error::new(
        ProblemKind::Storage,
        "vault-file-missing",
        format!("the vault file has been removed: {}", path.display()),
        "put it back from a backup, or restart this program to begin with an empty vault and sign in again",
    )
}

/// The octets of the file are not what they should be.
pub(super) fn flawed(path: &Path, flaw: &Flaw) -> Error {
    use ProblemKind::{Config, Storage};
    let path = path.display();
    let (kind, code, text, fix) = match flaw {
        Flaw::Empty => (
            Storage,
            "vault-file-damaged",
            format!("the vault file is empty: {path}"),
            "put it back from a backup; if it never held anything, remove it, and it is created anew",
        ),
        Flaw::Foreign => (
            Config,
            "vault-file-foreign",
            format!("the file is not a Mailbearer vault: {path}"),
            "correct the vault's path; Mailbearer has left this file as it is",
        ),
        Flaw::Newer { version } => (
            Storage,
            "vault-file-newer",
            format!("the vault file has a newer format (version {version}): {path}"),
            "update Mailbearer here to the version that wrote the file, or use a vault file of its own",
        ),
        Flaw::Damaged(what) => (
            Storage,
            "vault-file-damaged",
            format!("the vault file {what}: {path}"),
            "put it back from a backup; without one, move it away and sign in again",
        ),
        Flaw::WrongKey => (
            Config,
            WRONG_PASSPHRASE,
            format!("the passphrase does not open the vault file: {path}"),
            "give the passphrase that the file was created with; if it is lost, move the file away and sign in again",
        ),
    };
    Error::new(kind, code, text, fix)
}

/// Another process has changed the key, and the source of the passphrase still gives the old one.
pub(super) fn key_changed(path: &Path) -> Error {
    Error::new(
        ProblemKind::Config,
        "vault-key-changed",
        format!(
            "the vault's key has been changed, and the source of its passphrase still gives the old one: {}",
            path.display()
        ),
        "put the new passphrase where this program takes it from, or restart the program with the new source",
    )
}

/// The code that tells a wrong key from everything else.
pub(super) const WRONG_PASSPHRASE: &str = "vault-passphrase-wrong";

/// Others may read the file, or replace it.
pub(super) fn exposed(path: &Path, exposure: &Exposure) -> Error {
    let path = path.display();
    let (text, fix) = match exposure {
        Exposure::Mode { mode } => (
            format!("other users may read or write the vault file (mode {mode:04o}): {path}"),
            format!("chmod 600 {path}"),
        ),
        Exposure::Owner { uid } => (
            format!("the vault file belongs to another user (uid {uid}): {path}"),
            format!("run this program as that user, or chown {path} to the user that runs it"),
        ),
    };
    Error::new(ProblemKind::Storage, "vault-file-exposed", text, fix)
}

/// Others may put another file in the vault's place, or read an older one.
pub(super) fn folder_exposed(folder: &Path, exposure: &Exposure) -> Error {
    let folder = folder.display();
    let (text, fix) = match exposure {
        Exposure::Mode { mode } => (
            format!("other users may write in the vault's folder (mode {mode:04o}): {folder}"),
            format!("chmod go-w {folder}"),
        ),
        Exposure::Owner { uid } => (
            format!("the vault's folder belongs to another user (uid {uid}): {folder}"),
            "keep the vault in a folder of the user that runs this program".to_owned(),
        ),
    };
    Error::new(ProblemKind::Storage, "vault-folder-exposed", text, fix)
}

/// A process died while it wrote.
pub(super) fn leftover(next: &Path) -> Error {
    Error::new(
        ProblemKind::Storage,
        "vault-leftover",
        format!(
            "a process died while it wrote the vault, and left its unfinished work; nothing acknowledged is lost: {}",
            next.display()
        ),
        "nothing: the next write removes it",
    )
}

/// The file is there and cannot be read.
pub(super) fn unreadable(path: &Path, error: io::Error) -> Error {
    let path = path.display();
    let (reason, fix) = match error.kind() {
        io::ErrorKind::PermissionDenied => (
            "this process may not read it".to_owned(),
            "give the file and its folder to the user that runs this program",
        ),
        kind => (kind.to_string(), "check the disk and the vault's path"),
    };
    Error::new(
        ProblemKind::Storage,
        "vault-file-unreadable",
        format!("the vault file cannot be read, {reason}: {path}"),
        fix,
    )
    .with_source(error)
}

/// The file could not be replaced; the old one is intact.
pub(super) fn write_failed(path: &Path, error: io::Error) -> Error {
    use io::ErrorKind as Kind;
    let path = path.display();
    let (reason, fix) = match error.kind() {
        Kind::StorageFull | Kind::QuotaExceeded | Kind::FileTooLarge => (
            "no space is left".to_owned(),
            "free some space on the vault's disk or raise the quota",
        ),
        Kind::PermissionDenied => (
            "this process may not write in its folder".to_owned(),
            "give the folder to the user that runs this program: the file is replaced, not changed in place",
        ),
        Kind::ReadOnlyFilesystem => (
            "its file system is read-only".to_owned(),
            "mount the file system writable, or give the vault another path",
        ),
        Kind::NotADirectory => (
            "a part of its path is not a directory".to_owned(),
            "correct the vault's path",
        ),
        kind => (
            kind.to_string(),
            "check the disk, the folder and the vault's path",
        ),
    };
    Error::new(
        ProblemKind::Storage,
        "vault-write-failed",
        format!("the vault file could not be written, {reason}: {path}"),
        fix,
    )
    .with_source(error)
}

/// Another process did not let go of the lock in time.
pub(super) fn locked(lock: &Path, waited_ms: u64) -> Error {
    let lock = lock.display();
    Error::new(
        ProblemKind::Storage,
        "vault-locked",
        format!("another process has held the vault's lock for {waited_ms} ms: {lock}"),
        format!("look for a stopped or hanging process (lsof {lock}); do not remove the lock file"),
    )
    .with_retry(Retry::Now)
}

/// The file system does not let us lock.
pub(super) fn lock_failed(lock: &Path, error: io::Error) -> Error {
    Error::new(
        ProblemKind::Storage,
        "vault-lock-failed",
        format!(
            "the vault cannot be locked ({}): {}",
            error.kind(),
            lock.display()
        ),
        "keep the vault on a file system that supports locks, best a local one",
    )
    .with_source(error)
}

/// The runtime went away under the work. What was begun ends whole or not at all.
pub(super) fn stopped(error: tokio::task::JoinError) -> Error {
    Error::new(
        ProblemKind::Internal,
        "vault-stopped",
        "the vault's work was broken off",
        "keep the runtime alive until the handle is closed; if it was, report this",
    )
    .with_source(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_problem_names_the_file_and_a_next_step() {
        fn check(error: &Error, expected_code: &str) {
            assert_eq!(error.code(), expected_code);
            assert!(error.to_string().ends_with("/srv/vault.mbv"), "{error}");
            assert!(!error.problem().fix.is_empty());
        }
        let path = Path::new("/srv/vault.mbv");
        check(&path_invalid(path, "is a directory"), "vault-path-invalid");
        check(&missing(path), "vault-file-missing");
        check(&flawed(path, &Flaw::Empty), "vault-file-damaged");
        check(&flawed(path, &Flaw::Foreign), "vault-file-foreign");
        check(
            &flawed(path, &Flaw::Newer { version: 2 }),
            "vault-file-newer",
        );
        check(
            &flawed(path, &Flaw::Damaged("is truncated")),
            "vault-file-damaged",
        );
        check(&flawed(path, &Flaw::WrongKey), "vault-passphrase-wrong");
        check(
            &exposed(path, &Exposure::Mode { mode: 0o644 }),
            "vault-file-exposed",
        );
        check(
            &exposed(path, &Exposure::Owner { uid: 7 }),
            "vault-file-exposed",
        );
        check(&locked(path, 1), "vault-locked");
    }

    #[test]
    fn tells_why_the_disk_refuses() {
        fn check(error: &Error, expected_code: &str, expected_reason: &str) {
            assert_eq!(error.code(), expected_code);
            assert!(error.to_string().contains(expected_reason), "{error}");
        }
        let path = Path::new("/srv/vault.mbv");
        let write = |kind: io::ErrorKind| write_failed(path, kind.into());
        let full = "no space is left";
        check(
            &write(io::ErrorKind::StorageFull),
            "vault-write-failed",
            full,
        );
        check(
            &write(io::ErrorKind::QuotaExceeded),
            "vault-write-failed",
            full,
        );
        check(
            &write(io::ErrorKind::ReadOnlyFilesystem),
            "vault-write-failed",
            "read-only",
        );
        check(
            &write(io::ErrorKind::PermissionDenied),
            "vault-write-failed",
            "may not write in its folder",
        );
        let denied = io::ErrorKind::PermissionDenied.into();
        check(
            &unreadable(path, denied),
            "vault-file-unreadable",
            "may not read it",
        );
        let unsupported = io::ErrorKind::Unsupported.into();
        check(
            &lock_failed(path, unsupported),
            "vault-lock-failed",
            "unsupported",
        );
    }
}
