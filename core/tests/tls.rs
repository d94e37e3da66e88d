//! Which certificates the default network takes: the right authority, the right name and the right time, every time.

#![expect(clippy::unwrap_used, reason = "tests may stop where they stand")]

use mailbearer::host::{ClientIdentity, Network as _, SystemNetwork, TlsParameters};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, date_time_ymd,
};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use rustls::server::WebPkiClientVerifier;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// A self-signed certificate, as an authority or not, and its key.
struct SelfSigned {
    certificate: rcgen::Certificate,
    key: KeyPair,
}

fn self_signed(names: &[&str], is_authority: bool, last_year: i32) -> SelfSigned {
    let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut parameters = CertificateParams::new(names).unwrap();
    parameters.not_before = date_time_ymd(2020, 1, 1);
    parameters.not_after = date_time_ymd(last_year, 1, 1);
    if is_authority {
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    }
    // Authorities that share a name are taken for each other.
    let key = KeyPair::generate().unwrap();
    let name = format!(
        "authority of {last_year} with {:?}",
        key.public_key_raw().last()
    );
    parameters.distinguished_name = DistinguishedName::new();
    parameters.distinguished_name.push(DnType::CommonName, name);
    let certificate = parameters.self_signed(&key).unwrap();
    SelfSigned { certificate, key }
}

/// Handshakes with a server that shows `shown`, trusting `trusted` beside the system's roots.
async fn handshake(shown: &SelfSigned, trusted: Option<&SelfSigned>) -> Result<String, String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let key = PrivateKeyDer::try_from(shown.key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![shown.certificate.der().clone()], key)
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        // Refused handshakes are what half of these tests want.
        let _ = TlsAcceptor::from(Arc::new(config)).accept(stream).await;
    });
    let network = SystemNetwork::default();
    let stream = network
        .connect("127.0.0.1", port, Duration::from_secs(30))
        .await
        .unwrap();
    let parameters = TlsParameters {
        extra_roots_pem: trusted.map(|trusted| Arc::from(trusted.certificate.pem())),
        identity: None,
    };
    let started = network.start_tls(stream, "localhost", &parameters).await;
    match started {
        Ok((_, session)) => Ok(session.version),
        Err(error) => Err(error.code().to_owned()),
    }
}

#[tokio::test]
async fn takes_a_self_signed_certificate_only_when_it_was_given_and_names_the_host_in_its_time() {
    for is_authority in [true, false] {
        let good = self_signed(&["localhost"], is_authority, 2090);
        let version = handshake(&good, Some(&good)).await;
        assert_eq!(version.as_deref(), Ok("TLSv1.3"), "{is_authority}");

        let check = async |shown: &SelfSigned, trusted: Option<&SelfSigned>, expected: &str| {
            let refused = handshake(shown, trusted).await;
            assert_eq!(refused.unwrap_err(), expected, "{is_authority}");
        };
        check(&good, None, "proxy-interference").await;
        let another = self_signed(&["localhost"], is_authority, 2090);
        check(&good, Some(&another), "proxy-interference").await;
        let other_name = self_signed(&["mail.example.test"], is_authority, 2090);
        check(&other_name, Some(&other_name), "wrong-host").await;
        let expired = self_signed(&["localhost"], is_authority, 2021);
        check(&expired, Some(&expired), "certificate-out-of-date").await;
    }
}

/// A server that greets with one octet after the handshake, in one version of TLS, and may ask for certificates of this
/// authority.
async fn greeter(
    shown: &SelfSigned,
    version: &'static rustls::SupportedProtocolVersion,
    clients: Option<&SelfSigned>,
) -> u16 {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let key = PrivateKeyDer::try_from(shown.key.serialize_der()).unwrap();
    let builder = ServerConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&[version])
        .unwrap();
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(authority) => {
            let mut roots = rustls::RootCertStore::empty();
            roots.add(authority.certificate.der().clone()).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            builder.with_client_cert_verifier(verifier.build().unwrap())
        }
    };
    let config = builder
        .with_single_cert(vec![shown.certificate.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            // Refused handshakes are what some of these tests want.
            if let Ok(mut stream) = acceptor.accept(stream).await {
                let _ = stream.write_all(b"x").await;
                let _ = stream.shutdown().await;
            }
        }
    });
    port
}

