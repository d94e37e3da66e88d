//! The roads by which an account's mail can go. What each allows, needs and refuses is `provider`'s work.

use serde::{Deserialize, Serialize};

/// The road by which an account's mail goes, with the settings that only this road has.
///
/// `docs/routes.md` compares them: who may send to whom, what must be set up, which limits hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
#[serde(
    tag = "type",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
#[non_exhaustive]
pub enum Route {
    /// Client submission to Exchange Online (SMTP AUTH) with an access token. The default. Host and port stand in the
    /// account's `endpoints`.
    #[default]
    ClientSubmission,
    /// Any other submission server (RFC 6409), with an access token or a password.
    StandardSmtp {
        /// A provider whose host, port, security and OAuth endpoints are known.
        #[serde(default)]
        preset: Option<SmtpPreset>,
        /// The server's host; its certificate must carry this name. Default: `endpoints.smtpHost`, then the preset's.
        #[serde(default)]
        host: Option<String>,
        /// The server's port. Default: `endpoints.smtpPort`, then the preset's, otherwise 587, or 465 with `implicitTls`.
        #[serde(default)]
        port: Option<u16>,
        /// How TLS begins. Default: the preset's, otherwise `implicitTls` on port 465 and `startTls` elsewhere.
        #[serde(default)]
        security: Option<SmtpSecurity>,
    },
    /// Relay through an inbound connector of the tenant, by client certificate or by the address of this machine. Nobody
    /// signs in; with the grant `clientCertificate` its certificate is shown in the TLS handshake.
    ConnectorRelay {
        /// The tenant's MX host, such as `contoso-com.mail.protection.outlook.com` or one under `mx.microsoft`. Default:
        /// `endpoints.smtpHost`.
        #[serde(default)]
        host: Option<String>,
        /// The port. Default: `endpoints.smtpPort`, then 25.
        #[serde(default)]
        port: Option<u16>,
    },
    /// Direct Send: the same host without connector and sign-in, to recipients of the tenant's own domains only.
    DirectSend {
        /// The tenant's MX host. Default: `endpoints.smtpHost`.
        #[serde(default)]
        host: Option<String>,
        /// The port. Default: `endpoints.smtpPort`, then 25.
        #[serde(default)]
        port: Option<u16>,
        /// The tenant's accepted domains; a recipient elsewhere is refused before anything is sent. Default: the
        /// mailbox's domain.
        #[serde(default)]
        domains: Vec<String>,
    },
    /// High Volume Email for Microsoft 365: many mails to recipients inside the tenant.
    HighVolumeEmail {
        /// The host. Default: `endpoints.smtpHost`, then Microsoft's.
        #[serde(default)]
        host: Option<String>,
        /// The port. Default: `endpoints.smtpPort`, then 587.
        #[serde(default)]
        port: Option<u16>,
    },
    /// SMTP of Azure Communication Services Email.
    AzureCommunicationServices {
        /// Who signs in: an `SmtpUsername` resource, or `resource|application id|tenant id`.
        username: String,
        /// The host. Default: `endpoints.smtpHost`, then Microsoft's.
        #[serde(default)]
        host: Option<String>,
        /// The port. Default: `endpoints.smtpPort`, then 587.
        #[serde(default)]
        port: Option<u16>,
    },
    /// Microsoft Graph's `sendMail`, over HTTPS: for tenants that forbid SMTP AUTH.
    Graph {
        /// Graph's address, such as `https://graph.microsoft.com`. Default: the cloud's.
        #[serde(default)]
        url: Option<String>,
        /// Whether mails above 3 MB may go, by a draft and upload sessions. That needs the permission `Mail.ReadWrite`
        /// beside `Mail.Send`. Default: they are refused.
        #[serde(default)]
        large_mails: bool,
    },
    /// A folder: each mail becomes an `.eml` file, for tests and staging. Nothing is sent.
    Folder {
        /// The folder's path; it must exist.
        path: String,
    },
}

/// A provider of mail whose settings are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum SmtpPreset {
    /// Gmail and Google Workspace, with OAuth or an app password.
    Gmail,
    /// Yahoo Mail, with OAuth or an app password.
    Yahoo,
    /// A server of one's own, such as Postfix or Dovecot's submission service: STARTTLS on port 587. The host is given.
    OwnServer,
}

/// How TLS begins on a connection to a mail server. There is no third way: nothing is sent over plaintext.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
#[serde(rename_all = "camelCase")]
pub enum SmtpSecurity {
    /// After the command STARTTLS (RFC 3207), which the server must offer.
    #[default]
    StartTls,
    /// From the first octet (RFC 8314), usually on port 465.
    ImplicitTls,
}

/// The road a mail took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum RouteKind {
    /// Client submission to Exchange Online.
    #[default]
    ClientSubmission,
    /// Another submission server.
    StandardSmtp,
    /// A connector of the tenant.
    ConnectorRelay,
    /// Direct Send.
    DirectSend,
    /// High Volume Email.
    HighVolumeEmail,
    /// Azure Communication Services.
    AzureCommunicationServices,
    /// Microsoft Graph.
    Graph,
    /// A folder.
    Folder,
}

impl Route {
    /// The road without its settings.
    pub fn kind(&self) -> RouteKind {
        match self {
            Self::ClientSubmission => RouteKind::ClientSubmission,
            Self::StandardSmtp { .. } => RouteKind::StandardSmtp,
            Self::ConnectorRelay { .. } => RouteKind::ConnectorRelay,
            Self::DirectSend { .. } => RouteKind::DirectSend,
            Self::HighVolumeEmail { .. } => RouteKind::HighVolumeEmail,
            Self::AzureCommunicationServices { .. } => RouteKind::AzureCommunicationServices,
            Self::Graph { .. } => RouteKind::Graph,
            Self::Folder { .. } => RouteKind::Folder,
        }
    }
}

/// The road to take when the first one certainly has nothing of a mail.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[serde(rename_all = "camelCase")]
pub struct Fallback {
    /// The road.
    pub route: Route,
    /// The addresses, ports and scopes in force on it.
    pub endpoints: super::Endpoints,
}
