//! Winograd's minimal filtering for kernels of three taps and stride 1: fewer multiplications for the same sums.
//!
//! `F(m, 3)`: `m` neighbouring outputs of a 3-tap filter from `m + 2` products instead of `3 m`, and so along every axis (Lavin and Gray,
//! "Fast Algorithms for Convolutional Neural Networks", CVPR 2016). A tile of `(m + 2)^rank` inputs is transformed, multiplied by transformed weights
//! place by place (one matrix product per place, over all tiles), and transformed back to `m^rank` outputs.
//!
//! The sums are rounded otherwise than those of [`crate::gemm_rows`]: errors are some 1e-6 (m = 2) or 1e-5 (m = 4) of the largest *input*, so this is for inputs
//! that are changes, beside a baseline that is exact. Each output's bits depend on its tile alone.

use crate::{
    Aligned, Epilogue, Isa, PAD, PackedB, Rows, gemm_rows,
    isa::{Level, with_isa},
    rows::{MAX_BLOCK, ZEROS},
};
use fearless_simd::prelude::*;

/// Outputs of a tile along each axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WinogradTile {
    /// `F(2, 3)`.
    Two,
    /// `F(4, 3)`; up to two axes.
    Four,
}

impl WinogradTile {
    /// Outputs along each axis.
    pub fn outputs(self) -> usize {
        match self {
            WinogradTile::Two => 2,
            WinogradTile::Four => 4,
        }
    }

    /// Inputs along each axis.
    pub fn inputs(self) -> usize {
        self.outputs() + 2
    }

    /// How the weights of a 3-tap filter become one factor per input: `[inputs][3]`.
    fn filter(self) -> &'static [[f64; 3]] {
        match self {
            WinogradTile::Two => &[[1.0, 0.0, 0.0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0.0, 0.0, 1.0]],
            WinogradTile::Four => &[
                [1.0 / 4.0, 0.0, 0.0],
                [-1.0 / 6.0, -1.0 / 6.0, -1.0 / 6.0],
                [-1.0 / 6.0, 1.0 / 6.0, -1.0 / 6.0],
                [1.0 / 24.0, 1.0 / 12.0, 1.0 / 6.0],
                [1.0 / 24.0, -1.0 / 12.0, 1.0 / 6.0],
                [0.0, 0.0, 1.0],
            ],
        }
    }
}

/// Channels and columns come in multiples of this: the widest vector.
pub const WINOGRAD_CHANNELS: usize = 16;

/// Most places of a tile: 4 x 4 x 4.
const MAX_PLACES: usize = 64;

/// Transformed inputs and products of this size stay in the second-level cache.
const CACHED_BYTES: usize = 448 << 10;

/// Most bytes of transformed inputs and products that are worked on at once.
pub const WINOGRAD_SCRATCH_BYTES: usize = 16 << 20;

/// The transformed weights of a convolution with three taps along each of one to three axes.
#[derive(Clone, Debug)]
pub struct Winograd {
    isa: Isa,
    tile: WinogradTile,
    rank: usize,
    channels: usize,
    columns: usize,
    /// Per place of a tile, row-major: `[channels, columns]`.
    weights: Vec<PackedB>,
}

/// Where the tiles of a run read and write.
#[derive(Clone, Copy, Debug)]
pub struct WinogradTiles<'a> {
    /// What is convolved: runs of `channels` floats.
    pub change: &'a [f32],
    /// `[tiles, inputs^rank]`: offset in `change`, or [`PAD`] for zeros.
    pub inputs: &'a [u32],
    /// `[tiles, outputs^rank]`: offset in the output, or [`PAD`] for an output that is not wanted.
    pub outputs: &'a [u32],
}

/// Memory of a run, kept between runs.
#[derive(Debug, Default)]
pub struct WinogradScratch {
    inputs: Aligned,
    products: Aligned,
}

