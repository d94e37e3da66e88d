//! The command line as data: the verbs and the options that all of them share. What a verb takes is in its own file.

use crate::exit::exit_codes_help;
use crate::vault::VaultArgs;
use crate::{
    account, completions, demo, explain, login, man, sandbox, send, status, token, upkeep,
};
use clap::{Parser, Subcommand};

/// Send mail through Microsoft 365 with OAuth 2.0.
///
/// Try it without an account: `mailbearer demo`.
#[derive(Debug, Parser)]
#[command(name = "mailbearer", version, after_long_help = exit_codes_help())]
#[command(
    max_term_width = 100,
    subcommand_required = true,
    arg_required_else_help = true
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
    /// Answer as JSON on standard output, one document a line; errors too, as {"error": …}
    #[arg(long, global = true, help_heading = "Output")]
    pub(crate) json: bool,
    /// Write a log to standard error: error, warn, info, debug, trace, or a filter such as mailbearer=trace
    #[arg(
        long,
        global = true,
        value_name = "LEVEL",
        env = "MAILBEARER_LOG",
        help_heading = "Output"
    )]
    pub(crate) log: Option<String>,
    #[command(flatten)]
    pub(crate) vault: VaultArgs,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Demo(demo::Args),
    Sandbox(sandbox::Args),
    Account(account::Args),
    Login(login::Args),
    Send(Box<send::Args>),
    Token(token::Args),
    Status(status::Args),
    Vault(upkeep::Args),
    Explain(explain::Args),
    Completions(completions::Args),
    Man(man::Args),
    /// Fail as a fault of Mailbearer does
    #[cfg(debug_assertions)]
    #[command(hide = true)]
    Panic,
}

impl Command {
    /// The verb, for problems that arise before the handle is asked.
    pub(crate) fn verb(&self) -> &'static str {
        match self {
            Self::Demo(_) => "demo",
            Self::Sandbox(_) => "sandbox",
            Self::Account(_) => "account",
            Self::Login(_) => "login",
            Self::Send(_) => "send",
            Self::Token(_) => "token",
            Self::Status(_) => "status",
            Self::Vault(_) => "vault",
            Self::Explain(_) => "explain",
            Self::Completions(_) => "completions",
            Self::Man(_) => "man",
            #[cfg(debug_assertions)]
            Self::Panic => "panic",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_option_has_a_help_text() {
        fn check(command: &clap::Command) {
            for argument in command.get_arguments() {
                assert!(
                    argument.get_help().is_some(),
                    "{} {}",
                    command.get_name(),
                    argument.get_id()
                );
            }
            assert!(command.get_about().is_some(), "{}", command.get_name());
            command.get_subcommands().for_each(check);
        }
        check(&Cli::command());
    }

    #[test]
    fn every_method_of_the_handle_has_its_verb() {
        for (method, words) in VERBS {
            let mut command = &Cli::command();
            for word in *words {
                match word.strip_prefix("--") {
                    Some(option) => assert!(takes(command, option), "{method}: {word}"),
                    None => command = command.find_subcommand(word).expect(method),
                }
            }
        }
    }

    fn takes(command: &clap::Command, option: &str) -> bool {
        let mut options = command.get_arguments().filter_map(clap::Arg::get_long);
        options.any(|known| known == option)
    }

    /// What each method is called here; `cargo xtask tidy` looks for every method in this table.
    const VERBS: &[(&str, &[&str])] = &[
        // Every run opens its handle and closes it.
        ("open", &[]),
        ("close", &[]),
        ("add_account", &["account", "add"]),
        ("accounts", &["account", "list"]),
        ("remove_account", &["account", "remove"]),
        ("begin_sign_in", &["login"]),
        ("finish_sign_in", &["login"]),
        ("access_token", &["token"]),
        ("access_token_after", &["token", "--refused-stdin"]),
        ("token_status", &["status"]),
        ("send", &["send"]),
        ("send_raw", &["send", "--eml"]),
        // They end with the run; what happened in it is shown on request.
        ("events", &["send", "--verbose"]),
        ("vault_records", &["vault", "list"]),
        ("check_vault", &["vault", "check"]),
        ("rotate_vault", &["vault", "rotate"]),
        ("move_vault", &["vault", "move"]),
        ("explain", &["explain"]),
    ];
}
