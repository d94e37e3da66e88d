//! What can be seen in a text: SMTP replies, AADSTS numbers, OAuth error names, phrases.
//! It only looks; what the signs mean is in the catalogue.

use super::catalogue::{Enhanced, Found, Hint, Phrase, hints, is_ours, knows_aadsts, phrases_in};
use super::reading::last;
use super::smtp::SmtpPhase;

/// A text and the signs found in it.
#[derive(Debug, Default)]
pub(super) struct Sighting {
    /// The text in lower case, with single blanks.
    text: String,
    phrases: Found,
    pub(super) replies: Vec<Reply>,
    pub(super) aadsts: Vec<u32>,
    /// At which point of an SMTP dialogue the text was seen, where known.
    pub(super) phase: Option<SmtpPhase>,
}

/// An SMTP reply code, an enhanced code, or both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reply {
    pub(super) basic: Option<u16>,
    pub(super) enhanced: Option<Enhanced>,
}

impl Sighting {
    /// Looks for every sign in a free text.
    pub(super) fn of_text(text: &str) -> Self {
        Self {
            replies: joined(replies(text)),
            aadsts: aadsts_numbers(text),
            ..Self::of_words(text)
        }
    }

    fn of_words(text: &str) -> Self {
        let text = normalised(text);
        Self {
            phrases: phrases_in(&text),
            text,
            ..Self::default()
        }
    }

    /// A reply that came from a server as such.
    pub(super) fn of_reply(reply: Reply, text: &str, phase: SmtpPhase) -> Self {
        Self {
            replies: vec![reply],
            phase: Some(phase),
            ..Self::of_words(text)
        }
    }

    /// An answer of a token endpoint whose parts are known.
    pub(super) fn of_answer(text: &str, aadsts: Vec<u32>) -> Self {
        Self {
            aadsts,
            ..Self::of_words(text)
        }
    }

    /// Whether the text is about mail or sign-in at all.
    pub(super) fn is_ours(&self) -> bool {
        !self.replies.is_empty() || !self.aadsts.is_empty() || is_ours(&self.phrases)
    }

    /// Names and values that follow from what the text says.
    pub(super) fn hints(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        let said = |hint: &&Hint| hint.any.iter().any(|phrase| self.phrases.has(phrase));
        let hints = hints().iter().filter(said);
        hints.map(|hint| (hint.name.as_str(), hint.value.as_str()))
    }

    /// What a server quoted of the request: the resource or the scope it refused.
    pub(super) fn quotes(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let quote = |before: &str, after: &str| {
            let (_, rest) = self.text.split_once(before)?;
            let (value, _) = rest.split_once(after)?;
            (value.len() <= LONGEST_QUOTE).then(|| value.trim_matches(['\'', '"', ' ']))
        };
        let resource = quote("resource principal named ", " was not found");
        let scope = quote("the scope ", " is not valid");
        let scope = scope.or_else(|| quote("value for scope ", " is not valid"));
        let resource = resource.map(|value| ("quoted_resource", value));
        resource
            .into_iter()
            .chain(scope.map(|value| ("quoted_scope", value)))
    }

    pub(super) fn has_phrase(&self, phrase: &Phrase) -> bool {
        self.phrases.has(phrase)
    }

    /// Whether a name occurs that is not part of a longer name.
    pub(super) fn has_name(&self, name: &Phrase) -> bool {
        self.phrases.has(name) && self.has_word(&name.text)
    }

    fn has_word(&self, word: &str) -> bool {
        let is_name = |character: char| character.is_ascii_alphanumeric() || character == '_';
        self.text.match_indices(word).any(|(start, _)| {
            let before = self
                .text
                .get(..start)
                .and_then(|text| text.chars().next_back());
            let rest = self.text.get(start + word.len()..);
            let after = rest.and_then(|text| text.chars().next());
            !before.is_some_and(is_name) && !after.is_some_and(is_name)
        })
    }
}

/// Lower case, typographic quotation marks made plain, blanks and line ends (also written as `\r\n`) made one blank.
pub(super) fn normalised(text: &str) -> String {
    let mut result = String::with_capacity(text.len());
    let text = text
        .replace("\\r\\n", " ")
        .replace("\\n", " ")
        .replace("\\u0027", "'");
    for character in text.chars() {
        match character {
            '’' | '‘' => result.push('\''),
            '“' | '”' => result.push('"'),
            blank if blank.is_whitespace() => {
                if !result.ends_with(' ') {
                    result.push(' ');
                }
            }
            other => result.extend(other.to_lowercase()),
        }
    }
    result
}

