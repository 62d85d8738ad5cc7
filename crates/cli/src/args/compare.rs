//! The arguments of `occlude compare`.

use std::path::PathBuf;

use clap::Args;

pub(super) const COMPARE_EXAMPLES: &str = "\
Examples:
  occlude compare before.npz after.npz
  occlude compare coffee.json coffee.json --target espresso --target-b cup
  occlude compare coffee.npz gradcam.npy --positive
  occlude compare coffee.npz gradcam.npy --json -o compared.json

A p-value says how often a map of the same texture at another place agrees as well: one map is
moved over the other, what leaves at one end comes in at the other.

Exit status: 0 compared; 2 bad arguments or files.";

/// `occlude compare`
#[derive(Args, Debug)]
pub(crate) struct CompareArguments {
    /// A map that occlude wrote (.npz, .json), or a saliency map from elsewhere (.npy: [H, W], [1, H, W], or [C, H, W], summed over channels)
    #[arg(value_name = "A")]
    pub(crate) a: PathBuf,
    /// The other one
    #[arg(value_name = "B")]
    pub(crate) b: PathBuf,
    /// Where the result goes: FILE.json
    #[arg(short, long = "output", value_name = "FILE.json", help_heading = "Output")]
    pub(crate) output: Option<String>,
    /// Print the result as JSON (schema occlude.compare/1)
    #[arg(long, help_heading = "Output")]
    pub(crate) json: bool,
    /// Which target of the maps: its place in the list, from 0; of .json files also its label, or how it was asked for [default: the first]
    #[arg(long, value_name = "TARGET", allow_hyphen_values = true, help_heading = "What is compared")]
    pub(crate) target: Option<String>,
    /// Which target of B, where it is another one
    #[arg(long, value_name = "TARGET", allow_hyphen_values = true, help_heading = "What is compared")]
    pub(crate) target_b: Option<String>,
    /// Take numbers below 0 as 0 on both sides, for maps that know no evidence against, as Grad-CAM's
    #[arg(long, help_heading = "What is compared")]
    pub(crate) positive: bool,
    /// How many axes of .npy files are places [default: as the map says; between two arrays [C, H, W] with at most 4 channels is a picture]
    #[arg(long, value_name = "N", help_heading = "What is compared")]
    pub(crate) axes: Option<usize>,
    /// Which shifts are drawn, where there are more than 4999
    #[arg(long, value_name = "N", default_value_t = 0, help_heading = "What is compared")]
    pub(crate) seed: u64,
}
