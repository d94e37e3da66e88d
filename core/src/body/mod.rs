//! The octets of a message as they will leave: laid out with their exact size, and read in pieces when they go.
//! What is attached stays where it is, in memory or in a file, and is encoded on the way. Reading can begin again at any
//! time and gives the same octets, or fails: a file that has changed since it was laid out is never sent.
//!
//! Knows nothing of header fields and line ends; `message` lays out, the transports send.

mod look;
mod reader;
mod source;

pub(crate) use reader::BodyReader;
pub(crate) use source::Source;

use std::sync::Arc;

/// A message laid out. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Body {
    segments: Arc<[Segment]>,
}

/// How attachments travel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Form {
    /// As base64, which every server takes.
    #[default]
    Base64,
    /// As they are, for servers with BINARYMIME (RFC 3030).
    Binary,
}

/// A part of the layout.
#[derive(Clone, Debug)]
pub(crate) enum Segment {
    /// These octets.
    Octets(bytes::Bytes),
    /// These octets, in the binary form only.
    BinaryOnly(&'static str),
    /// A source as it is.
    AsIs(Source),
    /// The value of `Content-Transfer-Encoding`, a blank line, and the source in this encoding.
    Encoded(Source),
}

/// What is seen of a layout without reading a file.
#[derive(Debug)]
pub(crate) enum Seen<'a> {
    /// Octets that leave as they are.
    Octets(&'a [u8]),
    /// So many that are text with whole lines, by their making or because they were looked at before.
    Text(u64),
}

impl Body {
    pub(crate) fn new(segments: Vec<Segment>) -> Self {
        Self {
            segments: segments.into(),
        }
    }

    /// How many octets leave in this form: exactly as many, or sending fails.
    pub(crate) fn size_bytes(&self, form: Form) -> u64 {
        let sizes = self.segments.iter().map(|segment| segment.size_bytes(form));
        sizes.fold(0, u64::saturating_add)
    }

    /// Its octets in this form, from the beginning.
    pub(crate) fn reader(&self, form: Form) -> BodyReader {
        BodyReader::new(self.segments.clone(), form)
    }

    /// What can be seen of it, in order.
    pub(crate) fn seen(&self) -> impl Iterator<Item = Seen<'_>> {
        self.segments.iter().map(|segment| match segment {
            Segment::Octets(octets) => Seen::Octets(octets),
            Segment::AsIs(source) => source
                .octets()
                .map_or_else(|| Seen::Text(source.size_bytes()), Seen::Octets),
            Segment::BinaryOnly(_) => Seen::Text(0),
            Segment::Encoded(_) => Seen::Text(segment.size_bytes(Form::Base64)),
        })
    }

    /// The same with CRLF at the end, unless it is there.
    pub(crate) fn with_last_line_end(self) -> Self {
        let is_ended = match self.segments.last() {
            Some(Segment::Octets(octets)) => octets.ends_with(CRLF),
            _ => false,
        };
        if is_ended {
            return self;
        }
        let line_end = Segment::Octets(bytes::Bytes::from_static(CRLF));
        let segments = self.segments.iter().cloned().chain([line_end]);
        Self {
            segments: segments.collect(),
        }
    }

    /// Its octets up to the first attachment, among which is the whole header.
    pub(crate) fn beginning(&self) -> Vec<u8> {
        let octets = self.seen().map_while(|seen| match seen {
            Seen::Octets(octets) => Some(octets),
            Seen::Text(_) => None,
        });
        octets.collect::<Vec<_>>().concat()
    }

    /// All of it at once, for roads that do not take a mail in pieces. Errors: as of reading.
    pub(crate) async fn read_whole(&self) -> crate::Result<Vec<u8>> {
        let mut reader = self.reader(Form::Base64);
        let mut whole = Vec::new();
        loop {
            match reader.next(usize::MAX).await? {
                octets if octets.is_empty() => return Ok(whole),
                octets => whole.extend_from_slice(&octets),
            }
        }
    }

    /// All of it at once, outside a runtime.
    #[cfg(any(test, feature = "fuzzing"))]
    pub(crate) fn whole(&self, form: Form) -> crate::Result<bytes::Bytes> {
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        let reading = async {
            let (mut reader, mut whole) = (self.reader(form), Vec::new());
            loop {
                match reader.next(usize::MAX).await? {
                    octets if octets.is_empty() => return Ok(whole.into()),
                    octets => whole.extend_from_slice(&octets),
                }
            }
        };
        runtime.expect("a runtime without I/O").block_on(reading)
    }
}

impl<T: Into<bytes::Bytes>> From<T> for Body {
    fn from(octets: T) -> Self {
        Self::new(vec![Segment::Octets(octets.into())])
    }
}

impl Segment {
    fn size_bytes(&self, form: Form) -> u64 {
        match (self, form) {
            (Self::Octets(octets), _) => size(octets),
            (Self::BinaryOnly(_), Form::Base64) => 0,
            (Self::BinaryOnly(text), Form::Binary) => size(text.as_bytes()),
            (Self::AsIs(source), _) => source.size_bytes(),
            (Self::Encoded(source), Form::Base64) => {
                size(BASE64) + base64_size_bytes(source.size_bytes())
            }
            (Self::Encoded(source), Form::Binary) => size(BINARY) + source.size_bytes(),
        }
    }
}

/// Lines with their ends, of which the last may have none.
pub(crate) fn lines(mut octets: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let end = memchr::memchr(b'\n', octets).map_or(octets.len(), |at| at + 1);
        let (line, rest) = octets.split_at_checked(end)?;
        octets = rest;
        (!line.is_empty()).then_some(line)
    })
}

fn size(octets: &[u8]) -> u64 {
    u64::try_from(octets.len()).unwrap_or(u64::MAX)
}

/// Lines of 76 characters for 57 octets each, with CRLF between them (RFC 2045 section 6.8).
fn base64_size_bytes(size_bytes: u64) -> u64 {
    let characters = size_bytes.div_ceil(3).saturating_mul(4);
    let line_ends = size_bytes.div_ceil(LINE_BYTES).saturating_sub(1);
    characters.saturating_add(line_ends.saturating_mul(2))
}

const CRLF: &[u8] = b"\r\n";
/// What stands between the name of the field and the encoded octets.
const BASE64: &[u8] = b"base64\r\n\r\n";
const BINARY: &[u8] = b"binary\r\n\r\n";
/// So many octets make a line of base64.
const LINE_BYTES: u64 = 57;

#[cfg(test)]
mod tests;
