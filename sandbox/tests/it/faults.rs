//! Faults at every kind of phase, seen by a client.

use mailbearer_sandbox::directory::seed;
use mailbearer_sandbox::{Effect, Fault, HttpAnswer, Phase, Sandbox, Times, TokenFlaw};

use crate::support::{
    DELEGATED_SCOPE, Smtp, claims, device_sign_in, head, http, post, sandbox, service_token,
    xoauth2,
};

fn inject(sandbox: &Sandbox, at: Phase, effect: Effect) {
    sandbox
        .faults()
        .inject(Fault {
            at,
            effect,
            times: Times::Once,
        })
        .unwrap();
}

fn named(name: &str) -> Effect {
    Effect::Named(name.to_owned())
}

#[tokio::test]
async fn smtp_replies_as_the_fault_says_and_goes_on_as_before() {
    let sandbox = sandbox().await;
    let token = service_token(&sandbox).await;
    for (phase, name) in [
        (Phase::Ehlo, "temporary-server-error"),
        (Phase::Mail, "server-busy"),
        (Phase::Rcpt, "recipient-mailbox-full"),
        (Phase::Data, "insufficient-resources"),
    ] {
        inject(&sandbox, phase, named(name));
    }
    let mut smtp = Smtp::connect(&sandbox).await;
    smtp.reply().await;
    assert!(
        smtp.command("EHLO client.example")
            .await
            .starts_with("451 4.7.0 ")
    );
    let mut smtp = Smtp::signed_in(&sandbox, seed::BILLING, &token).await;
    let mail = "MAIL FROM:<billing@contoso.example>";
    assert_eq!(
        head(&smtp.command(mail).await),
        "451 4.7.500 Server busy. Please try again later from [127.0.0.1]. (AS843)"
    );
    assert_eq!(smtp.command(mail).await, "250 2.1.0 Sender OK");
    assert!(
        smtp.command("RCPT TO:<bob@contoso.example>")
            .await
            .starts_with("552 5.2.2 ")
    );
    assert_eq!(
        smtp.command("RCPT TO:<bob@contoso.example>").await,
        "250 2.1.5 Recipient OK"
    );
    assert!(smtp.command("DATA").await.starts_with("452 4.3.1 "));
    inject(
        &sandbox,
        Phase::DataEnd,
        Effect::Reply("250-literal\r\n250 lines".to_owned()),
    );
    smtp.command("DATA").await;
    assert_eq!(
        smtp.command("Subject: x\r\n\r\n.").await,
        "250-literal\n250 lines"
    );
    assert_eq!(sandbox.inbox().len(), 0, "a faulty answer delivers nothing");
}

#[tokio::test]
async fn a_connection_can_be_cut_at_any_phase() {
    for phase in [Phase::Connect, Phase::Banner] {
        let sandbox = sandbox().await;
        inject(&sandbox, phase, Effect::Cut);
        assert_eq!(Smtp::connect(&sandbox).await.reply().await, "", "{phase:?}");
    }
    let sandbox = sandbox().await;
    let token = service_token(&sandbox).await;
    for phase in [
        Phase::Mail,
        Phase::Rcpt,
        Phase::Data,
        Phase::DataEnd,
        Phase::Quit,
    ] {
        inject(&sandbox, phase, Effect::Cut);
        let mut smtp = Smtp::signed_in(&sandbox, seed::BILLING, &token).await;
        smtp.send(
            "MAIL FROM:<billing@contoso.example>\r\nRCPT TO:<bob@contoso.example>\r\nDATA\r\n",
        )
        .await;
        smtp.send("Subject: x\r\n\r\n.\r\nQUIT\r\n").await;
        let mut replies = Vec::new();
        loop {
            let reply = smtp.reply().await;
            if reply.is_empty() {
                break;
            }
            replies.push(reply);
        }
        assert!(
            !replies.iter().any(|reply| reply.starts_with("221")),
            "{phase:?}: {replies:?}"
        );
    }
}

#[tokio::test]
async fn a_client_can_be_left_in_doubt_about_a_delivered_mail() {
    let sandbox = sandbox().await;
    let token = service_token(&sandbox).await;
    inject(&sandbox, Phase::Accepted, Effect::Cut);
    let mut smtp = Smtp::signed_in(&sandbox, seed::BILLING, &token).await;
    for line in [
        "MAIL FROM:<billing@contoso.example>",
        "RCPT TO:<bob@contoso.example>",
        "DATA",
    ] {
        smtp.command(line).await;
    }
    assert_eq!(smtp.command("Subject: x\r\n\r\n.").await, "");
    assert_eq!(sandbox.inbox().len(), 1);
}

