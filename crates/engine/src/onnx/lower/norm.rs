//! Normalisation: batch, layer, group, instance, local response, mean-variance, RMS.
//!
//! With constant parameters each is one node of the graph; LayerNormalization and its kin bring the axes they work on last.

use std::sync::Arc;

use occlude_kernels::Pointwise;

use super::super::importer::Importer;
use super::super::layout::channels_last;
use super::super::site::{Site, axes, axis};
use super::super::tensor::Constant;
use super::super::value::{Dynamic, Value};
use crate::graph::{Affine, BinaryKind, Op, ReduceKind};
use crate::{Error, Result};

type Lowered = Result<Option<Vec<Value>>>;

/// A constant with one value per channel.
fn vector(c: &Constant, channels: usize, what: &str) -> Result<Arc<Vec<f32>>> {
    if c.len() == channels {
        Ok(c.to_f32())
    } else {
        Err(Error::model(format!("{what} of shape {:?}, expected [{channels}]", c.shape)))
    }
}

/// Whether a value is stored channels-last, with channels that fall into groups.
fn is_grouped(x: &Dynamic, groups: usize) -> bool {
    x.rank() >= 3
        && x.order == channels_last(x.rank())
        && x.shape()[0] == 1
        && x.shape()[1].is_multiple_of(groups)
}

