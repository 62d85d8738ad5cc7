//! Softmax and LogSoftmax: along one axis, or (before opset 13) along all axes from one on.

use super::super::importer::Importer;
use super::super::site::{Site, axis};
use super::super::value::Value;
use crate::Result;
use crate::graph::Op;

impl Importer<'_> {
    pub(super) fn softmax(&mut self, site: &Site) -> Result<Vec<Value>> {
        let x = site.dynamic(0)?;
        let log = site.op() == "LogSoftmax";
        let (rank, shape) = (x.rank(), x.shape());
        if rank == 0 {
            let axis = 0;
            let x = self.reshape(x, &[1])?;
            let y = self.emit_like(Op::Softmax { axis, log }, &[x.id], &x)?;
            return Ok(vec![Value::Dynamic(self.reshape(&y, &[])?)]);
        }
        if site.opset >= 13 {
            let axis = x.place(axis(site.int_or("axis", -1)?, rank)?);
            return Ok(vec![Value::Dynamic(self.emit_like(Op::Softmax { axis, log }, &[x.id], x)?)]);
        }
        // The axis may be the rank itself here: then nothing is left to normalise over.
        let first = site.int_or("axis", 1)?;
        let first = if first == rank as i64 { rank } else { axis(first, rank)? };
        let long: Vec<usize> = (first..rank).filter(|&a| shape[a] != 1).collect();
        if long.len() <= 1 {
            let axis = x.place(long.first().copied().unwrap_or(rank - 1));
            if !long.is_empty() || shape[rank - 1] == 1 {
                return Ok(vec![Value::Dynamic(self.emit_like(Op::Softmax { axis, log }, &[x.id], x)?)]);
            }
        }
        let rows = shape[..first].iter().product();
        let flat = self.reshape(x, &[rows, shape[first..].iter().product()])?;
        let axis = flat.place(1);
        let y = self.emit_like(Op::Softmax { axis, log }, &[flat.id], &flat)?;
        Ok(vec![Value::Dynamic(self.reshape(&y, &shape)?)])
    }
}
