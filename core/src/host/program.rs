//! Programs that are run for what they print: no shell, bounded output, and none is left behind.

use crate::error::{Error, Result};
use crate::model::ProblemKind;
use crate::secret::SecretBytes;
use std::io;
use std::process::Stdio;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{ChildStdin, ChildStdout, Command};
use zeroize::Zeroizing;

/// Runs the token command and gives what it printed. Dropping the future kills it. Errors: `Config`, `Unavailable`.
pub(crate) async fn output_of(command: &[String]) -> Result<SecretBytes> {
    let program = command.first().map_or("", String::as_str);
    let printed = run(command, None, MAX_TOKEN_BYTES).await;
    printed.map_err(|failure| match failure {
        ProgramFailure::NotStarted(error) => not_started(program, error),
        ProgramFailure::Failed(reason) => failed(program, &reason),
    })
}

/// Why a program gave nothing.
#[derive(Debug)]
pub(crate) enum ProgramFailure {
    /// It is not there, or may not be run.
    NotStarted(io::Error),
    /// It ended otherwise than well; the text continues "the program failed,".
    Failed(String),
}

/// Runs a program, hands it the input on its standard input, and gives what it printed if it ended well. It gets this
/// process's environment without the variables that begin with `MAILBEARER_`.
/// Dropping the future kills it.
pub(crate) async fn run(
    command: &[String],
    input: Option<&SecretBytes>,
    max_output_bytes: usize,
) -> Result<SecretBytes, ProgramFailure> {
    let [program, arguments @ ..] = command else {
        return Err(ProgramFailure::NotStarted(
            io::ErrorKind::InvalidInput.into(),
        ));
    };
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        // Our passphrases and accounts are none of its business.
        if name.to_string_lossy().starts_with("MAILBEARER_") {
            command.env_remove(name);
        }
    }
    let mut child = command
        .args(arguments)
        .stdin(input.map_or_else(Stdio::null, |_| Stdio::piped()))
        .stdout(Stdio::piped())
        .stderr(Stdio::null()) // It may repeat secrets, so it is for nobody's log.
        .kill_on_drop(true)
        .spawn()
        .map_err(ProgramFailure::NotStarted)?;
    let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
    // At the same time: a program may print before it has read everything.
    let (written, printed) =
        tokio::join!(write_all(stdin, input), read_all(stdout, max_output_bytes));
    let printed = printed?;
    match child.wait().await {
        Ok(status) if status.success() => written.map(|()| printed),
        Ok(status) => Err(ProgramFailure::Failed(status.to_string())),
        Err(error) => Err(ProgramFailure::Failed(format!(
            "its end is unknown ({})",
            error.kind()
        ))),
    }
}

async fn write_all(
    stdin: Option<ChildStdin>,
    input: Option<&SecretBytes>,
) -> Result<(), ProgramFailure> {
    let (Some(mut stdin), Some(input)) = (stdin, input) else {
        return Ok(());
    };
    // Exposed to be handed over. Closed at the end, which tells the program that this is all.
    let written = stdin.write_all(input.expose()).await;
    written.map_err(|_| ProgramFailure::Failed("it did not read its input".to_owned()))
}

/// Room for the longest output from the start: a vector that grows leaves copies behind.
async fn read_all(
    stdout: Option<ChildStdout>,
    max_bytes: usize,
) -> Result<SecretBytes, ProgramFailure> {
    let mut printed = Zeroizing::new(Vec::with_capacity(max_bytes + 1));
    if let Some(stdout) = stdout {
        let mut bounded = stdout.take((max_bytes + 1) as u64);
        let read = bounded.read_to_end(&mut printed).await;
        read.map_err(|error| {
            ProgramFailure::Failed(format!("its output cannot be read ({})", error.kind()))
        })?;
    }
    match printed.len() > max_bytes {
        true => Err(ProgramFailure::Failed("it prints without end".to_owned())),
        false => Ok(SecretBytes::new(printed.to_vec())),
    }
}

/// A token is a few kilobytes.
const MAX_TOKEN_BYTES: usize = 64 * 1024;

fn not_started(program: &str, error: io::Error) -> Error {
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
    async fn hands_over_more_than_a_pipe_holds_while_it_reads() {
        let input = SecretBytes::new(vec![b'x'; 500_000]);
        let printed = super::run(&["cat".to_owned()], Some(&input), 500_000).await;
        assert_eq!(printed.unwrap().expose(), input.expose());
        let unread = super::run(&["true".to_owned()], Some(&input), 9).await;
        assert!(matches!(unread, Err(ProgramFailure::Failed(reason)) if reason.contains("input")));
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
