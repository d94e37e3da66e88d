//! `mailbearer doctor`: examines accounts stage by stage, from the settings to the mailbox, and sends nothing.

use crate::exit::Exit;
use crate::output::Output;
use crate::page::Page;
use crate::text::{Text, bad, faint, good, strong, uncertain};
use crate::vault::VaultArgs;
use mailbearer::model::{Examination, Examine, Finding, Health, Problem, Stage};
use mailbearer::{Mailbearer, Result};
use serde_json::json;

/// Find out why an account cannot send: looks at every stage from the settings to the mailbox, and sends nothing
///
/// The first broken stage is named with cause and next step; those behind it are not looked at.
/// The exit code is that of the worst problem found; 4 when all there is are warnings.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The account [default: all]
    account: Option<String>,
    /// Ask for this sender too: an alias or a shared mailbox; may be repeated
    #[arg(long, value_name = "ADDRESS")]
    sender: Vec<String>,
}

pub(crate) async fn run(args: Args, vault: &VaultArgs, output: &Output) -> Result<Exit> {
    let mailbearer = vault.open().await?;
    let mut examinations = Vec::new();
    for account in accounts(&mailbearer, args.account).await? {
        let senders = args.sender.clone();
        let order = Examine { account, senders };
        examinations.push(mailbearer.examine(order).await?);
    }
    mailbearer.close().await?;
    output.answer(&json!({ "examinations": examinations }), || {
        page(&examinations)
    });
    Ok(exit(&examinations))
}

async fn accounts(mailbearer: &Mailbearer, named: Option<String>) -> Result<Vec<String>> {
    if let Some(name) = named {
        return Ok(vec![name]);
    }
    let accounts = mailbearer.accounts().await?;
    Ok(accounts.into_iter().map(|account| account.name).collect())
}

fn exit(examinations: &[Examination]) -> Exit {
    let findings = || examinations.iter().flat_map(|one| &one.findings);
    let broken = findings().find(|finding| finding.health == Health::Broken);
    let problem = broken.and_then(|finding| finding.problems.first());
    match problem {
        Some(problem) => problem.kind.into(),
        None if findings().any(|finding| finding.health == Health::Warning) => Exit::Ending,
        None => Exit::Done,
    }
}

fn page(examinations: &[Examination]) -> Page {
    let mut page = Page::new();
    if examinations.is_empty() {
        page.line("There is no account yet. Add one: mailbearer account add");
    }
    for (number, examination) in examinations.iter().enumerate() {
        if number > 0 {
            page.blank();
        }
        page.line(Text::concat([
            strong(&examination.account),
            Text::from(verdict(examination.health)),
        ]));
        for finding in &examination.findings {
            add(&mut page, finding);
        }
    }
    page
}

fn verdict(health: Health) -> &'static str {
    match health {
        Health::Sound => " can send",
        Health::Warning => " can send; there are warnings",
        Health::Broken => " cannot send",
        Health::NotRun => " was not examined",
    }
}

fn add(page: &mut Page, finding: &Finding) {
    let mark = match finding.health {
        Health::Sound => good("  ✔ "),
        Health::Warning => uncertain("  ! "),
        Health::Broken => bad("  ✘ "),
        Health::NotRun => faint("  · "),
    };
    let start = Text::concat([mark, Text::from(name(finding.stage)).padded(NAME_WIDTH)]);
    let text = match finding.health {
        Health::NotRun => faint(&finding.text),
        Health::Broken => strong(&finding.text),
        _ => Text::from(&finding.text),
    };
    page.paragraph(start.width(), &start, &text);
    for problem in &finding.problems {
        page.fields(start.width(), &fields(problem, finding));
    }
}

fn fields(problem: &Problem, finding: &Finding) -> Vec<(&'static str, Text)> {
    let mut fields = Vec::new();
    // That of a broken stage is the finding's own text.
    if finding.health != Health::Broken {
        fields.push(("found", Text::from(&problem.text)));
    }
    if let Some(answer) = &problem.answer {
        fields.push(("answer", Text::from(answer)));
    }
    fields.push(("cause", Text::from(&problem.code)));
    fields.push(("next", Text::from(&problem.fix)));
    fields
}

fn name(stage: Stage) -> &'static str {
    match stage {
        Stage::Settings => "settings",
        Stage::Credentials => "credentials",
        Stage::IdentityProvider => "identity provider",
        Stage::NameLookup => "name lookup",
        Stage::Connection => "connection",
        Stage::Greeting => "greeting",
        Stage::Tls => "TLS",
        Stage::Capabilities => "capabilities",
        Stage::Token => "access token",
        Stage::Authentication => "authentication",
        Stage::Sender => "sender",
        _ => "another stage",
    }
}

/// The longest name and a gap.
const NAME_WIDTH: usize = 19;
