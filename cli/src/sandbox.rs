//! `mailbearer sandbox`: a local Microsoft 365 that runs until it is interrupted, with the commands to try on it.
//! Everything in it is fake, secrets included, so they are shown; nothing leaves the machine.

use crate::exit::Exit;
use crate::interrupt::Interrupt;
use crate::output::Output;
use crate::page::Page;
use crate::text::{Text, faint, link, strong};
use mailbearer::model::ProblemKind;
use mailbearer::{Error, Result};
use mailbearer_sandbox::directory::{Application, User, seed};
use mailbearer_sandbox::{Options, Sandbox, SandboxError};
use serde::Serialize;
use serde_json::json;
use std::error::Error as _;
use std::path::PathBuf;

/// Run a local Microsoft 365 to try things out: sign-in, mail server and inbox, until Ctrl-C
///
/// It listens on 127.0.0.1 alone, on free ports unless you name them.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The port of sign-in over HTTP [default: a free one]
    #[arg(
        long,
        value_name = "PORT",
        default_value_t = 0,
        hide_default_value = true
    )]
    identity_port: u16,
    /// The port of sign-in over HTTPS [default: a free one]
    #[arg(
        long,
        value_name = "PORT",
        default_value_t = 0,
        hide_default_value = true
    )]
    identity_tls_port: u16,
    /// The port of the mail server [default: a free one]
    #[arg(
        long,
        value_name = "PORT",
        default_value_t = 0,
        hide_default_value = true
    )]
    smtp_port: u16,
    /// The port of the inbox [default: a free one]
    #[arg(
        long,
        value_name = "PORT",
        default_value_t = 0,
        hide_default_value = true
    )]
    inbox_port: u16,
    /// Where ca.pem is written [default: a temporary folder, removed at the end]
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
}

/// What a person or a program needs to know of a running sandbox.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Summary {
    identity_url: String,
    identity_https_url: String,
    control_url: String,
    smtp_host: &'static str,
    smtp_port: u16,
    inbox_url: String,
    ca_file: String,
    tenant_id: &'static str,
    domain: &'static str,
    users: Vec<Person>,
    applications: Vec<Program>,
    commands: Vec<String>,
}

/// A seeded person or shared mailbox.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Person {
    address: String,
    display_name: String,
    password: String,
    is_shared: bool,
}

/// A seeded app registration.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Program {
    client_id: String,
    display_name: String,
    client_secret: Option<String>,
}

pub(crate) async fn run(args: &Args, output: &Output) -> Result<Exit> {
    let sandbox = start(Options {
        identity_port: args.identity_port,
        identity_tls_port: args.identity_tls_port,
        smtp_port: args.smtp_port,
        inbox_port: args.inbox_port,
        folder: args.folder.clone(),
        ..Options::default()
    })
    .await?;
    let summary = Summary::of(&sandbox);
    let interrupt = Interrupt::listen()?;
    output.answer(&json!({ "sandbox": summary }), || summary.page());
    interrupt.wait().await;
    sandbox.shutdown().await;
    Ok(Exit::Done)
}

/// Starts a sandbox. Errors: `Unavailable`, when a port is taken or a folder cannot be written.
pub(crate) async fn start(options: Options) -> Result<Sandbox> {
    Sandbox::start(options).await.map_err(not_started)
}

/// The name under which the sandbox's certificate is good.
pub(crate) const HOST: &str = "localhost";

impl Summary {
    fn of(sandbox: &Sandbox) -> Self {
        let directory = sandbox.tenant().snapshot();
        let mut summary = Self {
            identity_url: sandbox.identity_url(),
            identity_https_url: sandbox.identity_https_url(),
            control_url: format!("{}/sandbox", sandbox.identity_url()),
            smtp_host: HOST,
            smtp_port: sandbox.smtp_address().port(),
            inbox_url: sandbox.inbox_url(),
            ca_file: sandbox.ca_file().display().to_string(),
            tenant_id: seed::TENANT_ID,
            domain: seed::DOMAIN,
            users: directory.users.into_iter().map(Person::from).collect(),
            applications: directory
                .applications
                .into_iter()
                .map(Program::from)
                .collect(),
            commands: Vec::new(),
        };
        summary.commands = summary.commands();
        summary
    }

