//! The device code flow, from the code to the refresh token.

use std::time::Duration;

use mailbearer_sandbox::directory::seed;

use crate::support::{DELEGATED_SCOPE, device_sign_in, post, redeem_device_code, sandbox};

#[tokio::test]
async fn a_client_waits_until_the_person_agrees() {
    let sandbox = sandbox().await;
    let begun = post(
        &sandbox,
        "devicecode",
        &[
            ("client_id", seed::PUBLIC_CLIENT_ID),
            ("scope", DELEGATED_SCOPE),
        ],
    )
    .await;
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
}

#[tokio::test]
async fn a_client_learns_that_the_person_declined() {
    let sandbox = sandbox().await;
    let begun = post(
        &sandbox,
        "devicecode",
        &[
            ("client_id", seed::PUBLIC_CLIENT_ID),
            ("scope", DELEGATED_SCOPE),
        ],
    )
    .await;
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
    let begun = post(
        &sandbox,
        "devicecode",
        &[
            ("client_id", seed::PUBLIC_CLIENT_ID),
            ("scope", DELEGATED_SCOPE),
        ],
    )
    .await;
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
async fn a_refresh_token_stays_valid_after_it_was_used() {
    let sandbox = sandbox().await;
    let answer = device_sign_in(&sandbox, seed::ALICE, DELEGATED_SCOPE).await;
    let first = answer.text("refresh_token").to_owned();
    let form = [
        ("grant_type", "refresh_token"),
        ("client_id", seed::PUBLIC_CLIENT_ID),
        ("refresh_token", &first),
    ];
    let second = post(&sandbox, "token", &form).await;
    let third = post(&sandbox, "token", &form).await;
    assert_ne!(second.access_token(), third.access_token());
    assert_ne!(second.text("refresh_token"), first);
}
