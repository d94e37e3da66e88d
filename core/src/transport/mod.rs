//! One attempt to deliver one mail, with the verdict on each recipient.
//! Transports report and never retry what a server may have: a refused token is renewed once, a mail that met too many
//! connections waits for room; everything else is the caller's decision.

mod folder;
mod graph;
mod login;
pub(crate) mod route;
pub(crate) mod smtp;
mod verdict;

use crate::body::Body;
use crate::error::{Error, Result};
use crate::host::{Clock, Network, Random, TlsParameters};
use crate::model::{
    ConnectionSettings, ProblemKind, RecipientVerdict, SmtpReply, SmtpSecurity, Timeouts, Trail,
    TransferOptions,
};
use crate::token::TokenSource;
use async_trait::async_trait;
use std::collections::HashMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

pub(crate) use login::{Login, Password};
pub(crate) use smtp::{Examined, examine};
use smtp::{MannersOfHosts, SmtpTransport};
use verdict::{accepted_by, alike, not_tried};

/// A finished mail and who it is from and to.
#[derive(Clone, Debug)]
pub(crate) struct OutgoingMail {
    /// `MAIL FROM`; empty for the null reverse-path (RFC 5321 section 4.5.5).
    pub(crate) sender: String,
    /// `RCPT TO`, at least one.
    pub(crate) recipients: Vec<String>,
    /// The message (RFC 5322) with CRLF line ends, shared.
    pub(crate) mime: Body,
    /// Whether an address or a header field needs SMTPUTF8 (RFC 6531).
    pub(crate) needs_smtputf8: bool,
    /// Whether the message has octets above 127, which needs 8BITMIME (RFC 6152).
    pub(crate) eight_bit: bool,
    /// What is asked of the servers on the way, about recipients as they stand in `recipients`.
    pub(crate) transfer: TransferOptions,
}

/// Where and as whom to submit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SmtpRoute {
    /// The account whose token signs in.
    pub(crate) account: String,
    /// The server's host name; its certificate must carry it.
    pub(crate) host: String,
    /// The server's port.
    pub(crate) port: u16,
    /// How TLS begins; without it nothing is sent.
    pub(crate) security: SmtpSecurity,
    /// What signs in.
    pub(crate) login: Login,
    /// The mailbox that signs in (`user=` in XOAUTH2).
    pub(crate) mailbox: String,
    /// The name given in EHLO. Default: the address literal of this end.
    pub(crate) ehlo_name: Option<String>,
    /// What the connection trusts, and what it shows of itself.
    pub(crate) tls: TlsParameters,
    /// How long each wait may take.
    pub(crate) timeouts: Timeouts,
    /// How long a connection without anything to do is kept for the next mail.
    pub(crate) rest: Duration,
    /// How long a mail is tried again that is refused because too many connections are open.
    pub(crate) concurrency_wait: Duration,
}

/// What one attempt came to.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// How far it got, and how long each step took.
    pub(crate) trail: Trail,
    /// The verdict on each recipient, in the order given, always complete.
    pub(crate) recipients: Vec<RecipientVerdict>,
    /// The server's verdict on the message, when it took it for at least one recipient; otherwise why not.
    pub(crate) end: Result<SmtpReply>,
}

impl Outcome {
    /// The `Message-ID` the server names in its verdict, without angle brackets: `OK <id> [Hostname=...]` of Exchange
    /// Online, `<id> [InternalId=...] Queued mail for delivery` of other Exchange servers.
    pub(crate) fn server_message_id(&self) -> Option<&str> {
        message_id_in(&self.end.as_ref().ok()?.text)
    }
}

fn message_id_in(text: &str) -> Option<&str> {
    let text = text.strip_prefix("OK ").unwrap_or(text).trim_start();
    let (id, _) = text.strip_prefix('<')?.split_once('>')?;
    let is_id = id.contains('@') && !id.contains(['<', ' ', '\n']);
    is_id.then_some(id)
}

/// A road to a mail server.
#[async_trait]
pub(crate) trait Transport: Send + Sync + Debug {
    /// Makes one attempt. May be dropped at any await: a mail whose message was not complete is not delivered.
    async fn deliver(&self, mail: OutgoingMail) -> Outcome;
}

