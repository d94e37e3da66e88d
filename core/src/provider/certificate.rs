//! An application's certificate and its key: read, compared, and ready to sign. Only RSA, which is what Entra ID takes.

use super::refusal;
use crate::error::{Error, Result};
use crate::secret::SecretText;
use ring::digest::{SHA256, digest};
use ring::rand::SystemRandom;
use ring::signature::{KeyPair as _, RSA_PSS_SHA256, RsaKeyPair};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::fmt;
use x509_parser::prelude::{FromDer as _, X509Certificate};

/// A certificate with its key.
pub(crate) struct Certificate {
    /// The SHA-256 digest of the certificate (`x5t#S256`, RFC 7515 section 4.1.8).
    pub(crate) thumbprint: Vec<u8>,
    /// When it ends, in milliseconds since 1970-01-01T00:00:00Z.
    pub(crate) expires_at_unix_ms: i64,
    key: RsaKeyPair,
}

impl fmt::Debug for Certificate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Certificate")
            .field("expires_at_unix_ms", &self.expires_at_unix_ms)
            .finish_non_exhaustive()
    }
}

impl Certificate {
    /// Signs with RSASSA-PSS and SHA-256 (PS256, RFC 7518 section 3.5).
    pub(crate) fn sign(&self, text: &[u8]) -> Result<Vec<u8>> {
        let mut signature = vec![0; self.key.public().modulus_len()];
        self.key
            .sign(&RSA_PSS_SHA256, &SystemRandom::new(), text, &mut signature)
            .map_err(|_| bad_key("cannot sign", "Make a new key and certificate."))?;
        Ok(signature)
    }
}

fn end_of(certificate: &X509Certificate<'_>) -> i64 {
    let end = certificate.validity().not_after.timestamp();
    end.saturating_mul(1000)
}

/// Reads both, and checks that they belong together. Of several certificates, as in a chain, the key's own counts.
/// Errors: `Config`.
pub(crate) fn read(certificate_pem: &str, private_key_pem: &SecretText) -> Result<Certificate> {
    let ders = certificates(certificate_pem)?;
    let key = read_key(private_key_pem)?;
    for der in ders {
        let (_, certificate) = X509Certificate::from_der(&der)
            .map_err(|_| bad_certificate("holds a certificate that cannot be read"))?;
        let public = &certificate.public_key().subject_public_key.data;
        if public.as_ref() == key.public_key().as_ref() {
            return Ok(Certificate {
                thumbprint: digest(&SHA256, &der).as_ref().to_vec(),
                expires_at_unix_ms: end_of(&certificate),
                key,
            });
        }
    }
    Err(bad_key(
        "belongs to another certificate",
        "Give the key that the certificate was made with.",
    ))
}

/// At least one, each of which can be read.
fn certificates(pem: &str) -> Result<Vec<CertificateDer<'static>>> {
    let ders: std::result::Result<Vec<_>, _> =
        CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    let ders = ders.map_err(|_| bad_certificate("holds a certificate that was cut or altered"))?;
    if ders.is_empty() {
        return Err(bad_certificate("holds no certificate in PEM form"));
    }
    match ders
        .iter()
        .all(|der| X509Certificate::from_der(der).is_ok())
    {
        true => Ok(ders),
        false => Err(bad_certificate("holds a certificate that cannot be read")),
    }
}

fn read_key(pem: &SecretText) -> Result<RsaKeyPair> {
    // Exposed to be parsed; no error repeats it.
    let text = pem.expose();
    if text.contains("ENCRYPTED") {
        return Err(bad_key(
            "is encrypted",
            "Decrypt it first (`openssl pkey -in key.pem -out plain.pem`); the vault encrypts it again.",
        ));
    }
    let der = PrivateKeyDer::from_pem_slice(text.as_bytes()).map_err(|_| {
        bad_key(
            "is no private key in PEM form",
            "Give the whole file, from `-----BEGIN PRIVATE KEY-----` on.",
        )
    })?;
    let key = match &der {
        PrivateKeyDer::Pkcs8(der) => RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()),
        PrivateKeyDer::Pkcs1(der) => RsaKeyPair::from_der(der.secret_pkcs1_der()),
        _ => return Err(not_rsa()),
    };
    key.map_err(|_| not_rsa())
}

