//! `mailbearer completions`: a completion script for a shell, written from the command line's own definition.

use crate::command::Cli;
use crate::exit::Exit;
use crate::output::Output;
use clap::CommandFactory;
use clap_complete::Shell;

/// Print a completion script for a shell
///
/// For bash: mailbearer completions bash > ~/.local/share/bash-completion/completions/mailbearer
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The shell
    shell: Shell,
}

pub(crate) fn run(args: &Args, output: &Output) -> Exit {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "mailbearer", &mut script);
    output.value(&script);
    Exit::Done
}
