//! Runs the cases of `scenarios/` through the handle, one test each. Every language runs the same cases.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "tests may stop where they stand"
)]

mod support;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use libtest_mimic::{Arguments, Failed, Trial};
use mailbearer::error::caught;
use mailbearer::model::{Config, Evidence, Message};
use mailbearer::{Envelope, Mailbearer, Result, SignInFlow, SignInPrompt};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use support::{World, timeouts};
use tempfile::TempDir;

/// One case: what is given, what is done, what must come of it. `scenarios/README.md` says what each field means.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Case {
    title: String,
    practices: Vec<u8>,
    #[serde(default)]
    signed_in: bool,
    #[serde(default)]
    files: BTreeMap<String, String>,
    #[serde(default)]
    given: Vec<ControlCall>,
    r#do: Vec<Value>,
    expect: Expectation,
    #[serde(default)]
    inbox: usize,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ControlCall {
    method: String,
    path: String,
    #[serde(default)]
    body: Value,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Action {
    Open(Box<Config>),
    Close,
    AddAccount(Map<String, Value>),
    Accounts,
    RemoveAccount(String),
    BeginSignIn(String),
    FinishSignIn,
    AccessToken(String),
    TokenStatus(String),
    Send(Box<Message>),
    SendRaw { envelope: Envelope, mime: String },
    Explain(Evidence),
    Panic,
    Control(ControlCall),
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Expectation {
    result: Option<Value>,
    problem: Option<Value>,
    mail: Option<Value>,
    #[serde(default)]
    headers: BTreeMap<String, Option<String>>,
    #[serde(default)]
    source: Vec<String>,
    events: Option<Value>,
}

type Check = std::result::Result<(), String>;
type Report = Arc<Mutex<BTreeMap<String, String>>>;

fn main() -> ExitCode {
    let report = Report::default();
    let trials = read_cases().into_iter().map(|(name, case)| {
        let report = report.clone();
        Trial::test(name.clone(), move || judge(name, &case, &report))
    });
    let conclusion = libtest_mimic::run(&Arguments::from_args(), trials.collect());
    if let Some(folder) = std::env::var_os("MAILBEARER_SCENARIO_REPORTS") {
        let path = PathBuf::from(folder).join("rust.json");
        std::fs::write(path, serde_json::to_vec(&*report).unwrap()).unwrap();
    }
    conclusion.exit_code()
}

fn judge(name: String, case: &Case, report: &Report) -> Result<(), Failed> {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let outcome = runtime.block_on(run(case));
    let verdict = match &outcome {
        Ok(()) => "passed".to_owned(),
        Err(failure) => format!("failed: {failure}"),
    };
    report.lock().unwrap().insert(name, verdict);
    outcome.map_err(Failed::from)
}

fn read_cases() -> BTreeMap<String, Case> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../scenarios");
    let entries = std::fs::read_dir(folder).unwrap().flatten();
    let folders = entries.filter(|entry| entry.path().is_dir());
    folders
        .map(|entry| {
            let name = entry.file_name().into_string().unwrap();
            let text = std::fs::read_to_string(entry.path().join("case.json")).unwrap();
            let case: Case = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{name}: {e}"));
            assert!(case.title.len() > 10, "{name}: the title says nothing");
            assert!(!case.practices.is_empty(), "{name}: belongs to no practice");
            let expect = &case.expect;
            let ends_once = expect.result.is_some() != expect.problem.is_some();
            assert!(ends_once, "{name}: expects a result or a problem");
            (name, case)
        })
        .collect()
}

async fn run(case: &Case) -> Check {
    let world = World::start().await;
    let events = world.mailbearer.events();
    let mut stage = Stage {
        mailbearer: world.mailbearer.clone(),
        world: &world,
        folder: lay_out(&case.files),
        prompt: None,
    };
    if case.signed_in {
        world.sign_in().await;
    }
    for call in &case.given {
        world.control(&call.method, &call.path, &call.body).await?;
    }
    let (last, before) = case.r#do.split_last().unwrap();
    for action in before {
        let result = stage.act(action).await;
        result.map_err(|problem| format!("{action}: {problem:?}"))?;
    }
    let outcome = stage.act(last).await;
    world.assert_no_secret_in(&format!("{outcome:?}"));
    check_outcome(&case.expect, outcome)?;
    check_inbox(case, &world).await?;
    let Some(expected) = &case.expect.events else {
        return Ok(());
    };
    world.mailbearer.close().await.unwrap();
    let mut seen = Vec::new();
    while let Some(event) = events.next().await {
        seen.push(serde_json::to_value(event).unwrap());
    }
    contains(&Value::Array(seen), expected, "events")
}

/// Writes the files of a case.
fn lay_out(files: &BTreeMap<String, String>) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, octets) in files {
        let path = folder.path().join(name);
        std::fs::write(&path, STANDARD.decode(octets).unwrap()).unwrap();
        only_for_the_owner(&path);
    }
    folder
}

#[cfg(unix)]
fn only_for_the_owner(path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

#[cfg(not(unix))]
fn only_for_the_owner(_: &Path) {}

/// Where a case is played.
struct Stage<'a> {
    world: &'a World,
    mailbearer: Mailbearer,
    folder: TempDir,
    prompt: Option<SignInPrompt>,
}

