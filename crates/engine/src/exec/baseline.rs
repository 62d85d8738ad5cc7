//! The baseline: one full run of the untouched input whose activations are all kept, by node.
//!
//! What incremental runs read in place and never write. Tensors that the passes fused away are not there.

use crate::Result;
use crate::graph::{Graph, TensorId};

use super::batch::Write;
use super::compile::Program;
use super::step::Workspace;

/// Every activation of the untouched input.
#[derive(Debug)]
pub struct Baseline {
    workspace: Workspace,
}

impl Baseline {
    pub(super) fn run(program: &Program, write: &Write<'_>) -> Result<Self> {
        let (graph, layout) = (&program.graph, &program.kept);
        let mut workspace = Workspace::default();
        workspace.prepare(layout, 1);
        for (input, id) in graph.inputs.iter().enumerate() {
            write(0, input, workspace.input_mut(graph, layout, *id, 0));
        }
        workspace.run(program, layout)?;
        Ok(Baseline { workspace })
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
