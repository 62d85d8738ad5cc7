//! What of a window really changes: where the fill is what was there already (the black around a scan), hiding it does nothing.
//!
//! In: an input and what is written over it. Out: per box the smallest box around elements that change, found in constant time by sums over boxes (a summed-area table). The engine shrinks its
//! boxes by itself; this says beforehand which windows need no run, and how much is saved.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::fill::FillValues;
use crate::tensor::TensorSpec;

/// How much of what windows cover needs no computing, since it is the fill already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unchanged {
    /// Windows whose elements are all the fill already: they are not run.
    pub windows: usize,
    /// Windows.
    pub of_windows: usize,
    /// Elements of all windows outside the smallest box, in each, around those that change.
    pub elements: u64,
    /// Elements of all windows.
    pub of_elements: u64,
}

impl Unchanged {
    /// Share of the covered elements that is saved, 0 to 1.
    pub fn share(&self) -> f64 {
        if self.of_elements == 0 { 0.0 } else { self.elements as f64 / self.of_elements as f64 }
    }
}

/// Where an input differs from its fill.
#[derive(Clone, Debug)]
pub(super) struct Difference {
    /// One more than the input's lengths.
    shape: Vec<usize>,
    /// How many elements before a place, along every axis, differ.
    sums: Vec<u32>,
}

impl Difference {
    /// `None` where what is written depends on the window, or the input has more elements than are counted.
    pub(super) fn of(spec: &TensorSpec, values: &[f32], fill: &FillValues) -> Option<Difference> {
        let channels = spec.channel_axis.map(|axis| (spec.strides()[axis], spec.shape[axis]));
        let channel = |element: usize| channels.map_or(0, |(stride, length)| element / stride % length);
        let at = |element: usize| match fill {
            FillValues::PerChannel(all) => Some(all[channel(element)]),
            FillValues::Tensor(all) => Some(all[element]),
            _ => None,
        };
        at(0)?;
        let shape: Vec<usize> = spec.shape.iter().map(|n| n + 1).collect();
        u32::try_from(shape.iter().product::<usize>()).ok()?;
        let mut sums = vec![0u32; shape.iter().product()];
        let strides = strides(&shape);
        let mut index = vec![0; shape.len()];
        for (element, value) in values.iter().enumerate() {
            let differs = at(element).is_some_and(|fill| fill.to_bits() != value.to_bits());
            let place: usize = index.iter().zip(&strides).map(|(i, s)| (i + 1) * s).sum();
            sums[place] = u32::from(differs);
            for (i, n) in index.iter_mut().zip(&spec.shape).rev() {
                *i += 1;
                if *i < *n {
                    break;
                }
                *i = 0;
            }
        }
        for (axis, stride) in strides.iter().enumerate() {
            for place in *stride..sums.len() {
                if place / stride % shape[axis] > 0 {
                    sums[place] += sums[place - stride];
                }
            }
        }
        Some(Difference { shape, sums })
    }

    /// How many elements of a box differ.
    fn count(&self, ranges: &[Range<usize>]) -> u32 {
        let strides = strides(&self.shape);
        let mut plus = 0u32;
        for corner in 0..1usize << ranges.len() {
            let at = ranges.iter().zip(&strides).enumerate().map(|(axis, (range, stride))| {
                stride * if corner >> axis & 1 == 1 { range.start } else { range.end }
            });
            let sum = self.sums[at.sum::<usize>()];
            // Sums wrap on the way; the count itself fits.
            plus = if corner.count_ones() % 2 == 1 { plus.wrapping_sub(sum) } else { plus.wrapping_add(sum) };
        }
        plus
    }

    /// The smallest box around the elements of a box that differ; `None` where none does.
    pub(super) fn tight(&self, ranges: &[Range<usize>]) -> Option<Vec<Range<usize>>> {
        if ranges.iter().any(Range::is_empty) || self.count(ranges) == 0 {
            return None;
        }
        let mut tight = ranges.to_vec();
        for axis in 0..ranges.len() {
            let differs = |tight: &[Range<usize>], part: Range<usize>| {
                let mut slab = tight.to_vec();
                slab[axis] = part;
                self.count(&slab) > 0
            };
            while !differs(&tight, tight[axis].start..tight[axis].start + 1) {
                tight[axis].start += 1;
            }
            while !differs(&tight, tight[axis].end - 1..tight[axis].end) {
                tight[axis].end -= 1;
            }
        }
        Some(tight)
    }
}

fn strides(shape: &[usize]) -> Vec<usize> {
    let mut strides = vec![1; shape.len()];
    for axis in (1..shape.len()).rev() {
        strides[axis - 1] = strides[axis] * shape[axis];
    }
    strides
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::Layout;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn boxes_are_as_tight_as_by_hand(
            c in 1usize..3, d in 1usize..4, h in 1usize..5, w in 1usize..6, seed in any::<u64>(), few in 1u64..9, first in any::<bool>(),
        ) {
            let (shape, layout) = if first { ([c, d, h, w], Layout::ChannelsFirst) } else { ([d, h, w, c], Layout::ChannelsLast) };
            let spec = TensorSpec::new("x", &shape, layout);
            let mut state = seed;
            let mut next = |below: usize| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (state >> 33) as usize % below
            };
            let values: Vec<f32> = (0..spec.len()).map(|_| f32::from(u8::from(next(few as usize) == 0))).collect();
            let fill: Vec<f32> = (0..c).map(|_| next(2) as f32).collect();
            let difference = Difference::of(&spec, &values, &FillValues::PerChannel(fill.clone())).expect("known");
            for _ in 0..20 {
                let ranges: Vec<Range<usize>> = shape.iter().map(|&n| { let a = next(n); a..a + 1 + next(n - a) }).collect();
                let mut expected: Option<Vec<Range<usize>>> = None;
                for (element, value) in values.iter().enumerate() {
                    let index = spec.unravel(element);
                    if *value == fill[spec.channel_of(element)] || !index.iter().zip(&ranges).all(|(i, r)| r.contains(i)) {
                        continue;
                    }
                    let around = expected.get_or_insert_with(|| index.iter().map(|&i| i..i + 1).collect());
                    for (range, &i) in around.iter_mut().zip(&index) {
                        *range = range.start.min(i)..range.end.max(i + 1);
                    }
                }
                prop_assert_eq!(difference.tight(&ranges), expected);
            }
        }
    }

    #[test]
    fn fills_that_hang_on_the_window_are_not_known() {
        let spec = TensorSpec::new("x", &[1, 2, 2], Layout::ChannelsFirst);
        assert!(Difference::of(&spec, &[0.0; 4], &FillValues::PatchMean).is_none());
        let same =
            Difference::of(&spec, &[1.0, 2.0, 3.0, 4.0], &FillValues::Tensor(vec![1.0, 2.0, 0.0, 4.0]))
                .expect("known");
        assert_eq!(same.tight(&[0..1, 0..2, 0..2]), Some(vec![0..1, 1..2, 0..1]));
        assert_eq!(same.tight(&[0..1, 0..1, 0..2]), None);
    }
}
