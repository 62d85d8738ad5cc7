//! The shape of what is hidden inside a window's box: the box itself, an ellipse, soft edges.
//!
//! In: a shape and the box's sizes, of any number of axes. Out: how much of each element is hidden, from 0 (untouched) to 1 (replaced). MONAI's two Gaussians are here by their own definition:
//! what it hides with ([`Shape::Gaussian`]) and what it averages overlapping windows with ([`importance`]). How hidden and kept parts are put together is in `occluder`.

use serde::{Deserialize, Serialize};

/// A shape inscribed in the box of a window, over the spatial axes; channels are hidden alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Shape {
    /// All of the box.
    #[default]
    Box,
    /// The ellipse (ellipsoid) that touches the box's faces. An element is hidden if its centre lies strictly inside, that is if the sum over the axes of
    /// `((i - (n - 1) / 2) / (n / 2))^2` is less than 1: the rule of `skimage.draw.ellipse`. An axis of one element does not narrow it.
    Ellipse,
    /// `exp(-1/2 sum ((i - (n - 1) / 2) / (n / 4))^2)`, divided by its largest value, so that the middle is hidden wholly and the middles of the faces by 0.14.
    Soft,
    /// MONAI 1.x's `gaussian_occlusion`: a Gaussian of sigma = 1/4 of the size about element `n / 2` (rounded down, so an even box is not symmetric), integrated over each
    /// element, then shifted and scaled so that its least value is 0 and its largest 1. MONAI multiplies the input by 1 - weight: its fill is zero.
    Gaussian,
}

/// Standard deviation of the soft edge, as a part of the box's size.
const SOFT_SIGMA: f64 = 0.25;

