//! The models and inputs that pages may use, each by a name of ours: no page names a file.
//!
//! In: what the command line opened, and bytes that pages sent. Out: models and inputs by their number. Of what pages sent, the last ones used are kept within bounds; what was opened at the start stays.

use std::collections::VecDeque;
use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use occlude::{Error, Input, Model, NodeFact, Result, Settings};

/// Models that pages sent, kept at once.
const MODELS: usize = 2;
/// Inputs that pages sent, kept at once.
const INPUTS: usize = 64;
/// Bytes of tensors and pictures of the inputs kept.
const INPUT_BYTES: usize = 512 << 20;

/// The inner tensors of a model for inputs of one shape.
#[derive(Clone, Debug)]
pub(super) struct Tensors {
    pub(super) shape: Vec<usize>,
    pub(super) nodes: Arc<Vec<NodeFact>>,
}

/// A model with its number.
#[derive(Debug)]
pub(super) struct KeptModel {
    pub(super) id: String,
    /// As a person knows it.
    pub(super) name: String,
    /// As the command line would name it.
    pub(super) path: String,
    pub(super) model: Model,
    /// Its inner tensors, once they were asked for.
    pub(super) tensors: Mutex<Option<Tensors>>,
    /// The file that a page sent, removed with it.
    _file: Option<tempfile::TempDir>,
}

/// An input with its number.
#[derive(Debug)]
pub(super) struct KeptInput {
    pub(super) id: String,
    pub(super) model: String,
    /// As the command line would name it.
    pub(super) path: String,
    pub(super) input: Input,
    /// The picture as a data URL, once a page has asked for it.
    pub(super) picture: OnceLock<Option<String>>,
}

impl KeptInput {
    fn bytes(&self) -> usize {
        let picture = &self.input.picture;
        let grey = picture.volume.as_ref().map_or(0, |volume| volume.grey.len());
        4 * self.input.values.len() + picture.rgb.len() + grey
    }
}

/// All of them.
#[derive(Debug)]
pub(super) struct Shelf {
    held: Mutex<Held>,
    /// Part of every number: the address of a page may outlive the server, and must not name something else in the next one.
    start: String,
}

impl Default for Shelf {
    fn default() -> Self {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Shelf { held: Mutex::default(), start: format!("{:x}", since.as_millis() & 0xffff_ffff) }
    }
}

#[derive(Debug, Default)]
struct Held {
    numbers: usize,
    /// Opened at the start.
    own_model: Option<Arc<KeptModel>>,
    own_input: Option<Arc<KeptInput>>,
    /// The last one used is the last one to go.
    models: VecDeque<Arc<KeptModel>>,
    inputs: VecDeque<Arc<KeptInput>>,
}

impl Held {
    fn number(&mut self, letter: char, start: &str) -> String {
        self.numbers += 1;
        format!("{letter}{}-{start}", self.numbers)
    }
}

impl Shelf {
    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The model of the command line.
    pub(super) fn put_own_model(&self, model: Model, path: &Path) -> Arc<KeptModel> {
        let mut held = self.held();
        let id = held.number('m', &self.start);
        let name =
            path.file_name().map_or_else(|| path.display().to_string(), |n| n.to_string_lossy().into_owned());
        let kept = Arc::new(KeptModel {
            id,
            name,
            path: path.display().to_string(),
            model,
            tensors: Mutex::new(None),
            _file: None,
        });
        held.own_model = Some(Arc::clone(&kept));
        kept
    }

    /// The input of the command line.
    pub(super) fn put_own_input(&self, input: Input, model: &KeptModel, path: &Path) {
        let mut held = self.held();
        let id = held.number('i', &self.start);
        held.own_input = Some(Arc::new(KeptInput {
            id,
            model: model.id.clone(),
            path: path.display().to_string(),
            input,
            picture: OnceLock::new(),
        }));
    }

    /// A model that a page sent, opened with these settings from a folder of its own; `name` is only shown.
    ///
    /// # Errors
    /// File: it cannot be put down, or is no model.
    pub(super) fn add_model(&self, bytes: &[u8], name: &str, settings: &Settings) -> Result<Arc<KeptModel>> {
        let put_down =
            |e: std::io::Error| Error::file(format!("the model cannot be put down for reading: {e}"));
        let folder = tempfile::tempdir().map_err(put_down)?;
        let file = folder.path().join("model.onnx");
        std::fs::File::create(&file).and_then(|mut file| file.write_all(bytes)).map_err(put_down)?;
        let model = Model::open_with(&file, settings)
            .map_err(|error| without_path(&error, &file, name))?
            .called(name);
        let mut held = self.held();
        let id = held.number('m', &self.start);
        let kept = Arc::new(KeptModel {
            id,
            name: name.to_string(),
            path: name.to_string(),
            model,
            tensors: Mutex::new(None),
            _file: Some(folder),
        });
        held.models.push_back(Arc::clone(&kept));
        while held.models.len() > MODELS {
            held.models.pop_front();
        }
        Ok(kept)
    }

