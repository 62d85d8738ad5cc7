//! The contract of all fronts: every setting with its name, default and meaning, and how it is read from text.
//!
//! In: names and values as text (command line, Python, page). Out: [`Settings`]. What a value means for a certain input (does the window fit?) is checked
//! where the input is known (`occlusion`, `job`).

mod parse;
mod preset;

use std::ops::Range;
use std::path::PathBuf;

use crate::error::{Error, Result};
use crate::map::definition::name_of;
use crate::map::{Aggregate, Definition, Normalize, Uncovered, Upsample, Value};
use crate::occlusion::{Border, Fill, Shape, sizes_text};
use crate::score::{Classes, ScoreKind};
use crate::target::{Boxes, Target};
use crate::tensor::{Layout, TensorSpec};

pub use preset::{Preset, StrideRule, WindowRule};

/// One row of the contract table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setting {
    /// As in `--window`, `window=`.
    pub name: &'static str,
    /// In words.
    pub default: &'static str,
    /// In words.
    pub meaning: &'static str,
}

/// Which way of running the engine is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum EngineChoice {
    /// Only what a window can reach is computed again.
    #[default]
    Incremental,
    /// The same, every changed output computed again with all its taps: a full run's bits, more work.
    Gather,
    /// The whole network for every window.
    Full,
}

/// What runs the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Runtime {
    /// The engine of this crate.
    #[default]
    Builtin,
    /// ONNX Runtime, always in full.
    Ort,
}

/// Random masks instead of windows.
#[derive(Clone, Debug, PartialEq)]
pub enum Masks {
    /// RISE's: so many masks, cells along every axis, the probability that a cell is kept.
    Drawn {
        /// Number of masks.
        count: usize,
        /// Cells along every axis.
        cells: usize,
        /// Probability that a cell is kept.
        keep: f64,
    },
    /// A `.npy` file of masks `[N, spatial...]`, 1 = kept, 0 = hidden.
    File(PathBuf),
}

impl std::fmt::Display for Masks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Masks::Drawn { count, cells, keep } => write!(f, "{count}:{cells}:{keep}"),
            Masks::File(path) => write!(f, "{}", path.display()),
        }
    }
}

/// How windows treat the channels of an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Channels {
    /// All of them are hidden together.
    #[default]
    Joint,
    /// One at a time.
    Each,
    /// The channel axis is stepped over like the spatial ones, with the window of the first of them, one channel at a step: MindSpore, MONAI 0.4.
    Axis,
}

