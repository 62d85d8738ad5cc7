//! Where windows lie along one axis: the border rules, each by the formula of its origin.
//!
//! In: the axis' length, the window's size, the stride, the region asked for. Out: half-open ranges of elements, in order. How axes are joined to a grid is in `grid`.
//! Sources are named at the rules; `docs/definitions.md` draws them.

use std::ops::Range;

use serde::{Deserialize, Serialize};

/// What happens where the stride does not fit the axis, and what positions are counted from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Border {
    /// Starts at 0, s, 2s, ...; a last window is moved in to end at the border, so that every element is covered (if the stride is at most the window).
    #[default]
    Shift,
    /// Starts at 0, s, 2s, ... until the border is reached; the last window is cut off there. Captum's rule.
    Clip,
    /// Only whole windows at 0, s, 2s, ...; what is left at the border is not covered. Xplique, PAIR, DeepExplain.
    Drop,
    /// One window centred on each of 0, s, 2s, ...: `[c - w/2, c - w/2 + w)` with `w/2` rounded down, cut off at both borders. Zeiler and Fergus' way.
    Center,
    /// Like `center`, but one element earlier: `[c - w/2 - 1, c - w/2 - 1 + w)`. nolearn, which means to centre odd windows.
    Lag,
    /// Like `center`, on the first `floor(n / s)` (at least 1) positions counted from the region's start: `[c - m, c + m)` for a window of `2m`. MindSpore, MONAI 0.4.
    Margin,
    /// Centred on cells of the size of the stride, counted from the region's start: start `i s + floor((s - w) / 2)`, cut off at both borders. The stride divides the region, and
    /// stride and window are both odd or both even. MONAI 0.5 to 0.9.
    Cell,
    /// Like `shift`, laid over the region widened by `(w - 1) / 2` on both sides. MONAI since 1.0.
    Dense,
    /// Starts at 0, s, 2s, ... below n, all moved back by half of what the last one hangs over, cut off at both borders. xaitk-saliency.
    Overhang,
}

impl Border {
    /// All of them with their names.
    pub const ALL: [(&'static str, Border); 9] = [
        ("shift", Border::Shift),
        ("clip", Border::Clip),
        ("drop", Border::Drop),
        ("center", Border::Center),
        ("lag", Border::Lag),
        ("margin", Border::Margin),
        ("cell", Border::Cell),
        ("dense", Border::Dense),
        ("overhang", Border::Overhang),
    ];
    /// Its name.
    pub fn name(self) -> &'static str {
        Border::ALL.iter().find(|(_, border)| *border == self).map_or("", |(name, _)| name)
    }
    /// Whether a window may be larger than the axis: rules that cut off at both borders.
    pub(super) fn may_exceed(self) -> bool {
        matches!(self, Border::Center | Border::Lag | Border::Margin | Border::Cell | Border::Overhang)
    }
    /// Whether a window of 0 elements, which hides nothing, has a meaning: MindSpore's `margin=0`.
    pub(super) fn may_be_empty(self) -> bool {
        self == Border::Margin
    }
}

/// One axis to lay windows along.
#[derive(Clone, Debug)]
pub(super) struct Axis {
    pub(super) length: usize,
    pub(super) window: usize,
    pub(super) stride: usize,
    /// Elements asked for; the whole axis if nothing was said.
    pub(super) region: Range<usize>,
}

impl Axis {
    /// Lays the windows; `1 <= stride`, the window as the rule allows. Every range lies inside the axis and holds at least one element, but for `margin` and `lag`, where it may hold none.
    ///
    /// # Errors
    /// In words, what the rule `cell` requires.
    pub(super) fn lay(&self, border: Border) -> Result<Vec<Range<usize>>, String> {
        let starts = match border {
            Border::Shift | Border::Clip | Border::Drop => {
                self.centred_inside(border, from_zero(self, border))
            }
            Border::Center | Border::Lag | Border::Overhang => {
                self.centred_inside(border, from_zero(self, border))
            }
            Border::Margin => {
                let count = (self.region.len() / self.stride).max(1);
                let centre = |i: usize| (self.region.start + i * self.stride) as isize;
                (0..count).map(|i| centre(i) - (self.window / 2) as isize).collect()
            }
            Border::Cell => self.cells()?,
            Border::Dense => {
                let grown = self.grown();
                let inner = Axis { length: grown.len(), region: 0..grown.len(), ..self.clone() };
                let moved = |start: isize| start + grown.start as isize;
                from_zero(&inner, Border::Shift).into_iter().map(moved).collect()
            }
        };
        let cut = |start: isize| {
            let end = start + self.window as isize;
            (start.max(0) as usize).min(self.length)..(end.max(0) as usize).min(self.length)
        };
        // A window that lies outside hides nothing, but keeps its place where every position has one.
        let has_any =
            |range: &Range<usize>| range.start < range.end || matches!(border, Border::Margin | Border::Lag);
        Ok(starts.into_iter().map(cut).filter(has_any).collect())
    }

