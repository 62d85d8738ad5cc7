//! A volume in 256 greys: what the planes of a page are drawn from.
//!
//! In: a tensor with three spatial axes. Out: [`GreyVolume`], at most 2^23 voxels, each the mean over channels and, of larger volumes, over a block of elements.

use serde::{Deserialize, Serialize};

use crate::tensor::TensorSpec;

/// More voxels than this are reduced by whole factors, so that a page stays small.
const MOST_VOXELS: usize = 1 << 23;
/// The share of voxels that may be darker than black, and as many brighter than white: a few stray values shall not take the contrast from all others.
const BEYOND: f64 = 0.001;

/// A volume for drawing. It covers the spatial extent of the input tensor; where a length is no multiple of the block, the last voxel stands for less.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GreyVolume {
    /// Voxels per spatial axis of the tensor, in its order.
    pub size: [usize; 3],
    /// Elements of the tensor that a voxel stands for, per axis.
    pub every: [usize; 3],
    /// Row-major over `size`; 0 is black, 255 white.
    pub grey: Vec<u8>,
    /// The value that is black, and below it all others: the 0.1st percentile.
    pub black: f32,
    /// The value that is white, and above it all others: the 99.9th percentile.
    pub white: f32,
}

impl GreyVolume {
    /// The grey values of a tensor; `None` unless it has three spatial axes. `values` are row-major over the shape of `spec`, all finite.
    pub fn of_tensor(spec: &TensorSpec, values: &[f32]) -> Option<GreyVolume> {
        let length: [usize; 3] = spec.spatial().try_into().ok()?;
        let every = blocks(length, MOST_VOXELS);
        let size = [0, 1, 2].map(|axis| length[axis].div_ceil(every[axis]));
        let means = means(spec, values, length, every, size);
        let [black, white] = ends(&means);
        let range = if white > black { white - black } else { 1.0 };
        let grey =
            means.iter().map(|v| ((v - black) / range * 255.0).round().clamp(0.0, 255.0) as u8).collect();
        Some(GreyVolume { size, every, grey, black, white })
    }

    /// Whether sizes and bytes hold together.
    pub(super) fn is_sound(&self) -> bool {
        let needed = self.size.iter().try_fold(1usize, |product, &n| product.checked_mul(n));
        needed.is_some_and(|needed| needed > 0 && needed == self.grey.len())
            && self.every.iter().all(|&n| n > 0)
            && self.black.is_finite()
            && self.white.is_finite()
    }
}

/// The elements that a voxel stands for, per axis: longer axes are reduced first.
fn blocks(length: [usize; 3], most: usize) -> [usize; 3] {
    let mut every = [1; 3];
    let size = |every: [usize; 3]| [0, 1, 2].map(|axis| length[axis].div_ceil(every[axis]));
    while size(every).iter().product::<usize>() > most {
        let sizes = size(every);
        let longest = if sizes[0] >= sizes[1].max(sizes[2]) {
            0
        } else if sizes[1] >= sizes[2] {
            1
        } else {
            2
        };
        every[longest] += 1;
    }
    every
}

fn means(
    spec: &TensorSpec,
    values: &[f32],
    length: [usize; 3],
    every: [usize; 3],
    size: [usize; 3],
) -> Vec<f32> {
    let (axes, strides) = (spec.spatial_axes(), spec.strides());
    let step = [0, 1, 2].map(|axis| strides[axes[axis]]);
    let channel_step = spec.channel_axis.map_or(0, |axis| strides[axis]);
    let mut sums = vec![0.0f32; size.iter().product()];
    for channel in 0..spec.channels() {
        for i in 0..length[0] {
            for j in 0..length[1] {
                let from = channel * channel_step + i * step[0] + j * step[1];
                let to = (i / every[0] * size[1] + j / every[1]) * size[2];
                for k in 0..length[2] {
                    sums[to + k / every[2]] += values[from + k * step[2]];
                }
            }
        }
    }
    let inside = |axis: usize, voxel: usize| every[axis].min(length[axis] - voxel * every[axis]);
    for (at, sum) in sums.iter_mut().enumerate() {
        let (i, j, k) = (at / (size[1] * size[2]), at / size[2] % size[1], at % size[2]);
        *sum /= (spec.channels() * inside(0, i) * inside(1, j) * inside(2, k)).max(1) as f32;
    }
    sums
}

