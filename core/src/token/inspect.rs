//! An access token is read before it is used: the mail server refuses a wrong one with `535 5.7.3` and no reason, while
//! here the reason is known, before any connection. Only what is certain to fail is refused. A token that cannot be
//! read passes, and so does an application's token without roles, as RBAC for Applications gives them.

use super::claims::Claims;
use crate::diagnosis;
use crate::error::{Error, Result};
use crate::model::{Account, Cloud, GrantKind};
use crate::provider::{
    self, APPLICATIONS_PERMISSION, FEDERATION_AUDIENCE, PERSONS_PERMISSION, Resource,
};

/// Fails with the cause if the mail server cannot take this token for this account.
/// Errors: `Config`, `Consent`, `SignIn`, `Misuse`.
pub(crate) fn inspect(account: &Account, token: &str) -> Result<()> {
    check_form(token)?;
    if account.cloud != Cloud::Custom {
        check_other_secrets(token)?;
    }
    let Some(claims) = Claims::read(token) else {
        return check_unreadable(token);
    };
    if account.cloud == Cloud::Custom {
        return check_audience(account, &claims); // What follows are Microsoft's rules.
    }
    check_kind(account, &claims)?;
    check_audience(account, &claims)?;
    check_issuer(account, &claims)?;
    check_tenant(account, &claims)?;
    check_bearer(account, &claims)?;
    check_permission(account, &claims)
}

/// Fails if a token from elsewhere is not in its time. The tokens of our own requests need no such check: their life
/// is counted from their arrival, whatever this machine's clock says.
pub(crate) fn inspect_time(token: &str, now_unix_ms: i64) -> Result<()> {
    let claims = Claims::read(token).unwrap_or_default();
    let now = now_unix_ms / 1000;
    if let Some(end) = claims.expires_at_unix
        && end <= now
    {
        let text = format!(
            "the access token ended {} ago",
            duration(now.saturating_sub(end))
        );
        return Err(diagnosis::problem("token-expired", text));
    }
    if let Some(start) = claims.not_before_unix
        && start > now.saturating_add(CLOCK_TOLERANCE_S)
    {
        let text = format!(
            "the access token is not valid for another {}",
            duration(start.saturating_sub(now))
        );
        return Err(diagnosis::problem("clock-skew", text));
    }
    Ok(())
}

/// What Entra ID itself tolerates, in seconds.
const CLOCK_TOLERANCE_S: i64 = 300;

/// What can be told from the text alone (RFC 6750 section 2.1 says which characters a token may have).
fn check_form(token: &str) -> Result<()> {
    if token.is_empty() {
        return Err(corrupted("the access token is empty"));
    }
    if token.trim_start().starts_with('{') {
        return Err(corrupted(
            "a whole JSON answer stands in the place of the access token",
        ));
    }
    let bare = token.trim_start().get(..7);
    if bare.is_some_and(|start| start.eq_ignore_ascii_case("bearer ")) {
        return Err(corrupted("the access token begins with the word Bearer"));
    }
    if token.starts_with(['"', '\'']) {
        return Err(corrupted("the access token is in quotation marks"));
    }
    if token.starts_with("dXNlcj") {
        return Err(kind("this is base64 for SASL already (it says user=)"));
    }
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || "-._~+/=".contains(c);
    match token.chars().find(|c| !is_allowed(*c)) {
        Some(c) if c.is_whitespace() => Err(corrupted(
            "there is a blank or a line end in the access token",
        )),
        Some(_) => Err(corrupted(
            "there is a character in the access token that no token has",
        )),
        None => Ok(()),
    }
}

/// Microsoft's secrets that have a form of their own, and are no access tokens.
fn check_other_secrets(token: &str) -> Result<()> {
    let is_entra_refresh_token = ["0.A", "1.A"].iter().any(|start| token.starts_with(start));
    if is_entra_refresh_token || token.starts_with("M.") {
        return Err(kind(
            "this looks like a refresh token or an authorization code",
        ));
    }
    // The value of a client secret has 40 characters with `8Q~` after the third.
    if token.len() == 40 && token.get(3..6) == Some("8Q~") {
        return Err(kind("this looks like a client secret"));
    }
    Ok(())
}