impl Shape {
    /// All of them with their names.
    pub const ALL: [(&'static str, Shape); 4] = [
        ("box", Shape::Box),
        ("ellipse", Shape::Ellipse),
        ("soft", Shape::Soft),
        ("gaussian", Shape::Gaussian),
    ];

    /// The weights of a box of these sizes: row-major, each 0 to 1, at least one of them 1; `None` where all of it is hidden.
    ///
    /// ```
    /// use occlude::Shape;
    /// assert_eq!(Shape::Ellipse.weights(&[3, 3]), Some(vec![1.0; 9]));
    /// assert_eq!(Shape::Ellipse.weights(&[4, 4]).map(|w| w[..4].to_vec()), Some(vec![0.0, 1.0, 1.0, 0.0]));
    /// assert_eq!(Shape::Box.weights(&[4, 4]), None);
    /// ```
    pub fn weights(self, sizes: &[usize]) -> Option<Vec<f32>> {
        let middle = |n: usize| (n as f64 - 1.0) / 2.0;
        Some(match self {
            Shape::Box => return None,
            Shape::Ellipse => {
                let squares = sizes
                    .iter()
                    .map(|&n| (0..n).map(|i| ((i as f64 - middle(n)) / (n as f64 / 2.0)).powi(2)).collect());
                let sums = outer(squares.collect(), 0.0, |a, b| a + b);
                sums.into_iter().map(|sum| f32::from(u8::from(sum < 1.0))).collect()
            }
            Shape::Soft => {
                let axes = sizes.iter().map(|&n| {
                    let value = |i: f64| (-0.5 * ((i - middle(n)) / (SOFT_SIGMA * n as f64)).powi(2)).exp();
                    // The largest value is that of the middle, or of the two elements beside it.
                    let peak = value((n / 2) as f64);
                    (0..n).map(|i| value(i as f64) / peak).collect()
                });
                outer(axes.collect(), 1.0, |a, b| a * b).into_iter().map(|w| w as f32).collect()
            }
            Shape::Gaussian => monai_gaussian(sizes),
        })
    }
}

/// 1 less the `mul` of MONAI's `OcclusionSensitivity.gaussian_occlusion(x, sizes)` with its sigma of 0.25.
fn monai_gaussian(sizes: &[usize]) -> Vec<f32> {
    // What is left of a single one at element n / 2 after MONAI's GaussianFilter ("erf", cut off where no box reaches). In f32, as there:
    // the differences of nearby values of erf carry its rounding.
    let axes = sizes.iter().map(|&n| {
        let scale = std::f32::consts::FRAC_1_SQRT_2 / (n as f32 * 0.25);
        let erf = |x: f32| libm::erf(f64::from(scale * x)) as f32;
        (0..n)
            .map(|i| i as f32 - (n / 2) as f32)
            .map(|x| (0.5 * (erf(x + 0.5) - erf(x - 0.5))).max(0.0))
            .collect()
    });
    let kernel: Vec<f32> = outer(axes.collect(), 1.0, |a: f32, b: f32| a * b);
    let least = kernel.iter().copied().fold(f32::INFINITY, f32::min);
    let most = kernel.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    // A box of one element: MONAI's rescaling gives a factor of 0.
    kernel.into_iter().map(|v| if most > least { 1.0 - (most - v) / (most - least) } else { 1.0 }).collect()
}

/// MONAI's `compute_importance_map(sizes, mode="gaussian", sigma_scale=0.125)`: with what weight a window counts at each of its elements where windows overlap.
/// `exp(-1/2 sum ((i - (n - 1) / 2) / (n / 8))^2)`, but at least 0.001; row-major.
pub(crate) fn importance(sizes: &[usize]) -> Vec<f32> {
    let axes = sizes.iter().map(|&n| {
        let (middle, sigma) = ((n as f32 - 1.0) / 2.0, n as f32 * 0.125);
        (0..n).map(|i| (-(i as f32 - middle).powi(2) / (2.0 * sigma * sigma)).exp()).collect()
    });
    let map: Vec<f32> = outer(axes.collect(), 1.0, |a: f32, b: f32| a * b);
    let least = map.iter().copied().fold(f32::INFINITY, f32::min).max(1.0e-3);
    map.into_iter().map(|v| v.max(least)).collect()
}

/// Joins one value per axis into one per element, row-major, the first axis first.
fn outer<T: Copy>(axes: Vec<Vec<T>>, start: T, join: impl Fn(T, T) -> T) -> Vec<T> {
    axes.iter().fold(vec![start], |sofar, axis| {
        sofar.iter().flat_map(|&a| axis.iter().map(|&b| join(a, b)).collect::<Vec<T>>()).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::occlusion::reference_data::References;
    use proptest::prelude::*;

    fn sizes(name: &str) -> Vec<usize> {
        name.split('x').map(|n| n.parse().unwrap()).collect()
    }

    #[test]
    fn gaussians_equal_monai() {
        let data = References::open("shapes.npz");
        let mut names = 0;
        for name in data.starts("occlusion_") {
            let sizes = sizes(&name);
            let close = |got: &[f32], expected: &[f32]| {
                assert_eq!(got.len(), expected.len());
                let off = got.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
                assert!(off <= 1e-6, "{name}: {off}");
            };
            let factor: Vec<f32> =
                Shape::Gaussian.weights(&sizes).unwrap().into_iter().map(|w| 1.0 - w).collect();
            close(&factor, &data.floats(&format!("occlusion_{name}")));
            close(&importance(&sizes), &data.floats(&format!("importance_{name}")));
            names += 1;
        }
        assert_eq!(names, 22);
    }

    #[test]
    fn ellipses_equal_scikit_image() {
        let data = References::open("random_masks.npz");
        let names = data.starts("ellipse_");
        assert_eq!(names.len(), 7);
        for name in names {
            let expected = data.floats(&format!("ellipse_{name}"));
            assert_eq!(Shape::Ellipse.weights(&sizes(&name)).unwrap(), expected, "{name}");
        }
    }

    proptest! {
        #[test]
        fn by_definition(sizes in proptest::collection::vec(1usize..9, 0..4)) {
            let count: usize = sizes.iter().product();
            for shape in [Shape::Box, Shape::Ellipse, Shape::Soft, Shape::Gaussian] {
                let weights = shape.weights(&sizes).unwrap_or(vec![1.0; count]);
                prop_assert_eq!(weights.len(), count);
                prop_assert!(weights.iter().all(|w| (0.0..=1.0).contains(w)));
                prop_assert!(weights.contains(&1.0));
                if shape != Shape::Gaussian {
                    // Mirrored along every axis at once.
                    let turned: Vec<f32> = weights.iter().rev().copied().collect();
                    prop_assert!(weights.iter().zip(&turned).all(|(a, b)| (a - b).abs() < 1e-6));
                }
                for (element, &weight) in weights.iter().enumerate() {
                    let mut rest = element;
                    let mut index = vec![0; sizes.len()];
                    for axis in (0..sizes.len()).rev() {
                        index[axis] = rest % sizes[axis];
                        rest /= sizes[axis];
                    }
                    let part = |axis: usize| {
                        let n = sizes[axis] as f64;
                        (index[axis] as f64 - (n - 1.0) / 2.0) / n
                    };
                    let square: f64 = (0..sizes.len()).map(|axis| part(axis).powi(2)).sum();
                    match shape {
                        Shape::Ellipse => prop_assert_eq!(weight == 1.0, 4.0 * square < 1.0),
                        Shape::Soft => {
                            let nearest: f64 = sizes.iter().filter(|&&n| n % 2 == 0).map(|&n| (0.5 / n as f64).powi(2)).sum();
                            let expected = (-0.5 * (square - nearest) / (0.25 * 0.25)).exp();
                            prop_assert!((f64::from(weight) - expected).abs() < 1e-6);
                        }
                        Shape::Box => prop_assert_eq!(weight, 1.0),
                        Shape::Gaussian => {
                            let peak = index.iter().zip(&sizes).all(|(i, n)| *i == n / 2);
                            if peak { prop_assert_eq!(weight, 1.0); }
                        }
                    }
                }
            }
        }
    }
}
