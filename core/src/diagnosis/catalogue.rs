//! The catalogue: causes with their fixes, and the rules that lead from an answer to its causes.
//! Both are data under `catalogue/`; a cause's kind, fix and retry advice stand there and nowhere else.

use crate::model::{ProblemKind, ReplyClass, ReplyScope, Retry};
use aho_corasick::AhoCorasick;
use serde::Deserialize;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::LazyLock;

use super::smtp::SmtpPhase;

/// A cause of failures: what it means, and how to end it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cause {
    /// The stable label.
    pub code: String,
    /// What people see of it and search for: the server's own words where there are some.
    pub literal: String,
    /// What it means, as a clause in lower case without a full stop.
    pub meaning: String,
    /// The next step.
    pub fix: String,
    /// How to tell this cause from its neighbours; empty where the answer itself says enough.
    #[serde(default)]
    pub check: String,
    /// Who can take the next step.
    pub who: String,
    /// What the caller must do.
    pub kind: ProblemKind,
    /// Milliseconds after which the same may be tried again; absent where that needs a change.
    #[serde(default)]
    pub retry_ms: Option<u64>,
    /// The class of a mail server's answer with this cause; absent for causes that no mail server names.
    #[serde(default)]
    pub class: Option<ReplyClass>,
    /// What such an answer is about.
    #[serde(default)]
    pub scope: Option<ReplyScope>,
    /// A cause that only sums up several others: the answer did not say which one it is, or says what happened and not
    /// why. Errors carry it; explanations name the others.
    #[serde(default)]
    pub unclear: bool,
}

impl Cause {
    /// Whether and when to try the same again.
    pub fn retry(&self) -> Retry {
        match self.retry_ms {
            None => Retry::Never,
            Some(0) => Retry::Now,
            Some(delay_ms) => Retry::After { delay_ms },
        }
    }
}

/// All causes of the catalogue, family by family.
pub fn causes() -> &'static [Cause] {
    &CATALOGUE.causes
}

/// The codes that lead to a cause more than to any other: AADSTS numbers and enhanced codes, as they are written.
pub fn codes(cause: &Cause) -> Vec<String> {
    let rules = [&CATALOGUE.token, &CATALOGUE.smtp];
    let leads = |rule: &&Rule| {
        let strongest = rule.causes.values().copied().fold(0.0, f64::max);
        let plain = rule.any.is_empty() && rule.given.is_empty();
        plain && rule.causes.get(&cause.code) == Some(&strongest)
    };
    let mut codes: Vec<String> = Vec::new();
    for rule in rules.into_iter().flatten().filter(leads) {
        let numbers = rule.aadsts.iter().map(|number| format!("AADSTS{number}"));
        for code in numbers.chain(rule.enhanced.iter().map(|pattern| pattern.text.clone())) {
            if !codes.contains(&code) {
                codes.push(code);
            }
        }
    }
    codes
}

/// The cause with this label.
pub(super) fn cause(code: &str) -> Option<&'static Cause> {
    let catalogue: &'static Catalogue = &CATALOGUE;
    let index = catalogue.index.get(code)?;
    catalogue.causes.get(*index)
}

/// The rules for one kind of text.
pub(super) fn rules(place: Place) -> &'static [Rule] {
    match place {
        Place::Smtp => &CATALOGUE.smtp,
        Place::Token => &CATALOGUE.token,
        Place::Text => &CATALOGUE.text,
        Place::Situation => &CATALOGUE.situation,
    }
}

/// Whether some rule knows this AADSTS number.
pub(super) fn knows_aadsts(number: u32) -> bool {
    CATALOGUE.aadsts.contains(&number)
}

/// What can be found out beyond the texts.
pub(super) fn questions() -> &'static [Question] {
    &CATALOGUE.questions
}

/// What a text says about the situation, beside being evidence itself.
pub(super) fn hints() -> &'static [Hint] {
    &CATALOGUE.hints
}

/// Whether a text is about mail or sign-in at all.
pub(super) fn is_ours(found: &Found) -> bool {
    CATALOGUE.ours.iter().any(|phrase| found.has(phrase))
}

