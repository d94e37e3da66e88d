//! TLS for clients: certificates and names are always checked, against the system's roots and any extra ones.
//! The one place that chooses the cryptography provider and the protocol versions.

use crate::error::{Error, Result};
use crate::model::ProblemKind;
use crate::secret::SecretText;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_name;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, SignatureScheme};
use rustls_platform_verifier::Verifier;
use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, Mutex};

/// What a connection trusts beside the system's roots, and what it shows of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct TlsParameters {
    /// Certificates to trust beside the system's, as PEM text. Default: none.
    pub extra_roots_pem: Option<Arc<str>>,
    /// The certificate to show when the server asks for one. Default: none.
    pub identity: Option<Arc<ClientIdentity>>,
}

/// A client's certificate and its key (RFC 8446 section 4.4.2).
#[derive(Clone, Debug)]
pub struct ClientIdentity {
    /// The certificate, then the authorities between it and one that the server knows, as PEM text.
    pub certificate_pem: String,
    /// The certificate's key, as PEM text, not encrypted: PKCS#8, PKCS#1 or SEC1.
    pub private_key_pem: SecretText,
}

/// By the certificates: each has one key.
impl PartialEq for ClientIdentity {
    fn eq(&self, other: &Self) -> bool {
        self.certificate_pem == other.certificate_pem
    }
}

impl Eq for ClientIdentity {}

impl Hash for ClientIdentity {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.certificate_pem.hash(state);
    }
}

/// Client settings by their parameters, so that each set is read from the system once and sessions can be resumed.
#[derive(Debug, Default)]
pub(crate) struct TlsSettings {
    known: Mutex<HashMap<TlsParameters, Arc<ClientConfig>>>,
}

impl TlsSettings {
    /// The settings for these parameters.
    pub(crate) fn client(&self, parameters: &TlsParameters) -> Result<Arc<ClientConfig>> {
        let mut known = self.known.lock().unwrap_or_else(|e| e.into_inner());
        if let Some(config) = known.get(parameters) {
            return Ok(config.clone());
        }
        let config = Arc::new(client_config(parameters)?);
        known.insert(parameters.clone(), config.clone());
        Ok(config)
    }

    /// The settings that trust the system's roots and those in `extra_roots_pem`.
    pub(crate) fn trusting(&self, extra_roots_pem: Option<&Arc<str>>) -> Result<Arc<ClientConfig>> {
        self.client(&TlsParameters {
            extra_roots_pem: extra_roots_pem.cloned(),
            identity: None,
        })
    }
}

fn client_config(parameters: &TlsParameters) -> Result<ClientConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let extra_roots_pem = parameters.extra_roots_pem.as_deref();
    let extra_roots = extra_roots_pem.map_or(Ok(Vec::new()), extra_roots)?;
    let platform = Verifier::new_with_extra_roots(extra_roots.clone(), provider.clone());
    let verifier = Verify {
        platform: platform.map_err(no_roots)?,
        extra_roots,
    };
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(no_roots)?
        .dangerous() // Names the door to own verifiers; see what ours adds to the platform's.
        .with_custom_certificate_verifier(Arc::new(verifier));
    match &parameters.identity {
        None => Ok(builder.with_no_client_auth()),
        Some(identity) => {
            let (certificates, key) = identity.read()?;
            let config = builder.with_client_auth_cert(certificates, key);
            config.map_err(|error| bad_identity("they do not fit together").with_source(error))
        }
    }
}

impl ClientIdentity {
    fn read(&self) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)> {
        let certificates: Vec<_> = CertificateDer::pem_slice_iter(self.certificate_pem.as_bytes())
            .collect::<Result<_, _>>()
            .map_err(|error| bad_identity("no readable certificate").with_source(error))?;
        if certificates.is_empty() {
            return Err(bad_identity("no readable certificate"));
        }
        // Exposed to sign with. What went wrong with it may be part of it, so there is no source.
        let key = PrivateKeyDer::from_pem_slice(self.private_key_pem.expose().as_bytes());
        let key = key.map_err(|_| bad_identity("no readable key, or an encrypted one"))?;
        Ok((certificates, key))
    }
}

fn bad_identity(why: &str) -> Error {
    Error::new(
        ProblemKind::Config,
        "client-certificate-invalid",
        format!("the certificate and key to show to the server cannot be used: {why}"),
        "give the certificate as PEM text, with the authorities between it and its root, and its own key, not encrypted",
    )
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
    fn refuses_a_client_certificate_that_cannot_be_used_and_does_not_show_its_key() {
        let key = rcgen::KeyPair::generate().unwrap();
        let parameters = rcgen::CertificateParams::new(vec!["a.test".to_owned()]).unwrap();
        let certificate = parameters.self_signed(&key).unwrap().pem();
        let another = rcgen::KeyPair::generate().unwrap().serialize_pem();
        let check = |certificate: &str, key: &str, expected: Option<&str>| {
            let parameters = TlsParameters {
                extra_roots_pem: None,
                identity: Some(Arc::new(ClientIdentity {
                    certificate_pem: certificate.to_owned(),
                    private_key_pem: key.to_owned().into(),
                })),
            };
            let made = TlsSettings::default().client(&parameters);
            match (&made, expected) {
                (Ok(_), None) => {}
                (Err(error), Some(why)) => {
                    assert_eq!(error.code(), "client-certificate-invalid");
                    assert!(error.to_string().contains(why), "{error}");
                    let shown = format!("{error:?} {parameters:?}");
                    assert!(key.is_empty() || !shown.contains(key), "{shown}");
                }
                _ => panic!("{made:?}"),
            }
        };
        check(&certificate, &key.serialize_pem(), None);
        check(&certificate, &another, Some("fit together"));
        check(&certificate, "", Some("key"));
        check(&certificate, "/etc/key.pem", Some("key"));
        check("", &key.serialize_pem(), Some("certificate"));
    }

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
