//! `mailbearer explain`: the possible causes of a failure seen anywhere, best first. Asks no server.

mod batch;

use crate::exit::Exit;
use crate::input;
use crate::output::Output;
use crate::page::Page;
use crate::problem;
use crate::text::{Text, faint, strong};
use mailbearer::model::{Config, Diagnosis, Evidence, EvidenceItem, EvidenceKind, ProblemKind};
use mailbearer::{Error, Mailbearer, Result};
use serde_json::json;
use std::path::{Path, PathBuf};

/// Explain a failure: its possible causes, best first, each with the next step and who can take it
///
/// Takes any text that a program or a server left: an SMTP reply, a token endpoint's error, a log, a bounce.
/// Exit code 1 when nothing fits.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The text; `-` or nothing reads it from standard input
    #[arg(value_name = "TEXT")]
    text: Vec<String>,
    /// What was being done, such as host=smtp.office365.com or flow=client-secret; may be repeated
    #[arg(long, value_name = "KEY=VALUE", value_parser = key_value)]
    context: Vec<(String, String)>,
    /// What is known beyond the text, such as token.aud=https://graph.microsoft.com; may be repeated
    #[arg(long, value_name = "KEY=VALUE", value_parser = key_value)]
    fact: Vec<(String, String)>,
    /// Read the evidence from this file, as JSON: {"evidence": [{"kind", "text"}], "context": {}, "facts": {}}
    #[arg(long, value_name = "FILE", conflicts_with = "text")]
    evidence: Option<PathBuf>,
    /// Explain many: a file (or standard input) with a case on each line, as JSON: {"id", "phase", "input", "admin_facts"}; writes a line for each with id, ranked, confidence, fix, ask, who and retry
    #[arg(
        long,
        value_name = "FILE",
        num_args = 0..=1,
        default_missing_value = "-",
        conflicts_with_all = ["text", "evidence", "context", "fact"]
    )]
    batch: Option<PathBuf>,
}

pub(crate) async fn run(args: Args, output: &Output) -> Result<Exit> {
    let mailbearer = Mailbearer::open(Config::default()).await?;
    if let Some(path) = &args.batch {
        return batch::run(path, &mailbearer, output);
    }
    let evidence = evidence(args)?;
    let diagnoses = mailbearer.explain(&evidence);
    output.answer(&json!({ "diagnoses": diagnoses }), || page(&diagnoses));
    Ok(if diagnoses.is_empty() {
        Exit::No
    } else {
        Exit::Done
    })
}

fn evidence(args: Args) -> Result<Evidence> {
    let mut evidence = match &args.evidence {
        Some(path) => read_evidence(path)?,
        None => evidence_of(text(&args.text)?),
    };
    evidence.context.extend(args.context);
    evidence.facts.extend(args.fact);
    Ok(evidence)
}

fn read_evidence(path: &Path) -> Result<Evidence> {
    let json = input::text(path, "the evidence")?;
    serde_json::from_str(&json).map_err(|error| {
        let text = format!("the evidence is not as expected: {error}");
        let fix = r#"write it like {"evidence": [{"kind": "smtp_reply", "text": "535 5.7.3 …"}]}"#;
        Error::new(ProblemKind::Misuse, "evidence-unreadable", text, fix)
    })
}

fn text(words: &[String]) -> Result<String> {
    let wants_stdin = words.is_empty() || words == ["-"];
    let text = if wants_stdin {
        input::piped_text("the text to explain")?.unwrap_or_default()
    } else {
        words.join(" ")
    };
    if text.trim().is_empty() {
        let fix = "give it as an argument, through standard input, or with --evidence FILE";
        return Err(Error::new(
            ProblemKind::Misuse,
            "text-missing",
            "there is no text to explain",
            fix,
        ));
    }
    Ok(text)
}

/// Several lines are a log or a dialogue; what a single line is, the core finds out.
fn evidence_of(text: String) -> Evidence {
    let kind = kind_of(&text);
    Evidence {
        evidence: vec![EvidenceItem { kind, text }],
        ..Evidence::default()
    }
}

fn kind_of(text: &str) -> EvidenceKind {
    if text.trim().contains('\n') {
        EvidenceKind::Log
    } else {
        EvidenceKind::Unknown
    }
}

fn key_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("expected KEY=VALUE".to_owned()),
    }
}

fn page(diagnoses: &[Diagnosis]) -> Page {
    let mut page = Page::new();
    if diagnoses.is_empty() {
        page.line("Nothing that is known fits this text.");
        return page;
    }
    for (number, diagnosis) in diagnoses.iter().enumerate() {
        if number > 0 {
            page.blank();
        }
        let start = Text::from(format!("{}. ", number + 1));
        page.paragraph(start.width(), &start, &strong(&diagnosis.cause));
        page.fields(start.width(), &fields(diagnosis));
    }
    let ask = diagnoses.first().map(|first| first.ask.as_slice());
    if let Some(ask @ [_, ..]) = ask {
        page.blank();
        page.line("To tell these causes apart, find out (and give with --fact NAME=VALUE):");
        for question in ask {
            page.paragraph(2, &Text::from("  "), &Text::from(question));
        }
    }
    page
}

fn fields(diagnosis: &Diagnosis) -> Vec<(&'static str, Text)> {
    let sure = format!("  {:.0} % sure", diagnosis.confidence * 100.0);
    let cause = Text::concat([Text::from(&diagnosis.code), faint(sure)]);
    let mut fields = vec![
        ("cause", cause),
        ("next", Text::from(&diagnosis.fix)),
        ("who", Text::from(&diagnosis.who)),
    ];
    if let Some(advice) = problem::retry(diagnosis.retry) {
        fields.push(("retry", Text::from(advice)));
    }
    if !diagnosis.because.is_empty() {
        fields.push(("because", Text::from(diagnosis.because.join("; "))));
    }
    fields.push(("page", Text::from(&diagnosis.page)));
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_keys_and_values() {
        fn check(text: &str, expected: Option<(&str, &str)>) {
            let read = key_value(text).ok();
            assert_eq!(
                read,
                expected.map(|(key, value)| (key.to_owned(), value.to_owned())),
                "{text}"
            );
        }
        check(
            "host=smtp.office365.com",
            Some(("host", "smtp.office365.com")),
        );
        check("scope=a=b", Some(("scope", "a=b")));
        check("empty=", Some(("empty", "")));
        check("=x", None);
        check("x", None);
    }
}
