//! People and shared mailboxes: what an administrator enters under "Users" and "Shared mailboxes".
//! Rights between mailboxes are in `exchange`.

use serde::{Deserialize, Serialize};

/// A person with a mailbox, or a shared mailbox.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct User {
    /// User principal name, which is the primary address too.
    pub address: String,
    /// Shown in tokens and pages.
    pub display_name: String,
    /// The id of the tenant. Empty on creation: the tenant that accepts the address's domain, or the default one.
    pub tenant_id: String,
    /// Object id. Empty on creation: one is made.
    pub object_id: String,
    /// The password. Empty: signing in is impossible, as for a shared mailbox.
    pub password: String,
    /// Further addresses of the same mailbox.
    pub aliases: Vec<String>,
    /// A shared mailbox needs no licence and nobody signs in to it.
    pub shared: bool,
    /// "Block sign-in" is off.
    pub enabled: bool,
    /// Has an Exchange Online licence and so a mailbox. Without meaning for shared mailboxes.
    pub licensed: bool,
    /// `Set-CASMailbox -SmtpClientAuthenticationDisabled`, turned round: `None` follows the tenant.
    pub smtp_auth: Option<bool>,
    /// A policy now asks for MFA: silent grants end with AADSTS50076; signing in on the page satisfies it.
    pub mfa_required: bool,
    /// Conditional Access refuses everything with AADSTS53003.
    pub blocked_by_conditional_access: bool,
    /// Conditional Access forbids the device code flow: AADSTS530036 on refresh, AADSTS530033 on sign-in.
    pub device_code_flow_blocked: bool,
    /// Grants made before this moment are revoked (AADSTS50173), milliseconds since 1970.
    pub tokens_valid_from_unix_ms: i64,
    /// The client ids this person consented to, with the scopes, as `client_id scope`.
    pub consents: Vec<String>,
}

impl Default for User {
    fn default() -> Self {
        Self {
            address: String::new(),
            display_name: String::new(),
            tenant_id: String::new(),
            object_id: String::new(),
            password: String::new(),
            aliases: Vec::new(),
            shared: false,
            enabled: true,
            licensed: true,
            smtp_auth: None,
            mfa_required: false,
            blocked_by_conditional_access: false,
            device_code_flow_blocked: false,
            tokens_valid_from_unix_ms: 0,
            consents: Vec::new(),
        }
    }
}

impl User {
    /// Whether mail to this address reaches this mailbox.
    pub(crate) fn receives(&self, address: &str) -> bool {
        self.address.eq_ignore_ascii_case(address) || self.has_alias(address)
    }

    /// Whether this is one of the further addresses.
    pub(crate) fn has_alias(&self, address: &str) -> bool {
        self.aliases
            .iter()
            .any(|alias| alias.eq_ignore_ascii_case(address))
    }

    /// Whether there is a mailbox at all.
    pub(crate) fn has_mailbox(&self) -> bool {
        self.shared || self.licensed
    }
}
