//! Postfix as a submission server, with a queue and a Maildir of its own. It is run as `master` in the foreground rather
//! than by `postfix start`, which leaves a daemon behind that no test could be sure to stop.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use super::Unavailable;
use super::certificate::Certificates;
use super::configuration::{create_folder, fill};
use super::server_process::ServerProcess;

/// Running until dropped.
pub(crate) struct Postfix {
    /// The submission service.
    pub(crate) address: SocketAddr,
    maildir: PathBuf,
    _process: ServerProcess,
}

impl Postfix {
    /// Starts the Postfix in `daemons` with its files in `folder`. It asks `auth_socket` who may send, and lets
    /// them send as `mailbox` only.
    pub(crate) async fn start(
        folder: &Path,
        daemons: &Path,
        certificates: &Certificates,
        auth_socket: &Path,
        mailbox: &str,
    ) -> Result<Self, Unavailable> {
        let did_not_start = |error| Unavailable::did_not_start("postfix", error);
        let address = free_address().map_err(did_not_start)?;
        let values = [
            ("run", &*folder.to_string_lossy()),
            ("auth_socket", &auth_socket.to_string_lossy()),
            ("mail_uid", &NOBODY.to_string()),
            ("mailbox", mailbox),
            ("port", &address.port().to_string()),
        ];
        write_files(folder, &certificates.server_chain_pem, &values).map_err(did_not_start)?;
        create_folders(folder).map_err(did_not_start)?;
        let configuration = folder.join("postfix");
        let master = daemons.join("master");
        let command = [
            master.as_os_str(),
            OsStr::new("-s"),
            OsStr::new("-c"),
            configuration.as_os_str(),
        ];
        let ready = |line: &str| line.contains("daemon started").then_some(());
        let (process, ()) = ServerProcess::start("postfix", &command, ready).await?;
        Ok(Self {
            address,
            maildir: folder.join("mail/inbox"),
            _process: process,
        })
    }

    /// Where every accepted mail ends up.
    pub(crate) fn maildir(&self) -> &Path {
        &self.maildir
    }
}

fn write_files(folder: &Path, chain_pem: &str, values: &[(&str, &str)]) -> io::Result<()> {
    fs::write(folder.join("mail-server.pem"), chain_pem)?;
    let postfix = folder.join("postfix");
    create_folder(&postfix)?;
    let master = fill(include_str!("config/master.cf"), values);
    fs::write(postfix.join("master.cf"), master)?;
    let main = fill(include_str!("config/main.cf"), values);
    fs::write(postfix.join("main.cf"), main)?;
    // Postfix takes a new file for one that is still being written, and waits for two seconds.
    File::options()
        .write(true)
        .open(postfix.join("main.cf"))?
        .set_modified(SystemTime::UNIX_EPOCH)
}

fn create_folders(folder: &Path) -> io::Result<()> {
    create_folder(&folder.join("queue"))?;
    for (owner, mode, names) in FOLDERS {
        let made = Command::new("install")
            .current_dir(folder)
            .args(["--directory", "--mode", mode, "--owner", owner.0])
            .args(["--group", owner.1])
            .args(*names)
            .output()?;
        if !made.status.success() {
            let reason = String::from_utf8_lossy(&made.stderr).into_owned();
            return Err(io::Error::other(reason));
        }
    }
    Ok(())
}

/// Postfix takes no port 0, so this is one that was free a moment ago.
fn free_address() -> io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}

/// What Postfix expects to find: the user and group it demands, the permissions, and the folders.
const FOLDERS: &[((&str, &str), &str, &[&str])] = &[
    (("root", "root"), "755", &["queue/pid"]),
    (("postfix", "root"), "700", QUEUE_FOLDERS),
    (("postfix", "postdrop"), "710", &["queue/public"]),
    (("postfix", "postdrop"), "730", &["queue/maildrop"]),
    (("postfix", "root"), "700", &["data"]),
    (("nobody", "nogroup"), "755", &["mail"]),
];

const QUEUE_FOLDERS: &[&str] = &[
    "queue/active",
    "queue/bounce",
    "queue/corrupt",
    "queue/defer",
    "queue/deferred",
    "queue/flush",
    "queue/hold",
    "queue/incoming",
    "queue/private",
    "queue/saved",
    "queue/trace",
];

/// The number of the user `nobody` and of the group `nogroup`, to whom the mail is delivered.
const NOBODY: u32 = 65534;
