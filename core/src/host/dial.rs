//! A TCP connection to the first of a name's addresses that answers, attempts overlapping (RFC 8305, "happy eyeballs").
//! A blackholed IPv6 route costs a quarter of a second, not half a minute.

use crate::error::{Error, Result};
use crate::model::ProblemKind;
use std::fmt::Write as _;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

/// Why an address was not connected to.
#[derive(Debug)]
struct Failure {
    address: SocketAddr,
    /// `None`: no answer within the time.
    error: Option<io::Error>,
}

/// Looks a name up and connects to one of its addresses within `limit`. Errors: `Unavailable`, naming every address tried.
pub(super) async fn dial(host: &str, port: u16, limit: Duration) -> Result<TcpStream> {
    let deadline = Instant::now() + limit;
    let addresses = lookup(host, port, deadline).await?;
    let stream = race(&addresses, deadline)
        .await
        .map_err(|failures| no_connection(host, port, failures))?;
    // Without this, small writes wait for the peer's acknowledgement (Nagle): tens of milliseconds each.
    let prompt = stream.set_nodelay(true);
    prompt.map_err(|error| broken(host, port, error))?;
    Ok(stream)
}

/// The addresses of a name. Errors: `Unavailable`.
pub(super) async fn lookup(host: &str, port: u16, deadline: Instant) -> Result<Vec<SocketAddr>> {
    let looking = timeout_at(deadline, tokio::net::lookup_host((host, port)));
    match looking.await {
        Ok(Ok(addresses)) => Ok(interleaved(addresses.collect())),
        Ok(Err(error)) => Err(not_found(host).with_source(error)),
        Err(_) => Err(not_found(host)),
    }
}

/// One attempt after the other, each a little after the one before or as soon as that has failed; those that lost are
/// dropped.
async fn race(addresses: &[SocketAddr], deadline: Instant) -> Result<TcpStream, Vec<Failure>> {
    let mut attempts = JoinSet::new();
    let mut failures: Vec<Failure> = Vec::new();
    let mut left = addresses.iter().copied();
    while let Some(address) = left.next() {
        attempts.spawn(attempt(address));
        let next = match left.len() {
            0 => deadline,
            _ => deadline.min(Instant::now() + ATTEMPT_DELAY),
        };
        // All that have failed meanwhile let the next one begin; with nothing left to begin, all are waited for.
        while let Ok(Some(done)) = timeout_at(next, attempts.join_next()).await {
            match done {
                Ok(Ok(stream)) => return Ok(stream),
                Ok(Err(failure)) => failures.push(failure),
                Err(_) => {}
            }
            if left.len() > 0 {
                break;
            }
        }
    }
    let unanswered = |address: &&SocketAddr| !failures.iter().any(|f| f.address == **address);
    let unanswered: Vec<_> = addresses.iter().filter(unanswered).copied().collect();
    failures.extend(unanswered.into_iter().map(|address| Failure {
        address,
        error: None,
    }));
    Err(failures)
}

async fn attempt(address: SocketAddr) -> Result<TcpStream, Failure> {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is where connections are made"
    )]
    let connected = TcpStream::connect(address).await;
    connected.map_err(|error| Failure {
        address,
        error: Some(error),
    })
}

/// The families in turn, beginning with that of the first address, each in the system's order (RFC 6724; RFC 8305
/// section 4).
fn interleaved(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let first_is_ipv6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let count = addresses.len();
    let (one, other): (Vec<_>, Vec<_>) = addresses
        .into_iter()
        .partition(|address| address.is_ipv6() == first_is_ipv6);
    let (mut one, mut other) = (one.into_iter(), other.into_iter());
    let mut mixed = Vec::with_capacity(count);
    while mixed.len() < count {
        mixed.extend(one.next());
        mixed.extend(other.next());
    }
    mixed
}

