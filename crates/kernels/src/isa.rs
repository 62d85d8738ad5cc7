//! Instruction sets: which exist on this machine, and how a kernel is entered at one of them.
//!
//! An [`Isa`] is a proof that the processor has the instructions, so a kernel that takes one needs no check and no `unsafe`.
//! In goes a choice made once by the caller; out comes code compiled for that choice (`with_isa!`). Results may differ in the
//! last bits between two levels (fused or separate rounding of multiply-add), never between two calls at the same level.
//!
//! Not here: AVX-512 subsets older than Ice Lake, and SSE4: such machines run the AVX2 or the scalar level.

#[cfg(target_arch = "aarch64")]
use fearless_simd::Neon;
#[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
use fearless_simd::{Avx2, Avx512};
use fearless_simd::{Fallback, prelude::*};

/// An instruction set that this processor has. `Copy`, the size of a byte.
///
/// ```
/// use occlude_kernels::Isa;
/// let isa = Isa::detect();
/// assert!(Isa::available().iter().any(|level| level.name() == isa.name()));
/// ```
#[derive(Clone, Copy)]
pub struct Isa(pub(crate) Token);

/// The token types of the SIMD library, one per level that kernels are compiled for.
#[derive(Clone, Copy)]
pub(crate) enum Token {
    Scalar(Fallback),
    #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
    Avx2(Avx2),
    #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
    Avx512(Avx512),
    #[cfg(target_arch = "aarch64")]
    Neon(Neon),
}

impl Isa {
    /// The fastest level that this processor has.
    pub fn detect() -> Self {
        Self::avx512().or_else(Self::avx2).or_else(Self::neon).unwrap_or_else(Self::scalar)
    }

    /// The level that every processor has: plain Rust, multiply and add rounded separately.
    pub fn scalar() -> Self {
        Self(Token::Scalar(Fallback::new()))
    }

    /// AVX2 with FMA (x86-64-v3), if present.
    pub fn avx2() -> Option<Self> {
        #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
        return fearless_simd::Level::new().as_avx2().map(|token| Self(Token::Avx2(token)));
        #[cfg(not(any(target_arch = "x86", target_arch = "x86_64")))]
        None
    }

    /// AVX-512 as of Ice Lake and Zen 4, if present.
    pub fn avx512() -> Option<Self> {
        #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
        return fearless_simd::Level::new().as_avx512().map(|token| Self(Token::Avx512(token)));
        #[cfg(not(any(target_arch = "x86", target_arch = "x86_64")))]
        None
    }

    /// NEON of 64-bit ARM, if present.
    pub fn neon() -> Option<Self> {
        #[cfg(target_arch = "aarch64")]
        return fearless_simd::Level::new().as_neon().map(|token| Self(Token::Neon(token)));
        #[cfg(not(target_arch = "aarch64"))]
        None
    }

    /// Every level that this processor has, slowest first.
    pub fn available() -> Vec<Self> {
        [Some(Self::scalar()), Self::neon(), Self::avx2(), Self::avx512()].into_iter().flatten().collect()
    }

    /// `scalar`, `avx2`, `avx512` or `neon`.
    pub fn name(self) -> &'static str {
        match self.0 {
            Token::Scalar(_) => "scalar",
            #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
            Token::Avx2(_) => "avx2",
            #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
            Token::Avx512(_) => "avx512",
            #[cfg(target_arch = "aarch64")]
            Token::Neon(_) => "neon",
        }
    }
}

impl std::fmt::Debug for Isa {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl PartialEq for Isa {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}
impl Eq for Isa {}

/// What kernels ask of a level beyond the SIMD library: bounds that a NaN passes.
pub(crate) trait Level: Simd {
    /// `low` where `value` is less, else `value`, a NaN included.
    fn at_least(self, value: Self::f32s, low: Self::f32s) -> Self::f32s;

    /// `high` where `value` is greater, else `value`, a NaN included.
    fn at_most(self, value: Self::f32s, high: Self::f32s) -> Self::f32s;
}

macro_rules! level {
    ($token:ty, $value:ident, $bound:ident: $least:expr, $most:expr) => {
        impl Level for $token {
            #[inline(always)]
            fn at_least(self, $value: Self::f32s, $bound: Self::f32s) -> Self::f32s {
                $least
            }

            #[inline(always)]
            fn at_most(self, $value: Self::f32s, $bound: Self::f32s) -> Self::f32s {
                $most
            }
        }
    };
}

// The maximum of x86 gives its second operand where one is NaN, so the value stands second; NEON's gives the NaN; that of plain Rust
// would lose it. (Selecting everywhere is no way out: in place, it becomes a masked store, many times slower on AVX2.)
level!(Fallback, v, b: v.simd_lt(b).select(b, v), v.simd_gt(b).select(b, v));
#[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
level!(Avx2, v, b: b.max(v), b.min(v));
#[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
level!(Avx512, v, b: b.max(v), b.min(v));
#[cfg(target_arch = "aarch64")]
level!(Neon, v, b: b.max(v), b.min(v));

/// Runs `$body` compiled for the instructions of `$isa`; `$simd` is the token in it.
///
/// What the body calls must be `#[inline(always)]` (or enter by itself), else it is compiled for the baseline processor.
macro_rules! with_isa {
    ($isa:expr, $simd:ident => $body:expr) => {
        match $isa.0 {
            $crate::isa::Token::Scalar($simd) => fearless_simd::Simd::vectorize(
                $simd,
                #[inline(always)]
                || $body,
            ),
            #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
            $crate::isa::Token::Avx2($simd) => fearless_simd::Simd::vectorize(
                $simd,
                #[inline(always)]
                || $body,
            ),
            #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
            $crate::isa::Token::Avx512($simd) => fearless_simd::Simd::vectorize(
                $simd,
                #[inline(always)]
                || $body,
            ),
            #[cfg(target_arch = "aarch64")]
            $crate::isa::Token::Neon($simd) => fearless_simd::Simd::vectorize(
                $simd,
                #[inline(always)]
                || $body,
            ),
        }
    };
}
pub(crate) use with_isa;
