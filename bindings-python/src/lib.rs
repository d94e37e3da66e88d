//! The native module of the Python package: each method of the handle in three lines, data in and data out.
//! What people see is in `python/mailbearer`; this module only converts, waits, and raises.

mod data;
mod error;
mod wait;

/// The native module.
#[pyo3::pymodule]
mod _mailbearer {
    use crate::data::Data;
    use crate::error::raise;
    use crate::wait::wait;
    use mailbearer::model::RevealedAccessToken;
    use mailbearer::{
        Account, Config, Delivery, Diagnosis, Envelope, Event, Events, Evidence, Mailbearer,
        Message, NewAccount, SignInFlow, SignInPrompt, TokenStatus,
    };
    use pyo3::prelude::*;

    /// A handle of the core.
    #[pyclass(frozen)]
    struct Handle(Mailbearer);

    /// A reader of events.
    #[pyclass(frozen)]
    struct EventReader(Events);

    #[pyfunction]
    fn open(py: Python<'_>, config: Data<Config>) -> PyResult<Handle> {
        let opened = wait(py, Mailbearer::open(config.0))?;
        opened.map(Handle).map_err(|error| raise(py, error))
    }

    #[pymethods]
    impl Handle {
        fn close(&self, py: Python<'_>) -> PyResult<()> {
            wait(py, self.0.close())?.map_err(|error| raise(py, error))
        }

        fn add_account(
            &self,
            py: Python<'_>,
            account: Data<NewAccount>,
        ) -> PyResult<Data<Account>> {
            let added = wait(py, self.0.add_account(account.0))?;
            added.map(Data).map_err(|error| raise(py, error))
        }

        fn accounts(&self, py: Python<'_>) -> PyResult<Data<Vec<Account>>> {
            let accounts = wait(py, self.0.accounts())?;
            accounts.map(Data).map_err(|error| raise(py, error))
        }

        fn remove_account(&self, py: Python<'_>, account: &str) -> PyResult<()> {
            wait(py, self.0.remove_account(account))?.map_err(|error| raise(py, error))
        }

        fn begin_sign_in(
            &self,
            py: Python<'_>,
            account: &str,
            flow: Data<SignInFlow>,
        ) -> PyResult<Data<SignInPrompt>> {
            let prompt = wait(py, self.0.begin_sign_in(account, flow.0))?;
            prompt.map(Data).map_err(|error| raise(py, error))
        }

        fn finish_sign_in(
            &self,
            py: Python<'_>,
            prompt: Data<SignInPrompt>,
        ) -> PyResult<Data<TokenStatus>> {
            let status = wait(py, self.0.finish_sign_in(&prompt.0))?;
            status.map(Data).map_err(|error| raise(py, error))
        }

        fn access_token(
            &self,
            py: Python<'_>,
            account: &str,
        ) -> PyResult<Data<RevealedAccessToken>> {
            let token = wait(py, self.0.revealed_access_token(account))?;
            token.map(Data).map_err(|error| raise(py, error))
        }

        fn token_status(&self, py: Python<'_>, account: &str) -> PyResult<Data<TokenStatus>> {
            let status = wait(py, self.0.token_status(account))?;
            status.map(Data).map_err(|error| raise(py, error))
        }

        fn send(&self, py: Python<'_>, message: Data<Message>) -> PyResult<Data<Delivery>> {
            let delivery = wait(py, self.0.send(message.0))?;
            delivery.map(Data).map_err(|error| raise(py, error))
        }

        fn send_raw(
            &self,
            py: Python<'_>,
            envelope: Data<Envelope>,
            mime: &[u8],
        ) -> PyResult<Data<Delivery>> {
            let delivery = wait(py, self.0.send_raw(envelope.0, mime.into()))?;
            delivery.map(Data).map_err(|error| raise(py, error))
        }

        fn events(&self) -> EventReader {
            EventReader(self.0.events())
        }

        fn explain(&self, evidence: Data<Evidence>) -> Data<Vec<Diagnosis>> {
            Data(self.0.explain(&evidence.0))
        }
    }

    #[pymethods]
    impl EventReader {
        fn next(&self, py: Python<'_>) -> PyResult<Option<Data<Event>>> {
            Ok(wait(py, self.0.next())?.map(Data))
        }
    }
}
