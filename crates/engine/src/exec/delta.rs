//! The delta form of a convolution: `y = y_base + sum over taps of W x change`.
//!
//! Only pairs of a changed input and a tap are multiplied; taps on unchanged inputs and in the padding cost nothing. The places of all windows of
//! the group are sorted by which taps of which part of the input are changed there, so that rows that follow each other skip the same taps. Needs the
//! baseline's pre-activations. Equal to the full run but for the order of sums.

use std::ops::Range;

use occlude_kernels as kernels;
use occlude_kernels::{Epilogue, Rows};

use crate::graph::Region;

use super::difference::{Part, merged_taps};
use super::kernel::Product;
use super::strategy::Algorithm;
use super::tables::{TABLE_ENTRIES, WindowMap};
use super::taps::{Row, Taps};
use super::winograd::TileScratch;
use super::work::Work;

/// Changes of this size stay in the second-level cache beside a block of weights.
const CACHED_BYTES: usize = 384 << 10;

/// Buffers of the delta form, kept between runs.
#[derive(Debug, Default)]
pub(super) struct DeltaScratch {
    change: Vec<f32>,
    sums: Vec<f32>,
    table: Vec<u32>,
    rows: Vec<Row>,
    /// The rows that `table` is of.
    chunk: Vec<Row>,
    /// Truncated form: per row of the output's boxes, whether nothing was added to it. Empty where that is not known.
    pub(super) unchanged: Vec<bool>,
    tiles: TileScratch,
}

impl Work<'_> {
    /// Writes the product's output boxes. `pre` is the baseline's pre-activation (bias included, residual not), whole; `residual` is over the
    /// output's boxes. Returns the multiply-adds of changed values.
    pub(super) fn product_delta(
        &self,
        product: &Product,
        map: &WindowMap,
        pre: &[f32],
        residual: Option<&[f32]>,
        out: &mut [f32],
        scratch: &mut DeltaScratch,
    ) -> u64 {
        let all: Region = self.shape.iter().map(|&n| 0..n).collect();
        for (window, region) in self.boxes.regions.iter().enumerate() {
            if let Some(region) = region {
                let out = &mut out[self.boxes.starts[window]..self.boxes.starts[window + 1]];
                super::change::copy_part(pre, &all, out, region, region);
            }
        }
        let count = self.boxes.regions.len();
        let rows = self.boxes.total() / product.out_channels;
        scratch.unchanged.clear();
        if !self.drop_below.is_empty() && matches!(self.algorithm, Algorithm::Direct) {
            scratch.unchanged.resize(rows, true);
        }
        let mut multiply_adds = 0;
        match self.algorithm {
            Algorithm::Direct => {
                let (merged, step) = (merged_taps(product, map), self.windows_together(product));
                for start in (0..count).step_by(step) {
                    let windows = start..(start + step).min(count);
                    let parts = self.differences(windows.clone(), merged - 1, &mut scratch.change);
                    multiply_adds += self.add_taps(product, map, &parts, (windows, merged), out, scratch);
                }
            }
            Algorithm::Winograd(winograd) => {
                self.differences(0..count, 0, &mut scratch.change);
                multiply_adds = self.add_tiles(winograd, map, &scratch.change, out, &mut scratch.tiles);
            }
        }
        if residual.is_some() {
            self.unchanged_with_residual(&mut scratch.unchanged);
        }
        if let Some(residual) = residual {
            out.iter_mut().zip(residual).for_each(|(out, value)| *out += value);
        }
        kernels::pointwise(self.program.isa, product.activation, out);
        multiply_adds
    }

    /// A place is unchanged only if the residual is too; nothing is known if that is not known.
    fn unchanged_with_residual(&self, unchanged: &mut Vec<bool>) {
        let residual = &self.inputs[1].boxes.unchanged;
        if self.has_same_rows(1) && residual.len() == unchanged.len() {
            unchanged.iter_mut().zip(residual).for_each(|(all, one)| *all &= one);
        } else {
            unchanged.clear();
        }
    }

    /// How many windows to work on at once: their changes take no more room than the weights that they share, or a part of the second-level cache.
    fn windows_together(&self, product: &Product) -> usize {
        let count = self.boxes.regions.len().max(1);
        let weights: usize = product.weights.bytes();
        (count * weights.max(CACHED_BYTES) / self.difference_bytes().max(1)).clamp(1, count)
    }

    /// Adds the convolution of the change to `out`, places with the same changed taps together.
    fn add_taps(
        &self,
        product: &Product,
        map: &WindowMap,
        parts: &[Part<'_>],
        (windows, merged): (Range<usize>, usize),
        out: &mut [f32],
        scratch: &mut DeltaScratch,
    ) -> u64 {
        let (isa, columns) = (self.program.isa, product.out_channels);
        let DeltaScratch { change, sums, table, rows, chunk, unchanged, .. } = scratch;
        // A run of the product: the channels of all groups, of a unit that all parts are multiples of, or of a line of the kernel.
        let unit = self.parts.map_or(map.channels, |(parts, _)| parts.unit);
        let (taps, seg) = (map.taps() * map.channels / (unit * merged), unit * merged);
        let of_window = |(index, window): (usize, usize)| {
            let region = self.boxes.regions[window].as_ref()?;
            Some(Taps::of(region, map, parts, (window, index), merged))
        };
        let all_taps: Vec<Option<Taps>> = windows.clone().enumerate().map(of_window).collect();
        rows.clear();
        for (index, of_window) in all_taps.iter().enumerate() {
            if let Some(of_window) = of_window {
                of_window.push_rows(index, rows);
            }
        }
        rows.sort_by_key(|row| row.key);
        let mut changed = 0;
        let mut flush = |table: &mut Vec<u32>, chunk: &mut Vec<Row>| {
            let count = chunk.len();
            sums.resize(sums.len().max(count * columns), 0.0);
            let rows = Rows {
                sources: [change, &[], &[]],
                table,
                taps,
                seg,
                pixels: count,
                rows: count,
                ..Rows::default()
            };
            let into = &mut sums[..count * columns];
            kernels::gemm_groups(isa, &rows, &product.weights, into, columns, 0, &Epilogue::default());
            for (row, sum) in chunk.iter().zip(sums.chunks_exact(columns)) {
                let Some(of_window) = &all_taps[row.window as usize] else { continue };
                let first = self.boxes.starts[windows.start + row.window as usize];
                let at = first + of_window.place(row) * columns;
                if let Some(unchanged) = unchanged.get_mut(at / columns) {
                    *unchanged = false;
                }
                out[at..at + columns].iter_mut().zip(sum).for_each(|(out, sum)| *out += sum);
            }
            table.clear();
            chunk.clear();
        };
        table.clear();
        chunk.clear();
        let longest = (TABLE_ENTRIES / taps).max(1);
        for row in rows.iter() {
            let Some(of_window) = &all_taps[row.window as usize] else { continue };
            let kept = of_window.push_entries(parts, unit, row, table);
            if kept == 0 {
                // All that changed here was dropped.
                table.truncate(chunk.len() * taps);
                continue;
            }
            changed += kept;
            chunk.push(*row);
            if chunk.len() == longest {
                flush(table, chunk);
            }
        }
        flush(table, chunk);
        (changed * seg * columns / product.weights.groups()) as u64
    }
}
