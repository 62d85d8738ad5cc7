//! The change of a convolution by Winograd's tiles, laid over the output's box of every window.
//!
//! Tiles start at the corner of the box; inputs outside the changed box (unchanged, or padding) are zeros, and outputs outside the output's box are not
//! written. Needs the baseline's pre-activations, like the delta form, and computes the same change but for rounding.

use occlude_kernels::{PAD, Winograd, WinogradScratch, WinogradTiles};

use super::tables::WindowMap;
use super::work::Work;

/// Buffers of the tiled form, kept between runs.
#[derive(Debug, Default)]
pub(super) struct TileScratch {
    inputs: Vec<u32>,
    outputs: Vec<u32>,
    kernel: WinogradScratch,
}

impl Work<'_> {
    /// Adds the convolution of `change` (over the first input's boxes) to `out` (over the output's boxes). Returns the multiply-adds.
    pub(super) fn add_tiles(
        &self,
        winograd: &Winograd,
        map: &WindowMap,
        change: &[f32],
        out: &mut [f32],
        scratch: &mut TileScratch,
    ) -> u64 {
        let tile = winograd.tile();
        let TileScratch { inputs, outputs, kernel } = scratch;
        inputs.clear();
        outputs.clear();
        let rank = map.input.len();
        let source = &self.inputs[0].boxes;
        let columns = self.shape.last().copied().unwrap_or(1);
        for (window, region) in self.boxes.regions.iter().enumerate() {
            let changed = source.regions.get(window).and_then(Option::as_ref);
            let (Some(region), Some(changed)) = (region, changed) else { continue };
            let (region, changed) = (&region[1..=rank], &changed[1..=rank]);
            let counts: Vec<usize> = region.iter().map(|r| r.len().div_ceil(tile.outputs())).collect();
            let total: usize = counts.iter().product();
            let lengths =
                |boxes: &[std::ops::Range<usize>]| boxes.iter().map(|r| r.len()).collect::<Vec<_>>();
            let (read, written) = (lengths(changed), lengths(region));
            let mut at = vec![0; rank];
            for index in 0..total {
                let mut rest = index;
                for axis in (0..rank).rev() {
                    at[axis] = rest % counts[axis] * tile.outputs();
                    rest /= counts[axis];
                }
                // Place `i` of a tile reads `region.start + at + i - pad`.
                let coordinate = |axis: usize, i: usize| {
                    let absolute =
                        (region[axis].start + at[axis] + i).checked_sub(map.geometry.pad_before[axis])?;
                    changed[axis].contains(&absolute).then(|| absolute - changed[axis].start)
                };
                entries(tile.inputs(), &read, &coordinate, source.starts[window], map.channels, inputs);
                let coordinate = |axis: usize, i: usize| Some(at[axis] + i).filter(|&o| o < written[axis]);
                entries(tile.outputs(), &written, &coordinate, self.boxes.starts[window], columns, outputs);
            }
        }
        winograd.add(&WinogradTiles { change, inputs, outputs }, kernel, out);
        (inputs.len() * map.channels * columns) as u64
    }
}

/// Pushes the offsets of a tile of `side` places along each axis of a box.
fn entries(
    side: usize,
    lengths: &[usize],
    coordinate: &dyn Fn(usize, usize) -> Option<usize>,
    start: usize,
    run: usize,
    table: &mut Vec<u32>,
) {
    let rank = lengths.len();
    for place in 0..side.pow(rank as u32) {
        let mut rest = place;
        let (mut offset, mut step) = (Some(0), 1);
        for axis in (0..rank).rev() {
            offset = offset.zip(coordinate(axis, rest % side)).map(|(offset, c)| offset + c * step);
            (rest, step) = (rest / side, step * lengths[axis]);
        }
        table.push(offset.map_or(PAD, |offset| (start + offset * run) as u32));
    }
}
