//! A server that plays a script, in memory and in no time: a clock that stands still moves on only when both sides
//! wait. A test is a transcript; what the client says differently is a fault, and waits end at their deadlines.

use super::{MannersOfHosts, SmtpTransport};
use crate::error::{Error, Result};
use crate::host::{Clock as _, ManualClock, Network, SeededRandom, Stream, TlsParameters};
use crate::model::{ProblemKind, Timeouts, TlsSession, TokenOrigin};
use crate::token::{AccessToken, TokenSource};
use crate::transport::{Outcome, OutgoingMail, SmtpRoute, Transport as _};
use async_trait::async_trait;
use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// One line of a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Act {
    /// The server says this.
    Say(Vec<u8>),
    /// The server says this, an octet at a time with a pause before each.
    Drip(Vec<u8>, Duration),
    /// The client says exactly this.
    Hear(Vec<u8>),
    /// The client sends a message, whatever it is, up to the end of data.
    HearMessage,
    /// The client starts TLS.
    StartTls,
    /// The server closes the connection. A script that ends otherwise goes on in silence.
    Close,
}

/// One connection of the server, as it goes.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) script: VecDeque<Act>,
    /// How many octets a read gives at most.
    pub(super) read_bytes: usize,
    /// Whether every read has to be tried twice.
    pub(super) is_hesitant: bool,
    /// How many octets are said before the connection breaks.
    pub(super) cut_after_bytes: usize,
    /// How many octets are taken before the server stops reading.
    pub(super) takes_bytes: usize,
    /// What the client wrote, write by write.
    pub(super) flights: Vec<String>,
    /// Where the client left the script.
    pub(super) faults: Vec<String>,
    said: VecDeque<u8>,
    heard: Vec<u8>,
    has_tls: bool,
    is_closed: bool,
    is_dropped: bool,
    idle_reads: u32,
    clock: Arc<ManualClock>,
}

/// A network with one server, a clock, and tokens.
#[derive(Debug)]
pub(super) struct World {
    pub(super) clock: Arc<ManualClock>,
    servers: Mutex<VecDeque<Arc<Mutex<Server>>>>,
    /// The connections made, in order.
    connections: Mutex<Vec<Arc<Mutex<Server>>>>,
    /// Whether connections and handshakes come about at all.
    pub(super) connects: bool,
    pub(super) shakes_hands: bool,
    /// How long a mail is tried again that met too many connections.
    pub(super) concurrency_wait: Duration,
    tokens: Mutex<VecDeque<&'static str>>,
}

/// Reads a script: `S: ` a line the server says, `C: ` one the client says, `M` a message, `TLS`, `X` the server
/// closes.
pub(super) fn script(text: &str) -> Vec<Act> {
    let act = |line: &str| match line.split_at_checked(3) {
        Some(("S: ", said)) => Act::Say(format!("{said}\r\n").into_bytes()),
        Some(("C: ", heard)) => Act::Hear(format!("{heard}\r\n").into_bytes()),
        _ => match line {
            "S:" => Act::Say(b"\r\n".to_vec()),
            "C:" => Act::Hear(b"\r\n".to_vec()),
            "M" => Act::HearMessage,
            "TLS" => Act::StartTls,
            "X" => Act::Close,
            _ => panic!("not a line of a script: {line}"),
        },
    };
    let lines = text.lines().map(str::trim_start);
    let mut acts: Vec<Act> = Vec::new();
    for act in lines.filter(|line| !line.is_empty()).map(act) {
        match (acts.last_mut(), act) {
            // The lines of one reply are said in one go.
            (Some(Act::Say(said)), Act::Say(line)) if is_unfinished(said) => said.extend(line),
            (_, act) => acts.push(act),
        }
    }
    acts
}

fn is_unfinished(reply: &[u8]) -> bool {
    let last_line = reply.split_inclusive(|octet| *octet == b'\n').next_back();
    last_line.is_some_and(|line| line.get(3) == Some(&b'-'))
}

/// Runs a test so that it gets its turn after every step of a connection, during whose rest the clock moves on.
pub(super) fn in_small_steps(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .event_interval(1)
        .build()
        .unwrap();
    runtime.block_on(test);
}

