//! `mailbearer account`: adds, imports, lists and removes the accounts in the vault.
//! Settings are validated by the handle; a client secret never stands on the command line.

mod add;
mod grant;
mod import;
mod route;

use crate::exit::Exit;
use crate::output::Output;
use crate::page::Page;
use crate::text::{Text, faint, good, strong};
use crate::vault::VaultArgs;
use mailbearer::Result;
use mailbearer::model::{Account, Cloud, GrantKind, Route};
use serde_json::json;

/// Add, import, list and remove accounts
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    Add(Box<add::Args>),
    Import(Box<import::Args>),
    /// List the accounts and where they send
    List,
    Remove(RemoveArgs),
}

/// Remove an account with its secret and its tokens
#[derive(Debug, clap::Args)]
struct RemoveArgs {
    /// The account's name
    account: String,
}

pub(crate) async fn run(args: Args, vault: &VaultArgs, output: &Output) -> Result<Exit> {
    match args.verb {
        Verb::Add(args) => add::run(*args, vault, output).await,
        Verb::Import(args) => import::run(*args, vault, output).await,
        Verb::List => list(vault, output).await,
        Verb::Remove(args) => remove(&args.account, vault, output).await,
    }
}

/// The grant as the command line names it.
pub(crate) fn grant(grant: GrantKind) -> &'static str {
    match grant {
        GrantKind::AuthorizationCode => "authorization-code",
        GrantKind::DeviceCode => "device-code",
        GrantKind::ClientSecret => "client-secret",
        GrantKind::ClientCertificate => "client-certificate",
        GrantKind::FederatedToken => "federated-token",
        GrantKind::ManagedIdentity => "managed-identity",
        GrantKind::TokenCommand => "token-command",
        GrantKind::Password => "password",
        GrantKind::Nothing => "nothing",
        _ => "other",
    }
}

/// The cloud as the command line names it.
fn cloud(cloud: Cloud) -> &'static str {
    match cloud {
        Cloud::Worldwide => "worldwide",
        Cloud::UsGovernmentHigh => "us-government-high",
        Cloud::UsGovernmentDod => "us-government-dod",
        Cloud::China => "china",
        Cloud::Personal => "personal",
        Cloud::Custom => "custom",
        _ => "other",
    }
}

async fn list(vault: &VaultArgs, output: &Output) -> Result<Exit> {
    let accounts = vault.open().await?.accounts().await?;
    output.answer(&json!({ "accounts": accounts }), || list_page(&accounts));
    Ok(Exit::Done)
}

async fn remove(account: &str, vault: &VaultArgs, output: &Output) -> Result<Exit> {
    vault.open().await?.remove_account(account).await?;
    output.answer(&json!({ "removed": account }), || {
        let mut page = Page::new();
        let done = format!("{account} is removed, with its secret and its tokens");
        page.line(Text::concat([good("✔ "), Text::from(done)]));
        page
    });
    Ok(Exit::Done)
}

fn list_page(accounts: &[Account]) -> Page {
    let mut page = Page::new();
    if accounts.is_empty() {
        page.line("There is no account yet. Add one: mailbearer account add");
        return page;
    }
    let heading = ["ACCOUNT", "MAILBOX", "SIGNS IN BY", "CLOUD", "SERVER"];
    let mut rows = vec![heading.map(faint).to_vec()];
    rows.extend(accounts.iter().map(row));
    page.table(0, &rows);
    page
}

fn row(account: &Account) -> Vec<Text> {
    let endpoints = &account.endpoints;
    let server = match (&endpoints.graph_url, &account.route) {
        (Some(url), _) => url.clone(),
        (None, Route::Folder { path }) => path.clone(),
        _ => format!("{}:{}", endpoints.smtp_host, endpoints.smtp_port),
    };
    vec![
        strong(&account.name),
        Text::from(&account.mailbox),
        Text::from(grant(account.grant)),
        Text::from(cloud(account.cloud)),
        Text::from(server),
    ]
}
