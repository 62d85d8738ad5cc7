//! A model file: read, recognised, parsed and checked, before anything of it is resolved.
//!
//! In: a path or bytes. Out: a [`ModelFile`] that says what the model is called, wants and gives, and that can be imported for given
//! shapes. Everything that is wrong with the file itself is found here; what its operators mean is the importer's matter.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::external::{self, Place};
use super::importer;
use super::proto::{self, DimInfo};
use super::tensor::{self, Constant, DType};
use super::wire::WireError;
use crate::graph::Graph;
use crate::{Error, Result};

/// Opsets of the ONNX domain that the importer knows.
const OPSETS: std::ops::RangeInclusive<i64> = 7..=24;

/// One dimension of an input or output as the file gives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Dim {
    /// A number.
    Fixed(usize),
    /// A name, for example `batch_size`.
    Symbolic(String),
    /// Nothing.
    Unknown,
}

/// An input or output of a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortInfo {
    /// Its name in the model.
    pub name: String,
    /// Dimensions in the model's axis order, batch included; `None` where the file gives no shape.
    pub dims: Option<Vec<Dim>>,
    /// Element type; `None` where the file gives none.
    pub dtype: Option<DType>,
}

/// What the importer needs beyond the file.
#[derive(Clone, Debug, Default)]
pub struct ImportOptions {
    /// Concrete shapes in the model's own axis order (batch 1 included), by input name. Under the name `""`: for the only input.
    pub input_shapes: BTreeMap<String, Vec<usize>>,
    /// Sizes of the spatial axes of inputs that leave them open, for example `[224, 224]`.
    pub default_spatial: Option<Vec<usize>>,
}

/// A parsed ONNX model.
///
/// ```no_run
/// use occlude_engine::onnx::{self, ImportOptions};
/// let file = onnx::read(std::path::Path::new("model.onnx"))?;
/// println!("{} {:?}", file.producer(), file.inputs());
/// let graph = file.import(&ImportOptions::default())?;
/// # Ok::<(), occlude_engine::Error>(())
/// ```
#[derive(Debug)]
pub struct ModelFile {
    bytes: Vec<u8>,
    pub(super) proto: proto::Model,
    pub(super) graph: Arc<proto::Graph>,
    external: BTreeMap<String, Place>,
    inputs: Vec<PortInfo>,
    outputs: Vec<PortInfo>,
    opset: i64,
}

/// What a file says about its model, without its weights.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelSummary {
    /// Inputs that are no initialisers.
    pub inputs: Vec<PortInfo>,
    /// Outputs.
    pub outputs: Vec<PortInfo>,
    /// Version of the ONNX operator set.
    pub opset: i64,
    /// Version of the file format.
    pub ir_version: i64,
    /// Who wrote the file.
    pub producer: String,
    /// Bytes of the file, external data not included.
    pub bytes: u64,
}

/// Reads a model file and checks the data files beside it.
///
/// # Errors
/// `File` if a file is missing, unreadable or no ONNX model; `Model` if it contradicts itself; `Unsupported` for its opset.
pub fn read(path: &Path) -> Result<ModelFile> {
    let named = |e: Error| {
        let mut error = Error::new(e.kind(), format!("{}: {e}", path.display()));
        if let Some((refused, how)) = e.refused() {
            error = error.with_refused(refused, how);
        }
        match e.hint() {
            Some(hint) => error.with_hint(hint),
            None => error,
        }
    };
    if path.is_dir() {
        return Err(named(Error::file("is a folder, expected an ONNX file")));
    }
    let bytes = std::fs::read(path).map_err(|e| {
        named(Error::file(format!("cannot read the model: {e}"))).with_refused(path, e.kind())
    })?;
    let folder = path.parent().map(|p| if p.as_os_str().is_empty() { Path::new(".") } else { p });
    ModelFile::from_bytes(bytes, folder).map_err(named)
}

