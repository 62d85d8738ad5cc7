//! Writing Zeiler and Fergus' five panels: the page, the figure, and the numbers as JSON (schema `occlude.zeiler/1`) or NumPy arrays; and the correspondence analysis as
//! JSON (schema `occlude.correspondence/1`).
//!
//! In: a [`Zeiler`] and its [`Input`]. Out: bytes per format. What page and figure share is in `panels`; they are drawn in `html/zeiler.rs` and `png/zeiler.rs`.

pub(super) mod panels;

use serde_json::{Value, json};

use super::{Format, html, json as map_json, npz, png};
use crate::error::{Error, Result};
use crate::input::Input;
use crate::tensor::TensorSpec;
use crate::zeiler::{Correspondence, Zeiler};

/// The bytes of the five panels in a format.
///
/// # Errors
/// Argument: `.npy`, which holds one array. Unsupported: a page or figure of an input that is no picture.
pub fn encode(found: &Zeiler, input: &Input, format: Format) -> Result<Vec<u8>> {
    check_format(format, &input.spec)?;
    match format {
        Format::Html => html::zeiler::render(found, input),
        Format::Png => png::zeiler::render(found, input),
        Format::Json | Format::Npy => Ok(map_json::lines(&value(found))),
        // Those that are refused above do not come here.
        Format::Npz | Format::Nifti | Format::NiftiGz | Format::Csv => arrays(found),
    }
}

/// Whether the panels of an input can be written in this format, to be said before anything runs.
///
/// # Errors
/// Argument: `.npy`. Unsupported: a page or figure of an input without two spatial axes.
pub fn check_format(format: Format, input: &TensorSpec) -> Result<()> {
    match format {
        Format::Npy => Err(Error::argument("a .npy file holds one array, the five panels are several")
            .with_hint("-o FILE.npz holds all of them; .json, .png and .html do too")),
        Format::Nifti | Format::NiftiGz | Format::Csv => {
            Err(Error::argument("the five panels are written as .html, .png, .json or .npz")
                .with_hint("-o FILE.npz holds all of them as arrays"))
        }
        Format::Png | Format::Html if input.spatial().len() != 2 => {
            Err(Error::unsupported(format!("the page and the figure are for pictures, the input is {input}"))
                .with_hint("-o FILE.json and -o FILE.npz hold the panels of any input"))
        }
        _ => Ok(()),
    }
}

/// The five panels as JSON. Arrays are nested in the order of their axes; a position that was not computed is `null`.
pub fn value(found: &Zeiler) -> Value {
    let map = &found.map;
    let shape = map.windows.shape();
    let class = |c: i32| if c < 0 { Value::Null } else { json!(c) };
    let activity = map_json::nested(found.activity(), &shape, map_json::number);
    let probability = map_json::nested(found.probability(), &shape, map_json::number);
    json!({
        "schema": "occlude.zeiler/1",
        "class": { "index": found.class().class, "label": found.class().label, "probability": map_json::number(found.class().baseline) },
        "feature_map": found.feature_map,
        "seed": found.projection.seed,
        "total_activity": activity,
        "projection": map_json::nested(&found.projection.values, &map.input.shape, map_json::number),
        "projection_extent": found.projection.extent(&map.input),
        "probability": probability,
        "most_probable": map_json::nested(found.most_probable(), &shape, class),
        "map": map_json::value(map),
    })
}

/// Keys: `total_activity`, `probability` f32 and `most_probable` i32, all `[grid...]`; `projection` f32 of the input's shape; `total_activity_untouched`, `probability_untouched`
/// f32; and the grid as in the archive of a map.
fn arrays(found: &Zeiler) -> Result<Vec<u8>> {
    let (map, shape) = (&found.map, found.map.windows.shape());
    let mut archive = npz::Archive::new();
    archive.add("total_activity", &shape, found.activity())?;
    archive.add("total_activity_untouched", &[], &[map.targets[1].baseline])?;
    archive.add("projection", &map.input.shape, &found.projection.values)?;
    archive.add("probability", &shape, found.probability())?;
    archive.add("probability_untouched", &[], &[map.targets[0].baseline])?;
    archive.add("most_probable", &shape, found.most_probable())?;
    archive.add_windows(map)?;
    archive.finish()
}

/// The correspondence analysis as JSON.
pub fn correspondence(found: &Correspondence) -> Value {
    let mut value = json!({ "schema": "occlude.correspondence/1" });
    if let (Some(all), Value::Object(more)) = (value.as_object_mut(), json!(found)) {
        all.extend(more);
    }
    value
}

#[cfg(test)]
#[path = "zeiler_tests.rs"]
mod tests;
