//! A sandbox, a vault of its own, and the binary run on both.
//! Whatever a run prints must hold no secret of the sandbox and no terminal escape, whichever test runs it.

use mailbearer_sandbox::directory::seed;
use mailbearer_sandbox::{Options, Sandbox};
use serde_json::Value;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// The passphrase of every test's vault.
pub(crate) const PASSPHRASE: &str = "correct horse battery staple";

/// One test's world.
pub(crate) struct World {
    pub(crate) sandbox: Sandbox,
    pub(crate) folder: TempDir,
}

/// How a run ended.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self {
            sandbox: Sandbox::start(Options::default()).await.unwrap(),
            folder: tempfile::tempdir().unwrap(),
        }
    }

    /// A world with an account of the application, which can send at once.
    pub(crate) async fn with_billing() -> Self {
        let world = Self::new().await;
        world.add_billing();
        world
    }

    pub(crate) fn add_billing(&self) {
        let secret = self.write("secret.txt", &format!("{}\n", seed::SERVICE_CLIENT_SECRET));
        let mut added = self.add("billing", seed::BILLING, seed::SERVICE_CLIENT_ID);
        let added = self.run_with(added.args(["--client-secret-file", &secret]), "");
        assert_eq!(added.code, 0, "{added:?}");
    }

    pub(crate) fn add_alice(&self) {
        let added = self.run_with(
            self.add("alice", seed::ALICE, seed::PUBLIC_CLIENT_ID)
                .args(["--grant", "device-code"]),
            "",
        );
        assert_eq!(added.code, 0, "{added:?}");
    }

    /// The command that adds an account of the sandbox.
    pub(crate) fn add(&self, name: &str, mailbox: &str, client_id: &str) -> Command {
        let mut command = self.command(&["account", "add", name]);
        command.args(["--mailbox", mailbox, "--client-id", client_id]);
        command.args(["--tenant", seed::DOMAIN]);
        command.args(["--authority", &self.sandbox.identity_https_url()]);
        command.args(["--smtp-host", "localhost"]);
        command.args([
            "--smtp-port",
            &self.sandbox.smtp_address().port().to_string(),
        ]);
        command.arg("--ca-file").arg(self.sandbox.ca_file());
        command
    }

    /// The binary with the test's vault and passphrase, and nothing else of the environment.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = bare_command(arguments);
        command.env("MAILBEARER_VAULT", self.path("vault.mbv"));
        command.env("MAILBEARER_PASSPHRASE", PASSPHRASE);
        command.env("HOME", self.folder.path());
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Run {
        self.run_with(&mut self.command(arguments), "")
    }

    /// Runs with `--json` and reads the one document.
    pub(crate) fn json(&self, arguments: &[&str]) -> (i32, Value) {
        let run = self.run_with(self.command(arguments).arg("--json"), "");
        (run.code, run.document())
    }

    pub(crate) fn run_with(&self, command: &mut Command, stdin: &str) -> Run {
        let run = run_unsearched(command, stdin);
        self.search(&run);
        run
    }

    /// Fails if a run printed a secret.
    pub(crate) fn search(&self, run: &Run) {
        let secrets = self.sandbox.secrets();
        for secret in secrets.iter().map(String::as_str).chain([PASSPHRASE]) {
            assert!(!run.stdout.contains(secret), "a secret on standard output");
            assert!(!run.stderr.contains(secret), "a secret on standard error");
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file and answers its path.
    pub(crate) fn write(&self, name: &str, content: &str) -> String {
        let path = self.path(name);
        std::fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

impl Run {
    /// The one JSON document on standard output; standard error must be empty then.
    pub(crate) fn document(&self) -> Value {
        assert_eq!(self.stderr, "", "{self:?}");
        assert_eq!(self.stdout.lines().count(), 1, "{self:?}");
        serde_json::from_str(&self.stdout).unwrap()
    }

    /// Checks the exit code and the error's cause, on standard error alone.
    pub(crate) fn fails_with(&self, code: i32, cause: &str) {
        assert_eq!(self.code, code, "{self:?}");
        assert_eq!(self.stdout, "");
        assert!(self.stderr.starts_with("error: "), "{self:?}");
        let label = self
            .stderr
            .lines()
            .find_map(|line| line.trim().strip_prefix("cause"));
        assert_eq!(label.map(str::trim), Some(cause), "{self:?}");
        assert!(self.stderr.contains("\n  next "), "{self:?}");
    }
}

/// The binary with an empty environment but for the path of other programs.
pub(crate) fn bare_command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mailbearer"));
    command.env_clear();
    for kept in ["PATH", "SYSTEMROOT", "TMPDIR", "TEMP"] {
        if let Some(value) = std::env::var_os(kept) {
            command.env(kept, value);
        }
    }
    command.args(arguments);
    command
}

/// Runs without a search for secrets: for what is meant to print one.
pub(crate) fn run_unsearched(command: &mut Command, stdin: &str) -> Run {
    let mut child = spawn(command);
    // A child that ended already does not read; that is its own business.
    let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
    finished(child, String::new())
}

pub(crate) fn spawn(command: &mut Command) -> Child {
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Reads standard output up to and including the first line that holds a text.
pub(crate) fn read_until(child: &mut Child, reader: &mut Option<Reader>, text: &str) -> String {
    let reader = reader.get_or_insert_with(|| BufReader::new(child.stdout.take().unwrap()));
    let mut read = String::new();
    loop {
        let start = read.len();
        assert_ne!(
            reader.read_line(&mut read).unwrap(),
            0,
            "ended before {text:?}: {read}"
        );
        if read[start..].contains(text) {
            return read;
        }
    }
}

/// A child's standard output, read line by line.
pub(crate) type Reader = BufReader<std::process::ChildStdout>;

/// Waits for the end of a child whose standard output may have been read in part.
pub(crate) fn finished(child: Child, read_before: String) -> Run {
    let output = child.wait_with_output().unwrap();
    let rest = String::from_utf8(output.stdout).unwrap();
    let run = Run {
        code: output.status.code().unwrap_or(-1),
        stdout: read_before + &rest,
        stderr: String::from_utf8(output.stderr).unwrap(),
    };
    for text in [&run.stdout, &run.stderr] {
        assert!(
            !text.contains('\u{1b}'),
            "an escape without a terminal: {text:?}"
        );
    }
    run
}
