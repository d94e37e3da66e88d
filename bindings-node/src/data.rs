//! Any model type at JavaScript's border: plain objects in, plain objects out.
//! Typed arrays come in as bytes; numbers go out as numbers, never as BigInt, because the model keeps them below 2^53.

use napi::bindgen_prelude::{FromNapiValue, ToNapiValue, Unknown};
use napi::{Env, Result, Status, sys};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A value that crosses the border as plain JavaScript data.
pub(crate) struct Data<T>(pub(crate) T);

impl<T: DeserializeOwned> FromNapiValue for Data<T> {
    #[expect(unsafe_code, reason = "Node-API is a C interface")]
    unsafe fn from_napi_value(env: sys::napi_env, value: sys::napi_value) -> Result<Self> {
        // SAFETY: Node calls with a value that lives in this environment for the whole call.
        let unknown = || unsafe { Unknown::from_raw_unchecked(env, value) };
        let env = Env::from_raw(env);
        env.from_js_value(unknown())
            .map(Self)
            .map_err(|error| place_of::<T>(&env, unknown()).unwrap_or(error))
    }
}

/// The same error with the place where it lies, found by reading once more, slowly.
fn place_of<T: DeserializeOwned>(env: &Env, value: Unknown<'_>) -> Option<napi::Error> {
    let value: serde_json::Value = env.from_js_value(value).ok()?;
    let error = serde_path_to_error::deserialize::<_, T>(value).err()?;
    let text = match error.path().to_string().as_str() {
        "." => error.inner().to_string(),
        path => format!("{path}: {}", error.inner()),
    };
    Some(napi::Error::new(Status::InvalidArg, text))
}

impl<T: Serialize> ToNapiValue for Data<T> {
    #[expect(unsafe_code, reason = "Node-API is a C interface")]
    unsafe fn to_napi_value(env: sys::napi_env, data: Self) -> Result<sys::napi_value> {
        let value = serde_json::to_value(data.0)?;
        // SAFETY: Node calls with a valid environment, on its own thread.
        unsafe { ToNapiValue::to_napi_value(env, value) }
    }
}
