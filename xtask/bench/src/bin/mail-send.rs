//! mail-send: a connection for each task.

use mail_send::smtp::message::Message;
use mail_send::{Credentials, SmtpClientBuilder};
use mailbearer_bench::Run;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use std::sync::Arc;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;

#[tokio::main]
async fn main() {
    let run = Arc::new(Run::from_arguments());
    let (message, turns) = (Arc::new(run.message()), Arc::new(run.turns()));
    let mut tasks = JoinSet::new();
    for _ in 0..run.connections {
        let (run, message, turns) = (run.clone(), message.clone(), turns.clone());
        tasks.spawn(async move {
            let connector = connector(&run.ca_pem());
            let builder =
                SmtpClientBuilder::new_with_tls_connector(run.host.clone(), run.port, connector)
                    .implicit_tls(false)
                    .credentials(Credentials::new_xoauth2(
                        run.user.clone(),
                        run.token.clone(),
                    ));
            let mut client = builder.connect().await.expect("a connection");
            while turns.take() {
                let recipients = run.recipients.iter().map(String::as_str);
                let message = Message::new(&*run.user, recipients, &message[..]);
                client.send(message).await.expect("a verdict");
            }
            client.quit().await.expect("an end");
        });
    }
    tasks.join_all().await;
}

fn connector(ca_pem: &str) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    let certificate = CertificateDer::from_pem_slice(ca_pem.as_bytes()).expect("a certificate");
    roots.add(certificate).expect("an authority");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let settings = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("TLS versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    TlsConnector::from(Arc::new(settings))
}
