//! One SMTP session: which command is allowed when, and what it is answered.
//! Order of replies and their texts are those of `smtp.office365.com`.

use std::io;
use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::sync::Arc;

use tokio::net::TcpStream;

use super::access::{Denial, Login};
use super::auth;
use super::command::{Command, PathAndParameters, is_address};
use super::limits::Connection;
use super::reply::{ANNOUNCED_SIZE_BYTES, Voice};
use super::submission::{Submission, Transaction};
use super::wire::{Content, Line, Wire};
use crate::catalogue::Reply;
use crate::catalogue::replies;
use crate::cloud::Cloud;
use crate::faults::{Effect, Phase};
use crate::inbox::RefusedRecipient;

/// A client's session from banner to QUIT.
#[derive(Debug)]
pub(super) struct Session {
    cloud: Arc<Cloud>,
    wire: Wire,
    voice: Voice,
    ehlo: Option<String>,
    tls: Option<String>,
    signed_in: Option<(Login, Connection)>,
    transaction: Option<Transaction>,
}

/// Whether the session goes on.
type Outcome = io::Result<ControlFlow<()>>;

const GO_ON: Outcome = Ok(ControlFlow::Continue(()));
const CLOSE: Outcome = Ok(ControlFlow::Break(()));

impl Session {
    pub(super) fn new(cloud: Arc<Cloud>, stream: TcpStream, client: SocketAddr) -> Self {
        let voice = Voice {
            session_id: format!("08DD{}", cloud.random.hex(12)),
            client: client.ip(),
        };
        let wire = Wire::new(stream);
        Self {
            cloud,
            wire,
            voice,
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
            self.voice.extended_hello(self.wire.is_encrypted())
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

    async fn auth(&mut self, mechanism: &str, initial_response: Option<String>) -> Outcome {
        if let Some(outcome) = self.struck_at_auth(Phase::Auth).await? {
            return Ok(outcome);
        }
        if self.ehlo.is_none() {
            return self.answer(&replies::SEND_HELLO_FIRST);
        }
        if self.signed_in.is_some() || self.transaction.is_some() {
            return self.answer(&replies::BAD_SEQUENCE);
        }
        match mechanism {
            "XOAUTH2" if self.wire.is_encrypted() => self.auth_xoauth2(initial_response).await,
            "LOGIN" if self.wire.is_encrypted() => self.auth_login(initial_response).await,
            _ => self.answer(&replies::UNRECOGNIZED_AUTHENTICATION_TYPE),
        }
    }

    async fn auth_xoauth2(&mut self, initial_response: Option<String>) -> Outcome {
        let Some(response) = self
            .response(initial_response, &replies::EMPTY_CHALLENGE)
            .await?
        else {
            return self.answer(&replies::AUTHENTICATION_CANCELLED);
        };
        if let Some(outcome) = self.struck_at_auth(Phase::AuthResponse).await? {
            return Ok(outcome);
        }
        let login = auth::xoauth2(&self.cloud, &response);
        self.sign_in(login)
    }

    async fn auth_login(&mut self, initial_response: Option<String>) -> Outcome {
        let Some(user) = self
            .response(initial_response, &replies::USERNAME_PROMPT)
            .await?
        else {
            return self.answer(&replies::AUTHENTICATION_CANCELLED);
        };
        let Some(password) = self.response(None, &replies::PASSWORD_PROMPT).await? else {
            return self.answer(&replies::AUTHENTICATION_CANCELLED);
        };
        if let Some(outcome) = self.struck_at_auth(Phase::AuthResponse).await? {
            return Ok(outcome);
        }
        let text = |response: &str| {
            auth::decoded(response).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        };
        let (Some(user), Some(password)) = (text(&user), text(&password)) else {
            return self.answer(&replies::INVALID_AUTH_DATA);
        };
        let login = auth::password(&self.cloud, &user, &password);
        self.sign_in(login)
    }

    /// The initial response if there is one, otherwise the client's answer to a challenge; `None` if it cancels.
    async fn response(
        &mut self,
        initial: Option<String>,
        challenge: &'static Reply,
    ) -> io::Result<Option<String>> {
        if let Some(initial) = initial {
            // RFC 4954: a single "=" stands for an empty initial response.
            return Ok(Some(if initial == "=" {
                String::new()
            } else {
                initial
            }));
        }
        let _ = self.answer(challenge)?;
        Ok(match self.wire.line().await? {
            Line::Text(line) if line == b"*" => None,
            Line::Text(line) => Some(String::from_utf8_lossy(&line).into_owned()),
            Line::TooLong => Some(String::new()),
        })
    }

    fn sign_in(&mut self, login: Result<Login, Denial>) -> Outcome {
        match login {
            Ok(login) => {
                let connection = Connection::open(&self.cloud, &login.mailbox.address);
                self.signed_in = Some((login, connection));
                self.answer(&replies::AUTHENTICATED)
            }
            Err(denial) => {
                self.cloud.refusals.note(&denial.reason);
                self.answer(denial.reply)
            }
        }
    }

    async fn mail(&mut self, path: PathAndParameters) -> Outcome {
        if let Some(outcome) = self.struck(Phase::Mail).await? {
            return Ok(outcome);
        }
        if let Some(refusal) = self.mail_refusal(&path) {
            return self.answer(refusal);
        }
        self.transaction = Some(Transaction {
            binary: path
                .parameter("BODY")
                .is_some_and(|body| body.eq_ignore_ascii_case("BINARYMIME")),
            sender: path.address,
            parameters: path.parameters,
            ..Transaction::default()
        });
        self.answer(&replies::SENDER_OK)
    }

    fn mail_refusal(&self, path: &PathAndParameters) -> Option<&'static Reply> {
        if self.ehlo.is_none() {
            return Some(&replies::SEND_HELLO_FIRST);
        }
        if !self.wire.is_encrypted() {
            return Some(&replies::STARTTLS_FIRST);
        }
        if self.signed_in.is_none() {
            return Some(&replies::NOT_AUTHENTICATED);
        }
        if self.transaction.is_some() {
            return Some(&replies::SENDER_ALREADY_SPECIFIED);
        }
        if !has_sound_mail_parameters(path) {
            return Some(&replies::INVALID_ARGUMENTS);
        }
        if !path.address.is_empty()
            && !is_permitted_address(&path.address, path.parameter("SMTPUTF8").is_some())
        {
            return Some(&replies::INVALID_SENDER_ADDRESS);
        }
        let declared = path
            .parameter("SIZE")
            .and_then(|size| size.parse::<usize>().ok());
        let too_large = declared.is_some_and(|size_bytes| size_bytes > self.message_limit_bytes());
        too_large.then_some(&replies::MESSAGE_TOO_LARGE)
    }

    async fn rcpt(&mut self, path: PathAndParameters) -> Outcome {
        if let Some(effect) = self.strike(Phase::Rcpt).await? {
            self.refuse_recipient(&path.address, &effect);
            return self.say(&effect);
        }
        let Some(transaction) = &mut self.transaction else {
            return self.answer(&replies::NEED_MAIL_COMMAND);
        };
        let international = transaction
            .parameters
            .iter()
            .any(|parameter| parameter.eq_ignore_ascii_case("SMTPUTF8"));
        let too_many =
            transaction.accepted.len() >= self.cloud.limits.allowed().recipients_per_message;
        if path.unknown_parameter(&["NOTIFY", "ORCPT"]).is_some() {
            return self.answer(&replies::INVALID_ARGUMENTS);
        }
        if is_permitted_address(&path.address, international) && !too_many {
            if let Some(refusal) = self.recipient_refusal(&path.address) {
                self.refuse_recipient(&path.address, &refusal);
                return self.say(&refusal);
            }
            if let Some(transaction) = &mut self.transaction {
                transaction.accepted.push(path.address);
            }
            return self.answer(&replies::RECIPIENT_OK);
        }
        let reply = if too_many {
            &replies::TOO_MANY_RECIPIENTS
        } else {
            &replies::INVALID_RECIPIENT_ADDRESS
        };
        let refusal = self.voice.say(&self.cloud, reply, &[]);
        self.refuse_recipient(&path.address, &refusal);
        self.say(&refusal)
    }

    /// What a sound recipient is refused with: a reply set for it, or that it is unknown in one of our domains.
    fn recipient_refusal(&self, address: &str) -> Option<String> {
        let blanks = [("recipient", address)];
        if let Some(set) = self.cloud.directory.recipient_refusal(address) {
            return Some(
                Reply::named(&set).map_or(set, |reply| self.voice.say(&self.cloud, reply, &blanks)),
            );
        }
        let (_, domain) = address.rsplit_once('@')?;
        let is_ours = self
            .cloud
            .directory
            .tenant(domain)
            .is_some_and(|tenant| tenant.accepts(domain));
        let exists = self
            .cloud
            .directory
            .user(address)
            .is_some_and(|user| user.has_mailbox());
        (is_ours && !exists).then(|| {
            self.voice
                .say(&self.cloud, &replies::RECIPIENT_NOT_FOUND, &blanks)
        })
    }

    fn refuse_recipient(&mut self, address: &str, reply: &str) {
        if let Some(transaction) = &mut self.transaction {
            transaction.refused.push(RefusedRecipient {
                address: address.to_owned(),
                reply: reply.to_owned(),
            });
        }
    }

    async fn data(&mut self) -> Outcome {
        if let Some(outcome) = self.struck(Phase::Data).await? {
            return Ok(outcome);
        }
        match &self.transaction {
            None => return self.answer(&replies::NEED_MAIL_COMMAND),
            Some(transaction) if transaction.accepted.is_empty() => {
                return self.answer(&replies::NEED_RCPT_COMMAND);
            }
            Some(transaction) if transaction.binary => {
                return self.answer(&replies::BINARYMIME_NEEDS_BDAT);
            }
            Some(transaction) if transaction.chunks.is_some() => {
                return self.answer(&replies::BAD_SEQUENCE);
            }
            Some(_) => {}
        }
        let _ = self.answer(&replies::START_MAIL_INPUT)?;
        let content = self.wire.content(self.message_limit_bytes()).await?;
        self.finish(content).await
    }

    async fn bdat(&mut self, size_bytes: usize, last: bool) -> Outcome {
        let so_far = self
            .transaction
            .as_ref()
            .and_then(|transaction| transaction.chunks.as_ref())
            .map_or(0, Vec::len);
        // The chunk is read whatever becomes of it: it is already on its way (RFC 3030).
        let chunk = self
            .wire
            .chunk(
                size_bytes,
                self.message_limit_bytes().saturating_sub(so_far),
            )
            .await?;
        let Some(transaction) = &mut self.transaction else {
            return self.answer(&replies::NEED_MAIL_COMMAND);
        };
        if transaction.accepted.is_empty() {
            return self.answer(&replies::NEED_RCPT_COMMAND);
        }
        let chunks = transaction.chunks.get_or_insert_default();
        match chunk {
            Content::Complete(chunk) => chunks.extend_from_slice(&chunk),
            Content::TooLarge => return self.finish(Content::TooLarge).await,
        }
        if last {
            let content = Content::Complete(std::mem::take(chunks));
            return self.finish(content).await;
        }
        if let Some(outcome) = self.struck(Phase::Bdat).await? {
            return Ok(outcome);
        }
        self.answer_with(
            &replies::CHUNK_RECEIVED,
            &[("size", &size_bytes.to_string())],
        )
    }

    /// The content is complete: the transaction ends, whatever the verdict.
    async fn finish(&mut self, content: Content) -> Outcome {
        let transaction = self.transaction.take().unwrap_or_default();
        if let Some(outcome) = self.struck(Phase::DataEnd).await? {
            return Ok(outcome);
        }
        let Content::Complete(mime) = content else {
            return self.answer(&replies::MESSAGE_TOO_LARGE);
        };
        let Some((login, connection)) = &self.signed_in else {
            return self.answer(&replies::NOT_AUTHENTICATED);
        };
        let submission = Submission {
            transaction,
            mime,
            login,
            connection,
            client: self.voice.client,
            ehlo: self.ehlo.clone().unwrap_or_default(),
            tls: self.tls.clone(),
        };
        let (reply, blanks) = submission.decide(&self.cloud);
        let blanks: Vec<(&str, &str)> = blanks
            .iter()
            .map(|(blank, value)| (*blank, value.as_str()))
            .collect();
        self.answer_with(reply, &blanks)
    }

    async fn quit(&mut self) -> Outcome {
        if let Some(outcome) = self.struck(Phase::Quit).await? {
            return Ok(outcome);
        }
        let _ = self.answer(&replies::CLOSING)?;
        CLOSE
    }

    /// A fault at this phase, answered; `None` if there is none.
    async fn struck(&mut self, phase: Phase) -> io::Result<Option<ControlFlow<()>>> {
        match self.strike(phase).await? {
            Some(reply) => self.say(&reply).map(Some),
            None => Ok(None),
        }
    }

    /// The same for AUTH, where a challenge must be answered by the client before the verdict.
    async fn struck_at_auth(&mut self, phase: Phase) -> io::Result<Option<ControlFlow<()>>> {
        let outcome = match self.strike(phase).await? {
            None => return Ok(None),
            Some(reply) if reply.starts_with("334") => {
                self.wire.write(&reply);
                self.wire.line().await?;
                self.answer(&replies::AUTHENTICATION_UNSUCCESSFUL)
            }
            Some(reply) => self.say(&reply),
        };
        outcome.map(Some)
    }

    /// The reply a fault demands at this phase.
    async fn strike(&mut self, phase: Phase) -> io::Result<Option<String>> {
        // A stalled or delayed client must at least have seen the earlier replies.
        self.wire.flush().await?;
        match self.cloud.faults.strike(phase).await {
            Some(Effect::Named(name)) => {
                Ok(Reply::named(&name).map(|reply| self.voice.say(&self.cloud, reply, &[])))
            }
            Some(Effect::Reply(reply)) => Ok(Some(reply)),
            Some(Effect::Cut) => Err(io::ErrorKind::ConnectionAborted.into()),
            _ => Ok(None),
        }
    }

    fn answer(&mut self, reply: &Reply) -> Outcome {
        self.answer_with(reply, &[])
    }

    fn answer_with(&mut self, reply: &Reply, blanks: &[(&str, &str)]) -> Outcome {
        let text = self.voice.say(&self.cloud, reply, blanks);
        self.say(&text)
    }

    /// Queues a reply; a 421 announces that the server closes the connection.
    fn say(&mut self, text: &str) -> Outcome {
        self.wire.write(text);
        if text.starts_with("421") {
            CLOSE
        } else {
            GO_ON
        }
    }

    fn message_limit_bytes(&self) -> usize {
        self.cloud
            .limits
            .allowed()
            .message_bytes
            .min(ANNOUNCED_SIZE_BYTES)
    }
}

/// A domain name or an address literal; Exchange refuses computer names with blanks and apostrophes.
fn is_hello_name(name: &str) -> bool {
    let is_character =
        |character: char| character.is_ascii_alphanumeric() || "-._:[]".contains(character);
    !name.is_empty() && name.len() <= 255 && name.chars().all(is_character)
}

fn is_permitted_address(address: &str, international: bool) -> bool {
    is_address(address) && (international || address.is_ascii())
}

fn has_sound_mail_parameters(path: &PathAndParameters) -> bool {
    let one_of = |name: &str, values: &[&str]| {
        path.parameter(name)
            .is_none_or(|value| values.iter().any(|known| known.eq_ignore_ascii_case(value)))
    };
    path.unknown_parameter(&["SIZE", "BODY", "SMTPUTF8", "RET", "ENVID", "AUTH"])
        .is_none()
        && path
            .parameter("SIZE")
            .is_none_or(|size| size.parse::<u64>().is_ok())
        && one_of("BODY", &["7BIT", "8BITMIME", "BINARYMIME"])
        && one_of("RET", &["FULL", "HDRS"])
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
