//! A fault at every phase of the SMTP dialogue: always a typed error or the right outcome, in time, with a verdict on
//! every recipient, no secret shown, an account that sends again afterwards, and neither a connection nor a task left over.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "tests may stop where they stand, and time themselves"
)]

mod support;

use async_trait::async_trait;
use mailbearer::host::{Network, Stream, SystemNetwork, TlsParameters};
use mailbearer::model::{ProblemKind, Timeouts, TlsSession, VaultSettings, Verdict};
use mailbearer::{Config, Delivery, Error, Parts};
use mailbearer_sandbox::{Effect, Fault, Options, Phase, SubmissionLimits, Times};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use support::{SERVICE, World, mail};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

const WAIT_MS: u64 = 700;
const RECIPIENTS: [&str; 2] = ["bob@contoso.example", "ada@fabrikam.example"];

/// Every phase before the message has arrived: nobody can have got the mail.
const BEFORE_THE_END: [Phase; 11] = [
    Phase::Connect,
    Phase::Banner,
    Phase::Ehlo,
    Phase::Starttls,
    Phase::AfterStarttls,
    Phase::Auth,
    Phase::AuthResponse,
    Phase::Mail,
    Phase::Rcpt,
    Phase::Data,
    Phase::DataEnd,
];

/// What a server may leave out, and by that make Mailbearer go another way.
const HIDDEN: [&[&str]; 3] = [&[], &["CHUNKING"], &["CHUNKING", "PIPELINING"]];

async fn world() -> World {
    world_without(&[]).await
}

async fn world_without(hidden_extensions: &'static [&'static str]) -> World {
    let limits = SubmissionLimits {
        hidden_extensions,
        ..SubmissionLimits::default()
    };
    let options = Options {
        limits,
        ..support::options()
    };
    let config = Config {
        vault: VaultSettings::Memory,
        timeouts: Timeouts {
            connect_ms: WAIT_MS,
            reply_ms: WAIT_MS,
            verdict_ms: WAIT_MS,
            token_ms: 5_000,
        },
        ..Config::default()
    };
    let parts = Parts {
        network: Arc::new(CountedNetwork::default()),
        ..Parts::default()
    };
    World::start_on(options, config, parts).await
}

/// Counts the streams that are open on this side.
#[derive(Debug, Default)]
struct CountedNetwork(SystemNetwork);

// How many are open in all tests of this thread, each of which runs alone on its own.
thread_local!(static OPEN: Arc<AtomicUsize> = Arc::default());

struct Counted(Box<dyn Stream>, Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.1.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Stream for Counted {
    fn local_address(&self) -> Option<SocketAddr> {
        self.0.local_address()
    }
}

impl AsyncRead for Counted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl AsyncWrite for Counted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, octets)
    }

    fn poll_flush(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}

#[async_trait]
impl Network for CountedNetwork {
    async fn connect(
        &self,
        host: &str,
        port: u16,
        limit: Duration,
    ) -> mailbearer::Result<Box<dyn Stream>> {
        let stream = self.0.connect(host, port, limit).await?;
        let open = OPEN.with(Arc::clone);
        open.fetch_add(1, Ordering::SeqCst);
        Ok(Box::new(Counted(stream, open)))
    }

    async fn start_tls(
        &self,
        stream: Box<dyn Stream>,
        host: &str,
        parameters: &TlsParameters,
    ) -> mailbearer::Result<(Box<dyn Stream>, TlsSession)> {
        self.0.start_tls(stream, host, parameters).await
    }
}

