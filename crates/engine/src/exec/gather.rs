//! The gather form of an incremental run: every output that a window can reach is computed again, with all its taps, by the same kernels as
//! a full run, reading changed boxes and the baseline through index tables.
//!
//! Bit for bit equal to the full run, since each output element's sum has one order. In: the baseline and a group of windows. Out: the
//! graph's outputs behind each window. Operators that mix places (global pooling, attention) see whole tensors and change as a whole.

use occlude_kernels as kernels;
use occlude_kernels::{Broadcast, Epilogue, PAD, Rows, SOURCE_SHIFT, SoftmaxKind, Strided};

use crate::Result;
use crate::graph::{Region, TensorId};

use super::baseline::Baseline;
use super::change::{Boxes, Changes, Source, copy_part, differing, is_whole, volume, whole};
use super::compile::{Program, Step};
use super::delta::DeltaScratch;
use super::kernel::{Kernel, Product, RowSource};
use super::slots::Place;
use super::step::{Finish, Operand, Operands, Scratch};
use super::tables::{TABLE_ENTRIES, WindowMap};

/// The buffers of one thread.
#[derive(Debug, Default)]
pub(super) struct ChangeSpace {
    slots: Vec<Vec<f32>>,
    boxes: Vec<Boxes>,
    buffers: Buffers,
}

/// Memory that steps need beside inputs and output.
#[derive(Debug, Default)]
struct Buffers {
    scratch: Scratch,
    table: Vec<u32>,
    temporary: Vec<Vec<f32>>,
    delta: DeltaScratch,
}

impl ChangeSpace {
    /// Runs these windows.
    ///
    /// # Errors
    /// What an operator without a kernel of ours reports.
    pub(super) fn run(
        &mut self,
        program: &Program,
        baseline: &Baseline,
        changes: &dyn Changes,
        windows: &[usize],
    ) -> Result<()> {
        let count = windows.len();
        self.slots.resize_with(program.changes.sizes.len(), Vec::new);
        self.boxes.clear();
        self.boxes.resize(program.graph.tensors.len(), Boxes::default());
        for (index, input) in program.graph.inputs.iter().enumerate() {
            self.boxes[input.0] = if index == 0 {
                self.hide(program, baseline, *input, changes, windows)
            } else {
                Boxes::new(vec![None; count])
            };
        }
        for (index, (step, reach)) in program.steps.iter().zip(&program.reaches).enumerate() {
            let shape = &program.graph.tensor(step.output).shape;
            let regions = (0..count).map(|window| {
                let changed: Vec<Option<&Region>> = step
                    .inputs
                    .iter()
                    .map(|id| self.boxes[id.0].regions.get(window).and_then(Option::as_ref))
                    .collect();
                reach.forward(&changed).map(|region| widen(&step.kernel, region, shape))
            });
            let boxes = Boxes::new(regions.collect());
            if boxes.total() > 0 {
                let pre = baseline.pre_activation(program, index);
                self.step(program, baseline, step, &boxes, pre).map_err(|e| e.at_node(&step.label))?;
            }
            self.boxes[step.output.0] = boxes;
        }
        Ok(())
    }

    /// Writes the hidden boxes of an input, each shrunk to the elements that the fill really changed (the black around a scan costs nothing).
    fn hide(
        &mut self,
        program: &Program,
        baseline: &Baseline,
        input: TensorId,
        changes: &dyn Changes,
        windows: &[usize],
    ) -> Boxes {
        let shape = &program.graph.tensor(input).shape;
        let untouched = baseline.tensor(program, input);
        let all = whole(shape);
        // Kernels that read rows of channels want them whole, also where a window hides some channels only.
        let reads_rows =
            |step: &Step| step.inputs.contains(&input) && !matches!(step.kernel, Kernel::Permute { .. });
        let rows_are_read = program.steps.iter().any(reads_rows);
        let mut hidden = Vec::with_capacity(windows.len());
        let mut regions = Vec::with_capacity(windows.len());
        for &window in windows {
            let region = changes.region(window);
            let mut values = vec![0.0; volume(&region)];
            changes.write(window, &mut values);
            let mut before = vec![0.0; values.len()];
            copy_part(untouched, &all, &mut before, &region, &region);
            let tight = differing(&region, &values, &before).map(|mut tight| {
                if let (true, Some(last), Some(&n)) = (rows_are_read, tight.last_mut(), shape.last()) {
                    *last = 0..n;
                }
                tight
            });
            regions.push(tight);
            hidden.push((region, values));
        }
        let boxes = Boxes::new(regions);
        let Place::Slot(slot) = program.changes.places[input.0] else { return boxes };
        self.slots[slot].resize(boxes.total(), 0.0);
        for (index, (region, values)) in hidden.iter().enumerate() {
            let Some(tight) = &boxes.regions[index] else { continue };
            let out = &mut self.slots[slot][boxes.starts[index]..boxes.starts[index + 1]];
            copy_part(untouched, &all, out, tight, tight);
            let part: Region =
                tight.iter().zip(region).map(|(t, r)| t.start.max(r.start)..t.end.min(r.end)).collect();
            copy_part(values, region, out, tight, &part);
        }
        boxes
    }

