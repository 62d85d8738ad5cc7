//! Kernels along one axis (reductions, softmax, resizing) and normalisations, against their definitions.

mod common;

use common::{Noise, assert_close, config};
use occlude_kernels::{
    AxisTable, Isa, Lrn, Planes, Reduction, SoftmaxKind, group_norm, layer_norm, lrn, naive, reduce,
    resize_axis, softmax,
};
use proptest::prelude::*;

fn planes() -> impl Strategy<Value = Planes> {
    let axis = prop_oneof![1usize..40, 60usize..70, Just(300), Just(1100)];
    let inner = prop_oneof![Just(1usize), 2usize..20, 60usize..70];
    (0usize..4, axis, inner).prop_map(|(outer, axis, inner)| Planes { outer, axis, inner })
}

proptest! {
    #![proptest_config(config(96))]

    #[test]
    fn reductions_equal_the_definition(planes in planes(), nan in any::<bool>(), seed in any::<u64>()) {
        let mut noise = Noise(seed);
        let mut x = noise.values(planes.len());
        if nan && !x.is_empty() {
            let at = noise.below(x.len());
            x[at] = f32::NAN;
        }
        for op in [
            Reduction::Sum,
            Reduction::Mean,
            Reduction::SumSquare,
            Reduction::Prod,
            Reduction::Max,
            Reduction::Min,
        ] {
            let mut expected = vec![0.0; planes.outer * planes.inner];
            naive::reduce(op, &x, planes, &mut expected);
            for isa in Isa::available() {
                let mut out = vec![5.0; expected.len()];
                reduce(isa, op, &x, planes, &mut out);
                let bound = match op {
                    Reduction::Max | Reduction::Min => 0.0,
                    Reduction::Mean => 5e-7,
                    Reduction::Prod => 2e-7 * planes.axis as f32,
                    _ => 2e-6 + 3e-7 * planes.axis as f32,
                };
                assert_close(&out, &expected, bound, &format!("{isa:?} {op:?} {planes:?}"));
            }
        }
    }

    #[test]
    fn softmax_equals_the_definition(planes in planes(), scale in prop_oneof![Just(1.0f32), Just(300.0)], seed in any::<u64>()) {
        let x: Vec<f32> = Noise(seed).values(planes.len()).into_iter().map(|x| x * scale).collect();
        for (kind, bound) in [(SoftmaxKind::Softmax, 1e-6), (SoftmaxKind::LogSoftmax, 4e-6 + 2e-7 * scale)] {
            let mut expected = vec![0.0; x.len()];
            naive::softmax(kind, &x, planes, &mut expected);
            for isa in Isa::available() {
                let mut out = vec![5.0; x.len()];
                softmax(isa, kind, &x, planes, &mut out);
                assert_close(&out, &expected, bound, &format!("{isa:?} {kind:?} {planes:?}"));
            }
        }
    }

    #[test]
    fn resizing_equals_the_definition(planes in planes(), outputs in 0usize..20, seed in any::<u64>()) {
        let mut noise = Noise(seed);
        let x = noise.values(planes.len());
        let (mut starts, mut index) = (vec![0], Vec::new());
        for _ in 0..outputs {
            index.extend((0..noise.below(5)).map(|_| 0).collect::<Vec<u32>>());
            starts.push(index.len() as u32);
        }
        index.iter_mut().for_each(|i| *i = noise.below(planes.axis) as u32);
        let weight = noise.values(index.len());
        let table = AxisTable { starts: &starts, index: &index, weight: &weight };
        let mut expected = vec![0.0; planes.outer * outputs * planes.inner];
        naive::resize_axis(&x, planes, table, &mut expected);
        for isa in Isa::available() {
            let mut out = vec![5.0; expected.len()];
            resize_axis(isa, &x, planes, table, &mut out);
            assert_close(&out, &expected, 1e-6, &format!("{isa:?} {planes:?}"));
        }
    }

    #[test]
    fn layer_norm_equals_the_definition(
        (rows, width) in (0usize..6, prop_oneof![1usize..40, 60usize..70, Just(768)]),
        (scale, shift) in any::<(bool, bool)>(),
        offset in prop_oneof![Just(0.0f32), Just(100.0)],
        seed in any::<u64>(),
    ) {
        let mut noise = Noise(seed);
        let x: Vec<f32> = noise.values(rows * width).into_iter().map(|x| x + offset).collect();
        let (scale_values, shift_values) = (noise.values(width), noise.values(width));
        let scale = scale.then_some(&scale_values[..]);
        let shift = shift.then_some(&shift_values[..]);
        let mut expected = vec![0.0; x.len()];
        naive::layer_norm(&x, width, scale, shift, 1e-3, &mut expected);
        for isa in Isa::available() {
            let mut out = vec![5.0; x.len()];
            layer_norm(isa, &x, width, scale, shift, 1e-3, &mut out);
            // The mean of values near 100 is known to 1e-5 in f32, and is divided by a deviation of 0.03 or more.
            assert_close(&out, &expected, 3e-6 + offset * 3e-6, &format!("{isa:?} {rows} x {width}"));
        }
    }

    #[test]
    fn group_norm_equals_the_definition(
        (pixels, groups, width) in (0usize..50, 1usize..9, 1usize..20),
        seed in any::<u64>(),
    ) {
        let mut noise = Noise(seed);
        let channels = groups * width;
        let x = noise.values(pixels * channels);
        let (scale, shift) = (noise.values(channels), noise.values(channels));
        let mut expected = vec![0.0; x.len()];
        naive::group_norm(&x, channels, groups, &scale, &shift, 1e-3, &mut expected);
        for isa in Isa::available() {
            let mut out = vec![5.0; x.len()];
            group_norm(isa, &x, channels, groups, &scale, &shift, 1e-3, &mut out);
            assert_close(&out, &expected, 1e-5, &format!("{isa:?} {pixels} pixels, {groups} groups of {width}"));
        }
    }

    #[test]
    fn lrn_equals_the_definition(
        (pixels, channels, size) in (0usize..5, 1usize..70, 1usize..8),
        (alpha, beta, bias) in prop_oneof![Just((1e-4f32, 0.75f32, 1.0f32)), Just((0.9, 0.5, 2.0))],
        seed in any::<u64>(),
    ) {
        let x: Vec<f32> = Noise(seed).values(pixels * channels).into_iter().map(|x| x * 30.0).collect();
        let parameters = Lrn { size, alpha, beta, bias };
        let mut expected = vec![0.0; x.len()];
        naive::lrn(&x, channels, parameters, &mut expected);
        for isa in Isa::available() {
            let mut out = vec![5.0; x.len()];
            lrn(isa, &x, channels, parameters, &mut out);
            assert_close(&out, &expected, 3e-5, &format!("{isa:?} {parameters:?}"));
        }
    }
}

#[test]
fn softmax_of_one_nan_is_nan_along_its_line_only() {
    for isa in Isa::available() {
        let mut out = [0.0; 6];
        let planes = Planes { outer: 2, axis: 3, inner: 1 };
        softmax(isa, SoftmaxKind::Softmax, &[1.0, f32::NAN, 2.0, 1.0, 1.0, 1.0], planes, &mut out);
        assert!(out[..3].iter().all(|x| x.is_nan()), "{isa:?} {out:?}");
        assert_close(&out[3..], &[1.0 / 3.0; 3], 1e-7, "the other line");
    }
}

#[test]
fn reductions_of_nothing_are_neutral() {
    for isa in Isa::available() {
        let planes = Planes { outer: 1, axis: 0, inner: 2 };
        let mut out = [5.0; 2];
        reduce(isa, Reduction::Sum, &[], planes, &mut out);
        assert_eq!(out, [0.0; 2]);
        reduce(isa, Reduction::Max, &[], planes, &mut out);
        assert_eq!(out, [f32::NEG_INFINITY; 2]);
    }
}
