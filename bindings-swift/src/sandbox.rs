//! The sandbox, inside this process: a local Microsoft 365 for the tests of our users.
//! Everything but its beginning and end goes through its own HTTP interface, in `Sources/MailbearerSandbox`.

use crate::Result;
use crate::cancellation::Failure;
use mailbearer::Error;
use mailbearer::model::ProblemKind;
use mailbearer_sandbox::{Options, Sandbox};
use std::error::Error as _;
use std::sync::Arc;
use tokio::sync::Mutex;

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
        Ok(Arc::new(Self {
            url: sandbox.inbox_url().trim_end_matches('/').to_owned(),
            sandbox: Mutex::new(Some(sandbox)),
        }))
    }

    /// The address of its web inbox and of its control interface.
    fn url(&self) -> String {
        self.url.clone()
    }

    /// Closes all its connections. May be called twice.
    async fn stop(&self) {
        if let Some(sandbox) = self.sandbox.lock().await.take() {
            sandbox.shutdown().await;
        }
    }
}

fn failure(text: &str) -> Failure {
    let fix = "let this program listen on 127.0.0.1 and write to the folder for temporary files";
    Error::new(ProblemKind::Unavailable, "sandbox-not-started", text, fix).into()
}
