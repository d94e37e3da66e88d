//! The exit codes, for programs that call this one. They follow `sysexits.h` where it has a fitting code;
//! each is documented here once, and the help and the user page show this table.

use mailbearer::model::ProblemKind;
use std::process::ExitCode;

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    Done = 0,
    No = 1,
    Usage = 2,
    Partly = 3,
    Ending = 4,
    Rejected = 65,
    Unavailable = 69,
    Internal = 70,
    Storage = 74,
    Throttled = 75,
    SignIn = 77,
    Config = 78,
    Consent = 79,
}

/// Every exit code and what it asks of the caller.
pub(crate) const EXIT_CODES: &[(Exit, &str)] = &[
    (Exit::Done, "done"),
    (
        Exit::No,
        "it ran, and the answer is no: `explain` found no cause or could not read a line, or something in `demo` did not happen",
    ),
    (
        Exit::Usage,
        "correct the command line: unknown option, unknown account, unreadable file",
    ),
    (
        Exit::Partly,
        "the server took the mail for some recipients and not for others",
    ),
    (
        Exit::Ending,
        "`status --warn-days`: something that an account signs in with ends within these days, or a person must sign in; `doctor`: warnings only",
    ),
    (
        Exit::Rejected,
        "change the message or its recipients: the server took it for nobody",
    ),
    (
        Exit::Unavailable,
        "wait and try again: network, TLS, or a server's temporary fault",
    ),
    (Exit::Internal, "report it: a fault of Mailbearer"),
    (Exit::Storage, "repair the vault or the disk"),
    (
        Exit::Throttled,
        "wait as long as the server says, then try again",
    ),
    (Exit::SignIn, "sign in again: `mailbearer login`"),
    (
        Exit::Config,
        "correct the settings: the account's, or the vault's place and passphrase",
    ),
    (Exit::Consent, "ask an administrator"),
];

impl From<ProblemKind> for Exit {
    fn from(kind: ProblemKind) -> Self {
        match kind {
            ProblemKind::Config => Self::Config,
            ProblemKind::SignIn => Self::SignIn,
            ProblemKind::Consent => Self::Consent,
            ProblemKind::Rejected => Self::Rejected,
            ProblemKind::Throttled => Self::Throttled,
            ProblemKind::Unavailable => Self::Unavailable,
            ProblemKind::Storage => Self::Storage,
            ProblemKind::Misuse => Self::Usage,
            // A kind of a newer core is a fault of this program, which should know it.
            _ => Self::Internal,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// The table of exit codes for the end of `--help`.
pub(crate) fn exit_codes_help() -> String {
    let rows = EXIT_CODES
        .iter()
        .map(|(exit, meaning)| format!("  {:>2}  {meaning}", *exit as u8));
    let table: Vec<String> = rows.collect();
    format!("Exit codes:\n{}", table.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_stands_in_the_user_page() {
        let page = include_str!("../../docs/cli.md");
        for (exit, meaning) in EXIT_CODES {
            let row = format!("| {} | {meaning} |", *exit as u8);
            assert!(page.contains(&row), "docs/cli.md lacks: {row}");
        }
    }

    #[test]
    fn codes_differ() {
        let mut codes: Vec<u8> = EXIT_CODES.iter().map(|(exit, _)| *exit as u8).collect();
        codes.dedup();
        assert_eq!(codes.len(), EXIT_CODES.len());
        assert!(codes.is_sorted());
    }
}
