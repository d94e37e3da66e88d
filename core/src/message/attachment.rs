//! Attachments and inline images as MIME parts: names every reader understands, octets unchanged.
//! Reads no files: content named by a path has been replaced by its octets before.

use super::header::{encoded_words, fold, pre_encoded};
use super::identifier::content_id;
use super::media_type::{UNKNOWN, media_type};
use super::one_line::OneLine;
use super::refusal::rejected;
use crate::error::{Error, Result};
use crate::model::{Attachment, Content, ProblemKind};
use email_encoding::body::base64;
use email_encoding::headers::rfc2231;
use lettre::message::header::{
    ContentDisposition, ContentId, ContentTransferEncoding, Header, HeaderName, HeaderValue,
};
use lettre::message::{Body, SinglePart};
use std::collections::HashSet;
use std::error::Error as StdError;
use std::fmt::Write as _;

/// An attachment, checked.
#[derive(Debug)]
pub(super) struct Piece<'a> {
    /// May be empty only for an inline image.
    name: &'a str,
    media_type: String,
    content_id: Option<&'a str>,
    octets: &'a [u8],
}

impl<'a> Piece<'a> {
    /// Takes every attachment of the message.
    pub(super) fn parse_all(attachments: &'a [Attachment]) -> Result<Vec<Self>> {
        let numbered = attachments.iter().enumerate();
        let pieces = numbered
            .map(|(index, attachment)| Self::parse(&format!("attachments[{index}]"), attachment))
            .collect::<Result<Vec<_>>>()?;
        refuse_repeated_ids(&pieces)?;
        Ok(pieces)
    }

    fn parse(field: &str, attachment: &'a Attachment) -> Result<Self> {
        let Content::Data { data } = &attachment.content else {
            return Err(content_not_read(field));
        };
        let given_id = attachment.content_id.as_deref();
        let content_id = given_id
            .map(|id| content_id(&format!("{field}.contentId"), id))
            .transpose()?;
        let name_field = format!("{field}.name");
        let name = OneLine::parse(&name_field, attachment.name.as_deref().unwrap_or_default())?;
        if name.as_str().is_empty() && content_id.is_none() {
            return Err(rejected(
                "attachment-name-missing",
                format!("{name_field} is empty"),
                format!("give {name_field} the name that the reader sees, such as invoice.pdf"),
            ));
        }
        let type_field = format!("{field}.contentType");
        let media_type = media_type(
            &type_field,
            attachment.content_type.as_deref(),
            name.as_str(),
        )?;
        Ok(Self {
            name: name.as_str(),
            media_type,
            content_id,
            octets: data,
        })
    }

    /// Whether HTML can show it in its place.
    pub(super) fn is_inline(&self) -> bool {
        self.content_id.is_some()
    }

    /// The part of the message. No line of it may begin with the boundary.
    pub(super) fn into_part(self, boundary: &str) -> SinglePart {
        let (media_type, body) = self.encode(boundary);
        let mut part = SinglePart::builder().header(NamedMediaType {
            media_type,
            file_name: self.name.to_owned(),
        });
        part = part.header(disposition(self.is_inline(), self.name));
        if let Some(id) = self.content_id {
            part = part.header(ContentId::from(format!("<{id}>")));
        }
        part.body(body)
    }

    /// A message inside a message has no transfer encoding (RFC 2046 section 5.2.1): one that needs some travels as a file.
    fn encode(&self, boundary: &str) -> (String, Body) {
        if !self.media_type.to_ascii_lowercase().starts_with("message/") {
            return (self.with_charset(), base64_body(self.octets));
        }
        if is_seven_bit(self.octets) && !contains(self.octets, boundary) {
            let body = Body::dangerous_pre_encoded(
                self.octets.to_vec(),
                ContentTransferEncoding::SevenBit,
            );
            return (self.media_type.clone(), body);
        }
        (UNKNOWN.to_owned(), base64_body(self.octets))
    }

    /// Text in UTF-8 says so: readers take text without a charset for ASCII.
    fn with_charset(&self) -> String {
        let is_bare_text = self.media_type.starts_with("text/") && !self.media_type.contains(';');
        if is_bare_text && str::from_utf8(self.octets).is_ok() {
            return format!("{}; charset=utf-8", self.media_type);
        }
        self.media_type.clone()
    }
}

