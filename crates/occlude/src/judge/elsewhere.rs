//! Regions of the object's form and size elsewhere: what hiding that much does, wherever it is.
//!
//! In: the places of the object. Out: the same set moved along every axis, opposite edges joined (a torus), so that form and size stay. Drawn from a seed; of those drawn, the ones that share the fewest places with the object. What a model says to them is not
//! here.

use crate::occlusion::uniform_below;

/// So many are drawn for each one that is kept.
const DRAWN: u64 = 8;

/// A region elsewhere.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Elsewhere {
    /// Per place, row-major.
    pub(super) inside: Vec<bool>,
    /// The part of it that lies in the object.
    pub(super) overlap: f64,
}

/// At most `count` different ones; fewer where the object has not so many other places.
pub(super) fn elsewhere(inside: &[bool], shape: &[usize], count: usize, seed: u64) -> Vec<Elsewhere> {
    let size = inside.iter().filter(|inside| **inside).count().max(1);
    let rank = shape.len() as u64;
    let mut found: Vec<Elsewhere> = Vec::new();
    for number in 0..DRAWN * count as u64 {
        let shift: Vec<usize> = (0..)
            .zip(shape)
            .map(|(axis, &length)| uniform_below(seed, number * rank + axis, length))
            .collect();
        let moved = moved(inside, shape, &shift);
        let common = moved.iter().zip(inside).filter(|(a, b)| **a && **b).count();
        if common < size && found.iter().all(|other| other.inside != moved) {
            found.push(Elsewhere { inside: moved, overlap: common as f64 / size as f64 });
        }
    }
    // Stable: of equals those that were drawn first.
    found.sort_by(|a, b| a.overlap.total_cmp(&b.overlap));
    found.truncate(count);
    found
}

fn moved(inside: &[bool], shape: &[usize], shift: &[usize]) -> Vec<bool> {
    let mut out = vec![false; inside.len()];
    for (at, _) in inside.iter().enumerate().filter(|(_, inside)| **inside) {
        let (mut rest, mut to, mut stride) = (at, 0, 1);
        for (&length, &step) in shape.iter().zip(shift).rev() {
            to += (rest % length + step) % length * stride;
            rest /= length;
            stride *= length;
        }
        out[to] = true;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_stays_and_edges_are_joined() {
        // ##.   moved by one row and two columns
        // #..
        let object = [true, true, false, true, false, false];
        assert_eq!(moved(&object, &[2, 3], &[1, 2]), [false, false, true, true, false, true]);
        assert_eq!(moved(&object, &[2, 3], &[0, 0]), object);
    }

    #[test]
    fn regions_lie_beside_the_object_where_there_is_room() {
        let (shape, seed) = ([12, 10], 3);
        let inside: Vec<bool> = (0..120).map(|at| (2..5).contains(&(at / 10)) && at % 10 < 4).collect();
        let found = elsewhere(&inside, &shape, 8, seed);
        assert_eq!(found.len(), 8);
        for (number, one) in found.iter().enumerate() {
            assert_eq!(one.inside.iter().filter(|inside| **inside).count(), 12);
            assert_eq!(one.overlap, 0.0);
            assert!(found[..number].iter().all(|other| other != one));
        }
        assert_eq!(found, elsewhere(&inside, &shape, 8, seed));
        assert_ne!(found, elsewhere(&inside, &shape, 8, seed + 1));
    }

    #[test]
    fn a_large_object_leaves_little_room_and_a_band_few_places() {
        // All rows but one: every other place shares all but one row.
        let inside: Vec<bool> = (0..20).map(|at| at / 4 > 0).collect();
        let found = elsewhere(&inside, &[5, 4], 8, 0);
        assert!((1..=4).contains(&found.len()), "{}", found.len());
        assert!(found.iter().all(|one| one.overlap == 0.75));
        assert_eq!(elsewhere(&inside, &[5, 4], 0, 0), []);
    }
}
