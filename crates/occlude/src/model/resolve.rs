//! What a run needs of the model: which tensors the scorer must return, and what they mean.
//!
//! In: settings, an input. Out: [`Resolved`]: the vector of classes (or what lies behind its last Softmax, where logits are asked for), the inner tensors among the
//! targets, the meaning of the outputs. A model that is asked again for the same targets on inputs of the same kind is not imported again.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};

use occlude_engine::graph::{FinalActivation, Graph, TensorId};

use super::{Occlusion, requests};
use crate::error::{Error, Result};
use crate::input::Input;
use crate::job::Meaning;
use crate::score::{Activation, Classes, ScoreKind};
use crate::settings::Runtime;
use crate::target::{Boxes, REDUCTIONS, Target, is_vector};
use crate::tensor::TensorSpec;

/// Resolutions kept, the last ones used.
const KEPT: usize = 8;

/// What a run needs of the model.
#[derive(Clone)]
pub(super) struct Resolved {
    /// The model as it was imported for this; `None` where it was known from an earlier run.
    pub(super) graph: Option<Graph>,
    pub(super) requests: Vec<String>,
    pub(super) meaning: Meaning,
    pub(super) notes: Vec<String>,
}

/// What a resolution hangs on.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ResolvedFor {
    specs: Vec<TensorSpec>,
    target: Target,
    score: Option<ScoreKind>,
    classes: Option<Classes>,
    boxes: Boxes,
    runtime: Runtime,
}

impl Occlusion<'_> {
    /// Like [`Occlusion::resolve`], without the graph where it was done for an earlier run.
    pub(super) fn resolve_again(&self, input: &Input, specs: &[TensorSpec]) -> Result<Resolved> {
        let settings = self.settings();
        let wanted = ResolvedFor {
            specs: specs.to_vec(),
            // Which classes makes no difference to what the model must return.
            target: if settings.target.is_of_classes() { Target::All } else { settings.target.clone() },
            score: settings.score,
            classes: settings.classes,
            boxes: settings.boxes.clone(),
            runtime: settings.runtime,
        };
        let known = || self.model().resolved.lock().unwrap_or_else(PoisonError::into_inner);
        {
            let mut known = known();
            if let Some(at) = known.iter().position(|(key, _)| *key == wanted) {
                // The last one used is the last one to go.
                let entry = known.remove(at);
                let resolved = entry.1.clone();
                known.push(entry);
                return Ok(resolved);
            }
        }
        let resolved = self.resolve(input)?;
        let mut known = known();
        if known.len() >= KEPT {
            known.remove(0);
        }
        // Weights are not kept here.
        let without_graph = Resolved {
            graph: None,
            requests: resolved.requests.clone(),
            meaning: resolved.meaning.clone(),
            notes: resolved.notes.clone(),
        };
        known.push((wanted, without_graph));
        Ok(resolved)
    }

    /// Which tensors are needed, and what they mean.
    pub(super) fn resolve(&self, input: &Input) -> Result<Resolved> {
        let mut notes = Vec::new();
        let graph = match (self.model().import(&self.model().specs(input)?), self.settings().runtime) {
            (Ok(graph), _) => Some(graph),
            (Err(error), Runtime::Builtin) => return Err(error),
            (Err(error), Runtime::Ort) => {
                // ONNX Runtime may still load it.
                notes.push(format!(
                    "whether the model ends in Softmax is not known: the importer refuses it ({error})"
                ));
                None
            }
        };
        let target = &self.settings().target;
        let outputs = &self.model().about.outputs;
        // Not asked for, the classes are not computed either: an early tensor needs only the layers before it.
        let vector = graph
            .as_ref()
            .filter(|_| target.wants_classes())
            .and_then(|g| g.outputs.iter().position(|id| is_vector(&g.tensor(*id).model_shape())));
        // Without a vector the first output is looked at and refused with its shape.
        let place = target.wants_classes().then(|| vector.unwrap_or(0));
        let ending = vector.and_then(|place| graph.as_ref().and_then(|g| ending(g, g.outputs[place])));
        let configuration = &self.model().folder.configuration;
        let mut meaning = Meaning {
            labels: Arc::new(configuration.labels.clone()),
            is_classifier: configuration.is_classifier
                || matches!(ending, Some((Activation::Softmax | Activation::LogSoftmax, _))),
            multi_label: configuration.multi_label,
            activation: ending.as_ref().map_or(Activation::None, |(activation, _)| *activation),
            class_output: place.map(|_| 0),
            endings: Vec::new(),
            channel_axes: graph.as_ref().map_or_else(BTreeMap::new, |graph| {
                let axis = |name: String| Some((graph.channel_axis(graph.find(&name)?)?, name));
                target.nodes().into_iter().filter_map(axis).map(|(axis, name)| (name, axis)).collect()
            }),
        };
        let mut requests: Vec<String> =
            place.and_then(|place| outputs.get(place)).map(|o| o.name.clone()).into_iter().collect();
        if let Some((activation, behind)) = ending {
            if let (Some(said), Some(graph), Some(place)) = (self.settings().classes, &graph, vector) {
                said.check(activation, graph.tensor(graph.outputs[place]).len())?;
            }
            notes.push(format!(
                "the model ends in {activation:?}: its output is taken as it is, not normalised again"
            ));
            let needs_logits = matches!(
                self.settings().score,
                Some(ScoreKind::Logit | ScoreKind::LogOdds | ScoreKind::Margin)
            );
            if let (true, Activation::Softmax | Activation::Sigmoid, Some(behind)) =
                (needs_logits, activation, behind)
            {
                notes.pop();
                notes.push(format!(
                    "the model ends in {activation:?}: logits are read before it, from \"{behind}\""
                ));
                meaning.multi_label |= activation == Activation::Sigmoid;
                meaning.activation = Activation::None;
                requests = vec![behind];
            }
        }
        for node in target.nodes() {
            if let Some(graph) = &graph {
                check_reduction(graph, &node)?;
            }
        }
        for name in requests::of(self.settings(), outputs, graph.as_ref(), &input.spec, &meaning.labels)? {
            if !requests.contains(&name) {
                requests.push(name);
            }
        }
        meaning.endings = requests::endings(outputs, graph.as_ref(), &requests);
        Ok(Resolved { graph, requests, meaning, notes })
    }
}

