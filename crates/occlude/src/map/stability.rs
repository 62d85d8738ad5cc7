//! How far the signs of a map hang on how it was made: the same map by other fills, window sizes and seeds, held against it cell by cell.
//!
//! In: a map, the maps of other choices. Out: [`Stability`]: per cell how many agree, and whether any two contradict each other. Maps of other windows are brought to the cells of the first: a cell gets the mean of their evidence per place over its window. Which
//! choices there are, and that they are run, is in `model/stability_run.rs`.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::aggregate::Spread;
use super::definition::Aggregate;
use super::{Cells, Map, View};

/// How one of the other maps was made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Variant {
    /// The fill, as the settings write it.
    pub fill: String,
    /// Sizes of the windows, as the settings write them.
    pub window: String,
    /// The seed of the fill.
    pub seed: u64,
    /// What is another choice than the map's own: `fill`, `window`, `seed`.
    pub differs: Vec<String>,
}

/// Shares of the cells of one target's map that every map knows, 0 to 1.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SignShares {
    /// The sign depends on the choice: evidence for the target by one map, against it by another.
    pub depends: f64,
    /// It does not, but some maps show evidence there and others none.
    pub fades: f64,
    /// As `depends`, among the map and those that differ from it in the fill alone; `None` where there is none.
    pub by_fill: Option<f64>,
    /// The same for the window.
    pub by_window: Option<f64>,
    /// The same for the seed.
    pub by_seed: Option<f64>,
    /// Cells that the shares are of.
    pub known: usize,
}

/// How far the signs of a map hang on the choice of fill, window and seed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stability {
    /// A number whose magnitude is below this share of the largest of its map and target counts as none: it has no sign.
    pub zero_below: f64,
    /// The other maps.
    pub variants: Vec<Variant>,
    /// `[T, windows...]`: the share of the other maps whose sign (for, against, none) is the map's own there, 0 to 1. NaN = not known to any.
    pub agreement: Vec<f32>,
    /// `[T, windows...]`: whether two of the maps, this one included, have opposite signs there.
    pub depends: Vec<bool>,
    /// Per target.
    pub targets: Vec<SignShares>,
}

/// Evidence for, against, or none.
fn sign(value: f32, least: f32) -> i8 {
    match value {
        value if value.abs() < least || value == 0.0 => 0,
        value if value > 0.0 => 1,
        _ => -1,
    }
}

/// Signs of one target's cells; `None` where a cell is not known.
fn signs(values: &[f32], zero_below: f64) -> Vec<Option<i8>> {
    let most = values.iter().filter(|v| !v.is_nan()).fold(0.0f32, |most, v| most.max(v.abs()));
    let least = (zero_below * f64::from(most)) as f32;
    values.iter().map(|&v| (!v.is_nan()).then(|| sign(v, least))).collect()
}

impl Stability {
    /// Holds these maps against `map`; all have its targets and input.
    pub(crate) fn of(map: &Map, others: &[(Variant, Map)], zero_below: f64) -> Stability {
        let count = map.windows.len();
        let brought: Vec<Vec<f32>> = others.iter().map(|(_, other)| on_cells(other, map)).collect();
        let mut found = Stability {
            zero_below,
            variants: others.iter().map(|(variant, _)| variant.clone()).collect(),
            agreement: Vec::with_capacity(map.sensitivity.len()),
            depends: Vec::with_capacity(map.sensitivity.len()),
            targets: Vec::with_capacity(map.targets.len()),
        };
        for target in 0..map.targets.len() {
            let own = signs(map.sensitivity_of(target), zero_below);
            let all: Vec<Vec<Option<i8>>> =
                brought.iter().map(|values| signs(&values[target * count..][..count], zero_below)).collect();
            let agreement = |cell: usize| {
                let known: Vec<i8> = all.iter().filter_map(|signs| signs[cell]).collect();
                let own = own[cell].filter(|_| !known.is_empty());
                own.map_or(f32::NAN, |own| {
                    known.iter().filter(|s| **s == own).count() as f32 / known.len() as f32
                })
            };
            found.agreement.extend((0..count).map(agreement));
            let everything: Vec<&[Option<i8>]> =
                std::iter::once(&own).chain(&all).map(|signs| &signs[..]).collect();
            found.depends.extend((0..count).map(|cell| contradict(&everything, cell)));
            found.targets.push(shares(&own, &all, &found.variants));
        }
        found
    }

