//! How fast the kernels beside the product are: depthwise convolutions in GFLOP/s and share of the multiply-add peak, the others in
//! GB/s of activations read and written.
//!
//! One line per kernel and shape, one thread, best of a few rounds. `kernel_speed [ISA...]`: default the fastest level.

#![allow(clippy::print_stdout, reason = "a benchmark's output")]

use occlude_kernels::{
    Aligned, Binary, Epilogue, Isa, MatShape, PAD, PackedB, Planes, Pointwise, Reduction, Rows, SoftmaxKind,
    binary, depthwise, fma_burst, gemm_rows, layer_norm, matmul, permute, pointwise, pool_max, reduce,
    softmax,
};
use std::{hint::black_box, time::Instant};

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let mut levels: Vec<Isa> = Isa::available();
    levels.retain(|isa| {
        if words.is_empty() { *isa == Isa::detect() } else { words.iter().any(|w| w == isa.name()) }
    });
    for isa in levels {
        println!("{}", isa.name());
        depthwise_shapes(isa);
        first_convolutions(isa);
        few_rows(isa);
        others(isa);
    }
}

/// Seconds of the fastest of several rounds, each long enough for the clock.
fn fastest(mut work: impl FnMut()) -> f64 {
    work();
    let start = Instant::now();
    work();
    let times = (2e-3 / start.elapsed().as_secs_f64()).ceil().max(1.0) as usize;
    let mut best = f64::INFINITY;
    for _ in 0..9 {
        let start = Instant::now();
        (0..times).for_each(|_| work());
        best = best.min(start.elapsed().as_secs_f64() / times as f64);
    }
    best
}

fn peak(isa: Isa) -> f64 {
    let mut flops = 0.0;
    let secs = fastest(|| flops = black_box(fma_burst(isa, black_box(20_000))).0);
    flops / secs / 1e9
}

fn noise(len: usize) -> Aligned {
    let mut state = 1_u32;
    let mut values = Aligned::zeroed(len);
    values.iter_mut().for_each(|value| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        *value = (state >> 8) as f32 / 8_388_608.0 - 1.0;
    });
    values
}

/// The table of a square convolution, `size` pixels a side, kernel and stride per axis, padded to keep the size.
fn table(size: usize, kernel: usize, stride: usize, channels: usize) -> (Vec<u32>, usize) {
    let outputs = size.div_ceil(stride);
    let mut entries = Vec::new();
    for (y, x) in (0..outputs).flat_map(|y| (0..outputs).map(move |x| (y, x))) {
        for (dy, dx) in (0..kernel).flat_map(|dy| (0..kernel).map(move |dx| (dy, dx))) {
            let (y, x) = (y * stride + dy, x * stride + dx);
            let before = kernel / 2;
            let inside = (before..size + before).contains(&y) && (before..size + before).contains(&x);
            entries.push(if inside { (((y - before) * size + x - before) * channels) as u32 } else { PAD });
        }
    }
    (entries, outputs * outputs)
}

fn depthwise_shapes(isa: Isa) {
    for (size, channels, kernel, stride) in [
        (112, 32, 3, 1),
        (56, 144, 3, 1),
        (28, 192, 3, 1),
        (14, 576, 3, 1),
        (7, 960, 3, 1),
        (14, 672, 5, 1),
        (56, 96, 7, 1),
        (112, 96, 3, 2),
    ] {
        let (entries, pixels) = table(size, kernel, stride, channels);
        let x = noise(size * size * channels);
        let (weights, bias) = (noise(kernel * kernel * channels), noise(channels));
        let used = entries.iter().filter(|&&entry| entry != PAD).count();
        let rows = Rows {
            sources: [&x, &[], &[]],
            table: &entries,
            taps: kernel * kernel,
            seg: channels,
            pixels,
            rows: pixels,
            ..Rows::default()
        };
        let epilogue = Epilogue {
            bias: Some(&bias),
            activation: Pointwise::Clip { lo: 0.0, hi: 6.0 },
            ..Epilogue::default()
        };
        let mut out = noise(pixels * channels);
        let secs = fastest(|| depthwise(isa, &rows, &weights, black_box(&mut out), channels, 0, &epilogue));
        let speed = 2.0 * (used * channels) as f64 / secs / 1e9;
        let what = format!("depthwise {size}x{size}x{channels} k{kernel} s{stride}");
        println!("  {what:<34} {speed:8.1} GFLOP/s  {:5.1}% of peak", 100.0 * speed / peak(isa));
    }
}

