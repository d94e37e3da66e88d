//! `mailbearer token`: a token alone on standard output, for programs in three forms.

use crate::harness::{World, run_unsearched};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mailbearer_sandbox::directory::seed;
use serde_json::Value;

#[tokio::test(flavor = "multi_thread")]
async fn prints_the_token_and_nothing_else() {
    let world = World::with_billing().await;
    let run = run_unsearched(&mut world.command(&["token"]), "");
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    let token = run.stdout.strip_suffix('\n').unwrap();
    assert!(world.sandbox.secrets().iter().any(|secret| secret == token));

    let again = run_unsearched(&mut world.command(&["token", "billing"]), "");
    assert_eq!(
        again.stdout, run.stdout,
        "a token that is valid is not renewed"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn prints_it_as_json_and_for_xoauth2() {
    let world = World::with_billing().await;
    let plain = run_unsearched(&mut world.command(&["token", "billing"]), "");
    let token = plain.stdout.trim_end();
    let expected = format!("user={}\x01auth=Bearer {token}\x01\x01", seed::BILLING);

    let run = run_unsearched(&mut world.command(&["token", "billing", "--xoauth2"]), "");
    let response = STANDARD.decode(run.stdout.trim_end()).unwrap();
    assert_eq!(response, expected.as_bytes());

    let run = run_unsearched(&mut world.command(&["token", "--json"]), "");
    let document: Value = run.document();
    assert_eq!(document["accessToken"]["token"], token);
    assert_eq!(document["accessToken"]["mailbox"], seed::BILLING);
    assert!(document["accessToken"]["expiresAtUnixMs"].is_i64());
    assert!(document.get("xoauth2").is_none());

    let run = run_unsearched(&mut world.command(&["token", "--json", "--xoauth2"]), "");
    let response = run.document()["xoauth2"].as_str().unwrap().to_owned();
    assert_eq!(STANDARD.decode(response).unwrap(), expected.as_bytes());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_token_is_replaced_once_in_either_form() {
    let world = World::with_billing().await;
    for form in [
        &["token", "billing"][..],
        &["token", "billing", "--xoauth2"],
    ] {
        let print = |more: &[&str], stdin: &str| {
            let mut command = world.command(form);
            run_unsearched(command.args(more), stdin).stdout
        };
        let refused = print(&[], "");
        let renewed = print(&["--refused-stdin"], &refused);
        assert_ne!(renewed, refused, "{form:?}");
        assert_eq!(print(&["--refused-stdin"], &refused), renewed, "{form:?}");
        assert_eq!(print(&[], ""), renewed, "{form:?}");
    }
    for (arguments, stdin) in [
        (&["token", "--refused-stdin"][..], "\n"),
        (&["token", "--refused-stdin", "--xoauth2"], "no base64"),
    ] {
        let run = world.run_with(&mut world.command(arguments), stdin);
        run.fails_with(2, "refused-token-missing");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn fails_without_a_token_and_without_a_secret() {
    let world = World::new().await;
    world.add_alice();
    world
        .run(&["token", "alice"])
        .fails_with(77, "sign-in-needed");
    let (code, document) = world.json(&["token", "alice"]);
    assert_eq!(code, 77);
    assert_eq!(document["error"]["code"], "sign-in-needed");
    assert_eq!(document["error"]["operation"], "access_token");

    let wrong = world
        .add("wrong", seed::BILLING, seed::SERVICE_CLIENT_ID)
        .env("MAILBEARER_CLIENT_SECRET", "not-the-secret")
        .status()
        .unwrap();
    assert!(wrong.success());
    let run = world.run(&["token", "wrong"]);
    assert_eq!(run.code, 78, "{run:?}");
    assert!(!run.stderr.contains("not-the-secret"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_most_talkative_log_holds_no_secret() {
    let world = World::with_billing().await;
    let run = run_unsearched(&mut world.command(&["token", "--log", "trace"]), "");
    assert_eq!(run.code, 0);
    assert!(
        run.stderr.contains("access token obtained"),
        "{}",
        run.stderr
    );
    let logged = crate::harness::Run {
        stdout: String::new(),
        ..run
    };
    world.search(&logged);
}
