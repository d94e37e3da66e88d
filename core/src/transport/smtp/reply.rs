//! Replies of an SMTP server (RFC 5321 section 4.2): octets in, replies out, whatever way the octets arrive.
//! Does no I/O and judges nothing but the form; what a reply means is for the dialogue and for `diagnosis`.
//!
//! The form is strict where two readers could see different replies in the same octets: a line ends with CRLF and has
//! no other CR or LF, and every line of a reply has the same code. Texts are made fit to show: octets that are not
//! UTF-8 are replaced, control characters are taken out.

use crate::model::SmtpReply;
use bytes::BytesMut;
use std::fmt;

/// Reads replies from octets that arrive in pieces.
#[derive(Debug, Default)]
pub(crate) struct ReplyParser {
    input: BytesMut,
    reply: Lines,
}

/// Why octets are not a reply. There is no reading on after it: nobody knows where the next reply begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MalformedReply {
    /// A line goes beyond [`MAX_LINE_BYTES`].
    LineTooLong,
    /// A reply goes beyond [`MAX_REPLY_LINES`] or [`MAX_REPLY_BYTES`].
    ReplyTooLong,
    /// A CR or LF that is no line's end, or a line that does not end with both.
    BareLineEnd,
    /// A line does not begin with a code from 200 to 599, followed by a space, a hyphen or nothing.
    NoCode,
    /// The lines of one reply have different codes.
    MixedCodes,
}

impl ReplyParser {
    /// Takes octets as they came.
    pub(crate) fn push(&mut self, octets: &[u8]) {
        self.input.extend_from_slice(octets);
    }

    /// The next whole reply; `None` until more octets have come.
    pub(crate) fn next_reply(&mut self) -> Result<Option<SmtpReply>, MalformedReply> {
        while let Some(line) = self.next_line()? {
            let is_last = self.reply.push(&line)?;
            if is_last {
                return Ok(Some(std::mem::take(&mut self.reply).join()));
            }
        }
        Ok(None)
    }

    /// Whether nothing is left over: no octet beyond the last reply taken.
    pub(crate) fn is_empty(&self) -> bool {
        self.input.is_empty() && self.reply.texts.is_empty()
    }

    /// How many octets wait to be read as replies.
    pub(crate) fn waiting_bytes(&self) -> usize {
        self.input.len()
    }

    /// Takes one line, without its CRLF.
    fn next_line(&mut self) -> Result<Option<BytesMut>, MalformedReply> {
        let mut octets = self.input.iter().take(MAX_LINE_BYTES);
        let Some(line_feed) = octets.position(|octet| *octet == b'\n') else {
            if self.input.len() >= MAX_LINE_BYTES {
                return Err(MalformedReply::LineTooLong);
            }
            return Ok(None);
        };
        let mut line = self.input.split_to(line_feed + 1);
        line.truncate(line_feed);
        if line.last() != Some(&b'\r') {
            return Err(MalformedReply::BareLineEnd);
        }
        line.truncate(line_feed - 1);
        if line.contains(&b'\r') {
            return Err(MalformedReply::BareLineEnd);
        }
        Ok(Some(line))
    }
}

impl fmt::Display for MalformedReply {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::LineTooLong => "a line that does not end",
            Self::ReplyTooLong => "a reply that does not end",
            Self::BareLineEnd => "a line that does not end with CRLF",
            Self::NoCode => "a line without a reply code",
            Self::MixedCodes => "a reply with more than one code",
        })
    }
}

/// A reply as it is shown and logged: code, enhanced status and text, in one line.
pub(crate) fn words(reply: &SmtpReply) -> String {
    let status = reply.enhanced_status.as_deref();
    let text = reply.text.replace('\n', " ");
    let words = [
        reply.code.to_string(),
        status.unwrap_or_default().to_owned(),
        text,
    ];
    let words: Vec<_> = words.into_iter().filter(|word| !word.is_empty()).collect();
    words.join(" ")
}

/// Makes a server's text fit to show: no control characters, and none that turn the direction of reading.
pub(crate) fn cleaned(text: &str) -> String {
    let is_fit = |c: &char| !c.is_control() && !TURNS_DIRECTION.contains(c);
    let text: String = text.replace('\t', " ").chars().filter(is_fit).collect();
    text.trim().to_owned()
}

/// The lines of a reply that is not whole yet.
#[derive(Debug, Default)]
struct Lines {
    code: u16,
    enhanced_status: Option<String>,
    texts: Vec<String>,
    size_bytes: usize,
}

