//! A process that is killed in the middle of a renewal, at every step of it, loses no refresh token.
//!
//! What can be promised depends on the server. At Microsoft a used refresh token lives on, so there is nothing to lose. A
//! server that ends one in the moment of its use leaves a gap that no client can close: killed between the answer and the
//! disk, it has neither the old one nor the new; then a person must sign in again, and the error says so. In between is
//! a server that ends the old one when anything new is used, and there a client loses exactly if it uses what it has not
//! stored. The sandbox plays that server here; the process is this test program again, killed at its n-th step.

#![cfg(unix)]
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "tests may stop where they stand, and tell another process its part"
)]

mod support;

use async_trait::async_trait;
use mailbearer::host::{
    Clock, HttpClient, Network, Random, Stream, SystemClock, SystemHttp, SystemNetwork,
    SystemRandom, TlsParameters,
};
use mailbearer::model::{Passphrase, ProblemKind, VaultSettings};
use mailbearer::{Config, Mailbearer, Parts, SignInFlow};
use mailbearer_sandbox::directory::{Rotation, seed};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;
use support::{PERSON, World, mail, person};

const NOON: i64 = 1_795_780_800_000;
/// Longer than any token of the sandbox lives.
const STEP_MS: i64 = 3 * 3600 * 1000;

/// Counts the steps of a process, and kills it at one of them. Steps are whatever goes out or comes in: requests,
/// answers, connections, looks at the clock, and random octets, which every write to the vault needs.
#[derive(Debug)]
struct Steps {
    left: AtomicU64,
    clock: SystemClock,
    hour: AtomicI64,
    http: SystemHttp,
    network: SystemNetwork,
}

impl Steps {
    fn step(&self) {
        let left = self.left.fetch_sub(1, Ordering::SeqCst);
        if left == 1 {
            let me = rustix::process::getpid();
            rustix::process::kill_process(me, rustix::process::Signal::KILL).unwrap();
            // The signal is on its way; nothing more may happen here.
            std::thread::park();
        }
    }
}

#[async_trait]
impl Clock for Steps {
    fn now_unix_ms(&self) -> i64 {
        self.step();
        self.hour.load(Ordering::SeqCst)
    }

    fn elapsed(&self) -> Duration {
        self.clock.elapsed()
    }

    async fn sleep(&self, duration: Duration) {
        self.clock.sleep(duration).await;
    }
}

impl Random for Steps {
    fn fill(&self, buffer: &mut [u8]) -> mailbearer::Result<()> {
        self.step();
        SystemRandom.fill(buffer)
    }
}

#[async_trait]
impl HttpClient for Steps {
    async fn call(
        &self,
        request: http::Request<Vec<u8>>,
    ) -> mailbearer::Result<http::Response<Vec<u8>>> {
        self.step();
        let answer = self.http.call(request).await;
        self.step();
        answer
    }
}

#[async_trait]
impl Network for Steps {
    async fn connect(
        &self,
        host: &str,
        port: u16,
        limit: Duration,
    ) -> mailbearer::Result<Box<dyn Stream>> {
        self.step();
        self.network.connect(host, port, limit).await
    }

    async fn start_tls(
        &self,
        stream: Box<dyn Stream>,
        host: &str,
        parameters: &TlsParameters,
    ) -> mailbearer::Result<(Box<dyn Stream>, mailbearer::model::TlsSession)> {
        self.step();
        let secured = self.network.start_tls(stream, host, parameters).await;
        self.step();
        secured
    }
}

async fn open(path: &Path, hour: i64) -> (Mailbearer, Arc<Steps>) {
    let steps = Arc::new(Steps {
        left: AtomicU64::new(0),
        clock: SystemClock::default(),
        hour: AtomicI64::new(hour),
        http: SystemHttp::default(),
        network: SystemNetwork::default(),
    });
    let vault = VaultSettings::File {
        path: path.display().to_string(),
        passphrase: Passphrase::Text {
            text: "correct horse".to_owned().into(),
        },
    };
    let config = Config {
        vault,
        timeouts: support::timeouts(),
        ..Config::default()
    };
    let parts = Parts {
        clock: steps.clone(),
        random: steps.clone(),
        http: steps.clone(),
        network: steps.clone(),
        ..Parts::default()
    };
    let opened = Mailbearer::open_with(config, parts).await.unwrap();
    (opened, steps)
}

