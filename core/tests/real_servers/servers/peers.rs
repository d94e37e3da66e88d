//! Servers that take mail as it is and pass it on to nobody, each started on a free port of 127.0.0.1: Exim, OpenSMTPD,
//! `smtp-server` of nodemailer, aiosmtpd, and Postfix's smtp-sink. Postfix itself and Dovecot have files of their own.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::Unavailable;
use super::configuration::{NOBODY, fill, free_address};
use super::peer::{Keeps, Peer, listening};
use super::server_process::ServerProcess;
use super::sign_in::SignIn;

/// What every server here takes as a token.
pub(crate) const TOKEN: &str = "token-of-the-real-servers";

/// Exim 4 with its own XOAUTH2, from its Debian package. Needs root.
pub(crate) async fn exim(folder: &Path) -> Result<Peer, Unavailable> {
    let failed = |error| Unavailable::did_not_start("exim", error);
    let package = package("exim4-daemon-light")?;
    let address = free_address().map_err(failed)?;
    let configuration = folder.join("exim.conf");
    let values = [
        ("run", &*folder.to_string_lossy()),
        ("port", &address.port().to_string()),
        ("token", TOKEN),
    ];
    let text = fill(include_str!("config/exim.conf"), &values);
    fs::write(&configuration, text).map_err(failed)?;
    let start = format!(
        "chown Debian-exim {0} {0}/mail-server.pem && install -m 644 {0}/exim.conf -D /etc/exim4/exim4.conf \
         && exec /usr/sbin/exim4 -bdf",
        folder.display()
    );
    let process = packaged(folder, &package, "Debian-exim", &["sh", "-c", &start]).await?;
    up("exim", address, &process).await?;
    let mails = folder.join("exim-mail");
    Ok(Peer::new("exim", address, Keeps::Maildir, mails, process))
}

/// OpenSMTPD from its Debian package, behind a sign-in of the test's own: it knows no tokens. Needs root.
pub(crate) async fn opensmtpd(folder: &Path) -> Result<Peer, Unavailable> {
    let failed = |error| Unavailable::did_not_start("opensmtpd", error);
    let package = package("opensmtpd")?;
    let address = free_address().map_err(failed)?;
    let configuration = folder.join("smtpd.conf");
    let values = [
        ("run", &*folder.to_string_lossy()),
        ("port", &address.port().to_string()),
        ("user", "opensmtpd-reader"),
    ];
    let text = fill(include_str!("config/smtpd.conf"), &values);
    fs::write(&configuration, text).map_err(failed)?;
    let start = format!(
        "install -d -m 755 -o root /var/lib/opensmtpd/empty && install -d -m 711 -o root /var/spool/smtpd \
         && install -d -o opensmtpd-reader {0}/opensmtpd-mail && exec /usr/sbin/smtpd -d -f {0}/smtpd.conf",
        folder.display()
    );
    let users = "opensmtpd opensmtpq opensmtpd-reader";
    let process = packaged(folder, &package, users, &["sh", "-c", &start]).await?;
    up("opensmtpd", address, &process).await?;
    let mails = folder.join("opensmtpd-mail");
    let peer = Peer::new("opensmtpd", address, Keeps::Maildir, mails, process);
    Ok(peer.behind(sign_in(address, folder).await?))
}

/// nodemailer's smtp-server with its own XOAUTH2.
pub(crate) async fn smtp_server(folder: &Path) -> Result<Peer, Unavailable> {
    let script = PathBuf::from(HERE).join("smtp_server/server.mjs");
    if !script.with_file_name("node_modules").exists() {
        return Err(missing(
            "smtp-server: npm ci in core/tests/real_servers/servers/smtp_server",
        ));
    }
    script_server("smtp-server", Path::new("node"), &script, folder).await
}

/// aiosmtpd with an XOAUTH2 of the test's own.
pub(crate) async fn aiosmtpd(folder: &Path) -> Result<Peer, Unavailable> {
    let python = PathBuf::from(ROOT).join("target/venv/bin/python");
    let known = Command::new(&python)
        .args(["-c", "import aiosmtpd"])
        .output();
    if !known.is_ok_and(|known| known.status.success()) {
        return Err(missing(
            "aiosmtpd in target/venv: cargo xtask test real-servers",
        ));
    }
    let script = PathBuf::from(HERE).join("aiosmtpd/server.py");
    script_server("aiosmtpd", &python, &script, folder).await
}

