//! Takes a message apart: its header fields and its leaf parts, whatever bytes it is made of.
//! Header fields and encodings are `mail_parser`'s; the walk over the parts is ours, and it does not look into attached mails.
//!
//! Why not `mail_parser`'s own walk: it opens attached mails in attached mails without end, and 3 MB of
//! `Content-Type: message/rfc822` lines overflow the stack when the result is dropped, which ends the process.

mod leaf;
mod walk;

use mail_parser::{Header, HeaderName, HeaderValue, Message, MessageParser};
use serde::Serialize;

pub(super) use leaf::Leaf;
use walk::{Walk, split_head};

/// A message taken apart.
pub(super) struct Entity<'a> {
    head: &'a [u8],
    fields: Option<Message<'a>>,
    /// The parts that are not containers of others, in order.
    pub(super) leaves: Vec<Leaf<'a>>,
    /// What is broken, in words for the reader of the mail.
    pub(super) problems: Vec<String>,
}

/// One header field, unfolded and with its encoded words (RFC 2047) decoded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct HeaderField {
    pub(super) name: String,
    pub(super) value: String,
}

impl<'a> Entity<'a> {
    /// Takes any bytes apart.
    pub(super) fn parse(mime: &'a [u8]) -> Self {
        let (head, body) = split_head(mime);
        let fields = MessageParser::default().parse_headers(head);
        let mut walk = Walk::default();
        walk.enter(fields.as_ref(), body, "text/plain", 0);
        Self {
            head,
            fields,
            leaves: walk.leaves,
            problems: walk.problems,
        }
    }

    /// All header fields in order, names as written.
    pub(super) fn header_fields(&self) -> Vec<HeaderField> {
        // A parser without a single rule of its own would fall back to its default rules.
        let parser = MessageParser::new()
            .header_text(HeaderName::Subject)
            .default_header_text();
        let Some(fields) = parser.parse_headers(self.head) else {
            return Vec::new();
        };
        headers_of(&fields)
            .iter()
            .map(|header| self.header_field(header))
            .collect()
    }

    fn header_field(&self, header: &Header<'_>) -> HeaderField {
        let name = self
            .head
            .get(header.offset_field as usize..header.offset_start as usize)
            .unwrap_or_default();
        HeaderField {
            name: String::from_utf8_lossy(name)
                .trim_end_matches(':')
                .trim()
                .to_owned(),
            value: header.value.as_text().unwrap_or_default().to_owned(),
        }
    }

    /// The value of the first field with this name, as its RFC structures it.
    pub(super) fn header(&self, name: HeaderName<'static>) -> Option<&HeaderValue<'a>> {
        headers_of(self.fields.as_ref()?)
            .iter()
            .find(|header| header.name == name)
            .map(|header| &header.value)
    }

    /// The plain text of the message; parts after one another become one.
    pub(super) fn text(&self) -> Option<String> {
        self.joined("text/plain")
    }

    /// The HTML of the message.
    pub(super) fn html(&self) -> Option<String> {
        self.joined("text/html")
    }

    /// The leaves that are not the message's own text or HTML.
    pub(super) fn attachments(&self) -> impl Iterator<Item = &Leaf<'a>> {
        self.leaves.iter().filter(|leaf| !leaf.is_body())
    }

    /// The leaf with this Content-ID.
    pub(super) fn by_content_id(&self, content_id: &str) -> Option<&Leaf<'a>> {
        self.leaves
            .iter()
            .find(|leaf| leaf.content_id.as_deref() == Some(content_id))
    }

    fn joined(&self, content_type: &str) -> Option<String> {
        let bodies = self
            .leaves
            .iter()
            .filter(|leaf| leaf.is_body() && leaf.content_type == content_type);
        let texts: Vec<String> = bodies.map(Leaf::text).collect();
        (!texts.is_empty()).then(|| texts.join("\n"))
    }
}

fn headers_of<'m, 'a>(message: &'m Message<'a>) -> &'m [Header<'a>] {
    message.parts.first().map_or(&[], |part| &part.headers)
}

#[cfg(test)]
mod tests {
    use super::walk::MAX_LEAVES;
    use super::*;

    #[test]
    fn takes_text_and_html_from_wherever_they_stand() {
        let plain = "Content-Type: text/plain\n\ntext";
        let html = "Content-Type: text/html\n\n<p>html";
        check("Subject: x\n\ntext", Some("text"), None, &[]);
        check(plain, Some("text"), None, &[]);
        check(html, None, Some("<p>html"), &[]);
        check(
            &multipart("alternative", "a", &[plain, html]),
            Some("text"),
            Some("<p>html"),
            &[],
        );
        let related = multipart(
            "related",
            "r",
            &[html, "Content-Type: image/png\nContent-ID: <i@x>\n\nPNG"],
        );
        let alternative = multipart("alternative", "a", &[plain, &related]);
        check(&alternative, Some("text"), Some("<p>html"), &["image/png"]);
        let pdf = "Content-Type: application/pdf\n\n%PDF";
        let mixed = multipart("mixed", "m", &[&alternative, pdf, plain]);
        check(
            &mixed,
            Some("text\ntext"),
            Some("<p>html"),
            &["image/png", "application/pdf"],
        );
    }

    #[test]
    fn counts_text_with_a_name_or_disposition_among_the_attachments() {
        let disposed = "Content-Disposition: attachment\n\ntext";
        let named = "Content-Type: text/html; name=page.html\n\n<p>";
        let calendar = "Content-Type: text/calendar\n\nBEGIN:VCALENDAR";
        let inline = "Content-Disposition: inline\n\ntext";
        let mail = multipart("mixed", "m", &[disposed, named, calendar, inline]);
        check(
            &mail,
            Some("text"),
            None,
            &["text/plain", "text/html", "text/calendar"],
        );
    }

