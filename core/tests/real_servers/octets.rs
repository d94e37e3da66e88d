//! What every server keeps is what it was sent, octet for octet, whichever way its extensions allow the mail to go:
//! eight bits, addresses in UTF-8, long lines, dots, a megabyte, fifty recipients, and many mails close together.

use crate::delivery::World;
use crate::harness::offers;
use crate::servers::peers::{self, TOKEN};
use crate::servers::{Keeps, Peer, RealServers, Unavailable, folder_with_certificate, with_crlf};
use mailbearer::model::{
    Cloud, Delivery, EndpointOverrides, Grant, NewAccount, ProblemKind, RecipientVerdict, Verdict,
};
use mailbearer::{Config, Envelope, Mailbearer};
use std::net::SocketAddr;
use std::path::Path;

/// What a server is expected to do. `docs/servers.md` has the same table for people.
struct Expected {
    offers: &'static [&'static str],
    lacks: &'static [&'static str],
    /// The step of the trail that names the way a mail went.
    way: &'static str,
    /// Whether it knows mailboxes that do not exist.
    refuses_missing: bool,
}

const ALL: &[&str] = &["PIPELINING", "CHUNKING", "SMTPUTF8", "8BITMIME", "SIZE"];
const CHUNKED: &str = "MAIL RCPT BDAT";
const WITH_DATA: &str = "MAIL RCPT DATA";

#[tokio::test]
#[ignore = "needs root, Postfix, Dovecot 2.3, Node.js and oidc-provider"]
async fn postfix_keeps_what_it_was_sent() {
    let world = World::start().await;
    world.add_service("account", world.servers.smtp).await;
    let postfix = Expected {
        offers: ALL,
        lacks: &[],
        way: CHUNKED,
        refuses_missing: true,
    };
    through_postfix(&world, world.servers.smtp, &postfix).await;
}

#[tokio::test]
#[ignore = "needs root, Postfix, Dovecot 2.3, Node.js and oidc-provider"]
async fn dovecot_hands_on_what_it_was_sent() {
    let world = World::start().await;
    let smtp = world.servers.dovecot_smtp;
    world.add_service("account", smtp).await;
    let dovecot = Expected {
        offers: &["PIPELINING", "CHUNKING", "8BITMIME", "SIZE"],
        lacks: &["SMTPUTF8"],
        way: CHUNKED,
        refuses_missing: true,
    };
    through_postfix(&world, smtp, &dovecot).await;
}

#[tokio::test]
#[ignore = "needs root and the Debian package exim4-daemon-light"]
async fn exim_keeps_what_it_was_sent() {
    let exim = Expected {
        offers: ALL,
        lacks: &[],
        way: CHUNKED,
        refuses_missing: true,
    };
    through(async |folder| peers::exim(folder).await, &exim).await;
}

#[tokio::test]
#[ignore = "needs root and the Debian package opensmtpd"]
async fn opensmtpd_keeps_what_it_was_sent() {
    let opensmtpd = Expected {
        offers: &["8BITMIME", "SIZE"],
        lacks: &["PIPELINING", "CHUNKING", "SMTPUTF8"],
        way: WITH_DATA,
        refuses_missing: true,
    };
    through(async |folder| peers::opensmtpd(folder).await, &opensmtpd).await;
}

#[tokio::test]
#[ignore = "needs Node.js and the npm package smtp-server"]
async fn smtp_server_keeps_what_it_was_sent() {
    let smtp_server = Expected {
        offers: &["PIPELINING", "SMTPUTF8", "8BITMIME", "SIZE"],
        lacks: &["CHUNKING"],
        way: WITH_DATA,
        refuses_missing: true,
    };
    through(
        async |folder| peers::smtp_server(folder).await,
        &smtp_server,
    )
    .await;
}

#[tokio::test]
#[ignore = "needs Python and its package aiosmtpd"]
async fn aiosmtpd_keeps_what_it_was_sent() {
    let aiosmtpd = Expected {
        offers: &["SMTPUTF8", "8BITMIME", "SIZE"],
        lacks: &["PIPELINING", "CHUNKING"],
        way: WITH_DATA,
        refuses_missing: true,
    };
    through(async |folder| peers::aiosmtpd(folder).await, &aiosmtpd).await;
}

