//! How scores per window become the numbers of a map: what is written down per window, how windows are joined where they overlap, and how the result is scaled.
//!
//! Every implementation in use makes these choices, and no two make the same ones; here each choice has a name. Which choices belong together is in `preset`; the arithmetic is in
//! `view` and `aggregate`. The default is the map itself: sensitivities on the grid of windows.

use serde::{Deserialize, Serialize};

/// What is written down for a window; `base` is the score on the untouched input, `occluded` the score with the window hidden.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Value {
    /// `base - occluded`: positive = evidence for the target was hidden.
    #[default]
    Sensitivity,
    /// `occluded` as it is: low = evidence for the target was hidden.
    Score,
    /// `1 - occluded`: tf-explain.
    Loss,
    /// `occluded - base`: negative = evidence for the target was hidden. kazuto1011.
    Change,
}

impl Value {
    /// All of them with their names.
    pub const ALL: [(&'static str, Value); 4] = [
        ("sensitivity", Value::Sensitivity),
        ("score", Value::Score),
        ("loss", Value::Loss),
        ("change", Value::Change),
    ];
    /// The number of one window.
    pub fn of(self, base: f32, occluded: f32) -> f32 {
        match self {
            Value::Sensitivity => base - occluded,
            Value::Score => occluded,
            Value::Loss => 1.0 - occluded,
            Value::Change => occluded - base,
        }
    }
}

/// How the numbers of windows become the numbers of the map.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Aggregate {
    /// One number per window, on the grid of windows.
    #[default]
    Cells,
    /// Per element of the input, the mean over the windows that cover it.
    Mean,
    /// Per element, the sum over the windows that cover it: elements in the middle are covered more often and weigh more.
    Sum,
    /// Per element, the mean over the windows that cover it, each divided by the number of elements of a nominal window: DeepExplain.
    Share,
    /// Per element, the mean weighted by a Gaussian over each window's places: MONAI since 1.0, in its Gaussian mode.
    Gaussian,
    /// Per element, the sum over the windows that cover it divided by one more than their number: MindSpore-XAI, biased towards 0.
    Biased,
}

impl Aggregate {
    /// All of them with their names.
    pub const ALL: [(&'static str, Aggregate); 6] = [
        ("cells", Aggregate::Cells),
        ("mean", Aggregate::Mean),
        ("sum", Aggregate::Sum),
        ("share", Aggregate::Share),
        ("gaussian", Aggregate::Gaussian),
        ("biased", Aggregate::Biased),
    ];
}

/// How the numbers of a map are scaled, per target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Normalize {
    /// Not at all.
    #[default]
    None,
    /// Divided by the largest magnitude, where that is not 0: xaitk-saliency.
    MaxAbs,
    /// Magnitudes: MindSpore-XAI; the sign is lost.
    Abs,
}

impl Normalize {
    /// All of them with their names.
    pub const ALL: [(&'static str, Normalize); 3] =
        [("none", Normalize::None), ("max-abs", Normalize::MaxAbs), ("abs", Normalize::Abs)];
}

/// How a map of one number per window is enlarged to the elements that were asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Upsample {
    /// Not at all.
    #[default]
    None,
    /// The number of the cell that an element falls into: element `i` of `n` takes number `floor(i m / n)` of `m`, as `torch.nn.Upsample(mode="nearest")`.
    Nearest,
    /// Linear, the first and last numbers at the first and last elements, as `torch.nn.Upsample(mode="linear", align_corners=True)` and its kin.
    Linear,
    /// Cubic convolution (Keys, a = -1/2), numbers at the middle of their cells, borders repeated, as MATLAB's `imresize`.
    Cubic,
}

impl Upsample {
    /// All of them with their names.
    pub const ALL: [(&'static str, Upsample); 4] = [
        ("none", Upsample::None),
        ("nearest", Upsample::Nearest),
        ("linear", Upsample::Linear),
        ("cubic", Upsample::Cubic),
    ];
}

/// What elements get that no window covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Uncovered {
    /// NaN: nothing is known of them.
    #[default]
    Nan,
    /// 0, which cannot be told from "no influence": Xplique, PAIR, xaitk-saliency, MindSpore-XAI.
    Zero,
}

impl Uncovered {
    /// Both with their names.
    pub const ALL: [(&'static str, Uncovered); 2] = [("nan", Uncovered::Nan), ("zero", Uncovered::Zero)];
}

/// All choices together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Definition {
    /// What is written down for a window.
    pub value: Value,
    /// How windows are joined.
    pub aggregate: Aggregate,
    /// What elements get that no window covers.
    pub uncovered: Uncovered,
    /// How the result is scaled.
    pub normalize: Normalize,
    /// How cells are enlarged.
    pub upsample: Upsample,
    /// Axes of length 1 are left out of the array that is written (`numpy.squeeze`): MindSpore, MONAI 0.4. Part of a preset, not set by itself.
    pub squeeze: bool,
}

impl Definition {
    /// Whether the map is the sensitivities on the grid of windows, as they are.
    pub fn is_plain(&self) -> bool {
        Definition { squeeze: false, ..*self } == Definition::default()
    }
    /// Whether red and blue mean for and against: numbers are differences from the untouched input.
    pub fn is_signed(&self) -> bool {
        matches!(self.value, Value::Sensitivity | Value::Change) && self.normalize != Normalize::Abs
    }
}

/// The name of a choice.
pub(crate) fn name_of<T: Copy + PartialEq>(all: &[(&'static str, T)], one: T) -> &'static str {
    all.iter().find(|(_, value)| *value == one).map_or("", |(name, _)| name)
}
