//! `mailbearer token`: an access token for other programs, alone on standard output.

use crate::accounts;
use crate::exit::Exit;
use crate::input;
use crate::output::Output;
use crate::progress;
use crate::vault::VaultArgs;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mailbearer::model::{ProblemKind, RevealedAccessToken};
use mailbearer::secret::SecretText;
use mailbearer::{Error, Result};
use serde_json::json;
use std::path::Path;

/// Print an access token for another program, renewed if need be, and nothing else
///
/// The token is a secret: hand it to the program that needs it, and keep it out of logs and files.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The account [default: the only one]
    account: Option<String>,
    /// Print what follows AUTH XOAUTH2 on the wire: the mailbox and the token, in base64
    #[arg(long)]
    xoauth2: bool,
    /// A server refused the token on standard input, which this command printed: print another one, renewed unless that has happened already
    #[arg(long)]
    refused_stdin: bool,
}

pub(crate) async fn run(args: Args, vault: &VaultArgs, output: &Output) -> Result<Exit> {
    // First, because nothing of it needs the vault.
    let refused = match args.refused_stdin {
        true => Some(read_refused(&args, vault)?),
        false => None,
    };
    let mailbearer = vault.open().await?;
    let account = accounts::choose(&mailbearer, args.account).await?;
    let obtaining = async {
        match &refused {
            Some(refused) => mailbearer.access_token_after(&account, refused).await,
            None => mailbearer.access_token(&account).await,
        }
    };
    let token = progress::during(output, "obtaining a token", obtaining).await?;
    let token = token.reveal();
    let value = if args.xoauth2 {
        xoauth2(&token)
    } else {
        token.token.clone()
    };
    if output.is_json() {
        let document = match args.xoauth2 {
            true => json!({ "accessToken": token, "xoauth2": value }),
            false => json!({ "accessToken": token }),
        };
        output.document(&document);
    } else {
        output.value(format!("{value}\n").as_bytes());
    }
    // A renewal may still be under way, where the old token bridges it.
    mailbearer.close().await?;
    Ok(Exit::Done)
}

fn read_refused(args: &Args, vault: &VaultArgs) -> Result<SecretText> {
    if vault.reads_stdin() {
        return Err(stdin_wanted_twice());
    }
    let text = SecretText::new(input::text(Path::new("-"), "the refused token")?);
    // Exposed to be read.
    let line = text.expose().trim();
    let token = match args.xoauth2 {
        true => token_of(line),
        false => Some(line.to_owned()),
    };
    let token = token.filter(|token| !token.is_empty());
    token.map(SecretText::new).ok_or_else(no_refused_token)
}

/// The token in an initial response of SASL XOAUTH2.
fn token_of(response: &str) -> Option<String> {
    let response = String::from_utf8(STANDARD.decode(response).ok()?).ok()?;
    let (_, token) = response.split_once("\x01auth=Bearer ")?;
    Some(token.trim_end_matches('\x01').to_owned())
}

/// The initial response of SASL XOAUTH2, as Microsoft documents it for SMTP.
fn xoauth2(token: &RevealedAccessToken) -> String {
    let response = format!(
        "user={}\x01auth=Bearer {}\x01\x01",
        token.mailbox, token.token
    );
    STANDARD.encode(response)
}

fn stdin_wanted_twice() -> Error {
    Error::new(
        ProblemKind::Misuse,
        "stdin-wanted-twice",
        "standard input cannot hold both the passphrase and the refused token",
        "give the passphrase by --key-file",
    )
}

fn no_refused_token() -> Error {
    Error::new(
        ProblemKind::Misuse,
        "refused-token-missing",
        "standard input holds no token that this command printed",
        "pipe in what was printed, and give --xoauth2 again if it was given then",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_the_initial_response_of_microsofts_documentation() {
        let token = RevealedAccessToken {
            token: "EwBAAl3BAAUFFpUAo7J3Ve0bjLBWZWCclRC3EoAA".to_owned(),
            mailbox: "test@contoso.onmicrosoft.com".to_owned(),
            expires_at_unix_ms: 0,
        };
        assert_eq!(xoauth2(&token), RESPONSE);
        assert_eq!(token_of(RESPONSE), Some(token.token));
    }

    const RESPONSE: &str = "dXNlcj10ZXN0QGNvbnRvc28ub25taWNyb3NvZnQuY29tAWF1dGg9QmVhcmVyIEV3QkFBbDNCQUFVRkZwVUFvN0ozVmUwYmpMQldaV0NjbFJDM0VvQUEBAQ==";
}
