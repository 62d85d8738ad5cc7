//! The loop that depthwise convolutions and pools share: for every row and channel, fold the values of its taps.
//!
//! A [`Fold`] says what one step is. The taps of a few rows are looked up, nine at a time; then sixteen channels after sixteen pass
//! with their accumulators in registers, so that a tap's weights are loaded once for all rows. Padding reads a run of the fold's
//! neutral value. Each element is one chain in tap order, whatever is computed beside it; with more than nine taps the partial
//! result waits in the output.

use crate::{Rows, each_row::each_row, lanes::Lanes, rows::MAX_BLOCK};
use fearless_simd::prelude::*;

/// Taps whose runs are looked up together: a 3x3 kernel, a third of a 3x3x3 one.
const GROUP: usize = 9;

/// Channels that are folded together, one or a few vectors on every processor.
const UNIT: usize = 16;

/// Most vectors in a unit.
const MAX_VECTORS: usize = 4;

/// One kind of fold over taps. Channels are counted from the first of `seg`.
pub(crate) trait Fold<S: Simd> {
    /// What a padding tap reads: adds nothing to the fold.
    const NEUTRAL: &'static [f32; MAX_BLOCK];
    /// Whether `step` looks at the weight.
    const WEIGHTED: bool;

    /// The accumulator before the first tap.
    fn begin(&self, simd: S, channels: Lanes) -> S::f32s;
    /// The weights of channels `first..first + len` at a tap.
    fn weights(&self, tap: usize, first: usize, len: usize) -> &[f32];
    /// One tap more.
    fn step(&self, sum: S::f32s, x: S::f32s, weight: S::f32s) -> S::f32s;
    /// From the folded value to the output.
    fn finish(&self, simd: S, sum: S::f32s, row: usize, channels: Lanes) -> S::f32s;
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

/// Folds every row and channel into `out`.
#[inline(always)]
pub(crate) fn fold<S: Simd, F: Fold<S>>(simd: S, rows: &Rows, fold: &F, place: Place, out: &mut [f32]) {
    let mut row = 0;
    while row + 4 <= rows.rows {
        some_rows::<S, F, 4>(simd, rows, fold, row, place, out);
        row += 4;
    }
    while row < rows.rows {
        some_rows::<S, F, 1>(simd, rows, fold, row, place, out);
        row += 1;
    }
}

#[inline(never)]
fn some_rows<S: Simd, F: Fold<S>, const R: usize>(
    simd: S,
    rows: &Rows,
    fold: &F,
    row: usize,
    place: Place,
    out: &mut [f32],
) {
    simd.vectorize(
        #[inline(always)]
        || {
            let groups = rows.taps.div_ceil(GROUP).max(1);
            for first in (0..rows.seg).step_by(MAX_BLOCK) {
                let channels = MAX_BLOCK.min(rows.seg - first);
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
                        (0..R).for_each(|r| few(simd, rows, fold, Part { row: row + r, ..part }, place, out));
                    }
                }
            }
        },
    );
}

