//! An account: which mailbox sends, through which cloud, and how it signs in.

use super::{Bytes, Fallback, Route, SmtpSecurity};
use crate::secret::SecretText;
use serde::{Deserialize, Serialize};

/// Everything needed to send as one mailbox.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewAccount {
    /// Your name for the account: 1 to 64 letters, digits, `.`, `_` or `-`.
    pub name: String,
    /// The mailbox that sends: the address given as `user=` when signing in to SMTP.
    pub mailbox: String,
    /// The Microsoft cloud that holds the mailbox. Default: worldwide.
    #[serde(default)]
    pub cloud: Cloud,
    /// The tenant: its GUID or one of its verified domains. `organizations`, `common` and `consumers` only with a
    /// person's sign-in. May be empty for personal accounts and custom clouds.
    #[serde(default)]
    pub tenant: String,
    /// The application (client) ID of the app registration. May be empty for a system-assigned managed identity and for
    /// a token command.
    #[serde(default)]
    pub client_id: String,
    /// How tokens are obtained.
    pub grant: Grant,
    /// When the client secret ends, in milliseconds since 1970-01-01T00:00:00Z, as the portal shows it: a secret does not say
    /// so itself. It is warned of, and nothing is refused by it.
    #[serde(default)]
    pub secret_expires_at_unix_ms: Option<i64>,
    /// The road by which mail goes. Default: client submission to Exchange Online.
    #[serde(default)]
    pub route: Route,
    /// The road to take when the first one certainly has nothing of a mail: it could not be reached, or would not let the
    /// account sign in. Never after a refusal of the mail itself, and never when its fate is not known.
    #[serde(default)]
    pub fallback: Option<Route>,
    /// Values that replace the cloud's own.
    #[serde(default)]
    pub endpoints: EndpointOverrides,
}

/// A stored account, without its secrets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[serde(rename_all = "camelCase")]
pub struct Account {
    /// Your name for the account.
    pub name: String,
    /// The mailbox that sends.
    pub mailbox: String,
    /// The Microsoft cloud that holds the mailbox.
    pub cloud: Cloud,
    /// The tenant.
    pub tenant: String,
    /// The application (client) ID.
    pub client_id: String,
    /// How tokens are obtained.
    pub grant: GrantKind,
    /// When the client secret ends, in milliseconds since 1970-01-01T00:00:00Z, if that was said.
    pub secret_expires_at_unix_ms: Option<i64>,
    /// The road by which mail goes.
    #[serde(default)]
    pub route: Route,
    /// The addresses, ports and scopes in force.
    pub endpoints: Endpoints,
    /// The road to take when the first one certainly has nothing of a mail. Its tokens are those of the account
    /// `<name>+fallback`, under which a person signs in for it.
    #[serde(default)]
    pub fallback: Option<Fallback>,
}

/// The Microsoft clouds, which share nothing: each has its own sign-in and mail hosts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum Cloud {
    /// Worldwide, including GCC.
    #[default]
    Worldwide,
    /// US Government GCC High (L4).
    UsGovernmentHigh,
    /// US Government DoD (L5).
    UsGovernmentDod,
    /// China, operated by 21Vianet.
    China,
    /// Personal accounts: outlook.com, hotmail.com, live.com.
    Personal,
    /// A sandbox or another identity provider: every endpoint comes from the overrides.
    Custom,
}

/// How tokens are obtained, with the secrets that takes.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
#[serde(
    tag = "type",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
#[non_exhaustive]
pub enum Grant {
    /// A person signs in, in a browser with PKCE (RFC 8252) or with a device code; renewed with refresh tokens.
    AuthorizationCode,
    /// The same, with a device code (RFC 8628) as what the command line offers first.
    DeviceCode,
    /// The application signs in as itself (RFC 6749 section 4.4).
    ClientSecret {
        /// The secret's value, not its ID.
        client_secret: SecretText,
    },
    /// The application signs in as itself with a certificate (RFC 7523), signed PS256.
    ClientCertificate {
        /// The certificate whose public part is registered with the application, as PEM text.
        certificate_pem: String,
        /// Its RSA key, as PEM text: PKCS#8 or PKCS#1. The vault encrypts it.
        private_key_pem: SecretText,
        /// What the key is encrypted with (`BEGIN ENCRYPTED PRIVATE KEY`). It is opened when the account is added.
        #[serde(default)]
        private_key_passphrase: Option<SecretText>,
    },
    /// The same, from one file that holds both (PKCS#12, `.p12` or `.pfx`). It is opened when the account is added; the
    /// account is one of a client certificate then.
    ClientCertificatePkcs12 {
        /// The file's octets.
        pkcs12: Bytes,
        /// What it is encrypted with; may be empty.
        passphrase: SecretText,
    },
    /// The application signs in with the token of an issuer it trusts: Kubernetes, GitHub Actions, any other.
    FederatedToken {
        /// The file with that token, read anew for every request. Default: what the environment says
        /// (`AZURE_FEDERATED_TOKEN_FILE`, or GitHub Actions' own variables).
        #[serde(default)]
        token_file: Option<String>,
    },
    /// The machine's own identity in Azure: a virtual machine, App Service, Container Apps, Azure Arc. A client id is
    /// given for a user-assigned identity only; the tenant may be empty.
    ManagedIdentity,
    /// A command prints an access token, or JSON with `access_token` or `accessToken`. Client id and tenant may be empty.
    TokenCommand {
        /// The program and its arguments, run without a shell.
        command: Vec<String>,
    },
    /// A password (AUTH PLAIN or LOGIN, over TLS only), for servers that are not Exchange Online, which ends it.
    Password {
        /// Who signs in. Default: the mailbox, or the route's own user name.
        #[serde(default)]
        username: Option<String>,
        /// The password, or an app password.
        password: SecretText,
    },
    /// Nothing: on the way to a folder or to the tenant's MX host nobody signs in.
    Nothing,
}

