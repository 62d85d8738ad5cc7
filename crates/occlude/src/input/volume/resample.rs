//! A volume on another grid along the same axes: values at steps from the first voxel's centre (Spacing), or stretched from edge to edge (Resize).
//!
//! In: row-major `[channel, i, j, k]` f32, old and new size. Out: the same at the new size, computed in f64. Axes are taken one after the other, which for these interpolations is the same as together.
//! Formulas: torch's `grid_sample` with padding `border`, and `interpolate` with `align_corners=False`.

use super::Interpolation;

/// What a new voxel takes of the old ones along an axis: first index and weights.
struct Taps {
    start: usize,
    weights: Vec<f64>,
}

/// Voxel `i` of the new grid lies at `first + step * i`, counted from the first old voxel's centre in old voxels.
pub(super) fn at_steps(
    values: &[f32],
    old: [usize; 3],
    new: [usize; 3],
    (first, step): ([f64; 3], [f64; 3]),
    how: Interpolation,
) -> Vec<f32> {
    let taps = |axis: usize| -> Vec<Taps> {
        (0..new[axis]).map(|i| at(first[axis] + i as f64 * step[axis], old[axis], how)).collect()
    };
    along_axes(values, old, [taps(0), taps(1), taps(2)])
}

/// Edges on edges.
pub(super) fn stretch(values: &[f32], old: [usize; 3], new: [usize; 3], how: Interpolation) -> Vec<f32> {
    let taps = |axis: usize| -> Vec<Taps> {
        let (old, new) = (old[axis], new[axis]);
        let scale = old as f64 / new as f64;
        (0..new)
            .map(|i| match how {
                Interpolation::Nearest => {
                    Taps { start: ((i as f64 * scale) as usize).min(old - 1), weights: vec![1.0] }
                }
                Interpolation::Linear => at(((i as f64 + 0.5) * scale - 0.5).max(0.0), old, how),
                Interpolation::Area => {
                    let (start, end) = (i * old / new, ((i + 1) * old).div_ceil(new));
                    Taps { start, weights: vec![1.0 / (end - start) as f64; end - start] }
                }
            })
            .collect()
    };
    along_axes(values, old, [taps(0), taps(1), taps(2)])
}

/// The taps of a place between centres, kept inside.
fn at(place: f64, length: usize, how: Interpolation) -> Taps {
    let place = place.clamp(0.0, length as f64 - 1.0);
    if how == Interpolation::Nearest {
        return Taps { start: place.round_ties_even() as usize, weights: vec![1.0] };
    }
    let start = place.floor();
    let share = place - start;
    let weights = if share == 0.0 { vec![1.0] } else { vec![1.0 - share, share] };
    Taps { start: start as usize, weights }
}

fn along_axes(values: &[f32], old: [usize; 3], taps: [Vec<Taps>; 3]) -> Vec<f32> {
    let mut now = old;
    let mut out: Vec<f64> = values.iter().copied().map(f64::from).collect();
    for (axis, taps) in taps.iter().enumerate() {
        let inner: usize = now[axis + 1..].iter().product();
        let line = now[axis] * inner;
        let mut made = Vec::with_capacity(out.len() / line.max(1) * taps.len() * inner);
        for block in out.chunks(line.max(1)) {
            for tap in taps {
                for at in 0..inner {
                    let old = |k: usize| block[(tap.start + k) * inner + at];
                    made.push(tap.weights.iter().enumerate().map(|(k, weight)| weight * old(k)).sum());
                }
            }
        }
        now[axis] = taps.len();
        out = made;
    }
    out.into_iter().map(|v| v as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_begin_at_the_first_voxel_and_end_with_the_last() {
        let line = [0.0, 10.0, 20.0, 30.0];
        let out = at_steps(&line, [1, 1, 4], [1, 1, 3], ([0.0; 3], [1.0, 1.0, 1.75]), Interpolation::Linear);
        assert_eq!(out, [0.0, 17.5, 30.0]);
        let out = at_steps(&line, [4, 1, 1], [3, 1, 1], ([0.0; 3], [1.75, 1.0, 1.0]), Interpolation::Nearest);
        assert_eq!(out, [0.0, 20.0, 30.0]);
    }

    #[test]
    fn stretching_keeps_edges() {
        let line = [0.0, 10.0, 20.0, 40.0];
        let to = |n: usize, how| stretch(&line, [1, 4, 1], [1, n, 1], how);
        assert_eq!(to(2, Interpolation::Area), [5.0, 30.0]);
        assert_eq!(to(3, Interpolation::Area), [5.0, 15.0, 30.0]);
        assert_eq!(to(2, Interpolation::Linear), [5.0, 30.0]);
        assert_eq!(to(8, Interpolation::Linear)[..3], [0.0, 2.5, 7.5]);
        assert_eq!(to(2, Interpolation::Nearest), [0.0, 20.0]);
    }
}
