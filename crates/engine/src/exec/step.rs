//! One kernel for all examples of a group, from buffer to buffer.
//!
//! A [`Workspace`] belongs to one thread: the slots of a group and the scratch that kernels need, all kept between runs, so that nothing
//! is allocated in the loop. Constant operands are read in place.

use std::ops::Range;
use std::time::Instant;

use occlude_kernels as kernels;
use occlude_kernels::{
    Aligned, AxisTable, Broadcast, Epilogue, Isa, MatShape, PackedB, Planes, Pointwise, Rows, Strided,
};

use crate::graph::{Graph, TensorId};
use crate::{Error, Result};

use super::compile::{Program, Step};
use super::kernel::{AxisPass, Kernel, MatMul, Meeting, Product, Reduce, RowSource};
use super::slots::{Place, Slots};
use super::tables::Windows;

/// The buffers of one thread.
#[derive(Debug, Default)]
pub(super) struct Workspace {
    slots: Vec<Aligned>,
    examples: usize,
    scratch: Scratch,
}

/// Memory that kernels need beside inputs and output.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    table: Vec<u32>,
    packed: Option<PackedB>,
    a: Vec<f32>,
    b: Vec<f32>,
}

impl Workspace {
    /// Makes room for this many examples; what was in the buffers is lost.
    pub(super) fn prepare(&mut self, layout: &Slots, examples: usize) {
        self.slots.resize_with(layout.sizes.len(), Aligned::default);
        for (slot, size) in self.slots.iter_mut().zip(&layout.sizes) {
            slot.grow(examples * size);
        }
        self.examples = examples;
    }

    /// The buffer of a graph input for one example, in the stored order.
    pub(super) fn input_mut(
        &mut self,
        graph: &Graph,
        layout: &Slots,
        input: TensorId,
        example: usize,
    ) -> &mut [f32] {
        let len = graph.tensor(input).len();
        match layout.places[input.0] {
            Place::Slot(slot) => &mut self.slots[slot][example * len..(example + 1) * len],
            _ => &mut [],
        }
    }

    /// A tensor of one example after a run: any graph output, or any tensor if the layout keeps all.
    pub(super) fn tensor<'w>(
        &'w self,
        graph: &Graph,
        layout: &'w Slots,
        id: TensorId,
        example: usize,
    ) -> &'w [f32] {
        let len = graph.tensor(id).len();
        match &layout.places[id.0] {
            Place::Slot(slot) => &self.slots[*slot][example * len..(example + 1) * len],
            Place::Constant(values) => values,
            Place::Nowhere => &[],
        }
    }

    /// Goes on with the first examples only.
    pub(super) fn keep(&mut self, examples: usize) {
        self.examples = self.examples.min(examples);
    }

    /// Runs these steps on the inputs that were written; adds the seconds of each to `times`, if it is as long as the steps.
    ///
    /// # Errors
    /// What an operator without a kernel of ours reports.
    pub(super) fn run(
        &mut self,
        program: &Program,
        steps: Range<usize>,
        layout: &Slots,
        times: &mut [f64],
    ) -> Result<()> {
        for index in steps {
            let (step, started) = (&program.steps[index], Instant::now());
            self.step(program, layout, step).map_err(|e| e.at_node(&step.label))?;
            if let Some(time) = times.get_mut(index) {
                *time += started.elapsed().as_secs_f64();
            }
        }
        Ok(())
    }

    fn step(&mut self, program: &Program, layout: &Slots, step: &Step) -> Result<()> {
        let Place::Slot(slot) = layout.places[step.output.0] else {
            return Err(Error::model("a node without a buffer"));
        };
        let mut buffer = std::mem::take(&mut self.slots[slot]);
        let len = self.examples * program.graph.tensor(step.output).len();
        let operand = |id: &TensorId| match &layout.places[id.0] {
            Place::Slot(slot) => {
                let len = self.examples * program.graph.tensor(*id).len();
                Operand { data: self.slots[*slot].get(..len).unwrap_or_default(), is_constant: false }
            }
            Place::Constant(values) => Operand { data: values, is_constant: true },
            Place::Nowhere => Operand { data: &[], is_constant: true },
        };
        let inputs: Vec<Operand> = step.inputs.iter().map(operand).collect();
        let overwrites = step
            .inputs
            .first()
            .is_some_and(|id| matches!(layout.places[id.0], Place::Slot(input) if input == slot));
        let operands = Operands { isa: program.isa, inputs: &inputs, examples: self.examples, overwrites };
        let result = operands.run(&step.kernel, &mut buffer[..len], &mut self.scratch);
        self.slots[slot] = buffer;
        result
    }
}

