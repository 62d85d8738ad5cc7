//! Operators that the graph has none for: one node, run by tract on whole tensors.
//!
//! In: a node with concrete input shapes, its constants included. Out: a [`Foreign`] per output that is read, with the output's shape
//! and type as tract infers them. Values are f32 outside and have their own types inside. Slow, but the same numbers.

use std::fmt;
use std::sync::Arc;

use tract_onnx::pb;
use tract_onnx::prelude::{
    DatumType, Framework, InferenceModelExt, IntoRunnable, TValue, Tensor as TractTensor, TypedSimplePlan,
    tvec,
};

use super::importer::Importer;
use super::proto::{self, AttributeValue};
use super::site::{Site, label};
use super::tensor::{Constant, DType, Data};
use super::value::{Dynamic, Value};
use crate::graph::Op;
use crate::{Error, Result};

/// One output of one node of the model, computed on whole tensors in the model's axis order.
///
/// Shared by all threads; every run has its own state.
pub struct Foreign {
    label: String,
    op_type: String,
    plan: Arc<TypedSimplePlan>,
    inputs: Vec<(DType, Vec<usize>)>,
    output: usize,
    shape: Vec<usize>,
}

impl fmt::Debug for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Foreign({}, output {}, {:?})", self.label, self.output, self.shape)
    }
}

impl Foreign {
    /// Operator and name of the node, for messages.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// The ONNX operator.
    pub fn op_type(&self) -> &str {
        &self.op_type
    }

    /// Shape of the output, in the model's axis order.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Computes the output from one example's inputs, all row-major in the model's axis order.
    ///
    /// # Errors
    /// `Model` if a length does not fit or the operator fails on these values.
    pub fn run(&self, inputs: &[&[f32]], output: &mut [f32]) -> Result<()> {
        let failed = |e: &dyn fmt::Display| Error::model(format!("failed: {e}")).at_node(&self.label);
        let mut values = tvec!();
        for (&values_in, (dtype, shape)) in inputs.iter().zip(&self.inputs) {
            if values_in.len() != shape.iter().product::<usize>() {
                return Err(failed(&format!("{} values for an input of shape {shape:?}", values_in.len())));
            }
            values.push(TValue::from(to_tract(values_in, *dtype, shape).map_err(|e| failed(&e))?));
        }
        let results = self.plan.run(values).map_err(|e| failed(&format!("{e:#}")))?;
        let result = results.get(self.output).ok_or_else(|| failed(&"no such output"))?;
        let result = result.cast_to::<f32>().map_err(|e| failed(&e))?;
        let view = result.try_as_plain_ram().map_err(|e| failed(&e))?;
        let result = view.as_slice::<f32>().map_err(|e| failed(&e))?;
        if result.len() != output.len() {
            return Err(failed(&format!("{} values, expected {:?}", result.len(), self.shape)));
        }
        output.copy_from_slice(result);
        Ok(())
    }
}

type TractResult<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

fn to_tract(values: &[f32], dtype: DType, shape: &[usize]) -> TractResult<TractTensor> {
    if dtype.is_float() {
        return Ok(TractTensor::from_shape(shape, values)?);
    }
    if dtype == DType::Bool {
        let values: Vec<bool> = values.iter().map(|&v| v != 0.0).collect();
        return Ok(TractTensor::from_shape(shape, &values)?);
    }
    let values: Vec<i64> = values.iter().map(|&v| v as i64).collect();
    Ok(TractTensor::from_shape(shape, &values)?.cast_to_dt(datum_type(dtype))?.into_owned())
}

/// Floats of every width run as f32.
fn datum_type(dtype: DType) -> DatumType {
    match dtype {
        DType::F32 | DType::F16 | DType::Bf16 | DType::F64 => DatumType::F32,
        DType::I8 => DatumType::I8,
        DType::I16 => DatumType::I16,
        DType::I32 => DatumType::I32,
        DType::I64 => DatumType::I64,
        DType::U8 => DatumType::U8,
        DType::U16 => DatumType::U16,
        DType::U32 => DatumType::U32,
        DType::U64 => DatumType::U64,
        DType::Bool => DatumType::Bool,
    }
}

fn dtype_of(datum_type: DatumType) -> Option<DType> {
    Some(match datum_type {
        DatumType::F32 | DatumType::F16 | DatumType::F64 => DType::F32,
        DatumType::I8 => DType::I8,
        DatumType::I16 => DType::I16,
        DatumType::I32 => DType::I32,
        DatumType::I64 | DatumType::TDim => DType::I64,
        DatumType::U8 => DType::U8,
        DatumType::U16 => DType::U16,
        DatumType::U32 => DType::U32,
        DatumType::U64 => DType::U64,
        DatumType::Bool => DType::Bool,
        _ => return None,
    })
}

