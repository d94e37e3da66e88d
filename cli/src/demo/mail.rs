//! The two mails of the demo: one with everything, one plain.

use super::stage::{APPLICATION, PERSON};
use mailbearer::model::{Address, Attachment, Content, Message};
use mailbearer_sandbox::directory::seed;

/// A recipient that does not exist.
pub(super) const UNKNOWN: &str = "nobody@contoso.example";
/// The attachment's name and content, to be found again in the inbox.
pub(super) const ATTACHMENT: (&str, &[u8]) = ("invoice.csv", include_bytes!("invoice.csv"));
/// The inline image, named `cid:logo` in the HTML.
pub(super) const IMAGE: (&str, &[u8]) = ("logo.png", include_bytes!("logo.png"));

/// Text, HTML, an inline image and an attachment, to three recipients of whom one does not exist.
pub(super) fn from_the_person() -> Message {
    Message {
        account: PERSON.to_owned(),
        to: vec![to(seed::BOB, "Bob Baker"), to(UNKNOWN, "Nobody")],
        cc: vec![to(seed::BILLING, "Billing")],
        subject: "Your invoice for November – thank you ☕".to_owned(),
        text: Some(include_str!("mail.txt").to_owned()),
        html: Some(include_str!("mail.html").to_owned()),
        attachments: vec![
            attachment(IMAGE, Some("logo")),
            attachment(ATTACHMENT, None),
        ],
        ..Message::default()
    }
}

/// Plain text to one recipient.
pub(super) fn from_the_application() -> Message {
    Message {
        account: APPLICATION.to_owned(),
        to: vec![to(seed::ALICE, "Alice Archer")],
        subject: "Invoice 2026-1142 has been sent".to_owned(),
        text: Some("The customer has been told. Nobody needs to do anything.\n".to_owned()),
        ..Message::default()
    }
}

fn to(address: &str, name: &str) -> Address {
    Address {
        address: address.to_owned(),
        name: Some(name.to_owned()),
    }
}

fn attachment((name, octets): (&str, &[u8]), content_id: Option<&str>) -> Attachment {
    Attachment {
        name: Some(name.to_owned()),
        content_type: None,
        content_id: content_id.map(str::to_owned),
        content: Content::Data {
            data: octets.into(),
        },
    }
}
