//! The figure: a PNG of a map that can be put into a paper or a chat as it is.
//!
//! In: a [`Map`] and its [`Picture`]. Out: PNG bytes, 1640 pixels wide. One target: the picture with its strongest windows
//! framed, the map over it, and the map alone in exact colours beside its scale. Several: a panel each (at most six, said),
//! each with its own scale below it. Signals become lines with the evidence as colour under them, and bars; volumes the three planes through their strongest window.
//! Light paper, no interpolation, windows that were not computed hatched. Same map, same bytes.
//! The panels themselves are in `png/`, the wording is in `words`, the colours are in `colour`.

mod canvas;
mod line;
mod panel;
mod plane;
mod signal;
mod text;
pub(super) mod zeiler;

use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, ImageEncoder, RgbImage};

use super::words;
use crate::colour::{self, Scale};
use crate::error::{Error, Result};
use crate::input::{Picture, Signal};
use crate::map::{Cells, Direction, Map, TopWindow, View};
use crate::occlusion::Windows;
use canvas::{Area, Canvas, Colour};
use plane::Plane;
use text::Faces;

const PAPER: Colour = [255, 255, 255];
/// Inside a panel, where no window lies.
const GROUND: Colour = [250, 250, 248];
const INK: Colour = [26, 28, 31];
const SOFT: Colour = [95, 101, 108];
const LINE: Colour = [222, 223, 219];
const WARNING: [Colour; 2] = [[255, 243, 214], [107, 74, 0]];

const WIDTH: i32 = 1640;
const MARGIN: i32 = 48;
const GAP: i32 = 28;
/// Room to the right of the panels for the colour bar and its numbers.
const BAR_ROOM: i32 = 172;
/// Channels of a signal that a figure shows at most.
const MOST_CHANNELS: usize = 12;
/// Targets that a figure shows at most.
const MOST_TARGETS: usize = 6;

/// The figure of a map as PNG bytes (8-bit sRGB).
///
/// # Errors
/// File: the picture's size does not fit its bytes.
pub fn render(map: &Map, picture: &Picture) -> Result<Vec<u8>> {
    let image = Figure::draw(map, picture)?.finish();
    encoded(&image)
}

fn encoded(image: &RgbImage) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    PngEncoder::new_with_quality(&mut bytes, CompressionType::Default, FilterType::Adaptive)
        .write_image(image, image.width(), image.height(), ExtendedColorType::Rgb8)
        .map_err(|e| Error::file(format!("the figure cannot be encoded: {e}")))?;
    Ok(bytes)
}

/// What a panel shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Picture,
    Overlay,
    Cells,
}

/// A figure in the making: what is drawn so far, and how far down.
struct Figure<'a> {
    map: &'a Map,
    view: View<'a>,
    picture: Option<RgbImage>,
    photographic: bool,
    signal: Option<Signal>,
    faces: Faces,
    canvas: Canvas,
    y: i32,
    /// What was drawn where: kind, target, place.
    panels: Vec<(Kind, usize, Area)>,
}

