//! Moves between stored and model order: the few that a graph needs, and none where a relabelling will do.
//!
//! In: values with the order in which their axes are stored, and the order or shape that an operator wants. Out: the same values,
//! moved by `Permute` where elements must move, by `Reshape` where only unit axes do, and not at all where nothing does.

use super::importer::Importer;
use super::regroup::{Regroup, regroup};
use super::tensor::{Constant, DType};
use super::value::{Dynamic, Value};
use crate::graph::{Node, Op, Tensor, TensorId};
use crate::{Error, Result};

/// Elements of one example's tensor; index tables of the kernels cannot reach further.
const MAX_ELEMENTS: usize = 1 << 30;

/// Places of one axis that an operator picks or weighs; a table of them is kept.
const MAX_TABLE: usize = 1 << 24;

/// The shape of a result, if its tensor can be indexed.
///
/// # Errors
/// `Unsupported` for 2^30 elements or more.
pub(super) fn check_size(shape: &[usize]) -> Result<()> {
    let len = shape.iter().try_fold(1usize, |n, &d| n.checked_mul(d)).filter(|&n| n < MAX_ELEMENTS);
    match len {
        Some(_) => Ok(()),
        None => Err(Error::unsupported(format!("a value of shape {shape:?} has 2^30 elements or more"))),
    }
}

/// Length of one axis for which a table is made.
///
/// # Errors
/// `Unsupported` for more than 2^24.
pub(super) fn check_table(len: usize) -> Result<usize> {
    if len <= MAX_TABLE {
        return Ok(len);
    }
    Err(Error::unsupported(format!(
        "an axis of {len} elements is picked or resized; at most 2^24 are supported"
    )))
}

/// What a node of zero padding was made of.
#[derive(Clone, Debug)]
pub(super) struct ZeroPad {
    /// The tensor before padding.
    pub(super) source: TensorId,
    pub(super) source_stored: Vec<usize>,
    /// Elements added before and after, per stored axis.
    pub(super) pads: Vec<(usize, usize)>,
}

/// `[0, 2, 3, 1]`: the order that convolutions and pools want.
pub(super) fn channels_last(rank: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..rank).filter(|&axis| axis != 1).collect();
    if rank > 1 {
        order.push(1);
    }
    order
}

/// Elements of a constant with its axes in another order.
pub(super) fn permuted(values: &[f32], shape: &[usize], order: &[usize]) -> Vec<f32> {
    let mut out = vec![0.0; values.len()];
    occlude_kernels::permute(values, shape, order, &mut out);
    out
}

/// Flat index, row-major in `shape`, of each element as it is stored in `order`.
pub(super) fn flat_indices(shape: &[usize], order: &[usize]) -> Vec<usize> {
    let mut all = vec![0];
    for &axis in order {
        let stride: usize = shape[axis + 1..].iter().product();
        all = all.iter().flat_map(|base| (0..shape[axis]).map(move |i| base + i * stride)).collect();
    }
    all
}

/// `[m, k]` to `[k, m]`, row `i` of the result being column `columns[i]`.
///
/// Reads sixteen rows side by side and writes sixteen neighbours at once, which matters for weights of hundreds of megabytes.
pub(super) fn transposed(values: &[f32], m: usize, columns: &[usize]) -> Vec<f32> {
    const LANES: usize = 16;
    let k = columns.len();
    let mut place = vec![0; k];
    columns.iter().enumerate().for_each(|(row, &column)| place[column] = row);
    let mut out = vec![0.0; values.len()];
    for first in (0..m).step_by(LANES) {
        let lanes = LANES.min(m - first);
        let rows = &values[first * k..(first + lanes) * k];
        for (column, row) in place.iter().enumerate() {
            let out = &mut out[row * m + first..][..lanes];
            for (lane, out) in out.iter_mut().enumerate() {
                *out = rows[lane * k + column];
            }
        }
    }
    out
}

