//! Fast marching over the hidden region of a picture: distances from its rim, and the order in which places become known.
//!
//! In: the picture's size, a box, which places of it are hidden. Out: a [`Field`]: the distance of every place from the rim (negative outside), and a walk
//! over the hidden places from the rim inwards. Sethian's scheme as in Telea 2004; equal distances keep the order in which they came, as in OpenCV, so that
//! the results can be compared element by element. Values are not known here (`inpaint`).

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::ops::Range;

/// Places of a box, row-major.
pub(super) fn box_places(
    spatial_box: &[Range<usize>; 2],
) -> impl Iterator<Item = [usize; 2]> + Clone + use<> {
    let columns = spatial_box[1].clone();
    spatial_box[0].clone().flat_map(move |y| columns.clone().map(move |x| [y, x]))
}

/// The distance of what no front has reached.
const FAR: f32 = 1.0e6;

/// Distances and flags of the part of the picture that is looked at, with a rim of one place of nothing.
pub(super) struct Field {
    /// Of the whole picture.
    pub(super) size: [usize; 2],
    /// The part that is looked at.
    part: [Range<usize>; 2],
    /// Row length of the two fields: the part's and two.
    row: usize,
    /// Distance to the rim of the hidden region: positive inside, negative outside.
    pub(super) distance: Vec<f32>,
    /// Not known yet.
    pub(super) hidden: Vec<bool>,
    /// The hidden region's rim: known places next to a hidden one, row-major.
    rim: Vec<[usize; 2]>,
}

impl Field {
    pub(super) fn new(
        size: [usize; 2],
        spatial_box: &[Range<usize>; 2],
        hidden: Option<&[bool]>,
        margin: usize,
    ) -> Self {
        let part = [0, 1].map(|axis| {
            let range = &spatial_box[axis];
            range.start.saturating_sub(margin)..(range.end + margin).min(size[axis])
        });
        let row = part[1].len() + 2;
        let cells = (part[0].len() + 2) * row;
        let mut field = Field {
            size,
            part,
            row,
            distance: vec![FAR; cells],
            hidden: vec![false; cells],
            rim: Vec::new(),
        };
        for (at, place) in box_places(spatial_box).enumerate() {
            if hidden.is_none_or(|h| h[at]) {
                let cell = field.cell(place);
                field.hidden[cell] = true;
            }
        }
        let rim = |place: &[usize; 2]| {
            let cell = field.cell(*place);
            !field.hidden[cell] && field.neighbours(cell).into_iter().any(|n| field.hidden[n])
        };
        field.rim = field.places().filter(rim).collect();
        for index in 0..field.rim.len() {
            let cell = field.cell(field.rim[index]);
            field.distance[cell] = 0.0;
        }
        field
    }
    pub(super) fn places(&self) -> impl Iterator<Item = [usize; 2]> + Clone + use<> {
        box_places(&self.part)
    }
    pub(super) fn is_all_hidden(&self) -> bool {
        self.places().all(|place| self.hidden[self.cell(place)]) && self.part == self.size.map(|n| 0..n)
    }
    /// Index in a plane of the part's values.
    pub(super) fn index(&self, [y, x]: [usize; 2]) -> usize {
        (y - self.part[0].start) * self.part[1].len() + x - self.part[1].start
    }
    /// Index in `distance` and `hidden`.
    pub(super) fn cell(&self, [y, x]: [usize; 2]) -> usize {
        (y - self.part[0].start + 1) * self.row + x - self.part[1].start + 1
    }
    pub(super) fn place(&self, cell: usize) -> [usize; 2] {
        [cell / self.row + self.part[0].start - 1, cell % self.row + self.part[1].start - 1]
    }
    pub(super) fn is_in_part(&self, cell: usize) -> bool {
        let (y, x) = (cell / self.row, cell % self.row);
        (1..=self.part[0].len()).contains(&y) && (1..=self.part[1].len()).contains(&x)
    }
    /// Above, left, below, right: the order decides between equal distances. Only for cells of the part, so that all four exist.
    fn neighbours(&self, cell: usize) -> [usize; 4] {
        [cell - self.row, cell - 1, cell + self.row, cell + 1]
    }

