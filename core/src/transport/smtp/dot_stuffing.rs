//! The message on its way through DATA (RFC 5321 section 4.5.2): dots doubled, the end marked once, piece by piece.
//! Changes nothing else. A message whose lines do not all end with CRLF is refused, never repaired: servers that read
//! a bare CR or LF as a line's end could be made to see a second mail in it ("SMTP smuggling").

use crate::body::{Body, Seen, lines};
use crate::error::{Error, Result};
use crate::model::ProblemKind;

/// Checks the line ends of a message as far as they can be seen before it is sent. Errors: `Rejected`.
pub(super) fn check_line_ends(message: &Body) -> Result<()> {
    let mut line_ends = LineEnds::default();
    for seen in message.seen() {
        match seen {
            Seen::Octets(octets) => line_ends.go_on(octets)?,
            Seen::Text(size_bytes) => line_ends.pass(size_bytes)?,
        }
    }
    line_ends.end()
}

/// A message on its way.
#[derive(Debug, Default)]
pub(super) struct Stuffing {
    line_ends: LineEnds,
    is_within_line: bool,
}

impl Stuffing {
    /// Adds the next octets of the message to what goes out. Errors: `Rejected`, for a bare CR or LF.
    pub(super) fn go_on(&mut self, octets: &[u8], wire: &mut Vec<u8>) -> Result<()> {
        self.line_ends.go_on(octets)?;
        for line in lines(octets) {
            if !self.is_within_line && line.first() == Some(&b'.') {
                wire.push(b'.');
            }
            wire.extend_from_slice(line);
            self.is_within_line = line.last() != Some(&b'\n');
        }
        Ok(())
    }

    /// Adds the end of the data. Errors: `Rejected`, for a bare CR at the very end.
    pub(super) fn end(self, wire: &mut Vec<u8>) -> Result<()> {
        self.line_ends.end()?;
        wire.extend_from_slice(match self.is_within_line {
            true => b"\r\n.\r\n",
            false => b".\r\n",
        });
        Ok(())
    }
}

/// Watches that CR and LF come only together, over pieces of any size.
#[derive(Debug, Default)]
struct LineEnds {
    is_after_cr: bool,
    at: u64,
}

impl LineEnds {
    fn go_on(&mut self, octets: &[u8]) -> Result<()> {
        for line in lines(octets) {
            let (text, has_lf) = match line {
                [text @ .., b'\n'] => (text, true),
                text => (text, false),
            };
            let (inside, has_cr) = match text {
                [inside @ .., b'\r'] => (inside, true),
                inside => (inside, false),
            };
            let begins_with_lf = has_lf && text.is_empty();
            if self.is_after_cr != begins_with_lf {
                // Either the CR of the piece before has no LF, or this LF has no CR.
                return Err(bare_line_end(self.at - u64::from(self.is_after_cr)));
            }
            if let Some(place) = memchr::memchr(b'\r', inside) {
                return Err(bare_line_end(self.at + size(place)));
            }
            if has_lf && !has_cr && !begins_with_lf {
                return Err(bare_line_end(self.at + size(text.len())));
            }
            self.is_after_cr = has_cr && !has_lf;
            self.at += size(line.len());
        }
        Ok(())
    }

    /// Passes over whole lines.
    fn pass(&mut self, size_bytes: u64) -> Result<()> {
        if size_bytes > 0 {
            self.end()?;
        }
        self.at += size_bytes;
        Ok(())
    }

    fn end(&self) -> Result<()> {
        match self.is_after_cr {
            true => Err(bare_line_end(self.at - 1)),
            false => Ok(()),
        }
    }
}

fn size(octets: usize) -> u64 {
    u64::try_from(octets).unwrap_or(u64::MAX)
}

fn bare_line_end(at: u64) -> Error {
    Error::new(
        ProblemKind::Rejected,
        "message-format",
        format!("the message has a line that does not end with CRLF, at octet {at}"),
        "end every line with CR LF, and use neither alone (RFC 5322 section 2.3)",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn stuffed(message: &[u8]) -> Vec<u8> {
        stuffed_in(message, message.len().max(1)).unwrap()
    }

    fn stuffed_in(message: &[u8], piece_bytes: usize) -> Result<Vec<u8>> {
        let (mut stuffing, mut wire) = (Stuffing::default(), Vec::new());
        for piece in message.chunks(piece_bytes) {
            stuffing.go_on(piece, &mut wire)?;
        }
        stuffing.end(&mut wire)?;
        Ok(wire)
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
        fn check(message: &'static [u8], at: &str) {
            let error = check_line_ends(&Body::from(message)).unwrap_err();
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
    fn a_dot_at_the_start_of_a_later_piece_is_doubled_only_at_a_line_start() {
        fn check(before: &str, expected: &str) {
            let message = format!("{before}.y\r\n");
            let wire = stuffed_in(message.as_bytes(), before.len()).unwrap();
            assert_eq!(String::from_utf8(wire).unwrap(), expected);
        }
        check("x\r\n", "x\r\n..y\r\n.\r\n");
        check("ab", "ab.y\r\n.\r\n");
        // The piece ends between CR and LF.
        let wire = stuffed_in(b"x\r\n.y\r\n", 2).unwrap();
        assert_eq!(wire, b"x\r\n..y\r\n.\r\n");
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
        fn a_server_gets_back_the_message_however_it_is_cut(message in message(), piece_bytes in 1usize..9) {
            prop_assert_eq!(stuffed_in(&message, piece_bytes).unwrap(), stuffed(&message));
            let mut expected = message.clone();
            if !message.is_empty() && !message.ends_with(b"\r\n") {
                expected.extend_from_slice(b"\r\n");
            }
            prop_assert_eq!(unstuffed(&stuffed(&message)), expected);
        }

        #[test]
        fn no_bare_cr_or_lf_ever_leaves(octets in prop::collection::vec(
            prop::sample::select(b"\r\n.ab".as_slice()), 0..40,
        ), piece_bytes in 1usize..9) {
            let text = String::from_utf8(octets).unwrap();
            let has_bare = text.replace("\r\n", "").contains(['\r', '\n']);
            let checked = check_line_ends(&Body::from(text.clone()));
            prop_assert_eq!(checked.is_err(), has_bare);
            let sent = stuffed_in(text.as_bytes(), piece_bytes);
            let wrong = |error: Error| error.to_string();
            prop_assert_eq!(sent.map_err(wrong).err(), checked.map_err(wrong).err());
            if !has_bare {
                let wire = String::from_utf8(stuffed(text.as_bytes())).unwrap();
                prop_assert!(!wire.replace("\r\n", "").contains(['\r', '\n']));
            }
        }
    }
}
