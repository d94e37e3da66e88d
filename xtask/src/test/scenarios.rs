//! Which case of `scenarios/` holds in which language. Each language's runner writes a report of its own, a JSON object
//! from case to outcome, into the folder it is given; this prints them side by side.

use crate::{Result, root};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

/// The environment variable that tells runners the folder for their reports: `rust.json`, `cli.json`, `python.json`, …
pub(super) const REPORTS: &str = "MAILBEARER_SCENARIO_REPORTS";

/// The languages, in the order of the table. Each is the name of a suite, but for `cli`, which is part of `rust`.
pub(super) const LANGUAGES: [&str; 5] = ["rust", "cli", "python", "node", "swift"];

/// The folder for reports.
pub(super) fn folder() -> PathBuf {
    root().join("target/scenarios")
}

/// Forgets earlier reports.
pub(super) fn clear() -> Result {
    let _ = fs::remove_dir_all(folder());
    Ok(fs::create_dir_all(folder())?)
}

/// Prints the table of what these languages reported, and gives the cases that do not hold or were left out.
pub(super) fn table(languages: &[&'static str]) -> Vec<String> {
    let reports: BTreeMap<_, _> = languages
        .iter()
        .filter_map(|language| Some((*language, read(language)?)))
        .collect();
    let columns: Vec<_> = LANGUAGES
        .into_iter()
        .filter(|language| reports.contains_key(language))
        .collect();
    if columns.is_empty() {
        return Vec::new();
    }
    let cases: BTreeSet<_> = reports.values().flat_map(|report| report.keys()).collect();
    let (lines, complaints) = lay_out(&columns, &cases, &reports);
    println!("\n{}", lines.join("\n"));
    complaints
}

type Report = Map<String, Value>;

fn read(language: &str) -> Option<Report> {
    let path = root()
        .join("target/scenarios")
        .join(format!("{language}.json"));
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

fn lay_out(
    columns: &[&'static str],
    cases: &BTreeSet<&String>,
    reports: &BTreeMap<&'static str, Report>,
) -> (Vec<String>, Vec<String>) {
    let heads: String = columns.iter().map(|column| pad(column)).collect();
    let mut lines = vec![format!("{:<44}{heads}", "scenario")];
    let mut complaints = Vec::new();
    for case in cases {
        let mut line = format!("{case:<44}");
        for column in columns {
            let outcome = reports.get(column).and_then(|report| report.get(*case));
            let outcome = outcome.and_then(Value::as_str).unwrap_or("not run");
            // "skipped" says why: what a language cannot do by its nature, such as a second call of a one-shot program.
            let cell = outcome.split(':').next().unwrap_or(outcome);
            line.push_str(&pad(cell));
            if cell != "passed" && cell != "skipped" {
                complaints.push(format!("{column}: {case}: {outcome}"));
            }
        }
        lines.push(line);
    }
    (lines, complaints)
}

fn pad(cell: &str) -> String {
    format!("{cell:>8}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_case_that_failed_or_was_forgotten_is_a_complaint() {
        let report = |value: Value| value.as_object().cloned().unwrap();
        let reports = BTreeMap::from([
            ("rust", report(json!({ "a": "passed", "b": "passed" }))),
            ("cli", report(json!({ "a": "skipped: one call only" }))),
            (
                "node",
                report(json!({ "a": "failed: 2 mails", "b": "passed" })),
            ),
        ]);
        let (a, b) = ("a".to_owned(), "b".to_owned());
        let cases = BTreeSet::from([&a, &b]);
        let (lines, complaints) = lay_out(&["rust", "cli", "node"], &cases, &reports);
        assert_eq!(lines.len(), 3);
        assert!(lines[1].ends_with("  passed skipped  failed"), "{lines:?}");
        assert_eq!(complaints, ["node: a: failed: 2 mails", "cli: b: not run"]);
    }
}
