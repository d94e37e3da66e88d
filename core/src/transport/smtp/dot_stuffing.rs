//! The message on its way through DATA (RFC 5321 section 4.5.2): dots doubled, the end marked once, chunk by chunk.
//! Changes nothing else. A message whose lines do not all end with CRLF is refused, never repaired: servers that read
//! a bare CR or LF as a line's end could be made to see a second mail in it ("SMTP smuggling").

use crate::error::{Error, Result};
use crate::model::ProblemKind;

/// A message whose every line ends with CRLF, except perhaps the last.
#[derive(Clone, Copy, Debug)]
pub(super) struct CrlfMessage<'a>(&'a [u8]);

impl<'a> CrlfMessage<'a> {
    /// Checks the line ends. Errors: `Rejected`.
    pub(super) fn parse(message: &'a [u8]) -> Result<Self> {
        match bare_line_end(message) {
            None => Ok(Self(message)),
            Some(at) => Err(Error::new(
                ProblemKind::Rejected,
                "message-format",
                format!("the message has a line that does not end with CRLF, at octet {at}"),
                "end every line with CR LF, and use neither alone (RFC 5322 section 2.3)",
            )),
        }
    }

    /// Its octets for DATA in chunks of bounded size; the last one ends the data.
    pub(super) fn stuffed(self) -> StuffedChunks<'a> {
        StuffedChunks {
            rest: self.0,
            at_line_start: true,
            is_over: false,
        }
    }
}

/// The chunks of a message on its way.
#[derive(Debug)]
pub(super) struct StuffedChunks<'a> {
    rest: &'a [u8],
    at_line_start: bool,
    is_over: bool,
}

impl StuffedChunks<'_> {
    /// Writes the next chunk in place of what `chunk` holds; `false` when there is no more.
    pub(super) fn next_into(&mut self, chunk: &mut Vec<u8>) -> bool {
        chunk.clear();
        if self.is_over {
            return false;
        }
        let (now, later) = self.rest.split_at(self.rest.len().min(CHUNK_BYTES));
        self.rest = later;
        self.stuff(now, chunk);
        if later.is_empty() {
            chunk.extend_from_slice(if self.at_line_start {
                b".\r\n"
            } else {
                b"\r\n.\r\n"
            });
            self.is_over = true;
        }
        true
    }

    fn stuff(&mut self, octets: &[u8], chunk: &mut Vec<u8>) {
        for line in octets.split_inclusive(|octet| *octet == b'\n') {
            if self.at_line_start && line.first() == Some(&b'.') {
                chunk.push(b'.');
            }
            chunk.extend_from_slice(line);
            self.at_line_start = line.last() == Some(&b'\n');
        }
    }
}

/// The place of the first CR or LF that is not part of a CRLF.
fn bare_line_end(octets: &[u8]) -> Option<usize> {
    let mut at = 0;
    for line in octets.split_inclusive(|octet| *octet == b'\n') {
        let inside = match line {
            [inside @ .., b'\r', b'\n'] => inside,
            [.., b'\n'] => return Some(at + line.len() - 1),
            unfinished => unfinished,
        };
        if let Some(carriage_return) = inside.iter().position(|octet| *octet == b'\r') {
            return Some(at + carriage_return);
        }
        at += line.len();
    }
    None
}

