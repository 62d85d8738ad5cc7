//! A model opened for occlusion: its file, what the files beside it say, and scorers for its inputs.
//!
//! In: a path and settings (layout, preprocessing, runtime, threads, memory). Out: inputs in the model's terms, and runs. What is known about a model before it
//! runs is in `facts`, the guess of its channel axis in `port`, the builder of runs in `occlusion_run` and `verify_run`; the paper's
//! experiments are in `zeiler_run` and `correspondence_run`.

mod correspondence_run;
mod facts;
mod judge_run;
mod occlusion_run;
mod port;
mod requests;
mod resolve;
mod verify_run;
mod zeiler_run;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use occlude_engine::graph::Graph;
use occlude_engine::onnx::{self, ImportOptions, ModelFile, ModelSummary};

use crate::error::{Error, Result};
use crate::hash::sha256_hex;
use crate::input::{self, Input, InputPort, Preprocess, parse_preprocess};
use crate::map::FileFact;
use crate::model_folder::ModelFolder;
use crate::scorer::{EngineOptions, EngineScorer, Outputs, Scorer};
use crate::settings::{EngineChoice, Runtime, Settings};
use crate::tensor::TensorSpec;

pub use facts::{Facts, NodeFact, RunPlan, TensorFact};
pub use occlusion_run::{Occlusion, Sizes};

/// A model, ready to be occluded.
///
/// ```no_run
/// use occlude::{Fill, Model, Target};
/// let model = Model::open("model.onnx")?;
/// let input = model.read_input("cat.jpg")?;
/// let map = model.occlusion().window(16).stride(8).fill(Fill::Mean).target(Target::Top1).run(&input)?;
/// println!("{:?}", map.summary(0));
/// # Ok::<(), occlude::Error>(())
/// ```
pub struct Model {
    folder: ModelFolder,
    about: ModelSummary,
    /// The file's bytes, until they are imported for the first time: weights are not held twice.
    read: Mutex<Option<ModelFile>>,
    fact: FileFact,
    ports: Vec<InputPort>,
    preprocess: Preprocess,
    notes: Vec<String>,
    settings: Settings,
    load_secs: f64,
    last: Mutex<Option<(ScorerKey, Arc<dyn Scorer + Send + Sync>)>>,
    resolved: Mutex<Vec<(resolve::ResolvedFor, resolve::Resolved)>>,
}

/// What a scorer was made for.
#[derive(Clone, Debug, PartialEq)]
struct ScorerKey {
    specs: Vec<TensorSpec>,
    requests: Vec<String>,
    runtime: Runtime,
    options: EngineOptions,
}

impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Model")
            .field("file", &self.folder.model)
            .field("ports", &self.ports)
            .finish_non_exhaustive()
    }
}

impl Model {
    /// Opens an `.onnx` file or a model folder with default settings.
    ///
    /// # Errors
    /// See [`Model::open_with`].
    pub fn open(path: impl AsRef<Path>) -> Result<Model> {
        Model::open_with(path, &Settings::default())
    }

    /// Opens an `.onnx` file or a model folder; of the settings, layout, preprocess, runtime, threads and memory limit matter here.
    ///
    /// # Errors
    /// File: nothing there, no model, damaged, configuration that is not understood. Model, Unsupported: what the importer says. Argument: a preprocessing text
    /// that is not understood.
    pub fn open_with(path: impl AsRef<Path>, settings: &Settings) -> Result<Model> {
        let started = Instant::now();
        let folder = ModelFolder::find(path.as_ref())?;
        let file = onnx::read(&folder.model)?;
        let name = folder.model.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        let fact = FileFact { name, sha256: sha256_hex(file.bytes()) };
        let mut notes = Vec::new();
        let ports = port::all(&file, settings.layout.or(folder.configuration.layout), &mut notes)?;
        let said = folder.configuration.preprocess.clone();
        let base = said.unwrap_or_else(|| Preprocess::guess(ports[0].channels()));
        let preprocess = match &settings.preprocess {
            Some(text) => parse_preprocess(text, &base)?,
            None => base,
        };
        let load_secs = started.elapsed().as_secs_f64();
        let settings = settings.clone();
        let (about, read) = (file.summary(), Mutex::new(Some(file)));
        Ok(Model {
            folder,
            about,
            read,
            fact,
            ports,
            preprocess,
            notes,
            settings,
            load_secs,
            last: Mutex::new(None),
            resolved: Mutex::new(Vec::new()),
        })
    }

    /// The same model by another name in provenance and reports: that of the file that it was copied from.
    #[must_use]
    pub fn called(mut self, name: impl Into<String>) -> Model {
        self.fact.name = name.into();
        self
    }

    /// Reads a picture, a volume (or one slice of it) or a signal through this model's preprocessing, or a `.npy` tensor as it is, as the model's first input.
    ///
    /// # Errors
    /// See [`crate::input::read`].
    pub fn read_input(&self, path: impl AsRef<Path>) -> Result<Input> {
        let mut input = input::read(path.as_ref(), self.port(), &self.preprocess)?;
        input.notes.extend(self.notes.iter().cloned());
        Ok(input)
    }

