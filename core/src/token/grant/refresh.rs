//! The refresh token grant (RFC 6749 section 6). A server may give a new refresh token with every use (rotation);
//! where it does not, the old one stays in force.

use super::{IdentityProvider, scopes};
use crate::diagnosis;
use crate::error::{Error, Result};
use crate::model::{Account, TokenOrigin};
use crate::secret::SecretText;
use crate::token::record::Tokens;
use oauth2::RefreshToken;

impl IdentityProvider {
    /// Renews an access token. Errors: `SignIn`, `Consent`, `Config`, `Throttled`, `Unavailable`.
    pub(crate) async fn by_refresh_token(
        &self,
        account: &Account,
        refresh_token: &SecretText,
    ) -> Result<Tokens> {
        let exchange = self.exchange(account);
        let client = Self::client(account)?;
        // Exposed to be sent to the token endpoint.
        let spent = RefreshToken::new(refresh_token.expose().clone());
        let request = client
            .exchange_refresh_token(&spent)
            .add_scopes(scopes(account));
        let response = request.request_async(&exchange).await;
        let response = response.map_err(|error| as_of_a_refresh_token(exchange.refusal(error)))?;
        let mut tokens = self.tokens(&response, TokenOrigin::RefreshToken)?;
        tokens
            .refresh_token
            .get_or_insert_with(|| refresh_token.clone());
        Ok(tokens)
    }
}

/// Two of Microsoft's numbers mean something else where it was a refresh token that was shown: it is as it came from that
/// server, and no code was redeemed.
fn as_of_a_refresh_token(error: Error) -> Error {
    let code = match error.code() {
        "token-corrupted" => "grant-refused",
        "auth-code-reused" => "refresh-token-expired",
        _ => return error,
    };
    let text = "the refresh token is no longer valid";
    let renamed = diagnosis::problem(code, text).with_claims(error.claims());
    match &error.problem().answer {
        Some(answer) => renamed.with_answer(answer),
        None => renamed,
    }
}
