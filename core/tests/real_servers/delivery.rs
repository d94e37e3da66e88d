//! The handle against servers that nobody here wrote: tokens from `oidc-provider`, mail through Postfix and Dovecot.
//! `cargo xtask test` installs them; without them, `cargo test` counts these tests as ignored.

use crate::servers::{RealServers, as_sent};
use async_trait::async_trait;
use mailbearer::host::{Clock, SystemClock};
use mailbearer::model::{
    Address, Attachment, Cloud, Content, EndpointOverrides, Grant, NewAccount, ProblemKind,
    TokenOrigin, Verdict,
};
use mailbearer::{Config, Envelope, Mailbearer, Message, Parts, SignInFlow};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

const REASON: &str = "a working environment; run cargo xtask test real-servers";

/// The machine's clock, which a test can put forward.
#[derive(Debug, Default)]
struct ForwardClock {
    system: SystemClock,
    forward_ms: AtomicI64,
}

#[async_trait]
impl Clock for ForwardClock {
    fn now_unix_ms(&self) -> i64 {
        self.system.now_unix_ms() + self.forward_ms.load(Ordering::SeqCst)
    }

    fn elapsed(&self) -> Duration {
        self.system.elapsed()
    }

    async fn sleep(&self, duration: Duration) {
        self.system.sleep(duration).await;
    }
}

/// The servers, and a handle with a clock of its own.
pub(crate) struct World {
    pub(crate) servers: RealServers,
    pub(crate) mailbearer: Mailbearer,
    clock: Arc<ForwardClock>,
}

impl World {
    pub(crate) async fn start() -> Self {
        let servers = RealServers::start().await.expect(REASON);
        let clock = Arc::new(ForwardClock::default());
        let parts = Parts {
            clock: clock.clone(),
            ..Parts::default()
        };
        let mailbearer = Mailbearer::open_with(Config::default(), parts)
            .await
            .unwrap();
        Self {
            servers,
            mailbearer,
            clock,
        }
    }

    async fn add(&self, name: &str, grant: Grant, smtp: SocketAddr) {
        let identity = &self.servers.identity;
        let is_persons = grant.kind().is_a_persons();
        let client_id = match grant {
            Grant::ClientCertificate { .. } => &identity.certificate_client_id,
            _ if is_persons => &identity.public_client_id,
            _ => &identity.client_id,
        };
        let account = NewAccount {
            name: name.to_owned(),
            mailbox: identity.mailbox.clone(),
            cloud: Cloud::Custom,
            tenant: String::new(),
            client_id: client_id.clone(),
            secret_expires_at_unix_ms: None,
            route: mailbearer::model::Route::default(),
            fallback: None,
            endpoints: EndpointOverrides {
                token_url: Some(identity.token_url.clone()),
                authorization_url: Some(identity.authorization_url.clone()),
                device_authorization_url: Some(identity.device_authorization_url.clone()),
                scopes: Some(match is_persons {
                    true => vec![identity.send_scope.clone(), "offline_access".to_owned()],
                    false => vec![identity.send_scope.clone()],
                }),
                audiences: Some(vec![identity.audience.clone()]),
                smtp_host: Some("localhost".to_owned()),
                smtp_port: Some(smtp.port()),
                ca_pem: Some(self.servers.ca_pem.clone()),
                ..EndpointOverrides::default()
            },
            grant,
        };
        self.mailbearer.add_account(account).await.unwrap();
    }

    pub(crate) async fn add_service(&self, name: &str, smtp: SocketAddr) {
        let client_secret = self.servers.identity.client_secret.clone().into();
        self.add(name, Grant::ClientSecret { client_secret }, smtp)
            .await;
    }

    /// A person signs in by device code.
    async fn add_person(&self, name: &str, smtp: SocketAddr) {
        self.add(name, Grant::DeviceCode, smtp).await;
        let begun = self
            .mailbearer
            .begin_sign_in(name, SignInFlow::DeviceCode)
            .await;
        let prompt = begun.unwrap();
        self.servers.approve_device(&prompt.user_code).await;
        self.mailbearer.finish_sign_in(&prompt).await.unwrap();
    }
}

