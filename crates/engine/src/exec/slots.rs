//! Which buffer each tensor lives in: as few buffers as its lifetime allows, chosen once at compile time.
//!
//! A slot is a growable buffer of one workspace; its size is stated per example. Reshapes share their input's slot, pointwise nodes take over
//! the slot of an input that dies with them. The baseline run keeps every tensor.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use crate::graph::{Graph, Op, TensorId};

/// Where a tensor is found.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    /// In this slot of the workspace, `[examples, len]`.
    Slot(usize),
    /// The same for every example.
    Constant(Arc<Vec<f32>>),
    /// Never read.
    Nowhere,
}

/// The assignment for a whole graph.
#[derive(Clone, Debug)]
pub(crate) struct Slots {
    /// Per tensor.
    pub(crate) places: Vec<Place>,
    /// Floats per example of each slot.
    pub(crate) sizes: Vec<usize>,
}

/// Which tensors may be in one buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sharing {
    /// Tensors that are not needed at the same time; a node may overwrite its first input.
    Overwrite,
    /// Tensors that are not needed at the same time, a node's inputs and output counted as such.
    Reuse,
    /// None: every tensor keeps a buffer of its own (reshapes share their input's).
    KeepAll,
}

/// A run of consecutive nodes.
#[derive(Clone, Debug)]
pub(crate) struct Span<'a> {
    pub(crate) nodes: Range<usize>,
    /// Tensors that are written before the run.
    pub(crate) inputs: &'a [TensorId],
    /// Tensors that are read after it.
    pub(crate) outputs: &'a [TensorId],
    /// What nodes read beside their inputs, by index in the run.
    pub(crate) also_read: BTreeMap<usize, Vec<TensorId>>,
    /// Tensors of the run that are never written.
    pub(crate) unmade: BTreeSet<TensorId>,
}

impl<'a> Span<'a> {
    /// All nodes of a graph.
    pub(crate) fn all(graph: &'a Graph) -> Self {
        Span::new(0..graph.nodes.len(), &graph.inputs, &graph.outputs)
    }

    pub(crate) fn new(nodes: Range<usize>, inputs: &'a [TensorId], outputs: &'a [TensorId]) -> Self {
        Span { nodes, inputs, outputs, also_read: BTreeMap::new(), unmade: BTreeSet::new() }
    }
}

impl Slots {
    pub(crate) fn assign(graph: &Graph, span: &Span<'_>, sharing: Sharing) -> Self {
        let keep_all = sharing == Sharing::KeepAll;
        let nodes = &graph.nodes[span.nodes.clone()];
        let mut last_use = vec![0; graph.tensors.len()];
        for (index, node) in nodes.iter().enumerate() {
            for input in node.inputs.iter().chain(span.also_read.get(&index).into_iter().flatten()) {
                last_use[input.0] = index;
            }
        }
        let forever = nodes.len();
        for output in span.outputs.iter().chain(span.inputs) {
            last_use[output.0] = forever;
        }
        // A reshape shares its input's slot, so the input lives as long as the reshaped tensor. Backwards, so that chains add up.
        for node in nodes.iter().rev() {
            if matches!(node.op, Op::Reshape) && sharing != Sharing::Reuse {
                let input = node.inputs[0].0;
                last_use[input] = last_use[input].max(last_use[node.output.0]);
            }
        }

        let mut slots = Slots { places: Vec::with_capacity(graph.tensors.len()), sizes: Vec::new() };
        slots
            .places
            .extend(graph.tensors.iter().map(|t| t.constant.clone().map_or(Place::Nowhere, Place::Constant)));
        let mut holder: Vec<Option<TensorId>> = Vec::new();
        for input in span.inputs {
            slots.place_in_new(graph, *input, &mut holder);
        }
        for (index, node) in nodes.iter().enumerate().filter(|(_, node)| !span.unmade.contains(&node.output))
        {
            let shared = node.inputs.first().and_then(|input| match slots.places[input.0] {
                Place::Slot(slot) => {
                    let dies = last_use[input.0] <= index && !keep_all;
                    let takes_over = dies && runs_in_place(&node.op);
                    let shares = matches!(node.op, Op::Reshape) || takes_over;
                    (shares && sharing != Sharing::Reuse).then_some(slot)
                }
                _ => None,
            });
            if let Some(slot) = shared {
                slots.places[node.output.0] = Place::Slot(slot);
                let end = last_use[node.output.0].max(holder[slot].map_or(0, |held| last_use[held.0]));
                last_use[node.output.0] = end;
                holder[slot] = Some(node.output);
            } else {
                slots.place(graph, node.output, keep_all, &mut holder);
            }
            for slot in &mut holder {
                // Keep what was just written even if nobody reads it: its buffer is in use during this step.
                *slot = slot.filter(|held| last_use[held.0] > index || keep_all);
            }
        }
        slots
    }

    /// The smallest free slot that is large enough, else the largest free one (it grows), else a new one.
    fn place(&mut self, graph: &Graph, id: TensorId, keep_all: bool, holder: &mut Vec<Option<TensorId>>) {
        let size = graph.tensor(id).len();
        let free = (0..self.sizes.len()).filter(|&slot| holder[slot].is_none());
        let best = free.min_by_key(|&slot| match self.sizes[slot].checked_sub(size) {
            Some(spare) => (0, spare),
            None => (1, size - self.sizes[slot]),
        });
        match best.filter(|_| !keep_all) {
            Some(slot) => {
                self.sizes[slot] = self.sizes[slot].max(size);
                holder[slot] = Some(id);
                self.places[id.0] = Place::Slot(slot);
            }
            None => self.place_in_new(graph, id, holder),
        }
    }

    fn place_in_new(&mut self, graph: &Graph, id: TensorId, holder: &mut Vec<Option<TensorId>>) {
        self.sizes.push(graph.tensor(id).len());
        holder.push(Some(id));
        self.places[id.0] = Place::Slot(self.sizes.len() - 1);
    }

    /// Floats per example of all slots together.
    pub(crate) fn floats_per_example(&self) -> usize {
        self.sizes.iter().sum()
    }
}

/// Whether the kernel can overwrite its first input.
fn runs_in_place(op: &Op) -> bool {
    matches!(op, Op::Pointwise(_) | Op::Affine(_) | Op::PRelu { .. })
}
