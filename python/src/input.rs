//! One input of a model, read or taken from an array.

use numpy::PyReadonlyArrayDyn;
use occlude::{Layout, TensorSpec};
use pyo3::prelude::*;

use crate::arrays::owned;
use crate::errors::exception;
use crate::words::keywords;

/// One example as a tensor, with the picture to draw maps on and the way back to source pixels.
#[pyclass(module = "occlude._core", frozen)]
#[derive(Clone)]
pub(crate) struct Input {
    pub(crate) inner: occlude::Input,
}

#[pymethods]
impl Input {
    /// A tensor for a function: `values` without its batch axis, channels in front or (`channels_last`) at the end. `notes` are silent choices, in words.
    #[staticmethod]
    fn of_function(
        py: Python<'_>,
        name: &str,
        values: PyReadonlyArrayDyn<'_, f32>,
        channels_last: bool,
        notes: Vec<String>,
    ) -> PyResult<Input> {
        let (shape, values) = owned(&values)?;
        let layout = if channels_last { Layout::ChannelsLast } else { Layout::ChannelsFirst };
        let spec = TensorSpec::new(name, &shape, layout);
        let mut inner = py.detach(|| occlude::Input::from_tensor(spec, values)).map_err(|e| exception(&e))?;
        inner.notes.extend(notes);
        Ok(Input { inner })
    }
    /// The same input with more to say of it, in words.
    fn noted(&self, notes: Vec<String>) -> Input {
        let mut inner = self.inner.clone();
        inner.notes.extend(notes);
        Input { inner }
    }
    /// The same input with another one beside it, which windows hide too or leave alone.
    fn beside(&self, other: &Input, is_hidden: bool) -> Input {
        Input { inner: self.inner.clone().with_beside(other.inner.clone(), is_hidden) }
    }
    #[getter]
    fn name(&self) -> &str {
        &self.inner.spec.name
    }
    #[getter]
    fn shape(&self) -> Vec<usize> {
        self.inner.spec.shape.clone()
    }
    /// How many axes a place has.
    #[getter]
    fn spatial_rank(&self) -> usize {
        self.inner.spec.spatial().len()
    }
    #[getter]
    fn notes(&self) -> Vec<String> {
        self.inner.notes.iter().map(|note| keywords(note)).collect()
    }
}
