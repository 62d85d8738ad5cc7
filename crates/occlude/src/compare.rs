//! Comparison of two maps: how alike is the evidence that they show?
//!
//! In: two sides ([`Evidence`]): occlusion maps, or saliency maps from elsewhere (Grad-CAM and its kin) as arrays. Out: a [`Comparison`]: rank and linear correlation, structural similarity, the overlap of the strongest places, each beside what chance gives
//! and with the number of places that it rests on. How sides are brought onto the same places is in `evidence` (and what was done is said), the formulas are in `statistics` and `ssim`, what chance gives a correlation in `shifts`, files in `read`. No model is
//! run here, and no verdict is given.

mod enlarge;
mod evidence;
mod read;
mod shifts;
mod ssim;
mod statistics;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

pub(crate) use enlarge::enlarge;
pub use evidence::Evidence;
pub(crate) use evidence::OfWindows;
pub(crate) use statistics::{mean_ranks, pearson};

/// The shares of places whose overlap is told.
pub const SHARES: [f64; 3] = [0.05, 0.1, 0.2];

/// How two maps are compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Only evidence for the target counts: numbers below 0 are taken as 0 on both sides. For maps that know no evidence against, as Grad-CAM's.
    pub positive: bool,
    /// How many axes of arrays are places; `None`: as many as the map beside them has, or, between two arrays, as both have, three with at most four elements in front being channels, rows and columns.
    pub axes: Option<usize>,
    /// Which shifts are drawn, where not all are tried.
    pub seed: u64,
}

/// One side of a comparison, as it was compared.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Side {
    /// What it is called.
    pub name: String,
    /// `map` for an occlusion map, `array` for a saliency map from elsewhere.
    pub kind: String,
    /// The target, where it is known.
    pub target: Option<String>,
    /// The unit, where it is known.
    pub unit: Option<String>,
    /// Places that are known of this side, of all that were compared.
    pub known: usize,
}

/// A correlation, and how it stands against chance.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Correlation {
    /// -1 to 1; 0 by chance.
    pub value: f64,
    /// `(1 + shifts whose |correlation| is at least this one's) / (1 + shifts)`: how often a map of the same texture at another place correlates as strongly. Cells of overlapping windows are not independent, so no textbook's p-value holds;
    /// a map that is moved as a whole (toroidal shift: what leaves at one end comes in at the other) keeps its dependence and loses its place. Two-sided. `None` where no shift gives a correlation.
    pub p: Option<f64>,
    /// Shifts that were tried: all of them, or a sample drawn from the seed.
    pub shifts: usize,
    /// Shifts that there are.
    pub all_shifts: usize,
    /// Places that both maps know.
    pub n: usize,
}

/// Structural similarity.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Similarity {
    /// The mean index (Wang et al., "Image quality assessment", IEEE Transactions on Image Processing 13, 2004): Gaussian window of sigma 1.5 on 11 elements per axis, K1 = 0.01, K2 = 0.03, L the joint range. 1 for equal maps; about 0 for unrelated ones.
    pub value: f64,
    /// Each side was divided by its largest magnitude before, since their units differ.
    pub scaled: bool,
    /// Windows that it is the mean of: all that lie in the map and hold known places only.
    pub n: usize,
}

/// The strongest places of both maps.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Overlap {
    /// The share of places that was asked for.
    pub share: f64,
    /// So many places: at least 1.
    pub k: usize,
    /// Of the `k` places with the largest numbers of one map the share that is among those of the other, 0 to 1. Where places tie for the last ranks, the mean over all ways to choose on each side.
    pub value: f64,
    /// Of maps that have nothing to do with each other: `k / n`.
    pub chance: f64,
    /// Places that both maps know.
    pub n: usize,
}

/// How alike two maps are. Measures are `None` where they have no value; `notes` say why.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// The first side.
    pub a: Side,
    /// The second side.
    pub b: Side,
    /// What was compared and what was done for it, in words.
    pub compared: String,
    /// Whether windows were compared, not places.
    pub by_window: bool,
    /// Shape of what was compared: windows of the grid, places of the input, or elements.
    pub shape: Vec<usize>,
    /// Windows or places that both sides know: what the measures rest on.
    pub n: usize,
    /// Those that were left out because a side does not know them.
    pub left_out: usize,
    /// Numbers below 0 were taken as 0.
    pub positive: bool,
    /// Spearman's rank correlation; ties take the mean of their ranks.
    pub spearman: Option<Correlation>,
    /// Pearson's correlation.
    pub pearson: Option<Correlation>,
    /// Structural similarity.
    pub ssim: Option<Similarity>,
    /// Overlap of the strongest 5, 10 and 20 %.
    pub top: Vec<Overlap>,
    /// What was chosen, left out or cannot be said, in words.
    pub notes: Vec<String>,
}

