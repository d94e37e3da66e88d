//! Postfix as a submission server, with a queue and a Maildir of its own. It is run as `master` in the foreground rather
//! than by `postfix start`, which leaves a daemon behind that no test could be sure to stop.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use super::Unavailable;
use super::configuration::{NOBODY, fill, free_address};
use super::server_process::ServerProcess;

/// Running until dropped.
pub(crate) struct Postfix {
    /// The submission service: STARTTLS, then a token.
    pub(crate) submission: SocketAddr,
    /// Takes mail from this machine as it is, for servers that have checked the token themselves.
    pub(crate) relay: SocketAddr,
    maildir: PathBuf,
    _process: ServerProcess,
}

impl Postfix {
    /// Starts the Postfix in `daemons` with its files in `folder`. Who signs in may send as `mailbox` only.
    pub(crate) async fn start(
        daemons: &Path,
        folder: &Path,
        mailbox: &str,
    ) -> Result<Self, Unavailable> {
        let did_not_start = |error| Unavailable::did_not_start("postfix", error);
        let submission = free_address().map_err(did_not_start)?;
        let relay = free_address().map_err(did_not_start)?;
        let values = [
            ("run", &*folder.to_string_lossy()),
            ("mail_uid", &NOBODY.to_string()),
            ("mailbox", mailbox),
            ("submission_port", &submission.port().to_string()),
            ("relay_port", &relay.port().to_string()),
        ];
        create_folders(folder).map_err(did_not_start)?;
        write_configuration(&folder.join("postfix"), &values).map_err(did_not_start)?;
        let (master, configuration) = (daemons.join("master"), folder.join("postfix"));
        let command = [
            master.as_os_str(),
            OsStr::new("-s"),
            OsStr::new("-c"),
            configuration.as_os_str(),
        ];
        let ready = |line: &str| line.contains("daemon started").then_some(());
        let (process, ()) = ServerProcess::start("postfix", &command, ready).await?;
        Ok(Self {
            submission,
            relay,
            maildir: folder.join("mail/inbox"),
            _process: process,
        })
    }

    /// Where every accepted mail ends up.
    pub(crate) fn maildir(&self) -> &Path {
        &self.maildir
    }
}

fn write_configuration(folder: &Path, values: &[(&str, &str)]) -> io::Result<()> {
    let master = fill(include_str!("config/master.cf"), values);
    fs::write(folder.join("master.cf"), master)?;
    let main = fill(include_str!("config/main.cf"), values);
    fs::write(folder.join("main.cf"), main)?;
    // Postfix takes a new file for one that is still being written, and waits for two seconds.
    let main = File::options().write(true).open(folder.join("main.cf"))?;
    main.set_modified(SystemTime::UNIX_EPOCH)
}

/// Makes the folders that Postfix expects, with the owners and permissions it demands of them.
fn create_folders(folder: &Path) -> io::Result<()> {
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

/// What Postfix expects to find: the user and group it demands, the permissions, and the folders.
const FOLDERS: &[((&str, &str), &str, &[&str])] = &[
    (("root", "root"), "755", &["postfix", "queue", "queue/pid"]),
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
