//! `mailbearer account add`: everything needed to send as one mailbox, from options, and the secret from elsewhere.

use super::grant::GrantArgs;
use super::route;
use crate::exit::Exit;
use crate::input;
use crate::output::Output;
use crate::page::Page;
use crate::text::{Text, good, link};
use crate::time;
use crate::vault::VaultArgs;
use clap::ValueEnum;
use mailbearer::model::{Account, Cloud, EndpointOverrides, NewAccount, ProblemKind, Route};
use mailbearer::{Error, Result};
use serde_json::json;
use std::path::PathBuf;

/// Add an account: one mailbox and how to sign in to it
///
/// Without a credential the account signs in as a person: `mailbearer login` opens a browser, or shows a code to type.
/// With one it signs in as the application itself. A client secret is read from a file, from standard input, from the
/// environment variable MAILBEARER_CLIENT_SECRET, or asked for; never from the command line, where others can see it.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Your name for the account: letters, digits, `.`, `_` or `-`
    name: String,
    /// The mailbox that sends
    #[arg(long, value_name = "ADDRESS")]
    mailbox: String,
    /// The tenant: its GUID or one of its verified domains
    #[arg(long, default_value = "", hide_default_value = true)]
    tenant: String,
    /// The application (client) ID of the app registration
    #[arg(long, value_name = "ID", default_value = "", hide_default_value = true)]
    client_id: String,
    /// The Microsoft cloud that holds the mailbox; custom takes every address from the options below
    #[arg(long, value_enum, default_value_t)]
    cloud: CloudArg,
    /// The road by which mail goes: client-submission, standard-smtp, connector-relay, direct-send, high-volume-email,
    /// azure-communication-services, graph or folder; its settings follow behind commas, as in `folder,path=/var/out` or
    /// `standard-smtp,preset=gmail` [default: client-submission]
    #[arg(long, value_name = "ROUTE", value_parser = route::parse)]
    route: Option<Route>,
    /// The road to take when the first one cannot be reached or lets nobody in, in the same form; never after a refusal of
    /// the mail itself
    #[arg(long, value_name = "ROUTE", value_parser = route::parse)]
    fallback: Option<Route>,
    #[command(flatten)]
    grant: GrantArgs,
    /// The day on which the client secret ends, as the portal shows it, such as 2027-11-25: `status` and events then warn
    #[arg(long, value_name = "DATE", value_parser = time::day, help_heading = "How it signs in")]
    secret_expires: Option<i64>,
    #[command(flatten)]
    endpoints: EndpointArgs,
}

/// What replaces the cloud's own addresses.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Addresses, where the cloud's own do not fit")]
pub(super) struct EndpointArgs {
    /// The sign-in host, such as https://login.microsoftonline.com
    #[arg(long, value_name = "URL")]
    authority: Option<String>,
    /// The token endpoint
    #[arg(long, value_name = "URL")]
    token_url: Option<String>,
    /// The authorization endpoint
    #[arg(long, value_name = "URL")]
    authorization_url: Option<String>,
    /// The device authorization endpoint
    #[arg(long, value_name = "URL")]
    device_authorization_url: Option<String>,
    /// A scope to ask for; may be repeated
    #[arg(long = "scope", value_name = "SCOPE")]
    scopes: Vec<String>,
    /// An audience the token may carry; may be repeated
    #[arg(long = "audience", value_name = "AUDIENCE")]
    audiences: Vec<String>,
    /// The SMTP submission host
    #[arg(long, value_name = "HOST")]
    smtp_host: Option<String>,
    /// The SMTP submission port [default: 587]
    #[arg(long, value_name = "PORT")]
    smtp_port: Option<u16>,
    /// Trust the certificates in this PEM file too
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum CloudArg {
    #[default]
    Worldwide,
    UsGovernmentHigh,
    UsGovernmentDod,
    China,
    Personal,
    Custom,
}

pub(crate) async fn run(args: Args, vault: &VaultArgs, output: &Output) -> Result<Exit> {
    if args.grant.client_secret_stdin && vault.reads_stdin() {
        return Err(stdin_wanted_twice());
    }
    // The secret first: a vault that was made for nothing would only surprise.
    let account = new_account(args)?;
    let account = vault.open_or_create().await?.add_account(account).await?;
    output.answer(&json!({ "account": account }), || added(&account));
    Ok(Exit::Done)
}

fn new_account(args: Args) -> Result<NewAccount> {
    Ok(NewAccount {
        name: args.name,
        mailbox: args.mailbox,
        cloud: args.cloud.into(),
        tenant: args.tenant,
        client_id: args.client_id,
        secret_expires_at_unix_ms: args.secret_expires,
        route: args.route.unwrap_or_default(),
        fallback: args.fallback,
        grant: args.grant.read()?,
        endpoints: args.endpoints.overrides()?,
    })
}

impl EndpointArgs {
    pub(super) fn overrides(self) -> Result<EndpointOverrides> {
        let ca_pem = self.ca_file.map(|path| input::text(&path, "the CA file"));
        Ok(EndpointOverrides {
            authority: self.authority,
            token_url: self.token_url,
            authorization_url: self.authorization_url,
            device_authorization_url: self.device_authorization_url,
            scopes: some(self.scopes),
            audiences: some(self.audiences),
            smtp_host: self.smtp_host,
            smtp_port: self.smtp_port,
            ca_pem: ca_pem.transpose()?,
        })
    }
}

impl From<CloudArg> for Cloud {
    fn from(cloud: CloudArg) -> Self {
        match cloud {
            CloudArg::Worldwide => Self::Worldwide,
            CloudArg::UsGovernmentHigh => Self::UsGovernmentHigh,
            CloudArg::UsGovernmentDod => Self::UsGovernmentDod,
            CloudArg::China => Self::China,
            CloudArg::Personal => Self::Personal,
            CloudArg::Custom => Self::Custom,
        }
    }
}

fn some(values: Vec<String>) -> Option<Vec<String>> {
    (!values.is_empty()).then_some(values)
}

fn added(account: &Account) -> Page {
    let mut page = Page::new();
    let done = format!("{} sends as {}", account.name, account.mailbox);
    page.line(Text::concat([good("✔ "), Text::from(done)]));
    let next = match account.grant {
        grant if grant.is_a_persons() => format!("mailbearer login {}", account.name),
        _ => format!("mailbearer send --account {}", account.name),
    };
    page.line(Text::concat([Text::from("  next: "), link(next)]));
    for setting in &account.endpoints.unverified {
        page.line(Text::from(unverified(setting)));
    }
    page
}

/// A hint for a setting on which Microsoft's own sources disagree.
fn unverified(setting: &str) -> String {
    let option = match setting {
        "smtpHost" => "--smtp-host",
        "scopes" => "--scope",
        "audiences" => "--audience",
        "tokenUrl" => "--token-url",
        "authorizationUrl" => "--authorization-url",
        other => other,
    };
    format!(
        "  note: this could not be confirmed; if it does not work, add the account again with {option}"
    )
}

pub(super) fn stdin_wanted_twice() -> Error {
    Error::new(
        ProblemKind::Misuse,
        "stdin-wanted-twice",
        "standard input cannot hold both the passphrase and something else",
        "give one of the two by a file",
    )
}
