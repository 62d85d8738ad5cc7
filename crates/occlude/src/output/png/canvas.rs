//! A canvas of sRGB pixels and the few strokes a figure needs: rectangles, frames, hatching, pictures, text.
//!
//! In: places in pixels from the top left. Out: an RGB image. Everything outside the canvas is left out silently, so
//! that callers need no clipping. Colours blend in sRGB, as browsers do. Not here: what a map looks like.

use std::collections::BTreeMap;

use image::{Rgb, RgbImage};

use super::text::Face;

/// An sRGB colour.
pub(super) type Colour = [u8; 3];

/// A rectangle of pixels: left, top, width, height.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Area {
    pub x: i32,
    pub y: i32,
    pub width: i32,
    pub height: i32,
}

impl Area {
    pub(super) fn new(x: i32, y: i32, width: i32, height: i32) -> Area {
        Area { x, y, width, height }
    }

    pub(super) fn right(&self) -> i32 {
        self.x + self.width
    }

    pub(super) fn bottom(&self) -> i32 {
        self.y + self.height
    }
}

/// The figure while it is drawn.
pub(super) struct Canvas {
    pixels: RgbImage,
}

impl Canvas {
    pub(super) fn new(width: i32, height: i32, background: Colour) -> Canvas {
        Canvas { pixels: RgbImage::from_pixel(width.max(1) as u32, height.max(1) as u32, Rgb(background)) }
    }

    /// The image down to `height`.
    pub(super) fn into_image(self, height: i32) -> RgbImage {
        let height = (height.max(1) as u32).min(self.pixels.height());
        image::imageops::crop_imm(&self.pixels, 0, 0, self.pixels.width(), height).to_image()
    }

    /// Mixes `colour` into one pixel; `opacity` 0 to 1.
    pub(super) fn blend(&mut self, x: i32, y: i32, colour: Colour, opacity: f32) {
        if x < 0 || y < 0 || x as u32 >= self.pixels.width() || y as u32 >= self.pixels.height() {
            return;
        }
        let pixel = &mut self.pixels.get_pixel_mut(x as u32, y as u32).0;
        *pixel = mix(*pixel, colour, opacity);
    }

    pub(super) fn fill(&mut self, area: Area, colour: Colour) {
        self.tint(area, colour, 1.0);
    }

    /// Mixes `colour` into every pixel of `area`.
    pub(super) fn tint(&mut self, area: Area, colour: Colour, opacity: f32) {
        for y in area.y..area.bottom() {
            for x in area.x..area.right() {
                self.blend(x, y, colour, opacity);
            }
        }
    }

    /// Diagonal stripes, for what was not computed.
    pub(super) fn hatch(&mut self, area: Area, paper: Colour, ink: Colour) {
        for y in area.y..area.bottom() {
            for x in area.x..area.right() {
                let stripe = (x + y).rem_euclid(8) < 2;
                self.blend(x, y, if stripe { ink } else { paper }, 1.0);
            }
        }
    }

    /// Thin stripes the other way, dark with a light edge so that they show on any colour: over what stands there.
    pub(super) fn stripes(&mut self, area: Area) {
        for y in area.y..area.bottom() {
            for x in area.x..area.right() {
                match (x - y).rem_euclid(11) {
                    0 | 1 => self.blend(x, y, [0; 3], 0.62),
                    2 | 10 => self.blend(x, y, [255; 3], 0.5),
                    _ => {}
                }
            }
        }
    }

    /// A frame of `thickness` pixels just inside `area`.
    pub(super) fn frame(&mut self, area: Area, thickness: i32, colour: Colour) {
        let t = thickness.min(area.width / 2).min(area.height / 2).max(1);
        self.fill(Area::new(area.x, area.y, area.width, t), colour);
        self.fill(Area::new(area.x, area.bottom() - t, area.width, t), colour);
        self.fill(Area::new(area.x, area.y + t, t, area.height - 2 * t), colour);
        self.fill(Area::new(area.right() - t, area.y + t, t, area.height - 2 * t), colour);
    }

