//! Header fields as octets: folded, encoded where they must be, each on lines of its own.
//! Takes only parsed values, so nothing here can start a field that nobody asked for.

use super::address::NamedAddress;
use super::one_line::OneLine;
use email_encoding::headers::rfc2047;
use email_encoding::headers::writer::EmailWriter;
use lettre::message::header::{Header, HeaderName, HeaderValue, Headers};
use std::fmt::{self, Write as _};

/// A header section under construction, in the order written.
#[derive(Debug, Default)]
pub(super) struct HeaderSection(String);

impl HeaderSection {
    /// Adds a field that lettre knows how to write.
    pub(super) fn add(&mut self, field: impl Header) {
        self.add_value(field.display());
    }

    /// Adds a finished field. A set of its own, because lettre keeps one field per name in a set.
    pub(super) fn add_value(&mut self, value: HeaderValue) {
        let mut set = Headers::new();
        set.insert_raw(value);
        self.0.push_str(&set.to_string());
    }

    /// Adds finished fields.
    pub(super) fn add_values(&mut self, values: Vec<HeaderValue>) {
        for value in values {
            self.add_value(value);
        }
    }

    /// Adds a field of a few fixed letters.
    pub(super) fn add_constant(&mut self, name: &'static str, value: &'static str) {
        self.add_value(pre_encoded(
            HeaderName::new_from_ascii_str(name),
            value.to_owned(),
        ));
    }

    /// Adds a list of addresses, unless it is empty.
    pub(super) fn add_addresses(&mut self, name: &'static str, list: &[NamedAddress<'_>]) {
        if !list.is_empty() {
            self.add_value(address_list(HeaderName::new_from_ascii_str(name), list));
        }
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.0.into_bytes()
    }
}

/// A field of free text (RFC 5322 section 2.2.1): plain where that is safe, else encoded-words (RFC 2047).
///
/// All of the text is encoded or none: between encoded words and plain ones, readers disagree about blanks.
pub(super) fn unstructured(name: HeaderName, text: OneLine<'_>) -> HeaderValue {
    let text = text.as_str();
    let fits = name.len() + ": ".len() + text.len() <= MAX_FOLDED_LINE;
    if is_plain(text) && (fits || !text.contains("  ")) {
        return HeaderValue::new(name, text.to_owned());
    }
    let folded = fold(&name, |writer| rfc2047::encode(text, writer));
    pre_encoded(name, folded)
}

/// A field that is already encoded and folded, or that must stay on one line.
pub(super) fn pre_encoded(name: HeaderName, encoded: String) -> HeaderValue {
    HeaderValue::dangerous_new_pre_encoded(name, String::new(), encoded)
}

