//! The crate's errors as the package's exceptions, by kind, in Python's words, with hint and node, and with the map as far as it got.

use std::io;
use std::path::Path;

use occlude::{Error, ErrorKind};
use pyo3::import_exception;
use pyo3::prelude::*;

use crate::map::Map;
use crate::words::keywords;

import_exception!(occlude.exceptions, ArgumentError);
import_exception!(occlude.exceptions, OccludeError);
import_exception!(occlude.exceptions, FileError);
import_exception!(occlude.exceptions, FileMissingError);
import_exception!(occlude.exceptions, LimitError);
import_exception!(occlude.exceptions, ModelError);
import_exception!(occlude.exceptions, NumberError);
import_exception!(occlude.exceptions, UnsupportedError);

/// The exception that says this.
pub(crate) fn exception(error: &Error) -> PyErr {
    let said = (keywords(&error.to_string()), error.hint().map(keywords), error.node().map(str::to_string));
    match error.kind() {
        ErrorKind::File => file_error(said, error.refused()),
        ErrorKind::Model => ModelError::new_err(said),
        ErrorKind::Unsupported => UnsupportedError::new_err(said),
        ErrorKind::Argument => ArgumentError::new_err(said),
        ErrorKind::Limit => LimitError::new_err(said),
        ErrorKind::Number => NumberError::new_err(said),
        _ => OccludeError::new_err(said),
    }
}

/// With the attributes of an `OSError`, where the system said no.
fn file_error(
    said: (String, Option<String>, Option<String>),
    refused: Option<(&Path, io::ErrorKind)>,
) -> PyErr {
    let Some((path, how)) = refused else { return FileError::new_err(said) };
    // The names of these numbers are in Python's `errno`.
    let number = match how {
        io::ErrorKind::NotFound => Some("ENOENT"),
        io::ErrorKind::PermissionDenied => Some("EACCES"),
        io::ErrorKind::IsADirectory => Some("EISDIR"),
        io::ErrorKind::NotADirectory => Some("ENOTDIR"),
        io::ErrorKind::StorageFull => Some("ENOSPC"),
        io::ErrorKind::ReadOnlyFilesystem => Some("EROFS"),
        _ => None,
    };
    let (message, hint, node) = said;
    let said = (message, hint, node, number, path.to_path_buf());
    match how {
        io::ErrorKind::NotFound => FileMissingError::new_err(said),
        _ => FileError::new_err(said),
    }
}

/// An exception that carries what was computed before it. Exceptions without room for attributes go without.
pub(crate) fn with_partial_map(py: Python<'_>, raised: PyErr, map: Option<Map>) -> PyErr {
    if let Some(map) = map.filter(Map::has_any) {
        let _ = Py::new(py, map).and_then(|map| raised.value(py).setattr("_partial", map));
    }
    raised
}
