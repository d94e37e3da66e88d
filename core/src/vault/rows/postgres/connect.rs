//! Where the database is, and a session on it: over the handle's own connections and TLS, never in clear to another machine.

use super::refusal;
use crate::error::{Error, Result};
use crate::host::{Network, Stream, TlsParameters, within};
use crate::model::Passphrase;
use crate::secret::{SecretBytes, SecretText};
use crate::vault::{Host, passphrase};
use std::collections::HashSet;
use std::fmt;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::task::AbortHandle;
use tokio_postgres::config::{Host as Place, SslMode};
use tokio_postgres::tls::{ChannelBinding, TlsConnect, TlsStream};
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Config, Connection};

/// The database of the settings.
pub(super) struct Server {
    config: Config,
    password: Option<Passphrase>,
    /// Of a source that can be read once only.
    password_read: tokio::sync::Mutex<Option<SecretBytes>>,
    ca_pem: Option<Arc<str>>,
    name: String,
}

impl Server {
    /// Reads the settings; connects to nothing. Errors: `Config`.
    pub(super) fn new(
        url: &SecretText,
        password: Option<&Passphrase>,
        ca_pem: Option<&str>,
    ) -> Result<Self> {
        // Exposed to be read: it may hold a password. The certificate is checked in any case.
        let url = url
            .expose()
            .replace("sslmode=verify-full", "sslmode=require");
        let url = zeroize::Zeroizing::new(url.replace("sslmode=verify-ca", "sslmode=require"));
        let mut config: Config = url
            .parse()
            .map_err(|_| refusal::url_invalid("is not understood"))?;
        if config.get_hosts().is_empty() {
            return Err(refusal::url_invalid("names no host"));
        }
        if config.get_user().is_none() {
            return Err(refusal::url_invalid("names no user"));
        }
        let is_remote = config.get_hosts().iter().any(|place| !is_local(place));
        if is_remote && config.get_ssl_mode() == SslMode::Disable {
            return Err(refusal::in_clear());
        }
        if config.get_application_name().is_none() {
            config.application_name("mailbearer");
        }
        Ok(Self {
            name: name(&config),
            config,
            password: password.cloned(),
            password_read: tokio::sync::Mutex::default(),
            ca_pem: ca_pem.map(Arc::from),
        })
    }

