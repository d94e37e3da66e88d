//! Records that another program keeps: `pass`, a cloud's secret store, or a script around either. It is run without a shell as
//! `PROGRAM ARGUMENTS… get|set|remove NAME` or `… list`; a record stands on standard output or input, one line of text, and
//! never among the arguments or in the environment. How the records are protected is the program's business.

use super::file::{Place, off_thread, shard_of};
use super::{Host, Vault, VaultLock, check_key, permission};
use crate::error::{Error, Result};
use crate::host::{ProgramFailure, run_program, within};
use crate::model::ProblemKind;
use crate::secret::SecretBytes;
use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::digest::{SHA256, digest};
use std::path::PathBuf;
use std::time::Duration;
use zeroize::Zeroizing;

/// A program that keeps records.
#[derive(Debug)]
pub(super) struct CommandVault {
    command: Vec<String>,
    host: Host,
    locks: Place,
    /// Changes of this process go one after the other: a program may not expect another one beside it.
    turn: tokio::sync::Mutex<()>,
}

impl CommandVault {
    /// Runs the program once, to see that it is there and answers. Errors: `Config`, `Unavailable`, `Storage`.
    pub(super) async fn open(command: &[String], host: &Host) -> Result<Self> {
        let vault = Self {
            command: command.to_vec(),
            host: host.clone(),
            locks: locks(command, host)?,
            turn: tokio::sync::Mutex::default(),
        };
        vault.keys("").await?;
        Ok(vault)
    }

    async fn run(
        &self,
        verb: &str,
        name: Option<&str>,
        input: Option<&SecretBytes>,
    ) -> Result<SecretBytes> {
        let mut command = self.command.clone();
        command.push(verb.to_owned());
        command.extend(name.map(str::to_owned));
        let running = run_program(&command, input, MAX_OUTPUT_BYTES);
        match within(&*self.host.clock, LIMIT, running).await {
            Some(Ok(printed)) => Ok(printed),
            Some(Err(ProgramFailure::NotStarted(error))) => Err(self.missing().with_source(error)),
            Some(Err(ProgramFailure::Failed(reason))) => Err(self.failed(verb, &reason)),
            None => Err(self.failed(
                verb,
                &format!("it has not ended within {} s", LIMIT.as_secs()),
            )),
        }
    }

    fn program(&self) -> &str {
        self.command.first().map_or("", String::as_str)
    }

    fn missing(&self) -> Error {
        Error::new(
            ProblemKind::Config,
            "vault-command-missing",
            format!(
                "the vault's program cannot be started: {:?}",
                self.program()
            ),
            "check that it is installed, in PATH and executable for this process's user",
        )
    }

    fn failed(&self, verb: &str, reason: &str) -> Error {
        Error::new(
            ProblemKind::Storage,
            "vault-command-failed",
            format!(
                "the vault's program failed at {verb:?}, {reason}: {}",
                self.program()
            ),
            "run the same command in a terminal as this process's user: it says there what it lacks",
        )
    }

    fn mangled(&self, name: &str) -> Error {
        Error::new(
            ProblemKind::Storage,
            "vault-record-damaged",
            format!(
                "the vault's program gave back something else than was stored: {name} from {}",
                self.program()
            ),
            "the program must give back each line as it was stored, and nothing else",
        )
    }
}

#[async_trait]
impl Vault for CommandVault {
    fn name(&self) -> String {
        format!("command {}", self.program())
    }

    async fn read(&self, key: &str) -> Result<Option<SecretBytes>> {
        check_key(key)?;
        let printed = self.run("get", Some(key), None).await?;
        // Exposed to be read.
        match printed.expose().trim_ascii() {
            [] => Ok(None),
            line => unwrapped(line).map(Some).ok_or_else(|| self.mangled(key)),
        }
    }

    async fn write(&self, key: &str, value: &SecretBytes) -> Result<()> {
        check_key(key)?;
        let _turn = self.turn.lock().await;
        self.run("set", Some(key), Some(&wrapped(value))).await?;
        Ok(())
    }

    async fn write_if(
        &self,
        key: &str,
        old: Option<&SecretBytes>,
        value: &SecretBytes,
    ) -> Result<bool> {
        check_key(key)?;
        let _turn = self.turn.lock().await;
        let is_still = super::records::is_same(self.read(key).await?.as_ref(), old);
        if is_still {
            self.run("set", Some(key), Some(&wrapped(value))).await?;
        }
        Ok(is_still)
    }

    async fn remove(&self, key: &str) -> Result<bool> {
        check_key(key)?;
        let _turn = self.turn.lock().await;
        let was_there = self.read(key).await?.is_some();
        if was_there {
            self.run("remove", Some(key), None).await?;
        }
        Ok(was_there)
    }

    async fn keys(&self, prefix: &str) -> Result<Vec<String>> {
        let printed = self.run("list", None, None).await?;
        // Exposed to be read: names are no secrets.
        let names = printed.expose().split(|octet| *octet == b'\n');
        let names = names.filter_map(|name| str::from_utf8(name.trim_ascii()).ok());
        let wanted = names.filter(|name| super::is_key(name) && name.starts_with(prefix));
        let mut keys: Vec<_> = wanted.map(str::to_owned).collect();
        keys.sort_unstable();
        keys.dedup();
        Ok(keys)
    }