/// Lowers a node to one foreign node per output that is read.
///
/// # Errors
/// `Unsupported`, with the node's name and a way out, if tract cannot run it either.
pub(super) fn lower(importer: &mut Importer, site: &Site) -> Result<Vec<Value>> {
    let mut inputs = Vec::new();
    for value in &site.inputs {
        if let Value::Dynamic(d) = value {
            inputs.push(importer.model_order(d)?);
        }
    }
    let (plan, facts) = plan(importer, site)?;
    let ids: Vec<_> = inputs.iter().map(|d| d.id).collect();
    let mut values = Vec::new();
    for (index, is_used) in site.used.iter().enumerate() {
        let Some((dtype, shape)) = facts.get(index).filter(|_| *is_used) else {
            values.push(Value::Absent);
            continue;
        };
        let foreign = Foreign {
            label: label(site.node),
            op_type: site.node.op_type.clone(),
            plan: plan.clone(),
            inputs: inputs.iter().map(|d| (d.dtype, d.shape())).collect(),
            output: index,
            shape: shape.clone(),
        };
        let order = (0..shape.len()).collect();
        let op = Op::Foreign(Arc::new(foreign));
        values.push(Value::Dynamic(importer.emit(op, &ids, shape.clone(), order, *dtype)?));
    }
    Ok(values)
}

/// Evaluates a node whose inputs are all constant.
///
/// # Errors
/// As [`lower`].
pub(super) fn evaluate(importer: &Importer, site: &Site) -> Result<Vec<Value>> {
    let (plan, _) = plan(importer, site)?;
    let results = plan.run(tvec!()).map_err(|e| refused(site, &format!("{e:#}")))?;
    results
        .iter()
        .map(|result| {
            let dtype = dtype_of(result.datum_type()).ok_or_else(|| refused(site, "an odd element type"))?;
            let shape = result.shape().to_vec();
            let failed = |e: &dyn fmt::Display| refused(site, &e.to_string());
            let data = if dtype.is_float() {
                let cast = result.cast_to::<f32>().map_err(|e| failed(&e))?;
                let view = cast.try_as_plain_ram().map_err(|e| failed(&e))?;
                Data::Float(Arc::new(view.as_slice::<f32>().map_err(|e| failed(&e))?.to_vec()))
            } else {
                let cast = result.cast_to::<i64>().map_err(|e| failed(&e))?;
                let view = cast.try_as_plain_ram().map_err(|e| failed(&e))?;
                Data::Int(Arc::new(view.as_slice::<i64>().map_err(|e| failed(&e))?.to_vec()))
            };
            Ok(Value::Constant(Constant { dtype, shape, data }))
        })
        .collect()
}

fn refused(site: &Site, reason: &str) -> Error {
    let node = site.node;
    let what = if node.domain.is_empty() || node.domain == "ai.onnx" {
        format!("operator {} (opset {}) cannot be run", node.op_type, site.opset)
    } else {
        format!("operator {} of the domain {} is not known", node.op_type, node.domain)
    };
    let line = reason.lines().next().unwrap_or("").trim();
    let text = if line.is_empty() { what } else { format!("{what}: {line}") };
    Error::unsupported(text).with_hint("--runtime ort runs the same job through ONNX Runtime")
}

/// Axes far outside any shape are damage, on which tract would spend all memory.
fn check_axes(site: &Site) -> Result<()> {
    for attribute in site.node.attributes.iter().filter(|a| a.name.starts_with("ax")) {
        let list = match &attribute.value {
            AttributeValue::Int(v) => std::slice::from_ref(v),
            AttributeValue::Ints(v) => v,
            _ => continue,
        };
        if list.iter().any(|v| v.abs() > 64) {
            return Err(Error::model(format!("attribute {} is {list:?}", attribute.name)));
        }
    }
    Ok(())
}

/// Type and shape of an output.
type OutputFact = (DType, Vec<usize>);

fn plan(importer: &Importer, site: &Site) -> Result<(Arc<TypedSimplePlan>, Vec<OutputFact>)> {
    if !super::site::is_onnx(&site.node.domain) {
        return Err(refused(site, ""));
    }
    check_axes(site)?;
    let model = one_node_model(importer, site)?;
    // tract takes apart what it does not know by panicking in a few places; a strange model must not end the program.
    let built = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        tract_onnx::onnx().model_for_proto_model(&model).and_then(|m| m.into_typed())
    }));
    let typed = match built {
        Ok(Ok(typed)) => typed,
        Ok(Err(e)) => return Err(refused(site, &e.root_cause().to_string())),
        Err(_) => return Err(refused(site, "")),
    };
    let mut facts = Vec::new();
    for index in 0..typed.outputs.len() {
        let fact = typed.output_fact(index).map_err(|e| refused(site, &e.to_string()))?;
        let shape = fact.shape.as_concrete().map(<[usize]>::to_vec);
        let (Some(shape), Some(dtype)) = (shape, dtype_of(fact.datum_type)) else {
            let text = format!("the shape of output {index} depends on the picture's values");
            return Err(refused(site, &text));
        };
        facts.push((dtype, shape));
    }
    let plan = typed.into_runnable().map_err(|e| refused(site, &e.to_string()))?;
    Ok((plan, facts))
}

