//! The loop that depthwise convolutions and pools share: for every row and channel, fold the values of its taps.
//!
//! A [`Fold`] says what one step is. The taps of a few rows are looked up, nine at a time; then sixteen channels after sixteen pass
//! with their accumulators in registers, so that a tap's weights are loaded once for all rows. Padding reads a run of the fold's
//! neutral value. Each element is one chain in tap order, whatever is computed beside it; with more than nine taps the partial
//! result waits in the output. Neighbouring rows of a stride-1 convolution share most of their runs: `strip` loads those once.

use crate::{
    PAD, Rows,
    isa::Level,
    lanes::Lanes,
    rows::MAX_BLOCK,
    unroll::{MOST, unroll},
};
use fearless_simd::prelude::*;

mod strip;

/// Taps whose runs are looked up together: a 3x3 kernel, a third of a 3x3x3 one.
const GROUP: usize = 9;

/// Channels that are folded together, one or a few vectors on every processor.
const UNIT: usize = 16;

/// Most vectors in a unit.
const MAX_VECTORS: usize = 4;

type Unit = [f32; UNIT];

/// One kind of fold over taps. Channels are counted from the first of `seg`.
pub(crate) trait Fold<S: Level> {
    /// What a padding tap reads, and what a fold starts from: adds nothing to it.
    const NEUTRAL: &'static [f32; MAX_BLOCK];
    /// Whether `step` looks at the weight.
    const WEIGHTED: bool;

    /// What channels `first..first + len` start from, if not from the neutral value.
    fn bias(&self, first: usize, len: usize) -> Option<&[f32]>;
    /// The weights of channels `first..first + len` at a tap.
    fn weights(&self, tap: usize, first: usize, len: usize) -> &[f32];
    /// One tap more.
    fn step(&self, sum: S::f32s, x: S::f32s, weight: S::f32s) -> S::f32s;
    /// What `finish` needs to know of a row.
    fn factor(&self, row: usize) -> f32;
    /// From the folded value to the output.
    fn finish(&self, simd: S, sum: S::f32s, factor: f32) -> S::f32s;
}

/// Where the output rows are: element `(r, j)` at `r * stride + offset + j`.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    pub(crate) stride: usize,
    pub(crate) offset: usize,
}

/// Taps `from..to` and channels `first..first + len` of the rows from `row` on.
#[derive(Clone, Copy)]
struct Part {
    row: usize,
    from: usize,
    to: usize,
    first: usize,
    len: usize,
    last: bool,
}

/// Folds every row and channel into `out`, rows before `start` aside.
#[inline(always)]
pub(crate) fn fold<S: Level, F: Fold<S>>(
    simd: S,
    rows: &Rows,
    start: usize,
    fold: &F,
    place: Place,
    out: &mut [f32],
) {
    for first in (0..rows.seg).step_by(MAX_BLOCK) {
        let channels = (first, MAX_BLOCK.min(rows.seg - first));
        let mut row = start;
        while row < rows.rows {
            let strip = if F::WEIGHTED { strip::length(rows, row) } else { 1 };
            row += match (strip, rows.rows - row) {
                (4, _) if strip::fold::<S, F, 4>(simd, rows, fold, row, channels, place, out) => 4,
                (2 | 3, _) if strip::fold::<S, F, 2>(simd, rows, fold, row, channels, place, out) => 2,
                (_, 4..) => some_rows::<S, F, 4>(simd, rows, fold, row, channels, place, out),
                _ => some_rows::<S, F, 1>(simd, rows, fold, row, channels, place, out),
            };
        }
    }
}

/// `R` rows times `channels` channels from `first` on; gives `R`.
#[inline(never)]
fn some_rows<S: Level, F: Fold<S>, const R: usize>(
    simd: S,
    rows: &Rows,
    fold: &F,
    row: usize,
    (first, channels): (usize, usize),
    place: Place,
    out: &mut [f32],
) -> usize {
    simd.vectorize(
        #[inline(always)]
        || {
            let groups = rows.taps.div_ceil(GROUP).max(1);
            let whole = channels / UNIT * UNIT;
            for group in 0..groups {
                let (from, to) = (group * GROUP, ((group + 1) * GROUP).min(rows.taps));
                let mut part = Part { row, from, to, first, len: whole, last: group + 1 == groups };
                if whole > 0 {
                    units::<S, F, R>(simd, rows, fold, part, place, out);
                }
                if whole == channels {
                    continue;
                }
                if groups == 1 && whole > 0 {
                    // The last unit overlaps the one before: the same sums twice, and no channel to spare.
                    (part.first, part.len) = (first + channels - UNIT, UNIT);
                    units::<S, F, R>(simd, rows, fold, part, place, out);
                } else {
                    (part.first, part.len) = (first + whole, channels - whole);
                    for r in 0..R {
                        few(simd, rows, fold, Part { row: row + r, ..part }, place, out);
                    }
                }
            }
        },
    );
    R
}

