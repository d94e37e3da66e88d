//! A finished message: checked as far as a server would, with the line ends that SMTP needs.
//! Otherwise unchanged, octet for octet, but for fields that name hidden recipients.

use super::address::MailAddress;
use super::build::{distinct, no_recipients};
use super::refusal::rejected;
use super::{BuiltMail, transfer};
use crate::body::lines;
use crate::error::{Error, Result};
use crate::model::{Bytes, Envelope};

/// Makes a finished message (RFC 5322) ready to send.
///
/// Every bare CR or LF becomes CRLF. `Bcc` and `Resent-Bcc` fields are removed, as sendmail does: the envelope has their
/// addresses. Doing the same again changes nothing. The octets are shared, not copied, when there is nothing to change.
///
/// # Errors
///
/// `Rejected` for an envelope without recipients or with an invalid address, a NUL, a line of more than 998 octets, and
/// a message that does not begin with header fields.
pub(crate) fn raw(envelope: &Envelope, mime: &Bytes, mailbox: &str) -> Result<BuiltMail> {
    let sender = sender(envelope.sender.as_deref(), mailbox)?;
    let recipients = recipients(&envelope.recipients)?;
    let mime = with_crlf(mime.shared());
    check_lines(&mime)?;
    let section = Section::parse(&mime)?;

    let addresses = recipients.iter().chain(&sender);
    let needs_smtputf8 = addresses.clone().any(MailAddress::needs_smtputf8) || section.is_utf8;
    let message_id = section.message_id();
    let mime = section.without_hidden(&mime)?;
    let recipients = distinct(recipients.iter());
    Ok(BuiltMail {
        eight_bit: !mime.is_ascii(),
        mime: mime.into(),
        sender: sender.map(|sender| sender.to_string()).unwrap_or_default(),
        transfer: transfer::checked(&envelope.transfer, &recipients)?,
        recipients,
        message_id,
        needs_smtputf8,
    })
}

/// None for the null reverse-path, which is given as an empty text.
fn sender(given: Option<&str>, mailbox: &str) -> Result<Option<MailAddress>> {
    match given {
        Some("") => Ok(None),
        Some(given) => MailAddress::parse("sender", given).map(Some),
        None => MailAddress::parse("mailbox", mailbox).map(Some),
    }
}

fn recipients(given: &[String]) -> Result<Vec<MailAddress>> {
    if given.is_empty() {
        return Err(no_recipients());
    }
    let numbered = given.iter().enumerate();
    numbered
        .map(|(index, address)| MailAddress::parse(&format!("recipients[{index}]"), address))
        .collect()
}

fn with_crlf(octets: bytes::Bytes) -> bytes::Bytes {
    if has_crlf_only(&octets) {
        return octets;
    }
    let mut lines = Vec::with_capacity(octets.len() + octets.len() / 32);
    let mut rest = octets.iter().copied().peekable();
    while let Some(octet) = rest.next() {
        match octet {
            b'\r' => {
                rest.next_if_eq(&b'\n');
                lines.extend_from_slice(CRLF);
            }
            b'\n' => lines.extend_from_slice(CRLF),
            _ => lines.push(octet),
        }
    }
    lines.into()
}

/// Every LF has a CR before it, and there are as many of one as of the other.
fn has_crlf_only(octets: &[u8]) -> bool {
    let count = |octet| memchr::memchr_iter(octet, octets).count();
    lines(octets).all(|line| line.ends_with(CRLF) || !line.ends_with(b"\n"))
        && count(b'\r') == count(b'\n')
}

fn check_lines(octets: &[u8]) -> Result<()> {
    let first_nul = memchr::memchr(0, octets);
    let mut at = 0;
    for (index, line) in lines(octets).enumerate() {
        let number = index + 1;
        at += line.len();
        if first_nul.is_some_and(|nul| nul < at) {
            return Err(rejected(
                "nul-in-message",
                format!("the message has a NUL in line {number}"),
                "encode binary parts as base64",
            ));
        }
        if line.strip_suffix(CRLF).unwrap_or(line).len() > MAX_LINE_OCTETS {
            return Err(rejected(
                "line-too-long",
                format!("the message has more than 998 octets in line {number}"),
                "encode that part as quoted-printable or base64, or fold the header field",
            ));
        }
    }
    Ok(())
}

/// The header section of a message, field by field.
#[derive(Debug)]
struct Section<'a> {
    fields: Vec<Field<'a>>,
    size_bytes: usize,
    is_utf8: bool,
}

/// A field with its line ends.
#[derive(Debug)]
struct Field<'a> {
    name: &'a [u8],
    lines: Vec<&'a [u8]>,
}

