//! Any model type at Python's border: dictionaries and lists in, dictionaries and lists out.

use pyo3::prelude::*;
use pythonize::{depythonize, pythonize};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A value that crosses the border as plain Python data.
pub(crate) struct Data<T>(pub(crate) T);

impl<T: DeserializeOwned> FromPyObject<'_, '_> for Data<T> {
    type Error = PyErr;

    fn extract(value: Borrowed<'_, '_, PyAny>) -> PyResult<Self> {
        Ok(Self(depythonize(&value)?))
    }
}

impl<'py, T: Serialize> IntoPyObject<'py> for Data<T> {
    type Target = PyAny;
    type Output = Bound<'py, PyAny>;
    type Error = PyErr;

    fn into_pyobject(self, py: Python<'py>) -> PyResult<Self::Output> {
        Ok(pythonize(py, &self.0)?)
    }
}