const VAULT: &str = "KILLED_TEST_VAULT";
const HOUR: &str = "KILLED_TEST_HOUR";
const STEP: &str = "KILLED_TEST_STEP";

/// Sends in another process, which is killed at this step; whether it lived to the end.
fn send_in_another_process(path: &Path, hour: i64, step: u64) -> bool {
    let mut worker = Command::new(std::env::current_exe().unwrap());
    worker.args(["--ignored", "--exact", "sends_until_it_is_killed"]);
    worker.env(VAULT, path).env(HOUR, hour.to_string());
    worker.env(STEP, step.to_string());
    let output = worker.stdin(Stdio::null()).output().unwrap();
    let was_killed = std::os::unix::process::ExitStatusExt::signal(&output.status) == Some(9);
    assert!(was_killed || output.status.success(), "{output:?}");
    !was_killed
}

/// Not a test: what the other process does.
#[tokio::test]
#[ignore = "started by the other tests of this file"]
async fn sends_until_it_is_killed() {
    let Ok(path) = std::env::var(VAULT) else {
        return;
    };
    let number = |name: &str| std::env::var(name).unwrap().parse().unwrap();
    let (mailbearer, steps) = open(Path::new(&path), number(HOUR)).await;
    steps
        .left
        .store(number(STEP).unsigned_abs(), Ordering::SeqCst);
    let mail = mail(PERSON, &["bob@contoso.example"]);
    mailbearer.send(mail).await.unwrap();
}

/// Alice has signed in, and her application ends refresh tokens like this.
async fn world(path: &Path, rotation: Rotation) -> World {
    let world = World::start().await;
    let directory = world.sandbox.tenant();
    directory.change_application(seed::PUBLIC_CLIENT_ID, |application| {
        application.rotation = rotation;
    });
    let (handle, _) = open(path, NOON).await;
    handle.add_account(person(&world.sandbox)).await.unwrap();
    let prompt = handle.begin_sign_in(PERSON, SignInFlow::DeviceCode).await;
    let prompt = prompt.unwrap();
    let approved = world.sandbox.approve_device(&prompt.user_code, seed::ALICE);
    approved.await.unwrap();
    handle.finish_sign_in(&prompt).await.unwrap();
    world
}

fn pass_three_hours(world: &World) {
    let step = Duration::from_millis(STEP_MS.unsigned_abs());
    world.sandbox.clock().advance(step);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_is_killed_at_any_step_loses_no_refresh_token() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vault.mbv");
    let world = world(&path, Rotation::EndsWhenTheNextIsUsed).await;
    let mut killed = 0;
    for step in 1.. {
        let hour = NOON + STEP_MS * i64::try_from(step).unwrap();
        pass_three_hours(&world);
        let lived = send_in_another_process(&path, hour, step);
        // The next process needs a fresh token, too, for what the killed one stored may have been enough.
        pass_three_hours(&world);
        let (survivor, _) = open(&path, hour + STEP_MS).await;
        let sent = survivor.send(mail(PERSON, &["bob@contoso.example"])).await;
        assert!(sent.is_ok(), "killed at step {step}: {sent:?}");
        if lived {
            break;
        }
        killed = step;
    }
    // The request, its answer, the write to the vault, and the connection are among them.
    assert!(killed >= 8, "{killed}");
}

/// The gap that no client can close: a strict server has ended the old one before we can have stored the new.
#[tokio::test(flavor = "multi_thread")]
async fn a_strict_server_may_ask_for_a_new_sign_in_and_the_error_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vault.mbv");
    let world = world(&path, Rotation::EndsWhenUsed).await;
    let mut outcomes = Vec::new();
    for step in 1.. {
        let hour = NOON + STEP_MS * i64::try_from(step).unwrap();
        pass_three_hours(&world);
        let lived = send_in_another_process(&path, hour, step);
        let (survivor, _) = open(&path, hour + STEP_MS).await;
        let token = survivor.access_token(PERSON).await;
        match token {
            Ok(_) => outcomes.push(true),
            Err(error) => {
                assert_eq!(error.kind(), ProblemKind::SignIn, "{error:?}");
                assert_eq!(error.code(), "grant-refused");
                assert!(error.problem().fix.contains("Sign in again"), "{error:?}");
                outcomes.push(false);
                break;
            }
        }
        assert!(!lived, "the gap was never hit: {outcomes:?}");
    }
    assert_eq!(outcomes.last(), Some(&false), "{outcomes:?}");
}
