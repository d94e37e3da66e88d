//! A stream with deadlines: whole flights out, whole replies in.
//! Knows the form of replies but not what they mean, and never waits without a limit.
//!
//! While it writes it also reads, so that a server that answers before it has taken everything neither blocks both
//! sides nor loses its answer. What the server says out of turn is never taken for the answer to a later command.

use super::reply::{ReplyParser, words};
use crate::diagnosis::{SmtpPhase, problem, smtp_refusal};
use crate::error::{Error, Result};
use crate::host::{Clock, Stream, client_certificate_refusal, within};
use crate::model::{ProblemKind, SmtpReply};
use crate::secret::SecretText;
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead as _, AsyncWrite as _, AsyncWriteExt as _, ReadBuf};

/// A connection to an SMTP server.
pub(super) struct Connection {
    stream: Box<dyn Stream>,
    replies: ReplyParser,
    clock: Arc<dyn Clock>,
    host: String,
    reply_limit: Duration,
    concealed: Vec<SecretText>,
    is_given_up: bool,
}

/// A flight that could not be sent.
#[derive(Debug)]
pub(super) struct Unsent {
    /// Why.
    pub(super) error: Error,
    /// How many of its octets the stream did not take; with zero left, the server may have all of them.
    pub(super) left_bytes: usize,
}

impl Connection {
    /// Takes a connected stream. `reply_limit` is for each reply and each flight.
    pub(super) fn new(
        stream: Box<dyn Stream>,
        host: &str,
        clock: Arc<dyn Clock>,
        reply_limit: Duration,
    ) -> Self {
        Self {
            stream,
            replies: ReplyParser::default(),
            clock,
            host: host.to_owned(),
            reply_limit,
            concealed: Vec::new(),
            is_given_up: false,
        }
    }

    /// The address of this end, where the stream has one.
    pub(super) fn local_address(&self) -> Option<SocketAddr> {
        self.stream.local_address()
    }

    /// Hides a secret and every long piece of it wherever a server repeats it in its replies.
    pub(super) fn conceal(&mut self, secret: SecretText) {
        self.concealed.push(secret);
    }

    /// Sends one command and waits for its reply. `command` names it in errors, without its arguments.
    pub(super) async fn ask(&mut self, command: &str, line: &str) -> Result<SmtpReply> {
        self.send(line.as_bytes()).await?;
        self.ordinary_reply(command).await
    }

    /// Waits for the next whole reply, however slowly it arrives, until the limit.
    pub(super) async fn reply(&mut self, awaited: &str, limit: Duration) -> Result<SmtpReply> {
        let clock = self.clock.clone();
        let reply = within(&*clock, limit, self.next_reply(awaited)).await;
        let too_slow = || Err(too_slow(&self.host, &format!("answer to {awaited}"), limit));
        let reply = reply.unwrap_or_else(too_slow);
        self.is_given_up |= reply.is_err();
        reply
    }

    /// As [`Connection::reply`], with the limit for ordinary replies.
    pub(super) async fn ordinary_reply(&mut self, awaited: &str) -> Result<SmtpReply> {
        self.reply(awaited, self.reply_limit).await
    }

    /// Sends a flight in one piece. Refuses to when the server has spoken out of turn.
    pub(super) async fn send(&mut self, flight: &[u8]) -> Result<()> {
        self.must_be_silent().await?;
        match self.write(flight).await {
            // The server has said why it goes: whoever reads the next reply learns it.
            Err(_) if self.has_unread() => Ok(()),
            Err(unsent) => Err(unsent.error),
            Ok(()) => Ok(()),
        }
    }

    /// Sends part of a message. What the server says meanwhile is for [`Connection::early_reply`].
    pub(super) async fn write(&mut self, octets: &[u8]) -> Result<(), Unsent> {
        let clock = self.clock.clone();
        let limit = self.reply_limit;
        let mut left = octets;
        let written = poll_fn(|context| self.poll_write(context, &mut left));
        let written = within(&*clock, limit, written).await;
        let left_bytes = left.len();
        self.is_given_up |= !matches!(written, Some(Ok(())));
        let error = match written {
            Some(Ok(())) => return Ok(()),
            Some(Err(error)) => lost(&self.host, "everything was sent", error),
            None => too_slow(&self.host, "acceptance of what is sent", limit),
        };
        Err(Unsent { error, left_bytes })
    }

    /// A whole reply that is here although nobody waits for one. Looks, and does not wait.
    pub(super) async fn early_reply(&mut self) -> Result<Option<SmtpReply>> {
        let looked = poll_fn(|context| Poll::Ready(self.poll_early(context))).await;
        match looked {
            // What was said before the end comes first.
            Err(error) if !self.has_unread() => Err(lost(&self.host, "everything was sent", error)),
            _ => self.parsed_reply(),
        }
    }