impl Importer<'_> {
    pub(super) fn batch_norm(&mut self, site: &Site) -> Lowered {
        let x = site.dynamic(0)?;
        if site.int_or("training_mode", 0)? == 1 || site.used.iter().skip(1).any(|&used| used) {
            return Err(Error::unsupported("is in training mode: it normalises by the batch it sees")
                .with_hint("call model.eval() before the export"));
        }
        if x.rank() < 2 {
            return Err(Error::model(format!("input of shape {:?}, expected at least 2 axes", x.shape())));
        }
        let channels = x.shape()[1];
        let (Some(Value::Constant(s)), Some(Value::Constant(b))) = (site.get(1), site.get(2)) else {
            return Ok(None);
        };
        let (Some(Value::Constant(m)), Some(Value::Constant(v))) = (site.get(3), site.get(4)) else {
            return Ok(None);
        };
        let (s, b) = (vector(s, channels, "scale")?, vector(b, channels, "bias")?);
        let (m, v) = (vector(m, channels, "mean")?, vector(v, channels, "variance")?);
        let epsilon = f64::from(site.float_or("epsilon", 1e-5)?);
        let scale: Vec<f64> =
            s.iter().zip(v.iter()).map(|(&s, &v)| f64::from(s) / (f64::from(v) + epsilon).sqrt()).collect();
        let shift =
            b.iter().zip(m.iter()).zip(&scale).map(|((&b, &m), s)| (f64::from(b) - f64::from(m) * s) as f32);
        let op = Op::Affine(Affine {
            shift: Arc::new(shift.collect()),
            scale: Arc::new(scale.iter().map(|&s| s as f32).collect()),
            activation: Pointwise::Identity,
        });
        let x = self.channels_last(x)?;
        Ok(Some(vec![Value::Dynamic(self.emit_like(op, &[x.id], &x)?)]))
    }

    pub(super) fn layer_norm(&mut self, site: &Site) -> Lowered {
        let x = site.dynamic(0)?;
        if site.used.iter().skip(1).any(|&used| used) {
            return Ok(None);
        }
        let first = axis(site.int_or("axis", -1)?, x.rank())?;
        let shape = x.shape();
        let (Value::Constant(scale), shift) = (site.need(1)?, site.get(2)) else { return Ok(None) };
        let shift = match shift {
            None => None,
            Some(Value::Constant(c)) => Some(c),
            Some(_) => return Ok(None),
        };
        let width = shape[first..].iter().product();
        let full = |c: &Constant| -> Result<Arc<Vec<f32>>> {
            let floats = Constant::floats(c.shape.clone(), c.to_f32().to_vec());
            let full = super::super::fold::expand(&floats, &shape[first..])?;
            vector(&full, width, "scale or bias")
        };
        let scale = full(scale)?;
        let shift = shift.map_or(Ok(Arc::new(vec![0.0; width])), full)?;
        let op = Op::LayerNorm { epsilon: site.float_or("epsilon", 1e-5)?, scale, shift };
        Ok(Some(vec![Value::Dynamic(self.over_last(x, first, op)?)]))
    }

    /// Runs an operator of the last axis over all model axes from `first` on, merged.
    fn over_last(&mut self, x: &Dynamic, first: usize, op: Op) -> Result<Dynamic> {
        let mut order: Vec<usize> = x.order.iter().copied().filter(|&a| a < first).collect();
        order.extend(first..x.rank());
        let x = self.in_order(x, &order)?;
        if x.rank() == first + 1 {
            return self.emit_like(op, &[x.id], &x);
        }
        let mut merged = x.stored[..first].to_vec();
        merged.push(x.stored[first..].iter().product());
        let mut merged_order = order[..first].to_vec();
        merged_order.push(first);
        let flat = self.emit(Op::Reshape, &[x.id], merged, merged_order, x.dtype)?;
        let y = self.emit_like(op, &[flat.id], &flat)?;
        self.emit_like(Op::Reshape, &[y.id], &x)
    }

    /// `x / sqrt(mean(x^2) + epsilon) * scale` over the axes from `axis` on.
    pub(super) fn rms_norm(&mut self, site: &Site) -> Lowered {
        let x = site.dynamic(0)?;
        let first = axis(site.int_or("axis", -1)?, x.rank())?;
        let epsilon = site.float_or("epsilon", 1e-5)?;
        let square = self.apply(x, Pointwise::Power { exponent: 2.0 })?;
        let axes: Vec<usize> = (first..x.rank()).collect();
        let mean = self.reduce(&square, ReduceKind::Mean, &axes, true)?;
        let sum = self.apply(&mean, Pointwise::Affine { scale: 1.0, shift: epsilon })?;
        let root = self.apply(&sum, Pointwise::Sqrt)?;
        let y = self.binary(BinaryKind::Div, &Value::Dynamic(x.clone()), &Value::Dynamic(root))?;
        Ok(Some(vec![Value::Dynamic(self.binary(BinaryKind::Mul, &Value::Dynamic(y), site.need(1)?)?)]))
    }

    pub(super) fn instance_norm(&mut self, site: &Site) -> Lowered {
        let x = site.dynamic(0)?;
        let (Value::Constant(scale), Value::Constant(shift)) = (site.need(1)?, site.need(2)?) else {
            return Ok(None);
        };
        if x.rank() < 3 {
            return Err(Error::model(format!("input of shape {:?}, expected spatial axes", x.shape())));
        }
        let channels = x.shape()[1];
        let (scale, shift) = (vector(scale, channels, "scale")?, vector(shift, channels, "bias")?);
        let epsilon = site.float_or("epsilon", 1e-5)?;
        // A GroupNorm as torch writes it: the channels of a group and all its pixels merged into one axis.
        if let Some(source) =
            self.before_reshape(x).filter(|s| x.shape()[0] == 1 && is_grouped(s, channels)).cloned()
        {
            let full = source.shape()[1];
            let spread = |v: &[f32]| {
                Arc::new(v.iter().flat_map(|&v| std::iter::repeat_n(v, full / channels)).collect())
            };
            let op =
                Op::GroupNorm { groups: channels, epsilon, scale: spread(&scale), shift: spread(&shift) };
            let y = self.emit_like(op, &[source.id], &source)?;
            return Ok(Some(vec![Value::Dynamic(self.reshape(&y, &x.shape())?)]));
        }
        let is_plain = scale.iter().all(|&s| s == 1.0) && shift.iter().all(|&t| t == 0.0);
        if is_plain && x.place(1) < x.place(x.rank() - 1) {
            // Each channel's pixels lie together: rows to normalise.
            let width = x.shape()[2..].iter().product();
            let (scale, shift) = (Arc::new(vec![1.0; width]), Arc::new(vec![0.0; width]));
            let op = Op::LayerNorm { epsilon, scale, shift };
            return Ok(Some(vec![Value::Dynamic(self.over_last(x, 2, op)?)]));
        }
        self.grouped(x, channels, epsilon, scale, shift)
    }

    pub(super) fn group_norm(&mut self, site: &Site) -> Lowered {
        let x = site.dynamic(0)?;
        let (Value::Constant(scale), Value::Constant(shift)) = (site.need(1)?, site.need(2)?) else {
            return Ok(None);
        };
        let groups = site.int_or("num_groups", 0)?;
        let channels = x.shape().get(1).copied().unwrap_or(0);
        let count = usize::try_from(groups).ok().filter(|&g| g > 0 && channels.is_multiple_of(g));
        let Some(groups) = count.filter(|_| channels > 0) else {
            return Err(Error::model(format!(
                "attribute num_groups is {groups}, the input has {channels} channels"
            )));
        };
        // Opset 18 has one scale per group, opset 21 one per channel.
        let spread = |c: &Constant| -> Result<Arc<Vec<f32>>> {
            if c.len() == groups && c.len() != channels {
                let each = channels / groups;
                return Ok(Arc::new(c.to_f32().iter().flat_map(|&v| std::iter::repeat_n(v, each)).collect()));
            }
            vector(c, channels, "scale or bias")
        };
        let (scale, shift) = (spread(scale)?, spread(shift)?);
        self.grouped(x, groups, site.float_or("epsilon", 1e-5)?, scale, shift)
    }

    fn grouped(
        &mut self,
        x: &Dynamic,
        groups: usize,
        epsilon: f32,
        scale: Arc<Vec<f32>>,
        shift: Arc<Vec<f32>>,
    ) -> Lowered {
        let x = self.channels_last(x)?;
        let op = Op::GroupNorm { groups, epsilon, scale, shift };
        Ok(Some(vec![Value::Dynamic(self.emit_like(op, &[x.id], &x)?)]))
    }

    pub(super) fn lrn(&mut self, site: &Site) -> Result<Vec<Value>> {
        let size = site.int_or("size", 0)?;
        let size = usize::try_from(size)
            .ok()
            .filter(|&s| s > 0)
            .ok_or_else(|| Error::model(format!("attribute size is {size}")))?;
        let x = self.channels_last(site.dynamic(0)?)?;
        let op = Op::Lrn {
            size,
            alpha: site.float_or("alpha", 1e-4)?,
            beta: site.float_or("beta", 0.75)?,
            bias: site.float_or("bias", 1.0)?,
        };
        Ok(vec![Value::Dynamic(self.emit_like(op, &[x.id], &x)?)])
    }

    /// `(x - mean) / (deviation + 1e-9)` over `axes`.
    pub(super) fn mean_variance_norm(&mut self, site: &Site) -> Result<Vec<Value>> {
        let x = site.dynamic(0)?;
        let axes = axes(site.ints("axes")?.unwrap_or(&[0, 2, 3]), x.rank())?;
        let mean = self.reduce(x, ReduceKind::Mean, &axes, true)?;
        let centred = self.binary(BinaryKind::Sub, &Value::Dynamic(x.clone()), &Value::Dynamic(mean))?;
        let square = self.apply(&centred, Pointwise::Power { exponent: 2.0 })?;
        let variance = self.reduce(&square, ReduceKind::Mean, &axes, true)?;
        let deviation = self.apply(&variance, Pointwise::Sqrt)?;
        let divisor = self.apply(&deviation, Pointwise::Affine { scale: 1.0, shift: 1e-9 })?;
        Ok(vec![Value::Dynamic(self.binary(
            BinaryKind::Div,
            &Value::Dynamic(centred),
            &Value::Dynamic(divisor),
        )?)])
    }

    /// `x / |x|` along one axis; 0 where the norm is 0.
    pub(super) fn lp_norm(&mut self, site: &Site) -> Lowered {
        let x = site.dynamic(0)?;
        let kind = match site.int_or("p", 2)? {
            1 => ReduceKind::L1,
            2 => ReduceKind::L2,
            p => return Err(Error::model(format!("attribute p is {p}, expected 1 or 2"))),
        };
        let norm = self.reduce(x, kind, &[axis(site.int_or("axis", -1)?, x.rank())?], true)?;
        let norm = self.apply(&norm, Pointwise::Clip { lo: f32::MIN_POSITIVE, hi: f32::INFINITY })?;
        Ok(Some(vec![Value::Dynamic(self.binary(
            BinaryKind::Div,
            &Value::Dynamic(x.clone()),
            &Value::Dynamic(norm),
        )?)]))
    }
}
