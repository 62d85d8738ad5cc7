//! Graph -> [`Program`]: each node becomes a kernel with packed weights and tables, each tensor gets a buffer.
//!
//! Consumes the graph's weights as they are packed, so that they are not held twice. All shape questions are answered here; `step` only runs.

use occlude_kernels::{Binary, Isa, Lrn, PackedB, PackedGroups, Planes, Pointwise, Reduction, SoftmaxKind};

use crate::graph::{
    AxisTaps, BinaryKind, Conv, Graph, Linear, Node, Op, PoolKind, ReduceKind, Tensor, TensorId,
};
use crate::reach::Reach;
use crate::{Error, Result, passes};

use super::baseline::Form;
use super::cost;
use super::head::Head;
use super::joined::Joins;
use super::kernel::{AxisPass, Depthwise, Kernel, MatMul, Meeting, Product, Reduce, RowSource};
use super::lines::Lines;
use super::slots::{Sharing, Slots, Span};
use super::stages::Stages;
use super::tables::{WindowMap, Windows};

/// A kernel with the node it came from.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) kernel: Kernel,
    pub(super) label: String,
    pub(super) inputs: Vec<TensorId>,
    pub(super) output: TensorId,
}

/// A graph ready to run on one instruction set. Immutable and shared by all threads.
#[derive(Debug)]
pub struct Program {
    pub(super) isa: Isa,
    pub(super) graph: Graph,
    pub(super) steps: Vec<Step>,
    /// Per step, what a change of its inputs can reach.
    pub(super) reaches: Vec<Reach>,
    /// The two halves of full runs, with their buffers.
    pub(super) stages: Stages,
    /// Buffers of the baseline, which keeps every tensor.
    pub(super) kept: Slots,
    /// Buffers of the body of incremental runs in the gather form, which puts every tensor together.
    gathered: Slots,
    /// Buffers of the body of incremental runs in the delta form.
    changed: Slots,
    /// What the body of incremental runs reads part by part.
    pub(super) joins: Joins,
    /// What follows the body of incremental runs.
    pub(super) head: Head,
    weight_bytes: usize,
}

impl Program {
    /// Compiles a graph: applies the passes, packs weights, assigns buffers.
    ///
    /// # Errors
    /// `Unsupported` if a tensor is too large for the index tables (2^30 floats per example).
    pub fn compile(mut graph: Graph, isa: Isa) -> Result<Self> {
        passes::restore_output_order(&mut graph);
        passes::optimize(&mut graph);
        let stages = Stages::of(&graph);
        let kept = Slots::assign(&graph, &Span::all(&graph), Sharing::KeepAll);
        let reaches: Vec<Reach> = graph.nodes.iter().map(|node| Reach::of(&graph, node)).collect();
        let head = Head::of(&graph, &reaches);
        let kept_by_body = head.kept_by_body(&graph);
        let joins = Joins::of(&graph, head.first, &kept_by_body);
        let body = Span {
            also_read: joins.also_read(),
            unmade: joins.unmade.clone(),
            ..Span::new(0..head.first, &graph.inputs, &kept_by_body)
        };
        let changed = Slots::assign(&graph, &body, Sharing::Reuse);
        let body = Span::new(0..head.first, &graph.inputs, &kept_by_body);
        let gathered = Slots::assign(&graph, &body, Sharing::Reuse);
        let mut steps = Vec::with_capacity(graph.nodes.len());
        for node in std::mem::take(&mut graph.nodes) {
            let kernel = kernel(isa, &graph, &node).map_err(|e| e.at_node(&node.label))?;
            steps.push(Step { kernel, label: node.label, inputs: node.inputs, output: node.output });
        }
        let packed: usize = steps.iter().map(|step| step.kernel.bytes()).sum();
        let constants: usize =
            graph.tensors.iter().filter_map(|t| t.constant.as_ref()).map(|c| c.len() * 4).sum();
        Ok(Program {
            isa,
            graph,
            steps,
            reaches,
            stages,
            kept,
            gathered,
            changed,
            joins,
            head,
            weight_bytes: packed + constants,
        })
    }

    /// The graph's tensors, inputs and outputs. Its nodes have become kernels.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// The instruction set that it was compiled for.
    pub fn isa(&self) -> Isa {
        self.isa
    }

    /// Bytes of packed weights, constants and kept index tables.
    pub fn weight_bytes(&self) -> usize {
        self.weight_bytes
    }

