//! The sandbox, inside this process: a local Microsoft 365 for the tests of our users.
//! Everything but its beginning and end goes through its own HTTP interface, in `Sources/MailbearerSandbox`.

use crate::Result;
use crate::cancellation::Failure;
use mailbearer::Error;
use mailbearer::model::ProblemKind;
use mailbearer_sandbox::{Options, Sandbox};
use std::error::Error as _;
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// A running sandbox. It ends with the object.
#[derive(uniffi::Object)]
struct SandboxServer {
    url: String,
    sandbox: Mutex<Option<Sandbox>>,
}

#[uniffi::export(async_runtime = "tokio")]
impl SandboxServer {
    /// Starts one on free ports of 127.0.0.1. With a seed, its ids and secrets are repeatable.
    #[uniffi::constructor]
    async fn start(random_seed: Option<u64>) -> Result<Arc<Self>> {
        let options = Options {
            random_seed,
            ..Options::default()
        };
        let sandbox = Sandbox::start(options).await;
        let sandbox = sandbox.map_err(|error| {
            let cause = error.source().map(|cause| format!(": {cause}"));
            failure(&format!("{error}{}", cause.unwrap_or_default()))
        })?;
        let server = Arc::new(Self {
            url: sandbox.inbox_url().trim_end_matches('/').to_owned(),
            sandbox: Mutex::new(Some(sandbox)),
        });
        let mut started = STARTED.lock().unwrap_or_else(PoisonError::into_inner);
        started.retain(|other| other.strong_count() > 0);
        started.push(Arc::downgrade(&server));
        Ok(server)
    }

    /// The address of its web inbox and of its control interface.
    fn url(&self) -> String {
        self.url.clone()
    }

    /// Closes all its connections. May be called twice.
    async fn stop(&self) {
        if let Some(sandbox) = self.take() {
            sandbox.shutdown().await;
        }
    }
}

impl SandboxServer {
    fn take(&self) -> Option<Sandbox> {
        let mut sandbox = self.sandbox.lock().unwrap_or_else(PoisonError::into_inner);
        sandbox.take()
    }
}

/// Removes the files of all that run, without waiting for their tasks: for a process that ends at once.
#[uniffi::export]
fn abandon_sandboxes() {
    let started = STARTED.lock().unwrap_or_else(PoisonError::into_inner);
    for server in started.iter().filter_map(Weak::upgrade) {
        drop(server.take());
    }
}

static STARTED: Mutex<Vec<Weak<SandboxServer>>> = Mutex::new(Vec::new());

fn failure(text: &str) -> Failure {
    let fix = "let this program listen on 127.0.0.1 and write to the folder for temporary files";
    Error::new(ProblemKind::Unavailable, "sandbox-not-started", text, fix).into()
}
