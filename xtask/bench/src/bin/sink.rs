//! The server that every client sends to. Takes all mail at once and keeps none: STARTTLS by rustls, XOAUTH2 that accepts
//! everybody, PIPELINING, CHUNKING, DSN, SMTPUTF8. It counts its read turns: how often, after it had written, nothing came
//! for half a round trip or longer, because the client waited for what it had written. Without a link, every read after
//! a write counts.
//!
//! `sink ADDRESS CONNECTIONS CA_FILE ROUND_TRIP_MS` writes its authority's certificate, prints its port, and at the end of its standard
//! input what it has seen, as JSON.

use memchr::memmem;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, SanType};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection};
use serde_json::json;
use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// What one connection has seen.
#[derive(Debug, Default)]
struct Seen {
    accepted_unix_ns: u64,
    turns: u64,
    turns_to_first_verdict: u64,
    verdicts_unix_ns: Vec<u64>,
    octets: u64,
    recipients: u64,
}

type Everything = Arc<Mutex<Vec<Arc<Mutex<Seen>>>>>;

fn main() -> io::Result<()> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [address, connections, ca_file, round_trip_ms] = &arguments[..] else {
        panic!("sink ADDRESS CONNECTIONS CA_FILE ROUND_TRIP_MS");
    };
    let round_trip_ms: u64 = round_trip_ms.parse().expect("a number of milliseconds");
    let least_wait = Duration::from_millis(round_trip_ms) / 2;
    let address: IpAddr = address.parse().expect("an IP address");
    let most: usize = connections.parse().expect("a number of connections");
    let settings = Arc::new(settings(address, ca_file));
    let listener = TcpListener::bind(SocketAddr::from((address, 0)))?;
    println!("{}", listener.local_addr()?.port());
    let everything = Everything::default();
    let seen = everything.clone();
    std::thread::spawn(move || accept(&listener, most, least_wait, &settings, &seen));
    io::copy(&mut io::stdin(), &mut io::sink())?;
    println!("{}", report(&everything, most));
    Ok(())
}

fn accept(
    listener: &TcpListener,
    most: usize,
    least_wait: Duration,
    settings: &Arc<ServerConfig>,
    everything: &Everything,
) {
    let open = Arc::new(AtomicUsize::new(0));
    for client in listener.incoming().flatten() {
        if open.fetch_add(1, Ordering::SeqCst) >= most {
            open.fetch_sub(1, Ordering::SeqCst);
            // As Exchange Online says it.
            drop((&client).write_all(b"421 4.3.2 too many connections\r\n"));
            continue;
        }
        let seen = Arc::new(Mutex::new(Seen {
            accepted_unix_ns: now_unix_ns(),
            ..Seen::default()
        }));
        everything.lock().unwrap().push(seen.clone());
        let (settings, open) = (settings.clone(), open.clone());
        std::thread::spawn(move || {
            // How a client ends a connection is its own business.
            drop(
                Session::new(client, least_wait, settings, seen)
                    .and_then(|mut session| session.serve()),
            );
            open.fetch_sub(1, Ordering::SeqCst);
        });
    }
}

/// One connection.
struct Session {
    tcp: TcpStream,
    settings: Arc<ServerConfig>,
    tls: Option<ServerConnection>,
    /// What has come and has not been looked at, from `start` on.
    input: Vec<u8>,
    start: usize,
    output: Vec<u8>,
    /// Since when the client can know what it has been waiting for, if it has.
    written: Option<Instant>,
    /// What it takes to have waited.
    least_wait: Duration,
    wire: Vec<u8>,
    seen: Arc<Mutex<Seen>>,
    turns: u64,
    recipients: u64,
    octets: u64,
}

impl Session {
    fn new(
        tcp: TcpStream,
        least_wait: Duration,
        settings: Arc<ServerConfig>,
        seen: Arc<Mutex<Seen>>,
    ) -> io::Result<Self> {
        tcp.set_nodelay(true)?;
        Ok(Self {
            tcp,
            settings,
            tls: None,
            input: Vec::new(),
            start: 0,
            output: Vec::new(),
            written: None,
            least_wait,
            wire: vec![0; 256 * 1024],
            seen,
            turns: 0,
            recipients: 0,
            octets: 0,
        })
    }

