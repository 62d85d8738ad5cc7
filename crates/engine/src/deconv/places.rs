//! Operators that move, copy or sum elements, undone: each element's signal goes back to where the element came from.
//!
//! In: what arrived at an output, the shapes of output and input as stored, and where each output element was read. Out: what arrives at the input: the sum of
//! the signals of all that read it. No weights here but those of resampling.

use crate::graph::AxisTaps;

/// Row-major steps of a shape.
fn steps(shape: &[usize]) -> Vec<usize> {
    let mut steps = vec![1; shape.len()];
    for axis in (1..shape.len()).rev() {
        steps[axis - 1] = steps[axis] * shape[axis];
    }
    steps
}

/// For each element of `shape`, row-major, the sum over axes of what the tables say of its index; `None` where one of them says so.
fn offsets(shape: &[usize], tables: &[Vec<Option<usize>>]) -> Vec<Option<usize>> {
    let mut all = vec![Some(0)];
    for (table, &length) in tables.iter().zip(shape) {
        all = all
            .iter()
            .flat_map(|base| {
                table[..length]
                    .iter()
                    .map(move |offset| base.zip(*offset).map(|(base, offset)| base + offset))
            })
            .collect();
    }
    all
}

fn scatter(signal: &[f32], to: &[Option<usize>], length: usize) -> Vec<f32> {
    let mut below = vec![0.0; length];
    for (s, at) in signal.iter().zip(to) {
        if let Some(at) = at {
            below[*at] += s;
        }
    }
    below
}

/// Output axis `a` follows input axis `from(a)`, and reads index `at(a, i)` of it for output index `i` (nothing, where `None`).
pub(super) fn put_back(
    signal: &[f32],
    output: &[usize],
    input: &[usize],
    from: &dyn Fn(usize) -> usize,
    at: &dyn Fn(usize, usize) -> Option<usize>,
) -> Vec<f32> {
    let steps = steps(input);
    let table = |axis: usize| -> Vec<Option<usize>> {
        (0..output[axis]).map(|i| at(axis, i).map(|index| index * steps[from(axis)])).collect()
    };
    let tables: Vec<_> = (0..output.len()).map(table).collect();
    scatter(signal, &offsets(output, &tables), input.iter().product())
}

/// Tables of a broadcast: axes aligned at the last one, repeated ones stand still.
fn broadcast(output: &[usize], input: &[usize]) -> Vec<Option<usize>> {
    let (steps, lead) = (steps(input), output.len() - input.len());
    let table = |axis: usize| -> Vec<Option<usize>> {
        let step = axis.checked_sub(lead).filter(|&own| input[own] != 1).map_or(0, |own| steps[own]);
        (0..output[axis]).map(|i| Some(i * step)).collect()
    };
    let tables: Vec<_> = (0..output.len()).map(table).collect();
    offsets(output, &tables)
}

/// A broadcast undone: the sum over all copies of each element.
pub(super) fn summed(signal: &[f32], output: &[usize], input: &[usize]) -> Vec<f32> {
    if output == input {
        return signal.to_vec();
    }
    scatter(signal, &broadcast(output, input), input.iter().product())
}

/// Each element with the element of a constant (broadcast to `output`) that it met.
pub(super) fn times(
    mut signal: Vec<f32>,
    output: &[usize],
    shape: &[usize],
    f: impl Fn(f32, f32) -> f32,
    constant: &[f32],
) -> Vec<f32> {
    for (s, at) in signal.iter_mut().zip(broadcast(output, shape)) {
        *s = f(*s, constant[at.unwrap_or(0)]);
    }
    signal
}

/// For each element of `input`, the flat index of the element that a reduction over these axes puts it into.
pub(super) fn reduced_to(input: &[usize], axes: &[usize]) -> Vec<usize> {
    let kept: Vec<usize> =
        input.iter().enumerate().map(|(axis, &n)| if axes.contains(&axis) { 1 } else { n }).collect();
    broadcast(input, &kept).into_iter().map(|at| at.unwrap_or(0)).collect()
}

/// A sum over axes undone: every element that was summed gets the signal of the sum.
pub(super) fn spread(signal: &[f32], input: &[usize], axes: &[usize]) -> Vec<f32> {
    reduced_to(input, axes).into_iter().map(|at| signal[at]).collect()
}

/// The part of a join that one of its inputs gave, from index `start` of the axis on.
pub(super) fn part(signal: &[f32], output: &[usize], input: &[usize], axis: usize, start: usize) -> Vec<f32> {
    let inner: usize = input[axis + 1..].iter().product();
    let (whole, length) = (output[axis] * inner, input[axis] * inner);
    signal
        .chunks_exact(whole.max(1))
        .flat_map(|run| run[start * inner..start * inner + length].iter().copied())
        .collect()
}

/// Resampling undone, axis by axis: each element gives its signal to what it was mixed from, by the same weights.
pub(super) fn unresample(
    mut signal: Vec<f32>,
    output: &[usize],
    input: &[usize],
    taps: &[AxisTaps],
) -> Vec<f32> {
    let mut shape = output.to_vec();
    for (axis, taps) in taps.iter().enumerate() {
        let inner: usize = shape[axis + 1..].iter().product();
        let outer: usize = shape[..axis].iter().product();
        let mut below = vec![0.0; outer * input[axis] * inner];
        for o in 0..outer {
            for (place, entries) in taps.iter().enumerate() {
                let from = &signal[(o * shape[axis] + place) * inner..][..inner];
                for (at, weight) in entries {
                    let to = &mut below[(o * input[axis] + at) * inner..][..inner];
                    to.iter_mut().zip(from).for_each(|(to, s)| *to += weight * s);
                }
            }
        }
        shape[axis] = input[axis];
        signal = below;
    }
    signal
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn each_signal_goes_to_where_its_element_came_from() {
        // A transposition: output [3, 2] of input [2, 3].
        let back = put_back(&[1., 2., 3., 4., 5., 6.], &[3, 2], &[2, 3], &|a| 1 - a, &|_, i| Some(i));
        assert_eq!(back, [1., 3., 5., 2., 4., 6.]);
        // Backwards, every second; then padding that repeats the border.
        let back = put_back(&[1., 2.], &[2], &[4], &|a| a, &|_, i| Some(3 - 2 * i));
        assert_eq!(back, [0., 2., 0., 1.]);
        let edge = [Some(0), Some(0), Some(1), None];
        assert_eq!(put_back(&[1., 2., 4., 8.], &[4], &[2], &|a| a, &|_, i| edge[i]), [3., 4.]);
        assert_eq!(summed(&[1., 2., 3., 4.], &[2, 2], &[1, 2]), [4., 6.]);
        assert_eq!(summed(&[1., 2., 3., 4.], &[2, 2], &[]), [10.]);
        assert_eq!(times(vec![1.; 4], &[2, 2], &[2], |s, f| s * f, &[2., 3.]), [2., 3., 2., 3.]);
        assert_eq!(spread(&[1., 2.], &[2, 3], &[1]), [1., 1., 1., 2., 2., 2.]);
        assert_eq!(spread(&[1., 2., 3.], &[2, 3], &[0]), [1., 2., 3., 1., 2., 3.]);
        assert_eq!(part(&[1., 2., 3., 4., 5., 6.], &[2, 3], &[2, 2], 1, 1), [2., 3., 5., 6.]);
        let taps = Arc::new(vec![vec![(0, 1.0)], vec![(0, 0.5), (1, 0.5)], vec![(1, 1.0)]]);
        assert_eq!(unresample(vec![1., 2., 3.], &[3], &[2], &[taps]), [2., 4.]);
    }
}
