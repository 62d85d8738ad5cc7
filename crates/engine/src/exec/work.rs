//! One step of an incremental run: the output boxes of all windows of a group, by the same kernels as a full run.
//!
//! Gather form: every output element in a box is computed again with all its taps, reading changed boxes and the baseline. Bit for bit equal to the full run,
//! since each element's sum has one order. Convolutions go through `gather` (or `delta`); elementwise operators copy their operands over the
//! box first; operators that mix places (global pooling, attention) see whole tensors and change as a whole.

use occlude_kernels as kernels;
use occlude_kernels::{Broadcast, Epilogue, PAD, Rows, SoftmaxKind, Strided};

use crate::Result;
use crate::graph::Region;

use super::change::{Boxes, Source, copy_part, is_whole, volume, whole};
use super::compile::{Program, broadcast_strides};
use super::delta::DeltaScratch;
use super::joined::Parts;
use super::kernel::{Kernel, Product, RowSource};
use super::step::{Finish, Operand, Operands, Scratch};
use super::strategy::Algorithm;

/// Memory that steps need beside inputs and output.
#[derive(Debug, Default)]
pub(super) struct Buffers {
    scratch: Scratch,
    pub(super) table: Vec<u32>,
    temporary: Vec<Vec<f32>>,
    delta: DeltaScratch,
    /// Of the step that ran last; see [`Boxes::unchanged`].
    pub(super) unchanged: Vec<bool>,
}

