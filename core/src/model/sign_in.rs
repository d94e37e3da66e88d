//! A person's sign-in, begun and finished, with only data between.

use serde::{Deserialize, Serialize};

/// How a person signs in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum SignInFlow {
    /// On another device, with a code to type (RFC 8628). Tenants may block it by policy.
    DeviceCode,
    /// In a browser, with PKCE and a loopback redirect (RFC 8252). Register `http://localhost` under "Mobile and desktop
    /// applications".
    AuthorizationCode,
}

/// What to show the person. Holds no secret of ours: device code and PKCE verifier stay inside the handle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[serde(rename_all = "camelCase")]
pub struct SignInPrompt {
    /// Names this sign-in; valid in the handle that began it, until it is finished or has expired.
    pub id: String,
    /// The account that signs in.
    pub account: String,
    /// The code to type; empty where the browser needs none.
    pub user_code: String,
    /// The page to open, as the server gave it.
    pub verification_url: String,
    /// The server's own instruction, in its language.
    pub instruction: String,
    /// When the sign-in ends, in milliseconds since 1970-01-01T00:00:00Z.
    pub expires_at_unix_ms: i64,
    /// Set it before finishing, where the browser runs on another machine: the address it ended at, which cannot be
    /// reached there. It holds the code, a secret, until the sign-in is finished.
    #[serde(default)]
    pub redirected_to: Option<String>,
}
