//! That the real servers do what later tests rely on: they issue, check and refuse tokens, deliver the bytes they were
//! sent, and are gone afterwards. Mailbearer itself takes no part here.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::SystemTime;

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use ring::digest::{SHA256, digest};
use ring::rand::SystemRandom;
use ring::signature::{RSA_PSS_SHA256, RsaKeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::servers::{RealServers, as_sent, http_client};

#[tokio::test]
#[ignore = "needs root, Postfix, Dovecot 2.3, Node.js and oidc-provider"]
async fn delivers_the_bytes_that_were_sent_with_a_token_by_client_secret() {
    let servers = start().await;
    let token = token_by_secret(&servers, &servers.identity.send_scope).await;
    assert_eq!(text(&claims(&token), "aud"), servers.identity.audience);
    let mut smtp = Smtp::connect(servers.smtp, &servers.ca_pem).await;
    assert!(
        smtp.capabilities.contains("AUTH XOAUTH2 OAUTHBEARER"),
        "{}",
        smtp.capabilities
    );

    assert_eq!(
        smtp.authenticate(&servers.identity.mailbox, &token).await,
        "235 2.7.0 Authentication successful\r\n"
    );
    smtp.send(&servers.identity.mailbox, "reader@example.test", MAIL)
        .await;

    let [delivered] = servers.delivered(1).await.try_into().unwrap();
    assert_eq!(String::from_utf8(as_sent(&delivered)).unwrap(), MAIL);
}

#[tokio::test]
#[ignore = "needs root, Postfix, Dovecot 2.3, Node.js and oidc-provider"]
async fn refuses_what_entitles_nobody_to_send() {
    let servers = start().await;
    let mailbox = &servers.identity.mailbox;
    let token = token_by_secret(&servers, &servers.identity.send_scope).await;
    let (signed, _signature) = token.rsplit_once('.').unwrap();
    let unsigned = format!("{signed}.{}", "A".repeat(342));
    let read_only = token_by_secret(&servers, &servers.identity.read_scope).await;

    for (user, token) in [
        (mailbox, "no token"),
        (mailbox, &unsigned),
        (mailbox, &read_only),
        (&SOMEONE.to_owned(), &token),
    ] {
        let mut smtp = Smtp::connect(servers.smtp, &servers.ca_pem).await;
        let challenge = smtp.authenticate(user, token).await;
        let challenge = BASE64_STANDARD
            .decode(challenge.trim().strip_prefix("334 ").unwrap())
            .unwrap();
        assert_eq!(
            String::from_utf8(challenge).unwrap(),
            r#"{"status":"401","schemes":"bearer","scope":"mail"}"#
        );
        assert_eq!(
            smtp.command("").await,
            "535 5.7.8 Error: authentication failed: (reason unavailable)\r\n"
        );
    }
}

#[tokio::test]
#[ignore = "needs root, Postfix, Dovecot 2.3, Node.js and oidc-provider"]
async fn dovecot_takes_a_token_only_on_a_line_of_its_own() {
    let servers = start().await;
    let mailbox = &servers.identity.mailbox;
    let token = token_by_secret(&servers, &servers.identity.send_scope).await;
    let mut smtp = Smtp::connect(servers.dovecot_smtp, &servers.ca_pem).await;

    let on_one_line = smtp.authenticate(mailbox, &token).await;
    let challenge = smtp.command("AUTH XOAUTH2").await;
    let on_its_own_line = smtp.command(&xoauth2(mailbox, &token)).await;
    smtp.send(mailbox, "reader@example.test", MAIL).await;
    let [delivered] = servers.delivered(1).await.try_into().unwrap();

    assert_eq!(on_one_line, "500 5.5.2 Line too long\r\n");
    assert_eq!(challenge, "334 \r\n");
    assert_eq!(on_its_own_line, "235 2.7.0 Logged in.\r\n");
    assert_eq!(String::from_utf8(as_sent(&delivered)).unwrap(), MAIL);
}

#[tokio::test]
#[ignore = "needs root, Postfix, Dovecot 2.3, Node.js and oidc-provider"]
async fn refuses_other_senders_and_unknown_recipients_and_returns_what_it_cannot_deliver() {
    let servers = start().await;
    let mailbox = &servers.identity.mailbox;
    let token = token_by_secret(&servers, &servers.identity.send_scope).await;
    let mut smtp = Smtp::connect(servers.smtp, &servers.ca_pem).await;
    smtp.authenticate(mailbox, &token).await;

    smtp.command("MAIL FROM:<someone@example.test>").await;
    let other_sender = smtp.command("RCPT TO:<reader@example.test>").await;
    smtp.command("RSET").await;
    smtp.command(&format!("MAIL FROM:<{mailbox}>")).await;
    let unknown_recipient = smtp.command("RCPT TO:<missing@example.test>").await;
    let other_domain = smtp.command("RCPT TO:<reader@elsewhere.test>").await;
    smtp.command("RSET").await;
    smtp.send(mailbox, "bounced@example.test", MAIL).await;
    let report = String::from_utf8(servers.delivered(1).await.remove(0)).unwrap();

    assert!(other_sender.starts_with("553 5.7.1 "), "{other_sender}");
    assert!(
        unknown_recipient.starts_with("550 5.1.1 "),
        "{unknown_recipient}"
    );
    assert!(other_domain.starts_with("550 5.1.2 "), "{other_domain}");
    assert!(report.starts_with("Return-Path: <>\n"), "{report}");
    assert!(
        report.contains("\nFinal-Recipient: rfc822; bounced@example.test\n"),
        "{report}"
    );
    assert!(
        report.contains("\nAction: failed\nStatus: 5.1.1\n"),
        "{report}"
    );
}

#[tokio::test]
#[ignore = "needs root, Postfix, Dovecot 2.3, Node.js and oidc-provider"]
async fn signs_a_person_in_by_device_code_and_takes_each_refresh_token_once() {
    let servers = start().await;
    let identity = &servers.identity;
    let client = ("client_id", identity.public_client_id.as_str());
    let scope = format!("{} offline_access", identity.send_scope);

    let code = post(
        &identity.device_authorization_url,
        &[client, ("scope", &scope)],
    )
    .await;
    let grant = ("grant_type", "urn:ietf:params:oauth:grant-type:device_code");
    let poll = [client, grant, ("device_code", text(&code, "device_code"))];
    let before_approval = post(&identity.token_url, &poll).await;
    servers.approve_device(text(&code, "user_code")).await;
    let first = post(&identity.token_url, &poll).await;
    let refresh = [
        client,
        ("grant_type", "refresh_token"),
        ("refresh_token", text(&first, "refresh_token")),
    ];
    let second = post(&identity.token_url, &refresh).await;
    let again = post(&identity.token_url, &refresh).await;

    assert_eq!(text(&before_approval, "error"), "authorization_pending");
    assert_ne!(
        text(&first, "refresh_token"),
        text(&second, "refresh_token")
    );
    assert_eq!(text(&again, "error"), "invalid_grant");
    for token in [&first, &second] {
        let mut smtp = Smtp::connect(servers.smtp, &servers.ca_pem).await;
        let answer = smtp
            .authenticate(&identity.mailbox, text(token, "access_token"))
            .await;
        assert!(answer.starts_with("235 "), "{answer}");
    }
}

#[tokio::test]
#[ignore = "needs root, Postfix, Dovecot 2.3, Node.js and oidc-provider"]
async fn takes_an_assertion_signed_with_the_clients_certificate_instead_of_a_secret() {
    let servers = start().await;
    let identity = &servers.identity;
    let assertion = client_assertion(&servers);
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", &identity.certificate_client_id),
        (
            "client_assertion_type",
            "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        ),
        ("client_assertion", &assertion),
        ("scope", &identity.send_scope),
    ];
    let first = post(&identity.token_url, &form).await;
    let replayed = post(&identity.token_url, &form).await;

    let mut smtp = Smtp::connect(servers.smtp, &servers.ca_pem).await;
    let answer = smtp
        .authenticate(&identity.mailbox, text(&first, "access_token"))
        .await;
    assert!(answer.starts_with("235 "), "{answer}");
    assert_eq!(text(&replayed, "error"), "invalid_client");
}

#[tokio::test]
#[ignore = "needs root, Postfix, Dovecot 2.3, Node.js and oidc-provider"]
async fn leaves_neither_server_nor_file_behind() {
    let servers = start().await;
    let folder = servers.folder().to_owned();
    let issuer = servers
        .identity
        .issuer_url
        .trim_start_matches("http://")
        .parse()
        .unwrap();
    let ports: [SocketAddr; 2] = [servers.smtp, issuer];
    assert!(folder.join("queue").exists());
    for port in ports {
        TcpStream::connect(port).await.unwrap();
    }

    drop(servers);

    assert!(!folder.exists());
    for port in ports {
        assert!(
            TcpStream::connect(port).await.is_err(),
            "{port} still answers"
        );
    }
}

/// What a server offers after STARTTLS, a line each.
pub(crate) async fn offers(server: SocketAddr, ca_pem: &str) -> Vec<String> {
    let capabilities = Smtp::connect(server, ca_pem).await.capabilities;
    let lines = capabilities.lines().skip(1);
    lines
        .filter_map(|line| line.get(4..).map(str::to_owned))
        .collect()
}

async fn start() -> RealServers {
    RealServers::start()
        .await
        .unwrap_or_else(|why| panic!("{why}"))
}

async fn token_by_secret(servers: &RealServers, scope: &str) -> String {
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", &servers.identity.client_id),
        ("client_secret", &servers.identity.client_secret),
        ("scope", scope),
    ];
    text(
        &post(&servers.identity.token_url, &form).await,
        "access_token",
    )
    .to_owned()
}

