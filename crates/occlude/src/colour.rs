//! The colours of a map: a diverging ramp about zero, the same for the PNG figure and for the page.
//!
//! In: sensitivities. Out: sRGB bytes. Zero is a neutral light grey, evidence for the target grows into red, evidence
//! against it into blue. The ramp is computed in OKLab (Björn Ottosson, "A perceptual color space for image
//! processing", 2020) after the hues of ColorBrewer's `RdBu` (Cynthia Brewer): lightness falls linearly and equally to
//! both sides, so that equal differences look equal, and the pair red and blue stays apart for colour-blind readers.
//! Not here: which values share a scale (the figures decide), and drawing.

/// How many steps the ramp has: 127 to each side of zero, and zero itself.
pub const LEVELS: usize = 255;

/// A symmetric colour scale: `-limit..=limit` on the ramp, zero in its middle.
///
/// ```
/// use occlude::colour::Scale;
/// let scale = Scale::about_zero([0.5, -0.25, f32::NAN]);
/// assert_eq!(scale.limit(), 0.5);
/// assert_eq!(scale.colour(0.0), Some([245, 245, 245]));
/// assert_eq!(scale.colour(f32::NAN), None);
/// ```
#[derive(Clone, Debug)]
pub struct Scale {
    limit: f32,
    ramp: Vec<[u8; 3]>,
}

impl Scale {
    /// The scale whose ends are the largest magnitude among `values`; values that are not finite are left out.
    pub fn about_zero(values: impl IntoIterator<Item = f32>) -> Scale {
        let limit = values.into_iter().filter(|v| v.is_finite()).fold(0.0f32, |limit, v| limit.max(v.abs()));
        Scale { limit, ramp: ramp() }
    }

    /// The value at the ramp's red end, in the map's unit; 0 if every value was zero or not finite.
    pub fn limit(&self) -> f32 {
        self.limit
    }

    /// The place of `value` on the ramp: -1 to 1; beyond the limit it stays at the end, and with a limit of 0 at zero.
    pub fn position(&self, value: f32) -> f64 {
        if self.limit > 0.0 { (f64::from(value) / f64::from(self.limit)).clamp(-1.0, 1.0) } else { 0.0 }
    }

    /// The sRGB colour of `value`; `None` where it is not a number (a window that was not computed).
    pub fn colour(&self, value: f32) -> Option<[u8; 3]> {
        if value.is_nan() {
            return None;
        }
        Some(self.ramp[level(self.position(value))])
    }
}

/// The step of the ramp at `position` (-1 to 1): 0 to 254, zero at 127, the same distance for both signs.
pub fn level(position: f64) -> usize {
    let middle = (LEVELS / 2) as f64;
    (middle + (middle * position.clamp(-1.0, 1.0)).round()) as usize
}

/// The whole ramp, from the blue end (strongest evidence against) to the red one: [`LEVELS`] sRGB colours.
pub fn ramp() -> Vec<[u8; 3]> {
    let middle = (LEVELS / 2) as f64;
    (0..LEVELS).map(|step| colour_at((step as f64 - middle) / middle)).collect()
}

/// A ramp for quantities that have no middle, from the least (dark violet) to the greatest (light yellow): [`LEVELS`] sRGB colours whose lightness rises linearly in
/// OKLab, so that it reads in grey too.
pub fn sequential() -> Vec<[u8; 3]> {
    let step = |step: usize| {
        let t = step as f64 / (LEVELS - 1) as f64;
        let hue = (305.0 - 205.0 * t).to_radians();
        // Least in the middle, where sRGB has little chroma of blue-green.
        let chroma = 0.085 + 0.05 * (2.0 * t - 1.0).abs();
        srgb_from_oklab(0.26 + 0.68 * t, chroma * hue.cos(), chroma * hue.sin())
    };
    (0..LEVELS).map(step).collect()
}

/// Colours for classes, easily told apart, also by the colour-blind: Okabe and Ito, "Color Universal Design" (2008), black left out.
pub const CLASSES: [[u8; 3]; 7] = [
    [0, 114, 178],
    [230, 159, 0],
    [0, 158, 115],
    [204, 121, 167],
    [86, 180, 233],
    [213, 94, 0],
    [240, 228, 66],
];

/// The colour of all classes for which [`CLASSES`] has none left.
pub const OTHER_CLASSES: [u8; 3] = [154, 154, 154];

/// Round numbers to mark on a scale that ends at `limit`: zero and one or two values to each side, ascending.
pub fn ticks(limit: f32) -> Vec<f64> {
    let limit = f64::from(limit);
    if limit.is_nan() || limit <= 0.0 {
        return vec![0.0];
    }
    let decade = 10f64.powf((limit / 2.0).log10().floor());
    let step = [1.0, 2.0, 2.5, 5.0, 10.0]
        .into_iter()
        .map(|digit| digit * decade)
        .filter(|step| limit / step >= 1.0)
        .find(|step| (limit / step) < 3.0)
        .unwrap_or(decade);
    let each_side = (limit / step * (1.0 + 1e-9)).floor() as i32;
    (-each_side..=each_side).map(|k| f64::from(k) * step).collect()
}