impl Workspace {
    /// A product's sums and bias for one example, without residual and activation.
    pub(super) fn bare_product(
        &mut self,
        program: &Program,
        layout: &Slots,
        step: &Step,
        product: &Product,
    ) -> Vec<f32> {
        let Workspace { slots, scratch, .. } = self;
        let input = step.inputs[0];
        let len = program.graph.tensor(input).len();
        let data = match &layout.places[input.0] {
            Place::Slot(slot) => &slots[*slot][..len],
            Place::Constant(values) => values.as_slice(),
            Place::Nowhere => &[],
        };
        let inputs = [Operand { data, is_constant: false }];
        let operands = Operands { isa: program.isa, inputs: &inputs, examples: 1, overwrites: false };
        let mut out = vec![0.0; program.graph.tensor(step.output).len()];
        operands.product(product, Finish::Bare, &mut out, scratch);
        out
    }
}

/// What follows a product's sums and bias.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Finish {
    /// Residual and activation, as the graph says.
    Whole,
    /// Nothing.
    Bare,
}

/// One input of a step.
#[derive(Clone, Copy, Debug)]
pub(super) struct Operand<'a> {
    /// `[examples, len]`, or `[len]` of a constant.
    pub(super) data: &'a [f32],
    /// Whether it is the same for all examples.
    pub(super) is_constant: bool,
}

/// The inputs of a step for a group of examples.
pub(super) struct Operands<'a> {
    pub(super) isa: Isa,
    pub(super) inputs: &'a [Operand<'a>],
    pub(super) examples: usize,
    /// The first input is in the buffer that is written, and `inputs[0]` is empty.
    pub(super) overwrites: bool,
}

