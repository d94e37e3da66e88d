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
#[path = "support/workers.rs"]
mod workers;

use mailbearer::model::{Passphrase, VaultSettings};
use mailbearer::{Config, Mailbearer, Parts, SignInFlow};
use server::Postgres;
use std::path::Path;
use std::sync::Arc;
use support::{PERSON, World, person};
use workers::{NOON, STEP_MS, SteppedClock, Worker, expire, issued, orders, work};

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

/// `home` holds whatever a machine's processes could share through files.
fn start(url: &str, home: &Path) -> Worker {
    let variables = ["HOME", "TMPDIR", "XDG_RUNTIME_DIR"].map(|variable| (variable, home));
    Worker::start("works_on_another_machine", &[url], |command| {
        command.envs(variables).current_dir(home)
    })
}

/// Not a test: what a [`Worker`] does.
#[tokio::test]
#[ignore = "started by the other tests of this file"]
async fn works_on_another_machine() {
    let mut orders = orders();
    let Some(url) = orders.next() else { return };
    let clock = SteppedClock::at(NOON);
    let mailbearer = open(&url, clock.clone()).await;
    work(mailbearer, clock, PERSON, orders).await;
}

async fn check_one_request_for_each_expiry(processes: usize, expiries: usize) {
    let postgres = Postgres::start(&["max_connections=400"]);
    let world = World::start().await;
    let handle = open(&postgres.url(), SteppedClock::at(NOON)).await;
    handle.add_account(person(&world.sandbox)).await.unwrap();
    let begun = handle.begin_sign_in(PERSON, SignInFlow::DeviceCode).await;
    let prompt = begun.unwrap();
    let alice = mailbearer_sandbox::directory::seed::ALICE;
    let approved = world.sandbox.approve_device(&prompt.user_code, alice);
    approved.await.unwrap();
    handle.finish_sign_in(&prompt).await.unwrap();
    let machines = [(); 3].map(|()| tempfile::tempdir().unwrap());
    let mut workers: Vec<_> = (0..processes)
        .map(|number| start(&postgres.url(), machines[number % 3].path()))
        .collect();
    let before = issued(&world.sandbox);
    for expiry in 1..=expiries {
        let hour = NOON + i64::try_from(expiry).unwrap() * STEP_MS;
        expire(&world.sandbox, &mut workers, hour);
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
    let hour = NOON + i64::try_from(expiries + 1).unwrap() * STEP_MS;
    expire(&world.sandbox, &mut [], hour);
    let newcomer = open(&postgres.url(), SteppedClock::at(hour)).await;
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
