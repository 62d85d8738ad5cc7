//! How maps are evaluated: which measures, how finely, beside how many random maps.
//!
//! In: values, or text by name as fronts have it. Out: [`EvaluateOptions`]. Windows, fill, target and seed are settings of the run.

use serde::{Serialize, Serializer};

use crate::error::{Error, Result};
use crate::occlusion::Fill;
use crate::settings::Settings;

/// A measure, or measures that are made of the same runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Metric {
    /// The score while places are taken away, the map's strongest first, and the area under it (RISE). Little is good.
    Deletion,
    /// The score while places are brought back, the map's strongest first, and the area under it (RISE). Much is good.
    Insertion,
    /// The input masked by the map: average drop, increase (Grad-CAM++) and gain (Opti-CAM).
    Drop,
    /// Pearson's correlation between the map's sum over random sets of n cells and what taking them away does, for several n (Ancona et al. 2018).
    SensitivityN,
    /// Spearman's, over sets of one size (Bhatt et al. 2020, as Xplique has it).
    MuFidelity,
}

impl Metric {
    /// All, with their names.
    pub const ALL: [(&'static str, Metric); 5] = [
        ("deletion", Metric::Deletion),
        ("insertion", Metric::Insertion),
        ("drop", Metric::Drop),
        ("sensitivity-n", Metric::SensitivityN),
        ("mufidelity", Metric::MuFidelity),
    ];
}

/// How maps are evaluated.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EvaluateOptions {
    /// What is measured, without repetition.
    pub metrics: Vec<Metric>,
    /// Steps of the curves: `ceil(places / steps)` places are changed in each.
    pub steps: usize,
    /// Random maps beside each map; 0 for none.
    pub random_maps: usize,
    /// Cells along each axis that random sets are made of; as many as there are places where this is more.
    pub cells: usize,
    /// Random sets of MuFidelity.
    pub subsets: usize,
    /// The share of the cells in each of them, above 0 and below 1.
    pub subset_share: f64,
    /// Random sets of sensitivity-n, for each size.
    pub sensitivity_subsets: usize,
    /// What places are replaced by in deletion, drops and random sets; `None`: the fill of the settings.
    #[serde(serialize_with = "shown")]
    pub deletion_fill: Option<Fill>,
    /// What places are brought back into in insertion.
    #[serde(serialize_with = "as_text")]
    pub insertion_fill: Fill,
}

fn shown<S: Serializer>(fill: &Option<Fill>, to: S) -> Result<S::Ok, S::Error> {
    match fill {
        Some(fill) => to.collect_str(fill),
        None => to.serialize_none(),
    }
}

fn as_text<S: Serializer>(fill: &Fill, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(fill)
}

impl Default for EvaluateOptions {
    fn default() -> Self {
        EvaluateOptions {
            metrics: Metric::ALL.iter().map(|(_, metric)| *metric).collect(),
            steps: 20,
            random_maps: 19,
            cells: 9,
            subsets: 200,
            subset_share: 0.2,
            sensitivity_subsets: 100,
            deletion_fill: None,
            insertion_fill: Fill::Blur,
        }
    }
}

/// The largest of any of the numbers: each set and each step is a run of the model.
const MOST: usize = 100_000;

impl EvaluateOptions {
    /// Names of all options, as they are written in text.
    pub const NAMES: [&'static str; 9] = [
        "metrics",
        "steps",
        "random-maps",
        "cells",
        "subsets",
        "subset-share",
        "sensitivity-subsets",
        "deletion-fill",
        "insertion-fill",
    ];

