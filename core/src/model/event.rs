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
    /// Something that an account signs in with ends soon: 60, 30, 14, 3 and 1 days before, once each for all processes
    /// that share a vault. Found out when a token is renewed, and every hour with renewal in the background; while nobody
    /// reads events it waits.
    ExpiresSoon {
        /// When, in milliseconds since 1970-01-01T00:00:00Z.
        at_unix_ms: i64,
        /// For which account.
        account: String,
        /// What ends.
        credential: Credential,
        /// When it ends, in milliseconds since 1970-01-01T00:00:00Z.
        expires_at_unix_ms: i64,
        /// Whole days until then; 0 on its last day and after its end.
        days_left: u32,
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

/// What an account signs in with, and what ends at a time of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum Credential {
    /// A person's refresh token, unless it is used before. Then they must sign in again.
    RefreshToken,
    /// The application's client secret.
    ClientSecret,
    /// The application's certificate.
    ClientCertificate,
}