#[tokio::test]
async fn a_421_ends_the_session() {
    let sandbox = sandbox().await;
    inject(&sandbox, Phase::Banner, named("service-not-available"));
    let mut smtp = Smtp::connect(&sandbox).await;
    assert_eq!(head(&smtp.reply().await), "421 4.3.2 Service not available");
    assert_eq!(smtp.reply().await, "");
}

#[tokio::test]
async fn a_json_challenge_is_followed_by_the_refusal() {
    let sandbox = sandbox().await;
    let token = service_token(&sandbox).await;
    inject(
        &sandbox,
        Phase::AuthResponse,
        named("xoauth2-json-challenge"),
    );
    let mut smtp = Smtp::encrypted(&sandbox).await;
    let auth = format!("AUTH XOAUTH2 {}", xoauth2(seed::BILLING, &token));
    assert!(smtp.command(&auth).await.starts_with("334 eyJ"));
    assert_eq!(
        head(&smtp.command("").await),
        "535 5.7.3 Authentication unsuccessful"
    );
    assert_eq!(
        smtp.command(&auth).await,
        "235 2.7.0 Authentication successful"
    );
}

#[tokio::test]
async fn identity_answers_as_the_fault_says() {
    let sandbox = sandbox().await;
    let form = [
        ("client_id", seed::PUBLIC_CLIENT_ID),
        ("scope", DELEGATED_SCOPE),
    ];
    inject(&sandbox, Phase::Devicecode, named("AADSTS90033"));
    assert_eq!(
        post(&sandbox, "devicecode", &form).await.refusal(),
        (400, "temporarily_unavailable", 90_033)
    );

    let begun = post(&sandbox, "devicecode", &form).await;
    inject(&sandbox, Phase::TokenDeviceCode, named("slow_down"));
    let polled = crate::support::redeem_device_code(&sandbox, begun.text("device_code")).await;
    assert_eq!(polled.refusal(), (400, "slow_down", 0));

    let url = format!("{}/common/oauth2/v2.0/token", sandbox.identity_url());
    let answer = HttpAnswer {
        status: 429,
        headers: vec![("retry-after".to_owned(), "30".to_owned())],
        body: "<html>slow</html>".to_owned(),
    };
    inject(&sandbox, Phase::Token, Effect::Http(answer));
    let response = http(&sandbox).post(&url).body("").send().await.unwrap();
    assert_eq!(response.status().as_u16(), 429);
    assert_eq!(response.headers()["retry-after"], "30");
    assert_eq!(
        response.headers()["content-type"],
        "text/html; charset=utf-8"
    );
    assert_eq!(response.text().await.unwrap(), "<html>slow</html>");

    inject(&sandbox, Phase::Token, Effect::Cut);
    assert!(http(&sandbox).post(&url).body("").send().await.is_err());
    assert_eq!(
        http(&sandbox)
            .post(&url)
            .body("")
            .send()
            .await
            .unwrap()
            .status()
            .as_u16(),
        400
    );
}

#[tokio::test]
async fn a_flawed_token_looks_right_and_is_refused_by_exchange() {
    let sandbox = sandbox().await;
    for flaw in [
        TokenFlaw::Expired,
        TokenFlaw::WrongAudience,
        TokenFlaw::WrongSignature,
        TokenFlaw::Revoked,
    ] {
        inject(&sandbox, Phase::TokenClientCredentials, Effect::Token(flaw));
        let token = service_token(&sandbox).await;
        let mut smtp = Smtp::encrypted(&sandbox).await;
        let reply = smtp
            .command(&format!("AUTH XOAUTH2 {}", xoauth2(seed::BILLING, &token)))
            .await;
        assert_eq!(
            head(&reply),
            "535 5.7.3 Authentication unsuccessful",
            "{flaw:?}"
        );
    }
    inject(
        &sandbox,
        Phase::Token,
        Effect::Token(TokenFlaw::FiveMinutes),
    );
    let claims = claims(&service_token(&sandbox).await);
    assert_eq!(
        claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(),
        300
    );
    inject(
        &sandbox,
        Phase::TokenDeviceCode,
        Effect::Token(TokenFlaw::NoRefreshToken),
    );
    let answer = device_sign_in(&sandbox, seed::ALICE, DELEGATED_SCOPE).await;
    assert!(answer.body.get("refresh_token").is_none());
}
