//! What a run costs, counted without running: multiply-adds per node, the receptive field, what runs on whole tensors.
//!
//! In: the importer's graph (before compilation takes its weights). Out: numbers for `inspect` and `plan`. Memory is told by
//! [`Program`](crate::exec::Program) and [`Schedule`](crate::exec::Schedule), which know the packed sizes.

use crate::graph::{Graph, Node, Op, TensorId};

/// The cost of one node for one example.
#[derive(Clone, Debug, PartialEq)]
pub struct NodeWork {
    /// Operator and name as the model has them.
    pub label: String,
    /// Kind of operator in this engine, for example `conv` or `depthwise conv`.
    pub kind: &'static str,
    /// Shape written, in the model's axis order.
    pub shape: Vec<usize>,
    /// Multiply-adds of products and convolutions, padding taps counted; 0 for all other operators.
    pub macs: u64,
    /// Whether it runs through the importer's own evaluation.
    pub is_foreign: bool,
}

/// The cost of each node of a graph, in order.
pub fn work(graph: &Graph) -> Vec<NodeWork> {
    let of = |node: &Node| NodeWork {
        label: node.label.clone(),
        kind: kind(&node.op),
        shape: graph.tensor(node.output).model_shape(),
        macs: macs(graph, node),
        is_foreign: matches!(node.op, Op::Foreign(_)),
    };
    graph.nodes.iter().map(of).collect()
}

/// Multiply-adds per second that one thread of this machine does in registers, measured now (some milliseconds): what no run can pass.
pub fn peak_rate(isa: occlude_kernels::Isa) -> f64 {
    let burst = |rounds: usize| {
        let started = std::time::Instant::now();
        let (operations, _) = occlude_kernels::fma_burst(isa, rounds);
        operations / 2.0 / started.elapsed().as_secs_f64().max(1e-9)
    };
    // The first bursts wake the processor; the fastest of the others counts.
    burst(20_000);
    (0..5).map(|_| burst(20_000)).fold(0.0, f64::max)
}

fn macs(graph: &Graph, node: &Node) -> u64 {
    let written = graph.tensor(node.output).len();
    let read = |index: usize| graph.tensor(node.inputs[index]);
    let count = match &node.op {
        Op::Conv(c) => written * c.geometry.taps() * c.in_channels / c.groups,
        Op::ConvTranspose(c) => read(0).len() * c.geometry.taps() * c.out_channels / c.groups,
        Op::Linear(l) => written * l.in_features,
        Op::MatMul | Op::MatMulTransposed => written * read(0).shape.last().copied().unwrap_or(1),
        _ => 0,
    };
    count as u64
}

fn kind(op: &Op) -> &'static str {
    match op {
        Op::Conv(c) if c.groups > 1 && c.groups == c.in_channels => "depthwise conv",
        Op::Conv(c) if c.groups > 1 => "grouped conv",
        Op::Conv(_) => "conv",
        Op::ConvTranspose(_) => "transposed conv",
        Op::Pool(_) => "pool",
        Op::Linear(_) => "linear",
        Op::Affine(_) => "affine",
        Op::Pointwise(_) | Op::PRelu { .. } => "pointwise",
        Op::Binary { .. } | Op::Where => "binary",
        Op::Softmax { .. } => "softmax",
        Op::Reduce { .. } => "reduce",
        Op::LayerNorm { .. } | Op::GroupNorm { .. } | Op::Lrn { .. } => "norm",
        Op::MatMul | Op::MatMulTransposed => "matmul",
        Op::Concat { .. } => "concat",
        Op::Slice { .. } | Op::Pick { .. } | Op::Permute { .. } | Op::Reshape | Op::Broadcast => "move",
        Op::Resample { .. } => "resize",
        Op::Foreign(_) => "whole tensors",
    }
}

/// The receptive field of the last tensor that still has a place in the input: size and step in input elements, per spatial axis.
#[derive(Clone, Debug, PartialEq)]
pub struct ReceptiveField {
    /// Name of that tensor in the model.
    pub tensor: String,
    /// Elements of the input that one element of it can see, per spatial axis. May exceed the input.
    pub size: Vec<usize>,
    /// Input elements between two neighbours of it, per spatial axis (rounded down for upsampled tensors).
    pub step: Vec<usize>,
}

#[derive(Clone, Debug, PartialEq)]
struct Field {
    size: Vec<f64>,
    step: Vec<f64>,
}

/// Follows window operators from the first input; `None` if nothing spatial is left (a model of plain features).
pub fn receptive_field(graph: &Graph) -> Option<ReceptiveField> {
    let mut fields: Vec<Option<Field>> = vec![None; graph.tensors.len()];
    let input = *graph.inputs.first()?;
    let rank = graph.tensor(input).shape.len().checked_sub(2).filter(|&r| r > 0)?;
    fields[input.0] = Some(Field { size: vec![1.0; rank], step: vec![1.0; rank] });
    let mut last = None;
    for node in &graph.nodes {
        let field = next(graph, node, &fields, rank);
        if field.is_some() && matches!(node.op, Op::Conv(_) | Op::ConvTranspose(_) | Op::Pool(_)) {
            last = Some(node.output);
        }
        fields[node.output.0] = field;
    }
    let last: TensorId = last?;
    let field = fields[last.0].clone()?;
    let whole = |values: &[f64]| values.iter().map(|&v| v as usize).collect();
    Some(ReceptiveField {
        tensor: graph.tensor(last).name.clone(),
        size: whole(&field.size),
        step: whole(&field.step),
    })
}

fn next(graph: &Graph, node: &Node, fields: &[Option<Field>], rank: usize) -> Option<Field> {
    // Of several inputs the one that sees most counts.
    let seen = node.inputs.iter().filter_map(|input| fields[input.0].as_ref());
    let mut field = seen.max_by(|a, b| a.size[0].total_cmp(&b.size[0]))?.clone();
    let (geometry, transposed) = match &node.op {
        Op::Conv(c) => (&c.geometry, false),
        Op::ConvTranspose(c) => (&c.geometry, true),
        Op::Pool(p) => (&p.geometry, false),
        // A tensor of another rank, or reduced to one place, has left the grid of the input.
        _ => {
            let out = graph.tensor(node.output);
            let is_spatial = out.shape.len() == rank + 2 && out.len() > out.shape[out.shape.len() - 1];
            return is_spatial.then_some(field);
        }
    };
    for axis in 0..rank {
        let reach = ((geometry.kernel[axis] - 1) * geometry.dilation[axis]) as f64;
        if transposed {
            field.step[axis] /= geometry.stride[axis] as f64;
            field.size[axis] += (reach / geometry.stride[axis] as f64).floor()
                * field.step[axis]
                * geometry.stride[axis] as f64;
        } else {
            field.size[axis] += reach * field.step[axis];
            field.step[axis] *= geometry.stride[axis] as f64;
        }
    }
    Some(field)
}
