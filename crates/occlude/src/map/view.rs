//! A map as its definition says it is to be read: the numbers that are drawn and written, and the cells that they stand on.
//!
//! In: a [`Map`]: scores per window. Out: a [`View`]: numbers on a grid of cells, which are the windows themselves or single elements of the input. The choices are in `definition`, the
//! sums in `aggregate` and `upsample`. The map itself is never changed.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

use super::Map;
use super::aggregate::Spread;
use super::definition::{Aggregate, Definition, Normalize, Uncovered, Upsample, Value};
use super::upsample::upsample;
use crate::occlusion::{Grid, RandomMasks, RiseEstimate, Windows, importance};
use crate::score::argmax;

/// What a cell of a view is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cells {
    /// A window, with its number.
    Windows,
    /// One element of the input (all its channels, where windows hide channels together).
    Elements,
}

/// Numbers on cells.
#[derive(Clone, Debug)]
pub struct View<'a> {
    /// The map that is seen.
    pub map: &'a Map,
    /// Where the cells are.
    pub grid: Cow<'a, Grid>,
    /// What they are.
    pub cells: Cells,
    /// `[T, grid...]`; NaN = not computed or not covered.
    pub values: Cow<'a, [f32]>,
    /// The most probable class per cell, -1 = not computed; for windows as the model said, for elements the class with the greatest score where scores are written down and all classes are targets.
    pub most_probable: Option<Cow<'a, [i32]>>,
}

