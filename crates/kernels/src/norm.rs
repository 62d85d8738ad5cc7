//! Normalisation by statistics of the values themselves: layer norm, group and instance norm, local response norm.
//!
//! Channels-last throughout. Means and variances are taken in two passes (mean first), so large offsets do not cancel.

use crate::{
    Isa,
    isa::{Level, with_isa},
    lanes::{all_lanes, map, map_with, same, square, sum},
    math, reduce,
};
use fearless_simd::prelude::*;

/// Layer norm over contiguous rows of `width` floats: `(x - mean) / sqrt(variance + epsilon) * scale + shift`.
///
/// `scale` and `shift` are `[width]`; variance is the biased one (divided by `width`).
///
/// # Panics
/// If `width` is 0 with a non-empty `x`, or a length does not fit.
pub fn layer_norm(
    isa: Isa,
    x: &[f32],
    width: usize,
    scale: Option<&[f32]>,
    shift: Option<&[f32]>,
    epsilon: f32,
    out: &mut [f32],
) {
    assert_eq!(x.len(), out.len(), "input and output floats");
    if x.is_empty() {
        return;
    }
    assert!(width > 0 && x.len().is_multiple_of(width), "{} floats in rows of {width}", x.len());
    for affine in [scale, shift].into_iter().flatten() {
        assert_eq!(affine.len(), width, "scale and shift of rows of {width}");
    }
    with_isa!(isa, simd => {
        for (x, out) in x.chunks_exact(width).zip(out.chunks_exact_mut(width)) {
            out.copy_from_slice(x);
            normalize_row(simd, out, scale, shift, epsilon);
        }
    });
}

#[inline(always)]
fn normalize_row<S: Level>(
    simd: S,
    row: &mut [f32],
    scale: Option<&[f32]>,
    shift: Option<&[f32]>,
    epsilon: f32,
) {
    let len = row.len() as f32;
    let mean = S::f32s::splat(simd, reduce::along(simd, row, 0.0, same, sum) / len);
    map(
        simd,
        row,
        #[inline(always)]
        |x| x - mean,
    );
    let variance = reduce::along(simd, row, 0.0, square, sum) / len;
    let factor = S::f32s::splat(simd, 1.0 / (variance + epsilon).sqrt());
    match (scale, shift) {
        (Some(scale), Some(shift)) => {
            map_with(
                simd,
                row,
                [scale, shift],
                #[inline(always)]
                |x, [scale, shift]| (x * factor).mul_add(scale, shift),
            );
        }
        (Some(scale), None) => map_with(
            simd,
            row,
            [scale],
            #[inline(always)]
            |x, [scale]| x * factor * scale,
        ),
        (None, Some(shift)) => map_with(
            simd,
            row,
            [shift],
            #[inline(always)]
            |x, [shift]| x * factor + shift,
        ),
        (None, None) => map(
            simd,
            row,
            #[inline(always)]
            |x| x * factor,
        ),
    }
}

/// Group norm of one example `[pixels, channels]`: each of `groups` equal groups of channels is normalised over all pixels.
///
/// `scale` and `shift` are `[channels]`. Instance norm is `groups == channels`.
///
/// # Panics
/// If the groups do not divide the channels or a length does not fit.
#[allow(clippy::too_many_arguments, reason = "the parameters of the ONNX operator")]
pub fn group_norm(
    isa: Isa,
    x: &[f32],
    channels: usize,
    groups: usize,
    scale: &[f32],
    shift: &[f32],
    epsilon: f32,
    out: &mut [f32],
) {
    assert_eq!(x.len(), out.len(), "input and output floats");
    assert!(groups > 0 && channels.is_multiple_of(groups), "{groups} groups of {channels} channels");
    assert!(scale.len() == channels && shift.len() == channels, "scale and shift per channel");
    assert!(x.is_empty() || x.len().is_multiple_of(channels), "{} floats in pixels of {channels}", x.len());
    if x.is_empty() {
        return;
    }
    out.copy_from_slice(x);
    let mut statistic = vec![0.0; channels];
    with_isa!(isa, simd => normalize_groups(simd, out, groups, scale, shift, epsilon, &mut statistic));
}

