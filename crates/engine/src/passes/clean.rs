//! Removal of what is not needed: dead nodes, moves that cancel each other, weights that nobody reads any more.

use crate::graph::{Graph, Node, Op, Tensor, TensorId};

use super::edit::Uses;

/// Removes nodes whose results nobody reads, and frees constants that nobody reads.
pub(super) fn remove_dead(graph: &mut Graph) {
    let mut needed = vec![false; graph.tensors.len()];
    for output in &graph.outputs {
        needed[output.0] = true;
    }
    let mut keep = vec![false; graph.nodes.len()];
    for (index, node) in graph.nodes.iter().enumerate().rev() {
        if needed[node.output.0] {
            keep[index] = true;
            for input in &node.inputs {
                needed[input.0] = true;
            }
        }
    }
    let mut keep = keep.into_iter();
    graph.nodes.retain(|_| keep.next().unwrap_or(false));
    for (tensor, needed) in graph.tensors.iter_mut().zip(needed) {
        if !needed && tensor.constant.is_some() {
            tensor.constant = Some(Default::default());
        }
    }
}

/// Joins a permutation with the permutation before it, and turns those that move nothing into reshapes.
pub(super) fn merge_moves(graph: &mut Graph) {
    for index in 0..graph.nodes.len() {
        let Op::Permute { order } = &graph.nodes[index].op else { continue };
        let mut order = order.clone();
        let mut input = graph.nodes[index].inputs[0];
        let uses = Uses::of(graph);
        if let Some(Op::Permute { order: first }) = uses.producer(input).map(|at| &graph.nodes[at].op) {
            order = order.iter().map(|&axis| first[axis]).collect();
            if let Some(at) = uses.producer(input) {
                input = graph.nodes[at].inputs[0];
            }
        }
        let shape = &graph.tensor(input).shape;
        let moved: Vec<usize> = order.iter().copied().filter(|&axis| shape[axis] != 1).collect();
        let node = &mut graph.nodes[index];
        node.inputs[0] = input;
        node.op = if moved.windows(2).all(|w| w[0] < w[1]) { Op::Reshape } else { Op::Permute { order } };
    }
}

/// Reads past reshapes that keep the shape, so that patterns and fusions see neighbours.
pub(super) fn skip_copies(graph: &mut Graph) {
    let mut same: Vec<TensorId> = (0..graph.tensors.len()).map(TensorId).collect();
    for index in 0..graph.nodes.len() {
        let node = &mut graph.nodes[index];
        for input in &mut node.inputs {
            *input = same[input.0];
        }
        let (op, input, output) = (&node.op, node.inputs.first().copied(), node.output);
        if let (Op::Reshape, Some(input)) = (op, input) {
            let is_copy = graph.tensor(input).shape == graph.tensor(output).shape;
            if is_copy && !graph.outputs.contains(&output) {
                same[output.0] = input;
            }
        }
    }
}

/// Appends a permutation to every output that is not stored in the model's axis order.
pub(crate) fn restore_output_order(graph: &mut Graph) {
    for index in 0..graph.outputs.len() {
        let id = graph.outputs[index];
        let tensor = graph.tensor(id);
        if tensor.is_model_order() && tensor.constant.is_none() && graph.nodes.iter().any(|n| n.output == id)
        {
            continue;
        }
        let rank = tensor.shape.len();
        let mut order: Vec<usize> = (0..rank).collect();
        order.sort_by_key(|&stored| tensor.order[stored]);
        let copy = Tensor {
            name: format!("{}#output", tensor.name),
            shape: tensor.model_shape(),
            order: (0..rank).collect(),
            constant: None,
        };
        let output = graph.add_tensor(copy);
        let label = format!("output order of \"{}\"", graph.tensor(id).name);
        graph.nodes.push(Node { label, op: Op::Permute { order }, inputs: vec![id], output });
        graph.outputs[index] = output;
    }
}
