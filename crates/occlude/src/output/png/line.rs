//! A signal as lines, a row for each channel, with the evidence as colour under them.
//!
//! In: a canvas, the place of a row, one channel's samples, the evidence at each of them, a colour scale. Out: pixels. A column of pixels that holds several samples shows the line's whole span in it, and the
//! evidence of the largest magnitude, so that no peak is lost; between samples the line is straight.

use std::ops::Range;

use super::canvas::{Area, Canvas};
use super::panel::MISSING;
use super::text::Faces;
use super::{GROUND, INK, LINE, SOFT};
use crate::colour::Scale;
use crate::output::words;

/// Share of a row's height that the line does not reach, above and below.
const MARGIN: f64 = 0.08;

/// Draws one channel over `area`. `evidence` has one number per sample; NaN = not known.
pub(super) fn channel(
    canvas: &mut Canvas,
    area: Area,
    faces: &Faces,
    (samples, evidence): (&[f32], &[f32]),
    scale: &Scale,
) {
    canvas.fill(area, GROUND);
    let low = samples.iter().copied().fold(f32::INFINITY, f32::min);
    let high = samples.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let height = f64::from(area.height);
    let y_of = |value: f64| {
        let share = if high > low { (value - f64::from(low)) / f64::from(high - low) } else { 0.5 };
        area.y + (height * (1.0 - MARGIN - share * (1.0 - 2.0 * MARGIN))).round() as i32
    };
    for column in 0..area.width {
        let part = |c: i32| f64::from(c) / f64::from(area.width) * samples.len() as f64;
        let (start, end) = (part(column), part(column + 1));
        let (least, greatest) = span(samples, start, end);
        let (top, bottom) = (y_of(greatest), y_of(least));
        let x = area.x + column;
        let under = Area::new(x, top, 1, area.bottom() - top);
        match scale.colour(strongest(evidence, start..end)) {
            Some(colour) => canvas.fill(under, colour),
            None => canvas.hatch(under, MISSING[0], MISSING[1]),
        }
        canvas.fill(Area::new(x, top - 1, 1, bottom - top + 2), INK);
    }
    canvas.frame(Area::new(area.x - 1, area.y - 1, area.width + 2, area.height + 2), 1, LINE);
    if area.height >= 40 && high > low {
        let size = 17.0;
        for (value, y) in [(high, area.y + 16), (low, area.bottom() - 4)] {
            canvas.text_left_of(&faces.regular, size, area.x - 10, y, SOFT, &words::number(value));
        }
    }
}

/// The least and the greatest value of the line between two places, in samples; a sample's own place is its middle.
fn span(samples: &[f32], start: f64, end: f64) -> (f64, f64) {
    let last = samples.len() - 1;
    let at = |place: f64| {
        let place = (place - 0.5).clamp(0.0, last as f64);
        let (before, share) = (place.floor(), place.fract());
        let value = |i: usize| f64::from(samples[i.min(last)]);
        value(before as usize) * (1.0 - share) + value(before as usize + 1) * share
    };
    let (a, b) = (at(start), at(end));
    let first = (start - 0.5).ceil().max(0.0) as usize;
    let inside = (first..=last).take_while(|&i| i as f64 + 0.5 <= end).map(|i| f64::from(samples[i]));
    inside.fold((a.min(b), a.max(b)), |(low, high), value| (low.min(value), high.max(value)))
}

/// The number of the largest magnitude among the samples that a column holds; NaN where none is known.
fn strongest(evidence: &[f32], part: Range<f64>) -> f32 {
    let first = (part.start.floor() as usize).min(evidence.len() - 1);
    let end = (part.end.ceil() as usize).clamp(first + 1, evidence.len());
    let known = evidence[first..end].iter().copied().filter(|value| !value.is_nan());
    known.fold(f32::NAN, |most, value| if most.is_nan() || value.abs() > most.abs() { value } else { most })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_shows_the_whole_span() {
        let samples = [0.0, 4.0, -2.0, 1.0];
        assert_eq!(span(&samples, 0.0, 4.0), (-2.0, 4.0));
        assert_eq!(span(&samples, 0.0, 0.5), (0.0, 0.0));
        // Between the middles of the first two samples the line is straight.
        assert_eq!(span(&samples, 0.75, 1.25), (1.0, 3.0));
        assert_eq!(span(&samples, 1.25, 1.75), (2.5, 4.0));
        assert_eq!(strongest(&[1.0, -3.0, f32::NAN, f32::NAN], 0.0..4.0), -3.0);
        assert!(strongest(&[1.0, -3.0, f32::NAN, f32::NAN], 2.0..2.5).is_nan());
    }
}
