//! The map: what a run found, with everything that is needed to read it (grid, unit, coverage, provenance).
//!
//! In: scores per window. Out: sensitivities per window, the attribution spread to input elements, the top windows, summary numbers, and the map as a named definition wants it (`view`). The
//! map's own values are never normalised, smoothed or made absolute; a window that was not computed is NaN. Writing it to files is not here (`output`).

mod aggregate;
mod attribution;
mod bytes;
pub(crate) mod definition;
mod top;
mod upsample;
mod view;

use std::borrow::Cow;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::input::Geometry;
use crate::model_folder::Labels;
use crate::occlusion::{AxisRole, Shape, Unchanged, Windows};
use crate::score::ScoreKind;
use crate::tensor::TensorSpec;

pub use attribution::Attribution;
pub use definition::{Aggregate, Definition, Normalize, Uncovered, Upsample, Value};
pub use top::{Direction, TopWindow};
pub use view::{Cells, View};

/// One thing that was measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MapTarget {
    /// For people: `espresso`, `class 967`, `layer3 channel 12 sum`.
    pub label: String,
    /// Class index, for a class.
    pub class: Option<usize>,
    /// The target as it can be asked for again: `967`, `node:relu5:strongest-sum`.
    pub spec: String,
    /// Score on the untouched input, in `unit`.
    pub baseline: f32,
    /// Unit of baseline, scores and sensitivities: `probability`, `logit`, `log-odds`, `logit margin`, `output`, `activation`, `IoU x score`.
    pub unit: String,
}

/// The class with the greatest output, per window.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MostProbable {
    /// On the untouched input.
    pub baseline: usize,
    /// `[windows]`; -1 where a window was not computed.
    pub windows: Vec<i32>,
}

/// A few windows that were recomputed by an independent full run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Check {
    /// Flat indices of the windows recomputed.
    pub windows: Vec<usize>,
    /// Largest difference of a target's score.
    pub max_abs_diff: f64,
    /// What was allowed: 1e-4 of the map's range or 1e-5 of the largest |score|, whichever is larger.
    pub tolerance: f64,
}

/// How near an approximate map is to the exact one, measured on windows that were computed both ways. Errors are shares of the exact map's range; of several targets the
/// worst counts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Approximation {
    /// The error (RMSE) that was allowed.
    pub wanted: f64,
    /// Changes inside the network shorter than this share of what is usual there were dropped; 0: nothing was, the map is exact.
    pub drop_below: f32,
    /// Flat indices of the windows computed both ways.
    pub windows: Vec<usize>,
    /// Root of the mean squared error.
    pub rmse: f64,
    /// 95 of 100 errors are at most this.
    pub percentile_95: f64,
    /// The largest error.
    pub largest: f64,
}

/// What an incremental run computed again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Work {
    /// Multiply-adds done for all windows.
    pub multiply_adds: u64,
    /// Multiply-adds of as many full runs.
    pub multiply_adds_in_full: u64,
}

impl Work {
    /// Share of the work that was saved, 0 to 1.
    pub fn saved(&self) -> f64 {
        if self.multiply_adds_in_full == 0 {
            return 0.0;
        }
        1.0 - self.multiply_adds as f64 / self.multiply_adds_in_full as f64
    }
}

/// A file that went into the map.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileFact {
    /// File name without folder.
    pub name: String,
    /// SHA-256 of its bytes, hexadecimal; empty for what never was a file.
    pub sha256: String,
}

/// Wall-clock seconds of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Timings {
    /// Reading the model and preparing to run it.
    pub load_secs: f64,
    /// The untouched input.
    pub baseline_secs: f64,
    /// From the start of the run to the first window scored.
    pub first_window_secs: f64,
    /// All windows.
    pub windows_secs: f64,
    /// Recomputing the windows of the self-check.
    pub check_secs: f64,
}

/// How the map was made.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Provenance {
    /// Version of this crate.
    pub version: String,
    /// The model file.
    pub model: FileFact,
    /// The input file.
    pub input: FileFact,
    /// What ran the model, for example `builtin, full, avx2` or `onnxruntime 1.24`.
    pub runtime: String,
    /// Every setting as it was used, name and value, in the order of the settings table.
    pub arguments: Vec<(String, String)>,
    /// A command line that makes the same map, where a front knows one.
    pub command: Option<String>,
    /// What it took.
    pub timings: Timings,
}