impl<'a> Operands<'a> {
    /// The input for all examples; a constant is there once.
    fn all(&self, index: usize) -> &'a [f32] {
        self.inputs[index].data
    }

    /// The input of one example.
    fn one(&self, index: usize, example: usize) -> &'a [f32] {
        let Operand { data, is_constant } = self.inputs[index];
        if is_constant {
            return data;
        }
        let len = data.len() / self.examples;
        &data[example * len..(example + 1) * len]
    }

    /// Writes the output of all examples.
    pub(super) fn run(&self, kernel: &Kernel, out: &mut [f32], scratch: &mut Scratch) -> Result<()> {
        let isa = self.isa;
        let per_example = out.len() / self.examples;
        match kernel {
            Kernel::Product(product) => self.product(product, Finish::Whole, out, scratch),
            Kernel::Depthwise(d) => {
                let epilogue = Epilogue {
                    bias: d.bias.as_ref().map(|b| b.as_slice()),
                    residual: None,
                    activation: d.activation,
                };
                let channels = d.windows.map.channels;
                let residual = d.has_residual.then(|| self.all(1));
                self.windows(&d.windows, channels, scratch, out, |rows, out, first| {
                    let residual = residual.map(|data| Strided { data, stride: channels, offset: first });
                    kernels::depthwise(
                        isa,
                        rows,
                        &d.weights,
                        out,
                        channels,
                        0,
                        &Epilogue { residual, ..epilogue },
                    );
                });
            }
            Kernel::MaxPool(windows) => {
                let channels = windows.map.channels;
                self.windows(windows, channels, scratch, out, |rows, out, _| {
                    kernels::pool_max(isa, rows, out, channels, 0);
                });
            }
            Kernel::AveragePool(windows, divisor) => {
                let (channels, pixels) = (windows.map.channels, windows.map.pixels());
                self.windows(windows, channels, scratch, out, |rows, out, first| {
                    let divisor = &divisor[(first / channels) % pixels..];
                    kernels::pool_average(isa, rows, divisor, out, channels, 0);
                });
            }
            Kernel::Affine { scale, shift, activation } if self.overwrites => {
                kernels::affine(isa, out, scale, shift, *activation);
            }
            Kernel::Affine { scale, shift, activation } => {
                kernels::affine_to(isa, self.all(0), scale, shift, *activation, out);
            }
            Kernel::Pointwise(f) if self.overwrites => kernels::pointwise(isa, *f, out),
            Kernel::Pointwise(f) => kernels::pointwise_to(isa, *f, self.all(0), out),
            Kernel::PRelu(slope) => {
                if !self.overwrites {
                    out.copy_from_slice(self.all(0));
                }
                kernels::prelu(isa, out, slope);
            }
            Kernel::Binary { op, activation, meeting } => {
                let whole = self.spans_batch(0, per_example) && self.spans_batch(1, per_example);
                match meeting {
                    Meeting::Tail if whole => {
                        kernels::binary(isa, *op, self.all(0), self.all(1), *activation, out);
                    }
                    Meeting::Tail => self.each(out, |example, out| {
                        kernels::binary(
                            isa,
                            *op,
                            self.one(0, example),
                            self.one(1, example),
                            *activation,
                            out,
                        );
                    }),
                    Meeting::Strided { dims, a, b } => {
                        let shape = Broadcast { dims, a_strides: a, b_strides: b };
                        self.each(out, |example, out| {
                            let (a, b) = (self.one(0, example), self.one(1, example));
                            kernels::binary_broadcast(isa, *op, shape, a, b, *activation, out);
                        });
                    }
                }
            }
            Kernel::Remainder { floor, dims, a, b } => self.each(out, |example, out| {
                remainder(*floor, dims, (a, self.one(0, example)), (b, self.one(1, example)), out);
            }),
            Kernel::Where { dims, strides } => {
                let [condition, a, b] = strides;
                let shape = Broadcast { dims, a_strides: a, b_strides: b };
                self.each(out, |example, out| {
                    let (c, a, b) = (self.one(0, example), self.one(1, example), self.one(2, example));
                    kernels::select_broadcast(shape, condition, c, a, b, out);
                });
            }
            Kernel::Softmax(kind, planes) => {
                let planes = Planes { outer: planes.outer * self.examples, ..*planes };
                kernels::softmax(isa, *kind, self.all(0), planes, out);
            }
            Kernel::Reduce(reduction) => self.each(out, |example, out| {
                reduce(isa, reduction, self.one(0, example), out, scratch);
            }),
            Kernel::LayerNorm { width, epsilon, scale, shift } => {
                kernels::layer_norm(isa, self.all(0), *width, Some(scale), Some(shift), *epsilon, out);
            }
            Kernel::GroupNorm { channels, groups, epsilon, scale, shift } => {
                self.each(out, |example, out| {
                    let x = self.one(0, example);
                    kernels::group_norm(isa, x, *channels, *groups, scale, shift, *epsilon, out);
                })
            }
            Kernel::Lrn(channels, parameters) => kernels::lrn(isa, self.all(0), *channels, *parameters, out),
            Kernel::MatMul(matmul) => self.each(out, |example, out| {
                mat_mul(isa, matmul, self.one(0, example), self.one(1, example), out, scratch);
            }),
            Kernel::Concat(runs) => self.each(out, |example, out| {
                let inputs: Vec<&[f32]> = (0..runs.len()).map(|i| self.one(i, example)).collect();
                concat(runs, &inputs, out);
            }),
            Kernel::Pick { dims, tables, fill } => {
                let tables: Vec<&[u32]> = tables.iter().map(Vec::as_slice).collect();
                self.each(out, |example, out| {
                    kernels::gather_axes(self.one(0, example), dims, &tables, *fill, out);
                });
            }
            Kernel::Resample(axes) => self.each(out, |example, out| {
                resample(isa, axes, self.one(0, example), out, scratch);
            }),
            Kernel::Permute { dims, order } => self.each(out, |example, out| {
                kernels::permute(self.one(0, example), dims, order, out);
            }),
            Kernel::Reshape => {
                if !self.overwrites {
                    self.each(out, |example, out| out.copy_from_slice(self.one(0, example)));
                }
            }
            Kernel::Foreign(foreign) => {
                for (example, out) in out.chunks_exact_mut(per_example.max(1)).enumerate() {
                    let inputs: Vec<&[f32]> = (0..self.inputs.len()).map(|i| self.one(i, example)).collect();
                    foreign.run(&inputs, out)?;
                }
            }
        }
        Ok(())
    }

    /// Whether reading the input for all examples as one slice lines up with the output of all examples.
    fn spans_batch(&self, index: usize, per_example: usize) -> bool {
        let Operand { data, is_constant } = self.inputs[index];
        is_constant || data.len() == per_example * self.examples || self.examples == 1
    }

    fn each(&self, out: &mut [f32], mut run: impl FnMut(usize, &mut [f32])) {
        let per_example = out.len() / self.examples;
        if per_example == 0 {
            return;
        }
        for (example, out) in out.chunks_exact_mut(per_example).enumerate() {
            run(example, out);
        }
    }

    /// Calls `run(rows, out, first)` for the output pixels of all examples; `first` is where `out` starts in the whole output, in floats.
    fn windows(
        &self,
        windows: &Windows,
        out_channels: usize,
        scratch: &mut Scratch,
        out: &mut [f32],
        mut run: impl FnMut(&Rows, &mut [f32], usize),
    ) {
        let map = &windows.map;
        let (pixels, len) = (map.pixels(), map.input.iter().product::<usize>() * map.channels);
        let x = self.all(0);
        windows.for_each_chunk(&mut scratch.table, |table, range| {
            let rows = Rows {
                table,
                taps: map.taps(),
                seg: map.channels,
                pixels: range.len(),
                repeat_stride: len,
                ..Rows::default()
            };
            if range.len() == pixels {
                run(&Rows { sources: [x, &[], &[]], rows: pixels * self.examples, ..rows }, out, 0);
                return;
            }
            for example in 0..self.examples {
                let first = (example * pixels + range.start) * out_channels;
                let part = &mut out[first..first + range.len() * out_channels];
                let x = &x[example * len..(example + 1) * len];
                run(&Rows { sources: [x, &[], &[]], rows: range.len(), ..rows }, part, first);
            }
        });
    }

    pub(super) fn product(&self, product: &Product, finish: Finish, out: &mut [f32], scratch: &mut Scratch) {
        let isa = self.isa;
        let columns = product.out_channels;
        let is_whole = finish == Finish::Whole;
        let residual = (product.has_residual && is_whole).then(|| self.all(1));
        let activation = if is_whole { product.activation } else { Pointwise::Identity };
        let bias = product.bias.as_ref().map(|b| b.as_slice());
        if let Some(lines) = &product.lines {
            let per_example = out.len() / self.examples;
            return self.each(out, |example, out| {
                lines.run(self.one(0, example), &mut scratch.a, |rows, pixel| {
                    let at = pixel * columns;
                    let offset = example * per_example + at;
                    let residual = residual.map(|data| Strided { data, stride: columns, offset });
                    let epilogue = Epilogue { bias, residual, activation };
                    kernels::gemm_groups(isa, rows, &product.weights, out, columns, at, &epilogue);
                });
            });
        }
        match &product.source {
            RowSource::Dense { rows, .. } => {
                let rows =
                    Rows::dense(self.all(0), rows * self.examples, product.in_channels, product.in_channels);
                let residual = residual.map(|data| Strided { data, stride: columns, offset: 0 });
                let epilogue = Epilogue { bias, residual, activation };
                kernels::gemm_groups(isa, &rows, &product.weights, out, columns, 0, &epilogue);
            }
            RowSource::Windows(windows) => {
                self.windows(windows, columns, scratch, out, |rows, out, first| {
                    let residual = residual.map(|data| Strided { data, stride: columns, offset: first });
                    let epilogue = Epilogue { bias, residual, activation };
                    kernels::gemm_groups(isa, rows, &product.weights, out, columns, 0, &epilogue);
                });
            }
        }
    }
}