/// Compares two maps.
///
/// ```
/// use occlude::compare::{Evidence, Options, compare};
/// let a = Evidence::of_array(&[2, 3], vec![0.0, 1.0, 2.0, 3.0, 4.0, 9.0], "a")?;
/// let b = Evidence::of_array(&[2, 3], vec![0.1, 0.2, 0.3, 0.5, 0.4, 0.6], "b")?;
/// let found = compare(&a, &b, &Options::default())?;
/// assert!((found.spearman.expect("both vary").value - 33.0 / 35.0).abs() < 1e-12);
/// # Ok::<(), occlude::Error>(())
/// ```
///
/// # Errors
/// Argument: sides with different numbers of spatial axes, no place that both know. Number: infinite values.
pub fn compare(a: &Evidence, b: &Evidence, options: &Options) -> Result<Comparison> {
    let pair = evidence::pair(a, b, options)?;
    let wide = |values: &[f32]| values.iter().copied().map(f64::from).collect::<Vec<f64>>();
    let (values_a, values_b) = (wide(&pair.a), wide(&pair.b));
    let both = |at: &usize| !values_a[*at].is_nan() && !values_b[*at].is_nan();
    let known: Vec<usize> = (0..values_a.len()).filter(both).collect();
    let n = known.len();
    let what = if pair.by_window { "windows" } else { "places" };
    let side = |of: &Evidence, values: &[f64]| Side {
        name: of.name.clone(),
        kind: if of.is_map() { "map" } else { "array" }.into(),
        target: of.target.clone(),
        unit: of.unit.clone(),
        known: values.iter().filter(|v| !v.is_nan()).count(),
    };
    let (side_a, side_b) = (side(a, &values_a), side(b, &values_b));
    let mut notes = pair.notes;
    let left_out = values_a.len() - n;
    if n == 0 {
        return Err(Error::argument(format!(
            "there is nothing to compare: of {} {what} {} knows {} and {} knows {}, and none is known to both",
            values_a.len(),
            a.name,
            side_a.known,
            b.name,
            side_b.known
        ))
        .with_hint("maps are compared where both have numbers: choose regions of interest that overlap"));
    }
    if left_out > 0 {
        notes.push(format!(
            "{left_out} of {} {what} are left out: {} knows {}, {} knows {} (what was not computed or is not covered is not known)",
            values_a.len(),
            a.name,
            side_a.known,
            b.name,
            side_b.known
        ));
    }
    if a.is_map() != b.is_map() {
        let (map, array) = if a.is_map() { (&a.name, &b.name) } else { (&b.name, &a.name) };
        notes.push(format!(
            "{map} is an occlusion map, {array} comes from elsewhere: their rank correlation is how Grad-CAM's authors measured faithfulness, with the occlusion map as the reference"
        ));
    }
    let of = |values: &[f64]| known.iter().map(|&at| values[at]).collect::<Vec<f64>>();
    let (pairs_a, pairs_b) = (of(&values_a), of(&values_b));
    let constant = |values: &[f64]| values.iter().all(|&v| v == values[0]);
    let flat: Vec<&str> = [(a, &pairs_a), (b, &pairs_b)]
        .into_iter()
        .filter(|(_, values)| constant(values))
        .map(|(side, _)| side.name.as_str())
        .collect();
    if n < 3 {
        notes.push(format!("no correlation: {n} {what} are known to both, expected at least 3"));
    } else if !flat.is_empty() {
        let is = if flat.len() == 1 { "is" } else { "are" };
        notes.push(format!(
            "no correlation: {} {is} constant where both are known{}",
            flat.join(" and "),
            if options.positive { " (numbers below 0 are taken as 0)" } else { "" }
        ));
    }
    let (box_shape, within) = bounding_box(&pair.shape, &known);
    let boxed = |values: &[f64]| within.iter().map(|&at| values[at]).collect::<Vec<f64>>();
    let (boxed_a, boxed_b) = (boxed(&values_a), boxed(&values_b));
    let correlation = |value: Option<f64>, a: &[f64], b: &[f64]| {
        let value = value.filter(|_| n >= 3)?;
        let chance = shifts::chance(a, b, &box_shape, options.seed);
        let all_shifts = within.len() - 1;
        let (p, shifts) = (chance.map(|found| found.p), chance.map_or(0, |found| found.tried));
        Some(Correlation { value, p, shifts, all_shifts, n })
    };
    let spearman = statistics::pearson(&statistics::mean_ranks(&pairs_a), &statistics::mean_ranks(&pairs_b));
    let spearman = correlation(spearman, &ranked(&boxed_a), &ranked(&boxed_b));
    let pearson = correlation(statistics::pearson(&pairs_a, &pairs_b), &boxed_a, &boxed_b);
    if let Some(found) = spearman.filter(|found| found.shifts > 0) {
        if within.len() > n {
            notes.push("shifts wrap around within the box of the places that are known to both; pairs with one that is not known are left out of each".into());
        }
        if found.shifts < 19 {
            notes.push(format!(
                "{} shifts are few: no p-value can be below {:.2}",
                found.shifts,
                1.0 / (1 + found.shifts) as f64
            ));
        }
    }
    let ssim = similarity(a, b, &values_a, &values_b, &pair.shape, &mut notes);
    let top = overlaps(&pairs_a, &pairs_b, what, &mut notes);
    Ok(Comparison {
        a: side_a,
        b: side_b,
        compared: pair.done,
        by_window: pair.by_window,
        shape: pair.shape,
        n,
        left_out,
        positive: options.positive,
        spearman,
        pearson,
        ssim,
        top,
        notes,
    })
}

