//! The right matrix in the order in which the register kernel reads it.
//!
//! Columns are cut into panels as wide as a tile; inside a panel the rows follow each other without a gap, so a product streams
//! through memory once. The last panel is only as wide as whole vectors need, filled up with zeros.

use super::shape::PanelShape;
use crate::Isa;

/// The right matrix of a product, `[k, n]`, packed into panels for one instruction set.
///
/// For a convolution `k` runs over taps and then over the input channels of the group, `n` over the output channels.
#[derive(Clone, Debug)]
pub struct PackedB {
    isa: Isa,
    k: usize,
    n: usize,
    /// The panels, from `start` on: where a cache line begins.
    data: Vec<f32>,
    start: usize,
}

/// Floats per cache line.
const LINE: usize = 16;

impl PackedB {
    /// An empty matrix `[0, 0]`, to be filled by [`crate::matmul`] as scratch.
    pub fn empty(isa: Isa) -> Self {
        Self { isa, k: 0, n: 0, data: Vec::new(), start: 0 }
    }

    /// Packs `b[k, n]`, row-major.
    ///
    /// # Panics
    /// If `b` is not `k * n` floats.
    pub fn pack(isa: Isa, b: &[f32], k: usize, n: usize) -> Self {
        let mut packed = Self::empty(isa);
        packed.repack(isa, b, k, n, false);
        packed
    }

    /// Packs `b` anew into the memory held: `b[k, n]`, or `b[n, k]` if `transposed`, row-major.
    ///
    /// # Panics
    /// If `b` is not `k * n` floats.
    pub fn repack(&mut self, isa: Isa, b: &[f32], k: usize, n: usize, transposed: bool) {
        assert_eq!(b.len(), k * n, "floats for [{k}, {n}]");
        (self.isa, self.k, self.n) = (isa, k, n);
        let shape = PanelShape::of(isa);
        self.data.clear();
        self.data.resize(k * shape.padded(n) + LINE, 0.0);
        // Vectors that cross cache lines cost twice. `align_offset` may decline to answer; then the start is merely slow.
        self.start = self.data.as_ptr().align_offset(LINE * size_of::<f32>()).min(LINE);
        let data = &mut self.data[self.start..];
        for (first, width) in shape.panels(n) {
            let columns = width.min(n - first);
            let panel = &mut data[first * k..(first + width) * k];
            if transposed {
                // Blocks keep the lines of the panel that are being written in cache.
                for k_block in (0..k).step_by(64) {
                    let k_end = (k_block + 64).min(k);
                    for j in 0..columns {
                        let column = &b[(first + j) * k..][k_block..k_end];
                        let lines = panel[k_block * width..k_end * width].chunks_exact_mut(width);
                        lines.zip(column).for_each(|(line, &value)| line[j] = value);
                    }
                }
            } else {
                for (line, row) in panel.chunks_exact_mut(width).zip(b.chunks_exact(n)) {
                    line[..columns].copy_from_slice(&row[first..first + columns]);
                }
            }
        }
    }

    /// The instruction set it is packed for.
    pub fn isa(&self) -> Isa {
        self.isa
    }

    /// Rows.
    pub fn k(&self) -> usize {
        self.k
    }

    /// Columns.
    pub fn n(&self) -> usize {
        self.n
    }

    /// Memory held, in bytes.
    pub fn bytes(&self) -> usize {
        self.data.capacity() * size_of::<f32>()
    }

    /// Rows `k_from..k_to` of the panel that starts at column `first` and is `width` wide.
    #[inline(always)]
    pub(super) fn panel(&self, first: usize, width: usize, k_from: usize, k_to: usize) -> &[f32] {
        let panel = self.start + first * self.k;
        &self.data[panel + k_from * width..panel + k_to * width]
    }
}
