//! Whether a person may be given a token now: account state, Conditional Access, MFA, revocation, consent.
//! The same checks hold on the sign-in page and at the token endpoint; only MFA can be satisfied on the page.

use serde_json::json;

use super::authority::about;
use super::grants::{Authorization, Flow};
use super::refusal::Refusal;
use super::scope::{ScopeRequest, permissions_on};
use crate::catalogue::aadsts;
use crate::clock::grant_timestamp;
use crate::cloud::Cloud;
use crate::directory::{Application, User};

/// Whether somebody sits in front of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Presence {
    /// On the page: a demand for MFA is met there.
    Interactive,
    /// At the token endpoint, long after.
    Silent,
}

/// # Errors
/// AADSTS50057, 53003, 50076, 530033 or 530036.
pub(crate) fn admit(
    user: &User,
    scope: &ScopeRequest,
    flow: Flow,
    presence: Presence,
) -> Result<(), Refusal> {
    if !user.enabled {
        return Err(Refusal::from(&aadsts::ACCOUNT_DISABLED));
    }
    if user.blocked_by_conditional_access {
        let policy =
            json!({"access_token": {"capolids": {"essential": true, "values": [POLICY_ID]}}});
        return Err(Refusal::from(&aadsts::BLOCKED_BY_CONDITIONAL_ACCESS).with_claims(&policy));
    }
    if user.device_code_flow_blocked && flow == Flow::DeviceCode {
        return Err(match presence {
            Presence::Interactive => Refusal::from(&aadsts::DEVICE_FLOW_BLOCKED),
            Presence::Silent => Refusal::from(&aadsts::DEVICE_FLOW_GRANT_BLOCKED),
        });
    }
    if user.mfa_required && presence == Presence::Silent {
        let policy =
            json!({"access_token": {"polids": {"essential": true, "values": [POLICY_ID]}}});
        return Err(Refusal::from(&aadsts::MFA_REQUIRED)
            .with("resource", scope.resource.app_id)
            .with_claims(&policy));
    }
    Ok(())
}

/// # Errors
/// AADSTS50173 if sessions were revoked after the authorization was given.
pub(crate) fn not_revoked(user: &User, authorization: &Authorization) -> Result<(), Refusal> {
    if authorization.issued_at_unix_ms >= user.tokens_valid_from_unix_ms {
        return Ok(());
    }
    Err(Refusal::from(&aadsts::GRANT_REVOKED)
        .with(
            "issued_at",
            grant_timestamp(authorization.issued_at_unix_ms),
        )
        .with(
            "valid_from",
            grant_timestamp(user.tokens_valid_from_unix_ms),
        ))
}

/// # Errors
/// AADSTS65001 if neither the person nor an administrator consented to a permission.
pub(crate) fn consented(
    user: &User,
    application: &Application,
    scope: &ScopeRequest,
) -> Result<(), Refusal> {
    match lacking(user, application, scope).is_empty() {
        true => Ok(()),
        false => Err(about(application, &aadsts::CONSENT_REQUIRED)),
    }
}

/// The permissions nobody consented to yet.
pub(crate) fn lacking(user: &User, application: &Application, scope: &ScopeRequest) -> Vec<String> {
    let by_administrator = permissions_on(scope.resource, &application.delegated_permissions);
    let lacks = |permission: &&String| {
        !by_administrator.contains(permission)
            && !user
                .consents
                .contains(&consent(application, scope, permission))
    };
    scope.permissions.iter().filter(lacks).cloned().collect()
}

/// Remembers that the person agreed to everything the scope asks for.
pub(crate) fn remember_consent(
    cloud: &Cloud,
    user: &User,
    application: &Application,
    scope: &ScopeRequest,
) {
    let consents = scope
        .permissions
        .iter()
        .map(|permission| consent(application, scope, permission));
    cloud.directory.change_user(&user.address, |user| {
        for consent in consents {
            if !user.consents.contains(&consent) {
                user.consents.push(consent);
            }
        }
    });
}

/// Whether the person may agree alone.
///
/// # Errors
/// AADSTS90094 if the tenant leaves consent to administrators.
pub(crate) fn may_consent(
    cloud: &Cloud,
    user: &User,
    application: &Application,
    scope: &ScopeRequest,
) -> Result<(), Refusal> {
    let tenant = cloud.directory.tenant(&user.tenant_id);
    let allowed = tenant.is_none_or(|tenant| tenant.user_consent_allowed);
    match allowed || lacking(user, application, scope).is_empty() {
        true => Ok(()),
        false => Err(about(application, &aadsts::CONSENT_NEEDS_ADMIN)),
    }
}

fn consent(application: &Application, scope: &ScopeRequest, permission: &str) -> String {
    format!(
        "{} {}/{permission}",
        application.client_id, scope.resource.name
    )
}

/// The id of the one Conditional Access policy the sandbox pretends to have.
const POLICY_ID: &str = "3f0bd3a1-6c1f-4d4b-9d0e-58c1a9b2e704";
