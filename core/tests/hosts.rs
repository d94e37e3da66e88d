//! Groups of processes that share nothing but a PostgreSQL database, as machines do, ask the identity provider once for each
//! expiry, and lose no refresh token when the database lets go of a lock too early. The other processes are this test program again, told what to do on their standard input.

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

use async_trait::async_trait;
use mailbearer::host::{HttpClient, SystemHttp};
use mailbearer::model::{Passphrase, VaultSettings};
use mailbearer::{Config, Mailbearer, Parts, SignInFlow};
use mailbearer_sandbox::directory::{Rotation, seed};
use server::Postgres;
use std::path::Path;
use std::sync::Arc;
use support::{PERSON, World, person};
use tokio::sync::Semaphore;
use workers::{NOON, STEP_MS, SteppedClock, Worker, expire, issued, orders, work};

async fn open(url: &str, clock: Arc<SteppedClock>) -> Mailbearer {
    let parts = Parts {
        clock,
        ..Parts::default()
    };
    open_with(url, parts).await
}

async fn open_with(url: &str, parts: Parts) -> Mailbearer {
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

/// Holds back the answers of the identity provider.
#[derive(Debug)]
struct HeldAnswers {
    http: SystemHttp,
    arrived: Semaphore,
    let_through: Semaphore,
}

#[async_trait]
impl HttpClient for HeldAnswers {
    async fn call(
        &self,
        request: http::Request<Vec<u8>>,
    ) -> mailbearer::Result<http::Response<Vec<u8>>> {
        let answer = self.http.call(request).await;
        self.arrived.add_permits(1);
        self.let_through.acquire().await.unwrap().forget();
        answer
    }
}

/// Alice has signed in through a database, and her application's refresh tokens end when a later one is used.
async fn signed_in(postgres: &Postgres) -> World {
    let world = World::start().await;
    let directory = world.sandbox.tenant();
    directory.change_application(seed::PUBLIC_CLIENT_ID, |application| {
        application.rotation = Rotation::EndsWhenTheNextIsUsed;
    });
    let handle = open(&postgres.url(), SteppedClock::at(NOON)).await;
    handle.add_account(person(&world.sandbox)).await.unwrap();
    let begun = handle.begin_sign_in(PERSON, SignInFlow::DeviceCode).await;
    let prompt = begun.unwrap();
    let approved = world.sandbox.approve_device(&prompt.user_code, seed::ALICE);
    approved.await.unwrap();
    handle.finish_sign_in(&prompt).await.unwrap();
    world
}

/// The database ends the session that holds the lock, while the answer to this process's request is on its way.
async fn check_a_lost_lock(does_another_renew: bool) {
    let postgres = Postgres::start(&[]);
    let world = signed_in(&postgres).await;
    let hour = NOON + STEP_MS;
    expire(&world.sandbox, &mut [], hour);
    let held = Arc::new(HeldAnswers {
        http: SystemHttp::default(),
        arrived: Semaphore::new(0),
        let_through: Semaphore::new(0),
    });
    let parts = Parts {
        clock: SteppedClock::at(hour),
        http: held.clone(),
        ..Parts::default()
    };
    let one = open_with(&postgres.url(), parts).await;
    let renewing = tokio::spawn({
        let one = one.clone();
        async move { one.revealed_access_token(PERSON).await }
    });
    held.arrived.acquire().await.unwrap().forget();
    let locks = "SELECT count(pg_terminate_backend(pid)) FROM pg_locks WHERE locktype = 'advisory'";
    assert_eq!(postgres.ask(locks), "1");
    let other = open(&postgres.url(), SteppedClock::at(hour)).await;
    let newer = match does_another_renew {
        true => Some(other.revealed_access_token(PERSON).await.unwrap().token),
        false => None,
    };
    held.let_through.add_permits(1);
    let got = renewing.await.unwrap().unwrap().token;
    let stored = other.revealed_access_token(PERSON).await.unwrap().token;
    assert!(got == stored && newer.is_none_or(|newer| newer == got));
    // What is stored renews, in a process that has seen none of it.
    expire(&world.sandbox, &mut [], hour + STEP_MS);
    let newcomer = open(&postgres.url(), SteppedClock::at(hour + STEP_MS)).await;
    let renewed = newcomer.revealed_access_token(PERSON).await.unwrap();
    assert_ne!(renewed.token, got);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL: cargo xtask test vaults"]
async fn a_renewal_whose_session_the_database_ends_overwrites_nothing_newer() {
    check_a_lost_lock(true).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL: cargo xtask test vaults"]
async fn a_renewal_whose_session_the_database_ends_loses_no_refresh_token() {
    check_a_lost_lock(false).await;
}

async fn check_one_request_for_each_expiry(processes: usize, expiries: usize) {
    let postgres = Postgres::start(&["max_connections=400"]);
    let world = signed_in(&postgres).await;
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
