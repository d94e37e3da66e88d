//! `mailbearer account`: adding from every source of a secret, listing, removing.

use crate::harness::World;
use mailbearer_sandbox::directory::seed;

#[tokio::test(flavor = "multi_thread")]
async fn adds_lists_and_removes() {
    let world = World::with_billing().await;
    world.add_alice();
    let list = world.run(&["account", "list"]);
    assert_eq!(list.code, 0);
    for word in [
        "alice",
        "device-code",
        seed::BILLING,
        "client-secret",
        "localhost:",
    ] {
        assert!(list.stdout.contains(word), "{word}: {}", list.stdout);
    }

    let (code, removed) = world.json(&["account", "remove", "alice"]);
    assert_eq!((code, &removed["removed"]), (0, &"alice".into()));
    let (_, list) = world.json(&["account", "list"]);
    assert_eq!(list["accounts"].as_array().unwrap().len(), 1);
    assert_eq!(list["accounts"][0]["mailbox"], seed::BILLING);
    assert_eq!(list["accounts"][0]["grant"], "clientSecret");
}

#[tokio::test(flavor = "multi_thread")]
async fn takes_the_secret_from_standard_input_or_the_environment() {
    let world = World::new().await;
    let secret = seed::SERVICE_CLIENT_SECRET;
    let mut piped = world.add("piped", seed::BILLING, seed::SERVICE_CLIENT_ID);
    let piped = world.run_with(piped.arg("--client-secret-stdin"), &format!("{secret}\r\n"));
    assert_eq!(piped.code, 0, "{piped:?}");
    let mut set = world.add("set", seed::BILLING, seed::SERVICE_CLIENT_ID);
    let set = world.run_with(set.env("MAILBEARER_CLIENT_SECRET", secret), "");
    assert_eq!(set.code, 0, "{set:?}");
    for account in ["piped", "set"] {
        // Only the right secret obtains a token.
        let token = crate::harness::run_unsearched(&mut world.command(&["token", account]), "");
        assert_eq!(token.code, 0, "{account}: {}", token.stderr);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn says_what_is_wrong_with_an_account() {
    let world = World::with_billing().await;
    let mut same = world.add("billing", seed::BILLING, seed::PUBLIC_CLIENT_ID);
    let same = world.run_with(&mut same, "");
    assert_eq!(same.code, 2, "{same:?}");
    assert!(same.stderr.contains("billing"), "{same:?}");

    let mut no_secret = world.add("x", seed::BILLING, seed::SERVICE_CLIENT_ID);
    let no_secret = world.run_with(no_secret.args(["--grant", "client-secret"]), "");
    no_secret.fails_with(2, "client-secret-missing");
    let mut no_file = world.add("x", seed::BILLING, seed::SERVICE_CLIENT_ID);
    let no_file = world.run_with(no_file.args(["--client-secret-file", "missing.txt"]), "");
    no_file.fails_with(2, "file-unreadable");
    let mut empty = world.add("x", seed::BILLING, seed::SERVICE_CLIENT_ID);
    let empty = world.run_with(empty.arg("--client-secret-stdin"), "\n");
    empty.fails_with(2, "client-secret-missing");
    let mut both = world.add("x", seed::BILLING, seed::SERVICE_CLIENT_ID);
    let both = world.run_with(
        both.args(["--client-secret-stdin", "--passphrase-fd", "0"]),
        "s",
    );
    both.fails_with(2, "stdin-wanted-twice");

    world
        .run(&["account", "remove", "nobody"])
        .fails_with(2, "account-unknown");
    let (_, list) = world.json(&["account", "list"]);
    assert_eq!(
        list["accounts"].as_array().unwrap().len(),
        1,
        "nothing was added"
    );
}
