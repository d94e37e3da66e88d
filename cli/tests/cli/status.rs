//! `mailbearer status`: the state of every account's tokens, without asking a server.

use crate::harness::{World, run_unsearched};
use crate::login;
use mailbearer_sandbox::directory::seed;

#[tokio::test(flavor = "multi_thread")]
async fn shows_what_each_account_needs() {
    let world = World::with_billing().await;
    world.add_alice();
    let (code, before) = world.json(&["status"]);
    assert_eq!(code, 0);
    assert_eq!(before["accounts"][0]["account"]["name"], "alice");
    assert_eq!(before["accounts"][0]["token"]["state"], "signInNeeded");
    assert_eq!(before["accounts"][1]["token"]["state"], "renewable");
    assert_eq!(
        before["accounts"][1]["token"]["origin"],
        serde_json::Value::Null
    );

    login::sign_in(&world, true).await;
    run_unsearched(&mut world.command(&["token", "billing"]), "");
    let (_, after) = world.json(&["status", "billing"]);
    assert_eq!(after["accounts"].as_array().unwrap().len(), 1);
    assert_eq!(after["accounts"][0]["token"]["origin"], "clientSecret");

    let table = world.run(&["status"]);
    assert_eq!(table.code, 0);
    for word in [seed::ALICE, seed::BILLING, "valid", "(in "] {
        assert!(table.stdout.contains(word), "{word}: {}", table.stdout);
    }
    assert_eq!(table.stdout.lines().count(), 3, "{}", table.stdout);
    world
        .run(&["status", "nobody"])
        .fails_with(2, "account-unknown");
}

#[tokio::test(flavor = "multi_thread")]
async fn says_what_ends_soon_and_exits_with_a_code_of_its_own() {
    let world = World::new().await;
    let secret = world.write("secret.txt", seed::SERVICE_CLIENT_SECRET);
    let mut add = world.add("billing", seed::BILLING, seed::SERVICE_CLIENT_ID);
    add.args(["--client-secret-file", &secret]);
    let in_days = |days: i64| {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let day = i64::try_from(now.unwrap().as_secs()).unwrap() / 86_400 + days;
        let midnight = jiff::Timestamp::from_second(day * 86_400).unwrap();
        midnight.strftime("%Y-%m-%d").to_string()
    };
    let wrong = world.run_with(add.args(["--secret-expires", "soon"]), "");
    assert_eq!(wrong.code, 2, "{wrong:?}");
    let mut add = world.add("billing", seed::BILLING, seed::SERVICE_CLIENT_ID);
    add.args([
        "--client-secret-file",
        &secret,
        "--secret-expires",
        &in_days(20),
    ]);
    assert_eq!(world.run_with(&mut add, "").code, 0);

    let check = |options: &[&str], expected: i32| {
        let run = world.run(&[&["status"], options].concat());
        assert_eq!(run.code, expected, "{options:?} {run:?}");
        assert!(run.stdout.contains(&in_days(20)), "{run:?}");
    };
    check(&[], 0);
    check(&["--warn-days", "19"], 0);
    check(&["--warn-days", "20"], 4);
    check(&["billing", "--warn-days", "30"], 4);
    let (code, status) = world.json(&["status", "--warn-days", "30"]);
    let end = &status["accounts"][0]["token"]["secretExpiresAtUnixMs"];
    assert!(code == 4 && end.is_i64(), "{code} {status}");

    // Nobody has signed in: that account has ended already.
    world.add_alice();
    assert_eq!(world.run(&["status", "alice"]).code, 0);
    assert_eq!(world.run(&["status", "alice", "--warn-days", "0"]).code, 4);
    login::sign_in(&world, true).await;
    assert_eq!(world.run(&["status", "alice", "--warn-days", "88"]).code, 0);
    assert_eq!(world.run(&["status", "alice", "--warn-days", "90"]).code, 4);
}
