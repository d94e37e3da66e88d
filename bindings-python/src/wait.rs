//! Waiting for the core from a Python thread: without the interpreter's lock, and open to Ctrl-C.

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};

/// Waits for a future. A signal's exception, such as `KeyboardInterrupt`, drops it.
pub(crate) fn wait<T: Send>(py: Python<'_>, work: impl Future<Output = T> + Send) -> PyResult<T> {
    let runtime = runtime()?;
    py.detach(|| {
        runtime.block_on(async {
            tokio::pin!(work);
            loop {
                tokio::select! {
                    biased;
                    done = &mut work => return Ok(done),
                    () = tokio::time::sleep(SIGNALS_EVERY) => Python::attach(|py| py.check_signals())?,
                }
            }
        })
    })
}

/// Soon enough for a person who presses Ctrl-C, and rare enough to cost nothing.
const SIGNALS_EVERY: Duration = Duration::from_millis(50);

/// The runtime of this process. After `os.fork()` the child makes one of its own, because threads do not survive.
fn runtime() -> PyResult<Arc<Runtime>> {
    static RUNTIME: Mutex<Option<(u32, Arc<Runtime>)>> = Mutex::new(None);
    let mut known = RUNTIME.lock().unwrap_or_else(PoisonError::into_inner);
    let process = std::process::id();
    if let Some((owner, runtime)) = &*known
        && *owner == process
    {
        return Ok(runtime.clone());
    }
    let made = Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("mailbearer")
        .enable_all()
        .build();
    let runtime = Arc::new(made.map_err(|error| PyRuntimeError::new_err(error.to_string()))?);
    // The parent's runtime is left alone on purpose: its threads do not exist here, and waiting for them would hang.
    std::mem::forget(known.replace((process, runtime.clone())));
    Ok(runtime)
}
