//! Examines accounts in which one thing is wrong, and expects it at its stage under its name; and healthy ones.

#![expect(clippy::unwrap_used, reason = "tests may stop where they stand")]

mod support;

use mailbearer::Parts;
use mailbearer::host::ManualClock;
use mailbearer::model::{Examination, Examine, Finding, Health, NewAccount, Stage};
use mailbearer::secret::SecretText;
use mailbearer_sandbox::directory::seed;
use mailbearer_sandbox::{Effect, Fault, HttpAnswer, Phase, Sandbox, Times, TokenFlaw};
use std::sync::Arc;
use support::{PERSON, SERVICE, World, service};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

async fn examine(world: &World, account: &str) -> Examination {
    let order = Examine {
        account: account.to_owned(),
        senders: Vec::new(),
    };
    let examination = world.mailbearer.examine(order).await.unwrap();
    world.assert_no_secret_in(&serde_json::to_string(&examination).unwrap());
    examination
}

fn broken(examination: &Examination) -> &Finding {
    let broken = examination
        .findings
        .iter()
        .find(|finding| finding.health == Health::Broken);
    broken.unwrap_or_else(|| panic!("nothing is broken: {examination:#?}"))
}

/// One stage is broken, all before it were passed, none after it was run.
#[track_caller]
fn check(what: &str, examination: &Examination, stage: Stage, code: &str) {
    let finding = broken(examination);
    let problem = finding.problems.first().unwrap();
    assert_eq!((finding.stage, &*problem.code), (stage, code), "{what}");
    assert!(!problem.fix.is_empty(), "{what}");
    assert_eq!(examination.health, Health::Broken, "{what}");
    let at = examination.findings.iter().position(|f| f == finding);
    let (before, after) = examination.findings.split_at(at.unwrap());
    let has_passed = |f: &Finding| f.health != Health::Broken;
    assert!(before.iter().all(has_passed), "{what}: {examination:#?}");
    let was_not_run = |f: &Finding| f.health == Health::NotRun;
    assert!(
        after.iter().skip(1).all(was_not_run),
        "{what}: {examination:#?}"
    );
    assert_eq!(examination.findings.len(), 11, "{what}");
}

async fn check_fault(at: Phase, effect: Effect, stage: Stage, code: &str) {
    let world = World::start().await;
    let what = format!("{at:?} {effect:?}");
    let fault = Fault {
        at,
        effect,
        times: Times::Always,
    };
    world.sandbox.faults().inject(fault).unwrap();
    check(&what, &examine(&world, SERVICE).await, stage, code);
}

fn named(code: &str) -> Effect {
    Effect::Named(code.to_owned())
}

fn reply(text: &str) -> Effect {
    Effect::Reply(text.to_owned())
}

#[tokio::test]
async fn healthy_accounts_raise_no_finding() {
    let world = World::start().await;
    world.sign_in().await;
    for account in [SERVICE, PERSON] {
        let examination = examine(&world, account).await;
        assert_eq!(examination.health, Health::Sound, "{examination:#?}");
        let is_sound = |finding: &Finding| finding.health == Health::Sound;
        assert!(examination.findings.iter().all(is_sound));
        assert!(examination.findings.iter().all(|f| f.problems.is_empty()));
    }
    assert_eq!(world.sandbox.inbox().mails().len(), 0);
}

