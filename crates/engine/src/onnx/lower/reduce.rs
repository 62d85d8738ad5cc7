//! Reductions over model axes, wherever those are stored.
//!
//! Axes are an attribute in older opsets and an input in newer ones; an empty list means all axes unless the node says otherwise.

use occlude_kernels::Pointwise;

use super::super::importer::Importer;
use super::super::site::{Site, axes};
use super::super::value::{Dynamic, Value};
use crate::Result;
use crate::graph::{Op, ReduceKind};

fn kind_of(op: &str) -> Option<ReduceKind> {
    Some(match op {
        "ReduceMean" => ReduceKind::Mean,
        "ReduceSum" => ReduceKind::Sum,
        "ReduceMax" => ReduceKind::Max,
        "ReduceMin" => ReduceKind::Min,
        "ReduceProd" => ReduceKind::Prod,
        "ReduceL1" => ReduceKind::L1,
        "ReduceL2" => ReduceKind::L2,
        "ReduceSumSquare" => ReduceKind::SumSquare,
        "ReduceLogSum" => ReduceKind::LogSum,
        "ReduceLogSumExp" => ReduceKind::LogSumExp,
        _ => return None,
    })
}

impl Importer<'_> {
    pub(super) fn reduce_node(&mut self, site: &Site) -> Result<Option<Vec<Value>>> {
        let Some(kind) = kind_of(site.op()) else { return Ok(None) };
        let x = site.dynamic(0)?;
        let list = site.ints_at(1, "axes")?.unwrap_or_default();
        if list.is_empty() && site.int_or("noop_with_empty_axes", 0)? == 1 {
            // Nothing is summed, but each element still goes through the norm.
            let f = match kind {
                ReduceKind::L1 | ReduceKind::L2 => Pointwise::Abs,
                ReduceKind::SumSquare => Pointwise::Power { exponent: 2.0 },
                ReduceKind::LogSum => Pointwise::Log,
                _ => Pointwise::Identity,
            };
            return Ok(Some(vec![self.pointwise(site.need(0)?, f)?]));
        }
        let axes = if list.is_empty() { (0..x.rank()).collect() } else { axes(&list, x.rank())? };
        let keeps = site.int_or("keepdims", 1)? == 1;
        Ok(Some(vec![Value::Dynamic(self.reduce(x, kind, &axes, keeps)?)]))
    }

    /// Reduces model axes; they stay with length one, or go.
    pub(in super::super) fn reduce(
        &mut self,
        x: &Dynamic,
        kind: ReduceKind,
        axes: &[usize],
        keeps: bool,
    ) -> Result<Dynamic> {
        let mut places: Vec<usize> = axes.iter().map(|&axis| x.place(axis)).collect();
        places.sort_unstable();
        let kept = |place: &usize| keeps || !places.contains(place);
        let stored =
            (0..x.rank()).filter(kept).map(|p| if places.contains(&p) { 1 } else { x.stored[p] }).collect();
        let renamed =
            |axis: usize| if keeps { axis } else { axis - axes.iter().filter(|&&a| a < axis).count() };
        let order = (0..x.rank()).filter(kept).map(|p| renamed(x.order[p])).collect();
        self.emit(Op::Reduce { kind, axes: places.clone() }, &[x.id], stored, order, x.dtype)
    }
}
