//! `mailbearer account import`: an account of another tool, with the refresh token that a person signed in for there.

use super::add::EndpointArgs;
use crate::exit::Exit;
use crate::input;
use crate::output::Output;
use crate::page::Page;
use crate::prompt;
use crate::text::{Text, good, link};
use crate::vault::VaultArgs;
use clap::ValueEnum;
use mailbearer::Result;
use mailbearer::import::{Hints, Tool, read};
use mailbearer::model::TokenState;
use mailbearer::secret::SecretText;
use serde_json::json;
use std::path::PathBuf;

/// Take over an account of another mail tool, and its refresh token
///
/// Nobody has to sign in again: the token is tried once before it counts as taken over. The other tool's file is only
/// read. Stop using that tool for the account afterwards, because some servers end a refresh token when it is used.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The tool's file, decrypted; `-` reads standard input
    file: PathBuf,
    /// The tool [default: told by the file's form]
    #[arg(long, value_enum, value_name = "TOOL")]
    from: Option<ToolArg>,
    /// Your name for the account [default: what stands before the @ of its mailbox]
    #[arg(long)]
    name: Option<String>,
    /// The mailbox, where the file does not say it or holds several
    #[arg(long, value_name = "ADDRESS")]
    mailbox: Option<String>,
    /// The tenant, where the file does not say it
    #[arg(long)]
    tenant: Option<String>,
    /// The application (client) ID, where the file does not say it
    #[arg(long, value_name = "ID")]
    client_id: Option<String>,
    /// Read the password of email-oauth2-proxy's tokens from this file [otherwise: $MAILBEARER_IMPORT_PASSWORD, or asked for]
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    #[command(flatten)]
    endpoints: EndpointArgs,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum ToolArg {
    #[value(name = "email-oauth2-proxy")]
    EmailOauth2Proxy,
    #[value(name = "sasl-xoauth2")]
    SaslXoauth2,
    #[value(name = "mutt-oauth2")]
    MuttOauth2,
    #[value(name = "oama")]
    Oama,
    #[value(name = "pizauth")]
    Pizauth,
}

pub(super) async fn run(args: Args, vault: &VaultArgs, output: &Output) -> Result<Exit> {
    let reads_stdin = args.file.as_os_str() == "-";
    if reads_stdin && vault.reads_stdin() {
        return Err(super::add::stdin_wanted_twice());
    }
    let text = input::text(&args.file, "the other tool's file")?;
    let mut hints = Hints {
        tool: args.from.map(Tool::from),
        name: args.name,
        mailbox: args.mailbox,
        tenant: args.tenant,
        client_id: args.client_id,
        password: password(args.password_file)?,
        endpoints: args.endpoints.overrides()?,
    };
    if hints.password.is_none() && is_sealed(&text) && prompt::is_possible() && !reads_stdin {
        let question = "Password of the mail client for email-oauth2-proxy: ";
        hints.password = Some(prompt::secret(question)?);
    }
    let import = read(&text, hints)?;
    let handle = vault.open_or_create().await?;
    let status = handle.import_account(import).await?;
    handle.close().await?;
    output.answer(&json!({ "status": status }), || {
        let mut page = Page::new();
        let (done, next) = match status.state {
            TokenState::SignInNeeded => ("is added; its file holds no token", "login"),
            _ => ("is taken over, and its token works", "send --account"),
        };
        let done = format!("{} {done}", status.account);
        page.line(Text::concat([good("✔ "), Text::from(done)]));
        let next = format!("mailbearer {next} {}", status.account);
        page.line(Text::concat([Text::from("  next: "), link(next)]));
        page
    });
    Ok(Exit::Done)
}

fn password(file: Option<PathBuf>) -> Result<Option<SecretText>> {
    let text = match file {
        Some(path) => Some(input::text(&path, "the password's file")?),
        None => std::env::var(PASSWORD_VARIABLE).ok(),
    };
    Ok(text.map(|mut text| {
        // Shortened in place, so that no copy stays behind.
        text.truncate(text.trim_end_matches(['\r', '\n']).len());
        SecretText::new(text)
    }))
}

/// The environment variable that may hold the password of email-oauth2-proxy's tokens.
const PASSWORD_VARIABLE: &str = "MAILBEARER_IMPORT_PASSWORD";

/// Whether a password is asked for: only email-oauth2-proxy seals its tokens by itself.
fn is_sealed(text: &str) -> bool {
    text.contains("token_salt")
}

impl From<ToolArg> for Tool {
    fn from(tool: ToolArg) -> Self {
        match tool {
            ToolArg::EmailOauth2Proxy => Self::EmailOauth2Proxy,
            ToolArg::SaslXoauth2 => Self::SaslXoauth2,
            ToolArg::MuttOauth2 => Self::MuttOauth2,
            ToolArg::Oama => Self::Oama,
            ToolArg::Pizauth => Self::Pizauth,
        }
    }
}
