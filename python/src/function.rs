//! Any Python function from batches to outputs, as a model.
//!
//! The Python side brings one function from a list of arrays (one per input, `[count, ...]`) to a list of named arrays `[count, ...]` of f32; what else it converts from and to is its own. Batches
//! lie in NumPy arrays, which are written again and again unless somebody else holds one.

use std::sync::Arc;

use numpy::{IxDyn, PyArray1, PyArrayDyn, PyArrayMethods, PyReadonlyArrayDyn, PyUntypedArrayMethods};
use occlude::{Activation, BatchScorer, Job, Labels, Meaning, Outputs, RunBatch, TensorSpec, shape_text};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyList;

use crate::arrays::slice;
use crate::input::Input;
use crate::map::Map;
use crate::running::{self, Raised};
use crate::settings::Settings;

/// Name and values `[count, ...]` of one output.
type Named<'py> = (String, PyReadonlyArrayDyn<'py, f32>);

/// Makes a map of what `call` answers. `labels` are names of its classes, `ends_in` says what its vector of classes already is.
#[pyfunction]
#[pyo3(signature = (call, input, settings, *, labels, ends_in, batch, workers, runtime, progress))]
#[allow(clippy::too_many_arguments, reason = "keywords on the Python side")]
pub(crate) fn run_function(
    py: Python<'_>,
    call: Py<PyAny>,
    input: &Input,
    settings: &Settings,
    labels: Vec<String>,
    ends_in: Option<&str>,
    batch: usize,
    workers: usize,
    runtime: String,
    progress: Option<Py<PyAny>>,
) -> PyResult<Map> {
    let activation = match ends_in {
        None => Activation::None,
        Some("softmax") => Activation::Softmax,
        Some("log-softmax") => Activation::LogSoftmax,
        Some("sigmoid") => Activation::Sigmoid,
        Some(other) => {
            return Err(PyValueError::new_err(format!(
                "ends_in is \"{other}\", expected softmax, log-softmax, sigmoid or None"
            )));
        }
    };
    let (input, settings) = (&input.inner, &settings.inner);
    let specs: Vec<TensorSpec> =
        std::iter::once(&input.spec).chain(input.beside.iter().map(|beside| &beside.spec)).cloned().collect();
    let raised = Raised::default();
    let meaning = Meaning {
        is_classifier: !labels.is_empty() || ends_in.is_some(),
        labels: Arc::new(Labels::new(labels)),
        activation,
        multi_label: activation == Activation::Sigmoid,
        class_output: settings.target.wants_classes().then_some(0),
        ..Meaning::default()
    };
    let runner = Runner { call, specs: specs.clone(), raised: &raised };
    let scorer = BatchScorer::new(specs, batch, runtime, runner).with_workers(workers);
    running::run(py, progress, &raised, &input.picture, |watch| {
        let model_file = occlude::FileFact::default();
        Job { scorer: &scorer, meaning, settings, read_image: None, model_file, load_secs: 0.0 }
            .run(input, watch)
    })
}

struct Runner<'a> {
    call: Py<PyAny>,
    specs: Vec<TensorSpec>,
    raised: &'a Raised,
}

impl Runner<'_> {
    fn call(&self, py: Python<'_>, inputs: &[Py<PyArray1<f32>>], count: usize) -> PyResult<Outputs> {
        let mut arrays: Vec<Bound<'_, PyArrayDyn<f32>>> = Vec::with_capacity(inputs.len());
        for (buffer, spec) in inputs.iter().zip(&self.specs) {
            let shape: Vec<usize> = std::iter::once(count).chain(spec.shape.iter().copied()).collect();
            arrays.push(buffer.bind(py).reshape(IxDyn(&shape))?);
        }
        let list = PyList::new(py, arrays)?;
        let named: Vec<Named<'_>> = self.call.bind(py).call1((list,))?.extract()?;
        let mut outputs = Vec::with_capacity(named.len());
        for (name, array) in named {
            let shape = array.shape();
            if shape.first() != Some(&count) {
                return Err(PyValueError::new_err(format!(
                    "for a batch of {count} the function returned \"{name}\" of shape {}: its first axis should be {count}",
                    shape_text(shape)
                )));
            }
            let of_one: Vec<usize> = std::iter::once(1).chain(shape[1..].iter().copied()).collect();
            outputs.push((name, of_one, slice(&array)?.to_vec()));
        }
        // The vector of classes is looked for in the first place.
        outputs.sort_by_key(|(_, shape, _)| shape.iter().filter(|&&n| n != 1).count() > 1);
        let mut sorted = Outputs::default();
        for (name, shape, values) in outputs {
            sorted.names.push(name);
            sorted.shapes.push(shape);
            sorted.values.push(values);
        }
        Ok(sorted)
    }
}

impl RunBatch for Runner<'_> {
    type Buffer = Py<PyArray1<f32>>;

    fn buffer(&self, elements: usize) -> occlude::Result<Self::Buffer> {
        Python::attach(|py| Ok(PyArray1::zeros(py, elements, false).unbind()))
    }

    fn fill(
        &self,
        buffer: &mut Self::Buffer,
        write: &mut (dyn FnMut(&mut [f32]) + Send),
    ) -> occlude::Result<()> {
        let filled = Python::attach(|py| -> PyResult<()> {
            let mut array = buffer.bind(py).try_readwrite()?;
            let values = array.as_slice_mut().map_err(|e| PyValueError::new_err(e.to_string()))?;
            // Writing takes a while, and the function runs meanwhile.
            py.detach(|| write(values));
            Ok(())
        });
        self.raised.kept(filled)
    }

    fn run(&self, inputs: &mut [Self::Buffer], count: usize) -> occlude::Result<Outputs> {
        let result = Python::attach(|py| {
            let outputs = self.call(py, inputs, count);
            let references = |array: &Py<PyArray1<f32>>| -> PyResult<usize> {
                py.import("sys")?.getattr("getrefcount")?.call1((array,))?.extract()
            };
            let alone = references(&PyArray1::zeros(py, 0, false).unbind())?;
            for buffer in inputs.iter_mut() {
                // Somebody kept the batch, or a view of it: it is theirs now.
                if references(buffer)? > alone {
                    *buffer = PyArray1::zeros(py, buffer.bind(py).len(), false).unbind();
                }
            }
            outputs
        });
        self.raised.kept(result)
    }
}
