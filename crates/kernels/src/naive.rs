//! The definitions: every kernel written as the plain loops of its formula.
//!
//! Each function here has the signature of its fast twin less the instruction set, accumulates in f64 where the twin sums, and is
//! the oracle that property tests compare the twin with. Nothing here is fast, and nothing outside tests should call it.

use crate::{
    AxisTable, Broadcast, Epilogue, Lrn, MatShape, Planes, Pointwise, Reduction, Rows, SoftmaxKind, Strided,
};

pub mod functions;

/// `out[r * out_stride + out_offset + j] = act(sum_k A[r, k] B[k, j] + bias[j] + residual)` with B row-major `[k, n]`.
pub fn gemm_rows(
    rows: &Rows,
    b: &[f32],
    n: usize,
    out: &mut [f32],
    out_stride: usize,
    out_offset: usize,
    epilogue: &Epilogue,
) {
    for r in 0..rows.rows {
        for j in 0..n {
            let mut sum = 0.0;
            for tap in 0..rows.taps {
                let Some(run) = rows.run(r, tap) else { continue };
                for (i, &a) in run.iter().enumerate() {
                    sum += f64::from(a) * f64::from(b[(tap * rows.seg + i) * n + j]);
                }
            }
            out[r * out_stride + out_offset + j] = finish(sum, r, j, epilogue);
        }
    }
}

fn finish(sum: f64, r: usize, j: usize, epilogue: &Epilogue) -> f32 {
    let bias = epilogue.bias.map_or(0.0, |bias| f64::from(bias[j]));
    let residual = epilogue
        .residual
        .map_or(0.0, |Strided { data, stride, offset }| f64::from(data[r * stride + offset + j]));
    functions::pointwise(epilogue.activation, (sum + bias + residual) as f32)
}

/// `out[m, n] = a[m, k] b[k, n]`, b given as `[n, k]` if `transpose_b`.
pub fn matmul(shape: MatShape, a: &[f32], b: &[f32], out: &mut [f32]) {
    let MatShape { m, k, n, transpose_b } = shape;
    for i in 0..m {
        for j in 0..n {
            let sum: f64 = (0..k)
                .map(|p| {
                    let b = if transpose_b { b[j * k + p] } else { b[p * n + j] };
                    f64::from(a[i * k + p]) * f64::from(b)
                })
                .sum();
            out[i * n + j] = sum as f32;
        }
    }
}

/// `out[r, j] = act(sum_tap row[r, tap, j] weights[tap, j] + bias[j] + residual)`, weights `[taps, seg]`.
pub fn depthwise(
    rows: &Rows,
    weights: &[f32],
    out: &mut [f32],
    out_stride: usize,
    out_offset: usize,
    epilogue: &Epilogue,
) {
    for r in 0..rows.rows {
        for j in 0..rows.seg {
            let sum: f64 = (0..rows.taps)
                .filter_map(|tap| {
                    rows.run(r, tap).map(|run| f64::from(run[j]) * f64::from(weights[tap * rows.seg + j]))
                })
                .sum();
            out[r * out_stride + out_offset + j] = finish(sum, r, j, epilogue);
        }
    }
}

/// Largest value over the taps that are not padding; NaN if any is NaN, -inf if there is none.
pub fn pool_max(rows: &Rows, out: &mut [f32], out_stride: usize, out_offset: usize) {
    for r in 0..rows.rows {
        for j in 0..rows.seg {
            let mut best = f32::NEG_INFINITY;
            for run in (0..rows.taps).filter_map(|tap| rows.run(r, tap)) {
                best = max(best, run[j]);
            }
            out[r * out_stride + out_offset + j] = best;
        }
    }
}

/// Sum over the taps that are not padding, divided by `divisor[r % pixels]`.
pub fn pool_average(rows: &Rows, divisor: &[f32], out: &mut [f32], out_stride: usize, out_offset: usize) {
    for r in 0..rows.rows {
        for j in 0..rows.seg {
            let sum: f64 =
                (0..rows.taps).filter_map(|tap| rows.run(r, tap)).map(|run| f64::from(run[j])).sum();
            out[r * out_stride + out_offset + j] = (sum / f64::from(divisor[r % rows.pixels])) as f32;
        }
    }
}

fn max(a: f32, b: f32) -> f32 {
    if a.is_nan() || b.is_nan() { f32::NAN } else { a.max(b) }
}