/// A fact that tells causes apart: what to look up, and what each answer means.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Question {
    /// What to look up and how, beginning with the fact's name.
    pub(super) ask: String,
    /// Parts of the names under which the fact may be given, in lower case; after `=` the whole name.
    pub(super) names: Vec<String>,
    /// Asked where one of these lines of the situation holds.
    #[serde(default)]
    pub(super) given: Vec<String>,
    /// Not asked where one of these lines of the situation holds.
    #[serde(default)]
    pub(super) unless: Vec<String>,
    /// The causes that are told by comparing this fact with others.
    #[serde(default)]
    pub(super) tells: Vec<String>,
    /// The first that fits counts.
    #[serde(default, rename = "answer")]
    pub(super) answers: Vec<Answer>,
}

/// What it means when a fact has a value with one of these words.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Answer {
    /// Whole words in lower case, beginnings of words with `*`, anything with `*` alone.
    pub(super) words: Vec<String>,
    /// The causes it confirms.
    #[serde(default)]
    pub(super) causes: BTreeMap<String, f64>,
    /// The causes it speaks against, each with a factor.
    #[serde(default)]
    pub(super) against: BTreeMap<String, f64>,
}

/// A line of the situation that follows from phrases of a text.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Hint {
    pub(super) any: Vec<Phrase>,
    /// The fact's name, which the evidence may also give itself.
    pub(super) name: String,
    pub(super) value: String,
}

/// Where a rule applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Replies of an SMTP server, also as quoted in a bounce.
    Smtp,
    /// Answers of the sign-in endpoints and pages.
    Token,
    /// Texts of clients, TLS libraries and name lookups.
    Text,
    /// What is known of the situation, whatever was answered.
    Situation,
}

/// One step from an answer to its possible causes. All conditions given must hold; an empty one always does.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rule {
    /// One of these basic codes, where the text has one.
    #[serde(default)]
    pub(super) basic: Vec<u16>,
    /// One of these enhanced codes: `5.7.139`, `x.4.7`, `5.7.606-649`.
    #[serde(default)]
    pub(super) enhanced: Vec<EnhancedPattern>,
    /// One of these phases, where the phase is known.
    #[serde(default)]
    pub(super) phase: Vec<SmtpPhase>,
    /// One of these AADSTS numbers.
    #[serde(default)]
    pub(super) aadsts: Vec<u32>,
    /// One of these OAuth error or suberror names, as a whole word.
    #[serde(default)]
    pub(super) error: Vec<Phrase>,
    /// One of these phrases, in lower case.
    #[serde(default)]
    pub(super) any: Vec<Phrase>,
    /// All of these phrases, in lower case.
    #[serde(default)]
    pub(super) all: Vec<Phrase>,
    /// None of these phrases, in lower case.
    #[serde(default)]
    pub(super) none: Vec<Phrase>,
    /// One of these lines, or parts of lines, of the situation.
    #[serde(default)]
    pub(super) given: Vec<String>,
    /// None of these lines, or parts of lines, of the situation.
    #[serde(default)]
    pub(super) unless: Vec<String>,
    /// Words that occur anywhere: they count only where the text or the situation is about mail or sign-in.
    #[serde(default)]
    pub(super) general: bool,
    /// The possible causes, each with a confidence from 0 to 1.
    #[serde(default)]
    pub(super) causes: BTreeMap<String, f64>,
    /// Causes this speaks against, each with a factor from 0 to 1.
    #[serde(default)]
    pub(super) against: BTreeMap<String, f64>,
    /// The cause that sums up the others, where the answer does not say which one it is.
    #[serde(default)]
    pub(super) unclear: Option<String>,
    /// A text that this rule is for; a test demands that it fires.
    #[cfg_attr(not(test), expect(dead_code, reason = "read by the tests alone"))]
    #[serde(default)]
    pub(super) example: String,
    /// The situation that belongs to the example, as lines `name: value`.
    #[cfg_attr(not(test), expect(dead_code, reason = "read by the tests alone"))]
    #[serde(default)]
    pub(super) example_given: Vec<String>,
}

impl Rule {
    fn phrases_mut(&mut self) -> impl Iterator<Item = &mut Phrase> {
        let lists = [
            &mut self.error,
            &mut self.any,
            &mut self.all,
            &mut self.none,
        ];
        lists.into_iter().flatten()
    }
}

/// A part of a text, in lower case with single blanks, and its number among all of the catalogue.
#[derive(Debug, Deserialize)]
#[serde(from = "String")]
pub(super) struct Phrase {
    pub(super) text: String,
    number: usize,
}

