//! Where a passphrase comes from: the program, the environment, a descriptor, a file, a keyring or a command.
//! Errors name the source and never the value. How strong a passphrase is, nobody judges here.

use super::header::Header;
use super::key::DerivedKey;
use super::permission::{Exposure, check_handed_over};
use super::{Host, keyring};
use crate::error::{Error, Result};
use crate::host::{ProgramFailure, run_program, within};
use crate::model::{Passphrase, ProblemKind};
use crate::secret::SecretBytes;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use zeroize::Zeroizing;

/// A source, and the passphrases it gave last. Usually there is one; while a key in a keyring is changed, there are two.
/// Cheap to clone; all clones know the same.
#[derive(Clone, Debug)]
pub(super) struct Passphrases {
    host: Host,
    known: Arc<Mutex<Known>>,
}

#[derive(Clone, Debug)]
struct Known {
    source: Passphrase,
    given: Vec<SecretBytes>,
}

impl Passphrases {
    /// Asks the source. Errors: `Config`, `Unavailable`. Waits for as long as a pipe's writer does.
    pub(super) async fn of(source: &Passphrase, host: &Host) -> Result<Self> {
        let given = fetch(source, host).await?;
        Ok(Self::new(source, host, given))
    }

    /// Asks the source for the passphrase of a vault that is being made: a keyring may have to make it first.
    pub(super) async fn of_new_vault(source: &Passphrase, host: &Host) -> Result<Self> {
        let given = fetch_or_make(source, host).await?;
        Ok(Self::new(source, host, given))
    }

    /// Asks the source for another passphrase than a vault has now: a keyring makes one, and keeps the old one beside it
    /// until [`Passphrases::settle`].
    pub(super) async fn of_new_key(source: &Passphrase, host: &Host) -> Result<Self> {
        let given = match source {
            Passphrase::Keyring { name } => keyring::begin_change(name, host).await?,
            other => fetch(other, host).await?,
        };
        Ok(Self::new(source, host, given))
    }

    /// The vault's key has been changed to the newest: the old one is forgotten.
    pub(super) async fn settle(&self) -> Result<()> {
        let source = self.known().source.clone();
        match source {
            Passphrase::Keyring { name } => {
                keyring::finish_change(&name, self.newest(), &self.host).await
            }
            _ => Ok(()),
        }
    }

    fn new(source: &Passphrase, host: &Host, given: Vec<SecretBytes>) -> Self {
        let source = source.clone();
        Self {
            host: host.clone(),
            known: Arc::new(Mutex::new(Known { source, given })),
        }
    }

    /// The passphrase for what is sealed from now on.
    pub(super) fn newest(&self) -> SecretBytes {
        self.known().given.first().cloned().unwrap_or_default()
    }

    /// The key of a vault, from whichever passphrase opens it; `None` when none does.
    /// Blocks, for as long as Argon2id takes. Errors: `Storage`.
    pub(super) fn key_of(&self, header: &Header) -> Result<Option<Arc<DerivedKey>>> {
        let given = self.known().given.clone();
        for passphrase in given {
            let key = DerivedKey::derive(&passphrase, &header.key_source)?;
            // Both stand in the vault or follow from the passphrase: the comparison's time gives nothing away.
            if key.check == header.key_check {
                return Ok(Some(Arc::new(key)));
            }
        }
        Ok(None)
    }

    /// Asks the source again after the vault's key has been changed by somebody else, until it gives something new or a
    /// moment has passed; tells whether it did. Errors as in [`Passphrases::of`].
    pub(super) async fn fetch_anew(&self) -> Result<bool> {
        let known = self.known().clone();
        if matches!(
            known.source,
            Passphrase::Text { .. } | Passphrase::FileDescriptor { .. }
        ) {
            return Ok(false);
        }
        for _ in 0..ANEW_ATTEMPTS {
            let given = fetch(&known.source, &self.host).await?;
            // Exposed to be compared; both are ours.
            let is_same =
                |(one, other): (&SecretBytes, &SecretBytes)| one.expose() == other.expose();
            let same = given.len() == known.given.len();
            if !same || !given.iter().zip(&known.given).all(is_same) {
                self.known().given = given;
                return Ok(true);
            }
            self.host.clock.sleep(ANEW_PAUSE).await;
        }
        Ok(false)
    }

    /// Takes another source from now on, after the vault's key has been changed by us.
    pub(super) fn become_another(&self, other: &Self) {
        let other = other.known().clone();
        *self.known() = other;
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(|e| e.into_inner())
    }
}

/// Whoever changes a vault's key puts the new passphrase in its place a moment later.
const ANEW_ATTEMPTS: u32 = 20;
const ANEW_PAUSE: Duration = Duration::from_millis(100);

