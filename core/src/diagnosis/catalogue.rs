//! The catalogue: causes with their fixes, and the rules that lead from an answer to its causes.
//! Both are data under `catalogue/`; a cause's kind, fix and retry advice stand there and nowhere else.

use crate::model::{ProblemKind, ReplyClass, ReplyScope, Retry};
use serde::Deserialize;
use std::collections::{BTreeMap, HashMap};
use std::sync::LazyLock;

use super::smtp::SmtpPhase;

/// A cause of failures: what it means, and how to end it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cause {
    /// The stable label.
    pub code: String,
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
    /// A cause that only sums up several others: the answer did not say which one it is.
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
    pub(super) error: Vec<String>,
    /// One of these phrases, in lower case.
    #[serde(default)]
    pub(super) any: Vec<String>,
    /// All of these phrases, in lower case.
    #[serde(default)]
    pub(super) all: Vec<String>,
    /// None of these phrases, in lower case.
    #[serde(default)]
    pub(super) none: Vec<String>,
    /// One of these lines, or parts of lines, of the situation.
    #[serde(default)]
    pub(super) given: Vec<String>,
    /// None of these lines, or parts of lines, of the situation.
    #[serde(default)]
    pub(super) unless: Vec<String>,
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
    aadsts: Vec<u32>,
}

#[derive(Deserialize)]
struct CauseFile {
    cause: Vec<Cause>,
}

#[derive(Deserialize)]
struct RuleFile {
    rule: Vec<Rule>,
}

fn read() -> Result<Catalogue, toml::de::Error> {
    let mut catalogue = Catalogue::default();
    for text in CAUSES {
        let file: CauseFile = toml::from_str(text)?;
        catalogue.causes.extend(file.cause);
    }
    for (index, cause) in catalogue.causes.iter().enumerate() {
        catalogue.index.insert(cause.code.clone(), index);
    }
    let rules = |text: &str| toml::from_str(text).map(|file: RuleFile| file.rule);
    catalogue.smtp = rules(include_str!("catalogue/rules/smtp.toml"))?;
    catalogue.token = rules(include_str!("catalogue/rules/token.toml"))?;
    catalogue.text = rules(include_str!("catalogue/rules/text.toml"))?;
    catalogue.situation = rules(include_str!("catalogue/rules/situation.toml"))?;
    let numbers = catalogue.token.iter().flat_map(|rule| &rule.aadsts);
    catalogue.aadsts = numbers.copied().collect();
    Ok(catalogue)
}

/// A test reads the files, so the empty catalogue stands here only to keep a broken build from panicking.
static CATALOGUE: LazyLock<Catalogue> = LazyLock::new(|| read().unwrap_or_default());

const CAUSES: [&str; 15] = [
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
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_catalogue_can_be_read() {
        let catalogue = read().map_err(|error| error.to_string()).unwrap();
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
