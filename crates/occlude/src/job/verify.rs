//! Verifying a whole map: every window by the scorer of the job and by a reference that runs the whole network, outputs and map compared.
//!
//! In: a [`Job`], the reference, an input. Out: a [`Verification`]: both maps, the largest differences with where they are, and whether they are inside the bounds.
//! Windows run coarse to fine, a chunk by both before the next, so that a verification that is stopped has compared windows all over the input.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::time::Instant;

use serde::Serialize;

use super::{Job, Watch, check_baseline};
use crate::error::Result;
use crate::input::Input;
use crate::map::Map;
use crate::occlusion::Occluder;
use crate::scorer::{Outputs, Scorer};
use crate::target::{Measure, read_all};

/// Largest difference of a map, as a share of its range.
const OF_RANGE: f64 = 1e-4;
/// Largest difference of an output, as a share of the largest |output|.
const OF_LARGEST: f64 = 1e-5;
/// Windows that both scorers run before the next ones.
const CHUNK: usize = 128;
/// Outputs that wait for their counterparts: 64 MiB.
const WAITING_VALUES: usize = 16 << 20;

/// The largest difference of one kind, and where it is.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// What differs most: the label of a target, the name of an output.
    pub of: String,
    /// Flat index of the window; `None` for the untouched input, or where nothing differs.
    pub window: Option<usize>,
    /// Element of the output, row-major; `None` for a target.
    pub element: Option<usize>,
    /// Value of the run that is verified.
    pub value: f32,
    /// Value of the full run.
    pub full: f32,
    /// |value - full|; infinite where `value` is no number.
    pub max_abs_diff: f64,
    /// What it is a share of: the range of the target's map, or the largest |value| of the output over all full runs.
    pub scale: f64,
    /// `max_abs_diff / scale`
    pub share: f64,
    /// The largest share that is allowed.
    pub bound: f64,
    /// The largest difference that is allowed: `bound * scale`, for a map at least two steps of f32 at its largest |score|, which no map resolves.
    pub allowed: f64,
}

impl Difference {
    /// Whether it is inside its bound.
    pub fn is_within(&self) -> bool {
        self.max_abs_diff <= self.allowed
    }

    /// How much of what is allowed is used; infinite for what is no number.
    fn used(&self) -> f64 {
        if self.max_abs_diff == 0.0 { 0.0 } else { self.max_abs_diff / self.allowed }
    }
}

/// What a verification found. Compare [`Map::computed`] with the size of the grid for how far it went.
#[derive(Clone, Debug)]
pub struct Verification {
    /// The map of the scorer that is verified; its values are NaN at windows that were not compared.
    pub map: Map,
    /// The map of full runs of the same windows.
    pub full: Map,
    /// The largest difference of the maps, over all targets.
    pub of_map: Difference,
    /// The largest difference of the outputs, over all windows and the untouched input.
    pub of_outputs: Difference,
    /// `[grid...]`: the largest difference of a window's outputs, as a share of the largest |output|; NaN where it was not compared.
    pub output_shares: Vec<f32>,
    /// Seconds of the runs that are verified, the untouched input included.
    pub map_secs: f64,
    /// Seconds of the full runs of the same windows.
    pub full_secs: f64,
}

impl Verification {
    /// Whether what was compared is inside both bounds.
    pub fn is_within(&self) -> bool {
        self.of_map.is_within() && self.of_outputs.is_within()
    }
    /// Whether every window was compared.
    pub fn is_complete(&self) -> bool {
        self.full.is_complete()
    }
}

impl Job<'_> {
    /// Runs every window by this job's scorer and by `reference`, and compares them: outputs within 1e-5 of the largest |output|, the map within 1e-4 of its range.
    ///
    /// Stopped by its watch, it says what was compared until then. A difference is no error; see [`Verification::is_within`].
    ///
    /// # Errors
    /// As [`Job::run`]; Number also where the reference returns NaN or infinity.
    pub fn verify(
        &self,
        reference: &dyn Scorer,
        input: &Input,
        watch: &mut Watch<'_>,
    ) -> Result<Verification> {
        self.check_samples(input)?;
        let occluder = self.occluder(input, 0)?;
        let begun = Instant::now();
        let baseline = self.scorer.untouched(&occluder.untouched())?;
        let mut secs = [begun.elapsed().as_secs_f64(), 0.0];
        check_baseline(&baseline)?;
        let mut map = self.empty_map(input, &occluder, &baseline)?;
        let measures = self.measures(&baseline, &mut map)?;
        self.describe_targets(&measures, &baseline, &mut map)?;

        let begun = Instant::now();
        let untouched = reference.baseline(&occluder.untouched())?;
        secs[1] = begun.elapsed().as_secs_f64();
        check_baseline(&untouched)?;
        let mut full = self.empty_map(input, &occluder, &untouched)?;
        self.describe_targets(&measures, &untouched, &mut full)?;
        full.provenance.runtime = reference.runtime();

        let mut outputs = OutputDifferences::new(&untouched, map.windows.len());
        outputs.compare(None, &baseline.slices(), &untouched.slices());
        let mut both = Both { job: self, reference, measures: &measures, map, full, outputs, secs };
        for (window, same) in both.map.windows.representatives().into_iter().enumerate() {
            if same.is_none() {
                self.take(window, &untouched.slices(), &measures, &mut both.full)?;
                both.enter(window, &baseline.slices());
                both.outputs.compare(Some(window), &baseline.slices(), &untouched.slices());
            }
        }
        both.run(&occluder, watch)?;
        Ok(both.finish())
    }
}

