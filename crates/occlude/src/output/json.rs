//! The `.json` output, schema `occlude.map/1`: every number of the map and how it was made, for other programs.
//!
//! Arrays are nested in the order of their axes; a window that was not computed is `null`. Where the definition is not the sensitivities on the grid, `map` of a target holds what it says. Numbers are written so that reading them as f32
//! gives the same bits.

use serde_json::{Value, json};

use crate::map::{Direction, Map};
use crate::occlusion::Windows;

/// Name and version of the schema.
pub const SCHEMA: &str = "occlude.map/1";
/// Windows listed for and against each target.
const TOP: usize = 10;

/// The map as JSON.
pub fn value(map: &Map) -> Value {
    let shape = map.windows.shape();
    let view = map.view();
    let is_plain = map.definition.is_plain() && map.windows.grid().is_some();
    let targets: Vec<Value> = map
        .targets
        .iter()
        .enumerate()
        .map(|(t, target)| {
            let mut object = json!({
                "label": target.label,
                "class": target.class,
                "spec": target.spec,
                "unit": target.unit,
                "baseline": number(target.baseline),
                "summary": map.summary(t),
                "sensitivity": nested(map.sensitivity_of(t), &shape, number),
                "scores": nested(map.scores_of(t), &shape, number),
                "top_for": map.top_windows(t, Direction::For, TOP),
                "top_against": map.top_windows(t, Direction::Against, TOP),
            });
            if !is_plain {
                object["map"] = nested(view.of(t), &view.grid.shape(), number);
            }
            if let Some(spread) = &map.noise_spread {
                let of_target = &spread[t * map.windows.len()..(t + 1) * map.windows.len()];
                object["spread"] = nested(of_target, &shape, number);
            }
            object
        })
        .collect();
    let most_probable = map.most_probable.as_ref().map(|m| {
        let mut classes: Vec<usize> = m.windows.iter().filter_map(|&c| usize::try_from(c).ok()).collect();
        classes.push(m.baseline);
        classes.sort_unstable();
        classes.dedup();
        let labels: serde_json::Map<String, Value> =
            classes.into_iter().map(|c| (c.to_string(), json!(map.labels.name(c)))).collect();
        let class = |c: i32| if c < 0 { Value::Null } else { json!(c) };
        json!({ "baseline": m.baseline, "windows": nested(&m.windows, &shape, class), "labels": labels })
    });
    let grid = map.windows.grid().map(|g| json!({ "shape": shape, "border": g.border, "axes": g.axes }));
    let boxes =
        map.windows.grid().is_none().then(|| {
            (0..map.windows.len()).map(|window| json!(map.windows.bounds(window))).collect::<Vec<_>>()
        });
    json!({
        "schema": SCHEMA,
        "complete": map.is_complete(),
        "windows": map.windows.len(),
        "computed": map.computed,
        "score": map.score,
        "sign": "baseline minus occluded score: positive = evidence for the target was hidden",
        "input": map.input,
        "geometry": geometry(map),
        "grid": grid,
        "boxes": boxes,
        "regions": regions(map),
        "definition": map.definition,
        "targets": targets,
        "most_probable": most_probable,
        "check": map.check,
        "approximation": map.approximation,
        "work": map.work,
        "unchanged": map.unchanged,
        "notes": map.notes,
        "provenance": {
            "version": map.provenance.version,
            "model": map.provenance.model,
            "input": map.provenance.input,
            "runtime": map.provenance.runtime,
            "arguments": map.provenance.arguments.iter().map(|(n, v)| (n.clone(), json!(v))).collect::<serde_json::Map<_, _>>(),
            "command": map.provenance.command,
            "timings": map.provenance.timings,
        },
    })
}

