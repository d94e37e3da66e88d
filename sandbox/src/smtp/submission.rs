//! The verdict on a message whose content has arrived, and its delivery to the inbox.
//! The order of the tests is Exchange's: concurrency, sender, rate, quota.

use std::net::IpAddr;

use mail_parser::{Address, MessageParser};

use super::access::Login;
use super::limits::Connection;
use super::reply::MESSAGE_ID_DOMAIN;
use super::wire::has_bare_line_breaks;
use crate::catalogue::replies::{
    ACCEPTED, BARE_LINEFEEDS, MULTIPLE_FROM, Reply, SEND_AS_DENIED, SUBMISSION_QUOTA,
    THROTTLE_CONCURRENCY, THROTTLE_RATE,
};
use crate::cloud::Cloud;
use crate::inbox::{NewMail, RecipientParameters, RefusedRecipient};

/// A mail transaction (RFC 5321, section 3.3).
#[derive(Debug, Default)]
pub(super) struct Transaction {
    pub(super) sender: String,
    pub(super) parameters: Vec<String>,
    /// BODY=BINARYMIME: the content must come by BDAT.
    pub(super) binary: bool,
    pub(super) accepted: Vec<String>,
    pub(super) recipient_parameters: Vec<RecipientParameters>,
    pub(super) refused: Vec<RefusedRecipient>,
    /// What has come by BDAT so far.
    pub(super) chunks: Option<Vec<u8>>,
}

impl Transaction {
    /// Whether addresses and header fields may be in UTF-8 (RFC 6531).
    pub(super) fn is_international(&self) -> bool {
        self.parameters
            .iter()
            .any(|parameter| parameter.eq_ignore_ascii_case("SMTPUTF8"))
    }
}

/// A message, and the session it came by.
#[derive(Debug)]
pub(super) struct Submission<'a> {
    pub(super) transaction: Transaction,
    pub(super) mime: Vec<u8>,
    /// Who has signed in; nobody at the MX host.
    pub(super) login: Option<&'a (Login, Connection)>,
    pub(super) client: IpAddr,
    pub(super) ehlo: String,
    pub(super) tls: Option<String>,
}

/// A reply of the catalogue and the values of its blanks.
pub(super) type Verdict = (&'static Reply, Vec<(&'static str, String)>);

impl Submission<'_> {
    /// Delivers the message to the inbox, or says why not.
    pub(super) fn decide(self, cloud: &Cloud) -> Verdict {
        let headers = Headers::read(&self.mime);
        if let Some(refusal) = self.refusal(cloud, &headers) {
            return refusal;
        }
        let now_unix_ms = cloud.clock.now_unix_ms();
        if let Some((login, _)) = self.login {
            let recipients = self.transaction.accepted.len();
            cloud
                .limits
                .count(&login.mailbox.address, recipients, now_unix_ms);
        }
        let made_id = || format!("{}@{MESSAGE_ID_DOMAIN}", cloud.random.hex(32));
        let message_id = format!("<{}>", headers.message_id.clone().unwrap_or_else(made_id));
        cloud.inbox.deliver(self.into_mail(now_unix_ms));
        (&ACCEPTED, vec![("message_id", message_id)])
    }

    fn refusal(&self, cloud: &Cloud, headers: &Headers) -> Option<Verdict> {
        let now_unix_ms = cloud.clock.now_unix_ms();
        if self.transaction.chunks.is_none() && has_bare_line_breaks(&self.mime) {
            return Some((&BARE_LINEFEEDS, Vec::new()));
        }
        if headers.from.len() > 1 && headers.sender.is_none() {
            return Some((&MULTIPLE_FROM, Vec::new()));
        }
        let (login, connection) = self.login?;
        let mailbox = &login.mailbox.address;
        if connection.is_excessive() {
            return Some((&THROTTLE_CONCURRENCY, Vec::new()));
        }
        if let Some(sender) = self.forbidden_sender(cloud, login, headers) {
            return Some((
                &SEND_AS_DENIED,
                vec![("login", mailbox.clone()), ("sender", sender)],
            ));
        }
        if !cloud.limits.admits_message(mailbox, now_unix_ms) {
            return Some((&THROTTLE_RATE, Vec::new()));
        }
        if !cloud
            .limits
            .admits_recipients(mailbox, self.transaction.accepted.len(), now_unix_ms)
        {
            return Some((&SUBMISSION_QUOTA, Vec::new()));
        }
        None
    }

    /// The first of envelope sender, `Sender` and `From` the client may not send as.
    fn forbidden_sender(&self, cloud: &Cloud, login: &Login, headers: &Headers) -> Option<String> {
        let envelope = Some(&self.transaction.sender).filter(|sender| !sender.is_empty());
        let visible = match &headers.sender {
            // With several authors the `Sender` answers for the message.
            Some(sender) if headers.from.len() > 1 => vec![sender],
            _ => headers.from.iter().chain(&headers.sender).collect(),
        };
        let mut senders = envelope.into_iter().chain(visible);
        senders
            .find(|sender| !login.may_send_as(cloud, sender))
            .cloned()
    }

    fn into_mail(self, received_at_unix_ms: i64) -> NewMail {
        NewMail {
            received_at_unix_ms,
            client_address: self.client.to_string(),
            client_ehlo: self.ehlo,
            tls: self.tls,
            authenticated_as: self.login.map(|(login, _)| login.mailbox.address.clone()),
            token: self
                .login
                .and_then(|(login, _)| login.claims.clone())
                .map(serde_json::Value::Object),
            envelope_sender: self.transaction.sender,
            accepted_recipients: self.transaction.accepted,
            refused_recipients: self.transaction.refused,
            mail_parameters: self.transaction.parameters,
            recipient_parameters: self.transaction.recipient_parameters,
            chunked: self.transaction.chunks.is_some(),
            mime: self.mime,
        }
    }
}

/// The header fields that matter for the verdict.
struct Headers {
    from: Vec<String>,
    sender: Option<String>,
    message_id: Option<String>,
}

impl Headers {
    fn read(mime: &[u8]) -> Self {
        let Some(message) = MessageParser::default().parse_headers(mime) else {
            return Self {
                from: Vec::new(),
                sender: None,
                message_id: None,
            };
        };
        Self {
            from: addresses(message.from()),
            sender: addresses(message.sender()).into_iter().next(),
            message_id: message.message_id().map(str::to_owned),
        }
    }
}

fn addresses(field: Option<&Address<'_>>) -> Vec<String> {
    let all = field.into_iter().flat_map(Address::iter);
    all.filter_map(|address| address.address())
        .map(str::to_owned)
        .collect()
}
