//! Random graphs x random windows: the gather form has a full run's bits, the delta form its values.
//!
//! Graphs of 1 to 3 spatial axes made of convolutions (strides, dilations, groups, padding, residuals), transposed and depthwise ones, pools,
//! norms, branches that are added or joined, global pooling and a head. Weights are random and scaled so that nothing dies.

use std::ops::{ControlFlow, Range};
use std::sync::Arc;

use occlude_engine::exec::{Changes, Form, Program, Runner, Schedule};
use occlude_engine::graph::*;
use occlude_kernels::{Isa, Pointwise};
use proptest::prelude::*;

/// A small generator of its own, so that a failing case is its seed.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
    /// In `0..n`.
    fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }
    /// Uniform in -1..1.
    fn value(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1 << 23) as f32 - 1.0
    }
    fn values(&mut self, count: usize, scale: f32) -> Arc<Vec<f32>> {
        Arc::new((0..count).map(|_| self.value() * scale).collect())
    }
}

struct Builder {
    graph: Graph,
    random: Random,
}

impl Builder {
    fn shape(&self, id: TensorId) -> Vec<usize> {
        self.graph.tensor(id).shape.clone()
    }

    fn node(&mut self, op: Op, inputs: &[TensorId], shape: Vec<usize>) -> TensorId {
        let name = format!("t{}", self.graph.tensors.len());
        let order = (0..shape.len()).collect();
        let output = self.graph.add_tensor(Tensor { name: name.clone(), shape, order, constant: None });
        self.graph.nodes.push(Node {
            label: format!("{op:.0?} {name}").chars().take(40).collect(),
            op,
            inputs: inputs.to_vec(),
            output,
        });
        output
    }

    fn geometry(&mut self, input: &[usize], largest_kernel: usize) -> Option<(Geometry, Vec<usize>)> {
        let rank = input.len() - 2;
        let mut geometry = Geometry { kernel: vec![], stride: vec![], dilation: vec![], pad_before: vec![] };
        let mut output = vec![1];
        for axis in 0..rank {
            let (kernel, stride, dilation) =
                (1 + self.random.below(largest_kernel), 1 + self.random.below(2), 1 + self.random.below(2));
            let reach = (kernel - 1) * dilation;
            let (before, after) = (self.random.below(reach + 1), self.random.below(reach + 1));
            let length = (input[axis + 1] + before + after).checked_sub(reach + 1)? / stride + 1;
            geometry.kernel.push(kernel);
            geometry.stride.push(stride);
            geometry.dilation.push(dilation);
            geometry.pad_before.push(before);
            output.push(length);
        }
        Some((geometry, output))
    }

    fn conv(&mut self, x: TensorId) -> Option<TensorId> {
        let input = self.shape(x);
        let in_channels = input[input.len() - 1];
        let (geometry, mut output) = self.geometry(&input, 3)?;
        let (groups, out_channels) = match self.random.below(4) {
            0 => (in_channels, in_channels),
            1 if in_channels.is_multiple_of(2) => (2, 2 * (1 + self.random.below(6))),
            _ => (1, 1 + self.random.below(20)),
        };
        output.push(out_channels);
        let depth = geometry.taps() * in_channels / groups;
        let conv = Conv {
            weight: self.random.values(depth * out_channels, 1.7 / (depth as f32).sqrt()),
            bias: Some(self.random.values(out_channels, 0.3)),
            activation: Pointwise::Identity,
            geometry,
            groups,
            in_channels,
            out_channels,
        };
        Some(self.node(Op::Conv(conv), &[x], output))
    }

    fn transposed(&mut self, x: TensorId) -> Option<TensorId> {
        let input = self.shape(x);
        let in_channels = input[input.len() - 1];
        let rank = input.len() - 2;
        if input[1..=rank].iter().any(|&n| n > 12) {
            return None;
        }
        let kernel: Vec<usize> = (0..rank).map(|_| 1 + self.random.below(3)).collect();
        let stride: Vec<usize> = (0..rank).map(|_| 1 + self.random.below(2)).collect();
        let mut output = vec![1];
        output.extend((0..rank).map(|a| (input[a + 1] - 1) * stride[a] + kernel[a]));
        let out_channels = 1 + self.random.below(8);
        output.push(out_channels);
        let geometry = Geometry { kernel, stride, dilation: vec![1; rank], pad_before: vec![0; rank] };
        let depth = geometry.taps() * in_channels;
        let weight = self.random.values(depth * out_channels, 1.7 / (depth as f32).sqrt());
        let conv = ConvTranspose {
            geometry,
            groups: 1,
            in_channels,
            out_channels,
            weight,
            bias: None,
            activation: Pointwise::Identity,
        };
        Some(self.node(Op::ConvTranspose(conv), &[x], output))
    }

