//! One call of the core, as Python holds it: waited for by a thread, or awaited on an event loop.
//! Either way the interpreter's lock is free meanwhile, and giving up drops the core's future at once.

use crate::data::Data;
use crate::error::raise;
use mailbearer::Result;
use mailbearer::error::caught;
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::{PyClass, PyClassInitializer};
use serde::Serialize;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};
use tokio::task::AbortHandle;

/// A call that has not begun. It begins once, with `wait` or with `start`.
#[pyclass(frozen)]
pub(crate) struct Call {
    work: Mutex<Option<Work>>,
    is_quick: bool,
}

/// Ends with what makes the result in Python, once the interpreter's lock is there.
type Work = Pin<Box<dyn Future<Output = Made> + Send>>;
type Made = Box<dyn FnOnce(Python<'_>) -> PyResult<Py<PyAny>> + Send>;

impl Call {
    /// A call whose result crosses as plain data.
    pub(crate) fn new<T: Serialize + Send + 'static>(
        work: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Self {
        Self::with(work, false, |py, value| {
            Data(value).into_pyobject(py).map(Bound::unbind)
        })
    }

    /// A call that is often done at once and never computes for long: an event loop may look on its own thread whether
    /// it is, which saves two changes of threads.
    pub(crate) fn quick<T: Serialize + Send + 'static>(
        work: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Self {
        Self {
            is_quick: true,
            ..Self::new(work)
        }
    }

    /// A call whose result is an object of the native module.
    pub(crate) fn object<T: PyClass + Into<PyClassInitializer<T>> + Send + 'static>(
        work: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Self {
        Self::with(work, false, |py, value| Ok(Py::new(py, value)?.into_any()))
    }

    fn with<T: Send + 'static>(
        work: impl Future<Output = Result<T>> + Send + 'static,
        is_quick: bool,
        make: impl FnOnce(Python<'_>, T) -> PyResult<Py<PyAny>> + Send + 'static,
    ) -> Self {
        let work = async move {
            let result = caught(work).await;
            let made: Made = Box::new(move |py| match result {
                Ok(value) => make(py, value),
                Err(error) => Err(raise(py, error)),
            });
            made
        };
        Self {
            work: Mutex::new(Some(Box::pin(work))),
            is_quick,
        }
    }

    fn take(&self) -> PyResult<Work> {
        let mut work = self.work.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = work.take();
        taken.ok_or_else(|| PyRuntimeError::new_err("this call has already begun"))
    }
}

#[pymethods]
impl Call {
    /// Waits in this thread. A signal's exception, such as `KeyboardInterrupt`, ends the call.
    fn wait(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let work = self.take()?;
        wait(py, work)?(py)
    }

    /// Begins, and gives a future of the running event loop. Cancelling that ends the call.
    fn start<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let mut work = self.take()?;
        let event_loop = running_loop(py)?;
        let future = event_loop.call_method0("create_future")?;
        let runtime = runtime()?;
        if self.is_quick
            && let Some(made) = poll_once(&runtime, &mut work)
        {
            settle(py, &future, made(py))?;
            return Ok(future);
        }
        let (waiting, event_loop) = (future.clone().unbind(), event_loop.unbind());
        let task = runtime.spawn(async move {
            let made = work.await;
            // `None` is an interpreter that has ended: nobody waits any more.
            Python::try_attach(|py| hand_over(py, event_loop.bind(py), waiting, made));
        });
        future.call_method1("add_done_callback", (Ender(task.abort_handle()),))?;
        Ok(future)
    }
}

/// Waits for a future in this thread.
pub(crate) fn wait<T: Send>(py: Python<'_>, work: impl Future<Output = T> + Send) -> PyResult<T> {
    let runtime = runtime()?;
    py.detach(|| {
        runtime.block_on(async {
            tokio::pin!(work);
            loop {
                tokio::select! {
                    biased;
                    done = &mut work => return Ok(done),
                    () = tokio::time::sleep(SIGNALS_EVERY) => check_signals()?,
                }
            }
        })
    })
}

/// An interpreter that is ending has no signals any more; this thread ends with it.
fn check_signals() -> PyResult<()> {
    Python::try_attach(|py| py.check_signals()).unwrap_or(Ok(()))
}

/// Soon enough for a person who presses Ctrl-C, and rare enough to cost nothing.
const SIGNALS_EVERY: Duration = Duration::from_millis(50);

/// Looks whether a future is done already. If not, it must be polled again by whoever waits for it.
fn poll_once(runtime: &Runtime, work: &mut Work) -> Option<Made> {
    let _entered = runtime.enter();
    match work.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(made) => Some(made),
        Poll::Pending => None,
    }
}

/// Has the event loop's own thread settle the future.
fn hand_over(py: Python<'_>, event_loop: &Bound<'_, PyAny>, future: Py<PyAny>, made: Made) {
    let settler = Settler(Mutex::new(Some((future, made))));
    // An error says that the loop is closed: nobody waits any more.
    let _ = event_loop.call_method1(pyo3::intern!(py, "call_soon_threadsafe"), (settler,));
}

/// Settles a future, when the event loop calls it.
#[pyclass(frozen)]
struct Settler(Mutex<Option<(Py<PyAny>, Made)>>);

#[pymethods]
impl Settler {
    fn __call__(&self, py: Python<'_>) -> PyResult<()> {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((future, made)) = waiting.take() else {
            return Ok(());
        };
        settle(py, future.bind(py), made(py))
    }
}

/// The value is made before: that runs Python, and with it whatever a signal brings, such as the future's cancellation.
fn settle(py: Python<'_>, future: &Bound<'_, PyAny>, made: PyResult<Py<PyAny>>) -> PyResult<()> {
    let is_done = future.call_method0(pyo3::intern!(py, "done"))?;
    if is_done.is_truthy()? {
        return Ok(()); // cancelled meanwhile
    }
    match made {
        Ok(value) => future.call_method1(pyo3::intern!(py, "set_result"), (value,))?,
        Err(error) => future.call_method1(pyo3::intern!(py, "set_exception"), (error,))?,
    };
    Ok(())
}

/// Ends the work when its future has been cancelled; when it is done, there is nothing left to end.
#[pyclass(frozen)]
struct Ender(AbortHandle);

#[pymethods]
impl Ender {
    fn __call__(&self, _future: &Bound<'_, PyAny>) {
        self.0.abort();
    }
}

fn running_loop(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    static FUNCTION: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    FUNCTION.import(py, "asyncio", "get_running_loop")?.call0()
}

/// The runtime of this process. After `os.fork()` the child makes one of its own, because threads do not survive.
///
/// Called with the interpreter's lock only, as `os.fork()` is: no thread holds the mutex while a child is made.
pub(crate) fn runtime() -> PyResult<Arc<Runtime>> {
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
