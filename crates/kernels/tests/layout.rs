//! Copies against their definitions: transposes of any rank, gathers along all axes.

mod common;

use common::{Noise, assert_same_bits, config};
use occlude_kernels::{PAD, gather_axes, naive, permute};
use proptest::prelude::*;

fn dims() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(prop_oneof![0usize..4, 2usize..6, Just(19)], 0..5)
}

proptest! {
    #![proptest_config(config(256))]

    #[test]
    fn permute_equals_the_definition(dims in dims(), seed in any::<u64>()) {
        let mut noise = Noise(seed);
        let mut perm: Vec<usize> = (0..dims.len()).collect();
        for i in (1..perm.len()).rev() {
            perm.swap(i, noise.below(i + 1));
        }
        let x = noise.values(dims.iter().product());
        let (mut out, mut expected) = (vec![5.0; x.len()], vec![0.0; x.len()]);
        permute(&x, &dims, &perm, &mut out);
        naive::permute(&x, &dims, &perm, &mut expected);
        assert_same_bits(&out, &expected, &format!("{dims:?} by {perm:?}"));
    }

    #[test]
    fn gather_equals_the_definition(dims in dims(), whole in any::<u8>(), seed in any::<u64>()) {
        let mut noise = Noise(seed);
        let tables: Vec<Vec<u32>> = dims
            .iter()
            .enumerate()
            .map(|(axis, &len)| {
                if whole >> axis & 1 == 1 {
                    return (0..len as u32).collect();
                }
                (0..noise.below(7))
                    .map(|_| if len == 0 || noise.below(4) == 0 { PAD } else { noise.below(len) as u32 })
                    .collect()
            })
            .collect();
        let tables: Vec<&[u32]> = tables.iter().map(Vec::as_slice).collect();
        let x = noise.values(dims.iter().product());
        let len = tables.iter().map(|table| table.len()).product();
        let (mut out, mut expected) = (vec![5.0; len], vec![0.0; len]);
        gather_axes(&x, &dims, &tables, -3.0, &mut out);
        naive::gather_axes(&x, &dims, &tables, -3.0, &mut expected);
        assert_same_bits(&out, &expected, &format!("{dims:?} by {tables:?}"));
    }
}
