//! Any model type at Python's border: dictionaries and lists in, dictionaries and lists out.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pythonize::{Depythonizer, pythonize};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A value that crosses the border as plain Python data.
pub(crate) struct Data<T>(pub(crate) T);

/// What does not fit, such as a port above 65535, is a `ValueError` that names the place.
impl<T: DeserializeOwned> FromPyObject<'_, '_> for Data<T> {
    type Error = PyErr;

    fn extract(value: Borrowed<'_, '_, PyAny>) -> PyResult<Self> {
        let value = value.to_owned();
        let read = serde_path_to_error::deserialize(&mut Depythonizer::from_object(&value));
        read.map(Self)
            .map_err(|error| PyValueError::new_err(error.to_string()))
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