    /// Reads a file like [`Model::read_input`]; where preprocessing asks for all slices of a volume (`slice=axial`), each is an input, the lowest first.
    ///
    /// # Errors
    /// See [`crate::input::read_all`].
    pub fn read_all_inputs(&self, path: impl AsRef<Path>) -> Result<Vec<Input>> {
        let mut inputs = input::read_all(path.as_ref(), self.port(), &self.preprocess)?;
        for input in &mut inputs {
            input.notes.extend(self.notes.iter().cloned());
        }
        Ok(inputs)
    }

    /// Reads a file as the input of this name, for models with several: `model.read_input_of("t2", "b.npy")?`. Join them with [`Input::with_beside`].
    ///
    /// # Errors
    /// Argument: no input of that name. And see [`crate::input::read`].
    pub fn read_input_of(&self, name: &str, path: impl AsRef<Path>) -> Result<Input> {
        input::read(path.as_ref(), self.port_of(name)?, &self.preprocess)
    }

    /// Reads the bytes of a picture file or of a `.npy` file, as a data set holds them, as the model's first input: the same as [`Model::read_input`] of a file of these bytes. `name` is what
    /// messages and provenance call it.
    ///
    /// # Errors
    /// See [`crate::input::read`].
    pub fn read_bytes_input(&self, bytes: &[u8], name: &str) -> Result<Input> {
        let mut input = input::read_bytes(bytes, name, self.port(), &self.preprocess)?;
        input.notes.extend(self.notes.iter().cloned());
        Ok(input)
    }

    /// Takes an upright picture in memory through this model's preprocessing, as its first input: the same as [`Model::read_input`] of it as a PNG file. `rgb` has `height * width * 3` bytes (red,
    /// green, blue from 0 to 255), row-major.
    ///
    /// # Errors
    /// Argument: no pixel, another number of bytes, a model whose input is no picture.
    pub fn picture_input(&self, rgb: &[u8], height: usize, width: usize) -> Result<Input> {
        let mut input = input::from_pixels(rgb, height, width, self.port(), &self.preprocess)?;
        input.notes.extend(self.notes.iter().cloned());
        Ok(input)
    }

    /// Takes a tensor as the input of this name.
    ///
    /// # Errors
    /// Argument: no input of that name, a shape that does not fit it. Number: NaN or infinity.
    pub fn tensor_input_of(&self, name: &str, shape: &[usize], values: Vec<f32>) -> Result<Input> {
        Input::from_tensor(self.port_of(name)?.spec(shape)?, values)
    }

    fn port_of(&self, name: &str) -> Result<&InputPort> {
        self.ports.iter().find(|port| port.name == name).ok_or_else(|| {
            let names: Vec<&str> = self.ports.iter().map(|port| port.name.as_str()).collect();
            Error::argument(format!("the model has no input \"{name}\""))
                .with_hint(format!("its inputs are {}", names.join(", ")))
        })
    }

    /// Takes a tensor in the model's order (batch axis of 1 left out) as input; open dimensions are those of `shape`.
    ///
    /// # Errors
    /// Argument: a shape that does not fit the model. Number: NaN or infinity.
    pub fn tensor_input(&self, shape: &[usize], values: Vec<f32>) -> Result<Input> {
        let spec = self.port().spec(shape)?;
        let mut input = Input::from_tensor(spec, values)?;
        input.notes.extend(self.notes.iter().cloned());
        Ok(input)
    }

    /// What the model makes of an input: all its outputs, in its order, by one full run.
    ///
    /// # Errors
    /// Argument: an input that does not fit the model. And what the model says.
    pub fn outputs(&self, input: &Input) -> Result<Outputs> {
        let specs = self.specs(input)?;
        let names: Vec<String> = self.about.outputs.iter().map(|output| output.name.clone()).collect();
        let given = |spec: &TensorSpec| match spec.name == input.spec.name {
            true => Some(input.values.as_slice()),
            false => input.beside.iter().find(|b| b.spec.name == spec.name).map(|b| b.values.as_slice()),
        };
        let values: Vec<&[f32]> = specs.iter().filter_map(given).collect();
        let settings = Settings { engine: EngineChoice::Full, ..self.settings.clone() };
        self.scorer(&specs, None, &names, &settings)?.baseline(&values)
    }

