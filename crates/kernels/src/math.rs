//! exp, log, tanh, erf and their kin on vectors.
//!
//! One vector of f32 in, one out, a few units in the last place from the true value (the tests hold each function to its bound);
//! infinities, zeros and NaN come out as the mathematics says. Reduction to a small interval and polynomials after Cephes
//! (`expf`, `logf`); erf after N. Juffa's `erff`. Not here: the loops over slices (`elementwise`).

#![allow(clippy::excessive_precision, reason = "coefficients as published")]

use crate::isa::Level;
use fearless_simd::prelude::*;

/// Powers of two are added into the exponent bits through this number: 1.5 * 2^23, whose lowest bit counts ones.
const ROUNDER: f32 = 12_582_912.0;
const LN2_HIGH: f32 = 0.693_359_4;
const LN2_LOW: f32 = -2.121_944_4e-4;
const EXP: [f32; 6] = [
    1.987_569_15e-4,
    1.398_199_950_7e-3,
    8.333_451_907_3e-3,
    4.166_579_589_4e-2,
    1.666_666_545_9e-1,
    5.000_000_120_1e-1,
];

/// Value of the polynomial with these coefficients, highest power first.
#[inline(always)]
fn polynomial<S: Level>(simd: S, x: S::f32s, coefficients: &[f32]) -> S::f32s {
    let mut value = S::f32s::splat(simd, coefficients[0]);
    for &coefficient in &coefficients[1..] {
        value = value.mul_add(x, S::f32s::splat(simd, coefficient));
    }
    value
}

/// `low` below it, `high` above it; NaN stays.
#[inline(always)]
pub(crate) fn clamp<S: Level>(simd: S, x: S::f32s, low: f32, high: f32) -> S::f32s {
    simd.at_most(simd.at_least(x, S::f32s::splat(simd, low)), S::f32s::splat(simd, high))
}

/// x at or above zero, `f(x)` below, for an `f` with f(0) = 0: as a sum of both parts.
#[inline(always)]
pub(crate) fn below_zero<S: Level>(
    simd: S,
    x: S::f32s,
    scale: S::f32s,
    f: impl Fn(S::f32s) -> S::f32s,
) -> S::f32s {
    let zero = S::f32s::splat(simd, 0.0);
    f(simd.at_most(x, zero)).mul_add(scale, simd.at_least(x, zero))
}

/// x = n ln 2 + r with integral n and |r| <= ln 2 / 2: gives n and exp(r) - 1.
#[inline(always)]
fn reduce<S: Level>(simd: S, x: S::f32s) -> (S::f32s, S::f32s) {
    let n = (x * std::f32::consts::LOG2_E).round_ties_even();
    let r = n.mul_add(S::f32s::splat(simd, -LN2_HIGH), x);
    let r = n.mul_add(S::f32s::splat(simd, -LN2_LOW), r);
    (n, polynomial(simd, r, &EXP).mul_add(r * r, r))
}

/// 2^n for integral n in -126..=127.
#[inline(always)]
fn power_of_two<S: Level>(n: S::f32s) -> S::f32s {
    S::f32s::from_bits((n + (ROUNDER + 127.0)).to_bits() << 23)
}

#[inline(always)]
pub(crate) fn exp<S: Level>(simd: S, x: S::f32s) -> S::f32s {
    let (n, p) = reduce(simd, clamp(simd, x, -104.0, 89.0));
    // In two steps, so that results below the smallest normal number and the step to infinity come out right.
    let half = (n * 0.5).floor();
    (p + 1.0) * power_of_two::<S>(half) * power_of_two::<S>(n - half)
}

/// exp(x) - 1, accurate also near 0.
#[inline(always)]
pub(crate) fn exp_m1<S: Level>(simd: S, x: S::f32s) -> S::f32s {
    let (n, p) = reduce(simd, clamp(simd, x, -30.0, 89.0));
    let half = power_of_two::<S>(n - 1.0);
    half.mul_add(p, half - 0.5) * 2.0
}

