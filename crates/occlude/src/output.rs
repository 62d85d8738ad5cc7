//! Writing maps: which formats there are, where they go, and that they can be written before any work starts.
//!
//! In: what the user gave as outputs, the inputs' names, later each [`Map`]. Out: files, each written beside its place and renamed, or bytes for standard
//! output. One file per format: `npy`, `npz`, `json`, `png`, `html`, `nifti` (packed by `gzip`), `table`.

pub(crate) mod audit;
pub mod comparison;
pub mod evaluation;
mod gzip;
pub mod html;
pub mod json;
pub mod judgement;
mod nifti;
mod npz;
mod plan;
pub mod png;
pub mod table;
pub mod verification;
mod words;
pub mod zeiler;

pub use plan::{Format, OutputPlan, Written};
pub(crate) use plan::{write_renamed, write_renamed_synced};

use crate::error::{Error, Result};
use crate::input::{Picture, npy};
use crate::map::Map;

/// The bytes of a map in a format.
///
/// # Errors
/// What drawing reports; data formats cannot fail.
pub fn encode(map: &Map, picture: &Picture, format: Format) -> Result<Vec<u8>> {
    Ok(match format {
        Format::Npy => {
            let view = map.view();
            npy::encode(&view.shape(), &view.values)?
        }
        Format::Npz => npz::encode(map)?,
        Format::Json => json::encode(map),
        Format::Png => png::render(map, picture)?,
        Format::Html => html::render(map, picture)?,
        Format::Nifti => nifti::encode(&[map])?,
        Format::NiftiGz => gzip::pack(&nifti::encode(&[map])?)?,
        Format::Csv => table::encode(map)?,
    })
}

/// The bytes of one volume that maps of its slices are laid into.
///
/// # Errors
/// Argument: a format that holds no volume, maps of different volumes or numbers of targets.
pub fn encode_slices(maps: &[Map], format: Format) -> Result<Vec<u8>> {
    let maps: Vec<&Map> = maps.iter().collect();
    match format {
        Format::Nifti => nifti::encode(&maps),
        Format::NiftiGz => gzip::pack(&nifti::encode(&maps)?),
        _ => Err(Error::argument(
            "all slices of a volume make one map volume, which only .nii and .nii.gz hold",
        )
        .with_hint("-o map.nii.gz; or one slice at a time: --preprocess slice=axial:80")),
    }
}

/// `[T, windows...]`, the first axis left out where the map has none.
fn shape_of_windows(map: &Map) -> Vec<usize> {
    let mut shape = map.windows.shape();
    if map.has_target_axis() {
        shape.insert(0, map.targets.len());
    }
    shape
}
