//! Which of Microsoft's SMTP services a port plays, or another provider's: what it offers, and who may sign in how.

use serde::{Deserialize, Serialize};

/// What a port plays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SmtpService {
    /// Client submission, as `smtp.office365.com`. The default.
    #[default]
    ClientSubmission,
    /// The tenant's MX host: no sign-in; relay through a connector, and Direct Send.
    Mx,
    /// High Volume Email: tokens with `Mail.Send`, recipients inside.
    HighVolumeEmail,
    /// Azure Communication Services: tokens of that resource, or the application's secret as a password.
    AzureCommunicationServices,
    /// Somebody else's submission server, with passwords (PLAIN and LOGIN) and tokens.
    Standard,
}

impl SmtpService {
    /// The mechanisms offered after TLS; none where nobody signs in.
    pub(super) fn mechanisms(self) -> &'static [&'static str] {
        match self {
            Self::ClientSubmission | Self::HighVolumeEmail | Self::AzureCommunicationServices => {
                &["LOGIN", "XOAUTH2"]
            }
            Self::Mx => &[],
            Self::Standard => &["PLAIN", "LOGIN", "XOAUTH2"],
        }
    }
}
