//! The formulas of a judgement: sums of positive evidence, the pointing game with its tolerance, rank accuracy.
//!
//! In: evidence per place (NaN = not covered), which places lie in the object; both row-major. Out: numbers. Sources are named at [`Judgement`](super::Judgement)'s fields. Every way to break a tie counts alike, so that a
//! uniform map gets the value of chance.

/// Covered places, counted and summed up.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Places {
    pub(super) covered: usize,
    pub(super) object_covered: usize,
    pub(super) positive_inside: f64,
    pub(super) positive_outside: f64,
}

impl Places {
    pub(super) fn new(evidence: &[f32], inside: &[bool]) -> Self {
        let mut all = Places::default();
        for (&value, &inside) in evidence.iter().zip(inside).filter(|(value, _)| !value.is_nan()) {
            let positive = f64::from(value).max(0.0);
            all.covered += 1;
            if inside {
                all.object_covered += 1;
                all.positive_inside += positive;
            } else {
                all.positive_outside += positive;
            }
        }
        all
    }
    /// The object's part of the positive evidence; `None` where there is none.
    pub(super) fn share_inside(&self) -> Option<f64> {
        let all = self.positive_inside + self.positive_outside;
        (all > 0.0).then(|| self.positive_inside / all)
    }
    /// Positive evidence per place, inside over outside; `None` where there is none outside.
    pub(super) fn density_ratio(&self) -> Option<f64> {
        let outside = self.positive_outside / (self.covered - self.object_covered) as f64;
        (self.positive_outside > 0.0).then(|| self.positive_inside / self.object_covered as f64 / outside)
    }
}

/// Which places lie in the object or nearer to one of it than the tolerance, between middles of elements.
pub(super) fn near(inside: &[bool], shape: &[usize], tolerance: f64) -> Vec<bool> {
    // Squares of distances along the axes add up, so the least of them can be found one axis after the other.
    let mut squares: Vec<f64> =
        inside.iter().map(|&inside| if inside { 0.0 } else { f64::INFINITY }).collect();
    let mut stride = 1;
    for &length in shape.iter().rev() {
        let reach = (tolerance.ceil() as usize).min(length.saturating_sub(1));
        let before = squares.clone();
        for (at, square) in squares.iter_mut().enumerate() {
            let place = at / stride % length;
            for other in place.saturating_sub(reach)..(place + reach + 1).min(length) {
                let step = other.abs_diff(place) as f64;
                *square = square.min(before[at - place * stride + other * stride] + step * step);
            }
        }
        stride *= length;
    }
    squares.iter().zip(inside).map(|(&square, &inside)| inside || square < tolerance * tolerance).collect()
}

/// What the largest evidence points at.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Pointed {
    /// The first of the places with the largest evidence.
    pub(super) first: usize,
    /// How many there are.
    pub(super) tied: usize,
    /// The share of them that hits.
    pub(super) share: f64,
    /// The share of all covered places that would.
    pub(super) share_of_all: f64,
}

/// `hits` says of each place whether pointing at it hits. At least one place is covered.
pub(super) fn pointed(evidence: &[f32], hits: &[bool]) -> Pointed {
    let largest = evidence.iter().copied().filter(|v| !v.is_nan()).fold(f32::NEG_INFINITY, f32::max);
    let share = |chosen: &dyn Fn(f32) -> bool| {
        let of = || evidence.iter().zip(hits).filter(|(value, _)| chosen(**value));
        (of().count(), of().filter(|(_, hit)| **hit).count() as f64 / of().count() as f64)
    };
    let (tied, share_of_tied) = share(&|value| value == largest);
    let (_, share_of_all) = share(&|value| !value.is_nan());
    let first = evidence.iter().position(|&value| value == largest).unwrap_or(0);
    Pointed { first, tied, share: share_of_tied, share_of_all }
}

/// The object's part of the K places with the largest evidence, K being the number of its covered places (at least one).
pub(super) fn rank_accuracy(evidence: &[f32], inside: &[bool]) -> f64 {
    let mut ranked: Vec<f32> = evidence.iter().copied().filter(|v| !v.is_nan()).collect();
    ranked.sort_by(|a, b| b.total_cmp(a));
    let count = Places::new(evidence, inside).object_covered;
    let last = ranked[count - 1];
    let of = |chosen: &dyn Fn(f32) -> bool| {
        let all = evidence.iter().zip(inside).filter(|(value, _)| chosen(**value));
        all.fold((0.0, 0.0), |(n, within), (_, &inside)| (n + 1.0, within + f64::from(u8::from(inside))))
    };
    let (above, above_inside) = of(&|value| value > last);
    let (tied, tied_inside) = of(&|value| value == last);
    (above_inside + (count as f64 - above) * tied_inside / tied) / count as f64
}
