//! Dovecot in two parts: the server that checks access tokens for Postfix, by signature, issuer, lifetime, scope and
//! mailbox; and a second submission server, stricter than Postfix with the lengths of lines. It keeps no mail.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use super::Unavailable;
use super::configuration::{NOBODY, fill, free_address};
use super::oidc_provider::Identity;
use super::server_process::ServerProcess;

/// Running until dropped.
pub(crate) struct Dovecot {
    /// The submission service: STARTTLS, then a token.
    pub(crate) submission: SocketAddr,
    _process: ServerProcess,
}

impl Dovecot {
    /// Starts Dovecot with its files in `folder`. It trusts the tokens of `identity` and hands mail on to `relay`.
    pub(crate) async fn start(
        folder: &Path,
        identity: &Identity,
        relay: SocketAddr,
    ) -> Result<Self, Unavailable> {
        let did_not_start = |error| Unavailable::did_not_start("dovecot", error);
        let submission = free_address().map_err(did_not_start)?;
        let values = [
            ("run", &*folder.to_string_lossy()),
            ("issuer_url", &identity.issuer_url),
            ("send_scope", &identity.send_scope),
            ("mail_uid", &NOBODY.to_string()),
            ("submission_port", &submission.port().to_string()),
            ("relay_port", &relay.port().to_string()),
        ];
        write_key(folder, identity).map_err(did_not_start)?;
        let configuration = write_configuration(folder, &values).map_err(did_not_start)?;
        let command = [
            OsStr::new("dovecot"),
            OsStr::new("-F"),
            OsStr::new("-c"),
            configuration.as_os_str(),
        ];
        let ready = |line: &str| line.contains("starting up").then_some(());
        let (process, ()) = ServerProcess::start("dovecot", &command, ready).await?;
        Ok(Self {
            submission,
            _process: process,
        })
    }
}

/// The path is what Dovecot looks up: the authorised party, the algorithm, the key id.
fn write_key(folder: &Path, identity: &Identity) -> io::Result<()> {
    let keys = folder.join("keys/default/RS256");
    fs::create_dir_all(&keys)?;
    fs::write(keys.join(&identity.key_id), &identity.public_key_pem)
}

fn write_configuration(folder: &Path, values: &[(&str, &str)]) -> io::Result<PathBuf> {
    let oauth2 = fill(include_str!("config/dovecot-oauth2.conf"), values);
    fs::write(folder.join("dovecot-oauth2.conf"), oauth2)?;
    let configuration = folder.join("dovecot.conf");
    fs::write(
        &configuration,
        fill(include_str!("config/dovecot.conf"), values),
    )?;
    Ok(configuration)
}
