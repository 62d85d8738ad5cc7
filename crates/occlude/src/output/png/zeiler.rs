//! The figure of the five panels: a PNG, 2000 pixels wide, (a) to (e) in a row, each with its caption and scale.
//!
//! In: a [`Zeiler`] and its [`Input`]. Out: PNG bytes. Cells are drawn exactly, without interpolation; positions that were not computed are hatched. Wording, ranges
//! and colours are in `zeiler/panels`.

use image::RgbImage;

use super::canvas::{Area, Canvas, Colour};
use super::panel;
use super::text::Faces;
use super::{GROUND, INK, LINE, PAPER, SOFT, encoded};
use crate::colour;
use crate::error::{Error, Result};
use crate::input::{Input, Picture};
use crate::output::words;
use crate::output::zeiler::panels::Panels;
use crate::zeiler::Zeiler;

const WIDTH: i32 = 2000;
const MARGIN: i32 = 44;
const GAP: i32 = 26;

/// The figure as PNG bytes (8-bit sRGB).
///
/// # Errors
/// Unsupported: an input that is no picture. File: a picture whose size does not fit its bytes.
pub(in crate::output) fn render(found: &Zeiler, input: &Input) -> Result<Vec<u8>> {
    let panels = Panels::of(found, input)?;
    let mut figure = Figure { faces: Faces::load()?, canvas: Canvas::new(WIDTH, 3000, PAPER), y: MARGIN };
    let map = &found.map;
    figure.say(true, 42.0, INK, &panels.title);
    figure.say(false, 23.0, INK, &panels.lead);
    figure.say(false, 19.0, SOFT, &words::setup(map));
    if let Some(warning) = words::incomplete(map) {
        figure.say(false, 20.0, [107, 74, 0], &warning);
    }
    figure.y += 22;
    let width = (WIDTH - 2 * MARGIN - 4 * GAP) / 5;
    let spatial = map.input.spatial();
    let height = ((f64::from(width) * spatial[0] as f64 / spatial[1] as f64) as i32).clamp(60, 900);
    let top = figure.y + 40;
    let areas: Vec<Area> =
        (0..5).map(|place| Area::new(MARGIN + place * (width + GAP), top, width, height)).collect();
    for ((area, name), letter) in areas.iter().zip(panels.names).zip('a'..) {
        let title = figure.faces.bold.fit(&format!("({letter})  {name}"), 20.0, width as f32);
        figure.canvas.text(&figure.faces.bold, 20.0, area.x, area.y - 14, INK, &title);
    }
    figure.canvas.picture(&pixels(&input.picture)?, areas[0], |colour| colour);
    figure.canvas.picture(&pixels(&panels.projection)?, areas[2], |colour| colour);
    let ramp = colour::sequential();
    let shade = |values: &[f32], [low, high]: [f32; 2]| -> Vec<Option<Colour>> {
        let step = |v: &f32| (!v.is_nan()).then(|| ramp[step_of(*v, low, high)]);
        values.iter().map(step).collect()
    };
    figure.cells(areas[1], &panels, &shade(found.activity(), panels.activity));
    figure.cells(areas[3], &panels, &shade(found.probability(), panels.probability));
    let classes = found.most_probable().iter();
    let colours: Vec<Option<Colour>> =
        classes.map(|&class| usize::try_from(class).ok().map(|class| panels.class_colour(class))).collect();
    figure.cells(areas[4], &panels, &colours);
    for (least, is_dashed) in panels.least.iter().zip([false, true]) {
        if let Some(window) = least {
            let bounds = map.windows.bounds(*window);
            let axes = map.input.spatial_axes();
            let part = |axis: usize, length: i32| {
                let (range, whole) = (&bounds[axes[axis]], map.input.shape[axes[axis]] as f64);
                let at = |e: usize| (e as f64 / whole * f64::from(length)).round() as i32;
                (at(range.start), at(range.end))
            };
            let ((y0, y1), (x0, x1)) = (part(0, height), part(1, width));
            let area = Area::new(areas[0].x + x0, areas[0].y + y0, x1 - x0, y1 - y0);
            figure.position(area, is_dashed);
        }
    }
    for area in &areas {
        figure.canvas.frame(Area::new(area.x - 1, area.y - 1, area.width + 2, area.height + 2), 1, LINE);
    }
    let below = top + height;
    let mut bottom = below;
    for (place, (area, caption)) in areas.iter().zip(&panels.captions).enumerate() {
        let mut y = below + 10;
        match place {
            1 => figure.bar(Area::new(area.x, y, width, 12), panels.activity, map.targets[1].baseline),
            3 => figure.bar(Area::new(area.x, y, width, 12), panels.probability, found.class().baseline),
            _ => {}
        }
        if place == 1 || place == 3 {
            y += 44;
        }
        if place == 4 {
            for shown in &panels.legend {
                figure.canvas.fill(Area::new(area.x, y + 4, 16, 16), shown.colour);
                let text = format!("{} · {}", shown.label, shown.count);
                let text = figure.faces.regular.fit(&text, 18.0, (width - 26) as f32);
                figure.canvas.text(&figure.faces.regular, 18.0, area.x + 26, y + 18, INK, &text);
                y += 26;
            }
            y += 8;
        }
        for line in figure.faces.regular.wrap(caption, 17.0, width as f32) {
            y += 23;
            let line = figure.faces.regular.fit(&line, 17.0, width as f32);
            figure.canvas.text(&figure.faces.regular, 17.0, area.x, y, SOFT, &line);
        }
        bottom = bottom.max(y);
    }
    figure.y = bottom + 26;
    let last = format!(
        "occlude {} · after Zeiler and Fergus, ECCV 2014 · self-check: {}",
        map.provenance.version,
        words::check(map)
    );
    figure.say(false, 17.0, SOFT, &last);
    encoded(&figure.canvas.into_image(figure.y + MARGIN - 10))
}

