//! Mail and token requests through proxies: HTTP CONNECT and SOCKS5, with and without a password, and what is said when
//! they refuse. The proxies of the first tests are of this file, and know every name as this machine; those of the last
//! are real ones.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    reason = "tests may stop where they stand, and have servers of their own"
)]

mod support;

use mailbearer::model::{ConnectionSettings, NewAccount, ProblemKind};
use mailbearer::{Config, Delivery, Error, Mailbearer};
use mailbearer_sandbox::{Options, Sandbox};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use support::{SERVICE, mail};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

/// A name that only the proxy knows.
const NAME: &str = "microsoft-365.example.test";
const USER: &str = "ada";
const PASSWORD: &str = "s3cret:with@signs";
const PASSWORD_IN_URL: &str = "s3cret%3Awith%40signs";

/// What a proxy of this file does with a request.
#[derive(Clone, Debug)]
enum Answer {
    /// Connects to this machine, whatever the name.
    Connect,
    /// Says this, octet for octet, in place of the answer to the request to connect.
    Say(Vec<u8>),
}

/// A proxy, and the names it was asked for.
struct TestProxy {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

impl TestProxy {
    async fn http(answer: Answer) -> Self {
        Self::start(answer, |stream, answer, asked| {
            Box::pin(http(stream, answer, asked))
        })
        .await
    }

    async fn socks(answer: Answer) -> Self {
        Self::start(answer, |stream, answer, asked| {
            Box::pin(socks(stream, answer, asked))
        })
        .await
    }

    async fn start(answer: Answer, serve: fn(TcpStream, Answer, Asked) -> Serving) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Asked::default();
        let names = asked.clone();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(serve(stream, answer.clone(), names.clone()));
            }
        });
        Self { address, asked }
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

type Serving = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;
type Asked = Arc<Mutex<Vec<String>>>;

async fn http(mut stream: TcpStream, answer: Answer, asked: Asked) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let Ok(octet) = stream.read_u8().await else {
            return;
        };
        head.push(octet);
    }
    let head = String::from_utf8(head).unwrap();
    let expected = base64(&format!("{USER}:{PASSWORD}"));
    let target = head
        .strip_prefix("CONNECT ")
        .and_then(|rest| rest.split(' ').next());
    let Some((name, port)) = target.and_then(|target| target.rsplit_once(':')) else {
        return;
    };
    asked.lock().unwrap().push(name.to_owned());
    if let Answer::Say(octets) = answer {
        let _ = stream.write_all(&octets).await;
        return;
    }
    if !head
        .to_ascii_lowercase()
        .contains(&format!("basic {expected}").to_ascii_lowercase())
    {
        let refusal = "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n";
        let _ = stream.write_all(refusal.as_bytes()).await;
        return;
    }
    let Ok(mut server) = TcpStream::connect(format!("127.0.0.1:{port}")).await else {
        let _ = stream.write_all(b"HTTP/1.1 502 Bad Gateway\r\n\r\n").await;
        return;
    };
    // The server's greeting comes with the answer in one go.
    let mut greeting = vec![0; 512];
    let waiting = tokio::time::timeout(Duration::from_millis(300), server.read(&mut greeting));
    let count = waiting.await.map_or(0, Result::unwrap_or_default);
    let mut said = b"HTTP/1.1 200 Connection established\r\n\r\n".to_vec();
    said.extend(&greeting[..count]);
    let _ = stream.write_all(&said).await;
    let _ = copy_bidirectional(&mut stream, &mut server).await;
}

fn base64(text: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(text)
}

async fn socks(stream: TcpStream, answer: Answer, asked: Asked) {
    // Whoever goes away in the middle of it is no fault of the proxy.
    let _ = socks_dialogue(stream, answer, asked).await;
}