    /// Bytes of the packed weights and index tables of the head of incremental runs, or of the back of full runs (`None`).
    pub(super) fn head_weight_bytes(&self, form: Option<Form>) -> usize {
        let first = form.map_or(self.stages.cut, |_| self.head.first);
        self.steps[first..].iter().map(|step| step.kernel.bytes()).sum()
    }

    /// Floats of the largest tensor that depends on the input.
    pub(super) fn largest_tensor(&self) -> usize {
        self.graph.tensors.iter().filter(|t| t.constant.is_none()).map(Tensor::len).max().unwrap_or(0)
    }

    /// Multiply-adds of a full run of one example, padding counted.
    pub fn full_multiply_adds(&self) -> u64 {
        (0..self.steps.len()).map(|step| cost::of_whole_step(self, step).multiply_adds()).sum()
    }

    /// Bytes of the kept baseline that incremental runs of this form need: every activation of one example, and the pre-activations that the delta form
    /// reads. Nothing is kept for full runs (`None`).
    pub fn baseline_bytes(&self, form: Option<Form>) -> usize {
        let Some(form) = form else { return 0 };
        let pre: usize = (0..self.head.first)
            .filter(|&step| self.delta_product(form, step).is_some_and(|(product, _)| product.has_epilogue()))
            .map(|step| self.graph.tensor(self.steps[step].output).len())
            .sum();
        (self.kept.floats_per_example() + pre) * size_of::<f32>()
    }

    /// Buffers of the body of incremental runs of this form.
    pub(super) fn changes(&self, form: Form) -> &Slots {
        match form {
            Form::Gather => &self.gathered,
            Form::Delta | Form::Truncated => &self.changed,
        }
    }

    /// The convolution of a step of the body that this form does by its change: in the delta form if it has more than one tap, or reads a join part by part.
    pub(super) fn delta_product(&self, form: Form, step: usize) -> Option<(&Product, &WindowMap)> {
        let Kernel::Product(product) = &self.steps[step].kernel else { return None };
        let map = product.map()?;
        let gains = match form {
            Form::Gather => false,
            Form::Delta => map.taps() > 1 || self.joins.parts.contains_key(&step),
            Form::Truncated => true,
        };
        (step < self.head.first && gains).then_some((product, map))
    }

    /// How many channels each part of a product's input has.
    pub(super) fn channels_of_parts(&self, step: usize) -> Vec<usize> {
        match (self.joins.parts.get(&step), &self.steps[step].kernel) {
            (Some(parts), _) => parts.sources.iter().map(|(_, channels)| *channels).collect(),
            (None, Kernel::Product(product)) => vec![product.in_channels],
            _ => Vec::new(),
        }
    }

    /// Bytes of activations that one example in flight needs in the front of a full run (`None`), or one window in the body of an incremental one, where a step's
    /// change, sums and index table lie beside its input and output.
    pub fn bytes_per_example(&self, form: Option<Form>) -> usize {
        let Some(form) = form else { return self.stages.front.floats_per_example() * size_of::<f32>() };
        let read_and_written = |step: &Step| {
            let tensors = step.inputs.iter().chain([&step.output]).map(|id| self.graph.tensor(*id));
            tensors.filter(|tensor| tensor.constant.is_none()).map(Tensor::len).sum::<usize>()
        };
        let beside = self.steps[..self.head.first].iter().map(read_and_written).max().unwrap_or(0);
        (self.changes(form).floats_per_example() + beside) * size_of::<f32>()
    }

    /// Bytes of activations that one example needs in the back of a full run (`None`), or one window that waits for the head of an incremental run or
    /// runs in it.
    pub fn head_bytes_per_example(&self, form: Option<Form>) -> usize {
        form.map_or(&self.stages.back, |_| &self.head.slots).floats_per_example() * size_of::<f32>()
    }
}

impl Kernel {
    fn bytes(&self) -> usize {
        match self {
            Kernel::Product(p) => {
                let table = match &p.source {
                    RowSource::Windows(windows) => windows.bytes(),
                    RowSource::Dense { .. } => 0,
                };
                let lines = p.lines.as_ref().map_or(0, Lines::bytes);
                p.weights.bytes() + table + lines
            }
            Kernel::Depthwise(d) => d.weights.len() * 4 + d.windows.bytes(),
            Kernel::MaxPool(windows) | Kernel::AveragePool(windows, _) => windows.bytes(),
            _ => 0,
        }
    }
}

