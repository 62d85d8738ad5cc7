//! Recognises activations and layer norms that an exporter wrote out as arithmetic.
//!
//! Works backwards from a product or quotient: both sides are followed through pointwise functions to where they meet. Constants
//! are compared to 1e-4 relative, since exporters print them with few digits; the replacement computes the exact definition.

use std::sync::Arc;

use occlude_kernels::Pointwise;

use crate::graph::{BinaryKind, Graph, Node, Op, ReduceKind, Tensor, TensorId};

use super::edit::Uses;

/// Replaces decomposed SiLU, HardSwish, Gelu (both forms), Mish and LayerNormalization by their operators.
pub(super) fn recognise(graph: &mut Graph) {
    let mut inserted: Vec<(usize, Node)> = Vec::new();
    for index in 0..graph.nodes.len() {
        let node = &graph.nodes[index];
        let Op::Binary { kind, activation: Pointwise::Identity } = node.op else { continue };
        if !matches!(kind, BinaryKind::Mul | BinaryKind::Div) {
            continue;
        }
        let uses = Uses::of(graph);
        let [a, b] = node.inputs[..] else { continue };
        match kind {
            BinaryKind::Mul => {
                let Some((root, f, factor)) = gated(graph, &uses, a, b).or_else(|| gated(graph, &uses, b, a))
                else {
                    continue;
                };
                let output = node.output;
                let label = node.label.clone();
                if close(factor, 1.0) {
                    graph.nodes[index] = Node { label, op: Op::Pointwise(f), inputs: vec![root], output };
                } else {
                    let like = graph.tensor(output).clone();
                    let middle = graph.add_tensor(Tensor { name: format!("{}#gate", like.name), ..like });
                    inserted.push((
                        index,
                        Node {
                            label: label.clone(),
                            op: Op::Pointwise(f),
                            inputs: vec![root],
                            output: middle,
                        },
                    ));
                    let op = Op::Pointwise(Pointwise::Affine { scale: factor, shift: 0.0 });
                    graph.nodes[index] = Node { label, op, inputs: vec![middle], output };
                }
            }
            BinaryKind::Div => {
                let Some((x, epsilon)) = layer_norm(graph, &uses, a, b) else { continue };
                let width = graph.tensor(x).shape.last().copied().unwrap_or(1);
                let op = Op::LayerNorm {
                    epsilon,
                    scale: Arc::new(vec![1.0; width]),
                    shift: Arc::new(vec![0.0; width]),
                };
                let node = &mut graph.nodes[index];
                node.op = op;
                node.inputs = vec![x];
            }
            _ => {}
        }
    }
    for (at, node) in inserted.into_iter().rev() {
        graph.nodes.insert(at, node);
    }
}

fn close(a: f32, b: f32) -> bool {
    (a - b).abs() <= 1e-4 * b.abs().max(1e-3)
}

/// `x * s` times `g(x)`: the function and the factor left over.
fn gated(
    graph: &Graph,
    uses: &Uses,
    x_side: TensorId,
    gate_side: TensorId,
) -> Option<(TensorId, Pointwise, f32)> {
    let gate = chain(graph, uses, gate_side);
    let (root, scale) = match chain_step(graph, uses, x_side) {
        Some((before, Pointwise::Affine { scale, shift: 0.0 }))
            if gate.iter().any(|(at, _)| *at == before) =>
        {
            (before, scale)
        }
        _ => (x_side, 1.0),
    };
    if let Some(from) = gate.iter().position(|(at, _)| *at == root) {
        // The chain is kept from the gate back to its start; what stands before `root` is not part of the pattern.
        let steps: Vec<Pointwise> = gate[..from].iter().rev().map(|(_, f)| *f).collect();
        let (f, factor) = gate_of(&steps)?;
        return Some((root, f, factor * scale));
    }
    tanh_gate(graph, uses, &gate, root).map(|factor| (root, Pointwise::GeluTanh, factor * scale))
}

/// Pointwise functions backwards from a tensor: `(input of the step, the step)`, then the start with an identity.
///
/// Entry `i` says: the function `chain[i].1` was applied to the tensor of entry `i + 1`; entry tensors are what is read at that depth.
fn chain(graph: &Graph, uses: &Uses, end: TensorId) -> Vec<(TensorId, Pointwise)> {
    let mut at = end;
    let mut steps = Vec::new();
    while let Some((before, f)) = chain_step(graph, uses, at) {
        steps.push((at, f));
        at = before;
    }
    steps.push((at, Pointwise::Identity));
    steps
}

fn chain_step(graph: &Graph, uses: &Uses, at: TensorId) -> Option<(TensorId, Pointwise)> {
    let node = &graph.nodes[uses.producer(at)?];
    match node.op {
        Op::Pointwise(f) => Some((node.inputs[0], f)),
        _ => None,
    }
}

