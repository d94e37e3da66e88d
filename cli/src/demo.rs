//! `mailbearer demo`: signs in and sends for real, against a local Microsoft 365 started for it, and shows the trail.
//! It ends well only if everything it shows has happened: the sandbox, which imports nothing of ours, is asked.

mod checks;
mod mail;
mod show;
mod stage;

use crate::exit::Exit;
use crate::interrupt::Interrupt;
use crate::output::Output;
use checks::{Check, Evidence};
use mailbearer::Result;
use mailbearer::model::{Delivery, Step, TokenStatus};
use serde::Serialize;
use serde_json::json;
use stage::Stage;
use std::time::Instant;

/// Sign in and send against a local Microsoft 365, and show how it went; needs no account and no network
///
/// A person signs in with a device code (the demo itself approves it), an application with its client secret; a mail
/// with text, HTML, an image and an attachment goes to three recipients, of whom one is refused. Exit code 0 only if
/// all of that really happened.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Keep everything running, to look at the inbox, until Ctrl-C
    #[arg(long)]
    keep: bool,
}

/// What happened, for a program.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Story {
    happened: bool,
    duration_us: u64,
    sandbox: Place,
    sign_ins: Vec<SignIn>,
    deliveries: Vec<Delivery>,
    checks: Vec<Check>,
}

/// Where it happened.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Place {
    identity_url: String,
    smtp_server: String,
    inbox_url: String,
}

/// A sign-in and the token it gave.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct SignIn {
    steps: Vec<Step>,
    token: TokenStatus,
}

pub(crate) async fn run(args: &Args, output: &Output) -> Result<Exit> {
    let start = Instant::now();
    let stage = Stage::set().await?;
    output.page(&show::place(&stage.place()));

    let person = stage.person_signs_in().await?;
    output.page(&show::sign_in(
        "1. A person signs in with a device code",
        &person,
    ));
    let application = stage.application_signs_in().await?;
    output.page(&show::sign_in(
        "2. An application signs in with its client secret",
        &application,
    ));

    let rich = stage.send(mail::from_the_person()).await?;
    output.page(&show::delivery(
        "3. The person sends text, HTML, an image and an attachment",
        &rich,
    ));
    let plain = stage.send(mail::from_the_application()).await?;
    output.page(&show::delivery(
        "4. The application sends plain text",
        &plain,
    ));

    let checks = checks::all(&Evidence {
        person: &person,
        application: &application,
        rich: &rich,
        plain: &plain,
        inbox: stage.inbox(),
    });
    let story = Story {
        happened: checks.iter().all(|check| check.happened),
        duration_us: microseconds_since(start),
        sandbox: stage.place(),
        sign_ins: vec![person, application],
        deliveries: vec![rich, plain],
        checks,
    };
    let interrupt = args.keep.then(Interrupt::listen).transpose()?;
    output.answer(&json!({ "demo": story }), || show::ending(&story));
    output.page(&show::inbox(&story.sandbox, args.keep));
    if let Some(interrupt) = interrupt {
        interrupt.wait().await;
    }
    stage.clear().await;
    Ok(if story.happened { Exit::Done } else { Exit::No })
}

fn microseconds_since(start: Instant) -> u64 {
    u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX)
}
