//! A map on the input's places, and random maps of the same texture: what a measure says of no knowledge at all.
//!
//! In: [`Evidence`]. Out: numbers per place of the input, and as many random maps as are asked for. A random map has the map's own numbers: those of its cells in random order, spread over the input as the map's are. Where a map has no cells of its own (regions, several window
//! sizes, arrays as fine as the input) it is moved as a whole instead, what leaves at one end comes in at the other, since single places in random order would be noise of another kind. Nothing is run here.

use std::ops::Range;

use super::cells::Draws;
use crate::compare::{Evidence, OfWindows};
use crate::error::{Error, Result};
use crate::map::{Aggregate, Spread};

/// A map to be evaluated.
pub(super) struct Candidate {
    /// `[places...]`, NaN = not known.
    pub(super) values: Vec<f32>,
    /// What was done to bring it there, in words.
    pub(super) notes: Vec<String>,
    shape: Vec<usize>,
    texture: Texture,
}

/// What is put in random order.
enum Texture {
    /// Numbers of windows on a grid of places.
    Windows { values: Vec<f32>, bounds: Vec<Vec<Range<usize>>> },
    /// Numbers of an array that is coarser than the input.
    Coarse { values: Vec<f32>, shape: Vec<usize> },
    /// The places themselves, which are moved.
    Whole,
}

/// Numbers that differ by less than this part of the largest are the same.
const SAME: f32 = 1e-4;

impl Candidate {
    /// Brings a map onto the places of an input.
    ///
    /// # Errors
    /// Argument: a map of another input, one that knows no place, an array with other axes or finer than the input. Number: infinite values.
    pub(super) fn new(evidence: &Evidence, places: &[usize]) -> Result<Candidate> {
        let mut found = evidence.on_places(places)?;
        let known = || found.values.iter().copied().filter(|value| !value.is_nan());
        let Some(first) = known().next() else {
            return Err(Error::argument(format!(
                "{} knows no place: every number of it is NaN",
                evidence.name
            ))
            .with_hint(
                "NaN is what was not computed; a map that was stopped at once has nothing to evaluate",
            ));
        };
        if known().all(|value| value == first) {
            // Its sums over sets of cells would only count places.
            found.values.iter_mut().filter(|value| !value.is_nan()).for_each(|value| *value = 0.0);
            found.notes.push(format!(
                "{} is the same everywhere: it ranks nothing, places go row by row and correlations are not known",
                evidence.name
            ));
        }
        let shape = places.to_vec();
        let texture = match found.windows {
            Some(OfWindows { values, bounds }) if is_spread(&values, &bounds, &found.values, places) => {
                Texture::Windows { values, bounds }
            }
            _ => match found.coarse {
                Some((values, shape)) => Texture::Coarse { values, shape },
                None => Texture::Whole,
            },
        };
        Ok(Candidate { values: found.values, notes: found.notes, shape, texture })
    }

    /// What random maps of it are, in words.
    pub(super) fn random_kind(&self) -> &'static str {
        match self.texture {
            Texture::Windows { .. } => "its windows' numbers in random order",
            Texture::Coarse { .. } => "its numbers in random order",
            Texture::Whole => "the map moved as a whole, opposite edges joined",
        }
    }

    /// Random map `number` (from 0).
    pub(super) fn random(&self, seed: u64, number: usize) -> Vec<f32> {
        let mut draws = Draws::new(seed, RANDOM_MAPS + number as u64);
        match &self.texture {
            Texture::Windows { values, bounds } => spread(&shuffled(values, &mut draws), bounds, &self.shape),
            Texture::Coarse { values, shape } => {
                crate::compare::enlarge(&shuffled(values, &mut draws), shape, &self.shape)
            }
            Texture::Whole => {
                let shift: Vec<usize> = self.shape.iter().map(|&n| draws.below(n)).collect();
                moved(&self.values, &self.shape, &shift)
            }
        }
    }
}

/// The first stream of random maps; those before belong to sets of cells.
const RANDOM_MAPS: u64 = 1 << 10;

/// The known numbers in random order, each unknown one where it was.
fn shuffled(values: &[f32], draws: &mut Draws) -> Vec<f32> {
    let mut known: Vec<f32> = values.iter().copied().filter(|v| !v.is_nan()).collect();
    draws.shuffle(&mut known);
    let mut known = known.into_iter();
    values.iter().map(|v| if v.is_nan() { f32::NAN } else { known.next().unwrap_or(f32::NAN) }).collect()
}

