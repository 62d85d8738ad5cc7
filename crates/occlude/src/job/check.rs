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

/// How far one window's score of one target is from its recomputed value.
struct Difference {
    window: usize,
    target: usize,
    value: f64,
    tolerance: f64,
}

impl Difference {
    /// As a share of what is allowed; a value that is no number is beyond any tolerance.
    fn share(&self) -> f64 {
        if self.value == 0.0 {
            return 0.0;
        }
        let share = self.value / self.tolerance;
        if share.is_nan() { f64::INFINITY } else { share }
    }
}

pub(super) fn run(
    scorer: &dyn Scorer,
    occluder: &Occluder,
    measures: &[Measure],
    map: &mut Map,
) -> Result<()> {
    let windows = spread(map);
    let mut input = vec![0.0; occluder.input().len()];
    let mut differences = Vec::new();
    for &window in &windows {
        occluder.occlude_into(window, &mut input);
        let outputs = scorer.baseline(&input)?;
        let slices = outputs.slices();
        for (target, measure) in measures.iter().enumerate() {
            let value = (f64::from(measure.read(&slices)) - f64::from(map.scores_of(target)[window])).abs();
            differences.push(Difference { window, target, value, tolerance: tolerance(map, target) });
        }
    }
    let Some(worst) = differences.iter().max_by(|a, b| a.share().total_cmp(&b.share())) else {
        return Ok(());
    };
    if worst.share() > 1.0 {
        return Err(Error::number(format!(
            "self-check failed: {} recomputed alone gives the {} of {} a difference of {:.3e}, {:.3e} is allowed",
            map.grid.describe(worst.window),
            map.targets[worst.target].unit,
            map.targets[worst.target].label,
            worst.value,
            worst.tolerance
        ))
        .with_hint("no map is handed out. A model that draws random numbers (dropout left on) does this; else please report it with the model"));
    }
    map.check = Some(Check { windows, max_abs_diff: worst.value, tolerance: worst.tolerance });
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
