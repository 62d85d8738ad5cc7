//! The report of an audit: one HTML file that needs no script and no network. Cards open the pages beside it.
//!
//! In: a [`Summary`] and [`Card`]s. Out: the bytes of `report/audit.html` with its style and sections put in. All text from models, data sets and files is escaped.

use std::fmt::Write as _;

use base64::Engine as _;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::assets::text_of;
use super::{BASE64, escaped, put};
use crate::audit::{AverageMap, Dataset, ENOUGH, OfClass, Share, Summary, Verdicts};
use crate::colour;
use crate::error::Result;
use crate::judge::percent;
use crate::output::audit::Card;

const PAGE: &str = include_str!("../../../../../report/audit.html");
const OWN_STYLE: &str = include_str!("../../../../../report/audit.css");

/// Classes listed; all are in `summary.json`.
const CLASSES: usize = 100;
/// Places listed that draw evidence.
const PLACES: usize = 8;

/// The report as the bytes of one HTML file.
///
/// # Errors
/// File: the built-in page is not as it should be.
pub(in crate::output) fn render(
    dataset: &Dataset,
    summary: &Summary,
    json: &Value,
    cards: &[Card],
    is_complete: bool,
) -> Result<Vec<u8>> {
    let style = [text_of("page.css")?, OWN_STYLE].concat();
    let policy = format!(
        "default-src 'none'; img-src data:; style-src 'sha256-{}'; base-uri 'none'; form-action 'none'",
        BASE64.encode(Sha256::digest(&style)),
    );
    let model = json["model"]["name"].as_str().unwrap_or_default();
    let mut page = String::from(PAGE);
    put(&mut page, "default-src 'none'", &policy)?;
    put(
        &mut page,
        "<title>occlude</title>",
        &format!("<title>{} audited · occlude</title>", escaped(model)),
    )?;
    put(&mut page, "<link rel=\"stylesheet\" href=\"audit.css\">", &format!("<style>{style}</style>"))?;
    put(&mut page, "<!-- title -->", &escaped(&title(summary)))?;
    put(&mut page, "<!-- lead -->", &escaped(&lead(model, dataset, summary)))?;
    let banner = if is_complete {
        ""
    } else {
        "<p class=\"banner\" role=\"status\">Not all images are done yet: the same command goes on.</p>"
    };
    put(&mut page, "<!-- banner -->", banner)?;
    put(&mut page, "<!-- verdicts -->", &verdicts(summary))?;
    put(&mut page, "<!-- cards -->", &all_cards(cards, summary))?;
    put(
        &mut page,
        "<!-- average -->",
        &summary.average.as_ref().map_or_else(no_average, |found| average(found, summary.images)),
    )?;
    put(&mut page, "<!-- classes -->", &classes(&summary.classes))?;
    put(&mut page, "<!-- errors -->", &errors(summary))?;
    put(&mut page, "<!-- facts -->", &facts(json, dataset))?;
    Ok(page.into_bytes())
}

/// The answer in one line.
fn title(summary: &Summary) -> String {
    let clear = &summary.verdicts.surroundings_of_clear;
    match clear.share {
        Some(share) => format!("{} of the clear verdicts are surroundings", percent(share)),
        None if summary.verdicts.judged > 0 => "No image has a clear verdict".to_string(),
        None => "Where the model looks, without objects to judge it by".to_string(),
    }
}

fn lead(model: &str, dataset: &Dataset, summary: &Summary) -> String {
    let mut text =
        format!("{model} on {} images of {} ({})", dataset.items.len(), dataset.path.display(), dataset.form);
    let clear = &summary.verdicts.surroundings_of_clear;
    if let Some([low, high]) = clear.interval {
        let _ = write!(
            text,
            ": {} of {} clear verdicts, 95% interval {} to {}; {} are unclear",
            clear.count,
            clear.of,
            percent(low),
            percent(high),
            summary.verdicts.unclear.count
        );
    }
    if summary.correct.of > 0 {
        let _ = write!(
            text,
            ". The model is right on {} of the {} whose class it knows",
            summary.correct.count, summary.correct.of
        );
    }
    text.push('.');
    text
}

/// A share with its interval.
fn with_interval(share: &Share) -> String {
    match (share.share, share.interval) {
        (Some(value), Some([low, high])) => {
            format!("{} <small>{} to {}</small>", percent(value), percent(low), percent(high))
        }
        _ => "–".to_string(),
    }
}

