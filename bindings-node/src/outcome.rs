//! What a method came to. Problems cross as data; `index.js` throws them, so that the stack shows the caller.

use crate::data::Data;
use mailbearer::{Problem, Result};
use napi::bindgen_prelude::{Object, ToNapiValue};
use napi::{Env, JsValue as _, sys};

/// `{ value }`, `{ problem }` or `{ cancelled: true }`.
pub(crate) enum Outcome<T> {
    Value(T),
    Problem(Problem),
    Cancelled,
}

impl<T> From<Result<T>> for Outcome<T> {
    fn from(result: Result<T>) -> Self {
        match result {
            Ok(value) => Self::Value(value),
            Err(error) => Self::Problem(error.into()),
        }
    }
}

impl<T: ToNapiValue> ToNapiValue for Outcome<T> {
    #[expect(unsafe_code, reason = "Node-API is a C interface")]
    unsafe fn to_napi_value(env: sys::napi_env, outcome: Self) -> napi::Result<sys::napi_value> {
        let mut object = Object::new(&Env::from_raw(env))?;
        match outcome {
            Self::Value(value) => object.set("value", value)?,
            Self::Problem(problem) => object.set("problem", Data(problem))?,
            Self::Cancelled => object.set("cancelled", true)?,
        }
        Ok(object.raw())
    }
}