fn one_node_model(importer: &Importer, site: &Site) -> Result<pb::ModelProto> {
    let mut graph = pb::GraphProto::default();
    let mut node = pb::NodeProto {
        op_type: site.node.op_type.clone(),
        name: "node".into(),
        domain: site.node.domain.clone(),
        ..Default::default()
    };
    for (index, value) in site.inputs.iter().enumerate() {
        let name = format!("in{index}");
        match value {
            Value::Absent => {
                node.input.push(String::new());
                continue;
            }
            Value::Constant(c) => graph.initializer.push(tensor(c, name.clone())),
            Value::Dynamic(d) | Value::Flattened { copy: d, .. } => graph.input.push(input(d, name.clone())),
            Value::Stored(_) => return Err(Error::model("a stored value was not decoded")),
        }
        node.input.push(name);
    }
    while node.input.last().is_some_and(String::is_empty) {
        node.input.pop();
    }
    for index in 0..site.node.outputs.len() {
        let name = format!("out{index}");
        graph.output.push(pb::ValueInfoProto { name: name.clone(), ..Default::default() });
        node.output.push(name);
    }
    for attribute in &site.node.attributes {
        node.attribute.extend(pb_attribute(importer, attribute)?);
    }
    graph.node.push(node);
    let opset = pb::OperatorSetIdProto { domain: String::new(), version: site.opset };
    Ok(pb::ModelProto { ir_version: 8, opset_import: vec![opset], graph: Some(graph), ..Default::default() })
}

/// ONNX code of a type as it runs here.
fn code(dtype: DType) -> i32 {
    if dtype.is_float() { DType::F32.code() } else { dtype.code() }
}

fn input(d: &Dynamic, name: String) -> pb::ValueInfoProto {
    use pb::tensor_shape_proto::{Dimension, dimension};
    let dim =
        |n: usize| Dimension { value: Some(dimension::Value::DimValue(n as i64)), ..Default::default() };
    let shape = pb::TensorShapeProto { dim: d.shape().into_iter().map(dim).collect() };
    let tensor = pb::type_proto::Tensor { elem_type: code(d.dtype), shape: Some(shape) };
    let value = Some(pb::type_proto::Value::TensorType(tensor));
    pb::ValueInfoProto {
        name,
        r#type: Some(pb::TypeProto { value, ..Default::default() }),
        ..Default::default()
    }
}

fn tensor(c: &Constant, name: String) -> pb::TensorProto {
    let mut raw_data = Vec::new();
    match (&c.data, c.dtype) {
        (Data::Float(values), _) => values.iter().for_each(|v| raw_data.extend(v.to_le_bytes())),
        (Data::Int(values), dtype) => {
            let bytes = match dtype {
                DType::I8 | DType::U8 | DType::Bool => 1,
                DType::I16 | DType::U16 => 2,
                DType::I32 | DType::U32 => 4,
                _ => 8,
            };
            values.iter().for_each(|v| raw_data.extend(&v.to_le_bytes()[..bytes]));
        }
    }
    let dims = c.shape.iter().map(|&n| n as i64).collect();
    pb::TensorProto { name, dims, data_type: code(c.dtype), raw_data, ..Default::default() }
}

fn pb_attribute(importer: &Importer, attribute: &proto::Attribute) -> Result<Option<pb::AttributeProto>> {
    use pb::attribute_proto::AttributeType as T;
    let mut out = pb::AttributeProto { name: attribute.name.clone(), ..Default::default() };
    let kind = match &attribute.value {
        AttributeValue::Missing => return Ok(None),
        AttributeValue::Float(v) => {
            out.f = *v;
            T::Float
        }
        AttributeValue::Int(v) => {
            out.i = *v;
            T::Int
        }
        AttributeValue::Text(v) => {
            out.s = v.clone().into_bytes();
            T::String
        }
        AttributeValue::Tensor(v) => {
            out.t = Some(tensor(&importer.file.constant(v)?, v.name.clone()));
            T::Tensor
        }
        AttributeValue::Floats(v) => {
            out.floats.clone_from(v);
            T::Floats
        }
        AttributeValue::Ints(v) => {
            out.ints.clone_from(v);
            T::Ints
        }
        AttributeValue::Texts(v) => {
            out.strings = v.iter().map(|s| s.clone().into_bytes()).collect();
            T::Strings
        }
        AttributeValue::Graph(_) | AttributeValue::Other => {
            return Err(Error::unsupported(format!(
                "attribute {} holds a graph or another rare type",
                attribute.name
            ))
            .with_hint("--runtime ort runs the same job through ONNX Runtime"));
        }
    };
    out.r#type = kind as i32;
    Ok(Some(out))
}