/// `R` rows times whole units of channels.
#[inline(always)]
fn units<S: Simd, F: Fold<S>, const R: usize>(
    simd: S,
    rows: &Rows,
    fold: &F,
    part: Part,
    place: Place,
    out: &mut [f32],
) {
    let Part { row, from, to, first, len, last } = part;
    let count = len / UNIT;
    let (neutral, _) = F::NEUTRAL.as_chunks::<UNIT>();
    let neutral = &neutral[..count];
    let mut runs = [[neutral; GROUP]; R];
    each_row!(R, ROW => {
        let (entries, shift) = rows.entries(row + ROW, (from, to));
        for (run, &entry) in runs[ROW].iter_mut().zip(entries) {
            *run = rows.follow(entry, shift, first, len).map_or(neutral, |run| &run.as_chunks::<UNIT>().0[..count]);
        }
    });
    let mut weights = [neutral; GROUP];
    if F::WEIGHTED {
        for (weights, tap) in weights.iter_mut().zip(from..to) {
            *weights = &fold.weights(tap, first, len).as_chunks::<UNIT>().0[..count];
        }
    }
    // The lengths again, where the compiler sees that all are the same.
    let mut cut = [[neutral; GROUP]; R];
    let mut cut_weights = [neutral; GROUP];
    macro_rules! each_tap {
        ($($tap:literal)*; $t:ident => $body:expr) => {
            $({ const $t: usize = $tap; $body })*
        };
    }
    each_tap!(0 1 2 3 4 5 6 7 8; TAP => {
        cut_weights[TAP] = &weights[TAP][..count];
        each_row!(R, ROW => cut[ROW][TAP] = &runs[ROW][TAP][..count]);
    });

    let vectors = UNIT / S::f32s::LEN;
    for unit in 0..count {
        let channels = Lanes { first: first + unit * UNIT, count: S::f32s::LEN };
        let mut sums = [[S::f32s::splat(simd, 0.0); MAX_VECTORS]; R];
        each_row!(R, ROW => {
            let out = &out[(row + ROW) * place.stride + place.offset + channels.first..][..UNIT];
            for v in 0..vectors {
                sums[ROW][v] = if from == 0 {
                    fold.begin(simd, channels.vector(simd, v))
                } else {
                    vector(simd, out, v)
                };
            }
        });
        each_tap!(0 1 2 3 4 5 6 7 8; TAP => {
            let mut weight = [S::f32s::splat(simd, 0.0); MAX_VECTORS];
            if F::WEIGHTED {
                for v in 0..vectors {
                    weight[v] = vector(simd, &cut_weights[TAP][unit], v);
                }
            }
            each_row!(R, ROW => {
                for v in 0..vectors {
                    sums[ROW][v] = fold.step(sums[ROW][v], vector(simd, &cut[ROW][TAP][unit], v), weight[v]);
                }
            });
        });
        each_row!(R, ROW => {
            let out = &mut out[(row + ROW) * place.stride + place.offset + channels.first..][..UNIT];
            for v in 0..vectors {
                let mut value = sums[ROW][v];
                if last {
                    value = fold.finish(simd, value, row + ROW, channels.vector(simd, v));
                }
                value.store_slice(&mut out[v * S::f32s::LEN..(v + 1) * S::f32s::LEN]);
            }
        });
    }
}

/// The `v`th vector of a unit.
#[inline(always)]
fn vector<S: Simd>(simd: S, unit: &[f32], v: usize) -> S::f32s {
    S::f32s::from_slice(simd, &unit[v * S::f32s::LEN..(v + 1) * S::f32s::LEN])
}

/// One row times fewer channels than a unit.
#[inline(always)]
fn few<S: Simd, F: Fold<S>>(simd: S, rows: &Rows, fold: &F, part: Part, place: Place, out: &mut [f32]) {
    let Part { row, from, to, first, len, last } = part;
    let (entries, shift) = rows.entries(row, (from, to));
    let out_row = row * place.stride + place.offset;
    for at in (0..len).step_by(S::f32s::LEN) {
        let count = S::f32s::LEN.min(len - at);
        let channels = Lanes { first: first + at, count };
        let of_out = Lanes { first: out_row + first + at, count };
        let whole = Lanes { first: 0, count };
        let mut sum = if from == 0 { fold.begin(simd, channels) } else { of_out.load(simd, out) };
        for (&entry, tap) in entries.iter().zip(from..) {
            let Some(run) = rows.follow(entry, shift, first + at, count) else { continue };
            let weights = fold.weights(tap, first + at, count);
            sum = fold.step(sum, whole.load(simd, run), whole.load(simd, weights));
        }
        let value = if last { fold.finish(simd, sum, row, channels) } else { sum };
        of_out.store(simd, value, out);
    }
}