/// Per place the mean over the windows that cover it, as a map's attribution.
fn spread(values: &[f32], bounds: &[Vec<Range<usize>>], places: &[usize]) -> Vec<f32> {
    let whole: Vec<Range<usize>> = places.iter().map(|&n| 0..n).collect();
    let mut spread = Spread::new(&whole);
    for (window, &value) in values.iter().enumerate().filter(|(_, value)| !value.is_nan()) {
        let (mut rest, mut of_window) = (window, vec![0..0; bounds.len()]);
        for (range, axis) in of_window.iter_mut().zip(bounds).rev() {
            *range = axis[rest % axis.len()].clone();
            rest /= axis.len();
        }
        spread.add(&of_window, f64::from(value));
    }
    spread.finish(Aggregate::Mean, 1.0)
}

/// Whether the map's evidence is that of its windows as whole boxes: not so for ellipses and soft edges.
fn is_spread(values: &[f32], bounds: &[Vec<Range<usize>>], evidence: &[f32], places: &[usize]) -> bool {
    let most = evidence.iter().filter(|v| !v.is_nan()).fold(0.0f32, |most, v| most.max(v.abs()));
    let same = |(a, b): (&f32, &f32)| a.is_nan() && b.is_nan() || (a - b).abs() <= SAME * most;
    spread(values, bounds, places).iter().zip(evidence).all(same)
}

/// Moved along every axis, opposite edges joined.
fn moved(values: &[f32], shape: &[usize], shift: &[usize]) -> Vec<f32> {
    let mut out = vec![f32::NAN; values.len()];
    for (at, &value) in values.iter().enumerate() {
        let (mut rest, mut to, mut stride) = (at, 0, 1);
        for (&n, &step) in shape.iter().zip(shift).rev() {
            to += (rest % n + step) % n * stride;
            (rest, stride) = (rest / n, stride * n);
        }
        out[to] = value;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::map::tests_support::map;

    fn sorted(values: &[f32]) -> Vec<f32> {
        let mut all = values.to_vec();
        all.sort_by(f32::total_cmp);
        all
    }

    #[test]
    fn windows_change_places_and_are_spread_as_before() {
        let made = map([4, 6], [2, 2], [2, 2], vec![1.0, 2.0, 3.0, 4.0, f32::NAN, 6.0]);
        let candidate =
            Candidate::new(&Evidence::of_map(&made, 0, "a").expect("one"), &[4, 6]).expect("fits");
        assert_eq!(candidate.random_kind(), "its windows' numbers in random order");
        let random = candidate.random(0, 0);
        assert_ne!(sorted(&random[..6]), sorted(&candidate.values[..6]));
        // Blocks of 2 x 2 stay blocks, what is not known stays where it is.
        assert!(random.iter().enumerate().all(|(at, v)| {
            let corner = at / 12 * 12 + at % 6 / 2 * 2;
            v.to_bits() == random[corner].to_bits()
        }));
        assert!(random[14].is_nan() && random.iter().filter(|v| v.is_nan()).count() == 4);
        assert!((1..8).any(|number| candidate.random(0, number)[0] != random[0]));
    }

    #[test]
    fn arrays_change_in_their_own_resolution_and_fine_ones_are_moved() {
        let coarse = Evidence::of_array(&[2, 2], vec![1.0, 2.0, 3.0, 4.0], "cam").expect("an array");
        let candidate = Candidate::new(&coarse, &[4, 4]).expect("fits");
        assert_eq!(candidate.random_kind(), "its numbers in random order");
        let corners = |v: &[f32]| sorted(&[v[0], v[3], v[12], v[15]]);
        assert_eq!(corners(&candidate.random(3, 0)), [1.0, 2.0, 3.0, 4.0]);
        let fine = Evidence::of_array(&[3, 2], (0..6).map(|v| v as f32).collect(), "cam").expect("an array");
        let candidate = Candidate::new(&fine, &[3, 2]).expect("fits");
        let random = candidate.random(3, 1);
        assert_eq!(sorted(&random), candidate.values);
        assert_eq!(moved(&candidate.values, &[3, 2], &[1, 1]), [5.0, 4.0, 1.0, 0.0, 3.0, 2.0]);
    }
}
