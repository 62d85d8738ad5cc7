//! One run: from an input, a scorer and settings to a [`Map`], with progress, cancelling, and a self-check.
//!
//! In: [`Job`]. Out: a map; on cancelling the map as far as it got; on NaN or infinity out of the model an error that names the window and carries the
//! map as far as it got. Which scorer runs is not known here, and nothing is printed or written.

mod altered;
mod approximate;
mod check;
mod examples;
pub(crate) mod hide;
mod noise;
mod probe;
mod verify;
mod watch;
mod windows;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use crate::error::{Error, ErrorKind, Result};
use crate::input::{Input, preprocess_to_text};
use crate::map::{FileFact, Map, MapTarget, MostProbable, Provenance, Timings, Work};
use crate::model_folder::Labels;
use crate::occlusion::{Fill, FillValues, Occluder, ReadImage, Windows, border_share};
use crate::score::{Activation, Classes, Readout, ScoreKind, argmax};
use crate::scorer::{Outputs, Scorer};
use crate::settings::Settings;
use crate::target::{Known, Measure, is_vector, read_all, resolve};
use crate::tensor::shape_text;

pub(crate) use altered::{Altered, SoFar, Start};
pub(crate) use examples::{Examples, Outlook};
pub use probe::{ClassValue, Probe};
pub use verify::{Difference, Verification};
pub use watch::{Growing, Progress, Turns, Watch};
use windows::Clock;

/// What the outputs of a model mean.
#[derive(Clone, Debug, Default)]
pub struct Meaning {
    /// Names of the classes.
    pub labels: Arc<Labels>,
    /// The model classifies: a final Softmax in the graph, or its folder says so.
    pub is_classifier: bool,
    /// Classes do not exclude each other.
    pub multi_label: bool,
    /// What the vector of classes already is.
    pub activation: Activation,
    /// Place of the vector of classes among the scorer's outputs, if it was asked for.
    pub class_output: Option<usize>,
    /// The model's own outputs among the scorer's, with what each ends in; empty where nothing is known, and all of them may be meant.
    pub endings: Vec<(String, Activation)>,
    /// Which axis of an inner tensor holds its channels, by the tensor's name, where the model's operators tell.
    pub channel_axes: BTreeMap<String, usize>,
}

/// Everything that one run needs.
pub struct Job<'a> {
    /// The model.
    pub scorer: &'a dyn Scorer,
    /// What its outputs mean.
    pub meaning: Meaning,
    /// What to hide, with what, and what to measure.
    pub settings: &'a Settings,
    /// For the fill `image:FILE`.
    pub read_image: Option<&'a ReadImage<'a>>,
    /// The model file, for provenance.
    pub model_file: FileFact,
    /// Seconds that loading the model took, for provenance.
    pub load_secs: f64,
}

