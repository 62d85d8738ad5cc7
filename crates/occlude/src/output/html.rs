//! The report: one HTML file that opens from `file://`, needs no network, and holds every number of the map.
//!
//! In: a [`Map`] and its [`Picture`]. Out: the bytes of the page in `report/` at the root of the repository, with style,
//! scripts, picture and one JSON block, the feed, inlined. The feed's schema is `occlude.page/1`: as `report/feed.js` reads
//! it, arrays of numbers as base64 of little-endian float32 or int32, so that every value is exact and small.
//! What the page shows and how it behaves is in `report/`; the wording is in `words`. Text from models and labels goes in
//! as JSON strings only, where `<` is always escaped.

mod assets;
pub(super) mod audit;
mod places;
mod volume;
pub(super) mod zeiler;

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder, RgbImage, imageops};
use serde_json::{Map as JsonMap, Value, json};

use super::words;
use crate::colour;
use crate::error::{Error, Result};
use crate::input::Picture;
use crate::map::{Cells, Direction, Map, TopWindow, View};
use crate::occlusion::{AxisRole, GridAxis, Windows};

pub use assets::live_files;

/// Pixels of the embedded picture's longer side at most; larger ones are reduced for the page.
const PICTURE_SIDE: u32 = 900;
/// Windows listed for and against a target.
const TOP: usize = 8;
/// Up to this many pixels a picture is embedded without loss.
const LOSSLESS_PIXELS: usize = 300 * 300;

/// The report of a map as the bytes of one HTML file.
///
/// # Errors
/// File: the picture cannot be encoded (its size does not fit its bytes).
pub fn render(map: &Map, picture: &Picture) -> Result<Vec<u8>> {
    let feed = feed(map, picture)?.to_string().replace('<', "\\u003c");
    let title = map.targets.first().map_or("occlude", |target| target.label.as_str());
    Ok(assets::report(title, &feed)?.into_bytes())
}

/// The feed object that drives the page.
///
/// # Errors
/// File: the picture cannot be encoded.
pub fn feed(map: &Map, picture: &Picture) -> Result<Value> {
    let said = map.most_probable.as_ref();
    let view = map.drawn();
    let in_source = !map.geometry.is_identity();
    Ok(json!({
        "schema": "occlude.page/1",
        "input": map.provenance.input.name,
        "setup": words::setup(map),
        "sign": words::sign_sentence(map),
        "map_caption": format!("The map, {}", words::windows(map)),
        "source_unit": in_source.then_some(&map.geometry.unit),
        "predicted": said.map(|said| json!({ "index": said.baseline, "label": map.labels.short(said.baseline) })),
        "axes": axes(&view),
        "cells": if view.cells == Cells::Windows { "windows" } else { "elements" },
        "targets": (0..map.targets.len()).map(|t| target(&view, t)).collect::<Vec<_>>(),
        "most_probable": view.most_probable.as_deref().map(class_of_cells),
        "classes": classes(&view),
        "complete": map.is_complete(),
        "computed": map.computed,
        "windows": map.windows.len(),
        "ramp": hex(&colour::ramp()),
        "sequential": hex(&colour::sequential()),
        "class_colours": hex(&colour::CLASSES),
        "class_other": hex(&[colour::OTHER_CLASSES])[0],
        "places": places::places(&view),
        "picture": picture_object(map, picture)?,
        "volume": volume::volume(map, picture)?,
        "stability": map.stability.as_ref().map(|_| (0..map.targets.len()).map(|t| words::stability(map, t..t + 1)).collect::<Vec<_>>()),
        "command": map.provenance.command,
        "notes": map.notes,
        "facts": words::facts(map),
    }))
}

/// The grid's axes.
fn axes(view: &View) -> Vec<Value> {
    view.grid.axes.iter().map(|axis| axis_object(view.map, axis)).collect()
}

/// An axis: name, role, length in elements, the windows' edges, and the way to source pixels.
fn axis_object(map: &Map, axis: &GridAxis) -> Value {
    let mut object = json!({
        "name": words::axis_letter(map, axis),
        "role": if axis.role == AxisRole::Channel { "channel" } else { "spatial" },
        "length": axis.length,
        "starts": axis.starts,
        "ends": axis.ends,
    });
    if let (AxisRole::Spatial(i), false) = (axis.role, map.geometry.is_identity()) {
        object["scale"] = json!(map.geometry.axes[i].scale);
        object["offset"] = json!(map.geometry.axes[i].offset);
    }
    object
}

/// One target with its scores. Sensitivities are sent only where they are not, bit for bit, baseline minus score.
fn target(view: &View, t: usize) -> Value {
    let (map, target) = (view.map, &view.map.targets[t]);
    let marked = map
        .marked(view, t)
        .map(|marked| (0..marked.len()).filter(|&cell| marked[cell]).collect::<Vec<usize>>());
    if view.cells == Cells::Elements {
        // Elements have no score of their own.
        return json!({
            "label": target.label,
            "index": target.class,
            "unit": target.unit,
            "baseline": target.baseline,
            "sensitivity": floats(view.of(t)),
            "marked": marked,
            "top_for": top(map, t, Direction::For),
            "top_against": top(map, t, Direction::Against),
        });
    }
    let (scores, sensitivity) = (map.scores_of(t), view.of(t));
    let differs = |(score, value): (&f32, &f32)| {
        let computed = target.baseline - score;
        computed.to_bits() != value.to_bits() && !(computed.is_nan() && value.is_nan())
    };
    let mut object = json!({
        "label": target.label,
        "index": target.class,
        "unit": target.unit,
        "score_title": words::score_title(target),
        "baseline": target.baseline,
        "occluded": floats(scores),
        "marked": marked,
    });
    if scores.iter().zip(sensitivity).any(differs) {
        object["sensitivity"] = json!(floats(sensitivity));
    }
    object
}