impl Importer<'_> {
    /// Adds a node of the operator being lowered. `stored` is the result's shape as stored.
    pub(super) fn emit(
        &mut self,
        op: Op,
        inputs: &[TensorId],
        stored: Vec<usize>,
        order: Vec<usize>,
        dtype: DType,
    ) -> Result<Dynamic> {
        check_size(&stored)?;
        self.counter += 1;
        let name = format!("{}#{}", self.output_name, self.counter);
        let id = self.graph.add_tensor(Tensor {
            name,
            shape: stored.clone(),
            order: order.clone(),
            constant: None,
        });
        self.graph.nodes.push(Node { label: self.label.clone(), op, inputs: inputs.to_vec(), output: id });
        Ok(Dynamic { id, stored, order, dtype })
    }

    /// Adds a node whose result has the shape and order of `like`.
    pub(super) fn emit_like(&mut self, op: Op, inputs: &[TensorId], like: &Dynamic) -> Result<Dynamic> {
        self.emit(op, inputs, like.stored.clone(), like.order.clone(), like.dtype)
    }

    /// The same value stored in the order `target`.
    pub(super) fn in_order(&mut self, d: &Dynamic, target: &[usize]) -> Result<Dynamic> {
        if d.order == target {
            return Ok(d.clone());
        }
        let places: Vec<usize> = target.iter().map(|&axis| d.place(axis)).collect();
        let stored: Vec<usize> = places.iter().map(|&p| d.stored[p]).collect();
        let key = (d.id, places.clone());
        if let Some(&id) = self.moves.get(&key) {
            return Ok(Dynamic { id, stored, order: target.to_vec(), dtype: d.dtype });
        }
        let moving: Vec<usize> = places.iter().copied().filter(|&p| d.stored[p] != 1).collect();
        let op =
            if moving.windows(2).all(|w| w[0] < w[1]) { Op::Reshape } else { Op::Permute { order: places } };
        let moved = self.emit(op, &[d.id], stored, target.to_vec(), d.dtype)?;
        self.moves.insert(key, moved.id);
        Ok(moved)
    }

    /// The same value stored channels-last.
    pub(super) fn channels_last(&mut self, d: &Dynamic) -> Result<Dynamic> {
        self.in_order(d, &channels_last(d.rank()))
    }

    /// The same value stored in the model's own order.
    pub(super) fn model_order(&mut self, d: &Dynamic) -> Result<Dynamic> {
        let order: Vec<usize> = (0..d.rank()).collect();
        self.in_order(d, &order)
    }

    /// The same value with this model axis stored last.
    pub(super) fn axis_last(&mut self, d: &Dynamic, axis: usize) -> Result<Dynamic> {
        let mut order: Vec<usize> = d.order.iter().copied().filter(|&a| a != axis).collect();
        order.push(axis);
        self.in_order(d, &order)
    }

    /// The elements of `d` under another model shape.
    pub(super) fn reshape(&mut self, d: &Dynamic, shape: &[usize]) -> Result<Dynamic> {
        if d.shape() == shape {
            return Ok(d.clone());
        }
        let source = self.before_reshape(d).unwrap_or(d).clone();
        if source.shape() == shape {
            // There and back again.
            return Ok(Dynamic { dtype: d.dtype, ..source });
        }
        let Regroup { before, stored, order } = regroup(&source.shape(), &source.order, shape);
        let moved = match before {
            Some(before) => self.in_order(&source, &before)?,
            None => source.clone(),
        };
        let result = self.emit(Op::Reshape, &[moved.id], stored, order, d.dtype)?;
        self.reshaped.insert(result.id, (result.order.clone(), source));
        Ok(result)
    }

    /// The value that `d` is a reshape of.
    pub(super) fn before_reshape(&self, d: &Dynamic) -> Option<&Dynamic> {
        self.reshaped.get(&d.id).filter(|(order, _)| *order == d.order).map(|(_, source)| source)
    }

    /// ONNX `Transpose`: axis `i` of the result is axis `perm[i]` of `d`. No element moves.
    pub(super) fn transpose(&self, d: &Dynamic, perm: &[usize]) -> Dynamic {
        let mut renamed = vec![0; perm.len()];
        for (new, &old) in perm.iter().enumerate() {
            renamed[old] = new;
        }
        Dynamic { order: d.order.iter().map(|&axis| renamed[axis]).collect(), ..d.clone() }
    }

    /// A constant of the graph, in the model's order.
    pub(super) fn constant(&mut self, c: &Constant) -> TensorId {
        let name = format!("{}#constant", self.output_name);
        self.graph.add_constant(name, c.shape.clone(), c.to_f32().to_vec())
    }

    /// The value as a tensor of the graph; constants become stored ones in the model's order.
    pub(super) fn materialised(&mut self, value: &Value) -> Result<Dynamic> {
        match value {
            Value::Dynamic(d) => Ok(d.clone()),
            Value::Flattened { copy, .. } => Ok(copy.clone()),
            Value::Constant(c) => {
                let (stored, order) = (c.shape.clone(), (0..c.shape.len()).collect());
                Ok(Dynamic { id: self.constant(c), stored, order, dtype: c.dtype })
            }
            Value::Stored(_) | Value::Absent => Err(Error::model("an input is missing")),
        }
    }

    /// Brings values of an element-wise operator together: all in one stored order, broadcastable as stored.
    pub(super) fn align(&mut self, values: &[&Value]) -> Result<Aligned> {
        let rank = values.iter().map(|v| v.shape().len()).max().unwrap_or(0);
        let shape = broadcast_shape(&values.iter().map(|v| v.shape()).collect::<Vec<_>>())?;
        let order = reference_order(values, rank);
        let mut ids = Vec::with_capacity(values.len());
        for value in values {
            ids.push(match value {
                Value::Constant(c) => self.constant_in(c, &order),
                other => {
                    let d = self.materialised(other)?;
                    self.lifted(&d, &order)?.id
                }
            });
        }
        Ok(Aligned { ids, stored: order.iter().map(|&axis| shape[axis]).collect(), order })
    }

    /// A constant stored in `order`, which may have more axes in front.
    pub(super) fn constant_in(&mut self, c: &Constant, order: &[usize]) -> TensorId {
        let lead = order.len() - c.shape.len();
        let own: Vec<usize> = order.iter().filter(|&&a| a >= lead).map(|a| a - lead).collect();
        let stored = order.iter().map(|&a| if a < lead { 1 } else { c.shape[a - lead] }).collect();
        let values = c.to_f32();
        let moving: Vec<usize> = own.iter().copied().filter(|&a| c.shape[a] != 1).collect();
        let values = if moving.windows(2).all(|w| w[0] < w[1]) {
            values
        } else {
            std::sync::Arc::new(permuted(&values, &c.shape, &own))
        };
        let name = format!("{}#constant", self.output_name);
        self.graph.add_tensor(Tensor { name, shape: stored, order: order.to_vec(), constant: Some(values) })
    }

    /// A value stored in `order`, which may have more axes in front.
    pub(super) fn lifted(&mut self, d: &Dynamic, order: &[usize]) -> Result<Dynamic> {
        let lead = order.len() - d.rank();
        let own: Vec<usize> = order.iter().filter(|&&a| a >= lead).map(|a| a - lead).collect();
        let moved = self.in_order(d, &own)?;
        let shape = d.shape();
        let stored: Vec<usize> = order.iter().map(|&a| if a < lead { 1 } else { shape[a - lead] }).collect();
        if lead == 0 || trimmed(&moved.stored) == trimmed(&stored) {
            return Ok(moved);
        }
        self.emit(Op::Reshape, &[moved.id], stored, order.to_vec(), d.dtype)
    }
}