/// Writes a field's value with long lines folded, beginning behind the name.
pub(super) fn fold(name: &str, write: impl FnOnce(&mut EmailWriter<'_>) -> fmt::Result) -> String {
    let mut folded = String::new();
    let start = name.len() + ": ".len();
    write(&mut EmailWriter::new(&mut folded, start, 0, false))
        .expect("a String has room for every text");
    folded
}

/// Encoded-words for a place that cannot fold, such as a parameter's value.
pub(super) fn encoded_words(text: &str) -> String {
    fold("", |writer| rfc2047::encode(text, writer)).replace("\r\n", "")
}

fn address_list(name: HeaderName, list: &[NamedAddress<'_>]) -> HeaderValue {
    let folded = fold(&name, |writer| {
        for (index, entry) in list.iter().enumerate() {
            if index > 0 {
                writer.write_str(", ")?;
            }
            write_named(writer, entry)?;
        }
        Ok(())
    });
    pre_encoded(name, folded)
}

/// A mailbox (RFC 5322 section 3.4): `alice@example.com` or `Alice <alice@example.com>`.
fn write_named(writer: &mut EmailWriter<'_>, entry: &NamedAddress<'_>) -> fmt::Result {
    let NamedAddress { name, address } = entry;
    if !name.as_str().is_empty() {
        write_phrase(writer, name.as_str())?;
        writer.space();
    } else if !address.local().starts_with('"') {
        return write_unbroken(writer, &address.to_string());
    }
    // A quoted local part without angle brackets would look like a name to some readers.
    write_unbroken(writer, &format!("<{address}>"))
}

/// A name as it is where it fits on a line, else as encoded-words: some readers lose a quotation mark over a fold.
fn write_phrase(writer: &mut EmailWriter<'_>, name: &str) -> fmt::Result {
    if !is_plain(name) || name.len() > MAX_PHRASE {
        return rfc2047::encode(name, writer);
    }
    if name.bytes().all(is_atom_or_space) && !name.contains("  ") {
        return write_unbroken(writer, name);
    }
    let escaped = name.replace('\\', r"\\").replace('"', "\\\"");
    write_unbroken(writer, &format!("\"{escaped}\""))
}

/// Begins a new line first where the token does not fit on this one and a blank stands before it.
fn write_unbroken(writer: &mut EmailWriter<'_>, token: &str) -> fmt::Result {
    let may_fold = writer.projected_line_len() > writer.line_len();
    if may_fold && writer.projected_line_len() + token.len() > MAX_FOLDED_LINE {
        writer.new_line()?;
    }
    writer.write_str(token)
}

/// Whether every reader sees the text as it is written: printable ASCII in words that fit on a line, with nothing that
/// looks like an encoded-word. Of several blanks where a line is folded, some readers make one.
fn is_plain(text: &str) -> bool {
    text.bytes().all(|octet| matches!(octet, b' '..=b'~'))
        && !(text.contains("=?") && text.contains("?="))
        && text.split(' ').all(|word| word.len() <= MAX_WORD)
}

fn is_atom_or_space(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || b" !#$%&'*+-/=?^_`{|}~".contains(&octet)
}

/// What lines should keep to (RFC 5322 section 2.1.1), as lettre has it.
const MAX_FOLDED_LINE: usize = 76;

/// With quotation marks, a name of this length has a line of its own.
const MAX_PHRASE: usize = 70;

/// A word cannot be folded: with the longest name before it, the line stays below 998 octets (RFC 5322 section 2.1.1).
const MAX_WORD: usize = 900;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Address;

    fn lines(section: HeaderSection) -> String {
        String::from_utf8(section.into_bytes()).unwrap()
    }

    #[test]
    fn writes_text_plain_where_every_reader_sees_it_the_same() {
        fn check(text: &str, expected: &str) {
            let text = OneLine::parse("x", text).unwrap();
            let mut section = HeaderSection::default();
            section.add_value(unstructured(
                HeaderName::new_from_ascii_str("Subject"),
                text,
            ));
            assert_eq!(lines(section), expected);
        }
        check("", "Subject: \r\n");
        check(
            "Hello, \"world\"  (1)",
            "Subject: Hello, \"world\"  (1)\r\n",
        );
        check("50% off? =? yes", "Subject: 50% off? =? yes\r\n");
        check(
            &"word ".repeat(20),
            "Subject: word word word word word word word word word word word word word\r\n \
             word word word word word word word\r\n",
        );
        check(
            "=?utf-8?q?a?=",
            "Subject: =?utf-8?b?PT91dGYtOD9xP2E/PQ==?=\r\n",
        );
        check("é  é", "Subject: =?utf-8?b?w6kgIMOp?=\r\n");
        check("tab\there", "Subject: =?utf-8?b?dGFiCWhlcmU=?=\r\n");
    }

    #[test]
    fn never_splits_a_character_between_encoded_words() {
        let text = "日本".repeat(40);
        let field = unstructured(
            HeaderName::new_from_ascii_str("Subject"),
            OneLine::parse("x", &text).unwrap(),
        );
        let mut section = HeaderSection::default();
        section.add_value(field);
        for line in lines(section).lines() {
            let (_, word) = line.split_once("=?utf-8?b?").unwrap();
            let octets = crate::model::Bytes::from(decoded(word.strip_suffix("?=").unwrap()));
            assert!(
                line.len() <= 76 && str::from_utf8(&octets).is_ok(),
                "{line}"
            );
        }
    }

    fn decoded(base64: &str) -> Vec<u8> {
        use base64::Engine as _;
        base64::engine::general_purpose::STANDARD
            .decode(base64)
            .unwrap()
    }

    #[test]
    fn writes_names_so_that_no_reader_takes_them_apart() {
        fn check(entries: &[(&str, &str)], expected: &str) {
            let entry = |&(name, address): &(&str, &str)| Address {
                address: address.to_owned(),
                name: Some(name.to_owned()),
            };
            let entries = entries.iter().map(entry).collect::<Vec<_>>();
            let mut section = HeaderSection::default();
            section.add_addresses("To", &NamedAddress::parse_all("to", &entries).unwrap());
            assert_eq!(lines(section), expected);
        }
        check(&[], "");
        check(&[("", "a@b.example")], "To: a@b.example\r\n");
        check(
            &[("Alice Example", "a@b.example")],
            "To: Alice Example <a@b.example>\r\n",
        );
        check(
            &[("Example, Alice \"Al\" \\", "a@b.example")],
            "To: \"Example, Alice \\\"Al\\\" \\\\\" <a@b.example>\r\n",
        );
        check(&[("a  b", "a@b.example")], "To: \"a  b\" <a@b.example>\r\n");
        check(
            &[("=?x?=", "a@b.example")],
            "To: =?utf-8?b?PT94Pz0=?= <a@b.example>\r\n",
        );
        check(&[("", "\"a b\"@c.example")], "To: <\"a b\"@c.example>\r\n");
        check(
            &[
                ("Zoë", "zoë@b.example"),
                ("", "someone.with.a.long.name@department.example"),
            ],
            "To: =?utf-8?b?Wm/Dqw==?= <zoë@b.example>,\r\n \
             someone.with.a.long.name@department.example\r\n",
        );
    }
}
