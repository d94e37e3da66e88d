//! One SMTP session: which command is allowed when, and what it is answered.
//! Order of replies and their texts are those of `smtp.office365.com`.

use std::io;
use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::sync::Arc;

use tokio::net::TcpStream;

use super::access::Login;
use super::command::Command;
use super::limits::Connection;
use super::reply::Voice;
use super::service::SmtpService;
use super::submission::Transaction;
use super::wire::{Line, Wire};
use crate::catalogue::{Reply, replies};
use crate::cloud::Cloud;
use crate::faults::{Effect, Phase};

/// A client's session from banner to QUIT.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) cloud: Arc<Cloud>,
    pub(super) wire: Wire,
    pub(super) voice: Voice,
    pub(super) service: SmtpService,
    pub(super) ehlo: Option<String>,
    pub(super) tls: Option<String>,
    pub(super) signed_in: Option<(Login, Connection)>,
    pub(super) transaction: Option<Transaction>,
}

/// Whether the session goes on.
pub(super) type Outcome = io::Result<ControlFlow<()>>;

const GO_ON: Outcome = Ok(ControlFlow::Continue(()));
const CLOSE: Outcome = Ok(ControlFlow::Break(()));

impl Session {
    pub(super) fn new(
        cloud: Arc<Cloud>,
        stream: TcpStream,
        client: SocketAddr,
        service: SmtpService,
    ) -> Self {
        let voice = Voice {
            session_id: format!("08DD{}", cloud.random.hex(12)),
            client: client.ip(),
        };
        let wire = Wire::new(stream);
        Self {
            cloud,
            wire,
            voice,
            service,
            ehlo: None,
            tls: None,
            signed_in: None,
            transaction: None,
        }
    }

    /// Talks until the client leaves, a fault cuts the connection, or the connection breaks.
    pub(super) async fn run(mut self) -> io::Result<()> {
        if self.greet().await?.is_break() {
            return self.wire.close().await;
        }
        loop {
            let outcome = match self.wire.line().await? {
                Line::Text(line) => self.obey(Command::parse(&line)).await?,
                Line::TooLong => self.answer(&replies::LINE_TOO_LONG)?,
            };
            if outcome.is_break() {
                return self.wire.close().await;
            }
        }
    }

    async fn greet(&mut self) -> Outcome {
        for phase in [Phase::Connect, Phase::Banner] {
            if let Some(outcome) = self.struck(phase).await? {
                return Ok(outcome);
            }
        }
        let banner = self.voice.banner(&self.cloud);
        self.wire.write(&banner);
        GO_ON
    }

    async fn obey(&mut self, command: Command) -> Outcome {
        match command {
            Command::Hello { extended, name } => self.hello(extended, name).await,
            Command::StartTls => self.start_tls().await,
            Command::Auth {
                mechanism,
                initial_response,
            } => self.auth(&mechanism, initial_response).await,
            Command::Mail(path) => self.mail(path).await,
            Command::Rcpt(path) => self.rcpt(path).await,
            Command::Data => self.data().await,
            Command::Bdat { size_bytes, last } => self.bdat(size_bytes, last).await,
            Command::Rset => {
                self.transaction = None;
                self.answer(&replies::RESET)
            }
            Command::Noop => self.answer(&replies::NOOP),
            Command::Vrfy => self.answer(&replies::CANNOT_VERIFY),
            Command::Help => self.answer(&replies::HELP),
            Command::Quit => self.quit().await,
            Command::Malformed => self.answer(&replies::INVALID_ARGUMENTS),
            Command::Unknown(word) => {
                self.answer_with(&replies::UNRECOGNIZED_COMMAND, &[("command", &word)])
            }
        }
    }