impl Channels {
    /// All of them with their names.
    pub const ALL: [(&'static str, Channels); 3] =
        [("joint", Channels::Joint), ("each", Channels::Each), ("axis", Channels::Axis)];
}

/// Everything that a run can be told. `None` means "the default, which depends on the model or the input".
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// The definition that the other settings were taken from, before they were changed one by one.
    pub preset: Option<Preset>,
    /// Windows of one size, or of several in one map; each one size per spatial axis (one stands for all of them), or one more in front for the channel axis.
    pub window: Option<Vec<Vec<usize>>>,
    /// Steps, like `window`; one for all windows, or one each.
    pub stride: Option<Vec<Vec<usize>>>,
    /// The window where none is given.
    pub window_rule: WindowRule,
    /// The stride where none is given.
    pub stride_rule: StrideRule,
    /// What windows do with channels, where `window` does not say it.
    pub channels: Channels,
    /// The input is padded by half a window on every side, with the fill, before the model sees it: kazuto1011.
    pub padded: bool,
    /// A label image whose regions are hidden one by one, instead of windows.
    pub regions: Option<PathBuf>,
    /// Names for its labels.
    pub region_names: Option<PathBuf>,
    /// Random masks instead of windows.
    pub masks: Option<Masks>,
    /// What is hidden of each window.
    pub shape: Shape,
    /// What happens where the stride does not fit.
    pub border: Border,
    /// What replaces the hidden values.
    pub fill: Fill,
    /// What is measured.
    pub target: Target,
    /// Which quantity of it.
    pub score: Option<ScoreKind>,
    /// Whether classes exclude each other; `None` where the model says it.
    pub classes: Option<Classes>,
    /// How a detector writes its boxes.
    pub boxes: Boxes,
    /// Where the channels are.
    pub layout: Option<Layout>,
    /// Preprocessing in the grammar of `--preprocess`.
    pub preprocess: Option<String>,
    /// Ranges of windows' centres, per spatial axis, in elements.
    pub roi: Option<Vec<Range<usize>>>,
    /// For `noise`.
    pub seed: u64,
    /// Noise fills that the scores of every window are averaged over.
    pub samples: usize,
    /// How the scores become the map.
    pub definition: Definition,
    /// Threads; `None` for all cores.
    pub threads: Option<usize>,
    /// Bytes; `None` for half of the machine's memory.
    pub memory_limit: Option<u64>,
    /// How the engine runs.
    pub engine: EngineChoice,
    /// What runs the model.
    pub runtime: Runtime,
    /// The error (RMSE, as a share of the map's range) that an approximate map may have; `None` for an exact one.
    pub approximate: Option<f64>,
    /// ONNX Runtime's library where the front knows it (`ORT_DYLIB_PATH`); no setting of the table.
    pub ort_library: Option<PathBuf>,
    /// A Python environment to look for ONNX Runtime in (`VIRTUAL_ENV`); no setting of the table.
    pub virtual_env: Option<PathBuf>,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            preset: None,
            window: None,
            stride: None,
            window_rule: WindowRule::default(),
            stride_rule: StrideRule::default(),
            channels: Channels::default(),
            padded: false,
            regions: None,
            region_names: None,
            masks: None,
            shape: Shape::default(),
            border: Border::default(),
            fill: Fill::default(),
            target: Target::Top1,
            score: None,
            classes: None,
            boxes: Boxes::default(),
            layout: None,
            preprocess: None,
            roi: None,
            seed: 0,
            samples: 1,
            definition: Definition::default(),
            threads: None,
            memory_limit: None,
            engine: EngineChoice::default(),
            runtime: Runtime::default(),
            approximate: None,
            ort_library: None,
            virtual_env: None,
        }
    }
}