    /// A graph output behind a window; the baseline's where it did not change.
    pub(super) fn output(
        &self,
        program: &Program,
        baseline: &Baseline,
        id: TensorId,
        window: usize,
        out: &mut Vec<f32>,
    ) {
        let source = Source::of(program, baseline, &self.slots, &self.boxes, id);
        out.resize(program.graph.tensor(id).len(), 0.0);
        source.read(window, &whole(source.shape), out);
    }

    fn step(
        &mut self,
        program: &Program,
        baseline: &Baseline,
        step: &Step,
        boxes: &Boxes,
        pre: Option<&[f32]>,
    ) -> Result<()> {
        let Place::Slot(slot) = program.changes.places[step.output.0] else { return Ok(()) };
        let mut buffer = std::mem::take(&mut self.slots[slot]);
        buffer.resize(boxes.total().max(buffer.len()), 0.0);
        let inputs: Vec<Source> = step
            .inputs
            .iter()
            .map(|id| Source::of(program, baseline, &self.slots, &self.boxes, *id))
            .collect();
        let shape = &program.graph.tensor(step.output).shape;
        let work = Work {
            program,
            inputs: &inputs,
            pre,
            constant: step.inputs.iter().map(|id| program.graph.tensor(*id).constant.is_some()).collect(),
            boxes,
            shape,
        };
        let result = work.run(&step.kernel, &mut buffer[..boxes.total()], &mut self.buffers);
        self.slots[slot] = buffer;
        result
    }
}

/// The box that is computed where `region` can change: the last axis (the channels of a place) whole; everything for operators that mix places.
fn widen(kernel: &Kernel, mut region: Region, shape: &[usize]) -> Region {
    let by_place = match kernel {
        Kernel::Product(_)
        | Kernel::Depthwise(_)
        | Kernel::MaxPool(_)
        | Kernel::AveragePool(..)
        | Kernel::Affine { .. }
        | Kernel::Pointwise(_)
        | Kernel::PRelu(_)
        | Kernel::Binary { .. }
        | Kernel::Where { .. }
        | Kernel::LayerNorm { .. }
        | Kernel::Lrn(..)
        | Kernel::Permute { .. }
        | Kernel::Reshape => true,
        Kernel::Softmax(_, planes) => planes.inner == 1,
        Kernel::Concat(_) | Kernel::Pick { .. } => true,
        _ => false,
    };
    if !by_place {
        return whole(shape);
    }
    if let (Some(last), Some(&n)) = (region.last_mut(), shape.last()) {
        *last = 0..n;
    }
    region
}

/// One step for all windows of a group.
pub(super) struct Work<'a> {
    pub(super) program: &'a Program,
    pub(super) inputs: &'a [Source<'a>],
    constant: Vec<bool>,
    /// The baseline's pre-activation of this step, where the delta form is used.
    pre: Option<&'a [f32]>,
    /// Of the output.
    pub(super) boxes: &'a Boxes,
    /// Of the output.
    pub(super) shape: &'a [usize],
}

