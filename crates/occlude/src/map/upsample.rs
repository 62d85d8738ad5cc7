//! A grid of numbers enlarged along each axis: nearest, linear with aligned corners, cubic.
//!
//! In: numbers with their shape, the wanted shape. Out: the enlarged numbers, row-major, f32. A NaN reaches the elements that read it. Which definition uses which is in `preset`.

use super::definition::Upsample;

/// Enlarges row-major numbers of `shape` to `wanted`, axis by axis.
pub(super) fn upsample(values: &[f32], shape: &[usize], wanted: &[usize], how: Upsample) -> Vec<f32> {
    let mut values: Vec<f64> = values.iter().copied().map(f64::from).collect();
    let mut shape = shape.to_vec();
    for axis in 0..shape.len() {
        if shape[axis] == wanted[axis] && how != Upsample::Cubic {
            continue;
        }
        let taps: Vec<Vec<(usize, f64)>> =
            (0..wanted[axis]).map(|i| taps(i, shape[axis], wanted[axis], how)).collect();
        let inner: usize = shape[axis + 1..].iter().product();
        let outer: usize = shape[..axis].iter().product();
        let mut out = Vec::with_capacity(outer * taps.len() * inner);
        for block in values.chunks_exact((shape[axis] * inner).max(1)) {
            for taps in &taps {
                out.extend(
                    (0..inner).map(|i| taps.iter().map(|(at, w)| w * block[at * inner + i]).sum::<f64>()),
                );
            }
        }
        (values, shape[axis]) = (out, wanted[axis]);
    }
    values.into_iter().map(|v| v as f32).collect()
}

/// What element `i` of `wanted` reads of `length` numbers.
fn taps(i: usize, length: usize, wanted: usize, how: Upsample) -> Vec<(usize, f64)> {
    match how {
        Upsample::None | Upsample::Nearest => vec![((i * length / wanted).min(length - 1), 1.0)],
        Upsample::Linear => {
            let at = if wanted > 1 { i as f64 * (length - 1) as f64 / (wanted - 1) as f64 } else { 0.0 };
            let low = (at.floor() as usize).min(length - 1);
            let part = at - low as f64;
            if part > 0.0 && low + 1 < length {
                vec![(low, 1.0 - part), (low + 1, part)]
            } else {
                vec![(low, 1.0)]
            }
        }
        Upsample::Cubic => {
            let at = (i as f64 + 0.5) * length as f64 / wanted as f64 - 0.5;
            let low = at.floor() as isize;
            let inside = |k: isize| k.clamp(0, length as isize - 1) as usize;
            let weights = (low - 1..=low + 2).map(|k| (inside(k), keys(at - k as f64)));
            weights.filter(|(_, weight)| *weight != 0.0).collect()
        }
    }
}

/// Keys' cubic convolution kernel with a = -1/2 (Keys, IEEE Transactions on Acoustics, Speech, and Signal Processing 1981).
fn keys(x: f64) -> f64 {
    let x = x.abs();
    if x <= 1.0 {
        1.5 * x.powi(3) - 2.5 * x.powi(2) + 1.0
    } else if x < 2.0 {
        -0.5 * x.powi(3) + 2.5 * x.powi(2) - 4.0 * x + 2.0
    } else {
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_hand() {
        assert_eq!(upsample(&[1.0, 2.0], &[2], &[5], Upsample::Nearest), [1.0, 1.0, 1.0, 2.0, 2.0]);
        assert_eq!(upsample(&[0.0, 3.0], &[2], &[4], Upsample::Linear), [0.0, 1.0, 2.0, 3.0]);
        assert_eq!(upsample(&[7.0], &[1], &[3], Upsample::Linear), [7.0; 3]);
        let square = upsample(&[0.0, 2.0, 4.0, 6.0], &[2, 2], &[3, 2], Upsample::Linear);
        assert_eq!(square, [0.0, 2.0, 2.0, 4.0, 4.0, 6.0]);
        // MATLAB's imresize([0 1], [1 4], "bicubic") without antialiasing: Keys' weights at 1/4 and 3/4 of a cell.
        let cubic = upsample(&[0.0, 1.0], &[2], &[4], Upsample::Cubic);
        assert_eq!(cubic, [-0.0703125, 0.203125, 0.796875, 1.0703125]);
        assert_eq!(upsample(&[5.0; 3], &[3], &[10], Upsample::Cubic), [5.0; 10]);
        assert!(upsample(&[1.0, f32::NAN], &[2], &[4], Upsample::Linear)[1].is_nan());
    }
}