async fn socks_dialogue(
    mut stream: TcpStream,
    answer: Answer,
    asked: Asked,
) -> std::io::Result<()> {
    let mut methods = vec![0; usize::from(start_of(&mut stream).await?)];
    stream.read_exact(&mut methods).await?;
    if !methods.contains(&2) {
        return stream.write_all(&[5, 0xFF]).await;
    }
    stream.write_all(&[5, 2]).await?;
    assert_eq!(stream.read_u8().await?, 1);
    let user = text_of(&mut stream).await?;
    let is_known = (user, text_of(&mut stream).await?) == (USER.to_owned(), PASSWORD.to_owned());
    stream.write_all(&[1, u8::from(!is_known)]).await?;
    if !is_known {
        return Ok(());
    }
    let mut request = [0; 4];
    stream.read_exact(&mut request).await?;
    assert_eq!(request[..3], [5, 1, 0]);
    let name = match request[3] {
        3 => text_of(&mut stream).await?,
        1 => std::net::Ipv4Addr::from(stream.read_u32().await?).to_string(),
        _ => std::net::Ipv6Addr::from(stream.read_u128().await?).to_string(),
    };
    let port = stream.read_u16().await?;
    asked.lock().unwrap().push(name);
    if let Answer::Say(octets) = answer {
        return stream.write_all(&octets).await;
    }
    let Ok(mut server) = TcpStream::connect(("127.0.0.1", port)).await else {
        return stream.write_all(&socks_reply(5)).await;
    };
    stream.write_all(&socks_reply(0)).await?;
    copy_bidirectional(&mut stream, &mut server).await?;
    Ok(())
}

async fn start_of(stream: &mut TcpStream) -> std::io::Result<u8> {
    assert_eq!(stream.read_u8().await?, 5);
    stream.read_u8().await
}

async fn text_of(stream: &mut TcpStream) -> std::io::Result<String> {
    let mut octets = vec![0; usize::from(stream.read_u8().await?)];
    stream.read_exact(&mut octets).await?;
    Ok(String::from_utf8(octets).unwrap())
}

fn socks_reply(code: u8) -> Vec<u8> {
    vec![5, code, 0, 1, 0, 0, 0, 0, 0, 0]
}

/// The account `service`, whose servers only a proxy can find.
fn account(sandbox: &Sandbox) -> NewAccount {
    let mut account = support::service(sandbox);
    let port = sandbox
        .identity_https_url()
        .rsplit(':')
        .next()
        .unwrap()
        .to_owned();
    account.endpoints.authority = Some(format!("https://{NAME}:{port}"));
    account.endpoints.smtp_host = Some(NAME.to_owned());
    account
}

async fn sandbox() -> Sandbox {
    let options = Options {
        certificate_names: vec![NAME.to_owned()],
        ..support::options()
    };
    Sandbox::start(options).await.unwrap()
}

async fn open(proxy: &str) -> mailbearer::Result<Mailbearer> {
    let config = Config {
        connections: ConnectionSettings {
            proxy: Some(proxy.to_owned().into()),
            ..ConnectionSettings::default()
        },
        timeouts: support::timeouts(),
        ..Config::default()
    };
    Mailbearer::open(config).await
}

/// Sends through a proxy, and makes sure that its password shows nowhere.
async fn send_through(proxy: &str, account: NewAccount) -> Result<Delivery, Error> {
    let mailbearer = open(proxy).await.unwrap();
    mailbearer.add_account(account).await.unwrap();
    let sent = mailbearer
        .send(mail(SERVICE, &["bob@contoso.example"]))
        .await;
    let shown = format!("{sent:?} {mailbearer:?}");
    assert!(!shown.contains("s3cret"), "{shown}");
    mailbearer.close().await.unwrap();
    sent
}

#[tokio::test]
async fn mail_and_token_requests_go_through_the_proxy_which_looks_the_names_up() {
    let (http, socks) = (
        TestProxy::http(Answer::Connect).await,
        TestProxy::socks(Answer::Connect).await,
    );
    for (scheme, proxy) in [("http", http), ("socks5h", socks)] {
        let sandbox = sandbox().await;
        let url = format!("{scheme}://{USER}:{PASSWORD_IN_URL}@{}", proxy.address);
        let delivery = send_through(&url, account(&sandbox)).await.unwrap();
        // TLS is spoken with the server, not with the proxy.
        assert_eq!(delivery.trail.tls.unwrap().version, "TLSv1.3");
        assert_eq!(sandbox.inbox().mails().len(), 1);
        assert_eq!(
            proxy.asked(),
            [NAME, NAME],
            "{scheme}: the token's and the mail's"
        );
    }
}