/// The ramp's colour at `t`, -1 to 1.
fn colour_at(t: f64) -> [u8; 3] {
    let side = t.abs();
    let lightness = 0.970 - 0.59 * side;
    // Chroma first grows with the distance from zero and then yields to the darkness, so that no step leaves sRGB.
    let (chroma, hue_degrees) = if t > 0.0 {
        (0.385 * side * (1.0 - 0.605 * side), 48.0 - 24.0 * side)
    } else {
        (0.300 * side * (1.0 - 0.525 * side), 232.0 + 28.0 * side)
    };
    let hue = hue_degrees.to_radians();
    srgb_from_oklab(lightness, chroma * hue.cos(), chroma * hue.sin())
}

/// sRGB bytes of an OKLab colour; the constants are the ones of Ottosson's article.
fn srgb_from_oklab(lightness: f64, a: f64, b: f64) -> [u8; 3] {
    let l = (lightness + 0.396_337_777_4 * a + 0.215_803_757_3 * b).powi(3);
    let m = (lightness - 0.105_561_345_8 * a - 0.063_854_172_8 * b).powi(3);
    let s = (lightness - 0.089_484_177_5 * a - 1.291_485_548_0 * b).powi(3);
    let linear = [
        4.076_741_662_1 * l - 3.307_711_591_3 * m + 0.230_969_929_2 * s,
        -1.268_438_004_6 * l + 2.609_757_401_1 * m - 0.341_319_396_5 * s,
        -0.004_196_086_3 * l - 0.703_418_614_7 * m + 1.707_614_701_0 * s,
    ];
    linear.map(|v| {
        let v = v.clamp(0.0, 1.0);
        let encoded = if v <= 0.003_130_8 { 12.92 * v } else { 1.055 * v.powf(1.0 / 2.4) - 0.055 };
        (255.0 * encoded).round() as u8
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rec. 709 luma in linear light, a stand-in for what the eye sees as brightness.
    fn luminance(colour: [u8; 3]) -> f64 {
        let linear = colour.map(|v| {
            let v = f64::from(v) / 255.0;
            if v <= 0.040_45 { v / 12.92 } else { ((v + 0.055) / 1.055).powf(2.4) }
        });
        0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    }

    #[test]
    fn zero_is_neutral_and_the_ends_are_blue_and_red() {
        let ramp = ramp();
        assert_eq!(ramp[0], [9, 60, 140]);
        assert_eq!(ramp[127], [245, 245, 245]);
        assert_eq!(ramp[254], [128, 2, 20]);
    }

    #[test]
    fn both_sides_darken_all_the_way_and_alike() {
        let ramp = ramp();
        for step in 128..LEVELS {
            assert!(luminance(ramp[step]) < luminance(ramp[step - 1]), "red side at {step}");
            assert!(luminance(ramp[254 - step]) < luminance(ramp[255 - step]), "blue side at {step}");
            let (red, blue) = (luminance(ramp[step]), luminance(ramp[254 - step]));
            assert!((red - blue).abs() < 0.09, "step {step}: {red} and {blue}");
        }
    }

    #[test]
    fn the_scale_is_symmetric_and_stops_at_its_ends() {
        let scale = Scale::about_zero([-2.0, 1.0, f32::NAN]);
        assert_eq!(scale.limit(), 2.0);
        assert_eq!(scale.colour(-2.0), Some([9, 60, 140]));
        assert_eq!(scale.colour(2.0), scale.colour(99.0));
        assert_eq!(level(scale.position(1.0)) - 127, 127 - level(scale.position(-1.0)));
        assert_eq!(scale.colour(f32::NAN), None);
    }

    #[test]
    fn a_map_of_zeros_is_all_neutral() {
        let scale = Scale::about_zero([0.0, 0.0]);
        assert_eq!(scale.limit(), 0.0);
        assert_eq!(scale.colour(0.0), Some([245, 245, 245]));
        assert_eq!(ticks(0.0), [0.0]);
    }

    #[test]
    fn the_sequential_ramp_brightens_all_the_way() {
        let ramp = sequential();
        assert_eq!(ramp.len(), LEVELS);
        assert!(ramp.windows(2).all(|pair| luminance(pair[0]) < luminance(pair[1])));
    }

    #[test]
    fn ticks_are_round_and_inside() {
        assert_eq!(ticks(1.0), [-1.0, -0.5, 0.0, 0.5, 1.0]);
        assert_eq!(ticks(0.93), [-0.5, 0.0, 0.5]);
        for limit in [1e-7f32, 0.013, 0.3, 0.75, 2.49, 17.0, 9.9e5] {
            let marks = ticks(limit);
            assert!((3..=5).contains(&marks.len()), "{limit}: {marks:?}");
            assert!(marks.iter().all(|m| m.abs() <= f64::from(limit) * 1.000_001), "{limit}: {marks:?}");
            assert!(marks[marks.len() - 1] > f64::from(limit) * 0.49, "{limit}: {marks:?}");
        }
    }
}
