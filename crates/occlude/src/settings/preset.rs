//! Presets: the definitions in use, by the name of their origin. Each sets the border rule, channels, window, stride, fill, what is written down, how windows are joined, and scaling.
//!
//! In: a name. Out: [`Settings`] changed to that origin's choices; what is set afterwards replaces them. Versions and formulas: `docs/definitions.md`. Where an origin has a defect, its
//! documented meaning is what a preset does, and `Preset::repairs` says so.

use super::{Channels, Masks, Settings};
use crate::map::{Aggregate, Definition, Normalize, Uncovered, Upsample, Value};
use crate::occlusion::{Border, Fill, Shape};
use crate::score::ScoreKind;

/// A named definition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preset {
    /// MindSpore 2.10, `mindspore.train.OcclusionSensitivity`.
    MindSpore,
    /// MONAI 0.4.0, `compute_occlusion_sensitivity`.
    Monai04,
    /// MONAI 0.5 to 0.9.1, `OcclusionSensitivity`.
    Monai09,
    /// MONAI since 1.0 (1.6.1), `OcclusionSensitivity`.
    Monai1,
    /// Captum 0.9.0, `Occlusion`.
    Captum,
    /// Xplique 2.0.0, `Occlusion`.
    Xplique,
    /// xaitk-saliency 0.15.0, `SlidingWindow` with `OcclusionScoring`.
    Xaitk,
    /// PAIR saliency 0.2.1, `Occlusion`.
    Pair,
    /// DeepExplain (2020), `occlusion`.
    DeepExplain,
    /// tf-explain 0.3.1, `OcclusionSensitivity`.
    TfExplain,
    /// MindSpore-XAI (2023), `Occlusion`.
    MindSporeXai,
    /// nolearn, `occlusion_heatmap`.
    Nolearn,
    /// kazuto1011/grad-cam-pytorch, `occlusion_sensitivity`.
    Kazuto1011,
    /// MATLAB, `occlusionSensitivity`, as documented; never run here.
    Matlab,
    /// RISE (Petsiuk, Das and Saenko, BMVC 2018; github eclique/RISE d91ea00).
    Rise,
    /// Zeiler and Fergus, ECCV 2014: the probability with a grey square centred on each place.
    ZeilerFergus,
}

/// The size of a window where none was given, per axis.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub enum WindowRule {
    /// An eighth of the shorter side.
    #[default]
    Eighth,
    /// So many elements, at most what a rule that stays inside allows.
    Fixed(usize),
    /// A fifth of the axis.
    Fifth,
    /// The axis over this number, or 3 where the axis is not longer than it.
    Part(usize),
    /// There is no default.
    Required,
}

/// The step between windows where none was given.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub enum StrideRule {
    /// Half the window.
    #[default]
    Half,
    /// Every element.
    One,
    /// The window: windows beside each other.
    Window,
    /// `int(window * (1 - overlap))`, at least 1.
    Overlap(f64),
    /// A tenth of the axis.
    Tenth,
    /// So many elements.
    Fixed(usize),
    /// The window, or 1 where the axis is not longer than this number: with [`WindowRule::Part`].
    Part(usize),
}

impl WindowRule {
    pub(super) fn size(self, length: usize, shorter: usize) -> Option<usize> {
        Some(match self {
            WindowRule::Eighth => (shorter / 8).max(1),
            WindowRule::Fixed(size) => size,
            WindowRule::Fifth => (length / 5).max(1),
            WindowRule::Part(count) if length > count => length / count,
            WindowRule::Part(_) => 3,
            WindowRule::Required => return None,
        })
    }
}

impl StrideRule {
    pub(super) fn step(self, window: usize, length: usize) -> usize {
        let step = match self {
            StrideRule::Half => window / 2,
            StrideRule::One => 1,
            StrideRule::Window => window,
            // Rounded as Python does: towards zero.
            StrideRule::Overlap(overlap) => (window as f64 * (1.0 - overlap)) as usize,
            StrideRule::Tenth => length / 10,
            StrideRule::Fixed(step) => step,
            StrideRule::Part(count) => {
                if length > count {
                    window
                } else {
                    1
                }
            }
        };
        step.max(1)
    }
}

