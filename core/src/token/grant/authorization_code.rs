//! The authorization code grant with PKCE (RFC 6749 section 4.1, RFC 7636, RFC 8252): a person signs in with the
//! browser of this machine, which comes back to a loopback address; or of another one, whose last address is pasted.

use super::{IdentityProvider, bad_url, scopes};
use crate::diagnosis::{self, OAuthError};
use crate::error::{Error, Result};
use crate::host::{Loopback, Visit, random_token, within};
use crate::model::{Account, Cloud, ProblemKind, TokenOrigin};
use crate::secret::SecretText;
use crate::token::record::Tokens;
use oauth2::url::{Url, form_urlencoded};
use oauth2::{
    AuthUrl, AuthorizationCode, CsrfToken, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl,
};
use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

/// A sign-in that waits for a browser. Holds the PKCE verifier, which is a secret.
pub(crate) struct AuthorizationRequest {
    /// The page to open.
    pub(crate) url: String,
    pub(crate) expires_at_unix_ms: i64,
    redirect_url: RedirectUrl,
    state: String,
    verifier: SecretText,
    loopback: Loopback,
}

impl fmt::Debug for AuthorizationRequest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("AuthorizationRequest")
            .field("redirect_url", &self.redirect_url)
            .finish_non_exhaustive()
    }
}

impl IdentityProvider {
    /// Makes the address to open, and listens for the browser's return. Errors: `Config`, `Unavailable`.
    pub(crate) async fn begin_authorization_code(
        &self,
        account: &Account,
        claims: Option<String>,
    ) -> Result<AuthorizationRequest> {
        let url = account.endpoints.authorization_url.clone();
        let url = url.ok_or_else(no_authorization_endpoint)?;
        let auth_url =
            AuthUrl::new(url.clone()).map_err(|error| bad_url(&url).with_source(error))?;
        let loopback = Loopback::listen().await?;
        // `localhost` and not 127.0.0.1: the portal's form takes no other loopback address, and Entra ID ignores the port.
        let redirect_url = format!("http://localhost:{}/", loopback.port());
        let redirect_url = RedirectUrl::new(redirect_url.clone())
            .map_err(|error| bad_url(&redirect_url).with_source(error))?;
        let token = || random_token(&*self.random);
        let state = token()?;
        // 64 characters; RFC 7636 section 4.1 asks for 43 to 128.
        let verifier = SecretText::new(token()? + &token()?);
        let client = Self::client(account)?
            .set_auth_uri(auth_url)
            .set_redirect_uri(redirect_url.clone());
        let csrf = state.clone();
        let mut request = client
            .authorize_url(move || CsrfToken::new(csrf))
            .add_scopes(scopes(account))
            .set_pkce_challenge(challenge(&verifier));
        if account.cloud != Cloud::Custom {
            // Which of several signed-in accounts is meant, only the person knows.
            request = request
                .add_extra_param("prompt", "select_account")
                .add_extra_param("login_hint", account.mailbox.clone());
        }
        if let Some(claims) = claims {
            request = request.add_extra_param("claims", claims);
        }
        let (url, _) = request.url();
        Ok(AuthorizationRequest {
            url: url.to_string(),
            expires_at_unix_ms: self.clock.now_unix_ms().saturating_add(LIFETIME_MS),
            redirect_url,
            state,
            verifier,
            loopback,
        })
    }

    /// Waits for the browser, or takes the address that was pasted.
    /// Errors: `SignIn`, `Consent`, `Config`, `Throttled`, `Unavailable`, `Misuse`.
    pub(crate) async fn finish_authorization_code(
        &self,
        account: &Account,
        request: &AuthorizationRequest,
        redirected_to: Option<&str>,
    ) -> Result<Tokens> {
        if let Some(address) = redirected_to {
            let query = query_of(address).ok_or_else(pasted_wrongly)?;
            let answer = request.read(&query).ok_or_else(pasted_wrongly)?;
            return self.redeem(account, request, answer).await;
        }
        let left_ms = request.expires_at_unix_ms - self.clock.now_unix_ms();
        let left = Duration::from_millis(u64::try_from(left_ms).unwrap_or_default());
        let waiting = self.wait_for_browser(account, request);
        let waited = within(&*self.clock, left, waiting).await;
        waited.unwrap_or_else(|| Err(nobody_came()))
    }

    async fn wait_for_browser(
        &self,
        account: &Account,
        request: &AuthorizationRequest,
    ) -> Result<Tokens> {
        loop {
            let visit = request.loopback.next().await.ok_or_else(nobody_came)?;
            let Some(answer) = request.read(&visit.query) else {
                // Somebody else's: it must not end this sign-in.
                visit.show(
                    "This is not the sign-in that is waited for",
                    "Use the address that the program shows.",
                );
                continue;
            };
            let redeemed = self.redeem(account, request, answer).await;
            show(visit, account, &redeemed);
            return redeemed;
        }
    }

