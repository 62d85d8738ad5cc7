//! The questions of an evaluation: which altered inputs the model is asked about, and in which order.
//!
//! In: maps with their random maps, options, a model that is ready to be asked. Out: scores of altered inputs. Random sets are asked about once, whatever the number of maps, since only sums of the map differ; curves and masks are asked about for every map and every
//! random map. What the scores say is in `answers`.

use std::time::Instant;

use super::cells::{CellGrid, Draws, subsets};
use super::random_maps::Candidate;
use super::{EvaluateOptions, Metric, measures};
use crate::compare::Evidence;
use crate::error::Result;
use crate::job::{Altered, Job, SoFar, Start, Watch};
use crate::occlusion::Region;
use crate::score::ScoreKind;

/// Sizes of sensitivity-n's sets, as shares of the cells; one cell comes first.
const SIZES: [f64; 4] = [0.1, 0.25, 0.5, 0.75];

/// Numbers of altered inputs that are held at once, about.
const HELD: usize = 1 << 24;

/// Answers to one list of questions; `None` where a stop came first.
pub(super) type Answers = Vec<Option<f64>>;

/// Random sets of one size, and what taking each away makes of the score.
pub(super) struct Sets {
    pub(super) n: usize,
    pub(super) sets: Vec<Vec<usize>>,
    pub(super) scores: Answers,
}

/// What was asked of one map or random map.
#[derive(Default)]
pub(super) struct Asked {
    pub(super) deletion: Answers,
    pub(super) insertion: Answers,
    pub(super) masked: Option<f64>,
}

/// An evaluation in progress.
pub(super) struct Run<'r, 'j, 'a, 'w> {
    pub(super) altered: &'r Altered<'j, 'a>,
    pub(super) options: &'r EvaluateOptions,
    watch: &'r mut Watch<'w>,
    pub(super) places: Vec<usize>,
    /// Places that are changed at each point of a curve.
    pub(super) changed: Vec<usize>,
    pub(super) grid: CellGrid,
    pub(super) so_far: SoFar,
    /// Per map, the map itself and then its random maps.
    pub(super) values: Vec<Vec<Vec<f32>>>,
    pub(super) asked: Vec<Vec<Asked>>,
    pub(super) sensitivity: Vec<Sets>,
    pub(super) fidelity: Option<Sets>,
    pub(super) is_probability: bool,
}

impl<'r, 'j, 'a, 'w> Run<'r, 'j, 'a, 'w> {
    pub(super) fn new(
        job: &Job<'_>,
        altered: &'r Altered<'j, 'a>,
        sides: &[(Evidence, Candidate)],
        places: Vec<usize>,
        options: &'r EvaluateOptions,
        watch: &'r mut Watch<'w>,
    ) -> Self {
        let seed = job.settings.seed;
        let grid = CellGrid::new(&places, options.cells);
        let changed = measures::changed(places.iter().product(), options.steps);
        let with_random = |(_, candidate): &(Evidence, Candidate)| {
            let random = (0..options.random_maps).map(|number| candidate.random(seed, number));
            std::iter::once(candidate.values.clone()).chain(random).collect::<Vec<_>>()
        };
        let values: Vec<Vec<Vec<f32>>> = sides.iter().map(with_random).collect();
        let cells = grid.len();
        let sets = |n: usize, count: usize, stream: u64| Sets {
            n,
            sets: subsets(cells, n, count, &mut Draws::new(seed, stream)),
            scores: Vec::new(),
        };
        let mut sizes: Vec<usize> =
            SIZES.iter().map(|share| (share * cells as f64).round() as usize).collect();
        sizes.insert(0, 1);
        sizes.retain(|n| (1..cells).contains(n));
        sizes.dedup();
        let asks_sensitivity = options.asks(Metric::SensitivityN);
        let sensitivity = (1..).zip(sizes).filter(|_| asks_sensitivity);
        let sensitivity: Vec<Sets> =
            sensitivity.map(|(stream, n)| sets(n, options.sensitivity_subsets, stream)).collect();
        let of_fidelity = ((options.subset_share * cells as f64) as usize).clamp(1, cells.max(2) - 1);
        let fidelity = options.asks(Metric::MuFidelity).then(|| sets(of_fidelity, options.subsets, 0));
        let asked = values.iter().map(|all| all.iter().map(|_| Asked::default()).collect()).collect();
        let is_probability = altered.target.unit == ScoreKind::Probability.to_string();
        let mut run = Run {
            altered,
            options,
            watch,
            places,
            changed,
            grid,
            so_far: SoFar { done: 0, total: 0, begun: Instant::now() },
            values,
            asked,
            sensitivity,
            fidelity,
            is_probability,
        };
        run.so_far.total = run.total();
        run
    }

