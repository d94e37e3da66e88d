//! Client assertions (RFC 7523 section 2.2): the application proves who it is by a signed statement of its own, or by
//! the token of an issuer that it trusts (workload identity federation). Nothing secret travels.

use super::{IdentityProvider, scopes};
use crate::diagnosis;
use crate::error::{Error, Result};
use crate::host::{ExtraRoots, random_token, read_text};
use crate::model::{Account, ProblemKind, TokenOrigin};
use crate::provider::FEDERATION_AUDIENCE;
use crate::provider::certificate::{self, Certificate};
use crate::secret::SecretText;
use crate::token::record::Tokens;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::json;

impl IdentityProvider {
    /// Obtains a token for the application by its certificate. Errors: `Config`, `Consent`, `Throttled`, `Unavailable`.
    pub(crate) async fn by_certificate(
        &self,
        account: &Account,
        certificate_pem: &str,
        private_key_pem: &SecretText,
    ) -> Result<Tokens> {
        let certificate = certificate::read(certificate_pem, private_key_pem)?;
        let now = self.clock.now_unix_ms();
        if certificate.expires_at_unix_ms <= now {
            let text = "the certificate's end has passed";
            return Err(diagnosis::problem("certificate-expired", text));
        }
        let id = random_token(&*self.random)?;
        let assertion = sign(account, &certificate, now / 1000, &id)?;
        self.by_assertion(account, assertion, TokenOrigin::ClientCertificate)
            .await
    }

    /// Obtains a token for the application by another issuer's token.
    /// Errors: `Config`, `Consent`, `Throttled`, `Unavailable`.
    pub(crate) async fn by_federated_token(
        &self,
        account: &Account,
        token_file: Option<&str>,
    ) -> Result<Tokens> {
        let assertion = match token_file.map(str::to_owned) {
            Some(path) => read_text(&path, TOKEN_OF_ISSUER).await?,
            None => self.token_of_the_environment(account).await?,
        };
        self.by_assertion(account, assertion, TokenOrigin::FederatedToken)
            .await
    }

    async fn by_assertion(
        &self,
        account: &Account,
        assertion: SecretText,
        origin: TokenOrigin,
    ) -> Result<Tokens> {
        let exchange = self.exchange(account);
        let client = Self::client(account)?;
        let request = client
            .exchange_client_credentials()
            .add_scopes(scopes(account))
            .add_extra_param("client_assertion_type", JWT_BEARER)
            // Exposed to be sent to the token endpoint.
            .add_extra_param("client_assertion", assertion.expose().clone());
        let response = request.request_async(&exchange).await;
        let response = response.map_err(|error| exchange.refusal(error))?;
        self.tokens(&response, origin)
    }

    /// Where Azure's workload identity (on Kubernetes) and GitHub Actions put the token of a job.
    async fn token_of_the_environment(&self, account: &Account) -> Result<SecretText> {
        let variable = |name: &str| self.environment.variable(name);
        if let Some(path) = variable("AZURE_FEDERATED_TOKEN_FILE") {
            return read_text(&path, TOKEN_OF_ISSUER).await;
        }
        match (
            variable("ACTIONS_ID_TOKEN_REQUEST_URL"),
            variable("ACTIONS_ID_TOKEN_REQUEST_TOKEN").map(SecretText::new),
        ) {
            (Some(url), Some(bearer)) => self.token_of_github(account, &url, &bearer).await,
            _ => Err(no_issuer()),
        }
    }

    async fn token_of_github(
        &self,
        account: &Account,
        url: &str,
        bearer: &SecretText,
    ) -> Result<SecretText> {
        #[derive(Deserialize)]
        struct Answer {
            value: SecretText,
        }
        let separator = if url.contains('?') { '&' } else { '?' };
        let request = http::Request::get(format!("{url}{separator}audience={FEDERATION_AUDIENCE}"))
            // Exposed to be sent to the address beside which it was given.
            .header("authorization", format!("Bearer {}", bearer.expose()))
            .header("accept", "application/json");
        let mut request = request.body(Vec::new()).map_err(|_| no_issuer())?;
        if let Some(roots) = account.endpoints.ca_pem.as_deref() {
            request.extensions_mut().insert(ExtraRoots(roots.into()));
        }
        let exchange = self.exchange(account);
        let response = exchange.send(ACTIONS, request).await?;
        let answer: Option<Answer> = serde_json::from_slice(response.body()).ok();
        let answer = answer.filter(|_| response.status().is_success());
        answer.map(|answer| answer.value).ok_or_else(|| {
            let status = response.status().as_u16();
            let text = format!("GitHub Actions gave no token for this job: HTTP {status}");
            let fix = "give the workflow's job `permissions: id-token: write`";
            Error::new(ProblemKind::Config, "federated-token-refused", text, fix)
        })
    }
}

/// A statement good for ten minutes (Microsoft asks for five to ten).
fn sign(account: &Account, certificate: &Certificate, now: i64, id: &str) -> Result<SecretText> {
    let thumbprint = URL_SAFE_NO_PAD.encode(&certificate.thumbprint);
    let header = json!({ "alg": "PS256", "typ": "JWT", "x5t#S256": thumbprint });
    let claims = json!({
        "aud": account.endpoints.token_url,
        "iss": account.client_id,
        "sub": account.client_id,
        "jti": id,
        "nbf": now,
        "iat": now,
        "exp": now + 600,
    });
    let part = |value: serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let text = format!("{}.{}", part(header), part(claims));
    let signature = URL_SAFE_NO_PAD.encode(certificate.sign(text.as_bytes())?);
    Ok(SecretText::new(format!("{text}.{signature}")))
}

const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

const ACTIONS: &str = "GitHub Actions";

const TOKEN_OF_ISSUER: &str = "the issuer's token";

fn no_issuer() -> Error {
    Error::new(
        ProblemKind::Config,
        "federated-token-missing",
        "no issuer's token is at hand: neither a token file nor a variable of the environment names one",
        "give grant.tokenFile, or run where AZURE_FEDERATED_TOKEN_FILE (Azure workload identity) or ACTIONS_ID_TOKEN_REQUEST_URL (GitHub Actions) is set",
    )
}
