//! The sides of a comparison from files: maps that `output` wrote as `.npz` or `.json`, and any array as `.npy`.
//!
//! In: bytes, the path for messages, which target. Out: [`Evidence`]. Read is what a comparison needs and no more: these are no maps to draw. Files of other programs are refused by what is in them.

use std::io::{Cursor, Read};
use std::path::Path;

use npyz::zip::CompressionMethod;
use npyz::zip::read::ZipArchive;
use serde_json::Value;

use super::evidence::{Cells, Evidence, Kind, no_target};
use crate::error::{Error, Result};
use crate::input::Geometry;
use crate::input::npy::{self, Array};
use crate::judge::{less_mean, over_channels};
use crate::map::{Definition, Map, MapTarget, Provenance};
use crate::occlusion::{Grid, Shape, Windows};
use crate::output::json::SCHEMA;
use crate::score::ScoreKind;
use crate::tensor::{TensorSpec, shape_text};

impl Evidence {
    /// Reads a file: `.npz` and `.json` are maps, `.npy` is an array. `target`: of a map, its label or how it was asked for (`.json` knows them), or its place among the map's targets, from 0; without it the first.
    ///
    /// # Errors
    /// File: what cannot be read, or is no such file. Argument: another ending, no such target. Unsupported: a `.json` of windows that are not on one grid of boxes.
    pub fn read(path: &Path, target: Option<&str>) -> Result<Evidence> {
        let ending = path.extension().map(|ending| ending.to_string_lossy().to_lowercase());
        let known = ["npz", "json", "npy"];
        if !ending.as_deref().is_some_and(|ending| known.contains(&ending)) {
            let hint = match ending.as_deref() {
                Some("html" | "png") => {
                    "a page or a picture is for people; have the map written as numbers beside it: -o map.npz"
                }
                _ => {
                    "maps are read from .npz and .json files, saliency maps of other programs from .npy files"
                }
            };
            return Err(Error::argument(format!(
                "{} is not compared: expected a file that ends in .npz, .json or .npy",
                path.display()
            ))
            .with_hint(hint));
        }
        let bytes = std::fs::read(path).map_err(|e| Error::io("read", path, &e))?;
        Evidence::parse(&bytes, path, target)
    }

    /// The same of a file's bytes; the path's ending says what they are.
    ///
    /// # Errors
    /// As [`Evidence::read`].
    pub fn parse(bytes: &[u8], path: &Path, target: Option<&str>) -> Result<Evidence> {
        let name = path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        match path.extension().map(|ending| ending.to_string_lossy().to_lowercase()).as_deref() {
            Some("npz") => of_npz(bytes, path, name, target),
            Some("json") => of_json(bytes, path, name, target),
            _ => {
                let array = npy::parse(bytes, path)?;
                Evidence::of_array(&array.shape, array.values, name)
            }
        }
    }
}

/// The arrays of an archive that are asked for by name.
struct Arrays<'a> {
    archive: ZipArchive<Cursor<&'a [u8]>>,
    path: &'a Path,
    length: u64,
}

impl<'a> Arrays<'a> {
    fn new(bytes: &'a [u8], path: &'a Path) -> Result<Self> {
        let archive = ZipArchive::new(Cursor::new(bytes))
            .map_err(|e| Error::file(format!("{} is not a valid .npz file: {e}", path.display())))?;
        Ok(Arrays { archive, path, length: bytes.len() as u64 })
    }

    fn named(&mut self, name: &str) -> Result<Option<Array>> {
        let shown = self.path.display();
        let bad =
            |what: &dyn std::fmt::Display| Error::file(format!("{shown}: cannot read \"{name}\": {what}"));
        let entry = npyz::npz::file_name_from_array_name(name);
        if !self.archive.file_names().any(|found| found == entry) {
            return Ok(None);
        }
        let mut file = self.archive.by_name(&entry).map_err(|e| bad(&e))?;
        if file.compression() != CompressionMethod::Stored {
            return Err(bad(&"it is compressed, expected as it was written")
                .with_hint("with numpy: np.savez, not np.savez_compressed"));
        }
        let mut bytes = Vec::new();
        // What is stored is never longer than the archive.
        file.by_ref().take(self.length).read_to_end(&mut bytes).map_err(|e| bad(&e))?;
        npy::parse(&bytes, Path::new(name)).map(Some).map_err(|e| e.in_context(shown))
    }

