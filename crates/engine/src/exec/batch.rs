//! Many examples through a program: groups of examples handed to threads, results handed back as groups finish.
//!
//! Each thread has its own workspace and takes the next group from a counter: no locks in the loop, and the bits of a result do not depend on which
//! thread or group it ran in. The caller's sink runs on the calling thread and may stop the run at any group.

use std::collections::BTreeMap;
use std::ops::{ControlFlow, Range};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};

use occlude_kernels::{Winograd, WinogradTile};

use crate::Result;
use crate::graph::TensorId;

use super::baseline::{Baseline, Form};
use super::change::Changes;
use super::compile::Program;
use super::incremental::ChangeSpace;
use super::kernel::Kernel;
use super::schedule::Schedule;
use super::step::Workspace;
use super::strategy::{self, Algorithm, Strategy};

/// Writes one input of one example: `(example, input number, buffer)`, the buffer f32 in the graph input's stored order.
pub type Write<'a> = dyn Fn(usize, usize, &mut [f32]) + Sync + 'a;

/// Receives the graph's outputs of one example: `(example, outputs)`, each f32 in the model's axis order.
pub type Sink<'a> = dyn FnMut(usize, &[&[f32]]) -> ControlFlow<()> + 'a;

/// Keeps a program's buffers between runs.
#[derive(Debug)]
pub struct Runner {
    program: Program,
    full: Mutex<Vec<Workspace>>,
    changes: Mutex<Vec<BatchSpace>>,
    /// Transformed weights by step and tile, made when first needed.
    winograd: Mutex<BTreeMap<(usize, WinogradTile), Arc<Winograd>>>,
}

/// The buffers of one thread for incremental runs.
#[derive(Debug, Default)]
struct BatchSpace {
    body: ChangeSpace,
    head: Workspace,
}

/// What one step of a run took.
#[derive(Clone, Debug, PartialEq)]
pub struct StepTime {
    /// Operator and name as the model has them.
    pub label: String,
    /// Seconds, all windows together.
    pub secs: f64,
}

impl Runner {
    /// A runner of this program.
    pub fn new(program: Program) -> Self {
        Runner { program, full: Mutex::default(), changes: Mutex::default(), winograd: Mutex::default() }
    }

    /// What it runs.
    pub fn program(&self) -> &Program {
        &self.program
    }

    /// Runs these examples in full.
    ///
    /// `write` writes the inputs of an example and is called from several threads; `sink` receives the outputs on this thread, as groups
    /// finish (not in order), and may stop the run. Examples are numbers that mean something to the caller.
    ///
    /// # Errors
    /// The first error of a step; results of groups that finished before it have been handed to the sink.
    pub fn run(
        &self,
        examples: &[usize],
        schedule: Schedule,
        write: &Write<'_>,
        sink: &mut Sink<'_>,
    ) -> Result<()> {
        let work =
            |workspace: &mut Workspace, examples: &[usize]| self.full_group(workspace, examples, write);
        run_groups(examples, schedule.threads, &schedule.groups(examples.len()), &self.full, &work, sink)
    }

    /// Runs these windows incrementally, beside a baseline of this program; the sink's number is the window's.
    ///
    /// # Errors
    /// See [`Runner::run`].
    pub fn run_changes(
        &self,
        baseline: &Baseline,
        changes: &dyn Changes,
        windows: &[usize],
        schedule: Schedule,
        sink: &mut Sink<'_>,
    ) -> Result<()> {
        let strategy = self.strategy(baseline, changes);
        let work = |space: &mut BatchSpace, windows: &[usize]| {
            self.change_batch(space, baseline, &strategy, changes, windows, schedule.group, &mut [])
        };
        run_groups(windows, schedule.threads, &schedule.batches(windows.len()), &self.changes, &work, sink)
    }

    /// Runs these windows on this thread and says what each step took.
    ///
    /// # Errors
    /// See [`Runner::run`].
    pub fn profile(
        &self,
        baseline: &Baseline,
        changes: &dyn Changes,
        windows: &[usize],
        schedule: Schedule,
    ) -> Result<Vec<StepTime>> {
        let strategy = self.strategy(baseline, changes);
        let mut space = BatchSpace::default();
        let mut times = vec![0.0; self.program.steps.len()];
        for batch in windows.chunks(schedule.batch) {
            self.change_batch(&mut space, baseline, &strategy, changes, batch, schedule.group, &mut times)?;
        }
        let of = |(step, secs): (&super::compile::Step, f64)| StepTime { label: step.label.clone(), secs };
        Ok(self.program.steps.iter().zip(times).map(of).collect())
    }

    /// Runs the untouched input and keeps every activation, and what incremental runs of this form need.
    ///
    /// # Errors
    /// What a step reports.
    pub fn baseline(&self, form: Form, write: &Write<'_>) -> Result<Baseline> {
        Baseline::run(&self.program, form, write)
    }

    /// Runs one example alone; see [`Runner::run`]. Returns the outputs in the model's axis order.
    ///
    /// # Errors
    /// What a step reports.
    pub fn run_one(&self, write: &Write<'_>) -> Result<Vec<Vec<f32>>> {
        let mut outputs = Vec::new();
        let schedule = Schedule { threads: 1, group: 1, batch: 1 };
        self.run(&[0], schedule, write, &mut |_, values| {
            outputs = values.iter().map(|v| v.to_vec()).collect();
            ControlFlow::Continue(())
        })?;
        Ok(outputs)
    }