impl<'a> Section<'a> {
    fn parse(mime: &'a [u8]) -> Result<Self> {
        let mut fields: Vec<Field<'a>> = Vec::new();
        let section = lines(mime).take_while(|line| *line != CRLF);
        let mut size_bytes = 0;
        for (index, line) in section.enumerate() {
            size_bytes += line.len();
            let is_continuation = line.starts_with(b" ") || line.starts_with(b"\t");
            match fields.last_mut() {
                Some(field) if is_continuation => field.lines.push(line),
                _ => fields.push(Field::parse(line).ok_or_else(|| malformed(index + 1))?),
            }
        }
        if fields.is_empty() {
            return Err(no_header());
        }
        let octets = mime.get(..size_bytes).unwrap_or_default();
        Ok(Self {
            fields,
            size_bytes,
            is_utf8: !octets.is_ascii() && str::from_utf8(octets).is_ok(),
        })
    }

    fn message_id(&self) -> String {
        let field = self
            .fields
            .iter()
            .find(|field| field.is_named("message-id"));
        field.map(Field::value).map_or_else(String::new, |value| {
            let value = value.trim();
            let inner = value.strip_prefix('<').unwrap_or(value);
            inner.strip_suffix('>').unwrap_or(inner).to_owned()
        })
    }

    fn without_hidden(&self, mime: &bytes::Bytes) -> Result<bytes::Bytes> {
        if !self.fields.iter().any(Field::is_hidden) {
            return Ok(mime.clone());
        }
        let kept = self.fields.iter().filter(|field| !field.is_hidden());
        let mut octets = kept
            .flat_map(|field| field.lines.concat())
            .collect::<Vec<_>>();
        if octets.is_empty() {
            return Err(no_header());
        }
        octets.extend_from_slice(mime.get(self.size_bytes..).unwrap_or_default());
        Ok(octets.into())
    }
}

impl<'a> Field<'a> {
    /// The field that begins with this line. Blanks before the colon are obsolete but harmless (RFC 5322 section 4.5).
    fn parse(line: &'a [u8]) -> Option<Self> {
        let name = line.split(|&octet| octet == b':').next();
        let name = name
            .filter(|name| name.len() < line.len())?
            .trim_ascii_end();
        let is_name = !name.is_empty() && name.iter().all(u8::is_ascii_graphic);
        is_name.then(|| Self {
            name,
            lines: vec![line],
        })
    }

    fn is_named(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name.as_bytes())
    }

    fn is_hidden(&self) -> bool {
        self.is_named("bcc") || self.is_named("resent-bcc")
    }

    fn value(&self) -> String {
        let octets = self.lines.concat();
        let value = octets.splitn(2, |&octet| octet == b':').nth(1);
        let value = String::from_utf8_lossy(value.unwrap_or_default());
        value.replace("\r\n", "")
    }
}

fn malformed(line_number: usize) -> Error {
    rejected(
        "malformed-header",
        format!("the message has no header field in line {line_number}"),
        "begin the message with lines such as `Subject: ...`, and leave a blank line before the body",
    )
}

fn no_header() -> Error {
    rejected(
        "no-header",
        "the message has no header fields",
        "begin the message with lines such as `From: ...` and `Subject: ...`",
    )
}

const CRLF: &[u8] = b"\r\n";

