//! The figure of an evaluation: deletion and insertion curves beside those of random maps, and the measures as a table.
//!
//! In: an [`Evaluation`] with at least one curve. Out: PNG bytes. Maps differ by colour and by dashes; random maps are thin and pale. Same evaluation, same bytes.

use super::canvas::{Area, Canvas, Colour};
use super::text::Faces;
use super::{GAP, GROUND, INK, LINE, MARGIN, PAPER, SOFT, WARNING, WIDTH, encoded, panel};
use crate::error::{Error, Result};
use crate::evaluate::{Better, Curve, Evaluated, Evaluation, Measured};
use crate::output::words;

/// Colours of maps, told apart also by colour-blind readers (Okabe and Ito, without yellow), and their dashes.
const STROKES: [(Colour, Option<(f32, f32)>); 6] = [
    ([0, 114, 178], None),
    ([213, 94, 0], Some((18.0, 8.0))),
    ([0, 130, 95], Some((4.0, 6.0))),
    ([160, 70, 130], Some((26.0, 6.0))),
    ([26, 28, 31], Some((10.0, 10.0))),
    ([86, 150, 200], Some((2.0, 10.0))),
];
/// Height of a plot.
const HEIGHT: i32 = 460;
/// Room to the left of a plot for its numbers.
const NUMBERS: i32 = 84;

type Of = fn(&Evaluated) -> Option<&Curve>;

/// The figure as PNG bytes (8-bit sRGB, 1640 pixels wide).
///
/// # Errors
/// Argument: an evaluation without a curve.
pub(in crate::output) fn render(found: &Evaluation) -> Result<Vec<u8>> {
    let kinds: [(&str, Of); 2] = [
        ("Deletion: places taken away, strongest first. Less area is better", |map| map.deletion.as_ref()),
        ("Insertion: places brought back, strongest first. More area is better", |map| {
            map.insertion.as_ref()
        }),
    ];
    let plots: Vec<(&str, Of)> =
        kinds.into_iter().filter(|(_, of)| found.maps.iter().any(|map| of(map).is_some())).collect();
    if plots.is_empty() {
        return Err(Error::argument("the evaluation has no curve to draw").with_hint(
            "the figure shows deletion and insertion; without them the numbers are in the .json file",
        ));
    }
    let faces = Faces::load()?;
    let rows = found.maps.first().map_or(0, |map| map.measures.len() + map.sensitivity_n.len());
    let height = 900 + 40 * found.maps.len() as i32 + 34 * rows as i32 + 60 * found.notes.len() as i32;
    let mut canvas = Canvas::new(WIDTH, height, PAPER);
    let mut y = header(&mut canvas, &faces, found);
    let count = plots.len() as i32;
    let width = (WIDTH - 2 * MARGIN - GAP * (count - 1)) / count;
    for (place, (title, of)) in plots.iter().enumerate() {
        let x = MARGIN + place as i32 * (width + GAP);
        canvas.text(&faces.bold, 20.0, x, y + 20, INK, &faces.bold.fit(title, 20.0, width as f32));
        let area = Area::new(x + NUMBERS, y + 44, width - NUMBERS - 8, HEIGHT);
        plot(&mut canvas, &faces, area, found, *of);
    }
    y = legend(&mut canvas, &faces, y + 44 + HEIGHT + 70, found);
    y = table(&mut canvas, &faces, y + 18, found);
    let said = [
        format!(
            "places taken away: {}; brought back into: {}; random sets of {} cells",
            found.deletion_fill,
            found.insertion_fill,
            found.cells.iter().map(usize::to_string).collect::<Vec<_>>().join(" x ")
        ),
        format!("occlude {} · {} · {}", found.version, found.model.name, found.input.name),
    ];
    for line in said.iter() {
        let place = Area::new(MARGIN, y, WIDTH - 2 * MARGIN, 0);
        y = panel::paragraph(&mut canvas, place, (&faces.regular, 19.0), SOFT, line);
    }
    encoded(&canvas.into_image(y + MARGIN - 14))
}