/// The AADSTS numbers in a text: after the word, or as a known number where an error code may stand.
pub(super) fn aadsts_numbers(text: &str) -> Vec<u32> {
    let upper = text.to_ascii_uppercase();
    let names_codes = NAMES_CODES.iter().any(|name| upper.contains(name));
    let mut numbers = Vec::new();
    for number in numerals(&upper) {
        let Ok(value) = number.text.parse::<u32>() else {
            continue;
        };
        let after_word = number
            .before
            .trim_end_matches(|c: char| c.is_whitespace() || ":-#_=".contains(c))
            .ends_with("AADSTS");
        let stands_alone = !number.touches_letter_or_dot && number.text.len() >= 5;
        let is_code = (after_word && !number.letter_after)
            || (stands_alone && names_codes && knows_aadsts(value));
        if is_code && !numbers.contains(&value) {
            numbers.push(value);
        }
    }
    numbers
}

/// A mail library may write basic and enhanced code apart, and a bounce the enhanced one twice.
fn joined(mut replies: Vec<Reply>) -> Vec<Reply> {
    let is_lone_basic = |reply: &Reply| reply.enhanced.is_none();
    let is_lone_enhanced = |reply: &Reply| reply.basic.is_none();
    if let [one, other] = replies.as_mut_slice()
        && is_lone_basic(one)
        && is_lone_enhanced(other)
        && one.basic.map(|code| code / 100) == other.enhanced.map(|code| code.class)
    {
        other.basic = one.basic;
        return vec![*other];
    }
    let whole: Vec<Option<Enhanced>> = replies
        .iter()
        .filter(|reply| reply.basic.is_some())
        .map(|reply| reply.enhanced)
        .collect();
    replies.retain(|reply| !is_lone_enhanced(reply) || !whole.contains(&reply.enhanced));
    replies
}

/// Beside one of these a known number is an AADSTS number; other programs count their errors, too.
const NAMES_CODES: [&str; 9] = [
    "AADSTS",
    "INVALID_",
    "ERROR_CODE",
    "ERRORCODE",
    "ERROR CODE",
    "ERROR?CODE",
    "MICROSOFT",
    "UNAUTHORIZED_CLIENT",
    "INTERACTION_REQUIRED",
];

/// The SMTP replies quoted in a text, in order.
fn replies(text: &str) -> Vec<Reply> {
    let mut replies: Vec<Reply> = Vec::new();
    let mut basic: Option<(u16, usize)> = None;
    for number in numerals(text) {
        if number.touches_letter_or_dot {
            continue;
        }
        if let Some(code) = basic_code(number.text) {
            basic = Some((code, number.end));
            if follows_a_speaker(number.before) {
                replies.push(Reply {
                    basic: Some(code),
                    enhanced: None,
                });
            }
        } else if let Some(enhanced) = Enhanced::parse(number.text) {
            let gap = basic.and_then(|(code, end)| Some((code, text.get(end..number.start)?)));
            let basic = gap
                .filter(|(_, gap)| {
                    // Python shows octets as `b'…'`.
                    let gap = gap.replace("b'", "'");
                    gap.len() <= 6 && gap.chars().all(|c| " -:;,'\"#([<\n\t".contains(c))
                })
                .map(|(code, _)| code);
            let unfinished = replies
                .last()
                .is_some_and(|last| last.enhanced.is_none() && last.basic == basic);
            if basic.is_some() && unfinished {
                replies.pop();
            }
            replies.push(Reply {
                basic,
                enhanced: Some(enhanced),
            });
        }
    }
    replies
}

/// Longer than any list of scopes.
const LONGEST_QUOTE: usize = 2_000;
/// `SMTPError:` with some blanks.
const LONGEST_SPEAKER: usize = 24;

fn basic_code(digits: &str) -> Option<u16> {
    let code: u16 = digits.parse().ok()?;
    (digits.len() == 3 && (400..600).contains(&code)).then_some(code)
}

/// Whether what stands before a number makes it a reply code rather than some number.
fn follows_a_speaker(before: &str) -> bool {
    let trimmed = last(before, LONGEST_SPEAKER).trim_end_matches([' ', '"', '\'', '(', '[']);
    let line_start = trimmed.is_empty() || trimmed.ends_with('\n');
    let speakers = [
        "code",
        "code:",
        "code=",
        "error",
        "error:",
        "login:",
        "returned",
        "returned:",
        "said:",
        "s:",
        "<",
        "<<",
        "server:",
        "reply:",
        "response:",
        "reply",
        "response",
        "->",
        "failed:",
        "smtp",
        "smtp:",
        "with",
        "smtperror:",
        "->:",
    ];
    let lower = trimmed
        .rsplit([' ', '\n', '\t'])
        .next()
        .unwrap_or_default()
        .to_ascii_lowercase();
    line_start || speakers.contains(&lower.as_str())
}

