//! Per-channel arithmetic with constants: gathered into affine nodes, then folded into the convolution or product before them.
//!
//! `x * s + t` per channel is what BatchNormalization is at inference, and what exporters write as Mul, Add, Sub and Div with constants.

use std::sync::Arc;

use occlude_kernels::Pointwise;

use crate::graph::{Affine, BinaryKind, Graph, Node, Op, TensorId};

use super::edit::{Nodes, Uses};

/// Turns arithmetic with a scalar or per-channel constant into [`Op::Affine`] or a scalar [`Pointwise::Affine`].
pub(super) fn gather(graph: &mut Graph) {
    for index in 0..graph.nodes.len() {
        if let Some((input, op)) = as_affine(graph, &graph.nodes[index]) {
            let node = &mut graph.nodes[index];
            node.inputs = vec![input];
            node.op = op;
        }
    }
}

/// Joins affine nodes that follow each other, and drops those that change nothing.
pub(super) fn join(graph: &mut Graph) {
    let uses = Uses::of(graph);
    let mut nodes = Nodes::take(graph);
    for index in 0..nodes.len() {
        let Some(node) = nodes.get(index) else { continue };
        let Some(channels) = graph.tensor(node.output).shape.last().copied() else { continue };
        let Some((scale, shift)) = factors(&node.op, channels) else { continue };
        let Some(reader) = uses.only_reader(node.output) else { continue };
        let Some(next) = nodes.get(reader) else { continue };
        let Some((next_scale, next_shift)) = factors(&next.op, channels) else { continue };
        let joined = Affine {
            scale: Arc::new(scale.iter().zip(&next_scale).map(|(a, b)| a * b).collect()),
            shift: Arc::new(
                shift.iter().zip(next_scale.iter().zip(&next_shift)).map(|(t, (a, b))| t * a + b).collect(),
            ),
            activation: Pointwise::Identity,
        };
        let input = node.inputs[0];
        nodes.remove(index);
        if let Some(next) = nodes.get_mut(reader) {
            next.inputs = vec![input];
            next.op = uniform(joined);
        }
    }
    nodes.finish(graph);
    for node in &mut graph.nodes {
        if matches!(node.op, Op::Pointwise(Pointwise::Affine { scale: 1.0, shift: 0.0 })) {
            node.op = Op::Reshape;
        }
    }
}

/// One factor and one summand for all channels stay a pointwise function.
fn uniform(affine: Affine) -> Op {
    let same = |values: &[f32]| values.windows(2).all(|w| w[0] == w[1]);
    match (affine.scale.first(), affine.shift.first()) {
        (Some(&scale), Some(&shift)) if same(&affine.scale) && same(&affine.shift) => {
            Op::Pointwise(Pointwise::Affine { scale, shift })
        }
        _ => Op::Affine(affine),
    }
}

/// Folds an affine node into the convolution, linear product or norm product whose only reader it is.
pub(super) fn fold_into_products(graph: &mut Graph) {
    let uses = Uses::of(graph);
    let mut nodes = Nodes::take(graph);
    for index in 0..nodes.len() {
        let Some(node) = nodes.get(index) else { continue };
        let is_plain = match &node.op {
            Op::Conv(conv) => conv.activation == Pointwise::Identity && node.inputs.len() == 1,
            Op::ConvTranspose(conv) => conv.activation == Pointwise::Identity,
            Op::Linear(linear) => linear.activation == Pointwise::Identity && node.inputs.len() == 1,
            Op::LayerNorm { .. } | Op::GroupNorm { .. } => true,
            _ => false,
        };
        let Some(reader) = uses.only_reader(node.output).filter(|_| is_plain) else { continue };
        let Some(channels) = graph.tensor(node.output).shape.last().copied() else { continue };
        let Some((scale, shift)) = nodes.get(reader).and_then(|next| factors(&next.op, channels)) else {
            continue;
        };
        let Some(Node { op: mut product, inputs, .. }) = nodes.remove(index) else { continue };
        match &mut product {
            Op::Conv(conv) => fold(&mut conv.weight, &mut conv.bias, &scale, &shift),
            Op::ConvTranspose(conv) => fold(&mut conv.weight, &mut conv.bias, &scale, &shift),
            Op::Linear(linear) => fold(&mut linear.weight, &mut linear.bias, &scale, &shift),
            Op::LayerNorm { scale: s, shift: t, .. } | Op::GroupNorm { scale: s, shift: t, .. } => {
                let mut bias = Some(t.clone());
                fold(s, &mut bias, &scale, &shift);
                *t = bias.unwrap_or_default();
            }
            _ => {}
        }
        if let Some(next) = nodes.get_mut(reader) {
            // The product moves to the affine node's place, so a chain of affine nodes folds one after the other.
            next.op = product;
            next.inputs = inputs;
        }
    }
    nodes.finish(graph);
}

