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

/// The lines of the table, and what is wrong in it.
fn lay_out(
    columns: &[&'static str],
    cases: &BTreeSet<&String>,
    reports: &BTreeMap<&'static str, Report>,
) -> (Vec<String>, Vec<String>) {
    let names = cases.iter().map(|case| case.len());
    let width = names.chain(["scenario".len()]).max().unwrap_or(0);
    let row = |name: &str, cells: Vec<String>| {
        let cells: String = cells.iter().map(|cell| format!("{cell:>9}")).collect();
        format!("{name:<width$}{cells}")
    };
    let heads = columns.iter().map(ToString::to_string).collect();
    let mut lines = vec![row("scenario", heads)];
    let mut complaints = Vec::new();
    let mut reasons: BTreeMap<_, Vec<&str>> = BTreeMap::new();
    let mut passed = vec![0; columns.len()];
    for case in cases {
        let mut cells = Vec::new();
        for (column, passed) in columns.iter().zip(&mut passed) {
            let outcome = reports.get(column).and_then(|report| report.get(*case));
            let outcome = outcome.and_then(Value::as_str).unwrap_or("not run");
            match outcome.split_once(": ") {
                None if outcome == "passed" => *passed += 1,
                // What a language cannot do by its nature, such as a second call of a one-shot program.
                Some(("skipped", why)) => reasons.entry((*column, why)).or_default().push(case),
                _ => complaints.push(format!("{column}: {case}: {outcome}")),
            }
            cells.push(cell(outcome).to_owned());
        }
        lines.push(row(case, cells));
    }
    let all = cases.len();
    let totals = passed.iter().map(|passed| format!("{passed}/{all}"));
    lines.push(row("passed", totals.collect()));
    lines.extend(
        reasons
            .into_iter()
            .map(|((column, why), cases)| format!("{column} skips {}: {why}", cases.join(", "))),
    );
    (lines, complaints)
}

/// Short where all is well, so that the rest stands out.
fn cell(outcome: &str) -> &str {
    match outcome.split(':').next().unwrap_or(outcome) {
        "passed" => "✔",
        other => other,
    }
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
        let expected = [
            "scenario     rust      cli     node",
            "a               ✔  skipped   failed",
            "b               ✔  not run        ✔",
            "passed        2/2      0/2      1/2",
            "cli skips a: one call only",
        ];
        assert_eq!(lines, expected);
        assert_eq!(complaints, ["node: a: failed: 2 mails", "cli: b: not run"]);
    }
}