    fn serve(&mut self) -> io::Result<()> {
        self.say("220 sink.example ESMTP\r\n");
        loop {
            let line = self.line()?;
            let verb = line
                .split([' ', '\r'])
                .next()
                .unwrap_or_default()
                .to_ascii_uppercase();
            match &*verb {
                "EHLO" | "HELO" => self.ehlo(),
                "STARTTLS" => self.start_tls()?,
                "AUTH" => self.auth(&line)?,
                "MAIL" => self.say("250 2.1.0 OK\r\n"),
                "RCPT" => {
                    self.recipients += 1;
                    self.say("250 2.1.5 OK\r\n");
                }
                "DATA" => self.data()?,
                "BDAT" => self.chunk(&line)?,
                "RSET" | "NOOP" => self.say("250 2.0.0 OK\r\n"),
                "QUIT" => {
                    self.say("221 2.0.0 bye\r\n");
                    return self.flush();
                }
                _ => self.say("500 5.5.1 unknown\r\n"),
            }
        }
    }

    fn ehlo(&mut self) {
        self.say("250-sink.example\r\n");
        if self.tls.is_none() {
            self.say("250-STARTTLS\r\n");
        } else {
            self.say("250-AUTH XOAUTH2\r\n");
        }
        self.say("250-PIPELINING\r\n250-CHUNKING\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250-DSN\r\n");
        self.say("250-ENHANCEDSTATUSCODES\r\n250 SIZE 157286400\r\n");
    }

    fn start_tls(&mut self) -> io::Result<()> {
        self.say("220 2.0.0 go ahead\r\n");
        self.flush()?;
        let tls = ServerConnection::new(self.settings.clone()).map_err(io::Error::other)?;
        self.tls = Some(tls);
        Ok(())
    }

    fn auth(&mut self, line: &str) -> io::Result<()> {
        if line.split_whitespace().count() < 3 {
            self.say("334 \r\n");
            self.line()?;
        }
        self.say("235 2.7.0 welcome\r\n");
        Ok(())
    }

    /// Takes a message as DATA brings it, without undoing its dots: nothing is kept.
    fn data(&mut self) -> io::Result<()> {
        self.say("354 go ahead\r\n");
        let mut is_new = true;
        loop {
            let rest = &self.input[self.start..];
            let at_once = is_new && rest.starts_with(b".\r\n");
            let end = match at_once {
                true => Some(3),
                false => memmem::find(rest, b"\r\n.\r\n").map(|at| at + 5),
            };
            if let Some(end) = end {
                self.take(end);
                break;
            }
            is_new &= rest.len() < 3;
            // What could be the beginning of the end stays.
            let gone = rest.len().saturating_sub(4);
            if !is_new {
                self.take(gone);
            }
            self.fill()?;
        }
        self.verdict();
        Ok(())
    }

    fn chunk(&mut self, line: &str) -> io::Result<()> {
        let mut words = line.split_whitespace().skip(1);
        let mut left: usize = words
            .next()
            .and_then(|word| word.parse().ok())
            .unwrap_or_default();
        let is_last = words.next().is_some();
        while left > 0 {
            let here = left.min(self.input.len() - self.start);
            self.take(here);
            left -= here;
            if left > 0 {
                self.fill()?;
            }
        }
        match is_last {
            true => self.verdict(),
            false => self.say("250 2.0.0 chunk\r\n"),
        }
        Ok(())
    }

    fn take(&mut self, octets: usize) {
        self.start += octets;
        self.octets += octets as u64;
    }

    fn verdict(&mut self) {
        self.say("250 2.0.0 taken\r\n");
        let mut seen = self.seen.lock().unwrap();
        if seen.verdicts_unix_ns.is_empty() {
            seen.turns_to_first_verdict = self.turns;
        }
        seen.verdicts_unix_ns.push(now_unix_ns());
        seen.turns = self.turns;
        seen.octets = self.octets;
        seen.recipients = self.recipients;
    }

    fn say(&mut self, reply: &str) {
        self.output.extend_from_slice(reply.as_bytes());
    }

    fn line(&mut self) -> io::Result<String> {
        loop {
            let rest = &self.input[self.start..];
            if let Some(end) = memchr::memchr(b'\n', rest) {
                let line = String::from_utf8_lossy(&rest[..=end]).into_owned();
                self.start += end + 1;
                return Ok(line);
            }
            self.fill()?;
        }
    }

