//! The sandbox, inside this process: a local Microsoft 365 for the tests of our users.
//! Everything but its beginning and end goes through its own HTTP interface, in `Sources/MailbearerSandbox`.
//! It is a crate of its own, and so a Swift module of its own, to stay out of programs that do not ask for it.

use mailbearer_sandbox::{Options, Sandbox};
use std::error::Error as _;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, Weak};

uniffi::setup_scaffolding!();

/// The sandbox cannot be started.
#[derive(Debug, uniffi::Error)]
enum SandboxFailure {
    /// Something that it needs of the machine is missing.
    NotStarted {
        /// What.
        text: String,
    },
}

impl fmt::Display for SandboxFailure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::NotStarted { text } = self;
        formatter.write_str(text)
    }
}

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
    async fn start(random_seed: Option<u64>) -> Result<Arc<Self>, SandboxFailure> {
        let options = Options {
            random_seed,
            ..Options::default()
        };
        let sandbox = Sandbox::start(options).await;
        let sandbox = sandbox.map_err(|error| {
            let cause = error.source().map(|cause| format!(": {cause}"));
            let text = format!("{error}{}", cause.unwrap_or_default());
            SandboxFailure::NotStarted { text }
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
