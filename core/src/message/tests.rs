//! Whole messages: octet for octet against stored ones, and read back by a parser that is not ours.
//! What single fields take and refuse is tested where they are parsed.

use super::*;
use crate::error::{Error, Result};
use crate::model::{
    Address, Attachment, Content, Envelope, Header, ListUnsubscribe, Message, Priority,
};
use mail_parser::{HeaderForm, MessageParser, MimeHeaders as _, PartType};
use proptest::prelude::*;

const STAMP: Stamp<'static> = Stamp {
    now_unix_ms: 1_767_225_600_123, // 2026-01-01T00:00:00.123Z
    id: "0123456789abcdef0123456789abcdef",
    mailbox: "alice@example.com",
};

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
        assert_eq!(String::from_utf8_lossy(&built.mime), expected);
    }
    check(&plain(), include_str!("testdata/plain.eml"));
    check(&rich(), include_str!("testdata/rich.eml"));
    check(&international(), include_str!("testdata/international.eml"));
}

#[test]
fn a_parser_of_another_make_reads_back_what_was_said() {
    for message in [plain(), rich(), international()] {
        let built = build(&message, &STAMP).unwrap();
        assert_eq!(read(&built.mime), said(&message));
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
    let text = String::from_utf8(built.mime.to_vec()).unwrap();
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
    assert_lines_fit(&built.mime);
    assert_eq!(read(&built.mime), said(&message));
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
        assert_lines_fit(&built.mime);
        assert_eq!(read(&built.mime), said(&message), "{text:?}");
    }
}

#[test]
fn an_attached_message_keeps_its_octets() {
    let inner = b"Subject: inner\r\n\r\nbody\r\n";
    let mut message = plain();
    message.attachments = vec![attachment("a.eml", None, inner)];
    let built = build(&message, &STAMP).unwrap();
    let parsed = MessageParser::default().parse(&built.mime[..]).unwrap();
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
        assert_eq!(read(&built.mime), said(&message));
    }
    check(Some(""), Vec::new());
    check(None, vec![attachment("a.bin", None, b"x")]);
    check(None, vec![attachment("a.png", Some("logo"), b"x")]);
}

