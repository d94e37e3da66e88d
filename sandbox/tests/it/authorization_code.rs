//! The authorization code flow with PKCE, with a person who fills in the pages.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mailbearer_sandbox::Sandbox;
use mailbearer_sandbox::directory::{Application, Platform, RedirectUri, seed};
use ring::digest::{SHA256, digest};

use crate::support::{Answer, claims, http, post, sandbox};

const VERIFIER: &str = "a-code-verifier-of-at-least-forty-three-characters";
const REDIRECT_URI: &str = "http://localhost:41999/";
const SCOPE: &str = "https://outlook.office.com/SMTP.Send offline_access openid";

/// The good parameters, with some replaced.
fn parameters(replaced: &[(&str, &str)]) -> Vec<(String, String)> {
    let challenge = URL_SAFE_NO_PAD.encode(digest(&SHA256, VERIFIER.as_bytes()));
    let good = [
        ("client_id", seed::PUBLIC_CLIENT_ID),
        ("response_type", "code"),
        ("redirect_uri", REDIRECT_URI),
        ("scope", SCOPE),
        ("state", "st&te"),
        ("nonce", "a-nonce"),
        ("code_challenge", challenge.as_str()),
        ("code_challenge_method", "S256"),
    ];
    let mut all: Vec<(String, String)> = Vec::new();
    for (name, value) in good.iter().chain(replaced) {
        all.retain(|(known, _)| known != name);
        all.push(((*name).to_owned(), (*value).to_owned()));
    }
    all
}

fn authorize_url(sandbox: &Sandbox, segment: &str, replaced: &[(&str, &str)]) -> reqwest::Url {
    let url = format!(
        "{}/{segment}/oauth2/v2.0/authorize",
        sandbox.identity_https_url()
    );
    reqwest::Url::parse_with_params(&url, parameters(replaced)).unwrap()
}

/// What the browser shows or where it is sent.
#[derive(Debug)]
struct Page {
    location: Option<reqwest::Url>,
    html: String,
}

impl Page {
    async fn of(response: reqwest::Response) -> Self {
        let location = response
            .headers()
            .get("location")
            .map(|value| value.to_str().unwrap().parse().unwrap());
        Self {
            location,
            html: response.text().await.unwrap(),
        }
    }

    /// The value of the hidden field that names the visit.
    fn interaction(&self) -> &str {
        let (_, rest) = self
            .html
            .split_once("name=\"interaction\" value=\"")
            .expect(&self.html);
        rest.split_once('"').unwrap().0
    }

    /// A field of the redirect.
    fn field(&self, name: &str) -> String {
        let location = self.location.as_ref().expect(&self.html);
        let mut pairs = location.query_pairs();
        pairs
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.into_owned())
            .unwrap_or_default()
    }
}

async fn open(sandbox: &Sandbox, replaced: &[(&str, &str)]) -> Page {
    let url = authorize_url(sandbox, seed::TENANT_ID, replaced);
    Page::of(http(sandbox).get(url).send().await.unwrap()).await
}

async fn submit(sandbox: &Sandbox, path: &str, form: &[(&str, &str)]) -> Page {
    let url = format!("{}{path}", sandbox.identity_https_url());
    Page::of(http(sandbox).post(url).form(form).send().await.unwrap()).await
}

async fn sign_in(sandbox: &Sandbox, page: &Page, user: &str, password: &str) -> Page {
    submit(
        sandbox,
        "/login",
        &[
            ("interaction", page.interaction()),
            ("loginfmt", user),
            ("passwd", password),
        ],
    )
    .await
}

async fn redeem(sandbox: &Sandbox, code: &str, replaced: &[(&str, &str)]) -> Answer {
    let mut form = vec![
        ("grant_type", "authorization_code"),
        ("client_id", seed::PUBLIC_CLIENT_ID),
        ("code", code),
        ("redirect_uri", REDIRECT_URI),
        ("code_verifier", VERIFIER),
    ];
    for (name, value) in replaced {
        form.retain(|(known, _)| known != name);
        form.push((name, value));
    }
    post(sandbox, "token", &form).await
}

/// A fresh code of alice.
async fn code(sandbox: &Sandbox, replaced: &[(&str, &str)]) -> String {
    let url = authorize_url(sandbox, seed::TENANT_ID, replaced);
    let location = sandbox
        .approve_authorization(url.as_str(), seed::ALICE)
        .await
        .unwrap();
    Page {
        location: Some(location.parse().unwrap()),
        html: String::new(),
    }
    .field("code")
}

