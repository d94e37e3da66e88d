//! Runs the cases of `scenarios/` through the handle. Every language runs the same cases.

#![expect(clippy::unwrap_used, reason = "tests may stop where they stand")]

mod support;

use mailbearer::model::{Evidence, Message};
use mailbearer::{Envelope, Result, SignInFlow};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::PathBuf;
use support::World;

/// One case: what is given, what is done, what must come of it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Case {
    /// What the case shows, as a sentence.
    title: String,
    /// The practices it belongs to, 1 to 16.
    practices: Vec<u8>,
    /// Calls of the sandbox's control interface, made after the accounts exist and before anything is done.
    #[serde(default)]
    given: Vec<ControlCall>,
    /// Whether the person has signed in before.
    #[serde(default)]
    signed_in: bool,
    /// Done in order; only the last may fail.
    r#do: Vec<Action>,
    /// What the last action must return: a part of its result, or of its problem.
    expect: Expectation,
    /// How many mails the sandbox's inbox holds at the end.
    #[serde(default)]
    inbox: usize,
}

#[derive(Debug, Deserialize)]
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
    Send(Box<Message>),
    SendRaw { envelope: Envelope, mime: String },
    AccessToken(String),
    TokenStatus(String),
    Accounts,
    RemoveAccount(String),
    BeginSignIn(String),
    Explain(Evidence),
    Close,
    AdvanceClock { seconds: u64 },
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Expectation {
    Result(Value),
    Problem(Value),
}

#[tokio::test]
async fn all_cases_hold() {
    let cases = read_cases();
    assert!(!cases.is_empty());
    let mut failures = BTreeMap::new();
    let mut report = BTreeMap::new();
    for (name, case) in &cases {
        let outcome = run(case).await;
        report.insert(name, verdict(&outcome));
        if let Err(failure) = outcome {
            failures.insert(name, failure);
        }
    }
    if let Some(folder) = std::env::var_os("MAILBEARER_SCENARIO_REPORTS") {
        let path = PathBuf::from(folder).join("rust.json");
        std::fs::write(path, serde_json::to_vec(&report).unwrap()).unwrap();
    }
    assert!(failures.is_empty(), "{failures:#?}");
}

/// An outcome as reports of scenarios say it.
fn verdict(outcome: &Result<(), String>) -> String {
    match outcome {
        Ok(()) => "passed".to_owned(),
        Err(failure) => format!("failed: {failure}"),
    }
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
            (name, case)
        })
        .collect()
}

async fn run(case: &Case) -> Result<(), String> {
    let world = World::start().await;
    if case.signed_in {
        world.sign_in().await;
    }
    for call in &case.given {
        world.control(&call.method, &call.path, &call.body).await?;
    }
    let (last, before) = case.r#do.split_last().unwrap();
    for action in before {
        let result = act(&world, action).await;
        result.map_err(|problem| format!("{action:?}: {problem:?}"))?;
    }
    let outcome = act(&world, last).await;
    world.assert_no_secret_in(&format!("{outcome:?}"));
    compare(&case.expect, outcome)?;
    let arrived = world.sandbox.inbox().len();
    if arrived != case.inbox {
        return Err(format!("{arrived} mails arrived, not {}", case.inbox));
    }
    Ok(())
}

async fn act(world: &World, action: &Action) -> Result<Value> {
    let mailbearer = &world.mailbearer;
    match action {
        Action::Send(message) => as_json(mailbearer.send((**message).clone()).await),
        Action::SendRaw { envelope, mime } => {
            let mime = mime.as_bytes().into();
            as_json(mailbearer.send_raw(envelope.clone(), mime).await)
        }
        Action::AccessToken(account) => {
            let token = mailbearer.access_token(account).await;
            as_json(token.map(|token| token.use_in_trail()))
        }
        Action::TokenStatus(account) => as_json(mailbearer.token_status(account).await),
        Action::Accounts => as_json(mailbearer.accounts().await),
        Action::RemoveAccount(account) => as_json(mailbearer.remove_account(account).await),
        Action::BeginSignIn(account) => as_json(
            mailbearer
                .begin_sign_in(account, SignInFlow::DeviceCode)
                .await,
        ),
        Action::Explain(evidence) => as_json(Ok(mailbearer.explain(evidence).into_iter().next())),
        Action::Close => as_json(mailbearer.close().await),
        Action::AdvanceClock { seconds } => {
            let body = serde_json::json!({ "seconds": seconds });
            let advanced = world.control("POST", "/sandbox/clock/advance", &body);
            advanced.await.unwrap();
            Ok(Value::Null)
        }
    }
}

fn as_json<T: Serialize>(result: Result<T>) -> Result<Value> {
    result.map(|value| serde_json::to_value(value).unwrap())
}

fn compare(expected: &Expectation, outcome: Result<Value>) -> Result<(), String> {
    match (expected, outcome) {
        (Expectation::Result(expected), Ok(result)) => contains(&result, expected, "result"),
        (Expectation::Problem(expected), Err(error)) => {
            let problem = serde_json::to_value(error.problem()).unwrap();
            contains(&problem, expected, "problem")
        }
        (_, outcome) => Err(format!("ended otherwise: {outcome:?}")),
    }
}

/// Whether `whole` has every part of `expected`: objects by key, lists by place, the rest by equality.
fn contains(whole: &Value, expected: &Value, path: &str) -> Result<(), String> {
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