/// A JSON Web Token that lost something on its way; anything else is opaque, and for the server to judge.
fn check_unreadable(token: &str) -> Result<()> {
    let parts = token.split('.').count();
    match (token.starts_with("eyJ"), parts) {
        (true, 5) | (false, _) => Ok(()), // Encrypted (RFC 7516), or opaque.
        (true, 3) => Err(corrupted(
            "the access token's middle part cannot be decoded",
        )),
        (true, _) => Err(corrupted(format!(
            "the access token was cut: it has {parts} of three parts"
        ))),
    }
}

/// Other kinds of tokens that are JSON Web Tokens, too.
fn check_kind(account: &Account, claims: &Claims) -> Result<()> {
    let client_id = &account.client_id;
    let is_client = |name: &String| !client_id.is_empty() && name.eq_ignore_ascii_case(client_id);
    if claims.audiences.iter().any(is_client) {
        return Err(kind(
            "this is an ID token: its audience is the application itself",
        ));
    }
    let is_assertion =
        claims.issuer.as_ref().is_some_and(is_client) && claims.issuer == claims.subject;
    if is_assertion {
        return Err(kind(
            "this is a client assertion, which the application made itself",
        ));
    }
    if claims
        .audiences
        .iter()
        .any(|audience| audience.starts_with(FEDERATION_AUDIENCE))
    {
        return Err(kind(
            "this is a workload's token, to be exchanged for an access token",
        ));
    }
    Ok(())
}

fn check_audience(account: &Account, claims: &Claims) -> Result<()> {
    let bare = |audience: &str| audience.trim_end_matches('/').to_ascii_lowercase();
    let expected: Vec<_> = account
        .endpoints
        .audiences
        .iter()
        .map(|audience| bare(audience))
        .collect();
    let is_expected = |found: &String| expected.contains(&bare(found));
    let Some(found) = claims.audiences.first() else {
        return Ok(());
    };
    if expected.is_empty() || claims.audiences.iter().any(is_expected) {
        return Ok(());
    }
    if account.cloud == Cloud::Custom {
        return Err(audience(found, "another service than mail submission"));
    }
    match provider::resource(found)? {
        Resource::Graph => Err(audience(found, "Microsoft Graph, not for mail submission")),
        Resource::Other => Err(audience(found, "another service than mail submission")),
        Resource::Exchange(owners) => Err(other_cloud(account, &owners, found)),
    }
}

fn check_issuer(account: &Account, claims: &Claims) -> Result<()> {
    let Some(issuer) = &claims.issuer else {
        return Ok(());
    };
    let owners = provider::issuers(issuer)?;
    // US Government's tokens may bear the worldwide issuer.
    let is_shared = owners.contains(&Cloud::Worldwide) && account.cloud != Cloud::China;
    if owners.is_empty() || owners.contains(&account.cloud) || is_shared {
        return Ok(());
    }
    Err(other_cloud(account, &owners, issuer))
}

fn check_tenant(account: &Account, claims: &Claims) -> Result<()> {
    let Some(found) = &claims.tenant else {
        return Ok(());
    };
    let is_personal = found.eq_ignore_ascii_case(PERSONAL_TENANT);
    if is_personal && account.cloud != Cloud::Personal && !takes_personal(account) {
        let text = "the access token is a personal account's, and the mailbox is a tenant's";
        return Err(diagnosis::problem("personal-account-unsupported", text));
    }
    if !is_personal && account.cloud == Cloud::Personal {
        let text = "the access token is a work account's, and the mailbox is a personal one";
        return Err(diagnosis::problem("personal-account-unsupported", text));
    }
    if is_guid(&account.tenant) && !account.tenant.eq_ignore_ascii_case(found) {
        let text = format!("the access token is of another tenant: {found}");
        return Err(diagnosis::problem("wrong-tenant", text));
    }
    Ok(())
}

