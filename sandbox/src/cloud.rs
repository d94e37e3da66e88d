//! What the servers of one sandbox share: clock, directory, faults, keys, grants and where each server listens.
//! It holds; it does not decide.

use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use crate::clock::SandboxClock;
use crate::directory::Directory;
use crate::faults::Faults;
use crate::identity::grants::Grants;
use crate::identity::keys::SigningKey;
use crate::inbox::Inbox;
use crate::random::Random;
use crate::secrets::SecretLedger;
use crate::smtp::SmtpService;
use crate::smtp::limits::Limits;
use crate::smtp::traffic::Traffic;
use crate::sync::lock;
use crate::tls::Certificates;

/// Shared by all servers of one sandbox.
pub(crate) struct Cloud {
    pub(crate) clock: SandboxClock,
    pub(crate) random: Random,
    pub(crate) secrets: SecretLedger,
    pub(crate) directory: Directory,
    pub(crate) faults: Faults,
    pub(crate) signing_key: Arc<SigningKey>,
    pub(crate) grants: Grants,
    pub(crate) inbox: Inbox,
    pub(crate) limits: Limits,
    pub(crate) smtp_traffic: Traffic,
    pub(crate) refusals: Refusals,
    pub(crate) certificates: Certificates,
    pub(crate) addresses: Addresses,
    pub(crate) strict_tenants: bool,
    pub(crate) smtp_service: Mutex<SmtpService>,
    pub(crate) graph: crate::graph::Drafts,
}

impl Cloud {
    /// What the port for submission plays now.
    pub(crate) fn smtp_service(&self) -> SmtpService {
        *lock(&self.smtp_service)
    }
}

impl fmt::Debug for Cloud {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Secrets, grants and mails would fill pages.
        formatter
            .debug_struct("Cloud")
            .field("addresses", &self.addresses)
            .finish_non_exhaustive()
    }
}

/// Why Exchange refused each sign-in, which it tells no client.
#[derive(Debug, Default)]
pub(crate) struct Refusals {
    reasons: Mutex<Vec<String>>,
}

impl Refusals {
    pub(crate) fn note(&self, reason: &str) {
        tracing::debug!(reason, "sign-in refused");
        lock(&self.reasons).push(reason.to_owned());
    }

    /// Oldest first.
    pub(crate) fn all(&self) -> Vec<String> {
        lock(&self.reasons).clone()
    }
}

/// Where the servers listen.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Addresses {
    pub(crate) identity: SocketAddr,
    pub(crate) identity_tls: SocketAddr,
    pub(crate) smtp: SocketAddr,
    pub(crate) mx: SocketAddr,
    pub(crate) inbox: SocketAddr,
}

impl Addresses {
    pub(crate) fn identity_url(&self) -> String {
        format!("http://{}", self.identity)
    }

    /// By the name `localhost`: many clients accept no address in an authority.
    pub(crate) fn identity_https_url(&self) -> String {
        format!("https://localhost:{}", self.identity_tls.port())
    }

    pub(crate) fn inbox_url(&self) -> String {
        format!("http://{}", self.inbox)
    }
}