impl Winograd {
    /// Whether these sizes can be done: channels and columns in multiples of 16, `F(4, 3)` along at most two axes.
    pub fn fits(tile: WinogradTile, rank: usize, channels: usize, columns: usize) -> bool {
        let aligned = |n: usize| n > 0 && n.is_multiple_of(WINOGRAD_CHANNELS);
        let most = if tile == WinogradTile::Four { 2 } else { 3 };
        (1..=most).contains(&rank) && aligned(channels) && aligned(columns) && channels <= MAX_BLOCK
    }

    /// Transforms `weights[3^rank, channels, columns]`, taps row-major.
    ///
    /// # Panics
    /// If the sizes do not fit ([`Winograd::fits`]) or the weights are not as long.
    pub fn new(
        isa: Isa,
        tile: WinogradTile,
        rank: usize,
        weights: &[f32],
        channels: usize,
        columns: usize,
    ) -> Self {
        assert!(
            Self::fits(tile, rank, channels, columns),
            "{tile:?} of rank {rank}, {channels} to {columns} channels"
        );
        let taps = 3_usize.pow(rank as u32);
        assert_eq!(weights.len(), taps * channels * columns, "weights of {taps} taps");
        let filter = tile.filter();
        let places = tile.inputs().pow(rank as u32);
        let matrix = channels * columns;
        let of_place = |place: usize| {
            // The factors of the taps are products over the axes.
            let factor = |tap: usize| {
                let (mut factor, mut place, mut tap) = (1.0, place, tap);
                for _ in 0..rank {
                    factor *= filter[place % tile.inputs()][tap % 3];
                    (place, tap) = (place / tile.inputs(), tap / 3);
                }
                factor
            };
            let factors: Vec<(usize, f64)> =
                (0..taps).map(|tap| (tap, factor(tap))).filter(|(_, f)| *f != 0.0).collect();
            let value = |i: usize| {
                factors.iter().map(|(tap, f)| f * f64::from(weights[tap * matrix + i])).sum::<f64>()
            };
            let values: Vec<f32> = (0..matrix).map(|i| value(i) as f32).collect();
            PackedB::pack(isa, &values, channels, columns)
        };
        Self { isa, tile, rank, channels, columns, weights: (0..places).map(of_place).collect() }
    }

    /// Its tiles.
    pub fn tile(&self) -> WinogradTile {
        self.tile
    }

    /// Memory held, in bytes.
    pub fn bytes(&self) -> usize {
        self.weights.iter().map(PackedB::bytes).sum()
    }

    /// Bytes that weights of these sizes will take, less the few that align them.
    pub fn bytes_of(tile: WinogradTile, rank: usize, channels: usize, columns: usize) -> usize {
        tile.inputs().pow(rank as u32) * channels * columns * size_of::<f32>()
    }

    /// `out[outputs[..] + j] += sum over taps and channels of weights x change`.
    ///
    /// # Panics
    /// If a table does not fit, or an entry points outside.
    pub fn add(&self, tiles: &WinogradTiles, scratch: &mut WinogradScratch, out: &mut [f32]) {
        let places = self.weights.len();
        let finished = self.tile.outputs().pow(self.rank as u32);
        let count = tiles.inputs.len() / places;
        assert_eq!(tiles.inputs.len(), count * places, "inputs of {count} tiles");
        assert_eq!(tiles.outputs.len(), count * finished, "outputs of {count} tiles");
        let bytes_of_tile = places * (self.channels + self.columns) * size_of::<f32>();
        // As much as the weights that pass once for all of it, or a part of the second-level cache.
        let bytes = self.bytes().clamp(CACHED_BYTES, WINOGRAD_SCRATCH_BYTES);
        let chunk = (bytes / bytes_of_tile).max(1).min(count.max(1));
        scratch.inputs.grow(places * chunk * self.channels);
        scratch.products.grow(places * chunk * self.columns);
        let inputs = tiles.inputs.chunks(chunk * places);
        for (inputs, outputs) in inputs.zip(tiles.outputs.chunks(chunk * finished)) {
            let count = inputs.len() / places;
            let transformed = &mut scratch.inputs[..places * count * self.channels];
            with_isa!(self.isa, simd => self.transform_inputs(simd, tiles.change, inputs, transformed));
            let products = &mut scratch.products[..places * count * self.columns];
            let matrices = transformed
                .chunks_exact(count * self.channels)
                .zip(products.chunks_exact_mut(count * self.columns));
            for (weights, (inputs, products)) in self.weights.iter().zip(matrices) {
                let rows = Rows::dense(inputs, count, self.channels, self.channels);
                gemm_rows(self.isa, &rows, weights, products, self.columns, 0, &Epilogue::default());
            }
            with_isa!(self.isa, simd => self.transform_products(simd, products, outputs, out));
        }
    }