fn kernel(isa: Isa, graph: &Graph, node: &Node) -> Result<Kernel> {
    let shape = |index: usize| graph.tensor(node.inputs[index]).shape.as_slice();
    let out = graph.tensor(node.output).shape.as_slice();
    Ok(match &node.op {
        Op::Conv(conv) => convolution(isa, conv, shape(0), out, false, node.inputs.len() > 1)?,
        Op::ConvTranspose(conv) => {
            let conv = Conv {
                geometry: conv.geometry.clone(),
                groups: conv.groups,
                in_channels: conv.in_channels,
                out_channels: conv.out_channels,
                weight: conv.weight.clone(),
                bias: conv.bias.clone(),
                activation: conv.activation,
            };
            convolution(isa, &conv, shape(0), out, true, false)?
        }
        Op::Linear(linear) => product(isa, linear, shape(0), node.inputs.len() > 1),
        Op::Pool(pool) => {
            let channels = out.last().copied().unwrap_or(1);
            let windows = windows(&pool.geometry, shape(0), out, channels, false)?;
            match &pool.kind {
                PoolKind::Max => Kernel::MaxPool(windows),
                PoolKind::Average { divisor } => Kernel::AveragePool(windows, divisor.clone()),
            }
        }
        Op::Affine(affine) => Kernel::Affine {
            scale: affine.scale.clone(),
            shift: affine.shift.clone(),
            activation: affine.activation,
        },
        Op::Pointwise(f) => Kernel::Pointwise(*f),
        Op::PRelu { slope } => Kernel::PRelu(slope.clone()),
        Op::Binary { kind, activation } => binary(*kind, *activation, shape(0), shape(1), out),
        Op::Where => Kernel::Where {
            dims: out.to_vec(),
            strides: [
                broadcast_strides(shape(0), out),
                broadcast_strides(shape(1), out),
                broadcast_strides(shape(2), out),
            ],
        },
        Op::Softmax { axis, log } => {
            let kind = if *log { SoftmaxKind::LogSoftmax } else { SoftmaxKind::Softmax };
            Kernel::Softmax(kind, planes(out, *axis, *axis + 1))
        }
        Op::Reduce { kind, axes } => Kernel::Reduce(reduce(*kind, axes, shape(0))),
        Op::LayerNorm { epsilon, scale, shift } => Kernel::LayerNorm {
            width: out.last().copied().unwrap_or(1),
            epsilon: *epsilon,
            scale: scale.clone(),
            shift: shift.clone(),
        },
        Op::GroupNorm { groups, epsilon, scale, shift } => Kernel::GroupNorm {
            channels: out.last().copied().unwrap_or(1),
            groups: *groups,
            epsilon: *epsilon,
            scale: scale.clone(),
            shift: shift.clone(),
        },
        Op::Lrn { size, alpha, beta, bias } => Kernel::Lrn(
            out.last().copied().unwrap_or(1),
            Lrn { size: *size, alpha: *alpha, beta: *beta, bias: *bias },
        ),
        Op::MatMul => Kernel::MatMul(mat_mul(shape(0), shape(1), false, out)),
        Op::MatMulTransposed => Kernel::MatMul(mat_mul(shape(0), shape(1), true, out)),
        Op::Concat { axis } => {
            Kernel::Concat((0..node.inputs.len()).map(|i| shape(i)[*axis..].iter().product()).collect())
        }
        Op::Slice { starts, steps } => {
            let at = |axis: usize, i: usize| (starts[axis] as isize + steps[axis] * i as isize) as u32;
            let tables = (0..out.len()).map(|axis| (0..out[axis]).map(|i| at(axis, i)).collect()).collect();
            Kernel::Pick { dims: shape(0).to_vec(), tables, fill: 0.0 }
        }
        Op::Pick { indices, fill } => {
            let entry = |i: &Option<usize>| i.map_or(occlude_kernels::PAD, |i| i as u32);
            let tables = indices.iter().map(|axis| axis.iter().map(entry).collect()).collect();
            Kernel::Pick { dims: shape(0).to_vec(), tables, fill: *fill }
        }
        Op::Broadcast => {
            let input = shape(0);
            let lead = out.len() - input.len();
            let dims: Vec<usize> = std::iter::repeat_n(1, lead).chain(input.iter().copied()).collect();
            let at = |axis: usize, i: usize| if dims[axis] == 1 { 0 } else { i as u32 };
            let tables = (0..out.len()).map(|axis| (0..out[axis]).map(|i| at(axis, i)).collect()).collect();
            Kernel::Pick { dims, tables, fill: 0.0 }
        }
        Op::Resample { taps } => Kernel::Resample(resample(taps, shape(0))),
        Op::Permute { order } => Kernel::Permute { dims: shape(0).to_vec(), order: order.clone() },
        Op::Reshape => Kernel::Reshape,
        Op::Foreign(foreign) => Kernel::Foreign(foreign.clone()),
    })
}

