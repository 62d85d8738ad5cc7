//! Functions of two tensors, with broadcasting: arithmetic, minimum and maximum, comparisons, selection.
//!
//! [`binary`] takes the three shapes that matter for speed (same length, one side repeated along the last axis, a scalar);
//! [`binary_broadcast`] takes any strides. Comparisons give 1 or 0. Minimum and maximum give NaN if either side is NaN.

use crate::{
    Isa, Pointwise,
    elementwise::{self, whole_rows},
    isa::{Level, with_isa},
    lanes::{larger, load_part, smaller},
    strides::Walk,
};
use fearless_simd::prelude::*;
use std::borrow::Cow;

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
    let divides = |part: usize| len == 0 || part > 0 && len.is_multiple_of(part);
    assert!(divides(a.len()) && divides(b.len()), "{} and {} floats repeated to {len}", a.len(), b.len());
    if len == 0 {
        return;
    }
    // The work goes in pieces that hold whole repetitions of both sides.
    let period = |side: &[f32]| if side.len() == len { 1 } else { side.len() };
    let (a_period, b_period) = (period(a), period(b));
    let period = if a_period % b_period == 0 {
        a_period
    } else if b_period % a_period == 0 {
        b_period
    } else {
        len
    };
    let step = whole_rows(period).min(len);
    let (a, b) = (Side::new(a, len, step), Side::new(b, len, step));
    for (at, out) in out.chunks_mut(step).enumerate() {
        let (a, b) = (a.piece(at * step, out.len()), b.piece(at * step, out.len()));
        with_isa!(isa, simd => apply(simd, op, a, b, out));
        elementwise::pointwise(isa, activation, out);
    }
}

/// One input of [`binary`]: as long as the output, or repeated to the length of a piece.
enum Side<'a> {
    Whole(&'a [f32]),
    Repeated(Cow<'a, [f32]>),
}

impl<'a> Side<'a> {
    fn new(side: &'a [f32], len: usize, step: usize) -> Self {
        if side.len() == len {
            Self::Whole(side)
        } else if side.len() == step {
            Self::Repeated(Cow::Borrowed(side))
        } else {
            Self::Repeated(side.iter().copied().cycle().take(step).collect())
        }
    }

    fn piece(&self, at: usize, len: usize) -> &[f32] {
        match self {
            Self::Whole(side) => &side[at..at + len],
            Self::Repeated(piece) => &piece[..len],
        }
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
    let walk = Walk::new(shape.dims, [shape.a_strides, shape.b_strides]);
    let mut buffers = [vec![0.0; walk.row], vec![0.0; walk.row]];
    let mut rows = out.chunks_exact_mut(walk.row.max(1));
    walk.rows(|[a_at, b_at]| {
        let [a_buffer, b_buffer] = &mut buffers;
        let a = row(a, a_at, walk.row_strides[0], a_buffer);
        let b = row(b, b_at, walk.row_strides[1], b_buffer);
        if let Some(out) = rows.next() {
            with_isa!(isa, simd => apply(simd, op, a, b, out));
        }
    });
    elementwise::pointwise(isa, activation, out);
}

/// `buffer.len()` values of `from`, `stride` apart: in place if they are neighbours, else copied to the buffer.
fn row<'a>(from: &'a [f32], at: usize, stride: usize, buffer: &'a mut [f32]) -> &'a [f32] {
    match stride {
        1 => return &from[at..at + buffer.len()],
        0 => buffer.fill(from[at]),
        _ => buffer.iter_mut().zip(from[at..].iter().step_by(stride)).for_each(|(to, &value)| *to = value),
    }
    buffer
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
    let walk = Walk::new(shape.dims, [condition_strides, shape.a_strides, shape.b_strides]);
    let [condition_step, a_step, b_step] = walk.row_strides;
    let mut rows = out.chunks_exact_mut(walk.row.max(1));
    walk.rows(|[condition_at, a_at, b_at]| {
        for (i, out) in rows.next().into_iter().flatten().enumerate() {
            let choose_a = condition[condition_at + i * condition_step] != 0.0;
            *out = if choose_a { a[a_at + i * a_step] } else { b[b_at + i * b_step] };
        }
    });
}

/// `out = a op b`, all equally long.
#[inline(always)]
fn apply<S: Level>(simd: S, op: Binary, a: &[f32], b: &[f32], out: &mut [f32]) {
    let splat = |value: f32| S::f32s::splat(simd, value);
    let zero = splat(0.0);
    // Closures that are not inlined are compiled without the instructions: 100 times slower.
    macro_rules! zip {
        ($a:ident, $b:ident => $value:expr) => {
            zip(
                simd,
                a,
                b,
                out,
                #[inline(always)]
                |$a: S::f32s, $b: S::f32s| $value,
            )
        };
    }
    macro_rules! truth {
        ($a:ident, $b:ident => $mask:expr) => {
            zip!($a, $b => ($mask).select(splat(1.0), zero))
        };
    }
    match op {
        Binary::Add => zip!(a, b => a + b),
        Binary::Sub => zip!(a, b => a - b),
        Binary::Mul => zip!(a, b => a * b),
        Binary::Div => zip!(a, b => a / b),
        Binary::Min => zip!(a, b => smaller(a, b)),
        Binary::Max => zip!(a, b => larger(a, b)),
        Binary::Pow => out.iter_mut().zip(a).zip(b).for_each(|((out, &a), &b)| *out = power(a, b)),
        Binary::Greater => truth!(a, b => a.simd_gt(b)),
        Binary::GreaterOrEqual => truth!(a, b => a.simd_ge(b)),
        Binary::Less => truth!(a, b => a.simd_lt(b)),
        Binary::LessOrEqual => truth!(a, b => a.simd_le(b)),
        Binary::Equal => truth!(a, b => a.simd_eq(b)),
        Binary::And => truth!(a, b => a.simd_ne(zero) & b.simd_ne(zero)),
        Binary::Or => truth!(a, b => a.simd_ne(zero) | b.simd_ne(zero)),
        Binary::Xor => truth!(a, b => a.simd_ne(zero) ^ b.simd_ne(zero)),
        Binary::PRelu => zip!(a, b => a.simd_lt(zero).select(a * b, a)),
    }
}

/// a^b, exactly a * a for 2.
fn power(a: f32, b: f32) -> f32 {
    if b == 2.0 { a * a } else { a.powf(b) }
}

#[inline(always)]
fn zip<S: Level>(simd: S, a: &[f32], b: &[f32], out: &mut [f32], f: impl Fn(S::f32s, S::f32s) -> S::f32s) {
    let lanes = S::f32s::LEN;
    let (a, b) = (&a[..out.len()], &b[..out.len()]);
    let whole = out.len() / lanes * lanes;
    let vectors = out.chunks_exact_mut(lanes).zip(a.chunks_exact(lanes)).zip(b.chunks_exact(lanes));
    for ((out, a), b) in vectors {
        f(S::f32s::from_slice(simd, a), S::f32s::from_slice(simd, b)).store_slice(out);
    }
    let rest = &mut out[whole..];
    if !rest.is_empty() {
        let value = f(load_part(simd, &a[whole..]), load_part(simd, &b[whole..]));
        rest.copy_from_slice(&value.as_slice()[..rest.len()]);
    }
}
