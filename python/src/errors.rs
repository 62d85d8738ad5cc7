//! The crate's errors as the package's exceptions, by kind, with hint and node, and with the map as far as it got.

use occlude::{Error, ErrorKind};
use pyo3::import_exception;
use pyo3::prelude::*;

use crate::map::Map;

import_exception!(occlude.exceptions, ArgumentError);
import_exception!(occlude.exceptions, OccludeError);
import_exception!(occlude.exceptions, FileError);
import_exception!(occlude.exceptions, LimitError);
import_exception!(occlude.exceptions, ModelError);
import_exception!(occlude.exceptions, NumberError);
import_exception!(occlude.exceptions, UnsupportedError);

/// The exception that says this.
pub(crate) fn exception(error: &Error) -> PyErr {
    let said = (error.to_string(), error.hint().map(str::to_string), error.node().map(str::to_string));
    match error.kind() {
        ErrorKind::File => FileError::new_err(said),
        ErrorKind::Model => ModelError::new_err(said),
        ErrorKind::Unsupported => UnsupportedError::new_err(said),
        ErrorKind::Argument => ArgumentError::new_err(said),
        ErrorKind::Limit => LimitError::new_err(said),
        ErrorKind::Number => NumberError::new_err(said),
        _ => OccludeError::new_err(said),
    }
}

/// An exception that carries what was computed before it. Exceptions without room for attributes go without.
pub(crate) fn with_partial_map(py: Python<'_>, raised: PyErr, map: Option<Map>) -> PyErr {
    if let Some(map) = map.filter(Map::has_any) {
        let _ = Py::new(py, map).and_then(|map| raised.value(py).setattr("_partial", map));
    }
    raised
}
