//! `mailbearer vault`: lists, checks, moves the vault, and changes its key. Shows what records are, never what they say.

use crate::exit::Exit;
use crate::output::Output;
use crate::page::Page;
use crate::passphrase;
use crate::text::{Text, bad, faint, good, strong};
use crate::time;
use crate::vault::{Place, VaultArgs, from_variable, split, text_of};
use mailbearer::Result;
use mailbearer::model::{Passphrase, VaultRecord, VaultRecordKind, VaultReport};
use mailbearer::secret::SecretText;
use serde_json::json;
use std::path::{Path, PathBuf};

/// List, check and move the vault, and change its key
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// List the records by account, with sizes and dates
    List,
    /// Open every record, look at permissions and locks, and say what is wrong
    Check,
    Move(MoveArgs),
    /// Seal everything with a new key, while other programs go on
    Rotate(NewKey),
}

/// Move everything to another vault: copied and read back before anything is removed
#[derive(Debug, clap::Args)]
struct MoveArgs {
    /// The other vault, as --vault takes it
    #[arg(long, value_name = "VAULT")]
    to: PathBuf,
    #[command(flatten)]
    key: NewKey,
}

/// Where the new passphrase comes from [otherwise: $MAILBEARER_NEW_PASSPHRASE, or asked for]
#[derive(Debug, clap::Args)]
#[group(id = "new_key_group", multiple = false)]
struct NewKey {
    /// Read the new passphrase from this file, which only its owner may read
    #[arg(long, value_name = "FILE")]
    new_key_file: Option<PathBuf>,
    /// Read the new passphrase from this open file descriptor [otherwise: $MAILBEARER_NEW_PASSPHRASE, or asked for]
    #[arg(long, value_name = "N")]
    new_passphrase_fd: Option<u32>,
    /// Take the new passphrase from this credential of the systemd unit
    #[arg(long, value_name = "NAME")]
    new_key_credential: Option<String>,
    /// Take the new passphrase from what this command prints
    #[arg(long, value_name = "COMMAND")]
    new_key_command: Option<String>,
    /// Make a new key, and keep it in this entry of the keyring
    #[arg(long, value_name = "ENTRY")]
    new_keyring: Option<String>,
}

pub(crate) async fn run(args: Args, vault: &VaultArgs, output: &Output) -> Result<Exit> {
    match args.verb {
        Verb::List => {
            let records = vault.open().await?.vault_records().await?;
            output.answer(&json!({ "records": records }), || list_page(&records));
            Ok(Exit::Done)
        }
        Verb::Check => {
            let report = vault.open().await?.check_vault().await?;
            output.answer(&json!({ "report": report }), || report_page(&report));
            Ok(match report.findings.is_empty() {
                true => Exit::Done,
                false => Exit::No,
            })
        }
        Verb::Move(args) => move_to(args, vault, output).await,
        Verb::Rotate(key) => {
            let mailbearer = vault.open().await?;
            let passphrase = key.source(Path::new("with its new passphrase"))?;
            mailbearer.rotate_vault(passphrase).await?;
            output.answer(&json!({ "rotated": true }), || {
                done("the vault has its new key; give it to every program that uses the vault")
            });
            Ok(Exit::Done)
        }
    }
}

async fn move_to(args: MoveArgs, vault: &VaultArgs, output: &Output) -> Result<Exit> {
    let mailbearer = vault.open().await?;
    let to = Place::read(&args.to)?;
    let passphrase = match to.needs_key() {
        true => args.key.source(Path::new(&to.name()?))?,
        false => Passphrase::Text {
            text: SecretText::default(),
        },
    };
    let moved = mailbearer.move_vault(to.settings(passphrase)?).await?;
    output.answer(&json!({ "moved": moved }), || {
        let mut page = list_page(&moved);
        page.line("");
        page.line(Text::concat([
            good("✔ "),
            Text::from("moved; the old vault is empty and can be deleted"),
        ]));
        page
    });
    Ok(Exit::Done)
}

impl NewKey {
    fn source(self, vault: &Path) -> Result<Passphrase> {
        if let Some(descriptor) = self.new_passphrase_fd {
            return Ok(Passphrase::FileDescriptor { descriptor });
        }
        if let Some(path) = &self.new_key_file {
            let path = text_of(path)?;
            return Ok(Passphrase::KeyFile { path });
        }
        if let Some(name) = self.new_key_credential {
            return Ok(Passphrase::Credential { name });
        }
        if let Some(command) = &self.new_key_command {
            let command = split(command)?;
            return Ok(Passphrase::Command { command });
        }
        if let Some(name) = self.new_keyring {
            return Ok(Passphrase::Keyring { name });
        }
        match from_variable(NEW_PASSPHRASE_VARIABLE) {
            Some(passphrase) => Ok(passphrase),
            None => {
                let text = passphrase::ask(vault, true)?;
                Ok(Passphrase::Text { text })
            }
        }
    }
}

/// The environment variable that may hold the new passphrase.
const NEW_PASSPHRASE_VARIABLE: &str = "MAILBEARER_NEW_PASSPHRASE";

fn list_page(records: &[VaultRecord]) -> Page {
    let mut page = Page::new();
    if records.is_empty() {
        page.line("The vault is empty.");
        return page;
    }
    let mut rows = vec![
        ["ACCOUNT", "RECORD", "OCTETS", "WRITTEN"]
            .map(faint)
            .to_vec(),
    ];
    rows.extend(records.iter().map(|record| {
        let written = record.written_at_unix_ms.map(time::brief_moment);
        vec![
            strong(&record.account),
            Text::from(kind(record.kind)),
            Text::from(record.size_bytes.to_string()),
            Text::from(written.unwrap_or_else(|| "-".to_owned())),
        ]
    }));
    page.table(0, &rows);
    page
}

fn kind(kind: VaultRecordKind) -> &'static str {
    match kind {
        VaultRecordKind::Settings => "settings",
        VaultRecordKind::Credential => "credential",
        VaultRecordKind::Tokens => "tokens",
        _ => "other",
    }
}

fn report_page(report: &VaultReport) -> Page {
    if report.findings.is_empty() {
        let count = report.sound_records;
        return done(&format!("{}: {count} records, all sound", report.vault));
    }
    let mut page = Page::new();
    for finding in &report.findings {
        page.line(Text::concat([bad("✘ "), Text::from(&finding.problem.text)]));
        page.line(format!("  cause  {}", finding.problem.code));
        page.line(format!("  next   {}", finding.problem.fix));
    }
    page.line(format!("{} other records are sound", report.sound_records));
    page
}

fn done(text: &str) -> Page {
    let mut page = Page::new();
    page.line(Text::concat([good("✔ "), Text::from(text)]));
    page
}
