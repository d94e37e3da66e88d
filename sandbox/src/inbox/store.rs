//! The mails of one sandbox, newest kept, oldest dropped when memory runs short.
//! It knows nothing of HTTP; whoever waits for a change is woken by a channel, nothing polls.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use serde::Serialize;
use tokio::sync::watch;

use super::view::Digest;

/// The mails that arrived, oldest first. Clones share the same mails.
#[derive(Clone)]
pub struct Inbox {
    shared: Arc<Shared>,
}

/// Shows how many mails there are, not what they say.
impl fmt::Debug for Inbox {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Inbox({} mails)", self.len())
    }
}

/// One mail as the sandbox's SMTP server took it, with what it knew of the client.
#[derive(Debug, Clone)]
pub struct NewMail {
    /// When the last byte was taken.
    pub received_at_unix_ms: i64,
    /// IP address and port of the client.
    pub client_address: String,
    /// The name the client gave in `EHLO`.
    pub client_ehlo: String,
    /// Protocol and cipher suite, such as `TLSv1.3 TLS13_AES_256_GCM_SHA384`; `None` without TLS.
    pub tls: Option<String>,
    /// The mailbox that signed in; `None` for relayed mail.
    pub authenticated_as: Option<String>,
    /// The claims of the access token that signed in, never the token itself.
    pub token: Option<serde_json::Value>,
    /// The address of `MAIL FROM`, without angle brackets.
    pub envelope_sender: String,
    /// The addresses of `RCPT TO` that were accepted.
    pub accepted_recipients: Vec<String>,
    /// The addresses of `RCPT TO` that were not.
    pub refused_recipients: Vec<RefusedRecipient>,
    /// The parameters of `MAIL FROM`, such as `SIZE=123` or `BODY=8BITMIME`.
    pub mail_parameters: Vec<String>,
    /// The parameters of `RCPT TO`, of every accepted recipient that had some.
    pub recipient_parameters: Vec<RecipientParameters>,
    /// Whether the mail came by `BDAT` (RFC 3030) instead of `DATA`.
    pub chunked: bool,
    /// The message as transferred, without dot-stuffing.
    pub mime: Vec<u8>,
}

/// What was asked for one recipient.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RecipientParameters {
    /// The address of `RCPT TO`.
    pub address: String,
    /// Such as `NOTIFY=FAILURE,DELAY` or `ORCPT=rfc822;ben@fabrikam.test`.
    pub parameters: Vec<String>,
}

/// A recipient the SMTP server refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RefusedRecipient {
    /// The address of `RCPT TO`.
    pub address: String,
    /// The server's reply, such as `550 5.1.10 RESOLVER.ADR.RecipientNotFound`.
    pub reply: String,
}

/// A mail in the inbox.
pub struct StoredMail {
    /// Names the mail in this inbox: a decimal number that only grows.
    pub id: String,
    /// What was delivered.
    pub mail: NewMail,
    number: u64,
    digest: OnceLock<Digest>,
}

/// What changed last: handed to everyone who watches the inbox.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub(super) struct Change {
    /// Counts every delivery and deletion.
    pub(super) revision: u64,
    /// How many mails there are now.
    pub(super) total: usize,
}

/// How many mails an inbox keeps: as many as a long test run sends, at 100 kB each within [`MAX_BYTES`].
pub const MAX_MAILS: usize = 10_000;

/// How many bytes of mail an inbox keeps (1 GiB): some thirty mails of the 35 MB Exchange Online takes by default, and no more
/// than a developer's machine or a CI runner can spare. The newest mail is kept whatever its size.
pub const MAX_BYTES: usize = 1024 * 1024 * 1024;

