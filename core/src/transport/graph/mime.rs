//! A finished message as Graph needs it: with hidden recipients named, and without the attachments that go separately.
//! Nothing else of it changes.

use crate::error::{Error, Result};
use crate::model::ProblemKind;
use crate::transport::OutgoingMail;
use mail_parser::{Address, Message, MessageParser, MessagePart, MimeHeaders as _, PartType};
use std::collections::HashSet;
use std::ops::Range;

/// A message without its large attachments, and those.
#[derive(Debug)]
pub(super) struct Upload {
    pub(super) mime: Vec<u8>,
    pub(super) files: Vec<File>,
}

/// An attachment that goes separately.
#[derive(Debug)]
pub(super) struct File {
    pub(super) name: String,
    pub(super) content_type: String,
    /// For an image that the HTML part shows.
    pub(super) content_id: Option<String>,
    pub(super) content: Vec<u8>,
}

/// The message with all recipients in its header. Errors: `Rejected`.
pub(super) fn for_graph(mail: &OutgoingMail, whole: Vec<u8>, mailbox: &str) -> Result<Vec<u8>> {
    let message = MessageParser::default().parse_headers(&whole[..]);
    let message = message.ok_or_else(unreadable)?;
    check_sender(mail, &message, mailbox)?;
    let named = [message.to(), message.cc(), message.bcc()];
    let named: HashSet<String> = named.into_iter().flatten().flat_map(addresses).collect();
    let envelope: HashSet<String> = mail.recipients.iter().map(|one| folded(one)).collect();
    if let Some(extra) = named.iter().find(|address| !envelope.contains(*address)) {
        return Err(more_recipients(extra));
    }
    let hidden: Vec<&str> = mail
        .recipients
        .iter()
        .filter(|address| !named.contains(&folded(address)))
        .map(String::as_str)
        .collect();
    if hidden.is_empty() {
        return Ok(whole);
    }
    let mut mime = format!("Bcc: <{}>\r\n", hidden.join(">,\r\n <")).into_bytes();
    mime.extend_from_slice(&whole);
    Ok(mime)
}

/// Takes attachments out, the largest first, until the rest fits into one request. Errors: `Rejected`.
pub(super) fn split(mime: &[u8], most_bytes: usize) -> Result<Upload> {
    let message = MessageParser::default()
        .parse(mime)
        .ok_or_else(unreadable)?;
    let mut parts: Vec<(Range<usize>, &MessagePart<'_>)> = attachments(&message)
        .filter_map(|part| Some((cut(mime, part)?, part)))
        .collect();
    parts.sort_by_key(|(range, _)| std::cmp::Reverse(range.len()));
    let mut left = mime.len();
    let mut taken = Vec::new();
    for (range, part) in parts {
        if left <= most_bytes {
            break;
        }
        left -= range.len();
        taken.push((range, part));
    }
    if left > most_bytes {
        return Err(too_large(left, most_bytes));
    }
    // In the order of the message.
    taken.sort_by_key(|(range, _)| range.start);
    let mut rest = Vec::with_capacity(left);
    let mut at = 0;
    for (range, _) in &taken {
        rest.extend_from_slice(mime.get(at..range.start).unwrap_or_default());
        at = range.end;
    }
    rest.extend_from_slice(mime.get(at..).unwrap_or_default());
    let files = taken.iter().map(|(_, part)| file(part)).collect();
    Ok(Upload { mime: rest, files })
}

/// The parts that can go separately. Whole messages stay: they would become something else.
fn attachments<'a>(message: &'a Message<'a>) -> impl Iterator<Item = &'a MessagePart<'a>> {
    message.attachments().filter(|part| {
        let is_file = matches!(
            part.body,
            PartType::Binary(_) | PartType::InlineBinary(_) | PartType::Text(_) | PartType::Html(_)
        );
        is_file && part.offset_header > 0
    })
}

/// A part with the boundary line before it. The boundary after it stays: it may be the one that ends the multipart.
fn cut(mime: &[u8], part: &MessagePart<'_>) -> Option<Range<usize>> {
    let header = usize::try_from(part.offset_header).ok()?;
    let end = usize::try_from(part.offset_end).ok()?;
    let before = mime.get(..header)?;
    let line = before.strip_suffix(b"\r\n")?;
    let start = line.windows(4).rposition(|octets| octets == b"\r\n--")?;
    (start < end && end <= mime.len()).then_some(start..end)
}

fn file(part: &MessagePart<'_>) -> File {
    let content_type = part.content_type().map(|content_type| {
        let subtype = content_type.subtype().unwrap_or("octet-stream");
        format!("{}/{subtype}", content_type.ctype())
    });
    let is_inline = part
        .content_disposition()
        .is_some_and(|disposition| disposition.is_inline());
    File {
        name: part.attachment_name().unwrap_or("attachment").to_owned(),
        content_type: content_type.unwrap_or_else(|| "application/octet-stream".to_owned()),
        content_id: part.content_id().filter(|_| is_inline).map(str::to_owned),
        content: part.contents().to_vec(),
    }
}

fn addresses(field: &Address<'_>) -> Vec<String> {
    let all = field.iter();
    all.filter_map(|entry| entry.address())
        .map(folded)
        .collect()
}

/// Exchange takes addresses without regard to case.
fn folded(address: &str) -> String {
    address.to_lowercase()
}