impl Job<'_> {
    /// The windows that this job would score.
    ///
    /// # Errors
    /// Argument: sizes, steps or a region that do not fit the input.
    pub fn windows(settings: &Settings, input: &Input) -> Result<Windows> {
        hide::windows(settings, input)
    }

    /// Runs it.
    ///
    /// # Errors
    /// Argument: settings that do not fit the input or the model. Number: NaN or infinity out of the model (with the map as far as it got), or a self-check
    /// beyond its tolerance. And what the scorer says.
    pub fn run(&self, input: &Input, watch: &mut Watch<'_>) -> Result<Map> {
        let started = Instant::now();
        self.check_samples(input)?;
        let occluder = self.occluder(input, 0)?;
        let baseline_started = Instant::now();
        let baseline = self.scorer.untouched(&occluder.untouched())?;
        let baseline_secs = baseline_started.elapsed().as_secs_f64();
        check_baseline(&baseline)?;
        let mut map = self.empty_map(input, &occluder, &baseline)?;
        let measures = self.measures(&baseline, &mut map)?;
        self.describe_targets(&measures, &baseline, &mut map)?;
        map.provenance.timings.baseline_secs = baseline_secs;
        map.unchanged = occluder.unchanged();
        let empty = map.clone();
        let multiply_adds_before = self.scorer.multiply_adds().map_or(0, |counted| counted.done);
        let known = self.approximate(&occluder, &measures, &mut map, watch)?;
        let mut clock = Clock {
            begun: Instant::now(),
            started,
            done: 0,
            total: self.settings.samples * map.windows.len(),
        };
        let untouched = baseline.slices();
        let score_result = self.score(&occluder, &measures, &untouched, known, &mut map, watch, &mut clock);
        // What is left of a run that fails is shown too, so it is checked too.
        if map.computed > 0 {
            let check_started = Instant::now();
            let checked = check::run(self.scorer, &occluder, &measures, &mut map);
            map.provenance.timings.check_secs = check_started.elapsed().as_secs_f64();
            match checked {
                Ok(()) => {}
                // Numbers that are wrong are shown to nobody.
                Err(error) if error.kind() == ErrorKind::Number => return Err(error),
                // A model that does not answer any more says nothing against what it answered before.
                Err(error) => {
                    map.notes.push(format!("the self-check could not be run: {error}"));
                    return Err(score_result.err().unwrap_or(error).with_partial_map(map));
                }
            }
        }
        let score_result = match score_result {
            Ok(()) => self.more_samples(input, (&empty, &untouched), &measures, &mut map, watch, &mut clock),
            Err(error) => Err(error),
        };
        map.provenance.timings.windows_secs =
            clock.begun.elapsed().as_secs_f64() - map.provenance.timings.check_secs;
        map.work = self.work_done(&map, multiply_adds_before);
        if let Err(error) = score_result {
            return Err(if map.computed > 0 { error.with_partial_map(map) } else { error });
        }
        Ok(map)
    }

    /// What is hidden; `sample` counts the noise fills from 0.
    fn occluder(&self, input: &Input, sample: u64) -> Result<Occluder> {
        let seed = self.settings.seed.wrapping_add(sample);
        hide::occluder(self.settings, self.scorer.inputs(), input, seed, self.read_image)
    }

    fn check_samples(&self, input: &Input) -> Result<()> {
        if self.settings.samples > 1 && self.settings.fill != Some(Fill::Noise) {
            return Err(Error::argument(format!(
                "{} samples of the fill {}: only noise differs from sample to sample",
                self.settings.samples,
                self.settings.fill_for(&input.spec)
            ))
            .with_hint("--fill noise, or leave out --samples"));
        }
        if self.settings.samples > 1 && self.settings.approximate.is_some() {
            return Err(Error::argument(
                "an approximate map has one sample: its error is measured for one fill",
            )
            .with_hint("leave out --approximate or --samples"));
        }
        Ok(())
    }

    /// The quantity that is measured: as asked for, else the probability of a classifier, else the raw output.
    fn readout(&self, class_count: usize, notes: &mut Vec<String>) -> Readout {
        let said = self.settings.classes;
        let kind = self.settings.score.unwrap_or(if self.meaning.is_classifier || said.is_some() {
            ScoreKind::Probability
        } else {
            ScoreKind::Raw
        });
        let mut multi_label = said.map_or(self.meaning.multi_label, |said| said == Classes::Independent);
        if class_count == 1
            && !multi_label
            && self.meaning.activation == Activation::None
            && kind != ScoreKind::Raw
        {
            notes.push("one output alone: read as the logit of a yes-or-no question (Sigmoid)".to_string());
            multi_label = true;
        } else if class_count > 0
            && self.meaning.activation == Activation::None
            && matches!(kind, ScoreKind::Probability | ScoreKind::LogOdds)
        {
            // Which of the two it is hangs on the outputs alone, never on the channels of the input.
            notes.push(if multi_label {
                format!("probability is the Sigmoid of each of the {class_count} outputs: classes do not exclude each other")
            } else {
                format!("probability is the Softmax of the {class_count} outputs (--classes independent for Sigmoid)")
            });
        }
        if kind == ScoreKind::Logit && self.meaning.activation == Activation::Softmax {
            notes.push("the model ends in Softmax: its logits are known up to a constant per run, logit means log probability".to_string());
        }
        Readout { kind, activation: self.meaning.activation, multi_label }
    }

    fn empty_map(&self, input: &Input, occluder: &Occluder, baseline: &Outputs) -> Result<Map> {
        let mut notes = input.notes.clone();
        let class_values = self
            .meaning
            .class_output
            .filter(|&o| is_vector(&baseline.shapes[o]))
            .map(|o| &baseline.values[o]);
        let mut labels = Arc::clone(&self.meaning.labels);
        let class_count = class_values.map_or(labels.len(), Vec::len);
        if !labels.is_empty() && labels.len() != class_count {
            notes.push(format!(
                "{} class names beside the model, but its output has {class_count} values: names are not used",
                labels.len()
            ));
            labels = Arc::default();
        }
        let score = self.readout(class_values.map_or(0, Vec::len), &mut notes).kind;
        notes.extend(self.fill_note(occluder, input));
        let mut arguments = self.settings.in_elements(input)?.arguments(&input.spec, score);
        for (name, value) in &mut arguments {
            match (name.as_str(), &input.preprocess) {
                // Targets other than classes have their own quantity where none was asked for.
                ("score", _) if class_values.is_none() && self.settings.score.is_none() => {
                    *value = "default".to_string();
                }
                ("layout", _) => *value = input.spec.layout.to_string(),
                ("preprocess", Some(preprocess)) => *value = preprocess_to_text(preprocess),
                ("preprocess", None) => {
                    if let Some(placement) = &input.geometry.placement {
                        *value = placement.steps.join(",");
                    }
                }
                _ => {}
            }
        }
        Ok(Map {
            input: input.spec.clone(),
            windows: occluder.windows().clone(),
            shape: self.settings.shape,
            definition: self.settings.definition,
            noise_spread: None,
            score,
            targets: Vec::new(),
            is_list: false,
            sensitivity: Vec::new(),
            scores: Vec::new(),
            most_probable: class_values.map(|values| MostProbable {
                baseline: argmax(values),
                windows: vec![-1; occluder.windows().len()],
            }),
            labels,
            computed: 0,
            geometry: input.geometry.clone(),
            notes,
            check: None,
            approximation: None,
            stability: None,
            work: None,
            unchanged: None,
            provenance: Provenance {
                version: env!("CARGO_PKG_VERSION").to_string(),
                model: self.model_file.clone(),
                input: input.file.clone(),
                runtime: self.scorer.runtime(),
                arguments,
                command: None,
                timings: Timings { load_secs: self.load_secs, ..Timings::default() },
            },
        })
    }

    /// What a fill that hangs on the input came out as.
    fn fill_note(&self, occluder: &Occluder, input: &Input) -> Option<String> {
        let what = match self.settings.fill_for(&input.spec) {
            Fill::Background => "the value most often on the border",
            Fill::Min => "the least value",
            _ => return None,
        };
        let hidden = occluder.inputs().iter().find(|one| one.spec.name == input.spec.name)?;
        let Some(FillValues::PerChannel(values)) = &hidden.fill else { return None };
        let shown: Vec<String> = values.iter().map(f32::to_string).collect();
        let each = if values.len() > 1 { " of each channel" } else { "" };
        let fill = self.settings.fill_for(&input.spec);
        // Where the border is no background, the most frequent value is nearly any value.
        let weak = (fill == Fill::Background)
            .then(|| border_share(&input.values, &input.spec, values))
            .filter(|share| *share < 0.1)
            .map_or(String::new(), |share| {
                format!(
                    ", but only on {:.1}% of it: this input has hardly a background, --fill mean, --fill min or a number may say better what is hidden",
                    100.0 * share
                )
            });
        Some(format!("fill {fill} is {}: {what}{each}{weak}", shown.join(", ")))
    }

    fn measures(&self, baseline: &Outputs, map: &mut Map) -> Result<Vec<Measure>> {
        let count = self.meaning.class_output.map_or(0, |o| baseline.values[o].len());
        let readout = self.readout(count, &mut Vec::new());
        let classes = self.meaning.class_output.map(|output| (output, readout));
        if let (Some(said), Some(_)) = (self.settings.classes, classes) {
            said.check(self.meaning.activation, count)?;
        }
        let known = Known {
            outputs: baseline,
            classes,
            labels: &map.labels,
            input: &map.input,
            channel_axes: &self.meaning.channel_axes,
            endings: &self.meaning.endings,
            score: self.settings.score,
            said: self.settings.classes,
            multi_label: self.meaning.multi_label,
            boxes: &self.settings.boxes,
        };
        let resolved = resolve(&self.settings.target, &known)?;
        map.notes.extend(resolved.notes);
        map.is_list = resolved.is_list;
        Ok(resolved.measures)
    }

    fn describe_targets(&self, measures: &[Measure], baseline: &Outputs, map: &mut Map) -> Result<()> {
        let slices = baseline.slices();
        for (measure, value) in measures.iter().zip(read_all(measures, &slices)) {
            if !value.is_finite() {
                return Err(infinite_score(measure, value, "the untouched input"));
            }
            map.targets.push(MapTarget {
                label: measure.label.clone(),
                class: measure.class,
                spec: measure.spec.clone(),
                baseline: value,
                unit: measure.unit.clone(),
            });
        }
        map.sensitivity = vec![f32::NAN; measures.len() * map.windows.len()];
        map.scores = map.sensitivity.clone();
        Ok(())
    }

    /// Measures what may be dropped, where an approximate map was asked for.
    fn approximate(
        &self,
        occluder: &Occluder,
        measures: &[Measure],
        map: &mut Map,
        watch: &Watch<'_>,
    ) -> Result<Vec<(usize, Vec<Vec<f32>>)>> {
        let Some(wanted) = self.settings.approximate else { return Ok(Vec::new()) };
        let cancelled = || watch.is_cancelled();
        let measured = approximate::measure(self.scorer, occluder, measures, wanted, &cancelled)?;
        let (found, known) = measured.map(|measured| (measured.found, measured.known)).unzip();
        map.approximation = found;
        match &map.approximation {
            None if cancelled() => {}
            None => {
                map.notes.push("approximate: this runtime and engine drop nothing, the map is exact".into())
            }
            Some(found) if found.drop_below == 0.0 => map.notes.push(format!(
                "approximate: nothing can be dropped within {wanted} of the map's range, the map is exact"
            )),
            Some(_) => {}
        }
        Ok(known.unwrap_or_default())
    }

    /// The work of the map's windows, counted since `before`.
    fn work_done(&self, map: &Map, before: u64) -> Option<Work> {
        let counted = self.scorer.multiply_adds()?;
        Some(Work {
            multiply_adds: counted.done - before,
            multiply_adds_in_full: counted.full_run * (map.computed * self.settings.samples) as u64,
        })
    }
}

/// The first element that is NaN or infinite, with its output.
fn not_finite(outputs: &[&[f32]]) -> Option<(usize, usize)> {
    outputs
        .iter()
        .enumerate()
        .find_map(|(output, values)| values.iter().position(|v| !v.is_finite()).map(|at| (output, at)))
}

fn check_baseline(baseline: &Outputs) -> Result<()> {
    match not_finite(&baseline.slices()) {
        None => Ok(()),
        Some((output, at)) => Err(Error::number(format!(
            "the model returned {} for the untouched input (element {at} of \"{}\" {})",
            baseline.values[output][at],
            baseline.names[output],
            shape_text(&baseline.shapes[output])
        ))
        .with_hint("check the preprocessing and the model itself")),
    }
}

fn infinite_score(measure: &Measure, value: f32, place: &str) -> Error {
    Error::number(format!(
        "the {} of {} is {value} for {place}: the model rounded a probability to 0 or 1",
        measure.unit, measure.label
    ))
    .with_hint("measure the probability instead (--score probability)")
}

#[cfg(test)]
#[path = "job_tests.rs"]
mod tests;
