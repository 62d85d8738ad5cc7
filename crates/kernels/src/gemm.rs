//! Matrix products: rows found through a table, times a packed right matrix, with the epilogue fused.
//!
//! Convolution, fully connected layers and attention are all this one product. [`Rows`] (never copied, except where its runs are
//! very short) and a [`PackedB`] go in; output rows with any stride come out. Every output element is one chain of multiply-adds in
//! the order of k, whatever the blocking: a row computed alone has the bits of the same row among thousands.
//!
//! Rooms: `pack` lays B out, `tile` is the register kernel, `shape` says which tile each instruction set has, `drive` blocks for
//! the caches, `groups` does grouped convolutions.

mod drive;
mod groups;
mod pack;
mod shape;
mod tile;

pub use groups::{PackedGroups, gemm_groups};
pub use pack::PackedB;

use crate::{
    Epilogue, Isa, Rows,
    isa::Token,
    rows::{check_epilogue, check_out},
};

/// `out[r * out_stride + out_offset + j] = act(sum_k A[r, k] B[k, j] + bias[j] + residual)`.
///
/// The bits of one output element depend on its row of A, its column of B and the instruction set, never on the other rows or on
/// where it lies.
///
/// ```
/// use occlude_kernels::{Epilogue, Isa, PackedB, Rows, gemm_rows};
/// let isa = Isa::detect();
/// let b = PackedB::pack(isa, &[1.0, 2.0, 3.0, 4.0], 2, 2);
/// let mut out = [0.0; 2];
/// gemm_rows(isa, &Rows::dense(&[10.0, 1.0], 1, 2, 2), &b, &mut out, 2, 0, &Epilogue::default());
/// assert_eq!(out, [13.0, 24.0]);
/// ```
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
    assert_eq!(isa, b.isa(), "B was packed for another instruction set");
    assert_eq!(rows.k(), b.k(), "columns of A and rows of B");
    check_out(out.len(), rows.rows, b.n(), out_stride, out_offset);
    check_epilogue(epilogue, rows.rows, b.n());
    let (clamp, rest) = epilogue.split_activation();
    let (low, high) = clamp.unwrap_or((f32::NEG_INFINITY, f32::INFINITY));
    let job = drive::Job { rows, b, out_stride, out_offset, epilogue, limits: [low, high], rest };
    match isa.0 {
        Token::Scalar(simd) => drive::drive(simd, isa, &job, out),
        #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
        Token::Avx2(simd) => drive::drive(simd, isa, &job, out),
        #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
        Token::Avx512(simd) => drive::drive(simd, isa, &job, out),
        #[cfg(target_arch = "aarch64")]
        Token::Neon(simd) => drive::drive(simd, isa, &job, out),
    }
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
    let MatShape { m, k, n, transpose_b } = shape;
    assert_eq!(a.len(), m * k, "floats of a for {shape:?}");
    assert_eq!(out.len(), m * n, "floats of the output for {shape:?}");
    scratch.repack(isa, b, k, n, transpose_b);
    gemm_rows(isa, &Rows::dense(a, m, k, k), scratch, out, n, 0, &Epilogue::default());
}