    /// An input that a page sent, as it was read.
    pub(super) fn add_input(&self, input: Input, model: &KeptModel) -> Arc<KeptInput> {
        let mut held = self.held();
        let id = held.number('i', &self.start);
        let path = input.file.name.clone();
        let kept = Arc::new(KeptInput { id, model: model.id.clone(), path, input, picture: OnceLock::new() });
        held.inputs.push_back(Arc::clone(&kept));
        let bytes = |held: &Held| held.inputs.iter().map(|input| input.bytes()).sum::<usize>();
        while held.inputs.len() > 1 && (held.inputs.len() > INPUTS || bytes(&held) > INPUT_BYTES) {
            held.inputs.pop_front();
        }
        kept
    }

    /// All models, that of the command line first.
    pub(super) fn models(&self) -> Vec<Arc<KeptModel>> {
        let held = self.held();
        held.own_model.iter().chain(&held.models).cloned().collect()
    }

    /// The input of the command line.
    pub(super) fn own_input(&self) -> Option<Arc<KeptInput>> {
        self.held().own_input.clone()
    }

    /// A model by its number.
    pub(super) fn model(&self, id: &str) -> Option<Arc<KeptModel>> {
        let mut held = self.held();
        if let Some(own) = held.own_model.as_ref().filter(|model| model.id == id) {
            return Some(Arc::clone(own));
        }
        let at = held.models.iter().position(|model| model.id == id)?;
        let found = held.models.remove(at)?;
        held.models.push_back(Arc::clone(&found));
        Some(found)
    }

    /// An input by its number.
    pub(super) fn input(&self, id: &str) -> Option<Arc<KeptInput>> {
        let mut held = self.held();
        if let Some(own) = held.own_input.as_ref().filter(|input| input.id == id) {
            return Some(Arc::clone(own));
        }
        let at = held.inputs.iter().position(|input| input.id == id)?;
        let found = held.inputs.remove(at)?;
        held.inputs.push_back(Arc::clone(&found));
        Some(found)
    }
}

/// What went wrong with a model that a page sent, in its own terms: where we put the file is nobody's business.
fn without_path(error: &Error, file: &Path, name: &str) -> Error {
    let folder = file.parent().map(|folder| folder.display().to_string()).unwrap_or_default();
    let plain = |text: &str| text.replace(&file.display().to_string(), name).replace(&folder, "its folder");
    let plain_error = Error::new(error.kind(), plain(&error.to_string()));
    match error.hint() {
        Some(hint) => plain_error.with_hint(plain(hint)),
        None => plain_error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use occlude::TensorSpec;

    fn input(bytes: usize) -> Input {
        let spec = TensorSpec::new("x", &[bytes / 4], occlude::Layout::ChannelsFirst);
        let mut input = Input::from_tensor(spec, vec![0.0; bytes / 4]).expect("fits");
        input.picture.rgb.clear();
        input
    }

    fn demo() -> Model {
        Model::open(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/efficientnet-lite0"))
            .expect("shipped")
    }

    #[test]
    fn the_inputs_used_last_are_kept() {
        let shelf = Shelf::default();
        let model = shelf.put_own_model(demo(), Path::new("demo"));
        shelf.put_own_input(input(4), &model, Path::new("own.npy"));
        let own = shelf.own_input().expect("put").id.clone();
        let first = shelf.add_input(input(4), &model).id.clone();
        let second = shelf.add_input(input(4), &model).id.clone();
        for _ in 0..INPUTS - 1 {
            assert!(shelf.input(&first).is_some());
            shelf.add_input(input(4), &model);
        }
        assert!(shelf.input(&second).is_none(), "the one not used goes");
        assert!(shelf.input(&first).is_some() && shelf.input(&own).is_some());
    }

    #[test]
    fn large_inputs_push_others_out() {
        let shelf = Shelf::default();
        let model = shelf.put_own_model(demo(), Path::new("demo"));
        let small = shelf.add_input(input(4), &model).id.clone();
        let large = shelf.add_input(input(INPUT_BYTES + 4), &model).id.clone();
        assert!(shelf.input(&small).is_none() && shelf.input(&large).is_some());
    }

    #[test]
    fn a_model_that_is_none_is_refused_without_telling_where_it_lies() {
        let error =
            Shelf::default().add_model(b"no model", "mine.onnx", &Settings::default()).expect_err("refused");
        let said = format!("{error} {}", error.hint().unwrap_or_default());
        assert!(said.contains("mine.onnx"), "{said}");
        assert!(!said.contains(&std::env::temp_dir().display().to_string()), "{said}");
    }
}
