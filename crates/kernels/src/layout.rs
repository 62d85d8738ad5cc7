//! Copies that change the order or the extent of axes: transposes, padding, slices with steps.
//!
//! No arithmetic, so no instruction set: the values that go in come out bit for bit. Runs that stay contiguous are copied whole.

use crate::PAD;

/// N-d transpose: output axis `i` is input axis `perm[i]`, both sides row-major and dense.
///
/// ```
/// let mut out = [0.0; 6];
/// occlude_kernels::permute(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], &[2, 3], &[1, 0], &mut out);
/// assert_eq!(out, [1.0, 4.0, 2.0, 5.0, 3.0, 6.0]);
/// ```
///
/// # Panics
/// If `perm` is no permutation of the axes or a length does not fit.
pub fn permute(x: &[f32], dims: &[usize], perm: &[usize], out: &mut [f32]) {
    let mut seen = vec![false; dims.len()];
    assert_eq!(perm.len(), dims.len(), "permutation {perm:?} of shape {dims:?}");
    perm.iter().for_each(|&axis| seen[axis] = true);
    assert!(seen.iter().all(|&seen| seen), "{perm:?} is not a permutation");
    let total = dims.iter().product::<usize>();
    assert!(x.len() == total && out.len() == total, "{} to {} floats for shape {dims:?}", x.len(), out.len());
    if total == 0 {
        return;
    }

    let mut strides = vec![1; dims.len()];
    for axis in (1..dims.len()).rev() {
        strides[axis - 1] = strides[axis] * dims[axis];
    }
    // Axes that stay neighbours are one axis; axes of length 1 are none.
    let mut axes: Vec<(usize, usize)> = Vec::with_capacity(perm.len());
    for &axis in perm.iter().filter(|&&axis| dims[axis] != 1) {
        let (len, stride) = (dims[axis], strides[axis]);
        match axes.last_mut() {
            Some(last) if last.1 == stride * len => *last = (last.0 * len, stride),
            _ => axes.push((len, stride)),
        }
    }
    match axes.as_slice() {
        [] => out.copy_from_slice(x),
        [outer @ .., (len, 1)] => copy_runs(x, outer, *len, 0, out),
        [outer @ .., rows, columns] => copy_planes(x, outer, *rows, *columns, 0, out),
        [(len, stride)] => {
            out.iter_mut().zip(x.iter().step_by(*stride)).take(*len).for_each(|(o, &x)| *o = x)
        }
    }
}

/// Output runs of `run` floats that are contiguous in the input too.
fn copy_runs(x: &[f32], outer: &[(usize, usize)], run: usize, from: usize, out: &mut [f32]) {
    match outer {
        [] => out.copy_from_slice(&x[from..from + run]),
        [(_, stride)] => {
            for (i, out) in out.chunks_exact_mut(run).enumerate() {
                out.copy_from_slice(&x[from + i * stride..from + i * stride + run]);
            }
        }
        [(len, stride), rest @ ..] => {
            let part = out.len() / len;
            for (i, out) in out.chunks_exact_mut(part).enumerate() {
                copy_runs(x, rest, run, from + i * stride, out);
            }
        }
    }
}

/// Output planes `rows x columns` whose columns are strided in the input, in square blocks so that both sides stay in cache.
fn copy_planes(
    x: &[f32],
    outer: &[(usize, usize)],
    rows: (usize, usize),
    columns: (usize, usize),
    from: usize,
    out: &mut [f32],
) {
    if let [(len, stride), rest @ ..] = outer {
        let part = out.len() / len;
        for (i, out) in out.chunks_exact_mut(part).enumerate() {
            copy_planes(x, rest, rows, columns, from + i * stride, out);
        }
        return;
    }
    const BLOCK: usize = 16;
    let ((rows, row_stride), (columns, column_stride)) = (rows, columns);
    for row_block in (0..rows).step_by(BLOCK) {
        let row_end = (row_block + BLOCK).min(rows);
        for column_block in (0..columns).step_by(BLOCK) {
            let column_end = (column_block + BLOCK).min(columns);
            for row in row_block..row_end {
                let source = &x[from + row * row_stride + column_block * column_stride..];
                let out = &mut out[row * columns + column_block..row * columns + column_end];
                for (out, &value) in out.iter_mut().zip(source.iter().step_by(column_stride)) {
                    *out = value;
                }
            }
        }
    }
}

/// Takes positions along every axis at once: `out[i, j, ..] = x[tables[0][i], tables[1][j], ..]`.
///
/// A table entry [`PAD`] gives `fill`. Padding (constant, edge, reflect), slices with any step and nearest-neighbour resizing are
/// all tables.
///
/// ```
/// use occlude_kernels::{PAD, gather_axes};
/// let mut out = [0.0; 4];
/// gather_axes(&[1.0, 2.0], &[2], &[&[PAD, 0, 1, 1]], 9.0, &mut out);
/// assert_eq!(out, [9.0, 1.0, 2.0, 2.0]);
/// ```
///
/// # Panics
/// If there is not one table per axis, an entry is outside its axis, or a length does not fit.
pub fn gather_axes(x: &[f32], dims: &[usize], tables: &[&[u32]], fill: f32, out: &mut [f32]) {
    assert_eq!(dims.len(), tables.len(), "one table per axis of {dims:?}");
    assert_eq!(x.len(), dims.iter().product::<usize>(), "floats for shape {dims:?}");
    assert_eq!(out.len(), tables.iter().map(|table| table.len()).product::<usize>(), "floats for the output");
    for (axis, table) in tables.iter().enumerate() {
        let bad = table.iter().find(|&&entry| entry != PAD && entry as usize >= dims[axis]);
        assert!(bad.is_none(), "entry {bad:?} on axis {axis} of {dims:?}");
    }
    // Trailing axes taken whole are one contiguous run.
    let whole = |axis: usize| {
        tables[axis].len() == dims[axis]
            && tables[axis].iter().enumerate().all(|(i, &entry)| entry as usize == i)
    };
    let kept = (0..dims.len()).rev().find(|&axis| !whole(axis)).map_or(0, |axis| axis + 1);
    gather_from(x, &dims[..kept], &tables[..kept], fill, out);
}

fn gather_from(x: &[f32], dims: &[usize], tables: &[&[u32]], fill: f32, out: &mut [f32]) {
    let ([len, dims @ ..], [table, tables @ ..]) = (dims, tables) else {
        out.copy_from_slice(x);
        return;
    };
    if out.is_empty() {
        return;
    }
    let (part, out_part) = (x.len() / len.max(&1), out.len() / table.len());
    for (&entry, out) in table.iter().zip(out.chunks_exact_mut(out_part)) {
        if entry == PAD {
            out.fill(fill);
        } else if part == 1 && out_part == 1 {
            out[0] = x[entry as usize];
        } else {
            let start = entry as usize * part;
            gather_from(&x[start..start + part], dims, tables, fill, out);
        }
    }
}
