//! Loops with constant indices.
//!
//! Register kernels hold arrays of accumulators and of slices. Under a run-time loop an array lives in memory, and the compiler does not
//! see that all slices have one length, so that every multiply-add carries a bounds check; with constant indices the array lives in
//! registers and the checks are gone. This macro writes the loop out.

/// Most repetitions of a loop.
pub(crate) const MOST: usize = 12;

/// `$body` for each value of the constant `$index` from 0 to below `$end`, a constant of at most [`MOST`], as straight code.
macro_rules! unroll {
    ($index:ident < $end:expr => $body:expr) => {
        $crate::unroll::unroll!(@ $index, $end, $body, 0 1 2 3 4 5 6 7 8 9 10 11)
    };
    (@ $index:ident, $end:expr, $body:expr, $($value:literal)*) => {{
        $(if $value < $end {
            const $index: usize = $value;
            $body
        })*
    }};
}
pub(crate) use unroll;
