//! The cases of `scenarios/`, and what every runner written in Rust does with them: the handle's own and the command
//! line's. `scenarios/README.md` says what each field means.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use libtest_mimic::{Arguments, Trial};
use mailbearer::host::{HttpClient as _, SystemHttp};
use mailbearer_sandbox::Sandbox;
use mailbearer_sandbox::directory::seed;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use tempfile::TempDir;

/// One case: what is given, what is done, what must come of it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Case {
    title: String,
    practices: Vec<u8>,
    #[serde(default)]
    pub(crate) signed_in: bool,
    #[serde(default)]
    files: BTreeMap<String, String>,
    #[serde(default)]
    pub(crate) environment: BTreeMap<String, String>,
    #[serde(default)]
    pub(crate) given: Vec<ControlCall>,
    pub(crate) r#do: Vec<Value>,
    pub(crate) expect: Expectation,
    #[serde(default)]
    inbox: usize,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ControlCall {
    method: String,
    path: String,
    #[serde(default)]
    body: Value,
    /// Members of the answer that later texts name, by the placeholder without its `$`.
    #[serde(default)]
    keep: BTreeMap<String, String>,
}

/// What `beginSignIn` takes: an account's name, or that and the flow.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum Beginning {
    Account(String),
    Flow {
        account: String,
        flow: mailbearer::SignInFlow,
    },
}

impl Beginning {
    pub(crate) fn parts(self) -> (String, mailbearer::SignInFlow) {
        match self {
            Self::Account(account) => (account, mailbearer::SignInFlow::DeviceCode),
            Self::Flow { account, flow } => (account, flow),
        }
    }
}

/// A file that a case writes while it runs.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FileToWrite {
    file: String,
    text: String,
}

impl FileToWrite {
    pub(crate) fn write(&self, folder: &Path) {
        let path = folder.join(&self.file);
        std::fs::write(&path, &self.text).unwrap();
        only_for_the_owner(&path);
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Expectation {
    #[serde(default, deserialize_with = "present")]
    result: Option<Value>,
    problem: Option<Value>,
    mail: Option<Value>,
    #[serde(default)]
    headers: BTreeMap<String, Option<String>>,
    #[serde(default)]
    source: Vec<String>,
    pub(crate) events: Option<Value>,
}

/// A `null` that stands there is expected, unlike one that is left out.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

pub(crate) type Check = Result<(), String>;

/// Runs every case as a test of its own, and writes the report when one is asked for.
/// `skip` says why a case is left out, which only the nature of a language can justify.
pub(crate) fn run_all(
    language: &str,
    skip: fn(&Case) -> Option<&'static str>,
    run: fn(&Case) -> Check,
) -> ExitCode {
    let report = Arc::new(Mutex::new(BTreeMap::new()));
    let trials = read_cases().into_iter().map(|(name, case)| {
        let report = report.clone();
        let skipped = skip(&case);
        if let Some(why) = skipped {
            let verdict = format!("skipped: {why}");
            report.lock().unwrap().insert(name.clone(), verdict);
        }
        let trial = Trial::test(name.clone(), move || {
            let outcome = caught(|| run(&case));
            let verdict = match &outcome {
                Ok(()) => "passed".to_owned(),
                Err(failure) => format!("failed: {failure}"),
            };
            report.lock().unwrap().insert(name, verdict);
            Ok(outcome?)
        });
        trial.with_ignored_flag(skipped.is_some())
    });
    let conclusion = libtest_mimic::run(&Arguments::from_args(), trials.collect());
    if let Some(folder) = std::env::var_os("MAILBEARER_SCENARIO_REPORTS") {
        let path = PathBuf::from(folder).join(format!("{language}.json"));
        std::fs::write(path, serde_json::to_vec(&*report).unwrap()).unwrap();
    }
    conclusion.exit_code()
}

/// A failed assertion is a failure of the case like any other.
fn caught(run: impl FnOnce() -> Check) -> Check {
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
        Err(text.unwrap_or("panicked").to_owned())
    })
}

fn read_cases() -> BTreeMap<String, Case> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../scenarios");
    let entries = std::fs::read_dir(folder).unwrap().flatten();
    let folders = entries.filter(|entry| entry.path().is_dir());
    let cases = folders.map(|entry| {
        let name = entry.file_name().into_string().unwrap();
        let text = std::fs::read_to_string(entry.path().join("case.json")).unwrap();
        let case: Case = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert!(case.title.len() > 10, "{name}: the title says nothing");
        assert!(!case.practices.is_empty(), "{name}: belongs to no practice");
        let expect = &case.expect;
        let ends_once = expect.result.is_some() != expect.problem.is_some();
        assert!(ends_once, "{name}: expects a result or a problem");
        (name, case)
    });
    cases.collect()
}

