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
    /// How connections are made and kept.
    pub connections: ConnectionSettings,
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
    /// In a SQLite database that several processes of one machine may share; every record is sealed with a key made
    /// from a passphrase.
    Sqlite {
        /// The database's path. It is created, readable by its owner only, when it does not exist.
        path: String,
        /// Where the passphrase comes from.
        passphrase: Passphrase,
    },
    /// In a PostgreSQL database that many machines may share; every record is sealed with a key made from a passphrase,
    /// and of all processes on all machines one renews a token.
    Postgres {
        /// `postgresql://user@host:5432/database`, as libpq takes it; `host=/var/run/postgresql` for a Unix socket. TLS is
        /// used, and the certificate checked, everywhere but on a loopback address or a Unix socket.
        url: SecretText,
        /// Where the password comes from. Default: from the URL, or none.
        password: Option<Passphrase>,
        /// Certificates (PEM) to trust beside the system's.
        ca_pem: Option<String>,
        /// Where the passphrase comes from. It is the same on every machine.
        passphrase: Passphrase,
    },
    /// With a program, such as a script around `pass` or a cloud's secret store, which is run with `get`, `set`, `remove`
    /// or `list` and a record's name. It protects the records; Mailbearer hands them over as they are.
    Command {
        /// The program and its first arguments. It is run without a shell.
        command: Vec<String>,
    },
    /// In environment variables: accounts that an application signs in, read once. Tokens are kept in memory; no account
    /// can be added or removed.
    Environment {
        /// The variable with the accounts, a JSON list of `NewAccount`. In a `grant`, `clientSecretVariable` and
        /// `privateKeyPemVariable` name the variables of the secrets. Default `MAILBEARER_ACCOUNTS`.
        variable: Option<String>,
    },
}

/// Where the passphrase of a vault comes from, or another secret that opens it.
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
    /// From a credential that systemd hands to the service (`LoadCredential=`, `LoadCredentialEncrypted=`).
    Credential {
        /// The credential's name: a file in `$CREDENTIALS_DIRECTORY`.
        name: String,
    },
    /// From the keyring of the person who is logged in (Secret Service, Apple's or Windows's own). A random key is made and
    /// kept there when a vault is created.
    Keyring {
        /// The entry's name, best one of its own for each vault, such as the vault's path.
        name: String,
    },
    /// From what a program prints, such as a client of a cloud's secret store; one line end at the end does not count.
    Command {
        /// The program and its arguments. It is run without a shell and without input.
        command: Vec<String>,
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

/// How connections are made and kept. Values out of their range are `Config` errors of `open`.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct ConnectionSettings {
    /// How long a connection without anything to do is kept for the next mail, in milliseconds, 0 to 240,000; 0 ends it at
    /// once. Of several, all but one are kept for a second only. Default [`REST_MS`].
    pub rest_ms: u64,
    /// How long a mail is tried again that the server refuses because too many connections of the mailbox are open, those of
    /// other programs among them, in milliseconds, 0 to 600,000; 0 reports the first refusal. Default
    /// [`CONCURRENCY_WAIT_MS`].
    pub concurrency_wait_ms: u64,
    /// The proxy to mail servers and identity providers: `http://user:password@host:port` (CONNECT), `socks5h://…` or, with
    /// names looked up here, `socks5://…`. This machine itself is reached without it, and so is the vault. Default: none for
    /// mail; for identity providers, what the system is set to (`HTTPS_PROXY`, `NO_PROXY`).
    pub proxy: Option<SecretText>,
}

impl Default for ConnectionSettings {
    fn default() -> Self {
        Self {
            rest_ms: REST_MS,
            concurrency_wait_ms: CONCURRENCY_WAIT_MS,
            proxy: None,
        }
    }
}

/// A second mail within seconds costs no sign-in. A mailbox may have three connections over all its programs, so that a
/// longer rest keeps other programs waiting; and after a longer one, a connection may be dead without anybody having
/// noticed. Servers end idle connections after minutes, Postfix under stress after 10 s.
pub const REST_MS: u64 = 5_000;
/// Long enough for a dozen rests of other programs.
pub const CONCURRENCY_WAIT_MS: u64 = 60_000;
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
