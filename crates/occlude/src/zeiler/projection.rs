//! Panel (c): the strongest feature map of a layer, and its single largest activation projected back to the input.
//!
//! In: a resolved graph, the values of its inputs, which layer. Out: the feature map, the activation (after the max pooling that follows the layer, if one does, as in the
//! paper), and the projection by the engine's deconvnet. How projections are drawn is in `output`.

use occlude_engine::Isa;
use occlude_engine::deconv::{Deconvnet, pooled, top_convolution};
use occlude_engine::graph::{Graph, TensorId};
use serde::Serialize;

use super::Strongest;
use crate::error::{Error, Result};
use crate::scorer::tensor_of;
use crate::tensor::{Layout, TensorSpec, shape_text};

/// One feature map of a layer: a channel of its tensor.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FeatureMap {
    /// The model's name of the layer's tensor.
    pub layer: String,
    /// Shape of that tensor in the model's axis order, batch axis included.
    pub shape: Vec<usize>,
    /// Which channel.
    pub channel: usize,
    /// Number of channels.
    pub channels: usize,
    /// By what it is the strongest.
    pub strongest: Strongest,
    /// Sum over its places on the untouched input.
    pub total: f32,
    /// Its largest activation on the untouched input.
    pub greatest: f32,
}

/// The activation that is projected.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Seed {
    /// The model's name of the tensor: the max pooling that follows the layer, or the layer itself.
    pub tensor: String,
    /// Which channel.
    pub channel: usize,
    /// Its place, one index per axis of the tensor without batch and channels; the first of equals.
    pub place: Vec<usize>,
    /// Where in the layer the pooled activation came from (the switch); `None` without pooling.
    pub switch: Option<Vec<usize>>,
    /// Its value.
    pub value: f32,
}

/// An activation projected to the input.
#[derive(Clone, Debug, PartialEq)]
pub struct Projection {
    /// What was projected.
    pub seed: Seed,
    /// One number per element of the input, row-major in the model's order, signed.
    pub values: Vec<f32>,
}

impl Projection {
    /// The box around all places that are not zero, one half-open range per spatial axis of the input; `None` where nothing arrived.
    pub fn extent(&self, spec: &TensorSpec) -> Option<Vec<std::ops::Range<usize>>> {
        let axes = spec.spatial_axes();
        let mut extent: Option<Vec<std::ops::Range<usize>>> = None;
        for (element, _) in self.values.iter().enumerate().filter(|(_, value)| **value != 0.0) {
            let index = spec.unravel(element);
            match &mut extent {
                None => extent = Some(axes.iter().map(|&axis| index[axis]..index[axis] + 1).collect()),
                Some(ranges) => {
                    for (range, &axis) in ranges.iter_mut().zip(&axes) {
                        *range = range.start.min(index[axis])..range.end.max(index[axis] + 1);
                    }
                }
            }
        }
        extent
    }
}

/// The channel axis of an inner tensor: axis 1, or the last one of a channels-last model; `None` for a single axis.
fn channel_axis(shape: &[usize], layout: Layout) -> Option<usize> {
    match layout {
        _ if shape.len() < 2 => None,
        Layout::ChannelsFirst => Some(1),
        Layout::ChannelsLast => Some(shape.len() - 1),
    }
}

