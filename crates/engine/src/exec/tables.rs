//! Index tables: where each output position of a window operator reads its taps.
//!
//! In: geometry and spatial sizes. Out: `[pixels, taps]` entries for the kernels, offsets in floats into one channels-last example, or PAD.
//! Tables of small layers are made once; those of large layers (a 3-D stem would need 100 MB) in chunks while running.

use std::ops::Range;

use occlude_kernels::PAD;

use crate::graph::Geometry;

/// A sliding window over one example, channels-last.
#[derive(Clone, Debug)]
pub(crate) struct WindowMap {
    pub(crate) geometry: Geometry,
    /// Spatial sizes of what is read.
    pub(crate) input: Vec<usize>,
    /// Spatial sizes of what is written.
    pub(crate) output: Vec<usize>,
    /// Floats per pixel of what is read.
    pub(crate) channels: usize,
    /// A transposed convolution: output `o` reads input `i` where `o = i * stride + tap * dilation - pad`.
    pub(crate) transposed: bool,
}

impl WindowMap {
    pub(crate) fn pixels(&self) -> usize {
        self.output.iter().product()
    }

    pub(crate) fn taps(&self) -> usize {
        self.geometry.taps()
    }

    /// Whether output pixel `p` reads input pixel `p` and nothing else.
    pub(crate) fn is_pixelwise(&self) -> bool {
        self.taps() == 1
            && self.input == self.output
            && self.geometry.stride.iter().all(|&s| s == 1)
            && self.geometry.pad_before.iter().all(|&p| p == 0)
    }

    /// Writes the entries of these output pixels (row-major over the spatial axes).
    pub(crate) fn fill(&self, pixels: Range<usize>, table: &mut Vec<u32>) {
        table.clear();
        table.reserve(pixels.len() * self.taps());
        // Per axis, [output][tap] -> coordinate, computed once for the axes and combined below.
        let axes: Vec<Vec<Option<usize>>> = (0..self.input.len())
            .map(|axis| {
                let outputs = 0..self.output[axis];
                let kernel = self.geometry.kernel[axis];
                outputs
                    .flat_map(|o| (0..kernel).map(move |t| (o, t)))
                    .map(|(o, t)| self.geometry.reads(axis, o, t, self.input[axis], self.transposed))
                    .collect()
            })
            .collect();
        let mut at = vec![0; self.output.len()];
        for pixel in pixels {
            let mut rest = pixel;
            for axis in (0..at.len()).rev() {
                at[axis] = rest % self.output[axis];
                rest /= self.output[axis];
            }
            self.fill_taps(&axes, &at, 0, Some(0), table);
        }
    }

    fn fill_taps(
        &self,
        axes: &[Vec<Option<usize>>],
        at: &[usize],
        axis: usize,
        base: Option<usize>,
        table: &mut Vec<u32>,
    ) {
        let kernel = self.geometry.kernel[axis];
        let row = &axes[axis][at[axis] * kernel..(at[axis] + 1) * kernel];
        let is_last = axis + 1 == axes.len();
        for coordinate in row {
            let place = base.zip(*coordinate).map(|(base, c)| base * self.input[axis] + c);
            if is_last {
                table.push(place.map_or(PAD, |p| (p * self.channels) as u32));
            } else {
                self.fill_taps(axes, at, axis + 1, place, table);
            }
        }
    }
}

/// Table entries kept per layer; larger tables are made in chunks of this size while running.
pub(crate) const TABLE_ENTRIES: usize = 1 << 17;

/// A window map with its table, if that is small enough to keep.
#[derive(Clone, Debug)]
pub(crate) struct Windows {
    pub(crate) map: WindowMap,
    kept: Option<Vec<u32>>,
}

impl Windows {
    pub(crate) fn new(map: WindowMap) -> Self {
        let mut kept = None;
        if map.pixels() * map.taps() <= TABLE_ENTRIES {
            let mut table = Vec::new();
            map.fill(0..map.pixels(), &mut table);
            kept = Some(table);
        }
        Windows { map, kept }
    }

    pub(crate) fn bytes(&self) -> usize {
        self.kept.as_ref().map_or(0, |table| table.len() * size_of::<u32>())
    }

    /// Calls `run(table, pixels)` for all output pixels: once with the kept table, or for one chunk after the other.
    pub(crate) fn for_each_chunk(&self, scratch: &mut Vec<u32>, mut run: impl FnMut(&[u32], Range<usize>)) {
        if let Some(table) = &self.kept {
            return run(table, 0..self.map.pixels());
        }
        let chunk = (TABLE_ENTRIES / self.map.taps()).max(1);
        let mut start = 0;
        while start < self.map.pixels() {
            let pixels = start..(start + chunk).min(self.map.pixels());
            self.map.fill(pixels.clone(), scratch);
            run(scratch, pixels.clone());
            start = pixels.end;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(
        kernel: &[usize],
        stride: &[usize],
        pad: &[usize],
        input: &[usize],
        output: &[usize],
        transposed: bool,
    ) -> WindowMap {
        let geometry = Geometry {
            kernel: kernel.to_vec(),
            stride: stride.to_vec(),
            dilation: vec![1; kernel.len()],
            pad_before: pad.to_vec(),
        };
        WindowMap { geometry, input: input.to_vec(), output: output.to_vec(), channels: 10, transposed }
    }

    #[test]
    fn a_table_lists_taps_row_major_with_padding() {
        let map = map(&[2, 2], &[1, 1], &[1, 0], &[2, 3], &[2, 2], false);
        let mut table = Vec::new();
        map.fill(0..4, &mut table);
        assert_eq!(table, [PAD, PAD, 0, 10, PAD, PAD, 10, 20, 0, 10, 30, 40, 10, 20, 40, 50]);
        map.fill(2..3, &mut table);
        assert_eq!(table, [0, 10, 30, 40]);
    }

    #[test]
    fn a_transposed_table_inverts_the_stride() {
        let map = map(&[3], &[2], &[1], &[2], &[3], true);
        let mut table = Vec::new();
        map.fill(0..3, &mut table);
        // o = 2 i + tap - 1
        assert_eq!(table, [PAD, 0, PAD, 10, PAD, 0, PAD, 10, PAD]);
    }
}
