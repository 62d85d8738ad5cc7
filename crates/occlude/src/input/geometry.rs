//! The way back from elements of the input tensor to pixels of the source picture.
//!
//! Resizing and cropping are affine per axis, so one scale and one offset per spatial axis say it all. Edges are meant, not centres:
//! edge `e` of the tensor (element `e` lies between the edges `e` and `e + 1`) lies at `offset + scale * e` in the source. Of a volume the source is its grid with the axes
//! turned as the steps turned them; the placement says which axes of the file those are and where they lie in millimetres.

use std::borrow::Cow;
use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::volume::Placement;
use super::volume::affine::{Affine, Turned, multiply};

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
    /// Of volumes and their slices: the file's grid and affine.
    pub placement: Option<Placement>,
}

impl Geometry {
    /// The tensor is the source.
    pub fn identity(size: &[usize]) -> Self {
        Geometry {
            source_size: size.to_vec(),
            size: size.to_vec(),
            axes: vec![AxisMap { scale: 1.0, offset: 0.0 }; size.len()],
            unit: "px".into(),
            placement: None,
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
    /// The elements were taken at other places along each axis: element `i` of the new grid has its centre at `first + scale * i` from the centre of the old one's first element.
    pub(crate) fn resample(&mut self, size: &[usize], first: &[f64], scale: &[f64]) {
        for (place, axis) in self.axes.iter_mut().enumerate() {
            // Edge e is the centre of element e minus half an element, in both grids.
            axis.offset += axis.scale * (first[place] + 0.5 - 0.5 * scale[place]);
            axis.scale *= scale[place];
            self.size[place] = size[place];
        }
    }
    /// The three axes of a volume were exchanged and turned; the source is counted along with them.
    pub(crate) fn turn(&mut self, axes: [Turned; 3]) {
        let old = self.clone();
        for (new, (from, is_flipped)) in axes.into_iter().enumerate() {
            let (length, size) = (old.source_size[from], old.size[from]);
            (self.source_size[new], self.size[new], self.axes[new]) = (length, size, old.axes[from]);
            if is_flipped {
                let AxisMap { scale, offset } = old.axes[from];
                self.axes[new].offset = length as f64 - offset - scale * size as f64;
            }
        }
        if let Some(placement) = &mut self.placement {
            placement.turn(axes);
            // The source is counted along its turned axes, which are not those of the file.
            self.unit = format!("voxels, axes turned to {}", placement.counted_codes()).into();
        }
    }
    /// From indices of a volume's elements to millimetres; `None` for what is no volume.
    pub fn affine(&self) -> Option<Affine> {
        let placement = self.placement.as_ref().filter(|_| self.axes.len() == 3)?;
        let mut to_source = [[0.0; 4]; 4];
        to_source[3][3] = 1.0;
        for (place, axis) in self.axes.iter().enumerate() {
            to_source[place][place] = axis.scale;
            to_source[place][3] = axis.offset + 0.5 * axis.scale - 0.5;
        }
        Some(multiply(&placement.counted_affine(), &to_source))
    }
    /// The same where the file says it: not for arrays, whose voxels are only taken as 1 mm.
    pub fn known_affine(&self) -> Option<Affine> {
        self.affine().filter(|_| self.placement.as_ref().is_some_and(|placement| !placement.is_assumed))
    }
    /// Millimetres per element along each spatial axis, where they are known.
    pub fn millimetres(&self) -> Option<Vec<f64>> {
        let spacing = self.placement.as_ref()?.spacing();
        Some(self.axes.iter().zip(spacing).map(|(axis, mm)| axis.scale * mm).collect())
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
        let is_turned = |placement: &Placement| placement.axes != [(0, false), (1, false), (2, false)];
        self.source_size == self.size
            && self.axes.iter().all(|a| a.scale == 1.0 && a.offset == 0.0)
            && !self.placement.as_ref().is_some_and(is_turned)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::volume::affine;

    #[test]
    fn a_volume_is_followed_through_turns_and_steps() {
        let stored =
            [[0.0, 0.0, 2.0, 5.0], [-1.0, 0.0, 0.0, 7.0], [0.0, 3.0, 0.0, -4.0], [0.0, 0.0, 0.0, 1.0]];
        let mut geometry = Geometry::identity(&[10, 20, 30]);
        geometry.placement = Some(Placement::of_file([10, 20, 30], stored));
        geometry.crop(&[1, 2, 3], &[8, 16, 24]);
        geometry.turn(affine::turning(&stored, affine::parse_codes("RAS").expect("codes")));
        assert_eq!((&geometry.size[..], &geometry.source_size[..]), (&[24, 8, 16][..], &[30, 10, 20][..]));
        // The first element is the one that the crop left at file indices [8, 2, 3].
        let here = |g: &Geometry, at: [f64; 3]| affine::apply(&g.affine().expect("a volume"), at);
        assert_eq!(here(&geometry, [0.0; 3]), affine::apply(&stored, [8.0, 2.0, 3.0]));
        assert_eq!(here(&geometry, [1.0, 2.0, 3.0]), affine::apply(&stored, [6.0, 5.0, 4.0]));
        assert_eq!(geometry.millimetres(), Some(vec![2.0, 1.0, 3.0]));
        geometry.resample(&[12, 15, 16], &[0.0; 3], &[2.0, 0.5, 1.0]);
        assert_eq!(here(&geometry, [1.0, 2.0, 3.0]), affine::apply(&stored, [7.0, 5.0, 5.0]));
        geometry.resize(&[6, 5, 8]);
        assert_eq!(geometry.millimetres(), Some(vec![8.0, 1.5, 6.0]));
        assert_eq!(affine::codes(&geometry.affine().expect("a volume")), "RAS");
    }

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
