//! Blocking for the caches: the loops around the register kernel.
//!
//! k is cut into blocks of whole taps (or parts of one long run), rows into blocks that stay in the second-level cache while every
//! panel passes. A panel stays in cache while the rows of a block pass, so B comes from memory once per row block and a product
//! with few rows runs at the speed of memory. Rows with very short runs (a first convolution's 3 channels) are gathered tile by
//! tile into a small buffer on the stack.

use super::{
    PackedB,
    shape::{MAX_ROWS, MAX_WIDTH, PanelShape, Tiles},
    tile::{Source, Tile},
};
use crate::{
    Epilogue, Isa, PAD, Pointwise, Rows, elementwise,
    rows::{MAX_BLOCK, ZEROS},
};
use fearless_simd::SimdBase;
use std::ops::Range;

/// Rows that pass under one panel before the next panel comes.
const ROW_BLOCK: usize = 192;

/// Floats of a block of B that stay in the second-level cache beside what else passes there.
const SMALL_B: usize = 96 * 1024;

/// Runs that are looked up together, once for all panels.
const MAX_RUNS: usize = 1728;

/// Taps of a block, so that the runs of a tile of rows can be looked up together.
const MAX_TAPS: usize = MAX_RUNS / MAX_ROWS;

/// Runs shorter than this are gathered tap by tap: below it, finding the runs costs more than copying them.
const GATHER_BELOW: usize = 4;

/// Floats per row that the gather buffer holds.
const GATHER_BLOCK: usize = 384;

/// Floats that are copied at once, and the room for them behind a gathered row.
const COPY: usize = 8;
const GATHER_LINE: usize = GATHER_BLOCK + COPY;

pub(super) struct Job<'a> {
    pub(super) rows: &'a Rows<'a>,
    pub(super) b: &'a PackedB,
    pub(super) out_stride: usize,
    pub(super) out_offset: usize,
    pub(super) epilogue: &'a Epilogue<'a>,
    /// Lower and upper bound that the kernel applies to finished values.
    pub(super) limits: [f32; 2],
    /// The activation that is left for a pass over the finished tile.
    pub(super) rest: Pointwise,
}

/// A block of k: taps `taps.0..taps.1`, of each the floats `from..from + len`.
#[derive(Clone, Copy)]
struct Block {
    taps: (usize, usize),
    from: usize,
    len: usize,
    k_from: usize,
    k_to: usize,
    last: bool,
}

/// The blocks of k, a function of (taps, seg) alone. One empty block where k is 0, so that the epilogue still happens.
fn blocks(taps: usize, seg: usize, longest: usize) -> impl Iterator<Item = Block> {
    let k = taps * seg;
    let parts = seg.div_ceil(longest).max(1);
    let part = seg.div_ceil(parts);
    let taps_per_block = if parts > 1 { 1 } else { (longest / seg.max(1)).max(1) };
    let tap_blocks = if k == 0 { 1 } else { taps.div_ceil(taps_per_block) };
    (0..tap_blocks).flat_map(move |tap_block| {
        (0..parts).map(move |p| {
            let first = tap_block * taps_per_block;
            let taps = if k == 0 { (0, 0) } else { (first, (first + taps_per_block).min(taps)) };
            let from = p * part;
            let len = part.min(seg - from);
            let k_from = first * seg + from;
            let k_to = k_from + (taps.1 - taps.0) * len;
            Block { taps, from, len, k_from, k_to, last: k_to == k }
        })
    })
}

pub(super) fn drive<S: Tiles>(simd: S, isa: Isa, job: &Job, out: &mut [f32]) {
    if job.rows.rows == 0 || job.b.n() == 0 {
        return;
    }
    if job.rows.seg < GATHER_BELOW && job.rows.taps > 1 {
        gathered(simd, isa, job, out);
    } else {
        in_place(simd, isa, job, out);
    }
}

fn in_place<S: Tiles>(simd: S, isa: Isa, job: &Job, out: &mut [f32]) {
    // The table of runs is on the stack, and a large one takes as long to clear as a small product.
    match job.rows.rows.min(ROW_BLOCK).next_multiple_of(S::ROWS) * job.rows.taps {
        ..=160 => in_place_with::<S, 160>(simd, isa, job, out),
        _ => in_place_with::<S, MAX_RUNS>(simd, isa, job, out),
    }
}

