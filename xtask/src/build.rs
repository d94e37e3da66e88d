//! Builds the artifacts of each front end with the distribution profile.

use crate::{Result, root};
use clap::ValueEnum;
use xshell::{Shell, cmd};

/// A front end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Target {
    /// The command line program, with shell completions and man pages.
    Cli,
    /// Everything.
    All,
}

/// Builds into `target/dist`.
pub(crate) fn run(shell: &Shell, target: Target) -> Result {
    match target {
        Target::Cli | Target::All => cli(shell),
    }
}

fn cli(shell: &Shell) -> Result {
    cmd!(shell, "cargo build --package mailbearer-cli --profile dist").run()?;
    let program = root().join("target/dist/mailbearer");
    let out = root().join("target/dist/share");
    for shell_name in ["bash", "zsh", "fish"] {
        let script = cmd!(shell, "{program} completions {shell_name}").read()?;
        shell.write_file(out.join("completions").join(shell_name), script)?;
    }
    let man = out.join("man");
    cmd!(shell, "{program} man {man}").run()?;
    println!("{}", program.display());
    Ok(())
}
