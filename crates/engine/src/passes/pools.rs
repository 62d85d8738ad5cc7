//! Average pooling before a 1x1 convolution instead of after it (DenseNet's transitions): the same sums, fewer of them.
//!
//! Both are linear, one over places and one over channels, so they may change places; behind the pool there are fewer places to convolve.

use crate::graph::{Graph, Node, Op, Pool, PoolKind, Tensor};

use super::edit::Uses;

/// Swaps a 1x1 convolution and the average pooling that alone reads it, where every pooling window is whole and there is nothing between them.
pub(super) fn before_products(graph: &mut Graph) {
    let uses = Uses::of(graph);
    for reader in 0..graph.nodes.len() {
        let Op::Pool(pool) = &graph.nodes[reader].op else { continue };
        let convolved = graph.nodes[reader].inputs[0];
        let (Some(producer), true) = (uses.producer(convolved), uses.only_reader(convolved) == Some(reader))
        else {
            continue;
        };
        let pooled = graph.nodes[reader].output;
        let (from, to) = (&graph.tensor(convolved).shape, &graph.tensor(pooled).shape);
        let is_smaller = to.iter().product::<usize>() < from.iter().product();
        if !is_smaller
            || !averages_whole_windows(pool, from, to)
            || !is_plain_pixelwise(&graph.nodes[producer])
        {
            continue;
        }
        let input = graph.nodes[producer].inputs[0];
        let read = &graph.tensor(input).shape;
        if read[..read.len() - 1] != from[..from.len() - 1] {
            continue;
        }
        let mut shape = to.clone();
        if let (Some(last), Some(&channels)) = (shape.last_mut(), graph.tensor(input).shape.last()) {
            *last = channels;
        }
        let name = format!("{}#pooled", graph.tensor(input).name);
        let order = graph.tensor(pooled).order.clone();
        let between = graph.add_tensor(Tensor { name, shape, order, constant: None });
        // The pool takes the convolution's turn and the other way round.
        graph.nodes.swap(producer, reader);
        (graph.nodes[producer].inputs[0], graph.nodes[producer].output) = (input, between);
        (graph.nodes[reader].inputs[0], graph.nodes[reader].output) = (between, pooled);
    }
}

/// Every window averages as many elements as it has: none in the padding, and none left out.
fn averages_whole_windows(pool: &Pool, from: &[usize], to: &[usize]) -> bool {
    let PoolKind::Average { divisor } = &pool.kind else { return false };
    let geometry = &pool.geometry;
    let ends_inside = (0..geometry.kernel.len()).all(|axis| {
        let last = (to[axis + 1] - 1) * geometry.stride[axis];
        last + (geometry.kernel[axis] - 1) * geometry.dilation[axis] < from[axis + 1]
    });
    let taps = geometry.taps() as f32;
    ends_inside && geometry.pad_before.iter().all(|&pad| pad == 0) && divisor.iter().all(|&d| d == taps)
}

/// A 1x1 convolution of stride 1 without padding, residual and activation.
fn is_plain_pixelwise(node: &Node) -> bool {
    let Op::Conv(conv) = &node.op else { return false };
    let geometry = &conv.geometry;
    geometry.taps() == 1
        && geometry.stride.iter().all(|&s| s == 1)
        && geometry.pad_before.iter().all(|&p| p == 0)
        && node.inputs.len() == 1
        && conv.activation == occlude_kernels::Pointwise::Identity
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::{Conv, Geometry};
    use std::sync::Arc;

    fn geometry(kernel: usize, stride: usize) -> Geometry {
        Geometry {
            kernel: vec![kernel; 2],
            stride: vec![stride; 2],
            dilation: vec![1; 2],
            pad_before: vec![0; 2],
        }
    }

    /// A 1x1 convolution of an 8 x 8 image, then a pool of 2 x 2 with this divisor.
    fn graph(divisor: f32) -> Graph {
        let mut graph = Graph::default();
        let mut add = |name: &str, shape: &[usize]| {
            graph.add_tensor(Tensor {
                name: name.into(),
                shape: shape.to_vec(),
                order: vec![0, 2, 3, 1],
                constant: None,
            })
        };
        let (x, y, z) = (add("x", &[1, 8, 8, 3]), add("y", &[1, 8, 8, 5]), add("z", &[1, 4, 4, 5]));
        let conv = Conv {
            geometry: geometry(1, 1),
            groups: 1,
            in_channels: 3,
            out_channels: 5,
            weight: Arc::new(vec![0.5; 15]),
            bias: None,
            activation: occlude_kernels::Pointwise::Identity,
        };
        let kind = PoolKind::Average { divisor: Arc::new(vec![divisor; 16]) };
        let pool = Pool { kind, geometry: geometry(2, 2) };
        graph.nodes.push(Node { label: "conv".into(), op: Op::Conv(conv), inputs: vec![x], output: y });
        graph.nodes.push(Node { label: "pool".into(), op: Op::Pool(pool), inputs: vec![y], output: z });
        (graph.inputs, graph.outputs) = (vec![x], vec![z]);
        graph
    }

    #[test]
    fn a_pool_of_whole_windows_goes_first() {
        let mut graph = graph(4.0);
        before_products(&mut graph);
        let labels: Vec<&str> = graph.nodes.iter().map(|node| node.label.as_str()).collect();
        assert_eq!(labels, ["pool", "conv"]);
        let between = graph.nodes[0].output;
        assert_eq!(graph.tensor(between).shape, [1, 4, 4, 3]);
        assert_eq!(graph.nodes[1].inputs, [between]);
        assert_eq!(graph.nodes[1].output, graph.outputs[0]);
    }

    #[test]
    fn a_pool_that_counts_otherwise_stays() {
        let mut graph = graph(9.0);
        before_products(&mut graph);
        assert_eq!(graph.nodes[0].label, "conv");
        // And one whose input somebody else wants.
        let mut graph = self::graph(4.0);
        graph.outputs.push(graph.nodes[0].output);
        before_products(&mut graph);
        assert_eq!(graph.nodes[0].label, "conv");
    }
}
