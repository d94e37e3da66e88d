//! The settings of a handle: plain data, with every default in a constant that says why.

use crate::secret::SecretText;
use serde::Deserialize;

/// How a handle is opened. `Config::default()` keeps secrets in memory only.
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Config {
    /// Where accounts, secrets and tokens are kept. Default: memory.
    pub vault: VaultSettings,
    /// The name this host gives in `EHLO` (RFC 5321 section 4.1.1.1): a domain name or an address literal.
    /// Default: the address literal of the connection's own end, which Exchange Online always accepts.
    pub ehlo_name: Option<String>,
    /// How long each wait may take.
    pub timeouts: Timeouts,
}

/// Where accounts, secrets and tokens are kept.
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
#[serde(
    tag = "type",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub enum VaultSettings {
    /// In this process only: everything is gone when the handle is closed.
    #[default]
    Memory,
    /// In one file, encrypted with a key made from a passphrase (Argon2id, XChaCha20-Poly1305).
    File {
        /// The file's path. It is created, readable by its owner only, when it does not exist.
        path: String,
        /// Where the passphrase comes from.
        passphrase: Passphrase,
    },
}

/// Where the passphrase of an encrypted file comes from.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
#[serde(
    tag = "type",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub enum Passphrase {
    /// Given by the program, for example after asking a person.
    Text {
        /// The passphrase.
        text: SecretText,
    },
    /// From an environment variable.
    Environment {
        /// The variable's name.
        variable: String,
    },
    /// From an open file descriptor, read to its end (Unix only).
    FileDescriptor {
        /// The descriptor's number.
        descriptor: u32,
    },
    /// From a file that only its owner can read, such as a mounted secret.
    KeyFile {
        /// The file's path.
        path: String,
    },
}

/// How long each wait may take, in milliseconds. Every wait on a network has one of these limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Timeouts {
    /// Name lookup, TCP connection, and separately the TLS handshake. Default [`CONNECT_MS`].
    pub connect_ms: u64,
    /// One whole reply to one SMTP command, however slowly it arrives. Default [`REPLY_MS`].
    pub reply_ms: u64,
    /// The verdict after the message has been sent. Default [`VERDICT_MS`].
    pub verdict_ms: u64,
    /// One whole answer of an identity provider. Default [`TOKEN_MS`].
    pub token_ms: u64,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect_ms: CONNECT_MS,
            reply_ms: REPLY_MS,
            verdict_ms: VERDICT_MS,
            token_ms: TOKEN_MS,
        }
    }
}

/// A blocked port shows as silence: longer waits only delay the bad news.
pub const CONNECT_MS: u64 = 30_000;
/// RFC 5321 section 4.5.3.2 asks for five minutes; Exchange Online drops idle clients earlier.
pub const REPLY_MS: u64 = 120_000;
/// RFC 5321 section 4.5.3.2.6: giving up earlier than ten minutes risks a second copy.
pub const VERDICT_MS: u64 = 600_000;
/// Entra ID answers within a second, or is throttling.
pub const TOKEN_MS: u64 = 30_000;