impl<'a> Work<'a> {
    fn run(&self, kernel: &Kernel, out: &mut [f32], buffers: &mut Buffers) -> Result<()> {
        let isa = self.program.isa;
        buffers.temporary.resize_with(buffers.temporary.len().max(3), Vec::new);
        if let Kernel::Product(product) = kernel {
            self.product(product, out, buffers);
            return Ok(());
        }
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
                        a_strides: &strides(&a.1, &dims),
                        b_strides: &strides(&b.1, &dims),
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
                    a_strides: &strides(&a.1, &dims),
                    b_strides: &strides(&b.1, &dims),
                };
                kernels::select_broadcast(shape, &strides(&c.1, &dims), c.0, a.0, b.0, out);
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
        Ok(())
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
    fn places(&self) -> impl Iterator<Item = usize> {
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
    fn has_same_rows(&self, index: usize) -> bool {
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

    fn product(&self, product: &Product, out: &mut [f32], buffers: &mut Buffers) {
        let Buffers { scratch, table, temporary, delta } = buffers;
        let isa = self.program.isa;
        let (k, columns, source) = (product.in_channels, product.out_channels, &self.inputs[0]);
        let bias = product.bias.as_ref().map(|b| b.as_slice());
        let [input_values, residual_values, ..] = &mut temporary[..] else { return };
        // Everything changed everywhere: the full run's own path.
        let is_full = |index: usize| {
            let source = &self.inputs[index];
            source.boxes.regions.len() == self.boxes.regions.len()
                && source.boxes.regions.iter().all(|r| r.as_ref().is_some_and(|r| is_whole(r, source.shape)))
        };
        if (0..self.inputs.len()).all(is_full)
            && self.boxes.regions.iter().flatten().all(|r| is_whole(r, self.shape))
        {
            let operand = |s: &Source<'a>| Operand { data: s.values, is_constant: false };
            let inputs: Vec<Operand> = self.inputs.iter().map(operand).collect();
            let operands =
                Operands { isa, inputs: &inputs, examples: self.boxes.regions.len(), overwrites: false };
            operands.product(product, Finish::Whole, out, scratch);
            return;
        }
        let residual = product.has_residual.then(|| {
            if self.has_same_rows(1) { self.inputs[1].values } else { self.residual(1, residual_values) }
        });
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
                kernels::gemm_rows(isa, &rows, &product.weights[0], out, columns, 0, &epilogue);
            }
            RowSource::Windows(windows) => {
                if let Some(pre) = self.pre {
                    self.product_delta(product, &windows.map, pre, residual, out, delta);
                    return;
                }
                let groups = product.weights.len();
                let (seg, width) = (k / groups, columns / groups);
                self.windows(&windows.map, columns, table, |rows, range| {
                    for (group, weights) in product.weights.iter().enumerate() {
                        let rows = Rows { seg, seg_offset: group * seg, ..*rows };
                        let offset = group * width;
                        let residual = residual.map(|data| Strided {
                            data,
                            stride: columns,
                            offset: range.start + offset,
                        });
                        let bias = bias.map(|b| &b[offset..offset + width]);
                        let epilogue = Epilogue { bias, residual, activation: product.activation };
                        kernels::gemm_rows(
                            isa,
                            &rows,
                            weights,
                            &mut out[range.clone()],
                            columns,
                            offset,
                            &epilogue,
                        );
                    }
                });
            }
        }
    }

    /// The output's box in the axes of an input that has the same places.
    fn input_places(&self, region: &Region, shape: &[usize]) -> Region {
        let lead = region.len() - shape.len();
        region[lead..].to_vec()
    }

    /// Calls `run(rows, range of the output)` for chunks of rows of all windows, the rows found through a table of changed boxes (source 0)
    /// and baseline (source 1).
    fn windows(
        &self,
        map: &WindowMap,
        out_channels: usize,
        table: &mut Vec<u32>,
        mut run: impl FnMut(&Rows, std::ops::Range<usize>),
    ) {
        let source = &self.inputs[0];
        let taps = map.taps();
        let chunk = (TABLE_ENTRIES / taps).max(1);
        let (mut first_row, mut rows) = (0, 0);
        table.clear();
        let mut flush = |table: &mut Vec<u32>, first_row: &mut usize, rows: &mut usize| {
            if *rows > 0 {
                let rows_of = Rows {
                    sources: [source.values, source.baseline, &[]],
                    table,
                    taps,
                    seg: map.channels,
                    pixels: *rows,
                    rows: *rows,
                    ..Rows::default()
                };
                run(&rows_of, *first_row * out_channels..(*first_row + *rows) * out_channels);
            }
            *first_row += *rows;
            *rows = 0;
            table.clear();
        };
        for (window, region) in self.boxes.regions.iter().enumerate() {
            let Some(region) = region else { continue };
            let changed = source.boxes.regions.get(window).and_then(Option::as_ref);
            let start = source.boxes.starts.get(window).copied().unwrap_or(0);
            let taps_of = Taps::new(map, region, changed, start);
            let pixels: usize = region[1..region.len() - 1].iter().map(|r| r.len()).product();
            let mut done = 0;
            while done < pixels {
                let part = (pixels - done).min(chunk - rows);
                taps_of.push(done..done + part, table);
                (rows, done) = (rows + part, done + part);
                if rows == chunk {
                    flush(table, &mut first_row, &mut rows);
                }
            }
        }
        flush(table, &mut first_row, &mut rows);
    }
}

