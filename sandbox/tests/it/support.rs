//! A client for the tests: HTTP by reqwest, SMTP by hand, so that every byte is under the test's control.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use mailbearer_sandbox::directory::seed;
use mailbearer_sandbox::{Options, Sandbox};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

pub(crate) async fn sandbox() -> Sandbox {
    Sandbox::start(Options {
        random_seed: Some(1),
        ..Options::default()
    })
    .await
    .unwrap()
}

/// An HTTP client that trusts the sandbox and follows no redirects.
pub(crate) fn http(sandbox: &Sandbox) -> reqwest::Client {
    // A second installation fails, which is fine: it is the same provider.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let certificate = reqwest::Certificate::from_pem(sandbox.ca_pem().as_bytes()).unwrap();
    reqwest::Client::builder()
        .tls_certs_only([certificate])
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .build()
        .unwrap()
}

/// An answer of the identity server.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Value,
}

impl Answer {
    pub(crate) fn text(&self, field: &str) -> &str {
        self.body[field].as_str().unwrap_or_default()
    }

    /// HTTP status, OAuth error and AADSTS number.
    pub(crate) fn refusal(&self) -> (u16, &str, u64) {
        (
            self.status,
            self.text("error"),
            self.body["error_codes"][0].as_u64().unwrap_or(0),
        )
    }

    pub(crate) fn access_token(&self) -> &str {
        assert_eq!(self.status, 200, "{}", self.body);
        self.text("access_token")
    }
}

/// Posts a form to an endpoint of the default tenant, or of another one by `tenant/endpoint`.
pub(crate) async fn post(sandbox: &Sandbox, endpoint: &str, form: &[(&str, &str)]) -> Answer {
    let (tenant, endpoint) = endpoint
        .split_once('/')
        .unwrap_or((seed::TENANT_ID, endpoint));
    let url = format!(
        "{}/{tenant}/oauth2/v2.0/{endpoint}",
        sandbox.identity_https_url()
    );
    let response = http(sandbox).post(url).form(form).send().await.unwrap();
    Answer {
        status: response.status().as_u16(),
        body: response.json().await.unwrap(),
    }
}

pub(crate) const DELEGATED_SCOPE: &str = "https://outlook.office.com/SMTP.Send offline_access";
pub(crate) const APPLICATION_SCOPE: &str = "https://outlook.office365.com/.default";

/// A token of the seeded service.
pub(crate) async fn service_token(sandbox: &Sandbox) -> String {
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", seed::SERVICE_CLIENT_ID),
        ("client_secret", seed::SERVICE_CLIENT_SECRET),
        ("scope", APPLICATION_SCOPE),
    ];
    post(sandbox, "token", &form)
        .await
        .access_token()
        .to_owned()
}

/// The answer of the device code flow for a person who agrees.
pub(crate) async fn device_sign_in(sandbox: &Sandbox, user: &str, scope: &str) -> Answer {
    let form = [("client_id", seed::PUBLIC_CLIENT_ID), ("scope", scope)];
    let begun = post(sandbox, "devicecode", &form).await;
    sandbox
        .approve_device(begun.text("user_code"), user)
        .await
        .unwrap();
    redeem_device_code(sandbox, begun.text("device_code")).await
}

pub(crate) async fn redeem_device_code(sandbox: &Sandbox, device_code: &str) -> Answer {
    let form = [
        ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
        ("client_id", seed::PUBLIC_CLIENT_ID),
        ("device_code", device_code),
    ];
    post(sandbox, "token", &form).await
}

pub(crate) fn xoauth2(user: &str, token: &str) -> String {
    STANDARD.encode(format!("user={user}\x01auth=Bearer {token}\x01\x01"))
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// A raw SMTP client.
pub(crate) struct Smtp {
    stream: Option<Box<dyn Stream>>,
    input: Vec<u8>,
}

impl Smtp {
    /// Connects and reads nothing.
    pub(crate) async fn connect(sandbox: &Sandbox) -> Self {
        let stream = TcpStream::connect(sandbox.smtp_address()).await.unwrap();
        Self {
            stream: Some(Box::new(stream)),
            input: Vec::new(),
        }
    }

    /// Up to and including the EHLO inside TLS.
    pub(crate) async fn encrypted(sandbox: &Sandbox) -> Self {
        let mut smtp = Self::connect(sandbox).await;
        smtp.reply().await;
        smtp.command("EHLO client.example").await;
        assert_eq!(
            smtp.command("STARTTLS").await,
            "220 2.0.0 SMTP server ready"
        );
        smtp.start_tls(sandbox).await;
        smtp.command("EHLO client.example").await;
        smtp
    }

    /// Up to and including AUTH.
    pub(crate) async fn signed_in(sandbox: &Sandbox, user: &str, token: &str) -> Self {
        let mut smtp = Self::encrypted(sandbox).await;
        let reply = smtp
            .command(&format!("AUTH XOAUTH2 {}", xoauth2(user, token)))
            .await;
        assert_eq!(reply, "235 2.7.0 Authentication successful");
        smtp
    }

    pub(crate) async fn start_tls(&mut self, sandbox: &Sandbox) {
        let mut roots = rustls::RootCertStore::empty();
        roots
            .add(CertificateDer::from_pem_slice(sandbox.ca_pem().as_bytes()).unwrap())
            .unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let connector = TlsConnector::from(Arc::new(config));
        let name = ServerName::try_from("localhost").unwrap();
        let stream = connector
            .connect(name, self.stream.take().unwrap())
            .await
            .unwrap();
        self.stream = Some(Box::new(stream));
    }

    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let stream = self.stream.as_mut().unwrap();
        stream.write_all(bytes.as_ref()).await.unwrap();
        stream.flush().await.unwrap();
    }

    /// Sends a line and returns the reply, lines separated by `\n`.
    pub(crate) async fn command(&mut self, line: &str) -> String {
        self.send(format!("{line}\r\n")).await;
        self.reply().await
    }

    /// The next reply; empty if the server has closed the connection.
    pub(crate) async fn reply(&mut self) -> String {
        let mut lines = Vec::new();
        while let Some(line) = self.line().await {
            let is_last = line.as_bytes().get(3) != Some(&b'-');
            lines.push(line);
            if is_last {
                break;
            }
        }
        lines.join("\n")
    }

    async fn line(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.input.windows(2).position(|window| window == b"\r\n") {
                let line: Vec<u8> = self.input.drain(..end + 2).collect();
                return Some(String::from_utf8(line[..end].to_vec()).unwrap());
            }
            let read = self
                .stream
                .as_mut()
                .unwrap()
                .read_buf(&mut self.input)
                .await;
            if !matches!(read, Ok(1..)) {
                return None;
            }
        }
    }
}

/// A reply without its tail in square brackets.
pub(crate) fn head(reply: &str) -> &str {
    reply.rsplit_once(" [").map_or(reply, |(head, _)| head)
}

/// The claims of a token.
pub(crate) fn claims(token: &str) -> Value {
    let payload = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}