impl Stage<'_> {
    async fn act(&mut self, action: &Value) -> Result<Value> {
        let action: Action = self.filled_in(action);
        let mailbearer = &self.mailbearer;
        match action {
            Action::Open(config) => {
                let timeouts = timeouts();
                self.mailbearer = Mailbearer::open(Config {
                    timeouts,
                    ..*config
                })
                .await?;
                Ok(Value::Null)
            }
            Action::Close => as_json(mailbearer.close().await),
            Action::AddAccount(given) => {
                let mut account = self.world.service_as_json();
                account.extend(given);
                let account = serde_json::from_value(account.into()).unwrap();
                as_json(mailbearer.add_account(account).await)
            }
            Action::Accounts => as_json(mailbearer.accounts().await),
            Action::RemoveAccount(account) => as_json(mailbearer.remove_account(&account).await),
            Action::BeginSignIn(account) => {
                let flow = SignInFlow::DeviceCode;
                let prompt = mailbearer.begin_sign_in(&account, flow).await?;
                as_json(Ok(self.prompt.insert(prompt)))
            }
            Action::FinishSignIn => {
                let prompt = self.prompt.as_ref().unwrap();
                as_json(mailbearer.finish_sign_in(prompt).await)
            }
            Action::AccessToken(account) => {
                let token = mailbearer.revealed_access_token(&account).await?;
                let expires = token.expires_at_unix_ms;
                Ok(json!({ "mailbox": token.mailbox, "expiresAtUnixMs": expires }))
            }
            Action::TokenStatus(account) => as_json(mailbearer.token_status(&account).await),
            Action::Send(message) => as_json(mailbearer.send(*message).await),
            Action::SendRaw { envelope, mime } => as_json(
                mailbearer
                    .send_raw(envelope, mime.into_bytes().into())
                    .await,
            ),
            Action::Explain(evidence) => {
                as_json(Ok(mailbearer.explain(&evidence).into_iter().next()))
            }
            // Resumed rather than begun, to spare the log a backtrace.
            Action::Panic => caught(async { resume_unwind(Box::new("as the case asks")) }).await,
            Action::Control(call) => {
                let called = self.world.control(&call.method, &call.path, &call.body);
                called.await.unwrap();
                Ok(Value::Null)
            }
        }
    }

    /// An action with the values of this run in place of the placeholders.
    fn filled_in<T: DeserializeOwned>(&self, action: &Value) -> T {
        let folder = json!(self.folder.path()).to_string();
        let user_code = self.prompt.as_ref().map_or("", |prompt| &prompt.user_code);
        let filled = action
            .to_string()
            .replace("$FOLDER", folder.trim_matches('"'))
            .replace("$USER_CODE", user_code);
        serde_json::from_str(&filled).unwrap_or_else(|error| panic!("{filled}: {error}"))
    }
}

fn as_json<T: Serialize>(result: Result<T>) -> Result<Value> {
    result.map(|value| serde_json::to_value(value).unwrap())
}

fn check_outcome(expect: &Expectation, outcome: Result<Value>) -> Check {
    match (&expect.result, &expect.problem, outcome) {
        (Some(expected), _, Ok(result)) => contains(&result, expected, "result"),
        (_, Some(expected), Err(error)) => {
            let problem = serde_json::to_value(error.problem()).unwrap();
            contains(&problem, expected, "problem")
        }
        (.., outcome) => Err(format!("ended otherwise: {outcome:?}")),
    }
}

async fn check_inbox(case: &Case, world: &World) -> Check {
    let mails = world.fetch("/api/mails").await;
    let mails: Value = serde_json::from_slice(&mails).unwrap();
    let arrived = mails["mails"].as_array().unwrap();
    if arrived.len() != case.inbox {
        return Err(format!(
            "{} mails arrived, not {}",
            arrived.len(),
            case.inbox
        ));
    }
    let expect = &case.expect;
    if expect.mail.is_none() && expect.headers.is_empty() && expect.source.is_empty() {
        return Ok(());
    }
    let path = format!("/api/mails/{}", arrived[0]["id"].as_str().unwrap());
    let mail: Value = serde_json::from_slice(&world.fetch(&path).await).unwrap();
    contains(&mail, expect.mail.as_ref().unwrap_or(&json!({})), "mail")?;
    for (name, expected) in &expect.headers {
        check_header(&mail["headers"], name, expected.as_deref())?;
    }
    let source = world.fetch(&format!("{path}/source")).await;
    let source = String::from_utf8_lossy(&source);
    let missing = expect.source.iter().find(|text| !source.contains(*text));
    missing.map_or(Ok(()), |text| Err(format!("{text:?} is not in: {source}")))
}

fn check_header(fields: &Value, name: &str, expected: Option<&str>) -> Check {
    let named = |field: &&Value| field["name"].as_str() == Some(name);
    let fields = fields.as_array().unwrap().iter().filter(named);
    let values: Vec<_> = fields.filter_map(|field| field["value"].as_str()).collect();
    let is_so = match expected {
        Some(value) => values.contains(&value),
        None => values.is_empty(),
    };
    let otherwise = || format!("{name} is {values:?}, not {expected:?}");
    is_so.then_some(()).ok_or_else(otherwise)
}

/// Whether `whole` has every part of `expected`: objects by key, lists by place, the rest by equality.
fn contains(whole: &Value, expected: &Value, path: &str) -> Check {
    match (whole, expected) {
        (Value::Object(whole), Value::Object(expected)) => {
            for (key, expected) in expected {
                let found = whole.get(key).unwrap_or(&Value::Null);
                contains(found, expected, &format!("{path}.{key}"))?;
            }
            Ok(())
        }
        (Value::Array(whole), Value::Array(expected)) if whole.len() == expected.len() => {
            for (place, (found, expected)) in whole.iter().zip(expected).enumerate() {
                contains(found, expected, &format!("{path}[{place}]"))?;
            }
            Ok(())
        }
        _ if whole == expected => Ok(()),
        _ => Err(format!("{path} is {whole}, not {expected}")),
    }
}
