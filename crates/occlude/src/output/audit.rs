//! What an audit found, for programs and for people: `summary.json` (schema `occlude.audit/1`, which `docs/audit.md` describes), `report.html`, and a page for each image that is shown.
//!
//! In: a [`Summary`], maps of the images that are shown. Out: files in the folder of the audit. The page itself is put together in `html::audit`.

use std::path::{Path, PathBuf};

use image::codecs::jpeg::JpegEncoder;
use image::{ExtendedColorType, ImageEncoder, RgbImage, imageops};
use serde_json::{Value, json};

use super::html;
use crate::audit::{Again, AuditOptions, Dataset, Shown, Summary};
use crate::error::{Error, Result};
use crate::hash::sha256_hex;
use crate::input::Picture;
use crate::judge::unravel;
use crate::model::Model;

/// Pixels of a thumbnail's longer side.
const THUMBNAIL: u32 = 200;

/// An image as the report shows it.
#[derive(Clone, Debug)]
pub(crate) struct Card {
    /// What was found.
    pub(crate) shown: Shown,
    /// The page of its map, relative to the report, opened with the object in it.
    pub(crate) link: String,
    /// A small JPEG; empty for inputs that are no picture.
    pub(crate) thumbnail: Vec<u8>,
    /// Its size, `[width, height]`.
    pub(crate) size: [u32; 2],
    /// The object's box as shares of the frame: `[x0, y0, x1, y1]`.
    pub(crate) bounds: Option<[f64; 4]>,
}

/// The summary with what was asked.
pub(crate) fn json(
    model: &Model,
    dataset: &Dataset,
    options: &AuditOptions,
    summary: &Summary,
    is_complete: bool,
) -> Value {
    let mut value = json!({
        "schema": "occlude.audit/1",
        "version": env!("CARGO_PKG_VERSION"),
        "model": model.file(),
        "dataset": {
            "path": dataset.path.display().to_string(),
            "form": dataset.form,
            "images": dataset.items.len(),
            "notes": dataset.notes,
        },
        "complete": is_complete,
        "settings": options.question.settings.asked().into_iter().collect::<std::collections::BTreeMap<_, _>>(),
        "judge": options.question.judge,
    });
    if let (Some(whole), Ok(Value::Object(found))) = (value.as_object_mut(), serde_json::to_value(summary)) {
        whole.extend(found);
    }
    value
}

/// Where the page of an image that is shown lies: its name hangs on the image, its annotation and the target.
pub(crate) fn page_of(folder: &Path, shown: &Shown) -> PathBuf {
    let target = sha256_hex(shown.target_spec.as_bytes());
    folder.join("pages").join(format!("{}-{}.html", shown.key.get(..16).unwrap_or("image"), &target[..8]))
}

/// Writes the page of an image that is shown, where its map was made, and makes its card.
///
/// # Errors
/// File: what the system says, a picture that cannot be encoded.
pub(crate) fn card(page: &Path, shown: &Shown, again: &Again) -> Result<Card> {
    let input = &again.input;
    if let Some(map) = &again.map {
        let pages = page.parent().unwrap_or(page);
        std::fs::create_dir_all(pages).map_err(|e| Error::io("make the folder", pages, &e))?;
        super::write_renamed(page, &html::render(map, &input.picture)?)?;
    }
    let spatial = input.spec.spatial();
    let ranges = again.inside.as_deref().and_then(|inside| hull(inside, &spatial));
    let name = page.file_name().unwrap_or_default().to_string_lossy();
    let mut link = format!("pages/{name}");
    let mut bounds = None;
    if let Some(ranges) = ranges {
        let source = input.geometry.window_in_source(&ranges);
        let ends: Vec<String> = source.iter().map(|range| format!("{},{}", range.start, range.end)).collect();
        link = format!("{link}#box={}", ends.join(","));
        if let ([rows, columns], [height, width]) = (&ranges[..], &spatial[..]) {
            let share = |at: usize, of: usize| at as f64 / of as f64;
            bounds = Some([
                share(columns.start, *width),
                share(rows.start, *height),
                share(columns.end, *width),
                share(rows.end, *height),
            ]);
        }
    }
    let (thumbnail, size) =
        if spatial.len() == 2 { thumbnail(&input.picture)? } else { (Vec::new(), [0, 0]) };
    Ok(Card { shown: shown.clone(), link, thumbnail, size, bounds })
}

/// The least box that holds all places that are true.
fn hull(inside: &[bool], spatial: &[usize]) -> Option<Vec<std::ops::Range<usize>>> {
    let mut hull: Option<Vec<std::ops::Range<usize>>> = None;
    for (place, _) in inside.iter().enumerate().filter(|(_, inside)| **inside) {
        let at = unravel(place, spatial);
        let hull = hull.get_or_insert_with(|| at.iter().map(|&i| i..i + 1).collect());
        for (range, i) in hull.iter_mut().zip(at) {
            *range = range.start.min(i)..range.end.max(i + 1);
        }
    }
    hull
}

/// A small JPEG of a picture.
fn thumbnail(picture: &Picture) -> Result<(Vec<u8>, [u32; 2])> {
    let broken = |e: &dyn std::fmt::Display| Error::file(format!("a thumbnail cannot be made: {e}"));
    let (width, height) = (picture.width as u32, picture.height as u32);
    let pixels = RgbImage::from_raw(width, height, picture.rgb.clone())
        .ok_or_else(|| broken(&format!("{} bytes for {width} × {height} pixels", picture.rgb.len())))?;
    let shrink = f64::from(THUMBNAIL) / f64::from(width.max(height).max(1));
    let side = |n: u32| ((f64::from(n) * shrink).round() as u32).max(1);
    // Few pixels stay as they are seen: blocks.
    let filter = if shrink > 1.0 { imageops::FilterType::Nearest } else { imageops::FilterType::CatmullRom };
    let small = imageops::resize(&pixels, side(width), side(height), filter);
    let (width, height) = small.dimensions();
    let mut bytes = Vec::new();
    let encoder = JpegEncoder::new_with_quality(&mut bytes, 82);
    encoder.write_image(&small, width, height, ExtendedColorType::Rgb8).map_err(|e| broken(&e))?;
    Ok((bytes, [width, height]))
}

/// Writes `report.html` and `summary.json`.
///
/// # Errors
/// File: what the system says.
pub(crate) fn write(
    folder: &Path,
    dataset: &Dataset,
    summary: &Summary,
    json: &Value,
    cards: &[Card],
    is_complete: bool,
) -> Result<Vec<PathBuf>> {
    let (report, data) = (folder.join("report.html"), folder.join("summary.json"));
    super::write_renamed(&report, &html::audit::render(dataset, summary, json, cards, is_complete)?)?;
    super::write_renamed(&data, format!("{json:#}\n").as_bytes())?;
    Ok(vec![report, data])
}
