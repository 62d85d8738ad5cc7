//! Approximate runs: how much may be dropped so that the map stays as near to the exact one as was asked for.
//!
//! In: a share of the map's range that the error (RMSE) may reach. At least 32 windows spread over the grid are computed exactly, then with small changes dropped, more
//! or less of them, until the error is below what was asked for and not far from it. Out: what to drop, with the error that was measured; nothing, if even the least costs too much, and then
//! the run is exact. What is dropped and why that is the approximation to choose is said in ARCHITECTURE.md.

use std::ops::ControlFlow;

use crate::error::Result;
use crate::map::Approximation;
use crate::occlusion::Occluder;
use crate::scorer::Scorer;
use crate::target::{Measure, read_all};

/// Windows that are computed both ways, at least (all, where there are fewer).
const LEAST_SAMPLE: usize = 32;

/// Of large grids, one window in so many.
const SAMPLE_EVERY: usize = 64;

/// What is tried first where an error of `TYPICAL_ERROR` is allowed: changes shorter than this share of a tensor's mean are dropped.
const FIRST_SHARE: f64 = 0.0115;
const TYPICAL_ERROR: f64 = 0.02;

/// Outputs of more floats than this are not kept from the measurement for the map.
const KEPT_FLOATS: usize = 1 << 15;

/// The error grows about with this power of the share.
const POWER: f64 = 1.5;

/// Aimed at, of the error that is allowed.
const AIM: f64 = 0.75;

/// Below this share, dropping saves no work that is worth the name.
const LEAST_SHARE: f64 = 5e-4;

/// Most tries.
const TRIES: usize = 5;

/// What was measured, and what need not be computed again.
pub(super) struct Measured {
    pub(super) found: Approximation,
    /// Windows with their outputs, as the map will have them.
    pub(super) known: Vec<(usize, Vec<Vec<f32>>)>,
}

/// Measures what may be dropped. `None` if the scorer cannot drop anything, or the run was stopped.
pub(super) fn measure(
    scorer: &dyn Scorer,
    occluder: &Occluder,
    measures: &[Measure],
    wanted: f64,
    cancelled: &dyn Fn() -> bool,
) -> Result<Option<Measured>> {
    if !scorer.can_approximate() {
        return Ok(None);
    }
    let windows = sample(&occluder.runs());
    let run = |share: f64| outputs(scorer, occluder, &windows, share as f32, cancelled);
    let Some(exact) = run(0.0)? else { return Ok(None) };
    let exact_scores = scores(&exact, measures);
    let mut found = Approximation {
        wanted,
        drop_below: 0.0,
        windows: windows.clone(),
        rmse: 0.0,
        percentile_95: 0.0,
        largest: 0.0,
    };
    let mut best = exact;
    // From one measured error to the share that should give the one aimed at; what was allowed is taken only if it was measured to hold.
    let mut share = (FIRST_SHARE * (wanted / TYPICAL_ERROR).powf(1.0 / POWER)).min(0.5);
    for _ in 0..TRIES {
        let Some(near) = run(share)? else { return Ok(None) };
        let near_scores = scores(&near, measures);
        let errors = exact_scores.iter().zip(&near_scores).map(|(a, b)| errors(a, b, range(a)));
        // Of several targets the worst counts.
        let Some(worst) = errors.max_by(|a, b| a.rmse.total_cmp(&b.rmse)) else { break };
        let holds = worst.rmse < wanted;
        if holds && share > f64::from(found.drop_below) {
            found.drop_below = share as f32;
            (found.rmse, found.percentile_95, found.largest) =
                (worst.rmse, worst.percentile_95, worst.largest);
            best = near;
        }
        if holds && worst.rmse > wanted * AIM * AIM || !holds && found.drop_below > 0.0 {
            break;
        }
        let factor = (AIM * wanted / worst.rmse.max(1e-9)).powf(1.0 / POWER);
        share *= if holds { factor.clamp(1.1, 8.0) } else { factor.clamp(0.1, 0.8) };
        if !(LEAST_SHARE..1.0).contains(&share) {
            break;
        }
    }
    let is_small = |outputs: &Vec<Vec<f32>>| outputs.iter().map(Vec::len).sum::<usize>() <= KEPT_FLOATS;
    let known = windows.into_iter().zip(best).filter(|(_, outputs)| is_small(outputs)).collect();
    Ok(Some(Measured { found, known }))
}