    /// An array that every map has.
    fn needed(&mut self, name: &str) -> Result<Array> {
        if let Some(array) = self.named(name)? {
            return Ok(array);
        }
        let mut held: Vec<&str> = self.archive.file_names().map(|n| n.trim_end_matches(".npy")).collect();
        held.sort_unstable();
        let held = if held.is_empty() { "nothing".to_string() } else { held.join(", ") };
        Err(Error::file(format!("{} is no occlusion map: it has no array \"{name}\", it holds {held}", self.path.display()))
            .with_hint("maps are written by occlude map ... -o map.npz; an array of another program is compared as a .npy file (np.save)"))
    }

    fn whole(&mut self, name: &str) -> Result<Vec<usize>> {
        Ok(self.needed(name)?.values.iter().map(|&v| v as usize).collect())
    }

    fn damaged(&self, what: &str) -> Error {
        Error::file(format!("{} is no occlusion map: {what}", self.path.display()))
    }
}

fn of_npz(bytes: &[u8], path: &Path, name: String, target: Option<&str>) -> Result<Evidence> {
    let mut arrays = Arrays::new(bytes, path)?;
    let attribution = arrays.needed("attribution")?;
    let shape = arrays.whole("places")?;
    let count = arrays.needed("baseline")?.values.len();
    let index = match target.map(|text| (text, text.parse::<usize>())) {
        None => 0,
        Some((_, Ok(index))) if index < count => index,
        Some((text, Ok(_))) => return Err(no_target(&name, text, count)),
        Some((text, Err(_))) => {
            return Err(Error::argument(format!("{name} does not know its targets by name: {text}"))
                .with_hint(format!(
                    "give the place of the target in the list, 0 to {}; .json files know names",
                    count.saturating_sub(1)
                )));
        }
    };
    let places = shape.iter().try_fold(1usize, |product, &n| product.checked_mul(n)).unwrap_or(0);
    // One target has no axis of its own, and channels only where windows have their own size along them.
    let of_target = attribution.values.len() / count.max(1);
    let is_whole = places > 0
        && of_target > 0
        && of_target % places == 0
        && of_target * count == attribution.values.len()
        && attribution.shape.ends_with(&shape);
    if !is_whole {
        let (found, wanted) = (shape_text(&attribution.shape), shape_text(&shape));
        return Err(arrays.damaged(&format!(
            "its attribution has shape {found}, its {count} targets and the input's places {wanted} need another"
        )));
    }
    let mut values = over_channels(&attribution.values[index * of_target..][..of_target], places);
    if is_of_masks(&mut arrays)? {
        less_mean(&mut values);
    }
    let mut made = Evidence::of_array(&shape, values, name)?;
    made.kind = Kind::Map { cells: cells(&mut arrays, &shape, count, index)? };
    made.target = Some(format!("target {index}"));
    if count > 1 && target.is_none() {
        made.notes.push(format!("{}: the first of {count} targets", made.name));
    }
    Ok(made)
}

/// Random masks are the windows that are no regions and all of the input's size.
fn is_of_masks(arrays: &mut Arrays<'_>) -> Result<bool> {
    let Some(boxes) = arrays.named("boxes")? else { return Ok(false) };
    let of_one = boxes.shape.iter().skip(1).product::<usize>().max(1);
    let mut each = boxes.values.chunks_exact(of_one);
    let first = each.next();
    Ok(each.len() > 0 && arrays.named("labels")?.is_none() && each.all(|one| Some(one) == first))
}

/// The numbers of the windows, where these lie on one grid of places.
fn cells(arrays: &mut Arrays<'_>, shape: &[usize], targets: usize, index: usize) -> Result<Option<Cells>> {
    let mut bounds = Vec::new();
    while let Some(starts) = arrays.named(&format!("starts_{}", bounds.len()))? {
        let starts: Vec<usize> = starts.values.iter().map(|&v| v as usize).collect();
        let ends = arrays.whole(&format!("ends_{}", bounds.len()))?;
        if starts.len() != ends.len() {
            return Err(arrays.damaged(&format!(
                "windows have {} starts and {} ends",
                starts.len(),
                ends.len()
            )));
        }
        bounds.push((starts, ends));
    }
    if bounds.len() != shape.len() {
        return Ok(None);
    }
    let sensitivity = match arrays.named("sensitivity")? {
        Some(sensitivity) => sensitivity,
        None => arrays.needed("map")?,
    };
    let count = bounds.iter().try_fold(targets, |product, (starts, _)| product.checked_mul(starts.len()));
    if count != Some(sensitivity.values.len()) {
        return Err(arrays.damaged(&format!(
            "its sensitivities have shape {}, its windows and {targets} targets need another",
            shape_text(&sensitivity.shape)
        )));
    }
    let of_target = sensitivity.values.len() / targets;
    Ok(Some(Cells { values: sensitivity.values[index * of_target..][..of_target].to_vec(), bounds }))
}

