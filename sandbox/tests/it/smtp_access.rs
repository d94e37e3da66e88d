//! Who may sign in to which mailbox, and send as whom.

use std::time::Duration;

use mailbearer_sandbox::Sandbox;
use mailbearer_sandbox::directory::{
    Application, BasicSmtpAuth, ClientSecret, ExchangeServicePrincipal, MailboxPermission,
    MailboxRight, RoleAssignment, User, seed,
};

use crate::support::{
    APPLICATION_SCOPE, DELEGATED_SCOPE, Smtp, device_sign_in, head, post, sandbox, service_token,
    xoauth2,
};

const ACCEPTED: &str = "235 2.7.0 Authentication successful";
const REFUSED: &str = "535 5.7.3 Authentication unsuccessful";

async fn sign_in(sandbox: &Sandbox, user: &str, token: &str) -> String {
    let mut smtp = Smtp::encrypted(sandbox).await;
    let reply = smtp
        .command(&format!("AUTH XOAUTH2 {}", xoauth2(user, token)))
        .await;
    head(&reply).to_owned()
}

async fn token_of(sandbox: &Sandbox, user: &str) -> String {
    device_sign_in(sandbox, user, DELEGATED_SCOPE)
        .await
        .access_token()
        .to_owned()
}

#[tokio::test]
async fn a_persons_token_opens_their_own_mailbox_and_those_shared_with_them() {
    let sandbox = sandbox().await;
    let (alice, bob) = (
        token_of(&sandbox, seed::ALICE).await,
        token_of(&sandbox, seed::BOB).await,
    );
    let check = async |user, token, expected| {
        assert_eq!(sign_in(&sandbox, user, token).await, expected, "{user}")
    };
    check(seed::ALICE, &alice, ACCEPTED).await;
    check("ALICE@contoso.example", &alice, ACCEPTED).await;
    check("alice.archer@contoso.example", &alice, ACCEPTED).await;
    check(seed::BILLING, &alice, ACCEPTED).await;
    check(seed::BOB, &alice, REFUSED).await;
    check(seed::BILLING, &bob, REFUSED).await;
    check("nobody@contoso.example", &alice, REFUSED).await;
    check(seed::ALICE, "rubbish", REFUSED).await;
}

#[tokio::test]
async fn a_token_for_graph_or_without_smtp_send_is_refused() {
    let sandbox = sandbox().await;
    for scope in [
        "SMTP.Send",
        "https://graph.microsoft.com/SMTP.Send",
        "https://outlook.office.com/IMAP.AccessAsUser.All",
    ] {
        let token = device_sign_in(&sandbox, seed::ALICE, scope)
            .await
            .access_token()
            .to_owned();
        assert_eq!(
            sign_in(&sandbox, seed::ALICE, &token).await,
            REFUSED,
            "{scope}"
        );
    }
}

#[tokio::test]
async fn the_sandbox_knows_the_reason_that_exchange_keeps_to_itself() {
    let sandbox = sandbox().await;
    let token = device_sign_in(&sandbox, seed::ALICE, "SMTP.Send")
        .await
        .access_token()
        .to_owned();
    sign_in(&sandbox, seed::ALICE, &token).await;
    assert_eq!(
        sandbox.refusals(),
        ["the token's audience is https://graph.microsoft.com"]
    );
}

#[tokio::test]
async fn a_token_expires_by_the_sandboxes_clock() {
    let sandbox = sandbox().await;
    let token = token_of(&sandbox, seed::ALICE).await;
    sandbox.clock().advance(Duration::from_secs(3500));
    assert_eq!(sign_in(&sandbox, seed::ALICE, &token).await, ACCEPTED);
    sandbox.clock().advance(Duration::from_secs(2000));
    assert_eq!(sign_in(&sandbox, seed::ALICE, &token).await, REFUSED);
}

#[tokio::test]
async fn a_token_without_a_valid_signature_is_refused() {
    let sandbox = sandbox().await;
    let token = token_of(&sandbox, seed::ALICE).await;
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let (header, _) = signed.split_once('.').unwrap();
    let (_, other_claims) = token_of(&sandbox, seed::BOB)
        .await
        .split_once('.')
        .map(|(h, r)| (h.to_owned(), r.to_owned()))
        .unwrap();
    let other_claims = other_claims.split_once('.').unwrap().0.to_owned();
    let forged = format!("{header}.{other_claims}.{signature}");
    assert_eq!(sign_in(&sandbox, seed::BOB, &forged).await, REFUSED);
}

