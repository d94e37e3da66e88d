//! Archives that are the same octet for octet whenever the same files go in: sorted entries, one time, no owner.

use crate::Result;
use flate2::{Compression, GzBuilder};
use ring::digest::{SHA256, digest};
use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use tar::{Builder, EntryType, Header};

/// Packs a folder, under its own name, into `archive`. `time` is in seconds since 1970.
pub(super) fn tar_gz(folder: &Path, archive: &Path, time: u64) -> Result {
    compressed(folder, archive, time, Compression::best())
}

/// The same with little compression, for tests.
pub(super) fn tar_gz_fast(folder: &Path, archive: &Path, time: u64) -> Result {
    compressed(folder, archive, time, Compression::fast())
}

fn compressed(folder: &Path, archive: &Path, time: u64, compression: Compression) -> Result {
    // The header of gzip holds a time and a file name; both stay empty.
    let gzip = GzBuilder::new().write(File::create(archive)?, compression);
    let mut tar = Builder::new(gzip);
    let base = folder.parent().unwrap_or(folder);
    for path in files(folder)? {
        let mut header = Header::new_gnu();
        let content = fs::read(&path)?;
        header.set_entry_type(EntryType::Regular);
        header.set_size(u64::try_from(content.len())?);
        header.set_mode(if is_executable(&path)? { 0o755 } else { 0o644 });
        header.set_mtime(time);
        tar.append_data(&mut header, path.strip_prefix(base)?, content.as_slice())?;
    }
    tar.into_inner()?.finish()?;
    Ok(())
}

/// All files below a folder, sorted.
pub(super) fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(files(&path)?);
        } else {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// Compresses one file beside itself and removes the original, as Debian wants manual pages and changelogs.
pub(super) fn gzip(path: &Path) -> Result {
    let mut name = path.as_os_str().to_owned();
    name.push(".gz");
    let mut gzip = GzBuilder::new().write(File::create(name)?, Compression::best());
    std::io::copy(&mut File::open(path)?, &mut gzip)?;
    gzip.finish()?;
    Ok(fs::remove_file(path)?)
}

/// Lines as `sha256sum` writes them, for all files directly in a folder but those sums themselves.
pub(super) fn sums(folder: &Path) -> Result<String> {
    let mut lines = String::new();
    for path in files(folder)? {
        let name = path.strip_prefix(folder)?.display().to_string();
        if name != SUMS {
            let sum = digest(&SHA256, &fs::read(&path)?);
            for octet in sum.as_ref() {
                write!(lines, "{octet:02x}")?;
            }
            writeln!(lines, "  {name}")?;
        }
    }
    Ok(lines)
}

pub(super) const SUMS: &str = "SHA256SUMS";

#[cfg(unix)]
fn is_executable(path: &Path) -> Result<bool> {
    use std::os::unix::fs::PermissionsExt;
    Ok(fs::metadata(path)?.permissions().mode() & 0o100 != 0)
}

#[cfg(not(unix))]
fn is_executable(path: &Path) -> Result<bool> {
    Ok(path.extension().is_some_and(|extension| extension == "exe"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_and_time_of_writing_do_not_show() {
        let folder =
            std::env::temp_dir().join(format!("mailbearer-archive-{}", std::process::id()));
        let pack = |names: [&str; 2], archive: &str| {
            let content = folder.join("content");
            let _ = fs::remove_dir_all(&content);
            fs::create_dir_all(&content).unwrap();
            for name in names {
                fs::write(content.join(name), name).unwrap();
            }
            tar_gz(&content, &folder.join(archive), 1_000_000_000).unwrap();
            fs::read(folder.join(archive)).unwrap()
        };
        assert_eq!(pack(["a", "b"], "1"), pack(["b", "a"], "2"));
        assert_ne!(pack(["a", "b"], "3"), pack(["a", "c"], "4"));
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn sums_are_those_of_sha256sum() {
        let folder = std::env::temp_dir().join(format!("mailbearer-sums-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("abc"), "abc").unwrap();
        fs::write(folder.join(SUMS), "old").unwrap();
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad  abc\n";
        assert_eq!(sums(&folder).unwrap(), expected);
        fs::remove_dir_all(&folder).unwrap();
    }
}