    /// Starts whose window has its centre (middle of the nominal window, before it is cut off) in the region; a region never alters a window.
    fn centred_inside(&self, border: Border, starts: Vec<isize>) -> Vec<isize> {
        // Twice the centre, so that even windows have whole numbers; the rule `center` means the element it was centred on (its middle).
        let centre_twice = |start: isize| match border {
            Border::Center => 2 * (start + self.window as isize / 2) + 1,
            Border::Lag => 2 * (start + self.window as isize / 2 + 1) + 1,
            _ => 2 * start + self.window as isize,
        };
        if self.region == (0..self.length) {
            return starts;
        }
        let region = 2 * self.region.start as isize..2 * self.region.end as isize;
        starts.into_iter().filter(|&start| region.contains(&centre_twice(start))).collect()
    }

    fn cells(&self) -> Result<Vec<isize>, String> {
        let (n, w, s) = (self.region.len(), self.window, self.stride);
        if n > 1 && n % s != 0 {
            return Err(format!("stride {s} does not divide the {n} elements that are asked for"));
        }
        if w % 2 != s % 2 {
            return Err(format!("stride {s} and window {w} must both be odd or both be even"));
        }
        let first = self.region.start as isize + (s as isize - w as isize).div_euclid(2);
        Ok((0..(n / s).max(1)).map(|i| first + (i * s) as isize).collect())
    }

    /// The region widened so that windows over its edges have their place, and at least one window fits.
    fn grown(&self) -> Range<usize> {
        let edge = self.window.saturating_sub(1) / 2;
        let mut grown = self.region.start.saturating_sub(edge)..(self.region.end + edge).min(self.length);
        // A region smaller than the window must not shrink the window: what is missing is taken after it, else before it.
        let missing = self.window.saturating_sub(grown.len());
        grown.end = (grown.end + missing).min(self.length);
        grown.start = grown.start.saturating_sub(self.window.saturating_sub(grown.len()));
        grown
    }
}

