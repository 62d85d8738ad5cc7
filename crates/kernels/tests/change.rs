//! The change of values beside a baseline, against its formula, at every instruction set.

mod common;

use common::{Noise, config};
use occlude_kernels::{ByChannel, Isa, Pointwise, Strided, change_rows, naive};
use proptest::prelude::*;

proptest! {
    #![proptest_config(config(96))]

    #[test]
    fn equals_the_formula(
        rows in 0usize..6,
        channels in 1usize..70,
        (gap, offset) in (0usize..5, 0usize..3),
        by_channel in any::<bool>(),
        activation in prop_oneof![
            Just(Pointwise::Identity),
            Just(Pointwise::Relu),
            Just(Pointwise::Clip { lo: -0.5, hi: 0.75 }),
            Just(Pointwise::Silu { alpha: 1.0 }),
        ],
        seed in any::<u64>(),
    ) {
        let mut noise = Noise(seed);
        let (stride, x) = (channels + gap, noise.values(rows * channels));
        let data = noise.values(rows * stride + offset);
        let (scale, shift) = (noise.values(channels), noise.values(channels));
        let baseline = Strided { data: &data, stride, offset };
        for isa in Isa::available() {
            let mut out = vec![9.0; x.len()];
            let step = by_channel.then_some(ByChannel { scale: &scale, shift: &shift, activation });
            change_rows(isa, &x, channels, step, baseline, &mut out);
            for (i, got) in out.iter().enumerate() {
                let (r, c) = (i / channels, i % channels);
                let value = if by_channel {
                    naive::functions::pointwise(activation, x[i] * scale[c] + shift[c])
                } else {
                    x[i]
                };
                let expected = value - data[r * stride + offset + c];
                prop_assert!((got - expected).abs() <= 1e-6, "{isa:?} row {r} channel {c}: {got} for {expected}");
            }
        }
    }
}