impl Settings {
    /// The contract table, in the order of help texts and provenance.
    pub const TABLE: [Setting; 30] = [
        row(
            "preset",
            "none",
            "a definition by the name of its origin, which sets the others unless they are given: mindspore, monai-0.4, monai-0.9, monai-1, captum, xplique, xaitk, pair, deepexplain, tf-explain, mindspore-xai, nolearn, kazuto1011, matlab, rise, zeiler-fergus",
        ),
        row(
            "window",
            "1/8 of the shorter side",
            "size of the hidden window in elements of the input tensor: 16, 16x24, or 3x16x16 to give the channel axis its own; several sizes for one map: 16,32",
        ),
        row("stride", "half the window", "step between windows, like window"),
        row(
            "regions",
            "none",
            "a label image (.npy of whole numbers, or PNG) whose regions are hidden one by one instead of windows; 0 is the background",
        ),
        row("region-names", "none", "names of its labels: lines of label,name, or JSON"),
        row(
            "masks",
            "none",
            "random masks over the whole input instead of windows, joined by RISE's estimator: how many, cells per axis, probability to keep, as 4000:7:0.5; or a .npy file of masks",
        ),
        row(
            "shape",
            "box",
            "what is hidden of each window: box, ellipse, soft (a Gaussian edge), gaussian (MONAI's, down to nothing at the corners)",
        ),
        row(
            "border",
            "shift",
            "shift: last window moved in so that all is covered; clip: cut off; drop: whole windows only; center: centred on every stride, cut off; and the peers' lag, margin, cell, dense, overhang",
        ),
        row(
            "channels",
            "joint",
            "joint: windows hide all channels; each: one at a time; axis: stepped over like places",
        ),
        row(
            "padded",
            "no",
            "yes: the input is padded by half a window with the fill before the model sees it",
        ),
        row(
            "fill",
            "mean",
            "zero, number(s) in tensor space, rgb:r,g,b in source pixels, mean, patch-mean, overall-mean, overall-patch-mean, blur, inpaint[:RADIUS] (Telea's), noise, min, background, image:FILE",
        ),
        row(
            "target",
            "top1",
            "class index, class name, top5, a list, all; node:NAME[:strongest-sum|strongest-max|sum|mean|max|channel=K]; output:NAME[i]; segment:CLASS|top1[@OUTPUT]; detect:CLASS[@x0/y0/x1/y1]|top",
        ),
        row("score", "probability for a classifier, else raw", "logit, probability, log-odds, margin, raw"),
        row(
            "classes",
            "from the model",
            "exclusive: probability is the Softmax of the outputs; independent: the Sigmoid of each (multi-label)",
        ),
        row(
            "boxes",
            "from the shapes of the outputs",
            "for detect: what four numbers mean, xyxy, yxyx, cxcywh or xywh, and/or scale=pixels|unit,objectness=yes|no,boxes=OUTPUT,scores=OUTPUT",
        ),
        row("layout", "from the model", "where the channels are: nchw or nhwc"),
        row(
            "preprocess",
            "from the model",
            "how a picture becomes the input: imagenet, unit, tf, inception, caffe, none, and/or resize=256,crop=224,filter=bicubic,scale=1/255,mean=a/b/c,std=a/b/c,channels=rgb",
        ),
        row(
            "roi",
            "all",
            "only windows whose centre lies in this box of input elements: 32:96,32:96 (one range per spatial axis, end exclusive)",
        ),
        row("seed", "0", "for the fill noise"),
        row("samples", "1", "noise fills that every window is averaged over, with the spread reported"),
        row(
            "value",
            "sensitivity",
            "what is written down for a window: sensitivity (baseline minus occluded score), score, loss (1 minus it), change (occluded minus baseline)",
        ),
        row(
            "aggregate",
            "cells",
            "cells: a number per window; or per element of the input, over the windows that cover it: mean, sum, share, gaussian, biased",
        ),
        row("uncovered", "nan", "elements that no window covers: nan or zero"),
        row("normalize", "none", "none, max-abs, abs"),
        row("upsample", "none", "cells enlarged to elements: none, nearest, linear, cubic"),
        row("threads", "all cores", "number of threads; results do not depend on it"),
        row("memory-limit", "half of the memory", "bytes, or with a unit: 512M, 4G"),
        row(
            "engine",
            "incremental",
            "incremental: compute again only what a window can reach; gather: the same, with a full run's bits; full: the whole network for every window",
        ),
        row("runtime", "builtin", "builtin, or ort for ONNX Runtime (always full)"),
        row(
            "approximate",
            "off",
            "off: the map is exact; or the error (RMSE) that it may have, as a share of its range: 0.02. Small changes inside the network are dropped while the error, measured on windows computed both ways, stays below that",
        ),
    ];

    /// Takes over a named definition; what is set after it replaces its choices.
    pub fn take_preset(&mut self, preset: Preset) {
        preset.apply(self);
    }