/// Starts TLS and reads to the end, as whoever goes on does.
async fn greeted(
    network: &SystemNetwork,
    port: u16,
    parameters: &TlsParameters,
) -> Result<mailbearer::model::TlsSession, String> {
    let stream = network
        .connect("localhost", port, Duration::from_secs(30))
        .await
        .unwrap();
    let started = network.start_tls(stream, "localhost", parameters).await;
    let told = |error: mailbearer::Error| {
        let source = std::error::Error::source(&error).map(ToString::to_string);
        format!("{}: {}", error.code(), source.unwrap_or_default())
    };
    let (mut stream, session) = started.map_err(told)?;
    let mut heard = Vec::new();
    let read = stream.read_to_end(&mut heard).await;
    read.map_err(|error| error.to_string())?;
    assert_eq!(heard, b"x");
    Ok(session)
}

const VERSIONS: [&rustls::SupportedProtocolVersion; 2] =
    [&rustls::version::TLS12, &rustls::version::TLS13];

#[tokio::test]
async fn a_second_session_with_a_server_goes_on_from_the_first_one() {
    let shown = self_signed(&["localhost"], false, 2090);
    let parameters = TlsParameters {
        extra_roots_pem: Some(shown.certificate.pem().into()),
        identity: None,
    };
    for version in VERSIONS {
        let port = greeter(&shown, version, None).await;
        let network = SystemNetwork::default();
        let first = greeted(&network, port, &parameters).await.unwrap();
        let second = greeted(&network, port, &parameters).await.unwrap();
        assert!(!first.resumed && second.resumed, "{first:?} {second:?}");
        // Other roots, or another handle, trust nothing that these did.
        let another = greeted(&SystemNetwork::default(), port, &parameters)
            .await
            .unwrap();
        assert!(!another.resumed);
        let untrusting = greeted(&network, port, &TlsParameters::default()).await;
        assert!(untrusting.unwrap_err().contains("proxy-interference"));
    }
}

#[tokio::test]
async fn a_server_that_asks_for_a_certificate_gets_the_one_to_show() {
    let shown = self_signed(&["localhost"], false, 2090);
    let authority = self_signed(&[], true, 2090);
    let client_key = KeyPair::generate().unwrap();
    let mut client = CertificateParams::new(vec!["relay.contoso.example".to_owned()]).unwrap();
    client.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let issuer = Issuer::from_ca_cert_der(authority.certificate.der(), &authority.key).unwrap();
    let client = client.signed_by(&client_key, &issuer).unwrap();
    let stranger = self_signed(&["relay.contoso.example"], false, 2090);
    let parameters = |certificate_pem: String, key: &KeyPair| TlsParameters {
        extra_roots_pem: Some(shown.certificate.pem().into()),
        identity: Some(Arc::new(ClientIdentity {
            certificate_pem,
            private_key_pem: key.serialize_pem().into(),
        })),
    };
    let good = parameters(client.pem(), &client_key);
    let bad = parameters(stranger.certificate.pem(), &stranger.key);
    let none = TlsParameters {
        identity: None,
        ..good.clone()
    };
    for version in VERSIONS {
        let port = greeter(&shown, version, Some(&authority)).await;
        let network = SystemNetwork::default();
        for _ in 0..2 {
            greeted(&network, port, &good).await.unwrap();
        }
        let is_old = version == &rustls::version::TLS12;
        // TLS 1.3 tells after the handshake.
        for (refused, alert) in [(&bad, "UnknownCA"), (&none, "CertificateRequired")] {
            let error = greeted(&network, port, refused).await.unwrap_err();
            assert!(error.contains(alert), "{version:?}: {error}");
            let is_told = error.contains("client-certificate-refused");
            assert!(is_told || !is_old, "{error}");
        }
    }
}