/// What is black and what is white.
fn ends(means: &[f32]) -> [f32; 2] {
    let mut sorted = means.to_vec();
    let last = sorted.len().saturating_sub(1);
    let beyond = (BEYOND * last as f64).round() as usize;
    let at = |sorted: &mut Vec<f32>, place: usize| *sorted.select_nth_unstable_by(place, f32::total_cmp).1;
    if sorted.is_empty() {
        return [0.0; 2];
    }
    let found = [at(&mut sorted, beyond), at(&mut sorted, last - beyond)];
    // Nearly all is one value: what little differs shall be seen.
    if found[0] < found[1] { found } else { [at(&mut sorted, 0), at(&mut sorted, last)] }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::Layout;

    #[test]
    fn channels_are_averaged_wherever_they_are() {
        let first = TensorSpec::new("x", &[2, 1, 2, 2], Layout::ChannelsFirst);
        let last = TensorSpec::new("x", &[1, 2, 2, 2], Layout::ChannelsLast);
        let by_first = GreyVolume::of_tensor(&first, &[0.0, 1.0, 2.0, 3.0, 0.0, 3.0, 6.0, 9.0]).unwrap();
        let by_last = GreyVolume::of_tensor(&last, &[0.0, 0.0, 1.0, 3.0, 2.0, 6.0, 3.0, 9.0]).unwrap();
        assert_eq!(by_first, by_last);
        assert_eq!((by_first.black, by_first.white), (0.0, 6.0));
        assert_eq!((by_first.size, by_first.grey), ([1, 2, 2], vec![0, 85, 170, 255]));
        let picture = TensorSpec::new("x", &[1, 2, 2], Layout::ChannelsFirst);
        assert!(GreyVolume::of_tensor(&picture, &[0.0; 4]).is_none());
    }

    #[test]
    fn large_volumes_are_means_of_blocks() {
        assert_eq!(blocks([5, 4, 3], 60), [1, 1, 1]);
        assert_eq!(blocks([5, 4, 3], 59), [2, 1, 1]);
        assert_eq!(blocks([512, 512, 300], MOST_VOXELS), [3, 2, 2]);
        let spec = TensorSpec::new("x", &[1, 3, 1, 5], Layout::ChannelsFirst);
        let values: Vec<f32> = (0..15).map(|v| v as f32).collect();
        let got = means(&spec, &values, [3, 1, 5], [2, 1, 2], [2, 1, 3]);
        assert_eq!(got, [3.0, 5.0, 6.5, 10.5, 12.5, 14.0]);
    }

    #[test]
    fn stray_values_are_beyond_black_and_white() {
        let spec = TensorSpec::new("x", &[1, 10, 10, 100], Layout::ChannelsFirst);
        let mut values: Vec<f32> = (0..10_000).map(|v| (v % 101) as f32).collect();
        values[7] = 1e6;
        values[8] = -1e6;
        let got = GreyVolume::of_tensor(&spec, &values).unwrap();
        assert_eq!((got.black, got.white, got.grey[7], got.grey[8]), (0.0, 100.0, 255, 0));
        let mut flat = vec![2.0; 10_000];
        assert_eq!(GreyVolume::of_tensor(&spec, &flat).unwrap().grey, vec![0; 10_000]);
        flat[3] = 5.0;
        let got = GreyVolume::of_tensor(&spec, &flat).unwrap();
        assert_eq!((got.grey[3], got.white), (255, 5.0));
    }
}