    /// Sets one value by its name in [`Settings::TABLE`].
    ///
    /// # Errors
    /// Argument: an unknown name (with the nearest one as a hint) or a value that is not understood.
    pub fn set(&mut self, name: &str, value: &str) -> Result<()> {
        let value = value.trim();
        match name {
            "preset" if value == "none" => self.preset = None,
            "preset" => parse::choice("preset", value, &Preset::ALL)?.apply(self),
            "window" => self.window = parse::default_or(value, |v| parse::several_sizes("window", v))?,
            "stride" => self.stride = parse::default_or(value, |v| parse::several_sizes("stride", v))?,
            "channels" => self.channels = parse::choice("channels", value, &Channels::ALL)?,
            "padded" => self.padded = parse::choice("padded", value, &[("no", false), ("yes", true)])?,
            "value" => self.definition.value = parse::choice("value", value, &Value::ALL)?,
            "aggregate" => self.definition.aggregate = parse::choice("aggregate", value, &Aggregate::ALL)?,
            "uncovered" => self.definition.uncovered = parse::choice("uncovered", value, &Uncovered::ALL)?,
            "normalize" => self.definition.normalize = parse::choice("normalize", value, &Normalize::ALL)?,
            "upsample" => self.definition.upsample = parse::choice("upsample", value, &Upsample::ALL)?,
            "samples" => match parse::whole("samples", value)? {
                0 => return Err(Error::argument("samples is 0").with_hint("1 is one noise fill")),
                n => self.samples = n as usize,
            },
            "regions" => self.regions = (value != "none").then(|| value.into()),
            "region-names" => self.region_names = (value != "none").then(|| value.into()),
            "masks" => self.masks = if value == "none" { None } else { Some(parse::masks(value)?) },
            "shape" => self.shape = parse::choice("shape", value, &Shape::ALL)?,
            "border" => self.border = parse::choice("border", value, &Border::ALL)?,
            "fill" => self.fill = parse::fill(value)?,
            "target" => self.target = Target::parse(value)?,
            "score" => {
                let all = ScoreKind::ALL.map(|(kind, name)| (name, kind));
                self.score = parse::default_or(value, |v| parse::choice("score", v, &all))?;
            }
            "classes" => {
                self.classes = parse::default_or(value, |v| parse::choice("classes", v, &Classes::ALL))?;
            }
            "boxes" => self.boxes = parse::default_or(value, Boxes::parse)?.unwrap_or_default(),
            "layout" => {
                let all = [("nchw", Layout::ChannelsFirst), ("nhwc", Layout::ChannelsLast)];
                self.layout = parse::default_or(value, |v| parse::choice("layout", v, &all))?;
            }
            "preprocess" => self.preprocess = parse::default_or(value, |v| Ok(v.to_string()))?,
            "roi" => self.roi = if value == "all" { None } else { Some(parse::roi(value)?) },
            "seed" => self.seed = parse::whole("seed", value)?,
            "threads" => {
                self.threads = match parse::default_or(value, |v| parse::whole("threads", v))? {
                    Some(0) => {
                        return Err(
                            Error::argument("threads is 0").with_hint("leave it out to use all cores")
                        );
                    }
                    threads => threads.map(|n| n as usize),
                }
            }
            "memory-limit" => self.memory_limit = parse::default_or(value, parse::bytes)?,
            "engine" => {
                self.engine = parse::choice(
                    "engine",
                    value,
                    &[
                        ("incremental", EngineChoice::Incremental),
                        ("gather", EngineChoice::Gather),
                        ("full", EngineChoice::Full),
                    ],
                )?;
            }
            "runtime" => {
                self.runtime =
                    parse::choice("runtime", value, &[("builtin", Runtime::Builtin), ("ort", Runtime::Ort)])?
            }
            "approximate" => {
                self.approximate = match value {
                    "off" => None,
                    share => {
                        let share: Option<f64> =
                            share.parse().ok().filter(|share| *share > 0.0 && *share < 1.0);
                        let wrong = || {
                            Error::argument(format!(
                                "approximate \"{value}\" is neither off nor a number between 0 and 1"
                            ))
                            .with_hint("--approximate 0.02 accepts an error of 2% of the map's range")
                        };
                        Some(share.ok_or_else(wrong)?)
                    }
                }
            }
            _ => {
                let nearest = Settings::TABLE
                    .iter()
                    .map(|s| s.name)
                    .max_by(|a, b| strsim::jaro_winkler(a, name).total_cmp(&strsim::jaro_winkler(b, name)));
                return Err(Error::argument(format!("there is no setting \"{name}\""))
                    .with_hint(format!("did you mean {}?", nearest.unwrap_or("window"))));
            }
        }
        Ok(())
    }