    fn pool(&mut self, x: TensorId) -> Option<TensorId> {
        let input = self.shape(x);
        let (geometry, mut output) = self.geometry(&input, 3)?;
        output.push(input[input.len() - 1]);
        let pixels = output[1..output.len() - 1].iter().product();
        let kind = if self.random.below(2) == 0 {
            PoolKind::Max
        } else {
            PoolKind::Average { divisor: Arc::new(vec![geometry.taps() as f32; pixels]) }
        };
        Some(self.node(Op::Pool(Pool { kind, geometry }), &[x], output))
    }

    /// Something of the same shape.
    fn same(&mut self, x: TensorId) -> TensorId {
        let shape = self.shape(x);
        let channels = shape[shape.len() - 1];
        let none = Pointwise::Identity;
        match self.random.below(8) {
            0 => self.node(Op::Pointwise(Pointwise::Relu), &[x], shape),
            1 => self.node(Op::Pointwise(Pointwise::Silu { alpha: 1.0 }), &[x], shape),
            2 => {
                let affine = Affine {
                    scale: self.random.values(channels, 1.5),
                    shift: self.random.values(channels, 0.5),
                    activation: none,
                };
                self.node(Op::Affine(affine), &[x], shape)
            }
            3 => {
                let slope = self.random.values(channels, 0.5);
                self.node(Op::PRelu { slope }, &[x], shape)
            }
            4 => {
                let (scale, shift) = (self.random.values(channels, 1.5), self.random.values(channels, 0.5));
                self.node(Op::LayerNorm { epsilon: 1e-3, scale, shift }, &[x], shape)
            }
            5 => {
                // Squeeze and excitation: everything changes.
                let rank = shape.len();
                let mut squeezed = vec![1; rank];
                squeezed[rank - 1] = channels;
                let axes = (1..rank - 1).collect();
                let mean = self.node(Op::Reduce { kind: ReduceKind::Mean, axes }, &[x], squeezed.clone());
                let gate = self.node(Op::Pointwise(Pointwise::Sigmoid), &[mean], squeezed);
                self.node(Op::Binary { kind: BinaryKind::Mul, activation: none }, &[x, gate], shape)
            }
            6 => self.node(Op::Softmax { axis: shape.len() - 1, log: false }, &[x], shape),
            _ => {
                let y = self.node(Op::Pointwise(Pointwise::Tanh), &[x], shape.clone());
                self.node(Op::Binary { kind: BinaryKind::Add, activation: none }, &[x, y], shape)
            }
        }
    }

    /// A branch of a 1x1 convolution, added or joined.
    fn branch(&mut self, x: TensorId) -> TensorId {
        let mut shape = self.shape(x);
        let (rank, channels) = (shape.len() - 2, shape[shape.len() - 1]);
        let add = self.random.below(2) == 0;
        let out_channels = if add { channels } else { 1 + self.random.below(9) };
        let geometry = Geometry {
            kernel: vec![3; rank],
            stride: vec![1; rank],
            dilation: vec![1; rank],
            pad_before: vec![1; rank],
        };
        let depth = geometry.taps() * channels;
        let conv = Conv {
            weight: self.random.values(depth * out_channels, 1.7 / (depth as f32).sqrt()),
            bias: None,
            activation: Pointwise::Identity,
            geometry,
            groups: 1,
            in_channels: channels,
            out_channels,
        };
        let last = shape.len() - 1;
        shape[last] = out_channels;
        let y = self.node(Op::Conv(conv), &[x], shape.clone());
        if add {
            let sum = self.node(
                Op::Binary { kind: BinaryKind::Add, activation: Pointwise::Identity },
                &[x, y],
                shape.clone(),
            );
            return self.node(Op::Pointwise(Pointwise::Relu), &[sum], shape);
        }
        shape[last] = out_channels + channels;
        self.node(Op::Concat { axis: last }, &[x, y], shape)
    }