#[tokio::test]
#[ignore = "needs smtp-sink of the Debian package postfix"]
async fn smtp_sink_keeps_what_it_was_sent() {
    let smtp_sink = Expected {
        offers: &["PIPELINING", "8BITMIME"],
        lacks: &["CHUNKING", "SMTPUTF8", "SIZE"],
        way: WITH_DATA,
        refuses_missing: false,
    };
    through(async |folder| peers::smtp_sink(folder).await, &smtp_sink).await;
}

/// All mails to a server of another maker.
async fn through(start: impl AsyncFnOnce(&Path) -> Result<Peer, Unavailable>, expected: &Expected) {
    let (folder, ca_pem) = folder_with_certificate().unwrap_or_else(|why| panic!("{why}"));
    let peer = start(folder.path())
        .await
        .unwrap_or_else(|why| panic!("{why}"));
    expect_offers(peer.submission, &ca_pem, expected).await;
    let mailbearer = Mailbearer::open(Config::default()).await.unwrap();
    let account = account(peer.submission, ca_pem);
    mailbearer.add_account(account).await.unwrap();
    let sent = send_all(&mailbearer, expected).await;
    let delivered = match peer.keeps {
        Keeps::Maildir => peer.delivered(sent.recipients).await,
        Keeps::Mbox | Keeps::Octets => peer.delivered(sent.mails.len()).await,
    };
    expect_octets(&delivered, &sent.mails);
}

/// All mails to a server of [`RealServers`]; Postfix keeps them.
async fn through_postfix(world: &World, smtp: SocketAddr, expected: &Expected) {
    let servers: &RealServers = &world.servers;
    expect_offers(smtp, &servers.ca_pem, expected).await;
    let sent = send_all(&world.mailbearer, expected).await;
    let delivered = servers.delivered(sent.recipients).await;
    let delivered: Vec<_> = delivered.iter().map(|mail| with_crlf(mail)).collect();
    expect_octets(&delivered, &sent.mails);
}

struct Sent {
    mails: Vec<Vec<u8>>,
    /// To how many, over all mails.
    recipients: usize,
}

async fn send_all(mailbearer: &Mailbearer, expected: &Expected) -> Sent {
    let mut sent = Sent {
        mails: Vec::new(),
        recipients: 0,
    };
    for mail in single_mails() {
        let delivery = mailbearer.send_raw(envelope(&["ada@example.test"]), mail.clone().into());
        accept(&mut sent, mail, &delivery.await.unwrap(), expected);
    }
    in_utf8(mailbearer, &mut sent, expected).await;
    to_fifty(mailbearer, &mut sent, expected).await;
    close_together(mailbearer, &mut sent, expected).await;
    sent
}

/// Addresses and a header in UTF-8, or a refusal that says what is missing.
async fn in_utf8(mailbearer: &Mailbearer, sent: &mut Sent, expected: &Expected) {
    let mail = mail(
        "utf8",
        "8bit",
        "To: Gr\u{fc}\u{df}e <gr\u{fc}\u{df}e@example.test>\r\n",
        "Gr\u{fc}\u{df}e\r\n",
    );
    let envelope = envelope(&["gr\u{fc}\u{df}e@example.test"]);
    let delivery = mailbearer.send_raw(envelope, mail.clone().into()).await;
    if expected.offers.contains(&"SMTPUTF8") {
        return accept(sent, mail, &delivery.unwrap(), expected);
    }
    let error = delivery.unwrap_err();
    assert_eq!(error.kind(), ProblemKind::Rejected, "{error:?}");
    assert!(error.to_string().contains("SMTPUTF8"), "{error:?}");
}

