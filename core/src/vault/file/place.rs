//! Where a vault file lies: found safely, replaced whole, and locked against other processes.
//! The octets mean nothing here. Everything blocks: callers are off the async threads.

use super::problem;
use crate::error::{Error, Result};
use crate::model::VaultFinding;
use crate::vault::permission;
use std::ffi::OsStr;
use std::fs::{self, File, TryLockError};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The file's path and those of its companions.
#[derive(Clone, Debug)]
pub(in crate::vault) struct Place {
    path: PathBuf,
    folder: PathBuf,
    /// Locked by whoever changes the file. Never removed: a process could wait on a removed one while another locks a
    /// new one.
    lock: PathBuf,
    /// The next state while it is written. Only the lock's holder touches it.
    next: PathBuf,
}

impl Place {
    /// A place that stays the same when the process changes its working directory. Errors: `Config`.
    pub(in crate::vault) fn new(path: &str) -> Result<Self> {
        let given = Path::new(path);
        let path = std::path::absolute(given)
            .map_err(|error| problem::path_invalid(given, "is not a path").with_source(error))?;
        let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(problem::path_invalid(given, "has no file name"));
        };
        let beside = |suffix: &str| {
            let mut name = name.to_owned();
            name.push(OsStr::new(suffix));
            folder.join(name)
        };
        Ok(Self {
            folder: folder.to_owned(),
            lock: beside(".lock"),
            next: beside(".next"),
            path,
        })
    }

    pub(in crate::vault) fn path(&self) -> &Path {
        &self.path
    }

    /// Opens the file if there is one that is a plain file and this user's alone. Errors: `Config`, `Storage`.
    pub(in crate::vault) fn open(&self) -> Result<Option<File>> {
        // Looked at before it is opened, for a clear error. What happens in between, `opening` guards against.
        if !self.is_there()? {
            return Ok(None);
        }
        let unreadable = |error| problem::unreadable(&self.path, error);
        let file = match permission::opening().read(true).open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(unreadable(error)),
        };
        let metadata = file.metadata().map_err(unreadable)?;
        self.check_plain(metadata.file_type())?;
        permission::check_private(&metadata)
            .map_err(|exposure| problem::exposed(&self.path, &exposure))?;
        Ok(Some(file))
    }

    /// Whether there is a file that is a plain one and this user's alone, without opening it: a database's file must not be,
    /// since closing it would give up the locks that the database holds on it (fcntl(2)). Errors: `Config`, `Storage`.
    pub(in crate::vault) fn is_there(&self) -> Result<bool> {
        match fs::symlink_metadata(&self.path) {
            Ok(metadata) => {
                self.check_plain(metadata.file_type())?;
                permission::check_private(&metadata)
                    .map_err(|exposure| problem::exposed(&self.path, &exposure))?;
                Ok(true)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(problem::unreadable(&self.path, error)),
        }
    }

    fn check_plain(&self, kind: fs::FileType) -> Result<()> {
        let reason = if kind.is_dir() {
            "is a directory"
        } else if kind.is_symlink() {
            // A link would be replaced by the next write, and its target would stay behind with the old secrets.
            "is a symbolic link"
        } else if kind.is_file() {
            return Ok(());
        } else {
            "is not a plain file"
        };
        Err(problem::path_invalid(&self.path, reason))
    }

    /// Creates the folder, and those above it, for this user only. Errors: `Storage`.
    pub(in crate::vault) fn create_folder(&self) -> Result<()> {
        let missing = self
            .folder
            .ancestors()
            .take_while(|folder| !folder.exists());
        let missing: Vec<_> = missing.collect();
        missing
            .into_iter()
            .rev()
            .try_for_each(create_durable_folder)
            .map_err(|error| self.write_failed(error))
    }

    /// Refuses a folder that is not this user's alone, such as one that somebody else made in a place for everybody.
    /// Errors: `Storage`.
    pub(in crate::vault) fn check_folder(&self) -> Result<()> {
        let metadata = fs::symlink_metadata(&self.folder);
        let metadata = metadata.map_err(|error| problem::unreadable(&self.folder, error))?;
        permission::check_private(&metadata)
            .map_err(|exposure| problem::folder_exposed(&self.folder, &exposure))
    }

    /// Waits for the other processes that change the file, and keeps them waiting until the lock is dropped.
    /// Errors: `Storage`.
    pub(in crate::vault) fn lock(&self) -> Result<File> {
        self.lock_within(LOCK_ATTEMPTS)
    }

    /// Takes one of the locks for renewals, if it is free. Never removed, like the other. Errors: `Storage`.
    pub(in crate::vault) fn try_lock(&self, shard: u8) -> Result<Option<File>> {
        let mut path = self.path.clone().into_os_string();
        path.push(format!(".renewal-{shard}"));
        let path = PathBuf::from(path);
        let file = self.open_lock(&path)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(problem::lock_failed(&path, error)),
        }
    }

    /// What is wrong around the file, though it can be read. Errors: `Storage`.
    pub(in crate::vault) fn check(&self) -> Result<Vec<VaultFinding>> {
        let mut findings = Vec::new();
        let folder =
            fs::metadata(&self.folder).map_err(|error| problem::unreadable(&self.folder, error))?;
        if let Err(exposure) = permission::check_folder(&folder) {
            findings.push(problem::folder_exposed(&self.folder, &exposure));
        }
        match self.lock_within(CHECK_ATTEMPTS) {
            Err(error) => findings.push(error),
            // While we hold the lock, nobody writes it.
            Ok(_lock) if self.next.exists() => findings.push(problem::leftover(&self.next)),
            Ok(_lock) => {}
        }
        let findings = findings.into_iter().map(|error| VaultFinding {
            record: None,
            problem: error.into(),
        });
        Ok(findings.collect())
    }

    fn open_lock(&self, path: &Path) -> Result<File> {
        let mut options = permission::opening();
        options.read(true).write(true).create(true).truncate(false);
        options.open(path).map_err(|error| self.write_failed(error))
    }

    fn lock_within(&self, attempts: u32) -> Result<File> {
        let file = self.open_lock(&self.lock)?;
        // Asked again and again instead of waiting in the system, where a stopped process would hold us for ever.
        for _ in 0..attempts {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(TryLockError::WouldBlock) => std::thread::sleep(LOCK_PAUSE),
                Err(TryLockError::Error(error)) => {
                    return Err(problem::lock_failed(&self.lock, error));
                }
            }
        }
        let waited = LOCK_PAUSE * attempts;
        let waited_ms = u64::try_from(waited.as_millis()).unwrap_or(u64::MAX);
        Err(problem::locked(&self.lock, waited_ms))
    }

    /// Replaces the file, or creates it, so that any moment's crash leaves the old state or the new one.
    /// The caller holds the lock, and has opened the old state. Errors: `Storage`.
    pub(in crate::vault) fn replace(&self, octets: &[u8]) -> Result<()> {
        self.write_next(octets)
            .and_then(|()| fs::rename(&self.next, &self.path))
            .and_then(|()| permission::sync_folder(&self.folder))
            .map_err(|error| {
                // Half a file helps nobody; if it cannot be removed, the next write tries again.
                let _ = fs::remove_file(&self.next);
                self.write_failed(error)
            })
    }

    fn write_next(&self, octets: &[u8]) -> io::Result<()> {
        // One that is there was left by a process that died while writing.
        ignoring(io::ErrorKind::NotFound, fs::remove_file(&self.next))?;
        let mut next = permission::opening()
            .write(true)
            .create_new(true)
            .open(&self.next)?;
        next.write_all(octets)?;
        // Before the rename: otherwise a power cut could leave the new name with no contents.
        next.sync_all()
    }

    /// The file, or what belongs to it, could not be written.
    pub(in crate::vault) fn write_failed(&self, error: io::Error) -> Error {
        problem::write_failed(&self.path, error)
    }
}

