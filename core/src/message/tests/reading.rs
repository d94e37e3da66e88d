//! What a message says, and what an independent parser (mail-parser) reads in its octets, in one form to compare.

use super::{STAMP, address};
use crate::model::{Address, Attachment, Content, Message};
use mail_parser::{HeaderForm, MessageParser, MimeHeaders as _, PartType};

/// A mail as its reader understands it.
#[derive(Debug, PartialEq)]
pub(super) struct Reading {
    fields: Vec<String>,
    from: Vec<(String, String)>,
    reply_to: Vec<(String, String)>,
    to: Vec<(String, String)>,
    cc: Vec<(String, String)>,
    subject: String,
    message_id: String,
    headers: Vec<(String, String)>,
    text: Option<String>,
    html: Option<String>,
    attachments: Vec<(String, Option<String>, Vec<u8>)>,
}

/// The reading that the message calls for: text without the blanks around it, line ends as CRLF, domains as A-labels.
pub(super) fn said(message: &Message) -> Reading {
    let sender = message.sender.clone();
    let sender = sender.unwrap_or_else(|| address(STAMP.mailbox, ""));
    let default_id = || format!("{}@{}", STAMP.id, ascii_domain(&sender.address));
    let is_single =
        message.attachments.is_empty() && (message.text.is_none() || message.html.is_none());
    let custom = message.headers.iter();
    let (inline, attached): (Vec<_>, Vec<_>) = message
        .attachments
        .iter()
        .partition(|part| part.content_id.is_some() && message.html.is_some());
    Reading {
        fields: said_fields(message),
        from: said_addresses(std::slice::from_ref(&sender)),
        reply_to: said_addresses(&message.reply_to),
        to: said_addresses(&message.to),
        cc: said_addresses(&message.cc),
        subject: trimmed(&message.subject),
        message_id: message.message_id.clone().unwrap_or_else(default_id),
        headers: custom
            .map(|header| (header.name.clone(), trimmed(&header.value)))
            .collect(),
        text: message
            .text
            .as_deref()
            .map(|text| said_text(text, is_single)),
        html: message
            .html
            .as_deref()
            .map(|html| said_text(html, is_single)),
        attachments: inline
            .into_iter()
            .chain(attached)
            .map(said_attachment)
            .collect(),
    }
}

pub(super) fn said_fields(message: &Message) -> Vec<String> {
    let hidden_only = message.to.is_empty() && message.cc.is_empty();
    let list = message.list_unsubscribe.as_ref();
    let known = [
        ("Date", true),
        ("From", true),
        ("Reply-To", !message.reply_to.is_empty()),
        ("To", !message.to.is_empty() || hidden_only),
        ("Cc", !message.cc.is_empty()),
        ("Subject", true),
        ("Message-ID", true),
        ("X-Priority", message.priority.is_some()),
        ("Importance", message.priority.is_some()),
        ("List-Unsubscribe", list.is_some()),
        (
            "List-Unsubscribe-Post",
            list.is_some_and(|list| list.url.is_some()),
        ),
    ];
    let known = known
        .into_iter()
        .filter_map(|(name, written)| written.then_some(name));
    let custom = message.headers.iter().map(|header| header.name.as_str());
    let is_multipart =
        !message.attachments.is_empty() || (message.text.is_some() && message.html.is_some());
    let encoding = (!is_multipart).then_some("Content-Transfer-Encoding");
    let mime = ["MIME-Version", "Content-Type"].into_iter().chain(encoding);
    known.chain(custom).chain(mime).map(str::to_owned).collect()
}

fn said_addresses(list: &[Address]) -> Vec<(String, String)> {
    let pair = |entry: &Address| {
        let (local, _) = entry.address.rsplit_once('@').unwrap();
        let address = format!("{local}@{}", ascii_domain(&entry.address));
        (trimmed(entry.name.as_deref().unwrap_or_default()), address)
    };
    list.iter().map(pair).collect()
}

fn said_text(text: &str, is_single: bool) -> String {
    let lines = text.replace("\r\n", "\n").replace(['\r', '\n'], "\r\n");
    if is_single {
        without_last_end(&lines)
    } else {
        lines
    }
}

