//! The baseline: one full run of the untouched input whose activations are all kept, by node.
//!
//! What incremental runs read in place and never write. Tensors that the passes fused away are not there.

use std::collections::BTreeMap;

use crate::Result;
use crate::graph::{Graph, TensorId};

use super::runner::Write;
use super::compile::Program;
use super::step::Workspace;

/// How an incremental run computes convolutions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Every changed output again, with all its taps: a full run's bits.
    Gather,
    /// The baseline plus the change's own contribution: less work, equal to the full run but for the order of sums.
    Delta,
}

/// Every activation of the untouched input.
#[derive(Debug)]
pub struct Baseline {
    workspace: Workspace,
    /// Per step that the delta form runs: sum and bias, before residual and activation, where these change it.
    pre_activations: BTreeMap<usize, Vec<f32>>,
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
        let mut pre_activations = BTreeMap::new();
        for index in (0..program.head.first).filter(|_| form == Form::Delta) {
            if let Some((product, _)) = program.delta_product(index)
                && product.has_epilogue()
            {
                let step = &program.steps[index];
                pre_activations.insert(index, workspace.bare_product(program, layout, step, product));
            }
        }
        Ok(Baseline { workspace, pre_activations, form })
    }

    /// How incremental runs beside it compute convolutions.
    pub fn form(&self) -> Form {
        self.form
    }

    /// Sum and bias of a step that the delta form runs, `[output shape...]`; `None` for all other steps.
    pub(super) fn pre_activation<'a>(&'a self, program: &'a Program, index: usize) -> Option<&'a [f32]> {
        program.delta_product(index).filter(|_| self.form == Form::Delta)?;
        let step = &program.steps[index];
        let kept = self.pre_activations.get(&index).map(Vec::as_slice);
        Some(kept.unwrap_or_else(|| self.tensor(program, step.output)))
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
