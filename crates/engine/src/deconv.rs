//! The deconvnet of Zeiler and Fergus (ECCV 2014, section 2.1): what in the input made one activation of an inner tensor.
//!
//! In: a graph as the importer made it, an inner tensor, an input. Out: the projection of one element of that tensor to the input. One element is kept, all
//! others are zero, and the way down is, operator by operator: max pooling by the switches of the forward run (the first largest element, where several are
//! equal), a ReLU by a ReLU, convolutions and linear layers by their transposed (flipped) filters without bias, everything else that is linear by its transpose.
//! It is the gradient whose ReLUs pass `max(gradient, 0)`, whatever the forward run had there. Operators that the paper has no way back for are refused by
//! name. Only what lies between tensor and input counts. Which element is chosen, and how the result is drawn, is not here.

mod layer;
mod linear;
mod places;
mod pooling;

use std::collections::BTreeMap;

use occlude_kernels::{Isa, Pointwise, permute};

use crate::exec::{Program, Runner, Write};
use crate::graph::{BinaryKind, Graph, Node, Op, PoolKind, ReduceKind, Tensor, TensorId};
use crate::{Error, Result};

pub use layer::{pooled, top_convolution};

/// The way from an inner tensor of a graph back to its inputs.
#[derive(Debug)]
pub struct Deconvnet<'g> {
    graph: &'g Graph,
    layer: TensorId,
    /// The nodes between the inputs and the layer, in the graph's order.
    nodes: Vec<usize>,
    /// Per tensor: whether it depends on an input.
    depends: Vec<bool>,
}

/// The forward run of one input: the layer's values, and those that the switches of the pooling layers below are found in.
#[derive(Clone, Debug)]
pub struct Activations {
    /// Shape of the layer in the model's axis order, batch axis included.
    pub shape: Vec<usize>,
    /// Values of the layer, row-major in the model's axis order.
    pub values: Vec<f32>,
    /// What each max pooling read, in stored order, by tensor.
    pooled_from: BTreeMap<TensorId, Vec<f32>>,
}

impl<'g> Deconvnet<'g> {
    /// The way back from this tensor.
    ///
    /// # Errors
    /// Unsupported: an operator between the tensor and the input that the deconvnet has no way back through, by name.
    pub fn new(graph: &'g Graph, layer: TensorId) -> Result<Self> {
        let depends = depends_on_input(graph);
        let mut wanted = vec![false; graph.tensors.len()];
        wanted[layer.0] = true;
        let mut nodes = Vec::new();
        for (index, node) in graph.nodes.iter().enumerate().rev() {
            if !wanted[node.output.0] || !depends[node.output.0] {
                continue;
            }
            if let Some(why) = refusal(node, &depends) {
                return Err(refused(graph, node, why));
            }
            node.inputs.iter().for_each(|id| wanted[id.0] = true);
            nodes.push(index);
        }
        nodes.reverse();
        Ok(Deconvnet { graph, layer, nodes, depends })
    }

    /// Runs the input forward to the layer. `write` gives the graph's inputs, each in its stored order.
    ///
    /// # Errors
    /// What the engine reports.
    pub fn forward(&self, isa: Isa, write: &Write<'_>) -> Result<Activations> {
        let mut graph = self.graph.clone();
        let mut kept: Vec<TensorId> = vec![self.layer];
        for &index in &self.nodes {
            let node = &self.graph.nodes[index];
            let has_switches = matches!(&node.op, Op::Pool(pool) if pool.kind == PoolKind::Max)
                || matches!(node.op, Op::Reduce { kind: ReduceKind::Max, .. });
            if has_switches && !kept.contains(&node.inputs[0]) {
                kept.push(node.inputs[0]);
            }
        }
        graph.outputs.clone_from(&kept);
        let mut outputs = Runner::new(Program::compile(graph, isa)?).run_one(write)?.into_iter();
        let values = outputs.next().unwrap_or_default();
        let mut pooled_from = BTreeMap::new();
        for (&id, output) in kept[1..].iter().zip(outputs) {
            pooled_from.insert(id, to_stored(self.graph.tensor(id), &output));
        }
        Ok(Activations { shape: self.graph.tensor(self.layer).model_shape(), values, pooled_from })
    }

