//! The operators of the graph, each with everything resolved.
//!
//! Shapes are those of the tensors (stored order); an operator holds only what they do not say. `rows` means: all axes but the last.

use std::ops::Range;
use std::sync::Arc;

use occlude_kernels::Pointwise;

use crate::onnx::Foreign;

/// What a node computes. `x`, `y` are inputs by position; the output's shape is that of the output tensor.
#[derive(Clone, Debug)]
pub enum Op {
    /// Convolution of `x: [1, spatial..., C]`; optional second input: a residual of the output's shape, added before the activation.
    Conv(Conv),
    /// Transposed convolution of `x: [1, spatial..., C]`.
    ConvTranspose(ConvTranspose),
    /// Max or average pooling of `x: [1, spatial..., C]`.
    Pool(Pool),
    /// `x: [..., in] -> [..., out]`; optional second input: a residual of the output's shape, added before the activation.
    Linear(Linear),
    /// `activation(x * scale[c] + shift[c])` along the last axis.
    Affine(Affine),
    /// `f(x)` element by element.
    Pointwise(Pointwise),
    /// `activation(kind(x, y))` with ONNX (numpy) broadcasting of the stored shapes, aligned at the last axis.
    Binary {
        /// The operation.
        kind: BinaryKind,
        /// Applied to the result.
        activation: Pointwise,
    },
    /// `x if x >= 0 else slope[c] x` along the last axis.
    PRelu {
        /// One slope per channel.
        slope: Arc<Vec<f32>>,
    },
    /// Inputs `condition, x, y`, broadcast against each other: x where the condition is not 0.
    Where,
    /// Softmax (or its logarithm) along one stored axis.
    Softmax {
        /// Stored axis.
        axis: usize,
        /// Logarithm of it.
        log: bool,
    },
    /// Reduction over stored axes; the output keeps them with length one, or drops them (its shape says).
    Reduce {
        /// The operation.
        kind: ReduceKind,
        /// Stored axes, ascending.
        axes: Vec<usize>,
    },
    /// `(x - mean) / sqrt(var + eps) * scale + shift` over the last axis.
    LayerNorm {
        /// ONNX `epsilon`.
        epsilon: f32,
        /// One factor per element of the last axis.
        scale: Arc<Vec<f32>>,
        /// One summand per element of the last axis.
        shift: Arc<Vec<f32>>,
    },
    /// Each of `groups` equal groups of channels of `x: [1, spatial..., C]` normalised over all pixels (InstanceNormalization: as many groups as channels).
    GroupNorm {
        /// Number of groups.
        groups: usize,
        /// ONNX `epsilon`.
        epsilon: f32,
        /// `[C]`
        scale: Arc<Vec<f32>>,
        /// `[C]`
        shift: Arc<Vec<f32>>,
    },
    /// Local response normalisation across the last axis (ONNX `LRN`).
    Lrn {
        /// Channels summed over.
        size: usize,
        /// ONNX `alpha`.
        alpha: f32,
        /// ONNX `beta`.
        beta: f32,
        /// ONNX `bias`.
        bias: f32,
    },
    /// `x: [..., m, k]` times `y: [..., k, n]`, leading axes broadcast.
    MatMul,
    /// `x: [..., m, k]` times the transposed `y: [..., n, k]`, leading axes broadcast. Made by the passes only.
    MatMulTransposed,
    /// Joined along a stored axis; any number of inputs.
    Concat {
        /// Stored axis.
        axis: usize,
    },
    /// `start + i * step` along each stored axis; the output's shape says how many.
    Slice {
        /// First index per stored axis.
        starts: Vec<usize>,
        /// Step per stored axis, negative to walk backwards.
        steps: Vec<isize>,
    },
    /// Each output element is the input element that the per-axis index names, or `fill` where one axis has none.
    /// Covers Pad of every mode, Gather, and nearest Resize.
    Pick {
        /// Per stored axis, per output index: the input index, or `None` for the fill value.
        indices: Vec<Arc<Vec<Option<usize>>>>,
        /// Value where any axis says `None`.
        fill: f32,
    },
    /// Each output element is a weighted sum of input elements, separable per axis (linear and cubic Resize).
    Resample {
        /// Per stored axis, per output index: `(input index, weight)` pairs. An axis left alone has one pair of weight 1 each.
        taps: Vec<AxisTaps>,
    },
    /// Stored axes reordered: output axis `i` is input axis `order[i]`.
    Permute {
        /// Order of stored axes.
        order: Vec<usize>,
    },
    /// The same bytes under another shape.
    Reshape,
    /// ONNX `Expand`: broadcast to the output's shape.
    Broadcast,
    /// An operator without a kernel of ours: run by the importer on whole tensors.
    Foreign(Arc<Foreign>),
}

/// Per output index of one axis: `(input index, weight)` pairs.
pub type AxisTaps = Arc<Vec<Vec<(usize, f32)>>>;

