//! Every way of signing in but those that the scenarios show, through the handle, until the mail lies in the inbox.

#![expect(clippy::unwrap_used, reason = "tests may stop where they stand")]

mod support;

use mailbearer::host::{HttpClient as _, SystemHttp};
use mailbearer::model::{Grant, NewAccount, ProblemKind, SignInPrompt, TokenOrigin, TokenState};
use mailbearer::{Config, Mailbearer, Parts, SignInFlow};
use mailbearer_sandbox::directory::{
    Application, ExchangeServicePrincipal, FederatedCredential, MailboxPermission, MailboxRight,
    seed,
};
use oauth2::url::form_urlencoded;
use rsa::Generate as _;
use rsa::pkcs8::{EncodePrivateKey as _, LineEnding};
use std::collections::HashMap;
use std::sync::Arc;
use support::{World, mail, person, service};

const NAME: &str = "workload";
const ADA: &str = "ada@fabrikam.example";

/// The seeded service, which signs in by another grant.
fn by(grant: Grant, world: &World) -> NewAccount {
    NewAccount {
        name: NAME.to_owned(),
        grant,
        ..service(&world.sandbox)
    }
}

/// The mail arrives, and everything says by which grant; nothing says a secret.
async fn check_sends(
    world: &World,
    mailbearer: &Mailbearer,
    account: NewAccount,
    origin: TokenOrigin,
) {
    let account = mailbearer.add_account(account).await.unwrap();
    let before = mailbearer.token_status(NAME).await.unwrap();
    assert_eq!(before.state, TokenState::Renewable);
    let delivery = mailbearer.send(mail(NAME, &[ADA])).await.unwrap();
    assert_eq!(delivery.trail.token.as_ref().unwrap().origin, origin);
    let status = mailbearer.token_status(NAME).await.unwrap();
    assert_eq!(
        (status.state, status.origin),
        (TokenState::Valid, Some(origin))
    );
    assert_eq!(world.sandbox.inbox().len(), 1);
    world.assert_no_secret_in(&format!("{account:?} {delivery:?} {status:?}"));
    mailbearer.remove_account(NAME).await.unwrap();
}

async fn check_fails(mailbearer: &Mailbearer, account: NewAccount, code: &str) {
    let failed = match mailbearer.add_account(account).await {
        Ok(_) => {
            let error = mailbearer.access_token(NAME).await.unwrap_err();
            mailbearer.remove_account(NAME).await.unwrap();
            error
        }
        Err(error) => error,
    };
    assert_eq!(failed.code(), code, "{failed:?}");
    assert!(!failed.problem().fix.is_empty());
}

async fn handle_with(variables: &[(&str, String)]) -> Mailbearer {
    let variables = variables
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.clone()));
    let parts = Parts {
        environment: Arc::new(variables.collect::<HashMap<_, _>>()),
        ..Parts::default()
    };
    Mailbearer::open_with(Config::default(), parts)
        .await
        .unwrap()
}

/// A certificate and its key, as PEM texts.
fn certificate(last_year: i32) -> (String, String) {
    let key = rsa::PrivateKey::generate()
        .to_pkcs8_pem(LineEnding::LF)
        .unwrap();
    let pair = rcgen::KeyPair::from_pem_and_sign_algo(&key, &rcgen::PKCS_RSA_SHA256).unwrap();
    let mut parameters = rcgen::CertificateParams::new(Vec::new()).unwrap();
    parameters.not_before = rcgen::date_time_ymd(2000, 1, 1);
    parameters.not_after = rcgen::date_time_ymd(last_year, 1, 1);
    let certificate = parameters.self_signed(&pair).unwrap();
    (certificate.pem(), key.to_string())
}

#[tokio::test]
async fn a_certificate() {
    let world = World::start().await;
    let (certificate_pem, key) = certificate(2100);
    let grant = |certificate_pem: &str, key: &str| Grant::ClientCertificate {
        certificate_pem: certificate_pem.to_owned(),
        private_key_pem: key.to_owned().into(),
        private_key_passphrase: None,
    };
    let handle = &world.mailbearer;
    let good = || by(grant(&certificate_pem, &key), &world);
    check_fails(handle, good(), "certificate-not-registered").await;
    let directory = world.sandbox.tenant();
    directory.change_application(seed::SERVICE_CLIENT_ID, |application| {
        application.certificates.push(certificate_pem.clone());
    });
    check_sends(&world, handle, good(), TokenOrigin::ClientCertificate).await;

    let (ended, its_key) = certificate(2001);
    check_fails(
        handle,
        by(grant(&ended, &its_key), &world),
        "certificate-expired",
    )
    .await;
    check_fails(
        handle,
        by(grant(&ended, &key), &world),
        "certificate-key-invalid",
    )
    .await;
    check_fails(handle, by(grant(&key, &key), &world), "certificate-invalid").await;
    world.assert_no_secret_in("");
}