impl Lines {
    /// Adds a line, and says whether it is the reply's last.
    fn push(&mut self, line: &[u8]) -> Result<bool, MalformedReply> {
        let (code, is_last, text) = split_line(line).ok_or(MalformedReply::NoCode)?;
        self.size_bytes += line.len();
        if self.size_bytes > MAX_REPLY_BYTES || self.texts.len() >= MAX_REPLY_LINES {
            return Err(MalformedReply::ReplyTooLong);
        }
        let text = cleaned(&String::from_utf8_lossy(text));
        let (enhanced_status, text) = split_enhanced_status(code, &text);
        if self.texts.is_empty() {
            self.code = code;
            self.enhanced_status = enhanced_status.map(str::to_owned);
        }
        if code != self.code {
            return Err(MalformedReply::MixedCodes);
        }
        self.texts.push(text.to_owned());
        Ok(is_last)
    }

    fn join(self) -> SmtpReply {
        SmtpReply {
            code: self.code,
            enhanced_status: self.enhanced_status,
            text: self.texts.join("\n"),
        }
    }
}

/// Splits a line into its code, whether it is the last one, and its text.
fn split_line(line: &[u8]) -> Option<(u16, bool, &[u8])> {
    let (digits, rest) = line.split_at_checked(3)?;
    if !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let code = std::str::from_utf8(digits).ok()?.parse().ok()?;
    let (is_last, text) = match rest {
        [] => (true, rest),
        [b' ', text @ ..] => (true, text),
        [b'-', text @ ..] => (false, text),
        _ => return None,
    };
    (200..600).contains(&code).then_some((code, is_last, text))
}

/// Splits off an enhanced status code (RFC 2034 section 4), whose class is the reply code's first digit.
fn split_enhanced_status(code: u16, text: &str) -> (Option<&str>, &str) {
    let (first, rest) = text.split_once(' ').unwrap_or((text, ""));
    let numbers: Vec<_> = first.split('.').collect();
    let is_number = |part: &&str| {
        (1..=3).contains(&part.len()) && part.bytes().all(|octet| octet.is_ascii_digit())
    };
    let [class, _, _] = numbers.as_slice() else {
        return (None, text);
    };
    if !numbers.iter().all(is_number) || *class != (code / 100).to_string() {
        return (None, text);
    }
    (Some(first), rest.trim_start())
}

