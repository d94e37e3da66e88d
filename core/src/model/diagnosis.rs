//! Evidence of a failure, and what it means.

use super::Retry;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// What a program or a person has seen of a failure.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[serde(rename_all = "camelCase", default)]
pub struct Evidence {
    /// The texts seen, in order.
    pub evidence: Vec<EvidenceItem>,
    /// What was being done: `host`, `port`, `flow`, `scope`, `account`, `cloud`, `client` and the like.
    pub context: HashMap<String, String>,
    /// What is known beyond the texts, such as `token.aud`.
    pub facts: HashMap<String, String>,
}

/// One text that was seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[serde(rename_all = "camelCase")]
pub struct EvidenceItem {
    /// Where it was seen. Default: not known.
    #[serde(default)]
    pub kind: EvidenceKind,
    /// The text itself.
    pub text: String,
}

/// Where a text was seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum EvidenceKind {
    /// A reply of an SMTP server.
    SmtpReply,
    /// An error body of a token or device authorization endpoint.
    TokenError,
    /// An error of the sign-in page or its redirect.
    AuthorizeError,
    /// A bounce (RFC 3464).
    Dsn,
    /// A TLS error.
    TlsError,
    /// A name lookup error.
    DnsError,
    /// An error of a client program.
    ClientError,
    /// A log or a dialogue of several lines.
    Log,
    /// Anything else.
    #[default]
    #[serde(other)]
    Unknown,
}

/// One possible cause.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[serde(rename_all = "camelCase")]
pub struct Diagnosis {
    /// The cause, as a stable label.
    pub code: String,
    /// What it means, in one sentence.
    pub cause: String,
    /// The next step.
    pub fix: String,
    /// Who can take it.
    pub who: String,
    /// Whether and when to try the same again.
    pub retry: Retry,
    /// How sure this is, from 0 to 1.
    pub confidence: f64,
    /// The parts of the evidence that speak for it.
    pub because: Vec<String>,
}
