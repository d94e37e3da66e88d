//! A local Microsoft 365 for tests and for trying out: Entra ID, Exchange Online's SMTP submission, and a web inbox.
//! It relays nothing, reaches no network beyond its own address, and imports nothing of Mailbearer: it is the independent witness.
//!
//! ```no_run
//! # async fn example() -> Result<(), mailbearer_sandbox::SandboxError> {
//! use mailbearer_sandbox::{Options, Sandbox};
//!
//! let sandbox = Sandbox::start(Options::default()).await?;
//! println!("authority {}/contoso.example", sandbox.identity_https_url());
//! println!("smtp {} trusting {}", sandbox.smtp_address(), sandbox.ca_file().display());
//! sandbox.shutdown().await;
//! # Ok(())
//! # }
//! ```
//!
//! Programs in other languages start the binary `mailbearer-sandbox` and use the HTTP interface described in [`control`].

#![forbid(unsafe_code)]

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

pub mod catalogue;
mod clock;
mod cloud;
pub mod control;
pub mod directory;
mod error;
mod faults;
mod graph;
mod http;
mod identity;
pub mod inbox;
mod random;
mod secrets;
mod smtp;
mod summary;
mod sync;
mod tls;

pub use clock::SandboxClock;
pub use directory::Directory;
pub use error::SandboxError;
pub use faults::{Effect, Fault, Faults, HttpAnswer, Phase, Times, TokenFlaw, UnknownEffect};
pub use inbox::Inbox;
pub use smtp::SmtpService;
pub use smtp::limits::SubmissionLimits;
pub use smtp::traffic::SmtpTraffic;
pub use summary::run;

use directory::FederatedCredential;

use cloud::{Addresses, Cloud, Refusals};
use identity::Scheme;
use identity::grants::Grants;
use identity::keys::SigningKey;
use random::Random;
use secrets::SecretLedger;
use smtp::limits::Limits;
use smtp::traffic::Traffic;
use tls::Certificates;

/// How to start a sandbox. The default suits tests: free ports on 127.0.0.1 and the organisation of [`directory::seed`].
#[derive(Clone, Debug)]
pub struct Options {
    /// The address to listen on. Default 127.0.0.1.
    pub host: IpAddr,
    /// Identity over plain HTTP; 0 means a free port, as for the other ports.
    pub identity_port: u16,
    /// Identity over HTTPS.
    pub identity_tls_port: u16,
    /// SMTP submission with STARTTLS.
    pub smtp_port: u16,
    /// The tenant's MX host.
    pub mx_port: u16,
    /// The web inbox, plain HTTP.
    pub inbox_port: u16,
    /// Where `ca.pem` is written. Default: a fresh temporary folder, removed at the end.
    pub folder: Option<PathBuf>,
    /// Which of Microsoft's services to imitate.
    pub profile: Profile,
    /// What exists at the start.
    pub population: Population,
    /// Refuse unknown tenants with AADSTS90002 instead of letting them stand in for the default tenant. Default `false`.
    pub strict_tenants: bool,
    /// Makes ids, secrets, lifetimes and fault chances repeatable. Default: they differ each time.
    pub random_seed: Option<u64>,
    /// The limits of SMTP submission.
    pub limits: SubmissionLimits,
    /// Names that the servers' certificate carries beside `localhost`. Default: none.
    pub certificate_names: Vec<String>,
}

/// Which of Microsoft's services to imitate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Profile {
    /// A work tenant in the worldwide cloud, and `smtp.office365.com`.
    #[default]
    WorldwideTenant,
}

/// What exists at the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Population {
    /// The people and applications of [`directory::seed`].
    #[default]
    Contoso,
    /// The tenant alone.
    Empty,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            host: IpAddr::V4(Ipv4Addr::LOCALHOST),
            identity_port: 0,
            identity_tls_port: 0,
            smtp_port: 0,
            mx_port: 0,
            inbox_port: 0,
            folder: None,
            profile: Profile::default(),
            population: Population::default(),
            strict_tenants: false,
            random_seed: None,
            limits: SubmissionLimits::default(),
            certificate_names: Vec::new(),
        }
    }
}

/// A running sandbox. Dropping it ends its servers and tasks.
#[derive(Debug)]
pub struct Sandbox {
    cloud: Arc<Cloud>,
    servers: JoinSet<()>,
    ca_file: PathBuf,
    /// Removes the temporary folder when dropped.
    _temporary_folder: Option<TempDir>,
}