/// Operands of an element-wise operator, and what it makes of them.
pub(super) struct Aligned {
    pub(super) ids: Vec<TensorId>,
    pub(super) stored: Vec<usize>,
    pub(super) order: Vec<usize>,
}

/// Leading unit axes do not matter to broadcasting.
fn trimmed(shape: &[usize]) -> &[usize] {
    let lead = shape.iter().take_while(|&&n| n == 1).count();
    &shape[lead..]
}

/// The order of the largest computed operand; of equals, one that is not in the model's order (a convolution's result).
fn reference_order(values: &[&Value], rank: usize) -> Vec<usize> {
    let dynamics = values.iter().filter_map(|v| match v {
        Value::Dynamic(d) | Value::Flattened { copy: d, .. } => Some(d),
        _ => None,
    });
    let is_moved = |d: &Dynamic| d.order.windows(2).any(|w| w[0] > w[1]);
    let mut best: Option<&Dynamic> = None;
    for d in dynamics {
        if best.is_none_or(|b| (d.len(), is_moved(d)) > (b.len(), is_moved(b))) {
            best = Some(d);
        }
    }
    let lead = rank - best.map_or(rank, Dynamic::rank);
    match best {
        Some(d) => (0..lead).chain(d.order.iter().map(|a| a + lead)).collect(),
        None => (0..rank).collect(),
    }
}

/// numpy's broadcasting of shapes.
///
/// # Errors
/// `Model` if they do not fit.
pub(super) fn broadcast_shape(shapes: &[Vec<usize>]) -> Result<Vec<usize>> {
    let rank = shapes.iter().map(Vec::len).max().unwrap_or(0);
    let mut out = vec![1; rank];
    for shape in shapes {
        let lead = rank - shape.len();
        for (axis, &n) in shape.iter().enumerate() {
            let o = &mut out[lead + axis];
            match (*o, n) {
                (a, b) if a == b => {}
                (1, _) => *o = n,
                (_, 1) => {}
                _ => {
                    return Err(Error::model(format!(
                        "shapes {shapes:?} do not broadcast against each other"
                    )));
                }
            }
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transpose_with_reordered_columns() {
        assert_eq!(
            transposed(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 2, &[2, 0, 1]),
            [3.0, 6.0, 1.0, 4.0, 2.0, 5.0]
        );
        let values: Vec<f32> = (0..37 * 6).map(|v| v as f32).collect();
        let columns: Vec<usize> = (0..6).collect();
        assert_eq!(flat_indices(&[2, 3], &[1, 0]), [0, 3, 1, 4, 2, 5]);
        assert_eq!(transposed(&values, 37, &columns), permuted(&values, &[37, 6], &[1, 0]));
    }

    #[test]
    fn shapes_broadcast_as_numpy_says() {
        let shape = |shapes: &[&[usize]]| {
            broadcast_shape(&shapes.iter().map(|s| s.to_vec()).collect::<Vec<_>>()).ok()
        };
        assert_eq!(shape(&[&[1, 3, 4], &[3, 1]]), Some(vec![1, 3, 4]));
        assert_eq!(shape(&[&[], &[2], &[5, 1]]), Some(vec![5, 2]));
        assert_eq!(shape(&[&[2, 3], &[3, 2]]), None);
    }
}
