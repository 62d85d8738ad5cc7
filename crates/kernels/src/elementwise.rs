//! Functions of one tensor applied element by element: activations, the affine map per channel, PReLU.
//!
//! In place or from one slice to another of the same length; channels are the last axis, so a per-channel vector repeats. The last
//! few elements pass through the same vector code as the others, so an element's bits do not depend on where it stands.

use crate::{
    Isa, Pointwise,
    isa::{Level, with_isa},
    lanes::{map, map_with, same},
    math::{self, below_zero},
};
use fearless_simd::prelude::*;

/// Elements that pass through two functions while they are in the first-level cache.
pub(crate) const CHUNK: usize = 2048;

/// `x = f(x)`.
///
/// ```
/// use occlude_kernels::{Isa, Pointwise, pointwise};
/// let mut x = [-1.0, 2.0];
/// pointwise(Isa::detect(), Pointwise::Relu, &mut x);
/// assert_eq!(x, [0.0, 2.0]);
/// ```
pub fn pointwise(isa: Isa, f: Pointwise, x: &mut [f32]) {
    if f != Pointwise::Identity {
        with_isa!(isa, simd => apply(simd, f, x));
    }
}

/// `out = f(x)`.
///
/// # Panics
/// If the lengths differ.
pub fn pointwise_to(isa: Isa, f: Pointwise, x: &[f32], out: &mut [f32]) {
    assert_eq!(x.len(), out.len(), "input and output floats");
    for (x, out) in x.chunks(CHUNK).zip(out.chunks_mut(CHUNK)) {
        out.copy_from_slice(x);
        pointwise(isa, f, out);
    }
}

/// `x = f(x * scale[c] + shift[c])`, c the last axis.
///
/// # Panics
/// If `scale` and `shift` differ in length or do not divide `x`.
pub fn affine(isa: Isa, x: &mut [f32], scale: &[f32], shift: &[f32], activation: Pointwise) {
    check_channels(x.len(), scale.len(), shift.len());
    if x.is_empty() {
        return;
    }
    for x in x.chunks_mut(whole_rows(scale.len())) {
        if let ([scale], [shift]) = (scale, shift) {
            pointwise(isa, Pointwise::Affine { scale: *scale, shift: *shift }, x);
        } else {
            with_isa!(isa, simd => affine_rows(simd, x, scale, shift));
        }
        pointwise(isa, activation, x);
    }
}

/// `out = f(x * scale[c] + shift[c])`, c the last axis.
///
/// # Panics
/// If `scale` and `shift` differ in length or do not divide `x`, or the lengths differ.
pub fn affine_to(isa: Isa, x: &[f32], scale: &[f32], shift: &[f32], activation: Pointwise, out: &mut [f32]) {
    assert_eq!(x.len(), out.len(), "input and output floats");
    check_channels(x.len(), scale.len(), shift.len());
    let step = whole_rows(scale.len());
    for (x, out) in x.chunks(step).zip(out.chunks_mut(step)) {
        out.copy_from_slice(x);
        affine(isa, out, scale, shift, activation);
    }
}

/// `x = x if x >= 0, else slope[c] * x`, c the last axis.
///
/// # Panics
/// If `slope` does not divide `x`.
pub fn prelu(isa: Isa, x: &mut [f32], slope: &[f32]) {
    check_channels(x.len(), slope.len(), slope.len());
    if x.is_empty() {
        return;
    }
    if slope.len() == 1 {
        return pointwise(isa, Pointwise::LeakyRelu { alpha: slope[0] }, x);
    }
    with_isa!(isa, simd => prelu_rows(simd, x, slope));
}

#[inline(always)]
fn affine_rows<S: Level>(simd: S, x: &mut [f32], scale: &[f32], shift: &[f32]) {
    for row in x.chunks_exact_mut(scale.len()) {
        map_with(
            simd,
            row,
            [scale, shift],
            #[inline(always)]
            |x, [scale, shift]| x.mul_add(scale, shift),
        );
    }
}

#[inline(always)]
fn prelu_rows<S: Level>(simd: S, x: &mut [f32], slope: &[f32]) {
    for row in x.chunks_exact_mut(slope.len()) {
        map_with(
            simd,
            row,
            [slope],
            #[inline(always)]
            |x, [slope]| below_zero(simd, x, slope, same),
        );
    }
}

fn check_channels(len: usize, scale: usize, shift: usize) {
    assert!(
        scale == shift && (len == 0 || scale > 0 && len.is_multiple_of(scale)),
        "{scale} scales and {shift} shifts for {len} floats"
    );
}

/// A length near `CHUNK` that holds whole rows of `channels`.
pub(crate) fn whole_rows(channels: usize) -> usize {
    (CHUNK / channels.max(1)).max(1) * channels.max(1)
}

/// `f` of each element through scalar code of the standard library.
#[inline(always)]
fn each(x: &mut [f32], f: impl Fn(f32) -> f32) {
    x.iter_mut().for_each(|x| *x = f(*x));
}

