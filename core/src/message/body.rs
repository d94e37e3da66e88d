//! The body of a message: text, HTML and attachments, framed as MIME readers expect (RFC 2045, 2046, 2387).
//! Never 8-bit, so that every server on the way can take it; never a text that the application did not give.
//!
//! lettre encodes texts and writes the fields of each part. The frames of the parts are laid out here, so that what is
//! attached can stay where it is until it is sent.

use super::attachment::Piece;
use super::refusal::rejected;
use crate::body::{Segment, Source};
use crate::error::{Error, Result};
use crate::model::Message;
use lettre::message::header::{ContentTransferEncoding, ContentType};
use lettre::message::{Body, SinglePart};
use std::borrow::Cow;

/// The body's own header fields, the blank line, and the body. Each attachment's octets are in the source of its place.
pub(super) fn body(message: &Message, sources: &[Source], id: &str) -> Result<Vec<Segment>> {
    let pieces = Piece::parse_all(&message.attachments, sources)?;
    let boundaries = Boundaries::new(id);
    // Images belong to the HTML that shows them; without HTML they are attachments like any other.
    let (inline, attached): (Vec<_>, Vec<_>) = pieces
        .into_iter()
        .partition(|piece| piece.is_inline() && message.html.is_some());

    let text = message.text.as_deref();
    let text = text.map(|text| Part::text(ContentType::TEXT_PLAIN, text, &boundaries));
    let html = message.html.as_deref();
    let html = html.map(|html| Part::text(ContentType::TEXT_HTML, html, &boundaries));
    let html = html.map(|html| boundaries.frame(Kind::Related, html, inline));

    let readable = match (text, html) {
        (Some(text), Some(html)) => Some(boundaries.around(Kind::Alternative, vec![text, html])),
        (text, html) => text.or(html),
    };
    let whole = match readable {
        Some(readable) => boundaries.frame(Kind::Mixed, readable, attached),
        None if attached.is_empty() => return Err(empty()),
        None => boundaries.around(Kind::Mixed, boundaries.parts(attached)),
    };
    Ok(whole.into_segments())
}

fn empty() -> Error {
    rejected(
        "empty-message",
        "the message has no text, no html and no attachments",
        "give it a text, which may be empty",
    )
}

/// A part with its own header fields, up to the line end that belongs to the boundary behind it.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) segments: Vec<Segment>,
    /// In the binary form, something in it is binary.
    pub(super) may_be_binary: bool,
}

impl Part {
    fn text(media_type: ContentType, text: &str, boundaries: &Boundaries) -> Self {
        let body = encode_text(text, &boundaries.prefix);
        let part = SinglePart::builder().header(media_type).body(body);
        Self {
            segments: vec![octets(part.formatted())],
            may_be_binary: false,
        }
    }

    /// As the whole message. Its last line has one line end, even where the text has brought its own.
    fn into_segments(mut self) -> Vec<Segment> {
        if let Some(Segment::Octets(last)) = self.segments.last_mut()
            && last.ends_with(b"\r\n\r\n")
        {
            last.truncate(last.len() - "\r\n".len());
        }
        self.segments
    }
}

fn octets(octets: impl Into<Vec<u8>>) -> Segment {
    Segment::Octets(octets.into().into())
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Mixed,
    Alternative,
    Related,
}

/// The boundaries of one message: no line of its content begins with one.
///
/// `=_` occurs in no quoted-printable and no base64. A text and a message in memory that travel as they are have been
/// searched for the prefix. A file and binary octets are not: the 128 random bits in it are drawn when they are there
/// already, so that nobody could have put them in, and chance would not in the age of the universe.
#[derive(Debug)]
struct Boundaries {
    prefix: String,
}

impl Boundaries {
    fn new(id: &str) -> Self {
        Self {
            prefix: format!("=_{id}_"),
        }
    }

    /// The first part with the pieces behind it, or alone.
    fn frame(&self, kind: Kind, first: Part, pieces: Vec<Piece<'_>>) -> Part {
        if pieces.is_empty() {
            return first;
        }
        let mut parts = vec![first];
        parts.extend(self.parts(pieces));
        self.around(kind, parts)
    }

    fn parts(&self, pieces: Vec<Piece<'_>>) -> Vec<Part> {
        let parts = pieces.into_iter();
        parts.map(|piece| piece.into_part(&self.prefix)).collect()
    }

    /// A part of parts (RFC 2046 section 5.1.1). One with something binary in it says so (RFC 2045 section 6.4).
    fn around(&self, kind: Kind, parts: Vec<Part>) -> Part {
        let (kind, number) = match kind {
            Kind::Mixed => ("mixed", 1),
            Kind::Alternative => ("alternative", 2),
            Kind::Related => ("related; type=\"text/html\"", 3),
        };
        let boundary = format!("{}{number}", self.prefix);
        let may_be_binary = parts.iter().any(|part| part.may_be_binary);
        let content_type =
            format!("Content-Type: multipart/{kind};\r\n boundary=\"{boundary}\"\r\n");
        let mut segments = vec![octets(content_type)];
        if may_be_binary {
            segments.push(Segment::BinaryOnly("Content-Transfer-Encoding: binary\r\n"));
        }
        segments.push(octets("\r\n"));
        for part in parts {
            segments.push(octets(format!("--{boundary}\r\n")));
            segments.extend(part.segments);
        }
        segments.push(octets(format!("--{boundary}--\r\n")));
        Part {
            segments,
            may_be_binary,
        }
    }
}

