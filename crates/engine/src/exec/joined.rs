//! Products that read a join of channels (DenseNet, Inception, SqueezeNet) part by part, so that each part keeps its own changed box.
//!
//! Behind a `Concat` the older channels have been changed in a smaller box than the newest ones. In the delta form every part adds its own change over its own box, and the
//! per-channel arithmetic between join and product (BatchNormalization, ReLU) is done on the parts on the way. Joins that only such products
//! read are never put together in an incremental run. Decided once per graph; the full run and the baseline know nothing of it.

use std::collections::{BTreeMap, BTreeSet};

use occlude_kernels::{Winograd, WinogradTile};

use crate::graph::{Conv, Graph, Node, Op, TensorId};

/// Shorter runs of channels cost more to look up than they save.
const SHORTEST_UNIT: usize = 16;

/// Bits that tell which taps of which parts are changed.
const MAX_BITS: usize = u128::BITS as usize;

/// The input of a product, in parts.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Parts {
    /// The joined tensors in the order of their channels, and how many each has.
    pub(super) sources: Vec<(TensorId, usize)>,
    /// The step between join and product that works on each channel by itself.
    pub(super) between: Option<usize>,
    /// What the product reads as the graph has it: the join, or what follows it.
    pub(super) whole: TensorId,
    /// Greatest common divisor of the channels.
    pub(super) unit: usize,
}

/// Which products read parts, and which steps that makes needless.
#[derive(Clone, Debug, Default)]
pub(super) struct Joins {
    /// By step.
    pub(super) parts: BTreeMap<usize, Parts>,
    /// Tensors that the body need not put together.
    pub(super) unmade: BTreeSet<TensorId>,
}

impl Joins {
    /// Of the steps before `end`; `kept` are tensors that are read after them.
    pub(super) fn of(graph: &Graph, end: usize, kept: &[TensorId]) -> Self {
        let nodes = &graph.nodes[..end];
        let mut joins = Joins::default();
        let producer: BTreeMap<TensorId, usize> =
            nodes.iter().enumerate().map(|(index, node)| (node.output, index)).collect();
        for (index, node) in nodes.iter().enumerate() {
            if let Some(parts) = parts_of(graph, nodes, &producer, node) {
                joins.parts.insert(index, parts);
            }
        }
        // Backwards, so that a join whose only reader is a needless join is needless too.
        for node in nodes.iter().rev() {
            if kept.contains(&node.output) || !(is_join(graph, node) || is_by_channel(&node.op)) {
                continue;
            }
            let mut readers =
                nodes.iter().enumerate().filter(|(_, reader)| reader.inputs.contains(&node.output));
            let is_in_parts = |(index, reader): (usize, &Node)| {
                let reads_once = reader.inputs.iter().filter(|id| **id == node.output).count() == 1;
                let as_parts = joins.parts.get(&index).is_some_and(|p| p.whole == node.output) && reads_once;
                as_parts || joins.unmade.contains(&reader.output)
            };
            // Per-channel steps are needless only between a join and products.
            let is_on_the_way = is_join(graph, node) || joins.parts.values().any(|p| p.whole == node.output);
            if is_on_the_way && readers.all(is_in_parts) {
                joins.unmade.insert(node.output);
            }
        }
        joins
    }

    /// What each step reads beside its inputs.
    pub(super) fn also_read(&self) -> BTreeMap<usize, Vec<TensorId>> {
        let sources = |parts: &Parts| parts.sources.iter().map(|(id, _)| *id).collect();
        self.parts.iter().map(|(index, parts)| (*index, sources(parts))).collect()
    }
}

fn parts_of(
    graph: &Graph,
    nodes: &[Node],
    producer: &BTreeMap<TensorId, usize>,
    node: &Node,
) -> Option<Parts> {
    let Op::Conv(conv) = &node.op else { return None };
    let whole = node.inputs[0];
    if conv.groups != 1 || tiles_do_it(conv) || node.inputs[1..].contains(&whole) {
        return None;
    }
    let mut at = *producer.get(&whole)?;
    let mut between = None;
    if is_by_channel(&nodes[at].op) {
        between = Some(at);
        at = *producer.get(&nodes[at].inputs[0])?;
    }
    if !is_join(graph, &nodes[at]) {
        return None;
    }
    let mut sources = Vec::new();
    flatten(graph, nodes, producer, at, &mut sources);
    let unit = sources.iter().fold(0, |unit, (_, channels)| gcd(unit, *channels));
    let longest = conv.geometry.kernel.iter().max().copied().unwrap_or(1);
    (unit >= SHORTEST_UNIT && sources.len() * longest <= MAX_BITS).then_some(Parts {
        sources,
        between,
        whole,
        unit,
    })
}

