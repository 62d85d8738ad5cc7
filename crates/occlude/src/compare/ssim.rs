//! The structural similarity index (Wang, Bovik, Sheikh and Simoncelli, IEEE Transactions on Image Processing 13, 2004) over any number of axes.
//!
//! In: two arrays of one shape, NaN = not known. Out: the mean of the index over all windows that lie in the array and hold no NaN. The window is a Gaussian of sigma 1.5 cut to 11 elements along each axis, K1 = 0.01, K2 = 0.03,
//! L the joint range of both arrays: what scikit-image's `structural_similarity(a, b, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=L)` gives.

/// Elements of the window along each axis.
pub(super) const WINDOW: usize = 11;
const SIGMA: f64 = 1.5;
const K1: f64 = 0.01;
const K2: f64 = 0.03;

/// The mean index, and over how many windows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Mean {
    pub(super) value: f64,
    pub(super) windows: usize,
}

/// # Errors
/// Why there is no number, in words.
pub(super) fn ssim(a: &[f64], b: &[f64], shape: &[usize]) -> Result<Mean, String> {
    if let Some(length) = shape.iter().find(|&&length| length < WINDOW) {
        return Err(format!("its window of {WINDOW} does not fit an axis of {length}"));
    }
    let known: Vec<bool> = a.iter().zip(b).map(|(a, b)| !a.is_nan() && !b.is_nan()).collect();
    let both = || a.iter().chain(b).zip(known.iter().chain(&known)).filter(|(_, known)| **known);
    let least = both().fold(f64::INFINITY, |least, (v, _)| least.min(*v));
    let greatest = both().fold(f64::NEG_INFINITY, |most, (v, _)| most.max(*v));
    let range = greatest - least;
    if range.is_nan() || range <= 0.0 {
        return Err("both maps are one constant, so there is no range to compare by".into());
    }
    let known_values = |values: &[f64]| -> Vec<f64> {
        values.iter().zip(&known).map(|(v, known)| if *known { *v } else { 0.0 }).collect()
    };
    let (a, b) = (known_values(a), known_values(b));
    let weights = gaussian();
    let mean = |of: &dyn Fn(f64, f64) -> f64| {
        filter(a.iter().zip(&b).map(|(a, b)| of(*a, *b)).collect(), shape, &weights)
    };
    let (means_a, means_b) = (mean(&|a, _| a), mean(&|_, b| b));
    let (squares_a, squares_b, products) = (mean(&|a, _| a * a), mean(&|_, b| b * b), mean(&|a, b| a * b));
    let unknown = filter(known.iter().map(|known| f64::from(u8::from(!known))).collect(), shape, &weights);
    let (c1, c2) = ((K1 * range).powi(2), (K2 * range).powi(2));
    let (mut sum, mut windows) = (0.0, 0usize);
    for at in (0..unknown.len()).filter(|&at| unknown[at] == 0.0) {
        let (mean_a, mean_b) = (means_a[at], means_b[at]);
        let (variance_a, variance_b) = (squares_a[at] - mean_a * mean_a, squares_b[at] - mean_b * mean_b);
        let covariance = products[at] - mean_a * mean_b;
        let above = (2.0 * mean_a * mean_b + c1) * (2.0 * covariance + c2);
        let below = (mean_a * mean_a + mean_b * mean_b + c1) * (variance_a + variance_b + c2);
        sum += above / below;
        windows += 1;
    }
    if windows == 0 {
        return Err(format!("no window of {WINDOW} holds only places that both maps know"));
    }
    Ok(Mean { value: sum / windows as f64, windows })
}

fn gaussian() -> [f64; WINDOW] {
    let at = |i: usize| i as f64 - (WINDOW / 2) as f64;
    let weights: [f64; WINDOW] = std::array::from_fn(|i| (-at(i).powi(2) / (2.0 * SIGMA * SIGMA)).exp());
    let sum: f64 = weights.iter().sum();
    weights.map(|weight| weight / sum)
}

