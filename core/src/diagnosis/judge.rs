//! Applies the rules of the catalogue to what was seen, and ranks the causes.
//! The most certain rule decides a cause's rank; several weak ones do not add up.

use super::catalogue::{self, Cause, Place, Rule};
use super::question::answer;
use super::sighting::{Reply, Sighting};
use super::situation::Situation;
use std::collections::HashMap;

/// The possible causes, best first.
#[derive(Debug, Default)]
pub(super) struct Judgement {
    pub(super) findings: Vec<Finding>,
    /// The cause that sums up the others, where the best rule cannot tell them apart.
    pub(super) unclear: Option<&'static Cause>,
}

/// One possible cause.
#[derive(Debug)]
pub(super) struct Finding {
    pub(super) cause: &'static Cause,
    pub(super) confidence: f64,
    /// What speaks for it.
    pub(super) because: Vec<String>,
}

impl Judgement {
    /// The cause to name when only one can be named.
    pub(super) fn verdict(&self) -> Option<&'static Cause> {
        let best = self.findings.first().map(|finding| finding.cause);
        self.unclear.or(best)
    }
}

/// Applies the rules of these places.
pub(super) fn judge(sighting: &Sighting, situation: &Situation, places: &[Place]) -> Judgement {
    let mut found: HashMap<&'static str, Finding> = HashMap::new();
    let mut against: Vec<(&'static str, f64)> = Vec::new();
    let mut strongest = 0.0;
    let mut unclear = None;
    let rules = places.iter().flat_map(|place| catalogue::rules(*place));
    for rule in rules {
        let Some(because) = signs(rule, sighting, situation) else {
            continue;
        };
        let strength = rule.causes.values().copied().fold(0.0, f64::max);
        if strength > strongest {
            strongest = strength;
            unclear = rule.unclear.as_deref();
        }
        for (code, confidence) in &rule.causes {
            note(&mut found, code, *confidence, &because);
        }
        against.extend(
            rule.against
                .iter()
                .map(|(code, factor)| (code.as_str(), *factor)),
        );
    }
    if places.contains(&Place::Situation) {
        apply_answers(situation, &mut found, &mut against);
    }
    for (code, factor) in against {
        if let Some(finding) = found.get_mut(code) {
            finding.confidence *= factor;
        }
    }
    Judgement {
        findings: ranked(found.into_values().collect()),
        unclear: unclear.and_then(catalogue::cause),
    }
}

/// What is known decides between what the texts leave open; alone it counts for less.
fn apply_answers(
    situation: &Situation,
    found: &mut HashMap<&'static str, Finding>,
    against: &mut Vec<(&'static str, f64)>,
) {
    for question in catalogue::questions() {
        let Some((answer, line)) = answer(question, situation) else {
            continue;
        };
        for (code, confidence) in &answer.causes {
            let in_question = found.contains_key(code.as_str());
            let factor = if in_question { 1.0 } else { UNASKED };
            note(found, code, confidence * factor, &[line.to_owned()]);
        }
        against.extend(
            answer
                .against
                .iter()
                .map(|(code, factor)| (code.as_str(), *factor)),
        );
    }
}

/// What fulfils the rule's conditions; nothing when one of them does not hold.
fn signs(rule: &Rule, sighting: &Sighting, situation: &Situation) -> Option<Vec<String>> {
    if rule.general && !sighting.is_ours() && !situation.is_known() {
        return None;
    }
    let mut because = Vec::new();
    if !rule.basic.is_empty() || !rule.enhanced.is_empty() {
        let reply = sighting
            .replies
            .iter()
            .find(|reply| is_reply(rule, **reply))?;
        because.push(shown(*reply));
    }
    if let (false, Some(phase)) = (rule.phase.is_empty(), sighting.phase)
        && !rule.phase.contains(&phase)
    {
        return None;
    }
    if !rule.aadsts.is_empty() {
        let number = sighting
            .aadsts
            .iter()
            .find(|number| rule.aadsts.contains(number))?;
        because.push(format!("AADSTS{number}"));
    }
    if !rule.error.is_empty() {
        because.push(
            rule.error
                .iter()
                .find(|name| sighting.has_name(name))?
                .text
                .clone(),
        );
    }
    if !rule.any.is_empty() {
        because.push(
            rule.any
                .iter()
                .find(|phrase| sighting.has_phrase(phrase))?
                .text
                .clone(),
        );
    }
    if !rule.all.iter().all(|phrase| sighting.has_phrase(phrase))
        || rule.none.iter().any(|phrase| sighting.has_phrase(phrase))
        || rule.unless.iter().any(|line| situation.holds(line))
    {
        return None;
    }
    because.extend(rule.all.iter().map(|phrase| phrase.text.clone()));
    if !rule.given.is_empty() {
        let line = rule
            .given
            .iter()
            .find_map(|line| situation.line_with(line))?;
        because.push(line.trim_start_matches("* ").to_owned());
    }
    Some(because)
}

/// A reply without a basic code may be any; one without an enhanced code is none that the rule asks for.
fn is_reply(rule: &Rule, reply: Reply) -> bool {
    let basic = rule.basic.is_empty() || reply.basic.is_none_or(|code| rule.basic.contains(&code));
    let enhanced = match reply.enhanced {
        _ if rule.enhanced.is_empty() => reply.basic.is_some(),
        Some(code) => rule.enhanced.iter().any(|pattern| pattern.matches(code)),
        None => false,
    };
    basic && enhanced
}

/// Whether a rule's conditions hold, for the test of its example.
#[cfg(test)]
pub(super) fn fires(rule: &Rule, evidence: &crate::model::Evidence) -> bool {
    let text = evidence.evidence.first().map(|item| item.text.as_str());
    let reading = super::reading::read(text.unwrap_or_default());
    let sighting = Sighting::of_text(&reading.text);
    signs(
        rule,
        &sighting,
        &Situation::of(evidence, &reading, &sighting),
    )
    .is_some()
}

fn shown(reply: Reply) -> String {
    let enhanced = reply
        .enhanced
        .map(|code| format!("{}.{}.{}", code.class, code.subject, code.detail));
    let basic = reply.basic.map(|code| code.to_string());
    [basic, enhanced]
        .into_iter()
        .flatten()
        .collect::<Vec<_>>()
        .join(" ")
}

fn note(
    found: &mut HashMap<&'static str, Finding>,
    code: &'static str,
    confidence: f64,
    because: &[String],
) {
    let Some(cause) = catalogue::cause(code) else {
        return;
    };
    let finding = found.entry(code).or_insert_with(|| Finding {
        cause,
        confidence: 0.0,
        because: Vec::new(),
    });
    finding.confidence = finding.confidence.max(confidence);
    for sign in because {
        if !finding.because.contains(sign) {
            finding.because.push(sign.clone());
        }
    }
}

/// How sure each cause is beside the others: rivals that are as likely lower it, weak ones leave it.
fn weigh(findings: &mut [Finding]) {
    let weight = |confidence: f64| confidence.powi(4);
    let all: f64 = findings
        .iter()
        .map(|finding| weight(finding.confidence))
        .sum();
    for finding in findings {
        let share = weight(finding.confidence) / all;
        finding.confidence *= share.powf(0.25);
    }
}

/// Best first; equals in the order of their labels, so that the same evidence always gives the same answer.
fn ranked(mut findings: Vec<Finding>) -> Vec<Finding> {
    findings.retain(|finding| finding.confidence >= LEAST_CONFIDENCE);
    findings.sort_by(|left, right| {
        right
            .confidence
            .total_cmp(&left.confidence)
            .then_with(|| left.cause.code.cmp(&right.cause.code))
    });
    weigh(&mut findings);
    findings
}

/// A fact about a cause that nothing else speaks for is mostly beside the point.
const UNASKED: f64 = 0.5;
/// Below this, a cause is not worth a person's time.
const LEAST_CONFIDENCE: f64 = 0.05;
