//! `mailbearer explain --batch`: one case as a line of JSON, one explanation as a line of JSON, in the same order.
//! A line that cannot be read gets a line with `error`, and the run goes on.

use crate::exit::Exit;
use crate::input;
use crate::output::Output;
use mailbearer::model::{Diagnosis, Evidence, EvidenceItem};
use mailbearer::{Mailbearer, Result};
use serde_json::{Map, Value, json};
use std::io::BufRead;
use std::path::Path;

/// Explains each line of a file, or of standard input for `-`; ends with `No` where a line could not be read.
/// Errors: `Misuse` where the file cannot be read.
pub(super) fn run(path: &Path, mailbearer: &Mailbearer, output: &Output) -> Result<Exit> {
    let mut lines = input::lines(path, "the cases")?;
    let mut exit = Exit::Done;
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = lines.read_until(b'\n', &mut line);
        if read.map_err(|error| input::unreadable(path, "the cases", &error))? == 0 {
            return Ok(exit);
        }
        if line.trim_ascii().is_empty() {
            continue;
        }
        let answer = answer(&line, mailbearer).unwrap_or_else(|refused| {
            exit = Exit::No;
            refused
        });
        output.document(&answer);
    }
}

/// The line for a case, or the line that says what is wrong with it.
fn answer(line: &[u8], mailbearer: &Mailbearer) -> std::result::Result<Value, Value> {
    let refused = |id: &Value, what: String| json!({ "id": id, "error": { "code": "case-unreadable", "text": what, "fix": FORM } });
    let case: Map<String, Value> = serde_json::from_slice(line)
        .map_err(|error| refused(&Value::Null, format!("the line is no JSON object: {error}")))?;
    let id = case.get("id").cloned().unwrap_or_default();
    let evidence = evidence(case).map_err(|what| refused(&id, what))?;
    Ok(explanation(&id, &mailbearer.explain(&evidence)))
}

/// The evidence is `input`; `phase`, `admin_facts` and `established` may stand beside it or in it.
fn evidence(mut case: Map<String, Value>) -> std::result::Result<Evidence, String> {
    let mut input = match case.remove("input") {
        Some(Value::Object(input)) => input,
        Some(Value::String(text)) => return Ok(of_text(text)),
        Some(_) => return Err("`input` is neither an object nor a text".to_owned()),
        None => return Err("`input` is missing".to_owned()),
    };
    for name in ["phase", "admin_facts", "established"] {
        if let Some(value) = case.remove(name).filter(|value| !value.is_null()) {
            input.entry(name).or_insert(value);
        }
    }
    let is_given = |_: &String, value: &mut Value| !value.is_null();
    input.retain(is_given);
    serde_json::from_value(Value::Object(input)).map_err(|error| format!("`input`: {error}"))
}

fn of_text(text: String) -> Evidence {
    Evidence {
        evidence: vec![EvidenceItem {
            kind: super::kind_of(&text),
            text,
        }],
        ..Evidence::default()
    }
}

fn explanation(id: &Value, diagnoses: &[Diagnosis]) -> Value {
    let ranked: Vec<&str> = diagnoses
        .iter()
        .take(MOST_RANKED)
        .map(|cause| cause.code.as_str())
        .collect();
    match diagnoses.first() {
        Some(first) => json!({
            "id": id,
            "ranked": ranked,
            "confidence": (first.confidence * 1000.0).round() / 1000.0,
            "fix": first.fix,
            "ask": first.ask,
            "who": first.who,
            "retry": first.retry,
        }),
        None => json!({
            "id": id,
            "ranked": ranked,
            "confidence": 0.0,
            "fix": UNKNOWN,
            "ask": [ASK_FOR_MORE],
            "who": Value::Null,
            "retry": Value::Null,
        }),
    }
}

/// Longer lists help nobody.
const MOST_RANKED: usize = 5;
const FORM: &str = r#"write each line like {"id": "1", "phase": "auth", "input": {"evidence": [{"kind": "smtp_reply", "text": "535 5.7.3 …"}]}}"#;
const UNKNOWN: &str = "Nothing that is known fits this text.";
const ASK_FOR_MORE: &str = "evidence: the server's reply with its code, or the whole answer of the token endpoint, from the client's log";