    /// `[place, tile, channels]` from the tiles' inputs.
    #[inline(always)]
    fn transform_inputs<S: Level>(&self, simd: S, change: &[f32], inputs: &[u32], out: &mut [f32]) {
        match (self.tile, self.rank) {
            (WinogradTile::Two, 1) => self.inputs_of::<S, 4, 1>(simd, change, inputs, out),
            (WinogradTile::Two, 2) => self.inputs_of::<S, 4, 2>(simd, change, inputs, out),
            (WinogradTile::Two, _) => self.inputs_of::<S, 4, 3>(simd, change, inputs, out),
            (WinogradTile::Four, 1) => self.inputs_of::<S, 6, 1>(simd, change, inputs, out),
            (WinogradTile::Four, _) => self.inputs_of::<S, 6, 2>(simd, change, inputs, out),
        }
    }

    #[inline(always)]
    fn inputs_of<S: Level, const T: usize, const RANK: usize>(
        &self,
        simd: S,
        change: &[f32],
        inputs: &[u32],
        out: &mut [f32],
    ) {
        let (places, channels) = (self.weights.len(), self.channels);
        let count = inputs.len() / places;
        for (tile, entries) in inputs.chunks_exact(places).enumerate() {
            let mut runs: [&[f32]; MAX_PLACES] = [&ZEROS[..channels]; MAX_PLACES];
            for (run, &entry) in runs.iter_mut().zip(entries) {
                if entry != PAD {
                    *run = &change[entry as usize..][..channels];
                }
            }
            for c in (0..channels).step_by(S::f32s::LEN) {
                let mut values = [S::f32s::splat(simd, 0.0); MAX_PLACES];
                for (value, run) in values.iter_mut().zip(&runs[..places]) {
                    *value = S::f32s::from_slice(simd, &run[c..c + S::f32s::LEN]);
                }
                along_axes::<S, T, RANK>(&mut values, |line| {
                    if T == 4 { input_four(line) } else { input_six(simd, line) }
                });
                for (place, value) in values[..places].iter().enumerate() {
                    let at = (place * count + tile) * channels + c;
                    value.store_slice(&mut out[at..at + S::f32s::LEN]);
                }
            }
        }
    }

    /// Adds the outputs of `[place, tile, columns]` to `out`.
    #[inline(always)]
    fn transform_products<S: Level>(&self, simd: S, products: &[f32], outputs: &[u32], out: &mut [f32]) {
        match (self.tile, self.rank) {
            (WinogradTile::Two, 1) => self.outputs_of::<S, 4, 2, 1>(simd, products, outputs, out),
            (WinogradTile::Two, 2) => self.outputs_of::<S, 4, 2, 2>(simd, products, outputs, out),
            (WinogradTile::Two, _) => self.outputs_of::<S, 4, 2, 3>(simd, products, outputs, out),
            (WinogradTile::Four, 1) => self.outputs_of::<S, 6, 4, 1>(simd, products, outputs, out),
            (WinogradTile::Four, _) => self.outputs_of::<S, 6, 4, 2>(simd, products, outputs, out),
        }
    }

