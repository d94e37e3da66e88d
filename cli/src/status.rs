//! `mailbearer status`: every account with the state of its tokens. Asks no server.

use crate::account::grant;
use crate::exit::Exit;
use crate::output::Output;
use crate::page::Page;
use crate::text::{Text, bad, faint, good, strong, uncertain};
use crate::time;
use crate::vault::VaultArgs;
use mailbearer::model::{Account, TokenState, TokenStatus};
use mailbearer::{Mailbearer, Result};
use serde::Serialize;
use serde_json::json;

/// Show the accounts and the state of their tokens; asks no server
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The account [default: all]
    account: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Standing {
    account: Account,
    token: TokenStatus,
}

pub(crate) async fn run(args: Args, vault: &VaultArgs, output: &Output) -> Result<Exit> {
    let mailbearer = vault.open().await?;
    let standings = standings(&mailbearer, args.account.as_deref()).await?;
    output.answer(&json!({ "accounts": standings }), || page(&standings));
    Ok(Exit::Done)
}

async fn standings(mailbearer: &Mailbearer, named: Option<&str>) -> Result<Vec<Standing>> {
    if let Some(name) = named {
        // For its error when there is no such account.
        mailbearer.token_status(name).await?;
    }
    let mut standings = Vec::new();
    for account in mailbearer.accounts().await? {
        if named.is_none_or(|name| name == account.name) {
            let token = mailbearer.token_status(&account.name).await?;
            standings.push(Standing { account, token });
        }
    }
    Ok(standings)
}

fn page(standings: &[Standing]) -> Page {
    let mut page = Page::new();
    if standings.is_empty() {
        page.line("There is no account yet. Add one: mailbearer account add");
        return page;
    }
    let heading = ["ACCOUNT", "MAILBOX", "SIGNS IN BY", "TOKEN", "ENDS"];
    let mut rows = vec![heading.map(faint).to_vec()];
    rows.extend(standings.iter().map(row));
    page.table(0, &rows);
    page
}

fn row(standing: &Standing) -> Vec<Text> {
    let ends = standing.token.expires_at_unix_ms.map(time::brief_moment);
    vec![
        strong(&standing.account.name),
        Text::from(&standing.account.mailbox),
        Text::from(grant(standing.account.grant)),
        state(standing.token.state),
        Text::from(ends.unwrap_or_else(|| "-".to_owned())),
    ]
}

fn state(state: TokenState) -> Text {
    match state {
        TokenState::Valid => good("valid"),
        TokenState::Renewable => uncertain("renewable"),
        TokenState::SignInNeeded => bad("sign in"),
    }
}