    /// Says what is to be said, then reads what there is.
    fn fill(&mut self) -> io::Result<()> {
        self.flush()?;
        self.input.drain(..self.start);
        self.start = 0;
        let before = self.input.len();
        while self.input.len() == before {
            let count = self.tcp.read(&mut self.wire)?;
            let written = self.written.take();
            if written.is_some_and(|written| written.elapsed() >= self.least_wait) {
                self.turns += 1;
            }
            if count == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let Some(tls) = &mut self.tls else {
                self.input.extend_from_slice(&self.wire[..count]);
                return Ok(());
            };
            let mut wire = &self.wire[..count];
            while !wire.is_empty() {
                tls.read_tls(&mut wire)?;
                tls.process_new_packets().map_err(io::Error::other)?;
                match tls.reader().read_to_end(&mut self.input) {
                    Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Err(error),
                    _ => {}
                }
            }
            self.write_tls()?;
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.output.is_empty() {
            return Ok(());
        }
        let output = std::mem::take(&mut self.output);
        match &mut self.tls {
            None => {
                self.written = Some(Instant::now());
                self.tcp.write_all(&output)
            }
            Some(tls) => {
                tls.writer().write_all(&output)?;
                self.write_tls()
            }
        }
    }

    fn write_tls(&mut self) -> io::Result<()> {
        let Some(tls) = &mut self.tls else {
            return Ok(());
        };
        let mut flight = Vec::new();
        while tls.wants_write() {
            tls.write_tls(&mut flight)?;
        }
        if !flight.is_empty() {
            self.written = Some(Instant::now());
            self.tcp.write_all(&flight)?;
        }
        Ok(())
    }
}

/// The figures of a run. The first mail of each connection counts for the time to it, and not for rate and round trips.
fn report(everything: &Everything, connections: usize) -> String {
    let everything = everything.lock().unwrap();
    let seen: Vec<_> = everything.iter().map(|seen| seen.lock().unwrap()).collect();
    let mut verdicts: Vec<u64> = seen
        .iter()
        .flat_map(|seen| seen.verdicts_unix_ns.clone())
        .collect();
    verdicts.sort_unstable();
    let first = seen
        .iter()
        .filter_map(|seen| Some((*seen.verdicts_unix_ns.first()?, seen.accepted_unix_ns)))
        .min();
    let warm = verdicts
        .get(connections.saturating_sub(1)..)
        .unwrap_or_default();
    let openings: u64 = seen
        .iter()
        .take(connections)
        .map(|seen| seen.turns_to_first_verdict)
        .sum();
    json!({
        "mails": verdicts.len(),
        "connections": seen.len(),
        "acceptedUnixNs": first.map(|(_, accepted)| accepted),
        "firstVerdictUnixNs": first.map(|(verdict, _)| verdict),
        "warmMails": warm.len().saturating_sub(1),
        "warmNs": warm.last().zip(warm.first()).map_or(0, |(last, first)| last - first),
        "warmTurns": seen.iter().map(|seen| seen.turns).sum::<u64>() - openings,
        "octets": seen.iter().map(|seen| seen.octets).sum::<u64>(),
        "recipients": seen.iter().map(|seen| seen.recipients).sum::<u64>(),
    })
    .to_string()
}

fn now_unix_ns() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |now| now.as_nanos() as u64)
}

/// A certificate for the address, by an authority of its own, which is written to the file.
fn settings(address: IpAddr, ca_file: &str) -> ServerConfig {
    let mut authority = named("the benchmark's authority");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().expect("a key");
    let authority = CertifiedIssuer::self_signed(authority, key).expect("an authority");
    std::fs::write(ca_file, authority.pem()).expect("a file that can be written");
    let key = KeyPair::generate().expect("a key");
    let mut certificate = named("the benchmark's server");
    certificate.subject_alt_names = vec![SanType::IpAddress(address)];
    let certificate = certificate
        .signed_by(&key, &authority)
        .expect("a certificate");
    let certificate = certificate.der().clone();
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("TLS versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .expect("a certificate and its key")
}

/// Names of their own, or the server's certificate would be taken for one that signed itself.
fn named(name: &str) -> CertificateParams {
    let mut certificate = CertificateParams::default();
    certificate
        .distinguished_name
        .push(DnType::CommonName, name);
    certificate
}