fn envelope(account: &str) -> Envelope {
    Envelope {
        account: account.to_owned(),
        sender: None,
        recipients: vec!["ada@example.test".to_owned()],
        ..Envelope::default()
    }
}

/// Octets that a careless client would change: leading dots, a lone dot, eight bits, trailing blanks, a long line.
fn awkward_mail() -> Vec<u8> {
    let head = "From: app@example.test\r\nTo: ada@example.test\r\nSubject: Awkward\r\n\
        Message-ID: <awkward@example.test>\r\nDate: Wed, 25 Nov 2026 12:00:00 +0000\r\nMIME-Version: 1.0\r\n\
        Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n";
    let body = ".one dot\r\n..two dots\r\n.\r\n\r\nGr\u{fc}\u{df}e \u{1f4ee}\r\nblanks  \t\r\n\r\nFrom here\r\n";
    let long_line = format!("{}\r\n", "x".repeat(900));
    [head, body, &long_line, "\r\nno more\r\n"]
        .concat()
        .into_bytes()
}

#[tokio::test]
#[ignore = "needs root, Postfix, Dovecot and oidc-provider"]
async fn the_delivered_bytes_are_the_sent_bytes() {
    let world = World::start().await;
    world.add_service("postfix", world.servers.smtp).await;
    world
        .add_service("dovecot", world.servers.dovecot_smtp)
        .await;
    for (account, delivered) in [("postfix", 1), ("dovecot", 2)] {
        let sent = world
            .mailbearer
            .send_raw(envelope(account), awkward_mail().into())
            .await;
        let delivery = sent.unwrap();
        assert_eq!(
            delivery.recipients[0].verdict,
            Verdict::Accepted,
            "{account}"
        );
        let token = delivery.trail.token.unwrap();
        assert_eq!(token.origin, TokenOrigin::ClientSecret, "{account}");
        assert!(delivery.trail.tls.unwrap().version.starts_with("TLSv1."));
        let mails = world.servers.delivered(delivered).await;
        for mail in mails {
            assert_eq!(
                String::from_utf8_lossy(&as_sent(&mail)),
                String::from_utf8_lossy(&awkward_mail()),
                "{account}"
            );
        }
    }
}

#[tokio::test]
#[ignore = "needs root, Postfix, Dovecot and oidc-provider"]
async fn a_person_sends_and_every_rotated_refresh_token_is_kept() {
    let world = World::start().await;
    world.add_person("person", world.servers.dovecot_smtp).await;
    let mut origins = Vec::new();
    for _ in 0..4 {
        let sent = world
            .mailbearer
            .send_raw(envelope("person"), awkward_mail().into())
            .await;
        origins.push(sent.unwrap().trail.token.unwrap().origin);
        world
            .clock
            .forward_ms
            .fetch_add(3_600_000, Ordering::SeqCst);
    }
    // The provider takes each refresh token once: a lost one would have ended this.
    let renewed = TokenOrigin::RefreshToken;
    assert_eq!(
        origins,
        [TokenOrigin::DeviceCode, renewed, renewed, renewed]
    );
}

#[tokio::test]
#[ignore = "needs root, Postfix, Dovecot and oidc-provider"]
async fn a_person_signs_in_in_a_browser_and_a_service_by_its_certificate() {
    let world = World::start().await;
    let smtp = world.servers.smtp;
    world.add("browser", Grant::AuthorizationCode, smtp).await;
    let flow = SignInFlow::AuthorizationCode;
    let begun = world.mailbearer.begin_sign_in("browser", flow).await;
    let prompt = begun.unwrap();
    let person = world
        .servers
        .identity
        .approve_authorization(&prompt.verification_url);
    let (finished, page) = tokio::join!(world.mailbearer.finish_sign_in(&prompt), person);
    finished.unwrap();
    assert!(page.contains("Signed in"), "{page}");

    let key = world.servers.identity.certificate_key_pem.clone();
    let pair = rcgen::KeyPair::from_pem_and_sign_algo(&key, &rcgen::PKCS_RSA_SHA256).unwrap();
    let mut parameters = rcgen::CertificateParams::new(Vec::new()).unwrap();
    parameters.not_after = rcgen::date_time_ymd(2100, 1, 1);
    let certificate = Grant::ClientCertificate {
        certificate_pem: parameters.self_signed(&pair).unwrap().pem(),
        private_key_pem: key.into(),
        private_key_passphrase: None,
    };
    world.add("certificate", certificate, smtp).await;

    for (account, origin) in [
        ("browser", TokenOrigin::AuthorizationCode),
        ("certificate", TokenOrigin::ClientCertificate),
    ] {
        let sent = world
            .mailbearer
            .send_raw(envelope(account), awkward_mail().into())
            .await;
        assert_eq!(sent.unwrap().trail.token.unwrap().origin, origin);
    }
    world.servers.delivered(2).await;
}

