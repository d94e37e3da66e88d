//! Programs that are run for what they print: no shell, no input, bounded output, and none is left behind.

use crate::error::{Error, Result};
use crate::model::ProblemKind;
use crate::secret::SecretBytes;
use std::process::Stdio;
use tokio::io::AsyncReadExt as _;
use tokio::process::Command;

/// Runs a program and gives what it printed. Dropping the future kills it. Errors: `Config`, `Unavailable`.
pub(crate) async fn output_of(command: &[String]) -> Result<SecretBytes> {
    let [program, arguments @ ..] = command else {
        return Err(not_started("", std::io::ErrorKind::InvalidInput.into()));
    };
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null()) // It may repeat secrets, so it is for nobody's log.
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| not_started(program, error))?;
    let mut printed = Vec::new();
    if let Some(stdout) = child.stdout.take() {
        let mut bounded = stdout.take(MAX_OUTPUT_BYTES + 1);
        let read = bounded.read_to_end(&mut printed).await;
        read.map_err(|error| failed(program, "its output cannot be read").with_source(error))?;
    }
    let printed = SecretBytes::new(printed);
    // Exposed to be measured.
    if printed.expose().len() as u64 > MAX_OUTPUT_BYTES {
        return Err(failed(program, "it prints without end"));
    }
    let status = child.wait().await;
    match status {
        Ok(status) if status.success() => Ok(printed),
        Ok(status) => Err(failed(program, &status.to_string())),
        Err(error) => Err(failed(program, "its end is unknown").with_source(error)),
    }
}

/// A token is a few kilobytes.
const MAX_OUTPUT_BYTES: u64 = 64 * 1024;

fn not_started(program: &str, error: std::io::Error) -> Error {
    let text = format!("the token command cannot be started: {program}");
    let fix = "check that the program is installed, in PATH and executable for this process's user";
    Error::new(ProblemKind::Config, "token-command-missing", text, fix).with_source(error)
}

fn failed(program: &str, reason: &str) -> Error {
    let text = format!("the token command failed, {reason}: {program}");
    let fix =
        "run the same command in a terminal as this process's user: it says there what it lacks";
    Error::new(ProblemKind::Unavailable, "token-command-failed", text, fix)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    async fn run(script: &str) -> Result<SecretBytes> {
        output_of(&["/bin/sh".to_owned(), "-c".to_owned(), script.to_owned()]).await
    }

    #[tokio::test]
    async fn gives_what_the_program_prints() {
        let printed = run("cat; echo token; echo noise >&2").await.unwrap();
        assert_eq!(printed.expose(), b"token\n");
    }

    #[tokio::test]
    async fn says_why_there_is_nothing() {
        let error = run("echo hunter2; exit 3").await.unwrap_err();
        assert_eq!(error.code(), "token-command-failed");
        assert!(error.to_string().contains('3'), "{error}");
        assert!(!format!("{error:?}").contains("hunter2"));
        let error = run("exec yes").await.unwrap_err();
        assert!(error.to_string().contains("without end"), "{error}");
        let error = output_of(&["/no/such/program".to_owned()])
            .await
            .unwrap_err();
        assert_eq!(error.code(), "token-command-missing");
    }

    #[tokio::test]
    async fn a_dropped_wait_leaves_no_program_behind() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("pid");
        let script = format!("echo $$ > {}; exec sleep 600", file.display());
        let running = run(&script);
        let pid = async {
            loop {
                if let Ok(pid) = std::fs::read_to_string(&file)
                    && pid.ends_with('\n')
                {
                    return pid.trim().to_owned();
                }
                tokio::task::yield_now().await;
            }
        };
        let pid = tokio::select! {
            pid = pid => pid,
            _ = running => unreachable!("it sleeps"),
        };
        let is_alive = || {
            let state = std::fs::read_to_string(format!("/proc/{pid}/stat"));
            state.is_ok_and(|state| !state.contains(") Z "))
        };
        while is_alive() {
            tokio::task::yield_now().await;
        }
    }
}
