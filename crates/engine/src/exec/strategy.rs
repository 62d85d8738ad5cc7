//! How each convolution of an incremental run is computed for a set of windows: the change tap by tap, or by Winograd's tiles.
//!
//! A pure function of the graph, the windows' geometry and the instruction set: the boxes of a few windows spread over the grid are carried through the
//! body, and each convolution takes the form of least cost for them, counted in multiply-adds with constants that were measured once (`benches/README.md`). No
//! clock is read, and neither threads nor memory limit matter, so a map has the same bits on every run.

use std::sync::Arc;

use occlude_kernels::{Winograd, WinogradTile};

use crate::graph::Region;

use super::baseline::Form;
use super::change::{Changes, hidden};
use super::compile::Program;
use super::cost::tap_pairs;
use super::incremental::reached;
use super::kernel::Product;
use super::tables::WindowMap;

/// Windows that are looked at.
const SAMPLE: usize = 24;

/// Multiply-adds that take as long as transforming one float of a tile, to or fro.
const TRANSFORM_MACS: f64 = 5.0;

/// Multiply-adds per weight that take as long as reading it, shared by the windows of a group.
const WEIGHT_MACS: f64 = 2.0;

/// Weights that stay in the second-level cache cost nothing to read, in floats.
const CACHED_WEIGHTS: usize = 128 << 10;

/// How a step of the body computes the boxes of its output.
#[derive(Clone, Debug)]
pub(super) enum Algorithm {
    /// Every changed output again from all its inputs, or the change tap by tap, as the baseline's form says.
    Direct,
    /// The change by tiles.
    Winograd(Arc<Winograd>),
}

/// One algorithm per step of the body.
#[derive(Clone, Debug)]
pub(super) struct Strategy {
    /// Changes of a place below this share of the input's mean magnitude are dropped; 0 in exact runs.
    pub(super) drop_below: f32,
    pub(super) algorithms: Vec<Algorithm>,
}

/// What a few windows hide of every input, spread over all of them.
pub(super) fn sample(changes: &dyn Changes, inputs: usize) -> Vec<Vec<Option<Region>>> {
    let total = changes.len();
    let count = SAMPLE.min(total);
    (0..count).map(|index| hidden(changes, index * total / count + total / count / 2, inputs)).collect()
}

/// Tiles for the convolutions that gain from them with windows like these; `None` for all other steps of the body.
pub(super) fn choose(program: &Program, sample: &[Vec<Option<Region>>]) -> Vec<Option<WinogradTile>> {
    let costs =
        |step| program.delta_product(Form::Delta, step).and_then(|(product, map)| Costs::of(product, map));
    let mut gains: Vec<Option<Costs>> = (0..program.head.first).map(costs).collect();
    if gains.iter().all(Option::is_none) {
        return vec![None; gains.len()];
    }
    for hidden in sample {
        let regions = reached(program, hidden);
        for (step, costs) in program.steps.iter().zip(&mut gains) {
            if let (Some(costs), Some(changed), Some(written)) =
                (costs, &regions[step.inputs[0].0], &regions[step.output.0])
            {
                costs.count(changed, written);
            }
        }
    }
    gains.iter().map(|costs| costs.as_ref().and_then(Costs::least)).collect()
}

/// Costs of a convolution that tiles can do, in multiply-adds, summed over the windows counted.
struct Costs<'a> {
    map: &'a WindowMap,
    channels: usize,
    columns: usize,
    windows: usize,
    direct: f64,
    tiles: Vec<(WinogradTile, f64)>,
}

impl<'a> Costs<'a> {
    fn of(product: &'a Product, map: &'a WindowMap) -> Option<Self> {
        if !map.geometry.has_three_taps() || map.transposed {
            return None;
        }
        let (channels, columns) = (product.in_channels, product.out_channels);
        let fits = |tile: &WinogradTile| {
            product.weights.groups() == 1 && Winograd::fits(*tile, map.input.len(), channels, columns)
        };
        let tiles: Vec<(WinogradTile, f64)> = [WinogradTile::Two, WinogradTile::Four]
            .into_iter()
            .filter(fits)
            .map(|tile| (tile, 0.0))
            .collect();
        (!tiles.is_empty()).then_some(Costs { map, channels, columns, windows: 0, direct: 0.0, tiles })
    }

    fn weight_cost(&self, taps: usize) -> f64 {
        let floats = taps * self.channels * self.columns;
        if floats > CACHED_WEIGHTS { WEIGHT_MACS * floats as f64 } else { 0.0 }
    }

    fn count(&mut self, changed: &Region, written: &Region) {
        let rank = self.map.input.len();
        self.windows += 1;
        let matrix = (self.channels * self.columns) as f64;
        self.direct += tap_pairs(self.map, changed, written, 1) as f64 * matrix
            + self.weight_cost(3_usize.pow(rank as u32));
        for index in 0..self.tiles.len() {
            let tile = self.tiles[index].0;
            let count: usize = written[1..=rank].iter().map(|r| r.len().div_ceil(tile.outputs())).product();
            let places = tile.inputs().pow(rank as u32);
            let transforms = TRANSFORM_MACS * (self.channels + self.columns) as f64;
            self.tiles[index].1 += (count * places) as f64 * (matrix + transforms) + self.weight_cost(places);
        }
    }

    fn least(&self) -> Option<WinogradTile> {
        let (tile, cost) = self.tiles.iter().min_by(|a, b| a.1.total_cmp(&b.1))?;
        (self.windows > 0 && *cost < self.direct).then_some(*tile)
    }
}
