//! The changed part of every tensor, for a group of windows: small dense boxes beside the baseline.
//!
//! A [`Region`] is in stored axes; the values of a box are row-major within it. The boxes of all windows of one tensor lie one after the other in
//! one buffer, so that their rows form one product. What is outside a box is read from the baseline; neither is ever written by a reader.

use occlude_kernels::Aligned;

use crate::graph::{Region, TensorId};

use super::baseline::Baseline;
use super::compile::Program;
use super::slots::Place;

/// Occlusions of the graph's inputs: where, and what stands there instead. A window may hide a part of one input or of several.
pub trait Changes: Sync {
    /// Number of windows.
    fn len(&self) -> usize;
    /// Whether there is none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// The hidden box of a window in an input (by its number in the graph), in that input's axes as stored; `None` where the window leaves that input alone.
    fn region(&self, window: usize, input: usize) -> Option<Region>;
    /// Writes the values that stand in the box of an input, row-major within it, f32.
    fn write(&self, window: usize, input: usize, values: &mut [f32]);
}

/// The hidden box of a window in every input of a graph of so many inputs.
pub(super) fn hidden(changes: &dyn Changes, window: usize, inputs: usize) -> Vec<Option<Region>> {
    (0..inputs).map(|input| changes.region(window, input)).collect()
}

/// Number of elements of a box.
pub(super) fn volume(region: &Region) -> usize {
    region.iter().map(|r| r.len()).product()
}

/// The box of a whole tensor.
pub(super) fn whole(shape: &[usize]) -> Region {
    shape.iter().map(|&n| 0..n).collect()
}

/// Whether the box is the whole tensor.
pub(super) fn is_whole(region: &Region, shape: &[usize]) -> bool {
    region.iter().zip(shape).all(|(r, &n)| r.start == 0 && r.end == n)
}

/// The changed boxes of one tensor.
#[derive(Clone, Debug, Default)]
pub(super) struct Boxes {
    /// Per window; `None` where nothing changed.
    pub(super) regions: Vec<Option<Region>>,
    /// Per window, where its values start in the buffer; one more entry for the end.
    pub(super) starts: Vec<usize>,
    /// Per row (place) of all boxes, whether it holds the baseline's values after all; empty where that is not known.
    pub(super) unchanged: Vec<bool>,
}

impl Boxes {
    pub(super) fn new(regions: Vec<Option<Region>>) -> Self {
        let mut starts = vec![0];
        let mut at = 0;
        for region in &regions {
            at += region.as_ref().map_or(0, volume);
            starts.push(at);
        }
        Boxes { regions, starts, unchanged: Vec::new() }
    }

    /// Elements of all boxes together.
    pub(super) fn total(&self) -> usize {
        self.starts.last().copied().unwrap_or(0)
    }
}

/// One tensor as a step reads it.
#[derive(Clone, Copy)]
pub(super) struct Source<'a> {
    pub(super) shape: &'a [usize],
    /// The untouched values, or the constant.
    pub(super) baseline: &'a [f32],
    pub(super) boxes: &'a Boxes,
    /// Values of all boxes.
    pub(super) values: &'a [f32],
}

impl<'a> Source<'a> {
    pub(super) fn of(
        program: &'a Program,
        baseline: &'a Baseline,
        slots: &'a [Aligned],
        boxes: &'a [Boxes],
        id: TensorId,
    ) -> Self {
        let values = match program.changes(baseline.form()).places[id.0] {
            Place::Slot(slot) => slots[slot].get(..boxes[id.0].total()).unwrap_or_default(),
            _ => &[],
        };
        let shape = &program.graph.tensor(id).shape;
        Source { shape, baseline: baseline.tensor(program, id), boxes: &boxes[id.0], values }
    }

    /// Length of the last axis.
    pub(super) fn channels(&self) -> usize {
        self.shape.last().copied().unwrap_or(1)
    }

    /// The changed box of a window and its values.
    pub(super) fn changed(&self, window: usize) -> Option<(&'a Region, &'a [f32])> {
        let region = self.boxes.regions.get(window)?.as_ref()?;
        Some((region, &self.values[self.boxes.starts[window]..self.boxes.starts[window + 1]]))
    }

    /// The whole tensor behind this window where it needs no copy: unchanged, or changed everywhere.
    pub(super) fn in_place(&self, window: usize) -> Option<&'a [f32]> {
        match self.changed(window) {
            None => Some(self.baseline),
            Some((region, values)) if is_whole(region, self.shape) => Some(values),
            Some(_) => None,
        }
    }

    /// Writes what stands in the box `need` behind this window.
    pub(super) fn read(&self, window: usize, need: &Region, out: &mut [f32]) {
        let all = whole(self.shape);
        match self.changed(window) {
            None => copy_part(self.baseline, &all, out, need, need),
            Some((region, values)) => {
                let part: Region =
                    need.iter().zip(region).map(|(n, r)| n.start.max(r.start)..n.end.min(r.end)).collect();
                let covers = part == *need;
                if !covers {
                    copy_part(self.baseline, &all, out, need, need);
                }
                if part.iter().all(|r| r.start < r.end) {
                    copy_part(values, region, out, need, &part);
                }
            }
        }
    }
}

