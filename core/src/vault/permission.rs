//! Who may read a file that holds secrets: this process's user alone.
//! On Unix this is mode and owner; elsewhere the folder's own access list decides, and nothing is checked here.

use std::fs::{Metadata, OpenOptions};
use std::io;
use std::path::Path;

/// Why a file is not private.
#[derive(Debug, PartialEq, Eq)]
#[cfg_attr(
    not(any(unix, test)),
    expect(dead_code, reason = "nothing is checked there")
)]
pub(super) enum Exposure {
    /// The group or everybody may read or write it.
    Mode {
        /// The permission bits.
        mode: u32,
    },
    /// It belongs to another user, who may read and replace it.
    Owner {
        /// The other user's number.
        uid: u32,
    },
}

#[cfg(unix)]
pub(super) use unix::{
    check_folder, check_handed_over, check_private, create_folder, opening, sync_folder, user,
};

#[cfg(unix)]
mod unix {
    use super::{Exposure, Metadata, OpenOptions, Path, io};
    use rustix::fs::OFlags;
    use rustix::process::geteuid;
    use std::fs::{DirBuilder, File};
    use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};

    /// Options that create a file for its owner only, follow no symbolic link, and never wait for a pipe's other end.
    pub(in crate::vault) fn opening() -> OpenOptions {
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
        let mut options = OpenOptions::new();
        options.mode(0o600).custom_flags(flags.bits().cast_signed());
        options
    }

    /// Refuses a file that anybody but this process's user may read or replace.
    pub(in crate::vault) fn check_private(metadata: &Metadata) -> Result<(), Exposure> {
        let (mode, uid) = (metadata.mode() & 0o7777, metadata.uid());
        if uid != geteuid().as_raw() {
            return Err(Exposure::Owner { uid });
        }
        if mode & 0o077 != 0 {
            return Err(Exposure::Mode { mode });
        }
        Ok(())
    }

    /// Like [`check_private`], and lets the system hand over a file of its own: systemd and Kubernetes give a service
    /// files of root that it reads through its group or an access list, which shows as the group's permission.
    pub(in crate::vault) fn check_handed_over(metadata: &Metadata) -> Result<(), Exposure> {
        let system_owned = metadata.uid() == 0 && !geteuid().is_root();
        let mode = metadata.mode() & 0o7777;
        match mode & 0o037 {
            _ if !system_owned => check_private(metadata),
            0 => Ok(()),
            _ => Err(Exposure::Mode { mode }),
        }
    }

    /// Refuses a folder where others than this user and root may replace files. In one with the sticky bit they may not.
    pub(in crate::vault) fn check_folder(metadata: &Metadata) -> Result<(), Exposure> {
        let (mode, uid) = (metadata.mode() & 0o7777, metadata.uid());
        let keeps_others_off = mode & 0o022 == 0 || mode & 0o1000 != 0;
        match uid == geteuid().as_raw() || uid == 0 {
            false => Err(Exposure::Owner { uid }),
            true if keeps_others_off => Ok(()),
            true => Err(Exposure::Mode { mode }),
        }
    }

    /// This process's user.
    pub(in crate::vault) fn user() -> u32 {
        geteuid().as_raw()
    }

    /// Creates one folder, for its owner only.
    pub(in crate::vault) fn create_folder(folder: &Path) -> io::Result<()> {
        DirBuilder::new().mode(0o700).create(folder)
    }

    /// Makes the names in a folder durable: a file's own contents do not include its name.
    pub(in crate::vault) fn sync_folder(folder: &Path) -> io::Result<()> {
        File::open(folder)?.sync_all()
    }
}

#[cfg(not(unix))]
pub(super) use elsewhere::{
    check_folder, check_handed_over, check_private, create_folder, opening, sync_folder, user,
};

#[cfg(not(unix))]
mod elsewhere {
    use super::{Exposure, Metadata, OpenOptions, Path, io};

    pub(in crate::vault) fn opening() -> OpenOptions {
        OpenOptions::new()
    }

    pub(in crate::vault) fn check_private(_: &Metadata) -> Result<(), Exposure> {
        Ok(())
    }

    pub(in crate::vault) fn check_handed_over(_: &Metadata) -> Result<(), Exposure> {
        Ok(())
    }

    pub(in crate::vault) fn check_folder(_: &Metadata) -> Result<(), Exposure> {
        Ok(())
    }

    pub(in crate::vault) fn create_folder(folder: &Path) -> io::Result<()> {
        std::fs::create_dir(folder)
    }

    /// The temporary folder is each user's own here.
    pub(in crate::vault) fn user() -> u32 {
        0
    }

    /// A folder cannot be opened as a file here; the file system orders its names itself.
    pub(in crate::vault) fn sync_folder(_: &Path) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_private_file_is_its_owners_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, "").unwrap();
        let check = |mode: u32, expected: bool| {
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            let metadata = fs::metadata(&path).unwrap();
            assert_eq!(check_private(&metadata).is_ok(), expected, "{mode:o}");
            assert_eq!(check_handed_over(&metadata).is_ok(), expected, "{mode:o}");
        };
        check(0o600, true);
        check(0o400, true);
        check(0o700, true);
        check(0o640, false);
        check(0o620, false);
        check(0o604, false);
        check(0o602, false);
        check(0o610, false);
        check(0o644, false);
    }

    #[test]
    fn what_is_opened_is_created_for_its_owner_and_never_a_link() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("file"), folder.path().join("link"));
        let created = opening().write(true).create_new(true).open(&file).unwrap();
        check_private(&created.metadata().unwrap()).unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        assert!(opening().read(true).open(&file).is_ok());
        assert!(opening().read(true).open(&link).is_err());
    }
}