/// One of fifty is refused, and nobody else suffers.
async fn to_fifty(mailbearer: &Mailbearer, sent: &mut Sent, expected: &Expected) {
    let mut recipients: Vec<_> = (0..49)
        .map(|number| format!("reader-{number}@example.test"))
        .collect();
    recipients.insert(17, "missing@example.test".to_owned());
    let mail = mail("fifty", "7bit", "", "To many.\r\n");
    let envelope = Envelope {
        recipients,
        ..envelope(&[])
    };
    let delivery = mailbearer
        .send_raw(envelope, mail.clone().into())
        .await
        .unwrap();
    let refused: Vec<_> = delivery
        .recipients
        .iter()
        .filter(|to| to.verdict != Verdict::Accepted)
        .collect();
    match (expected.refuses_missing, &refused[..]) {
        (
            true,
            [
                RecipientVerdict {
                    address,
                    verdict: Verdict::Refused,
                    fix,
                    ..
                },
            ],
        ) => {
            assert_eq!(address, "missing@example.test");
            assert!(!fix.is_empty());
        }
        (false, []) => {}
        _ => panic!("{refused:?}"),
    }
    accept(sent, mail, &delivery, expected);
}

/// Mails that come while others are on their way share the connections.
async fn close_together(mailbearer: &Mailbearer, sent: &mut Sent, expected: &Expected) {
    let mails: Vec<_> = (0..CLOSE_TOGETHER)
        .map(|number| {
            let name = format!("close-together-{number}");
            mail(&name, "7bit", "", &format!(".{name}\r\n.\r\n..\r\n"))
        })
        .collect();
    let tasks: Vec<_> = mails
        .iter()
        .map(|mail| {
            let (mailbearer, mail) = (mailbearer.clone(), mail.clone());
            tokio::spawn(async move {
                mailbearer
                    .send_raw(envelope(&["ada@example.test"]), mail.into())
                    .await
            })
        })
        .collect();
    let mut connections = 0;
    for (mail, task) in mails.into_iter().zip(tasks) {
        let delivery = task.await.unwrap().unwrap();
        connections += usize::from(has_step(&delivery, "connect"));
        accept(sent, mail, &delivery, expected);
    }
    assert!(connections <= 3, "{connections} connections");
}

/// Notes a mail that was taken, the way that was expected.
fn accept(sent: &mut Sent, mail: Vec<u8>, delivery: &Delivery, expected: &Expected) {
    assert!(
        has_step(delivery, expected.way),
        "{:?}",
        delivery.trail.steps
    );
    let verdicts = delivery.recipients.iter().map(|to| to.verdict);
    let accepted = verdicts
        .filter(|verdict| *verdict == Verdict::Accepted)
        .count();
    assert!(accepted > 0);
    sent.recipients += accepted;
    sent.mails.push(mail);
}

fn has_step(delivery: &Delivery, name: &str) -> bool {
    delivery.trail.steps.iter().any(|step| step.name == name)
}

async fn expect_offers(smtp: SocketAddr, ca_pem: &str, expected: &Expected) {
    let offers = offers(smtp, ca_pem).await;
    let has = |word: &&&str| {
        offers
            .iter()
            .any(|line| line.split(' ').next() == Some(**word))
    };
    let missing: Vec<_> = expected.offers.iter().filter(|word| !has(word)).collect();
    let unexpected: Vec<_> = expected.lacks.iter().filter(has).collect();
    assert!(missing.is_empty() && unexpected.is_empty(), "{offers:?}");
}

/// Every mail is there, and none that was not sent: before it stand only the servers' own header fields.
fn expect_octets(delivered: &[Vec<u8>], sent: &[Vec<u8>]) {
    for kept in delivered {
        let whole = sent.iter().find_map(|mail| kept.strip_suffix(&**mail));
        let Some(trace) = whole else {
            panic!("{}", difference(kept, sent));
        };
        let trace = String::from_utf8_lossy(trace);
        for line in trace.lines() {
            let is_trace =
                TRACE.iter().any(|name| line.starts_with(name)) || line.starts_with([' ', '\t']);
            assert!(is_trace, "a server has added {line:?}");
        }
    }
    for mail in sent {
        let is_kept = delivered.iter().any(|kept| kept.ends_with(mail));
        assert!(is_kept, "not delivered: {}", subject(mail));
    }
}

