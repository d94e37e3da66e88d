//! A part with content of its own: its name, its type, and its content without transfer encoding and charset.
//! What is broken is handed out as it came; nothing is refused.

use std::borrow::Cow;

use mail_parser::decoders::base64::base64_decode;
use mail_parser::decoders::charsets::map::charset_decoder;
use mail_parser::decoders::quoted_printable::quoted_printable_decode;
use mail_parser::{ContentType, Message, MimeHeaders};

/// A part with content of its own.
#[derive(Debug)]
pub(in super::super) struct Leaf<'a> {
    /// Type and subtype in lower case, without parameters.
    pub(in super::super) content_type: String,
    /// Content-ID without angle brackets.
    pub(in super::super) content_id: Option<String>,
    /// The name the sender gave, unfit for a file system as it is.
    pub(in super::super) file_name: Option<String>,
    is_attachment: bool,
    charset: Option<String>,
    encoding: TransferEncoding,
    body: &'a [u8],
}

impl<'a> Leaf<'a> {
    pub(super) fn new(fields: Option<&Message<'_>>, body: &'a [u8], content_type: &str) -> Self {
        let part = fields.and_then(|fields| fields.parts.first());
        let disposition = part.and_then(|part| part.content_disposition());
        let encoding = part.and_then(|part| part.content_transfer_encoding());
        let charset = part
            .and_then(|part| part.content_type())
            .and_then(|kind| kind.attribute("charset"));
        Self {
            content_type: content_type.to_owned(),
            content_id: part.and_then(|part| part.content_id()).map(str::to_owned),
            file_name: part
                .and_then(|part| part.attachment_name())
                .map(str::to_owned),
            is_attachment: disposition.is_some_and(ContentType::is_attachment),
            charset: charset.map(str::to_owned),
            encoding: TransferEncoding::named(encoding.unwrap_or_default()),
            body,
        }
    }

    /// The content without its transfer encoding; as it stands if that is broken.
    pub(in super::super) fn content(&self) -> Cow<'a, [u8]> {
        self.decoded().unwrap_or(Cow::Borrowed(self.body))
    }

    /// The content as text; what the charset does not know becomes U+FFFD.
    pub(in super::super) fn text(&self) -> String {
        let content = self.content();
        let decoder = self
            .charset
            .as_deref()
            .and_then(|charset| charset_decoder(charset.trim().as_bytes()));
        match decoder {
            Some(decode) => decode(&content),
            None => String::from_utf8_lossy(&content).into_owned(),
        }
    }

    /// Whether the part is meant to be shown within the message, as an image in its HTML is.
    pub(in super::super) fn is_inline(&self) -> bool {
        self.content_id.is_some() && !self.is_attachment
    }

    pub(super) fn is_body(&self) -> bool {
        let is_text = matches!(self.content_type.as_str(), "text/plain" | "text/html");
        is_text && !self.is_attachment && self.file_name.is_none()
    }

    pub(super) fn decoded(&self) -> Option<Cow<'a, [u8]>> {
        match self.encoding {
            TransferEncoding::Identity => Some(Cow::Borrowed(self.body)),
            TransferEncoding::Base64 => base64_decode(self.body).map(Cow::Owned),
            TransferEncoding::QuotedPrintable => quoted_printable_decode(self.body).map(Cow::Owned),
        }
    }
}

/// Content-Transfer-Encoding (RFC 2045 section 6) that changes bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TransferEncoding {
    Identity,
    Base64,
    QuotedPrintable,
}

impl TransferEncoding {
    fn named(name: &str) -> Self {
        match name.trim().to_ascii_lowercase().as_str() {
            "base64" => Self::Base64,
            "quoted-printable" => Self::QuotedPrintable,
            _ => Self::Identity,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Entity;

    #[test]
    fn decodes_transfer_encodings_and_charsets() {
        check_text("Content-Transfer-Encoding: base64", "R3LDvMOfZQ==", "Grüße");
        check_text(
            "Content-Transfer-Encoding: BASE64",
            "R3LD\nvMOf\nZQ",
            "Grüße",
        );
        check_text(
            "Content-Transfer-Encoding: quoted-printable",
            "Gr=C3=BC=C3=9F=\ne",
            "Grüße",
        );
        check_text(
            "Content-Transfer-Encoding: x-unknown",
            "as it is",
            "as it is",
        );
        check_text(
            "Content-Transfer-Encoding: base64",
            "not base64!",
            "not base64!",
        );
        let charset = |name: &str| {
            format!(
                "Content-Transfer-Encoding: quoted-printable\nContent-Type: text/plain; charset={name}"
            )
        };
        check_text(&charset("iso-8859-1"), "=FC", "ü");
        check_text(&charset("\"Windows-1252\""), "=80", "€");
        check_text(&charset("gb2312"), "=C4=E3=BA=C3", "你好");
        check_text(&charset("shift_jis"), "=82=A0", "あ");
        check_text(&charset("x-klingon"), "=FC plain", "\u{fffd} plain");
        check_text(&charset("utf-8"), "=C3 cut", "\u{fffd} cut");
    }

    #[test]
    fn takes_file_names_in_every_spelling() {
        check_name(
            "Content-Disposition: attachment; filename=plain.txt",
            "plain.txt",
        );
        check_name(
            "Content-Disposition: attachment; filename*=utf-8''Gr%C3%BC%C3%9Fe.txt",
            "Grüße.txt",
        );
        check_name(
            "Content-Disposition: attachment; filename*0=long; filename*1=er.txt",
            "longer.txt",
        );
        check_name(
            "Content-Type: application/pdf; name=\"=?utf-8?q?Gr=C3=BC=C3=9Fe?=\"",
            "Grüße",
        );
    }

    fn crlf(mail: &str) -> String {
        mail.replace('\n', "\r\n")
    }

    fn check_text(head: &str, body: &str, expected: &str) {
        let mail = crlf(&format!("{head}\n\n{body}"));
        assert_eq!(
            Entity::parse(mail.as_bytes()).text().as_deref(),
            Some(expected),
            "{head}"
        );
    }

    fn check_name(head: &str, expected: &str) {
        let mail = crlf(&format!("{head}\n\nbody"));
        let name = Entity::parse(mail.as_bytes()).leaves[0].file_name.clone();
        assert_eq!(name.as_deref(), Some(expected), "{head}");
    }
}
