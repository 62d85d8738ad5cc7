//! Where the windows are: starts and ends per axis, the box of each window, and the order in which they are scored.
//!
//! In: the input's axes, window, stride, border rule, region of interest. Out: a [`Grid`]. Boxes are half-open and in elements of the input tensor.
//! What is written into a box is not here (`fill`, `occluder`).

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::lay::{Axis, Border};
use crate::error::{Error, Result};
use crate::tensor::TensorSpec;

/// What an axis of the grid steps over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AxisRole {
    /// Channels of the input.
    Channel,
    /// Places; the number counts the spatial axes from 0 (height before width).
    Spatial(usize),
}

/// The windows along one axis.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GridAxis {
    /// What is stepped over.
    pub role: AxisRole,
    /// Which axis of [`TensorSpec::shape`] that is.
    pub tensor_axis: usize,
    /// Elements of the input along it.
    pub length: usize,
    /// Nominal size of the window in elements; a window cut off at the border is smaller.
    pub window: usize,
    /// Nominal step in elements.
    pub stride: usize,
    /// First element of each window.
    pub starts: Vec<usize>,
    /// One past the last element of each window.
    pub ends: Vec<usize>,
    /// The elements asked for: the whole axis, or the region of interest along it.
    pub region: Range<usize>,
}

impl GridAxis {
    /// Number of windows along it.
    pub fn len(&self) -> usize {
        self.starts.len()
    }
    /// Whether no window lies on it.
    pub fn is_empty(&self) -> bool {
        self.starts.is_empty()
    }
}

/// All windows: the product of the windows along each axis, row-major, the last axis fastest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grid {
    /// The channel axis first (only if the window has its own size there), then the spatial axes.
    pub axes: Vec<GridAxis>,
    /// The border rule that laid them.
    pub border: Border,
    /// Shape of the input tensor that the windows lie in, in the model's order.
    pub input_shape: Vec<usize>,
}

