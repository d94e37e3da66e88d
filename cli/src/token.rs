//! `mailbearer token`: an access token for other programs, alone on standard output.

use crate::accounts;
use crate::exit::Exit;
use crate::output::Output;
use crate::progress;
use crate::vault::VaultArgs;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mailbearer::Result;
use mailbearer::model::RevealedAccessToken;
use serde_json::json;

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
}

pub(crate) async fn run(args: Args, vault: &VaultArgs, output: &Output) -> Result<Exit> {
    let mailbearer = vault.open().await?;
    let account = accounts::choose(&mailbearer, args.account).await?;
    let obtaining = mailbearer.revealed_access_token(&account);
    let token = progress::during(output, "obtaining a token", obtaining).await?;
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

/// The initial response of SASL XOAUTH2, as Microsoft documents it for SMTP.
fn xoauth2(token: &RevealedAccessToken) -> String {
    let response = format!(
        "user={}\x01auth=Bearer {}\x01\x01",
        token.mailbox, token.token
    );
    STANDARD.encode(response)
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
        assert_eq!(
            xoauth2(&token),
            "dXNlcj10ZXN0QGNvbnRvc28ub25taWNyb3NvZnQuY29tAWF1dGg9QmVhcmVyIEV3QkFBbDNCQUFVRkZwVUFvN0ozVmUwYmpMQldaV0NjbFJDM0VvQUEBAQ=="
        );
    }
}
