//! The walk over the parts of a message: multiparts are split, everything else is a leaf.
//! It stops where a hostile message would have it go on for ever, and notes what is broken.

use mail_parser::{ContentType, Message, MessageParser, MimeHeaders};

use super::Leaf;

/// What the walk has found so far.
#[derive(Default)]
pub(super) struct Walk<'a> {
    pub(super) leaves: Vec<Leaf<'a>>,
    pub(super) problems: Vec<String>,
}

impl<'a> Walk<'a> {
    /// Takes in one entity; `default_type` is what it is if it does not say.
    pub(super) fn enter(
        &mut self,
        fields: Option<&Message<'_>>,
        body: &'a [u8],
        default_type: &str,
        depth: usize,
    ) {
        let content_type = content_type(fields);
        match content_type {
            Some(kind) if kind.c_type.eq_ignore_ascii_case("multipart") => {
                self.multipart(fields, kind, body, depth)
            }
            Some(kind) => self.leaf(fields, body, &type_and_subtype(kind)),
            None => self.leaf(fields, body, default_type),
        }
    }

    fn multipart(
        &mut self,
        fields: Option<&Message<'_>>,
        kind: &ContentType<'_>,
        body: &'a [u8],
        depth: usize,
    ) {
        let Some(boundary) = kind.attribute("boundary").filter(|_| depth < MAX_DEPTH) else {
            self.problem(if depth < MAX_DEPTH {
                "a multipart has no boundary: shown as text"
            } else {
                "multiparts are nested too deeply: the innermost are shown as text"
            });
            return self.leaf(fields, body, "text/plain");
        };
        let Parts { parts, is_closed } = split_parts(body, boundary);
        if parts.is_empty() {
            self.problem("a multipart's boundary does not occur: shown as text");
            return self.leaf(fields, body, "text/plain");
        }
        if !is_closed {
            self.problem("a multipart's closing boundary is missing: the message may be cut off");
        }
        // RFC 2046 section 5.1.5: in a digest, parts without a type are mails.
        let is_digest = kind
            .subtype()
            .is_some_and(|subtype| subtype.eq_ignore_ascii_case("digest"));
        let default_type = if is_digest {
            "message/rfc822"
        } else {
            "text/plain"
        };
        for part in parts {
            if self.leaves.len() >= MAX_LEAVES {
                return self.problem("there are too many parts: the last are left out");
            }
            let (head, body) = split_head(part);
            let fields = MessageParser::default().parse_headers(head);
            self.enter(fields.as_ref(), body, default_type, depth + 1);
        }
    }

    fn leaf(&mut self, fields: Option<&Message<'_>>, body: &'a [u8], content_type: &str) {
        let leaf = Leaf::new(fields, body, content_type);
        if leaf.decoded().is_none() {
            self.problem("a part's transfer encoding is broken: shown as it came");
        }
        self.leaves.push(leaf);
    }

    fn problem(&mut self, text: &str) {
        if !self.problems.iter().any(|known| known == text) {
            self.problems.push(text.to_owned());
        }
    }
}

struct Parts<'a> {
    parts: Vec<&'a [u8]>,
    is_closed: bool,
}

/// Splits at the first empty line; without one, everything is header.
pub(super) fn split_head(entity: &[u8]) -> (&[u8], &[u8]) {
    let mut head_bytes = 0;
    for line in entity.split_inclusive(|byte| *byte == b'\n') {
        head_bytes += line.len();
        if matches!(line, b"\n" | b"\r\n") {
            break;
        }
    }
    entity.split_at_checked(head_bytes).unwrap_or((entity, &[]))
}

/// Splits the body of a multipart at its delimiter lines (RFC 2046 section 5.1.1).
fn split_parts<'a>(body: &'a [u8], boundary: &str) -> Parts<'a> {
    let mut parts = Vec::new();
    let mut part_start = None;
    let mut offset = 0;
    for line in body.split_inclusive(|byte| *byte == b'\n') {
        let line_start = offset;
        offset += line.len();
        let Some(is_closing) = delimiter(line, boundary) else {
            continue;
        };
        if let Some(part) = part_start.and_then(|start| body.get(start..line_start)) {
            parts.push(without_line_end(part));
        }
        if is_closing {
            return Parts {
                parts,
                is_closed: true,
            };
        }
        part_start = Some(offset);
    }
    parts.extend(part_start.and_then(|start| body.get(start..)));
    Parts {
        parts,
        is_closed: false,
    }
}

/// Whether the line is a delimiter and, if so, the closing one.
fn delimiter(line: &[u8], boundary: &str) -> Option<bool> {
    let rest = line
        .strip_prefix(b"--")?
        .strip_prefix(boundary.as_bytes())?
        .trim_ascii_end();
    match rest {
        b"" => Some(false),
        b"--" => Some(true),
        _ => None,
    }
}

/// The line end before a delimiter belongs to the delimiter.
fn without_line_end(part: &[u8]) -> &[u8] {
    let part = part.strip_suffix(b"\n").unwrap_or(part);
    part.strip_suffix(b"\r").unwrap_or(part)
}

fn content_type<'m>(fields: Option<&'m Message<'_>>) -> Option<&'m ContentType<'m>> {
    fields?.parts.first()?.content_type()
}

fn type_and_subtype(kind: &ContentType<'_>) -> String {
    match kind.subtype() {
        Some(subtype) => format!("{}/{subtype}", kind.ctype()).to_ascii_lowercase(),
        // RFC 2045 section 5.2: a type that cannot be read is plain text.
        None => "text/plain".to_owned(),
    }
}

/// Deeper than any mail program nests, and far from the end of the stack.
const MAX_DEPTH: usize = 32;

/// More than any mail needs; bounds the work a hostile mail can ask for.
pub(super) const MAX_LEAVES: usize = 1_000;
