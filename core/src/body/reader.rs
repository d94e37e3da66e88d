//! A body on its way, piece by piece: never more of it in memory than one piece, as it is and encoded.

use super::source::SourceReader;
use super::{BASE64, BINARY, CRLF, Form, Segment};
use crate::error::Result;
use email_encoding::body::base64;
use std::fmt;
use std::sync::Arc;

/// A body being read.
pub(crate) struct BodyReader {
    segments: Arc<[Segment]>,
    form: Form,
    /// The segment to go on with.
    place: usize,
    /// The source within the segment before, as far as it has been read.
    source: Option<UnderWay>,
    /// What comes next.
    ready: bytes::Bytes,
}

struct UnderWay {
    reader: SourceReader,
    is_base64: bool,
    is_begun: bool,
}

impl BodyReader {
    pub(super) fn new(segments: Arc<[Segment]>, form: Form) -> Self {
        Self {
            segments,
            form,
            place: 0,
            source: None,
            ready: bytes::Bytes::new(),
        }
    }

    /// The next octets, at most so many: none at the end. After an error there is no more. Errors: `Rejected`, for a
    /// file that has changed or cannot be read any more; always before its last octets.
    pub(crate) async fn next(&mut self, limit_bytes: usize) -> Result<bytes::Bytes> {
        while self.ready.is_empty() {
            let Some(more) = self.more().await? else {
                break;
            };
            self.ready = more;
        }
        Ok(self.ready.split_to(limit_bytes.min(self.ready.len())))
    }

    /// What comes next, which may be nothing; `None` at the end.
    async fn more(&mut self) -> Result<Option<bytes::Bytes>> {
        if let Some(source) = &mut self.source {
            let piece = source.reader.next(PIECE_BYTES).await?;
            if piece.is_empty() {
                self.source = None;
                return Ok(Some(piece));
            }
            return Ok(Some(match source.is_base64 {
                true => encoded(&piece, std::mem::replace(&mut source.is_begun, true)),
                false => piece,
            }));
        }
        let Some(segment) = self.segments.get(self.place) else {
            return Ok(None);
        };
        self.place += 1;
        let (octets, source) = match (segment, self.form) {
            (Segment::Octets(octets), _) => (octets.clone(), None),
            (Segment::BinaryOnly(_), Form::Base64) => (bytes::Bytes::new(), None),
            (Segment::BinaryOnly(text), Form::Binary) => {
                (bytes::Bytes::from_static(text.as_bytes()), None)
            }
            (Segment::AsIs(source), _) => (bytes::Bytes::new(), Some(source)),
            (Segment::Encoded(source), Form::Base64) => {
                (bytes::Bytes::from_static(BASE64), Some(source))
            }
            (Segment::Encoded(source), Form::Binary) => {
                (bytes::Bytes::from_static(BINARY), Some(source))
            }
        };
        if let Some(source) = source {
            self.source = Some(UnderWay {
                reader: source.open().await?,
                is_base64: self.form == Form::Base64 && matches!(segment, Segment::Encoded(_)),
                is_begun: false,
            });
        }
        Ok(Some(octets))
    }
}

impl fmt::Debug for BodyReader {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("BodyReader")
            .field("place", &self.place)
            .finish_non_exhaustive()
    }
}

/// A piece as lines of base64, behind the line that came before.
fn encoded(piece: &[u8], is_begun: bool) -> bytes::Bytes {
    let line_end = if is_begun { CRLF } else { b"" };
    let mut lines = String::with_capacity(CRLF.len() + base64::encoded_len(piece.len()));
    lines.push_str(str::from_utf8(line_end).unwrap_or_default());
    base64::encode(piece, &mut lines).expect("a String has room for every text");
    lines.into_bytes().into()
}

/// Whole lines of base64: so much is read from a file at a time, a quarter of a megabyte.
pub(super) const PIECE_BYTES: usize = 57 * 4096;