    /// The database's name for people: never the user, never the password.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Connects to the first of the hosts that answers and takes writes. Errors: `Config`, `Unavailable`, `Storage`.
    pub(super) fn connect<'a>(
        &'a self,
        host: &'a Host,
    ) -> Pin<Box<dyn Future<Output = Result<Session>> + Send + 'a>> {
        Box::pin(self.connect_to_any(host))
    }

    async fn connect_to_any(&self, host: &Host) -> Result<Session> {
        let mut config = self.config.clone();
        if let Some(password) = self.password(host).await? {
            // Exposed to be shown to the database.
            config.password(password.expose());
        }
        let mut last = None;
        for (place, port) in &self.places() {
            let connecting = self.connect_to(&config, place, *port, host);
            match within(&*host.clock, CONNECT_LIMIT, connecting).await {
                Some(Ok(session)) => return Ok(session),
                Some(Err(error)) => last = Some(error),
                None => last = Some(refusal::silent(self, CONNECT_LIMIT)),
            }
        }
        Err(last.unwrap_or_else(|| refusal::url_invalid("names no host")))
    }

    async fn password(&self, host: &Host) -> Result<Option<SecretBytes>> {
        match &self.password {
            None => Ok(None),
            Some(source @ Passphrase::FileDescriptor { .. }) => {
                let mut read = self.password_read.lock().await;
                if read.is_none() {
                    *read = Some(passphrase::resolve(source, host).await?);
                }
                Ok(read.clone())
            }
            Some(source) => Ok(Some(passphrase::resolve(source, host).await?)),
        }
    }

    fn places(&self) -> Vec<(Place, u16)> {
        let ports = self.config.get_ports();
        let hosts = self.config.get_hosts().iter().enumerate();
        let port = |place: usize| ports.get(place).or_else(|| ports.first()).copied();
        hosts
            .map(|(index, place)| (place.clone(), port(index).unwrap_or(DEFAULT_PORT)))
            .collect()
    }

    fn connect_to<'a>(
        &'a self,
        config: &'a Config,
        place: &'a Place,
        port: u16,
        host: &'a Host,
    ) -> Pin<Box<dyn Future<Output = Result<Session>> + Send + 'a>> {
        Box::pin(self.connect_now(config, place, port, host))
    }

    async fn connect_now(
        &self,
        config: &Config,
        place: &Place,
        port: u16,
        host: &Host,
    ) -> Result<Session> {
        let mut config = config.clone();
        config.ssl_mode(match config.get_ssl_mode() {
            SslMode::Require => SslMode::Require,
            _ if is_local(place) => SslMode::Disable,
            _ => SslMode::Require,
        });
        let (stream, name) = match place {
            Place::Tcp(name) => {
                let connecting = host.network.connect(name, port, CONNECT_LIMIT);
                (connecting.await?, name.clone())
            }
            #[cfg(unix)]
            Place::Unix(folder) => {
                let path = folder.join(format!(".s.PGSQL.{port}"));
                (
                    crate::host::connect_unix(&path).await?,
                    "localhost".to_owned(),
                )
            }
        };
        let tls = Tls {
            network: host.network.clone(),
            name,
            ca_pem: self.ca_pem.clone(),
        };
        let connected = sign_in(config, Wire(stream), tls).await;
        let (client, connection) = connected.map_err(|error| refusal::of(self, &error))?;
        let lost = Arc::new(AtomicBool::new(false));
        let ended = lost.clone();
        let task = tokio::spawn(async move {
            // What ended it shows in the next statement.
            let _ = connection.await;
            ended.store(true, Ordering::SeqCst);
        });
        let session = Session {
            client,
            lost,
            task: task.abort_handle(),
            reserved: Mutex::default(),
            schema: String::new(),
        };
        session.prepare(self).await
    }
}

type Connected = (Client, Connection<Wire, Wire>);

/// Boxed, for the compiler cannot see otherwise that it may go from thread to thread.
fn sign_in(
    config: Config,
    stream: Wire,
    tls: Tls,
) -> Pin<Box<dyn Future<Output = std::result::Result<Connected, tokio_postgres::Error>> + Send>> {
    Box::pin(async move { config.connect_raw(stream, tls).await })
}

const DEFAULT_PORT: u16 = 5432;

/// Name lookup, connection, TLS and password together.
const CONNECT_LIMIT: Duration = Duration::from_secs(30);

/// Reached without a network: nobody is in between.
fn is_local(place: &Place) -> bool {
    match place {
        Place::Tcp(name) => {
            let address = name.trim_matches(['[', ']']).parse::<IpAddr>();
            name == "localhost" || address.is_ok_and(|address| address.is_loopback())
        }
        #[cfg(unix)]
        Place::Unix(_) => true,
    }
}

fn name(config: &Config) -> String {
    let hosts = config.get_hosts().iter().map(|place| match place {
        Place::Tcp(name) => name.clone(),
        #[cfg(unix)]
        Place::Unix(folder) => folder.display().to_string(),
    });
    let hosts: Vec<_> = hosts.collect();
    let database = config.get_dbname().or_else(|| config.get_user());
    format!(
        "PostgreSQL database {} at {}",
        database.unwrap_or_default(),
        hosts.join(", ")
    )
}