/// The tensors of a join, those of joins in it too.
fn flatten(
    graph: &Graph,
    nodes: &[Node],
    producer: &BTreeMap<TensorId, usize>,
    join: usize,
    sources: &mut Vec<(TensorId, usize)>,
) {
    for id in &nodes[join].inputs {
        match producer.get(id) {
            Some(&at) if is_join(graph, &nodes[at]) => flatten(graph, nodes, producer, at, sources),
            _ => sources.push((*id, graph.tensor(*id).shape.last().copied().unwrap_or(0))),
        }
    }
}

/// A concatenation of channels of tensors that depend on the input.
fn is_join(graph: &Graph, node: &Node) -> bool {
    let Op::Concat { axis } = node.op else { return false };
    axis + 1 == graph.tensor(node.output).shape.len()
        && node.inputs.len() > 1
        && node.inputs.iter().all(|id| graph.tensor(*id).constant.is_none())
}

fn is_by_channel(op: &Op) -> bool {
    matches!(op, Op::Affine(_) | Op::Pointwise(_))
}

/// Whether Winograd's tiles can do this convolution: they want the change in one piece.
fn tiles_do_it(conv: &Conv) -> bool {
    let geometry = &conv.geometry;
    geometry.has_three_taps()
        && Winograd::fits(WinogradTile::Two, geometry.kernel.len(), conv.in_channels, conv.out_channels)
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::{Affine, Geometry, Tensor};
    use occlude_kernels::Pointwise;
    use std::sync::Arc;

    struct Net(Graph);

    impl Net {
        fn tensor(&mut self, channels: usize) -> TensorId {
            let name = self.0.tensors.len().to_string();
            let shape = vec![1, 4, 4, channels];
            self.0.add_tensor(Tensor { name, shape, order: vec![0, 2, 3, 1], constant: None })
        }
        fn node(&mut self, op: Op, inputs: &[TensorId], channels: usize) -> TensorId {
            let output = self.tensor(channels);
            self.0.nodes.push(Node { label: String::new(), op, inputs: inputs.to_vec(), output });
            output
        }
        fn conv(&mut self, x: TensorId, kernel: usize) -> TensorId {
            let in_channels = self.0.tensor(x).shape[3];
            let geometry = Geometry {
                kernel: vec![kernel; 2],
                stride: vec![1; 2],
                dilation: vec![1; 2],
                pad_before: vec![kernel / 2; 2],
            };
            let conv = Conv {
                geometry,
                groups: 1,
                in_channels,
                out_channels: 32,
                weight: Arc::default(),
                bias: None,
                activation: Pointwise::Identity,
            };
            self.node(Op::Conv(conv), &[x], 32)
        }
        fn affine(&mut self, x: TensorId) -> TensorId {
            let channels = self.0.tensor(x).shape[3];
            let values = Arc::new(vec![1.0; channels]);
            let affine = Affine { scale: values.clone(), shift: values, activation: Pointwise::Relu };
            self.node(Op::Affine(affine), &[x], channels)
        }
        fn join(&mut self, inputs: &[TensorId]) -> TensorId {
            let channels = inputs.iter().map(|id| self.0.tensor(*id).shape[3]).sum();
            self.node(Op::Concat { axis: 3 }, inputs, channels)
        }
    }

    #[test]
    fn a_product_behind_a_join_reads_parts_and_nothing_is_put_together() {
        let mut net = Net(Graph::default());
        let (a, b) = (net.tensor(64), net.tensor(32));
        let first = net.join(&[a, b]);
        let normed = net.affine(first);
        let c = net.conv(normed, 1);
        // A join of a join, as Keras writes it.
        let second = net.join(&[first, c]);
        let normed_again = net.affine(second);
        let d = net.conv(normed_again, 1);
        let joins = Joins::of(&net.0, net.0.nodes.len(), &[d]);
        assert_eq!(
            joins.parts[&2],
            Parts { sources: vec![(a, 64), (b, 32)], between: Some(1), whole: normed, unit: 32 }
        );
        assert_eq!(joins.parts[&5].sources, [(a, 64), (b, 32), (c, 32)]);
        assert_eq!(joins.unmade, BTreeSet::from([first, normed, second, normed_again]));
        assert_eq!(joins.also_read()[&5], [a, b, c]);
    }

    #[test]
    fn a_join_that_somebody_else_reads_is_put_together() {
        let mut net = Net(Graph::default());
        let (a, b) = (net.tensor(64), net.tensor(32));
        let join = net.join(&[a, b]);
        let c = net.conv(join, 1);
        let other = net.affine(join);
        let joins = Joins::of(&net.0, net.0.nodes.len(), &[c, other]);
        assert_eq!(joins.parts[&1].between, None);
        assert!(joins.unmade.is_empty());
        // Narrow channels, and convolutions that tiles do, take the join.
        let narrow = net.tensor(3);
        let join = net.join(&[a, narrow]);
        let e = net.conv(join, 1);
        let wide = net.join(&[a, b]);
        let f = net.conv(wide, 3);
        let joins = Joins::of(&net.0, net.0.nodes.len(), &[e, f]);
        assert_eq!(joins.parts.len(), 1);
    }
}
