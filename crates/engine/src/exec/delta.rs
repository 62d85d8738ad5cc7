//! The delta form of a convolution: `y = y_base + sum over taps of W x change`.
//!
//! Only pairs of a changed input and a tap are multiplied; taps on unchanged inputs and in the padding cost nothing. The places of all windows of
//! the group are sorted by which taps of which part of the input are changed there, so that rows that follow each other skip the same taps. Needs the
//! baseline's pre-activations. Equal to the full run but for the order of sums.

use std::ops::Range;

use occlude_kernels as kernels;
use occlude_kernels::{ByChannel, Epilogue, PAD, PackedB, Rows, Strided};

use crate::graph::Region;

use super::change::{Boxes, Source};
use super::kernel::{Kernel, Product};
use super::strategy::Algorithm;
use super::tables::{TABLE_ENTRIES, WindowMap};
use super::winograd::TileScratch;
use super::work::Work;

/// Buffers of the delta form, kept between runs.
#[derive(Debug, Default)]
pub(super) struct DeltaScratch {
    change: Vec<f32>,
    sums: Vec<f32>,
    table: Vec<u32>,
    rows: Vec<Row>,
    tiles: TileScratch,
}

/// The largest kernel along an axis whose taps fit the bits.
pub(super) const MAX_KERNEL: usize = 64;

/// Changes of this size stay in the second-level cache beside a block of weights.
const CACHED_BYTES: usize = 384 << 10;

/// Most spatial axes.
const MAX_RANK: usize = 3;

/// The change of one tensor, or of one part of a joined one: its boxes' values lie in the buffer of changes from `start` on.
struct Part<'a> {
    boxes: &'a Boxes,
    start: usize,
    /// Where the first window's box starts among all boxes of the tensor.
    from: usize,
    channels: usize,
}

/// A place of the output that has a changed tap.
#[derive(Clone, Copy, Debug)]
struct Row {
    /// Places with the same changed taps have the same key; those with fewer come first.
    key: u64,
    window: u32,
    /// In the output's box.
    at: [u16; MAX_RANK],
}