/// Closes the handle and waits until no connection is left on either side, and no task that was not there before.
async fn assert_nothing_left(world: World, tasks_before: usize, what: &str) {
    world.mailbearer.close().await.unwrap();
    let started = Instant::now();
    loop {
        let open = OPEN.with(|open| open.load(Ordering::SeqCst));
        let traffic = world.sandbox.smtp_traffic();
        let tasks = alive_tasks();
        if (open, traffic.open) == (0, 0) && tasks <= tasks_before {
            return;
        }
        let left = format!("{open} streams, {traffic:?}, {tasks} tasks instead of {tasks_before}");
        assert!(
            started.elapsed() < Duration::from_secs(20),
            "{what}: {left}"
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn alive_tasks() -> usize {
    tokio::runtime::Handle::current()
        .metrics()
        .num_alive_tasks()
}

/// Sends once with the fault and once without it.
async fn send_with(world: &World, at: Phase, effect: Effect) -> Result<Delivery, Error> {
    let what = format!("{at:?} {effect:?}");
    // Obtained before, so that the fault meets the mail server alone.
    world.mailbearer.access_token(SERVICE).await.unwrap();
    let fault = Fault {
        at,
        effect,
        times: Times::Once,
    };
    world.sandbox.faults().inject(fault).unwrap();
    let started = Instant::now();
    let sent = world.mailbearer.send(mail(SERVICE, &RECIPIENTS)).await;
    let limit = Duration::from_millis(4 * WAIT_MS + 5_000);
    assert!(started.elapsed() < limit, "{what}: {:?}", started.elapsed());
    if let Err(error) = &sent {
        assert_complete(&what, error);
    }
    world.assert_no_secret_in(&format!("{sent:?}"));
    world.sandbox.faults().clear();
    let again = world.mailbearer.send(mail(SERVICE, &RECIPIENTS)).await;
    assert!(again.is_ok(), "{what}, and then: {again:?}");
    sent
}

fn assert_complete(what: &str, error: &Error) {
    let problem = error.problem();
    assert!(!problem.code.is_empty(), "{what}: {error:?}");
    assert!(!problem.fix.is_empty(), "{what}: {error:?}");
    assert_eq!(problem.operation, "send", "{what}: {error:?}");
    assert_ne!(problem.kind, ProblemKind::Internal, "{what}: {error:?}");
    let named: Vec<_> = problem.recipients.iter().map(|r| &*r.address).collect();
    assert_eq!(named, RECIPIENTS, "{what}: {error:?}");
}

fn verdicts(error: &Error) -> Vec<Verdict> {
    let recipients = &error.problem().recipients;
    recipients
        .iter()
        .map(|recipient| recipient.verdict)
        .collect()
}

/// Runs one effect at every phase and checks the kind of what comes of it.
async fn check(effect: Effect, expected: &[ProblemKind]) {
    let phases = BEFORE_THE_END.into_iter();
    let cases = phases.flat_map(|at| HIDDEN.map(|hidden| (at, hidden)));
    for (at, hidden) in cases {
        if at == Phase::Data && !hidden.contains(&"CHUNKING") {
            continue; // There is no such moment.
        }
        // A connection that is still open would not meet the first phases.
        let world = world_without(hidden).await;
        world.mailbearer.access_token(SERVICE).await.unwrap();
        let tasks = alive_tasks();
        let sent = send_with(&world, at, effect.clone()).await;
        let what = format!("{at:?} {effect:?} without {hidden:?}");
        assert_nothing_left(world, tasks, &what).await;
        match sent {
            // A fault that strikes once may be survived: a refused recipient, a refused token that was renewed.
            Ok(delivery) => {
                assert!(
                    matches!(at, Phase::Auth | Phase::AuthResponse | Phase::Rcpt),
                    "{what}: {delivery:?}"
                );
            }
            Err(error) => {
                assert!(expected.contains(&error.kind()), "{what}: {error:?}");
                let nobody_got_it = !verdicts(&error).contains(&Verdict::Accepted);
                assert!(nobody_got_it, "{what}: {error:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_connection_cut_anywhere_is_a_network_error() {
    check(Effect::Cut, &[ProblemKind::Unavailable]).await;
}

#[tokio::test]
async fn a_silent_server_ends_at_the_deadline() {
    check(Effect::Stall, &[ProblemKind::Unavailable]).await;
}

#[tokio::test]
async fn a_shutdown_anywhere_is_passing() {
    let shutdown = Effect::Reply("421 4.3.2 Service not available".to_owned());
    let passing = [ProblemKind::Unavailable, ProblemKind::Throttled];
    check(shutdown, &passing).await;
}

#[tokio::test]
async fn garbage_anywhere_is_a_protocol_error() {
    check(
        Effect::Reply("HTTP/1.1 400 Bad Request".to_owned()),
        &[ProblemKind::Unavailable, ProblemKind::Config],
    )
    .await;
}

#[tokio::test]
async fn a_final_refusal_anywhere_is_typed() {
    let refusal = Effect::Reply("554 5.0.0 Not today".to_owned());
    let kinds = [
        ProblemKind::Rejected,
        ProblemKind::Config,
        ProblemKind::SignIn,
        ProblemKind::Consent,
        ProblemKind::Unavailable,
    ];
    check(refusal, &kinds).await;
}

#[tokio::test]
async fn a_lost_verdict_is_undecided_and_never_tried_again() {
    let effects = [Effect::Cut, Effect::Stall].into_iter();
    for (effect, hidden) in effects.flat_map(|effect| HIDDEN.map(|hidden| (effect.clone(), hidden)))
    {
        let world = world_without(hidden).await;
        world.mailbearer.access_token(SERVICE).await.unwrap();
        let tasks = alive_tasks();
        let error = send_with(&world, Phase::DataEnd, effect).await.unwrap_err();
        assert_nothing_left(world, tasks, "a lost verdict").await;
        assert_eq!(error.code(), "delivery-undecided");
        assert_eq!(verdicts(&error), [Verdict::Undecided, Verdict::Undecided]);
        assert_eq!(error.problem().retry, mailbearer::model::Retry::Never);
    }
}

#[tokio::test]
async fn what_happens_at_quit_changes_nothing() {
    for effect in [
        Effect::Cut,
        Effect::Stall,
        Effect::Reply("554 5.0.0 Not today".to_owned()),
    ] {
        let world = world().await;
        let fault = Fault {
            at: Phase::Quit,
            effect,
            times: Times::Always,
        };
        world.sandbox.faults().inject(fault).unwrap();
        let delivery = world
            .mailbearer
            .send(mail(SERVICE, &RECIPIENTS))
            .await
            .unwrap();
        world.mailbearer.close().await.unwrap();
        assert!(
            delivery
                .recipients
                .iter()
                .all(|r| r.verdict == Verdict::Accepted)
        );
    }
}

#[tokio::test]
async fn a_token_that_another_client_saw_refused_is_replaced_once() {
    let world = world().await;
    let first = world.mailbearer.access_token(SERVICE).await.unwrap();
    let mut later = Vec::new();
    for _ in 0..2 {
        let token = world
            .mailbearer
            .access_token_after(SERVICE, &first.secret)
            .await;
        // Exposed to be compared.
        later.push(token.unwrap().secret.expose().clone());
    }
    assert_ne!(&later[0], first.secret.expose());
    assert_eq!(later[0], later[1]);
}

#[tokio::test]
async fn closing_waits_for_no_delivery_that_was_given_up() {
    for (delay_ms, hidden) in [0, 20, 50, 200]
        .into_iter()
        .flat_map(|delay_ms| HIDDEN.map(|hidden| (delay_ms, hidden)))
    {
        let limits = SubmissionLimits {
            hidden_extensions: hidden,
            ..SubmissionLimits::default()
        };
        let options = Options {
            limits,
            ..support::options()
        };
        let world = World::start_on(options, Config::default(), Parts::default()).await;
        let fault = Fault {
            at: Phase::DataEnd,
            effect: Effect::Stall,
            times: Times::Always,
        };
        world.sandbox.faults().inject(fault).unwrap();
        let send = || {
            let mailbearer = world.mailbearer.clone();
            tokio::spawn(async move { mailbearer.send(mail(SERVICE, &RECIPIENTS)).await })
        };
        let sends = [send(), send(), send()];
        tokio::time::sleep(Duration::from_millis(delay_ms)).await;
        for send in &sends {
            send.abort();
        }
        let closed = tokio::time::timeout(Duration::from_secs(10), world.mailbearer.close()).await;
        assert!(closed.is_ok(), "after {delay_ms} ms without {hidden:?}");
    }
}
