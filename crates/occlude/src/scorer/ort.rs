//! Full runs through ONNX Runtime, whose library is loaded at run time.
//!
//! In: the path of a model, the tensors wanted. Out: a [`BatchScorer`](super::BatchScorer). Inner tensors become outputs by appending them to the model's bytes;
//! how batches are run is in `runs`, how the library is found in `library`.

mod library;
mod runs;

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use ::ort::environment::Environment;
use ::ort::logging::LogLevel;
use ::ort::session::Session;
use runs::Runs;

use super::{BatchScorer, Scorer};
use crate::error::{Error, Result};
use crate::tensor::TensorSpec;

pub use library::find as find_library;

/// Examples per run of a model with an open batch axis.
const BATCH: usize = 16;

/// A model in ONNX Runtime, from which scorers are made.
#[derive(Debug)]
pub struct OrtModel {
    path: PathBuf,
    library: PathBuf,
    threads: Option<usize>,
}

impl OrtModel {
    /// Finds and loads the library. The first library that a process loads stays for its lifetime.
    ///
    /// # Errors
    /// File: no library, or one that cannot be loaded.
    pub fn open(model: &Path, library: &Path, threads: Option<usize>) -> Result<OrtModel> {
        environment(library)?;
        Ok(OrtModel { path: model.to_path_buf(), library: library.to_path_buf(), threads })
    }

    /// A scorer for inputs of these specs, in the model's order, that returns these tensors (outputs or inner tensors by name).
    ///
    /// # Errors
    /// Model or Unsupported: what ONNX Runtime says; an input that is no float; another number of inputs.
    pub fn scorer(&self, specs: &[TensorSpec], requests: &[String]) -> Result<Arc<dyn Scorer + Send + Sync>> {
        let session = self.session(requests)?;
        if session.inputs().len() != specs.len() {
            let names: Vec<&str> = session.inputs().iter().map(|i| i.name()).collect();
            return Err(Error::unsupported(format!(
                "the model has {} inputs ({}), {} are given",
                names.len(),
                names.join(", "),
                specs.len()
            )));
        }
        let runs = Runs::new(session, self.path.clone(), requests.to_vec(), specs)?;
        let batch = runs.fixed_batch().unwrap_or(BATCH);
        let runtime = format!("onnxruntime {}, full", version(&self.library));
        let run = move |inputs: &[&[f32]], count: usize| runs.run(inputs, count);
        Ok(Arc::new(BatchScorer::new(specs.to_vec(), batch, runtime, run)))
    }

    fn session(&self, requests: &[String]) -> Result<Session> {
        let environment = environment(&self.library)?;
        let refused =
            |e: String| Error::model(format!("ONNX Runtime could not load {}: {e}", self.path.display()));
        let text = |e: ::ort::Error| refused(first_line(&e));
        let builder = Session::builder(environment).map_err(text)?;
        // What it has to say comes back as errors; it must not write to standard error itself.
        let mut builder = builder.with_log_level(LogLevel::Fatal).map_err(|e| refused(first_line(&e)))?;
        if let Some(threads) = self.threads {
            builder = builder.with_intra_threads(threads).map_err(|e| refused(first_line(&e)))?;
        }
        let session = builder.commit_from_file(&self.path).map_err(text)?;
        let missing: Vec<&String> =
            requests.iter().filter(|r| session.outputs().iter().all(|o| o.name() != r.as_str())).collect();
        if missing.is_empty() {
            return Ok(session);
        }
        let mut bytes = std::fs::read(&self.path).map_err(|e| Error::io("read", &self.path, &e))?;
        append_outputs(&mut bytes, &missing);
        let folder = self.path.parent().map(|p| p.display().to_string()).unwrap_or_default();
        builder
            .with_config_entry("session.model_external_initializers_file_folder_path", folder)
            .map_err(|e| refused(first_line(&e)))?
            .commit_from_memory(&bytes)
            .map_err(|e| {
                let names: Vec<&str> = missing.iter().map(|m| m.as_str()).collect();
                Error::argument(format!("the model has no tensor {}: {}", names.join(", "), first_line(&e)))
                    .with_hint(
                        "names of tensors are those in the model file; `occlude inspect -v` lists them",
                    )
            })
    }
}

/// Adds graph outputs to a model's bytes: fields of a message that are written twice are merged, so a second `graph` with only outputs extends the first.
fn append_outputs(bytes: &mut Vec<u8>, names: &[&String]) {
    let field = |number: u8, content: &[u8]| {
        let mut out = vec![number << 3 | 2];
        let mut length = content.len();
        while length >= 0x80 {
            out.push(length as u8 | 0x80);
            length >>= 7;
        }
        out.push(length as u8);
        out.extend_from_slice(content);
        out
    };
    // ModelProto.graph = 7, GraphProto.output = 12, ValueInfoProto.name = 1.
    let outputs: Vec<u8> = names.iter().flat_map(|name| field(12, &field(1, name.as_bytes()))).collect();
    bytes.extend(field(7, &outputs));
}

/// The process's environment, made with the first library asked for.
fn environment(library: &Path) -> Result<&'static Environment> {
    static ENVIRONMENT: OnceLock<Environment> = OnceLock::new();
    if let Some(environment) = ENVIRONMENT.get() {
        return Ok(environment);
    }
    let refused = |e: String| Error::file(format!("cannot load ONNX Runtime: {e}")).with_hint(library::HINT);
    let builder = ::ort::init_from(library).map_err(|e| refused(e.to_string()))?;
    let environment = builder.with_telemetry(false).build().map_err(|e| refused(first_line(&e)))?;
    Ok(ENVIRONMENT.get_or_init(|| environment))
}

/// `1.24.1`: from the library's file name (`libonnxruntime.so.1.24.1`), else from its build information.
fn version(library: &Path) -> String {
    let digits =
        |text: &str| text.chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect::<String>();
    let name = library.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let info = ::ort::info();
    let in_name = name.split_once(".so.").map(|(_, rest)| digits(rest));
    let in_info = info.split_once("git-branch=rel-").map(|(_, rest)| digits(rest));
    in_name.or(in_info).filter(|v| !v.is_empty()).unwrap_or_else(|| "of unknown version".to_string())
}

fn first_line<T>(error: &::ort::Error<T>) -> String {
    error.to_string().lines().next().unwrap_or_default().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn appended_outputs_are_protobuf_fields() {
        let mut bytes = vec![1, 2];
        append_outputs(&mut bytes, &[&"ab".to_string()]);
        assert_eq!(bytes, [1, 2, 7 << 3 | 2, 6, 12 << 3 | 2, 4, 1 << 3 | 2, 2, b'a', b'b']);
    }
}
