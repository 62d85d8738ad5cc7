//! Occluded copies of one input: the only thing a scorer needs to know about windows and fills.
//!
//! In: the input, the grid, the resolved fill. Out: the box of a window, and the input with that window hidden. Nothing is blended: every element of
//! the box is assigned, and no element outside it is touched.

use std::ops::Range;

use super::fill::FillValues;
use super::grid::Grid;
use crate::tensor::{TensorSpec, for_each_run};

/// One input with its windows and its fill.
#[derive(Clone, Debug)]
pub struct Occluder {
    input: Vec<f32>,
    spec: TensorSpec,
    grid: Grid,
    fill: FillValues,
}

impl Occluder {
    /// `input` and a fill that is a tensor have the shape of `spec`; the grid was laid for it.
    pub fn new(input: Vec<f32>, spec: TensorSpec, grid: Grid, fill: FillValues) -> Self {
        debug_assert_eq!(input.len(), spec.len());
        Occluder { input, spec, grid, fill }
    }
    /// The untouched input, row-major in the model's order.
    pub fn input(&self) -> &[f32] {
        &self.input
    }
    /// What the input is.
    pub fn spec(&self) -> &TensorSpec {
        &self.spec
    }
    /// The windows.
    pub fn grid(&self) -> &Grid {
        &self.grid
    }
    /// The box of a window: one half-open range per axis of the input's shape.
    pub fn window_in_input(&self, window: usize) -> Vec<Range<usize>> {
        self.grid.window_in_input(window)
    }
    /// Writes the whole input with this window hidden.
    ///
    /// # Panics
    /// If `out` does not have the input's length.
    pub fn occlude_into(&self, window: usize, out: &mut [f32]) {
        out.copy_from_slice(&self.input);
        self.paint(window, out);
    }
    /// Writes only the hidden elements, into a copy of the input.
    pub fn paint(&self, window: usize, out: &mut [f32]) {
        let ranges = self.window_in_input(window);
        match &self.fill {
            FillValues::Tensor(values) => {
                for_each_run(&self.spec.shape, &ranges, |run| out[run.clone()].copy_from_slice(&values[run]));
            }
            FillValues::PerChannel(values) => self.paint_channels(&ranges, values, out),
            FillValues::PatchMean => self.paint_channels(&ranges, &self.patch_mean(&ranges), out),
        }
    }
    /// Writes what stands in a window's box, row-major within it; `out` has the box's length.
    pub fn write_hidden(&self, window: usize, out: &mut [f32]) {
        let ranges = self.window_in_input(window);
        let values = match &self.fill {
            FillValues::Tensor(values) => {
                let mut at = 0;
                for_each_run(&self.spec.shape, &ranges, |run| {
                    out[at..at + run.len()].copy_from_slice(&values[run.clone()]);
                    at += run.len();
                });
                return;
            }
            FillValues::PerChannel(values) => values.clone(),
            FillValues::PatchMean => self.patch_mean(&ranges),
        };
        let mut at = 0;
        for_each_run(&self.spec.shape, &ranges, |run| {
            for element in run {
                out[at] = values[self.spec.channel_of(element)];
                at += 1;
            }
        });
    }
    /// Puts the input back where a window was painted.
    pub fn restore(&self, window: usize, out: &mut [f32]) {
        let ranges = self.window_in_input(window);
        for_each_run(&self.spec.shape, &ranges, |run| out[run.clone()].copy_from_slice(&self.input[run]));
    }

    fn paint_channels(&self, ranges: &[Range<usize>], values: &[f32], out: &mut [f32]) {
        self.for_each_channel(ranges, |channel, run| out[run].fill(values[channel]));
    }

    fn patch_mean(&self, ranges: &[Range<usize>]) -> Vec<f32> {
        let mut sums = vec![(0.0f64, 0usize); self.spec.channels()];
        self.for_each_channel(ranges, |channel, run| {
            sums[channel].0 += self.input[run.clone()].iter().copied().map(f64::from).sum::<f64>();
            sums[channel].1 += run.len();
        });
        sums.into_iter().map(|(sum, count)| (sum / count.max(1) as f64) as f32).collect()
    }

