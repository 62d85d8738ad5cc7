//! Choosing and joining: slice, gather, split, concatenate, tile.
//!
//! Every choice with constant indices is a slice or a pick per stored axis; nothing is reordered for it.

use std::sync::Arc;

use super::super::importer::Importer;
use super::super::layout::check_table;
use super::super::site::{Site, axis};
use super::super::tensor::Constant;
use super::super::value::{Dynamic, Value};
use crate::graph::Op;
use crate::{Error, Result};

/// A range along one model axis: first index, step, count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) struct Stride {
    pub(in super::super) axis: usize,
    pub(in super::super) start: usize,
    pub(in super::super) step: isize,
    pub(in super::super) count: usize,
}

/// What `Slice` takes along each axis that it names.
pub(in super::super) fn slices(site: &Site, shape: &[usize]) -> Result<Vec<Stride>> {
    let need =
        |list: Option<Vec<i64>>, what: &str| list.ok_or_else(|| Error::model(format!("{what} are missing")));
    let starts = need(site.ints_at(1, "starts")?, "starts")?;
    let ends = need(site.ints_at(2, "ends")?, "ends")?;
    let axes = site.ints_at(3, "axes")?.unwrap_or_else(|| (0..starts.len() as i64).collect());
    let steps = match site.constant(4)? {
        Some(c) => c.to_i64()?.to_vec(),
        None => vec![1; starts.len()],
    };
    if ends.len() != starts.len() || axes.len() != starts.len() || steps.len() != starts.len() {
        return Err(Error::model(format!(
            "starts {starts:?}, ends {ends:?}, axes {axes:?} and steps {steps:?} differ in length"
        )));
    }
    let mut list = Vec::new();
    for i in 0..starts.len() {
        let at = axis(axes[i], shape.len())?;
        list.push(stride(at, shape[at], starts[i], ends[i], steps[i])?);
    }
    Ok(list)
}

/// numpy's `start:end:step` on an axis of `len` elements, but backwards from before the first element is from the first (ONNX).
fn stride(axis: usize, len: usize, start: i64, end: i64, step: i64) -> Result<Stride> {
    let n = len as i64;
    let from_end = |v: i64| if v < 0 { v.saturating_add(n) } else { v };
    let (start, count) = match step {
        0 => return Err(Error::model("a step of 0")),
        1.. => {
            let (start, end) = (from_end(start).clamp(0, n), from_end(end).clamp(0, n));
            (start, (end - start).max(0).unsigned_abs().div_ceil(step.unsigned_abs()))
        }
        _ => {
            let (start, end) = (from_end(start).clamp(0, (n - 1).max(0)), from_end(end).clamp(-1, n - 1));
            let room = if n == 0 { 0 } else { start - end };
            (start, room.max(0).unsigned_abs().div_ceil(step.unsigned_abs()))
        }
    };
    Ok(Stride {
        axis,
        start: start.max(0) as usize,
        step: step.clamp(-(n.max(1)), n.max(1)) as isize,
        count: count as usize,
    })
}

