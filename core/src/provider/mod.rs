//! Which hosts, ports and scopes an account uses: the Microsoft clouds as data, and the check of every setting.
//! Nothing here reaches the network: a setting that passes is well-formed and consistent, not yet proven.

mod address;
pub(crate) mod certificate;
mod clouds;
mod identity;
pub(crate) mod pkcs12;
pub(crate) mod route;
mod routes;
mod scope;
mod submission;
mod token;

use crate::error::{Error, Result};
use crate::model::{Cloud, EndpointOverrides, Endpoints, Fallback, NewAccount, ProblemKind, Route};
use clouds::Clouds;

pub(crate) use token::{
    APPLICATIONS_PERMISSION, FEDERATION_AUDIENCE, PERSONS_PERMISSION, Resource, cloud_name,
    issuers, resource,
};

/// Whether a mailbox belongs to a personal account, by its domain.
pub(crate) fn is_personal_address(mailbox: &str) -> bool {
    let domain = mailbox.rsplit('@').next().unwrap_or_default();
    let domain = domain.to_ascii_lowercase();
    clouds::clouds().is_ok_and(|clouds| clouds.personal_mailbox_domains.contains(&domain))
}

/// Checks every setting of an account and resolves its endpoints.
///
/// # Errors
///
/// `Config` for the first setting that cannot work, with one stable code per rule (docs/settings.md lists them).
pub(crate) fn endpoints(account: &NewAccount) -> Result<Endpoints> {
    let clouds = clouds::clouds()?;
    identity::check_name(&account.name)?;
    identity::check_mailbox(account, clouds)?;
    identity::check_grant(account)?;
    submission::check_ca_pem(account)?;
    let plan = route::plan(account, clouds)?;
    let signing_in = match plan.needs_token {
        true => signing_in(&plan.account, &plan.clouds)?,
        false => SigningIn::default(),
    };
    let server = match (&plan.server, &account.route) {
        (Some(server), _) => server.clone(),
        (None, Route::ClientSubmission) => submission::server(&plan.account, &plan.clouds)?,
        (None, _) => route::Server::default(),
    };
    let mut hosts = signing_in.hosts();
    hosts.push(server.host.clone());
    submission::check_one_cloud(&plan.account, &hosts, &plan.clouds)?;
    Ok(Endpoints {
        token_url: signing_in.addresses.token_url,
        authorization_url: signing_in.addresses.authorization_url,
        device_authorization_url: signing_in.addresses.device_authorization_url,
        scopes: signing_in.scopes,
        audiences: signing_in.audiences,
        smtp_host: server.host,
        smtp_port: server.port,
        smtp_security: server.security,
        graph_url: plan.graph_url,
        ca_pem: account.endpoints.ca_pem.clone(),
        unverified: unverified(account, &plan.unverified),
    })
}

/// Checks the second road of an account and resolves its endpoints. What the account's own `endpoints` say of scopes,
/// audiences and the SMTP server is for the first road; but host and port also for client submission as the second.
///
/// # Errors
///
/// As [`endpoints`].
pub(crate) fn fallback(account: &NewAccount) -> Result<Option<Fallback>> {
    let Some(route) = account.fallback.clone() else {
        return Ok(None);
    };
    route::check_fallback(&account.route, &route)?;
    let overrides = &account.endpoints;
    let submits = route == Route::ClientSubmission;
    let second = NewAccount {
        route: route.clone(),
        fallback: Some(account.route.clone()),
        endpoints: EndpointOverrides {
            scopes: None,
            audiences: None,
            smtp_host: submits.then(|| overrides.smtp_host.clone()).flatten(),
            smtp_port: submits.then_some(overrides.smtp_port).flatten(),
            ..overrides.clone()
        },
        ..account.clone()
    };
    let endpoints = endpoints(&second)?;
    Ok(Some(Fallback { route, endpoints }))
}

/// Where a token comes from and what it is for; nothing of it where none is needed.
#[derive(Default)]
struct SigningIn {
    addresses: address::SignInAddresses,
    scopes: Vec<String>,
    audiences: Vec<String>,
}

fn signing_in(account: &NewAccount, clouds: &Clouds) -> Result<SigningIn> {
    let tenant = identity::tenant(account, clouds)?;
    identity::check_client_id(account)?;
    check_custom_is_complete(account)?;
    Ok(SigningIn {
        addresses: address::sign_in_addresses(account, tenant, clouds)?,
        scopes: scope::scopes(account, clouds)?,
        audiences: scope::audiences(account, clouds)?,
    })
}

impl SigningIn {
    /// Every host that has to belong to the same cloud.
    fn hosts(&self) -> Vec<String> {
        let addresses = &self.addresses;
        let persons = [
            &addresses.authorization_url,
            &addresses.device_authorization_url,
        ];
        let urls = persons.into_iter().flatten().chain([&addresses.token_url]);
        let mut hosts: Vec<String> = urls.filter_map(|url| address::host_of(url)).collect();
        hosts.extend(scope::resource_hosts(&self.scopes));
        hosts
    }
}

/// The settings for which sources disagree, as far as no override replaces them.
fn unverified(account: &NewAccount, settings: &[String]) -> Vec<String> {
    let overrides = &account.endpoints;
    let is_replaced = |setting: &str| match setting {
        "smtpHost" => overrides.smtp_host.is_some(),
        "scopes" => overrides.scopes.is_some(),
        "audiences" => overrides.audiences.is_some(),
        "tokenUrl" => overrides.token_url.is_some(),
        "authorizationUrl" => overrides.authorization_url.is_some(),
        _ => false,
    };
    settings
        .iter()
        .filter(|setting| !is_replaced(setting))
        .cloned()
        .collect()
}

/// A custom cloud has no defaults: what is missing is named at once, not one by one.
fn check_custom_is_complete(account: &NewAccount) -> Result<()> {
    if account.cloud != Cloud::Custom {
        return Ok(());
    }
    let overrides = &account.endpoints;
    let is_persons = account.grant.kind().is_a_persons();
    // Either way of beginning a sign-in will do.
    let has_beginning =
        overrides.authorization_url.is_some() || overrides.device_authorization_url.is_some();
    let derives = overrides.token_url.is_none() || (is_persons && !has_beginning);
    let missing: Vec<&str> = [
        (
            derives && overrides.authority.is_none(),
            missing_address(overrides),
        ),
        (
            derives && overrides.authority.is_some() && account.tenant.is_empty(),
            "tenant",
        ),
        (overrides.scopes.is_none(), "endpoints.scopes"),
        (
            overrides.smtp_host.is_none() && account.route == Route::ClientSubmission,
            "endpoints.smtpHost",
        ),
    ]
    .into_iter()
    .filter_map(|(is_missing, name)| is_missing.then_some(name))
    .collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(refusal(
        "custom-cloud-incomplete",
        format!(
            "a custom cloud has no defaults, and these settings are missing: {}",
            missing.join(", ")
        ),
        "Give every setting named; an authority with a tenant replaces the token and device authorization addresses.",
    ))
}

fn missing_address(overrides: &EndpointOverrides) -> &'static str {
    match overrides.token_url {
        None => "endpoints.tokenUrl (or endpoints.authority)",
        Some(_) => {
            "endpoints.authorizationUrl or endpoints.deviceAuthorizationUrl (or endpoints.authority)"
        }
    }
}

fn refusal(code: &str, text: impl Into<String>, fix: impl Into<String>) -> Error {
    Error::new(ProblemKind::Config, code, text, fix)
}

#[cfg(test)]
mod tests;
