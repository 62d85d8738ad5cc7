//! Reductions along one axis: sum, mean, sum of squares, product, maximum, minimum.
//!
//! `[outer, axis, inner]` goes in, `[outer, inner]` comes out; global pooling over channels-last pixels is `outer` examples, `axis`
//! pixels, `inner` channels. The order of a sum depends on `axis` and on whether `inner` is 1, on nothing else.

use crate::{Isa, naive};

/// A dense tensor seen around one axis: `[outer, axis, inner]`, row-major.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Planes {
    /// Product of the axes before.
    pub outer: usize,
    /// Length of the axis.
    pub axis: usize,
    /// Product of the axes after; 1 for the last axis.
    pub inner: usize,
}

impl Planes {
    /// Number of elements.
    pub fn len(&self) -> usize {
        self.outer * self.axis * self.inner
    }

    /// Whether there is no element.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Position of element `(outer, axis, inner)`.
    pub fn index(&self, outer: usize, axis: usize, inner: usize) -> usize {
        (outer * self.axis + axis) * self.inner + inner
    }
}

/// What becomes of the values along the axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reduction {
    /// Their sum; 0 of none.
    Sum,
    /// Their sum over their number; NaN of none.
    Mean,
    /// The sum of their squares.
    SumSquare,
    /// Their product; 1 of none.
    Prod,
    /// The largest, NaN if any is NaN; -inf of none.
    Max,
    /// The smallest, NaN if any is NaN; inf of none.
    Min,
}

/// Reduces `x[outer, axis, inner]` to `out[outer, inner]`.
///
/// ```
/// use occlude_kernels::{Isa, Planes, Reduction, reduce};
/// let mut out = [0.0; 2];
/// reduce(Isa::detect(), Reduction::Mean, &[1.0, 2.0, 3.0, 4.0], Planes { outer: 1, axis: 2, inner: 2 }, &mut out);
/// assert_eq!(out, [2.0, 3.0]);
/// ```
///
/// # Panics
/// If a length does not fit `planes`.
pub fn reduce(isa: Isa, op: Reduction, x: &[f32], planes: Planes, out: &mut [f32]) {
    assert_eq!(x.len(), planes.len(), "floats for {planes:?}");
    assert_eq!(out.len(), planes.outer * planes.inner, "output floats for {planes:?}");
    let _ = isa;
    naive::reduce(op, x, planes, out);
}
