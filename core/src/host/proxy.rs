//! Proxies that connections go through: HTTP CONNECT (RFC 9110 section 9.3.6) and SOCKS5 (RFC 1928, RFC 1929).
//! A proxy sees where a connection goes and nothing of what goes over it but its beginning: TLS is spoken with the server.

use super::dial::{dial, lookup};
use super::network::Stream;
use crate::error::{Error, Result};
use crate::model::ProblemKind;
use crate::secret::SecretText;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http_body_util::Empty;
use hyper::client::conn::http1;
use hyper::header::{HOST, HeaderValue, PROXY_AUTHORIZATION};
use hyper::upgrade::Upgraded;
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use percent_encoding::percent_decode_str;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tokio_socks::Error as Socks;
use tokio_socks::tcp::Socks5Stream;

/// A proxy, with what it asks for. `Debug` shows neither user name nor password.
#[derive(Clone)]
pub struct Proxy {
    kind: Kind,
    host: String,
    port: u16,
    credentials: Option<Credentials>,
    url: SecretText,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    HttpConnect,
    /// Names are looked up here.
    Socks5,
    /// Names are looked up by the proxy.
    Socks5h,
}

#[derive(Clone)]
struct Credentials {
    user: String,
    password: SecretText,
}

impl Proxy {
    /// Reads `http://user:password@host:port`, `socks5://…` (names are looked up here) or `socks5h://…` (by the proxy).
    /// User name and password are percent-encoded; the port is 80 or 1080 unless given. Errors: `Config`.
    pub fn parse(url: &SecretText) -> Result<Self> {
        // Exposed to be read. It may hold a password, so no error shows any of it.
        let parsed = reqwest::Url::parse(url.expose()).map_err(|_| malformed("it is no URL"))?;
        let kind = match parsed.scheme() {
            "http" => Kind::HttpConnect,
            "socks5" => Kind::Socks5,
            "socks5h" => Kind::Socks5h,
            "https" => return Err(malformed("TLS to the proxy itself is not supported")),
            _ => return Err(malformed("its scheme is none of http, socks5 and socks5h")),
        };
        let host = parsed.host_str().unwrap_or_default();
        if host.is_empty() {
            return Err(malformed("it names no host"));
        }
        if !matches!(parsed.path(), "" | "/")
            || parsed.query().is_some()
            || parsed.fragment().is_some()
        {
            return Err(malformed("something follows the port"));
        }
        Ok(Self {
            kind,
            host: host.trim_matches(['[', ']']).to_owned(),
            port: parsed.port().unwrap_or(match kind {
                Kind::HttpConnect => 80,
                Kind::Socks5 | Kind::Socks5h => 1080,
            }),
            credentials: credentials(&parsed)?,
            url: url.clone(),
        })
    }

    /// The URL as it was given, for HTTP clients that know proxies themselves.
    pub fn url(&self) -> &SecretText {
        &self.url
    }

    /// A connection to a host through the proxy, within `limit`. Errors: `Unavailable`, `Config`.
    pub(super) async fn connect(
        &self,
        host: &str,
        port: u16,
        limit: Duration,
    ) -> Result<Box<dyn Stream>> {
        let deadline = Instant::now() + limit;
        let to_proxy = dial(&self.host, self.port, limit).await;
        let stream = to_proxy.map_err(|error| self.unreachable(&error))?;
        let tunnel = async {
            match self.kind {
                Kind::HttpConnect => self.http_connect(stream, host, port).await,
                Kind::Socks5 | Kind::Socks5h => self.socks(stream, host, port, deadline).await,
            }
        };
        let opened = timeout_at(deadline, tunnel).await;
        opened.unwrap_or_else(|_| Err(self.too_slow(host, port)))
    }