/// A mail as its reader understands it.
#[derive(Debug, PartialEq)]
struct Reading {
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
fn said(message: &Message) -> Reading {
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

fn said_fields(message: &Message) -> Vec<String> {
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
fn read(mime: &[u8]) -> Reading {
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
fn field_names(mime: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(mime);
    let section = text.split("\r\n\r\n").next().unwrap();
    let lines = section
        .split("\r\n")
        .filter(|line| !line.starts_with([' ', '\t']));
    lines
        .map(|line| line.split(':').next().unwrap().to_owned())
        .collect()
}

fn assert_lines_fit(mime: &[u8]) {
    assert!(mime.ends_with(b"\r\n"), "the last line has an end");
    for line in mime.split_inclusive(|&octet| octet == b'\n') {
        let content = line
            .strip_suffix(b"\r\n")
            .expect("every line ends with CRLF");
        assert!(!content.contains(&b'\r') && !content.contains(&0));
        assert!(content.len() <= 998, "{} octets in a line", content.len());
    }
}

/// Any text, made mostly of what has broken mail programs before.
fn wild_text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => "[a-zA-Z0-9]{1,12}",
        4 => prop::sample::select(TROUBLE).prop_map(str::to_owned),
        2 => any::<char>().prop_map(String::from),
        1 => (1..1200_usize).prop_map(|count| "w".repeat(count)),
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

/// The same without what no header field may have.
fn line_text() -> impl Strategy<Value = String> {
    wild_text().prop_map(|text| {
        let lines = text
            .chars()
            .filter(|c| one_line::OneLine::parse("x", &c.to_string()).is_ok());
        lines.collect()
    })
}

const TROUBLE: &[&str] = &[
    " ",
    "  ",
    "\t",
    "\r\n",
    "\n",
    "\r",
    "\r\n ",
    "\r\nBcc: x@example.org",
    "\0",
    ":",
    ",",
    ";",
    "\"",
    "\\",
    "<",
    ">",
    "(",
    ")",
    "@",
    "=",
    "=?",
    "?=",
    "=?utf-8?q?a?=",
    "=_",
    "--",
    ".",
    "\r\n.\r\n",
    "é",
    "ß",
    "日本",
    "😀",
    "\u{301}",
    "\u{a0}",
    "\u{200b}",
    "\u{2028}",
    "\u{feff}",
    "\u{202e}",
    "%20",
    "'",
    "utf-8''",
    "From ",
];

fn wild_address() -> impl Strategy<Value = Address> {
    let known = prop::sample::select(&["a@b.example", "\"a b\"@c.example", "ä@ö.example"][..]);
    let text = prop_oneof![4 => known.prop_map(str::to_owned), 1 => wild_text()];
    let name = prop::option::of(prop_oneof![3 => line_text(), 1 => wild_text()]);
    (text, name).prop_map(|(address, name)| Address { address, name })
}

fn fine_address() -> impl Strategy<Value = Address> {
    let known = prop::sample::select(
        &[
            "a@b.example",
            "\"a b\"@c.example",
            "ä@ö.example",
            "x@[192.0.2.1]",
        ][..],
    );
    let text = prop_oneof![
        known.prop_map(str::to_owned),
        "[a-z0-9+]{1,60}@[a-z]{1,60}\\.example"
    ];
    (text, prop::option::of(line_text())).prop_map(|(address, name)| Address { address, name })
}

/// Without encoded-words in the name: readers decode them even inside quotation marks, where RFC 2047 forbids it.
fn fine_attachment() -> impl Strategy<Value = Attachment> {
    let octets = prop::collection::vec(any::<u8>(), 0..300);
    (line_text(), octets).prop_map(|(name, octets)| {
        let name = name.replace("=?", "");
        attachment(&format!("n{name}.bin"), None, &octets)
    })
}

prop_compose! {
    fn fine_message()(
        sender in prop::option::of(fine_address()),
        reply_to in prop::collection::vec(fine_address(), 0..2),
        to in prop::collection::vec(fine_address(), 1..5),
        cc in prop::collection::vec(fine_address(), 0..3),
        subject in line_text(),
        text in prop::option::of(wild_text()),
        html in wild_text(),
        attachments in prop::collection::vec(fine_attachment(), 0..3),
        values in prop::collection::vec(line_text(), 0..3),
    ) -> Message {
        let headers = values.into_iter().map(|value| Header { name: "X-Tag".to_owned(), value });
        Message {
            sender, reply_to, to, cc, subject, text, html: Some(html), attachments, headers: headers.collect(),
            ..Message::default()
        }
    }
}

prop_compose! {
    fn wild_message()(
        message in fine_message(),
        to in prop::collection::vec(wild_address(), 0..3),
        subject in wild_text(),
        name in wild_text(),
        content_type in prop::option::of(wild_text()),
        content_id in prop::option::of(wild_text()),
        header in (wild_text(), wild_text()),
        message_id in prop::option::of(wild_text()),
        unsubscribe in prop::option::of((wild_text(), wild_address())),
        chosen in 0_u8..128,
    ) -> Message {
        let mut message = message;
        let is_chosen = |bit: u8| chosen & (1 << bit) != 0;
        if is_chosen(0) { message.to = to; }
        if is_chosen(1) { message.subject = subject; }
        if is_chosen(2) { message.message_id = message_id; }
        if is_chosen(3) { message.headers.push(Header { name: header.0, value: header.1 }); }
        if is_chosen(4) {
            let mut wild = attachment(&name, content_id.as_deref(), b"x");
            wild.content_type = content_type;
            message.attachments.push(wild);
        }
        if is_chosen(5) {
            message.list_unsubscribe = unsubscribe.map(|(url, entry)| ListUnsubscribe {
                url: Some(format!("https://example.com/{url}")),
                address: Some(entry.address),
            });
        }
        message
    }
}

fn envelope() -> Envelope {
    Envelope {
        account: String::new(),
        sender: None,
        recipients: vec!["bob@example.org".to_owned()],
    }
}

fn raw_octets(octets: &[u8]) -> Result<BuiltMail> {
    raw(&envelope(), &octets.into(), STAMP.mailbox)
}

fn raw_message() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        prop::sample::select(
            &[
                "Subject: a",
                "Bcc: b",
                "\r\n",
                "\n",
                "\r",
                " ",
                "Message-ID: <a@b>",
                ":",
                "é"
            ][..]
        )
        .prop_map(|text| text.as_bytes().to_vec()),
        prop::collection::vec(any::<u8>(), 0..8),
    ];
    prop::collection::vec(piece, 0..30).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(128) })]

    #[test]
    fn whatever_a_header_can_hold_reads_back_the_same(message in fine_message()) {
        let built = build(&message, &STAMP).unwrap();
        assert_lines_fit(&built.mime);
        prop_assert_eq!(built.eight_bit && !built.needs_smtputf8, false);
        prop_assert_eq!(read(&built.mime), said(&message));
    }

    #[test]
    fn anything_is_refused_by_name_or_adds_no_field(message in wild_message()) {
        match build(&message, &STAMP) {
            Ok(built) => {
                assert_lines_fit(&built.mime);
                prop_assert_eq!(field_names(&built.mime), said_fields(&message));
            }
            Err(error) => assert_is_refusal(&error),
        }
    }

    #[test]
    fn raw_takes_any_octets_and_settles_at_once(octets in raw_message()) {
        match raw_octets(&octets) {
            Ok(once) => {
                let twice = raw_octets(&once.mime).unwrap();
                prop_assert_eq!(&twice.mime, &once.mime);
                prop_assert_eq!(twice.message_id, once.message_id);
                assert_pairs_only(&once.mime);
            }
            Err(error) => assert_is_refusal(&error),
        }
    }

    #[test]
    fn raw_leaves_a_built_message_alone(message in fine_message()) {
        let built = build(&message, &STAMP).unwrap();
        let again = raw_octets(&built.mime).unwrap();
        prop_assert_eq!(&again.mime, &built.mime);
        prop_assert_eq!(again.message_id, built.message_id);
        prop_assert_eq!(again.eight_bit, built.eight_bit);
    }
}

fn assert_is_refusal(error: &Error) {
    assert_eq!(
        error.kind(),
        crate::model::ProblemKind::Rejected,
        "{error:?}"
    );
    assert!(!error.to_string().contains(['\r', '\n', '\0']), "{error:?}");
    assert!(!error.problem().fix.is_empty());
}

fn assert_pairs_only(octets: &[u8]) {
    let text = octets
        .iter()
        .map(|&octet| char::from(octet))
        .collect::<String>();
    assert!(!text.replace("\r\n", "").contains(['\r', '\n']));
}
