//! Depthwise convolution: each channel with its own kernel, channel multiplier 1.
//!
//! [`Rows`] with `seg` = channels goes in, weights `[taps, channels]`; the sum over the taps runs in tap order for every element.
//! Grouped convolutions with more than one channel per group are products ([`crate::gemm_rows`] with `seg_offset`).

use crate::{
    Epilogue, Isa, Pointwise, Rows, elementwise,
    isa::{Level, with_isa},
    math,
    rows::{MAX_BLOCK, ZEROS, check_epilogue, check_out},
    windows::{Fold, Place, fold},
};
use fearless_simd::prelude::*;

/// Floats that are finished together.
const FINISHED: usize = 4096;

/// `out[r * out_stride + out_offset + j] = act(sum_tap row[r, tap, j] * weights[tap, j] + bias[j] + residual)`.
///
/// ```
/// use occlude_kernels::{Epilogue, Isa, PAD, Rows, depthwise};
/// // Width 3 with padding 1 over 2 pixels of 1 channel.
/// let x = [1.0, 10.0];
/// let rows = Rows { sources: [&x, &[], &[]], table: &[PAD, 0, 1, 0, 1, PAD], taps: 3, seg: 1, pixels: 2, rows: 2, ..Rows::default() };
/// let mut out = [0.0; 2];
/// depthwise(Isa::detect(), &rows, &[1.0, 2.0, 3.0], &mut out, 1, 0, &Epilogue::default());
/// assert_eq!(out, [32.0, 21.0]);
/// ```
///
/// # Panics
/// If an entry, `weights` (`[taps, seg]`), the epilogue or the output does not fit.
pub fn depthwise(
    isa: Isa,
    rows: &Rows,
    weights: &[f32],
    out: &mut [f32],
    out_stride: usize,
    out_offset: usize,
    epilogue: &Epilogue,
) {
    rows.check();
    check_out(out.len(), rows.rows, rows.seg, out_stride, out_offset);
    check_epilogue(epilogue, rows.rows, rows.seg);
    assert_eq!(
        weights.len(),
        rows.taps * rows.seg,
        "weights for {} taps of {} channels",
        rows.taps,
        rows.seg
    );
    let channels = rows.seg;
    // What the loop does in registers: all, unless a residual comes between the sum and the activation.
    let (clamp, rest) = match epilogue.residual {
        None => epilogue.split_activation(),
        Some(_) => (None, epilogue.activation),
    };
    let (low, high) = clamp.unwrap_or((f32::NEG_INFINITY, f32::INFINITY));
    let sum = WeightedSum { weights, channels, bias: epilogue.bias, low, high };
    let place = Place { stride: out_stride, offset: out_offset };
    if epilogue.residual.is_none() && rest == Pointwise::Identity {
        with_isa!(isa, simd => fold(simd, rows, 0, &sum, place, out));
        return;
    }
    // What is left is done while the rows are in cache.
    let step = (FINISHED / channels.max(1)).next_multiple_of(4).max(4);
    for start in (0..rows.rows).step_by(step) {
        let end = (start + step).min(rows.rows);
        let part = Rows { rows: end, ..*rows };
        with_isa!(isa, simd => fold(simd, &part, start, &sum, place, out));
        if let Some(residual) = epilogue.residual {
            for r in start..end {
                let line = &mut out[r * out_stride + out_offset..][..channels];
                let residual = &residual.data[r * residual.stride + residual.offset..][..channels];
                line.iter_mut().zip(residual).for_each(|(sum, &value)| *sum += value);
            }
        }
        if out_stride == channels {
            elementwise::pointwise(
                isa,
                rest,
                &mut out[start * channels + out_offset..][..(end - start) * channels],
            );
        } else {
            for r in start..end {
                elementwise::pointwise(isa, rest, &mut out[r * out_stride + out_offset..][..channels]);
            }
        }
    }
}

struct WeightedSum<'a> {
    weights: &'a [f32],
    channels: usize,
    bias: Option<&'a [f32]>,
    low: f32,
    high: f32,
}

impl<S: Level> Fold<S> for WeightedSum<'_> {
    const NEUTRAL: &'static [f32; MAX_BLOCK] = &ZEROS;
    const WEIGHTED: bool = true;

    #[inline(always)]
    fn bias(&self, first: usize, len: usize) -> Option<&[f32]> {
        self.bias.map(|bias| &bias[first..first + len])
    }

    #[inline(always)]
    fn weights(&self, tap: usize, first: usize, len: usize) -> &[f32] {
        &self.weights[tap * self.channels + first..][..len]
    }

    #[inline(always)]
    fn step(&self, sum: S::f32s, x: S::f32s, weight: S::f32s) -> S::f32s {
        x.mul_add(weight, sum)
    }

    #[inline(always)]
    fn factor(&self, _row: usize) -> f32 {
        1.0
    }

    #[inline(always)]
    fn finish(&self, simd: S, sum: S::f32s, _factor: f32) -> S::f32s {
        math::clamp(simd, sum, self.low, self.high)
    }
}
