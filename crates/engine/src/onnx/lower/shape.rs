//! Shapes: reshape and its kin, transpose, expand, blocks between channels and pixels, and shapes as values.
//!
//! None of these moves an element unless axes are merged that are not stored side by side.

use super::super::importer::Importer;
use super::super::site::{Site, axes, axis};
use super::super::tensor::{Constant, DType};
use super::super::value::{Dynamic, Value};
use crate::graph::Op;
use crate::{Error, Result};

/// `Identity`, and `Dropout` at inference.
pub(super) fn identity(site: &Site) -> Result<Vec<Value>> {
    if site.op() == "Dropout" {
        let training = match site.get(2) {
            Some(Value::Constant(c)) => c.scalar() == Some(1.0),
            _ => false,
        };
        if training || site.used.get(1) == Some(&true) {
            return Err(Error::unsupported("is in training mode: it drops values at random")
                .with_hint("call model.eval() before the export"));
        }
    }
    Ok(vec![site.need(0)?.clone()])
}

/// `Shape` and `Size`.
pub(in super::super) fn shape_of(site: &Site) -> Result<Vec<Value>> {
    let shape = site.need(0)?.shape();
    if site.op() == "Size" {
        let size = shape.iter().product::<usize>() as i64;
        return Ok(vec![Value::Constant(Constant::ints(DType::I64, vec![], vec![size]))]);
    }
    let rank = shape.len() as i64;
    let clamp = |v: i64| (if v < 0 { v + rank } else { v }).clamp(0, rank) as usize;
    let (start, end) = (clamp(site.int_or("start", 0)?), clamp(site.int_or("end", rank)?));
    let part = shape.get(start..end).unwrap_or(&[]);
    Ok(vec![Value::Constant(Constant::vector(part.iter().map(|&n| n as i64).collect()))])
}

/// Ones on a diagonal; only the shape of the input matters.
pub(super) fn eye_like(site: &Site) -> Result<Vec<Value>> {
    let value = site.need(0)?;
    let shape = value.shape();
    let [rows, columns] = shape[..] else {
        return Err(Error::model(format!("input of shape {shape:?}, expected 2 axes")));
    };
    let dtype = site.int("dtype")?.map_or(Ok(value.dtype()), |code| DType::from_code(code as i32))?;
    let k = site.int_or("k", 0)?;
    let values =
        (0..rows * columns).map(|i| f32::from((i % columns) as i64 - (i / columns) as i64 == k)).collect();
    Ok(vec![Value::Constant(super::super::fold::cast(&Constant::floats(shape, values), dtype))])
}

/// The shape that a `Reshape` asks for, zeros and -1 resolved.
pub(in super::super) fn resolve(from: &[usize], wanted: &[i64], allow_zero: bool) -> Result<Vec<usize>> {
    let bad = || Error::model(format!("shape {from:?} cannot become {wanted:?}"));
    let mut shape = Vec::with_capacity(wanted.len());
    let mut open = None;
    for (axis, &n) in wanted.iter().enumerate() {
        shape.push(match n {
            0 if !allow_zero => *from.get(axis).ok_or_else(bad)?,
            -1 if open.is_none() => {
                open = Some(axis);
                1
            }
            n => usize::try_from(n).map_err(|_| bad())?,
        });
    }
    let total: usize = from.iter().product();
    let known = shape.iter().try_fold(1usize, |a, &b| a.checked_mul(b)).ok_or_else(bad)?;
    if let Some(axis) = open {
        if known == 0 || !total.is_multiple_of(known) {
            return Err(bad());
        }
        shape[axis] = total / known;
    } else if known != total {
        let is_batch = wanted.first().is_some_and(|&n| n > 1) && known % total.max(1) == 0;
        let hint = "the batch is baked into this shape: export with batch 1 or a dynamic batch, or use --runtime ort";
        return Err(if is_batch { bad().with_hint(hint) } else { bad() });
    }
    Ok(shape)
}