/// Fetches one secret, such as the password of a database. Octets count as they are; of a descriptor, a file and a
/// program, one line end at the end does not.
///
/// Errors: `Config`, `Unavailable`. Waits for as long as a pipe's writer does.
#[cfg(any(feature = "postgres", test))]
pub(super) fn resolve<'a>(
    passphrase: &'a Passphrase,
    host: &'a Host,
) -> std::pin::Pin<Box<dyn Future<Output = Result<SecretBytes>> + Send + 'a>> {
    // Boxed, for the compiler cannot see otherwise that it may go from thread to thread.
    Box::pin(async move {
        let given = fetch(passphrase, host).await?;
        Ok(given.into_iter().next().unwrap_or_default())
    })
}

async fn fetch(passphrase: &Passphrase, host: &Host) -> Result<Vec<SecretBytes>> {
    match passphrase {
        Passphrase::Keyring { name } => keyring::fetch(name, host).await,
        Passphrase::Command { command } => Ok(vec![from_command(command, host).await?]),
        _ => {
            let passphrase = passphrase.clone();
            let given = tokio::task::spawn_blocking(move || resolve_blocking(&passphrase)).await;
            let given = given.unwrap_or_else(|stopped| {
                Err(unreadable("the passphrase", io::Error::other(stopped)))
            });
            Ok(vec![given?])
        }
    }
}

async fn fetch_or_make(passphrase: &Passphrase, host: &Host) -> Result<Vec<SecretBytes>> {
    match passphrase {
        Passphrase::Keyring { name } => keyring::fetch_or_make(name, host).await,
        other => fetch(other, host).await,
    }
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
        Passphrase::Credential { name } => from_key_file(&credential(name)?, &source)?,
        Passphrase::Keyring { .. } | Passphrase::Command { .. } => SecretBytes::default(),
    };
    check_size(octets, &source)
}

pub(super) fn source_name(passphrase: &Passphrase) -> String {
    match passphrase {
        Passphrase::Text { .. } => "the passphrase that the program gave".to_owned(),
        Passphrase::Environment { variable } => format!("environment variable {variable}"),
        Passphrase::FileDescriptor { descriptor } => format!("file descriptor {descriptor}"),
        Passphrase::KeyFile { path } => format!("key file {path}"),
        Passphrase::Credential { name } => format!("systemd credential {name}"),
        Passphrase::Keyring { name } => format!("keyring entry {name}"),
        Passphrase::Command { command } => {
            let program = command.first().map_or("", String::as_str);
            format!("command {program}")
        }
    }
}

/// Runs the command. Its own words are nobody's: they may hold the secret.
async fn from_command(command: &[String], host: &Host) -> Result<SecretBytes> {
    let source = source_name(&Passphrase::Command {
        command: command.to_vec(),
    });
    let failed = |text: String| {
        Error::new(
            ProblemKind::Config,
            "vault-passphrase-command-failed",
            format!("{text}: {source}"),
            "run the same command in a terminal as this process's user: it says there what it lacks",
        )
    };
    let running = run_program(command, None, MAX_BYTES + LINE_END_MAX_BYTES);
    let printed = within(&*host.clock, COMMAND_LIMIT, running).await;
    let Some(printed) = printed else {
        let limit = COMMAND_LIMIT.as_secs();
        return Err(failed(format!(
            "the passphrase's command has not ended within {limit} s"
        )));
    };
    let printed = printed.map_err(|failure| match failure {
        ProgramFailure::NotStarted(error) => {
            failed("the passphrase's command cannot be started".to_owned()).with_source(error)
        }
        ProgramFailure::Failed(reason) => {
            failed(format!("the passphrase's command failed, {reason}"))
        }
    })?;
    // Exposed to be cut.
    check_size(without_line_end(printed.expose()), &source)
}

/// Longer than any cloud takes, shorter than a person waits.
const COMMAND_LIMIT: Duration = Duration::from_secs(30);

/// The file of a credential, where systemd says (systemd.exec(5), "CREDENTIALS").
#[expect(
    clippy::disallowed_methods,
    reason = "a passphrase may come from the environment, and nothing else does"
)]
fn credential(name: &str) -> Result<PathBuf> {
    let is_name = !name.is_empty() && !name.contains(['/', '\\', '\0']) && !name.starts_with('.');
    if !is_name {
        return Err(Error::new(
            ProblemKind::Config,
            "vault-passphrase-unreadable",
            format!("not the name of a systemd credential: {name:?}"),
            "give the credential's name as in LoadCredential=, without a path",
        ));
    }
    let folder = std::env::var("CREDENTIALS_DIRECTORY").map_err(|_| {
        Error::new(
            ProblemKind::Config,
            "vault-passphrase-missing",
            format!(
                "systemd has handed no credentials to this process (CREDENTIALS_DIRECTORY is not set): {name}"
            ),
            format!("add LoadCredential={name}:FILE to the unit, or name another source of the passphrase"),
        )
    })?;
    Ok(Path::new(&folder).join(name))
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
    Ok(without_line_end(&octets))
}

fn without_line_end(octets: &[u8]) -> SecretBytes {
    let content = octets.strip_suffix(b"\n").unwrap_or(octets);
    let content = content.strip_suffix(b"\r").unwrap_or(content);
    content.to_vec().into()
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
        let resolved = resolve(&text(" hunter2\n"), &Host::default())
            .await
            .unwrap();
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
