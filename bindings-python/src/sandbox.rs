//! The sandbox inside this process: a local Microsoft 365 for the tests of our users.
//! Everything but its beginning and end goes through its own HTTP interface.

use crate::call::wait;
use mailbearer_sandbox::{Options, Sandbox};
use pyo3::exceptions::PyOSError;
use pyo3::prelude::*;
use std::error::Error as _;
use std::mem::forget;
use std::process;
use std::sync::{Mutex, PoisonError};

/// A running sandbox. It ends with the object.
#[pyclass(frozen)]
pub(crate) struct SandboxServer {
    sandbox: Mutex<Option<Sandbox>>,
    owner: u32,
    url: String,
}

/// Starts a sandbox on free ports of 127.0.0.1. With a seed, its ids and secrets are repeatable.
pub(crate) fn start(py: Python<'_>, random_seed: Option<u64>) -> PyResult<SandboxServer> {
    let options = Options {
        random_seed,
        ..Options::default()
    };
    let sandbox = wait(py, Sandbox::start(options))?.map_err(|error| {
        let cause = error.source().map(|cause| format!(": {cause}"));
        PyOSError::new_err(format!("{error}{}", cause.unwrap_or_default()))
    })?;
    Ok(SandboxServer {
        url: sandbox.inbox_url().trim_end_matches('/').to_owned(),
        sandbox: Mutex::new(Some(sandbox)),
        owner: process::id(),
    })
}

impl SandboxServer {
    fn take(&self) -> Option<Sandbox> {
        let mut sandbox = self.sandbox.lock().unwrap_or_else(PoisonError::into_inner);
        sandbox.take()
    }
}

#[pymethods]
impl SandboxServer {
    /// The address of its web inbox and of its control interface.
    #[getter]
    fn url(&self) -> &str {
        &self.url
    }

    /// Closes all its connections. May be called twice; a forked child leaves its parent's sandbox alone.
    fn stop(&self, py: Python<'_>) -> PyResult<()> {
        match self.take() {
            Some(sandbox) if self.owner == process::id() => wait(py, sandbox.shutdown()),
            others => {
                forget(others);
                Ok(())
            }
        }
    }
}

impl Drop for SandboxServer {
    fn drop(&mut self) {
        let sandbox = self.take();
        // A forked child has a copy: dropping it would remove the folder that its parent uses.
        if self.owner != process::id() {
            forget(sandbox);
        }
    }
}
