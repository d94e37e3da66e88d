//! Builds the artifacts of each front end: with the distribution profile for people, with the development profile for
//! the tests. Signs and publishes nothing.

mod cli;
pub(crate) mod node;
pub(crate) mod python;
pub(crate) mod swift;
mod swift_bundle;
pub(crate) mod swift_reference;
pub(crate) mod swift_toolchain;

use crate::{Result, root};
use clap::ValueEnum;
use std::fs;
use std::path::{Path, PathBuf};
use xshell::Shell;

/// A front end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Target {
    /// The command line program, with shell completions and man pages.
    Cli,
    /// The wheel.
    Python,
    /// The npm package for this system.
    Node,
    /// The Swift package with its library, and its generated sources.
    Swift,
    /// Everything.
    All,
}

/// How much the compiler may take its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Profile {
    /// Fast to build, for tests.
    Dev,
    /// For people.
    Dist,
}

impl Profile {
    /// Cargo's name for it.
    fn name(self) -> &'static str {
        match self {
            Self::Dev => "dev",
            Self::Dist => "dist",
        }
    }

    /// The folder cargo builds into.
    fn folder(self) -> PathBuf {
        root().join(match self {
            Self::Dev => "target/debug",
            Self::Dist => "target/dist",
        })
    }
}

/// Builds for distribution, into `target`.
pub(crate) fn run(shell: &Shell, target: Target) -> Result {
    let all = target == Target::All;
    if all || target == Target::Cli {
        cli::build(shell)?;
    }
    if all || target == Target::Python {
        println!("{}", python::build(shell, Profile::Dist)?.display());
    }
    if all || target == Target::Node {
        node::build(shell, Profile::Dist)?;
        println!("{}", node::pack(shell)?.display());
    }
    if all || target == Target::Swift {
        let library = swift::library(shell, Profile::Dist)?;
        println!("{}", swift::package(shell, &library)?.display());
    }
    Ok(())
}

/// An empty folder in the place of whatever was there.
pub(crate) fn fresh(folder: &Path) -> Result {
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    Ok(fs::create_dir_all(folder)?)
}

/// The one file in a folder that has just been made fresh.
pub(crate) fn only_file(folder: &Path) -> Result<PathBuf> {
    let mut entries = fs::read_dir(folder)?;
    match (entries.next(), entries.next()) {
        (Some(file), None) => Ok(file?.path()),
        _ => Err(format!("expected one file in {}", folder.display()).into()),
    }
}
