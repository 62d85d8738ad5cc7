//! A batch of windows of an incremental run on one thread: the body a group at a time, then the head for all of them.
//!
//! In: windows. Out: the graph's outputs behind each. What each step took and did is kept beside.

use crate::Result;
use crate::graph::TensorId;

use super::baseline::Baseline;
use super::change::Changes;
use super::compile::Program;
use super::cost;
use super::incremental::ChangeSpace;
use super::step::Workspace;
use super::strategy::Strategy;

/// What a step took and did, all windows together.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally {
    pub(super) secs: f64,
    pub(super) multiply_adds: u64,
}

/// The buffers of one thread, and what was done in them.
#[derive(Debug, Default)]
pub(super) struct WindowBatch {
    body: ChangeSpace,
    head: Workspace,
    tallies: Vec<Tally>,
}

impl WindowBatch {
    /// Per step, all runs together.
    pub(super) fn tallies(&self) -> &[Tally] {
        &self.tallies
    }

    /// Of all steps and runs.
    pub(super) fn multiply_adds(&self) -> u64 {
        self.tallies.iter().map(|tally| tally.multiply_adds).sum()
    }

    /// The graph's outputs behind these windows, each `[windows, output length]`; the head runs for those that change what it reads.
    pub(super) fn run(
        &mut self,
        program: &Program,
        baseline: &Baseline,
        strategy: &Strategy,
        changes: &dyn Changes,
        windows: &[usize],
        group: usize,
    ) -> Result<Vec<Vec<f32>>> {
        let (graph, head) = (&program.graph, &program.head);
        self.tallies.resize(program.steps.len(), Tally::default());
        let WindowBatch { body, head: workspace, tallies } = self;
        let mut outputs: Vec<Vec<f32>> =
            baseline.outputs(program).into_iter().map(|values| values.repeat(windows.len())).collect();
        let place = |id: TensorId, window: usize| {
            let len = graph.tensor(id).len();
            window * len..(window + 1) * len
        };
        workspace.prepare(&head.slots, windows.len());
        // Windows that wait for the head, by their place in `windows`.
        let mut waiting = Vec::with_capacity(windows.len());
        for (index, of_group) in windows.chunks(group).enumerate() {
            body.run(program, baseline, strategy, changes, of_group, tallies)?;
            for in_group in 0..of_group.len() {
                let window = index * group + in_group;
                for (id, values) in graph.outputs.iter().zip(&mut outputs) {
                    if !head.outputs.contains(id) {
                        body.tensor(program, baseline, *id, in_group, &mut values[place(*id, window)]);
                    }
                }
                if body.changes_any(&head.inputs, in_group) {
                    for id in &head.inputs {
                        let to = workspace.input_mut(graph, &head.slots, *id, waiting.len());
                        body.tensor(program, baseline, *id, in_group, to);
                    }
                    waiting.push(window);
                }
            }
        }
        if waiting.is_empty() {
            return Ok(outputs);
        }
        workspace.keep(waiting.len());
        let steps = head.first..program.steps.len();
        let mut secs = vec![0.0; program.steps.len()];
        workspace.run(program, steps.clone(), &head.slots, &mut secs)?;
        for step in steps {
            tallies[step].secs += secs[step];
            tallies[step].multiply_adds +=
                cost::of_whole_step(program, step).multiply_adds() * waiting.len() as u64;
        }
        for (id, values) in graph.outputs.iter().zip(&mut outputs) {
            if head.outputs.contains(id) {
                for (example, window) in waiting.iter().enumerate() {
                    let from = workspace.tensor(graph, &head.slots, *id, example);
                    values[place(*id, *window)].copy_from_slice(from);
                }
            }
        }
        Ok(outputs)
    }
}
