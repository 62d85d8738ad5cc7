//! The self-check: a few windows, spread over all of them, recomputed by an independent run of the occluded input alone.
//!
//! At least one window, at most three and at most one in a hundred, on a diagonal of a grid, and such whose fill changes the input: elsewhere there is nothing to get wrong.
//! The largest difference is recorded; beyond the tolerance the run fails: a wrong map is never handed out.

use super::approximate;
use crate::error::{Error, Result};
use crate::map::{Check, Map};
use crate::occlusion::Occluder;
use crate::scorer::Scorer;
use crate::target::{Measure, read_all};
use crate::tensor::for_each_run;

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
    let mut windows = spread(map, occluder);
    windows.sort_unstable();
    // An approximate map is not what is checked here, its error is measured apart; the same windows without anything dropped are.
    let is_exact = map.approximation.as_ref().is_none_or(|a| a.drop_below == 0.0);
    let exact = if is_exact { None } else { approximate::exact(scorer, occluder, &windows, measures)? };
    let mut inputs: Vec<Vec<f32>> = occluder.inputs().iter().map(|i| vec![0.0; i.values.len()]).collect();
    let mut differences = Vec::new();
    for (place, &window) in windows.iter().enumerate() {
        for (number, input) in inputs.iter_mut().enumerate() {
            occluder.occlude_into(window, number, input);
        }
        let slices: Vec<&[f32]> = inputs.iter().map(Vec::as_slice).collect();
        let outputs = scorer.baseline(&slices)?;
        let slices = outputs.slices();
        for (target, recomputed) in read_all(measures, &slices).into_iter().enumerate() {
            let scored =
                exact.as_ref().map_or(f64::from(map.scores_of(target)[window]), |e| e[target][place]);
            let value = (f64::from(recomputed) - scored).abs();
            differences.push(Difference { window, target, value, tolerance: tolerance(map, target) });
        }
    }
    let Some(worst) = differences.iter().max_by(|a, b| a.share().total_cmp(&b.share())) else {
        return Ok(());
    };
    if worst.share() > 1.0 {
        return Err(Error::number(format!(
            "self-check failed: {} recomputed alone gives the {} of {} a difference of {:.3e}, {:.3e} is allowed",
            map.windows.describe(worst.window),
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

/// Windows that are looked at for one that changes the input before any will do.
const TRIES: usize = 1000;

/// Windows at even distances along a diagonal of the grid, away from its corners; of each place the nearest window that is computed and changes the input.
fn spread(map: &Map, occluder: &Occluder) -> Vec<usize> {
    let changing = occluder.runs();
    let runs = if changing.is_empty() { map.windows.runs() } else { changing };
    let is_computed = |window: &usize| !map.scores_of(0)[*window].is_nan();
    let computed: Vec<usize> = runs.into_iter().filter(is_computed).collect();
    let count = (map.windows.runs().iter().filter(|window| is_computed(window)).count() / 100).clamp(1, 3);
    let shape = map.windows.shape();
    let mut chosen: Vec<usize> = Vec::with_capacity(count);
    for i in 0..count {
        let wanted: Vec<usize> = shape.iter().map(|&length| (2 * i + 1) * length / (2 * count)).collect();
        let distance = |window: usize| -> usize {
            // Windows that are no grid lie on a line.
            let place = map.windows.grid().map_or_else(|| vec![window], |grid| grid.unravel(window));
            place.iter().zip(&wanted).map(|(a, b)| a.abs_diff(*b).pow(2)).sum()
        };
        let mut near: Vec<usize> = computed.iter().copied().filter(|w| !chosen.contains(w)).collect();
        near.sort_by_cached_key(|&window| (distance(window), window));
        let changing = near.iter().take(TRIES).find(|&&window| changes(occluder, window));
        chosen.extend(changing.or(near.first()));
    }
    chosen
}

/// Whether the fill of a window differs from what was there.
fn changes(occluder: &Occluder, window: usize) -> bool {
    (0..occluder.inputs().len()).any(|number| {
        let Some(ranges) = occluder.region(window, number) else { return false };
        let input = &occluder.inputs()[number];
        let mut hidden = vec![0.0; ranges.iter().map(std::ops::Range::len).product()];
        occluder.write_hidden(window, number, &mut hidden);
        let (mut at, mut differs) = (0, false);
        for_each_run(&input.spec.shape, &ranges, |run| {
            let before = &input.values[run.clone()];
            differs |= hidden[at..at + run.len()] != *before;
            at += run.len();
        });
        differs
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::map::tests_support::map;
    use crate::occlusion::FillValues;

    /// A map of one target on a grid of `side x side` windows of one element; the input is 1 where `bright` says so, the fill is 0.
    fn chosen(side: usize, values: Vec<f32>, bright: impl Fn(usize) -> bool) -> Vec<usize> {
        let map = map([side, side], [1, 1], [1, 1], values);
        let input = (0..side * side).map(|i| f32::from(u8::from(bright(i)))).collect();
        let occluder =
            Occluder::new(input, map.input.clone(), map.windows.clone(), FillValues::PerChannel(vec![0.0]));
        spread(&map, &occluder)
    }

    #[test]
    fn as_many_windows_as_the_rule_says_and_not_in_one_column() {
        for (side, count) in [(1, 1), (3, 1), (10, 1), (14, 1), (15, 2), (20, 3), (40, 3)] {
            let windows = chosen(side, vec![0.5; side * side], |_| true);
            assert_eq!(windows.len(), count, "{side}");
            let mut columns: Vec<usize> = windows.iter().map(|w| w % side).collect();
            columns.dedup();
            assert_eq!(columns.len(), count, "{side}: {windows:?}");
        }
        assert_eq!(chosen(20, vec![0.5; 400], |_| true), [3 * 20 + 3, 10 * 20 + 10, 16 * 20 + 16]);
    }

    #[test]
    fn windows_that_change_nothing_prove_nothing() {
        // Only one column is not black.
        let windows = chosen(20, vec![0.5; 400], |i| i % 20 == 9);
        assert_eq!(windows.iter().filter(|w| **w % 20 == 9).count(), 3, "{windows:?}");
        assert_eq!(chosen(3, vec![0.0; 9], |_| false), [4], "a picture that is all black");
    }

    #[test]
    fn only_what_was_computed_is_checked() {
        let mut values = vec![f32::NAN; 9];
        values[8] = 0.5;
        assert_eq!(chosen(3, values, |_| true), [8]);
    }
}
