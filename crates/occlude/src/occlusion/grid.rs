//! Where the windows are: starts and ends per axis, the box of each window, and the order in which they are scored.
//!
//! In: the input's axes, window, stride, border rule, region of interest. Out: a [`Grid`]. Boxes are half-open and in elements of the input tensor.
//! What is written into a box is not here (`fill`, `occluder`).

use std::ops::Range;

use serde::Serialize;

use crate::error::{Error, Result};
use crate::tensor::TensorSpec;

/// What happens where the stride does not fit the axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Border {
    /// Starts at 0, s, 2s, ...; a last window is moved in to end at the border, so that every element is covered (if the stride is at most the window).
    #[default]
    Shift,
    /// Starts at 0, s, 2s, ... until the border is reached; the last window is cut off there. Captum's rule.
    Clip,
    /// Only whole windows at 0, s, 2s, ...; what is left at the border is not covered.
    Drop,
    /// One window centred on each of 0, s, 2s, ...: `[c - w/2, c - w/2 + w)` with `w/2` rounded down, cut off at both borders. Zeiler and Fergus' way.
    Center,
}

/// What an axis of the grid steps over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum AxisRole {
    /// Channels of the input.
    Channel,
    /// Places; the number counts the spatial axes from 0 (height before width).
    Spatial(usize),
}

/// The windows along one axis.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
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
}

impl GridAxis {
    /// Lays windows along an axis of `length` elements; `1 <= window <= length` and `1 <= stride`. `roi` keeps the windows whose
    /// centre (middle of the nominal window, before it is cut off) lies in the half-open range; it never alters a window.
    fn lay(
        length: usize,
        window: usize,
        stride: usize,
        border: Border,
        roi: Option<&Range<usize>>,
    ) -> (Vec<usize>, Vec<usize>) {
        let mut starts: Vec<isize> = Vec::new();
        let (length_i, window_i) = (length as isize, window as isize);
        match border {
            Border::Center => starts.extend((0..length_i).step_by(stride).map(|c| c - window_i / 2)),
            Border::Drop | Border::Shift | Border::Clip => {
                starts.extend((0..=length_i - window_i).step_by(stride));
                let covered = starts.last().map_or(0, |s| s + window_i);
                if covered < length_i {
                    match border {
                        Border::Shift => starts.push(length_i - window_i),
                        Border::Clip => {
                            let next = starts.last().map_or(0, |s| s + stride as isize);
                            if next < length_i {
                                starts.push(next);
                            }
                        }
                        Border::Drop | Border::Center => {}
                    }
                }
            }
        }
        // Twice the centre, so that even windows have whole numbers.
        let inside = |start: isize| {
            roi.is_none_or(|r| {
                (2 * r.start as isize..2 * r.end as isize).contains(&centre_twice(start, window, border))
            })
        };
        starts
            .into_iter()
            .filter(|&start| inside(start))
            .map(|start| (start.max(0) as usize, (start + window_i).min(length_i) as usize))
            .filter(|(start, end)| start < end)
            .unzip()
    }
    /// Number of windows along it.
    pub fn len(&self) -> usize {
        self.starts.len()
    }
    /// Whether no window lies on it.
    pub fn is_empty(&self) -> bool {
        self.starts.is_empty()
    }
}

/// Twice the centre of a window; the rule `center` means the element it was centred on (its middle).
fn centre_twice(start: isize, window: usize, border: Border) -> isize {
    match border {
        Border::Center => 2 * (start + window as isize / 2) + 1,
        _ => 2 * start + window as isize,
    }
}

/// All windows: the product of the windows along each axis, row-major, the last axis fastest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Grid {
    /// The channel axis first (only if the window has its own size there), then the spatial axes.
    pub axes: Vec<GridAxis>,
    /// The border rule that laid them.
    pub border: Border,
    /// Shape of the input tensor that the windows lie in, in the model's order.
    pub input_shape: Vec<usize>,
}

