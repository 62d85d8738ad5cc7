//! An incremental run of a group of windows: the changed boxes of every tensor, node by node.
//!
//! In: the baseline and the windows. Each window is hidden (its box shrunk to what really changed), each step gets the boxes that its output can
//! change (`reach`), and `work` computes them. Out: the graph's outputs behind each window.

use std::time::Instant;

use occlude_kernels::Aligned;

use crate::Result;
use crate::graph::{Region, TensorId};

use super::baseline::Baseline;
use super::change::{Boxes, Changes, Source, copy_part, differing, volume, whole};
use super::compile::{Program, Step};
use super::kernel::Kernel;
use super::slots::Place;
use super::strategy::Strategy;
use super::window_batch::Tally;
use super::work::{Buffers, Work};

/// The buffers of one thread.
#[derive(Debug, Default)]
pub(super) struct ChangeSpace {
    slots: Vec<Aligned>,
    boxes: Vec<Boxes>,
    buffers: Buffers,
}

impl ChangeSpace {
    /// Runs the body for these windows; adds what each step took and did to its tally.
    ///
    /// # Errors
    /// What an operator without a kernel of ours reports.
    pub(super) fn run(
        &mut self,
        program: &Program,
        baseline: &Baseline,
        strategy: &Strategy,
        changes: &dyn Changes,
        windows: &[usize],
        tallies: &mut [Tally],
    ) -> Result<()> {
        let count = windows.len();
        self.slots.resize_with(program.changes(baseline.form()).sizes.len(), Aligned::default);
        self.boxes.clear();
        self.boxes.resize(program.graph.tensors.len(), Boxes::new(vec![None; count]));
        for (index, input) in program.graph.inputs.iter().enumerate() {
            self.boxes[input.0] = self.hide(program, baseline, index, *input, changes, windows);
        }
        for (index, (step, tally)) in program.steps[..program.head.first].iter().zip(tallies).enumerate() {
            let started = Instant::now();
            let regions = (0..count).map(|window| {
                reached_by_step(program, index, |id| {
                    self.boxes[id.0].regions.get(window).and_then(Option::as_ref)
                })
            });
            let mut boxes = Boxes::new(regions.collect());
            if boxes.total() > 0 {
                let done = self.step(program, baseline, strategy, index, &boxes);
                tally.multiply_adds += done.map_err(|e| e.at_node(&step.label))?;
                boxes.unchanged = std::mem::take(&mut self.buffers.unchanged);
            }
            self.boxes[step.output.0] = boxes;
            tally.secs += started.elapsed().as_secs_f64();
        }
        Ok(())
    }

    /// Whether a window changes any of these tensors.
    pub(super) fn changes_any(&self, ids: &[TensorId], window: usize) -> bool {
        ids.iter().any(|id| self.boxes[id.0].regions[window].is_some())
    }

    /// Writes the hidden boxes of an input, each shrunk to the elements that the fill really changed (the black around a scan costs nothing).
    fn hide(
        &mut self,
        program: &Program,
        baseline: &Baseline,
        index: usize,
        input: TensorId,
        changes: &dyn Changes,
        windows: &[usize],
    ) -> Boxes {
        let shape = &program.graph.tensor(input).shape;
        let untouched = baseline.tensor(program, input);
        let all = whole(shape);
        // Kernels that read rows of channels want them whole, also where a window hides some channels only. Moves of axes do not, where the last axis becomes
        // another one (a single channel moved last is a mere reshape).
        let reads_rows = |step: &Step| {
            let moves_last = match step.kernel {
                Kernel::Permute { .. } => true,
                Kernel::Reshape => program.graph.tensor(step.output).shape.last() != shape.last(),
                _ => false,
            };
            step.inputs.contains(&input) && !moves_last
        };
        let rows_are_read = program.steps.iter().any(reads_rows);
        let mut hidden = Vec::with_capacity(windows.len());
        let mut regions = Vec::with_capacity(windows.len());
        for &window in windows {
            let Some(region) = changes.region(window, index) else {
                regions.push(None);
                hidden.push((Region::new(), Vec::new()));
                continue;
            };
            let mut values = vec![0.0; volume(&region)];
            changes.write(window, index, &mut values);
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
        let Place::Slot(slot) = program.changes(baseline.form()).places[input.0] else { return boxes };
        self.slots[slot].grow(boxes.total());
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

    /// A tensor that the body keeps, whole, behind a window; the baseline's where it did not change.
    pub(super) fn tensor(
        &self,
        program: &Program,
        baseline: &Baseline,
        id: TensorId,
        window: usize,
        out: &mut [f32],
    ) {
        let source = Source::of(program, baseline, &self.slots, &self.boxes, id);
        source.read(window, &whole(source.shape), out);
    }

    fn step(
        &mut self,
        program: &Program,
        baseline: &Baseline,
        strategy: &Strategy,
        index: usize,
        boxes: &Boxes,
    ) -> Result<u64> {
        let step = &program.steps[index];
        let Place::Slot(slot) = program.changes(baseline.form()).places[step.output.0] else { return Ok(0) };
        let mut buffer = std::mem::take(&mut self.slots[slot]);
        buffer.grow(boxes.total());
        let source = |id: &TensorId| Source::of(program, baseline, &self.slots, &self.boxes, *id);
        let inputs: Vec<Source> = step.inputs.iter().map(source).collect();
        let pre = baseline.pre_activation(program, index);
        let parts = program.joins.parts.get(&index).filter(|_| pre.is_some());
        let sources: Vec<Source> =
            parts.map_or(Vec::new(), |parts| parts.sources.iter().map(|(id, _)| source(id)).collect());
        let shape = &program.graph.tensor(step.output).shape;
        let drop_below: Vec<f32> =
            baseline.magnitudes(index).iter().map(|magnitude| magnitude * strategy.drop_below).collect();
        let work = Work {
            program,
            inputs: &inputs,
            pre,
            algorithm: &strategy.algorithms[index],
            drop_below: &drop_below,
            parts: parts.map(|parts| (parts, &sources[..])),
            constant: step.inputs.iter().map(|id| program.graph.tensor(*id).constant.is_some()).collect(),
            output_baseline: baseline.tensor(program, step.output),
            boxes,
            shape,
        };
        let result = work.run(&step.kernel, &mut buffer[..boxes.total()], &mut self.buffers);
        self.slots[slot] = buffer;
        result
    }
}

/// The box that a step computes behind a window, given the boxes of its inputs.
fn reached_by_step<'a>(
    program: &Program,
    index: usize,
    changed: impl Fn(TensorId) -> Option<&'a Region>,
) -> Option<Region> {
    let step = &program.steps[index];
    let inputs: Vec<Option<&Region>> = step.inputs.iter().map(|id| changed(*id)).collect();
    let region = program.reaches[index].forward(&inputs)?;
    Some(widen(&step.kernel, region, &program.graph.tensor(step.output).shape))
}

/// The box of every tensor of the body, by tensor, behind a window that hides these regions, one per input.
pub(super) fn reached(program: &Program, hidden: &[Option<Region>]) -> Vec<Option<Region>> {
    let mut regions = vec![None; program.graph.tensors.len()];
    for (input, hidden) in program.graph.inputs.iter().zip(hidden) {
        regions[input.0].clone_from(hidden);
    }
    for (index, step) in program.steps[..program.head.first].iter().enumerate() {
        regions[step.output.0] = reached_by_step(program, index, |id| regions[id.0].as_ref());
    }
    regions
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