/// Signed as Microsoft asks for it: PS256, with the certificate's thumbprint (RFC 7515, section 4.1.8).
fn client_assertion(servers: &RealServers) -> String {
    let identity = &servers.identity;
    let certificate =
        CertificateDer::from_pem_slice(servers.client_certificate_pem.as_bytes()).unwrap();
    let thumbprint = BASE64_URL_SAFE_NO_PAD.encode(digest(&SHA256, &certificate));
    let expires_at = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap()
        .as_secs()
        + 60;
    let header = json!({"alg": "PS256", "typ": "JWT", "x5t#S256": thumbprint});
    let client = &identity.certificate_client_id;
    let claims = json!({"iss": client, "sub": client, "aud": identity.token_url, "jti": "the only one", "exp": expires_at});
    let signed = [header, claims]
        .map(|part| BASE64_URL_SAFE_NO_PAD.encode(part.to_string()))
        .join(".");
    let key = PrivatePkcs8KeyDer::from_pem_slice(identity.certificate_key_pem.as_bytes()).unwrap();
    let key = RsaKeyPair::from_pkcs8(key.secret_pkcs8_der()).unwrap();
    let mut signature = vec![0; key.public().modulus_len()];
    key.sign(
        &RSA_PSS_SHA256,
        &SystemRandom::new(),
        signed.as_bytes(),
        &mut signature,
    )
    .unwrap();
    format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
}

