//! MindSpore's metric: arguments are handed over as they came, answers and exceptions come back; what is checked, and how, is in `occlude::peers::mindspore`.

use numpy::{IntoPyArray, IxDyn, PyArrayDyn, PyArrayMethods, PyReadonlyArrayDyn, PyUntypedArrayMethods};
use occlude::Watch;
use occlude::peers::mindspore::{Classifier, Given, OcclusionSensitivity};
use occlude::peers::{Argument, Exception, Raises};
use pyo3::exceptions::{PyRuntimeError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyFloat, PyInt, PyList, PyString, PyTuple};

use crate::arrays::{array, owned};
use crate::model::Model;
use crate::running::{self, Raised};

/// The metric.
#[pyclass(module = "occlude._core")]
pub(crate) struct MindSporeMetric {
    inner: OcclusionSensitivity,
}

fn raise(exception: Exception) -> PyErr {
    match exception.raises {
        Raises::TypeError => PyTypeError::new_err(exception.message),
        Raises::ValueError => PyValueError::new_err(exception.message),
        Raises::RuntimeError => PyRuntimeError::new_err(exception.message),
    }
}

fn argument(value: &Bound<'_, PyAny>) -> PyResult<Argument> {
    if value.is_none() {
        return Ok(Argument::None);
    }
    // A truth value is an int to Python.
    if value.is_instance_of::<PyBool>() {
        return Ok(Argument::Bool(value.extract()?));
    }
    if value.is_instance_of::<PyInt>() {
        return Ok(Argument::Int(value.extract()?));
    }
    if value.is_instance_of::<PyFloat>() {
        return Ok(Argument::Float(value.extract()?));
    }
    if value.is_instance_of::<PyString>() {
        return Ok(Argument::Text(value.extract()?));
    }
    if value.is_instance_of::<PyList>() || value.is_instance_of::<PyTuple>() {
        let items = value.try_iter()?.map(|item| argument(&item?));
        return Ok(Argument::List(items.collect::<PyResult<_>>()?));
    }
    let values: PyReadonlyArrayDyn<'_, f32> = value.extract().map_err(|_| {
        PyTypeError::new_err(format!(
            "a {} is neither a number, a text, a list nor an array of float32",
            value.get_type().name().map_or_else(|_| "value".to_string(), |name| name.to_string())
        ))
    })?;
    let (shape, values) = owned(&values)?;
    Ok(Argument::Array { shape, values })
}

#[pymethods]
impl MindSporeMetric {
    #[new]
    fn new(
        pad_val: &Bound<'_, PyAny>,
        margin: &Bound<'_, PyAny>,
        n_batch: &Bound<'_, PyAny>,
        b_box: &Bound<'_, PyAny>,
    ) -> PyResult<Self> {
        let (pad_val, margin) = (argument(pad_val)?, argument(margin)?);
        let inner = OcclusionSensitivity::new(&pad_val, &margin, &argument(n_batch)?, &argument(b_box)?);
        Ok(MindSporeMetric { inner: inner.map_err(raise)? })
    }
    fn clear(&mut self) {
        self.inner.clear();
    }
    /// The arguments of `update`: a model (a `Model`, or a function from an array `[count, ...]` to an array `[count, classes]`), an array, a label; or any others, for the error.
    #[pyo3(signature = (inputs, progress=None))]
    fn update(
        &mut self,
        py: Python<'_>,
        inputs: Vec<Bound<'_, PyAny>>,
        progress: Option<Py<PyAny>>,
    ) -> PyResult<()> {
        let raised = Raised::default();
        let model = inputs.first().and_then(|first| first.cast::<Model>().ok());
        let function = inputs.first().filter(|first| first.is_callable()).map(|first| first.clone().unbind());
        let image = inputs.get(1).and_then(|image| image.cast::<PyArrayDyn<f32>>().ok());
        let shape: Vec<usize> =
            image.map_or_else(Vec::new, |image| image.shape().iter().skip(1).copied().collect());
        let call = |batch: &[f32], count: usize| {
            raised.kept(Python::attach(|py| {
                let shape: Vec<usize> = std::iter::once(count).chain(shape.iter().copied()).collect();
                let batch = batch.to_vec().into_pyarray(py).reshape(IxDyn(&shape))?;
                let function = function.as_ref().ok_or_else(|| PyTypeError::new_err("no function"))?;
                let scores: PyReadonlyArrayDyn<'_, f32> = function.bind(py).call1((batch,))?.extract()?;
                Ok(owned(&scores)?.1)
            }))
        };
        let mut given = Vec::with_capacity(inputs.len());
        for (place, value) in inputs.iter().enumerate() {
            given.push(match (place, &model, &function) {
                (0, Some(model), _) => Given::Model(Classifier::Onnx(&model.get().inner)),
                (0, None, Some(_)) => Given::Model(Classifier::Function(&call)),
                _ => Given::Value(argument(value)?),
            });
        }
        let metric = &mut self.inner;
        let result = running::watched(py, progress, &raised, |watch: &mut Watch<'_>| {
            metric.update_watched(&given, watch)
        });
        match raised.take() {
            Some(raised) => Err(raised),
            None => result.map_err(raise),
        }
    }
    fn eval<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyArrayDyn<f32>>> {
        let map = self.inner.eval().map_err(raise)?;
        array(py, &map.shape, map.values.clone())
    }
}