impl<'a> Figure<'a> {
    fn draw(map: &'a Map, picture: &Picture) -> Result<Figure<'a>> {
        let pixels = if picture.width == 0 || picture.height == 0 || map.input.spatial().len() > 2 {
            None
        } else {
            let (width, height) = (picture.width, picture.height);
            let pixels = RgbImage::from_raw(width as u32, height as u32, picture.rgb.clone());
            Some(pixels.ok_or_else(|| {
                Error::file(format!(
                    "a picture of {} bytes is not one of {width} × {height} pixels",
                    picture.rgb.len()
                ))
            })?)
        };
        let mut figure = Figure {
            map,
            view: map.drawn(),
            picture: pixels,
            photographic: picture.photographic,
            signal: picture.signal.clone().filter(|signal| is_of(signal, map)),
            faces: Faces::load()?,
            canvas: Canvas::new(WIDTH, 4000, PAPER),
            y: MARGIN,
            panels: Vec::new(),
        };
        figure.header();
        let shown = map.targets.len().min(MOST_TARGETS);
        let rank = map.input.spatial().len();
        match (rank, shown) {
            (_, 0) => {}
            (1, _) => figure.signals(shown),
            (_, 1) => figure.single(),
            (_, _) => figure.multiples(shown),
        }
        figure.footer(shown);
        Ok(figure)
    }

    fn finish(self) -> RgbImage {
        self.canvas.into_image(self.y + MARGIN - 14)
    }

    /// Text at the left margin, on as many lines as it needs; the cursor goes below it.
    fn say(&mut self, bold: bool, size: f32, colour: Colour, text: &str) {
        let face = if bold { &self.faces.bold } else { &self.faces.regular };
        let place = Area::new(MARGIN, self.y, WIDTH - 2 * MARGIN, 0);
        self.y = panel::paragraph(&mut self.canvas, place, (face, size), colour, text);
    }

    fn header(&mut self) {
        let map = self.map;
        if let [target] = &map.targets[..] {
            self.say(true, 44.0, INK, &target.label);
            let (unit, baseline) = (&target.unit, words::number(target.baseline));
            let said = format!("{unit} on the untouched input: {baseline}{}", words::predicted(map, target));
            self.say(false, 24.0, INK, &said);
        } else {
            let name = &map.provenance.input.name;
            let count = map.targets.len();
            self.say(true, 44.0, INK, if name.is_empty() { "Occlusion sensitivity" } else { name.as_str() });
            let mut said = format!("{count} targets, each with its own scale");
            if count > MOST_TARGETS {
                said = format!("the first {MOST_TARGETS} of {said}; the other outputs hold them all");
            }
            if let Some(class) = &map.most_probable {
                said = format!("the model says {}; {said}", map.labels.short(class.baseline));
            }
            self.say(false, 24.0, INK, &said);
        }
        self.say(false, 19.0, SOFT, &words::setup(map));
        if let Some(warning) = words::incomplete(map) {
            let banner = Area::new(MARGIN, self.y + 10, WIDTH - 2 * MARGIN, 42);
            self.canvas.fill(banner, WARNING[0]);
            self.canvas.text(&self.faces.regular, 20.0, banner.x + 16, banner.y + 28, WARNING[1], &warning);
            self.y = banner.bottom();
        }
        self.y += 14;
    }

    /// One target: picture, overlay and cells in a row (below each other if they are very wide), one bar for all.
    fn single(&mut self) {
        let view = self.view.clone();
        let values = view.of(0);
        let scale = Scale::about_zero(values.iter().copied());
        let planes = Plane::through(&view, strongest(values));
        let panels: Vec<(Kind, &Plane)> = if self.picture.is_some() && planes.len() == 1 {
            [Kind::Picture, Kind::Overlay, Kind::Cells].into_iter().map(|kind| (kind, &planes[0])).collect()
        } else {
            planes.iter().map(|plane| (Kind::Cells, plane)).collect()
        };
        let room = WIDTH - 2 * MARGIN - BAR_ROOM;
        let wide = planes.iter().any(|plane| aspect(plane.extent(&self.view)) > 2.5);
        let columns = if wide { 1 } else { panels.len() as i32 };
        let width = ((room - GAP * (columns - 1)) / columns.max(1)).min(if wide { room } else { 720 });
        let top = self.y + 34;
        let (mut x, mut bottom) = (MARGIN, top);
        for (kind, plane) in panels {
            if wide {
                self.y = if bottom == top { self.y } else { bottom + 10 };
                x = MARGIN;
            }
            let area = fitting(x, self.y + 34, width, plane.extent(&self.view));
            let caption = self.caption(kind, plane);
            let fitted = self.faces.regular.fit(&caption, 19.0, width as f32);
            self.canvas.text(&self.faces.regular, 19.0, x, area.y - 12, SOFT, &fitted);
            self.panel(kind, 0, area, plane, values, &scale);
            (x, bottom) = (area.right() + GAP, bottom.max(area.bottom()));
        }
        let bar_x = if wide { MARGIN + width + GAP } else { x };
        let bar = Area::new(bar_x, top, 26, (bottom - top).max(180));
        panel::standing_bar(&mut self.canvas, bar, &self.faces, &scale, &self.map.targets[0].unit);
        self.y = bar.bottom();
    }

    /// Several targets: the picture, then a panel each with its own scale.
    fn multiples(&mut self, shown: usize) {
        let first = Plane::through(&self.view, strongest(self.view.of(0)));
        let Some(first) = first.into_iter().next() else { return };
        let count = shown + usize::from(self.picture.is_some());
        let wide = aspect(first.extent(&self.view)) > 2.5;
        let most = if wide { 2 } else { 4 };
        let columns = if count <= most { count } else { count.div_ceil(count.div_ceil(most)) } as i32;
        let width =
            ((WIDTH - 2 * MARGIN - GAP * (columns - 1)) / columns).min(if wide { WIDTH } else { 560 });
        let size = fitting(0, 0, width, first.extent(&self.view));
        let mut place = 0;
        let mut slot = |y: i32| {
            let (column, row) = (place % columns, place / columns);
            place += 1;
            Area::new(
                MARGIN + column * (width + GAP),
                y + 64 + row * (size.height + 122),
                size.width,
                size.height,
            )
        };
        if self.picture.is_some() {
            let area = slot(self.y);
            let caption = self.caption(Kind::Picture, &first);
            let fitted = self.faces.regular.fit(&caption, 18.0, width as f32);
            self.canvas.text(&self.faces.regular, 18.0, area.x, area.y - 12, SOFT, &fitted);
            self.panel(Kind::Picture, 0, area, &first, &[], &Scale::about_zero([]));
        }
        let mut bottom = self.y;
        for t in 0..shown {
            let area = slot(self.y);
            let view = self.view.clone();
            let values = view.of(t);
            let scale = Scale::about_zero(values.iter().copied());
            let Some(plane) = Plane::through(&view, strongest(values)).into_iter().next() else {
                continue;
            };
            let target = &self.map.targets[t];
            let name = self.faces.bold.fit(&target.label, 22.0, width as f32);
            self.canvas.text(&self.faces.bold, 22.0, area.x, area.y - 36, INK, &name);
            let mut under = format!("{} {}", target.unit, words::number(target.baseline));
            if let Some(cut) = self.cut(&plane) {
                under = format!("{under} · {cut}");
            }
            let under = self.faces.regular.fit(&under, 18.0, width as f32);
            self.canvas.text(&self.faces.regular, 18.0, area.x, area.y - 12, SOFT, &under);
            let kind = if self.picture.is_some() { Kind::Overlay } else { Kind::Cells };
            self.panel(kind, t, area, &plane, values, &scale);
            let bar = Area::new(area.x, area.bottom() + 10, area.width, 10);
            panel::lying_bar(&mut self.canvas, bar, &self.faces, &scale);
            bottom = bottom.max(bar.bottom() + 24);
        }
        self.y = bottom;
    }

    /// Signals: for each target the input as lines over the evidence, then bars; where the samples are not known, the input as a strip first.
    fn signals(&mut self, shown: usize) {
        let left = MARGIN + 104;
        let width = WIDTH - MARGIN - left;
        let Some(plane) = Plane::through(&self.view, 0).into_iter().next() else { return };
        let evidence = self.signal.is_some().then(|| self.map.attribution());
        if self.picture.is_some() && evidence.is_none() {
            let area = Area::new(left, self.y + 34, width, 44);
            let caption = self.caption(Kind::Picture, &plane);
            self.canvas.text(&self.faces.regular, 19.0, left, area.y - 12, SOFT, &caption);
            self.panel(Kind::Picture, 0, area, &plane, &[], &Scale::about_zero([]));
            self.y = area.bottom() + 10;
        }
        for t in 0..shown {
            let target = &self.map.targets[t];
            let view = self.view.clone();
            let values = view.of(t);
            let scale = Scale::about_zero(values.iter().copied());
            let plane = Plane { fixed: view.grid.unravel(strongest(values)), ..plane.clone() };
            if let Some(evidence) = &evidence {
                let of_target = evidence.values.len() / self.map.targets.len().max(1);
                let part = &evidence.values[t * of_target..(t + 1) * of_target];
                self.lines(t, part, &scale, if shown == 1 { 480 } else { 260 });
            }
            let mut caption = format!("fall of the {} when a window is hidden", target.unit);
            if shown > 1 {
                caption = format!(
                    "{}, {} {}: {caption}",
                    target.label,
                    target.unit,
                    words::number(target.baseline)
                );
            }
            if let Some(cut) = self.cut(&plane) {
                caption = format!("{caption} · {cut}");
            }
            self.y += 4;
            for line in self.faces.regular.wrap(&caption, 19.0, width as f32) {
                self.y += 24;
                let fitted = self.faces.regular.fit(&line, 19.0, width as f32);
                self.canvas.text(&self.faces.regular, 19.0, left, self.y, SOFT, &fitted);
            }
            let area = Area::new(left, self.y + 12, width, if shown == 1 { 380 } else { 190 });
            signal::bars(&mut self.canvas, area, &self.faces, (&view, &plane, values), &scale);
            self.panels.push((Kind::Cells, t, area));
            self.y = area.bottom() + 34;
        }
    }

    /// The channels of a signal, each over the evidence at its samples: its own where windows hide channels one by one, else that of all.
    fn lines(&mut self, t: usize, evidence: &[f32], scale: &Scale, room: i32) {
        let Some(signal) = self.signal.take() else { return };
        let (left, width) = (MARGIN + 104, WIDTH - 2 * MARGIN - 104);
        let length = signal.values.len() / signal.channels;
        let shown = signal.channels.min(MOST_CHANNELS);
        let height = (room / shown as i32).clamp(24, 170);
        let mut caption = "The input, and the evidence at each of its samples as colour under it".to_owned();
        if shown < signal.channels {
            caption = format!("{caption} (the first {shown} of {} channels)", signal.channels);
        }
        self.canvas.text(&self.faces.regular, 19.0, left, self.y + 22, SOFT, &caption);
        self.y += 34;
        let top = self.y;
        for (channel, samples) in signal.values.chunks(length).take(shown).enumerate() {
            let own = evidence.chunks(length).nth(channel).filter(|_| evidence.len() == signal.values.len());
            let area = Area::new(left, self.y, width, height - 6);
            let here = (samples, own.unwrap_or(&evidence[..length]));
            line::channel(&mut self.canvas, area, &self.faces, here, scale);
            self.y += height;
        }
        self.panels.push((Kind::Overlay, t, Area::new(left, top, width, self.y - top)));
        self.signal = Some(signal);
        self.y += 10;
    }

    /// Draws one panel and notes where it is.
    fn panel(&mut self, kind: Kind, t: usize, area: Area, plane: &Plane, values: &[f32], scale: &Scale) {
        match (kind, &self.picture) {
            (Kind::Picture, Some(picture)) => {
                self.canvas.picture(picture, area, |colour| colour);
                if self.map.targets.len() == 1 && !matches!(self.map.windows, Windows::Masks(..)) {
                    self.frames(area, plane);
                }
            }
            (Kind::Overlay, Some(picture)) => {
                panel::overlay(&mut self.canvas, area, picture, (&self.view, plane, values), scale);
            }
            _ => panel::cells(&mut self.canvas, area, &self.view, plane, values, scale),
        }
        let around = Area::new(area.x - 1, area.y - 1, area.width + 2, area.height + 2);
        self.canvas.frame(around, 1, LINE);
        self.panels.push((kind, t, area));
    }

    /// Frames the strongest windows for and against the only target.
    fn frames(&mut self, area: Area, plane: &Plane) {
        for (direction, colour) in ends() {
            if let Some(top) = self.map.top_windows(0, direction, 1).first()
                && let Some(edges) = plane.part(&self.view, &top.window_in_input)
            {
                panel::frame(&mut self.canvas, panel::part_of(area, edges), colour);
            }
        }
    }

    fn caption(&self, kind: Kind, plane: &Plane) -> String {
        match kind {
            Kind::Picture if self.photographic => "What the model saw".to_owned(),
            Kind::Picture => "The input, from its least value (black) to its greatest (white)".to_owned(),
            Kind::Overlay => "The map over it".to_owned(),
            Kind::Cells => match self.cut(plane) {
                Some(cut) => cut,
                None => format!("The map, {}", words::windows(self.map)),
            },
        }
    }

    /// Which place of the axes that are not seen this plane is at: `z 24–40, through the strongest window`.
    fn cut(&self, plane: &Plane) -> Option<String> {
        let axes = &self.view.grid.axes;
        let unseen = (0..axes.len())
            .filter(|&axis| Some(axis) != plane.row && axis != plane.col && axes[axis].len() > 1);
        let places: Vec<String> = unseen
            .map(|axis| {
                let range = words::range_in_input(&axes[axis], plane.fixed[axis]);
                format!("{} {range}", words::axis_letter(self.map, &axes[axis]))
            })
            .collect();
        let what = if self.view.cells == Cells::Windows { "window" } else { "element" };
        (!places.is_empty()).then(|| format!("{}, through the strongest {what}", places.join(", ")))
    }

    fn footer(&mut self, shown: usize) {
        let map = self.map;
        self.y += 22;
        // One random mask says nothing.
        if shown == 1 && !matches!(map.windows, Windows::Masks(..)) {
            for (direction, colour) in ends() {
                let words = match map.top_windows(0, direction, 1).first() {
                    Some(top) => strongest_sentence(map, direction, top),
                    None if direction == Direction::For => {
                        "no window lowers the score when hidden".to_owned()
                    }
                    None => "no window raises the score when hidden".to_owned(),
                };
                self.y += 24;
                let swatch = Area::new(MARGIN, self.y - 15, 16, 16);
                self.canvas.fill(swatch, colour);
                let fitted = self.faces.regular.fit(&words, 20.0, (WIDTH - 2 * MARGIN - 28) as f32);
                self.canvas.text(&self.faces.regular, 20.0, MARGIN + 28, self.y, INK, &fitted);
                self.y += 8;
            }
            self.y += 6;
        }
        self.say(false, 19.0, SOFT, &words::sign_sentence(map));
        if let Some(error) = words::approximation(map) {
            self.say(false, 19.0, SOFT, &format!("An approximate map: {error}."));
        }
        self.say(
            false,
            19.0,
            SOFT,
            &format!("occlude {} · self-check: {}", map.provenance.version, words::check(map)),
        );
    }
}

/// Both ends of the scale with the colour that stands for them in frames and swatches.
fn ends() -> [(Direction, Colour); 2] {
    let ramp = colour::ramp();
    [(Direction::For, ramp[colour::level(0.86)]), (Direction::Against, ramp[colour::level(-0.86)])]
}

fn strongest_sentence(map: &Map, direction: Direction, top: &TopWindow) -> String {
    let target = &map.targets[0];
    let side = if direction == Direction::For { "for" } else { "against" };
    let mut said = format!(
        "strongest evidence {side} it: {}, {} {} → {} ({})",
        words::place(map, top.window),
        target.unit,
        words::number(target.baseline),
        words::number(top.score),
        words::signed(top.sensitivity)
    );
    if let (Some(then), Some(before)) = (top.most_probable, &map.most_probable)
        && then != before.baseline
    {
        said.push_str(&format!("; the model then says {}", map.labels.short(then)));
    }
    said
}

/// The window with the largest magnitude; 0 where nothing was computed.
fn strongest(values: &[f32]) -> usize {
    let size = |i: usize| if values[i].is_nan() { -1.0 } else { values[i].abs() };
    (0..values.len()).fold(0, |best, i| if size(i) > size(best) { i } else { best })
}

/// Whether these are the samples of the map's input.
fn is_of(signal: &Signal, map: &Map) -> bool {
    let is_shaped = signal.channels == map.input.channels() && signal.values.len() == map.input.len();
    is_shaped && map.input.spatial().len() == 1 && !map.input.is_empty()
}

fn aspect((across, down): (usize, usize)) -> f64 {
    across as f64 / down.max(1) as f64
}

/// The largest panel of this extent that is at most `width` wide and 760 high; never lower than 80.
fn fitting(x: i32, y: i32, width: i32, extent: (usize, usize)) -> Area {
    let aspect = aspect(extent);
    let height = f64::from(width) / aspect;
    if height > 760.0 {
        return Area::new(x, y, ((760.0 * aspect).round() as i32).max(80), 760);
    }
    Area::new(x, y, width, (height.round() as i32).max(80))
}

#[cfg(test)]
#[path = "png_tests.rs"]
mod tests;