impl Work<'_> {
    /// Writes the product's output boxes. `pre` is the baseline's pre-activation (bias included, residual not), whole; `residual` is over the
    /// output's boxes.
    pub(super) fn product_delta(
        &self,
        product: &Product,
        map: &WindowMap,
        pre: &[f32],
        residual: Option<&[f32]>,
        out: &mut [f32],
        scratch: &mut DeltaScratch,
    ) {
        let all: Region = self.shape.iter().map(|&n| 0..n).collect();
        for (window, region) in self.boxes.regions.iter().enumerate() {
            if let Some(region) = region {
                let out = &mut out[self.boxes.starts[window]..self.boxes.starts[window + 1]];
                super::change::copy_part(pre, &all, out, region, region);
            }
        }
        match self.algorithm {
            Algorithm::Direct => {
                let step = self.windows_together(product);
                for start in (0..self.boxes.regions.len()).step_by(step) {
                    let windows = start..(start + step).min(self.boxes.regions.len());
                    let parts = self.changes(windows.clone(), &mut scratch.change);
                    self.add_taps(product, map, &parts, windows, out, scratch);
                }
            }
            Algorithm::Winograd(winograd) => {
                self.changes(0..self.boxes.regions.len(), &mut scratch.change);
                self.add_tiles(winograd, map, &scratch.change, out, &mut scratch.tiles);
            }
        }
        if let Some(residual) = residual {
            out.iter_mut().zip(residual).for_each(|(out, value)| *out += value);
        }
        kernels::pointwise(self.program.isa, product.activation, out);
    }

    /// How many windows to work on at once: their changes take no more room than the weights that they share, or a part of the second-level cache.
    fn windows_together(&self, product: &Product) -> usize {
        let count = self.boxes.regions.len().max(1);
        let one = std::slice::from_ref(&self.inputs[0]);
        let sources = self.parts.map_or(one, |(_, sources)| sources);
        let bytes: usize = sources.iter().map(|s| s.boxes.total() * size_of::<f32>()).sum();
        let weights: usize = product.weights.iter().map(PackedB::bytes).sum();
        (count * weights.max(CACHED_BYTES) / bytes.max(1)).clamp(1, count)
    }

    /// Fills the buffer with what the product's input changed by in these windows, over its boxes; part by part if it is joined.
    fn changes(&self, windows: Range<usize>, change: &mut Vec<f32>) -> Vec<Part<'_>> {
        let one = std::slice::from_ref(&self.inputs[0]);
        let (sources, between) = match self.parts {
            None => (one, None),
            Some((parts, sources)) => (sources, parts.between.map(|step| &self.program.steps[step].kernel)),
        };
        let ranges = sources.iter().map(|s| s.boxes.starts[windows.start]..s.boxes.starts[windows.end]);
        let ranges: Vec<Range<usize>> = ranges.collect();
        let total = ranges.iter().map(Range::len).sum();
        // What is in it already is overwritten.
        if change.len() < total {
            change.resize(total, 0.0);
        }
        let (mut start, mut channel) = (0, 0);
        let mut parts = Vec::with_capacity(sources.len());
        for (source, range) in sources.iter().zip(ranges) {
            let channels = source.shape[source.shape.len() - 1];
            let part = Part { boxes: source.boxes, start, from: range.start, channels };
            start += range.len();
            self.change_of_part(
                source,
                channel,
                between,
                windows.clone(),
                &mut change[part.start..start],
                part.from,
            );
            channel += channels;
            parts.push(part);
        }
        parts
    }

    /// The change of the channels from `channel` on of the first input, which `source` holds.
    fn change_of_part(
        &self,
        source: &Source,
        channel: usize,
        between: Option<&Kernel>,
        windows: Range<usize>,
        change: &mut [f32],
        from: usize,
    ) {
        let isa = self.program.isa;
        let whole = &self.inputs[0];
        let channels = source.shape[source.shape.len() - 1];
        let (mut by_channel, mut values) = (None, source.values);
        let mut through = Vec::new();
        match between {
            Some(Kernel::Affine { scale, shift, activation }) => {
                let of_part = channel..channel + channels;
                by_channel = Some(ByChannel {
                    scale: &scale[of_part.clone()],
                    shift: &shift[of_part],
                    activation: *activation,
                });
            }
            Some(Kernel::Pointwise(f)) => {
                through.resize(source.values.len(), 0.0);
                kernels::pointwise_to(isa, *f, source.values, &mut through);
                values = &through;
            }
            _ => {}
        }
        let rank = source.shape.len() - 1;
        for window in windows {
            let Some(region) = &source.boxes.regions[window] else { continue };
            let (first, end) = (source.boxes.starts[window], source.boxes.starts[window + 1]);
            let line = region[rank - 1].len() * channels;
            let stride = whole.shape[rank];
            let lines = values[first..end]
                .chunks_exact(line)
                .zip(change[first - from..end - from].chunks_exact_mut(line));
            for (index, (values, change)) in lines.enumerate() {
                // The place of the line's first element in the whole tensor, row-major.
                let (mut rest, mut place, mut step) = (index, region[rank - 1].start, whole.shape[rank - 1]);
                for axis in (0..rank - 1).rev() {
                    place += (region[axis].start + rest % region[axis].len()) * step;
                    rest /= region[axis].len();
                    step *= whole.shape[axis];
                }
                let baseline = Strided { data: whole.baseline, stride, offset: place * stride + channel };
                kernels::change_rows(isa, values, channels, by_channel, baseline, change);
            }
        }
    }

    /// Adds the convolution of the change to `out`, places with the same changed taps together.
    fn add_taps(
        &self,
        product: &Product,
        map: &WindowMap,
        parts: &[Part<'_>],
        windows: Range<usize>,
        out: &mut [f32],
        scratch: &mut DeltaScratch,
    ) {
        let (isa, columns) = (self.program.isa, product.out_channels);
        let DeltaScratch { change, sums, table, rows, .. } = scratch;
        let groups = product.weights.len();
        // A run of the product: the channels of a group, or of a unit that all parts are multiples of.
        let unit = self.parts.map_or(map.channels, |(parts, _)| parts.unit);
        let (taps, seg) = (map.taps() * map.channels / unit, unit / groups);
        let windows: Vec<Option<Taps>> = windows.map(|window| Taps::of(self, map, parts, window)).collect();
        rows.clear();
        for (window, of_window) in windows.iter().enumerate() {
            if let Some(of_window) = of_window {
                of_window.push_rows(window, map.taps() == 1, rows);
            }
        }
        rows.sort_by_key(|row| row.key);
        let width = columns / groups;
        for chunk in rows.chunks((TABLE_ENTRIES / taps).max(1)) {
            table.clear();
            for row in chunk {
                if let Some(of_window) = &windows[row.window as usize] {
                    of_window.push_entries(map, parts, unit, row, table);
                }
            }
            let count = chunk.len();
            sums.resize(sums.len().max(count * columns), 0.0);
            for (group, weights) in product.weights.iter().enumerate() {
                let rows = Rows {
                    sources: [change, &[], &[]],
                    table,
                    taps,
                    seg,
                    seg_offset: group * seg,
                    pixels: count,
                    rows: count,
                    ..Rows::default()
                };
                let sums = &mut sums[..count * columns];
                kernels::gemm_rows(isa, &rows, weights, sums, columns, group * width, &Epilogue::default());
            }
            for (row, sum) in chunk.iter().zip(sums.chunks_exact(columns)) {
                let Some(of_window) = &windows[row.window as usize] else { continue };
                let at = of_window.output_start + of_window.place(row) * columns;
                out[at..at + columns].iter_mut().zip(sum).for_each(|(out, sum)| *out += sum);
            }
        }
    }
}

/// Which taps of which part are changed, for the places of one window's output box.
struct Taps {
    /// Per axis, `[place, part, tap]`: index in the part's box.
    axes: Vec<Vec<Option<u32>>>,
    /// Per axis, per place: bit `part * kernel + tap` for every changed one.
    masks: Vec<Vec<u128>>,
    /// Per part, the lengths of its box.
    lengths: Vec<Vec<usize>>,
    /// Of the output's box.
    counts: Vec<usize>,
    output_start: usize,
    /// Per part, where its box starts in the buffer of changes.
    starts: Vec<usize>,
}

