//! What a page may ask for: which settings, by name and as text, and what the fields of its form offer.
//!
//! In: names and texts from a page. Out: [`Settings`] on top of those that the server was started with. Whatever names a file or concerns the machine is refused.

use std::collections::BTreeMap;

use occlude::occlusion::sizes_text;
use occlude::{
    Aggregate, Border, Channels, Error, Fill, Input, Masks, Normalize, Preset, Result, ScoreKind, Settings,
    Shape, Upsample,
};
use serde_json::{Value, json};

use super::run::MOST_NUMBERS;
use super::shelf::KeptModel;

/// Settings that a page may set.
const ALLOWED: [&str; 23] = [
    "preset",
    "window",
    "stride",
    "masks",
    "shape",
    "border",
    "channels",
    "padded",
    "fill",
    "target",
    "score",
    "classes",
    "boxes",
    "roi",
    "seed",
    "samples",
    "value",
    "aggregate",
    "uncovered",
    "normalize",
    "upsample",
    "engine",
    "approximate",
];
/// Random masks, and samples of noise, at most: both are drawn at once, or run in full.
const MOST_MASKS: usize = 20_000;
const MOST_SAMPLES: usize = 1000;

/// The settings of a run that a page asks for; an empty text means "not given".
///
/// # Errors
/// Argument: a name that pages may not set, and what [`Settings::set`] says. Limit: more than a page can be sent.
pub(super) fn settings(base: &Settings, asked: &BTreeMap<String, String>) -> Result<Settings> {
    if let Some(name) = asked.keys().find(|name| !ALLOWED.contains(&name.as_str())) {
        let is_known = Settings::TABLE.iter().any(|setting| setting.name == name);
        return Err(match is_known {
            true => {
                Error::argument(format!("{name} names a file or concerns the machine: a page cannot set it"))
                    .with_hint(format!("start the server with --{name}, or use occlude map"))
            }
            false => Error::argument(format!("there is no setting \"{name}\""))
                .with_hint(format!("a page can set {}", ALLOWED.join(", "))),
        });
    }
    let mut settings = base.clone();
    // A preset sets others, so it comes first, as in the table.
    for setting in Settings::TABLE {
        if let Some(value) = asked.get(setting.name).filter(|value| !value.trim().is_empty()) {
            settings.set(setting.name, value)?;
        }
    }
    check_files(&settings)?;
    if let Some(Masks::Drawn { count, .. }) = settings.masks {
        at_most("masks", count, MOST_MASKS)?;
    }
    at_most("samples", settings.samples, MOST_SAMPLES)?;
    Ok(settings)
}

/// Settings that would have the server read a file for a page.
///
/// # Errors
/// Argument: there is one.
pub(super) fn check_files(settings: &Settings) -> Result<()> {
    let refused = |what: &str, instead: &str| {
        Err(Error::argument(format!("{what} names a file, and no page reaches the file system"))
            .with_hint(instead.to_string()))
    };
    match settings {
        Settings { fill: Some(Fill::Image(_)), .. } => refused("fill image:FILE", "use occlude map for it"),
        Settings { masks: Some(Masks::File(_)), .. } => refused(
            "masks FILE",
            "masks drawn at random can be asked for as 400:7:0.5; use occlude map for others",
        ),
        Settings { regions: Some(_), .. } => refused("regions FILE", "use occlude map for them"),
        _ => Ok(()),
    }
}

fn at_most(name: &str, asked: usize, most: usize) -> Result<()> {
    if asked <= most {
        return Ok(());
    }
    Err(Error::limit(format!("{asked} {name} are asked for, a page may ask for {most}"))
        .with_hint("occlude map has no such limit"))
}

/// Refuses a map that is too large for a page, before anything is computed; `targets` is how many are expected.
///
/// # Errors
/// Limit: more than a page is sent.
pub(super) fn check_size(windows: usize, targets: usize) -> Result<()> {
    if windows.saturating_mul(targets) <= MOST_NUMBERS {
        return Ok(());
    }
    Err(Error::limit(format!(
        "{windows} windows for {targets} target{} are more than a page is sent ({MOST_NUMBERS} numbers)",
        if targets == 1 { "" } else { "s" }
    ))
    .with_hint("choose a larger stride or fewer targets; occlude map has no such limit"))
}

