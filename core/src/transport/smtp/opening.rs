//! The steps that open a session, each with its deadline and its own errors.
//! Their order is `session`'s; nothing here knows of tokens or mail.

use super::connection::{Connection, violation};
use super::extensions::Extensions;
use super::reply::words;
use crate::diagnosis::{SmtpPhase, smtp_refusal};
use crate::error::{Error, Result};
use crate::host::{Clock, Network, Stream, within};
use crate::model::{ProblemKind, SmtpReply, TlsSession};
use crate::transport::SmtpRoute;
use std::sync::Arc;
use std::time::Duration;

/// Where to go and by what means.
#[derive(Clone, Copy, Debug)]
pub(super) struct Opening<'a> {
    /// Where to go.
    pub(super) route: &'a Arc<SmtpRoute>,
    /// Where connections come from.
    pub(super) network: &'a dyn Network,
    /// Where time comes from.
    pub(super) clock: &'a Arc<dyn Clock>,
}

impl Opening<'_> {
    /// Connects. Errors: `Unavailable`.
    pub(super) async fn connect(&self) -> Result<Box<dyn Stream>> {
        let SmtpRoute { host, port, .. } = &**self.route;
        let connecting = self.network.connect(host, *port, self.connect_limit());
        let connected = within(&**self.clock, self.connect_limit(), connecting).await;
        connected.unwrap_or_else(|| Err(self.no_connection()))
    }

    /// A connection over a stream.
    pub(super) fn connection(&self, stream: Box<dyn Stream>) -> Connection {
        let reply_limit = Duration::from_millis(self.route.timeouts.reply_ms);
        Connection::new(stream, &self.route.host, self.clock.clone(), reply_limit)
    }

    /// Waits for the greeting.
    pub(super) async fn greeting(&self, connection: &mut Connection) -> Result<SmtpReply> {
        let greeting = connection.ordinary_reply("the connection").await;
        let greeting = greeting.map_err(|error| match error.code() {
            "reply-timeout" => self.no_greeting(error),
            _ => error,
        })?;
        self.expect(220, SmtpPhase::Greeting, greeting)
    }

    /// Says EHLO.
    pub(super) async fn ehlo(&self, connection: &mut Connection, name: &str) -> Result<Extensions> {
        let reply = connection.ask("EHLO", &format!("EHLO {name}\r\n")).await?;
        let reply = self.expect(250, SmtpPhase::Session, reply)?;
        Ok(Extensions::parse(&reply))
    }

    /// Says STARTTLS, and gives back the stream for the handshake.
    ///
    /// Octets after the reply came in plaintext and would be read as if they came over TLS, so somebody put them there
    /// to be read so. RFC 3207 section 4.2 says to discard what was learnt; this connection is given up with it.
    pub(super) async fn starttls(&self, mut connection: Connection) -> Result<Box<dyn Stream>> {
        let reply = connection.ask("STARTTLS", "STARTTLS\r\n").await?;
        self.expect(220, SmtpPhase::Session, reply)?;
        if connection.has_unread() {
            return Err(injected(&self.route.host));
        }
        Ok(connection.into_stream())
    }

    /// Does the TLS handshake. Errors: `Unavailable`, `Config`.
    pub(super) async fn handshake(
        &self,
        stream: Box<dyn Stream>,
    ) -> Result<(Box<dyn Stream>, TlsSession)> {
        let host = &self.route.host;
        let handshake = self.network.start_tls(stream, host, &self.route.tls);
        let done = within(&**self.clock, self.connect_limit(), handshake).await;
        done.unwrap_or_else(|| Err(self.no_handshake()))
    }

    fn connect_limit(&self) -> Duration {
        Duration::from_millis(self.route.timeouts.connect_ms)
    }

    fn expect(&self, code: u16, phase: SmtpPhase, reply: SmtpReply) -> Result<SmtpReply> {
        match reply.code {
            found if found == code => Ok(reply),
            400.. => Err(smtp_refusal(&self.route.host, phase, &reply)),
            found => {
                let what = format!("{found} where {code} was due");
                Err(violation(&self.route.host, what).with_answer(words(&reply)))
            }
        }
    }

    fn no_connection(&self) -> Error {
        let SmtpRoute { host, port, .. } = &**self.route;
        let seconds = self.connect_limit().as_secs_f64();
        Error::new(
            ProblemKind::Unavailable,
            "network-blocked",
            format!("no connection to {host}:{port} within {seconds} seconds"),
            format!("let outbound TCP port {port} to {host} through the firewall or proxy"),
        )
    }

    /// The error for a server that says nothing at all. Where TLS comes first, a server waits for the client.
    fn no_greeting(&self, error: Error) -> Error {
        let SmtpRoute { host, port, .. } = &**self.route;
        let (kind, code, fix) = match port {
            465 => (
                ProblemKind::Config,
                "wrong-port-or-security",
                "set port 587: 465 is for TLS without STARTTLS".to_owned(),
            ),
            _ => (
                ProblemKind::Unavailable,
                "network-blocked",
                format!(
                    "look for a firewall or scanner that holds up port {port}; check host and port"
                ),
            ),
        };
        let text = format!("{host}:{port} takes connections but sends no greeting");
        Error::new(kind, code, text, fix).with_source(error)
    }

    fn no_handshake(&self) -> Error {
        let host = &self.route.host;
        let seconds = self.connect_limit().as_secs_f64();
        Error::new(
            ProblemKind::Unavailable,
            "tls-handshake-failed",
            format!("the TLS handshake with {host} was not over within {seconds} seconds"),
            "try again; if it goes on, look for a firewall or scanner that interferes with TLS",
        )
    }
}

fn injected(host: &str) -> Error {
    Error::new(
        ProblemKind::Unavailable,
        "starttls-injection",
        format!(
            "{host} sent more than its answer to STARTTLS: someone may be altering the connection"
        ),
        "use another network, and look for a proxy or virus scanner between this machine and the server",
    )
}
