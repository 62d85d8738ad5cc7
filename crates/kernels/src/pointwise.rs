//! The pointwise functions that a graph can hold, alone or as the last step of a convolution.
//!
//! One enum for the whole engine, so that fusing an activation into a product is moving a value, and each function has one definition.

/// A function of one f32, applied to each element.
///
/// Definitions follow the ONNX operator of the same name.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Pointwise {
    /// x
    Identity,
    /// max(x, 0)
    Relu,
    /// min(max(x, lo), hi)
    Clip {
        /// Lower bound, may be -inf.
        lo: f32,
        /// Upper bound, may be +inf.
        hi: f32,
    },
    /// x if x >= 0, else alpha x
    LeakyRelu {
        /// Slope below zero.
        alpha: f32,
    },
    /// x if x >= 0, else alpha (exp(x) - 1)
    Elu {
        /// Scale below zero.
        alpha: f32,
    },
    /// gamma x if x > 0, else gamma (alpha exp(x) - alpha)
    Selu {
        /// ONNX `alpha`.
        alpha: f32,
        /// ONNX `gamma`.
        gamma: f32,
    },
    /// max(0, x) + min(0, alpha (exp(x / alpha) - 1))
    Celu {
        /// ONNX `alpha`.
        alpha: f32,
    },
    /// ln(1 + exp(x))
    Softplus,
    /// x / (1 + |x|)
    Softsign,
    /// 1 / (1 + exp(-x))
    Sigmoid,
    /// max(0, min(1, alpha x + beta))
    HardSigmoid {
        /// ONNX `alpha`.
        alpha: f32,
        /// ONNX `beta`.
        beta: f32,
    },
    /// x max(0, min(1, x / 6 + 1 / 2))
    HardSwish,
    /// x sigmoid(alpha x); Swish with alpha, SiLU with alpha 1
    Silu {
        /// ONNX Swish `alpha`, 1 for SiLU.
        alpha: f32,
    },
    /// x (1 + erf(x / sqrt 2)) / 2
    Gelu,
    /// x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2
    GeluTanh,
    /// x tanh(softplus(x))
    Mish,
    /// tanh(x)
    Tanh,
    /// erf(x)
    Erf,
    /// exp(x)
    Exp,
    /// ln(x)
    Log,
    /// sqrt(x)
    Sqrt,
    /// 1 / x
    Reciprocal,
    /// -x
    Neg,
    /// |x|
    Abs,
    /// x^exponent with a constant exponent (exactly x * x for 2)
    Power {
        /// The exponent.
        exponent: f32,
    },
    /// scale x + shift
    Affine {
        /// Factor.
        scale: f32,
        /// Summand.
        shift: f32,
    },
    /// largest integer not above x
    Floor,
    /// smallest integer not below x
    Ceil,
    /// nearest integer, ties to even
    Round,
    /// -1, 0 or 1
    Sign,
    /// sin(x)
    Sin,
    /// cos(x)
    Cos,
    /// 1 if x == 0 else 0 (logical not on a 0/1 tensor)
    Not,
    /// x if x > alpha, else 0
    ThresholdedRelu {
        /// ONNX `alpha`.
        alpha: f32,
    },
}