    /// The windows for an input of this spec, one or several sizes: as given, one number repeated for every spatial axis, or by the rule for the default; the channel axis in front where
    /// windows have their own size there.
    ///
    /// # Errors
    /// Argument: a preset without a default window.
    pub fn windows_for(&self, spec: &TensorSpec) -> Result<Vec<Vec<usize>>> {
        let spatial = spec.spatial();
        let with_channels = |mut window: Vec<usize>| {
            match self.channels {
                Channels::Joint => {}
                _ if spec.channel_axis.is_none() || window.len() != spatial.len() => {}
                Channels::Each => window.insert(0, 1),
                Channels::Axis => window.insert(0, window.first().copied().unwrap_or(1)),
            }
            window
        };
        if let Some(windows) = &self.window {
            let all = |sizes: &Vec<usize>| match sizes.as_slice() {
                [one] => vec![*one; spatial.len()],
                sizes => sizes.to_vec(),
            };
            return Ok(windows.iter().map(all).map(with_channels).collect());
        }
        let shorter = spatial.iter().copied().min().unwrap_or(1);
        let sizes = spatial.iter().map(|&length| self.window_rule.size(length, shorter)).collect();
        let window: Option<Vec<usize>> = sizes;
        let window = window.ok_or_else(|| {
            let preset = self.preset.map_or("this definition", Preset::name);
            Error::argument(format!("{preset} has no default window"))
                .with_hint("give its size in elements of the model's input: --window 16, or --window 1x16x16 with the channel axis in front")
        })?;
        Ok(vec![with_channels(window)])
    }

    /// The strides for these windows, one each: as given, one step repeated for every spatial axis, or by the rule for the default.
    ///
    /// # Errors
    /// Argument: neither one stride nor one for every window.
    pub fn strides_for(&self, windows: &[Vec<usize>], spec: &TensorSpec) -> Result<Vec<Vec<usize>>> {
        let spatial = spec.spatial();
        let rule = |window: &Vec<usize>| {
            let own = window.len().saturating_sub(spatial.len());
            let lengths = std::iter::repeat_n(spec.channels(), own).chain(spatial.iter().copied());
            let mut stride: Vec<usize> =
                window.iter().zip(lengths).map(|(&w, n)| self.stride_rule.step(w, n)).collect();
            if let (Channels::Each | Channels::Axis, Some(first), true) =
                (self.channels, stride.first_mut(), own > 0)
            {
                *first = 1;
            }
            stride
        };
        let Some(strides) = &self.stride else { return Ok(windows.iter().map(rule).collect()) };
        if strides.len() != 1 && strides.len() != windows.len() {
            return Err(Error::argument(format!(
                "{} strides for {} sizes of windows",
                strides.len(),
                windows.len()
            ))
            .with_hint("give one stride for all of them, one for each, or none"));
        }
        let all = |(place, window): (usize, &Vec<usize>)| {
            let given = &strides[if strides.len() == 1 { 0 } else { place }];
            let mut stride = match given.as_slice() {
                [one] => vec![*one; spatial.len()],
                steps => steps.to_vec(),
            };
            if stride.len() == spatial.len() && window.len() == spatial.len() + 1 {
                // One window of channels at a time, where the channel axis has no step of its own.
                stride.insert(0, if self.channels == Channels::Joint { window[0].max(1) } else { 1 });
            }
            stride
        };
        Ok(windows.iter().enumerate().map(all).collect())
    }

