//! The RSA key that signs the sandbox's tokens, and its published form.
//! One key is made per process and shared by all sandboxes: making one takes far longer than anything else here.

use std::sync::{Arc, OnceLock};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::rand::SystemRandom;
use ring::signature::{
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair, RsaPublicKeyComponents,
};
use rsa::Generate;
use rsa::pkcs8::EncodePrivateKey;
use rsa::traits::PublicKeyParts;
use serde_json::{Value, json};

use crate::error::SandboxError;

/// The signing key with its public parts.
pub(crate) struct SigningKey {
    pair: RsaKeyPair,
    modulus: Vec<u8>,
    exponent: Vec<u8>,
    certificate_der: Vec<u8>,
    key_id: String,
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("SigningKey")
            .field("key_id", &self.key_id)
            .finish_non_exhaustive()
    }
}

impl SigningKey {
    /// The key of this process, made on first use.
    pub(crate) fn of_process() -> Result<Arc<Self>, SandboxError> {
        static KEY: OnceLock<Result<Arc<SigningKey>, String>> = OnceLock::new();
        let made = KEY.get_or_init(|| {
            Self::generate()
                .map(Arc::new)
                .map_err(|error| error.to_string())
        });
        made.clone()
            .map_err(SandboxError::while_("making the signing key"))
    }

    /// The key's name in JWT headers.
    pub(crate) fn key_id(&self) -> &str {
        &self.key_id
    }

    /// An RS256 signature.
    pub(crate) fn sign(&self, message: &[u8]) -> Vec<u8> {
        let mut signature = vec![0; self.pair.public().modulus_len()];
        match self.pair.sign(
            &RSA_PKCS1_SHA256,
            &SystemRandom::new(),
            message,
            &mut signature,
        ) {
            Ok(()) => signature,
            // Only without system randomness; an empty signature is refused by every verifier.
            Err(_) => Vec::new(),
        }
    }

    /// Whether this is the key's RS256 signature of the message.
    pub(crate) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        let public = RsaPublicKeyComponents {
            n: &self.modulus,
            e: &self.exponent,
        };
        public
            .verify(&RSA_PKCS1_2048_8192_SHA256, message, signature)
            .is_ok()
    }

    /// The JSON Web Key Set.
    pub(crate) fn jwks(&self, issuer: &str) -> Value {
        json!({"keys": [{
            "kty": "RSA",
            "use": "sig",
            "kid": self.key_id,
            "x5t": self.key_id,
            "n": URL_SAFE_NO_PAD.encode(&self.modulus),
            "e": URL_SAFE_NO_PAD.encode(&self.exponent),
            "x5c": [STANDARD.encode(&self.certificate_der)],
            "issuer": issuer,
        }]})
    }

    fn generate() -> Result<Self, Box<dyn std::error::Error>> {
        let key = rsa::PrivateKey::try_generate()?;
        let pkcs8 = key.to_pkcs8_der()?;
        let certificate_der = certificate(pkcs8.as_bytes())?;
        let thumbprint =
            ring::digest::digest(&ring::digest::SHA1_FOR_LEGACY_USE_ONLY, &certificate_der);
        Ok(Self {
            pair: RsaKeyPair::from_pkcs8(pkcs8.as_bytes()).map_err(|error| error.to_string())?,
            modulus: key.n_bytes().into(),
            exponent: key.e_bytes().into(),
            key_id: URL_SAFE_NO_PAD.encode(thumbprint),
            certificate_der,
        })
    }
}

/// Entra publishes each signing key inside a self-signed certificate and names it by the certificate's thumbprint.
fn certificate(pkcs8_der: &[u8]) -> Result<Vec<u8>, Box<dyn std::error::Error>> {
    let key_der = rustls::pki_types::PrivatePkcs8KeyDer::from(pkcs8_der);
    let key = rcgen::KeyPair::from_pkcs8_der_and_sign_algo(&key_der, &rcgen::PKCS_RSA_SHA256)?;
    let mut params = rcgen::CertificateParams::new(Vec::new())?;
    params.distinguished_name.push(
        rcgen::DnType::CommonName,
        "accounts.accesscontrol.windows.net",
    );
    Ok(params.self_signed(&key)?.der().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_verifies_and_a_changed_message_does_not() {
        let key = SigningKey::of_process().unwrap();
        let signature = key.sign(b"message");
        assert!(key.verifies(b"message", &signature));
        assert!(!key.verifies(b"massage", &signature));
        assert!(!key.verifies(b"message", b""));
    }

    #[test]
    fn every_sandbox_of_the_process_has_the_same_key() {
        assert!(Arc::ptr_eq(
            &SigningKey::of_process().unwrap(),
            &SigningKey::of_process().unwrap()
        ));
    }
}
