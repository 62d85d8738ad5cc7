//! Pooling undone: a maximum goes back to the place it came from, an average to all places it was made of.
//!
//! In: what arrived at a pooling's output, the values that it read in the forward run (for the switches), its geometry; all stored channels-last. Out: what
//! arrives at its input. Where several elements are the largest, the switch is the first of them, row-major over the places.

use occlude_kernels::PAD;

use crate::exec::tables::WindowMap;
use crate::graph::Geometry;

/// Max pooling: each signal to the first largest element of its window.
pub(super) fn unpool(
    geometry: &Geometry,
    signal: &[f32],
    read: &[f32],
    input: &[usize],
    output: &[usize],
) -> Vec<f32> {
    let (table, taps, channels) = windows(geometry, input, output);
    let mut below = vec![0.0; input.iter().product()];
    for (row, entries) in signal.chunks_exact(channels.max(1)).zip(table.chunks_exact(taps)) {
        for (channel, &s) in row.iter().enumerate() {
            if s == 0.0 {
                continue;
            }
            let valid = entries.iter().filter(|&&entry| entry != PAD).map(|&entry| entry as usize + channel);
            if let Some(at) = first_largest(valid, read) {
                below[at] += s;
            }
        }
    }
    below
}

/// Average pooling: each signal, over its divisor, to all elements of its window.
pub(super) fn unaverage(
    geometry: &Geometry,
    divisor: &[f32],
    signal: &[f32],
    input: &[usize],
    output: &[usize],
) -> Vec<f32> {
    let (table, taps, channels) = windows(geometry, input, output);
    let mut below = vec![0.0; input.iter().product()];
    let rows = signal.chunks_exact(channels.max(1)).zip(table.chunks_exact(taps));
    for ((row, entries), divisor) in rows.zip(divisor) {
        for &entry in entries.iter().filter(|&&entry| entry != PAD) {
            let to = &mut below[entry as usize..entry as usize + channels];
            to.iter_mut().zip(row).for_each(|(to, s)| *to += s / divisor);
        }
    }
    below
}

/// A maximum over whole axes: each signal to the first largest element that it was chosen from.
pub(super) fn place_maxima(signal: &[f32], read: &[f32], input: &[usize], axes: &[usize]) -> Vec<f32> {
    let of_output = super::places::reduced_to(input, axes);
    let mut switches: Vec<Option<usize>> = vec![None; signal.len()];
    for (at, &output) in of_output.iter().enumerate() {
        let switch = &mut switches[output];
        if switch.is_none_or(|best| read[at] > read[best]) {
            *switch = Some(at);
        }
    }
    let mut below = vec![0.0; read.len()];
    for (switch, s) in switches.into_iter().zip(signal) {
        if let Some(at) = switch {
            below[at] = *s;
        }
    }
    below
}

fn first_largest(places: impl Iterator<Item = usize>, read: &[f32]) -> Option<usize> {
    places.reduce(|best, at| if read[at] > read[best] { at } else { best })
}

/// The index table of a window operator, its taps, and the channels.
fn windows(geometry: &Geometry, input: &[usize], output: &[usize]) -> (Vec<u32>, usize, usize) {
    let channels = input.last().copied().unwrap_or(1);
    let spatial = |shape: &[usize]| shape[1..shape.len() - 1].to_vec();
    let map = WindowMap {
        geometry: geometry.clone(),
        input: spatial(input),
        output: spatial(output),
        channels,
        transposed: false,
    };
    let mut table = Vec::new();
    map.fill(0..map.pixels(), &mut table);
    (table, map.taps(), channels)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs() -> Geometry {
        Geometry { kernel: vec![2], stride: vec![2], dilation: vec![1], pad_before: vec![1] }
    }

    #[test]
    fn of_equal_elements_the_first_gets_the_signal() {
        // Windows: [pad 5], [7 7], [1 3], of one channel.
        let below = unpool(&pairs(), &[1.0, 2.0, 4.0], &[5.0, 7.0, 7.0, 1.0, 3.0], &[1, 5, 1], &[1, 3, 1]);
        assert_eq!(below, [1.0, 2.0, 0.0, 0.0, 4.0]);
        // All below zero: padding is never chosen.
        let below = unpool(&pairs(), &[1.0], &[-5.0], &[1, 1, 1], &[1, 1, 1]);
        assert_eq!(below, [1.0]);
        let below = place_maxima(&[1.0, 2.0], &[3.0, 0.0, 3.0, 4.0], &[1, 2, 2], &[1]);
        assert_eq!(below, [1.0, 0.0, 0.0, 2.0]);
    }

    #[test]
    fn an_average_goes_to_all_it_was_made_of() {
        let below = unaverage(&pairs(), &[1.0, 2.0, 2.0], &[1.0, 2.0, 4.0], &[1, 5, 1], &[1, 3, 1]);
        assert_eq!(below, [1.0, 1.0, 1.0, 2.0, 2.0]);
    }
}
