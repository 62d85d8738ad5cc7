//! What the kernel tests share: repeatable noise, random tables of rows, and comparison with a bound that scales with the sum.
//!
//! Not a test by itself.

#![allow(dead_code, reason = "each test file uses a part")]

use occlude_kernels::{PAD, Rows, SOURCE_SHIFT};
use proptest::test_runner::{Config, RngSeed};

/// So many cases, the same in every run.
pub(crate) fn config(cases: u32) -> Config {
    Config { cases, failure_persistence: None, rng_seed: RngSeed::Fixed(2014), ..Config::default() }
}

/// Repeatable noise in -1..1 (a linear congruential generator).
pub(crate) struct Noise(pub(crate) u64);

impl Noise {
    pub(crate) fn next_u32(&mut self) -> u32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as u32
    }

    pub(crate) fn below(&mut self, n: usize) -> usize {
        self.next_u32() as usize % n.max(1)
    }

    pub(crate) fn value(&mut self) -> f32 {
        self.next_u32() as f32 / (1u64 << 30) as f32 - 1.0
    }

    pub(crate) fn values(&mut self, len: usize) -> Vec<f32> {
        (0..len).map(|_| self.value()).collect()
    }
}

/// Data behind a [`Rows`]: three sources and a table into them.
pub(crate) struct Table {
    pub(crate) sources: [Vec<f32>; 3],
    pub(crate) table: Vec<u32>,
    pub(crate) taps: usize,
    pub(crate) seg: usize,
    pub(crate) pixels: usize,
    pub(crate) repeat_stride: usize,
    pub(crate) seg_offset: usize,
    pub(crate) rows: usize,
}

impl Table {
    /// A table of which about a third is padding and the rest points anywhere into the three sources.
    pub(crate) fn random(noise: &mut Noise, pixels: usize, taps: usize, seg: usize, rows: usize) -> Self {
        let seg_offset = noise.below(3);
        let repeat_stride = noise.below(20);
        let reach = 40 + rows.div_ceil(pixels.max(1)) * repeat_stride + seg_offset + seg;
        let table = (0..pixels * taps)
            .map(|_| match noise.below(6) {
                0 | 1 => PAD,
                source @ (2 | 3) => ((source - 1) << SOURCE_SHIFT) as u32 | noise.below(40) as u32,
                _ => noise.below(40) as u32,
            })
            .collect();
        let sources = std::array::from_fn(|_| noise.values(reach));
        Self { sources, table, taps, seg, pixels, repeat_stride, seg_offset, rows }
    }

    pub(crate) fn rows(&self) -> Rows<'_> {
        Rows {
            sources: std::array::from_fn(|i| self.sources[i].as_slice()),
            table: &self.table,
            taps: self.taps,
            seg: self.seg,
            pixels: self.pixels,
            repeat_stride: self.repeat_stride,
            seg_offset: self.seg_offset,
            rows: self.rows,
        }
    }
}

/// Asserts that each element of `got` is within `bound` of `expected`, NaN for NaN and infinity for infinity.
pub(crate) fn assert_close(got: &[f32], expected: &[f32], bound: f32, what: &str) {
    assert_eq!(got.len(), expected.len(), "{what}: lengths");
    for (i, (&g, &e)) in got.iter().zip(expected).enumerate() {
        let equal = g == e || g.is_nan() && e.is_nan() || (g - e).abs() <= bound;
        assert!(equal, "{what}: element {i} is {g:e}, expected {e:e} within {bound:e}");
    }
}

/// Asserts equal bits.
pub(crate) fn assert_same_bits(got: &[f32], expected: &[f32], what: &str) {
    let bits = |x: &[f32]| x.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
    assert_eq!(bits(got), bits(expected), "{what}");
}

/// The table of a stride-1 convolution over `size` pixels per axis, `kernel` taps per axis, padded to keep the size.
pub(crate) fn convolution_table(size: &[usize], kernel: usize, channels: usize) -> Vec<u32> {
    let product = |end: usize| {
        let mut all = vec![vec![]];
        for &len in size {
            let len = if end == 0 { len } else { end };
            all = all
                .into_iter()
                .flat_map(|index: Vec<usize>| (0..len).map(move |i| [&index[..], &[i]].concat()))
                .collect();
        }
        all
    };
    let mut table = Vec::new();
    for pixel in product(0) {
        for tap in product(kernel) {
            let place = pixel.iter().zip(&tap).zip(size).try_fold(0, |place, ((p, t), len)| {
                let at = (p + t).checked_sub(kernel / 2).filter(|at| at < len)?;
                Some(place * len + at)
            });
            table.push(place.map_or(PAD, |place| (place * channels) as u32));
        }
    }
    table
}