/// One step for all windows of a group.
pub(super) struct Work<'a> {
    pub(super) program: &'a Program,
    pub(super) inputs: &'a [Source<'a>],
    /// Per input, whether it is the same for all windows and inputs.
    pub(super) constant: Vec<bool>,
    /// The baseline's pre-activation of this step, where the delta form is used.
    pub(super) pre: Option<&'a [f32]>,
    pub(super) algorithm: &'a Algorithm,
    /// Per part of the first input, the length of a place's change below which it is dropped; empty where none is.
    pub(super) drop_below: &'a [f32],
    /// The first input in parts, where it is not put together.
    pub(super) parts: Option<(&'a Parts, &'a [Source<'a>])>,
    /// The output's untouched values.
    pub(super) output_baseline: &'a [f32],
    /// Of the output.
    pub(super) boxes: &'a Boxes,
    /// Of the output.
    pub(super) shape: &'a [usize],
}

impl<'a> Work<'a> {
    /// Writes the output's boxes; returns the multiply-adds done.
    pub(super) fn run(&self, kernel: &Kernel, out: &mut [f32], buffers: &mut Buffers) -> Result<u64> {
        let isa = self.program.isa;
        buffers.temporary.resize_with(buffers.temporary.len().max(3), Vec::new);
        let multiply_adds = match kernel {
            Kernel::Product(product) => {
                let multiply_adds = self.product(product, out, buffers);
                buffers.unchanged.clear();
                std::mem::swap(&mut buffers.unchanged, &mut buffers.delta.unchanged);
                return Ok(multiply_adds);
            }
            Kernel::Depthwise(depthwise)
                if !self.inputs[0].boxes.unchanged.is_empty() && !depthwise.has_residual =>
            {
                buffers.unchanged = self.unchanged_places(&depthwise.windows.map);
                return Ok(self.depthwise_of_changed(depthwise, out, buffers));
            }
            Kernel::Depthwise(depthwise) => out.len() * depthwise.windows.map.taps(),
            Kernel::MatMul(matmul) => out.len() * matmul.k,
            _ => 0,
        };
        buffers.unchanged.clear();
        let Buffers { scratch, table, temporary, .. } = buffers;
        match kernel {
            Kernel::Depthwise(d) => {
                let channels = d.windows.map.channels;
                let residual = d.has_residual.then(|| self.residual(1, &mut temporary[0]));
                self.windows(&d.windows.map, channels, table, |rows, range| {
                    let residual =
                        residual.map(|data| Strided { data, stride: channels, offset: range.start });
                    let bias = d.bias.as_ref().map(|b| b.as_slice());
                    let epilogue = Epilogue { bias, residual, activation: d.activation };
                    kernels::depthwise(isa, rows, &d.weights, &mut out[range], channels, 0, &epilogue);
                });
            }
            Kernel::MaxPool(windows) => {
                let channels = windows.map.channels;
                self.windows(&windows.map, channels, table, |rows, range| {
                    kernels::pool_max(isa, rows, &mut out[range], channels, 0);
                });
            }
            Kernel::AveragePool(windows, divisor) => {
                let channels = windows.map.channels;
                let divisors: Vec<f32> = self.places().map(|place| divisor[place]).collect();
                self.windows(&windows.map, channels, table, |rows, range| {
                    let divisor = &divisors[range.start / channels..];
                    kernels::pool_average(isa, rows, divisor, &mut out[range], channels, 0);
                });
            }
            Kernel::Affine { scale, shift, activation } => {
                self.same_box(out);
                kernels::affine(isa, out, scale, shift, *activation);
            }
            Kernel::Pointwise(f) => {
                self.same_box(out);
                kernels::pointwise(isa, *f, out);
            }
            Kernel::PRelu(slope) => {
                self.same_box(out);
                kernels::prelu(isa, out, slope);
            }
            Kernel::LayerNorm { width, epsilon, scale, shift } => {
                let x = self.residual(0, &mut temporary[0]);
                kernels::layer_norm(isa, x, *width, Some(scale), Some(shift), *epsilon, out);
            }
            Kernel::Lrn(channels, parameters) => {
                let x = self.residual(0, &mut temporary[0]);
                kernels::lrn(isa, x, *channels, *parameters, out);
            }
            Kernel::Softmax(kind, planes) if planes.inner == 1 => {
                let x = self.residual(0, &mut temporary[0]);
                softmax_rows(isa, *kind, planes.axis, x, out);
            }
            Kernel::Binary { op, activation, meeting: _ } => self.each(out, |window, region, out| {
                let [a_values, b_values, ..] = &mut temporary[..] else { return };
                let a = self.operand(0, window, region, a_values);
                let b = self.operand(1, window, region, b_values);
                let dims: Vec<usize> = region.iter().map(|r| r.len()).collect();
                if a.1 == dims && b.1 == dims {
                    kernels::binary(isa, *op, a.0, b.0, *activation, out);
                } else {
                    let shape = Broadcast {
                        dims: &dims,
                        a_strides: &broadcast_strides(&a.1, &dims),
                        b_strides: &broadcast_strides(&b.1, &dims),
                    };
                    kernels::binary_broadcast(isa, *op, shape, a.0, b.0, *activation, out);
                }
            }),
            Kernel::Where { .. } => self.each(out, |window, region, out| {
                let [c_values, a_values, b_values, ..] = &mut temporary[..] else { return };
                let c = self.operand(0, window, region, c_values);
                let a = self.operand(1, window, region, a_values);
                let b = self.operand(2, window, region, b_values);
                let dims: Vec<usize> = region.iter().map(|r| r.len()).collect();
                let shape = Broadcast {
                    dims: &dims,
                    a_strides: &broadcast_strides(&a.1, &dims),
                    b_strides: &broadcast_strides(&b.1, &dims),
                };
                kernels::select_broadcast(shape, &broadcast_strides(&c.1, &dims), c.0, a.0, b.0, out);
            }),
            Kernel::Concat(_) => {
                self.each(out, |window, region, out| self.concat(window, region, out, &mut temporary[0]))
            }
            Kernel::Permute { order, .. } => self.each(out, |window, region, out| {
                let mut need = vec![0..0; order.len()];
                for (axis, &from) in order.iter().enumerate() {
                    need[from] = region[axis].clone();
                }
                let values = &mut temporary[0];
                values.resize(volume(&need), 0.0);
                self.inputs[0].read(window, &need, values);
                let dims: Vec<usize> = need.iter().map(|r| r.len()).collect();
                kernels::permute(values, &dims, order, out);
            }),
            Kernel::Pick { tables, fill, .. } => self.each(out, |window, region, out| {
                self.pick(tables, *fill, window, region, out, &mut temporary[0]);
            }),
            Kernel::Reshape => self.each(out, |window, region, out| match self.inputs[0].changed(window) {
                Some((_, values)) if !is_whole(region, self.shape) && values.len() == out.len() => {
                    out.copy_from_slice(values)
                }
                _ => self.inputs[0].read(window, &whole(self.inputs[0].shape), &mut out[..]),
            }),
            _ => self.whole_tensors(kernel, out, scratch, temporary)?,
        }
        Ok(multiply_adds as u64)
    }

    /// Calls `run(window, region, out)` for every window that changes the output.
    fn each(&self, out: &mut [f32], mut run: impl FnMut(usize, &Region, &mut [f32])) {
        for (window, region) in self.boxes.regions.iter().enumerate() {
            if let Some(region) = region {
                run(window, region, &mut out[self.boxes.starts[window]..self.boxes.starts[window + 1]]);
            }
        }
    }

    /// Row-major spatial place in the whole output of every row, in the order of rows.
    pub(super) fn places(&self) -> impl Iterator<Item = usize> {
        let lead = self.shape.len() - 1;
        self.boxes.regions.iter().flatten().flat_map(move |region| {
            let rows: usize = region[..lead].iter().map(|r| r.len()).product();
            (0..rows).map(move |mut row| {
                let (mut place, mut step) = (0, 1);
                for axis in (0..lead).rev() {
                    place += (region[axis].start + row % region[axis].len()) * step;
                    row /= region[axis].len();
                    step *= self.shape[axis];
                }
                place
            })
        })
    }

    /// Copies the first input over the output's boxes.
    fn same_box(&self, out: &mut [f32]) {
        self.each(out, |window, region, out| self.inputs[0].read(window, region, out));
    }

    /// An input of the output's shape, over the output's boxes: in place if its boxes are the same, else copied to `values`.
    fn residual<'v>(&self, index: usize, values: &'v mut Vec<f32>) -> &'v [f32]
    where
        Self: 'v,
    {
        values.resize(self.boxes.total(), 0.0);
        self.each(values, |window, region, out| self.inputs[index].read(window, region, out));
        values
    }

    /// An input of a broadcast over the output's box: its values and dims (aligned at the last axis).
    fn operand<'v>(
        &'v self,
        index: usize,
        window: usize,
        region: &Region,
        values: &'v mut Vec<f32>,
    ) -> (&'v [f32], Vec<usize>) {
        let source = &self.inputs[index];
        let lead = region.len() - source.shape.len();
        let need: Region = source
            .shape
            .iter()
            .enumerate()
            .map(|(axis, &n)| if n == 1 { 0..1 } else { region[lead + axis].clone() })
            .collect();
        let dims = need.iter().map(|r| r.len()).collect();
        if let Some((changed, changed_values)) = source.changed(window)
            && *changed == need
        {
            return (changed_values, dims);
        }
        values.resize(volume(&need), 0.0);
        source.read(window, &need, values);
        (values, dims)
    }

    /// Inputs joined along an axis, over the output's box.
    fn concat(&self, window: usize, region: &Region, out: &mut [f32], values: &mut Vec<f32>) {
        let mut axis = 0;
        while axis < self.shape.len() && self.inputs.iter().all(|s| s.shape[axis] == self.shape[axis]) {
            axis += 1;
        }
        let axis = axis.min(self.shape.len() - 1);
        let mut offset = 0;
        for source in self.inputs {
            let n = source.shape[axis];
            let (start, end) = (region[axis].start.max(offset), region[axis].end.min(offset + n));
            if start < end {
                let mut need = region.clone();
                need[axis] = start - offset..end - offset;
                values.resize(volume(&need), 0.0);
                source.read(window, &need, values);
                let mut part = region.clone();
                part[axis] = start..end;
                copy_part(values, &part, out, region, &part);
            }
            offset += n;
        }
    }

    /// Indices per axis, over the output's box.
    fn pick(
        &self,
        tables: &[Vec<u32>],
        fill: f32,
        window: usize,
        region: &Region,
        out: &mut [f32],
        values: &mut Vec<f32>,
    ) {
        let parts: Vec<&[u32]> = tables.iter().zip(region).map(|(table, r)| &table[r.clone()]).collect();
        let read = |part: &&[u32]| {
            let used = || part.iter().filter(|&&i| i != PAD).map(|&i| i as usize);
            used().min().map_or(0..0, |lo| lo..used().max().unwrap_or(lo) + 1)
        };
        let need: Region = parts.iter().map(read).collect();
        if need.iter().any(|r| r.is_empty()) {
            out.fill(fill);
            return;
        }
        values.resize(volume(&need), 0.0);
        self.inputs[0].read(window, &need, values);
        let shifted: Vec<Vec<u32>> = parts
            .iter()
            .zip(&need)
            .map(|(part, r)| part.iter().map(|&i| if i == PAD { PAD } else { i - r.start as u32 }).collect())
            .collect();
        let shifted: Vec<&[u32]> = shifted.iter().map(Vec::as_slice).collect();
        let dims: Vec<usize> = need.iter().map(|r| r.len()).collect();
        kernels::gather_axes(values, &dims, &shifted, fill, out);
    }

    /// Any kernel on whole tensors, one window after the other.
    fn whole_tensors(
        &self,
        kernel: &Kernel,
        out: &mut [f32],
        scratch: &mut Scratch,
        temporary: &mut Vec<Vec<f32>>,
    ) -> Result<()> {
        temporary.resize_with(temporary.len().max(self.inputs.len()), Vec::new);
        for (window, region) in self.boxes.regions.iter().enumerate() {
            if region.is_none() {
                continue;
            }
            for (source, values) in self.inputs.iter().zip(temporary.iter_mut()) {
                if source.in_place(window).is_none() {
                    values.resize(source.shape.iter().product(), 0.0);
                    source.read(window, &whole(source.shape), values);
                }
            }
            let inputs: Vec<Operand> = (self.inputs.iter().zip(temporary.iter()).zip(&self.constant))
                .map(|((source, values), &is_constant)| Operand {
                    data: source.in_place(window).unwrap_or(values),
                    is_constant,
                })
                .collect();
            let operands =
                Operands { isa: self.program.isa, inputs: &inputs, examples: 1, overwrites: false };
            operands.run(
                kernel,
                &mut out[self.boxes.starts[window]..self.boxes.starts[window + 1]],
                scratch,
            )?;
        }
        Ok(())
    }

    /// Whether the boxes of an input are the output's, the last axis aside.
    pub(super) fn has_same_rows(&self, index: usize) -> bool {
        let lead = self.shape.len() - 1;
        let source = &self.inputs[index];
        source.shape.len() == self.shape.len()
            && self.boxes.regions.iter().zip(&source.boxes.regions).all(|(out, input)| match (out, input) {
                (None, None) => true,
                (Some(out), Some(input)) => {
                    out[..lead] == input[..lead] && input[lead].len() == source.shape[lead]
                }
                _ => false,
            })
    }

    fn product(&self, product: &Product, out: &mut [f32], buffers: &mut Buffers) -> u64 {
        let Buffers { scratch, table, temporary, delta, .. } = buffers;
        let isa = self.program.isa;
        let (k, columns, source) = (product.in_channels, product.out_channels, &self.inputs[0]);
        let bias = product.bias.as_ref().map(|b| b.as_slice());
        let [input_values, residual_values, ..] = &mut temporary[..] else { return 0 };
        // Everything changed everywhere: the full run's own path, which has the gather form's bits. Not beside the delta form: whether all windows of a group are
        // whole depends on the group, and the bits may not.
        let is_full = |index: usize| {
            let source = &self.inputs[index];
            source.boxes.regions.len() == self.boxes.regions.len()
                && source.boxes.regions.iter().all(|r| r.as_ref().is_some_and(|r| is_whole(r, source.shape)))
        };
        if self.pre.is_none()
            && (0..self.inputs.len()).all(is_full)
            && self.boxes.regions.iter().flatten().all(|r| is_whole(r, self.shape))
        {
            let operand = |s: &Source<'a>| Operand { data: s.values, is_constant: false };
            let inputs: Vec<Operand> = self.inputs.iter().map(operand).collect();
            let operands =
                Operands { isa, inputs: &inputs, examples: self.boxes.regions.len(), overwrites: false };
            operands.product(product, Finish::Whole, out, scratch);
            return (out.len() * product.depth()) as u64;
        }
        let residual = product.has_residual.then(|| {
            if self.has_same_rows(1) { self.inputs[1].values } else { self.residual(1, residual_values) }
        });
        if let (Some(pre), Some(map)) = (self.pre, product.map()) {
            return self.product_delta(product, map, pre, residual, out, delta);
        }
        match &product.source {
            RowSource::Dense { .. } => {
                let x = if self.has_same_rows(0) {
                    source.values
                } else {
                    // The input's box over the output's places.
                    input_values.resize(self.boxes.total() / columns * k, 0.0);
                    for (window, region) in self.boxes.regions.iter().enumerate() {
                        let Some(region) = region else { continue };
                        let mut need = self.input_places(region, source.shape);
                        if let Some(last) = need.last_mut() {
                            *last = 0..k;
                        }
                        let (from, to) = (
                            self.boxes.starts[window] / columns * k,
                            self.boxes.starts[window + 1] / columns * k,
                        );
                        source.read(window, &need, &mut input_values[from..to]);
                    }
                    input_values
                };
                let rows = Rows::dense(x, self.boxes.total() / columns, k, k);
                let residual = residual.map(|data| Strided { data, stride: columns, offset: 0 });
                let epilogue = Epilogue { bias, residual, activation: product.activation };
                kernels::gemm_groups(isa, &rows, &product.weights, out, columns, 0, &epilogue);
            }
            RowSource::Windows(windows) => {
                self.windows(&windows.map, columns, table, |rows, range| {
                    let residual =
                        residual.map(|data| Strided { data, stride: columns, offset: range.start });
                    let epilogue = Epilogue { bias, residual, activation: product.activation };
                    kernels::gemm_groups(isa, rows, &product.weights, &mut out[range], columns, 0, &epilogue);
                });
            }
        }
        (out.len() * product.depth()) as u64
    }

    /// The output's box in the axes of an input that has the same places.
    fn input_places(&self, region: &Region, shape: &[usize]) -> Region {
        let lead = region.len() - shape.len();
        region[lead..].to_vec()
    }
}

fn softmax_rows(isa: kernels::Isa, kind: SoftmaxKind, axis: usize, x: &[f32], out: &mut [f32]) {
    let planes = kernels::Planes { outer: out.len() / axis.max(1), axis, inner: 1 };
    kernels::softmax(isa, kind, x, planes, out);
}
