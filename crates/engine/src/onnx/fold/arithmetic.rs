//! Folding of arithmetic: element by element with broadcasting, reductions, casts, ranges, dequantisation.
//!
//! Integers stay integers (shapes must be exact); everything with a float in it is f32.

use std::sync::Arc;

use occlude_kernels::{Isa, Pointwise};

use super::super::layout::broadcast_shape;
use super::super::lower::{binary_of, pointwise_of};
use super::super::site::{Site, axes, axis};
use super::super::tensor::{Constant, DType, Data};
use super::check_size;
use super::moves::broadcast_indices;
use crate::graph::BinaryKind;
use crate::{Error, Result};

/// Converts to another type: floats to integers towards zero, everything to bool by "is not zero". Float widths do not round.
pub(in super::super) fn cast(c: &Constant, to: DType) -> Constant {
    let data = match &c.data {
        Data::Float(v) if to.is_float() => Data::Float(v.clone()),
        Data::Float(v) if to == DType::Bool => {
            Data::Int(Arc::new(v.iter().map(|&v| i64::from(v != 0.0)).collect()))
        }
        Data::Float(v) => Data::Int(Arc::new(v.iter().map(|&v| wrapped(v as i64, to)).collect())),
        Data::Int(v) if to.is_float() => Data::Float(Arc::new(v.iter().map(|&v| v as f32).collect())),
        Data::Int(v) if to == DType::Bool => {
            Data::Int(Arc::new(v.iter().map(|&v| i64::from(v != 0)).collect()))
        }
        Data::Int(v) => Data::Int(Arc::new(v.iter().map(|&v| wrapped(v, to)).collect())),
    };
    Constant { dtype: to, shape: c.shape.clone(), data }
}

/// An integer in a narrower type, as C casts.
fn wrapped(v: i64, to: DType) -> i64 {
    match to.integer_range() {
        Some((lo, hi)) => (v - lo).rem_euclid(hi - lo + 1) + lo,
        None => v,
    }
}

pub(super) fn range(site: &Site) -> Result<Constant> {
    let (start, limit, delta) = (site.need_constant(0)?, site.need_constant(1)?, site.need_constant(2)?);
    let bad = || Error::model("start, limit and delta must be single numbers, delta not 0");
    if let (Data::Int(a), Data::Int(b), Data::Int(d)) = (&start.data, &limit.data, &delta.data) {
        let ([a], [b], [d]) = (&a[..], &b[..], &d[..]) else { return Err(bad()) };
        if *d == 0 {
            return Err(bad());
        }
        let span = i128::from(*b) - i128::from(*a);
        let count =
            if (span > 0) == (*d > 0) { span.unsigned_abs().div_ceil(d.unsigned_abs().into()) } else { 0 };
        let len = check_size(&[usize::try_from(count).unwrap_or(usize::MAX)], 0)?;
        return Ok(Constant::ints(start.dtype, vec![len], (0..len as i64).map(|i| a + i * d).collect()));
    }
    let number = |c: &Constant| c.scalar().map(f64::from).ok_or_else(bad);
    let (a, b, d) = (number(start)?, number(limit)?, number(delta)?);
    let count = ((b - a) / d).ceil();
    if d == 0.0 || !count.is_finite() {
        return Err(bad());
    }
    let len = check_size(&[count.max(0.0) as usize], 0)?;
    Ok(Constant::floats(vec![len], (0..len).map(|i| (a + i as f64 * d) as f32).collect()))
}

/// `(x - zero_point) * scale`, per tensor or along an axis.
pub(super) fn dequantize(site: &Site) -> Result<Constant> {
    let (x, scale) = (site.need_constant(0)?, site.need_constant(1)?);
    let zero = site.constant(2)?;
    if site.int_or("block_size", 0)? != 0 {
        return Err(Error::unsupported("quantised by blocks"));
    }
    let inner: usize = if scale.len() == 1 {
        x.len()
    } else {
        let axis = axis(site.int_or("axis", 1)?, x.shape.len())?;
        if scale.len() != x.shape[axis] {
            return Err(Error::model(format!(
                "{} scales for axis {axis} of shape {:?}",
                scale.len(),
                x.shape
            )));
        }
        x.shape[axis + 1..].iter().product()
    };
    let (scales, zeros) = (scale.to_f32(), zero.map(Constant::to_f32));
    if zeros.as_ref().is_some_and(|z| z.len() != scales.len()) {
        return Err(Error::model("scales and zero points differ in number"));
    }
    let values = x.to_f32();
    let value = |(i, &v): (usize, &f32)| {
        let at = i / inner.max(1) % scales.len();
        (v - zeros.as_ref().map_or(0.0, |z| z[at])) * scales[at]
    };
    Ok(Constant::floats(x.shape.clone(), values.iter().enumerate().map(value).collect()))
}