impl Grant {
    /// The same without its secrets.
    pub fn kind(&self) -> GrantKind {
        match self {
            Self::AuthorizationCode => GrantKind::AuthorizationCode,
            Self::DeviceCode => GrantKind::DeviceCode,
            Self::ClientSecret { .. } => GrantKind::ClientSecret,
            Self::ClientCertificate { .. } | Self::ClientCertificatePkcs12 { .. } => {
                GrantKind::ClientCertificate
            }
            Self::FederatedToken { .. } => GrantKind::FederatedToken,
            Self::ManagedIdentity => GrantKind::ManagedIdentity,
            Self::TokenCommand { .. } => GrantKind::TokenCommand,
            Self::Password { .. } => GrantKind::Password,
            Self::Nothing => GrantKind::Nothing,
        }
    }
}

/// How tokens are obtained, without the secrets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum GrantKind {
    /// A person signs in in a browser.
    AuthorizationCode,
    /// A person signs in on another device.
    DeviceCode,
    /// The application signs in as itself, with a secret.
    ClientSecret,
    /// The application signs in as itself, with a certificate.
    ClientCertificate,
    /// The application signs in with another issuer's token.
    FederatedToken,
    /// The machine's own identity in Azure.
    ManagedIdentity,
    /// A command prints the access token.
    TokenCommand,
    /// A password, where the server takes one.
    Password,
    /// Nobody signs in.
    Nothing,
}

impl GrantKind {
    /// Whether a person signs in, rather than an application.
    pub fn is_a_persons(self) -> bool {
        matches!(self, Self::AuthorizationCode | Self::DeviceCode)
    }
}

/// Values that replace the cloud's own; a custom cloud has no others.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct EndpointOverrides {
    /// The sign-in host, such as `https://login.microsoftonline.com`. Plain `http` only for a loopback address.
    pub authority: Option<String>,
    /// The token endpoint, where it does not follow Microsoft's path pattern under the authority.
    pub token_url: Option<String>,
    /// The authorization endpoint, where it does not follow Microsoft's path pattern.
    pub authorization_url: Option<String>,
    /// The device authorization endpoint, where it does not follow Microsoft's path pattern.
    pub device_authorization_url: Option<String>,
    /// The scopes to ask for. Default: what the cloud and the grant need, and nothing else.
    pub scopes: Option<Vec<String>>,
    /// The audiences a token may carry. An empty list skips this check.
    pub audiences: Option<Vec<String>>,
    /// The SMTP submission host.
    pub smtp_host: Option<String>,
    /// The SMTP submission port. Default 587.
    pub smtp_port: Option<u16>,
    /// Certificates to trust in addition to the system's, as PEM text: a sandbox, or a company's own authority.
    pub ca_pem: Option<String>,
}

/// The addresses, ports and scopes an account uses.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[serde(rename_all = "camelCase")]
pub struct Endpoints {
    /// The token endpoint; empty where no token is needed.
    pub token_url: String,
    /// The authorization endpoint, where a person signs in.
    #[serde(default)]
    pub authorization_url: Option<String>,
    /// The device authorization endpoint, where a person signs in.
    pub device_authorization_url: Option<String>,
    /// The scopes asked for.
    pub scopes: Vec<String>,
    /// The audiences a token may carry; empty when unchecked.
    pub audiences: Vec<String>,
    /// The SMTP host; its certificate must carry this name. Empty on a road without SMTP.
    pub smtp_host: String,
    /// The SMTP port; 0 on a road without SMTP.
    pub smtp_port: u16,
    /// How TLS begins on the way to the SMTP host.
    #[serde(default)]
    pub smtp_security: SmtpSecurity,
    /// Microsoft Graph's address, on the road by Graph.
    #[serde(default)]
    pub graph_url: Option<String>,
    /// Certificates trusted in addition to the system's, as PEM text.
    pub ca_pem: Option<String>,
    /// The settings in force, by their names in [`EndpointOverrides`], on which Microsoft's own sources disagree:
    /// override them if the server cannot be reached or refuses the token.
    #[serde(default)]
    pub unverified: Vec<String>,
}