impl Preset {
    /// All of them with their names.
    pub const ALL: [(&'static str, Preset); 16] = [
        ("mindspore", Preset::MindSpore),
        ("monai-0.4", Preset::Monai04),
        ("monai-0.9", Preset::Monai09),
        ("monai-1", Preset::Monai1),
        ("captum", Preset::Captum),
        ("xplique", Preset::Xplique),
        ("xaitk", Preset::Xaitk),
        ("pair", Preset::Pair),
        ("deepexplain", Preset::DeepExplain),
        ("tf-explain", Preset::TfExplain),
        ("mindspore-xai", Preset::MindSporeXai),
        ("nolearn", Preset::Nolearn),
        ("kazuto1011", Preset::Kazuto1011),
        ("matlab", Preset::Matlab),
        ("rise", Preset::Rise),
        ("zeiler-fergus", Preset::ZeilerFergus),
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        Preset::ALL.iter().find(|(_, preset)| *preset == self).map_or("", |(name, _)| name)
    }

    /// What it is, in a sentence: the origin with its version.
    pub fn origin(self) -> &'static str {
        match self {
            Preset::MindSpore => "MindSpore 2.10.0, mindspore.train.OcclusionSensitivity",
            Preset::Monai04 => "MONAI 0.4.0, monai.metrics.compute_occlusion_sensitivity",
            Preset::Monai09 => "MONAI 0.5.0 to 0.9.1, monai.visualize.OcclusionSensitivity",
            Preset::Monai1 => "MONAI 1.0.0 to 1.6.1, monai.visualize.OcclusionSensitivity",
            Preset::Captum => "Captum 0.9.0, captum.attr.Occlusion",
            Preset::Xplique => "Xplique 2.0.0, xplique.attributions.Occlusion",
            Preset::Xaitk => "xaitk-saliency 0.15.0, SlidingWindowStack",
            Preset::Pair => "PAIR saliency 0.2.1, saliency.core.Occlusion",
            Preset::DeepExplain => "DeepExplain 87fb43a1 (2020), method \"occlusion\"",
            Preset::TfExplain => "tf-explain 0.3.1, OcclusionSensitivity",
            Preset::MindSporeXai => "MindSpore-XAI 02443f8c (2023), mindspore_xai.explainer.Occlusion",
            Preset::Nolearn => "nolearn 0.6.1, nolearn.lasagne.visualize.occlusion_heatmap",
            Preset::Kazuto1011 => "kazuto1011/grad-cam-pytorch fd10ff7, occlusion_sensitivity",
            Preset::Matlab => "MATLAB R2019b and later, occlusionSensitivity (as documented, never run here)",
            Preset::Rise => "RISE, Petsiuk, Das and Saenko, BMVC 2018, with the code of eclique/RISE d91ea00",
            Preset::ZeilerFergus => {
                "Zeiler and Fergus, Visualizing and Understanding Convolutional Networks, ECCV 2014"
            }
        }
    }