impl Map {
    /// The map as its definition says.
    pub fn view(&self) -> View<'_> {
        self.view_of(self.definition)
    }

    /// The map as it is drawn: as its definition says, but always of sensitivities, so that red is evidence for the target in every picture; of random masks the estimate less its mean.
    pub fn drawn(&self) -> View<'_> {
        if let Windows::Masks(..) = &self.windows {
            // Kept places, not hidden ones, make the numbers; what matters are their differences.
            let mut view = self.view_of(Definition { value: Value::Score, ..self.definition });
            let values = view.values.to_mut();
            let of_one = (values.len() / self.targets.len().max(1)).max(1);
            for of_target in values.chunks_exact_mut(of_one) {
                let sum: f64 = of_target.iter().copied().map(f64::from).sum();
                let mean = (sum / of_target.len() as f64) as f32;
                of_target.iter_mut().for_each(|v| *v -= mean);
            }
            return view;
        }
        self.view_of(Definition { value: Value::Sensitivity, ..self.definition })
    }

    fn view_of(&self, how: Definition) -> View<'_> {
        let plain = self
            .windows
            .grid()
            .filter(|_| how.aggregate == Aggregate::Cells && how.upsample == Upsample::None);
        if let Some(grid) = plain {
            let values = if how.is_plain() {
                Cow::Borrowed(&self.sensitivity[..])
            } else {
                Cow::Owned(self.normalized(how, self.values_of_windows(how.value)))
            };
            return View {
                map: self,
                grid: Cow::Borrowed(grid),
                cells: Cells::Windows,
                values,
                most_probable: self.most_probable.as_ref().map(|m| Cow::Borrowed(&m.windows[..])),
            };
        }
        let grid = self.windows.elements();
        // Only cells on one grid can be enlarged; of other windows each element takes the mean over those that cover it.
        let is_enlarged = how.upsample != Upsample::None && self.windows.grid().is_some();
        let values = if is_enlarged { self.enlarged(how, &grid) } else { self.spread(how, &grid) };
        let values = self.normalized(how, values);
        // Only scores say which class is the most probable one; what is drawn are their falls.
        let most_probable = match (self.definition.value, how.value) {
            (Value::Score, Value::Score) => self.most_probable_of(&values, grid.len()).map(Cow::Owned),
            (Value::Score, _) => self.view().most_probable,
            _ => None,
        };
        View {
            map: self,
            grid: Cow::Owned(grid),
            cells: Cells::Elements,
            values: Cow::Owned(values),
            most_probable,
        }
    }

    /// `[T, windows]`: what is written down for each window.
    fn values_of_windows(&self, value: Value) -> Vec<f32> {
        if value == Value::Sensitivity {
            return self.sensitivity.clone();
        }
        let count = self.windows.len();
        let of = |(i, &score): (usize, &f32)| value.of(self.targets[i / count.max(1)].baseline, score);
        self.scores.iter().enumerate().map(of).collect()
    }

    /// `[T, elements]`: windows joined where they cover an element.
    fn spread(&self, how: Definition, grid: &Grid) -> Vec<f32> {
        if let Windows::Masks(masks, _) = &self.windows {
            // The estimator weighs what is kept, so falls of the score would have the sign of evidence against.
            let value = if how.value == Value::Sensitivity { Value::Score } else { how.value };
            let values = self.values_of_windows(value);
            return self.estimate(masks, &values, how.aggregate != Aggregate::Cells);
        }
        let values = self.values_of_windows(how.value);
        let regions: Vec<Range<usize>> = grid.axes.iter().map(|axis| axis.region.clone()).collect();
        // Several sizes have no common nominal window.
        let nominal: usize = self.windows.grid().map_or(1, |g| g.axes.iter().map(|a| a.window).product());
        // Windows that are no grid of their own have no cells to stay on.
        let aggregate = if how.aggregate == Aggregate::Cells { Aggregate::Mean } else { how.aggregate };
        let mut all = Vec::with_capacity(self.targets.len() * grid.len());
        // Windows have few sizes, and there may be many targets.
        let mut importances: BTreeMap<Vec<usize>, Vec<f32>> = BTreeMap::new();
        for of_target in values.chunks_exact(self.windows.len().max(1)) {
            let mut spread = Spread::new(&regions);
            for (window, &value) in of_target.iter().enumerate().filter(|(_, value)| !value.is_nan()) {
                let bounds = self.windows.bounds(window);
                let bounds: Vec<Range<usize>> =
                    grid.axes.iter().map(|axis| bounds[axis.tensor_axis].clone()).collect();
                if aggregate == Aggregate::Gaussian && self.windows.share(window).is_none() {
                    let sizes: Vec<usize> = bounds.iter().map(Range::len).collect();
                    let weights = importances.entry(sizes).or_insert_with_key(|sizes| importance(sizes));
                    spread.add_weighted(&bounds, f64::from(value), weights);
                } else if let Some(share) = self.share(window) {
                    spread.add_weighted(&bounds, f64::from(value), &share);
                } else {
                    spread.add(&bounds, f64::from(value));
                }
            }
            all.extend(spread.finish(aggregate, nominal as f64));
        }
        all
    }

    /// `[T, places]`: RISE's estimator, over the masks that were computed; `by_place` divides by how often each place was kept instead of by how often it should be.
    pub(super) fn estimate(&self, masks: &RandomMasks, values: &[f32], by_place: bool) -> Vec<f32> {
        let (places, count) = (masks.spatial().iter().product(), self.windows.len());
        let mut estimate = RiseEstimate::new(places, self.targets.len());
        let mut kept = vec![0.0; places];
        for mask in (0..count).filter(|&mask| !values[mask].is_nan()) {
            masks.kept(mask, &mut kept);
            let scores: Vec<f32> = (0..self.targets.len()).map(|t| values[t * count + mask]).collect();
            estimate.add(&kept, &scores);
        }
        let all = if by_place { estimate.normalised() } else { estimate.published(masks.keep_probability()) };
        all.into_iter().map(|v| v as f32).collect()
    }

    /// `[T, elements]`: cells enlarged to the elements that were asked for.
    fn enlarged(&self, how: Definition, grid: &Grid) -> Vec<f32> {
        let (shape, wanted) = (self.windows.shape(), grid.shape());
        let values = self.values_of_windows(how.value);
        values
            .chunks_exact(self.windows.len().max(1))
            .flat_map(|of_target| upsample(of_target, &shape, &wanted, how.upsample))
            .collect()
    }

    fn normalized(&self, how: Definition, mut values: Vec<f32>) -> Vec<f32> {
        if how.uncovered == Uncovered::Zero && self.is_complete() {
            values.iter_mut().filter(|v| v.is_nan()).for_each(|v| *v = 0.0);
        }
        let of_target = (values.len() / self.targets.len().max(1)).max(1);
        for values in values.chunks_exact_mut(of_target) {
            match how.normalize {
                Normalize::None => {}
                Normalize::Abs => values.iter_mut().for_each(|v| *v = v.abs()),
                Normalize::MaxAbs => {
                    let most = values.iter().filter(|v| !v.is_nan()).fold(0.0f32, |m, v| m.max(v.abs()));
                    if most > 0.0 {
                        values.iter_mut().for_each(|v| *v = (*v / most).clamp(-1.0, 1.0));
                    }
                }
            }
        }
        values
    }

    /// The class with the greatest score per element, where every class is a target.
    fn most_probable_of(&self, values: &[f32], count: usize) -> Option<Vec<i32>> {
        self.most_probable.as_ref()?;
        let is_all = self.targets.iter().enumerate().all(|(i, target)| target.class == Some(i));
        if !is_all || self.targets.len() < 2 {
            return None;
        }
        let class = |element: usize| {
            let of: Vec<f32> = (0..self.targets.len()).map(|t| values[t * count + element]).collect();
            if of.iter().any(|v| v.is_nan()) { -1 } else { argmax(&of) as i32 }
        };
        Some((0..count).map(class).collect())
    }
}

impl View<'_> {
    /// `[grid...]` of one target.
    ///
    /// # Panics
    /// If there is no such target.
    pub fn of(&self, target: usize) -> &[f32] {
        &self.values[target * self.grid.len()..(target + 1) * self.grid.len()]
    }
    /// `[T, grid...]`, the first axis left out where the map has none ([`Map::has_target_axis`]), and the grid's axes of length 1 where the definition squeezes.
    pub fn shape(&self) -> Vec<usize> {
        let mut shape = self.grid.shape();
        if self.map.definition.squeeze {
            shape.retain(|&length| length != 1);
        }
        if self.map.has_target_axis() {
            shape.insert(0, self.map.targets.len());
        }
        shape
    }
}
