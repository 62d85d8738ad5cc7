//! The ends of slices: vectors of which only some lanes exist, and loops that treat them like the others.
//!
//! What is left over at the end of a slice passes through the same vector code, filled up with zeros, so that an element's bits
//! do not depend on where it stands.

use fearless_simd::prelude::*;

/// Elements `first..first + count`, at most a vector of them.
#[derive(Clone, Copy)]
pub(crate) struct Lanes {
    pub(crate) first: usize,
    pub(crate) count: usize,
}

impl Lanes {
    /// The lanes of the `v`th vector after these.
    #[inline(always)]
    pub(crate) fn vector<S: Simd>(self, simd: S, v: usize) -> Self {
        let _ = simd;
        Self { first: self.first + v * S::f32s::LEN, count: self.count }
    }

    /// These elements of `from`, zeros in the other lanes.
    #[inline(always)]
    pub(crate) fn load<S: Simd>(self, simd: S, from: &[f32]) -> S::f32s {
        if self.count == S::f32s::LEN {
            S::f32s::from_slice(simd, &from[self.first..self.first + S::f32s::LEN])
        } else {
            load_part(simd, &from[self.first..self.first + self.count])
        }
    }

    /// Puts the lanes that exist to these elements of `to`.
    #[inline(always)]
    pub(crate) fn store<S: Simd>(self, simd: S, value: S::f32s, to: &mut [f32]) {
        let _ = simd;
        let to = &mut to[self.first..self.first + self.count];
        if self.count == S::f32s::LEN {
            value.store_slice(to);
        } else {
            to.copy_from_slice(&value.as_slice()[..self.count]);
        }
    }
}

/// All of `0..len`, vector by vector.
#[inline(always)]
pub(crate) fn all_lanes<S: Simd>(simd: S, len: usize) -> impl Iterator<Item = Lanes> {
    let _ = simd;
    (0..len).step_by(S::f32s::LEN).map(move |first| Lanes {
        first,
        count: if first + S::f32s::LEN <= len { S::f32s::LEN } else { len - first },
    })
}

/// A vector of the few floats of `part`, zeros after them.
#[inline(always)]
pub(crate) fn load_part<S: Simd>(simd: S, part: &[f32]) -> S::f32s {
    let mut value = S::f32s::splat(simd, 0.0);
    value.as_mut_slice()[..part.len()].copy_from_slice(part);
    value
}

/// `x = f(x)` vector by vector.
#[inline(always)]
pub(crate) fn map<S: Simd>(simd: S, x: &mut [f32], f: impl Fn(S::f32s) -> S::f32s) {
    let mut vectors = x.chunks_exact_mut(S::f32s::LEN);
    for vector in &mut vectors {
        f(S::f32s::from_slice(simd, vector)).store_slice(vector);
    }
    let rest = vectors.into_remainder();
    if !rest.is_empty() {
        let value = f(load_part(simd, rest));
        rest.copy_from_slice(&value.as_slice()[..rest.len()]);
    }
}

/// `x = f(x, others)` vector by vector, all slices equally long.
#[inline(always)]
pub(crate) fn map_with<S: Simd, const N: usize>(
    simd: S,
    x: &mut [f32],
    others: [&[f32]; N],
    f: impl Fn(S::f32s, [S::f32s; N]) -> S::f32s,
) {
    let lanes = S::f32s::LEN;
    let others = others.map(|other| &other[..x.len()]);
    let mut at = 0;
    let mut vectors = x.chunks_exact_mut(lanes);
    for vector in &mut vectors {
        let value = f(
            S::f32s::from_slice(simd, vector),
            std::array::from_fn(
                #[inline(always)]
                |n| S::f32s::from_slice(simd, &others[n][at..at + lanes]),
            ),
        );
        value.store_slice(vector);
        at += lanes;
    }
    let rest = vectors.into_remainder();
    if !rest.is_empty() {
        let value = f(load_part(simd, rest), others.map(|other| load_part(simd, &other[at..])));
        rest.copy_from_slice(&value.as_slice()[..rest.len()]);
    }
}

/// The value itself.
#[inline(always)]
pub(crate) fn same<V>(x: V) -> V {
    x
}

/// The sum of two.
#[inline(always)]
pub(crate) fn sum<S: Simd, V: SimdFloat<S, Element = f32>>(a: V, b: V) -> V {
    a + b
}

/// The square of a value.
#[inline(always)]
pub(crate) fn square<S: Simd, V: SimdFloat<S, Element = f32>>(x: V) -> V {
    x * x
}

/// The larger of two, NaN if either is NaN.
#[inline(always)]
pub(crate) fn larger<S: Simd, V: SimdFloat<S, Element = f32>>(a: V, b: V) -> V {
    (b.simd_gt(a) | b.is_nan()).select(b, a)
}

/// The smaller of two, NaN if either is NaN.
#[inline(always)]
pub(crate) fn smaller<S: Simd, V: SimdFloat<S, Element = f32>>(a: V, b: V) -> V {
    (b.simd_lt(a) | b.is_nan()).select(b, a)
}
