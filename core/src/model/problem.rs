//! What went wrong, as data that crosses every border whole.
//! The kind says what the caller must do; everything else is for the person who reads it.

use super::RecipientVerdict;
use serde::{Deserialize, Serialize};

/// A failure with its cause and the next step.
///
/// Never holds a secret: texts are written by Mailbearer, and a server's words are kept without tokens.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    /// What the caller must do.
    pub kind: ProblemKind,
    /// The cause as a stable label such as `secret-expired`; it never changes its meaning.
    pub code: String,
    /// What happened, in one lower-case sentence without a full stop.
    pub text: String,
    /// The next step, for the person who can take it.
    pub fix: String,
    /// Whether and when to try the same again.
    pub retry: Retry,
    /// What Mailbearer was doing: a method name such as `send`.
    pub operation: String,
    /// The server's own words, where a server answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<String>,
    /// The kind of answer it was, where a mail server or the way to it is concerned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_class: Option<ReplyClass>,
    /// What the answer is about: everything of this scope can expect the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_scope: Option<ReplyScope>,
    /// The verdict on each recipient, where the server gave one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub recipients: Vec<RecipientVerdict>,
}

/// What the caller must do about a problem.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum ProblemKind {
    /// Correct the settings.
    Config,
    /// Sign in again.
    SignIn,
    /// Ask an administrator.
    Consent,
    /// Change the message or its recipients.
    Rejected,
    /// Wait: `retry` says how long.
    Throttled,
    /// Wait: network, TLS, or a server's temporary fault.
    Unavailable,
    /// Repair the disk, the database or the vault.
    Storage,
    /// Correct the program: a closed handle, an unknown account.
    Misuse,
    /// Report it: this is a fault of Mailbearer.
    Internal,
}

/// What kind of answer a mail server gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum ReplyClass {
    /// It took the mail.
    Accepted,
    /// Too much at once, or in a day: slow down.
    Throttled,
    /// A fault of the server, of one behind it, or of the way there, which may pass.
    Unavailable,
    /// Whoever signs in was not recognised.
    Authentication,
    /// Whoever signs in may not do this.
    Authorization,
    /// A rule of the server, the organization or the recipient forbids it.
    Policy,
    /// There is something wrong with a recipient.
    Recipient,
    /// Too large.
    Size,
    /// The content was not liked, or is malformed.
    Content,
    /// The sender, its tenant or its address is blocked for what it sent before.
    Blocked,
    /// One side does not understand the other.
    Protocol,
    /// The answer is missing: the mail may have been taken.
    Undecided,
}

/// What a mail server's answer is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum ReplyScope {
    /// One recipient: others can do better.
    Recipient,
    /// This mail: others can do better.
    Mail,
    /// Everything this mailbox sends.
    Mailbox,
    /// Everything the tenant sends.
    Tenant,
    /// This connection: another one can do better.
    Connection,
    /// Everything this machine sends to that host.
    Host,
}

/// Whether and when the same call may be repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
#[serde(
    tag = "type",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub enum Retry {
    /// Not before something has changed.
    Never,
    /// After this delay.
    After {
        /// Milliseconds to wait, at least.
        delay_ms: u64,
    },
    /// At once.
    Now,
}
