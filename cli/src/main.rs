//! The `mailbearer` command: one file per verb, each a few calls of the handle.
//! This file parses the command line, runs the verb and turns the outcome into an exit code; it decides nothing else.

#![forbid(unsafe_code)]

mod command;
mod exit;

mod account;
mod completions;
mod demo;
mod doctor;
mod explain;
mod login;
mod man;
mod sandbox;
mod send;
mod status;
mod test;
mod token;
mod upkeep;

mod accounts;
mod delivery;
mod input;
mod interrupt;
mod output;
mod page;
mod passphrase;
mod problem;
mod progress;
mod prompt;
mod text;
mod time;
mod vault;

use crate::command::{Cli, Command};
use crate::exit::Exit;
use crate::output::Output;
use clap::Parser;
use mailbearer::error::caught;
use mailbearer::model::ProblemKind;
use mailbearer::{Error, Result};
use std::io::{IsTerminal, stderr};
use std::process::ExitCode;

fn main() -> ExitCode {
    keep_memory_to_ourselves();
    let exit = match Cli::try_parse() {
        Ok(cli) => run(cli),
        Err(refused) => not_understood(&refused),
    };
    exit.into()
}

/// Tokens in use are in this process's memory: a crash must not write them to a disk, or hand them to a crash reporter, and
/// other processes of the same user need not read them, nor the environment. Where the system does not let us, it decides
/// itself.
#[cfg(unix)]
fn keep_memory_to_ourselves() {
    use rustix::process::{Resource, Rlimit, setrlimit};
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    let _ = setrlimit(Resource::Core, none);
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{DumpableBehavior, set_dumpable_behavior};
        let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    }
}

#[cfg(not(unix))]
fn keep_memory_to_ourselves() {}

fn run(cli: Cli) -> Exit {
    let output = Output::new(cli.json);
    let verb = cli.command.verb();
    let done = start(cli, &output).map_err(|error| error.during(verb));
    let exit = done.unwrap_or_else(|error| {
        output.error(&error);
        error.kind().into()
    });
    if output.has_failed() {
        return Exit::Storage;
    }
    exit
}

fn start(cli: Cli, output: &Output) -> Result<Exit> {
    if let Some(filter) = &cli.log {
        start_log(filter)?;
    }
    let runtime = tokio::runtime::Runtime::new().map_err(no_runtime)?;
    let done = runtime.block_on(caught(perform(cli, output)));
    // A thread that still reads standard input must not keep the process.
    runtime.shutdown_background();
    done
}

async fn perform(cli: Cli, output: &Output) -> Result<Exit> {
    let vault = &cli.vault;
    match cli.command {
        Command::Demo(args) => demo::run(&args, output).await,
        Command::Sandbox(args) => sandbox::run(&args, output).await,
        Command::Account(args) => account::run(args, vault, output).await,
        Command::Login(args) => login::run(args, vault, output).await,
        Command::Send(args) => send::run(*args, vault, output).await,
        Command::Token(args) => token::run(args, vault, output).await,
        Command::Status(args) => status::run(args, vault, output).await,
        Command::Test(args) => test::run(args, vault, output).await,
        Command::Doctor(args) => doctor::run(args, vault, output).await,
        Command::Vault(args) => upkeep::run(args, vault, output).await,
        Command::Explain(args) => explain::run(args, output).await,
        Command::Completions(args) => Ok(completions::run(&args, output)),
        Command::Man(args) => man::run(&args, output),
        #[cfg(debug_assertions)]
        Command::Panic => panic!("as the command line asks"),
    }
}

fn start_log(filter: &str) -> Result<()> {
    let filter = tracing_subscriber::EnvFilter::try_new(filter).map_err(|error| {
        let text = format!("the log filter is not understood: {error}");
        let fix = "give a level such as debug, or a filter such as mailbearer=trace";
        Error::new(ProblemKind::Misuse, "log-filter", text, fix)
    })?;
    let in_colour = stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(stderr)
        .with_ansi(in_colour)
        .init();
    Ok(())
}

/// Help and version are answers; everything else is a command line to correct, told in the form that was asked for.
fn not_understood(refused: &clap::Error) -> Exit {
    let wants_json = std::env::args_os().any(|argument| argument == "--json");
    if !wants_json || !refused.use_stderr() {
        // A reader that left early is no failure.
        let _ = refused.print();
        return if refused.use_stderr() {
            Exit::Usage
        } else {
            Exit::Done
        };
    }
    let text = refused.to_string();
    let text = text.lines().next().unwrap_or_default();
    let text = text.trim_start_matches("error: ");
    let fix = "see what the verb takes: mailbearer help VERB";
    let error = Error::new(ProblemKind::Misuse, "usage", text, fix);
    Output::new(true).error(&error);
    Exit::Usage
}

fn no_runtime(error: std::io::Error) -> Error {
    let text = format!("the system gave no threads or no event queue: {error}");
    let fix = "raise the process's limits";
    Error::new(ProblemKind::Unavailable, "no-runtime", text, fix)
}
