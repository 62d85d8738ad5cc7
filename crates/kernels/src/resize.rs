//! Resizing along one axis by a table: each output position is a weighted sum of input positions.
//!
//! Linear, cubic and antialiased interpolation differ only in the table, which the caller computes; an N-d resize is one pass per
//! axis. Nearest neighbour needs no arithmetic: use [`crate::gather_axes`].

use crate::{
    Isa, Planes,
    isa::{Level, with_isa},
    lanes::all_lanes,
};
use fearless_simd::prelude::*;

/// For each output position the input positions it is made of, with their weights.
#[derive(Clone, Copy, Debug)]
pub struct AxisTable<'a> {
    /// `[out + 1]`: entries `starts[j]..starts[j + 1]` belong to output position `j`.
    pub starts: &'a [u32],
    /// Input position of each entry.
    pub index: &'a [u32],
    /// Weight of each entry.
    pub weight: &'a [f32],
}

impl AxisTable<'_> {
    /// Number of output positions.
    pub fn len(&self) -> usize {
        self.starts.len().saturating_sub(1)
    }

    /// Whether there is no output position.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The (input position, weight) pairs of output position `j`.
    pub fn entries(&self, j: usize) -> impl Iterator<Item = (usize, f32)> {
        let range = self.starts[j] as usize..self.starts[j + 1] as usize;
        self.index[range.clone()]
            .iter()
            .zip(&self.weight[range])
            .map(|(&index, &weight)| (index as usize, weight))
    }
}

/// Resizes `x[outer, axis, inner]` to `out[outer, table.len(), inner]`; `planes` describes the input.
///
/// ```
/// use occlude_kernels::{AxisTable, Isa, Planes, resize_axis};
/// let table = AxisTable { starts: &[0, 1, 3], index: &[0, 0, 1], weight: &[1.0, 0.5, 0.5] };
/// let mut out = [0.0; 2];
/// resize_axis(Isa::detect(), &[2.0, 4.0], Planes { outer: 1, axis: 2, inner: 1 }, table, &mut out);
/// assert_eq!(out, [2.0, 3.0]);
/// ```
///
/// # Panics
/// If a length does not fit or an entry is outside the axis.
pub fn resize_axis(isa: Isa, x: &[f32], planes: Planes, table: AxisTable, out: &mut [f32]) {
    assert_eq!(x.len(), planes.len(), "floats for {planes:?}");
    assert_eq!(out.len(), planes.outer * table.len() * planes.inner, "output floats");
    assert!(table.index.iter().all(|&i| (i as usize) < planes.axis), "table entry outside {planes:?}");
    if out.is_empty() {
        return;
    }
    with_isa!(isa, simd => {
        for (o, out) in out.chunks_exact_mut(table.len() * planes.inner).enumerate() {
            let x = &x[o * planes.axis * planes.inner..(o + 1) * planes.axis * planes.inner];
            for (j, out) in out.chunks_exact_mut(planes.inner).enumerate() {
                weighted_sum(simd, x, table, j, out);
            }
        }
    });
}

/// One output row: the weighted sum of a few input rows as long as it.
#[inline(always)]
fn weighted_sum<S: Level>(simd: S, x: &[f32], table: AxisTable, j: usize, out: &mut [f32]) {
    let inner = out.len();
    for lanes in all_lanes(simd, inner) {
        let mut sum = S::f32s::splat(simd, 0.0);
        for (index, weight) in table.entries(j) {
            let row = &x[index * inner..(index + 1) * inner];
            sum = lanes.load(simd, row).mul_add(S::f32s::splat(simd, weight), sum);
        }
        lanes.store(simd, sum, out);
    }
}
