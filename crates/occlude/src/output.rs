//! Writing maps: which formats there are, where they go, and that they can be written before any work starts.
//!
//! In: what the user gave as outputs, the inputs' names, later each [`Map`]. Out: files, each written beside its place and renamed, or bytes for standard
//! output. One file per format: `npy`, `npz`, `json`, `png`, `html`.

pub mod comparison;
pub mod evaluation;
pub mod html;
pub mod json;
pub mod judgement;
mod npz;
mod plan;
pub mod png;
pub mod verification;
mod words;
pub mod zeiler;

pub use plan::{Format, OutputPlan, Written};

use crate::error::Result;
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
    })
}

/// `[T, windows...]`, the first axis left out where the map has none.
fn shape_of_windows(map: &Map) -> Vec<usize> {
    let mut shape = map.windows.shape();
    if map.has_target_axis() {
        shape.insert(0, map.targets.len());
    }
    shape
}
