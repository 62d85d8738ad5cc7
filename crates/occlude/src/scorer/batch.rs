//! A scorer for any model that maps a batch of inputs to outputs: it builds the occluded batches itself.
//!
//! In: a function from `batch` examples (per input of the model: row-major, one after the other, in the model's order) to [`Outputs`] whose values hold the batch one example after the
//! other and whose shapes are those of one example. Out: outputs per window. Nothing is known of what the function does.

use super::{Outputs, Scorer, Sink};
use crate::error::{Error, Result};
use crate::occlusion::Occluder;
use crate::tensor::{TensorSpec, shape_text};

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
pub struct BatchScorer<F> {
    specs: Vec<TensorSpec>,
    batch: usize,
    runtime: String,
    run: F,
}

impl<F> BatchScorer<F>
where
    F: Fn(&[&[f32]], usize) -> Result<Outputs> + Sync,
{
    /// A scorer that gives `run` at most `batch` (at least 1) examples at once. `runtime` says in words what runs.
    pub fn new(inputs: Vec<TensorSpec>, batch: usize, runtime: impl Into<String>, run: F) -> Self {
        BatchScorer { specs: inputs, batch: batch.max(1), runtime: runtime.into(), run }
    }

    fn run_checked(&self, inputs: &[&[f32]], count: usize) -> Result<Outputs> {
        let outputs = (self.run)(inputs, count)?;
        for ((name, shape), values) in outputs.names.iter().zip(&outputs.shapes).zip(&outputs.values) {
            let expected = shape.iter().product::<usize>() * count;
            if values.len() != expected {
                return Err(Error::model(format!(
                    "output \"{name}\" has {} values for a batch of {count}, its shape {} means {expected}",
                    values.len(),
                    shape_text(shape)
                )));
            }
        }
        Ok(outputs)
    }
}

impl<F> Scorer for BatchScorer<F>
where
    F: Fn(&[&[f32]], usize) -> Result<Outputs> + Sync,
{
    fn inputs(&self) -> &[TensorSpec] {
        &self.specs
    }
    fn runtime(&self) -> String {
        self.runtime.clone()
    }
    fn baseline(&self, inputs: &[&[f32]]) -> Result<Outputs> {
        self.run_checked(inputs, 1)
    }
    fn score(&self, occluder: &Occluder, windows: &[usize], sink: &mut Sink<'_>) -> Result<()> {
        let most = self.batch.min(windows.len());
        let mut batches: Vec<Vec<f32>> = self.specs.iter().map(|spec| vec![0.0; spec.len() * most]).collect();
        for group in windows.chunks(self.batch) {
            for (input, (spec, batch)) in self.specs.iter().zip(&mut batches).enumerate() {
                for (&window, example) in group.iter().zip(batch.chunks_exact_mut(spec.len().max(1))) {
                    occluder.occlude_into(window, input, example);
                }
            }
            let inputs: Vec<&[f32]> = self
                .specs
                .iter()
                .zip(&batches)
                .map(|(spec, batch)| &batch[..spec.len() * group.len()])
                .collect();
            let outputs = self.run_checked(&inputs, group.len())?;
            let mut stop = false;
            for (place, &window) in group.iter().enumerate() {
                let slices: Vec<&[f32]> = outputs
                    .values
                    .iter()
                    .map(|values| {
                        let one = values.len() / group.len();
                        &values[place * one..(place + 1) * one]
                    })
                    .collect();
                stop |= sink(window, &slices).is_break();
            }
            if stop {
                break;
            }
        }
        Ok(())
    }
}
