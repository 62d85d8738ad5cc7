//! What the importer knows of a value while it walks the model.
//!
//! A value is absent, constant, a tensor of the graph under some order of axes, or a flattened tensor whose elements were left in
//! stored order until it is known who reads them.

use std::sync::Arc;

use super::proto;
use super::tensor::{Constant, DType};
use crate::graph::TensorId;

/// A tensor of the graph as one value of the model sees it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Dynamic {
    pub(super) id: TensorId,
    /// Shape as stored.
    pub(super) stored: Vec<usize>,
    /// `order[i]` is this value's axis that is stored at place `i`. Transposes change only this.
    pub(super) order: Vec<usize>,
    pub(super) dtype: DType,
}

impl Dynamic {
    pub(super) fn rank(&self) -> usize {
        self.order.len()
    }

    /// Shape in the model's axis order.
    pub(super) fn shape(&self) -> Vec<usize> {
        let mut shape = vec![0; self.rank()];
        for (place, &axis) in self.order.iter().enumerate() {
            shape[axis] = self.stored[place];
        }
        shape
    }

    /// Where a model axis is stored.
    pub(super) fn place(&self, axis: usize) -> usize {
        self.order.iter().position(|&a| a == axis).unwrap_or(axis)
    }

    pub(super) fn len(&self) -> usize {
        self.stored.iter().product()
    }
}

/// A value of the model.
#[derive(Clone, Debug)]
pub(super) enum Value {
    /// An optional input that is not given.
    Absent,
    /// A stored tensor, decoded when first asked for.
    Stored(Arc<proto::Tensor>),
    Constant(Constant),
    Dynamic(Dynamic),
    /// `source` reshaped to `shape`, all its axes merged into one; `copy` is the same in the model's element order.
    Flattened {
        source: Dynamic,
        shape: Vec<usize>,
        copy: Dynamic,
    },
}

impl Value {
    pub(super) fn dtype(&self) -> DType {
        match self {
            Value::Constant(c) => c.dtype,
            Value::Dynamic(d) | Value::Flattened { source: d, .. } => d.dtype,
            Value::Stored(t) => DType::from_code(t.data_type).unwrap_or(DType::F32),
            Value::Absent => DType::F32,
        }
    }

    /// Shape in the model's axis order.
    pub(super) fn shape(&self) -> Vec<usize> {
        match self {
            Value::Constant(c) => c.shape.clone(),
            Value::Dynamic(d) => d.shape(),
            Value::Flattened { shape, .. } => shape.clone(),
            Value::Stored(t) => t.dims.iter().map(|&d| d.max(0) as usize).collect(),
            Value::Absent => Vec::new(),
        }
    }
}