/// No password, no address with one in it.
impl fmt::Debug for Server {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Server")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// Values with their types.
pub(super) type Parameters<'a> = &'a [(&'a (dyn ToSql + Sync), Type)];
type Answered = std::result::Result<Vec<tokio_postgres::Row>, tokio_postgres::Error>;

/// A connection that has signed in.
pub(super) struct Session {
    pub(super) client: Client,
    lost: Arc<AtomicBool>,
    task: AbortHandle,
    /// The locks that somebody in this process holds or asks for.
    reserved: Mutex<HashSet<i32>>,
    schema: String,
}

impl Session {
    async fn prepare(mut self, server: &Server) -> Result<Self> {
        let failed = |error| refusal::of(server, &error);
        self.client.batch_execute(SETTINGS).await.map_err(failed)?;
        let asked = "SELECT coalesce(current_schema(), ''), pg_is_in_recovery() \
            OR current_setting('transaction_read_only')::bool";
        let rows = self.query(asked, &[]).await.map_err(failed)?;
        let row = rows.first().ok_or_else(|| refusal::foreign(server))?;
        if row.try_get(1).map_err(failed)? {
            return Err(refusal::read_only(server));
        }
        let schema = row.try_get(0).map_err(failed)?;
        self.schema = schema;
        Ok(self)
    }

    /// Runs one statement. Boxed, for the compiler cannot see otherwise that it may go from thread to thread.
    pub(super) fn query<'a>(
        &'a self,
        statement: &'a str,
        parameters: Parameters<'a>,
    ) -> Pin<Box<dyn Future<Output = Answered> + Send + 'a>> {
        Box::pin(self.client.query_typed(statement, parameters))
    }

    pub(super) fn schema(&self) -> &str {
        &self.schema
    }

    pub(super) fn is_lost(&self) -> bool {
        self.lost.load(Ordering::SeqCst) || self.client.is_closed()
    }

    pub(super) fn lost(&self) -> Arc<AtomicBool> {
        self.lost.clone()
    }

    /// Whether a failure is the connection's end, and not the statement's.
    pub(super) fn has_broken(&self, error: &tokio_postgres::Error) -> bool {
        error.is_closed() || self.is_lost() || refusal::ends_the_session(error)
    }

    /// Ends it; the server then lets go of its locks.
    pub(super) fn lose(&self) {
        self.lost.store(true, Ordering::SeqCst);
        self.task.abort();
    }

    pub(super) fn reserve(&self, number: i32) -> bool {
        self.reserved().insert(number)
    }

    /// Keeps a lock reserved beyond the end of whoever has reserved it.
    pub(super) fn keep(&self, number: i32) {
        self.reserved().insert(number);
    }

    pub(super) fn release(&self, number: i32) {
        self.reserved().remove(&number);
    }

    fn reserved(&self) -> MutexGuard<'_, HashSet<i32>> {
        self.reserved.lock().unwrap_or_else(|e| e.into_inner())
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A commit is on the disk when it returns; a machine that vanishes is noticed within half a minute, and its locks are free.
const SETTINGS: &str = "SET synchronous_commit = on; SET statement_timeout = '15s'; \
    SET idle_in_transaction_session_timeout = '15s'; \
    SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 3";

impl fmt::Debug for Session {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Session")
            .field("lost", &self.lost)
            .finish_non_exhaustive()
    }
}

/// The handle's own TLS, with its checks.
struct Tls {
    network: Arc<dyn Network>,
    name: String,
    ca_pem: Option<Arc<str>>,
}

impl TlsConnect<Wire> for Tls {
    type Stream = Wire;
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Wire>> + Send>>;

    fn connect(self, stream: Wire) -> Self::Future {
        Box::pin(async move {
            let parameters = TlsParameters {
                extra_roots_pem: self.ca_pem,
                identity: None,
            };
            let started = self.network.start_tls(stream.0, &self.name, &parameters);
            Ok(Wire(started.await?.0))
        })
    }
}

/// A stream, with TLS on it or without. A type of its own: the compiler cannot tell the life of a bare box.
pub(super) struct Wire(Box<dyn Stream>);

impl TlsStream for Wire {
    fn channel_binding(&self) -> ChannelBinding {
        ChannelBinding::none()
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, octets)
    }

    fn poll_flush(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}
