//! Resizing 8-bit pictures exactly as Pillow does, because that is what most models were trained and evaluated with.
//!
//! In: interleaved 8-bit pixels. Out: the same at another size. Two passes (rows, then columns), each an antialiased filter with 22-bit fixed-point weights,
//! rounded and clamped to 8 bits in between (Pillow's `Resample.c`); nearest takes the pixel under the centre. Goldens made by Pillow are in `tests/`.
//! Rows always come first, as in Pillow to version 12; version 13 takes the other order for some unusual shapes (more than twice as high as wide and made
//! smaller, or made wider and lower), where the rounding in between then differs.

/// A resampling filter, named as in Pillow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filter {
    /// The pixel under the centre; no antialiasing.
    Nearest,
    /// Mean over the pixel's area.
    Box,
    /// Triangle.
    Bilinear,
    /// Pillow's Hamming window, sharper than bilinear.
    Hamming,
    /// Keys' cubic with a = -0.5.
    Bicubic,
    /// Lanczos with three lobes.
    Lanczos,
}

impl Filter {
    /// Filters with their names and the numbers that Pillow and Hugging Face give them (`resample`).
    pub const ALL: [(Filter, &'static str, u64); 6] = [
        (Filter::Nearest, "nearest", 0),
        (Filter::Lanczos, "lanczos", 1),
        (Filter::Bilinear, "bilinear", 2),
        (Filter::Bicubic, "bicubic", 3),
        (Filter::Box, "box", 4),
        (Filter::Hamming, "hamming", 5),
    ];
    /// Its name.
    pub fn name(self) -> &'static str {
        Filter::ALL.iter().find(|(f, ..)| *f == self).map_or("", |(_, name, _)| name)
    }
    fn support(self) -> f64 {
        match self {
            Filter::Nearest => 0.0,
            Filter::Box => 0.5,
            Filter::Bilinear | Filter::Hamming => 1.0,
            Filter::Bicubic => 2.0,
            Filter::Lanczos => 3.0,
        }
    }
    fn weight(self, x: f64) -> f64 {
        let sinc = |x: f64| {
            if x == 0.0 { 1.0 } else { (x * std::f64::consts::PI).sin() / (x * std::f64::consts::PI) }
        };
        let a = x.abs();
        match self {
            Filter::Nearest => 1.0,
            Filter::Box => f64::from(u8::from(x > -0.5 && x <= 0.5)),
            Filter::Bilinear => (1.0 - a).max(0.0),
            Filter::Hamming if a == 0.0 => 1.0,
            Filter::Hamming if a < 1.0 => sinc(a) * (0.54 + 0.46 * (a * std::f64::consts::PI).cos()),
            Filter::Bicubic if a < 1.0 => ((1.5 * a) - 2.5) * a * a + 1.0,
            Filter::Bicubic if a < 2.0 => (((a - 5.0) * a + 8.0) * a - 4.0) * -0.5,
            Filter::Lanczos if (-3.0..3.0).contains(&x) => sinc(x) * sinc(x / 3.0),
            Filter::Hamming | Filter::Bicubic | Filter::Lanczos => 0.0,
        }
    }
}

/// Bits behind the point of a weight: 32 minus 8 for the pixel and 2 for overshoot.
const PRECISION_BITS: u32 = 32 - 8 - 2;
/// One half, so that dropping the bits behind the point rounds.
const HALF: i32 = 1 << (PRECISION_BITS - 1);

/// Resizes `height * width * channels` interleaved bytes to `new_height * new_width * channels`. All sizes are at least 1.
pub fn resize(pixels: &[u8], channels: usize, from: [usize; 2], to: [usize; 2], filter: Filter) -> Vec<u8> {
    let [height, width] = from;
    let [new_height, new_width] = to;
    if from == to {
        return pixels.to_vec();
    }
    if filter == Filter::Nearest {
        let (rows, columns) = (nearest(height, new_height), nearest(width, new_width));
        let mut out = Vec::with_capacity(new_height * new_width * channels);
        for &y in &rows {
            for &x in &columns {
                let at = (y * width + x) * channels;
                out.extend_from_slice(&pixels[at..at + channels]);
            }
        }
        return out;
    }
    let rows = if new_width == width {
        pixels.to_vec()
    } else {
        rows_pass(pixels, width * channels, channels, &taps(width, new_width, filter))
    };
    if new_height == height {
        return rows;
    }
    columns_pass(&rows, new_width * channels, &taps(height, new_height, filter))
}