struct Figure {
    faces: Faces,
    canvas: Canvas,
    y: i32,
}

impl Figure {
    fn say(&mut self, bold: bool, size: f32, colour: Colour, text: &str) {
        let face = if bold { &self.faces.bold } else { &self.faces.regular };
        let place = Area::new(MARGIN, self.y, WIDTH - 2 * MARGIN, 0);
        self.y = panel::paragraph(&mut self.canvas, place, (face, size), colour, text);
    }

    /// Cells of a grid, row-major; `None` is hatched.
    fn cells(&mut self, area: Area, panels: &Panels, colours: &[Option<Colour>]) {
        self.canvas.fill(area, GROUND);
        let columns = panels.cols.len() - 1;
        let at = |edges: &[f64], i: usize, from: i32, length: i32| {
            from + (edges[i] * f64::from(length)).round() as i32
        };
        for (place, colour) in colours.iter().enumerate() {
            let (row, column) = (place / columns, place % columns);
            let (x, y) =
                (at(&panels.cols, column, area.x, area.width), at(&panels.rows, row, area.y, area.height));
            let right = at(&panels.cols, column + 1, area.x, area.width);
            let bottom = at(&panels.rows, row + 1, area.y, area.height);
            let cell = Area::new(x, y, right - x, bottom - y);
            match colour {
                Some(colour) => self.canvas.fill(cell, *colour),
                None => self.canvas.hatch(cell, GROUND, LINE),
            }
        }
    }

    /// The frame of a window on the picture: black between white, broken every few pixels if dashed.
    fn position(&mut self, area: Area, is_dashed: bool) {
        let grown = |by: i32| Area::new(area.x - by, area.y - by, area.width + 2 * by, area.height + 2 * by);
        self.canvas.frame(grown(2), 6, [255; 3]);
        let frame = Area::new(area.x, area.y, area.width, area.height);
        if !is_dashed {
            return self.canvas.frame(frame, 3, INK);
        }
        let (dash, step) = (9, 16);
        for x in (frame.x..frame.right()).step_by(step) {
            let length = dash.min(frame.right() - x);
            self.canvas.fill(Area::new(x, frame.y, length, 3), INK);
            self.canvas.fill(Area::new(x, frame.bottom() - 3, length, 3), INK);
        }
        for y in (frame.y..frame.bottom()).step_by(step) {
            let length = dash.min(frame.bottom() - y);
            self.canvas.fill(Area::new(frame.x, y, 3, length), INK);
            self.canvas.fill(Area::new(frame.right() - 3, y, 3, length), INK);
        }
    }

    /// The scale from the least to the greatest value, with a mark at the untouched input's.
    fn bar(&mut self, area: Area, [low, high]: [f32; 2], untouched: f32) {
        let ramp = colour::sequential();
        for x in 0..area.width {
            let step = (ramp.len() - 1) * x as usize / (area.width - 1).max(1) as usize;
            self.canvas.fill(Area::new(area.x + x, area.y, 1, area.height), ramp[step]);
        }
        let base = area.bottom() + 21;
        self.canvas.text(&self.faces.regular, 17.0, area.x, base, INK, &words::number(low));
        self.canvas.text_left_of(&self.faces.regular, 17.0, area.right(), base, INK, &words::number(high));
        let share = if high > low { (untouched - low) / (high - low) } else { 0.0 };
        let x = area.x + (share * (area.width - 3) as f32).round() as i32;
        self.canvas.fill(Area::new(x - 2, area.y - 3, 7, area.height + 6), [255; 3]);
        self.canvas.fill(Area::new(x, area.y - 3, 3, area.height + 6), INK);
    }
}

/// The step of the ramp for a value between the ends.
fn step_of(value: f32, low: f32, high: f32) -> usize {
    let share = if high > low { f64::from(value - low) / f64::from(high - low) } else { 0.0 };
    (share.clamp(0.0, 1.0) * (colour::LEVELS - 1) as f64).round() as usize
}

fn pixels(picture: &Picture) -> Result<RgbImage> {
    let (width, height) = (picture.width as u32, picture.height as u32);
    RgbImage::from_raw(width, height, picture.rgb.clone()).ok_or_else(|| {
        Error::file(format!(
            "a picture of {} bytes is not one of {width} × {height} pixels",
            picture.rgb.len()
        ))
    })
}