/// Both arrays end with the output channel, so channel `c` of row `r` is at `r * channels + c`.
fn fold(weight: &mut Arc<Vec<f32>>, bias: &mut Option<Arc<Vec<f32>>>, scale: &[f32], shift: &[f32]) {
    for row in Arc::make_mut(weight).chunks_exact_mut(scale.len()) {
        for (w, s) in row.iter_mut().zip(scale) {
            *w *= s;
        }
    }
    let old = bias.take();
    let value = |c: usize| old.as_ref().map_or(0.0, |b| b[c]) * scale[c] + shift[c];
    *bias = Some(Arc::new((0..scale.len()).map(value).collect()));
}

/// Scale and shift per channel of a node that is a pure affine map.
fn factors(op: &Op, channels: usize) -> Option<(Vec<f32>, Vec<f32>)> {
    match op {
        Op::Affine(a) if a.activation == Pointwise::Identity => Some((a.scale.to_vec(), a.shift.to_vec())),
        Op::Pointwise(Pointwise::Affine { scale, shift }) => {
            Some((vec![*scale; channels], vec![*shift; channels]))
        }
        _ => None,
    }
}

/// The affine form of a binary node with one constant side that is a scalar or varies along the last axis only.
fn as_affine(graph: &Graph, node: &Node) -> Option<(TensorId, Op)> {
    let Op::Binary { kind, activation: Pointwise::Identity } = node.op else { return None };
    let [a, b] = node.inputs[..] else { return None };
    let (x, constant, constant_first) =
        match (graph.tensor(a).constant.is_some(), graph.tensor(b).constant.is_some()) {
            (false, true) => (a, b, false),
            (true, false) => (b, a, true),
            _ => return None,
        };
    // The constant must not make the result larger than x.
    if graph.tensor(x).shape != graph.tensor(node.output).shape {
        return None;
    }
    let values = graph.tensor(constant).constant.as_ref()?;
    let channels = *graph.tensor(x).shape.last()?;
    let per_channel = values.len() == 1
        || (values.len() == channels && graph.tensor(constant).shape.last() == Some(&channels));
    if !per_channel || channels == 0 {
        return None;
    }
    let pair = |v: f32| match (kind, constant_first) {
        (BinaryKind::Add, _) => Some((1.0, v)),
        (BinaryKind::Sub, false) => Some((1.0, -v)),
        (BinaryKind::Sub, true) => Some((-1.0, v)),
        (BinaryKind::Mul, _) => Some((v, 0.0)),
        (BinaryKind::Div, false) if v != 0.0 => Some((1.0 / v, 0.0)),
        _ => None,
    };
    let pairs = values.iter().map(|&v| pair(v)).collect::<Option<Vec<_>>>()?;
    let op = match pairs[..] {
        [(scale, shift)] => Op::Pointwise(Pointwise::Affine { scale, shift }),
        _ => Op::Affine(Affine {
            scale: Arc::new(pairs.iter().map(|p| p.0).collect()),
            shift: Arc::new(pairs.iter().map(|p| p.1).collect()),
            activation: Pointwise::Identity,
        }),
    };
    Some((x, op))
}