/// Natural logarithm: -inf of 0, NaN of what is below.
#[inline(always)]
pub(crate) fn ln<S: Level>(simd: S, x: S::f32s) -> S::f32s {
    const LN: [f32; 9] = [
        7.037_683_6e-2,
        -1.151_461e-1,
        1.167_699_9e-1,
        -1.242_014_1e-1,
        1.424_932_3e-1,
        -1.666_805_8e-1,
        2.000_071_5e-1,
        -2.499_999_4e-1,
        3.333_333_1e-1,
    ];
    let splat = |value: f32| S::f32s::splat(simd, value);
    let tiny = x.simd_lt(splat(f32::MIN_POSITIVE));
    let bits = tiny.select(x * 8_388_608.0, x).to_bits();
    // The exponent as a float: its bits put below those of 2^23.
    let exponent = S::f32s::from_bits((bits >> 23) | 0x4b00_0000) - (8_388_608.0 + 126.0);
    let exponent = tiny.select(exponent - 23.0, exponent);
    let mantissa = S::f32s::from_bits((bits & 0x007f_ffff) | 0x3f00_0000);
    let low = mantissa.simd_lt(splat(std::f32::consts::FRAC_1_SQRT_2));
    let exponent = low.select(exponent - 1.0, exponent);
    let m = low.select(mantissa + mantissa, mantissa) - 1.0;
    let square = m * m;
    let y = polynomial(simd, m, &LN) * m * square;
    let y = exponent.mul_add(splat(LN2_LOW), y);
    let y = square.mul_add(splat(-0.5), y);
    let value = exponent.mul_add(splat(LN2_HIGH), m + y);
    let value = x.simd_eq(splat(f32::INFINITY)).select(x, value);
    let value = x.simd_eq(splat(0.0)).select(splat(f32::NEG_INFINITY), value);
    let value = x.simd_lt(splat(0.0)).select(splat(f32::NAN), value);
    x.is_nan().select(x, value)
}

/// ln(1 + y) for 0 <= y <= 1.
#[inline(always)]
fn ln_1p<S: Level>(simd: S, y: S::f32s) -> S::f32s {
    let sum = y + 1.0;
    ln(simd, sum) + (y - (sum - 1.0)) / sum
}

#[inline(always)]
pub(crate) fn softplus<S: Level>(simd: S, x: S::f32s) -> S::f32s {
    let zero = S::f32s::splat(simd, 0.0);
    simd.at_least(x, zero) + ln_1p(simd, exp(simd, -x.abs()))
}

#[inline(always)]
pub(crate) fn sigmoid<S: Level>(simd: S, x: S::f32s) -> S::f32s {
    let e = exp(simd, -x.abs());
    let one = S::f32s::splat(simd, 1.0);
    x.simd_lt(S::f32s::splat(simd, 0.0)).select(e, one) / (e + 1.0)
}

#[inline(always)]
pub(crate) fn tanh<S: Level>(simd: S, x: S::f32s) -> S::f32s {
    let e = exp_m1(simd, x.abs() * -2.0);
    (-e / (e + 2.0)).copysign(x)
}

#[inline(always)]
pub(crate) fn erf<S: Level>(simd: S, x: S::f32s) -> S::f32s {
    let size = x.abs();
    let square = x * x;
    let splat = |value: f32| S::f32s::splat(simd, value);
    // 1 - exp(polynomial) for large arguments.
    let r = splat(-1.728_534_7e-5).mul_add(size, splat(3.831_974_2e-4));
    let u = splat(-3.883_963_9e-3).mul_add(size, splat(2.425_462_1e-2));
    let r = r.mul_add(square, u);
    let r = r.mul_add(size, splat(-1.067_778_8e-1));
    let r = r.mul_add(size, splat(-6.348_466_9e-1));
    let r = r.mul_add(size, splat(-1.287_175_1e-1));
    let r = r.mul_add(size, -size);
    // Beyond 4 the result is 1 to all digits, and the polynomial overflows further out.
    let r = size.simd_gt(splat(4.0)).select(splat(-104.0), r);
    let far = (splat(1.0) - exp(simd, r)).copysign(x);
    let near = polynomial(
        simd,
        square,
        &[-5.967_617e-4, 4.991_194e-3, -2.676_813_5e-2, 1.128_199_2e-1, -3.761_253_4e-1, 1.283_791_7e-1],
    );
    let near = near.mul_add(x, x);
    let value = size.simd_gt(splat(0.927_734_4)).select(far, near);
    x.is_nan().select(x, value)
}

/// x times a gate that goes to 0 faster than x grows: 0, not NaN, where `argument` of the gate is -inf.
#[inline(always)]
pub(crate) fn gated<S: Level>(simd: S, argument: S::f32s, value: S::f32s) -> S::f32s {
    argument.simd_eq(S::f32s::splat(simd, f32::NEG_INFINITY)).select(S::f32s::splat(simd, 0.0), value)
}

#[inline(always)]
pub(crate) fn mish<S: Level>(simd: S, x: S::f32s) -> S::f32s {
    // tanh(ln(1 + e)) = n / (n + 2) with n = e (e + 2), e = exp(x).
    let limit = S::f32s::splat(simd, 20.0);
    let e = exp(simd, simd.at_most(x, limit));
    let n = e * (e + 2.0);
    gated(simd, x, x.simd_gt(limit).select(x, x * (n / (n + 2.0))))
}