impl ModelFile {
    /// Parses a model. `folder` is where its external data lies, if it has any.
    ///
    /// # Errors
    /// As [`read`].
    pub fn from_bytes(bytes: Vec<u8>, folder: Option<&Path>) -> Result<Self> {
        recognise(&bytes)?;
        let proto = proto::Model::parse(&bytes).map_err(|e| wire_error(e, &bytes))?;
        let graph = proto.graph.clone().ok_or_else(|| {
            Error::file(format!("has no graph ({} bytes)", bytes.len()))
                .with_hint("the file is truncated or not an ONNX model")
        })?;
        let opset = opset(&proto)?;
        let mut external = BTreeMap::new();
        for tensor in graph.initializers.iter().filter(|t| t.is_external) {
            external.insert(tensor.name.clone(), external::locate(tensor, folder)?);
        }
        if graph.sparse_initializers > 0 {
            return Err(
                Error::unsupported("the model has sparse weights").with_hint("export it with dense weights")
            );
        }
        let constants: BTreeSet<&str> = graph.initializers.iter().map(|t| t.name.as_str()).collect();
        let true_inputs = graph.inputs.iter().filter(|info| !constants.contains(info.name.as_str()));
        let inputs = true_inputs.map(port).collect::<Result<Vec<_>>>()?;
        let outputs = graph.outputs.iter().map(port).collect::<Result<Vec<_>>>()?;
        if inputs.is_empty() {
            return Err(Error::model("the model has no inputs: every value in it is constant"));
        }
        if outputs.is_empty() {
            return Err(Error::model("the model has no outputs"));
        }
        Ok(ModelFile { bytes, proto, graph, external, inputs, outputs, opset })
    }

    /// The file's bytes, without external data.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Files beside the model that its weights are read from, each once.
    pub fn external_files(&self) -> Vec<PathBuf> {
        let mut files: Vec<PathBuf> = self.external.values().map(|place| place.file.clone()).collect();
        files.sort();
        files.dedup();
        files
    }

    /// True inputs: those that no initialiser of the file fills.
    pub fn inputs(&self) -> &[PortInfo] {
        &self.inputs
    }

    /// Outputs in the model's order.
    pub fn outputs(&self) -> &[PortInfo] {
        &self.outputs
    }

    /// Version of the ONNX operator set.
    pub fn opset(&self) -> i64 {
        self.opset
    }

    /// Version of the file format.
    pub fn ir_version(&self) -> i64 {
        self.proto.ir_version
    }

    /// Who wrote the file, with version, for example `pytorch 2.9.0`; may be empty.
    pub fn producer(&self) -> String {
        format!("{} {}", self.proto.producer_name, self.proto.producer_version).trim().to_string()
    }

    /// What is known without the bytes, to keep when the file is dropped.
    pub fn summary(&self) -> ModelSummary {
        ModelSummary {
            inputs: self.inputs.clone(),
            outputs: self.outputs.clone(),
            opset: self.opset,
            ir_version: self.ir_version(),
            producer: self.producer(),
            bytes: self.bytes.len() as u64,
        }
    }

    /// Resolves the model to a graph for one example.
    ///
    /// # Errors
    /// `Argument` if a shape is open, missing or does not fit; `Model` if the graph contradicts itself; `Unsupported` with the operator
    /// and the node's name for what cannot be run.
    pub fn import(&self, options: &ImportOptions) -> Result<Graph> {
        importer::import(self, options)
    }

    /// Decodes a stored tensor.
    pub(super) fn constant(&self, tensor: &proto::Tensor) -> Result<Constant> {
        if tensor.is_external {
            let place = self.external.get(&tensor.name).ok_or_else(|| {
                Error::unsupported(format!(
                    "tensor \"{}\" inside a subgraph or attribute has external data",
                    tensor.name
                ))
            })?;
            return tensor::decode(tensor, Some(&place.read()?));
        }
        tensor::decode(tensor, tensor.raw.clone().map(|range| &self.bytes[range]))
    }
}

fn port(info: &proto::ValueInfo) -> Result<PortInfo> {
    if info.is_other {
        return Err(Error::unsupported(format!(
            "\"{}\" is a sequence, map or optional, not a tensor",
            info.name
        )));
    }
    let dim = |dim: &DimInfo| match dim {
        DimInfo::Value(v) if *v > 0 => Dim::Fixed(*v as usize),
        // Zero and negative numbers are how some exporters write an open dimension.
        DimInfo::Value(_) | DimInfo::Unknown => Dim::Unknown,
        DimInfo::Name(name) => Dim::Symbolic(name.clone()),
    };
    let dtype = match info.elem_type {
        0 => None,
        code => Some(
            DType::from_code(code).map_err(|e| Error::new(e.kind(), format!("\"{}\": {e}", info.name)))?,
        ),
    };
    let dims = info.dims.as_ref().map(|dims| dims.iter().map(dim).collect());
    Ok(PortInfo { name: info.name.clone(), dims, dtype })
}