    /// A convolution of stride 1 that keeps the places, `kernel` along every axis.
    fn plain(&mut self, x: TensorId, kernel: usize, out_channels: usize) -> TensorId {
        let mut shape = self.shape(x);
        let (rank, last) = (shape.len() - 2, shape.len() - 1);
        let in_channels = shape[last];
        let geometry = Geometry {
            kernel: vec![kernel; rank],
            stride: vec![1; rank],
            dilation: vec![1; rank],
            pad_before: vec![kernel / 2; rank],
        };
        let depth = geometry.taps() * in_channels;
        let conv = Conv {
            weight: self.random.values(depth * out_channels, 1.7 / (depth as f32).sqrt()),
            bias: Some(self.random.values(out_channels, 0.3)),
            activation: Pointwise::Identity,
            geometry,
            groups: 1,
            in_channels,
            out_channels,
        };
        shape[last] = out_channels;
        self.node(Op::Conv(conv), &[x], shape)
    }

    /// Channels in whole vectors, as tiles and joins want them: a 3x3 convolution, then layers of a dense block, which join what they made to what they
    /// read, and a transition.
    fn dense_block(&mut self, x: TensorId) -> TensorId {
        let mut at = self.plain(x, 3, 16);
        for _ in 0..1 + self.random.below(3) {
            let mut inside = at;
            if self.random.below(4) > 0 {
                let shape = self.shape(at);
                let channels = shape[shape.len() - 1];
                let (scale, shift) = (self.random.values(channels, 1.5), self.random.values(channels, 0.5));
                let affine = Affine { scale, shift, activation: Pointwise::Identity };
                inside = self.node(Op::Affine(affine), &[at], shape.clone());
                inside = self.node(Op::Pointwise(Pointwise::Relu), &[inside], shape);
            }
            let wide = 16 * (1 + self.random.below(2));
            inside = self.plain(inside, 1, wide);
            if self.random.below(2) == 0 {
                inside = self.plain(inside, 3, 16);
            }
            let mut shape = self.shape(at);
            let last = shape.len() - 1;
            shape[last] += self.shape(inside)[last];
            at = self.node(Op::Concat { axis: last }, &[at, inside], shape);
        }
        if self.random.below(2) == 0 {
            at = self.plain(at, 1, 16);
        }
        at
    }

    /// A move of places: padding and a slice.
    fn moved(&mut self, x: TensorId) -> TensorId {
        let mut shape = self.shape(x);
        let mut indices: Vec<Arc<Vec<Option<usize>>>> =
            shape.iter().map(|&n| Arc::new((0..n).map(Some).collect())).collect();
        let axis = 1 + self.random.below(shape.len() - 2);
        let n = shape[axis];
        let mut table: Vec<Option<usize>> = vec![None; self.random.below(3)];
        table.extend((0..n).map(Some));
        if self.random.below(2) == 0 && n > 1 {
            table.push(Some(n - 2));
        }
        shape[axis] = table.len();
        indices[axis] = Arc::new(table);
        self.node(Op::Pick { indices, fill: 0.25 }, &[x], shape)
    }
}

/// A net of one or two inputs of the same shape.
struct Net {
    graph: Graph,
    input: Vec<usize>,
    x: Vec<Vec<f32>>,
}

