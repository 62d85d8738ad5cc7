//! The delta form of a convolution: `y = y_base + sum over taps of W x change`.
//!
//! Only pairs of a changed input and a tap are multiplied; taps on unchanged inputs and in the padding cost nothing. The output's box is
//! cut into classes of places whose taps lie in the changed box alike (corners, edges, inside); the places of a class, of all windows of the
//! group, follow each other as rows, so that the kernel skips whole taps. Needs the baseline's pre-activations. Equal to the full run
//! but for the order of sums.

use std::collections::BTreeMap;
use std::ops::Range;

use occlude_kernels as kernels;
use occlude_kernels::{Epilogue, PAD, Rows};

use crate::graph::Region;

use super::change::Source;
use super::kernel::Product;
use super::strategy::Algorithm;
use super::tables::{TABLE_ENTRIES, WindowMap};
use super::winograd::TileScratch;
use super::work::Work;

/// Buffers of the delta form, kept between runs.
#[derive(Debug, Default)]
pub(super) struct DeltaScratch {
    change: Vec<f32>,
    sums: Vec<f32>,
    table: Vec<u32>,
    places: Vec<usize>,
    tiles: TileScratch,
}

/// A part of one window's output box in which every place has the same taps in the changed box.
struct Block {
    window: usize,
    /// Per spatial axis, in the whole axis.
    places: Vec<Range<usize>>,
}

/// Per spatial axis, which taps lie in the changed box: bit `t` of an axis is tap `t` of it.
type TapSet = Vec<u64>;

/// The largest kernel along an axis whose tap set fits the bits.
pub(super) const MAX_KERNEL: usize = 64;

impl Work<'_> {
    /// Writes the product's output boxes. `pre` is the baseline's pre-activation (bias included, residual not), whole; `residual` is over the
    /// output's boxes.
    pub(super) fn product_delta(
        &self,
        product: &Product,
        map: &WindowMap,
        pre: &[f32],
        residual: Option<&[f32]>,
        out: &mut [f32],
        scratch: &mut DeltaScratch,
    ) {
        subtract_baseline(&self.inputs[0], &mut scratch.change);
        let all: Region = self.shape.iter().map(|&n| 0..n).collect();
        for (window, region) in self.boxes.regions.iter().enumerate() {
            if let Some(region) = region {
                let out = &mut out[self.boxes.starts[window]..self.boxes.starts[window + 1]];
                super::change::copy_part(pre, &all, out, region, region);
            }
        }
        match self.algorithm {
            Algorithm::Direct => self.add_taps(product, map, out, scratch),
            Algorithm::Winograd(winograd) => {
                self.add_tiles(winograd, map, &scratch.change, out, &mut scratch.tiles);
            }
        }
        if let Some(residual) = residual {
            out.iter_mut().zip(residual).for_each(|(out, value)| *out += value);
        }
        kernels::pointwise(self.program.isa, product.activation, out);
    }

    /// Adds the convolution of the change to `out`, tap set by tap set.
    fn add_taps(&self, product: &Product, map: &WindowMap, out: &mut [f32], scratch: &mut DeltaScratch) {
        let (isa, columns) = (self.program.isa, product.out_channels);
        let DeltaScratch { change, sums, table, places, .. } = scratch;
        let taps = map.taps();
        let chunk = (TABLE_ENTRIES / taps).max(1);
        let mut flush = |table: &mut Vec<u32>, places: &mut Vec<usize>| {
            let count = places.len();
            sums.resize(sums.len().max(count * columns), 0.0);
            let groups = product.weights.len();
            let (seg, width) = (product.in_channels / groups, columns / groups);
            for (group, weights) in product.weights.iter().enumerate() {
                let rows = Rows {
                    sources: [change, &[], &[]],
                    table,
                    taps,
                    seg,
                    seg_offset: group * seg,
                    pixels: count,
                    rows: count,
                    ..Rows::default()
                };
                kernels::gemm_rows(
                    isa,
                    &rows,
                    weights,
                    &mut sums[..count * columns],
                    columns,
                    group * width,
                    &Epilogue::default(),
                );
            }
            for (place, sum) in places.iter().zip(sums.chunks_exact(columns)) {
                let out = &mut out[*place..*place + columns];
                out.iter_mut().zip(sum).for_each(|(out, sum)| *out += sum);
            }
            table.clear();
            places.clear();
        };
        table.clear();
        places.clear();
        for (set, blocks) in self.classes(map) {
            for block in &blocks {
                let mut rows = RowsOfBlock::new(self, map, &set, block, columns);
                while rows.push(chunk, table, places) {
                    flush(table, places);
                }
            }
        }
        flush(table, places);
    }

    /// Blocks of all windows by tap set, places without any changed tap left out. Deterministic: ordered by set, then window.
    fn classes(&self, map: &WindowMap) -> BTreeMap<TapSet, Vec<Block>> {
        let rank = map.input.len();
        let mut classes: BTreeMap<TapSet, Vec<Block>> = BTreeMap::new();
        for (window, region) in self.boxes.regions.iter().enumerate() {
            let changed = self.inputs[0].boxes.regions.get(window).and_then(Option::as_ref);
            let (Some(region), Some(changed)) = (region, changed) else { continue };
            let axes: Vec<Vec<(u64, Range<usize>)>> = (0..rank)
                .map(|axis| runs_of_axis(map, axis, &region[axis + 1], &changed[axis + 1]))
                .collect();
            let mut index = vec![0; rank];
            if axes.iter().any(Vec::is_empty) {
                continue;
            }
            loop {
                let parts: Vec<&(u64, Range<usize>)> =
                    index.iter().zip(&axes).map(|(&i, runs)| &runs[i]).collect();
                let places = parts.iter().map(|part| part.1.clone()).collect();
                classes
                    .entry(parts.iter().map(|part| part.0).collect())
                    .or_default()
                    .push(Block { window, places });
                let Some(axis) = (0..rank).rev().find(|&axis| index[axis] + 1 < axes[axis].len()) else {
                    break;
                };
                index[axis] += 1;
                index[axis + 1..].fill(0);
            }
        }
        classes
    }
}