    /// A picture scaled into `area`, each of its pixels a crisp rectangle; `shade` may change each colour.
    pub(super) fn picture(&mut self, picture: &RgbImage, area: Area, shade: impl Fn(Colour) -> Colour) {
        let (width, height) = picture.dimensions();
        for y in 0..area.height {
            let from_y = (y as u64 * u64::from(height) / area.height as u64) as u32;
            for x in 0..area.width {
                let from_x = (x as u64 * u64::from(width) / area.width as u64) as u32;
                let colour = shade(picture.get_pixel(from_x.min(width - 1), from_y.min(height - 1)).0);
                self.blend(area.x + x, area.y + y, colour, 1.0);
            }
        }
    }

    /// A line through these points, `width` pixels wide with smooth edges; `dash` is how long it is drawn and left out, in pixels along it.
    pub(super) fn line(
        &mut self,
        points: &[(f32, f32)],
        width: f32,
        (colour, opacity): (Colour, f32),
        dash: Option<(f32, f32)>,
    ) {
        let mut cover: BTreeMap<(i32, i32), f32> = BTreeMap::new();
        let mut gone = 0.0;
        for pair in points.windows(2) {
            let ((x0, y0), (x1, y1)) = (pair[0], pair[1]);
            let length = (x1 - x0).hypot(y1 - y0);
            let reach = width / 2.0 + 1.0;
            let across = (x0.min(x1) - reach).floor() as i32..=(x0.max(x1) + reach).ceil() as i32;
            for x in across {
                // Of the rows only those that are near the line in this column.
                let (from, to) = rows_near((x0, y0), (x1, y1), x as f32, reach);
                for y in from..=to {
                    let (dx, dy) = (x as f32 - x0, y as f32 - y0);
                    let along = ((dx * (x1 - x0) + dy * (y1 - y0)) / length.max(1e-6)).clamp(0.0, length);
                    let part = if length > 0.0 { along / length } else { 0.0 };
                    let distance = (dx - part * (x1 - x0)).hypot(dy - part * (y1 - y0));
                    let is_drawn = dash.is_none_or(|(on, off)| (gone + along).rem_euclid(on + off) < on);
                    let covered = if is_drawn { (width / 2.0 + 0.5 - distance).clamp(0.0, 1.0) } else { 0.0 };
                    if covered > 0.0 {
                        let most = cover.entry((x, y)).or_insert(0.0);
                        *most = most.max(covered);
                    }
                }
            }
            gone += length;
        }
        for ((x, y), covered) in cover {
            self.blend(x, y, colour, covered * opacity);
        }
    }

    /// Text from `x` on, its base line at `y`; returns where it ends.
    pub(super) fn text(&mut self, face: &Face, size: f32, x: i32, y: i32, colour: Colour, text: &str) -> i32 {
        face.draw(text, size, x as f32, y as f32, |px, py, cover| self.blend(px, py, colour, cover)) as i32
    }

    /// Text that ends at `x`.
    pub(super) fn text_left_of(
        &mut self,
        face: &Face,
        size: f32,
        x: i32,
        y: i32,
        colour: Colour,
        text: &str,
    ) {
        let width = face.width(text, size);
        self.text(face, size, x - width.ceil() as i32, y, colour, text);
    }

    /// Text centred on `x`.
    pub(super) fn text_centred(
        &mut self,
        face: &Face,
        size: f32,
        x: i32,
        y: i32,
        colour: Colour,
        text: &str,
    ) {
        let width = face.width(text, size);
        self.text(face, size, x - (width / 2.0).round() as i32, y, colour, text);
    }
}

