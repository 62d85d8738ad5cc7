//! Where in the frame the evidence of an image lies: the map's positive evidence gathered in few cells, so that images can be averaged and a place that draws evidence in all of them (a watermark) shows up.
//!
//! In: evidence per place of the input. Out: the share of each cell.

/// Cells along an axis at most, by the number of spatial axes: 64 on a line, 16 x 16 in a picture, 8 x 8 x 8 in a volume.
const MOST_CELLS: [usize; 3] = [64, 16, 8];

/// Cells along each spatial axis of an input of this shape.
pub(super) fn shape_of(spatial: &[usize]) -> Vec<usize> {
    let most = MOST_CELLS[spatial.len().clamp(1, MOST_CELLS.len()) - 1];
    spatial.iter().map(|&length| length.min(most)).collect()
}

/// The share of the positive evidence in each cell, row-major, sum 1; empty where nothing is positive. `evidence` is row-major over `spatial`, NaN where nothing is known.
pub(super) fn shares(evidence: &[f32], spatial: &[usize]) -> Vec<f64> {
    let cells = shape_of(spatial);
    let mut shares = vec![0.0; cells.iter().product()];
    for (place, &value) in evidence.iter().enumerate() {
        // NaN is not greater either.
        if value > 0.0 {
            shares[cell_of(place, spatial, &cells)] += f64::from(value);
        }
    }
    let total: f64 = shares.iter().sum();
    if total > 0.0 {
        shares.iter_mut().for_each(|share| *share /= total);
        shares
    } else {
        Vec::new()
    }
}

/// The cell that a place lies in.
fn cell_of(place: usize, spatial: &[usize], cells: &[usize]) -> usize {
    let (mut rest, mut cell, mut step) = (place, 0, 1);
    for (&length, &count) in spatial.iter().zip(cells).rev() {
        cell += step * (rest % length * count / length);
        step *= count;
        rest /= length;
    }
    cell
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn evidence_is_gathered_in_cells() {
        // 4 x 40 places in 4 x 16 cells: place (1, 39) lies in the last cell of the second row.
        let mut evidence = vec![0.0; 160];
        evidence[40 + 39] = 3.0;
        evidence[0] = 1.0;
        evidence[1] = -8.0;
        evidence[2] = f32::NAN;
        assert_eq!(shape_of(&[4, 40]), [4, 16]);
        let found = shares(&evidence, &[4, 40]);
        assert_eq!((found.len(), found[31], found[0], found.iter().sum::<f64>()), (64, 0.75, 0.25, 1.0));
        assert_eq!(shares(&[-1.0, 0.0], &[2]), Vec::<f64>::new());
    }
}
