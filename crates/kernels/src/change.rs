//! How much values differ from a baseline: the operand of every product of changes.
//!
//! The values are rows of a few channels, dense; the baseline's rows are parts of longer ones. Per-channel arithmetic before the product
//! (BatchNormalization, ReLU) is done on the way, so that a value is read and its change written once.

use crate::{
    Isa, Pointwise, Strided, elementwise,
    isa::{Level, with_isa},
    math,
    rows::check_out,
};
use fearless_simd::prelude::*;

/// Per-channel arithmetic: `f(x * scale[c] + shift[c])`.
#[derive(Clone, Copy, Debug)]
pub struct ByChannel<'a> {
    /// One factor per channel.
    pub scale: &'a [f32],
    /// One summand per channel.
    pub shift: &'a [f32],
    /// Applied last.
    pub activation: Pointwise,
}

/// `out[r, c] = g(x[r, c]) - baseline[r, c]` for rows of `channels` floats; `g` is `by_channel`, or nothing.
///
/// ```
/// use occlude_kernels::{Isa, Strided, change_rows};
/// let baseline = Strided { data: &[0.0, 1.0, 2.0, 3.0], stride: 2, offset: 1 };
/// let mut out = [0.0; 2];
/// change_rows(Isa::detect(), &[5.0, 5.0], 1, None, baseline, &mut out);
/// assert_eq!(out, [4.0, 2.0]);
/// ```
///
/// # Panics
/// If a length does not fit.
pub fn change_rows(
    isa: Isa,
    x: &[f32],
    channels: usize,
    by_channel: Option<ByChannel>,
    baseline: Strided,
    out: &mut [f32],
) {
    assert_eq!(x.len(), out.len(), "input and output floats");
    if x.is_empty() {
        return;
    }
    assert!(channels > 0 && x.len().is_multiple_of(channels), "{} floats in rows of {channels}", x.len());
    check_out(baseline.data.len(), x.len() / channels, channels, baseline.stride, baseline.offset);
    let Some(ByChannel { scale, shift, activation }) = by_channel else {
        return with_isa!(isa, simd => rows(simd, x, channels, baseline, out, #[inline(always)] |x, _| x));
    };
    assert_eq!((scale.len(), shift.len()), (channels, channels), "scales and shifts for {channels} channels");
    let bounds = match activation {
        Pointwise::Identity => Some((f32::NEG_INFINITY, f32::INFINITY)),
        Pointwise::Relu => Some((0.0, f32::INFINITY)),
        Pointwise::Clip { lo, hi } => Some((lo, hi)),
        _ => None,
    };
    if let Some((low, high)) = bounds {
        with_isa!(isa, simd => rows(simd, x, channels, baseline, out, #[inline(always)] |x, c| {
            math::clamp(simd, x.mul_add(load(simd, &scale[c..]), load(simd, &shift[c..])), low, high)
        }));
        return;
    }
    for (r, (x, out)) in x.chunks_exact(channels).zip(out.chunks_exact_mut(channels)).enumerate() {
        elementwise::affine_to(isa, x, scale, shift, activation, out);
        let base = &baseline.data[r * baseline.stride + baseline.offset..][..channels];
        out.iter_mut().zip(base).for_each(|(out, base)| *out -= base);
    }
}

/// A vector from the start of a slice, zeros where it is too short.
#[inline(always)]
fn load<S: Level>(simd: S, from: &[f32]) -> S::f32s {
    if from.len() >= S::f32s::LEN {
        return S::f32s::from_slice(simd, &from[..S::f32s::LEN]);
    }
    let mut buffer = [0.0; MAX_LANES];
    buffer[..from.len()].copy_from_slice(from);
    S::f32s::from_slice(simd, &buffer[..S::f32s::LEN])
}

/// Floats in the widest vector.
const MAX_LANES: usize = 16;

/// `out = f(x, channel) - baseline`, vector by vector along each row.
#[inline(always)]
fn rows<S: Level>(
    simd: S,
    x: &[f32],
    channels: usize,
    baseline: Strided,
    out: &mut [f32],
    f: impl Fn(S::f32s, usize) -> S::f32s,
) {
    let lanes = S::f32s::LEN;
    let whole = channels / lanes * lanes;
    for (r, (x, out)) in x.chunks_exact(channels).zip(out.chunks_exact_mut(channels)).enumerate() {
        let base = &baseline.data[r * baseline.stride + baseline.offset..][..channels];
        for c in (0..whole).step_by(lanes) {
            let value = f(S::f32s::from_slice(simd, &x[c..c + lanes]), c);
            (value - S::f32s::from_slice(simd, &base[c..c + lanes])).store_slice(&mut out[c..c + lanes]);
        }
        if whole < channels {
            let mut buffer = [0.0; MAX_LANES];
            let value = f(load(simd, &x[whole..]), whole) - load(simd, &base[whole..]);
            value.store_slice(&mut buffer[..lanes]);
            out[whole..].copy_from_slice(&buffer[..channels - whole]);
        }
    }
}
