//! Connections to the mail server: kept for the next mail, never more than a mailbox may have, shared with other programs,
//! and gone when nobody needs them. The other programs are this test program again.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "tests may stop where they stand, and wait in real time"
)]

mod support;
#[expect(
    dead_code,
    reason = "shared with the tests of renewal, which use all of it"
)]
#[path = "support/workers.rs"]
mod workers;

use mailbearer::model::{ConnectionSettings, ProblemKind};
use mailbearer::{Config, Delivery, Mailbearer, Parts};
use mailbearer_sandbox::{Effect, Fault, Options, Phase, SmtpTraffic, SubmissionLimits, Times};
use std::io::Write as _;
use std::time::{Duration, Instant};
use support::{SERVICE, World, mail};
use workers::{NOON, SteppedClock, Worker, issued, orders};

const BOB: &str = "bob@contoso.example";

fn config(rest_ms: u64, concurrency_wait_ms: u64) -> Config {
    Config {
        connections: ConnectionSettings {
            rest_ms,
            concurrency_wait_ms,
            proxy: None,
        },
        timeouts: support::timeouts(),
        ..Config::default()
    }
}

fn send_at_once(
    mailbearer: &Mailbearer,
    count: usize,
) -> Vec<tokio::task::JoinHandle<mailbearer::Result<Delivery>>> {
    let send = |_| {
        let mailbearer = mailbearer.clone();
        tokio::spawn(async move { mailbearer.send(mail(SERVICE, &[BOB])).await })
    };
    (0..count).map(send).collect()
}

