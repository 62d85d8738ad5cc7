//! Truncated form: places of a box that hold the baseline's values after all need no depthwise convolution either.
//!
//! Where every change in front of a product was dropped, its output is the baseline's, bit for bit; a depthwise place all of whose taps are such places
//! is copied from the baseline instead of being computed.

use occlude_kernels as kernels;
use occlude_kernels::{Epilogue, Rows};

use super::kernel::Depthwise;
use super::tables::WindowMap;
use super::work::{Buffers, Work};

impl Work<'_> {
    /// Per row of the output's boxes, whether all that it reads of the first input is unchanged.
    pub(super) fn unchanged_places(&self, map: &WindowMap) -> Vec<bool> {
        let source = self.inputs[0].boxes;
        let (channels, columns) = (self.inputs[0].channels(), self.shape[self.shape.len() - 1]);
        let rank = map.input.len();
        let mut unchanged = vec![true; self.boxes.total() / columns];
        for (window, region) in self.boxes.regions.iter().enumerate() {
            let (Some(region), Some(changed)) = (region, &source.regions[window]) else { continue };
            // Per axis, the range of places in the changed box that an output reads (those between taps of a dilated kernel too).
            let axes: Vec<Vec<(usize, usize)>> = (0..rank)
                .map(|axis| {
                    let (written, read) = (&region[axis + 1], &changed[axis + 1]);
                    let of_output = |output: usize| {
                        let taps = 0..map.geometry.kernel[axis];
                        let read_by = taps
                            .filter_map(|tap| {
                                map.geometry.reads(axis, output, tap, map.input[axis], map.transposed)
                            })
                            .filter(|at| read.contains(at))
                            .map(|at| at - read.start);
                        read_by.fold((usize::MAX, 0), |(least, end), at| (least.min(at), end.max(at + 1)))
                    };
                    written.clone().map(of_output).collect()
                })
                .collect();
            let rows =
                &source.unchanged[source.starts[window] / channels..source.starts[window + 1] / channels];
            let lengths: Vec<usize> = changed[1..=rank].iter().map(|r| r.len()).collect();
            let of_window = self.boxes.starts[window] / columns..self.boxes.starts[window + 1] / columns;
            let mut at = vec![0; rank];
            for unchanged in &mut unchanged[of_window] {
                *unchanged = all_unchanged(rows, &lengths, &axes, &at, 0, 0);
                for axis in (0..rank).rev() {
                    at[axis] += 1;
                    if at[axis] < axes[axis].len() {
                        break;
                    }
                    at[axis] = 0;
                }
            }
        }
        unchanged
    }

    /// The depthwise convolution at the places that are changed, the baseline's values at all others. Returns the multiply-adds.
    pub(super) fn depthwise_of_changed(
        &self,
        depthwise: &Depthwise,
        out: &mut [f32],
        buffers: &mut Buffers,
    ) -> u64 {
        let channels = depthwise.windows.map.channels;
        let Buffers { table, unchanged, .. } = buffers;
        let baseline = self.output_baseline;
        for ((row, out), place) in unchanged.iter().zip(out.chunks_exact_mut(channels)).zip(self.places()) {
            if *row {
                out.copy_from_slice(&baseline[place * channels..(place + 1) * channels]);
            }
        }
        let bias = depthwise.bias.as_ref().map(|b| b.as_slice());
        let epilogue = Epilogue { bias, residual: None, activation: depthwise.activation };
        let mut computed = 0;
        self.windows(&depthwise.windows.map, channels, table, |rows, range| {
            let first = range.start / channels;
            let mut from = 0;
            while from < rows.rows {
                let is_changed = |row: &usize| !unchanged[first + row];
                let start = (from..rows.rows).find(is_changed).unwrap_or(rows.rows);
                let end = (start..rows.rows).find(|row| !is_changed(row)).unwrap_or(rows.rows);
                if start < end {
                    let part = Rows {
                        table: &rows.table[start * rows.taps..],
                        pixels: end - start,
                        rows: end - start,
                        ..*rows
                    };
                    let out = &mut out[(first + start) * channels..(first + end) * channels];
                    kernels::depthwise(
                        self.program.isa,
                        &part,
                        &depthwise.weights,
                        out,
                        channels,
                        0,
                        &epilogue,
                    );
                    computed += end - start;
                }
                from = end.max(start);
            }
        });
        (computed * channels * depthwise.windows.map.taps()) as u64
    }
}

/// Whether all rows of the box that a place reads are unchanged.
fn all_unchanged(
    rows: &[bool],
    lengths: &[usize],
    axes: &[Vec<(usize, usize)>],
    at: &[usize],
    axis: usize,
    before: usize,
) -> bool {
    let (first, end) = axes[axis][at[axis]];
    (first..end).all(|place| {
        let place = before * lengths[axis] + place;
        if axis + 1 == axes.len() {
            rows[place]
        } else {
            all_unchanged(rows, lengths, axes, at, axis + 1, place)
        }
    })
}
