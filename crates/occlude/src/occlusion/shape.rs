//! The shape of what is hidden inside a window's box: the box itself, an ellipse, a Gaussian edge.
//!
//! In: the box's sizes. Out: per element how much of it is hidden, 0 to 1. How hidden and kept parts are put together is in `occluder`. The Gaussian is that of MONAI
//! (`gaussian_occlusion` in `monai/visualize/occlusion_sensitivity.py`, 1.6.1).

use serde::Serialize;

/// A shape inscribed in the box of a window, over the spatial axes; channels are hidden alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Shape {
    /// All of the box.
    #[default]
    Box,
    /// The ellipse (of a volume: the ellipsoid) that touches the sides of the box: elements whose centre lies in it.
    Ellipse,
    /// All of the middle, less towards the edge, nothing at its farthest elements: a Gaussian with sigma = a quarter of the box, scaled to 0 to 1. MONAI's.
    Gaussian,
}

impl Shape {
    /// All of them with their names.
    pub const ALL: [(&'static str, Shape); 3] =
        [("box", Shape::Box), ("ellipse", Shape::Ellipse), ("gaussian", Shape::Gaussian)];

    /// How much of each element of a box is hidden, row-major, 0 to 1; `None` where all of it is. `sizes` has one number per spatial axis.
    pub fn weights(self, sizes: &[usize]) -> Option<Vec<f32>> {
        let lines: Vec<Vec<f64>> = match self {
            Shape::Box => return None,
            Shape::Ellipse => sizes
                .iter()
                .map(|&n| (0..n).map(|i| ((i as f64 + 0.5) / n as f64 * 2.0 - 1.0).powi(2)).collect())
                .collect(),
            Shape::Gaussian => sizes.iter().map(|&n| gaussian(n)).collect(),
        };
        let is_ellipse = self == Shape::Ellipse;
        let join = |a: f64, b: f64| if is_ellipse { a + b } else { a * b };
        let mut all = vec![if is_ellipse { 0.0 } else { 1.0 }];
        for line in lines {
            all = all.iter().flat_map(|&a| line.iter().map(move |&b| join(a, b))).collect();
        }
        if is_ellipse {
            return Some(all.into_iter().map(|distance| if distance <= 1.0 { 1.0 } else { 0.0 }).collect());
        }
        let least = all.iter().copied().fold(f64::INFINITY, f64::min);
        let most = all.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        // One element alone, or a box that is the same everywhere, is hidden whole.
        let scale = |v: f64| if most > least { ((v - least) / (most - least)) as f32 } else { 1.0 };
        Some(all.into_iter().map(scale).collect())
    }
}

/// The response of a Gaussian of sigma `n / 4`, integrated over elements, to a one at element `n / 2` of `n`.
fn gaussian(n: usize) -> Vec<f64> {
    let t = std::f64::consts::FRAC_1_SQRT_2 / (0.25 * n as f64);
    let response = |i: usize| {
        let x = i as f64 - (n / 2) as f64;
        0.5 * (libm::erf(t * (x + 0.5)) - libm::erf(t * (x - 0.5)))
    };
    (0..n).map(response).collect()
}

/// Weights of the places of a window where windows are joined, row-major: a Gaussian with sigma = an eighth of its size, nothing below 1/1000
/// (`compute_importance_map` of MONAI 1.6.1, `mode="gaussian"`).
pub(crate) fn importance(sizes: &[usize]) -> Vec<f32> {
    let mut weights = vec![1.0f64];
    for &size in sizes {
        let (middle, sigma) = ((size as f64 - 1.0) / 2.0, 0.125 * size as f64);
        let line: Vec<f64> =
            (0..size).map(|i| (-(i as f64 - middle).powi(2) / (2.0 * sigma * sigma)).exp()).collect();
        weights = weights.iter().flat_map(|w| line.iter().map(move |l| w * l)).collect();
    }
    let least = weights.iter().copied().fold(f64::INFINITY, f64::min).max(1e-3);
    weights.into_iter().map(|w| w.max(least) as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ellipses_touch_their_box() {
        let round = Shape::Ellipse.weights(&[5, 5]).expect("not all");
        let rows: Vec<String> = round
            .chunks(5)
            .map(|row| row.iter().map(|v| if *v > 0.0 { '#' } else { '.' }).collect())
            .collect();
        assert_eq!(rows, [".###.", "#####", "#####", "#####", ".###."]);
        assert_eq!(Shape::Ellipse.weights(&[1]), Some(vec![1.0]));
        assert_eq!(Shape::Box.weights(&[3, 3]), None);
    }

    #[test]
    fn a_gaussian_hides_its_middle_and_leaves_its_farthest_corner() {
        // MONAI 1.6.1: 1 - gaussian_occlusion(torch.zeros(1, 1, 4, 4), (3, 3))[0][0, 0].
        let got = Shape::Gaussian.weights(&[3, 3]).expect("soft");
        let expected = [0.0, 0.316_992_2, 0.0, 0.316_992_2, 1.0, 0.316_992_2, 0.0, 0.316_992_2, 0.0];
        for (got, expected) in got.iter().zip(expected) {
            assert!((got - expected).abs() < 1e-6, "{got} {expected}");
        }
        assert_eq!(Shape::Gaussian.weights(&[1, 1]), Some(vec![1.0]));
        let even = Shape::Gaussian.weights(&[4]).expect("soft");
        assert!(even.iter().zip([0.0, 0.561_952_8, 1.0, 0.561_952_8]).all(|(a, b)| (a - b).abs() < 1e-6));
        // (3, 4, 5), its first places.
        let volume = Shape::Gaussian.weights(&[3, 4, 5]).expect("soft");
        let expected =
            [0.0, 0.033_137_6, 0.052_783_7, 0.033_137_6, 0.0, 0.066_655_6, 0.198_844_8, 0.277_215_5];
        assert!(volume.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6), "{volume:?}");
    }

    #[test]
    fn importance_as_monai_computes_it() {
        // compute_importance_map((3, 4), mode="gaussian", sigma_scale=0.125)
        let expected =
            [0.001, 0.0173, 0.0173, 0.001, 0.0111, 0.6065, 0.6065, 0.0111, 0.001, 0.0173, 0.0173, 0.001];
        assert!(importance(&[3, 4]).iter().zip(expected).all(|(a, b)| (a - b).abs() < 5e-5));
    }
}
