//! Checks and derivation of the sign-in addresses: authority, token endpoint, device authorization endpoint.
//! Whoever listens there is not asked.

use super::clouds::Clouds;
use super::refusal;
use crate::error::Result;
use crate::model::{Cloud, NewAccount};
use http::Uri;
use std::net::IpAddr;

/// The token endpoint and, where a person signs in, the two that a sign-in begins at.
#[derive(Default)]
pub(super) struct SignInAddresses {
    pub(super) token_url: String,
    pub(super) authorization_url: Option<String>,
    pub(super) device_authorization_url: Option<String>,
}

/// Resolves the sign-in addresses: as given, or by Microsoft's path pattern under the authority and the tenant.
pub(super) fn sign_in_addresses(
    account: &NewAccount,
    tenant: &str,
    clouds: &Clouds,
) -> Result<SignInAddresses> {
    let overrides = &account.endpoints;
    let base = authority(account, clouds)?;
    let under_authority = |leaf: &str| {
        base.map(|base| format!("{}/{tenant}/oauth2/v2.0/{leaf}", base.trim_end_matches('/')))
    };
    let token_url = overrides
        .token_url
        .clone()
        .or_else(|| under_authority("token"))
        .unwrap_or_default();
    check_url("endpoints.tokenUrl", &token_url)?;
    check_token_path(account, &token_url)?;
    let is_persons = account.grant.kind().is_a_persons();
    let persons = |given: &Option<String>, leaf: &str| {
        let url = given.clone().or_else(|| under_authority(leaf));
        url.filter(|_| is_persons)
    };
    let authorization_url = persons(&overrides.authorization_url, "authorize");
    let device_authorization_url = persons(&overrides.device_authorization_url, "devicecode");
    for (setting, url) in [
        ("endpoints.authorizationUrl", &authorization_url),
        (
            "endpoints.deviceAuthorizationUrl",
            &device_authorization_url,
        ),
    ] {
        if let Some(url) = url {
            check_url(setting, url)?;
        }
    }
    Ok(SignInAddresses {
        token_url,
        authorization_url,
        device_authorization_url,
    })
}

/// The host of an address that has been checked, in lower case and without brackets.
pub(super) fn host_of(url: &str) -> Option<String> {
    let uri: Uri = url.parse().ok()?;
    let host = uri.host()?.trim_matches(['[', ']']);
    Some(host.to_ascii_lowercase())
}

/// Whether a host means this machine.
pub(super) fn is_loopback(host: &str) -> bool {
    host == "localhost"
        || host.ends_with(".localhost")
        || host
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

fn authority<'a>(account: &'a NewAccount, clouds: &'a Clouds) -> Result<Option<&'a str>> {
    let Some(given) = account.endpoints.authority.as_deref() else {
        let data = clouds.data(account.cloud);
        return Ok(data.map(|data| data.authority.as_str()));
    };
    check_url("endpoints.authority", given)?;
    let path = given.parse::<Uri>().ok().map(|uri| uri.path().to_owned());
    if account.cloud != Cloud::Custom && !matches!(path.as_deref(), None | Some("" | "/")) {
        return Err(refusal(
            "url-malformed",
            format!("endpoints.authority has a path, but must be the sign-in host alone: {given}"),
            "Give only scheme and host, such as `https://login.microsoftonline.com`; the tenant has its own setting.",
        ));
    }
    Ok(Some(given))
}

pub(super) fn check_url(setting: &str, url: &str) -> Result<()> {
    let malformed = |reason: &str| {
        refusal(
            "url-malformed",
            format!("{setting} {reason}"),
            "Give an absolute address such as `https://login.example.org/oauth2/v2.0/token`.",
        )
    };
    let uri: Uri = url
        .parse()
        .map_err(|_| malformed("is not a well-formed address"))?;
    let (Some(scheme), Some(host)) = (uri.scheme_str(), host_of(url)) else {
        return Err(malformed("has no scheme or no host"));
    };
    let authority = uri
        .authority()
        .map(http::uri::Authority::as_str)
        .unwrap_or_default();
    if host.is_empty() || authority.contains('@') {
        return Err(malformed("has no host, or a user name in front of it"));
    }
    // The parser takes any number as a port and then says that there is none.
    let names_port = authority
        .rsplit(']')
        .next()
        .unwrap_or_default()
        .contains(':');
    if names_port && uri.port_u16().is_none_or(|port| port == 0) {
        return Err(malformed("has an impossible port"));
    }
    match scheme {
        "https" => Ok(()),
        "http" if is_loopback(&host) => Ok(()),
        "http" => Err(refusal(
            "plaintext-endpoint",
            format!("{setting} would carry secrets unencrypted: {scheme}://{host}"),
            "Use `https`. Plain `http` is allowed only to this machine itself (127.0.0.1, ::1, localhost).",
        )),
        _ => Err(malformed("is neither https nor http")),
    }
}

/// On a Microsoft cloud, the other endpoints' paths where the token endpoint's belongs.
fn check_token_path(account: &NewAccount, token_url: &str) -> Result<()> {
    let path = token_url
        .parse::<Uri>()
        .map(|uri| uri.path().trim_end_matches('/').to_ascii_lowercase())
        .unwrap_or_default();
    let is_other = [
        "/authorize",
        "/devicecode",
        "/adminconsent",
        "/oauth2/token",
    ]
    .iter()
    .any(|other| path.ends_with(other));
    if account.cloud == Cloud::Custom || !is_other {
        return Ok(());
    }
    Err(refusal(
        "wrong-token-endpoint",
        format!("endpoints.tokenUrl is another endpoint than the v2.0 token endpoint: {path}"),
        "Leave endpoints.tokenUrl out, or end it in `/oauth2/v2.0/token`.",
    ))
}
