//! How a road signs in, besides the host it leads to.

use crate::host::ClientIdentity;
use crate::secret::SecretText;
use std::sync::Arc;

/// What a session signs in with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Login {
    /// The account's access token.
    #[default]
    Token,
    /// A password.
    Password(Password),
    /// A client certificate, shown in the TLS handshake.
    Certificate(Arc<ClientIdentity>),
    /// Nothing: the server knows the client otherwise, or takes mail from anybody.
    Nobody,
}

/// A user name and its password.
#[derive(Clone, Debug)]
pub(crate) struct Password {
    /// Who signs in.
    pub(crate) username: String,
    /// The password.
    pub(crate) secret: Arc<SecretText>,
}

impl PartialEq for Password {
    fn eq(&self, other: &Self) -> bool {
        // Exposed to be compared; both are ours, so the time it takes tells nobody anything.
        self.username == other.username && self.secret.expose() == other.secret.expose()
    }
}

impl Eq for Password {}