impl Case {
    /// Writes the files of the case.
    pub(crate) fn lay_out(&self) -> TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, octets) in &self.files {
            let path = folder.path().join(name);
            std::fs::write(&path, STANDARD.decode(octets).unwrap()).unwrap();
            only_for_the_owner(&path);
        }
        folder
    }

    /// Whether the last action ended as it should: with a result, or with a problem.
    pub(crate) fn check_outcome(&self, outcome: &Result<Value, Value>) -> Check {
        match (&self.expect.result, &self.expect.problem, outcome) {
            (Some(expected), _, Ok(result)) => contains(result, expected, "result"),
            (_, Some(expected), Err(problem)) => contains(problem, expected, "problem"),
            _ => Err(format!("ended otherwise: {outcome:?}")),
        }
    }

    /// Whether as many mails arrived as should, and the newest as it should.
    pub(crate) async fn check_inbox(&self, control: &Control) -> Check {
        let list = control.fetch_json("/api/mails").await?;
        let mails = list["mails"].as_array().unwrap();
        if mails.len() != self.inbox {
            return Err(format!("{} mails arrived, not {}", mails.len(), self.inbox));
        }
        match mails.first() {
            Some(newest) => {
                let path = format!("/api/mails/{}", newest["id"].as_str().unwrap());
                self.check_mail(control, &path).await
            }
            None => Ok(()),
        }
    }

    async fn check_mail(&self, control: &Control, path: &str) -> Check {
        let mail = control.fetch_json(path).await?;
        contains(
            &mail,
            self.expect.mail.as_ref().unwrap_or(&json!({})),
            "mail",
        )?;
        for (name, expected) in &self.expect.headers {
            check_header(&mail["headers"], name, expected.as_deref())?;
        }
        let path = format!("{path}/source");
        let source = control.call("GET", &path, &Value::Null).await?;
        let source = String::from_utf8_lossy(&source);
        let missing = self
            .expect
            .source
            .iter()
            .find(|text| !source.contains(*text));
        missing.map_or(Ok(()), |text| Err(format!("{text:?} is not in {source:?}")))
    }
}

/// The sandbox's control interface.
pub(crate) struct Control(String);

/// What stands for the texts of this run, by name without the `$`.
#[derive(Debug)]
pub(crate) struct Placeholders(BTreeMap<String, String>);

impl Placeholders {
    pub(crate) fn of(sandbox: &Sandbox, folder: &Path) -> Self {
        let mut placeholders = Self(BTreeMap::new());
        placeholders.set("FOLDER", folder.to_str().unwrap());
        placeholders.set("IDENTITY_URL", &sandbox.identity_url());
        placeholders
    }

    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.0.insert(name.to_owned(), value.to_owned());
    }

    /// The text or data with the values of this run. No name is the beginning of another.
    pub(crate) fn fill(&self, data: &Value) -> Value {
        let mut text = data.to_string();
        for (name, value) in &self.0 {
            let value = json!(value).to_string();
            // Without the quotation marks around it.
            let value = value.trim_matches('"');
            text = text.replace(&format!("${name}"), value);
        }
        serde_json::from_str(&text).unwrap()
    }
}

impl Control {
    pub(crate) fn of(sandbox: &Sandbox) -> Self {
        Self(sandbox.inbox_url().trim_end_matches('/').to_owned())
    }

    /// A call as a case has it, whose answer may give placeholders.
    pub(crate) async fn perform(&self, call: &ControlCall, texts: &mut Placeholders) -> Check {
        let path = texts.fill(&json!(call.path));
        let body = texts.fill(&call.body);
        let answer = self
            .call(&call.method, path.as_str().unwrap(), &body)
            .await?;
        if call.keep.is_empty() {
            return Ok(());
        }
        let answer: Value = serde_json::from_slice(&answer).unwrap();
        for (name, member) in &call.keep {
            let kept = answer[member].as_str();
            let kept = kept.ok_or_else(|| format!("{}: no {member} in the answer", call.path))?;
            texts.set(name, kept);
        }
        Ok(())
    }

    /// What the sandbox answers; what it complains about is the error.
    pub(crate) async fn call(
        &self,
        method: &str,
        path: &str,
        body: &Value,
    ) -> Result<Vec<u8>, String> {
        let request = http::Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.0))
            .header("content-type", "application/json")
            .body(serde_json::to_vec(body).unwrap())
            .unwrap();
        let response = SystemHttp::default().call(request).await.unwrap();
        if response.status().is_success() {
            return Ok(response.into_body());
        }
        let answer = String::from_utf8_lossy(response.body());
        Err(format!("{method} {path}: {answer}"))
    }

    async fn fetch_json(&self, path: &str) -> Result<Value, String> {
        let answer = self.call("GET", path, &Value::Null).await?;
        serde_json::from_slice(&answer).map_err(|error| format!("{path}: {error}"))
    }
}

/// The account `service` as data, to make others from.
pub(crate) fn service(sandbox: &Sandbox) -> Map<String, Value> {
    let account = json!({
        "name": "service",
        "mailbox": seed::BILLING,
        "tenant": seed::TENANT_ID,
        "clientId": seed::SERVICE_CLIENT_ID,
        "grant": { "type": "clientSecret", "clientSecret": seed::SERVICE_CLIENT_SECRET },
        "endpoints": {
            "authority": sandbox.identity_url(),
            "smtpHost": "localhost",
            "smtpPort": sandbox.smtp_address().port(),
            "caPem": sandbox.ca_pem(),
        },
    });
    account.as_object().cloned().unwrap()
}

#[cfg(unix)]
fn only_for_the_owner(path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

#[cfg(not(unix))]
fn only_for_the_owner(_: &Path) {}

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
pub(crate) fn contains(whole: &Value, expected: &Value, path: &str) -> Check {
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
