//! The native module of the Python package: each method of the handle in three lines, data in and data out.
//! What people see is in `python/mailbearer`; this module only converts, waits, and raises.

mod call;
mod data;
mod error;
mod logging;
mod sandbox;

/// The native module.
#[pyo3::pymodule]
mod _mailbearer {
    use crate::data::Data;
    use crate::error::raise;
    use crate::{logging, sandbox};
    use mailbearer::model::{LogLevel, Passphrase, VaultSettings};
    use mailbearer::{
        Config, Diagnosis, Envelope, Events, Evidence, Mailbearer, Message, NewAccount, Result,
        SignInFlow, SignInPrompt,
    };
    use pyo3::exceptions::PyImportError;
    use pyo3::prelude::*;
    use serde::Serialize;
    use std::sync::{Arc, OnceLock};

    #[pymodule_export]
    use crate::call::Call;
    #[pymodule_export]
    use crate::logging::LogReader;
    #[pymodule_export]
    use crate::sandbox::SandboxServer;

    /// Refuses a second interpreter in this process: classes and constants are kept once for all of it.
    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        static OWNER: OnceLock<usize> = OnceLock::new();
        // Every interpreter has builtins of its own.
        let interpreter = module.py().import("builtins")?.as_ptr() as usize;
        if *OWNER.get_or_init(|| interpreter) == interpreter {
            return Ok(());
        }
        Err(PyImportError::new_err(
            "mailbearer is in use by another interpreter of this process and has no support for subinterpreters: \
             use processes instead (with mod_wsgi: WSGIApplicationGroup %{GLOBAL})",
        ))
    }

    /// A handle of the core.
    #[pyclass(frozen)]
    struct Handle(Mailbearer);

    /// A reader of events.
    #[pyclass(frozen)]
    struct EventReader(Arc<Events>);

    #[pyfunction]
    fn open(config: Data<Config>) -> Call {
        Call::object(async move { Mailbearer::open(config.0).await.map(Handle) })
    }

    impl Handle {
        fn call<T: Serialize + Send + 'static, F>(&self, work: impl FnOnce(Mailbearer) -> F) -> Call
        where
            F: Future<Output = Result<T>> + Send + 'static,
        {
            Call::new(work(self.0.clone()))
        }

        fn quick<T: Serialize + Send + 'static, F>(
            &self,
            work: impl FnOnce(Mailbearer) -> F,
        ) -> Call
        where
            F: Future<Output = Result<T>> + Send + 'static,
        {
            Call::quick(work(self.0.clone()))
        }
    }

    #[pymethods]
    impl Handle {
        fn close(&self) -> Call {
            self.call(|handle| async move { handle.close().await })
        }

        fn add_account(&self, account: Data<NewAccount>) -> Call {
            self.call(|handle| async move { handle.add_account(account.0).await })
        }

        fn accounts(&self) -> Call {
            self.quick(|handle| async move { handle.accounts().await })
        }

        fn remove_account(&self, account: String) -> Call {
            self.call(|handle| async move { handle.remove_account(&account).await })
        }

        fn begin_sign_in(&self, account: String, flow: Data<SignInFlow>) -> Call {
            self.call(|handle| async move { handle.begin_sign_in(&account, flow.0).await })
        }

        fn finish_sign_in(&self, prompt: Data<SignInPrompt>) -> Call {
            self.call(|handle| async move { handle.finish_sign_in(&prompt.0).await })
        }

        fn access_token(&self, account: String) -> Call {
            self.quick(|handle| async move { handle.revealed_access_token(&account).await })
        }

        fn access_token_after(&self, account: String, refused: String) -> Call {
            self.call(|handle| async move {
                handle.revealed_access_token_after(&account, &refused).await
            })
        }

        fn token_status(&self, account: String) -> Call {
            self.quick(|handle| async move { handle.token_status(&account).await })
        }

        fn send(&self, message: Data<Message>) -> Call {
            self.call(|handle| async move { handle.send(message.0).await })
        }

        fn send_raw(&self, envelope: Data<Envelope>, mime: &[u8]) -> Call {
            let mime = mime.into();
            self.call(|handle| async move { handle.send_raw(envelope.0, mime).await })
        }

        fn vault_records(&self) -> Call {
            self.call(|handle| async move { handle.vault_records().await })
        }

        fn check_vault(&self) -> Call {
            self.call(|handle| async move { handle.check_vault().await })
        }

        fn rotate_vault(&self, passphrase: Data<Passphrase>) -> Call {
            self.call(|handle| async move { handle.rotate_vault(passphrase.0).await })
        }

        fn move_vault(&self, to: Data<VaultSettings>) -> Call {
            self.call(|handle| async move { handle.move_vault(to.0).await })
        }

        fn events(&self) -> EventReader {
            EventReader(Arc::new(self.0.events()))
        }

        fn explain(&self, evidence: Data<Evidence>) -> Data<Vec<Diagnosis>> {
            Data(self.0.explain(&evidence.0))
        }
    }

    #[pymethods]
    impl EventReader {
        fn next(&self) -> Call {
            let events = self.0.clone();
            Call::quick(async move { Ok(events.next().await) })
        }
    }

    /// Hands the log of the whole process to a new reader.
    #[pyfunction]
    fn read_log(py: Python<'_>, level: Data<LogLevel>) -> PyResult<LogReader> {
        let (reader, sink) = logging::queue();
        let forwarded = mailbearer::logging::forward(level.0, sink);
        forwarded.map_err(|error| raise(py, error))?;
        Ok(reader)
    }

    #[pyfunction]
    fn stop_log() {
        mailbearer::logging::stop();
    }

    #[pyfunction]
    #[pyo3(signature = (random_seed=None))]
    fn start_sandbox(py: Python<'_>, random_seed: Option<u64>) -> PyResult<SandboxServer> {
        sandbox::start(py, random_seed)
    }

    /// A fault of ours, for the tests: only debug builds have it.
    #[cfg(debug_assertions)]
    #[pyfunction]
    fn _panic() -> Call {
        // Resumed rather than begun, to spare the log a backtrace.
        Call::new(async { std::panic::resume_unwind(Box::new("as the test asks")) as Result<()> })
    }
}