#[inline(always)]
fn normalize_groups<S: Level>(
    simd: S,
    x: &mut [f32],
    groups: usize,
    scale: &[f32],
    shift: &[f32],
    epsilon: f32,
    statistic: &mut [f32],
) {
    let channels = statistic.len();
    let width = channels / groups;
    let count = (x.len() / groups) as f32;
    reduce::across(simd, x, channels, statistic, 0.0, same, sum);
    for group in statistic.chunks_exact_mut(width) {
        let mean = group.iter().sum::<f32>() / count;
        group.fill(mean);
    }
    for pixel in x.chunks_exact_mut(channels) {
        map_with(
            simd,
            pixel,
            [statistic],
            #[inline(always)]
            |x, [mean]| x - mean,
        );
    }
    reduce::across(simd, x, channels, statistic, 0.0, square, sum);
    for (group, scale) in statistic.chunks_exact_mut(width).zip(scale.chunks_exact(width)) {
        let factor = 1.0 / (group.iter().sum::<f32>() / count + epsilon).sqrt();
        group.iter_mut().zip(scale).for_each(|(to, scale)| *to = factor * scale);
    }
    for pixel in x.chunks_exact_mut(channels) {
        map_with(
            simd,
            pixel,
            [statistic, shift],
            #[inline(always)]
            |x, [scale, shift]| x.mul_add(scale, shift),
        );
    }
}

/// The parameters of ONNX LRN.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lrn {
    /// Channels that are summed over, centred on the channel itself.
    pub size: usize,
    /// Factor of the mean square.
    pub alpha: f32,
    /// Exponent.
    pub beta: f32,
    /// Summand, ONNX `bias`.
    pub bias: f32,
}

impl Lrn {
    /// The range of channels whose squares channel `c` of `channels` sums.
    pub fn channels(&self, c: usize, channels: usize) -> (usize, usize) {
        let before = self.size.saturating_sub(1) / 2;
        (c.saturating_sub(before), (c + self.size.saturating_sub(1) - before + 1).min(channels))
    }
}

/// Local response norm over the last axis: `x / (bias + alpha / size * sum of squares of nearby channels) ^ beta`.
///
/// # Panics
/// If a length does not fit.
pub fn lrn(isa: Isa, x: &[f32], channels: usize, parameters: Lrn, out: &mut [f32]) {
    assert_eq!(x.len(), out.len(), "input and output floats");
    assert!(
        x.is_empty() || channels > 0 && x.len().is_multiple_of(channels),
        "{} floats in rows of {channels}",
        x.len()
    );
    if x.is_empty() {
        return;
    }
    assert!(parameters.size > 0, "{parameters:?} sums no channel");
    // Squares with room on both sides, so that every channel sums a whole window.
    let before = parameters.size.saturating_sub(1) / 2;
    let mut squares = vec![0.0; channels + parameters.size];
    with_isa!(isa, simd => {
        for (x, out) in x.chunks_exact(channels).zip(out.chunks_exact_mut(channels)) {
            squares[before..before + channels].copy_from_slice(x);
            map(simd, &mut squares[before..before + channels], #[inline(always)] |x| x * x);
            respond(simd, x, &squares, parameters, out);
        }
    });
}

#[inline(always)]
fn respond<S: Level>(simd: S, x: &[f32], squares: &[f32], parameters: Lrn, out: &mut [f32]) {
    let factor = S::f32s::splat(simd, parameters.alpha / parameters.size as f32);
    let bias = S::f32s::splat(simd, parameters.bias);
    for lanes in all_lanes(simd, x.len()) {
        let mut sum = S::f32s::splat(simd, 0.0);
        for nearby in 0..parameters.size {
            sum += lanes.load(simd, &squares[nearby..]);
        }
        let base = sum.mul_add(factor, bias);
        let power = math::exp(simd, math::ln(simd, base) * -parameters.beta);
        lanes.store(simd, lanes.load(simd, x) * power, out);
    }
}
