//! Residual sums and activations become the last step of the product before them, so that a result is touched once.

use occlude_kernels::Pointwise;

use crate::graph::{BinaryKind, Graph, Node, Op, TensorId};

use super::edit::{Nodes, Uses};

/// `Add(product, x)` of equal shapes: x becomes the product's residual, and the product moves to where the sum stood (x is ready there).
pub(super) fn residuals(graph: &mut Graph) {
    let uses = Uses::of(graph);
    let mut nodes = Nodes::take(graph);
    for index in 0..nodes.len() {
        let Some(node) = nodes.get(index) else { continue };
        let Op::Binary { kind: BinaryKind::Add, activation } = node.op else { continue };
        let [a, b] = node.inputs[..] else { continue };
        let output = node.output;
        let is_constant = |id: TensorId| graph.tensor(id).constant.is_some();
        if graph.tensor(a).shape != graph.tensor(b).shape || a == b || is_constant(a) || is_constant(b) {
            continue;
        }
        // Of two products the later one takes the sum, so that the earlier one is not held back.
        let mut sides = [(a, b), (b, a)];
        sides.sort_by_key(|(product, _)| std::cmp::Reverse(uses.producer(*product)));
        let takes = |(product, _): &&(_, _)| {
            uses.only_reader(*product) == Some(index)
                && uses.producer(*product).and_then(|at| nodes.get(at)).is_some_and(can_take_residual)
        };
        let Some(&(product, residual)) = sides.iter().find(takes) else { continue };
        let Some(Node { mut op, mut inputs, label, .. }) =
            uses.producer(product).and_then(|at| nodes.remove(at))
        else {
            continue;
        };
        set_activation(&mut op, activation);
        inputs.push(residual);
        nodes.put(index, Node { label, op, inputs, output });
    }
    nodes.finish(graph);
}

/// A pointwise function that is the only reader of a node with an epilogue moves into it.
pub(super) fn activations(graph: &mut Graph) {
    let uses = Uses::of(graph);
    let mut nodes = Nodes::take(graph);
    for index in 0..nodes.len() {
        let Some(node) = nodes.get(index) else { continue };
        if activation_of(&node.op) != Some(Pointwise::Identity) {
            continue;
        }
        let Some(reader) = uses.only_reader(node.output) else { continue };
        let Some(Op::Pointwise(f)) = nodes.get(reader).map(|next| &next.op) else { continue };
        let f = *f;
        let Some(Node { mut op, inputs, label, .. }) = nodes.remove(index) else { continue };
        set_activation(&mut op, f);
        if let Some(next) = nodes.get_mut(reader) {
            *next = Node { label, op, inputs, output: next.output };
        }
    }
    nodes.finish(graph);
}

fn can_take_residual(node: &Node) -> bool {
    matches!(node.op, Op::Conv(_) | Op::Linear(_))
        && node.inputs.len() == 1
        && activation_of(&node.op) == Some(Pointwise::Identity)
}

/// The activation of a node that has an epilogue.
fn activation_of(op: &Op) -> Option<Pointwise> {
    match op {
        Op::Conv(conv) => Some(conv.activation),
        Op::ConvTranspose(conv) => Some(conv.activation),
        Op::Linear(linear) => Some(linear.activation),
        Op::Affine(affine) => Some(affine.activation),
        Op::Binary { activation, .. } => Some(*activation),
        _ => None,
    }
}

fn set_activation(op: &mut Op, f: Pointwise) {
    match op {
        Op::Conv(conv) => conv.activation = f,
        Op::ConvTranspose(conv) => conv.activation = f,
        Op::Linear(linear) => linear.activation = f,
        Op::Affine(affine) => affine.activation = f,
        Op::Binary { activation, .. } => *activation = f,
        _ => {}
    }
}