/// `R` rows times whole units of channels.
#[allow(clippy::needless_range_loop, reason = "constant indices keep accumulators in registers")]
#[inline(always)]
fn units<S: Level, F: Fold<S>, const R: usize>(
    simd: S,
    rows: &Rows,
    fold: &F,
    part: Part,
    place: Place,
    out: &mut [f32],
) {
    let Part { row, from, to, first, len, last } = part;
    let count = len / UNIT;
    let neutral = &in_units(F::NEUTRAL)[..count];
    // Constant indices all the way: so the compiler sees that every run has `count` units, and checks no index in the loop.
    let mut runs = [[neutral; MOST]; R];
    unroll!(ROW < R => {
        let (of_row, shift) = rows.entries(row + ROW, (from, to));
        let mut entries = [PAD; MOST];
        entries[..to - from].copy_from_slice(of_row);
        let starts = rows.starts(shift, first);
        unroll!(TAP < GROUP => {
            if let Some(run) = rows.follow_from(entries[TAP], starts, len) {
                runs[ROW][TAP] = &in_units(run)[..count];
            }
        });
    });
    let mut weights = [neutral; MOST];
    if F::WEIGHTED {
        unroll!(TAP < GROUP => if TAP < to - from {
            weights[TAP] = &in_units(fold.weights(from + TAP, first, len))[..count];
        });
    }
    let bias = &fold.bias(first, len).map_or(neutral, in_units)[..count];
    let mut factors = [0.0; R];
    unroll!(ROW < R => factors[ROW] = fold.factor(row + ROW));
    let lines = out_rows::<R>(out, row, first, count, place);

    let vectors = UNIT / S::f32s::LEN;
    for unit in 0..count {
        let mut sums = [[S::f32s::splat(simd, 0.0); MAX_VECTORS]; R];
        unroll!(ROW < R => for v in 0..vectors {
            sums[ROW][v] = vector(simd, if from == 0 { &bias[unit] } else { &lines[ROW][unit] }, v);
        });
        unroll!(TAP < GROUP => {
            let mut weight = [S::f32s::splat(simd, 0.0); MAX_VECTORS];
            if F::WEIGHTED {
                for v in 0..vectors {
                    weight[v] = vector(simd, &weights[TAP][unit], v);
                }
            }
            unroll!(ROW < R => for v in 0..vectors {
                sums[ROW][v] = fold.step(sums[ROW][v], vector(simd, &runs[ROW][TAP][unit], v), weight[v]);
            });
        });
        unroll!(ROW < R => for v in 0..vectors {
            let value = if last { fold.finish(simd, sums[ROW][v], factors[ROW]) } else { sums[ROW][v] };
            value.store_slice(&mut lines[ROW][unit][v * S::f32s::LEN..(v + 1) * S::f32s::LEN]);
        });
    }
}

/// A run as units; what is left over is not seen.
#[inline(always)]
fn in_units(run: &[f32]) -> &[Unit] {
    run.as_chunks::<UNIT>().0
}

/// The `v`th vector of a unit.
#[inline(always)]
fn vector<S: Level>(simd: S, unit: &Unit, v: usize) -> S::f32s {
    S::f32s::from_slice(simd, &unit[v * S::f32s::LEN..(v + 1) * S::f32s::LEN])
}

/// `count` units from channel `first` on of `R` output rows.
#[inline(always)]
fn out_rows<const R: usize>(
    out: &mut [f32],
    row: usize,
    first: usize,
    count: usize,
    place: Place,
) -> [&mut [Unit]; R] {
    let mut lines: [&mut [Unit]; R] = std::array::from_fn(|_| Default::default());
    // With one row the stride says nothing; it may even be 0.
    let stride = if R == 1 { out.len() } else { place.stride };
    let start = row * place.stride + place.offset + first;
    for (line, out) in lines.iter_mut().zip(out[start..].chunks_mut(stride.max(1))) {
        *line = &mut out.as_chunks_mut::<UNIT>().0[..count];
    }
    lines
}

/// One row times fewer channels than a unit.
#[inline(always)]
fn few<S: Level, F: Fold<S>>(simd: S, rows: &Rows, fold: &F, part: Part, place: Place, out: &mut [f32]) {
    let Part { row, from, to, first, len, last } = part;
    let (entries, shift) = rows.entries(row, (from, to));
    let out_row = row * place.stride + place.offset;
    for at in (0..len).step_by(S::f32s::LEN) {
        let count = S::f32s::LEN.min(len - at);
        let of_out = Lanes { first: out_row + first + at, count };
        let whole = Lanes { first: 0, count };
        let mut sum = match fold.bias(first + at, count) {
            _ if from > 0 => of_out.load(simd, out),
            Some(bias) => whole.load(simd, bias),
            None => whole.load(simd, F::NEUTRAL),
        };
        for (&entry, tap) in entries.iter().zip(from..) {
            let Some(run) = rows.follow(entry, shift, first + at, count) else { continue };
            let weights = fold.weights(tap, first + at, count);
            sum = fold.step(sum, whole.load(simd, run), whole.load(simd, weights));
        }
        let value = if last { fold.finish(simd, sum, fold.factor(row)) } else { sum };
        of_out.store(simd, value, out);
    }
}
