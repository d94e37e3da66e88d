//! The certificates of one run: the mail servers', with the authority that signed it, and the client application's.
//! Nothing else trusts them.

use std::fs;
use std::io;
use std::path::Path;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, PKCS_RSA_SHA256,
};

/// Writes key and certificate of a server that is reached as `localhost` or `127.0.0.1` to `path`, and returns the
/// authority's certificate. All of it is PEM.
pub(crate) fn create(path: &Path) -> io::Result<String> {
    let authority =
        CertifiedIssuer::self_signed(authority(), KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
    let certificate = CertificateParams::new(names)
        .unwrap()
        .signed_by(&key, &authority)
        .unwrap();
    fs::write(path, key.serialize_pem() + &certificate.pem())?;
    Ok(authority.pem())
}

/// The certificate of a client application that has this RSA key, as one would upload it to an identity provider.
pub(crate) fn self_signed(key_pem: &str) -> String {
    let key = KeyPair::from_pem_and_sign_algo(key_pem, &PKCS_RSA_SHA256).unwrap();
    CertificateParams::default()
        .self_signed(&key)
        .unwrap()
        .pem()
}

fn authority() -> CertificateParams {
    let mut authority = CertificateParams::default();
    authority
        .distinguished_name
        .push(DnType::CommonName, "Mailbearer real-server tests");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority
}
