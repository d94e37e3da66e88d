//! The beginning of a session with an SMTP server: opened over TLS and signed in; `conversation` goes on from there.
//! Decides nothing about retries, and sends neither token nor mail before TLS with a checked certificate.

use super::auth::{AuthDialogue, Identity, Mechanism, Refusal, Turn, line_limit_bytes};
use super::connection::{Connection, violation};
use super::extensions::{Extensions, address_literal, checked_ehlo_name};
use super::journal::Journal;
use super::opening::Opening;
use super::password::PasswordDialogue;
use super::reply::words;
use crate::diagnosis::{SmtpPhase, password_refusal, smtp_refusal};
use crate::error::{Error, Result};
use crate::model::{ProblemKind, SmtpReply, SmtpSecurity};
use crate::secret::SecretText;
use crate::transport::{Password, SmtpRoute};
use std::sync::Arc;

/// An open session, from EHLO after TLS on.
#[derive(Debug)]
pub(super) struct Session {
    route: Arc<SmtpRoute>,
    pub(super) connection: Connection,
    pub(super) extensions: Extensions,
    auth_line_limit_bytes: usize,
}

/// What the server thinks of a token.
#[derive(Debug)]
pub(super) enum SignIn {
    /// It took it.
    Accepted,
    /// It refused this one; another one may do better.
    TokenRefused(Error),
}

impl Session {
    /// Connects, starts TLS, and learns what the server offers. Errors: `Unavailable`, `Config`, and what `diagnosis`
    /// makes of a refusal.
    pub(super) async fn open(opening: &Opening<'_>, journal: &mut Journal) -> Result<Self> {
        let route = opening.route;
        let set_name = route
            .ehlo_name
            .as_deref()
            .map(checked_ehlo_name)
            .transpose()?;
        let stream = journal.step("connect", opening.connect()).await?;
        let (mut connection, name, greeting) = match route.security {
            SmtpSecurity::StartTls => {
                let mut plain = opening.connection(stream);
                let name = set_name.unwrap_or_else(|| address_literal(plain.local_address()));
                let greeting = opening.greeting(&mut plain);
                let greeting = journal.step("greeting", greeting).await?;
                let before_tls = opening.ehlo(&mut plain, &name);
                let before_tls = journal.step("EHLO", before_tls).await?;
                if !before_tls.starttls {
                    plain.quit().await;
                    return Err(no_starttls(&route.host));
                }
                let stream = journal.step("STARTTLS", opening.starttls(plain)).await?;
                let handshake = opening.handshake(stream);
                let (stream, tls) = journal.step("TLS handshake", handshake).await?;
                journal.trail.tls = Some(tls);
                // What was learnt before TLS is forgotten (RFC 3207 section 4.2), save for a hint at the length of lines:
                // a forged greeting makes AUTH take one step instead of two, and nothing else.
                (opening.connection(stream), name, greeting)
            }
            SmtpSecurity::ImplicitTls => {
                let handshake = opening.handshake(stream);
                let (stream, tls) = journal.step("TLS handshake", handshake).await?;
                journal.trail.tls = Some(tls);
                let mut connection = opening.connection(stream);
                let name = set_name.unwrap_or_else(|| address_literal(connection.local_address()));
                let greeting = opening.greeting(&mut connection);
                let greeting = journal.step("greeting", greeting).await?;
                (connection, name, greeting)
            }
        };
        let extensions = opening.ehlo(&mut connection, &name);
        let extensions = journal.step("EHLO", extensions).await?;
        Ok(Self {
            route: route.clone(),
            connection,
            extensions,
            auth_line_limit_bytes: line_limit_bytes(&greeting),
        })
    }