/// The text of a mail with one part: its last line has an end in any case.
fn without_last_end(text: &str) -> String {
    text.strip_suffix("\r\n").unwrap_or(text).to_owned()
}

fn said_attachment(part: &Attachment) -> (String, Option<String>, Vec<u8>) {
    let Content::Data { data } = &part.content else {
        panic!("the tests give octets only");
    };
    let name = trimmed(part.name.as_deref().unwrap_or_default());
    (name, part.content_id.clone(), data.to_vec())
}

fn trimmed(text: &str) -> String {
    text.trim_matches([' ', '\t']).to_owned()
}

fn ascii_domain(address: &str) -> String {
    let (_, domain) = address.rsplit_once('@').unwrap();
    idna::domain_to_ascii(domain).unwrap()
}

/// What mail-parser finds in the octets.
pub(super) fn read(mime: &[u8]) -> Reading {
    let parsed = MessageParser::default().parse(mime).unwrap();
    let is_single = parsed.parts.len() == 1;
    let end = |text: &str| {
        if is_single {
            without_last_end(text)
        } else {
            text.to_owned()
        }
    };
    let part = |index: &u32| &parsed.part(*index).unwrap().body;
    let text = parsed
        .text_body
        .iter()
        .map(part)
        .find_map(|body| match body {
            PartType::Text(text) => Some(end(text)),
            _ => None,
        });
    let html = parsed
        .html_body
        .iter()
        .map(part)
        .find_map(|body| match body {
            PartType::Html(html) => Some(end(html)),
            _ => None,
        });
    let fields = field_names(mime);
    Reading {
        from: read_addresses(parsed.from()),
        reply_to: read_addresses(parsed.reply_to()),
        to: read_addresses(parsed.to()),
        cc: read_addresses(parsed.cc()),
        subject: parsed.subject().unwrap_or_default().to_owned(),
        message_id: parsed.message_id().unwrap_or_default().to_owned(),
        headers: read_custom(&parsed),
        text,
        html,
        attachments: parsed.attachments().map(read_attachment).collect(),
        fields,
    }
}

fn read_addresses(list: Option<&mail_parser::Address<'_>>) -> Vec<(String, String)> {
    let entries = list.into_iter().flat_map(mail_parser::Address::iter);
    let pair = |entry: &mail_parser::Addr<'_>| {
        let name = entry.name().unwrap_or_default().to_owned();
        (name, entry.address().unwrap_or_default().to_owned())
    };
    entries.map(pair).collect()
}

fn read_custom(parsed: &mail_parser::Message<'_>) -> Vec<(String, String)> {
    let values = ["X-Campaign", "X-Tag"].into_iter().flat_map(|name| {
        let values = parsed.header_as(name, HeaderForm::Text).into_iter();
        values.map(move |value| {
            (
                name.to_owned(),
                value.as_text().unwrap_or_default().to_owned(),
            )
        })
    });
    values.collect()
}

fn read_attachment(part: &mail_parser::MessagePart<'_>) -> (String, Option<String>, Vec<u8>) {
    let name = part.attachment_name().unwrap_or_default().to_owned();
    (
        name,
        part.content_id().map(str::to_owned),
        part.contents().to_vec(),
    )
}

/// The names in the header section, by the plainest reading: what stands before a colon on a line without a blank first.
pub(super) fn field_names(mime: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(mime);
    let section = text.split("\r\n\r\n").next().unwrap();
    let lines = section
        .split("\r\n")
        .filter(|line| !line.starts_with([' ', '\t']));
    lines
        .map(|line| line.split(':').next().unwrap().to_owned())
        .collect()
}

pub(super) fn assert_lines_fit(mime: &[u8]) {
    assert!(mime.ends_with(b"\r\n"), "the last line has an end");
    for line in mime.split_inclusive(|&octet| octet == b'\n') {
        let content = line
            .strip_suffix(b"\r\n")
            .expect("every line ends with CRLF");
        assert!(!content.contains(&b'\r') && !content.contains(&0));
        assert!(content.len() <= 998, "{} octets in a line", content.len());
    }
}
