//! Scalar definitions of the functions of one and two values, in f64.
//!
//! In goes one value and a function's name, out comes the correctly rounded f32 to a few parts in 10^15. The fast kernels are
//! measured against these; nothing here is fast.

use crate::{Binary, Pointwise};

/// `f(x)`, computed in f64 and rounded once.
pub fn pointwise(f: Pointwise, x: f32) -> f32 {
    wide(f, x) as f32
}

fn wide(f: Pointwise, x: f32) -> f64 {
    let narrow = x;
    let x = f64::from(x);
    // Comparisons are written so that a NaN falls through to the branch that keeps it.
    let clamp = |v: f64, lo: f64, hi: f64| {
        let v = if v < lo { lo } else { v };
        if v > hi { hi } else { v }
    };
    match f {
        Pointwise::Identity => x,
        Pointwise::Relu => {
            if x < 0.0 {
                0.0
            } else {
                x
            }
        }
        Pointwise::Clip { lo, hi } => clamp(x, f64::from(lo), f64::from(hi)),
        Pointwise::LeakyRelu { alpha } => {
            if x < 0.0 {
                f64::from(alpha) * x
            } else {
                x
            }
        }
        Pointwise::Elu { alpha } => {
            if x < 0.0 {
                f64::from(alpha) * x.exp_m1()
            } else {
                x
            }
        }
        Pointwise::Selu { alpha, gamma } => {
            f64::from(gamma) * if x < 0.0 { f64::from(alpha) * x.exp_m1() } else { x }
        }
        Pointwise::Celu { alpha } => {
            let alpha = f64::from(alpha);
            if x < 0.0 { alpha * (x / alpha).exp_m1() } else { x }
        }
        Pointwise::Softplus => softplus(x),
        Pointwise::Softsign => {
            if x.is_infinite() {
                x.signum()
            } else {
                x / (1.0 + x.abs())
            }
        }
        Pointwise::Sigmoid => sigmoid(x),
        Pointwise::HardSigmoid { alpha, beta } => clamp(f64::from(alpha) * x + f64::from(beta), 0.0, 1.0),
        Pointwise::HardSwish => limit_at_minus_infinity(x, x * clamp(x / 6.0 + 0.5, 0.0, 1.0)),
        Pointwise::Silu { alpha } => {
            limit_at_minus_infinity(f64::from(alpha) * x, x * sigmoid(f64::from(alpha) * x))
        }
        Pointwise::Gelu => limit_at_minus_infinity(x, 0.5 * x * erfc(-x / 2.0_f64.sqrt())),
        Pointwise::GeluTanh => {
            let inner = (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044715 * x * x * x);
            limit_at_minus_infinity(x, x * sigmoid(2.0 * inner))
        }
        Pointwise::Mish => limit_at_minus_infinity(x, x * softplus(x).tanh()),
        Pointwise::Tanh => x.tanh(),
        Pointwise::Erf => erf(x),
        Pointwise::Exp => x.exp(),
        Pointwise::Log => x.ln(),
        Pointwise::Sqrt => x.sqrt(),
        Pointwise::Reciprocal => 1.0 / x,
        Pointwise::Neg => -x,
        Pointwise::Abs => x.abs(),
        Pointwise::Power { exponent } => f64::from(narrow).powf(f64::from(exponent)),
        Pointwise::Affine { scale, shift } => f64::from(scale) * x + f64::from(shift),
        Pointwise::Floor => x.floor(),
        Pointwise::Ceil => x.ceil(),
        Pointwise::Round => x.round_ties_even(),
        Pointwise::Sign => {
            if x > 0.0 {
                1.0
            } else if x < 0.0 {
                -1.0
            } else {
                x
            }
        }
        Pointwise::Sin => x.sin(),
        Pointwise::Cos => x.cos(),
        Pointwise::Not => f64::from(u8::from(x == 0.0)),
        Pointwise::ThresholdedRelu { alpha } => {
            if x <= f64::from(alpha) {
                0.0
            } else {
                x
            }
        }
    }
}

/// x times a gate that goes to 0 faster than x goes to -inf: the product's limit, where the formula says inf * 0.
fn limit_at_minus_infinity(gate_argument: f64, value: f64) -> f64 {
    if gate_argument == f64::NEG_INFINITY { 0.0 } else { value }
}

fn sigmoid(x: f64) -> f64 {
    if x < 0.0 { x.exp() / (1.0 + x.exp()) } else { 1.0 / (1.0 + (-x).exp()) }
}

fn softplus(x: f64) -> f64 {
    if x > 0.0 { x + (-x).exp().ln_1p() } else { x.exp().ln_1p() }
}

/// erf in f64: Maclaurin series near 0, continued fraction of erfc further out (Abramowitz and Stegun 7.1.5, 7.1.14).
pub fn erf(x: f64) -> f64 {
    if x.is_nan() {
        return x;
    }
    if x.abs() > 2.5 {
        return if x > 0.0 { 1.0 - erfc(x) } else { erfc(-x) - 1.0 };
    }
    let mut term = x;
    let mut sum = x;
    for n in 1..80 {
        term *= -x * x / f64::from(n);
        sum += term / f64::from(2 * n + 1);
    }
    sum * std::f64::consts::FRAC_2_SQRT_PI
}

/// 1 - erf(x), accurate also where it is tiny.
pub fn erfc(x: f64) -> f64 {
    if x.is_nan() {
        return x;
    }
    if x < 2.5 {
        return if x < -2.5 { 2.0 - erfc(-x) } else { 1.0 - erf(x) };
    }
    if x > 30.0 {
        return 0.0;
    }
    let mut fraction = 0.0;
    for n in (1..=120).rev() {
        fraction = f64::from(n) / 2.0 / (x + fraction);
    }
    (-x * x).exp() / std::f64::consts::PI.sqrt() / (x + fraction)
}

/// `a op b`, computed in f64 where that matters and rounded once; a NaN on either side gives NaN for arithmetic, 0 for comparisons.
pub fn binary(op: Binary, a: f32, b: f32) -> f32 {
    let (x, y) = (f64::from(a), f64::from(b));
    let truth = |value: bool| f32::from(u8::from(value));
    match op {
        Binary::Add => a + b,
        Binary::Sub => a - b,
        Binary::Mul => a * b,
        Binary::Div => a / b,
        Binary::Min => {
            if a.is_nan() || b.is_nan() {
                f32::NAN
            } else {
                a.min(b)
            }
        }
        Binary::Max => {
            if a.is_nan() || b.is_nan() {
                f32::NAN
            } else {
                a.max(b)
            }
        }
        Binary::Pow => x.powf(y) as f32,
        Binary::Greater => truth(a > b),
        Binary::GreaterOrEqual => truth(a >= b),
        Binary::Less => truth(a < b),
        Binary::LessOrEqual => truth(a <= b),
        Binary::Equal => truth(a == b),
        Binary::And => truth(a != 0.0 && b != 0.0),
        Binary::Or => truth(a != 0.0 || b != 0.0),
        Binary::Xor => truth((a != 0.0) != (b != 0.0)),
        Binary::PRelu => {
            if a < 0.0 {
                a * b
            } else {
                a
            }
        }
    }
}
