//! The judgement of one input: the map, the direct test and a verdict for every target.
//!
//! In: a job, an input, the object, options. Out: [`Findings`]. The examples of the direct test come first, then the map, all through one scorer. Formulas and the rule are in `direct`, `measures` and `verdict`.

use serde::Serialize;

use super::direct::{Direct, Scores};
use super::elsewhere::elsewhere;
use super::verdict::{Predicted, Thresholds, Verdict, decide, percent};
use super::{Judgement, Object, POINTING_TOLERANCE};
use crate::error::{Error, Result};
use crate::input::Input;
use crate::job::{Examples, Job, Watch};
use crate::map::{Map, MapTarget};
use crate::occlusion::Fill;
use crate::score::ScoreKind;

/// How an input is judged.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct JudgeOptions {
    /// What the verdict hangs on.
    pub thresholds: Thresholds,
    /// The tolerance of the pointing game, in elements of the input.
    pub tolerance: f64,
    /// Regions of the object's form elsewhere that are hidden too, so that the effect of size alone is known; 0 for none.
    pub elsewhere: usize,
}

impl Default for JudgeOptions {
    fn default() -> Self {
        JudgeOptions { thresholds: Thresholds::default(), tolerance: POINTING_TOLERANCE, elsewhere: 8 }
    }
}

impl JudgeOptions {
    /// Names of all options, as they are written in text.
    pub const NAMES: [&'static str; 7] = [
        "object-from",
        "surroundings-to",
        "least-gain",
        "least-probability",
        "beyond-chance",
        "tolerance",
        "elsewhere",
    ];

    /// Sets one by its name.
    ///
    /// # Errors
    /// Argument: an unknown name; regions elsewhere that are no whole number. Whether thresholds fit together is checked by [`Thresholds::check`].
    pub fn set(&mut self, name: &str, value: f64) -> Result<()> {
        let thresholds = &mut self.thresholds;
        *match name {
            "object-from" => &mut thresholds.object_from,
            "surroundings-to" => &mut thresholds.surroundings_to,
            "least-gain" => &mut thresholds.least_gain,
            "least-probability" => &mut thresholds.least_probability,
            "beyond-chance" => &mut thresholds.beyond_chance,
            "tolerance" => &mut self.tolerance,
            "elsewhere" if value.fract() == 0.0 && (0.0..=MOST_ELSEWHERE).contains(&value) => {
                self.elsewhere = value as usize;
                return Ok(());
            }
            "elsewhere" => {
                return Err(Error::argument(format!(
                    "elsewhere is {value}, expected a whole number from 0 to {MOST_ELSEWHERE}"
                )));
            }
            _ => {
                return Err(Error::argument(format!("a judgement has no option \"{name}\""))
                    .with_hint(format!("its options are {}", JudgeOptions::NAMES.join(", "))));
            }
        } = value;
        Ok(())
    }
}

/// Each costs two runs of the model.
const MOST_ELSEWHERE: f64 = 1000.0;

/// What was found about one target.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Finding {
    /// What was measured.
    pub target: MapTarget,
    /// Where its score comes from.
    pub verdict: Verdict,
    /// The verdict as a sentence.
    pub sentence: String,
    /// Why, in words.
    pub reasons: Vec<String>,
    /// The direct test.
    pub direct: Direct,
    /// Where the evidence of the map lies; `None` only where a run was stopped before a window covered the object.
    pub evidence: Option<Judgement>,
}

/// What was found about an input.
#[derive(Clone, Debug)]
pub struct Findings {
    /// The map, as a run makes it.
    pub map: Map,
    /// Which places belong to the object, row-major over the input's spatial axes.
    pub inside: Vec<bool>,
    /// How it was judged.
    pub options: JudgeOptions,
    /// One per target.
    pub targets: Vec<Finding>,
}

impl Findings {
    /// The object's share of the places of the input, 0 to 1.
    pub fn object_share(&self) -> f64 {
        share_of(&self.inside)
    }
}

