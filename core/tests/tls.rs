//! Which certificates the default network takes: the right authority, the right name and the right time, every time.

#![expect(clippy::unwrap_used, reason = "tests may stop where they stand")]

use mailbearer::host::{Network as _, SystemNetwork};
use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair, date_time_ymd};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use std::sync::Arc;
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
    let key = KeyPair::generate().unwrap();
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
    let stream = network.connect("127.0.0.1", port).await.unwrap();
    let roots = trusted.map(|trusted| Arc::from(trusted.certificate.pem()));
    let started = network.start_tls(stream, "localhost", roots.as_ref()).await;
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
