//! Functions of two tensors and selection against their definitions: the fast shapes and any broadcast.

mod common;

use common::{Noise, assert_close, config};
use occlude_kernels::{Binary, Broadcast, Isa, Pointwise, binary, binary_broadcast, naive, select_broadcast};
use proptest::prelude::*;

const OPERATIONS: [Binary; 16] = [
    Binary::Add,
    Binary::Sub,
    Binary::Mul,
    Binary::Div,
    Binary::Min,
    Binary::Max,
    Binary::Pow,
    Binary::Greater,
    Binary::GreaterOrEqual,
    Binary::Less,
    Binary::LessOrEqual,
    Binary::Equal,
    Binary::And,
    Binary::Or,
    Binary::Xor,
    Binary::PRelu,
];

/// Noise with zeros, equal values, infinities and NaN among it.
fn values(noise: &mut Noise, len: usize) -> Vec<f32> {
    (0..len)
        .map(|_| match noise.below(24) {
            0..4 => 0.0,
            4..8 => 1.0,
            8 => f32::NAN,
            9 => f32::INFINITY,
            10 => f32::NEG_INFINITY,
            _ => noise.value() * 4.0,
        })
        .collect()
}

proptest! {
    #![proptest_config(config(96))]

    #[test]
    fn repeated_sides_equal_the_definition(
        (inner, middle, outer) in (prop_oneof![1usize..40, Just(300)], 1usize..4, prop_oneof![0usize..9, Just(40)]),
        (a_kind, b_kind) in (0usize..4, 0usize..4),
        activation in prop_oneof![Just(Pointwise::Identity), Just(Pointwise::Relu)],
        seed in any::<u64>(),
    ) {
        let mut noise = Noise(seed);
        let lengths = [inner * middle * outer, inner, 1, inner * middle];
        let (a, b) = (values(&mut noise, lengths[a_kind]), values(&mut noise, lengths[b_kind]));
        for op in OPERATIONS {
            let expected: Vec<f32> = (0..lengths[0])
                .map(|i| naive::functions::binary(op, a[i % a.len()], b[i % b.len()]))
                .map(|value| naive::functions::pointwise(activation, value))
                .collect();
            for isa in Isa::available() {
                let mut out = vec![5.0; lengths[0]];
                binary(isa, op, &a, &b, activation, &mut out);
                assert_near(&out, &expected, &format!("{isa:?} {op:?}"));
            }
        }
    }

    #[test]
    fn any_broadcast_equals_the_definition(
        dims in prop::collection::vec(prop_oneof![1usize..5, Just(20)], 0..5),
        masks in prop::collection::vec(0u8..8, 5),
        permuted in any::<bool>(),
        seed in any::<u64>(),
    ) {
        let mut noise = Noise(seed);
        // Operand k is repeated along the axes whose mask has bit k; one of them is also stored with its axes reversed.
        let strides: Vec<Vec<usize>> = (0..3)
            .map(|k| {
                let mut strides = vec![0; dims.len()];
                let mut step = 1;
                let mut axes: Vec<usize> = (0..dims.len()).rev().collect();
                if permuted && k == 1 {
                    axes.reverse();
                }
                for axis in axes {
                    if masks[axis] >> k & 1 == 0 {
                        strides[axis] = step;
                        step *= dims[axis];
                    }
                }
                strides
            })
            .collect();
        let len: usize = dims.iter().product();
        let shape = Broadcast { dims: &dims, a_strides: &strides[0], b_strides: &strides[1] };
        let (a, b, condition) = (values(&mut noise, len), values(&mut noise, len), values(&mut noise, len));
        for op in OPERATIONS {
            let mut expected = vec![0.0; len];
            naive::binary_broadcast(op, shape, &a, &b, Pointwise::Relu, &mut expected);
            for isa in Isa::available() {
                let mut out = vec![5.0; len];
                binary_broadcast(isa, op, shape, &a, &b, Pointwise::Relu, &mut out);
                assert_near(&out, &expected, &format!("{isa:?} {op:?} {shape:?}"));
            }
        }
        let mut expected = vec![0.0; len];
        naive::select_broadcast(shape, &strides[2], &condition, &a, &b, &mut expected);
        let mut out = vec![5.0; len];
        select_broadcast(shape, &strides[2], &condition, &a, &b, &mut out);
        assert_close(&out, &expected, 0.0, "select");
    }
}

/// Within two parts in ten million: all but powers are exact.
fn assert_near(got: &[f32], expected: &[f32], what: &str) {
    for (g, e) in got.iter().zip(expected) {
        assert_close(&[*g], &[*e], e.abs() * 2e-7, what);
    }
}
