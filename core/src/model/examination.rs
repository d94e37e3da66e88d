//! What an examination of an account finds: one finding for each stage on the way from the settings to the mailbox.

use super::Problem;
use serde::{Deserialize, Serialize};

/// What to examine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Examine {
    /// The account.
    pub account: String,
    /// Addresses to send as, beside the account's own mailbox: aliases and shared mailboxes.
    pub senders: Vec<String>,
}

/// What became of an examination.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[serde(rename_all = "camelCase")]
pub struct Examination {
    /// The account.
    pub account: String,
    /// The worst of all findings: `sound`, `warning` or `broken`.
    pub health: Health,
    /// Every stage in its order. After a broken one, those that need it were not run.
    pub findings: Vec<Finding>,
}

/// What was found at one stage.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// The stage.
    pub stage: Stage,
    /// How it is there.
    pub health: Health,
    /// What was seen, or why nothing was looked at.
    pub text: String,
    /// What is wrong, each with cause and fix; empty when nothing is.
    pub problems: Vec<Problem>,
    /// How long it took, in microseconds.
    pub duration_us: u64,
}

/// How it is with something that was examined.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
#[serde(rename_all = "camelCase")]
pub enum Health {
    /// Nothing was looked at: an earlier stage is broken, or this account has no such stage.
    NotRun,
    /// Nothing is wrong.
    Sound,
    /// It works today.
    Warning,
    /// No mail gets past this.
    Broken,
}

/// A stage on the way of a mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum Stage {
    /// The account's settings.
    Settings,
    /// What the account signs in with, and when that ends.
    Credentials,
    /// The identity provider answers, and its clock agrees with this machine's.
    IdentityProvider,
    /// The mail server's name has an address.
    NameLookup,
    /// The mail server takes connections on the port.
    Connection,
    /// What answers there is a mail server.
    Greeting,
    /// TLS with a certificate that this machine trusts for the name.
    Tls,
    /// What the mail server offers.
    Capabilities,
    /// An access token for this mail server.
    Token,
    /// The mail server takes the token for this mailbox.
    Authentication,
    /// The mail server takes the mailbox, and each other address, as a sender.
    Sender,
}
