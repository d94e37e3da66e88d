//! Which account a verb means: the one named, or the only one there is.
//! Whether a named account exists is the handle's to say.

use mailbearer::model::{Account, ProblemKind};
use mailbearer::{Error, Mailbearer, Result};

/// The name given on the command line, or that of the only account. Errors: `Misuse`, `Storage`.
pub(crate) async fn choose(mailbearer: &Mailbearer, named: Option<String>) -> Result<String> {
    match named {
        Some(name) => Ok(name),
        None => only(&mailbearer.accounts().await?),
    }
}

fn only(accounts: &[Account]) -> Result<String> {
    match accounts {
        [only] => Ok(only.name.clone()),
        [] => Err(Error::new(
            ProblemKind::Misuse,
            "account-missing",
            "there is no account yet",
            "add one: mailbearer account add",
        )),
        several => {
            let names: Vec<&str> = several
                .iter()
                .map(|account| account.name.as_str())
                .collect();
            Err(Error::new(
                ProblemKind::Misuse,
                "account-not-named",
                "there are several accounts, and none was named",
                format!("name one of them: {}", names.join(", ")),
            ))
        }
    }
}
