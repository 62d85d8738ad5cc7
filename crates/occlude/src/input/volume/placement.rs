//! Where the elements of an input lie in the volume that it came from: the file's grid, its affine, and how its axes were turned.
//!
//! In: a file's size and affine, then the turns of its axes. Out: the way from upright axes (which `geometry` counts in) to voxels of the file and to millimetres. Kept in maps, so that they can be written
//! over the scan.

use serde::{Deserialize, Serialize};

use super::affine::{self, Affine, Turned};

/// A volume in its file, as [`Geometry`](crate::Geometry) carries it. The geometry's source is the file's grid with its axes turned (`axes`), as a picture's is the picture turned upright.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Placement {
    /// From voxel indices of the file (centres of voxels) to millimetres in RAS+, row-major.
    pub affine: Affine,
    /// Voxels of the file along each axis.
    pub size: [usize; 3],
    /// Per axis of the source as it is counted: which axis of the file it is, and whether it runs the other way.
    pub axes: [Turned; 3],
    /// Of a slice of a volume, what it holds along the third of `axes`, from edge to edge; the first two are its rows and columns.
    pub slice: Option<[f64; 2]>,
    /// The file says nothing of where it lies (`.npy`, TIFF): voxels are taken as 1 mm along the axes, so that maps can be written over it, and no millimetres are told.
    pub is_assumed: bool,
    /// The steps that were taken, in the grammar of `--preprocess`, with every size settled.
    pub steps: Vec<String>,
}

impl Placement {
    /// The file as it is.
    pub(crate) fn of_file(size: [usize; 3], affine: Affine) -> Placement {
        let axes = [(0, false), (1, false), (2, false)];
        Placement { affine, size, axes, slice: None, is_assumed: false, steps: Vec::new() }
    }
    /// The axes as they are now were turned again.
    pub(crate) fn turn(&mut self, axes: [Turned; 3]) {
        self.axes = axes.map(|(old, is_flipped)| {
            let (file, was_flipped) = self.axes[old];
            (file, was_flipped != is_flipped)
        });
    }
    /// Millimetres per voxel of the file along each axis as counted.
    pub fn spacing(&self) -> [f64; 3] {
        let spacing = affine::spacing(&self.affine);
        self.axes.map(|(file, _)| spacing[file])
    }
    /// Where the axes of the file run to: `RAS`, `LPS`.
    pub fn codes(&self) -> String {
        affine::codes(&self.affine)
    }
    /// Where the axes as counted run to.
    pub fn counted_codes(&self) -> String {
        affine::codes(&self.counted_affine())
    }
    /// From indices along the axes as counted to millimetres.
    pub(crate) fn counted_affine(&self) -> Affine {
        affine::turned(&self.affine, self.size, self.axes)
    }
    /// `91x109x91 voxels of 2x2x2 mm, axes run to RAS`
    pub(crate) fn describe(&self) -> String {
        let round = |v: f64| format!("{}", (v * 1000.0).round() / 1000.0);
        format!(
            "{} voxels of {} mm, axes run to {}",
            self.size.map(|n| n.to_string()).join("x"),
            affine::spacing(&self.affine).map(round).join("x"),
            self.codes()
        )
    }
}
