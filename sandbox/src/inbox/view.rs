//! What the JSON API says of a mail: a digest for lists and searches, and everything for the one that is looked at.
//! It shows what is there and judges nothing but damage.

use mail_parser::decoders::html::html_to_text;
use mail_parser::{Addr, HeaderName, HeaderValue};
use serde::Serialize;

use super::mime::{Entity, HeaderField, Leaf};
use super::store::{NewMail, RecipientParameters, RefusedRecipient, StoredMail};

/// What is read from a mail once and kept.
pub(super) struct Digest {
    pub(super) summary: Summary,
    /// Sender, recipients, subject and text in lower case, one thing a line.
    searchable: String,
}

/// A line of the list.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Summary {
    pub(super) id: String,
    received_at_unix_ms: i64,
    subject: String,
    from: Vec<Mailbox>,
    to: Vec<Mailbox>,
    /// The beginning of the text.
    snippet: String,
    size_bytes: usize,
    /// Without those that are inline.
    attachment_count: usize,
    envelope_sender: String,
    accepted_recipients: Vec<String>,
    refused_recipients: Vec<RefusedRecipient>,
}

/// Everything about a mail.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Detail {
    #[serde(flatten)]
    summary: Summary,
    cc: Vec<Mailbox>,
    bcc: Vec<Mailbox>,
    reply_to: Vec<Mailbox>,
    /// From the Date field.
    date_unix_ms: Option<i64>,
    message_id: Option<String>,
    headers: Vec<HeaderField>,
    text: Option<String>,
    /// As written, not made inert.
    html: Option<String>,
    attachments: Vec<Attachment>,
    /// What is broken in the message.
    problems: Vec<String>,
    delivery: Delivery,
}

/// A name and an address as in From and To.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Mailbox {
    name: Option<String>,
    address: String,
}

/// A part that is not the message's own text or HTML.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Attachment {
    /// Its number in `/attachments/{n}`.
    index: usize,
    file_name: Option<String>,
    content_type: String,
    content_id: Option<String>,
    /// Whether it is meant to be shown within the message, as an image in its HTML is.
    is_inline: bool,
    size_bytes: usize,
}

/// How the mail came in.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Delivery {
    client_address: String,
    client_ehlo: String,
    tls: Option<String>,
    authenticated_as: Option<String>,
    token: Option<serde_json::Value>,
    mail_parameters: Vec<String>,
    recipient_parameters: Vec<RecipientParameters>,
    chunked: bool,
}

/// The words of a search; all must occur.
#[derive(Debug, Clone, Default)]
pub(super) struct Search {
    words: Vec<String>,
}

impl Digest {
    pub(super) fn of(id: &str, mail: &NewMail) -> Self {
        let entity = Entity::parse(&mail.mime);
        let text = readable_text(&entity);
        let summary = Summary {
            id: id.to_owned(),
            received_at_unix_ms: mail.received_at_unix_ms,
            subject: subject(&entity),
            from: mailboxes(&entity, HeaderName::From),
            to: mailboxes(&entity, HeaderName::To),
            snippet: snippet(&text),
            size_bytes: mail.mime.len(),
            attachment_count: entity
                .attachments()
                .filter(|leaf| !leaf.is_inline())
                .count(),
            envelope_sender: mail.envelope_sender.clone(),
            accepted_recipients: mail.accepted_recipients.clone(),
            refused_recipients: mail.refused_recipients.clone(),
        };
        let searchable = searchable(&summary, &mailboxes(&entity, HeaderName::Cc), &text);
        Self {
            summary,
            searchable,
        }
    }
}

