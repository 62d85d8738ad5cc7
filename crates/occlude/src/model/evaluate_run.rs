//! Evaluating maps of one input: does the model's answer follow them?
//!
//! In: the settings of a run, an input, maps of it. Out: an [`Evaluation`]. How it comes about is in `evaluate`.

use super::Occlusion;
use crate::compare::Evidence;
use crate::error::{Error, Result};
use crate::evaluate::{EvaluateOptions, Evaluation};
use crate::input::Input;
use crate::job::Watch;

impl Occlusion<'_> {
    /// Evaluates maps of this input for one target: deletion and insertion curves, average drop, sensitivity-n and MuFidelity, each beside what random maps of the same texture get. Without a map, the occlusion map that these settings give is evaluated.
    /// Any saliency map can be one: [`Evidence::of_map`], [`Evidence::of_array`], [`Evidence::read`].
    ///
    /// ```no_run
    /// # use occlude::{EvaluateOptions, Evidence};
    /// # let model = occlude::Model::open("model.onnx")?;
    /// # let input = model.read_input("cat.jpg")?;
    /// let cam = Evidence::read("gradcam.npy".as_ref(), None)?;
    /// let found = model.occlusion().evaluate(&input, &[cam], &EvaluateOptions::default())?;
    /// for measure in &found.maps[0].measures {
    ///     println!("{} {:?} {:?}", measure.name, measure.value, measure.random.as_ref().map(|r| r.mean));
    /// }
    /// # Ok::<(), occlude::Error>(())
    /// ```
    ///
    /// # Errors
    /// See [`Job::evaluate`](crate::Job::evaluate).
    pub fn evaluate(
        &self,
        input: &Input,
        maps: &[Evidence],
        options: &EvaluateOptions,
    ) -> Result<Evaluation> {
        let found = self.evaluate_watched(input, maps, options, &mut Watch::default())?;
        found.ok_or_else(|| Error::model("the model returned nothing for a window"))
    }

    /// Evaluates under a watch: progress, and a flag that stops it. `None` if it was stopped before the map was complete; stopped later, measures or random maps are missing and the evaluation says so.
    ///
    /// # Errors
    /// See [`Job::evaluate`](crate::Job::evaluate).
    pub fn evaluate_watched(
        &self,
        input: &Input,
        maps: &[Evidence],
        options: &EvaluateOptions,
        watch: &mut Watch<'_>,
    ) -> Result<Option<Evaluation>> {
        self.job(input, |job, input, notes| {
            let mut found = job.evaluate(input, maps, options, watch)?;
            if let Some(found) = &mut found {
                found.notes.extend(notes);
            }
            Ok(found)
        })
    }
}