impl Job<'_> {
    /// Judges an input given the object in it: see [`Occlusion::judge`](crate::Occlusion::judge). `None` if it was stopped before the direct test had come to its end; stopped later, the map is incomplete.
    ///
    /// # Errors
    /// Argument: an object that is no part of the input or all of it, thresholds that are none, and what [`Job::run`] and [`Map::judge`] say.
    pub fn judge(
        &self,
        input: &Input,
        object: &Object,
        options: &JudgeOptions,
        watch: &mut Watch<'_>,
    ) -> Result<Option<Findings>> {
        options.thresholds.check()?;
        let inside = object.places(&input.spec, &input.geometry)?;
        if !inside.contains(&false) {
            return Err(Error::argument("the object is the whole input: nothing is left around it")
                .with_hint(
                    "a judgement compares the object with its surroundings: give a box that leaves some",
                ));
        }
        let shape = input.spec.spatial();
        let elsewhere = elsewhere(&inside, &shape, options.elsewhere, self.settings.seed);
        let without = |set: &[bool]| set.iter().map(|inside| !inside).collect::<Vec<bool>>();
        let mut sets = vec![inside.clone(), without(&inside)];
        for one in &elsewhere {
            sets.extend([one.inside.clone(), without(&one.inside)]);
        }
        let hides_all = !matches!(self.settings.fill, Some(Fill::Inpaint(_) | Fill::InpaintOpenCv(_)));
        if hides_all {
            sets.push(vec![true; inside.len()]);
        }
        let Some(examples) = self.examples(input, &sets, watch)? else { return Ok(None) };
        let map = self.run(input, watch)?;
        let judged = match map.judge(&Object::Mask(inside.clone()), options.tolerance) {
            Ok(judged) => judged.into_iter().map(Some).collect(),
            Err(error) if map.is_complete() => return Err(error),
            Err(_) => vec![None; map.targets.len()],
        };
        let overlaps: Vec<f64> = elsewhere.iter().map(|one| one.overlap).collect();
        let share = share_of(&inside);
        let find = |(number, evidence): (usize, Option<Judgement>)| {
            let target = map.targets[number].clone();
            let is_probability = target.unit == ScoreKind::Probability.to_string();
            let direct = read(&examples, number, &overlaps, hides_all, is_probability);
            let predicted = predicted(&examples, number, &map, &options.thresholds);
            let strongest = strongest(&map, number);
            let (verdict, reasons) = decide(
                &direct,
                evidence.as_ref(),
                strongest,
                &predicted,
                is_probability,
                &options.thresholds,
            );
            let sentence = sentence(verdict, &target.label, &direct, share);
            Finding { target, verdict, sentence, reasons, direct, evidence }
        };
        let targets = judged.into_iter().enumerate().map(find).collect();
        Ok(Some(Findings { map, inside, options: *options, targets }))
    }
}

fn share_of(inside: &[bool]) -> f64 {
    inside.iter().filter(|inside| **inside).count() as f64 / inside.len().max(1) as f64
}

/// The greatest sensitivity of a computed window; 0 where hiding lowers the score nowhere.
fn strongest(map: &Map, target: usize) -> f64 {
    let windows = map.windows.len();
    let of_target = &map.sensitivity[target * windows..][..windows];
    of_target
        .iter()
        .copied()
        .filter(|value| !value.is_nan())
        .fold(0.0, |most, value| most.max(f64::from(value)))
}

/// The direct test of one target.
fn read(
    examples: &Examples,
    target: usize,
    overlaps: &[f64],
    hides_all: bool,
    is_probability: bool,
) -> Direct {
    let hidden = &examples.hidden;
    let score = |example: usize| hidden[example].scores[target];
    let last = hides_all.then(|| hidden.len() - 1);
    let scores = Scores {
        untouched: f64::from(examples.targets[target].baseline),
        object_hidden: score(0),
        object_alone: score(1),
        all_hidden: last.map(score),
        elsewhere: (0..overlaps.len()).map(|i| (score(2 + 2 * i), score(3 + 2 * i))).collect(),
        overlaps,
        is_probability,
    };
    let class = |example: usize| hidden[example].most_probable.clone();
    scores.read([examples.most_probable.clone(), class(0), class(1), last.and_then(class)])
}

fn predicted(examples: &Examples, target: usize, map: &Map, thresholds: &Thresholds) -> Predicted {
    // Outputs that are read as they are need not be classes.
    if map.score == ScoreKind::Raw {
        return Predicted::Yes;
    }
    let (Some(probability), Some(top)) = (examples.probabilities[target], &examples.most_probable) else {
        return Predicted::Yes;
    };
    let is_top = examples.is_exclusive && examples.targets[target].class == Some(top.class);
    let probability = f64::from(probability);
    if is_top || probability >= thresholds.least_probability {
        return Predicted::Yes;
    }
    let instead = format!("{} {:.4}", map.labels.short(top.class), top.probability);
    Predicted::No { probability, instead }
}

fn sentence(verdict: Verdict, label: &str, direct: &Direct, area: f64) -> String {
    let share = direct.shares.map_or(0.0, |shares| shares.share);
    let area = percent(area);
    match verdict {
        Verdict::Object => {
            format!(
                "{label} is read off the object: it has {} of the score, on {area} of the input",
                percent(share)
            )
        }
        Verdict::Surroundings => format!(
            "{label} is read off the surroundings: the object has {} of the score, on {area} of the input",
            percent(share)
        ),
        Verdict::Both => format!(
            "{label} is read off both: the object has {} of the score, on {area} of the input, the surroundings {}",
            percent(share),
            percent(1.0 - share)
        ),
        Verdict::Unclear => format!("it is unclear where {label} is read"),
    }
}
