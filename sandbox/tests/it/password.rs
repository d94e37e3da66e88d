//! The resource owner password grant, which nobody should use and old programs still do.

use mailbearer_sandbox::Sandbox;
use mailbearer_sandbox::directory::{User, seed};

use crate::support::{Answer, DELEGATED_SCOPE, device_sign_in, post, sandbox};

async fn sign_in(sandbox: &Sandbox, tenant: &str, user: &str, password: &str) -> Answer {
    let form = [
        ("grant_type", "password"),
        ("client_id", seed::PUBLIC_CLIENT_ID),
        ("username", user),
        ("password", password),
        ("scope", DELEGATED_SCOPE),
    ];
    post(sandbox, &format!("{tenant}/token"), &form).await
}

#[tokio::test]
async fn a_password_is_good_only_for_someone_who_has_consented() {
    let sandbox = sandbox().await;
    let tenant = seed::TENANT_ID;
    let check = async |tenant, user, password, expected| {
        assert_eq!(
            sign_in(&sandbox, tenant, user, password).await.refusal().2,
            expected,
            "{user} {password}"
        );
    };
    check(tenant, seed::ALICE, seed::ALICE_PASSWORD, 65_001).await;
    device_sign_in(&sandbox, seed::ALICE, DELEGATED_SCOPE).await;
    check(tenant, seed::ALICE, seed::ALICE_PASSWORD, 0).await;
    check("organizations", seed::ALICE, seed::ALICE_PASSWORD, 0).await;
    check("common", seed::ALICE, seed::ALICE_PASSWORD, 9_001_023).await;
    check(tenant, seed::ALICE, "wrong", 50_126).await;
    check(tenant, seed::BILLING, "anything", 50_126).await;
    check(tenant, "nobody@contoso.example", "anything", 50_034).await;
}

#[tokio::test]
async fn what_an_administrator_did_to_the_account_decides() {
    let check = async |change: fn(&mut User), expected| {
        let sandbox = sandbox().await;
        device_sign_in(&sandbox, seed::ALICE, DELEGATED_SCOPE).await;
        sandbox.tenant().change_user(seed::ALICE, change).unwrap();
        let answer = sign_in(&sandbox, seed::TENANT_ID, seed::ALICE, seed::ALICE_PASSWORD).await;
        assert_eq!(answer.refusal(), (400, "invalid_grant", expected));
    };
    check(|user| user.enabled = false, 50_057).await;
    check(|user| user.mfa_required = true, 50_076).await;
    check(|user| user.blocked_by_conditional_access = true, 53_003).await;
}
