//! Any model type at JavaScript's border: plain objects in, plain objects out.
//! Typed arrays come in as bytes; numbers go out as numbers, never as BigInt, because the model keeps them below 2^53.

use napi::bindgen_prelude::{FromNapiValue, ToNapiValue, Unknown};
use napi::{Env, Result, sys};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A value that crosses the border as plain JavaScript data.
pub(crate) struct Data<T>(pub(crate) T);

impl<T: DeserializeOwned> FromNapiValue for Data<T> {
    #[expect(unsafe_code, reason = "Node-API is a C interface")]
    unsafe fn from_napi_value(env: sys::napi_env, value: sys::napi_value) -> Result<Self> {
        // SAFETY: Node calls with a value that lives in this environment for the whole call.
        let value = unsafe { Unknown::from_raw_unchecked(env, value) };
        Env::from_raw(env).from_js_value(value).map(Self)
    }
}

impl<T: Serialize> ToNapiValue for Data<T> {
    #[expect(unsafe_code, reason = "Node-API is a C interface")]
    unsafe fn to_napi_value(env: sys::napi_env, data: Self) -> Result<sys::napi_value> {
        let value = serde_json::to_value(data.0)?;
        // SAFETY: Node calls with a valid environment, on its own thread.
        unsafe { ToNapiValue::to_napi_value(env, value) }
    }
}