fn of_json(bytes: &[u8], path: &Path, name: String, target: Option<&str>) -> Result<Evidence> {
    let shown = path.display();
    let value: Value = serde_json::from_slice(bytes)
        .map_err(|e| Error::file(format!("{shown} is not a valid .json file: {e}")))?;
    let schema = value["schema"].as_str();
    if schema != Some(SCHEMA) {
        let found = schema.map_or("no schema".to_string(), |schema| format!("the schema {schema}"));
        return Err(Error::file(format!("{shown} is no occlusion map: it has {found}, expected {SCHEMA}"))
            .with_hint("maps are written by occlude map ... -o map.json"));
    }
    let shape_of_windows = value["provenance"]["arguments"]["shape"].as_str().unwrap_or("box");
    if value["grid"].is_null() || shape_of_windows != "box" {
        let what = if value["grid"].is_null() {
            "are on no grid".to_string()
        } else {
            format!("have the shape {shape_of_windows}")
        };
        return Err(Error::unsupported(format!(
            "{shown}: its windows {what}, and its evidence per place is not in the file"
        ))
        .with_hint("compare the .npz file of the map, which holds it: occlude map ... -o map.npz"));
    }
    let damaged = |what: String| Error::file(format!("{shown} is no occlusion map: {what}"));
    let none = Vec::new();
    let targets = value["targets"].as_array().unwrap_or(&none);
    let index = index_of(targets, target, &name)?;
    let read = |what: &str, error: serde_json::Error| damaged(format!("its {what}: {error}"));
    let of = &targets[index];
    let measured: MapTarget = serde_json::from_value(of.clone()).map_err(|e| read("target", e))?;
    let input: TensorSpec = serde_json::from_value(value["input"].clone()).map_err(|e| read("input", e))?;
    let axes = serde_json::from_value(value["grid"]["axes"].clone()).map_err(|e| read("grid", e))?;
    let border = serde_json::from_value(value["grid"]["border"].clone()).map_err(|e| read("border", e))?;
    let mut sensitivity = Vec::new();
    flatten(&of["sensitivity"], &mut sensitivity)
        .map_err(|what| damaged(format!("its sensitivity holds {what}")))?;
    let grid = Grid { axes, border, input_shape: input.shape.clone() };
    let map = Map {
        geometry: Geometry::identity(&input.spatial()),
        windows: Windows::Grid(grid),
        shape: Shape::Box,
        definition: Definition::default(),
        score: ScoreKind::Raw,
        targets: vec![measured],
        is_list: false,
        computed: sensitivity.iter().filter(|v| !v.is_nan()).count(),
        // Evidence is made of sensitivities alone.
        scores: sensitivity.clone(),
        sensitivity,
        most_probable: None,
        labels: Default::default(),
        noise_spread: None,
        notes: Vec::new(),
        check: None,
        approximation: None,
        work: None,
        unchanged: None,
        provenance: Provenance::default(),
        input,
    };
    map.check_sound().map_err(damaged)?;
    let mut made = Evidence::of_map(&map, 0, name)?;
    if targets.len() > 1 && target.is_none() {
        made.notes.push(format!("{}: the first of {} targets", made.name, targets.len()));
    }
    Ok(made)
}

/// A target by how it was asked for, by its label, or by its place in the list.
fn index_of(targets: &[Value], target: Option<&str>, name: &str) -> Result<usize> {
    let text = target.unwrap_or("0");
    let named = |key: &str| targets.iter().position(|of| target.is_some() && of[key].as_str() == target);
    let by_place = || text.parse().ok().filter(|&index: &usize| index < targets.len());
    named("spec").or_else(|| named("label")).or_else(by_place).ok_or_else(|| {
        let known: Vec<&str> = targets.iter().take(10).filter_map(|of| of["label"].as_str()).collect();
        let more = if targets.len() > known.len() { ", ..." } else { "" };
        Error::argument(format!("{name} has no target {text}: it has {}{more}", known.join(", "))).with_hint(
            "a target is named as it was asked for, by its label, or by its place in the list, from 0",
        )
    })
}

/// Numbers of nested arrays in order; null is NaN.
fn flatten(value: &Value, into: &mut Vec<f32>) -> Result<(), String> {
    match value {
        Value::Array(items) => items.iter().try_for_each(|item| flatten(item, into)),
        Value::Null => {
            into.push(f32::NAN);
            Ok(())
        }
        Value::Number(number) => {
            into.push(number.as_f64().unwrap_or(f64::NAN) as f32);
            Ok(())
        }
        other => Err(format!("{other}, expected numbers")),
    }
}
