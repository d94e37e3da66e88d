//! Asking a person for the vault's passphrase: once to open a vault, twice to make one.

use crate::prompt;
use crate::vault::PASSPHRASE_VARIABLE;
use mailbearer::model::ProblemKind;
use mailbearer::secret::SecretText;
use mailbearer::{Error, Result};
use std::path::Path;

/// Asks on the terminal. Errors: `Config`, when there is none to ask on.
pub(crate) fn ask(vault: &Path, is_new: bool) -> Result<SecretText> {
    if !prompt::is_possible() {
        return Err(nowhere_to_ask());
    }
    let (name, kind) = (vault.display(), if is_new { "new vault" } else { "vault" });
    let passphrase = prompt::secret(&format!("Passphrase of the {kind} {name}: "))?;
    if is_new {
        let again = prompt::secret("The same once more: ")?;
        // Exposed to be compared, where a person waits and nobody measures.
        if passphrase.expose() != again.expose() {
            return Err(not_the_same());
        }
    }
    Ok(passphrase)
}

fn nowhere_to_ask() -> Error {
    Error::new(
        ProblemKind::Config,
        "passphrase-missing",
        "the vault needs a passphrase, and there is no terminal to ask for it",
        format!(
            "give it with --key-file FILE, with --passphrase-fd N, or in the environment variable {PASSPHRASE_VARIABLE}"
        ),
    )
}

fn not_the_same() -> Error {
    let text = "the two passphrases differ";
    Error::new(
        ProblemKind::Misuse,
        "passphrase-differs",
        text,
        "try again; nothing was made",
    )
}