fn random_net(seed: u64, rank: usize) -> Net {
    let mut random = Random(seed);
    let extent = [40, 17, 9][rank - 1];
    let channels = 1 + random.below(4);
    // The model's input is channels first; its first node moves the channels last.
    let mut input = vec![1, channels];
    input.extend((0..rank).map(|_| extent - random.below(4)));
    let mut graph = Graph::default();
    let order: Vec<usize> = (0..input.len()).collect();
    let mut x: Vec<Vec<f32>> = Vec::new();
    for _ in 0..1 + usize::from(random.below(3) == 0) {
        let name = format!("x{}", x.len());
        let tensor = Tensor { name, shape: input.clone(), order: order.clone(), constant: None };
        let id = graph.add_tensor(tensor);
        graph.inputs.push(id);
        x.push((0..input.iter().product()).map(|_| random.value() * 2.0).collect());
    }
    let mut builder = Builder { graph, random };
    let mut stored = vec![1];
    stored.extend(&input[2..]);
    stored.push(channels);
    let mut permutation = vec![0];
    permutation.extend(2..input.len());
    permutation.push(1);
    let mut moved: Vec<TensorId> = builder.graph.inputs.clone();
    for id in &mut moved {
        *id = builder.node(Op::Permute { order: permutation.clone() }, &[*id], stored.clone());
    }
    let mut at = moved[0];
    if moved.len() > 1 {
        let last = stored.len() - 1;
        stored[last] *= moved.len();
        at = builder.node(Op::Concat { axis: last }, &moved, stored);
    }
    for _ in 0..2 + builder.random.below(6) {
        at = match builder.random.below(10) {
            0..4 => builder.conv(at).unwrap_or(at),
            4 => builder.pool(at).unwrap_or(at),
            5 => builder.branch(at),
            6 => builder.moved(at),
            7 => builder.transposed(at).unwrap_or(at),
            8 => builder.dense_block(at),
            _ => builder.same(at),
        };
    }
    let shape = builder.shape(at);
    let places: usize = shape.iter().product();
    let flat = builder.node(Op::Reshape, &[at], vec![1, places]);
    let head = Linear {
        in_features: places,
        out_features: 5,
        weight: builder.random.values(places * 5, 2.0 / (places as f32).sqrt()),
        bias: None,
        activation: Pointwise::Identity,
    };
    let logits = builder.node(Op::Linear(head), &[flat], vec![1, 5]);
    builder.graph.outputs = vec![logits, at];
    Net { graph: builder.graph, input, x }
}

struct Windows<'a> {
    net: &'a Net,
    /// Per window, per input.
    regions: Vec<Vec<Option<Vec<Range<usize>>>>>,
}

impl Changes for Windows<'_> {
    fn len(&self) -> usize {
        self.regions.len()
    }
    fn region(&self, window: usize, input: usize) -> Option<Vec<Range<usize>>> {
        self.regions[window][input].clone()
    }
    fn write(&self, window: usize, input: usize, values: &mut [f32]) {
        values.fill(fill(window, input));
    }
}

fn fill(window: usize, input: usize) -> f32 {
    0.5 + window as f32 * 0.1 - input as f32
}

fn random_windows<'a>(net: &'a Net, seed: u64) -> Windows<'a> {
    let mut random = Random(seed ^ 0xABCD);
    let region = |_| {
        let axis = |(axis, &n): (usize, &usize)| {
            if axis < 2 && random.below(3) > 0 {
                return 0..n;
            }
            let start = random.below(n);
            start..(start + 1 + random.below(6)).min(n)
        };
        net.input.iter().enumerate().map(axis).collect()
    };
    let mut boxes: Vec<Vec<Range<usize>>> = (0..5 * net.x.len()).map(region).collect();
    // Of two inputs a window hides the first, the second, or both.
    let of_window = |window: usize| {
        let of_input = |input: usize| {
            let hides = net.x.len() == 1 || window % 3 == 2 || window % 3 == input;
            hides.then(|| boxes.pop()).flatten()
        };
        (0..net.x.len()).map(of_input).collect()
    };
    Windows { net, regions: (0..5).map(of_window).collect() }
}

fn hidden(windows: &Windows, window: usize, input: usize) -> Vec<f32> {
    let mut x = windows.net.x[input].clone();
    let shape = &windows.net.input;
    let Some(region) = &windows.regions[window][input] else { return x };
    for (place, value) in x.iter_mut().enumerate() {
        let mut rest = place;
        let inside = (0..shape.len()).rev().all(|axis| {
            let index = rest % shape[axis];
            rest /= shape[axis];
            region[axis].contains(&index)
        });
        if inside {
            *value = fill(window, input);
        }
    }
    x
}

