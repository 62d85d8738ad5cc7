//! Verifications as data: JSON for programs (schema `occlude.verify/1`), and an `.npz` of both maps with their difference.
//!
//! In: a [`Verification`]. Out: a JSON value, or the bytes of an archive that NumPy loads. Numbers that JSON does not have (infinity, NaN) are `null`.

use serde_json::{Value, json};

use super::npz::Archive;
use super::shape_of_windows;
use crate::error::Result;
use crate::job::{Difference, Verification};
use crate::map::Map;

/// Name and version of the schema.
pub const SCHEMA: &str = "occlude.verify/1";

/// The verification as JSON; arrays of the grid are not in it.
pub fn value(found: &Verification) -> Value {
    let full = &found.full;
    let made = &full.provenance;
    json!({
        "schema": SCHEMA,
        "within": found.is_within(),
        "complete": found.is_complete(),
        "windows": full.windows.len(),
        "compared": full.computed,
        "grid": full.windows.shape(),
        "targets": full.targets.iter().map(|t| json!({
            "label": t.label, "class": t.class, "spec": t.spec, "unit": t.unit, "baseline": t.baseline,
        })).collect::<Vec<_>>(),
        "map": difference(&found.of_map, full),
        "outputs": difference(&found.of_outputs, full),
        "runtime": found.map.provenance.runtime,
        "reference": made.runtime,
        "map_secs": found.map_secs,
        "full_secs": found.full_secs,
        "notes": full.notes,
        "version": made.version,
        "model": made.model,
        "input": made.input,
        "arguments": made.arguments.iter().map(|(n, v)| (n.clone(), json!(v))).collect::<serde_json::Map<_, _>>(),
    })
}

fn difference(one: &Difference, map: &Map) -> Value {
    let mut value = json!(one);
    if let (Some(all), Some(window)) = (value.as_object_mut(), one.window) {
        all.insert("place".into(), json!(map.windows.place(window)));
        all.insert("window_in_input".into(), json!(map.windows.bounds(window)));
        all.insert("window_in_source".into(), json!(map.window_in_source(window)));
    }
    value
}

/// An uncompressed `.npz`: `map` (of the runs that were verified), `full` and `difference` (map minus full), each f32 `[T, grid...]` with the first axis left out for one
/// target; `output_difference` f32 `[grid...]`, the largest difference of a window's outputs as a share of the largest |output|; `starts_i`, `ends_i`, `window`, `complete` as
/// in a map's archive. NaN where a window was not compared.
///
/// # Errors
/// File: the archive cannot be made.
pub fn npz(found: &Verification) -> Result<Vec<u8>> {
    let mut archive = Archive::new();
    let shape = shape_of_windows(&found.full);
    let (map, full) = (&found.map.sensitivity, &found.full.sensitivity);
    let difference: Vec<f32> = map.iter().zip(full).map(|(a, b)| a - b).collect();
    archive.add("map", &shape, map)?;
    archive.add("full", &shape, full)?;
    archive.add("difference", &shape, &difference)?;
    archive.add("output_difference", &found.full.windows.shape(), &found.output_shares)?;
    archive.add_windows(&found.full)?;
    archive.finish()
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;
    use crate::map::tests_support::map;

    fn found() -> Verification {
        let one = Difference {
            of: "class 0".into(),
            window: Some(2),
            element: None,
            value: 0.5,
            full: 0.25,
            max_abs_diff: 0.25,
            scale: 1.0,
            share: 0.25,
            bound: 1e-4,
            allowed: 1e-4,
        };
        Verification {
            map: map([2, 6], [2, 2], [2, 2], vec![0.0, 1.0, 0.5]),
            full: map([2, 6], [2, 2], [2, 2], vec![0.0, 1.0, 0.25]),
            of_outputs: Difference { window: None, max_abs_diff: f64::INFINITY, ..one.clone() },
            of_map: one,
            output_shares: vec![0.0, 0.0, 0.5],
            map_secs: 1.0,
            full_secs: 2.0,
        }
    }

    #[test]
    fn the_worst_window_is_placed_and_infinity_is_null() {
        let value = value(&found());
        assert_eq!(
            (&value["schema"], &value["within"], &value["complete"]),
            (&json!(SCHEMA), &json!(false), &json!(true))
        );
        assert_eq!((&value["map"]["place"], &value["map"]["window"]), (&json!([0, 2]), &json!(2)));
        assert_eq!(value["map"]["window_in_input"][2], json!({ "start": 4, "end": 6 }));
        assert_eq!(
            (&value["outputs"]["window"], &value["outputs"]["max_abs_diff"]),
            (&Value::Null, &Value::Null)
        );
    }

    #[test]
    fn both_maps_and_their_difference_are_kept() {
        let bytes = npz(&found()).expect("writes");
        let mut archive = npyz::npz::NpzArchive::new(Cursor::new(bytes)).expect("an archive");
        let mut read = |name: &str| {
            let array = archive.by_name(name).expect("reads").expect(name);
            (array.shape().to_vec(), array.into_vec::<f32>().expect("f32"))
        };
        assert_eq!(read("map"), (vec![1, 3], vec![0.0, 1.0, 0.5]));
        assert_eq!(read("full"), (vec![1, 3], vec![0.0, 1.0, 0.25]));
        assert_eq!(read("difference"), (vec![1, 3], vec![0.0, 0.0, 0.25]));
        assert_eq!(read("output_difference"), (vec![1, 3], vec![0.0, 0.0, 0.5]));
    }
}