    /// Projects one element of the layer, by flat index in the model's axis order, with its activation as its value. One result per input of the graph, each
    /// row-major in the model's axis order; zeros where the element does not depend on an input.
    ///
    /// # Errors
    /// Argument: an element that the layer does not have. And what the engine reports.
    pub fn project(&self, isa: Isa, activations: &Activations, element: usize) -> Result<Vec<Vec<f32>>> {
        let graph = self.graph;
        let Some(&value) = activations.values.get(element) else {
            return Err(Error::argument(format!(
                "element {element} of tensor \"{}\", which has {}",
                graph.tensor(self.layer).name,
                activations.values.len()
            )));
        };
        let mut seed = vec![0.0; activations.values.len()];
        seed[element] = value;
        let mut signals = Signals::default();
        signals.add(self.layer, to_stored(graph.tensor(self.layer), &seed));
        for &index in self.nodes.iter().rev() {
            let node = &graph.nodes[index];
            let Some(signal) = signals.0.remove(&node.output) else { continue };
            self.descend(isa, node, signal, &activations.pooled_from, &mut signals)?;
        }
        let of_input = |id: &TensorId| {
            let tensor = graph.tensor(*id);
            signals.0.get(id).map_or_else(|| vec![0.0; tensor.len()], |signal| to_model(tensor, signal))
        };
        Ok(graph.inputs.iter().map(of_input).collect())
    }

    /// What a max pooling below the layer read in the forward run, row-major in the model's axis order; `None` for tensors that none reads.
    pub fn read_by_pooling(&self, activations: &Activations, tensor: TensorId) -> Option<Vec<f32>> {
        activations.pooled_from.get(&tensor).map(|stored| to_model(self.graph.tensor(tensor), stored))
    }

    /// Where a pooled element came from, if the layer is the output of a max pooling over windows: the tensor that it read, and the flat index there, in the
    /// model's axis order.
    pub fn switch(&self, activations: &Activations, element: usize) -> Option<(TensorId, usize)> {
        let graph = self.graph;
        let node = graph.nodes.iter().find(|node| node.output == self.layer)?;
        let Op::Pool(pool) = &node.op else { return None };
        let (read, from) = (activations.pooled_from.get(&node.inputs[0])?, graph.tensor(node.inputs[0]));
        let layer = graph.tensor(self.layer);
        let mut seed = vec![0.0; layer.len()];
        *seed.get_mut(element)? = 1.0;
        let seed = to_stored(layer, &seed);
        let below = pooling::unpool(&pool.geometry, &seed, read, &from.shape, &layer.shape);
        let at = to_model(from, &below).iter().position(|&s| s > 0.0)?;
        Some((node.inputs[0], at))
    }

