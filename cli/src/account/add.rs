//! `mailbearer account add`: everything needed to send as one mailbox, from options, and the secret from elsewhere.

use crate::exit::Exit;
use crate::input;
use crate::output::Output;
use crate::page::Page;
use crate::prompt;
use crate::text::{Text, good, link};
use crate::vault::VaultArgs;
use clap::ValueEnum;
use mailbearer::model::{
    Account, Cloud, EndpointOverrides, Grant, GrantKind, NewAccount, ProblemKind,
};
use mailbearer::secret::SecretText;
use mailbearer::{Error, Result};
use serde_json::json;
use std::path::{Path, PathBuf};

/// Add an account: one mailbox and how to sign in to it
///
/// Without a client secret the account signs in as a person: `mailbearer login` shows a code to type on any device.
/// With one it signs in as the application itself. The secret is read from a file, from standard input, from the
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
    #[arg(long, value_name = "ID")]
    client_id: String,
    /// The Microsoft cloud that holds the mailbox; custom takes every address from the options below
    #[arg(long, value_enum, default_value_t)]
    cloud: CloudArg,
    /// How to sign in [default: client-secret when a secret is given, otherwise device-code]
    #[arg(long, value_enum)]
    grant: Option<GrantArg>,
    /// Read the client secret from this file
    #[arg(long, value_name = "FILE")]
    client_secret_file: Option<PathBuf>,
    /// Read the client secret from standard input
    #[arg(long, conflicts_with = "client_secret_file")]
    client_secret_stdin: bool,
    #[command(flatten)]
    endpoints: EndpointArgs,
}

/// What replaces the cloud's own addresses.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Addresses, where the cloud's own do not fit")]
struct EndpointArgs {
    /// The sign-in host, such as https://login.microsoftonline.com
    #[arg(long, value_name = "URL")]
    authority: Option<String>,
    /// The token endpoint
    #[arg(long, value_name = "URL")]
    token_url: Option<String>,
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

#[derive(Clone, Copy, Debug, ValueEnum)]
enum GrantArg {
    DeviceCode,
    ClientSecret,
}

/// Where a client secret comes from.
#[derive(Debug, PartialEq, Eq)]
enum SecretSource<'a> {
    File(&'a Path),
    Stdin,
    Environment,
    Person,
}

pub(crate) async fn run(args: Args, vault: &VaultArgs, output: &Output) -> Result<Exit> {
    if args.client_secret_stdin && vault.reads_stdin() {
        return Err(stdin_wanted_twice());
    }
    // The secret first: a vault that was made for nothing would only surprise.
    let account = new_account(args)?;
    let account = vault.open_or_create().await?.add_account(account).await?;
    output.answer(&json!({ "account": account }), || added(&account));
    Ok(Exit::Done)
}

fn new_account(args: Args) -> Result<NewAccount> {
    let is_in_environment = std::env::var_os(SECRET_VARIABLE).is_some();
    let grant = match secret_source(&args, is_in_environment)? {
        None => Grant::DeviceCode,
        Some(source) => Grant::ClientSecret {
            client_secret: read_secret(&source)?,
        },
    };
    Ok(NewAccount {
        name: args.name,
        mailbox: args.mailbox,
        cloud: args.cloud.into(),
        tenant: args.tenant,
        client_id: args.client_id,
        grant,
        endpoints: args.endpoints.overrides()?,
    })
}

/// Where the secret comes from; `None` for a person's sign-in.
fn secret_source(args: &Args, is_in_environment: bool) -> Result<Option<SecretSource<'_>>> {
    let given = match (&args.client_secret_file, args.client_secret_stdin) {
        (Some(path), _) => Some(SecretSource::File(path)),
        (None, true) => Some(SecretSource::Stdin),
        (None, false) => None,
    };
    match (args.grant, given) {
        (Some(GrantArg::DeviceCode), Some(_)) => Err(secret_for_a_person()),
        (Some(GrantArg::DeviceCode), None) => Ok(None),
        (_, Some(given)) => Ok(Some(given)),
        (_, None) if is_in_environment => Ok(Some(SecretSource::Environment)),
        (Some(GrantArg::ClientSecret), None) => Ok(Some(SecretSource::Person)),
        (None, None) => Ok(None),
    }
}

fn read_secret(source: &SecretSource<'_>) -> Result<SecretText> {
    let mut text = match source {
        SecretSource::File(path) => input::text(path, "the client secret's file")?,
        SecretSource::Stdin => input::text(Path::new("-"), "the client secret")?,
        SecretSource::Environment => std::env::var(SECRET_VARIABLE).unwrap_or_default(),
        SecretSource::Person if prompt::is_possible() => {
            return prompt::secret("Client secret (its value, not its ID): ");
        }
        SecretSource::Person => return Err(secret_missing()),
    };
    // Shortened in place, so that no copy stays behind.
    text.truncate(text.trim_end_matches(['\r', '\n']).len());
    let secret = SecretText::new(text);
    // Exposed to see whether there is anything at all.
    if secret.expose().is_empty() {
        return Err(secret_missing());
    }
    Ok(secret)
}

impl EndpointArgs {
    fn overrides(self) -> Result<EndpointOverrides> {
        let ca_pem = self.ca_file.map(|path| input::text(&path, "the CA file"));
        Ok(EndpointOverrides {
            authority: self.authority,
            token_url: self.token_url,
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
        GrantKind::DeviceCode => format!("mailbearer login {}", account.name),
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
        other => other,
    };
    format!(
        "  note: Microsoft's sources disagree here; if it does not work, add the account again with {option}"
    )
}

/// The environment variable that may hold the client secret.
const SECRET_VARIABLE: &str = "MAILBEARER_CLIENT_SECRET";

fn secret_missing() -> Error {
    Error::new(
        ProblemKind::Misuse,
        "client-secret-missing",
        "the account signs in with a client secret, and none was given",
        format!(
            "give it with --client-secret-file FILE, with --client-secret-stdin, or in {SECRET_VARIABLE}"
        ),
    )
}

fn secret_for_a_person() -> Error {
    Error::new(
        ProblemKind::Misuse,
        "client-secret-unused",
        "a person's sign-in takes no client secret",
        "leave out --grant device-code, or the secret",
    )
}

fn stdin_wanted_twice() -> Error {
    Error::new(
        ProblemKind::Misuse,
        "stdin-wanted-twice",
        "standard input cannot hold both the passphrase and something else",
        "give one of the two by a file",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    #[test]
    fn a_secret_makes_an_application_and_its_absence_a_person() {
        fn check(
            options: &str,
            is_in_environment: bool,
            expected: Option<Option<SecretSource<'_>>>,
        ) {
            let line = format!("add x --mailbox m --client-id c {options}");
            let line = Line::try_parse_from(line.split_whitespace()).unwrap();
            let source = secret_source(&line.args, is_in_environment);
            assert_eq!(source.ok(), expected, "{options}");
        }
        let file = SecretSource::File(Path::new("f"));
        check("", false, Some(None));
        check("", true, Some(Some(SecretSource::Environment)));
        check("--client-secret-file f", true, Some(Some(file)));
        check(
            "--client-secret-stdin",
            false,
            Some(Some(SecretSource::Stdin)),
        );
        check(
            "--grant client-secret",
            false,
            Some(Some(SecretSource::Person)),
        );
        check(
            "--grant client-secret",
            true,
            Some(Some(SecretSource::Environment)),
        );
        check("--grant device-code", true, Some(None));
        check("--grant device-code --client-secret-stdin", false, None);
    }
}