    /// `[windows...]` of one target: whether the sign depends on the choice.
    ///
    /// # Panics
    /// If there is no such target.
    pub fn depends_of(&self, target: usize) -> &[bool] {
        let count = self.depends.len() / self.targets.len().max(1);
        &self.depends[target * count..][..count]
    }
}

/// Whether some map says for and another against.
fn contradict(maps: &[&[Option<i8>]], cell: usize) -> bool {
    let has = |wanted: i8| maps.iter().any(|signs| signs[cell] == Some(wanted));
    has(1) && has(-1)
}

fn shares(own: &[Option<i8>], all: &[Vec<Option<i8>>], variants: &[Variant]) -> SignShares {
    let everything: Vec<&[Option<i8>]> =
        std::iter::once(own).chain(all.iter().map(|signs| &signs[..])).collect();
    let known: Vec<usize> =
        (0..own.len()).filter(|&cell| everything.iter().all(|signs| signs[cell].is_some())).collect();
    let share = |count: usize| count as f64 / known.len().max(1) as f64;
    let depends = known.iter().filter(|&&cell| contradict(&everything, cell)).count();
    let varies = |cell: usize| everything.iter().any(|signs| signs[cell] != own[cell]);
    let fades = known.iter().filter(|&&cell| !contradict(&everything, cell) && varies(cell)).count();
    let by = |choice: &str| {
        let alone = |variant: &Variant| matches!(&variant.differs[..], [one] if one == choice);
        let of_choice: Vec<&[Option<i8>]> = all
            .iter()
            .zip(variants)
            .filter(|(_, variant)| alone(variant))
            .map(|(signs, _)| &signs[..])
            .collect();
        (!of_choice.is_empty()).then(|| {
            let maps: Vec<&[Option<i8>]> = std::iter::once(own).chain(of_choice).collect();
            share(known.iter().filter(|&&cell| contradict(&maps, cell)).count())
        })
    };
    SignShares {
        depends: share(depends),
        fades: share(fades),
        by_fill: by("fill"),
        by_window: by("window"),
        by_seed: by("seed"),
        known: known.len(),
    }
}

/// `[T, windows of map]`: the other map's numbers where its windows are the same, else the mean of its evidence over each of these windows.
fn on_cells(other: &Map, map: &Map) -> Vec<f32> {
    if other.windows == map.windows {
        return other.sensitivity.clone();
    }
    let attribution = other.attribution();
    let (lengths, axes) = (&attribution.shape[1..], map.windows.elements().axes);
    let of_target: usize = lengths.iter().product();
    let mut all = Vec::with_capacity(map.sensitivity.len());
    for values in attribution.values.chunks_exact(of_target.max(1)) {
        for window in 0..map.windows.len() {
            let bounds = map.windows.bounds(window);
            let bounds: Vec<Range<usize>> =
                axes.iter().map(|axis| bounds[axis.tensor_axis].clone()).collect();
            let (mut sum, mut count) = (0.0, 0usize);
            crate::tensor::for_each_run(lengths, &bounds, |run| {
                for value in values[run].iter().filter(|v| !v.is_nan()) {
                    sum += f64::from(*value);
                    count += 1;
                }
            });
            all.push(if count > 0 { (sum / count as f64) as f32 } else { f32::NAN });
        }
    }
    all
}

