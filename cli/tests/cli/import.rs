//! `mailbearer account import`: another tool's refresh token, tried at the sandbox before it counts.

use crate::harness::World;
use mailbearer::host::{HttpClient as _, SystemHttp};
use mailbearer_sandbox::directory::seed;
use serde_json::{Value, json};
use std::process::Command;

/// A person has signed in with the other tool, which has kept this refresh token.
async fn refresh_token(world: &World) -> String {
    let url = format!(
        "{}/{}/oauth2/v2.0",
        world.sandbox.identity_url(),
        seed::DOMAIN
    );
    let post = async |path: &str, form: &[(&str, &str)]| -> Value {
        // None of the values needs escaping.
        let pairs: Vec<_> = form
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let request = http::Request::post(format!("{url}/{path}"))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(pairs.join("&").into_bytes());
        let response = SystemHttp::default().call(request.unwrap()).await.unwrap();
        serde_json::from_slice(response.body()).unwrap()
    };
    let scope = "https://outlook.office.com/SMTP.Send+offline_access";
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

fn import(world: &World, file: &str, more: &[&str]) -> Command {
    let mut command = world.command(&["account", "import", file]);
    command.args(["--smtp-host", "localhost", "--ca-file"]);
    command.arg(world.sandbox.ca_file());
    let port = world.sandbox.smtp_address().port().to_string();
    command.args(["--smtp-port", &port]);
    command.args(more);
    command
}

#[tokio::test(flavor = "multi_thread")]
async fn takes_over_a_token_that_works_and_sends_with_it() {
    let world = World::new().await;
    let token = refresh_token(&world).await;
    let endpoint = format!(
        "{}/{}/oauth2/v2.0/token",
        world.sandbox.identity_url(),
        seed::DOMAIN
    );
    let file = json!({
        "user": seed::ALICE,
        "client_id": seed::PUBLIC_CLIENT_ID,
        "token_endpoint": endpoint,
        "refresh_token": token,
        "access_token": "old",
        "expiry": "0",
    });
    let path = world.write("alice.token", &file.to_string());
    let imported = world.run_with(&mut import(&world, &path, &[]), "");
    assert_eq!(imported.code, 0, "{imported:?}");
    assert!(
        imported.stdout.contains("alice is taken over"),
        "{imported:?}"
    );
    assert_eq!(std::fs::read_to_string(&path).unwrap(), file.to_string());
    let sent = world.run(&[
        "send",
        "--account",
        "alice",
        "--to",
        seed::BOB,
        "--subject",
        "x",
        "--text",
        "x",
    ]);
    assert_eq!(sent.code, 0, "{sent:?}");
    assert_eq!(world.sandbox.inbox().len(), 1);
    world
        .run_with(&mut import(&world, &path, &[]), "")
        .fails_with(2, "account-exists");
}

#[tokio::test(flavor = "multi_thread")]
async fn leaves_no_account_behind_when_the_token_does_not_work() {
    let world = World::new().await;
    let file = json!({
        "registration": "microsoft",
        "authflow": "devicecode",
        "email": seed::ALICE,
        "refresh_token": "1.AX0A-not-a-token",
    });
    let identity = world.sandbox.identity_url();
    let more = [
        "--client-id",
        seed::PUBLIC_CLIENT_ID,
        "--tenant",
        seed::DOMAIN,
        "--authority",
        &identity,
    ];
    let mut command = import(&world, "-", &more);
    world
        .run_with(&mut command, &file.to_string())
        .fails_with(77, "grant-refused");
    let (_, accounts) = world.json(&["account", "list"]);
    assert_eq!(accounts["accounts"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn says_what_is_missing() {
    let world = World::new().await;
    let check = |content: &str, code: i32, cause: &str| {
        let path = world.write("file", content);
        let run = world.run_with(&mut import(&world, &path, &[]), "");
        run.fails_with(code, cause);
    };
    check("", 78, "import-unknown");
    check("-----BEGIN PGP MESSAGE-----", 78, "import-encrypted");
    check(r#"{"refresh_token":"x"}"#, 78, "import-incomplete");
    check(
        "[a@contoso.example]\ntoken_url = x\ntoken_salt = YQ==\nrefresh_token = x\n",
        78,
        "import-password-missing",
    );
    let missing = world.path("nowhere").display().to_string();
    world
        .run_with(&mut import(&world, &missing, &[]), "")
        .fails_with(2, "file-unreadable");
}