impl Importer<'_> {
    /// Reshapes a value. A merge of all axes into one that would have to move elements is put off until its reader is known.
    fn reshape_value(&mut self, value: &Value, shape: Vec<usize>) -> Result<Vec<Value>> {
        let source = match value {
            Value::Flattened { source, .. } => source.clone(),
            other => self.materialised(other)?,
        };
        let result = self.reshape(&source, &shape)?;
        let is_moved = source
            .order
            .iter()
            .filter(|&&a| source.shape()[a] != 1)
            .collect::<Vec<_>>()
            .windows(2)
            .any(|w| w[0] > w[1]);
        let is_flat = shape.iter().filter(|&&n| n != 1).count() == 1;
        if is_moved && is_flat && shape.last() == Some(&source.len()) {
            return Ok(vec![Value::Flattened { source, shape, copy: result }]);
        }
        Ok(vec![Value::Dynamic(result)])
    }

    pub(super) fn reshape_node(&mut self, site: &Site) -> Result<Vec<Value>> {
        let value = site.need(0)?;
        let wanted = site.ints_at(1, "shape")?.ok_or_else(|| Error::model("the new shape is missing"))?;
        let shape = resolve(&value.shape(), &wanted, site.int_or("allowzero", 0)? == 1)?;
        self.reshape_value(value, shape)
    }

    pub(super) fn flatten(&mut self, site: &Site) -> Result<Vec<Value>> {
        let value = site.need(0)?;
        let shape = value.shape();
        let rank = shape.len();
        let at = site.int_or("axis", 1)?;
        let at = if at == rank as i64 { rank } else { axis(at, rank.max(1))? };
        let split = [shape[..at].iter().product(), shape[at..].iter().product()];
        self.reshape_value(value, split.to_vec())
    }

    pub(super) fn squeeze(&mut self, site: &Site) -> Result<Vec<Value>> {
        let value = site.need(0)?;
        let shape = value.shape();
        let drop = match site.ints_at(1, "axes")? {
            Some(list) => axes(&list, shape.len())?,
            None => (0..shape.len()).filter(|&a| shape[a] == 1).collect(),
        };
        if let Some(&bad) = drop.iter().find(|&&a| shape[a] != 1) {
            return Err(Error::model(format!("axis {bad} of shape {shape:?} has more than one element")));
        }
        let kept = (0..shape.len()).filter(|a| !drop.contains(a)).map(|a| shape[a]).collect();
        self.reshape_value(value, kept)
    }

    pub(super) fn unsqueeze(&mut self, site: &Site) -> Result<Vec<Value>> {
        let value = site.need(0)?;
        let list = site.ints_at(1, "axes")?.ok_or_else(|| Error::model("axes are missing"))?;
        let mut shape = value.shape();
        for at in axes(&list, shape.len() + list.len())? {
            shape.insert(at, 1);
        }
        self.reshape_value(value, shape)
    }

    pub(super) fn transpose_node(&mut self, site: &Site) -> Result<Vec<Value>> {
        let x = site.dynamic(0)?;
        let perm = permutation(site, x.rank())?;
        Ok(vec![Value::Dynamic(self.transpose(x, &perm))])
    }

    pub(super) fn expand(&mut self, site: &Site) -> Result<Vec<Value>> {
        let x = site.dynamic(0)?;
        let wanted = site.need_constant(1)?.to_i64()?;
        let sizes = wanted.iter().map(|&n| usize::try_from(n)).collect::<Result<Vec<_>, _>>();
        let sizes = sizes.map_err(|_| Error::model(format!("cannot expand to {wanted:?}")))?;
        Ok(vec![Value::Dynamic(self.expanded(x, &sizes)?)])
    }

    /// Broadcast against `sizes`.
    fn expanded(&mut self, x: &Dynamic, sizes: &[usize]) -> Result<Dynamic> {
        let shape = super::super::layout::broadcast_shape(&[x.shape(), sizes.to_vec()])?;
        let lead = shape.len() - x.rank();
        if shape.iter().product::<usize>() == x.len() {
            return self.reshape(x, &shape);
        }
        let order: Vec<usize> = (0..lead).chain(x.order.iter().map(|a| a + lead)).collect();
        let stored = order.iter().map(|&a| shape[a]).collect();
        self.emit(Op::Broadcast, &[x.id], stored, order, x.dtype)
    }

    pub(super) fn depth_to_space(&mut self, site: &Site) -> Result<Vec<Value>> {
        let x = site.dynamic(0)?;
        let (block, [n, c, h, w]) = block(site, x)?;
        if c % (block * block) != 0 {
            return Err(Error::model(format!("{c} channels do not divide into blocks of {block}")));
        }
        let depth = c / (block * block);
        let (split, perm) = match site.text_or("mode", "DCR")? {
            "DCR" => ([n, block, block, depth, h, w], [0, 3, 4, 1, 5, 2]),
            "CRD" => ([n, depth, block, block, h, w], [0, 1, 4, 2, 5, 3]),
            other => return Err(Error::model(format!("attribute mode is \"{other}\", expected DCR or CRD"))),
        };
        let split = self.reshape(x, &split)?;
        let moved = self.transpose(&split, &perm);
        Ok(vec![Value::Dynamic(self.reshape(&moved, &[n, depth, h * block, w * block])?)])
    }

    pub(super) fn space_to_depth(&mut self, site: &Site) -> Result<Vec<Value>> {
        let x = site.dynamic(0)?;
        let (block, [n, c, h, w]) = block(site, x)?;
        if h % block != 0 || w % block != 0 {
            return Err(Error::model(format!("{h}x{w} pixels do not divide into blocks of {block}")));
        }
        let split = self.reshape(x, &[n, c, h / block, block, w / block, block])?;
        let moved = self.transpose(&split, &[0, 3, 5, 1, 2, 4]);
        Ok(vec![Value::Dynamic(self.reshape(&moved, &[n, c * block * block, h / block, w / block])?)])
    }
}