/// Tells the likely cause from what happened at each address.
fn no_connection(host: &str, port: u16, failures: Vec<Failure>) -> Error {
    let mut tried = String::new();
    for failure in &failures {
        let separator = if tried.is_empty() { "" } else { ", " };
        let why = failure
            .error
            .as_ref()
            .map_or_else(|| "no answer".to_owned(), |error| error.kind().to_string());
        // Writing to a string cannot fail.
        let _ = write!(tried, "{separator}{} ({why})", failure.address);
    }
    let is = |kind: io::ErrorKind| {
        failures.iter().all(|failure| {
            failure
                .error
                .as_ref()
                .is_some_and(|error| error.kind() == kind)
        })
    };
    let is_silent = |failure: &Failure| failure.error.as_ref().is_none_or(is_of_silence);
    let (code, text, fix) = if failures.is_empty() {
        return not_found(host);
    } else if is(io::ErrorKind::ConnectionRefused) {
        (
            "connection-refused",
            format!("nothing accepts connections at {host}:{port}: tried {tried}"),
            "check the host and the port; for Microsoft 365 submission it is port 587".to_owned(),
        )
    } else if failures.iter().any(is_silent) {
        (
            "network-blocked",
            format!("no connection to {host}:{port}: the network does not answer; tried {tried}"),
            format!("let outbound TCP port {port} to {host} through the firewall, or set a proxy"),
        )
    } else {
        (
            "connection-failed",
            format!("no connection to {host}:{port}: tried {tried}"),
            "try again; if it goes on, check the network between this machine and the server"
                .to_owned(),
        )
    };
    let error = Error::new(ProblemKind::Unavailable, code, text, fix);
    match failures.into_iter().find_map(|failure| failure.error) {
        Some(source) => error.with_source(source),
        None => error,
    }
}

fn is_of_silence(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::TimedOut
            | io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkUnreachable
            | io::ErrorKind::NetworkDown
    )
}

fn broken(host: &str, port: u16, error: io::Error) -> Error {
    Error::new(
        ProblemKind::Unavailable,
        "connection-failed",
        format!(
            "the connection to {host}:{port} broke off: {}",
            error.kind()
        ),
        "try again; if it goes on, check the network between this machine and the server",
    )
    .with_source(error)
}

fn not_found(host: &str) -> Error {
    Error::new(
        ProblemKind::Unavailable,
        "dns-failure",
        format!("the host name cannot be resolved: {host}"),
        "check the host name for typing errors, and that this machine's DNS works",
    )
}

/// RFC 8305 section 5 recommends it.
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

#[cfg(test)]
#[expect(
    clippy::disallowed_methods,
    reason = "tests have a network and a time of their own"
)]
mod tests {
    use super::*;
    use std::net::{Ipv4Addr, Ipv6Addr};
    use tokio::net::{TcpListener, TcpSocket};

    #[test]
    fn the_families_take_turns_in_the_systems_order() {
        fn check(addresses: &[&str], expected: &[&str]) {
            let parse = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
            let addresses: Vec<SocketAddr> = parse(addresses);
            let expected: Vec<SocketAddr> = parse(expected);
            assert_eq!(interleaved(addresses), expected);
        }
        check(&[], &[]);
        check(&["1.1.1.1:1"], &["1.1.1.1:1"]);
        check(
            &["[::1]:1", "[::2]:1", "[::3]:1", "1.1.1.1:1", "1.1.1.2:1"],
            &["[::1]:1", "1.1.1.1:1", "[::2]:1", "1.1.1.2:1", "[::3]:1"],
        );
        check(
            &["1.1.1.1:1", "1.1.1.2:1", "[::1]:1"],
            &["1.1.1.1:1", "[::1]:1", "1.1.1.2:1"],
        );
    }

    /// An address that neither takes nor refuses: a listener whose queue is full.
    struct Silent {
        address: SocketAddr,
        _listener: TcpListener,
        _queued: JoinSet<()>,
    }

