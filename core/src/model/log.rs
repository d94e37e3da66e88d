//! What the log says, as data: for programs whose own log is not Rust's.

use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// How important a log record is. Each level includes those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
#[serde(rename_all = "camelCase")]
pub enum LogLevel {
    /// A fault of Mailbearer.
    Error,
    /// A fault of the world around it: a refused mail, a token that could not be had.
    Warn,
    /// One record per mail.
    Info,
    /// Each step of a dialogue, and where it went. May name addresses, never a secret.
    Debug,
    /// Everything.
    Trace,
}

/// One record of the log. It holds no secret; above `debug`, it holds no address, subject or body either.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[serde(rename_all = "camelCase")]
pub struct LogRecord {
    /// When, in milliseconds since 1970-01-01T00:00:00Z.
    pub at_unix_ms: i64,
    /// How important it is.
    pub level: LogLevel,
    /// The part of Mailbearer that speaks, such as `mailbearer::transport::smtp`.
    pub target: String,
    /// What happened.
    pub text: String,
    /// The facts that belong to it, such as `account` and `code`.
    pub fields: HashMap<String, String>,
}