fn workload(subject: &str) -> FederatedCredential {
    FederatedCredential {
        issuer: "https://issuer.example".to_owned(),
        subject: subject.to_owned(),
        audience: "api://AzureADTokenExchange".to_owned(),
    }
}

#[tokio::test]
async fn the_token_of_another_issuer() {
    let world = World::start().await;
    let trusted = workload("system:serviceaccount:mail:sender");
    let directory = world.sandbox.tenant();
    directory.change_application(seed::SERVICE_CLIENT_ID, |application| {
        application.federated_credentials.push(trusted.clone());
    });
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    let file = path.to_str().unwrap().to_owned();
    let named = Grant::FederatedToken {
        token_file: Some(file.clone()),
    };
    let unnamed = Grant::FederatedToken { token_file: None };
    let in_kubernetes = handle_with(&[("AZURE_FEDERATED_TOKEN_FILE", file)]).await;
    let nowhere = handle_with(&[]).await;

    check_fails(&nowhere, by(named.clone(), &world), "token-file-unreadable").await;
    check_fails(
        &nowhere,
        by(unnamed.clone(), &world),
        "federated-token-missing",
    )
    .await;
    std::fs::write(
        &path,
        world.sandbox.federated_token(&workload("somebody else")),
    )
    .unwrap();
    check_fails(
        &nowhere,
        by(named.clone(), &world),
        "federated-credential-mismatch",
    )
    .await;
    // The file changes on disk, and the next request reads it anew.
    std::fs::write(&path, world.sandbox.federated_token(&trusted)).unwrap();
    check_sends(
        &world,
        &nowhere,
        by(named, &world),
        TokenOrigin::FederatedToken,
    )
    .await;
    world.sandbox.inbox().clear();
    check_sends(
        &world,
        &in_kubernetes,
        by(unnamed, &world),
        TokenOrigin::FederatedToken,
    )
    .await;
}

#[tokio::test]
async fn the_machines_own_identity() {
    let world = World::start().await;
    let account = |client_id: &str| NewAccount {
        tenant: String::new(),
        client_id: client_id.to_owned(),
        ..by(Grant::ManagedIdentity, &world)
    };
    let variables = [(
        "AZURE_POD_IDENTITY_AUTHORITY_HOST",
        world.sandbox.identity_url(),
    )];
    let machine = handle_with(&variables).await;
    let unassigned = "11111111-2222-3333-4444-555555555555";
    check_fails(
        &machine,
        account(unassigned),
        "managed-identity-not-assigned",
    )
    .await;
    let directory = world.sandbox.tenant();
    let identity = directory.register(Application {
        managed_identity: true,
        application_permissions: vec!["https://outlook.office365.com/SMTP.SendAsApp".to_owned()],
        ..Application::default()
    });
    directory.add_service_principal(ExchangeServicePrincipal {
        app_id: identity.client_id.clone(),
        object_id: identity.service_principal_object_id,
    });
    directory.grant(MailboxPermission {
        mailbox: seed::BILLING.to_owned(),
        trustee: identity.client_id.clone(),
        right: MailboxRight::FullAccess,
    });
    check_sends(&world, &machine, account(""), TokenOrigin::ManagedIdentity).await;
    world.sandbox.inbox().clear();
    let user_assigned = account(&identity.client_id);
    check_sends(
        &world,
        &machine,
        user_assigned,
        TokenOrigin::ManagedIdentity,
    )
    .await;

    let elsewhere = [
        ("IDENTITY_ENDPOINT", "http://127.0.0.1:1/".to_owned()),
        ("IDENTITY_HEADER", "x".to_owned()),
    ];
    let elsewhere = handle_with(&elsewhere).await;
    check_fails(&elsewhere, account(""), "managed-identity-unavailable").await;
}

