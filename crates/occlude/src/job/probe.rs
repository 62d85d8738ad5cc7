//! One window laid by hand: what the model says with it hidden, for a reader who moves it over the picture.
//!
//! In: a [`Job`], an input, the first element of the window along each axis. Out: a [`Probe`]. The window has the settings' size, fill and shape; where it stands on a window
//! of the grid its scores are the map's, to the bit, since it is run as one more window of the same grid. No map is made, and nothing is checked by a second run.

use std::ops::{ControlFlow, Range};

use super::{Job, check_baseline, infinite_score, not_finite};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::input::Input;
use crate::map::MapTarget;
use crate::occlusion::Windows;
use crate::score::{Readout, ScoreKind};
use crate::target::read_all;
use crate::tensor::shape_text;

/// A class with its probability.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassValue {
    /// Index of the class.
    pub class: usize,
    /// 0 to 1.
    pub probability: f32,
}

/// What a model says with one window hidden.
#[derive(Clone, Debug, PartialEq)]
pub struct Probe {
    /// The window, one range of elements per axis of the input's shape.
    pub bounds: Vec<Range<usize>>,
    /// What was measured, with the scores on the untouched input.
    pub targets: Vec<MapTarget>,
    /// The score of each target with the window hidden. Its sensitivity is the target's baseline minus this.
    pub scores: Vec<f32>,
    /// The most probable classes with the window hidden, the most probable first; empty for models without one vector of classes.
    pub classes: Vec<ClassValue>,
    /// The most probable classes on the untouched input.
    pub classes_untouched: Vec<ClassValue>,
}

impl Job<'_> {
    /// Hides one window and asks the model. `start` is its first element along each axis of the grid (spatial axes, or one more in front where windows have their own size along the
    /// channels, which may be left out for the first channels); `most_probable` is how many classes are told.
    ///
    /// # Errors
    /// Argument: windows that are no grid (regions, masks), a window that does not lie inside the input, and what [`Job::run`] says. Number: NaN or infinity out of the model.
    pub fn probe(&self, input: &Input, start: &[usize], most_probable: usize) -> Result<Probe> {
        let mut occluder = self.occluder(input, 0)?;
        let bounds = bounds(occluder.windows(), start)?;
        let baseline = self.scorer.untouched(&occluder.untouched())?;
        check_baseline(&baseline)?;
        let mut map = self.empty_map(input, &occluder, &baseline)?;
        let measures = self.measures(&baseline, &mut map)?;
        self.describe_targets(&measures, &baseline, &mut map)?;
        let window = occluder.lay_by_hand(bounds.clone());
        let mut outputs: Vec<Vec<f32>> = Vec::new();
        self.scorer.score(&occluder, &[window], &mut |_, scored| {
            outputs = scored.iter().map(|values| values.to_vec()).collect();
            ControlFlow::Continue(())
        })?;
        let hidden: Vec<&[f32]> = outputs.iter().map(Vec::as_slice).collect();
        if hidden.is_empty() {
            return Err(Error::number("the model returned nothing for the window"));
        }
        let place = || format!("the window at {}", shape_text(start));
        if let Some((output, at)) = not_finite(&hidden) {
            return Err(Error::number(format!(
                "the model returned {} (element {at} of its output {output}) with {} hidden",
                hidden[output][at],
                place()
            )));
        }
        let scores = read_all(&measures, &hidden);
        if let Some(at) = scores.iter().position(|score| !score.is_finite()) {
            return Err(infinite_score(&measures[at], scores[at], &place()));
        }
        let readout = self.probability(&baseline.values);
        let likely = |outputs: &[&[f32]]| match (self.meaning.class_output, readout) {
            (Some(output), Some(readout)) => likeliest(readout, outputs[output], most_probable),
            _ => Vec::new(),
        };
        Ok(Probe {
            bounds,
            targets: map.targets,
            scores,
            classes: likely(&hidden),
            classes_untouched: likely(&baseline.slices()),
        })
    }

    /// How the vector of classes becomes probabilities, whatever is measured; `None` without one.
    pub(super) fn probability(&self, outputs: &[Vec<f32>]) -> Option<Readout> {
        let count = outputs[self.meaning.class_output?].len();
        let readout = self.readout(count, &mut Vec::new());
        Some(Readout { kind: ScoreKind::Probability, ..readout })
    }
}

/// The box of a window of the nominal size.
fn bounds(windows: &Windows, start: &[usize]) -> Result<Vec<Range<usize>>> {
    let Some(grid) = windows.grids().first() else {
        return Err(Error::argument(
            "regions and masks are hidden as they are: no window can be laid by hand",
        )
        .with_hint("leave out regions and masks, and give a window"));
    };
    let axes = &grid.axes;
    let spatial = axes.iter().filter(|axis| axis.role != crate::occlusion::AxisRole::Channel).count();
    if start.len() != axes.len() && start.len() != spatial {
        return Err(Error::argument(format!(
            "a window starts at {}, expected {spatial} places, one per spatial axis",
            shape_text(start)
        )));
    }
    let skipped = axes.len() - start.len();
    let mut bounds: Vec<Range<usize>> = grid.input_shape.iter().map(|&n| 0..n).collect();
    for (place, axis) in axes.iter().enumerate() {
        let first = place.checked_sub(skipped).map_or(0, |place| start[place]);
        let end = first.saturating_add(axis.window);
        if end > axis.length {
            return Err(Error::argument(format!(
                "a window of {} that starts at {first} ends beyond the input, which has {} elements there",
                axis.window, axis.length
            ))
            .with_hint(match axis.length.checked_sub(axis.window) {
                Some(last) => format!("it may start at {last} at most"),
                None => "the window is larger than the input".to_string(),
            }));
        }
        bounds[axis.tensor_axis] = first..end;
    }
    Ok(bounds)
}

/// Of equals the class with the smaller index comes first.
pub(super) fn likeliest(readout: Readout, outputs: &[f32], count: usize) -> Vec<ClassValue> {
    let scores = readout.scores(outputs);
    let mut order: Vec<usize> = (0..outputs.len()).collect();
    order.sort_by(|&a, &b| outputs[b].total_cmp(&outputs[a]).then(a.cmp(&b)));
    order.truncate(count);
    order.into_iter().map(|class| ClassValue { class, probability: scores.of(class) }).collect()
}