/// Chooses the strongest feature map of the layer and projects its largest activation to input number `hidden`. `inputs` are the values of the graph's inputs in
/// their order.
///
/// # Errors
/// Argument: a tensor that the model does not have, or that has no channels. Unsupported: no convolution, or an operator without a way back, by name.
pub(crate) fn project(
    graph: &Graph,
    inputs: &[&[f32]],
    hidden: usize,
    layout: Layout,
    layer: Option<&str>,
    strongest: Strongest,
) -> Result<(FeatureMap, Projection)> {
    let isa = Isa::detect();
    let layer = layer_of(graph, layer)?;
    let seed_tensor = pooled(graph, layer).unwrap_or(layer);
    let deconvnet = Deconvnet::new(graph, seed_tensor)?;
    let write = |_: usize, input: usize, buffer: &mut [f32]| buffer.copy_from_slice(inputs[input]);
    let activations = deconvnet.forward(isa, &write)?;
    let values = if seed_tensor == layer {
        activations.values.clone()
    } else {
        deconvnet.read_by_pooling(&activations, layer).unwrap_or_default()
    };
    let name = &graph.tensor(layer).name;
    let shape = graph.tensor(layer).model_shape();
    let Some(axis) = channel_axis(&shape, layout) else {
        return Err(Error::argument(format!(
            "tensor \"{name}\" of shape {} has no feature maps",
            shape_text(&shape)
        ))
        .with_hint("choose a layer with a channel axis; `occlude inspect -v` lists the tensors"));
    };
    let (channels, inner) = (shape[axis], shape[axis + 1..].iter().product::<usize>());
    let sums: Vec<f64> = (0..channels)
        .map(|channel| members(&values, channels, inner, channel).map(|(_, v)| f64::from(v)).sum())
        .collect();
    let maxima: Vec<f64> = (0..channels)
        .map(|channel| {
            members(&values, channels, inner, channel)
                .fold(f64::NEG_INFINITY, |m, (_, v)| m.max(f64::from(v)))
        })
        .collect();
    let channel = first_greatest(match strongest {
        Strongest::Sum => &sums,
        Strongest::Max => &maxima,
    });
    let feature_map = FeatureMap {
        layer: name.clone(),
        channel,
        channels,
        strongest,
        total: sums[channel] as f32,
        greatest: maxima[channel] as f32,
        shape: shape.clone(),
    };
    let seed_shape = &activations.shape;
    let seed_inner: usize = seed_shape[axis + 1..].iter().product();
    let (element, value) = members(&activations.values, channels, seed_inner, channel)
        .reduce(|best, (at, v)| if v > best.1 { (at, v) } else { best })
        .ok_or_else(|| Error::argument(format!("tensor \"{name}\" is empty")))?;
    let switch = deconvnet.switch(&activations, element).map(|(_, at)| place(&shape, axis, at));
    let projected = deconvnet.project(isa, &activations, element)?;
    let projection = Projection {
        seed: Seed {
            tensor: graph.tensor(seed_tensor).name.clone(),
            channel,
            place: place(seed_shape, axis, element),
            switch,
            value,
        },
        values: projected.into_iter().nth(hidden).unwrap_or_default(),
    };
    Ok((feature_map, projection))
}

/// The layer of this name, or the top convolution layer.
///
/// # Errors
/// Argument: no such tensor. Unsupported: no convolution with places.
pub(crate) fn layer_of(graph: &Graph, name: Option<&str>) -> Result<TensorId> {
    match name {
        Some(name) => tensor_of(graph, name),
        None => top_convolution(graph).ok_or_else(|| {
            Error::unsupported(
                "the model has no convolution with places, so there is no top convolution layer",
            )
            .with_hint("name the layer: --layer NAME; `occlude inspect -v` lists the tensors")
        }),
    }
}

/// Flat index and value of each element of one channel of `[outer, channels, inner]`.
fn members(
    values: &[f32],
    channels: usize,
    inner: usize,
    channel: usize,
) -> impl Iterator<Item = (usize, f32)> + '_ {
    let run = inner.max(1);
    (channel..values.len() / run)
        .step_by(channels.max(1))
        .flat_map(move |outer| (outer * run..(outer + 1) * run).map(|at| (at, values[at])))
}

fn first_greatest(values: &[f64]) -> usize {
    values
        .iter()
        .enumerate()
        .fold((0, f64::NEG_INFINITY), |best, (i, &v)| if v > best.1 { (i, v) } else { best })
        .0
}

/// The index of a flat element along each axis but the batch and the channels.
fn place(shape: &[usize], channel_axis: usize, element: usize) -> Vec<usize> {
    let mut rest = element;
    let mut index = vec![0; shape.len()];
    for axis in (0..shape.len()).rev() {
        index[axis] = rest % shape[axis].max(1);
        rest /= shape[axis].max(1);
    }
    (1..shape.len()).filter(|&axis| axis != channel_axis).map(|axis| index[axis]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_of_a_channel_in_both_layouts() {
        let values: Vec<f32> = (0..12).map(|v| v as f32).collect();
        let of = |channels, inner, channel| -> Vec<usize> {
            members(&values, channels, inner, channel).map(|(at, _)| at).collect()
        };
        // [1, 3, 2, 2] and [1, 2, 2, 3].
        assert_eq!((of(3, 4, 1), of(3, 1, 1)), (vec![4, 5, 6, 7], vec![1, 4, 7, 10]));
        assert_eq!((place(&[1, 3, 2, 2], 1, 6), place(&[1, 2, 2, 3], 3, 7)), (vec![1, 0], vec![1, 0]));
        assert_eq!(first_greatest(&[1.0, 3.0, 3.0]), 1);
    }

    #[test]
    fn the_extent_is_the_box_of_what_arrived() {
        let spec = TensorSpec::new("x", &[2, 3, 4], Layout::ChannelsFirst);
        let mut values = vec![0.0; 24];
        (values[5], values[12 + 11]) = (1.0, -1.0);
        let seed = Seed { tensor: String::new(), channel: 0, place: vec![], switch: None, value: 1.0 };
        let projection = Projection { seed, values };
        assert_eq!(projection.extent(&spec), Some(vec![1..3, 1..4]));
        assert_eq!(Projection { values: vec![0.0; 24], ..projection }.extent(&spec), None);
    }
}
