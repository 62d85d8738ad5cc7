//! How far signs hang on fill, window and seed, on models where that is known.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use occlude::{Fill, Format, Map, Model, Settings, StabilityOptions, Target, Watch, output};

fn model() -> Model {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/models/evaluate.onnx");
    Model::open_with(file, &Settings::default()).unwrap()
}

/// The input of `tools/make_evaluate_references.py`.
fn x() -> Vec<f32> {
    let said: serde_json::Value = serde_json::from_str(include_str!("data/evaluate.json")).unwrap();
    said["x"].as_array().unwrap().iter().map(|v| v.as_f64().unwrap() as f32).collect()
}

fn made(choices: &str) -> Map {
    let model = model();
    let input = model.tensor_input(&[3, 12, 10], x()).unwrap();
    let run = model.occlusion().window(4).stride(2).seed(5).target(Target::parse("2,0").unwrap());
    run.stability(&input, &StabilityOptions::parse(choices).unwrap()).unwrap()
}

fn plain(fill: Fill, window: usize, seed: u64) -> Map {
    let model = model();
    let input = model.tensor_input(&[3, 12, 10], x()).unwrap();
    let run = model.occlusion().window(window).fill(fill).seed(seed).target(Target::parse("2,0").unwrap());
    let run = if window == 4 { run.stride(2) } else { run };
    run.run(&input).unwrap()
}

/// For, against or none, by the rule: below a share of the map's largest is none.
fn signs(values: &[f32], zero: f32) -> Vec<i8> {
    let most = values.iter().fold(0.0f32, |most, v| most.max(v.abs()));
    values
        .iter()
        .map(|v| {
            if v.abs() < zero * most {
                0
            } else if *v > 0.0 {
                1
            } else {
                -1
            }
        })
        .collect()
}

#[test]
fn signs_are_those_of_the_maps_that_the_settings_make() {
    let map = made("fills=zero,noise seeds=2");
    let own = plain(Fill::Mean, 4, 5);
    assert_eq!(map.sensitivity, own.sensitivity, "the map itself is the one without stability");
    let others = [plain(Fill::Zero, 4, 5), plain(Fill::Noise, 4, 5), plain(Fill::Noise, 4, 6)];
    let found = map.stability.as_ref().unwrap();
    let differs: Vec<String> =
        found.variants.iter().map(|v| format!("{} {}", v.fill, v.differs.join("+"))).collect();
    assert_eq!(differs, ["zero fill", "noise fill", "noise fill+seed"]);
    let count = map.windows.len();
    for target in 0..2 {
        let of = |map: &Map| signs(map.sensitivity_of(target), 0.05);
        let (own, others): (Vec<i8>, Vec<Vec<i8>>) = (of(&own), others.iter().map(of).collect());
        let mut depends = 0;
        for cell in 0..count {
            let all: Vec<i8> =
                std::iter::once(own[cell]).chain(others.iter().map(|signs| signs[cell])).collect();
            let expected = all.contains(&1) && all.contains(&-1);
            assert_eq!(found.depends_of(target)[cell], expected, "target {target} cell {cell}: {all:?}");
            let same = others.iter().filter(|signs| signs[cell] == own[cell]).count() as f32 / 3.0;
            assert!((found.agreement[target * count + cell] - same).abs() < 1e-6);
            depends += usize::from(expected);
        }
        let shares = &found.targets[target];
        assert_eq!((shares.known, shares.depends), (count, depends as f64 / count as f64));
        assert!(shares.by_fill.unwrap() <= shares.depends && shares.by_window.is_none());
    }
    let any = found.depends.iter().filter(|depends| **depends).count();
    assert!(any > 0 && any < found.depends.len(), "{any} of {}", found.depends.len());
}

#[test]
fn other_windows_are_held_against_the_cells_of_the_map() {
    let map = made("windows=6,4,6");
    let found = map.stability.as_ref().unwrap();
    assert_eq!(found.variants.len(), 1, "its own window and a window given twice make no map more");
    assert_eq!(
        (found.variants[0].window.as_str(), &found.variants[0].differs[..]),
        ("6x6", &["window".to_string()][..])
    );
    assert!(map.notes.iter().any(|note| note.contains("mean of their evidence per place over each window")));
    assert_eq!(found.targets[0].by_window, Some(found.targets[0].depends));
}

