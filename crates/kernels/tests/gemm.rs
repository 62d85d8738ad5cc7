//! The product kernel against its definition, at every instruction set, and the promise that a row's bits do not depend on the others.

mod common;

use common::{Noise, Table, assert_close, assert_same_bits, config, convolution_table};
use occlude_kernels::{Epilogue, Isa, MatShape, PackedB, Pointwise, Rows, Strided, gemm_rows, matmul, naive};
use proptest::prelude::*;

fn activations() -> impl Strategy<Value = Pointwise> {
    prop_oneof![
        Just(Pointwise::Identity),
        Just(Pointwise::Relu),
        Just(Pointwise::Clip { lo: -0.5, hi: 0.75 }),
        Just(Pointwise::Silu { alpha: 1.0 }),
        Just(Pointwise::LeakyRelu { alpha: 0.1 }),
    ]
}

proptest! {
    #![proptest_config(config(160))]

    #[test]
    fn equals_the_definition(
        (pixels, taps, seg) in (1usize..9, 1usize..11, prop_oneof![0usize..40, 60usize..70]),
        rows in 0usize..40,
        n in prop_oneof![0usize..70, Just(96), Just(128)],
        (bias, residual) in any::<(bool, bool)>(),
        activation in activations(),
        seed in any::<u64>(),
    ) {
        let mut noise = Noise(seed);
        let table = Table::random(&mut noise, pixels, taps, seg, rows);
        compare(&mut noise, &table.rows(), n, bias, residual, activation);
    }
}

/// Runs the kernel at every level, with gaps between output rows that must stay untouched.
fn compare(noise: &mut Noise, rows: &Rows, n: usize, bias: bool, residual: bool, activation: Pointwise) {
    let (stride, offset) = (n + 5, 3);
    let b = noise.values(rows.k() * n);
    let (bias_values, residual_values) = (noise.values(n), noise.values(rows.rows * (n + 2) + 1));
    let epilogue = Epilogue {
        bias: bias.then_some(&bias_values[..]),
        residual: residual.then_some(Strided { data: &residual_values, stride: n + 2, offset: 1 }),
        activation,
    };
    let start = vec![7.0; rows.rows * stride + offset];
    let mut expected = start.clone();
    naive::gemm_rows(rows, &b, n, &mut expected, stride, offset, &epilogue);
    for isa in Isa::available() {
        let packed = PackedB::pack(isa, &b, rows.k(), n);
        let mut out = start.clone();
        gemm_rows(isa, rows, &packed, &mut out, stride, offset, &epilogue);
        let bound = 3e-7 * (rows.k() as f32 + 8.0);
        assert_close(&out, &expected, bound, &format!("{isa:?}, {rows:?}"));
    }
}

#[test]
fn long_rows_pass_several_blocks_of_k() {
    for (taps, seg, n, rows) in [
        (1, 2500, 40, 30),
        (9, 300, 33, 14),
        (3, 1100, 70, 3),
        (49, 3, 64, 29),
        (160, 4, 20, 13),
        (343, 5, 40, 25),
    ] {
        let mut noise = Noise(5);
        let table = Table::random(&mut noise, 7, taps, seg, rows);
        compare(&mut noise, &table.rows(), n, true, true, Pointwise::Relu);
    }
}

#[test]
fn convolutions_of_few_and_many_channels_equal_the_definition() {
    for (size, kernel) in [(&[13, 11][..], 3), (&[9, 9], 7), (&[40], 5), (&[5, 6, 4], 3)] {
        for channels in [1, 2, 3, 4, 7, 8, 16, 33] {
            let table = convolution_table(size, kernel, channels);
            let taps = kernel.pow(size.len() as u32);
            let pixels = table.len() / taps;
            let mut noise = Noise(4);
            let x = noise.values(2 * pixels * channels);
            let rows = Rows {
                sources: [&x, &[], &[]],
                table: &table,
                taps,
                seg: channels,
                pixels,
                repeat_stride: pixels * channels,
                seg_offset: 0,
                rows: 2 * pixels,
            };
            compare(&mut noise, &rows, 20, true, false, Pointwise::Relu);
        }
    }
}

#[test]
fn many_rows_pass_several_blocks_of_rows() {
    let mut noise = Noise(6);
    let table = Table::random(&mut noise, 50, 4, 20, 450);
    compare(&mut noise, &table.rows(), 24, true, false, Pointwise::Identity);
    let dense = noise.values(450 * 700);
    compare(&mut noise, &Rows::dense(&dense, 450, 700, 700), 160, false, true, Pointwise::Identity);
}

