//! Resize and Upsample: sizes and scales from all the ways in which opsets 7 to 24 give them.
//!
//! Nearest becomes one pick, everything else one weighted sum per axis; the tables are `resize_axis`'s.

use std::sync::Arc;

use super::super::importer::Importer;
use super::super::layout::check_table;
use super::super::site::{Site, axis};
use super::super::value::Value;
use super::resize_axis::{Axis, Coordinates, Kernel, Nearest};
use crate::graph::Op;
use crate::{Error, Result};

/// Factor and new length of one model axis.
#[derive(Clone, Copy, Debug)]
struct Target {
    scale: f32,
    len: usize,
}

fn targets(site: &Site, shape: &[usize]) -> Result<Vec<Target>> {
    let rank = shape.len();
    let mut targets: Vec<Target> = shape.iter().map(|&len| Target { scale: 1.0, len }).collect();
    let is_short = site.op() == "Upsample" || site.opset < 11;
    let scales = match site.constant(if is_short { 1 } else { 2 })? {
        Some(c) if c.len() > 0 => Some(c.to_f32().to_vec()),
        _ => site.floats("scales")?.map(<[f32]>::to_vec),
    };
    let sizes = if is_short { None } else { site.constant(3)?.filter(|c| c.len() > 0) };
    let axes: Vec<usize> = match site.ints("axes")? {
        Some(list) => list.iter().map(|&a| axis(a, rank)).collect::<Result<_>>()?,
        None => (0..rank).collect(),
    };
    let fits = |n: usize, what: &str| {
        if n == axes.len() {
            Ok(())
        } else {
            Err(Error::model(format!("{n} {what} for {} axes", axes.len())))
        }
    };
    match (scales, sizes) {
        (_, Some(sizes)) => {
            let sizes = sizes.to_i64()?;
            fits(sizes.len(), "sizes")?;
            let factor = |i: usize| sizes[i] as f32 / shape[axes[i]] as f32;
            let factors = (0..axes.len()).map(factor);
            let common = match site.text_or("keep_aspect_ratio_policy", "stretch")? {
                "stretch" => None,
                "not_larger" => factors.reduce(f32::min),
                "not_smaller" => factors.reduce(f32::max),
                other => {
                    return Err(Error::model(format!("attribute keep_aspect_ratio_policy is \"{other}\"")));
                }
            };
            for (i, &at) in axes.iter().enumerate() {
                targets[at] = match common {
                    Some(scale) => Target { scale, len: (scale * shape[at] as f32).round() as usize },
                    None => Target { scale: factor(i), len: sizes[i].max(0) as usize },
                };
            }
        }
        (Some(scales), None) => {
            fits(scales.len(), "scales")?;
            for (&scale, &at) in scales.iter().zip(&axes) {
                targets[at] = Target { scale, len: (shape[at] as f32 * scale).floor() as usize };
            }
        }
        (None, None) => return Err(Error::model("has neither scales nor sizes")),
    }
    for target in &targets {
        if target.len == 0 || !(target.scale > 0.0 && target.scale.is_finite()) {
            return Err(Error::model(format!(
                "shape {shape:?} resized to {} by {}",
                target.len, target.scale
            )));
        }
        check_table(target.len)?;
    }
    Ok(targets)
}

impl Importer<'_> {
    pub(super) fn resize(&mut self, site: &Site) -> Result<Option<Vec<Value>>> {
        let x = site.dynamic(0)?;
        let targets = targets(site, &x.shape())?;
        if targets.iter().map(|t| t.len).eq(x.shape()) {
            // As ONNX Runtime has it: equal sizes are a copy, whatever the scales say.
            return Ok(Some(vec![Value::Dynamic(x.clone())]));
        }
        let is_old = site.op() == "Upsample" || site.opset < 11;
        let default = if is_old { "asymmetric" } else { "half_pixel" };
        let coordinates = Coordinates::of(site.text_or("coordinate_transformation_mode", default)?)?;
        let mode = site.text_or("mode", "nearest")?;
        let axes = x.order.iter().zip(&x.stored).map(|(&axis, &input)| Axis {
            input,
            output: targets[axis].len,
            scale: targets[axis].scale,
            coordinates,
        });
        let axes: Vec<Axis> = axes.collect();
        let stored: Vec<usize> = axes.iter().map(|a| a.output).collect();
        let op = match mode {
            "nearest" => {
                let rule = if is_old { "simple" } else { "round_prefer_floor" };
                let rule = Nearest::of(site.text_or("nearest_mode", rule)?)?;
                Op::Pick { indices: axes.iter().map(|a| Arc::new(a.nearest(rule))).collect(), fill: 0.0 }
            }
            "linear" | "bilinear" | "cubic" => {
                let kernel = if mode == "cubic" {
                    Kernel::Cubic { a: site.float_or("cubic_coeff_a", -0.75)? }
                } else {
                    Kernel::Linear
                };
                let excludes = site.int_or("exclude_outside", 0)? == 1;
                let table = |a: &Axis| {
                    Arc::new(if site.int_or("antialias", 0).unwrap_or(0) == 1 {
                        a.antialiased(kernel, excludes)
                    } else {
                        a.taps(kernel, excludes)
                    })
                };
                Op::Resample { taps: axes.iter().map(table).collect() }
            }
            other => return Err(Error::model(format!("attribute mode is \"{other}\""))),
        };
        Ok(Some(vec![Value::Dynamic(self.emit(op, &[x.id], stored, x.order.clone(), x.dtype)?)]))
    }
}