    async fn redeem(
        &self,
        account: &Account,
        request: &AuthorizationRequest,
        answer: Result<SecretText>,
    ) -> Result<Tokens> {
        let code = answer?;
        let exchange = self.exchange(account);
        let client = Self::client(account)?.set_redirect_uri(request.redirect_url.clone());
        let response = client
            // Exposed to be sent to the token endpoint, as is the verifier.
            .exchange_code(AuthorizationCode::new(code.expose().clone()))
            .set_pkce_verifier(PkceCodeVerifier::new(request.verifier.expose().clone()))
            .request_async(&exchange)
            .await;
        let response = response.map_err(|error| of_the_code(exchange.refusal(error)))?;
        self.tokens(&response, TokenOrigin::AuthorizationCode)
    }
}

impl AuthorizationRequest {
    /// The code or the refusal in an answer; `None` if it does not answer this request (RFC 6749 section 10.12), or says
    /// anything twice, which no server does (section 3.1).
    fn read(&self, query: &str) -> Option<Result<SecretText>> {
        let mut fields = HashMap::new();
        for (name, value) in form_urlencoded::parse(query.as_bytes()).into_owned() {
            if fields.insert(name, value).is_some() {
                return None;
            }
        }
        if fields.get("state") != Some(&self.state) {
            return None;
        }
        if fields.contains_key("error") {
            return Some(Err(refusal(&fields)));
        }
        let code = fields.remove("code").filter(|code| !code.is_empty())?;
        Some(Ok(SecretText::new(code)))
    }
}

/// How long a person may take; the page itself ends sooner or later than this.
const LIFETIME_MS: i64 = 15 * 60 * 1000;

fn challenge(verifier: &SecretText) -> PkceCodeChallenge {
    // Exposed to be hashed (S256).
    PkceCodeChallenge::from_code_verifier_sha256(&PkceCodeVerifier::new(verifier.expose().clone()))
}

/// The query of an address, of `?…`, or of the bare fields.
fn query_of(pasted: &str) -> Option<String> {
    let pasted = pasted.trim();
    if let Ok(url) = Url::parse(pasted) {
        return url.query().or_else(|| url.fragment()).map(str::to_owned);
    }
    let bare = pasted.trim_start_matches(['?', '#']);
    bare.contains('=').then(|| bare.to_owned())
}

/// An error that came with the browser is explained like an answer of the token endpoint.
fn refusal(fields: &HashMap<String, String>) -> Error {
    let body = serde_json::json!({
        "error": fields.get("error"),
        "error_description": fields.get("error_description"),
    });
    let body = body.to_string();
    match OAuthError::parse(body.as_bytes()) {
        Some(_) => diagnosis::token_refusal("the sign-in page", 400, None, body.as_bytes()),
        None => diagnosis::problem("sign-in-refused", "the sign-in page refused"),
    }
}

/// There is no refresh token yet: whatever has ended, was used up or is unknown, is the code.
fn of_the_code(error: Error) -> Error {
    if !["refresh-token-expired", "grant-refused", "token-corrupted"].contains(&error.code()) {
        return error;
    }
    let text =
        "the sign-in was refused: the authorization code is unknown, was used before, or has ended";
    let refused = diagnosis::problem("auth-code-reused", text);
    match &error.problem().answer {
        Some(answer) => refused.with_answer(answer),
        None => refused,
    }
}

fn show(visit: Visit, account: &Account, redeemed: &Result<Tokens>) {
    match redeemed {
        Ok(tokens) => {
            let token = tokens.access_token(&account.mailbox);
            let subject = token.subject.unwrap_or_else(|| account.mailbox.clone());
            let sentence = format!("{subject} can send now. You can close this window.");
            visit.show("Signed in", &sentence);
        }
        Err(error) => {
            let problem = error.problem();
            visit.show(
                "Not signed in",
                &format!("{} — {}", problem.text, problem.fix),
            );
        }
    }
}

fn no_authorization_endpoint() -> Error {
    Error::new(
        ProblemKind::Config,
        "authorization-endpoint-missing",
        "this account's cloud has no authorization endpoint",
        "give authorization_url in the account's endpoints, or sign in with a device code",
    )
}

fn nobody_came() -> Error {
    diagnosis::problem(
        "redirect-not-received",
        "no browser came back from the sign-in page",
    )
}

fn pasted_wrongly() -> Error {
    Error::new(
        ProblemKind::Misuse,
        "redirect-mismatch",
        "the pasted address is not the one that this sign-in ends at",
        "paste the whole address from the browser's address bar after the sign-in; it begins with http://localhost and holds code= and state=",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_query_in_what_people_paste() {
        fn check(pasted: &str, expected: Option<&str>) {
            assert_eq!(query_of(pasted).as_deref(), expected, "{pasted}");
        }
        check(
            "http://localhost:1234/?code=a&state=b",
            Some("code=a&state=b"),
        );
        check("  http://localhost/?code=a \n", Some("code=a"));
        check("http://localhost/#code=a", Some("code=a"));
        check("?code=a&state=b", Some("code=a&state=b"));
        check("code=a&state=b", Some("code=a&state=b"));
        check("http://localhost/", None);
        check("0.AXYcode", None);
        check("", None);
    }
}
