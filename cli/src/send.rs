//! `mailbearer send`: one mail from options and standard input, and the server's verdict on each recipient.
//! Building and checking the mail is the core's; here is only how the command line says it.

mod compose;
mod transfer;

use crate::accounts;
use crate::delivery;
use crate::exit::Exit;
use crate::input;
use crate::output::Output;
use crate::page::Page;
use crate::progress;
use crate::text::{Text, faint, good, uncertain};
use crate::vault::VaultArgs;
use compose::Composition;
use mailbearer::model::{
    Address, Delivery, Envelope, Message, ProblemKind, TransferOption, Verdict,
};
use mailbearer::{Error, Mailbearer, Result};
use serde_json::json;
use std::path::{Path, PathBuf};
use transfer::Transfer;

/// Send a mail, and show the server's verdict on each recipient
///
/// The text comes from --text, or from standard input when there is neither --text nor HTML. Addresses are written
/// `ada@contoso.example` or `Ada Lovelace <ada@contoso.example>`, one for each option.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The account that sends [default: the only one]
    #[arg(long, value_name = "NAME")]
    account: Option<String>,
    /// From [default: the account's mailbox]
    #[arg(long, value_name = "ADDRESS", value_parser = compose::address)]
    from: Option<Address>,
    /// To; may be repeated
    #[arg(long, value_name = "ADDRESS", value_parser = compose::address)]
    to: Vec<Address>,
    /// Send the finished message (RFC 5322) in this file, or from standard input for `-`, to every --to as it is
    #[arg(long, value_name = "FILE", conflicts_with_all = ["Composition", "reply_to"])]
    eml: Option<PathBuf>,
    /// Send the mail that this file, or standard input for `-`, describes as JSON in the form of the library's `Message`
    #[arg(long, value_name = "FILE", conflicts_with_all = ["Composition", "reply_to", "from", "to", "eml", "Transfer"])]
    message: Option<PathBuf>,
    #[command(flatten)]
    composition: Composition,
    #[command(flatten)]
    transfer: Transfer,
    /// Show how the mail got there too: server, TLS, token and the time each step took
    #[arg(long, short)]
    verbose: bool,
}

pub(crate) async fn run(args: Args, vault: &VaultArgs, output: &Output) -> Result<Exit> {
    if args.reads_stdin() && vault.reads_stdin() {
        return Err(stdin_wanted_twice());
    }
    let verbose = args.verbose;
    let described = args.message.as_deref().map(described).transpose()?;
    let mailbearer = vault.open().await?;
    let named = args.account.clone().or_else(|| account_in(&described));
    let account = accounts::choose(&mailbearer, named).await?;
    let sending = send(&mailbearer, account, args, described);
    let delivery = progress::during(output, "sending", sending).await?;
    output.answer(&json!({ "delivery": delivery }), || {
        page(&delivery, verbose)
    });
    // A renewal may still be under way, where the old token bridges it.
    mailbearer.close().await?;
    Ok(exit(&delivery))
}

/// The mail in a file of JSON.
fn described(path: &Path) -> Result<Message> {
    let json = input::text(path, "the message")?;
    serde_json::from_str(&json).map_err(|error| {
        let text = format!("the message is not as expected: {error}");
        let fix = r#"write it like {"to": [{"address": "ada@fabrikam.com"}], "subject": "Hi", "text": "Hello"}"#;
        Error::new(ProblemKind::Misuse, "message-unreadable", text, fix)
    })
}

fn account_in(described: &Option<Message>) -> Option<String> {
    let account = &described.as_ref()?.account;
    (!account.is_empty()).then(|| account.clone())
}

async fn send(
    mailbearer: &Mailbearer,
    account: String,
    args: Args,
    described: Option<Message>,
) -> Result<Delivery> {
    if let Some(message) = described {
        return mailbearer.send(Message { account, ..message }).await;
    }
    let Some(path) = args.eml else {
        let message = args.composition.message(account, args.from, args.to)?;
        let transfer = args.transfer.options();
        return mailbearer
            .send(Message {
                transfer,
                ..message
            })
            .await;
    };
    let envelope = Envelope {
        account,
        sender: args.from.map(|address| address.address),
        recipients: args.to.into_iter().map(|to| to.address).collect(),
        transfer: args.transfer.options(),
    };
    let mime = input::bytes(&path, "the message")?;
    mailbearer.send_raw(envelope, mime.into()).await
}

impl Args {
    fn reads_stdin(&self) -> bool {
        match self.eml.as_ref().or(self.message.as_ref()) {
            Some(path) => input::is_stdin(path),
            None => self.composition.reads_stdin(),
        }
    }
}

fn exit(delivery: &Delivery) -> Exit {
    if accepted(delivery) == delivery.recipients.len() {
        Exit::Done
    } else {
        Exit::Partly
    }
}

fn accepted(delivery: &Delivery) -> usize {
    let recipients = delivery.recipients.iter();
    let accepted = recipients.filter(|recipient| recipient.verdict == Verdict::Accepted);
    accepted.count()
}

fn page(delivery: &Delivery, verbose: bool) -> Page {
    let mut page = Page::new();
    let (accepted, all) = (accepted(delivery), delivery.recipients.len());
    let server = &delivery.trail.server;
    page.line(if accepted == all {
        Text::concat([good("✔ "), Text::from(format!("{server} took the mail"))])
    } else {
        let text = format!("{server} took the mail for {accepted} of {all} recipients");
        Text::concat([uncertain("! "), Text::from(text)])
    });
    page.append(delivery::verdicts(&delivery.recipients, None));
    for option in &delivery.trail.not_offered {
        let what = match option {
            TransferOption::Notification => "notifications (no DSN)",
            TransferOption::Priority => "a place among other mails (no MT-PRIORITY)",
        };
        let text = format!("{server} cannot be asked for {what}");
        page.line(Text::concat([uncertain("! "), Text::from(text)]));
    }
    page.append(identity(delivery));
    if verbose {
        page.blank();
        page.append(delivery::trail(delivery));
    }
    page
}

/// The ids to look for in bounces and in the server's message trace.
fn identity(delivery: &Delivery) -> Page {
    let mut page = Page::new();
    if !delivery.message_id.is_empty() {
        page.line(Text::concat([
            faint("  Message-ID  "),
            Text::from(&delivery.message_id),
        ]));
    }
    let other = delivery.server_message_id.as_ref();
    if let Some(id) = other.filter(|id| **id != delivery.message_id) {
        page.line(Text::concat([faint("  at server   "), Text::from(id)]));
    }
    page
}

fn stdin_wanted_twice() -> Error {
    Error::new(
        ProblemKind::Misuse,
        "stdin-wanted-twice",
        "standard input cannot hold both the passphrase and the mail",
        "give the mail by a file or --text, or the passphrase by --key-file",
    )
}
