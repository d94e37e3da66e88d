//! An identity provider that misbehaves in every way a socket allows: always a typed error within the deadline, and
//! an account that works again as soon as the provider does.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "tests may stop where they stand, and the test server has a clock and sockets of its own"
)]

use mailbearer::model::{
    Cloud, EndpointOverrides, Grant, NewAccount, ProblemKind, Timeouts, VaultSettings,
};
use mailbearer::secret::SecretText;
use mailbearer::{Config, Error, Mailbearer, SignInFlow};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const TOKEN_MS: u64 = 400;
const GOOD: &str = r#"{"token_type":"Bearer","expires_in":3600,"access_token":"good-token"}"#;

/// What the provider does with a connection after it has read the request's head.
#[derive(Clone, Debug)]
enum Behaviour {
    /// Writes these octets and closes.
    Write(Vec<u8>),
    /// Writes these octets again and again, without end.
    Endless(Vec<u8>),
    /// Writes one octet of these every few milliseconds.
    Drip(Vec<u8>),
    /// Writes nothing and keeps the connection open.
    Silence,
}

struct Provider {
    address: std::net::SocketAddr,
    behaviour: Arc<Mutex<Behaviour>>,
}

impl Provider {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let behaviour = Arc::new(Mutex::new(Behaviour::Silence));
        let shared = behaviour.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let behaviour = shared.lock().unwrap().clone();
                tokio::spawn(serve(stream, behaviour));
            }
        });
        Self { address, behaviour }
    }

    fn will(&self, behaviour: Behaviour) {
        *self.behaviour.lock().unwrap() = behaviour;
    }
}

/// Errors mean that the client has hung up, which is what these tests want.
async fn serve(mut stream: TcpStream, behaviour: Behaviour) -> std::io::Result<()> {
    let mut request = [0; 4096];
    let _ = stream.read(&mut request).await?;
    match behaviour {
        Behaviour::Write(octets) => stream.write_all(&octets).await,
        Behaviour::Endless(octets) => loop {
            stream.write_all(&octets).await?;
        },
        Behaviour::Drip(octets) => {
            for octet in octets {
                stream.write_all(&[octet]).await?;
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            Ok(())
        }
        Behaviour::Silence => std::future::pending().await,
    }
}

fn response(status: &str, content_type: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )
    .into_bytes()
}

fn good() -> Behaviour {
    Behaviour::Write(response("200 OK", "application/json", GOOD))
}

async fn handle(provider: &Provider) -> Mailbearer {
    let config = Config {
        vault: VaultSettings::Memory,
        timeouts: Timeouts {
            token_ms: TOKEN_MS,
            ..Timeouts::default()
        },
        ..Config::default()
    };
    let mailbearer = Mailbearer::open(config).await.unwrap();
    let url = |path: &str| Some(format!("http://{}/{path}", provider.address));
    let secret = Grant::ClientSecret {
        client_secret: SecretText::new("the-client-secret".to_owned()),
    };
    for (name, grant) in [("app", secret), ("person", Grant::DeviceCode)] {
        let account = NewAccount {
            name: name.to_owned(),
            mailbox: "billing@contoso.example".to_owned(),
            cloud: Cloud::Custom,
            tenant: String::new(),
            client_id: "client".to_owned(),
            grant,
            secret_expires_at_unix_ms: None,
            route: mailbearer::model::Route::default(),
            fallback: None,
            endpoints: EndpointOverrides {
                token_url: url("token"),
                device_authorization_url: url("devicecode"),
                scopes: Some(vec!["smtp".to_owned(), "offline_access".to_owned()]),
                audiences: Some(Vec::new()),
                smtp_host: Some("localhost".to_owned()),
                ..EndpointOverrides::default()
            },
        };
        mailbearer.add_account(account).await.unwrap();
    }
    mailbearer
}

/// Both ways of asking must end in time with an error of one of these kinds, and leave the account usable.
async fn check(what: &str, behaviour: Behaviour, expected: &[ProblemKind]) {
    let provider = Provider::start().await;
    let mailbearer = handle(&provider).await;
    provider.will(behaviour);
    let started = Instant::now();
    let by_secret = mailbearer.access_token("app").await.unwrap_err();
    let by_code = mailbearer
        .begin_sign_in("person", SignInFlow::DeviceCode)
        .await
        .unwrap_err();
    let limit = Duration::from_millis(2 * TOKEN_MS + 2_000);
    assert!(started.elapsed() < limit, "{what}: {:?}", started.elapsed());
    for error in [&by_secret, &by_code] {
        assert!(expected.contains(&error.kind()), "{what}: {error:?}");
        assert_readable(what, error);
    }
    provider.will(good());
    let token = mailbearer.access_token("app").await.unwrap();
    assert_eq!(token.secret.expose(), "good-token", "{what}");
}

