//! The seam that every front shares: a scorer takes the input once, then sets of windows, and returns the model's outputs per window.
//!
//! In: an [`Occluder`] and window indices. Out: outputs per window, handed to a sink as they finish. Targets, scores, maps and pages do not know
//! which scorer runs: the engine, ONNX Runtime, or any function from a batch to outputs ([`BatchScorer`]).

mod batch;
mod engine;
#[cfg(feature = "ort")]
mod ort;

use std::ops::ControlFlow;
use std::sync::Arc;

pub use batch::{BatchScorer, RunBatch};
pub(crate) use engine::tensor_of;
pub use engine::{EngineOptions, EngineScorer, FullRuns, MemoryPlan, WorkPlan};
#[cfg(feature = "ort")]
pub use ort::{OrtModel, find_library as find_onnxruntime};

use crate::error::Result;
use crate::occlusion::Occluder;
use crate::tensor::TensorSpec;

/// What a model returned for one example (or, inside [`BatchScorer`], for a batch).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outputs {
    /// Names of the tensors, in the order they were asked for.
    pub names: Vec<String>,
    /// Shape of each for one example, in the model's own order, batch axis of 1 included where the model has one.
    pub shapes: Vec<Vec<usize>>,
    /// Row-major values of each.
    pub values: Vec<Vec<f32>>,
}

impl Outputs {
    /// Each output's values.
    pub fn slices(&self) -> Vec<&[f32]> {
        self.values.iter().map(Vec::as_slice).collect()
    }
}

/// Gets a window and its outputs (one slice per requested tensor); may stop the run.
pub type Sink<'a> = dyn FnMut(usize, &[&[f32]]) -> ControlFlow<()> + 'a;

/// How much was multiplied and added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MultiplyAdds {
    /// For all windows together.
    pub done: u64,
    /// By one full run.
    pub full_run: u64,
}

/// A model, ready to score windows. Constructed with the tensors whose values are wanted.
pub trait Scorer: Sync {
    /// What the model's inputs are, in the order in which they are given.
    fn inputs(&self) -> &[TensorSpec];
    /// What runs, in words, for provenance: `builtin, full, avx2`.
    fn runtime(&self) -> String;
    /// One run of one example alone, a slice per input: on occluded inputs the independent run of the self-check.
    ///
    /// # Errors
    /// What the model says.
    fn baseline(&self, inputs: &[&[f32]]) -> Result<Outputs>;
    /// The outputs for the untouched input, whose windows come next: what [`Scorer::baseline`] says, where the scorer keeps nothing of it for them.
    ///
    /// # Errors
    /// What the model says.
    fn untouched(&self, inputs: &[&[f32]]) -> Result<Outputs> {
        self.baseline(inputs)
    }
    /// Scores windows, beginning with the first ones given. `sink` is called from this thread as groups finish, in any order inside a group; when it
    /// returns `Break` no further group is begun, what is computed already may still be handed over (the sink takes it), and the call returns `Ok`.
    ///
    /// # Errors
    /// What the model says.
    fn score(&self, occluder: &Occluder, windows: &[usize], sink: &mut Sink<'_>) -> Result<()>;
    /// Like [`Scorer::score`], dropping changes inside the network that are shorter than this share of what is usual there. Where that is not possible
    /// ([`Scorer::can_approximate`]) it is exact.
    ///
    /// # Errors
    /// What the model says.
    fn score_approximately(
        &self,
        occluder: &Occluder,
        windows: &[usize],
        _drop_below: f32,
        sink: &mut Sink<'_>,
    ) -> Result<()> {
        self.score(occluder, windows, sink)
    }
    /// Like [`Scorer::score`], for windows that may hide most of the input: each is run as costs less, by what it changes or in full. Results come in any order.
    ///
    /// # Errors
    /// What the model says.
    fn score_any_size(&self, occluder: &Occluder, windows: &[usize], sink: &mut Sink<'_>) -> Result<()> {
        self.score(occluder, windows, sink)
    }
    /// Whether [`Scorer::score_approximately`] can drop anything.
    fn can_approximate(&self) -> bool {
        false
    }
    /// Another scorer of the same model, its weights shared, that keeps what it keeps of an input for itself: for another thread that runs other inputs. `None` where this one keeps nothing of an input and may be shared as
    /// it is.
    fn twin(&self) -> Option<Arc<dyn Scorer + Send + Sync>> {
        None
    }
    /// Multiply-adds of the windows scored until now; `None` where they are not counted.
    fn multiply_adds(&self) -> Option<MultiplyAdds> {
        None
    }
}
