//! Grouped convolutions: a product per group of channels, narrow groups several at a time.
//!
//! A group of 8 channels fills half a vector and reads runs too short to be worth finding. So neighbouring groups are packed as one matrix with
//! zeros where a group's inputs meet another's outputs, as wide as a vector: no more multiply-adds than the narrow product takes, and fewer
//! of everything else. A zero adds exactly nothing to a sum, so each output has the bits that its group alone gives; except where an input is
//! infinite or NaN, and then the groups are computed one by one.

use super::{PackedB, gemm_rows, shape::PanelShape};
use crate::{
    Epilogue, Isa, Pointwise, Rows, Strided, elementwise,
    isa::{Level, with_isa},
    lanes::all_lanes,
};
use fearless_simd::prelude::*;

/// Columns that groups are merged up to: one or two vectors on every processor with wide ones.
const COLUMNS: usize = 16;

/// Channels of a merged run.
const CHANNELS: usize = 32;

/// Weights of a convolution with channel groups (or one): all groups have the same channels in and out.
#[derive(Clone, Debug)]
pub struct PackedGroups {
    groups: usize,
    /// Channels in and columns out of a group.
    inputs: usize,
    outputs: usize,
    parts: Vec<Part>,
}

/// Some neighbouring groups.
#[derive(Clone, Debug)]
struct Part {
    /// The first group.
    first: usize,
    /// `[taps * count * inputs, count * outputs]`
    weights: PackedB,
}

impl PackedGroups {
    /// Packs `weight[taps, inputs of a group, outputs of all groups]`, row-major.
    ///
    /// # Panics
    /// If `weight` is not `taps * inputs * outputs` floats, or `outputs` no multiple of `groups`.
    pub fn pack(isa: Isa, weight: &[f32], taps: usize, inputs: usize, outputs: usize, groups: usize) -> Self {
        assert_eq!(weight.len(), taps * inputs * outputs, "floats for [{taps}, {inputs}, {outputs}]");
        assert!(groups > 0 && outputs.is_multiple_of(groups), "{outputs} outputs of {groups} groups");
        let mut packed = PackedGroups { groups, inputs, outputs: outputs / groups, parts: Vec::new() };
        if groups == 1 {
            packed.parts.push(Part { first: 0, weights: PackedB::pack(isa, weight, taps * inputs, outputs) });
            return packed;
        }
        let count = packed.merged(isa);
        for first in (0..groups).step_by(count) {
            // The last part begins early rather than being narrow: what two parts compute is the same.
            let first = first.min(groups - count);
            let dense = packed.dense(weight, taps, first, count);
            let weights = PackedB::pack(isa, &dense, taps * count * inputs, count * packed.outputs);
            packed.parts.push(Part { first, weights });
        }
        packed
    }

    /// How many groups go together.
    fn merged(&self, isa: Isa) -> usize {
        if PanelShape::of(isa).padded(1) * 2 < COLUMNS {
            // Narrow vectors are filled by narrow groups.
            return 1;
        }
        let (inputs, outputs) = (self.inputs.max(1), self.outputs.max(1));
        (COLUMNS / outputs).min(CHANNELS / inputs).clamp(1, self.groups)
    }

    /// The weights of `count` groups as one row-major matrix.
    fn dense(&self, weight: &[f32], taps: usize, first: usize, count: usize) -> Vec<f32> {
        let (inputs, outputs) = (self.inputs, self.outputs);
        let width = count * outputs;
        let mut dense = vec![0.0; taps * count * inputs * width];
        for (row, line) in weight.chunks_exact((self.groups * outputs).max(1)).enumerate() {
            let (tap, input) = (row / inputs, row % inputs);
            for group in 0..count {
                let from = &line[(first + group) * outputs..][..outputs];
                let to = ((tap * count + group) * inputs + input) * width + group * outputs;
                dense[to..to + outputs].copy_from_slice(from);
            }
        }
        dense
    }

    /// Number of groups.
    pub fn groups(&self) -> usize {
        self.groups
    }

    /// The matrix, if there is one group.
    pub fn single(&self) -> Option<&PackedB> {
        self.parts.first().map(|part| &part.weights).filter(|_| self.groups == 1)
    }

    /// Memory held, in bytes.
    pub fn bytes(&self) -> usize {
        self.parts.iter().map(|part| part.weights.bytes()).sum()
    }
}

impl From<PackedB> for PackedGroups {
    /// One group.
    fn from(weights: PackedB) -> Self {
        let (inputs, outputs) = (weights.k(), weights.n());
        PackedGroups { groups: 1, inputs, outputs, parts: vec![Part { first: 0, weights }] }
    }
}

