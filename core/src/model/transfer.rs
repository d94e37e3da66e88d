//! What a mail asks of the servers on its way, beside being delivered. Checking it is `message`'s work.

use serde::{Deserialize, Serialize};

/// What is asked of the servers on the way. A server that does not offer an extension cannot be asked: then a mail that
/// requires TLS is not sent, and everything else is left out and named in the delivery's `trail.notOffered`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct TransferOptions {
    /// Mails to the sender about what became of this one (DSN, RFC 3461). Default: what servers send without being asked,
    /// mostly one for each failure.
    pub notification: Option<DeliveryNotification>,
    /// Whether every server on the way must pass it on over TLS with a checked certificate (REQUIRETLS, RFC 8689), or
    /// not at all. Without REQUIRETLS at the first server, `requiretls-unsupported` comes before the mail leaves.
    pub require_tls: bool,
    /// The place among other mails, from -9 to 9 (MT-PRIORITY, RFC 6710). Default: none is said, which means 0.
    pub priority: Option<i8>,
}

/// Which notifications are asked for, and what is in them (DSN, RFC 3461).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct DeliveryNotification {
    /// When to write, for every recipient without a choice of their own (NOTIFY). `never` stands alone. Default: what
    /// servers do without being asked.
    pub notify: Vec<NotifyWhen>,
    /// How much of the mail comes back with a failure (RET). Default: the server's choice.
    pub returned: Option<ReturnedContent>,
    /// A name of your own for this mail, which notifications repeat (ENVID): 1 to 100 printable ASCII characters as it is
    /// sent, where each `+`, `=` and blank takes three.
    pub envelope_id: Option<String>,
    /// Recipients with a choice of their own.
    pub recipients: Vec<RecipientNotification>,
}

/// A recipient's own choice of notifications.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RecipientNotification {
    /// The address, as among the mail's recipients.
    pub address: String,
    /// When to write about this recipient. `never` stands alone.
    #[serde(default)]
    pub notify: Vec<NotifyWhen>,
}

/// When a notification is written (RFC 3461 section 4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
#[serde(rename_all = "camelCase")]
pub enum NotifyWhen {
    /// In no case.
    Never,
    /// When it was delivered.
    Success,
    /// When it could not be delivered.
    Failure,
    /// When it is late.
    Delay,
}

/// How much of a mail comes back with a failure (RFC 3461 section 4.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
#[serde(rename_all = "camelCase")]
pub enum ReturnedContent {
    /// All of it.
    Full,
    /// Its header section.
    Headers,
}

/// Something that was asked of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
#[serde(rename_all = "camelCase")]
pub enum TransferOption {
    /// `notification` of [`TransferOptions`].
    Notification,
    /// `priority` of [`TransferOptions`].
    Priority,
}
