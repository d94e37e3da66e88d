//! A tenant: its identity, its domains and the switches that hold for all its mailboxes.
//! People, applications and mailboxes are kept beside it, in the directory.

use serde::{Deserialize, Serialize};

/// One organisation.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Tenant {
    /// The directory (tenant) id, a GUID. Empty on creation: one is made.
    pub id: String,
    /// The organisation's name, shown in error texts.
    pub display_name: String,
    /// Accepted domains. A recipient in one of them must exist.
    pub domains: Vec<String>,
    /// `Set-TransportConfig -SmtpClientAuthenticationDisabled`; a mailbox may override it.
    pub smtp_auth_disabled: bool,
    /// `Set-OrganizationConfig -SendFromAliasEnabled`.
    pub send_from_alias_enabled: bool,
    /// `Set-OrganizationConfig -RejectDirectSend`, for the MX host.
    pub reject_direct_send: bool,
    /// Whether an inbound connector matches the sandbox's clients, so that the MX host relays for them. Default `false`.
    pub inbound_connector: bool,
    /// Whether people may consent on their own; otherwise only what an administrator consented to is granted.
    pub user_consent_allowed: bool,
    /// Basic authentication for SMTP AUTH (`AUTH LOGIN` with a password).
    pub basic_smtp_auth: BasicSmtpAuth,
    /// The tenant whose entries this one shows. Set for tenants that came into being because a client named them.
    pub stands_in_for: Option<String>,
}

/// What becomes of `AUTH LOGIN`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BasicSmtpAuth {
    /// The right password signs in, as until the end of 2026.
    Allowed,
    /// `535 5.7.139 … basic authentication is disabled.` The default.
    #[default]
    Disabled,
    /// `550 5.7.30`, the announced text for the final end.
    Removed,
}

impl Default for Tenant {
    fn default() -> Self {
        Self {
            id: String::new(),
            display_name: "Contoso".to_owned(),
            domains: Vec::new(),
            smtp_auth_disabled: false,
            send_from_alias_enabled: false,
            reject_direct_send: false,
            inbound_connector: false,
            user_consent_allowed: true,
            basic_smtp_auth: BasicSmtpAuth::default(),
            stands_in_for: None,
        }
    }
}

impl Tenant {
    /// Whether this name, a GUID or a domain, means this tenant.
    pub(crate) fn answers_to(&self, name: &str) -> bool {
        self.id.eq_ignore_ascii_case(name) || self.accepts(name)
    }

    /// Whether this is one of the tenant's accepted domains.
    pub(crate) fn accepts(&self, domain: &str) -> bool {
        self.domains
            .iter()
            .any(|accepted| accepted.eq_ignore_ascii_case(domain))
    }

    /// The id under which this tenant's people, applications and mailboxes are kept.
    pub(crate) fn home_id(&self) -> &str {
        self.stands_in_for.as_deref().unwrap_or(&self.id)
    }
}
