//! The correspondence analysis (Zeiler and Fergus, section 4.3): does hiding the same part of an object change a layer alike in every image?
//!
//! In: per image, the change of a layer's features when a part is hidden, `eps = x - x_masked`. Out: the Hamming distances between the sign vectors of all pairs of
//! images; lower means that the layer treats the part alike. `Delta = sum over ordered pairs i != j of H(sign eps_i, sign eps_j)`. The signs are three-valued:
//! most features of a ReLU layer do not change at all, and two that do not change agree. The paper prints mean and deviation of a small number, which
//! is the distance over the number of features; both are given. Nothing is run here.

use serde::Serialize;

/// The sign of every change: -1, 0 or 1.
pub fn signs(change: &[f32]) -> Vec<i8> {
    change.iter().map(|&c| i8::from(c > 0.0) - i8::from(c < 0.0)).collect()
}

/// In how many places two sign vectors differ.
pub fn hamming(a: &[i8], b: &[i8]) -> usize {
    a.iter().zip(b).filter(|(a, b)| a != b).count()
}

/// How alike the changes of several images are.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Consistency {
    /// Number of features compared.
    pub features: usize,
    /// `[images, images]`: Hamming distances; the diagonal is zero.
    pub hamming: Vec<Vec<usize>>,
    /// Sum over ordered pairs of different images: the paper's Delta.
    pub sum: usize,
    /// Mean over ordered pairs of the distance over the number of features, 0 to 1.
    pub mean: f64,
    /// Standard deviation (over all pairs, not a sample's) of the same.
    pub std: f64,
}

impl Consistency {
    /// Of the changes of each image, all of one length; at least two images.
    pub fn of(changes: &[Vec<f32>]) -> Self {
        let signs: Vec<Vec<i8>> = changes.iter().map(|change| signs(change)).collect();
        let features = signs.first().map_or(0, Vec::len);
        let hamming: Vec<Vec<usize>> =
            signs.iter().map(|a| signs.iter().map(|b| hamming(a, b)).collect()).collect();
        let pairs = || {
            hamming.iter().enumerate().flat_map(|(i, row)| {
                row.iter().enumerate().filter(move |(j, _)| *j != i).map(|(_, distance)| *distance)
            })
        };
        let count = pairs().count().max(1) as f64;
        let share = |distance: usize| distance as f64 / features.max(1) as f64;
        let mean = pairs().map(share).sum::<f64>() / count;
        let variance = pairs().map(|d| (share(d) - mean).powi(2)).sum::<f64>() / count;
        Consistency { features, sum: pairs().sum(), mean, std: variance.sqrt(), hamming }
    }
}

/// One way of masking every image, and what it does to each layer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SetOfMasks {
    /// The name of the part, or `random` and the part whose sizes the random places have.
    pub name: String,
    /// Whether these are random places.
    pub is_random: bool,
    /// Per image, the box that was hidden: one half-open range of elements per spatial axis of the input.
    pub boxes: Vec<Vec<std::ops::Range<usize>>>,
    /// Per layer, in the order of [`Correspondence::layers`].
    pub layers: Vec<Consistency>,
    /// Per layer, per image: `eps`, every feature of the untouched image less the same feature of the masked one, in the model's order.
    #[serde(skip)]
    pub changes: Vec<Vec<Vec<f32>>>,
}

/// The result of the analysis.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Correspondence {
    /// The images, by file name.
    pub images: Vec<String>,
    /// The model's names of the layers' tensors.
    pub layers: Vec<String>,
    /// Every part, each followed by random places of the same sizes.
    pub masks: Vec<SetOfMasks>,
    /// What stood in the masks, as a setting.
    pub fill: String,
    /// Which random places.
    pub seed: u64,
    /// What ran the model.
    pub runtime: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_values_and_ordered_pairs() {
        assert_eq!(signs(&[0.5, 0.0, -0.0, -1e-30, f32::MIN_POSITIVE]), [1, 0, 0, -1, 1]);
        let changes = [vec![1.0, 0.0, -2.0, 0.0], vec![3.0, 0.0, 2.0, 0.0], vec![0.0, 0.0, -1.0, 5.0]];
        let found = Consistency::of(&changes);
        assert_eq!(found.hamming, [[0, 1, 2], [1, 0, 3], [2, 3, 0]]);
        assert_eq!((found.sum, found.features), (12, 4));
        // 0.25, 0.5, 0.75, each twice.
        assert!((found.mean - 0.5).abs() < 1e-12 && (found.std - (1.0f64 / 24.0).sqrt()).abs() < 1e-12);
    }
}
