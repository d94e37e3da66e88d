//! What is explained of whole cases: texts as programs and servers leave them, with what is known beside them.
//! `cases/own.jsonl` holds one of our own for each cause and some that are none of ours; `cases/codes.txt` every code.

use super::explain;
use crate::model::{Diagnosis, Evidence};
use serde::Deserialize;
use std::collections::HashMap;

#[derive(Deserialize)]
struct Case {
    id: String,
    phase: String,
    input: Evidence,
    admin_facts: HashMap<String, serde_json::Value>,
    /// Empty where the text is none of ours.
    cause: String,
    /// Whether the text alone leaves several causes.
    ambiguous: bool,
}

fn own() -> Vec<Case> {
    let lines = include_str!("cases/own.jsonl").lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// The explanation with everything that the case knows.
fn explained(case: &Case) -> Vec<Diagnosis> {
    let mut evidence = case.input.clone();
    evidence.phase.clone_from(&case.phase);
    let facts = serde_json::json!({ "admin_facts": case.admin_facts });
    let facts: Evidence = serde_json::from_value(facts).unwrap();
    evidence.admin_facts = facts.admin_facts;
    explain(&evidence)
}

#[test]
fn names_the_cause_of_every_case_of_our_own() {
    let mut wrong = Vec::new();
    for case in own() {
        let found = explained(&case);
        let first = found.first().map_or("", |first| first.code.as_str());
        if first != case.cause {
            wrong.push(format!("{}: {} instead of {}", case.id, first, case.cause));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn has_a_case_for_every_cause_that_explanations_name() {
    let cases = own();
    let named = super::causes().iter().filter(|cause| !cause.unclear);
    let missing: Vec<&str> = named
        .map(|cause| cause.code.as_str())
        .filter(|code| !cases.iter().any(|case| case.cause == *code))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn is_surer_of_clear_cases_than_of_ambiguous_ones() {
    let mean = |ambiguous: bool| {
        let cases = own();
        let ours = cases.iter().filter(|case| !case.cause.is_empty());
        let sure: Vec<f64> = ours
            .filter(|case| case.ambiguous == ambiguous)
            .map(|case| {
                // Without the facts that decide: how sure is it of the text alone?
                let alone = Evidence {
                    evidence: case.input.evidence.clone(),
                    ..Evidence::default()
                };
                explain(&alone)
                    .first()
                    .map_or(0.0, |first| first.confidence)
            })
            .collect();
        sure.iter().sum::<f64>() / sure.len() as f64
    };
    let (clear, ambiguous) = (mean(false), mean(true));
    assert!(
        clear > 0.75 && ambiguous < clear - 0.2,
        "{clear} {ambiguous}"
    );
}
