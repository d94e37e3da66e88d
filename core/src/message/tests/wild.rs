//! Properties over any input: text made of what has broken mail programs before, in every field, and any octets as a
//! finished message.

use super::super::one_line::OneLine;
use super::reading::{assert_lines_fit, field_names, read, said, said_fields};
use super::{STAMP, attachment, build};
use crate::error::{Error, Result};
use crate::message::{BuiltMail, raw};
use crate::model::{Address, Attachment, Envelope, Header, ListUnsubscribe, Message, ProblemKind};
use proptest::prelude::*;

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
            .filter(|c| OneLine::parse("x", &c.to_string()).is_ok());
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
        ..Envelope::default()
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
        assert_lines_fit(&built.octets());
        prop_assert_eq!(built.eight_bit && !built.needs_smtputf8, false);
        prop_assert_eq!(read(&built.octets()), said(&message));
    }

    #[test]
    fn anything_is_refused_by_name_or_adds_no_field(message in wild_message()) {
        match build(&message, &STAMP) {
            Ok(built) => {
                assert_lines_fit(&built.octets());
                prop_assert_eq!(field_names(&built.octets()), said_fields(&message));
            }
            Err(error) => assert_is_refusal(&error),
        }
    }

    #[test]
    fn raw_takes_any_octets_and_settles_at_once(octets in raw_message()) {
        match raw_octets(&octets) {
            Ok(once) => {
                let twice = raw_octets(&once.octets()).unwrap();
                prop_assert_eq!(&twice.octets(), &once.octets());
                prop_assert_eq!(&twice.message_id, &once.message_id);
                assert_pairs_only(&once.octets());
            }
            Err(error) => assert_is_refusal(&error),
        }
    }

    #[test]
    fn raw_leaves_a_built_message_alone(message in fine_message()) {
        let built = build(&message, &STAMP).unwrap();
        let again = raw_octets(&built.octets()).unwrap();
        prop_assert_eq!(&again.octets(), &built.octets());
        prop_assert_eq!(again.message_id, built.message_id);
        prop_assert_eq!(again.eight_bit, built.eight_bit);
    }
}

fn assert_is_refusal(error: &Error) {
    assert_eq!(error.kind(), ProblemKind::Rejected, "{error:?}");
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
