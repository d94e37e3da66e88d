//! Facts that tell causes apart: which are known and what they mean, and which are worth asking for.

use super::catalogue::{Answer, Question, questions};
use super::judge::Finding;
use super::situation::Situation;

/// The answer that the situation holds to a question, with the words it is given in.
pub(super) fn answer<'a>(
    question: &'static Question,
    situation: &'a Situation,
) -> Option<(&'static Answer, &'a str)> {
    let (line, value) = situation.value_of(&question.names)?;
    let words = words(value);
    let answers = question.answers.iter();
    let holds = |answer: &&Answer| answer.words.iter().any(|word| is_in(word, &words));
    answers.into_iter().find(holds).map(|answer| (answer, line))
}

/// The questions whose answers would tell these causes apart, the most telling first.
pub(super) fn open_questions(findings: &[Finding], situation: &Situation) -> Vec<String> {
    let whole: f64 = findings.iter().map(weight).sum();
    let mut open: Vec<(f64, &str)> = questions()
        .iter()
        .filter(|question| {
            question.fits(situation) && situation.value_of(&question.names).is_none()
        })
        .filter_map(|question| {
            let told = |finding: &&Finding| question.tells(&finding.cause.code);
            let share = findings.iter().filter(told).map(weight).sum::<f64>() / whole;
            // Half of the weight on either side tells most.
            (share > 0.0).then_some((share * (1.0 - share), question.ask.as_str()))
        })
        .filter(|(split, _)| *split > LEAST_SPLIT)
        .collect();
    open.sort_by(|left, right| right.0.total_cmp(&left.0).then_with(|| left.1.cmp(right.1)));
    let asks = open.into_iter().map(|(_, ask)| ask.to_owned());
    asks.take(MOST_QUESTIONS).collect()
}

impl Question {
    fn fits(&self, situation: &Situation) -> bool {
        let given = self.given.is_empty() || self.given.iter().any(|line| situation.holds(line));
        given && !self.unless.iter().any(|line| situation.holds(line))
    }

    fn tells(&self, code: &str) -> bool {
        let told = self.tells.iter().any(|told| told == code);
        told || self
            .answers
            .iter()
            .any(|answer| answer.causes.contains_key(code))
    }
}

fn weight(finding: &Finding) -> f64 {
    finding.confidence * finding.confidence
}

/// The words of a value between blanks, so that a whole word can be looked for.
fn words(value: &str) -> String {
    let mut words = String::with_capacity(value.len() + 2);
    words.push(' ');
    for character in value.chars() {
        let is_word = character.is_alphanumeric() || "_$@+-.".contains(character);
        words.push(if is_word { character } else { ' ' });
    }
    words.push(' ');
    words
}

/// Whole words, or the beginning of one where the pattern ends in `*`; `*` alone is any value.
fn is_in(pattern: &str, words: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some("") => true,
        Some(start) => words.contains(&format!(" {start}")),
        None => words.contains(&format!(" {pattern} ")),
    }
}

/// Below this, an answer would hardly change the order.
const LEAST_SPLIT: f64 = 0.005;
/// What a person can be asked at once.
const MOST_QUESTIONS: usize = 6;