impl From<String> for Phrase {
    fn from(text: String) -> Self {
        Self { text, number: 0 }
    }
}

/// Which phrases of the catalogue a text holds.
#[derive(Debug, Default)]
pub(super) struct Found(Vec<bool>);

impl Found {
    pub(super) fn has(&self, phrase: &Phrase) -> bool {
        self.0.get(phrase.number).copied().unwrap_or_default()
    }
}

/// Looks for every phrase of the catalogue at once, in a text in lower case with single blanks.
pub(super) fn phrases_in(text: &str) -> Found {
    let Some(automaton) = &CATALOGUE.automaton else {
        return Found::default();
    };
    let mut found = vec![false; automaton.patterns_len()];
    for place in automaton.find_overlapping_iter(text) {
        if let Some(seen) = found.get_mut(place.pattern().as_usize()) {
            *seen = true;
        }
    }
    Found(found)
}

/// An enhanced status code (RFC 3463): class, subject, detail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Enhanced {
    pub(super) class: u16,
    pub(super) subject: u16,
    pub(super) detail: u16,
}

impl Enhanced {
    /// Reads `5.7.139`; anything else is no enhanced code.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('.').map(decimal);
        let (class, subject, detail) = (parts.next()??, parts.next()??, parts.next()??);
        let is_code = parts.next().is_none() && matches!(class, 2 | 4 | 5);
        is_code.then_some(Self {
            class,
            subject,
            detail,
        })
    }
}

/// A set of enhanced codes.
#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct EnhancedPattern {
    text: String,
    class: Option<u16>,
    subject: u16,
    first_detail: u16,
    last_detail: u16,
}

impl EnhancedPattern {
    pub(super) fn matches(&self, code: Enhanced) -> bool {
        self.class.is_none_or(|class| class == code.class)
            && self.subject == code.subject
            && (self.first_detail..=self.last_detail).contains(&code.detail)
    }
}

impl TryFrom<String> for EnhancedPattern {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let bad = || format!("not a pattern of enhanced codes: {text}");
        let mut parts = text.splitn(3, '.');
        let mut part = || parts.next().ok_or_else(bad);
        let (class, subject, detail) = (part()?, part()?, part()?);
        let (first, last) = detail.split_once('-').unwrap_or((detail, detail));
        let number = |digits: &str| decimal(digits).ok_or_else(bad);
        Ok(Self {
            text: text.clone(),
            class: if class == "x" {
                None
            } else {
                Some(number(class)?)
            },
            subject: number(subject)?,
            first_detail: number(first)?,
            last_detail: number(last)?,
        })
    }
}

fn decimal(digits: &str) -> Option<u16> {
    let plain = (1..=3).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| digits.parse().ok()).flatten()
}

#[derive(Default)]
struct Catalogue {
    causes: Vec<Cause>,
    index: HashMap<String, usize>,
    smtp: Vec<Rule>,
    token: Vec<Rule>,
    text: Vec<Rule>,
    situation: Vec<Rule>,
    questions: Vec<Question>,
    hints: Vec<Hint>,
    ours: Vec<Phrase>,
    aadsts: HashSet<u32>,
    automaton: Option<AhoCorasick>,
}

#[derive(Deserialize)]
struct CauseFile {
    cause: Vec<Cause>,
}

#[derive(Deserialize)]
struct QuestionFile {
    question: Vec<Question>,
}

#[derive(Deserialize)]
struct HintFile {
    ours: Vec<Phrase>,
    hint: Vec<Hint>,
}

#[derive(Deserialize)]
struct RuleFile {
    rule: Vec<Rule>,
}

/// Numbers the phrases of all rules, equal ones alike, and builds what finds them.
fn automaton(catalogue: &mut Catalogue) -> Result<AhoCorasick, String> {
    let mut numbers: HashMap<String, usize> = HashMap::new();
    let mut texts = Vec::new();
    let places = [
        &mut catalogue.smtp,
        &mut catalogue.token,
        &mut catalogue.text,
        &mut catalogue.situation,
    ];
    let in_rules = places.into_iter().flatten().flat_map(Rule::phrases_mut);
    let in_hints = catalogue.hints.iter_mut().flat_map(|hint| &mut hint.any);
    for phrase in in_rules.chain(in_hints).chain(&mut catalogue.ours) {
        phrase.number = *numbers.entry(phrase.text.clone()).or_insert_with(|| {
            texts.push(phrase.text.clone());
            texts.len() - 1
        });
    }
    AhoCorasick::new(texts).map_err(|error| error.to_string())
}

