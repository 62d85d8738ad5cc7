//! Two maps, or arrays from elsewhere, compared.

use occlude::compare::Options;
use pyo3::prelude::*;

use crate::errors::exception;
use crate::evaluate::side;

/// The comparison as JSON. `a` and `b` are maps, of which the target with this number is compared, or arrays of float32.
#[pyfunction]
#[pyo3(signature = (a, b, *, target, target_b, positive, axes, seed))]
#[allow(clippy::too_many_arguments, reason = "the keywords of the function in Python")]
pub(crate) fn compare(
    py: Python<'_>,
    a: &Bound<'_, PyAny>,
    b: &Bound<'_, PyAny>,
    target: usize,
    target_b: usize,
    positive: bool,
    axes: Option<usize>,
    seed: u64,
) -> PyResult<String> {
    let (a, b) = (side(a, target, "a")?, side(b, target_b, "b")?);
    let options = Options { positive, axes, seed };
    let found = py.detach(|| occlude::compare::compare(&a, &b, &options)).map_err(|e| exception(&e))?;
    serde_json::to_string(&found).map_err(|e| pyo3::exceptions::PyValueError::new_err(e.to_string()))
}
