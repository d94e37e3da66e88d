//! What a failure means, from whatever texts and facts somebody has seen of it.
//! The same rules serve as for the answers Mailbearer gets itself.

use super::catalogue::Place;
use super::judge::{Finding, judge};
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
    let sighting = Sighting::of_text(&texts.join("\n"));
    let situation = Situation::of(evidence);
    let everywhere = [Place::Smtp, Place::Token, Place::Text, Place::Situation];
    let judgement = judge(&sighting, &situation, &everywhere);
    let (unclear, clear): (Vec<Finding>, Vec<Finding>) = judgement
        .findings
        .into_iter()
        .partition(|finding| finding.cause.unclear);
    // What only sums up others says nothing beside them.
    let findings = if clear.is_empty() { unclear } else { clear };
    findings
        .into_iter()
        .take(MOST_CAUSES)
        .map(diagnosis)
        .collect()
}

fn diagnosis(finding: Finding) -> Diagnosis {
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
    }
}

fn sentence(clause: &str) -> String {
    let mut letters = clause.chars();
    let first = letters.next().map(|letter| letter.to_ascii_uppercase());
    first.into_iter().chain(letters).chain(['.']).collect()
}

/// A person tries the first few; a longer list is a dictionary.
const MOST_CAUSES: usize = 8;
