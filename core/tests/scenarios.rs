//! Runs the cases of `scenarios/` through the handle, one test each. Every language runs the same cases.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "tests may stop where they stand"
)]

#[path = "support/case.rs"]
mod case;
mod support;

use case::{Beginning, Case, Check, Control, ControlCall, FileToWrite, Placeholders, contains};
use mailbearer::error::caught;
use mailbearer::model::{Config, Evidence, Message, Passphrase, VaultSettings};
use mailbearer::{Envelope, Mailbearer, Problem, Result, SignInPrompt};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::panic::resume_unwind;
use std::process::ExitCode;
use std::sync::Arc;
use support::{Variables, World, timeouts};
use tempfile::TempDir;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Action {
    Open(Box<Config>),
    Close,
    AddAccount(Map<String, Value>),
    Accounts,
    RemoveAccount(String),
    BeginSignIn(Beginning),
    FinishSignIn(Option<String>),
    AccessToken(String),
    AccessTokenAfter(String),
    TokenStatus(String),
    Send(Box<Message>),
    SendRaw { envelope: Envelope, mime: String },
    Explain(Evidence),
    VaultRecords,
    CheckVault,
    RotateVault(Passphrase),
    MoveVault(VaultSettings),
    Panic,
    Control(ControlCall),
    Write(FileToWrite),
}

fn main() -> ExitCode {
    case::run_all(
        "rust",
        |_| None,
        |case| tokio::runtime::Runtime::new().unwrap().block_on(run(case)),
    )
}

async fn run(case: &Case) -> Check {
    let environment = Arc::new(Variables::default());
    let world = World::start_in(environment.clone()).await;
    let folder = case.lay_out();
    let mut stage = Stage {
        mailbearer: world.mailbearer.clone(),
        control: Control::of(&world.sandbox),
        texts: Placeholders::of(&world.sandbox, folder.path()),
        world: &world,
        folder,
        prompt: None,
        refused: String::new(),
    };
    for (name, value) in &case.environment {
        let value = stage.texts.fill(&json!(value));
        let value = value.as_str().unwrap().to_owned();
        environment.0.lock().unwrap().insert(name.clone(), value);
    }
    if case.signed_in {
        world.sign_in().await;
    }
    for call in &case.given {
        stage.control(call).await?;
    }
    let events = world.mailbearer.events();
    let (last, before) = case.r#do.split_last().unwrap();
    for action in before {
        let result = stage.act(action).await;
        result.map_err(|problem| format!("{action}: {problem:?}"))?;
    }
    let outcome = stage.act(last).await;
    world.assert_no_secret_in(&format!("{outcome:?}"));
    let as_problem = |error| serde_json::to_value(Problem::from(error)).unwrap();
    case.check_outcome(&outcome.map_err(as_problem))?;
    case.check_inbox(&stage.control).await?;
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

/// Where a case is played.
struct Stage<'a> {
    world: &'a World,
    control: Control,
    mailbearer: Mailbearer,
    texts: Placeholders,
    folder: TempDir,
    prompt: Option<SignInPrompt>,
    /// The token that the last `accessToken` gave.
    refused: String,
}

impl Stage<'_> {
    async fn act(&mut self, action: &Value) -> Result<Value> {
        let action = as_object(self.texts.fill(action));
        let action = serde_json::from_value(action).unwrap();
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
                let mut account = case::service(&self.world.sandbox);
                account.extend(given);
                let account = serde_json::from_value(account.into()).unwrap();
                as_json(mailbearer.add_account(account).await)
            }
            Action::Accounts => as_json(mailbearer.accounts().await),
            Action::RemoveAccount(account) => as_json(mailbearer.remove_account(&account).await),
            Action::BeginSignIn(beginning) => {
                let (account, flow) = beginning.parts();
                let prompt = mailbearer.begin_sign_in(&account, flow).await?;
                self.texts.set("USER_CODE", &prompt.user_code);
                self.texts.set("SIGN_IN_URL", &prompt.verification_url);
                as_json(Ok(self.prompt.insert(prompt)))
            }
            Action::FinishSignIn(redirected_to) => {
                let prompt = SignInPrompt {
                    redirected_to,
                    ..self.prompt.clone().unwrap()
                };
                as_json(mailbearer.finish_sign_in(&prompt).await)
            }
            Action::AccessToken(account) => {
                let token = mailbearer.revealed_access_token(&account).await?;
                let expires = token.expires_at_unix_ms;
                self.refused = token.token;
                Ok(json!({ "mailbox": token.mailbox, "expiresAtUnixMs": expires }))
            }
            Action::AccessTokenAfter(account) => {
                let renewing = mailbearer.revealed_access_token_after(&account, &self.refused);
                let token = renewing.await?;
                let is_new = token.token != self.refused;
                Ok(json!({ "mailbox": token.mailbox, "isNew": is_new }))
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
            Action::VaultRecords => as_json(mailbearer.vault_records().await),
            Action::CheckVault => as_json(mailbearer.check_vault().await),
            Action::RotateVault(passphrase) => as_json(mailbearer.rotate_vault(passphrase).await),
            Action::MoveVault(to) => as_json(mailbearer.move_vault(to).await),
            // Resumed rather than begun, to spare the log a backtrace.
            Action::Panic => caught(async { resume_unwind(Box::new("as the case asks")) }).await,
            Action::Control(call) => {
                self.control(&call).await.unwrap();
                Ok(Value::Null)
            }
            Action::Write(file) => {
                file.write(self.folder.path());
                Ok(Value::Null)
            }
        }
    }

    async fn control(&mut self, call: &ControlCall) -> Check {
        self.control.perform(call, &mut self.texts).await
    }
}

/// `"finishSignIn"` as `{"finishSignIn": null}`, because it may have an argument.
fn as_object(action: Value) -> Value {
    match action.as_str() {
        Some(name @ "finishSignIn") => json!({ name: null }),
        _ => action,
    }
}

fn as_json<T: Serialize>(result: Result<T>) -> Result<Value> {
    result.map(|value| serde_json::to_value(value).unwrap())
}
