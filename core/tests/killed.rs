//! A process that is killed in the middle of a renewal, at every step of it, loses no refresh token; nor does one that moves
//! the vault, changes its key, or takes over another tool's account.
//!
//! What can be promised depends on the server. At Microsoft a used refresh token lives on, so there is nothing to lose. A
//! server that ends one in the moment of its use leaves a gap that no client can close: killed between the answer and the
//! disk, it has neither the old one nor the new; then a person must sign in again, and the error says so. In between is
//! a server that ends the old one when anything new is used, and there a client loses exactly if it uses what it has not
//! stored. The sandbox plays that server here; the process is this test program again, killed at its n-th step.

#![cfg(unix)]
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "tests may stop where they stand, and tell another process its part"
)]

mod support;

use async_trait::async_trait;
use mailbearer::host::{
    Clock, HttpClient, Network, Random, Stream, SystemClock, SystemHttp, SystemNetwork,
    SystemRandom, TlsParameters,
};
use mailbearer::model::{
    EndpointOverrides, Passphrase, ProblemKind, VaultRecordKind, VaultSettings,
};
use mailbearer::{Config, Mailbearer, Parts, SignInFlow};
use mailbearer_sandbox::directory::{Rotation, seed};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;
use support::{PERSON, World, mail, person, service};

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

const PASSPHRASE: &str = "correct horse";

async fn open(path: &Path, hour: i64) -> (Mailbearer, Arc<Steps>) {
    open_by(path, PASSPHRASE, hour).await.unwrap()
}