fn not_rsa() -> Error {
    bad_key(
        "is no RSA key of 2048 to 4096 bits",
        "Make one: `openssl req -x509 -newkey rsa:2048 -nodes -days 730 -keyout key.pem -out certificate.pem -subj /CN=mailbearer`.",
    )
}

fn bad_certificate(what: &str) -> Error {
    refusal(
        "certificate-invalid",
        format!("grant.certificatePem {what}"),
        "Give the certificate that is registered with the application, from `-----BEGIN CERTIFICATE-----` on.",
    )
}

fn bad_key(what: &str, fix: &str) -> Error {
    refusal(
        "certificate-key-invalid",
        format!("grant.privateKeyPem {what}"),
        fix,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256};

    fn ec() -> (String, String) {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        let certificate = CertificateParams::new([])
            .unwrap()
            .self_signed(&key)
            .unwrap();
        (certificate.pem(), key.serialize_pem())
    }

    const OWN: &str = include_str!("fixtures/own.pem");
    const OTHER: &str = include_str!("fixtures/other.pem");
    const KEY: &str = include_str!("fixtures/own.key");

    #[test]
    fn finds_the_keys_own_certificate_in_a_chain() {
        let key = SecretText::new(KEY.to_owned());
        let alone = read(OWN, &key).unwrap();
        for chain in [
            format!("{OWN}{OTHER}"),
            format!("{OTHER}{OWN}"),
            OWN.replace('\n', "\r\n"),
            format!("Bag Attributes\n    friendlyName: x\n{OWN}"),
        ] {
            let found = read(&chain, &key).unwrap();
            assert_eq!(found.thumbprint, alone.thumbprint);
            assert_eq!(found.expires_at_unix_ms, alone.expires_at_unix_ms);
        }
    }

    #[test]
    fn says_what_is_wrong_with_certificate_or_key() {
        fn check(certificate: &str, key: &str, code: &str, text: &str) {
            let error = read(certificate, &SecretText::new(key.to_owned())).unwrap_err();
            assert_eq!(error.code(), code);
            assert!(error.to_string().contains(text), "{error}");
            assert!(!format!("{error:?}").contains("hunter2"));
        }
        let (certificate, key) = ec();
        let (own, other, own_key) = (OWN, OTHER, KEY);
        let cut = |pem: &str| pem.get(..pem.len() / 2).unwrap().to_owned();
        check(&cut(own), own_key, "certificate-invalid", "was cut");
        check(own_key, own, "certificate-invalid", "no certificate");
        check(own, own, "certificate-key-invalid", "no private key");
        check(
            own,
            &cut(own_key),
            "certificate-key-invalid",
            "no private key",
        );
        check(
            other,
            own_key,
            "certificate-key-invalid",
            "another certificate",
        );
        check(
            own,
            "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nhunter2\n-----END RSA PRIVATE KEY-----",
            "certificate-key-invalid",
            "encrypted",
        );
        check(
            own,
            "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
            "certificate-key-invalid",
            "no private key",
        );
        check("", "hunter2", "certificate-invalid", "no certificate");
        check(&key, "", "certificate-invalid", "no certificate");
        check(
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            "",
            "certificate-invalid",
            "cannot be read",
        );
        check(
            &certificate,
            "hunter2",
            "certificate-key-invalid",
            "no private key",
        );
        check(&certificate, &key, "certificate-key-invalid", "no RSA key");
        check(
            &certificate,
            "-----BEGIN ENCRYPTED PRIVATE KEY-----\nhunter2\n-----END ENCRYPTED PRIVATE KEY-----",
            "certificate-key-invalid",
            "encrypted",
        );
    }
}
