//! Workload identity federation: a token of another issuer in place of a secret.
//! The sandbox is every foreign issuer itself: it mints their tokens on request and fetches no keys from anywhere.

use serde_json::json;

use super::client::check_times;
use super::jwt::{self, Jwt};
use super::refusal::Refusal;
use crate::catalogue::aadsts;
use crate::cloud::Cloud;
use crate::directory::{Application, FederatedCredential};

/// A token as the issuer would give it to a workload, valid for an hour.
pub(crate) fn mint(cloud: &Cloud, workload: &FederatedCredential) -> String {
    let now = cloud.clock.now_unix_seconds();
    let claims = json!({
        "iss": workload.issuer,
        "sub": workload.subject,
        "aud": workload.audience,
        "iat": now,
        "nbf": now,
        "exp": now + 3600,
        "jti": cloud.random.guid(),
    });
    let token = jwt::sign(&cloud.signing_key, &claims);
    cloud.secrets.note(&token);
    token
}

/// # Errors
/// AADSTS700211, 700212 or 700213 for what no credential matches, 50013 for the signature, 700024 for the time.
pub(super) fn check(
    cloud: &Cloud,
    application: &Application,
    assertion: &Jwt<'_>,
) -> Result<(), Refusal> {
    let [issuer, subject, audience] =
        ["iss", "sub", "aud"].map(|claim| assertion.text(claim).unwrap_or_default());
    let mut trusted: Vec<&FederatedCredential> = application.federated_credentials.iter().collect();
    trusted.retain(|known| known.issuer == issuer);
    if trusted.is_empty() {
        return Err(Refusal::from(&aadsts::FEDERATED_ISSUER).with("issuer", issuer));
    }
    trusted.retain(|known| known.subject == subject);
    if trusted.is_empty() {
        return Err(Refusal::from(&aadsts::FEDERATED_SUBJECT).with("subject", subject));
    }
    if !trusted.iter().any(|known| known.audience == audience) {
        return Err(Refusal::from(&aadsts::FEDERATED_AUDIENCE).with("audience", audience));
    }
    if !cloud
        .signing_key
        .verifies(assertion.signed, &assertion.signature)
    {
        return Err(Refusal::from(&aadsts::FEDERATED_SIGNATURE));
    }
    check_times(cloud, assertion)
}
