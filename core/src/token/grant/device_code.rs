//! The device authorization grant (RFC 8628): a person types a short code on another device.
//! The `oauth2` crate polls, waits the server's interval and obeys `slow_down`; the code's end is a deadline of ours.

use super::answer::Expected;
use super::{IdentityProvider, bad_url, scopes};
use crate::diagnosis;
use crate::error::{Error, Result};
use crate::host::within;
use crate::model::{Account, ProblemKind, Retry, TokenOrigin};
use crate::token::record::Tokens;
use oauth2::{DeviceAuthorizationUrl, ExtraDeviceAuthorizationFields};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

/// A sign-in that waits for a person. Holds the device code, which is a secret.
#[derive(Clone)]
pub(crate) struct DeviceAuthorization {
    details: Details,
    /// What an earlier refusal says this sign-in must fulfil.
    claims: Option<String>,
    pub(crate) expires_at_unix_ms: i64,
}

type Details = oauth2::DeviceAuthorizationResponse<Instruction>;

/// Microsoft's ready-made sentence for the person, beside the standard's fields.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Instruction {
    message: Option<String>,
}

impl ExtraDeviceAuthorizationFields for Instruction {}

impl fmt::Debug for DeviceAuthorization {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("DeviceAuthorization")
            .field("expires_at_unix_ms", &self.expires_at_unix_ms)
            .finish_non_exhaustive()
    }
}

impl DeviceAuthorization {
    pub(crate) fn user_code(&self) -> String {
        self.details.user_code().secret().clone()
    }

    pub(crate) fn verification_url(&self) -> String {
        self.details.verification_uri().to_string()
    }

    /// The server's own sentence, or ours in its absence.
    pub(crate) fn instruction(&self) -> String {
        let given = self.details.extra_fields().message.clone();
        given.unwrap_or_else(|| {
            let (url, code) = (self.verification_url(), self.user_code());
            format!("To sign in, open {url} in a browser and enter the code {code}.")
        })
    }
}

impl IdentityProvider {
    /// Asks for a code. Errors: `Config`, `Consent`, `Throttled`, `Unavailable`.
    pub(crate) async fn begin_device_code(
        &self,
        account: &Account,
        claims: Option<String>,
    ) -> Result<DeviceAuthorization> {
        let url = account.endpoints.device_authorization_url.clone();
        let url = url.ok_or_else(no_device_endpoint)?;
        let url = DeviceAuthorizationUrl::new(url.clone())
            .map_err(|error| bad_url(&url).with_source(error))?;
        let exchange = self.exchange_for(account, Expected::DeviceCode);
        let client = Self::client(account)?.set_device_authorization_url(url);
        let mut request = client.exchange_device_code().add_scopes(scopes(account));
        if let Some(claims) = &claims {
            request = request.add_extra_param("claims", claims.clone());
        }
        let details: Details = request
            .request_async(&exchange)
            .await
            .map_err(|error| exchange.refusal(error))?;
        let lifetime_ms = i64::try_from(details.expires_in().as_millis()).unwrap_or(i64::MAX);
        Ok(DeviceAuthorization {
            expires_at_unix_ms: self.clock.now_unix_ms().saturating_add(lifetime_ms),
            details,
            claims,
        })
    }

    /// Waits until the person has signed in or declined, or the code has ended.
    /// Errors: `SignIn`, `Consent`, `Config`, `Throttled`, `Unavailable`.
    pub(crate) async fn finish_device_code(
        &self,
        account: &Account,
        authorization: &DeviceAuthorization,
    ) -> Result<Tokens> {
        let left_ms = authorization.expires_at_unix_ms - self.clock.now_unix_ms();
        let left = Duration::from_millis(u64::try_from(left_ms).unwrap_or_default());
        let polling = self.poll_through_faults(account, authorization);
        within(&*self.clock, left, polling)
            .await
            .unwrap_or_else(|| Err(code_ended()))
    }

    /// A passing fault of the server does not end a sign-in that a person may be in the middle of
    /// (RFC 8628 section 3.5): polling goes on, as long as the code lives.
    async fn poll_through_faults(
        &self,
        account: &Account,
        authorization: &DeviceAuthorization,
    ) -> Result<Tokens> {
        loop {
            let error = match self.poll(account, authorization).await {
                Err(error) if error.is_passing() => error,
                done => return done,
            };
            let wait = match error.problem().retry {
                Retry::After { delay_ms } => Duration::from_millis(delay_ms),
                _ => Duration::ZERO,
            };
            let interval = authorization.details.interval();
            self.clock.sleep(interval.max(wait.min(MAX_PAUSE))).await;
        }
    }

    async fn poll(&self, account: &Account, authorization: &DeviceAuthorization) -> Result<Tokens> {
        let exchange = self.exchange(account);
        let client = Self::client(account)?;
        let mut request = client.exchange_device_access_token(&authorization.details);
        if let Some(claims) = &authorization.claims {
            request = request.add_extra_param("claims", claims.clone());
        }
        let wait = |duration| {
            let clock = self.clock.clone();
            async move { clock.sleep(duration).await }
        };
        let response = request.request_async(&exchange, wait, None).await;
        let response = response.map_err(|error| exchange.refusal(error))?;
        self.tokens(&response, TokenOrigin::DeviceCode)
    }
}

/// The longest pause between two polls after a fault: the person is waiting.
const MAX_PAUSE: Duration = Duration::from_secs(20);

fn no_device_endpoint() -> Error {
    Error::new(
        ProblemKind::Config,
        "device-endpoint-missing",
        "this account's cloud has no device authorization endpoint",
        "give device_authorization_url in the account's endpoints",
    )
}

fn code_ended() -> Error {
    diagnosis::problem(
        "device-code-expired",
        "the code ended before anybody signed in with it",
    )
}
