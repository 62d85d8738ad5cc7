//! How likely a correlation is by chance, by moving one map over the other.
//!
//! Neighbouring cells are not independent: windows overlap, and models see smoothly. The p-value of the textbook (Student's t with n - 2 degrees of freedom) counts every cell as news and calls nearly everything significant. A map
//! that is moved as a whole keeps all dependence within it and loses only its place, so the correlations of moved maps say what chance gives (toroidal shifts: Lotwick and Silverman, Journal of the Royal Statistical Society B 44,
//! 1982). In: two arrays of one shape, NaN = not known. Out: `(1 + #{|r of a shift| >= |r|}) / (1 + shifts)`, two-sided and counting the shift by nothing.

use std::collections::BTreeSet;
use std::ops::Range;

use super::statistics::standardised;
use crate::occlusion::uniform_below;

/// At most so many shifts; where there are more, so many are drawn.
pub(super) const MOST: usize = 4999;
/// Of very large maps fewer are drawn, but not below this.
const LEAST: usize = 999;
/// Pairs of places that may be looked at.
const BUDGET: usize = 1 << 28;
/// Correlations that differ by less are equal: shifts of periodic maps differ by rounding only.
const EQUAL: f64 = 1e-12;

/// What the shifts say.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Chance {
    pub(super) p: f64,
    /// Shifts that gave a correlation, the one by nothing left out.
    pub(super) tried: usize,
    /// Shifts that there are, the one by nothing left out.
    pub(super) all: usize,
}

/// Moves `b` over `a`, both `[shape]`, with wrap at the ends; pairs with a NaN are left out. `None` where there is nothing to move or no correlation.
pub(super) fn chance(a: &[f64], b: &[f64], shape: &[usize], seed: u64) -> Option<Chance> {
    let planes = Planes::new(a, b, shape)?;
    let own = planes.correlation(0)?.abs() - EQUAL;
    let all = a.len() - 1;
    let (mut tried, mut as_large) = (0usize, 0usize);
    for shift in drawn(all, (BUDGET / a.len()).clamp(LEAST, MOST), seed) {
        // Where a shift leaves too few pairs, or one side of them constant, it says nothing.
        if let Some(moved) = planes.correlation(shift) {
            tried += 1;
            as_large += usize::from(moved.abs() >= own);
        }
    }
    (tried > 0).then(|| Chance { p: (1 + as_large) as f64 / (1 + tried) as f64, tried, all })
}

/// At most `most` different shifts of 1 to `all`: every one, or equally likely ones (Floyd's algorithm).
fn drawn(all: usize, most: usize, seed: u64) -> Vec<usize> {
    if all <= most {
        return (1..=all).collect();
    }
    let mut chosen = BTreeSet::new();
    for last in all - most + 1..=all {
        let shift = 1 + uniform_below(seed, last as u64, last);
        chosen.insert(if chosen.contains(&shift) { last } else { shift });
    }
    chosen.into_iter().collect()
}

/// Two arrays, ready to be moved over each other.
struct Planes {
    a: Vec<f64>,
    b: Vec<f64>,
    /// 1 where a number is known; `None` where all are.
    known: Option<(Vec<f64>, Vec<f64>)>,
    shape: Vec<usize>,
}

impl Planes {
    fn new(a: &[f64], b: &[f64], shape: &[usize]) -> Option<Self> {
        let known = |values: &[f64]| values.iter().map(|v| f64::from(u8::from(!v.is_nan()))).collect();
        let is_whole = !a.iter().chain(b).any(|v| v.is_nan());
        let prepared = |values: &[f64]| -> Option<Vec<f64>> {
            let known: Vec<f64> = values.iter().copied().filter(|v| !v.is_nan()).collect();
            let mut known = standardised(&known)?.into_iter();
            Some(values.iter().map(|v| if v.is_nan() { 0.0 } else { known.next().unwrap_or(0.0) }).collect())
        };
        Some(Planes {
            a: prepared(a)?,
            b: prepared(b)?,
            known: (!is_whole).then(|| (known(a), known(b))),
            shape: shape.to_vec(),
        })
    }

    /// Pearson's correlation of `a` and `b` moved by the place with this flat index.
    fn correlation(&self, shift: usize) -> Option<f64> {
        let Some((known_a, known_b)) = &self.known else {
            let mut sum = 0.0;
            self.pairs(shift, |a, b| sum += dot(&self.a[a], &self.b[b]));
            return Some(sum);
        };
        // The numbers are 0 where they are not known, so that products with `known` leave them out.
        let [mut n, mut sum_a, mut sum_b, mut square_a, mut square_b, mut product] = [0.0; 6];
        self.pairs(shift, |at_a, at_b| {
            let (a, b) = (&self.a[at_a.clone()], &self.b[at_b.clone()]);
            let (known_a, known_b) = (&known_a[at_a], &known_b[at_b]);
            for (((a, b), known_a), known_b) in a.iter().zip(b).zip(known_a).zip(known_b) {
                n += known_a * known_b;
                sum_a += a * known_b;
                sum_b += b * known_a;
                square_a += a * a * known_b;
                square_b += b * b * known_a;
                product += a * b;
            }
        });
        let variance_a = square_a - sum_a * sum_a / n;
        let variance_b = square_b - sum_b * sum_b / n;
        // Of numbers of length 1; what is left of a constant is rounding.
        let is_enough = n >= 3.0 && variance_a > 1e-14 && variance_b > 1e-14;
        is_enough.then(|| (product - sum_a * sum_b / n) / (variance_a * variance_b).sqrt())
    }

