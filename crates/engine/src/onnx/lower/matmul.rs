//! Matrix products: with constant weights (a linear layer) or of two activations.
//!
//! A value that was flattened in stored order is read as it is; the rows of the weight are put into that order instead.

use std::sync::Arc;

use occlude_kernels::Pointwise;

use super::super::importer::Importer;
use super::super::layout::{broadcast_shape, flat_indices, permuted, transposed};
use super::super::site::Site;
use super::super::tensor::Constant;
use super::super::value::{Dynamic, Value};
use crate::graph::{BinaryKind, Linear, Op};
use crate::{Error, Result};

/// A constant matrix for a linear layer.
struct Matrix {
    values: Arc<Vec<f32>>,
    /// `[inputs, outputs]`, or `[outputs, inputs]` if transposed.
    inputs: usize,
    outputs: usize,
    is_transposed: bool,
    factor: f32,
}

impl Matrix {
    fn of(c: &Constant, is_transposed: bool) -> Self {
        let (rows, columns) = (c.shape[c.shape.len() - 2], c.shape[c.shape.len() - 1]);
        let (inputs, outputs) = if is_transposed { (columns, rows) } else { (rows, columns) };
        Matrix { values: c.to_f32(), inputs, outputs, is_transposed, factor: 1.0 }
    }

    /// `[inputs, outputs]`, the inputs being a tensor of model shape `shape` whose axes are read in `order`.
    fn rows(self, shape: &[usize], order: &[usize]) -> Vec<f32> {
        let is_in_order = order.windows(2).all(|w| w[0] < w[1]);
        let mut values = if self.is_transposed {
            transposed(&self.values, self.outputs, &flat_indices(shape, order))
        } else if is_in_order {
            Arc::unwrap_or_clone(self.values)
        } else {
            let dims: Vec<usize> = shape.iter().copied().chain([self.outputs]).collect();
            let perm: Vec<usize> = order.iter().copied().chain([shape.len()]).collect();
            permuted(&self.values, &dims, &perm)
        };
        if self.factor != 1.0 {
            values.iter_mut().for_each(|v| *v *= self.factor);
        }
        values
    }
}

fn mismatch(a: &[usize], b: &[usize]) -> Error {
    Error::model(format!("shapes {a:?} and {b:?} cannot be multiplied"))
}