/// Waits until the connections are as demanded: the server learns of their end a moment later.
async fn see(world: &World, what: &str, is_so: impl Fn(SmtpTraffic) -> bool) {
    let started = Instant::now();
    while !is_so(world.sandbox.smtp_traffic()) {
        let traffic = world.sandbox.smtp_traffic();
        assert!(
            started.elapsed() < Duration::from_secs(20),
            "{what}: {traffic:?}"
        );
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn a_mail_soon_after_another_goes_over_its_connection_which_then_ends_by_itself() {
    let world = World::start_with(config(2_000, 0)).await;
    for pause_ms in [0, 100, 300] {
        tokio::time::sleep(Duration::from_millis(pause_ms)).await;
        world.mailbearer.send(mail(SERVICE, &[BOB])).await.unwrap();
    }
    let traffic = world.sandbox.smtp_traffic();
    assert_eq!((traffic.total, traffic.open), (1, 1));
    see(&world, "the rest is over", |traffic| traffic.open == 0).await;
}

#[tokio::test]
async fn a_connection_ends_at_once_where_none_may_rest_and_when_the_handle_is_closed() {
    let world = World::start_with(config(0, 0)).await;
    world.mailbearer.send(mail(SERVICE, &[BOB])).await.unwrap();
    see(&world, "no rest", |traffic| traffic.open == 0).await;

    let world = World::start_with(config(240_000, 0)).await;
    world.mailbearer.send(mail(SERVICE, &[BOB])).await.unwrap();
    assert_eq!(world.sandbox.smtp_traffic().open, 1);
    world.mailbearer.close().await.unwrap();
    see(&world, "closed", |traffic| traffic.open == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_mails_at_once_take_three_connections_of_which_one_rests() {
    let world = World::start_with(config(240_000, 0)).await;
    for send in send_at_once(&world.mailbearer, 1000) {
        send.await.unwrap().unwrap();
    }
    assert_eq!(world.sandbox.inbox().mails().len(), 1000);
    let traffic = world.sandbox.smtp_traffic();
    assert!((2..=3).contains(&traffic.most), "{traffic:?}");
    see(&world, "one rests", |traffic| traffic.open == 1).await;
}

#[tokio::test]
async fn a_mail_that_met_too_many_connections_is_tried_again_until_its_time_is_over() {
    let refuse = async |world: &World, times: Times| {
        world.mailbearer.access_token(SERVICE).await.unwrap();
        let fault = Fault {
            at: Phase::DataEnd,
            effect: Effect::Named("throttle-concurrency".to_owned()),
            times,
        };
        world.sandbox.faults().inject(fault).unwrap();
    };
    let world = World::start_with(config(5_000, 60_000)).await;
    refuse(&world, Times::N(3)).await;
    world.mailbearer.send(mail(SERVICE, &[BOB])).await.unwrap();
    assert_eq!(world.sandbox.inbox().mails().len(), 1);
    assert_eq!(world.sandbox.smtp_traffic().total, 4);

    for (wait_ms, least) in [(0, 1), (1_000, 2)] {
        let world = World::start_with(config(5_000, wait_ms)).await;
        refuse(&world, Times::Always).await;
        let error = world.mailbearer.send(mail(SERVICE, &[BOB])).await;
        let error = error.unwrap_err();
        assert_eq!(error.kind(), ProblemKind::Throttled);
        assert_eq!(error.code(), "throttle-concurrency");
        let tries = world.sandbox.smtp_traffic().total;
        assert!((least..=least + 3).contains(&tries), "{wait_ms}: {tries}");
    }
}

/// What is refused on one connection goes over another one of the same process.
#[tokio::test(flavor = "multi_thread")]
async fn one_connection_carries_everything_where_the_server_allows_no_more() {
    let options = Options {
        limits: SubmissionLimits {
            concurrent_connections: 1,
            ..SubmissionLimits::default()
        },
        ..support::options()
    };
    let world = World::start_on(options, config(240_000, 60_000), Parts::default()).await;
    for _ in 0..3 {
        for send in send_at_once(&world.mailbearer, 100) {
            send.await.unwrap().unwrap();
        }
    }
    assert_eq!(world.sandbox.inbox().mails().len(), 300);
    // The second and third are tried once, and then no more for a while.
    let traffic = world.sandbox.smtp_traffic();
    assert!(traffic.total <= 12, "{traffic:?}");
}

/// Not a test: sends as told on its standard input, and says how that went.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "started by the other tests of this file"]
async fn sends_for_another_process() {
    let mut orders = orders();
    let (Some(authority), Some(port), Some(ca_pem)) = (orders.next(), orders.next(), orders.next())
    else {
        return;
    };
    let ca_pem = std::fs::read_to_string(ca_pem).unwrap();
    let account = support::service_at(&authority, port.parse().unwrap(), ca_pem);
    let mailbearer = Mailbearer::open(Config::default()).await.unwrap();
    mailbearer.add_account(account).await.unwrap();
    for count in orders {
        let mut failures = Vec::new();
        for send in send_at_once(&mailbearer, count.parse().unwrap()) {
            failures.extend(send.await.unwrap().err());
        }
        writeln!(std::io::stdout().lock(), "\n{}{failures:?}", workers::TOLD).unwrap();
    }
}

/// More processes than connections, each with a connection that rests for the next mail: every mail arrives.
#[tokio::test(flavor = "multi_thread")]
async fn processes_that_share_a_mailbox_get_every_mail_through_its_three_connections() {
    let world = World::start_with(Config::default()).await;
    let port = world.sandbox.smtp_address().port().to_string();
    let ca_file = world.sandbox.ca_file().to_str().unwrap().to_owned();
    let lines = [&*world.sandbox.identity_url(), &port, &ca_file];
    let start = |_| Worker::start("sends_for_another_process", &lines, |command| command);
    let mut processes: Vec<_> = (0..6).map(start).collect();
    for count in [1, 12] {
        processes
            .iter_mut()
            .for_each(|process| process.order(count));
        for process in &mut processes {
            assert_eq!(process.answer().unwrap(), "[]");
        }
    }
    assert_eq!(world.sandbox.inbox().mails().len(), 6 * 13);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_ends_costs_no_mail_and_the_next_connection_has_a_new_one() {
    let clock = SteppedClock::at(NOON);
    let parts = Parts {
        clock: clock.clone(),
        ..Parts::default()
    };
    let options = support::options();
    let world = World::start_on(options, config(240_000, 0), parts).await;
    world.mailbearer.send(mail(SERVICE, &[BOB])).await.unwrap();
    let fault = Fault {
        at: Phase::DataEnd,
        effect: Effect::DelayMs(20),
        times: Times::Always,
    };
    world.sandbox.faults().inject(fault).unwrap();
    let before = send_at_once(&world.mailbearer, 40);
    tokio::time::sleep(Duration::from_millis(100)).await;
    clock.set(NOON + workers::STEP_MS);
    let after = send_at_once(&world.mailbearer, 40);
    for send in before.into_iter().chain(after) {
        send.await.unwrap().unwrap();
    }
    assert_eq!(world.sandbox.inbox().mails().len(), 81);
    assert_eq!(issued(&world.sandbox), 2);
    let ends = NOON + workers::STEP_MS;
    let last = world.mailbearer.send(mail(SERVICE, &[BOB])).await.unwrap();
    assert!(last.trail.token.unwrap().expires_at_unix_ms > ends);
    let most = world.sandbox.smtp_traffic().most;
    assert!(most <= 3, "{most}");
}

#[tokio::test]
async fn a_rest_or_a_wait_that_cannot_be_meant_is_refused() {
    for config in [config(240_001, 0), config(0, 600_001)] {
        let error = Mailbearer::open(config).await.unwrap_err();
        assert_eq!(error.code(), "connection-setting-invalid");
        assert!(error.problem().fix.contains("give 0 to"), "{error:?}");
    }
}

/// Whoever gives up, at whatever moment: no connection and no task of the handle outlives it.
#[tokio::test]
async fn mails_that_are_given_up_leave_nothing_behind() {
    for delay_ms in [0, 5, 20, 60] {
        let options = Options {
            random_seed: Some(7),
            ..Options::default()
        };
        let world = World::start_on(options, config(240_000, 0), Parts::default()).await;
        world.mailbearer.access_token(SERVICE).await.unwrap();
        let tasks = alive_tasks();
        let sends = send_at_once(&world.mailbearer, 50);
        tokio::time::sleep(Duration::from_millis(delay_ms)).await;
        sends.iter().for_each(tokio::task::JoinHandle::abort);
        for send in sends {
            let _ = send.await;
        }
        world.mailbearer.close().await.unwrap();
        see(&world, "given up", |traffic| {
            traffic.open == 0 && alive_tasks() <= tasks
        })
        .await;
    }
}

fn alive_tasks() -> usize {
    tokio::runtime::Handle::current()
        .metrics()
        .num_alive_tasks()
}
