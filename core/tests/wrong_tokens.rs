//! The catalogue of wrong tokens: each is named, with cause and next step, before anything connects to the mail server; and
//! what cannot be read, or only looks odd, goes through. The identity provider is in this process, and so is a network on
//! which every connection is counted.

#![expect(clippy::unwrap_used, reason = "tests may stop where they stand")]

mod support;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mailbearer::host::{HttpClient, Network, Stream, TlsParameters};
use mailbearer::model::{Cloud, EndpointOverrides, Grant, NewAccount, TlsSession};
use mailbearer::{Config, Error, Mailbearer, Parts, SignInFlow};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use support::mail;

const CLIENT: &str = "0d6c1e32-2f4b-4b7e-8f57-6a1b9c3d5e01";
const TENANT: &str = "6f1c9c1e-6d4e-4c7a-9f0b-2f8f4a7c1b11";

/// Gives everybody the same token, and a person a code to sign in with.
#[derive(Debug)]
struct Provider(String);

#[async_trait]
impl HttpClient for Provider {
    async fn call(
        &self,
        request: http::Request<Vec<u8>>,
    ) -> mailbearer::Result<http::Response<Vec<u8>>> {
        let body = match request.uri().path().ends_with("devicecode") {
            true => serde_json::json!({"device_code": "d", "user_code": "U", "expires_in": 900,
                "verification_uri": "https://login.example.test/device"}),
            false => serde_json::json!({"token_type": "Bearer", "expires_in": 3600,
                "access_token": self.0, "refresh_token": "r"}),
        };
        let response = http::Response::builder().header("content-type", "application/json");
        Ok(response.body(body.to_string().into_bytes()).unwrap())
    }
}

/// Leads nowhere, and counts who wanted to go there.
#[derive(Debug, Default)]
struct Nowhere(AtomicU32);

#[async_trait]
impl Network for Nowhere {
    async fn connect(&self, _: &str, _: u16, _: Duration) -> mailbearer::Result<Box<dyn Stream>> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Err(Error::new(
            mailbearer::model::ProblemKind::Unavailable,
            "test-nowhere",
            "leads nowhere",
            "none",
        ))
    }

    async fn start_tls(
        &self,
        _: Box<dyn Stream>,
        _: &str,
        _: &TlsParameters,
    ) -> mailbearer::Result<(Box<dyn Stream>, TlsSession)> {
        unreachable!("nobody connects")
    }
}

/// Sends with this token; gives what went wrong, and how often somebody connected.
async fn send_with(token: &str, grant: Grant, cloud: Cloud) -> (Error, u32) {
    let network = Arc::new(Nowhere::default());
    let parts = Parts {
        http: Arc::new(Provider(token.to_owned())),
        network: network.clone(),
        ..Parts::default()
    };
    let handle = Mailbearer::open_with(Config::default(), parts).await;
    let handle = handle.unwrap();
    let is_a_person = matches!(grant, Grant::DeviceCode);
    let account = NewAccount {
        name: "billing".to_owned(),
        mailbox: "billing@contoso.example".to_owned(),
        cloud,
        tenant: TENANT.to_owned(),
        client_id: CLIENT.to_owned(),
        grant,
        secret_expires_at_unix_ms: None,
        route: mailbearer::model::Route::default(),
        fallback: None,
        endpoints: EndpointOverrides::default(),
    };
    handle.add_account(account).await.unwrap();
    if is_a_person {
        let begun = handle
            .begin_sign_in("billing", SignInFlow::DeviceCode)
            .await;
        // It fails with the token's cause already; what is sent afterwards must fail in the same way.
        let _ = handle.finish_sign_in(&begun.unwrap()).await;
    }
    let sent = handle.send(mail("billing", &["ada@contoso.example"])).await;
    (sent.unwrap_err(), network.0.load(Ordering::SeqCst))
}

fn jwt(claims: &str) -> String {
    let payload = URL_SAFE_NO_PAD.encode(format!("{{{claims}}}"));
    format!("eyJhbGciOiJSUzI1NiJ9.{payload}.c2ln")
}

fn secret() -> Grant {
    Grant::ClientSecret {
        client_secret: "abc8Q~secret".to_owned().into(),
    }
}

async fn check(
    token: &str,
    grant: Grant,
    cloud: Cloud,
    expected: &str,
    seen: &mut BTreeSet<String>,
) {
    let what = format!("{expected} {cloud:?} {:?}: {token}", grant.kind());
    let (error, connections) = send_with(token, grant, cloud).await;
    assert_eq!(error.code(), expected, "{what}: {error:?}");
    assert_eq!(connections, 0, "{what}");
    assert!(error.problem().fix.len() > 10, "{what}: {error:?}");
    let shown = format!("{error:?}");
    assert!(token.len() < 12 || !shown.contains(token), "{shown}");
    seen.insert(what);
}

