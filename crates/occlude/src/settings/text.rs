//! Settings from text and back: one value by its name, and all of them as they were used.
//!
//! How a single value is read is in `parse`.

use super::{Channels, EngineChoice, Masks, Preset, RegionLabels, RegionNames, Runtime, Settings, parse};
use crate::error::{Error, Result};
use crate::map::definition::name_of;
use crate::map::{Aggregate, Normalize, Uncovered, Upsample, Value};
use crate::occlusion::{Border, Shape, sizes_text};
use crate::score::{Classes, ScoreKind};
use crate::target::{Boxes, Target};
use crate::tensor::{Layout, TensorSpec};

impl Settings {
    /// A number of bytes as settings write it: `512M`, `4G`; `name` is what the error calls it.
    ///
    /// # Errors
    /// Argument: no such text.
    pub fn bytes(name: &str, text: &str) -> Result<u64> {
        parse::bytes(name, text.trim())
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
            "window" => (self.window, self.window_mm) = parse::sizes_or_millimetres("window", value)?,
            "stride" => (self.stride, self.stride_mm) = parse::sizes_or_millimetres("stride", value)?,
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
            "regions" => self.regions = (value != "none").then(|| RegionLabels::File(value.into())),
            "region-names" => self.region_names = (value != "none").then(|| RegionNames::File(value.into())),
            "masks" => self.masks = if value == "none" { None } else { Some(parse::masks(value)?) },
            "shape" => self.shape = parse::choice("shape", value, &Shape::ALL)?,
            "border" => self.border = parse::choice("border", value, &Border::ALL)?,
            "fill" => self.fill = parse::default_or(value, parse::fill)?,
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
            "memory-limit" => {
                self.memory_limit = parse::default_or(value, |v| parse::bytes("memory-limit", v))?
            }
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

    /// Every setting as text that [`Settings::set`] reads again (but for arrays in memory, which are named by shape and SHA-256), in the table's order; defaults that depend on the input are given as resolved for it.
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
        let values = [
            self.preset.map_or("none", Preset::name).to_string(),
            several(&windows),
            several(&strides),
            choose(self.regions.as_ref().map(RegionLabels::to_string), "none"),
            choose(self.region_names.as_ref().map(RegionNames::to_string), "none"),
            choose(self.masks.as_ref().map(Masks::to_string), "none"),
            name_of(&Shape::ALL, self.shape).to_string(),
            self.border.name().to_string(),
            name_of(&Channels::ALL, self.channels).to_string(),
            if self.padded { "yes" } else { "no" }.to_string(),
            self.fill_for(spec).to_string(),
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
