//! Evaluation of maps: does the model's answer follow them? Places are taken away, or brought back, in the order that a map gives, or at random, and the score is held against what the map says.
//!
//! In: a job, an input, maps of it (the occlusion map itself, or any saliency map as [`Evidence`](crate::Evidence)), [`EvaluateOptions`]. Out: an [`Evaluation`]: the faithfulness measures of the literature by their formulas, each beside what random maps of the same texture get.
//! The formulas are in `measures` and `cells`, random maps in `random_maps`, which inputs are asked about in `questions`. No verdict is given.

mod answers;
mod cells;
mod measures;
mod options;
mod questions;
mod random_maps;
mod run;

use serde::{Deserialize, Serialize};

use crate::map::{FileFact, MapTarget, Work};

pub use options::{EvaluateOptions, Metric};

/// What random maps of the same texture get.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Chance {
    /// Mean over the random maps.
    pub mean: f64,
    /// Standard deviation (n - 1 in the denominator; 0 for one).
    pub deviation: f64,
    /// The value of each random map.
    pub values: Vec<f64>,
    /// How many random maps the map is better than; ties do not count. By chance every number from 0 to all of them is equally likely.
    pub better_than: usize,
}

/// Whether much or little of a measure is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Better {
    /// More is better.
    Higher,
    /// Less is better.
    Lower,
}

/// One measure of one map.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// `deletion`, `insertion`, `average drop`, `average increase`, `average gain`, `sensitivity-n` or `MuFidelity`.
    pub name: String,
    /// Its value; `None` where it has none (the notes say why).
    pub value: Option<f64>,
    /// Which way is good.
    pub better: Better,
    /// What random maps get; `None` where none were asked for or have a value.
    pub random: Option<Chance>,
}

/// A deletion or insertion curve.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Curve {
    /// Share of the places that are changed at each point, 0 to 1: taken away in the order of the map (deletion), or brought back (insertion). All channels of a place together.
    pub share: Vec<f64>,
    /// The target's score at each point, in its unit.
    pub scores: Vec<f64>,
    /// The area under it, RISE's formula, in the unit of the score.
    pub area: f64,
    /// `area / untouched score`; `None` where that is not above 0.
    pub of_untouched: Option<f64>,
    /// The scores of each random map at the same points.
    pub random: Vec<Vec<f64>>,
}

/// Sensitivity-n for one size of sets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AtSize {
    /// Cells in a set: the n.
    pub n: usize,
    /// Different random sets of this size.
    pub sets: usize,
    /// Pearson's correlation between the map's sum over a set and the fall of the score with it taken away, over the sets.
    pub correlation: Measured,
}

/// One map, evaluated.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evaluated {
    /// What it is called.
    pub name: String,
    /// `map` for an occlusion map, `array` for a saliency map from elsewhere.
    pub kind: String,
    /// The target that it is of, where that is known.
    pub target: Option<String>,
    /// What its random maps are, in words.
    pub random_maps: String,
    /// Places that it has a number for.
    pub known: usize,
    /// The measures that were asked for, in the order of [`Metric::ALL`].
    pub measures: Vec<Measured>,
    /// The deletion curve.
    pub deletion: Option<Curve>,
    /// The insertion curve.
    pub insertion: Option<Curve>,
    /// Sensitivity-n by size; `measures` has the mean over the sizes.
    pub sensitivity_n: Vec<AtSize>,
}

/// What an evaluation found, for all maps alike.
#[derive(Clone, Debug, Serialize)]
pub struct Evaluation {
    /// What was measured, with its score on the untouched input.
    pub target: MapTarget,
    /// Lengths of the input's spatial axes: the places.
    pub places: Vec<usize>,
    /// Cells per axis that random sets are made of.
    pub cells: Vec<usize>,
    /// How it was done.
    pub options: EvaluateOptions,
    /// What places are replaced by: deletion, drops and random sets.
    pub deletion_fill: String,
    /// What places are brought back into: insertion.
    pub insertion_fill: String,
    /// The score with every place taken away, where deletion was asked for.
    pub nothing_left: Option<f64>,
    /// The score with no place brought back, where insertion was asked for.
    pub nothing_inserted: Option<f64>,
    /// The maps, in the order that they were given.
    pub maps: Vec<Evaluated>,
    /// Whether all was computed; else measures are missing, or random maps.
    pub complete: bool,
    /// Altered inputs that the model was asked about, of `of`.
    pub asked: usize,
    /// Altered inputs that a complete evaluation asks about.
    pub of: usize,
    /// Multiply-adds of these and of as many full runs, where they are counted.
    pub work: Option<Work>,
    /// Seconds that it took.
    pub secs: f64,
    /// What was chosen, left out or cannot be said, in words.
    pub notes: Vec<String>,
    /// Version of this crate.
    pub version: String,
    /// The model file.
    pub model: FileFact,
    /// The input file.
    pub input: FileFact,
    /// What ran the model.
    pub runtime: String,
    /// Every setting as it was used.
    pub arguments: Vec<(String, String)>,
}
