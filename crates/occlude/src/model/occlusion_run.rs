//! The builder of a run: `model.occlusion().window(16).stride(8).run(&input)`.
//!
//! In: settings, an input. Out: a map, or what the model says with one window hidden. Which tensors the scorer must return is settled in `resolve`.

use std::borrow::Cow;
use std::ops::Range;
use std::path::Path;
use std::time::Instant;

use super::Model;
use crate::error::{Error, Result};
use crate::input::{self, Input};
use crate::job::{Job, Probe, Watch};
use crate::map::{Definition, Map};
use crate::occlusion::{Border, Fill, Windows};
use crate::score::{Classes, ScoreKind};
use crate::settings::{Channels, EngineChoice, Preset, Settings};
use crate::target::{Boxes, Target};
use crate::tensor::shape_text;

/// Sizes of a window or steps of a stride: one number for all spatial axes, or one per axis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sizes(Vec<usize>);

impl From<usize> for Sizes {
    fn from(one: usize) -> Self {
        Sizes(vec![one])
    }
}

impl<const N: usize> From<[usize; N]> for Sizes {
    fn from(sizes: [usize; N]) -> Self {
        Sizes(sizes.to_vec())
    }
}

impl From<Vec<usize>> for Sizes {
    fn from(sizes: Vec<usize>) -> Self {
        Sizes(sizes)
    }
}

/// A run being set up. Names, defaults and meanings are those of [`Settings::TABLE`].
#[derive(Clone, Debug)]
#[must_use = "nothing is computed before run"]
pub struct Occlusion<'m> {
    model: &'m Model,
    settings: Settings,
}

