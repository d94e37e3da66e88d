//! Many processes that share one vault ask the identity provider once for each expiry, whoever of them lives or dies.
//! The other processes are this test program again, told what to do on their standard input.

#![expect(clippy::unwrap_used, reason = "tests may stop where they stand")]

mod support;

use async_trait::async_trait;
use mailbearer::host::{Clock, SystemClock};
use mailbearer::model::{Passphrase, VaultSettings};
use mailbearer::{Config, Mailbearer, Parts};
use mailbearer_sandbox::Sandbox;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use support::{PERSON, SERVICE, World, person, service};

/// Reads the hour from elsewhere, and waits in real time.
#[derive(Debug)]
struct SteppedClock {
    now_unix_ms: AtomicI64,
    real: SystemClock,
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

const NOON: i64 = 1_795_780_800_000;
/// Longer than any token of the sandbox lives.
const STEP_MS: i64 = 3 * 3600 * 1000;

async fn open(path: &Path, clock: Arc<SteppedClock>) -> Mailbearer {
    let config = Config {
        vault: VaultSettings::File {
            path: path.display().to_string(),
            passphrase: Passphrase::Text {
                text: "correct horse".to_owned().into(),
            },
        },
        ..Config::default()
    };
    let parts = Parts {
        clock,
        ..Parts::default()
    };
    Mailbearer::open_with(config, parts).await.unwrap()
}

fn clock() -> Arc<SteppedClock> {
    Arc::new(SteppedClock {
        now_unix_ms: AtomicI64::new(NOON),
        real: SystemClock::default(),
    })
}

/// Another process with a handle of its own.
struct Worker {
    process: Child,
    orders: ChildStdin,
    answers: std::io::Lines<BufReader<ChildStdout>>,
}

impl Worker {
    fn start(path: &Path, account: &str) -> Self {
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args([
                "--ignored",
                "--exact",
                "works_for_another_process",
                "--nocapture",
            ])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut orders = process.stdin.take().unwrap();
        writeln!(orders, "{}\n{account}", path.display()).unwrap();
        let answers = BufReader::new(process.stdout.take().unwrap()).lines();
        Self {
            process,
            orders,
            answers,
        }
    }

    /// Tells it the hour; it then gets a token.
    fn order(&mut self, hour: i64) {
        writeln!(self.orders, "{hour}").unwrap();
    }

    /// The token's fingerprint, or what went wrong; `None` when the process is gone.
    fn answer(&mut self) -> Option<String> {
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

const TOLD: &str = "worker> ";

/// Not a test: what a [`Worker`] does.
#[tokio::test]
#[ignore = "started by the other tests of this file"]
async fn works_for_another_process() {
    let mut orders = std::io::stdin().lines().map_while(Result::ok);
    let (Some(path), Some(account)) = (orders.next(), orders.next()) else {
        return;
    };
    let clock = clock();
    let mailbearer = open(Path::new(&path), clock.clone()).await;
    for hour in orders {
        clock
            .now_unix_ms
            .store(hour.parse().unwrap(), Ordering::SeqCst);
        let answer = match mailbearer.revealed_access_token(&account).await {
            // The end of a token's signature tells tokens apart, and is no secret.
            Ok(token) => token.token.chars().rev().take(12).collect(),
            Err(error) => format!("{error:?}"),
        };
        writeln!(std::io::stdout().lock(), "\n{TOLD}{answer}").unwrap();
    }
}

/// Tokens the sandbox has issued: every one is in its ledger of secrets.
fn issued(sandbox: &Sandbox) -> usize {
    let secrets = sandbox.secrets();
    secrets
        .iter()
        .filter(|secret| secret.starts_with("eyJ"))
        .count()
}

fn expire(sandbox: &Sandbox, workers: &mut [Worker], hour: i64) {
    sandbox
        .clock()
        .advance(Duration::from_millis(STEP_MS.unsigned_abs()));
    workers.iter_mut().for_each(|worker| worker.order(hour));
}

async fn check_one_request_for_each_expiry(processes: usize, expiries: usize) {
    let world = World::start().await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vault.mbv");
    let handle = open(&path, clock()).await;
    handle.add_account(service(&world.sandbox)).await.unwrap();
    let mut workers: Vec<_> = (0..processes)
        .map(|_| Worker::start(&path, SERVICE))
        .collect();
    for expiry in 1..=expiries {
        expire(
            &world.sandbox,
            &mut workers,
            NOON + i64::try_from(expiry).unwrap() * STEP_MS,
        );
        let answers: Vec<_> = workers
            .iter_mut()
            .map(|worker| worker.answer().unwrap())
            .collect();
        assert!(
            answers.windows(2).all(|pair| pair.first() == pair.last()),
            "{answers:?}"
        );
        assert_eq!(issued(&world.sandbox), expiry, "{answers:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_share_one_request_for_each_expiry() {
    check_one_request_for_each_expiry(8, 25).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes: run cargo xtask test processes"]
async fn a_hundred_processes_share_one_request_for_each_of_two_hundred_expiries() {
    check_one_request_for_each_expiry(100, 200).await;
}

/// A process that dies while it renews, at any moment, costs the others at most one more request, and no refresh token.
#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_is_killed_while_it_renews_loses_no_refresh_token() {
    let world = World::start().await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vault.mbv");
    let handle = open(&path, clock()).await;
    handle.add_account(person(&world.sandbox)).await.unwrap();
    let prompt = handle
        .begin_sign_in(PERSON, mailbearer::SignInFlow::DeviceCode)
        .await
        .unwrap();
    let alice = mailbearer_sandbox::directory::seed::ALICE;
    world
        .sandbox
        .approve_device(&prompt.user_code, alice)
        .await
        .unwrap();
    handle.finish_sign_in(&prompt).await.unwrap();
    let mut seed: u64 = 20_261_125;
    for round in 1..=16 {
        let mut workers = vec![Worker::start(&path, PERSON), Worker::start(&path, PERSON)];
        let hour = NOON + round * STEP_MS;
        expire(&world.sandbox, &mut workers, hour);
        // Opening takes the first tenths of a second, the renewal the next hundredths.
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        std::thread::sleep(Duration::from_millis(100 + (seed >> 33) % 250));
        workers[0].process.kill().unwrap();
        let survivor = workers[1].answer().unwrap();
        assert_eq!(survivor.len(), 12, "round {round}: {survivor}");
    }
}
