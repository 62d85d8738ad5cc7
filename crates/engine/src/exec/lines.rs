//! Convolutions of few channels in full runs: the taps of a line of the kernel are one run.
//!
//! Channels-last, the taps `0..kw` of a line of the kernel lie side by side in a line of the input: `kw * channels` floats instead of `kw` runs of 3
//! (or 1, in a volume). Some planes and lines of the input are copied with their padding into a slab that stays in cache, so that every line of the
//! kernel is whole and one short table serves all lines of the output. The weights are those of the tap-by-tap form, in the same order, so the
//! sums are the same to the bit. Not here: incremental runs, which find their taps one by one.

use occlude_kernels::Rows;

use super::tables::WindowMap;

/// Channels below which single taps are too short for the product.
const CHANNELS: usize = 16;

/// Floats of a slab: half of a second-level cache, on small machines.
const SLAB: usize = 32 * 1024;

/// A convolution of one to three axes, seen as one of `[planes, lines, columns]`.
#[derive(Debug)]
pub(super) struct Lines {
    input: [usize; 3],
    output: [usize; 3],
    kernel: [usize; 3],
    stride: [usize; 3],
    dilation: [usize; 3],
    pad: [usize; 3],
    channels: usize,
    /// Output lines computed from one slab.
    step: usize,
    /// `[output columns, kernel planes * kernel lines]`, offsets into the slab.
    table: Vec<u32>,
}

impl Lines {
    /// The form of this convolution without groups, if it gains by it.
    pub(super) fn of(map: &WindowMap) -> Option<Self> {
        Self::with_slab(map, SLAB)
    }

    fn with_slab(map: &WindowMap, slab: usize) -> Option<Self> {
        let (geometry, rank) = (&map.geometry, map.input.len());
        let gains = map.channels < CHANNELS && geometry.kernel[rank - 1] > 1;
        if !gains || rank > 3 || map.transposed || geometry.dilation[rank - 1] != 1 {
            return None;
        }
        let three = |of: &[usize], missing: usize| {
            let mut all = [missing; 3];
            all[3 - rank..].copy_from_slice(of);
            all
        };
        let mut lines = Lines {
            input: three(&map.input, 1),
            output: three(&map.output, 1),
            kernel: three(&geometry.kernel, 1),
            stride: three(&geometry.stride, 1),
            dilation: three(&geometry.dilation, 1),
            pad: three(&geometry.pad_before, 0),
            channels: map.channels,
            step: 1,
            table: Vec::new(),
        };
        let height = lines.output[1];
        lines.step = (1..=height).rev().find(|&step| lines.slab_floats(step) <= slab).unwrap_or(1);
        // Chunks of about the same size.
        lines.step = height.div_ceil(height.div_ceil(lines.step.max(1)).max(1)).max(1);
        if lines.slab_floats(lines.step) >= 1 << occlude_kernels::SOURCE_SHIFT {
            return None;
        }
        let (width, slab_lines) = (lines.line_floats(), lines.slab_lines(lines.step));
        for column in 0..lines.output[2] {
            for plane in 0..lines.kernel[0] {
                for line in 0..lines.kernel[1] {
                    let first = (plane * slab_lines + line * lines.dilation[1]) * width;
                    lines.table.push((first + column * lines.stride[2] * lines.channels) as u32);
                }
            }
        }
        Some(lines)
    }

    pub(super) fn bytes(&self) -> usize {
        self.table.len() * size_of::<u32>()
    }

    /// Floats of a padded line.
    fn line_floats(&self) -> usize {
        (self.output[2].saturating_sub(1) * self.stride[2] + self.kernel[2]) * self.channels
    }

    /// Lines of a plane of the slab for `step` output lines.
    fn slab_lines(&self, step: usize) -> usize {
        (step - 1) * self.stride[1] + (self.kernel[1] - 1) * self.dilation[1] + 1
    }

    fn slab_floats(&self, step: usize) -> usize {
        self.kernel[0] * self.slab_lines(step) * self.line_floats()
    }