#[tokio::test]
async fn a_person_signs_in_consents_and_is_sent_back_with_a_code() {
    let sandbox = sandbox().await;
    let page = open(&sandbox, &[("login_hint", seed::ALICE)]).await;
    assert!(page.html.contains("value=\"alice@contoso.example\""));
    let page = sign_in(&sandbox, &page, seed::ALICE, "wrong").await;
    assert!(page.html.contains("AADSTS50126"), "{}", page.html);
    let page = sign_in(&sandbox, &page, seed::ALICE, seed::ALICE_PASSWORD).await;
    assert!(page.html.contains("SMTP.Send"), "{}", page.html);
    let back = submit(
        &sandbox,
        "/consent",
        &[("interaction", page.interaction()), ("answer", "accept")],
    )
    .await;
    assert!(
        back.location
            .as_ref()
            .unwrap()
            .as_str()
            .starts_with("http://localhost:41999/?code=")
    );
    assert_eq!(back.field("state"), "st&te");

    let answer = redeem(&sandbox, &back.field("code"), &[]).await;
    let id_token = claims(answer.text("id_token"));
    assert_eq!(id_token["nonce"], "a-nonce");
    assert_eq!(id_token["preferred_username"], seed::ALICE);
    assert_eq!(
        id_token["iss"],
        format!("{}/{}/v2.0", sandbox.identity_https_url(), seed::TENANT_ID)
    );
    assert_eq!(claims(answer.access_token())["scp"], "SMTP.Send");

    // The second time nobody asks for consent, unless the application wants it.
    let page = open(&sandbox, &[]).await;
    assert!(
        sign_in(&sandbox, &page, seed::ALICE, seed::ALICE_PASSWORD)
            .await
            .location
            .is_some()
    );
    let page = open(&sandbox, &[("prompt", "consent")]).await;
    let page = sign_in(&sandbox, &page, seed::ALICE, seed::ALICE_PASSWORD).await;
    let back = submit(
        &sandbox,
        "/consent",
        &[("interaction", page.interaction()), ("answer", "decline")],
    )
    .await;
    assert_eq!(back.field("error"), "access_denied");
    assert!(back.field("error_description").starts_with("AADSTS65004: "));
}

#[tokio::test]
async fn a_code_is_good_once_for_ten_minutes_with_its_verifier_and_redirect() {
    let sandbox = sandbox().await;
    let check = async |replaced: &[(&str, &str)], expected| {
        let code = code(&sandbox, &[]).await;
        assert_eq!(
            redeem(&sandbox, &code, replaced).await.refusal(),
            expected,
            "{replaced:?}"
        );
    };
    let other = "another-code-verifier-of-at-least-forty-three-characters";
    check(&[("code_verifier", other)], (400, "invalid_grant", 501_481)).await;
    check(&[("code_verifier", "")], (400, "invalid_grant", 50_148)).await;
    check(
        &[("code_verifier", "short")],
        (400, "invalid_grant", 50_147),
    )
    .await;
    check(
        &[("redirect_uri", "http://localhost:1/")],
        (400, "invalid_grant", 70_004),
    )
    .await;
    check(
        &[("client_secret", "anything")],
        (401, "invalid_client", 700_025),
    )
    .await;
    check(&[("code", "rubbish")], (400, "invalid_grant", 9_002_313)).await;

    let code_once = code(&sandbox, &[]).await;
    assert_eq!(redeem(&sandbox, &code_once, &[]).await.status, 200);
    assert_eq!(
        redeem(&sandbox, &code_once, &[]).await.refusal(),
        (400, "invalid_grant", 54_005)
    );
    let late = code(&sandbox, &[]).await;
    sandbox.clock().advance(Duration::from_secs(600));
    assert_eq!(
        redeem(&sandbox, &late, &[]).await.refusal(),
        (400, "invalid_grant", 70_008)
    );
}

#[tokio::test]
async fn errors_go_to_the_application_only_if_its_address_is_known() {
    let sandbox = sandbox().await;
    let on_page = async |replaced: &[(&str, &str)], code: &str| {
        let page = open(&sandbox, replaced).await;
        assert!(
            page.location.is_none() && page.html.contains(code),
            "{replaced:?}: {page:?}"
        );
    };
    on_page(
        &[("redirect_uri", "http://localhost:1/other")],
        "AADSTS50011",
    )
    .await;
    on_page(
        &[("client_id", "00000000-0000-0000-0000-000000000000")],
        "AADSTS700016",
    )
    .await;
    on_page(&[("client_id", "")], "AADSTS900144").await;

    let at_redirect = async |replaced: &[(&str, &str)], error: &str, code: &str| {
        let back = open(&sandbox, replaced).await;
        assert_eq!(back.field("error"), error, "{replaced:?}");
        assert!(
            back.field("error_description").starts_with(code),
            "{replaced:?}: {back:?}"
        );
        assert_eq!(back.field("state"), "st&te");
    };
    at_redirect(
        &[("response_type", "token")],
        "unsupported_response_type",
        "AADSTS700054",
    )
    .await;
    at_redirect(&[("prompt", "none")], "login_required", "AADSTS50058").await;
    at_redirect(&[("scope", "")], "invalid_request", "AADSTS900144").await;
    at_redirect(
        &[("scope", "https://outlook.office.com/SMTP.Send Mail.Send")],
        "invalid_scope",
        "AADSTS700022",
    )
    .await;
    at_redirect(
        &[("code_challenge", "short")],
        "invalid_request",
        "AADSTS501491",
    )
    .await;
}