    /// Calls with runs of places of `a` and of the places of `b` that come to lie on them.
    fn pairs(&self, shift: usize, mut run: impl FnMut(Range<usize>, Range<usize>)) {
        let Some((&length, outer)) = self.shape.split_last() else { return };
        let mut rest = shift / length;
        let moved = shift % length;
        let mut steps = vec![0; outer.len()];
        for (step, n) in steps.iter_mut().zip(outer).rev() {
            (*step, rest) = (rest % n, rest / n);
        }
        let mut place = vec![0; outer.len()];
        for line in 0..self.a.len() / length {
            let other = (0..outer.len()).fold(0, |at, k| at * outer[k] + (place[k] + steps[k]) % outer[k]);
            let (from_a, from_b) = (line * length, other * length);
            run(from_a..from_a + length - moved, from_b + moved..from_b + length);
            run(from_a + length - moved..from_a + length, from_b..from_b + moved);
            for (index, n) in place.iter_mut().zip(outer).rev() {
                *index += 1;
                if *index < *n {
                    break;
                }
                *index = 0;
            }
        }
    }
}

/// In four sums, so that they need not wait for each other.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    let (a, b) = (a.chunks_exact(4), b.chunks_exact(4));
    let rest: f64 = a.remainder().iter().zip(b.remainder()).map(|(a, b)| a * b).sum();
    let mut sums = [0.0; 4];
    for (a, b) in a.zip(b) {
        (0..4).for_each(|i| sums[i] += a[i] * b[i]);
    }
    sums.iter().sum::<f64>() + rest
}

#[cfg(test)]
mod tests {
    use super::super::statistics::pearson;
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn by_hand() {
        // Of the three other shifts none correlates as well; then one that does as badly with the other sign.
        let found = chance(&[1.0, 0.0, 0.0, 0.0], &[1.0, 0.0, 0.0, 0.0], &[4], 0).expect("some");
        assert_eq!(found, Chance { p: 0.25, tried: 3, all: 3 });
        let found = chance(&[1.0, -1.0, 0.0, 0.0], &[1.0, -1.0, -1.0, 1.0], &[4], 0).expect("some");
        assert_eq!(found.p, 0.5);
        // Stripes: every second shift is the same map.
        let stripes: Vec<f64> = (0..36).map(|i| f64::from(i % 2)).collect();
        assert_eq!(chance(&stripes, &stripes, &[6, 6], 0).expect("some").p, 1.0);
        assert_eq!(chance(&[1.0], &[1.0], &[1], 0), None);
        assert_eq!(chance(&[1.0, 1.0], &[1.0, 2.0], &[2], 0), None);
    }

    #[test]
    fn a_sample_has_no_shift_twice_and_is_the_seed_s() {
        let one = drawn(50_000, MOST, 1);
        assert_eq!(one.len(), MOST);
        assert!(one.windows(2).all(|pair| pair[0] < pair[1]) && one[0] >= 1 && one[MOST - 1] <= 50_000);
        assert_eq!(one, drawn(50_000, MOST, 1));
        assert_ne!(one, drawn(50_000, MOST, 2));
        let mean = one.iter().sum::<usize>() as f64 / MOST as f64;
        // Its standard deviation is 50 000 / sqrt(12 * 4999), about 204.
        assert!((mean - 25_000.5).abs() < 800.0, "{mean}");
        assert_eq!(drawn(5, 9, 0), [1, 2, 3, 4, 5]);
    }

    proptest! {
        #[test]
        fn a_shift_is_the_correlation_of_the_moved_map(
            shape in proptest::collection::vec(1usize..5, 1..4),
            numbers in proptest::collection::vec(-9i32..10, 128),
            shift in any::<prop::sample::Index>(),
            holes in any::<bool>(),
        ) {
            let count: usize = shape.iter().product();
            let value = |i: usize| if holes && numbers[i] > 6 { f64::NAN } else { f64::from(numbers[i]) };
            let a: Vec<f64> = (0..count).map(value).collect();
            let b: Vec<f64> = (64..64 + count).map(value).collect();
            let shift = shift.index(count);
            let place = |mut at: usize| {
                let mut place = vec![0; shape.len()];
                for (index, n) in place.iter_mut().zip(&shape).rev() {
                    (*index, at) = (at % n, at / n);
                }
                place
            };
            let (steps, mut pairs) = (place(shift), Vec::new());
            for (at, a) in a.iter().enumerate() {
                let moved: Vec<usize> = place(at).iter().zip(&steps).zip(&shape).map(|((i, s), n)| (i + s) % n).collect();
                pairs.push((*a, b[moved.iter().zip(&shape).fold(0, |flat, (i, n)| flat * n + i)]));
            }
            pairs.retain(|(a, b)| !a.is_nan() && !b.is_nan());
            let (left, right): (Vec<f64>, Vec<f64>) = pairs.iter().copied().unzip();
            let expected = pearson(&left, &right).filter(|_| pairs.len() >= 3 || !a.iter().chain(&b).any(|v| v.is_nan()));
            let found = Planes::new(&a, &b, &shape).and_then(|planes| planes.correlation(shift));
            match (found, expected) {
                (Some(found), Some(expected)) => prop_assert!((found - expected).abs() < 1e-9, "{found} {expected}"),
                (found, expected) => prop_assert_eq!(found, expected),
            }
        }
    }
}
