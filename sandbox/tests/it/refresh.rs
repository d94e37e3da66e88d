//! Refresh tokens: how long they live, what ends them, and what they are good for.

use std::time::Duration;

use mailbearer_sandbox::Sandbox;
use mailbearer_sandbox::directory::{Rotation, User, seed};

use crate::support::{Answer, DELEGATED_SCOPE, Smtp, claims, device_sign_in, post, sandbox};

async fn refresh(sandbox: &Sandbox, token: &str, more: &[(&str, &str)]) -> Answer {
    let mut form = vec![
        ("grant_type", "refresh_token"),
        ("client_id", seed::PUBLIC_CLIENT_ID),
        ("refresh_token", token),
    ];
    form.extend_from_slice(more);
    post(sandbox, "token", &form).await
}

#[tokio::test]
async fn each_use_gives_a_new_token_and_leaves_the_old_one_valid() {
    let sandbox = sandbox().await;
    let first = device_sign_in(&sandbox, seed::ALICE, DELEGATED_SCOPE)
        .await
        .text("refresh_token")
        .to_owned();
    let second = refresh(&sandbox, &first, &[]).await;
    let third = refresh(&sandbox, &first, &[]).await;
    assert_ne!(second.access_token(), third.access_token());
    assert_ne!(second.text("refresh_token"), first);
}

#[tokio::test]
async fn what_happened_to_the_person_decides() {
    let check = async |change: fn(&Sandbox), expected: (u16, &str, u64), suberror: &str| {
        let sandbox = sandbox().await;
        let token = device_sign_in(&sandbox, seed::ALICE, DELEGATED_SCOPE)
            .await
            .text("refresh_token")
            .to_owned();
        change(&sandbox);
        let answer = refresh(&sandbox, &token, &[]).await;
        assert_eq!(answer.refusal(), expected);
        assert_eq!(answer.text("suberror"), suberror, "{}", answer.body);
    };
    fn alice(sandbox: &Sandbox, change: impl FnOnce(&mut User)) {
        sandbox.tenant().change_user(seed::ALICE, change).unwrap();
    }
    check(
        |sandbox| alice(sandbox, |user| user.enabled = false),
        (400, "invalid_grant", 50_057),
        "",
    )
    .await;
    check(
        |sandbox| alice(sandbox, |user| user.mfa_required = true),
        (400, "invalid_grant", 50_076),
        "basic_action",
    )
    .await;
    check(
        |sandbox| alice(sandbox, |user| user.blocked_by_conditional_access = true),
        (400, "invalid_grant", 53_003),
        "message_only",
    )
    .await;
    check(
        |sandbox| alice(sandbox, |user| user.device_code_flow_blocked = true),
        (400, "invalid_grant", 530_036),
        "",
    )
    .await;
    check(
        |sandbox| drop(sandbox.tenant().revoke_sessions(seed::ALICE)),
        (400, "invalid_grant", 50_173),
        "bad_token",
    )
    .await;
    check(
        |sandbox| alice(sandbox, |user| user.consents.clear()),
        (400, "invalid_grant", 65_001),
        "consent_required",
    )
    .await;
    check(
        |sandbox| {
            alice(sandbox, |user| {
                user.address = "gone@contoso.example".to_owned()
            })
        },
        (400, "invalid_grant", 50_034),
        "",
    )
    .await;
    check(
        |sandbox| sandbox.clock().advance(Duration::from_secs(90 * 24 * 3600)),
        (400, "invalid_grant", 700_082),
        "bad_token",
    )
    .await;
}

#[tokio::test]
async fn conditional_access_sends_its_policy_along() {
    let sandbox = sandbox().await;
    let token = device_sign_in(&sandbox, seed::ALICE, DELEGATED_SCOPE)
        .await
        .text("refresh_token")
        .to_owned();
    sandbox.tenant().change_user(seed::ALICE, |user| {
        user.blocked_by_conditional_access = true
    });
    let answer = refresh(&sandbox, &token, &[]).await;
    let claims: serde_json::Value = serde_json::from_str(answer.text("claims")).unwrap();
    assert!(claims["access_token"]["capolids"]["values"][0].is_string());
}

