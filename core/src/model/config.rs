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
    /// What happens to tokens that nobody asks for.
    pub renewal: RenewalSettings,
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

/// What happens to tokens that nobody asks for. Values out of their range are `Config` errors of `open`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct RenewalSettings {
    /// Whether the tokens of all accounts are renewed while the handle is open, before any caller would have to wait; and
    /// with them the refresh tokens of accounts that nobody uses. Token commands are left alone. Default `false`: a token is
    /// renewed when it is asked for.
    pub in_background: bool,
    /// The most token requests that this makes in a second, 1 to 1000. Default [`REQUESTS_PER_SECOND`].
    pub requests_per_second: u32,
    /// After how many days without use a refresh token ends, 1 to 3650; what is said of its end follows from it. Default
    /// [`REFRESH_TOKEN_IDLE_DAYS`].
    pub refresh_token_idle_days: u32,
}

impl Default for RenewalSettings {
    fn default() -> Self {
        Self {
            in_background: false,
            requests_per_second: REQUESTS_PER_SECOND,
            refresh_token_idle_days: REFRESH_TOKEN_IDLE_DAYS,
        }
    }
}

/// Ten thousand accounts take a quarter of an hour, well within the life of a token; Microsoft names no limit.
pub const REQUESTS_PER_SECOND: u32 = 10;
/// Entra ID's, for all but single-page applications (Microsoft, "Refresh tokens").
pub const REFRESH_TOKEN_IDLE_DAYS: u32 = 90;
/// A blocked port shows as silence: longer waits only delay the bad news.
pub const CONNECT_MS: u64 = 30_000;
/// RFC 5321 section 4.5.3.2 asks for five minutes; Exchange Online drops idle clients earlier.
pub const REPLY_MS: u64 = 120_000;
/// RFC 5321 section 4.5.3.2.6: giving up earlier than ten minutes risks a second copy.
pub const VERDICT_MS: u64 = 600_000;
/// Entra ID answers within a second, or is throttling.
pub const TOKEN_MS: u64 = 30_000;