impl Sandbox {
    /// Starts all servers; they accept connections when this returns.
    ///
    /// # Errors
    /// A port is taken, or the folder cannot be written.
    pub async fn start(options: Options) -> Result<Self, SandboxError> {
        let listeners = Listeners::bind(&options).await?;
        let signing_key = signing_key().await?;
        let certificates = Certificates::new(options.host, &options.certificate_names)?;
        let (ca_file, temporary_folder) =
            write_ca_file(options.folder.as_deref(), &certificates.ca_pem)?;
        let cloud = Arc::new(cloud(
            &options,
            listeners.addresses()?,
            signing_key,
            certificates,
        ));
        let servers = listeners.serve(&cloud, &ca_file);
        Ok(Self {
            cloud,
            servers,
            ca_file,
            _temporary_folder: temporary_folder,
        })
    }

    /// The authority without tenant, such as `http://127.0.0.1:41234`.
    pub fn identity_url(&self) -> String {
        self.cloud.addresses.identity_url()
    }

    /// The same over HTTPS, such as `https://localhost:41235`; the certificate is good for `localhost` and 127.0.0.1.
    pub fn identity_https_url(&self) -> String {
        self.cloud.addresses.identity_https_url()
    }

    /// Where SMTP clients connect.
    pub fn smtp_address(&self) -> SocketAddr {
        self.cloud.addresses.smtp
    }

    /// The tenant's MX host: relay through a connector, and Direct Send.
    pub fn mx_address(&self) -> SocketAddr {
        self.cloud.addresses.mx
    }

    /// Has the port for submission play another service, for clients that connect from now on.
    pub fn play(&self, service: SmtpService) {
        *sync::lock(&self.cloud.smtp_service) = service;
    }

    /// The page with the received mail.
    pub fn inbox_url(&self) -> String {
        self.cloud.addresses.inbox_url()
    }

    /// The certificate of the CA that signed the servers' certificate.
    pub fn ca_pem(&self) -> &str {
        &self.cloud.certificates.ca_pem
    }

    /// The same in a file.
    pub fn ca_file(&self) -> &Path {
        &self.ca_file
    }

    /// Tenants, applications, people and mailboxes, to look at and to change.
    pub fn tenant(&self) -> &Directory {
        &self.cloud.directory
    }

    /// The received mail.
    pub fn inbox(&self) -> &Inbox {
        &self.cloud.inbox
    }

    /// Faults to inject.
    pub fn faults(&self) -> &Faults {
        &self.cloud.faults
    }

    /// The clock by which tokens, codes and secrets age.
    pub fn clock(&self) -> &SandboxClock {
        &self.cloud.clock
    }

    /// How many SMTP connections there are and were.
    pub fn smtp_traffic(&self) -> SmtpTraffic {
        self.cloud.smtp_traffic.now()
    }

    /// Every client secret, password, token and code the sandbox ever made or was shown.
    pub fn secrets(&self) -> Vec<String> {
        self.cloud.secrets.all()
    }

    /// Why Exchange refused sign-ins, oldest first: it answers the client with the same words whatever the reason.
    pub fn refusals(&self) -> Vec<String> {
        self.cloud.refusals.all()
    }

    /// Does what a person does on the page: enters the code, signs in, consents.
    ///
    /// # Errors
    /// What the page would say, beginning with the AADSTS number.
    #[expect(
        clippy::unused_async,
        reason = "the page may have to be waited for one day; callers should not change then"
    )]
    pub async fn approve_device(&self, user_code: &str, user: &str) -> Result<(), SandboxError> {
        identity::device_code::approve(&self.cloud, user_code, user)
            .map_err(|refusal| SandboxError::because(refusal.sentence()))
    }

    /// Does what a person does on the page: enters the code and declines.
    ///
    /// # Errors
    /// What the page would say, beginning with the AADSTS number.
    #[expect(clippy::unused_async, reason = "as approve_device")]
    pub async fn decline_device(&self, user_code: &str) -> Result<(), SandboxError> {
        identity::device_code::decline(&self.cloud, user_code)
            .map_err(|refusal| SandboxError::because(refusal.sentence()))
    }

    /// Goes through the pages of an authorization request as a person who agrees, and returns the address they end at:
    /// the application's redirect URI with the code.
    ///
    /// # Errors
    /// What the page, or the error at the redirect URI, would say.
    #[expect(clippy::unused_async, reason = "as approve_device")]
    pub async fn approve_authorization(
        &self,
        url: &str,
        user: &str,
    ) -> Result<String, SandboxError> {
        control::authorize_as(&self.cloud, url, user).map_err(SandboxError::because)
    }

    /// A token as a foreign issuer gives it to a workload; good as client assertion of an application that trusts it.
    pub fn federated_token(&self, workload: &FederatedCredential) -> String {
        identity::federated::mint(&self.cloud, workload)
    }

    /// Closes all listeners and connections, and returns when their tasks have ended.
    pub async fn shutdown(mut self) {
        self.servers.shutdown().await;
    }
}

