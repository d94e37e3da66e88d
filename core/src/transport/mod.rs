//! One attempt to deliver one mail, with the verdict on each recipient.
//! Transports report and never retry: a refused token is renewed once, everything else is the caller's decision.

use crate::error::Result;
use crate::model::{RecipientVerdict, SmtpReply, Timeouts, Trail};
use async_trait::async_trait;
use std::fmt::Debug;
use std::sync::Arc;

/// A finished mail and who it is from and to.
#[derive(Clone, Debug)]
pub struct OutgoingMail {
    /// The account whose token signs in.
    pub account: String,
    /// `MAIL FROM`; empty for the null reverse-path (RFC 5321 section 4.5.5).
    pub sender: String,
    /// `RCPT TO`, at least one.
    pub recipients: Vec<String>,
    /// The message (RFC 5322) with CRLF line ends, shared.
    pub mime: bytes::Bytes,
    /// Whether an address or a header field needs SMTPUTF8 (RFC 6531).
    pub needs_smtputf8: bool,
    /// Whether the message has octets above 127, which needs 8BITMIME (RFC 6152).
    pub eight_bit: bool,
}

/// Where and as whom to submit.
#[derive(Clone, Debug)]
pub struct SmtpRoute {
    /// The server's host name; its certificate must carry it.
    pub host: String,
    /// The server's port, always with STARTTLS.
    pub port: u16,
    /// The mailbox that signs in (`user=` in XOAUTH2).
    pub mailbox: String,
    /// The name given in EHLO. Default: the address literal of this end.
    pub ehlo_name: Option<String>,
    /// Certificates to trust beside the system's, as PEM text.
    pub extra_roots_pem: Option<Arc<str>>,
    /// How long each wait may take.
    pub timeouts: Timeouts,
}

/// What one attempt came to.
#[derive(Debug)]
pub struct Outcome {
    /// How far it got, and how long each step took.
    pub trail: Trail,
    /// The verdict on each recipient, in the order given, always complete.
    pub recipients: Vec<RecipientVerdict>,
    /// The server's verdict on the message, when it took it for at least one recipient; otherwise why not.
    pub end: Result<SmtpReply>,
}

/// A road to a mail server.
#[async_trait]
pub trait Transport: Send + Sync + Debug {
    /// Makes one attempt. May be dropped at any await: a mail whose message was not complete is not delivered.
    async fn deliver(&self, mail: &OutgoingMail) -> Outcome;
}

/// Stub until merge.
#[derive(Debug)]
pub struct SmtpTransport {
    route: SmtpRoute,
    network: Arc<dyn crate::host::Network>,
    clock: Arc<dyn crate::host::Clock>,
    tokens: Arc<dyn crate::token::TokenSource>,
}
impl SmtpTransport {
    pub fn new(
        route: SmtpRoute,
        network: Arc<dyn crate::host::Network>,
        clock: Arc<dyn crate::host::Clock>,
        tokens: Arc<dyn crate::token::TokenSource>,
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
    async fn deliver(&self, _: &OutgoingMail) -> Outcome {
        Outcome {
            trail: Trail::default(),
            recipients: vec![],
            end: Err(crate::Error::new(
                crate::model::ProblemKind::Internal,
                "stub",
                "stub",
                "stub",
            )),
        }
    }
}