/// As plain as it can be: 7bit, else quoted-printable or base64, whichever is shorter.
fn encode_text(text: &str, boundary: &str) -> Body {
    let text = with_crlf(text);
    let is_ordinary = text
        .chars()
        .all(|c| !c.is_ascii_control() || "\t\r\n".contains(c));
    if is_ordinary && !text.contains(boundary) {
        return Body::new(text.into_owned());
    }
    Body::new_with_encoding(text.into_owned(), ContentTransferEncoding::QuotedPrintable)
        .unwrap_or_else(|octets| {
            Body::dangerous_pre_encoded(octets, ContentTransferEncoding::Base64)
        })
}

/// Every line break as CRLF, be it LF, CR or CRLF. lettre does only the first, in quadratic time.
fn with_crlf(text: &str) -> Cow<'_, str> {
    if !text.contains(['\r', '\n']) {
        return Cow::Borrowed(text);
    }
    let mut lines = String::with_capacity(text.len() + text.len() / 32);
    let mut rest = text.chars().peekable();
    while let Some(character) = rest.next() {
        match character {
            '\r' => {
                rest.next_if_eq(&'\n');
                lines.push_str("\r\n");
            }
            '\n' => lines.push_str("\r\n"),
            _ => lines.push(character),
        }
    }
    Cow::Owned(lines)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Attachment, Content};

    const ID: &str = "0123456789abcdef";

    fn attachment(name: &str, content_id: Option<&str>) -> Attachment {
        Attachment {
            name: Some(name.to_owned()),
            content_type: None,
            content_id: content_id.map(str::to_owned),
            content: Content::Data {
                data: b"x".as_slice().into(),
            },
        }
    }

    /// The parts as a tree: the types in order, each part's children in brackets.
    fn tree(octets: &[u8]) -> String {
        let text = String::from_utf8(octets.to_vec()).unwrap();
        let mut tree = String::new();
        for line in text.lines() {
            if let Some(media_type) = line.strip_prefix("Content-Type: ") {
                let media_type = media_type.split(';').next().unwrap();
                let opening = if media_type.starts_with("multipart/") {
                    "("
                } else {
                    " "
                };
                tree.push_str(media_type);
                tree.push_str(opening);
            } else if line.starts_with("--") && line.ends_with("--") {
                tree.push_str(") ");
            }
        }
        tree.trim_end().replace(" )", ")")
    }

    fn laid_out(message: &Message) -> Vec<u8> {
        let sources = crate::message::sources_in_memory(message);
        let segments = body(message, &sources, ID).unwrap();
        let laid_out = crate::body::Body::new(segments);
        laid_out.whole(crate::body::Form::Base64).unwrap().into()
    }

    #[test]
    fn frames_no_more_than_the_content_needs() {
        fn check(text: bool, html: bool, attachments: &[Attachment], expected: &str) {
            let message = Message {
                text: text.then(|| "t".to_owned()),
                html: html.then(|| "h".to_owned()),
                attachments: attachments.to_vec(),
                ..Message::default()
            };
            assert_eq!(tree(&laid_out(&message)), expected);
        }
        let pdf = attachment("a.pdf", None);
        let png = attachment("b.png", Some("b"));
        let both = [png.clone(), pdf.clone()];
        check(true, false, &[], "text/plain");
        check(false, true, &[], "text/html");
        check(
            true,
            true,
            &[],
            "multipart/alternative(text/plain text/html)",
        );
        check(
            false,
            true,
            std::slice::from_ref(&png),
            "multipart/related(text/html image/png)",
        );
        check(
            true,
            false,
            std::slice::from_ref(&png),
            "multipart/mixed(text/plain image/png)",
        );
        check(
            false,
            false,
            std::slice::from_ref(&pdf),
            "multipart/mixed(application/pdf)",
        );
        check(
            true,
            true,
            &both,
            "multipart/mixed(multipart/alternative(text/plain multipart/related(text/html image/png)) application/pdf)",
        );
    }

    #[test]
    fn encodes_text_only_as_far_as_it_must() {
        fn check(text: &str, encoding: ContentTransferEncoding, expected: &str) {
            let encoded = encode_text(text, "=_id_");
            assert_eq!(encoded.encoding(), encoding, "{text:?}");
            assert_eq!(str::from_utf8(encoded.as_ref()).unwrap(), expected);
        }
        use ContentTransferEncoding::{Base64, QuotedPrintable, SevenBit};
        check("", SevenBit, "");
        check("a\nb\rc\r\nd\n\r", SevenBit, "a\r\nb\r\nc\r\nd\r\n\r\n");
        check("größer als 1", QuotedPrintable, "gr=C3=B6=C3=9Fer als 1");
        check("日本語", Base64, "5pel5pys6Kqe");
        check("NUL\0", QuotedPrintable, "NUL=00");
        check("--=_id_1--", QuotedPrintable, "--=3D_id_1--");
    }
}