fn header(canvas: &mut Canvas, faces: &Faces, found: &Evaluation) -> i32 {
    let (target, room) = (&found.target, Area::new(MARGIN, MARGIN, WIDTH - 2 * MARGIN, 0));
    let y = panel::paragraph(canvas, room, (&faces.bold, 44.0), INK, &target.label);
    let said = format!("{} on the untouched input: {}", target.unit, words::number(target.baseline));
    let mut y = panel::paragraph(canvas, Area { y, ..room }, (&faces.regular, 24.0), INK, &said);
    if !found.complete {
        let banner = Area::new(MARGIN, y + 10, WIDTH - 2 * MARGIN, 42);
        canvas.fill(banner, WARNING[0]);
        let text = format!("incomplete: {} of {} altered inputs were asked about", found.asked, found.of);
        canvas.text(&faces.regular, 20.0, banner.x + 16, banner.y + 28, WARNING[1], &text);
        y = banner.bottom();
    }
    y + 18
}

/// Both axes with round marks, random maps below, maps above.
fn plot(canvas: &mut Canvas, faces: &Faces, area: Area, found: &Evaluation, of: Of) {
    canvas.fill(area, GROUND);
    let curves: Vec<Option<&Curve>> = found.maps.iter().map(of).collect();
    let all =
        || curves.iter().flatten().flat_map(|curve| curve.random.iter().chain([&curve.scores]).flatten());
    let (least, most) = all().fold((0.0f64, 0.0f64), |(least, most), &v| (least.min(v), most.max(v)));
    let step = round_step((most - least).max(f64::MIN_POSITIVE));
    let (bottom, top) = ((least / step).floor() * step, (most / step).ceil().max(1.0) * step);
    let row =
        |score: f64| area.bottom() as f32 - ((score - bottom) / (top - bottom)) as f32 * area.height as f32;
    let column = |share: f64| area.x as f32 + share as f32 * area.width as f32;
    let marks = ((top - bottom) / step).round() as i32;
    for mark in 0..=marks {
        let score = bottom + f64::from(mark) * step;
        let y = row(score).round() as i32;
        canvas.fill(Area::new(area.x, y, area.width, 1), LINE);
        let score = if score.abs() < step / 2.0 { 0.0 } else { score };
        canvas.text_left_of(
            &faces.regular,
            19.0,
            area.x - 10,
            y + 7,
            INK,
            words::tick(score).trim_start_matches('+'),
        );
    }
    for tenth in (0..=10).step_by(2) {
        let x = column(f64::from(tenth) / 10.0).round() as i32;
        canvas.fill(Area::new(x, area.bottom(), 1, 6), SOFT);
        canvas.text_centred(&faces.regular, 19.0, x, area.bottom() + 26, SOFT, &format!("{}%", tenth * 10));
    }
    let points = |share: &[f64], scores: &[f64]| -> Vec<(f32, f32)> {
        share.iter().zip(scores).map(|(&share, &score)| (column(share), row(score))).collect()
    };
    for (number, curve) in curves.iter().enumerate() {
        for scores in curve.iter().flat_map(|curve| &curve.random) {
            let share = curve.map_or(&[][..], |curve| &curve.share);
            let (colour, _) = STROKES[number % STROKES.len()];
            canvas.line(&points(share, scores), 1.2, (colour, 0.3), None);
        }
    }
    for (number, curve) in curves.iter().enumerate().rev() {
        if let Some(curve) = curve {
            let (colour, dash) = STROKES[number % STROKES.len()];
            canvas.line(&points(&curve.share, &curve.scores), 3.4, (colour, 1.0), dash);
        }
    }
    canvas.fill(Area::new(area.x, row(0.0).round() as i32, area.width, 1), INK);
}

/// A round step that divides a range into 2 to 5 parts.
fn round_step(range: f64) -> f64 {
    let ten = 10f64.powf((range / 5.0).log10().floor());
    [1.0, 2.0, 5.0, 10.0].map(|digit| digit * ten).into_iter().find(|step| range / step <= 5.0).unwrap_or(ten)
}