    /// Signs in with a password, which the server may have once. Errors: what `diagnosis` makes of a refusal, `Config`.
    pub(super) async fn sign_in_with(&mut self, password: &Password) -> Result<()> {
        let host = &self.route.host;
        let (mut dialogue, mut line) = PasswordDialogue::begin(
            host,
            self.extensions.auth.as_deref(),
            &password.username,
            &password.secret,
            self.auth_line_limit_bytes,
        )?;
        // Servers like to repeat what they do not understand.
        for secret in dialogue.secrets().cloned().collect::<Vec<_>>() {
            self.connection.conceal(secret);
        }
        self.connection.conceal((*password.secret).clone());
        loop {
            // Exposed because this is where it goes to the server, over TLS.
            let reply = self.connection.ask("AUTH", line.expose()).await?;
            match dialogue.answer(reply) {
                Turn::Say(next) => line = next,
                Turn::Accepted => return Ok(()),
                Turn::Refused(refusal) => return Err(password_refusal(host, &refusal.reply)),
                Turn::OutOfPlace(reply) => return Err(misfit(host, &reply)),
            }
        }
    }

    /// Signs in with a token. Errors: whatever another token would not change.
    pub(super) async fn sign_in(&mut self, token: &SecretText) -> Result<SignIn> {
        let host = &self.route.host;
        let identity = Identity {
            mailbox: &self.route.mailbox,
            host,
            port: self.route.port,
        };
        let mechanism = Mechanism::choose(host, self.extensions.auth.as_deref())?;
        let (mut dialogue, mut line) =
            AuthDialogue::begin(mechanism, identity, token, self.auth_line_limit_bytes)?;
        // Servers like to repeat what they do not understand.
        self.connection.conceal(dialogue.response().clone());
        self.connection.conceal(token.clone());
        loop {
            // Exposed because this is where it goes to the server, over TLS.
            let reply = match self.connection.ask("AUTH", line.expose()).await {
                Err(_) if dialogue.is_refused() => {
                    return Ok(SignIn::TokenRefused(hung_up(host, &dialogue)));
                }
                reply => reply?,
            };
            match dialogue.answer(reply) {
                Turn::Say(next) => line = next,
                Turn::Accepted => return Ok(SignIn::Accepted),
                Turn::Refused(refusal) => return refused(host, &dialogue, &refusal),
                Turn::OutOfPlace(reply) => return Err(misfit(host, &reply)),
            }
        }
    }

    /// Ends the session, politely where the server still listens. Takes a second at most.
    pub(super) async fn close(self) {
        self.connection.quit().await;
    }
}

fn refused(host: &str, dialogue: &AuthDialogue, refusal: &Refusal) -> Result<SignIn> {
    let error = smtp_refusal(host, SmtpPhase::Auth, &refusal.reply);
    let error = match dialogue.challenge() {
        Some(challenge) => error.with_answer(format!("{}; {challenge}", words(&refusal.reply))),
        None => error,
    };
    if refusal.is_of_token {
        Ok(SignIn::TokenRefused(error))
    } else {
        Err(error)
    }
}

/// The error for a server that refused with an error challenge and went without the reply that should follow.
fn hung_up(host: &str, dialogue: &AuthDialogue) -> Error {
    let error = Error::new(
        ProblemKind::SignIn,
        "token-refused",
        format!("{host} refused the access token and closed the connection"),
        "check that the account's mailbox is the one the token is for and may send by SMTP; then sign in again",
    );
    match dialogue.challenge() {
        Some(challenge) => error.with_answer(challenge.to_string()),
        None => error,
    }
}

fn misfit(host: &str, reply: &SmtpReply) -> Error {
    let what = format!("an answer to AUTH that fits nowhere ({})", reply.code);
    violation(host, what).with_answer(words(reply))
}

fn no_starttls(host: &str) -> Error {
    Error::new(
        ProblemKind::Config,
        "starttls-missing",
        format!("{host} does not offer STARTTLS, and credentials never leave over plaintext"),
        "set host and port of a submission server with STARTTLS (port 587); if they are right, look for a firewall \
         or scanner that takes STARTTLS out",
    )
}
