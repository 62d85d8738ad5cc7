//! The engine's full runs beside its incremental ones: the reference of `verify`, on the same packed weights.
//!
//! In: an [`EngineScorer`] of an incremental form. Out: a [`Scorer`] that runs the whole network for every window, several windows at once. It shares weights with
//! the scorer that it is checked against, and nothing else: neither the kept baseline nor any buffer.

use occlude_engine::exec::Schedule;

use super::{EngineScorer, form_of};
use crate::error::{Error, Result};
use crate::occlusion::Occluder;
use crate::scorer::{Outputs, Scorer, Sink};
use crate::tensor::TensorSpec;

/// Scores windows by full runs of the program of an [`EngineScorer`].
#[derive(Debug)]
pub struct FullRuns<'a> {
    scorer: &'a EngineScorer,
    schedule: Schedule,
}

impl EngineScorer {
    /// This model in full runs, in the memory that the incremental runs leave of the limit.
    ///
    /// # Errors
    /// Limit: memory that does not hold a full run beside them.
    pub fn full_runs(&self) -> Result<FullRuns<'_>> {
        let held = self.memory(None)?;
        let beside = if form_of(self.options).is_some() { held.baseline + held.in_flight } else { 0 };
        let left = self.options.memory_limit.saturating_sub(beside);
        let program = self.runner.program();
        let fits = |limit: u64| {
            Schedule::fit(
                program,
                None,
                0,
                self.options.threads,
                usize::try_from(limit).unwrap_or(usize::MAX),
            )
        };
        let schedule = fits(left).map_err(|error| {
            let mib = |bytes: u64| bytes.div_ceil(1 << 20);
            Error::limit(format!(
                "the memory limit of {} MiB does not hold a full run beside the incremental ones, which take {} MiB of it: {error}",
                mib(self.options.memory_limit),
                mib(beside)
            ))
            .with_hint("a larger --memory-limit")
        })?;
        Ok(FullRuns { scorer: self, schedule })
    }
}

impl Scorer for FullRuns<'_> {
    fn inputs(&self) -> &[TensorSpec] {
        &self.scorer.specs
    }
    fn runtime(&self) -> String {
        format!("builtin, full, {}", self.scorer.instruction_set())
    }
    fn baseline(&self, inputs: &[&[f32]]) -> Result<Outputs> {
        let values = self.scorer.runner.run_one(&|_, input, buffer| buffer.copy_from_slice(inputs[input]))?;
        Ok(self.scorer.outputs(values))
    }
    fn score(&self, occluder: &Occluder, windows: &[usize], sink: &mut Sink<'_>) -> Result<()> {
        let write =
            |window: usize, input: usize, buffer: &mut [f32]| occluder.occlude_into(window, input, buffer);
        Ok(self.scorer.runner.run(windows, self.schedule, &write, sink)?)
    }
}
