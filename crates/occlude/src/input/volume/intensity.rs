//! Values of a volume, scaled: by a range, by its least and greatest, by percentiles, to mean 0 and deviation 1.
//!
//! In and out: f32 values in place. Formulas and their order are those of MONAI's `ScaleIntensityRange`, `ScaleIntensity`, `NormalizeIntensity`; sums are taken in f64.

use crate::error::{Error, Result};

/// `(v - from0) / (from1 - from0) * (to1 - to0) + to0`.
///
/// # Errors
/// Argument: a range without width.
pub(super) fn range(values: &mut [f32], from: [f64; 2], to: [f64; 2], clip: bool) -> Result<()> {
    let width = from[1] - from[0];
    if width == 0.0 {
        return Err(Error::argument(format!("the range from {} to {} has no width", from[0], from[1]))
            .with_hint("the two ends must differ; of percentiles, take such as differ in this volume"));
    }
    let (low, high) = (to[0].min(to[1]) as f32, to[0].max(to[1]) as f32);
    let (from, width, by, plus) = (from[0] as f32, width as f32, (to[1] - to[0]) as f32, to[0] as f32);
    for value in values {
        *value = (*value - from) / width * by + plus;
        if clip {
            *value = value.clamp(low, high);
        }
    }
    Ok(())
}

/// Least and greatest value become these; of one value alone all become `v * to0`.
pub(super) fn min_max(values: &mut [f32], to: [f64; 2]) {
    let low = values.iter().copied().fold(f32::INFINITY, f32::min);
    let high = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let (by, plus) = ((to[1] - to[0]) as f32, to[0] as f32);
    for value in values {
        *value = if high > low { (*value - low) / (high - low) * by + plus } else { *value * plus };
    }
}

/// The value below which this share (0 to 100) of all lies, linear between neighbours (NumPy's default).
pub(super) fn percentile(values: &[f32], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f32::total_cmp);
    let Some(last) = sorted.len().checked_sub(1) else { return 0.0 };
    let at = share / 100.0 * last as f64;
    let (low, high) = (at.floor() as usize, at.ceil() as usize);
    let [a, b] = [low, high].map(|i| f64::from(sorted[i.min(last)]));
    a + (b - a) * (at - low as f64)
}

/// Minus mean, divided by the deviation of the population; values that are all alike only lose their mean.
pub(super) fn z_score(values: &mut [f32], nonzero: bool) {
    let is_counted = |value: &f32| !nonzero || *value != 0.0;
    let count = values.iter().filter(|v| is_counted(v)).count();
    if count == 0 {
        return;
    }
    let counted = || values.iter().filter(|v| is_counted(v)).map(|v| f64::from(*v));
    let mean = counted().sum::<f64>() / count as f64;
    let deviation = (counted().map(|v| (v - mean).powi(2)).sum::<f64>() / count as f64).sqrt();
    let (mean, deviation) = (mean as f32, if deviation as f32 == 0.0 { 1.0 } else { deviation as f32 });
    for value in values.iter_mut().filter(|v| is_counted(v)) {
        *value = (*value - mean) / deviation;
    }
}

/// `(v - minus) / by`
pub(super) fn shift(values: &mut [f32], minus: f64, by: f64) {
    values.iter_mut().for_each(|value| *value = (*value - minus as f32) / by as f32);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_lie_between_neighbours() {
        let values = [5.0, 1.0, 2.0, 4.0];
        let found = [0.0, 50.0, 75.0, 100.0, 10.0].map(|q| percentile(&values, q));
        assert!(
            found.iter().zip([1.0, 3.0, 4.25, 5.0, 1.3]).all(|(a, b)| (a - b).abs() < 1e-12),
            "{found:?}"
        );
    }

    #[test]
    fn values_that_are_all_alike() {
        let mut flat = [3.0; 4];
        z_score(&mut flat, false);
        assert_eq!(flat, [0.0; 4]);
        z_score(&mut flat, true);
        min_max(&mut flat, [0.5, 1.0]);
        assert_eq!(flat, [0.0; 4]);
        assert!(range(&mut flat, [1.0, 1.0], [0.0, 1.0], true).is_err());
    }
}
