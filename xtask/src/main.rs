//! Everything that builds, checks and tests the workspace, as one typed program: no shell scripts, no Makefile.
//! This file only reads the command line; each command is a module.

#![forbid(unsafe_code)]
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command line tool talks to its terminal"
)]

mod build;
mod ci;
mod codegen;
mod dist;
mod test;
mod tidy;

use clap::{Parser, Subcommand};
use std::path::Path;
use std::process::ExitCode;
use xshell::Shell;

/// Build, check and test Mailbearer.
#[derive(Parser)]
#[command(name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run every check that needs no other program than Rust's own, or only those named.
    Ci {
        /// The checks to run.
        steps: Vec<ci::Step>,
    },
    /// Check what no compiler checks: imports, host names, licences, dependencies.
    Tidy,
    /// Install what the tests need, run every test of every language, and print one summary.
    Test {
        /// The suites to run. Default: all.
        suites: Vec<String>,
    },
    /// Write the generated files.
    Codegen {
        /// Fail if a file is not fresh, and write nothing.
        #[arg(long)]
        check: bool,
        /// Also what Swift's native library brings: its generator takes a minute to compile.
        #[arg(long, conflicts_with = "check")]
        swift: bool,
    },
    /// Build the artifacts of one front end, or of all.
    Build {
        /// The front end.
        target: build::Target,
    },
    /// Make the packages that people install, into `target/artifacts`, with checksums.
    Dist(dist::Arguments),
    /// Hand the packages to a registry.
    Publish(dist::publish::Arguments),
}

fn main() -> ExitCode {
    match run(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// What a command fails with: a text for the person at the terminal.
type Error = Box<dyn std::error::Error>;
type Result<T = ()> = std::result::Result<T, Error>;

fn run(arguments: Arguments) -> Result {
    let shell = Shell::new()?;
    shell.change_dir(root());
    match arguments.command {
        Command::Ci { steps } => ci::run(&shell, &steps),
        Command::Tidy => tidy::run(&shell),
        Command::Test { suites } => test::run(&shell, &suites),
        Command::Codegen { check, swift } => {
            codegen::run(&shell, check)?;
            match swift {
                true => build::swift::generate(&shell),
                false => Ok(()),
            }
        }
        Command::Build { target } => build::run(&shell, target),
        Command::Dist(arguments) => dist::run(&shell, &arguments),
        Command::Publish(arguments) => dist::publish::run(&arguments),
    }
}

/// The workspace's folder.
fn root() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here)
}
