//! The direct test: the score with the object hidden, with everything else hidden, and with everything hidden, read as a game of two players.
//!
//! In: scores of these examples, and of the same for regions of the object's form elsewhere. Out: [`Direct`]. Object and surroundings are the players, what the score gains over the input with everything hidden is what they earn together. How examples
//! are made and run is in `job::examples`; which verdict follows is in `verdict`.

use serde::{Deserialize, Serialize};

use crate::job::ClassValue;

/// What a model says to one example.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Shown {
    /// The target's score, in its unit.
    pub score: f64,
    /// `score / untouched score`; `None` where the untouched score is not above 0.
    pub of_untouched: Option<f64>,
    /// The most probable class; `None` for models without one vector of classes.
    pub most_probable: Option<ClassValue>,
}

/// Mean and spread of a number over several regions.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// Mean.
    pub mean: f64,
    /// Standard deviation (n - 1 in the denominator; 0 for one region).
    pub deviation: f64,
}

impl Spread {
    /// Of these numbers; `None` for none.
    pub(super) fn of(values: &[f64]) -> Option<Spread> {
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        (!values.is_empty()).then(|| Spread { mean, deviation: (squares / (count - 1.0).max(1.0)).sqrt() })
    }
}

/// How a gain is shared between a region and the rest of the input. `u` untouched, `h` region hidden, `o` all but the region hidden, `e` everything hidden; as parts of the gain `u - e`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Shares {
    /// `(u - h) / (u - e)`: how much is lost without the region. 1: nothing is left, it is needed.
    pub lost_without: f64,
    /// `(o - e) / (u - e)`: how much the region alone brings. 1: it is enough.
    pub kept_alone: f64,
    /// Mean of the two: the region's Shapley value in the game of the region and the rest (Shapley, "A value for n-person games", 1953), as part of the gain. The rest has 1 minus it. For a score that is a sum over places, the region's part of that sum.
    pub share: f64,
    /// `lost_without - kept_alone`, Harsanyi's dividend of the two together, as part of the gain. 0: they add up; 1: neither brings anything without the other; -1: either is enough.
    pub interaction: f64,
}

impl Shares {
    /// `gain` is above 0.
    pub(super) fn new(untouched: f64, hidden: f64, alone: f64, floor: f64) -> Shares {
        let gain = untouched - floor;
        let (lost_without, kept_alone) = ((untouched - hidden) / gain, (alone - floor) / gain);
        Shares {
            lost_without,
            kept_alone,
            share: (lost_without + kept_alone) / 2.0,
            interaction: lost_without - kept_alone,
        }
    }
}

/// What hiding regions of the object's form and size elsewhere does: shifts of the object on the input, whose opposite edges are joined.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Control {
    /// How many regions.
    pub regions: usize,
    /// The part of a region that lies in the object all the same, 0 to 1, on average: large objects leave no room.
    pub overlap: f64,
    /// The score with one of them hidden.
    pub score_hidden: Spread,
    /// The score with all but one of them hidden.
    pub score_alone: Spread,
    /// [`Shares::lost_without`] of them; like the next two `None` where the score gains nothing.
    pub lost_without: Option<Spread>,
    /// [`Shares::kept_alone`].
    pub kept_alone: Option<Spread>,
    /// [`Shares::share`].
    pub share: Option<Spread>,
}

/// The direct test of one target.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Direct {
    /// The score of the untouched input, `u`.
    pub untouched: Shown,
    /// With the object hidden, `h`.
    pub object_hidden: Shown,
    /// With everything but the object hidden, `o`.
    pub object_alone: Shown,
    /// With everything hidden, `e`; `None` for inpainting, which needs something that is left.
    pub all_hidden: Option<Shown>,
    /// `u - e`: what there is to be shared. Without `e`, a probability counts from 0; other scores have no gain then.
    pub gain: Option<f64>,
    /// How the gain is shared; `None` without a gain above 0.
    pub shares: Option<Shares>,
    /// The same for regions elsewhere; `None` where none were asked for, or the object has no other place.
    pub control: Option<Control>,
}

/// Scores of one target on all examples.
pub(super) struct Scores<'a> {
    pub(super) untouched: f64,
    pub(super) object_hidden: f64,
    pub(super) object_alone: f64,
    pub(super) all_hidden: Option<f64>,
    /// Regions elsewhere: hidden, alone.
    pub(super) elsewhere: Vec<(f64, f64)>,
    /// Part of each that lies in the object.
    pub(super) overlaps: &'a [f64],
    pub(super) is_probability: bool,
}

