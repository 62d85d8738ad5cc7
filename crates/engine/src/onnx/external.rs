//! Weights in files beside the model: where they may lie, and reading them.
//!
//! In: the `location`, `offset` and `length` that a tensor claims. Out: a checked place in a file inside the model's folder, and its
//! bytes when they are needed. A path that leaves the folder, by `..`, by being absolute, or through a link, is refused.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::path::{Component, Path, PathBuf};

use super::proto;
use super::tensor::raw_len;
use crate::{Error, Result};

/// A checked place of a tensor's bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) file: PathBuf,
    offset: u64,
    len: usize,
}

/// Checks where a tensor says its bytes are. `folder` is the model's.
///
/// # Errors
/// `File` if the file is missing or too short, `Model` if the claim is malformed or leaves the folder.
pub(super) fn locate(tensor: &proto::Tensor, folder: Option<&Path>) -> Result<Place> {
    let name = &tensor.name;
    let entry = |key: &str| tensor.external.iter().find(|(k, _)| k == key).map(|(_, v)| v.as_str());
    let number = |key: &str| -> Result<Option<u64>> {
        let Some(text) = entry(key) else { return Ok(None) };
        let bad = || {
            Error::model(format!(
                "tensor \"{name}\": external data has the {key} \"{text}\", expected a number"
            ))
        };
        text.trim().parse().map(Some).map_err(|_| bad())
    };
    let location = entry("location")
        .filter(|l| !l.is_empty())
        .ok_or_else(|| Error::model(format!("tensor \"{name}\": external data without a location")))?;
    let folder = folder.ok_or_else(|| {
        Error::file(format!(
            "tensor \"{name}\" is in the file \"{location}\", but the model was not read from a folder"
        ))
        .with_hint("open the model by its path")
    })?;
    let path = Path::new(location);
    let leaves = path.has_root()
        || path.components().any(|c| !matches!(c, Component::Normal(_) | Component::CurDir))
        || location.contains(':')
        || location.contains('\\');
    if leaves {
        return Err(outside(name, location));
    }
    let file = folder.join(path);
    let real = fs::canonicalize(&file).map_err(|e| missing(name, location, folder, &e))?;
    let real_folder = fs::canonicalize(folder).map_err(|e| missing(name, location, folder, &e))?;
    if !real.starts_with(&real_folder) {
        return Err(outside(name, location));
    }
    let metadata = fs::metadata(&real).map_err(|e| missing(name, location, folder, &e))?;
    if !metadata.is_file() {
        return Err(Error::file(format!("tensor \"{name}\": \"{location}\" is not a file")));
    }
    let expected = raw_len(tensor).map_err(|e| Error::new(e.kind(), format!("tensor \"{name}\": {e}")))?;
    let offset = number("offset")?.unwrap_or(0);
    let len = number("length")?.unwrap_or(expected as u64);
    if len != expected as u64 {
        let dims = &tensor.dims;
        return Err(Error::model(format!(
            "tensor \"{name}\": external data has {len} bytes, expected {expected} for shape {dims:?}"
        )));
    }
    let end = offset.checked_add(len).filter(|&end| end <= metadata.len());
    if end.is_none() {
        let found = metadata.len();
        return Err(Error::file(format!(
            "tensor \"{name}\": \"{location}\" has {found} bytes, expected at least {} (offset {offset}, length {len})",
            u128::from(offset) + u128::from(len)
        ))
        .with_hint("the file is cut short; copy or download it again"));
    }
    Ok(Place { file: real, offset, len: expected })
}

fn outside(name: &str, location: &str) -> Error {
    Error::model(format!(
        "tensor \"{name}\": its data is said to be in \"{location}\", outside the model's folder"
    ))
    .with_hint(
        "external data must lie in the model's folder or below it, and links out of it are not followed",
    )
}

fn missing(name: &str, location: &str, folder: &Path, error: &std::io::Error) -> Error {
    Error::file(format!(
        "tensor \"{name}\": cannot read its data file \"{location}\" in {}: {error}",
        folder.display()
    ))
    .with_hint("copy the data file along with the model, under the name that the model gives it")
    .with_refused(&folder.join(location), error.kind())
}

impl Place {
    /// Reads the bytes.
    ///
    /// # Errors
    /// `File` if the file cannot be read.
    pub(super) fn read(&self) -> Result<Vec<u8>> {
        let failed = |e: std::io::Error| {
            Error::file(format!("cannot read {}: {e}", self.file.display()))
                .with_refused(&self.file, e.kind())
        };
        let mut file = File::open(&self.file).map_err(failed)?;
        file.seek(SeekFrom::Start(self.offset)).map_err(failed)?;
        let mut bytes = vec![0; self.len];
        file.read_exact(&mut bytes).map_err(failed)?;
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    fn tensor(entries: &[(&str, &str)]) -> proto::Tensor {
        proto::Tensor {
            name: "w".into(),
            dims: vec![2, 2],
            data_type: 1,
            is_external: true,
            external: entries.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect(),
            ..Default::default()
        }
    }

    #[test]
    fn places_are_checked() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("model");
        fs::create_dir_all(folder.join("sub")).unwrap();
        fs::write(folder.join("sub/w.bin"), [1u8; 24]).unwrap();
        fs::write(root.path().join("secret.bin"), [1u8; 24]).unwrap();
        #[cfg(unix)]
        std::os::unix::fs::symlink(root.path().join("secret.bin"), folder.join("link.bin")).unwrap();

        let place = locate(&tensor(&[("location", "sub/w.bin"), ("offset", "8")]), Some(&folder)).unwrap();
        assert_eq!(place.read().unwrap(), [1; 16]);

        let refused = [
            (vec![("location", "../secret.bin")], ErrorKind::Model, "outside"),
            (vec![("location", "sub/../../secret.bin")], ErrorKind::Model, "outside"),
            (vec![("location", "/etc/hostname")], ErrorKind::Model, "outside"),
            (vec![("location", "C:\\w.bin")], ErrorKind::Model, "outside"),
            #[cfg(unix)]
            (vec![("location", "link.bin")], ErrorKind::Model, "outside"),
            (vec![("location", "nowhere.bin")], ErrorKind::File, "nowhere.bin"),
            (vec![("location", "sub")], ErrorKind::File, "not a file"),
            (
                vec![("location", "sub/w.bin"), ("offset", "12")],
                ErrorKind::File,
                "has 24 bytes, expected at least 28",
            ),
            (
                vec![("location", "sub/w.bin"), ("offset", "18446744073709551615")],
                ErrorKind::File,
                "24 bytes",
            ),
            (vec![("location", "sub/w.bin"), ("length", "8")], ErrorKind::Model, "has 8 bytes, expected 16"),
            (vec![("location", "sub/w.bin"), ("offset", "-1")], ErrorKind::Model, "expected a number"),
            (vec![], ErrorKind::Model, "without a location"),
        ];
        for (entries, kind, text) in refused {
            let error = locate(&tensor(&entries), Some(&folder)).unwrap_err();
            assert!(error.kind() == kind && error.to_string().contains(text), "{entries:?}: {error}");
            let missing = folder.join("nowhere.bin");
            let expected =
                (text == "nowhere.bin").then_some((missing.as_path(), std::io::ErrorKind::NotFound));
            assert_eq!(error.refused(), expected, "{entries:?}");
        }
    }
}
