//! What a failure means, from whatever texts and facts somebody has seen of it.
//! The same rules serve as for the answers Mailbearer gets itself.

use super::catalogue::Place;
use super::judge::{Finding, judge};
use super::question::open_questions;
use super::reading;
use super::redact::without_secrets;
use super::sighting::Sighting;
use super::situation::Situation;
use crate::model::{Diagnosis, Evidence};

/// The possible causes of a failure, best first; empty when nothing in the catalogue fits.
pub(crate) fn explain(evidence: &Evidence) -> Vec<Diagnosis> {
    let texts: Vec<&str> = evidence
        .evidence
        .iter()
        .map(|item| item.text.as_str())
        .collect();
    let reading = reading::read(&texts.join("\n"));
    let sighting = Sighting::of_text(&reading.text);
    let situation = Situation::of(evidence, &reading, &sighting);
    let everywhere = [Place::Smtp, Place::Token, Place::Text, Place::Situation];
    let judgement = judge(&sighting, &situation, &everywhere);
    let mut findings = judgement.findings;
    // What only sums up others says nothing beside them, and alone it explains nothing.
    findings.retain(|finding| !finding.cause.unclear);
    findings.truncate(MOST_CAUSES);
    let ask = if is_decided(&findings) {
        Vec::new()
    } else {
        open_questions(&findings, &situation)
    };
    let diagnoses = findings.into_iter().map(|finding| diagnosis(finding, &ask));
    diagnoses.collect()
}

/// Whether asking on would be idle: one cause is sure, and no other near.
fn is_decided(findings: &[Finding]) -> bool {
    let confidence = |place: usize| {
        findings
            .get(place)
            .map_or(0.0, |finding| finding.confidence)
    };
    confidence(0) >= DECIDED && confidence(1) < RIVAL
}

fn diagnosis(finding: Finding, ask: &[String]) -> Diagnosis {
    let cause = finding.cause;
    let fix = match cause.check.as_str() {
        "" => cause.fix.clone(),
        check => format!("{} To tell it from other causes: {check}", cause.fix),
    };
    Diagnosis {
        code: cause.code.clone(),
        cause: sentence(&cause.meaning),
        fix,
        who: cause.who.clone(),
        retry: cause.retry(),
        confidence: finding.confidence,
        because: finding
            .because
            .iter()
            .map(|sign| without_secrets(sign))
            .collect(),
        ask: ask.to_vec(),
        page: format!("docs/errors/{}.md", cause.code),
    }
}

fn sentence(clause: &str) -> String {
    let mut letters = clause.chars();
    let first = letters.next().map(|letter| letter.to_ascii_uppercase());
    first.into_iter().chain(letters).chain(['.']).collect()
}

/// From here on the first cause is to be acted on.
const DECIDED: f64 = 0.85;
/// From here on the second cause is worth ruling out.
const RIVAL: f64 = 0.2;
/// A person tries the first few; a longer list is a dictionary.
const MOST_CAUSES: usize = 8;
