//! Correlations and overlaps of two lists of numbers, pair by pair.
//!
//! In: numbers without NaN, all in f64. Out: Pearson's correlation, ranks, shares of the strongest. Which places make a pair, and what is said of the result, is in the parent; reference numbers from outside are in `tests/data/compare.json`.

/// Pearson's correlation, -1 to 1; `None` where one side is constant or there is no pair.
pub(crate) fn pearson(a: &[f64], b: &[f64]) -> Option<f64> {
    let (a, b) = (centred(a)?, centred(b)?);
    let product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    // One root of both squares: of a list with itself exactly 1.
    Some((product(&a, &b) / (product(&a, &a) * product(&b, &b)).sqrt()).clamp(-1.0, 1.0))
}

/// Less their mean and divided by their length as a vector; `None` where all are the same.
pub(super) fn standardised(values: &[f64]) -> Option<Vec<f64>> {
    let mut all = centred(values)?;
    let norm = all.iter().map(|v| v * v).sum::<f64>().sqrt();
    all.iter_mut().for_each(|v| *v /= norm);
    Some(all)
}

/// Less their mean, the largest made 1 or -1, so that squares of very large or small numbers stay numbers; `None` where all are the same.
fn centred(values: &[f64]) -> Option<Vec<f64>> {
    let first = *values.first()?;
    if values.iter().all(|&v| v == first) {
        return None;
    }
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let largest = values.iter().fold(0.0f64, |most, v| most.max((v - mean).abs()));
    Some(values.iter().map(|v| (v - mean) / largest).collect())
}

/// Ranks from 1; equal numbers get the mean of the ranks that they take up.
pub(crate) fn mean_ranks(values: &[f64]) -> Vec<f64> {
    let order = sorted(values);
    let mut ranks = vec![0.0; values.len()];
    let mut from = 0;
    while from < order.len() {
        let value = values[order[from]];
        let tied = order[from..].iter().take_while(|&&at| values[at] == value).count();
        // The mean of from + 1, ..., from + tied.
        let rank = from as f64 + (tied + 1) as f64 / 2.0;
        order[from..from + tied].iter().for_each(|&at| ranks[at] = rank);
        from += tied;
    }
    ranks
}

/// Places in ascending order of their numbers.
fn sorted(values: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_unstable_by(|&a, &b| values[a].total_cmp(&values[b]));
    order
}

/// How much of each place belongs to the `k` strongest (1 to the number of places): 1, 0, or, where places tie for the last ranks, the share of them that is taken.
pub(super) struct Strongest {
    weights: Vec<f64>,
    /// Places that tie for the last ranks, where not all of them are taken; else 0.
    pub(super) tied: usize,
}

impl Strongest {
    pub(super) fn new(values: &[f64], k: usize) -> Self {
        let mut ranked = values.to_vec();
        let (_, &mut last, _) = ranked.select_nth_unstable_by(k - 1, |a, b| b.total_cmp(a));
        let above = values.iter().filter(|&&v| v > last).count();
        let equal = values.iter().filter(|&&v| v == last).count();
        let share = (k - above) as f64 / equal as f64;
        let weight = |&v: &f64| if v > last { 1.0 } else { share * f64::from(u8::from(v == last)) };
        Strongest {
            weights: values.iter().map(weight).collect(),
            tied: if above + equal > k { equal } else { 0 },
        }
    }
    /// The size of the intersection; of tied places its mean, as if each side drew among its own.
    pub(super) fn common(&self, other: &Strongest) -> f64 {
        self.weights.iter().zip(&other.weights).map(|(a, b)| a * b).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn by_hand() {
        assert_eq!(mean_ranks(&[3.0, 1.0, 3.0, -2.0, 3.0]), [4.0, 2.0, 4.0, 1.0, 4.0]);
        let opposite = pearson(&[1.0, 2.0], &[5.0, 3.0]).expect("some");
        assert!((opposite + 1.0).abs() < 1e-15);
        let numbers: Vec<f64> = (0..40).map(|i| f64::from(i * 17 % 29) / 7.0).collect();
        assert_eq!(pearson(&numbers, &numbers), Some(1.0));
        assert_eq!((pearson(&[2.0, 2.0], &[1.0, 3.0]), pearson(&[], &[])), (None, None));
        let uncorrelated = pearson(&[-1.0, 0.0, 1.0], &[1.0, 0.0, 1.0]).expect("some");
        assert!(uncorrelated.abs() < 1e-15);
        for scale in [1e-170, 1e170] {
            let scaled = pearson(&[scale, 2.0 * scale, 4.0 * scale], &[1.0, 2.0, 4.0]).expect("some");
            assert!((scaled - 1.0).abs() < 1e-12, "{scale}: {scaled}");
        }
    }

    #[test]
    fn ties_for_the_last_ranks_are_shared() {
        let (a, b) = ([5.0, 1.0, 1.0, 1.0, 0.0], [9.0, 8.0, 0.0, 0.0, 0.0]);
        let (a, b) = (Strongest::new(&a, 2), Strongest::new(&b, 2));
        assert_eq!((a.tied, b.tied), (3, 0));
        // The first place is in both; the second in a with a chance of 1/3.
        assert!((a.common(&b) - 4.0 / 3.0).abs() < 1e-12);
        assert_eq!(Strongest::new(&[1.0, 1.0, 0.0], 2).tied, 0);
    }

    proptest! {
        #[test]
        fn ranks_sum_up_and_chance_is_the_share(values in proptest::collection::vec(-3i32..3, 1..40), k in 1usize..40) {
            let values: Vec<f64> = values.into_iter().map(f64::from).collect();
            let (n, k) = (values.len(), k.min(values.len()));
            let sum: f64 = mean_ranks(&values).iter().sum();
            prop_assert!((sum - (n * (n + 1)) as f64 / 2.0).abs() < 1e-9);
            let strongest = Strongest::new(&values, k);
            prop_assert!((strongest.weights.iter().sum::<f64>() - k as f64).abs() < 1e-9);
            // A constant map has no preference: it meets any other as often as chance does.
            let common = strongest.common(&Strongest::new(&vec![0.0; n], k));
            prop_assert!((common / k as f64 - k as f64 / n as f64).abs() < 1e-9);
        }
    }
}