    /// Where the origin does something else than it documents, what is done here; empty where both agree.
    pub fn repairs(self) -> &'static str {
        match self {
            Preset::MindSpore => {
                "margin takes one number per axis (the original crashes), labels may be plain numbers or have one element, b_box may be a tuple, pad_val a whole number"
            }
            Preset::Monai1 => {
                "mean_patch replaces the patch by its mean (the original multiplies by it); numbers of any kind and functions are fills (the original fails); a small box does not shrink the window; Softmax or Sigmoid is chosen by the outputs, not by the channels of the input"
            }
            Preset::Pair => "whole-number inputs are converted (the original fails)",
            Preset::TfExplain => {
                "rows lie along the height and columns along the width (the original swaps them)"
            }
            Preset::Kazuto1011 => {
                "columns are anchored from the first one (the original starts at the second)"
            }
            _ => "",
        }
    }

    /// What sets it apart, and when to choose it.
    pub fn choose(self) -> &'static str {
        match self {
            Preset::MindSpore => {
                "The window is `2 margin` wide along every axis, channels too, one element off its centre, and moves by one element, so a colour picture costs three times its number of pixels. Choose it to repeat or to replace the metric in a MindSpore project."
            }
            Preset::Monai04 => {
                "MindSpore's windows with a stride; the coarse map is enlarged by repeating numbers. Choose it for results of MONAI's first release."
            }
            Preset::Monai09 => {
                "The probability itself, of every class, not its fall: dark places matter. One channel at a time unless told otherwise; the coarse map is interpolated. Choose it for maps of MONAI 0.5 to 0.9."
            }
            Preset::Monai1 => {
                "Softly hidden windows that overlap, every place a weighted mean of the probabilities: smooth maps from few windows. What is hidden fades to zero, not to a fill. Choose it for MONAI since 1.0, and where a smooth picture is wanted."
            }
            Preset::Captum => {
                "The mean fall over all windows that cover an element, in the shape of the input; sums over windows are not biased towards the middle. Choose it for work in PyTorch, and as a sound default per element."
            }
            Preset::Xplique => {
                "The sum over the windows that cover an element: the middle is covered more often than the border and stands out for that alone; what no whole window covers is 0. Choose it to repeat Xplique's numbers."
            }
            Preset::Xaitk => {
                "Windows hang over the border equally on both sides; the map is divided by its largest magnitude, so that maps of different classes cannot be compared in size. Choose it to repeat xaitk's pictures."
            }
            Preset::Pair => {
                "As Xplique with a stride of one: the sum over covering windows. Choose it to repeat PAIR's numbers; the middle of the picture is favoured."
            }
            Preset::DeepExplain => {
                "Each window's fall is shared out over its elements, then averaged: numbers shrink with the window's size. Choose it to compare with Captum's predecessor; multiply by the window's size to get Captum's mean."
            }
            Preset::TfExplain => {
                "One minus the probability, tile by tile, whatever the untouched probability was: the map of an unsure model is high everywhere. The fill is 127.5 also for pictures scaled to 0 to 1. Choose it to repeat tf-explain."
            }
            Preset::MindSporeXai => {
                "Magnitudes only, and sums divided by one more than the number of windows, so that tiles that do not overlap show half of the fall. Reproduced as it is, and biased: choose it to repeat MindSpore-XAI, not to measure."
            }
            Preset::Nolearn => {
                "The probability with an odd square before each pixel (it lies one pixel off). Choose it to repeat Lasagne-era figures."
            }
            Preset::Kazuto1011 => {
                "The picture is padded by half a window and the padded picture is given to the model, which must take any size; rising scores are positive. Choose it to repeat that repository."
            }
            Preset::Matlab => {
                "The fall on a coarse grid whose windows are cut off at the border, enlarged by cubic convolution. Written after the documentation; its numbers were never compared with MATLAB's."
            }
            Preset::Rise => {
                "Random masks over the whole input; each place gets the mean score of the masks that kept it. Needs thousands of runs and is noisy, but knows no window size. Choose it to compare with RISE."
            }
            Preset::ZeilerFergus => {
                "The probability with a grey square centred on each place, as the paper plots it. Choose it for figures like the paper's; `occlude zeiler` makes all its panels."
            }
        }
    }

    pub(super) fn apply(self, settings: &mut Settings) {
        let plain = Definition::default();
        let spread = |aggregate| Definition { aggregate, ..plain };
        let zero = Fill::Value(vec![0.0]);
        let (border, window, stride, fill, definition) = match self {
            Preset::MindSpore => {
                let definition = Definition { squeeze: true, ..plain };
                (Border::Margin, WindowRule::Fixed(4), StrideRule::One, zero, definition)
            }
            Preset::Monai04 => {
                let definition = Definition { upsample: Upsample::Nearest, squeeze: true, ..plain };
                (Border::Margin, WindowRule::Fixed(4), StrideRule::One, zero, definition)
            }
            Preset::Monai09 => {
                let definition = Definition { value: Value::Score, upsample: Upsample::Linear, ..plain };
                (Border::Cell, WindowRule::Fixed(15), StrideRule::One, Fill::OverallMean, definition)
            }
            Preset::Monai1 => {
                let definition = Definition { value: Value::Score, ..spread(Aggregate::Gaussian) };
                (Border::Dense, WindowRule::Fixed(16), StrideRule::Overlap(0.6), zero, definition)
            }
            Preset::Captum => {
                (Border::Clip, WindowRule::Required, StrideRule::One, zero, spread(Aggregate::Mean))
            }
            Preset::Xplique => {
                let definition = Definition { uncovered: Uncovered::Zero, ..spread(Aggregate::Sum) };
                (Border::Drop, WindowRule::Fixed(3), StrideRule::Fixed(3), zero, definition)
            }
            Preset::Xaitk => {
                let definition = Definition {
                    uncovered: Uncovered::Zero,
                    normalize: Normalize::MaxAbs,
                    ..spread(Aggregate::Mean)
                };
                (Border::Overhang, WindowRule::Fixed(50), StrideRule::Fixed(20), zero, definition)
            }
            Preset::Pair => {
                let definition = Definition { uncovered: Uncovered::Zero, ..spread(Aggregate::Sum) };
                (Border::Drop, WindowRule::Fixed(15), StrideRule::One, zero, definition)
            }
            Preset::DeepExplain => {
                (Border::Drop, WindowRule::Fixed(1), StrideRule::One, zero, spread(Aggregate::Share))
            }
            Preset::TfExplain => {
                let definition = Definition { value: Value::Loss, ..plain };
                let grey = Fill::Value(vec![127.5]);
                (Border::Clip, WindowRule::Required, StrideRule::Window, grey, definition)
            }
            Preset::MindSporeXai => {
                let definition = Definition {
                    uncovered: Uncovered::Zero,
                    normalize: Normalize::Abs,
                    ..spread(Aggregate::Biased)
                };
                (Border::Drop, WindowRule::Part(32), StrideRule::Part(32), zero, definition)
            }
            Preset::Nolearn => {
                let definition = Definition { value: Value::Score, ..plain };
                (Border::Lag, WindowRule::Fixed(7), StrideRule::One, zero, definition)
            }
            Preset::Kazuto1011 => {
                let definition = Definition { value: Value::Change, ..plain };
                (Border::Drop, WindowRule::Fixed(35), StrideRule::One, zero, definition)
            }
            Preset::Matlab => {
                let definition = Definition { upsample: Upsample::Cubic, ..plain };
                (Border::Center, WindowRule::Fifth, StrideRule::Tenth, Fill::Mean, definition)
            }
            Preset::Rise => (
                Border::Shift,
                WindowRule::Eighth,
                StrideRule::Half,
                zero,
                Definition { value: Value::Score, ..plain },
            ),
            Preset::ZeilerFergus => {
                let definition = Definition { value: Value::Score, ..plain };
                (Border::Center, WindowRule::Fifth, StrideRule::One, Fill::Mean, definition)
            }
        };
        settings.border = border;
        (settings.window, settings.window_rule) = (None, window);
        (settings.stride, settings.stride_rule) = (None, stride);
        (settings.window_mm, settings.stride_mm) = (None, None);
        settings.fill = Some(fill);
        settings.definition = definition;
        settings.channels = match self {
            Preset::MindSpore | Preset::Monai04 => Channels::Axis,
            Preset::Monai09 => Channels::Each,
            _ => Channels::Joint,
        };
        settings.shape = if self == Preset::Monai1 { Shape::Gaussian } else { Shape::Box };
        let rise = Masks::Drawn { count: 4000, cells: 7, keep: 0.5 };
        settings.masks = (self == Preset::Rise).then_some(rise);
        settings.padded = self == Preset::Kazuto1011;
        settings.score = Some(match self {
            Preset::Monai1 | Preset::Rise | Preset::ZeilerFergus => ScoreKind::Probability,
            _ => ScoreKind::Raw,
        });
        settings.preset = Some(self);
    }
}
