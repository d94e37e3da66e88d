//! Where accepted mail ends up: an in-memory store, and a page and a JSON interface over it.
//! It never decides whether a mail is accepted; the SMTP server has done that.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use tokio::sync::watch;

use crate::sync::lock;

/// The mail store; clones share it.
#[derive(Clone, Debug)]
pub struct Inbox {
    shared: Arc<Shared>,
}

/// A mail as the SMTP server accepted it.
#[derive(Clone, Debug, Default)]
pub struct NewMail {
    /// When the last byte arrived, milliseconds since 1970 by the sandbox's clock.
    pub received_at_unix_ms: i64,
    /// The client's IP address.
    pub client_address: String,
    /// What the client called itself in EHLO.
    pub client_ehlo: String,
    /// Protocol and cipher suite, such as `TLSv1.3 TLS13_AES_256_GCM_SHA384`.
    pub tls: Option<String>,
    /// The mailbox the client signed in to.
    pub authenticated_as: Option<String>,
    /// The claims of the access token, never the token itself.
    pub token: Option<serde_json::Value>,
    /// The address of MAIL FROM.
    pub envelope_sender: String,
    /// The addresses of the accepted RCPT TO commands.
    pub accepted_recipients: Vec<String>,
    /// The refused ones.
    pub refused_recipients: Vec<RefusedRecipient>,
    /// The parameters of MAIL FROM, such as `SIZE=123`.
    pub mail_parameters: Vec<String>,
    /// Whether the mail came by BDAT.
    pub chunked: bool,
    /// The mail, byte for byte, after dot-unstuffing.
    pub mime: Vec<u8>,
}

/// A recipient the server did not accept.
#[derive(Clone, Debug, Default)]
pub struct RefusedRecipient {
    /// The address of RCPT TO.
    pub address: String,
    /// What the server answered.
    pub reply: String,
}

/// A mail with the id the inbox gave it.
#[derive(Debug)]
pub struct StoredMail {
    /// Unique in this inbox.
    pub id: String,
    /// The mail.
    pub mail: NewMail,
}

impl Inbox {
    /// An empty inbox.
    pub fn new() -> Self {
        Self {
            shared: Arc::new(Shared {
                mails: Mutex::default(),
                next_id: AtomicU64::new(1),
                count: watch::Sender::new(0),
            }),
        }
    }

    /// Stores a mail and returns its id.
    pub fn deliver(&self, mail: NewMail) -> String {
        let id = self
            .shared
            .next_id
            .fetch_add(1, Ordering::Relaxed)
            .to_string();
        let count = {
            let mut mails = lock(&self.shared.mails);
            mails.push(Arc::new(StoredMail {
                id: id.clone(),
                mail,
            }));
            mails.len()
        };
        self.shared.count.send_replace(count);
        id
    }

    /// How many mails are stored.
    pub fn len(&self) -> usize {
        lock(&self.shared.mails).len()
    }

    /// Whether none is stored.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All mails, oldest first.
    pub fn mails(&self) -> Vec<Arc<StoredMail>> {
        lock(&self.shared.mails).clone()
    }

    /// All mails, as soon as there are at least `count`. Safe to drop.
    pub async fn wait_for(&self, count: usize) -> Vec<Arc<StoredMail>> {
        let mut counts = self.shared.count.subscribe();
        // The sender lives as long as `self`, so waiting cannot fail.
        let _ = counts.wait_for(|stored| *stored >= count).await;
        self.mails()
    }

    /// Forgets all mails.
    pub fn clear(&self) {
        lock(&self.shared.mails).clear();
        self.shared.count.send_replace(0);
    }
}

impl Default for Inbox {
    fn default() -> Self {
        Self::new()
    }
}

/// The page and the JSON interface.
pub fn router(_inbox: Inbox) -> Router {
    Router::new()
}

#[derive(Debug)]
struct Shared {
    mails: Mutex<Vec<Arc<StoredMail>>>,
    next_id: AtomicU64,
    count: watch::Sender<usize>,
}
