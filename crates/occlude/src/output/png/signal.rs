//! The panel of a map along one axis (a signal, a vector of features): bars up and down from zero, with both axes marked.
//!
//! In: a canvas, the place of the plot, the map's only plane, a colour scale. Out: pixels. A bar is as wide as its cell and
//! has exactly the scale's colour of its value, so that the figure reads in black and white too.

use super::canvas::{Area, Canvas};
use super::panel::{MISSING, marks, part_of, stripe};
use super::plane::Plane;
use super::text::Faces;
use super::{GROUND, INK, LINE, SOFT};
use crate::colour::Scale;
use crate::map::View;
use crate::output::words;

/// Draws bars, zero line, scale to the left and positions below.
pub(super) fn bars(
    canvas: &mut Canvas,
    area: Area,
    faces: &Faces,
    (view, plane, values): (&View, &Plane, &[f32]),
    scale: &Scale,
    marked: Option<&[bool]>,
) {
    canvas.fill(area, GROUND);
    let length = 0.94 * f64::from(area.height);
    let height_at =
        |position: f64| area.y + ((f64::from(area.height) - length * position) / 2.0).round() as i32;
    let zero = height_at(0.0);
    for mark in marks(scale, length) {
        let y = height_at(scale.position(mark as f32));
        canvas.fill(Area::new(area.x, y, area.width, 1), LINE);
        canvas.text_left_of(&faces.regular, 19.0, area.x - 10, y + 7, INK, &words::tick(mark));
    }
    for cell in plane.cells(view) {
        let column = part_of(area, cell.edges);
        let value = values[cell.cell];
        match scale.colour(value) {
            Some(colour) => {
                let y = height_at(scale.position(value));
                let bar = Area::new(column.x, y.min(zero), column.width.max(1), (y - zero).abs());
                canvas.fill(bar, colour);
                stripe(canvas, Area { height: bar.height.max(12), ..bar }, cell.cell, marked);
                if bar.width > 6 && bar.height > 2 {
                    canvas.frame(bar, 1, INK);
                }
            }
            None => canvas.hatch(column, MISSING[0], MISSING[1]),
        }
    }
    canvas.fill(Area::new(area.x, zero, area.width, 1), INK);
    let (length, _) = plane.extent(view);
    let step = position_step(length);
    for position in (0..=length).step_by(step) {
        let x = area.x + (position as f64 / length as f64 * f64::from(area.width)).round() as i32;
        canvas.fill(Area::new(x, area.bottom(), 1, 6), SOFT);
        canvas.text_centred(&faces.regular, 19.0, x, area.bottom() + 26, SOFT, &position.to_string());
    }
}

/// A round step that marks 4 to 10 positions.
fn position_step(length: usize) -> usize {
    let mut step = 1;
    loop {
        for digit in [1, 2, 5] {
            if length / (digit * step) < 10 {
                return digit * step;
            }
        }
        step *= 10;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_round_and_few() {
        for (length, step) in [(1, 1), (9, 1), (12, 2), (100, 20), (187, 20), (1000, 200), (5000, 1000)] {
            assert_eq!(position_step(length), step, "{length}");
        }
    }
}
