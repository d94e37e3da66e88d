//! Exchange Online's own objects: mailbox permissions, service principals and RBAC role assignments.
//! Whether they suffice for a sign-in is decided in `smtp::access`.

use serde::{Deserialize, Serialize};

/// `Add-MailboxPermission` or `Add-RecipientPermission`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MailboxPermission {
    /// Address of the mailbox.
    pub mailbox: String,
    /// Who holds the right: a person's address, or an application's client id.
    pub trustee: String,
    /// The right.
    pub right: MailboxRight,
}

/// A right on a mailbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MailboxRight {
    /// Open the mailbox: sign in with `user=` naming it.
    FullAccess,
    /// Send with its address in `From`.
    SendAs,
}

/// `New-ServicePrincipal -AppId … -ObjectId …`. Exchange takes any object id; only the enterprise application's works.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExchangeServicePrincipal {
    /// The application's client id.
    pub app_id: String,
    /// What the administrator gave as object id.
    pub object_id: String,
}

/// `New-ManagementRoleAssignment -Role "Application SMTP.SendAsApp" -App …` (RBAC for Applications).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoleAssignment {
    /// The application's client id.
    pub app_id: String,
    /// The mailboxes in the management scope; `None` means the whole organisation.
    pub mailboxes: Option<Vec<String>>,
}

impl RoleAssignment {
    /// Whether the scope holds this mailbox.
    pub(crate) fn covers(&self, mailbox: &str) -> bool {
        let holds = |scope: &Vec<String>| {
            scope
                .iter()
                .any(|address| address.eq_ignore_ascii_case(mailbox))
        };
        self.mailboxes.as_ref().is_none_or(holds)
    }
}