    async fn http_connect(
        &self,
        stream: TcpStream,
        host: &str,
        port: u16,
    ) -> Result<Box<dyn Stream>> {
        let local_address = stream.local_addr().ok();
        let request = self.connect_request(host, port)?;
        let shaken = http1::handshake(TokioIo::new(stream)).await;
        let (mut sender, connection) = shaken.map_err(|error| self.no_proxy(&error))?;
        let connection = connection.with_upgrades();
        let asking = async {
            let response = sender.send_request(request).await;
            let response = response.map_err(|error| self.no_proxy(&error))?;
            match response.status() {
                status if status.is_success() => {
                    let upgraded = hyper::upgrade::on(response).await;
                    upgraded.map_err(|error| self.no_proxy(&error))
                }
                status => Err(self.refused_with(status, host, port)),
            }
        };
        tokio::pin!(connection, asking);
        let upgraded = tokio::select! {
            biased;
            upgraded = &mut asking => upgraded?,
            // It hands the stream over as it ends.
            _ = &mut connection => asking.await?,
        };
        Ok(Box::new(Tunnel {
            stream: TokioIo::new(upgraded),
            local_address,
        }))
    }

    fn connect_request(&self, host: &str, port: u16) -> Result<Request<Empty<bytes::Bytes>>> {
        let target = match host.contains(':') {
            true => format!("[{host}]:{port}"),
            false => format!("{host}:{port}"),
        };
        let mut request = Request::builder().method(Method::CONNECT).uri(&target);
        request = request.header(HOST, &target);
        if let Some(credentials) = &self.credentials {
            // Exposed because this is where it goes to the proxy.
            let pair = format!("{}:{}", credentials.user, credentials.password.expose());
            let value = format!("Basic {}", STANDARD.encode(pair));
            let mut value = HeaderValue::try_from(value).map_err(|_| malformed("odd password"))?;
            value.set_sensitive(true);
            request = request.header(PROXY_AUTHORIZATION, value);
        }
        let request = request.body(Empty::new());
        request.map_err(|_| self.odd_target(host))
    }

    async fn socks(
        &self,
        stream: TcpStream,
        host: &str,
        port: u16,
        deadline: Instant,
    ) -> Result<Box<dyn Stream>> {
        let target = match self.kind {
            Kind::Socks5 => lookup(host, port, deadline).await?.into_iter().next(),
            _ => None,
        };
        // A name, or what was found for it.
        let host_or_ip = target.map_or_else(|| host.to_owned(), |address| address.ip().to_string());
        let target = (&*host_or_ip, port);
        let opened = match &self.credentials {
            None => Socks5Stream::connect_with_socket(stream, target).await,
            Some(Credentials { user, password }) => {
                // Exposed because this is where it goes to the proxy.
                let password = password.expose();
                Socks5Stream::connect_with_password_and_socket(stream, target, user, password).await
            }
        };
        match opened {
            Ok(opened) => Ok(Box::new(opened.into_inner())),
            Err(error) => Err(self.socks_failed(error, host, port)),
        }
    }

    fn unreachable(&self, error: &Error) -> Error {
        Error::new(
            ProblemKind::Unavailable,
            "proxy-unreachable",
            format!("the proxy {self} cannot be reached: {error}"),
            "check host and port of the proxy setting, and that the proxy runs",
        )
    }

    fn too_slow(&self, host: &str, port: u16) -> Error {
        Error::new(
            ProblemKind::Unavailable,
            "proxy-unreachable",
            format!("the proxy {self} did not connect to {host}:{port} in time"),
            "check that the proxy runs and may connect to that port",
        )
    }

    fn no_proxy(&self, error: &hyper::Error) -> Error {
        let why = match error {
            error if error.is_parse() => "it does not speak HTTP",
            _ => "the connection broke off",
        };
        self.not_understood(why)
    }

    fn not_understood(&self, why: &str) -> Error {
        Error::new(
            ProblemKind::Config,
            "proxy-not-understood",
            format!("{self} does not answer as a proxy of this kind: {why}"),
            "check the scheme (http, socks5 or socks5h) and the port of the proxy setting",
        )
    }

    fn asks_for_credentials(&self) -> Error {
        let given = match self.credentials {
            Some(_) => "did not take the user name and password of the proxy setting",
            None => "asks for a user name and password",
        };
        Error::new(
            ProblemKind::Config,
            "proxy-auth-required",
            format!("the proxy {self} {given}"),
            "give them in the proxy setting, as http://user:password@host:port with special characters percent-encoded",
        )
    }

