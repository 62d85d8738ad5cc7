//! Numbers to and from NumPy: arrays are read where they lie, and made from the crate's vectors without a copy.

use numpy::{
    Element, IntoPyArray, IxDyn, PyArrayDyn, PyArrayMethods, PyReadonlyArrayDyn, PyUntypedArrayMethods,
};
use pyo3::prelude::*;

/// The values of a C-contiguous array.
pub(crate) fn slice<'a, T: Element>(array: &'a PyReadonlyArrayDyn<'_, T>) -> PyResult<&'a [T]> {
    array.as_slice().map_err(|_| pyo3::exceptions::PyValueError::new_err("the array is not C-contiguous"))
}

/// Shape and values, copied: a run lets the interpreter go, and others may write into the array meanwhile.
pub(crate) fn owned<T: Element + Clone>(array: &PyReadonlyArrayDyn<'_, T>) -> PyResult<(Vec<usize>, Vec<T>)> {
    Ok((array.shape().to_vec(), slice(array)?.to_vec()))
}

/// An array around these values.
pub(crate) fn array<'py, T: Element>(
    py: Python<'py>,
    shape: &[usize],
    values: Vec<T>,
) -> PyResult<Bound<'py, PyArrayDyn<T>>> {
    values.into_pyarray(py).reshape(IxDyn(shape))
}
