//! The contract of all fronts: every setting with its name, default and meaning, and how it is read from text.
//!
//! In: names and values as text (command line, Python, page). Out: [`Settings`]. What a value means for a certain input (does the window fit?) is checked
//! where the input is known (`occlusion`, `job`).

mod parse;

use std::ops::Range;

use crate::error::{Error, Result};
use crate::occlusion::{Border, Fill, sizes_text};
use crate::score::ScoreKind;
use crate::target::Target;
use crate::tensor::Layout;

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

/// Everything that a run can be told. `None` means "the default, which depends on the model or the input".
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Sizes per spatial axis; one size stands for all of them; one more in front for the channel axis.
    pub window: Option<Vec<usize>>,
    /// Steps, like `window`.
    pub stride: Option<Vec<usize>>,
    /// What happens where the stride does not fit.
    pub border: Border,
    /// What replaces the hidden values.
    pub fill: Fill,
    /// What is measured.
    pub target: Target,
    /// Which quantity of it.
    pub score: Option<ScoreKind>,
    /// Where the channels are.
    pub layout: Option<Layout>,
    /// Preprocessing in the grammar of `--preprocess`.
    pub preprocess: Option<String>,
    /// Ranges of windows' centres, per spatial axis, in elements.
    pub roi: Option<Vec<Range<usize>>>,
    /// For `noise`.
    pub seed: u64,
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
    pub ort_library: Option<std::path::PathBuf>,
    /// A Python environment to look for ONNX Runtime in (`VIRTUAL_ENV`); no setting of the table.
    pub virtual_env: Option<std::path::PathBuf>,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            window: None,
            stride: None,
            border: Border::default(),
            fill: Fill::default(),
            target: Target::Top1,
            score: None,
            layout: None,
            preprocess: None,
            roi: None,
            seed: 0,
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
    pub const TABLE: [Setting; 15] = [
        row(
            "window",
            "1/8 of the shorter side",
            "size of the hidden window in elements of the input tensor: 16, 16x24, or 3x16x16 to give the channel axis its own",
        ),
        row("stride", "half the window", "step between windows, like window"),
        row(
            "border",
            "shift",
            "shift: last window moved in so that all is covered; clip: cut off; drop: whole windows only; center: centred on every stride, cut off",
        ),
        row(
            "fill",
            "mean",
            "zero, number(s) in tensor space, rgb:r,g,b in source pixels, mean, patch-mean, blur, noise, min, background, image:FILE",
        ),
        row(
            "target",
            "top1",
            "class index, class name, top5, a list, all; or node:NAME[:sum|mean|max|channel=K|strongest-sum|strongest-max]",
        ),
        row("score", "probability for a classifier, else raw", "logit, probability, log-odds, margin, raw"),
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

    /// Sets one value by its name in [`Settings::TABLE`].
    ///
    /// # Errors
    /// Argument: an unknown name (with the nearest one as a hint) or a value that is not understood.
    pub fn set(&mut self, name: &str, value: &str) -> Result<()> {
        let value = value.trim();
        match name {
            "window" => self.window = parse::default_or(value, |v| parse::sizes("window", v))?,
            "stride" => self.stride = parse::default_or(value, |v| parse::sizes("stride", v))?,
            "border" => {
                let all = [
                    ("shift", Border::Shift),
                    ("clip", Border::Clip),
                    ("drop", Border::Drop),
                    ("center", Border::Center),
                ];
                self.border = parse::choice("border", value, &all)?;
            }
            "fill" => self.fill = parse::fill(value)?,
            "target" => self.target = Target::parse(value)?,
            "score" => {
                let all = ScoreKind::ALL.map(|(kind, name)| (name, kind));
                self.score = parse::default_or(value, |v| parse::choice("score", v, &all))?;
            }
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

    /// The window for an input of these spatial sizes: as given, one size repeated for every spatial axis, or an eighth of the shorter side (at least 1).
    pub fn window_for(&self, spatial: &[usize]) -> Vec<usize> {
        match self.window.as_deref() {
            Some([one]) => vec![*one; spatial.len()],
            Some(sizes) => sizes.to_vec(),
            None => vec![(spatial.iter().copied().min().unwrap_or(1) / 8).max(1); spatial.len()],
        }
    }
    /// The stride for this window: as given, one step repeated for every spatial axis (1 window of channels at a time), or half the window (at least 1).
    pub fn stride_for(&self, window: &[usize], spatial_rank: usize) -> Vec<usize> {
        let mut stride = match self.stride.as_deref() {
            Some([one]) => vec![*one; spatial_rank],
            Some(steps) => steps.to_vec(),
            None => return window.iter().map(|w| (w / 2).max(1)).collect(),
        };
        if stride.len() == spatial_rank && window.len() == spatial_rank + 1 {
            stride.insert(0, window[0].max(1));
        }
        stride
    }

    /// Every setting as text that [`Settings::set`] reads again, in the table's order; defaults that depend on the input are given as resolved for it.
    pub fn arguments(&self, spatial: &[usize], score: ScoreKind) -> Vec<(String, String)> {
        let window = self.window_for(spatial);
        let stride = self.stride_for(&window, spatial.len());
        let choose = |value: Option<String>, default: &str| value.unwrap_or_else(|| default.to_string());
        let values = [
            sizes_text(&window),
            sizes_text(&stride),
            match self.border {
                Border::Shift => "shift",
                Border::Clip => "clip",
                Border::Drop => "drop",
                Border::Center => "center",
            }
            .to_string(),
            self.fill.to_string(),
            self.target.to_string(),
            score.to_string(),
            choose(self.layout.map(|l| l.to_string()), "default"),
            choose(self.preprocess.clone(), ""),
            self.roi.as_ref().map_or("all".to_string(), |roi| {
                roi.iter().map(|r| format!("{}:{}", r.start, r.end)).collect::<Vec<_>>().join(",")
            }),
            self.seed.to_string(),
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
            ("window", "3x16x16"),
            ("stride", "8"),
            ("border", "clip"),
            ("fill", "0.5,1,2"),
            ("target", "top5"),
            ("score", "log-odds"),
            ("layout", "nhwc"),
            ("preprocess", "tf"),
            ("roi", "1:2,3:4"),
            ("seed", "7"),
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
        assert_eq!(settings.stride_for(&settings.window_for(&[32, 32]), 2), [3, 8, 8]);
        // What is written into provenance makes the same settings again.
        let mut again = Settings::default();
        for (name, value) in settings.arguments(&[32, 32], ScoreKind::LogOdds) {
            again.set(&name, &value).expect(&name);
        }
        assert_eq!(
            again.arguments(&[32, 32], ScoreKind::LogOdds),
            settings.arguments(&[32, 32], ScoreKind::LogOdds)
        );
    }

    #[test]
    fn defaults_depend_on_the_input() {
        let settings = Settings::default();
        assert_eq!(settings.window_for(&[224, 320]), [28, 28]);
        assert_eq!(settings.stride_for(&[28, 28], 2), [14, 14]);
        assert_eq!((settings.window_for(&[7]), settings.stride_for(&[1], 1)), (vec![1], vec![1]));
    }

    #[test]
    fn unknown_names_and_values() {
        let mut settings = Settings::default();
        let mut error = |name: &str, value: &str| settings.set(name, value).expect_err(name);
        assert_eq!(error("windw", "3").hint(), Some("did you mean window?"));
        assert!(error("border", "shfit").hint().expect("hint").contains("shift"));
        assert!(error("fill", "inpaint").to_string().contains("inpaint"));
        assert!(error("threads", "0").to_string().contains("threads is 0"));
        assert!(error("window", "16x").to_string().contains("16x"));
        assert!(error("roi", "1-2").to_string().contains("1-2"));
    }
}
