//! Random masks: RISE's (Petsiuk, Das and Saenko, "RISE: Randomized Input Sampling for Explanation of Black-box Models", BMVC 2018), drawn or read from a file,
//! and the estimator that makes a map of the scores under them.
//!
//! In: the input's spatial shape, cells, probability, count, seed; or a `.npy` file, or an array. Out: mask `i` as one weight per place, how much of the input is kept
//! (1 untouched, 0 hidden). No list of masks is held: each is drawn anew from the seed and its number, whatever was drawn before.
//! What stands where the input is hidden is not here; the paper multiplies, so its fill is zero.

use std::fmt::Display;
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::noise::uniform;
use crate::archive::shared;
use crate::error::{Error, Result};
use crate::input::npy;
use crate::settings::GivenArray;
use crate::tensor::shape_text;

/// A numbered set of masks over the spatial axes.
///
/// ```
/// use occlude::RandomMasks;
/// let masks = RandomMasks::new(&[32, 48], 7, 0.5, 4000, 0)?;
/// let mut kept = vec![0.0; 32 * 48];
/// masks.kept(3999, &mut kept);
/// assert!(kept.iter().all(|w| (0.0..=1.0).contains(w)));
/// # Ok::<(), occlude::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RandomMasks {
    spatial: Vec<usize>,
    count: usize,
    keep_probability: f64,
    source: Source,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Source {
    Drawn {
        cells: usize,
        seed: u64,
    },
    /// `[count, places]`
    Read(#[serde(with = "shared")] Arc<[f32]>),
}

impl RandomMasks {
    /// Masks as RISE's `generate_masks` draws them: a grid of `cells` cells along every axis, each kept with `keep_probability`, made larger linearly to
    /// `(cells + 1) * ceil(size / cells)` elements per axis and cut out at a shift from 0 to below the size of a cell, the same chance for each.
    /// An axis of fewer elements than cells has cells of one element.
    /// The paper takes 7 cells, 0.5 and 4000 to 8000 masks for a picture of 224 x 224. The random numbers are ours, not NumPy's.
    ///
    /// # Errors
    /// Argument: no cell or no mask; more cells than the longest axis has elements; a probability that is not between 0 and 1. Unsupported: no spatial axis, or more than three.
    pub fn new(
        spatial: &[usize],
        cells: usize,
        keep_probability: f64,
        count: usize,
        seed: u64,
    ) -> Result<Self> {
        check_axes(spatial)?;
        check_probability(keep_probability)?;
        let longest = spatial.iter().copied().max().unwrap_or(0);
        if !(1..=longest).contains(&cells) {
            return Err(Error::argument(format!(
                "random masks have {cells} cells along each axis, expected 1 to {longest}: the input has {} elements",
                spatial.iter().map(usize::to_string).collect::<Vec<_>>().join("x")
            ))
            .with_hint("7 is usual for pictures of 224 x 224"));
        }
        if count == 0 {
            return Err(Error::argument("random masks: 0 masks were asked for, expected at least 1"));
        }
        Ok(RandomMasks {
            spatial: spatial.to_vec(),
            count,
            keep_probability,
            source: Source::Drawn { cells, seed },
        })
    }

    /// Masks from the bytes of a `.npy` file of shape `[N, spatial...]` or `[N, 1, spatial...]` (as RISE saves them), each value the part that is kept; `path` is for messages.
    /// Without `keep_probability` it is taken as the mean of all values.
    ///
    /// # Errors
    /// File: no `.npy` file of numbers. Argument: another shape, no mask, a value outside 0 to 1; a probability that is not between 0 and 1.
    pub fn read(bytes: &[u8], path: &Path, spatial: &[usize], keep_probability: Option<f64>) -> Result<Self> {
        check_axes(spatial)?;
        let array = npy::parse(bytes, path)?;
        Self::of(&path.display(), &array.shape, array.values.into(), spatial, keep_probability)
    }

    /// Masks from an array in memory, by the same rules as from a file.
    ///
    /// # Errors
    /// Argument: a shape that is neither `[N, spatial...]` nor `[N, 1, spatial...]`, no mask, a value outside 0 to 1; a probability that is not between 0 and 1.
    pub fn given(array: &GivenArray<f32>, spatial: &[usize], keep_probability: Option<f64>) -> Result<Self> {
        check_axes(spatial)?;
        let (shown, values) = (GivenArray::<f32>::SHOWN, Arc::clone(array.values()));
        Self::of(&shown, array.shape(), values, spatial, keep_probability)
    }

    fn of(
        shown: &dyn Display,
        shape: &[usize],
        values: Arc<[f32]>,
        spatial: &[usize],
        keep_probability: Option<f64>,
    ) -> Result<Self> {
        let fits = match shape {
            [_, rest @ ..] if rest == spatial => true,
            [_, 1, rest @ ..] => rest == spatial,
            _ => false,
        };
        if !fits {
            return Err(Error::argument(format!(
                "{shown} holds masks of shape {}, expected [N, {}]",
                shape_text(shape),
                spatial.iter().map(usize::to_string).collect::<Vec<_>>().join(", ")
            ))
            .with_hint("masks cover the input tensor's spatial axes, after resizing and cropping"));
        }
        let count = shape[0];
        if count == 0 {
            return Err(Error::argument(format!("{shown} holds no masks: its first axis has length 0")));
        }
        let places: usize = spatial.iter().product();
        if let Some(at) = values.iter().position(|v| !(0.0..=1.0).contains(v)) {
            return Err(Error::argument(format!(
                "mask {} of {shown} has the value {} at place {}, expected 0 (hidden) to 1 (kept)",
                at / places,
                values[at],
                at % places
            )));
        }
        let mean = values.iter().copied().map(f64::from).sum::<f64>() / values.len() as f64;
        let keep_probability = keep_probability.unwrap_or(mean);
        check_probability(keep_probability).map_err(|e| e.in_context(shown))?;
        Ok(RandomMasks { spatial: spatial.to_vec(), count, keep_probability, source: Source::Read(values) })
    }

    /// Whether they are such as [`RandomMasks::new`] and [`RandomMasks::read`] make, for masks from bytes.
    ///
    /// # Errors
    /// In words, what is wrong.
    pub(super) fn check_sound(&self) -> std::result::Result<(), String> {
        check_axes(&self.spatial).map_err(|e| e.to_string())?;
        check_probability(self.keep_probability).map_err(|e| e.to_string())?;
        let places: usize = self.spatial.iter().product();
        let longest = self.spatial.iter().copied().max().unwrap_or(0);
        let (what, is_sound) = match &self.source {
            Source::Drawn { cells, .. } => (format!("{cells} cells"), (1..=longest).contains(cells)),
            Source::Read(values) => (
                format!("{} values", values.len()),
                self.count.checked_mul(places) == Some(values.len())
                    && values.iter().all(|v| (0.0..=1.0).contains(v)),
            ),
        };
        if self.count == 0 || !is_sound {
            return Err(format!(
                "its {} masks have {what} for places {}",
                self.count,
                shape_text(&self.spatial)
            ));
        }
        Ok(())
    }

    /// How many masks there are.
    pub fn len(&self) -> usize {
        self.count
    }
    /// Never: there is at least one mask.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }
    /// Lengths of the spatial axes.
    pub fn spatial(&self) -> &[usize] {
        &self.spatial
    }
    /// The probability that an element is kept, above 0 and at most 1.
    pub fn keep_probability(&self) -> f64 {
        self.keep_probability
    }
    /// Writes mask `mask`: row-major over the spatial axes, how much of the input is kept, 0 to 1.
    ///
    /// # Panics
    /// If there is no such mask, or `out` does not have one element per place.
    pub fn kept(&self, mask: usize, out: &mut [f32]) {
        assert!(mask < self.count, "mask {mask} of {}", self.count);
        assert_eq!(out.len(), self.spatial.iter().product::<usize>(), "one element per place");
        match &self.source {
            Source::Read(values) => out.copy_from_slice(&values[mask * out.len()..(mask + 1) * out.len()]),
            &Source::Drawn { cells, seed } => {
                let numbers = cells.pow(self.spatial.len() as u32);
                let draw = |number: usize| uniform(seed, mask as u64, number as u64);
                let grid: Vec<f32> = (0..numbers)
                    .map(|cell| f32::from(u8::from(draw(cell) < self.keep_probability)))
                    .collect();
                let shift = |(axis, size): (usize, &usize)| {
                    let cell = size.div_ceil(cells);
                    // The product is below `cell`, and rounds to it at most: then the last shift.
                    ((draw(numbers + axis) * cell as f64) as usize).min(cell - 1)
                };
                let shifts: Vec<usize> = self.spatial.iter().enumerate().map(shift).collect();
                enlarge(&grid, cells, &self.spatial, &shifts, out);
            }
        }
    }
}

fn check_axes(spatial: &[usize]) -> Result<()> {
    if (1..=3).contains(&spatial.len()) && !spatial.contains(&0) {
        return Ok(());
    }
    Err(Error::unsupported(format!(
        "random masks are for one to three spatial axes, the input's are {}",
        shape_text(spatial)
    )))
}

fn check_probability(keep_probability: f64) -> Result<()> {
    if keep_probability > 0.0 && keep_probability <= 1.0 {
        return Ok(());
    }
    Err(Error::argument(format!(
        "random masks keep an element with probability {keep_probability}, expected above 0 and at most 1"
    ))
    .with_hint("0.5 is usual"))
}

/// A grid of `cells` per axis made larger linearly and cut out at `shifts`: `skimage.transform.resize(grid, (cells + 1) * cell, order=1, mode="reflect",
/// anti_aliasing=False)` with half-pixel centres, mirrored about the centres of the outermost cells.
fn enlarge(grid: &[f32], cells: usize, spatial: &[usize], shifts: &[usize], out: &mut [f32]) {
    // Per axis and place: the two cells between whose centres it lies, and how far towards the second.
    let taps: Vec<Vec<(usize, usize, f64)>> = spatial
        .iter()
        .zip(shifts)
        .map(|(&size, &shift)| {
            let enlarged = ((cells + 1) * size.div_ceil(cells)) as f64;
            let last = (cells - 1) as f64;
            let tap = |place: usize| {
                let at = ((place + shift) as f64 + 0.5) * cells as f64 / enlarged - 0.5;
                let mirrored = if at < 0.0 { -at } else { at };
                let at = (if mirrored > last { 2.0 * last - mirrored } else { mirrored }).clamp(0.0, last);
                let first = at.floor();
                (first as usize, (first as usize + 1).min(cells - 1), at - first)
            };
            (0..size).map(tap).collect()
        })
        .collect();
    // One axis after the other, the last first: what is done stays in the trailing axes.
    let mut values: Vec<f64> = grid.iter().copied().map(f64::from).collect();
    let mut inner = 1;
    for axis in (0..spatial.len()).rev() {
        let outer = values.len() / (cells * inner);
        let mut next = Vec::with_capacity(outer * spatial[axis] * inner);
        for block in 0..outer {
            for &(first, second, part) in &taps[axis] {
                let line = |cell: usize| &values[(block * cells + cell) * inner..][..inner];
                next.extend(line(first).iter().zip(line(second)).map(|(a, b)| a + (b - a) * part));
            }
        }
        values = next;
        inner *= spatial[axis];
    }
    for (slot, value) in out.iter_mut().zip(values) {
        *slot = value as f32;
    }
}

/// The estimator of RISE: how much the score depends on a place being kept.
///
/// Sums are kept in f64, in the order of the calls.
#[derive(Clone, Debug, PartialEq)]
pub struct RiseEstimate {
    places: usize,
    count: usize,
    /// `[target, place]`: sum of score times mask.
    weighted: Vec<f64>,
    /// `[place]`: sum of masks.
    kept: Vec<f64>,
}

impl RiseEstimate {
    /// Nothing seen yet, for maps of this many places and targets.
    pub fn new(places: usize, targets: usize) -> Self {
        RiseEstimate { places, count: 0, weighted: vec![0.0; places * targets], kept: vec![0.0; places] }
    }
    /// Takes a mask with the scores of the input under it, one per target.
    ///
    /// # Panics
    /// If the mask does not have one weight per place, or there is not one score per target.
    pub fn add(&mut self, kept: &[f32], scores: &[f32]) {
        assert_eq!(kept.len(), self.places, "one weight per place");
        assert_eq!(scores.len() * self.places, self.weighted.len(), "one score per target");
        for (line, &score) in self.weighted.chunks_exact_mut(self.places.max(1)).zip(scores) {
            for (sum, &weight) in line.iter_mut().zip(kept) {
                *sum += f64::from(score) * f64::from(weight);
            }
        }
        for (sum, &weight) in self.kept.iter_mut().zip(kept) {
            *sum += f64::from(weight);
        }
        self.count += 1;
    }
    /// How many masks were taken.
    pub fn count(&self) -> usize {
        self.count
    }
    /// `sum_i score_i mask_i / (N p)`, `[target, place]`: the paper's equation 6. In the score's unit; NaN before the first mask.
    pub fn published(&self, keep_probability: f64) -> Vec<f64> {
        self.weighted.iter().map(|sum| sum / (self.count as f64 * keep_probability)).collect()
    }
    /// `sum_i score_i mask_i / sum_i mask_i`, `[target, place]`: the mean score of the masks that keep a place, without the noise from how often that is. NaN
    /// where no mask keeps anything.
    pub fn normalised(&self) -> Vec<f64> {
        self.weighted.iter().enumerate().map(|(at, sum)| sum / self.kept[at % self.places]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::occlusion::reference_data::References;
    use proptest::prelude::*;

    #[test]
    fn enlarging_equals_scikit_image() {
        let data = References::open("random_masks.npz");
        let names = data.stems("_grid");
        assert_eq!(names.len(), 18);
        for name in names {
            let size = data.sizes(&format!("{name}_size"));
            let cells = data.sizes(&format!("{name}_cells"))[0];
            let shift = data.sizes(&format!("{name}_shift"));
            let mut out = vec![f32::NAN; size.iter().product()];
            enlarge(&data.floats(&format!("{name}_grid")), cells, &size, &shift, &mut out);
            let expected = data.floats(&format!("{name}_mask"));
            let off = out.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(off <= 1e-6, "{name} {size:?} {cells}: {off}");
        }
    }

    #[test]
    fn the_estimator_equals_the_published_formula() {
        let data = References::open("random_masks.npz");
        let (masks, scores) = (data.floats("est_masks"), data.floats("est_scores"));
        let (count, places) = (60, 11 * 14);
        let bytes = npy::encode(&[count, 1, 11, 14], &masks).unwrap();
        let p = data.values("est_p")[0];
        let read = RandomMasks::read(&bytes, Path::new("m.npy"), &[11, 14], Some(p)).unwrap();
        let mut estimate = RiseEstimate::new(places, 3);
        let mut kept = vec![0.0; places];
        for mask in 0..read.len() {
            read.kept(mask, &mut kept);
            estimate.add(&kept, &scores[mask * 3..mask * 3 + 3]);
        }
        assert_eq!(estimate.count(), count);
        for (got, name) in [(estimate.published(p), "est_map"), (estimate.normalised(), "est_mean")] {
            let off = got.iter().zip(data.values(name)).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
            assert!(off < 1e-12, "{name}: {off}");
        }
        let unsaid = RandomMasks::read(&bytes, Path::new("m.npy"), &[11, 14], None).unwrap();
        let mean = masks.iter().copied().map(f64::from).sum::<f64>() / masks.len() as f64;
        assert!((unsaid.keep_probability() - mean).abs() < 1e-9);
    }

    #[test]
    fn mistakes_are_named() {
        let text = |result: Result<RandomMasks>| result.unwrap_err().to_string();
        assert!(
            text(RandomMasks::new(&[4, 9], 10, 0.5, 1, 0))
                .contains("10 cells along each axis, expected 1 to 9")
        );
        assert!(text(RandomMasks::new(&[4], 0, 0.5, 1, 0)).contains("0 cells"));
        assert!(text(RandomMasks::new(&[4], 2, 0.0, 1, 0)).contains("probability 0"));
        assert!(text(RandomMasks::new(&[4], 2, f64::NAN, 1, 0)).contains("probability NaN"));
        assert!(text(RandomMasks::new(&[4], 2, 0.5, 0, 0)).contains("0 masks"));
        assert!(text(RandomMasks::new(&[], 2, 0.5, 1, 0)).contains("one to three spatial axes"));
        let read = |shape: &[usize], values: &[f32]| {
            text(RandomMasks::read(
                &npy::encode(shape, values).unwrap(),
                Path::new("m.npy"),
                &[1, 2],
                Some(0.5),
            ))
        };
        assert_eq!(read(&[2, 2], &[0.0; 4]), "m.npy holds masks of shape [2, 2], expected [N, 1, 2]");
        assert!(read(&[0, 1, 2], &[]).contains("holds no masks"));
        assert_eq!(
            read(&[2, 1, 2], &[0.0, 1.0, 0.5, 1.5]),
            "mask 1 of m.npy has the value 1.5 at place 1, expected 0 (hidden) to 1 (kept)"
        );
        assert!(read(&[1, 1, 2], &[0.0, f32::NAN]).contains("the value NaN"));
    }

    #[test]
    fn draws_have_the_distribution_that_was_asked_for() {
        let masks = RandomMasks::new(&[12, 12], 4, 0.3, 4000, 7).unwrap();
        let mut kept = vec![0.0; 144];
        let (mut sum, mut means) = (0.0, vec![0.0; 144]);
        for mask in 0..masks.len() {
            masks.kept(mask, &mut kept);
            for (mean, &weight) in means.iter_mut().zip(&kept) {
                *mean += f64::from(weight) / masks.len() as f64;
                sum += f64::from(weight);
            }
        }
        // 16 cells a mask, 4000 masks: a deviation of 0.002 in the whole, of 0.007 per place.
        assert!((sum / (4000.0 * 144.0) - 0.3).abs() < 0.01);
        assert!(means.iter().all(|m| (m - 0.3).abs() < 0.04), "{means:?}");
        let draws: Vec<f64> = (0..20_000).map(|i| uniform(3, 5, i)).collect();
        assert!(draws.iter().all(|v| (0.0..1.0).contains(v)));
        let mean = draws.iter().sum::<f64>() / 20_000.0;
        assert!((mean - 0.5).abs() < 0.01, "{mean}");
    }

    #[test]
    fn a_constant_score_gives_a_flat_normalised_map() {
        let masks = RandomMasks::new(&[9], 3, 0.5, 50, 1).unwrap();
        let mut estimate = RiseEstimate::new(9, 1);
        let mut kept = vec![0.0; 9];
        for mask in 0..masks.len() {
            masks.kept(mask, &mut kept);
            estimate.add(&kept, &[2.5]);
        }
        assert!(estimate.normalised().iter().all(|v| (v - 2.5).abs() < 1e-12));
    }

    proptest! {
        #[test]
        fn a_mask_depends_on_seed_and_number_alone(
            spatial in proptest::collection::vec(2usize..12, 1..4), cells in 1usize..8, seed in any::<u64>(), p in 0.05f64..1.0,
        ) {
            let cells = cells.min(*spatial.iter().max().unwrap());
            let few = RandomMasks::new(&spatial, cells, p, 3, seed).unwrap();
            let many = RandomMasks::new(&spatial, cells, p, 100, seed).unwrap();
            let places: usize = spatial.iter().product();
            let (mut a, mut b) = (vec![f32::NAN; places], vec![f32::NAN; places]);
            few.kept(1, &mut b);
            few.kept(2, &mut a);
            many.kept(99, &mut b);
            many.kept(2, &mut b);
            prop_assert_eq!(&a, &b);
            prop_assert!(a.iter().all(|w| (0.0..=1.0).contains(w)));
            if p == 1.0 { prop_assert!(a.iter().all(|w| *w == 1.0)); }
            // By definition, place by place: the product of triangles over the cells.
            let ones = vec![1.0f32; cells.pow(spatial.len() as u32)];
            let shifts = vec![0; spatial.len()];
            enlarge(&ones, cells, &spatial, &shifts, &mut a);
            prop_assert!(a.iter().all(|w| *w == 1.0));
        }
    }
}
