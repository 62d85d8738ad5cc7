//! Depthwise convolutions and pools against their definitions, at every instruction set.

mod common;

use common::{Noise, Table, assert_close, assert_same_bits, config, convolution_table};
use occlude_kernels::{Epilogue, Isa, Pointwise, Rows, Strided, depthwise, naive, pool_average, pool_max};
use proptest::prelude::*;

/// Channels around every vector width, and beyond one block.
fn channels() -> impl Strategy<Value = usize> {
    prop_oneof![0usize..20, 30usize..35, 60usize..70, 126usize..131, Just(1025), Just(1100)]
}

fn taps() -> impl Strategy<Value = usize> {
    prop_oneof![1usize..10, Just(25), Just(64), Just(65), Just(130)]
}

proptest! {
    #![proptest_config(config(120))]

    #[test]
    fn depthwise_equals_the_definition(
        (pixels, taps, seg, rows) in (1usize..9, taps(), channels(), 0usize..15),
        (bias, residual) in any::<(bool, bool)>(),
        activation in prop_oneof![
            Just(Pointwise::Identity),
            Just(Pointwise::Clip { lo: 0.0, hi: 1.0 }),
            Just(Pointwise::HardSwish)
        ],
        seed in any::<u64>(),
    ) {
        let mut noise = Noise(seed);
        let table = Table::random(&mut noise, pixels, taps, seg, rows);
        let rows = table.rows();
        let weights = noise.values(taps * seg);
        let (bias_values, residual_values) = (noise.values(seg), noise.values(rows.rows * (seg + 1) + 2));
        let epilogue = Epilogue {
            bias: bias.then_some(&bias_values[..]),
            residual: residual.then_some(Strided { data: &residual_values, stride: seg + 1, offset: 2 }),
            activation,
        };
        let (stride, offset) = (seg + 4, 1);
        let start = vec![7.0; rows.rows * stride + offset];
        let mut expected = start.clone();
        naive::depthwise(&rows, &weights, &mut expected, stride, offset, &epilogue);
        for isa in Isa::available() {
            let mut out = start.clone();
            depthwise(isa, &rows, &weights, &mut out, stride, offset, &epilogue);
            assert_close(&out, &expected, 3e-7 * (taps as f32 + 4.0), &format!("{isa:?} {rows:?}"));
        }
    }

    #[test]
    fn pools_equal_the_definition(
        (pixels, taps, seg, rows) in (1usize..9, taps(), channels(), 0usize..15),
        nan in any::<bool>(),
        seed in any::<u64>(),
    ) {
        let mut noise = Noise(seed);
        let mut table = Table::random(&mut noise, pixels, taps, seg, rows);
        if nan {
            for source in &mut table.sources {
                let at = noise.below(source.len());
                source[at] = f32::NAN;
            }
        }
        let rows = table.rows();
        let divisor: Vec<f32> = (0..pixels).map(|_| 1.0 + noise.below(9) as f32).collect();
        let (stride, offset) = (seg + 4, 1);
        let start = vec![7.0; rows.rows * stride + offset];
        let (mut largest, mut average) = (start.clone(), start.clone());
        naive::pool_max(&rows, &mut largest, stride, offset);
        naive::pool_average(&rows, &divisor, &mut average, stride, offset);
        for isa in Isa::available() {
            let mut out = start.clone();
            pool_max(isa, &rows, &mut out, stride, offset);
            assert_close(&out, &largest, 0.0, &format!("{isa:?} maximum of {rows:?}"));
            let mut out = start.clone();
            pool_average(isa, &rows, &divisor, &mut out, stride, offset);
            assert_close(&out, &average, 2e-7 * taps as f32, &format!("{isa:?} average of {rows:?}"));
        }
    }
}