    async fn try_lock(&self, name: &str) -> Result<Option<VaultLock>> {
        let (locks, shard) = (self.locks.clone(), shard_of(name));
        let locked = off_thread(move || {
            locks.create_folder()?;
            locks.check_folder()?;
            locks.try_lock(shard)
        });
        Ok(locked.await?.map(VaultLock::holding))
    }
}

/// A secret store answers within seconds.
const LIMIT: Duration = Duration::from_secs(30);

const MAX_OUTPUT_BYTES: usize = 1024 * 1024;

/// One line of text: programs differ in what they do with other octets. The mark tells an empty record from none, and a
/// record from something else.
fn wrapped(value: &SecretBytes) -> SecretBytes {
    // Exposed to be kept by the program.
    let encoded = Zeroizing::new(STANDARD.encode(value.expose()));
    SecretBytes::new([MARK, encoded.as_bytes(), b"\n"].concat())
}

fn unwrapped(line: &[u8]) -> Option<SecretBytes> {
    let encoded = line.strip_prefix(MARK)?;
    STANDARD.decode(encoded).ok().map(SecretBytes::new)
}

const MARK: &[u8] = b"mailbearer-record:1:";

/// Where the processes of this user on this machine agree on who renews: a folder that only this user can write to.
fn locks(command: &[String], host: &Host) -> Result<Place> {
    let runtime = host
        .environment
        .variable("XDG_RUNTIME_DIR")
        .map(PathBuf::from);
    let folder = match runtime.filter(|folder| folder.is_absolute()) {
        Some(folder) => folder.join("mailbearer"),
        None => std::env::temp_dir().join(format!("mailbearer-{}", permission::user())),
    };
    let digest = digest(&SHA256, command.join("\0").as_bytes());
    let octets = digest.as_ref().iter().take(8);
    let name: String = octets.map(|octet| format!("{octet:02x}")).collect();
    Place::new(&folder.join(name).to_string_lossy())
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;
    use crate::vault::contract::keeps_the_contract;
    use std::os::unix::fs::PermissionsExt as _;
    use std::path::Path;
    use std::sync::Arc;

    /// A program as somebody might write it: a folder of files.
    fn script(folder: &Path, get: &str) -> Vec<String> {
        let path = folder.join("store.sh");
        let text = format!(
            "#!/bin/sh\nset -e\ncd '{}'\nfile=$(printf %s \"$2\" | tr / :)\ncase $1 in\nget) {get};;\n\
             set) cat > \".$file.$$\"; mv \".$file.$$\" \"r$file\";;\nremove) rm \"r$file\";;\n\
             list) for f in r*; do [ -e \"$f\" ] || continue; printf '%s\\n' \"${{f#r}}\" | tr : /; done;;\nesac\n",
            folder.display()
        );
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700)).unwrap();
        vec!["/bin/sh".to_owned(), path.display().to_string()]
    }

    const GET: &str = "if [ -e \"r$file\" ]; then cat \"r$file\"; fi";

    #[tokio::test(flavor = "multi_thread")]
    async fn a_program_keeps_the_contract() {
        let folder = tempfile::tempdir().unwrap();
        let command = script(folder.path(), GET);
        let vault = CommandVault::open(&command, &Host::default())
            .await
            .unwrap();
        keeps_the_contract(Arc::new(vault)).await;
    }

    #[tokio::test]
    async fn one_of_the_processes_renews() {
        let folder = tempfile::tempdir().unwrap();
        let command = script(folder.path(), GET);
        let one = CommandVault::open(&command, &Host::default())
            .await
            .unwrap();
        let other = CommandVault::open(&command, &Host::default())
            .await
            .unwrap();
        let held = one.try_lock("tokens/a").await.unwrap().unwrap();
        assert!(other.try_lock("tokens/a").await.unwrap().is_none());
        drop(held);
        assert!(other.try_lock("tokens/a").await.unwrap().is_some());
    }

    #[tokio::test]
    async fn says_what_the_program_does_wrong() {
        let folder = tempfile::tempdir().unwrap();
        let host = Host::default();
        let missing = ["/no/such/program".to_owned()];
        let error = CommandVault::open(&missing, &host).await.unwrap_err();
        assert_eq!(error.code(), "vault-command-missing");
        let error = CommandVault::open(&[], &host).await.unwrap_err();
        assert_eq!(error.code(), "vault-command-missing");
        let error = CommandVault::open(&["false".to_owned()], &host)
            .await
            .unwrap_err();
        assert_eq!(error.code(), "vault-command-failed");
        let check = async |get: &str, expected_code: &str| {
            let command = script(folder.path(), get);
            let vault = CommandVault::open(&command, &host).await.unwrap();
            let error = vault.read("tokens/a").await.unwrap_err();
            assert_eq!(error.code(), expected_code, "{get}");
            assert!(!format!("{error} {error:?}").contains("hunter2"));
        };
        check("echo hunter2", "vault-record-damaged").await;
        check("echo mailbearer-record:1:hunter2", "vault-record-damaged").await;
        check("echo hunter2; exit 1", "vault-command-failed").await;
    }
}