    #[inline(always)]
    fn outputs_of<S: Level, const T: usize, const M: usize, const RANK: usize>(
        &self,
        simd: S,
        products: &[f32],
        outputs: &[u32],
        out: &mut [f32],
    ) {
        let (places, columns) = (self.weights.len(), self.columns);
        let finished = M.pow(RANK as u32);
        let count = outputs.len() / finished;
        for (tile, entries) in outputs.chunks_exact(finished).enumerate() {
            for c in (0..columns).step_by(S::f32s::LEN) {
                let mut values = [S::f32s::splat(simd, 0.0); MAX_PLACES];
                for (place, value) in values[..places].iter_mut().enumerate() {
                    let at = (place * count + tile) * columns + c;
                    *value = S::f32s::from_slice(simd, &products[at..at + S::f32s::LEN]);
                }
                along_axes::<S, T, RANK>(&mut values, |line| {
                    if T == 4 { output_two(line) } else { output_four(simd, line) }
                });
                for (index, &entry) in entries.iter().enumerate() {
                    if entry == PAD {
                        continue;
                    }
                    // The finished values stand in the tile's first places along each axis.
                    let (mut place, mut step, mut rest) = (0, 1, index);
                    for _ in 0..RANK {
                        (place, step, rest) = (place + rest % M * step, step * T, rest / M);
                    }
                    let to = &mut out[entry as usize + c..][..S::f32s::LEN];
                    (S::f32s::from_slice(simd, to) + values[place]).store_slice(to);
                }
            }
        }
    }
}

/// Applies `f` to every line of `T` values along each axis of a `T^RANK` tile.
#[inline(always)]
fn along_axes<S: Level, const T: usize, const RANK: usize>(
    values: &mut [S::f32s; MAX_PLACES],
    f: impl Fn(&mut [S::f32s; T]),
) {
    for axis in 0..RANK {
        let step = T.pow(axis as u32);
        for block in 0..T.pow((RANK - 1 - axis) as u32) {
            for inner in 0..step {
                let first = block * step * T + inner;
                let mut line: [S::f32s; T] = std::array::from_fn(
                    #[inline(always)]
                    |i| values[first + i * step],
                );
                f(&mut line);
                for (i, value) in line.into_iter().enumerate() {
                    values[first + i * step] = value;
                }
            }
        }
    }
}

#[inline(always)]
fn input_four<V: SimdFloat<S, Element = f32>, S: Simd, const T: usize>(x: &mut [V; T]) {
    let [x0, x1, x2, x3] = [x[0], x[1], x[2], x[3]];
    (x[0], x[1], x[2], x[3]) = (x0 - x2, x1 + x2, x2 - x1, x1 - x3);
}

#[inline(always)]
fn output_two<V: SimdFloat<S, Element = f32>, S: Simd, const T: usize>(y: &mut [V; T]) {
    let [y0, y1, y2, y3] = [y[0], y[1], y[2], y[3]];
    (y[0], y[1]) = (y0 + y1 + y2, y1 - y2 - y3);
}

#[inline(always)]
fn input_six<S: Level, const T: usize>(simd: S, x: &mut [S::f32s; T]) {
    let [x0, x1, x2, x3, x4, x5] = [x[0], x[1], x[2], x[3], x[4 % T], x[5 % T]];
    let times = |factor: f32, v: S::f32s, plus: S::f32s| S::f32s::splat(simd, factor).mul_add(v, plus);
    let (a, b) = (times(-4.0, x2, x4), times(-4.0, x1, x3));
    let (c, d) = (x4 - x2, times(2.0, x3 - x1, S::f32s::splat(simd, 0.0)));
    x[0] = times(4.0, x0, times(-5.0, x2, x4));
    (x[1], x[2], x[3], x[4 % T]) = (a + b, a - b, c + d, c - d);
    x[5 % T] = times(4.0, x1, times(-5.0, x3, x5));
}

#[inline(always)]
fn output_four<S: Level, const T: usize>(simd: S, y: &mut [S::f32s; T]) {
    let [y0, y1, y2, y3, y4, y5] = [y[0], y[1], y[2], y[3], y[4 % T], y[5 % T]];
    let times = |factor: f32, v: S::f32s, plus: S::f32s| S::f32s::splat(simd, factor).mul_add(v, plus);
    let (s1, d1, s2, d2) = (y1 + y2, y1 - y2, y3 + y4, y3 - y4);
    (y[0], y[1], y[2], y[3]) =
        (y0 + s1 + s2, times(2.0, d2, d1), times(4.0, s2, s1), times(8.0, d2, d1) + y5);
}
