//! Element by element: functions of one value, arithmetic and comparison of two or more, selection, casts.
//!
//! Operands meet in the stored order of the largest of them (`layout::align`); constants are brought into that order at import.

use std::sync::Arc;

use occlude_kernels::Pointwise;

use super::super::importer::Importer;
use super::super::layout::Aligned;
use super::super::site::Site;
use super::super::tensor::{Constant, DType};
use super::super::value::{Dynamic, Value};
use crate::graph::{BinaryKind, Op};
use crate::{Error, Result};

/// The function that a node applies, if it is one with constant parameters.
pub(in super::super) fn pointwise_of(site: &Site) -> Result<Option<Pointwise>> {
    use Pointwise as P;
    Ok(Some(match site.op() {
        "Relu" => P::Relu,
        "LeakyRelu" => P::LeakyRelu { alpha: site.float_or("alpha", 0.01)? },
        "Elu" => P::Elu { alpha: site.float_or("alpha", 1.0)? },
        "Selu" => {
            P::Selu { alpha: site.float_or("alpha", 1.673_263_2)?, gamma: site.float_or("gamma", 1.050_701)? }
        }
        "Celu" => P::Celu { alpha: site.float_or("alpha", 1.0)? },
        "Softplus" => P::Softplus,
        "Softsign" => P::Softsign,
        "Sigmoid" => P::Sigmoid,
        "HardSigmoid" => {
            P::HardSigmoid { alpha: site.float_or("alpha", 0.2)?, beta: site.float_or("beta", 0.5)? }
        }
        "HardSwish" => P::HardSwish,
        "Swish" => P::Silu { alpha: site.float_or("alpha", 1.0)? },
        "Gelu" => match site.text_or("approximate", "none")? {
            "none" => P::Gelu,
            "tanh" => P::GeluTanh,
            other => {
                return Err(Error::model(format!(
                    "attribute approximate is \"{other}\", expected none or tanh"
                )));
            }
        },
        "Mish" => P::Mish,
        "Tanh" => P::Tanh,
        "Erf" => P::Erf,
        "Exp" => P::Exp,
        "Log" => P::Log,
        "Sqrt" => P::Sqrt,
        "Reciprocal" => P::Reciprocal,
        "Neg" => P::Neg,
        "Abs" => P::Abs,
        "Floor" => P::Floor,
        "Ceil" => P::Ceil,
        "Round" => P::Round,
        "Sign" => P::Sign,
        "Sin" => P::Sin,
        "Cos" => P::Cos,
        "Not" => P::Not,
        "ThresholdedRelu" => P::ThresholdedRelu { alpha: site.float_or("alpha", 1.0)? },
        "Clip" => return constant_clip(site),
        _ => return Ok(None),
    }))
}

fn constant_clip(site: &Site) -> Result<Option<Pointwise>> {
    let (lo, hi) = if site.opset < 11 {
        (Some(site.float_or("min", f32::NEG_INFINITY)?), Some(site.float_or("max", f32::INFINITY)?))
    } else {
        let bound = |index: usize, open: f32| match site.get(index) {
            None => Some(open),
            Some(Value::Constant(c)) => c.scalar(),
            Some(_) => None,
        };
        (bound(1, f32::NEG_INFINITY), bound(2, f32::INFINITY))
    };
    Ok(lo.zip(hi).map(|(lo, hi)| match (lo, hi) {
        (f32::NEG_INFINITY, f32::INFINITY) => Pointwise::Identity,
        (0.0, f32::INFINITY) => Pointwise::Relu,
        _ => Pointwise::Clip { lo, hi },
    }))
}

/// The operation of a node with two operands.
pub(in super::super) fn binary_of(site: &Site) -> Result<Option<BinaryKind>> {
    Ok(Some(match site.op() {
        "Add" => BinaryKind::Add,
        "Sub" => BinaryKind::Sub,
        "Mul" => BinaryKind::Mul,
        "Div" => BinaryKind::Div,
        "Pow" => BinaryKind::Pow,
        "Greater" => BinaryKind::Greater,
        "GreaterOrEqual" => BinaryKind::GreaterOrEqual,
        "Less" => BinaryKind::Less,
        "LessOrEqual" => BinaryKind::LessOrEqual,
        "Equal" => BinaryKind::Equal,
        "And" => BinaryKind::And,
        "Or" => BinaryKind::Or,
        "Xor" => BinaryKind::Xor,
        "Mod" if site.int_or("fmod", 0)? == 1 => BinaryKind::Fmod,
        "Mod" => BinaryKind::Mod,
        _ => return Ok(None),
    }))
}

