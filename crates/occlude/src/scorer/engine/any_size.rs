//! Windows of very different sizes: each is run incrementally or in full, whichever is foretold to cost less.
//!
//! In: an [`EngineScorer`] of an incremental form, windows that may hide nearly everything (scattered places have a box as large as the input). Out: outputs per window, first those of the incremental runs. The two ways give the same
//! numbers within what `verify` allows.

use std::ops::Range;
use std::sync::atomic::Ordering;

use occlude_engine::exec::{Changes, Form};

use super::{EngineScorer, Hidden};
use crate::error::Result;
use crate::occlusion::Occluder;
use crate::scorer::{Scorer, Sink};

/// Some of the windows, numbered anew, so that the engine chooses its algorithms for these alone.
struct Chosen<'a> {
    all: Hidden<'a>,
    windows: &'a [usize],
}

impl Changes for Chosen<'_> {
    fn len(&self) -> usize {
        self.windows.len()
    }
    fn region(&self, window: usize, input: usize) -> Option<Vec<Range<usize>>> {
        self.all.region(self.windows[window], input)
    }
    fn write(&self, window: usize, input: usize, values: &mut [f32]) {
        self.all.write(self.windows[window], input, values);
    }
}

impl EngineScorer {
    pub(super) fn score_cheapest(
        &self,
        form: Form,
        occluder: &Occluder,
        windows: &[usize],
        sink: &mut Sink<'_>,
    ) -> Result<()> {
        // Where memory holds no full run beside the incremental ones, all are incremental.
        let Ok(full_runs) = self.full_runs() else { return self.score(occluder, windows, sink) };
        let hidden = Hidden(occluder);
        let in_full = self.runner.work(form, &hidden, &[]).full.peak_multiply_adds();
        let is_cheaper = |window: &&usize| {
            self.runner.work(form, &hidden, &[**window]).incremental.peak_multiply_adds() < in_full
        };
        let (local, wide): (Vec<&usize>, Vec<&usize>) = windows.iter().partition(is_cheaper);
        let (local, wide): (Vec<usize>, Vec<usize>) =
            (local.into_iter().copied().collect(), wide.into_iter().copied().collect());
        let mut is_stopped = false;
        if !local.is_empty() {
            let chosen = Chosen { all: hidden, windows: &local };
            let tiles = self.runner.work(form, &chosen, &[]).weight_bytes;
            let baseline = self.baseline_of(&occluder.untouched(), form)?;
            let numbers: Vec<usize> = (0..local.len()).collect();
            let schedule = self.schedule_beside(tiles)?;
            let done =
                self.runner.run_changes(&baseline, &chosen, &numbers, schedule, &mut |number, outputs| {
                    let flow = sink(local[number], outputs);
                    is_stopped |= flow.is_break();
                    flow
                })?;
            self.done.fetch_add(done, Ordering::Relaxed);
        }
        if is_stopped || wide.is_empty() {
            return Ok(());
        }
        let mut run = 0;
        full_runs.score(occluder, &wide, &mut |window, outputs| {
            run += 1;
            sink(window, outputs)
        })?;
        self.done.fetch_add(run * self.runner.program().full_multiply_adds(), Ordering::Relaxed);
        Ok(())
    }
}
