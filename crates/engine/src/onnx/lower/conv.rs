//! Convolution and transposed convolution: weights into the kernels' order, padding resolved.
//!
//! Activations come channels-last. A node of zero padding just before a convolution becomes its padding.

use std::sync::Arc;

use occlude_kernels::Pointwise;

use super::super::importer::Importer;
use super::super::layout::{channels_last, permuted, transposed};
use super::super::site::Site;
use super::super::tensor::Constant;
use super::super::value::{Dynamic, Value};
use super::geometry::{Window, kernel, pads, positive};
use crate::graph::{BinaryKind, Conv, ConvTranspose, Geometry, Op};
use crate::{Error, Result};

/// `[1, spatial..., C]`.
fn stored_shape(spatial: &[usize], channels: usize) -> Vec<usize> {
    std::iter::once(1).chain(spatial.iter().copied()).chain([channels]).collect()
}

/// Channel counts that a weight `[first, second, ...]` and `group` must agree with.
fn groups(site: &Site) -> Result<usize> {
    let groups = site.int_or("group", 1)?;
    usize::try_from(groups)
        .ok()
        .filter(|&g| g > 0)
        .ok_or_else(|| Error::model(format!("attribute group is {groups}")))
}

fn check_rank(x: &Dynamic, weight: &Constant) -> Result<()> {
    let (rank, expected) = (x.rank(), weight.shape.len());
    if rank != expected || rank < 3 {
        return Err(Error::model(format!(
            "input of shape {:?} does not fit a weight of shape {:?}",
            x.shape(),
            weight.shape
        )));
    }
    Ok(())
}

impl Importer<'_> {
    /// The bias, if it is constant; a computed one is added afterwards.
    fn bias(&self, site: &Site, channels: usize) -> Result<Option<Arc<Vec<f32>>>> {
        match site.get(2) {
            Some(Value::Constant(c)) if c.len() == channels => Ok(Some(c.to_f32())),
            Some(Value::Constant(c)) => {
                Err(Error::model(format!("bias of shape {:?}, expected [{channels}]", c.shape)))
            }
            _ => Ok(None),
        }
    }

    fn add_computed_bias(&mut self, site: &Site, y: Dynamic) -> Result<Dynamic> {
        match site.get(2) {
            Some(Value::Dynamic(bias)) => {
                let mut shape = vec![1; y.rank() - 1];
                shape[0] = bias.len();
                let bias = self.reshape(bias, &shape)?;
                self.binary(BinaryKind::Add, &Value::Dynamic(y), &Value::Dynamic(bias))
            }
            _ => Ok(y),
        }
    }

    pub(super) fn conv(&mut self, site: &Site) -> Result<Option<Vec<Value>>> {
        let (Value::Dynamic(x), Value::Constant(weight)) = (site.need(0)?, site.need(1)?) else {
            return Ok(None);
        };
        check_rank(x, weight)?;
        let groups = groups(site)?;
        let kernel = kernel(site, Some(&weight.shape[2..]))?;
        let (out_channels, in_channels) = (weight.shape[0], weight.shape[1] * groups);
        if x.shape()[1] != in_channels || out_channels % groups != 0 {
            return Err(Error::model(format!(
                "input of shape {:?} has {} channels, a weight of shape {:?} with group {groups} expects {in_channels}",
                x.shape(),
                x.shape()[1],
                weight.shape
            )));
        }
        let (x, extra) = self.take_padding(x);
        let spatial = x.shape()[2..].to_vec();
        let padded: Vec<usize> = spatial.iter().zip(&extra).map(|(n, (b, a))| n + b + a).collect();
        let mut window = Window::of(site, &kernel, &padded)?;
        for (axis, &(before, after)) in extra.iter().enumerate() {
            window.before[axis] += before;
            window.after[axis] += after;
        }
        let outputs = window.outputs(&spatial, false)?;
        let x = self.channels_last(&x)?;
        let taps: usize = kernel.iter().product();
        // Row (tap, channel) of the result is column (channel, tap) of the weight.
        let rows = (0..taps).flat_map(|tap| (0..weight.shape[1]).map(move |channel| channel * taps + tap));
        let values = transposed(&weight.to_f32(), out_channels, &rows.collect::<Vec<_>>());
        let op = Op::Conv(Conv {
            geometry: window.geometry(),
            groups,
            in_channels,
            out_channels,
            weight: Arc::new(values),
            bias: self.bias(site, out_channels)?,
            activation: Pointwise::Identity,
        });
        let y =
            self.emit(op, &[x.id], stored_shape(&outputs, out_channels), channels_last(x.rank()), x.dtype)?;
        Ok(Some(vec![Value::Dynamic(self.add_computed_bias(site, y)?)]))
    }

    /// If `x` is a zero-padded tensor (spatial axes only): the tensor before, and its padding per spatial axis.
    fn take_padding(&self, x: &Dynamic) -> (Dynamic, Vec<(usize, usize)>) {
        let none = || (x.clone(), vec![(0, 0); x.rank() - 2]);
        let Some(pad) = self.zero_pads.get(&x.id) else { return none() };
        let by_axis = |axis: usize| pad.pads[x.place(axis)];
        if by_axis(0) != (0, 0) || by_axis(1) != (0, 0) {
            return none();
        }
        let source = Dynamic { id: pad.source, stored: pad.source_stored.clone(), ..x.clone() };
        (source, (2..x.rank()).map(by_axis).collect())
    }

    pub(super) fn conv_transpose(&mut self, site: &Site) -> Result<Option<Vec<Value>>> {
        let (Value::Dynamic(x), Value::Constant(weight)) = (site.need(0)?, site.need(1)?) else {
            return Ok(None);
        };
        check_rank(x, weight)?;
        let groups = groups(site)?;
        let kernel = kernel(site, Some(&weight.shape[2..]))?;
        let (in_channels, out_channels) = (weight.shape[0], weight.shape[1] * groups);
        if x.shape()[1] != in_channels || in_channels % groups != 0 {
            return Err(Error::model(format!(
                "input of shape {:?} has {} channels, a weight of shape {:?} expects {in_channels}",
                x.shape(),
                x.shape()[1],
                weight.shape
            )));
        }
        let (geometry, outputs) = transposed_geometry(site, kernel, &x.shape()[2..])?;
        let x = self.channels_last(x)?;
        let dims = [groups, in_channels / groups, weight.shape[1], geometry.taps()];
        let values = permuted(&weight.to_f32(), &dims, &[3, 1, 0, 2]);
        let op = Op::ConvTranspose(ConvTranspose {
            geometry,
            groups,
            in_channels,
            out_channels,
            weight: Arc::new(values),
            bias: self.bias(site, out_channels)?,
            activation: Pointwise::Identity,
        });
        let y =
            self.emit(op, &[x.id], stored_shape(&outputs, out_channels), channels_last(x.rank()), x.dtype)?;
        Ok(Some(vec![Value::Dynamic(self.add_computed_bias(site, y)?)]))
    }
}

