//! TLS for clients: certificates and names are always checked, against the system's roots and any extra ones.
//! The one place that chooses the cryptography provider and the protocol versions.

use crate::error::{Error, Result};
use crate::model::ProblemKind;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_name;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, SignatureScheme};
use rustls_platform_verifier::Verifier;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

/// Client settings by extra roots, so that each set is read from the system once and sessions can be resumed.
#[derive(Debug, Default)]
pub(crate) struct TlsSettings {
    by_extra_roots: Mutex<HashMap<Option<Arc<str>>, Arc<ClientConfig>>>,
}

impl TlsSettings {
    /// The settings that trust the system's roots and those in `extra_roots_pem`.
    pub(crate) fn trusting(&self, extra_roots_pem: Option<&Arc<str>>) -> Result<Arc<ClientConfig>> {
        let key = extra_roots_pem.cloned();
        let mut known = self
            .by_extra_roots
            .lock()
            .unwrap_or_else(|e| e.into_inner());
        if let Some(config) = known.get(&key) {
            return Ok(config.clone());
        }
        let config = Arc::new(client_config(extra_roots_pem.map(AsRef::as_ref))?);
        known.insert(key, config.clone());
        Ok(config)
    }
}

fn client_config(extra_roots_pem: Option<&str>) -> Result<ClientConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let extra_roots = extra_roots_pem.map_or(Ok(Vec::new()), extra_roots)?;
    let platform = Verifier::new_with_extra_roots(extra_roots.clone(), provider.clone());
    let verifier = Verify {
        platform: platform.map_err(no_roots)?,
        extra_roots,
    };
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(no_roots)?
        .dangerous() // Names the door to own verifiers; see what ours adds to the platform's.
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    Ok(config)
}

/// The platform's verifier, and one thing more: a certificate that was itself given as an extra root is trusted for the
/// names in it. Servers in tests and small networks are often set up with one self-signed certificate that claims to be
/// an authority, as `openssl req -x509` makes it; the standard verifier refuses an authority as a server.
#[derive(Debug)]
struct Verify {
    platform: Verifier,
    extra_roots: Vec<CertificateDer<'static>>,
}

impl ServerCertVerifier for Verify {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let verified = self.platform.verify_server_cert(
            end_entity,
            intermediates,
            server_name,
            ocsp_response,
            now,
        );
        match verified {
            // The time was checked before this was found (webpki checks validity first); the name was not.
            Err(rustls::Error::InvalidCertificate(problem))
                if is_authority_as_server(&problem) && self.extra_roots.contains(end_entity) =>
            {
                verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
                Ok(ServerCertVerified::assertion())
            }
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.platform
            .verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.platform
            .verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.platform.supported_verify_schemes()
    }
}

/// Whether a server showed an authority's certificate as its own, usually a self-signed one.
pub(super) fn is_authority_as_server(problem: &CertificateError) -> bool {
    let CertificateError::Other(other) = problem else {
        return false;
    };
    let problem = other.0.downcast_ref::<webpki::Error>();
    problem == Some(&webpki::Error::CaUsedAsEndEntity)
}

/// Reads certificates from PEM text (RFC 7468).
fn extra_roots(pem: &str) -> Result<Vec<CertificateDer<'static>>> {
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(pem.as_bytes())
        .collect::<Result<_, _>>()
        .map_err(|error| bad_roots().with_source(error))?;
    if certificates.is_empty() {
        return Err(bad_roots());
    }
    Ok(certificates)
}

fn bad_roots() -> Error {
    Error::new(
        ProblemKind::Config,
        "ca-pem-invalid",
        "the extra certificates (ca_pem) hold no readable certificate",
        "give PEM text with at least one block of BEGIN CERTIFICATE ... END CERTIFICATE",
    )
}

fn no_roots(error: rustls::Error) -> Error {
    Error::new(
        ProblemKind::Config,
        "ca-bundle-missing",
        "the system has no usable root certificates",
        "install them (Debian: apt-get install ca-certificates), or give your own as ca_pem",
    )
    .with_source(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_extra_roots_that_hold_no_certificate() {
        fn check(pem: &str) {
            let error = TlsSettings::default()
                .trusting(Some(&pem.into()))
                .unwrap_err();
            assert_eq!(error.code(), "ca-pem-invalid", "{pem:?}");
        }
        check("");
        check("certificate");
        check("-----BEGIN CERTIFICATE-----\n***\n-----END CERTIFICATE-----\n");
    }
}
