//! A model as it lies on disk: the `.onnx` file and the files beside it that say what it means (labels, preprocessing).
//!
//! In: a path to an `.onnx` file or to a folder. Out: [`ModelFolder`]: which file to load, class names, whether classes exclude each other, how pictures
//! become tensors. Configuration is in the Hugging Face style (`hugging_face`), a MONAI bundle's or in `occlude.toml` (`toml_file`). The model itself is not read here.

mod hugging_face;
mod labels;
mod toml_file;

use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::input::Preprocess;
use crate::input::volume::bundle;
use crate::tensor::Layout;

pub use labels::Labels;

/// What the files beside a model say. All of it is optional.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Configuration {
    /// Names of the classes by index.
    pub labels: Labels,
    /// The files say that this is a classifier.
    pub is_classifier: bool,
    /// Classes do not exclude each other.
    pub multi_label: bool,
    /// How a picture becomes the input.
    pub preprocess: Option<Preprocess>,
    /// Where the channels are.
    pub layout: Option<Layout>,
    /// The files that said so.
    pub files: Vec<PathBuf>,
}

/// A model file with its configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelFolder {
    /// The `.onnx` file.
    pub model: PathBuf,
    /// What the files beside it say.
    pub configuration: Configuration,
}

impl ModelFolder {
    /// Finds the model and reads the configuration beside it. A folder holds `model.onnx`, `onnx/model.onnx`, or a single `.onnx` file. A file that is named
    /// itself takes the configuration beside it only if the folder holds no other `.onnx` file, so that it cannot get another model's.
    ///
    /// # Errors
    /// File: nothing there, no or several `.onnx` files in a folder, a configuration file that cannot be read or contradicts itself.
    pub fn find(path: &Path) -> Result<ModelFolder> {
        let metadata = std::fs::metadata(path).map_err(|e| {
            Error::io("read", path, &e).with_hint("MODEL is an .onnx file or a folder that holds one")
        })?;
        let (model, folder) = if metadata.is_dir() {
            (model_in(path)?, Some(path.to_path_buf()))
        } else {
            let folder = match path.parent() {
                Some(parent) if !parent.as_os_str().is_empty() => parent.to_path_buf(),
                _ => PathBuf::from("."),
            };
            let alone = onnx_files(&folder).is_ok_and(|files| files.len() <= 1);
            (path.to_path_buf(), alone.then_some(folder))
        };
        let configuration = match folder {
            Some(folder) => Configuration::read(&folder)?,
            None => Configuration::default(),
        };
        Ok(ModelFolder { model, configuration })
    }
}

impl Configuration {
    /// Reads `config.json`, `preprocessor_config.json`, a MONAI bundle's `configs/inference.json` and `occlude.toml` where they are; what `occlude.toml` says wins.
    ///
    /// # Errors
    /// File: one of them cannot be read, or says what is not understood.
    pub fn read(folder: &Path) -> Result<Configuration> {
        let mut configuration = Configuration::default();
        hugging_face::read(folder, &mut configuration)?;
        read_bundle(folder, &mut configuration)?;
        toml_file::read(folder, &mut configuration)?;
        Ok(configuration)
    }
}

/// The steps of a MONAI bundle.
///
/// # Errors
/// File: a step that is not known, which would be left out in silence else.
fn read_bundle(folder: &Path, configuration: &mut Configuration) -> Result<()> {
    let path = folder.join("configs").join("inference.json");
    let Some(text) = read_if_there(&path)? else { return Ok(()) };
    let volume = bundle::steps(&text, &path)?;
    let base = configuration.preprocess.clone().unwrap_or_else(|| Preprocess::guess(Some(1)));
    configuration.preprocess =
        Some(Preprocess { volume, source: "configs/inference.json".to_string(), ..base });
    configuration.files.push(path);
    Ok(())
}

