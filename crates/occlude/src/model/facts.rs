//! What is known about a model before it runs: for `inspect`, and, with an input, for `plan`.
//!
//! In: a [`Model`]. Out: [`Facts`] (inputs, outputs, operators, cost per node) and [`RunPlan`] (windows, cost, memory). Nothing is run.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;

use occlude_engine::graph::{Graph, Op};
use occlude_engine::onnx::{Dim, PortInfo};
use occlude_engine::plan;

use super::{Model, Occlusion, resolve};
use crate::error::Result;
use crate::input::Input;
use crate::job::{Job, hide};
use crate::occlusion::{Unchanged, Windows};
use crate::score::Activation;
use crate::scorer::{EngineScorer, MemoryPlan, WorkPlan};
use crate::settings::Runtime;
use crate::target::is_vector;
use crate::tensor::TensorSpec;

/// An input or output.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TensorFact {
    /// Its name in the model.
    pub name: String,
    /// Dimensions as the file has them, batch axis included: numbers, names of open ones, or `?`; `None` where the file says nothing.
    pub dims: Option<Vec<String>>,
}

/// The cost of one node.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NodeFact {
    /// Operator and name as the model has them.
    pub label: String,
    /// Kind of operator in the engine.
    pub kind: String,
    /// Shape written.
    pub shape: Vec<usize>,
    /// The model's name of the tensor written, as in `node:NAME`; one with `#` is a step of the engine's own, which the model's file does not have.
    pub tensor: String,
    /// Multiply-adds.
    pub macs: u64,
    /// Whether it runs on whole tensors through the importer.
    pub is_foreign: bool,
}

/// What is known about a model.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Facts {
    /// File name.
    pub file: String,
    /// SHA-256 of the file.
    pub sha256: String,
    /// Bytes of the file, external data not included.
    pub bytes: u64,
    /// Version of the ONNX operator set.
    pub opset: i64,
    /// Version of the file format.
    pub ir_version: i64,
    /// Who wrote the file.
    pub producer: String,
    /// Inputs.
    pub inputs: Vec<TensorFact>,
    /// Outputs.
    pub outputs: Vec<TensorFact>,
    /// Where the channels are taken to be.
    pub layout: crate::tensor::Layout,
    /// Shape of the first input (batch axis left out) that the numbers below are for.
    pub shape: Vec<usize>,
    /// Whether it is taken as a classifier, and why (or why not), in words.
    pub is_classifier: bool,
    /// See `is_classifier`.
    pub why: String,
    /// Number of class names beside the model.
    pub class_names: usize,
    /// How pictures become the input, in the grammar of `--preprocess`.
    pub preprocess: String,
    /// Who says so.
    pub preprocess_source: String,
    /// Configuration files read.
    pub configuration: Vec<String>,
    /// Nodes, in order.
    pub nodes: Vec<NodeFact>,
    /// How often each kind of operator occurs.
    pub operators: BTreeMap<String, usize>,
    /// Multiply-adds of one run.
    pub macs: u64,
    /// Numbers in weights and other constants, as the importer resolved them.
    pub parameters: u64,
    /// Receptive field: the last tensor with places, its size and step in input elements per spatial axis.
    pub receptive_field: Option<(String, Vec<usize>, Vec<usize>)>,
    /// What one run holds in memory.
    pub memory: MemoryPlan,
    /// Instruction set used.
    pub instruction_set: &'static str,
}

/// What a run would do.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RunPlan {
    /// What is hidden.
    #[serde(skip)]
    pub places: Windows,
    /// Number of windows.
    pub windows: usize,
    /// Those of them that need a run: of windows that hide the same elements the first, of windows that hide nothing none.
    pub runs: usize,
    /// How much of the windows is the fill already, where that is known before a run.
    pub unchanged: Option<Unchanged>,
    /// Multiply-adds of one full run, up to the tensors that the target needs.
    pub macs_per_full_run: u64,
    /// What an average window costs; `None` where ONNX Runtime would run it.
    pub work: Option<WorkPlan>,
    /// Memory; `None` where ONNX Runtime would run it.
    pub memory: Option<MemoryPlan>,
    /// Instruction set; `None` where ONNX Runtime would run it.
    pub instruction_set: Option<&'static str>,
    /// Threads.
    pub threads: usize,
    /// Silent choices, in words.
    pub notes: Vec<String>,
}

