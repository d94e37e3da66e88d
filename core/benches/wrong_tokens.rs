//! How long it takes to name what is wrong with a token: the whole way from the call to the typed error, with an identity
//! provider in this process that gives out nothing but wrong tokens. Every call asks for one, reads it, keeps what came
//! with it in the vault, and refuses it; so the figure is an upper bound of the reading alone.

#![expect(clippy::unwrap_used, reason = "benchmarks may stop where they stand")]

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use criterion::{Criterion, criterion_group, criterion_main};
use mailbearer::host::HttpClient;
use mailbearer::model::{Cloud, EndpointOverrides, Grant, NewAccount};
use mailbearer::{Config, Mailbearer, Parts};
use std::sync::Arc;
use tokio::runtime::Runtime;

const TENANT: &str = "6f1c9c1e-6d4e-4c7a-9f0b-2f8f4a7c1b11";

/// A name, the payload of a token, and the code of its cause.
const WRONG: [(&str, &str, &str); 6] = [
    (
        "graph",
        r#""aud":"https://graph.microsoft.com","roles":["Mail.Send"]"#,
        "wrong-scope-audience",
    ),
    (
        "wrong_cloud",
        r#""aud":"https://partner.outlook.cn","roles":["SMTP.SendAsApp"]"#,
        "wrong-cloud-endpoint",
    ),
    (
        "missing_role",
        r#""aud":"https://outlook.office365.com","roles":["IMAP.AccessAsApp"]"#,
        "smtp-app-permission-missing",
    ),
    (
        "other_tenant",
        r#""aud":"https://outlook.office365.com","tid":"11111111-2222-3333-4444-555555555555""#,
        "wrong-tenant",
    ),
    (
        "personal_account",
        r#""aud":"https://outlook.office365.com","tid":"9188040d-6c67-4c5b-b112-36a304b66dad""#,
        "personal-account-unsupported",
    ),
    (
        "a_persons",
        r#""aud":"https://outlook.office365.com","scp":"SMTP.Send","upn":"ada@contoso.example""#,
        "wrong-token-kind",
    ),
];

/// Gives everybody the same token.
#[derive(Debug)]
struct Provider(String);

#[async_trait]
impl HttpClient for Provider {
    async fn call(&self, _: http::Request<Vec<u8>>) -> mailbearer::Result<http::Response<Vec<u8>>> {
        let response = http::Response::builder().header("content-type", "application/json");
        Ok(response.body(self.0.clone().into_bytes()).unwrap())
    }
}

fn wrong_tokens(criterion: &mut Criterion) {
    let runtime = Runtime::new().unwrap();
    let mut group = criterion.benchmark_group("wrong_token");
    for (name, claims, expected) in WRONG {
        let mailbearer = runtime.block_on(opened(claims));
        group.bench_function(name, |bencher| {
            bencher.to_async(&runtime).iter(|| async {
                let error = mailbearer.access_token("billing").await.unwrap_err();
                assert_eq!(error.code(), expected);
            });
        });
    }
}

async fn opened(claims: &str) -> Mailbearer {
    // As long as Microsoft's tokens.
    let filler = "x".repeat(1200);
    let payload = URL_SAFE_NO_PAD.encode(format!(r#"{{{claims},"xms":"{filler}"}}"#));
    let token = format!("eyJhbGciOiJSUzI1NiJ9.{payload}.c2ln");
    let answer = format!(r#"{{"token_type":"Bearer","expires_in":3600,"access_token":"{token}"}}"#);
    let parts = Parts {
        http: Arc::new(Provider(answer)),
        ..Parts::default()
    };
    let mailbearer = Mailbearer::open_with(Config::default(), parts).await;
    let mailbearer = mailbearer.unwrap();
    let account = NewAccount {
        name: "billing".to_owned(),
        mailbox: "billing@contoso.example".to_owned(),
        cloud: Cloud::Worldwide,
        tenant: TENANT.to_owned(),
        client_id: "0d6c1e32-2f4b-4b7e-8f57-6a1b9c3d5e01".to_owned(),
        grant: Grant::ClientSecret {
            client_secret: "abc8Q~secret-of-the-usual-length-of-forty-"
                .to_owned()
                .into(),
        },
        secret_expires_at_unix_ms: None,
        route: mailbearer::model::Route::default(),
        fallback: None,
        endpoints: EndpointOverrides::default(),
    };
    mailbearer.add_account(account).await.unwrap();
    mailbearer
}

criterion_group!(benches, wrong_tokens);
criterion_main!(benches);
