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
    /// Exit with 4 if a refresh token, client secret or certificate ends within so many days, or a person must sign in
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(0..=3650))]
    warn_days: Option<u32>,
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
    let limit = args.warn_days.map(|days| {
        let ahead_ms = i64::from(days) * 24 * 3600 * 1000;
        time::now_unix_ms().saturating_add(ahead_ms)
    });
    let is_ending = |limit| standings.iter().any(|standing| standing.ends_by(limit));
    Ok(match limit.is_some_and(is_ending) {
        true => Exit::Ending,
        false => Exit::Done,
    })
}

impl Standing {
    /// What the account signs in with and when it ends, where that is known.
    fn ends(&self) -> impl Iterator<Item = (&'static str, i64)> {
        let token = &self.token;
        let ends = [
            ("refresh", token.refresh_token_expires_at_unix_ms),
            ("secret", token.secret_expires_at_unix_ms),
            ("certificate", token.certificate_expires_at_unix_ms),
        ];
        ends.into_iter()
            .filter_map(|(what, end)| Some((what, end?)))
    }

    fn ends_by(&self, limit: i64) -> bool {
        self.token.state == TokenState::SignInNeeded || self.ends().any(|(_, end)| end <= limit)
    }
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
    let heading = [
        "ACCOUNT",
        "MAILBOX",
        "SIGNS IN BY",
        "TOKEN",
        "ENDS",
        "SIGN-IN UNTIL",
    ];
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
        sign_in_ends(standing),
    ]
}

/// What ends first of what the account signs in with; striking when that is soon.
fn sign_in_ends(standing: &Standing) -> Text {
    let Some((what, end)) = standing.ends().min_by_key(|(_, end)| *end) else {
        return Text::from("-");
    };
    let text = format!("{what} {}", time::day_of(end));
    let days = end.saturating_sub(time::now_unix_ms()) / (24 * 3600 * 1000);
    match days {
        ..3 => bad(text),
        3..30 => uncertain(text),
        _ => Text::from(text),
    }
}

fn state(state: TokenState) -> Text {
    match state {
        TokenState::Valid => good("valid"),
        TokenState::Renewable => uncertain("renewable"),
        TokenState::SignInNeeded => bad("sign in"),
    }
}