    async fn silent() -> Silent {
        let socket = TcpSocket::new_v4().unwrap();
        socket
            .bind((Ipv4Addr::new(127, 0, 0, 2), 0).into())
            .unwrap();
        let listener = socket.listen(1).unwrap();
        let address = listener.local_addr().unwrap();
        let mut queued = JoinSet::new();
        for _ in 0..8 {
            queued.spawn(async move {
                let _open = TcpStream::connect(address).await;
                std::future::pending::<()>().await;
            });
        }
        // Until the queue is full.
        while tokio::time::timeout(Duration::from_millis(200), TcpStream::connect(address))
            .await
            .is_ok()
        {}
        Silent {
            address,
            _listener: listener,
            _queued: queued,
        }
    }

    async fn closed(ip: impl Into<std::net::IpAddr>) -> Option<SocketAddr> {
        let listener = TcpListener::bind((ip.into(), 0)).await.ok()?;
        listener.local_addr().ok()
    }

    fn within(limit: Duration) -> Instant {
        Instant::now() + limit
    }

    #[tokio::test]
    async fn an_address_that_answers_wins_over_those_that_do_not() {
        let silent = silent().await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let good = listener.local_addr().unwrap();
        let ipv6 = closed(Ipv6Addr::LOCALHOST).await;
        let refused = closed(Ipv4Addr::LOCALHOST).await;
        let begun = Instant::now();
        let addresses: Vec<_> = ipv6
            .into_iter()
            .chain(refused)
            .chain([silent.address, good])
            .collect();
        let stream = race(&addresses, within(Duration::from_secs(30)))
            .await
            .unwrap();
        assert_eq!(stream.peer_addr().unwrap(), good);
        assert!(
            begun.elapsed() >= ATTEMPT_DELAY,
            "the silent one had its time"
        );
        assert!(begun.elapsed() < Duration::from_secs(20));
    }

    #[tokio::test]
    async fn a_failure_names_every_address_and_what_happened_there() {
        let silent = silent().await;
        let refused = closed(Ipv4Addr::LOCALHOST).await.unwrap();
        let check = async |addresses: &[SocketAddr], code: &str, words: &[&str]| {
            let failures = race(addresses, within(Duration::from_millis(600))).await;
            let error = no_connection("smtp.example.test", 587, failures.unwrap_err());
            assert_eq!(error.code(), code, "{error}");
            let addresses = addresses.iter().map(ToString::to_string);
            for word in words.iter().map(|word| (*word).to_owned()).chain(addresses) {
                assert!(error.to_string().contains(&word), "{word} in {error}");
            }
        };
        check(
            &[refused],
            "connection-refused",
            &["smtp.example.test:587", "refused"],
        )
        .await;
        check(&[silent.address], "network-blocked", &["no answer"]).await;
        check(
            &[silent.address, refused],
            "network-blocked",
            &["no answer", "refused"],
        )
        .await;
        check(&[], "dns-failure", &["smtp.example.test"]).await;
    }

    #[test]
    fn names_the_cause_of_a_failed_connection() {
        fn check(kind: io::ErrorKind, expected: &str) {
            let failure = Failure {
                address: "192.0.2.1:587".parse().unwrap(),
                error: Some(kind.into()),
            };
            let error = no_connection("smtp.example.test", 587, vec![failure]);
            assert_eq!(error.code(), expected);
        }
        check(io::ErrorKind::ConnectionRefused, "connection-refused");
        check(io::ErrorKind::TimedOut, "network-blocked");
        check(io::ErrorKind::NetworkUnreachable, "network-blocked");
        check(io::ErrorKind::ConnectionReset, "connection-failed");
    }

    #[tokio::test]
    async fn a_name_that_nobody_knows_is_a_dns_failure() {
        let error = dial("nobody.invalid", 587, Duration::from_secs(30)).await;
        assert_eq!(error.unwrap_err().code(), "dns-failure");
    }
}