/// Where a tap's input index lies on one axis.
#[derive(Clone, Copy)]
struct Coordinate {
    /// In the whole axis.
    absolute: usize,
    /// In the changed box, if it is in there.
    in_box: Option<usize>,
}

/// Table entries of one window: per axis, per output index of the box, per tap.
struct Taps<'a> {
    map: &'a WindowMap,
    axes: Vec<Vec<Option<Coordinate>>>,
    output: Vec<usize>,
    changed: Vec<usize>,
    start: usize,
}

impl<'a> Taps<'a> {
    fn new(map: &'a WindowMap, region: &Region, changed: Option<&Region>, start: usize) -> Self {
        let rank = map.input.len();
        let axis = |axis: usize| {
            let changed = changed.map(|c| &c[axis + 1]);
            let coordinate = |absolute: usize| Coordinate {
                absolute,
                in_box: changed.filter(|c| c.contains(&absolute)).map(|c| absolute - c.start),
            };
            let taps = 0..map.geometry.kernel[axis];
            region[axis + 1]
                .clone()
                .flat_map(|o| taps.clone().map(move |t| (o, t)))
                .map(|(o, t)| map.geometry.reads(axis, o, t, map.input[axis], map.transposed).map(coordinate))
                .collect()
        };
        Taps {
            map,
            axes: (0..rank).map(axis).collect(),
            output: region[1..=rank].iter().map(|r| r.len()).collect(),
            changed: changed.map_or(vec![0; rank], |c| c[1..=rank].iter().map(|r| r.len()).collect()),
            start,
        }
    }

    /// Entries of these pixels of the box, row-major.
    fn push(&self, pixels: std::ops::Range<usize>, table: &mut Vec<u32>) {
        let rank = self.output.len();
        let mut at = vec![0; rank];
        for pixel in pixels {
            let mut rest = pixel;
            for axis in (0..rank).rev() {
                at[axis] = rest % self.output[axis];
                rest /= self.output[axis];
            }
            self.push_axis(&at, 0, Some(0), Some(0), table);
        }
    }

    fn push_axis(
        &self,
        at: &[usize],
        axis: usize,
        absolute: Option<usize>,
        in_box: Option<usize>,
        table: &mut Vec<u32>,
    ) {
        let kernel = self.map.geometry.kernel[axis];
        let row = &self.axes[axis][at[axis] * kernel..(at[axis] + 1) * kernel];
        let is_last = axis + 1 == at.len();
        for coordinate in row {
            let absolute =
                absolute.zip(*coordinate).map(|(base, c)| base * self.map.input[axis] + c.absolute);
            let in_box =
                in_box.zip(coordinate.and_then(|c| c.in_box)).map(|(base, c)| base * self.changed[axis] + c);
            if !is_last {
                self.push_axis(at, axis + 1, absolute, in_box, table);
                continue;
            }
            table.push(match (in_box, absolute) {
                (Some(place), _) => (self.start + place * self.map.channels) as u32,
                (None, Some(place)) => 1 << SOURCE_SHIFT | (place * self.map.channels) as u32,
                (None, None) => PAD,
            });
        }
    }
}

fn softmax_rows(isa: kernels::Isa, kind: SoftmaxKind, axis: usize, x: &[f32], out: &mut [f32]) {
    let planes = kernels::Planes { outer: out.len() / axis.max(1), axis, inner: 1 };
    kernels::softmax(isa, kind, x, planes, out);
}

/// Strides that read `dims` (aligned at the last axis) as `out`; 0 where it is repeated.
fn strides(dims: &[usize], out: &[usize]) -> Vec<usize> {
    super::compile::broadcast_strides(dims, out)
}
