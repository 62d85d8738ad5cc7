//! Normal noise and uniform numbers drawn from a seed and the index of the element, so that neither order nor thread count can change it.
//!
//! SplitMix64's finaliser (Steele, Lea and Flood 2014) as a counter-based generator, then Box and Muller's transform in f64.

/// A standard normal number for this seed and element.
pub(super) fn standard_normal(seed: u64, element: u64) -> f64 {
    let key = mix(seed.wrapping_add(0x9E37_79B9_7F4A_7C15));
    let first = mix(key ^ mix(element.wrapping_mul(2)));
    let second = mix(key ^ mix(element.wrapping_mul(2).wrapping_add(1)));
    // 53 random bits each; the first is kept away from 0 for the logarithm.
    let unit = |bits: u64| (bits >> 11) as f64 / (1u64 << 53) as f64;
    let radius = (-2.0 * (1.0 - unit(first)).ln()).sqrt();
    radius * (std::f64::consts::TAU * unit(second)).cos()
}

/// A number from 0 to below 1 for this seed, stream (for example the number of a mask) and element.
pub(super) fn uniform(seed: u64, stream: u64, element: u64) -> f64 {
    let key = mix(mix(seed.wrapping_add(0x9E37_79B9_7F4A_7C15)) ^ stream);
    (mix(key ^ mix(element)) >> 11) as f64 / (1u64 << 53) as f64
}

/// An equally likely number below `bound` (at least 1) for this seed and draw.
pub(crate) fn uniform_below(seed: u64, draw: u64, bound: usize) -> usize {
    let bits = mix(mix(seed.wrapping_add(0x9E37_79B9_7F4A_7C15)) ^ mix(draw));
    ((u128::from(bits) * bound.max(1) as u128) >> 64) as usize
}

fn mix(mut z: u64) -> u64 {
    z = z.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_those_of_a_standard_normal() {
        let count = 200_000u64;
        for seed in [0, 1, u64::MAX] {
            let draws: Vec<f64> = (0..count).map(|i| standard_normal(seed, i)).collect();
            let moment = |p: i32| draws.iter().map(|v| v.powi(p)).sum::<f64>() / count as f64;
            assert!(moment(1).abs() < 0.01 && (moment(2) - 1.0).abs() < 0.02, "seed {seed}");
            assert!(moment(3).abs() < 0.04 && (moment(4) - 3.0).abs() < 0.12, "seed {seed}");
            let lag: f64 = draws.windows(2).map(|w| w[0] * w[1]).sum::<f64>() / count as f64;
            assert!(lag.abs() < 0.01, "neighbours are independent, seed {seed}");
        }
        assert_ne!(standard_normal(0, 5), standard_normal(1, 5));
        assert_eq!(standard_normal(3, 5), standard_normal(3, 5));
    }
}