/// The strongest windows, for the tables of a page whose cells are elements.
fn top(map: &Map, t: usize, direction: Direction) -> Vec<Value> {
    if let Windows::Masks(..) = map.windows {
        return Vec::new();
    }
    let row = |window: &TopWindow| {
        json!({
            "place": words::place(map, window.window),
            "score": window.score,
            "difference": window.sensitivity,
            "then": window.most_probable.map(|class| map.labels.short(class)),
        })
    };
    map.top_windows(t, direction, TOP).iter().map(row).collect()
}

/// The most probable class of every cell: int32 as base64, or, where no more than 256 values occur, these and one byte a cell that says which.
fn class_of_cells(classes: &[i32]) -> Value {
    let seen: Vec<i32> = classes.iter().copied().collect::<BTreeSet<_>>().into_iter().collect();
    if seen.len() > 256 {
        return json!(BASE64.encode(classes.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<_>>()));
    }
    let which = classes.iter().map(|class| seen.partition_point(|other| other < class) as u8);
    json!({ "classes": seen, "which": BASE64.encode(which.collect::<Vec<_>>()) })
}

/// Names of the classes that appear as the most probable one.
fn classes(view: &View) -> JsonMap<String, Value> {
    let map = view.map;
    let Some(said) = &map.most_probable else { return JsonMap::new() };
    let drawn = view.most_probable.as_deref().unwrap_or_default();
    let mut seen: Vec<usize> = drawn.iter().filter_map(|&class| usize::try_from(class).ok()).collect();
    seen.push(said.baseline);
    seen.sort_unstable();
    seen.dedup();
    seen.into_iter().map(|class| (class.to_string(), json!(map.labels.short(class)))).collect()
}

/// The picture as a data URL with its caption; null where there is none that a page could show.
fn picture_object(map: &Map, picture: &Picture) -> Result<Value> {
    if picture.width == 0 || picture.height == 0 || map.input.spatial().len() > 2 {
        return Ok(Value::Null);
    }
    let name =
        if map.provenance.input.name.is_empty() { "the input" } else { map.provenance.input.name.as_str() };
    let elements = map.input.spatial().iter().rev().map(usize::to_string).collect::<Vec<_>>().join(" × ");
    let caption = if picture.photographic {
        format!("The part of {name} that the model saw, as {elements} elements")
    } else {
        format!("{name}: {elements} elements, from the least value (black) to the greatest (white)")
    };
    Ok(json!({
        "url": data_url(picture)?,
        "width": picture.width,
        "height": picture.height,
        "caption": caption,
        "alt": caption,
    }))
}

/// A picture as a data URL: PNG where that is small, else JPEG, its longer side reduced to 900 pixels at most.
///
/// # Errors
/// File: the picture cannot be encoded.
pub fn data_url(picture: &Picture) -> Result<String> {
    let broken =
        |e: &dyn std::fmt::Display| Error::file(format!("the picture cannot be written into the page: {e}"));
    let (width, height) = (picture.width as u32, picture.height as u32);
    let mut pixels = RgbImage::from_raw(width, height, picture.rgb.clone())
        .ok_or_else(|| broken(&format!("{} bytes for {width} × {height} pixels", picture.rgb.len())))?;
    let mut bytes = Vec::new();
    if picture.width * picture.height <= LOSSLESS_PIXELS {
        let encoder = PngEncoder::new(&mut bytes);
        encoder.write_image(&pixels, width, height, ExtendedColorType::Rgb8).map_err(|e| broken(&e))?;
        return Ok(format!("data:image/png;base64,{}", BASE64.encode(bytes)));
    }
    if width.max(height) > PICTURE_SIDE {
        let shrink = f64::from(PICTURE_SIDE) / f64::from(width.max(height));
        let side = |n: u32| ((f64::from(n) * shrink).round() as u32).max(1);
        pixels = imageops::resize(&pixels, side(width), side(height), imageops::FilterType::CatmullRom);
    }
    let (width, height) = pixels.dimensions();
    let encoder = JpegEncoder::new_with_quality(&mut bytes, 88);
    encoder.write_image(&pixels, width, height, ExtendedColorType::Rgb8).map_err(|e| broken(&e))?;
    Ok(format!("data:image/jpeg;base64,{}", BASE64.encode(bytes)))
}

fn floats(values: &[f32]) -> String {
    BASE64.encode(values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<_>>())
}

/// Colours as `rrggbb`.
fn hex(colours: &[[u8; 3]]) -> Vec<String> {
    colours.iter().map(|[r, g, b]| format!("{r:02x}{g:02x}{b:02x}")).collect()
}

/// Text as HTML text.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// Replaces a marker that must be there exactly once.
fn put(page: &mut String, marker: &str, with: &str) -> Result<()> {
    let Some(at) = page.find(marker) else {
        return Err(Error::file(format!("the built-in page lacks {marker:?}")));
    };
    page.replace_range(at..at + marker.len(), with);
    Ok(())
}

#[cfg(test)]
#[path = "html_tests.rs"]
mod tests;
