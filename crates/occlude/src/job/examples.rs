//! Examples beside the map: what the model says with each of some sets of places hidden, by the same scorer, fill and targets.
//!
//! In: a [`Job`], an input, sets of places (they may overlap). Out: [`Examples`]. Noise fills are averaged as in a map. No map is made, and nothing is checked by a second run.

use std::ops::ControlFlow;

use super::probe::{ClassValue, likeliest};
use super::{Job, Watch, check_baseline, hide, infinite_score, not_finite};
use crate::error::{Error, Result};
use crate::input::Input;
use crate::map::MapTarget;
use crate::occlusion::{Regions, Windows};
use crate::score::Readout;
use crate::target::read_all;

/// What a model says to an input, and to copies of it of which a part is hidden.
#[derive(Clone, Debug)]
pub(crate) struct Examples {
    /// What is measured, with the scores of the untouched input.
    pub(crate) targets: Vec<MapTarget>,
    /// Per target that is a class, its probability on the untouched input.
    pub(crate) probabilities: Vec<Option<f32>>,
    /// Classes exclude each other.
    pub(crate) is_exclusive: bool,
    /// The most probable class of the untouched input; `None` for models without one vector of classes.
    pub(crate) most_probable: Option<ClassValue>,
    /// Per set of places, what the model says with it hidden.
    pub(crate) hidden: Vec<Hidden>,
}

/// What a model says with some places hidden.
#[derive(Clone, Debug, Default)]
pub(crate) struct Hidden {
    /// Score of each target, the mean over noise samples.
    pub(crate) scores: Vec<f64>,
    /// The most probable class, of the first noise sample.
    pub(crate) most_probable: Option<ClassValue>,
}

impl Job<'_> {
    /// Hides each of the sets (of places of the input's spatial axes, row-major) and asks the model; `None` if the run was stopped.
    ///
    /// # Errors
    /// Argument: a set without places, inpainting of everything, and what [`Job::run`] says. Number: NaN or infinity out of the model.
    pub(crate) fn examples(
        &self,
        input: &Input,
        sets: &[Vec<bool>],
        watch: &Watch<'_>,
    ) -> Result<Option<Examples>> {
        self.check_samples(input)?;
        let occluder = self.occluder(input, 0)?;
        let baseline = self.scorer.untouched(&occluder.untouched())?;
        check_baseline(&baseline)?;
        let mut map = self.empty_map(input, &occluder, &baseline)?;
        let measures = self.measures(&baseline, &mut map)?;
        self.describe_targets(&measures, &baseline, &mut map)?;
        let readout = self.probability(&baseline.values);
        let likely = |outputs: &[&[f32]]| match (self.meaning.class_output, readout) {
            (Some(output), Some(readout)) => likeliest(readout, outputs[output], 1).pop(),
            _ => None,
        };
        let probability = |target: &MapTarget| {
            let (output, readout) = (self.meaning.class_output?, readout?);
            Some(readout.score(&baseline.values[output], target.class?))
        };
        let mut found = Examples {
            probabilities: map.targets.iter().map(probability).collect(),
            is_exclusive: readout.is_some_and(|readout| is_exclusive(&readout)),
            most_probable: likely(&baseline.slices()),
            targets: map.targets,
            hidden: vec![Hidden { scores: vec![0.0; measures.len()], ..Hidden::default() }; sets.len()],
        };
        let run = Job::windows(self.settings, input)?;
        let windows = Windows::Regions(Regions::of_sets(sets, &input.spec)?);
        let all: Vec<usize> = (0..sets.len()).collect();
        let samples = self.settings.samples;
        for sample in 0..samples {
            let seed = self.settings.seed.wrapping_add(sample as u64);
            let inputs = self.scorer.inputs();
            let occluder = hide::occluder_of(
                windows.clone(),
                &run,
                self.settings,
                inputs,
                input,
                seed,
                self.read_image,
            )?;
            let (mut done, mut failure) = (0, None);
            let mut take = |example: usize, outputs: &[&[f32]]| -> Result<()> {
                let place = || format!("{} places of the input", parts(&windows, example));
                if let Some((output, at)) = not_finite(outputs) {
                    let value = outputs[output][at];
                    return Err(Error::number(format!(
                        "the model returned {value} (element {at} of its output {output}) with {} hidden",
                        place()
                    ))
                    .with_hint("the model is not finite for this fill; another fill keeps the input nearer to what it was trained on"));
                }
                let scores = read_all(&measures, outputs);
                if let Some(at) = scores.iter().position(|score| !score.is_finite()) {
                    return Err(infinite_score(&measures[at], scores[at], &place()));
                }
                let hidden = &mut found.hidden[example];
                for (sum, score) in hidden.scores.iter_mut().zip(scores) {
                    *sum += f64::from(score) / samples as f64;
                }
                if sample == 0 {
                    hidden.most_probable = likely(outputs);
                }
                done += 1;
                Ok(())
            };
            self.scorer.score(&occluder, &all, &mut |example, outputs| {
                if let Err(error) = take(example, outputs) {
                    failure.get_or_insert(error);
                    return ControlFlow::Break(());
                }
                if watch.is_cancelled() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            })?;
            match failure {
                Some(error) => return Err(error),
                None if done < sets.len() => return Ok(None),
                None => {}
            }
        }
        Ok(Some(found))
    }
}

/// Whether the probabilities of classes sum to one.
fn is_exclusive(readout: &Readout) -> bool {
    !readout.multi_label && readout.activation != crate::score::Activation::Sigmoid
}

/// How many places an example hides.
fn parts(windows: &Windows, example: usize) -> usize {
    match windows {
        Windows::Regions(regions) => regions.parts[example].count,
        _ => 0,
    }
}