#[tokio::test]
async fn a_blocked_person_stays_on_the_page() {
    let sandbox = sandbox().await;
    sandbox
        .tenant()
        .change_user(seed::BOB, |user| user.blocked_by_conditional_access = true);
    let page = open(&sandbox, &[]).await;
    let page = sign_in(&sandbox, &page, seed::BOB, seed::BOB_PASSWORD).await;
    assert!(page.html.contains("AADSTS53003"), "{}", page.html);
}

#[tokio::test]
async fn a_tenant_may_leave_consent_to_administrators() {
    let sandbox = sandbox().await;
    sandbox.tenant().change_tenant(seed::TENANT_ID, |tenant| {
        tenant.user_consent_allowed = false
    });
    let url = authorize_url(&sandbox, seed::TENANT_ID, &[]);
    let refused = sandbox
        .approve_authorization(url.as_str(), seed::ALICE)
        .await
        .unwrap_err();
    assert!(refused.to_string().starts_with("AADSTS90094"), "{refused}");
    sandbox
        .tenant()
        .change_application(seed::PUBLIC_CLIENT_ID, |application| {
            application
                .delegated_permissions
                .push("https://outlook.office.com/SMTP.Send".to_owned());
        });
    sandbox
        .approve_authorization(url.as_str(), seed::ALICE)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_web_application_must_authenticate_and_a_native_one_must_not() {
    let sandbox = sandbox().await;
    let redirect_uri = "https://app.example/return";
    let web = sandbox.tenant().register(Application {
        redirect_uris: vec![RedirectUri {
            platform: Platform::Web,
            uri: redirect_uri.to_owned(),
        }],
        secrets: vec![Default::default()],
        ..Application::default()
    });
    let secret = web.secrets[0].value.as_str();
    let of_web = [
        ("client_id", web.client_id.as_str()),
        ("redirect_uri", redirect_uri),
    ];
    let code = async || code(&sandbox, &of_web).await;
    let redeem = async |code: &str, more: &[(&str, &str)]| {
        redeem(&sandbox, code, &[&of_web, more].concat())
            .await
            .refusal()
            .2
    };
    assert_eq!(redeem(&code().await, &[]).await, 7_000_218);
    assert_eq!(redeem(&code().await, &[("client_secret", secret)]).await, 0);

    sandbox
        .tenant()
        .change_application(&web.client_id, |application| {
            application.redirect_uris[0].platform = Platform::PublicClient;
        });
    assert_eq!(
        redeem(&code().await, &[("client_secret", secret)]).await,
        700_025
    );
    assert_eq!(redeem(&code().await, &[]).await, 0);
}

#[tokio::test]
async fn form_post_carries_the_code_in_a_form() {
    let sandbox = sandbox().await;
    code(&sandbox, &[]).await;
    let page = open(&sandbox, &[("response_mode", "form_post")]).await;
    let page = sign_in(&sandbox, &page, seed::ALICE, seed::ALICE_PASSWORD).await;
    assert!(
        page.html.contains("action=\"http://localhost:41999/\""),
        "{}",
        page.html
    );
    assert!(
        page.html.contains("name=\"state\" value=\"st&amp;te\""),
        "{}",
        page.html
    );
}

#[tokio::test]
async fn a_person_enters_a_device_code_on_the_page() {
    let sandbox = sandbox().await;
    let form = [("client_id", seed::PUBLIC_CLIENT_ID), ("scope", SCOPE)];
    let begun = post(&sandbox, "devicecode", &form).await;
    assert_eq!(
        begun.text("verification_uri"),
        format!("{}/devicelogin", sandbox.identity_https_url())
    );
    let page = submit(&sandbox, "/devicelogin", &[("otc", "WRONGCODE")]).await;
    assert!(page.html.contains("AADSTS70018"), "{}", page.html);
    let page = submit(
        &sandbox,
        "/devicelogin",
        &[("otc", &begun.text("user_code").to_lowercase())],
    )
    .await;
    let page = sign_in(&sandbox, &page, seed::ALICE, seed::ALICE_PASSWORD).await;
    let page = submit(
        &sandbox,
        "/consent",
        &[("interaction", page.interaction()), ("answer", "accept")],
    )
    .await;
    assert!(page.html.contains("You have signed in"), "{}", page.html);
    let answer = crate::support::redeem_device_code(&sandbox, begun.text("device_code")).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
}
