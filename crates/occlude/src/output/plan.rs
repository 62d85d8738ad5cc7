//! Where outputs go: checked before any work starts (nothing is left behind by that), written beside their place and renamed.
//!
//! In: the outputs as the user named them and the inputs. Rules: the ending chooses the format; `-` is standard output (JSON); a folder (or a name that ends
//! in `/`) gets `STEM.html`; `{stem}` is replaced by the input's file name without ending; several inputs need a folder or `{stem}`. A folder that is missing is made when
//! the first file is written into it, and said.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};

use super::{nifti, table};
use crate::error::{Error, Result};
use crate::input::{Input, Picture};
use crate::map::Map;
use crate::occlusion::Windows;

/// A file format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// The sensitivities, f32 `[target, grid...]`.
    Npy,
    /// All arrays.
    Npz,
    /// Everything, schema `occlude.map/1`.
    Json,
    /// A figure.
    Png,
    /// A report in one file.
    Html,
    /// The map over the scan, NIfTI-1.
    Nifti,
    /// The same, packed.
    NiftiGz,
    /// Regions as a table.
    Csv,
}

impl Format {
    /// Formats with their endings.
    pub const ALL: [(Format, &'static str); 8] = [
        (Format::Npy, "npy"),
        (Format::Npz, "npz"),
        (Format::Json, "json"),
        (Format::Png, "png"),
        (Format::Html, "html"),
        (Format::Nifti, "nii"),
        (Format::NiftiGz, "nii.gz"),
        (Format::Csv, "csv"),
    ];

    /// The format that a file name's ending chooses.
    ///
    /// # Errors
    /// Argument: no ending, or an unknown one.
    pub fn of(path: &Path) -> Result<Format> {
        let is_packed =
            path.file_stem().is_some_and(|s| s.to_string_lossy().to_lowercase().ends_with(".nii"));
        let ending = path.extension().map(|e| e.to_string_lossy().to_lowercase());
        let ending = ending.map(|ending| if is_packed && ending == "gz" { "nii.gz".into() } else { ending });
        let found = Format::ALL.iter().find(|(_, e)| Some(*e) == ending.as_deref());
        found.map(|(format, _)| *format).ok_or_else(|| {
            let what = match ending {
                Some(ending) => format!("unknown output ending .{ending} in {}", path.display()),
                None => format!("{} has no ending that says the format", path.display()),
            };
            Error::argument(what).with_hint(
                "endings are .html .png .json .npz .npy .nii.gz .nii .csv; - is standard output (JSON)",
            )
        })
    }
}

/// Something that was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The file; `None` for standard output, whose bytes are then in `stdout`.
    pub path: Option<PathBuf>,
    /// Size in bytes.
    pub bytes: usize,
    /// What belongs to standard output.
    pub stdout: Option<Vec<u8>>,
    /// The folder that was made for it.
    pub made: Option<PathBuf>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    Stdout,
    File(PathBuf, Format),
}

/// Where each input's outputs go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputPlan {
    /// Per input, in the order of the outputs.
    places: Vec<Vec<Place>>,
}

impl OutputPlan {
    /// Settles the place of every output and tries that it can be written, or that its folder can be made.
    ///
    /// # Errors
    /// Argument: an unknown ending, several inputs for one file, two outputs in one place. File: a place that cannot be written.
    pub fn prepare(outputs: &[String], inputs: &[PathBuf]) -> Result<OutputPlan> {
        let mut taken = BTreeSet::new();
        let mut places = Vec::with_capacity(inputs.len());
        for input in inputs {
            let mut of_input = Vec::with_capacity(outputs.len());
            for output in outputs {
                let place = place(output, input, inputs.len())?;
                if let Place::File(path, _) = &place {
                    if !taken.insert(path.clone()) {
                        return Err(Error::argument(format!(
                            "two outputs would both be written to {}",
                            path.display()
                        ))
                        .with_hint(
                            "every input and every format needs a place of its own; {stem} is the input's name without folder",
                        ));
                    }
                    try_writing(path)?;
                }
                of_input.push(place);
            }
            places.push(of_input);
        }
        Ok(OutputPlan { places })
    }

    /// The files of one input.
    pub fn files(&self, input: usize) -> impl Iterator<Item = &Path> {
        self.places[input].iter().filter_map(|place| match place {
            Place::File(path, _) => Some(path.as_path()),
            Place::Stdout => None,
        })
    }

    /// Whether the formats of an input's outputs hold what a run on it gives, to be said before anything runs.
    ///
    /// # Errors
    /// Argument: a volume of what is none, a table of windows that are no regions.
    ///
    /// # Panics
    /// If there is no such input.
    pub fn check(&self, input: usize, given: &Input, windows: &Windows) -> Result<()> {
        for place in &self.places[input] {
            match place {
                Place::File(_, Format::Nifti | Format::NiftiGz) => {
                    nifti::check(&given.geometry, &given.spec.spatial())?;
                }
                Place::File(_, Format::Csv) => table::check(windows)?,
                _ => {}
            }
        }
        Ok(())
    }

