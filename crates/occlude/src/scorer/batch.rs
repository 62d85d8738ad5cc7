//! A scorer for any model that maps a batch of inputs to outputs: it builds the occluded batches itself, and builds the next one while the model runs.
//!
//! In: something that runs batches ([`RunBatch`]; any function from `batch` examples, row-major, one after the other, to [`Outputs`] whose values hold the batch one example after the other and
//! whose shapes are those of one example). Out: outputs per window. Nothing is known of what the function does. Batches of one input lie in memory of the runner's choice, which is written
//! again and again: at most two sets of it with one worker, one set per worker with several.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;

use super::{Outputs, Scorer, Sink};
use crate::error::{Error, Result};
use crate::occlusion::Occluder;
use crate::tensor::{TensorSpec, shape_text};

/// What runs the batches of a [`BatchScorer`]. Functions from slices to outputs are such; other languages bring their own arrays.
pub trait RunBatch: Sync {
    /// Memory for a batch of one input.
    type Buffer: Send;
    /// New memory for so many elements.
    ///
    /// # Errors
    /// What the other side says.
    fn buffer(&self, elements: usize) -> Result<Self::Buffer>;
    /// Lets `write` fill it, from beginning to end. Called from a thread of the scorer's own.
    ///
    /// # Errors
    /// What the other side says.
    fn fill(&self, buffer: &mut Self::Buffer, write: &mut (dyn FnMut(&mut [f32]) + Send)) -> Result<()>;
    /// Runs a batch of `count` examples, one buffer per input. A buffer that somebody else still reads is to be replaced by a new one: it is written again.
    ///
    /// # Errors
    /// What the model says.
    fn run(&self, inputs: &mut [Self::Buffer], count: usize) -> Result<Outputs>;
}

impl<F> RunBatch for F
where
    F: Fn(&[&[f32]], usize) -> Result<Outputs> + Sync,
{
    type Buffer = Vec<f32>;
    fn buffer(&self, elements: usize) -> Result<Vec<f32>> {
        Ok(vec![0.0; elements])
    }
    fn fill(&self, buffer: &mut Vec<f32>, write: &mut (dyn FnMut(&mut [f32]) + Send)) -> Result<()> {
        write(buffer);
        Ok(())
    }
    fn run(&self, inputs: &mut [Vec<f32>], count: usize) -> Result<Outputs> {
        let slices: Vec<&[f32]> = inputs.iter().map(Vec::as_slice).collect();
        self(&slices, count)
    }
}

/// Scores windows by a function on batches.
///
/// ```
/// use occlude::{BatchScorer, Layout, Outputs, Scorer, TensorSpec};
/// let spec = TensorSpec::new("x", &[1, 2, 2], Layout::ChannelsFirst);
/// let sum = BatchScorer::new(vec![spec], 8, "sum", |inputs: &[&[f32]], count: usize| {
///     let sums = inputs[0].chunks(inputs[0].len() / count).map(|x| x.iter().sum()).collect();
///     Ok(Outputs { names: vec!["y".into()], shapes: vec![vec![1, 1]], values: vec![sums] })
/// });
/// assert_eq!(sum.baseline(&[&[1.0, 2.0, 3.0, 4.0]])?.values, [[10.0]]);
/// # Ok::<(), occlude::Error>(())
/// ```
pub struct BatchScorer<R> {
    specs: Vec<TensorSpec>,
    batch: usize,
    workers: usize,
    runtime: String,
    runner: R,
}

/// The memory of a batch: one buffer per input, for so many examples.
struct Batch<B> {
    buffers: Vec<B>,
    count: usize,
}

impl<R: RunBatch> BatchScorer<R> {
    /// A scorer that gives `run` at most `batch` (at least 1) examples at once. `runtime` says in words what runs.
    pub fn new(inputs: Vec<TensorSpec>, batch: usize, runtime: impl Into<String>, run: R) -> Self {
        BatchScorer { specs: inputs, batch: batch.max(1), workers: 1, runtime: runtime.into(), runner: run }
    }

    /// So many batches at once, each from a thread of its own: for models that wait, as those behind a network do. With one (the default) all calls come from the thread that scores.
    #[must_use]
    pub fn with_workers(mut self, workers: usize) -> Self {
        self.workers = workers.max(1);
        self
    }

    /// Writes these windows, into memory that was used before where it has the right size.
    fn build(
        &self,
        occluder: &Occluder,
        group: &[usize],
        used: Option<Batch<R::Buffer>>,
    ) -> Result<Batch<R::Buffer>> {
        let count = group.len();
        let mut batch = match used.filter(|batch| batch.count == count) {
            Some(batch) => batch,
            None => {
                let new = |spec: &TensorSpec| self.runner.buffer(spec.len() * count);
                Batch { buffers: self.specs.iter().map(new).collect::<Result<_>>()?, count }
            }
        };
        for (input, (spec, buffer)) in self.specs.iter().zip(&mut batch.buffers).enumerate() {
            self.runner.fill(buffer, &mut |examples| {
                for (&window, example) in group.iter().zip(examples.chunks_exact_mut(spec.len().max(1))) {
                    occluder.occlude_into(window, input, example);
                }
            })?;
        }
        Ok(batch)
    }

