//! Which taps of which part of the input are changed, for every place of a window's output box.
//!
//! In: the boxes. Out: rows (places that have a changed tap) with a key that brings places with the same changed taps together, and their
//! entries in the index table of a product. Boxes are separable, so all is kept per axis.

use std::ops::Range;

use occlude_kernels::PAD;

use crate::graph::Region;

use super::difference::Part;
use super::tables::WindowMap;

/// The largest kernel along an axis whose taps fit the bits.
pub(super) const MAX_KERNEL: usize = 64;

/// Most spatial axes.
const MAX_RANK: usize = 3;

/// A place of the output that has a changed tap.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    /// Places with the same changed taps have the same key; those with fewer come first.
    pub(super) key: u64,
    /// Counted from the first of the range.
    pub(super) window: u32,
    /// In the output's box.
    at: [u16; MAX_RANK],
}

/// The changed taps of one window.
pub(super) struct Taps {
    /// Taps along each axis, those that one run reads counted as one.
    kernel: Vec<usize>,
    /// Per axis, `[place, part, tap]`: index in the part's box.
    axes: Vec<Vec<Option<u32>>>,
    /// Per axis, per place: bit `part * kernel + tap` for every changed one.
    masks: Vec<Vec<u128>>,
    /// Per part, the lengths of its box as stored.
    lengths: Vec<Vec<usize>>,
    /// Lengths of the output's box.
    counts: Vec<usize>,
    /// Per part, where its box starts in the buffer of changes.
    starts: Vec<usize>,
}

impl Taps {
    /// Of `window`, which is number `index` of the range that the parts are of; `merged` taps along the last axis are one run.
    pub(super) fn of(
        region: &Region,
        map: &WindowMap,
        parts: &[Part],
        (window, index): (usize, usize),
        merged: usize,
    ) -> Self {
        let rank = map.input.len();
        let boxes: Vec<Option<&Region>> = parts.iter().map(|p| p.boxes.regions[window].as_ref()).collect();
        let mut kernel = map.geometry.kernel.clone();
        if merged > 1 {
            kernel[rank - 1] = 1;
        }
        let axis = |axis: usize| {
            let changed: Vec<Option<&Range<usize>>> = boxes.iter().map(|b| b.map(|b| &b[axis + 1])).collect();
            let is_merged = merged > 1 && axis + 1 == rank;
            if is_merged {
                merged_axis(map, &region[axis + 1], &changed, merged)
            } else {
                plain_axis(map, axis, &region[axis + 1], &changed)
            }
        };
        let (axes, masks) = (0..rank).map(axis).unzip();
        let stored = |(part, region): (&Part, &Option<&Region>)| {
            let mut lengths: Vec<usize> =
                region.map_or(Vec::new(), |region| region[1..=rank].iter().map(|r| r.len()).collect());
            if let Some(last) = lengths.last_mut() {
                *last += 2 * part.margin;
            }
            lengths
        };
        Taps {
            kernel,
            axes,
            masks,
            lengths: parts.iter().zip(&boxes).map(stored).collect(),
            counts: region[1..=rank].iter().map(|r| r.len()).collect(),
            starts: parts.iter().map(|p| p.starts[index]).collect(),
        }
    }

    /// Runs of one row that a product reads from each part.
    pub(super) fn runs(&self) -> usize {
        self.kernel.iter().product()
    }

    /// Pushes the places that have a changed tap.
    pub(super) fn push_rows(&self, window: usize, rows: &mut Vec<Row>) {
        let rank = self.counts.len();
        let total: usize = self.counts.iter().product();
        let is_pixelwise = self.runs() == 1;
        let mut at = [0_u16; MAX_RANK];
        for _ in 0..total {
            let masks = (0..rank).map(|axis| self.masks[axis][usize::from(at[axis])]);
            // With one tap, a part is changed at a place if it is along every axis.
            let key = if is_pixelwise {
                key_of(std::iter::once(masks.fold(u128::MAX, |all, mask| all & mask)))
            } else {
                key_of(masks)
            };
            if let Some(key) = key {
                rows.push(Row { key, window: window as u32, at });
            }
            step(&mut at, |axis| self.counts[axis], rank);
        }
    }

    /// Row-major place of a row in the output's box.
    pub(super) fn place(&self, row: &Row) -> usize {
        self.counts.iter().zip(row.at).fold(0, |place, (n, at)| place * n + usize::from(at))
    }

    /// Pushes the entries of a row: tap by tap, in each the units of all parts. Returns how many are changed.
    pub(super) fn push_entries(&self, parts: &[Part], unit: usize, row: &Row, table: &mut Vec<u32>) -> usize {
        let rank = self.kernel.len();
        let mut tap = [0_u16; MAX_RANK];
        let mut changed = 0;
        if let [part] = parts
            && part.channels == unit
        {
            return self.push_taps(0, Some(0), part, row, table);
        }
        for _ in 0..self.runs() {
            for (index, part) in parts.iter().enumerate() {
                let mut place = Some(0);
                for (axis, &tap) in tap[..rank].iter().enumerate() {
                    let at = usize::from(row.at[axis]) * parts.len() + index;
                    let next = self.axes[axis][at * self.kernel[axis] + usize::from(tap)];
                    place = place.zip(next).map(|(p, c)| p * self.lengths[index][axis] + c as usize);
                }
                let units = part.channels / unit;
                let first = place.map(|place| self.starts[index] + place * part.channels);
                match first.filter(|&first| !part.is_dropped(first)) {
                    None => table.extend(std::iter::repeat_n(PAD, units)),
                    Some(first) => {
                        changed += units;
                        table.extend((0..units).map(|u| (first + u * unit) as u32));
                    }
                }
            }
            step(&mut tap, |axis| self.kernel[axis], rank);
        }
        changed
    }
}

