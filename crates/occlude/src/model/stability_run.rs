//! The same map by several fills, window sizes and seeds: how far its signs hang on that choice.
//!
//! In: the settings of a run, an input, other choices ([`StabilityOptions`]). Out: the map with its [`Stability`]. Every combination of the choices is run; seeds count where the fill is noise. How maps are held against each other is in `map/stability.rs`.

use super::Occlusion;
use crate::error::{Error, Result};
use crate::input::Input;
use crate::job::{Progress, Watch};
use crate::map::{Map, Stability, Variant};
use crate::occlusion::{Fill, Windows, sizes_text};
use crate::settings::Settings;

/// The choices beside those of the settings.
#[derive(Clone, Debug, PartialEq)]
pub struct StabilityOptions {
    /// Fills; the map's own belongs to them in any case.
    pub fills: Vec<Fill>,
    /// Sizes of windows, as in [`Settings::window`]; the map's own belong to them in any case.
    pub windows: Vec<Vec<usize>>,
    /// Seeds of the fill noise: the map's own and those after it. 1: its own alone.
    pub seeds: usize,
    /// A number whose magnitude is below this share of the largest of its map and target has no sign, 0 to below 1.
    pub zero_below: f64,
}

impl Default for StabilityOptions {
    fn default() -> Self {
        StabilityOptions { fills: Vec::new(), windows: Vec::new(), seeds: 1, zero_below: 0.05 }
    }
}

/// Maps that are made at most, so that a slip of the pen is no night's work.
const MOST: usize = 200;

impl StabilityOptions {
    /// From text: `fills=mean,blur,noise windows=16,32 seeds=3 zero=0.05`. A fill that has commas of its own is given by `fill=`: `fill=rgb:128,128,128`.
    ///
    /// # Errors
    /// Argument: a part that is not understood; nothing to choose from.
    pub fn parse(text: &str) -> Result<StabilityOptions> {
        let mut options = StabilityOptions::default();
        for part in text.split_whitespace() {
            let Some((name, value)) = part.split_once('=') else {
                return Err(not_understood(part));
            };
            options.set(name, value)?;
        }
        options.check()?;
        Ok(options)
    }

    /// Sets one choice by its name: `fills` and `windows` are lists, `fill` and `window` add one, `seeds` is a number, `zero` a share.
    ///
    /// # Errors
    /// Argument: an unknown name, a value that is not understood.
    pub fn set(&mut self, name: &str, value: &str) -> Result<()> {
        let mut read = Settings::default();
        match name {
            "fills" => {
                for one in value.split(',') {
                    self.fills.push(Settings::read_fill(one)?);
                }
            }
            "fill" => {
                self.fills.push(Settings::read_fill(value)?);
            }
            "window" | "windows" => {
                read.set("window", value)?;
                self.windows.extend(read.window.unwrap_or_default());
            }
            "seeds" => {
                let seeds = value.parse().ok().filter(|n| (1..=MOST).contains(n));
                self.seeds = seeds.ok_or_else(|| {
                    Error::argument(format!("seeds is {value}, expected a whole number from 1 to {MOST}"))
                })?;
            }
            "zero" => {
                let share = value.parse().ok().filter(|share| (0.0..1.0).contains(share));
                self.zero_below = share.ok_or_else(|| {
                    Error::argument(format!("zero is {value}, expected a share from 0 to below 1"))
                })?;
            }
            _ => return Err(not_understood(&format!("{name}={value}"))),
        }
        Ok(())
    }

    fn check(&self) -> Result<()> {
        if self.fills.is_empty() && self.windows.is_empty() && self.seeds < 2 {
            return Err(Error::argument(
                "there is nothing to choose from: no fill, no window and no second seed",
            )
            .with_hint("stability is of several choices: fills=mean,blur,noise windows=16,32 seeds=3"));
        }
        Ok(())
    }
}

