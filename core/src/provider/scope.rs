//! Checks of what is asked for: scopes and the audiences a token may carry.
//! The rules are Microsoft's and hold for its clouds; a custom cloud has only the syntax of RFC 6749 section 3.3.

use super::address;
use super::clouds::{self, CloudData, Clouds};
use super::refusal;
use crate::error::Result;
use crate::model::{Grant, NewAccount};

/// The scopes to ask for: as given, or the fewest that cloud and grant need.
pub(super) fn scopes(account: &NewAccount, clouds: &Clouds) -> Result<Vec<String>> {
    let data = clouds.data(account.cloud);
    let Some(scopes) = account.endpoints.scopes.clone() else {
        return Ok(data
            .map(|data| default_scopes(data, &account.grant))
            .unwrap_or_default());
    };
    check_syntax(&scopes)?;
    if let Some(data) = data {
        check_resources(account, &scopes, data)?;
        check_grant_needs(account, &scopes, data)?;
    }
    Ok(scopes)
}

/// The audiences a token may carry: as given, or the cloud's.
pub(super) fn audiences(account: &NewAccount, clouds: &Clouds) -> Result<Vec<String>> {
    let data = clouds.data(account.cloud);
    let Some(audiences) = account.endpoints.audiences.clone() else {
        return Ok(data.map(|data| data.audiences.clone()).unwrap_or_default());
    };
    let is_wanted = |audience: &String| data.is_some_and(|data| data.audiences.contains(audience));
    let is_graph = |audience: &String| {
        let named = audience == &clouds.graph_app_id
            || resource_host(audience).is_some_and(|host| clouds.graph_hosts.contains(&host));
        named && !is_wanted(audience)
    };
    match audiences.iter().find(|audience| is_graph(audience)) {
        Some(audience) if data.is_some() => Err(refusal(
            "wrong-scope-audience",
            format!(
                "SMTP takes no token for Microsoft Graph, but it is among the audiences: {audience}"
            ),
            "Leave endpoints.audiences out, or name Exchange Online's audience only.",
        )),
        _ => Ok(audiences),
    }
}

/// The hosts of Exchange named in scopes, for the comparison of clouds.
pub(super) fn resource_hosts(scopes: &[String]) -> impl Iterator<Item = String> {
    scopes.iter().filter_map(|scope| resource_host(scope))
}

/// The fewest scopes that cloud and grant need.
pub(super) fn default_scopes(data: &CloudData, grant: &Grant) -> Vec<String> {
    match grant {
        grant if grant.kind().is_a_persons() => data.delegated_scopes.clone(),
        _ => data.app_scope.iter().cloned().collect(),
    }
}

fn check_syntax(scopes: &[String]) -> Result<()> {
    let allowed = |character: char| character.is_ascii_graphic() && !"\"\\,;".contains(character);
    let well_formed = |scope: &String| !scope.is_empty() && scope.chars().all(allowed);
    if !scopes.is_empty() && scopes.iter().all(well_formed) {
        return Ok(());
    }
    Err(refusal(
        "scope-malformed",
        "endpoints.scopes is empty, or one of them holds a blank, a comma or another character that no scope may hold",
        "Give each scope as an element of its own, without commas, or leave endpoints.scopes out.",
    ))
}

fn check_resources(account: &NewAccount, scopes: &[String], data: &CloudData) -> Result<()> {
    let mut hosts: Vec<String> = Vec::new();
    for scope in scopes.iter().filter(|scope| !is_sign_in_scope(scope)) {
        // A scope without a resource means Microsoft Graph.
        let host = resource_host(scope).unwrap_or_else(|| "microsoft graph".to_owned());
        if !hosts.contains(&host) {
            hosts.push(host);
        }
    }
    if let [first, second, ..] = hosts.as_slice() {
        return Err(refusal(
            "scope-mixed-resources",
            format!(
                "one request can ask for one resource, but the scopes name two: {first} and {second}"
            ),
            format!(
                "Ask for `{}` alone; a token for another resource is a request of its own.",
                data.delegated_scopes.join(" ")
            ),
        ));
    }
    match hosts.first() {
        Some(host) if data.resource_hosts.contains(host) => Ok(()),
        Some(host) => Err(foreign_resource(account, host, data)),
        None => Err(missing_permission(data)),
    }
}

fn foreign_resource(account: &NewAccount, host: &str, data: &CloudData) -> crate::error::Error {
    let wanted = default_scopes(data, &account.grant).join(" ");
    // Of all clouds as they are, whatever the route asks for.
    let owners = clouds::clouds().map(|clouds| clouds.owners(host));
    let owners = owners.unwrap_or_default();
    let is_elsewhere = !owners.contains(&account.cloud);
    if let Some(owner) = owners.first().filter(|_| is_elsewhere) {
        return refusal(
            "wrong-cloud-endpoint",
            format!(
                "the scope belongs to the cloud {}: {host}",
                clouds::name(*owner)
            ),
            format!("Ask for `{wanted}`, or set cloud to the one that holds the mailbox."),
        );
    }
    refusal(
        "wrong-scope-audience",
        format!("a token for this resource cannot send mail by this route: {host}"),
        format!(
            "Ask for `{wanted}`: this route takes tokens of that resource only, and SMTP none of Microsoft Graph."
        ),
    )
}

fn missing_permission(data: &CloudData) -> crate::error::Error {
    refusal(
        "scope-without-smtp-send",
        format!(
            "none of the scopes permits sending mail by this route ({})",
            data.permission
        ),
        format!(
            "Ask for `{}`, or leave endpoints.scopes out.",
            data.delegated_scopes.join(" ")
        ),
    )
}

fn check_grant_needs(account: &NewAccount, scopes: &[String], data: &CloudData) -> Result<()> {
    match &account.grant {
        grant if grant.kind().is_a_persons() => check_delegated_scopes(scopes, data),
        Grant::TokenCommand { .. } => Ok(()),
        _ => check_app_scope(scopes, data),
    }
}

fn check_app_scope(scopes: &[String], data: &CloudData) -> Result<()> {
    if matches!(scopes, [only] if only.ends_with("/.default")) {
        return Ok(());
    }
    Err(refusal(
        "scope-not-default",
        "an application that signs in as itself asks for exactly one scope, which ends in /.default",
        format!(
            "Ask for `{}` alone; the permissions themselves are those an administrator has granted.",
            data.app_scope.as_deref().unwrap_or_default()
        ),
    ))
}

fn check_delegated_scopes(scopes: &[String], data: &CloudData) -> Result<()> {
    let permits = |scope: &String| {
        let permission = scope.rsplit('/').next().unwrap_or_default();
        permission.eq_ignore_ascii_case(&data.permission) || permission == ".default"
    };
    if !scopes.iter().any(permits) {
        return Err(missing_permission(data));
    }
    if scopes.iter().any(|scope| scope == "offline_access") {
        return Ok(());
    }
    Err(refusal(
        "offline-access-missing",
        "without the scope offline_access there is no refresh token, so the sign-in ends within the hour",
        "Add `offline_access` to endpoints.scopes, as a word of its own.",
    ))
}

/// Scopes of the sign-in itself, which belong to no resource.
fn is_sign_in_scope(scope: &str) -> bool {
    matches!(scope, "offline_access" | "openid" | "profile" | "email")
}

fn resource_host(scope: &str) -> Option<String> {
    scope
        .contains("://")
        .then(|| address::host_of(scope))
        .flatten()
}
