//! TCP and TLS streams. Errors say which host and port, and what most often stands in the way there.
//! Every future here may be dropped.

use super::dial::dial;
use super::proxy::{Proxy, is_near, unsupported};
use super::tls::{TlsParameters, TlsSettings, is_authority_as_server};
use crate::error::{Error, Result};
use crate::model::{ProblemKind, TlsSession};
use async_trait::async_trait;
use rustls::pki_types::ServerName;
use std::fmt::Debug;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// A connected stream of octets.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {
    /// The address of this end, where the stream has one.
    fn local_address(&self) -> Option<SocketAddr>;
}

/// Where connections come from.
#[async_trait]
pub trait Network: Send + Sync + Debug {
    /// Looks up the name and connects, within `limit`, to the first of its addresses that answers.
    /// Errors: `Unavailable`; through a proxy also `Config`.
    async fn connect(&self, host: &str, port: u16, limit: Duration) -> Result<Box<dyn Stream>>;

    /// Starts TLS on a connected stream, checking the certificate and that it carries `host` (RFC 9525).
    /// Errors: `Unavailable`, `Config`.
    async fn start_tls(
        &self,
        stream: Box<dyn Stream>,
        host: &str,
        parameters: &TlsParameters,
    ) -> Result<(Box<dyn Stream>, TlsSession)>;

    /// The same network with connections through a proxy. Errors: `Misuse`, unless implemented.
    fn through(&self, _proxy: &Proxy) -> Result<Arc<dyn Network>> {
        Err(unsupported())
    }
}

/// The machine's own network. Addresses are tried as RFC 8305 says; this machine itself is reached without the proxy.
/// TLS sessions are resumed from one connection to the next.
#[derive(Clone, Debug, Default)]
pub struct SystemNetwork {
    tls: Arc<TlsSettings>,
    proxy: Option<Proxy>,
}

#[async_trait]
impl Network for SystemNetwork {
    async fn connect(&self, host: &str, port: u16, limit: Duration) -> Result<Box<dyn Stream>> {
        match &self.proxy {
            Some(proxy) if !is_near(host) => proxy.connect(host, port, limit).await,
            _ => Ok(Box::new(dial(host, port, limit).await?)),
        }
    }

    async fn start_tls(
        &self,
        stream: Box<dyn Stream>,
        host: &str,
        parameters: &TlsParameters,
    ) -> Result<(Box<dyn Stream>, TlsSession)> {
        let config = self.tls.client(parameters)?;
        let name = ServerName::try_from(host.to_owned())
            .map_err(|error| invalid_host(host).with_source(error))?;
        let stream = TlsConnector::from(config)
            .connect(name, stream)
            .await
            .map_err(|error| tls_error(host, error))?;
        let session = tls_session(stream.get_ref().1);
        Ok((Box::new(stream), session))
    }

    fn through(&self, proxy: &Proxy) -> Result<Arc<dyn Network>> {
        Ok(Arc::new(Self {
            tls: self.tls.clone(),
            proxy: Some(proxy.clone()),
        }))
    }
}

impl Stream for TcpStream {
    fn local_address(&self) -> Option<SocketAddr> {
        self.local_addr().ok()
    }
}

/// Connects to a service of this machine. Errors: `Unavailable`.
#[cfg(all(unix, feature = "postgres"))]
pub(crate) async fn connect_unix(path: &std::path::Path) -> Result<Box<dyn Stream>> {
    let connected = tokio::net::UnixStream::connect(path).await;
    let stream = connected.map_err(|error| {
        Error::new(
            ProblemKind::Unavailable,
            "connection-refused",
            format!("nothing accepts connections at {}: {}", path.display(), error.kind()),
            "check that the service runs on this machine, and that this process's user may use the socket",
        )
        .with_source(error)
    })?;
    Ok(Box::new(stream))
}

#[cfg(all(unix, feature = "postgres"))]
impl Stream for tokio::net::UnixStream {
    fn local_address(&self) -> Option<SocketAddr> {
        None
    }
}

impl Stream for tokio_rustls::client::TlsStream<Box<dyn Stream>> {
    fn local_address(&self) -> Option<SocketAddr> {
        self.get_ref().0.local_address()
    }
}

fn tls_session(connection: &rustls::ClientConnection) -> TlsSession {
    let version = match connection.protocol_version() {
        Some(rustls::ProtocolVersion::TLSv1_3) => "TLSv1.3",
        Some(rustls::ProtocolVersion::TLSv1_2) => "TLSv1.2",
        _ => "unknown",
    };
    let suite = connection.negotiated_cipher_suite();
    let cipher_suite = suite.and_then(|suite| suite.suite().as_str());
    TlsSession {
        version: version.to_owned(),
        // rustls writes TLS 1.3 suites as TLS13_...; IANA's registry says TLS_....
        cipher_suite: cipher_suite.unwrap_or("unknown").replace("TLS13_", "TLS_"),
        resumed: connection.handshake_kind() == Some(rustls::HandshakeKind::Resumed),
    }
}

fn invalid_host(host: &str) -> Error {
    Error::new(
        ProblemKind::Config,
        "host-name-invalid",
        format!("not a host name that a certificate can carry: {host}"),
        "give the server's DNS name",
    )
}

