//! A mail server of another maker as a test sees it: where it takes mail, and what it has kept.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::net::TcpStream;

use super::server_process::ServerProcess;
use super::sign_in::SignIn;

/// Running until dropped.
pub(crate) struct Peer {
    pub(crate) name: &'static str,
    /// STARTTLS, then XOAUTH2.
    pub(crate) submission: SocketAddr,
    pub(crate) keeps: Keeps,
    mails: PathBuf,
    _sign_in: Option<SignIn>,
    _process: ServerProcess,
}

/// How a server keeps mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keeps {
    /// As files of a Maildir, with LF line ends: one for each recipient.
    Maildir,
    /// As files in mbox format, with LF line ends and an empty line at the end: one for each mail.
    Mbox,
    /// As it came: one for each mail.
    Octets,
}

impl Peer {
    /// A server that checks the token itself.
    pub(crate) fn new(
        name: &'static str,
        submission: SocketAddr,
        keeps: Keeps,
        mails: PathBuf,
        process: ServerProcess,
    ) -> Self {
        Self {
            name,
            submission,
            keeps,
            mails,
            _sign_in: None,
            _process: process,
        }
    }

    /// The same behind a sign-in of the test's own.
    pub(crate) fn behind(self, sign_in: SignIn) -> Self {
        Self {
            submission: sign_in.address,
            _sign_in: Some(sign_in),
            ..self
        }
    }

    /// Waits until at least `count` mails are kept and returns all, with CRLF line ends.
    pub(crate) async fn delivered(&self, count: usize) -> Vec<Vec<u8>> {
        let arrival = async {
            while self.kept().len() < count {
                tokio::time::sleep(POLL_INTERVAL).await;
            }
        };
        let arrived = tokio::time::timeout(DELIVERY_DEADLINE, arrival).await;
        let kept = self.kept();
        assert!(
            arrived.is_ok(),
            "{}: waited for {count} mails, found {}",
            self.name,
            kept.len()
        );
        kept.iter().map(|path| self.read(path)).collect()
    }

    fn read(&self, path: &Path) -> Vec<u8> {
        let mail = fs::read(path).unwrap();
        match self.keeps {
            Keeps::Octets => mail,
            Keeps::Maildir => with_crlf(&mail),
            Keeps::Mbox => with_crlf(mail.strip_suffix(b"\n").unwrap_or(&mail)),
        }
    }

    fn kept(&self) -> Vec<PathBuf> {
        let folder = match self.keeps {
            Keeps::Maildir => self.mails.join("new"),
            Keeps::Mbox | Keeps::Octets => self.mails.clone(),
        };
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).collect()
    }
}

/// A mail that was kept with LF line ends.
pub(crate) fn with_crlf(mail: &[u8]) -> Vec<u8> {
    let lines: Vec<_> = mail.split(|byte| *byte == b'\n').collect();
    lines.join(b"\r\n".as_slice())
}

/// Waits until somebody listens.
pub(crate) async fn listening(address: SocketAddr) -> bool {
    let connecting = async {
        while TcpStream::connect(address).await.is_err() {
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    };
    tokio::time::timeout(DELIVERY_DEADLINE, connecting)
        .await
        .is_ok()
}

const DELIVERY_DEADLINE: Duration = Duration::from_secs(30);
const POLL_INTERVAL: Duration = Duration::from_millis(20);
