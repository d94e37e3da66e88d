//! Requests to an identity provider: the `oauth2` crate's protocol over the handle's HTTP client.
//! Every refusal goes through `diagnosis`; nothing is asked twice, except that a client secret is offered in the
//! second of the two standard ways (RFC 6749 section 2.3.1) when the first is not supported.

mod answer;
mod assertion;
mod authorization_code;
mod client_secret;
mod command;
mod device_code;
mod managed_identity;
mod refresh;

use self::answer::{Answer, Expected, TokenAnswer};
use super::record::Tokens;
use super::renewal::Lifetime;
use crate::diagnosis::OAuthError;
use crate::error::{Error, Result};
use crate::host::{Clock, Environment, ExtraRoots, HttpClient, Random, within};
use crate::model::{Account, ProblemKind, TokenOrigin};
use crate::secret::SecretText;
use oauth2::basic::{
    BasicErrorResponse, BasicRevocationErrorResponse, BasicTokenIntrospectionResponse,
};
use oauth2::{
    AuthType, ClientId, EndpointNotSet, EndpointSet, HttpRequest, HttpResponse, RequestTokenError,
    Scope, StandardRevocableToken, TokenResponse as _, TokenUrl,
};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

pub(crate) use answer::retry_after_ms;
pub(crate) use authorization_code::AuthorizationRequest;
pub(crate) use device_code::DeviceAuthorization;

/// The identity provider of any account, reached through the handle's parts.
#[derive(Clone, Debug)]
pub(crate) struct IdentityProvider {
    pub(crate) http: Arc<dyn HttpClient>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
    pub(crate) environment: Arc<dyn Environment>,
    pub(crate) timeout: Duration,
}

/// A client whose token endpoint is known.
type TokenClient = Client<EndpointSet>;

/// The `oauth2` crate's client, reading the members of an answer that Microsoft adds.
type Client<HasTokenUrl> = oauth2::Client<
    BasicErrorResponse,
    TokenAnswer,
    BasicTokenIntrospectionResponse,
    StandardRevocableToken,
    BasicRevocationErrorResponse,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    HasTokenUrl,
>;

impl IdentityProvider {
    /// The `oauth2` client for an account. Credentials go into the body, as in Microsoft's documentation.
    fn client(account: &Account) -> Result<TokenClient> {
        let token_url = TokenUrl::new(account.endpoints.token_url.clone())
            .map_err(|error| bad_url(&account.endpoints.token_url).with_source(error))?;
        Ok(Client::new(ClientId::new(account.client_id.clone()))
            .set_auth_type(AuthType::RequestBody)
            .set_token_uri(token_url))
    }

    fn exchange(&self, account: &Account) -> Exchange {
        self.exchange_for(account, Expected::Tokens)
    }

    fn exchange_for(&self, account: &Account, expected: Expected) -> Exchange {
        Exchange {
            provider: self.clone(),
            expected,
            extra_roots: account.endpoints.ca_pem.as_deref().map(Arc::from),
            last: Arc::default(),
        }
    }

    /// The tokens of a successful response, with times from the handle's clock.
    fn tokens(&self, response: &TokenAnswer, origin: TokenOrigin) -> Result<Tokens> {
        let scopes = response.scopes().map(Vec::as_slice).unwrap_or_default();
        let refresh_token = response.refresh_token();
        let lifetime = self.lifetime(
            response.expires_in().unwrap_or(DEFAULT_LIFETIME),
            response.extra_fields().refresh_in(),
        )?;
        Ok(Tokens {
            access_token: Arc::new(SecretText::new(response.access_token().secret().clone())),
            refresh_token: refresh_token.map(|token| SecretText::new(token.secret().clone())),
            origin,
            granted_scopes: scopes.iter().map(|scope| scope.to_string()).collect(),
            lifetime,
        })
    }

    /// A life that begins now.
    fn lifetime(&self, lasts: Duration, refresh_in: Option<Duration>) -> Result<Lifetime> {
        Lifetime::begin(self.clock.now_unix_ms(), lasts, refresh_in, &*self.random)
    }
}

