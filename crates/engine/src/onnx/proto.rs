//! The ONNX messages that the importer reads, and nothing else of them.
//!
//! In: the bytes of a model file. Out: a [`Model`] whose tensors point into the bytes (weights are not copied here). Names follow
//! onnx.proto. Unknown fields are skipped, so newer files stay readable; nesting is bounded.

use std::ops::Range;
use std::sync::Arc;

use super::wire::{Payload, Reader, WireError, WireResult, each_varint};

/// Subgraphs inside subgraphs; deeper files are refused before they can exhaust the stack.
const MAX_DEPTH: usize = 32;

#[derive(Clone, Debug, Default)]
pub(super) struct Model {
    pub(super) ir_version: i64,
    pub(super) opsets: Vec<Opset>,
    pub(super) producer_name: String,
    pub(super) producer_version: String,
    pub(super) graph: Option<Arc<Graph>>,
    pub(super) functions: Vec<Arc<Function>>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Opset {
    pub(super) domain: String,
    pub(super) version: i64,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Graph {
    pub(super) nodes: Vec<Node>,
    pub(super) initializers: Vec<Arc<Tensor>>,
    pub(super) sparse_initializers: usize,
    pub(super) inputs: Vec<ValueInfo>,
    pub(super) outputs: Vec<ValueInfo>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Node {
    pub(super) inputs: Vec<String>,
    pub(super) outputs: Vec<String>,
    pub(super) name: String,
    pub(super) op_type: String,
    pub(super) domain: String,
    pub(super) overload: String,
    pub(super) attributes: Vec<Attribute>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Attribute {
    pub(super) name: String,
    /// Inside a function: the attribute of the call that this one takes its value from.
    pub(super) ref_name: String,
    pub(super) value: AttributeValue,
}

#[derive(Clone, Debug, Default)]
pub(super) enum AttributeValue {
    #[default]
    Missing,
    Float(f32),
    Int(i64),
    Text(String),
    Tensor(Arc<Tensor>),
    Graph(Arc<Graph>),
    Floats(Vec<f32>),
    Ints(Vec<i64>),
    Texts(Vec<String>),
    /// Sparse tensors, types, lists of graphs.
    Other,
}

/// A tensor; at most one of its stores is filled.
#[derive(Clone, Debug, Default)]
pub(super) struct Tensor {
    pub(super) name: String,
    pub(super) dims: Vec<i64>,
    pub(super) data_type: i32,
    /// Place of the little-endian bytes in the file.
    pub(super) raw: Option<Range<usize>>,
    pub(super) floats: Vec<f32>,
    pub(super) doubles: Vec<f64>,
    /// `int32_data`, `int64_data` and `uint64_data`.
    pub(super) ints: Vec<i64>,
    pub(super) is_external: bool,
    /// `location`, `offset`, `length`, ...
    pub(super) external: Vec<(String, String)>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct ValueInfo {
    pub(super) name: String,
    /// ONNX element type, 0 where the file does not say.
    pub(super) elem_type: i32,
    /// `None` where the file gives no shape.
    pub(super) dims: Option<Vec<DimInfo>>,
    /// Not a tensor: a sequence, map, optional or sparse tensor.
    pub(super) is_other: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum DimInfo {
    Value(i64),
    Name(String),
    Unknown,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Function {
    pub(super) name: String,
    pub(super) domain: String,
    pub(super) overload: String,
    pub(super) inputs: Vec<String>,
    pub(super) outputs: Vec<String>,
    /// Attributes with defaults.
    pub(super) defaults: Vec<Attribute>,
    pub(super) nodes: Vec<Node>,
    pub(super) opsets: Vec<Opset>,
}

impl Model {
    pub(super) fn parse(bytes: &[u8]) -> WireResult<Model> {
        let mut model = Model::default();
        each(bytes, 0..bytes.len(), |number, payload| {
            match (number, payload) {
                (1, p) => model.ir_version = int(p),
                (2, Payload::Bytes(r)) => model.producer_name = text(bytes, r),
                (3, Payload::Bytes(r)) => model.producer_version = text(bytes, r),
                (7, Payload::Bytes(r)) => model.graph = Some(Arc::new(graph(bytes, r, 0)?)),
                (8, Payload::Bytes(r)) => model.opsets.push(opset(bytes, r)?),
                (25, Payload::Bytes(r)) => model.functions.push(Arc::new(function(bytes, r)?)),
                _ => {}
            }
            Ok(())
        })?;
        Ok(model)
    }
}

fn each(
    bytes: &[u8],
    range: Range<usize>,
    mut visit: impl FnMut(u32, Payload) -> WireResult<()>,
) -> WireResult<()> {
    let mut reader = Reader::new(bytes, range);
    while let Some((number, payload)) = reader.field()? {
        visit(number, payload)?;
    }
    Ok(())
}

fn text(bytes: &[u8], range: Range<usize>) -> String {
    String::from_utf8_lossy(&bytes[range]).into_owned()
}

fn int(payload: Payload) -> i64 {
    match payload {
        Payload::Varint(v) | Payload::Fixed64(v) => v as i64,
        Payload::Fixed32(v) => i64::from(v),
        Payload::Bytes(_) => 0,
    }
}

fn float(payload: Payload) -> f32 {
    match payload {
        Payload::Fixed32(bits) => f32::from_bits(bits),
        Payload::Fixed64(bits) => f64::from_bits(bits) as f32,
        Payload::Varint(_) | Payload::Bytes(_) => 0.0,
    }
}

/// A repeated integer field, packed or not.
fn ints(bytes: &[u8], payload: Payload, into: &mut Vec<i64>) -> WireResult<()> {
    match payload {
        Payload::Bytes(range) => each_varint(bytes, range, |v| into.push(v as i64)),
        other => {
            into.push(int(other));
            Ok(())
        }
    }
}

/// A repeated float field, packed or not.
fn floats(bytes: &[u8], payload: Payload, into: &mut Vec<f32>) {
    match payload {
        Payload::Bytes(range) => {
            into.extend(bytes[range].chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])))
        }
        other => into.push(float(other)),
    }
}

fn opset(bytes: &[u8], range: Range<usize>) -> WireResult<Opset> {
    let mut opset = Opset::default();
    each(bytes, range, |number, payload| {
        match (number, payload) {
            (1, Payload::Bytes(r)) => opset.domain = text(bytes, r),
            (2, p) => opset.version = int(p),
            _ => {}
        }
        Ok(())
    })?;
    Ok(opset)
}

fn graph(bytes: &[u8], range: Range<usize>, depth: usize) -> WireResult<Graph> {
    if depth > MAX_DEPTH {
        return Err(WireError::Invalid { at: range.start, what: "more than 32 graphs inside each other" });
    }
    let mut graph = Graph::default();
    each(bytes, range, |number, payload| {
        let Payload::Bytes(r) = payload else { return Ok(()) };
        match number {
            1 => graph.nodes.push(node(bytes, r, depth)?),
            5 => graph.initializers.push(Arc::new(tensor(bytes, r)?)),
            11 => graph.inputs.push(value_info(bytes, r)?),
            12 => graph.outputs.push(value_info(bytes, r)?),
            15 => graph.sparse_initializers += 1,
            _ => {}
        }
        Ok(())
    })?;
    Ok(graph)
}

fn node(bytes: &[u8], range: Range<usize>, depth: usize) -> WireResult<Node> {
    let mut node = Node::default();
    each(bytes, range, |number, payload| {
        let Payload::Bytes(r) = payload else { return Ok(()) };
        match number {
            1 => node.inputs.push(text(bytes, r)),
            2 => node.outputs.push(text(bytes, r)),
            3 => node.name = text(bytes, r),
            4 => node.op_type = text(bytes, r),
            5 => node.attributes.push(attribute(bytes, r, depth)?),
            7 => node.domain = text(bytes, r),
            8 => node.overload = text(bytes, r),
            _ => {}
        }
        Ok(())
    })?;
    Ok(node)
}

/// The fields of an attribute before its type says which of them counts.
#[derive(Default)]
struct Loose {
    f: Option<f32>,
    i: Option<i64>,
    s: Option<String>,
    t: Option<Arc<Tensor>>,
    g: Option<Arc<Graph>>,
    floats: Vec<f32>,
    ints: Vec<i64>,
    texts: Vec<String>,
    is_other: bool,
}

fn attribute(bytes: &[u8], range: Range<usize>, depth: usize) -> WireResult<Attribute> {
    let (mut name, mut ref_name, mut kind) = (String::new(), String::new(), 0);
    let mut loose = Loose::default();
    each(bytes, range, |number, payload| {
        match (number, payload) {
            (1, Payload::Bytes(r)) => name = text(bytes, r),
            (2, p) => loose.f = Some(float(p)),
            (3, p) => loose.i = Some(int(p)),
            (4, Payload::Bytes(r)) => loose.s = Some(text(bytes, r)),
            (5, Payload::Bytes(r)) => loose.t = Some(Arc::new(tensor(bytes, r)?)),
            (6, Payload::Bytes(r)) => loose.g = Some(Arc::new(graph(bytes, r, depth + 1)?)),
            (7, p) => floats(bytes, p, &mut loose.floats),
            (8, p) => ints(bytes, p, &mut loose.ints)?,
            (9, Payload::Bytes(r)) => loose.texts.push(text(bytes, r)),
            (10 | 11 | 14 | 15 | 22 | 23, _) => loose.is_other = true,
            (20, p) => kind = int(p),
            (21, Payload::Bytes(r)) => ref_name = text(bytes, r),
            _ => {}
        }
        Ok(())
    })?;
    Ok(Attribute { name, ref_name, value: loose.settle(kind) })
}

impl Loose {
    /// By the declared type (a writer may leave out zeros), or by what is there in files older than the type field.
    fn settle(self, kind: i64) -> AttributeValue {
        use AttributeValue as V;
        match kind {
            1 => V::Float(self.f.unwrap_or(0.0)),
            2 => V::Int(self.i.unwrap_or(0)),
            3 => V::Text(self.s.unwrap_or_default()),
            4 => self.t.map_or(V::Missing, V::Tensor),
            5 => self.g.map_or(V::Missing, V::Graph),
            6 => V::Floats(self.floats),
            7 => V::Ints(self.ints),
            8 => V::Texts(self.texts),
            0 => match self {
                Loose { t: Some(t), .. } => V::Tensor(t),
                Loose { g: Some(g), .. } => V::Graph(g),
                Loose { ints, .. } if !ints.is_empty() => V::Ints(ints),
                Loose { floats, .. } if !floats.is_empty() => V::Floats(floats),
                Loose { texts, .. } if !texts.is_empty() => V::Texts(texts),
                Loose { f: Some(f), .. } => V::Float(f),
                Loose { i: Some(i), .. } => V::Int(i),
                Loose { s: Some(s), .. } => V::Text(s),
                Loose { is_other: true, .. } => V::Other,
                _ => V::Missing,
            },
            _ => V::Other,
        }
    }
}

fn tensor(bytes: &[u8], range: Range<usize>) -> WireResult<Tensor> {
    let mut tensor = Tensor::default();
    each(bytes, range, |number, payload| {
        match (number, payload) {
            (1, p) => ints(bytes, p, &mut tensor.dims)?,
            (2, p) => tensor.data_type = int(p) as i32,
            (4, p) => floats(bytes, p, &mut tensor.floats),
            (5 | 7 | 11, p) => ints(bytes, p, &mut tensor.ints)?,
            (8, Payload::Bytes(r)) => tensor.name = text(bytes, r),
            (9, Payload::Bytes(r)) => tensor.raw = Some(r),
            (10, Payload::Bytes(r)) => tensor.doubles.extend(
                bytes[r]
                    .chunks_exact(8)
                    .map(|b| f64::from_le_bytes([b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]])),
            ),
            (10, Payload::Fixed64(bits)) => tensor.doubles.push(f64::from_bits(bits)),
            (13, Payload::Bytes(r)) => tensor.external.push(entry(bytes, r)?),
            (14, p) => tensor.is_external = int(p) == 1,
            _ => {}
        }
        Ok(())
    })?;
    Ok(tensor)
}

fn entry(bytes: &[u8], range: Range<usize>) -> WireResult<(String, String)> {
    let mut entry = (String::new(), String::new());
    each(bytes, range, |number, payload| {
        match (number, payload) {
            (1, Payload::Bytes(r)) => entry.0 = text(bytes, r),
            (2, Payload::Bytes(r)) => entry.1 = text(bytes, r),
            _ => {}
        }
        Ok(())
    })?;
    Ok(entry)
}

fn value_info(bytes: &[u8], range: Range<usize>) -> WireResult<ValueInfo> {
    let mut info = ValueInfo::default();
    each(bytes, range, |number, payload| {
        match (number, payload) {
            (1, Payload::Bytes(r)) => info.name = text(bytes, r),
            (2, Payload::Bytes(r)) => each(bytes, r, |number, payload| {
                match (number, payload) {
                    (1, Payload::Bytes(r)) => tensor_type(bytes, r, &mut info)?,
                    (4 | 5 | 7 | 8 | 9, Payload::Bytes(_)) => info.is_other = true,
                    _ => {}
                }
                Ok(())
            })?,
            _ => {}
        }
        Ok(())
    })?;
    Ok(info)
}

fn tensor_type(bytes: &[u8], range: Range<usize>, info: &mut ValueInfo) -> WireResult<()> {
    each(bytes, range, |number, payload| {
        match (number, payload) {
            (1, p) => info.elem_type = int(p) as i32,
            (2, Payload::Bytes(r)) => {
                let mut dims = Vec::new();
                each(bytes, r, |number, payload| {
                    if let (1, Payload::Bytes(r)) = (number, payload) {
                        dims.push(dim(bytes, r)?);
                    }
                    Ok(())
                })?;
                info.dims = Some(dims);
            }
            _ => {}
        }
        Ok(())
    })
}

fn dim(bytes: &[u8], range: Range<usize>) -> WireResult<DimInfo> {
    let mut dim = DimInfo::Unknown;
    each(bytes, range, |number, payload| {
        match (number, payload) {
            (1, p) => dim = DimInfo::Value(int(p)),
            (2, Payload::Bytes(r)) if !r.is_empty() => dim = DimInfo::Name(text(bytes, r)),
            _ => {}
        }
        Ok(())
    })?;
    Ok(dim)
}

fn function(bytes: &[u8], range: Range<usize>) -> WireResult<Function> {
    let mut function = Function::default();
    each(bytes, range, |number, payload| {
        let Payload::Bytes(r) = payload else { return Ok(()) };
        match number {
            1 => function.name = text(bytes, r),
            4 => function.inputs.push(text(bytes, r)),
            5 => function.outputs.push(text(bytes, r)),
            7 => function.nodes.push(node(bytes, r, 0)?),
            9 => function.opsets.push(opset(bytes, r)?),
            10 => function.domain = text(bytes, r),
            11 => function.defaults.push(attribute(bytes, r, 0)?),
            13 => function.overload = text(bytes, r),
            _ => {}
        }
        Ok(())
    })?;
    Ok(function)
}
