//! Folding of operators that move elements without computing: one index map each, for floats and integers alike.

use std::sync::Arc;

use super::super::lower::{permutation, resolve, slices, split_sizes};
use super::super::site::{Site, axes, axis};
use super::super::tensor::{Constant, Data};
use super::super::value::Value;
use super::check_size;
use crate::{Error, Result};

/// Picks elements by flat index.
fn picked(c: &Constant, shape: Vec<usize>, indices: impl Iterator<Item = usize>) -> Constant {
    let data = match &c.data {
        Data::Float(v) => Data::Float(Arc::new(indices.map(|i| v[i]).collect())),
        Data::Int(v) => Data::Int(Arc::new(indices.map(|i| v[i]).collect())),
    };
    Constant { dtype: c.dtype, shape, data }
}

/// Row-major strides of a shape.
fn strides(shape: &[usize]) -> Vec<usize> {
    let mut strides = vec![1; shape.len()];
    for axis in (1..shape.len()).rev() {
        strides[axis - 1] = strides[axis] * shape[axis];
    }
    strides
}

/// Flat indices of a result whose place `i` on axis `a` reads offset `tables[a][i]`.
fn combined(tables: &[Vec<usize>]) -> Vec<usize> {
    let mut all = vec![0];
    for table in tables {
        all = all.iter().flat_map(|base| table.iter().map(move |offset| base + offset)).collect();
    }
    all
}

/// Flat index into a value of `shape` for each element of its broadcast to `out`.
pub(super) fn broadcast_indices(shape: &[usize], out: &[usize]) -> Vec<usize> {
    let lead = out.len() - shape.len();
    let strides = strides(shape);
    let step = |axis: usize| if axis < lead || shape[axis - lead] == 1 { 0 } else { strides[axis - lead] };
    let tables: Vec<Vec<usize>> =
        (0..out.len()).map(|axis| (0..out[axis]).map(|i| i * step(axis)).collect()).collect();
    combined(&tables)
}

/// Broadcast to `shape`, which must be what broadcasting gives.
pub(in super::super) fn expand(c: &Constant, shape: &[usize]) -> Result<Constant> {
    check_size(shape, c.len())?;
    let fits = c.shape.len() <= shape.len()
        && c.shape.iter().rev().zip(shape.iter().rev()).all(|(&from, &to)| from == to || from == 1);
    if !fits {
        return Err(Error::model(format!("shape {:?} cannot be expanded to {shape:?}", c.shape)));
    }
    Ok(picked(c, shape.to_vec(), broadcast_indices(&c.shape, shape).into_iter()))
}

pub(super) fn reshape(site: &Site) -> Result<Constant> {
    let c = site.need_constant(0)?.clone();
    let shape = &c.shape;
    let new = match site.op() {
        "Reshape" => {
            let wanted = site.ints_at(1, "shape")?.ok_or_else(|| Error::model("the new shape is missing"))?;
            resolve(shape, &wanted, site.int_or("allowzero", 0)? == 1)?
        }
        "Flatten" => {
            let at = site.int_or("axis", 1)?;
            let at = if at == shape.len() as i64 { shape.len() } else { axis(at, shape.len().max(1))? };
            vec![shape[..at].iter().product(), shape[at..].iter().product()]
        }
        "Squeeze" => {
            let drop = match site.ints_at(1, "axes")? {
                Some(list) => axes(&list, shape.len())?,
                None => (0..shape.len()).filter(|&a| shape[a] == 1).collect(),
            };
            (0..shape.len()).filter(|a| !drop.contains(a)).map(|a| shape[a]).collect()
        }
        _ => {
            let list = site.ints_at(1, "axes")?.ok_or_else(|| Error::model("axes are missing"))?;
            let mut new = shape.clone();
            for at in axes(&list, shape.len() + list.len())? {
                new.insert(at, 1);
            }
            new
        }
    };
    if new.iter().product::<usize>() != c.len() {
        return Err(Error::model(format!("shape {shape:?} cannot become {new:?}")));
    }
    Ok(Constant { shape: new, ..c })
}

pub(super) fn transpose(site: &Site) -> Result<Constant> {
    let c = site.need_constant(0)?;
    let perm = permutation(site, c.shape.len())?;
    let strides = strides(&c.shape);
    let shape: Vec<usize> = perm.iter().map(|&a| c.shape[a]).collect();
    if let Data::Float(values) = &c.data {
        let moved = super::super::layout::permuted(values, &c.shape, &perm);
        return Ok(Constant { dtype: c.dtype, shape, data: Data::Float(Arc::new(moved)) });
    }
    let tables: Vec<Vec<usize>> =
        perm.iter().map(|&a| (0..c.shape[a]).map(|i| i * strides[a]).collect()).collect();
    Ok(picked(c, shape, combined(&tables).into_iter()))
}