    fn refused(&self, host: &str, port: u16, why: &str) -> Error {
        Error::new(
            ProblemKind::Config,
            "proxy-refused",
            format!("the proxy {self} does not let connections through to {host}:{port}: {why}"),
            format!("have the proxy's owner allow connections to {host}, TCP port {port}"),
        )
    }

    fn no_way(&self, host: &str, port: u16, why: &str) -> Error {
        Error::new(
            ProblemKind::Unavailable,
            "proxy-target-unreachable",
            format!("the proxy {self} cannot connect to {host}:{port}: {why}"),
            "try again later; check host and port of the server, and the firewall behind the proxy",
        )
    }

    fn refused_with(&self, status: StatusCode, host: &str, port: u16) -> Error {
        let why = format!("HTTP {}", status.as_u16());
        match status {
            // The second is what tinyproxy says.
            StatusCode::PROXY_AUTHENTICATION_REQUIRED | StatusCode::UNAUTHORIZED => {
                self.asks_for_credentials()
            }
            status if status.is_server_error() => self.no_way(host, port, &why),
            _ => self.refused(host, port, &why),
        }
    }

    fn socks_failed(&self, error: Socks, host: &str, port: u16) -> Error {
        let failed = match &error {
            Socks::PasswordAuthFailure(_)
            | Socks::NoAcceptableAuthMethods
            | Socks::AuthorizationRequired => self.asks_for_credentials(),
            Socks::ConnectionNotAllowedByRuleset => {
                self.refused(host, port, "its rules forbid it (SOCKS reply 2)")
            }
            Socks::CommandNotSupported => self.refused(host, port, "SOCKS reply 7"),
            Socks::AddressTypeNotSupported => {
                self.refused(host, port, "it takes no such address (SOCKS reply 8)")
            }
            Socks::GeneralSocksServerFailure => self.no_way(host, port, "SOCKS reply 1"),
            Socks::NetworkUnreachable => self.no_way(host, port, "no network (SOCKS reply 3)"),
            Socks::HostUnreachable => self.no_way(host, port, "no such host (SOCKS reply 4)"),
            Socks::ConnectionRefused => self.no_way(host, port, "refused (SOCKS reply 5)"),
            Socks::TtlExpired => self.no_way(host, port, "too far away (SOCKS reply 6)"),
            Socks::InvalidTargetAddress(_) => self.odd_target(host),
            Socks::InvalidAuthValues(_) => malformed("user name or password is empty or too long"),
            Socks::Io(error) if error.kind() != io::ErrorKind::InvalidData => {
                self.not_understood("the connection broke off")
            }
            _ => self.not_understood("it does not speak SOCKS5"),
        };
        failed.with_source(error)
    }

    fn odd_target(&self, host: &str) -> Error {
        Error::new(
            ProblemKind::Config,
            "host-name-invalid",
            format!("not a host name that the proxy {self} could connect to: {host}"),
            "give the server's DNS name",
        )
    }
}

/// Host and port, which are no secret.
impl fmt::Display for Proxy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.contains(':') {
            true => write!(formatter, "[{}]:{}", self.host, self.port),
            false => write!(formatter, "{}:{}", self.host, self.port),
        }
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = formatter.debug_struct("Proxy");
        shown.field("kind", &self.kind).field("host", &self.host);
        shown.field("port", &self.port).finish_non_exhaustive()
    }
}

/// Whether a host is this machine itself, or on its link (RFC 3927), where a cloud's metadata is served: a proxy elsewhere
/// would reach its own.
pub(super) fn is_near(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let is_near = |ip: IpAddr| match ip {
        IpAddr::V4(ip) => ip.is_loopback() || ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_loopback(),
    };
    host.eq_ignore_ascii_case("localhost") || bare.parse().is_ok_and(is_near)
}

/// The error of a network or HTTP client that knows no proxies.
pub(super) fn unsupported() -> Error {
    Error::new(
        ProblemKind::Misuse,
        "proxy-unsupported",
        "a proxy is set, and the handle was opened on a network of its own that knows none",
        "leave the proxy out, or implement `through` for the network and the HTTP client",
    )
}