/// Sizes of a sliding window over the spatial axes; all vectors have one entry per spatial axis (1 to 3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Geometry {
    /// Elements of the kernel.
    pub kernel: Vec<usize>,
    /// Step between outputs.
    pub stride: Vec<usize>,
    /// Step between taps.
    pub dilation: Vec<usize>,
    /// Padding before the first element (what ONNX calls begin). Padding at the end follows from the shapes.
    pub pad_before: Vec<usize>,
}

impl Geometry {
    /// Number of taps.
    pub fn taps(&self) -> usize {
        self.kernel.iter().product()
    }

    /// Whether it is three neighbouring taps at every step along every axis.
    pub(crate) fn has_three_taps(&self) -> bool {
        let all = |values: &[usize], wanted: usize| values.iter().all(|&v| v == wanted);
        all(&self.kernel, 3) && all(&self.stride, 1) && all(&self.dilation, 1)
    }

    /// The input index that output index `output` reads through tap `tap` on a spatial axis of `length` inputs; `None` in the padding.
    /// `transposed`: output `o` reads input `i` where `o = i * stride + tap * dilation - pad`.
    pub fn reads(
        &self,
        axis: usize,
        output: usize,
        tap: usize,
        length: usize,
        transposed: bool,
    ) -> Option<usize> {
        let (reach, pad) = (tap * self.dilation[axis], self.pad_before[axis]);
        let at = if transposed {
            let from = (output + pad).checked_sub(reach)?;
            from.is_multiple_of(self.stride[axis]).then_some(from / self.stride[axis])?
        } else {
            (output * self.stride[axis] + reach).checked_sub(pad)?
        };
        (at < length).then_some(at)
    }
}

/// A convolution. Weights as the kernels want them: `[taps, C_in / groups, C_out]`, taps row-major over the spatial axes.
#[derive(Clone, Debug)]
pub struct Conv {
    /// Window.
    pub geometry: Geometry,
    /// Channel groups; output channel `o` belongs to group `o / (C_out / groups)`.
    pub groups: usize,
    /// Input channels, all groups.
    pub in_channels: usize,
    /// Output channels, all groups.
    pub out_channels: usize,
    /// `[taps, in_channels / groups, out_channels]`.
    pub weight: Arc<Vec<f32>>,
    /// `[out_channels]`.
    pub bias: Option<Arc<Vec<f32>>>,
    /// Applied last.
    pub activation: Pointwise,
}

/// A transposed convolution. For it `pad_before` is what is cut off the result's start.
#[derive(Clone, Debug)]
pub struct ConvTranspose {
    /// Window of the convolution that it transposes.
    pub geometry: Geometry,
    /// Channel groups; input channel `i` belongs to group `i / (C_in / groups)`.
    pub groups: usize,
    /// Input channels, all groups.
    pub in_channels: usize,
    /// Output channels, all groups.
    pub out_channels: usize,
    /// `[taps, in_channels / groups, out_channels]`: `y[o] += x[i] * weight[tap, i in group, o]`.
    pub weight: Arc<Vec<f32>>,
    /// `[out_channels]`.
    pub bias: Option<Arc<Vec<f32>>>,
    /// Applied last.
    pub activation: Pointwise,
}

/// Pooling.
#[derive(Clone, Debug)]
pub struct Pool {
    /// Max or average.
    pub kind: PoolKind,
    /// Window.
    pub geometry: Geometry,
}

/// What a pooling window gives.
#[derive(Clone, Debug, PartialEq)]
pub enum PoolKind {
    /// The largest valid element.
    Max,
    /// The sum of valid elements over a divisor, one per output position (row-major over the spatial axes).
    Average {
        /// `[output positions]`
        divisor: Arc<Vec<f32>>,
    },
}

/// A matrix product with constant weights along the last axis.
#[derive(Clone, Debug)]
pub struct Linear {
    /// Length of the input's last axis.
    pub in_features: usize,
    /// Length of the output's last axis.
    pub out_features: usize,
    /// `[in_features, out_features]`.
    pub weight: Arc<Vec<f32>>,
    /// `[out_features]`.
    pub bias: Option<Arc<Vec<f32>>>,
    /// Applied last.
    pub activation: Pointwise,
}

/// Per-channel scale and shift (a BatchNormalization that could not be folded).
#[derive(Clone, Debug)]
pub struct Affine {
    /// `[C]`
    pub scale: Arc<Vec<f32>>,
    /// `[C]`
    pub shift: Arc<Vec<f32>>,
    /// Applied last.
    pub activation: Pointwise,
}

/// Binary operations. Comparisons give 1 or 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the ONNX operators")]
pub enum BinaryKind {
    Add,
    Sub,
    Mul,
    Div,
    Min,
    Max,
    Pow,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
    Equal,
    And,
    Or,
    Xor,
    /// ONNX `Mod` with `fmod = 1` (sign of the dividend).
    Fmod,
    /// ONNX `Mod` with `fmod = 0` (sign of the divisor).
    Mod,
}

/// Reductions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the ONNX operators Reduce*")]
pub enum ReduceKind {
    Mean,
    Sum,
    Max,
    Min,
    Prod,
    L1,
    L2,
    SumSquare,
    LogSum,
    LogSumExp,
}

/// A box of stored axes: one half-open range per axis.
pub type Region = Vec<Range<usize>>;