    /// Writes all outputs of one input.
    ///
    /// # Errors
    /// File: what the system says.
    ///
    /// # Panics
    /// If there is no such input.
    pub fn write(&self, input: usize, map: &Map, picture: &Picture) -> Result<Vec<Written>> {
        self.write_encoded(input, &|format| super::encode(map, picture, format))
    }

    /// Writes all outputs of one input, each with the bytes that `encode` gives for its format.
    ///
    /// # Errors
    /// File: what the system says. And what `encode` says.
    ///
    /// # Panics
    /// If there is no such input.
    pub fn write_encoded(
        &self,
        input: usize,
        encode: &dyn Fn(Format) -> Result<Vec<u8>>,
    ) -> Result<Vec<Written>> {
        let mut written = Vec::new();
        for place in &self.places[input] {
            written.push(match place {
                Place::Stdout => {
                    let bytes = encode(Format::Json)?;
                    Written { path: None, bytes: bytes.len(), stdout: Some(bytes), made: None }
                }
                Place::File(path, format) => {
                    let bytes = encode(*format)?;
                    let made = make_folder(path)?;
                    write_renamed(path, &bytes)?;
                    Written { path: Some(path.clone()), bytes: bytes.len(), stdout: None, made }
                }
            });
        }
        Ok(written)
    }
}

fn place(output: &str, input: &Path, inputs: usize) -> Result<Place> {
    if output == "-" {
        return if inputs == 1 {
            Ok(Place::Stdout)
        } else {
            Err(Error::argument(format!("standard output takes one map, there are {inputs} inputs"))
                .with_hint("give a folder, or a name with {stem} as in maps/{stem}.json"))
        };
    }
    let stem = input.file_stem().map_or_else(|| "map".to_string(), |s| s.to_string_lossy().into_owned());
    let packed = input.extension().filter(|e| e.eq_ignore_ascii_case("gz")).and(stem.strip_suffix(".nii"));
    let stem = packed.map_or(stem.clone(), str::to_string);
    let is_folder = output.ends_with(['/', std::path::MAIN_SEPARATOR]) || Path::new(output).is_dir();
    let path = if is_folder {
        Path::new(output).join(format!("{stem}.html"))
    } else if output.contains("{stem}") {
        PathBuf::from(output.replace("{stem}", &stem))
    } else if inputs > 1 {
        Format::of(Path::new(output))?;
        return Err(Error::argument(format!("{inputs} inputs cannot all be written to {output}"))
            .with_hint("give a folder (maps/), or a name with {stem} as in maps/{stem}.png"));
    } else {
        PathBuf::from(output)
    };
    let format = Format::of(&path)?;
    Ok(Place::File(path, format))
}

/// The folder that a file lies in.
fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Makes a file beside the place, or where the first missing folder would be, which is removed again.
fn try_writing(path: &Path) -> Result<()> {
    if path.is_dir() {
        return Err(Error::file(format!("cannot write {}: it is a folder", path.display())));
    }
    let folder = folder_of(path);
    let there = folder.ancestors().find(|f| f.exists()).unwrap_or(Path::new("."));
    if there.is_file() {
        let (path, file) = (path.display(), there.display());
        return Err(Error::file(format!("cannot write {path}: {file} is a file, not a folder")));
    }
    if path.metadata().is_ok_and(|m| m.permissions().readonly()) {
        return Err(Error::file(format!("cannot write {}: it is read-only", path.display())));
    }
    let beside = beside(&there.join(path.file_name().unwrap_or_default()));
    std::fs::write(&beside, b"").and_then(|()| std::fs::remove_file(&beside)).map_err(|e| {
        if there == folder { Error::io("write", path, &e) } else { Error::io("make the folder", folder, &e) }
    })
}

/// Makes the folder of a file where it is missing, and returns it then.
fn make_folder(path: &Path) -> Result<Option<PathBuf>> {
    let folder = folder_of(path);
    if folder.exists() {
        return Ok(None);
    }
    std::fs::create_dir_all(folder).map_err(|e| Error::io("make the folder", folder, &e))?;
    Ok(Some(folder.to_path_buf()))
}

/// Writes a file beside its place and renames it, so that it is there whole or not at all.
///
/// # Errors
/// File: what the system says.
pub(crate) fn write_renamed(path: &Path, bytes: &[u8]) -> Result<()> {
    renamed(path, &|beside| std::fs::write(beside, bytes))
}

/// The same; the file's bytes are on the disk when this returns, also if the power fails then.
///
/// # Errors
/// File: what the system says.
pub(crate) fn write_renamed_synced(path: &Path, bytes: &[u8]) -> Result<()> {
    renamed(path, &|beside| {
        let mut file = std::fs::File::create(beside)?;
        file.write_all(bytes)?;
        file.sync_all()
    })
}

