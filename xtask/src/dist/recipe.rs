//! How a native file is made so that everyone gets the same octets: a fixed time, no path of this machine, and on Linux
//! zig as the linker, which links against an old C library wherever it runs.

use super::compiler::Compiler;
use super::platform::Platform;
use crate::test::needs::{Need, install, missing, python};
use crate::{Result, root};
use std::env;
use std::path::PathBuf;
use std::process::Command;
use xshell::{Shell, cmd};

/// What building packages takes.
const NEEDS: &[Need] = &[Need::Python("xtask/src/dist/requirements.txt")];

/// How to build for one platform.
pub(super) struct Recipe {
    pub(super) platform: &'static Platform,
    compiler: Compiler,
    /// Where cargo builds. Not the tests' folder: the flags differ, and each would throw the other's work away.
    folder: PathBuf,
    time: u64,
}

impl Recipe {
    pub(super) fn new(shell: &Shell, platform: &'static Platform, folder: PathBuf) -> Result<Self> {
        install(NEEDS.iter());
        if let Some(missing) = missing(NEEDS) {
            return Err(missing.into());
        }
        let compiler = Compiler::of(shell, platform)?;
        let time = commit_time(shell)?;
        Ok(Self {
            platform,
            compiler,
            folder,
            time,
        })
    }

    /// Builds one package of the workspace, and gives the folder that holds the outcome.
    pub(super) fn cargo(&self, package: &str) -> Result<PathBuf> {
        let platform = self.platform;
        let mut command = if self.needs_zig() {
            let mut command = Command::new(tool("cargo-zigbuild"));
            command.arg("zigbuild");
            command
        } else {
            let mut command = Command::new("cargo");
            command.arg("build");
            command
        };
        let glibc = platform.glibc.filter(|_| self.needs_zig());
        let target = match glibc {
            Some(version) => format!("{}.{version}", platform.triple),
            None => platform.triple.to_owned(),
        };
        let is_program = package == "mailbearer-cli";
        command
            .args(["--quiet", "--locked", "--profile", "dist"])
            .args(["--package", package, "--target", &target])
            .arg("--target-dir")
            .arg(&self.folder);
        self.run(&mut command, is_program)?;
        Ok(self.folder.join(platform.triple).join("dist"))
    }

    /// Runs maturin in the Python package, and leaves the outcome in `out`.
    pub(super) fn wheel(&self, out: &std::path::Path) -> Result {
        let mut command = Command::new(python());
        command
            .args([
                "-m",
                "maturin",
                "build",
                "--quiet",
                "--locked",
                "--profile",
                "dist",
            ])
            .args(["--manifest-path", "bindings-python/Cargo.toml"])
            .args(["--target", self.platform.triple])
            .args(["--compatibility", self.platform.wheel])
            .args(self.needs_zig().then_some("--zig"))
            .arg("--target-dir")
            .arg(&self.folder)
            .arg("--out")
            .arg(out);
        self.run(&mut command, false)
    }

    /// Everything for Linux, and for macOS where there is no Mac.
    fn needs_zig(&self) -> bool {
        let is_apple = self.platform.triple.contains("apple");
        self.platform.is_linux() || is_apple && env::consts::OS != "macos"
    }

    fn run(&self, command: &mut Command, is_program: bool) -> Result {
        self.compiler.set(command);
        if self.platform.triple.contains("apple") && self.needs_zig() {
            // There is no tool that strips Apple's format.
            command.env("CARGO_PROFILE_DIST_STRIP", "none");
        }
        let path = env::var_os("PATH").unwrap_or_default();
        let path = [tool("")].into_iter().chain(env::split_paths(&path));
        let status = command
            .current_dir(root())
            .env("PATH", env::join_paths(path)?)
            .env(
                "CARGO_ENCODED_RUSTFLAGS",
                self.flags(is_program)?.join("\u{1f}"),
            )
            .env("SOURCE_DATE_EPOCH", self.time.to_string())
            .env("CARGO_INCREMENTAL", "0")
            .status()?;
        match status.success() {
            true => Ok(()),
            false => Err(format!("building for {} failed", self.platform.triple).into()),
        }
    }

    /// The compiler's flags. Of two prefixes that both fit, the later one wins.
    fn flags(&self, is_program: bool) -> Result<Vec<String>> {
        let remap = |from: &std::path::Path, to: &str| {
            format!("--remap-path-prefix={}={to}", from.display())
        };
        let mut flags = vec![remap(root(), "mailbearer")];
        flags.extend(
            registries()?
                .iter()
                .map(|registry| remap(registry, "registry")),
        );
        flags.extend(
            self.compiler
                .sources()
                .iter()
                .map(|sources| remap(sources, "rust")),
        );
        if self.platform.triple.ends_with("musl") {
            flags.push("-Clink-self-contained=no".to_owned()); // zig brings musl
            if !is_program {
                // A library is loaded by a program that has its own C library.
                flags.push("-Ctarget-feature=-crt-static".to_owned());
            }
        }
        Ok(flags)
    }
}

/// A program of the environment that the needs are installed in; the folder itself for an empty name.
fn tool(name: &str) -> PathBuf {
    python()
        .parent()
        .map(|folder| folder.join(name))
        .unwrap_or_default()
}

/// Where cargo keeps the sources of dependencies.
fn registries() -> Result<Vec<PathBuf>> {
    let home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| env::home_dir().map(|home| home.join(".cargo")));
    let folder = home.ok_or("there is no home folder")?.join("registry/src");
    let entries = std::fs::read_dir(&folder)?;
    let mut folders: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    folders.sort();
    Ok(folders)
}

/// When the commit was made, in seconds since 1970: the time of everything in a package.
pub(super) fn commit_time(shell: &Shell) -> Result<u64> {
    let time = cmd!(shell, "git log -1 --format=%ct").quiet().read()?;
    Ok(time.trim().parse()?)
}