    /// Calls `run(rows, first)` for all output pixels of one example, some lines at a time; `first` is the first pixel.
    pub(super) fn run(&self, x: &[f32], slab: &mut Vec<f32>, mut run: impl FnMut(&Rows, usize)) {
        let [planes, height, width] = self.output;
        for plane in 0..planes {
            for line in (0..height).step_by(self.step) {
                let count = self.step.min(height - line);
                self.fill(x, plane, line, slab);
                let rows = Rows {
                    sources: [slab, &[], &[]],
                    table: &self.table,
                    taps: self.kernel[0] * self.kernel[1],
                    seg: self.kernel[2] * self.channels,
                    pixels: width,
                    repeat_stride: self.stride[1] * self.line_floats(),
                    rows: count * width,
                    ..Rows::default()
                };
                run(&rows, (plane * height + line) * width);
            }
        }
    }

    /// Copies what the output lines from `line` of `plane` on read, zeros where there is nothing.
    fn fill(&self, x: &[f32], plane: usize, line: usize, slab: &mut Vec<f32>) {
        let (width, lines) = (self.line_floats(), self.slab_lines(self.step));
        slab.resize(self.kernel[0] * lines * width, 0.0);
        let of_input = self.input[2] * self.channels;
        let before = (self.pad[2] * self.channels).min(width);
        let len = of_input.min(width - before);
        for (index, to) in slab.chunks_exact_mut(width.max(1)).enumerate() {
            let at = [
                (plane * self.stride[0] + index / lines * self.dilation[0]).checked_sub(self.pad[0]),
                (line * self.stride[1] + index % lines).checked_sub(self.pad[1]),
            ];
            let [Some(plane), Some(line)] = at else {
                to.fill(0.0);
                continue;
            };
            if plane >= self.input[0] || line >= self.input[1] {
                to.fill(0.0);
                continue;
            }
            let from = &x[(plane * self.input[1] + line) * of_input..][..len];
            to[..before].fill(0.0);
            to[before..before + len].copy_from_slice(from);
            to[before + len..].fill(0.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::Geometry;

    /// Every row as the lines have it is every row as the table of taps has it.
    #[test]
    fn rows_are_those_of_the_table() {
        type Axes<'a> = [&'a [usize]; 6];
        let cases: [(Axes<'_>, usize); 5] = [
            // Input, output, kernel, stride, dilation, padding; channels.
            ([&[9], &[9], &[5], &[1], &[1], &[2]], 3),
            ([&[12, 11], &[12, 11], &[3, 3], &[1, 1], &[1, 1], &[1, 1]], 3),
            ([&[12, 11], &[6, 4], &[3, 7], &[2, 3], &[2, 1], &[2, 3]], 2),
            ([&[6, 7, 8], &[6, 7, 8], &[3, 3, 3], &[1, 1, 1], &[1, 1, 1], &[1, 1, 1]], 1),
            ([&[6, 7, 8], &[2, 3, 3], &[2, 3, 2], &[3, 2, 3], &[2, 1, 1], &[0, 0, 0]], 15),
        ];
        for ([input, output, kernel, stride, dilation, pad], channels) in cases {
            let geometry = Geometry {
                kernel: kernel.to_vec(),
                stride: stride.to_vec(),
                dilation: dilation.to_vec(),
                pad_before: pad.to_vec(),
            };
            let map = WindowMap {
                geometry,
                input: input.to_vec(),
                output: output.to_vec(),
                channels,
                transposed: false,
            };
            let x: Vec<f32> =
                (0..input.iter().product::<usize>() * channels).map(|i| 1.0 + i as f32).collect();
            let (pixels, taps) = (map.pixels(), map.taps());
            let mut table = Vec::new();
            map.fill(0..pixels, &mut table);
            let by_taps = Rows {
                sources: [&x, &[], &[]],
                table: &table,
                taps,
                seg: channels,
                pixels,
                rows: pixels,
                ..Rows::default()
            };
            let zeros = vec![0.0; channels];
            for floats in [1, 150, 1000, SLAB] {
                let lines = Lines::with_slab(&map, floats).unwrap();
                let mut next = 0;
                lines.run(&x, &mut vec![5.0; 3], |rows, first| {
                    assert_eq!(first, next);
                    next += rows.rows;
                    for row in 0..rows.rows {
                        let by_lines: Vec<f32> =
                            (0..rows.taps).flat_map(|line| rows.run(row, line).unwrap()).copied().collect();
                        let expected: Vec<f32> = (0..taps)
                            .flat_map(|tap| by_taps.run(first + row, tap).unwrap_or(&zeros))
                            .copied()
                            .collect();
                        assert_eq!(by_lines, expected, "pixel {} of {map:?}, slab {floats}", first + row);
                    }
                });
                assert_eq!(next, pixels);
            }
        }
    }
}