impl Grid {
    /// Lays the windows. `window` and `stride` have one entry per spatial axis, or one more in front for the channel axis; `roi` has one range per spatial axis, or one more in front
    /// where windows have their own size along the channels.
    ///
    /// # Errors
    /// Argument: wrong number of sizes, a window of 0, or larger than the input where the rule does not cut it off, a stride of 0 or one that the rule refuses, a region outside the input or
    /// without any window.
    pub fn new(
        spec: &TensorSpec,
        window: &[usize],
        stride: &[usize],
        border: Border,
        roi: Option<&[Range<usize>]>,
    ) -> Result<Grid> {
        let mut roles: Vec<(AxisRole, usize)> = spec
            .spatial_axes()
            .into_iter()
            .enumerate()
            .map(|(i, axis)| (AxisRole::Spatial(i), axis))
            .collect();
        let spatial_rank = roles.len();
        if let (Some(channel_axis), true) = (spec.channel_axis, window.len() == spatial_rank + 1) {
            roles.insert(0, (AxisRole::Channel, channel_axis));
        }
        let whole = spec.spatial().iter().map(usize::to_string).collect::<Vec<_>>().join("x");
        if window.len() != roles.len() || stride.len() != roles.len() {
            return Err(Error::argument(format!(
                "window {} and stride {} do not fit the input, which has {spatial_rank} spatial axes ({whole})",
                sizes_text(window),
                sizes_text(stride)
            ))
            .with_hint(format!("give one size for all axes, {spatial_rank} sizes as in {whole}, or one more in front for the channels")));
        }
        let lengths: Vec<usize> = roles.iter().map(|(_, axis)| spec.shape[*axis]).collect();
        let regions = regions(roi, &lengths, spatial_rank)?;
        let mut axes = Vec::with_capacity(roles.len());
        for (place, (role, tensor_axis)) in roles.into_iter().enumerate() {
            let length = spec.shape[tensor_axis];
            let (window, stride) = (window[place], stride[place]);
            let name = axis_name(role, spatial_rank);
            if window == 0 && !border.may_be_empty() {
                return Err(Error::argument(format!("window of 0 elements along the {name} axis"))
                    .with_hint("the smallest window is 1"));
            }
            if window > length && !border.may_exceed() {
                return Err(Error::argument(format!(
                    "window {window} is larger than the input, which has {length} elements along the {name} axis"
                ))
                .with_hint(format!("the largest window there is {length}; sizes are in elements of the model's input ({whole}), not of the picture file")));
            }
            if stride == 0 {
                return Err(Error::argument(format!("stride of 0 elements along the {name} axis"))
                    .with_hint("the smallest stride is 1"));
            }
            let region = regions[place].clone();
            let axis = Axis { length, window, stride, region: region.clone() };
            let ranges = axis.lay(border).map_err(|why| {
                Error::argument(format!("border {} along the {name} axis: {why}", border.name()))
                    .with_hint("choose a window and a stride that fit, or another border rule")
            })?;
            if ranges.is_empty() {
                return Err(Error::argument(format!(
                    "no window has its centre in the region {}:{} of the {name} axis (window {window}, stride {stride})",
                    region.start, region.end
                ))
                .with_hint("make the region larger or the stride smaller"));
            }
            let (starts, ends) = ranges.into_iter().map(|r| (r.start, r.end)).unzip();
            axes.push(GridAxis { role, tensor_axis, length, window, stride, starts, ends, region });
        }
        Ok(Grid { axes, border, input_shape: spec.shape.clone() })
    }
    /// Number of windows along each axis.
    pub fn shape(&self) -> Vec<usize> {
        self.axes.iter().map(GridAxis::len).collect()
    }
    /// Number of windows.
    pub fn len(&self) -> usize {
        self.axes.iter().map(GridAxis::len).product()
    }
    /// Whether there is no window.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// The place of a window on the grid, one index per axis.
    pub fn unravel(&self, window: usize) -> Vec<usize> {
        let mut rest = window;
        let mut index = vec![0; self.axes.len()];
        for (place, axis) in self.axes.iter().enumerate().rev() {
            index[place] = rest % axis.len();
            rest /= axis.len();
        }
        index
    }
    /// The window at a place of the grid, one index per axis.
    pub fn ravel(&self, place: &[usize]) -> usize {
        self.axes.iter().zip(place).fold(0, |flat, (axis, i)| flat * axis.len() + i)
    }
    /// The box of a window in the input, one half-open range per axis of `input_shape`.
    pub fn window_in_input(&self, window: usize) -> Vec<Range<usize>> {
        let mut ranges: Vec<Range<usize>> = self.input_shape.iter().map(|&length| 0..length).collect();
        for (axis, index) in self.axes.iter().zip(self.unravel(window)) {
            ranges[axis.tensor_axis] = axis.starts[index]..axis.ends[index];
        }
        ranges
    }
    /// A window in words: `window [3, 5] of the grid, rows 24 to 40, columns 40 to 56 of the input`.
    pub fn describe(&self, window: usize) -> String {
        let spatial_rank = self.axes.iter().filter(|a| a.role != AxisRole::Channel).count();
        let index = self.unravel(window);
        let places: Vec<String> = self
            .axes
            .iter()
            .zip(&index)
            .map(|(axis, &i)| {
                format!("{} {}:{}", axis_name(axis.role, spatial_rank), axis.starts[i], axis.ends[i])
            })
            .collect();
        format!(
            "window {} of the grid ({} of the input)",
            crate::tensor::shape_text(&index),
            places.join(", ")
        )
    }
    /// All windows, coarse to fine: first every `2^k`-th along each axis, then the ones between, so that any beginning of the list covers the
    /// whole input evenly. The same for the same grid shape.
    pub fn coarse_to_fine(&self) -> Vec<usize> {
        let longest = self.axes.iter().map(GridAxis::len).max().unwrap_or(1);
        let top = usize::BITS - longest.saturating_sub(1).leading_zeros();
        let mut levels: Vec<Vec<usize>> = vec![Vec::new(); top as usize + 1];
        for window in 0..self.len() {
            let level = self.unravel(window).iter().map(|i| i.trailing_zeros().min(top)).min().unwrap_or(top);
            levels[level as usize].push(window);
        }
        levels.into_iter().rev().flatten().collect()
    }
}