    /// Waits until the server says something, or ends the connection. Nobody asked it to: the connection is given up.
    pub(super) async fn spoken_to(&mut self) {
        if !self.has_unread() {
            let _ = poll_fn(|context| self.poll_fill(context)).await;
        }
        self.give_up();
    }

    /// Whether the server has said something that was not read yet.
    pub(super) fn has_unread(&self) -> bool {
        !self.replies.is_empty()
    }

    /// Fails if the server has said something that nobody asked for, be it half a reply.
    pub(super) async fn must_be_silent(&mut self) -> Result<()> {
        let early = self.early_reply().await?;
        if early.is_none() && !self.has_unread() {
            return Ok(());
        }
        Err(match early {
            // A server that shuts down says so without being asked (RFC 5321 section 3.8).
            Some(reply) if reply.code >= 400 => {
                smtp_refusal(&self.host, SmtpPhase::Session, &reply)
            }
            Some(reply) => {
                violation(&self.host, "a reply that nobody asked for").with_answer(words(&reply))
            }
            None => violation(&self.host, "a reply that nobody asked for"),
        })
    }

    /// Gives the stream back. Octets left over are lost: look at [`Connection::has_unread`] before.
    pub(super) fn into_stream(self) -> Box<dyn Stream> {
        self.stream
    }

    /// Notes that the server does not wait for a command any more.
    pub(super) fn give_up(&mut self) {
        self.is_given_up = true;
    }

    /// Says QUIT, unless the connection is given up, and waits a short while for the answer. No failure matters any more.
    pub(super) async fn quit(mut self) {
        if self.is_given_up {
            return;
        }
        let clock = self.clock.clone();
        let goodbye = async {
            if self.send(b"QUIT\r\n").await.is_ok() {
                let _ = self.next_reply("QUIT").await;
                let _ = self.stream.shutdown().await;
            }
        };
        let _ = within(&*clock, QUIT_LIMIT, goodbye).await;
    }

    async fn next_reply(&mut self, awaited: &str) -> Result<SmtpReply> {
        loop {
            if let Some(reply) = self.parsed_reply()? {
                // The text stays out: a server may repeat in it whom the mail is for.
                tracing::debug!(awaited, code = reply.code, status = reply.enhanced_status);
                return Ok(reply);
            }
            let filled = poll_fn(|context| self.poll_fill(context)).await;
            let before = || format!("the answer to {awaited}");
            filled.map_err(|error| lost(&self.host, &before(), error))?;
        }
    }

    fn parsed_reply(&mut self) -> Result<Option<SmtpReply>> {
        let reply = self.replies.next_reply();
        let reply = reply.map_err(|malformed| violation(&self.host, malformed))?;
        Ok(reply.map(|reply| self.without_secrets(reply)))
    }

    fn without_secrets(&self, mut reply: SmtpReply) -> SmtpReply {
        for secret in &self.concealed {
            // Exposed to be looked for.
            reply.text = without_pieces(&reply.text, secret.expose());
        }
        reply
    }

    /// Reads what is there.
    fn poll_fill(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut octets = [0; READ_BYTES];
        let mut buffer = ReadBuf::new(&mut octets);
        ready!(Pin::new(&mut self.stream).poll_read(context, &mut buffer))?;
        if buffer.filled().is_empty() {
            return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
        }
        self.replies.push(buffer.filled());
        Poll::Ready(Ok(()))
    }

    /// Reads all that is there, within bounds.
    fn poll_early(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        while self.replies.waiting_bytes() < MAX_EARLY_BYTES {
            match self.poll_fill(context) {
                Poll::Ready(filled) => filled?,
                Poll::Pending => break,
            }
        }
        Ok(())
    }

    /// Writes and flushes all of `left`. While the server does not take it, what it says is read: otherwise each could
    /// wait for the other to read.
    fn poll_write(&mut self, context: &mut Context<'_>, left: &mut &[u8]) -> Poll<io::Result<()>> {
        while !left.is_empty() {
            match Pin::new(&mut self.stream).poll_write(context, left) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(written) => *left = left.get(written?..).unwrap_or_default(),
                Poll::Pending => {
                    self.poll_early(context)?;
                    return Poll::Pending;
                }
            }
        }
        Pin::new(&mut self.stream).poll_flush(context)
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Connection")
            .field("host", &self.host)
            .finish_non_exhaustive()
    }
}