impl<'m> Occlusion<'m> {
    pub(super) fn new(model: &'m Model, settings: Settings) -> Self {
        Occlusion { model, settings }
    }
    pub(super) fn model(&self) -> &'m Model {
        self.model
    }
    pub(super) fn settings(&self) -> &Settings {
        &self.settings
    }
    /// Takes all settings at once; those that the model was opened with (layout, preprocess) no longer matter here.
    pub fn with(mut self, settings: &Settings) -> Self {
        self.settings = settings.clone();
        self
    }
    /// Takes over a named definition: border rule, channels, window, stride, fill, score, and how the scores become the map. What is set after it replaces its choices.
    pub fn preset(mut self, preset: Preset) -> Self {
        self.settings.take_preset(preset);
        self
    }
    /// How the scores become the map.
    pub fn definition(mut self, definition: Definition) -> Self {
        self.settings.definition = definition;
        self
    }
    /// Windows of several sizes in one map.
    pub fn windows(mut self, sizes: impl IntoIterator<Item = Sizes>) -> Self {
        self.settings.window = Some(sizes.into_iter().map(|sizes| sizes.0).collect());
        self.settings.window_mm = None;
        self
    }
    /// What windows do with channels, where their size does not say it.
    pub fn channels(mut self, channels: Channels) -> Self {
        self.settings.channels = channels;
        self
    }
    /// Noise fills that every window is averaged over.
    pub fn samples(mut self, samples: usize) -> Self {
        self.settings.samples = samples.max(1);
        self
    }
    /// Size of the hidden window in elements of the input tensor.
    pub fn window(mut self, sizes: impl Into<Sizes>) -> Self {
        (self.settings.window, self.settings.window_mm) = (Some(vec![sizes.into().0]), None);
        self
    }
    /// Step between windows.
    pub fn stride(mut self, steps: impl Into<Sizes>) -> Self {
        (self.settings.stride, self.settings.stride_mm) = (Some(vec![steps.into().0]), None);
        self
    }
    /// What happens where the stride does not fit.
    pub fn border(mut self, border: Border) -> Self {
        self.settings.border = border;
        self
    }
    /// What replaces the hidden values.
    pub fn fill(mut self, fill: Fill) -> Self {
        self.settings.fill = Some(fill);
        self
    }
    /// What is measured.
    pub fn target(mut self, target: Target) -> Self {
        self.settings.target = target;
        self
    }
    /// Which quantity of it.
    pub fn score(mut self, score: ScoreKind) -> Self {
        self.settings.score = Some(score);
        self
    }
    /// Whether classes exclude each other, where the model does not say it.
    pub fn classes(mut self, classes: Classes) -> Self {
        self.settings.classes = Some(classes);
        self
    }
    /// How a detector writes its boxes.
    pub fn boxes(mut self, boxes: Boxes) -> Self {
        self.settings.boxes = boxes;
        self
    }
    /// Only windows whose centre lies in this box, one range of elements per spatial axis.
    pub fn roi(mut self, roi: impl Into<Vec<Range<usize>>>) -> Self {
        self.settings.roi = Some(roi.into());
        self
    }
    /// For the fill `noise`.
    pub fn seed(mut self, seed: u64) -> Self {
        self.settings.seed = seed;
        self
    }
    /// Accepts an approximate map: the error (RMSE) that it may have, as a share of its range, between 0 and 1.
    pub fn approximate(mut self, share: f64) -> Self {
        self.settings.approximate = Some(share);
        self
    }
    /// How the engine runs.
    pub fn engine(mut self, engine: EngineChoice) -> Self {
        self.settings.engine = engine;
        self
    }

    /// Runs it.
    ///
    /// # Errors
    /// See [`Job::run`].
    pub fn run(&self, input: &Input) -> Result<Map> {
        self.run_watched(input, &mut Watch::default())
    }

    /// Runs it under a watch: progress, and a flag that stops it.
    ///
    /// # Errors
    /// See [`Job::run`].
    pub fn run_watched(&self, input: &Input, watch: &mut Watch<'_>) -> Result<Map> {
        self.job(input, |job, input, notes| {
            let mut map = job.run(input, watch)?;
            map.notes.extend(notes);
            Ok(map)
        })
    }

    /// Hides one window that is laid by hand and asks the model, as the first window of a run would: see [`Job::probe`]. After a run on the same input this costs one window.
    ///
    /// # Errors
    /// See [`Job::probe`].
    pub fn probe(&self, input: &Input, start: &[usize], most_probable: usize) -> Result<Probe> {
        self.job(input, |job, input, _| job.probe(input, start, most_probable))
    }

    /// Makes the job of these settings and hands it over, with the input as the model sees it and what is to be noted about the model.
    pub(super) fn job<T>(
        &self,
        input: &Input,
        use_it: impl FnOnce(&Job<'_>, &Input, Vec<String>) -> Result<T>,
    ) -> Result<T> {
        // Settings that do not fit are said before the model is compiled.
        let input = &self.prepared(input)?;
        Job::windows(&self.settings, input)?;
        let started = Instant::now();
        let specs = self.model.specs(input)?;
        let mut resolved = self.resolve_again(input, &specs)?;
        let graph = resolved.graph.take();
        let scorer = self.model.scorer(&specs, graph, &resolved.requests, &self.how())?;
        let load_secs = self.model.load_secs + started.elapsed().as_secs_f64();
        let read_image = self.image_reader(input);
        let job = Job {
            scorer: scorer.as_ref(),
            meaning: resolved.meaning,
            settings: &self.settings,
            read_image: Some(&read_image),
            model_file: self.model.fact.clone(),
            load_secs,
        };
        use_it(&job, input, resolved.notes)
    }

    /// What a run on this input would hide.
    ///
    /// # Errors
    /// Argument: settings that do not fit the input or the model.
    pub fn hidden(&self, input: &Input) -> Result<Windows> {
        Job::windows(&self.settings, self.prepared(input)?.as_ref())
    }

    /// The settings that the scorer is made with: random masks change the whole input, so there is nothing to save, and they run in full.
    pub(super) fn how(&self) -> Settings {
        let mut how = self.settings.clone();
        if how.masks.is_some() && how.engine == EngineChoice::Incremental {
            how.engine = EngineChoice::Full;
        }
        how
    }

    /// The input as the model sees it: padded, where the settings want that.
    pub(super) fn prepared<'i>(&self, input: &'i Input) -> Result<Cow<'i, Input>> {
        if !self.settings.padded {
            return Ok(Cow::Borrowed(input));
        }
        let fill = self.settings.fill_for(&input.spec);
        let Fill::Value(fill) = &fill else {
            return Err(Error::argument(format!("an input is padded with numbers, the fill is {fill}"))
                .with_hint("give the fill as one number, or one per channel"));
        };
        let channels = input.spec.channels();
        let values = if fill.len() == 1 { vec![fill[0]; channels] } else { fill.clone() };
        if values.len() != channels {
            return Err(Error::argument(format!(
                "fill has {} values, the input has {channels} channels",
                values.len()
            )));
        }
        let windows = self.settings.in_elements(input)?.windows_for(&input.spec)?;
        let spatial = input.spec.spatial().len();
        let around: Vec<usize> = match &windows[..] {
            [window] => window[window.len() - spatial..].iter().map(|w| w / 2).collect(),
            _ => {
                return Err(Error::argument("an input is padded for windows of one size, several are given"));
            }
        };
        let padded = input.padded(&around, &values);
        let port = self.model.port_of(&padded.spec.name)?;
        port.spec(&padded.spec.shape).map_err(|_| {
            Error::argument(format!(
                "padded by half a window the input is {}, the model takes {}",
                shape_text(&padded.spec.shape),
                port.shape_text()
            ))
            .with_hint("this definition feeds the padded picture to the model, so it needs a model of open size; --padded no leaves the padding out")
        })?;
        Ok(Cow::Owned(padded))
    }

    /// Reads the picture of the fill `image:FILE` as this input was read.
    pub(super) fn image_reader(&self, input: &Input) -> impl Fn(&Path) -> Result<Vec<f32>> {
        move |path: &Path| {
            let image = input::read(path, self.model.port(), self.model.preprocess())?;
            if image.spec != input.spec {
                return Err(Error::argument(format!(
                    "the fill {} is {}, the input is {}",
                    path.display(),
                    image.spec,
                    input.spec
                )));
            }
            Ok(image.values)
        }
    }
}