/// The way back to the source; of volumes with the affine of the elements, their size in millimetres and where axes run to.
fn geometry(map: &Map) -> Value {
    let mut object = json!(map.geometry);
    match &map.geometry.placement {
        Some(placement) => {
            object["placement"]["orientation"] = json!(placement.codes());
            object["orientation"] = json!(placement.counted_codes());
            object["millimetres"] = json!(map.geometry.millimetres());
            object["affine"] = json!(map.geometry.affine());
        }
        None => {
            if let Some(entries) = object.as_object_mut() {
                entries.remove("placement");
            }
        }
    }
    object
}

/// Labels, names and sizes of the regions, in the order of the windows; null where windows are boxes.
fn regions(map: &Map) -> Value {
    let Windows::Regions(regions) = &map.windows else { return Value::Null };
    regions
        .parts
        .iter()
        .map(|part| json!({ "label": part.label, "name": part.name, "places": part.count }))
        .collect()
}

/// The bytes of the file: JSON on several lines, arrays of numbers on one line each, a line feed at the end.
pub fn encode(map: &Map) -> Vec<u8> {
    lines(&value(map))
}

/// A JSON value as the bytes of a file, laid out like a map.
pub(super) fn lines(value: &Value) -> Vec<u8> {
    let mut text = String::new();
    write(value, 0, &mut text);
    text.push('\n');
    text.into_bytes()
}

/// The shortest decimal number that is this f32, so that reading it gives the same bits; `null` if it is not finite.
pub(super) fn number(v: f32) -> Value {
    v.to_string()
        .parse::<f64>()
        .ok()
        .and_then(serde_json::Number::from_f64)
        .map_or(Value::Null, Value::Number)
}

pub(super) fn nested<T: Copy>(values: &[T], shape: &[usize], one: fn(T) -> Value) -> Value {
    match shape {
        [] => values.first().map_or(Value::Null, |&v| one(v)),
        [_] => Value::Array(values.iter().map(|&v| one(v)).collect()),
        [_, rest @ ..] => {
            let step: usize = rest.iter().product();
            Value::Array(values.chunks(step.max(1)).map(|part| nested(part, rest, one)).collect())
        }
    }
}

fn write(value: &Value, depth: usize, text: &mut String) {
    let is_small = |v: &Value| !v.is_object() && !v.is_array();
    let line = |text: &mut String, depth: usize| {
        text.push('\n');
        text.extend(std::iter::repeat_n(' ', depth));
    };
    match value {
        Value::Array(items) if !items.iter().all(is_small) => {
            text.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    text.push(',');
                }
                line(text, depth + 1);
                write(item, depth + 1, text);
            }
            line(text, depth);
            text.push(']');
        }
        Value::Object(entries) if !entries.is_empty() => {
            text.push('{');
            for (i, (key, item)) in entries.iter().enumerate() {
                if i > 0 {
                    text.push(',');
                }
                line(text, depth + 1);
                text.push_str(&Value::String(key.clone()).to_string());
                text.push_str(": ");
                write(item, depth + 1, text);
            }
            line(text, depth);
            text.push('}');
        }
        small => text.push_str(&small.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::map::tests_support::map;

    #[test]
    fn every_number_survives() {
        let map = map([2, 4], [2, 2], [2, 2], vec![0.1, f32::NAN]);
        let text = String::from_utf8(encode(&map)).expect("UTF-8");
        let back: Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(back, serde_json::from_str::<Value>(&value(&map).to_string()).expect("JSON"));
        assert_eq!(
            (back["schema"].as_str(), back["complete"].as_bool(), back["computed"].as_u64()),
            (Some(SCHEMA), Some(false), Some(1))
        );
        let target = &back["targets"][0];
        assert_eq!(target["sensitivity"][0][0].as_f64().expect("a number") as f32, 0.1f32);
        assert!(text.contains("0.1,"), "the shortest form is written");
        assert!(target["sensitivity"][0][1].is_null());
        assert_eq!(back["grid"]["axes"][1]["starts"], json!([0, 2]));
    }
}