    /// What to paste into another terminal: one account of each kind, and a mail, in a vault of their own.
    fn commands(&self) -> Vec<String> {
        let add = |name: &str, mailbox: &str, client_id: &str| {
            format!(
                "mailbearer account add {name} --mailbox {mailbox} --tenant {} --client-id {client_id} \
                 --authority {} --smtp-host {} --smtp-port {} --ca-file {}",
                self.domain, self.identity_https_url, self.smtp_host, self.smtp_port, self.ca_file,
            )
        };
        let vault = PathBuf::from(&self.ca_file).with_file_name("try.mbv");
        let secret = seed::SERVICE_CLIENT_SECRET;
        let application = add("billing", seed::BILLING, seed::SERVICE_CLIENT_ID);
        vec![
            format!(
                "export MAILBEARER_VAULT={} MAILBEARER_PASSPHRASE=try",
                vault.display()
            ),
            add("alice", seed::ALICE, seed::PUBLIC_CLIENT_ID),
            "mailbearer login alice".to_owned(),
            format!("MAILBEARER_CLIENT_SECRET='{secret}' {application}"),
            format!(
                "mailbearer send --account billing --to {} --subject Hello --text Hello",
                seed::BOB
            ),
        ]
    }

    fn page(&self) -> Page {
        let mut page = Page::new();
        page.line(strong("A local Microsoft 365 is running, until Ctrl-C"));
        page.blank();
        page.fields(
            2,
            &[
                ("inbox", link(&self.inbox_url)),
                ("sign-in", link(&self.identity_https_url)),
                ("  or", link(&self.identity_url)),
                (
                    "mail server",
                    Text::from(format!("{}:{}, STARTTLS", self.smtp_host, self.smtp_port)),
                ),
                ("CA file", Text::from(&self.ca_file)),
                ("control", link(&self.control_url)),
                (
                    "tenant",
                    Text::from(format!("{} ({})", self.domain, self.tenant_id)),
                ),
            ],
        );
        page.blank();
        page.line(strong("People"));
        page.table(2, &self.users.iter().map(Person::row).collect::<Vec<_>>());
        page.blank();
        page.line(Text::concat([
            strong("Applications"),
            faint("  client ID, client secret"),
        ]));
        page.table(
            2,
            &self
                .applications
                .iter()
                .map(Program::row)
                .collect::<Vec<_>>(),
        );
        page.blank();
        page.line(strong("To try in another terminal"));
        for command in &self.commands {
            for line in pasteable(command) {
                page.line(Text::concat([Text::from("  "), link(line)]));
            }
        }
        page
    }
}

impl Person {
    fn row(&self) -> Vec<Text> {
        let password = if self.is_shared {
            faint("shared mailbox, nobody signs in")
        } else {
            Text::from(format!("password {}", self.password))
        };
        vec![Text::from(&self.address), password]
    }
}

impl Program {
    fn row(&self) -> Vec<Text> {
        let secret = match &self.client_secret {
            Some(secret) => Text::from(secret),
            None => faint("public client, device code"),
        };
        vec![Text::from(&self.client_id), secret]
    }
}

impl From<User> for Person {
    fn from(user: User) -> Self {
        Self {
            address: user.address,
            display_name: user.display_name,
            password: user.password,
            is_shared: user.shared,
        }
    }
}

impl From<Application> for Program {
    fn from(application: Application) -> Self {
        let secret = application.secrets.into_iter().next();
        Self {
            client_id: application.client_id,
            display_name: application.display_name,
            client_secret: secret.map(|secret| secret.value),
        }
    }
}

/// A command in lines of a page's width, each but the last continued as a shell wants it. An option stays beside its
/// value.
fn pasteable(command: &str) -> Vec<String> {
    let words: Vec<&str> = command.split_inclusive(' ').collect();
    let parts =
        words.chunk_by(|_, next| !BREAKS_BEFORE.iter().any(|start| next.starts_with(start)));
    let mut lines: Vec<String> = Vec::new();
    for part in parts.map(<[&str]>::concat) {
        match lines.last_mut() {
            Some(line) if line.len() + part.len() <= PASTED_WIDTH => line.push_str(&part),
            Some(line) => {
                line.push('\\');
                lines.push(format!("  {part}"));
            }
            None => lines.push(part),
        }
    }
    lines
}

const BREAKS_BEFORE: [&str; 3] = ["--", "mailbearer", "MAILBEARER"];
/// Eighty columns without the indent and the backslash.
const PASTED_WIDTH: usize = 76;

fn not_started(error: SandboxError) -> Error {
    let why = error.source().map(|source| format!(": {source}"));
    let text = format!("{error}{}", why.unwrap_or_default());
    let fix = "name free ports, or leave them out; name a folder of your own";
    Error::new(ProblemKind::Unavailable, "sandbox-not-started", text, fix)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn breaks_long_commands_before_an_option_as_a_shell_wants_it() {
        let command = format!(
            "mailbearer account add x --mailbox {} --tenant t",
            "m".repeat(50)
        );
        let lines = pasteable(&command);
        assert_eq!(lines.len(), 2, "{lines:?}");
        assert_eq!(lines.join("\n").replace("\\\n  ", ""), command);
        assert_eq!(
            pasteable("mailbearer login alice"),
            ["mailbearer login alice"]
        );
    }
}