fn in_place_with<S: Tiles, const RUNS: usize>(simd: S, isa: Isa, job: &Job, out: &mut [f32]) {
    let rows = job.rows;
    let panels = PanelShape::of_token(simd).count(job.b.n());
    let mut runs: [&[f32]; RUNS] = [&[]; RUNS];
    for block in blocks(rows.taps, rows.seg, MAX_BLOCK.min(MAX_TAPS * rows.seg.max(1))) {
        let taps = block.taps.1 - block.taps.0;
        // A block of B that fits the cache: all panels for each tile of rows, so that A and the output pass once, in order.
        // Else: all tiles of a row block for one panel.
        let all_panels = (block.k_to - block.k_from) * job.b.n() <= SMALL_B;
        let (row_step, panel_step) = if all_panels { (4 * S::ROWS, panels) } else { (ROW_BLOCK, 1) };
        let row_step = (RUNS / taps.max(1)).min(row_step) / S::ROWS * S::ROWS;
        for row_block in (0..rows.rows).step_by(row_step) {
            let row_end = (row_block + row_step).min(rows.rows);
            find_runs(rows, block, row_block..row_end, S::ROWS, &mut runs, row_step);
            for panel in (0..panels).step_by(panel_step) {
                for row in (row_block..row_end).step_by(S::ROWS) {
                    let source =
                        Source { runs: &runs[row - row_block..], stride: row_step, taps, len: block.len };
                    let spot = Spot { row, count: S::ROWS.min(row_end - row), panel, panels: panel_step };
                    strip(simd, isa, job, &source, spot, block, out);
                }
            }
            if block.last {
                finish(isa, job, row_block..row_end, out);
            }
        }
    }
}

/// Fills `runs[tap * stride + row]` for the taps of a block, as [`Source`] wants them for tiles of `tile_rows` rows.
fn find_runs<'a>(
    rows: &Rows<'a>,
    block: Block,
    range: Range<usize>,
    tile_rows: usize,
    runs: &mut [&'a [f32]],
    stride: usize,
) {
    let taps = block.taps.1 - block.taps.0;
    let mut padding = false;
    // One division for all rows.
    let (mut pixel, mut shift) = rows.place(range.start);
    let mut starts = rows.starts(shift, block.from);
    for i in 0..range.len() {
        let entries = &rows.table[pixel * rows.taps..][block.taps.0..block.taps.1];
        for (run, &entry) in runs[i..].iter_mut().step_by(stride).zip(entries) {
            *run = rows.follow_from(entry, starts, block.len).unwrap_or_else(|| {
                padding = true;
                &ZEROS[..block.len]
            });
        }
        pixel += 1;
        if pixel == rows.pixels {
            (pixel, shift) = (0, shift + rows.repeat_stride);
            starts = rows.starts(shift, block.from);
        }
    }
    if !padding {
        return;
    }
    for first in (0..range.len()).step_by(tile_rows) {
        let last = (first + tile_rows).min(range.len());
        for tap in 0..taps {
            let mut tile =
                (range.start + first..range.start + last).map(|row| rows.entries(row, block.taps).0[tap]);
            if tile.all(|entry| entry == PAD) {
                runs[tap * stride + first] = &[];
            }
        }
    }
}

fn gathered<S: Tiles>(simd: S, isa: Isa, job: &Job, out: &mut [f32]) {
    let rows = job.rows;
    let panels = PanelShape::of_token(simd).count(job.b.n());
    let mut scratch = [0.0; MAX_ROWS * GATHER_LINE];
    for block in blocks(rows.taps, rows.seg, GATHER_BLOCK) {
        let len = block.k_to - block.k_from;
        for row in (0..rows.rows).step_by(S::ROWS) {
            let count = S::ROWS.min(rows.rows - row);
            for (r, line) in scratch.chunks_exact_mut(GATHER_LINE).take(count).enumerate() {
                gather_row(rows, row + r, block, line);
            }
            let mut runs: [&[f32]; MAX_ROWS] = [&[]; MAX_ROWS];
            runs.iter_mut()
                .zip(scratch.chunks_exact(GATHER_LINE))
                .for_each(|(run, line)| *run = &line[..len]);
            let source = Source { runs: &runs, stride: 0, taps: 1, len };
            strip(simd, isa, job, &source, Spot { row, count, panel: 0, panels }, block, out);
            if block.last {
                finish(isa, job, row..row + count, out);
            }
        }
    }
}

/// One row's runs side by side in `line[..len]`, zeros for padding; what follows in `line` may be overwritten.
fn gather_row(rows: &Rows, row: usize, block: Block, line: &mut [f32]) {
    let seg = block.len;
    let (entries, shift) = rows.entries(row, block.taps);
    let starts = rows.starts(shift, block.from);
    let mut tap = 0;
    while tap < entries.len() {
        let entry = entries[tap];
        let first = tap;
        tap += 1;
        if entry == PAD {
            line[first * seg..tap * seg].fill(0.0);
            continue;
        }
        // Taps that are neighbours in memory, as in a line of a kernel, are one copy.
        while tap < entries.len()
            && entries[tap] == entries[tap - 1].wrapping_add(seg as u32)
            && entries[tap] != PAD
        {
            tap += 1;
        }
        let len = (tap - first) * seg;
        let rounded = len.next_multiple_of(COPY);
        let from = rows.rest(entry, starts);
        let to = &mut line[first * seg..];
        if from.len() >= rounded && to.len() >= rounded {
            // Pieces of a constant length: what is too much, the next tap overwrites.
            let (to, from) = (to[..rounded].as_chunks_mut::<COPY>().0, from.as_chunks::<COPY>().0);
            to.iter_mut().zip(from).for_each(|(to, piece)| *to = *piece);
        } else {
            to[..len].copy_from_slice(&from[..len]);
        }
    }
}