/// The tenant of all personal accounts (Microsoft's ID token reference).
const PERSONAL_TENANT: &str = "9188040d-6c67-4c5b-b112-36a304b66dad";

fn takes_personal(account: &Account) -> bool {
    ["common", "consumers"].contains(&account.tenant.as_str())
}

/// A person's token where the application signs in, or the reverse; or a guest's, who has no mailbox here.
fn check_bearer(account: &Account, claims: &Claims) -> Result<()> {
    let wants_person = account.grant.is_a_persons();
    let says_something = claims.identity_type.is_some()
        || claims.person.is_some()
        || !claims.scopes.is_empty()
        || !claims.roles.is_empty();
    // A command may print either kind.
    let is_either = account.grant == GrantKind::TokenCommand;
    if says_something && !is_either && claims.is_a_persons() != wants_person {
        return Err(kind(match wants_person {
            true => "this is a token of the application, and the account signs in as a person",
            false => "this is a person's token, and the account signs in as the application",
        }));
    }
    match &claims.person {
        Some(person) if person.to_ascii_uppercase().contains("#EXT#") => Err(diagnosis::problem(
            "token-user-mismatch",
            format!("the access token is a guest's, who has no mailbox in this tenant: {person}"),
        )),
        _ => Ok(()),
    }
}

fn check_permission(account: &Account, claims: &Claims) -> Result<()> {
    let has =
        |list: &[String], name: &str| list.iter().any(|found| found.eq_ignore_ascii_case(name));
    let Some(persons) = provider::route::permission(&account.route) else {
        return Ok(());
    };
    if !claims.scopes.is_empty() && !has(&claims.scopes, persons) {
        let text = format!(
            "the access token does not permit {persons}, only {}",
            claims.scopes.join(", ")
        );
        return Err(diagnosis::problem("scope-not-granted-to-app", text));
    }
    let applications = match persons {
        PERSONS_PERMISSION => APPLICATIONS_PERMISSION,
        other => other,
    };
    // No roles at all may be RBAC for Applications; other roles without this one switch nothing on.
    if claims.scopes.is_empty() && !claims.roles.is_empty() && !has(&claims.roles, applications) {
        let text = format!(
            "the access token has no role {applications}, only {}",
            claims.roles.join(", ")
        );
        let code = match applications {
            APPLICATIONS_PERMISSION => "smtp-app-permission-missing",
            _ => "scope-not-granted-to-app",
        };
        return Err(diagnosis::problem(code, text));
    }
    Ok(())
}

fn is_guid(text: &str) -> bool {
    let lengths = text.split('-').map(str::len);
    lengths.eq([8, 4, 4, 4, 12]) && text.chars().all(|c| c == '-' || c.is_ascii_hexdigit())
}

fn duration(seconds: i64) -> String {
    match seconds {
        ..120 => format!("{seconds} seconds"),
        120..7200 => format!("{} minutes", seconds / 60),
        _ => format!("{} hours", seconds / 3600),
    }
}

fn corrupted(text: impl Into<String>) -> Error {
    diagnosis::problem("token-corrupted", text)
}

fn kind(text: &str) -> Error {
    diagnosis::problem("wrong-token-kind", text)
}

fn audience(found: &str, what: &str) -> Error {
    let text = format!("the access token is for {what}: {found}");
    diagnosis::problem("wrong-scope-audience", text)
}

fn other_cloud(account: &Account, owners: &[Cloud], found: &str) -> Error {
    let owner = owners
        .first()
        .map_or("another", |cloud| provider::cloud_name(*cloud));
    let own = provider::cloud_name(account.cloud);
    let text =
        format!("the access token is of the cloud {owner} and the account of {own}: {found}");
    diagnosis::problem("wrong-cloud-endpoint", text)
}

#[cfg(test)]
#[path = "inspect_tests.rs"]
mod tests;