impl Detail {
    pub(super) fn of(stored: &StoredMail) -> Self {
        let mail = &stored.mail;
        let entity = Entity::parse(&mail.mime);
        Self {
            summary: stored.digest().summary.clone(),
            cc: mailboxes(&entity, HeaderName::Cc),
            bcc: mailboxes(&entity, HeaderName::Bcc),
            reply_to: mailboxes(&entity, HeaderName::ReplyTo),
            date_unix_ms: date_unix_ms(&entity),
            message_id: entity
                .header(HeaderName::MessageId)
                .and_then(HeaderValue::as_text)
                .map(str::to_owned),
            headers: entity.header_fields(),
            text: entity.text(),
            html: entity.html(),
            attachments: attachments(&entity),
            problems: entity.problems,
            delivery: Delivery {
                client_address: mail.client_address.clone(),
                client_ehlo: mail.client_ehlo.clone(),
                tls: mail.tls.clone(),
                authenticated_as: mail.authenticated_as.clone(),
                token: mail.token.clone(),
                mail_parameters: mail.mail_parameters.clone(),
                recipient_parameters: mail.recipient_parameters.clone(),
                chunked: mail.chunked,
            },
        }
    }
}

impl Search {
    pub(super) fn new(text: &str) -> Self {
        Self {
            words: text
                .to_lowercase()
                .split_whitespace()
                .map(str::to_owned)
                .collect(),
        }
    }

    pub(super) fn matches(&self, mail: &StoredMail) -> bool {
        // Without words, no mail needs to be read.
        self.words.is_empty()
            || self
                .words
                .iter()
                .all(|word| mail.digest().searchable.contains(word))
    }
}

/// The text part or, without one, the words of the HTML part.
fn readable_text(entity: &Entity<'_>) -> String {
    let text = entity.text().filter(|text| !text.trim().is_empty());
    text.or_else(|| entity.html().map(|html| html_to_text(&html)))
        .unwrap_or_default()
}

fn subject(entity: &Entity<'_>) -> String {
    entity
        .header(HeaderName::Subject)
        .and_then(HeaderValue::as_text)
        .unwrap_or_default()
        .to_owned()
}

fn date_unix_ms(entity: &Entity<'_>) -> Option<i64> {
    let date = entity
        .header(HeaderName::Date)?
        .as_datetime()
        .filter(|date| date.is_valid())?;
    date.to_timestamp().checked_mul(1_000)
}

fn snippet(text: &str) -> String {
    let mut snippet = String::new();
    for word in text.split_whitespace() {
        if !snippet.is_empty() {
            snippet.push(' ');
        }
        snippet.extend(word.chars().take(SNIPPET_CHARS));
        if snippet.chars().count() >= SNIPPET_CHARS {
            break;
        }
    }
    snippet.chars().take(SNIPPET_CHARS).collect()
}

fn searchable(summary: &Summary, cc: &[Mailbox], text: &str) -> String {
    let mut lines = vec![summary.subject.as_str(), summary.envelope_sender.as_str()];
    for mailbox in summary.from.iter().chain(&summary.to).chain(cc) {
        lines.extend(mailbox.name.as_deref());
        lines.push(&mailbox.address);
    }
    lines.extend(summary.accepted_recipients.iter().map(String::as_str));
    lines.extend(
        summary
            .refused_recipients
            .iter()
            .map(|refused| refused.address.as_str()),
    );
    let text: String = text.chars().take(SEARCHABLE_TEXT_CHARS).collect();
    lines.push(&text);
    lines.join("\n").to_lowercase()
}

fn mailboxes(entity: &Entity<'_>, name: HeaderName<'static>) -> Vec<Mailbox> {
    let addresses = entity.header(name).and_then(HeaderValue::as_address);
    addresses
        .map(|addresses| addresses.iter().map(mailbox).collect())
        .unwrap_or_default()
}

fn mailbox(address: &Addr<'_>) -> Mailbox {
    Mailbox {
        name: address.name().map(str::to_owned),
        address: address.address().unwrap_or_default().to_owned(),
    }
}

fn attachments(entity: &Entity<'_>) -> Vec<Attachment> {
    let attachment = |(index, leaf): (usize, &Leaf<'_>)| Attachment {
        index,
        file_name: leaf.file_name.clone(),
        content_type: leaf.content_type.clone(),
        content_id: leaf.content_id.clone(),
        is_inline: leaf.is_inline(),
        size_bytes: leaf.content().len(),
    };
    entity.attachments().enumerate().map(attachment).collect()
}

