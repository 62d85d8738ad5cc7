//! The arguments of `occlude audit`: a model, a data set, where rows go, and what `judge` and `map` know.
//!
//! In: text. Out: [`DatasetOptions`], the object of all images; settings stay text and are read by the library.

use std::path::PathBuf;

use clap::Args;
use occlude::audit::DatasetOptions;
use occlude::{Error, Result};

use super::verdict::VerdictFlags;
use super::{HowFlags, WhatFlags};

pub(super) const AUDIT_EXAMPLES: &str = "\
Examples:
  occlude audit model.onnx birds.csv -o birds-audit
  occlude audit model.onnx annotations/instances_val2017.json --images val2017 --truth
  occlude audit model.onnx VOC2012/ --max-surroundings 0.2
  occlude audit model.onnx photos/ --object 25%:75%,25%:75% --window 32

DATASET is a folder of images, a folder with one folder per class, a .csv file (columns path, and
of class, x0, y0, x1, y1, mask what is known), COCO's .json, or Pascal VOC's folder.

Stopped or killed, the same command goes on where it was. Rows are in rows/*.parquet, what they
say together in summary.json and report.html; docs/audit.md describes all of it.

Exit status: 0 done, whatever the verdicts; 1 more surroundings (or errors) than --max-surroundings allows;
2 bad arguments, file or model, or no image could be judged; 130 interrupted.";

/// `occlude audit`
#[derive(Args, Debug)]
pub(crate) struct AuditArguments {
    /// An .onnx file, or a folder with model.onnx, config.json and preprocessor_config.json
    pub(crate) model: PathBuf,
    /// A folder of images, a folder per class, a .csv file, COCO's .json or Pascal VOC's folder
    pub(crate) dataset: PathBuf,
    /// The folder of the audit, made or gone on with [default: NAME-audit, by the data set's name]
    #[arg(short, long, value_name = "FOLDER", help_heading = "Output")]
    pub(crate) output: Option<PathBuf>,
    /// Print the summary as JSON on standard output (schema occlude.audit/1)
    #[arg(long, help_heading = "Output")]
    pub(crate) json: bool,
    /// Images most driven by surroundings that are listed, each with a page of its map
    #[arg(long, value_name = "N", default_value_t = 24, help_heading = "Output")]
    pub(crate) pages: usize,
    /// Fail (exit status 1) if more than this share of the clear verdicts is surroundings: 0.2
    #[arg(long, value_name = "SHARE", allow_hyphen_values = true, help_heading = "Output")]
    pub(crate) max_surroundings: Option<f64>,
    /// With --max-surroundings: fail as well if more than this share of the rows are errors [default: 0]
    #[arg(
        long,
        value_name = "SHARE",
        allow_hyphen_values = true,
        requires = "max_surroundings",
        help_heading = "Output"
    )]
    max_errors: Option<f64>,
    /// The folder of the images that a .csv or .json file names [default: looked for beside it]
    #[arg(long, value_name = "FOLDER", help_heading = "The data set")]
    images: Option<PathBuf>,
    /// A folder of masks of the objects: for a/b.jpg the file a/b.png or a/b.npy in it; other than 0 is the object
    #[arg(long, value_name = "FOLDER", help_heading = "The data set")]
    object_masks: Option<PathBuf>,
    /// The object of every image that has none of its own, in percent of height and width: 25%:75%,25%:75%
    #[arg(long, value_name = "BOX", allow_hyphen_values = true, help_heading = "The data set")]
    object: Option<String>,
    /// Measure the classes that the data set says an image shows, instead of what the model sees
    #[arg(long, conflicts_with = "target", help_heading = "The data set")]
    pub(crate) truth: bool,
    /// Images at once, each on its share of the threads [default: one per thread, as far as memory allows]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..), help_heading = "How the model is fed and run")]
    pub(crate) workers: Option<u16>,
    /// Try images again whose rows are errors
    #[arg(long, help_heading = "How the model is fed and run")]
    pub(crate) retry_errors: bool,
    #[command(flatten)]
    pub(crate) verdict: VerdictFlags,
    #[command(flatten)]
    pub(crate) what: WhatFlags,
    #[command(flatten)]
    pub(crate) how: HowFlags,
}

impl AuditArguments {
    pub(crate) fn dataset_options(&self) -> Result<DatasetOptions> {
        Ok(DatasetOptions {
            images: self.images.clone(),
            masks: self.object_masks.clone(),
            everywhere: self.object.as_deref().map(shares).transpose()?,
        })
    }

    /// The folder of the audit.
    pub(crate) fn folder(&self) -> PathBuf {
        self.output.clone().unwrap_or_else(|| {
            let path = self.dataset.canonicalize().unwrap_or_else(|_| self.dataset.clone());
            let name = path.file_stem().map_or_else(|| "data".into(), |n| n.to_string_lossy().into_owned());
            PathBuf::from(format!("{name}-audit"))
        })
    }

    /// The bounds on the shares of surroundings and of errors, where they are a check.
    pub(crate) fn bounds(&self) -> Result<Option<[f64; 2]>> {
        let Some(surroundings) = self.max_surroundings else { return Ok(None) };
        let bounds = [("max-surroundings", surroundings), ("max-errors", self.max_errors.unwrap_or(0.0))];
        match bounds.iter().find(|(_, bound)| !(0.0..=1.0).contains(bound)) {
            Some((name, bound)) => {
                Err(Error::argument(format!("{name} is {bound}, expected a number from 0 to 1"))
                    .with_hint(format!("--{name} 0.2 allows a fifth")))
            }
            None => Ok(Some(bounds.map(|(_, bound)| bound))),
        }
    }
}

/// `25%:75%,25%:75%`, rows before columns, as `[x0, y0, x1, y1]` from 0 to 1.
fn shares(text: &str) -> Result<[f64; 4]> {
    let number = |part: &str| Some(part.trim().strip_suffix('%')?.trim().parse::<f64>().ok()? / 100.0);
    let range = |part: &str| {
        let (start, end) = part.split_once(':')?;
        Some([number(start)?, number(end)?])
    };
    let ranges = text.split(',').map(range).collect::<Option<Vec<_>>>();
    match ranges.as_deref() {
        Some(&[[y0, y1], [x0, x1]]) => Ok([x0, y0, x1, y1]),
        _ => Err(Error::argument(format!("--object \"{text}\" is not understood")).with_hint(
            "expected start:end of height and width in percent: --object 25%:75%,25%:75%; boxes of single images are columns of a .csv file",
        )),
    }
}
