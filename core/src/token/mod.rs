//! Access tokens: obtained by a grant, cached, renewed before they end, one request for many callers.
//! Reports problems and never retries; deciding to try again is the caller's.

mod background;
mod cache;
mod claims;
mod forecast;
mod grant;
mod inspect;
mod pause;
mod record;
mod renewal;
mod sign_in;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

use crate::error::Result;
use crate::model::{RevealedAccessToken, TokenOrigin, TokenUse};
use crate::secret::SecretText;
use async_trait::async_trait;
use std::fmt::Debug;
use std::sync::Arc;

pub(crate) use background::Background;
pub(crate) use cache::TokenCache;
pub(crate) use grant::{IdentityProvider, retry_after_ms};
pub(crate) use sign_in::SignIns;

/// An access token and what is known about it. Cheap to clone; the token itself is shared and secret.
#[derive(Clone, Debug)]
pub struct AccessToken {
    /// The token itself.
    pub secret: Arc<SecretText>,
    /// The mailbox to name beside it (`user=` in XOAUTH2).
    pub mailbox: String,
    /// How it was obtained.
    pub origin: TokenOrigin,
    /// Whether it was at hand, rather than obtained for this call.
    pub from_cache: bool,
    /// Its audience, where the token can be read.
    pub audience: Option<String>,
    /// What it permits: scopes, application roles, or what the server granted.
    pub scopes: Vec<String>,
    /// The person or application it stands for, where the token can be read.
    pub subject: Option<String>,
    /// When it was obtained, in milliseconds since 1970-01-01T00:00:00Z.
    pub obtained_at_unix_ms: i64,
    /// When it ends, in milliseconds since 1970-01-01T00:00:00Z.
    pub expires_at_unix_ms: i64,
}

impl AccessToken {
    /// The token in the clear, for another mail library.
    pub fn reveal(&self) -> RevealedAccessToken {
        RevealedAccessToken {
            // Exposed because handing it over is what this is for.
            token: self.secret.expose().clone(),
            mailbox: self.mailbox.clone(),
            expires_at_unix_ms: self.expires_at_unix_ms,
        }
    }

    /// What a delivery's trail says of it.
    pub fn use_in_trail(&self) -> TokenUse {
        TokenUse {
            origin: self.origin,
            from_cache: self.from_cache,
            audience: self.audience.clone(),
            scopes: self.scopes.clone(),
            expires_at_unix_ms: self.expires_at_unix_ms,
        }
    }
}

/// Where transports get access tokens.
#[async_trait]
pub(crate) trait TokenSource: Send + Sync + Debug {
    /// A valid access token for an account.
    ///
    /// `refused` is the whole rule of renewal: a token that the server refused is renewed only if the stored token
    /// is still that one. Errors: `SignIn`, `Consent`, `Config`, `Throttled`, `Unavailable`, `Storage`, `Misuse`.
    /// May be dropped at any await; a request under way goes on for the other callers.
    async fn access_token(
        &self,
        account: &str,
        refused: Option<&AccessToken>,
    ) -> Result<AccessToken>;
}