fn is_comparison(kind: BinaryKind) -> bool {
    use BinaryKind as B;
    matches!(
        kind,
        B::Greater | B::GreaterOrEqual | B::Less | B::LessOrEqual | B::Equal | B::And | B::Or | B::Xor
    )
}

/// The same value, said to be true or false.
pub(in super::super) fn as_bool(value: Value) -> Value {
    match value {
        Value::Dynamic(d) => Value::Dynamic(Dynamic { dtype: DType::Bool, ..d }),
        other => other,
    }
}

impl Importer<'_> {
    /// `f(x)`; a flattened value stays one.
    pub(in super::super) fn pointwise(&mut self, value: &Value, f: Pointwise) -> Result<Value> {
        if f == Pointwise::Identity {
            return Ok(value.clone());
        }
        if let Value::Flattened { source, shape, .. } = value {
            let source = self.emit_like(Op::Pointwise(f), &[source.id], source)?;
            let copy = self.reshape(&source, shape)?;
            return Ok(Value::Flattened { source, shape: shape.clone(), copy });
        }
        let d = self.materialised(value)?;
        Ok(Value::Dynamic(self.emit_like(Op::Pointwise(f), &[d.id], &d)?))
    }

    pub(in super::super) fn apply(&mut self, d: &Dynamic, f: Pointwise) -> Result<Dynamic> {
        if f == Pointwise::Identity {
            return Ok(d.clone());
        }
        self.emit_like(Op::Pointwise(f), &[d.id], d)
    }

    /// `kind(a, b)` with broadcasting.
    pub(in super::super) fn binary(&mut self, kind: BinaryKind, a: &Value, b: &Value) -> Result<Dynamic> {
        let dtype = if is_comparison(kind) { DType::Bool } else { a.dtype() };
        let Aligned { ids, stored, order } = self.align(&[a, b])?;
        self.emit(Op::Binary { kind, activation: Pointwise::Identity }, &ids, stored, order, dtype)
    }

    pub(super) fn binary_node(&mut self, site: &Site, kind: BinaryKind) -> Result<Value> {
        let (a, b) = (site.need(0)?, site.need(1)?);
        if let (BinaryKind::Pow, Value::Dynamic(x), Value::Constant(c)) = (kind, a, b)
            && let Some(exponent) = c.scalar().filter(|_| c.shape.len() <= x.rank())
        {
            let f = if exponent == 1.0 { Pointwise::Identity } else { Pointwise::Power { exponent } };
            return self.pointwise(a, f);
        }
        let result = self.binary(kind, a, b)?;
        if kind == BinaryKind::Div && !a.dtype().is_float() {
            // Integer division drops the fraction.
            return Ok(Value::Dynamic(self.truncated(&result)?));
        }
        Ok(Value::Dynamic(result))
    }

    /// Towards zero: `sign(x) floor(|x|)`.
    fn truncated(&mut self, d: &Dynamic) -> Result<Dynamic> {
        let sign = self.apply(d, Pointwise::Sign)?;
        let size = self.apply(d, Pointwise::Abs)?;
        let floor = self.apply(&size, Pointwise::Floor)?;
        self.binary(BinaryKind::Mul, &Value::Dynamic(sign), &Value::Dynamic(floor))
    }

    pub(super) fn cast_node(&mut self, site: &Site) -> Result<Vec<Value>> {
        let to = if site.op() == "CastLike" {
            site.need(1)?.dtype()
        } else {
            let code = site.int("to")?.ok_or_else(|| Error::model("attribute to is missing"))?;
            DType::from_code(code as i32)?
        };
        let value = site.need(0)?;
        let d = match value {
            Value::Constant(c) => return Ok(vec![Value::Constant(super::super::fold::cast(c, to))]),
            other => self.materialised(other)?,
        };
        let from = d.dtype;
        let result = if to == DType::Bool && from != DType::Bool {
            let zero = self.apply(&d, Pointwise::Not)?;
            self.apply(&zero, Pointwise::Not)?
        } else if from.is_float() && !to.is_float() {
            self.truncated(&d)?
        } else {
            // Floats of every width are f32 here, and integers are numbers.
            d
        };
        Ok(vec![Value::Dynamic(Dynamic { dtype: to, ..result })])
    }

    pub(super) fn where_node(&mut self, site: &Site) -> Result<Vec<Value>> {
        let values = [site.need(0)?, site.need(1)?, site.need(2)?];
        let dtype = values[1].dtype();
        let Aligned { ids, stored, order } = self.align(&values)?;
        Ok(vec![Value::Dynamic(self.emit(Op::Where, &ids, stored, order, dtype)?)])
    }

    pub(super) fn variadic(&mut self, site: &Site) -> Result<Vec<Value>> {
        // The order of operands does not matter to any of these; computed ones first fixes the stored order early.
        let (constants, mut rest): (Vec<&Value>, Vec<&Value>) =
            site.inputs.iter().partition(|v| matches!(v, Value::Constant(_)));
        rest.extend(constants);
        let (kind, count) = (site.op(), rest.len());
        let mut rest = rest.into_iter();
        let mut sum = rest.next().ok_or_else(|| Error::model("no inputs"))?.clone();
        for value in rest {
            let scalar = match value {
                Value::Constant(c) if c.shape.len() <= sum.shape().len() => c.scalar(),
                _ => None,
            };
            sum = match (kind, scalar) {
                ("Max", Some(0.0)) => self.pointwise(&sum, Pointwise::Relu)?,
                ("Max", Some(lo)) => self.pointwise(&sum, Pointwise::Clip { lo, hi: f32::INFINITY })?,
                ("Min", Some(hi)) => self.pointwise(&sum, Pointwise::Clip { lo: f32::NEG_INFINITY, hi })?,
                ("Max", None) => Value::Dynamic(self.binary(BinaryKind::Max, &sum, value)?),
                ("Min", None) => Value::Dynamic(self.binary(BinaryKind::Min, &sum, value)?),
                _ => Value::Dynamic(self.binary(BinaryKind::Add, &sum, value)?),
            };
        }
        if kind == "Mean" && count > 1 {
            sum = self.pointwise(&sum, Pointwise::Affine { scale: 1.0 / count as f32, shift: 0.0 })?;
        }
        Ok(vec![sum])
    }

    /// Clip whose bounds are computed.
    pub(super) fn clip_computed(&mut self, site: &Site) -> Result<Vec<Value>> {
        let mut value = site.need(0)?.clone();
        if let Some(lo) = site.get(1) {
            value = Value::Dynamic(self.binary(BinaryKind::Max, &value, lo)?);
        }
        if let Some(hi) = site.get(2) {
            value = Value::Dynamic(self.binary(BinaryKind::Min, &value, hi)?);
        }
        Ok(vec![value])
    }

    pub(super) fn prelu(&mut self, site: &Site) -> Result<Option<Vec<Value>>> {
        let (value, slope) = (site.need(0)?, site.need(1)?);
        if let (Value::Dynamic(x), Value::Constant(c)) = (value, slope) {
            if let Some(alpha) = c.scalar() {
                return Ok(Some(vec![self.pointwise(value, Pointwise::LeakyRelu { alpha })?]));
            }
            if per_channel(c, &x.shape()) {
                let x = self.channels_last(x)?;
                let op = Op::PRelu { slope: Arc::new(c.to_f32().to_vec()) };
                return Ok(Some(vec![Value::Dynamic(self.emit_like(op, &[x.id], &x)?)]));
            }
        }
        // x if x >= 0 else slope x = max(x, 0) + slope min(x, 0)
        let positive = self.pointwise(value, Pointwise::Relu)?;
        let negative = self.pointwise(value, Pointwise::Clip { lo: f32::NEG_INFINITY, hi: 0.0 })?;
        let scaled = self.binary(BinaryKind::Mul, &negative, slope)?;
        Ok(Some(vec![Value::Dynamic(self.binary(BinaryKind::Add, &positive, &Value::Dynamic(scaled))?)]))
    }
}

/// Whether a constant varies along axis 1 of a value of this shape and nowhere else.
fn per_channel(c: &Constant, shape: &[usize]) -> bool {
    let lead = shape.len().saturating_sub(c.shape.len());
    shape.len() >= 2
        && c.shape.len() <= shape.len()
        && c.len() == shape[1]
        && c.shape.iter().enumerate().all(|(axis, &n)| if lead + axis == 1 { n == shape[1] } else { n == 1 })
}