/// What is cut off the full result, by padding, wanted shape or automatic padding; and the sizes that are left.
fn transposed_geometry(site: &Site, kernel: Vec<usize>, input: &[usize]) -> Result<(Geometry, Vec<usize>)> {
    let rank = kernel.len();
    let stride = positive(site, "strides", rank)?;
    let dilation = positive(site, "dilations", rank)?;
    let list = |name: &str| -> Result<Option<Vec<usize>>> {
        let Some(list) = site.ints(name)? else { return Ok(None) };
        // Some exporters give batch and channels as well.
        let list = &list[list.len().saturating_sub(rank)..];
        let sizes = list.iter().map(|&v| usize::try_from(v)).collect::<Result<Vec<_>, _>>();
        sizes
            .ok()
            .filter(|s| s.len() == rank)
            .map(Some)
            .ok_or_else(|| Error::model(format!("attribute {name} is {list:?}")))
    };
    let extra = list("output_padding")?.unwrap_or(vec![0; rank]);
    let full: Vec<usize> = (0..rank)
        .map(|i| stride[i] * (input[i] - 1) + extra[i] + (kernel[i] - 1) * dilation[i] + 1)
        .collect();
    let auto = site.text_or("auto_pad", "NOTSET")?;
    let wanted = match (list("output_shape")?, auto) {
        (Some(shape), _) => Some(shape),
        // A kernel smaller than its stride leaves less than that, and nothing is added.
        (None, "SAME_UPPER" | "SAME_LOWER") => {
            Some((0..rank).map(|i| full[i].min(input[i] * stride[i])).collect())
        }
        _ => None,
    };
    let (pad_before, outputs) = match wanted {
        Some(outputs) => {
            let total = |i: usize| full[i].saturating_sub(outputs[i]);
            let before =
                (0..rank).map(|i| if auto == "SAME_UPPER" { total(i) / 2 } else { total(i) - total(i) / 2 });
            (before.collect(), outputs)
        }
        None => {
            let (before, after) =
                if auto == "VALID" { (vec![0; rank], vec![0; rank]) } else { pads(site, rank)? };
            let sizes = (0..rank).map(|i| full[i].checked_sub(before[i] + after[i]).filter(|&n| n > 0));
            let outputs = sizes.collect::<Option<Vec<_>>>().ok_or_else(|| {
                Error::model(format!("padding {before:?} and {after:?} cuts off all of the result {full:?}"))
            })?;
            (before, outputs)
        }
    };
    Ok((Geometry { kernel, stride, dilation, pad_before }, outputs))
}