    fn run_checked(&self, batch: &mut Batch<R::Buffer>) -> Result<Outputs> {
        let outputs = self.runner.run(&mut batch.buffers, batch.count)?;
        for ((name, shape), values) in outputs.names.iter().zip(&outputs.shapes).zip(&outputs.values) {
            let expected = shape.iter().product::<usize>() * batch.count;
            if values.len() != expected {
                return Err(Error::model(format!(
                    "output \"{name}\" has {} values for a batch of {}, its shape {} means {expected}",
                    values.len(),
                    batch.count,
                    shape_text(shape)
                )));
            }
        }
        Ok(outputs)
    }

    /// Calls from this thread, while another one builds the next batch.
    fn score_here(&self, occluder: &Occluder, windows: &[usize], sink: &mut Sink<'_>) -> Result<()> {
        std::thread::scope(|scope| {
            let (to_run, built) = mpsc::sync_channel(1);
            let (give_back, used) = mpsc::channel::<Option<Batch<R::Buffer>>>();
            // Two sets of memory: one is read by the model while the other one is written.
            for _ in 0..2 {
                let _ = give_back.send(None);
            }
            scope.spawn(move || {
                for (group, used) in windows.chunks(self.batch).zip(used) {
                    let batch = self.build(occluder, group, used);
                    if to_run.send((group, batch)).is_err() {
                        break;
                    }
                }
            });
            for (group, batch) in built {
                let mut batch = batch?;
                let outputs = self.run_checked(&mut batch)?;
                let _ = give_back.send(Some(batch));
                if hand_over(group, &outputs, sink).is_break() {
                    break;
                }
            }
            Ok(())
        })
    }

    /// Several calls at once, each worker with memory of its own. What is under way when one fails is still handed over.
    fn score_by_workers(&self, occluder: &Occluder, windows: &[usize], sink: &mut Sink<'_>) -> Result<()> {
        let groups: Vec<&[usize]> = windows.chunks(self.batch).collect();
        let (next, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
        std::thread::scope(|scope| {
            let (send, finished) = mpsc::sync_channel(self.workers);
            for _ in 0..self.workers.min(groups.len()) {
                let (send, groups, next, stop) = (send.clone(), &groups, &next, &stop);
                scope.spawn(move || {
                    let mut used = None;
                    while !stop.load(Ordering::Relaxed) {
                        let Some(group) = groups.get(next.fetch_add(1, Ordering::Relaxed)) else { break };
                        let result = self.build(occluder, group, used.take()).and_then(|mut batch| {
                            let outputs = self.run_checked(&mut batch)?;
                            used = Some(batch);
                            Ok(outputs)
                        });
                        if send.send((*group, result)).is_err() {
                            break;
                        }
                    }
                });
            }
            drop(send);
            let mut failure = None;
            for (group, result) in finished {
                let stops = match result {
                    Ok(outputs) => hand_over(group, &outputs, sink).is_break(),
                    Err(error) => {
                        failure.get_or_insert(error);
                        true
                    }
                };
                if stops {
                    stop.store(true, Ordering::Relaxed);
                }
            }
            failure.map_or(Ok(()), Err)
        })
    }
}

/// Gives each window of a batch its outputs.
fn hand_over(group: &[usize], outputs: &Outputs, sink: &mut Sink<'_>) -> ControlFlow<()> {
    let mut flow = ControlFlow::Continue(());
    for (place, &window) in group.iter().enumerate() {
        let of_one = |values: &Vec<f32>| values.len() / group.len();
        let slices: Vec<&[f32]> = outputs
            .values
            .iter()
            .map(|values| &values[place * of_one(values)..(place + 1) * of_one(values)])
            .collect();
        if sink(window, &slices).is_break() {
            flow = ControlFlow::Break(());
        }
    }
    flow
}

impl<R: RunBatch> Scorer for BatchScorer<R> {
    fn inputs(&self) -> &[TensorSpec] {
        &self.specs
    }
    fn runtime(&self) -> String {
        self.runtime.clone()
    }
    fn baseline(&self, inputs: &[&[f32]]) -> Result<Outputs> {
        let mut batch = Batch { buffers: Vec::with_capacity(inputs.len()), count: 1 };
        for values in inputs {
            let mut buffer = self.runner.buffer(values.len())?;
            self.runner.fill(&mut buffer, &mut |example| example.copy_from_slice(values))?;
            batch.buffers.push(buffer);
        }
        self.run_checked(&mut batch)
    }
    fn score(&self, occluder: &Occluder, windows: &[usize], sink: &mut Sink<'_>) -> Result<()> {
        if self.workers > 1 {
            self.score_by_workers(occluder, windows, sink)
        } else {
            self.score_here(occluder, windows, sink)
        }
    }
}

#[cfg(test)]
#[path = "batch_tests.rs"]
mod tests;