fn parsed<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, String> {
    toml::from_str(text).map_err(|error| error.to_string())
}

fn read() -> Result<Catalogue, String> {
    let mut catalogue = Catalogue::default();
    for text in CAUSES {
        let file: CauseFile = parsed(text)?;
        catalogue.causes.extend(file.cause);
    }
    for (index, cause) in catalogue.causes.iter().enumerate() {
        catalogue.index.insert(cause.code.clone(), index);
    }
    let rules = |text: &'static str| parsed(text).map(|file: RuleFile| file.rule);
    catalogue.smtp = rules(include_str!("catalogue/rules/smtp.toml"))?;
    catalogue.token = rules(include_str!("catalogue/rules/token.toml"))?;
    catalogue.text = rules(include_str!("catalogue/rules/text.toml"))?;
    catalogue.situation = rules(include_str!("catalogue/rules/situation.toml"))?;
    let file: QuestionFile = parsed(include_str!("catalogue/questions.toml"))?;
    catalogue.questions = file.question;
    let file: HintFile = parsed(include_str!("catalogue/hints.toml"))?;
    (catalogue.hints, catalogue.ours) = (file.hint, file.ours);
    let numbers = catalogue.token.iter().flat_map(|rule| &rule.aadsts);
    catalogue.aadsts = numbers.copied().collect();
    catalogue.automaton = Some(automaton(&mut catalogue)?);
    Ok(catalogue)
}

/// A test reads the files, so the empty catalogue stands here only to keep a broken build from panicking.
static CATALOGUE: LazyLock<Catalogue> = LazyLock::new(|| read().unwrap_or_default());

const CAUSES: [&str; 16] = [
    include_str!("catalogue/causes/network.toml"),
    include_str!("catalogue/causes/client.toml"),
    include_str!("catalogue/causes/smtp_auth.toml"),
    include_str!("catalogue/causes/token_identity.toml"),
    include_str!("catalogue/causes/app_only.toml"),
    include_str!("catalogue/causes/app_tenant.toml"),
    include_str!("catalogue/causes/scope_consent.toml"),
    include_str!("catalogue/causes/credential.toml"),
    include_str!("catalogue/causes/policy.toml"),
    include_str!("catalogue/causes/redirect.toml"),
    include_str!("catalogue/causes/limits.toml"),
    include_str!("catalogue/causes/blocked.toml"),
    include_str!("catalogue/causes/delivery.toml"),
    include_str!("catalogue/causes/graph.toml"),
    include_str!("catalogue/causes/unclear.toml"),
    include_str!("catalogue/causes/transport.toml"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_catalogue_can_be_read() {
        let catalogue = read().unwrap();
        assert!(catalogue.causes.len() >= 120);
        assert!(catalogue.aadsts.len() >= 150);
    }

    #[test]
    fn reads_enhanced_codes() {
        fn check(text: &str, expected: Option<(u16, u16, u16)>) {
            let code = Enhanced::parse(text).map(|code| (code.class, code.subject, code.detail));
            assert_eq!(code, expected, "{text}");
        }
        check("5.7.139", Some((5, 7, 139)));
        check("2.0.0", Some((2, 0, 0)));
        check("3.0.0", None);
        check("5.7", None);
        check("5.7.1.2", None);
        check("5..1", None);
        check("5.7.1234", None);
        check("5.7.+1", None);
    }

    #[test]
    fn patterns_cover_classes_and_ranges() {
        fn check(pattern: &str, code: &str, expected: bool) {
            let pattern = EnhancedPattern::try_from(pattern.to_owned()).unwrap();
            assert_eq!(pattern.matches(Enhanced::parse(code).unwrap()), expected);
        }
        check("5.7.139", "5.7.139", true);
        check("5.7.139", "5.7.13", false);
        check("x.4.7", "4.4.7", true);
        check("x.4.7", "5.4.7", true);
        check("5.7.606-649", "5.7.620", true);
        check("5.7.606-649", "5.7.650", false);
        for bad in ["", "5.7", "5.x.1", "5.7.a-b"] {
            assert!(EnhancedPattern::try_from(bad.to_owned()).is_err(), "{bad}");
        }
    }
}
