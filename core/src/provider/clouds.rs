//! The Microsoft clouds as data, read once from `clouds.toml`.
//! Nothing here judges an account's settings; the other files of this module do.

use crate::error::{Error, Result};
use crate::model::{Cloud, ProblemKind};
use serde::Deserialize;
use std::sync::LazyLock;

/// All clouds, and what they have in common.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Clouds {
    pub(super) graph_hosts: Vec<String>,
    pub(super) graph_app_id: String,
    pub(super) mx_suffixes: Vec<String>,
    pub(super) personal_mailbox_domains: Vec<String>,
    worldwide: CloudData,
    us_government_high: CloudData,
    us_government_dod: CloudData,
    china: CloudData,
    personal: CloudData,
}

/// One Microsoft cloud.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CloudData {
    /// The sign-in host, with its scheme.
    pub(super) authority: String,
    /// Every host name under which this cloud signs people in.
    pub(super) login_hosts: Vec<String>,
    /// The tenant in force when the account names none.
    #[serde(default)]
    pub(super) default_tenant: Option<String>,
    /// What a person's sign-in asks for: the right to submit mail, and a refresh token.
    pub(super) delegated_scopes: Vec<String>,
    /// What an application asks for; personal accounts have no such thing.
    #[serde(default)]
    pub(super) app_scope: Option<String>,
    /// The hosts under which this cloud's Exchange is asked for in a scope.
    pub(super) resource_hosts: Vec<String>,
    /// The audiences of tokens that this cloud's SMTP server takes.
    pub(super) audiences: Vec<String>,
    pub(super) smtp_host: String,
    /// Every host name under which this cloud takes submissions.
    pub(super) smtp_hosts: Vec<String>,
    pub(super) smtp_port: u16,
    /// Microsoft Graph's address.
    pub(super) graph_url: String,
    /// The permission by which a person's application sends.
    #[serde(default = "persons_permission")]
    pub(super) permission: String,
    /// The settings, by their public name, for which sources disagree.
    pub(super) unverified: Vec<String>,
}

impl Clouds {
    /// The data of a cloud; none for a custom one.
    pub(super) fn data(&self, cloud: Cloud) -> Option<&CloudData> {
        match cloud {
            Cloud::Worldwide => Some(&self.worldwide),
            Cloud::UsGovernmentHigh => Some(&self.us_government_high),
            Cloud::UsGovernmentDod => Some(&self.us_government_dod),
            Cloud::China => Some(&self.china),
            Cloud::Personal => Some(&self.personal),
            Cloud::Custom => None,
        }
    }

    /// The same with other data for one cloud: what another road than client submission needs there.
    pub(super) fn replacing(&self, cloud: Cloud, data: CloudData) -> Self {
        let mut clouds = self.clone();
        match cloud {
            Cloud::Worldwide => clouds.worldwide = data,
            Cloud::UsGovernmentHigh => clouds.us_government_high = data,
            Cloud::UsGovernmentDod => clouds.us_government_dod = data,
            Cloud::China => clouds.china = data,
            Cloud::Personal => clouds.personal = data,
            Cloud::Custom => {}
        }
        clouds
    }

    /// The clouds that own a host name, for whatever purpose; none when it is not Microsoft's.
    pub(super) fn owners(&self, host: &str) -> Vec<Cloud> {
        self.with(|data| data.owns(host))
    }

    /// The clouds that sign people in under a host name.
    pub(super) fn issuers(&self, host: &str) -> Vec<Cloud> {
        self.with(|data| data.login_hosts.iter().any(|known| known == host))
    }

    /// The clouds whose Exchange is asked for under a host name.
    pub(super) fn exchanges(&self, host: &str) -> Vec<Cloud> {
        self.with(|data| data.resource_hosts.iter().any(|known| known == host))
    }

    fn with(&self, is_meant: impl Fn(&CloudData) -> bool) -> Vec<Cloud> {
        MICROSOFT_CLOUDS
            .into_iter()
            .filter(|cloud| self.data(*cloud).is_some_and(&is_meant))
            .collect()
    }

    /// Whether a host name is a Microsoft submission host of any cloud.
    pub(super) fn is_submission_host(&self, host: &str) -> bool {
        MICROSOFT_CLOUDS
            .into_iter()
            .filter_map(|cloud| self.data(cloud))
            .any(|data| data.smtp_hosts.iter().any(|known| known == host))
    }
}

fn persons_permission() -> String {
    super::PERSONS_PERMISSION.to_owned()
}

impl CloudData {
    fn owns(&self, host: &str) -> bool {
        [&self.login_hosts, &self.resource_hosts, &self.smtp_hosts]
            .into_iter()
            .flatten()
            .any(|known| known.eq_ignore_ascii_case(host))
    }
}

/// All clouds; an error only if the file compiled into this program is broken.
pub(super) fn clouds() -> Result<&'static Clouds> {
    CLOUDS.as_ref().map_err(|reason| {
        Error::new(
            ProblemKind::Internal,
            "cloud-table-broken",
            format!("the table of clouds cannot be read: {reason}"),
            "Report this as a fault of Mailbearer.",
        )
    })
}

/// A cloud's name for people.
pub(super) fn name(cloud: Cloud) -> &'static str {
    match cloud {
        Cloud::Worldwide => "worldwide",
        Cloud::UsGovernmentHigh => "US Government GCC High",
        Cloud::UsGovernmentDod => "US Government DoD",
        Cloud::China => "China (21Vianet)",
        Cloud::Personal => "personal accounts",
        Cloud::Custom => "custom",
    }
}

/// The clouds with data of their own.
pub(super) const MICROSOFT_CLOUDS: [Cloud; 5] = [
    Cloud::Worldwide,
    Cloud::UsGovernmentHigh,
    Cloud::UsGovernmentDod,
    Cloud::China,
    Cloud::Personal,
];

static CLOUDS: LazyLock<std::result::Result<Clouds, String>> = LazyLock::new(|| {
    toml::from_str(include_str!("clouds.toml")).map_err(|error| error.to_string())
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_can_be_read() {
        clouds().unwrap();
    }

    #[test]
    fn every_cloud_owns_its_own_defaults() {
        let clouds = clouds().unwrap();
        for cloud in MICROSOFT_CLOUDS {
            let data = clouds.data(cloud).unwrap();
            let login_host = data.authority.strip_prefix("https://").unwrap();
            for host in [login_host, &data.smtp_host] {
                assert!(clouds.owners(host).contains(&cloud), "{cloud:?} {host}");
            }
            assert!(clouds.is_submission_host(&data.smtp_host));
            assert!(data.delegated_scopes.contains(&"offline_access".to_owned()));
            assert_eq!(data.smtp_port, 587);
        }
    }

    #[test]
    fn unverified_settings_bear_public_names() {
        let overrides = ["smtpHost", "scopes", "audiences", "authority"];
        for cloud in MICROSOFT_CLOUDS {
            for setting in &clouds().unwrap().data(cloud).unwrap().unverified {
                assert!(overrides.contains(&setting.as_str()), "{setting}");
            }
        }
    }

    #[test]
    fn a_foreign_host_has_no_owner() {
        assert!(clouds().unwrap().owners("mail.example.org").is_empty());
    }
}