fn min(a: f32, b: f32) -> f32 {
    if a.is_nan() || b.is_nan() { f32::NAN } else { a.min(b) }
}

/// `x[outer, axis, inner]` to `out[outer, inner]`.
pub fn reduce(op: Reduction, x: &[f32], planes: Planes, out: &mut [f32]) {
    for o in 0..planes.outer {
        for i in 0..planes.inner {
            let line = || (0..planes.axis).map(|a| x[planes.index(o, a, i)]);
            let wide = || line().map(f64::from);
            out[o * planes.inner + i] = match op {
                Reduction::Sum => wide().sum::<f64>() as f32,
                Reduction::Mean => (wide().sum::<f64>() / planes.axis as f64) as f32,
                Reduction::SumSquare => wide().map(|v| v * v).sum::<f64>() as f32,
                Reduction::Prod => wide().product::<f64>() as f32,
                Reduction::Max => line().fold(f32::NEG_INFINITY, max),
                Reduction::Min => line().fold(f32::INFINITY, min),
            };
        }
    }
}

/// Softmax or its logarithm along the axis of `x[outer, axis, inner]`.
pub fn softmax(kind: SoftmaxKind, x: &[f32], planes: Planes, out: &mut [f32]) {
    for o in 0..planes.outer {
        for i in 0..planes.inner {
            let value = |a: usize| f64::from(x[planes.index(o, a, i)]);
            let top = (0..planes.axis).map(value).fold(f64::NEG_INFINITY, f64::max);
            let sum: f64 = (0..planes.axis).map(|a| (value(a) - top).exp()).sum();
            for a in 0..planes.axis {
                out[planes.index(o, a, i)] = match kind {
                    SoftmaxKind::Softmax => (value(a) - top).exp() / sum,
                    SoftmaxKind::LogSoftmax => value(a) - top - sum.ln(),
                } as f32;
            }
        }
    }
}

/// `out = act(a op b)` over an N-d shape, each side with its own strides (0 where it is repeated).
pub fn binary_broadcast(
    op: crate::Binary,
    shape: Broadcast,
    a: &[f32],
    b: &[f32],
    activation: Pointwise,
    out: &mut [f32],
) {
    each_index(shape.dims, |at, index| {
        let place = |strides: &[usize]| index.iter().zip(strides).map(|(i, s)| i * s).sum::<usize>();
        let value = functions::binary(op, a[place(shape.a_strides)], b[place(shape.b_strides)]);
        out[at] = functions::pointwise(activation, value);
    });
}

/// `out = a where condition is not 0, else b` over an N-d shape, each operand with its own strides.
pub fn select_broadcast(
    shape: Broadcast,
    condition_strides: &[usize],
    condition: &[f32],
    a: &[f32],
    b: &[f32],
    out: &mut [f32],
) {
    each_index(shape.dims, |at, index| {
        let place = |strides: &[usize]| index.iter().zip(strides).map(|(i, s)| i * s).sum::<usize>();
        let choose_a = condition[place(condition_strides)] != 0.0;
        out[at] = if choose_a { a[place(shape.a_strides)] } else { b[place(shape.b_strides)] };
    });
}

/// Calls `visit(position, index)` for every index of a row-major shape.
fn each_index(dims: &[usize], mut visit: impl FnMut(usize, &[usize])) {
    for at in 0..dims.iter().product() {
        let mut rest = at;
        let mut index = vec![0; dims.len()];
        for (axis, &len) in dims.iter().enumerate().rev() {
            index[axis] = rest % len;
            rest /= len;
        }
        visit(at, &index);
    }
}

/// `out = act(x * scale[c] + shift[c])`, c the last axis.
pub fn affine(x: &[f32], scale: &[f32], shift: &[f32], activation: Pointwise, out: &mut [f32]) {
    for (at, (&x, out)) in x.iter().zip(out).enumerate() {
        let c = at % scale.len();
        let value = f64::from(x) * f64::from(scale[c]) + f64::from(shift[c]);
        *out = functions::pointwise(activation, value as f32);
    }
}

