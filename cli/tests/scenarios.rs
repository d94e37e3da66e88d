//! Runs the cases of `scenarios/` through the real binary, one test each and one process for each action.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test may stop where it stands"
)]

#[path = "../../core/tests/support/case.rs"]
mod case;
#[expect(
    dead_code,
    reason = "shared with the tests by verb, which use all of it"
)]
#[path = "cli/harness.rs"]
mod harness;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use case::{Beginning, Case, Check, Control, ControlCall, FileToWrite, Placeholders};
use harness::{Reader, Run, World, finished, read_until, run_unsearched, spawn};
use mailbearer::{Mailbearer, SignInFlow};
use mailbearer_sandbox::directory::seed;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::io::Write as _;
use std::process::{Child, Command, ExitCode};
use tempfile::TempDir;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Action {
    Open { vault: Map<String, Value> },
    Close,
    AddAccount(Map<String, Value>),
    Accounts,
    RemoveAccount(String),
    BeginSignIn(Beginning),
    FinishSignIn(Option<String>),
    AccessToken(String),
    AccessTokenAfter(String),
    TokenStatus(String),
    Send(Value),
    SendRaw { envelope: Envelope, mime: String },
    Explain(Value),
    Examine(Value),
    SendTest(Value),
    VaultRecords,
    CheckVault,
    RotateVault(Map<String, Value>),
    MoveVault(Map<String, Value>),
    Panic,
    Control(ControlCall),
    Write(FileToWrite),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope {
    account: String,
    sender: Option<String>,
    recipients: Vec<String>,
    #[serde(default)]
    transfer: Map<String, Value>,
}

fn main() -> ExitCode {
    case::run_all("cli", skip, |case| {
        tokio::runtime::Runtime::new().unwrap().block_on(run(case))
    })
}

/// What a program that runs once for each action cannot show.
fn skip(case: &Case) -> Option<&'static str> {
    let actions = &case.r#do;
    let is_close = |action: Option<&Value>| action.and_then(Value::as_str) == Some("close");
    let opens = |action: Option<&Value>| action.is_some_and(|action| action.get("open").is_some());
    let uses_closed = (0..actions.len())
        .any(|place| is_close(actions.get(place)) && !opens(actions.get(place + 1)));
    if uses_closed {
        return Some("every call opens its own handle and closes it");
    }
    if case.expect.events.is_some() {
        return Some("a program that ends at once has no reader of events");
    }
    let renews = |action: &Value| action.pointer("/open/renewal").is_some();
    if actions.iter().any(renews) {
        return Some("a program that ends at once renews nothing in the background");
    }
    let moves_to_memory = |action: &Value| action["moveVault"]["type"] == "memory";
    if actions.iter().any(moves_to_memory) {
        return Some("the command line has no name for memory");
    }
    if !cfg!(debug_assertions) && actions.iter().any(|action| action == "panic") {
        return Some("only debug builds can be made to fail");
    }
    None
}

async fn run(case: &Case) -> Check {
    let world = World::new().await;
    let folder = case.lay_out();
    let texts = Placeholders::of(&world.sandbox, folder.path());
    let environment = case.environment.iter().map(|(name, value)| {
        let value = texts.fill(&json!(value));
        (name.clone(), text(&value).to_owned())
    });
    let mut stage = Stage {
        control: Control::of(&world.sandbox),
        vault: Vault::of(&world),
        environment: environment.collect(),
        texts,
        world,
        folder,
        login: None,
        refused: String::new(),
    };
    stage.prepare(case).await?;
    let (last, before) = case.r#do.split_last().unwrap();
    for action in before {
        let result = stage.act(action, false).await;
        result.map_err(|problem| format!("{action}: {problem}"))?;
    }
    let outcome = stage.act(last, true).await;
    if let Some(login) = stage.login.take() {
        login.give_up();
    }
    case.check_outcome(&outcome)?;
    case.check_inbox(&stage.control).await
}

/// Where a case is played.
struct Stage {
    world: World,
    control: Control,
    vault: Vault,
    environment: Vec<(String, String)>,
    texts: Placeholders,
    folder: TempDir,
    login: Option<Login>,
    /// The token that the last `accessToken` gave.
    refused: String,
}