/// Runs of output indices of one axis with the same non-empty tap set.
fn runs_of_axis(
    map: &WindowMap,
    axis: usize,
    region: &Range<usize>,
    changed: &Range<usize>,
) -> Vec<(u64, Range<usize>)> {
    let mut runs: Vec<(u64, Range<usize>)> = Vec::new();
    for output in region.clone() {
        let is_changed = |tap: &usize| {
            let read = map.geometry.reads(axis, output, *tap, map.input[axis], map.transposed);
            read.is_some_and(|at| changed.contains(&at))
        };
        let set = (0..map.geometry.kernel[axis]).filter(is_changed).fold(0, |set, tap| set | 1 << tap);
        match runs.last_mut() {
            Some((last, run)) if *last == set && run.end == output => run.end += 1,
            _ if set != 0 => runs.push((set, output..output + 1)),
            _ => {}
        }
    }
    runs
}

/// `values - baseline` over the changed boxes.
fn subtract_baseline(source: &Source, change: &mut Vec<f32>) {
    change.resize(source.values.len(), 0.0);
    let all: Region = source.shape.iter().map(|&n| 0..n).collect();
    for (window, region) in source.boxes.regions.iter().enumerate() {
        if let Some(region) = region {
            let part = source.boxes.starts[window]..source.boxes.starts[window + 1];
            super::change::copy_part(source.baseline, &all, &mut change[part], region, region);
        }
    }
    change.iter_mut().zip(source.values).for_each(|(change, value)| *change = value - *change);
}

/// Walks the places of a block, writing table entries and output places.
struct RowsOfBlock<'a> {
    /// Per axis, per place, per tap: index in the changed box.
    axes: Vec<Vec<Option<usize>>>,
    kernel: &'a [usize],
    changed: Vec<usize>,
    start: usize,
    channels: usize,
    counts: Vec<usize>,
    out_first: Vec<usize>,
    out_box: Vec<usize>,
    out_start: usize,
    columns: usize,
    done: usize,
}

impl<'a> RowsOfBlock<'a> {
    fn new(work: &Work, map: &'a WindowMap, set: &TapSet, block: &Block, columns: usize) -> Self {
        let boxes = &work.inputs[0].boxes;
        let rank = map.input.len();
        let none = Vec::new();
        let changed = boxes.regions[block.window].as_ref().unwrap_or(&none);
        let region = work.boxes.regions[block.window].as_ref().unwrap_or(&none);
        let axis = |axis: usize| {
            let taps = 0..map.geometry.kernel[axis];
            let places = block.places[axis].clone().flat_map(|o| taps.clone().map(move |t| (o, t)));
            places
                .map(|(o, t)| {
                    let is_in = set[axis] >> t & 1 == 1;
                    let read = map.geometry.reads(axis, o, t, map.input[axis], map.transposed);
                    read.filter(|_| is_in).map(|at| at - changed[axis + 1].start)
                })
                .collect()
        };
        RowsOfBlock {
            axes: (0..rank).map(axis).collect(),
            kernel: &map.geometry.kernel,
            changed: changed[1..=rank].iter().map(|r| r.len()).collect(),
            start: boxes.starts[block.window],
            channels: map.channels,
            counts: block.places.iter().map(|r| r.len()).collect(),
            out_first: (0..rank).map(|axis| block.places[axis].start - region[axis + 1].start).collect(),
            out_box: region[1..=rank].iter().map(|r| r.len()).collect(),
            out_start: work.boxes.starts[block.window],
            columns,
            done: 0,
        }
    }

    /// Pushes rows until `limit` are there; whether it stopped for that.
    fn push(&mut self, limit: usize, table: &mut Vec<u32>, places: &mut Vec<usize>) -> bool {
        let total: usize = self.counts.iter().product();
        let rank = self.counts.len();
        let mut at = vec![0; rank];
        while self.done < total {
            if places.len() >= limit {
                return true;
            }
            let mut rest = self.done;
            for axis in (0..rank).rev() {
                at[axis] = rest % self.counts[axis];
                rest /= self.counts[axis];
            }
            let place =
                (0..rank).fold(0, |place, axis| place * self.out_box[axis] + self.out_first[axis] + at[axis]);
            places.push(self.out_start + place * self.columns);
            self.push_taps(&at, 0, Some(0), table);
            self.done += 1;
        }
        false
    }

    fn push_taps(&self, at: &[usize], axis: usize, base: Option<usize>, table: &mut Vec<u32>) {
        let kernel = self.kernel[axis];
        for coordinate in &self.axes[axis][at[axis] * kernel..(at[axis] + 1) * kernel] {
            let place = base.zip(*coordinate).map(|(base, c)| base * self.changed[axis] + c);
            if axis + 1 == at.len() {
                table.push(place.map_or(PAD, |p| (self.start + p * self.channels) as u32));
            } else {
                self.push_taps(at, axis + 1, place, table);
            }
        }
    }
}