#[tokio::test]
#[ignore = "needs root, Postfix, Dovecot and oidc-provider"]
async fn a_built_mail_arrives_whole_and_a_refused_recipient_stops_nobody() {
    let world = World::start().await;
    world.add_service("service", world.servers.smtp).await;
    let address = |address: &str| Address {
        address: address.to_owned(),
        name: Some("Gr\u{fc}\u{df}e, Ada".to_owned()),
    };
    let message = Message {
        account: "service".to_owned(),
        to: vec![address("ada@example.test"), address("missing@example.test")],
        cc: vec![address("grace@example.test")],
        subject: "Ihre Rechnung f\u{fc}r M\u{e4}rz".to_owned(),
        text: Some("Im Anhang.\n".to_owned()),
        html: Some("<p>Im Anhang.</p>".to_owned()),
        attachments: vec![Attachment {
            name: Some("r\u{e9}sum\u{e9}.bin".to_owned()),
            content_type: None,
            content_id: None,
            content: Content::Data {
                data: (0..=255).cycle().take(100_000).collect::<Vec<u8>>().into(),
            },
        }],
        ..Message::default()
    };
    let delivery = world.mailbearer.send(message).await.unwrap();
    let verdicts: Vec<_> = delivery.recipients.iter().map(|r| r.verdict).collect();
    assert_eq!(
        verdicts,
        [Verdict::Accepted, Verdict::Refused, Verdict::Accepted]
    );
    assert!(!delivery.recipients[1].fix.is_empty());
    let mails = world.servers.delivered(2).await;
    let mail = mail_parser::MessageParser::default()
        .parse(&mails[0])
        .unwrap();
    assert_eq!(mail.subject(), Some("Ihre Rechnung f\u{fc}r M\u{e4}rz"));
    assert_eq!(mail.body_text(0).unwrap().trim(), "Im Anhang.");
    let attachment = mail.attachment(0).unwrap();
    assert_eq!(attachment.contents().len(), 100_000);
}

#[tokio::test]
#[ignore = "needs root, Postfix, Dovecot and oidc-provider"]
async fn what_these_servers_refuse_is_explained() {
    let world = World::start().await;
    for (name, smtp) in [
        ("postfix", world.servers.smtp),
        ("dovecot", world.servers.dovecot_smtp),
    ] {
        world.add_service(name, smtp).await;
        let mut foreign = envelope(name);
        foreign.recipients = vec!["nobody@elsewhere.test".to_owned()];
        let sent = world.mailbearer.send_raw(foreign, awkward_mail().into());
        let error = sent.await.unwrap_err();
        assert_eq!(error.kind(), ProblemKind::Rejected, "{name}: {error:?}");
        assert!(!error.problem().fix.is_empty(), "{name}: {error:?}");
        assert!(error.problem().answer.is_some(), "{name}: {error:?}");
    }
    let wrong_secret = Grant::ClientSecret {
        client_secret: "not-the-secret".to_owned().into(),
    };
    world.add("wrong", wrong_secret, world.servers.smtp).await;
    let error = world.mailbearer.access_token("wrong").await.unwrap_err();
    assert_eq!(error.kind(), ProblemKind::Config, "{error:?}");
    assert!(!format!("{error:?}").contains("not-the-secret"));
}