    /// One node on the way down: from what arrived at its output to what arrives at its inputs.
    fn descend(
        &self,
        isa: Isa,
        node: &Node,
        signal: Vec<f32>,
        pooled_from: &BTreeMap<TensorId, Vec<f32>>,
        signals: &mut Signals,
    ) -> Result<()> {
        let graph = self.graph;
        let tensor = |index: usize| graph.tensor(node.inputs[index]);
        let output = graph.tensor(node.output).shape.as_slice();
        let first = node.inputs[0];
        let read = || pooled_from.get(&first).map_or(&[][..], Vec::as_slice);
        let signal = rectified(activation(&node.op), signal);
        let shape = tensor(0).shape.as_slice();
        let below = match &node.op {
            Op::Conv(_) | Op::ConvTranspose(_) | Op::Linear(_) => {
                // A residual was added after the filters.
                if let Some(&residual) = node.inputs.get(1) {
                    signals.add(residual, signal.clone());
                }
                linear::transposed(isa, &node.op, &signal, output, shape)?
            }
            Op::Affine(affine) => scaled(signal, &affine.scale),
            // The paper leaves contrast normalisation out on the way down.
            Op::Lrn { .. } | Op::Reshape => signal,
            Op::Pointwise(Pointwise::Neg) => scaled(signal, &[-1.0]),
            Op::Pointwise(Pointwise::Affine { scale, .. }) => scaled(signal, &[*scale]),
            Op::Pointwise(_) => signal,
            Op::Pool(pool) => match &pool.kind {
                PoolKind::Max => pooling::unpool(&pool.geometry, &signal, read(), shape, output),
                PoolKind::Average { divisor } => {
                    pooling::unaverage(&pool.geometry, divisor, &signal, shape, output)
                }
            },
            Op::Reduce { kind: ReduceKind::Max, axes } => pooling::place_maxima(&signal, read(), shape, axes),
            Op::Reduce { kind, axes } => {
                let count: usize = axes.iter().map(|&axis| shape[axis]).product();
                let factor = if *kind == ReduceKind::Mean { 1.0 / count.max(1) as f32 } else { 1.0 };
                places::spread(&scaled(signal, &[factor]), shape, axes)
            }
            Op::Binary { kind, .. } => return self.binary(node, *kind, signal, signals),
            Op::Concat { axis } => {
                let mut start = 0;
                for (index, &id) in node.inputs.iter().enumerate() {
                    let part = tensor(index).shape.as_slice();
                    if self.depends[id.0] {
                        signals.add(id, places::part(&signal, output, part, *axis, start));
                    }
                    start += part[*axis];
                }
                return Ok(());
            }
            Op::Slice { starts, steps } => {
                let at =
                    |axis: usize, i: usize| Some((starts[axis] as isize + steps[axis] * i as isize) as usize);
                places::put_back(&signal, output, shape, &|axis| axis, &at)
            }
            Op::Pick { indices, .. } => {
                places::put_back(&signal, output, shape, &|axis| axis, &|axis, i| indices[axis][i])
            }
            Op::Permute { order } => {
                places::put_back(&signal, output, shape, &|axis| order[axis], &|_, i| Some(i))
            }
            Op::Broadcast => places::summed(&signal, output, shape),
            Op::Resample { taps } => places::unresample(signal, output, shape, taps),
            _ => return Err(refused(graph, node, OTHER)),
        };
        signals.add(first, below);
        Ok(())
    }

    /// Sums and differences go to both sides, products and quotients by a constant to the other one.
    fn binary(&self, node: &Node, kind: BinaryKind, signal: Vec<f32>, signals: &mut Signals) -> Result<()> {
        let graph = self.graph;
        let output = graph.tensor(node.output).shape.as_slice();
        for (side, &id) in node.inputs.iter().enumerate() {
            if !self.depends[id.0] {
                continue;
            }
            let other = graph.tensor(node.inputs[1 - side]);
            let signal = match (kind, side, &other.constant) {
                (BinaryKind::Add, _, _) | (BinaryKind::Sub, 0, _) => signal.clone(),
                (BinaryKind::Sub, _, _) => scaled(signal.clone(), &[-1.0]),
                (BinaryKind::Mul, _, Some(factor)) => {
                    places::times(signal.clone(), output, &other.shape, |s, f| s * f, factor)
                }
                (BinaryKind::Div, 0, Some(divisor)) => {
                    places::times(signal.clone(), output, &other.shape, |s, d| s / d, divisor)
                }
                _ => return Err(refused(graph, node, OTHER)),
            };
            signals.add(id, places::summed(&signal, output, &graph.tensor(id).shape));
        }
        Ok(())
    }
}

/// What has arrived at each tensor, in stored order.
#[derive(Debug, Default)]
struct Signals(BTreeMap<TensorId, Vec<f32>>);

impl Signals {
    fn add(&mut self, id: TensorId, signal: Vec<f32>) {
        match self.0.get_mut(&id) {
            Some(sum) => sum.iter_mut().zip(signal).for_each(|(sum, s)| *sum += s),
            None => {
                self.0.insert(id, signal);
            }
        }
    }
}

/// The activation that is the last step of a node, or the node itself.
fn activation(op: &Op) -> Pointwise {
    match op {
        Op::Conv(conv) => conv.activation,
        Op::ConvTranspose(conv) => conv.activation,
        Op::Linear(linear) => linear.activation,
        Op::Affine(affine) => affine.activation,
        Op::Binary { activation, .. } => *activation,
        Op::Pointwise(f) => *f,
        _ => Pointwise::Identity,
    }
}