/// The roads that are open, one for each account, with what they need of the machine.
#[derive(Debug)]
pub(crate) struct Roads {
    network: Arc<dyn Network>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    tokens: Arc<dyn TokenSource>,
    manners: MannersOfHosts,
    open: Mutex<OpenRoads>,
}

/// The open roads by account, and the process they were opened in.
#[derive(Debug, Default)]
struct OpenRoads {
    process: u32,
    roads: HashMap<String, Arc<SmtpTransport>>,
}

impl OpenRoads {
    /// The roads of this process. A child made by `fork` has its parent's: their connections are the parent's, and whoever
    /// carried mails over them did not come along. They are left where they lie, because closing them would speak to a
    /// runtime that is not there.
    fn here(&mut self) -> &mut HashMap<String, Arc<SmtpTransport>> {
        let process = std::process::id();
        if self.process != process {
            std::mem::forget(std::mem::take(&mut self.roads));
            self.process = process;
        }
        &mut self.roads
    }
}

impl Roads {
    pub(crate) fn new(
        network: Arc<dyn Network>,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
        tokens: Arc<dyn TokenSource>,
    ) -> Self {
        Self {
            network,
            clock,
            random,
            tokens,
            manners: MannersOfHosts::default(),
            open: Mutex::default(),
        }
    }

    /// The road along a route: the one that is open, unless the account's settings have changed since.
    pub(crate) fn along(&self, route: SmtpRoute) -> Arc<dyn Transport> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let open = open.here();
        if let Some(road) = open.get(&route.account)
            && *road.route() == route
        {
            return road.clone();
        }
        let account = route.account.clone();
        let (network, clock) = (self.network.clone(), self.clock.clone());
        let (random, tokens) = (self.random.clone(), self.tokens.clone());
        let road = SmtpTransport::new(route, network, clock, random, tokens, &self.manners);
        let road = Arc::new(road);
        open.insert(account, road.clone());
        road
    }

    /// Ends the connections of an account once they have nothing to do.
    pub(crate) fn forget(&self, account: &str) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.here().remove(account);
    }

    /// Ends all connections once they have nothing to do, and waits until they have ended.
    pub(crate) async fn close(&self) {
        let open = {
            let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(open.here())
        };
        for road in open.values() {
            road.begin_to_close();
        }
        for road in open.values() {
            road.close().await;
        }
    }
}

/// Refuses settings that cannot be meant. Errors: `Config`.
pub(crate) fn check_connections(settings: &ConnectionSettings) -> Result<()> {
    let limits = [
        ("restMs", settings.rest_ms, MAX_REST_MS),
        (
            "concurrencyWaitMs",
            settings.concurrency_wait_ms,
            MAX_CONCURRENCY_WAIT_MS,
        ),
    ];
    match limits.iter().find(|(_, found, most)| found > most) {
        None => Ok(()),
        Some((name, found, most)) => Err(Error::new(
            ProblemKind::Config,
            "connection-setting-invalid",
            format!("connections.{name} is {found}"),
            format!("give 0 to {most}, or leave it out"),
        )),
    }
}

/// Servers commonly end connections that were idle for five minutes (RFC 5321 section 4.5.3.2.7).
const MAX_REST_MS: u64 = 240_000;
/// Whoever waits longer wants a queue.
const MAX_CONCURRENCY_WAIT_MS: u64 = 600_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_message_id_that_exchange_names() {
        fn check(text: &str, expected: Option<&str>) {
            assert_eq!(message_id_in(text), expected, "{text:?}");
        }
        let online = "OK <abc@SYBP282MB2635.AUSP282.PROD.OUTLOOK.COM> [Hostname=SYBP282MB2635.AUSP282.PROD.OUTLOOK.COM]";
        check(online, Some("abc@SYBP282MB2635.AUSP282.PROD.OUTLOOK.COM"));
        let on_premises =
            "<abc@contoso.example> [InternalId=1, Hostname=x] 2 bytes Queued mail for delivery";
        check(on_premises, Some("abc@contoso.example"));
        check("Ok: queued as 4ZkQ", None);
        check("OK  1700000000 a1-2.3 - gsmtp", None);
        check("OK <4ZkQ> queued", None);
        check("OK <a b@c>", None);
        check("OK <a@b", None);
        check("queued for <ada@contoso.example>", None);
    }
}