/// What the form shows where nothing is given, for inputs of the model's usual size.
pub(super) fn defaults(model: &KeptModel, base: &Settings) -> Value {
    let spec = model.model.port().typical_spec(model.model.preprocess().fixed_size());
    let texts = |sizes: &[Vec<usize>]| sizes.iter().map(|s| sizes_text(s)).collect::<Vec<_>>().join(",");
    let windows = base.windows_for(&spec).unwrap_or_default();
    let strides = base.strides_for(&windows, &spec).unwrap_or_default();
    let score =
        if model.model.configuration().is_classifier { ScoreKind::Probability } else { ScoreKind::Raw };
    json!({
        "window": texts(&windows),
        "stride": texts(&strides),
        "fill": base.fill_for(&spec).to_string(),
        "target": "top1",
        "score": base.score.unwrap_or(score).to_string(),
        "shape": name_of(&Shape::ALL, base.shape),
        "border": base.border.name(),
    })
}

fn name_of<T: PartialEq>(all: &[(&'static str, T)], wanted: T) -> &'static str {
    all.iter().find(|(_, value)| *value == wanted).map_or("", |(name, _)| name)
}

/// What the fields of the form offer; each text is one that [`settings`] takes.
pub(super) fn choices(input: Option<&Input>) -> Value {
    let is_picture = input.is_none_or(|input| input.preprocess.is_some());
    let mut fills = vec![
        "mean",
        "zero",
        "patch-mean",
        "overall-mean",
        "overall-patch-mean",
        "blur",
        "noise",
        "min",
        "background",
    ];
    if is_picture {
        fills.extend(["rgb:127,127,127", "rgb:0,0,0", "rgb:255,255,255", "inpaint", "inpaint-opencv"]);
    }
    let names = |all: &[&'static str]| all.to_vec();
    json!({
        "fill": fills,
        "score": names(&ScoreKind::ALL.map(|(_, name)| name)),
        "shape": names(&Shape::ALL.map(|(name, _)| name)),
        "border": names(&Border::ALL.map(|(name, _)| name)),
        "channels": names(&Channels::ALL.map(|(name, _)| name)),
        "preset": std::iter::once("none").chain(Preset::ALL.map(|(name, _)| name)).collect::<Vec<_>>(),
        "aggregate": names(&Aggregate::ALL.map(|(name, _)| name)),
        "normalize": names(&Normalize::ALL.map(|(name, _)| name)),
        "upsample": names(&Upsample::ALL.map(|(name, _)| name)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(pairs: &[(&str, &str)]) -> Result<Settings> {
        let asked = pairs.iter().map(|(n, v)| ((*n).to_string(), (*v).to_string())).collect();
        settings(&Settings::default(), &asked)
    }

    #[test]
    fn a_preset_comes_before_what_replaces_its_choices() {
        let settings = asked(&[("fill", "zero"), ("preset", "mindspore"), ("window", "8"), ("score", "")])
            .expect("known");
        assert_eq!((settings.fill, settings.window), (Some(Fill::Zero), Some(vec![vec![8]])));
        assert_eq!(
            settings.preset,
            Some(Preset::ALL.iter().find(|(n, _)| *n == "mindspore").expect("known").1)
        );
    }

    #[test]
    fn files_and_the_machine_are_out_of_reach() {
        for (name, value) in [
            ("regions", "/etc/passwd"),
            ("region-names", "x"),
            ("threads", "64"),
            ("memory-limit", "100G"),
            ("runtime", "ort"),
            ("layout", "nhwc"),
            ("preprocess", "tf"),
        ] {
            let error = asked(&[(name, value)]).expect_err(name);
            assert!(error.to_string().contains(name), "{error}");
        }
        assert!(
            asked(&[("fill", "image:/etc/passwd")]).expect_err("a file").to_string().contains("file system")
        );
        assert!(
            asked(&[("masks", "/etc/masks.npy")]).expect_err("a file").to_string().contains("file system")
        );
        assert!(asked(&[("masks", "100:7:0.5")]).is_ok());
        assert!(asked(&[("masks", "100000:7:0.5")]).expect_err("many").to_string().contains("20000"));
        assert!(asked(&[("samples", "100000"), ("fill", "noise")]).is_err());
        assert!(asked(&[("windw", "3")]).expect_err("unknown").to_string().contains("windw"));
        assert!(check_size(1 << 20, 9).is_err());
    }

    #[test]
    fn every_choice_is_one_that_can_be_set() {
        let choices = choices(None);
        for (name, texts) in choices.as_object().expect("an object") {
            for text in texts.as_array().expect("a list") {
                asked(&[(name, text.as_str().expect("text"))])
                    .unwrap_or_else(|e| panic!("{name} {text}: {e}"));
            }
        }
    }
}
