//! Memory for activations and weights that starts where a cache line starts.
//!
//! Vectors as wide as a cache line that cross two of them cost twice, and a `Vec<f32>` starts anywhere. This is a `Vec<f32>` with a few
//! floats to spare, seen from the first one that is on a line. Values and results do not depend on it, only speed.

use std::ops::{Deref, DerefMut};

/// Floats per cache line.
const LINE: usize = 16;

/// A growable `[f32]` whose first element starts a cache line (64 bytes).
///
/// ```
/// let buffer = occlude_kernels::Aligned::zeroed(3);
/// assert_eq!(buffer[..], [0.0; 3]);
/// assert_eq!(buffer.as_ptr().addr() % 64, 0);
/// ```
#[derive(Debug, Default)]
pub struct Aligned {
    data: Vec<f32>,
    start: usize,
    len: usize,
}

impl Aligned {
    /// `len` zeros.
    pub fn zeroed(len: usize) -> Self {
        let mut aligned = Self::default();
        aligned.reset(len);
        aligned
    }

    /// Makes it `len` zeros, in the memory held where that is enough.
    pub fn reset(&mut self, len: usize) {
        self.data.clear();
        self.data.resize(len + LINE, 0.0);
        // `align_offset` may decline to answer; then the start is merely slow.
        self.start = self.data.as_ptr().align_offset(LINE * size_of::<f32>()).min(LINE);
        self.len = len;
    }

    /// Makes it at least `len` long; what is in it then is anything that was there before, or zeros.
    pub fn grow(&mut self, len: usize) {
        if self.len < len {
            self.reset(len);
        }
    }

    /// Memory held, in bytes.
    pub fn bytes(&self) -> usize {
        self.data.capacity() * size_of::<f32>()
    }
}

impl From<&[f32]> for Aligned {
    fn from(values: &[f32]) -> Self {
        let mut aligned = Self::zeroed(values.len());
        aligned.copy_from_slice(values);
        aligned
    }
}

/// A copy has its own memory, aligned anew.
impl Clone for Aligned {
    fn clone(&self) -> Self {
        Self::from(&self[..])
    }
}

impl Deref for Aligned {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        &self.data[self.start..self.start + self.len]
    }
}

impl DerefMut for Aligned {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.data[self.start..self.start + self.len]
    }
}
