//! The register kernel: a few rows times one panel, over one block of k.
//!
//! Accumulators stay in registers for the whole block; rows of A are read in place, one broadcast per element, and B is streamed. A
//! tap that is padding in every row of the tile is skipped, in some rows it reads zeros: both add exactly nothing. The first
//! block starts from zero, later ones from what is in `out`, the last one applies the epilogue.

use super::shape::MAX_ROWS;
use crate::Rows;
use fearless_simd::{Simd, SimdBase, SimdFloat, prelude::*};

/// Longest part of a run that one kernel call multiplies, in floats.
pub(super) const MAX_BLOCK: usize = 1024;

/// What a row reads where its tap is padding.
static ZEROS: [f32; MAX_BLOCK] = [0.0; MAX_BLOCK];

/// Where the rows of a tile come from: `taps.0..taps.1`, `len` floats of each.
pub(super) struct Source<'a> {
    pub(super) place: Place<'a>,
    pub(super) taps: (usize, usize),
    pub(super) len: usize,
}

/// In place, or gathered before.
#[derive(Clone, Copy)]
pub(super) enum Place<'a> {
    /// Floats from `from` on of each run; (pixel, shift) per row.
    Table { rows: &'a Rows<'a>, places: &'a [(usize, usize)], from: usize },
    /// Row `r` starts at `data[r * stride]`; one tap.
    Scratch { data: &'a [f32], stride: usize },
}

impl Source<'_> {
    #[inline(always)]
    fn run(&self, row: usize, tap: usize) -> Option<&[f32]> {
        match self.place {
            Place::Table { rows, places, from } => {
                let (pixel, shift) = places[row];
                rows.part_at(pixel, shift, tap, from, self.len)
            }
            Place::Scratch { data, stride } => Some(&data[row * stride..row * stride + self.len]),
        }
    }
}

/// One call of the register kernel.
pub(super) struct Tile<'a> {
    pub(super) source: Source<'a>,
    /// `[k of the block, width]`.
    pub(super) panel: &'a [f32],
    /// Position in `out` of the first element.
    pub(super) at: usize,
    pub(super) out_stride: usize,
    pub(super) first_block: bool,
    pub(super) finish: Option<Finish<'a>>,
}

/// The part of the epilogue that the kernel does in registers.
#[derive(Clone, Copy)]
pub(super) struct Finish<'a> {
    /// Bias of the tile's columns.
    pub(super) bias: Option<&'a [f32]>,
    /// Residual, from the tile's first element on, and its row stride.
    pub(super) residual: Option<(&'a [f32], usize)>,
    /// Bounds of the result; infinite where there are none.
    pub(super) clamp: Option<(f32, f32)>,
}

/// `$body` for each row index below `R`, as straight code with constant indices.
///
/// Under a loop, accumulators live in memory instead of registers, and the compiler does not see that all rows have `len` floats, so
/// that every multiply-add carries a bounds check (85% of peak became 65%).
macro_rules! each_row {
    ($rows:ident, $r:ident => $body:expr) => {
        each_row!(@ $rows, $r, $body, 0 1 2 3 4 5 6 7 8 9 10 11)
    };
    (@ $rows:ident, $r:ident, $body:expr, $($index:literal)*) => {
        $(if $index < $rows {
            const $r: usize = $index;
            $body
        })*
    };
}

/// `R` rows times `V` vectors of columns, all of which exist in `out`, bias and residual.
#[inline(never)]
pub(super) fn tile<S: Simd, const R: usize, const V: usize>(simd: S, job: &Tile, out: &mut [f32]) {
    simd.vectorize(
        #[inline(always)]
        || {
            let width = V * S::f32s::LEN;
            let mut sums = [[S::f32s::splat(simd, 0.0); V]; R];
            if !job.first_block {
                each_row!(R, ROW => {
                    sums[ROW] = vectors(simd, &out[job.at + ROW * job.out_stride..][..width]);
                });
            }
            let (taps, len) = (job.source.taps, job.source.len);
            let mut panel = job.panel;
            for tap in taps.0..taps.1 {
                let (b, rest) = panel.split_at(len * width);
                panel = rest;
                let mut runs: [&[f32]; MAX_ROWS] = [&[]; MAX_ROWS];
                let mut padding = 0;
                each_row!(R, ROW => {
                    runs[ROW] = job.source.run(ROW, tap).unwrap_or_else(|| {
                        padding += 1;
                        &ZEROS
                    });
                    runs[ROW] = &runs[ROW][..len];
                });
                if padding == R {
                    continue;
                }
                let mut lines = b.chunks_exact(width);
                for k in 0..len {
                    let Some(line) = lines.next() else { break };
                    let b = vectors::<S, V>(simd, line);
                    each_row!(R, ROW => {
                        let a = S::f32s::splat(simd, runs[ROW][k]);
                        for v in 0..V {
                            sums[ROW][v] = a.mul_add(b[v], sums[ROW][v]);
                        }
                    });
                }
            }
            let Some(finish) = &job.finish else {
                each_row!(R, ROW => store(&sums[ROW], &mut out[job.at + ROW * job.out_stride..][..width]));
                return;
            };
            let bias = finish.bias.map(|bias| vectors::<S, V>(simd, &bias[..width]));
            each_row!(R, ROW => {
                let mut row = sums[ROW];
                if let Some(bias) = bias {
                    add(&mut row, bias);
                }
                if let Some((residual, stride)) = finish.residual {
                    add(&mut row, vectors::<S, V>(simd, &residual[ROW * stride..][..width]));
                }
                if let Some((lo, hi)) = finish.clamp {
                    clamp(simd, &mut row, lo, hi);
                }
                store(&row, &mut out[job.at + ROW * job.out_stride..][..width]);
            });
        },
    );
}

#[inline(always)]
fn add<V: SimdBase<S>, S: Simd, const N: usize>(row: &mut [V; N], summand: [V; N]) {
    for v in 0..N {
        row[v] += summand[v];
    }
}

/// By comparisons, not by min and max: a NaN stays a NaN.
#[inline(always)]
fn clamp<S: Simd, const V: usize>(simd: S, row: &mut [S::f32s; V], lo: f32, hi: f32) {
    let (lo, hi) = (S::f32s::splat(simd, lo), S::f32s::splat(simd, hi));
    for value in row {
        let raised = value.simd_lt(lo).select(lo, *value);
        *value = raised.simd_gt(hi).select(hi, raised);
    }
}

#[inline(always)]
fn vectors<S: Simd, const V: usize>(simd: S, from: &[f32]) -> [S::f32s; V] {
    let lanes = S::f32s::LEN;
    std::array::from_fn(|v| S::f32s::from_slice(simd, &from[v * lanes..(v + 1) * lanes]))
}

#[inline(always)]
fn store<V: SimdFloat<S, Element = f32>, S: Simd, const N: usize>(row: &[V; N], to: &mut [f32]) {
    for v in 0..N {
        row[v].store_slice(&mut to[v * V::LEN..(v + 1) * V::LEN]);
    }
}