/// The result of a run. Arrays are row-major `f32`; `T` is the number of targets, `[windows...]` is [`Windows::shape`]: the shape of the grid, where windows lie on one.
///
/// Its serde form is that of [`Map::to_bytes`], for this crate alone; JSON for other programs is written by [`output::json`](crate::output::json).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Map {
    /// What the model's input is.
    pub input: TensorSpec,
    /// What was hidden.
    pub windows: Windows,
    /// What was hidden of each box.
    pub shape: Shape,
    /// How the map is to be read: [`Map::view`].
    pub definition: Definition,
    /// What was measured of the classes.
    pub score: ScoreKind,
    /// What was measured, `T` of them.
    pub targets: Vec<MapTarget>,
    /// They were asked for as a list, so their axis stays in arrays even where it has length 1.
    pub is_list: bool,
    /// `[T, windows...]`, baseline minus occluded score: positive = evidence for the target was hidden. NaN = not computed.
    pub sensitivity: Vec<f32>,
    /// `[T, windows...]`, score with the window hidden. NaN = not computed.
    pub scores: Vec<f32>,
    /// The most probable class per window, for models with one vector of outputs.
    pub most_probable: Option<MostProbable>,
    /// Names of classes.
    #[serde(with = "crate::archive::shared")]
    pub labels: Arc<Labels>,
    /// `[T, windows...]`, over several noise fills: the standard deviation (of the population) of the scores. NaN = not computed.
    pub noise_spread: Option<Vec<f32>>,
    /// Number of windows whose score is known.
    pub computed: usize,
    /// The way back to source pixels.
    pub geometry: Geometry,
    /// Silent choices, in words.
    pub notes: Vec<String>,
    /// The self-check, once it ran.
    pub check: Option<Check>,
    /// What was dropped, where an approximate map was asked for, and what that cost.
    pub approximation: Option<Approximation>,
    /// What was computed again, where that is counted.
    pub work: Option<Work>,
    /// How much of the windows was the fill already, where that is known before a run.
    pub unchanged: Option<Unchanged>,
    /// How it was made.
    pub provenance: Provenance,
}

/// Numbers that sum up one target's map, over the computed windows.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// Least sensitivity.
    pub min: f32,
    /// Greatest sensitivity.
    pub max: f32,
    /// Mean sensitivity.
    pub mean: f32,
    /// Number of windows after which another class was the most probable one; `None` without classes.
    pub label_flips: Option<usize>,
}

