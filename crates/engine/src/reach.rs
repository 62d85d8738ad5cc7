//! What a change can reach: for each node, how a box of changed elements of an input becomes a box of its output.
//!
//! Separable per axis: every output axis follows one input axis (unmoved, shifted, or through the list of what each output index reads), or
//! changes as a whole. The box is the hull of all outputs that read a changed element; nothing outside it can change. In: the
//! graph after the passes. Out: a [`Reach`] per node, applied to one window at a time.

use std::ops::Range;
use std::sync::Arc;

use crate::graph::{Geometry, Graph, Node, Op, Region};

/// How one output axis depends on one input.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum AxisReach {
    /// Output index `i` reads input index `i - offset` of this input axis.
    Shift { axis: usize, offset: usize },
    /// Output index `i` reads these input indices (ascending within each entry) of this input axis.
    Reads { axis: usize, reads: Arc<Vec<Vec<u32>>> },
    /// Every output index may change if the input changed anywhere.
    All,
}

/// How a node's output depends on each of its inputs: per input, per output axis.
#[derive(Clone, Debug)]
pub(crate) struct Reach {
    inputs: Vec<Vec<AxisReach>>,
    output: Vec<usize>,
}

impl Reach {
    /// The reach of a node.
    pub(crate) fn of(graph: &Graph, node: &Node) -> Self {
        let output = graph.tensor(node.output).shape.clone();
        let shape = |index: usize| graph.tensor(node.inputs[index]).shape.as_slice();
        let inputs = (0..node.inputs.len())
            .map(|index| axes(&node.op, index, shape(index), &output, &shape))
            .collect();
        Reach { inputs, output }
    }

    /// The box of the output that can change, given the boxes of the inputs; `None` if nothing changed.
    pub(crate) fn forward(&self, changed: &[Option<&Region>]) -> Option<Region> {
        let mut hull: Option<Region> = None;
        for (axes, region) in self.inputs.iter().zip(changed) {
            let Some(region) = region else { continue };
            let Some(reached) = self.through(axes, region) else { continue };
            hull = Some(match hull {
                None => reached,
                Some(hull) => {
                    hull.iter().zip(&reached).map(|(a, b)| a.start.min(b.start)..a.end.max(b.end)).collect()
                }
            });
        }
        hull
    }

    /// Whether a change of one element of this input changes the output everywhere, axes of length one and the last axis aside.
    pub(crate) fn mixes_all(&self, input: usize, shape: &[usize]) -> bool {
        let leading = shape.len().saturating_sub(1);
        self.inputs[input][..leading].iter().zip(shape).all(|(axis, &n)| n <= 1 || *axis == AxisReach::All)
    }

    fn through(&self, axes: &[AxisReach], region: &Region) -> Option<Region> {
        let axis = |(reach, &len): (&AxisReach, &usize)| match reach {
            AxisReach::All => (len > 0).then_some(0..len),
            AxisReach::Shift { axis, offset } => {
                let (start, end) = (region[*axis].start + offset, (region[*axis].end + offset).min(len));
                (start < end).then_some(start..end)
            }
            AxisReach::Reads { axis, reads } => reached(reads, &region[*axis]),
        };
        axes.iter().zip(&self.output).map(axis).collect()
    }
}

/// First to last output index that reads an index of the range.
fn reached(reads: &[Vec<u32>], changed: &Range<usize>) -> Option<Range<usize>> {
    let touches = |entries: &Vec<u32>| {
        let from = entries.partition_point(|&i| (i as usize) < changed.start);
        entries.get(from).is_some_and(|&i| (i as usize) < changed.end)
    };
    let first = reads.iter().position(touches)?;
    let last = reads.iter().rposition(touches)?;
    Some(first..last + 1)
}

