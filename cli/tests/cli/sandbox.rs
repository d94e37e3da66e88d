//! `mailbearer sandbox`: what it prints works when pasted, and it ends when told to.

use crate::harness::{bare_command, finished, read_until, run_unsearched, spawn};
use serde_json::Value;
use std::process::Child;

#[cfg(unix)]
#[test]
fn what_it_prints_can_be_pasted() {
    let mut child = spawn(&mut bare_command(&["sandbox"]));
    let mut reader = None;
    let shown = read_until(&mut child, &mut reader, "mailbearer send ");
    let commands: String = shown
        .lines()
        .skip_while(|line| !line.contains("in another terminal"))
        .skip(1)
        .filter(|line| !line.contains("mailbearer login"))
        .map(|line| format!("{line}\n"))
        .collect();
    let script = format!("mailbearer() {{ \"$BINARY\" \"$@\"; }}\nset -e\n{commands}");
    let mut shell = std::process::Command::new("sh");
    shell
        .args(["-c", &script])
        .env("BINARY", env!("CARGO_BIN_EXE_mailbearer"));
    let pasted = run_unsearched(&mut shell, "");
    assert_eq!(pasted.code, 0, "{script}\n{pasted:?}");
    assert!(pasted.stdout.contains("✔ accepted"), "{pasted:?}");
    assert!(
        shown.lines().all(|line| line.chars().count() <= 80),
        "{shown}"
    );
    stop(&child, "-INT");
    assert_eq!(finished(child, shown).code, 0);
}

#[cfg(unix)]
#[test]
fn tells_a_program_where_everything_is_and_ends_on_a_signal() {
    let mut child = spawn(&mut bare_command(&["sandbox", "--json"]));
    let mut reader = None;
    let line = read_until(&mut child, &mut reader, "\n");
    let document: Value = serde_json::from_str(&line).unwrap();
    let sandbox = &document["sandbox"];
    for field in [
        "identityUrl",
        "identityHttpsUrl",
        "controlUrl",
        "inboxUrl",
        "caFile",
        "tenantId",
        "domain",
    ] {
        assert!(sandbox[field].is_string(), "{field}");
    }
    assert!(sandbox["users"].as_array().unwrap().len() >= 3);
    assert!(sandbox["applications"].as_array().unwrap().len() >= 2);

    let port = sandbox["smtpPort"].to_string();
    let taken = run_unsearched(&mut bare_command(&["sandbox", "--smtp-port", &port]), "");
    taken.fails_with(69, "sandbox-not-started");
    stop(&child, "-TERM");
    assert_eq!(finished(child, line).code, 0);
}

fn stop(child: &Child, signal: &str) {
    let kill = std::process::Command::new("kill")
        .args([signal, &child.id().to_string()])
        .status();
    assert!(kill.unwrap().success());
}
