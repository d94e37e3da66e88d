//! Many processes that share one vault ask the identity provider once for each expiry, whoever of them lives or dies.
//! The other processes are this test program again, told what to do on their standard input.

#![expect(clippy::unwrap_used, reason = "tests may stop where they stand")]

mod support;
#[path = "support/workers.rs"]
mod workers;

use mailbearer::model::{Passphrase, VaultSettings};
use mailbearer::{Config, Mailbearer, Parts};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use support::{PERSON, SERVICE, World, person, service};
use workers::{NOON, STEP_MS, SteppedClock, Worker, expire, issued, orders, work};

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

fn start(path: &Path, account: &str) -> Worker {
    let lines = [&*path.to_string_lossy(), account];
    Worker::start("works_for_another_process", &lines, |command| command)
}

/// Not a test: what a [`Worker`] does.
#[tokio::test]
#[ignore = "started by the other tests of this file"]
async fn works_for_another_process() {
    let mut orders = orders();
    let (Some(path), Some(account)) = (orders.next(), orders.next()) else {
        return;
    };
    let clock = SteppedClock::at(NOON);
    let mailbearer = open(Path::new(&path), clock.clone()).await;
    work(mailbearer, clock, &account, orders).await;
}

async fn check_one_request_for_each_expiry(processes: usize, expiries: usize) {
    let world = World::start().await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vault.mbv");
    let handle = open(&path, SteppedClock::at(NOON)).await;
    handle.add_account(service(&world.sandbox)).await.unwrap();
    let mut workers: Vec<_> = (0..processes).map(|_| start(&path, SERVICE)).collect();
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
    let handle = open(&path, SteppedClock::at(NOON)).await;
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
        let mut workers = vec![start(&path, PERSON), start(&path, PERSON)];
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
