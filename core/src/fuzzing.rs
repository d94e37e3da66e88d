//! The parsers of octets that a stranger may have written, for the fuzz targets in `fuzz/`.
//! Not part of the interface: each function takes any octets and panics only when Mailbearer has a fault.

use crate::diagnosis;
use crate::import::{self, Hints, Tool};
use crate::message;
use crate::model::{Bytes, Envelope, Evidence, EvidenceItem, EvidenceKind};
use crate::transport::smtp::auth::decode_challenge;
use crate::transport::smtp::reply::ReplyParser;
use crate::vault;

/// Reads the octets as a vault file, and as the records inside one.
pub fn vault_file(octets: &[u8]) {
    vault::survive_any_file(octets);
}

/// Reads the octets as replies of an SMTP server: in one piece, and octet by octet, with the same result.
pub fn smtp_reply(octets: &[u8]) {
    let whole = read_replies(octets.chunks(octets.len().max(1)));
    let in_pieces = read_replies(octets.chunks(1));
    assert_eq!(whole, in_pieces);
}

/// Reads the octets as the error challenge of an XOAUTH2 server.
pub fn xoauth2_challenge(octets: &[u8]) {
    if let Some(challenge) = decode_challenge(octets) {
        assert!(!challenge.to_string().contains(['\r', '\n', '\0']));
    }
}

/// Reads the octets as the answer of a token endpoint that did not give a token.
pub fn token_response(octets: &[u8]) {
    for status in [200, 302, 400, 401, 429, 500] {
        let error = diagnosis::token_refusal("login.example.test", status, None, octets);
        assert!(!error.problem().fix.is_empty());
    }
}

/// Reads the octets as evidence of a failure, both as a text and as JSON: the answer is the same each time, its
/// confidence is between 0 and 1, and the best comes first.
pub fn explain(octets: &[u8]) {
    let text = String::from_utf8_lossy(octets).into_owned();
    let item = EvidenceItem {
        kind: EvidenceKind::Unknown,
        text,
    };
    let of_text = Evidence {
        evidence: vec![item],
        ..Evidence::default()
    };
    let of_json = serde_json::from_slice(octets).unwrap_or_default();
    for evidence in [of_text, of_json] {
        let found = diagnosis::explain(&evidence);
        assert_eq!(found, diagnosis::explain(&evidence));
        assert!(
            found
                .iter()
                .all(|cause| (0.0..=1.0).contains(&cause.confidence))
        );
        assert!(found.is_sorted_by(|one, next| one.confidence >= next.confidence));
    }
}

/// Reads the octets as a finished message: what comes out has only CRLF as line ends, and is not changed again.
pub fn raw_message(octets: &[u8]) {
    let envelope = Envelope {
        account: "a".to_owned(),
        sender: None,
        recipients: vec!["b@example.test".to_owned()],
        ..Envelope::default()
    };
    let normalized =
        |octets: &[u8]| message::raw(&envelope, &Bytes::from(octets), "a@example.test");
    if let Ok(mail) = normalized(octets) {
        let again = normalized(&mail.octets()).map(|mail| mail.octets());
        assert_eq!(again.ok(), Some(mail.octets()));
    }
}

/// Reads the octets as the file of each of the other tools.
pub fn import_file(octets: &[u8]) {
    let text = String::from_utf8_lossy(octets);
    for tool in [
        None,
        Some(Tool::EmailOauth2Proxy),
        Some(Tool::SaslXoauth2),
        Some(Tool::MuttOauth2),
        Some(Tool::Oama),
        Some(Tool::Pizauth),
    ] {
        let hints = Hints {
            tool,
            ..Hints::default()
        };
        if let Err(error) = import::read(&text, hints) {
            assert!(!error.problem().fix.is_empty());
        }
    }
}

fn read_replies<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> (Vec<u16>, bool) {
    let mut parser = ReplyParser::default();
    let mut codes = Vec::new();
    for piece in pieces {
        parser.push(piece);
        loop {
            match parser.next_reply() {
                Ok(Some(reply)) => codes.push(reply.code),
                Ok(None) => break,
                Err(_) => return (codes, true),
            }
        }
    }
    (codes, false)
}