    fn total(&self) -> usize {
        let of_sets: usize = self.sensitivity.iter().chain(&self.fidelity).map(|sets| sets.sets.len()).sum();
        let all: usize = self.values.iter().map(Vec::len).sum();
        let inner = self.changed.len() - 2;
        let curves = |metric| usize::from(self.options.asks(metric)) * inner * all;
        of_sets
            + usize::from(self.options.asks(Metric::Deletion))
            + curves(Metric::Deletion)
            + curves(Metric::Insertion)
            + usize::from(self.options.asks(Metric::Drop)) * all
    }

    /// Asks about `count` altered inputs, some at a time; `write` sets, in an array of zeros, how much of each place is changed.
    fn ask(
        &mut self,
        start: Start,
        count: usize,
        write: &dyn Fn(&Self, usize, &mut [f32]),
    ) -> Result<Answers> {
        let length: usize = self.places.iter().product();
        let group = (HELD / length.max(1)).clamp(16, 256);
        let mut shares = vec![0.0; length];
        let mut answers = Vec::with_capacity(count);
        for first in (0..count).step_by(group) {
            let mut regions = Vec::with_capacity(group);
            for number in first..(first + group).min(count) {
                shares.fill(0.0);
                write(self, number, &mut shares);
                regions.push(Region::of_shares(1, &shares, &self.places));
            }
            if self.watch.is_cancelled() {
                answers.resize(count, None);
                return Ok(answers);
            }
            answers.extend(self.altered.scores(start, regions, self.watch, &mut self.so_far)?);
        }
        Ok(answers)
    }

    /// Asks everything, what all maps share first, and every map before its random maps. Returns the score with nothing left, where that was asked.
    pub(super) fn questions(&mut self) -> Result<Option<f64>> {
        for number in 0..self.sensitivity.len() {
            let count = self.sensitivity[number].sets.len();
            let scores = self.ask(Start::Input, count, &|run, set, shares| {
                run.grid.mark(&run.sensitivity[number].sets[set], shares);
            })?;
            self.sensitivity[number].scores = scores;
        }
        if let Some(count) = self.fidelity.as_ref().map(|sets| sets.sets.len()) {
            let scores = self.ask(Start::Input, count, &|run, set, shares| {
                if let Some(fidelity) = &run.fidelity {
                    run.grid.mark(&fidelity.sets[set], shares);
                }
            })?;
            self.fidelity.iter_mut().for_each(|sets| sets.scores.clone_from(&scores));
        }
        let mut nothing = None;
        if self.options.asks(Metric::Deletion) {
            nothing = self.ask(Start::Input, 1, &|_, _, shares| shares.fill(1.0))?.pop().flatten();
            let ends = (Some(f64::from(self.altered.target.baseline)), nothing);
            self.curves(Start::Input, ends, |asked| &mut asked.deletion)?;
        }
        if self.options.asks(Metric::Insertion) {
            let ends = (Some(self.altered.nothing), Some(f64::from(self.altered.target.baseline)));
            self.curves(Start::Nothing, ends, |asked| &mut asked.insertion)?;
        }
        if self.options.asks(Metric::Drop) {
            for (map, which) in self.in_order() {
                let kept = measures::kept(&self.values[map][which]);
                let masked = self.ask(Start::Input, 1, &|_, _, shares| {
                    shares.iter_mut().zip(&kept).for_each(|(share, kept)| *share = 1.0 - kept);
                })?;
                self.asked[map][which].masked = masked.into_iter().next().flatten();
            }
        }
        Ok(nothing)
    }

    /// All maps, then all first random maps, and so on.
    fn in_order(&self) -> Vec<(usize, usize)> {
        let maps = self.values.len();
        (0..=self.options.random_maps).flat_map(|which| (0..maps).map(move |map| (map, which))).collect()
    }

    /// The points between the ends of every map's curve.
    fn curves(
        &mut self,
        start: Start,
        (first, last): (Option<f64>, Option<f64>),
        of: fn(&mut Asked) -> &mut Answers,
    ) -> Result<()> {
        for (map, which) in self.in_order() {
            let ranking = measures::ranking(&self.values[map][which]);
            let inner = self.changed.len() - 2;
            let between = self.ask(start, inner, &|run, point, shares| {
                ranking[..run.changed[point + 1]].iter().for_each(|&place| shares[place] = 1.0);
            })?;
            let all = std::iter::once(first).chain(between).chain(std::iter::once(last)).collect();
            *of(&mut self.asked[map][which]) = all;
        }
        Ok(())
    }

    /// The untouched score.
    pub(super) fn whole(&self) -> f64 {
        f64::from(self.altered.target.baseline)
    }
}