    /// Distances of known places within `radius` rows and columns of a hidden one, made negative.
    pub(super) fn march_outside(&mut self, radius: usize) {
        let mut is_open = self.near_hidden(radius);
        for (open, hidden) in is_open.iter_mut().zip(&self.hidden) {
            *open &= !hidden;
        }
        let mut front = Front::default();
        let rim: Vec<usize> = self.rim.iter().map(|&place| self.cell(place)).collect();
        for &cell in &rim {
            is_open[cell] = false;
            front.push(cell, 0.0);
        }
        let mut reached = Vec::new();
        while let Some(cell) = front.pop() {
            reached.push(cell);
            for next in self.neighbours(cell) {
                if is_open[next] {
                    let distance = self.arrival(next, &is_open);
                    self.distance[next] = distance;
                    is_open[next] = false;
                    front.push(next, distance);
                }
            }
        }
        for cell in reached {
            self.distance[cell] = -self.distance[cell];
        }
    }

    /// Cells of the part that have a hidden one in the square of `2 radius + 1` around them.
    fn near_hidden(&self, radius: usize) -> Vec<bool> {
        let mut near = vec![false; self.hidden.len()];
        // Separable: along rows, then along columns.
        let spread = |from: &[bool], to: &mut [bool], step: usize, count: usize, lines: &[usize]| {
            for &line in lines {
                for at in (0..count).filter(|at| from[line + at * step]) {
                    let reach = at.saturating_sub(radius).max(1)..(at + radius + 1).min(count - 1);
                    reach.for_each(|other| to[line + other * step] = true);
                }
            }
        };
        let rows = self.hidden.len() / self.row;
        let mut along_rows = near.clone();
        let row_starts: Vec<usize> = (0..rows).map(|y| y * self.row).collect();
        spread(&self.hidden, &mut along_rows, 1, self.row, &row_starts);
        let column_starts: Vec<usize> = (0..self.row).collect();
        spread(&along_rows, &mut near, self.row, rows, &column_starts);
        near
    }

    /// Walks over the hidden places in the order of their distance from the rim; `fill` is called with a place once its distance is set and before it becomes known.
    pub(super) fn march_inside(&mut self, mut fill: impl FnMut(&Field, [usize; 2])) {
        let mut front = Front::default();
        for &place in &self.rim {
            front.push(self.cell(place), 0.0);
        }
        while let Some(cell) = front.pop() {
            for next in self.neighbours(cell) {
                if !self.hidden[next] {
                    continue;
                }
                let distance = self.arrival(next, &self.hidden);
                self.distance[next] = distance;
                fill(self, self.place(next));
                self.hidden[next] = false;
                front.push(next, distance);
            }
        }
    }

    /// When a front of speed 1 arrives: the least solution of `|grad T| = 1` over the four pairs of a vertical and a horizontal neighbour; those that are `open` have no time yet.
    fn arrival(&self, cell: usize, open: &[bool]) -> f32 {
        let [above, left, below, right] = self.neighbours(cell);
        let solve = |a: usize, b: usize| -> f32 {
            let (ta, tb) = (f64::from(self.distance[a]), f64::from(self.distance[b]));
            let time = match (open[a], open[b]) {
                (false, false) if (ta - tb).abs() >= 1.0 => 1.0 + ta.min(tb),
                (false, false) => (ta + tb + (2.0 - (ta - tb) * (ta - tb)).sqrt()) * 0.5,
                (false, true) => 1.0 + ta,
                (true, false) => 1.0 + tb,
                (true, true) => 1.0 + ta.min(tb),
            };
            time as f32
        };
        solve(above, left).min(solve(below, left)).min(solve(above, right)).min(solve(below, right))
    }

    /// The cells before and after this one along an axis (0 rows, 1 columns).
    pub(super) fn around(&self, cell: usize, axis: usize) -> [usize; 2] {
        let step = if axis == 0 { self.row } else { 1 };
        [cell - step, cell + step]
    }
}

/// Cells ordered by distance; those of equal distance in the order in which they came.
#[derive(Default)]
struct Front {
    heap: BinaryHeap<Entry>,
    count: usize,
}

impl Front {
    fn push(&mut self, cell: usize, distance: f32) {
        self.heap.push(Entry { distance, order: self.count, cell });
        self.count += 1;
    }
    fn pop(&mut self) -> Option<usize> {
        self.heap.pop().map(|entry| entry.cell)
    }
}

struct Entry {
    distance: f32,
    order: usize,
    cell: usize,
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> Ordering {
        // The heap gives the greatest first, the march wants the nearest.
        other.distance.total_cmp(&self.distance).then(other.order.cmp(&self.order))
    }
}
impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}
impl Eq for Entry {}
