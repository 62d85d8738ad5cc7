//! The flags that a verdict hangs on, for `judge` and `audit`.
//!
//! In: numbers as they were given. Out: [`JudgeOptions`].

use clap::Args;
use occlude::{JudgeOptions, Result};

/// What the verdict hangs on.
#[derive(Args, Debug)]
#[command(next_help_heading = "The verdict")]
pub(crate) struct VerdictFlags {
    /// Regions of the object's form elsewhere that are hidden too, to know what size alone does [default: 8]
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    elsewhere: Option<f64>,
    /// Tolerance of the pointing game in elements of the input [default: 15]
    #[arg(long, value_name = "ELEMENTS", allow_hyphen_values = true)]
    tolerance: Option<f64>,
    /// The verdict is object from this share of the object on [default: 0.75]
    #[arg(long, value_name = "SHARE", allow_hyphen_values = true)]
    object_from: Option<f64>,
    /// The verdict is surroundings up to this share of the object [default: 0.25]
    #[arg(long, value_name = "SHARE", allow_hyphen_values = true)]
    surroundings_to: Option<f64>,
    /// What the score must gain over the input with everything hidden [default: 0.05]
    #[arg(long, value_name = "GAIN", allow_hyphen_values = true)]
    least_gain: Option<f64>,
    /// The probability that a class must have to be judged, unless it is the most probable one [default: 0.1]
    #[arg(long, value_name = "P", allow_hyphen_values = true)]
    least_probability: Option<f64>,
    /// By how much the object's share must exceed that of regions elsewhere [default: 0.05]
    #[arg(long, value_name = "SHARE", allow_hyphen_values = true)]
    beyond_chance: Option<f64>,
}

impl VerdictFlags {
    pub(crate) fn options(&self) -> Result<JudgeOptions> {
        let mut options = JudgeOptions::default();
        let given = [
            ("elsewhere", self.elsewhere),
            ("tolerance", self.tolerance),
            ("object-from", self.object_from),
            ("surroundings-to", self.surroundings_to),
            ("least-gain", self.least_gain),
            ("least-probability", self.least_probability),
            ("beyond-chance", self.beyond_chance),
        ];
        for (name, value) in given {
            value.map_or(Ok(()), |value| options.set(name, value))?;
        }
        options.thresholds.check()?;
        Ok(options)
    }
}
