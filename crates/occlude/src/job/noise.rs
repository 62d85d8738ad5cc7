//! Several noise fills: every window's scores averaged over them, with their spread.
//!
//! In: the map of the first sample, and how to make the others. Out: the same map with means, standard deviations, and the class that was most often the most probable one. A run that is
//! stopped keeps the samples that were finished.

use super::{Clock, Job, Watch};
use crate::error::Result;
use crate::input::Input;
use crate::map::Map;
use crate::target::Measure;

impl Job<'_> {
    /// Runs the samples after the first and joins them.
    pub(super) fn more_samples(
        &self,
        input: &Input,
        (empty, untouched): (&Map, &[&[f32]]),
        measures: &[Measure],
        map: &mut Map,
        watch: &mut Watch<'_>,
        clock: &mut Clock,
    ) -> Result<()> {
        let wanted = self.settings.samples;
        if wanted < 2 || !map.is_complete() {
            return Ok(());
        }
        let mut samples = vec![(map.scores.clone(), map.most_probable.as_ref().map(|m| m.windows.clone()))];
        let mut result = Ok(());
        // A map of one sample is nobody's map: what grows from here on are means.
        let growing = watch.growing.take();
        for sample in 1..wanted {
            if watch.is_cancelled() {
                break;
            }
            let mut one = empty.clone();
            result = self.occluder(input, sample as u64).and_then(|occluder| {
                self.score(&occluder, measures, untouched, Vec::new(), &mut one, watch, clock)
            });
            if result.is_err() || !one.is_complete() {
                break;
            }
            samples.push((one.scores, one.most_probable.map(|m| m.windows)));
        }
        watch.growing = growing;
        if samples.len() < wanted {
            map.notes.push(format!("noise: {} of {wanted} samples were finished", samples.len()));
        }
        join(map, &samples);
        result
    }
}

/// Scores `[T, windows]` of a sample, and the most probable class per window.
type Sample = (Vec<f32>, Option<Vec<i32>>);

fn join(map: &mut Map, samples: &[Sample]) {
    let count = samples.len() as f64;
    let mut spread = vec![f32::NAN; map.scores.len()];
    let windows = map.windows.len();
    for at in 0..map.scores.len() {
        let scores = || samples.iter().map(|(scores, _)| f64::from(scores[at]));
        let mean = scores().sum::<f64>() / count;
        let variance = scores().map(|score| (score - mean).powi(2)).sum::<f64>() / count;
        spread[at] = variance.sqrt() as f32;
        map.scores[at] = mean as f32;
        map.sensitivity[at] = (f64::from(map.targets[at / windows].baseline) - mean) as f32;
    }
    map.noise_spread = Some(spread);
    if let Some(most_probable) = &mut map.most_probable {
        for (window, class) in most_probable.windows.iter_mut().enumerate() {
            let classes: Vec<i32> =
                samples.iter().filter_map(|(_, said)| said.as_ref().map(|said| said[window])).collect();
            // The first of those that were said most often.
            let times = |class: i32| classes.iter().filter(|&&c| c == class).count();
            let most = classes.iter().fold(*class, |best, &c| if times(c) > times(best) { c } else { best });
            *class = most;
        }
    }
}
