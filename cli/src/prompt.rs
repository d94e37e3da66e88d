//! Asking a person for a secret, on a terminal, without showing it.

use mailbearer::model::ProblemKind;
use mailbearer::secret::SecretText;
use mailbearer::{Error, Result};
use std::io::{IsTerminal, stderr};

/// Whether a person is there to ask. Standard input may well be a pipe: the question goes to the terminal itself.
pub(crate) fn is_possible() -> bool {
    stderr().is_terminal()
}

/// Asks for a secret.
pub(crate) fn secret(question: &str) -> Result<SecretText> {
    let answer = rpassword::prompt_password(question).map_err(|error| {
        let text = format!("the terminal gave no answer: {error}");
        let fix = "give the secret by a file or the environment instead: see --help";
        Error::new(ProblemKind::Config, "terminal-unreadable", text, fix)
    })?;
    Ok(SecretText::new(answer))
}