/// The vault that calls use, and what unlocks it, as environment variables.
struct Vault {
    path: String,
    key: (&'static str, String),
}

/// A `login` that waits for the person.
struct Login {
    child: Child,
    reader: Option<Reader>,
}

impl Stage {
    /// Both accounts and the sign-in, by the library: what the binary does of this has cases of its own.
    async fn prepare(&mut self, case: &Case) -> Check {
        let passphrase = json!({ "type": "text", "text": harness::PASSPHRASE });
        let vault = json!({ "type": "file", "path": self.vault.path, "passphrase": passphrase });
        let config = serde_json::from_value(json!({ "vault": vault })).unwrap();
        let mailbearer = Mailbearer::open(config).await.unwrap();
        for account in [case::service(&self.world.sandbox), self.person()] {
            let account = serde_json::from_value(account.into()).unwrap();
            mailbearer.add_account(account).await.unwrap();
        }
        if case.signed_in {
            let prompt = mailbearer.begin_sign_in("person", SignInFlow::DeviceCode);
            let prompt = prompt.await.unwrap();
            let approval = json!({ "user_code": prompt.user_code, "user": seed::ALICE });
            let approved = self
                .control
                .call("POST", "/sandbox/devices/approve", &approval);
            approved.await?;
            mailbearer.finish_sign_in(&prompt).await.unwrap();
        }
        for call in &case.given {
            self.control(call).await?;
        }
        Ok(())
    }

    fn person(&self) -> Map<String, Value> {
        let mut account = case::service(&self.world.sandbox);
        let person = json!({
            "name": "person",
            "mailbox": seed::ALICE,
            "tenant": seed::DOMAIN,
            "clientId": seed::PUBLIC_CLIENT_ID,
            "grant": { "type": "deviceCode" },
        });
        account.extend(person.as_object().cloned().unwrap());
        account
    }

