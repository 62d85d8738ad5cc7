//! One node of the model as lowering sees it: operator, attributes and inputs with their values.
//!
//! In: a node message and the values of its inputs. Out: typed access that names the node, the attribute and what was expected
//! when something does not fit.

use std::sync::Arc;

use super::proto::{self, AttributeValue};
use super::tensor::Constant;
use super::value::{Dynamic, Value};
use crate::{Error, Result};

/// A node with its inputs resolved.
pub(super) struct Site<'a> {
    pub(super) node: &'a proto::Node,
    pub(super) inputs: Vec<Value>,
    /// Opset of the node's domain.
    pub(super) opset: i64,
    /// Outputs that somebody reads.
    pub(super) used: Vec<bool>,
}

/// Operator and name for messages: `Conv "/layer1/conv1/Conv"`; the first output's name where the node has none.
pub(super) fn label(node: &proto::Node) -> String {
    let name = if node.name.is_empty() { node.outputs.first() } else { Some(&node.name) };
    let domain = if is_onnx(&node.domain) { String::new() } else { format!("{}::", node.domain) };
    format!("{domain}{} \"{}\"", node.op_type, name.map_or("", String::as_str))
}

/// Whether it is the domain of the standard operators.
pub(super) fn is_onnx(domain: &str) -> bool {
    domain.is_empty() || domain == "ai.onnx"
}

impl Site<'_> {
    pub(super) fn op(&self) -> &str {
        &self.node.op_type
    }

    fn attribute(&self, name: &str) -> Option<&AttributeValue> {
        self.node.attributes.iter().find(|a| a.name == name).map(|a| &a.value)
    }

    fn mistyped(&self, name: &str, expected: &str) -> Error {
        Error::model(format!("attribute {name} is {:?}, expected {expected}", self.attribute(name)))
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.attribute(name).is_some()
    }

    pub(super) fn int(&self, name: &str) -> Result<Option<i64>> {
        match self.attribute(name) {
            None | Some(AttributeValue::Missing) => Ok(None),
            Some(AttributeValue::Int(v)) => Ok(Some(*v)),
            Some(_) => Err(self.mistyped(name, "an integer")),
        }
    }

    pub(super) fn int_or(&self, name: &str, default: i64) -> Result<i64> {
        Ok(self.int(name)?.unwrap_or(default))
    }

    pub(super) fn float_or(&self, name: &str, default: f32) -> Result<f32> {
        match self.attribute(name) {
            None | Some(AttributeValue::Missing) => Ok(default),
            Some(AttributeValue::Float(v)) => Ok(*v),
            Some(_) => Err(self.mistyped(name, "a number")),
        }
    }

    pub(super) fn text_or<'t>(&'t self, name: &str, default: &'t str) -> Result<&'t str> {
        match self.attribute(name) {
            None | Some(AttributeValue::Missing) => Ok(default),
            Some(AttributeValue::Text(v)) => Ok(v),
            Some(_) => Err(self.mistyped(name, "text")),
        }
    }

    pub(super) fn ints(&self, name: &str) -> Result<Option<&[i64]>> {
        match self.attribute(name) {
            None | Some(AttributeValue::Missing) => Ok(None),
            Some(AttributeValue::Ints(v)) => Ok(Some(v)),
            Some(_) => Err(self.mistyped(name, "a list of integers")),
        }
    }

    pub(super) fn floats(&self, name: &str) -> Result<Option<&[f32]>> {
        match self.attribute(name) {
            None | Some(AttributeValue::Missing) => Ok(None),
            Some(AttributeValue::Floats(v)) => Ok(Some(v)),
            Some(_) => Err(self.mistyped(name, "a list of numbers")),
        }
    }

    pub(super) fn tensor(&self, name: &str) -> Result<Option<&Arc<proto::Tensor>>> {
        match self.attribute(name) {
            None | Some(AttributeValue::Missing) => Ok(None),
            Some(AttributeValue::Tensor(v)) => Ok(Some(v)),
            Some(_) => Err(self.mistyped(name, "a tensor")),
        }
    }

    pub(super) fn graph(&self, name: &str) -> Result<&Arc<proto::Graph>> {
        match self.attribute(name) {
            Some(AttributeValue::Graph(v)) => Ok(v),
            _ => Err(self.mistyped(name, "a graph")),
        }
    }

    /// The input, if the node has it.
    pub(super) fn get(&self, index: usize) -> Option<&Value> {
        self.inputs.get(index).filter(|v| !matches!(v, Value::Absent))
    }

    pub(super) fn need(&self, index: usize) -> Result<&Value> {
        self.get(index).ok_or_else(|| {
            Error::model(format!("input {index} is missing; the node has {} inputs", self.inputs.len()))
        })
    }

    /// An input that depends on the model's input.
    pub(super) fn dynamic(&self, index: usize) -> Result<&Dynamic> {
        match self.need(index)? {
            Value::Dynamic(d) => Ok(d),
            _ => Err(Error::unsupported(format!(
                "input {index} is constant where a computed value is expected"
            ))),
        }
    }

    /// An input that must be known at import, if the node has it.
    pub(super) fn constant(&self, index: usize) -> Result<Option<&Constant>> {
        match self.get(index) {
            None => Ok(None),
            Some(Value::Constant(c)) => Ok(Some(c)),
            Some(_) => {
                let name = self.node.inputs.get(index).map_or("", String::as_str);
                Err(Error::unsupported(format!(
                    "input {index} (\"{name}\") depends on the picture; it must be constant"
                ))
                .with_hint("--runtime ort can run such a model"))
            }
        }
    }

    pub(super) fn need_constant(&self, index: usize) -> Result<&Constant> {
        self.need(index)?;
        self.constant(index)?.ok_or_else(|| Error::model(format!("input {index} is missing")))
    }

    /// Integers from an input (newer opsets) or an attribute (older ones).
    pub(super) fn ints_at(&self, index: usize, attribute: &str) -> Result<Option<Vec<i64>>> {
        if let Some(c) = self.constant(index)? {
            return Ok(Some(c.to_i64()?.to_vec()));
        }
        Ok(self.ints(attribute)?.map(<[i64]>::to_vec))
    }

    pub(super) fn is_constant(&self) -> bool {
        self.inputs.iter().all(|v| matches!(v, Value::Constant(_) | Value::Absent))
    }
}

/// An axis that may count from the end.
pub(super) fn axis(axis: i64, rank: usize) -> Result<usize> {
    let at = if axis < 0 { axis + rank as i64 } else { axis };
    usize::try_from(at)
        .ok()
        .filter(|&a| a < rank)
        .ok_or_else(|| Error::model(format!("axis {axis} of a value with {rank} axes")))
}

/// Axes that may count from the end, ascending.
///
/// # Errors
/// `Model` if one is outside or named twice.
pub(super) fn axes(list: &[i64], rank: usize) -> Result<Vec<usize>> {
    let mut axes = list.iter().map(|&a| axis(a, rank)).collect::<Result<Vec<_>>>()?;
    axes.sort_unstable();
    if axes.windows(2).any(|w| w[0] == w[1]) {
        return Err(Error::model(format!("axes {list:?} name one axis twice")));
    }
    Ok(axes)
}