async fn post(url: &str, form: &[(&str, &str)]) -> Value {
    http_client()
        .post(url)
        .form(form)
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap()
}

fn claims(token: &str) -> Value {
    let payload = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}

fn text<'a>(answer: &'a Value, name: &str) -> &'a str {
    answer
        .get(name)
        .and_then(Value::as_str)
        .unwrap_or_else(|| panic!("no {name} in {answer}"))
}

/// One SMTP session over TLS, a line at a time.
struct Smtp {
    stream: BufReader<TlsStream<TcpStream>>,
    capabilities: String,
}

impl Smtp {
    async fn connect(server: SocketAddr, ca_pem: &str) -> Self {
        let mut plain = BufReader::new(TcpStream::connect(server).await.unwrap());
        read_reply(&mut plain).await;
        exchange(&mut plain, "EHLO client.example.test").await;
        assert!(exchange(&mut plain, "STARTTLS").await.starts_with("220 "));
        let name = ServerName::try_from("localhost").unwrap();
        let stream = trusting(ca_pem)
            .connect(name, plain.into_inner())
            .await
            .unwrap();
        let mut stream = BufReader::new(stream);
        let capabilities = exchange(&mut stream, "EHLO client.example.test").await;
        Self {
            stream,
            capabilities,
        }
    }

    async fn authenticate(&mut self, user: &str, token: &str) -> String {
        self.command(&format!("AUTH XOAUTH2 {}", xoauth2(user, token)))
            .await
    }

    async fn send(&mut self, from: &str, to: &str, mail: &str) {
        let stuffed = mail.replace("\r\n.", "\r\n..");
        for (command, code) in [
            (format!("MAIL FROM:<{from}>"), "250 "),
            (format!("RCPT TO:<{to}>"), "250 "),
            ("DATA".to_owned(), "354 "),
            (format!("{stuffed}."), "250 "),
        ] {
            let reply = self.command(&command).await;
            assert!(reply.starts_with(code), "{command}: {reply}");
        }
    }

    async fn command(&mut self, line: &str) -> String {
        exchange(&mut self.stream, line).await
    }
}

fn xoauth2(user: &str, token: &str) -> String {
    BASE64_STANDARD.encode(format!("user={user}\x01auth=Bearer {token}\x01\x01"))
}

async fn exchange(
    stream: &mut BufReader<impl AsyncRead + AsyncWrite + Unpin>,
    line: &str,
) -> String {
    stream
        .write_all(format!("{line}\r\n").as_bytes())
        .await
        .unwrap();
    stream.flush().await.unwrap();
    read_reply(stream).await
}

async fn read_reply(stream: &mut BufReader<impl AsyncRead + Unpin>) -> String {
    let mut reply = String::new();
    loop {
        let start = reply.len();
        stream.read_line(&mut reply).await.unwrap();
        if reply.get(start..).unwrap().get(3..4) != Some("-") {
            return reply;
        }
    }
}

fn trusting(ca_pem: &str) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(ca_pem.as_bytes()).unwrap())
        .unwrap();
    let configuration =
        ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
    TlsConnector::from(Arc::new(configuration))
}

const SOMEONE: &str = "someone@example.test";

/// With what a careless server would change: dots at line starts, trailing spaces, eight-bit text, no Message-ID, headers
/// in an order and case of their own, an empty line at the end.
const MAIL: &str = "SUBJECT: =?utf-8?q?dots?=\r\nFrom: \"An App\" <app@example.test>\r\nTo: reader@example.test,\r\n \
    others@example.test\r\n\r\n.leading dot\r\n..two dots\r\ntrailing spaces  \r\nGrüße\r\nFrom here on\r\n\r\n";