/// The token of a test.
pub(super) const TOKEN: &str = "EwBAAl3BAAUFFpUAo7J3Ve0bjLBWZWCclRC3EoAA";
/// What XOAUTH2 makes of it and of `ada@example.com`.
pub(super) const RESPONSE: &str = "dXNlcj1hZGFAZXhhbXBsZS5jb20BYXV0aD1CZWFyZXIgRXdCQUFsM0JBQVVGRnBVQW83SjNWZTBiakxCV1pXQ2NsUkMzRW9BQQEB";
/// The message of a test.
pub(super) const MESSAGE: &str = "Subject: x\r\n\r\n.hello\r\n";

/// The beginning of a session, until the token is accepted. `offers` are the server's extensions beside AUTH.
pub(super) fn signed_in(offers: &[&str]) -> String {
    let offers: String = offers
        .iter()
        .map(|offer| format!("S: 250-{offer}\n"))
        .collect();
    format!(
        "S: 220 mail.example.com ESMTP
         C: EHLO [192.0.2.7]
         S: 250-mail.example.com
         S: 250 STARTTLS
         C: STARTTLS
         S: 220 go
         TLS
         C: EHLO [192.0.2.7]
         S: 250-mail.example.com
         {offers}S: 250 AUTH LOGIN XOAUTH2
         C: AUTH XOAUTH2 {RESPONSE}
         S: 235 2.7.0 Authentication successful
        "
    )
}

/// The end of a session.
pub(super) const QUIT: &str = "C: QUIT\nS: 221 2.0.0 bye\nX\n";

/// The server's own words in an error.
pub(super) fn answer(error: &Error) -> &str {
    error.problem().answer.as_deref().unwrap_or_default()
}

/// A mail of Ada's.
pub(super) fn mail(recipients: &[&str]) -> OutgoingMail {
    OutgoingMail {
        sender: "ada@example.com".to_owned(),
        recipients: recipients
            .iter()
            .map(|&address| address.to_owned())
            .collect(),
        mime: MESSAGE.into(),
        needs_smtputf8: false,
        eight_bit: false,
        transfer: Default::default(),
    }
}

impl World {
    /// A world whose server plays these scripts, one for each connection.
    pub(super) fn new(scripts: &[Vec<Act>]) -> Self {
        let clock = Arc::new(ManualClock::at(1_700_000_000_000));
        let server = |script: &Vec<Act>| Arc::new(Mutex::new(Server::new(script, &clock)));
        Self {
            servers: Mutex::new(scripts.iter().map(server).collect()),
            connections: Mutex::default(),
            connects: true,
            shakes_hands: true,
            concurrency_wait: Duration::ZERO,
            tokens: Mutex::new([TOKEN].into()),
            clock,
        }
    }

