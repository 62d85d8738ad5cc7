//! Each pointwise function against its f64 definition over the whole range of f32, and the per-channel maps.

mod common;

use common::{Noise, assert_close, assert_same_bits, config};
use occlude_kernels::{Isa, Pointwise, affine, affine_to, naive, pointwise, pointwise_to, prelu};
use proptest::prelude::*;

/// Function, relative bound, absolute bound: an error may be the larger of the two.
const FUNCTIONS: [(Pointwise, f32, f32); 41] = [
    (Pointwise::Identity, 0.0, 0.0),
    (Pointwise::Relu, 0.0, 0.0),
    (Pointwise::Clip { lo: -1.0, hi: 6.0 }, 0.0, 0.0),
    (Pointwise::Clip { lo: f32::NEG_INFINITY, hi: 6.0 }, 0.0, 0.0),
    (Pointwise::LeakyRelu { alpha: 0.01 }, 1e-7, 1e-45),
    (Pointwise::Elu { alpha: 1.5 }, 4e-7, 1e-44),
    (Pointwise::Selu { alpha: 1.6732632, gamma: 1.050_701 }, 4e-7, 1e-44),
    (Pointwise::Celu { alpha: 0.7 }, 4e-7, 1e-44),
    (Pointwise::Softplus, 5e-7, 1e-44),
    (Pointwise::Softsign, 2e-7, 1e-44),
    (Pointwise::Sigmoid, 5e-7, 1e-44),
    (Pointwise::HardSigmoid { alpha: 0.2, beta: 0.5 }, 0.0, 1e-7),
    (Pointwise::HardSwish, 3e-7, 3e-7),
    (Pointwise::Silu { alpha: 1.0 }, 5e-7, 1e-42),
    (Pointwise::Silu { alpha: 1.702 }, 2e-5, 1e-42),
    (Pointwise::Gelu, 5e-7, 3e-7),
    (Pointwise::GeluTanh, 5e-7, 3e-7),
    (Pointwise::Mish, 1e-6, 1e-36),
    (Pointwise::Tanh, 5e-7, 1e-44),
    (Pointwise::Erf, 3e-7, 1e-44),
    (Pointwise::Exp, 3e-7, 3e-45),
    (Pointwise::Log, 3e-7, 0.0),
    (Pointwise::Sqrt, 1e-7, 0.0),
    (Pointwise::Reciprocal, 1e-7, 1e-45),
    (Pointwise::Neg, 0.0, 0.0),
    (Pointwise::Abs, 0.0, 0.0),
    (Pointwise::Power { exponent: 2.0 }, 1e-7, 1e-45),
    (Pointwise::Power { exponent: 3.0 }, 3e-7, 2e-45),
    (Pointwise::Power { exponent: 1.0 }, 0.0, 0.0),
    (Pointwise::Power { exponent: -1.0 }, 1e-7, 1e-45),
    (Pointwise::Power { exponent: 1.7 }, 3e-7, 1e-45),
    (Pointwise::Affine { scale: 1.5, shift: 0.25 }, 3e-7, 1e-7),
    (Pointwise::Floor, 0.0, 0.0),
    (Pointwise::Ceil, 0.0, 0.0),
    (Pointwise::Round, 0.0, 0.0),
    (Pointwise::Sign, 0.0, 0.0),
    (Pointwise::Sin, 2e-7, 1e-44),
    (Pointwise::Cos, 2e-7, 1e-44),
    (Pointwise::Not, 0.0, 0.0),
    (Pointwise::ThresholdedRelu { alpha: 1.0 }, 0.0, 0.0),
    (Pointwise::Power { exponent: 0.5 }, 1e-7, 0.0),
];