    async fn act(&mut self, action: &Value, is_last: bool) -> Result<Value, Value> {
        let mut action = self.texts.fill(action);
        if action == "finishSignIn" {
            // It may have an argument.
            action = json!({ "finishSignIn": null });
        }
        let action = serde_json::from_value(action).unwrap();
        match action {
            Action::Open { vault } => {
                self.vault = Vault::named(&vault);
                // Opening shows in the first call only.
                if is_last {
                    self.answer(&["account", "list"], "")?;
                }
                Ok(Value::Null)
            }
            Action::Close => Ok(Value::Null),
            Action::AddAccount(given) => self.add_account(given),
            Action::Accounts => self.part(&["account", "list"], "/accounts"),
            Action::RemoveAccount(name) => {
                let removed = self.answer(&["account", "remove", &name], "");
                removed.map(|_| Value::Null)
            }
            Action::BeginSignIn(beginning) => self.begin_sign_in(beginning),
            Action::FinishSignIn(redirected_to) => self.finish_sign_in(redirected_to.as_deref()),
            Action::AccessToken(account) => {
                let (token, rest) = self.access_token(&["token", &account], "")?;
                self.refused = token;
                Ok(rest)
            }
            Action::AccessTokenAfter(account) => {
                let arguments = ["token", &account, "--refused-stdin"];
                let (token, rest) = self.access_token(&arguments, &self.refused)?;
                Ok(json!({ "mailbox": rest["mailbox"], "isNew": token != self.refused }))
            }
            Action::TokenStatus(account) => self.part(&["status", &account], "/accounts/0/token"),
            Action::Send(message) => {
                let sent = self.answer(&["send", "--message", "-"], &message.to_string());
                sent.map(|document| document["delivery"].clone())
            }
            Action::SendRaw { envelope, mime } => self.send_raw(&envelope, &mime),
            Action::Explain(evidence) => {
                let explained = self.answer(&["explain", "--evidence", "-"], &evidence.to_string());
                explained.map(|document| document["diagnoses"][0].clone())
            }
            Action::Examine(order) => {
                let mut words = vec!["doctor", text(&order["account"])];
                let senders = order["senders"].as_array().cloned().unwrap_or_default();
                for sender in &senders {
                    words.extend(["--sender", text(sender)]);
                }
                let run = self.world.run_with(&mut self.command(&words), "");
                examination(&run)
            }
            Action::SendTest(order) => {
                let mut words = vec!["test", text(&order["account"])];
                let to = order["to"].as_array().cloned().unwrap_or_default();
                for address in &to {
                    words.extend(["--to", text(address)]);
                }
                self.part(&words, "/test")
            }
            Action::VaultRecords => self.part(&["vault", "list"], "/records"),
            Action::CheckVault => self.part(&["vault", "check"], "/report"),
            Action::RotateVault(passphrase) => {
                let mut command = self.command(&["vault", "rotate"]);
                command.env("MAILBEARER_NEW_PASSPHRASE", text(&passphrase["text"]));
                answer(&self.world.run_with(&mut command, "")).map(|_| Value::Null)
            }
            Action::MoveVault(to) => {
                let to = Vault::named(&to);
                let mut command = self.command(&["vault", "move", "--to", &to.path]);
                command.env("MAILBEARER_NEW_PASSPHRASE", &to.key.1);
                answer(&self.world.run_with(&mut command, ""))
                    .map(|document| document["moved"].clone())
            }
            Action::Panic => self.answer(&["panic"], ""),
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

    fn add_account(&self, given: Map<String, Value>) -> Result<Value, Value> {
        let mut account = case::service(&self.world.sandbox);
        account.extend(given);
        let mut command = self.command(&["account", "add"]);
        command.arg(text(&account["name"]));
        for option in ["mailbox", "tenant", "clientId", "cloud"] {
            add_option(&mut command, option, account.get(option));
        }
        if let Some(end) = account.get("secretExpiresAtUnixMs") {
            let end = jiff::Timestamp::from_millisecond(end.as_i64().unwrap()).unwrap();
            let day = end.strftime("%Y-%m-%d").to_string();
            command.args(["--secret-expires", &day]);
        }
        for (part, value) in account["grant"].as_object().unwrap() {
            match part.as_str() {
                "type" => {
                    let name = kebab(text(value).trim_end_matches("Pkcs12"));
                    command.args(["--grant", &name])
                }
                "clientSecret" => command.env("MAILBEARER_CLIENT_SECRET", text(value)),
                "certificatePem" => {
                    let file = self.world.write("certificate.pem", text(value));
                    command.args(["--certificate-file", &file])
                }
                "privateKeyPem" => {
                    let file = self.world.write("key.pem", text(value));
                    command.args(["--private-key-file", &file])
                }
                "pkcs12" => {
                    let path = self.world.path("certificate.p12");
                    std::fs::write(&path, STANDARD.decode(text(value)).unwrap()).unwrap();
                    command.arg("--pkcs12-file").arg(path)
                }
                "passphrase" => command.env("MAILBEARER_PKCS12_PASSPHRASE", text(value)),
                "password" => command.env("MAILBEARER_PASSWORD", text(value)),
                "username" => command.args(["--username", text(value)]),
                "tokenFile" => command.args(["--federated-token-file", text(value)]),
                "command" => {
                    let words: Vec<_> = value.as_array().unwrap().iter().map(text).collect();
                    command.args(["--token-command", &shell_words::join(words)])
                }
                other => panic!("unknown part of a grant: {other}"),
            };
        }
        for option in ["route", "fallback"] {
            if let Some(route) = account.get(option) {
                command.args([format!("--{option}"), route.to_string()]);
            }
        }
        for (option, value) in account["endpoints"].as_object().unwrap() {
            if option == "caPem" {
                command.args(["--ca-file", &self.world.write("ca.pem", text(value))]);
            } else {
                add_option(&mut command, option, Some(value));
            }
        }
        let run = self.world.run_with(&mut command, "");
        answer(&run).map(|document| document["account"].clone())
    }

    fn send_raw(&self, envelope: &Envelope, mime: &str) -> Result<Value, Value> {
        let file = self.world.write("raw.eml", mime);
        let mut command = self.command(&["send", "--eml", &file, "--account", &envelope.account]);
        if let Some(sender) = &envelope.sender {
            command.args(["--from", sender]);
        }
        for recipient in &envelope.recipients {
            command.args(["--to", recipient]);
        }
        for (option, value) in &envelope.transfer {
            match option.as_str() {
                "notification" => {
                    add_option(&mut command, "envelopeId", value.get("envelopeId"));
                    add_option(&mut command, "returned", value.get("returned"));
                    add_option(&mut command, "notify", value.get("notify"));
                }
                "requireTls" if value == true => drop(command.arg("--require-tls")),
                "priority" => add_option(&mut command, "transferPriority", Some(value)),
                other => panic!("unknown option of a transfer: {other}"),
            }
        }
        let run = self.world.run_with(&mut command, "");
        answer(&run).map(|document| document["delivery"].clone())
    }

    /// The token, and what is said beside it.
    fn access_token(&self, arguments: &[&str], stdin: &str) -> Result<(String, Value), Value> {
        // The token is what was asked for; nothing else may hold it.
        let run = run_unsearched(&mut self.command(arguments), stdin);
        assert_eq!(run.stderr, "");
        let mut document = answer(&run)?;
        let rest = document["accessToken"].as_object_mut().unwrap();
        let token = rest.remove("token").unwrap();
        Ok((text(&token).to_owned(), document["accessToken"].take()))
    }

    fn begin_sign_in(&mut self, beginning: Beginning) -> Result<Value, Value> {
        let (account, flow) = beginning.parts();
        let mut command = self.command(&["login", &account]);
        if flow == SignInFlow::AuthorizationCode {
            command.arg("--browser");
        }
        let mut child = spawn(&mut command);
        let mut reader = None;
        let line = read_until(&mut child, &mut reader, "\n");
        let document: Value = serde_json::from_str(&line).unwrap();
        let Some(prompt) = document.get("prompt") else {
            return Err(document["error"].clone());
        };
        self.texts.set("USER_CODE", text(&prompt["userCode"]));
        self.texts
            .set("SIGN_IN_URL", text(&prompt["verificationUrl"]));
        self.login = Some(Login { child, reader });
        Ok(prompt.clone())
    }

    fn finish_sign_in(&mut self, redirected_to: Option<&str>) -> Result<Value, Value> {
        let mut login = self.login.take().unwrap();
        if let (Some(address), Some(stdin)) = (redirected_to, &mut login.child.stdin) {
            writeln!(stdin, "{address}").unwrap();
        }
        let line = read_until(&mut login.child, &mut login.reader, "\n");
        let run = finished(login.child, line);
        self.world.search(&run);
        answer(&run).map(|document| document["status"].clone())
    }

    fn part(&self, arguments: &[&str], pointer: &str) -> Result<Value, Value> {
        let document = self.answer(arguments, "")?;
        Ok(document.pointer(pointer).cloned().unwrap_or_default())
    }

    /// Runs a verb on the vault in use.
    fn answer(&self, arguments: &[&str], stdin: &str) -> Result<Value, Value> {
        let run = self.world.run_with(&mut self.command(arguments), stdin);
        answer(&run)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.world.command(arguments);
        command.arg("--json");
        command.env("MAILBEARER_VAULT", &self.vault.path);
        let (variable, value) = &self.vault.key;
        command.env_remove("MAILBEARER_PASSPHRASE");
        command.env(variable, value);
        command.envs(self.environment.iter().cloned());
        command
    }
}

impl Vault {
    fn of(world: &World) -> Self {
        Self {
            path: world.path("vault.mbv").to_str().unwrap().to_owned(),
            key: ("MAILBEARER_PASSPHRASE", harness::PASSPHRASE.to_owned()),
        }
    }

    /// The vault of a configuration.
    fn named(settings: &Map<String, Value>) -> Self {
        let scheme = match text(&settings["type"]) {
            "file" => "",
            "sqlite" => "sqlite:",
            other => panic!("unknown vault: {other}"),
        };
        let passphrase = &settings["passphrase"];
        let (variable, value) = match text(&passphrase["type"]) {
            "text" => ("MAILBEARER_PASSPHRASE", &passphrase["text"]),
            "keyFile" => ("MAILBEARER_KEY_FILE", &passphrase["path"]),
            other => panic!("unknown passphrase: {other}"),
        };
        Self {
            path: format!("{scheme}{}", text(&settings["path"])),
            key: (variable, text(value).to_owned()),
        }
    }
}

impl Login {
    fn give_up(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// The document of a run, or the problem it tells; the exit code must say the same.
fn answer(run: &Run) -> Result<Value, Value> {
    let document: Value = serde_json::from_str(&run.stdout)
        .unwrap_or_else(|error| panic!("not one document, {error}: {run:?}"));
    let Some(problem) = document.get("error") else {
        assert!(matches!(run.code, 0 | 1 | 3), "{run:?}");
        return Ok(document);
    };
    assert_eq!(run.code, exit_code(text(&problem["kind"])), "{run:?}");
    Err(problem.clone())
}

/// What is wrong with an account is what was asked for, and decides the exit code as an error would.
fn examination(run: &Run) -> Result<Value, Value> {
    let document: Value = serde_json::from_str(&run.stdout).unwrap();
    let Some(examination) = document.pointer("/examinations/0") else {
        return Err(document["error"].clone());
    };
    let findings = examination["findings"].as_array().unwrap();
    let broken = findings.iter().find(|one| one["health"] == "broken");
    let expected = match (text(&examination["health"]), broken) {
        (_, Some(finding)) => exit_code(text(&finding["problems"][0]["kind"])),
        ("warning", None) => 4,
        _ => 0,
    };
    assert_eq!(run.code, expected, "{run:?}");
    Ok(examination.clone())
}

fn exit_code(kind: &str) -> i32 {
    match kind {
        "misuse" => 2,
        "rejected" => 65,
        "unavailable" => 69,
        "internal" => 70,
        "storage" => 74,
        "throttled" => 75,
        "signIn" => 77,
        "config" => 78,
        "consent" => 79,
        _ => panic!("unknown kind: {kind}"),
    }
}

fn add_option(command: &mut Command, name: &str, value: Option<&Value>) {
    let values = match value {
        None => return,
        Some(Value::Array(values)) => values.as_slice(),
        Some(value) => std::slice::from_ref(value),
    };
    // A list is an option that may be repeated, in the singular.
    let name = kebab(name.trim_end_matches('s'));
    for value in values {
        let value = value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned);
        command.arg(format!("--{name}")).arg(value);
    }
}

/// `clientId` as the command line writes it: `client-id`.
fn kebab(name: &str) -> String {
    let parts = name.chars().map(|letter| match letter {
        'A'..='Z' => format!("-{}", letter.to_ascii_lowercase()),
        _ => letter.to_string(),
    });
    parts.collect()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}