#[test]
fn files_hold_what_was_found() {
    let map = made("fills=zero,noise seeds=2");
    let again = Map::from_bytes(&map.to_bytes()).unwrap();
    assert_eq!(again.stability, map.stability);
    let picture = occlude::Picture {
        width: 0,
        height: 0,
        rgb: Vec::new(),
        photographic: false,
        volume: None,
        signal: None,
    };
    let json: serde_json::Value =
        serde_json::from_slice(&output::encode(&map, &picture, Format::Json).unwrap()).unwrap();
    let found = map.stability.as_ref().unwrap();
    assert_eq!(json["stability"]["variants"][1]["fill"], "noise");
    let target = &json["targets"][1]["stability"];
    assert_eq!(target["depends"].as_f64(), Some(found.targets[1].depends));
    assert_eq!(
        target["sign_depends"][2][1].as_bool(),
        Some(found.depends_of(1)[2 * map.windows.shape()[1] + 1])
    );
    let page = String::from_utf8(output::encode(&map, &picture, Format::Html).unwrap()).unwrap();
    assert!(page.contains("the sign depends on the choice of fill and seed"));
    // The same map without it: other pixels, and no word of stripes.
    let mut plain = map.clone();
    plain.stability = None;
    let figure = |map: &Map| output::encode(map, &picture, Format::Png).unwrap();
    assert_ne!(figure(&map), figure(&plain));
    assert!(
        !String::from_utf8(output::encode(&plain, &picture, Format::Html).unwrap())
            .unwrap()
            .contains("the sign depends on the choice of")
    );
}

/// The page and the figure that people look at, and `tests/browser/stripes.test.mjs` drives.
#[test]
fn a_page_with_stripes() {
    let model = model();
    let input = model.tensor_input(&[3, 12, 10], x()).unwrap();
    let run = model.occlusion().window(4).stride(2).seed(5).target(Target::parse("2").unwrap());
    let choices = StabilityOptions::parse("fills=zero,noise windows=3 seeds=2").unwrap();
    let map = run.stability(&input, &choices).unwrap();
    for (format, name) in [(Format::Html, "stable.html"), (Format::Png, "stable.png")] {
        let bytes = output::encode(&map, &input.picture, format).unwrap();
        std::fs::write(Path::new(env!("CARGO_TARGET_TMPDIR")).join(name), bytes).unwrap();
    }
    let found = map.stability.unwrap();
    assert_eq!(
        found.variants.len(),
        7,
        "three fills, one of them with two seeds, by two windows, less the map's own"
    );
}

#[test]
fn what_has_no_stability() {
    let model = model();
    let input = model.tensor_input(&[3, 12, 10], x()).unwrap();
    let error = |settings: &[(&str, &str)], choices: &str| {
        let mut all = Settings::default();
        settings.iter().for_each(|(name, value)| all.set(name, value).unwrap());
        let choices = StabilityOptions::parse(choices).unwrap();
        model.occlusion().with(&all).stability(&input, &choices).unwrap_err().to_string()
    };
    assert!(error(&[], "fills=zero,blur seeds=3").contains("3 seeds, but no fill is noise"));
    assert!(error(&[("fill", "zero")], "fills=zero").contains("the choices are the map's own alone"));
    assert!(error(&[("window", "2,4")], "fills=zero").contains("stand on no cells of their own"));
    assert!(error(&[("masks", "9")], "fills=zero").contains("stand on no cells of their own"));
    assert!(error(&[], "windows=40").contains("40"), "before anything is run");
    assert!(error(&[], "fills=noise seeds=200 windows=2,3").contains("expected at most 200"));
}

#[test]
fn a_stop_keeps_the_map_and_the_maps_that_are_complete() {
    let model = model();
    let input = model.tensor_input(&[3, 12, 10], x()).unwrap();
    let stopped = |after: usize| {
        let cancel = AtomicBool::new(false);
        let mut calls = 0;
        let mut progress = |progress: &occlude::Progress| {
            calls += usize::from(progress.done == progress.total);
            cancel.store(calls >= after, Ordering::Relaxed);
        };
        let mut watch = Watch { cancel: Some(&cancel), progress: Some(&mut progress), ..Watch::default() };
        let choices = StabilityOptions::parse("fills=zero,blur,min").unwrap();
        model.occlusion().window(4).stability_watched(&input, &choices, &mut watch).unwrap()
    };
    let none = stopped(1);
    assert!(none.is_complete() && none.stability.is_none());
    let some = stopped(2);
    assert_eq!(some.stability.as_ref().unwrap().variants.len(), 1);
    assert!(
        some.notes.iter().any(|note| note.contains("stopped after 1 of 3 other maps")),
        "{:?}",
        some.notes
    );
}
