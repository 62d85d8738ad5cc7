//! Functions of one tensor applied element by element: activations, the affine map per channel, PReLU.
//!
//! In place or from one slice to another of the same length; channels are the last axis, so a per-channel vector repeats.

use crate::{Isa, Pointwise, naive};

/// `x = f(x)`.
///
/// ```
/// use occlude_kernels::{Isa, Pointwise, pointwise};
/// let mut x = [-1.0, 2.0];
/// pointwise(Isa::detect(), Pointwise::Relu, &mut x);
/// assert_eq!(x, [0.0, 2.0]);
/// ```
pub fn pointwise(isa: Isa, f: Pointwise, x: &mut [f32]) {
    let _ = isa;
    x.iter_mut().for_each(|x| *x = naive::functions::pointwise(f, *x));
}

/// `out = f(x)`.
///
/// # Panics
/// If the lengths differ.
pub fn pointwise_to(isa: Isa, f: Pointwise, x: &[f32], out: &mut [f32]) {
    assert_eq!(x.len(), out.len(), "input and output floats");
    out.copy_from_slice(x);
    pointwise(isa, f, out);
}

/// `x = f(x * scale[c] + shift[c])`, c the last axis.
///
/// # Panics
/// If `scale` and `shift` differ in length or do not divide `x`.
pub fn affine(isa: Isa, x: &mut [f32], scale: &[f32], shift: &[f32], activation: Pointwise) {
    check_channels(x.len(), scale.len(), shift.len());
    let _ = isa;
    let copy = x.to_vec();
    naive::affine(&copy, scale, shift, activation, x);
}

/// `out = f(x * scale[c] + shift[c])`, c the last axis.
///
/// # Panics
/// If `scale` and `shift` differ in length or do not divide `x`, or the lengths differ.
pub fn affine_to(isa: Isa, x: &[f32], scale: &[f32], shift: &[f32], activation: Pointwise, out: &mut [f32]) {
    assert_eq!(x.len(), out.len(), "input and output floats");
    out.copy_from_slice(x);
    affine(isa, out, scale, shift, activation);
}

/// `x = x if x >= 0, else slope[c] * x`, c the last axis.
///
/// # Panics
/// If `slope` does not divide `x`.
pub fn prelu(isa: Isa, x: &mut [f32], slope: &[f32]) {
    check_channels(x.len(), slope.len(), slope.len());
    let _ = isa;
    x.iter_mut().enumerate().for_each(|(at, x)| {
        *x = naive::functions::binary(crate::Binary::PRelu, *x, slope[at % slope.len()]);
    });
}

fn check_channels(len: usize, scale: usize, shift: usize) {
    assert!(
        scale == shift && (len == 0 || scale > 0 && len % scale == 0),
        "{scale} scales and {shift} shifts for {len} floats"
    );
}
