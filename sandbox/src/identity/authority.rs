//! The tenant segment of an address: `common`, `organizations`, `consumers`, a GUID or a domain.
//! A tenant nobody added stands in for the default one, unless the sandbox is strict about tenants.

use super::refusal::Refusal;
use crate::catalogue::aadsts;
use crate::cloud::Cloud;
use crate::directory::{Application, Tenant, User};

/// Whom an address speaks for.
#[derive(Clone, Debug)]
pub(crate) enum Authority {
    /// Work and personal accounts; the account decides the tenant.
    Common,
    /// Work accounts; the account decides the tenant.
    Organizations,
    /// Personal accounts.
    Consumers,
    /// One tenant.
    Tenant(Tenant),
}

/// The tenant of all personal accounts.
pub(crate) const CONSUMERS_TENANT_ID: &str = "9188040d-6c67-4c5b-b112-36a304b66dad";

impl Authority {
    /// # Errors
    /// AADSTS900023 for what is neither a GUID nor a domain, AADSTS90002 for an unknown tenant.
    pub(crate) fn of_segment(cloud: &Cloud, segment: &str) -> Result<Self, Refusal> {
        match segment.to_ascii_lowercase().as_str() {
            "common" => Ok(Self::Common),
            "organizations" => Ok(Self::Organizations),
            "consumers" | CONSUMERS_TENANT_ID => Ok(Self::Consumers),
            name => tenant(cloud, name).map(Self::Tenant),
        }
    }

    /// What metadata and issuers say in place of the tenant.
    pub(crate) fn issuer_segment(&self) -> &str {
        match self {
            Self::Common | Self::Organizations => "{tenantid}",
            Self::Consumers => CONSUMERS_TENANT_ID,
            Self::Tenant(tenant) => &tenant.id,
        }
    }

    /// The registration with this client id, if it may be used here.
    ///
    /// # Errors
    /// AADSTS700016 for an unknown application, AADSTS7000112 for a disabled one.
    pub(crate) fn application(
        &self,
        cloud: &Cloud,
        client_id: &str,
    ) -> Result<Application, Refusal> {
        let application = cloud
            .directory
            .application(client_id)
            .filter(|known| self.knows(known));
        let Some(application) = application else {
            return Err(Refusal::from(&aadsts::UNKNOWN_APPLICATION)
                .with("client_id", client_id)
                .with("tenant", self.display_name()));
        };
        if !application.enabled {
            return Err(about(&application, &aadsts::APPLICATION_DISABLED));
        }
        Ok(application)
    }

    /// # Errors
    /// AADSTS50194 for a single-tenant application at an address that names no tenant.
    pub(crate) fn admits_application(&self, application: &Application) -> Result<(), Refusal> {
        let names_tenant = matches!(self, Self::Tenant(_) | Self::Consumers);
        if names_tenant || application.multi_tenant {
            return Ok(());
        }
        Err(about(application, &aadsts::SINGLE_TENANT_APPLICATION))
    }

    /// The person with this address, if they can sign in here.
    pub(crate) fn user(&self, cloud: &Cloud, address: &str) -> Result<User, Refusal> {
        cloud
            .directory
            .user(address)
            .filter(|user| self.admits(user))
            .ok_or_else(|| {
                Refusal::from(&aadsts::USER_NOT_FOUND)
                    .with("user", address)
                    .with("tenant", self.display_name())
            })
    }

    /// The id that tokens for this person carry.
    pub(crate) fn tenant_id_for(&self, user: &User) -> String {
        match self {
            Self::Tenant(tenant) => tenant.id.clone(),
            Self::Common | Self::Organizations | Self::Consumers => user.tenant_id.clone(),
        }
    }

    /// The name used in error texts.
    pub(crate) fn display_name(&self) -> String {
        match self {
            Self::Common | Self::Organizations => "Microsoft Entra ID".to_owned(),
            Self::Consumers => "Microsoft Accounts".to_owned(),
            Self::Tenant(tenant) => tenant.display_name.clone(),
        }
    }

    fn knows(&self, application: &Application) -> bool {
        match self {
            Self::Common | Self::Organizations => true,
            Self::Consumers => application.personal_accounts,
            Self::Tenant(tenant) => {
                application.multi_tenant || application.tenant_id == tenant.home_id()
            }
        }
    }

    fn admits(&self, user: &User) -> bool {
        match self {
            Self::Common => true,
            Self::Organizations => user.tenant_id != CONSUMERS_TENANT_ID,
            Self::Consumers => user.tenant_id == CONSUMERS_TENANT_ID,
            Self::Tenant(tenant) => user.tenant_id == tenant.home_id(),
        }
    }
}

/// A refusal that names the application.
pub(crate) fn about(application: &Application, kind: &'static crate::catalogue::Aadsts) -> Refusal {
    Refusal::from(kind)
        .with("client_id", &application.client_id)
        .with("application", &application.display_name)
}

fn tenant(cloud: &Cloud, name: &str) -> Result<Tenant, Refusal> {
    if let Some(tenant) = cloud.directory.tenant(name) {
        return Ok(tenant);
    }
    if !is_guid(name) && !is_domain(name) {
        return Err(Refusal::from(&aadsts::TENANT_MALFORMED).with("tenant", name));
    }
    match cloud.directory.default_tenant() {
        Some(default) if !cloud.strict_tenants => Ok(cloud
            .directory
            .find_or_add_tenant(name, stand_in(default, name))),
        _ => Err(Refusal::from(&aadsts::TENANT_NOT_FOUND).with("tenant", name)),
    }
}

fn stand_in(default: Tenant, name: &str) -> Tenant {
    let stands_in_for = Some(default.id.clone());
    if is_guid(name) {
        return Tenant {
            id: name.to_owned(),
            domains: Vec::new(),
            stands_in_for,
            ..default
        };
    }
    Tenant {
        id: String::new(),
        domains: vec![name.to_owned()],
        stands_in_for,
        ..default
    }
}

fn is_guid(name: &str) -> bool {
    let lengths = name.split('-').map(str::len);
    lengths.eq([8, 4, 4, 4, 12])
        && name
            .bytes()
            .all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
}

fn is_domain(name: &str) -> bool {
    let is_label = |label: &str| {
        !label.is_empty()
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    name.contains('.') && name.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenant_is_named_by_guid_or_domain() {
        let check = |name, guid, domain| {
            assert_eq!((is_guid(name), is_domain(name)), (guid, domain), "{name}")
        };
        check("5ab1f5c0-7d1e-4c5e-9a4b-3f0c2d6e8a10", true, false);
        check("contoso.example", false, true);
        check("contoso", false, false);
        check("your-tenant-id", false, false);
        check("contoso..example", false, false);
        check("", false, false);
    }
}