/// A verification under way.
struct Both<'a> {
    job: &'a Job<'a>,
    reference: &'a dyn Scorer,
    measures: &'a [Measure],
    map: Map,
    full: Map,
    outputs: OutputDifferences,
    /// Seconds of the verified runs and of the full ones.
    secs: [f64; 2],
}

impl Both<'_> {
    fn run(&mut self, occluder: &Occluder, watch: &mut Watch<'_>) -> Result<()> {
        let hides_nothing: Vec<bool> =
            self.map.windows.representatives().iter().map(Option::is_none).collect();
        let order: Vec<usize> =
            self.map.windows.coarse_to_fine().into_iter().filter(|&window| !hides_nothing[window]).collect();
        let begun = Instant::now();
        watch.tell_progress(0, order.len(), begun);
        let values: usize = self.outputs.lengths.iter().sum();
        for chunk in order.chunks((WAITING_VALUES / values.max(1)).clamp(1, CHUNK)) {
            let mut waiting: BTreeMap<usize, Vec<Vec<f32>>> = BTreeMap::new();
            let started = Instant::now();
            self.job.scorer.score(occluder, chunk, &mut |window, outputs| {
                waiting.insert(window, outputs.iter().map(|values| values.to_vec()).collect());
                if watch.is_cancelled() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            })?;
            self.secs[0] += started.elapsed().as_secs_f64();
            // What has no counterpart proves nothing.
            if watch.is_cancelled() {
                return Ok(());
            }
            let mut failure = None;
            let started = Instant::now();
            self.reference.score(occluder, chunk, &mut |window, full| {
                let Some(outputs) = waiting.remove(&window) else { return ControlFlow::Continue(()) };
                let outputs: Vec<&[f32]> = outputs.iter().map(Vec::as_slice).collect();
                if let Err(error) = self.job.take(window, full, self.measures, &mut self.full) {
                    failure.get_or_insert(error);
                    return ControlFlow::Break(());
                }
                self.enter(window, &outputs);
                self.outputs.compare(Some(window), &outputs, full);
                watch.tell_progress(self.full.computed, order.len(), begun);
                if watch.is_cancelled() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            })?;
            self.secs[1] += started.elapsed().as_secs_f64();
            if let Some(error) = failure {
                return Err(error);
            }
            if watch.is_cancelled() {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Enters a window of the verified run. A number that is none is a difference here, not an error.
    fn enter(&mut self, window: usize, outputs: &[&[f32]]) {
        let (map, count) = (&mut self.map, self.full.windows.len());
        for (target, score) in read_all(self.measures, outputs).into_iter().enumerate() {
            map.scores[target * count + window] = score;
            map.sensitivity[target * count + window] = map.targets[target].baseline - score;
        }
        if let (Some(most_probable), Some(output)) = (&mut map.most_probable, self.job.meaning.class_output) {
            most_probable.windows[window] = crate::score::argmax(outputs[output]) as i32;
        }
        map.computed += 1;
    }

    fn finish(self) -> Verification {
        let of_targets = (0..self.full.targets.len()).map(|t| of_target(&self.map, &self.full, t));
        let worst = |all: &mut dyn Iterator<Item = Difference>| {
            all.max_by(|a, b| a.used().total_cmp(&b.used())).unwrap_or_else(nothing)
        };
        let of_map = worst(&mut of_targets.into_iter());
        let of_outputs = worst(&mut self.outputs.all());
        Verification {
            of_map,
            of_outputs,
            output_shares: self.outputs.shares(),
            map: self.map,
            full: self.full,
            map_secs: self.secs[0],
            full_secs: self.secs[1],
        }
    }
}

/// A model without outputs, or a job without targets, differs nowhere.
fn nothing() -> Difference {
    Difference {
        of: String::new(),
        window: None,
        element: None,
        value: 0.0,
        full: 0.0,
        max_abs_diff: 0.0,
        scale: 0.0,
        share: 0.0,
        bound: 0.0,
        allowed: 0.0,
    }
}

/// |a - b|, infinite if `a` is no number; `b` always is one.
fn distance(a: f32, b: f32) -> f64 {
    let distance = (f64::from(a) - f64::from(b)).abs();
    if distance.is_nan() { f64::INFINITY } else { distance }
}

fn share_of(value: f64, scale: f64) -> f64 {
    if value == 0.0 { 0.0 } else { value / scale }
}

/// The largest difference of one target's map.
fn of_target(map: &Map, full: &Map, target: usize) -> Difference {
    let (values, fulls) = (map.sensitivity_of(target), full.sensitivity_of(target));
    let (mut low, mut high, mut largest) =
        (f32::INFINITY, f32::NEG_INFINITY, full.targets[target].baseline.abs());
    let mut worst = Difference { of: full.targets[target].label.clone(), bound: OF_RANGE, ..nothing() };
    for window in (0..fulls.len()).filter(|&w| !fulls[w].is_nan()) {
        (low, high) = (low.min(fulls[window]), high.max(fulls[window]));
        largest = largest.max(full.scores_of(target)[window].abs());
        let max_abs_diff = distance(values[window], fulls[window]);
        if max_abs_diff > worst.max_abs_diff {
            let (value, full) = (values[window], fulls[window]);
            worst = Difference { window: Some(window), value, full, max_abs_diff, ..worst };
        }
    }
    // One window, or a map that is the same everywhere, has its distance from zero for a range.
    let range = if high > low { f64::from(high) - f64::from(low) } else { f64::from(high.abs()) };
    worst.scale = if range.is_finite() { range } else { 0.0 };
    worst.share = share_of(worst.max_abs_diff, worst.scale);
    worst.allowed = (OF_RANGE * worst.scale).max(2.0 * f64::from(f32::EPSILON) * f64::from(largest));
    worst
}

/// The largest differences of every output, while they are compared.
struct OutputDifferences {
    lengths: Vec<usize>,
    worst: Vec<Difference>,
    /// Per output `[grid...]`, the largest difference of a window.
    per_window: Vec<Vec<f32>>,
}

impl OutputDifferences {
    fn new(outputs: &Outputs, windows: usize) -> Self {
        let named = |name: &String| Difference { of: name.clone(), bound: OF_LARGEST, ..nothing() };
        OutputDifferences {
            lengths: outputs.values.iter().map(Vec::len).collect(),
            worst: outputs.names.iter().map(named).collect(),
            per_window: vec![vec![f32::NAN; windows]; outputs.names.len()],
        }
    }

    fn compare(&mut self, window: Option<usize>, outputs: &[&[f32]], fulls: &[&[f32]]) {
        for (output, worst) in self.worst.iter_mut().enumerate() {
            let mut of_window = 0.0f64;
            for (element, (&value, &full)) in outputs[output].iter().zip(fulls[output]).enumerate() {
                worst.scale = worst.scale.max(f64::from(full.abs()));
                let max_abs_diff = distance(value, full);
                of_window = of_window.max(max_abs_diff);
                if max_abs_diff > worst.max_abs_diff {
                    (worst.window, worst.element) = (window, Some(element));
                    (worst.value, worst.full, worst.max_abs_diff) = (value, full, max_abs_diff);
                }
            }
            if let Some(window) = window {
                self.per_window[output][window] = of_window as f32;
            }
        }
    }

    fn all(&self) -> impl Iterator<Item = Difference> + use<> {
        let complete = |mut one: Difference| {
            one.share = share_of(one.max_abs_diff, one.scale);
            one.allowed = one.bound * one.scale;
            one
        };
        self.worst.clone().into_iter().map(complete)
    }

    fn shares(&self) -> Vec<f32> {
        let count = self.per_window.first().map_or(0, Vec::len);
        let share = |window: usize| {
            let of = |(values, worst): (&Vec<f32>, &Difference)| {
                share_of(f64::from(values[window]), worst.scale) as f32
            };
            self.per_window.iter().zip(&self.worst).map(of).fold(f32::NAN, f32::max)
        };
        (0..count).map(share).collect()
    }
}

#[cfg(test)]
#[path = "verify_tests.rs"]
mod tests;