#[tokio::test]
async fn a_name_that_is_to_be_looked_up_here_must_be_known_here() {
    let sandbox = sandbox().await;
    let proxy = TestProxy::socks(Answer::Connect).await;
    let url = format!("socks5://{USER}:{PASSWORD_IN_URL}@{}", proxy.address);
    let error = send_through(&url, account(&sandbox)).await.unwrap_err();
    assert_eq!(error.code(), "dns-failure", "{error:?}");
    assert_eq!(proxy.asked(), Vec::<String>::new());
}

#[tokio::test]
async fn this_machine_is_reached_without_the_proxy() {
    let sandbox = sandbox().await;
    let proxy = TestProxy::http(Answer::Say(Vec::new())).await;
    let account = support::service(&sandbox);
    let sent = send_through(&format!("http://{}", proxy.address), account).await;
    assert!(sent.is_ok(), "{sent:?}");
    assert_eq!(proxy.asked(), Vec::<String>::new());
}

/// What comes of a proxy's answers, for the token and, with one at hand, for the mail.
#[tokio::test]
async fn what_a_proxy_refuses_is_said_with_its_cause_and_fix() {
    let sandbox = sandbox().await;
    let at_hand = {
        let mut account = support::service(&sandbox);
        account.endpoints.smtp_host = Some(NAME.to_owned());
        account
    };
    let check = async |url: String, code: &str, kind: ProblemKind| {
        let error = send_through(&url, at_hand.clone()).await.unwrap_err();
        assert_eq!((error.code(), error.kind()), (code, kind), "{error:?}");
        assert!(!error.problem().fix.is_empty());
        let error = send_through(&url, account(&sandbox)).await.unwrap_err();
        assert_eq!(
            (error.code(), error.kind()),
            (code, kind),
            "for the token: {error:?}"
        );
    };
    let closed = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    let login = format!("{USER}:{PASSWORD_IN_URL}");
    for scheme in ["http", "socks5h"] {
        let url = format!("{scheme}://{closed}");
        check(url, "proxy-unreachable", ProblemKind::Unavailable).await;
        let proxy = match scheme {
            "http" => TestProxy::http(Answer::Connect).await,
            _ => TestProxy::socks(Answer::Connect).await,
        };
        for login in ["", "ada:s3cret-of-another@"] {
            let url = format!("{scheme}://{login}{}", proxy.address);
            check(url, "proxy-auth-required", ProblemKind::Config).await;
        }
    }
    for (reply, code, kind) in [
        (
            "HTTP/1.1 403 Forbidden\r\n\r\n",
            "proxy-refused",
            ProblemKind::Config,
        ),
        (
            "HTTP/1.1 503 Busy\r\n\r\n",
            "proxy-target-unreachable",
            ProblemKind::Unavailable,
        ),
        (
            "SSH-2.0-OpenSSH_9.2\r\n\r\n",
            "proxy-not-understood",
            ProblemKind::Config,
        ),
        ("", "proxy-not-understood", ProblemKind::Config),
    ] {
        let proxy = TestProxy::http(Answer::Say(reply.into())).await;
        check(format!("http://{login}@{}", proxy.address), code, kind).await;
    }
    for (reply, code, kind) in [
        (
            socks_reply(1),
            "proxy-target-unreachable",
            ProblemKind::Unavailable,
        ),
        (socks_reply(2), "proxy-refused", ProblemKind::Config),
        (
            socks_reply(4),
            "proxy-target-unreachable",
            ProblemKind::Unavailable,
        ),
        (
            socks_reply(5),
            "proxy-target-unreachable",
            ProblemKind::Unavailable,
        ),
        (socks_reply(8), "proxy-refused", ProblemKind::Config),
        (
            b"HTTP/1.1 400 Bad".to_vec(),
            "proxy-not-understood",
            ProblemKind::Config,
        ),
        (Vec::new(), "proxy-not-understood", ProblemKind::Config),
    ] {
        let proxy = TestProxy::socks(Answer::Say(reply)).await;
        check(format!("socks5h://{login}@{}", proxy.address), code, kind).await;
    }
}