    /// Sets one by its name.
    ///
    /// # Errors
    /// Argument: an unknown name, a value that is not understood or out of range.
    pub fn set(&mut self, name: &str, value: &str) -> Result<()> {
        let whole = |least: usize| {
            value.trim().parse().ok().filter(|n| (least..=MOST).contains(n)).ok_or_else(|| {
                Error::argument(format!("{name} is {value}, expected a whole number from {least} to {MOST}"))
            })
        };
        match name {
            "metrics" => self.metrics = metrics(value)?,
            "steps" => self.steps = whole(1)?,
            "random-maps" => self.random_maps = whole(0)?,
            "cells" => self.cells = whole(2)?,
            "subsets" => self.subsets = whole(3)?,
            "sensitivity-subsets" => self.sensitivity_subsets = whole(3)?,
            "subset-share" => {
                let share = value.trim().parse().ok().filter(|share| 0.0 < *share && *share < 1.0);
                self.subset_share = share.ok_or_else(|| {
                    Error::argument(format!("{name} is {value}, expected a share above 0 and below 1"))
                })?;
            }
            "deletion-fill" | "insertion-fill" => {
                let fill = Settings::read_fill(value)?;
                if hangs_on_window(&fill) {
                    return Err(Error::argument(format!("{name} is {value}, which hangs on the window"))
                        .with_hint("a value of its own for every place is needed: mean, zero, blur, noise, numbers, image:FILE"));
                }
                if name == "deletion-fill" {
                    self.deletion_fill = Some(fill);
                } else {
                    self.insertion_fill = fill;
                }
            }
            _ => {
                return Err(Error::argument(format!("an evaluation has no option \"{name}\""))
                    .with_hint(format!("its options are {}", EvaluateOptions::NAMES.join(", "))));
            }
        }
        Ok(())
    }

    pub(super) fn asks(&self, metric: Metric) -> bool {
        self.metrics.contains(&metric)
    }
}

/// Whether a fill has no value of its own for a place.
pub(super) fn hangs_on_window(fill: &Fill) -> bool {
    matches!(fill, Fill::PatchMean | Fill::OverallPatchMean | Fill::Inpaint(_) | Fill::InpaintOpenCv(_))
}

/// `deletion,insertion`, or `all`.
fn metrics(text: &str) -> Result<Vec<Metric>> {
    if text.trim() == "all" {
        return Ok(EvaluateOptions::default().metrics);
    }
    let one = |name: &str| {
        let name = name.trim().to_lowercase();
        Metric::ALL.iter().find(|(known, _)| *known == name).map(|(_, metric)| *metric).ok_or_else(|| {
            let names: Vec<&str> = Metric::ALL.iter().map(|(name, _)| *name).collect();
            Error::argument(format!("there is no measure \"{name}\""))
                .with_hint(format!("measures are {}, or all", names.join(", ")))
        })
    };
    let mut found = text.split(',').map(one).collect::<Result<Vec<_>>>()?;
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_from_text() {
        let mut options = EvaluateOptions::default();
        for (name, value) in [
            ("metrics", "mufidelity, deletion,deletion"),
            ("steps", "8"),
            ("random-maps", "0"),
            ("subset-share", "0.5"),
            ("deletion-fill", "0.25"),
            ("insertion-fill", "zero"),
        ] {
            options.set(name, value).expect(name);
        }
        assert_eq!(options.metrics, [Metric::Deletion, Metric::MuFidelity]);
        assert_eq!((options.steps, options.random_maps, options.subset_share), (8, 0, 0.5));
        assert_eq!(
            (options.deletion_fill, options.insertion_fill),
            (Some(Fill::Value(vec![0.25])), Fill::Zero)
        );
        for (name, value, says) in [
            ("metrics", "deletions", "no measure \"deletions\""),
            ("steps", "0", "steps is 0, expected a whole number from 1"),
            ("steps", "1.5", "steps is 1.5"),
            ("subset-share", "1", "above 0 and below 1"),
            ("deletion-fill", "patch-mean", "hangs on the window"),
            ("insertion-fill", "fog", "fog"),
            ("step", "1", "no option \"step\""),
        ] {
            let error = EvaluateOptions::default().set(name, value).expect_err(name).to_string();
            assert!(error.contains(says), "{error}");
        }
    }
}