async fn open_by(
    path: &Path,
    passphrase: &str,
    hour: i64,
) -> mailbearer::Result<(Mailbearer, Arc<Steps>)> {
    let steps = Arc::new(Steps {
        left: AtomicU64::new(0),
        clock: SystemClock::default(),
        hour: AtomicI64::new(hour),
        http: SystemHttp::default(),
        network: SystemNetwork::default(),
    });
    let config = Config {
        vault: vault_by(path, passphrase),
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
    let opened = Mailbearer::open_with(config, parts).await?;
    Ok((opened, steps))
}

fn vault_at(path: &Path) -> VaultSettings {
    vault_by(path, PASSPHRASE)
}

/// A database if the name says so, otherwise a file.
fn vault_by(path: &Path, passphrase: &str) -> VaultSettings {
    let is_database = path.extension().is_some_and(|extension| extension == "db");
    let path = path.display().to_string();
    let passphrase = text(passphrase);
    match is_database {
        true => VaultSettings::Sqlite { path, passphrase },
        false => VaultSettings::File { path, passphrase },
    }
}

fn text(passphrase: &str) -> Passphrase {
    let text = passphrase.to_owned().into();
    Passphrase::Text { text }
}

/// What the other process is told, each by a variable of its environment.
const JOB: &str = "KILLED_TEST_JOB";
const VAULT: &str = "KILLED_TEST_VAULT";
const OTHER: &str = "KILLED_TEST_OTHER";
const HOUR: &str = "KILLED_TEST_HOUR";
const STEP: &str = "KILLED_TEST_STEP";

/// Does a job in another process, which is killed at this step; whether it lived to the end.
fn in_another_process(job: &str, path: &Path, other: &str, hour: i64, step: u64) -> bool {
    let mut worker = Command::new(std::env::current_exe().unwrap());
    worker.args(["--ignored", "--exact", "works_until_it_is_killed"]);
    worker.env(JOB, job).env(VAULT, path).env(OTHER, other);
    worker.env(HOUR, hour.to_string());
    worker.env(STEP, step.to_string());
    let output = worker.stdin(Stdio::null()).output().unwrap();
    let was_killed = std::os::unix::process::ExitStatusExt::signal(&output.status) == Some(9);
    assert!(was_killed || output.status.success(), "{output:?}");
    !was_killed
}

/// Not a test: what the other process does.
#[tokio::test]
#[ignore = "started by the other tests of this file"]
async fn works_until_it_is_killed() {
    let Ok(job) = std::env::var(JOB) else {
        return;
    };
    let told = |name: &str| std::env::var(name).unwrap();
    let number = |name: &str| told(name).parse().unwrap();
    let (mailbearer, steps) = open(Path::new(&told(VAULT)), number(HOUR)).await;
    steps
        .left
        .store(number(STEP).unsigned_abs(), Ordering::SeqCst);
    match &*job {
        "send" => {
            let mail = mail(PERSON, &["bob@contoso.example"]);
            mailbearer.send(mail).await.unwrap();
        }
        "move" => {
            let to = vault_at(Path::new(&told(OTHER)));
            mailbearer.move_vault(to).await.unwrap();
        }
        "rotate" => mailbearer.rotate_vault(text(&told(OTHER))).await.unwrap(),
        "import" => {
            let file = std::fs::read_to_string(told(OTHER)).unwrap();
            mailbearer.import_account(imported(&file)).await.unwrap();
        }
        _ => panic!("unknown job: {job}"),
    }
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
        let lived = in_another_process("send", &path, "", hour, step);
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
        let lived = in_another_process("send", &path, "", hour, step);
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

/// What is where, as account and kind.
async fn contents(mailbearer: &Mailbearer) -> Vec<String> {
    let records = mailbearer.vault_records().await.unwrap();
    let records = records.iter();
    let mut named: Vec<_> = records
        .filter(|record| record.kind != VaultRecordKind::Other)
        .map(|record| format!("{} {:?}", record.account, record.kind))
        .collect();
    named.sort();
    named
}

/// What a killed process may leave is a file that was being written; every record is whole.
async fn assert_sound(mailbearer: &Mailbearer, what: &str) {
    let report = mailbearer.check_vault().await.unwrap();
    let others = report.findings.iter();
    let others: Vec<_> = others
        .filter(|finding| finding.problem.code != "vault-leftover")
        .collect();
    assert!(others.is_empty(), "{what}: {others:?}");
}

async fn check_moves(kinds: [&str; 2]) {
    let folder = tempfile::tempdir().unwrap();
    let place = |number: u64| {
        let kind = kinds[usize::try_from(number % 2).unwrap()];
        folder.path().join(format!("{number}.{kind}"))
    };
    let world = world(&place(0), Rotation::EndsWhenTheNextIsUsed).await;
    let (handle, _) = open(&place(0), NOON).await;
    handle.add_account(service(&world.sandbox)).await.unwrap();
    let everything = contents(&handle).await;
    drop(handle);
    assert_eq!(everything.len(), 4, "{everything:?}");
    let mut killed = 0;
    for step in 1.. {
        let hour = NOON + STEP_MS * i64::try_from(step).unwrap();
        pass_three_hours(&world);
        let (from, to) = (place(step - 1), place(step));
        let lived = in_another_process("move", &from, &to.display().to_string(), hour, step);
        let what = format!("killed at step {step}");
        let (source, _) = open(&from, hour).await;
        let (target, _) = open(&to, hour).await;
        assert_sound(&source, &what).await;
        assert_sound(&target, &what).await;
        let mut both = contents(&source).await;
        both.extend(contents(&target).await);
        both.sort();
        both.dedup();
        assert_eq!(both, everything, "{what}");
        // Once more, in a process that nobody kills.
        source.move_vault(vault_at(&to)).await.unwrap();
        let left = source.vault_records().await.unwrap();
        assert!(left.is_empty(), "{what}: {left:?}");
        assert_eq!(contents(&target).await, everything, "{what}");
        let others = target.vault_records().await.unwrap();
        assert_eq!(others.len(), everything.len(), "{what}: {others:?}");
        let renewed = target.access_token(PERSON).await;
        assert!(renewed.is_ok(), "{what}: {renewed:?}");
        if lived {
            break;
        }
        killed = step;
    }
    // The marker, four copies, and four removals are among them.
    assert!(killed >= 9, "{killed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_move_that_is_killed_at_any_step_loses_nothing_and_can_be_finished() {
    let other = if cfg!(feature = "sqlite") {
        "db"
    } else {
        "mbv"
    };
    check_moves(["mbv", other]).await;
}

async fn check_rotations(kind: &str) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(format!("vault.{kind}"));
    let world = world(&path, Rotation::EndsWhenTheNextIsUsed).await;
    let (handle, _) = open(&path, NOON).await;
    handle.add_account(service(&world.sandbox)).await.unwrap();
    let everything = contents(&handle).await;
    drop(handle);
    let mut killed = 0;
    for step in 1.. {
        let hour = NOON + STEP_MS * i64::try_from(step).unwrap();
        pass_three_hours(&world);
        let lived = in_another_process("rotate", &path, "battery staple", hour, step);
        let what = format!("killed at step {step}");
        let old = open_by(&path, PASSPHRASE, hour).await;
        let new = open_by(&path, "battery staple", hour).await;
        // It has the old key or the new one, never both, never none.
        assert_eq!(old.is_ok(), new.is_err(), "{what}");
        assert!(new.is_ok() || !lived, "{what}");
        let (handle, _) = old.or(new).unwrap();
        assert_sound(&handle, &what).await;
        assert_eq!(contents(&handle).await, everything, "{what}");
        // Once more, in a process that nobody kills; and back.
        handle.rotate_vault(text("battery staple")).await.unwrap();
        let renewed = handle.access_token(PERSON).await;
        assert!(renewed.is_ok(), "{what}: {renewed:?}");
        handle.rotate_vault(text(PASSPHRASE)).await.unwrap();
        if lived {
            break;
        }
        killed = step;
    }
    // The new key's salt, and a nonce for the whole or for each record are among them.
    assert!(killed >= 2, "{killed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_that_is_killed_at_any_step_leaves_the_old_key_or_the_new_one() {
    check_rotations("mbv").await;
}

#[cfg(feature = "sqlite")]
#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_of_a_database_that_is_killed_at_any_step_leaves_the_old_key_or_the_new_one() {
    check_rotations("db").await;
}

/// An account of another tool, in that tool's form.
fn imported(file: &str) -> mailbearer::import::Import {
    let (ca_pem, file) = file.split_once('\0').unwrap();
    let (smtp_port, file) = file.split_once('\0').unwrap();
    let endpoints = EndpointOverrides {
        smtp_host: Some("localhost".to_owned()),
        smtp_port: Some(smtp_port.parse().unwrap()),
        ca_pem: Some(ca_pem.to_owned()),
        ..EndpointOverrides::default()
    };
    let hints = mailbearer::import::Hints {
        name: Some(PERSON.to_owned()),
        endpoints,
        ..mailbearer::import::Hints::default()
    };
    mailbearer::import::read(file, hints).unwrap()
}

/// The refresh token of another tool that Alice has signed in with.
async fn sign_in_elsewhere(world: &World) -> String {
    let identity = world.sandbox.identity_url();
    // This process has a provider already, if a handle was opened before.
    drop(rustls::crypto::ring::default_provider().install_default());
    let http = reqwest::Client::new();
    let post = async |path: &str, form: &[(&str, &str)]| -> serde_json::Value {
        let url = format!("{identity}/{}/oauth2/v2.0/{path}", seed::DOMAIN);
        let answer = http.post(url).form(form).send().await.unwrap();
        answer.json().await.unwrap()
    };
    let scope = "https://outlook.office.com/SMTP.Send offline_access";
    let id = ("client_id", seed::PUBLIC_CLIENT_ID);
    let device = post("devicecode", &[id, ("scope", scope)]).await;
    let user_code = device["user_code"].as_str().unwrap();
    let approved = world.sandbox.approve_device(user_code, seed::ALICE);
    approved.await.unwrap();
    let grant = ("grant_type", "urn:ietf:params:oauth:grant-type:device_code");
    let code = ("device_code", device["device_code"].as_str().unwrap());
    let tokens = post("token", &[id, grant, code]).await;
    tokens["refresh_token"].as_str().unwrap().to_owned()
}

/// Killed at any step, an import leaves no account or all of it, and the other tool's refresh token works all the same.
#[tokio::test(flavor = "multi_thread")]
async fn an_import_that_is_killed_at_any_step_can_be_repeated() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vault.mbv");
    let world = world(
        &folder.path().join("first.mbv"),
        Rotation::EndsWhenTheNextIsUsed,
    )
    .await;
    let token_url = format!(
        "{}/{}/oauth2/v2.0/token",
        world.sandbox.identity_url(),
        seed::DOMAIN
    );
    let mut killed = 0;
    for step in 1.. {
        let other_tool = sign_in_elsewhere(&world).await;
        let file = serde_json::json!({
            "user": seed::ALICE,
            "client_id": seed::PUBLIC_CLIENT_ID,
            "token_endpoint": token_url,
            "refresh_token": other_tool,
            "access_token": "old",
            "expiry": "0",
        });
        let port = world.sandbox.smtp_address().port();
        let told = format!("{}\0{port}\0{file}", world.sandbox.ca_pem());
        let told_at = folder.path().join("told");
        std::fs::write(&told_at, &told).unwrap();
        let lived = in_another_process("import", &path, &told_at.display().to_string(), NOON, step);
        let what = format!("killed at step {step}");
        let (handle, _) = open(&path, NOON).await;
        match handle.accounts().await.unwrap().is_empty() {
            true => {
                let again = handle.import_account(imported(&told)).await;
                assert!(!lived && again.is_ok(), "{what}: {again:?}");
            }
            false => assert_eq!(contents(&handle).await.len(), 2, "{what}"),
        }
        assert_sound(&handle, &what).await;
        let sent = handle.send(mail(PERSON, &["bob@contoso.example"])).await;
        assert!(sent.is_ok(), "{what}: {sent:?}");
        handle.remove_account(PERSON).await.unwrap();
        let left = handle.vault_records().await.unwrap();
        assert!(left.is_empty(), "{what}: {left:?}");
        if lived {
            break;
        }
        killed = step;
    }
    assert!(killed >= 5, "{killed}");
}
