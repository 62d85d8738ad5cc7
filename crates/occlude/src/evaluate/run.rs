//! The run of an evaluation, from maps to what was found.
//!
//! In: a job, an input, maps, options. Out: an [`Evaluation`]. Which altered inputs the model is asked about is in `questions`, the measures that its answers make in `answers`.

use std::time::Instant;

use super::options::hangs_on_window;
use super::questions::Run;
use super::random_maps::Candidate;
use super::{EvaluateOptions, Evaluation, Metric};
use crate::compare::Evidence;
use crate::error::Result;
use crate::input::Input;
use crate::job::{Job, Watch};
use crate::map::Work;
use crate::occlusion::Fill;

impl Job<'_> {
    /// Evaluates maps of this input; without any the occlusion map that the settings give, which is made first. See [`Occlusion::evaluate`](crate::Occlusion::evaluate). `None` if it was stopped before that map was complete; stopped later, measures or random maps are missing.
    ///
    /// # Errors
    /// Argument: several targets, a map that does not fit the input, and what [`Job::run`] says. Number: NaN or infinity out of the model.
    pub fn evaluate(
        &self,
        input: &Input,
        maps: &[Evidence],
        options: &EvaluateOptions,
        watch: &mut Watch<'_>,
    ) -> Result<Option<Evaluation>> {
        let started = Instant::now();
        let places = input.spec.spatial();
        let mut notes = Vec::new();
        let away = match (&options.deletion_fill, self.settings.fill_for(&input.spec)) {
            (Some(fill), _) => fill.clone(),
            (None, fill) if hangs_on_window(&fill) => {
                notes.push(format!("the fill {fill} hangs on the window: places are replaced by the mean (deletion-fill chooses another)"));
                Fill::Mean
            }
            (None, fill) => fill,
        };
        // What does not fit is said before anything long is run.
        let given = maps.iter().map(|map| Candidate::new(map, &places)).collect::<Result<Vec<_>>>()?;
        let altered = self.altered(input, &away, &options.insertion_fill)?;
        let mut sides: Vec<(Evidence, Candidate)> = maps.iter().cloned().zip(given).collect();
        if sides.is_empty() {
            let map = self.run(input, watch)?;
            if !map.is_complete() {
                return Ok(None);
            }
            let evidence = Evidence::of_map(&map, 0, "this map")?;
            let candidate = Candidate::new(&evidence, &places)?;
            notes.extend(map.notes.iter().filter(|note| !altered.notes.contains(note)).cloned());
            sides.push((evidence, candidate));
        }
        notes.extend(altered.notes.iter().filter(|note| !input.notes.contains(note)).cloned());
        let before = self.scorer.multiply_adds().map_or(0, |counted| counted.done);
        let mut run = Run::new(self, &altered, &sides, places.clone(), options, watch);
        let nothing_away = run.questions()?;
        let maps = sides.iter().enumerate().map(|(number, side)| run.evaluated(number, side)).collect();
        let asked = run.so_far.done;
        let (of, complete) = (run.so_far.total, asked == run.so_far.total);
        notes.extend(sides.iter().flat_map(|side| said_of(side, &altered.target.label)));
        notes.extend(run.notes());
        let work = self.scorer.multiply_adds().map(|counted| Work {
            multiply_adds: counted.done - before,
            multiply_adds_in_full: counted.full_run * asked as u64,
        });
        Ok(Some(Evaluation {
            places,
            cells: run.grid.shape.clone(),
            options: options.clone(),
            deletion_fill: away.to_string(),
            insertion_fill: options.insertion_fill.to_string(),
            nothing_left: nothing_away,
            nothing_inserted: options.asks(Metric::Insertion).then_some(altered.nothing),
            maps,
            complete,
            asked,
            of,
            work,
            secs: started.elapsed().as_secs_f64(),
            notes,
            version: env!("CARGO_PKG_VERSION").to_string(),
            model: self.model_file.clone(),
            input: input.file.clone(),
            runtime: self.scorer.runtime(),
            arguments: altered.arguments,
            target: altered.target,
        }))
    }
}

/// What was done to a map, and what it lacks.
fn said_of((evidence, candidate): &(Evidence, Candidate), label: &str) -> Vec<String> {
    let mut notes = candidate.notes.clone();
    let unknown = candidate.values.iter().filter(|v| v.is_nan()).count();
    if unknown > 0 {
        notes.push(format!(
            "{}: {unknown} of {} places are not known: they come last in the ranking and count as 0 in sums",
            evidence.name,
            candidate.values.len()
        ));
    }
    // Numbers of files may be called `target 0`.
    let is_other = |target: &&String| *target != label && !target.starts_with("target ");
    if let Some(other) = evidence.target.as_ref().filter(is_other) {
        notes.push(format!("{} is a map of {other}, evaluated for {label}", evidence.name));
    }
    notes
}
