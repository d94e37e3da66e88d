//! A certificate and its key from one PKCS#12 file (RFC 7292), as Windows, Java and OpenSSL export them.

use super::{certificate, refusal};
use crate::error::{Error, Result};
use crate::model::{Bytes, Grant};
use crate::secret::SecretText;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use p12_keystore::Pkcs12Archive;
use p12_keystore::error::Error as Unreadable;
use zeroize::Zeroizing;

/// Opens a file, and finds the certificate that belongs to its key; the others are those of its issuers.
/// Errors: `Config`.
pub(crate) fn open(pkcs12: &Bytes, passphrase: &SecretText) -> Result<Grant> {
    // Exposed to open the file with.
    let archive = Pkcs12Archive::from_pkcs12(pkcs12, passphrase.expose());
    let archive = archive.map_err(unreadable)?;
    let [key] = archive.keys.as_slice() else {
        return Err(wrong_contents(&format!(
            "holds {} keys",
            archive.keys.len()
        )));
    };
    let private_key_pem = SecretText::new(pem("PRIVATE KEY", key.key.as_der()));
    let mut last = wrong_contents("holds no certificate");
    for bag in &archive.certs {
        let certificate_pem = pem("CERTIFICATE", bag.cert.as_der());
        match certificate::read(&certificate_pem, &private_key_pem) {
            Ok(_) => {
                return Ok(Grant::ClientCertificate {
                    certificate_pem,
                    private_key_pem,
                    private_key_passphrase: None,
                });
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn pem(label: &str, der: &[u8]) -> String {
    let encoded = Zeroizing::new(STANDARD.encode(der));
    let mut text = format!("-----BEGIN {label}-----\n");
    text.reserve(encoded.len() * 2);
    for (place, character) in encoded.chars().enumerate() {
        if place > 0 && place % 64 == 0 {
            text.push('\n');
        }
        text.push(character);
    }
    text + &format!("\n-----END {label}-----\n")
}

fn unreadable(error: Unreadable) -> Error {
    match error {
        Unreadable::MacError(_) | Unreadable::UnpadError | Unreadable::Pkcs5Error(_) => refusal(
            "certificate-passphrase-wrong",
            "grant.pkcs12 cannot be opened with this passphrase",
            "Give the passphrase that the file was exported with.",
        ),
        Unreadable::UnsupportedEncryptionScheme | Unreadable::UnsupportedMacAlgorithm => refusal(
            "certificate-invalid",
            "grant.pkcs12 is encrypted in a way that is not supported",
            "Write it anew: `openssl pkcs12 -legacy -in old.pfx -nodes -out all.pem`, then `openssl pkcs12 -export -in all.pem -out new.pfx`, and remove all.pem.",
        ),
        _ => refusal(
            "certificate-invalid",
            "grant.pkcs12 is no PKCS#12 file, or was cut",
            "Give the whole .p12 or .pfx file; `openssl pkcs12 -in FILE -info -noout` checks it.",
        ),
    }
    .with_source(error)
}

fn wrong_contents(what: &str) -> Error {
    refusal(
        "certificate-invalid",
        format!("grant.pkcs12 {what}, and one certificate with its key is needed"),
        "Export the certificate together with its private key: `openssl pkcs12 -export -inkey key.pem -in certificate.pem -out new.pfx`.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made by OpenSSL 3 for a key of RSA, with the passphrase `hunter2`, good for a hundred years.
    const MODERN: &[u8] = include_bytes!("fixtures/modern.p12");
    const RC2: &[u8] = include_bytes!("fixtures/rc2.p12");
    const TRIPLE_DES: &[u8] = include_bytes!("fixtures/3des.p12");
    const WITHOUT_KEY: &[u8] = include_bytes!("fixtures/nokey.p12");
    const ELLIPTIC: &[u8] = include_bytes!("fixtures/ec.p12");

    fn opened(file: &[u8], passphrase: &str) -> Result<Grant> {
        open(&Bytes::from(file), &SecretText::new(passphrase.to_owned()))
    }

    #[test]
    fn opens_new_files_and_old_ones() {
        for file in [MODERN, RC2, TRIPLE_DES] {
            let Grant::ClientCertificate {
                certificate_pem,
                private_key_pem,
                ..
            } = opened(file, "hunter2").unwrap()
            else {
                panic!("another grant");
            };
            // The issuers' certificates in the modern one are passed over.
            let certificate = certificate::read(&certificate_pem, &private_key_pem).unwrap();
            assert!(certificate.expires_at_unix_ms > 1_795_780_800_000);
        }
    }

    #[test]
    fn says_what_is_wrong_with_a_file() {
        fn check(file: &[u8], passphrase: &str, code: &str, text: &str) {
            let error = opened(file, passphrase).unwrap_err();
            assert_eq!(error.code(), code, "{error:?}");
            assert!(error.to_string().contains(text), "{error}");
            assert!(!format!("{error:?}").contains("s3cr3t"));
        }
        check(
            MODERN,
            "s3cr3t",
            "certificate-passphrase-wrong",
            "passphrase",
        );
        check(RC2, "", "certificate-passphrase-wrong", "passphrase");
        check(
            WITHOUT_KEY,
            "hunter2",
            "certificate-invalid",
            "holds 0 keys",
        );
        check(ELLIPTIC, "hunter2", "certificate-key-invalid", "no RSA key");
        check(b"", "hunter2", "certificate-invalid", "no PKCS#12 file");
        check(
            b"-----BEGIN CERTIFICATE-----",
            "hunter2",
            "certificate-invalid",
            "no PKCS#12 file",
        );
        check(
            &MODERN[..MODERN.len() / 2],
            "hunter2",
            "certificate-invalid",
            "was cut",
        );
    }

    #[test]
    fn a_cut_anywhere_is_refused() {
        for length in (0..MODERN.len()).step_by(17) {
            let error = opened(&MODERN[..length], "hunter2").unwrap_err();
            assert_eq!(error.code(), "certificate-invalid", "{length}");
        }
    }
}
