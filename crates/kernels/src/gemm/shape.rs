//! Which register tile each instruction set has, and how columns are cut into panels for it.
//!
//! A tile holds `ROWS x VECTORS` accumulators; the sizes are measured (see the `gemm_peak` example). The number of rows that a call
//! needs is a run-time value, each of them compiled as its own kernel: [`Tiles::run`] is the switch.

use super::tile::{Tile, tile};
use crate::{
    Isa,
    isa::{Level, Token},
};
use fearless_simd::{Fallback, SimdBase};

/// The tile sizes of one instruction set.
pub(super) trait Tiles: Level {
    /// Rows of a full tile.
    const ROWS: usize;
    /// Vectors across a full tile.
    const VECTORS: usize;

    /// Runs the kernel for `rows` (1 to `ROWS`) and `vectors` (1 to `VECTORS`).
    fn run(self, rows: usize, vectors: usize, job: &Tile, out: &mut [f32]);
}

/// Largest `ROWS` of any instruction set.
pub(super) const MAX_ROWS: usize = crate::unroll::MOST;

/// Widest panel of any instruction set, in floats.
pub(super) const MAX_WIDTH: usize = 32;

macro_rules! tiles {
    ($token:ty, $rows:literal, $vectors:literal, [$($r:literal)*], $v:tt) => {
        impl Tiles for $token {
            const ROWS: usize = $rows;
            const VECTORS: usize = $vectors;

            #[inline]
            fn run(self, rows: usize, vectors: usize, job: &Tile, out: &mut [f32]) {
                match rows {
                    $($r => tiles!(@vectors self, vectors, job, out, $r, $v),)*
                    _ => unreachable!("a tile has 1 to {} rows, not {rows}", $rows),
                }
            }
        }
    };
    (@vectors $simd:ident, $vectors:ident, $job:ident, $out:ident, $r:literal, [$($v:literal)*]) => {
        match $vectors {
            $($v => tile::<Self, $r, $v>($simd, $job, $out),)*
            _ => unreachable!("a tile has 1 to {} vectors, not {}", Self::VECTORS, $vectors),
        }
    };
}

tiles!(Fallback, 4, 2, [1 2 3 4], [1 2]);
#[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
tiles!(fearless_simd::Avx2, 6, 2, [1 2 3 4 5 6], [1 2]);
#[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
tiles!(fearless_simd::Avx512, 12, 2, [1 2 3 4 5 6 7 8 9 10 11 12], [1 2]);
#[cfg(target_arch = "aarch64")]
tiles!(fearless_simd::Neon, 6, 4, [1 2 3 4 5 6], [1 2 3 4]);

/// Widths of the panels that columns are cut into, in floats.
#[derive(Clone, Copy)]
pub(super) struct PanelShape {
    lanes: usize,
    width: usize,
}

impl PanelShape {
    pub(super) fn of(isa: Isa) -> Self {
        match isa.0 {
            Token::Scalar(simd) => Self::of_token(simd),
            #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
            Token::Avx2(simd) => Self::of_token(simd),
            #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
            Token::Avx512(simd) => Self::of_token(simd),
            #[cfg(target_arch = "aarch64")]
            Token::Neon(simd) => Self::of_token(simd),
        }
    }

    pub(super) fn of_token<S: Tiles>(_simd: S) -> Self {
        Self { lanes: S::f32s::LEN, width: S::f32s::LEN * S::VECTORS }
    }

    /// Columns rounded up to whole vectors.
    pub(super) fn padded(self, n: usize) -> usize {
        n.next_multiple_of(self.lanes)
    }

    /// Number of panels.
    pub(super) fn count(self, n: usize) -> usize {
        n.div_ceil(self.width)
    }

    /// (first column, width) of each panel.
    pub(super) fn panels(self, n: usize) -> impl Iterator<Item = (usize, usize)> {
        let padded = self.padded(n);
        (0..padded).step_by(self.width).map(move |first| (first, self.width.min(padded - first)))
    }
}
