//! Processes that renew the same tokens: the test program again, told what to do on its standard input.

use async_trait::async_trait;
use mailbearer::Mailbearer;
use mailbearer::host::{Clock, SystemClock};
use mailbearer_sandbox::Sandbox;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

pub(crate) const NOON: i64 = 1_795_780_800_000;
/// Longer than any token of the sandbox lives.
pub(crate) const STEP_MS: i64 = 3 * 3600 * 1000;

/// Reads the hour from elsewhere, and waits in real time.
#[derive(Debug)]
pub(crate) struct SteppedClock {
    now_unix_ms: AtomicI64,
    real: SystemClock,
}

impl SteppedClock {
    /// A clock that stands at an hour.
    pub(crate) fn at(now_unix_ms: i64) -> Arc<Self> {
        Arc::new(Self {
            now_unix_ms: AtomicI64::new(now_unix_ms),
            real: SystemClock::default(),
        })
    }
}

impl SteppedClock {
    /// Moves it to another hour.
    pub(crate) fn set(&self, now_unix_ms: i64) {
        self.now_unix_ms.store(now_unix_ms, Ordering::SeqCst);
    }
}

#[async_trait]
impl Clock for SteppedClock {
    fn now_unix_ms(&self) -> i64 {
        self.now_unix_ms.load(Ordering::SeqCst)
    }

    fn elapsed(&self) -> Duration {
        self.real.elapsed()
    }

    async fn sleep(&self, duration: Duration) {
        self.real.sleep(duration).await;
    }
}

/// Another process with a handle of its own.
pub(crate) struct Worker {
    pub(crate) process: Child,
    orders: ChildStdin,
    answers: std::io::Lines<BufReader<ChildStdout>>,
}

impl Worker {
    /// Starts this program again for one of its tests, and says these lines to it. `changed` may give it other
    /// surroundings.
    pub(crate) fn start(
        test: &str,
        lines: &[&str],
        changed: impl FnOnce(&mut Command) -> &mut Command,
    ) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--ignored", "--exact", test, "--nocapture"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = changed(&mut command).spawn().unwrap();
        let mut orders = process.stdin.take().unwrap();
        for line in lines {
            writeln!(orders, "{line}").unwrap();
        }
        let answers = BufReader::new(process.stdout.take().unwrap()).lines();
        Self {
            process,
            orders,
            answers,
        }
    }

    /// Tells it the hour; it then gets a token.
    pub(crate) fn order(&mut self, hour: i64) {
        writeln!(self.orders, "{hour}").unwrap();
    }

    /// The token's fingerprint, or what went wrong; `None` when the process is gone.
    pub(crate) fn answer(&mut self) -> Option<String> {
        let lines = self.answers.by_ref().map_while(Result::ok);
        lines
            .filter_map(|line| Some(line.split_once(TOLD)?.1.to_owned()))
            .next()
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// What an answer begins with.
pub(crate) const TOLD: &str = "worker> ";

/// What a [`Worker`] hears, line by line.
pub(crate) fn orders() -> impl Iterator<Item = String> {
    std::io::stdin().lines().map_while(Result::ok)
}

/// What a [`Worker`] does: gets a token at each hour it is told.
pub(crate) async fn work(
    mailbearer: Mailbearer,
    clock: Arc<SteppedClock>,
    account: &str,
    hours: impl Iterator<Item = String>,
) {
    for hour in hours {
        let hour = hour.parse().unwrap();
        clock.set(hour);
        let answer = match mailbearer.revealed_access_token(account).await {
            // The end of a token's signature tells tokens apart, and is no secret.
            Ok(token) => token.token.chars().rev().take(12).collect(),
            Err(error) => format!("{error:?}"),
        };
        writeln!(std::io::stdout().lock(), "\n{TOLD}{answer}").unwrap();
    }
}

/// Access tokens the sandbox has issued: every one is in its ledger of secrets.
pub(crate) fn issued(sandbox: &Sandbox) -> usize {
    let secrets = sandbox.secrets();
    let tokens = secrets.iter().filter(|secret| secret.starts_with("eyJ"));
    tokens.count()
}

/// Ends every token, by an hour that all workers are told; each of them then gets a new one.
pub(crate) fn expire(sandbox: &Sandbox, workers: &mut [Worker], hour: i64) {
    let step = Duration::from_millis(STEP_MS.unsigned_abs());
    sandbox.clock().advance(step);
    workers.iter_mut().for_each(|worker| worker.order(hour));
}