/// `blocksize`, and the shape of an image.
fn block(site: &Site, x: &Dynamic) -> Result<(usize, [usize; 4])> {
    let block = site.int_or("blocksize", 0)?;
    let block = usize::try_from(block)
        .ok()
        .filter(|b| (1..1 << 16).contains(b))
        .ok_or_else(|| Error::model(format!("attribute blocksize is {block}")))?;
    let shape = <[usize; 4]>::try_from(x.shape());
    shape.map(|s| (block, s)).map_err(|s| Error::model(format!("input of shape {s:?}, expected 4 axes")))
}

/// `perm`, reversed axes where it is missing.
pub(in super::super) fn permutation(site: &Site, rank: usize) -> Result<Vec<usize>> {
    let Some(list) = site.ints("perm")? else { return Ok((0..rank).rev().collect()) };
    let perm = list.iter().map(|&a| axis(a, rank)).collect::<Result<Vec<_>>>()?;
    let sorted = axes(list, rank)?;
    if sorted.len() != rank {
        return Err(Error::model(format!("attribute perm is {list:?} for {rank} axes")));
    }
    Ok(perm)
}

#[cfg(test)]
mod tests {
    use super::resolve;

    #[test]
    fn reshape_targets() {
        type Case = (&'static [usize], &'static [i64], bool, Option<&'static [usize]>);
        let cases: [Case; 8] = [
            (&[1, 6, 4], &[0, -1], false, Some(&[1, 24])),
            (&[1, 6, 4], &[0, 2, 3, 4], false, Some(&[1, 2, 3, 4])),
            (&[1, 6, 4], &[-1], false, Some(&[24])),
            (&[1, 6, 4], &[5, -1], false, None),
            (&[1, 6, 4], &[-1, -1], false, None),
            (&[1, 6, 4], &[1, 6, 4, 0], false, None),
            (&[0, 4], &[0, 2], true, Some(&[0, 2])),
            (&[1], &[], false, Some(&[])),
        ];
        for (from, wanted, allow_zero, expected) in cases {
            assert_eq!(resolve(from, wanted, allow_zero).ok().as_deref(), expected, "{from:?} {wanted:?}");
        }
        assert!(resolve(&[1, 8], &[4, 8], false).unwrap_err().hint().unwrap().contains("batch"));
    }
}
