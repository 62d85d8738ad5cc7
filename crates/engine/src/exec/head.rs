//! Where an incremental run ends: the head, from the step on where every change is a change of everything.
//!
//! Behind a flatten, a global pooling, an attention or a squeeze-and-excitation each window changes whole tensors, and boxes cannot save work. The steps before are the body, run
//! for a few windows at a time; what the head reads is kept until many windows wait, and the head then runs them in full, as examples of one batch. A head of linear
//! layers reads its weights (411 MB for VGG's first) once for all of them, and a network that is all head costs what a full run costs.

use crate::graph::{Graph, Op, Region, TensorId};
use crate::reach::Reach;

use super::change::{is_whole, whole};
use super::slots::{Sharing, Slots, Span};

/// The tail of a program that runs in full.
#[derive(Debug)]
pub(super) struct Head {
    /// Its first step; as many as there are steps if there is no head.
    pub(super) first: usize,
    /// What it reads of the tensors written before it.
    pub(super) inputs: Vec<TensorId>,
    /// Graph outputs that it writes.
    pub(super) outputs: Vec<TensorId>,
    /// Its buffers.
    pub(super) slots: Slots,
}

impl Head {
    pub(super) fn of(graph: &Graph, reaches: &[Reach]) -> Self {
        let first = first_step(graph, reaches);
        let inputs = crossing(graph, first);
        let written: Vec<TensorId> = graph.nodes[first..].iter().map(|node| node.output).collect();
        let outputs: Vec<TensorId> =
            graph.outputs.iter().copied().filter(|id| written.contains(id)).collect();
        let span = Span::new(first..graph.nodes.len(), &inputs, &outputs);
        let slots = Slots::assign(graph, &span, Sharing::Overwrite);
        Head { first, inputs, outputs, slots }
    }

    /// What the body must keep until its end: the head's inputs, and the graph's outputs that it writes itself.
    pub(super) fn kept_by_body(&self, graph: &Graph) -> Vec<TensorId> {
        let own = graph.outputs.iter().filter(|id| !self.outputs.contains(id));
        self.inputs.iter().chain(own).copied().collect()
    }
}

/// The first step from which on every tensor changes as a whole; a few steps later where less has to be kept there (behind a global pooling).
fn first_step(graph: &Graph, reaches: &[Reach]) -> usize {
    let mut changes_whole = vec![false; graph.tensors.len()];
    for (node, reach) in graph.nodes.iter().zip(reaches) {
        let shape = &graph.tensor(node.output).shape;
        changes_whole[node.output.0] = node.inputs.iter().enumerate().any(|(index, id)| {
            let input = graph.tensor(*id);
            if input.constant.is_some() {
                return false;
            }
            let all = whole(&input.shape);
            let changed: Vec<Option<&Region>> =
                (0..node.inputs.len()).map(|other| (other == index).then_some(&all)).collect();
            let reaches_all = reach.forward(&changed).is_some_and(|mut region| {
                if let (Some(last), Some(&n)) = (region.last_mut(), shape.last()) {
                    *last = 0..n;
                }
                is_whole(&region, shape)
            });
            reaches_all && (changes_whole[id.0] || reach.mixes_all(index, shape))
        });
    }
    let from = graph.nodes.iter().rposition(|node| !changes_whole[node.output.0]).map_or(0, |i| i + 1);
    let is_product = |op: &Op| {
        matches!(op, Op::Conv(_) | Op::ConvTranspose(_) | Op::Linear(_) | Op::MatMul | Op::MatMulTransposed)
    };
    let first_product = (from..graph.nodes.len()).find(|&i| is_product(&graph.nodes[i].op));
    let kept = |first: usize| crossing(graph, first).iter().map(|id| graph.tensor(*id).len()).sum::<usize>();
    (from..=first_product.unwrap_or(graph.nodes.len())).min_by_key(|&first| kept(first)).unwrap_or(from)
}

/// Tensors that steps from `first` on read and do not write, constants aside.
pub(super) fn crossing(graph: &Graph, first: usize) -> Vec<TensorId> {
    let mut inputs: Vec<TensorId> =
        graph.nodes[first..].iter().flat_map(|node| node.inputs.iter().copied()).collect();
    inputs.sort_unstable();
    inputs.dedup();
    let written: Vec<TensorId> = graph.nodes[first..].iter().map(|node| node.output).collect();
    inputs.retain(|id| graph.tensor(*id).constant.is_none() && !written.contains(id));
    inputs
}