    async fn hello(&mut self, extended: bool, name: String) -> Outcome {
        if let Some(outcome) = self.struck(Phase::Ehlo).await? {
            return Ok(outcome);
        }
        if !is_hello_name(&name) {
            return self.answer(&replies::INVALID_DOMAIN_NAME);
        }
        self.ehlo = Some(name);
        self.transaction = None;
        let hello = if extended {
            let mechanisms = self.service.mechanisms();
            let allowed = self.cloud.limits.allowed();
            self.voice
                .extended_hello(self.wire.is_encrypted(), mechanisms, allowed)
        } else {
            self.voice.hello()
        };
        self.wire.write(&hello);
        GO_ON
    }

    async fn start_tls(&mut self) -> Outcome {
        if let Some(outcome) = self.struck(Phase::Starttls).await? {
            return Ok(outcome);
        }
        if self.wire.is_encrypted() {
            return self.answer(&replies::TLS_ALREADY_ACTIVE);
        }
        if self.ehlo.is_none() {
            return self.answer(&replies::SEND_HELLO_FIRST);
        }
        let _ = self.answer(&replies::READY_FOR_TLS)?;
        self.wire.flush().await?;
        if let Some(outcome) = self.struck(Phase::AfterStarttls).await? {
            return Ok(outcome);
        }
        self.tls = Some(
            self.wire
                .start_tls(&self.cloud.certificates.acceptor)
                .await?,
        );
        // RFC 3207: all knowledge from before TLS is forgotten.
        self.ehlo = None;
        self.transaction = None;
        GO_ON
    }

    async fn quit(&mut self) -> Outcome {
        if let Some(outcome) = self.struck(Phase::Quit).await? {
            return Ok(outcome);
        }
        let _ = self.answer(&replies::CLOSING)?;
        CLOSE
    }

    /// A fault at this phase, answered; `None` if there is none.
    pub(super) async fn struck(&mut self, phase: Phase) -> io::Result<Option<ControlFlow<()>>> {
        match self.strike(phase).await? {
            Some(reply) => self.say(&reply).map(Some),
            None => Ok(None),
        }
    }

    /// The reply a fault demands at this phase.
    pub(super) async fn strike(&mut self, phase: Phase) -> io::Result<Option<String>> {
        if self.cloud.faults.wait_at(phase) {
            // A delayed, stalled or cut client must at least have seen the earlier replies.
            self.wire.flush().await?;
        }
        match self.cloud.faults.strike(phase).await {
            Some(Effect::Named(name)) => {
                Ok(Reply::named(&name).map(|reply| self.voice.say(&self.cloud, reply, &[])))
            }
            Some(Effect::Reply(reply)) => Ok(Some(reply)),
            Some(Effect::Cut) => Err(io::ErrorKind::ConnectionAborted.into()),
            // A client that gives up is noticed: its connection must not count against the mailbox any more.
            Some(Effect::Stall) => Err(self.wire.until_closed().await),
            _ => Ok(None),
        }
    }

    pub(super) fn answer(&mut self, reply: &Reply) -> Outcome {
        self.answer_with(reply, &[])
    }

    pub(super) fn answer_with(&mut self, reply: &Reply, blanks: &[(&str, &str)]) -> Outcome {
        let text = self.voice.say(&self.cloud, reply, blanks);
        self.say(&text)
    }

    /// Queues a reply; a 421 announces that the server closes the connection.
    pub(super) fn say(&mut self, text: &str) -> Outcome {
        self.wire.write(text);
        if text.starts_with("421") {
            CLOSE
        } else {
            GO_ON
        }
    }
}

/// A domain name or an address literal; Exchange refuses computer names with blanks and apostrophes.
fn is_hello_name(name: &str) -> bool {
    let is_character =
        |character: char| character.is_ascii_alphanumeric() || "-._:[]".contains(character);
    !name.is_empty() && name.len() <= 255 && name.chars().all(is_character)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hello_name_is_a_domain_or_an_address_literal() {
        let check = |name: &str, expected| assert_eq!(is_hello_name(name), expected, "{name}");
        check("client.example", true);
        check("localhost", true);
        check("[127.0.0.1]", true);
        check("[IPv6:::1]", true);
        check("", false);
        check("MacBook Pro", false);
        check("Anna\u{2019}s-MacBook", false);
    }
}