fn content_not_read(field: &str) -> Error {
    Error::new(
        ProblemKind::Internal,
        "attachment-not-read",
        format!("{field}.content names a file that was not read before building"),
        "report this: it is a fault of Mailbearer",
    )
}

fn refuse_repeated_ids(pieces: &[Piece<'_>]) -> Result<()> {
    let mut seen = HashSet::new();
    for (index, piece) in pieces.iter().enumerate() {
        if piece.content_id.is_some_and(|id| !seen.insert(id)) {
            return Err(rejected(
                "duplicate-content-id",
                format!("attachments[{index}].contentId stands twice in this message"),
                "give every inline image a contentId of its own",
            ));
        }
    }
    Ok(())
}

fn disposition(is_inline: bool, name: &str) -> ContentDisposition {
    match (is_inline, name) {
        (true, "") => ContentDisposition::inline(),
        (true, name) => ContentDisposition::inline_with_name(name),
        (false, name) => ContentDisposition::attachment(name),
    }
}

/// The octets in lines of 76 characters, without a copy of them in between.
fn base64_body(octets: &[u8]) -> Body {
    let mut encoded = String::with_capacity(base64::encoded_len(octets.len()));
    base64::encode(octets, &mut encoded).expect("a String has room for every text");
    Body::dangerous_pre_encoded(encoded.into_bytes(), ContentTransferEncoding::Base64)
}

/// Whether the octets are lines of ASCII that SMTP takes as they are (RFC 2045 section 2.7).
fn is_seven_bit(octets: &[u8]) -> bool {
    let mut previous = b'\n';
    let paired = octets.iter().all(|&octet| {
        let pair = (std::mem::replace(&mut previous, octet), octet);
        octet.is_ascii() && octet != 0 && (pair.0 == b'\r') == (pair.1 == b'\n')
    });
    let fits = |line: &[u8]| line.strip_suffix(b"\r\n").unwrap_or(line).len() <= MAX_LINE_OCTETS;
    paired && previous != b'\r' && octets.split_inclusive(|&octet| octet == b'\n').all(fits)
}

fn contains(octets: &[u8], text: &str) -> bool {
    octets
        .windows(text.len())
        .any(|window| window == text.as_bytes())
}

/// RFC 5322 section 2.1.1.
const MAX_LINE_OCTETS: usize = 998;

/// `Content-Type` with the file's name once more, for readers that look only here. `Content-Disposition` has it by the
/// book (RFC 2231); a name beyond ASCII stands here as encoded-words, which older versions of Outlook read.
#[derive(Clone, Debug)]
struct NamedMediaType {
    media_type: String,
    file_name: String,
}

impl Header for NamedMediaType {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Content-Type")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn StdError + Send + Sync>> {
        Err("this field is only written".into())
    }

    fn display(&self) -> HeaderValue {
        let Self {
            media_type,
            file_name,
        } = self;
        let folded = fold(&Self::name(), |writer| {
            writer.folding().write_str(media_type)?;
            if file_name.is_empty() {
                return Ok(());
            }
            writer.write_str("; ")?;
            if file_name.is_ascii() {
                return rfc2231::encode("name", file_name, writer);
            }
            let parameter = format!("name=\"{}\"", encoded_words(file_name));
            writer.folding().write_str(&parameter)
        });
        pre_encoded(Self::name(), folded)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attachment(name: &str, octets: &[u8]) -> Attachment {
        Attachment {
            name: Some(name.to_owned()),
            content_type: None,
            content_id: None,
            content: Content::Data {
                data: octets.into(),
            },
        }
    }

    fn written(attachment: Attachment) -> Result<String> {
        let attachments = [attachment];
        let mut pieces = Piece::parse_all(&attachments)?;
        let part = pieces.pop().unwrap().into_part("=_0_");
        Ok(String::from_utf8(part.formatted()).unwrap())
    }

    fn check(attachment: Attachment, expected: &[&str]) {
        assert_eq!(written(attachment).unwrap(), expected.join("\r\n"));
    }

    #[test]
    fn encodes_octets_as_base64_whatever_they_are() {
        check(
            attachment("a.pdf", b"bare\nline\0"),
            &[
                "Content-Type: application/pdf; name=\"a.pdf\"",
                "Content-Disposition: attachment; filename=\"a.pdf\"",
                "Content-Transfer-Encoding: base64",
                "",
                "YmFyZQpsaW5lAA==",
                "",
            ],
        );
    }

    #[test]
    fn writes_names_beyond_ascii_in_both_ways_readers_know() {
        check(
            attachment("Größe.csv", b""),
            &[
                "Content-Type: text/csv; charset=utf-8; name=\"=?utf-8?b?R3LDtsOfZS5jc3Y=?=\"",
                "Content-Disposition: attachment;",
                " filename*0*=utf-8''Gr%C3%B6%C3%9Fe.csv",
                "Content-Transfer-Encoding: base64",
                "",
                "",
                "",
            ],
        );
    }

    #[test]
    fn names_the_content_id_of_an_inline_image() {
        let mut image = attachment("logo.png", b"x");
        image.content_id = Some("logo".to_owned());
        check(
            image,
            &[
                "Content-Type: image/png; name=\"logo.png\"",
                "Content-Disposition: inline; filename=\"logo.png\"",
                "Content-ID: <logo>",
                "Content-Transfer-Encoding: base64",
                "",
                "eA==",
                "",
            ],
        );
    }

    #[test]
    fn leaves_a_message_as_it_is_or_sends_it_as_a_file() {
        fn check(octets: &[u8], expected: &str) {
            let text = written(attachment("a.eml", octets)).unwrap();
            let found = text
                .lines()
                .find(|line| line.starts_with("Content-Transfer-Encoding"));
            let first = text.lines().next().unwrap();
            assert_eq!(format!("{first} {}", found.unwrap()), expected);
        }
        let message =
            "Content-Type: message/rfc822; name=\"a.eml\" Content-Transfer-Encoding: 7bit";
        let file = "Content-Type: application/octet-stream; name=\"a.eml\" Content-Transfer-Encoding: base64";
        check(b"Subject: a\r\n\r\nb", message);
        check(b"", message);
        check(b"Subject: a\n\nb", file);
        check(b"Subject: a\r", file);
        check("Subject: ä\r\n".as_bytes(), file);
        check(b"Subject: a\r\n\r\n--=_0_1\r\n", file);
        check("x".repeat(999).as_bytes(), file);
    }

    #[test]
    fn refuses_by_the_name_of_the_field() {
        fn check(change: impl FnOnce(&mut Attachment), expected: &str, field: &str) {
            let mut changed = attachment("a.pdf", b"x");
            change(&mut changed);
            let error = written(changed).unwrap_err();
            assert_eq!(error.code(), expected);
            assert!(error.to_string().starts_with(field), "{error}");
        }
        let text = |text: &str| Some(text.to_owned());
        check(
            |a| a.name = None,
            "attachment-name-missing",
            "attachments[0].name ",
        );
        check(
            |a| a.name = text(" "),
            "attachment-name-missing",
            "attachments[0].name ",
        );
        check(
            |a| a.name = text("a\r\nb"),
            "header-injection",
            "attachments[0].name ",
        );
        check(
            |a| a.content_type = text("pdf"),
            "invalid-content-type",
            "attachments[0].contentType ",
        );
        check(
            |a| a.content_id = text("<a>"),
            "invalid-content-id",
            "attachments[0].contentId ",
        );
        let path = "a.pdf".to_owned();
        check(
            |a| a.content = Content::File { path },
            "attachment-not-read",
            "attachments[0].content ",
        );
    }

    #[test]
    fn refuses_a_content_id_that_stands_twice() {
        let mut image = attachment("logo.png", b"x");
        image.content_id = Some("logo".to_owned());
        let attachments = [image.clone(), attachment("a", b""), image];
        let error = Piece::parse_all(&attachments).unwrap_err();
        assert_eq!(error.code(), "duplicate-content-id");
        assert!(error.to_string().starts_with("attachments[2].contentId "));
    }
}
