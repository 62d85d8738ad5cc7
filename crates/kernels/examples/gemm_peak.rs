//! How near the product kernel comes to the processor's arithmetic peak, on the shapes of real convolutions.
//!
//! Prints one line per shape: GFLOP/s and share of peak, as a plain product (taps 1) and, where k is nine times a channel count, as
//! a 3x3 convolution with padding through a table, which is the form that networks have (the plain form of such a shape streams a
//! left matrix nine times larger than any activation). The peak is measured in the same rounds, interleaved, so that a change of
//! clock speed hits both. One thread.
//!
//! `gemm_peak [ROUNDS] [ISA...] [M,N,K...]`: default 25 rounds, every level but the scalar one, the shapes below.

#![allow(clippy::print_stdout, reason = "a benchmark's output")]

use occlude_kernels::{Aligned, Epilogue, Isa, PAD, PackedB, Pointwise, Rows, fma_burst, gemm_rows};
use std::{hint::black_box, time::Instant};

const SHAPES: [(usize, usize, usize); 12] = [
    (8192, 64, 64),
    (8192, 64, 576),
    (3136, 256, 64),
    (3136, 64, 256),
    (2048, 128, 1152),
    (2048, 512, 128),
    (784, 512, 128),
    (784, 256, 2304),
    (512, 256, 2304),
    (512, 512, 4608),
    (512, 512, 512),
    (512, 64, 64),
];

/// Multiply-adds that one timed piece does at least, so that the clock's grain does not matter.
const WORK: f64 = 60e6;

fn main() {
    let (mut rounds, mut levels, mut shapes) = (25, Vec::new(), Vec::new());
    for word in std::env::args().skip(1) {
        let numbers: Vec<usize> = word.split(',').filter_map(|part| part.parse().ok()).collect();
        match numbers[..] {
            [m, n, k] => shapes.push((m, n, k)),
            [count] => rounds = count,
            _ => levels.extend(Isa::available().into_iter().filter(|isa| isa.name() == word)),
        }
    }
    if levels.is_empty() {
        levels = Isa::available().into_iter().rev().filter(|isa| *isa != Isa::scalar()).collect();
    }
    if shapes.is_empty() {
        shapes = SHAPES.to_vec();
    }
    for isa in levels {
        report(isa, rounds, &shapes);
    }
}

fn report(isa: Isa, rounds: usize, shapes: &[(usize, usize, usize)]) {
    println!("{}: GFLOP/s of one thread, best of {rounds}; peak measured beside each shape", isa.name());
    println!("{:>16} {:>8} {:>16} {:>16}", "M,N,K", "peak", "product", "3x3 by table");
    let mut shares = Vec::new();
    for &(m, n, k) in shapes {
        let plain = Case::plain(isa, m, n, k);
        let conv = (k % 9 == 0).then(|| Case::conv(isa, m, n, k / 9));
        let (mut peak, mut best, mut best_conv) = (0.0_f64, 0.0_f64, 0.0_f64);
        for _ in 0..rounds {
            peak = peak.max(burst(isa));
            best = best.max(plain.speed(isa));
            if let Some(conv) = &conv {
                best_conv = best_conv.max(conv.speed(isa));
            }
            peak = peak.max(burst(isa));
        }
        let share = |speed: f64| format!("{speed:.1} {:.1}%", 100.0 * speed / peak);
        // The share that counts is that of the form in which a network has the shape.
        shares.push(if conv.is_some() { best_conv } else { best } / peak);
        let conv = conv.map_or(String::new(), |_| share(best_conv));
        println!("{:>16} {peak:>8.1} {:>16} {conv:>16}", format!("{m},{n},{k}"), share(best));
    }
    let lowest = shares.iter().fold(f64::INFINITY, |a, &b| a.min(b));
    let mean = shares.iter().sum::<f64>() / shares.len() as f64;
    println!(
        "share of peak, 3x3 shapes by table: lowest {:.1}%, mean {:.1}%\n",
        100.0 * lowest,
        100.0 * mean
    );
}

fn burst(isa: Isa) -> f64 {
    let start = Instant::now();
    let (flops, value) = black_box(fma_burst(isa, black_box(100_000)));
    black_box(value);
    flops / start.elapsed().as_secs_f64() / 1e9
}

/// A product with its data, ready to be timed.
struct Case {
    a: Vec<f32>,
    table: Vec<u32>,
    taps: usize,
    seg: usize,
    rows: usize,
    b: PackedB,
    bias: Vec<f32>,
    /// Multiply-adds that are not padding, as the share counts no work that was not done.
    multiply_adds: f64,
}

impl Case {
    fn plain(isa: Isa, m: usize, n: usize, k: usize) -> Self {
        let table = (0..m).map(|r| (r * k) as u32).collect();
        Self::new(isa, table, 1, k, m, n, m)
    }

    /// A 3x3 convolution with padding 1 over the squarest picture of `m` pixels.
    fn conv(isa: Isa, m: usize, n: usize, channels: usize) -> Self {
        let height = (1..=m).filter(|h| m.is_multiple_of(*h) && h * h <= m).max().unwrap_or(1);
        let width = m / height;
        let mut table = Vec::with_capacity(m * 9);
        for (y, x) in (0..height).flat_map(|y| (0..width).map(move |x| (y, x))) {
            for (dy, dx) in (0..3).flat_map(|dy| (0..3).map(move |dx| (dy, dx))) {
                let (y, x) = (y + dy, x + dx);
                let inside = (1..=height).contains(&y) && (1..=width).contains(&x);
                table.push(if inside { (((y - 1) * width + x - 1) * channels) as u32 } else { PAD });
            }
        }
        Self::new(isa, table, 9, channels, m, n, m)
    }

    fn new(isa: Isa, table: Vec<u32>, taps: usize, seg: usize, rows: usize, n: usize, pixels: usize) -> Self {
        let mut state = 1_u32;
        let mut noise = |len: usize| -> Vec<f32> {
            (0..len)
                .map(|_| {
                    state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    (state >> 8) as f32 / 16_777_216.0 - 0.5
                })
                .collect()
        };
        let used = table.iter().filter(|&&entry| entry != PAD).count();
        Self {
            a: noise(pixels * seg),
            b: PackedB::pack(isa, &noise(taps * seg * n), taps * seg, n),
            bias: noise(n),
            multiply_adds: (used * seg * n) as f64,
            table,
            taps,
            seg,
            rows,
        }
    }

    fn speed(&self, isa: Isa) -> f64 {
        let rows = Rows {
            sources: [&self.a, &[], &[]],
            table: &self.table,
            taps: self.taps,
            seg: self.seg,
            pixels: self.rows,
            rows: self.rows,
            ..Rows::default()
        };
        let n = self.b.n();
        // Pages that were never written cost a fault each, which is not the product's: write all of them before the clock starts.
        let mut out = Aligned::zeroed(self.rows * n);
        out.fill(1.0);
        let epilogue = Epilogue { bias: Some(&self.bias), residual: None, activation: Pointwise::Relu };
        let times = (WORK / self.multiply_adds).ceil() as usize;
        let start = Instant::now();
        for _ in 0..times {
            gemm_rows(isa, &rows, &self.b, black_box(&mut out), n, 0, &epilogue);
        }
        2.0 * self.multiply_adds * times as f64 / start.elapsed().as_secs_f64() / 1e9
    }
}