#[test]
fn a_row_has_the_same_bits_alone_and_among_others() {
    for (taps, seg) in [(9, 100), (70, 33)] {
        let mut noise = Noise(2);
        let table = Table::random(&mut noise, 23, taps, seg, 23);
        let all = table.rows();
        let weights = noise.values(taps * seg);
        for isa in Isa::available() {
            let mut together = vec![0.0; 23 * seg];
            depthwise(isa, &all, &weights, &mut together, seg, 0, &Epilogue::default());
            for (first, count) in [(0, 1), (22, 1), (3, 2), (5, 7), (1, 22)] {
                let part = Rows { table: &all.table[first * taps..], pixels: count, rows: count, ..all };
                let mut alone = vec![0.0; count * seg];
                depthwise(isa, &part, &weights, &mut alone, seg, 0, &Epilogue::default());
                assert_same_bits(&alone, &together[first * seg..(first + count) * seg], &format!("{isa:?}"));
            }
        }
    }
}

#[test]
fn neighbouring_pixels_of_a_convolution_equal_the_definition_and_each_alone() {
    for (size, kernel) in [
        (&[9, 7][..], 3),
        (&[4, 14], 3),
        (&[6, 5], 5),
        (&[8, 8], 7),
        (&[23], 3),
        (&[12], 5),
        (&[9], 7),
        (&[5, 4, 6], 3),
        (&[1, 1], 3),
    ] {
        for channels in [5, 16, 32, 40, 1040] {
            let table = convolution_table(size, kernel, channels);
            let taps = kernel.pow(size.len() as u32);
            let pixels = table.len() / taps;
            let mut noise = Noise(9);
            let x = noise.values(2 * pixels * channels);
            let (weights, bias) = (noise.values(taps * channels), noise.values(channels));
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
            let epilogue = Epilogue { bias: Some(&bias), activation: Pointwise::Relu, residual: None };
            let mut expected = vec![0.0; x.len()];
            naive::depthwise(&rows, &weights, &mut expected, channels, 0, &epilogue);
            for isa in Isa::available() {
                let what = format!("{isa:?}, {size:?} kernel {kernel}, {channels} channels");
                let mut out = vec![7.0; x.len()];
                depthwise(isa, &rows, &weights, &mut out, channels, 0, &epilogue);
                assert_close(&out, &expected, 3e-7 * (taps as f32 + 4.0), &what);
                for pixel in 0..pixels {
                    let one =
                        Rows { table: &table[pixel * taps..(pixel + 1) * taps], pixels: 1, rows: 1, ..rows };
                    let mut alone = vec![7.0; channels];
                    depthwise(isa, &one, &weights, &mut alone, channels, 0, &epilogue);
                    assert_same_bits(&alone, &out[pixel * channels..(pixel + 1) * channels], &what);
                }
            }
        }
    }
}

#[test]
fn an_activation_is_applied_once_to_each_of_many_rows() {
    let (size, taps, channels) = ([13, 11], 9, 64);
    let table = convolution_table(&size, 3, channels);
    let pixels = size[0] * size[1];
    let mut noise = Noise(9);
    let x = noise.values(2 * pixels * channels);
    let rows = Rows {
        sources: [&x, &[], &[]],
        table: &table,
        taps,
        seg: channels,
        pixels,
        repeat_stride: pixels * channels,
        rows: 2 * pixels,
        ..Rows::default()
    };
    let (weights, residual) = (noise.values(taps * channels), noise.values(x.len()));
    for residual in [None, Some(Strided { data: &residual, stride: channels, offset: 0 })] {
        let epilogue = Epilogue { residual, activation: Pointwise::HardSwish, ..Epilogue::default() };
        let mut expected = vec![0.0; x.len()];
        naive::depthwise(&rows, &weights, &mut expected, channels, 0, &epilogue);
        for isa in Isa::available() {
            let mut out = vec![7.0; x.len()];
            depthwise(isa, &rows, &weights, &mut out, channels, 0, &epilogue);
            assert_close(&out, &expected, 4e-6, &format!("{isa:?}"));
        }
    }
}
