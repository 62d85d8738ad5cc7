//! The answers of an evaluation: measures of every map beside those of its random maps.
//!
//! In: a [`Run`] whose questions were asked, as far as it got. Out: [`Evaluated`] per map, and what cannot be said, in words. Formulas are in `measures`.

use super::questions::{Answers, Asked, Run, Sets};
use super::random_maps::Candidate;
use super::{AtSize, Better, Chance, Curve, Evaluated, Measured, Metric, measures};
use crate::compare::{Evidence, mean_ranks, pearson};

impl Run<'_, '_, '_, '_> {
    /// The measures of one map.
    pub(super) fn evaluated(
        &self,
        number: usize,
        (evidence, candidate): &(Evidence, Candidate),
    ) -> Evaluated {
        let asked = &self.asked[number];
        let deletion = self.curve(asked, |one| &one.deletion);
        let insertion = self.curve(asked, |one| &one.insertion);
        let mut found = Vec::new();
        let area =
            |of: fn(&Asked) -> &Answers| move |one: &Asked| known(of(one)).map(|all| measures::area(&all));
        if self.options.asks(Metric::Deletion) {
            found.push(measured("deletion", Better::Lower, asked, area(|one| &one.deletion)));
        }
        if self.options.asks(Metric::Insertion) {
            found.push(measured("insertion", Better::Higher, asked, area(|one| &one.insertion)));
        }
        if self.options.asks(Metric::Drop) {
            let whole = self.whole();
            found.push(measured("average drop", Better::Lower, asked, |one| {
                measures::drop(whole, one.masked?)
            }));
            found.push(measured("average increase", Better::Higher, asked, |one| {
                one.masked.map(|masked| measures::increase(whole, masked))
            }));
            found.push(measured("average gain", Better::Higher, asked, |one| {
                one.masked.filter(|_| self.is_probability).map(|masked| measures::gain(whole, masked))
            }));
        }
        let mut sensitivity_n = Vec::new();
        if self.options.asks(Metric::SensitivityN) {
            let sums: Vec<Vec<f64>> =
                self.values[number].iter().map(|values| self.grid.sums(values)).collect();
            let by_size: Vec<Vec<Option<f64>>> = sums
                .iter()
                .map(|sums| self.sensitivity.iter().map(|sets| self.correlation(sets, sums, false)).collect())
                .collect();
            for (size, sets) in self.sensitivity.iter().enumerate() {
                let correlation = measured("sensitivity-n", Better::Higher, &by_size, |of| of[size]);
                sensitivity_n.push(AtSize { n: sets.n, sets: sets.sets.len(), correlation });
            }
            found.push(measured("sensitivity-n", Better::Higher, &by_size, |of| {
                known(of).map(|all| mean(&all))
            }));
        }
        if let Some(sets) = &self.fidelity {
            let sums: Vec<Vec<f64>> =
                self.values[number].iter().map(|values| self.grid.sums(values)).collect();
            found.push(measured("MuFidelity", Better::Higher, &sums, |sums| {
                self.correlation(sets, sums, true)
            }));
        }
        Evaluated {
            name: evidence.name.clone(),
            kind: if evidence.is_map() { "map" } else { "array" }.into(),
            target: evidence.target.clone(),
            random_maps: candidate.random_kind().into(),
            known: candidate.values.iter().filter(|v| !v.is_nan()).count(),
            measures: found,
            deletion,
            insertion,
            sensitivity_n,
        }
    }

    /// Between a map's sums over sets of cells and how far the score falls with each set taken away; by ranks: Spearman's, else Pearson's. `None` where a side is constant, or there are fewer than three sets.
    fn correlation(&self, sets: &Sets, sums: &[f64], by_ranks: bool) -> Option<f64> {
        let scores = known(&sets.scores)?;
        let falls: Vec<f64> = scores.iter().map(|score| self.whole() - score).collect();
        let of_map: Vec<f64> =
            sets.sets.iter().map(|set| set.iter().map(|&cell| sums[cell]).sum::<f64>()).collect();
        if falls.len() < 3 {
            return None;
        }
        if by_ranks { pearson(&mean_ranks(&of_map), &mean_ranks(&falls)) } else { pearson(&of_map, &falls) }
    }

    fn curve(&self, asked: &[Asked], of: fn(&Asked) -> &Answers) -> Option<Curve> {
        let scores = known(of(asked.first()?))?;
        let places = self.places.iter().product::<usize>() as f64;
        let area = measures::area(&scores);
        Some(Curve {
            share: self.changed.iter().map(|&count| count as f64 / places).collect(),
            area,
            of_untouched: (self.whole() > 0.0).then(|| area / self.whole()),
            random: asked[1..].iter().filter_map(|one| known(of(one))).collect(),
            scores,
        })
    }

    /// What cannot be said, and why.
    pub(super) fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if self.options.asks(Metric::Drop) && self.whole() <= 0.0 {
            notes.push(format!(
                "no average drop: it is a share of the untouched score, which is {}, not above 0",
                self.whole()
            ));
        }
        if self.options.asks(Metric::Drop) && !self.is_probability {
            notes.push(format!(
                "no average gain: it is defined for probabilities, not for {}",
                self.altered.target.unit
            ));
        }
        let flat = |sets: &&Sets| {
            known(&sets.scores).is_some_and(|scores| scores.iter().all(|score| *score == scores[0]))
        };
        if let Some(sets) = self.sensitivity.iter().chain(&self.fidelity).find(flat) {
            notes.push(format!(
                "taking {} of {} cells away never changes the score: nothing correlates with that",
                sets.n,
                self.grid.len()
            ));
        }
        if self.grid.len() < 2 {
            notes.push("the input has one cell: there are no random sets".into());
        }
        notes
    }
}

/// All answers, if all are there; `None` also for none.
fn known(answers: &[Option<f64>]) -> Option<Vec<f64>> {
    answers.iter().copied().collect::<Option<Vec<f64>>>().filter(|all| !all.is_empty())
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// A measure of a map, which comes first, beside that of its random maps.
fn measured<T>(name: &str, better: Better, all: &[T], of: impl Fn(&T) -> Option<f64>) -> Measured {
    let mut values = all.iter().map(of);
    let value = values.next().flatten();
    let values: Vec<f64> = values.flatten().collect();
    let random = (!values.is_empty()).then(|| {
        let mean = mean(&values);
        let squares: f64 = values.iter().map(|v| (v - mean).powi(2)).sum();
        let beats = |other: &&f64| match (value, better) {
            (Some(value), Better::Higher) => value > **other,
            (Some(value), Better::Lower) => value < **other,
            (None, _) => false,
        };
        Chance {
            mean,
            deviation: (squares / (values.len() as f64 - 1.0).max(1.0)).sqrt(),
            better_than: values.iter().filter(beats).count(),
            values,
        }
    });
    Measured { name: name.into(), value, better, random }
}