fn verdicts(summary: &Summary) -> String {
    let mut rows = String::new();
    let groups = [
        ("all", &summary.verdicts),
        ("prediction right", &summary.when_correct),
        ("prediction wrong", &summary.when_wrong),
    ];
    for (name, verdicts) in groups {
        if verdicts.judged == 0 {
            continue;
        }
        let _ = write!(
            rows,
            "<tr><th scope=\"row\">{name}</th><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            verdicts.judged,
            bar(verdicts),
            with_interval(&verdicts.object),
            with_interval(&verdicts.both),
            with_interval(&verdicts.surroundings),
            with_interval(&verdicts.unclear),
            verdicts.share.mean.map_or("–".to_string(), percent),
        );
    }
    if rows.is_empty() {
        return "<p>The data set does not say where objects are, so there is no verdict. Boxes (a .csv, COCO or Pascal VOC), masks (--object-masks) or one box for all (--object) give one.</p>".to_string();
    }
    let mut text = format!(
        "<div class=\"scroll\"><table class=\"numbers\"><thead><tr><th></th><th>judged</th><th>verdicts</th><th>object</th><th>both</th><th>surroundings</th><th>unclear</th><th>object’s share of the score</th></tr></thead><tbody>{rows}</tbody></table></div>"
    );
    if summary.rows > summary.images {
        let _ = write!(
            text,
            "<p>{} rows are of {} images, with several targets each: intervals take rows as independent, and are too narrow.</p>",
            summary.rows, summary.images
        );
    }
    if let Some(difference) = &summary.wrong_less_correct {
        let [low, high] = difference.interval;
        let _ = write!(
            text,
            "<p>Surroundings have {} points in the clear verdicts of wrong predictions, compared with those of right ones (95% interval {} to {}).</p>",
            points(difference.difference),
            points(low),
            points(high)
        );
    }
    text
}

fn points(share: f64) -> String {
    format!("{:+.1}", share * 100.0)
}

/// Verdicts as a bar of four parts.
fn bar(verdicts: &Verdicts) -> String {
    let parts = [
        ("object", &verdicts.object),
        ("both", &verdicts.both),
        ("surroundings", &verdicts.surroundings),
        ("unclear", &verdicts.unclear),
    ];
    let (mut x, mut inner, mut said) = (0.0, String::new(), Vec::new());
    for (name, share) in parts {
        let width = share.share.unwrap_or(0.0) * 200.0;
        if width > 0.0 {
            let _ = write!(
                inner,
                "<rect class=\"{name}\" x=\"{x:.2}\" y=\"0\" width=\"{width:.2}\" height=\"14\"><title>{name}: {}</title></rect>",
                share.count
            );
            said.push(format!("{name} {}", share.count));
        }
        x += width;
    }
    format!(
        "<svg class=\"verdicts\" viewBox=\"0 0 200 14\" width=\"200\" height=\"14\" role=\"img\" aria-label=\"{}\">{inner}</svg>",
        said.join(", ")
    )
}

fn all_cards(cards: &[Card], summary: &Summary) -> String {
    if cards.is_empty() {
        let clear = summary.verdicts.surroundings_of_clear.of;
        return match (clear, summary.most_surroundings.is_empty()) {
            (0, _) => "<p>No image has a clear verdict.</p>",
            (_, true) => "<p>None was asked for (<code>--pages 0</code>).</p>",
            _ => "<p>Their pages are not made yet: the same command makes them.</p>",
        }
        .to_string();
    }
    let mut text = String::from("<ol class=\"cards\">");
    for card in cards {
        let (shown, [width, height]) = (&card.shown, card.size);
        let mut picture = String::new();
        if !card.thumbnail.is_empty() {
            let _ = write!(
                picture,
                "<svg viewBox=\"0 0 {width} {height}\" role=\"img\" aria-label=\"{}\"><image href=\"data:image/jpeg;base64,{}\" width=\"{width}\" height=\"{height}\"/>{}</svg>",
                attribute(&shown.path),
                BASE64.encode(&card.thumbnail),
                card.bounds.map_or(String::new(), |bounds| object_box(bounds, width, height)),
            );
        }
        let right = match shown.correct {
            Some(true) => " · right",
            Some(false) => " · wrong",
            None => "",
        };
        let truth = if shown.classes.is_empty() || shown.correct == Some(true) {
            String::new()
        } else {
            format!("<span>shows {}</span>", escaped(&shown.classes.join(", ")))
        };
        let _ = write!(
            text,
            "<li><a href=\"{}\">{picture}<strong>{}</strong></a><span><b class=\"{}\">{}</b>{right}</span><span>object has {} of the score{}</span>{truth}<span class=\"path\">{}</span></li>",
            attribute(&card.link),
            escaped(&shown.target),
            shown.verdict,
            shown.verdict,
            percent(shown.share),
            shown
                .share_inside
                .map_or(String::new(), |inside| format!(", {} of the evidence", percent(inside))),
            escaped(&shown.path),
        );
    }
    text.push_str("</ol>");
    text
}

