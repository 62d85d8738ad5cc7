//! What a product's input changed by: the values of the changed boxes less the baseline, packed for the product to read.
//!
//! One buffer for the windows worked on at once. A joined input gives one part per tensor that it joins, each over its own boxes, with the per-channel arithmetic between
//! join and product done on the way. Lines of few channels are stored with zeros on both sides, so that a line of the kernel reads one run.

use std::ops::Range;

use occlude_kernels as kernels;
use occlude_kernels::{ByChannel, Planes, Reduction, Strided};

use super::change::{Boxes, Source};
use super::kernel::{Kernel, Product};
use super::tables::WindowMap;
use super::work::Work;

/// Runs of fewer floats are not read tap by tap: looking them up would cost more than multiplying them.
const SHORT_RUN: usize = 16;

/// The change of one tensor, or of one part of a joined one, over the boxes of a range of windows.
pub(super) struct Part<'a> {
    pub(super) boxes: &'a Boxes,
    /// Per window of the range, where its box starts in the buffer.
    pub(super) starts: Vec<usize>,
    pub(super) channels: usize,
    /// Places of zeros before and behind every line along the last spatial axis.
    pub(super) margin: usize,
    /// Per row of the buffer, counted from the part's first, whether its change is dropped; empty where none is.
    pub(super) dropped: Vec<bool>,
}

impl Part<'_> {
    /// Whether the row that starts here in the buffer is dropped.
    pub(super) fn is_dropped(&self, at: usize) -> bool {
        let first = self.starts.first().copied().unwrap_or(0);
        self.dropped.get((at - first) / self.channels).copied().unwrap_or(false)
    }
}

/// Taps along the last spatial axis that a product of the change reads as one run: all of them where channels are few, else 1.
pub(super) fn merged_taps(product: &Product, map: &WindowMap) -> usize {
    let last = map.input.len() - 1;
    let geometry = &map.geometry;
    let can = product.weights.groups() == 1 && !map.transposed && geometry.dilation[last] == 1;
    if can && map.channels < SHORT_RUN { geometry.kernel[last] } else { 1 }
}

impl<'a> Work<'a> {
    /// The tensors that the first input is put together from, and the step that follows the join.
    fn sources(&self) -> (&[Source<'a>], Option<&Kernel>) {
        match self.parts {
            None => (std::slice::from_ref(&self.inputs[0]), None),
            Some((parts, sources)) => (sources, parts.between.map(|step| &self.program.steps[step].kernel)),
        }
    }

    /// Bytes of the change of all windows.
    pub(super) fn difference_bytes(&self) -> usize {
        self.sources().0.iter().map(|s| s.boxes.total() * size_of::<f32>()).sum()
    }

    /// Fills the buffer with the change of these windows.
    pub(super) fn differences(
        &self,
        windows: Range<usize>,
        margin: usize,
        buffer: &mut Vec<f32>,
    ) -> Vec<Part<'a>> {
        let (sources, between) = self.sources();
        let mut total = 0;
        let mut parts = Vec::with_capacity(sources.len());
        for source in sources {
            let mut starts = Vec::with_capacity(windows.len());
            for window in windows.clone() {
                starts.push(total);
                total += source.boxes.starts[window + 1] - source.boxes.starts[window];
                if let (true, Some(region)) = (margin > 0, &source.boxes.regions[window]) {
                    let lines: usize = region[..region.len() - 2].iter().map(|r| r.len()).product();
                    total += lines * 2 * margin * source.channels();
                }
            }
            parts.push(Part {
                boxes: source.boxes,
                starts,
                channels: source.channels(),
                margin,
                dropped: Vec::new(),
            });
        }
        if margin > 0 {
            buffer.clear();
        }
        // Without margins all of it is written below.
        if buffer.len() < total {
            buffer.resize(total, 0.0);
        }
        let mut channel = 0;
        for (source, part) in sources.iter().zip(&parts) {
            self.difference_of_part(source, channel, between, windows.clone(), part, buffer);
            channel += part.channels;
        }
        if margin == 0 {
            let ends: Vec<usize> = parts[1..]
                .iter()
                .map(|part| part.starts.first().copied().unwrap_or(0))
                .chain([total])
                .collect();
            for ((part, end), &drop_below) in parts.iter_mut().zip(ends).zip(self.drop_below) {
                let first = part.starts.first().copied().unwrap_or(0);
                part.dropped = short_rows(self.program.isa, &buffer[first..end], part.channels, drop_below);
            }
        }
        parts
    }

    /// The change of the channels from `channel` on of the first input, which `source` holds.
    fn difference_of_part(
        &self,
        source: &Source,
        channel: usize,
        between: Option<&Kernel>,
        windows: Range<usize>,
        part: &Part,
        buffer: &mut [f32],
    ) {
        let isa = self.program.isa;
        let whole = &self.inputs[0];
        let channels = part.channels;
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
        let stride = whole.shape[rank];
        for (window, &start) in windows.zip(&part.starts) {
            let Some(region) = &source.boxes.regions[window] else { continue };
            let values = &values[source.boxes.starts[window]..source.boxes.starts[window + 1]];
            let line = region[rank - 1].len() * channels;
            let padded = line + 2 * part.margin * channels;
            for (index, values) in values.chunks_exact(line).enumerate() {
                // The place of the line's first element in the whole tensor, row-major.
                let (mut rest, mut place, mut step) = (index, region[rank - 1].start, whole.shape[rank - 1]);
                for axis in (0..rank - 1).rev() {
                    place += (region[axis].start + rest % region[axis].len()) * step;
                    rest /= region[axis].len();
                    step *= whole.shape[axis];
                }
                let baseline = Strided { data: whole.baseline, stride, offset: place * stride + channel };
                let to = start + index * padded + part.margin * channels;
                kernels::change_rows(isa, values, channels, by_channel, baseline, &mut buffer[to..to + line]);
            }
        }
    }
}

/// Which rows are no longer than this, as vectors of channels.
fn short_rows(isa: kernels::Isa, rows: &[f32], channels: usize, longest: f32) -> Vec<bool> {
    let mut energies = vec![0.0; rows.len() / channels];
    let planes = Planes { outer: energies.len(), axis: channels, inner: 1 };
    kernels::reduce(isa, Reduction::SumSquare, rows, planes, &mut energies);
    energies.into_iter().map(|energy| energy <= longest * longest).collect()
}
