//! The arguments: commands, flags, and their help. Names and meanings of settings are those of `occlude::Settings::TABLE`.
//!
//! Values of settings stay text here and are read by the library, so that every front reads them alike.

mod compare;
mod judge;
mod serve;
mod zeiler;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use occlude::{Error, Result, Settings};

pub(crate) use compare::CompareArguments;
pub(crate) use judge::JudgeArguments;
pub(crate) use serve::ServeArguments;
pub(crate) use zeiler::{CorrespondenceArguments, ZeilerArguments};

const EXAMPLES: &str = "\
Examples:
  occlude map efficientnet-lite0/ coffee.jpg -o coffee.html
  occlude inspect model.onnx
  occlude plan model.onnx photo.jpg --window 32 --stride 8
  occlude serve model.onnx photo.jpg --open
  occlude verify model.onnx photo.jpg
  occlude judge model.onnx photo.jpg --object 20:180,40:200
  occlude zeiler model.onnx dog.jpg -o dog.html

Exit status: 0 done; 1 some of several inputs failed, or verify found a difference;
2 bad arguments, file or model; 130 interrupted.";

const MAP_EXAMPLES: &str = "\
Examples:
  occlude map model.onnx cat.jpg -o cat.html
  occlude map model.onnx photos/*.jpg --window 32 --stride 8 -o maps/
  occlude map model.onnx cat.jpg --target \"tabby, 282\" -o cat.png -o cat.npz
  occlude map model.onnx scan.npy --score logit --fill zero -o scan.json
  occlude map model.onnx ct.nii.gz --preprocess orient=RAS,spacing=1.5,window=400/40,pad-or-crop=input --window 12mm -o map.nii.gz

Ctrl-C stops the run and keeps what is computed, marked incomplete.";

const PLAN_EXAMPLES: &str = "\
Examples:
  occlude plan model.onnx cat.jpg --window 16 --stride 4
  occlude plan model.onnx scan.npy --memory-limit 2G --json";

const VERIFY_EXAMPLES: &str = "\
Examples:
  occlude verify model.onnx cat.jpg --window 16 --stride 8
  occlude verify model.onnx scan.npy --engine gather --json
  occlude verify model.onnx cat.jpg -o difference.npz

Exit status: 0 inside the bounds; 1 beyond them; 2 bad arguments, file or model;
130 interrupted before every window was compared.";

const INSPECT_EXAMPLES: &str = "\
Examples:
  occlude inspect model.onnx
  occlude inspect -v model.onnx      every node, in order
  occlude inspect --json folder/     for programs (schema occlude.inspect/1)";

const COMPLETIONS_EXAMPLES: &str = "\
Examples:
  occlude completions bash > ~/.local/share/bash-completion/completions/occlude
  occlude completions fish > ~/.config/fish/completions/occlude.fish";

/// Occlusion sensitivity: hide a part of the input, ask the model again, see how the answer changes.
#[derive(Debug, Parser)]
#[command(name = "occlude", version, after_help = EXAMPLES, arg_required_else_help = true, max_term_width = 100)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Flags of every command.
#[derive(Args, Debug)]
pub(crate) struct Global {
    /// Say only what went wrong
    #[arg(short, long, global = true, help_heading = "Output")]
    pub(crate) quiet: bool,
    /// Say more: times and settings of a map, every node of a model
    #[arg(short, long, global = true, conflicts_with = "quiet", help_heading = "Output")]
    pub(crate) verbose: bool,
    /// When to use colours; NO_COLOR is respected
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto", value_parser = ["auto", "always", "never"], help_heading = "Output")]
    pub(crate) color: String,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make the map of where the model looks, for one or more inputs
    #[command(after_help = MAP_EXAMPLES)]
    Map(MapArguments),
    /// Show what a model is: inputs, operators, cost, memory, what runs on whole tensors
    #[command(after_help = INSPECT_EXAMPLES)]
    Inspect(InspectArguments),
    /// Show what a map would cost, without running it: windows, multiply-adds, memory, time
    #[command(after_help = PLAN_EXAMPLES)]
    Plan(PlanArguments),
    /// Check the incremental run: every window also by a full run, outputs and map compared
    #[command(after_help = VERIFY_EXAMPLES)]
    Verify(VerifyArguments),
    /// Say whether the model reads the object or its surroundings: the map, and the object hidden and alone
    #[command(after_help = judge::JUDGE_EXAMPLES)]
    Judge(JudgeArguments),
    /// Show the page live: choose picture, target and window, watch the map fill, move the window by hand
    #[command(after_help = serve::SERVE_EXAMPLES)]
    Serve(ServeArguments),
    /// The paper's experiment: occlude an input and see the strongest feature map, what excites it, the probability and the most probable class, in five panels
    #[command(after_help = zeiler::ZEILER_EXAMPLES)]
    Zeiler(ZeilerArguments),
    /// The paper's correspondence analysis: does hiding the same part change a layer alike in every image?
    #[command(after_help = zeiler::CORRESPONDENCE_EXAMPLES)]
    Correspondence(CorrespondenceArguments),
    /// Compare two maps, or a map with a saliency map from elsewhere: correlations against chance, structural similarity, overlap of the strongest places
    #[command(after_help = compare::COMPARE_EXAMPLES)]
    Compare(CompareArguments),
    /// Print a completion script for a shell
    #[command(after_help = COMPLETIONS_EXAMPLES)]
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
}

/// `occlude map`
#[derive(Args, Debug)]
pub(crate) struct MapArguments {
    /// An .onnx file, or a folder with model.onnx, config.json and preprocessor_config.json
    pub(crate) model: PathBuf,
    /// Pictures (PNG, JPEG, WebP, TIFF, BMP); volumes (.nii.gz, a folder of DICOM files, a TIFF stack); signals (CSV, WAV); or .npy files taken as the tensor itself
    #[arg(required = true, value_name = "INPUT")]
    pub(crate) inputs: Vec<PathBuf>,
    /// Where the map goes; may be given several times. The ending chooses: .html .png .json .npz .npy, .nii.gz (over the scan), .csv (a table of regions). A folder (maps/) gets STEM.html and is made if it is missing, {stem} is replaced by the input's name, - is standard output (JSON)
    #[arg(short, long = "output", value_name = "OUT", help_heading = "Output")]
    pub(crate) output: Vec<String>,
    /// Print a summary as JSON on standard output, one line per input (schema occlude.map-summary/1)
    #[arg(long, help_heading = "Output")]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) what: WhatFlags,
    #[command(flatten)]
    pub(crate) how: HowFlags,
}

/// `occlude inspect`
#[derive(Args, Debug)]
pub(crate) struct InspectArguments {
    /// An .onnx file or a model folder
    pub(crate) model: PathBuf,
    /// Print all of it as JSON (schema occlude.inspect/1)
    #[arg(long, help_heading = "Output")]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) how: HowFlags,
}

/// `occlude plan`
#[derive(Args, Debug)]
pub(crate) struct PlanArguments {
    /// An .onnx file or a model folder
    pub(crate) model: PathBuf,
    /// A picture or a .npy tensor
    pub(crate) input: PathBuf,
    /// Print all of it as JSON (schema occlude.plan/1)
    #[arg(long, help_heading = "Output")]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) what: WhatFlags,
    #[command(flatten)]
    pub(crate) how: HowFlags,
}

/// `occlude verify`
#[derive(Args, Debug)]
pub(crate) struct VerifyArguments {
    /// An .onnx file or a model folder
    pub(crate) model: PathBuf,
    /// A picture or a .npy tensor
    pub(crate) input: PathBuf,
    /// Keep both maps and their difference in a .npz file
    #[arg(short, long = "output", value_name = "FILE.npz", help_heading = "Output")]
    pub(crate) output: Option<String>,
    /// Print the result as JSON (schema occlude.verify/1)
    #[arg(long, help_heading = "Output")]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) what: WhatFlags,
    #[command(flatten)]
    pub(crate) how: HowFlags,
}

/// What is hidden, and what is measured.
#[derive(Args, Debug)]
#[command(next_help_heading = "What is hidden and measured")]
pub(crate) struct WhatFlags {
    /// A definition by the name of its origin, which sets the others unless they are given: mindspore, monai-0.4, monai-0.9, monai-1, captum, xplique, xaitk, pair, deepexplain, tf-explain, mindspore-xai, nolearn, kazuto1011, matlab, rise, zeiler-fergus
    #[arg(long, value_name = "NAME")]
    preset: Option<String>,
    /// Size of the hidden window in elements of the input tensor: 16, 16x24, or 3x16x16 to give the channel axis its own; several for one map: 16,32; of volumes in millimetres: 12mm [default: 1/8 of the shorter side]
    #[arg(long, value_name = "SIZE", allow_hyphen_values = true)]
    window: Option<String>,
    /// Step between windows, like window [default: half the window]
    #[arg(long, value_name = "STEP", allow_hyphen_values = true)]
    stride: Option<String>,
    /// Hide the regions of a label image one by one instead of windows: .npy of whole numbers, or PNG, as large as the picture or the model's input, or a label volume .nii.gz over a scan; 0 is the background
    #[arg(long, value_name = "FILE")]
    regions: Option<String>,
    /// Names of the regions: a file of lines label,name, or JSON
    #[arg(long, value_name = "FILE")]
    region_names: Option<String>,
    /// Random masks over the whole input instead of windows (RISE): how many, cells per axis, probability to keep a cell, as 4000:7:0.5; or a .npy file of masks
    #[arg(long, value_name = "MASKS")]
    masks: Option<String>,
    /// What is hidden of each window: box, ellipse, soft (a Gaussian edge), gaussian (MONAI's) [default: box]
    #[arg(long, value_name = "SHAPE")]
    shape: Option<String>,
    /// Where the stride does not fit: shift (last window moved in), clip, drop, center; and the peers' lag, margin, cell, dense, overhang [default: shift]
    #[arg(long, value_name = "RULE")]
    border: Option<String>,
    /// What windows do with channels: joint (all at once), each (one at a time), axis (stepped over like places) [default: joint]
    #[arg(long, value_name = "HOW")]
    channels: Option<String>,
    /// yes: pad the input by half a window with the fill before the model sees it [default: no]
    #[arg(long, value_name = "YES|NO")]
    padded: Option<String>,
    /// What stands in the window: mean, zero, numbers in tensor space, rgb:r,g,b, patch-mean, overall-mean, overall-patch-mean, blur, inpaint[:RADIUS], inpaint-opencv[:RADIUS], noise, min, background, image:FILE [default: mean; background for volumes]
    #[arg(long, value_name = "FILL", allow_hyphen_values = true)]
    fill: Option<String>,
    /// What is measured: class index or name, top1, top5, a list, all; an inner tensor, node:NAME[:HOW], HOW being strongest-sum, strongest-max, sum, mean, max or channel=K; one number, output:NAME[3]; a class where the model sees it, segment:CLASS or segment:top1; a box, detect:CLASS@x0/y0/x1/y1 or detect:top [default: top1]
    #[arg(long, value_name = "TARGET", allow_hyphen_values = true)]
    target: Option<String>,
    /// Which quantity: logit, probability, log-odds, margin, raw [default: probability for a classifier, else raw]
    #[arg(long, value_name = "SCORE")]
    score: Option<String>,
    /// Whether classes exclude each other: exclusive (probability is Softmax) or independent (Sigmoid of each) [default: from the model]
    #[arg(long, value_name = "HOW")]
    classes: Option<String>,
    /// How a detector writes its boxes: xyxy, yxyx, cxcywh or xywh, and, separated by commas, scale=pixels|unit, objectness=yes|no, boxes=OUTPUT, scores=OUTPUT [default: from the shapes, as far as they tell]
    #[arg(long, value_name = "FORM")]
    boxes: Option<String>,
    /// Only windows whose centre lies in this box of input elements: 32:96,32:96 [default: all]
    #[arg(long, value_name = "BOX", allow_hyphen_values = true)]
    roi: Option<String>,
    /// Which random numbers --fill noise draws [default: 0]
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    seed: Option<String>,
    /// Average every window over this many noise fills, and report the spread [default: 1]
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    samples: Option<String>,
    /// Another input of a model with several: its name and a file. INPUT is the first one
    #[arg(long, value_name = "NAME=FILE")]
    pub(crate) with: Vec<String>,
    /// One slice of a volume for a model of pictures, axial:80, coronal:12, sagittal:40 (from 0 at the lowest, hindmost, leftmost); or all slices of a plane as one map volume: axial
    #[arg(long, value_name = "PLANE[:N]")]
    pub(crate) slice: Option<String>,
    /// Which inputs of a model with several windows hide, together and at the same places: t1,t2 [default: the first]
    #[arg(long, value_name = "NAMES")]
    pub(crate) hide: Option<String>,
    /// What is written down for a window: sensitivity (baseline minus occluded score), score, loss (1 minus it), change (occluded minus baseline) [default: sensitivity]
    #[arg(long, value_name = "VALUE", help_heading = "How scores become the map")]
    value: Option<String>,
    /// cells (a number per window), or per element, over the windows that cover it: mean, sum, share, gaussian, biased [default: cells]
    #[arg(long, value_name = "HOW", help_heading = "How scores become the map")]
    aggregate: Option<String>,
    /// What elements get that no window covers: nan or zero [default: nan]
    #[arg(long, value_name = "WHAT", help_heading = "How scores become the map")]
    uncovered: Option<String>,
    /// none, max-abs (divided by the largest magnitude), abs [default: none]
    #[arg(long, value_name = "HOW", help_heading = "How scores become the map")]
    normalize: Option<String>,
    /// Enlarge cells to the elements: none, nearest, linear, cubic [default: none]
    #[arg(long, value_name = "HOW", help_heading = "How scores become the map")]
    upsample: Option<String>,
}

/// How the model is fed and run.
#[derive(Args, Debug)]
#[command(next_help_heading = "How the model is fed and run")]
pub(crate) struct HowFlags {
    /// Where the channels are: nchw or nhwc [default: from the model]
    #[arg(long, value_name = "LAYOUT")]
    layout: Option<String>,
    /// How a picture becomes the input: a name (imagenet, unit, tf, inception, caffe, none), steps joined by commas (resize=256,crop=224,mean=a/b/c), or both. Steps are resize, crop, rounding, filter, scale, mean, std, channels; of volumes, in order, orient=RAS, spacing=1x1x1 (mm), window=400/40, range, percentiles, minmax, zscore, shift, crop-foreground, resize=input, pad-or-crop, and frame; or a MONAI bundle's inference.json [default: from the model folder]
    #[arg(long, value_name = "STEPS")]
    preprocess: Option<String>,
    /// Number of threads; results do not depend on it [default: all cores]
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    threads: Option<String>,
    /// Bound on the memory of weights and activations: 512M, 4G [default: half of the memory]
    #[arg(long, value_name = "BYTES", allow_hyphen_values = true)]
    memory_limit: Option<String>,
    /// incremental (only what a window can reach), gather (the same, with a full run's bits), full [default: incremental]
    #[arg(long, value_name = "ENGINE")]
    engine: Option<String>,
    /// builtin, or ort for ONNX Runtime, always in full [default: builtin]
    #[arg(long, value_name = "RUNTIME")]
    runtime: Option<String>,
    /// ONNX Runtime's library, for --runtime ort
    #[arg(long, value_name = "FILE", env = "ORT_DYLIB_PATH")]
    ort_library: Option<PathBuf>,
    /// Accept an approximate map: the error (RMSE) it may have, as a share of its range
    #[arg(long, value_name = "SHARE", allow_hyphen_values = true)]
    approximate: Option<String>,
}

/// Refuses two things on standard output at once.
///
/// # Errors
/// Argument: `--json` beside an output `-`.
pub(crate) fn check_stdout(json: bool, output: &[String]) -> Result<()> {
    if !json || output.iter().all(|o| o != "-") {
        return Ok(());
    }
    Err(Error::argument("--json and -o - both write to standard output")
        .with_hint("leave one of them out; -o FILE.json writes the map to a file"))
}

/// The settings that these flags say, read by the library.
pub(crate) fn settings(what: Option<&WhatFlags>, how: &HowFlags) -> Result<Settings> {
    let mut settings = Settings::default();
    for (name, value) in what.map(given_what).into_iter().flatten().chain(given_how(how)) {
        settings.set(name, value)?;
    }
    if let Some(slice) = what.and_then(|what| what.slice.as_deref()) {
        // A part of preprocessing that has a flag of its own.
        let said = settings.preprocess.take().map_or(String::new(), |text| format!("{text},"));
        settings.preprocess = Some(format!("{said}slice={slice}"));
    }
    settings.ort_library = how.ort_library.clone();
    settings.virtual_env = std::env::var_os("VIRTUAL_ENV").map(PathBuf::from);
    Ok(settings)
}

/// Settings that were given, in the order of the contract.
pub(crate) fn given(what: &WhatFlags, how: &HowFlags) -> Vec<(&'static str, String)> {
    given_what(what)
        .into_iter()
        .chain(given_how(how))
        .map(|(name, value)| (name, value.to_string()))
        .collect()
}

/// The flags about several inputs that were given.
pub(crate) fn given_inputs(what: &WhatFlags) -> Vec<(&'static str, &str)> {
    let with = what.with.iter().map(|given| ("with", given.as_str()));
    let slice = what.slice.as_deref().map(|slice| ("slice", slice));
    with.chain(what.hide.as_deref().map(|names| ("hide", names))).chain(slice).collect()
}

pub(crate) fn given_what(what: &WhatFlags) -> Vec<(&'static str, &str)> {
    let flags = [
        ("preset", &what.preset),
        ("window", &what.window),
        ("stride", &what.stride),
        ("regions", &what.regions),
        ("region-names", &what.region_names),
        ("masks", &what.masks),
        ("shape", &what.shape),
        ("border", &what.border),
        ("channels", &what.channels),
        ("padded", &what.padded),
        ("fill", &what.fill),
        ("target", &what.target),
        ("score", &what.score),
        ("classes", &what.classes),
        ("boxes", &what.boxes),
        ("roi", &what.roi),
        ("seed", &what.seed),
        ("samples", &what.samples),
        ("value", &what.value),
        ("aggregate", &what.aggregate),
        ("uncovered", &what.uncovered),
        ("normalize", &what.normalize),
        ("upsample", &what.upsample),
    ];
    present(&flags)
}

pub(crate) fn given_how(how: &HowFlags) -> Vec<(&'static str, &str)> {
    let flags = [
        ("layout", &how.layout),
        ("preprocess", &how.preprocess),
        ("threads", &how.threads),
        ("memory-limit", &how.memory_limit),
        ("engine", &how.engine),
        ("runtime", &how.runtime),
        ("approximate", &how.approximate),
    ];
    present(&flags)
}

fn present<'a>(flags: &[(&'static str, &'a Option<String>)]) -> Vec<(&'static str, &'a str)> {
    flags.iter().filter_map(|(name, value)| value.as_deref().map(|v| (*name, v))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_arguments_are_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn every_setting_of_the_contract_has_a_flag() {
        let command = Arguments::command();
        let map = command.find_subcommand("map").unwrap();
        let flags: Vec<&str> = map.get_arguments().filter_map(|a| a.get_long()).collect();
        for setting in Settings::TABLE {
            assert!(flags.contains(&setting.name), "--{} is missing", setting.name);
        }
    }
}
