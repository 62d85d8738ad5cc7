//! f32 kernels on slices: no graph, no tensor type, no allocation in the loop.
//!
//! Every kernel takes an [`Isa`] (chosen once), f32 slices in, and writes an f32 slice. Images and volumes are channels-last: the
//! channels of one pixel are contiguous. Convolutions, depthwise convolutions and pools find their inputs through [`Rows`], a table of
//! offsets, so that a tensor, a box of changed values and padding are read by the same code. Sums have one order per output
//! element, whatever is computed beside it, so that a part of a tensor recomputed later has the same bits.
//!
//! Slices may start anywhere; those that start on a cache line ([`Aligned`]) are up to a third faster where whole vectors are read
//! (depthwise convolutions, pools).
//!
//! [`naive`] holds the definition of every kernel and is what the fast ones are tested against. Lengths that do not fit are
//! bugs of the caller and panic with the numbers.

mod aligned;
mod binary;
mod change;
mod depthwise;
mod elementwise;
mod gemm;
mod isa;
mod lanes;
mod layout;
mod math;
mod measure;
pub mod naive;
mod norm;
mod pointwise;
mod pool;
mod reduce;
mod resize;
mod rows;
mod softmax;
mod strides;
mod unroll;
mod windows;
mod winograd;

pub use aligned::Aligned;
pub use binary::{Binary, Broadcast, binary, binary_broadcast, select_broadcast};
pub use change::{ByChannel, change_rows};
pub use depthwise::depthwise;
pub use elementwise::{affine, affine_to, pointwise, pointwise_to, prelu};
pub use gemm::{MatShape, PackedB, PackedGroups, gemm_groups, gemm_rows, matmul};
pub use isa::Isa;
pub use layout::{gather_axes, permute};
pub use measure::fma_burst;
pub use norm::{Lrn, group_norm, layer_norm, lrn};
pub use pointwise::Pointwise;
pub use pool::{pool_average, pool_max};
pub use reduce::{Planes, Reduction, reduce};
pub use resize::{AxisTable, resize_axis};
pub use rows::{Epilogue, PAD, Rows, SOURCE_SHIFT, Strided};
pub use softmax::{SoftmaxKind, softmax};
pub use winograd::{
    WINOGRAD_CHANNELS, WINOGRAD_SCRATCH_BYTES, Winograd, WinogradScratch, WinogradTile, WinogradTiles,
};
