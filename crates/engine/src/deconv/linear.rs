//! Convolutions and linear layers transposed: the same filters, flipped, from output to input, without bias.
//!
//! In: an operator with weights and what arrived at its output. Out: what arrives at its input. The transpose of a convolution is a transposed convolution of
//! the same geometry and the other way round, so the engine's own kernels do it: a graph of one node, compiled and run.

use std::sync::Arc;

use occlude_kernels::{Isa, Pointwise};

use crate::Result;
use crate::exec::{Program, Runner};
use crate::graph::{Conv, ConvTranspose, Graph, Linear, Node, Op, Tensor};

/// The signal at the input (stored `input`) from the signal at the output (stored `output`) of a convolution, transposed convolution or linear layer;
/// anything else gives zeros.
pub(super) fn transposed(
    isa: Isa,
    op: &Op,
    signal: &[f32],
    output: &[usize],
    input: &[usize],
) -> Result<Vec<f32>> {
    let op = match op {
        Op::Conv(conv) => Op::ConvTranspose(ConvTranspose {
            geometry: conv.geometry.clone(),
            groups: conv.groups,
            in_channels: conv.out_channels,
            out_channels: conv.in_channels,
            weight: Arc::new(flipped(
                &conv.weight,
                conv.geometry.taps(),
                conv.in_channels,
                conv.out_channels,
                conv.groups,
            )),
            bias: None,
            activation: Pointwise::Identity,
        }),
        Op::ConvTranspose(conv) => Op::Conv(Conv {
            geometry: conv.geometry.clone(),
            groups: conv.groups,
            in_channels: conv.out_channels,
            out_channels: conv.in_channels,
            weight: Arc::new(flipped(
                &conv.weight,
                conv.geometry.taps(),
                conv.in_channels,
                conv.out_channels,
                conv.groups,
            )),
            bias: None,
            activation: Pointwise::Identity,
        }),
        Op::Linear(linear) => Op::Linear(Linear {
            in_features: linear.out_features,
            out_features: linear.in_features,
            weight: Arc::new(flipped(&linear.weight, 1, linear.in_features, linear.out_features, 1)),
            bias: None,
            activation: Pointwise::Identity,
        }),
        _ => return Ok(vec![0.0; input.iter().product()]),
    };
    let mut graph = Graph::default();
    let mut add = |shape: &[usize]| {
        let order = (0..shape.len()).collect();
        graph.add_tensor(Tensor { name: String::new(), shape: shape.to_vec(), order, constant: None })
    };
    let (from, to) = (add(output), add(input));
    graph.nodes.push(Node { label: "transposed filters".into(), op, inputs: vec![from], output: to });
    graph.inputs = vec![from];
    graph.outputs = vec![to];
    let runner = Runner::new(Program::compile(graph, isa)?);
    let mut outputs = runner.run_one(&|_, _, buffer| buffer.copy_from_slice(signal))?;
    Ok(outputs.pop().unwrap_or_default())
}

/// `[taps, inputs / groups, outputs]` to `[taps, outputs / groups, inputs]`.
fn flipped(weight: &[f32], taps: usize, inputs: usize, outputs: usize, groups: usize) -> Vec<f32> {
    let (ins, outs) = (inputs / groups, outputs / groups);
    let mut flipped = vec![0.0; weight.len()];
    for tap in 0..taps {
        for group in 0..groups {
            for i in 0..ins {
                for o in 0..outs {
                    flipped[(tap * outs + o) * inputs + group * ins + i] =
                        weight[(tap * ins + i) * outputs + group * outs + o];
                }
            }
        }
    }
    flipped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::Geometry;

    /// The definition of a transpose: `<A x, y> = <x, At y>`, for every stride, dilation, padding and group count, in 1 to 3 dimensions.
    #[test]
    fn the_transpose_of_a_convolution_keeps_the_inner_product() {
        let isa = Isa::detect();
        let wave = |n: usize, step: f32| (0..n).map(|i| (i as f32 * step).sin()).collect::<Vec<f32>>();
        for rank in 1..=3 {
            for (kernel, stride, dilation, pad, groups) in
                [(3, 1, 1, 1, 1), (3, 2, 1, 0, 2), (2, 3, 2, 1, 4), (1, 2, 1, 0, 1)]
            {
                let (length, ins, outs) = (7_usize, 4, 8);
                let places = (length + 2 * pad - dilation * (kernel - 1) - 1) / stride + 1;
                let shape = |places: usize, channels: usize| -> Vec<usize> {
                    let spatial = std::iter::repeat_n(places, rank);
                    std::iter::once(1).chain(spatial).chain([channels]).collect()
                };
                let (input, output) = (shape(length, ins), shape(places, outs));
                let geometry = Geometry {
                    kernel: vec![kernel; rank],
                    stride: vec![stride; rank],
                    dilation: vec![dilation; rank],
                    pad_before: vec![pad; rank],
                };
                let taps = geometry.taps();
                let conv = Op::Conv(Conv {
                    geometry,
                    groups,
                    in_channels: ins,
                    out_channels: outs,
                    weight: Arc::new(wave(taps * ins / groups * outs, 0.7)),
                    bias: None,
                    activation: Pointwise::Identity,
                });
                let (x, y) = (wave(input.iter().product(), 1.3), wave(output.iter().product(), 2.1));
                let mut graph = Graph::default();
                let mut add = |shape: &[usize]| {
                    let order = (0..shape.len()).collect();
                    let name = String::new();
                    graph.add_tensor(Tensor { name, shape: shape.to_vec(), order, constant: None })
                };
                let (from, to) = (add(&input), add(&output));
                let node = Node { label: String::new(), op: conv.clone(), inputs: vec![from], output: to };
                graph.nodes.push(node);
                (graph.inputs, graph.outputs) = (vec![from], vec![to]);
                let runner = Runner::new(Program::compile(graph, isa).expect("compiles"));
                let up = runner.run_one(&|_, _, buffer| buffer.copy_from_slice(&x)).expect("runs");
                let down = transposed(isa, &conv, &y, &output, &input).expect("runs");
                let dot = |a: &[f32], b: &[f32]| -> f64 {
                    a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
                };
                let (left, right) = (dot(&up[0], &y), dot(&x, &down));
                assert!((left - right).abs() < 1e-4 * left.abs().max(1.0), "{rank} {groups}: {left} {right}");
            }
        }
    }
}
