//! The right matrix in the order in which the register kernel reads it.
//!
//! Columns are cut into panels as wide as a tile; inside a panel the rows follow each other without a gap, so a product streams
//! through memory once. The last panel is only as wide as whole vectors need, filled up with zeros.

use super::shape::PanelShape;
use crate::{Aligned, Isa};

/// The right matrix of a product, `[k, n]`, packed into panels for one instruction set.
///
/// For a convolution `k` runs over taps and then over the input channels of the group, `n` over the output channels.
#[derive(Clone, Debug)]
pub struct PackedB {
    isa: Isa,
    k: usize,
    n: usize,
    data: Aligned,
}

impl PackedB {
    /// An empty matrix `[0, 0]`, to be filled by [`crate::matmul`] as scratch.
    pub fn empty(isa: Isa) -> Self {
        Self { isa, k: 0, n: 0, data: Aligned::default() }
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
        self.data.reset(k * shape.padded(n));
        for (first, width) in shape.panels(n) {
            let columns = width.min(n - first);
            let panel = &mut self.data[first * k..(first + width) * k];
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

    /// The matrix as it was packed, `[k, n]`, row-major.
    pub fn unpack(&self) -> Vec<f32> {
        let mut b = vec![0.0; self.k * self.n];
        for (first, width) in PanelShape::of(self.isa).panels(self.n) {
            let columns = width.min(self.n - first);
            let panel = &self.data[first * self.k..(first + width) * self.k];
            for (line, row) in panel.chunks_exact(width).zip(b.chunks_exact_mut(self.n)) {
                row[first..first + columns].copy_from_slice(&line[..columns]);
            }
        }
        b
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
        self.data.bytes()
    }

    /// All that follows row `k_from` of the panel that starts at column `first` and is `width` wide.
    #[inline(always)]
    pub(super) fn panel(&self, first: usize, width: usize, k_from: usize) -> &[f32] {
        &self.data[first * self.k + k_from * width..]
    }
}
