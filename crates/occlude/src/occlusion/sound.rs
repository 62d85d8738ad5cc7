//! Whether windows that were read from bytes are such as this crate makes: no run lays others, and whatever draws or joins them relies on it.
//!
//! In: windows, the input that they are said to lie in. Out: nothing, or what is wrong in words. How windows are made is in `grid`, `regions` and `random_masks`.

use std::ops::Range;

use super::grid::{AxisRole, Grid, GridAxis};
use super::regions::{BACKGROUND, Region};
use super::windows::Windows;
use crate::tensor::{TensorSpec, shape_text};

impl Windows {
    /// Whether they lie in this input: every box inside it, every list as long as it has to be, the number of windows within a `usize`.
    ///
    /// # Errors
    /// In words, the first thing that is wrong.
    pub(crate) fn check_sound(&self, input: &TensorSpec) -> Result<(), String> {
        match self {
            Windows::Grid(grid) => check_grids(std::slice::from_ref(grid), input),
            Windows::Scales(grids) => check_grids(grids, input),
            Windows::Regions(regions) => {
                same_input(&regions.spec, input)?;
                let all = &regions.parts;
                if all.is_empty() {
                    return Err("it has no region".into());
                }
                if all.windows(2).any(|pair| pair[0].label >= pair[1].label) || all[0].label == BACKGROUND {
                    return Err("its regions are not in ascending order of labels from 1".into());
                }
                all.iter().try_for_each(|region| check_region(region, &input.spatial()))
            }
            Windows::Masks(masks, spec) => {
                same_input(spec, input)?;
                if masks.spatial() != input.spatial() {
                    return Err(format!(
                        "its masks are of size {}, its input has places {}",
                        shape_text(masks.spatial()),
                        shape_text(&input.spatial())
                    ));
                }
                masks.check_sound()
            }
        }
    }
}

fn same_input(spec: &TensorSpec, input: &TensorSpec) -> Result<(), String> {
    if spec == input {
        return Ok(());
    }
    Err(format!("its windows lie in {spec}, its input is {input}"))
}

fn check_grids(grids: &[Grid], input: &TensorSpec) -> Result<(), String> {
    let Some(first) = grids.first() else { return Err("it has no grid of windows".into()) };
    let mut total = 0usize;
    for grid in grids {
        if grid.input_shape != input.shape {
            let (found, wanted) = (shape_text(&grid.input_shape), shape_text(&input.shape));
            return Err(format!("its windows lie in {found}, its input is {wanted}"));
        }
        let spatial =
            input.spatial_axes().into_iter().enumerate().map(|(i, axis)| (AxisRole::Spatial(i), axis));
        let channels = input.channel_axis.filter(|_| grid.axes.len() > input.shape.len() - 1);
        let wanted: Vec<_> =
            channels.map(|axis| (AxisRole::Channel, axis)).into_iter().chain(spatial).collect();
        let found: Vec<_> = grid.axes.iter().map(|axis| (axis.role, axis.tensor_axis)).collect();
        if found != wanted || found.len() != first.axes.len() {
            return Err(format!("its grid has the axes {found:?}, expected {wanted:?}"));
        }
        grid.axes.iter().try_for_each(|axis| check_axis(axis, input.shape[axis.tensor_axis]))?;
        let product = |of: fn(&GridAxis) -> usize| {
            grid.axes.iter().try_fold(1usize, |product, axis| product.checked_mul(of(axis)))
        };
        product(|axis| axis.window).ok_or("its windows are too large")?;
        let windows = product(GridAxis::len).ok_or("it has too many windows")?;
        total = total.checked_add(windows).ok_or("it has too many windows")?;
    }
    Ok(())
}

fn check_axis(axis: &GridAxis, length: usize) -> Result<(), String> {
    let at = axis.tensor_axis;
    if axis.length != length {
        return Err(format!("axis {at} of its grid has length {}, the input's has {length}", axis.length));
    }
    if axis.starts.is_empty() || axis.starts.len() != axis.ends.len() {
        return Err(format!(
            "axis {at} of its grid has {} starts and {} ends",
            axis.starts.len(),
            axis.ends.len()
        ));
    }
    let mut ranges = axis.starts.iter().zip(&axis.ends).map(|(&start, &end)| start..end);
    match ranges
        .find(|range| !is_inside(range, length))
        .or_else(|| (!is_inside(&axis.region, length) || axis.region.is_empty()).then(|| axis.region.clone()))
    {
        Some(range) => {
            Err(format!("axis {at} of its grid has {}:{} of {length} elements", range.start, range.end))
        }
        None => Ok(()),
    }
}

fn is_inside(range: &Range<usize>, length: usize) -> bool {
    range.start <= range.end && range.end <= length
}

fn check_region(region: &Region, spatial: &[usize]) -> Result<(), String> {
    let label = region.label;
    let fits = region.bounds.len() == spatial.len()
        && region.bounds.iter().zip(spatial).all(|(range, &n)| is_inside(range, n) && !range.is_empty());
    // Inside the input, whose number of elements is known to fit.
    let volume = if fits { region.bounds.iter().map(Range::len).product() } else { 0 };
    if !fits || region.members.len() != volume {
        return Err(format!(
            "region {label} has the box {:?} with {} members, its input has places {}",
            region.bounds,
            region.members.len(),
            shape_text(spatial)
        ));
    }
    let count = region.members.iter().filter(|&&share| share == 1.0).count();
    if count != region.count || count == 0 || region.members.iter().any(|&share| share != 0.0 && share != 1.0)
    {
        return Err(format!("region {label} says {} members, {count} are marked", region.count));
    }
    Ok(())
}
