//! The left matrix of a product, described and never built: rows of an activation tensor found through a table of offsets.
//!
//! A convolution over channels-last activations is a matrix product whose row for an output pixel is `taps` runs of `seg`
//! contiguous floats, one run per kernel tap. [`Rows`] says where the runs start, so that products, depthwise convolutions and
//! pooling all read activations in place: from the tensor itself, from a small box of changed values, or from nowhere (padding).
//! [`Epilogue`] says what happens to a finished sum before it is stored.

use crate::Pointwise;

/// A table entry for a run that lies in the padding: it adds exactly nothing to a sum and takes no part in a pool.
pub const PAD: u32 = u32::MAX;

/// The bit from which an entry's source number starts: entry = source << SOURCE_SHIFT | offset in floats.
pub const SOURCE_SHIFT: u32 = 30;

const OFFSET_MASK: u32 = (1 << SOURCE_SHIFT) - 1;

/// Where the rows of a product, a depthwise convolution or a pool come from.
///
/// Row `r` uses table row `r % pixels`, and its offsets into source 0 grow by `(r / pixels) * repeat_stride`: one table serves
/// every example of a batch. Offsets into sources 1 and 2 do not move.
///
/// ```
/// use occlude_kernels::{PAD, Rows};
/// // A 1-D convolution of width 3 with padding 1 over 2 pixels of 4 channels.
/// let x = [0.0; 8];
/// let rows = Rows { sources: [&x, &[], &[]], table: &[PAD, 0, 4, 0, 4, PAD], taps: 3, seg: 4, pixels: 2, rows: 2, ..Rows::default() };
/// assert!(rows.run(0, 0).is_none());
/// assert_eq!(rows.run(0, 2), Some(&x[4..8]));
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Rows<'a> {
    /// The tensors that entries point into, chosen by an entry's top two bits (0, 1 or 2).
    pub sources: [&'a [f32]; 3],
    /// `[pixels, taps]`: `source << 30 | offset` with the offset in floats, or [`PAD`].
    pub table: &'a [u32],
    /// Runs per row (kernel positions of a convolution); 1 for a plain matrix.
    pub taps: usize,
    /// Floats per run (input channels of the group).
    pub seg: usize,
    /// Rows of `table`.
    pub pixels: usize,
    /// Floats between two examples in source 0.
    pub repeat_stride: usize,
    /// Added to every offset: the first channel of the group in a grouped convolution.
    pub seg_offset: usize,
    /// Number of rows; may be any multiple or part of `pixels`.
    pub rows: usize,
}

impl<'a> Rows<'a> {
    /// A plain row-major matrix `[rows, k]`, its rows `row_stride` floats apart.
    pub fn dense(a: &'a [f32], rows: usize, k: usize, row_stride: usize) -> Self {
        Self {
            sources: [a, &[], &[]],
            table: &[0],
            taps: 1,
            seg: k,
            pixels: 1,
            repeat_stride: row_stride,
            seg_offset: 0,
            rows,
        }
    }

    /// Length of a row: `taps * seg`.
    pub fn k(&self) -> usize {
        self.taps * self.seg
    }

