//! App registrations: what an administrator enters in the Entra admin centre under "App registrations".
//! The enterprise application (service principal) is represented by its object id alone.

use serde::{Deserialize, Serialize};

/// One app registration together with its enterprise application.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Application {
    /// The application (client) id. Empty on creation: one is made.
    pub client_id: String,
    /// Shown on the consent page and in error texts.
    pub display_name: String,
    /// The id of the tenant that owns the registration. Empty on creation: the default tenant.
    pub tenant_id: String,
    /// Object id of the registration. The wrong one for `New-ServicePrincipal`.
    pub object_id: String,
    /// Object id of the enterprise application. The right one for `New-ServicePrincipal`.
    pub service_principal_object_id: String,
    /// "Accounts in any organizational directory": usable at `common` and `organizations`.
    pub multi_tenant: bool,
    /// "… and personal Microsoft accounts": usable at `consumers`.
    pub personal_accounts: bool,
    /// "Allow public client flows" (`isFallbackPublicClient`); the device code flow needs it.
    pub public_client: bool,
    /// The enterprise application is enabled for sign-in.
    pub enabled: bool,
    /// Registered redirect URIs.
    pub redirect_uris: Vec<RedirectUri>,
    /// Client secrets.
    pub secrets: Vec<ClientSecret>,
    /// Uploaded certificates, PEM.
    pub certificates: Vec<String>,
    /// Trust in tokens of other issuers.
    pub federated_credentials: Vec<FederatedCredential>,
    /// What becomes of refresh tokens that were used.
    pub rotation: Rotation,
    /// This is a managed identity: no registration, only an enterprise application, with tokens from the metadata service.
    pub managed_identity: bool,
    /// Delegated permissions an administrator consented to for everyone, such as `https://outlook.office.com/SMTP.Send`.
    pub delegated_permissions: Vec<String>,
    /// Application permissions an administrator consented to, such as `https://outlook.office365.com/SMTP.SendAsApp`.
    pub application_permissions: Vec<String>,
}

/// What becomes of refresh tokens that were used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rotation {
    /// They live on, as at Microsoft.
    #[default]
    LivesOn,
    /// One ends when anything is used that a later renewal gave: its refresh token here, or its access token at Exchange.
    EndsWhenTheNextIsUsed,
    /// One ends when it is used, as RFC 9700 section 4.14.2 recommends for public clients.
    EndsWhenUsed,
}

impl Default for Application {
    fn default() -> Self {
        Self {
            client_id: String::new(),
            display_name: "Application".to_owned(),
            tenant_id: String::new(),
            object_id: String::new(),
            service_principal_object_id: String::new(),
            multi_tenant: false,
            personal_accounts: false,
            public_client: false,
            enabled: true,
            redirect_uris: Vec::new(),
            secrets: Vec::new(),
            certificates: Vec::new(),
            federated_credentials: Vec::new(),
            rotation: Rotation::default(),
            managed_identity: false,
            delegated_permissions: Vec::new(),
            application_permissions: Vec::new(),
        }
    }
}

/// A federated identity credential; all three parts are compared literally.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FederatedCredential {
    /// The `iss` of the token.
    pub issuer: String,
    /// The `sub` of the token.
    pub subject: String,
    /// The `aud` of the token, usually `api://AzureADTokenExchange`.
    pub audience: String,
}

/// A redirect URI and the platform it was registered under.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RedirectUri {
    /// Decides whether the client is public or confidential.
    pub platform: Platform,
    /// The URI; for loopback hosts the port does not matter.
    pub uri: String,
}

/// The platforms of the "Authentication" blade.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Platform {
    /// "Web": a confidential client, which must authenticate.
    Web,
    /// "Mobile and desktop applications": a public client.
    PublicClient,
    /// "Single-page application": a public client in a browser, refresh tokens of 24 hours.
    Spa,
}

/// One client secret, with its value; the real service keeps a hash.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ClientSecret {
    /// The secret's id, which people paste by mistake instead of the value.
    pub key_id: String,
    /// The value. Empty on creation: one is made.
    pub value: String,
    /// End of its validity, milliseconds since 1970 by the sandbox's clock; 0 means 24 months from creation.
    pub expires_at_unix_ms: i64,
}

impl ClientSecret {
    /// The first three characters, which the portal shows to tell secrets apart.
    pub fn hint(&self) -> String {
        self.value.chars().take(3).collect()
    }
}