impl Importer<'_> {
    /// `matrix` applied along a model axis, which gets the matrix's outputs.
    fn linear(
        &mut self,
        x: &Dynamic,
        axis: usize,
        matrix: Matrix,
        bias: Option<Arc<Vec<f32>>>,
    ) -> Result<Dynamic> {
        if x.shape()[axis] != matrix.inputs {
            return Err(mismatch(&x.shape(), &[matrix.inputs, matrix.outputs]));
        }
        let x = self.axis_last(x, axis)?;
        let (in_features, out_features) = (matrix.inputs, matrix.outputs);
        let weight = Arc::new(matrix.rows(&[in_features], &[0]));
        let mut stored = x.stored.clone();
        stored[x.rank() - 1] = out_features;
        let op =
            Op::Linear(Linear { in_features, out_features, weight, bias, activation: Pointwise::Identity });
        self.emit(op, &[x.id], stored, x.order.clone(), x.dtype)
    }

    /// As [`Self::linear`] on the last axis, for a value that may be flattened in stored order.
    fn linear_last(&mut self, value: &Value, matrix: Matrix, bias: Option<Arc<Vec<f32>>>) -> Result<Dynamic> {
        let (source, shape) = match value {
            Value::Flattened { source, shape, .. } if shape.last() == Some(&source.len()) => (source, shape),
            other => {
                let x = self.materialised(other)?;
                return self.linear(&x, x.rank() - 1, matrix, bias);
            }
        };
        if source.len() != matrix.inputs {
            return Err(mismatch(shape, &[matrix.inputs, matrix.outputs]));
        }
        let (in_features, out_features) = (matrix.inputs, matrix.outputs);
        let order: Vec<usize> = (0..shape.len()).collect();
        let flat = self.emit(Op::Reshape, &[source.id], shape.clone(), order, source.dtype)?;
        let weight = Arc::new(matrix.rows(&source.shape(), &source.order));
        let mut stored = flat.stored.clone();
        stored[flat.rank() - 1] = out_features;
        let op =
            Op::Linear(Linear { in_features, out_features, weight, bias, activation: Pointwise::Identity });
        self.emit(op, &[flat.id], stored, flat.order.clone(), flat.dtype)
    }

    pub(super) fn gemm(&mut self, site: &Site) -> Result<Vec<Value>> {
        let (alpha, beta) = (site.float_or("alpha", 1.0)?, site.float_or("beta", 1.0)?);
        let (trans_a, trans_b) = (site.int_or("transA", 0)? != 0, site.int_or("transB", 0)? != 0);
        let (a, b) = (site.need(0)?, site.need(1)?);
        if a.shape().len() != 2 || b.shape().len() != 2 {
            return Err(mismatch(&a.shape(), &b.shape()));
        }
        // A bias per output goes into the product; any other C is added behind it.
        let outputs = b.shape()[usize::from(!trans_b)];
        let bias = match site.get(2) {
            Some(Value::Constant(c))
                if c.shape.len() <= 2 && c.shape.len() < 2 + usize::from(c.shape.first() == Some(&1)) =>
            {
                let values = c.to_f32();
                let spread = |i: usize| beta * values[if values.len() == 1 { 0 } else { i }];
                let fits = values.len() == 1 || values.len() == outputs;
                fits.then(|| Arc::new((0..outputs).map(spread).collect::<Vec<f32>>()))
            }
            _ => None,
        };
        let has_bias = bias.is_some();
        let y = match (a, b) {
            (Value::Constant(left), right) => {
                let right = self.materialised(right)?;
                let right = if trans_b { self.transpose(&right, &[1, 0]) } else { right };
                let matrix = Matrix { factor: alpha, ..Matrix::of(left, !trans_a) };
                let y = self.linear(&right, 0, matrix, None)?;
                match bias {
                    Some(values) => {
                        let bias = Value::Constant(Constant::floats(vec![values.len()], values.to_vec()));
                        self.binary(BinaryKind::Add, &Value::Dynamic(y), &bias)?
                    }
                    None => y,
                }
            }
            (left, Value::Constant(right)) => {
                let matrix = Matrix { factor: alpha, ..Matrix::of(right, trans_b) };
                if trans_a {
                    let left = self.materialised(left)?;
                    let left = self.transpose(&left, &[1, 0]);
                    self.linear(&left, 1, matrix, bias)?
                } else {
                    self.linear_last(left, matrix, bias)?
                }
            }
            (left, right) => {
                let (left, right) = (self.materialised(left)?, self.materialised(right)?);
                let left = if trans_a { self.transpose(&left, &[1, 0]) } else { left };
                let right = if trans_b { self.transpose(&right, &[1, 0]) } else { right };
                let mut y = self.product(&left, &right)?;
                if alpha != 1.0 {
                    y = self.apply(&y, Pointwise::Affine { scale: alpha, shift: 0.0 })?;
                }
                match bias {
                    Some(values) => {
                        let bias = Value::Constant(Constant::floats(vec![values.len()], values.to_vec()));
                        self.binary(BinaryKind::Add, &Value::Dynamic(y), &bias)?
                    }
                    None => y,
                }
            }
        };
        let y = Value::Dynamic(y);
        let Some(c) = site.get(2).filter(|_| !has_bias && beta != 0.0) else { return Ok(vec![y]) };
        let c = match c {
            Value::Constant(c) => {
                let scaled = c.to_f32().iter().map(|v| v * beta).collect();
                Value::Constant(Constant::floats(c.shape.clone(), scaled))
            }
            other => self.pointwise(
                other,
                if beta == 1.0 { Pointwise::Identity } else { Pointwise::Affine { scale: beta, shift: 0.0 } },
            )?,
        };
        Ok(vec![Value::Dynamic(self.binary(BinaryKind::Add, &y, &c)?)])
    }

    pub(super) fn mat_mul_node(&mut self, site: &Site) -> Result<Vec<Value>> {
        let (a, b) = (site.need(0)?, site.need(1)?);
        let (a_shape, b_shape) = (a.shape(), b.shape());
        if a_shape.is_empty() || b_shape.is_empty() {
            return Err(mismatch(&a_shape, &b_shape));
        }
        // A constant with leading unit axes is a matrix; the result has as many axes as the larger of both.
        let matrix = |shape: &[usize]| shape.len() >= 2 && shape[..shape.len() - 2].iter().all(|&n| n == 1);
        let fits = |a: &[usize], b: &[usize]| a.len() >= b.len() || b.len() == 2;
        if let Value::Constant(c) = b {
            if matrix(&b_shape) && fits(&a_shape, &b_shape) {
                return Ok(vec![Value::Dynamic(self.linear_last(a, Matrix::of(c, false), None)?)]);
            }
            if b_shape.len() == 1 {
                let column = Constant { shape: vec![b_shape[0], 1], ..c.clone() };
                let y = self.linear_last(a, Matrix::of(&column, false), None)?;
                let shape = y.shape();
                return Ok(vec![Value::Dynamic(self.reshape(&y, &shape[..shape.len() - 1])?)]);
            }
        }
        if let Value::Constant(c) = a {
            let right = self.materialised(b)?;
            if matrix(&a_shape) && (right.rank() >= a_shape.len() || a_shape.len() == 2) {
                let axis = right.rank().saturating_sub(2);
                return Ok(vec![Value::Dynamic(self.linear(&right, axis, Matrix::of(c, true), None)?)]);
            }
        }
        let (mut left, mut right) = (self.materialised(a)?, self.materialised(b)?);
        if a_shape.len() == 1 {
            left = self.reshape(&left, &[1, a_shape[0]])?;
        }
        if b_shape.len() == 1 {
            right = self.reshape(&right, &[b_shape[0], 1])?;
        }
        let y = self.product(&left, &right)?;
        let mut shape = y.shape();
        if b_shape.len() == 1 {
            shape.pop();
        }
        if a_shape.len() == 1 {
            shape.remove(shape.len() - 1 - usize::from(b_shape.len() != 1));
        }
        Ok(vec![Value::Dynamic(self.reshape(&y, &shape)?)])
    }

    /// `[..., m, k] x [..., k, n]`, leading axes broadcast, all in the model's order.
    fn product(&mut self, a: &Dynamic, b: &Dynamic) -> Result<Dynamic> {
        let (a_shape, b_shape) = (a.shape(), b.shape());
        let (m, k) = (a_shape[a.rank() - 2], a_shape[a.rank() - 1]);
        let (rows, n) = (b_shape[b.rank() - 2], b_shape[b.rank() - 1]);
        if k != rows {
            return Err(mismatch(&a_shape, &b_shape));
        }
        let lead = broadcast_shape(&[a_shape[..a.rank() - 2].to_vec(), b_shape[..b.rank() - 2].to_vec()])
            .map_err(|_| mismatch(&a_shape, &b_shape))?;
        let (a, b) = (self.model_order(a)?, self.model_order(b)?);
        let shape: Vec<usize> = lead.into_iter().chain([m, n]).collect();
        let order = (0..shape.len()).collect();
        self.emit(Op::MatMul, &[a.id, b.id], shape, order, a.dtype)
    }
}
