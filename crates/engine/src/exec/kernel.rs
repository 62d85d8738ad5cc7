//! A node made ready to run: packed weights, index tables, broadcasting strides.
//!
//! Made by `compile` from an [`Op`](crate::graph::Op), run by `step`. Nothing here depends on the number of examples.

use std::sync::Arc;

use occlude_kernels::{
    Binary, Isa, Lrn, PackedB, PackedGroups, Planes, Pointwise, Reduction, SoftmaxKind, Winograd,
    WinogradTile,
};

use crate::onnx::Foreign;

use super::lines::Lines;
use super::tables::{WindowMap, Windows};
use super::taps::MAX_KERNEL;

/// How the rows of a product are read.
#[derive(Debug)]
pub(super) enum RowSource {
    /// Row `r` is `k` contiguous floats at `r * k`: a 1x1 convolution of stride 1, or a linear layer. The number of rows per example.
    Dense {
        /// Rows per example.
        rows: usize,
        /// The places that the rows are, if it is a convolution.
        map: Option<WindowMap>,
    },
    /// Through an index table.
    Windows(Windows),
}

/// A matrix product with constant weights.
#[derive(Debug)]
pub(super) struct Product {
    pub(super) source: RowSource,
    /// How full runs read the rows, if the channels are few.
    pub(super) lines: Option<Lines>,
    /// Per channel group `[taps * channels of the group, outputs of the group]`.
    pub(super) weights: PackedGroups,
    pub(super) bias: Option<Arc<Vec<f32>>>,
    pub(super) activation: Pointwise,
    /// Floats per pixel (or row) read, all groups.
    pub(super) in_channels: usize,
    /// Floats per pixel (or row) written, all groups.
    pub(super) out_channels: usize,
    pub(super) has_residual: bool,
}

impl Product {
    /// The window map of a convolution that the delta form can do.
    pub(super) fn map(&self) -> Option<&WindowMap> {
        let map = match &self.source {
            RowSource::Windows(windows) => &windows.map,
            RowSource::Dense { map, .. } => map.as_ref()?,
        };
        map.geometry.kernel.iter().all(|&n| n <= MAX_KERNEL).then_some(map)
    }

    /// Multiply-adds per output element, padding taps counted.
    pub(super) fn depth(&self) -> usize {
        let taps = match &self.source {
            RowSource::Dense { .. } => 1,
            RowSource::Windows(windows) => windows.map.taps(),
        };
        taps * self.in_channels / self.weights.groups()
    }

    /// Its weights for Winograd's tiles; only for convolutions that `strategy` chose them for.
    pub(super) fn winograd(&self, isa: Isa, tile: WinogradTile) -> Winograd {
        let rank = self.map().map_or(0, |map| map.input.len());
        let weights = self.weights.single().map(PackedB::unpack).unwrap_or_default();
        Winograd::new(isa, tile, rank, &weights, self.in_channels, self.out_channels)
    }

    /// Whether residual or activation follow the sum.
    pub(super) fn has_epilogue(&self) -> bool {
        self.has_residual || self.activation != Pointwise::Identity
    }
}

/// A depthwise convolution.
#[derive(Debug)]
pub(super) struct Depthwise {
    pub(super) windows: Windows,
    /// `[taps, channels]`
    pub(super) weights: Arc<Vec<f32>>,
    pub(super) bias: Option<Arc<Vec<f32>>>,
    pub(super) activation: Pointwise,
    pub(super) has_residual: bool,
}

/// How the two sides of a binary operation meet.
#[derive(Debug)]
pub(super) enum Meeting {
    /// Each side has the output's length, or is its repeated tail; per-example sides walk along.
    Tail,
    /// Any broadcast: output dims and strides of both sides.
    Strided { dims: Vec<usize>, a: Vec<usize>, b: Vec<usize> },
}

/// Reading of one example for a reduction.
#[derive(Debug)]
pub(super) struct Reduce {
    /// Moves the reduced axes together first, where they are apart: shape and order.
    pub(super) permute: Option<(Vec<usize>, Vec<usize>)>,
    pub(super) planes: Planes,
    pub(super) op: Reduction,
    /// Applied to the input first (|x| for L1).
    pub(super) before: Pointwise,
    /// Applied to the result (square root for L2).
    pub(super) after: Pointwise,
    /// log(sum(exp)) needs the maximum first.
    pub(super) log_sum_exp: bool,
}

/// One batched matrix product of two activations.
#[derive(Debug)]
pub(super) struct MatMul {
    pub(super) m: usize,
    pub(super) k: usize,
    pub(super) n: usize,
    pub(super) transpose_b: bool,
    /// Per product of an example: start of a and of b, in floats.
    pub(super) starts: Vec<(usize, usize)>,
}

/// Resampling along one axis: `starts[j]..starts[j + 1]` are the entries of output position `j`.
#[derive(Debug)]
pub(super) struct AxisPass {
    /// What is read, around the axis.
    pub(super) planes: Planes,
    pub(super) starts: Vec<u32>,
    pub(super) index: Vec<u32>,
    pub(super) weight: Vec<f32>,
}

/// A node made ready to run.
#[derive(Debug)]
pub(super) enum Kernel {
    Product(Box<Product>),
    Depthwise(Box<Depthwise>),
    MaxPool(Windows),
    AveragePool(Windows, Arc<Vec<f32>>),
    Affine {
        scale: Arc<Vec<f32>>,
        shift: Arc<Vec<f32>>,
        activation: Pointwise,
    },
    Pointwise(Pointwise),
    PRelu(Arc<Vec<f32>>),
    Binary {
        op: Binary,
        activation: Pointwise,
        meeting: Meeting,
    },
    /// Mod and Fmod, one pair at a time.
    Remainder {
        floor: bool,
        dims: Vec<usize>,
        a: Vec<usize>,
        b: Vec<usize>,
    },
    Where {
        dims: Vec<usize>,
        strides: [Vec<usize>; 3],
    },
    Softmax(SoftmaxKind, Planes),
    Reduce(Reduce),
    LayerNorm {
        width: usize,
        epsilon: f32,
        scale: Arc<Vec<f32>>,
        shift: Arc<Vec<f32>>,
    },
    GroupNorm {
        channels: usize,
        groups: usize,
        epsilon: f32,
        scale: Arc<Vec<f32>>,
        shift: Arc<Vec<f32>>,
    },
    Lrn(usize, Lrn),
    MatMul(MatMul),
    /// Floats per outer position of each input.
    Concat(Vec<usize>),
    Pick {
        dims: Vec<usize>,
        tables: Vec<Vec<u32>>,
        fill: f32,
    },
    /// Axis by axis.
    Resample(Vec<AxisPass>),
    Permute {
        dims: Vec<usize>,
        order: Vec<usize>,
    },
    /// Shares its input's slot, or copies a constant.
    Reshape,
    Foreign(Arc<Foreign>),
}
