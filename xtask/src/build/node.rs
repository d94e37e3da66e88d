//! The npm package: the native module beside its JavaScript, named after the system it is for.

use super::{Profile, fresh, only_file};
use crate::{Result, root};
use std::env::consts::{ARCH, DLL_PREFIX, DLL_SUFFIX, OS};
use std::fs;
use std::path::PathBuf;
use xshell::{Shell, cmd};

/// Builds the native module into the package's folder, where `index.js` looks for it.
pub(crate) fn build(shell: &Shell, profile: Profile) -> Result {
    let name = profile.name();
    cmd!(
        shell,
        "cargo build --quiet --package mailbearer-node --profile {name}"
    )
    .run()?;
    let library = format!("{DLL_PREFIX}mailbearer_node{DLL_SUFFIX}");
    let module = format!("mailbearer.{}.node", system());
    let place = root().join("bindings-node").join(module);
    // A new file, because a running Node may have the old one in its memory.
    let _ = fs::remove_file(&place);
    fs::copy(profile.folder().join(library), place)?;
    Ok(())
}

/// Packs the package as it would be published, and gives its path.
pub(super) fn pack(shell: &Shell) -> Result<PathBuf> {
    let packages = root().join("target/npm");
    fresh(&packages)?;
    let _folder = shell.push_dir(root().join("bindings-node"));
    cmd!(shell, "npm pack --silent --pack-destination {packages}")
        .ignore_stdout()
        .run()?;
    only_file(&packages)
}

/// The system as `native.js` names it: platform, architecture, and the C library where there are several.
fn system() -> String {
    let architecture = match ARCH {
        "x86_64" => "x64",
        "aarch64" => "arm64",
        other => other,
    };
    match OS {
        "linux" => format!("linux-{architecture}-gnu"),
        "macos" => format!("darwin-{architecture}"),
        "windows" => format!("win32-{architecture}-msvc"),
        other => format!("{other}-{architecture}"),
    }
}