fn create_durable_folder(folder: &Path) -> io::Result<()> {
    let created = permission::create_folder(folder);
    // Another process may be opening the same vault for the first time.
    ignoring(io::ErrorKind::AlreadyExists, created)?;
    folder.parent().map_or(Ok(()), permission::sync_folder)
}

fn ignoring(kind: io::ErrorKind, outcome: io::Result<()>) -> io::Result<()> {
    match outcome {
        Err(error) if error.kind() == kind => Ok(()),
        other => other,
    }
}

/// A write takes milliseconds; half a minute of waiting is a process that hangs.
const LOCK_ATTEMPTS: u32 = 6_000;
/// Two seconds, when somebody only wants to know.
const CHECK_ATTEMPTS: u32 = 400;
const LOCK_PAUSE: Duration = Duration::from_millis(5);

#[cfg(test)]
mod tests {
    use super::*;

    fn place(folder: &Path) -> Place {
        Place::new(folder.join("vault.mbv").to_str().unwrap()).unwrap()
    }

    #[test]
    fn one_lock_at_a_time_and_no_endless_waiting() {
        let folder = tempfile::tempdir().unwrap();
        let (one, other) = (place(folder.path()), place(folder.path()));
        let held = one.lock().unwrap();
        let error = other.lock_within(2).unwrap_err();
        assert_eq!(error.code(), "vault-locked");
        assert!(error.to_string().contains("vault.mbv.lock"), "{error}");
        drop(held);
        other.lock_within(1).unwrap();
    }

    #[test]
    fn a_renewal_lock_is_held_until_dropped_and_keeps_out_its_own_shard_only() {
        let folder = tempfile::tempdir().unwrap();
        let (one, other) = (place(folder.path()), place(folder.path()));
        let held = one.try_lock(7).unwrap().unwrap();
        assert!(other.try_lock(7).unwrap().is_none());
        assert!(one.try_lock(7).unwrap().is_none());
        assert!(other.try_lock(8).unwrap().is_some());
        drop(held);
        assert!(other.try_lock(7).unwrap().is_some());
    }

    #[test]
    fn replaces_over_what_a_killed_process_left() {
        let folder = tempfile::tempdir().unwrap();
        let place = place(folder.path());
        fs::write(&place.next, "half").unwrap();
        place.replace(b"whole").unwrap();
        assert_eq!(fs::read(&place.path).unwrap(), b"whole");
        assert!(!place.next.exists());
    }

    #[cfg(unix)]
    #[test]
    fn writes_through_no_planted_link() {
        let folder = tempfile::tempdir().unwrap();
        let place = place(folder.path());
        let target = folder.path().join("target");
        fs::write(&target, "precious").unwrap();
        std::os::unix::fs::symlink(&target, &place.next).unwrap();
        place.replace(b"whole").unwrap();
        std::os::unix::fs::symlink(&target, &place.lock).unwrap();
        assert_eq!(place.lock().unwrap_err().code(), "vault-write-failed");
        assert_eq!(fs::read(&target).unwrap(), b"precious");
    }

    #[test]
    fn a_relative_path_stays_where_it_was() {
        let place = Place::new("vault.mbv").unwrap();
        assert!(place.path().is_absolute());
        assert!(place.path().ends_with("vault.mbv"));
    }
}
