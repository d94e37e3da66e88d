//! `mailbearer explain`: from arguments, standard input and evidence, for people and programs.

use crate::harness::{bare_command, run_unsearched};
use std::path::Path;

const REFUSAL: &str = "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Mailbox. \
                       Visit https://aka.ms/smtp_auth_disabled for more information.";

#[test]
fn explains_words_and_standard_input_alike() {
    let words: Vec<&str> = std::iter::once("explain")
        .chain(REFUSAL.split(' '))
        .collect();
    let by_words = run_unsearched(&mut bare_command(&words), "");
    assert_eq!(by_words.code, 0, "{by_words:?}");
    for label in ["1. ", "next ", "who ", "cause "] {
        assert!(
            by_words.stdout.contains(label),
            "{label}: {}",
            by_words.stdout
        );
    }
    for arguments in [vec!["explain"], vec!["explain", "-"]] {
        let piped = run_unsearched(&mut bare_command(&arguments), REFUSAL);
        assert_eq!(piped.stdout, by_words.stdout);
    }
}

#[test]
fn gives_programs_the_same_as_json() {
    let run = run_unsearched(&mut bare_command(&["explain", "--json", REFUSAL]), "");
    let document = run.document();
    let best = &document["diagnoses"][0];
    assert_eq!(best["code"], "smtp-auth-disabled-mailbox", "{document}");
    for field in ["cause", "fix", "who"] {
        assert!(!best[field].as_str().unwrap().is_empty(), "{field}");
    }
}

#[test]
fn reads_evidence_from_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("evidence.json");
    let evidence = serde_json::json!({ "evidence": [{ "kind": "smtp_reply", "text": REFUSAL }] });
    std::fs::write(&path, evidence.to_string()).unwrap();
    let explain = |path: &Path| {
        let mut command = bare_command(&["explain", "--context", "port=587", "--evidence"]);
        run_unsearched(command.arg(path), "")
    };
    assert_eq!(explain(&path).code, 0);
    std::fs::write(&path, "{}x").unwrap();
    explain(&path).fails_with(2, "evidence-unreadable");
    explain(&folder.path().join("missing")).fails_with(2, "file-unreadable");
}

#[test]
fn says_when_nothing_fits_or_nothing_is_given() {
    let run = run_unsearched(&mut bare_command(&["explain", "all", "is", "well"]), "");
    assert_eq!(run.code, 1, "{run:?}");
    assert!(run.stdout.contains("Nothing"), "{run:?}");
    let run = run_unsearched(&mut bare_command(&["explain", "--json", "all is well"]), "");
    assert_eq!(run.document()["diagnoses"], serde_json::json!([]));
    run_unsearched(&mut bare_command(&["explain"]), "\n").fails_with(2, "text-missing");
    let run = run_unsearched(&mut bare_command(&["explain", "--context", "x", "y"]), "");
    assert_eq!(run.code, 2);
}

#[test]
fn explains_a_line_each_and_goes_on_after_a_bad_one() {
    let delegated = serde_json::json!({
        "id": "a", "phase": "auth",
        "input": {
            "evidence": [{ "kind": "smtp_reply", "text": "535 5.7.3 Authentication unsuccessful" }],
            "context": { "flow": "device code" },
        },
    });
    let mut decided = delegated.clone();
    decided["id"] = 2.into();
    decided["admin_facts"] =
        serde_json::json!({ "Get-CASMailbox.SmtpClientAuthenticationDisabled": true });
    let unknown = r#"{"id": "u", "input": {"evidence": [{"text": "the weather is fine"}]}}"#;
    let input = format!("{delegated}\n\n{{\"id\": 1\n{decided}\n{{\"id\": \"n\"}}\n{unknown}");
    let run = run_unsearched(&mut bare_command(&["explain", "--batch"]), &input);
    assert_eq!(run.code, 1, "{run:?}");
    let lines: Vec<serde_json::Value> = run
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let ids: Vec<&serde_json::Value> = lines.iter().map(|line| &line["id"]).collect();
    assert_eq!(
        serde_json::json!(ids),
        serde_json::json!(["a", null, 2, "n", "u"])
    );
    assert!(
        lines[0]["ask"].as_array().unwrap().len() > 2,
        "{}",
        lines[0]
    );
    assert!(lines[0]["ranked"].as_array().unwrap().len() <= 5);
    assert_eq!(lines[2]["ranked"][0], "smtp-auth-disabled-mailbox");
    assert!(lines[2]["confidence"].as_f64() > lines[0]["confidence"].as_f64());
    assert!(lines[2]["fix"].as_str().unwrap().contains("Set-CASMailbox"));
    assert_eq!(lines[2]["who"], "Exchange administrator");
    assert_eq!(lines[2]["retry"]["type"], "never");
    for bad in [1, 3] {
        assert_eq!(
            lines[bad]["error"]["code"], "case-unreadable",
            "{}",
            lines[bad]
        );
    }
    assert_eq!(lines[4]["ranked"], serde_json::json!([]));

    let good = run_unsearched(
        &mut bare_command(&["explain", "--batch"]),
        &decided.to_string(),
    );
    assert_eq!(good.code, 0, "{good:?}");
}
