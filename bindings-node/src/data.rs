//! Any model type at JavaScript's border: plain objects in, plain objects out.
//! Typed arrays come in as bytes; numbers go out as numbers, never as BigInt, because the model keeps them below 2^53.

use napi::bindgen_prelude::{FromNapiValue, ToNapiValue, Unknown};
use napi::{Env, Status, sys};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};
use std::marker::PhantomData;

/// A value that crosses the border as plain JavaScript data.
pub(crate) struct Data<T>(pub(crate) T);

impl<T: DeserializeOwned> FromNapiValue for Data<T> {
    #[expect(unsafe_code, reason = "Node-API is a C interface")]
    unsafe fn from_napi_value(env: sys::napi_env, value: sys::napi_value) -> napi::Result<Self> {
        // SAFETY: Node calls with a value that lives in this environment for the whole call.
        let unknown = || unsafe { Unknown::from_raw_unchecked(env, value) };
        let env = Env::from_raw(env);
        env.from_js_value(unknown())
            .map(Self)
            .map_err(|error| place_of::<T>(&env, unknown()).unwrap_or(error))
    }
}

/// The same error with the place where it lies, found by reading once more with a record of the way.
fn place_of<T: DeserializeOwned>(env: &Env, value: Unknown<'_>) -> Option<napi::Error> {
    let Fault::<T>(fault, _) = env.from_js_value(value).ok()?;
    Some(napi::Error::new(Status::InvalidArg, fault?))
}

/// What is wrong with a value of type `T`.
struct Fault<T>(Option<String>, PhantomData<T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Fault<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let error = serde_path_to_error::deserialize::<_, T>(deserializer).err();
        let text = error.map(|error| {
            let text = without_the_value(&error.inner().to_string());
            match error.path().to_string().as_str() {
                "." => text,
                path => format!("{path}: {text}"),
            }
        });
        Ok(Self(text, PhantomData))
    }
}

/// `invalid type: string "a secret", expected a map` without what was given: it may be a secret in the wrong place.
fn without_the_value(text: &str) -> String {
    let text = text.strip_prefix(STATUS).unwrap_or(text);
    let parts = text.rsplit_once(", expected ");
    match parts.and_then(|(found, wanted)| Some((found.split(['"', '`']).next()?, wanted))) {
        Some((found, wanted)) if text.starts_with("invalid ") => {
            format!("{}, expected {wanted}", found.trim_end())
        }
        _ => text.to_owned(),
    }
}

/// What napi writes before the text of such an error.
const STATUS: &str = "InvalidArg, ";

impl<T: Serialize> ToNapiValue for Data<T> {
    #[expect(unsafe_code, reason = "Node-API is a C interface")]
    unsafe fn to_napi_value(env: sys::napi_env, data: Self) -> napi::Result<sys::napi_value> {
        let value = serde_json::to_value(data.0)?;
        // SAFETY: Node calls with a valid environment, on its own thread.
        unsafe { ToNapiValue::to_napi_value(env, value) }
    }
}
