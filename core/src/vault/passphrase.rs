//! Where a passphrase comes from: the program, the environment, a descriptor, or a file.
//! Errors name the source and never the value. How strong a passphrase is, nobody judges here.

use super::permission::{Exposure, check_handed_over};
use crate::error::{Error, Result};
use crate::model::{Passphrase, ProblemKind};
use crate::secret::SecretBytes;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;
use zeroize::Zeroizing;

/// Fetches the passphrase. Octets count as they are; of a descriptor and a file, one line end at the end does not.
///
/// Errors: `Config`. Waits for as long as a pipe's writer does.
pub(super) async fn resolve(passphrase: &Passphrase) -> Result<SecretBytes> {
    let passphrase = passphrase.clone();
    tokio::task::spawn_blocking(move || resolve_blocking(&passphrase))
        .await
        .unwrap_or_else(|stopped| Err(unreadable("the passphrase", io::Error::other(stopped))))
}

fn resolve_blocking(passphrase: &Passphrase) -> Result<SecretBytes> {
    let source = source_name(passphrase);
    let octets = match passphrase {
        // Exposed to become the key of the vault.
        Passphrase::Text { text } => text.expose().clone().into_bytes().into(),
        Passphrase::Environment { variable } => from_environment(variable)?,
        Passphrase::FileDescriptor { descriptor } => {
            let file = open_descriptor(*descriptor).map_err(|error| unreadable(&source, error))?;
            read_passphrase(file).map_err(|error| unreadable(&source, error))?
        }
        Passphrase::KeyFile { path } => from_key_file(Path::new(path), &source)?,
    };
    check_size(octets, &source)
}

fn source_name(passphrase: &Passphrase) -> String {
    match passphrase {
        Passphrase::Text { .. } => "the passphrase that the program gave".to_owned(),
        Passphrase::Environment { variable } => format!("environment variable {variable}"),
        Passphrase::FileDescriptor { descriptor } => format!("file descriptor {descriptor}"),
        Passphrase::KeyFile { path } => format!("key file {path}"),
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a passphrase may come from the environment, and nothing else does"
)]
fn from_environment(variable: &str) -> Result<SecretBytes> {
    match std::env::var(variable) {
        Ok(text) => Ok(text.into_bytes().into()),
        // The error would hold the value: it is dropped here.
        Err(std::env::VarError::NotUnicode(_)) => Err(Error::new(
            ProblemKind::Config,
            "vault-passphrase-unreadable",
            format!("the passphrase is not valid UTF-8 text: environment variable {variable}"),
            "give UTF-8 text, or keep other octets in a key file",
        )),
        Err(std::env::VarError::NotPresent) => Err(Error::new(
            ProblemKind::Config,
            "vault-passphrase-missing",
            format!("the passphrase is not set: environment variable {variable}"),
            format!("set {variable} for this process, or name another source of the passphrase"),
        )),
    }
}

/// Opens a descriptor by its name in the file system, which needs no unsafe code. A socket cannot be opened this way.
#[cfg(unix)]
fn open_descriptor(descriptor: u32) -> io::Result<File> {
    // Linux has /dev/fd only where something made that link; the other Unix systems have no /proc.
    let folder = if cfg!(target_os = "linux") {
        "/proc/self/fd"
    } else {
        "/dev/fd"
    };
    File::open(format!("{folder}/{descriptor}"))
}

#[cfg(not(unix))]
fn open_descriptor(_: u32) -> io::Result<File> {
    Err(io::ErrorKind::Unsupported.into())
}

fn from_key_file(path: &Path, source: &str) -> Result<SecretBytes> {
    let file = File::open(path).map_err(|error| unreadable(source, error))?;
    let metadata = file.metadata().map_err(|error| unreadable(source, error))?;
    check_handed_over(&metadata).map_err(|exposure| exposed(path, &exposure))?;
    read_passphrase(file).map_err(|error| unreadable(source, error))
}

