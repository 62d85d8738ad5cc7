//! Which layer the deconvnet starts from: the top convolution of a graph, and the max pooling that follows a layer.
//!
//! In: a graph as the importer made it. Out: tensors. "Top" is the last convolution that still has places: the 1x1 convolutions of a head or of a
//! squeeze-and-excitation on a single place are linear layers by another name.

use occlude_kernels::Pointwise;

use crate::graph::{Graph, Node, Op, PoolKind, TensorId};

use super::is_relu;

/// The last convolution with more than one place, after its activation; `None` without any.
pub fn top_convolution(graph: &Graph) -> Option<TensorId> {
    last_with_a_way_back(graph, &|_| true)
}

/// The max pooling that reads this tensor, if there is one: its output.
pub fn pooled(graph: &Graph, layer: TensorId) -> Option<TensorId> {
    let reads = |node: &&Node| {
        node.inputs.first() == Some(&layer)
            && matches!(&node.op, Op::Pool(pool) if pool.kind == PoolKind::Max)
    };
    graph.nodes.iter().find(reads).map(|node| node.output)
}

/// The last convolution, after its activation, on whose way to the input every node is allowed.
pub(super) fn last_with_a_way_back(graph: &Graph, allows: &dyn Fn(&Node) -> bool) -> Option<TensorId> {
    // A tensor has a way back if its node is allowed and all that it reads has one; constants and inputs do.
    let mut has = vec![true; graph.tensors.len()];
    for node in &graph.nodes {
        has[node.output.0] = allows(node) && node.inputs.iter().all(|id| has[id.0]);
    }
    let convolution = graph.nodes.iter().rev().find(|node| {
        let shape = &graph.tensor(node.output).shape;
        let places: usize = shape.iter().rev().skip(1).product();
        matches!(node.op, Op::Conv(_)) && places > 1 && has[node.output.0]
    })?;
    Some(after_activation(graph, convolution.output, &has))
}

/// Follows a convolution through normalisation and residual sums to its ReLU; where none follows, the convolution itself.
fn after_activation(graph: &Graph, convolution: TensorId, has: &[bool]) -> TensorId {
    let mut at = convolution;
    loop {
        let mut readers = graph.nodes.iter().filter(|node| node.inputs.contains(&at));
        let (Some(next), None) = (readers.next(), readers.next()) else { return convolution };
        if !has[next.output.0] {
            return convolution;
        }
        match &next.op {
            Op::Pointwise(f) if is_relu(*f) => return next.output,
            Op::Affine(_) | Op::Binary { .. } | Op::Reshape | Op::Pointwise(Pointwise::Affine { .. }) => {
                at = next.output;
            }
            _ => return convolution,
        }
    }
}
