//! A map spread to input elements: each element gets the mean over the computed windows that cover it (Captum's aggregation).
//!
//! Boxes are added into a difference array (one corner update per vertex), then summed up along each axis: the cost does not depend on the
//! window's size. Sums are f64; an element that no computed window covers is NaN.

use super::Map;

/// Sensitivities per input element.
#[derive(Clone, Debug, PartialEq)]
pub struct Attribution {
    /// `[T, lengths of the grid's axes in elements...]`: the channel axis only if the grid has one, then the spatial axes.
    pub shape: Vec<usize>,
    /// Row-major values, in the unit of the map; NaN = not covered.
    pub values: Vec<f32>,
}

impl Map {
    /// Spreads the map to input elements: the mean over the computed windows that cover each element.
    pub fn attribution(&self) -> Attribution {
        let lengths: Vec<usize> = self.grid.axes.iter().map(|axis| axis.length).collect();
        let elements: usize = lengths.iter().product();
        let mut shape = vec![self.targets.len()];
        shape.extend(&lengths);
        let mut values = Vec::with_capacity(self.targets.len() * elements);
        for target in 0..self.targets.len() {
            values.extend(self.spread(&lengths, self.sensitivity_of(target)));
        }
        Attribution { shape, values }
    }

    fn spread(&self, lengths: &[usize], sensitivity: &[f32]) -> Vec<f32> {
        let padded: Vec<usize> = lengths.iter().map(|n| n + 1).collect();
        let mut sums = vec![0.0f64; padded.iter().product()];
        let mut counts = vec![0i64; sums.len()];
        let rank = lengths.len();
        for (window, &value) in sensitivity.iter().enumerate() {
            if value.is_nan() {
                continue;
            }
            let index = self.grid.unravel(window);
            for corner in 0..1usize << rank {
                let mut at = 0;
                for (place, axis) in self.grid.axes.iter().enumerate() {
                    let edge = if corner >> place & 1 == 1 {
                        axis.ends[index[place]]
                    } else {
                        axis.starts[index[place]]
                    };
                    at = at * padded[place] + edge;
                }
                let sign = if corner.count_ones() % 2 == 0 { 1 } else { -1 };
                sums[at] += f64::from(value) * sign as f64;
                counts[at] += sign;
            }
        }
        let mut stride = 1;
        for place in (0..rank).rev() {
            for at in 0..sums.len() {
                if at / stride % padded[place] > 0 {
                    sums[at] += sums[at - stride];
                    counts[at] += counts[at - stride];
                }
            }
            stride *= padded[place];
        }
        let mut out = Vec::with_capacity(lengths.iter().product());
        for at in 0..sums.len() {
            let mut rest = at;
            let inside = padded.iter().rev().all(|&n| {
                let last = rest % n == n - 1;
                rest /= n;
                !last
            });
            if inside {
                out.push(if counts[at] > 0 { (sums[at] / counts[at] as f64) as f32 } else { f32::NAN });
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use crate::map::tests_support::map;
    use proptest::prelude::*;

    #[test]
    fn uncovered_elements_are_nan() {
        let map = map([1, 5], [1, 2], [1, 3], vec![1.0, 3.0]);
        let attribution = map.attribution();
        assert_eq!(attribution.shape, [1, 1, 5]);
        assert_eq!(attribution.values[..2], [1.0, 1.0]);
        assert!(attribution.values[2].is_nan());
        assert_eq!(attribution.values[3..], [3.0, 3.0]);
    }

    proptest! {
        #[test]
        fn mean_over_covering_windows(h in 1usize..9, w in 1usize..9, wh in 1usize..5, ww in 1usize..5, sh in 1usize..4, sw in 1usize..4, seed in any::<u64>()) {
            let (window, stride) = ([wh.min(h), ww.min(w)], [sh, sw]);
            let empty = map([h, w], window, stride, Vec::new());
            let values: Vec<f32> = (0..empty.grid.len())
                .map(|i| match (seed >> (i % 60)) & 7 { 0 => f32::NAN, v => v as f32 - 3.5 })
                .collect();
            let map = map([h, w], window, stride, values.clone());
            let got = map.attribution().values;
            for y in 0..h {
                for x in 0..w {
                    let covering: Vec<f64> = (0..values.len())
                        .filter(|&i| { let b = map.grid.window_in_input(i); b[1].contains(&y) && b[2].contains(&x) && !values[i].is_nan() })
                        .map(|i| f64::from(values[i]))
                        .collect();
                    let expected = covering.iter().sum::<f64>() / covering.len() as f64;
                    let got = f64::from(got[y * w + x]);
                    let agrees = if covering.is_empty() { got.is_nan() } else { (got - expected).abs() < 1e-6 };
                    prop_assert!(agrees);
                }
            }
        }
    }
}
