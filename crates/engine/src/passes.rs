//! Rewrites of a graph that leave its function alone: fewer, larger nodes for the executor.
//!
//! In: the importer's graph, one node per ONNX operator. Out: the same outputs, with per-channel arithmetic gathered into affine
//! nodes and folded into convolutions, decomposed activations and norms recognised, activations and residual sums fused into the
//! product before them, and nothing dead. Each pass is a function on [`Graph`]; the order here is the only order they are tested in.
//! Tensors that a caller asked for as outputs are never fused away.

mod affine;
mod clean;
mod edit;
mod fuse;
mod patterns;
mod pools;
mod products;

use crate::graph::Graph;

pub(crate) use clean::restore_output_order;

/// Applies all passes.
pub(crate) fn optimize(graph: &mut Graph) {
    clean::merge_moves(graph);
    clean::remove_dead(graph);
    affine::gather(graph);
    patterns::recognise(graph);
    // What a pattern no longer needs would still count as a reader, and keep an activation out of the product before it.
    clean::remove_dead(graph);
    affine::join(graph);
    clean::skip_copies(graph);
    affine::fold_into_products(graph);
    products::take_transposed(graph);
    pools::before_products(graph);
    fuse::residuals(graph);
    fuse::activations(graph);
    clean::remove_dead(graph);
}
