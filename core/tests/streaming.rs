//! Bodies that are streamed: large attachments cost little memory, arrive as they were, and a file that changes on the
//! way is never delivered. And what a mail asks of the server, as far as it is offered.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "tests may stop where they stand, and measurements are shown"
)]

mod support;

use async_trait::async_trait;
use mail_parser::{MessageParser, MimeHeaders as _};
use mailbearer::host::{Network, Stream, SystemNetwork, TlsParameters};
use mailbearer::model::{
    Attachment, Content, DeliveryNotification, NotifyWhen, ProblemKind, ReturnedContent,
    TlsSession, TransferOption, TransferOptions, VaultSettings, Verdict,
};
use mailbearer::{Config, Delivery, Message, Parts};
use mailbearer_sandbox::directory::seed;
use mailbearer_sandbox::{Options, SubmissionLimits};
use serde_json::json;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Seek as _, SeekFrom, Write as _};
use std::net::SocketAddr;
use std::path::Path;
use std::pin::Pin;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use support::{SERVICE, World, mail, timeouts};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

const TO: &str = "bob@contoso.example";
const MEGABYTE: u64 = 1_000_000;

/// What a server may leave out, and by that make a body go another way: binary, in chunks, with DATA.
const WAYS: [&[&str]; 4] = [
    &[],
    &["BINARYMIME"],
    &["CHUNKING"],
    &["CHUNKING", "PIPELINING"],
];

async fn world(limits: SubmissionLimits, network: Arc<dyn Network>) -> World {
    let options = Options {
        limits,
        ..support::options()
    };
    let config = Config {
        vault: VaultSettings::Memory,
        timeouts: timeouts(),
        ..Config::default()
    };
    let parts = Parts {
        network,
        ..Parts::default()
    };
    World::start_on(options, config, parts).await
}

async fn world_without(hidden_extensions: &'static [&'static str]) -> World {
    let limits = SubmissionLimits {
        hidden_extensions,
        ..SubmissionLimits::default()
    };
    world(limits, Arc::new(SystemNetwork::default())).await
}

fn attached(path: &Path) -> Attachment {
    Attachment {
        name: None,
        content_type: None,
        content_id: None,
        content: Content::File {
            path: path.to_str().unwrap().to_owned(),
        },
    }
}

fn mail_with(attachments: Vec<Attachment>) -> Message {
    Message {
        attachments,
        ..mail(SERVICE, &[TO])
    }
}

fn octets(count: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let next = |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    };
    (0..count).map(next).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn attachments_arrive_as_they_are_whichever_way_they_go() {
    let folder = tempfile::tempdir().unwrap();
    let files = [
        ("photo.jpg", octets(700_001)),
        ("notes.txt", "gr\u{fc}n\n.\nend".repeat(20_000).into_bytes()),
        (
            "old.eml",
            b"Subject: old\r\n\r\n.\r\n..dots\r\n".repeat(4000),
        ),
        ("empty.bin", Vec::new()),
    ];
    for (name, octets) in &files {
        std::fs::write(folder.path().join(name), octets).unwrap();
    }
    for hidden in WAYS {
        let world = world_without(hidden).await;
        let mut message = mail_with(Vec::new());
        for (name, octets) in &files {
            message
                .attachments
                .push(attached(&folder.path().join(name)));
            message.attachments.push(Attachment {
                name: Some((*name).to_owned()),
                content: Content::Data {
                    data: octets.as_slice().into(),
                },
                ..attached(folder.path())
            });
        }
        let delivery = world.mailbearer.send(message).await.unwrap();
        let mails = world.sandbox.inbox().wait_for(1).await;
        let sent = &mails[0].mail;
        assert_eq!(delivery.trail.size_bytes, sent.mime.len() as u64);
        let size = format!("SIZE={}", sent.mime.len());
        assert!(sent.mail_parameters.contains(&size), "{hidden:?}");
        let is_binary = sent.mail_parameters.contains(&"BODY=BINARYMIME".to_owned());
        assert_eq!(is_binary, hidden.is_empty());

        let parsed = MessageParser::default().parse(&sent.mime).unwrap();
        let arrived: Vec<_> = parsed.attachments().collect();
        assert_eq!(arrived.len(), 2 * files.len());
        for (place, (name, octets)) in files.iter().enumerate() {
            for part in [arrived[2 * place], arrived[2 * place + 1]] {
                assert_eq!(part.attachment_name(), Some(*name));
                let found = match part.message() {
                    Some(message) => message.raw_message(),
                    None => part.contents(),
                };
                assert!(found == octets.as_slice(), "{hidden:?} {name}");
            }
        }
        world.mailbearer.close().await.unwrap();
    }
}

