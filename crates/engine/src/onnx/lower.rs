//! From one ONNX node to one or a few nodes of the graph: which file knows which operator.
//!
//! In: a node with at least one computed input. Out: the values of its outputs. What the graph has an operator for becomes that
//! operator, whatever the exporter made of it; the rest becomes a foreign node, which runs on whole tensors, or is refused by name.

mod conv;
mod elementwise;
mod geometry;
mod index;
mod matmul;
mod norm;
mod pad;
mod pool;
mod reduce;
mod resize;
mod resize_axis;
mod shape;
mod softmax;

use occlude_kernels::Pointwise;

pub(super) use elementwise::{binary_of, pointwise_of};
pub(super) use index::{slices, split_sizes};
pub(super) use shape::{permutation, resolve, shape_of};

use super::foreign;
use super::importer::Importer;
use super::site::{Site, is_onnx};
use super::value::Value;
use crate::graph::BinaryKind;
use crate::{Error, Result};

/// Operators that know how to read a flattened value whose elements were left in stored order.
pub(super) fn keeps_flattened(op: &str) -> bool {
    let passes = matches!(op, "Identity" | "Dropout" | "Flatten" | "Reshape" | "Squeeze" | "Unsqueeze");
    passes || matches!(op, "Gemm" | "MatMul" | "Relu" | "Sigmoid" | "Tanh" | "Clip" | "LeakyRelu")
}

/// Operators whose result is another each time.
pub(super) fn is_random(op: &str) -> bool {
    op.starts_with("Random") || matches!(op, "Multinomial" | "Bernoulli")
}

impl Importer<'_> {
    /// Lowers a node. The results are one value per output, fewer where the last are optional.
    pub(super) fn lower(&mut self, mut site: Site) -> Result<Vec<Value>> {
        if is_random(site.op()) {
            return Err(Error::unsupported("draws random numbers, so that no two runs agree"));
        }
        let lowered = if is_onnx(&site.node.domain) {
            self.lower_onnx(&site)?
        } else if site.node.domain == "com.microsoft" {
            self.lower_microsoft(&site)?
        } else {
            None
        };
        if let Some(values) = lowered {
            return Ok(values);
        }
        for value in &mut site.inputs {
            if let Value::Flattened { copy, .. } = value {
                *value = Value::Dynamic(copy.clone());
            }
        }
        foreign::lower(self, &site)
    }

    /// `None` for what only a foreign node can do.
    fn lower_onnx(&mut self, site: &Site) -> Result<Option<Vec<Value>>> {
        if let Some(f) = elementwise::pointwise_of(site)? {
            return Ok(Some(vec![self.pointwise(site.need(0)?, f)?]));
        }
        if let Some(kind) = elementwise::binary_of(site)? {
            return Ok(Some(vec![self.binary_node(site, kind)?]));
        }
        let one = |value: Value| Ok(Some(vec![value]));
        match site.op() {
            "Identity" | "Dropout" => shape::identity(site).map(Some),
            "Conv" => self.conv(site),
            "ConvTranspose" => self.conv_transpose(site),
            "MaxPool" | "AveragePool" | "LpPool" => self.pool(site),
            "GlobalAveragePool" | "GlobalMaxPool" => self.global_pool(site).map(Some),
            "GlobalLpPool" => self.global_lp_pool(site).map(Some),
            "BatchNormalization" => self.batch_norm(site),
            "LayerNormalization" => self.layer_norm(site),
            "RMSNormalization" => self.rms_norm(site),
            "InstanceNormalization" => self.instance_norm(site),
            "GroupNormalization" => self.group_norm(site),
            "LRN" => self.lrn(site).map(Some),
            "MeanVarianceNormalization" => self.mean_variance_norm(site).map(Some),
            "LpNormalization" => self.lp_norm(site),
            "Softmax" | "LogSoftmax" => self.softmax(site).map(Some),
            "MatMul" => self.mat_mul_node(site).map(Some),
            "Gemm" => self.gemm(site).map(Some),
            "Reshape" => self.reshape_node(site).map(Some),
            "Flatten" => self.flatten(site).map(Some),
            "Squeeze" => self.squeeze(site).map(Some),
            "Unsqueeze" => self.unsqueeze(site).map(Some),
            "Transpose" => self.transpose_node(site).map(Some),
            "Expand" => self.expand(site).map(Some),
            "DepthToSpace" => self.depth_to_space(site).map(Some),
            "SpaceToDepth" => self.space_to_depth(site).map(Some),
            "Shape" | "Size" => shape::shape_of(site).map(Some),
            "Slice" => self.slice_node(site).map(Some),
            "Gather" => self.gather(site),
            "Split" => self.split(site).map(Some),
            "Concat" => self.concat(site).map(Some),
            "Pad" => self.pad(site).map(Some),
            "Tile" => self.tile(site).map(Some),
            "Resize" | "Upsample" => self.resize(site),
            "Cast" | "CastLike" => self.cast_node(site).map(Some),
            "Where" => self.where_node(site).map(Some),
            "Max" | "Min" | "Sum" | "Mean" => self.variadic(site).map(Some),
            "PRelu" => self.prelu(site),
            "Clip" => self.clip_computed(site).map(Some),
            "IsNaN" => {
                let equal = self.binary(BinaryKind::Equal, site.need(0)?, site.need(0)?)?;
                one(elementwise::as_bool(self.pointwise(&Value::Dynamic(equal), Pointwise::Not)?))
            }
            "EyeLike" => shape::eye_like(site).map(Some),
            op if op.starts_with("Reduce") => self.reduce_node(site),
            op if op.starts_with("QLinear") || op.ends_with("Integer") || op.contains("quantizeLinear") => {
                let text = "computes in 8-bit integers, and maps are exact only in f32";
                Err(Error::unsupported(text).with_hint("use the model before quantisation, or --runtime ort"))
            }
            "QuantizeLinear" => {
                Err(Error::unsupported("rounds activations to 8 bits, and maps are exact only in f32")
                    .with_hint("use the model before quantisation, or --runtime ort"))
            }
            "Loop" | "Scan" | "SequenceMap" => Err(Error::unsupported("a loop in the graph")
                .with_hint("export the model without control flow, or use --runtime ort")),
            _ => Ok(None),
        }
    }

    /// The few operators of ONNX Runtime's own domain that are plain functions.
    fn lower_microsoft(&mut self, site: &Site) -> Result<Option<Vec<Value>>> {
        let f = match site.op() {
            "Gelu" => Pointwise::Gelu,
            "QuickGelu" => Pointwise::Silu { alpha: site.float_or("alpha", 1.702)? },
            _ => return Ok(None),
        };
        Ok(Some(vec![self.pointwise(site.need(0)?, f)?]))
    }
}
