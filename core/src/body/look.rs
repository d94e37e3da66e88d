//! A look at octets that come in pieces: what kind of text they are.

/// What a look has found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Findings {
    /// They are UTF-8.
    pub(crate) is_utf8: bool,
    /// They are lines of ASCII that SMTP takes as they are (RFC 2045 section 2.7).
    pub(crate) is_seven_bit: bool,
}

/// A look under way.
#[derive(Debug)]
pub(crate) struct Look {
    is_utf8: bool,
    is_seven_bit: bool,
    /// The beginning of a character whose end is in the next piece.
    unfinished: Vec<u8>,
    previous: u8,
    line_octets: usize,
}

impl Look {
    pub(crate) fn new() -> Self {
        Self {
            is_utf8: true,
            is_seven_bit: true,
            unfinished: Vec::new(),
            previous: 0,
            line_octets: 0,
        }
    }

    /// Looks at the next piece.
    pub(crate) fn at(&mut self, octets: &[u8]) {
        if self.is_seven_bit {
            self.is_seven_bit = octets.iter().all(|octet| self.is_fine(*octet));
        }
        if self.is_utf8 {
            self.is_utf8 = self.continues(octets);
        }
    }

    pub(crate) fn end(self) -> Findings {
        Findings {
            is_utf8: self.is_utf8 && self.unfinished.is_empty(),
            is_seven_bit: self.is_seven_bit && self.previous != b'\r',
        }
    }

    fn is_fine(&mut self, octet: u8) -> bool {
        let previous = std::mem::replace(&mut self.previous, octet);
        self.line_octets = match octet {
            b'\n' => 0,
            b'\r' => self.line_octets,
            _ => self.line_octets + 1,
        };
        octet.is_ascii()
            && octet != 0
            && (previous == b'\r') == (octet == b'\n')
            && self.line_octets <= MAX_LINE_OCTETS
    }

    fn continues(&mut self, octets: &[u8]) -> bool {
        let mut rest = octets;
        while let (false, Some((first, others))) = (self.unfinished.is_empty(), rest.split_first())
        {
            self.unfinished.push(*first);
            rest = others;
            match str::from_utf8(&self.unfinished) {
                Ok(_) => self.unfinished.clear(),
                Err(error) if error.error_len().is_none() => {}
                Err(_) => return false,
            }
        }
        match str::from_utf8(rest) {
            Ok(_) => true,
            Err(error) if error.error_len().is_none() => {
                let rest = rest.get(error.valid_up_to()..).unwrap_or_default();
                self.unfinished.extend_from_slice(rest);
                true
            }
            Err(_) => false,
        }
    }
}

/// RFC 5322 section 2.1.1.
const MAX_LINE_OCTETS: usize = 998;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn look<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Findings {
        let mut look = Look::new();
        pieces.for_each(|piece| look.at(piece));
        look.end()
    }

    #[test]
    fn tells_lines_of_ascii_from_what_needs_an_encoding() {
        fn check(octets: &[u8], is_utf8: bool, is_seven_bit: bool) {
            let expected = Findings {
                is_utf8,
                is_seven_bit,
            };
            assert_eq!(look([octets].into_iter()), expected, "{octets:?}");
        }
        check(b"", true, true);
        check(b"a\r\n\r\nb", true, true);
        check(b"a\nb", true, false);
        check(b"a\rb", true, false);
        check(b"a\r", true, false);
        check(b"a\0", true, false);
        check("\u{e4}\r\n".as_bytes(), true, false);
        check(b"\xe4\r\n", false, false);
        check(b"\xc3", false, false);
        check("x".repeat(998).as_bytes(), true, true);
        check("x".repeat(999).as_bytes(), true, false);
        check(format!("{}\r\ny", "x".repeat(998)).as_bytes(), true, true);
    }

    proptest! {
        #[test]
        fn pieces_make_no_difference(
            text in "[a\u{e4}\u{65e5}\u{1f600}\r\n]{0,20}",
            junk in prop::option::of(any::<u8>()),
            piece_bytes in 1usize..5,
        ) {
            let octets = [text.as_bytes(), junk.as_slice()].concat();
            let found = look(octets.chunks(piece_bytes));
            prop_assert_eq!(found, look([&octets[..]].into_iter()));
            prop_assert_eq!(found.is_utf8, str::from_utf8(&octets).is_ok());
        }
    }
}
