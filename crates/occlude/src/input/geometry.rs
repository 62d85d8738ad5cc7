//! The way back from elements of the input tensor to pixels of the source picture.
//!
//! Resizing and cropping are affine per axis, so one scale and one offset per spatial axis say it all. Edges are meant, not centres:
//! edge `e` of the tensor (element `e` lies between the edges `e` and `e + 1`) lies at `offset + scale * e` in the source.

use std::borrow::Cow;
use std::ops::Range;

use serde::{Deserialize, Serialize};

/// One spatial axis: `source = offset + scale * edge`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct AxisMap {
    /// Source pixels per element of the tensor.
    pub scale: f64,
    /// Source position of the tensor's first edge; negative where the crop reaches beyond the picture.
    pub offset: f64,
}

/// Where the tensor's elements come from. Axes in the tensor's order of spatial axes: `[height, width]` for a picture.
///
/// ```
/// use occlude::Geometry;
/// let mut geometry = Geometry::identity(&[400, 600]);
/// geometry.resize(&[256, 384]);
/// geometry.crop(&[16, 80], &[224, 224]);
/// let source = geometry.window_in_source(&[0..16, 0..16]);
/// assert_eq!(source[1], 125.0..150.0);
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Geometry {
    /// Size of the upright source per axis, in its own unit.
    pub source_size: Vec<usize>,
    /// Size of what the tensor holds per axis, in elements.
    pub size: Vec<usize>,
    /// One map per axis.
    pub axes: Vec<AxisMap>,
    /// What the source is measured in.
    pub unit: Cow<'static, str>,
}

impl Geometry {
    /// The tensor is the source.
    pub fn identity(size: &[usize]) -> Self {
        Geometry {
            source_size: size.to_vec(),
            size: size.to_vec(),
            axes: vec![AxisMap { scale: 1.0, offset: 0.0 }; size.len()],
            unit: "px".into(),
        }
    }
    /// What there is was resized to `size`.
    pub fn resize(&mut self, size: &[usize]) {
        for ((axis, old), &new) in self.axes.iter_mut().zip(&mut self.size).zip(size) {
            axis.scale *= *old as f64 / new as f64;
            *old = new;
        }
    }
    /// A box of `size` elements from `start` (may be negative: padding) was cut out.
    pub fn crop(&mut self, start: &[isize], size: &[usize]) {
        for (place, axis) in self.axes.iter_mut().enumerate() {
            axis.offset += axis.scale * start[place] as f64;
            self.size[place] = size[place];
        }
    }
    /// A box of tensor elements in source units; one half-open range per spatial axis.
    pub fn window_in_source(&self, spatial_box: &[Range<usize>]) -> Vec<Range<f64>> {
        let edge = |axis: &AxisMap, e: usize| axis.offset + axis.scale * e as f64;
        self.axes
            .iter()
            .zip(spatial_box)
            .map(|(axis, range)| edge(axis, range.start)..edge(axis, range.end))
            .collect()
    }
    /// Whether elements and source pixels are the same thing.
    pub fn is_identity(&self) -> bool {
        self.source_size == self.size && self.axes.iter().all(|a| a.scale == 1.0 && a.offset == 0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_compose() {
        let mut geometry = Geometry::identity(&[100, 50]);
        assert!(geometry.is_identity());
        geometry.resize(&[200, 25]);
        geometry.crop(&[-10, 5], &[220, 15]);
        assert_eq!(geometry.window_in_source(&[0..220, 0..15]), [-5.0..105.0, 10.0..40.0]);
        geometry.resize(&[110, 15]);
        assert_eq!(geometry.window_in_source(&[0..110, 0..15]), [-5.0..105.0, 10.0..40.0]);
        assert_eq!(geometry.size, [110, 15]);
    }
}
