//! Softmax and log-softmax along one axis, in place or from one tensor to another.
//!
//! The maximum is subtracted first, so large logits do not overflow. A NaN makes its whole line NaN.

use crate::{Isa, Planes, naive};

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SoftmaxKind {
    /// exp(x) / sum(exp(x))
    Softmax,
    /// x - ln(sum(exp(x)))
    LogSoftmax,
}

/// Along the axis of `x[outer, axis, inner]`, to `out` of the same shape.
///
/// ```
/// use occlude_kernels::{Isa, Planes, SoftmaxKind, softmax};
/// let mut out = [0.0; 2];
/// softmax(Isa::detect(), SoftmaxKind::Softmax, &[3.0, 3.0], Planes { outer: 1, axis: 2, inner: 1 }, &mut out);
/// assert_eq!(out, [0.5, 0.5]);
/// ```
///
/// # Panics
/// If a length does not fit `planes`.
pub fn softmax(isa: Isa, kind: SoftmaxKind, x: &[f32], planes: Planes, out: &mut [f32]) {
    assert_eq!(x.len(), planes.len(), "floats for {planes:?}");
    assert_eq!(out.len(), planes.len(), "output floats for {planes:?}");
    let _ = isa;
    naive::softmax(kind, x, planes, out);
}
