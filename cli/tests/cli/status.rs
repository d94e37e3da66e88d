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
