//! The bytes of one SMTP connection: lines, content and chunks in, replies out, TLS in between.
//! Replies are sent when more input is needed, so a pipelining client gets its answers in one piece.

use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// One connection.
#[derive(Debug)]
pub(super) struct Wire {
    stream: Stream,
    input: Vec<u8>,
    output: Vec<u8>,
}

/// A line of the client.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// Without its line break.
    Text(Vec<u8>),
    /// Longer than [`LONGEST_LINE_BYTES`]; it was read to its end and dropped.
    TooLong,
}

/// Content that arrived by DATA or BDAT.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// All of it, dot-unstuffed.
    Complete(Vec<u8>),
    /// More than the limit; it was read to its end and dropped.
    TooLarge,
}

#[derive(Debug)]
enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
    /// Between the two, or after a failed handshake.
    Closed,
}

impl Wire {
    pub(super) fn new(stream: TcpStream) -> Self {
        Self {
            stream: Stream::Plain(stream),
            input: Vec::new(),
            output: Vec::new(),
        }
    }

    /// Queues a reply; the line break is added.
    pub(super) fn write(&mut self, reply: &str) {
        self.output.extend_from_slice(reply.as_bytes());
        self.output.extend_from_slice(b"\r\n");
    }

    /// Sends what is queued.
    pub(super) async fn flush(&mut self) -> io::Result<()> {
        let output = std::mem::take(&mut self.output);
        match &mut self.stream {
            Stream::Plain(stream) => stream.write_all(&output).await,
            Stream::Tls(stream) => {
                stream.write_all(&output).await?;
                stream.flush().await
            }
            Stream::Closed => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    /// Sends what is queued and closes the connection in good order.
    pub(super) async fn close(mut self) -> io::Result<()> {
        self.flush().await?;
        match &mut self.stream {
            Stream::Plain(stream) => stream.shutdown().await,
            Stream::Tls(stream) => stream.shutdown().await,
            Stream::Closed => Ok(()),
        }
    }

    /// Whether TLS is active.
    pub(super) fn is_encrypted(&self) -> bool {
        matches!(self.stream, Stream::Tls(_))
    }

    /// Performs the TLS handshake and returns what was negotiated. Whatever the client sent ahead of it is dropped.
    pub(super) async fn start_tls(&mut self, acceptor: &TlsAcceptor) -> io::Result<String> {
        self.flush().await?;
        self.input.clear();
        let Stream::Plain(stream) = std::mem::replace(&mut self.stream, Stream::Closed) else {
            return Err(io::ErrorKind::NotConnected.into());
        };
        let stream = acceptor.accept(stream).await?;
        let (_, connection) = stream.get_ref();
        let version = connection
            .protocol_version()
            .and_then(|version| version.as_str())
            .unwrap_or("TLS");
        let suite = connection
            .negotiated_cipher_suite()
            .and_then(|suite| suite.suite().as_str())
            .unwrap_or_default();
        // rustls writes TLSv1_3 where everybody else writes TLSv1.3.
        let negotiated = format!("{} {suite}", version.replace('_', "."));
        self.stream = Stream::Tls(Box::new(stream));
        Ok(negotiated)
    }

    /// The next line; both CRLF and a bare LF end it.
    pub(super) async fn line(&mut self) -> io::Result<Line> {
        let mut searched = 0;
        let mut too_long = false;
        loop {
            if let Some(offset) = position(self.input.get(searched..), |byte| byte == b'\n') {
                let mut line: Vec<u8> = self.input.drain(..=searched + offset).collect();
                line.pop();
                if line.last() == Some(&b'\r') {
                    line.pop();
                }
                return Ok(if too_long {
                    Line::TooLong
                } else {
                    Line::Text(line)
                });
            }
            if self.input.len() > LONGEST_LINE_BYTES {
                too_long = true;
                self.input.clear();
            }
            searched = self.input.len();
            self.read_more().await?;
        }
    }

    /// Content up to CRLF `.` CRLF, dot-unstuffed. Only that very sequence ends it (no SMTP smuggling).
    pub(super) async fn content(&mut self, limit_bytes: usize) -> io::Result<Content> {
        // A line break in front lets an empty message end like any other.
        self.input.splice(..0, *b"\r\n");
        let mut searched = 0_usize;
        let mut too_large = false;
        loop {
            let from = searched.saturating_sub(END_OF_CONTENT.len());
            if let Some(end) =
                find(self.input.get(from..), END_OF_CONTENT).map(|offset| from + offset)
            {
                let mut raw: Vec<u8> = self.input.drain(..end + END_OF_CONTENT.len()).collect();
                // The line break before the dot belongs to the content, the rest does not.
                raw.truncate(end + 2);
                let complete = !too_large && raw.len() <= limit_bytes.saturating_add(2);
                return Ok(if complete {
                    Content::Complete(unstuffed(&raw))
                } else {
                    Content::TooLarge
                });
            }
            if self.input.len() > limit_bytes.saturating_add(READ_BYTES) {
                too_large = true;
                let keep_from = self.input.len() - END_OF_CONTENT.len();
                self.input.drain(..keep_from);
            }
            searched = self.input.len();
            self.read_more().await?;
        }
    }

    /// Exactly this many bytes.
    pub(super) async fn chunk(
        &mut self,
        size_bytes: usize,
        limit_bytes: usize,
    ) -> io::Result<Content> {
        if size_bytes <= limit_bytes {
            while self.input.len() < size_bytes {
                self.read_more().await?;
            }
            return Ok(Content::Complete(self.input.drain(..size_bytes).collect()));
        }
        let mut left = size_bytes;
        loop {
            let here = left.min(self.input.len());
            self.input.drain(..here);
            left -= here;
            if left == 0 {
                return Ok(Content::TooLarge);
            }
            self.read_more().await?;
        }
    }

    /// Drops whatever the client sends until it closes; returns that as the error.
    pub(super) async fn until_closed(&mut self) -> io::Error {
        loop {
            self.input.clear();
            if let Err(closed) = self.read_more().await {
                return closed;
            }
        }
    }

    async fn read_more(&mut self) -> io::Result<()> {
        self.flush().await?;
        self.input.reserve(READ_BYTES);
        let read = match &mut self.stream {
            Stream::Plain(stream) => stream.read_buf(&mut self.input).await?,
            Stream::Tls(stream) => stream.read_buf(&mut self.input).await?,
            Stream::Closed => 0,
        };
        if read == 0 {
            Err(io::ErrorKind::UnexpectedEof.into())
        } else {
            Ok(())
        }
    }
}

/// Whether there is a LF without CR before it, or a CR without LF behind it.
pub(super) fn has_bare_line_breaks(content: &[u8]) -> bool {
    let mut previous = 0;
    for &byte in content {
        if (byte == b'\n') != (previous == b'\r') {
            return true;
        }
        previous = byte;
    }
    previous == b'\r'
}

/// Without the leading line break of `raw`, and without the dots that were doubled for the transfer.
fn unstuffed(raw: &[u8]) -> Vec<u8> {
    let mut content = Vec::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(offset) = find(Some(rest), b"\r\n.") {
        let (line, after) = rest.split_at(offset + 2);
        content.extend_from_slice(line);
        rest = after.get(1..).unwrap_or_default();
    }
    content.extend_from_slice(rest);
    content.drain(..2.min(content.len()));
    content
}

fn position(bytes: Option<&[u8]>, matches: impl Fn(u8) -> bool) -> Option<usize> {
    bytes?.iter().position(|byte| matches(*byte))
}

fn find(bytes: Option<&[u8]>, sequence: &[u8]) -> Option<usize> {
    bytes?
        .windows(sequence.len())
        .position(|window| window == sequence)
}

const END_OF_CONTENT: &[u8] = b"\r\n.\r\n";

/// Far above the 512 octets of RFC 5321: an AUTH line with a token may have 16 KiB.
pub(super) const LONGEST_LINE_BYTES: usize = 64 * 1024;

const READ_BYTES: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubled_dots_are_single_again() {
        let check = |raw: &str, expected: &str| {
            assert_eq!(unstuffed(raw.as_bytes()), expected.as_bytes(), "{raw:?}")
        };
        check("\r\n", "");
        check("\r\na\r\n", "a\r\n");
        check("\r\n..\r\n", ".\r\n");
        check("\r\n..a\r\n...b\r\nc.\r\n", ".a\r\n..b\r\nc.\r\n");
        check("\r\na\n.b\r\n", "a\n.b\r\n");
    }

    #[test]
    fn bare_line_breaks_are_seen() {
        let check = |content: &str, expected| {
            assert_eq!(
                has_bare_line_breaks(content.as_bytes()),
                expected,
                "{content:?}"
            )
        };
        check("", false);
        check("a\r\nb\r\n", false);
        check("a\nb", true);
        check("a\rb", true);
        check("\n", true);
        check("a\r", true);
        check("a\r\r\n", true);
        check("a\r\n\n", true);
    }
}
