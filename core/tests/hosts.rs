//! Groups of processes that share nothing but a PostgreSQL database, as machines do, ask the identity provider once for each
//! expiry. The other processes are this test program again, told what to do on their standard input.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "tests may stop where they stand"
)]

#[expect(
    dead_code,
    reason = "shared with the vault's own tests, which use all of it"
)]
#[path = "support/postgres.rs"]
mod server;
mod support;

use async_trait::async_trait;
use mailbearer::host::{Clock, SystemClock};
use mailbearer::model::{Passphrase, VaultSettings};
use mailbearer::{Config, Mailbearer, Parts, SignInFlow};
use mailbearer_sandbox::Sandbox;
use server::Postgres;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use support::{PERSON, World, person};

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

async fn open(url: &str, clock: Arc<SteppedClock>) -> Mailbearer {
    let text = "correct horse".to_owned().into();
    let config = Config {
        vault: VaultSettings::Postgres {
            url: url.to_owned().into(),
            password: None,
            ca_pem: None,
            passphrase: Passphrase::Text { text },
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

/// A process on one of the machines.
struct Worker {
    process: Child,
    orders: ChildStdin,
    answers: std::io::Lines<BufReader<ChildStdout>>,
}

impl Worker {
    /// `home` holds whatever a machine's processes could share through files.
    fn start(url: &str, home: &Path) -> Self {
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args([
                "--ignored",
                "--exact",
                "works_on_another_machine",
                "--nocapture",
            ])
            .envs(["HOME", "TMPDIR", "XDG_RUNTIME_DIR"].map(|variable| (variable, home)))
            .current_dir(home)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut orders = process.stdin.take().unwrap();
        writeln!(orders, "{url}").unwrap();
        let answers = BufReader::new(process.stdout.take().unwrap()).lines();
        Self {
            process,
            orders,
            answers,
        }
    }

    fn order(&mut self, hour: i64) {
        writeln!(self.orders, "{hour}").unwrap();
    }

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
async fn works_on_another_machine() {
    let mut orders = std::io::stdin().lines().map_while(Result::ok);
    let Some(url) = orders.next() else { return };
    let clock = clock();
    let mailbearer = open(&url, clock.clone()).await;
    for hour in orders {
        let hour = hour.parse().unwrap();
        clock.now_unix_ms.store(hour, Ordering::SeqCst);
        let answer = match mailbearer.revealed_access_token(PERSON).await {
            // The end of a token's signature tells tokens apart, and is no secret.
            Ok(token) => token.token.chars().rev().take(12).collect(),
            Err(error) => format!("{error:?}"),
        };
        writeln!(std::io::stdout().lock(), "\n{TOLD}{answer}").unwrap();
    }
}

/// Access tokens the sandbox has issued: every one is in its ledger of secrets.
fn issued(sandbox: &Sandbox) -> usize {
    let secrets = sandbox.secrets();
    let tokens = secrets.iter().filter(|secret| secret.starts_with("eyJ"));
    tokens.count()
}

async fn check_one_request_for_each_expiry(processes: usize, expiries: usize) {
    let postgres = Postgres::start(&["max_connections=400"]);
    let world = World::start().await;
    let handle = open(&postgres.url(), clock()).await;
    handle.add_account(person(&world.sandbox)).await.unwrap();
    let begun = handle.begin_sign_in(PERSON, SignInFlow::DeviceCode).await;
    let prompt = begun.unwrap();
    let alice = mailbearer_sandbox::directory::seed::ALICE;
    let approved = world.sandbox.approve_device(&prompt.user_code, alice);
    approved.await.unwrap();
    handle.finish_sign_in(&prompt).await.unwrap();
    let machines = [(); 3].map(|()| tempfile::tempdir().unwrap());
    let mut workers: Vec<_> = (0..processes)
        .map(|number| Worker::start(&postgres.url(), machines[number % 3].path()))
        .collect();
    let before = issued(&world.sandbox);
    for expiry in 1..=expiries {
        let step = Duration::from_millis(STEP_MS.unsigned_abs());
        world.sandbox.clock().advance(step);
        let hour = NOON + i64::try_from(expiry).unwrap() * STEP_MS;
        workers.iter_mut().for_each(|worker| worker.order(hour));
        let answers: Vec<_> = workers
            .iter_mut()
            .map(|worker| worker.answer().unwrap())
            .collect();
        let is_one = answers.windows(2).all(|pair| pair.first() == pair.last());
        assert!(is_one && answers[0].len() == 12, "{answers:?}");
        assert_eq!(issued(&world.sandbox) - before, expiry, "{answers:?}");
    }
    // What is stored renews once more, in a process that has seen none of it.
    drop(workers);
    let late = clock();
    let hour = NOON + i64::try_from(expiries + 1).unwrap() * STEP_MS;
    late.now_unix_ms.store(hour, Ordering::SeqCst);
    let step = Duration::from_millis(STEP_MS.unsigned_abs());
    world.sandbox.clock().advance(step);
    let newcomer = open(&postgres.url(), late).await;
    newcomer.revealed_access_token(PERSON).await.unwrap();
    let rows = postgres.ask("SELECT count(*) FROM mailbearer_records WHERE name = 'tokens/person'");
    assert_eq!(rows, "1");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL: cargo xtask test vaults"]
async fn three_machines_share_one_request_for_each_expiry() {
    check_one_request_for_each_expiry(9, 20).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes: cargo xtask test vaults"]
async fn three_machines_of_thirty_three_processes_share_one_request_for_each_of_two_hundred_expiries()
 {
    check_one_request_for_each_expiry(99, 200).await;
}
