//! A connector relay that knows its clients by their certificates, and by nothing else.

#![expect(clippy::unwrap_used, reason = "tests may stop where they stand")]

mod support;

use mailbearer::NewAccount;
use mailbearer::model::{Grant, Route};
use rcgen::{CertificateParams, KeyPair, PKCS_RSA_SHA256};
use rsa::Generate as _;
use rsa::pkcs8::{EncodePrivateKey as _, LineEnding};
use rustls::pki_types::PrivateKeyDer;
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use std::sync::{Arc, Mutex};
use support::{World, mail, service};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// A self-signed certificate with an RSA key, as accounts have it.
struct Shown {
    certificate: rcgen::Certificate,
    key_pem: String,
}

fn shown(name: &str) -> Shown {
    let key = rsa::PrivateKey::generate()
        .to_pkcs8_pem(LineEnding::LF)
        .unwrap();
    let pair = KeyPair::from_pem_and_sign_algo(&key, &PKCS_RSA_SHA256).unwrap();
    let parameters = CertificateParams::new(vec![name.to_owned()]).unwrap();
    Shown {
        certificate: parameters.self_signed(&pair).unwrap(),
        key_pem: key.to_string(),
    }
}

/// Reads commands, answers each, and keeps them. STARTTLS ends it, and so does QUIT.
async fn obey(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    heard: &Mutex<Vec<String>>,
    offer: &str,
) {
    let mut stream = BufReader::new(stream);
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await.unwrap_or(0) == 0 {
            return;
        }
        let command = line.trim_end().to_owned();
        heard.lock().unwrap().push(command.clone());
        let answer = match command.split(' ').next().unwrap_or_default() {
            "EHLO" => format!("250-relay\r\n250 {offer}\r\n"),
            "STARTTLS" => "220 go\r\n".to_owned(),
            "DATA" => "354 go\r\n".to_owned(),
            "MAIL" | "RCPT" | "." | "RSET" => "250 2.0.0 ok\r\n".to_owned(),
            "QUIT" => "221 bye\r\n".to_owned(),
            _ => continue,
        };
        stream.write_all(answer.as_bytes()).await.unwrap();
        if matches!(command.as_str(), "STARTTLS" | "QUIT") {
            return;
        }
    }
}

/// A server that takes mail from whoever shows `client`'s certificate. Gives its port and what it hears.
async fn relay(own: &Shown, client: &Shown) -> (u16, Arc<Mutex<Vec<String>>>) {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut roots = RootCertStore::empty();
    roots.add(client.certificate.der().clone()).unwrap();
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone());
    let key = rustls::pki_types::pem::PemObject::from_pem_slice(own.key_pem.as_bytes());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier.build().unwrap())
        .with_single_cert(
            vec![own.certificate.der().clone()],
            PrivateKeyDer::Pkcs8(key.unwrap()),
        )
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let heard = Arc::new(Mutex::new(Vec::new()));
    let kept = heard.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let (acceptor, kept) = (acceptor.clone(), kept.clone());
            tokio::spawn(async move {
                stream.write_all(b"220 relay\r\n").await.unwrap();
                obey(&mut stream, &kept, "STARTTLS").await;
                // A refused handshake is what half of the test wants.
                if let Ok(stream) = acceptor.accept(stream).await {
                    obey(stream, &kept, "SIZE 1000000").await;
                }
            });
        }
    });
    (port, heard)
}

fn account(world: &World, port: u16, server: &Shown, name: &str, client: &Shown) -> NewAccount {
    let mut account = service(&world.sandbox);
    account.name = name.to_owned();
    account.route = Route::ConnectorRelay {
        host: None,
        port: None,
    };
    account.grant = Grant::ClientCertificate {
        certificate_pem: client.certificate.pem(),
        private_key_pem: client.key_pem.clone().into(),
        private_key_passphrase: None,
    };
    account.endpoints.smtp_port = Some(port);
    account.endpoints.ca_pem = Some(server.certificate.pem());
    account
}

#[tokio::test]
async fn a_relay_knows_its_client_by_the_certificate() {
    let world = World::start().await;
    let (server, client) = (shown("localhost"), shown("relay.contoso.example"));
    let stranger = shown("relay.contoso.example");
    let (port, heard) = relay(&server, &client).await;
    for (name, certificate) in [("known", &client), ("stranger", &stranger)] {
        let account = account(&world, port, &server, name, certificate);
        world.mailbearer.add_account(account).await.unwrap();
    }
    let to = ["carol@elsewhere.example"];
    let delivery = world.mailbearer.send(mail("known", &to)).await.unwrap();
    assert_eq!(delivery.trail.token, None);
    let commands = std::mem::take(&mut *heard.lock().unwrap());
    assert!(
        commands
            .iter()
            .any(|line| line.starts_with("RCPT TO:<carol"))
    );
    let signs_in = |line: &String| line.starts_with("AUTH");
    assert!(!commands.iter().any(signs_in), "{commands:?}");

    let error = world.mailbearer.send(mail("stranger", &to)).await;
    let code = error.unwrap_err().code().to_owned();
    assert!(
        ["client-certificate-refused", "connection-lost"].contains(&&*code),
        "{code}"
    );
    let commands = heard.lock().unwrap().clone();
    assert!(!commands.iter().any(|line| line.starts_with("MAIL")));
}
