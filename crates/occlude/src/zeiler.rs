//! The experiments of Zeiler and Fergus, "Visualizing and Understanding Convolutional Networks" (ECCV 2014): occlusion sensitivity as it was first done
//! (section 4.2, the figure of five panels), and the correspondence analysis (section 4.3).
//!
//! Here: what the experiments give and the parts that need no model (`projection` chooses and projects an activation of a resolved graph, `parts` reads where parts of
//! objects are, `correspondence` compares sign vectors). Running them on a model is in `model`, the deconvnet itself in the engine, files in `output`.

mod correspondence;
mod parts;
mod projection;

pub use correspondence::{Consistency, Correspondence, SetOfMasks, hamming, signs};
pub use parts::{Part, PartsOfImages, elements_of, parse_parts, random_boxes};
pub use projection::{FeatureMap, Projection, Seed};
pub(crate) use projection::{layer_of, project};

use crate::map::{Map, MapTarget};
use crate::occlusion::Border;
use crate::settings::Settings;
use crate::target::Target;
use crate::tensor::TensorSpec;

/// Which feature map is the strongest on the untouched input. The paper does not say which of the two it means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Strongest {
    /// The one with the greatest sum over places: the quantity of panel (b).
    #[default]
    Sum,
    /// The one with the greatest single activation.
    Max,
}

/// What the experiment of five panels can be told, beside the settings of its windows.
#[derive(Clone, Debug, Default)]
pub struct ZeilerOptions {
    /// The model's name of the layer's tensor; by default the last convolution that has places, after its activation.
    pub layer: Option<String>,
    /// The correct class; by default the most probable one of the untouched input.
    pub class: Option<Target>,
    /// Which of the layer's feature maps.
    pub strongest: Strongest,
}

/// The five panels of the paper's occlusion figure, for one input. Panel (a) is the input itself.
#[derive(Clone, Debug)]
pub struct Zeiler {
    /// The occlusion run behind the panels (b), (d) and (e): its targets are the class and the total activity of the feature map.
    pub map: Map,
    /// The strongest feature map of the layer on the untouched input.
    pub feature_map: FeatureMap,
    /// Panel (c).
    pub projection: Projection,
}

impl Zeiler {
    /// Panel (b): the sum of the feature map with the occluder at each position, `[grid...]`; NaN where a window was not computed.
    pub fn activity(&self) -> &[f32] {
        self.map.scores_of(1)
    }
    /// Panel (d): the probability of the correct class with the occluder at each position, `[grid...]`.
    pub fn probability(&self) -> &[f32] {
        self.map.scores_of(0)
    }
    /// Panel (e): the most probable class with the occluder at each position, `[grid...]`; -1 where a window was not computed.
    pub fn most_probable(&self) -> &[i32] {
        self.map.most_probable.as_ref().map_or(&[], |m| &m.windows)
    }
    /// The correct class, with its probability on the untouched input.
    pub fn class(&self) -> &MapTarget {
        &self.map.targets[0]
    }
    /// The classes of panel (e) with how many positions each is the most probable one at; most frequent first.
    pub fn classes(&self) -> Vec<(usize, usize)> {
        let mut counts = std::collections::BTreeMap::new();
        for class in self.most_probable().iter().filter_map(|&class| usize::try_from(class).ok()) {
            *counts.entry(class).or_insert(0) += 1;
        }
        let mut counts: Vec<(usize, usize)> = counts.into_iter().collect();
        counts.sort_by_key(|&(class, count)| (std::cmp::Reverse(count), class));
        counts
    }
}

/// The settings that the experiment starts from: a square centred on each position and cut off at the border, in the mean of the input. Size and step are the
/// user's: the paper gives neither, and the size defaults to [`default_window`].
pub fn settings() -> Settings {
    Settings { border: Border::Center, ..Settings::default() }
}

/// A fifth of the shorter side, at least 1 element: about what the paper's figures show.
pub fn default_window(spec: &TensorSpec) -> usize {
    let shorter = spec.spatial().into_iter().min().unwrap_or(1);
    ((shorter as f64 / 5.0).round() as usize).max(1)
}
