//! Products of two activations (attention): the right side is read as it lies in memory.
//!
//! Exporters transpose the keys before the product. Packing the right side for the kernel moves every element anyway, so the transposition is left to it.

use crate::graph::{Graph, Op};

use super::edit::Uses;

/// A right side that a permutation alone has transposed keeps its rows: the permutation moves whole rows (or nothing), the product transposes.
pub(super) fn take_transposed(graph: &mut Graph) {
    let uses = Uses::of(graph);
    for index in 0..graph.nodes.len() {
        if !matches!(graph.nodes[index].op, Op::MatMul) {
            continue;
        }
        let right = graph.nodes[index].inputs[1];
        let (Some(producer), true) = (uses.producer(right), uses.only_reader(right) == Some(index)) else {
            continue;
        };
        let Op::Permute { order } = &graph.nodes[producer].op else { continue };
        let rank = order.len();
        // The model's rows are the last axis in memory, and become columns here.
        if rank < 2 || order[rank - 2] != rank - 1 {
            continue;
        }
        let mut order = order.clone();
        order.swap(rank - 2, rank - 1);
        let is_identity = order.iter().enumerate().all(|(place, &axis)| place == axis);
        graph.nodes[producer].op = if is_identity { Op::Reshape } else { Op::Permute { order } };
        let tensor = &mut graph.tensors[right.0];
        tensor.shape.swap(rank - 2, rank - 1);
        tensor.order.swap(rank - 2, rank - 1);
        graph.nodes[index].op = Op::MatMulTransposed;
    }
}