/// RFC 6749 section 5.1 lets a server leave `expires_in` out; Microsoft never does. Half an hour is on the safe side.
const DEFAULT_LIFETIME: Duration = Duration::from_secs(30 * 60);

fn scopes(account: &Account) -> impl Iterator<Item = Scope> + '_ {
    account.endpoints.scopes.iter().cloned().map(Scope::new)
}

/// One conversation with a token endpoint: sends with a deadline, and keeps the last answer, because the `oauth2`
/// crate's own errors drop most of what Microsoft says in it.
struct Exchange {
    provider: IdentityProvider,
    expected: Expected,
    extra_roots: Option<Arc<str>>,
    last: Arc<Mutex<Last>>,
}

/// The last thing that came back.
#[derive(Default)]
enum Last {
    #[default]
    Nothing,
    Answer(Answer),
    Failure(Error),
}

impl Exchange {
    /// The error to report when the `oauth2` crate found that the last answer was not what it asked for.
    fn refusal<E: std::error::Error + 'static, T: oauth2::ErrorResponse + 'static>(
        &self,
        error: RequestTokenError<E, T>,
    ) -> Error {
        let mut last = self.last.lock().unwrap_or_else(|e| e.into_inner());
        match std::mem::take(&mut *last) {
            Last::Failure(error) => error,
            Last::Answer(answer) => answer.refusal(),
            // The crate's text for a request it could not make; it names the parameter, never a value.
            Last::Nothing => unsent(&error.to_string()),
        }
    }

    /// Whether the last answer is a plain `invalid_client` from a server that is not Microsoft's.
    fn wants_other_client_authentication(&self) -> bool {
        let last = self.last.lock().unwrap_or_else(|e| e.into_inner());
        let Last::Answer(answer) = &*last else {
            return false;
        };
        OAuthError::parse(&answer.body).is_some_and(|answer| {
            answer.error.as_deref() == Some("invalid_client") && answer.aadsts.is_none()
        })
    }
}

impl<'c> oauth2::AsyncHttpClient<'c> for Exchange {
    type Error = SeeLast;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, SeeLast>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(async move {
            let host = request.uri().host().unwrap_or_default().to_owned();
            let answered = self.send(&host, request).await;
            let mut last = self.last.lock().unwrap_or_else(|e| e.into_inner());
            let checked = answered.and_then(|response| {
                let answer = Answer::of(host, &response, self.provider.clock.now_unix_ms());
                answer.check(self.expected)?;
                *last = Last::Answer(answer);
                Ok(response)
            });
            checked.map_err(|error| {
                *last = Last::Failure(error);
                SeeLast
            })
        })
    }
}

impl Exchange {
    async fn send(&self, host: &str, mut request: HttpRequest) -> Result<HttpResponse> {
        if let Some(roots) = &self.extra_roots {
            request.extensions_mut().insert(ExtraRoots(roots.clone()));
        }
        let IdentityProvider {
            http,
            clock,
            timeout,
            ..
        } = &self.provider;
        within(&**clock, *timeout, http.call(request))
            .await
            .unwrap_or_else(|| Err(silent(host, *timeout)))
    }
}

/// Stands for an error that is kept in [`Exchange::last`].
#[derive(Debug)]
struct SeeLast;

impl std::fmt::Display for SeeLast {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("the request failed")
    }
}

impl std::error::Error for SeeLast {}

fn bad_url(url: &str) -> Error {
    Error::new(
        ProblemKind::Config,
        "endpoint-url-invalid",
        format!("not a URL: {url}"),
        "correct the endpoint's URL",
    )
}

fn silent(host: &str, timeout: Duration) -> Error {
    Error::new(
        ProblemKind::Unavailable,
        "identity-provider-silent",
        format!(
            "{host} gave no whole answer within {} ms",
            timeout.as_millis()
        ),
        format!("try again; if it goes on, look for a firewall or proxy in front of {host}"),
    )
}

fn unsent(reason: &str) -> Error {
    Error::new(
        ProblemKind::Config,
        "token-request-malformed",
        format!("no token request could be made: {reason}"),
        "check the account's endpoints, client id and scopes",
    )
}
