//! AUTH within a session: the challenges, the client's responses, and what becomes of them.
//! What the responses are worth is decided in `auth` and `access`.

use std::io;
use std::ops::ControlFlow;

use super::access::{Denial, Login};
use super::auth;
use super::limits::Connection;
use super::session::{Outcome, Session};
use super::wire::Line;
use crate::catalogue::{Reply, replies};
use crate::faults::Phase;

impl Session {
    pub(super) async fn auth(
        &mut self,
        mechanism: &str,
        initial_response: Option<String>,
    ) -> Outcome {
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
            mechanism if !self.service.mechanisms().contains(&mechanism) => {
                self.answer(&replies::UNRECOGNIZED_AUTHENTICATION_TYPE)
            }
            "PLAIN" if self.wire.is_encrypted() => self.auth_plain(initial_response).await,
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
        let login = auth::xoauth2(&self.cloud, &response, self.service);
        self.sign_in(login)
    }

    async fn auth_plain(&mut self, initial_response: Option<String>) -> Outcome {
        let Some(response) = self
            .response(initial_response, &replies::EMPTY_CHALLENGE)
            .await?
        else {
            return self.answer(&replies::AUTHENTICATION_CANCELLED);
        };
        if let Some(outcome) = self.struck_at_auth(Phase::AuthResponse).await? {
            return Ok(outcome);
        }
        let decoded = auth::decoded(&response).unwrap_or_default();
        let text = String::from_utf8_lossy(&decoded).into_owned();
        let [_, user, password] = text.split('\0').collect::<Vec<_>>()[..] else {
            return self.answer(&replies::INVALID_AUTH_DATA);
        };
        let login = auth::password(&self.cloud, user, password, self.service);
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
        let login = auth::password(&self.cloud, &user, &password, self.service);
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
}
