//! The input cut into cells of a coarse grid, and random sets of them.
//!
//! In: the lengths of the input's spatial axes, how many cells along each, a seed. Out: which cell a place belongs to, sums over cells, sets of cells without order or repetition. Which sets are hidden is in `questions`.

use std::collections::BTreeSet;

use crate::occlusion::uniform_below;

/// A grid of cells, each a box of places.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct CellGrid {
    /// Cells along each axis.
    pub(super) shape: Vec<usize>,
    of_place: Vec<usize>,
}

impl CellGrid {
    /// At most `cells` along each axis, no more than there are places. Place `i` of `n` lies in cell `floor((i + 1/2) cells / n)`: a coarse mask enlarged to its nearest, as TensorFlow and torch do it.
    pub(super) fn new(lengths: &[usize], cells: usize) -> CellGrid {
        let shape: Vec<usize> = lengths.iter().map(|&n| cells.clamp(1, n.max(1))).collect();
        let places: usize = lengths.iter().product();
        let of = |place: usize| {
            let (mut rest, mut cell, mut stride) = (place, 0, 1);
            for (&n, &cells) in lengths.iter().zip(&shape).rev() {
                cell += (2 * (rest % n) + 1) * cells / (2 * n) * stride;
                (rest, stride) = (rest / n, stride * cells);
            }
            cell
        };
        CellGrid { of_place: (0..places).map(of).collect(), shape }
    }

    /// Number of cells.
    pub(super) fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// The sum over each cell; places that are not known (NaN) count as 0.
    pub(super) fn sums(&self, values: &[f32]) -> Vec<f64> {
        let mut sums = vec![0.0; self.len()];
        for (&cell, &value) in self.of_place.iter().zip(values).filter(|(_, value)| !value.is_nan()) {
            sums[cell] += f64::from(value);
        }
        sums
    }

    /// Writes 1 to the places of these cells, 0 elsewhere.
    pub(super) fn mark(&self, cells: &[usize], shares: &mut [f32]) {
        let mut is_in = vec![0.0; self.len()];
        cells.iter().for_each(|&cell| is_in[cell] = 1.0);
        shares.iter_mut().zip(&self.of_place).for_each(|(share, &cell)| *share = is_in[cell]);
    }
}

/// Numbers of one stream of a seed, one after the other.
pub(super) struct Draws {
    seed: u64,
    next: u64,
}

impl Draws {
    /// Streams do not meet: each has 2^40 numbers.
    pub(super) fn new(seed: u64, stream: u64) -> Draws {
        Draws { seed, next: stream << 40 }
    }

    /// An equally likely number below `bound`.
    pub(super) fn below(&mut self, bound: usize) -> usize {
        self.next += 1;
        uniform_below(self.seed, self.next, bound)
    }

    /// Puts a list in random order (Fisher and Yates).
    pub(super) fn shuffle<T>(&mut self, list: &mut [T]) {
        for last in (1..list.len()).rev() {
            list.swap(last, self.below(last + 1));
        }
    }
}

/// `count` different sets of `size` of `of` cells, each in ascending order; fewer where there are not so many. All sets are equally likely.
pub(super) fn subsets(of: usize, size: usize, count: usize, draws: &mut Draws) -> Vec<Vec<usize>> {
    let (size, mut found, mut seen) = (size.min(of), Vec::with_capacity(count), BTreeSet::new());
    // Sets that were drawn before are drawn again; where there are few, not for ever.
    for _ in 0..count.saturating_mul(50) {
        if found.len() == count {
            break;
        }
        let mut cells: Vec<usize> = (0..of).collect();
        for place in 0..size {
            let other = place + draws.below(of - place);
            cells.swap(place, other);
        }
        cells.truncate(size);
        cells.sort_unstable();
        if seen.insert(cells.clone()) {
            found.push(cells);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_tile_the_places() {
        let grid = CellGrid::new(&[5, 4], 2);
        assert_eq!((grid.shape.clone(), grid.len()), (vec![2, 2], 4));
        // Rows 0 to 2 have their middle before 2.5 or at it: 2.5 * 2 / 5 = 1, so row 2 is of the second cell.
        assert_eq!(&grid.of_place[..8], [0, 0, 1, 1, 0, 0, 1, 1]);
        assert_eq!(&grid.of_place[8..12], [2, 2, 3, 3]);
        let values: Vec<f32> = (0..20).map(|v| if v == 1 { f32::NAN } else { v as f32 }).collect();
        assert_eq!(grid.sums(&values), [9.0, 18.0, 75.0, 87.0]);
        let mut shares = [0.5; 20];
        grid.mark(&[1, 2], &mut shares);
        assert_eq!(shares[..12], [0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0, 0.0, 0.0]);
        assert_eq!(CellGrid::new(&[3, 30], 9).shape, [3, 9]);
    }

    #[test]
    fn sets_are_different_and_equally_likely() {
        let all = subsets(6, 3, 1000, &mut Draws::new(5, 1));
        assert_eq!(all.len(), 20, "6 over 3");
        assert!(all.iter().all(|set| set.len() == 3 && set.windows(2).all(|pair| pair[0] < pair[1])));
        assert_eq!(subsets(6, 1, 4, &mut Draws::new(5, 1)).len(), 4);
        assert_eq!(subsets(6, 2, 9, &mut Draws::new(5, 1)), subsets(6, 2, 9, &mut Draws::new(5, 1)));
        assert_ne!(subsets(6, 2, 9, &mut Draws::new(5, 1)), subsets(6, 2, 9, &mut Draws::new(5, 2)));
        // Every cell is in 200 of 1000 sets of 16 of 80, give or take four deviations of 12.6.
        let many = subsets(80, 16, 1000, &mut Draws::new(3, 7));
        let mut counts = vec![0i32; 80];
        many.iter().flatten().for_each(|&cell| counts[cell] += 1);
        assert!(counts.iter().all(|count| (count - 200).abs() < 56), "{counts:?}");
    }

    #[test]
    fn a_shuffled_list_holds_the_same() {
        let mut list: Vec<usize> = (0..50).collect();
        Draws::new(1, 1).shuffle(&mut list);
        assert_ne!(list, (0..50).collect::<Vec<_>>());
        list.sort_unstable();
        assert_eq!(list, (0..50).collect::<Vec<_>>());
    }
}