/// Takes the places `indices` along one axis.
fn take(c: &Constant, axis: usize, indices: &[usize]) -> Constant {
    let strides = strides(&c.shape);
    let table = |a: usize| -> Vec<usize> {
        if a == axis {
            indices.iter().map(|i| i * strides[a]).collect()
        } else {
            (0..c.shape[a]).map(|i| i * strides[a]).collect()
        }
    };
    let tables: Vec<Vec<usize>> = (0..c.shape.len()).map(table).collect();
    let mut shape = c.shape.clone();
    shape[axis] = indices.len();
    picked(c, shape, combined(&tables).into_iter())
}

pub(super) fn gather(site: &Site) -> Result<Constant> {
    let (c, indices) = (site.need_constant(0)?, site.need_constant(1)?);
    let axis = axis(site.int_or("axis", 0)?, c.shape.len())?;
    let len = c.shape[axis] as i64;
    let at = |&i: &i64| {
        let at = if i < 0 { i + len } else { i };
        let ok = (0..len).contains(&at);
        ok.then_some(at as usize)
            .ok_or_else(|| Error::model(format!("index {i} is outside axis {axis} of shape {:?}", c.shape)))
    };
    let list = indices.to_i64()?.iter().map(at).collect::<Result<Vec<_>>>()?;
    check_size(&[list.len(), c.len() / c.shape[axis].max(1)], c.len())?;
    let mut result = take(c, axis, &list);
    result.shape.splice(axis..=axis, indices.shape.iter().copied());
    Ok(result)
}

pub(super) fn slice(site: &Site) -> Result<Constant> {
    let mut c = site.need_constant(0)?.clone();
    for s in slices(site, &c.shape.clone())? {
        let indices: Vec<usize> =
            (0..s.count).map(|i| (s.start as isize + i as isize * s.step) as usize).collect();
        c = take(&c, s.axis, &indices);
    }
    Ok(c)
}

pub(super) fn concat(site: &Site) -> Result<Constant> {
    let first = site.need_constant(0)?;
    let rank = first.shape.len();
    let axis = axis(site.int_or("axis", i64::from(site.opset < 4))?, rank)?;
    let parts = (0..site.inputs.len()).map(|i| site.need_constant(i)).collect::<Result<Vec<_>>>()?;
    let mut shape = first.shape.clone();
    shape[axis] = 0;
    for part in &parts {
        let fits = part.shape.len() == rank && (0..rank).all(|a| a == axis || part.shape[a] == shape[a]);
        if !fits {
            return Err(Error::model(format!(
                "shapes {:?} and {:?} cannot be joined along axis {axis}",
                part.shape, first.shape
            )));
        }
        shape[axis] += part.shape[axis];
    }
    let outer: usize = shape[..axis].iter().product();
    let chunk = |c: &Constant| c.len() / outer.max(1);
    let is_float = parts.iter().any(|p| matches!(p.data, Data::Float(_)));
    let data = if is_float {
        let values: Vec<_> = parts.iter().map(|p| (p.to_f32(), chunk(p))).collect();
        let joined =
            (0..outer).flat_map(|o| values.iter().flat_map(move |(v, n)| v[o * n..(o + 1) * n].to_vec()));
        Data::Float(Arc::new(joined.collect()))
    } else {
        let values = parts.iter().map(|p| Ok((p.to_i64()?, chunk(p)))).collect::<Result<Vec<_>>>()?;
        let joined =
            (0..outer).flat_map(|o| values.iter().flat_map(move |(v, n)| v[o * n..(o + 1) * n].to_vec()));
        Data::Int(Arc::new(joined.collect()))
    };
    Ok(Constant { dtype: first.dtype, shape, data })
}

pub(super) fn split(site: &Site) -> Result<Vec<Value>> {
    let c = site.need_constant(0)?;
    let axis = axis(site.int_or("axis", 0)?, c.shape.len())?;
    let mut start = 0;
    let part = |count: usize| {
        let indices: Vec<usize> = (start..start + count).collect();
        start += count;
        Value::Constant(take(c, axis, &indices))
    };
    Ok(split_sizes(site, c.shape[axis])?.into_iter().map(part).collect())
}

pub(super) fn tile(site: &Site) -> Result<Constant> {
    let mut c = site.need_constant(0)?.clone();
    let repeats = site.need_constant(1)?.to_i64()?;
    if repeats.len() != c.shape.len() {
        return Err(Error::model(format!("repeats {repeats:?} for shape {:?}", c.shape)));
    }
    for (axis, &times) in repeats.iter().enumerate() {
        let (len, times) = (c.shape[axis], times.max(0) as usize);
        let mut shape = c.shape.clone();
        shape[axis] = len.saturating_mul(times);
        check_size(&shape, c.len())?;
        let indices: Vec<usize> = (0..len * times).map(|i| i % len).collect();
        c = take(&c, axis, &indices);
    }
    Ok(c)
}