/// Reads to the end, or one octet beyond the limit.
fn read_passphrase(file: File) -> io::Result<SecretBytes> {
    // Room for the longest content from the start: a vector that grows leaves copies behind.
    let mut octets = Zeroizing::new(Vec::with_capacity(MAX_BYTES * 2));
    let limit = u64::try_from(MAX_BYTES + LINE_END_MAX_BYTES + 1).unwrap_or(u64::MAX);
    file.take(limit).read_to_end(&mut octets)?;
    let content = octets.strip_suffix(b"\n").unwrap_or(&octets);
    let content = content.strip_suffix(b"\r").unwrap_or(content);
    Ok(content.to_vec().into())
}

fn check_size(octets: SecretBytes, source: &str) -> Result<SecretBytes> {
    match octets.expose().len() {
        0 => Err(Error::new(
            ProblemKind::Config,
            "vault-passphrase-empty",
            format!("the passphrase is empty: {source}"),
            "give a passphrase of at least one character; better six random words, or 32 random octets in a key file",
        )),
        1..=MAX_BYTES => Ok(octets),
        _ => Err(Error::new(
            ProblemKind::Config,
            "vault-passphrase-too-long",
            format!("the passphrase is longer than {MAX_BYTES} octets: {source}"),
            "check that this is the passphrase and not another file",
        )),
    }
}

fn unreadable(source: &str, error: io::Error) -> Error {
    let fix = match error.kind() {
        io::ErrorKind::NotFound => "check that it exists and is open for this process",
        io::ErrorKind::PermissionDenied => "give this process's user read permission on it",
        io::ErrorKind::IsADirectory => "name the file itself, not its folder",
        io::ErrorKind::Unsupported => "use a key file or an environment variable on this system",
        _ => "check the source of the passphrase, or name another one",
    };
    Error::new(
        ProblemKind::Config,
        "vault-passphrase-unreadable",
        format!("the passphrase cannot be read ({}): {source}", error.kind()),
        fix,
    )
    .with_source(error)
}

fn exposed(path: &Path, exposure: &Exposure) -> Error {
    let path = path.display();
    let (text, fix) = match exposure {
        Exposure::Mode { mode } => (
            format!("other users may read or write the key file (mode {mode:04o}): {path}"),
            format!(
                "chmod 600 {path}; if others may have read it, change the passphrase and the secrets too"
            ),
        ),
        Exposure::Owner { uid } => (
            format!("the key file belongs to another user (uid {uid}): {path}"),
            format!("run this program as that user, or chown {path} to the user that runs it"),
        ),
    };
    Error::new(ProblemKind::Config, "vault-passphrase-exposed", text, fix)
}

/// A passphrase is shorter; what is longer is a mistake, such as the path of a log file or of an endless device.
const MAX_BYTES: usize = 4096;

