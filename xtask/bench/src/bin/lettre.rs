//! lettre's blocking SMTP transport: a connection for each thread, kept open by its pool.

use lettre::address::Envelope;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::{SmtpTransport, Transport};
use mailbearer_bench::Run;

fn main() {
    let run = Run::from_arguments();
    let certificate = Certificate::from_pem(run.ca_pem().as_bytes()).expect("a certificate");
    let tls = TlsParameters::builder(run.host.clone())
        .add_root_certificate(certificate)
        .build()
        .expect("TLS settings");
    let addresses = run
        .recipients
        .iter()
        .map(|to| to.parse().expect("an address"));
    let sender = run.user.parse().expect("an address");
    let envelope = Envelope::new(Some(sender), addresses.collect()).expect("an envelope");
    let (message, turns) = (run.message(), run.turns());
    std::thread::scope(|scope| {
        for _ in 0..run.connections {
            scope.spawn(|| {
                let transport = SmtpTransport::builder_dangerous(&run.host)
                    .port(run.port)
                    .tls(Tls::Required(tls.clone()))
                    .credentials(Credentials::new(run.user.clone(), run.token.clone()))
                    .authentication(vec![Mechanism::Xoauth2])
                    .build();
                while turns.take() {
                    transport.send_raw(&envelope, &message).expect("a verdict");
                }
            });
        }
    });
}