impl Inbox {
    /// An empty inbox that keeps the newest [`MAX_MAILS`] mails within [`MAX_BYTES`].
    #[expect(
        clippy::new_without_default,
        reason = "an inbox is made on purpose, once per sandbox"
    )]
    pub fn new() -> Self {
        Self::with_limits(MAX_MAILS, MAX_BYTES)
    }

    fn with_limits(max_mails: usize, max_bytes: usize) -> Self {
        let shared = Shared {
            max_mails,
            max_bytes,
            mails: Mutex::default(),
            changes: watch::Sender::new(Change::default()),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// Takes a mail in, wakes everyone who waits for it, and answers its id.
    pub fn deliver(&self, mail: NewMail) -> String {
        let mut mails = self.lock();
        mails.last_number += 1;
        mails.bytes += mail.mime.len();
        let number = mails.last_number;
        let stored = StoredMail {
            id: number.to_string(),
            mail,
            number,
            digest: OnceLock::new(),
        };
        let id = stored.id.clone();
        mails.queue.push_back(Arc::new(stored));
        while mails.queue.len() > self.shared.max_mails
            || (mails.bytes > self.shared.max_bytes && mails.queue.len() > 1)
        {
            mails.remove(0);
        }
        self.announce(&mails);
        id
    }

    /// How many mails there are.
    pub fn len(&self) -> usize {
        self.lock().queue.len()
    }

    /// Whether there is no mail.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All mails in the order they arrived.
    pub fn mails(&self) -> Vec<Arc<StoredMail>> {
        self.lock().queue.iter().cloned().collect()
    }

    /// The mail with this id, if it is still there.
    pub fn mail(&self, id: &str) -> Option<Arc<StoredMail>> {
        let mails = self.lock();
        mails.queue.get(mails.position(id)?).cloned()
    }

    /// Waits until there are at least `count` mails and answers all of them, in the order they arrived.
    ///
    /// Never ends for a `count` above [`MAX_MAILS`]. May be dropped at any time.
    pub async fn wait_for(&self, count: usize) -> Vec<Arc<StoredMail>> {
        self.wait_for_matching(count, |_| true).await
    }

    /// Waits until at least `count` mails match and answers these, in the order they arrived.
    pub(super) async fn wait_for_matching(
        &self,
        count: usize,
        matches: impl Fn(&StoredMail) -> bool,
    ) -> Vec<Arc<StoredMail>> {
        let mut changes = self.changes();
        loop {
            let mut mails = self.mails();
            mails.retain(|mail| matches(mail));
            if mails.len() >= count {
                return mails;
            }
            // The sender lives as long as `self`, so this cannot fail.
            let _ = changes.changed().await;
        }
    }

    /// Removes one mail; `false` if there is none with this id.
    pub fn delete(&self, id: &str) -> bool {
        let mut mails = self.lock();
        let Some(position) = mails.position(id) else {
            return false;
        };
        mails.remove(position);
        self.announce(&mails);
        true
    }

    /// Removes all mails.
    pub fn clear(&self) {
        self.take();
    }

    /// Removes all mails and gives them, oldest first: none that arrives meanwhile is lost.
    pub fn take(&self) -> Vec<Arc<StoredMail>> {
        let mut mails = self.lock();
        let taken = mails.queue.drain(..).collect();
        mails.bytes = 0;
        self.announce(&mails);
        taken
    }

    /// Tells of every change from now on; changes in quick succession are told as one.
    pub(super) fn changes(&self) -> watch::Receiver<Change> {
        self.shared.changes.subscribe()
    }

    fn announce(&self, mails: &Mails) {
        self.shared.changes.send_modify(|change| {
            change.revision += 1;
            change.total = mails.queue.len();
        });
    }

    fn lock(&self) -> MutexGuard<'_, Mails> {
        // No code that can panic runs under this lock.
        self.shared
            .mails
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl StoredMail {
    /// What lists and searches need of the mail; read from it when first asked for.
    pub(super) fn digest(&self) -> &Digest {
        self.digest.get_or_init(|| Digest::of(&self.id, &self.mail))
    }

    /// The number behind the id.
    pub(super) fn number(&self) -> u64 {
        self.number
    }
}

struct Shared {
    max_mails: usize,
    max_bytes: usize,
    mails: Mutex<Mails>,
    changes: watch::Sender<Change>,
}

#[derive(Default)]
struct Mails {
    /// Sorted by number, because numbers only grow.
    queue: VecDeque<Arc<StoredMail>>,
    bytes: usize,
    last_number: u64,
}

impl Mails {
    fn position(&self, id: &str) -> Option<usize> {
        let number: u64 = id.parse().ok()?;
        let position = self
            .queue
            .binary_search_by_key(&number, |mail| mail.number)
            .ok()?;
        // "+1" and "01" are numbers too, but not ids.
        self.queue.get(position).filter(|mail| mail.id == id)?;
        Some(position)
    }

    fn remove(&mut self, position: usize) {
        if let Some(mail) = self.queue.remove(position) {
            self.bytes -= mail.mail.mime.len();
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    #[test]
    fn gives_each_mail_its_own_id_and_keeps_the_order_of_arrival() {
        let inbox = Inbox::new();
        let first = inbox.deliver(mail("one"));
        let second = inbox.deliver(mail("two"));
        assert_ne!(first, second);
        assert_eq!(bodies(&inbox), ["one", "two"]);
        assert_eq!(inbox.mail(&second).unwrap().mail.mime, b"two");
    }

    #[test]
    fn keeps_the_newest_mails_when_there_are_too_many() {
        let inbox = Inbox::with_limits(2, MAX_BYTES);
        deliver_all(&inbox, &["one", "two", "three"]);
        assert_eq!(bodies(&inbox), ["two", "three"]);
    }

    #[test]
    fn keeps_the_newest_mails_when_they_are_too_large() {
        let inbox = Inbox::with_limits(MAX_MAILS, 8);
        deliver_all(&inbox, &["1111", "2222", "3333"]);
        assert_eq!(bodies(&inbox), ["2222", "3333"]);
        inbox.deliver(mail("larger than all the room there is"));
        assert_eq!(bodies(&inbox), ["larger than all the room there is"]);
        inbox.deliver(mail("4444"));
        assert_eq!(bodies(&inbox), ["4444"]);
    }

    #[test]
    fn counts_the_bytes_of_deleted_mails_no_longer() {
        let inbox = Inbox::with_limits(MAX_MAILS, 8);
        let first = inbox.deliver(mail("1111"));
        inbox.deliver(mail("2222"));
        assert!(inbox.delete(&first));
        inbox.deliver(mail("3333"));
        assert_eq!(bodies(&inbox), ["2222", "3333"]);
        inbox.clear();
        deliver_all(&inbox, &["4444", "5555"]);
        assert_eq!(bodies(&inbox), ["4444", "5555"]);
    }

    #[test]
    fn finds_a_mail_by_its_exact_id_only() {
        let inbox = Inbox::new();
        let id = inbox.deliver(mail("one"));
        for wrong in [
            "",
            "0",
            "2",
            "-1",
            "+1",
            "01",
            " 1",
            "x",
            "99999999999999999999999",
        ] {
            assert!(inbox.mail(wrong).is_none(), "{wrong:?} found a mail");
            assert!(!inbox.delete(wrong), "{wrong:?} deleted a mail");
        }
        assert!(inbox.delete(&id));
        assert!(inbox.mail(&id).is_none());
    }

    #[test]
    fn never_gives_an_id_twice() {
        let inbox = Inbox::new();
        let first = inbox.deliver(mail("one"));
        inbox.clear();
        assert_ne!(inbox.deliver(mail("two")), first);
    }

    #[tokio::test]
    async fn wakes_a_waiter_when_enough_mails_have_arrived() {
        let inbox = Inbox::new();
        inbox.deliver(mail("one"));
        let waiter = tokio::spawn({
            let inbox = inbox.clone();
            async move { inbox.wait_for(3).await.len() }
        });
        inbox.deliver(mail("two"));
        tokio::task::yield_now().await;
        assert!(!waiter.is_finished());
        inbox.deliver(mail("three"));
        assert_eq!(waiter.await.unwrap(), 3);
    }

    #[tokio::test]
    async fn misses_no_mail_delivered_by_many_tasks_at_once() {
        let inbox = Inbox::new();
        for number in 0..100 {
            let inbox = inbox.clone();
            tokio::spawn(async move { inbox.deliver(mail(&number.to_string())) });
        }
        assert_eq!(inbox.wait_for(100).await.len(), 100);
    }

    pub(in super::super) fn mail(mime: &str) -> NewMail {
        NewMail {
            received_at_unix_ms: 1_790_000_000_000,
            client_address: "127.0.0.1:50000".into(),
            client_ehlo: "client.contoso.test".into(),
            tls: Some("TLSv1.3 TLS13_AES_256_GCM_SHA384".into()),
            authenticated_as: Some("anna@contoso.test".into()),
            token: Some(
                serde_json::json!({"aud": "https://outlook.office.com", "exp": 1_790_003_600}),
            ),
            envelope_sender: "anna@contoso.test".into(),
            accepted_recipients: vec!["ben@fabrikam.test".into()],
            refused_recipients: Vec::new(),
            mail_parameters: vec!["BODY=8BITMIME".into()],
            recipient_parameters: Vec::new(),
            chunked: false,
            mime: mime.into(),
        }
    }

    fn deliver_all(inbox: &Inbox, bodies: &[&str]) {
        for body in bodies {
            inbox.deliver(mail(body));
        }
    }

    fn bodies(inbox: &Inbox) -> Vec<String> {
        inbox
            .mails()
            .iter()
            .map(|mail| String::from_utf8(mail.mail.mime.clone()).unwrap())
            .collect()
    }
}