/// Version that the model asks for in the ONNX domain.
fn opset(proto: &proto::Model) -> Result<i64> {
    let found = proto.opsets.iter().find(|o| o.domain.is_empty() || o.domain == "ai.onnx");
    let Some(found) = found else {
        return Err(Error::model("the model names no ONNX operator set")
            .with_hint("the file is damaged, or older than 2017; export the model again"));
    };
    if !OPSETS.contains(&found.version) {
        let (first, last) = (OPSETS.start(), OPSETS.end());
        let hint = if found.version < *first {
            "convert it with onnx.version_converter, or export it again with a newer opset"
        } else {
            "export it with opset 24 or older, or use --runtime ort"
        };
        let version = found.version;
        return Err(
            Error::unsupported(format!("operator set {version}, expected {first} to {last}")).with_hint(hint)
        );
    }
    Ok(found.version)
}

/// Names what a file is that is no ONNX model, where its first bytes tell.
fn recognise(bytes: &[u8]) -> Result<()> {
    let starts = |magic: &[u8]| bytes.starts_with(magic);
    let (what, hint) = if bytes.is_empty() {
        ("is empty (0 bytes)", "copy or download it again")
    } else if starts(b"PK\x03\x04") {
        (
            "is a zip archive, not an ONNX model; this looks like a PyTorch checkpoint or a Keras file",
            "export the model first: torch.onnx.export(model, example, \"model.onnx\")",
        )
    } else if starts(b"\x80\x02") || starts(b"\x80\x04") {
        (
            "is a Python pickle, not an ONNX model; this looks like an old PyTorch checkpoint",
            "export the model first: torch.onnx.export(model, example, \"model.onnx\")",
        )
    } else if starts(b"\x89HDF") {
        (
            "is an HDF5 file (Keras), not an ONNX model",
            "convert it first: python -m tf2onnx.convert --keras model.h5",
        )
    } else if bytes.get(4..8) == Some(b"TFL3") {
        (
            "is a TensorFlow Lite model, not an ONNX model",
            "convert it first: python -m tf2onnx.convert --tflite model",
        )
    } else if bytes.get(8..10) == Some(b"{\"") {
        ("is a safetensors file: weights without a model", "export the whole model to ONNX first")
    } else if starts(b"version https://git-lfs") {
        ("is a Git LFS pointer, not the file itself", "fetch it: git lfs pull")
    } else if starts(b"<") && bytes[1..].first().is_some_and(|b| b.is_ascii_alphabetic() || *b == b'!') {
        ("is a web page, not an ONNX model", "the download went wrong; download it again")
    } else {
        return Ok(());
    };
    Err(Error::file(format!("the file {what}")).with_hint(hint))
}

fn wire_error(error: WireError, bytes: &[u8]) -> Error {
    let len = bytes.len();
    match error {
        // A first field that ONNX writers put first: what follows was a model, until it was cut.
        WireError::Truncated { at, needed }
            if matches!(bytes[0], 0x08 | 0x12 | 0x1a | 0x22 | 0x32 | 0x3a) =>
        {
            Error::file(format!(
                "the file is truncated: at byte {at} it needs {needed} more, but has {len} in all"
            ))
            .with_hint("copy or download it again")
        }
        WireError::Truncated { at, .. } => Error::file(format!(
            "the file is not an ONNX model ({len} bytes; no message can start like this, see byte {at})"
        )),
        WireError::Invalid { at, what } => {
            Error::file(format!("the file is not an ONNX model, or damaged: {what} at byte {at}"))
                .with_hint("export or download it again")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    #[test]
    fn files_that_are_no_models_are_named() {
        let cases: [(&[u8], &str); 8] = [
            (b"", "0 bytes"),
            (b"PK\x03\x04....", "PyTorch checkpoint"),
            (b"\x80\x02}q", "pickle"),
            (b"\x89HDF\r\n", "Keras"),
            (b"....TFL3", "TensorFlow Lite"),
            (b"<!DOCTYPE html>", "web page"),
            (b"Ceci n'est pas un mod\xc3\xa8le.\n", "not an ONNX model"),
            (b"\x08\x08\x3a\xff\x01", "truncated"),
        ];
        for (bytes, text) in cases {
            let error = ModelFile::from_bytes(bytes.to_vec(), None).unwrap_err();
            assert!(error.kind() == ErrorKind::File && error.to_string().contains(text), "{error}");
        }
    }

    #[test]
    fn a_file_cut_at_a_field_boundary_has_no_graph() {
        let error = ModelFile::from_bytes(vec![0x08, 0x08], None).unwrap_err();
        assert!(error.to_string().contains("no graph"), "{error}");
    }
}