#[test]
fn a_row_has_the_same_bits_alone_and_among_others() {
    for (taps, seg) in [(9, 24), (9, 3), (1, 1300), (4, 300)] {
        let mut noise = Noise(11);
        let table = Table::random(&mut noise, 61, taps, seg, 61);
        let all = table.rows();
        let n = 45;
        let (b, bias) = (noise.values(all.k() * n), noise.values(n));
        let epilogue =
            Epilogue { bias: Some(&bias), activation: Pointwise::Silu { alpha: 1.0 }, ..Epilogue::default() };
        for isa in Isa::available() {
            let packed = PackedB::pack(isa, &b, all.k(), n);
            let mut together = vec![0.0; 61 * n];
            gemm_rows(isa, &all, &packed, &mut together, n, 0, &epilogue);
            for (first, count) in [(0, 1), (5, 1), (60, 1), (3, 2), (7, 13), (20, 40)] {
                let part = Rows { table: &all.table[first * taps..], pixels: count, rows: count, ..all };
                let mut alone = vec![0.0; count * n];
                gemm_rows(isa, &part, &packed, &mut alone, n, 0, &epilogue);
                let what = format!("{isa:?}: rows {first}..{}", first + count);
                assert_same_bits(&alone, &together[first * n..(first + count) * n], &what);
            }
        }
    }
}

#[test]
fn nan_passes_through_the_clamping_activations() {
    let a = [f32::NAN, 1.0, 1.0, 1.0];
    for isa in Isa::available() {
        for n in [1, 16, 40] {
            let packed = PackedB::pack(isa, &vec![1.0; 2 * n], 2, n);
            for activation in [Pointwise::Relu, Pointwise::Clip { lo: 0.0, hi: 6.0 }] {
                let mut out = vec![0.0; 2 * n];
                let epilogue = Epilogue { activation, ..Epilogue::default() };
                gemm_rows(isa, &Rows::dense(&a, 2, 2, 2), &packed, &mut out, n, 0, &epilogue);
                assert!(out[..n].iter().all(|v| v.is_nan()), "{isa:?} {activation:?}: {out:?}");
                assert!(out[n..].iter().all(|&v| v == 2.0), "{isa:?} {activation:?}: {out:?}");
            }
        }
    }
}

proptest! {
    #![proptest_config(config(256))]

    #[test]
    fn matmul_equals_the_definition(
        (m, k, n) in (0usize..30, 0usize..80, 0usize..50),
        transpose_b in any::<bool>(),
        seed in any::<u64>(),
    ) {
        let mut noise = Noise(seed);
        let shape = MatShape { m, k, n, transpose_b };
        let (a, b) = (noise.values(m * k), noise.values(k * n));
        let mut expected = vec![0.0; m * n];
        naive::matmul(shape, &a, &b, &mut expected);
        for isa in Isa::available() {
            let mut out = vec![9.0; m * n];
            matmul(isa, shape, &a, &b, &mut PackedB::empty(isa), &mut out);
            assert_close(&out, &expected, 3e-7 * (k as f32 + 4.0), &format!("{isa:?}, {shape:?}"));
        }
    }
}

#[test]
#[should_panic(expected = "another instruction set")]
fn a_matrix_packed_for_another_level_is_refused() {
    let packed = PackedB::pack(Isa::scalar(), &[1.0], 1, 1);
    let Some(other) = Isa::avx2().or_else(Isa::neon) else {
        panic!("another instruction set is not there to try")
    };
    gemm_rows(other, &Rows::dense(&[1.0], 1, 1, 1), &packed, &mut [0.0], 1, 0, &Epilogue::default());
}

#[test]
fn an_activation_is_applied_once_where_rows_follow_each_other() {
    let mut noise = Noise(12);
    // Few weights and many, whole panels and not, runs in place and gathered.
    for (taps, seg, n) in [(1, 40, 64), (1, 40, 37), (2, 900, 96), (2, 900, 83), (9, 3, 45)] {
        let table = Table::random(&mut noise, 230, taps, seg, 230);
        let rows = table.rows();
        let (b, residual) = (noise.values(rows.k() * n), noise.values(230 * n));
        let epilogue = Epilogue {
            bias: None,
            residual: Some(Strided { data: &residual, stride: n, offset: 0 }),
            activation: Pointwise::HardSwish,
        };
        let mut expected = vec![0.0; 230 * n];
        naive::gemm_rows(&rows, &b, n, &mut expected, n, 0, &epilogue);
        for isa in Isa::available() {
            let mut out = vec![7.0; 230 * n];
            gemm_rows(isa, &rows, &PackedB::pack(isa, &b, rows.k(), n), &mut out, n, 0, &epilogue);
            assert_close(
                &out,
                &expected,
                5e-7 * (rows.k() as f32 + 8.0),
                &format!("{isa:?}, {taps} {seg} {n}"),
            );
        }
    }
}
