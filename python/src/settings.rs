//! The settings of a run, by the names of the contract table, and the values that text cannot hold.

use std::path::PathBuf;

use numpy::PyReadonlyArrayDyn;
use occlude::Fill;
use pyo3::prelude::*;

use crate::arrays::owned;
use crate::errors::exception;

/// Everything that a run can be told.
#[pyclass(module = "occlude._core")]
#[derive(Clone, Default)]
pub(crate) struct Settings {
    pub(crate) inner: occlude::Settings,
}

#[pymethods]
impl Settings {
    #[new]
    fn new() -> Self {
        Settings::default()
    }
    /// Name, default and meaning of every setting.
    #[staticmethod]
    fn table() -> Vec<(&'static str, &'static str, &'static str)> {
        occlude::Settings::TABLE.iter().map(|s| (s.name, s.default, s.meaning)).collect()
    }
    /// A copy that can be changed by itself.
    fn copy(&self) -> Self {
        self.clone()
    }
    /// Sets one by its name.
    fn set(&mut self, name: &str, value: &str) -> PyResult<()> {
        self.inner.set(name, value).map_err(|e| exception(&e))
    }
    /// The fill is a tensor of the input's shape, row-major, batch axis left out.
    fn fill_with(&mut self, values: PyReadonlyArrayDyn<'_, f32>) -> PyResult<()> {
        self.inner.fill = Fill::Tensor(owned(&values)?.1);
        Ok(())
    }
    /// Where ONNX Runtime's library is looked for.
    fn find_onnxruntime(&mut self, library: Option<PathBuf>, environment: Option<PathBuf>) {
        self.inner.ort_library = library;
        self.inner.virtual_env = environment;
    }
}