fn legend(canvas: &mut Canvas, faces: &Faces, mut y: i32, found: &Evaluation) -> i32 {
    let (from, to) = (MARGIN as f32, (MARGIN + 70) as f32);
    for (number, map) in found.maps.iter().enumerate() {
        let (colour, dash) = STROKES[number % STROKES.len()];
        canvas.line(&[(from, y as f32 - 6.0), (to, y as f32 - 6.0)], 3.4, (colour, 1.0), dash);
        let name = faces.regular.fit(&map.name, 20.0, (WIDTH - 3 * MARGIN - 70) as f32);
        canvas.text(&faces.regular, 20.0, MARGIN + 86, y, INK, &name);
        y += 30;
    }
    if found.options.random_maps > 0 {
        let kinds: std::collections::BTreeSet<&str> =
            found.maps.iter().map(|map| map.random_maps.as_str()).collect();
        let kinds = kinds.into_iter().collect::<Vec<_>>().join("; ");
        let said = format!("thin lines: {} random maps of each, {kinds}", found.options.random_maps);
        let said = faces.regular.fit(&said, 20.0, (WIDTH - 3 * MARGIN - 70) as f32);
        canvas.text(&faces.regular, 20.0, MARGIN + 86, y, SOFT, &said);
        y += 30;
    }
    y
}

/// Where the value, the random maps and how many are beaten stand in a map's column, from its left.
const COLUMNS: [i32; 3] = [0, 92, 292];

/// A row per measure, a column per map; as many maps as have room.
fn table(canvas: &mut Canvas, faces: &Faces, mut y: i32, found: &Evaluation) -> i32 {
    let names = 320;
    let columns = found.maps.len().clamp(1, 3) as i32;
    let width = ((WIDTH - 2 * MARGIN - names) / columns).min(520);
    let x = |map: usize| MARGIN + names + map as i32 * width;
    let shown = &found.maps[..found.maps.len().min(columns as usize)];
    let heads: &[&str] =
        if found.options.random_maps > 0 { &["value", "random maps", "beats"] } else { &["value"] };
    y += 24;
    for (number, map) in shown.iter().enumerate() {
        let name = faces.bold.fit(&map.name, 19.0, (width - 20) as f32);
        canvas.text(&faces.bold, 19.0, x(number), y, INK, &name);
        for (head, column) in heads.iter().zip(COLUMNS) {
            canvas.text(&faces.regular, 18.0, x(number) + column, y + 28, SOFT, head);
        }
    }
    y += 38;
    let Some(first) = shown.first() else { return y };
    for (row, measure) in first.measures.iter().enumerate() {
        y += 30;
        let way = if measure.better == Better::Higher { "more is better" } else { "less is better" };
        canvas.text(&faces.regular, 19.0, MARGIN, y, INK, &measure.name);
        canvas.text(&faces.regular, 16.0, MARGIN + 176, y, SOFT, way);
        for (number, map) in shown.iter().enumerate() {
            for (text, column) in cells(&map.measures[row]).iter().zip(COLUMNS) {
                canvas.text(&faces.regular, 19.0, x(number) + column, y, INK, text);
            }
        }
    }
    y += 14;
    if found.maps.len() > shown.len() {
        let said =
            format!("the first {} of {} maps; the .json file holds all", shown.len(), found.maps.len());
        y = panel::paragraph(canvas, Area::new(MARGIN, y, WIDTH, 0), (&faces.regular, 18.0), SOFT, &said);
    }
    y + 14
}

/// `0.2134`, `0.4512 ± 0.0312`, `19 of 19`
fn cells(measure: &Measured) -> Vec<String> {
    let number = |value: f64| format!("{value:.4}").replace('-', "\u{2212}");
    let Some(value) = measure.value else { return vec!["none".to_string()] };
    let mut all = vec![number(value)];
    if let Some(random) = &measure.random {
        all.push(format!("{} ± {}", number(random.mean), number(random.deviation)));
        all.push(format!("{} of {}", random.better_than, random.values.len()));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_round_and_few() {
        for (range, step) in [(1.0, 0.2), (0.94, 0.2), (0.03, 0.01), (7.0, 2.0), (12.0, 5.0), (26.0, 10.0)] {
            assert!((round_step(range) - step).abs() < 1e-12, "{range}: {}", round_step(range));
        }
    }
}
