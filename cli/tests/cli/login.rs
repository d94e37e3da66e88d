//! `mailbearer login`: a person's sign-in, approved, declined, and for an account that has none.

use crate::harness::{World, finished, read_until, spawn};
use mailbearer_sandbox::directory::seed;
use serde_json::Value;
use std::io::Write as _;

#[tokio::test(flavor = "multi_thread")]
async fn shows_the_code_and_then_who_has_signed_in() {
    let world = World::new().await;
    world.add_alice();
    let mut child = spawn(&mut world.command(&["login"]));
    let mut reader = None;
    read_until(&mut child, &mut reader, "/devicelogin");
    let shown = read_until(&mut child, &mut reader, "type this code:")
        + &read_until(&mut child, &mut reader, "\n")
        + &read_until(&mut child, &mut reader, "\n");
    let code = shown.split_whitespace().last().unwrap();
    world
        .sandbox
        .approve_device(code, seed::ALICE)
        .await
        .unwrap();
    let shown = read_until(&mut child, &mut reader, "✔");
    assert!(shown.contains(seed::ALICE), "{shown}");
    let shown = read_until(&mut child, &mut reader, "renewal");
    assert!(shown.contains("renewed without asking again"), "{shown}");
    let run = finished(child, shown);
    assert_eq!(run.code, 0, "{run:?}");
    world.search(&run);
}

#[tokio::test(flavor = "multi_thread")]
async fn tells_a_program_the_prompt_first_and_the_status_last() {
    let world = World::new().await;
    world.add_alice();
    let (prompt, status, code) = sign_in(&world, true).await;
    assert_eq!(prompt["prompt"]["account"], "alice");
    assert_eq!(status["status"]["state"], "valid");
    assert_eq!(status["status"]["origin"], "deviceCode");
    assert_eq!(status["status"]["subject"], seed::ALICE);
    assert_eq!(status["status"]["hasRefreshToken"], true);
    assert_eq!(code, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn fails_when_the_person_declines() {
    let world = World::new().await;
    world.add_alice();
    let (_, error, code) = sign_in(&world, false).await;
    assert_eq!(error["error"]["kind"], "signIn", "{error}");
    assert_eq!(error["error"]["operation"], "finish_sign_in");
    assert_eq!(code, 77);
}

#[tokio::test(flavor = "multi_thread")]
async fn names_the_accounts_when_none_is_meant() {
    let world = World::with_billing().await;
    world.add_alice();
    let run = world.run(&["login"]);
    run.fails_with(2, "account-not-named");
    assert!(run.stderr.contains("alice, billing"), "{run:?}");
    world
        .run(&["login", "nobody"])
        .fails_with(2, "account-unknown");
}

#[tokio::test(flavor = "multi_thread")]
async fn takes_the_address_that_a_browser_elsewhere_ended_at() {
    let world = World::new().await;
    world.add_alice();
    let mut child = spawn(&mut world.command(&["login", "--browser"]));
    let mut stdin = child.stdin.take().unwrap();
    let mut reader = None;
    read_until(&mut child, &mut reader, "browser:");
    let shown = read_until(&mut child, &mut reader, "/authorize");
    let url = shown.lines().last().unwrap().trim();
    let returned = world
        .sandbox
        .approve_authorization(url, seed::ALICE)
        .await
        .unwrap();
    writeln!(stdin, "not an address\n{returned}").unwrap();
    let shown = read_until(&mut child, &mut reader, "✔");
    assert!(shown.contains(seed::ALICE), "{shown}");
    let run = finished(child, shown);
    assert_eq!(run.code, 0, "{run:?}");
    assert!(run.stderr.contains("pasted address"), "{run:?}");
    world.search(&run);
}

/// Signs in with `--json`; the two documents and the exit code.
pub(crate) async fn sign_in(world: &World, approve: bool) -> (Value, Value, i32) {
    let mut child = spawn(&mut world.command(&["login", "alice", "--json"]));
    let mut reader = None;
    let prompt: Value = parse(&read_until(&mut child, &mut reader, "\n"));
    let code = prompt["prompt"]["userCode"].as_str().unwrap();
    if approve {
        world
            .sandbox
            .approve_device(code, seed::ALICE)
            .await
            .unwrap();
    } else {
        world.sandbox.decline_device(code).await.unwrap();
    }
    let last = read_until(&mut child, &mut reader, "\n");
    let run = finished(child, last.clone());
    world.search(&run);
    assert_eq!(run.stderr, "");
    (prompt, parse(&last), run.code)
}

fn parse(line: &str) -> Value {
    serde_json::from_str(line).unwrap()
}