#[tokio::test]
async fn a_service_needs_a_service_principal_and_full_access() {
    let sandbox = sandbox().await;
    let token = service_token(&sandbox).await;
    let check = async |user, expected| {
        assert_eq!(sign_in(&sandbox, user, &token).await, expected, "{user}")
    };
    check(seed::ALICE, ACCEPTED).await;
    check(seed::BILLING, ACCEPTED).await;
    check(seed::BOB, REFUSED).await;
    let service = sandbox
        .tenant()
        .application(seed::SERVICE_CLIENT_ID)
        .unwrap();
    sandbox
        .tenant()
        .remove_service_principal(seed::SERVICE_CLIENT_ID);
    check(seed::ALICE, REFUSED).await;
    // The object id of the registration looks right and is not.
    let add = |object_id: &str| {
        let app_id = seed::SERVICE_CLIENT_ID.to_owned();
        sandbox
            .tenant()
            .add_service_principal(ExchangeServicePrincipal {
                app_id,
                object_id: object_id.to_owned(),
            });
    };
    add(&service.object_id);
    check(seed::ALICE, REFUSED).await;
    add(&service.service_principal_object_id);
    check(seed::ALICE, ACCEPTED).await;
    sandbox
        .tenant()
        .withdraw(|permission| permission.mailbox == seed::ALICE);
    check(seed::ALICE, REFUSED).await;
}

#[tokio::test]
async fn a_service_without_the_claim_needs_a_role_assignment() {
    let sandbox = sandbox().await;
    let directory = sandbox.tenant();
    let service = directory.register(Application {
        secrets: vec![ClientSecret::default()],
        ..Application::default()
    });
    directory.add_service_principal(ExchangeServicePrincipal {
        app_id: service.client_id.clone(),
        object_id: service.service_principal_object_id,
    });
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", &service.client_id),
        ("client_secret", &service.secrets[0].value),
        ("scope", APPLICATION_SCOPE),
    ];
    let token = post(&sandbox, "token", &form)
        .await
        .access_token()
        .to_owned();
    let check = async |user, expected| {
        assert_eq!(sign_in(&sandbox, user, &token).await, expected, "{user}")
    };
    check(seed::ALICE, REFUSED).await;
    let mailboxes = Some(vec![seed::ALICE.to_owned()]);
    directory.assign_role(RoleAssignment {
        app_id: service.client_id.clone(),
        mailboxes,
    });
    check(seed::ALICE, ACCEPTED).await;
    check(seed::BOB, REFUSED).await;
    directory.assign_role(RoleAssignment {
        app_id: service.client_id,
        mailboxes: None,
    });
    check(seed::BOB, ACCEPTED).await;
}

#[tokio::test]
async fn smtp_auth_can_be_off_for_the_tenant_or_the_mailbox() {
    let sandbox = sandbox().await;
    let token = token_of(&sandbox, seed::ALICE).await;
    let disabled = |scope: &str| {
        format!(
            "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the {scope}. \
             Visit https://aka.ms/smtp_auth_disabled for more information."
        )
    };
    let check = async |tenant_disabled, mailbox, expected: &str| {
        sandbox.tenant().change_tenant(seed::TENANT_ID, |tenant| {
            tenant.smtp_auth_disabled = tenant_disabled
        });
        sandbox
            .tenant()
            .change_user(seed::ALICE, |user| user.smtp_auth = mailbox);
        assert_eq!(
            sign_in(&sandbox, seed::ALICE, &token).await,
            expected,
            "{tenant_disabled} {mailbox:?}"
        );
    };
    check(false, None, ACCEPTED).await;
    check(true, None, &disabled("Tenant")).await;
    check(true, Some(true), ACCEPTED).await;
    check(false, Some(false), &disabled("Mailbox")).await;
}

#[tokio::test]
async fn a_person_without_licence_has_no_mailbox() {
    let sandbox = sandbox().await;
    let token = token_of(&sandbox, seed::BOB).await;
    sandbox
        .tenant()
        .change_user(seed::BOB, |user| user.licensed = false);
    assert_eq!(sign_in(&sandbox, seed::BOB, &token).await, REFUSED);
}