fn credentials(url: &reqwest::Url) -> Result<Option<Credentials>> {
    if url.username().is_empty() && url.password().is_none() {
        return Ok(None);
    }
    let decode = |text: &str| {
        let decoded = percent_decode_str(text).decode_utf8();
        let decoded = decoded.map_err(|_| malformed("the user name or password is not UTF-8"))?;
        Ok::<_, Error>(decoded.into_owned())
    };
    Ok(Some(Credentials {
        user: decode(url.username())?,
        password: decode(url.password().unwrap_or_default())?.into(),
    }))
}

fn malformed(why: &str) -> Error {
    Error::new(
        ProblemKind::Config,
        "proxy-url-invalid",
        format!("the proxy setting cannot be used: {why}"),
        "give http://host:port, socks5://host:port or socks5h://host:port, with user:password@ before the host where the \
         proxy asks for it, special characters percent-encoded (%40 for @)",
    )
}

/// A stream through a proxy, with what came with the proxy's answer first.
struct Tunnel {
    stream: TokioIo<Upgraded>,
    local_address: Option<SocketAddr>,
}

impl Stream for Tunnel {
    fn local_address(&self) -> Option<SocketAddr> {
        self.local_address
    }
}

impl AsyncRead for Tunnel {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Tunnel {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, octets)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Kind, address, and user name with password.
    type Read<'a> = (Kind, &'a str, Option<(&'a str, &'a str)>);

    #[test]
    fn reads_a_url_and_never_shows_what_is_secret_in_it() {
        fn check(url: &str, expected: Result<Read<'_>, &str>) {
            let read = Proxy::parse(&url.to_owned().into());
            let shown = format!("{read:?}");
            assert!(
                !shown.contains("s3cret") && !shown.contains("ada"),
                "{shown}"
            );
            match (&read, expected) {
                (Ok(proxy), Ok((kind, address, credentials))) => {
                    assert_eq!((proxy.kind, &*proxy.to_string()), (kind, address), "{url}");
                    let found = proxy.credentials.as_ref();
                    // Exposed to be compared.
                    let found = found.map(|found| (&*found.user, &**found.password.expose()));
                    assert_eq!(found, credentials, "{url}");
                }
                (Err(error), Err(why)) => {
                    assert_eq!(error.code(), "proxy-url-invalid");
                    assert!(error.to_string().contains(why), "{url}: {error}");
                }
                _ => panic!("{url}: {read:?}"),
            }
        }
        let http = Kind::HttpConnect;
        check(
            "http://proxy.test:3128",
            Ok((http, "proxy.test:3128", None)),
        );
        check("http://proxy.test/", Ok((http, "proxy.test:80", None)));
        check("http://[::1]:8080", Ok((http, "[::1]:8080", None)));
        check(
            "http://ada:s3cret%40%3A@proxy.test:8080",
            Ok((http, "proxy.test:8080", Some(("ada", "s3cret@:")))),
        );
        check(
            "socks5://ada:s3cret@127.0.0.1",
            Ok((Kind::Socks5, "127.0.0.1:1080", Some(("ada", "s3cret")))),
        );
        check(
            "socks5h://proxy.test:9050",
            Ok((Kind::Socks5h, "proxy.test:9050", None)),
        );
        check("https://ada:s3cret@proxy.test", Err("TLS to the proxy"));
        check("ftp://ada:s3cret@proxy.test", Err("scheme"));
        check("proxy.test:3128", Err("scheme"));
        check("ada:s3cret", Err("scheme"));
        check("", Err("no URL"));
        check("http://", Err("no URL"));
        check("http://ada:s3cret@proxy.test/path", Err("follows the port"));
        check("http://ada:s3cret%FF@proxy.test", Err("not UTF-8"));
    }

    #[test]
    fn knows_which_hosts_no_proxy_can_reach() {
        fn check(host: &str, expected: bool) {
            assert_eq!(is_near(host), expected, "{host}");
        }
        check("localhost", true);
        check("127.0.0.1", true);
        check("127.1.2.3", true);
        check("[::1]", true);
        check("169.254.169.254", true);
        check("169.255.0.1", false);
        check("login.example.test", false);
        check("localhost.example.test", false);
    }
}