#[tokio::test]
async fn a_proxy_setting_that_cannot_be_used_is_refused_without_being_shown() {
    let error = open("https://ada:s3cret@proxy.example.test")
        .await
        .unwrap_err();
    assert_eq!(
        (error.code(), error.kind()),
        ("proxy-url-invalid", ProblemKind::Config)
    );
    assert!(!format!("{error:?}").contains("s3cret"), "{error:?}");
}

/// A server that is cut from the proxy's inside: STARTTLS is missing, and nothing secret has gone over the tunnel.
#[tokio::test]
async fn nothing_secret_goes_through_a_proxy_in_plaintext() {
    let sandbox = sandbox().await;
    let mut said =
        b"HTTP/1.1 200 OK\r\n\r\n220 x ESMTP\r\n250-x\r\n250 AUTH XOAUTH2 PLAIN\r\n221 bye\r\n"
            .to_vec();
    said.extend(b"235 yes\r\n");
    let proxy = TestProxy::http(Answer::Say(said)).await;
    let mut account = support::service(&sandbox);
    account.endpoints.smtp_host = Some(NAME.to_owned());
    let url = format!("http://{USER}:{PASSWORD_IN_URL}@{}", proxy.address);
    let error = send_through(&url, account).await.unwrap_err();
    let codes = [
        "starttls-missing",
        "smtp-protocol-violation",
        "connection-lost",
    ];
    assert!(codes.contains(&error.code()), "{error:?}");
}

/// They know the server by the name that this machine has of itself.
#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs microsocks and tinyproxy: cargo xtask test proxies"]
async fn mail_goes_through_real_proxies() {
    use std::process::{Child, Command, Stdio};
    struct Running(Child);
    impl Drop for Running {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }
    let start = |command: &mut Command| {
        let command = command.stdout(Stdio::null()).stderr(Stdio::null());
        Running(command.spawn().unwrap())
    };
    let free_port = || {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().port()
    };
    let output = Command::new("hostname").output().unwrap();
    let name = String::from_utf8(output.stdout).unwrap().trim().to_owned();
    let ip = tokio::net::lookup_host((&*name, 0))
        .await
        .unwrap()
        .next()
        .unwrap()
        .ip();
    let folder = tempfile::tempdir().unwrap();
    let (socks_port, http_port) = (free_port(), free_port());
    let port_text = socks_port.to_string();
    let _socks = start(Command::new("microsocks").args([
        "-i",
        "127.0.0.1",
        "-p",
        &port_text,
        "-u",
        USER,
        "-P",
        PASSWORD,
    ]));
    let settings = folder.path().join("tinyproxy.conf");
    let text =
        format!("Port {http_port}\nListen 127.0.0.1\nBasicAuth {USER} s3cret\nLogLevel Error\n");
    std::fs::write(&settings, text).unwrap();
    let _http = start(Command::new("tinyproxy").arg("-d").arg("-c").arg(&settings));
    for port in [socks_port, http_port] {
        let begun = std::time::Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            assert!(
                begun.elapsed() < Duration::from_secs(20),
                "no proxy at {port}"
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    let options = Options {
        host: ip,
        certificate_names: vec![name.clone()],
        ..support::options()
    };
    for (url, wrong) in [
        (
            format!("socks5h://{USER}:{PASSWORD_IN_URL}@127.0.0.1:{socks_port}"),
            format!("socks5h://{USER}:no-s3cret@127.0.0.1:{socks_port}"),
        ),
        (
            format!("http://{USER}:s3cret@127.0.0.1:{http_port}"),
            format!("http://{USER}:no-s3cret@127.0.0.1:{http_port}"),
        ),
    ] {
        let sandbox = Sandbox::start(options.clone()).await.unwrap();
        let mut account = support::service(&sandbox);
        let port = sandbox
            .identity_https_url()
            .rsplit(':')
            .next()
            .unwrap()
            .to_owned();
        account.endpoints.authority = Some(format!("https://{name}:{port}"));
        account.endpoints.smtp_host = Some(name.clone());
        send_through(&url, account.clone()).await.unwrap();
        assert_eq!(sandbox.inbox().mails().len(), 1);
        let error = send_through(&wrong, account).await.unwrap_err();
        assert_eq!(error.code(), "proxy-auth-required", "{error:?}");
    }
}
