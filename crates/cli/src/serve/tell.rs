//! Models, inputs, classes, tensors and windows by hand as JSON, as docs/serve.md says.
//!
//! In: what the library knows. Out: JSON for a page. Nothing is computed or looked up here.

use std::collections::BTreeMap;

use occlude::output::html;
use occlude::{ClassValue, Input, Labels, NodeFact, Probe, Settings, preprocess_to_text};
use serde_json::{Value, json};

use super::asked;
use super::shelf::{KeptInput, KeptModel};
use crate::commands::quoted;

pub(super) fn model(kept: &KeptModel, base: &Settings, input: Option<&Input>) -> Value {
    let (model, port) = (&kept.model, kept.model.port());
    let spec = port.typical_spec(model.preprocess().fixed_size());
    let spatial: Vec<Option<usize>> = spec.spatial_axes().into_iter().map(|axis| port.dims[axis]).collect();
    let channels = spec.channels();
    let labels = &model.configuration().labels;
    json!({
        "id": kept.id,
        "name": kept.name,
        "input": format!("{}: {}", port.name, port.shape_text()),
        "spatial": spatial,
        "channels": channels,
        "takes_pictures": spatial.len() == 2 && (channels == 1 || channels == 3),
        "classes": labels.len(),
        "has_names": !labels.is_empty(),
        "preprocess": preprocess_to_text(model.preprocess()),
        "notes": Vec::<String>::new(),
        "defaults": asked::defaults(kept, base),
        "choices": asked::choices(input),
    })
}

pub(super) fn input(kept: &KeptInput) -> Value {
    let input = &kept.input;
    let spatial = input.spec.spatial();
    let picture = kept.picture.get_or_init(|| html::data_url(&input.picture).ok());
    json!({
        "id": kept.id,
        "name": input.file.name,
        "model": kept.model,
        "width": spatial.last(),
        "height": spatial.len().checked_sub(2).map(|axis| spatial[axis]),
        "picture": picture.as_ref().filter(|_| spatial.len() <= 2),
        "notes": input.notes,
        "shape": input.spec.shape,
    })
}

/// Classes whose name holds the text, or whose index it is; names that begin with it come first.
pub(super) fn labels(labels: &Labels, wanted: &str, most: usize) -> Value {
    let wanted = wanted.trim().to_lowercase();
    let rank = |class: usize| {
        let name = labels.name(class).to_lowercase();
        let words = || name.split(|c: char| !c.is_alphanumeric());
        if class.to_string() == wanted {
            Some(0)
        } else if name.starts_with(&wanted) {
            Some(1)
        } else if words().any(|word| word.starts_with(&wanted)) {
            Some(2)
        } else {
            name.contains(&wanted).then_some(3)
        }
    };
    let mut found: Vec<(usize, usize)> =
        (0..labels.len()).filter_map(|class| Some((rank(class)?, class))).collect();
    found.sort_unstable();
    let shown =
        found.iter().take(most).map(|(_, class)| json!({ "index": class, "name": labels.name(*class) }));
    json!({ "labels": shown.collect::<Vec<_>>(), "total": found.len() })
}

/// Inner tensors that a target may name.
pub(super) fn tensors(nodes: &[NodeFact]) -> Value {
    let is_named = |node: &&NodeFact| !node.tensor.is_empty() && !node.tensor.contains('#');
    let tensor = |node: &NodeFact| {
        let operator = node.label.split(' ').next().unwrap_or_default();
        json!({ "name": node.tensor, "shape": node.shape, "operator": operator })
    };
    json!({ "tensors": nodes.iter().filter(is_named).map(tensor).collect::<Vec<_>>() })
}

/// What the model says with a window hidden that was laid by hand.
pub(super) fn probe(probe: &Probe, start: &[usize], input: &Input, labels: &Labels) -> Value {
    let sizes: Vec<usize> =
        input.spec.spatial_axes().into_iter().map(|axis| probe.bounds[axis].len()).collect();
    let target = |(target, &occluded): (&occlude::MapTarget, &f32)| {
        json!({
            "label": target.label,
            "unit": target.unit,
            "baseline": target.baseline,
            "occluded": occluded,
            "sensitivity": target.baseline - occluded,
        })
    };
    let class = |value: &ClassValue| json!({ "index": value.class, "name": labels.short(value.class), "value": value.probability });
    json!({
        "start": start,
        "window": sizes,
        "targets": probe.targets.iter().zip(&probe.scores).map(target).collect::<Vec<_>>(),
        "classes": probe.classes.iter().map(class).collect::<Vec<_>>(),
        "classes_untouched": probe.classes_untouched.iter().map(class).collect::<Vec<_>>(),
    })
}

/// The command line that makes the map of these settings; `how` are the flags that the server was started with.
pub(super) fn command(
    model: &KeptModel,
    input: &KeptInput,
    how: &[(&'static str, String)],
    settings: &BTreeMap<String, String>,
) -> String {
    let mut words = vec!["occlude".to_string(), "map".to_string(), quoted(&model.path), quoted(&input.path)];
    // In the order of the contract: a preset before what replaces its choices.
    let asked = Settings::TABLE.iter().filter_map(|setting| settings.get_key_value(setting.name));
    let asked =
        asked.filter(|(_, value)| !value.trim().is_empty()).map(|(name, value)| (name.as_str(), value));
    for (name, value) in asked.chain(how.iter().map(|(name, value)| (*name, value))) {
        words.push(format!("--{name}"));
        words.push(quoted(value));
    }
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_begin_with_the_text_come_first() {
        let all = Labels::new(
            ["red espresso", "espresso", "expresso maker, espresso", "wine"].map(String::from).to_vec(),
        );
        let found = labels(&all, "ESP", 2);
        let names: Vec<&str> = found["labels"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|l| l["name"].as_str().expect("text"))
            .collect();
        assert_eq!((names, &found["total"]), (vec!["espresso", "red espresso"], &json!(3)));
        assert_eq!(labels(&all, "3", 20)["labels"][0]["name"], "wine");
        assert_eq!(labels(&all, "", 20)["total"], 4);
    }
}
