//! The `scope` parameter: which one resource it asks for, and which permissions on it.
//! Only resources a mail program asks for are known: Exchange Online, Microsoft Graph, Azure Communication Services.

use super::refusal::Refusal;
use crate::catalogue::aadsts;
use crate::directory::Application;

/// A scope parameter, understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ScopeRequest {
    /// The resource as the client wrote it, such as `https://outlook.office.com`; none for OpenID scopes alone.
    pub(crate) audience: Option<String>,
    pub(crate) resource: &'static Resource,
    /// Permissions in the resource's own spelling, such as `SMTP.Send`.
    pub(crate) permissions: Vec<String>,
    /// `{resource}/.default`.
    pub(crate) default: bool,
    pub(crate) offline_access: bool,
    pub(crate) openid: bool,
    /// `openid`, `profile` and `email`, as far as asked for.
    pub(crate) identity_scopes: Vec<String>,
}

/// A resource that issues permissions.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Resource {
    pub(crate) name: &'static str,
    pub(crate) app_id: &'static str,
    /// The identifiers clients use for it; the first one is the usual one.
    hosts: &'static [&'static str],
    delegated: &'static [&'static str],
}

pub(crate) static EXCHANGE: Resource = Resource {
    name: "Office 365 Exchange Online",
    app_id: "00000002-0000-0ff1-ce00-000000000000",
    hosts: &[
        "https://outlook.office.com",
        "https://outlook.office365.com",
        "https://outlook.office365.us",
        "https://outlook-dod.office365.us",
        "https://partner.outlook.cn",
        "https://ps.outlook.com",
        "00000002-0000-0ff1-ce00-000000000000",
    ],
    delegated: &[
        "SMTP.Send",
        "IMAP.AccessAsUser.All",
        "POP.AccessAsUser.All",
        "EWS.AccessAsUser.All",
        "Mail.Send",
        "Mail.Send.Shared",
        "Mail.Read",
        "Mail.ReadWrite",
        "User.Read",
    ],
};

pub(crate) static GRAPH: Resource = Resource {
    name: "Microsoft Graph",
    app_id: "00000003-0000-0000-c000-000000000000",
    hosts: &[
        "https://graph.microsoft.com",
        "https://graph.microsoft.us",
        "00000003-0000-0000-c000-000000000000",
    ],
    delegated: &[
        "User.Read",
        "SMTP.Send",
        "IMAP.AccessAsUser.All",
        "POP.AccessAsUser.All",
        "Mail.Send",
        "Mail.Send.Shared",
        "Mail.Read",
        "Mail.ReadWrite",
        "ServiceMessage.Read.All",
    ],
};

pub(crate) static AZURE_COMMUNICATION: Resource = Resource {
    name: "Azure Communication Services",
    app_id: "632ec9eb-fad7-4cbd-993a-e72973ba2acc",
    hosts: &["https://communication.azure.com"],
    delegated: &[],
};

static RESOURCES: [&Resource; 3] = [&EXCHANGE, &GRAPH, &AZURE_COMMUNICATION];

impl ScopeRequest {
    /// Reads the parameter for a grant that acts for a person.
    ///
    /// # Errors
    /// AADSTS70011 malformed, 700022 several resources, 500011 unknown resource, 650053 unknown permission.
    pub(crate) fn delegated(
        scope: &str,
        application: &Application,
        tenant: &str,
    ) -> Result<Self, Refusal> {
        let mut request = Self::empty();
        for item in scope.split_ascii_whitespace() {
            request.add(item, scope, application, tenant)?;
        }
        if request.default && request.permissions.is_empty() {
            request.permissions = request.consented(application);
        }
        Ok(request)
    }

    /// Reads the parameter for client credentials: one resource and `/.default`, nothing else.
    ///
    /// # Errors
    /// AADSTS1002012 without `/.default`, 70011 several values, 500011 unknown resource.
    pub(crate) fn application(scope: &str, tenant: &str) -> Result<Self, Refusal> {
        let mut items = scope.split_ascii_whitespace();
        let (Some(item), None) = (items.next(), items.next()) else {
            return Err(Refusal::from(&aadsts::INVALID_SCOPE).with("scope", scope));
        };
        let Some(audience) = item.strip_suffix("/.default") else {
            return Err(Refusal::from(&aadsts::DEFAULT_SCOPE_NEEDED).with("scope", scope));
        };
        let resource = Resource::of_host(audience, tenant)?;
        Ok(Self {
            audience: Some(audience.trim_end_matches('/').to_owned()),
            resource,
            default: true,
            ..Self::empty()
        })
    }

    /// The `scope` of the answer: what was granted, each permission with its resource.
    pub(crate) fn granted(&self) -> String {
        let audience = self.audience.as_deref().unwrap_or_default();
        let permissions = self
            .permissions
            .iter()
            .map(|permission| format!("{audience}/{permission}"));
        permissions
            .chain(self.identity_scopes.iter().cloned())
            .collect::<Vec<_>>()
            .join(" ")
    }

    /// The `scp` claim.
    pub(crate) fn scp(&self) -> String {
        self.permissions.join(" ")
    }

    fn empty() -> Self {
        Self {
            audience: None,
            resource: &GRAPH,
            permissions: Vec::new(),
            default: false,
            offline_access: false,
            openid: false,
            identity_scopes: Vec::new(),
        }
    }