/// The rows of column `x` that may lie within `reach` of a line.
fn rows_near((x0, y0): (f32, f32), (x1, y1): (f32, f32), x: f32, reach: f32) -> (i32, i32) {
    let at = |x: f32| if x1 == x0 { y0 } else { y0 + (x - x0) / (x1 - x0) * (y1 - y0) };
    let ends = (x0.min(x1), x0.max(x1));
    let (left, right) = ((x - reach).clamp(ends.0, ends.1), (x + reach).clamp(ends.0, ends.1));
    let (low, high) =
        if x1 == x0 { (y0.min(y1), y0.max(y1)) } else { (at(left).min(at(right)), at(left).max(at(right))) };
    ((low - reach).floor() as i32, (high + reach).ceil() as i32)
}

/// `under` with `opacity` of `over` on it.
pub(super) fn mix(under: Colour, over: Colour, opacity: f32) -> Colour {
    let opacity = opacity.clamp(0.0, 1.0);
    let channel = |a: u8, b: u8| (f32::from(a) + (f32::from(b) - f32::from(a)) * opacity).round() as u8;
    [channel(under[0], over[0]), channel(under[1], over[1]), channel(under[2], over[2])]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strokes_outside_the_canvas_are_left_out() {
        let mut canvas = Canvas::new(4, 4, [255; 3]);
        canvas.fill(Area::new(-5, -5, 7, 7), [1, 2, 3]);
        canvas.hatch(Area::new(2, 9, 30, 3), [0; 3], [1; 3]);
        let image = canvas.into_image(4);
        assert_eq!(image.get_pixel(0, 0).0, [1, 2, 3]);
        assert_eq!(image.get_pixel(3, 0).0, [255; 3]);
    }

    #[test]
    fn a_picture_keeps_its_colours_when_it_grows() {
        let picture = RgbImage::from_fn(2, 1, |x, _| Rgb(if x == 0 { [10, 20, 30] } else { [200, 100, 0] }));
        let mut canvas = Canvas::new(6, 3, [255; 3]);
        canvas.picture(&picture, Area::new(0, 0, 6, 3), |colour| colour);
        let image = canvas.into_image(3);
        assert_eq!(image.get_pixel(2, 2).0, [10, 20, 30]);
        assert_eq!(image.get_pixel(3, 0).0, [200, 100, 0]);
    }

    #[test]
    fn a_line_is_as_wide_as_it_says_and_dashes_leave_gaps() {
        let ink = |points: &[(f32, f32)], dash| {
            let mut canvas = Canvas::new(40, 40, [255; 3]);
            canvas.line(points, 2.0, ([0; 3], 1.0), dash);
            let image = canvas.into_image(40);
            image.pixels().map(|p| f64::from(255 - p.0[0]) / 255.0).sum::<f64>()
        };
        // 30 long and 2 wide, with round ends.
        for points in [[(5.0, 20.0), (35.0, 20.0)], [(20.0, 5.0), (20.0, 35.0)]] {
            assert!((ink(&points, None) - 62.0).abs() < 3.0, "{}", ink(&points, None));
        }
        let slanted = ink(&[(5.0, 5.0), (35.0, 35.0)], None);
        assert!((slanted - 2.0 * 30.0 * 2f64.sqrt()).abs() < 8.0, "{slanted}");
        let bent = ink(&[(5.0, 20.0), (20.0, 20.0), (35.0, 20.0)], None);
        assert!((bent - ink(&[(5.0, 20.0), (35.0, 20.0)], None)).abs() < 0.1);
        let dashed = ink(&[(5.0, 20.0), (35.0, 20.0)], Some((5.0, 5.0)));
        assert!((25.0..40.0).contains(&dashed), "{dashed}");
    }

    #[test]
    fn mixing_stays_between_its_colours() {
        assert_eq!(mix([0, 100, 255], [255, 100, 0], 0.5), [128, 100, 128]);
        assert_eq!(mix([7, 8, 9], [1, 1, 1], 0.0), [7, 8, 9]);
    }
}
