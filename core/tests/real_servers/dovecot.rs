//! Dovecot as the server that checks access tokens for Postfix, by signature, issuer, lifetime, scope and mailbox.
//! It keeps no mail and opens no port.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::Unavailable;
use super::configuration::fill;
use super::oidc_provider::Identity;
use super::server_process::ServerProcess;

/// Running until dropped.
pub(crate) struct Dovecot {
    auth_socket: PathBuf,
    _process: ServerProcess,
}

impl Dovecot {
    /// Starts Dovecot with its files in `folder`; it trusts the tokens of `identity`.
    pub(crate) async fn start(folder: &Path, identity: &Identity) -> Result<Self, Unavailable> {
        let configuration = write_configuration(folder, identity)
            .map_err(|error| Unavailable::did_not_start("dovecot", error))?;
        let command = [
            OsStr::new("dovecot"),
            OsStr::new("-F"),
            OsStr::new("-c"),
            configuration.as_os_str(),
        ];
        let ready = |line: &str| line.contains("starting up").then_some(());
        let (process, ()) = ServerProcess::start("dovecot", &command, ready).await?;
        Ok(Self {
            auth_socket: folder.join("dovecot/smtpd-auth"),
            _process: process,
        })
    }

    /// Where Postfix asks.
    pub(crate) fn auth_socket(&self) -> &Path {
        &self.auth_socket
    }
}

fn write_configuration(folder: &Path, identity: &Identity) -> io::Result<PathBuf> {
    let values = [
        ("run", &*folder.to_string_lossy()),
        ("issuer_url", &identity.issuer_url),
        ("send_scope", &identity.send_scope),
    ];
    // The folder is part of the key that Dovecot looks up: authorised party, algorithm, key id.
    let keys = folder.join("keys/default/RS256");
    fs::create_dir_all(&keys)?;
    fs::write(keys.join(&identity.key_id), &identity.public_key_pem)?;
    fs::write(
        folder.join("dovecot-oauth2.conf"),
        fill(include_str!("config/dovecot-oauth2.conf"), &values),
    )?;
    let configuration = folder.join("dovecot.conf");
    fs::write(
        &configuration,
        fill(include_str!("config/dovecot.conf"), &values),
    )?;
    Ok(configuration)
}
