//! The loop over a tile's rows, written out.
//!
//! Register kernels hold an array of accumulators. Under a run-time loop the array lives in memory; with constant indices it lives in
//! registers. This macro repeats a body for each index below a constant.

/// `$body` for each row index below `R`, as straight code with constant indices.
///
/// Under a loop, accumulators live in memory instead of registers, and the compiler does not see that all rows have `len` floats, so
/// that every multiply-add carries a bounds check (85% of peak became 65%).
macro_rules! each_row {
    ($rows:ident, $r:ident => $body:expr) => {
        $crate::each_row::each_row!(@ $rows, $r, $body, 0 1 2 3 4 5 6 7 8 9 10 11)
    };
    (@ $rows:ident, $r:ident, $body:expr, $($index:literal)*) => {{
        $(if $index < $rows {
            const $r: usize = $index;
            $body
        })*
    }};
}
pub(crate) use each_row;
