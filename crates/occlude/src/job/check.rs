//! The self-check: a few windows, spread over the grid, recomputed by an independent run of the occluded input alone.
//!
//! At least one window, at most three and at most one in a hundred. The largest difference is recorded; beyond the tolerance the run fails: a wrong map
//! is never handed out.

use crate::error::{Error, Result};
use crate::map::{Check, Map};
use crate::occlusion::Occluder;
use crate::scorer::Scorer;
use crate::target::Measure;

/// Share of a map's range, and of the largest |score|, that may differ.
const OF_RANGE: f64 = 1e-4;
const OF_SCORE: f64 = 1e-5;

pub(super) fn run(
    scorer: &dyn Scorer,
    occluder: &Occluder,
    measures: &[Measure],
    map: &mut Map,
) -> Result<()> {
    let windows = spread(map);
    let mut input = vec![0.0; occluder.input().len()];
    let mut worst: Option<(f64, f64, usize, usize)> = None;
    for &window in &windows {
        occluder.occlude_into(window, &mut input);
        let outputs = scorer.baseline(&input)?;
        let slices = outputs.slices();
        for (target, measure) in measures.iter().enumerate() {
            let difference =
                (f64::from(measure.read(&slices)) - f64::from(map.scores_of(target)[window])).abs();
            let tolerance = tolerance(map, target);
            // A difference of NaN is beyond any tolerance.
            let share = if difference == 0.0 { 0.0 } else { difference / tolerance };
            let is_worse = worst.is_none_or(|(d, t, ..)| !(share <= if d == 0.0 { 0.0 } else { d / t }));
            if is_worse {
                worst = Some((difference, tolerance, window, target));
            }
        }
    }
    let Some((max_abs_diff, tolerance, window, target)) = worst else { return Ok(()) };
    if !(max_abs_diff <= tolerance) {
        return Err(Error::number(format!(
            "self-check failed: {} recomputed alone gives the {} of {} a difference of {max_abs_diff:.3e}, {tolerance:.3e} is allowed",
            map.grid.describe(window),
            map.targets[target].unit,
            map.targets[target].label
        ))
        .with_hint("no map is handed out. A model that draws random numbers (dropout left on) does this; else please report it with the model"));
    }
    map.check = Some(Check { windows, max_abs_diff, tolerance });
    Ok(())
}

fn tolerance(map: &Map, target: usize) -> f64 {
    let range = map.summary(target).map_or(0.0, |s| f64::from(s.max) - f64::from(s.min).min(0.0));
    let largest = map
        .scores_of(target)
        .iter()
        .filter(|v| !v.is_nan())
        .fold(map.targets[target].baseline.abs(), |m, v| m.max(v.abs()));
    (OF_RANGE * range).max(OF_SCORE * f64::from(largest))
}

/// Windows at even distances among the computed ones, away from the corners of the grid.
fn spread(map: &Map) -> Vec<usize> {
    let computed: Vec<usize> = (0..map.grid.len()).filter(|&w| !map.scores_of(0)[w].is_nan()).collect();
    let count = (computed.len() / 100).clamp(1, 3);
    (0..count).map(|i| computed[(2 * i + 1) * computed.len() / (2 * count)]).collect()
}
