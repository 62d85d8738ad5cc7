//! Grouped products against one product per group: the same bits at every instruction set, also where a group reads infinity or NaN.

mod common;

use common::{Noise, Table, assert_same_bits};
use occlude_kernels::{
    Epilogue, Isa, PackedB, PackedGroups, Pointwise, Rows, Strided, gemm_groups, gemm_rows,
};

/// Groups, channels in and out of a group, taps.
const SHAPES: [(usize, usize, usize, usize); 9] = [
    (1, 12, 20, 9),
    (2, 8, 8, 9),
    (13, 8, 8, 9),
    (7, 4, 4, 3),
    (5, 2, 3, 4),
    (3, 16, 16, 2),
    (6, 20, 5, 3),
    (3, 40, 2, 2),
    (4, 1, 2, 9),
];

fn compare(
    noise: &mut Noise,
    table: &Table,
    (groups, inputs, outputs): (usize, usize, usize),
    activation: Pointwise,
) {
    let rows = table.rows();
    let n = groups * outputs;
    let (stride, offset) = (n + 3, 2);
    let weight = noise.values(rows.taps * inputs * n);
    let (bias, residual) = (noise.values(n), noise.values(rows.rows * n + 1));
    let epilogue = |first: usize| Epilogue {
        bias: Some(&bias[first..]),
        residual: Some(Strided { data: &residual, stride: n, offset: 1 + first }),
        activation,
    };
    for isa in Isa::available() {
        let start = vec![7.0; rows.rows * stride + offset];
        let (mut out, mut expected) = (start.clone(), start);
        let packed = PackedGroups::pack(isa, &weight, rows.taps, inputs, n, groups);
        assert_eq!(packed.groups(), groups);
        gemm_groups(isa, &rows, &packed, &mut out, stride, offset, &epilogue(0));
        for group in 0..groups {
            let first = group * outputs;
            let own: Vec<f32> =
                weight.chunks_exact(n).flat_map(|line| &line[first..first + outputs]).copied().collect();
            let own = PackedB::pack(isa, &own, rows.taps * inputs, outputs);
            let rows = Rows { seg: inputs, seg_offset: rows.seg_offset + group * inputs, ..rows };
            gemm_rows(isa, &rows, &own, &mut expected, stride, offset + first, &epilogue(first));
        }
        assert_same_bits(
            &out,
            &expected,
            &format!("{isa:?}, {groups} groups of {inputs} to {outputs}, {activation:?}"),
        );
    }
}

#[test]
fn groups_have_the_bits_of_their_own_products() {
    let mut noise = Noise(3);
    for (groups, inputs, outputs, taps) in SHAPES {
        for (pixels, rows) in [(5, 29), (1, 1), (4, 0)] {
            let table = Table::random(&mut noise, pixels, taps, groups * inputs, rows);
            for activation in [Pointwise::Identity, Pointwise::Relu, Pointwise::Silu { alpha: 1.0 }] {
                compare(&mut noise, &table, (groups, inputs, outputs), activation);
            }
        }
    }
}

#[test]
fn infinity_and_nan_stay_in_their_group() {
    for value in [f32::INFINITY, f32::NAN] {
        for activation in [Pointwise::Relu, Pointwise::ThresholdedRelu { alpha: 0.5 }] {
            let mut noise = Noise(8);
            let mut table = Table::random(&mut noise, 6, 4, 5 * 8, 20);
            for source in &mut table.sources {
                source[33] = value;
            }
            compare(&mut noise, &table, (5, 8, 8), activation);
        }
    }
}
