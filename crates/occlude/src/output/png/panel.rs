//! One panel of a figure: the picture, the map's cells, both together, the colour bar, a frame around a window.
//!
//! In: a canvas, the place of the panel, a plane of the map, a colour scale. Out: pixels. In the map panel every pixel of a
//! cell has exactly the scale's colour of its value; over the picture, weak values are see-through, in steps of the same
//! rule as on the page. Not here: where panels go, and words about them.

use image::RgbImage;

use super::canvas::{Area, Canvas, Colour, mix};
use super::plane::Plane;
use super::text::{Face, Faces};
use super::{INK, SOFT};
use crate::colour::{self, Scale};
use crate::map::{Cells, View};
use crate::output::words;

/// Paper and ink of what was not computed.
pub(super) const MISSING: [Colour; 2] = [[233, 233, 230], [168, 168, 164]];

/// How solid a cell is over the picture at its strongest.
const OVERLAY: f64 = 0.82;

/// The pixels of a panel that lie between fractions `[left, top, right, bottom]` of it.
pub(super) fn part_of(area: Area, edges: [f64; 4]) -> Area {
    let x = |f: f64| area.x + (f * f64::from(area.width)).round() as i32;
    let y = |f: f64| area.y + (f * f64::from(area.height)).round() as i32;
    Area::new(x(edges[0]), y(edges[1]), x(edges[2]) - x(edges[0]), y(edges[3]) - y(edges[1]))
}

/// The cells as they are: solid colours, stripes over those that are `marked`, hatching where nothing was computed, the paper where no window is.
pub(super) fn cells(
    canvas: &mut Canvas,
    area: Area,
    (view, plane, values): (&View, &Plane, &[f32]),
    scale: &Scale,
    marked: Option<&[bool]>,
) {
    canvas.fill(area, super::GROUND);
    for cell in plane.cells(view) {
        let part = part_of(area, cell.edges);
        match scale.colour(values[cell.cell]) {
            Some(colour) => {
                canvas.fill(part, colour);
                stripe(canvas, part, cell.cell, marked);
            }
            None if is_uncovered(view) => {}
            None => canvas.hatch(part, MISSING[0], MISSING[1]),
        }
    }
}

/// Stripes over a cell whose sign depends on how the map was made.
pub(super) fn stripe(canvas: &mut Canvas, part: Area, cell: usize, marked: Option<&[bool]>) {
    if marked.is_some_and(|marked| marked[cell]) {
        canvas.stripes(part);
    }
}

/// Whether what has no number was never asked for: elements that no window covers.
fn is_uncovered(view: &View) -> bool {
    view.cells == Cells::Elements && view.map.is_complete()
}

/// The cells over the greyed picture: the stronger, the more solid.
pub(super) fn overlay(
    canvas: &mut Canvas,
    area: Area,
    picture: &RgbImage,
    (view, plane, values): (&View, &Plane, &[f32]),
    scale: &Scale,
    marked: Option<&[bool]>,
) {
    canvas.picture(picture, area, greyed);
    for cell in plane.cells(view) {
        let part = part_of(area, cell.edges);
        let value = values[cell.cell];
        match scale.colour(value) {
            Some(colour) => {
                let strength = (1.7 * scale.position(value).abs() - 0.08).clamp(0.0, 1.0);
                canvas.tint(part, colour, (OVERLAY * strength) as f32);
                stripe(canvas, part, cell.cell, marked);
            }
            None if is_uncovered(view) => {}
            None => canvas.hatch(part, MISSING[0], MISSING[1]),
        }
    }
}

/// The picture's lightness, lifted so that colours show over dark parts too.
fn greyed(colour: Colour) -> Colour {
    let [r, g, b] = colour.map(f32::from);
    let grey = 0.2126 * r + 0.7152 * g + 0.0722 * b;
    let lifted = (60.0 + 0.74 * grey).round() as u8;
    [lifted; 3]
}

