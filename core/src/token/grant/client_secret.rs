//! The client credentials grant (RFC 6749 section 4.4): the application signs in as itself, with its secret.

use super::{IdentityProvider, scopes};
use crate::error::Result;
use crate::model::{Account, TokenOrigin};
use crate::secret::SecretText;
use crate::token::record::Tokens;
use oauth2::{AuthType, ClientSecret};

impl IdentityProvider {
    /// Obtains a token for the application itself. Errors: `Config`, `Consent`, `Throttled`, `Unavailable`.
    pub(crate) async fn by_client_secret(
        &self,
        account: &Account,
        secret: &SecretText,
    ) -> Result<Tokens> {
        let exchange = self.exchange(account);
        // Exposed to be sent to the token endpoint; the `oauth2` crate redacts it in its own `Debug`.
        let client =
            Self::client(account)?.set_client_secret(ClientSecret::new(secret.expose().clone()));
        let request = client
            .exchange_client_credentials()
            .add_scopes(scopes(account));
        let response = match request.request_async(&exchange).await {
            Err(_) if exchange.wants_other_client_authentication() => {
                let client = client.clone().set_auth_type(AuthType::BasicAuth);
                let request = client
                    .exchange_client_credentials()
                    .add_scopes(scopes(account));
                request.request_async(&exchange).await
            }
            response => response,
        };
        let response = response.map_err(|error| exchange.refusal(error))?;
        self.tokens(&response, TokenOrigin::ClientSecret)
    }
}