/// A ReLU, or one that is cut off above (ReLU6).
fn is_relu(f: Pointwise) -> bool {
    matches!(f, Pointwise::Relu) || matches!(f, Pointwise::Clip { lo, hi } if lo == 0.0 && hi > 0.0)
}

fn rectified(activation: Pointwise, mut signal: Vec<f32>) -> Vec<f32> {
    if is_relu(activation) {
        signal.iter_mut().for_each(|s| *s = s.max(0.0));
    }
    signal
}

/// By one factor per element of the last axis (or one for all).
fn scaled(mut signal: Vec<f32>, factors: &[f32]) -> Vec<f32> {
    for row in signal.chunks_exact_mut(factors.len().max(1)) {
        row.iter_mut().zip(factors).for_each(|(s, f)| *s *= f);
    }
    signal
}

const OTHER: &str = "it is neither linear nor a ReLU nor a max pooling";

/// Why there is no way back through a node.
fn refusal(node: &Node, depends: &[bool]) -> Option<&'static str> {
    let f = activation(&node.op);
    let passes = f == Pointwise::Identity || is_relu(f);
    let is_linear = matches!(f, Pointwise::Neg | Pointwise::Affine { .. });
    let both = node.inputs.iter().all(|id| depends[id.0]);
    match &node.op {
        Op::Pointwise(_) if passes || is_linear => None,
        _ if !passes => Some("its activation is no ReLU"),
        Op::Binary { kind: BinaryKind::Add | BinaryKind::Sub, .. } => None,
        Op::Binary { kind: BinaryKind::Mul | BinaryKind::Div, .. } if both => {
            Some("it multiplies or divides two tensors that both depend on the input")
        }
        Op::Binary { kind: BinaryKind::Mul, .. } => None,
        Op::Binary { kind: BinaryKind::Div, .. } if depends[node.inputs[0].0] => None,
        Op::Reduce { kind: ReduceKind::Mean | ReduceKind::Sum | ReduceKind::Max, .. } => None,
        Op::MatMul | Op::MatMulTransposed => Some("it is a product of two tensors"),
        Op::Conv(_)
        | Op::ConvTranspose(_)
        | Op::Linear(_)
        | Op::Pool(_)
        | Op::Affine(_)
        | Op::Lrn { .. }
        | Op::Concat { .. }
        | Op::Slice { .. }
        | Op::Pick { .. }
        | Op::Resample { .. }
        | Op::Permute { .. }
        | Op::Reshape
        | Op::Broadcast => None,
        _ => Some(OTHER),
    }
}

fn refused(graph: &Graph, node: &Node, why: &str) -> Error {
    let depends = depends_on_input(graph);
    let hint = match layer::last_with_a_way_back(graph, &|node| refusal(node, &depends).is_none()) {
        Some(id) => format!(
            "choose an earlier layer: the last convolution with a way back is \"{}\"",
            graph.tensor(id).name
        ),
        None => "no convolution of this model has a way back to the input".to_string(),
    };
    Error::unsupported(format!("the deconvnet has no way back through this operator: {why}"))
        .at_node(&node.label)
        .with_hint(hint)
}

fn depends_on_input(graph: &Graph) -> Vec<bool> {
    let mut depends = vec![false; graph.tensors.len()];
    graph.inputs.iter().for_each(|id| depends[id.0] = true);
    for node in &graph.nodes {
        depends[node.output.0] = node.inputs.iter().any(|id| depends[id.0]);
    }
    depends
}

/// From the model's axis order to the stored one.
fn to_stored(tensor: &Tensor, values: &[f32]) -> Vec<f32> {
    let mut stored = vec![0.0; values.len()];
    permute(values, &tensor.model_shape(), &tensor.order, &mut stored);
    stored
}

/// From the stored order to the model's axis order.
fn to_model(tensor: &Tensor, stored: &[f32]) -> Vec<f32> {
    let mut places: Vec<usize> = (0..tensor.order.len()).collect();
    places.sort_by_key(|&place| tensor.order[place]);
    let mut values = vec![0.0; stored.len()];
    permute(stored, &tensor.shape, &places, &mut values);
    values
}
