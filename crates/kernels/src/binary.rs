//! Functions of two tensors, with broadcasting: arithmetic, minimum and maximum, comparisons, selection.
//!
//! [`binary`] takes the three shapes that matter for speed (same length, one side repeated along the last axis, a scalar);
//! [`binary_broadcast`] takes any strides. Comparisons give 1 or 0. Minimum and maximum give NaN if either side is NaN.

use crate::{Isa, Pointwise, naive};

/// A function of two values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Binary {
    /// a + b
    Add,
    /// a - b
    Sub,
    /// a * b
    Mul,
    /// a / b
    Div,
    /// the smaller, NaN if either is NaN
    Min,
    /// the larger, NaN if either is NaN
    Max,
    /// a^b
    Pow,
    /// a > b
    Greater,
    /// a >= b
    GreaterOrEqual,
    /// a < b
    Less,
    /// a <= b
    LessOrEqual,
    /// a == b
    Equal,
    /// both are not 0
    And,
    /// one is not 0
    Or,
    /// exactly one is not 0
    Xor,
    /// a if a >= 0, else a * b (ONNX PRelu with any slope tensor)
    PRelu,
}

/// An N-d output shape, with the strides of both inputs in floats: 0 on an axis along which an input is repeated.
#[derive(Clone, Copy, Debug)]
pub struct Broadcast<'a> {
    /// Output shape, row-major and dense.
    pub dims: &'a [usize],
    /// Strides of the first input, one per axis.
    pub a_strides: &'a [usize],
    /// Strides of the second input, one per axis.
    pub b_strides: &'a [usize],
}

/// `out = activation(a op b)`; each input has the length of `out`, or a length that divides it and is repeated (1 for a scalar).
///
/// ```
/// use occlude_kernels::{Binary, Isa, Pointwise, binary};
/// let mut out = [0.0; 4];
/// binary(Isa::detect(), Binary::Sub, &[1.0, 2.0, 3.0, 4.0], &[1.0, 3.0], Pointwise::Relu, &mut out);
/// assert_eq!(out, [0.0, 0.0, 2.0, 1.0]);
/// ```
///
/// # Panics
/// If a length does not divide the output's.
pub fn binary(isa: Isa, op: Binary, a: &[f32], b: &[f32], activation: Pointwise, out: &mut [f32]) {
    let len = out.len();
    let divides = |part: usize| len == 0 || part > 0 && len % part == 0;
    assert!(divides(a.len()) && divides(b.len()), "{} and {} floats repeated to {len}", a.len(), b.len());
    let _ = isa;
    for (at, out) in out.iter_mut().enumerate() {
        let value = naive::functions::binary(op, a[at % a.len()], b[at % b.len()]);
        *out = naive::functions::pointwise(activation, value);
    }
}

/// `out = activation(a op b)` over any broadcast.
///
/// # Panics
/// If the numbers of axes differ or a length does not fit.
pub fn binary_broadcast(
    isa: Isa,
    op: Binary,
    shape: Broadcast,
    a: &[f32],
    b: &[f32],
    activation: Pointwise,
    out: &mut [f32],
) {
    assert_eq!(out.len(), shape.dims.iter().product::<usize>(), "floats for {:?}", shape.dims);
    let _ = isa;
    naive::binary_broadcast(op, shape, a, b, activation, out);
}

/// `out = a where condition is not 0, else b`, over any broadcast; `condition_strides` like those of [`Broadcast`].
///
/// # Panics
/// If the numbers of axes differ or a length does not fit.
pub fn select_broadcast(
    shape: Broadcast,
    condition_strides: &[usize],
    condition: &[f32],
    a: &[f32],
    b: &[f32],
    out: &mut [f32],
) {
    assert_eq!(out.len(), shape.dims.iter().product::<usize>(), "floats for {:?}", shape.dims);
    assert_eq!(condition_strides.len(), shape.dims.len(), "strides of the condition");
    let mut index = vec![0_usize; shape.dims.len()];
    for out in out {
        let place = |strides: &[usize]| index.iter().zip(strides).map(|(i, s)| i * s).sum::<usize>();
        let choose_a = condition[place(condition_strides)] != 0.0;
        *out = if choose_a { a[place(shape.a_strides)] } else { b[place(shape.b_strides)] };
        for (i, &len) in index.iter_mut().zip(shape.dims).rev() {
            *i += 1;
            if *i < len {
                break;
            }
            *i = 0;
        }
    }
}
