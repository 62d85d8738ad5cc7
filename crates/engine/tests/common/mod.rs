//! Reading of the reference archives that the tests of this crate share.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

/// An `.npz` archive of references.
pub(crate) struct Archive(npyz::npz::NpzArchive<BufReader<File>>);

impl Archive {
    /// Opens the archive at this path.
    pub(crate) fn open(path: &Path) -> Self {
        Archive(npyz::npz::NpzArchive::open(path).unwrap_or_else(|e| panic!("{}: {e}", path.display())))
    }

    /// Shape and values of an array, `None` if there is none of this name.
    pub(crate) fn array<T: npyz::Deserialize>(&mut self, name: &str) -> Option<(Vec<usize>, Vec<T>)> {
        let npy = self.0.by_name(name).unwrap()?;
        let shape = npy.shape().iter().map(|&n| n as usize).collect();
        Some((shape, npy.into_vec().unwrap()))
    }
}

/// Whether the element at this flat place of `shape` lies in the box `starts, sizes`.
pub(crate) fn is_inside(shape: &[usize], mut place: usize, starts: &[i64], sizes: &[i64]) -> bool {
    (0..shape.len()).rev().all(|axis| {
        let index = (place % shape[axis]) as i64;
        place /= shape[axis];
        index >= starts[axis] && index < starts[axis] + sizes[axis]
    })
}