impl Map {
    /// Which cells of a view have a sign that depends on how the map was made; of elements those where that is so for most of the windows that cover them. `None` where that was not looked at.
    pub(crate) fn marked(&self, view: &View<'_>, target: usize) -> Option<Vec<bool>> {
        let depends = self.stability.as_ref()?.depends_of(target);
        if view.cells == Cells::Windows {
            return Some(depends.to_vec());
        }
        let axes = &view.grid.axes;
        let regions: Vec<Range<usize>> = axes.iter().map(|axis| axis.region.clone()).collect();
        let mut spread = Spread::new(&regions);
        for (window, &depends) in depends.iter().enumerate() {
            let bounds = self.windows.bounds(window);
            let bounds: Vec<Range<usize>> =
                axes.iter().map(|axis| bounds[axis.tensor_axis].clone()).collect();
            let value = f64::from(u8::from(depends));
            match self.share(window) {
                Some(share) => spread.add_weighted(&bounds, value, &share),
                None => spread.add(&bounds, value),
            }
        }
        Some(spread.finish(Aggregate::Mean, 1.0).into_iter().map(|share| share > 0.5).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests_support::map;
    use super::*;

    fn variant(differs: &[&str]) -> Variant {
        Variant {
            fill: "zero".into(),
            window: "2x2".into(),
            seed: 0,
            differs: differs.iter().map(|name| (*name).to_string()).collect(),
        }
    }

    #[test]
    fn signs_by_hand() {
        let row = |values: &[f32]| map([1, 10], [1, 2], [1, 2], values.to_vec());
        // Largest 10: below 1 is none.
        let own = row(&[10.0, -5.0, 0.5, 4.0, f32::NAN]);
        let others = [
            (variant(&["fill"]), row(&[9.0, 5.0, -0.5, 0.1, 1.0])),
            (variant(&["seed"]), row(&[1.0, -1.0, 0.0, 1.0, 1.0])),
            (variant(&["fill", "seed"]), row(&[2.0, -9.0, 1.0, 3.0, 1.0])),
        ];
        let found = Stability::of(&own, &others, 0.1);
        assert_eq!(found.depends, [false, true, false, false, false]);
        let third = 1.0 / 3.0;
        for (got, expected) in found.agreement.iter().zip([1.0, 2.0 * third, 2.0 * third, 2.0 * third]) {
            assert!((got - expected).abs() < 1e-6, "{:?}", found.agreement);
        }
        assert!(found.agreement[4].is_nan());
        let shares = &found.targets[0];
        assert_eq!((shares.known, shares.depends, shares.fades), (4, 0.25, 0.5));
        assert_eq!((shares.by_fill, shares.by_window, shares.by_seed), (Some(0.25), None, Some(0.0)));
    }

    #[test]
    fn other_windows_count_by_their_evidence_over_each_window() {
        let own = map([2, 6], [2, 3], [2, 3], vec![1.0, -1.0]);
        // Windows of 2 columns: 4, -2, -2; the first of ours covers two of the first's columns and one of the second's.
        let other = map([2, 6], [2, 2], [2, 2], vec![4.0, -2.0, -2.0]);
        assert_eq!(on_cells(&other, &own), [2.0, -2.0]);
        let found = Stability::of(&own, &[(variant(&["window"]), other)], 0.05);
        assert_eq!((found.depends, found.agreement), (vec![false, false], vec![1.0, 1.0]));
        assert_eq!(found.targets[0].by_window, Some(0.0));
    }

    #[test]
    fn joined_maps_are_marked_where_most_windows_are() {
        let mut own = map([1, 4], [1, 2], [1, 1], vec![1.0, 1.0, 1.0]);
        let other = map([1, 4], [1, 2], [1, 1], vec![-1.0, -1.0, 1.0]);
        own.stability = Some(Stability::of(&own, &[(variant(&["fill"]), other)], 0.05));
        assert_eq!(own.marked(&own.drawn(), 0), Some(vec![true, true, false]));
        own.definition.aggregate = Aggregate::Mean;
        assert_eq!(own.marked(&own.drawn(), 0), Some(vec![true, true, false, false]));
        own.stability = None;
        assert_eq!(own.marked(&own.drawn(), 0), None);
    }
}