impl Map {
    /// Whether every window was computed.
    pub fn is_complete(&self) -> bool {
        self.computed == self.windows.len()
    }
    /// Whether arrays have the axis of targets: it is left out for one target, unless that was asked for as a list.
    pub fn has_target_axis(&self) -> bool {
        self.is_list || self.targets.len() != 1
    }
    /// `[windows...]` of one target's sensitivities.
    ///
    /// # Panics
    /// If there is no such target.
    pub fn sensitivity_of(&self, target: usize) -> &[f32] {
        &self.sensitivity[target * self.windows.len()..(target + 1) * self.windows.len()]
    }
    /// `[windows...]` of one target's scores.
    ///
    /// # Panics
    /// If there is no such target.
    pub fn scores_of(&self, target: usize) -> &[f32] {
        &self.scores[target * self.windows.len()..(target + 1) * self.windows.len()]
    }
    /// How much of each element of a window was hidden, row-major over the axes that windows are laid along; `None` where all of it was.
    fn share(&self, window: usize) -> Option<Cow<'_, [f32]>> {
        if let Some(share) = self.windows.share(window) {
            return Some(share);
        }
        if self.shape == Shape::Box {
            return None;
        }
        let bounds = self.windows.bounds(window);
        let size = |role: fn(AxisRole) -> bool| -> Vec<usize> {
            let axes = self.windows.grids().first().map_or(&[][..], |grid| &grid.axes);
            axes.iter().filter(|axis| role(axis.role)).map(|axis| bounds[axis.tensor_axis].len()).collect()
        };
        let of_places = self.shape.weights(&size(|role| role != AxisRole::Channel))?;
        // Channels are hidden alike, and are the outermost axis.
        let channels: usize = size(|role| role == AxisRole::Channel).iter().product();
        Some(Cow::Owned(of_places.repeat(channels)))
    }
    /// The box of a window in source units, one half-open range per spatial axis.
    pub fn window_in_source(&self, window: usize) -> Vec<std::ops::Range<f64>> {
        let ranges = self.windows.bounds(window);
        let spatial: Vec<_> =
            self.input.spatial_axes().into_iter().map(|axis| ranges[axis].clone()).collect();
        self.geometry.window_in_source(&spatial)
    }
    /// Sums up one target's map; `None` if nothing was computed.
    ///
    /// # Panics
    /// If there is no such target.
    pub fn summary(&self, target: usize) -> Option<Summary> {
        let computed = self.sensitivity_of(target).iter().copied().filter(|v| !v.is_nan());
        let count = computed.clone().count();
        if count == 0 {
            return None;
        }
        Some(Summary {
            min: computed.clone().fold(f32::INFINITY, f32::min),
            max: computed.clone().fold(f32::NEG_INFINITY, f32::max),
            mean: (computed.map(f64::from).sum::<f64>() / count as f64) as f32,
            label_flips: self.most_probable.as_ref().map(|m| {
                m.windows.iter().filter(|&&class| class >= 0 && class as usize != m.baseline).count()
            }),
        })
    }
    /// The largest |sensitivity| over all targets and computed windows, 0 if there is none.
    pub fn max_abs(&self) -> f32 {
        self.sensitivity.iter().filter(|v| !v.is_nan()).fold(0.0, |max, v| max.max(v.abs()))
    }
}

#[cfg(test)]
pub(crate) mod tests_support {
    //! A small map for the tests of this crate.
    use super::*;
    use crate::occlusion::{Border, Grid};
    use crate::tensor::Layout;

    /// A map over an input of `[1, height, width]` with these sensitivities for one target, baseline 1.
    pub(crate) fn map(
        size: [usize; 2],
        window: [usize; 2],
        stride: [usize; 2],
        sensitivity: Vec<f32>,
    ) -> Map {
        let input = TensorSpec::new("x", &[1, size[0], size[1]], Layout::ChannelsFirst);
        let grid = Grid::new(&input, &window, &stride, Border::Clip, None).expect("fits");
        let targets = sensitivity.len() / grid.len();
        Map {
            geometry: Geometry::identity(&size),
            score: ScoreKind::Logit,
            is_list: false,
            targets: (0..targets)
                .map(|t| MapTarget {
                    label: format!("class {t}"),
                    class: Some(t),
                    spec: t.to_string(),
                    baseline: 1.0,
                    unit: "logit".into(),
                })
                .collect(),
            scores: sensitivity.iter().map(|s| 1.0 - s).collect(),
            shape: Shape::Box,
            definition: Definition::default(),
            noise_spread: None,
            computed: sensitivity.iter().take(grid.len()).filter(|v| !v.is_nan()).count(),
            sensitivity,
            most_probable: None,
            labels: Arc::default(),
            notes: Vec::new(),
            check: None,
            approximation: None,
            work: None,
            unchanged: None,
            provenance: Provenance::default(),
            windows: Windows::Grid(grid),
            input,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn summary_ignores_what_was_not_computed() {
        let map = tests_support::map([4, 4], [2, 2], [2, 2], vec![0.5, f32::NAN, -1.0, 0.0]);
        assert!(!map.is_complete());
        let summary = map.summary(0).expect("three windows");
        assert_eq!((summary.min, summary.max), (-1.0, 0.5));
        assert!((summary.mean + 1.0 / 6.0).abs() < 1e-7);
        assert_eq!(map.max_abs(), 1.0);
        let nothing = tests_support::map([4, 4], [4, 4], [4, 4], vec![f32::NAN]);
        assert_eq!(nothing.summary(0), None);
    }
}