/// Postfix's smtp-sink, behind a sign-in of the test's own: it knows neither TLS nor tokens, and takes every
/// recipient. Needs root.
pub(crate) async fn smtp_sink(folder: &Path) -> Result<Peer, Unavailable> {
    let failed = |error| Unavailable::did_not_start("smtp-sink", error);
    let program = ["/usr/sbin/smtp-sink", "/usr/lib/postfix/sbin/smtp-sink"];
    let program = program.into_iter().find(|path| Path::new(path).exists());
    let program = program.ok_or_else(|| missing("smtp-sink: the Debian package postfix"))?;
    let address = free_address().map_err(failed)?;
    let mails = new_folder(folder, "smtp-sink-mail").map_err(failed)?;
    std::os::unix::fs::chown(&mails, Some(NOBODY), Some(NOBODY)).map_err(failed)?;
    let (pattern, at) = (mails.join("%s."), address.to_string());
    let command = [
        "sh",
        "-c",
        "echo started; exec \"$@\"",
        "sh",
        program,
        "-u",
        "nobody",
        "-d",
    ]
    .map(OsStr::new);
    let command = [
        &command[..],
        &[pattern.as_os_str(), OsStr::new(&at), OsStr::new("64")],
    ]
    .concat();
    let (process, ()) = ServerProcess::start("smtp-sink", &command, is_started).await?;
    up("smtp-sink", address, &process).await?;
    let peer = Peer::new("smtp-sink", address, Keeps::Mbox, mails, process);
    Ok(peer.behind(sign_in(address, folder).await?))
}

/// A server that is a script: it takes a folder, a file with key and certificate, and a token, and says its port.
async fn script_server(
    name: &'static str,
    interpreter: &Path,
    script: &Path,
    folder: &Path,
) -> Result<Peer, Unavailable> {
    let failed = |error| Unavailable::did_not_start(name, error);
    let mails = new_folder(folder, name).map_err(failed)?;
    let pem = folder.join("mail-server.pem");
    let command = [interpreter, script, &mails, &pem].map(Path::as_os_str);
    let command = [&command[..], &[OsStr::new(TOKEN)]].concat();
    let port = |line: &str| line.strip_prefix("port ")?.parse().ok();
    let (process, port) = ServerProcess::start(name, &command, port).await?;
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    Ok(Peer::new(name, address, Keeps::Octets, mails, process))
}

/// Starts a program from a Debian package in a file system of its own.
async fn packaged(
    folder: &Path,
    package: &Path,
    users: &str,
    program: &[&str],
) -> Result<ServerProcess, Unavailable> {
    let failed = |error| Unavailable::did_not_start("a package", error);
    let scratch = new_folder(folder, "scratch").map_err(failed)?;
    let script = PathBuf::from(HERE).join("config/packaged.sh");
    let mut command = ["unshare", "--mount", "sh"].map(OsStr::new).to_vec();
    command.extend([&script, &scratch, package, folder].map(Path::as_os_str));
    command.push(OsStr::new(users));
    command.extend(program.iter().map(OsStr::new));
    let (process, ()) = ServerProcess::start("a package", &command, is_started).await?;
    Ok(process)
}

fn is_started(line: &str) -> Option<()> {
    (line == "started").then_some(())
}

async fn up(
    name: &'static str,
    address: SocketAddr,
    process: &ServerProcess,
) -> Result<(), Unavailable> {
    match listening(address).await {
        true => Ok(()),
        false => Err(Unavailable::did_not_start(name, process.output())),
    }
}

async fn sign_in(server: SocketAddr, folder: &Path) -> Result<SignIn, Unavailable> {
    let sign_in = SignIn::start(server, &folder.join("mail-server.pem"), TOKEN).await;
    sign_in.map_err(|error| Unavailable::did_not_start("the sign-in", error))
}

fn new_folder(folder: &Path, name: &str) -> io::Result<PathBuf> {
    let path = folder.join(name);
    fs::create_dir(&path)?;
    Ok(path)
}

/// The file of a Debian package that `cargo xtask test` has fetched.
fn package(name: &str) -> Result<PathBuf, Unavailable> {
    let folder = PathBuf::from(ROOT).join("target/debian");
    let entries = fs::read_dir(&folder).into_iter().flatten().flatten();
    let found = entries.map(|entry| entry.path()).find(|path| {
        path.file_name()
            .is_some_and(|file| file.to_string_lossy().starts_with(&format!("{name}_")))
    });
    found.ok_or_else(|| {
        missing(&format!(
            "the Debian package {name} in {}: cargo xtask test real-servers",
            folder.display()
        ))
    })
}

fn missing(what: &str) -> Unavailable {
    Unavailable::Missing(vec![what.to_owned()])
}

const HERE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/real_servers/servers");
const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