fn axes<'a>(
    op: &Op,
    index: usize,
    input: &[usize],
    output: &[usize],
    shape: &dyn Fn(usize) -> &'a [usize],
) -> Vec<AxisReach> {
    let same = |axis: usize| AxisReach::Shift { axis, offset: 0 };
    match op {
        // A residual has the output's shape.
        Op::Conv(_) | Op::Linear(_) if index == 1 => (0..output.len()).map(same).collect(),
        Op::Conv(conv) => windows(&conv.geometry, input, output, false, AxisReach::All),
        Op::ConvTranspose(conv) => windows(&conv.geometry, input, output, true, AxisReach::All),
        Op::Pool(pool) => windows(&pool.geometry, input, output, false, same(output.len() - 1)),
        Op::Linear(_) | Op::LayerNorm { .. } | Op::Lrn { .. } => with_last_whole(output.len()),
        Op::Softmax { axis, .. } => {
            (0..output.len()).map(|a| if a == *axis { AxisReach::All } else { same(a) }).collect()
        }
        Op::Affine(_)
        | Op::Pointwise(_)
        | Op::PRelu { .. }
        | Op::Binary { .. }
        | Op::Where
        | Op::Broadcast => broadcast(input, output),
        Op::Reduce { axes, .. } => {
            let kept: Vec<usize> = (0..input.len()).filter(|a| !axes.contains(a)).collect();
            if output.len() == input.len() {
                (0..output.len()).map(|a| if axes.contains(&a) { AxisReach::All } else { same(a) }).collect()
            } else {
                kept.into_iter().map(same).collect()
            }
        }
        Op::MatMul => mat_mul(index, input, output, false),
        Op::MatMulTransposed => mat_mul(index, input, output, true),
        Op::Concat { axis } => {
            let offset = (0..index).map(|i| shape(i)[*axis]).sum();
            let place = |a: usize| AxisReach::Shift { axis: a, offset: if a == *axis { offset } else { 0 } };
            (0..output.len()).map(place).collect()
        }
        Op::Slice { starts, steps } => {
            let read = |a: usize, i: usize| vec![(starts[a] as isize + steps[a] * i as isize) as u32];
            table(output, read)
        }
        Op::Pick { indices, .. } => {
            table(output, |a, i| indices[a][i].map(|at| at as u32).into_iter().collect())
        }
        Op::Resample { taps } => table(output, |a, i| {
            let mut read: Vec<u32> = taps[a][i].iter().map(|(at, _)| *at as u32).collect();
            read.sort_unstable();
            read
        }),
        Op::Permute { order } => order.iter().map(|&axis| same(axis)).collect(),
        Op::Reshape => reshape(input, output),
        Op::GroupNorm { .. } | Op::Foreign(_) => vec![AxisReach::All; output.len()],
    }
}

fn with_last_whole(rank: usize) -> Vec<AxisReach> {
    (0..rank)
        .map(|axis| if axis + 1 == rank { AxisReach::All } else { AxisReach::Shift { axis, offset: 0 } })
        .collect()
}

fn table(output: &[usize], read: impl Fn(usize, usize) -> Vec<u32>) -> Vec<AxisReach> {
    let axis = |axis: usize| {
        let reads: Vec<Vec<u32>> = (0..output[axis]).map(|i| read(axis, i)).collect();
        let is_same = reads.iter().enumerate().all(|(i, entries)| entries[..] == [i as u32]);
        if is_same {
            AxisReach::Shift { axis, offset: 0 }
        } else {
            AxisReach::Reads { axis, reads: Arc::new(reads) }
        }
    };
    (0..output.len()).map(axis).collect()
}

/// `[1, spatial..., C]`; the last axis as given.
fn windows(
    geometry: &Geometry,
    input: &[usize],
    output: &[usize],
    transposed: bool,
    last: AxisReach,
) -> Vec<AxisReach> {
    let mut axes = vec![AxisReach::Shift { axis: 0, offset: 0 }];
    for spatial in 0..geometry.kernel.len() {
        let axis = spatial + 1;
        let reads = (0..output[axis]).map(|o| {
            let mut taps: Vec<u32> = (0..geometry.kernel[spatial])
                .filter_map(|t| geometry.reads(spatial, o, t, input[axis], transposed))
                .map(|i| i as u32)
                .collect();
            taps.sort_unstable();
            taps
        });
        axes.push(AxisReach::Reads { axis, reads: Arc::new(reads.collect()) });
    }
    axes.push(last);
    axes
}