/// Names may hold colons, so a reduction that is not known is read as the end of a name: where the model has a tensor of the rest, the reduction is the mistake.
fn check_reduction(graph: &Graph, node: &str) -> Result<()> {
    let Some((tensor, reduction)) = node.rsplit_once(':') else { return Ok(()) };
    if graph.find(node).is_some() || graph.find(tensor).is_none() {
        return Ok(());
    }
    let near = REDUCTIONS
        .split(", ")
        .map(|known| (strsim::jaro_winkler(known, reduction), known))
        .filter(|(likeness, _)| *likeness >= 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0));
    let hint = near.map_or(String::new(), |(_, known)| format!("did you mean {known}? "));
    Err(Error::argument(format!(
        "target node:{node} asks for \"{reduction}\" of tensor \"{tensor}\", expected {REDUCTIONS}"
    ))
    .with_hint(format!("{hint}node:{tensor} alone is the sum over the channel with the greatest sum")))
}

/// The activation that an output ends in, and the model's name of the tensor before it, where it has one and the same number of elements.
pub(super) fn ending(graph: &Graph, output: TensorId) -> Option<(Activation, Option<String>)> {
    let activation = match graph.final_activation(output)? {
        FinalActivation::Softmax => Activation::Softmax,
        FinalActivation::LogSoftmax => Activation::LogSoftmax,
        FinalActivation::Sigmoid => Activation::Sigmoid,
    };
    let mut at = output;
    // `final_activation` has found that only moves stand between the output and the activation.
    let behind = loop {
        let node = graph.nodes.iter().find(|node| node.output == at)?;
        at = *node.inputs.first()?;
        if matches!(
            node.op,
            occlude_engine::graph::Op::Softmax { .. } | occlude_engine::graph::Op::Pointwise(_)
        ) {
            break graph.tensor(at);
        }
    };
    let usable = !behind.name.contains('#')
        && is_vector(&behind.model_shape())
        && behind.len() == graph.tensor(output).len();
    Some((activation, usable.then(|| behind.name.clone())))
}
