//! The sandbox, inside this process: what it knows and can do is asked for over its own HTTP interface by `sandbox.js`.

use mailbearer_sandbox::{Options, Sandbox};
use napi::Env;
use napi::bindgen_prelude::PromiseRaw;
use napi_derive::napi;
use std::sync::Arc;
use tokio::sync::Mutex;

/// A running sandbox.
#[napi]
struct SandboxHandle {
    control_url: String,
    /// Shared with the stopping, because Node may free this object before that has ended.
    sandbox: Arc<Mutex<Option<Sandbox>>>,
}

/// Starts one on free ports of 127.0.0.1.
#[napi]
async fn start_sandbox(random_seed: Option<u32>) -> napi::Result<SandboxHandle> {
    let options = Options {
        random_seed: random_seed.map(u64::from),
        ..Options::default()
    };
    let sandbox = Sandbox::start(options).await;
    let sandbox = sandbox.map_err(|error| napi::Error::from_reason(error.to_string()))?;
    let control_url = format!("{}/sandbox", sandbox.inbox_url().trim_end_matches('/'));
    Ok(SandboxHandle {
        control_url,
        sandbox: Arc::new(Mutex::new(Some(sandbox))),
    })
}

#[napi]
impl SandboxHandle {
    #[napi(getter)]
    pub fn control_url(&self) -> String {
        self.control_url.clone()
    }

    #[napi]
    pub fn stop<'env>(&self, env: &'env Env) -> napi::Result<PromiseRaw<'env, ()>> {
        let sandbox = self.sandbox.clone();
        env.spawn_future(async move {
            if let Some(sandbox) = sandbox.lock().await.take() {
                sandbox.shutdown().await;
            }
            Ok(())
        })
    }

    /// Removes its files without waiting for its tasks, for a process that ends at once.
    #[napi]
    pub fn abandon(&self) {
        if let Ok(mut sandbox) = self.sandbox.try_lock() {
            sandbox.take();
        }
    }
}
