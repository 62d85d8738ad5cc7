//! Judging a model on one input: does it read the object, or what is around it?
//!
//! In: the settings of a run, an input, the object. Out: [`Findings`]. How they come about is in `judge`.

use super::Occlusion;
use crate::error::{Error, Result};
use crate::input::Input;
use crate::job::{Outlook, Watch};
use crate::judge::{Findings, JudgeOptions, Object};

impl Occlusion<'_> {
    /// What the model says to the untouched input.
    ///
    /// # Errors
    /// What a run says before its first window.
    pub(crate) fn outlook(&self, input: &Input) -> Result<Outlook> {
        self.job(input, |job, input, _| job.outlook(input))
    }

    /// Judges the model on this input: makes the map, asks the model with the object hidden, with everything else hidden and with everything hidden (and the same for regions of the object's form
    /// elsewhere), and says for every target whether its score comes from the object, from the surroundings, or from both. Which thresholds that hangs on is in [`Thresholds`](crate::Thresholds).
    ///
    /// ```no_run
    /// # use occlude::{JudgeOptions, Object, Verdict};
    /// # let model = occlude::Model::open("model.onnx")?;
    /// # let input = model.read_input("cat.jpg")?;
    /// // Rows 20 to 180 and columns 40 to 200 of cat.jpg.
    /// let cat = Object::SourceBoxes(vec![vec![20.0..180.0, 40.0..200.0]]);
    /// let found = model.occlusion().window(32).judge(&input, &cat, &JudgeOptions::default())?;
    /// if found.targets[0].verdict == Verdict::Surroundings {
    ///     println!("{}", found.targets[0].sentence);
    /// }
    /// # Ok::<(), occlude::Error>(())
    /// ```
    ///
    /// # Errors
    /// See [`Job::judge`](crate::Job::judge).
    pub fn judge(&self, input: &Input, object: &Object, options: &JudgeOptions) -> Result<Findings> {
        let found = self.judge_watched(input, object, options, &mut Watch::default())?;
        found.ok_or_else(|| Error::model("the model returned nothing for an example"))
    }

    /// Judges under a watch: progress of the map, and a flag that stops it. `None` if it was stopped before the direct test had come to its end; stopped later, the map is incomplete.
    ///
    /// # Errors
    /// See [`Job::judge`](crate::Job::judge).
    pub fn judge_watched(
        &self,
        input: &Input,
        object: &Object,
        options: &JudgeOptions,
        watch: &mut Watch<'_>,
    ) -> Result<Option<Findings>> {
        self.job(input, |job, input, notes| {
            let mut found = job.judge(input, object, options, watch)?;
            if let Some(found) = &mut found {
                found.map.notes.extend(notes);
            }
            Ok(found)
        })
    }
}