/// Two lines of a list.
const SNIPPET_CHARS: usize = 160;

/// What is looked for stands at the beginning of a mail; this bounds what ten thousand long ones cost beside themselves.
const SEARCHABLE_TEXT_CHARS: usize = 50_000;

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::{Index, select};
    use serde_json::Value;

    use super::super::html::inert_document;
    use super::super::store::Inbox;
    use super::super::store::tests::mail;
    use super::*;

    #[test]
    fn finds_mails_by_every_word_in_any_case() {
        for words in [
            "",
            "  ",
            "anna",
            "ANNA@contoso.test",
            "ben@fabrikam",
            "größe",
            "GRÖSSE größe",
            "Anna text",
            "cc@x",
            "clara",
        ] {
            check_search(words, true);
        }
        for words in ["nobody", "anna nobody", "utf-8", "<b>", "x-secret"] {
            check_search(words, false);
        }
    }

    #[test]
    fn finds_mails_without_text_by_the_words_of_their_html() {
        let digest = Digest::of(
            "1",
            &mail("Content-Type: text/html\r\n\r\n<b>Hel</b>lo <i>world</i>"),
        );
        assert!(digest.searchable.contains("world"));
        assert_eq!(digest.summary.snippet, "Hello world");
    }

    #[test]
    fn shortens_the_snippet_to_whole_characters() {
        assert_eq!(snippet("  one\r\n\ttwo  "), "one two");
        assert_eq!(snippet(&"ü".repeat(500)), "ü".repeat(SNIPPET_CHARS));
        assert_eq!(snippet(&"word ".repeat(500)).chars().count(), SNIPPET_CHARS);
        assert_eq!(snippet(""), "");
    }

    #[test]
    fn tells_everything_there_is_to_know() {
        let detail = detail_of(NEWSLETTER);
        assert_eq!(
            detail["subject"],
            "Three new roasts – and a small thank-you"
        );
        assert_eq!(
            detail["from"],
            serde_json::json!([{"name": "Northwind Coffee", "address": "hello@northwind.test"}])
        );
        assert_eq!(detail["dateUnixMs"], 1_795_421_564_000_i64);
        assert_eq!(detail["messageId"], "20261123.roasts@northwind.test");
        assert_eq!(
            detail["attachmentCount"], 0,
            "inline images are no attachments in a list"
        );
        assert_eq!(detail["attachments"][0]["contentId"], "logo@northwind.test");
        assert_eq!(detail["attachments"][0]["isInline"], true);
        assert_eq!(detail["delivery"]["clientEhlo"], "client.contoso.test");
        assert_eq!(detail["delivery"]["token"]["exp"], 1_790_003_600);
        assert_eq!(detail["problems"], serde_json::json!([]));
    }

    #[test]
    fn tells_of_damage_and_shows_the_rest() {
        let detail = detail_of(DAMAGED);
        assert_eq!(detail["problems"].as_array().unwrap().len(), 3);
        assert_eq!(detail["dateUnixMs"], Value::Null);
        assert!(
            detail["text"]
                .as_str()
                .unwrap()
                .contains("no boundary here")
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) })]

        #[test]
        fn shows_any_bytes(mime in vec(any::<u8>(), 0..2_000)) {
            show(mime);
        }

        #[test]
        fn shows_any_sequence_of_what_mails_are_made_of(pieces in vec(select(PIECES), 0..60)) {
            show(pieces.concat());
        }

        #[test]
        fn shows_real_mails_with_anything_changed(
            original in select(&[NEWSLETTER, INVOICE, FORWARDED, HOSTILE, DAMAGED]),
            edits in vec((any::<Index>(), 0_usize..40, vec(any::<u8>(), 0..20)), 1..12),
        ) {
            let mut mime = original.as_bytes().to_vec();
            for (at, removed, inserted) in edits {
                let start = at.index(mime.len() + 1);
                let end = (start + removed).min(mime.len());
                mime.splice(start..end, inserted);
            }
            show(mime);
        }
    }

    /// Everything the inbox does with a mail must end well.
    fn show(mime: Vec<u8>) {
        let inbox = Inbox::new();
        inbox.deliver(NewMail { mime, ..mail("") });
        for stored in inbox.mails() {
            let detail = serde_json::to_value(Detail::of(&stored)).unwrap();
            let entity = Entity::parse(&stored.mail.mime);
            assert_eq!(
                inert_document(&entity).is_some(),
                detail["html"].is_string()
            );
            assert!(Search::new("anna@contoso.test").matches(&stored));
        }
    }

    fn check_search(words: &str, expected: bool) {
        let inbox = Inbox::new();
        inbox.deliver(mail(
            "From: Anna <anna@contoso.test>\r\nTo: Clara <c@x.test>\r\nCc: cc@x.test\r\nX-Secret: 1\r\n\
             Subject: =?utf-8?q?Gr=C3=B6=C3=9Fe?= GRÖSSE\r\n\r\nSome Text",
        ));
        let stored = &inbox.mails()[0];
        assert_eq!(Search::new(words).matches(stored), expected, "{words:?}");
    }

    fn detail_of(mime: &str) -> Value {
        let inbox = Inbox::new();
        inbox.deliver(mail(mime));
        serde_json::to_value(Detail::of(&inbox.mails()[0])).unwrap()
    }

    const NEWSLETTER: &str = include_str!("../../tests/browser/fixtures/newsletter.eml");
    const INVOICE: &str = include_str!("../../tests/browser/fixtures/invoice.eml");
    const FORWARDED: &str = include_str!("../../tests/browser/fixtures/forwarded.eml");
    const HOSTILE: &str = include_str!("../../tests/browser/fixtures/hostile.eml");
    const DAMAGED: &str = include_str!("../../tests/browser/fixtures/damaged.eml");

    const PIECES: &[&[u8]] = &[
        b"\r\n",
        b"\n",
        b"\r",
        b"\r\n\r\n",
        b" ",
        b"\t",
        b":",
        b";",
        b"=",
        b"\"",
        b"<",
        b">",
        b"(",
        b")",
        b",",
        b"@",
        b"\\",
        b"\0",
        b"--",
        b"--b",
        b"--b\r\n",
        b"--b--\r\n",
        b"--=\r\n",
        b"boundary=b",
        b"; boundary=\"b\"",
        b"; boundary=",
        b"b",
        b"Content-Type: ",
        b"multipart/mixed",
        b"multipart/alternative",
        b"multipart/digest",
        b"message/rfc822",
        b"text/plain",
        b"text/html",
        b"image/png",
        b"; charset=",
        b"utf-7",
        b"utf-16",
        b"iso-2022-jp",
        b"gb18030",
        b"us-ascii",
        b"Content-Transfer-Encoding: ",
        b"base64",
        b"quoted-printable",
        b"=3D",
        b"=\r\n",
        b"=3",
        b"AAAA",
        b"AA==",
        b"====",
        b"Content-ID: ",
        b"<i@x>",
        b"Content-Disposition: ",
        b"attachment",
        b"inline",
        b"; filename=",
        b"; filename*=",
        b"; filename*0*=",
        b"utf-8''%",
        b"%C3",
        b"Subject: ",
        b"From: ",
        b"To: ",
        b"Cc: ",
        b"Date: ",
        b"Received: ",
        b"from x by y with z; ",
        b"Tue, 24 Nov 99999 25:61:61 +9999",
        b"1 Jan 1 0:0:0 -9999",
        b"References: ",
        b"Message-ID: ",
        b"=?utf-8?q?",
        b"=?utf-8?b?",
        b"=?x?y?",
        b"?=",
        b"\xc3\xbc",
        b"\xff",
        b"\x80",
        b"<img src=cid:i@x>",
        b"<LINK ",
        b"&#",
        b"&#xffffffff;",
        b"&",
        b"<!--",
        b"<script>",
        b"\x89PNG",
    ];
}