#[tokio::test]
async fn a_use_within_ninety_days_prolongs_it() {
    let sandbox = sandbox().await;
    let mut token = device_sign_in(&sandbox, seed::ALICE, DELEGATED_SCOPE)
        .await
        .text("refresh_token")
        .to_owned();
    for _ in 0..3 {
        sandbox.clock().advance(Duration::from_secs(60 * 24 * 3600));
        let answer = refresh(&sandbox, &token, &[]).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        token = answer.text("refresh_token").to_owned();
    }
}

#[tokio::test]
async fn another_resource_needs_consent_of_its_own() {
    let sandbox = sandbox().await;
    let token = device_sign_in(&sandbox, seed::ALICE, DELEGATED_SCOPE)
        .await
        .text("refresh_token")
        .to_owned();
    let graph = "https://graph.microsoft.com/Mail.Send";
    assert_eq!(
        refresh(&sandbox, &token, &[("scope", graph)])
            .await
            .refusal()
            .2,
        65_001
    );
    sandbox
        .tenant()
        .change_application(seed::PUBLIC_CLIENT_ID, |application| {
            application.delegated_permissions.push(graph.to_owned());
        });
    let answer = refresh(&sandbox, &token, &[("scope", graph)]).await;
    assert_eq!(
        claims(answer.access_token())["aud"],
        "https://graph.microsoft.com"
    );
    let mixed = format!("{graph} https://outlook.office.com/SMTP.Send");
    assert_eq!(
        refresh(&sandbox, &token, &[("scope", &mixed)])
            .await
            .refusal(),
        (400, "invalid_scope", 700_022)
    );
}

#[tokio::test]
async fn what_is_no_refresh_token_is_malformed_or_invalid() {
    let sandbox = sandbox().await;
    assert_eq!(
        refresh(&sandbox, "rubbish", &[]).await.refusal(),
        (400, "invalid_grant", 9_002_313)
    );
    assert_eq!(
        refresh(&sandbox, "1.AX0Aunknown", &[]).await.refusal(),
        (400, "invalid_grant", 70_000)
    );
}

/// Whether the first refresh token is alive after a second came from it, and after that second was used.
async fn check_rotation(rotation: Rotation, after_renewal: bool, after_use: bool) {
    for by_mail in [false, true] {
        let sandbox = sandbox().await;
        sandbox
            .tenant()
            .change_application(seed::PUBLIC_CLIENT_ID, |application| {
                application.rotation = rotation;
            });
        let first = device_sign_in(&sandbox, seed::ALICE, DELEGATED_SCOPE).await;
        let first = first.text("refresh_token");
        let second = refresh(&sandbox, first, &[]).await;
        let is_alive = refresh(&sandbox, first, &[]).await.status == 200;
        assert_eq!(is_alive, after_renewal, "{rotation:?}");
        if by_mail {
            Smtp::signed_in(&sandbox, seed::ALICE, second.access_token()).await;
        } else {
            let used = refresh(&sandbox, second.text("refresh_token"), &[]).await;
            assert_eq!(used.status, 200, "{rotation:?}");
        }
        let again = refresh(&sandbox, first, &[]).await;
        assert_eq!(again.status == 200, after_use, "{rotation:?} {by_mail}");
        if !after_use {
            assert_eq!(again.refusal(), (400, "invalid_grant", 70_000));
        }
    }
}

#[tokio::test]
async fn an_application_may_have_used_ones_end() {
    check_rotation(Rotation::LivesOn, true, true).await;
    check_rotation(Rotation::EndsWhenTheNextIsUsed, true, false).await;
    check_rotation(Rotation::EndsWhenUsed, false, false).await;
}