/// RFC 5322 section 2.1.1. Servers refuse longer lines, or break them and the signature over them.
const MAX_LINE_OCTETS: usize = 998;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::body::Seen;

    fn envelope(sender: Option<&str>, recipients: &[&str]) -> Envelope {
        Envelope {
            account: "work".to_owned(),
            sender: sender.map(str::to_owned),
            recipients: recipients.iter().map(|&text| text.to_owned()).collect(),
            ..Envelope::default()
        }
    }

    fn prepared(octets: &[u8]) -> Result<BuiltMail> {
        raw(
            &envelope(None, &["b@c.example"]),
            &octets.into(),
            "a@b.example",
        )
    }

    #[test]
    fn ends_every_line_with_crlf_and_changes_nothing_else() {
        fn check(octets: &str, expected: &str) {
            let built = prepared(octets.as_bytes()).unwrap();
            assert_eq!(String::from_utf8_lossy(&built.octets()), expected);
        }
        check("A: b\r\n\r\nc\r\n", "A: b\r\n\r\nc\r\n");
        check("A: b\n\nc\n", "A: b\r\n\r\nc\r\n");
        check("A: b\r\rc\r", "A: b\r\n\r\nc\r\n");
        check("A: b\r\n\r\n\n\r\n\r\r\nc", "A: b\r\n\r\n\r\n\r\n\r\n\r\nc");
        check("A: b\r\n\r\n.\r\n", "A: b\r\n\r\n.\r\n");
        check("A: b", "A: b");
        check("A : b\r\n \tc\r\n", "A : b\r\n \tc\r\n");
    }

    #[test]
    fn shares_the_octets_when_there_is_nothing_to_change() {
        let octets = Bytes::from(b"A: b\r\n\r\nc\r\n".as_slice());
        let built = raw(&envelope(None, &["b@c.example"]), &octets, "a@b.example").unwrap();
        let shared = built
            .mime
            .seen()
            .any(|seen| matches!(seen, Seen::Octets(sent) if sent.as_ptr() == octets.as_ptr()));
        assert!(shared);
    }

    #[test]
    fn removes_hidden_recipients_from_the_header_section_only() {
        fn check(octets: &str, expected: &str) {
            let built = prepared(octets.as_bytes()).unwrap();
            assert_eq!(String::from_utf8_lossy(&built.octets()), expected);
        }
        check(
            "A: b\nBcc: x@y,\n z@y\nC: d\nresent-bcc: e\n\nBcc: stays\n",
            "A: b\r\nC: d\r\n\r\nBcc: stays\r\n",
        );
        check("bcc : x\r\nA: b", "A: b");
    }

    #[test]
    fn reads_the_message_id() {
        fn check(octets: &str, expected: &str) {
            assert_eq!(prepared(octets.as_bytes()).unwrap().message_id, expected);
        }
        check("A: b\n\nMessage-ID: <no@x>", "");
        check("Message-ID: <a@b>\n", "a@b");
        check("message-id:\n <a@b>\n", "a@b");
        check("Message-ID: bare\n", "bare");
    }

    #[test]
    fn sees_what_the_server_must_support() {
        fn check(recipient: &str, octets: &[u8], needs_smtputf8: bool, eight_bit: bool) {
            let envelope = envelope(Some("a@b.example"), &[recipient]);
            let built = raw(&envelope, &octets.into(), "").unwrap();
            assert_eq!(
                (built.needs_smtputf8, built.eight_bit),
                (needs_smtputf8, eight_bit)
            );
        }
        check("b@c.example", b"A: b\n\nc", false, false);
        check("b@c.example", "A: b\n\nü".as_bytes(), false, true);
        check("b@c.example", "A: ü\n\nc".as_bytes(), true, true);
        check("b@c.example", b"A: \xfc\n\nc", false, true); // Latin-1 in a header: SMTPUTF8 would promise UTF-8
        check("ü@c.example", b"A: b\n\nc", true, false);
    }

    #[test]
    fn takes_the_envelope_and_not_the_header_for_the_addresses() {
        fn check(sender: Option<&str>, expected: &str) {
            let envelope = envelope(sender, &["x@Ö.example", "y@z.example", "x@ö.example"]);
            let built = raw(&envelope, &b"To: q@r\n\n".as_slice().into(), "a@b.example").unwrap();
            assert_eq!(built.sender, expected);
            assert_eq!(built.recipients, ["x@xn--nda.example", "y@z.example"]);
        }
        check(None, "a@b.example");
        check(Some("s@t.example"), "s@t.example");
        check(Some(""), "");
    }

    #[test]
    fn refuses_what_no_server_would_take() {
        fn check(octets: &[u8], code: &str, text: &str) {
            let error = prepared(octets).unwrap_err();
            assert_eq!(error.code(), code);
            assert_eq!(error.to_string(), text);
        }
        check(b"", "no-header", "the message has no header fields");
        check(
            b"\n\nhello",
            "no-header",
            "the message has no header fields",
        );
        check(
            b"Bcc: a@b\n\nhello",
            "no-header",
            "the message has no header fields",
        );
        let third = "the message has no header field in line 3";
        check(b"A: b\nC: d\nhello\n", "malformed-header", third);
        let first = "the message has no header field in line 1";
        check(
            b"From a@b Mon Jan  1 00:00:00 2026\nA: b\n\n",
            "malformed-header",
            first,
        );
        check(b" A: b\n\n", "malformed-header", first);
        check(b": b\n\n", "malformed-header", first);
        check(b"\xef\xbb\xbfA: b\n\n", "malformed-header", first);
        check(
            b"A: b\n\na\0",
            "nul-in-message",
            "the message has a NUL in line 3",
        );
        let long = [b"A: b\n\n".as_slice(), &[b'x'; 999]].concat();
        check(
            &long,
            "line-too-long",
            "the message has more than 998 octets in line 3",
        );
        assert!(prepared(&long[..long.len() - 1]).is_ok());
    }

    #[test]
    fn refuses_bad_addresses_by_their_place_in_the_envelope() {
        fn check(sender: Option<&str>, recipients: &[&str], code: &str, text: &str) {
            let octets = b"A: b\n\n".as_slice().into();
            let error = raw(&envelope(sender, recipients), &octets, "").unwrap_err();
            assert_eq!(error.code(), code);
            assert!(error.to_string().starts_with(text), "{error}");
        }
        check(Some("a@b.example"), &[], "no-recipients", "the message ");
        check(
            Some("a@b.example"),
            &["a@b.example", "c"],
            "invalid-address",
            "recipients[1] ",
        );
        check(
            Some("a@b.example\r\nRCPT"),
            &["a@b.example"],
            "header-injection",
            "sender ",
        );
        check(None, &["a@b.example"], "invalid-address", "mailbox ");
    }
}
