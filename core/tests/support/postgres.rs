//! A PostgreSQL of its own for one test: in a temporary folder, on a Unix socket and a free port of 127.0.0.1, and gone at
//! the end. As root it runs as the user `postgres`, whom Debian's package makes, since the server refuses root.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// A running server. Dropping it stops it.
pub(crate) struct Postgres {
    folder: TempDir,
    port: u16,
    programs: PathBuf,
    server: Child,
}

impl Postgres {
    /// Starts a server. `settings` are lines of `postgresql.conf`.
    pub(crate) fn start(settings: &[&str]) -> Self {
        Self::start_with_files(&[], settings)
    }

    /// Starts a server with these files in its data folder.
    pub(crate) fn start_with_files(files: &[(&str, &str)], settings: &[&str]) -> Self {
        let programs = programs().expect("PostgreSQL is not installed: apt-get install postgresql");
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        run(Command::new("chmod").arg("755").arg(folder.path()));
        std::fs::create_dir(&data).unwrap();
        std::fs::write(folder.path().join("password"), PASSWORD).unwrap();
        if is_root() {
            run(Command::new("chown")
                .args(["-R", "postgres"])
                .arg(folder.path()));
        }
        run(as_server(&programs.join("initdb"))
            .args([
                "--username=owner",
                "--auth=scram-sha-256",
                "--no-sync",
                "--no-instructions",
            ])
            .arg(format!(
                "--pwfile={}",
                folder.path().join("password").display()
            ))
            .arg("--pgdata")
            .arg(&data)
            .stdout(Stdio::null()));
        for (name, content) in files {
            let path = data.join(name);
            std::fs::write(&path, content).unwrap();
            run(Command::new("chmod").arg("600").arg(&path));
            if is_root() {
                run(Command::new("chown").arg("postgres").arg(&path));
            }
        }
        let port = free_port();
        let server = start_server(&programs, folder.path(), port, settings);
        let postgres = Self {
            folder,
            port,
            programs,
            server,
        };
        postgres.wait();
        postgres
    }

    /// Where to connect, with the owner's password in it.
    pub(crate) fn url(&self) -> String {
        format!(
            "postgresql://owner:{PASSWORD}@127.0.0.1:{}/postgres",
            self.port
        )
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// The folder of the socket.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Runs statements as the owner.
    pub(crate) fn execute(&self, statements: &str) {
        run(self.psql().args(["--quiet", "--command", statements]));
    }

    /// What a statement prints.
    pub(crate) fn ask(&self, statement: &str) -> String {
        let output = self
            .psql()
            .args(["--tuples-only", "--no-align", "--command", statement])
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// Ends the server as a power cut would, and starts it again.
    pub(crate) fn crash_and_restart(&mut self) {
        self.stop("immediate");
        self.server = start_server(&self.programs, self.folder.path(), self.port, &[]);
        self.wait();
    }

    fn stop(&mut self, mode: &str) {
        let data = self.folder.path().join("data");
        run(as_server(&self.programs.join("pg_ctl"))
            .args(["stop", "--silent", "--mode", mode, "--pgdata"])
            .arg(data));
        let _ = self.server.wait();
    }

    fn psql(&self) -> Command {
        let mut command = self.as_owner("psql");
        command.args(["--no-psqlrc", "--set", "ON_ERROR_STOP=1"]);
        command.arg("--dbname=postgresql:///postgres");
        command
    }

    /// A program of PostgreSQL's, signed in over the socket, which works whatever the network's rules are.
    pub(crate) fn as_owner(&self, program: &str) -> Command {
        let mut command = Command::new(self.programs.join(program));
        command
            .env("PGHOST", self.folder.path())
            .env("PGUSER", "owner");
        command.env("PGPORT", self.port.to_string());
        command.env("PGPASSWORD", PASSWORD);
        command
    }

    fn wait(&self) {
        for _ in 0..600 {
            if self.ask("SELECT 1") == "1" {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        panic!("PostgreSQL has not started");
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.stop("immediate");
    }
}

/// The owner's, and a secret as far as tests go.
pub(crate) const PASSWORD: &str = "owner-of-the-database";

fn start_server(programs: &Path, folder: &Path, port: u16, settings: &[&str]) -> Child {
    let mut command = as_server(&programs.join("postgres"));
    command.arg("-D").arg(folder.join("data"));
    command.args(["-h", "127.0.0.1", "-p", &port.to_string(), "-k"]);
    command.arg(folder);
    command.args(settings.iter().flat_map(|setting| ["-c", setting]));
    command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

fn as_server(program: &Path) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args([
        "--reuid=postgres",
        "--regid=postgres",
        "--clear-groups",
        "--",
    ]);
    command.arg(program).current_dir("/");
    command
}

fn run(command: &mut Command) {
    let output = command.stdin(Stdio::null()).output().unwrap();
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {words}");
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    listener.local_addr().unwrap().port()
}

/// The newest version that Debian's packages have installed, or any that is in PATH.
fn programs() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").ok();
    let versions = versions.into_iter().flatten().flatten();
    let programs = versions.map(|version| version.path().join("bin"));
    let in_path = std::env::var_os("PATH").unwrap_or_default();
    let in_path = std::env::split_paths(&in_path).collect::<Vec<_>>();
    let has_server = |folder: &PathBuf| folder.join("initdb").exists();
    programs
        .filter(has_server)
        .max()
        .or_else(|| in_path.into_iter().find(has_server))
}