#[inline(always)]
fn apply<S: Level>(simd: S, f: Pointwise, x: &mut [f32]) {
    let splat = |value: f32| S::f32s::splat(simd, value);
    // Closures that are not inlined are compiled without the instructions: 100 times slower.
    macro_rules! each_vector {
        ($x:ident => $value:expr) => {
            map(
                simd,
                x,
                #[inline(always)]
                |$x: S::f32s| $value,
            )
        };
    }
    match f {
        Pointwise::Identity => {}
        Pointwise::Relu => each_vector!(x => simd.at_least(x, splat(0.0))),
        Pointwise::Clip { lo, hi } => each_vector!(x => math::clamp(simd, x, lo, hi)),
        Pointwise::LeakyRelu { alpha } => each_vector!(x => below_zero(simd, x, splat(alpha), same)),
        Pointwise::Elu { alpha } => {
            each_vector!(x => below_zero(simd, x, splat(alpha), #[inline(always)] |x| math::exp_m1(simd, x)))
        }
        Pointwise::Selu { alpha, gamma } => {
            each_vector!(x => below_zero(simd, x, splat(alpha), #[inline(always)] |x| math::exp_m1(simd, x)) * gamma);
        }
        Pointwise::Celu { alpha } => {
            each_vector!(x => below_zero(
                simd,
                x,
                splat(alpha),
                #[inline(always)]
                |x| math::exp_m1(simd, x / alpha),
            ));
        }
        Pointwise::Softplus => each_vector!(x => math::softplus(simd, x)),
        Pointwise::Softsign => each_vector!(x => {
            let ratio = x / (x.abs() + 1.0);
            x.is_infinite().select(splat(1.0).copysign(x), ratio)
        }),
        Pointwise::Sigmoid => each_vector!(x => math::sigmoid(simd, x)),
        Pointwise::HardSigmoid { alpha, beta } => {
            each_vector!(x => math::clamp(simd, x.mul_add(splat(alpha), splat(beta)), 0.0, 1.0));
        }
        Pointwise::HardSwish => each_vector!(x => {
            let gate = math::clamp(simd, x.mul_add(splat(1.0 / 6.0), splat(0.5)), 0.0, 1.0);
            math::gated(simd, x, x * gate)
        }),
        Pointwise::Silu { alpha } => each_vector!(x => {
            let argument = x * alpha;
            math::gated(simd, argument, x * math::sigmoid(simd, argument))
        }),
        Pointwise::Gelu => each_vector!(x => {
            let gate = math::erf(simd, x * std::f32::consts::FRAC_1_SQRT_2) + 1.0;
            math::gated(simd, x, x * 0.5 * gate)
        }),
        Pointwise::GeluTanh => each_vector!(x => {
            // (1 + tanh(a)) / 2 = sigmoid(2 a); 2 sqrt(2 / pi) (x + 0.044715 x^3)
            let inner = (x * x).mul_add(splat(0.071_354_815), splat(1.595_769_2)) * x;
            math::gated(simd, x, x * math::sigmoid(simd, inner))
        }),
        Pointwise::Mish => each_vector!(x => math::mish(simd, x)),
        Pointwise::Tanh => each_vector!(x => math::tanh(simd, x)),
        Pointwise::Erf => each_vector!(x => math::erf(simd, x)),
        Pointwise::Exp => each_vector!(x => math::exp(simd, x)),
        Pointwise::Log => each_vector!(x => math::ln(simd, x)),
        Pointwise::Sqrt => each_vector!(x => x.sqrt()),
        Pointwise::Reciprocal => each_vector!(x => splat(1.0) / x),
        Pointwise::Neg => each_vector!(x => -x),
        Pointwise::Abs => each_vector!(x => x.abs()),
        Pointwise::Power { exponent } => match exponent {
            0.5 => each_vector!(x => x.sqrt()),
            1.0 => {}
            2.0 => each_vector!(x => x * x),
            3.0 => each_vector!(x => x * x * x),
            -1.0 => each_vector!(x => splat(1.0) / x),
            _ => each(x, |x| x.powf(exponent)),
        },
        Pointwise::Affine { scale, shift } => each_vector!(x => x.mul_add(splat(scale), splat(shift))),
        Pointwise::Floor => each_vector!(x => x.floor()),
        Pointwise::Ceil => each_vector!(x => x.ceil()),
        Pointwise::Round => each_vector!(x => x.round_ties_even()),
        Pointwise::Sign => each_vector!(x => {
            let positive = x.simd_gt(splat(0.0)).select(splat(1.0), x);
            x.simd_lt(splat(0.0)).select(splat(-1.0), positive)
        }),
        Pointwise::Sin => each(x, f32::sin),
        Pointwise::Cos => each(x, f32::cos),
        Pointwise::Not => each_vector!(x => x.simd_eq(splat(0.0)).select(splat(1.0), splat(0.0))),
        Pointwise::ThresholdedRelu { alpha } => {
            each_vector!(x => x.simd_le(splat(alpha)).select(splat(0.0), x));
        }
    }
}