    /// The same with other tokens: the first one, then those that take the place of a refused one.
    pub(super) fn with_tokens(self, tokens: &[&'static str]) -> Self {
        *self.tokens.lock().unwrap() = tokens.iter().copied().collect();
        self
    }

    /// The same after a change to every connection's server.
    pub(super) fn with(self, change: impl Fn(&mut Server)) -> Self {
        for server in self.servers.lock().unwrap().iter() {
            change(&mut server.lock().unwrap());
        }
        self
    }

    /// Delivers a mail, and closes the connection it went over.
    pub(super) async fn deliver(self: &Arc<Self>, mail: &OutgoingMail) -> Outcome {
        let transport = self.transport();
        let closing = async { transport.begin_to_close() };
        let (outcome, ()) = tokio::join!(transport.deliver(mail.clone()), closing);
        transport.close().await;
        outcome
    }

    pub(super) fn transport(self: &Arc<Self>) -> SmtpTransport {
        let route = SmtpRoute {
            account: "ada".to_owned(),
            host: "mail.example.com".to_owned(),
            port: 587,
            security: crate::model::SmtpSecurity::StartTls,
            login: crate::transport::Login::Token,
            mailbox: "ada@example.com".to_owned(),
            ehlo_name: None,
            tls: TlsParameters::default(),
            timeouts: Timeouts::default(),
            rest: Duration::from_secs(20),
            concurrency_wait: self.concurrency_wait,
        };
        let manners = MannersOfHosts::default();
        SmtpTransport::new(
            route,
            self.clone(),
            self.clock.clone(),
            Arc::new(SeededRandom::new(7)),
            self.clone(),
            &manners,
        )
    }

    /// Never gets anywhere, while time goes by.
    async fn hang(&self) {
        loop {
            self.clock.advance(Duration::from_secs(1));
            tokio::task::yield_now().await;
        }
    }

    /// How long it all took.
    pub(super) fn elapsed(&self) -> Duration {
        self.clock.elapsed()
    }

    /// What the client wrote on a connection, write by write.
    pub(super) fn flights(&self, connection: usize) -> Vec<String> {
        let connections = self.connections.lock().unwrap();
        let server = connections[connection].lock().unwrap();
        server.flights.clone()
    }

    /// Whether the client has let go of every connection.
    pub(super) fn connections_are_closed(&self) -> bool {
        let connections = self.connections.lock().unwrap();
        connections
            .iter()
            .all(|connection| connection.lock().unwrap().is_dropped)
    }

    /// Demands that every script was played to its end, and that nothing was said that is not in it.
    pub(super) fn expect_scripts_played(&self) {
        assert_eq!(
            self.servers.lock().unwrap().len(),
            0,
            "connections not made"
        );
        for connection in self.connections.lock().unwrap().iter() {
            let mut server = connection.lock().unwrap();
            server.play();
            assert_eq!(server.faults, Vec::<String>::new());
            let rest: Vec<_> = server
                .script
                .iter()
                .filter(|act| **act != Act::Close)
                .collect();
            assert!(rest.is_empty(), "not played: {rest:?}");
            assert!(server.is_dropped, "the connection stays open");
        }
    }
}

#[async_trait]
impl Network for World {
    async fn connect(&self, _host: &str, _port: u16, _: Duration) -> Result<Box<dyn Stream>> {
        if !self.connects {
            self.hang().await;
        }
        let server = self.servers.lock().unwrap().pop_front();
        let server = server.ok_or_else(refused)?;
        self.connections.lock().unwrap().push(server.clone());
        Ok(Box::new(Wire(server)))
    }

    async fn start_tls(
        &self,
        stream: Box<dyn Stream>,
        host: &str,
        _: &TlsParameters,
    ) -> Result<(Box<dyn Stream>, TlsSession)> {
        assert_eq!(host, "mail.example.com");
        if !self.shakes_hands {
            self.hang().await;
        }
        let connections = self.connections.lock().unwrap();
        connections.last().unwrap().lock().unwrap().has_tls = true;
        let session = TlsSession {
            version: "TLSv1.3".to_owned(),
            cipher_suite: "TLS_AES_256_GCM_SHA384".to_owned(),
            resumed: false,
        };
        Ok((stream, session))
    }
}

fn refused() -> Error {
    Error::new(
        ProblemKind::Unavailable,
        "connection-refused",
        "nobody there",
        "",
    )
}

#[async_trait]
impl TokenSource for World {
    async fn access_token(
        &self,
        account: &str,
        refused: Option<&AccessToken>,
    ) -> Result<AccessToken> {
        assert_eq!(account, "ada");
        let mut tokens = self.tokens.lock().unwrap();
        let current = *tokens.front().unwrap();
        if refused.is_some_and(|refused| refused.secret.expose() == current) {
            tokens.pop_front();
        }
        let token = tokens.front().ok_or_else(signed_out)?;
        Ok(AccessToken {
            mailbox: "billing@contoso.example".to_owned(),
            secret: Arc::new((*token).to_owned().into()),
            origin: TokenOrigin::RefreshToken,
            from_cache: refused.is_none(),
            audience: None,
            scopes: vec!["SMTP.Send".to_owned()],
            subject: None,
            obtained_at_unix_ms: 1_700_000_000_000,
            expires_at_unix_ms: 1_700_003_600_000,
        })
    }
}

fn signed_out() -> Error {
    Error::new(
        ProblemKind::SignIn,
        "refresh-token-expired",
        "no more tokens",
        "sign in again",
    )
}

impl Server {
    fn new(script: &[Act], clock: &Arc<ManualClock>) -> Self {
        Self {
            script: script.iter().cloned().collect(),
            read_bytes: usize::MAX,
            is_hesitant: false,
            cut_after_bytes: usize::MAX,
            takes_bytes: usize::MAX,
            flights: Vec::new(),
            faults: Vec::new(),
            said: VecDeque::new(),
            heard: Vec::new(),
            has_tls: false,
            is_closed: false,
            is_dropped: false,
            idle_reads: 0,
            clock: clock.clone(),
        }
    }

