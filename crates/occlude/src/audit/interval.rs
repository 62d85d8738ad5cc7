//! How sure a share is that was counted in a sample.
//!
//! In: counts. Out: intervals at 95%. Images are taken as drawn independently; a data set of frames of one film is not.

use serde::{Deserialize, Serialize};

/// The normal distribution's 97.5% point.
const Z: f64 = 1.959_963_984_540_054;

/// Numbers that the normal distribution needs.
pub(crate) const ENOUGH: u64 = 20;

/// A share with its interval, 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Share {
    /// How many.
    pub count: u64,
    /// Of how many.
    pub of: u64,
    /// `count / of`; `None` of nothing.
    pub share: Option<f64>,
    /// The 95% interval after Wilson (1927, "Probable inference, the law of succession, and statistical inference"), without continuity correction: it stays inside 0 to 1 and holds for small counts. `None` of nothing.
    pub interval: Option<[f64; 2]>,
}

impl Share {
    /// `count` of `of`.
    pub fn new(count: u64, of: u64) -> Share {
        let (n, p) = (of as f64, count as f64 / of.max(1) as f64);
        let interval = (of > 0).then(|| {
            let middle = (p + Z * Z / (2.0 * n)) / (1.0 + Z * Z / n);
            let half = Z / (1.0 + Z * Z / n) * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
            let low = if count == 0 { 0.0 } else { middle - half };
            let high = if count == of { 1.0 } else { middle + half };
            [low, high]
        });
        Share { count, of, share: (of > 0).then_some(p), interval }
    }

    /// This share less another of other images, with its 95% interval by Newcombe's method 10 ("Interval estimation for the difference between independent proportions", Statistics in Medicine 17, 1998), without continuity correction.
    pub fn less(&self, other: &Share) -> Option<Difference> {
        let (a, b) = (self.share?, other.share?);
        let ([a_low, a_high], [b_low, b_high]) = (self.interval?, other.interval?);
        let difference = a - b;
        let low = difference - ((a - a_low).powi(2) + (b_high - b).powi(2)).sqrt();
        let high = difference + ((a_high - a).powi(2) + (b - b_low).powi(2)).sqrt();
        Some(Difference { difference, interval: [low, high] })
    }
}

/// One share less another.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Difference {
    /// -1 to 1.
    pub difference: f64,
    /// At 95%.
    pub interval: [f64; 2],
}

/// Mean of a number over images.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Mean {
    /// How many images have the number.
    pub count: u64,
    /// `None` for none.
    pub mean: Option<f64>,
    /// The 95% interval by the normal distribution, `mean ± 1.96 s / sqrt(n)`; `None` below 20 images, where that distribution is too narrow.
    pub interval: Option<[f64; 2]>,
}

/// A sum that does not hang on the order of what is added: rows come in the order in which workers end. In units of 2^-60; beyond 1e20 it stays there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sum(i128);

impl Sum {
    const UNIT: f64 = (1u64 << 60) as f64;

    pub(super) fn add(&mut self, value: f64) {
        self.0 = self.0.saturating_add((value * Self::UNIT).round() as i128);
    }

    pub(super) fn value(self) -> f64 {
        self.0 as f64 / Self::UNIT
    }
}

/// Gathers a mean in one pass.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Gathered {
    count: u64,
    sum: Sum,
    squares: Sum,
}

impl Gathered {
    pub(super) fn add(&mut self, value: f64) {
        self.count += 1;
        self.sum.add(value);
        self.squares.add(value * value);
    }

    pub(super) fn mean(&self) -> Mean {
        let n = self.count as f64;
        let mean = self.sum.value() / n;
        let variance = (self.squares.value() - n * mean * mean).max(0.0) / (n - 1.0);
        let half = Z * (variance / n).sqrt();
        Mean {
            count: self.count,
            mean: (self.count > 0).then_some(mean),
            interval: (self.count >= ENOUGH).then_some([mean - half, mean + half]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(got: f64, expected: f64) {
        assert!((got - expected).abs() < 5e-5, "{got}, expected {expected}");
    }

    /// Newcombe's own example (table II, method 10, contrast a): 56/70 less 48/80 is 0.2 with 0.0524 to 0.3339; Wilson's intervals of 81/263, 15/148, 0/20 and 1/29 as in his paper on single proportions (method 3).
    #[test]
    fn intervals_are_those_of_the_papers() {
        for (count, of, low, high) in [
            (81, 263, 0.2553, 0.3662),
            (15, 148, 0.0624, 0.1605),
            (0, 20, 0.0, 0.1611),
            (1, 29, 0.0061, 0.1718),
        ] {
            let [a, b] = Share::new(count, of).interval.expect("some");
            near(a, low);
            near(b, high);
        }
        let found = Share::new(56, 70).less(&Share::new(48, 80)).expect("some");
        near(found.difference, 0.2);
        near(found.interval[0], 0.0524);
        near(found.interval[1], 0.3339);
        assert_eq!(Share::new(20, 20).interval.map(|[_, high]| high), Some(1.0));
        assert_eq!(Share::new(0, 0), Share { count: 0, of: 0, share: None, interval: None });
        assert_eq!(Share::new(0, 0).less(&Share::new(1, 2)), None);
    }

    #[test]
    fn means() {
        let mut gathered = Gathered::default();
        [1.0, 2.0, 3.0, 6.0].into_iter().for_each(|value| gathered.add(value));
        assert_eq!(gathered.mean(), Mean { count: 4, mean: Some(3.0), interval: None });
        (0..4).for_each(|_| [1.0, 2.0, 3.0, 6.0].into_iter().for_each(|value| gathered.add(value)));
        let mean = gathered.mean();
        assert_eq!((mean.count, mean.mean), (20, Some(3.0)));
        // s = sqrt(70 / 19)
        near(mean.interval.expect("twenty")[1] - 3.0, Z * (70.0f64 / 19.0 / 20.0).sqrt());
        assert_eq!(Gathered::default().mean(), Mean::default());
    }
}
