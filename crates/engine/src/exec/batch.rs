//! Many examples through a program: groups of examples handed to threads, results handed back as groups finish.
//!
//! Each thread has its own workspace and takes the next group from a counter: no locks in the loop, and the bits of a result do not depend on which
//! thread or group it ran in. The caller's sink runs on the calling thread and may stop the run at any group.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, mpsc};

use crate::graph::TensorId;
use crate::{Error, Result};

use super::baseline::Baseline;
use super::compile::Program;
use super::step::Workspace;

/// Examples run together as rows of one product, where memory allows.
const GROUP: usize = 8;

/// Memory that is granted beside weights, baseline and activations (buffers of the threads, tables, code).
const ALLOWANCE_BYTES: usize = 64 << 20;

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
    /// `limit_bytes` bounds packed weights + kept baseline (`kept_bytes`) + activations of the examples in flight + 64 MiB.
    ///
    /// # Errors
    /// `Limit` if one example does not fit, with the bytes it needs.
    pub fn fit(program: &Program, threads: usize, kept_bytes: usize, limit_bytes: usize) -> Result<Self> {
        let fixed = program.weight_bytes() + kept_bytes + ALLOWANCE_BYTES;
        let each = program.bytes_per_example().max(1);
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

/// Keeps the workspaces of a program between runs.
#[derive(Debug)]
pub struct Runner {
    program: Program,
    workspaces: Mutex<Vec<Workspace>>,
}

impl Runner {
    /// A runner of this program.
    pub fn new(program: Program) -> Self {
        Runner { program, workspaces: Mutex::new(Vec::new()) }
    }

    /// What it runs.
    pub fn program(&self) -> &Program {
        &self.program
    }

    /// Runs `count` examples.
    ///
    /// `write(example, input, buffer)` writes the example's value of the model's input number `input`, f32, in the graph input's stored order; it is called from
    /// several threads. `sink(example, outputs)` receives the graph's outputs in the model's axis order, on this thread, as groups finish (not in
    /// order), and may stop the run.
    ///
    /// # Errors
    /// The first error of a step; results of groups that finished before it have been handed to the sink.
    pub fn run(
        &self,
        count: usize,
        schedule: Schedule,
        write: &Write<'_>,
        sink: &mut Sink<'_>,
    ) -> Result<()> {
        if count == 0 {
            return Ok(());
        }
        // Small jobs are spread over all threads rather than filling one group.
        let group = schedule.group.min(count.div_ceil(schedule.threads)).max(1);
        let groups = count.div_ceil(group);
        let (next, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
        let (sender, receiver) = mpsc::sync_channel::<Result<GroupResult>>(2 * schedule.threads);
        std::thread::scope(|scope| {
            for _ in 0..schedule.threads.min(groups) {
                let (sender, next, stop) = (sender.clone(), &next, &stop);
                scope.spawn(move || {
                    let mut workspace =
                        self.workspaces.lock().ok().and_then(|mut w| w.pop()).unwrap_or_default();
                    while !stop.load(Ordering::Relaxed) {
                        let first = next.fetch_add(1, Ordering::Relaxed) * group;
                        if first >= count {
                            break;
                        }
                        let examples = group.min(count - first);
                        let result = self.run_group(&mut workspace, first, examples, write);
                        if sender.send(result).is_err() {
                            break;
                        }
                    }
                    if let Ok(mut workspaces) = self.workspaces.lock() {
                        workspaces.push(workspace);
                    }
                });
            }
            drop(sender);
            let mut outcome = Ok(());
            for result in receiver {
                if stop.load(Ordering::Relaxed) {
                    continue;
                }
                match result {
                    Ok(group) => {
                        if group.hand_to(sink).is_break() {
                            stop.store(true, Ordering::Relaxed);
                        }
                    }
                    Err(error) => {
                        outcome = Err(error);
                        stop.store(true, Ordering::Relaxed);
                    }
                }
            }
            outcome
        })
    }

    /// Runs the untouched input and keeps every activation.
    ///
    /// # Errors
    /// What a step reports.
    pub fn baseline(&self, write: &Write<'_>) -> Result<Baseline> {
        Baseline::run(&self.program, write)
    }

    /// Runs one example alone; see [`Runner::run`]. Returns the outputs in the model's axis order.
    ///
    /// # Errors
    /// What a step reports.
    pub fn run_one(&self, write: &Write<'_>) -> Result<Vec<Vec<f32>>> {
        let mut outputs = Vec::new();
        let schedule = Schedule { threads: 1, group: 1 };
        self.run(1, schedule, write, &mut |_, values| {
            outputs = values.iter().map(|v| v.to_vec()).collect();
            ControlFlow::Continue(())
        })?;
        Ok(outputs)
    }

    fn run_group(
        &self,
        workspace: &mut Workspace,
        first: usize,
        examples: usize,
        write: &Write<'_>,
    ) -> Result<GroupResult> {
        let program = &self.program;
        let (graph, layout) = (&program.graph, &program.slots);
        workspace.prepare(layout, examples);
        for example in 0..examples {
            for (input, id) in graph.inputs.iter().enumerate() {
                write(first + example, input, workspace.input_mut(graph, layout, *id, example));
            }
        }
        workspace.run(program, layout)?;
        let copy = |id: &TensorId| {
            (0..examples)
                .flat_map(|example| workspace.tensor(graph, layout, *id, example))
                .copied()
                .collect::<Vec<f32>>()
        };
        Ok(GroupResult { first, examples, outputs: graph.outputs.iter().map(copy).collect() })
    }
}

/// Outputs of one group, each `[examples, output length]`.
struct GroupResult {
    first: usize,
    examples: usize,
    outputs: Vec<Vec<f32>>,
}

impl GroupResult {
    fn hand_to(&self, sink: &mut Sink<'_>) -> ControlFlow<()> {
        for example in 0..self.examples {
            let slice = |output: &Vec<f32>| {
                let len = output.len() / self.examples;
                example * len..(example + 1) * len
            };
            let outputs: Vec<&[f32]> = self.outputs.iter().map(|o| &o[slice(o)]).collect();
            sink(self.first + example, &outputs)?;
        }
        ControlFlow::Continue(())
    }
}