/// Weighted means over every window that lies in the array, one axis after the other.
fn filter(mut values: Vec<f64>, shape: &[usize], weights: &[f64; WINDOW]) -> Vec<f64> {
    let mut shape = shape.to_vec();
    for axis in 0..shape.len() {
        let inner: usize = shape[axis + 1..].iter().product();
        let kept = shape[axis] + 1 - WINDOW;
        let mut out = Vec::with_capacity(values.len() / shape[axis] * kept);
        for block in values.chunks_exact(shape[axis] * inner) {
            for start in 0..kept {
                let from = out.len();
                out.resize(from + inner, 0.0);
                for (k, weight) in weights.iter().enumerate() {
                    let row = &block[(start + k) * inner..][..inner];
                    out[from..].iter_mut().zip(row).for_each(|(sum, v)| *sum += weight * v);
                }
            }
        }
        (values, shape[axis]) = (out, kept);
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The definition, window by window.
    fn by_definition(a: &[f64], b: &[f64], [height, width]: [usize; 2]) -> (f64, usize) {
        let range = a.iter().chain(b).filter(|v| !v.is_nan());
        let range = range.clone().copied().fold(f64::MIN, f64::max) - range.copied().fold(f64::MAX, f64::min);
        let weights = gaussian();
        let (mut sum, mut windows) = (0.0, 0);
        for y in 0..=height - WINDOW {
            for x in 0..=width - WINDOW {
                let places: Vec<(f64, f64, f64)> = (0..WINDOW * WINDOW)
                    .map(|i| (i / WINDOW, i % WINDOW))
                    .map(|(v, u)| {
                        let at = (y + v) * width + x + u;
                        (weights[v] * weights[u], a[at], b[at])
                    })
                    .collect();
                if places.iter().any(|(_, a, b)| a.is_nan() || b.is_nan()) {
                    continue;
                }
                let mean = |of: &dyn Fn(f64, f64) -> f64| places.iter().map(|(w, a, b)| w * of(*a, *b)).sum();
                let (ma, mb): (f64, f64) = (mean(&|a, _| a), mean(&|_, b| b));
                let (va, vb): (f64, f64) = (mean(&|a, _| (a - ma).powi(2)), mean(&|_, b| (b - mb).powi(2)));
                let cov: f64 = mean(&|a, b| (a - ma) * (b - mb));
                let (c1, c2) = ((0.01 * range).powi(2), (0.03 * range).powi(2));
                sum += (2.0 * ma * mb + c1) * (2.0 * cov + c2) / ((ma * ma + mb * mb + c1) * (va + vb + c2));
                windows += 1;
            }
        }
        (sum / f64::from(windows), windows as usize)
    }

    #[test]
    fn windows_with_unknown_places_are_left_out() {
        let wave = |i: usize, step: usize| ((i * step % 97) as f64) / 50.0 - 1.0;
        let mut a: Vec<f64> = (0..14 * 17).map(|i| wave(i, 31)).collect();
        let b: Vec<f64> = (0..14 * 17).map(|i| wave(i, 31) + 0.3 * wave(i, 12)).collect();
        for unknown in [None, Some(2 * 17 + 1)] {
            if let Some(at) = unknown {
                a[at] = f64::NAN;
            }
            let found = ssim(&a, &b, &[14, 17]).expect("fits");
            let (expected, windows) = by_definition(&a, &b, [14, 17]);
            assert!((found.value - expected).abs() < 1e-12, "{found:?}, expected {expected}");
            assert_eq!(found.windows, windows);
            assert!(windows == 28 || unknown.is_some() && windows == 28 - 6, "{windows}");
        }
    }

    #[test]
    fn what_has_no_number_says_why() {
        let same = vec![1.0; 121];
        assert!(ssim(&same, &same, &[11, 11]).expect_err("flat").contains("one constant"));
        assert!(ssim(&same, &same, &[121, 1]).expect_err("thin").contains("does not fit an axis of 1"));
        let mut holed: Vec<f64> = (0..121).map(f64::from).collect();
        assert!((ssim(&holed, &holed, &[11, 11]).expect("fits").value - 1.0).abs() < 1e-12);
        holed[60] = f64::NAN;
        assert!(ssim(&holed, &holed, &[11, 11]).expect_err("holed").contains("no window of 11"));
    }
}