/// Text on as many lines as it needs, from the top of `place` and as wide; returns where it ends.
pub(super) fn paragraph(
    canvas: &mut Canvas,
    place: Area,
    (face, size): (&Face, f32),
    colour: Colour,
    text: &str,
) -> i32 {
    let (mut y, room) = (place.y, place.width as f32);
    for line in face.wrap(text, size, room) {
        y += (size * 1.1) as i32;
        // Only a word that is wider than the place is cut.
        canvas.text(face, size, place.x, y, colour, &face.fit(&line, size, room));
        y += (size * 0.42) as i32;
    }
    y
}

/// A frame around a window, with a light and a dark edge so that it stands out from any picture.
pub(super) fn frame(canvas: &mut Canvas, area: Area, colour: Colour) {
    let grown = |by: i32| Area::new(area.x - by, area.y - by, area.width + 2 * by, area.height + 2 * by);
    canvas.frame(grown(3), 1, mix(INK, colour, 0.2));
    canvas.frame(grown(2), 2, [255; 3]);
    canvas.frame(area, 4, colour);
    canvas.frame(Area::new(area.x + 4, area.y + 4, area.width - 8, area.height - 8), 1, [255; 3]);
}

/// A standing colour bar with its ticks to the right, the unit above it.
pub(super) fn standing_bar(canvas: &mut Canvas, area: Area, faces: &Faces, scale: &Scale, unit: &str) {
    let ramp = colour::ramp();
    for row in 0..area.height {
        let step = (ramp.len() - 1) * (area.height - 1 - row) as usize / (area.height - 1).max(1) as usize;
        canvas.fill(Area::new(area.x, area.y + row, area.width, 1), ramp[step]);
    }
    canvas.text(&faces.regular, 19.0, area.x, area.y - 12, SOFT, unit);
    for mark in marks(scale, f64::from(area.height)) {
        let position = if scale.limit() > 0.0 { mark / f64::from(scale.limit()) } else { 0.0 };
        let y = area.y + ((1.0 - position) / 2.0 * f64::from(area.height - 1)).round() as i32;
        canvas.fill(Area::new(area.right(), y, 7, 1), INK);
        let base = (y + 7).clamp(area.y + 14, area.bottom());
        canvas.text(&faces.regular, 19.0, area.right() + 12, base, INK, &words::tick(mark));
    }
}

/// A small lying colour bar with its two ends and zero below it.
pub(super) fn lying_bar(canvas: &mut Canvas, area: Area, faces: &Faces, scale: &Scale) {
    let ramp = colour::ramp();
    for column in 0..area.width {
        let step = (ramp.len() - 1) * column as usize / (area.width - 1).max(1) as usize;
        canvas.fill(Area::new(area.x + column, area.y, 1, area.height), ramp[step]);
    }
    let base = area.bottom() + 20;
    let limit = f64::from(scale.limit());
    canvas.text_centred(&faces.regular, 17.0, area.x + area.width / 2, base, SOFT, "0");
    if limit > 0.0 {
        canvas.text(&faces.regular, 17.0, area.x, base, SOFT, &words::tick(-limit));
        canvas.text_left_of(&faces.regular, 17.0, area.right(), base, SOFT, &words::tick(limit));
    }
}

/// Least distance of two marks, so that their numbers do not run into each other.
const MARK_GAP: f64 = 24.0;

/// The values told on a scale that is `length` pixels from end to end: its two ends, zero, and round ones that have room between them.
pub(super) fn marks(scale: &Scale, length: f64) -> Vec<f64> {
    let limit = f64::from(scale.limit());
    if limit.is_nan() || limit <= 0.0 {
        return colour::ticks(scale.limit());
    }
    let mut marks = vec![0.0, -limit, limit];
    let mut round = colour::ticks(scale.limit());
    round.sort_by(|a, b| a.abs().total_cmp(&b.abs()));
    for mark in round {
        let has_room = |other: &f64| (mark - other).abs() / (2.0 * limit) * length >= MARK_GAP;
        if marks.iter().all(has_room) {
            marks.push(mark);
        }
    }
    marks.sort_by(f64::total_cmp);
    marks
}
