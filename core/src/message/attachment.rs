//! Attachments and inline images as MIME parts: names every reader understands, octets unchanged.
//! Reads no octets, but to see what kind of text they are: they stay where they are until the mail is sent.

use super::body::Part;
use super::header::{encoded_words, fold, pre_encoded};
use super::identifier::content_id;
use super::media_type::{UNKNOWN, media_type};
use super::one_line::OneLine;
use super::refusal::rejected;
use crate::body::{Segment, Source};
use crate::error::Result;
use crate::model::{Attachment, Content};
use email_encoding::headers::rfc2231;
use lettre::message::header::{
    ContentDisposition, ContentId, Header, HeaderName, HeaderValue, Headers,
};
use std::collections::HashSet;
use std::error::Error as StdError;
use std::ffi::OsStr;
use std::fmt::Write as _;
use std::path::Path;

/// An attachment, checked.
#[derive(Debug)]
pub(super) struct Piece<'a> {
    /// May be empty only for an inline image.
    name: &'a str,
    media_type: String,
    content_id: Option<&'a str>,
    source: Source,
}

impl<'a> Piece<'a> {
    /// Takes every attachment of the message, with the source of each.
    pub(super) fn parse_all(
        attachments: &'a [Attachment],
        sources: &[Source],
    ) -> Result<Vec<Self>> {
        let numbered = attachments.iter().zip(sources).enumerate();
        let pieces = numbered
            .map(|(index, (attachment, source))| {
                Self::parse(&format!("attachments[{index}]"), attachment, source.clone())
            })
            .collect::<Result<Vec<_>>>()?;
        refuse_repeated_ids(&pieces)?;
        Ok(pieces)
    }

    fn parse(field: &str, attachment: &'a Attachment, source: Source) -> Result<Self> {
        let given_id = attachment.content_id.as_deref();
        let content_id = given_id
            .map(|id| content_id(&format!("{field}.contentId"), id))
            .transpose()?;
        let name_field = format!("{field}.name");
        let name = OneLine::parse(&name_field, shown_name(attachment))?;
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
            source,
        })
    }

    /// Whether HTML can show it in its place.
    pub(super) fn is_inline(&self) -> bool {
        self.content_id.is_some()
    }

    /// The part of the message. No line of it may begin with the boundary.
    pub(super) fn into_part(self, boundary: &str) -> Part {
        let (media_type, is_as_it_is) = self.travels_as(boundary);
        let mut fields = Headers::new();
        fields.set(NamedMediaType {
            media_type,
            file_name: self.name.to_owned(),
        });
        fields.set(disposition(self.is_inline(), self.name));
        if let Some(id) = self.content_id {
            fields.set(ContentId::from(format!("<{id}>")));
        }
        let encoding = if is_as_it_is { "7bit\r\n\r\n" } else { "" };
        let fields = format!("{fields}Content-Transfer-Encoding: {encoding}");
        let source = match is_as_it_is {
            true => Segment::AsIs(self.source),
            false => Segment::Encoded(self.source),
        };
        let line_end = Segment::Octets(bytes::Bytes::from_static(b"\r\n"));
        Part {
            segments: vec![Segment::Octets(fields.into()), source, line_end],
            may_be_binary: !is_as_it_is,
        }
    }

    /// Under which type, and whether as it is. A message inside a message has no transfer encoding (RFC 2046 section
    /// 5.2.1): one that needs some travels as a file.
    fn travels_as(&self, boundary: &str) -> (String, bool) {
        if !is_message(&self.media_type) {
            return (self.with_charset(), false);
        }
        let octets = self.source.octets().unwrap_or_default();
        if self.source.findings().is_seven_bit && !contains(octets, boundary) {
            return (self.media_type.clone(), true);
        }
        (UNKNOWN.to_owned(), false)
    }

    /// Text in UTF-8 says so: readers take text without a charset for ASCII.
    fn with_charset(&self) -> String {
        if is_bare_text(&self.media_type) && self.source.findings().is_utf8 {
            return format!("{}; charset=utf-8", self.media_type);
        }
        self.media_type.clone()
    }
}

/// Whether its part depends on what kind of text the attachment is.
pub(crate) fn is_text(attachment: &Attachment) -> bool {
    let given = attachment.content_type.as_deref();
    let media_type = media_type("contentType", given, shown_name(attachment)).unwrap_or_default();
    is_message(&media_type) || is_bare_text(&media_type)
}

/// The name given, or the last part of the path.
fn shown_name(attachment: &Attachment) -> &str {
    let path = match &attachment.content {
        Content::File { path } => Path::new(path).file_name(),
        Content::Data { .. } => None,
    };
    let own = path.and_then(OsStr::to_str).unwrap_or_default();
    attachment.name.as_deref().unwrap_or(own)
}

fn is_message(media_type: &str) -> bool {
    media_type.to_ascii_lowercase().starts_with("message/")
}

fn is_bare_text(media_type: &str) -> bool {
    media_type.starts_with("text/") && !media_type.contains(';')
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

fn contains(octets: &[u8], text: &str) -> bool {
    octets
        .windows(text.len())
        .any(|window| window == text.as_bytes())
}

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
    use crate::body::{Body, Form};
    use crate::message::in_memory;

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
        let sources = attachments.each_ref().map(in_memory);
        let mut pieces = Piece::parse_all(&attachments, &sources)?;
        let part = pieces.pop().unwrap().into_part("=_0_");
        let whole = Body::new(part.segments).whole(Form::Base64).unwrap();
        Ok(String::from_utf8(whole.into()).unwrap())
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
    fn a_file_is_named_by_the_last_part_of_its_path() {
        fn check(name: Option<&str>, path: &str, expected: &str) {
            let attachment = Attachment {
                name: name.map(str::to_owned),
                content: Content::File {
                    path: path.to_owned(),
                },
                ..attachment("", b"")
            };
            assert_eq!(shown_name(&attachment), expected);
        }
        check(None, "/tmp/a.pdf", "a.pdf");
        check(Some("b.pdf"), "/tmp/a.pdf", "b.pdf");
        check(None, "/tmp/..", "");
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
    }

    #[test]
    fn refuses_a_content_id_that_stands_twice() {
        let mut image = attachment("logo.png", b"x");
        image.content_id = Some("logo".to_owned());
        let attachments = [image.clone(), attachment("a", b""), image];
        let sources = attachments.each_ref().map(in_memory);
        let error = Piece::parse_all(&attachments, &sources).unwrap_err();
        assert_eq!(error.code(), "duplicate-content-id");
        assert!(error.to_string().starts_with("attachments[2].contentId "));
    }
}
