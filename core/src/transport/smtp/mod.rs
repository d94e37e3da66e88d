//! Submission by SMTP (RFC 6409) with STARTTLS and an access token: one mail, one connection, one attempt.
//! Never repeats a mail; the one thing done twice is signing in, when the server refuses a token that can be renewed.
//!
//! `reply`, `extensions`, `auth`, `envelope`, `transaction` and `dot_stuffing` are pure: they see octets and decide.
//! `connection` moves octets under deadlines, `opening` and `session` put the two together.

pub(crate) mod auth;
mod connection;
mod dot_stuffing;
mod envelope;
mod extensions;
mod journal;
mod opening;
pub(crate) mod reply;
mod session;
mod transaction;

#[cfg(test)]
mod dialogue_tests;
#[cfg(test)]
mod hostile_tests;
#[cfg(test)]
mod testing;

use self::dot_stuffing::CrlfMessage;
use self::envelope::{Envelope, EnvelopeCommands};
use self::journal::Journal;
use self::opening::Opening;
use self::session::{Session, SignIn};
use self::transaction::{Submitted, not_tried};
use super::{Outcome, OutgoingMail, SmtpRoute, Transport};
use crate::error::{Error, Result};
use crate::host::{Clock, Network};
use crate::model::{TokenUse, Trail};
use crate::token::{AccessToken, TokenSource};
use async_trait::async_trait;
use std::sync::Arc;

/// Submits mail to one server as one mailbox.
///
/// Every wait has a deadline from the route's timeouts. Dropping a delivery closes its connection: the server has the
/// mail only if it had the end of data by then.
#[derive(Debug)]
pub(crate) struct SmtpTransport {
    route: SmtpRoute,
    network: Arc<dyn Network>,
    clock: Arc<dyn Clock>,
    tokens: Arc<dyn TokenSource>,
}

/// A session that was opened, as far as it went.
enum Opened<'a> {
    Ready(Box<Session<'a>>, EnvelopeCommands),
    TokenRefused(Error),
}

impl SmtpTransport {
    /// A road to the server of `route`.
    pub(crate) fn new(
        route: SmtpRoute,
        network: Arc<dyn Network>,
        clock: Arc<dyn Clock>,
        tokens: Arc<dyn TokenSource>,
    ) -> Self {
        Self {
            route,
            network,
            clock,
            tokens,
        }
    }
}

#[async_trait]
impl Transport for SmtpTransport {
    async fn deliver(&self, mail: &OutgoingMail) -> Outcome {
        let trail = Trail {
            server: format!("{}:{}", self.route.host, self.route.port),
            size_bytes: u64::try_from(mail.mime.len()).unwrap_or(u64::MAX),
            ..Trail::default()
        };
        let mut journal = Journal::new(trail, self.clock.clone());
        let submitted = self.attempt(mail, &mut journal).await;
        let submitted = submitted.unwrap_or_else(|error| Submitted {
            recipients: not_tried(&mail.recipients, &error),
            end: Err(error),
        });
        Outcome {
            trail: journal.trail,
            recipients: submitted.recipients,
            end: submitted.end,
        }
    }
}

impl SmtpTransport {
    #[tracing::instrument(name = "smtp", level = "debug", skip_all, fields(host = %self.route.host))]
    async fn attempt(&self, mail: &OutgoingMail, journal: &mut Journal) -> Result<Submitted> {
        // All that can be known to be wrong is found out before anybody is bothered.
        let envelope = Envelope::parse(mail)?;
        let message = CrlfMessage::parse(&mail.mime)?;
        let (mut session, commands) = self.open(mail, envelope, journal).await?;
        let submitted = session
            .submit(&mail.recipients, commands, message, journal)
            .await;
        session.close().await;
        Ok(submitted)
    }

    /// Opens a session and signs in; with a renewed token on a new connection, should the first one be refused. After a
    /// refusal, servers close the connection, answer late or take no second AUTH: a new one is sure to work.
    async fn open(
        &self,
        mail: &OutgoingMail,
        envelope: Envelope<'_>,
        journal: &mut Journal,
    ) -> Result<(Box<Session<'_>>, EnvelopeCommands)> {
        // The token comes first: a server would not wait as long as an identity provider may take.
        let token = self.token(&mail.account, None, journal).await?;
        let refusal = match self.open_with(&token, envelope, journal).await? {
            Opened::Ready(session, commands) => return Ok((session, commands)),
            Opened::TokenRefused(refusal) => refusal,
        };
        let renewed = self.token(&mail.account, Some(&token), journal).await?;
        // Exposed to be compared: both are ours, so the time it takes tells nobody anything.
        if renewed.secret.expose() == token.secret.expose() {
            return Err(refusal);
        }
        match self.open_with(&renewed, envelope, journal).await? {
            Opened::Ready(session, commands) => Ok((session, commands)),
            Opened::TokenRefused(refusal) => Err(refusal),
        }
    }

    async fn token(
        &self,
        account: &str,
        refused: Option<&AccessToken>,
        journal: &mut Journal,
    ) -> Result<AccessToken> {
        let token = self.tokens.access_token(account, refused);
        let token = journal.step("token", token).await?;
        journal.trail.token = Some(TokenUse {
            origin: token.origin,
            from_cache: token.from_cache,
            audience: token.audience.clone(),
            scopes: token.scopes.clone(),
            expires_at_unix_ms: token.expires_at_unix_ms,
        });
        Ok(token)
    }

    async fn open_with(
        &self,
        token: &AccessToken,
        envelope: Envelope<'_>,
        journal: &mut Journal,
    ) -> Result<Opened<'_>> {
        let opening = Opening {
            route: &self.route,
            network: &*self.network,
            clock: &self.clock,
        };
        let mut session = Session::open(&opening, journal).await?;
        let signed_in = self.sign_in(&mut session, token, envelope, journal).await;
        match signed_in {
            Ok((SignIn::Accepted, commands)) => Ok(Opened::Ready(Box::new(session), commands)),
            Ok((SignIn::TokenRefused(error), _)) => {
                session.close().await;
                Ok(Opened::TokenRefused(error))
            }
            Err(error) => {
                session.close().await;
                Err(error)
            }
        }
    }

    /// Signs in, unless the server does not take such a mail anyway.
    async fn sign_in(
        &self,
        session: &mut Session<'_>,
        token: &AccessToken,
        envelope: Envelope<'_>,
        journal: &mut Journal,
    ) -> Result<(SignIn, EnvelopeCommands)> {
        let commands = envelope.commands(&self.route.host, session.extensions())?;
        let signed_in = journal.step("AUTH", session.sign_in(&token.secret)).await?;
        Ok((signed_in, commands))
    }
}