#[tokio::test]
async fn what_the_mail_server_does_wrong() {
    use Phase::{AfterStarttls, Auth, AuthResponse, Banner, Connect, Ehlo, Mail, Starttls};
    for (at, effect, stage, code) in [
        (Connect, Effect::Cut, Stage::Greeting, "connection-lost"),
        (
            Banner,
            reply("421 4.3.2 Service not available"),
            Stage::Greeting,
            "transient-server-error",
        ),
        (Ehlo, Effect::Cut, Stage::Greeting, "connection-lost"),
        (
            Starttls,
            reply("454 4.7.0 TLS not available"),
            Stage::Tls,
            "transient-server-error",
        ),
        (
            AfterStarttls,
            Effect::Cut,
            Stage::Tls,
            "tls-handshake-failed",
        ),
        (
            Auth,
            reply("504 5.7.4 Unrecognized authentication type"),
            Stage::Authentication,
            "auth-mechanism-unsupported",
        ),
        (
            AuthResponse,
            named("smtp-auth-disabled-tenant"),
            Stage::Authentication,
            "smtp-auth-disabled-tenant",
        ),
        (
            AuthResponse,
            reply(
                "432 4.3.2 Concurrent connections limit exceeded. Visit https://aka.ms/concurrent_sending for more information.",
            ),
            Stage::Authentication,
            "throttle-concurrency",
        ),
        (
            Mail,
            reply("550 5.1.8 Access denied, bad outbound sender AS(42004)"),
            Stage::Sender,
            "blocked-outbound-spam",
        ),
    ] {
        check_fault(at, effect, stage, code).await;
    }
}

#[tokio::test]
async fn what_the_identity_provider_refuses() {
    for (code, expected) in [
        ("AADSTS7000215", "secret-wrong-value"),
        ("AADSTS7000222", "secret-expired"),
        ("AADSTS700016", "app-not-found"),
        ("AADSTS90002", "tenant-not-found"),
        ("AADSTS53003", "ca-policy-blocked"),
        ("AADSTS7000112", "app-disabled"),
    ] {
        check_fault(Phase::Token, named(code), Stage::Token, expected).await;
    }
    let wrong = Effect::Token(TokenFlaw::WrongAudience);
    check_fault(Phase::Token, wrong, Stage::Token, "wrong-scope-audience").await;
    let down = Effect::Http(HttpAnswer {
        status: 503,
        headers: Vec::new(),
        body: String::new(),
    });
    let code = "transient-server-error";
    check_fault(Phase::Token, down, Stage::Token, code).await;
}

async fn check_world(
    what: &str,
    account: &str,
    change: impl FnOnce(&Sandbox),
    stage: Stage,
    code: &str,
) {
    let world = World::start().await;
    if account == PERSON {
        world.sign_in().await;
    }
    change(&world.sandbox);
    check(what, &examine(&world, account).await, stage, code);
}

#[tokio::test]
async fn what_an_administrator_has_not_done() {
    let change = |sandbox: &Sandbox| {
        let directory = sandbox.tenant();
        directory
            .change_user(seed::ALICE, |user| user.smtp_auth = Some(false))
            .unwrap();
    };
    check_world(
        "SMTP AUTH of the mailbox",
        PERSON,
        change,
        Stage::Authentication,
        "smtp-auth-disabled-mailbox",
    )
    .await;
}

async fn check_account(what: &str, change: impl FnOnce(&mut NewAccount), stage: Stage, code: &str) {
    let world = World::start().await;
    let mut account = service(&world.sandbox);
    account.name = "changed".to_owned();
    change(&mut account);
    world.mailbearer.add_account(account).await.unwrap();
    check(what, &examine(&world, "changed").await, stage, code);
}

#[tokio::test]
async fn what_is_set_wrongly() {
    check_account(
        "no such host",
        |account| account.endpoints.smtp_host = Some("smtp.mailbearer.invalid".to_owned()),
        Stage::NameLookup,
        "dns-failure",
    )
    .await;
    let unused = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = unused.local_addr().unwrap().port();
    drop(unused);
    check_account(
        "no server",
        |account| account.endpoints.smtp_port = Some(port),
        Stage::Connection,
        "connection-refused",
    )
    .await;
    check_account(
        "no trust",
        |account| account.endpoints.ca_pem = None,
        Stage::Tls,
        "proxy-interference",
    )
    .await;
    check_account(
        "another name",
        |account| account.endpoints.smtp_host = Some("127.0.0.2".to_owned()),
        Stage::Connection,
        "connection-refused",
    )
    .await;
    check_account(
        "a wrong secret",
        |account| {
            account.grant = mailbearer::model::Grant::ClientSecret {
                client_secret: SecretText::new(
                    "AbC8Q~wrong-secret-of-forty-characters-x".to_owned(),
                ),
            };
        },
        Stage::Token,
        "secret-wrong-value",
    )
    .await;
}

