//! The windows of a run: every part of the input that is hidden once, numbered from 0.
//!
//! In: one grid, several of different window sizes, regions of any form, or random masks. Out: the box of a window, how much of its elements is hidden, the order in which windows are scored, and which windows
//! hide the same elements. How a grid is laid is in `grid`, how regions are found in `regions`; what is written into a window is in `occluder`.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::grid::{AxisRole, Grid, GridAxis};
use super::lay::Border;
use super::random_masks::RandomMasks;
use super::regions::Regions;
use crate::tensor::TensorSpec;

/// What is hidden, one part at a time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Windows {
    /// Boxes on one grid.
    Grid(Grid),
    /// Boxes of several sizes, a grid each, one after the other.
    Scales(Vec<Grid>),
    /// Regions of a label image.
    Regions(Regions),
    /// Random masks over the whole input: RISE.
    Masks(RandomMasks, TensorSpec),
}

impl Windows {
    /// Number of windows.
    pub fn len(&self) -> usize {
        match self {
            Windows::Regions(regions) => regions.parts.len(),
            Windows::Masks(masks, _) => masks.len(),
            _ => self.grids().iter().map(Grid::len).sum(),
        }
    }
    /// Whether there is no window.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// Number of windows along each axis of a grid; the number of windows where they are no grid.
    pub fn shape(&self) -> Vec<usize> {
        self.grid().map_or_else(|| vec![self.len()], Grid::shape)
    }
    /// The grid, if the windows are one.
    pub fn grid(&self) -> Option<&Grid> {
        match self {
            Windows::Grid(grid) => Some(grid),
            _ => None,
        }
    }
    /// The grids that windows lie on, if they lie on any.
    pub fn grids(&self) -> &[Grid] {
        match self {
            Windows::Grid(grid) => std::slice::from_ref(grid),
            Windows::Scales(grids) => grids,
            Windows::Regions(_) | Windows::Masks(..) => &[],
        }
    }
    /// The box around a window, one half-open range of elements per axis of the input. A window that hides nothing has an empty range.
    pub fn bounds(&self, window: usize) -> Vec<Range<usize>> {
        if let Windows::Regions(regions) = self {
            let mut ranges: Vec<Range<usize>> = regions.spec.shape.iter().map(|&n| 0..n).collect();
            for (axis, range) in regions.spec.spatial_axes().into_iter().zip(&regions.parts[window].bounds) {
                ranges[axis] = range.clone();
            }
            return ranges;
        }
        if let Windows::Masks(_, spec) = self {
            return spec.shape.iter().map(|&n| 0..n).collect();
        }
        let (grid, window) = self.on_grid(window);
        grid.window_in_input(window)
    }
    /// How much of each place of a window's box is hidden, row-major over the spatial axes, 0 to 1; `None` for boxes that are hidden whole.
    pub fn share(&self, window: usize) -> Option<Cow<'_, [f32]>> {
        match self {
            Windows::Regions(regions) => Some(Cow::Borrowed(&regions.parts[window].members)),
            Windows::Masks(masks, spec) => {
                let mut hidden = vec![0.0; spec.spatial().iter().product()];
                masks.kept(window, &mut hidden);
                hidden.iter_mut().for_each(|kept| *kept = 1.0 - *kept);
                Some(Cow::Owned(hidden))
            }
            _ => None,
        }
    }
    /// What a window is called, where it has a name: `liver`, `region 3`.
    pub fn title(&self, window: usize) -> Option<String> {
        match self {
            Windows::Regions(regions) => Some(regions.parts[window].title()),
            Windows::Masks(..) => Some(format!("mask {window}")),
            _ => None,
        }
    }
    /// The nominal size of windows, one per spatial axis of an input of this rank: the first grid's, or the mean size of regions' boxes.
    pub fn nominal(&self, spatial_rank: usize) -> Vec<usize> {
        match self {
            Windows::Regions(regions) => {
                let mean = |axis: usize| {
                    let sum: usize = regions.parts.iter().map(|part| part.bounds[axis].len()).sum();
                    sum / regions.parts.len().max(1)
                };
                (0..spatial_rank).map(mean).collect()
            }
            Windows::Masks(_, spec) => spec.spatial(),
            _ => {
                let axes = &self.grids()[0].axes;
                axes[axes.len() - spatial_rank..].iter().map(|axis| axis.window).collect()
            }
        }
    }
    /// The elements that windows were asked to say something about, as a grid of cells of one element: the channel axis only where windows have their own size along it.
    pub fn elements(&self) -> Grid {
        let of = |role, tensor_axis, length, region: Range<usize>| GridAxis {
            role,
            tensor_axis,
            length,
            window: 1,
            stride: 1,
            starts: region.clone().collect(),
            ends: region.clone().map(|i| i + 1).collect(),
            region,
        };
        let (axes, input_shape) = match self {
            Windows::Regions(Regions { spec, .. }) | Windows::Masks(_, spec) => {
                let axis = |(i, axis): (usize, usize)| {
                    of(AxisRole::Spatial(i), axis, spec.shape[axis], 0..spec.shape[axis])
                };
                (spec.spatial_axes().into_iter().enumerate().map(axis).collect(), spec.shape.clone())
            }
            _ => {
                let first = &self.grids()[0];
                let axis =
                    |axis: &GridAxis| of(axis.role, axis.tensor_axis, axis.length, axis.region.clone());
                (first.axes.iter().map(axis).collect(), first.input_shape.clone())
            }
        };
        Grid { axes, border: Border::Drop, input_shape }
    }
    /// The place of a window: one index per axis of its grid, the number of the grid in front where there are several; the number of a region.
    pub fn place(&self, window: usize) -> Vec<usize> {
        if self.grids().is_empty() {
            return vec![window];
        }
        let (grid, inside) = self.on_grid(window);
        let mut place = grid.unravel(inside);
        if let Windows::Scales(grids) = self {
            place.insert(0, grids.iter().position(|g| std::ptr::eq(g, grid)).unwrap_or(0));
        }
        place
    }
    /// A window in words: `window [3, 5] of the grid (row 24:40, column 40:56 of the input)`.
    pub fn describe(&self, window: usize) -> String {
        if let Windows::Regions(regions) = self {
            let part = &regions.parts[window];
            return format!("{} (label {}, {} places of the input)", part.title(), part.label, part.count);
        }
        if let Windows::Masks(..) = self {
            return format!("mask {window}");
        }
        let (grid, inside) = self.on_grid(window);
        grid.describe(inside)
    }
    /// All windows, such that any beginning of the list covers the input evenly; of several sizes one after the other.
    pub fn coarse_to_fine(&self) -> Vec<usize> {
        if let Windows::Regions(regions) = self {
            // The largest first.
            let mut order: Vec<usize> = (0..regions.parts.len()).collect();
            order.sort_by_key(|&i| (std::cmp::Reverse(regions.parts[i].count), i));
            return order;
        }
        if let Windows::Masks(masks, _) = self {
            return (0..masks.len()).collect();
        }
        let mut first = 0;
        let mut order = Vec::with_capacity(self.len());
        for grid in self.grids() {
            order.extend(grid.coarse_to_fine().into_iter().map(|window| window + first));
            first += grid.len();
        }
        order
    }
    /// Per window, the first window that hides the same elements (often itself); `None` for windows that hide nothing. Only those need a run.
    pub fn representatives(&self) -> Vec<Option<usize>> {
        if self.grids().is_empty() {
            return (0..self.len()).map(Some).collect();
        }
        let mut first = 0;
        let mut all = Vec::with_capacity(self.len());
        for grid in self.grids() {
            let per_axis: Vec<Vec<Option<usize>>> = grid
                .axes
                .iter()
                .map(|axis| {
                    let mut seen = BTreeMap::new();
                    let same = |i: usize| {
                        let range = (axis.starts[i], axis.ends[i]);
                        (range.0 < range.1).then(|| *seen.entry(range).or_insert(i))
                    };
                    (0..axis.len()).map(same).collect()
                })
                .collect();
            for window in 0..grid.len() {
                let place: Option<Vec<usize>> =
                    grid.unravel(window).iter().zip(&per_axis).map(|(&i, axis)| axis[i]).collect();
                all.push(place.map(|place| grid.ravel(&place) + first));
            }
            first += grid.len();
        }
        all
    }

    /// The windows that need a run: the first of those that hide the same elements, in order.
    pub fn runs(&self) -> Vec<usize> {
        let same = self.representatives();
        (0..same.len()).filter(|&window| same[window] == Some(window)).collect()
    }

    /// The grid of a window and its number there.
    fn on_grid(&self, window: usize) -> (&Grid, usize) {
        let mut inside = window;
        let grids = self.grids();
        for grid in grids {
            if inside < grid.len() {
                return (grid, inside);
            }
            inside -= grid.len();
        }
        panic!("window {window} of {}", self.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::occlusion::Border;
    use crate::tensor::{Layout, TensorSpec};

    fn grid(window: [usize; 3], stride: [usize; 3], border: Border) -> Grid {
        let spec = TensorSpec::new("x", &[3, 5, 4], Layout::ChannelsFirst);
        Grid::new(&spec, &window, &stride, border, None).expect("fits")
    }

    #[test]
    fn windows_that_hide_the_same_elements_are_found() {
        // MindSpore with margin 2 on three channels: [0, 2), [0, 3), [0, 3).
        let windows = Windows::Grid(grid([4, 4, 4], [1, 1, 1], Border::Margin));
        let same = windows.representatives();
        for (window, first) in same.iter().enumerate() {
            let first = first.expect("hides something");
            assert!(first <= window);
            assert_eq!(windows.bounds(first), windows.bounds(window));
            let earlier = (0..window).find(|&w| windows.bounds(w) == windows.bounds(window));
            assert_eq!(earlier.unwrap_or(window), first);
        }
        let runs = (0..60).filter(|&w| same[w] == Some(w)).count();
        assert_eq!(runs, 2 * 5 * 4);
        let nothing = Windows::Grid(grid([2, 0, 2], [1, 1, 1], Border::Margin));
        assert!(nothing.representatives().iter().all(Option::is_none));
    }

    #[test]
    fn several_sizes_follow_each_other() {
        let (coarse, fine) =
            (grid([3, 4, 4], [3, 4, 4], Border::Clip), grid([3, 2, 2], [3, 2, 2], Border::Clip));
        let windows = Windows::Scales(vec![coarse.clone(), fine.clone()]);
        assert_eq!((windows.len(), windows.shape()), (2 + 6, vec![8]));
        assert_eq!(windows.bounds(1), coarse.window_in_input(1));
        assert_eq!((windows.bounds(3), windows.place(3)), (fine.window_in_input(1), vec![1, 0, 0, 1]));
        let mut order = windows.coarse_to_fine();
        order.sort_unstable();
        assert_eq!(order, (0..8).collect::<Vec<_>>());
    }
}