impl Model {
    /// The nodes that an input of this shape goes through, in order: what targets may name as `node:NAME`. Nothing is compiled.
    ///
    /// # Errors
    /// What the importer says.
    pub fn nodes(&self, input: &Input) -> Result<Vec<NodeFact>> {
        Ok(node_facts(&self.import(&self.specs(input)?)?))
    }

    /// Looks at the model, resolved for a typical input where dimensions are open.
    ///
    /// # Errors
    /// What the importer and the engine say.
    pub fn facts(&self) -> Result<Facts> {
        let specs: Vec<TensorSpec> =
            self.ports.iter().map(|port| port.typical_spec(self.preprocess.fixed_size())).collect();
        let graph = self.import(&specs)?;
        let vector = graph.outputs.iter().copied().find(|id| is_vector(&graph.tensor(*id).model_shape()));
        let ending = vector.and_then(|id| resolve::ending(&graph, id)).map(|(activation, _)| activation);
        let configuration = &self.folder.configuration;
        let (is_classifier, why) = match (ending, configuration.is_classifier) {
            (_, true) => (true, "the files beside the model say so".to_string()),
            (Some(Activation::Softmax | Activation::LogSoftmax), false) => {
                (true, "it ends in Softmax".to_string())
            }
            (Some(other), false) => {
                (false, format!("it ends in {other:?}, and no file beside it says that it is one"))
            }
            (None, false) if vector.is_none() => {
                (false, "it has no output of one value per class".to_string())
            }
            (None, false) => {
                (false, "it does not end in Softmax, and no file beside it says that it is one".to_string())
            }
        };
        let nodes = node_facts(&graph);
        let mut operators = BTreeMap::new();
        for node in &nodes {
            let operator = node.label.split(' ').next().unwrap_or_default().to_string();
            *operators.entry(operator).or_default() += 1;
        }
        let receptive_field =
            plan::receptive_field(&graph).map(|field| (field.tensor, field.size, field.step));
        let parameters = parameters(&graph);
        let outputs: Vec<String> = self.about.outputs.iter().map(|o| o.name.clone()).collect();
        let scorer = EngineScorer::new(graph, specs.clone(), &outputs, self.engine_options(&self.settings))?;
        Ok(Facts {
            file: self.fact.name.clone(),
            sha256: self.fact.sha256.clone(),
            bytes: self.about.bytes,
            opset: self.about.opset,
            ir_version: self.about.ir_version,
            producer: self.about.producer.clone(),
            inputs: self.about.inputs.iter().map(tensor_fact).collect(),
            outputs: self.about.outputs.iter().map(tensor_fact).collect(),
            layout: self.port().layout,
            shape: specs[0].shape.clone(),
            is_classifier,
            why,
            class_names: configuration.labels.len(),
            preprocess: crate::input::preprocess_to_text(&self.preprocess),
            preprocess_source: self.preprocess.source.clone(),
            configuration: configuration.files.iter().map(|f| f.display().to_string()).collect(),
            macs: nodes.iter().map(|n| n.macs).sum(),
            nodes,
            operators,
            parameters,
            receptive_field,
            memory: scorer.memory(None)?,
            instruction_set: scorer.instruction_set(),
        })
    }
}