fn assert_readable(what: &str, error: &Error) {
    let problem = error.problem();
    assert!(!problem.code.is_empty(), "{what}: {error:?}");
    assert!(!problem.fix.is_empty(), "{what}: {error:?}");
    assert!(!problem.operation.is_empty(), "{what}: {error:?}");
    let shown = format!("{error:?} {error}");
    assert!(!shown.contains("the-client-secret"), "{what}: {shown}");
    assert!(shown.len() < 4_000, "{what}: {} characters", shown.len());
}

const NETWORK: &[ProblemKind] = &[ProblemKind::Unavailable];
const ANSWER: &[ProblemKind] = &[ProblemKind::Unavailable, ProblemKind::Config];

#[tokio::test]
async fn silence_and_slowness_end_at_the_deadline() {
    check("silence", Behaviour::Silence, NETWORK).await;
    let drip = response("200 OK", "application/json", GOOD);
    check("slow drip", Behaviour::Drip(drip), NETWORK).await;
}

#[tokio::test]
async fn endless_answers_are_cut_off() {
    let endless_line = b"HTTP/1.1 200 OK\r\nX-Line: ".to_vec();
    check("endless header", Behaviour::Endless(endless_line), NETWORK).await;
    let head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n";
    let body = [head.as_slice(), &vec![b' '; 64 * 1024]].concat();
    check("endless body", Behaviour::Endless(body), NETWORK).await;
}

#[tokio::test]
async fn answers_that_are_no_tokens_are_named() {
    let json = "application/json";
    let html = "<html><body>Please log in to the hotel's network</body></html>";
    for (what, octets) in [
        ("html with 200", response("200 OK", "text/html", html)),
        ("html as json", response("200 OK", json, html)),
        ("empty body", response("200 OK", json, "")),
        ("empty object", response("200 OK", json, "{}")),
        (
            "wrong types",
            response("200 OK", json, r#"{"access_token":7,"token_type":[]}"#),
        ),
        (
            "deep nesting",
            response("200 OK", json, &"[".repeat(100_000)),
        ),
        ("html with 500", response("500 Oops", "text/html", html)),
        ("nothing with 502", response("502 Bad Gateway", json, "")),
        (
            "redirect",
            b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"
                .to_vec(),
        ),
        ("not http", b"220 smtp.example.test ESMTP\r\n".to_vec()),
        ("binary", (0..=255).collect()),
    ] {
        check(what, Behaviour::Write(octets), ANSWER).await;
    }
}

#[tokio::test]
async fn an_error_with_status_200_is_still_an_error() {
    let body = r#"{"error":"unauthorized_client","error_description":"AADSTS700016: Application not found.","error_codes":[700016]}"#;
    let provider = Provider::start().await;
    let mailbearer = handle(&provider).await;
    provider.will(Behaviour::Write(response(
        "200 OK",
        "application/json",
        body,
    )));
    let error = mailbearer.access_token("app").await.unwrap_err();
    assert_eq!(error.code(), "app-not-found");
    assert_readable("200 with an error", &error);
}

#[tokio::test]
async fn a_cut_anywhere_is_a_network_error() {
    let whole = response("200 OK", "application/json", GOOD);
    for length in (0..whole.len()).step_by(7) {
        let cut = whole[..length].to_vec();
        check(
            &format!("cut after {length}"),
            Behaviour::Write(cut),
            ANSWER,
        )
        .await;
    }
}

#[tokio::test]
async fn nobody_at_home_is_a_network_error() {
    let provider = Provider::start().await;
    let mailbearer = handle(&provider).await;
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = closed.local_addr().unwrap();
    drop(closed);
    let account = NewAccount {
        name: "nobody".to_owned(),
        mailbox: "billing@contoso.example".to_owned(),
        cloud: Cloud::Custom,
        tenant: String::new(),
        client_id: "client".to_owned(),
        grant: Grant::ClientSecret {
            client_secret: SecretText::new("the-client-secret".to_owned()),
        },
        secret_expires_at_unix_ms: None,
        route: mailbearer::model::Route::default(),
        fallback: None,
        endpoints: EndpointOverrides {
            token_url: Some(format!("http://{address}/token")),
            scopes: Some(vec!["smtp".to_owned()]),
            audiences: Some(Vec::new()),
            smtp_host: Some("localhost".to_owned()),
            ..EndpointOverrides::default()
        },
    };
    mailbearer.add_account(account).await.unwrap();
    let error = mailbearer.access_token("nobody").await.unwrap_err();
    assert_eq!(error.kind(), ProblemKind::Unavailable);
    assert_readable("connection refused", &error);
}
