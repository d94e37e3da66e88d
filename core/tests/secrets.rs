//! No secret of a whole life of two accounts is seen anywhere: not in logs at every level, events, errors, `Debug` of
//! anything public, JSON of results, or the vault's files.

#![expect(clippy::unwrap_used, reason = "tests may stop where they stand")]

mod support;

use mailbearer::model::{Passphrase, Timeouts, VaultSettings};
use mailbearer::{Config, SignInFlow};
use mailbearer_sandbox::directory::seed;
use mailbearer_sandbox::{Effect, Fault, Phase, Times};
use std::fmt::Debug;
use std::path::Path;
use std::time::Duration;
use support::{PERSON, SERVICE, World, mail, person, service};

const PASSPHRASE: &str = "correct horse battery staple";

fn config(folder: &Path) -> Config {
    Config {
        vault: VaultSettings::File {
            path: folder.join("vault.mbv").display().to_string(),
            passphrase: Passphrase::Text {
                text: PASSPHRASE.to_owned().into(),
            },
        },
        timeouts: Timeouts {
            token_ms: 5_000,
            ..Timeouts::default()
        },
        ..Config::default()
    }
}

/// Everything that a program could show of a run.
#[derive(Default)]
struct Shown(Vec<String>);

impl Shown {
    fn keep(&mut self, value: &impl Debug) {
        self.0.push(format!("{value:?} {value:#?}"));
    }
}

#[tokio::test]
async fn a_whole_life_of_two_accounts_shows_no_secret() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path());
    let mut shown = Shown::default();
    shown.keep(&config);
    let world = World::start_with(config).await;
    let events = world.mailbearer.events();
    shown.keep(&service(&world.sandbox));
    shown.keep(&person(&world.sandbox));

    live(&world, &mut shown).await;
    shown.keep(&world.mailbearer);
    world.mailbearer.close().await.unwrap();
    shown.keep(&world.mailbearer.send(mail(SERVICE, &[seed::BOB])).await);
    while let Some(event) = events.next().await {
        shown.0.push(serde_json::to_string(&event).unwrap());
        shown.keep(&event);
    }

    let shown = shown.0.join("\n");
    assert!(
        world.sandbox.secrets().len() >= 8,
        "the search has something to find"
    );
    assert!(shown.contains("TokenObtained") && shown.contains("MailFailed"));
    assert!(!shown.contains(PASSPHRASE));
    world.assert_no_secret_in(&shown);
    assert_no_secret_in_files(&world, folder.path());
}

async fn live(world: &World, shown: &mut Shown) {
    let mailbearer = &world.mailbearer;
    let prompt = mailbearer
        .begin_sign_in(PERSON, SignInFlow::DeviceCode)
        .await;
    let prompt = prompt.unwrap();
    shown.keep(&prompt);
    let approved = world.sandbox.approve_device(&prompt.user_code, seed::ALICE);
    approved.await.unwrap();
    shown.keep(&mailbearer.finish_sign_in(&prompt).await);
    for account in [PERSON, SERVICE] {
        let delivery = mailbearer.send(mail(account, &[seed::BOB])).await.unwrap();
        shown.0.push(serde_json::to_string(&delivery).unwrap());
        shown.keep(&delivery);
        shown.keep(&mailbearer.access_token(account).await);
        shown.keep(&mailbearer.revealed_access_token(account).await);
        shown.keep(&mailbearer.token_status(account).await);
    }
    // The sandbox's clock ends every token: both are refused, and renewed.
    world.sandbox.clock().advance(Duration::from_secs(7200));
    shown.keep(&mailbearer.send(mail(PERSON, &[seed::BOB])).await);
    // Connections that are open would not sign in again.
    mailbearer.remove_account(SERVICE).await.unwrap();
    mailbearer
        .add_account(service(&world.sandbox))
        .await
        .unwrap();
    fail(
        world,
        Phase::AuthResponse,
        Effect::Named("authentication-unsuccessful".to_owned()),
    );
    shown.keep(
        &mailbearer
            .send(mail(SERVICE, &["nobody@contoso.example"]))
            .await,
    );
    world.sandbox.faults().clear();
    shown.keep(&mailbearer.accounts().await);
}

fn fail(world: &World, at: Phase, effect: Effect) {
    let fault = Fault {
        at,
        effect,
        times: Times::Always,
    };
    world.sandbox.faults().inject(fault).unwrap();
}

fn assert_no_secret_in_files(world: &World, folder: &Path) {
    let mut searched = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let octets = std::fs::read(entry.unwrap().path()).unwrap();
        for secret in world.sandbox.secrets() {
            let secret = secret.as_bytes();
            let is_there = octets.windows(secret.len()).any(|window| window == secret);
            assert!(!is_there, "a secret is on disk in the clear");
        }
        searched += 1;
    }
    assert!(searched > 0);
}