impl Scores<'_> {
    /// `classes`: the most probable class of the untouched input, with the object hidden, alone, with everything hidden.
    pub(super) fn read(&self, classes: [Option<ClassValue>; 4]) -> Direct {
        let [of_untouched, of_hidden, of_alone, of_all] = classes;
        let shown = |score: f64, most_probable: Option<ClassValue>| Shown {
            score,
            of_untouched: (self.untouched > 0.0).then(|| score / self.untouched),
            most_probable,
        };
        let floor = self.all_hidden.or(self.is_probability.then_some(0.0));
        let gain = floor.map(|floor| self.untouched - floor);
        let shares = |hidden: f64, alone: f64| {
            let (floor, gain) = (floor?, gain?);
            (gain > 0.0).then(|| Shares::new(self.untouched, hidden, alone, floor))
        };
        Direct {
            untouched: shown(self.untouched, of_untouched),
            object_hidden: shown(self.object_hidden, of_hidden),
            object_alone: shown(self.object_alone, of_alone),
            all_hidden: self.all_hidden.map(|score| shown(score, of_all)),
            gain,
            shares: shares(self.object_hidden, self.object_alone),
            control: self.control(&shares),
        }
    }

    fn control(&self, shares: &dyn Fn(f64, f64) -> Option<Shares>) -> Option<Control> {
        let all: Vec<Shares> =
            self.elsewhere.iter().filter_map(|&(hidden, alone)| shares(hidden, alone)).collect();
        let of = |part: fn(&Shares) -> f64| Spread::of(&all.iter().map(part).collect::<Vec<_>>());
        let scores =
            |part: fn(&(f64, f64)) -> f64| Spread::of(&self.elsewhere.iter().map(part).collect::<Vec<_>>());
        Some(Control {
            regions: self.elsewhere.len(),
            overlap: Spread::of(self.overlaps)?.mean,
            score_hidden: scores(|(hidden, _)| *hidden)?,
            score_alone: scores(|(_, alone)| *alone)?,
            lost_without: of(|s| s.lost_without),
            kept_alone: of(|s| s.kept_alone),
            share: of(|s| s.share),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn games_by_hand() {
        let game = |untouched, hidden, alone, floor| {
            let s = Shares::new(untouched, hidden, alone, floor);
            (s.lost_without, s.kept_alone, s.share, s.interaction)
        };
        // A sum: 3 of the object, 1 of the rest, on top of 2 that are always there.
        assert_eq!(game(6.0, 3.0, 5.0, 2.0), (0.75, 0.75, 0.75, 0.0));
        // Both are needed; either is enough.
        assert_eq!(game(1.0, 0.0, 0.0, 0.0), (1.0, 0.0, 0.5, 1.0));
        assert_eq!(game(1.0, 1.0, 1.0, 0.0), (0.0, 1.0, 0.5, -1.0));
        // The surroundings speak against it: the object has more than all.
        assert_eq!(game(1.0, -1.0, 2.0, 0.0), (2.0, 2.0, 2.0, 0.0));
    }

    #[test]
    fn without_an_input_that_hides_all_a_probability_counts_from_zero() {
        let scores = |is_probability, untouched, all_hidden| Scores {
            untouched,
            object_hidden: 0.2,
            object_alone: 0.6,
            all_hidden,
            elsewhere: vec![(0.7, 0.1), (0.5, 0.3)],
            overlaps: &[0.0, 0.5],
            is_probability,
        };
        let none = || [None, None, None, None];
        let found = scores(true, 0.8, None).read(none());
        assert_eq!((found.gain, found.all_hidden), (Some(0.8), None));
        assert!((found.shares.expect("a gain").share - 0.75).abs() < 1e-12);
        let control = found.control.expect("two");
        assert_eq!((control.regions, control.overlap), (2, 0.25));
        assert!((control.score_hidden.mean - 0.6).abs() < 1e-12);
        assert!((control.score_hidden.deviation - 0.02f64.sqrt()).abs() < 1e-12);
        // (0.1 + 0.1) / 1.6 and (0.3 + 0.3) / 1.6.
        assert!((control.share.expect("a gain").mean - 0.25).abs() < 1e-12);
        let unknown = scores(false, 0.8, None).read(none());
        assert_eq!((unknown.gain, unknown.shares), (None, None));
        let against = scores(false, -0.5, Some(0.0)).read(none());
        assert_eq!(
            (against.gain, against.shares, against.object_hidden.of_untouched),
            (Some(-0.5), None, None)
        );
        assert!(against.control.is_some_and(|control| control.share.is_none()));
    }
}