/// Each row of `width` floats: `(x - mean) / sqrt(variance + epsilon) * scale + shift`.
pub fn layer_norm(
    x: &[f32],
    width: usize,
    scale: Option<&[f32]>,
    shift: Option<&[f32]>,
    epsilon: f32,
    out: &mut [f32],
) {
    for (row, out) in x.chunks_exact(width).zip(out.chunks_exact_mut(width)) {
        normalize(&mut |i| f64::from(row[i]), width, epsilon, &mut |i, value| {
            let scaled = value * scale.map_or(1.0, |scale| f64::from(scale[i]));
            out[i] = (scaled + shift.map_or(0.0, |shift| f64::from(shift[i]))) as f32;
        });
    }
}

/// Channels-last `[pixels, channels]`: each group of channels normalised over all pixels, then scaled and shifted per channel.
pub fn group_norm(
    x: &[f32],
    channels: usize,
    groups: usize,
    scale: &[f32],
    shift: &[f32],
    epsilon: f32,
    out: &mut [f32],
) {
    let (pixels, width) = (x.len() / channels, channels / groups);
    for group in 0..groups {
        let at = |i: usize| (i / width) * channels + group * width + i % width;
        normalize(&mut |i| f64::from(x[at(i)]), pixels * width, epsilon, &mut |i, value| {
            let c = at(i) % channels;
            out[at(i)] = (value * f64::from(scale[c]) + f64::from(shift[c])) as f32;
        });
    }
}

fn normalize(value: &mut dyn FnMut(usize) -> f64, len: usize, epsilon: f32, put: &mut dyn FnMut(usize, f64)) {
    let mean = (0..len).map(&mut *value).sum::<f64>() / len as f64;
    let variance = (0..len).map(|i| (value(i) - mean).powi(2)).sum::<f64>() / len as f64;
    for i in 0..len {
        put(i, (value(i) - mean) / (variance + f64::from(epsilon)).sqrt());
    }
}

/// ONNX LRN over the last axis of `channels` floats: `x / (bias + alpha / size * sum of squares nearby) ^ beta`.
pub fn lrn(x: &[f32], channels: usize, lrn: Lrn, out: &mut [f32]) {
    for (row, out) in x.chunks_exact(channels).zip(out.chunks_exact_mut(channels)) {
        for c in 0..channels {
            let (from, to) = lrn.channels(c, channels);
            let squares: f64 = row[from..to].iter().map(|&v| f64::from(v) * f64::from(v)).sum();
            let base = f64::from(lrn.bias) + f64::from(lrn.alpha) / lrn.size as f64 * squares;
            out[c] = (f64::from(row[c]) / base.powf(f64::from(lrn.beta))) as f32;
        }
    }
}

/// Output axis `i` is input axis `perm[i]`.
pub fn permute(x: &[f32], dims: &[usize], perm: &[usize], out: &mut [f32]) {
    let out_dims: Vec<usize> = perm.iter().map(|&axis| dims[axis]).collect();
    each_index(&out_dims, |at, index| {
        let mut source = vec![0; dims.len()];
        for (&axis, &i) in perm.iter().zip(index) {
            source[axis] = i;
        }
        out[at] = x[source.iter().zip(dims).fold(0, |sum, (i, len)| sum * len + i)];
    });
}

/// `out[o, j, i] = sum of weight * x[o, index, i]` over the list of output position `j`.
pub fn resize_axis(x: &[f32], planes: Planes, table: AxisTable, out: &mut [f32]) {
    for o in 0..planes.outer {
        for j in 0..table.len() {
            for i in 0..planes.inner {
                let sum: f64 = table
                    .entries(j)
                    .map(|(a, weight)| f64::from(weight) * f64::from(x[planes.index(o, a, i)]))
                    .sum();
                out[(o * table.len() + j) * planes.inner + i] = sum as f32;
            }
        }
    }
}

/// `out[i, j, ..] = x[tables[0][i], tables[1][j], ..]`, `fill` where any table says [`crate::PAD`].
pub fn gather_axes(x: &[f32], dims: &[usize], tables: &[&[u32]], fill: f32, out: &mut [f32]) {
    let out_dims: Vec<usize> = tables.iter().map(|table| table.len()).collect();
    each_index(&out_dims, |at, index| {
        let mut place = Some(0);
        for (axis, &i) in index.iter().enumerate() {
            let entry = tables[axis][i];
            place = place.filter(|_| entry != crate::PAD).map(|sum| sum * dims[axis] + entry as usize);
        }
        out[at] = place.map_or(fill, |place| x[place]);
    });
}
