//! A map spread to input elements: each element gets the mean over the computed windows that cover it (Captum's aggregation), whatever the map's definition.

use std::ops::Range;

use super::Map;
use super::aggregate::Spread;
use super::definition::Aggregate;
use crate::occlusion::Windows;

/// Sensitivities per input element.
#[derive(Clone, Debug, PartialEq)]
pub struct Attribution {
    /// `[T, lengths of the grid's axes in elements...]`: the channel axis only if the grid has one, then the spatial axes.
    pub shape: Vec<usize>,
    /// Row-major values, in the unit of the map; NaN = not covered.
    pub values: Vec<f32>,
}

impl Map {
    /// Spreads the sensitivities to input elements: the mean over the computed windows that cover each element; of random masks RISE's estimate.
    pub fn attribution(&self) -> Attribution {
        let axes = &self.windows.elements().axes;
        let whole: Vec<Range<usize>> = axes.iter().map(|axis| 0..axis.length).collect();
        let mut shape = vec![self.targets.len()];
        shape.extend(axes.iter().map(|axis| axis.length));
        let mut values = Vec::with_capacity(shape.iter().product());
        if let Windows::Masks(masks, _) = &self.windows {
            values = self.estimate(masks, &self.scores, false);
            return Attribution { shape, values };
        }
        for target in 0..self.targets.len() {
            let mut spread = Spread::new(&whole);
            for (window, &value) in self.sensitivity_of(target).iter().enumerate() {
                if !value.is_nan() {
                    let bounds = self.windows.bounds(window);
                    let bounds: Vec<Range<usize>> =
                        axes.iter().map(|axis| bounds[axis.tensor_axis].clone()).collect();
                    match self.share(window) {
                        Some(share) => spread.add_weighted(&bounds, f64::from(value), &share),
                        None => spread.add(&bounds, f64::from(value)),
                    }
                }
            }
            values.extend(spread.finish(Aggregate::Mean, 1.0));
        }
        Attribution { shape, values }
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
            let values: Vec<f32> = (0..empty.windows.len())
                .map(|i| match (seed >> (i % 60)) & 7 { 0 => f32::NAN, v => v as f32 - 3.5 })
                .collect();
            let map = map([h, w], window, stride, values.clone());
            let got = map.attribution().values;
            for y in 0..h {
                for x in 0..w {
                    let covering: Vec<f64> = (0..values.len())
                        .filter(|&i| { let b = map.windows.bounds(i); b[1].contains(&y) && b[2].contains(&x) && !values[i].is_nan() })
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
