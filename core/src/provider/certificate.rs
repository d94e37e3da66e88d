//! An application's certificate and its key: read, compared, and ready to sign. Only RSA, which is what Entra ID takes.

use super::refusal;
use crate::error::{Error, Result};
use crate::secret::SecretText;
use pkcs8::der::SecretDocument;
use pkcs8::pkcs5::Error as Pkcs5Error;
use pkcs8::{EncryptedPrivateKeyInfoRef, Error as Pkcs8Error, LineEnding};
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

/// The key as it is stored: one that is encrypted (PKCS#8 with PBES2, RFC 5958 and 8018) is opened. Errors: `Config`.
pub(crate) fn opened_key(pem: &SecretText, passphrase: Option<&SecretText>) -> Result<SecretText> {
    // Exposed to be opened; no error repeats it.
    let text = pem.expose();
    if !text.contains(ENCRYPTED_KEY) {
        return Ok(pem.clone());
    }
    let passphrase = passphrase.ok_or_else(|| {
        bad_key(
            "is encrypted, and its passphrase was not given",
            "Give grant.privateKeyPassphrase, or decrypt it first (`openssl pkey -in key.pem -out plain.pem`); the vault encrypts it again.",
        )
    })?;
    let (label, der) = SecretDocument::from_pem(text).map_err(|_| cut_key())?;
    if label != ENCRYPTED_KEY {
        return Err(cut_key());
    }
    let sealed =
        EncryptedPrivateKeyInfoRef::try_from(der.as_bytes()).map_err(|error| match error {
            Pkcs8Error::EncryptedPrivateKey(_) => unknown_encryption(),
            _ => cut_key(),
        })?;
    // Exposed to open the key with.
    let opened = sealed
        .decrypt(passphrase.expose())
        .map_err(|error| match error {
            Pkcs8Error::EncryptedPrivateKey(Pkcs5Error::DecryptFailed) => wrong_passphrase(),
            // It was opened to something else than a key, or its encryption is one that we have not.
            Pkcs8Error::EncryptedPrivateKey(_) => unknown_encryption(),
            _ => wrong_passphrase(),
        })?;
    let plain = opened.to_pem("PRIVATE KEY", LineEnding::LF);
    let plain = plain.map_err(|_| cut_key())?;
    Ok(SecretText::new(plain.to_string()))
}

const ENCRYPTED_KEY: &str = "ENCRYPTED PRIVATE KEY";

fn cut_key() -> Error {
    bad_key(
        "is encrypted, and was cut or altered",
        "Give the whole file, from `-----BEGIN ENCRYPTED PRIVATE KEY-----` on.",
    )
}

fn wrong_passphrase() -> Error {
    refusal(
        "certificate-passphrase-wrong",
        "grant.privateKeyPem cannot be opened with this passphrase",
        "Give the passphrase that the key was encrypted with.",
    )
}

fn unknown_encryption() -> Error {
    bad_key(
        "is encrypted in a way that is not supported",
        "Encrypt it anew: `openssl pkcs8 -topk8 -in old.pem -out new.pem`, or decrypt it (`openssl pkey -in old.pem -out plain.pem`); the vault encrypts it again.",
    )
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
    fn opens_a_key_that_is_encrypted() {
        fn check(key: &str, passphrase: Option<&str>, expected: &str) {
            let passphrase = passphrase.map(|text| SecretText::new(text.to_owned()));
            let opened = opened_key(&SecretText::new(key.to_owned()), passphrase.as_ref());
            let read = opened.and_then(|key| read(OWN, &key).map(|_| ()));
            let code = read.as_ref().err().map_or("", |error| error.code());
            assert_eq!(code, expected, "{read:?}");
            assert!(!format!("{read:?}").contains("hunter2"));
        }
        // Made by OpenSSL 3 with the passphrase `hunter2`: PBKDF2 and scrypt with AES-256, and 3DES of the older ones.
        const AES: &str = include_str!("fixtures/own.aes.key");
        const SCRYPT: &str = include_str!("fixtures/own.scrypt.key");
        const TRIPLE_DES: &str = include_str!("fixtures/own.3des.key");
        const PBES1: &str = include_str!("fixtures/own.pbes1.key");
        check(AES, Some("hunter2"), "");
        check(SCRYPT, Some("hunter2"), "");
        check(&AES.replace('\n', "\r\n"), Some("hunter2"), "");
        // One that is not encrypted needs none.
        check(KEY, Some("hunter2"), "");
        check(AES, None, "certificate-key-invalid");
        check(AES, Some(""), "certificate-passphrase-wrong");
        check(AES, Some("hunter3"), "certificate-passphrase-wrong");
        check(TRIPLE_DES, Some("hunter2"), "certificate-key-invalid");
        check(PBES1, Some("hunter2"), "certificate-key-invalid");
        for length in (40..AES.len() - 40).step_by(97) {
            let cut = AES.get(..length).unwrap();
            check(cut, Some("hunter2"), "certificate-key-invalid");
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
