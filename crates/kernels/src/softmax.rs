//! Softmax and log-softmax along one axis, from one tensor to another.
//!
//! The maximum is subtracted first, so large logits do not overflow. A NaN makes its whole line NaN.

use crate::{
    Isa, Planes,
    isa::{Level, with_isa},
    lanes::{self, Lanes, all_lanes, larger, map, same},
    math, reduce,
};
use fearless_simd::prelude::*;

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
    if x.is_empty() {
        return;
    }
    with_isa!(isa, simd => {
        for (x, out) in x.chunks_exact(planes.axis * planes.inner).zip(out.chunks_exact_mut(planes.axis * planes.inner)) {
            if planes.inner == 1 {
                line(simd, kind, x, out);
            } else {
                plane(simd, kind, x, planes.inner, out);
            }
        }
    });
}

#[inline(always)]
fn line<S: Level>(simd: S, kind: SoftmaxKind, x: &[f32], out: &mut [f32]) {
    let top = reduce::along(simd, x, f32::NEG_INFINITY, same, larger);
    let top = S::f32s::splat(simd, top);
    out.copy_from_slice(x);
    match kind {
        SoftmaxKind::Softmax => {
            map(
                simd,
                out,
                #[inline(always)]
                |x| math::exp(simd, x - top),
            );
            let sum = S::f32s::splat(simd, reduce::along(simd, out, 0.0, same, lanes::sum));
            map(
                simd,
                out,
                #[inline(always)]
                |x| x / sum,
            );
        }
        SoftmaxKind::LogSoftmax => {
            let sum = reduce::along(
                simd,
                x,
                0.0,
                #[inline(always)]
                |x| math::exp(simd, x - top),
                lanes::sum,
            );
            let shift = math::ln(simd, S::f32s::splat(simd, sum));
            map(
                simd,
                out,
                #[inline(always)]
                |x| x - top - shift,
            );
        }
    }
}

/// Columns of `[axis, inner]`, a vector of them at a time.
#[inline(always)]
fn plane<S: Level>(simd: S, kind: SoftmaxKind, x: &[f32], inner: usize, out: &mut [f32]) {
    for lanes in all_lanes(simd, inner) {
        let rows = || x.chunks_exact(inner).map(|row| lanes.load(simd, row));
        let top = rows().fold(S::f32s::splat(simd, f32::NEG_INFINITY), larger);
        let mut sum = S::f32s::splat(simd, 0.0);
        for (row, out) in rows().zip(out.chunks_exact_mut(inner)) {
            let value = math::exp(simd, row - top);
            sum += value;
            lanes.store(simd, value, out);
        }
        finish(simd, kind, rows(), out.chunks_exact_mut(inner), lanes, top, sum);
    }
}

#[inline(always)]
fn finish<'a, S: Level>(
    simd: S,
    kind: SoftmaxKind,
    x: impl Iterator<Item = S::f32s>,
    out: impl Iterator<Item = &'a mut [f32]>,
    lanes: Lanes,
    top: S::f32s,
    sum: S::f32s,
) {
    match kind {
        SoftmaxKind::Softmax => {
            for out in out {
                let value = lanes.load(simd, out) / sum;
                lanes.store(simd, value, out);
            }
        }
        SoftmaxKind::LogSoftmax => {
            let shift = math::ln(simd, sum);
            for (x, out) in x.zip(out) {
                lanes.store(simd, x - top - shift, out);
            }
        }
    }
}
