//! Client assertions signed with a certificate.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use mailbearer_sandbox::Sandbox;
use mailbearer_sandbox::directory::seed;
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RSA_PSS_SHA256, RsaEncoding, RsaKeyPair};
use rsa::Generate;
use rsa::pkcs8::EncodePrivateKey;
use serde_json::{Value, json};

use crate::support::{APPLICATION_SCOPE, Answer, post, sandbox};

struct Credential {
    key: RsaKeyPair,
    certificate: rcgen::Certificate,
}

impl Credential {
    fn new() -> Self {
        let pkcs8 = rsa::PrivateKey::generate().to_pkcs8_der().unwrap();
        let der = rustls::pki_types::PrivatePkcs8KeyDer::from(pkcs8.as_bytes());
        let key =
            rcgen::KeyPair::from_pkcs8_der_and_sign_algo(&der, &rcgen::PKCS_RSA_SHA256).unwrap();
        let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
        params.not_after = rcgen::date_time_ymd(2100, 1, 1);
        let certificate = params.self_signed(&key).unwrap();
        Self {
            key: RsaKeyPair::from_pkcs8(pkcs8.as_bytes()).unwrap(),
            certificate,
        }
    }

    fn assertion(&self, algorithm: &str, claims: &Value) -> String {
        let der = self.certificate.der();
        let (encoding, header): (&dyn RsaEncoding, _) = match algorithm {
            "PS256" => (
                &RSA_PSS_SHA256,
                json!({"alg": "PS256", "x5t#S256": STANDARD.encode(digest(&SHA256, der))}),
            ),
            _ => {
                let thumbprint = encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, der));
                (
                    &RSA_PKCS1_SHA256,
                    json!({"alg": algorithm, "x5t": thumbprint}),
                )
            }
        };
        let signed = format!(
            "{}.{}",
            encode(header.to_string()),
            encode(claims.to_string())
        );
        let mut signature = vec![0; self.key.public().modulus_len()];
        self.key
            .sign(
                encoding,
                &SystemRandom::new(),
                signed.as_bytes(),
                &mut signature,
            )
            .unwrap();
        format!("{signed}.{}", encode(signature))
    }
}

fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Good claims for the sandbox's HTTPS address.
fn claims(sandbox: &Sandbox) -> Value {
    let now = sandbox.clock().now_unix_seconds();
    json!({
        "aud": format!("{}/{}/oauth2/v2.0/token", sandbox.identity_https_url(), seed::TENANT_ID),
        "iss": seed::SERVICE_CLIENT_ID,
        "sub": seed::SERVICE_CLIENT_ID,
        "nbf": now,
        "exp": now + 600,
    })
}

async fn present(sandbox: &Sandbox, assertion: &str) -> Answer {
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", seed::SERVICE_CLIENT_ID),
        (
            "client_assertion_type",
            "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        ),
        ("client_assertion", assertion),
        ("scope", APPLICATION_SCOPE),
    ];
    post(sandbox, "token", &form).await
}

#[tokio::test]
async fn an_assertion_of_an_uploaded_certificate_is_accepted_and_others_are_refused() {
    let sandbox = sandbox().await;
    let (credential, stranger) = (Credential::new(), Credential::new());
    sandbox
        .tenant()
        .change_application(seed::SERVICE_CLIENT_ID, |application| {
            application.certificates.push(credential.certificate.pem());
        });
    let good = claims(&sandbox);
    let changed = |field: &str, value: Value| {
        let mut claims = good.clone();
        claims[field] = value;
        claims
    };
    let check = async |assertion: String, expected: u64| {
        let answer = present(&sandbox, &assertion).await;
        assert_eq!(answer.refusal().2, expected, "{}", answer.body);
        assert_eq!(answer.status, if expected == 0 { 200 } else { 401 });
    };
    check(credential.assertion("PS256", &good), 0).await;
    check(credential.assertion("RS256", &good), 0).await;
    check(credential.assertion("none", &good), 700_027).await;
    check(stranger.assertion("PS256", &good), 700_027).await;
    check(
        credential.assertion("PS256", &changed("sub", json!("someone"))),
        700_021,
    )
    .await;
    check(
        credential.assertion("PS256", &changed("aud", json!("https://login.example/x"))),
        700_023,
    )
    .await;
    let past = json!(sandbox.clock().now_unix_seconds() - 301);
    check(
        credential.assertion("PS256", &changed("exp", past)),
        700_024,
    )
    .await;
    let forged = {
        let assertion = credential.assertion("PS256", &good);
        let (header, rest) = assertion.split_once('.').unwrap();
        let (_, signature) = rest.split_once('.').unwrap();
        format!(
            "{header}.{}.{signature}",
            encode(changed("jti", json!("forged")).to_string())
        )
    };
    check(forged, 700_027).await;
    check("no.jwt.at-all".to_owned(), 50_027).await;
}

#[tokio::test]
async fn a_certificate_is_refused_after_its_end() {
    let sandbox = sandbox().await;
    let credential = Credential::new();
    sandbox
        .tenant()
        .change_application(seed::SERVICE_CLIENT_ID, |application| {
            application.certificates.push(credential.certificate.pem());
        });
    sandbox
        .clock()
        .advance(Duration::from_secs(100 * 366 * 24 * 3600));
    let answer = present(&sandbox, &credential.assertion("PS256", &claims(&sandbox))).await;
    assert_eq!(answer.refusal(), (401, "invalid_client", 1_000_502));
}
