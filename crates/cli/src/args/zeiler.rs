//! The arguments of the paper's two experiments: `occlude zeiler` and `occlude correspondence`.
//!
//! Names and meanings of what they share with `map` are the same; values stay text and are read by the library.

use std::path::PathBuf;

use clap::Args;
use occlude::zeiler::Strongest;
use occlude::{Error, Result, Settings, Target, ZeilerOptions};

use super::{HowFlags, given_how, present};

pub(super) const ZEILER_EXAMPLES: &str = "\
Examples:
  occlude zeiler model.onnx dog.jpg -o dog.html
  occlude zeiler model.onnx dog.jpg --class pomeranian --stride 1 -o dog.png -o dog.npz
  occlude zeiler model.onnx dog.jpg --layer /features/29/Relu_output_0 --strongest max

Ctrl-C stops the run and keeps what is computed, marked incomplete.";

pub(super) const CORRESPONDENCE_EXAMPLES: &str = "\
Examples:
  occlude correspondence model.onnx dogs/parts.csv
  occlude correspondence model.onnx dogs/parts.csv --layer relu5 --layer relu7 -o dogs.json

The table of parts has a row for every part of every image, edges in pixels of the picture:
  file,part,x0,y0,x1,y1
  dog1.jpg,left eye,120,88,160,120
  dog1.jpg,nose,150,140,190,175
  dog2.jpg,left eye,98,60,140,95
Files are looked for beside the table. A JSON array of objects with these keys is read too.";

/// `occlude zeiler`
#[derive(Args, Debug)]
pub(crate) struct ZeilerArguments {
    /// An .onnx file, or a folder with model.onnx, config.json and preprocessor_config.json
    pub(crate) model: PathBuf,
    /// A picture (PNG, JPEG, WebP, TIFF, BMP), or a .npy file taken as the tensor itself
    pub(crate) input: PathBuf,
    /// Where the panels go; may be given several times. The ending chooses: .html (a page) .png (a figure) .json .npz; - is standard output (JSON)
    #[arg(short, long = "output", value_name = "OUT", help_heading = "Output")]
    pub(crate) output: Vec<String>,
    /// Print a summary as JSON on standard output (schema occlude.zeiler-summary/1)
    #[arg(long, help_heading = "Output")]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) what: ZeilerFlags,
    #[command(flatten)]
    pub(crate) how: HowFlags,
}

/// What is looked at, and what is hidden.
#[derive(Args, Debug)]
#[command(next_help_heading = "What is looked at and hidden")]
pub(crate) struct ZeilerFlags {
    /// The layer, by the name of its tensor (inspect -v lists them) [default: the last convolution with places, after its activation]
    #[arg(long, value_name = "NAME")]
    layer: Option<String>,
    /// The correct class: its name or index [default: the most probable class of the untouched input]
    #[arg(long, value_name = "CLASS", allow_hyphen_values = true)]
    class: Option<String>,
    /// Which feature map of the layer is the strongest: the one with the greatest sum, or with the greatest single activation (max) [default: sum]
    #[arg(long, value_name = "BY")]
    strongest: Option<String>,
    /// Size of the occluder in elements of the input tensor [default: a fifth of the shorter side]
    #[arg(long, value_name = "SIZE", allow_hyphen_values = true)]
    window: Option<String>,
    /// Step between positions; 1 is every position, as in the paper [default: half the window]
    #[arg(long, value_name = "STEP", allow_hyphen_values = true)]
    stride: Option<String>,
    /// Where positions are and what happens at the border, as in map [default: center]
    #[arg(long, value_name = "RULE")]
    border: Option<String>,
    /// What stands in the occluder, as in map [default: mean, the grey of the input]
    #[arg(long, value_name = "FILL", allow_hyphen_values = true)]
    fill: Option<String>,
    /// Only positions in this box of input elements: 32:96,32:96 [default: all]
    #[arg(long, value_name = "BOX", allow_hyphen_values = true)]
    roi: Option<String>,
    /// Which random numbers --fill noise draws [default: 0]
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    seed: Option<String>,
}

/// `occlude correspondence`
#[derive(Args, Debug)]
pub(crate) struct CorrespondenceArguments {
    /// An .onnx file or a model folder
    pub(crate) model: PathBuf,
    /// The table of parts: .csv or .json
    pub(crate) parts: PathBuf,
    /// Where the result goes: FILE.json
    #[arg(short, long = "output", value_name = "FILE.json", help_heading = "Output")]
    pub(crate) output: Option<String>,
    /// Print the result as JSON (schema occlude.correspondence/1)
    #[arg(long, help_heading = "Output")]
    pub(crate) json: bool,
    /// A layer, by the name of its tensor (inspect -v lists them); may be given several times [default: the last convolution with places, after its activation]
    #[arg(long = "layer", value_name = "NAME", help_heading = "What is looked at and hidden")]
    pub(crate) layers: Vec<String>,
    /// What stands in the masks, as in map [default: mean]
    #[arg(
        long,
        value_name = "FILL",
        allow_hyphen_values = true,
        help_heading = "What is looked at and hidden"
    )]
    fill: Option<String>,
    /// Which random places each part is compared with [default: 0]
    #[arg(long, value_name = "N", allow_hyphen_values = true, help_heading = "What is looked at and hidden")]
    seed: Option<String>,
    #[command(flatten)]
    pub(crate) how: HowFlags,
}

impl ZeilerArguments {
    /// The settings of the windows and of the run.
    pub(crate) fn settings(&self) -> Result<Settings> {
        let mut settings = super::settings(None, &self.how)?;
        settings.border = occlude::zeiler::settings().border;
        for (name, value) in self.given_windows() {
            settings.set(name, value)?;
        }
        Ok(settings)
    }

    /// The options of the experiment.
    pub(crate) fn options(&self) -> Result<ZeilerOptions> {
        let strongest = match self.what.strongest.as_deref().map(str::trim) {
            None | Some("sum") => Strongest::Sum,
            Some("max") => Strongest::Max,
            Some(other) => {
                return Err(Error::argument(format!("strongest is \"{other}\", expected sum or max")));
            }
        };
        // A name may hold commas, which would separate targets.
        let class = self.what.class.as_deref().map(str::trim).map(|text| match text.parse::<usize>() {
            Ok(index) => Target::Class(index),
            Err(_) => Target::Name(text.to_string()),
        });
        Ok(ZeilerOptions { layer: self.what.layer.clone(), class, strongest })
    }

    /// The settings of windows that were given.
    pub(crate) fn given_windows(&self) -> Vec<(&'static str, &str)> {
        let what = &self.what;
        present(&[
            ("window", &what.window),
            ("stride", &what.stride),
            ("border", &what.border),
            ("fill", &what.fill),
            ("roi", &what.roi),
            ("seed", &what.seed),
        ])
    }

    /// All flags that change the result, as they were given.
    pub(crate) fn given(&self) -> Vec<(&'static str, &str)> {
        let what = &self.what;
        let own = present(&[("layer", &what.layer), ("class", &what.class), ("strongest", &what.strongest)]);
        own.into_iter().chain(self.given_windows()).chain(given_how(&self.how)).collect()
    }
}

impl CorrespondenceArguments {
    /// The settings of masks and of the run.
    pub(crate) fn settings(&self) -> Result<Settings> {
        let mut settings = super::settings(None, &self.how)?;
        for (name, value) in present(&[("fill", &self.fill), ("seed", &self.seed)]) {
            settings.set(name, value)?;
        }
        Ok(settings)
    }
}