/// Tells a failed handshake's likely cause from what rustls found.
fn tls_error(host: &str, error: io::Error) -> Error {
    if let Some(refusal) = client_certificate_refusal(host, &error) {
        return refusal.with_source(error);
    }
    let rustls_error = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<rustls::Error>());
    let (code, text, fix) = match rustls_error {
        Some(rustls::Error::InvalidCertificate(problem)) => certificate_problem(host, problem),
        Some(rustls::Error::PeerIncompatible(_) | rustls::Error::AlertReceived(_)) => (
            "tls-too-old",
            format!("{host} and this program have no TLS version or cipher in common"),
            "the server must offer TLS 1.2 or 1.3; look for a device in between that rewrites TLS",
        ),
        Some(rustls::Error::InvalidMessage(_)) => (
            "wrong-port-or-security",
            format!("{host} did not answer with TLS"),
            "check host and port: submission uses STARTTLS on port 587",
        ),
        _ => (
            "tls-handshake-failed",
            format!("the TLS handshake with {host} broke off"),
            "try again; if it goes on, look for a firewall or scanner that interferes with TLS",
        ),
    };
    Error::new(ProblemKind::Unavailable, code, text, fix).with_source(error)
}

/// The error for a server that says it did not get the client's certificate, or does not like it (RFC 8446 section 6.2).
/// In TLS 1.3 it says so after the client has finished the handshake, so that the next read learns it.
pub(crate) fn client_certificate_refusal(host: &str, error: &io::Error) -> Option<Error> {
    use rustls::AlertDescription as Alert;
    let error = error.get_ref()?.downcast_ref::<rustls::Error>()?;
    let rustls::Error::AlertReceived(alert) = error else {
        return None;
    };
    let is_of_client = matches!(
        alert,
        Alert::CertificateRequired
            | Alert::BadCertificate
            | Alert::UnsupportedCertificate
            | Alert::CertificateRevoked
            | Alert::CertificateExpired
            | Alert::CertificateUnknown
            | Alert::UnknownCA
            | Alert::AccessDenied
    );
    is_of_client.then(|| {
        Error::new(
            ProblemKind::Config,
            "client-certificate-refused",
            format!("{host} does not accept what this client shows of itself: {alert:?}"),
            "show a certificate that the server knows and that is in its time, with the authorities that signed it",
        )
    })
}

fn certificate_problem(
    host: &str,
    problem: &rustls::CertificateError,
) -> (&'static str, String, &'static str) {
    use rustls::CertificateError as Certificate;
    match problem {
        problem if is_authority_as_server(problem) => (
            "proxy-interference",
            format!("the certificate of {host} is self-signed, and this machine does not trust it"),
            "if this server is your own, give its certificate as ca_pem; \
             otherwise a proxy or virus scanner may stand in between: exclude this host or trust its root",
        ),
        // A wrong signature is what an authority of the same name with another key gives.
        Certificate::UnknownIssuer | Certificate::BadSignature => (
            "proxy-interference",
            format!(
                "the certificate of {host} comes from an authority this machine does not trust"
            ),
            "if a proxy or virus scanner inspects TLS here, exclude this host or trust its root (ca_pem); \
             otherwise install the system's root certificates",
        ),
        Certificate::NotValidForName | Certificate::NotValidForNameContext { .. } => (
            "wrong-host",
            format!("the certificate of the server does not carry the name {host}"),
            "use the host name the provider documents, never an IP address or an alias of your own",
        ),
        Certificate::Expired | Certificate::ExpiredContext { .. } => (
            "certificate-out-of-date",
            format!("the certificate of {host} has expired, by this machine's clock"),
            "check this machine's clock; if it is right, the server's certificate needs renewal",
        ),
        Certificate::NotValidYet | Certificate::NotValidYetContext { .. } => (
            "clock-skew",
            format!("the certificate of {host} is not valid yet, by this machine's clock"),
            "set this machine's clock (NTP)",
        ),
        _ => (
            "certificate-invalid",
            format!("the certificate of {host} is not acceptable"),
            "look for a proxy or scanner that replaces certificates; otherwise report it to the server's owner",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_the_cause_of_a_failed_handshake() {
        fn check(error: rustls::Error, expected: &str) {
            let error = tls_error("smtp.example.test", io::Error::other(error));
            assert_eq!(error.code(), expected);
        }
        let certificate = rustls::Error::InvalidCertificate;
        check(
            certificate(rustls::CertificateError::UnknownIssuer),
            "proxy-interference",
        );
        check(
            certificate(rustls::CertificateError::NotValidForName),
            "wrong-host",
        );
        check(
            certificate(rustls::CertificateError::NotValidYet),
            "clock-skew",
        );
        check(
            rustls::Error::InvalidMessage(rustls::InvalidMessage::InvalidContentType),
            "wrong-port-or-security",
        );
        let check = |alert, expected: &str| {
            let error = rustls::Error::AlertReceived(alert);
            let error = tls_error("smtp.example.test", io::Error::other(error));
            assert_eq!(error.code(), expected);
        };
        check(
            rustls::AlertDescription::CertificateRequired,
            "client-certificate-refused",
        );
        check(
            rustls::AlertDescription::UnknownCA,
            "client-certificate-refused",
        );
        check(rustls::AlertDescription::ProtocolVersion, "tls-too-old");
        let broken = tls_error("smtp.example.test", io::ErrorKind::UnexpectedEof.into());
        assert_eq!(broken.code(), "tls-handshake-failed");
    }
}