fn first_convolutions(isa: Isa) {
    for (size, channels, kernel, stride, n) in [
        (224, 3, 7, 2, 64),
        (224, 3, 3, 1, 64),
        (224, 3, 3, 2, 32),
        (56, 4, 3, 1, 4),
        (56, 8, 3, 1, 8),
        (56, 16, 3, 1, 16),
    ] {
        let (entries, pixels) = table(size, kernel, stride, channels);
        let x = noise(size * size * channels);
        let k = kernel * kernel * channels;
        let b = PackedB::pack(isa, &noise(k * n), k, n);
        let rows = Rows {
            sources: [&x, &[], &[]],
            table: &entries,
            taps: kernel * kernel,
            seg: channels,
            pixels,
            rows: pixels,
            ..Rows::default()
        };
        let mut out = noise(pixels * n);
        let epilogue = Epilogue { activation: Pointwise::Relu, ..Epilogue::default() };
        let secs = fastest(|| gemm_rows(isa, &rows, &b, black_box(&mut out), n, 0, &epilogue));
        let speed = 2.0 * (pixels * k * n) as f64 / secs / 1e9;
        let what = format!("convolution {size}x{size}x{channels} k{kernel} s{stride} to {n}");
        println!("  {what:<34} {speed:8.1} GFLOP/s  {:5.1}% of peak", 100.0 * speed / peak(isa));
    }
}

fn few_rows(isa: Isa) {
    let (k, n) = (25088, 1024);
    let b = PackedB::pack(isa, &noise(k * n), k, n);
    for m in [1, 4, 16] {
        let a = noise(m * k);
        let mut out = noise(m * n);
        let secs = fastest(|| {
            gemm_rows(isa, &Rows::dense(&a, m, k, k), &b, black_box(&mut out), n, 0, &Epilogue::default())
        });
        let bytes = (k * n * 4) as f64;
        println!(
            "  {:<34} {:8.1} GB/s of weights, {:.1} GFLOP/s",
            format!("product {m} x {k} x {n}"),
            bytes / secs / 1e9,
            2.0 * (m * k * n) as f64 / secs / 1e9
        );
    }
    let shape = MatShape { m: 197, k: 64, n: 197, transpose_b: true };
    let (a, b) = (noise(197 * 64), noise(197 * 64));
    let (mut scratch, mut out) = (PackedB::empty(isa), noise(197 * 197));
    let secs = fastest(|| matmul(isa, shape, &a, &b, &mut scratch, black_box(&mut out)));
    println!(
        "  {:<34} {:8.1} GFLOP/s",
        "attention 197 x 64 x 197",
        2.0 * (197 * 64 * 197) as f64 / secs / 1e9
    );
}

fn others(isa: Isa) {
    let report = |what: &str, floats: usize, secs: f64| {
        println!("  {what:<34} {:8.1} GB/s", (floats * 4) as f64 / secs / 1e9);
    };
    let len = 64 * 1024;
    let (a, b) = (noise(len), noise(len));
    let mut out = noise(len);
    for f in [
        Pointwise::Relu,
        Pointwise::Exp,
        Pointwise::Sigmoid,
        Pointwise::Silu { alpha: 1.0 },
        Pointwise::Gelu,
        Pointwise::Tanh,
        Pointwise::HardSwish,
        Pointwise::Log,
    ] {
        out.copy_from_slice(&a);
        let secs = fastest(|| {
            out.copy_from_slice(&a);
            pointwise(isa, f, black_box(&mut out));
        });
        report(&format!("{f:?}"), 2 * len, secs);
    }
    let secs = fastest(|| binary(isa, Binary::Add, &a, &b, Pointwise::Relu, black_box(&mut out)));
    report("add + relu", 3 * len, secs);
    let secs = fastest(|| binary(isa, Binary::Mul, &a, &b[..256], Pointwise::Identity, black_box(&mut out)));
    report("mul per channel (256)", 2 * len, secs);
    let planes = Planes { outer: 256, axis: 256, inner: 1 };
    let secs = fastest(|| softmax(isa, SoftmaxKind::Softmax, &a, planes, black_box(&mut out)));
    report("softmax 256", 2 * len, secs);
    let secs = fastest(|| {
        layer_norm(
            isa,
            &a[..768 * 64],
            768,
            Some(&b[..768]),
            Some(&b[..768]),
            1e-5,
            black_box(&mut out[..768 * 64]),
        )
    });
    report("layer norm 768", 2 * 768 * 64, secs);
    let planes = Planes { outer: 1, axis: 64, inner: 1024 };
    let secs = fastest(|| reduce(isa, Reduction::Mean, &a, planes, black_box(&mut out[..1024])));
    report("mean over 64 pixels of 1024", len, secs);
    let secs = fastest(|| permute(&a, &[256, 256], &[1, 0], black_box(&mut out)));
    report("transpose 256 x 256", 2 * len, secs);
    let (entries, pixels) = table(112, 3, 2, 64);
    let x = noise(112 * 112 * 64);
    let rows = Rows {
        sources: [&x, &[], &[]],
        table: &entries,
        taps: 9,
        seg: 64,
        pixels,
        rows: pixels,
        ..Rows::default()
    };
    let mut out = noise(pixels * 64);
    let secs = fastest(|| pool_max(isa, &rows, black_box(&mut out), 64, 0));
    report("max pool 112x112x64 k3 s2", x.len() + out.len(), secs);
}