fn check(seed: u64, rank: usize, isa: Isa) -> Result<(), TestCaseError> {
    let net = random_net(seed, rank);
    let windows = random_windows(&net, seed);
    let runner = Runner::new(
        Program::compile(net.graph.clone(), isa).map_err(|e| TestCaseError::fail(e.to_string()))?,
    );
    let all: Vec<usize> = (0..windows.len()).collect();
    let mut full = vec![Vec::new(); windows.len()];
    let of_window = |w: &usize| (0..net.x.len()).map(|input| hidden(&windows, *w, input)).collect();
    let inputs: Vec<Vec<Vec<f32>>> = all.iter().map(of_window).collect();
    runner
        .run(
            &all,
            Schedule { threads: 1, group: 4, batch: 8 },
            &|w, index, input| input.copy_from_slice(&inputs[w][index]),
            &mut |w, outputs| {
                full[w] = outputs.iter().map(|o| o.to_vec()).collect();
                ControlFlow::Continue(())
            },
        )
        .map_err(|e| TestCaseError::fail(e.to_string()))?;
    for form in [Form::Gather, Form::Delta, Form::Truncated] {
        let baseline = runner
            .baseline(form, &|_, index, input| input.copy_from_slice(&net.x[index]))
            .map_err(|e| TestCaseError::fail(e.to_string()))?;
        // What is redone is what was planned, step by step.
        let grouped = Schedule { threads: 1, group: 3, batch: 6 };
        let steps = runner
            .profile(&baseline, &windows, &all, grouped)
            .map_err(|e| TestCaseError::fail(e.to_string()))?;
        for step in steps.iter().filter(|_| form != Form::Truncated) {
            prop_assert_eq!(step.multiply_adds, step.planned.multiply_adds(), "{:?} {}", form, &step.label);
        }
        let work = runner.work(form, &windows, &all);
        let done: u64 = steps.iter().map(|step| step.multiply_adds).sum();
        if form == Form::Truncated {
            // What did not change at all is dropped too; dropping more does less, and dropping everything in front of the convolutions none of theirs.
            prop_assert!(done <= work.incremental.multiply_adds());
            let mut least = done;
            for drop_below in [0.1, f32::INFINITY] {
                let fewer = runner
                    .run_truncated(&baseline, &windows, &all, drop_below, grouped, &mut |_, _| {
                        ControlFlow::Continue(())
                    })
                    .map_err(|e| TestCaseError::fail(e.to_string()))?;
                prop_assert!(fewer <= least, "{} multiply-adds, {} before", fewer, least);
                least = fewer;
            }
        } else {
            prop_assert_eq!(done, work.incremental.multiply_adds());
        }
        for schedule in
            [Schedule { threads: 1, group: 1, batch: 1 }, Schedule { threads: 2, group: 3, batch: 6 }]
        {
            let mut got = vec![Vec::new(); windows.len()];
            let redone = runner
                .run_changes(&baseline, &windows, &all, schedule, &mut |w, outputs| {
                    got[w] = outputs.iter().map(|o| o.to_vec()).collect::<Vec<_>>();
                    ControlFlow::Continue(())
                })
                .map_err(|e| TestCaseError::fail(e.to_string()))?;
            prop_assert_eq!(redone, done);
            for window in 0..windows.len() {
                for (index, (got, full)) in got[window].iter().zip(&full[window]).enumerate() {
                    let largest = full.iter().fold(1e-3_f32, |m, v| m.max(v.abs()));
                    for (place, (g, f)) in got.iter().zip(full).enumerate() {
                        let same = g.to_bits() == f.to_bits();
                        let near = (g - f).abs() <= 1e-5 * largest;
                        prop_assert!(
                            same || (form != Form::Gather && near),
                            "{form:?} {schedule:?} window {window} {:?} output {index}[{place}]: {g} instead of {f} (largest {largest})",
                            windows.regions[window]
                        );
                    }
                }
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn signals(seed: u64) {
        check(seed, 1, Isa::detect())?;
    }

    #[test]
    fn images(seed: u64) {
        check(seed, 2, Isa::detect())?;
    }

    #[test]
    fn volumes(seed: u64) {
        check(seed, 3, Isa::detect())?;
    }

    #[test]
    fn images_scalar(seed: u64) {
        check(seed, 2, Isa::scalar())?;
    }
}