/// Per target, the scores behind these windows (ascending) with nothing dropped.
pub(super) fn exact(
    scorer: &dyn Scorer,
    occluder: &Occluder,
    windows: &[usize],
    measures: &[Measure],
) -> Result<Option<Vec<Vec<f64>>>> {
    Ok(outputs(scorer, occluder, windows, 0.0, &|| false)?.map(|outputs| scores(&outputs, measures)))
}

/// Windows spread over all that are run, in steps that meet every row and column of a grid.
fn sample(runs: &[usize]) -> Vec<usize> {
    let total = runs.len();
    let count = (total / SAMPLE_EVERY).max(LEAST_SAMPLE).min(total);
    (0..count).map(|i| runs[(2 * i + 1) * total / (2 * count)]).collect()
}

/// The model's outputs behind each window (ascending); `None` if stopped.
fn outputs(
    scorer: &dyn Scorer,
    occluder: &Occluder,
    windows: &[usize],
    drop_below: f32,
    cancelled: &dyn Fn() -> bool,
) -> Result<Option<Vec<Vec<Vec<f32>>>>> {
    let mut all = vec![Vec::new(); windows.len()];
    let mut sink = |window: usize, outputs: &[&[f32]]| {
        if let Ok(place) = windows.binary_search(&window) {
            all[place] = outputs.iter().map(|output| output.to_vec()).collect();
        }
        if cancelled() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    scorer.score_approximately(occluder, windows, drop_below, &mut sink)?;
    Ok((!cancelled()).then_some(all))
}

/// Per target, the score behind each window.
fn scores(outputs: &[Vec<Vec<f32>>], measures: &[Measure]) -> Vec<Vec<f64>> {
    let mut scores = vec![Vec::with_capacity(outputs.len()); measures.len()];
    for window in outputs {
        let slices: Vec<&[f32]> = window.iter().map(Vec::as_slice).collect();
        for (of_target, score) in scores.iter_mut().zip(read_all(measures, &slices)) {
            of_target.push(f64::from(score));
        }
    }
    scores
}

fn range(scores: &[f64]) -> f64 {
    let most = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    most - scores.iter().copied().fold(f64::INFINITY, f64::min)
}

/// Errors as shares of the map's range.
#[derive(Debug, PartialEq)]
struct Errors {
    rmse: f64,
    percentile_95: f64,
    largest: f64,
}

/// A map without range allows no error at all.
fn errors(exact: &[f64], near: &[f64], range: f64) -> Errors {
    let share = |difference: f64| if difference == 0.0 { 0.0 } else { difference.abs() / range };
    let mut all: Vec<f64> = exact.iter().zip(near).map(|(a, b)| share(a - b)).collect();
    all.sort_by(f64::total_cmp);
    let count = all.len().max(1) as f64;
    let at = |quantile: f64| all.get(((count * quantile).ceil() as usize).saturating_sub(1)).copied();
    Errors {
        rmse: (all.iter().map(|e| e * e).sum::<f64>() / count).sqrt(),
        percentile_95: at(0.95).unwrap_or(0.0),
        largest: all.last().copied().unwrap_or(0.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_is_spread_and_large_enough() {
        let sample = |total: usize| super::sample(&(0..total).collect::<Vec<_>>());
        assert_eq!(sample(5), [0, 1, 2, 3, 4]);
        assert_eq!(sample(100).len(), 32);
        let large = sample(1600);
        assert_eq!(sample(6400).len(), 100);
        assert_eq!(super::sample(&[3, 8]), [3, 8]);
        assert!(large.windows(2).all(|pair| pair[0] < pair[1]) && large[31] < 1600);
    }

    #[test]
    fn errors_are_shares_of_the_range() {
        let exact: Vec<f64> = (0..20).map(f64::from).collect();
        let mut near = exact.clone();
        (near[3], near[7]) = (3.0 + 19.0 * 0.1, 7.0 - 19.0 * 0.2);
        let got = errors(&exact, &near, range(&exact));
        assert!((got.rmse - (0.05_f64 / 20.0).sqrt()).abs() < 1e-12);
        assert!((got.percentile_95 - 0.1).abs() < 1e-12 && (got.largest - 0.2).abs() < 1e-12);
        // Where nothing differs in the exact map, nothing may differ at all.
        assert_eq!(errors(&[1.0, 1.0], &[1.0, 1.0], 0.0).rmse, 0.0);
        assert_eq!(errors(&[1.0, 1.0], &[1.0, 1.1], 0.0).rmse, f64::INFINITY);
    }
}