impl Importer<'_> {
    /// Takes ranges along model axes.
    pub(in super::super) fn slice(&mut self, x: &Dynamic, strides: &[Stride]) -> Result<Value> {
        let mut stored = x.stored.clone();
        let (mut starts, mut steps) = (vec![0; x.rank()], vec![1; x.rank()]);
        for s in strides {
            let place = x.place(s.axis);
            (starts[place], steps[place], stored[place]) = (s.start, s.step, s.count);
        }
        if stored.contains(&0) {
            let shape = Dynamic { stored, ..x.clone() }.shape();
            return Ok(Value::Constant(Constant { dtype: x.dtype, ..Constant::floats(shape, Vec::new()) }));
        }
        if stored == x.stored && steps.iter().all(|&s| s == 1) {
            return Ok(Value::Dynamic(x.clone()));
        }
        Ok(Value::Dynamic(self.emit(
            Op::Slice { starts, steps },
            &[x.id],
            stored,
            x.order.clone(),
            x.dtype,
        )?))
    }

    pub(super) fn slice_node(&mut self, site: &Site) -> Result<Vec<Value>> {
        let x = site.dynamic(0)?;
        Ok(vec![self.slice(x, &slices(site, &x.shape())?)?])
    }

    /// Takes the elements `indices` along a model axis, which keeps its place.
    pub(super) fn pick(
        &mut self,
        x: &Dynamic,
        axis: usize,
        indices: Vec<Option<usize>>,
        fill: f32,
    ) -> Result<Dynamic> {
        let place = x.place(axis);
        let mut stored = x.stored.clone();
        stored[place] = check_table(indices.len())?;
        let whole = |n: usize| Arc::new((0..n).map(Some).collect::<Vec<_>>());
        let tables =
            (0..x.rank()).map(|p| if p == place { Arc::new(indices.clone()) } else { whole(x.stored[p]) });
        let op = Op::Pick { indices: tables.collect(), fill };
        self.emit(op, &[x.id], stored, x.order.clone(), x.dtype)
    }

    pub(super) fn gather(&mut self, site: &Site) -> Result<Option<Vec<Value>>> {
        let (Value::Dynamic(x), Value::Constant(indices)) = (site.need(0)?, site.need(1)?) else {
            return Ok(None);
        };
        let axis = axis(site.int_or("axis", 0)?, x.rank())?;
        let len = x.shape()[axis];
        let at = |i: &i64| {
            let from_start = if *i < 0 { i + len as i64 } else { *i };
            usize::try_from(from_start).ok().filter(|&i| i < len).ok_or_else(|| {
                Error::model(format!("index {i} is outside axis {axis} of shape {:?}", x.shape()))
            })
        };
        let list = indices.to_i64()?.iter().map(at).collect::<Result<Vec<_>>>()?;
        let picked = match progression(&list) {
            Some(step) => {
                let stride = Stride { axis, start: list[0], step, count: list.len() };
                match self.slice(x, &[stride])? {
                    Value::Dynamic(d) => d,
                    other => return Ok(Some(vec![other])),
                }
            }
            None => self.pick(x, axis, list.into_iter().map(Some).collect(), 0.0)?,
        };
        if indices.shape.len() == 1 {
            return Ok(Some(vec![Value::Dynamic(picked)]));
        }
        // The axis becomes as many as the indices have, all in its place.
        let (place, extra) = (picked.place(axis), indices.shape.len());
        let mut stored = picked.stored.clone();
        stored.splice(place..=place, indices.shape.iter().copied());
        let renamed = |a: usize| if a > axis { a + extra - 1 } else { a };
        let mut order: Vec<usize> = picked.order.iter().map(|&a| renamed(a)).collect();
        order.splice(place..=place, axis..axis + extra);
        Ok(Some(vec![Value::Dynamic(self.emit(Op::Reshape, &[picked.id], stored, order, x.dtype)?)]))
    }

    pub(super) fn split(&mut self, site: &Site) -> Result<Vec<Value>> {
        let x = site.dynamic(0)?;
        let shape = x.shape();
        let axis = axis(site.int_or("axis", 0)?, x.rank())?;
        let parts = split_sizes(site, shape[axis])?;
        let mut start = 0;
        let mut values = Vec::with_capacity(parts.len());
        for (index, count) in parts.into_iter().enumerate() {
            values.push(match site.used.get(index) {
                Some(true) => self.slice(x, &[Stride { axis, start, step: 1, count }])?,
                _ => Value::Absent,
            });
            start += count;
        }
        Ok(values)
    }

    pub(super) fn concat(&mut self, site: &Site) -> Result<Vec<Value>> {
        let full: Vec<&Value> = site.inputs.iter().filter(|v| !v.shape().contains(&0)).collect();
        let largest = full.iter().filter_map(|v| match v {
            Value::Dynamic(d) => Some(d),
            _ => None,
        });
        let largest = largest.max_by_key(|d| d.len()).ok_or_else(|| Error::model("all inputs are empty"))?;
        let (order, rank, shape) = (largest.order.clone(), largest.rank(), largest.shape());
        let default = if site.opset < 4 { 1 } else { 0 };
        let axis = axis(site.int_or("axis", default)?, rank)?;
        let (mut ids, mut length) = (Vec::new(), 0);
        for value in &full {
            let part = value.shape();
            let fits = part.len() == rank && (0..rank).all(|a| a == axis || part[a] == shape[a]);
            if !fits {
                return Err(Error::model(format!(
                    "shapes {part:?} and {shape:?} cannot be joined along axis {axis}"
                )));
            }
            length += part[axis];
            ids.push(match value {
                Value::Constant(c) => self.constant_in(c, &order),
                other => {
                    let part = self.materialised(other)?;
                    self.in_order(&part, &order)?.id
                }
            });
        }
        if ids.len() == 1 {
            return Ok(vec![full[0].clone()]);
        }
        let place = largest.place(axis);
        let mut stored = largest.stored.clone();
        stored[place] = length;
        Ok(vec![Value::Dynamic(self.emit(Op::Concat { axis: place }, &ids, stored, order, largest.dtype)?)])
    }

    pub(super) fn tile(&mut self, site: &Site) -> Result<Vec<Value>> {
        let mut x = site.dynamic(0)?.clone();
        let repeats = site.need_constant(1)?.to_i64()?;
        if repeats.len() != x.rank() || repeats.iter().any(|&r| r < 1) {
            return Err(Error::model(format!("repeats {repeats:?} for shape {:?}", x.shape())));
        }
        for (axis, &times) in repeats.iter().enumerate().filter(|(_, r)| **r > 1) {
            let len = x.shape()[axis];
            let total = len.saturating_mul(times as usize);
            check_table(total)?;
            x = self.pick(&x, axis, (0..total).map(|i| Some(i % len)).collect(), 0.0)?;
        }
        Ok(vec![Value::Dynamic(x)])
    }
}

