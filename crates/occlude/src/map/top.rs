//! The windows that matter most, for and against a target: the reading of a map that needs no colours.

use std::ops::Range;

use serde::Serialize;

use super::Map;

/// Which end of the scale.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// Hiding it lowered the score: evidence for the target.
    For,
    /// Hiding it raised the score: evidence against the target.
    Against,
}

/// One window of a ranking.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TopWindow {
    /// Its number; on a grid the flat index.
    pub window: usize,
    /// Index per axis of the grid; see [`Windows::place`](crate::occlusion::Windows::place).
    pub place: Vec<usize>,
    /// Baseline minus occluded score.
    pub sensitivity: f32,
    /// Score with the window hidden.
    pub score: f32,
    /// Most probable class with the window hidden.
    pub most_probable: Option<usize>,
    /// Box in the input tensor, one range of elements per axis of the input's shape.
    pub window_in_input: Vec<Range<usize>>,
    /// Box in the source, one range per spatial axis.
    pub window_in_source: Vec<Range<f64>>,
}

impl Map {
    /// The at most `count` computed windows that speak most strongly for or against a target, strongest first; ties in the order of the windows.
    /// Windows with the other sign or zero are left out.
    ///
    /// # Panics
    /// If there is no such target.
    pub fn top_windows(&self, target: usize, direction: Direction, count: usize) -> Vec<TopWindow> {
        let sensitivity = self.sensitivity_of(target);
        let sign = match direction {
            Direction::For => 1.0,
            Direction::Against => -1.0,
        };
        let mut ranked: Vec<usize> =
            (0..sensitivity.len()).filter(|&i| sensitivity[i] * sign > 0.0).collect();
        ranked.sort_by(|&a, &b| (sensitivity[b] * sign).total_cmp(&(sensitivity[a] * sign)).then(a.cmp(&b)));
        ranked.truncate(count);
        ranked
            .into_iter()
            .map(|window| TopWindow {
                window,
                place: self.windows.place(window),
                sensitivity: sensitivity[window],
                score: self.scores_of(target)[window],
                most_probable: self
                    .most_probable
                    .as_ref()
                    .and_then(|m| usize::try_from(m.windows[window]).ok()),
                window_in_input: self.windows.bounds(window),
                window_in_source: self.window_in_source(window),
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::map::tests_support::map;

    #[test]
    fn ranking_by_sign() {
        let map = map([2, 6], [2, 2], [2, 2], vec![0.5, f32::NAN, -2.0]);
        let all = |direction| map.top_windows(0, direction, 9).iter().map(|t| t.window).collect::<Vec<_>>();
        assert_eq!(all(Direction::For), [0]);
        assert_eq!(all(Direction::Against), [2]);
        let top = &map.top_windows(0, Direction::Against, 1)[0];
        assert_eq!((top.window_in_input.clone(), top.score), (vec![0..1, 0..2, 4..6], 3.0));
        assert_eq!(top.window_in_source, [0.0..2.0, 4.0..6.0]);
    }
}
