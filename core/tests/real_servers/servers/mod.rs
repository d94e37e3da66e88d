//! Servers nobody here wrote, for tests: Postfix takes the mail, Dovecot checks the token, `oidc-provider` issues it.
//! Each [`RealServers`] has its own configuration, queue, certificates and free ports in a temporary folder, and
//! installs nothing: what is missing is said in [`Unavailable`]. Nothing here imitates Microsoft; that is `sandbox`.
//!
//! Tests that start them carry `#[ignore]`, so a run without the servers counts them as ignored, never as passed.

mod certificate;
mod configuration;
mod dovecot;
mod mailbox;
mod oidc_provider;
mod peer;
pub(crate) mod peers;
mod postfix;
mod requirements;
mod server_process;
mod sign_in;

use std::fmt;
use std::fs::{self, Permissions};
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use tempfile::TempDir;

use self::dovecot::Dovecot;
pub(crate) use self::mailbox::as_sent;
pub(crate) use self::oidc_provider::{Identity, http_client};
pub(crate) use self::peer::{Keeps, Peer, with_crlf};
use self::postfix::Postfix;
use self::server_process::ServerProcess;

/// The three servers, running until this is dropped.
pub(crate) struct RealServers {
    /// The identity provider: its endpoints, clients, scopes and the one mailbox.
    pub(crate) identity: Identity,
    /// Postfix's submission service: STARTTLS, then XOAUTH2 or OAUTHBEARER.
    pub(crate) smtp: SocketAddr,
    /// Dovecot's submission service, the same but for its answers and for refusing commands of more than 512 octets.
    pub(crate) dovecot_smtp: SocketAddr,
    /// The authority that signed the mail servers' certificate for `localhost` and `127.0.0.1`.
    pub(crate) ca_pem: String,
    /// The certificate of [`Identity::certificate_client_id`], without the key.
    pub(crate) client_certificate_pem: String,
    postfix: Postfix,
    _dovecot: Dovecot,
    _oidc_provider: ServerProcess,
    folder: TempDir, // last, so that it outlives the servers in it
}

/// Why the servers are not there; a text for whoever runs the tests.
#[derive(Debug)]
pub(crate) enum Unavailable {
    /// What to install or change first, one sentence each.
    Missing(Vec<String>),
    /// Everything is installed, but a server did not come up; with what it said.
    DidNotStart { server: &'static str, why: String },
}

impl RealServers {
    /// Starts the servers and returns when all of them accept connections, in about a second.
    pub(crate) async fn start() -> Result<Self, Unavailable> {
        let postfix_daemons = requirements::check()?;
        let (folder, ca_pem) = folder_with_certificate()?;
        let (identity, oidc_provider) = oidc_provider::start().await?;
        let postfix = Postfix::start(&postfix_daemons, folder.path(), &identity.mailbox).await?;
        let dovecot = Dovecot::start(folder.path(), &identity, postfix.relay).await?;
        Ok(Self {
            client_certificate_pem: certificate::self_signed(&identity.certificate_key_pem),
            identity,
            smtp: postfix.submission,
            dovecot_smtp: dovecot.submission,
            ca_pem,
            postfix,
            _dovecot: dovecot,
            _oidc_provider: oidc_provider,
            folder,
        })
    }

    /// Signs the mailbox in and consents on the provider's pages, as a person with a browser does.
    pub(crate) async fn approve_device(&self, user_code: &str) {
        self.identity.approve_device(user_code).await;
    }

    /// Waits until at least `count` mails are delivered and returns all, oldest first, as they lie in the Maildir.
    pub(crate) async fn delivered(&self, count: usize) -> Vec<Vec<u8>> {
        mailbox::wait_for(self.postfix.maildir(), count).await
    }

    /// Where the servers keep their files.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }
}

impl Unavailable {
    fn did_not_start(server: &'static str, why: impl fmt::Display) -> Self {
        Self::DidNotStart {
            server,
            why: why.to_string(),
        }
    }
}

impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(what) => write!(
                f,
                "the real servers are not available:\n- {}",
                what.join("\n- ")
            ),
            Self::DidNotStart { server, why } => write!(f, "{server} did not start: {why}"),
        }
    }
}

/// A folder with the certificate of a mail server in it, and the certificate of the authority that signed it.
pub(crate) fn folder_with_certificate() -> Result<(TempDir, String), Unavailable> {
    let folder = temporary_folder()
        .map_err(|error| Unavailable::did_not_start("a temporary folder", error))?;
    let ca_pem = certificate::create(&folder.path().join("mail-server.pem"))
        .map_err(|error| Unavailable::did_not_start("a certificate", error))?;
    Ok((folder, ca_pem))
}

/// A folder that the unprivileged users of the servers may enter.
fn temporary_folder() -> io::Result<TempDir> {
    let folder = TempDir::with_prefix("mailbearer-real-servers-")?;
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755))?;
    Ok(folder)
}
