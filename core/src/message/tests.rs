//! Whole messages: octet for octet against stored ones, and read back by a parser that is not ours.
//! What single fields take and refuse is tested where they are parsed.

mod reading;
mod wild;

use super::*;
use crate::model::{Address, Attachment, Content, Header, ListUnsubscribe, Message, Priority};
use mail_parser::MessageParser;
use reading::{assert_lines_fit, read, said};

const STAMP: Stamp<'static> = Stamp {
    now_unix_ms: 1_767_225_600_123, // 2026-01-01T00:00:00.123Z
    id: "0123456789abcdef0123456789abcdef",
    mailbox: "alice@example.com",
};

fn build(message: &Message, stamp: &Stamp<'_>) -> crate::Result<BuiltMail> {
    super::build(message, &sources_in_memory(message), stamp)
}

fn address(address: &str, name: &str) -> Address {
    Address {
        address: address.to_owned(),
        name: Some(name.to_owned()).filter(|name| !name.is_empty()),
    }
}

fn attachment(name: &str, content_id: Option<&str>, octets: &[u8]) -> Attachment {
    Attachment {
        name: Some(name.to_owned()),
        content_type: None,
        content_id: content_id.map(str::to_owned),
        content: Content::Data {
            data: octets.into(),
        },
    }
}

fn plain() -> Message {
    Message {
        to: vec![address("bob@example.org", "Bob")],
        subject: "Hello".to_owned(),
        text: Some("Hi Bob,\nbye.\n".to_owned()),
        ..Message::default()
    }
}

fn rich() -> Message {
    Message {
        sender: Some(address("shop@müller.example", "Müller & Söhne")),
        reply_to: vec![address("service@müller.example", "Service, Team \"A\"")],
        to: vec![
            address("bob@example.org", "Bob Brown"),
            address("\"carol c\"@example.org", "Carol (Sales)"),
        ],
        cc: vec![address("dave@example.net", "")],
        bcc: vec![
            address("eve@example.net", "Eve"),
            address("bob@EXAMPLE.org", ""),
        ],
        subject: "Ihre Bestellung Nr. 7 ist unterwegs – und hier sind alle Einzelheiten dazu"
            .to_owned(),
        text: Some("Guten Tag,\n\nIhr Paket kommt morgen.\n-- \nMüller & Söhne".to_owned()),
        html: Some(
            "<p>Guten Tag,</p><p>Ihr Paket kommt morgen.<img src=\"cid:logo\"></p>".to_owned(),
        ),
        attachments: vec![
            attachment("logo.png", Some("logo"), b"\x89PNG\r\n\x1a\n"),
            attachment("Rechnung März.pdf", None, b"%PDF-1.7\n"),
            attachment(
                "a-rather-long-name-that-does-not-fit-on-one-line-of-the-header.txt",
                None,
                b"text\n",
            ),
        ],
        headers: vec![
            Header {
                name: "X-Campaign".to_owned(),
                value: "orders".to_owned(),
            },
            Header {
                name: "X-Tag".to_owned(),
                value: "grün".to_owned(),
            },
            Header {
                name: "X-Tag".to_owned(),
                value: "blue".to_owned(),
            },
        ],
        priority: Some(Priority::High),
        list_unsubscribe: Some(ListUnsubscribe {
            url: Some("https://müller.example/leave?who=7".replace("müller", "xn--mller-kva")),
            address: Some("leave@müller.example".to_owned()),
        }),
        message_id: Some("order-7@xn--mller-kva.example".to_owned()),
        date_unix_ms: Some(0),
        ..Message::default()
    }
}

fn international() -> Message {
    Message {
        sender: Some(address("jürgen@例え.jp", "Jürgen")),
        bcc: vec![address("用户@example.com", "")],
        subject: "Test".to_owned(),
        html: Some("<p>ok</p>".to_owned()),
        ..Message::default()
    }
}

#[test]
fn builds_the_stored_messages_octet_for_octet() {
    fn check(message: &Message, expected: &str) {
        let built = build(message, &STAMP).unwrap();
        assert_eq!(String::from_utf8_lossy(&built.octets()), expected);
    }
    check(&plain(), include_str!("testdata/plain.eml"));
    check(&rich(), include_str!("testdata/rich.eml"));
    check(&international(), include_str!("testdata/international.eml"));
}

#[test]
fn a_parser_of_another_make_reads_back_what_was_said() {
    for message in [plain(), rich(), international()] {
        let built = build(&message, &STAMP).unwrap();
        assert_eq!(read(&built.octets()), said(&message));
    }
}

#[test]
fn gives_the_envelope_and_what_the_server_must_support() {
    let built = build(&rich(), &STAMP).unwrap();
    assert_eq!(built.sender, "shop@xn--mller-kva.example");
    let recipients = [
        "bob@example.org",
        "\"carol c\"@example.org",
        "dave@example.net",
        "eve@example.net",
    ];
    assert_eq!(built.recipients, recipients);
    assert_eq!(built.message_id, "order-7@xn--mller-kva.example");
    assert!(!built.needs_smtputf8 && !built.eight_bit);

    let built = build(&international(), &STAMP).unwrap();
    assert_eq!(built.sender, "jürgen@xn--r8jz45g.jp");
    assert!(built.needs_smtputf8 && built.eight_bit);
}

