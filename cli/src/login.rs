//! `mailbearer login`: a person signs in, in a browser or with a code to type on any device.

use crate::accounts;
use crate::exit::Exit;
use crate::output::Output;
use crate::page::Page;
use crate::progress;
use crate::text::{Text, faint, good, link, strong};
use crate::time;
use crate::vault::VaultArgs;
use mailbearer::model::{GrantKind, ProblemKind, SignInFlow, SignInPrompt, TokenStatus};
use mailbearer::{Error, Mailbearer, Result};
use serde_json::json;
use tokio::sync::mpsc;

/// Sign in as a person, in a browser or with a code typed on any device
///
/// In a browser of this machine the sign-in ends by itself. In one elsewhere (over SSH) it ends at an address that
/// begins with http://localhost and cannot be reached there: paste that address here. With --json there are two
/// documents: first {"prompt": …} with what to show the person, then {"status": …}; a pasted address is a line on
/// standard input.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The account [default: the only one]
    account: Option<String>,
    /// With a code to type on any device, whatever the account's grant; tenants may block it by policy
    #[arg(long)]
    device_code: bool,
    /// In a browser, whatever the account's grant
    #[arg(long, conflicts_with = "device_code")]
    browser: bool,
    /// Show the address, and leave it to the person to open it
    #[arg(long)]
    no_open: bool,
}

pub(crate) async fn run(args: Args, vault: &VaultArgs, output: &Output) -> Result<Exit> {
    let mailbearer = vault.open().await?;
    let account = accounts::choose(&mailbearer, args.account.clone()).await?;
    let flow = flow(&args, &mailbearer, &account).await?;
    let begin = mailbearer.begin_sign_in(&account, flow);
    let prompt = progress::during(output, "beginning the sign-in", begin).await?;
    output.answer(&json!({ "prompt": prompt }), || match flow {
        SignInFlow::DeviceCode => invitation(&prompt),
        _ => address(&prompt),
    });
    if flow == SignInFlow::AuthorizationCode && !args.no_open && !output.is_json() && has_display()
    {
        // Whether it opens or not, the address is on the screen.
        let _ = open::that_detached(&prompt.verification_url);
    }
    let pasted = match vault.reads_stdin() || flow == SignInFlow::DeviceCode {
        true => None,
        false => Some(pasted_lines()),
    };
    let finish = finish(&mailbearer, prompt, pasted, output);
    let status = progress::during(output, "waiting for the sign-in", finish).await?;
    output.answer(&json!({ "status": status }), || signed_in(&status));
    Ok(Exit::Done)
}

async fn flow(args: &Args, mailbearer: &Mailbearer, account: &str) -> Result<SignInFlow> {
    let accounts = mailbearer.accounts().await?;
    let account = accounts.iter().find(|known| known.name == account);
    let likes_codes = account.is_some_and(|account| account.grant == GrantKind::DeviceCode);
    Ok(match args.device_code || (likes_codes && !args.browser) {
        true => SignInFlow::DeviceCode,
        false => SignInFlow::AuthorizationCode,
    })
}

/// Waits for the browser of this machine, or for the address that is pasted; whatever comes first.
async fn finish(
    mailbearer: &Mailbearer,
    mut prompt: SignInPrompt,
    pasted: Option<mpsc::Receiver<String>>,
    output: &Output,
) -> Result<TokenStatus> {
    let Some(mut pasted) = pasted else {
        return mailbearer.finish_sign_in(&prompt).await;
    };
    loop {
        let line = tokio::select! {
            status = mailbearer.finish_sign_in(&prompt) => return status,
            Some(line) = pasted.recv() => line,
        };
        prompt.redirected_to = Some(line);
        match mailbearer.finish_sign_in(&prompt).await {
            Err(error) if is_slip(&error) && !output.is_json() => output.error(&error),
            done => return done,
        }
        prompt.redirected_to = None;
    }
}

/// Something else was pasted; the person may try again.
fn is_slip(error: &Error) -> bool {
    error.kind() == ProblemKind::Misuse && error.code() == "redirect-mismatch"
}

/// Lines of standard input, from a thread that ends with the process: nothing else can end such a read.
fn pasted_lines() -> mpsc::Receiver<String> {
    let (sender, lines) = mpsc::channel(1);
    std::thread::spawn(move || {
        for line in std::io::stdin().lines().map_while(std::result::Result::ok) {
            if !line.trim().is_empty() && sender.blocking_send(line).is_err() {
                return;
            }
        }
    });
    lines
}

/// Whether a browser could open on the screen that this person looks at.
fn has_display() -> bool {
    let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let is_remote = is_set("SSH_CONNECTION");
    let has_screen = !cfg!(all(unix, not(target_os = "macos")))
        || is_set("DISPLAY")
        || is_set("WAYLAND_DISPLAY");
    has_screen && !is_remote
}

fn address(prompt: &SignInPrompt) -> Page {
    let mut page = Page::new();
    let text = format!(
        "To sign in for {}, open this address in a browser:",
        prompt.account
    );
    page.line(text);
    page.blank();
    // On a line of its own and whole, so that it can be copied.
    page.line(link(&prompt.verification_url));
    page.blank();
    page.paragraph(
        0,
        &Text::default(),
        &faint("If that browser runs on another machine, it ends at an address that begins with http://localhost and cannot be reached: paste that address here."),
    );
    page.blank();
    page
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
