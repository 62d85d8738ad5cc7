//! Where the time of a full run goes: seconds per step beside the work that the step is.
//!
//! In: a program, the inputs. Out: per step the seconds, the multiply-adds (those with padding included) and the bytes of activations that it reads
//! and writes, so that a step can be held against the machine's peak and its memory. One thread.

use super::compile::{Program, Step};
use super::cost;
use super::runner::Write;
use super::stages::FullRun;
use crate::Result;

/// One step of a full run.
#[derive(Clone, Debug, PartialEq)]
pub struct StepProfile {
    /// Operator and name as the model has them.
    pub label: String,
    /// The model's shape of what it writes.
    pub output: Vec<usize>,
    /// Seconds per example: the fastest of the rounds.
    pub secs: f64,
    /// Multiply-adds per example of convolutions, linear layers and matrix products; 0 for all else.
    pub multiply_adds: f64,
    /// Bytes of activations read and written per example.
    pub bytes: f64,
}

impl Program {
    /// Runs a group of examples in full, `rounds` times.
    ///
    /// # Errors
    /// What a step reports.
    pub fn profile(&self, group: usize, rounds: usize, write: &Write<'_>) -> Result<Vec<StepProfile>> {
        let (mut run, examples) = (FullRun::default(), Vec::from_iter(0..group));
        let mut fastest = vec![f64::INFINITY; self.steps.len()];
        for _ in 0..=rounds.max(1) {
            let mut times = vec![0.0; self.steps.len()];
            run.run(self, &examples, write, &mut times)?;
            fastest.iter_mut().zip(times).for_each(|(fastest, time)| *fastest = fastest.min(time));
        }
        let floats = |step: &Step| {
            let tensors = step.inputs.iter().chain([&step.output]).map(|id| self.graph.tensor(*id));
            tensors.filter(|t| t.constant.is_none()).map(|t| t.len()).sum::<usize>()
        };
        let profile = |(index, (step, secs)): (usize, (&Step, f64))| StepProfile {
            label: step.label.clone(),
            output: self.graph.tensor(step.output).model_shape(),
            secs: secs / group as f64,
            multiply_adds: cost::of_whole_step(self, index).multiply_adds() as f64,
            bytes: (floats(step) * size_of::<f32>()) as f64,
        };
        Ok(self.steps.iter().zip(fastest).enumerate().map(profile).collect())
    }
}