pub(super) fn select(site: &Site) -> Result<Constant> {
    let (condition, x, y) = (site.need_constant(0)?, site.need_constant(1)?, site.need_constant(2)?);
    let shape = broadcast_shape(&[condition.shape.clone(), x.shape.clone(), y.shape.clone()])?;
    check_size(&shape, condition.len().max(x.len()).max(y.len()))?;
    let is_true = condition.to_f32();
    let at = |c: &Constant| broadcast_indices(&c.shape, &shape);
    let choose = at(condition).into_iter().zip(at(x).into_iter().zip(at(y)));
    let data = match (&x.data, &y.data) {
        (Data::Int(x), Data::Int(y)) => Data::Int(Arc::new(
            choose.map(|(c, (a, b))| if is_true[c] != 0.0 { x[a] } else { y[b] }).collect(),
        )),
        _ => {
            let (x, y) = (x.to_f32(), y.to_f32());
            Data::Float(Arc::new(
                choose.map(|(c, (a, b))| if is_true[c] != 0.0 { x[a] } else { y[b] }).collect(),
            ))
        }
    };
    Ok(Constant { dtype: x.dtype, shape, data })
}

/// Functions and binary operators; `None` for what is neither.
pub(super) fn elementwise(site: &Site) -> Result<Option<Constant>> {
    if let Some(kind) = binary_of(site)? {
        return binary(kind, site.need_constant(0)?, site.need_constant(1)?).map(Some);
    }
    if matches!(site.op(), "Max" | "Min" | "Sum" | "Mean") {
        return variadic(site).map(Some);
    }
    let Some(f) = pointwise_of(site)? else { return Ok(None) };
    let c = site.need_constant(0)?;
    let ints = |f: &dyn Fn(i64) -> i64, v: &[i64]| Data::Int(Arc::new(v.iter().map(|&v| f(v)).collect()));
    let data = match (&c.data, f) {
        (Data::Int(v), Pointwise::Neg) => ints(&|v: i64| v.wrapping_neg(), v),
        (Data::Int(v), Pointwise::Abs) => ints(&|v: i64| v.wrapping_abs(), v),
        (Data::Int(v), Pointwise::Sign) => ints(&i64::signum, v),
        (Data::Int(v), Pointwise::Not) => ints(&|v: i64| i64::from(v == 0), v),
        (Data::Int(v), Pointwise::Relu) => ints(&|v: i64| v.max(0), v),
        (Data::Int(v), Pointwise::Identity) => Data::Int(v.clone()),
        (Data::Int(v), Pointwise::Clip { lo, hi }) => ints(&|v: i64| v.max(lo as i64).min(hi as i64), v),
        (Data::Int(_), _) => return Ok(None),
        (Data::Float(v), f) => {
            let mut values = v.to_vec();
            occlude_kernels::pointwise(Isa::detect(), f, &mut values);
            Data::Float(Arc::new(values))
        }
    };
    Ok(Some(Constant { dtype: c.dtype, shape: c.shape.clone(), data }))
}

fn variadic(site: &Site) -> Result<Constant> {
    let kind = match site.op() {
        "Max" => BinaryKind::Max,
        "Min" => BinaryKind::Min,
        _ => BinaryKind::Add,
    };
    let mut sum = site.need_constant(0)?.clone();
    for index in 1..site.inputs.len() {
        sum = binary(kind, &sum, site.need_constant(index)?)?;
    }
    if site.op() == "Mean" {
        let count = site.inputs.len() as f32;
        let values = sum.to_f32().iter().map(|v| v / count).collect();
        sum = Constant { dtype: sum.dtype, ..Constant::floats(sum.shape, values) };
    }
    Ok(sum)
}

fn binary(kind: BinaryKind, a: &Constant, b: &Constant) -> Result<Constant> {
    let shape = broadcast_shape(&[a.shape.clone(), b.shape.clone()])?;
    check_size(&shape, a.len().max(b.len()))?;
    let pairs = broadcast_indices(&a.shape, &shape).into_iter().zip(broadcast_indices(&b.shape, &shape));
    use BinaryKind as B;
    let compares = matches!(
        kind,
        B::Greater | B::GreaterOrEqual | B::Less | B::LessOrEqual | B::Equal | B::And | B::Or | B::Xor
    );
    let dtype = if compares { DType::Bool } else { a.dtype };
    let data = match (&a.data, &b.data) {
        (Data::Int(a), Data::Int(b)) => {
            let values = pairs.map(|(i, j)| integer(kind, a[i], b[j])).collect::<Result<Vec<_>>>()?;
            Data::Int(Arc::new(values))
        }
        _ => {
            let (x, y) = (a.to_f32(), b.to_f32());
            let values = pairs.map(|(i, j)| float(kind, x[i], y[j]));
            if compares {
                Data::Int(Arc::new(values.map(|v| v as i64).collect()))
            } else {
                Data::Float(Arc::new(values.collect()))
            }
        }
    };
    // A power of integers by a float is an integer again.
    let result = Constant { dtype, shape, data };
    Ok(if !dtype.is_float() && matches!(result.data, Data::Float(_)) { cast(&result, dtype) } else { result })
}

