//! What holds for every verb: help, refusals of the command line, completions, manual pages, and readers that leave.

use crate::harness::{bare_command, run_unsearched, spawn};
use std::process::Command;

#[test]
fn help_and_version_are_answers() {
    for arguments in [
        vec!["--help"],
        vec!["help", "send"],
        vec!["send", "-h"],
        vec!["--version"],
    ] {
        let run = run_unsearched(&mut bare_command(&arguments), "");
        assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{arguments:?}");
        assert!(!run.stdout.is_empty());
    }
    let help = run_unsearched(&mut bare_command(&["--help"]), "").stdout;
    assert!(help.contains("Exit codes:"), "{help}");
}

#[test]
fn a_wrong_command_line_is_refused_in_the_form_asked_for() {
    for arguments in [
        vec!["sned"],
        vec!["send", "--nope"],
        vec!["account", "add", "x"],
        vec![],
    ] {
        let run = run_unsearched(&mut bare_command(&arguments), "");
        assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{arguments:?}");
        assert!(!run.stderr.is_empty());
    }
    let run = run_unsearched(&mut bare_command(&["send", "--nope", "--json"]), "");
    assert_eq!(run.code, 2);
    let document = run.document();
    assert_eq!(document["error"]["code"], "usage");
    assert_eq!(document["error"]["kind"], "misuse");
    assert!(
        document["error"]["text"]
            .as_str()
            .unwrap()
            .contains("--nope")
    );
}

#[test]
fn a_log_is_written_to_standard_error_when_asked_for() {
    let quiet = run_unsearched(&mut bare_command(&["explain", "x", "--json"]), "");
    assert_eq!(quiet.stderr, "");
    let wrong = run_unsearched(&mut bare_command(&["explain", "x", "--log", "a=b=c"]), "");
    wrong.fails_with(2, "log-filter");
}

#[test]
fn completions_know_every_verb() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let run = run_unsearched(&mut bare_command(&["completions", shell]), "");
        assert_eq!(run.code, 0);
        for verb in [
            "demo", "sandbox", "account", "login", "send", "token", "status", "explain",
        ] {
            assert!(run.stdout.contains(verb), "{shell} {verb}");
        }
    }
}

#[test]
fn manual_pages_are_written_for_every_verb() {
    let folder = tempfile::tempdir().unwrap();
    let man = folder.path().join("man1");
    let run = run_unsearched(bare_command(&["man", "--json"]).arg(&man), "");
    assert_eq!(run.code, 0, "{run:?}");
    let document = run.document();
    let pages: Vec<&str> = document["pages"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|page| page.as_str())
        .collect();
    for page in [
        "mailbearer.1",
        "mailbearer-send.1",
        "mailbearer-account-add.1",
    ] {
        assert!(pages.contains(&page), "{pages:?}");
        assert!(
            std::fs::read_to_string(man.join(page))
                .unwrap()
                .contains(".TH")
        );
    }
}

#[test]
fn a_reader_that_leaves_early_is_no_failure() {
    let mut child = spawn(&mut bare_command(&["completions", "bash"]));
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(output.stderr.is_empty());
}

#[cfg(target_os = "linux")]
#[test]
fn an_answer_that_cannot_be_written_is_one() {
    let mut command: Command = bare_command(&["explain", "--json", "535 5.7.3"]);
    let full = std::fs::OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let output = command.stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(74));
}
