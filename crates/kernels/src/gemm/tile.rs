//! The register kernel: a few rows times one panel, over one block of k.
//!
//! Accumulators stay in registers for the whole block; rows of A are read in place, one broadcast per element, and B is streamed. A
//! tap that is padding in every row of the tile is skipped, in some rows it reads zeros: both add exactly nothing. The first
//! block starts from the bias, later ones from what is in `out`, the last one applies the epilogue.

use super::shape::{MAX_ROWS, Tiles};
use crate::unroll::unroll;
use fearless_simd::{Simd, SimdBase, SimdFloat};

/// The rows of a tile: the run of tap `t` in row `r` is `runs[t * stride + r][..len]`.
///
/// An empty first run says that the tap is padding in every row of the tile: it is left out.
#[derive(Clone, Copy)]
pub(super) struct Source<'a> {
    pub(super) runs: &'a [&'a [f32]],
    pub(super) stride: usize,
    pub(super) taps: usize,
    pub(super) len: usize,
}

/// One call of the register kernel.
pub(super) struct Tile<'a> {
    pub(super) source: &'a Source<'a>,
    /// From the first panel's block of k on.
    pub(super) b: &'a [f32],
    /// Floats of one panel's block: its k times its width.
    pub(super) block_len: usize,
    /// Floats from one panel to the next in `b`.
    pub(super) panel_step: usize,
    /// Panels side by side, all equally wide.
    pub(super) panels: usize,
    /// Position in `out` of the first element.
    pub(super) at: usize,
    pub(super) out_stride: usize,
    /// The first block starts from the bias, later ones from what `out` holds.
    pub(super) first_block: bool,
    /// The last block adds the residual and applies the limits.
    pub(super) last_block: bool,
    /// Bias from the tile's first column on.
    pub(super) bias: Option<&'a [f32]>,
    /// From the tile's first element on, and its row stride.
    pub(super) residual: Option<(&'a [f32], usize)>,
    /// Lower and upper bound of finished values, infinite where there is none.
    pub(super) limits: &'a [f32; 2],
}

/// `R` rows times `V` vectors of columns per panel, all of which exist in `out`, bias and residual.
#[allow(clippy::needless_range_loop, reason = "constant indices keep accumulators in registers")]
#[inline(never)]
pub(super) fn tile<S: Tiles, const R: usize, const V: usize>(simd: S, job: &Tile, out: &mut [f32]) {
    simd.vectorize(
        #[inline(always)]
        || {
            let width = V * S::f32s::LEN;
            let stride = job.out_stride;
            for p in 0..job.panels {
                let panel = &job.b[p * job.panel_step..][..job.block_len];
                let out = &mut out[job.at + p * width..][..(R - 1) * stride + width];
                let mut sums = [[S::f32s::splat(simd, 0.0); V]; R];
                if job.first_block {
                    if let Some(bias) = job.bias {
                        sums = [vectors(simd, &bias[p * width..][..width]); R];
                    }
                } else {
                    unroll!(ROW < R => sums[ROW] = vectors(simd, &out[ROW * stride..][..width]));
                }
                multiply(simd, job.source, panel, &mut sums);
                if !job.last_block {
                    unroll!(ROW < R => store(&sums[ROW], &mut out[ROW * stride..][..width]));
                    continue;
                }
                if let Some((residual, stride)) = job.residual {
                    unroll!(ROW < R => {
                        add(&mut sums[ROW], vectors::<S, V>(simd, &residual[ROW * stride + p * width..][..width]));
                    });
                }
                let [low, high] = job.limits.map(
                    #[inline(always)]
                    |limit| S::f32s::splat(simd, limit),
                );
                let capped = job.limits[1] < f32::INFINITY;
                unroll!(ROW < R => {
                    for v in 0..V {
                        sums[ROW][v] = simd.at_least(sums[ROW][v], low);
                        if capped {
                            sums[ROW][v] = simd.at_most(sums[ROW][v], high);
                        }
                    }
                    store(&sums[ROW], &mut out[ROW * stride..][..width]);
                });
            }
        },
    );
}

/// `sums[r] += row r of the source * panel`.
#[inline(always)]
fn multiply<S: Tiles, const R: usize, const V: usize>(
    simd: S,
    source: &Source,
    mut panel: &[f32],
    sums: &mut [[S::f32s; V]; R],
) {
    let width = V * S::f32s::LEN;
    let Source { runs, stride, taps, len } = *source;
    for tap in 0..taps {
        let (b, rest) = panel.split_at(len * width);
        panel = rest;
        let of_tap = &runs[tap * stride..][..R];
        if of_tap[0].is_empty() {
            continue;
        }
        let mut runs: [&[f32]; MAX_ROWS] = [&[]; MAX_ROWS];
        unroll!(ROW < R => runs[ROW] = &of_tap[ROW][..len]);
        for (k, line) in (0..len).zip(b.chunks_exact(width)) {
            let b = vectors::<S, V>(simd, line);
            unroll!(ROW < R => {
                let a = S::f32s::splat(simd, runs[ROW][k]);
                for v in 0..V {
                    sums[ROW][v] = a.mul_add(b[v], sums[ROW][v]);
                }
            });
        }
    }
}

#[inline(always)]
fn add<V: SimdBase<S>, S: Simd, const N: usize>(row: &mut [V; N], summand: [V; N]) {
    for v in 0..N {
        row[v] += summand[v];
    }
}

#[inline(always)]
fn vectors<S: Simd, const V: usize>(simd: S, from: &[f32]) -> [S::f32s; V] {
    let lanes = S::f32s::LEN;
    std::array::from_fn(
        #[inline(always)]
        |v| S::f32s::from_slice(simd, &from[v * lanes..(v + 1) * lanes]),
    )
}

#[inline(always)]
fn store<V: SimdFloat<S, Element = f32>, S: Simd, const N: usize>(row: &[V; N], to: &mut [f32]) {
    for v in 0..N {
        row[v].store_slice(&mut to[v * V::LEN..(v + 1) * V::LEN]);
    }
}
