//! Reductions along one axis: sum, mean, sum of squares, product, maximum, minimum.
//!
//! `[outer, axis, inner]` goes in, `[outer, inner]` comes out; global pooling over channels-last pixels is `outer` examples, `axis`
//! pixels, `inner` channels. The order of a sum depends on `axis` and on whether `inner` is 1, on nothing else.

use crate::{
    Isa,
    isa::{Level, with_isa},
    lanes::{Lanes, larger, load_part, same, smaller, square, sum},
};
use fearless_simd::prelude::*;

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
    with_isa!(isa, simd => reduce_op(simd, op, x, planes, out));
}

#[inline(always)]
fn reduce_op<S: Level>(simd: S, op: Reduction, x: &[f32], planes: Planes, out: &mut [f32]) {
    match op {
        Reduction::Sum => lines(simd, x, planes, out, 0.0, same, sum),
        Reduction::Mean => {
            lines(simd, x, planes, out, 0.0, same, sum);
            let len = planes.axis as f32;
            out.iter_mut().for_each(|out| *out /= len);
        }
        Reduction::SumSquare => lines(simd, x, planes, out, 0.0, square, sum),
        Reduction::Prod => lines(
            simd,
            x,
            planes,
            out,
            1.0,
            same,
            #[inline(always)]
            |a, b| a * b,
        ),
        Reduction::Max => lines(simd, x, planes, out, f32::NEG_INFINITY, same, larger),
        Reduction::Min => lines(simd, x, planes, out, f32::INFINITY, same, smaller),
    }
}

/// Values of a line that are folded before the result joins the total: two levels keep the rounding error of long sums small.
const PART: usize = 64;

/// Folds `map(x)` along each line, starting from `neutral`.
#[inline(always)]
fn lines<S: Level>(
    simd: S,
    x: &[f32],
    planes: Planes,
    out: &mut [f32],
    neutral: f32,
    map: impl Fn(S::f32s) -> S::f32s + Copy,
    fold: impl Fn(S::f32s, S::f32s) -> S::f32s + Copy,
) {
    let Planes { axis, inner, .. } = planes;
    if axis == 0 {
        out.fill(neutral);
    } else if inner == 1 {
        for (line, out) in x.chunks_exact(axis).zip(out) {
            *out = along(simd, line, neutral, map, fold);
        }
    } else if inner > 1 {
        for (plane, out) in x.chunks_exact(axis * inner).zip(out.chunks_exact_mut(inner)) {
            across(simd, plane, inner, out, neutral, map, fold);
        }
    }
}

/// One contiguous line to one value: vector by vector, then lane by lane.
#[inline(always)]
pub(crate) fn along<S: Level>(
    simd: S,
    line: &[f32],
    neutral: f32,
    map: impl Fn(S::f32s) -> S::f32s,
    fold: impl Fn(S::f32s, S::f32s) -> S::f32s,
) -> f32 {
    let lanes = S::f32s::LEN;
    let start = S::f32s::splat(simd, neutral);
    let mut total = start;
    for part in line.chunks(PART * lanes) {
        let mut sums = [start; 4];
        let mut groups = part.chunks_exact(4 * lanes);
        for group in &mut groups {
            for (v, sum) in sums.iter_mut().enumerate() {
                *sum = fold(*sum, map(S::f32s::from_slice(simd, &group[v * lanes..(v + 1) * lanes])));
            }
        }
        let mut vectors = groups.remainder().chunks_exact(lanes);
        for vector in &mut vectors {
            sums[0] = fold(sums[0], map(S::f32s::from_slice(simd, vector)));
        }
        let rest = vectors.remainder();
        if !rest.is_empty() {
            // Lanes that do not exist hold the neutral value, past `map`.
            let mut value = map(load_part(simd, rest));
            value.as_mut_slice()[rest.len()..].fill(neutral);
            sums[1] = fold(sums[1], value);
        }
        total = fold(total, fold(fold(sums[0], sums[1]), fold(sums[2], sums[3])));
    }
    let first = S::f32s::splat(simd, neutral);
    let folded = total.as_slice().iter().fold(first, |sum, &lane| fold(sum, S::f32s::splat(simd, lane)));
    folded.as_slice()[0]
}

/// A plane `[axis, inner]` to `[inner]`: each column is one chain in the order of the axis.
#[inline(always)]
pub(crate) fn across<S: Level>(
    simd: S,
    plane: &[f32],
    inner: usize,
    out: &mut [f32],
    neutral: f32,
    map: impl Fn(S::f32s) -> S::f32s + Copy,
    fold: impl Fn(S::f32s, S::f32s) -> S::f32s + Copy,
) {
    let lanes = S::f32s::LEN;
    let mut first = 0;
    while first + 4 * lanes <= inner {
        columns::<S, 4>(simd, plane, inner, Lanes { first, count: lanes }, out, neutral, map, fold);
        first += 4 * lanes;
    }
    while first < inner {
        let count = lanes.min(inner - first);
        columns::<S, 1>(simd, plane, inner, Lanes { first, count }, out, neutral, map, fold);
        first += lanes;
    }
}

#[allow(clippy::too_many_arguments, reason = "the arguments of `across` and a place")]
#[inline(always)]
fn columns<S: Level, const V: usize>(
    simd: S,
    plane: &[f32],
    inner: usize,
    first: Lanes,
    out: &mut [f32],
    neutral: f32,
    map: impl Fn(S::f32s) -> S::f32s,
    fold: impl Fn(S::f32s, S::f32s) -> S::f32s,
) {
    let mut totals = [S::f32s::splat(simd, neutral); V];
    for part in plane.chunks(PART * inner) {
        let mut sums = [S::f32s::splat(simd, neutral); V];
        for row in part.chunks_exact(inner) {
            for (v, sum) in sums.iter_mut().enumerate() {
                *sum = fold(*sum, map(first.vector(simd, v).load(simd, row)));
            }
        }
        for (total, sum) in totals.iter_mut().zip(sums) {
            *total = fold(*total, sum);
        }
    }
    for (v, &total) in totals.iter().enumerate() {
        first.vector(simd, v).store(simd, total, out);
    }
}