struct Listeners {
    identity: TcpListener,
    identity_tls: TcpListener,
    smtp: TcpListener,
    mx: TcpListener,
    inbox: TcpListener,
}

impl Listeners {
    async fn bind(options: &Options) -> Result<Self, SandboxError> {
        let bind = async |port: u16| {
            let address = SocketAddr::new(options.host, port);
            TcpListener::bind(address)
                .await
                .map_err(SandboxError::while_(format!("listening on {address}")))
        };
        Ok(Self {
            identity: bind(options.identity_port).await?,
            identity_tls: bind(options.identity_tls_port).await?,
            smtp: bind(options.smtp_port).await?,
            mx: bind(options.mx_port).await?,
            inbox: bind(options.inbox_port).await?,
        })
    }

    fn addresses(&self) -> Result<Addresses, SandboxError> {
        let address = |listener: &TcpListener| {
            listener
                .local_addr()
                .map_err(SandboxError::while_("reading a port"))
        };
        Ok(Addresses {
            identity: address(&self.identity)?,
            identity_tls: address(&self.identity_tls)?,
            smtp: address(&self.smtp)?,
            mx: address(&self.mx)?,
            inbox: address(&self.inbox)?,
        })
    }

    fn serve(self, cloud: &Arc<Cloud>, ca_file: &Path) -> JoinSet<()> {
        let control = control::router(Arc::clone(cloud), ca_file.to_owned());
        let identity = |scheme| {
            identity::router(Arc::clone(cloud), scheme)
                .merge(graph::router(Arc::clone(cloud)))
                .merge(control.clone())
        };
        let inbox = inbox::router(cloud.inbox.clone()).merge(control.clone());
        let acceptor = cloud.certificates.acceptor.clone();
        let mut servers = JoinSet::new();
        servers.spawn(http::serve(self.identity, None, identity(Scheme::Http)));
        servers.spawn(http::serve(
            self.identity_tls,
            Some(acceptor),
            identity(Scheme::Https),
        ));
        servers.spawn(smtp::serve(self.smtp, Arc::clone(cloud), None));
        servers.spawn(smtp::serve(
            self.mx,
            Arc::clone(cloud),
            Some(SmtpService::Mx),
        ));
        servers.spawn(http::serve(self.inbox, None, inbox));
        servers
    }
}

/// Making the key takes a moment of pure computing, so it is kept off the threads that serve.
async fn signing_key() -> Result<Arc<SigningKey>, SandboxError> {
    let made = tokio::task::spawn_blocking(SigningKey::of_process).await;
    made.map_err(SandboxError::while_("making the signing key"))?
}

fn cloud(
    options: &Options,
    addresses: Addresses,
    signing_key: Arc<SigningKey>,
    certificates: Certificates,
) -> Cloud {
    // A new profile has to be told apart here first.
    let Profile::WorldwideTenant = options.profile;
    let clock = SandboxClock::default();
    let random = Random::new(options.random_seed);
    let secrets = SecretLedger::default();
    let directory = Directory::new(clock.clone(), random.clone(), secrets.clone());
    directory::seed::add_tenant(&directory);
    if options.population == Population::Contoso {
        directory::seed::add_contoso(&directory);
    }
    Cloud {
        clock,
        faults: Faults::new(random.clone()),
        random,
        secrets,
        directory,
        signing_key,
        grants: Grants::default(),
        inbox: Inbox::new(),
        limits: Limits::new(options.limits),
        smtp_traffic: Traffic::default(),
        refusals: Refusals::default(),
        certificates,
        addresses,
        strict_tenants: options.strict_tenants,
        smtp_service: std::sync::Mutex::default(),
        graph: graph::Drafts::default(),
    }
}

fn write_ca_file(
    folder: Option<&Path>,
    ca_pem: &str,
) -> Result<(PathBuf, Option<TempDir>), SandboxError> {
    let writing = SandboxError::while_::<std::io::Error>("writing the CA file");
    let (folder, temporary) = match folder {
        Some(folder) => {
            std::fs::create_dir_all(folder).map_err(&writing)?;
            (folder.to_owned(), None)
        }
        None => {
            let temporary = tempfile::Builder::new()
                .prefix("mailbearer-sandbox-")
                .tempdir()
                .map_err(&writing)?;
            (temporary.path().to_owned(), Some(temporary))
        }
    };
    let ca_file = folder.join("ca.pem");
    std::fs::write(&ca_file, ca_pem).map_err(&writing)?;
    Ok((ca_file, temporary))
}