fn model_in(folder: &Path) -> Result<PathBuf> {
    for place in ["model.onnx", "onnx/model.onnx", "models/model.onnx"] {
        let candidate = folder.join(place);
        if candidate.is_file() {
            return Ok(candidate);
        }
    }
    let files = onnx_files(folder).map_err(|e| Error::io("list", folder, &e))?;
    match files.as_slice() {
        [only] => Ok(only.clone()),
        [] => Err(Error::file(format!("{} holds no .onnx file", folder.display()))
            .with_hint("a model folder holds model.onnx, onnx/model.onnx or a single .onnx file")),
        several => {
            let names: Vec<String> = several
                .iter()
                .take(5)
                .filter_map(|p| p.file_name())
                .map(|n| n.to_string_lossy().into_owned())
                .collect();
            Err(Error::file(format!(
                "{} holds {} .onnx files and none is called model.onnx: {}",
                folder.display(),
                several.len(),
                names.join(", ")
            ))
            .with_hint("name the file itself"))
        }
    }
}

/// The `.onnx` files of a folder, sorted.
fn onnx_files(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|e| e.eq_ignore_ascii_case("onnx")) && path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// Reads a text file if it exists.
fn read_if_there(path: &Path) -> Result<Option<String>> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(Error::io("read", path, &e)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_monai_bundle_says_how_volumes_are_prepared() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let at = |name: &str| dir.path().join(name);
        std::fs::create_dir(at("configs")).expect("folder");
        std::fs::create_dir(at("models")).expect("folder");
        std::fs::write(at("models/model.onnx"), b"").expect("write");
        let write = |transform: &str| {
            let text = format!(r#"{{"preprocessing": {{"transforms": [{transform}]}}}}"#);
            std::fs::write(at("configs/inference.json"), text).expect("write");
        };
        write(
            r#"{"_target_": "Orientationd", "axcodes": "RAS"}, {"_target_": "Spacingd", "pixdim": [1, 1, 2]}"#,
        );
        let folder = ModelFolder::find(dir.path()).expect("a bundle");
        assert_eq!(folder.model, at("models/model.onnx"));
        let said = folder.configuration.preprocess.expect("said");
        let steps: Vec<String> = said.volume.iter().map(ToString::to_string).collect();
        assert_eq!(
            (steps.join(","), said.source.as_str()),
            ("orient=RAS,spacing=1x1x2".into(), "configs/inference.json")
        );
        write(r#"{"_target_": "GaussianSmoothd"}"#);
        let error = ModelFolder::find(dir.path()).expect_err("not known").to_string();
        assert!(error.contains("GaussianSmoothd: this transform is not known"), "{error}");
    }

    #[test]
    fn which_file_and_whose_configuration() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let at = |name: &str| dir.path().join(name);
        assert!(
            ModelFolder::find(&at("none.onnx")).expect_err("missing").to_string().contains("No such file")
        );
        assert!(
            ModelFolder::find(dir.path()).expect_err("empty").to_string().contains("holds no .onnx file")
        );
        std::fs::write(at("a.onnx"), b"").expect("write");
        std::fs::write(at("config.json"), br#"{"id2label": {"0": "cat, tabby", "1": "dog"}}"#)
            .expect("write");
        let folder = ModelFolder::find(dir.path()).expect("one model");
        assert_eq!(folder.model, at("a.onnx"));
        assert!(folder.configuration.is_classifier);
        assert_eq!(ModelFolder::find(&at("a.onnx")).expect("file").configuration.labels.len(), 2);
        std::fs::write(at("b.onnx"), b"").expect("write");
        let two = ModelFolder::find(dir.path()).expect_err("two models");
        assert!(two.to_string().contains("2 .onnx files"), "{two}");
        assert_eq!(ModelFolder::find(&at("a.onnx")).expect("file").configuration, Configuration::default());
        std::fs::create_dir(at("onnx")).expect("folder");
        std::fs::write(at("onnx/model.onnx"), b"").expect("write");
        assert_eq!(ModelFolder::find(dir.path()).expect("hub style").model, at("onnx/model.onnx"));
    }
}
