//! What happened, for logs, metrics and alarms. Events hold no secret, no subject and no body.

use super::{Problem, TokenOrigin};
use serde::{Deserialize, Serialize};

/// Something that happened in a handle.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
#[serde(
    tag = "type",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
#[non_exhaustive]
pub enum Event {
    /// An access token was obtained.
    TokenObtained {
        /// When, in milliseconds since 1970-01-01T00:00:00Z.
        at_unix_ms: i64,
        /// For which account.
        account: String,
        /// How.
        origin: TokenOrigin,
        /// When it ends, in milliseconds since 1970-01-01T00:00:00Z.
        expires_at_unix_ms: i64,
    },
    /// An access token could not be obtained.
    TokenFailed {
        /// When, in milliseconds since 1970-01-01T00:00:00Z.
        at_unix_ms: i64,
        /// For which account.
        account: String,
        /// Why, and what to do.
        problem: Problem,
    },
    /// The server took a mail for at least one recipient.
    MailAccepted {
        /// When, in milliseconds since 1970-01-01T00:00:00Z.
        at_unix_ms: i64,
        /// For which account.
        account: String,
        /// The delivery's id.
        delivery: String,
        /// How many recipients were accepted.
        accepted: u32,
        /// How many recipients were not.
        refused: u32,
    },
    /// The server took a mail for nobody.
    MailFailed {
        /// When, in milliseconds since 1970-01-01T00:00:00Z.
        at_unix_ms: i64,
        /// For which account.
        account: String,
        /// The delivery's id.
        delivery: String,
        /// Why, and what to do.
        problem: Problem,
    },
    /// The reader was too slow, and the oldest events were dropped.
    Missed {
        /// How many.
        count: u64,
    },
}
