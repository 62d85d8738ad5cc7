//! What is hidden, where, and with what: windows (`lay` along one axis, joined in `grid`, their `shape`, `regions` of any form, all of a run in `windows`), what is written into them (`fill`), and occluded inputs (`occluder`).
//!
//! In: the input as a tensor, settings. Out: boxes in the input tensor and occluded copies of it. No model is known here.

mod fill;
mod grid;
mod inpaint;
mod lay;
mod noise;
mod occluder;
mod random_masks;
#[cfg(test)]
mod reference_data;
mod regions;
mod shape;
mod sound;
mod unchanged;
mod windows;

pub(crate) use fill::border_share;
pub use fill::{Fill, FillContext, FillValues, ReadImage};
pub use grid::{AxisRole, Grid, GridAxis, axis_name, sizes_text};
pub use inpaint::{Inpaint, InpaintEdges, InpaintFormula};
pub use lay::Border;
pub(crate) use noise::uniform_below;
pub use occluder::{OccludedInput, Occluder};
pub use random_masks::{RandomMasks, RiseEstimate};
pub use regions::{BACKGROUND, Region, Regions};
pub use shape::Shape;
pub(crate) use shape::importance;
pub use unchanged::Unchanged;
pub use windows::Windows;