/// A network that does something as soon as so many octets have been written after TLS.
struct Meddling {
    network: SystemNetwork,
    after_octets: u64,
    deed: Arc<dyn Fn() + Send + Sync>,
}

impl std::fmt::Debug for Meddling {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Meddling")
    }
}

#[async_trait]
impl Network for Meddling {
    async fn connect(
        &self,
        host: &str,
        port: u16,
        limit: Duration,
    ) -> mailbearer::Result<Box<dyn Stream>> {
        self.network.connect(host, port, limit).await
    }

    async fn start_tls(
        &self,
        stream: Box<dyn Stream>,
        host: &str,
        parameters: &TlsParameters,
    ) -> mailbearer::Result<(Box<dyn Stream>, TlsSession)> {
        let (stream, session) = self.network.start_tls(stream, host, parameters).await?;
        let watched = Watched {
            stream,
            left: AtomicU64::new(self.after_octets),
            deed: self.deed.clone(),
        };
        Ok((Box::new(watched), session))
    }
}

struct Watched {
    stream: Box<dyn Stream>,
    left: AtomicU64,
    deed: Arc<dyn Fn() + Send + Sync>,
}

impl Stream for Watched {
    fn local_address(&self) -> Option<SocketAddr> {
        self.stream.local_address()
    }
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Watched {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, octets);
        if let Poll::Ready(Ok(count)) = written {
            let left = self.left.load(Ordering::SeqCst);
            self.left
                .store(left.saturating_sub(count as u64), Ordering::SeqCst);
            if left > 0 && left <= count as u64 {
                (self.deed)();
            }
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// Ways to change a file of three megabytes.
const CHANGES: [fn(&Path); 4] = [
    |path| {
        File::options()
            .write(true)
            .open(path)
            .unwrap()
            .set_len(2_900_000)
            .unwrap()
    },
    |path| {
        File::options()
            .write(true)
            .open(path)
            .unwrap()
            .set_len(3_000_001)
            .unwrap()
    },
    |path| File::create(path).map(drop).unwrap(),
    |path| {
        let mut file = File::options().write(true).open(path).unwrap();
        file.seek(SeekFrom::Start(2_000_000)).unwrap();
        file.write_all(b"changed").unwrap();
    },
];

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_changes_while_it_is_sent_is_never_delivered() {
    let folder = tempfile::tempdir().unwrap();
    for hidden in WAYS {
        for (number, change) in CHANGES.into_iter().enumerate() {
            let path = folder.path().join("report.bin");
            std::fs::write(&path, octets(3_000_000)).unwrap();
            let network = Meddling {
                network: SystemNetwork::default(),
                after_octets: 500_000,
                deed: Arc::new({
                    let path = path.clone();
                    move || change(&path)
                }),
            };
            let limits = SubmissionLimits {
                hidden_extensions: hidden,
                ..SubmissionLimits::default()
            };
            let world = world(limits, Arc::new(network)).await;
            // A mail that goes with it is not held up by it.
            let other = mail(SERVICE, &[TO]);
            let (changed, other) = tokio::join!(
                world.mailbearer.send(mail_with(vec![attached(&path)])),
                world.mailbearer.send(other),
            );
            let error = changed.unwrap_err();
            let what = format!("{hidden:?} {number}: {error:?}");
            assert_eq!(error.code(), "attachment-changed", "{what}");
            assert_eq!(error.kind(), ProblemKind::Rejected, "{what}");
            assert!(
                error.problem().fix.contains("send the mail again"),
                "{what}"
            );
            let verdicts = error.problem().recipients.iter();
            assert!(
                verdicts.map(|r| r.verdict).eq([Verdict::NotTried]),
                "{what}"
            );
            other.unwrap();
            world.mailbearer.send(mail(SERVICE, &[TO])).await.unwrap();
            world.mailbearer.close().await.unwrap();
            let mails = world.sandbox.inbox().wait_for(2).await;
            assert_eq!(mails.len(), 2, "{what}");
            assert!(
                mails.iter().all(|stored| stored.mail.mime.len() < 10_000),
                "{what}"
            );
        }
    }
}

/// A file of so many octets that takes no room on the disk.
fn sparse(path: &Path, size_bytes: u64) {
    let file = File::create(path).unwrap();
    file.set_len(size_bytes).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_server_cannot_take_is_known_before_the_body_leaves() {
    async fn check(hidden: &'static [&'static str], message: Message, expected: &str) {
        let world = world_without(hidden).await;
        let error = world.mailbearer.send(message).await.unwrap_err();
        assert_eq!(error.code(), expected);
        let verdicts = error.problem().recipients.iter();
        assert!(verdicts.map(|r| r.verdict).eq([Verdict::NotTried]));
        world.mailbearer.send(mail(SERVICE, &[TO])).await.unwrap();
    }
    let folder = tempfile::tempdir().unwrap();
    let (large, small) = (folder.path().join("large"), folder.path().join("small"));
    sparse(&large, 160 * MEGABYTE);
    sparse(&small, MEGABYTE);
    check(&[], mail_with(vec![attached(&large)]), "size-limit").await;
    let mut named = mail_with(vec![attached(&small)]);
    named.to[0].address = "j\u{fc}rgen@contoso.example".to_owned();
    check(&["SMTPUTF8"], named.clone(), "smtputf8-unsupported").await;
    check(&["8BITMIME", "BINARYMIME"], named, "8bitmime-unsupported").await;
    let mut required = mail_with(vec![attached(&small)]);
    required.transfer.require_tls = true;
    check(&[], required, "requiretls-unsupported").await;
}

fn asking_for_everything() -> Message {
    Message {
        transfer: TransferOptions {
            notification: Some(DeliveryNotification {
                notify: vec![NotifyWhen::Failure, NotifyWhen::Delay],
                returned: Some(ReturnedContent::Headers),
                envelope_id: Some("order 7".to_owned()),
                recipients: Vec::new(),
            }),
            require_tls: true,
            priority: Some(3),
        },
        ..mail(SERVICE, &[TO])
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_asked_for_reaches_the_server_that_offers_it() {
    let limits = SubmissionLimits {
        extra_extensions: &["REQUIRETLS", "MT-PRIORITY"],
        ..SubmissionLimits::default()
    };
    let world = world(limits, Arc::new(SystemNetwork::default())).await;
    let delivery = world
        .mailbearer
        .send(asking_for_everything())
        .await
        .unwrap();
    assert_eq!(delivery.trail.not_offered, []);
    let mails = world.sandbox.inbox().wait_for(1).await;
    let parameters = &mails[0].mail.mail_parameters[1..];
    let expected = ["REQUIRETLS", "MT-PRIORITY=3", "RET=HDRS", "ENVID=order+207"];
    assert_eq!(parameters, expected);
    let of_recipient = &mails[0].mail.recipient_parameters[0].parameters;
    let expected = ["NOTIFY=FAILURE,DELAY", "ORCPT=rfc822;bob@contoso.example"];
    assert_eq!(*of_recipient, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_offered_is_left_out_and_told() {
    let world = world_without(&["DSN"]).await;
    let mut message = asking_for_everything();
    message.transfer.require_tls = false;
    let delivery: Delivery = world.mailbearer.send(message).await.unwrap();
    let expected = [TransferOption::Notification, TransferOption::Priority];
    assert_eq!(delivery.trail.not_offered, expected);
    let mails = world.sandbox.inbox().wait_for(1).await;
    assert_eq!(mails[0].mail.mail_parameters.len(), 1, "SIZE alone");
    assert!(mails[0].mail.recipient_parameters.is_empty());
}

/// Sends one mail after the other in a process of its own, and tells what each has added to its peak memory, in KB.
async fn peaks_kb(world: &World, paths: &[&Path]) -> Vec<u64> {
    let account = json!({
        "name": SERVICE,
        "mailbox": seed::BILLING,
        "tenant": seed::TENANT_ID,
        "clientId": seed::SERVICE_CLIENT_ID,
        "grant": { "type": "clientSecret", "clientSecret": seed::SERVICE_CLIENT_SECRET },
        "endpoints": {
            "authority": world.sandbox.identity_url(),
            "smtpHost": "localhost",
            "smtpPort": world.sandbox.smtp_address().port(),
            "caPem": world.sandbox.ca_pem(),
        },
    });
    let mut sender = Command::new(std::env::current_exe().unwrap())
        .args([
            "--ignored",
            "--exact",
            "sends_for_another_process",
            "--nocapture",
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut orders = sender.stdin.take().unwrap();
    let answers = sender.stdout.take().unwrap();
    let lines: Vec<_> = paths
        .iter()
        .map(|path| path.to_str().unwrap().to_owned())
        .collect();
    let count = lines.len();
    let told = tokio::task::spawn_blocking(move || {
        writeln!(orders, "{account}\n{}", lines.join("\n")).unwrap();
        drop(orders);
        let lines = BufReader::new(answers).lines().map_while(Result::ok);
        let told = lines.filter_map(|line| Some(line.split_once("peak> ")?.1.parse().unwrap()));
        told.collect::<Vec<_>>()
    });
    let told = told.await.unwrap();
    assert!(sender.wait().unwrap().success());
    assert_eq!(told.len(), count);
    told
}

/// Not a test: the process whose memory is measured.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "started by the other tests of this file"]
async fn sends_for_another_process() {
    let mut orders = io::stdin().lines().map_while(Result::ok);
    let Some(account) = orders.next() else {
        return;
    };
    let config = Config {
        vault: VaultSettings::Memory,
        ..Config::default()
    };
    let handle = mailbearer::Mailbearer::open(config).await.unwrap();
    let account = serde_json::from_str(&account).unwrap();
    handle.add_account(account).await.unwrap();
    // Idle is a process that has sent before.
    handle.send(mail(SERVICE, &[TO])).await.unwrap();
    let idle = resident_kb("VmRSS:");
    for path in orders {
        handle
            .send(mail_with(vec![attached(Path::new(&path))]))
            .await
            .unwrap();
        let peak = resident_kb("VmHWM:");
        writeln!(io::stdout().lock(), "\npeak> {}", peak.saturating_sub(idle)).unwrap();
    }
}

/// What the kernel counts of this process's memory: `VmRSS:` now, `VmHWM:` at most so far.
fn resident_kb(which: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(which));
    let number = line.and_then(|line| line.split_whitespace().nth(1));
    number.unwrap().parse().unwrap()
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_large_attachment_takes_little_memory() {
    let folder = tempfile::tempdir().unwrap();
    let (ten, all) = (
        folder.path().join("10MB.bin"),
        folder.path().join("150MB.bin"),
    );
    sparse(&ten, 10 * MEGABYTE);
    sparse(&all, 150 * MEGABYTE);
    for hidden in [&["BINARYMIME"][..], &[]] {
        let limits = SubmissionLimits {
            message_bytes: 300_000_000,
            hidden_extensions: hidden,
            ..SubmissionLimits::default()
        };
        let world = world(limits, Arc::new(SystemNetwork::default())).await;
        let peaks = peaks_kb(&world, &[&ten, &all]).await;
        println!(
            "{hidden:?}: 10 MB takes {} KB above idle, 150 MB takes {} KB",
            peaks[0], peaks[1]
        );
        assert!(peaks[0] < 8 * 1024, "10 MB: {} KB", peaks[0]);
        assert!(peaks[1] < 32 * 1024, "150 MB: {} KB", peaks[1]);
        let sizes: Vec<_> = world
            .sandbox
            .inbox()
            .mails()
            .iter()
            .map(|m| m.mail.mime.len())
            .collect();
        assert!(sizes.iter().any(|size| *size > 150_000_000), "{sizes:?}");
    }
}