impl Grid {
    /// Lays the windows. `window` and `stride` have one entry per spatial axis, or one more in front for the channel axis; `roi` one range per spatial axis.
    ///
    /// # Errors
    /// Argument: wrong number of sizes, a window of 0 or larger than the input, a stride of 0, a region outside the input or without any window.
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
        if let Some(roi) = roi {
            check_roi(roi, &spec.spatial())?;
        }
        let mut axes = Vec::with_capacity(roles.len());
        for (place, (role, tensor_axis)) in roles.into_iter().enumerate() {
            let length = spec.shape[tensor_axis];
            let (window, stride) = (window[place], stride[place]);
            let name = axis_name(role, spatial_rank);
            if window == 0 {
                return Err(Error::argument(format!("window of 0 elements along the {name} axis"))
                    .with_hint("the smallest window is 1"));
            }
            if window > length {
                return Err(Error::argument(format!(
                    "window {window} is larger than the input, which has {length} elements along the {name} axis"
                ))
                .with_hint(format!("the largest window there is {length}; sizes are in elements of the model's input ({whole}), not of the picture file")));
            }
            if stride == 0 {
                return Err(Error::argument(format!("stride of 0 elements along the {name} axis"))
                    .with_hint("the smallest stride is 1"));
            }
            let range = match role {
                AxisRole::Spatial(i) => roi.map(|r| &r[i]),
                AxisRole::Channel => None,
            };
            let (starts, ends) = GridAxis::lay(length, window, stride, border, range);
            if starts.is_empty() {
                let range = range.cloned().unwrap_or(0..length);
                return Err(Error::argument(format!(
                    "no window has its centre in the region {}:{} of the {name} axis (window {window}, stride {stride})",
                    range.start, range.end
                ))
                .with_hint("make the region larger or the stride smaller"));
            }
            axes.push(GridAxis { role, tensor_axis, length, window, stride, starts, ends });
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

fn check_roi(roi: &[Range<usize>], spatial: &[usize]) -> Result<()> {
    let whole = spatial.iter().map(|n| format!("0:{n}")).collect::<Vec<_>>().join(",");
    if roi.len() != spatial.len() {
        return Err(Error::argument(format!(
            "the region has {} ranges, the input has {} spatial axes",
            roi.len(),
            spatial.len()
        ))
        .with_hint(format!("the whole input is {whole}")));
    }
    for (range, &length) in roi.iter().zip(spatial) {
        if range.start >= range.end || range.end > length {
            return Err(Error::argument(format!(
                "region {}:{} is empty or outside the input (0:{length})",
                range.start, range.end
            ))
            .with_hint(format!("the whole input is {whole}; ends are exclusive")));
        }
    }
    Ok(())
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

    fn lay(length: usize, window: usize, stride: usize, border: Border) -> Vec<(usize, usize)> {
        let (starts, ends) = GridAxis::lay(length, window, stride, border, None);
        starts.into_iter().zip(ends).collect()
    }

    #[test]
    fn borders_by_hand() {
        assert_eq!(lay(10, 4, 3, Border::Shift), [(0, 4), (3, 7), (6, 10)]);
        assert_eq!(lay(11, 4, 3, Border::Shift), [(0, 4), (3, 7), (6, 10), (7, 11)]);
        assert_eq!(lay(11, 4, 3, Border::Clip), [(0, 4), (3, 7), (6, 10), (9, 11)]);
        assert_eq!(lay(11, 4, 3, Border::Drop), [(0, 4), (3, 7), (6, 10)]);
        assert_eq!(lay(8, 3, 3, Border::Center), [(0, 2), (2, 5), (5, 8)]);
        assert_eq!(lay(8, 4, 4, Border::Center), [(0, 2), (2, 6)]);
        assert_eq!(lay(5, 5, 9, Border::Clip), [(0, 5)]);
        assert_eq!(lay(5, 2, 4, Border::Clip), [(0, 2), (4, 5)]);
        // A stride larger than the window may leave less than a stride at the end: nothing starts there.
        assert_eq!(lay(5, 2, 6, Border::Clip), [(0, 2)]);
        assert_eq!(lay(224, 28, 14, Border::Shift).len(), 15);
    }

    #[test]
    fn a_region_keeps_windows_by_their_centre() {
        let (starts, _) = GridAxis::lay(12, 4, 2, Border::Shift, Some(&(4..8)));
        assert_eq!(starts, [2, 4], "centres 4 and 6; the one at 8 is outside a half-open range");
        let (starts, _) = GridAxis::lay(6, 3, 1, Border::Center, Some(&(0..2)));
        assert_eq!(starts, [0, 0], "centred on elements 0 and 1");
    }

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
        fn windows_obey_their_border_rule(length in 1usize..60, window_raw in 1usize..60, stride in 1usize..20) {
            let window = window_raw.min(length);
            let covers = |windows: &[(usize, usize)]| {
                (0..length).filter(|i| windows.iter().any(|(s, e)| (s..e).contains(&i))).count()
            };
            let shift = lay(length, window, stride, Border::Shift);
            prop_assert!(shift.iter().all(|(s, e)| e - s == window && *e <= length));
            prop_assert!(shift.windows(2).all(|w| w[0].0 < w[1].0));
            if stride <= window { prop_assert_eq!(covers(&shift), length); }
            let clip = lay(length, window, stride, Border::Clip);
            // Captum: ceil((N - w) / s) + 1 windows, as long as strides do not jump over the end.
            if stride <= window {
                prop_assert_eq!(clip.len(), (length - window).div_ceil(stride) + 1);
                prop_assert_eq!(covers(&clip), length);
            }
            prop_assert!(clip.iter().enumerate().all(|(i, (s, e))| *s == i * stride && *e == (s + window).min(length)));
            let drop = lay(length, window, stride, Border::Drop);
            prop_assert_eq!(drop.len(), (0..length).filter(|s| s % stride == 0 && s + window <= length).count());
            let center = lay(length, window, stride, Border::Center);
            prop_assert_eq!(center.len(), length.div_ceil(stride));
            for (i, (s, e)) in center.iter().enumerate() {
                for x in 0..length {
                    let low = (i * stride) as isize - (window / 2) as isize;
                    let inside = (low..low + window as isize).contains(&(x as isize));
                    prop_assert_eq!(inside, (*s..*e).contains(&x));
                }
            }
        }

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