const LINE_END_MAX_BYTES: usize = 2;

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(unix)]
    use std::fs;
    #[cfg(unix)]
    use std::os::unix::fs::PermissionsExt as _;

    fn expect_error(passphrase: &Passphrase, expected_code: &str) {
        let error = resolve_blocking(passphrase).unwrap_err();
        assert_eq!(error.code(), expected_code, "{error}");
        assert_eq!(error.kind(), ProblemKind::Config);
        let shown = format!("{error} {error:?}");
        assert!(shown.contains(&source_of(passphrase)), "{shown}");
        assert!(!shown.contains("hunter"), "{shown}");
    }

    fn source_of(passphrase: &Passphrase) -> String {
        match passphrase {
            Passphrase::KeyFile { path } => path.clone(),
            other => source_name(other),
        }
    }

    fn text(text: &str) -> Passphrase {
        Passphrase::Text {
            text: text.to_owned().into(),
        }
    }

    #[tokio::test]
    async fn takes_a_text_as_it_is() {
        let resolved = resolve(&text(" hunter2\n")).await.unwrap();
        assert_eq!(resolved.expose(), b" hunter2\n");
        expect_error(&text(""), "vault-passphrase-empty");
        expect_error(&text(&"hunter".repeat(800)), "vault-passphrase-too-long");
    }

    #[test]
    fn reads_the_environment() {
        // PATH is set wherever cargo runs; setting a variable of our own would need unsafe code.
        let variable = "PATH".to_owned();
        let resolved = resolve_blocking(&Passphrase::Environment { variable }).unwrap();
        assert!(!resolved.expose().is_empty());
        let variable = "MAILBEARER_TEST_NOT_SET".to_owned();
        expect_error(
            &Passphrase::Environment { variable },
            "vault-passphrase-missing",
        );
    }

    #[cfg(unix)]
    fn key_file(folder: &Path, content: &[u8], mode: u32) -> Passphrase {
        let path = folder.join("key");
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let path = path.display().to_string();
        Passphrase::KeyFile { path }
    }

    #[cfg(unix)]
    #[test]
    fn reads_a_key_file_without_the_line_end() {
        let folder = tempfile::tempdir().unwrap();
        let check = |content: &[u8], expected: &[u8]| {
            let resolved = resolve_blocking(&key_file(folder.path(), content, 0o600)).unwrap();
            assert_eq!(resolved.expose(), expected);
        };
        check(b"hunter2", b"hunter2");
        check(b"hunter2\n", b"hunter2");
        check(b"hunter2\r\n", b"hunter2");
        check(b"hunter2\n\n", b"hunter2\n");
        check(b" hunter 2 ", b" hunter 2 ");
        check(&[0, 0xFF, 0xC3], &[0, 0xFF, 0xC3]);
        check(&[b'h'; MAX_BYTES], &[b'h'; MAX_BYTES]);
        let mut with_line_end = vec![b'h'; MAX_BYTES];
        with_line_end.extend(b"\r\n");
        check(&with_line_end, &[b'h'; MAX_BYTES]);
    }

    #[cfg(unix)]
    #[test]
    fn refuses_an_unusable_key_file() {
        let folder = tempfile::tempdir().unwrap();
        let check = |content: &[u8], mode: u32, expected_code: &str| {
            expect_error(&key_file(folder.path(), content, mode), expected_code);
        };
        check(b"", 0o600, "vault-passphrase-empty");
        check(b"\n", 0o600, "vault-passphrase-empty");
        check(b"hunter2", 0o644, "vault-passphrase-exposed");
        check(b"hunter2", 0o640, "vault-passphrase-exposed");
        check(b"hunter2", 0o602, "vault-passphrase-exposed");
        check(&[b'h'; MAX_BYTES + 1], 0o600, "vault-passphrase-too-long");
        check(&[b'h'; 100_000], 0o600, "vault-passphrase-too-long");
        let key_file = |path: &Path| Passphrase::KeyFile {
            path: path.display().to_string(),
        };
        expect_error(
            &key_file(&folder.path().join("missing")),
            "vault-passphrase-unreadable",
        );
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700)).unwrap();
        expect_error(&key_file(folder.path()), "vault-passphrase-unreadable");
    }

    #[cfg(unix)]
    #[test]
    fn reads_a_descriptor_to_its_end() {
        let descriptor = |file: &dyn std::os::fd::AsRawFd| Passphrase::FileDescriptor {
            descriptor: u32::try_from(file.as_raw_fd()).unwrap(),
        };

        let (reader, mut writer) = io::pipe().unwrap();
        io::Write::write_all(&mut writer, b"hunter2\n").unwrap();
        drop(writer);
        let resolved = resolve_blocking(&descriptor(&reader)).unwrap();
        assert_eq!(resolved.expose(), b"hunter2");

        let (reader, writer) = io::pipe().unwrap();
        drop(writer);
        expect_error(&descriptor(&reader), "vault-passphrase-empty");

        let zeros = File::open("/dev/zero").unwrap();
        expect_error(&descriptor(&zeros), "vault-passphrase-too-long");
        expect_error(
            &Passphrase::FileDescriptor {
                descriptor: 999_999,
            },
            "vault-passphrase-unreadable",
        );
    }
}