/// A server that says `greeting` to whoever comes, and `answer` to what they say.
async fn server(greeting: &'static [u8], answer: &'static [u8]) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.write_all(greeting).await;
            let mut said = [0; 512];
            let _ = stream.read(&mut said).await;
            let _ = stream.write_all(answer).await;
            if !answer.is_empty() {
                let _ = stream.read(&mut said).await;
            }
        }
    });
    port
}

#[tokio::test]
async fn what_is_no_mail_server() {
    let violation = "smtp-protocol-violation";
    let http = &b"HTTP/1.1 400 Bad Request\r\n\r\n"[..];
    for (greeting, answer, stage, code) in [
        (http, &b""[..], Stage::Greeting, violation),
        (b"\x15\x03\x01\x02\x46\r\n", b"", Stage::Greeting, violation),
        (b"220 a\r\n250 b\r\n", b"", Stage::Greeting, violation),
        (b"220 a\r\n", b"250 a\r\n", Stage::Tls, "starttls-missing"),
        (b"220 a\r\n", b"", Stage::Greeting, "connection-lost"),
    ] {
        let port = server(greeting, answer).await;
        let change = |account: &mut NewAccount| account.endpoints.smtp_port = Some(port);
        check_account(&String::from_utf8_lossy(greeting), change, stage, code).await;
    }
}

#[tokio::test]
async fn nobody_has_signed_in() {
    let world = World::start().await;
    let examination = examine(&world, PERSON).await;
    check("nobody", &examination, Stage::Credentials, "sign-in-needed");
}

#[tokio::test]
async fn a_clock_that_is_wrong() {
    let parts = Parts {
        clock: Arc::new(ManualClock::at(1_700_000_000_000)),
        ..Parts::default()
    };
    let config = mailbearer::Config::default();
    let world = World::start_on(support::options(), config, parts).await;
    let examination = examine(&world, SERVICE).await;
    check("clock", &examination, Stage::IdentityProvider, "clock-skew");
}

#[tokio::test]
async fn other_senders_and_what_ends_soon_are_warnings() {
    let world = World::start().await;
    let mut account = service(&world.sandbox);
    account.name = "ending".to_owned();
    let in_a_week = mailbearer::host::Clock::now_unix_ms(&mailbearer::host::SystemClock::default())
        + 7 * 24 * 3600 * 1000;
    account.secret_expires_at_unix_ms = Some(in_a_week);
    world.mailbearer.add_account(account).await.unwrap();
    let order = Examine {
        account: "ending".to_owned(),
        senders: vec!["not an address".to_owned()],
    };
    let examination = world.mailbearer.examine(order).await.unwrap();
    assert_eq!(examination.health, Health::Warning);
    let codes: Vec<_> = examination
        .findings
        .iter()
        .flat_map(|finding| finding.problems.iter().map(|p| (finding.stage, &*p.code)))
        .collect();
    let expected = [
        (Stage::Credentials, "credential-ends-soon"),
        (Stage::Sender, "address-invalid"),
    ];
    assert_eq!(codes, expected);
}

/// A token that was revoked before its end is renewed, as for a mail: the account is healthy.
#[tokio::test]
async fn a_refused_token_is_renewed_once() {
    let world = World::start().await;
    world.mailbearer.access_token(SERVICE).await.unwrap();
    let refusal = Fault {
        at: Phase::AuthResponse,
        effect: named("authentication-unsuccessful"),
        times: Times::Once,
    };
    world.sandbox.faults().inject(refusal).unwrap();
    let examination = examine(&world, SERVICE).await;
    assert_eq!(examination.health, Health::Sound, "{examination:#?}");
}
