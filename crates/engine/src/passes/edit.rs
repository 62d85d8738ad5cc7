//! What every pass asks of a graph: who writes a tensor, how often it is read, and how to replace nodes.

use crate::graph::{Graph, Node, TensorId};

/// Producer and readers of every tensor, valid until nodes change.
pub(super) struct Uses {
    producer: Vec<Option<usize>>,
    readers: Vec<Vec<usize>>,
    is_output: Vec<bool>,
}

impl Uses {
    pub(super) fn of(graph: &Graph) -> Self {
        let mut uses = Uses {
            producer: vec![None; graph.tensors.len()],
            readers: vec![Vec::new(); graph.tensors.len()],
            is_output: vec![false; graph.tensors.len()],
        };
        for (index, node) in graph.nodes.iter().enumerate() {
            uses.producer[node.output.0] = Some(index);
            for input in &node.inputs {
                uses.readers[input.0].push(index);
            }
        }
        for output in &graph.outputs {
            uses.is_output[output.0] = true;
        }
        uses
    }

    /// Index of the node that writes this tensor; `None` for inputs and constants.
    pub(super) fn producer(&self, id: TensorId) -> Option<usize> {
        self.producer[id.0]
    }

    /// The only node that reads this tensor, if there is just one reading and nobody outside asks for it.
    pub(super) fn only_reader(&self, id: TensorId) -> Option<usize> {
        match self.readers[id.0].as_slice() {
            [reader] if !self.is_output[id.0] => Some(*reader),
            _ => None,
        }
    }
}

/// Node slots during a pass: a removed node leaves a hole, so that indices stay valid until [`Nodes::finish`].
pub(super) struct Nodes {
    slots: Vec<Option<Node>>,
}

impl Nodes {
    pub(super) fn take(graph: &mut Graph) -> Self {
        Nodes { slots: std::mem::take(&mut graph.nodes).into_iter().map(Some).collect() }
    }

    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    pub(super) fn get(&self, index: usize) -> Option<&Node> {
        self.slots[index].as_ref()
    }

    pub(super) fn get_mut(&mut self, index: usize) -> Option<&mut Node> {
        self.slots[index].as_mut()
    }

    pub(super) fn remove(&mut self, index: usize) -> Option<Node> {
        self.slots[index].take()
    }

    pub(super) fn put(&mut self, index: usize, node: Node) {
        self.slots[index] = Some(node);
    }

    pub(super) fn finish(self, graph: &mut Graph) {
        graph.nodes = self.slots.into_iter().flatten().collect();
    }
}
