//! `mailbearer test`: a mail with a mark of its own, the server's verdict on it, and what to look at next.

use crate::accounts;
use crate::delivery;
use crate::exit::Exit;
use crate::output::Output;
use crate::page::Page;
use crate::progress;
use crate::text::{Text, faint, strong};
use crate::vault::VaultArgs;
use mailbearer::Result;
use mailbearer::model::{TestDelivery, TestMail, Verdict};
use serde_json::json;

/// Send a test mail, and show the server's verdict, how the mail got there, and what to look at next
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The account that sends [default: the only one]
    account: Option<String>,
    /// To [default: the account's own mailbox]; may be repeated
    #[arg(long, value_name = "ADDRESS")]
    to: Vec<String>,
}

pub(crate) async fn run(args: Args, vault: &VaultArgs, output: &Output) -> Result<Exit> {
    let mailbearer = vault.open().await?;
    let account = accounts::choose(&mailbearer, args.account).await?;
    let to = args.to;
    let sending = mailbearer.send_test(TestMail { account, to });
    let test = progress::during(output, "sending", sending).await?;
    output.answer(&json!({ "test": test }), || page(&test));
    mailbearer.close().await?;
    let recipients = &test.delivery.recipients;
    let is_accepted = |verdict| verdict == Verdict::Accepted;
    Ok(
        match recipients.iter().all(|one| is_accepted(one.verdict)) {
            true => Exit::Done,
            false => Exit::Partly,
        },
    )
}

fn page(test: &TestDelivery) -> Page {
    let mut page = Page::new();
    page.line(Text::concat([
        Text::from("The mail's mark is "),
        strong(&test.nonce),
    ]));
    page.append(delivery::verdicts(&test.delivery.recipients, None));
    page.blank();
    page.append(delivery::trail(&test.delivery));
    page.blank();
    page.line("What to look at next");
    for (number, step) in test.next_steps.iter().enumerate() {
        let start = faint(format!("  {}. ", number + 1));
        page.paragraph(start.width(), &start, &Text::from(step));
    }
    page
}