fn windows(
    geometry: &crate::graph::Geometry,
    input: &[usize],
    output: &[usize],
    channels: usize,
    transposed: bool,
) -> Result<Windows> {
    if input.iter().product::<usize>() >= 1 << occlude_kernels::SOURCE_SHIFT {
        return Err(Error::unsupported(format!("a tensor of shape {input:?} has 2^30 elements or more")));
    }
    let spatial = |shape: &[usize]| shape[1..shape.len() - 1].to_vec();
    let map = WindowMap {
        geometry: geometry.clone(),
        input: spatial(input),
        output: spatial(output),
        channels,
        transposed,
    };
    Ok(Windows::new(map))
}

fn convolution(
    isa: Isa,
    conv: &Conv,
    input: &[usize],
    output: &[usize],
    transposed: bool,
    has_residual: bool,
) -> Result<Kernel> {
    let windows = windows(&conv.geometry, input, output, conv.in_channels, transposed)?;
    let (taps, groups) = (conv.geometry.taps(), conv.groups);
    let is_depthwise = groups > 1 && groups == conv.in_channels && groups == conv.out_channels;
    if is_depthwise {
        return Ok(Kernel::Depthwise(Box::new(Depthwise {
            windows,
            weights: conv.weight.clone(),
            bias: conv.bias.clone(),
            activation: conv.activation,
            has_residual,
        })));
    }
    let inputs = conv.in_channels / groups;
    let weights = PackedGroups::pack(isa, &conv.weight, taps, inputs, conv.out_channels, groups);
    let lines = if groups == 1 { Lines::of(&windows.map) } else { None };
    let source = if windows.map.is_pixelwise() && groups == 1 {
        RowSource::Dense { rows: windows.map.pixels(), map: Some(windows.map) }
    } else {
        RowSource::Windows(windows)
    };
    Ok(Kernel::Product(Box::new(Product {
        source,
        lines,
        weights,
        bias: conv.bias.clone(),
        activation: conv.activation,
        in_channels: conv.in_channels,
        out_channels: conv.out_channels,
        has_residual,
    })))
}

fn product(isa: Isa, linear: &Linear, input: &[usize], has_residual: bool) -> Kernel {
    let rows = input.iter().product::<usize>() / linear.in_features.max(1);
    Kernel::Product(Box::new(Product {
        source: RowSource::Dense { rows, map: None },
        lines: None,
        weights: PackedB::pack(isa, &linear.weight, linear.in_features, linear.out_features).into(),
        bias: linear.bias.clone(),
        activation: linear.activation,
        in_channels: linear.in_features,
        out_channels: linear.out_features,
        has_residual,
    }))
}

/// Strides in floats that read `shape` as if it had the shape `out` (aligned at the last axis): 0 where it is repeated.
pub(super) fn broadcast_strides(shape: &[usize], out: &[usize]) -> Vec<usize> {
    let lead = out.len() - shape.len();
    let mut strides = vec![0; out.len()];
    let mut step = 1;
    for axis in (0..shape.len()).rev() {
        if shape[axis] != 1 {
            strides[lead + axis] = step;
        }
        step *= shape[axis];
    }
    strides
}

/// Whether `shape`, its leading ones dropped, is the end of `out`.
fn is_tail(shape: &[usize], out: &[usize]) -> bool {
    let lead = shape.iter().take_while(|&&n| n == 1).count();
    out.ends_with(&shape[lead..])
}

fn binary(kind: BinaryKind, activation: Pointwise, a: &[usize], b: &[usize], out: &[usize]) -> Kernel {
    let op = match kind {
        BinaryKind::Add => Binary::Add,
        BinaryKind::Sub => Binary::Sub,
        BinaryKind::Mul => Binary::Mul,
        BinaryKind::Div => Binary::Div,
        BinaryKind::Min => Binary::Min,
        BinaryKind::Max => Binary::Max,
        BinaryKind::Pow => Binary::Pow,
        BinaryKind::Greater => Binary::Greater,
        BinaryKind::GreaterOrEqual => Binary::GreaterOrEqual,
        BinaryKind::Less => Binary::Less,
        BinaryKind::LessOrEqual => Binary::LessOrEqual,
        BinaryKind::Equal => Binary::Equal,
        BinaryKind::And => Binary::And,
        BinaryKind::Or => Binary::Or,
        BinaryKind::Xor => Binary::Xor,
        BinaryKind::Mod | BinaryKind::Fmod => {
            return Kernel::Remainder {
                floor: kind == BinaryKind::Mod,
                dims: out.to_vec(),
                a: broadcast_strides(a, out),
                b: broadcast_strides(b, out),
            };
        }
    };
    let meeting = if is_tail(a, out) && is_tail(b, out) {
        Meeting::Tail
    } else {
        Meeting::Strided { dims: out.to_vec(), a: broadcast_strides(a, out), b: broadcast_strides(b, out) }
    };
    Kernel::Binary { op, activation, meeting }
}

