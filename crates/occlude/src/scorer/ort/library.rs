//! Finding ONNX Runtime's library: named by the caller, or inside an installed `onnxruntime` Python package.
//!
//! In: what the front knows (`ORT_DYLIB_PATH`, `VIRTUAL_ENV`); this crate reads no environment itself. Out: the path of the library.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::{Error, Result};

/// What to do without one.
pub(super) const HINT: &str = "install it with `pip install onnxruntime`, or set ORT_DYLIB_PATH to libonnxruntime.so (.dylib, onnxruntime.dll) of version 1.24 or later";

/// The library: `named` (what `ORT_DYLIB_PATH` says) if given, else from the Python packages of `virtual_env`, else from those of `python3` on the path.
///
/// # Errors
/// File: a named library that is not there, or none found.
pub fn find(named: Option<&Path>, virtual_env: Option<&Path>) -> Result<PathBuf> {
    if let Some(path) = named {
        return if path.is_file() {
            Ok(path.to_path_buf())
        } else {
            Err(Error::file(format!(
                "ONNX Runtime's library is said to be {}, which is not a file",
                path.display()
            ))
            .with_hint(HINT))
        };
    }
    let mut folders = Vec::new();
    if let Some(root) = virtual_env {
        folders.extend(site_packages(root));
    }
    for folder in &folders {
        if let Some(found) = in_package(&folder.join("onnxruntime")) {
            return Ok(found);
        }
    }
    if let Some(found) = python_package().and_then(|package| in_package(&package)) {
        return Ok(found);
    }
    Err(Error::file("ONNX Runtime is not installed: no library in ORT_DYLIB_PATH, none in an onnxruntime package of VIRTUAL_ENV or of python3").with_hint(HINT))
}

/// `ROOT/lib/python3.x/site-packages`, or `ROOT/Lib/site-packages` on Windows.
fn site_packages(root: &Path) -> Vec<PathBuf> {
    let mut folders = vec![root.join("Lib").join("site-packages")];
    if let Ok(entries) = std::fs::read_dir(root.join("lib")) {
        let mut versions: Vec<PathBuf> =
            entries.filter_map(|e| Some(e.ok()?.path().join("site-packages"))).collect();
        versions.sort();
        folders.extend(versions);
    }
    folders.into_iter().filter(|f| f.is_dir()).collect()
}

/// Where `python3` has its `onnxruntime` package; the package itself is not imported.
fn python_package() -> Option<PathBuf> {
    let code = "import importlib.util as u; s = u.find_spec('onnxruntime'); print(list(s.submodule_search_locations)[0] if s else '')";
    let output = Command::new("python3").args(["-c", code]).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let path = text.trim();
    (!path.is_empty()).then(|| PathBuf::from(path))
}

/// The library inside a package: `capi/libonnxruntime.so.1.24.1` and its like.
fn in_package(package: &Path) -> Option<PathBuf> {
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(package.join("capi")).ok()?.filter_map(|e| Some(e.ok()?.path())).collect();
    files.sort();
    files.into_iter().find(|path| {
        let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        let is_library = name.starts_with("libonnxruntime.so")
            || (name.starts_with("libonnxruntime") && name.ends_with(".dylib"));
        is_library && !name.contains("providers") || name == "onnxruntime.dll"
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_is_found_in_a_virtual_environment() {
        let dir = tempfile::tempdir().expect("folder");
        let capi = dir.path().join("lib/python3.12/site-packages/onnxruntime/capi");
        std::fs::create_dir_all(&capi).expect("folders");
        for name in ["libonnxruntime_providers_shared.so", "libonnxruntime.so.1.24.1", "other.py"] {
            std::fs::write(capi.join(name), b"").expect("write");
        }
        assert_eq!(find(None, Some(dir.path())).expect("found"), capi.join("libonnxruntime.so.1.24.1"));
        let named = capi.join("other.py");
        assert_eq!(find(Some(&named), None).expect("named"), named);
        let error = find(Some(Path::new("/none.so")), None).expect_err("missing");
        assert!(error.to_string().contains("said to be /none.so") && error.hint().is_some());
    }
}
