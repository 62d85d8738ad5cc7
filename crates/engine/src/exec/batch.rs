//! Many examples through a program: groups of examples handed to threads, results handed back as groups finish.
//!
//! Each thread has its own workspace and takes the next group from a counter: no locks in the loop, and the bits of a result do not depend on which
//! thread or group it ran in. The caller's sink runs on the calling thread and may stop the run at any group.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, mpsc};

use crate::graph::TensorId;
use crate::{Error, Result};

use super::baseline::{Baseline, Form};
use super::change::Changes;
use super::compile::Program;
use super::incremental::ChangeSpace;
use super::step::Workspace;

/// Examples run together as rows of one product, where memory allows.
const GROUP: usize = 8;

/// Memory that is granted beside weights, baseline and activations (buffers of the threads, tables, code).
pub const ALLOWANCE_BYTES: usize = 64 << 20;

/// Writes one input of one example: `(example, input number, buffer)`, the buffer f32 in the graph input's stored order.
pub type Write<'a> = dyn Fn(usize, usize, &mut [f32]) + Sync + 'a;

/// Receives the graph's outputs of one example: `(example, outputs)`, each f32 in the model's axis order.
pub type Sink<'a> = dyn FnMut(usize, &[&[f32]]) -> ControlFlow<()> + 'a;

/// How many examples run at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// Threads.
    pub threads: usize,
    /// Examples per group.
    pub group: usize,
}

impl Schedule {
    /// The most examples that fit: at most 8 per group, fewer threads if even one example each does not fit.
    ///
    /// `form` is that of incremental runs, `None` for full runs. `limit_bytes` bounds packed weights + kept baseline + activations of the examples in flight
    /// + 64 MiB.
    ///
    /// # Errors
    /// `Limit` if one example does not fit, with the bytes it needs.
    pub fn fit(program: &Program, form: Option<Form>, threads: usize, limit_bytes: usize) -> Result<Self> {
        let kept_bytes = program.baseline_bytes(form);
        let fixed = program.weight_bytes() + kept_bytes + ALLOWANCE_BYTES;
        let each = program.bytes_per_example(form).max(1);
        let in_flight = limit_bytes.saturating_sub(fixed) / each;
        if in_flight == 0 {
            let mib = |bytes: usize| bytes.div_ceil(1 << 20);
            return Err(Error::limit(format!(
                "a memory limit of {} MiB is too small: this model needs {} MiB (weights {}, baseline {}, one window in flight {}, allowance {})",
                limit_bytes >> 20,
                mib(fixed + each),
                mib(program.weight_bytes()),
                mib(kept_bytes),
                mib(each),
                mib(ALLOWANCE_BYTES),
            ))
            .with_hint(format!("`--memory-limit {}M` or more", mib(fixed + each))));
        }
        let threads = threads.clamp(1, in_flight);
        Ok(Schedule { threads, group: (in_flight / threads).clamp(1, GROUP) })
    }

    /// Examples in flight at once.
    pub fn in_flight(&self) -> usize {
        self.threads * self.group
    }
}

/// Keeps a program's buffers between runs.
#[derive(Debug)]
pub struct Runner {
    program: Program,
    full: Mutex<Vec<Workspace>>,
    changes: Mutex<Vec<ChangeSpace>>,
}

impl Runner {
    /// A runner of this program.
    pub fn new(program: Program) -> Self {
        Runner { program, full: Mutex::new(Vec::new()), changes: Mutex::new(Vec::new()) }
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
        run_groups(examples, schedule, &self.full, &work, sink)
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
        let work = |space: &mut ChangeSpace, windows: &[usize]| {
            space.run(&self.program, baseline, changes, windows)?;
            let output = |id: &TensorId| {
                let mut all = Vec::new();
                let mut one = Vec::new();
                for index in 0..windows.len() {
                    space.output(&self.program, baseline, *id, index, &mut one);
                    all.extend_from_slice(&one);
                }
                all
            };
            Ok(self.program.graph.outputs.iter().map(output).collect())
        };
        run_groups(windows, schedule, &self.changes, &work, sink)
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
        let schedule = Schedule { threads: 1, group: 1 };
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
        workspace.run(&self.program, layout)?;
        let copy = |id: &TensorId| {
            (0..examples.len())
                .flat_map(|place| workspace.tensor(graph, layout, *id, place))
                .copied()
                .collect()
        };
        Ok(graph.outputs.iter().map(copy).collect())
    }
}

/// What a thread computes for a group: the graph's outputs, each `[examples, output length]`.
type Work<'a, S> = dyn Fn(&mut S, &[usize]) -> Result<Vec<Vec<f32>>> + Sync + 'a;

/// Hands groups of examples to threads, each with buffers from the pool, and results to the sink.
fn run_groups<S: Default + Send>(
    examples: &[usize],
    schedule: Schedule,
    pool: &Mutex<Vec<S>>,
    work: &Work<'_, S>,
    sink: &mut Sink<'_>,
) -> Result<()> {
    if examples.is_empty() {
        return Ok(());
    }
    // Small jobs are spread over all threads rather than filling one group.
    let group = schedule.group.min(examples.len().div_ceil(schedule.threads)).max(1);
    let groups: Vec<&[usize]> = examples.chunks(group).collect();
    let (next, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
    let (sender, receiver) = mpsc::sync_channel(2 * schedule.threads);
    std::thread::scope(|scope| {
        for _ in 0..schedule.threads.min(groups.len()) {
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
