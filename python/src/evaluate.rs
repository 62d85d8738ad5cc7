//! Maps evaluated: what the measures found, kept for its numbers and its figure.

use std::path::PathBuf;

use numpy::PyReadonlyArrayDyn;
use occlude::output::evaluation;
use occlude::{EvaluateOptions, Evidence, OutputPlan};
use pyo3::prelude::*;

use crate::arrays::owned;
use crate::errors::exception;
use crate::map::Map;

/// What an evaluation found.
#[pyclass(module = "occlude._core", frozen)]
pub(crate) struct Evaluation {
    pub(crate) inner: occlude::Evaluation,
}

#[pymethods]
impl Evaluation {
    /// All of it as JSON, schema `occlude.evaluation/1`.
    fn json(&self) -> String {
        evaluation::value(&self.inner).to_string()
    }
    /// Writes files, each beside its place and renamed; the ending chooses `.png` or `.json`.
    fn save(&self, py: Python<'_>, paths: Vec<String>) -> PyResult<()> {
        let write = || {
            let plan = OutputPlan::prepare(&paths, &[PathBuf::from("evaluation")])?;
            plan.write_encoded(0, &|format| evaluation::encode(&self.inner, format))
        };
        py.detach(write).map(drop).map_err(|e| exception(&e))
    }
}

/// A map, of which the target with this number is meant, or an array of float32, by the name that it is given.
pub(crate) fn side(given: &Bound<'_, PyAny>, target: usize, name: &str) -> PyResult<Evidence> {
    let made = match given.cast::<Map>() {
        Ok(map) => {
            let map = &map.get().inner;
            given.py().detach(|| Evidence::of_map(map, target, name))
        }
        Err(_) => {
            let (shape, values) = owned(&given.extract::<PyReadonlyArrayDyn<'_, f32>>()?)?;
            Evidence::of_array(&shape, values, name)
        }
    };
    made.map_err(|e| exception(&e))
}

/// Options from text by the crate's names.
pub(crate) fn options(given: Vec<(String, String)>) -> PyResult<EvaluateOptions> {
    let mut chosen = EvaluateOptions::default();
    for (name, value) in given {
        chosen.set(&name, &value).map_err(|e| exception(&e))?;
    }
    Ok(chosen)
}