    /// Every setting as text that [`Settings::set`] reads again, in the table's order; defaults that depend on the input are given as resolved for it.
    pub fn arguments(&self, spec: &TensorSpec, score: ScoreKind) -> Vec<(String, String)> {
        let has_windows = self.regions.is_none() && self.masks.is_none();
        let windows = if has_windows {
            self.windows_for(spec).unwrap_or_default()
        } else {
            self.window.clone().unwrap_or_default()
        };
        let strides = self.strides_for(&windows, spec).unwrap_or_default();
        let several = |all: &[Vec<usize>]| all.iter().map(|s| sizes_text(s)).collect::<Vec<_>>().join(",");
        let choose = |value: Option<String>, default: &str| value.unwrap_or_else(|| default.to_string());
        let how = &self.definition;
        let path = |path: &Option<PathBuf>| path.as_ref().map_or("none".into(), |p| p.display().to_string());
        let values = [
            self.preset.map_or("none", Preset::name).to_string(),
            several(&windows),
            several(&strides),
            path(&self.regions),
            path(&self.region_names),
            self.masks.as_ref().map_or("none".into(), Masks::to_string),
            name_of(&Shape::ALL, self.shape).to_string(),
            self.border.name().to_string(),
            name_of(&Channels::ALL, self.channels).to_string(),
            if self.padded { "yes" } else { "no" }.to_string(),
            self.fill.to_string(),
            self.target.to_string(),
            score.to_string(),
            self.classes.map_or("default", |classes| name_of(&Classes::ALL, classes)).to_string(),
            self.boxes.to_string(),
            choose(self.layout.map(|l| l.to_string()), "default"),
            choose(self.preprocess.clone(), ""),
            self.roi.as_ref().map_or("all".to_string(), |roi| {
                roi.iter().map(|r| format!("{}:{}", r.start, r.end)).collect::<Vec<_>>().join(",")
            }),
            self.seed.to_string(),
            self.samples.to_string(),
            name_of(&Value::ALL, how.value).to_string(),
            name_of(&Aggregate::ALL, how.aggregate).to_string(),
            name_of(&Uncovered::ALL, how.uncovered).to_string(),
            name_of(&Normalize::ALL, how.normalize).to_string(),
            name_of(&Upsample::ALL, how.upsample).to_string(),
            choose(self.threads.map(|n| n.to_string()), "default"),
            choose(self.memory_limit.map(|n| n.to_string()), "default"),
            match self.engine {
                EngineChoice::Incremental => "incremental",
                EngineChoice::Gather => "gather",
                EngineChoice::Full => "full",
            }
            .to_string(),
            match self.runtime {
                Runtime::Builtin => "builtin",
                Runtime::Ort => "ort",
            }
            .to_string(),
            self.approximate.map_or("off".to_string(), |share| share.to_string()),
        ];
        Settings::TABLE.iter().map(|s| s.name.to_string()).zip(values).collect()
    }
}

