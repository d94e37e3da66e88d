//! Tenant segments, metadata and keys.

use mailbearer_sandbox::directory::{Application, seed};
use mailbearer_sandbox::{Options, Sandbox};
use serde_json::Value;

use crate::support::{APPLICATION_SCOPE, claims, http, post, sandbox};

const SERVICE: [(&str, &str); 4] = [
    ("grant_type", "client_credentials"),
    ("client_id", seed::SERVICE_CLIENT_ID),
    ("client_secret", seed::SERVICE_CLIENT_SECRET),
    ("scope", APPLICATION_SCOPE),
];

#[tokio::test]
async fn a_tenant_is_reached_by_id_by_domain_and_by_a_name_nobody_added() {
    let sandbox = sandbox().await;
    let tid = async |tenant: &str| {
        let answer = post(&sandbox, &format!("{tenant}/token"), &SERVICE).await;
        claims(answer.access_token())["tid"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    assert_eq!(tid(seed::TENANT_ID).await, seed::TENANT_ID);
    assert_eq!(tid("contoso.example").await, seed::TENANT_ID);
    assert_eq!(tid("organizations").await, seed::TENANT_ID);
    let own = "01234567-89ab-cdef-0123-456789abcdef";
    assert_eq!(tid(own).await, own);
    assert_eq!(
        tid("mycompany.example").await,
        tid("mycompany.example").await
    );
}

#[tokio::test]
async fn a_strict_sandbox_knows_no_other_tenants() {
    let sandbox = Sandbox::start(Options {
        strict_tenants: true,
        ..Options::default()
    })
    .await
    .unwrap();
    let answer = post(&sandbox, "mycompany.example/token", &SERVICE).await;
    assert_eq!(answer.refusal(), (400, "invalid_request", 90_002));
}

#[tokio::test]
async fn a_single_tenant_application_is_refused_where_no_tenant_is_named() {
    let sandbox = sandbox().await;
    let client_id = sandbox
        .tenant()
        .register(Application {
            public_client: true,
            ..Application::default()
        })
        .client_id;
    let scope = "https://outlook.office.com/SMTP.Send";
    let begun = post(
        &sandbox,
        "common/devicecode",
        &[("client_id", &client_id), ("scope", scope)],
    )
    .await;
    assert_eq!(begun.refusal(), (400, "invalid_request", 50_059));
    let form = [
        ("grant_type", "refresh_token"),
        ("client_id", &client_id),
        ("refresh_token", "1.x"),
    ];
    assert_eq!(
        post(&sandbox, "common/token", &form).await.refusal(),
        (400, "invalid_request", 50_194)
    );
}

#[tokio::test]
async fn metadata_speaks_of_the_address_it_was_asked_at() {
    let sandbox = sandbox().await;
    let get = async |url: String| -> Value {
        http(&sandbox)
            .get(url)
            .send()
            .await
            .unwrap()
            .json()
            .await
            .unwrap()
    };
    for base in [sandbox.identity_url(), sandbox.identity_https_url()] {
        let path = format!("{base}/contoso.example/v2.0/.well-known/openid-configuration");
        let metadata = get(path).await;
        assert_eq!(
            metadata["issuer"],
            format!("{base}/{}/v2.0", seed::TENANT_ID)
        );
        assert_eq!(
            metadata["token_endpoint"],
            format!("{base}/contoso.example/oauth2/v2.0/token")
        );
        let keys = get(metadata["jwks_uri"].as_str().unwrap().to_owned()).await;
        assert_eq!(keys["keys"][0]["e"], "AQAB");
    }
    let common = get(format!(
        "{}/common/v2.0/.well-known/openid-configuration",
        sandbox.identity_url()
    ))
    .await;
    assert_eq!(
        common["issuer"],
        format!("{}/{{tenantid}}/v2.0", sandbox.identity_url())
    );
}
