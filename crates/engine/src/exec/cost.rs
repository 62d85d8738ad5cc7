//! What an incremental run will do, told without running it: the work of every step behind one window.
//!
//! In: a program, the boxes that a window reaches, the algorithm of each step. Out: counts that a run's own counts equal (multiply-adds), and a time for one
//! thread, from constants that were fitted to measured steps (`benches/README.md`), in units of the machine's multiply-add peak.

use occlude_kernels::WinogradTile;

use crate::graph::{Region, TensorId};

use super::baseline::Form;
use super::change::volume;
use super::compile::Program;
use super::difference::merged_taps;
use super::kernel::{Kernel, Product, RowSource};
use super::tables::WindowMap;

/// The work of one step behind one window.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct StepWork {
    /// Multiply-adds of matrix products.
    pub products: u64,
    /// Multiply-adds of Winograd's tiles.
    pub tiles: u64,
    /// Multiply-adds of depthwise convolutions.
    pub depthwise: u64,
    /// Floats transformed to tiles and back.
    pub transformed: u64,
    /// Entries written to index tables.
    pub entries: u64,
    /// Floats read and written outside products.
    pub moved: u64,
}

impl std::ops::AddAssign for StepWork {
    fn add_assign(&mut self, other: Self) {
        self.products += other.products;
        self.tiles += other.tiles;
        self.depthwise += other.depthwise;
        self.transformed += other.transformed;
        self.entries += other.entries;
        self.moved += other.moved;
    }
}

/// Multiply-adds at the machine's peak that take as long as one unit of each kind of work, in the order of [`StepWork`]'s fields.
const COST: [f64; 6] = [1.15, 1.25, 4.0, 6.0, 60.0, 12.0];

impl StepWork {
    /// Multiply-adds of all kinds.
    pub fn multiply_adds(&self) -> u64 {
        self.products + self.tiles + self.depthwise
    }

    /// Multiply-adds at the machine's peak that take as long on one thread.
    pub fn peak_multiply_adds(&self) -> f64 {
        self.units().iter().zip(COST).map(|(&units, cost)| units as f64 * cost).sum()
    }

    /// The fields in order.
    pub fn units(&self) -> [u64; 6] {
        [self.products, self.tiles, self.depthwise, self.transformed, self.entries, self.moved]
    }
}

/// The work of a step of the body behind a window, given the boxes of all tensors.
pub(super) fn of_body_step(
    program: &Program,
    form: Form,
    index: usize,
    tile: Option<WinogradTile>,
    regions: &[Option<Region>],
) -> StepWork {
    let step = &program.steps[index];
    let unmade = form != Form::Gather && program.joins.unmade.contains(&step.output);
    let Some(region) = regions[step.output.0].as_ref().filter(|_| !unmade) else {
        return StepWork::default();
    };
    let written = volume(region);
    let places = written / region.last().map_or(1, |r| r.len()).max(1);
    let volume_of = |id: &TensorId| regions[id.0].as_ref().map_or(0, volume);
    let read: usize = step.inputs.iter().map(volume_of).sum();
    match &step.kernel {
        Kernel::Product(product) => {
            if let Some((product, map)) = program.delta_product(form, index) {
                return of_change(program, product, map, index, tile, regions, region);
            }
            let entries = match &product.source {
                RowSource::Dense { .. } => 0,
                RowSource::Windows(windows) => places * windows.map.taps(),
            };
            StepWork {
                products: (written * product.depth()) as u64,
                entries: entries as u64,
                moved: (written + read) as u64,
                ..StepWork::default()
            }
        }
        Kernel::Depthwise(depthwise) => {
            let taps = depthwise.windows.map.taps();
            StepWork {
                depthwise: (written * taps) as u64,
                entries: (places * taps) as u64,
                moved: (written + read) as u64,
                ..StepWork::default()
            }
        }
        Kernel::MaxPool(windows) | Kernel::AveragePool(windows, _) => StepWork {
            entries: (places * windows.map.taps()) as u64,
            moved: (written * windows.map.taps() + read) as u64,
            ..StepWork::default()
        },
        _ => of_whole_step(program, index),
    }
}

/// The change of a convolution.
fn of_change(
    program: &Program,
    product: &Product,
    map: &WindowMap,
    index: usize,
    tile: Option<WinogradTile>,
    regions: &[Option<Region>],
    region: &Region,
) -> StepWork {
    let written = volume(region);
    let rank = map.input.len();
    let columns = product.out_channels;
    let mut work = StepWork { moved: 4 * written as u64, ..StepWork::default() };
    if let Some(tile) = tile {
        if let Some(changed) = &regions[program.steps[index].inputs[0].0] {
            let count: usize = region[1..=rank].iter().map(|r| r.len().div_ceil(tile.outputs())).product();
            let places = count * tile.inputs().pow(rank as u32);
            work.tiles = (places * map.channels * columns) as u64;
            work.transformed = (places * (map.channels + columns)) as u64;
            work.moved += 3 * volume(changed) as u64;
        }
        return work;
    }
    let merged = merged_taps(product, map);
    let whole = [(program.steps[index].inputs[0], map.channels)];
    let (parts, unit) = match program.joins.parts.get(&index) {
        Some(parts) => (&parts.sources[..], parts.unit),
        None => (&whole[..], map.channels),
    };
    let places = written / columns;
    work.entries = (places * map.taps() * map.channels / (unit * merged)) as u64;
    for (id, channels) in parts {
        let Some(changed) = &regions[id.0] else { continue };
        let pairs = tap_pairs(map, changed, region, merged);
        work.products += (pairs * channels * columns / product.weights.groups()) as u64;
        work.moved += 3 * volume(changed) as u64;
    }
    work
}

/// The work of a step on whole tensors.
pub(super) fn of_whole_step(program: &Program, index: usize) -> StepWork {
    let step = &program.steps[index];
    let written = program.graph.tensor(step.output).len();
    let variable = step.inputs.iter().map(|id| program.graph.tensor(*id)).filter(|t| t.constant.is_none());
    let mut work = StepWork {
        moved: (written + variable.map(|t| t.len()).sum::<usize>()) as u64,
        ..StepWork::default()
    };
    match &step.kernel {
        Kernel::Product(product) => work.products = (written * product.depth()) as u64,
        Kernel::Depthwise(depthwise) => work.depthwise = (written * depthwise.windows.map.taps()) as u64,
        Kernel::MatMul(matmul) => work.products = (written * matmul.k) as u64,
        Kernel::MaxPool(windows) | Kernel::AveragePool(windows, _) => {
            work.moved += (written * windows.map.taps()) as u64;
        }
        _ => {}
    }
    work
}

/// Pairs of a changed input place and a tap that lands in the written box; `merged` taps along the last axis count together.
pub(super) fn tap_pairs(map: &WindowMap, changed: &Region, written: &Region, merged: usize) -> usize {
    let rank = map.input.len();
    let along = |axis: usize| {
        let taps = 0..map.geometry.kernel[axis];
        let lands = |output: usize, tap: usize| {
            let read = map.geometry.reads(axis, output, tap, map.input[axis], map.transposed);
            read.is_some_and(|at| changed[axis + 1].contains(&at))
        };
        let of_output = |output: usize| {
            let landing = taps.clone().filter(|&tap| lands(output, tap)).count();
            if merged > 1 && axis + 1 == rank { usize::from(landing > 0) * merged } else { landing }
        };
        written[axis + 1].clone().map(of_output).sum::<usize>()
    };
    (0..rank).map(along).product()
}