impl Taps {
    fn of(work: &Work, map: &WindowMap, parts: &[Part], window: usize) -> Option<Self> {
        let region = work.boxes.regions[window].as_ref()?;
        let rank = map.input.len();
        let boxes: Vec<Option<&Region>> = parts.iter().map(|p| p.boxes.regions[window].as_ref()).collect();
        let axis = |axis: usize| -> (Vec<Option<u32>>, Vec<u128>) {
            let kernel = map.geometry.kernel[axis];
            let mut coordinates = Vec::with_capacity(region[axis + 1].len() * parts.len() * kernel);
            let mut masks = Vec::with_capacity(region[axis + 1].len());
            for output in region[axis + 1].clone() {
                let read = |tap| map.geometry.reads(axis, output, tap, map.input[axis], map.transposed);
                let reads: Vec<Option<usize>> = (0..kernel).map(read).collect();
                let mut mask = 0;
                for (index, changed) in boxes.iter().enumerate() {
                    let changed: Option<&Range<usize>> = changed.map(|region| &region[axis + 1]);
                    for (tap, read) in reads.iter().enumerate() {
                        let inside = read
                            .zip(changed)
                            .filter(|(at, changed)| changed.contains(at))
                            .map(|(at, c)| at - c.start);
                        mask |= u128::from(inside.is_some()) << (index * kernel + tap);
                        coordinates.push(inside.map(|at| at as u32));
                    }
                }
                masks.push(mask);
            }
            (coordinates, masks)
        };
        let (axes, masks) = (0..rank).map(axis).unzip();
        let lengths = |region: &&Region| region[1..=rank].iter().map(|r| r.len()).collect();
        Some(Taps {
            axes,
            masks,
            lengths: boxes.iter().map(|b| b.as_ref().map_or(Vec::new(), lengths)).collect(),
            counts: lengths(&region),
            output_start: work.boxes.starts[window],
            starts: parts.iter().map(|p| p.start + p.boxes.starts[window] - p.from).collect(),
        })
    }

    /// Pushes the places that have a changed tap.
    fn push_rows(&self, window: usize, is_pixelwise: bool, rows: &mut Vec<Row>) {
        let rank = self.counts.len();
        let total: usize = self.counts.iter().product();
        let mut at = [0_u16; MAX_RANK];
        for _ in 0..total {
            let masks = (0..rank).map(|axis| self.masks[axis][usize::from(at[axis])]);
            let key = if is_pixelwise {
                key_of(std::iter::once(masks.fold(u128::MAX, |all, m| all & m)))
            } else {
                key_of(masks)
            };
            if let Some(key) = key {
                rows.push(Row { key, window: window as u32, at });
            }
            for axis in (0..rank).rev() {
                at[axis] += 1;
                if usize::from(at[axis]) < self.counts[axis] {
                    break;
                }
                at[axis] = 0;
            }
        }
    }

    /// Row-major place of a row in the output's box.
    fn place(&self, row: &Row) -> usize {
        self.counts.iter().zip(row.at).fold(0, |place, (n, at)| place * n + usize::from(at))
    }

    /// Pushes the entries of a row: tap by tap, in each the units of all parts.
    fn push_entries(&self, map: &WindowMap, parts: &[Part], unit: usize, row: &Row, table: &mut Vec<u32>) {
        let kernel = &map.geometry.kernel;
        let rank = kernel.len();
        let mut tap = [0; MAX_RANK];
        for _ in 0..map.taps() {
            for (index, part) in parts.iter().enumerate() {
                let mut place = Some(0);
                for axis in 0..rank {
                    let entry = (usize::from(row.at[axis]) * parts.len() + index) * kernel[axis] + tap[axis];
                    place = place
                        .zip(self.axes[axis][entry])
                        .map(|(p, c)| p * self.lengths[index][axis] + c as usize);
                }
                let units = part.channels / unit;
                match place {
                    None => table.extend(std::iter::repeat_n(PAD, units)),
                    Some(place) => {
                        let first = self.starts[index] + place * part.channels;
                        table.extend((0..units).map(|u| (first + u * unit) as u32));
                    }
                }
            }
            for axis in (0..rank).rev() {
                tap[axis] += 1;
                if tap[axis] < kernel[axis] {
                    break;
                }
                tap[axis] = 0;
            }
        }
    }
}

/// A key that sorts places by how many taps are changed and brings the same ones together; `None` if none is along some axis.
fn key_of(masks: impl Iterator<Item = u128>) -> Option<u64> {
    let (mut hash, mut count) = (0_u64, 1_u32);
    for mask in masks {
        if mask == 0 {
            return None;
        }
        count *= mask.count_ones();
        for half in [mask as u64, (mask >> 64) as u64] {
            hash = (hash.rotate_left(5) ^ half).wrapping_mul(0x517C_C1B7_2722_0A95);
        }
    }
    Some(u64::from(count.min(0xFF_FFFF)) << 40 | hash >> 24)
}
