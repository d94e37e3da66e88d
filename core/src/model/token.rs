//! What is known about an account's tokens, without the tokens.

use serde::{Deserialize, Serialize};
use std::fmt;

/// The state of an account's tokens.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[serde(rename_all = "camelCase")]
pub struct TokenStatus {
    /// The account.
    pub account: String,
    /// Whether it can send now.
    pub state: TokenState,
    /// How the access token was obtained; absent when there is none.
    pub origin: Option<TokenOrigin>,
    /// The access token's audience (`aud`), where the token can be read.
    pub audience: Option<String>,
    /// What the access token permits: its scopes (`scp`) or application roles (`roles`), or what the server granted.
    pub scopes: Vec<String>,
    /// The person or application the access token stands for, where the token can be read.
    pub subject: Option<String>,
    /// When the access token was obtained, in milliseconds since 1970-01-01T00:00:00Z.
    pub obtained_at_unix_ms: Option<i64>,
    /// When the access token ends, in milliseconds since 1970-01-01T00:00:00Z.
    pub expires_at_unix_ms: Option<i64>,
    /// Whether a refresh token is stored.
    pub has_refresh_token: bool,
    /// When the refresh token ends unless it is used before, in milliseconds since 1970-01-01T00:00:00Z: by the server's usual
    /// rule (`refreshTokenIdleDays`), since the token itself does not say.
    pub refresh_token_expires_at_unix_ms: Option<i64>,
    /// When the client secret ends, in milliseconds since 1970-01-01T00:00:00Z, if the account was added with that.
    pub secret_expires_at_unix_ms: Option<i64>,
    /// When the certificate ends, in milliseconds since 1970-01-01T00:00:00Z.
    pub certificate_expires_at_unix_ms: Option<i64>,
}

/// Whether an account can send.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
#[serde(rename_all = "camelCase")]
pub enum TokenState {
    /// The access token is valid.
    Valid,
    /// No valid access token, but the next call obtains one without a person.
    Renewable,
    /// A person must sign in.
    SignInNeeded,
}

/// How an access token was obtained.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum TokenOrigin {
    /// A person's sign-in in a browser.
    AuthorizationCode,
    /// A person's sign-in with a device code.
    DeviceCode,
    /// The application's client secret.
    ClientSecret,
    /// The application's certificate.
    ClientCertificate,
    /// Another issuer's token.
    FederatedToken,
    /// The machine's own identity in Azure.
    ManagedIdentity,
    /// A command.
    TokenCommand,
    /// A refresh token.
    RefreshToken,
}

/// An access token in the clear, for other mail libraries. It is a secret: do not log or store it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[serde(rename_all = "camelCase")]
pub struct RevealedAccessToken {
    /// The access token.
    pub token: String,
    /// The mailbox to name beside it (`user=` in XOAUTH2).
    pub mailbox: String,
    /// When it ends, in milliseconds since 1970-01-01T00:00:00Z.
    pub expires_at_unix_ms: i64,
}

impl fmt::Debug for RevealedAccessToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("RevealedAccessToken")
            .field("mailbox", &self.mailbox)
            .field("expires_at_unix_ms", &self.expires_at_unix_ms)
            .finish_non_exhaustive()
    }
}
