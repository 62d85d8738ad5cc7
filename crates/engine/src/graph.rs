//! The engine's own small graph: what the importer resolves a model to, and all that the executor knows.
//!
//! A graph is for **one example**: the model's batch axis is one of the unit axes, and the executor runs many examples side by side.
//! Every tensor is f32 (integers and booleans of the model are stored as the same numbers) and row-major **as stored**; convolutions and pooling read and
//! write channels-last (`[1, spatial..., C]`). How the stored axes relate to the model's own is kept in [`Tensor::order`].
//! Nothing symbolic is left: shapes, attributes, weights and index tables are final. Values are in topological order of their nodes.

mod op;

pub use op::*;

use std::sync::Arc;

/// Index of a tensor in [`Graph::tensors`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TensorId(pub usize);

/// A tensor of the graph: an input, a constant, or what a node writes.
#[derive(Clone, Debug)]
pub struct Tensor {
    /// The model's name of it (ONNX value name); for tensors that the importer inserted, the name of the one they serve, with a suffix after `#`.
    pub name: String,
    /// Shape as stored, row-major, unit axes included. A scalar has an empty shape.
    pub shape: Vec<usize>,
    /// `order[i]` is the model's axis that is stored at place `i`: `[0, 2, 3, 1]` for a channels-last image that the model calls NCHW.
    pub order: Vec<usize>,
    /// The value, where it does not depend on the input.
    pub constant: Option<Arc<Vec<f32>>>,
}

impl Tensor {
    /// Number of elements of one example.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }
    /// Whether it has no element.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// Shape in the model's own axis order.
    pub fn model_shape(&self) -> Vec<usize> {
        let mut shape = vec![0; self.shape.len()];
        for (stored, &axis) in self.order.iter().enumerate() {
            shape[axis] = self.shape[stored];
        }
        shape
    }
    /// Whether the stored order is the model's order, unit axes aside (so that a copy needs no permutation).
    pub fn is_model_order(&self) -> bool {
        let axes: Vec<usize> =
            (0..self.shape.len()).filter(|&i| self.shape[i] != 1).map(|i| self.order[i]).collect();
        axes.windows(2).all(|w| w[0] < w[1])
    }
}

/// One step of the computation.
#[derive(Clone, Debug)]
pub struct Node {
    /// Operator and name as the model has them, for messages: `Conv "/layer1/conv1/Conv"`.
    pub label: String,
    /// What is computed.
    pub op: Op,
    /// What is read; meaning by position is documented at each [`Op`].
    pub inputs: Vec<TensorId>,
    /// What is written.
    pub output: TensorId,
}

/// A resolved model.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    /// All tensors.
    pub tensors: Vec<Tensor>,
    /// All nodes, each after the ones it reads from.
    pub nodes: Vec<Node>,
    /// The model's inputs in its order, constants (initialisers) not among them.
    pub inputs: Vec<TensorId>,
    /// The model's outputs in its order.
    pub outputs: Vec<TensorId>,
}

impl Graph {
    /// The tensor of this id.
    pub fn tensor(&self, id: TensorId) -> &Tensor {
        &self.tensors[id.0]
    }
    /// Adds a tensor.
    pub fn add_tensor(&mut self, tensor: Tensor) -> TensorId {
        self.tensors.push(tensor);
        TensorId(self.tensors.len() - 1)
    }
    /// Adds a constant stored in the model's own order.
    pub fn add_constant(&mut self, name: impl Into<String>, shape: Vec<usize>, values: Vec<f32>) -> TensorId {
        let order = (0..shape.len()).collect();
        self.add_tensor(Tensor { name: name.into(), shape, order, constant: Some(Arc::new(values)) })
    }
    /// Which axis of the model's order holds the channels of an inner tensor, where operators tell: a convolution, a pooling, or what follows one place by
    /// place. It may be another one than the input's: a converter may put a Transpose in front. `None` where nothing tells.
    pub fn channel_axis(&self, tensor: TensorId) -> Option<usize> {
        let rank = self.tensor(tensor).shape.len();
        let mut at = tensor;
        loop {
            let node = self.nodes.iter().find(|node| node.output == at)?;
            match node.op {
                // These write channels last as stored, and what follows keeps the stored axes.
                Op::Conv(_) | Op::ConvTranspose(_) | Op::Pool(_) | Op::GroupNorm { .. } | Op::Lrn { .. } => {
                    return self.tensor(tensor).order.last().copied();
                }
                Op::Permute { .. }
                | Op::Linear(_)
                | Op::MatMul
                | Op::MatMulTransposed
                | Op::LayerNorm { .. }
                | Op::Foreign(_) => return None,
                _ => at = *node.inputs.iter().find(|id| self.tensor(**id).constant.is_none())?,
            }
            if self.tensor(at).shape.len() != rank {
                return None;
            }
        }
    }
    /// Finds a tensor that some node writes, or an input, by the model's name of it.
    pub fn find(&self, name: &str) -> Option<TensorId> {
        self.tensors.iter().position(|t| t.name == name && t.constant.is_none()).map(TensorId)
    }
}

/// The activation that a model's output ends in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FinalActivation {
    /// Softmax over the classes.
    Softmax,
    /// Its logarithm.
    LogSoftmax,
    /// Sigmoid of each class (multi-label).
    Sigmoid,
}

impl Graph {
    /// What an output ends in, moves aside; `None` for anything else (logits, regression).
    pub fn final_activation(&self, output: TensorId) -> Option<FinalActivation> {
        let mut at = output;
        loop {
            let node = self.nodes.iter().find(|node| node.output == at)?;
            return match &node.op {
                Op::Softmax { log: false, .. } => Some(FinalActivation::Softmax),
                Op::Softmax { log: true, .. } => Some(FinalActivation::LogSoftmax),
                Op::Pointwise(occlude_kernels::Pointwise::Sigmoid) => Some(FinalActivation::Sigmoid),
                Op::Reshape | Op::Permute { .. } => {
                    at = node.inputs[0];
                    continue;
                }
                _ => None,
            };
        }
    }
}
