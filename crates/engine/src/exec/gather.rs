//! Index tables of a window operator in an incremental run: taps in the changed box, in the baseline, or in the padding.
//!
//! The rows of all windows of a group follow each other, in chunks that bound the table's memory. Source 0 is the buffer of changed boxes, source 1 the
//! baseline, so that neither is copied.

use occlude_kernels::{PAD, Rows, SOURCE_SHIFT};

use crate::graph::Region;

use super::tables::{TABLE_ENTRIES, WindowMap};
use super::work::Work;

impl Work<'_> {
    /// Calls `run(rows, range of the output)` for chunks of rows of all windows, the rows found through a table of changed boxes (source 0)
    /// and baseline (source 1).
    pub(super) fn windows(
        &self,
        map: &WindowMap,
        out_channels: usize,
        table: &mut Vec<u32>,
        mut run: impl FnMut(&Rows, std::ops::Range<usize>),
    ) {
        let source = &self.inputs[0];
        let taps = map.taps();
        let chunk = (TABLE_ENTRIES / taps).max(1);
        let (mut first_row, mut rows) = (0, 0);
        table.clear();
        let mut flush = |table: &mut Vec<u32>, first_row: &mut usize, rows: &mut usize| {
            if *rows > 0 {
                let rows_of = Rows {
                    sources: [source.values, source.baseline, &[]],
                    table,
                    taps,
                    seg: map.channels,
                    pixels: *rows,
                    rows: *rows,
                    ..Rows::default()
                };
                run(&rows_of, *first_row * out_channels..(*first_row + *rows) * out_channels);
            }
            *first_row += *rows;
            *rows = 0;
            table.clear();
        };
        for (window, region) in self.boxes.regions.iter().enumerate() {
            let Some(region) = region else { continue };
            let changed = source.boxes.regions.get(window).and_then(Option::as_ref);
            let start = source.boxes.starts.get(window).copied().unwrap_or(0);
            let taps_of = Taps::new(map, region, changed, start);
            let pixels: usize = region[1..region.len() - 1].iter().map(|r| r.len()).product();
            let mut done = 0;
            while done < pixels {
                let part = (pixels - done).min(chunk - rows);
                taps_of.push(done..done + part, table);
                (rows, done) = (rows + part, done + part);
                if rows == chunk {
                    flush(table, &mut first_row, &mut rows);
                }
            }
        }
        flush(table, &mut first_row, &mut rows);
    }
}

/// Where a tap's input index lies on one axis.
#[derive(Clone, Copy)]
struct Coordinate {
    /// In the whole axis.
    absolute: usize,
    /// In the changed box, if it is in there.
    in_box: Option<usize>,
}

/// Table entries of one window: per axis, per output index of the box, per tap.
struct Taps<'a> {
    map: &'a WindowMap,
    axes: Vec<Vec<Option<Coordinate>>>,
    output: Vec<usize>,
    changed: Vec<usize>,
    start: usize,
}

impl<'a> Taps<'a> {
    fn new(map: &'a WindowMap, region: &Region, changed: Option<&Region>, start: usize) -> Self {
        let rank = map.input.len();
        let axis = |axis: usize| {
            let changed = changed.map(|c| &c[axis + 1]);
            let coordinate = |absolute: usize| Coordinate {
                absolute,
                in_box: changed.filter(|c| c.contains(&absolute)).map(|c| absolute - c.start),
            };
            let taps = 0..map.geometry.kernel[axis];
            region[axis + 1]
                .clone()
                .flat_map(|o| taps.clone().map(move |t| (o, t)))
                .map(|(o, t)| map.geometry.reads(axis, o, t, map.input[axis], map.transposed).map(coordinate))
                .collect()
        };
        Taps {
            map,
            axes: (0..rank).map(axis).collect(),
            output: region[1..=rank].iter().map(|r| r.len()).collect(),
            changed: changed.map_or(vec![0; rank], |c| c[1..=rank].iter().map(|r| r.len()).collect()),
            start,
        }
    }

    /// Entries of these pixels of the box, row-major.
    fn push(&self, pixels: std::ops::Range<usize>, table: &mut Vec<u32>) {
        let rank = self.output.len();
        let mut at = vec![0; rank];
        for pixel in pixels {
            let mut rest = pixel;
            for axis in (0..rank).rev() {
                at[axis] = rest % self.output[axis];
                rest /= self.output[axis];
            }
            self.push_axis(&at, 0, Some(0), Some(0), table);
        }
    }

    fn push_axis(
        &self,
        at: &[usize],
        axis: usize,
        absolute: Option<usize>,
        in_box: Option<usize>,
        table: &mut Vec<u32>,
    ) {
        let kernel = self.map.geometry.kernel[axis];
        let row = &self.axes[axis][at[axis] * kernel..(at[axis] + 1) * kernel];
        let is_last = axis + 1 == at.len();
        for coordinate in row {
            let absolute =
                absolute.zip(*coordinate).map(|(base, c)| base * self.map.input[axis] + c.absolute);
            let in_box =
                in_box.zip(coordinate.and_then(|c| c.in_box)).map(|(base, c)| base * self.changed[axis] + c);
            if !is_last {
                self.push_axis(at, axis + 1, absolute, in_box, table);
                continue;
            }
            table.push(match (in_box, absolute) {
                (Some(place), _) => (self.start + place * self.map.channels) as u32,
                (None, Some(place)) => 1 << SOURCE_SHIFT | (place * self.map.channels) as u32,
                (None, None) => PAD,
            });
        }
    }
}
