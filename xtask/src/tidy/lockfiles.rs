//! Lock files pin versions and checksums, not the registry a machine happens to use.

use crate::{Result, root};
use std::fs;
use xshell::{Shell, cmd};

/// Complains about npm lock files that name a registry's address.
pub(super) fn check(shell: &Shell) -> Result<Vec<String>> {
    let tracked = cmd!(shell, "git ls-files *package-lock.json")
        .quiet()
        .read()?;
    let mut complaints = Vec::new();
    for path in tracked.lines() {
        let text = fs::read_to_string(root().join(path))?;
        if text.contains("\"resolved\": \"http") {
            complaints.push(format!(
                "{path}: names a registry; write it with npm's omit-lockfile-registry-resolved"
            ));
        }
    }
    Ok(complaints)
}