impl Occlusion<'_> {
    /// Counts what a run on this input would do, without running it.
    ///
    /// # Errors
    /// Settings that do not fit the input; what the importer and the engine say.
    pub fn plan(&self, input: &Input) -> Result<RunPlan> {
        let input = &self.prepared(input)?;
        let places = Job::windows(self.settings(), input)?;
        let windows = places.len();
        let resolved = self.resolve(input)?;
        let model = self.model();
        let specs = model.specs(input)?;
        let macs = resolved.graph.as_ref().map_or(0, |graph| work_for(graph, &resolved.requests));
        let options = model.engine_options(&self.how());
        let mut notes = input.notes.clone();
        notes.extend(resolved.notes);
        let engine = match (self.settings().runtime, resolved.graph) {
            (Runtime::Builtin, Some(graph)) => {
                Some(EngineScorer::new(graph, specs.clone(), &resolved.requests, options)?)
            }
            _ => None,
        };
        let read_image = self.image_reader(input);
        let settings = self.settings();
        let occluder = hide::occluder(settings, &specs, input, settings.seed, Some(&read_image))?;
        Ok(RunPlan {
            windows,
            runs: occluder.runs().len(),
            unchanged: occluder.unchanged(),
            macs_per_full_run: macs,
            memory: engine.as_ref().map(|engine| engine.memory(Some(&occluder))).transpose()?,
            work: engine.as_ref().map(|engine| engine.work(&occluder)),
            places,
            instruction_set: engine.as_ref().map(EngineScorer::instruction_set),
            threads: options.threads,
            notes,
        })
    }
}

/// Multiply-adds of the nodes that these tensors depend on.
fn work_for(graph: &Graph, requests: &[String]) -> u64 {
    let mut needed: Vec<bool> = vec![false; graph.tensors.len()];
    requests.iter().filter_map(|name| graph.find(name)).for_each(|id| needed[id.0] = true);
    let mut macs = 0;
    // Nodes stand after those that they read from.
    for (node, work) in graph.nodes.iter().zip(plan::work(graph)).rev() {
        if needed[node.output.0] {
            macs += work.macs;
            node.inputs.iter().for_each(|input| needed[input.0] = true);
        }
    }
    macs
}

/// Numbers in weights, biases and other constants.
fn parameters(graph: &Graph) -> u64 {
    let of = |list: &[Option<&Arc<Vec<f32>>>]| list.iter().flatten().map(|v| v.len()).sum::<usize>();
    let in_nodes: usize = graph
        .nodes
        .iter()
        .map(|node| match &node.op {
            Op::Conv(c) => of(&[Some(&c.weight), c.bias.as_ref()]),
            Op::ConvTranspose(c) => of(&[Some(&c.weight), c.bias.as_ref()]),
            Op::Linear(l) => of(&[Some(&l.weight), l.bias.as_ref()]),
            Op::Affine(a) => of(&[Some(&a.scale), Some(&a.shift)]),
            Op::PRelu { slope } => slope.len(),
            Op::LayerNorm { scale, shift, .. } | Op::GroupNorm { scale, shift, .. } => {
                scale.len() + shift.len()
            }
            _ => 0,
        })
        .sum();
    let constants: usize = graph.tensors.iter().filter_map(|t| t.constant.as_ref()).map(|v| v.len()).sum();
    (in_nodes + constants) as u64
}

fn tensor_fact(port: &PortInfo) -> TensorFact {
    let dim = |dim: &Dim| match dim {
        Dim::Fixed(n) => n.to_string(),
        Dim::Symbolic(name) => name.clone(),
        Dim::Unknown => "?".to_string(),
    };
    TensorFact {
        name: port.name.clone(),
        dims: port.dims.as_ref().map(|dims| dims.iter().map(dim).collect()),
    }
}

fn node_facts(graph: &Graph) -> Vec<NodeFact> {
    plan::work(graph)
        .into_iter()
        .zip(&graph.nodes)
        .map(|(n, node)| NodeFact {
            label: n.label,
            kind: n.kind.to_string(),
            shape: n.shape,
            tensor: graph.tensor(node.output).name.clone(),
            macs: n.macs,
            is_foreign: n.is_foreign,
        })
        .collect()
}
