//! Normalisation by statistics of the values themselves: layer norm, group and instance norm, local response norm.
//!
//! Channels-last throughout. Means and variances are taken in two passes (mean first), so large offsets do not cancel.

use crate::{Isa, naive};

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
    assert!(width > 0 && x.len() % width == 0, "{} floats in rows of {width}", x.len());
    let _ = isa;
    naive::layer_norm(x, width, scale, shift, epsilon, out);
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
    assert!(groups > 0 && channels % groups == 0, "{groups} groups of {channels} channels");
    assert!(scale.len() == channels && shift.len() == channels, "scale and shift per channel");
    let _ = isa;
    naive::group_norm(x, channels, groups, scale, shift, epsilon, out);
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
        x.is_empty() || channels > 0 && x.len() % channels == 0,
        "{} floats in rows of {channels}",
        x.len()
    );
    if x.is_empty() {
        return;
    }
    let _ = isa;
    naive::lrn(x, channels, parameters, out);
}