    /// The run of `tap` in `row`, `seg` floats, or `None` for padding.
    ///
    /// # Panics
    /// If the entry points outside its source.
    pub fn run(&self, row: usize, tap: usize) -> Option<&'a [f32]> {
        let (entries, shift) = self.entries(row, (tap, tap + 1));
        self.follow(entries[0], shift, 0, self.seg)
    }

    /// Table row of a row, and what is added to its offsets into source 0.
    #[inline(always)]
    pub(crate) fn place(&self, row: usize) -> (usize, usize) {
        if row < self.pixels {
            (row, 0)
        } else {
            (row % self.pixels, (row / self.pixels) * self.repeat_stride)
        }
    }

    /// The table entries of taps `taps.0..taps.1` of a row, and what is added to their offsets into source 0.
    #[inline(always)]
    pub(crate) fn entries(&self, row: usize, taps: (usize, usize)) -> (&'a [u32], usize) {
        let (pixel, shift) = self.place(row);
        (&self.table[pixel * self.taps..][taps.0..taps.1], shift)
    }

    /// What is added to an entry's offset, by source, to get to float `from` of its run.
    #[inline(always)]
    pub(crate) fn starts(&self, shift: usize, from: usize) -> [usize; 3] {
        let start = self.seg_offset + from;
        [start + shift, start, start]
    }

    /// Everything in the source from the start of the run of `entry` on; not for padding.
    #[inline(always)]
    pub(crate) fn rest(&self, entry: u32, starts: [usize; 3]) -> &'a [f32] {
        let source = (entry >> SOURCE_SHIFT) as usize;
        &self.sources[source][(entry & OFFSET_MASK) as usize + starts[source]..]
    }

    /// `len` floats of the run that `entry` starts, or `None` for padding.
    #[inline(always)]
    pub(crate) fn follow_from(&self, entry: u32, starts: [usize; 3], len: usize) -> Option<&'a [f32]> {
        if entry == PAD {
            return None;
        }
        let source = (entry >> SOURCE_SHIFT) as usize;
        let start = (entry & OFFSET_MASK) as usize + starts[source];
        Some(&self.sources[source][start..start + len])
    }

    /// Floats `from..from + len` of the run that `entry` starts, or `None` for padding.
    #[inline(always)]
    pub(crate) fn follow(&self, entry: u32, shift: usize, from: usize, len: usize) -> Option<&'a [f32]> {
        self.follow_from(entry, self.starts(shift, from), len)
    }

    pub(crate) fn check(&self) {
        assert!(
            self.rows == 0 || self.pixels > 0 && self.table.len() >= self.pixels * self.taps,
            "table of {} entries for {} pixels of {} taps",
            self.table.len(),
            self.pixels,
            self.taps
        );
    }
}

/// Values laid out like the output of a product: element `(r, j)` is `data[r * stride + offset + j]`.
#[derive(Clone, Copy, Debug)]
pub struct Strided<'a> {
    /// The tensor.
    pub data: &'a [f32],
    /// Floats between two rows.
    pub stride: usize,
    /// Floats before the first column.
    pub offset: usize,
}

/// What is done to a finished sum: `activation(sum + bias + residual)`.
#[derive(Clone, Copy, Debug)]
pub struct Epilogue<'a> {
    /// One summand per column, `[n]`.
    pub bias: Option<&'a [f32]>,
    /// A tensor of the output's shape, added before the activation.
    pub residual: Option<Strided<'a>>,
    /// The function applied last.
    pub activation: Pointwise,
}

impl Default for Epilogue<'_> {
    fn default() -> Self {
        Self { bias: None, residual: None, activation: Pointwise::Identity }
    }
}

impl Epilogue<'_> {
    /// The bounds that a kernel applies in registers, and what is left for a pass over the finished values.
    #[inline(always)]
    pub(crate) fn split_activation(&self) -> (Option<(f32, f32)>, Pointwise) {
        match self.activation {
            Pointwise::Identity => (None, Pointwise::Identity),
            Pointwise::Relu => (Some((0.0, f32::INFINITY)), Pointwise::Identity),
            Pointwise::Clip { lo, hi } => (Some((lo, hi)), Pointwise::Identity),
            other => (None, other),
        }
    }
}

/// Longest part of a run that one kernel call works on, in floats.
pub(crate) const MAX_BLOCK: usize = 1024;

/// What a sum reads where its tap is padding.
pub(crate) static ZEROS: [f32; MAX_BLOCK] = [0.0; MAX_BLOCK];

/// Length that an output of `rows` rows and `n` columns must have.
pub(crate) fn check_out(out_len: usize, rows: usize, n: usize, stride: usize, offset: usize) {
    assert!(
        rows == 0 || n == 0 || (rows - 1) * stride + offset + n <= out_len,
        "{rows} rows of {n} columns at stride {stride}, offset {offset} do not fit {out_len} floats"
    );
}

pub(crate) fn check_epilogue(epilogue: &Epilogue, rows: usize, n: usize) {
    if let Some(bias) = epilogue.bias {
        assert!(bias.len() >= n, "{} bias values for {n} columns", bias.len());
    }
    if let Some(residual) = epilogue.residual {
        check_out(residual.data.len(), rows, n, residual.stride, residual.offset);
    }
}