/// The common step of a list of indices, if it has one.
fn progression(list: &[usize]) -> Option<isize> {
    let step = match list {
        [] => return None,
        [_] => 1,
        [a, b, ..] => *b as isize - *a as isize,
    };
    (step != 0 && list.windows(2).all(|w| w[1] as isize - w[0] as isize == step)).then_some(step)
}

/// Lengths of the parts that `Split` makes of an axis.
pub(in super::super) fn split_sizes(site: &Site, len: usize) -> Result<Vec<usize>> {
    let outputs = site.node.outputs.len();
    let sizes: Vec<usize> = match site.ints_at(1, "split")? {
        Some(list) => {
            let sizes = list.iter().map(|&n| usize::try_from(n)).collect::<Result<Vec<_>, _>>();
            sizes.map_err(|_| Error::model(format!("parts of {list:?} elements")))?
        }
        None => {
            let count = site.int("num_outputs")?.unwrap_or(outputs as i64);
            if count != outputs as i64 {
                return Err(Error::model(format!(
                    "attribute num_outputs is {count}, the node has {outputs} outputs"
                )));
            }
            let each = len.div_ceil(outputs.max(1));
            (0..outputs).map(|i| each.min(len.saturating_sub(i * each))).collect()
        }
    };
    if sizes.iter().sum::<usize>() != len || sizes.len() < outputs {
        return Err(Error::model(format!(
            "parts of {sizes:?} elements for {outputs} outputs of an axis of {len}"
        )));
    }
    Ok(sizes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strides_are_numpys() {
        // (len, start, end, step) -> indices
        let cases: [(usize, i64, i64, i64, &[usize]); 10] = [
            (6, 1, 4, 1, &[1, 2, 3]),
            (6, -3, i64::MAX, 1, &[3, 4, 5]),
            (6, 0, -1, 2, &[0, 2, 4]),
            (6, i64::MAX, i64::MIN, -1, &[5, 4, 3, 2, 1, 0]),
            (6, -1, -4, -2, &[5, 3]),
            (6, 4, 2, 1, &[]),
            (3, 0, 3, i64::MAX, &[0]),
            (3, 5, 0, -1, &[2, 1]),
            (5, -6, i64::MIN, -2, &[0]),
            (0, 0, i64::MIN, -1, &[]),
        ];
        for (len, start, end, step, expected) in cases {
            let s = stride(0, len, start, end, step).unwrap();
            let got: Vec<usize> =
                (0..s.count).map(|i| (s.start as isize + i as isize * s.step) as usize).collect();
            assert_eq!(got, expected, "{len} {start}:{end}:{step}");
        }
        assert!(stride(0, 3, 0, 3, 0).is_err());
    }

    #[test]
    fn progressions_are_slices() {
        assert_eq!(progression(&[2]), Some(1));
        assert_eq!(progression(&[5, 3, 1]), Some(-2));
        assert_eq!(progression(&[1, 1]), None);
        assert_eq!(progression(&[0, 1, 3]), None);
    }
}