fn object_box([x0, y0, x1, y1]: [f64; 4], width: u32, height: u32) -> String {
    let (width, height) = (f64::from(width), f64::from(height));
    let place = format!(
        "x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\"",
        x0 * width,
        y0 * height,
        (x1 - x0) * width,
        (y1 - y0) * height
    );
    format!("<rect class=\"halo\" {place}/><rect class=\"object-box\" {place}/>")
}

fn no_average() -> String {
    "<p>No map has evidence.</p>".to_string()
}

/// The average map and where the objects are as figures, and the places that draw evidence in words.
fn average(average: &AverageMap, images: u64) -> String {
    let rows = average.rows;
    let mut text = String::from("<div class=\"frames\">");
    text.push_str(&frame(
        average,
        &average.density,
        &format!("Evidence, averaged over {rows} maps, each counting alike"),
    ));
    if let Some(object) = &average.object_density {
        text.push_str(&frame(average, object, "Where the objects are"));
    }
    text.push_str("</div><p class=\"meta\">The frame of the model’s input. 1 is what every place would have if it lay evenly.</p>");
    if images < ENOUGH {
        let _ = write!(
            text,
            "<p>These are too few images to say whether a place of the frame draws evidence by more than chance: {ENOUGH} at least.</p>"
        );
    } else if average.drawing.is_empty() {
        text.push_str("<p>No place of the frame draws evidence across images: none has twice what an even spread and the objects would give it, in most images, beyond chance.</p>");
    } else {
        text.push_str("<p>These places draw evidence in most images, more than objects there explain. Something fixed may stand there: a watermark, a frame, a caption.</p><ul>");
        for &cell in average.drawing.iter().take(PLACES) {
            let _ = write!(
                text,
                "<li>{}: {:.1} ± {:.1} times an even share, above it in {} of the images</li>",
                average.place(cell),
                average.density[cell],
                average.standard_error[cell],
                percent(average.above_uniform[cell]),
            );
        }
        text.push_str("</ul>");
    }
    text
}

/// Densities of the frame's cells as a figure.
fn frame(average: &AverageMap, density: &[f64], caption: &str) -> String {
    let shape: Vec<usize> = average.shape.iter().map(|&cells| usize::try_from(cells).unwrap_or(0)).collect();
    let (rows, columns, density, note) = flat(&shape, density);
    let most = density.iter().copied().fold(2.0, f64::max);
    let ramp = colour::sequential();
    let fill = |position: f64| {
        let [r, g, b] = ramp[colour::level(position).min(ramp.len() - 1)];
        format!("#{r:02x}{g:02x}{b:02x}")
    };
    let cells: String = density
        .iter()
        .enumerate()
        .map(|(cell, value)| {
            let (row, column) = (cell / columns, cell % columns);
            format!(
                "<rect x=\"{column}\" y=\"{row}\" width=\"1.02\" height=\"1.02\" fill=\"{}\"><title>row {}, column {}: {value:.2}</title></rect>",
                fill(value / most),
                row + 1,
                column + 1,
            )
        })
        .collect();
    let legend: String = (0..20)
        .map(|step| {
            let colour = fill((f64::from(step) + 0.5) / 20.0);
            format!("<rect x=\"{step}\" y=\"0\" width=\"1.02\" height=\"1\" fill=\"{colour}\"/>")
        })
        .collect();
    format!(
        "<figure class=\"average\"><figcaption>{caption}{note}</figcaption><svg viewBox=\"0 0 {columns} {rows}\" role=\"img\" aria-label=\"{caption}\">{cells}</svg><svg class=\"legend\" viewBox=\"0 0 20 1\" preserveAspectRatio=\"none\" aria-hidden=\"true\">{legend}</svg><p class=\"ends\"><span>0</span><span>{most:.1} times an even share</span></p></figure>"
    )
}

