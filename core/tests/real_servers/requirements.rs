//! What must be installed before the real servers can start, and where it lies.
//! Looks only; installing is for whoever runs the tests.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::Unavailable;

/// Where `npm ci` puts the identity provider.
pub(crate) const OIDC_FOLDER: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/tests/real_servers/oidc");

/// Returns the folder of Postfix's daemons when everything is there, or else says in full what is missing.
pub(crate) fn check() -> Result<PathBuf, Unavailable> {
    let mut missing = Vec::new();
    let mut note = |found: Result<(), String>| missing.extend(found.err());
    note(root());
    note(dovecot());
    note(node());
    let postfix = postfix();
    note(postfix.as_ref().map(drop).map_err(Clone::clone));
    match postfix {
        Ok(daemons) if missing.is_empty() => Ok(daemons),
        _ => Err(Unavailable::Missing(missing)),
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
        .ok_or_else(|| "Postfix: the Debian package postfix".to_owned())
}

fn dovecot() -> Result<(), String> {
    match output_of("dovecot", &["--version"]) {
        Some(version) if version.starts_with("2.3.") => Ok(()),
        Some(version) => Err(format!(
            "Dovecot 2.3, whose configuration 2.4 no longer reads; found {}",
            version.trim()
        )),
        None => Err("Dovecot 2.3: the Debian 12 package dovecot-core".to_owned()),
    }
}

fn node() -> Result<(), String> {
    if output_of("node", &["--version"]).is_none() {
        return Err("Node.js 20 or later".to_owned());
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