    fn full_group(
        &self,
        workspace: &mut Workspace,
        examples: &[usize],
        write: &Write<'_>,
    ) -> Result<Vec<Vec<f32>>> {
        let (graph, layout) = (&self.program.graph, &self.program.slots);
        workspace.prepare(layout, examples.len());
        for (place, example) in examples.iter().enumerate() {
            for (input, id) in graph.inputs.iter().enumerate() {
                write(*example, input, workspace.input_mut(graph, layout, *id, place));
            }
        }
        workspace.run(&self.program, 0..self.program.steps.len(), layout, &mut [])?;
        let copy = |id: &TensorId| {
            (0..examples.len())
                .flat_map(|place| workspace.tensor(graph, layout, *id, place))
                .copied()
                .collect()
        };
        Ok(graph.outputs.iter().map(copy).collect())
    }
}

impl Runner {
    /// How these windows are computed beside this baseline, with the weights that takes.
    fn strategy(&self, baseline: &Baseline, changes: &dyn Changes) -> Strategy {
        let body = self.program.head.first;
        if baseline.form() == Form::Gather {
            return Strategy { algorithms: vec![Algorithm::Direct; body] };
        }
        let algorithm = |(index, tile): (usize, Option<WinogradTile>)| {
            let (Kernel::Product(product), Some(tile)) = (&self.program.steps[index].kernel, tile) else {
                return Algorithm::Direct;
            };
            let mut kept = self.winograd.lock().unwrap_or_else(PoisonError::into_inner);
            let make = || Arc::new(product.winograd(self.program.isa, tile));
            Algorithm::Winograd(Arc::clone(kept.entry((index, tile)).or_insert_with(make)))
        };
        let tiles = strategy::choose(&self.program, changes);
        Strategy { algorithms: tiles.into_iter().enumerate().map(algorithm).collect() }
    }

    /// The graph's outputs behind these windows: the body a group at a time, then the head for all windows that change what it reads.
    #[allow(clippy::too_many_arguments, reason = "what, beside what, how, and where the time goes")]
    fn change_batch(
        &self,
        space: &mut BatchSpace,
        baseline: &Baseline,
        strategy: &Strategy,
        changes: &dyn Changes,
        windows: &[usize],
        group: usize,
        times: &mut [f64],
    ) -> Result<Vec<Vec<f32>>> {
        let (program, graph) = (&self.program, &self.program.graph);
        let (head, BatchSpace { body, head: workspace }) = (&program.head, space);
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
            body.run(program, baseline, strategy, changes, of_group, times)?;
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
        workspace.run(program, head.first..program.steps.len(), &head.slots, times)?;
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

/// What a thread computes for a group: the graph's outputs, each `[examples, output length]`.
type Work<'a, S> = dyn Fn(&mut S, &[usize]) -> Result<Vec<Vec<f32>>> + Sync + 'a;

/// Hands groups of examples to threads, each with buffers from the pool, and results to the sink.
fn run_groups<S: Default + Send>(
    examples: &[usize],
    threads: usize,
    groups: &[Range<usize>],
    pool: &Mutex<Vec<S>>,
    work: &Work<'_, S>,
    sink: &mut Sink<'_>,
) -> Result<()> {
    let groups: Vec<&[usize]> = groups.iter().map(|group| &examples[group.clone()]).collect();
    let (next, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
    let (sender, receiver) = mpsc::sync_channel(2 * threads);
    std::thread::scope(|scope| {
        for _ in 0..threads.min(groups.len()) {
            let (sender, next, stop, groups) = (sender.clone(), &next, &stop, &groups);
            scope.spawn(move || {
                let mut buffers = pool.lock().ok().and_then(|mut pool| pool.pop()).unwrap_or_default();
                while !stop.load(Ordering::Relaxed) {
                    let Some(group) = groups.get(next.fetch_add(1, Ordering::Relaxed)) else { break };
                    if sender.send((*group, work(&mut buffers, group))).is_err() {
                        break;
                    }
                }
                if let Ok(mut pool) = pool.lock() {
                    pool.push(buffers);
                }
            });
        }
        drop(sender);
        let mut outcome = Ok(());
        for (group, result) in receiver {
            if stop.load(Ordering::Relaxed) {
                continue;
            }
            let is_done = match result {
                Ok(outputs) => hand_over(group, &outputs, sink).is_break(),
                Err(error) => {
                    outcome = Err(error);
                    true
                }
            };
            stop.store(is_done, Ordering::Relaxed);
        }
        outcome
    })
}

fn hand_over(group: &[usize], outputs: &[Vec<f32>], sink: &mut Sink<'_>) -> ControlFlow<()> {
    for (place, example) in group.iter().enumerate() {
        let one = |output: &Vec<f32>| {
            let len = output.len() / group.len();
            place * len..(place + 1) * len
        };
        let outputs: Vec<&[f32]> = outputs.iter().map(|output| &output[one(output)]).collect();
        sink(*example, &outputs)?;
    }
    ControlFlow::Continue(())
}
