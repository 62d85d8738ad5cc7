//! How the page gets the evidence of every place of the input, for a box that a reader draws around the object.
//!
//! In: the drawn [`View`] of a map. Out: the feed's `places`, from which `report/evidence.js` makes the numbers of
//! [`Map::evidence_of_places`]: the cells themselves where they are these numbers or windows with the map's sensitivities, else the windows
//! beside the cells, else the reason why not. Nothing is judged here.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{axis_object, floats};
use crate::map::{Cells, Map, View};
use crate::occlusion::{AxisRole, Grid, Shape};

/// The feed's `places`.
pub(super) fn places(view: &View) -> Value {
    let map = view.map;
    if view.cells == Cells::Windows && same(&view.values, &map.sensitivity) {
        return json!({ "from": "cells", "weights": weights(map) });
    }
    if view.cells == Cells::Elements && same(&spread_out(view), &map.evidence_of_places()) {
        return json!({ "from": "elements" });
    }
    let grids = map.windows.grids();
    if grids.is_empty() {
        return json!({
            "from": null,
            "why": "Where the evidence lies cannot be said for this map: it does not hold the mean over the windows that cover a place, and its windows are no boxes.",
        });
    }
    let axes = |grid: &Grid| grid.axes.iter().map(|axis| axis_object(map, axis)).collect::<Vec<_>>();
    json!({
        "from": "windows",
        "grids": grids.iter().map(axes).collect::<Vec<_>>(),
        "sensitivity": (0..map.targets.len()).map(|t| floats(map.sensitivity_of(t))).collect::<Vec<_>>(),
        "weights": weights(map),
    })
}

/// The numbers of elements at their places of the whole input, NaN elsewhere; empty where cells have channels of their own.
fn spread_out(view: &View) -> Vec<f32> {
    let axes = &view.grid.axes;
    if axes.iter().any(|axis| axis.role == AxisRole::Channel) {
        return Vec::new();
    }
    let places: usize = axes.iter().map(|axis| axis.length).product();
    let mut all = vec![f32::NAN; places * view.map.targets.len()];
    for (t, of_target) in all.chunks_exact_mut(places.max(1)).enumerate() {
        for (cell, &value) in view.of(t).iter().enumerate() {
            let index = view.grid.unravel(cell);
            let at = axes.iter().zip(index).fold(0, |at, (axis, i)| at * axis.length + axis.starts[i]);
            of_target[at] = value;
        }
    }
    all
}

/// How much of each place of a window's box is hidden, for every size that windows have; empty for plain boxes.
fn weights(map: &Map) -> Vec<Value> {
    if map.shape == Shape::Box {
        return Vec::new();
    }
    let mut sizes: BTreeSet<Vec<usize>> = BTreeSet::new();
    for grid in map.windows.grids() {
        let mut of_grid: Vec<Vec<usize>> = vec![Vec::new()];
        for axis in grid.axes.iter().filter(|axis| axis.role != AxisRole::Channel) {
            let lengths: BTreeSet<usize> =
                axis.starts.iter().zip(&axis.ends).map(|(start, end)| end - start).collect();
            let longer = |sizes: &Vec<usize>| -> Vec<Vec<usize>> {
                lengths.iter().map(|&length| [sizes.as_slice(), &[length]].concat()).collect()
            };
            of_grid = of_grid.iter().flat_map(longer).collect();
        }
        sizes.extend(of_grid);
    }
    let of_size = |sizes: Vec<usize>| {
        let values = map.shape.weights(&sizes)?;
        Some(json!({ "sizes": sizes, "values": floats(&values) }))
    };
    sizes.into_iter().filter_map(of_size).collect()
}

fn same(some: &[f32], others: &[f32]) -> bool {
    some.len() == others.len()
        && some.iter().zip(others).all(|(a, b)| a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan()))
}
