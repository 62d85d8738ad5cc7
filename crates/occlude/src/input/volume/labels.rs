//! A label volume brought to the places of an input that came from a scan: by where both lie in millimetres, the nearest label.
//!
//! In: labels on a grid with an affine of its own, an input. Out: one label per place of the input's spatial axes. The label volume may have other axes, voxels or extent than the scan; beyond it there
//! is the background.

use std::path::Path;

use super::affine::{self, Affine};
use super::{Frame, Placement, nifti_file};
use crate::error::{Error, Result};
use crate::input::Geometry;

/// Labels on a grid in space, row-major.
pub(in crate::input) struct LabelVolume {
    pub size: [usize; 3],
    pub affine: Affine,
    pub labels: Vec<u32>,
}

impl LabelVolume {
    /// Reads a NIfTI file; `greatest` is the greatest label that is understood.
    ///
    /// # Errors
    /// Those of reading a volume. File: labels that are no whole numbers from 0.
    pub(in crate::input) fn read(path: &Path, greatest: u32) -> Result<LabelVolume> {
        let volume =
            nifti_file::read(path, Frame::Only, Some(1)).map_err(|e| e.in_context(path.display()))?;
        let label = |(at, &value): (usize, &f32)| {
            let is_label = value.fract() == 0.0 && (0.0..=greatest as f32).contains(&value);
            is_label.then_some(value as u32).ok_or_else(|| {
                Error::file(format!(
                    "{} has the label {value} (element {at}), expected whole numbers from 0 to {greatest}",
                    path.display()
                ))
            })
        };
        let labels = volume.values.iter().enumerate().map(label).collect::<Result<_>>()?;
        Ok(LabelVolume { size: volume.size(), affine: volume.affine(), labels })
    }

    /// The labels at the places of an input; the labels' nearest voxel to the middle of each element.
    pub(in crate::input) fn at_places(&self, geometry: &Geometry, placement: &Placement) -> Vec<u32> {
        let Some(back) = affine::inverse(&self.affine) else {
            return vec![0; geometry.size.iter().product()];
        };
        let to_labels = affine::multiply(&back, &placement.counted_affine());
        // Indices along the counted axes of the middle of each element.
        let mut middles: Vec<Vec<f64>> = geometry
            .axes
            .iter()
            .zip(&geometry.size)
            .map(|(axis, &count)| {
                (0..count).map(|e| axis.offset + axis.scale * (e as f64 + 0.5) - 0.5).collect()
            })
            .collect();
        if let Some([start, end]) = placement.slice {
            middles.push(vec![(start + end) / 2.0 - 0.5]);
        }
        let mut found = Vec::with_capacity(geometry.size.iter().product());
        for &x in &middles[0] {
            for &y in &middles[1] {
                found.extend(middles[2].iter().map(|&z| self.nearest(affine::apply(&to_labels, [x, y, z]))));
            }
        }
        found
    }

    fn nearest(&self, place: [f64; 3]) -> u32 {
        let mut at = 0;
        for (place, length) in place.into_iter().zip(self.size) {
            let index = (place + 0.5).floor();
            if !(0.0..length as f64).contains(&index) {
                return 0;
            }
            at = at * length + index as usize;
        }
        self.labels[at]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::volume::affine::IDENTITY;
    use crate::input::volume::{Volume, VolumeStep};

    #[test]
    fn labels_of_another_grid_are_found_by_place() {
        // The scan: 4 voxels of 1 mm along x, turned to run to the left. The labels: 2 voxels of 2 mm, x to the right, over its first two and two before it.
        let mut volume = Volume::of_file([4, 1, 1], vec![0.0; 4], IDENTITY);
        let turn = affine::parse_codes("LAS").expect("codes");
        VolumeStep::Orient(turn).apply(&mut volume).expect("turns");
        let mut coarse = IDENTITY;
        coarse[0][0] = 2.0;
        coarse[0][3] = -1.5;
        let labels = LabelVolume { size: [2, 1, 1], affine: coarse, labels: vec![7, 9] };
        let placement = volume.geometry.placement.clone().expect("a volume");
        assert_eq!(labels.at_places(&volume.geometry, &placement), [0, 0, 9, 9]);
    }
}