#[cfg(unix)]
#[tokio::test]
async fn a_command() {
    let world = World::start().await;
    let token = world
        .mailbearer
        .revealed_access_token(support::SERVICE)
        .await
        .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    let account = |script: &str| NewAccount {
        client_id: String::new(),
        tenant: String::new(),
        ..by(
            Grant::TokenCommand {
                command: vec!["/bin/sh".to_owned(), "-c".to_owned(), script.to_owned()],
            },
            &world,
        )
    };
    let handle = &world.mailbearer;
    let print = format!("cat {}", path.display());
    std::fs::write(&path, &token.token).unwrap();
    check_sends(&world, handle, account(&print), TokenOrigin::TokenCommand).await;
    std::fs::write(&path, format!(r#"{{"accessToken":"{}"}}"#, token.token)).unwrap();
    world.sandbox.inbox().clear();
    check_sends(&world, handle, account(&print), TokenOrigin::TokenCommand).await;

    std::fs::write(&path, format!("\"{}\"", token.token)).unwrap();
    check_fails(handle, account(&print), "token-corrupted").await;
    check_fails(handle, account("true"), "token-command-output").await;
    check_fails(handle, account("exit 7"), "token-command-failed").await;
    let mut without = account("");
    without.grant = Grant::TokenCommand {
        command: Vec::new(),
    };
    check_fails(handle, without, "token-command-invalid").await;
}

/// Opens an address as the person's browser does, and gives the page.
async fn open_in_browser(address: &str) -> (u16, String) {
    let request = http::Request::get(address).body(Vec::new()).unwrap();
    let response = SystemHttp::default().call(request).await.unwrap();
    let page = String::from_utf8(response.body().clone()).unwrap();
    (response.status().as_u16(), page)
}

/// Alice's account, and what she is shown for her sign-in in a browser.
async fn world_with_a_browser() -> (World, SignInPrompt) {
    let world = World::start().await;
    let account = NewAccount {
        name: NAME.to_owned(),
        grant: Grant::AuthorizationCode,
        ..person(&world.sandbox)
    };
    world.mailbearer.add_account(account).await.unwrap();
    let flow = SignInFlow::AuthorizationCode;
    let prompt = world.mailbearer.begin_sign_in(NAME, flow).await.unwrap();
    (world, prompt)
}

#[tokio::test]
async fn a_browser_on_this_machine() {
    let (world, prompt) = world_with_a_browser().await;
    let handle = &world.mailbearer;
    assert_eq!(prompt.user_code, "");
    let url = &prompt.verification_url;
    assert!(url.contains("code_challenge_method=S256"), "{url}");
    let finish = handle.finish_sign_in(&prompt);
    let person = async {
        let returned = world
            .sandbox
            .approve_authorization(url, seed::ALICE)
            .await
            .unwrap();
        // A stranger's request to the same port neither ends the sign-in nor learns anything.
        let stranger = returned.replace("state=", "state=x");
        let (_, page) = open_in_browser(&stranger).await;
        assert!(page.contains("not the sign-in"), "{page}");
        open_in_browser(&returned).await
    };
    let (status, (code, page)) = tokio::join!(finish, person);
    let status = status.unwrap();
    assert_eq!(status.origin, Some(TokenOrigin::AuthorizationCode));
    assert!(status.has_refresh_token);
    assert_eq!(code, 200);
    assert!(
        page.contains("Signed in") && page.contains(seed::ALICE),
        "{page}"
    );
    handle.send(mail(NAME, &[ADA])).await.unwrap();
    assert_eq!(world.sandbox.inbox().len(), 1);
    world.assert_no_secret_in(&format!("{status:?} {page}"));
    let error = handle.finish_sign_in(&prompt).await.unwrap_err();
    assert_eq!(error.code(), "sign-in-unknown");
}

#[tokio::test]
async fn a_browser_on_another_machine() {
    let (world, prompt) = world_with_a_browser().await;
    let handle = &world.mailbearer;
    let pasted = |address: &str| SignInPrompt {
        redirected_to: Some(address.to_owned()),
        ..prompt.clone()
    };
    for wrong in [
        "",
        "http://localhost/",
        "http://localhost/?code=a&state=b",
        &prompt.verification_url,
    ] {
        let error = handle.finish_sign_in(&pasted(wrong)).await.unwrap_err();
        assert_eq!(error.code(), "redirect-mismatch", "{wrong}");
    }
    let sandbox = &world.sandbox;
    let returned = sandbox
        .approve_authorization(&prompt.verification_url, seed::ALICE)
        .await
        .unwrap();
    let status = handle.finish_sign_in(&pasted(&returned)).await.unwrap();
    assert_eq!(status.state, TokenState::Valid);
    // The code is good once.
    let error = handle.finish_sign_in(&pasted(&returned)).await.unwrap_err();
    assert_eq!(error.code(), "sign-in-unknown");
}

#[tokio::test]
async fn a_person_who_declines_in_the_browser() {
    let (world, prompt) = world_with_a_browser().await;
    let handle = &world.mailbearer;
    let query = prompt.verification_url.split_once('?').unwrap().1;
    let field = |name: &str| {
        let fields = form_urlencoded::parse(query.as_bytes());
        fields.into_owned().find(|(key, _)| key == name).unwrap().1
    };
    let back = format!(
        "{}?error=access_denied&error_description=AADSTS65004%3A+User+declined+to+consent.&state={}",
        field("redirect_uri"),
        field("state")
    );
    let (finished, (_, page)) =
        tokio::join!(handle.finish_sign_in(&prompt), open_in_browser(&back));
    let error = finished.unwrap_err();
    assert_eq!(error.code(), "user-declined-consent");
    assert!(page.contains("Not signed in"), "{page}");
}

/// What may stand in the address that the browser ends at, beside the right state.
#[tokio::test]
async fn every_answer_of_the_sign_in_page_has_an_outcome() {
    let (world, _) = world_with_a_browser().await;
    let handle = &world.mailbearer;
    for (fields, code, kind) in [
        ("", "redirect-mismatch", ProblemKind::Misuse),
        ("code=", "redirect-mismatch", ProblemKind::Misuse),
        ("code=a&code=b", "redirect-mismatch", ProblemKind::Misuse),
        ("code=a&state=b", "redirect-mismatch", ProblemKind::Misuse),
        ("code=%FF%FE", "auth-code-reused", ProblemKind::SignIn),
        ("code=unknown", "auth-code-reused", ProblemKind::SignIn),
        (
            "code=a&error=access_denied",
            "user-declined-consent",
            ProblemKind::SignIn,
        ),
        (
            "error=access_denied",
            "user-declined-consent",
            ProblemKind::SignIn,
        ),
        ("error=", "sign-in-refused", ProblemKind::Config),
        (
            "error=made_up",
            "token-request-refused",
            ProblemKind::SignIn,
        ),
        (
            "error=login_required",
            "interaction-required",
            ProblemKind::SignIn,
        ),
        (
            "error=consent_required",
            "consent-missing",
            ProblemKind::Consent,
        ),
        (
            "error=temporarily_unavailable",
            "transient-server-error",
            ProblemKind::Unavailable,
        ),
        (
            "error=server_error",
            "transient-server-error",
            ProblemKind::Unavailable,
        ),
        (
            "error=invalid_scope",
            "scope-malformed",
            ProblemKind::Config,
        ),
        (
            "error=invalid_client&error_description=AADSTS650053%3A+no+such+scope",
            "scope-not-granted-to-app",
            ProblemKind::Config,
        ),
    ] {
        let flow = SignInFlow::AuthorizationCode;
        let prompt = handle.begin_sign_in(NAME, flow).await.unwrap();
        let url = oauth2::url::Url::parse(&prompt.verification_url).unwrap();
        let field = |name: &str| {
            let found = url.query_pairs().find(|(key, _)| key == name);
            found.unwrap().1.into_owned()
        };
        let redirected_to = format!(
            "{}?state={}&{fields}",
            field("redirect_uri"),
            field("state")
        );
        let prompt = SignInPrompt {
            redirected_to: Some(redirected_to),
            ..prompt
        };
        let error = handle.finish_sign_in(&prompt).await.unwrap_err();
        assert_eq!(
            (error.code(), error.kind()),
            (code, kind),
            "{fields}: {error:?}"
        );
        assert!(!error.problem().fix.is_empty(), "{fields}");
        assert_eq!(error.problem().operation, "finish_sign_in");
    }
    assert_eq!(world.sandbox.inbox().len(), 0);
}