#[tokio::test]
async fn malformed_credentials_are_told_apart_from_wrong_ones() {
    let sandbox = sandbox().await;
    let mut smtp = Smtp::encrypted(&sandbox).await;
    let mut check = async |line: &str, expected: &str| {
        assert_eq!(head(&smtp.command(line).await), expected, "{line}");
    };
    check("AUTH XOAUTH2 !!!", "501 5.5.4 Invalid arguments").await;
    check("AUTH XOAUTH2 =", "501 5.5.4 Invalid arguments").await;
    check("AUTH XOAUTH2 dXNlcj1h", "501 5.5.4 Invalid arguments").await;
    check(
        "AUTH PLAIN AGEAYg==",
        "504 5.7.4 Unrecognized authentication type",
    )
    .await;
    check(
        "AUTH OAUTHBEARER bixhPWE=",
        "504 5.7.4 Unrecognized authentication type",
    )
    .await;
    check("AUTH XOAUTH2", "334 ").await;
    check("*", "501 5.7.0 Authentication cancelled").await;
}

#[tokio::test]
async fn passwords_are_refused_as_the_tenant_says() {
    let sandbox = sandbox().await;
    let sign_in = async |password: &str| {
        use base64::Engine;
        let encode = |text: &str| base64::engine::general_purpose::STANDARD.encode(text);
        let mut smtp = Smtp::encrypted(&sandbox).await;
        assert_eq!(smtp.command("AUTH LOGIN").await, "334 VXNlcm5hbWU6");
        assert_eq!(smtp.command(&encode(seed::BOB)).await, "334 UGFzc3dvcmQ6");
        head(&smtp.command(&encode(password)).await).to_owned()
    };
    let check = async |switch, password, expected| {
        sandbox
            .tenant()
            .change_tenant(seed::TENANT_ID, |tenant| tenant.basic_smtp_auth = switch);
        assert_eq!(sign_in(password).await, expected, "{switch:?}");
    };
    let disabled = "535 5.7.139 Authentication unsuccessful, basic authentication is disabled.";
    check(BasicSmtpAuth::Disabled, seed::BOB_PASSWORD, disabled).await;
    let removed = "550 5.7.30 Basic authentication is not supported for Client Submission.";
    check(BasicSmtpAuth::Removed, seed::BOB_PASSWORD, removed).await;
    check(BasicSmtpAuth::Allowed, seed::BOB_PASSWORD, ACCEPTED).await;
    let incorrect = "535 5.7.139 Authentication unsuccessful, the user credentials were incorrect.";
    check(BasicSmtpAuth::Allowed, "wrong", incorrect).await;
    assert!(sandbox.secrets().iter().any(|secret| secret == "wrong"));
}

/// What becomes of a message of the mailbox with these senders.
async fn send(
    sandbox: &Sandbox,
    mailbox: &str,
    token: &str,
    envelope_sender: &str,
    headers: &str,
) -> String {
    let mut smtp = Smtp::signed_in(sandbox, mailbox, token).await;
    assert_eq!(
        smtp.command(&format!("MAIL FROM:<{envelope_sender}>"))
            .await,
        "250 2.1.0 Sender OK"
    );
    smtp.command("RCPT TO:<someone@elsewhere.example>").await;
    smtp.command("DATA").await;
    let reply = smtp.command(&format!("{headers}\r\n\r\ntext\r\n.")).await;
    reply
        .split(';')
        .next()
        .unwrap()
        .split(" <")
        .next()
        .unwrap()
        .to_owned()
}