/// Where a mail that was kept differs from the one of its subject that was sent.
fn difference(kept: &[u8], sent: &[Vec<u8>]) -> String {
    let text = subject(kept);
    let Some(mail) = sent.iter().find(|mail| subject(mail) == text) else {
        return format!(
            "not one of ours: {:?}",
            String::from_utf8_lossy(kept.get(..500).unwrap_or(kept))
        );
    };
    let same = kept
        .iter()
        .rev()
        .zip(mail.iter().rev())
        .take_while(|(a, b)| a == b)
        .count();
    let around = |octets: &[u8]| {
        let end = octets.len() - same;
        let part = end.saturating_sub(60)..(end + 20).min(octets.len());
        String::from_utf8_lossy(octets.get(part).unwrap_or_default()).into_owned()
    };
    format!("{text}: kept {:?}, sent {:?}", around(kept), around(mail))
}

fn subject(mail: &[u8]) -> String {
    let text = String::from_utf8_lossy(mail.get(..4000).unwrap_or(mail));
    let line = text.lines().find(|line| line.starts_with("Subject: "));
    line.unwrap_or_default().to_owned()
}

fn single_mails() -> Vec<Vec<u8>> {
    let octets: Vec<u8> = (0..=255).cycle().take(750_000).collect();
    let mut attachment = String::new();
    for line in octets.chunks(57) {
        attachment.push_str(&base64::Engine::encode(
            &base64::prelude::BASE64_STANDARD,
            line,
        ));
        attachment.push_str("\r\n");
    }
    vec![
        mail("plain", "7bit", "", "Good day.\r\n"),
        mail(
            "eight bits",
            "8bit",
            "",
            "Gr\u{fc}\u{df}e \u{1f4ee}\r\nblanks  \t\r\n\r\nFrom here\r\n",
        ),
        mail(
            "dots",
            "7bit",
            "",
            ".one\r\n..two\r\n.\r\n\r\n.\r\n...\r\n.\r\n",
        ),
        mail(
            "long lines",
            "7bit",
            "",
            &format!("{}\r\n.{}\r\n", "x".repeat(998), "y".repeat(997)),
        ),
        mail("one megabyte", "base64", "", &attachment),
    ]
}

fn mail(name: &str, encoding: &str, header: &str, body: &str) -> Vec<u8> {
    let id = name.replace(' ', "-");
    let to = if header.is_empty() {
        "To: ada@example.test\r\n"
    } else {
        header
    };
    format!(
        "From: app@example.test\r\n{to}Subject: {name}\r\nMessage-ID: <{id}@example.test>\r\n\
         Date: Wed, 25 Nov 2026 12:00:00 +0000\r\nMIME-Version: 1.0\r\n\
         Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n{body}"
    )
    .into_bytes()
}

fn envelope(recipients: &[&str]) -> Envelope {
    Envelope {
        account: "account".to_owned(),
        sender: None,
        recipients: recipients.iter().map(|to| (*to).to_owned()).collect(),
        transfer: mailbearer::model::TransferOptions::default(),
    }
}

fn account(smtp: SocketAddr, ca_pem: String) -> NewAccount {
    NewAccount {
        name: "account".to_owned(),
        mailbox: "app@example.test".to_owned(),
        cloud: Cloud::Custom,
        tenant: String::new(),
        client_id: String::new(),
        grant: Grant::TokenCommand {
            command: vec!["printf".to_owned(), TOKEN.to_owned()],
        },
        secret_expires_at_unix_ms: None,
        route: mailbearer::model::Route::default(),
        fallback: None,
        endpoints: EndpointOverrides {
            // Never asked: the command gives the token.
            token_url: Some("http://127.0.0.1:9/token".to_owned()),
            scopes: Some(vec!["mail".to_owned()]),
            smtp_host: Some("localhost".to_owned()),
            smtp_port: Some(smtp.port()),
            ca_pem: Some(ca_pem),
            ..EndpointOverrides::default()
        },
    }
}

const CLOSE_TOGETHER: usize = 40;

/// What servers put before a mail; smtp-sink notes the envelope there.
const TRACE: &[&str] = &[
    "From ",
    "Return-Path: ",
    "Return-path: ",
    "X-Original-To: ",
    "Delivered-To: ",
    "Received: ",
    "X-Client-Addr: ",
    "X-Client-Proto: ",
    "X-Helo-Args: ",
    "X-Mail-Args: ",
    "X-Rcpt-Args: ",
];