const fn row(name: &'static str, default: &'static str, meaning: &'static str) -> Setting {
    Setting { name, default, meaning }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_of_the_table_can_be_set() {
        let values = [
            ("preset", "captum"),
            ("window", "3x16x16"),
            ("stride", "8"),
            ("regions", "organs.npy"),
            ("region-names", "organs.csv"),
            ("masks", "400:7:0.5"),
            ("shape", "ellipse"),
            ("border", "clip"),
            ("channels", "each"),
            ("padded", "yes"),
            ("fill", "0.5,1,2"),
            ("target", "top5"),
            ("score", "log-odds"),
            ("classes", "independent"),
            ("boxes", "cxcywh,scale=unit,objectness=no"),
            ("layout", "nhwc"),
            ("preprocess", "tf"),
            ("roi", "1:2,3:4"),
            ("seed", "7"),
            ("samples", "3"),
            ("value", "score"),
            ("aggregate", "sum"),
            ("uncovered", "zero"),
            ("normalize", "max-abs"),
            ("upsample", "linear"),
            ("threads", "2"),
            ("memory-limit", "2G"),
            ("engine", "full"),
            ("runtime", "ort"),
            ("approximate", "off"),
        ];
        assert_eq!(values.map(|(n, _)| n), Settings::TABLE.map(|s| s.name));
        let mut settings = Settings::default();
        for (name, value) in values {
            settings.set(name, value).expect(name);
        }
        assert_eq!((settings.memory_limit, settings.seed, settings.threads), (Some(2 << 30), 7, Some(2)));
        let spec = spec(&[3, 32, 32]);
        let windows = settings.windows_for(&spec).expect("given");
        assert_eq!(settings.strides_for(&windows, &spec).expect("fits"), [[1, 8, 8]]);
        // What is written into provenance makes the same settings again.
        let mut again = Settings::default();
        for (name, value) in settings.arguments(&spec, ScoreKind::LogOdds) {
            again.set(&name, &value).expect(&name);
        }
        assert_eq!(again.arguments(&spec, ScoreKind::LogOdds), settings.arguments(&spec, ScoreKind::LogOdds));
    }

    fn spec(shape: &[usize]) -> TensorSpec {
        TensorSpec::new("x", shape, Layout::ChannelsFirst)
    }

    /// Windows and strides, by these settings, of an input of this shape.
    fn laid(settings: &[(&str, &str)], shape: &[usize]) -> (Vec<Vec<usize>>, Vec<Vec<usize>>) {
        let mut all = Settings::default();
        settings.iter().for_each(|(name, value)| all.set(name, value).expect(name));
        let windows = all.windows_for(&spec(shape)).expect("has a default");
        let strides = all.strides_for(&windows, &spec(shape)).expect("fits");
        (windows, strides)
    }

    #[test]
    fn defaults_depend_on_the_input() {
        let one = |window: &[usize], stride: &[usize]| (vec![window.to_vec()], vec![stride.to_vec()]);
        assert_eq!(laid(&[], &[3, 224, 320]), one(&[28, 28], &[14, 14]));
        assert_eq!(laid(&[], &[7]), one(&[1], &[1]));
        assert_eq!(
            laid(&[("window", "3x16x16"), ("stride", "8")], &[3, 32, 32]),
            one(&[3, 16, 16], &[3, 8, 8])
        );
        assert_eq!(laid(&[("preset", "mindspore")], &[3, 32, 40]), one(&[4, 4, 4], &[1, 1, 1]));
        assert_eq!(laid(&[("preset", "mindspore")], &[4]), one(&[4], &[1]));
        assert_eq!(
            laid(&[("preset", "monai-0.4"), ("stride", "2")], &[3, 32, 40]),
            one(&[4, 4, 4], &[1, 2, 2])
        );
        assert_eq!(laid(&[("preset", "monai-0.9")], &[3, 32, 40]), one(&[1, 15, 15], &[1, 1, 1]));
        assert_eq!(laid(&[("preset", "monai-1")], &[3, 32, 40]), one(&[16, 16], &[6, 6]));
        assert_eq!(
            laid(&[("preset", "captum"), ("window", "1x2x2")], &[3, 32, 40]),
            one(&[1, 2, 2], &[1, 1, 1])
        );
        assert_eq!(laid(&[("preset", "mindspore-xai")], &[3, 96, 32]), one(&[3, 3], &[3, 1]));
        assert_eq!(laid(&[("preset", "matlab")], &[3, 100, 50]), one(&[20, 10], &[10, 5]));
    }

    #[test]
    fn several_sizes() {
        let (windows, strides) = laid(&[("window", "16,32x8"), ("stride", "8")], &[3, 64, 64]);
        assert_eq!((windows, strides), (vec![vec![16, 16], vec![32, 8]], vec![vec![8, 8], vec![8, 8]]));
        assert_eq!(laid(&[("window", "16,32")], &[3, 64, 64]).1, [[8, 8], [16, 16]]);
        let mut settings = Settings::default();
        settings.set("window", "1,2,3").expect("sizes");
        settings.set("stride", "1,2").expect("steps");
        let windows = settings.windows_for(&spec(&[1, 8, 8])).expect("given");
        assert!(settings.strides_for(&windows, &spec(&[1, 8, 8])).is_err());
    }

    #[test]
    fn a_preset_without_a_default_window_says_so() {
        let mut settings = Settings::default();
        settings.set("preset", "captum").expect("known");
        let error = settings.windows_for(&spec(&[3, 8, 8])).expect_err("required");
        assert_eq!(error.to_string(), "captum has no default window");
    }

    #[test]
    fn unknown_names_and_values() {
        let mut settings = Settings::default();
        let mut error = |name: &str, value: &str| settings.set(name, value).expect_err(name);
        assert_eq!(error("windw", "3").hint(), Some("did you mean window?"));
        assert!(error("border", "shfit").hint().expect("hint").contains("shift"));
        assert!(error("fill", "inpaint:0").to_string().contains("inpaint:0"));
        assert!(error("threads", "0").to_string().contains("threads is 0"));
        assert!(error("window", "16x").to_string().contains("16x"));
        assert!(error("roi", "1-2").to_string().contains("1-2"));
    }
}
