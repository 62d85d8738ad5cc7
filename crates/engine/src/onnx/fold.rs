//! Evaluation of nodes whose inputs are all constant: shape arithmetic, weights that are computed, constants themselves.
//!
//! In: a node with constant inputs. Out: its outputs as constants. Integers are i64 and exact; floats are f32. What is not known here
//! is evaluated through the foreign node, so that every operator folds.

mod arithmetic;
mod moves;

use std::sync::Arc;

pub(super) use arithmetic::cast;
pub(super) use moves::expand;

use super::foreign;
use super::importer::Importer;
use super::lower;
use super::proto::AttributeValue;
use super::site::{Site, is_onnx};
use super::tensor::{Constant, DType, Data};
use super::value::Value;
use crate::{Error, Result};

/// Elements that folding may make out of little, such as by `Expand`.
const MAX_ELEMENTS: usize = 1 << 26;

/// Refuses results that no model needs as a constant: large ones that are more than the `given` elements.
fn check_size(shape: &[usize], given: usize) -> Result<usize> {
    let most = MAX_ELEMENTS.max(given);
    let len = shape.iter().try_fold(1usize, |n, &d| n.checked_mul(d)).filter(|&n| n <= most);
    len.ok_or_else(|| Error::unsupported(format!("a computed constant of shape {shape:?} is too large")))
}

/// Evaluates a node.
pub(super) fn fold(importer: &Importer, site: &Site) -> Result<Vec<Value>> {
    if lower::is_random(site.op()) {
        return Err(Error::unsupported("draws random numbers, so that no two runs agree"));
    }
    if is_onnx(&site.node.domain)
        && let Some(values) = known(importer, site)?
    {
        return Ok(values);
    }
    foreign::evaluate(importer, site)
}

fn known(importer: &Importer, site: &Site) -> Result<Option<Vec<Value>>> {
    let one = |c: Constant| Ok(Some(vec![Value::Constant(c)]));
    match site.op() {
        "Constant" => one(constant(importer, site)?),
        "ConstantOfShape" => one(constant_of_shape(importer, site)?),
        "Identity" | "Dropout" => Ok(Some(vec![site.need(0)?.clone()])),
        "Shape" | "Size" => lower::shape_of(site).map(Some),
        "Cast" | "CastLike" => {
            let to = match site.int("to")? {
                Some(code) => DType::from_code(code as i32)?,
                None => site.need(1)?.dtype(),
            };
            one(cast(site.need_constant(0)?, to))
        }
        "Range" => arithmetic::range(site).map(wrap),
        "DequantizeLinear" => arithmetic::dequantize(site).map(wrap),
        "Where" => arithmetic::select(site).map(wrap),
        "Reshape" | "Flatten" | "Squeeze" | "Unsqueeze" => moves::reshape(site).map(wrap),
        "Transpose" => moves::transpose(site).map(wrap),
        "Gather" => moves::gather(site).map(wrap),
        "Slice" => moves::slice(site).map(wrap),
        "Concat" => moves::concat(site).map(wrap),
        "Split" => moves::split(site).map(Some),
        "Expand" => {
            let sizes = site.need_constant(1)?.to_i64()?;
            let sizes: Vec<usize> = sizes.iter().map(|&n| n.max(0) as usize).collect();
            let c = site.need_constant(0)?;
            let shape = super::layout::broadcast_shape(&[c.shape.clone(), sizes])?;
            one(expand(c, &shape)?)
        }
        "Tile" => moves::tile(site).map(wrap),
        op if op.starts_with("Reduce") => {
            arithmetic::reduce(site).map(|c| c.map(|c| vec![Value::Constant(c)]))
        }
        _ => arithmetic::elementwise(site).map(|c| c.map(|c| vec![Value::Constant(c)])),
    }
}

fn wrap(c: Constant) -> Option<Vec<Value>> {
    Some(vec![Value::Constant(c)])
}

fn constant(importer: &Importer, site: &Site) -> Result<Constant> {
    let attribute =
        site.node.attributes.iter().find(|a| a.name.starts_with("value") || a.name.starts_with("sparse"));
    Ok(match attribute.map(|a| &a.value) {
        Some(AttributeValue::Tensor(t)) => importer.file.constant(t)?,
        Some(AttributeValue::Float(v)) => Constant::floats(vec![], vec![*v]),
        Some(AttributeValue::Int(v)) => Constant::ints(DType::I64, vec![], vec![*v]),
        Some(AttributeValue::Floats(v)) => Constant::floats(vec![v.len()], v.clone()),
        Some(AttributeValue::Ints(v)) => Constant::vector(v.clone()),
        Some(AttributeValue::Text(_) | AttributeValue::Texts(_)) => {
            return Err(Error::unsupported("a constant of text"));
        }
        Some(_) => return Err(Error::unsupported("a sparse constant")),
        None => return Err(Error::model("a constant without a value")),
    })
}

fn constant_of_shape(importer: &Importer, site: &Site) -> Result<Constant> {
    let sizes = site.need_constant(0)?.to_i64()?;
    let shape = sizes.iter().map(|&n| usize::try_from(n)).collect::<Result<Vec<_>, _>>();
    let shape = shape.map_err(|_| Error::model(format!("shape {sizes:?} has a negative dimension")))?;
    let len = check_size(&shape, 0)?;
    let value = match site.tensor("value")? {
        Some(t) => importer.file.constant(t)?,
        None => Constant::floats(vec![1], vec![0.0]),
    };
    let data = match &value.data {
        Data::Float(v) if v.len() == 1 => Data::Float(Arc::new(vec![v[0]; len])),
        Data::Int(v) if v.len() == 1 => Data::Int(Arc::new(vec![v[0]; len])),
        _ => {
            return Err(Error::model(format!(
                "attribute value of shape {:?}, expected one element",
                value.shape
            )));
        }
    };
    Ok(Constant { dtype: value.dtype, shape, data })
}
