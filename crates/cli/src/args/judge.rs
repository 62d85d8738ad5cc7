//! The arguments of `occlude judge`: the object, what the verdict hangs on, and all that `map` knows.
//!
//! In: text. Out: an [`Object`]; settings stay text and are read by the library.

use std::ops::Range;
use std::path::PathBuf;

use clap::{ArgGroup, Args};
use occlude::input::read_labels;
use occlude::{Error, Input, Object, Result};

use super::verdict::VerdictFlags;
use super::{HowFlags, WhatFlags};

pub(super) const JUDGE_EXAMPLES: &str = "\
Examples:
  occlude judge model.onnx cat.jpg --object 20:180,40:200
  occlude judge model.onnx cat.jpg --object-mask cat_mask.png --target tabby --json
  occlude judge model.onnx scan.npy --object 8:24,8:24,0:12 --elements -o scan.html

The verdict is object, both, surroundings or unclear; docs/judgement.md says what it hangs on.
It is an answer, no failure: the exit status is 0 whichever it is.";

/// `occlude judge`
#[derive(Args, Debug)]
#[command(group = ArgGroup::new("place").required(true).args(["object", "object_mask"]))]
pub(crate) struct JudgeArguments {
    /// An .onnx file, or a folder with model.onnx, config.json and preprocessor_config.json
    pub(crate) model: PathBuf,
    /// A picture (PNG, JPEG, WebP, TIFF, BMP), or a .npy file taken as the tensor itself
    pub(crate) input: PathBuf,
    /// The object as a box in pixels of the upright picture, ends excluded, rows before columns: y0:y1,x0:x1; may be given several times
    #[arg(long, value_name = "BOX", allow_hyphen_values = true, help_heading = "The object")]
    pub(crate) object: Vec<String>,
    /// The object as a mask: .npy of whole numbers, or PNG of grey values or a palette, as large as the picture or the model's input; other than 0 is the object
    #[arg(long, value_name = "FILE", help_heading = "The object")]
    pub(crate) object_mask: Option<PathBuf>,
    /// Boxes count elements of the model's input instead of pixels of the picture
    #[arg(long, conflicts_with = "object_mask", help_heading = "The object")]
    pub(crate) elements: bool,
    /// Where the map goes, as in map; may be given several times
    #[arg(short, long = "output", value_name = "OUT", help_heading = "Output")]
    pub(crate) output: Vec<String>,
    /// Print the judgement as JSON on standard output (schema occlude.judgement/1)
    #[arg(long, help_heading = "Output")]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) verdict: VerdictFlags,
    #[command(flatten)]
    pub(crate) what: WhatFlags,
    #[command(flatten)]
    pub(crate) how: HowFlags,
}

impl JudgeArguments {
    /// The boxes, read before anything is opened.
    pub(crate) fn boxes(&self) -> Result<Option<Object>> {
        if self.object.is_empty() {
            return Ok(None);
        }
        Ok(Some(if self.elements {
            Object::Boxes(self.object.iter().map(|text| ranges(text)).collect::<Result<_>>()?)
        } else {
            Object::SourceBoxes(self.object.iter().map(|text| ranges(text)).collect::<Result<_>>()?)
        }))
    }

    /// The mask as the input sees it.
    pub(crate) fn mask(&self, input: &Input) -> Result<Option<Object>> {
        let Some(path) = &self.object_mask else { return Ok(None) };
        let labels = read_labels(path, input)?;
        Ok(Some(Object::Mask(labels.into_iter().map(|label| label != 0).collect())))
    }
}

/// `y0:y1,x0:x1`
fn ranges<T: std::str::FromStr>(text: &str) -> Result<Vec<Range<T>>> {
    let range = |part: &str| {
        let (start, end) = part.trim().split_once(':')?;
        Some(start.trim().parse().ok()?..end.trim().parse().ok()?)
    };
    text.split(',').map(range).collect::<Option<_>>().ok_or_else(|| {
        Error::argument(format!("--object \"{text}\" is not understood"))
            .with_hint("expected start:end per axis, rows before columns: --object 20:180,40:200")
    })
}
