//! The client credentials grant: secrets and what can be wrong with them.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use mailbearer_sandbox::directory::{ClientSecret, seed};

use crate::support::{APPLICATION_SCOPE, claims, http, post, sandbox, service_token};

/// A good request with one field replaced, or left out if the new value is empty.
fn form_with<'a>(field: &'a str, value: &'a str) -> Vec<(&'a str, &'a str)> {
    let good = [
        ("grant_type", "client_credentials"),
        ("client_id", seed::SERVICE_CLIENT_ID),
        ("client_secret", seed::SERVICE_CLIENT_SECRET),
        ("scope", APPLICATION_SCOPE),
    ];
    let replaced = good.map(|(name, good)| (name, if name == field { value } else { good }));
    replaced
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .collect()
}

#[tokio::test]
async fn a_service_with_its_secret_gets_an_access_token_and_nothing_else() {
    let sandbox = sandbox().await;
    let answer = post(&sandbox, "token", &form_with("", "")).await;
    let mut fields: Vec<&str> = answer
        .body
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    fields.sort_unstable();
    assert_eq!(
        fields,
        ["access_token", "expires_in", "ext_expires_in", "token_type"]
    );
    let expires_in = answer.body["expires_in"].as_i64().unwrap();
    assert!((3599..5400).contains(&expires_in));
    let claims = claims(answer.access_token());
    assert_eq!(claims["aud"], "https://outlook.office365.com");
    assert_eq!(
        claims["iss"],
        format!("https://sts.windows.net/{}/", seed::TENANT_ID)
    );
    assert_eq!(claims["roles"], serde_json::json!(["SMTP.SendAsApp"]));
    assert_eq!(
        claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(),
        expires_in
    );
    assert!(
        sandbox
            .secrets()
            .iter()
            .any(|secret| secret == answer.access_token())
    );
}

#[tokio::test]
async fn wrong_requests_are_refused_in_entras_words() {
    let sandbox = sandbox().await;
    sandbox.tenant().add_secret(
        seed::SERVICE_CLIENT_ID,
        ClientSecret {
            value: "expired-secret".to_owned(),
            expires_at_unix_ms: 1,
            ..ClientSecret::default()
        },
    );
    let check = async |endpoint, field, value, expected| {
        let answer = post(&sandbox, endpoint, &form_with(field, value)).await;
        assert_eq!(
            answer.refusal(),
            expected,
            "{endpoint} with {field}={value}"
        );
        let description = answer.text("error_description");
        assert!(
            description.starts_with(&format!("AADSTS{}: ", expected.2)),
            "{description}"
        );
        assert!(!description.contains(['{', '}']), "{description}");
    };
    check(
        "token",
        "client_secret",
        "wrong",
        (401, "invalid_client", 7_000_215),
    )
    .await;
    check(
        "token",
        "client_secret",
        "expired-secret",
        (401, "invalid_client", 7_000_222),
    )
    .await;
    check(
        "token",
        "client_secret",
        "",
        (401, "invalid_client", 7_000_216),
    )
    .await;
    check(
        "token",
        "client_id",
        "j.doe",
        (400, "unauthorized_client", 700_016),
    )
    .await;
    check("token", "client_id", "", (400, "invalid_request", 900_144)).await;
    check("token", "grant_type", "", (400, "invalid_request", 900_144)).await;
    check(
        "token",
        "grant_type",
        "magic",
        (400, "unsupported_grant_type", 70_003),
    )
    .await;
    check("token", "scope", "", (400, "invalid_request", 900_144)).await;
    let permission = "https://outlook.office365.com/SMTP.SendAsApp";
    check(
        "token",
        "scope",
        permission,
        (400, "invalid_scope", 1_002_012),
    )
    .await;
    check(
        "token",
        "scope",
        "https://outlook.example/.default",
        (400, "invalid_resource", 500_011),
    )
    .await;
    check("common/token", "", "", (400, "invalid_request", 9_001_023)).await;
    check(
        "consumers/token",
        "",
        "",
        (400, "unauthorized_client", 700_016),
    )
    .await;
    check(
        "not-a-tenant/token",
        "",
        "",
        (400, "invalid_request", 900_023),
    )
    .await;
}