/// Aligned at the last axis; an axis of length one that is repeated changes everything along it.
fn broadcast(input: &[usize], output: &[usize]) -> Vec<AxisReach> {
    let lead = output.len() - input.len();
    (0..output.len())
        .map(|axis| match axis.checked_sub(lead) {
            Some(own) if input[own] == output[axis] => AxisReach::Shift { axis: own, offset: 0 },
            _ => AxisReach::All,
        })
        .collect()
}

/// Rows of the left side and columns of the right side stay apart; the summed axis does not.
fn mat_mul(index: usize, input: &[usize], output: &[usize], transposed: bool) -> Vec<AxisReach> {
    let rank = output.len();
    let mut axes = broadcast(&input[..input.len() - 2], &output[..rank - 2]);
    let own = |axis: usize| AxisReach::Shift { axis, offset: 0 };
    if index == 0 {
        axes.extend([own(input.len() - 2), AxisReach::All]);
    } else {
        axes.extend([AxisReach::All, own(input.len() - if transposed { 2 } else { 1 })]);
    }
    axes
}

/// Axes that keep their length (unit axes aside) keep their place; axes that are split or merged change as a whole.
fn reshape(input: &[usize], output: &[usize]) -> Vec<AxisReach> {
    let mut axes = vec![AxisReach::All; output.len()];
    let (mut i, mut o) = (0, 0);
    while i < input.len() && o < output.len() {
        if input[i] == output[o] {
            axes[o] = AxisReach::Shift { axis: i, offset: 0 };
            (i, o) = (i + 1, o + 1);
        } else if input[i] == 1 {
            i += 1;
        } else if output[o] == 1 {
            o += 1;
        } else {
            // The smallest group of axes with the same product on both sides.
            let (mut a, mut b) = (input[i], output[o]);
            (i, o) = (i + 1, o + 1);
            while a != b {
                if a < b {
                    let Some(&next) = input.get(i) else { return axes };
                    (a, i) = (a * next, i + 1);
                } else {
                    let Some(&next) = output.get(o) else { return axes };
                    (b, o) = (b * next, o + 1);
                }
            }
        }
    }
    axes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::{BinaryKind, Conv, Pool, PoolKind, ReduceKind, Tensor};
    use occlude_kernels::Pointwise;

    fn reach(op: Op, inputs: &[&[usize]], output: &[usize]) -> Reach {
        let mut graph = Graph::default();
        let mut add = |shape: &[usize]| {
            let order = (0..shape.len()).collect();
            graph.add_tensor(Tensor { name: String::new(), shape: shape.to_vec(), order, constant: None })
        };
        let ids: Vec<_> = inputs.iter().map(|shape| add(shape)).collect();
        let output = add(output);
        Reach::of(&graph, &Node { label: String::new(), op, inputs: ids, output })
    }

    fn geometry(kernel: usize, stride: usize, dilation: usize, pad: usize) -> Geometry {
        Geometry {
            kernel: vec![kernel; 2],
            stride: vec![stride; 2],
            dilation: vec![dilation; 2],
            pad_before: vec![pad; 2],
        }
    }

    fn conv(kernel: usize, stride: usize, dilation: usize, pad: usize) -> Op {
        Op::Conv(Conv {
            geometry: geometry(kernel, stride, dilation, pad),
            groups: 1,
            in_channels: 3,
            out_channels: 4,
            weight: Arc::default(),
            bias: None,
            activation: Pointwise::Identity,
        })
    }

    /// The extent that is computed again, by hand: a window of rows 4..6, columns 0..3 of a 12 x 12 image of 3 channels.
    #[test]
    fn a_window_reaches_what_reads_it_and_nothing_else() {
        let window: Region = vec![0..1, 4..6, 0..3, 0..3];
        struct Case {
            op: Op,
            output: Vec<usize>,
            rows: Range<usize>,
            columns: Range<usize>,
        }
        let cases = [
            // 3x3, padding 1: one more on each side, clipped at the border.
            Case { op: conv(3, 1, 1, 1), output: vec![1, 12, 12, 4], rows: 3..7, columns: 0..4 },
            // No padding: output i reads i..i + 3.
            Case { op: conv(3, 1, 1, 0), output: vec![1, 10, 10, 4], rows: 2..6, columns: 0..3 },
            // Stride 2: output i reads 2 i - 1 .. 2 i + 2.
            Case { op: conv(3, 2, 1, 1), output: vec![1, 6, 6, 4], rows: 2..4, columns: 0..2 },
            // Stride 2 without taps between: output i reads 2 i alone.
            Case { op: conv(1, 2, 1, 0), output: vec![1, 6, 6, 4], rows: 2..3, columns: 0..2 },
            // Dilation 3: output i reads i - 3, i, i + 3.
            Case { op: conv(3, 1, 3, 3), output: vec![1, 12, 12, 4], rows: 1..9, columns: 0..6 },
            Case {
                op: Op::Pool(Pool { kind: PoolKind::Max, geometry: geometry(2, 2, 1, 0) }),
                output: vec![1, 6, 6, 3],
                rows: 2..3,
                columns: 0..2,
            },
        ];
        for case in cases {
            let text = format!("{:?}", case.op);
            let got = reach(case.op, &[&[1, 12, 12, 3]], &case.output).forward(&[Some(&window)]);
            let channels = case.output[3];
            assert_eq!(got, Some(vec![0..1, case.rows, case.columns, 0..channels]), "{text}");
        }
    }

    #[test]
    fn a_window_between_the_taps_reaches_nothing() {
        let window: Region = vec![0..1, 5..6, 3..4, 0..3];
        assert_eq!(
            reach(conv(1, 2, 1, 0), &[&[1, 12, 12, 3]], &[1, 6, 6, 4]).forward(&[Some(&window)]),
            None
        );
        assert_eq!(reach(conv(3, 1, 1, 1), &[&[1, 12, 12, 3]], &[1, 12, 12, 4]).forward(&[None]), None);
    }

    #[test]
    fn sums_take_the_hull_joins_shift_and_means_take_everything() {
        let shape: &[usize] = &[1, 8, 8, 2];
        let (a, b): (Region, Region) = (vec![0..1, 1..2, 1..3, 0..2], vec![0..1, 4..6, 2..5, 0..2]);
        let add = Op::Binary { kind: BinaryKind::Add, activation: Pointwise::Identity };
        let sum = reach(add.clone(), &[shape, shape], shape);
        assert_eq!(sum.forward(&[Some(&a), Some(&b)]), Some(vec![0..1, 1..6, 1..5, 0..2]));
        assert_eq!(sum.forward(&[None, Some(&b)]), Some(b.clone()));
        let join = reach(Op::Concat { axis: 3 }, &[shape, shape], &[1, 8, 8, 4]);
        assert_eq!(join.forward(&[None, Some(&b)]), Some(vec![0..1, 4..6, 2..5, 2..4]));
        let mean = reach(Op::Reduce { kind: ReduceKind::Mean, axes: vec![1, 2] }, &[shape], &[1, 1, 1, 2]);
        assert_eq!(mean.forward(&[Some(&a)]), Some(vec![0..1, 0..1, 0..1, 0..2]));
        let gate = reach(add, &[shape, &[1, 1, 1, 2]], shape);
        assert_eq!(
            gate.forward(&[None, Some(&vec![0..1, 0..1, 0..1, 0..2])]),
            Some(vec![0..1, 0..8, 0..8, 0..2])
        );
    }

    #[test]
    fn a_reshape_keeps_axes_that_stay() {
        let split = reach(Op::Reshape, &[&[1, 6, 5, 8]], &[1, 6, 5, 2, 4]);
        let window: Region = vec![0..1, 2..3, 1..4, 0..8];
        assert_eq!(split.forward(&[Some(&window)]), Some(vec![0..1, 2..3, 1..4, 0..2, 0..4]));
        let merged = reach(Op::Reshape, &[&[1, 6, 5, 8]], &[1, 30, 8]);
        assert_eq!(merged.forward(&[Some(&window)]), Some(vec![0..1, 0..30, 0..8]));
    }
}
