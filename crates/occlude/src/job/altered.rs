//! Altered inputs: what one target scores when places of the input, or a part of each, are replaced, or brought back into an input of which nothing was left.
//!
//! In: a [`Job`], an input, the fill that takes places away and the one that they are brought back into. Out: a score per altered input, asked for in sets of any number. Nothing is known here of what is measured with them. No map is made, and nothing is
//! checked by a second run.

use std::ops::ControlFlow;
use std::time::Instant;

use super::{Job, Watch, check_baseline, hide, infinite_score, not_finite};
use crate::error::{Error, Result};
use crate::input::Input;
use crate::map::MapTarget;
use crate::occlusion::{Fill, Occluder, Region, Regions, Shape, Windows};
use crate::settings::Settings;
use crate::target::{Measure, read_all};

/// What an altered input is made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Start {
    /// The input; places are taken away.
    Input,
    /// The input with everything replaced; places are brought back.
    Nothing,
}

/// How far all questions are, for whoever watches.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SoFar {
    /// Altered inputs that are answered.
    pub(crate) done: usize,
    /// Altered inputs in all.
    pub(crate) total: usize,
    /// When the first one was asked about.
    pub(crate) begun: Instant,
}

impl SoFar {
    fn tell(&self, watch: &mut Watch<'_>) {
        watch.tell_progress(self.done.min(self.total), self.total, self.begun);
    }
}

/// A model ready to be asked about altered inputs.
pub(crate) struct Altered<'j, 'a> {
    job: &'j Job<'a>,
    measure: Measure,
    from_input: Occluder,
    from_nothing: Occluder,
    /// What is measured, with its score on the untouched input.
    pub(crate) target: MapTarget,
    /// The score of the input with everything replaced by the second fill.
    pub(crate) nothing: f64,
    /// What was chosen silently, in words.
    pub(crate) notes: Vec<String>,
    /// Settings as they were used, as in a map's provenance.
    pub(crate) arguments: Vec<(String, String)>,
}

impl Job<'_> {
    /// Makes the model ready: `away` is written where places are taken away, `back` is what they are brought back into. Blur is as wide as the settings' windows make it.
    ///
    /// # Errors
    /// Argument: more than one target, a fill that hangs on the window, and what [`Job::run`] says. Number: NaN or infinity out of the model.
    pub(crate) fn altered(&self, input: &Input, away: &Fill, back: &Fill) -> Result<Altered<'_, '_>> {
        let laid = Job::windows(self.settings, input)?;
        let occluder = |fill: &Fill| {
            let settings = Settings { fill: Some(fill.clone()), shape: Shape::Box, ..self.settings.clone() };
            let (inputs, seed) = (self.scorer.inputs(), settings.seed);
            hide::occluder_of(laid.clone(), &laid, &settings, inputs, input, seed, self.read_image)
        };
        let from_input = occluder(away)?;
        let hangs_on_window = |fill: &Fill| {
            Error::argument(format!(
                "the fill {fill} hangs on the window: it says nothing of places here and there"
            ))
            .with_hint(
                "a fill of its own for every place is needed: mean, zero, blur, noise, numbers, image:FILE",
            )
        };
        from_input.turned().ok_or_else(|| hangs_on_window(away))?;
        let from_nothing = occluder(back)?.turned().ok_or_else(|| hangs_on_window(back))?;
        let untouched = self.scorer.untouched(&from_input.untouched())?;
        check_baseline(&untouched)?;
        let mut map = self.empty_map(input, &from_input, &untouched)?;
        let mut measures = self.measures(&untouched, &mut map)?;
        self.describe_targets(&measures, &untouched, &mut map)?;
        let (Some(measure), Some(target), true) = (measures.pop(), map.targets.pop(), measures.is_empty())
        else {
            let count = self.settings.target.to_string();
            return Err(Error::argument(format!(
                "the target {count} is several, expected one: a map is evaluated for one target"
            ))
            .with_hint("--target top1, or a class"));
        };
        let hidden = self.scorer.baseline(&from_nothing.untouched())?;
        let nothing = score_of(&measure, &hidden.slices(), "everything")?;
        Ok(Altered {
            job: self,
            measure,
            from_input,
            from_nothing,
            target,
            nothing,
            notes: map.notes,
            arguments: map.provenance.arguments,
        })
    }
}

impl Altered<'_, '_> {
    /// The score of each altered input; `regions` says how much of each place is taken away or brought back, `None` for nothing. What a stop left out is `None` in the result.
    ///
    /// # Errors
    /// Number: NaN or infinity out of the model. And what the scorer says.
    pub(crate) fn scores(
        &self,
        start: Start,
        regions: Vec<Option<Region>>,
        watch: &mut Watch<'_>,
        so_far: &mut SoFar,
    ) -> Result<Vec<Option<f64>>> {
        let (from, unaltered) = match start {
            Start::Input => (&self.from_input, f64::from(self.target.baseline)),
            Start::Nothing => (&self.from_nothing, self.nothing),
        };
        let mut scores: Vec<Option<f64>> =
            regions.iter().map(|region| region.is_none().then_some(unaltered)).collect();
        let places: Vec<usize> = (0..regions.len()).filter(|&at| regions[at].is_some()).collect();
        so_far.done += regions.len() - places.len();
        so_far.tell(watch);
        let parts: Vec<Region> = regions.into_iter().flatten().collect();
        if parts.is_empty() || watch.is_cancelled() {
            return Ok(scores);
        }
        let counts: Vec<usize> = parts.iter().map(|part| part.count).collect();
        let occluder = from.with_windows(Windows::Regions(Regions::of_parts(parts, from.lead())));
        let all: Vec<usize> = (0..counts.len()).collect();
        let mut failure = None;
        let mut sink = |part: usize, outputs: &[&[f32]]| {
            let what = format!("{} places", counts[part]);
            match score_of(&self.measure, outputs, &what) {
                Ok(score) => scores[places[part]] = Some(score),
                Err(error) => {
                    failure.get_or_insert(error);
                    return ControlFlow::Break(());
                }
            }
            so_far.done += 1;
            so_far.tell(watch);
            if watch.is_cancelled() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let result = self.job.scorer.score_any_size(&occluder, &all, &mut sink);
        match failure {
            Some(error) => Err(error),
            None => result.map(|()| scores),
        }
    }
}

fn score_of(measure: &Measure, outputs: &[&[f32]], what: &str) -> Result<f64> {
    if let Some((output, at)) = not_finite(outputs) {
        return Err(Error::number(format!(
            "the model returned {} (element {at} of its output {output}) with {what} of the input replaced",
            outputs[output][at]
        ))
        .with_hint("the model is not finite for this fill; another fill keeps the input nearer to what it was trained on"));
    }
    let score = read_all(std::slice::from_ref(measure), outputs)[0];
    if !score.is_finite() {
        return Err(infinite_score(measure, score, &format!("{what} of the input replaced")));
    }
    Ok(f64::from(score))
}