    /// Begins a run with the settings that the model was opened with.
    pub fn occlusion(&self) -> Occlusion<'_> {
        Occlusion::new(self, self.settings.clone())
    }

    /// What the model wants as its first input.
    pub fn port(&self) -> &InputPort {
        &self.ports[0]
    }

    /// What the model wants as inputs, in its order.
    pub fn ports(&self) -> &[InputPort] {
        &self.ports
    }

    /// The specs of the inputs in the model's order.
    ///
    /// # Errors
    /// Argument: an input of the model that is not given, or one that it does not have.
    fn specs(&self, input: &Input) -> Result<Vec<TensorSpec>> {
        let given: Vec<&TensorSpec> =
            std::iter::once(&input.spec).chain(input.beside.iter().map(|beside| &beside.spec)).collect();
        for spec in &given {
            self.port_of(&spec.name)?;
        }
        let spec = |port: &InputPort| {
            given.iter().find(|spec| spec.name == port.name).map(|spec| (*spec).clone()).ok_or_else(|| {
                let names: Vec<&str> = self.ports.iter().map(|port| port.name.as_str()).collect();
                Error::argument(format!(
                    "the model has {} inputs ({}), \"{}\" is not given",
                    names.len(),
                    names.join(", "),
                    port.name
                ))
                .with_hint(format!("--with {}=FILE gives it", port.name))
            })
        };
        self.ports.iter().map(spec).collect()
    }

    /// How pictures become its input.
    pub fn preprocess(&self) -> &Preprocess {
        &self.preprocess
    }

    /// The `.onnx` file.
    pub fn path(&self) -> &Path {
        &self.folder.model
    }

    /// What the files beside it say.
    pub fn configuration(&self) -> &crate::model_folder::Configuration {
        &self.folder.configuration
    }

    /// Resolves the model for inputs of these specs.
    fn import(&self, specs: &[TensorSpec]) -> Result<Graph> {
        let shape = |spec: &TensorSpec| -> (String, Vec<usize>) {
            (spec.name.clone(), std::iter::once(1).chain(spec.shape.iter().copied()).collect())
        };
        let options =
            ImportOptions { input_shapes: specs.iter().map(shape).collect(), ..ImportOptions::default() };
        let in_file = |e: occlude_engine::Error| Error::from(e).in_context(self.folder.model.display());
        let kept = self.read.lock().unwrap_or_else(PoisonError::into_inner).take();
        let file = match kept {
            Some(file) => file,
            None => self.read_again()?,
        };
        file.import(&options).map_err(in_file)
    }

    fn read_again(&self) -> Result<ModelFile> {
        let file = onnx::read(&self.folder.model)?;
        if sha256_hex(file.bytes()) != self.fact.sha256 {
            let path = self.folder.model.display();
            return Err(
                Error::file(format!("{path} has changed since it was opened")).with_hint("open it again")
            );
        }
        Ok(file)
    }

    fn engine_options(&self, settings: &Settings) -> EngineOptions {
        EngineOptions {
            engine: settings.engine,
            approximate: settings.approximate.is_some(),
            threads: settings.threads.unwrap_or_else(crate::machine::cores),
            memory_limit: settings.memory_limit.unwrap_or_else(|| crate::machine::memory_bytes() / 2),
        }
    }

    /// A scorer that returns these tensors; the last one is kept for inputs of the same kind.
    fn scorer(
        &self,
        specs: &[TensorSpec],
        graph: Option<Graph>,
        requests: &[String],
        settings: &Settings,
    ) -> Result<Arc<dyn Scorer + Send + Sync>> {
        let options = self.engine_options(settings);
        let key = ScorerKey {
            specs: specs.to_vec(),
            requests: requests.to_vec(),
            runtime: settings.runtime,
            options,
        };
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, scorer)) = last.as_ref().filter(|(k, _)| *k == key) {
            return Ok(Arc::clone(scorer));
        }
        // The old one's weights go before the new one's come.
        *last = None;
        let scorer: Arc<dyn Scorer + Send + Sync> = match settings.runtime {
            Runtime::Builtin => {
                let graph = match graph {
                    Some(graph) => graph,
                    None => self.import(specs)?,
                };
                Arc::new(EngineScorer::new(graph, specs.to_vec(), requests, options)?)
            }
            Runtime::Ort => self.ort_scorer(specs, requests, options.threads, settings)?,
        };
        *last = Some((key, Arc::clone(&scorer)));
        Ok(scorer)
    }

    #[cfg(feature = "ort")]
    fn ort_scorer(
        &self,
        specs: &[TensorSpec],
        requests: &[String],
        threads: usize,
        settings: &Settings,
    ) -> Result<Arc<dyn Scorer + Send + Sync>> {
        let (named, venv) = (settings.ort_library.as_deref(), settings.virtual_env.as_deref());
        let library: PathBuf = crate::scorer::find_onnxruntime(named, venv)?;
        crate::scorer::OrtModel::open(&self.folder.model, &library, Some(threads))?.scorer(specs, requests)
    }

    #[cfg(not(feature = "ort"))]
    fn ort_scorer(
        &self,
        _: &[TensorSpec],
        _: &[String],
        _: usize,
        _: &Settings,
    ) -> Result<Arc<dyn Scorer + Send + Sync>> {
        Err(Error::unsupported("this build has no ONNX Runtime").with_hint("build it with the feature ort"))
    }
}
