//! An array enlarged linearly to another shape, its numbers standing at the middles of cells that tile the same extent.
//!
//! In: row-major numbers. Out: the enlarged ones; a NaN reaches the elements that read it. This is where saliency maps of a coarse layer belong in the input (`align_corners=False` of torch, OpenCV's `INTER_LINEAR`, scikit-image's
//! `resize(order=1, mode="edge", anti_aliasing=False)`). Cells of windows are enlarged elsewhere (`map/upsample`), by the definitions of others.

/// Enlarges `values` of `shape` to `wanted`, which is at least as long along every axis.
pub(crate) fn enlarge(values: &[f32], shape: &[usize], wanted: &[usize]) -> Vec<f32> {
    let mut values: Vec<f64> = values.iter().copied().map(f64::from).collect();
    let mut shape = shape.to_vec();
    for axis in 0..shape.len() {
        let (length, wanted) = (shape[axis], wanted[axis]);
        if length == wanted {
            continue;
        }
        let inner: usize = shape[axis + 1..].iter().product();
        let mut out = Vec::with_capacity(values.len() / length * wanted);
        for block in values.chunks_exact(length * inner) {
            for i in 0..wanted {
                let at =
                    ((i as f64 + 0.5) * length as f64 / wanted as f64 - 0.5).clamp(0.0, (length - 1) as f64);
                let (low, part) = (at.floor() as usize, at.fract());
                let row = |k: usize| &block[k * inner..][..inner];
                if part == 0.0 {
                    out.extend_from_slice(row(low));
                } else {
                    out.extend(row(low).iter().zip(row(low + 1)).map(|(a, b)| a * (1.0 - part) + b * part));
                }
            }
        }
        (values, shape[axis]) = (out, wanted);
    }
    values.into_iter().map(|v| v as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stand_at_the_middles_of_their_cells() {
        assert_eq!(enlarge(&[0.0, 4.0], &[2], &[4]), [0.0, 1.0, 3.0, 4.0]);
        assert_eq!(enlarge(&[7.0], &[1], &[3]), [7.0; 3]);
        assert_eq!(enlarge(&[1.0, 2.0], &[2, 1], &[2, 2]), [1.0, 1.0, 2.0, 2.0]);
        let holed = enlarge(&[1.0, 3.0, f32::NAN], &[3], &[6]);
        assert_eq!(holed[..3], [1.0, 1.5, 2.5]);
        assert!(holed[3..].iter().all(|v| v.is_nan()));
    }
}
