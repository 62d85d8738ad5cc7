//! Settings that are arrays in memory, where the command line names a file: label images, names of regions, masks.
//!
//! In: a shape and row-major values, shared and not copied by clones. Out: the same, and what they are called in provenance: their shape and the SHA-256 of their bytes. What the values must be is checked
//! where the input is known (`input/labels`, `occlusion/random_masks`), by the same rules as for files.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::hash::sha256_hex_of;
use crate::tensor::shape_text;

/// An array in memory: `i64` for labels, `f32` for masks.
#[derive(Clone, Debug, PartialEq)]
pub struct GivenArray<T> {
    shape: Vec<usize>,
    values: Arc<[T]>,
    sha256: String,
}

impl<T> GivenArray<T> {
    /// What messages call it.
    pub(crate) const SHOWN: &'static str = "the array given";

    fn of<const N: usize>(shape: &[usize], values: Arc<[T]>, bytes: fn(&T) -> [u8; N]) -> Result<Self> {
        let needed = shape.iter().try_fold(1usize, |product, &n| product.checked_mul(n));
        if needed != Some(values.len()) {
            return Err(Error::argument(format!(
                "an array of shape {} does not have {} values",
                shape_text(shape),
                values.len()
            )));
        }
        let sha256 = sha256_hex_of(values.iter().map(bytes));
        Ok(GivenArray { shape: shape.to_vec(), values, sha256 })
    }
    /// Lengths of its axes.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }
    /// Its values, row-major.
    pub fn values(&self) -> &Arc<[T]> {
        &self.values
    }
}

impl GivenArray<i64> {
    /// Labels, row-major.
    ///
    /// # Errors
    /// Argument: another number of values than the shape has.
    pub fn labels(shape: &[usize], labels: impl Into<Arc<[i64]>>) -> Result<Self> {
        GivenArray::of(shape, labels.into(), |v| v.to_le_bytes())
    }
}

impl GivenArray<f32> {
    /// Masks, row-major.
    ///
    /// # Errors
    /// Argument: another number of values than the shape has.
    pub fn masks(shape: &[usize], kept: impl Into<Arc<[f32]>>) -> Result<Self> {
        GivenArray::of(shape, kept.into(), |v| v.to_le_bytes())
    }
}

/// `array [224, 224], sha256 ...`: the hash is of the values as little-endian i64 (labels) or f32 (masks), row-major.
impl<T> fmt::Display for GivenArray<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "array {}, sha256 {}", shape_text(&self.shape), self.sha256)
    }
}

/// A label image: which region each place belongs to, 0 for the background.
#[derive(Clone, Debug, PartialEq)]
pub enum RegionLabels {
    /// A `.npy` file of whole numbers, or a PNG file.
    File(PathBuf),
    /// Labels over the spatial axes of the input tensor, or over the pixels of its source.
    Given(GivenArray<i64>),
}

impl fmt::Display for RegionLabels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RegionLabels::File(path) => write!(f, "{}", path.display()),
            RegionLabels::Given(array) => array.fmt(f),
        }
    }
}

/// Names of regions by their labels.
#[derive(Clone, Debug, PartialEq)]
pub enum RegionNames {
    /// Lines of `label,name`, or a JSON object.
    File(PathBuf),
    /// The names themselves.
    Given(BTreeMap<u32, String>),
}

/// Names in memory as `{"1":"liver"}`.
impl fmt::Display for RegionNames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RegionNames::File(path) => write!(f, "{}", path.display()),
            RegionNames::Given(names) => write!(f, "{}", serde_json::json!(names)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrays_are_named_by_what_they_are() {
        let labels = GivenArray::labels(&[1, 2], vec![1, -2]).expect("two");
        // hashlib.sha256(np.array([[1, -2]], "<i8").tobytes()).hexdigest()
        let hash = "ad47ab1aede0a7b8af007a36d82ccbbee709bec1066af6f44fed82bd2cb490ed";
        assert_eq!(labels.to_string(), format!("array [1, 2], sha256 {hash}"));
        let masks = GivenArray::masks(&[2], vec![0.5, 1.0]).expect("two");
        // hashlib.sha256(np.array([0.5, 1], "<f4").tobytes()).hexdigest()
        assert_eq!(
            masks.to_string(),
            "array [2], sha256 9612447463caefad31915f64e51022988711393baf3f6c81ed61c38a46e24351"
        );
        let names =
            RegionNames::Given(BTreeMap::from([(2, "left \"lobe\"".to_string()), (1, "liver".into())]));
        assert_eq!(names.to_string(), r#"{"1":"liver","2":"left \"lobe\""}"#);
        for shape in [&[3][..], &[usize::MAX, 2], &[]] {
            let error = GivenArray::labels(shape, vec![1, 2]).expect_err("another number");
            assert!(error.to_string().contains("does not have 2 values"), "{error}");
        }
    }
}