#[tokio::test]
async fn an_error_body_has_every_field_of_the_real_one() {
    let sandbox = sandbox().await;
    let url = format!(
        "{}/{}/oauth2/v2.0/token",
        sandbox.identity_url(),
        seed::TENANT_ID
    );
    let request = http(&sandbox)
        .post(url)
        .header("client-request-id", "my-id")
        .form(&[("x", "y")]);
    let response = request.send().await.unwrap();
    let headers = response.headers().clone();
    let body: serde_json::Value = response.json().await.unwrap();
    assert_eq!(headers["content-type"], "application/json; charset=utf-8");
    assert_eq!(
        headers["x-ms-request-id"],
        body["trace_id"].as_str().unwrap()
    );
    assert_eq!(headers["cache-control"], "no-store, no-cache");
    let timestamp = body["timestamp"].as_str().unwrap();
    let trace_id = body["trace_id"].as_str().unwrap();
    let expected = format!(
        "AADSTS900144: The request body must contain the following parameter: 'grant_type'.\
         \r\nTrace ID: {trace_id}\r\nCorrelation ID: my-id\r\nTimestamp: {timestamp}"
    );
    assert_eq!(body["error_description"], expected);
    assert_eq!(
        body["error_uri"],
        format!("{}/error?code=900144", sandbox.identity_url())
    );
    assert_eq!(body["correlation_id"], "my-id");
}

#[tokio::test]
async fn only_post_is_accepted() {
    let sandbox = sandbox().await;
    let url = format!(
        "{}/{}/oauth2/v2.0/token",
        sandbox.identity_url(),
        seed::TENANT_ID
    );
    let body: serde_json::Value = http(&sandbox)
        .get(url)
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(body["error_codes"][0], 900_561);
}

#[tokio::test]
async fn the_secret_may_come_in_a_basic_header() {
    let sandbox = sandbox().await;
    let url = format!(
        "{}/{}/oauth2/v2.0/token",
        sandbox.identity_url(),
        seed::TENANT_ID
    );
    let form = [
        ("grant_type", "client_credentials"),
        ("scope", APPLICATION_SCOPE),
    ];
    let check = async |secret: &str, expected: u16| {
        let credentials = STANDARD.encode(format!("{}:{secret}", seed::SERVICE_CLIENT_ID));
        let request = http(&sandbox)
            .post(&url)
            .header("authorization", format!("Basic {credentials}"));
        assert_eq!(
            request.form(&form).send().await.unwrap().status().as_u16(),
            expected,
            "{secret}"
        );
    };
    check(
        &seed::SERVICE_CLIENT_SECRET
            .replace('+', "%2B")
            .replace('~', "%7E"),
        200,
    )
    .await;
    check("wrong", 401).await;
}

#[tokio::test]
async fn a_secret_ends_after_24_months() {
    let sandbox = sandbox().await;
    service_token(&sandbox).await;
    sandbox
        .clock()
        .advance(Duration::from_secs(730 * 24 * 3600));
    let answer = post(&sandbox, "token", &form_with("", "")).await;
    assert_eq!(answer.refusal(), (401, "invalid_client", 7_000_222));
}

#[tokio::test]
async fn a_disabled_application_is_refused() {
    let sandbox = sandbox().await;
    sandbox
        .tenant()
        .change_application(seed::SERVICE_CLIENT_ID, |application| {
            application.enabled = false
        });
    let answer = post(&sandbox, "token", &form_with("", "")).await;
    assert_eq!(answer.refusal(), (400, "unauthorized_client", 7_000_112));
}
