//! Depthwise convolution: each channel with its own kernel, channel multiplier 1.
//!
//! [`Rows`] with `seg` = channels goes in, weights `[taps, channels]`; the sum over the taps runs in tap order for every element.
//! Grouped convolutions with more than one channel per group are products ([`crate::gemm_rows`] with `seg_offset`).

use crate::{Epilogue, Isa, Rows, naive, rows::check_out};

/// `out[r * out_stride + out_offset + j] = act(sum_tap row[r, tap, j] * weights[tap, j] + bias[j] + residual)`.
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
    assert_eq!(
        weights.len(),
        rows.taps * rows.seg,
        "weights for {} taps of {} channels",
        rows.taps,
        rows.seg
    );
    let _ = isa;
    naive::depthwise(rows, weights, out, out_stride, out_offset, epilogue);
}
