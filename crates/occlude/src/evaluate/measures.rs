//! The formulas, on numbers alone: ranking of places, steps of a curve, areas, drops and gains.
//!
//! In: a map's numbers per place, scores. Out: orders, areas, shares. Which inputs are run for them is in `questions`; where each formula comes from is said at it.

/// Places from the largest number to the smallest; of equal ones the first in row-major order comes first, and places that are not known (NaN) come last.
pub(super) fn ranking(values: &[f32]) -> Vec<usize> {
    let key = |place: usize| if values[place].is_nan() { f32::NEG_INFINITY } else { values[place] };
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| key(b).partial_cmp(&key(a)).unwrap_or(std::cmp::Ordering::Equal));
    order
}

/// How many places are changed at each point of a curve of at most `steps` steps, from none to all: `step = ceil(places / steps)` more each time, as RISE's `CausalMetric` counts.
pub(super) fn changed(places: usize, steps: usize) -> Vec<usize> {
    let step = places.div_ceil(steps.max(1)).max(1);
    let points = places.div_ceil(step);
    (0..=points).map(|point| (point * step).min(places)).collect()
}

/// The area under a curve with points at equal distances, as RISE computes it: `(sum - first / 2 - last / 2) / (points - 1)` (Petsiuk, Das and Saenko, "RISE", BMVC 2018, `evaluation.py`). Xplique's mean of neighbouring means is the same number.
pub(super) fn area(scores: &[f64]) -> f64 {
    let (first, last) = (scores.first().copied().unwrap_or(0.0), scores.last().copied().unwrap_or(0.0));
    (scores.iter().sum::<f64>() - (first + last) / 2.0) / (scores.len().max(2) - 1) as f64
}

/// How much of each place is kept where a map masks the input: `(|a| - min) / (max - min)` of the places that are known; those that are not are not kept, and of a constant map nothing is.
pub(super) fn kept(values: &[f32]) -> Vec<f32> {
    let known = || values.iter().filter(|v| !v.is_nan()).map(|v| v.abs());
    let (least, most) = (known().fold(f32::INFINITY, f32::min), known().fold(0.0, f32::max));
    let range = most - least;
    let of = |v: &f32| if v.is_nan() || range <= 0.0 { 0.0 } else { (v.abs() - least) / range };
    values.iter().map(of).collect()
}

/// What keeps divisors from being 0, as in Xplique.
const EPSILON: f64 = 1e-8;

/// `max(0, whole - masked) / whole`, 0 to 1 (Chattopadhay et al., "Grad-CAM++", WACV 2018); `None` for a score that is not above 0.
pub(super) fn drop(whole: f64, masked: f64) -> Option<f64> {
    (whole > 0.0).then(|| (whole - masked).max(0.0) / (whole + EPSILON))
}

/// 1 where the masked input scores more than the whole one, else 0 (Chattopadhay et al. 2018).
pub(super) fn increase(whole: f64, masked: f64) -> f64 {
    f64::from(u8::from(masked > whole))
}

/// `max(0, masked - whole) / (1 - whole)`, 0 to 1: of a probability (Zhang et al., "Opti-CAM", 2024).
pub(super) fn gain(whole: f64, masked: f64) -> f64 {
    (masked - whole).max(0.0) / (1.0 - whole + EPSILON)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_in_order() {
        let values = [1.0, f32::NAN, 3.0, 1.0, -0.0, 0.0, 3.0];
        assert_eq!(ranking(&values), [2, 6, 0, 3, 4, 5, 1]);
    }

    #[test]
    fn points_of_a_curve() {
        assert_eq!(changed(10, 4), [0, 3, 6, 9, 10]);
        assert_eq!(changed(10, 5), [0, 2, 4, 6, 8, 10]);
        assert_eq!(changed(3, 100), [0, 1, 2, 3]);
        // Nine steps of two places are not needed for ten.
        assert_eq!(changed(10, 9), [0, 2, 4, 6, 8, 10]);
        assert_eq!(changed(1, 1), [0, 1]);
    }

    #[test]
    fn areas_and_shares_by_hand() {
        assert_eq!(area(&[1.0, 0.5, 0.0]), 0.5);
        assert_eq!(area(&[1.0, 0.0, 0.0, 0.0]), 1.0 / 6.0);
        assert_eq!(kept(&[-4.0, 2.0, f32::NAN, 3.0]), [1.0, 0.0, 0.0, 0.5]);
        assert_eq!(kept(&[2.0, 2.0]), [0.0, 0.0]);
        assert!((drop(0.8, 0.2).expect("above 0") - 0.75).abs() < 1e-7);
        assert_eq!((drop(0.5, 0.6), drop(0.0, 0.5), drop(-1.0, 0.0)), (Some(0.0), None, None));
        assert_eq!((increase(0.5, 0.6), increase(0.5, 0.5)), (1.0, 0.0));
        assert!((gain(0.5, 0.75) - 0.5).abs() < 1e-7 && gain(0.5, 0.1) == 0.0);
    }
}