    /// Runs of a box, each within one channel.
    fn for_each_channel(&self, ranges: &[Range<usize>], mut visit: impl FnMut(usize, Range<usize>)) {
        match self.spec.channel_axis {
            None => for_each_run(&self.spec.shape, ranges, |run| visit(0, run)),
            Some(axis) => {
                let mut one = ranges.to_vec();
                for channel in ranges[axis].clone() {
                    one[axis] = channel..channel + 1;
                    for_each_run(&self.spec.shape, &one, |run| visit(channel, run));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::occlusion::{Border, Fill};
    use crate::tensor::Layout;
    use proptest::prelude::*;

    fn occluder(shape: &[usize], layout: Layout, window: &[usize], fill: &Fill) -> Occluder {
        let spec = TensorSpec::new("x", shape, layout);
        let input: Vec<f32> = (0..spec.len()).map(|i| ((i * 37) % 101) as f32 / 7.0).collect();
        let stride: Vec<usize> = window.iter().map(|w| w.div_ceil(2)).collect();
        let grid = Grid::new(&spec, window, &stride, Border::Center, None).expect("fits");
        let context =
            super::super::fill::FillContext { grid: &grid, seed: 1, rgb_to_tensor: None, read_image: None };
        let values = fill.resolve(&input, &spec, &context).expect("resolves");
        Occluder::new(input, spec, grid, values)
    }

    #[test]
    fn nan_in_the_hidden_part_does_not_leak() {
        let spec = TensorSpec::new("x", &[1, 1, 4], Layout::ChannelsFirst);
        let grid = Grid::new(&spec, &[1, 2], &[1, 2], Border::Shift, None).expect("fits");
        let occluder =
            Occluder::new(vec![f32::NAN, 1.0, 2.0, 3.0], spec, grid, FillValues::PerChannel(vec![9.0]));
        let mut out = [0.0; 4];
        occluder.occlude_into(0, &mut out);
        assert_eq!(out, [9.0, 9.0, 2.0, 3.0]);
    }

    proptest! {
        #[test]
        fn only_the_box_changes_and_by_the_definition(
            c in 1usize..4, h in 1usize..7, w in 1usize..7, wc in 0usize..4, wh in 1usize..7, ww in 1usize..7, which in 0usize..5, first in any::<bool>(),
        ) {
            let fill = [Fill::Value((0..c).map(|i| i as f32 - 50.0).collect()), Fill::PatchMean, Fill::Noise, Fill::Mean, Fill::Blur][which].clone();
            let (shape, layout) = if first { (vec![c, h, w], Layout::ChannelsFirst) } else { (vec![h, w, c], Layout::ChannelsLast) };
            let mut window = vec![wh.min(h), ww.min(w)];
            if wc > 0 { window.insert(0, wc.min(c)); }
            let occluder = occluder(&shape, layout, &window, &fill);
            let mut copy = occluder.input().to_vec();
            for index in 0..occluder.grid().len() {
                let mut out = vec![f32::NAN; copy.len()];
                occluder.occlude_into(index, &mut out);
                let ranges = occluder.window_in_input(index);
                for (element, &value) in out.iter().enumerate() {
                    let at = occluder.spec().unravel(element);
                    let inside = at.iter().zip(&ranges).all(|(i, r)| r.contains(i));
                    if !inside {
                        prop_assert_eq!(value, occluder.input()[element]);
                    } else if which == 0 {
                        prop_assert_eq!(value, occluder.spec().channel_of(element) as f32 - 50.0);
                    } else if which == 1 {
                        let members: Vec<f64> = (0..out.len())
                            .filter(|&e| occluder.spec().channel_of(e) == occluder.spec().channel_of(element))
                            .filter(|&e| occluder.spec().unravel(e).iter().zip(&ranges).all(|(i, r)| r.contains(i)))
                            .map(|e| f64::from(occluder.input()[e]))
                            .collect();
                        let mean = members.iter().sum::<f64>() / members.len() as f64;
                        prop_assert!((f64::from(value) - mean).abs() < 1e-5);
                    } else {
                        prop_assert!(value.is_finite());
                    }
                }
                let mut hidden = vec![f32::NAN; ranges.iter().map(|r| r.len()).product()];
                occluder.write_hidden(index, &mut hidden);
                let mut in_box = Vec::new();
                for_each_run(&occluder.spec().shape, &ranges, |run| in_box.extend_from_slice(&out[run]));
                prop_assert_eq!(hidden, in_box);
                occluder.paint(index, &mut copy);
                prop_assert_eq!(&copy, &out);
                occluder.restore(index, &mut copy);
                prop_assert_eq!(&copy[..], occluder.input());
            }
        }
    }
}
