//! Which part of a map a flat panel shows: two axes of the grid (or one, of a signal) and a fixed place on all others.
//!
//! In: a view of a map. Out: for each cell its window and the fractions of the panel that it takes. A cell is where its window's
//! centre is the nearest, and never outside its window: nothing is interpolated, gaps between windows stay gaps.

use std::ops::Range;

use crate::map::View;
use crate::occlusion::{AxisRole, GridAxis};

/// A flat cut through the grid.
#[derive(Clone, Debug)]
pub(super) struct Plane {
    /// Grid axis drawn downwards; a signal has none.
    pub row: Option<usize>,
    /// Grid axis drawn to the right.
    pub col: usize,
    /// Index per grid axis; the ones of `row` and `col` do not count.
    pub fixed: Vec<usize>,
}

/// A cell and where it is drawn: `[left, top, right, bottom]` in fractions of the panel.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cell {
    pub cell: usize,
    pub edges: [f64; 4],
}

impl Plane {
    /// The planes that show a target best, each through a cell: one for signals and pictures, three for volumes.
    pub(super) fn through(view: &View, cell: usize) -> Vec<Plane> {
        let spatial: Vec<usize> = (0..view.grid.axes.len())
            .filter(|&axis| view.grid.axes[axis].role != AxisRole::Channel)
            .collect();
        let fixed = view.grid.unravel(cell);
        let plane = |row: Option<usize>, col: usize| Plane { row, col, fixed: fixed.clone() };
        match spatial[..] {
            [] => Vec::new(),
            [col] => vec![plane(None, col)],
            [row, col] => vec![plane(Some(row), col)],
            [z, y, x] => vec![plane(Some(y), x), plane(Some(z), x), plane(Some(z), y)],
            [.., row, col] => vec![plane(Some(row), col)],
        }
    }

    /// Elements of the input across and down.
    pub(super) fn extent(&self, view: &View) -> (usize, usize) {
        let length = |axis: usize| view.grid.axes[axis].length;
        (length(self.col), self.row.map_or(1, length))
    }

    /// All cells of the plane, row by row.
    pub(super) fn cells(&self, view: &View) -> Vec<Cell> {
        let axes = &view.grid.axes;
        let across = fractions(&axes[self.col]);
        let down = self.row.map_or(vec![(0.0, 1.0)], |row| fractions(&axes[row]));
        let mut cells = Vec::with_capacity(across.len() * down.len());
        for (r, &(top, bottom)) in down.iter().enumerate() {
            for (c, &(left, right)) in across.iter().enumerate() {
                let mut index = self.fixed.clone();
                if let Some(row) = self.row {
                    index[row] = r;
                }
                index[self.col] = c;
                cells.push(Cell { cell: view.grid.ravel(&index), edges: [left, top, right, bottom] });
            }
        }
        cells
    }

    /// Where a box of the input (one range per axis of its shape) lies, if it holds the place of this plane on the axes that are not seen.
    pub(super) fn part(&self, view: &View, bounds: &[Range<usize>]) -> Option<[f64; 4]> {
        let axes = &view.grid.axes;
        let holds = |axis: usize| {
            let (bounds, at) = (&bounds[axes[axis].tensor_axis], self.fixed[axis]);
            bounds.start <= axes[axis].starts[at] && axes[axis].ends[at] <= bounds.end
        };
        if !(0..axes.len()).all(|axis| Some(axis) == self.row || axis == self.col || holds(axis)) {
            return None;
        }
        let span = |axis: usize| {
            let (bounds, length) = (&bounds[axes[axis].tensor_axis], axes[axis].length as f64);
            (bounds.start as f64 / length, bounds.end as f64 / length)
        };
        let (left, right) = span(self.col);
        let (top, bottom) = self.row.map_or((0.0, 1.0), span);
        Some([left, top, right, bottom])
    }
}

/// The cells along one axis in fractions of its length.
fn fractions(axis: &GridAxis) -> Vec<(f64, f64)> {
    let centre = |i: usize| (axis.starts[i] + axis.ends[i]) as f64 / 2.0;
    let length = axis.length as f64;
    (0..axis.len())
        .map(|i| {
            let (start, end) = (axis.starts[i] as f64, axis.ends[i] as f64);
            let from = if i > 0 { start.max((centre(i - 1) + centre(i)) / 2.0) } else { start };
            let to = if i + 1 < axis.len() { end.min((centre(i) + centre(i + 1)) / 2.0) } else { end };
            (from / length, to / length)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::map::tests_support::map;

    #[test]
    fn overlapping_windows_meet_half_way_and_cover_everything() {
        let made = map([4, 11], [4, 4], [4, 3], vec![0.0; 4]);
        let made = made.view();
        assert_eq!(made.grid.axes[1].starts, [0, 3, 6, 9]);
        let plane = &Plane::through(&made, 0)[0];
        let across: Vec<(f64, f64)> = plane.cells(&made).iter().map(|c| (c.edges[0], c.edges[2])).collect();
        let expected = [(0.0, 3.5), (3.5, 6.5), (6.5, 9.0), (9.0, 11.0)];
        assert_eq!(across, expected.map(|(from, to)| (from / 11.0, to / 11.0)));
        assert_eq!(
            plane.part(&made, &made.grid.window_in_input(1)),
            Some([3.0 / 11.0, 0.0, 7.0 / 11.0, 1.0])
        );
    }

    #[test]
    fn windows_apart_leave_gaps() {
        let made = map([2, 8], [2, 2], [2, 6], vec![0.0; 2]);
        let made = made.view();
        let cells = Plane::through(&made, 0)[0].cells(&made);
        assert_eq!((cells[0].edges[2], cells[1].edges[0]), (0.25, 0.75));
    }
}