/// RFC 5321 section 4.5.3.1.5 sets 512; servers with long explanations, and error challenges, go beyond.
pub(crate) const MAX_LINE_BYTES: usize = 4096;
/// Far above the longest answer to EHLO.
pub(crate) const MAX_REPLY_LINES: usize = 128;
/// Bounds what a reply costs, whatever its lines.
pub(crate) const MAX_REPLY_BYTES: usize = 64 * 1024;
/// The characters that embed, override or isolate a direction (Unicode annex 9): they could make a text read as another.
const TURNS_DIRECTION: [char; 9] = [
    '\u{202a}', '\u{202b}', '\u{202c}', '\u{202d}', '\u{202e}', '\u{2066}', '\u{2067}', '\u{2068}',
    '\u{2069}',
];

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    type Parsed = (Vec<SmtpReply>, Option<MalformedReply>);

    fn parse(pieces: &[&[u8]]) -> Parsed {
        let mut parser = ReplyParser::default();
        let mut replies = Vec::new();
        for piece in pieces {
            parser.push(piece);
            loop {
                match parser.next_reply() {
                    Ok(Some(reply)) => replies.push(reply),
                    Ok(None) => break,
                    Err(malformed) => return (replies, Some(malformed)),
                }
            }
        }
        (replies, None)
    }

    #[test]
    fn reads_code_status_and_text() {
        fn check(octets: &str, code: u16, enhanced_status: Option<&str>, text: &str) {
            let expected = SmtpReply {
                code,
                enhanced_status: enhanced_status.map(str::to_owned),
                text: text.to_owned(),
            };
            assert_eq!(
                parse(&[octets.as_bytes()]),
                (vec![expected], None),
                "{octets:?}"
            );
        }
        check("250 OK\r\n", 250, None, "OK");
        check("250\r\n", 250, None, "");
        check("250 \r\n", 250, None, "");
        check("250-first\r\n250 second\r\n", 250, None, "first\nsecond");
        check("250-first\r\n250\r\n", 250, None, "first\n");
        check("250 2.1.0 Sender OK\r\n", 250, Some("2.1.0"), "Sender OK");
        check("250 2.1.0\r\n", 250, Some("2.1.0"), "");
        check(
            "550-5.7.1 no\r\n550 5.7.1 never\r\n",
            550,
            Some("5.7.1"),
            "no\nnever",
        );
        // The class must be the code's: this one is only text.
        check("535 4.7.0 odd\r\n", 535, None, "4.7.0 odd");
        check("250 2.1 odd\r\n", 250, None, "2.1 odd");
        check("250 2.1.0000 odd\r\n", 250, None, "2.1.0000 odd");
        check("220 a\tb\u{7}\u{0}c\u{202e}d\r\n", 220, None, "a bcd");
    }

    #[test]
    fn replaces_what_is_not_utf8() {
        let (replies, malformed) = parse(&[b"250 caf\xe9\r\n"]);
        assert_eq!(malformed, None);
        assert_eq!(replies[0].text, "caf\u{fffd}");
    }

    #[test]
    fn refuses_what_is_not_a_reply() {
        fn check(octets: &str, expected: MalformedReply) {
            assert_eq!(
                parse(&[octets.as_bytes()]),
                (vec![], Some(expected)),
                "{octets:?}"
            );
        }
        check("hello\r\n", MalformedReply::NoCode);
        check("\r\n", MalformedReply::NoCode);
        check("25\r\n", MalformedReply::NoCode);
        check("2500 OK\r\n", MalformedReply::NoCode);
        check("250_OK\r\n", MalformedReply::NoCode);
        check("150 OK\r\n", MalformedReply::NoCode);
        check("600 OK\r\n", MalformedReply::NoCode);
        check("+50 OK\r\n", MalformedReply::NoCode);
        check("250-a\r\n251 b\r\n", MalformedReply::MixedCodes);
        check("250 OK\n", MalformedReply::BareLineEnd);
        check("250-a\n250 b\r\n", MalformedReply::BareLineEnd);
        check("250 a\rb\r\n", MalformedReply::BareLineEnd);
        check("250 a\r\r\n", MalformedReply::BareLineEnd);
        check(&"2".repeat(MAX_LINE_BYTES), MalformedReply::LineTooLong);
        check(
            &"250-a\r\n".repeat(MAX_REPLY_LINES + 1),
            MalformedReply::ReplyTooLong,
        );
        let long = format!("250-{}\r\n", "a".repeat(4000));
        check(&long.repeat(17), MalformedReply::ReplyTooLong);
    }

    #[test]
    fn takes_a_line_of_exactly_the_longest_length() {
        let line = format!("250 {}\r\n", "a".repeat(MAX_LINE_BYTES - 6));
        assert_eq!(line.len(), MAX_LINE_BYTES);
        assert_eq!(parse(&[line.as_bytes()]).1, None);
        let longer = format!("250 {}\r\n", "a".repeat(MAX_LINE_BYTES - 5));
        assert_eq!(
            parse(&[longer.as_bytes()]).1,
            Some(MalformedReply::LineTooLong)
        );
    }

    #[test]
    fn knows_whether_anything_is_left_over() {
        let mut parser = ReplyParser::default();
        assert!(parser.is_empty());
        parser.push(b"220 go\r\n2");
        assert!(parser.next_reply().unwrap().is_some());
        assert!(!parser.is_empty());
        parser.push(b"50-a\r\n");
        assert_eq!(parser.next_reply(), Ok(None));
        assert!(!parser.is_empty(), "half a reply is something");
        parser.push(b"250 b\r\n");
        assert!(parser.next_reply().unwrap().is_some());
        assert!(parser.is_empty());
    }

    #[test]
    fn shows_a_reply_in_one_line() {
        let (replies, _) = parse(&[b"550-5.7.1 no\r\n550 5.7.1 never\r\n250\r\n"]);
        assert_eq!(words(&replies[0]), "550 5.7.1 no never");
        assert_eq!(words(&replies[1]), "250");
    }

    /// Octets that are often nearly replies.
    fn octets() -> impl Strategy<Value = Vec<u8>> {
        let line = prop_oneof![
            4 => "[2-5][0-9]{2}[ -][ -~]{0,20}\r\n",
            1 => "[0-9]{0,4}[ -]?[ -~]{0,8}(\r|\n|\r\n)",
        ];
        prop_oneof![
            prop::collection::vec(line, 0..8).prop_map(|lines| lines.concat().into_bytes()),
            prop::collection::vec(any::<u8>(), 0..200),
        ]
    }

    proptest! {
        #[test]
        fn replies_do_not_depend_on_how_the_octets_arrive(
            octets in octets(),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
        ) {
            let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(octets.len() + 1)).collect();
            cuts.extend([0, octets.len()]);
            cuts.sort_unstable();
            let pieces: Vec<_> = cuts.windows(2).map(|cut| &octets[cut[0]..cut[1]]).collect();
            let one_by_one: Vec<_> = octets.chunks(1).collect();
            let whole = parse(&[&octets]);
            prop_assert_eq!(&parse(&pieces), &whole);
            prop_assert_eq!(&parse(&one_by_one), &whole);
        }

        #[test]
        fn texts_are_fit_to_show(octets in octets()) {
            for reply in parse(&[&octets]).0 {
                prop_assert!((200..600).contains(&reply.code));
                prop_assert!(reply.text.chars().all(|c| c == '\n' || !c.is_control()));
                prop_assert!(!words(&reply).contains('\n'));
            }
        }
    }
}