/// What is sent, and has to be taken by the server within the deadline, at a time: four TLS records.
const CHUNK_BYTES: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn stuffed(message: &[u8]) -> Vec<u8> {
        let mut chunks = CrlfMessage::parse(message).unwrap().stuffed();
        let (mut chunk, mut all) = (Vec::new(), Vec::new());
        while chunks.next_into(&mut chunk) {
            assert!(chunk.len() <= 2 * CHUNK_BYTES + 5);
            all.extend_from_slice(&chunk);
        }
        all
    }

    /// What a server makes of it, written after RFC 5321 section 4.5.2 and in no way like the code above.
    fn unstuffed(wire: &[u8]) -> Vec<u8> {
        let mut message = Vec::new();
        let mut rest = wire;
        loop {
            let end = rest.windows(2).position(|pair| pair == b"\r\n").unwrap() + 2;
            let (line, later) = rest.split_at(end);
            if line == b".\r\n" {
                assert!(later.is_empty(), "nothing follows the end of data");
                return message;
            }
            message.extend_from_slice(line.strip_prefix(b".").unwrap_or(line));
            rest = later;
        }
    }

    #[test]
    fn doubles_dots_at_line_starts_and_ends_the_data_once() {
        fn check(message: &str, expected: &str) {
            let wire = stuffed(message.as_bytes());
            assert_eq!(String::from_utf8(wire).unwrap(), expected, "{message:?}");
        }
        check("", ".\r\n");
        check("a\r\n", "a\r\n.\r\n");
        check("a", "a\r\n.\r\n");
        check(".", "..\r\n.\r\n");
        check(".\r\n", "..\r\n.\r\n");
        check("..\r\n", "...\r\n.\r\n");
        check("a.b\r\n.c\r\n\r\n.\r\n", "a.b\r\n..c\r\n\r\n..\r\n.\r\n");
    }

    #[test]
    fn refuses_line_ends_other_than_crlf() {
        fn check(message: &[u8], at: &str) {
            let error = CrlfMessage::parse(message).unwrap_err();
            assert_eq!(error.code(), "message-format");
            assert!(error.to_string().ends_with(at), "{error}: {message:?}");
        }
        check(b"\n", "octet 0");
        check(b"a\n.\r\nb", "octet 1");
        check(b"a\r\nb\n.\nc", "octet 4");
        check(b"a\rb", "octet 1");
        check(b"a\r", "octet 1");
        check(b"a\r\r\n", "octet 1");
        check(b"a\r\n\r.\r\n", "octet 3");
    }

    #[test]
    fn a_dot_at_the_start_of_a_later_chunk_is_doubled_only_at_a_line_start() {
        fn check(before: &str, expected: &str) {
            let filling = "x".repeat(CHUNK_BYTES - before.len());
            let message = format!("{filling}{before}.y\r\n");
            let wire = String::from_utf8(stuffed(message.as_bytes())).unwrap();
            assert_eq!(wire, format!("{filling}{expected}"));
        }
        check("\r\n", "\r\n..y\r\n.\r\n");
        check("ab", "ab.y\r\n.\r\n");
        // The chunk ends between CR and LF.
        let filling = "x".repeat(CHUNK_BYTES - 1);
        let wire = stuffed(format!("{filling}\r\n.y\r\n").as_bytes());
        assert!(wire.ends_with(b"x\r\n..y\r\n.\r\n"));
    }

    fn message() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            Just("\r\n".to_owned()),
            Just(".".to_owned()),
            "[a-z.\u{e9}]{0,5}",
        ];
        prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat().into_bytes())
    }

    proptest! {
        #[test]
        fn a_server_gets_back_the_message(message in message()) {
            let mut expected = message.clone();
            if !message.is_empty() && !message.ends_with(b"\r\n") {
                expected.extend_from_slice(b"\r\n");
            }
            prop_assert_eq!(unstuffed(&stuffed(&message)), expected);
        }

        #[test]
        fn no_bare_cr_or_lf_ever_leaves(octets in prop::collection::vec(
            prop::sample::select(b"\r\n.ab".as_slice()), 0..40,
        )) {
            let text = String::from_utf8(octets).unwrap();
            let has_bare = text.replace("\r\n", "").contains(['\r', '\n']);
            let parsed = CrlfMessage::parse(text.as_bytes());
            prop_assert_eq!(parsed.is_err(), has_bare);
            if !has_bare {
                let wire = String::from_utf8(stuffed(text.as_bytes())).unwrap();
                prop_assert!(!wire.replace("\r\n", "").contains(['\r', '\n']));
            }
        }
    }
}
