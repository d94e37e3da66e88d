//! One server as a child process: started, waited for until it says that it is ready, and stopped by process id.
//! Its output is kept and printed when the test fails. What the server is and how it is configured is decided elsewhere.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use tokio::sync::oneshot;

use super::Unavailable;

/// A running server; dropping it stops the server and waits until it has ended.
pub(crate) struct ServerProcess {
    name: &'static str,
    guard: Child,
    output: Arc<Mutex<String>>,
}

impl ServerProcess {
    /// Runs `command` in the foreground and returns once `ready` has found what it looks for in a line of output.
    pub(crate) async fn start<T: Send + 'static>(
        name: &'static str,
        command: &[&OsStr],
        ready: impl Fn(&str) -> Option<T> + Send + 'static,
    ) -> Result<(Self, T), Unavailable> {
        let mut guard = Command::new("sh")
            .args(["-c", SERVER_SCRIPT, "sh"])
            .args(command)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null()) // the script sends the server's own to stdout
            .spawn()
            .map_err(|error| Unavailable::did_not_start(name, error))?;
        let stdout = guard.stdout.take().expect("stdout is piped");
        let server = Self {
            name,
            guard,
            output: Arc::default(),
        };
        let (found, answer) = oneshot::channel();
        let output = Arc::clone(&server.output);
        thread::spawn(move || read_output(stdout, &output, ready, found));
        match tokio::time::timeout(START_DEADLINE, answer).await {
            Ok(Ok(found)) => Ok((server, found)),
            _ => Err(Unavailable::did_not_start(name, server.output())),
        }
    }

    /// What it has said so far.
    pub(crate) fn output(&self) -> String {
        self.output.lock().unwrap().clone()
    }
}

impl Drop for ServerProcess {
    #[expect(
        clippy::print_stderr,
        reason = "the test runner shows it with the failed test"
    )]
    fn drop(&mut self) {
        drop(self.guard.stdin.take()); // this is the order to stop
        drop(self.guard.wait());
        if thread::panicking() {
            eprintln!("--- {}\n{}", self.name, self.output());
        }
    }
}

/// Keeps every line but the one that says the server is ready: the provider's holds a secret.
fn read_output<T>(
    stdout: ChildStdout,
    output: &Mutex<String>,
    ready: impl Fn(&str) -> Option<T>,
    found: oneshot::Sender<T>,
) {
    let mut found = Some(found);
    for line in BufReader::new(stdout).split(b'\n').map_while(Result::ok) {
        let line = String::from_utf8_lossy(&line);
        match (ready(&line), found.take()) {
            (Some(value), Some(waiting)) => drop(waiting.send(value)),
            (_, still_waiting) => {
                found = still_waiting;
                output.lock().unwrap().extend([&line, "\n"]);
            }
        }
    }
}

const SERVER_SCRIPT: &str = include_str!("server.sh");

/// Far more than a start takes, for machines that run much else.
const START_DEADLINE: Duration = Duration::from_secs(30);