/// Special values, every order of magnitude with both signs, and a dense grid where the functions bend.
fn arguments() -> Vec<f32> {
    let mut x = vec![
        0.0,
        -0.0,
        1.0,
        -1.0,
        f32::INFINITY,
        f32::NEG_INFINITY,
        f32::NAN,
        f32::MAX,
        f32::MIN,
        1e-45,
        -1e-45,
    ];
    x.extend((-4500..3850).flat_map(|i| {
        let size = 10f64.powf(f64::from(i) / 100.0) as f32;
        [size, -size]
    }));
    x.extend((-120_000..120_000).map(|i| i as f32 * 1e-3));
    x.extend((-20_000..20_000).map(|i| i as f32 * 7e-5));
    x
}

#[test]
fn every_function_is_near_its_definition_everywhere() {
    let x = arguments();
    for (f, relative, absolute) in FUNCTIONS {
        let expected: Vec<f32> = x.iter().map(|&x| naive::functions::pointwise(f, x)).collect();
        for isa in Isa::available() {
            let mut out = x.clone();
            pointwise(isa, f, &mut out);
            for ((&x, &got), &expected) in x.iter().zip(&out).zip(&expected) {
                // The square root of a power: -inf and -0 are the two arguments where sqrt and pow differ.
                if f == (Pointwise::Power { exponent: 0.5 }) && (x == f32::NEG_INFINITY || x == 0.0) {
                    continue;
                }
                let bound = absolute.max(relative * expected.abs());
                let equal =
                    got == expected || got.is_nan() && expected.is_nan() || (got - expected).abs() <= bound;
                let off = (got - expected).abs() / expected.abs();
                assert!(equal, "{isa:?} {f:?}({x:e}) = {got:e}, expected {expected:e}, off by {off:e}");
            }
        }
    }
}

#[test]
fn nan_is_never_swallowed() {
    for (f, ..) in FUNCTIONS {
        if f == Pointwise::Not {
            continue;
        }
        for isa in Isa::available() {
            let mut x = vec![f32::NAN; 19];
            pointwise(isa, f, &mut x);
            assert!(x.iter().all(|x| x.is_nan()), "{isa:?} {f:?}: {x:?}");
        }
    }
}

#[test]
fn an_element_has_the_same_bits_wherever_it_stands() {
    for (f, ..) in FUNCTIONS {
        for isa in Isa::available() {
            let x = Noise(3).values(70);
            let mut whole = x.clone();
            pointwise(isa, f, &mut whole);
            for (from, to) in [(0, 1), (1, 70), (5, 9), (13, 30), (69, 70), (7, 7)] {
                let mut part = vec![0.0; to - from];
                pointwise_to(isa, f, &x[from..to], &mut part);
                assert_same_bits(&part, &whole[from..to], &format!("{isa:?} {f:?} {from}..{to}"));
            }
        }
    }
}

proptest! {
    #![proptest_config(config(256))]

    #[test]
    fn per_channel_maps_equal_their_definition(
        channels in 1usize..70,
        pixels in prop_oneof![0usize..9, Just(100)],
        seed in any::<u64>(),
    ) {
        let mut noise = Noise(seed);
        let x = noise.values(channels * pixels);
        let (scale, shift) = (noise.values(channels), noise.values(channels));
        let mut expected = vec![0.0; x.len()];
        naive::affine(&x, &scale, &shift, Pointwise::Relu, &mut expected);
        let sloped: Vec<f32> =
            x.iter().enumerate().map(|(i, &x)| if x < 0.0 { x * scale[i % channels] } else { x }).collect();
        for isa in Isa::available() {
            let mut out = vec![9.0; x.len()];
            affine_to(isa, &x, &scale, &shift, Pointwise::Relu, &mut out);
            assert_close(&out, &expected, 3e-7, "affine_to");
            let mut inplace = x.clone();
            affine(isa, &mut inplace, &scale, &shift, Pointwise::Relu);
            assert_same_bits(&inplace, &out, "affine");
            let mut inplace = x.clone();
            prelu(isa, &mut inplace, &scale);
            assert_close(&inplace, &sloped, 1e-7, "prelu");
        }
    }
}