/// One range of elements per axis of the grid: what was asked for, else the whole axis.
fn regions(
    roi: Option<&[Range<usize>]>,
    lengths: &[usize],
    spatial_rank: usize,
) -> Result<Vec<Range<usize>>> {
    let all: Vec<Range<usize>> = lengths.iter().map(|&n| 0..n).collect();
    let Some(roi) = roi else { return Ok(all) };
    let own_channels = lengths.len() - spatial_rank;
    let whole = lengths[own_channels..].iter().map(|n| format!("0:{n}")).collect::<Vec<_>>().join(",");
    let mut regions = all;
    if roi.len() != spatial_rank && roi.len() != regions.len() {
        return Err(Error::argument(format!(
            "the region has {} ranges, the input has {spatial_rank} spatial axes",
            roi.len()
        ))
        .with_hint(format!("the whole input is {whole}")));
    }
    let first = regions.len() - roi.len();
    for (range, &length) in roi.iter().zip(&lengths[first..]) {
        if range.start >= range.end || range.end > length {
            return Err(Error::argument(format!(
                "region {}:{} is empty or outside the input (0:{length})",
                range.start, range.end
            ))
            .with_hint(format!("the whole input is {whole}; ends are exclusive")));
        }
    }
    regions[first..].clone_from_slice(roi);
    Ok(regions)
}

/// `16x16`
pub fn sizes_text(sizes: &[usize]) -> String {
    sizes.iter().map(usize::to_string).collect::<Vec<_>>().join("x")
}

/// What people call an axis: channel, row, column, slice, position.
pub fn axis_name(role: AxisRole, spatial_rank: usize) -> &'static str {
    match (role, spatial_rank) {
        (AxisRole::Channel, _) => "channel",
        (AxisRole::Spatial(_), 1) => "position",
        (AxisRole::Spatial(0), 2) | (AxisRole::Spatial(1), 3) => "row",
        (AxisRole::Spatial(1), 2) | (AxisRole::Spatial(2), 3) => "column",
        (AxisRole::Spatial(0), 3) => "slice",
        (AxisRole::Spatial(_), _) => "spatial",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::Layout;
    use proptest::prelude::*;

    #[test]
    fn bad_arguments_say_what_fits() {
        let spec = TensorSpec::new("x", &[3, 32, 48], Layout::ChannelsFirst);
        let error = |window: &[usize], stride: &[usize], roi: Option<&[Range<usize>]>| {
            Grid::new(&spec, window, stride, Border::Shift, roi).expect_err("must be refused").to_string()
        };
        assert_eq!(
            error(&[33, 8], &[4, 4], None),
            "window 33 is larger than the input, which has 32 elements along the row axis"
        );
        assert_eq!(error(&[8, 8], &[4, 0], None), "stride of 0 elements along the column axis");
        assert_eq!(error(&[0, 8], &[4, 4], None), "window of 0 elements along the row axis");
        assert!(error(&[8], &[4], None).contains("2 spatial axes (32x48)"));
        assert!(error(&[8, 8], &[4, 4], Some(&[0..4, 40..49])).contains("40:49"));
        assert!(error(&[8, 8], &[8, 8], Some(&[0..3, 0..48])).contains("no window has its centre"));
    }

    #[test]
    fn a_channel_axis_of_its_own() {
        let spec = TensorSpec::new("x", &[32, 48, 3], Layout::ChannelsLast);
        let grid = Grid::new(&spec, &[1, 16, 16], &[1, 16, 16], Border::Shift, None).expect("fits");
        assert_eq!(grid.shape(), [3, 2, 3]);
        assert_eq!(grid.window_in_input(grid.len() - 1), [16..32, 32..48, 2..3]);
        let joint = Grid::new(&spec, &[16, 16], &[16, 16], Border::Shift, None).expect("fits");
        assert_eq!(joint.shape(), [2, 3]);
        assert_eq!(joint.window_in_input(4), [16..32, 16..32, 0..3]);
        assert_eq!(joint.describe(4), "window [1, 1] of the grid (row 16:32, column 16:32 of the input)");
    }

    proptest! {
        #[test]
        fn coarse_to_fine_is_a_permutation_and_begins_spread_out(a in 1usize..40, b in 1usize..40) {
            let spec = TensorSpec::new("x", &[1, a, b], Layout::ChannelsFirst);
            let grid = Grid::new(&spec, &[1, 1], &[1, 1], Border::Drop, None).expect("fits");
            let order = grid.coarse_to_fine();
            let mut sorted = order.clone();
            sorted.sort_unstable();
            prop_assert_eq!(sorted, (0..a * b).collect::<Vec<_>>());
            prop_assert_eq!(order[0], 0);
            // Each level holds all points of a lattice before any other point.
            let rank = |w: usize| grid.unravel(w).iter().map(|i| i.trailing_zeros()).min().unwrap_or(0).min(6);
            prop_assert!(order.windows(2).all(|w| rank(w[0]) >= rank(w[1])));
        }
    }
}
