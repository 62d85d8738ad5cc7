//! What was found about an input given its object, for programs: schema `occlude.judgement/1`, which `docs/judgement.md` describes.
//!
//! In: [`Findings`]. Out: JSON. The map itself is written by the other formats.

use serde_json::{Value, json};

use crate::judge::{Findings, Shown};

/// One object for all targets.
pub fn to_json(found: &Findings) -> Value {
    let map = &found.map;
    let label = |shown: &Shown| {
        let mut value = json!(shown);
        if let Some(class) = &shown.most_probable {
            value["most_probable"]["label"] = map.labels.short(class.class).into();
        }
        value
    };
    let target = |finding: &crate::Finding| {
        let mut value = json!(finding);
        let direct = &finding.direct;
        let examples = [
            ("untouched", Some(&direct.untouched)),
            ("object_hidden", Some(&direct.object_hidden)),
            ("object_alone", Some(&direct.object_alone)),
            ("all_hidden", direct.all_hidden.as_ref()),
        ];
        for (name, shown) in examples {
            value["direct"][name] = shown.map_or(Value::Null, label);
        }
        value
    };
    json!({
        "schema": "occlude.judgement/1",
        "version": map.provenance.version,
        "model": map.provenance.model,
        "input": map.provenance.input,
        "input_shape": map.input.shape,
        "object": {
            "places": found.inside.iter().filter(|inside| **inside).count(),
            "of": found.inside.len(),
            "share": found.object_share(),
        },
        "options": found.options,
        "targets": found.targets.iter().map(target).collect::<Vec<_>>(),
        "complete": map.is_complete(),
        "windows": map.windows.len(),
        "computed": map.computed,
        "check": map.check,
        "notes": map.notes,
        "arguments": map.provenance.arguments,
        "runtime": map.provenance.runtime,
        "timings": map.provenance.timings,
    })
}