    /// Plays on until the client has something to read or to say.
    fn play(&mut self) {
        while self.said.is_empty() && !self.is_closed {
            match self.script.front() {
                Some(Act::Say(octets)) => {
                    self.said.extend(octets.iter().take(self.cut_after_bytes));
                    self.cut_after_bytes -= self.said.len();
                    self.is_closed = self.cut_after_bytes == 0;
                }
                Some(Act::Hear(expected)) => {
                    let expected = expected.clone();
                    if !self.hears(&expected) {
                        return;
                    }
                }
                Some(Act::HearMessage) => match find(&self.heard, b"\r\n.\r\n") {
                    Some(at) => drop(self.heard.drain(..at + 5)),
                    None => return,
                },
                Some(Act::StartTls) if self.has_tls => {}
                Some(Act::Close) => self.is_closed = true,
                Some(Act::StartTls | Act::Drip(..)) | None => return,
            }
            self.script.pop_front();
        }
    }

    fn hears(&mut self, expected: &[u8]) -> bool {
        let rest = self.heard.strip_prefix(expected).map(<[u8]>::to_vec);
        if let Some(rest) = rest {
            self.heard = rest;
            return true;
        }
        if !expected.starts_with(&self.heard) {
            let (heard, expected) = (text(&self.heard), text(expected));
            self.faults
                .push(format!("heard {heard:?} instead of {expected:?}"));
            self.is_closed = true;
        }
        false
    }

    /// The next octet of a drip, after its pause.
    fn drip(&mut self) -> bool {
        let Some(Act::Drip(octets, pause)) = self.script.front_mut() else {
            return false;
        };
        self.clock.advance(*pause);
        self.said.push_back(octets.remove(0));
        if octets.is_empty() {
            self.script.pop_front();
        }
        true
    }

    /// Nothing happens on either side: time goes by.
    fn idle(&mut self) {
        self.idle_reads += 1;
        // The first read may be the look before a write.
        if self.idle_reads > 1 {
            self.clock.advance(Duration::from_secs(1));
        }
    }
}

/// The client's end of a connection.
struct Wire(Arc<Mutex<Server>>);

impl Wire {
    fn server(&self) -> MutexGuard<'_, Server> {
        self.0.lock().unwrap()
    }
}

impl Stream for Wire {
    fn local_address(&self) -> Option<SocketAddr> {
        Some(([192, 0, 2, 7], 4711).into())
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.server().is_dropped = true;
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut server = self.server();
        server.play();
        if server.said.is_empty() && !server.is_closed {
            if !server.drip() {
                server.idle();
            }
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        if server.is_hesitant && server.idle_reads == 0 {
            server.idle_reads = 1;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        server.idle_reads = 0;
        let count = server
            .said
            .len()
            .min(server.read_bytes)
            .min(buffer.remaining());
        let octets: Vec<_> = server.said.drain(..count).collect();
        buffer.put_slice(&octets);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut server = self.server();
        if server.is_closed {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let count = octets.len().min(server.takes_bytes);
        if count == 0 {
            server.idle();
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        server.takes_bytes -= count;
        server.idle_reads = 0;
        server.heard.extend_from_slice(&octets[..count]);
        server.flights.push(text(&octets[..count]));
        Poll::Ready(Ok(count))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

fn find(octets: &[u8], wanted: &[u8]) -> Option<usize> {
    octets
        .windows(wanted.len())
        .position(|window| window == wanted)
}

fn text(octets: &[u8]) -> String {
    String::from_utf8_lossy(octets).into_owned()
}