/// [`gemm_rows`] for every group: column `j` of group `g` is column `g * outputs + j` of the output, bias and residual, and reads channels `g * inputs..` of
/// the runs, which hold the channels of all groups.
///
/// Each output has the bits of its group's product alone.
///
/// # Panics
/// If the runs are not as long as the groups have channels (with one group: if `rows.k()` is not the weights'), and as [`gemm_rows`].
pub fn gemm_groups(
    isa: Isa,
    rows: &Rows,
    weights: &PackedGroups,
    out: &mut [f32],
    out_stride: usize,
    out_offset: usize,
    epilogue: &Epilogue,
) {
    if let Some(weights) = weights.single() {
        return gemm_rows(isa, rows, weights, out, out_stride, out_offset, epilogue);
    }
    if rows.rows == 0 {
        return;
    }
    let &PackedGroups { groups, inputs, outputs, .. } = weights;
    assert_eq!(rows.seg, groups * inputs, "channels of a run for {groups} groups of {inputs}");
    for Part { first, weights } in &weights.parts {
        let count = weights.n() / outputs.max(1);
        let rows = Rows { seg: count * inputs, seg_offset: rows.seg_offset + first * inputs, ..*rows };
        let columns = (first * outputs, count * outputs);
        let epilogue = of_columns(epilogue, columns);
        let at = out_offset + columns.0;
        if count == 1 {
            gemm_rows(isa, &rows, weights, out, out_stride, at, &epilogue);
            continue;
        }
        // Bounds let a NaN pass; what comes after them might not, and waits.
        let (_, rest) = epilogue.split_activation();
        let waits = rest != Pointwise::Identity;
        let activation = if waits { Pointwise::Identity } else { epilogue.activation };
        let bounded = Epilogue { activation, ..epilogue };
        gemm_rows(isa, &rows, weights, out, out_stride, at, &bounded);
        let lines = out[at..].chunks(out_stride.max(1)).take(rows.rows);
        let is_finite = with_isa!(isa, simd => all_finite(simd, lines.map(|line| &line[..columns.1])));
        if !is_finite {
            one_by_one(isa, &rows, weights, count, (out, out_stride, at), &bounded);
        }
        if waits {
            for line in out[at..].chunks_mut(out_stride.max(1)).take(rows.rows) {
                elementwise::pointwise(isa, rest, &mut line[..columns.1]);
            }
        }
    }
}

/// The epilogue of columns `first..first + count`.
fn of_columns<'a>(epilogue: &Epilogue<'a>, (first, count): (usize, usize)) -> Epilogue<'a> {
    Epilogue {
        bias: epilogue.bias.map(|bias| &bias[first..first + count]),
        residual: epilogue.residual.map(|r| Strided { offset: r.offset + first, ..r }),
        activation: epilogue.activation,
    }
}

/// Whether no value is infinite or NaN.
#[inline(always)]
fn all_finite<'a, S: Level>(simd: S, lines: impl Iterator<Item = &'a [f32]>) -> bool {
    // A zero times a value is zero, or NaN for good.
    let zero = S::f32s::splat(simd, 0.0);
    let mut sum = zero;
    for line in lines {
        for lanes in all_lanes(simd, line.len()) {
            sum = lanes.load(simd, line).mul_add(zero, sum);
        }
    }
    sum.as_slice().iter().all(|&sum| sum == 0.0)
}

/// A merged part group by group, so that no group reads another's channels. Slow, for values that no network should have.
#[inline(never)]
fn one_by_one(
    isa: Isa,
    rows: &Rows,
    weights: &PackedB,
    count: usize,
    (out, out_stride, at): (&mut [f32], usize, usize),
    epilogue: &Epilogue,
) {
    let (inputs, outputs) = (rows.seg / count, weights.n() / count);
    let dense = weights.unpack();
    for group in 0..count {
        let own: Vec<f32> = dense
            .chunks_exact(count * outputs)
            .enumerate()
            .filter(|(k, _)| k / inputs % count == group)
            .flat_map(|(_, line)| &line[group * outputs..(group + 1) * outputs])
            .copied()
            .collect();
        let own = PackedB::pack(isa, &own, rows.taps * inputs, outputs);
        let rows = Rows { seg: inputs, seg_offset: rows.seg_offset + group * inputs, ..*rows };
        let epilogue = of_columns(epilogue, (group * outputs, outputs));
        gemm_rows(isa, &rows, &own, out, out_stride, at + group * outputs, &epilogue);
    }
}