/// What `x * steps(x)` is.
fn gate_of(steps: &[Pointwise]) -> Option<(Pointwise, f32)> {
    use Pointwise as P;
    match *steps {
        [P::Sigmoid] => Some((P::Silu { alpha: 1.0 }, 1.0)),
        [P::Affine { scale, shift: 0.0 }, P::Sigmoid] => Some((P::Silu { alpha: scale }, 1.0)),
        [P::Softplus, P::Tanh] => Some((P::Mish, 1.0)),
        [P::HardSigmoid { alpha, beta }] if close(alpha, 1.0 / 6.0) && close(beta, 0.5) => {
            Some((P::HardSwish, 1.0))
        }
        [P::Affine { scale: 1.0, shift: 3.0 }, P::Clip { lo: 0.0, hi: 6.0 }] => Some((P::HardSwish, 6.0)),
        [
            P::Affine { scale: 1.0, shift: 3.0 },
            P::Clip { lo: 0.0, hi: 6.0 },
            P::Affine { scale, shift: 0.0 },
        ] => Some((P::HardSwish, 6.0 * scale)),
        // x (1 + erf(x / sqrt 2)) is twice Gelu; some exporters multiply the bracket by one half first.
        [P::Affine { scale, shift: 0.0 }, P::Erf, P::Affine { scale: outer, shift }]
            if close(scale, std::f32::consts::FRAC_1_SQRT_2) && close(outer, shift) =>
        {
            Some((P::Gelu, 2.0 * outer))
        }
        [
            P::Affine { scale, shift: 0.0 },
            P::Erf,
            P::Affine { scale: 1.0, shift: 1.0 },
            P::Affine { scale: half, shift: 0.0 },
        ] if close(scale, std::f32::consts::FRAC_1_SQRT_2) => Some((P::Gelu, 2.0 * half)),
        _ => None,
    }
}

/// The factor in `factor * GeluTanh(x)` where the gate is `1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))`.
fn tanh_gate(graph: &Graph, uses: &Uses, gate: &[(TensorId, Pointwise)], x: TensorId) -> Option<f32> {
    use Pointwise as P;
    let (start, _) = gate.last()?;
    let steps: Vec<Pointwise> = gate[..gate.len() - 1].iter().rev().map(|(_, f)| *f).collect();
    let factor = match *steps {
        [P::Affine { scale, shift: 0.0 }, P::Tanh, P::Affine { scale: outer, shift }]
            if close(scale, 0.797_884_6) && close(outer, shift) =>
        {
            2.0 * outer
        }
        [
            P::Affine { scale, shift: 0.0 },
            P::Tanh,
            P::Affine { scale: 1.0, shift: 1.0 },
            P::Affine { scale: half, shift: 0.0 },
        ] if close(scale, 0.797_884_6) => 2.0 * half,
        _ => return None,
    };
    let sum = &graph.nodes[uses.producer(*start)?];
    let Op::Binary { kind: BinaryKind::Add, .. } = sum.op else { return None };
    let cube = match sum.inputs[..] {
        [a, b] if a == x => b,
        [a, b] if b == x => a,
        _ => return None,
    };
    let (power, P::Affine { scale, shift: 0.0 }) = chain_step(graph, uses, cube)? else { return None };
    let (base, P::Power { exponent: 3.0 }) = chain_step(graph, uses, power)? else { return None };
    (close(scale, 0.044_715) && base == x).then_some(factor)
}

/// `x` and epsilon of `(x - mean(x)) / sqrt(mean((x - mean(x))^2) + epsilon)` over the last axis.
fn layer_norm(graph: &Graph, uses: &Uses, centred: TensorId, root: TensorId) -> Option<(TensorId, f32)> {
    let (sum, Pointwise::Sqrt | Pointwise::Power { exponent: 0.5 }) = chain_step(graph, uses, root)? else {
        return None;
    };
    let (variance, Pointwise::Affine { scale: 1.0, shift: epsilon }) = chain_step(graph, uses, sum)? else {
        return None;
    };
    let square = mean_over_last(graph, uses, variance)?;
    let squared = &graph.nodes[uses.producer(square)?];
    let base = match (&squared.op, &squared.inputs[..]) {
        (Op::Pointwise(Pointwise::Power { exponent: 2.0 }), [d]) => *d,
        (Op::Binary { kind: BinaryKind::Mul, activation: Pointwise::Identity }, [d, e]) if d == e => *d,
        _ => return None,
    };
    let (x, mean) = difference(graph, uses, centred)?;
    let same = base == centred || difference(graph, uses, base) == Some((x, mean));
    (same && mean_over_last(graph, uses, mean)? == x).then_some((x, epsilon))
}

fn difference(graph: &Graph, uses: &Uses, id: TensorId) -> Option<(TensorId, TensorId)> {
    let node = &graph.nodes[uses.producer(id)?];
    match (&node.op, &node.inputs[..]) {
        (Op::Binary { kind: BinaryKind::Sub, activation: Pointwise::Identity }, [a, b]) => Some((*a, *b)),
        _ => None,
    }
}

fn mean_over_last(graph: &Graph, uses: &Uses, id: TensorId) -> Option<TensorId> {
    let node = &graph.nodes[uses.producer(id)?];
    let input = *node.inputs.first()?;
    let last = graph.tensor(input).shape.len().checked_sub(1)?;
    match &node.op {
        Op::Reduce { kind: ReduceKind::Mean, axes }
            if *axes == [last] && graph.tensor(id).shape.len() == last + 1 =>
        {
            Some(input)
        }
        _ => None,
    }
}
