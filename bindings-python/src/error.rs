//! Errors at Python's border: the exception classes live in Python, and are raised with the whole problem.

use crate::data::Data;
use mailbearer::{Error, Problem};
use pyo3::prelude::*;

/// The exception for an error; what goes wrong in making it is raised instead.
pub(crate) fn raise(py: Python<'_>, error: Error) -> PyErr {
    let make = || {
        let module = py.import("mailbearer.errors")?;
        let exception = module.call_method1("_from_wire", (Data(Problem::from(error)),))?;
        Ok(PyErr::from_value(exception))
    };
    make().unwrap_or_else(|failure: PyErr| failure)
}