/// A place in the output: rows `row..row + count` of panels `panel..panel + panels`.
#[derive(Clone, Copy)]
struct Spot {
    row: usize,
    count: usize,
    panel: usize,
    panels: usize,
}

/// A few rows times some panels: full ones in one call of the kernel, then the one that is narrower.
#[inline(always)]
fn strip<S: Tiles>(simd: S, isa: Isa, job: &Job, source: &Source, spot: Spot, block: Block, out: &mut [f32]) {
    let Spot { row, count, panel, panels } = spot;
    let n = job.b.n();
    let width = S::VECTORS * S::f32s::LEN;
    let full = n / width;
    let first = panel * width;
    let mut done = first;
    if panel < full {
        let panels = panels.min(full - panel);
        simd.run(count, S::VECTORS, &tile_at(job, source, row, first, width, panels, block), out);
        done += panels * width;
    }
    if panel + panels > full && done < n {
        let panel_width = (n - done).next_multiple_of(S::f32s::LEN);
        let tile = tile_at(job, source, row, done, panel_width, 1, block);
        if done + panel_width == n {
            simd.run(count, panel_width / S::f32s::LEN, &tile, out);
        } else {
            edge_tile(simd, isa, job, tile, (row, count), (done, panel_width), block, out);
        }
    }
}

/// Applies what is left of the activation to finished rows, in as few calls as possible: while they are in cache, and not a few columns at a time.
fn finish(isa: Isa, job: &Job, rows: Range<usize>, out: &mut [f32]) {
    if job.rest == Pointwise::Identity {
        return;
    }
    let (n, stride) = (job.b.n(), job.out_stride);
    let out = &mut out[rows.start * stride + job.out_offset..];
    if n == stride {
        return elementwise::pointwise(isa, job.rest, &mut out[..rows.len() * n]);
    }
    for r in 0..rows.len() {
        elementwise::pointwise(isa, job.rest, &mut out[r * stride..][..n]);
    }
}

/// The call of the kernel for `panels` panels of `width` from column `first` on.
///
/// Every field is written once and read as it was written: a struct put together from copies of others makes the kernel's first
/// loads wait until everything before has retired, 10% of a small product.
#[inline(always)]
fn tile_at<'a>(
    job: &'a Job,
    source: &'a Source<'a>,
    row: usize,
    first: usize,
    width: usize,
    panels: usize,
    block: Block,
) -> Tile<'a> {
    Tile {
        source,
        b: job.b.panel(first, width, block.k_from),
        block_len: (block.k_to - block.k_from) * width,
        panel_step: job.b.k() * width,
        panels,
        at: row * job.out_stride + job.out_offset + first,
        out_stride: job.out_stride,
        first_block: block.k_from == 0,
        last_block: block.last,
        bias: job.epilogue.bias.map(|bias| &bias[first..]),
        residual: job.epilogue.residual.map(|residual| {
            (&residual.data[row * residual.stride + residual.offset + first..], residual.stride)
        }),
        limits: &job.limits,
    }
}

/// The last panel, where some of the tile's columns do not exist: through a buffer that has them.
#[allow(clippy::too_many_arguments, reason = "where it is, in k, in rows and in columns")]
#[inline(never)]
fn edge_tile<S: Tiles>(
    simd: S,
    isa: Isa,
    job: &Job,
    mut tile: Tile,
    (row, count): (usize, usize),
    (first, width): (usize, usize),
    block: Block,
    out: &mut [f32],
) {
    let columns = job.b.n() - first;
    (tile.at, tile.out_stride) = (0, width);
    (tile.first_block, tile.last_block) = (false, false);
    let mut buffer = [0.0; MAX_ROWS * MAX_WIDTH];
    let at = |r: usize| (row + r) * job.out_stride + job.out_offset + first;
    for (r, line) in buffer.chunks_exact_mut(width).take(count).enumerate() {
        let line = &mut line[..columns];
        match job.epilogue.bias {
            _ if block.k_from > 0 => line.copy_from_slice(&out[at(r)..at(r) + columns]),
            Some(bias) => line.copy_from_slice(&bias[first..first + columns]),
            None => {}
        }
    }
    simd.run(count, width / S::f32s::LEN, &tile, &mut buffer);
    for (r, line) in buffer.chunks_exact(width).take(count).enumerate() {
        let out = &mut out[at(r)..at(r) + columns];
        out.copy_from_slice(&line[..columns]);
        if !block.last {
            continue;
        }
        if let Some(residual) = job.epilogue.residual {
            let from = (row + r) * residual.stride + residual.offset + first;
            out.iter_mut().zip(&residual.data[from..]).for_each(|(out, &value)| *out += value);
        }
        if job.rest == Pointwise::Identity {
            elementwise::pointwise(isa, job.epilogue.activation, out);
        }
    }
}