#[test]
fn names_no_hidden_recipient_anywhere() {
    let built = build(&rich(), &STAMP).unwrap();
    let text = String::from_utf8(built.octets().to_vec()).unwrap();
    assert!(!text.to_lowercase().contains("eve"));
    assert!(!text.to_lowercase().contains("bcc"));
}

#[test]
fn folds_long_lists_and_long_words() {
    let mut message = plain();
    message.to = (0..500)
        .map(|number| {
            address(
                &format!("person{number}@example.com"),
                &"n".repeat(number * 3),
            )
        })
        .collect();
    message.subject = "w".repeat(5000);
    let built = build(&message, &STAMP).unwrap();
    assert_lines_fit(&built.octets());
    assert_eq!(read(&built.octets()), said(&message));
}

#[test]
fn sends_octets_that_text_should_not_have_in_an_encoding() {
    for text in [
        "a\0b",
        "\u{7}",
        "lone\rreturn",
        "=_0123456789abcdef0123456789abcdef_1",
    ] {
        let mut message = rich();
        message.text = Some(text.to_owned());
        let built = build(&message, &STAMP).unwrap();
        assert_lines_fit(&built.octets());
        assert_eq!(read(&built.octets()), said(&message), "{text:?}");
    }
}

#[test]
fn an_attached_message_keeps_its_octets() {
    let inner = b"Subject: inner\r\n\r\nbody\r\n";
    let mut message = plain();
    message.attachments = vec![attachment("a.eml", None, inner)];
    let built = build(&message, &STAMP).unwrap();
    let octets = built.octets();
    let parsed = MessageParser::default().parse(&octets[..]).unwrap();
    let attached = parsed.attachments().next().unwrap();
    assert_eq!(attached.message().unwrap().raw_message(), inner);
}

#[test]
fn refuses_by_the_name_of_the_field() {
    fn check(change: impl FnOnce(&mut Message), code: &str, field: &str) {
        let mut message = rich();
        change(&mut message);
        let error = build(&message, &STAMP).unwrap_err();
        assert_eq!(error.code(), code);
        assert!(error.to_string().starts_with(field), "{error}");
    }
    let evil = || "x\r\nBcc: mallory@example.org".to_owned();
    check(|m| m.subject = evil(), "header-injection", "subject ");
    check(
        |m| m.to[1].name = Some(evil()),
        "header-injection",
        "to[1].name ",
    );
    check(
        |m| m.cc[0].address = evil(),
        "header-injection",
        "cc[0].address ",
    );
    check(
        |m| m.bcc[1].name = Some(evil()),
        "header-injection",
        "bcc[1].name ",
    );
    check(
        |m| m.reply_to[0].name = Some(evil()),
        "header-injection",
        "replyTo[0].name ",
    );
    check(
        |m| m.sender = Some(address("a@b.example", "\0")),
        "header-injection",
        "sender.name ",
    );
    check(
        |m| m.message_id = Some(evil()),
        "header-injection",
        "messageId ",
    );
    check(
        |m| m.headers[2].value = evil(),
        "header-injection",
        "headers[2].value ",
    );
    check(
        |m| m.headers[0].name = evil(),
        "header-injection",
        "headers[0].name ",
    );
    check(
        |m| m.attachments[1].name = Some(evil()),
        "header-injection",
        "attachments[1].name ",
    );
    check(
        |m| m.attachments[2].content_type = Some(evil()),
        "header-injection",
        "attachments[2].contentType ",
    );
    check(
        |m| m.bcc[1].address = "eve".to_owned(),
        "invalid-address",
        "bcc[1].address ",
    );
    check(
        |m| m.date_unix_ms = Some(-1),
        "date-out-of-range",
        "dateUnixMs ",
    );
    check(
        |m| m.date_unix_ms = Some(i64::MAX),
        "date-out-of-range",
        "dateUnixMs ",
    );
    check(
        |m| m.list_unsubscribe = Some(ListUnsubscribe::default()),
        "invalid-list-unsubscribe",
        "listUnsubscribe ",
    );
}

#[test]
fn refuses_a_mail_to_nobody_from_nobody_or_with_nothing() {
    fn check(message: &Message, stamp: &Stamp<'_>, code: &str) {
        assert_eq!(build(message, stamp).unwrap_err().code(), code);
    }
    let mut to_nobody = plain();
    to_nobody.to.clear();
    check(&to_nobody, &STAMP, "no-recipients");
    let mut with_nothing = plain();
    with_nothing.text = None;
    check(&with_nothing, &STAMP, "empty-message");
    check(
        &plain(),
        &Stamp {
            mailbox: "",
            ..STAMP
        },
        "sender-missing",
    );
    check(
        &plain(),
        &Stamp {
            mailbox: "alice",
            ..STAMP
        },
        "invalid-address",
    );
}

#[test]
fn an_empty_text_is_enough_and_so_is_an_attachment() {
    fn check(text: Option<&str>, attachments: Vec<Attachment>) {
        let mut message = plain();
        message.text = text.map(str::to_owned);
        message.attachments = attachments;
        let built = build(&message, &STAMP).unwrap();
        assert_eq!(read(&built.octets()), said(&message));
    }
    check(Some(""), Vec::new());
    check(None, vec![attachment("a.bin", None, b"x")]);
    check(None, vec![attachment("a.png", Some("logo"), b"x")]);
}
