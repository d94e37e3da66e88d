//! The device code flow, from the code to the tokens.

use std::time::Duration;

use mailbearer_sandbox::Sandbox;
use mailbearer_sandbox::directory::seed;

use crate::support::{Answer, DELEGATED_SCOPE, post, redeem_device_code, sandbox};

async fn begin(sandbox: &Sandbox) -> Answer {
    let form = [
        ("client_id", seed::PUBLIC_CLIENT_ID),
        ("scope", DELEGATED_SCOPE),
    ];
    post(sandbox, "devicecode", &form).await
}

#[tokio::test]
async fn the_answer_has_the_fields_of_the_real_one() {
    let sandbox = sandbox().await;
    let begun = begin(&sandbox).await;
    assert_eq!(
        (&begun.body["expires_in"], &begun.body["interval"]),
        (&900.into(), &5.into())
    );
    let (user_code, uri) = (begun.text("user_code"), begun.text("verification_uri"));
    assert_eq!(user_code.len(), 9);
    let message = format!(
        "To sign in, use a web browser to open the page {uri} and enter the code {user_code} to authenticate."
    );
    assert_eq!(begun.text("message"), message);
    assert!(begun.body.get("verification_uri_complete").is_none());
}

#[tokio::test]
async fn a_client_waits_until_the_person_agrees() {
    let sandbox = sandbox().await;
    let begun = begin(&sandbox).await;
    let device_code = begun.text("device_code");
    assert_eq!(
        redeem_device_code(&sandbox, device_code).await.refusal(),
        (400, "authorization_pending", 70_016)
    );
    sandbox
        .approve_device(begun.text("user_code"), seed::ALICE)
        .await
        .unwrap();
    let answer = redeem_device_code(&sandbox, device_code).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(answer.text("scope"), "https://outlook.office.com/SMTP.Send");
    assert_eq!(
        redeem_device_code(&sandbox, device_code).await.refusal(),
        (400, "invalid_grant", 54_005)
    );
    assert!(
        sandbox
            .approve_device(begun.text("user_code"), seed::BOB)
            .await
            .is_err()
    );
}

#[tokio::test]
async fn a_client_learns_that_the_person_declined() {
    let sandbox = sandbox().await;
    let begun = begin(&sandbox).await;
    sandbox
        .decline_device(begun.text("user_code"))
        .await
        .unwrap();
    let answer = redeem_device_code(&sandbox, begun.text("device_code")).await;
    assert_eq!(answer.text("error"), "authorization_declined");
}

#[tokio::test]
async fn a_code_expires_after_fifteen_minutes() {
    let sandbox = sandbox().await;
    let begun = begin(&sandbox).await;
    sandbox.clock().advance(Duration::from_secs(900));
    let answer = redeem_device_code(&sandbox, begun.text("device_code")).await;
    assert_eq!(answer.refusal(), (400, "expired_token", 70_020));
    let refused = sandbox
        .approve_device(begun.text("user_code"), seed::ALICE)
        .await
        .unwrap_err();
    assert!(refused.to_string().starts_with("AADSTS70019"), "{refused}");
}

#[tokio::test]
async fn an_unknown_code_is_a_bad_verification_code() {
    let sandbox = sandbox().await;
    let answer = redeem_device_code(&sandbox, "1.AX0Aunknown").await;
    assert_eq!(answer.refusal(), (400, "bad_verification_code", 70_018));
}

#[tokio::test]
async fn public_client_flows_must_be_allowed() {
    let sandbox = sandbox().await;
    sandbox
        .tenant()
        .change_application(seed::PUBLIC_CLIENT_ID, |application| {
            application.public_client = false
        });
    let begun = begin(&sandbox).await;
    let answer = redeem_device_code(&sandbox, begun.text("device_code")).await;
    assert_eq!(answer.refusal(), (401, "invalid_client", 7_000_218));
}

#[tokio::test]
async fn conditional_access_may_forbid_the_flow() {
    let sandbox = sandbox().await;
    sandbox
        .tenant()
        .change_user(seed::ALICE, |user| user.device_code_flow_blocked = true);
    let begun = begin(&sandbox).await;
    let refused = sandbox
        .approve_device(begun.text("user_code"), seed::ALICE)
        .await
        .unwrap_err();
    assert!(refused.to_string().starts_with("AADSTS530033"), "{refused}");
}