/// An average map as rows and columns; of volumes the mean over the first axis.
fn flat(shape: &[usize], density: &[f64]) -> (usize, usize, Vec<f64>, &'static str) {
    match *shape {
        [columns] => (1, columns, density.to_vec(), ""),
        [rows, columns] => (rows, columns, density.to_vec(), ""),
        [.., rows, columns] => {
            let (size, count) = (rows * columns, (density.len() / (rows * columns).max(1)).max(1));
            let mean = |cell: usize| density[cell..].iter().step_by(size).sum::<f64>() / count as f64;
            (rows, columns, (0..size).map(mean).collect(), ", and over the axes before the last two")
        }
        [] => (1, density.len(), density.to_vec(), ""),
    }
}

fn classes(classes: &[OfClass]) -> String {
    if classes.is_empty() {
        return String::new();
    }
    let mut rows = String::new();
    for class in classes.iter().take(CLASSES) {
        let verdicts = &class.verdicts;
        let _ = write!(
            rows,
            "<tr><th scope=\"row\">{}</th><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            escaped(&class.class),
            class.rows,
            class.correct.share.map_or("–".to_string(), percent),
            if verdicts.judged > 0 { bar(verdicts) } else { "–".to_string() },
            with_interval(&verdicts.surroundings_of_clear),
            verdicts.share.mean.map_or("–".to_string(), percent),
        );
    }
    let more = classes.len().saturating_sub(CLASSES);
    let rest =
        if more > 0 { format!("<p>{more} more classes are in summary.json.</p>") } else { String::new() };
    format!(
        "<div class=\"scroll\"><table class=\"numbers\"><thead><tr><th>class</th><th>rows</th><th>right</th><th>verdicts</th><th>surroundings, of clear</th><th>object’s share of the score</th></tr></thead><tbody>{rows}</tbody></table></div>{rest}"
    )
}

fn errors(summary: &Summary) -> String {
    if summary.errors == 0 {
        return String::new();
    }
    let mut text = format!(
        "<h2>Images that could not be judged</h2><p>{} of {} rows.</p><ul>",
        summary.errors, summary.rows
    );
    for [path, error] in &summary.first_errors {
        let _ = write!(text, "<li><span class=\"path\">{}</span> {}</li>", escaped(path), escaped(error));
    }
    let more = summary.errors.saturating_sub(summary.first_errors.len() as u64);
    if more > 0 {
        let _ = write!(text, "<li>and {more} more, in rows/*.parquet</li>");
    }
    text.push_str("</ul>");
    text
}

fn facts(json: &Value, dataset: &Dataset) -> String {
    let mut text = String::new();
    for note in &dataset.notes {
        let _ = write!(text, "<p>{}.</p>", escaped(note));
    }
    text.push_str("<dl class=\"facts\">");
    let mut fact = |name: &str, value: &str| {
        let _ = write!(text, "<dt>{}</dt><dd>{}</dd>", escaped(name), escaped(value));
    };
    fact("occlude", json["version"].as_str().unwrap_or_default());
    fact(
        "model",
        &format!(
            "{} (SHA-256 {})",
            json["model"]["name"].as_str().unwrap_or_default(),
            json["model"]["sha256"].as_str().unwrap_or_default()
        ),
    );
    for part in ["settings", "judge"] {
        let object = json[part].as_object();
        for (name, value) in object.into_iter().flatten() {
            match value.as_object() {
                Some(inner) => inner.iter().for_each(|(name, value)| fact(name, &plain(value))),
                None => fact(name, &plain(value)),
            }
        }
    }
    text.push_str("</dl>");
    text
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_string)
}

/// Text as the value of an attribute.
fn attribute(text: &str) -> String {
    escaped(text).replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn volumes_are_shown_flat() {
        let (rows, columns, density, _) = flat(&[2, 1, 2], &[1.0, 2.0, 3.0, 4.0]);
        assert_eq!((rows, columns, density), (1, 2, vec![2.0, 3.0]));
    }

    #[test]
    fn text_from_elsewhere_is_text() {
        assert_eq!(attribute("a\"><script>&"), "a&quot;&gt;&lt;script&gt;&amp;");
    }
}
