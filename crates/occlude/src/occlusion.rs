//! What is hidden, where, and with what: windows (`grid`), what is written into them (`fill`), and occluded inputs (`occluder`).
//!
//! In: the input as a tensor, settings. Out: boxes in the input tensor and occluded copies of it. No model is known here.

mod fill;
mod grid;
mod inpaint;
mod noise;
mod occluder;
mod random_masks;
#[cfg(test)]
mod reference_data;
mod shape;

pub use fill::{Fill, FillContext, FillValues, ReadImage};
pub use grid::{AxisRole, Border, Grid, GridAxis, axis_name, sizes_text};
pub use inpaint::{Inpaint, InpaintEdges, InpaintFormula};
pub use occluder::Occluder;
pub use random_masks::{RandomMasks, RiseEstimate};
pub use shape::{MaskShape, monai_importance};
