//! Submission by SMTP (RFC 6409) with STARTTLS and an access token, over connections that are kept for the next mail.
//! Never repeats a mail that a server may have; what is done twice is signing in, when the server refuses a token that
//! can be renewed, and a mail of which the server certainly has nothing: its connection was lost before, or there were
//! too many connections.
//!
//! `reply`, `extensions`, `auth`, `password`, `envelope`, `notification`, `transaction`, `pipeline` and `dot_stuffing` are
//! pure: they see octets and
//! decide. `connection` moves octets under deadlines. A mail waits in the `queue`; `opening` and `session` make a
//! connection, and the `conversation` on it takes mails from the queue and reports what became of them.

pub(crate) mod auth;
mod connection;
mod conversation;
mod dot_stuffing;
mod envelope;
mod examination;
mod extensions;
mod journal;
mod manners;
mod notification;
mod opening;
mod password;
mod pipeline;
mod queue;
pub(crate) mod reply;
mod session;
mod transaction;

#[cfg(test)]
mod dialogue_tests;
#[cfg(test)]
mod hostile_tests;
#[cfg(test)]
mod testing;

use self::dot_stuffing::check_line_ends;
use self::envelope::Envelope;
use self::queue::Queue;
use self::transaction::alike;
use super::{Outcome, OutgoingMail, SmtpRoute, Transport};
use crate::body::Form;
use crate::error::Error;
use crate::host::{Clock, Network, Random};
use crate::model::{Trail, Verdict};
use crate::token::TokenSource;
use async_trait::async_trait;
pub(crate) use envelope::{asked_for, no_require_tls};
pub(crate) use examination::{Examined, examine};
pub(crate) use manners::MannersOfHosts;
use std::sync::Arc;

/// Submits mail to one server as one mailbox, over a few connections that are kept for a while.
///
/// Every wait has a deadline from the route's timeouts. A delivery that is dropped is not sent if it was still waiting
/// or its message was still on its way. Dropping the transport ends its connections once they have nothing to do.
#[derive(Debug)]
pub(crate) struct SmtpTransport {
    queue: Arc<Queue>,
}

impl SmtpTransport {
    /// A road to the server of `route`.
    pub(crate) fn new(
        route: SmtpRoute,
        network: Arc<dyn Network>,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
        tokens: Arc<dyn TokenSource>,
        manners: &MannersOfHosts,
    ) -> Self {
        let queue = Queue::new(route, network, clock, random, tokens, manners);
        Self {
            queue: Arc::new(queue),
        }
    }

    /// Where it leads.
    pub(crate) fn route(&self) -> &SmtpRoute {
        &self.queue.route
    }

    /// Has the connections end once they have nothing to do.
    pub(crate) fn begin_to_close(&self) {
        self.queue.close();
    }

    /// Ends the connections once they have nothing to do, and waits until they have ended: a second at most for the
    /// goodbye.
    pub(crate) async fn close(&self) {
        self.begin_to_close();
        self.queue.closed().await;
    }

    /// The outcome of a mail that had one verdict for all recipients, and not from a server.
    fn outcome(
        &self,
        recipients: &[String],
        size_bytes: u64,
        verdict: Verdict,
        error: Error,
    ) -> Outcome {
        let SmtpRoute { host, port, .. } = self.route();
        let trail = Trail {
            server: format!("{host}:{port}"),
            size_bytes,
            ..Trail::default()
        };
        Outcome {
            trail,
            recipients: alike(recipients, verdict, &error),
            end: Err(error),
        }
    }
}

#[async_trait]
impl Transport for SmtpTransport {
    async fn deliver(&self, mail: OutgoingMail) -> Outcome {
        // All that can be known to be wrong is found out before anybody is bothered.
        let checked = Envelope::parse(&mail).and_then(|_| check_line_ends(&mail.mime));
        let size_bytes = mail.mime.size_bytes(Form::Base64);
        if let Err(error) = checked {
            return self.outcome(&mail.recipients, size_bytes, Verdict::NotTried, error);
        }
        let recipients = mail.recipients.clone();
        let ticket = self.queue.add(with_last_line_end(mail));
        let gone = || self.outcome(&recipients, size_bytes, Verdict::Undecided, queue::gone());
        ticket.outcome().await.unwrap_or_else(gone)
    }
}

impl Drop for SmtpTransport {
    fn drop(&mut self) {
        self.queue.close();
    }
}

/// The end of a message is the end of a line, whatever way it goes.
fn with_last_line_end(mut mail: OutgoingMail) -> OutgoingMail {
    mail.mime = mail.mime.with_last_line_end();
    mail
}
