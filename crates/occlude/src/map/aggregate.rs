//! Numbers of windows spread to the elements of the input that they cover: mean, sum, shares, Gaussian weights.
//!
//! Boxes are added into a difference array (one corner update per vertex), then summed up along each axis: the cost does not depend on the window's size. Only Gaussian weights
//! are added element by element. Sums are f64. Peers' formulas are in `definition`.

use std::ops::Range;

use super::definition::Aggregate;

/// Sums and weights per element of a box of the input.
#[derive(Debug)]
pub(crate) struct Spread {
    /// Elements of the input that are wanted, per axis.
    region: Vec<Range<usize>>,
    sums: Vec<f64>,
    weights: Vec<f64>,
    /// Boxes not yet summed up lie in a difference array, one longer along each axis.
    corners: Option<(Vec<f64>, Vec<i64>)>,
}

impl Spread {
    pub(crate) fn new(region: &[Range<usize>]) -> Self {
        let count: usize = region.iter().map(Range::len).product();
        let padded: usize = region.iter().map(|r| r.len() + 1).product();
        Spread {
            region: region.to_vec(),
            sums: vec![0.0; count],
            weights: vec![0.0; count],
            corners: Some((vec![0.0; padded], vec![0; padded])),
        }
    }

    /// Adds a number to all elements of a box, each with weight 1.
    pub(crate) fn add(&mut self, bounds: &[Range<usize>], value: f64) {
        let Some((sums, counts)) = &mut self.corners else { return };
        let rank = bounds.len();
        for corner in 0..1usize << rank {
            let mut at = 0;
            for (axis, (bounds, region)) in bounds.iter().zip(&self.region).enumerate() {
                let edge = if corner >> axis & 1 == 1 { bounds.end } else { bounds.start };
                at = at * (region.len() + 1) + edge.clamp(region.start, region.end) - region.start;
            }
            let sign = if corner.count_ones() % 2 == 0 { 1 } else { -1 };
            sums[at] += value * f64::from(sign);
            counts[at] += i64::from(sign);
        }
    }

    /// Adds a number to the elements of a box with these weights, row-major over the box.
    pub(super) fn add_weighted(&mut self, bounds: &[Range<usize>], value: f64, weights: &[f32]) {
        let lengths: Vec<usize> = bounds.iter().map(Range::len).collect();
        for (place, &weight) in weights.iter().enumerate() {
            let (mut rest, mut at, mut stride, mut inside) = (place, 0, 1, true);
            for axis in (0..lengths.len()).rev() {
                let (index, region) = (bounds[axis].start + rest % lengths[axis], &self.region[axis]);
                rest /= lengths[axis];
                inside &= region.contains(&index);
                at += index.saturating_sub(region.start) * stride;
                stride *= region.len();
            }
            if inside {
                self.sums[at] += value * f64::from(weight);
                self.weights[at] += f64::from(weight);
            }
        }
    }

    /// The result per element, row-major over the region; NaN where nothing was added. `nominal` is the number of elements of a window, for shares.
    pub(crate) fn finish(mut self, aggregate: Aggregate, nominal: f64) -> Vec<f32> {
        self.sum_up();
        let of = |(&sum, &weight): (&f64, &f64)| match aggregate {
            _ if weight == 0.0 => f32::NAN,
            Aggregate::Sum => sum as f32,
            Aggregate::Share => (sum / weight / nominal) as f32,
            Aggregate::Biased => (sum / (weight + 1.0)) as f32,
            Aggregate::Mean | Aggregate::Gaussian | Aggregate::Cells => (sum / weight) as f32,
        };
        self.sums.iter().zip(&self.weights).map(of).collect()
    }

    fn sum_up(&mut self) {
        let Some((mut sums, mut counts)) = self.corners.take() else { return };
        let padded: Vec<usize> = self.region.iter().map(|r| r.len() + 1).collect();
        let mut stride = 1;
        for &length in padded.iter().rev() {
            for at in stride..sums.len() {
                if at / stride % length > 0 {
                    sums[at] += sums[at - stride];
                    counts[at] += counts[at - stride];
                }
            }
            stride *= length;
        }
        let mut element = 0;
        for at in 0..sums.len() {
            let mut rest = at;
            let inside = padded.iter().rev().all(|&n| {
                let is_last = rest % n == n - 1;
                rest /= n;
                !is_last
            });
            if inside {
                if counts[at] > 0 {
                    self.sums[element] += sums[at];
                    self.weights[element] += counts[at] as f64;
                }
                element += 1;
            }
        }
    }
}
