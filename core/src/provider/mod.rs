//! Which hosts, ports and scopes an account uses: the Microsoft clouds as data, and the check of every setting.
//! Nothing here reaches the network: a setting that passes is well-formed and consistent, not yet proven.

mod address;
pub(crate) mod certificate;
mod clouds;
mod identity;
pub(crate) mod pkcs12;
mod scope;
mod submission;
mod token;

use crate::error::{Error, Result};
use crate::model::{Cloud, EndpointOverrides, Endpoints, NewAccount, ProblemKind};
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
    let tenant = identity::tenant(account, clouds)?;
    identity::check_client_id(account)?;
    check_custom_is_complete(account)?;
    let addresses = address::sign_in_addresses(account, tenant, clouds)?;
    let scopes = scope::scopes(account, clouds)?;
    let audiences = scope::audiences(account, clouds)?;
    let smtp_host = submission::smtp_host(account, clouds)?;
    let smtp_port = submission::smtp_port(account, &smtp_host, clouds)?;
    submission::check_ca_pem(account)?;
    let mut hosts = vec![smtp_host.clone()];
    hosts.extend(address::host_of(&addresses.token_url));
    let persons = [
        &addresses.authorization_url,
        &addresses.device_authorization_url,
    ];
    let persons = persons.into_iter().flatten();
    hosts.extend(persons.filter_map(|url| address::host_of(url)));
    hosts.extend(scope::resource_hosts(&scopes));
    submission::check_one_cloud(account, &hosts, clouds)?;
    Ok(Endpoints {
        token_url: addresses.token_url,
        authorization_url: addresses.authorization_url,
        device_authorization_url: addresses.device_authorization_url,
        scopes,
        audiences,
        smtp_host,
        smtp_port,
        ca_pem: account.endpoints.ca_pem.clone(),
        unverified: unverified(account, clouds),
    })
}

/// The cloud's own settings for which sources disagree, as far as no override replaces them.
fn unverified(account: &NewAccount, clouds: &Clouds) -> Vec<String> {
    let overrides = &account.endpoints;
    let is_replaced = |setting: &str| match setting {
        "smtpHost" => overrides.smtp_host.is_some(),
        "scopes" => overrides.scopes.is_some(),
        "audiences" => overrides.audiences.is_some(),
        _ => false,
    };
    let data = clouds.data(account.cloud).into_iter();
    let settings = data.flat_map(|data| data.unverified.iter());
    settings
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
        (overrides.smtp_host.is_none(), "endpoints.smtpHost"),
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
