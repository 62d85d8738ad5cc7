//! The arguments of `occlude evaluate`: maps, measures, and all that `map` knows of what is hidden and how the model is run.

use std::path::PathBuf;

use clap::Args;
use occlude::{EvaluateOptions, Result};

use super::{HowFlags, WhatFlags};

pub(super) const EVALUATE_EXAMPLES: &str = "\
Examples:
  occlude evaluate model.onnx cat.jpg                      the map that occlude map would make
  occlude evaluate model.onnx cat.jpg cat.npz gradcam.npy -o curves.png
  occlude evaluate model.onnx cat.jpg --metrics deletion,insertion --steps 50 --random-maps 9
  occlude evaluate model.onnx scan.npy --score logit --fill min --json

Every number stands beside what random maps of the same texture get: a map that is not better
than nearly all of them says nothing. docs/evaluate.md has the formulas.

Exit status: 0 evaluated; 2 bad arguments, file or model; 130 interrupted (what is known is told).";

/// `occlude evaluate`
#[derive(Args, Debug)]
pub(crate) struct EvaluateArguments {
    /// An .onnx file, or a folder with model.onnx, config.json and preprocessor_config.json
    pub(crate) model: PathBuf,
    /// A picture (PNG, JPEG, WebP, TIFF, BMP), or a .npy file taken as the tensor itself
    pub(crate) input: PathBuf,
    /// Maps of this input that occlude wrote (.npz, .json), or saliency maps from elsewhere (.npy: [H, W], [1, H, W], or [C, H, W], summed over channels) [default: the map of these settings]
    #[arg(value_name = "MAP")]
    pub(crate) maps: Vec<PathBuf>,
    /// What is measured: deletion, insertion, drop, sensitivity-n, mufidelity, or all [default: all]
    #[arg(long, value_name = "LIST", help_heading = "What is measured")]
    metrics: Option<String>,
    /// Steps of the deletion and insertion curves [default: 20]
    #[arg(long, value_name = "N", allow_hyphen_values = true, help_heading = "What is measured")]
    steps: Option<String>,
    /// Random maps beside each map, for every measure; each costs two curves; 0 for none [default: 19]
    #[arg(long, value_name = "N", allow_hyphen_values = true, help_heading = "What is measured")]
    random_maps: Option<String>,
    /// Cells along each axis that the random sets of sensitivity-n and MuFidelity are made of [default: 9]
    #[arg(long, value_name = "N", allow_hyphen_values = true, help_heading = "What is measured")]
    cells: Option<String>,
    /// Random sets of MuFidelity [default: 200]
    #[arg(long, value_name = "N", allow_hyphen_values = true, help_heading = "What is measured")]
    subsets: Option<String>,
    /// The share of the cells in each of them [default: 0.2]
    #[arg(long, value_name = "SHARE", allow_hyphen_values = true, help_heading = "What is measured")]
    subset_share: Option<String>,
    /// Random sets of sensitivity-n for each n [default: 100]
    #[arg(long, value_name = "N", allow_hyphen_values = true, help_heading = "What is measured")]
    sensitivity_subsets: Option<String>,
    /// What places are replaced by in deletion, drop and random sets, like fill [default: the fill]
    #[arg(long, value_name = "FILL", allow_hyphen_values = true, help_heading = "What is measured")]
    deletion_fill: Option<String>,
    /// What places are brought back into in insertion, like fill [default: blur]
    #[arg(long, value_name = "FILL", allow_hyphen_values = true, help_heading = "What is measured")]
    insertion_fill: Option<String>,
    /// Which target of the MAPs: its place in the list, from 0; of .json files also its label, or how it was asked for [default: the first]
    #[arg(long, value_name = "TARGET", allow_hyphen_values = true, help_heading = "What is measured")]
    pub(crate) map_target: Option<String>,
    /// Where the result goes: FILE.png (the curves and the table) or FILE.json; may be given several times
    #[arg(short, long = "output", value_name = "FILE", help_heading = "Output")]
    pub(crate) output: Vec<String>,
    /// Print the result as JSON on standard output (schema occlude.evaluation/1)
    #[arg(long, help_heading = "Output")]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) what: WhatFlags,
    #[command(flatten)]
    pub(crate) how: HowFlags,
}

impl EvaluateArguments {
    pub(crate) fn options(&self) -> Result<EvaluateOptions> {
        let given = [
            ("metrics", &self.metrics),
            ("steps", &self.steps),
            ("random-maps", &self.random_maps),
            ("cells", &self.cells),
            ("subsets", &self.subsets),
            ("subset-share", &self.subset_share),
            ("sensitivity-subsets", &self.sensitivity_subsets),
            ("deletion-fill", &self.deletion_fill),
            ("insertion-fill", &self.insertion_fill),
        ];
        let mut options = EvaluateOptions::default();
        for (name, value) in given {
            if let Some(value) = value {
                options.set(name, value)?;
            }
        }
        Ok(options)
    }
}
