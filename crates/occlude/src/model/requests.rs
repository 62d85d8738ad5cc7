//! Which tensors a target needs beside the vector of classes, and what the model's outputs end in.
//!
//! In: settings, the model's outputs, and its graph, where the importer could make one. Out: names of tensors. Which outputs hold a segmentation or boxes is told by their shapes; without a graph (a model
//! that only ONNX Runtime can run) they are not known before a run, so that outputs have to be named. The vector of classes is found in `occlusion_run`.

use occlude_engine::graph::Graph;
use occlude_engine::onnx::PortInfo;

use super::resolve::ending;
use crate::error::{Error, Result};
use crate::model_folder::Labels;
use crate::score::Activation;
use crate::settings::Settings;
use crate::target::{Port, Target, detection_tensors, segmentation_output};
use crate::tensor::TensorSpec;

/// Tensors that the targets read, each once.
///
/// # Errors
/// Argument: outputs that neither their shapes nor the settings tell. Unsupported: no output of the wanted kind.
pub(super) fn of(
    settings: &Settings,
    outputs: &[PortInfo],
    graph: Option<&Graph>,
    input: &TensorSpec,
    labels: &Labels,
) -> Result<Vec<String>> {
    let shapes: Vec<Vec<usize>> = match graph {
        Some(graph) => graph.outputs.iter().map(|id| graph.tensor(*id).model_shape()).collect(),
        None => Vec::new(),
    };
    let ports: Vec<Port<'_>> =
        outputs.iter().zip(&shapes).map(|(output, shape)| Port { name: &output.name, shape }).collect();
    let mut names: Vec<String> = Vec::new();
    let mut add = |name: &str| {
        if !names.iter().any(|known| known == name) {
            names.push(name.to_string());
        }
    };
    let alone = || match outputs {
        [one] => Ok(one.name.as_str()),
        several => {
            let all: Vec<&str> = several.iter().map(|o| o.name.as_str()).collect();
            Err(Error::argument(format!(
                "the model has {} outputs ({}), and their shapes are not known before it runs",
                several.len(),
                all.join(", ")
            ))
            .with_hint(
                "name the output: segment:CLASS@OUTPUT; for detect, --boxes boxes=OUTPUT,scores=OUTPUT",
            ))
        }
    };
    for part in flat(&settings.target) {
        match part {
            Target::Node { name, .. } | Target::Element { name, .. } => add(name),
            Target::Segment { output, .. } => match (output, graph) {
                (None, None) => add(alone()?),
                _ => add(segmentation_output(output.as_deref(), &ports, input)?),
            },
            Target::Detect { .. } if graph.is_some() => {
                detection_tensors(&settings.boxes, &ports, labels.len())?.iter().for_each(|name| add(name));
            }
            Target::Detect { .. } => match (&settings.boxes.boxes, &settings.boxes.scores) {
                (Some(boxes), scores) => {
                    add(boxes);
                    scores.iter().for_each(|name| add(name));
                }
                (None, _) => add(alone()?),
            },
            _ => {}
        }
    }
    Ok(names)
}

/// What each output of the model that is requested ends in.
pub(super) fn endings(
    outputs: &[PortInfo],
    graph: Option<&Graph>,
    requests: &[String],
) -> Vec<(String, Activation)> {
    let of = |(place, output): (usize, &PortInfo)| {
        let found = graph.and_then(|graph| ending(graph, *graph.outputs.get(place)?));
        (output.name.clone(), found.map_or(Activation::None, |(activation, _)| activation))
    };
    outputs.iter().enumerate().map(of).filter(|(name, _)| requests.contains(name)).collect()
}

fn flat(target: &Target) -> Vec<&Target> {
    target
        .parts()
        .iter()
        .flat_map(|part| if let Target::List(_) = part { flat(part) } else { vec![part] })
        .collect()
}
