//! Maximum and average pools over a table of rows.
//!
//! [`Rows`] with one tap per kernel position and `seg` channels goes in; one value per row and channel comes out. Padding takes no
//! part: it is neither a zero in the maximum nor a summand of the average, whose divisor the caller gives (ONNX counts padding or not).

use crate::{Isa, Rows, naive, rows::check_out};

/// `out[r * out_stride + out_offset + j]` = largest value over the taps that are not padding.
///
/// NaN if any of them is NaN; -inf if all are padding.
///
/// # Panics
/// If an entry or the output does not fit.
pub fn pool_max(isa: Isa, rows: &Rows, out: &mut [f32], out_stride: usize, out_offset: usize) {
    rows.check();
    check_out(out.len(), rows.rows, rows.seg, out_stride, out_offset);
    let _ = isa;
    naive::pool_max(rows, out, out_stride, out_offset);
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
    let _ = isa;
    naive::pool_average(rows, divisor, out, out_stride, out_offset);
}
