//! What became of a mail: the server's verdict on each recipient, and the trail of how it got there.

use super::{Problem, ReplyClass, ReplyScope, Retry, RouteKind, TokenOrigin, TransferOption};
use serde::{Deserialize, Serialize};

/// A mail that the server took for at least one recipient.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[serde(rename_all = "camelCase")]
pub struct Delivery {
    /// Mailbearer's own id of this delivery, as in its events.
    pub id: String,
    /// The account that sent.
    pub account: String,
    /// The `Message-ID` as sent, without angle brackets; empty when a raw message has none.
    pub message_id: String,
    /// The `Message-ID` the server named in its verdict, without angle brackets. Exchange may replace the one sent;
    /// bounces name this one.
    pub server_message_id: Option<String>,
    /// The server's verdict on the message. On a route without SMTP the code is that of HTTP, or 250 for a file.
    pub reply: SmtpReply,
    /// The verdict on each recipient, in the order given.
    pub recipients: Vec<RecipientVerdict>,
    /// How it got there.
    pub trail: Trail,
    /// Why the account's first route did not take it, where its second one did.
    #[serde(default)]
    pub passed_over: Option<Problem>,
}

/// The verdict on one recipient.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[serde(rename_all = "camelCase")]
pub struct RecipientVerdict {
    /// The recipient's address.
    pub address: String,
    /// What the server decided.
    pub verdict: Verdict,
    /// The server's reply that decided it.
    pub reply: Option<SmtpReply>,
    /// The cause of a refusal, as a stable label; empty when accepted.
    pub code: String,
    /// The next step after a refusal; empty when accepted.
    pub fix: String,
    /// Whether and when to try this recipient again.
    pub retry: Retry,
    /// The kind of answer it was; absent where no mail server was asked.
    #[serde(default)]
    pub reply_class: Option<ReplyClass>,
    /// What the answer is about: everything of this scope can expect the same.
    #[serde(default)]
    pub reply_scope: Option<ReplyScope>,
}

/// What the server decided about a recipient.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
#[serde(rename_all = "camelCase")]
pub enum Verdict {
    /// The server took responsibility for delivery (RFC 5321 section 4.5.5).
    Accepted,
    /// Refused for good (5yz).
    Refused,
    /// Refused for now (4yz).
    Deferred,
    /// The connection broke after the message had been sent and before the verdict: it may have been delivered.
    Undecided,
    /// The dialogue ended before this recipient was tried.
    NotTried,
}

/// A reply of an SMTP server (RFC 5321 section 4.2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[serde(rename_all = "camelCase")]
pub struct SmtpReply {
    /// The three-digit code, 200 to 599.
    pub code: u16,
    /// The enhanced status code (RFC 3463) such as `5.7.3`, where the reply has one.
    pub enhanced_status: Option<String>,
    /// The text without codes; several lines are joined by a line feed.
    pub text: String,
}

/// How a mail got to the server.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[serde(rename_all = "camelCase")]
pub struct Trail {
    /// The road it took.
    #[serde(default)]
    pub route: RouteKind,
    /// As whom it was sent.
    pub identity: SenderIdentity,
    /// The server's host and port; Microsoft Graph's address, or the folder's path.
    pub server: String,
    /// The TLS session; absent when the dialogue ended before it.
    pub tls: Option<TlsSession>,
    /// The access token used; absent when the dialogue ended before it.
    pub token: Option<TokenUse>,
    /// The size of the message on the wire, in octets.
    pub size_bytes: u64,
    /// What was asked for and left out, because the server does not offer it.
    pub not_offered: Vec<TransferOption>,
    /// The steps taken, in order.
    pub steps: Vec<Step>,
}

/// As whom a mail was sent: who signed in, and whom the recipients see.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[serde(rename_all = "camelCase")]
pub struct SenderIdentity {
    /// The mailbox that signed in, or that was named at sign-in; empty where nobody did.
    pub login: String,
    /// The envelope's sender (`MAIL FROM`), to whom bounces go; empty for none.
    pub mail_from: String,
    /// The address in `From`.
    pub header_from: String,
    /// The address in `Sender`, where the message has one.
    pub sender: Option<String>,
    /// What these make of it, and which right it takes.
    pub kind: SendingAs,
}

/// As whom a mail is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum SendingAs {
    /// The mailbox itself. Where a person signed in who is not its owner (a shared mailbox), full access is needed.
    #[default]
    Mailbox,
    /// Another address: an alias of the mailbox, if the organization lets aliases send, or another mailbox, with the right
    /// Send As. Which of the two, only the server knows.
    AliasOrSendAs,
    /// On behalf of another address: it is in `From` and the mailbox in `Sender`. Needs the right Send on Behalf.
    OnBehalf,
    /// Nobody signed in: the server judges the envelope alone.
    Anonymous,
}

/// A TLS session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[serde(rename_all = "camelCase")]
pub struct TlsSession {
    /// The protocol version, such as `TLSv1.3`.
    pub version: String,
    /// The cipher suite by its IANA name.
    pub cipher_suite: String,
    /// Whether it went on from an earlier session with the same server (RFC 8446 section 2.2), which spares the server's
    /// certificate and both sides a signature.
    #[serde(default)]
    pub resumed: bool,
}

/// The access token a mail was sent with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[serde(rename_all = "camelCase")]
pub struct TokenUse {
    /// How it was obtained.
    pub origin: TokenOrigin,
    /// Whether it was at hand, rather than obtained for this mail.
    pub from_cache: bool,
    /// Its audience, where the token can be read.
    pub audience: Option<String>,
    /// What it permits.
    pub scopes: Vec<String>,
    /// When it ends, in milliseconds since 1970-01-01T00:00:00Z.
    pub expires_at_unix_ms: i64,
}

/// One step of a delivery and the time it took.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[serde(rename_all = "camelCase")]
pub struct Step {
    /// What was done, such as `connect` or `AUTH`.
    pub name: String,
    /// How long it took, in microseconds.
    pub duration_us: u64,
}
