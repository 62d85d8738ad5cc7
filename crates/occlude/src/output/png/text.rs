//! Text of a figure: the two weights of the Inter typeface that are built in, measured and drawn glyph by glyph.
//!
//! In: a string and a size in pixels. Out: coverage per pixel (0 to 1) for the canvas. Latin, Greek and Cyrillic are
//! there; other scripts show the font's empty box (the HTML page has them all). Left to right, no kerning.
//! Not here: lines and columns; the figure places its strings itself.

use ab_glyph::{Font, FontRef, PxScale, ScaleFont, point};

use crate::error::{Error, Result};

/// One weight of the typeface.
pub(super) struct Face {
    font: FontRef<'static>,
}

/// The weights that a figure uses.
pub(super) struct Faces {
    pub regular: Face,
    pub bold: Face,
}

impl Faces {
    /// Reads the built-in fonts.
    ///
    /// # Errors
    /// Only if the font files of this crate are broken.
    pub(super) fn load() -> Result<Faces> {
        let face = |bytes: &'static [u8]| {
            let font = FontRef::try_from_slice(bytes);
            font.map(|font| Face { font })
                .map_err(|e| Error::file(format!("the built-in font cannot be read: {e}")))
        };
        Ok(Faces {
            regular: face(include_bytes!("../../../assets/fonts/Inter-Regular.subset.otf"))?,
            bold: face(include_bytes!("../../../assets/fonts/Inter-SemiBold.subset.otf"))?,
        })
    }
}

impl Face {
    /// The advance of `text` in pixels.
    pub(super) fn width(&self, text: &str, size: f32) -> f32 {
        let font = self.font.as_scaled(self.scale(size));
        text.chars().map(|c| font.h_advance(font.glyph_id(c))).sum()
    }

    /// `text`, or its beginning and an ellipsis where it is wider than `room` pixels.
    pub(super) fn fit(&self, text: &str, size: f32, room: f32) -> String {
        if self.width(text, size) <= room {
            return text.to_owned();
        }
        let mut short: String = text.to_owned();
        while !short.is_empty() && self.width(&short, size) + self.width("…", size) > room {
            short.pop();
        }
        format!("{}…", short.trim_end())
    }

    /// Lines of at most `room` pixels, broken at spaces; a longer word stands alone.
    pub(super) fn wrap(&self, text: &str, size: f32, room: f32) -> Vec<String> {
        let mut lines: Vec<String> = Vec::new();
        for word in text.split_whitespace() {
            match lines.last_mut() {
                Some(line) if self.width(&format!("{line} {word}"), size) <= room => {
                    line.push(' ');
                    line.push_str(word);
                }
                _ => lines.push(word.to_owned()),
            }
        }
        lines
    }

    /// Draws `text` with its base line at `y` and returns the place after it.
    pub(super) fn draw(
        &self,
        text: &str,
        size: f32,
        x: f32,
        y: f32,
        mut plot: impl FnMut(i32, i32, f32),
    ) -> f32 {
        let scale = self.scale(size);
        let font = self.font.as_scaled(scale);
        let mut pen = x;
        for c in text.chars() {
            let id = font.glyph_id(c);
            let glyph = id.with_scale_and_position(scale, point(pen, y));
            pen += font.h_advance(id);
            if let Some(outline) = self.font.outline_glyph(glyph) {
                let bounds = outline.px_bounds();
                let (left, top) = (bounds.min.x as i32, bounds.min.y as i32);
                outline.draw(|gx, gy, cover| plot(left + gx as i32, top + gy as i32, cover));
            }
        }
        pen
    }

    /// `size` pixels per em: ab_glyph itself counts a size as ascent plus descent.
    fn scale(&self, size: f32) -> PxScale {
        let em = self.font.units_per_em().unwrap_or(1000.0);
        PxScale::from(size * self.font.height_unscaled() / em)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_has_ink_inside_its_measure() {
        let faces = Faces::load().unwrap();
        let (mut ink, mut left, mut right) = (0.0, i32::MAX, i32::MIN);
        let end = faces.regular.draw("Ag×−→ 0.943", 20.0, 10.0, 30.0, |x, _, cover| {
            ink += cover;
            left = left.min(x);
            right = right.max(x);
        });
        assert!(ink > 200.0, "{ink}");
        assert!(left >= 9 && right as f32 <= end + 1.0, "{left} to {right}, end {end}");
        assert!((end - 10.0 - faces.regular.width("Ag×−→ 0.943", 20.0)).abs() < 1e-3);
    }

    #[test]
    fn digits_are_equally_wide_and_every_sign_of_a_figure_is_there() {
        let faces = Faces::load().unwrap();
        let one = faces.regular.width("1", 20.0);
        for digit in "023456789".chars() {
            assert_eq!(faces.regular.width(&digit.to_string(), 20.0), one, "{digit}");
        }
        for c in "×−→±·…Δ°≤≥“”–—éøßЖλ■".chars() {
            assert_ne!(faces.regular.font.glyph_id(c).0, 0, "{c}");
            assert_ne!(faces.bold.font.glyph_id(c).0, 0, "{c}");
        }
    }

    #[test]
    fn long_text_is_cut_with_an_ellipsis_or_wrapped() {
        let faces = Faces::load().unwrap();
        let cut = faces.bold.fit("a very long name of a class", 20.0, 100.0);
        assert!(cut.ends_with('…') && faces.bold.width(&cut, 20.0) <= 100.0, "{cut}");
        let lines = faces.bold.wrap("a very long name of a class", 20.0, 100.0);
        assert!(
            lines.len() > 1 && lines.iter().all(|line| faces.bold.width(line, 20.0) <= 100.0),
            "{lines:?}"
        );
    }
}