impl Taps {
    /// The entries of a row where there is one part of one unit: taps of `axis` and the axes behind it, from this place of the axes before it on.
    fn push_taps(
        &self,
        axis: usize,
        before: Option<usize>,
        part: &Part,
        row: &Row,
        table: &mut Vec<u32>,
    ) -> usize {
        let kernel = self.kernel[axis];
        let Some(before) = before else {
            let taps = self.kernel[axis..].iter().product();
            table.extend(std::iter::repeat_n(PAD, taps));
            return 0;
        };
        let length = self.lengths[0].get(axis).copied().unwrap_or(0);
        let first = usize::from(row.at[axis]) * kernel;
        let places =
            self.axes[axis][first..first + kernel].iter().map(|c| c.map(|c| before * length + c as usize));
        if axis + 1 == self.kernel.len() {
            let mut changed = 0;
            table.extend(places.map(|place| {
                let at = place.map(|place| self.starts[0] + place * part.channels);
                let at = at.filter(|&at| !part.is_dropped(at));
                changed += usize::from(at.is_some());
                at.map_or(PAD, |at| at as u32)
            }));
            return changed;
        }
        places.map(|place| self.push_taps(axis + 1, place, part, row, table)).sum()
    }
}

/// The next place of a box, row-major.
fn step(at: &mut [u16; MAX_RANK], length: impl Fn(usize) -> usize, rank: usize) {
    for axis in (0..rank).rev() {
        at[axis] += 1;
        if usize::from(at[axis]) < length(axis) {
            return;
        }
        at[axis] = 0;
    }
}

/// Coordinates `[place, part, tap]` and masks of an axis, tap by tap.
fn plain_axis(
    map: &WindowMap,
    axis: usize,
    outputs: &Range<usize>,
    changed: &[Option<&Range<usize>>],
) -> (Vec<Option<u32>>, Vec<u128>) {
    let kernel = map.geometry.kernel[axis];
    let mut coordinates = Vec::with_capacity(outputs.len() * changed.len() * kernel);
    let mut masks = Vec::with_capacity(outputs.len());
    for output in outputs.clone() {
        let read = |tap| map.geometry.reads(axis, output, tap, map.input[axis], map.transposed);
        let reads: Vec<Option<usize>> = (0..kernel).map(read).collect();
        let mut mask = 0;
        for (index, changed) in changed.iter().enumerate() {
            for (tap, read) in reads.iter().enumerate() {
                let inside = read
                    .zip(*changed)
                    .filter(|(at, changed)| changed.contains(at))
                    .map(|(at, c)| at - c.start);
                mask |= u128::from(inside.is_some()) << (index * kernel + tap);
                coordinates.push(inside.map(|at| at as u32));
            }
        }
        masks.push(mask);
    }
    (coordinates, masks)
}

/// The same for the last axis where one run is all `taps` of it, in lines with `taps - 1` zeros on both sides.
fn merged_axis(
    map: &WindowMap,
    outputs: &Range<usize>,
    changed: &[Option<&Range<usize>>],
    taps: usize,
) -> (Vec<Option<u32>>, Vec<u128>) {
    let last = map.input.len() - 1;
    let (stride, pad) = (map.geometry.stride[last], map.geometry.pad_before[last]);
    let mut coordinates = Vec::with_capacity(outputs.len() * changed.len());
    let mut masks = Vec::with_capacity(outputs.len());
    for output in outputs.clone() {
        let mut mask = 0;
        for (index, changed) in changed.iter().enumerate() {
            // The run reads inputs `output * stride - pad ..` of `taps`; the line starts `taps - 1` before the changed box.
            let start = changed.and_then(|changed| {
                let start = (output * stride + taps - 1).checked_sub(pad + changed.start)?;
                (start < changed.len() + taps - 1).then_some(start)
            });
            mask |= u128::from(start.is_some()) << index;
            coordinates.push(start.map(|start| start as u32));
        }
        masks.push(mask);
    }
    (coordinates, masks)
}

/// A key that sorts places by how many taps are changed and brings the same ones together; `None` if none is along some axis.
fn key_of(masks: impl Iterator<Item = u128>) -> Option<u64> {
    let (mut hash, mut count) = (0_u64, 1_u32);
    for mask in masks {
        if mask == 0 {
            return None;
        }
        count *= mask.count_ones();
        for half in [mask as u64, (mask >> 64) as u64] {
            hash = (hash.rotate_left(5) ^ half).wrapping_mul(0x517C_C1B7_2722_0A95);
        }
    }
    Some(u64::from(count.min(0xFF_FFFF)) << 40 | hash >> 24)
}
