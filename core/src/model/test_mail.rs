//! A mail that is sent to see whether mail arrives.

use super::Delivery;
use serde::{Deserialize, Serialize};

/// Whom to send a test mail to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct TestMail {
    /// The account that sends.
    pub account: String,
    /// The recipients' addresses. Default: the account's own mailbox.
    pub to: Vec<String>,
}

/// What became of a test mail so far, and what to look at now.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[serde(rename_all = "camelCase")]
pub struct TestDelivery {
    /// What only this mail has, in its subject and its text: 32 hexadecimal digits.
    pub nonce: String,
    /// The server's verdict on each recipient, and the trail.
    pub delivery: Delivery,
    /// What shows whether the mail has arrived, in the order of looking.
    pub next_steps: Vec<String>,
}
