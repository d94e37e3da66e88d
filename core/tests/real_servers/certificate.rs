//! The mail server's certificate and the authority that signed it, made for one run and trusted by nothing else.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};

/// In PEM.
pub(crate) struct Certificates {
    pub(crate) ca_pem: String,
    /// The key, then the certificate, as Postfix's `smtpd_tls_chain_files` wants them.
    pub(crate) server_chain_pem: String,
}

impl Certificates {
    /// For a mail server that is reached as `localhost` or `127.0.0.1`.
    pub(crate) fn generate() -> Self {
        let authority =
            CertifiedIssuer::self_signed(authority(), KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
        let certificate = CertificateParams::new(names)
            .unwrap()
            .signed_by(&key, &authority)
            .unwrap();
        Self {
            ca_pem: authority.pem(),
            server_chain_pem: key.serialize_pem() + &certificate.pem(),
        }
    }
}

fn authority() -> CertificateParams {
    let mut authority = CertificateParams::default();
    authority
        .distinguished_name
        .push(DnType::CommonName, "Mailbearer real-server tests");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority
}