/// Copies `part` from values over the box `from` to values over the box `to`; all boxes in the same axes, `part` inside both.
pub(super) fn copy_part(x: &[f32], from: &Region, out: &mut [f32], to: &Region, part: &Region) {
    // Trailing axes that are taken whole on both sides form one run.
    let mut run = 1;
    let mut axis = part.len();
    while axis > 0 && part[axis - 1] == from[axis - 1] && part[axis - 1] == to[axis - 1] {
        axis -= 1;
        run *= part[axis].len();
    }
    copy_axes(x, out, &from[..axis], &to[..axis], &part[..axis], run);
}

fn copy_axes(
    x: &[f32],
    out: &mut [f32],
    from: &[std::ops::Range<usize>],
    to: &[std::ops::Range<usize>],
    part: &[std::ops::Range<usize>],
    run: usize,
) {
    let ([f, from @ ..], [t, to @ ..], [p, part @ ..]) = (from, to, part) else {
        out[..run].copy_from_slice(&x[..run]);
        return;
    };
    let inner = |rest: &[std::ops::Range<usize>]| rest.iter().map(|r| r.len()).product::<usize>() * run;
    let (x_step, out_step) = (inner(from), inner(to));
    if part.is_empty() {
        let (a, b, len) = ((p.start - f.start) * run, (p.start - t.start) * run, p.len() * run);
        out[b..b + len].copy_from_slice(&x[a..a + len]);
        return;
    }
    for index in p.clone() {
        let (a, b) = ((index - f.start) * x_step, (index - t.start) * out_step);
        copy_axes(&x[a..a + x_step], &mut out[b..b + out_step], from, to, part, run);
    }
}

/// The smallest box around the elements of two arrays over `region` that differ in their bits; `None` if none does.
pub(super) fn differing(region: &Region, a: &[f32], b: &[f32]) -> Option<Region> {
    let lengths: Vec<usize> = region.iter().map(|r| r.len()).collect();
    let mut hull: Option<Region> = None;
    let run = lengths.last().copied().unwrap_or(1).max(1);
    for (row, (a, b)) in a.chunks_exact(run).zip(b.chunks_exact(run)).enumerate() {
        let differs = |(a, b): (&f32, &f32)| a.to_bits() != b.to_bits();
        let Some(first) = a.iter().zip(b).position(differs) else { continue };
        let last = a.iter().zip(b).rposition(differs).unwrap_or(first);
        let mut place = vec![first..last + 1; 1];
        let mut rest = row;
        for &length in lengths[..lengths.len().saturating_sub(1)].iter().rev() {
            place.push(rest % length..rest % length + 1);
            rest /= length;
        }
        place.reverse();
        hull = Some(match hull {
            None => place,
            Some(hull) => {
                hull.iter().zip(&place).map(|(h, p)| h.start.min(p.start)..h.end.max(p.end)).collect()
            }
        });
    }
    hull.map(|hull| hull.iter().zip(region).map(|(h, r)| r.start + h.start..r.start + h.end).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tight_box_holds_what_differs_and_no_more() {
        let region: Region = vec![0..1, 10..13, 20..24];
        let before = [1.0; 12];
        assert_eq!(differing(&region, &before, &before), None);
        let mut after = before;
        (after[5], after[11]) = (2.0, 3.0);
        assert_eq!(differing(&region, &after, &before), Some(vec![0..1, 11..13, 21..24]));
        // A negative zero is another value to the model (1 / x), so it counts.
        let one: Region = std::iter::once(3..4).collect();
        assert_eq!(differing(&one, &[-0.0], &[0.0]), Some(one));
    }

    #[test]
    fn a_part_is_copied_between_boxes_of_different_places() {
        // A 3 x 4 tensor read over rows 1..3, columns 1..4; its changed box is rows 0..2, columns 2..3.
        let baseline: Vec<f32> = (0..12).map(|v| v as f32).collect();
        let boxes = Boxes::new(vec![Some(vec![0..2, 2..3])]);
        let source = Source { shape: &[3, 4], baseline: &baseline, boxes: &boxes, values: &[-1.0, -2.0] };
        let mut out = [0.0; 6];
        source.read(0, &vec![1..3, 1..4], &mut out);
        assert_eq!(out, [5.0, -2.0, 7.0, 9.0, 10.0, 11.0]);
        assert!(source.in_place(0).is_none());
    }
}
