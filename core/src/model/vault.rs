//! What is in a vault, and what is wrong with it: plain data that never holds a secret.

use super::Problem;
use serde::Serialize;

/// A record of a vault: what it belongs to and how large it is, never what it says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[serde(rename_all = "camelCase")]
pub struct VaultRecord {
    /// The account it belongs to.
    pub account: String,
    /// What it is.
    pub kind: VaultRecordKind,
    /// Its size in octets, before it is sealed.
    pub size_bytes: u64,
    /// When it was written last, in milliseconds since 1970-01-01T00:00:00Z; absent where nobody knows.
    pub written_at_unix_ms: Option<i64>,
}

/// What a record of a vault is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum VaultRecordKind {
    /// An account's settings.
    Settings,
    /// What an application signs in with.
    Credential,
    /// An account's tokens.
    Tokens,
    /// Something else.
    Other,
}

/// Something that was found wrong with a vault, as the problem it is or will be.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[serde(rename_all = "camelCase")]
pub struct VaultFinding {
    /// The record that is concerned, such as `tokens/billing`; absent when the whole vault is.
    pub record: Option<String>,
    /// What is wrong, and how to mend it.
    pub problem: Problem,
}

/// What became of a look at a whole vault.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[serde(rename_all = "camelCase")]
pub struct VaultReport {
    /// The vault's name for people.
    pub vault: String,
    /// Records that were opened and are whole.
    pub sound_records: u64,
    /// What is wrong; empty when nothing is.
    pub findings: Vec<VaultFinding>,
}