#[tokio::test]
async fn a_sender_must_be_the_mailbox_or_one_with_send_as() {
    let sandbox = sandbox().await;
    let (alice, bob) = (
        token_of(&sandbox, seed::ALICE).await,
        token_of(&sandbox, seed::BOB).await,
    );
    let service = service_token(&sandbox).await;
    let check =
        async |mailbox: &str, token: &str, envelope: &str, headers: &str, expected: &str| {
            assert_eq!(
                send(&sandbox, mailbox, token, envelope, headers).await,
                expected,
                "{mailbox} {envelope} {headers}"
            );
        };
    let (ok, denied) = ("250 2.0.0 OK", "554 5.2.252 SendAsDenied");
    check(
        seed::ALICE,
        &alice,
        seed::ALICE,
        "From: Alice <alice@contoso.example>",
        ok,
    )
    .await;
    check(seed::ALICE, &alice, "", "From: alice@contoso.example", ok).await;
    check(seed::ALICE, &alice, seed::ALICE, "Subject: no From", ok).await;
    check(
        seed::ALICE,
        &alice,
        "alice.archer@contoso.example",
        "From: alice.archer@contoso.example",
        ok,
    )
    .await;
    check(
        seed::ALICE,
        &alice,
        seed::BILLING,
        "From: billing@contoso.example",
        ok,
    )
    .await;
    check(
        seed::BILLING,
        &alice,
        seed::BILLING,
        "From: billing@contoso.example",
        ok,
    )
    .await;
    check(
        seed::ALICE,
        &alice,
        seed::BOB,
        "From: alice@contoso.example",
        denied,
    )
    .await;
    check(
        seed::ALICE,
        &alice,
        seed::ALICE,
        "From: bob@contoso.example",
        denied,
    )
    .await;
    check(
        seed::ALICE,
        &alice,
        seed::ALICE,
        "From: a@elsewhere.example",
        denied,
    )
    .await;
    check(
        seed::BILLING,
        &service,
        seed::BILLING,
        "From: billing@contoso.example",
        ok,
    )
    .await;
    check(
        seed::BILLING,
        &service,
        seed::ALICE,
        "From: alice@contoso.example",
        denied,
    )
    .await;
    let several = "From: alice@contoso.example, bob@contoso.example";
    check(seed::ALICE, &alice, seed::ALICE, several, "550 5.1.20 Multiple From addresses are not allowed without Sender address [Hostname=SB1P000MB0001.SBXP000.PROD.OUTLOOK.COM]").await;
    check(
        seed::ALICE,
        &alice,
        seed::ALICE,
        &format!("{several}\r\nSender: alice@contoso.example"),
        ok,
    )
    .await;

    // Full access alone lets bob sign in to the shared mailbox, not send as it.
    let grant = |right| {
        let (mailbox, trustee) = (seed::BILLING.to_owned(), seed::BOB.to_owned());
        sandbox.tenant().grant(MailboxPermission {
            mailbox,
            trustee,
            right,
        });
    };
    grant(MailboxRight::FullAccess);
    check(
        seed::BILLING,
        &bob,
        seed::BILLING,
        "From: billing@contoso.example",
        denied,
    )
    .await;
    grant(MailboxRight::SendAs);
    check(
        seed::BILLING,
        &bob,
        seed::BILLING,
        "From: billing@contoso.example",
        ok,
    )
    .await;
}

#[tokio::test]
async fn a_person_of_another_tenant_is_a_stranger() {
    let sandbox = sandbox().await;
    let other = sandbox
        .tenant()
        .add_tenant(mailbearer_sandbox::directory::Tenant {
            display_name: "Fabrikam".to_owned(),
            domains: vec!["fabrikam.example".to_owned()],
            ..Default::default()
        });
    sandbox.tenant().add_user(User {
        address: "eve@fabrikam.example".to_owned(),
        ..User::default()
    });
    let form = [
        ("client_id", seed::PUBLIC_CLIENT_ID),
        ("scope", DELEGATED_SCOPE),
    ];
    let begun = post(&sandbox, "organizations/devicecode", &form).await;
    sandbox
        .approve_device(begun.text("user_code"), "eve@fabrikam.example")
        .await
        .unwrap();
    let token = crate::support::redeem_device_code(&sandbox, begun.text("device_code")).await;
    let form = [
        ("grant_type", "refresh_token"),
        ("client_id", seed::PUBLIC_CLIENT_ID),
        ("refresh_token", token.text("refresh_token")),
    ];
    let token = post(&sandbox, "organizations/token", &form)
        .await
        .access_token()
        .to_owned();
    assert_eq!(crate::support::claims(&token)["tid"], other.id);
    assert_eq!(
        sign_in(&sandbox, "eve@fabrikam.example", &token).await,
        ACCEPTED
    );
    assert_eq!(sign_in(&sandbox, seed::ALICE, &token).await, REFUSED);
}
