//! The roads beside client submission as data, read once from `routes.toml`.
//! Nothing here judges an account's settings; `route` does.

use crate::error::{Error, Result};
use crate::model::{ProblemKind, SmtpPreset, SmtpSecurity};
use serde::Deserialize;
use std::sync::LazyLock;

/// All roads with data of their own.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Routes {
    pub(super) high_volume_email: Service,
    pub(super) azure_communication_services: Service,
    gmail: Preset,
    yahoo: Preset,
    own_server: Preset,
}

/// A service of Microsoft's that takes mail by SMTP.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Service {
    pub(super) host: String,
    /// Every host name under which it answers.
    pub(super) hosts: Vec<String>,
    pub(super) delegated_scopes: Vec<String>,
    pub(super) app_scope: String,
    pub(super) resource_hosts: Vec<String>,
    pub(super) audiences: Vec<String>,
    pub(super) permission: String,
    /// The most recipients of one mail.
    pub(super) recipients: usize,
    /// The largest mail, in octets.
    pub(super) message_bytes: u64,
    pub(super) unverified: Vec<String>,
}

/// A provider of mail.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Preset {
    #[serde(default)]
    pub(super) host: Option<String>,
    pub(super) port: u16,
    pub(super) security: SmtpSecurity,
    #[serde(default)]
    pub(super) token_url: Option<String>,
    #[serde(default)]
    pub(super) authorization_url: Option<String>,
    #[serde(default)]
    pub(super) scopes: Option<Vec<String>>,
    pub(super) unverified: Vec<String>,
}

impl Routes {
    pub(super) fn preset(&self, preset: SmtpPreset) -> &Preset {
        match preset {
            SmtpPreset::Gmail => &self.gmail,
            SmtpPreset::Yahoo => &self.yahoo,
            SmtpPreset::OwnServer => &self.own_server,
        }
    }
}

/// All roads; an error only if the file compiled into this program is broken.
pub(super) fn routes() -> Result<&'static Routes> {
    ROUTES.as_ref().map_err(|reason| {
        Error::new(
            ProblemKind::Internal,
            "route-table-broken",
            format!("the table of routes cannot be read: {reason}"),
            "Report this as a fault of Mailbearer.",
        )
    })
}

static ROUTES: LazyLock<std::result::Result<Routes, String>> = LazyLock::new(|| {
    toml::from_str(include_str!("routes.toml")).map_err(|error| error.to_string())
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_can_be_read() {
        routes().unwrap();
    }
}
