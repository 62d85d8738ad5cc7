//! The yardstick of the product kernels: multiply-adds on registers alone, at the same instruction set.
//!
//! Nothing is read from memory, so its speed is what the processor's arithmetic allows and no product can pass it.

use crate::isa::{Isa, with_isa};
use fearless_simd::{Simd, SimdBase, SimdFloat};
use std::hint::black_box;

/// Does `rounds` rounds of independent multiply-adds in registers; returns the floating-point operations done (two per
/// multiply-add and lane) and a value that depends on all of them.
pub fn fma_burst(isa: Isa, rounds: usize) -> (f64, f32) {
    with_isa!(isa, simd => burst(simd, rounds))
}

/// Chains in flight: more than latency times units on any processor, few enough for 16 registers.
const CHAINS: usize = 12;

#[inline(always)]
fn burst<S: Simd>(simd: S, rounds: usize) -> (f64, f32) {
    // Hidden from the compiler: a chain that it knows to be constant would not be computed.
    let factor = S::f32s::splat(simd, black_box(0.999_999));
    let summand = S::f32s::splat(simd, black_box(1e-6));
    let mut sums: [S::f32s; CHAINS] = std::array::from_fn(|i| S::f32s::splat(simd, i as f32));
    for _ in 0..rounds {
        for _ in 0..4 {
            for sum in &mut sums {
                *sum = sum.mul_add(factor, summand);
            }
        }
    }
    let total = sums.iter().map(|sum| sum.as_slice().iter().sum::<f32>()).sum();
    ((rounds * 4 * CHAINS * S::f32s::LEN * 2) as f64, total)
}
