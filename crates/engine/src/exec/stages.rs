//! Full runs in two stages: the front one example after the other, the back for a group of examples at once.
//!
//! Early layers have large activations and small weights: run for one example, the activations stay in cache. Late layers have it the other way round: run
//! for a group, weights are read once for all and the few pixels of each example fill the kernels' tiles together. The program is cut where the two meet.
//! The bits of an example do not depend on the cut or the group.

use crate::Result;
use crate::graph::{Graph, Node, Op, TensorId};

use super::compile::Program;
use super::head::crossing;
use super::runner::Write;
use super::slots::{Sharing, Slots, Span};
use super::step::Workspace;

/// The cut, and the buffers on both sides of it.
#[derive(Debug)]
pub(super) struct Stages {
    /// The first step of the back.
    pub(super) cut: usize,
    /// Buffers of the front.
    pub(super) front: Slots,
    /// Buffers of the back.
    pub(super) back: Slots,
    /// What is written in front of the cut and read behind it, by steps or as the graph's outputs.
    between: Vec<TensorId>,
}

impl Stages {
    pub(super) fn of(graph: &Graph) -> Self {
        Self::with_cut(graph, best_cut(graph))
    }

    fn with_cut(graph: &Graph, cut: usize) -> Self {
        let mut between = crossing(graph, cut);
        let behind: Vec<TensorId> = graph.nodes[cut..].iter().map(|node| node.output).collect();
        for id in &graph.outputs {
            let is_there = behind.contains(id) || between.contains(id);
            if !is_there && graph.tensor(*id).constant.is_none() {
                between.push(*id);
            }
        }
        let front = Span::new(0..cut, &graph.inputs, &between);
        let back = Span::new(cut..graph.nodes.len(), &between, &graph.outputs);
        let (front, back) = (
            Slots::assign(graph, &front, Sharing::Overwrite),
            Slots::assign(graph, &back, Sharing::Overwrite),
        );
        Stages { cut, front, back, between }
    }
}

/// Where to cut, so that least is moved: in front of it activations beyond those of one example, behind it weights beyond those of one pass.
fn best_cut(graph: &Graph) -> usize {
    let gain = |node: &Node| {
        let activations: usize = node
            .inputs
            .iter()
            .chain([&node.output])
            .map(|id| graph.tensor(*id))
            .filter(|tensor| tensor.constant.is_none())
            .map(|tensor| tensor.len())
            .sum();
        activations as i64 - weights(&node.op) as i64
    };
    let (mut sum, mut best) = (0, (0, 0));
    for (index, node) in graph.nodes.iter().enumerate() {
        sum += gain(node);
        best = best.max((sum, index + 1));
    }
    best.1
}

/// Floats of weights.
fn weights(op: &Op) -> usize {
    match op {
        Op::Conv(conv) => conv.weight.len(),
        Op::ConvTranspose(conv) => conv.weight.len(),
        Op::Linear(linear) => linear.weight.len(),
        _ => 0,
    }
}

/// The buffers of one thread for full runs.
#[derive(Debug, Default)]
pub(super) struct FullRun {
    front: Workspace,
    back: Workspace,
}

impl FullRun {
    /// Runs these examples; returns the graph's outputs, each `[examples, output length]`. Adds the seconds of each step to `times`, if it is as long as
    /// the steps.
    ///
    /// # Errors
    /// What an operator without a kernel of ours reports.
    pub(super) fn run(
        &mut self,
        program: &Program,
        examples: &[usize],
        write: &Write<'_>,
        times: &mut [f64],
    ) -> Result<Vec<Vec<f32>>> {
        let (graph, stages, FullRun { front, back }) = (&program.graph, &program.stages, self);
        back.prepare(&stages.back, examples.len());
        for (place, example) in examples.iter().enumerate() {
            front.prepare(&stages.front, 1);
            for (input, id) in graph.inputs.iter().enumerate() {
                write(*example, input, front.input_mut(graph, &stages.front, *id, 0));
            }
            front.run(program, 0..stages.cut, &stages.front, times)?;
            for id in &stages.between {
                let from = front.tensor(graph, &stages.front, *id, 0);
                back.input_mut(graph, &stages.back, *id, place).copy_from_slice(from);
            }
        }
        back.run(program, stages.cut..program.steps.len(), &stages.back, times)?;
        let copy = |id: &TensorId| {
            let of_example = |place| back.tensor(graph, &stages.back, *id, place);
            (0..examples.len()).flat_map(of_example).copied().collect()
        };
        Ok(graph.outputs.iter().map(copy).collect())
    }
}
