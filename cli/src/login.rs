//! `mailbearer login`: a person signs in on any device, with a code to type there.

use crate::accounts;
use crate::exit::Exit;
use crate::output::Output;
use crate::page::Page;
use crate::progress;
use crate::text::{Text, faint, good, link, strong};
use crate::time;
use crate::vault::VaultArgs;
use mailbearer::Result;
use mailbearer::model::{SignInFlow, SignInPrompt, TokenStatus};
use serde_json::json;

/// Sign in as a person, with a code typed on any device
///
/// With --json there are two documents: first {"prompt": …} with what to show the person, then {"status": …}.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The account [default: the only one]
    account: Option<String>,
}

pub(crate) async fn run(args: Args, vault: &VaultArgs, output: &Output) -> Result<Exit> {
    let mailbearer = vault.open().await?;
    let account = accounts::choose(&mailbearer, args.account).await?;
    let begin = mailbearer.begin_sign_in(&account, SignInFlow::DeviceCode);
    let prompt = progress::during(output, "asking for a code", begin).await?;
    output.answer(&json!({ "prompt": prompt }), || invitation(&prompt));
    let finish = mailbearer.finish_sign_in(&prompt);
    let status = progress::during(output, "waiting for the sign-in", finish).await?;
    output.answer(&json!({ "status": status }), || signed_in(&status));
    Ok(Exit::Done)
}

fn invitation(prompt: &SignInPrompt) -> Page {
    let mut page = Page::new();
    page.line(format!(
        "To sign in for {}, open this page on any device:",
        prompt.account
    ));
    page.blank();
    page.line(Text::concat([
        Text::from("    "),
        link(&prompt.verification_url),
    ]));
    page.blank();
    page.line("and type this code:");
    page.blank();
    page.line(Text::concat([
        Text::from("    "),
        strong(&prompt.user_code),
    ]));
    page.blank();
    page.paragraph(0, &Text::default(), &faint(&prompt.instruction));
    let until = format!("The code ends {}.", time::moment(prompt.expires_at_unix_ms));
    page.line(faint(until));
    page.blank();
    page
}

fn signed_in(status: &TokenStatus) -> Page {
    let mut page = Page::new();
    let subject = status.subject.as_deref().unwrap_or("the person");
    let done = format!("{} is signed in as {subject}", status.account);
    page.line(Text::concat([good("✔ "), Text::from(done)]));
    let renewal = if status.has_refresh_token {
        "renewed without asking again"
    } else {
        "not renewed: the server gave no refresh token"
    };
    let mut fields = vec![("renewal", Text::from(renewal))];
    if let Some(expires) = status.expires_at_unix_ms {
        fields.insert(0, ("token ends", Text::from(time::moment(expires))));
    }
    page.fields(2, &fields);
    page
}
