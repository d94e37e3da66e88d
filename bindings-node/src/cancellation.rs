//! Ending a call from JavaScript by dropping its future. An `AbortSignal` is turned into this object in `border.js`,
//! because Node-API has no abort signals of its own for work like ours.

use crate::data::Data;
use crate::outcome::Outcome;
use mailbearer::Result;
use mailbearer::error::caught;
use napi::bindgen_prelude::{FromNapiValue, PromiseRaw};
use napi::{Env, sys};
use napi_derive::napi;
use serde::Serialize;
use tokio::sync::watch;

/// Ends the call it was given to.
#[napi]
struct Cancellation(watch::Sender<bool>);

#[napi]
impl Cancellation {
    #[napi(constructor)]
    pub fn new() -> Self {
        Self(watch::Sender::new(false))
    }

    #[napi]
    pub fn request(&self) {
        self.0.send_replace(true);
    }
}

/// The promise of what a call comes to.
pub(crate) type Promised<'env, T> = napi::Result<PromiseRaw<'env, Outcome<Data<T>>>>;

/// What a call gets of it; nothing where the caller gave no signal.
pub(crate) struct Cancel(Option<watch::Receiver<bool>>);

impl FromNapiValue for Cancel {
    #[expect(unsafe_code, reason = "Node-API is a C interface")]
    unsafe fn from_napi_value(env: sys::napi_env, value: sys::napi_value) -> napi::Result<Self> {
        // SAFETY: Node calls with a value that lives in this environment for the whole call.
        let given = unsafe { Option::<&Cancellation>::from_napi_value(env, value) }?;
        Ok(Self(given.map(|cancellation| cancellation.0.subscribe())))
    }
}

impl Cancel {
    /// Starts a call of the handle, and gives the promise of what it comes to. The work owns all it needs.
    pub(crate) fn start<T: Serialize + Send + 'static>(
        self,
        env: &Env,
        work: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Promised<'_, T> {
        env.spawn_future(async { Ok(self.run_for(async { work.await.map(Data) }).await) })
    }

    /// Runs a call of the handle.
    pub(crate) async fn run_for<T>(self, work: impl Future<Output = Result<T>>) -> Outcome<T> {
        let work = caught(work);
        let Some(mut cancelled) = self.0 else {
            return work.await.into();
        };
        tokio::select! {
            biased;
            result = work => result.into(),
            // An error would say that the object is gone, and the call holds it.
            _ = cancelled.wait_for(|requested| *requested) => Outcome::Cancelled,
        }
    }
}
