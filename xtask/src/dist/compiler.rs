//! The compiler for a platform: rustup's where it has the platform's standard library, otherwise Debian's compiler,
//! unpacked under `target`, which brings the standard library as source and builds it for any platform.

use super::platform::Platform;
use crate::build::fresh;
use crate::{Result, root};
use std::path::{Path, PathBuf};
use std::process::Command;
use xshell::{Shell, cmd};

/// A compiler.
#[derive(Debug)]
pub(super) enum Compiler {
    /// The one in the search path.
    Installed,
    /// One below a folder that looks like `/usr`.
    Unpacked(PathBuf),
}

impl Compiler {
    /// The compiler for a platform, unpacked now if need be.
    pub(super) fn of(shell: &Shell, platform: &Platform) -> Result<Self> {
        let sysroot = cmd!(shell, "rustc --print sysroot").quiet().read()?;
        let libraries = Path::new(&sysroot).join("lib/rustlib");
        let library = libraries.join(platform.triple).join("lib");
        if library.exists() || rustup_adds(platform.triple) {
            return Ok(Self::Installed);
        }
        unpack(shell).map(Self::Unpacked).map_err(|error| {
            let triple = platform.triple;
            format!("no standard library for {triple}: run rustup target add {triple} ({error})")
                .into()
        })
    }

    /// Has a cargo command use it.
    pub(super) fn set(&self, command: &mut Command) {
        let Self::Unpacked(folder) = self else { return };
        command
            .env("RUSTC", folder.join("bin/rustc"))
            .env("LD_LIBRARY_PATH", folder.join("lib/x86_64-linux-gnu"))
            // Building the standard library is not stable yet; Debian's compiler is no nightly one.
            .env("RUSTC_BOOTSTRAP", "1")
            .env("CARGO_UNSTABLE_BUILD_STD", "std,panic_unwind");
    }

    /// Where its standard library's source lies, which ends up in panic messages unless it is renamed.
    pub(super) fn sources(&self) -> Vec<PathBuf> {
        match self {
            Self::Installed => Vec::new(),
            Self::Unpacked(folder) => {
                let link = folder.join("lib/rustlib/src/rust");
                let folder = link.canonicalize().ok();
                [link].into_iter().chain(folder).collect()
            }
        }
    }
}

/// Whether rustup is there and could fetch a platform's standard library.
fn rustup_adds(triple: &str) -> bool {
    let added = Command::new("rustup")
        .args(["--quiet", "target", "add", triple])
        .output();
    added.is_ok_and(|output| output.status.success())
}

/// Debian's security archive has a current compiler for its browsers, in these packages.
const PACKAGES: [&str; 5] = [
    "rustc-web",
    "rust-web-src",
    "libstd-rust-web-dev",
    "libstd-rust-web-1.96",
    "libllvm22",
];

fn unpack(shell: &Shell) -> Result<PathBuf> {
    let folder = root().join("target/tools/rust");
    let complete = folder.join("complete");
    if !complete.exists() {
        fresh(&folder)?;
        let _folder = shell.push_dir(&folder);
        cmd!(shell, "apt-get --quiet --quiet download")
            .args(PACKAGES)
            .ignore_stderr()
            .run()?;
        for package in shell.read_dir(&folder)? {
            cmd!(shell, "dpkg-deb --extract {package} {folder}").run()?;
            shell.remove_path(&package)?;
        }
        shell.write_file(&complete, PACKAGES.join("\n"))?;
    }
    Ok(folder.join("usr"))
}