/// `shape` seen around the axes `from..to`.
fn planes(shape: &[usize], from: usize, to: usize) -> Planes {
    Planes {
        outer: shape[..from].iter().product(),
        axis: shape[from..to].iter().product(),
        inner: shape[to..].iter().product(),
    }
}

fn reduce(kind: ReduceKind, axes: &[usize], shape: &[usize]) -> Reduce {
    let long: Vec<usize> = axes.iter().copied().filter(|&axis| shape[axis] != 1).collect();
    let (from, to) = match (long.first(), long.last()) {
        (Some(&first), Some(&last)) => (first, last + 1),
        _ => (0, 0),
    };
    let is_together = (from..to).all(|axis| shape[axis] == 1 || long.contains(&axis));
    let (permute, planes) = if is_together {
        (None, planes(shape, from, to))
    } else {
        let kept = (0..shape.len()).filter(|axis| !long.contains(axis));
        let order: Vec<usize> = kept.chain(long.iter().copied()).collect();
        let reduced = long.iter().map(|&axis| shape[axis]).product();
        let outer = shape.iter().product::<usize>() / std::cmp::max(reduced, 1);
        (Some((shape.to_vec(), order)), Planes { outer, axis: reduced, inner: 1 })
    };
    use Pointwise::{Abs, Identity, Log, Sqrt};
    let (op, before, after) = match kind {
        ReduceKind::Mean => (Reduction::Mean, Identity, Identity),
        ReduceKind::Sum | ReduceKind::LogSumExp => (Reduction::Sum, Identity, Identity),
        ReduceKind::Max => (Reduction::Max, Identity, Identity),
        ReduceKind::Min => (Reduction::Min, Identity, Identity),
        ReduceKind::Prod => (Reduction::Prod, Identity, Identity),
        ReduceKind::L1 => (Reduction::Sum, Abs, Identity),
        ReduceKind::L2 => (Reduction::SumSquare, Identity, Sqrt),
        ReduceKind::SumSquare => (Reduction::SumSquare, Identity, Identity),
        ReduceKind::LogSum => (Reduction::Sum, Identity, Log),
    };
    Reduce { permute, planes, op, before, after, log_sum_exp: kind == ReduceKind::LogSumExp }
}

fn mat_mul(a: &[usize], b: &[usize], transpose_b: bool, out: &[usize]) -> MatMul {
    let n = b[b.len() - if transpose_b { 2 } else { 1 }];
    let (m, k) = (a[a.len() - 2], a[a.len() - 1]);
    let lead = &out[..out.len() - 2];
    let stride_a = broadcast_strides(&a[..a.len() - 2], lead);
    let stride_b = broadcast_strides(&b[..b.len() - 2], lead);
    let mut starts = Vec::new();
    let mut index = vec![0; lead.len()];
    for _ in 0..lead.iter().product::<usize>() {
        let place = |strides: &[usize]| index.iter().zip(strides).map(|(i, s)| i * s).sum::<usize>();
        starts.push((place(&stride_a) * m * k, place(&stride_b) * k * n));
        for (i, &len) in index.iter_mut().zip(lead).rev() {
            *i += 1;
            if *i < len {
                break;
            }
            *i = 0;
        }
    }
    MatMul { m, k, n, transpose_b, starts }
}

fn resample(taps: &[AxisTaps], input: &[usize]) -> Vec<AxisPass> {
    let mut shape = input.to_vec();
    let mut passes = Vec::new();
    for (axis, table) in taps.iter().enumerate() {
        let is_identity = table.len() == shape[axis]
            && table
                .iter()
                .enumerate()
                .all(|(i, entries)| matches!(entries[..], [(at, weight)] if at == i && weight == 1.0));
        if is_identity {
            continue;
        }
        let (mut starts, mut index, mut weight) = (vec![0], Vec::new(), Vec::new());
        for entries in table.iter() {
            index.extend(entries.iter().map(|(at, _)| *at as u32));
            weight.extend(entries.iter().map(|(_, w)| *w));
            starts.push(index.len() as u32);
        }
        passes.push(AxisPass { planes: planes(&shape, axis, axis + 1), starts, index, weight });
        shape[axis] = table.len();
    }
    passes
}