/// Resizes each line of `line` bytes.
fn rows_pass(pixels: &[u8], line: usize, channels: usize, taps: &[Taps]) -> Vec<u8> {
    let mut out = Vec::with_capacity(pixels.len() / line * taps.len() * channels);
    for row in pixels.chunks_exact(line) {
        for tap in taps {
            for channel in 0..channels {
                let weighted =
                    |(k, w): (usize, &i32)| i32::from(row[(tap.start + k) * channels + channel]) * w;
                let sum = tap.weights.iter().enumerate().map(weighted).fold(HALF, i32::wrapping_add);
                out.push(clip8(sum));
            }
        }
    }
    out
}

/// Makes new lines of `line` bytes from old ones.
fn columns_pass(pixels: &[u8], line: usize, taps: &[Taps]) -> Vec<u8> {
    let mut out = Vec::with_capacity(taps.len() * line);
    let mut sums = vec![0i32; line];
    for tap in taps {
        sums.fill(HALF);
        for (k, w) in tap.weights.iter().enumerate() {
            let row = &pixels[(tap.start + k) * line..(tap.start + k + 1) * line];
            for (sum, &byte) in sums.iter_mut().zip(row) {
                *sum = sum.wrapping_add(i32::from(byte) * w);
            }
        }
        out.extend(sums.iter().map(|&s| clip8(s)));
    }
    out
}

/// The weights of one output pixel.
struct Taps {
    start: usize,
    weights: Vec<i32>,
}

fn taps(from: usize, to: usize, filter: Filter) -> Vec<Taps> {
    let scale = from as f64 / to as f64;
    let filter_scale = scale.max(1.0);
    let support = filter.support() * filter_scale;
    (0..to)
        .map(|out| {
            let center = (out as f64 + 0.5) * scale;
            // The casts truncate toward zero, as Pillow's do.
            let start = ((center - support + 0.5) as i64).max(0) as usize;
            let end = ((center + support + 0.5) as i64).clamp(0, from as i64) as usize;
            let weights: Vec<f64> = (start..end)
                .map(|x| filter.weight((x as f64 - center + 0.5) * (1.0 / filter_scale)))
                .collect();
            let sum: f64 = weights.iter().sum();
            let fixed = |w: f64| {
                let scaled = (if sum == 0.0 { w } else { w / sum }) * f64::from(1 << PRECISION_BITS);
                (if w < 0.0 { scaled - 0.5 } else { scaled + 0.5 }) as i32
            };
            Taps { start, weights: weights.into_iter().map(fixed).collect() }
        })
        .collect()
}

fn nearest(from: usize, to: usize) -> Vec<usize> {
    let scale = from as f64 / to as f64;
    // Pillow walks by adding the step, so that rounding errors accumulate the same way.
    let mut at = scale * 0.5;
    (0..to)
        .map(|_| {
            let index = (at as usize).min(from - 1);
            at += scale;
            index
        })
        .collect()
}

fn clip8(fixed: i32) -> u8 {
    (fixed >> PRECISION_BITS).clamp(0, 255) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flat_pictures_stay_flat() {
        for (filter, name, _) in Filter::ALL {
            let out = resize(&[77; 5 * 7 * 3], 3, [5, 7], [11, 3], filter);
            assert_eq!(out, vec![77; 11 * 3 * 3], "{name}");
        }
    }

    #[test]
    fn box_halving_is_the_mean() {
        assert_eq!(resize(&[0, 10, 20, 40], 1, [1, 4], [1, 2], Filter::Box), [5, 30]);
        assert_eq!(resize(&[0, 10, 20, 40], 1, [4, 1], [2, 1], Filter::Box), [5, 30]);
        assert_eq!(
            resize(&[1, 2, 3, 4], 1, [2, 2], [4, 4], Filter::Nearest),
            [1, 1, 2, 2, 1, 1, 2, 2, 3, 3, 4, 4, 3, 3, 4, 4]
        );
    }
}