fn reduce(isa: Isa, reduction: &Reduce, x: &[f32], out: &mut [f32], scratch: &mut Scratch) {
    let Scratch { a, b, .. } = scratch;
    let mut x = x;
    if let Some((dims, order)) = &reduction.permute {
        a.resize(x.len(), 0.0);
        kernels::permute(x, dims, order, a);
        x = a;
    }
    if reduction.log_sum_exp {
        return log_sum_exp(reduction.planes, x, out);
    }
    if reduction.before != Pointwise::Identity {
        b.resize(x.len(), 0.0);
        kernels::pointwise_to(isa, reduction.before, x, b);
        x = b;
    }
    kernels::reduce(isa, reduction.op, x, reduction.planes, out);
    if reduction.after != Pointwise::Identity {
        kernels::pointwise(isa, reduction.after, out);
    }
}

/// The maximum is taken out first, so that nothing overflows.
fn log_sum_exp(planes: Planes, x: &[f32], out: &mut [f32]) {
    for (at, out) in out.iter_mut().enumerate() {
        let (outer, inner) = (at / planes.inner, at % planes.inner);
        let values = || (0..planes.axis).map(|axis| x[planes.index(outer, axis, inner)]);
        let max = values().fold(f32::NEG_INFINITY, f32::max);
        let base = if max.is_finite() { max } else { 0.0 };
        *out = base + values().map(|v| (v - base).exp()).sum::<f32>().ln();
    }
}