/// Starts counted from the first element of the axis.
fn from_zero(axis: &Axis, border: Border) -> Vec<isize> {
    let (length, window, stride) = (axis.length as isize, axis.window as isize, axis.stride);
    let steps = |end: isize| (0..end).step_by(stride);
    match border {
        Border::Center => steps(length).map(|c| c - window / 2).collect(),
        Border::Lag => steps(length).map(|c| c - window / 2 - 1).collect(),
        Border::Overhang => {
            let last = steps(length).next_back().unwrap_or(0);
            // Python's floor division: a window that ends before the border moves on.
            let back = (window - (length - last)).div_euclid(2);
            steps(length).map(|start| start - back).collect()
        }
        _ => {
            let mut starts: Vec<isize> = steps(length - window + 1).collect();
            let covered = starts.last().map_or(0, |s| s + window);
            if covered < length && border == Border::Shift {
                starts.push(length - window);
            }
            if covered < length && border == Border::Clip {
                let next = starts.last().map_or(0, |s| s + stride as isize);
                starts.extend((next < length).then_some(next));
            }
            starts
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn lay(length: usize, window: usize, stride: usize, border: Border) -> Vec<(usize, usize)> {
        within(length, window, stride, border, 0..length)
    }
    fn within(
        length: usize,
        window: usize,
        stride: usize,
        border: Border,
        region: Range<usize>,
    ) -> Vec<(usize, usize)> {
        let axis = Axis { length, window, stride, region };
        axis.lay(border).expect("fits").into_iter().map(|r| (r.start, r.end)).collect()
    }

    #[test]
    fn borders_by_hand() {
        assert_eq!(lay(10, 4, 3, Border::Shift), [(0, 4), (3, 7), (6, 10)]);
        assert_eq!(lay(11, 4, 3, Border::Shift), [(0, 4), (3, 7), (6, 10), (7, 11)]);
        assert_eq!(lay(11, 4, 3, Border::Clip), [(0, 4), (3, 7), (6, 10), (9, 11)]);
        assert_eq!(lay(11, 4, 3, Border::Drop), [(0, 4), (3, 7), (6, 10)]);
        assert_eq!(lay(8, 3, 3, Border::Center), [(0, 2), (2, 5), (5, 8)]);
        assert_eq!(lay(8, 4, 4, Border::Center), [(0, 2), (2, 6)]);
        assert_eq!(lay(5, 5, 9, Border::Clip), [(0, 5)]);
        assert_eq!(lay(5, 2, 4, Border::Clip), [(0, 2), (4, 5)]);
        // A stride larger than the window may leave less than a stride at the end: nothing starts there.
        assert_eq!(lay(5, 2, 6, Border::Clip), [(0, 2)]);
        assert_eq!(lay(224, 28, 14, Border::Shift).len(), 15);
    }

    #[test]
    fn the_peers_rules_by_hand() {
        // MindSpore: [max(0, i - m), min(N, i + m)).
        assert_eq!(lay(4, 4, 1, Border::Margin), [(0, 2), (0, 3), (0, 4), (1, 4)]);
        assert_eq!(within(4, 2, 1, Border::Margin, 1..3), [(0, 2), (1, 3)]);
        assert_eq!(lay(2, 0, 1, Border::Margin), [(0, 0), (1, 1)], "margin 0 hides nothing");
        assert_eq!(lay(1, 4, 1, Border::Margin), [(0, 1)], "and a margin beyond the axis is cut off");
        assert_eq!(lay(5, 4, 2, Border::Margin), [(0, 2), (0, 4)], "MONAI 0.4: floor(5 / 2) positions");
        assert_eq!(lay(1, 2, 2, Border::Margin), [(0, 1)], "and at least one");
        // MONAI 0.9: [i s + (s - w) // 2, + w).
        assert_eq!(lay(4, 3, 1, Border::Cell), [(0, 2), (0, 3), (1, 4), (2, 4)]);
        assert_eq!(lay(4, 4, 2, Border::Cell), [(0, 3), (1, 4)]);
        assert_eq!(within(8, 2, 2, Border::Cell, 2..6), [(2, 4), (4, 6)]);
        // MONAI 1.x: the last window moved in; a box is widened by (w - 1) // 2, and the window stays whole.
        assert_eq!(lay(4, 3, 3, Border::Dense), [(0, 3), (1, 4)]);
        assert_eq!(within(4, 2, 2, Border::Dense, 1..3), [(1, 3)]);
        assert_eq!(within(64, 8, 3, Border::Dense, 0..2), [(0, 8)]);
        assert_eq!(within(64, 8, 3, Border::Dense, 62..64), [(56, 64)]);
        // nolearn: padded by w // 2 + 1, the window from i on.
        assert_eq!(lay(4, 3, 1, Border::Lag), [(0, 1), (0, 2), (0, 3), (1, 4)]);
        assert_eq!(
            lay(3, 1, 1, Border::Lag),
            [(0, 0), (0, 1), (1, 2)],
            "nothing is hidden at the first place"
        );
        // xaitk: arange(0, N, s) moved back by half of the overhang.
        assert_eq!(lay(4, 3, 2, Border::Overhang), [(0, 3), (2, 4)]);
        assert_eq!(lay(6, 2, 3, Border::Overhang), [(1, 3), (4, 6)]);
        let axis = |window, stride| Axis { length: 4, window, stride, region: 0..4 };
        assert!(axis(3, 3).lay(Border::Cell).expect_err("does not divide").contains("stride 3"));
        assert!(axis(3, 2).lay(Border::Cell).expect_err("parity").contains("odd"));
    }

    #[test]
    fn a_region_keeps_windows_by_their_centre() {
        let got = within(12, 4, 2, Border::Shift, 4..8);
        assert_eq!(got, [(2, 6), (4, 8)], "centres 4 and 6; the one at 8 is outside a half-open range");
        let got = within(6, 3, 1, Border::Center, 0..2);
        assert_eq!(got, [(0, 2), (0, 3)], "centred on elements 0 and 1");
    }

    proptest! {
        #[test]
        fn windows_obey_their_border_rule(length in 1usize..60, window_raw in 1usize..60, stride in 1usize..20) {
            let window = window_raw.min(length);
            let covers = |windows: &[(usize, usize)]| {
                (0..length).filter(|i| windows.iter().any(|(s, e)| (s..e).contains(&i))).count()
            };
            let shift = lay(length, window, stride, Border::Shift);
            prop_assert!(shift.iter().all(|(s, e)| e - s == window && *e <= length));
            prop_assert!(shift.windows(2).all(|w| w[0].0 < w[1].0));
            if stride <= window { prop_assert_eq!(covers(&shift), length); }
            prop_assert_eq!(&lay(length, window, stride, Border::Dense), &shift);
            let clip = lay(length, window, stride, Border::Clip);
            // Captum: ceil((N - w) / s) + 1 windows, as long as strides do not jump over the end.
            if stride <= window {
                prop_assert_eq!(clip.len(), (length - window).div_ceil(stride) + 1);
                prop_assert_eq!(covers(&clip), length);
            }
            prop_assert!(clip.iter().enumerate().all(|(i, (s, e))| *s == i * stride && *e == (s + window).min(length)));
            let drop = lay(length, window, stride, Border::Drop);
            prop_assert_eq!(drop.len(), (0..length).filter(|s| s % stride == 0 && s + window <= length).count());
            // Rules that cut off at both borders take windows larger than the axis.
            let center = lay(length, window_raw, stride, Border::Center);
            prop_assert_eq!(center.len(), length.div_ceil(stride));
            for (i, (s, e)) in center.iter().enumerate() {
                for x in 0..length {
                    let low = (i * stride) as isize - (window_raw / 2) as isize;
                    let inside = (low..low + window_raw as isize).contains(&(x as isize));
                    prop_assert_eq!(inside, (*s..*e).contains(&x));
                }
            }
        }
    }
}
