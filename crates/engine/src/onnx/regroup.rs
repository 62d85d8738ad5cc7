//! Reshape without moving elements: which stored order a reshaped value can have.
//!
//! In: a model shape, the order in which its axes are stored, and the new model shape. Out: the new stored shape and order, after a
//! permutation only if axes that are merged or split are not stored side by side. Pure arithmetic on shapes.

/// How to reshape a stored value.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Regroup {
    /// Order to bring the value into first, if the present one does not allow it.
    pub(super) before: Option<Vec<usize>>,
    /// New shape as stored.
    pub(super) stored: Vec<usize>,
    /// New order.
    pub(super) order: Vec<usize>,
}

/// Axes of the old shape and axes of the new one that have the same elements, unit axes left out.
struct Group {
    from: Vec<usize>,
    to: Vec<usize>,
}

/// `from` and `to` are model shapes with equally many elements; `order` is how `from` is stored.
pub(super) fn regroup(from: &[usize], order: &[usize], to: &[usize]) -> Regroup {
    if from.contains(&0) {
        return Regroup { before: None, stored: to.to_vec(), order: (0..to.len()).collect() };
    }
    let mut groups = groups(from, to);
    let place = |axis: usize| order.iter().position(|&a| a == axis).unwrap_or(axis);
    let sequence: Vec<usize> = order.iter().copied().filter(|&axis| from[axis] != 1).collect();
    // A group stands where its innermost axis was, so that what was contiguous stays so: heads go back behind their tokens.
    groups.sort_by_key(|g| g.from.last().map_or(0, |&axis| place(axis)));
    let wanted: Vec<usize> = groups.iter().flat_map(|g| g.from.iter().copied()).collect();
    let before = (wanted != sequence).then(|| {
        let unit = (0..from.len()).filter(|&axis| from[axis] == 1);
        unit.chain(wanted.iter().copied()).collect()
    });
    let moving: Vec<usize> = groups.iter().flat_map(|g| g.to.iter().copied()).collect();
    // Unit axes may stand anywhere: in the model's own order if that is possible, else in front.
    let order: Vec<usize> = if moving.windows(2).all(|w| w[0] < w[1]) {
        (0..to.len()).collect()
    } else {
        (0..to.len()).filter(|&axis| to[axis] == 1).chain(moving).collect()
    };
    Regroup { before, stored: order.iter().map(|&axis| to[axis]).collect(), order }
}

/// The smallest runs of axes with equal products.
fn groups(from: &[usize], to: &[usize]) -> Vec<Group> {
    let long = |shape: &[usize]| (0..shape.len()).filter(|&a| shape[a] != 1).collect::<Vec<_>>();
    let (mut left, mut right) = (long(from).into_iter(), long(to).into_iter());
    let mut groups = Vec::new();
    loop {
        let (Some(a), Some(b)) = (left.next(), right.next()) else { return groups };
        let mut group = Group { from: vec![a], to: vec![b] };
        let (mut m, mut n) = (from[a], to[b]);
        while m != n {
            if m < n {
                let Some(a) = left.next() else { return groups };
                m *= from[a];
                group.from.push(a);
            } else {
                let Some(b) = right.next() else { return groups };
                n *= to[b];
                group.to.push(b);
            }
        }
        groups.push(group);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers the elements in model order, moves them as the plan says, and reads them back in model order.
    fn check(from: &[usize], order: &[usize], to: &[usize]) -> Regroup {
        let plan = regroup(from, order, to);
        let count: usize = from.iter().product();
        let values: Vec<f32> = (0..count).map(|v| v as f32).collect();
        let permute = |x: &[f32], dims: &[usize], perm: &[usize]| {
            let mut out = vec![0.0; x.len()];
            occlude_kernels::permute(x, dims, perm, &mut out);
            out
        };
        let stored = permute(&values, from, plan.before.as_deref().unwrap_or(order));
        let mut inverse = vec![0; to.len()];
        for (place, &axis) in plan.order.iter().enumerate() {
            inverse[axis] = place;
        }
        assert_eq!(
            permute(&stored, &plan.stored, &inverse),
            values,
            "{from:?} {order:?} -> {to:?}: {plan:?}"
        );
        plan
    }

    #[test]
    fn channels_split_and_pixels_merge_in_place() {
        let nhwc = [0, 2, 3, 1];
        let shuffle = check(&[1, 6, 4, 5], &nhwc, &[1, 2, 3, 4, 5]);
        assert_eq!((shuffle.before, shuffle.stored), (None, vec![1, 4, 5, 2, 3]));
        let tokens = check(&[1, 6, 4, 5], &nhwc, &[1, 6, 20]);
        assert_eq!((tokens.before, tokens.order), (None, vec![0, 2, 1]));
        let windows = check(&[1, 8, 6, 3], &[0, 1, 2, 3], &[1, 4, 2, 3, 2, 3]);
        assert_eq!(windows.before, None);
    }

    #[test]
    fn unit_axes_are_free() {
        assert_eq!(check(&[1, 7, 1, 1], &[0, 2, 3, 1], &[1, 7]).before, None);
        assert_eq!(check(&[1, 7], &[0, 1], &[1, 7, 1, 1]).before, None);
        assert_eq!(check(&[1, 1, 1], &[2, 1, 0], &[]).before, None);
    }

    #[test]
    fn axes_that_are_apart_move_first() {
        assert_eq!(check(&[1, 6, 4, 5], &[0, 2, 3, 1], &[1, 120]).before, Some(vec![0, 1, 2, 3]));
        // Depth to space: channels stay last.
        let plan = check(&[1, 3, 4, 2, 5, 2], &[0, 2, 4, 3, 5, 1], &[1, 3, 8, 10]);
        assert_eq!((plan.before, plan.order), (Some(vec![0, 2, 3, 4, 5, 1]), vec![0, 2, 3, 1]));
        // Attention heads: [1, heads, tokens, width] as stored, tokens first in the model.
        assert_eq!(check(&[1, 5, 3, 8], &[0, 2, 1, 3], &[1, 5, 24]).order, [0, 1, 2]);
        check(&[4, 6], &[1, 0], &[6, 4]);
    }

    #[test]
    fn nothing_is_reshaped_to_nothing() {
        assert_eq!(regroup(&[1, 0, 3], &[0, 1, 2], &[0, 3]).stored, [0, 3]);
    }
}
