//! What the model's input is: its axes, without the batch axis, and which of them are channels and which are places.
//!
//! Everything in this crate holds one example as a flat row-major `f32` slice **in the model's own axis order** (`[C, H, W]` for a channels-first
//! model, `[H, W, C]` for a channels-last one); [`TensorSpec`] says which axis means what, so no data is moved on the way to a scorer.

use std::fmt;
use std::ops::Range;

use serde::{Deserialize, Serialize};

/// Where a model has its channel axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Layout {
    /// `[batch, channels, places...]`
    #[serde(rename = "nchw")]
    ChannelsFirst,
    /// `[batch, places..., channels]`
    #[serde(rename = "nhwc")]
    ChannelsLast,
}

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Layout::ChannelsFirst => "nchw",
            Layout::ChannelsLast => "nhwc",
        })
    }
}

/// One example of the model's input.
///
/// ```
/// use occlude::{Layout, TensorSpec};
/// let spec = TensorSpec::new("x", &[224, 320, 3], Layout::ChannelsLast);
/// assert_eq!((spec.channels(), spec.spatial()), (3, vec![224, 320]));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TensorSpec {
    /// The model's name of the input.
    pub name: String,
    /// Shape in the model's order, batch axis left out.
    pub shape: Vec<usize>,
    /// Where the channels are.
    pub layout: Layout,
    /// Which axis of `shape` holds the channels; a plain feature vector has none.
    pub channel_axis: Option<usize>,
}

impl TensorSpec {
    /// The spec of an input with this shape (batch axis left out). One axis alone is a vector of features, which are its places.
    pub fn new(name: impl Into<String>, shape: &[usize], layout: Layout) -> Self {
        let channel_axis = match (shape.len(), layout) {
            (0 | 1, _) => None,
            (_, Layout::ChannelsFirst) => Some(0),
            (rank, Layout::ChannelsLast) => Some(rank - 1),
        };
        TensorSpec { name: name.into(), shape: shape.to_vec(), layout, channel_axis }
    }
    /// Number of elements.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }
    /// Whether there is no element.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// Number of channels, 1 where there is no channel axis.
    pub fn channels(&self) -> usize {
        self.channel_axis.map_or(1, |axis| self.shape[axis])
    }
    /// Which axes of `shape` are places, in order.
    pub fn spatial_axes(&self) -> Vec<usize> {
        (0..self.shape.len()).filter(|&axis| Some(axis) != self.channel_axis).collect()
    }
    /// Lengths of the spatial axes, in order (`[height, width]` of an image).
    pub fn spatial(&self) -> Vec<usize> {
        self.spatial_axes().iter().map(|&axis| self.shape[axis]).collect()
    }
    /// Row-major steps of each axis of `shape`, in elements.
    pub fn strides(&self) -> Vec<usize> {
        let mut strides = vec![1; self.shape.len()];
        for axis in (1..self.shape.len()).rev() {
            strides[axis - 1] = strides[axis] * self.shape[axis];
        }
        strides
    }
    /// Which channel the element at this flat index belongs to.
    pub fn channel_of(&self, element: usize) -> usize {
        self.channel_axis.map_or(0, |axis| element / self.strides()[axis] % self.shape[axis])
    }
    /// The flat index of an element as one index per axis of `shape`.
    pub fn unravel(&self, element: usize) -> Vec<usize> {
        self.strides().iter().zip(&self.shape).map(|(stride, length)| element / stride % length).collect()
    }
}

impl fmt::Display for TensorSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\" {}", self.name, shape_text(&self.shape))
    }
}

/// `[3, 224, 224]`
pub fn shape_text(shape: &[usize]) -> String {
    let inner: Vec<String> = shape.iter().map(usize::to_string).collect();
    format!("[{}]", inner.join(", "))
}

/// Calls `run` with each contiguous run of flat indices of a box (`ranges` per axis of `shape`, row-major).
pub fn for_each_run(shape: &[usize], ranges: &[Range<usize>], mut run: impl FnMut(Range<usize>)) {
    if ranges.iter().any(|r| r.start >= r.end) {
        return;
    }
    let rank = shape.len();
    if rank == 0 {
        return run(0..1);
    }
    // Trailing axes that are covered whole join the run.
    let mut inner = rank - 1;
    let mut run_stride = 1;
    while inner > 0 && ranges[inner] == (0..shape[inner]) {
        run_stride *= shape[inner];
        inner -= 1;
    }
    let length = (ranges[inner].end - ranges[inner].start) * run_stride;
    let mut strides = vec![1; rank];
    for axis in (1..rank).rev() {
        strides[axis - 1] = strides[axis] * shape[axis];
    }
    let mut index: Vec<usize> = ranges[..inner].iter().map(|r| r.start).collect();
    loop {
        let outer: usize = index.iter().zip(&strides).map(|(i, s)| i * s).sum();
        let start = outer + ranges[inner].start * strides[inner];
        run(start..start + length);
        let mut axis = inner;
        loop {
            if axis == 0 {
                return;
            }
            axis -= 1;
            index[axis] += 1;
            if index[axis] < ranges[axis].end {
                break;
            }
            index[axis] = ranges[axis].start;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_cover_a_box_once() {
        let shape = [2, 3, 4];
        for ranges in [
            [0..2, 1..3, 1..3],
            [1..2, 0..3, 0..4],
            [0..2, 0..3, 0..4],
            [0..1, 2..3, 3..4],
            [0..2, 1..1, 0..4],
        ] {
            let mut seen = [0; 24];
            for_each_run(&shape, &ranges, |run| run.for_each(|i| seen[i] += 1));
            for (i, &count) in seen.iter().enumerate() {
                let inside = ranges[0].contains(&(i / 12))
                    && ranges[1].contains(&(i / 4 % 3))
                    && ranges[2].contains(&(i % 4));
                assert_eq!(count, usize::from(inside), "{ranges:?} at {i}");
            }
        }
        let mut whole = Vec::new();
        for_each_run(&shape, &[0..2, 0..3, 0..4], |run| whole.push(run));
        assert_eq!(whole, vec![0..24]);
    }

    #[test]
    fn axes_of_layouts() {
        let first = TensorSpec::new("x", &[3, 5, 7], Layout::ChannelsFirst);
        assert_eq!((first.channels(), first.spatial(), first.channel_of(40)), (3, vec![5, 7], 1));
        let last = TensorSpec::new("x", &[5, 7, 3], Layout::ChannelsLast);
        assert_eq!((last.channels(), last.spatial(), last.channel_of(40)), (3, vec![5, 7], 1));
        let vector = TensorSpec::new("x", &[9], Layout::ChannelsFirst);
        assert_eq!((vector.channels(), vector.spatial()), (1, vec![9]));
        assert_eq!(last.unravel(40), vec![1, 6, 1]);
    }
}
