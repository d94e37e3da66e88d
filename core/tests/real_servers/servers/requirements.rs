//! What must be installed before the real servers can start, and where it lies.
//! Looks only; installing is for whoever runs the tests.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::Unavailable;

/// Where `npm ci` puts the identity provider.
pub(crate) const OIDC_FOLDER: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/real_servers/servers/oidc"
);

/// Returns the folder of Postfix's daemons when everything is there, or else says in full what is missing.
pub(crate) fn check() -> Result<PathBuf, Unavailable> {
    match (root(), postfix(), dovecot(), node()) {
        (Ok(()), Ok(daemons), Ok(()), Ok(())) => Ok(daemons),
        (root, postfix, dovecot, node) => {
            let missing = [root.err(), postfix.err(), dovecot.err(), node.err()];
            Err(Unavailable::Missing(
                missing.into_iter().flatten().collect(),
            ))
        }
    }
}

fn root() -> Result<(), String> {
    match fs::metadata("/proc/self").map(|process| process.uid()) {
        Ok(0) => Ok(()),
        _ => Err("Linux and root: Postfix starts its services under several users".to_owned()),
    }
}

fn postfix() -> Result<PathBuf, String> {
    output_of("postconf", &["-d", "-h", "daemon_directory"])
        .map(|folder| PathBuf::from(folder.trim()))
        .filter(|folder| folder.join("master").exists())
        .ok_or_else(|| {
            "Postfix, with `postconf` on the PATH: the Debian package postfix".to_owned()
        })
}

fn dovecot() -> Result<(), String> {
    let version = output_of("dovecot", &["--version"]).unwrap_or_default();
    if !version.starts_with("2.3.") {
        return Err(format!(
            "Dovecot 2.3 on the PATH: the Debian 12 package dovecot-core; found {version:?}"
        ));
    }
    output_of("doveconf", &["-d", "-h", "libexec_dir"])
        .filter(|folder| Path::new(folder.trim()).join("submission-login").exists())
        .map(drop)
        .ok_or_else(|| {
            "Dovecot's submission server: the Debian package dovecot-submissiond".to_owned()
        })
}

fn node() -> Result<(), String> {
    if output_of("node", &["--version"]).is_none() {
        return Err("Node.js 20 or later on the PATH".to_owned());
    }
    match Path::new(OIDC_FOLDER)
        .join("node_modules/oidc-provider/package.json")
        .exists()
    {
        true => Ok(()),
        false => Err(format!("oidc-provider: npm ci --prefix {OIDC_FOLDER}")),
    }
}

/// What `program` prints, if it is there and succeeds.
fn output_of(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    output
        .status
        .success()
        .then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}
