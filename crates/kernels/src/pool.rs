//! Maximum and average pools over a table of rows.
//!
//! [`Rows`] with one tap per kernel position and `seg` channels goes in; one value per row and channel comes out. Padding takes no
//! part: it is neither a zero in the maximum nor a summand of the average, whose divisor the caller gives (ONNX counts padding or not).

use crate::{
    Isa, Rows,
    isa::{Level, with_isa},
    lanes::larger,
    rows::{MAX_BLOCK, ZEROS, check_out},
    windows::{Fold, Place, fold},
};
use fearless_simd::prelude::*;

/// `out[r * out_stride + out_offset + j]` = largest value over the taps that are not padding.
///
/// NaN if any of them is NaN; -inf if all are padding.
///
/// # Panics
/// If an entry or the output does not fit.
pub fn pool_max(isa: Isa, rows: &Rows, out: &mut [f32], out_stride: usize, out_offset: usize) {
    rows.check();
    check_out(out.len(), rows.rows, rows.seg, out_stride, out_offset);
    let place = Place { stride: out_stride, offset: out_offset };
    with_isa!(isa, simd => fold(simd, rows, 0, &Largest, place, out));
}

/// `out[r * out_stride + out_offset + j]` = sum over the taps that are not padding, divided by `divisor[r % pixels]`.
///
/// # Panics
/// If an entry, a divisor or the output does not fit.
pub fn pool_average(
    isa: Isa,
    rows: &Rows,
    divisor: &[f32],
    out: &mut [f32],
    out_stride: usize,
    out_offset: usize,
) {
    rows.check();
    check_out(out.len(), rows.rows, rows.seg, out_stride, out_offset);
    assert!(rows.rows == 0 || divisor.len() >= rows.pixels, "one divisor per pixel");
    let place = Place { stride: out_stride, offset: out_offset };
    let average = Average { divisor, pixels: rows.pixels };
    with_isa!(isa, simd => fold(simd, rows, 0, &average, place, out));
}

static LOWEST: [f32; MAX_BLOCK] = [f32::NEG_INFINITY; MAX_BLOCK];

struct Largest;

impl<S: Level> Fold<S> for Largest {
    const NEUTRAL: &'static [f32; MAX_BLOCK] = &LOWEST;
    const WEIGHTED: bool = false;

    #[inline(always)]
    fn bias(&self, _first: usize, _len: usize) -> Option<&[f32]> {
        None
    }

    #[inline(always)]
    fn weights(&self, _tap: usize, _first: usize, len: usize) -> &[f32] {
        &ZEROS[..len]
    }

    #[inline(always)]
    fn step(&self, sum: S::f32s, x: S::f32s, _weight: S::f32s) -> S::f32s {
        larger(sum, x)
    }

    #[inline(always)]
    fn factor(&self, _row: usize) -> f32 {
        1.0
    }

    #[inline(always)]
    fn finish(&self, _simd: S, sum: S::f32s, _factor: f32) -> S::f32s {
        sum
    }
}

struct Average<'a> {
    divisor: &'a [f32],
    pixels: usize,
}

impl<S: Level> Fold<S> for Average<'_> {
    const NEUTRAL: &'static [f32; MAX_BLOCK] = &ZEROS;
    const WEIGHTED: bool = false;

    #[inline(always)]
    fn bias(&self, _first: usize, _len: usize) -> Option<&[f32]> {
        None
    }

    #[inline(always)]
    fn weights(&self, _tap: usize, _first: usize, len: usize) -> &[f32] {
        &ZEROS[..len]
    }

    #[inline(always)]
    fn step(&self, sum: S::f32s, x: S::f32s, _weight: S::f32s) -> S::f32s {
        sum + x
    }

    #[inline(always)]
    fn factor(&self, row: usize) -> f32 {
        self.divisor[row % self.pixels]
    }

    #[inline(always)]
    fn finish(&self, simd: S, sum: S::f32s, factor: f32) -> S::f32s {
        sum / S::f32s::splat(simd, factor)
    }
}
