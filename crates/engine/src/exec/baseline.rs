//! The baseline: one full run of the untouched input whose activations are all kept, by node.
//!
//! What incremental runs read in place and never write. Tensors that the passes fused away are not there.

use std::collections::BTreeMap;

use crate::Result;
use crate::graph::{Graph, TensorId};

use super::compile::Program;
use super::runner::Write;
use super::step::Workspace;

/// How an incremental run computes convolutions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Every changed output again, with all its taps: a full run's bits.
    Gather,
    /// The baseline plus the change's own contribution: less work, equal to the full run but for the order of sums.
    Delta,
    /// The delta form for 1x1 convolutions too, and changes of a place that are small beside what the tensor holds are dropped: less work, approximate.
    Truncated,
}

/// Every activation of the untouched input.
#[derive(Debug)]
pub struct Baseline {
    workspace: Workspace,
    /// Per step that the delta form runs: sum and bias, before residual and activation, where these change it.
    pre_activations: BTreeMap<usize, Vec<f32>>,
    /// Truncated form: per step that runs in it, per part of its input, the mean over places of the length of the vector of channels.
    magnitudes: BTreeMap<usize, Vec<f32>>,
    form: Form,
}

impl Baseline {
    pub(super) fn run(program: &Program, form: Form, write: &Write<'_>) -> Result<Self> {
        let (graph, layout) = (&program.graph, &program.kept);
        let mut workspace = Workspace::default();
        workspace.prepare(layout, 1);
        for (input, id) in graph.inputs.iter().enumerate() {
            write(0, input, workspace.input_mut(graph, layout, *id, 0));
        }
        workspace.run(program, 0..program.steps.len(), layout, &mut [])?;
        let (mut pre_activations, mut magnitudes) = (BTreeMap::new(), BTreeMap::new());
        for index in 0..program.head.first {
            let Some((product, _)) = program.delta_product(form, index) else { continue };
            let step = &program.steps[index];
            if form == Form::Truncated {
                let input = workspace.tensor(graph, layout, step.inputs[0], 0);
                magnitudes.insert(
                    index,
                    magnitudes_of(input, product.in_channels, &program.channels_of_parts(index)),
                );
            }
            if product.has_epilogue() {
                pre_activations.insert(index, workspace.bare_product(program, layout, step, product));
            }
        }
        Ok(Baseline { workspace, pre_activations, magnitudes, form })
    }

    /// How incremental runs beside it compute convolutions.
    pub fn form(&self) -> Form {
        self.form
    }

    /// Sum and bias of a step that the delta form runs, `[output shape...]`; `None` for all other steps.
    pub(super) fn pre_activation<'a>(&'a self, program: &'a Program, index: usize) -> Option<&'a [f32]> {
        program.delta_product(self.form, index)?;
        let step = &program.steps[index];
        let kept = self.pre_activations.get(&index).map(Vec::as_slice);
        Some(kept.unwrap_or_else(|| self.tensor(program, step.output)))
    }

    /// Truncated form: the mean magnitude of each part of the input of a step that runs in it; empty for all others.
    pub(super) fn magnitudes(&self, index: usize) -> &[f32] {
        self.magnitudes.get(&index).map_or(&[], Vec::as_slice)
    }

    /// A tensor of the program's graph, `[stored shape...]`; constants too. Empty for tensors that were fused away.
    pub fn tensor<'a>(&'a self, program: &'a Program, id: TensorId) -> &'a [f32] {
        self.workspace.tensor(&program.graph, &program.kept, id, 0)
    }

    /// The graph's outputs in the model's axis order.
    pub fn outputs<'a>(&'a self, program: &'a Program) -> Vec<&'a [f32]> {
        let graph: &Graph = &program.graph;
        graph.outputs.iter().map(|id| self.tensor(program, *id)).collect()
    }
}

/// Per part of so many channels, the mean over rows of the length of that part of the row.
fn magnitudes_of(values: &[f32], channels: usize, parts: &[usize]) -> Vec<f32> {
    let mut sums = vec![0.0_f64; parts.len()];
    for row in values.chunks_exact(channels) {
        let mut from = 0;
        for (sum, &part) in sums.iter_mut().zip(parts) {
            let energy: f64 = row[from..from + part].iter().map(|&v| f64::from(v) * f64::from(v)).sum();
            *sum += energy.sqrt();
            from += part;
        }
    }
    let rows = (values.len() / channels.max(1)).max(1) as f64;
    sums.into_iter().map(|sum| (sum / rows) as f32).collect()
}