fn not_understood(part: &str) -> Error {
    Error::argument(format!("stability: \"{part}\" is not understood"))
        .with_hint("expected fills=mean,blur,noise windows=16,32 seeds=3 zero=0.05, or some of them; fill=rgb:128,128,128 adds one fill")
}

impl Occlusion<'_> {
    /// Makes the map, and the same map by every combination of other fills, window sizes and seeds, and says of every cell whether its sign hangs on that choice ([`Map::stability`]). The map itself is what [`Occlusion::run`] makes.
    ///
    /// ```no_run
    /// # use occlude::StabilityOptions;
    /// # let model = occlude::Model::open("model.onnx")?;
    /// # let input = model.read_input("cat.jpg")?;
    /// let choices = StabilityOptions::parse("fills=mean,blur windows=16,32")?;
    /// let map = model.occlusion().window(16).stability(&input, &choices)?;
    /// let share = map.stability.as_ref().map(|found| found.targets[0].depends);
    /// # Ok::<(), occlude::Error>(())
    /// ```
    ///
    /// # Errors
    /// Argument: nothing to choose from, random masks or windows of several sizes, window sizes beside regions, several seeds without the fill noise. And what [`Occlusion::run`] says.
    pub fn stability(&self, input: &Input, options: &StabilityOptions) -> Result<Map> {
        self.stability_watched(input, options, &mut Watch::default())
    }

    /// The same under a watch. Stopped in the map itself, it is incomplete and nothing is said of its signs; stopped later, only the maps that are complete count, and a note says so.
    ///
    /// # Errors
    /// See [`Occlusion::stability`].
    pub fn stability_watched(
        &self,
        input: &Input,
        options: &StabilityOptions,
        watch: &mut Watch<'_>,
    ) -> Result<Map> {
        options.check()?;
        let choices = self.choices(input, options)?;
        for (_, settings) in &choices {
            self.clone().with(settings).hidden(input)?;
        }
        let mut map = self.run_watched(input, watch)?;
        if !map.is_complete() {
            return Ok(map);
        }
        let (wanted, mut others) = (choices.len(), Vec::with_capacity(choices.len()));
        for (variant, settings) in choices {
            if watch.is_cancelled() {
                break;
            }
            let mut tell = |progress: &Progress| {
                if let Some(told) = &mut watch.progress {
                    told(progress);
                }
            };
            let mut of_variant =
                Watch { cancel: watch.cancel, progress: Some(&mut tell), ..Watch::default() };
            let other = self.clone().with(&settings).run_watched(input, &mut of_variant)?;
            let same = other.targets.iter().map(|t| &t.spec).eq(map.targets.iter().map(|t| &t.spec));
            if !same {
                return Err(Error::argument(format!(
                    "with fill {} and windows {} the targets are others: the input itself changes with them",
                    variant.fill, variant.window
                ))
                .with_hint("name the target, or leave out the padding"));
            }
            if other.is_complete() {
                others.push((variant, other));
            }
        }
        if others.len() < wanted {
            map.notes.push(format!("stability: stopped after {} of {wanted} other maps", others.len()));
        }
        if others.iter().any(|(_, other)| other.windows != map.windows) {
            map.notes.push("stability: maps of other windows count by the mean of their evidence per place over each window of this map".into());
        }
        if !others.is_empty() {
            map.stability = Some(Stability::of(&map, &others, options.zero_below));
        }
        Ok(map)
    }

    /// Every combination that is not the map's own.
    fn choices(&self, input: &Input, options: &StabilityOptions) -> Result<Vec<(Variant, Settings)>> {
        let own = self.settings().in_elements(input)?;
        let own = own.as_ref();
        let own_fill = own.fill_for(&input.spec);
        match self.hidden(input)? {
            Windows::Masks(..) | Windows::Scales(_) => {
                return Err(Error::argument(
                    "the signs of random masks, and of windows of several sizes in one map, stand on no cells of their own",
                )
                .with_hint("give one window size; other sizes are choices of the stability: windows=16,32"));
            }
            Windows::Regions(_) if !options.windows.is_empty() => {
                return Err(Error::argument(
                    "regions have their own form: window sizes are no choice beside them",
                )
                .with_hint("leave windows out of the stability, or leave out the regions"));
            }
            _ => {}
        }
        let with_own = |fills: &[Fill]| {
            let mut all = vec![own_fill.clone()];
            all.extend(fills.iter().filter(|fill| **fill != own_fill).cloned());
            all
        };
        let fills = with_own(&options.fills);
        if options.seeds > 1 && fills.iter().all(|fill| *fill != Fill::Noise) {
            return Err(Error::argument(format!(
                "{} seeds, but no fill is noise: the others have no seed",
                options.seeds
            ))
            .with_hint("add noise to the fills, or leave seeds out"));
        }
        let of_regions = own.regions.is_some();
        let sizes = |settings: &Settings| -> Result<Vec<Vec<usize>>> {
            if of_regions { Ok(Vec::new()) } else { settings.windows_for(&input.spec) }
        };
        let shown = |sizes: &[Vec<usize>]| match sizes {
            [] => "regions".to_string(),
            sizes => sizes.iter().map(|size| sizes_text(size)).collect::<Vec<_>>().join(","),
        };
        let own_sizes = sizes(own)?;
        let mut windows = vec![own.clone()];
        for size in &options.windows {
            let settings = Settings { window: Some(vec![size.clone()]), ..own.clone() };
            let found = sizes(&settings)?;
            if windows.iter().map(sizes).collect::<Result<Vec<_>>>()?.iter().all(|known| *known != found) {
                windows.push(settings);
            }
        }
        let mut all = Vec::new();
        for with_window in &windows {
            let size = sizes(with_window)?;
            for fill in &fills {
                let seeds = if *fill == Fill::Noise { options.seeds as u64 } else { 1 };
                for seed in (0..seeds).map(|n| own.seed.wrapping_add(n)) {
                    let differs: Vec<String> = [
                        ("fill", *fill != own_fill),
                        ("window", size != own_sizes),
                        ("seed", seed != own.seed),
                    ]
                    .into_iter()
                    .filter(|(_, differs)| *differs)
                    .map(|(name, _)| name.to_string())
                    .collect();
                    // Several noise samples are of the noise alone.
                    let samples = if *fill == Fill::Noise { own.samples } else { 1 };
                    if !differs.is_empty() {
                        let variant = Variant { fill: fill.to_string(), window: shown(&size), seed, differs };
                        all.push((
                            variant,
                            Settings { fill: Some(fill.clone()), seed, samples, ..with_window.clone() },
                        ));
                    }
                }
            }
        }
        if all.is_empty() {
            return Err(Error::argument("the choices are the map's own alone")
                .with_hint("give a fill, a window size or a seed that is not the map's"));
        }
        if all.len() > MOST {
            return Err(Error::argument(format!("{} other maps, expected at most {MOST}", all.len()))
                .with_hint("every combination of the choices is a map of its own"));
        }
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_from_text() {
        let options =
            StabilityOptions::parse("fills=mean,blur fill=rgb:1,2,3 windows=16,8x12 seeds=3 zero=0.1")
                .expect("good");
        assert_eq!(options.fills, [Fill::Mean, Fill::Blur, Fill::Rgb([1.0, 2.0, 3.0])]);
        assert_eq!(
            (options.windows, options.seeds, options.zero_below),
            (vec![vec![16], vec![8, 12]], 3, 0.1)
        );
        for (text, says) in [
            ("", "nothing to choose from"),
            ("zero=0.2", "nothing to choose from"),
            ("fills", "\"fills\" is not understood"),
            ("fills=men", "men"),
            ("sizes=3", "\"sizes=3\" is not understood"),
            ("seeds=0", "seeds is 0"),
            ("zero=1", "zero is 1"),
        ] {
            let error = StabilityOptions::parse(text).expect_err(text).to_string();
            assert!(error.contains(says), "{text}: {error}");
        }
    }
}
