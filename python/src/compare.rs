//! Two maps, or arrays from elsewhere, compared.

use numpy::PyReadonlyArrayDyn;
use occlude::Evidence;
use occlude::compare::Options;
use pyo3::prelude::*;

use crate::arrays::owned;
use crate::errors::exception;
use crate::map::Map;

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

fn side(given: &Bound<'_, PyAny>, target: usize, name: &str) -> PyResult<Evidence> {
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