/// Ranks of the numbers that are known; the others stay NaN.
fn ranked(values: &[f64]) -> Vec<f64> {
    let known: Vec<f64> = values.iter().copied().filter(|v| !v.is_nan()).collect();
    let mut ranks = statistics::mean_ranks(&known).into_iter();
    values.iter().map(|v| if v.is_nan() { f64::NAN } else { ranks.next().unwrap_or(f64::NAN) }).collect()
}

fn similarity(
    a: &Evidence,
    b: &Evidence,
    values_a: &[f64],
    values_b: &[f64],
    shape: &[usize],
    notes: &mut Vec<String>,
) -> Option<Similarity> {
    // An occlusion map has a unit even where its file does not tell it.
    let scaled = a.is_map() != b.is_map() || a.unit.is_some() && b.unit.is_some() && a.unit != b.unit;
    let prepared = |values: &[f64]| -> Vec<f64> {
        let largest = values.iter().filter(|v| !v.is_nan()).fold(0.0f64, |most, v| most.max(v.abs()));
        let by = if scaled && largest > 0.0 { largest } else { 1.0 };
        values.iter().map(|v| v / by).collect()
    };
    match ssim::ssim(&prepared(values_a), &prepared(values_b), shape) {
        Ok(mean) => Some(Similarity { value: mean.value, scaled, n: mean.windows }),
        Err(why) => {
            notes.push(format!("no structural similarity: {why}"));
            None
        }
    }
}

fn overlaps(a: &[f64], b: &[f64], what: &str, notes: &mut Vec<String>) -> Vec<Overlap> {
    let n = a.len();
    let (mut tied, mut most) = (Vec::new(), 0);
    let overlap = |share: f64| {
        let k = ((n as f64 * share).round() as usize).clamp(1, n);
        let (of_a, of_b) = (statistics::Strongest::new(a, k), statistics::Strongest::new(b, k));
        if of_a.tied.max(of_b.tied) > 0 {
            tied.push(format!("{:.0}", share * 100.0));
            most = most.max(of_a.tied).max(of_b.tied);
        }
        Overlap { share, k, value: of_a.common(&of_b) / k as f64, chance: k as f64 / n as f64, n }
    };
    let all = SHARES.map(overlap).to_vec();
    if !tied.is_empty() {
        notes.push(format!(
            "up to {most} {what} of a side are equal at the border of the top {} %: the mean over all ways to choose among them is given",
            tied.join(", ")
        ));
    }
    all
}

/// The smallest box that holds these places (at least one): its shape, and its places in order.
fn bounding_box(shape: &[usize], places: &[usize]) -> (Vec<usize>, Vec<usize>) {
    let mut stride = shape.iter().product::<usize>();
    let strides: Vec<usize> = shape
        .iter()
        .map(|length| {
            stride /= length;
            stride
        })
        .collect();
    let along = |axis: usize| {
        let index = |at: &usize| at / strides[axis] % shape[axis];
        let least = places.iter().map(index).min().unwrap_or(0);
        least..places.iter().map(index).max().unwrap_or(0) + 1
    };
    let ranges: Vec<_> = (0..shape.len()).map(along).collect();
    let mut all = Vec::new();
    crate::tensor::for_each_run(shape, &ranges, |run| all.extend(run));
    (ranges.iter().map(ExactSizeIterator::len).collect(), all)
}