/// The error for a server that says what is no part of the dialogue.
pub(super) fn violation(host: &str, what: impl fmt::Display) -> Error {
    let text = format!("{host} does not speak SMTP as it should: it sent {what}");
    problem("smtp-protocol-violation", text)
}

/// The error for a server that is silent or too slow.
fn too_slow(host: &str, awaited: &str, limit: Duration) -> Error {
    Error::new(
        ProblemKind::Unavailable,
        "reply-timeout",
        format!(
            "no {awaited} from {host} within {} seconds",
            limit.as_secs_f64()
        ),
        "try again later; if it goes on, look for a firewall or scanner that holds the connection up",
    )
}

fn lost(host: &str, before: &str, error: io::Error) -> Error {
    if let Some(refusal) = client_certificate_refusal(host, &error) {
        return refusal.with_source(error);
    }
    Error::new(
        ProblemKind::Unavailable,
        "connection-lost",
        format!(
            "the connection to {host} was lost before {before}: {}",
            error.kind()
        ),
        "try again later; if it goes on, look for a firewall or scanner that cuts connections",
    )
    .with_source(error)
}

/// Replaces every word of a text that shares a long piece with a secret.
fn without_pieces(text: &str, secret: &str) -> String {
    let is_of_token = |c: char| c.is_ascii_alphanumeric() || "+/=-_.".contains(c);
    let mut kept = String::with_capacity(text.len());
    for run in text.split_inclusive(|c| !is_of_token(c)) {
        let word = run.trim_end_matches(|c| !is_of_token(c));
        kept.push_str(if shares_piece(word, secret) {
            "***"
        } else {
            word
        });
        kept.push_str(run.strip_prefix(word).unwrap_or_default());
    }
    kept
}

fn shares_piece(word: &str, secret: &str) -> bool {
    let pieces = word.as_bytes().windows(LEAST_CONCEALED_BYTES);
    let mut pieces = pieces.filter_map(|piece| std::str::from_utf8(piece).ok());
    pieces.any(|piece| secret.contains(piece))
}

/// How long a goodbye may take. The mail is decided by then: this only spares the server a broken connection.
const QUIT_LIMIT: Duration = Duration::from_secs(1);
const READ_BYTES: usize = 4096;
/// How much a server may say before it is asked. Beyond it, it has to wait until its replies are read.
const MAX_EARLY_BYTES: usize = 64 * 1024;
/// Shorter pieces of a secret are no secret, and could be ordinary words.
const LEAST_CONCEALED_BYTES: usize = 12;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::SystemClock;
    use tokio::io::{AsyncBufReadExt as _, BufReader, DuplexStream};

    impl Stream for DuplexStream {
        fn local_address(&self) -> Option<SocketAddr> {
            None
        }
    }

    #[tokio::test]
    async fn a_long_flight_goes_through_to_a_server_that_waits_for_its_replies_to_be_read() {
        let (client, server) = tokio::io::duplex(64);
        let clock = Arc::new(SystemClock::default());
        let limit = Duration::from_secs(60);
        let mut connection = Connection::new(Box::new(client), "host", clock, limit);
        let server = tokio::spawn(async move {
            let mut server = BufReader::new(server);
            let mut line = String::new();
            for _ in 0..1000 {
                server.read_line(&mut line).await.unwrap();
                server
                    .write_all(b"250 2.1.5 Recipient OK\r\n")
                    .await
                    .unwrap();
            }
            line
        });
        let flight = "RCPT TO:<b@example.com>\r\n".repeat(1000);
        connection.send(flight.as_bytes()).await.unwrap();
        for _ in 0..1000 {
            assert_eq!(connection.ordinary_reply("RCPT").await.unwrap().code, 250);
        }
        assert_eq!(server.await.unwrap(), flight);
        assert!(!connection.has_unread());
    }

    #[test]
    fn hides_pieces_of_a_secret_and_nothing_else() {
        fn check(text: &str, expected: &str) {
            let secret = "dXNlcj1hQGIBYXV0aD1CZWFyZXIgZXlKMGVYQQEB";
            assert_eq!(without_pieces(text, secret), expected);
        }
        check("unrecognized command", "unrecognized command");
        check(
            "no 'dXNlcj1hQGIBYXV0aD1C' here\nagain",
            "no '***' here\nagain",
        );
        check("<dXNlcj1hQGIBYXV0aD1CZWFyZXIgZXlKMGVYQQEB>", "<***>");
        check("AUTH=XlcjYXV0aD1CZWFyZXIgjX, \u{fc}", "***, \u{fc}");
        check("dXNlcj1hQGI", "dXNlcj1hQGI");
        check("", "");
    }
}