/// An application's token is wrong.
const APPLICATIONS: [(&str, &str); 24] = [
    (
        r#""aud":"https://graph.microsoft.com","roles":["Mail.Send"]"#,
        "wrong-scope-audience",
    ),
    (
        r#""aud":"00000003-0000-0000-c000-000000000000""#,
        "wrong-scope-audience",
    ),
    (
        r#""aud":"https://graph.windows.net""#,
        "wrong-scope-audience",
    ),
    (
        r#""aud":"https://management.azure.com/""#,
        "wrong-scope-audience",
    ),
    (r#""aud":"https://vault.azure.net""#, "wrong-scope-audience"),
    (
        r#""aud":"https://contoso.sharepoint.example""#,
        "wrong-scope-audience",
    ),
    (r#""aud":"api://mail-service""#, "wrong-scope-audience"),
    (
        r#""aud":["https://graph.microsoft.com","x"]"#,
        "wrong-scope-audience",
    ),
    (
        r#""aud":"https://outlook.office365.us""#,
        "wrong-cloud-endpoint",
    ),
    (
        r#""aud":"https://outlook-dod.office365.us""#,
        "wrong-cloud-endpoint",
    ),
    (
        r#""aud":"https://partner.outlook.cn""#,
        "wrong-cloud-endpoint",
    ),
    (
        r#""aud":"https://outlook.office365.com","iss":"https://login.microsoftonline.us/x/v2.0""#,
        "wrong-cloud-endpoint",
    ),
    (
        r#""aud":"https://outlook.office365.com","iss":"https://sts.chinacloudapi.cn/x/""#,
        "wrong-cloud-endpoint",
    ),
    (
        r#""aud":"https://outlook.office365.com","roles":["IMAP.AccessAsApp"],"ver":"1.0""#,
        "smtp-app-permission-missing",
    ),
    (
        r#""aud":"https://outlook.office365.com","roles":["Mail.Send"],"ver":"2.0""#,
        "smtp-app-permission-missing",
    ),
    (
        r#""aud":"https://outlook.office365.com","roles":["full_access_as_app"]"#,
        "smtp-app-permission-missing",
    ),
    (
        r#""aud":"https://outlook.office365.com","scp":"SMTP.Send","upn":"ada@contoso.example""#,
        "wrong-token-kind",
    ),
    (
        r#""aud":"https://outlook.office365.com","idtyp":"user""#,
        "wrong-token-kind",
    ),
    (
        r#""aud":"0d6c1e32-2f4b-4b7e-8f57-6a1b9c3d5e01","nonce":"n""#,
        "wrong-token-kind",
    ),
    (
        r#""iss":"0d6c1e32-2f4b-4b7e-8f57-6a1b9c3d5e01","sub":"0d6c1e32-2f4b-4b7e-8f57-6a1b9c3d5e01","aud":"x""#,
        "wrong-token-kind",
    ),
    (
        r#""aud":"api://AzureADTokenExchange","iss":"https://kubernetes.default.svc""#,
        "wrong-token-kind",
    ),
    (
        r#""aud":"https://outlook.office365.com","tid":"11111111-2222-3333-4444-555555555555""#,
        "wrong-tenant",
    ),
    (
        r#""aud":"https://outlook.office365.com","tid":"9188040d-6c67-4c5b-b112-36a304b66dad""#,
        "personal-account-unsupported",
    ),
    (
        r#""aud":"https://outlook.office365.com","roles":["Exchange.ManageAsApp"]"#,
        "smtp-app-permission-missing",
    ),
];

/// A person's token is wrong.
const PERSONS: [(&str, &str); 9] = [
    (
        r#""aud":"https://graph.microsoft.com","scp":"Mail.Send""#,
        "wrong-scope-audience",
    ),
    (
        r#""aud":"https://outlook.office.com","scp":"IMAP.AccessAsUser.All""#,
        "scope-not-granted-to-app",
    ),
    (
        r#""aud":"https://outlook.office.com","scp":"User.Read openid""#,
        "scope-not-granted-to-app",
    ),
    (
        r#""aud":"https://outlook.office.com","scp":"Mail.Send","ver":"2.0""#,
        "scope-not-granted-to-app",
    ),
    (
        r#""aud":"https://outlook.office.com","roles":["SMTP.SendAsApp"],"idtyp":"app""#,
        "wrong-token-kind",
    ),
    (
        r##""aud":"https://outlook.office.com","scp":"SMTP.Send","upn":"ada_fabrikam.example#EXT#@contoso.example""##,
        "token-user-mismatch",
    ),
    (
        r#""aud":"https://outlook.office.com","scp":"SMTP.Send","tid":"11111111-2222-3333-4444-555555555555""#,
        "wrong-tenant",
    ),
    (
        r#""aud":"https://outlook.office.com","scp":"SMTP.Send","tid":"9188040d-6c67-4c5b-b112-36a304b66dad""#,
        "personal-account-unsupported",
    ),
    (
        r#""aud":"https://partner.outlook.cn","scp":"SMTP.Send""#,
        "wrong-cloud-endpoint",
    ),
];

/// No access token at all, whoever it is for.
const TEXTS: [(&str, &str); 11] = [
    ("Bearer eyJhbGciOiJSUzI1NiJ9.e30.c2ln", "token-corrupted"),
    ("\"eyJhbGciOiJSUzI1NiJ9.e30.c2ln\"", "token-corrupted"),
    ("eyJhbGciOiJSUzI1NiJ9", "token-corrupted"),
    ("eyJhbGciOiJSUzI1NiJ9.e30", "token-corrupted"),
    ("eyJhbGciOiJSUzI1NiJ9.%%%.c2ln", "token-corrupted"),
    ("eyJhbGciOiJSUzI1NiJ9.bm90IGpzb24.c2ln", "token-corrupted"),
    ("eyJhbGciOiJSUzI1NiJ9.\ne30.c2ln", "token-corrupted"),
    ("{\"access_token\":\"x\"}", "token-corrupted"),
    ("0.AXYAabcdefghijklmnop.AgABAAEAAAD", "wrong-token-kind"),
    ("M.C546_BAY.0.U.-CabcdefghX", "wrong-token-kind"),
    ("dXNlcj10ZXN0QGNvbnRvc28u", "wrong-token-kind"),
];

#[tokio::test]
async fn every_wrong_token_is_named_before_any_connection() {
    let mut seen = BTreeSet::new();
    for (claims, expected) in APPLICATIONS {
        check(
            &jwt(claims),
            secret(),
            Cloud::Worldwide,
            expected,
            &mut seen,
        )
        .await;
    }
    for (claims, expected) in PERSONS {
        let token = jwt(claims);
        check(
            &token,
            Grant::DeviceCode,
            Cloud::Worldwide,
            expected,
            &mut seen,
        )
        .await;
    }
    for (text, expected) in TEXTS {
        check(text, secret(), Cloud::Worldwide, expected, &mut seen).await;
    }
    let worldwide = jwt(r#""aud":"https://outlook.office365.com","roles":["SMTP.SendAsApp"]"#);
    for cloud in [
        Cloud::China,
        Cloud::UsGovernmentHigh,
        Cloud::UsGovernmentDod,
    ] {
        check(
            &worldwide,
            secret(),
            cloud,
            "wrong-cloud-endpoint",
            &mut seen,
        )
        .await;
    }
    assert!(seen.len() >= 40, "{}", seen.len());
}

/// One that a command printed is used in its time only; our own requests count a token's life from its arrival.
#[cfg(unix)]
#[tokio::test]
async fn a_token_of_a_command_that_is_out_of_time_is_named_before_any_connection() {
    let mut seen = BTreeSet::new();
    for (times, expected) in [
        (r#""exp":1000003600"#, "token-expired"),
        (r#""nbf":99999999999,"exp":99999999999"#, "clock-skew"),
        (r#""exp":-1"#, "token-expired"),
    ] {
        let token = jwt(&format!(r#""aud":"https://outlook.office365.com",{times}"#));
        let grant = Grant::TokenCommand {
            command: vec!["printf".to_owned(), "%s".to_owned(), token.clone()],
        };
        check(&token, grant, Cloud::Worldwide, expected, &mut seen).await;
    }
}

/// Opaque tokens, RBAC for Applications without roles, tokens of both versions, and an unknown tenant's name.
#[tokio::test]
async fn what_may_be_right_goes_to_the_server() {
    let own = format!(r#""aud":"https://outlook.office365.com","tid":"{TENANT}""#);
    for token in [
        "EwBAAl3BAAUFFpUAo7J3Ve0bjLBWZWCclRC3EoAA".to_owned(),
        "2YotnFZFEjr1zCsicMWpAA".to_owned(),
        "eyJhbGciOiJSU0EtT0FFUCJ9.eyJa.key.iv.text".to_owned(),
        jwt(&own),
        jwt(&format!(r#"{own},"roles":[]"#)),
        jwt(&format!(r#"{own},"roles":["SMTP.SendAsApp"],"ver":"1.0""#)),
        jwt(&format!(
            r#"{own},"roles":["SMTP.SendAsApp"],"ver":"2.0","idtyp":"app""#
        )),
        jwt(r#""aud":"00000002-0000-0ff1-ce00-000000000000""#),
    ] {
        let (error, connections) = send_with(&token, secret(), Cloud::Worldwide).await;
        assert_eq!((error.code(), connections), ("test-nowhere", 1), "{token}");
    }
}
