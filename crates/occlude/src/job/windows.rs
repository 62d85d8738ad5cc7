//! Scoring the windows of a run: coarse to fine, in turns with other runs, each entered into the map as it comes.
//!
//! In: an occluder, what is measured, the map that has no window yet. Out: the same map with the windows that were scored. Windows that hide the same elements are run
//! once, those that hide nothing, or only what is the fill already, not at all. Which samples of noise there are, and what is checked afterwards, is not here.

use std::ops::ControlFlow;
use std::time::Instant;

use super::{Job, Watch, infinite_score, not_finite};
use crate::error::{Error, Result};
use crate::map::Map;
use crate::occlusion::Occluder;
use crate::score::argmax;
use crate::target::{Measure, read_all};

/// How far a run is, and since when.
pub(super) struct Clock {
    /// The first window was begun.
    pub(super) begun: Instant,
    /// The run was.
    pub(super) started: Instant,
    pub(super) done: usize,
    pub(super) total: usize,
}

impl Clock {
    fn report(&self, watch: &mut Watch<'_>) {
        watch.tell_progress(self.done, self.total, self.begun);
    }
}

/// The windows of a run while they are scored.
struct Scoring<'a, 'j> {
    job: &'a Job<'j>,
    measures: &'a [Measure],
    map: &'a mut Map,
    clock: &'a mut Clock,
    /// Per window that is run, the windows that hide the same elements, itself included.
    followers: Vec<Vec<usize>>,
    is_scored: Vec<bool>,
    failure: Option<Error>,
    is_turn_over: bool,
}

impl Scoring<'_, '_> {
    /// Enters a window that was run; `Break` where no further group is to be begun.
    fn enter(&mut self, window: usize, outputs: &[&[f32]], watch: &mut Watch<'_>) -> ControlFlow<()> {
        self.is_scored[window] = true;
        for &follower in &self.followers[window] {
            // The rest of a group that is computed comes also after a break, and is kept.
            if let Err(error) = self.job.take(follower, outputs, self.measures, self.map) {
                self.failure.get_or_insert(error);
                return ControlFlow::Break(());
            }
            self.clock.done += 1;
        }
        let first = &mut self.map.provenance.timings.first_window_secs;
        if *first == 0.0 {
            *first = self.clock.started.elapsed().as_secs_f64();
        }
        watch.tell_windows(self.map, &self.followers[window]);
        self.clock.report(watch);
        self.is_turn_over |= watch.is_turn_over();
        if self.failure.is_some() || self.is_turn_over || watch.is_cancelled() {
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    }
}

impl Job<'_> {
    /// Scores every window.
    #[allow(clippy::too_many_arguments, reason = "all of a run in progress")]
    pub(super) fn score(
        &self,
        occluder: &Occluder,
        measures: &[Measure],
        untouched: &[&[f32]],
        known: Vec<(usize, Vec<Vec<f32>>)>,
        map: &mut Map,
        watch: &mut Watch<'_>,
        clock: &mut Clock,
    ) -> Result<()> {
        clock.report(watch);
        let mut followers: Vec<Vec<usize>> = vec![Vec::new(); map.windows.len()];
        let mut hides_nothing = Vec::new();
        for (window, same) in map.windows.representatives().into_iter().enumerate() {
            match same {
                None => hides_nothing.push(window),
                Some(first) if occluder.changes_nothing(first) => hides_nothing.push(window),
                Some(first) => followers[first].push(window),
            }
        }
        for &window in &hides_nothing {
            self.take(window, untouched, measures, map)?;
            clock.done += 1;
        }
        watch.tell_windows(map, &hides_nothing);
        let drop_below = map.approximation.as_ref().map_or(0.0, |a| a.drop_below);
        let mut order = map.windows.coarse_to_fine();
        order.retain(|&window| !followers[window].is_empty());
        let is_scored = vec![false; followers.len()];
        let mut scoring = Scoring {
            job: self,
            measures,
            map,
            clock,
            followers,
            is_scored,
            failure: None,
            is_turn_over: false,
        };
        // What is known from the measurement of an approximate map's error is not computed again.
        for (window, outputs) in &known {
            let slices: Vec<&[f32]> = outputs.iter().map(Vec::as_slice).collect();
            let _ = scoring.enter(*window, &slices, watch);
        }
        order.retain(|&window| !scoring.is_scored[window]);
        loop {
            let mut sink = |window: usize, outputs: &[&[f32]]| scoring.enter(window, outputs, watch);
            let result = self.scorer.score_approximately(occluder, &order, drop_below, &mut sink);
            match scoring.failure.take() {
                Some(error) => return Err(error),
                None => result?,
            }
            order.retain(|&window| !scoring.is_scored[window]);
            let passes = std::mem::take(&mut scoring.is_turn_over) && !order.is_empty();
            if !passes || watch.is_cancelled() {
                return Ok(());
            }
            watch.pass_turn();
        }
    }

    /// Enters one window into the map.
    pub(super) fn take(
        &self,
        window: usize,
        outputs: &[&[f32]],
        measures: &[Measure],
        map: &mut Map,
    ) -> Result<()> {
        if let Some((output, at)) = not_finite(outputs) {
            let name = map.windows.describe(window);
            return Err(Error::number(format!(
                "the model returned {} (element {at} of its output {output}) with {name} hidden",
                outputs[output][at]
            ))
            .with_hint("the model is not finite for this fill; another fill keeps the input nearer to what it was trained on"));
        }
        let count = map.windows.len();
        let scores = read_all(measures, outputs);
        if let Some(place) = scores.iter().position(|s| !s.is_finite()) {
            return Err(infinite_score(&measures[place], scores[place], &map.windows.describe(window)));
        }
        for (target, score) in scores.into_iter().enumerate() {
            map.scores[target * count + window] = score;
            map.sensitivity[target * count + window] = map.targets[target].baseline - score;
        }
        if let (Some(most_probable), Some(output)) = (&mut map.most_probable, self.meaning.class_output) {
            most_probable.windows[window] = argmax(outputs[output]) as i32;
        }
        map.computed += 1;
        Ok(())
    }
}