/// A run of digits and dots in a text.
struct Numeral<'a> {
    text: &'a str,
    before: &'a str,
    start: usize,
    end: usize,
    touches_letter_or_dot: bool,
    letter_after: bool,
}

fn numerals(text: &str) -> impl Iterator<Item = Numeral<'_>> {
    let part = |character: char| character.is_ascii_digit() || character == '.';
    let mut from = 0;
    std::iter::from_fn(move || {
        let rest = text.get(from..)?;
        let start = from + rest.find(|character: char| character.is_ascii_digit())?;
        let run = text.get(start..)?;
        let length = run.find(|character| !part(character)).unwrap_or(run.len());
        from = start + length;
        let digits = run.get(..length)?.trim_end_matches('.');
        let before = text.get(..start)?;
        let after = text.get(from..)?;
        let letter = |character: char| character.is_alphanumeric() || character == '_';
        let letter_after = after.chars().next().is_some_and(letter);
        Some(Numeral {
            text: digits,
            before,
            start,
            end: start + digits.len(),
            touches_letter_or_dot: before
                .chars()
                .next_back()
                .is_some_and(|character| letter(character) || character == '.')
                || letter_after,
            letter_after,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(text: &str) -> Vec<String> {
        let code = |reply: &Reply| {
            let basic = reply.basic.map(|code| code.to_string());
            let enhanced = reply
                .enhanced
                .map(|code| format!("{}.{}.{}", code.class, code.subject, code.detail));
            [basic, enhanced]
                .into_iter()
                .flatten()
                .collect::<Vec<_>>()
                .join(" ")
        };
        replies(text).iter().map(code).collect()
    }

    #[test]
    fn finds_replies_in_free_text() {
        fn check(text: &str, expected: &[&str]) {
            assert_eq!(seen(text), expected, "{text}");
        }
        check("535 5.7.3 Authentication unsuccessful", &["535 5.7.3"]);
        check("535: 5.7.3 no", &["535 5.7.3"]);
        check("550-5.1.1 a\r\n550 5.1.1 b", &["550 5.1.1", "550 5.1.1"]);
        check("C: AUTH XOAUTH2 / S: 535 5.7.3 no", &["535 5.7.3"]);
        check("returned '554 4.3.2 busy", &["554 4.3.2"]);
        check("5.7.60 SMTP; Client", &["5.7.60"]);
        check("got code \"432\", with", &["432"]);
        check("535 Incorrect authentication data", &["535"]);
        check("line longer than 500 characters", &[]);
        check("from [203.0.113.32] 10.5.7.3", &[]);
        check("version v5.7.3 or 5.7.3beta", &[]);
        check("the code is 5.7.1.", &["5.7.1"]);
        check(
            "error 530 5.7.57 then 535 5.7.139 x",
            &["530 5.7.57", "535 5.7.139"],
        );
    }

    #[test]
    fn finds_aadsts_numbers() {
        fn check(text: &str, expected: &[u32]) {
            assert_eq!(aadsts_numbers(text), expected, "{text}");
        }
        check("AADSTS7000222: expired", &[7_000_222]);
        check("aadsts 50076", &[50_076]);
        check("AADSTS70002: bad. AADSTS50012: worse", &[70_002, 50_012]);
        check("AADSTS99999999999: huge", &[]);
        check("\"error_codes\":[50057]", &[50_057]);
        check("Error Code: 53003", &[53_003]);
        check("invalid_client: 7000218 - x", &[7_000_218]);
        check("port 50076 is open", &[]);
        check("error at line 123456789", &[]);
        check("AADSTS9XXXXX", &[]);
    }

    #[test]
    fn a_word_is_no_part_of_a_longer_name() {
        let sighting = Sighting::of_text("error=access_denied_by_policy");
        assert!(!sighting.has_word("access_denied"));
        assert!(Sighting::of_text("\"error\":\"access_denied\"").has_word("access_denied"));
    }

    #[test]
    fn makes_texts_comparable() {
        assert_eq!(normalised("A\\r\\nB\t\n C ‘d’"), "a b c 'd'");
    }
}