fn mat_mul(isa: Isa, matmul: &MatMul, a: &[f32], b: &[f32], out: &mut [f32], scratch: &mut Scratch) {
    let &MatMul { m, k, n, transpose_b, .. } = matmul;
    if m * n == 0 {
        return;
    }
    let packed = scratch.packed.get_or_insert_with(|| PackedB::empty(isa));
    for (&(at_a, at_b), out) in matmul.starts.iter().zip(out.chunks_exact_mut(m * n)) {
        let shape = MatShape { m, k, n, transpose_b };
        kernels::matmul(isa, shape, &a[at_a..at_a + m * k], &b[at_b..at_b + k * n], packed, out);
    }
}

fn concat(runs: &[usize], inputs: &[&[f32]], out: &mut [f32]) {
    let total: usize = runs.iter().sum();
    if total == 0 {
        return;
    }
    for (outer, out) in out.chunks_exact_mut(total).enumerate() {
        let mut at = 0;
        for (input, &run) in inputs.iter().zip(runs) {
            out[at..at + run].copy_from_slice(&input[outer * run..(outer + 1) * run]);
            at += run;
        }
    }
}

fn resample(isa: Isa, axes: &[AxisPass], x: &[f32], out: &mut [f32], scratch: &mut Scratch) {
    let Scratch { a, b, .. } = scratch;
    a.clear();
    a.extend_from_slice(x);
    for AxisPass { planes, starts, index, weight } in axes {
        let table = AxisTable { starts, index, weight };
        b.resize(planes.outer * table.len() * planes.inner, 0.0);
        kernels::resize_axis(isa, a, *planes, table, b);
        std::mem::swap(a, b);
    }
    out.copy_from_slice(a);
}

fn remainder(floor: bool, dims: &[usize], a: (&[usize], &[f32]), b: (&[usize], &[f32]), out: &mut [f32]) {
    let mut index = vec![0; dims.len()];
    for out in out {
        let place = |strides: &[usize]| index.iter().zip(strides).map(|(i, s)| i * s).sum::<usize>();
        let (x, y) = (a.1[place(a.0)], b.1[place(b.0)]);
        let rest = x % y;
        *out = if floor && rest != 0.0 && (rest < 0.0) != (y < 0.0) { rest + y } else { rest };
        for (i, &len) in index.iter_mut().zip(dims).rev() {
            *i += 1;
            if *i < len {
                break;
            }
            *i = 0;
        }
    }
}
