//! Walking several operands of one N-d shape, each with its own strides.
//!
//! Axes that are contiguous with their neighbour in every operand are merged and axes of length 1 dropped; then the innermost axis is
//! handed out as a row, so that the work per row is a plain loop.

/// A shape and the strides of `K` operands, innermost axis last, merged as far as it goes.
pub(crate) struct Walk<const K: usize> {
    dims: Vec<usize>,
    strides: Vec<[usize; K]>,
    /// Length of the rows.
    pub(crate) row: usize,
    /// Strides of the operands along a row.
    pub(crate) row_strides: [usize; K],
}

impl<const K: usize> Walk<K> {
    /// # Panics
    /// If an operand has not one stride per axis.
    pub(crate) fn new(dims: &[usize], strides: [&[usize]; K]) -> Self {
        for strides in strides {
            assert_eq!(strides.len(), dims.len(), "strides {strides:?} for shape {dims:?}");
        }
        let mut merged: Vec<(usize, [usize; K])> = Vec::with_capacity(dims.len());
        for (axis, &len) in dims.iter().enumerate().filter(|&(_, &len)| len != 1) {
            let steps: [usize; K] = std::array::from_fn(|k| strides[k][axis]);
            match merged.last_mut() {
                Some((outer, outer_steps)) if (0..K).all(|k| outer_steps[k] == steps[k] * len) => {
                    *outer *= len;
                    *outer_steps = steps;
                }
                _ => merged.push((len, steps)),
            }
        }
        let (row, row_strides) = merged.pop().unwrap_or((1, [0; K]));
        let (dims, strides) = merged.into_iter().unzip();
        Self { dims, strides, row, row_strides }
    }

    /// Calls `visit` with the operands' offsets for every row, in row-major order.
    pub(crate) fn rows(&self, mut visit: impl FnMut([usize; K])) {
        if self.row == 0 || self.dims.contains(&0) {
            return;
        }
        let mut index = vec![0; self.dims.len()];
        let mut offsets = [0; K];
        loop {
            visit(offsets);
            let mut axis = self.dims.len();
            loop {
                if axis == 0 {
                    return;
                }
                axis -= 1;
                index[axis] += 1;
                let steps = offsets.iter_mut().zip(&self.strides[axis]);
                steps.for_each(|(offset, step)| *offset += step);
                if index[axis] < self.dims[axis] {
                    break;
                }
                let steps = offsets.iter_mut().zip(&self.strides[axis]);
                steps.for_each(|(offset, step)| *offset -= step * self.dims[axis]);
                index[axis] = 0;
            }
        }
    }
}