    #[test]
    fn leaves_attached_mails_closed() {
        let attached = "Content-Type: message/rfc822\n\nSubject: inner\n\ninner text";
        check(
            &multipart("mixed", "m", &["\nouter text", attached]),
            Some("outer text"),
            None,
            &["message/rfc822"],
        );
        check(
            &multipart("digest", "d", &["\nSubject: inner\n\ninner text"]),
            None,
            None,
            &["message/rfc822"],
        );
        // 3 MB of these overflow the stack of parsers that open them.
        let nested = "Content-Type: message/rfc822\n\n".repeat(100_000);
        check(&nested, None, None, &["message/rfc822"]);
    }

    #[test]
    fn shows_what_is_left_of_broken_multiparts() {
        check(
            "Content-Type: multipart/mixed\n\nbody",
            Some("body"),
            None,
            &[],
        );
        check(
            "Content-Type: multipart/mixed; boundary=b\n\nbody",
            Some("body"),
            None,
            &[],
        );
        check(
            "Content-Type: multipart/mixed; boundary=b\n\n--b\n\nopen end",
            Some("open end"),
            None,
            &[],
        );
        check(
            "Content-Type: multipart/mixed; boundary=b\n\n--b\n\none\n--b\n\ntwo\n--bb\n--b-\n--b--\nepilogue",
            Some("one\ntwo\n--bb\n--b-"),
            None,
            &[],
        );
        check("Content-Type: nonsense\n\nbody", Some("body"), None, &[]);
        check("no header and no body", Some(""), None, &[]);
        check("", Some(""), None, &[]);
    }

    #[test]
    fn names_what_is_broken() {
        check_problem("Content-Type: multipart/mixed\n\nbody", "no boundary");
        check_problem(
            "Content-Type: multipart/mixed; boundary=b\n\nbody",
            "does not occur",
        );
        check_problem(
            "Content-Type: multipart/mixed; boundary=b\n\n--b\n\nbody",
            "cut off",
        );
        check_problem(
            "Content-Transfer-Encoding: base64\n\n!!!",
            "encoding is broken",
        );
        let nested: String = (0..1_000)
            .map(|depth| format!("Content-Type: multipart/mixed; boundary={depth}\n\n--{depth}\n"))
            .collect();
        check_problem(&nested, "nested too deeply");
        let many = multipart("mixed", "m", &["\nx"; MAX_LEAVES + 1]);
        check_problem(&many, "too many parts");
        assert_eq!(
            Entity::parse(crlf(&many).as_bytes()).leaves.len(),
            MAX_LEAVES
        );
    }

    #[test]
    fn lists_header_fields_unfolded_and_decoded_with_names_as_written() {
        let mail = crlf(
            "sUBJECT: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\nX-Folded: one\n two\nX-Twice: 1\nX-Twice: 2\nX-Empty:\n\nbody",
        );
        let fields = Entity::parse(mail.as_bytes()).header_fields();
        let pairs: Vec<_> = fields
            .iter()
            .map(|field| (field.name.as_str(), field.value.as_str()))
            .collect();
        let expected = [
            ("sUBJECT", "Grüße"),
            ("X-Folded", "one two"),
            ("X-Twice", "1"),
            ("X-Twice", "2"),
            ("X-Empty", ""),
        ];
        assert_eq!(pairs, expected);
    }

    #[test]
    fn reads_headers_of_any_length() {
        let long = format!(
            "Subject: {}\nTo: {}\n\nbody",
            "x".repeat(1_000_000),
            "a@b.test, ".repeat(100_000)
        );
        let many = format!("{}\n\nbody", "X-Many: 1\n".repeat(100_000).trim_end());
        for mail in [long, many] {
            let mail = crlf(&mail);
            let entity = Entity::parse(mail.as_bytes());
            assert_eq!(entity.text().as_deref(), Some("body"));
            assert!(!entity.header_fields().is_empty());
        }
    }

    fn multipart(subtype: &str, boundary: &str, parts: &[&str]) -> String {
        let parts: String = parts
            .iter()
            .map(|part| format!("--{boundary}\n{part}\n"))
            .collect();
        format!(
            "Content-Type: multipart/{subtype}; boundary={boundary}\n\npreamble\n{parts}--{boundary}--\n"
        )
    }

    fn crlf(mail: &str) -> String {
        mail.replace('\n', "\r\n")
    }

    /// Line ends must make no difference.
    fn check(mail: &str, text: Option<&str>, html: Option<&str>, attachments: &[&str]) {
        for mail in [mail.to_owned(), crlf(mail)] {
            let entity = Entity::parse(mail.as_bytes());
            let unix = |text: Option<String>| text.map(|text| text.replace("\r\n", "\n"));
            let shown = mail.chars().take(200).collect::<String>();
            assert_eq!(unix(entity.text()).as_deref(), text, "text of {shown}");
            assert_eq!(unix(entity.html()).as_deref(), html, "HTML of {shown}");
            let types: Vec<_> = entity
                .attachments()
                .map(|leaf| leaf.content_type.as_str())
                .collect();
            assert_eq!(types, attachments, "attachments of {shown}");
        }
    }

    fn check_problem(mail: &str, expected: &str) {
        let mail = crlf(mail);
        let problems = Entity::parse(mail.as_bytes()).problems;
        assert!(
            problems.iter().any(|problem| problem.contains(expected)),
            "{expected:?} is not among {problems:?}"
        );
    }
}