fn renamed(path: &Path, write: &dyn Fn(&Path) -> std::io::Result<()>) -> Result<()> {
    let beside = beside(path);
    write(&beside).and_then(|()| std::fs::rename(&beside, path)).map_err(|e| {
        // Best effort: the error that matters is the one of writing.
        let _ = std::fs::remove_file(&beside);
        Error::io("write", path, &e)
    })
}

/// A hidden name in the same folder, of this process.
fn beside(path: &Path) -> PathBuf {
    let name = path.file_name().map_or_else(|| "map".into(), |n| n.to_string_lossy().into_owned());
    path.with_file_name(format!(".{name}.{}.part", std::process::id()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::map::tests_support::map;

    fn inputs(names: &[&str]) -> Vec<PathBuf> {
        names.iter().map(PathBuf::from).collect()
    }

    #[test]
    fn names_by_rule() {
        let dir = tempfile::tempdir().expect("folder");
        let at = |name: &str| format!("{}/{name}", dir.path().display());
        let files = |outputs: &[String], names: &[&str]| -> Result<Vec<Vec<String>>> {
            let plan = OutputPlan::prepare(outputs, &inputs(names))?;
            let short = |p: &Path| p.strip_prefix(dir.path()).expect("inside").display().to_string();
            Ok((0..names.len()).map(|i| plan.files(i).map(short).collect()).collect())
        };
        assert_eq!(files(&[at("a.npy"), "-".into()], &["x/cat.jpg"]).expect("good"), [["a.npy"]]);
        assert_eq!(
            files(&[at("maps/")], &["cat.jpg", "dog.png"]).expect("good"),
            [["maps/cat.html"], ["maps/dog.html"]]
        );
        std::fs::create_dir(dir.path().join("maps")).expect("folder");
        assert_eq!(
            files(&[at("{stem}.npz"), at("maps")], &["cat.jpg"]).expect("good"),
            [["cat.npz", "maps/cat.html"]]
        );
        assert_eq!(files(&[at("{stem}.nii.gz")], &["x/scan.nii.gz"]).expect("good"), [["scan.nii.gz"]]);
        assert_eq!(Format::of(Path::new("a.b.NII.GZ")).expect("known"), Format::NiftiGz);
        for (outputs, names, message) in [
            (vec![at("a.gz")], vec!["x.jpg"], "unknown output ending .gz"),
            (vec![at("a.gif")], vec!["x.jpg"], "unknown output ending .gif"),
            (vec![at("a")], vec!["x.jpg"], "has no ending"),
            (vec![at("a.png")], vec!["x.jpg", "y.jpg"], "2 inputs cannot all be written"),
            (vec!["-".into()], vec!["x.jpg", "y.jpg"], "standard output takes one map"),
            (vec![at("{stem}.png")], vec!["a/x.jpg", "b/x.jpg"], "two outputs would both"),
            (vec!["/proc/none/a.png".into()], vec!["x.jpg"], "cannot make the folder"),
        ] {
            let error = files(&outputs, &names).expect_err(message).to_string();
            assert!(error.contains(message), "{message}: {error}");
        }
    }

    #[test]
    fn writing_leaves_only_the_file() {
        let dir = tempfile::tempdir().expect("folder");
        let path = dir.path().join("a.npy");
        let plan = OutputPlan::prepare(&[path.display().to_string(), "-".into()], &inputs(&["x.npy"]))
            .expect("good");
        assert_eq!(std::fs::read_dir(dir.path()).expect("folder").count(), 0, "trying leaves nothing");
        let map = map([2, 4], [2, 2], [2, 2], vec![0.5, -1.0]);
        let picture =
            Picture { width: 1, height: 1, rgb: vec![0; 3], photographic: false, signal: None, volume: None };
        let written = plan.write(0, &map, &picture).expect("writes");
        assert_eq!((written[0].path.as_deref(), written[0].bytes), (Some(path.as_path()), 128 + 8));
        assert!(written[1].stdout.as_ref().is_some_and(|b| b.starts_with(b"{")));
        assert_eq!((std::fs::read_dir(dir.path()).expect("folder").count(), &written[0].made), (1, &None));
        let array = crate::input::npy::parse(&std::fs::read(&path).expect("there"), &path).expect("an array");
        assert_eq!((array.shape, array.values), (vec![1, 2], vec![0.5, -1.0]));
    }

    #[test]
    fn a_missing_folder_is_made_when_the_file_is_written_and_said() {
        let dir = tempfile::tempdir().expect("folder");
        let output = dir.path().join("a/b/m.npy");
        let plan = OutputPlan::prepare(&[output.display().to_string()], &inputs(&["x.npy"])).expect("good");
        assert!(!dir.path().join("a").exists(), "trying makes no folder");
        let map = map([2, 4], [2, 2], [2, 2], vec![0.5, -1.0]);
        let picture =
            Picture { width: 1, height: 1, rgb: vec![0; 3], photographic: false, signal: None, volume: None };
        let made = |plan: &OutputPlan| plan.write(0, &map, &picture).expect("writes")[0].made.clone();
        assert_eq!((made(&plan), made(&plan)), (Some(dir.path().join("a/b")), None));
        assert!(output.exists());
    }
}
