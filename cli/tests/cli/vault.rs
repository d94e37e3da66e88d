//! Where the accounts are kept, and every way to unlock them.

use crate::harness::{PASSPHRASE, World, bare_command, run_unsearched};
use mailbearer_sandbox::directory::seed;

#[tokio::test(flavor = "multi_thread")]
async fn says_that_there_is_no_vault_yet_and_makes_none() {
    let world = World::new().await;
    for verb in ["status", "login", "token"] {
        world.run(&[verb]).fails_with(78, "vault-missing");
    }
    assert!(!world.path("vault.mbv").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn is_made_in_the_users_data_folder_unless_named() {
    let world = World::new().await;
    let mut add = world.add("alice", seed::ALICE, seed::PUBLIC_CLIENT_ID);
    add.env_remove("MAILBEARER_VAULT")
        .env("XDG_DATA_HOME", world.path("data"));
    let added = world.run_with(&mut add, "");
    assert_eq!(added.code, 0, "{added:?}");
    if cfg!(target_os = "linux") {
        assert!(world.path("data/mailbearer/vault.mbv").is_file());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn refuses_a_wrong_passphrase_and_needs_one() {
    let world = World::with_billing().await;
    let mut wrong = world.command(&["status"]);
    let wrong = world.run_with(wrong.env("MAILBEARER_PASSPHRASE", "tr0ub4dor"), "");
    wrong.fails_with(78, "vault-passphrase-wrong");
    assert!(!wrong.stderr.contains("tr0ub4dor"));

    let mut none = world.command(&["status"]);
    let none = world.run_with(none.env_remove("MAILBEARER_PASSPHRASE"), "");
    none.fails_with(78, "passphrase-missing");
    for way in ["--key-file", "--passphrase-fd", "MAILBEARER_PASSPHRASE"] {
        assert!(none.stderr.contains(way), "{way}: {none:?}");
    }
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn opens_with_a_key_file_or_a_descriptor() {
    use std::os::unix::fs::PermissionsExt;
    let world = World::with_billing().await;
    let key = world.write("key", PASSPHRASE);
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();

    let mut by_file = world.command(&["status", "--key-file", &key]);
    let by_file = world.run_with(by_file.env_remove("MAILBEARER_PASSPHRASE"), "");
    assert_eq!(by_file.code, 0, "{by_file:?}");
    // The command line comes before the environment.
    let mut both = world.command(&["status", "--key-file", &key]);
    let both = world.run_with(both.env("MAILBEARER_PASSPHRASE", "wrong"), "");
    assert_eq!(both.code, 0, "{both:?}");

    let mut shell = std::process::Command::new("sh");
    let script = r#"exec "$0" status --passphrase-fd 3 3<"$KEY""#;
    shell.args(["-c", script, env!("CARGO_BIN_EXE_mailbearer")]);
    shell
        .env("MAILBEARER_VAULT", world.path("vault.mbv"))
        .env("KEY", &key);
    let by_descriptor = world.run_with(&mut shell, "");
    assert_eq!(by_descriptor.code, 0, "{by_descriptor:?}");
    let mut piped = world.command(&["status", "--passphrase-fd", "0"]);
    let piped = world.run_with(piped.env_remove("MAILBEARER_PASSPHRASE"), PASSPHRASE);
    assert_eq!(piped.code, 0, "{piped:?}");
}

#[test]
fn says_when_there_is_no_place_for_it() {
    let run = run_unsearched(&mut bare_command(&["status"]), "");
    run.fails_with(78, "data-folder-unknown");
}
