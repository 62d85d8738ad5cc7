//! Depthwise sums for neighbouring pixels of a stride-1 convolution, which see the same inputs one tap apart.
//!
//! Whether rows are neighbours is read off the table: tap t of the next row is where tap t + 1 of this one is, for all but the last
//! column of the kernel. Then a few pixels need `KW + R - 1` columns instead of `KW * R`, each looked up and loaded once. The sums are
//! those of the general loop, in the same order, so the bits are too. Kernels 3, 5 and 7 wide; others take the general loop.

use super::{Fold, Place, UNIT, in_units, out_rows, vector};
use crate::{
    Rows,
    isa::Level,
    unroll::{MOST, unroll},
};
use fearless_simd::prelude::*;

/// Width of a square (or cubic, or 1-D) kernel of this many taps, if there is a strip for it.
fn kernel_width(taps: usize) -> Option<usize> {
    match taps {
        3 | 9 | 27 => Some(3),
        5 | 25 | 125 => Some(5),
        7 | 49 | 343 => Some(7),
        _ => None,
    }
}

/// How many rows from `row` on are neighbours: 1 to 4.
#[inline(always)]
pub(super) fn length(rows: &Rows, row: usize) -> usize {
    let Some(width) = kernel_width(rows.taps) else { return 1 };
    let (mut here, shift) = rows.entries(row, (0, rows.taps));
    for len in 1..4 {
        if row + len == rows.rows {
            return len;
        }
        let (next, next_shift) = rows.entries(row + len, (0, rows.taps));
        let mut lines = here.chunks_exact(width).zip(next.chunks_exact(width));
        if next_shift != shift || !lines.all(|(here, next)| here[1..] == next[..width - 1]) {
            return len;
        }
        here = next;
    }
    4
}

/// Folds `R` neighbouring rows; `false` if the channels are not whole units.
#[inline(always)]
pub(super) fn fold<S: Level, F: Fold<S>, const R: usize>(
    simd: S,
    rows: &Rows,
    fold: &F,
    row: usize,
    (first, channels): (usize, usize),
    place: Place,
    out: &mut [f32],
) -> bool {
    if !channels.is_multiple_of(UNIT) {
        return false;
    }
    let strip = Strip { row, first, channels };
    match kernel_width(rows.taps) {
        Some(3) if rows.taps >= 9 => passes::<S, F, R, 3, 3>(simd, rows, fold, strip, place, out),
        Some(3) => passes::<S, F, R, 3, 1>(simd, rows, fold, strip, place, out),
        Some(5) => passes::<S, F, R, 5, 1>(simd, rows, fold, strip, place, out),
        Some(7) => passes::<S, F, R, 7, 1>(simd, rows, fold, strip, place, out),
        _ => return false,
    }
    true
}

/// Rows from `row` on, channels `first..first + channels`.
#[derive(Clone, Copy)]
struct Strip {
    row: usize,
    first: usize,
    channels: usize,
}

/// All taps, `KH` lines of the kernel at a time.
#[inline(never)]
fn passes<S: Level, F: Fold<S>, const R: usize, const KW: usize, const KH: usize>(
    simd: S,
    rows: &Rows,
    fold: &F,
    strip: Strip,
    place: Place,
    out: &mut [f32],
) {
    simd.vectorize(
        #[inline(always)]
        || {
            for from in (0..rows.taps).step_by(KW * KH) {
                pass::<S, F, R, KW, KH>(simd, rows, fold, strip, from, place, out);
            }
        },
    );
}

/// `KH` lines of the kernel, from tap `from` on.
#[inline(always)]
fn pass<S: Level, F: Fold<S>, const R: usize, const KW: usize, const KH: usize>(
    simd: S,
    rows: &Rows,
    fold: &F,
    strip: Strip,
    from: usize,
    place: Place,
    out: &mut [f32],
) {
    let Strip { row, first, channels } = strip;
    let to = from + KW * KH;
    let count = channels / UNIT;
    let neutral = &in_units(F::NEUTRAL)[..count];
    let mut runs = [[neutral; MOST]; MOST];
    let mut weights = [[neutral; MOST]; MOST];
    let (entries, shift) = rows.entries(row, (from, to));
    let starts = rows.starts(shift, first);
    unroll!(COLUMN < KW + R - 1 => {
        // The first row has all its columns, each further one brings one more.
        let (entries, at) = if COLUMN < KW {
            (entries, COLUMN)
        } else {
            (rows.entries(row + COLUMN + 1 - KW, (from, to)).0, KW - 1)
        };
        unroll!(LINE < KH => {
            if let Some(run) = rows.follow_from(entries[LINE * KW + at], starts, channels) {
                runs[LINE][COLUMN] = &in_units(run)[..count];
            }
        });
    });
    unroll!(TAP < KW => unroll!(LINE < KH => {
        weights[LINE][TAP] = &in_units(fold.weights(from + LINE * KW + TAP, first, channels))[..count];
    }));
    let bias = &fold.bias(first, channels).map_or(neutral, in_units)[..count];
    let lines = out_rows::<R>(out, row, first, count, place);

    let vectors = UNIT / S::f32s::LEN;
    for unit in 0..count {
        for v in 0..vectors {
            let mut sums = [S::f32s::splat(simd, 0.0); R];
            unroll!(ROW < R => {
                sums[ROW] = vector(simd, if from == 0 { &bias[unit] } else { &lines[ROW][unit] }, v);
            });
            unroll!(LINE < KH => {
                let mut of_line = [S::f32s::splat(simd, 0.0); MOST];
                unroll!(TAP < KW => of_line[TAP] = vector(simd, &weights[LINE][TAP][unit], v));
                unroll!(COLUMN < KW + R - 1 => {
                    let x = vector(simd, &runs[LINE][COLUMN][unit], v);
                    unroll!(ROW < R => match COLUMN.checked_sub(ROW) {
                        Some(tap) if tap < KW => sums[ROW] = fold.step(sums[ROW], x, of_line[tap]),
                        _ => {}
                    });
                });
            });
            unroll!(ROW < R => {
                let value = if to == rows.taps { fold.finish(simd, sums[ROW], 1.0) } else { sums[ROW] };
                value.store_slice(&mut lines[ROW][unit][v * S::f32s::LEN..(v + 1) * S::f32s::LEN]);
            });
        }
    }
}