/// Graph takes no `MAIL FROM`: bounces go to the mailbox, or to whom the mail is from.
fn check_sender(mail: &OutgoingMail, message: &Message<'_>, mailbox: &str) -> Result<()> {
    let visible = [message.from(), message.sender()];
    let visible = visible.into_iter().flatten().flat_map(addresses);
    let known: HashSet<String> = visible.chain([folded(mailbox)]).collect();
    if known.contains(&folded(&mail.sender)) {
        return Ok(());
    }
    Err(Error::new(
        ProblemKind::Rejected,
        "route-without-envelope",
        "Microsoft Graph takes no envelope sender of its own, and this mail has another than From, Sender and the mailbox",
        "leave the envelope's sender out, or send this mail by SMTP",
    ))
}

fn more_recipients(address: &str) -> Error {
    Error::new(
        ProblemKind::Rejected,
        "route-without-envelope",
        format!(
            "Microsoft Graph sends to everybody in To, Cc and Bcc, and the envelope leaves one of them out: {}",
            address.escape_debug()
        ),
        "name the same recipients in header and envelope, or send this mail by SMTP",
    )
}

fn unreadable() -> Error {
    Error::new(
        ProblemKind::Rejected,
        "message-format",
        "the message cannot be read as RFC 5322 says, and Microsoft Graph needs its header",
        "correct the message's header",
    )
}

fn too_large(left: usize, most: usize) -> Error {
    Error::new(
        ProblemKind::Rejected,
        "size-limit",
        format!(
            "without its attachments the message still has {left} octets, and Microsoft Graph takes {most} in one request"
        ),
        "send less text, or attach it as a file",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mail(header: &str, recipients: &[&str]) -> OutgoingMail {
        OutgoingMail {
            sender: "ada@example.com".to_owned(),
            recipients: recipients.iter().map(|one| (*one).to_owned()).collect(),
            mime: format!("From: ada@example.com\r\n{header}\r\nhello\r\n").into(),
            needs_smtputf8: false,
            eight_bit: false,
            transfer: crate::model::TransferOptions::default(),
        }
    }

    fn octets(mail: &OutgoingMail) -> Vec<u8> {
        mail.mime.whole(crate::body::Form::Base64).unwrap().to_vec()
    }

    /// `expected` is the `Bcc` line, nothing, or the code of the refusal.
    fn check(header: &str, recipients: &[&str], expected: Result<Option<&str>, &str>) {
        let mail = mail(header, recipients);
        let made = for_graph(&mail, octets(&mail), "ada@example.com");
        let made = made.as_ref().map(|mime| {
            let text = std::str::from_utf8(mime).unwrap();
            text.strip_prefix("Bcc: ")
                .and_then(|rest| rest.split("\r\nFrom:").next())
        });
        assert_eq!(
            made.map_err(Error::code),
            expected,
            "{header} {recipients:?}"
        );
    }

    #[test]
    fn names_whom_the_header_does_not_and_refuses_to_send_to_more() {
        check("To: b@example.com\r\n", &["b@example.com"], Ok(None));
        check("To: Bob <B@example.com>\r\n", &["b@example.com"], Ok(None));
        check(
            "To: b@example.com\r\nCc: c@example.com\r\n",
            &["b@example.com", "c@example.com", "d@example.com"],
            Ok(Some("<d@example.com>")),
        );
        check(
            "To: undisclosed-recipients:;\r\n",
            &["b@example.com", "c@example.com"],
            Ok(Some("<b@example.com>,\r\n <c@example.com>")),
        );
        check(
            "To: team: b@example.com, c@example.com;\r\n",
            &["b@example.com", "c@example.com"],
            Ok(None),
        );
        check(
            "To: b@example.com, c@example.com\r\n",
            &["b@example.com"],
            Err("route-without-envelope"),
        );
        let bounce = OutgoingMail {
            sender: String::new(),
            ..mail("To: b@example.com\r\n", &["b@example.com"])
        };
        let error = for_graph(&bounce, octets(&bounce), "ada@example.com").unwrap_err();
        assert_eq!(error.code(), "route-without-envelope");
    }

    fn attachment(number: usize, content: &str) -> String {
        format!(
            "--x\r\nContent-Type: application/pdf\r\nContent-Disposition: attachment; filename={number}.pdf\r\n\r\n{content}\r\n"
        )
    }

    fn with_attachments(sizes: &[usize]) -> Vec<u8> {
        let mut mime = "From: a@b\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\nContent-Type: text/plain\r\n\r\nhello\r\n".to_owned();
        for (number, size) in sizes.iter().enumerate() {
            let content = char::from(b'a' + u8::try_from(number).unwrap()).to_string();
            mime += &attachment(number, &content.repeat(*size));
        }
        (mime + "--x--\r\n").into_bytes()
    }

    #[test]
    fn takes_the_largest_attachments_out_and_leaves_a_whole_message() {
        let mime = with_attachments(&[50, 3000, 2000]);
        let upload = split(&mime, 1000).unwrap();
        let names: Vec<&str> = upload.files.iter().map(|file| file.name.as_str()).collect();
        assert_eq!(names, ["1.pdf", "2.pdf"]);
        assert_eq!(upload.files[0].content, vec![b'b'; 3000]);
        assert_eq!(upload.files[0].content_type, "application/pdf");
        assert!(upload.mime.len() <= 1000);
        // What is left is exactly the message that never had them.
        assert_eq!(upload.mime, with_attachments(&[50]));
    }

    #[test]
    fn refuses_what_stays_too_large() {
        let mime = format!("From: a@b\r\n\r\n{}\r\n", "x".repeat(2000));
        assert_eq!(
            split(mime.as_bytes(), 1000).unwrap_err().code(),
            "size-limit"
        );
    }
}