    fn add(
        &mut self,
        item: &str,
        scope: &str,
        application: &Application,
        tenant: &str,
    ) -> Result<(), Refusal> {
        match item.to_ascii_lowercase().as_str() {
            "offline_access" => self.offline_access = true,
            "openid" => {
                self.openid = true;
                self.identity_scopes.push("openid".to_owned());
            }
            "profile" | "email" => self.identity_scopes.push(item.to_ascii_lowercase()),
            _ => return self.add_permission(item, scope, application, tenant),
        }
        Ok(())
    }

    fn add_permission(
        &mut self,
        item: &str,
        scope: &str,
        application: &Application,
        tenant: &str,
    ) -> Result<(), Refusal> {
        if item.contains([',', ';']) {
            return Err(Refusal::from(&aadsts::INVALID_SCOPE).with("scope", scope));
        }
        // A permission without a resource belongs to Graph.
        let (audience, permission) = match item.rsplit_once('/') {
            Some((audience, permission)) => (audience.trim_end_matches('/'), permission),
            None => ("https://graph.microsoft.com", item),
        };
        let resource = Resource::of_host(audience, tenant)?;
        if self.audience.is_some() && self.resource != resource {
            return Err(Refusal::from(&aadsts::MIXED_RESOURCES).with("scope", scope));
        }
        self.resource = resource;
        self.audience.get_or_insert_with(|| audience.to_owned());
        if permission == ".default" {
            self.default = true;
            return Ok(());
        }
        let Some(permission) = resource.delegated_permission(permission) else {
            return Err(super::authority::about(application, &aadsts::UNKNOWN_SCOPE)
                .with("scope", permission)
                .with("resource", resource.app_id));
        };
        self.permissions.push(permission.to_owned());
        Ok(())
    }

    fn consented(&self, application: &Application) -> Vec<String> {
        permissions_on(self.resource, &application.delegated_permissions)
    }
}

impl Resource {
    fn of_host(host: &str, tenant: &str) -> Result<&'static Self, Refusal> {
        let host = host.trim_end_matches('/');
        let matches = |resource: &&&Self| {
            resource
                .hosts
                .iter()
                .any(|known| known.eq_ignore_ascii_case(host))
        };
        RESOURCES.iter().find(matches).copied().ok_or_else(|| {
            Refusal::from(&aadsts::UNKNOWN_RESOURCE)
                .with("resource", host)
                .with("tenant", tenant)
        })
    }

    fn delegated_permission(&self, name: &str) -> Option<&'static str> {
        self.delegated
            .iter()
            .copied()
            .find(|known| known.eq_ignore_ascii_case(name))
    }
}

/// Of permissions written with their resource, those on this resource, without it.
pub(crate) fn permissions_on(resource: &Resource, permissions: &[String]) -> Vec<String> {
    let split = permissions
        .iter()
        .filter_map(|permission| permission.rsplit_once('/'));
    let here = split.filter(|(host, _)| {
        resource
            .hosts
            .iter()
            .any(|known| known.eq_ignore_ascii_case(host))
    });
    here.map(|(_, name)| name.to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_delegated(scope: &str, expected: Result<(&str, &str), u32>) {
        let request = ScopeRequest::delegated(scope, &Application::default(), "Contoso");
        let outcome = request.map(|request| (request.granted(), request.resource.name));
        let expected = expected.map(|(granted, name)| (granted.to_owned(), name));
        assert_eq!(
            outcome.map_err(|refusal| refusal.kind.code),
            expected,
            "{scope}"
        );
    }

    #[test]
    fn a_delegated_scope_names_one_resource() {
        let exchange = EXCHANGE.name;
        check_delegated(
            "https://outlook.office.com/SMTP.Send offline_access",
            Ok(("https://outlook.office.com/SMTP.Send", exchange)),
        );
        check_delegated(
            "offline_access openid https://outlook.office365.com/smtp.send",
            Ok(("https://outlook.office365.com/SMTP.Send openid", exchange)),
        );
        check_delegated(
            "SMTP.Send",
            Ok(("https://graph.microsoft.com/SMTP.Send", GRAPH.name)),
        );
        check_delegated("openid profile", Ok(("openid profile", GRAPH.name)));
        check_delegated(
            "https://outlook.office.com/SMTP.Send https://graph.microsoft.com/Mail.Send",
            Err(700_022),
        );
        check_delegated(
            "https://outlook.office.com/SMTP.Send User.Read",
            Err(700_022),
        );
        check_delegated("https://outlook.example/SMTP.Send", Err(500_011));
        check_delegated("https://outlook.office.com/SMPT.Send", Err(650_053));
        check_delegated("Mail.Send,SMTP.Send", Err(70_011));
    }

    #[test]
    fn an_application_scope_is_one_default() {
        let check = |scope: &str, expected: Result<&str, u32>| {
            let request = ScopeRequest::application(scope, "Contoso");
            let outcome = request.map(|request| request.audience.unwrap_or_default());
            assert_eq!(
                outcome.map_err(|refusal| refusal.kind.code),
                expected.map(str::to_owned),
                "{scope}"
            );
        };
        check(
            "https://outlook.office365.com/.default",
            Ok("https://outlook.office365.com"),
        );
        check(
            "https://graph.microsoft.com/.default",
            Ok("https://graph.microsoft.com"),
        );
        check("https://outlook.office365.com/SMTP.Send", Err(1_002_012));
        check("https://outlook.example/.default", Err(500_011));
        check(
            "https://outlook.office365.com/.default offline_access",
            Err(70_011),
        );
    }
}