fn integer(kind: BinaryKind, a: i64, b: i64) -> Result<i64> {
    use BinaryKind as B;
    let by_zero = || Error::model(format!("{a} divided by 0"));
    Ok(match kind {
        B::Add => a.wrapping_add(b),
        B::Sub => a.wrapping_sub(b),
        B::Mul => a.wrapping_mul(b),
        B::Div => a.checked_div(b).ok_or_else(by_zero)?,
        B::Min => a.min(b),
        B::Max => a.max(b),
        B::Pow => u32::try_from(b).map_or((a as f64).powf(b as f64) as i64, |b| a.wrapping_pow(b)),
        B::Greater => i64::from(a > b),
        B::GreaterOrEqual => i64::from(a >= b),
        B::Less => i64::from(a < b),
        B::LessOrEqual => i64::from(a <= b),
        B::Equal => i64::from(a == b),
        B::And => i64::from(a != 0 && b != 0),
        B::Or => i64::from(a != 0 || b != 0),
        B::Xor => i64::from((a != 0) != (b != 0)),
        B::Fmod => a.checked_rem(b).ok_or_else(by_zero)?,
        B::Mod => {
            let rest = a.checked_rem(b).ok_or_else(by_zero)?;
            if rest != 0 && (rest < 0) != (b < 0) { rest + b } else { rest }
        }
    })
}

fn float(kind: BinaryKind, a: f32, b: f32) -> f32 {
    use BinaryKind as B;
    let yes = |is: bool| f32::from(is);
    match kind {
        B::Add => a + b,
        B::Sub => a - b,
        B::Mul => a * b,
        B::Div => a / b,
        B::Min => a.min(b),
        B::Max => a.max(b),
        B::Pow => a.powf(b),
        B::Greater => yes(a > b),
        B::GreaterOrEqual => yes(a >= b),
        B::Less => yes(a < b),
        B::LessOrEqual => yes(a <= b),
        B::Equal => yes(a == b),
        B::And => yes(a != 0.0 && b != 0.0),
        B::Or => yes(a != 0.0 || b != 0.0),
        B::Xor => yes((a != 0.0) != (b != 0.0)),
        B::Fmod => a % b,
        B::Mod => a - b * (a / b).floor(),
    }
}

/// Sum, product, extremes and mean; `None` for the rest.
pub(super) fn reduce(site: &Site) -> Result<Option<Constant>> {
    let c = site.need_constant(0)?;
    let list = site.ints_at(1, "axes")?.unwrap_or_default();
    if list.is_empty() && site.int_or("noop_with_empty_axes", 0)? == 1 {
        return Ok(None);
    }
    let rank = c.shape.len();
    let axes = if list.is_empty() { (0..rank).collect() } else { axes(&list, rank)? };
    let keeps = site.int_or("keepdims", 1)? == 1;
    let rest: Vec<usize> = (0..rank).map(|a| if axes.contains(&a) { 1 } else { c.shape[a] }).collect();
    let targets = broadcast_indices(&rest, &c.shape);
    let len: usize = rest.iter().product();
    let count = c.len() as f32 / len.max(1) as f32;
    let data = match (&c.data, site.op()) {
        (Data::Int(v), op) => {
            let (start, step): (i64, fn(i64, i64) -> i64) = match op {
                "ReduceSum" => (0, i64::wrapping_add),
                "ReduceProd" => (1, i64::wrapping_mul),
                "ReduceMax" => (i64::MIN, i64::max),
                "ReduceMin" => (i64::MAX, i64::min),
                _ => return Ok(None),
            };
            let mut out = vec![start; len];
            targets.iter().zip(v.iter()).for_each(|(&t, &v)| out[t] = step(out[t], v));
            Data::Int(Arc::new(out))
        }
        (Data::Float(v), op) => {
            let (start, step): (f64, fn(f64, f64) -> f64) = match op {
                "ReduceSum" | "ReduceMean" => (0.0, |a, b| a + b),
                "ReduceProd" => (1.0, |a, b| a * b),
                "ReduceMax" => (f64::NEG_INFINITY, f64::max),
                "ReduceMin" => (f64::INFINITY, f64::min),
                _ => return Ok(None),
            };
            let mut out = vec![start; len];
            targets.iter().zip(v.iter()).for_each(|(&t, &v)| out[t] = step(out[t], f64::from(v)));
            let scale = if op == "ReduceMean" { f64::from(count) } else { 1.0 };
            Data::Float(Arc::new(out.into_iter().map(|v| (v / scale) as f32).collect()))
        }
    };
    let shape = (0..rank).filter(|a| keeps || !axes.contains(a)).map(|a| rest[a]).collect();
    Ok(Some(Constant { dtype: c.dtype, shape, data }))
}
