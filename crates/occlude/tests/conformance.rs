//! Every vector of `tests/conformance/peer_vectors.json`: what MindSpore, MONAI, Captum and the others gave, from settings in their own names, at 1e-5 of the largest value.
//!
//! Each runs twice: an ONNX model on the incremental engine, and a callable. Where a vector shows a defect of its origin, the documented meaning is expected instead, by the table
//! `EXPECTED_INSTEAD`; nothing is skipped. The ONNX models are made by `tools/make_conformance.py`.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use std::path::{Path, PathBuf};

use occlude::{
    BatchScorer, Error, Input, Job, Layout, Map, Meaning, Model, Outputs, Settings, TensorSpec, Watch,
};
use serde_json::{Value, json};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/conformance")
}

fn vectors() -> Value {
    serde_json::from_str(&std::fs::read_to_string(folder().join("peer_vectors.json")).unwrap()).unwrap()
}

/// All numbers of nested lists, in order.
fn flat(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(items) => items.iter().flat_map(flat).collect(),
        number => vec![number.as_f64().unwrap()],
    }
}

fn shape(value: &Value) -> Vec<usize> {
    match value {
        Value::Array(items) => {
            std::iter::once(items.len()).chain(items.first().map_or_else(Vec::new, shape)).collect()
        }
        _ => Vec::new(),
    }
}

fn floats(value: &Value) -> Vec<f32> {
    flat(value).into_iter().map(|v| v as f32).collect()
}

/// From one example's inputs to the scores.
type Function = Box<dyn Fn(&[&[f32]]) -> Vec<f64> + Sync>;

/// A model of the file: its ONNX form's name, its input, and the same function in f64.
struct Subject {
    onnx: &'static str,
    shapes: Vec<Vec<usize>>,
    inputs: Vec<Vec<f32>>,
    run: Function,
}

fn linear(weights: Vec<Vec<f64>>, bias: Vec<f64>, softmax: bool) -> Function {
    Box::new(move |x: &[&[f32]]| {
        let logit =
            |(w, b): (&Vec<f64>, &f64)| w.iter().zip(x[0]).map(|(w, x)| w * f64::from(*x)).sum::<f64>() + b;
        let logits: Vec<f64> = weights.iter().zip(&bias).map(logit).collect();
        if !softmax {
            return logits;
        }
        let most = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let sum: f64 = logits.iter().map(|z| (z - most).exp()).sum();
        logits.iter().map(|z| (z - most).exp() / sum).collect()
    })
}

/// Captum's BasicModel_ConvNet_One_Conv on 4x4 and 4x`width`.
fn conv(x: &[&[f32]]) -> Vec<f64> {
    let width = x[1].len() / 4;
    let sum = |r: usize, c: usize| f64::from(x[0][r * 4 + c]) + f64::from(x[1][r * width + c.min(width - 1)]);
    let mut features = Vec::new();
    for bias in [-50.0, -75.0] {
        for (r, c) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
            let taps: f64 = (0..9).map(|k| sum(r + k / 3, c + k % 3)).sum();
            features.push((taps + bias).max(0.0));
        }
    }
    let signs = [1.0, 1.0, 1.0, 1.0, 1.0, -1.0, -1.0, -1.0];
    vec![features.iter().zip(signs).map(|(f, s)| f * s).sum::<f64>().max(0.0); 4]
}

fn subject(all: &Value, name: &str) -> Subject {
    let ones = |count: usize, value: f64| linear(vec![vec![value; count]], vec![0.0], false);
    let ramp: Vec<f32> = (1..=16).map(|v| v as f32).collect();
    let two = |onnx, width: usize| Subject {
        onnx,
        shapes: vec![vec![1, 4, 4], vec![1, 4, width]],
        inputs: vec![(0..16).map(|v| v as f32).collect(), vec![1.0; 4 * width]],
        run: Box::new(conv),
    };
    let one = |onnx, shape: &[usize], input: Vec<f32>, run| Subject {
        onnx,
        shapes: vec![shape.to_vec()],
        inputs: vec![input],
        run,
    };
    match name {
        "conv (two inputs x=0..15, x2=ones)" => two("conv", 4),
        "conv (x=0..15 [1,1,4,4], x2=ones [1,1,4,1])" => two("conv_narrow", 1),
        "3*sum(x), x 5x5 zeros with ones at (1,1),(3,3)" => {
            let input = (0..25).map(|i| f32::from(u8::from(i == 6 || i == 18))).collect();
            one("sum25", &[1, 5, 5], input, ones(25, 3.0))
        }
        "0.5*sum, uint8 input" => one("half16", &[1, 4, 4], ramp, ones(16, 0.5)),
        "sum of all pixels of the (padded) image, x = 1..16 4x4" => {
            one("padded_sum", &[1, 4, 4], ramp, ones(36, 1.0))
        }
        name => {
            let model = &all["models"][name];
            let onnx = ["lin4", "sum16", "soft", "rgb", "vol"].into_iter().find(|n| *n == name).unwrap();
            let shape: Vec<usize> = model["input_shape"]
                .as_array()
                .unwrap()
                .iter()
                .map(|v| v.as_u64().unwrap() as usize)
                .collect();
            let weights = model["W"].as_array().unwrap().iter().map(flat).collect();
            let run = linear(weights, flat(&model["b"]), model["activation"] == "softmax");
            one(onnx, &shape[1..], floats(&model["input"]), run)
        }
    }
}

/// How a vector is run: the lead input, the settings in our words, and how the map becomes the origin's array.
struct Setup {
    lead: usize,
    settings: Vec<(&'static str, String)>,
    /// From our result `[T, cells...]` (one target: `[cells...]`) to the origin's axes.
    array: fn(&Map) -> Vec<f32>,
}

fn sizes(value: &Value) -> String {
    match value {
        Value::Array(items) => items.iter().map(Value::to_string).collect::<Vec<_>>().join("x"),
        one => one.to_string(),
    }
}

/// The numbers as they are.
fn plain(map: &Map) -> Vec<f32> {
    map.view().values.to_vec()
}

/// Classes last: `[T, cells...]` to `[cells..., T]`.
fn classes_last(map: &Map) -> Vec<f32> {
    let view = map.view();
    let (targets, cells) = (map.targets.len(), view.grid.len());
    (0..cells).flat_map(|c| (0..targets).map(move |t| (t, c))).map(|(t, c)| view.of(t)[c]).collect()
}

/// Captum gives every channel its own number, also where they are hidden together.
fn every_channel(map: &Map) -> Vec<f32> {
    let view = map.view();
    let has_channels = view.grid.axes.len() == map.input.shape.len();
    let times = if has_channels { 1 } else { map.input.channels() };
    view.values.repeat(times)
}

/// Inclusive ranges, a negative end meaning the whole axis, to ours.
fn inclusive(b_box: &Value, lengths: &[usize]) -> String {
    let ends: Vec<i64> = flat(b_box).iter().map(|v| *v as i64).collect();
    let range = |(pair, &n): (&[i64], &usize)| {
        let end = if pair[1] < 0 { n as i64 } else { pair[1] + 1 };
        format!("{}:{end}", pair[0].max(0))
    };
    ends.chunks(2).zip(lengths).map(range).collect::<Vec<_>>().join(",")
}

/// From the origin's parameters, by the origin's names, to settings.
fn setups(vector: &Value, shape: &[usize]) -> Vec<Setup> {
    let params = &vector["params"];
    let text = |value: &Value| value.to_string();
    let peer = vector["peer"].as_str().unwrap();
    let mut set: Vec<(&'static str, String)> = Vec::new();
    let mut add = |name: &'static str, value: String| set.push((name, value));
    let given = |name: &str| params.get(name).filter(|v| !v.is_null());
    let mut array: fn(&Map) -> Vec<f32> = plain;
    match peer.split(' ').next().unwrap() {
        "mindspore" => {
            add("preset", "mindspore".into());
            add("target", text(&params["label"]));
            given("margin").into_iter().for_each(|m| add("window", (2 * m.as_u64().unwrap()).to_string()));
            given("pad_val").into_iter().for_each(|v| add("fill", text(v)));
            given("b_box").into_iter().for_each(|b| add("roi", inclusive(b, shape)));
        }
        "monai" if peer.contains("0.4") => {
            add("preset", "monai-0.4".into());
            add("target", text(&params["label"]));
            given("margin").into_iter().for_each(|m| add("window", (2 * m.as_u64().unwrap()).to_string()));
            given("pad_val").into_iter().for_each(|v| add("fill", text(v)));
            given("stride").into_iter().for_each(|v| add("stride", text(v)));
        }
        "monai" if peer.contains("0.9") => {
            add("preset", "monai-0.9".into());
            add("target", "all".into());
            add("window", sizes(&params["mask_size"]));
            given("pad_val").into_iter().for_each(|v| add("fill", text(v)));
            given("stride").into_iter().for_each(|v| add("stride", text(v)));
            if params["per_channel"] == json!(false) {
                // As executed: without a box the original cuts its window off behind the first channel (its image shape is the array that it writes the 1 into).
                let whole: Vec<String> = shape[1..].iter().map(|n| format!("0:{n}")).collect();
                add("roi", format!("0:1,{}", whole.join(",")));
            }
            array = classes_last;
        }
        "monai" => {
            add("preset", "monai-1".into());
            add("target", "all".into());
            add("score", "raw".into());
            add("window", sizes(&params["mask_size"]));
            match &params["mode"] {
                Value::String(mode) if mode == "gaussian" => {}
                mode => {
                    let fill = match mode {
                        Value::String(mode) if mode == "mean_img" => "overall-mean".into(),
                        Value::String(mode) if mode == "mean_patch" => "overall-patch-mean".into(),
                        // The callable of v049 returns the patch times 0.
                        Value::String(_) => "0".into(),
                        number => text(number),
                    };
                    add("fill", fill);
                    add("shape", "box".into());
                    add("aggregate", "mean".into());
                }
            }
            let mask = params["mask_size"].as_u64().unwrap() as f64;
            let overlap = given("overlap").map_or(0.6, |v| v.as_f64().unwrap());
            add("stride", (((mask * (1.0 - overlap)) as usize).max(1)).to_string());
            if let Some(b_box) = given("b_box") {
                // Half-open in practice.
                let ends: Vec<i64> = flat(b_box).iter().map(|v| *v as i64).collect();
                let ranges: Vec<String> = ends.chunks(2).map(|p| format!("{}:{}", p[0], p[1])).collect();
                add("roi", ranges.join(","));
            }
        }
        "captum" => {
            array = every_channel;
            let windows = &params["sliding_window_shapes"];
            if windows[0].is_array() {
                let input = |lead: usize| {
                    let mut set = vec![("preset", "captum".to_string()), ("target", "0".to_string())];
                    set.push(("window", sizes(&windows[lead])));
                    set.extend(given("strides").map(|s| ("stride", sizes(&s[lead]))));
                    Setup { lead, settings: set, array }
                };
                return vec![input(0), input(1)];
            }
            add("preset", "captum".into());
            add("target", text(&params["target"]));
            add("window", sizes(windows));
            given("strides").into_iter().for_each(|v| add("stride", sizes(v)));
            given("baselines").into_iter().for_each(|v| add("fill", text(v)));
        }
        "PAIR" => {
            add("preset", "pair".into());
            add("target", "0".into());
            add("window", text(&params["size"]));
        }
        "xaitk-saliency" => {
            add("preset", "xaitk".into());
            add("target", "all".into());
            add("window", sizes(&params["window_size"]));
            add("stride", sizes(&params["stride"]));
            add("fill", text(&params["fill"]));
        }
        "xplique" => {
            add("preset", "xplique".into());
            add("target", text(&params["cls"]));
            add("window", sizes(&params["patch_size"]));
            add("stride", sizes(&params["patch_stride"]));
        }
        "tf-explain" => {
            add("preset", "tf-explain".into());
            add("target", text(&params["class_index"]));
            add("window", text(&params["patch_size"]));
        }
        "kazuto1011/grad-cam-pytorch" => {
            add("preset", "kazuto1011".into());
            add("target", "0".into());
            add("window", text(&params["patch"]));
            add("stride", text(&params["stride"]));
        }
        "nolearn" => {
            add("preset", "nolearn".into());
            add("target", text(&params["target"]));
            add("window", text(&params["square_length"]));
        }
        "DeepExplain" => {
            add("preset", "deepexplain".into());
            add("target", "0".into());
            add("window", sizes(&params["window_shape"]));
            add("stride", sizes(&params["step"]));
        }
        "mindspore_xai" => {
            add("preset", "mindspore-xai".into());
            add("target", text(&params["target"]));
            let count = params["_num_sample_per_dim"].as_u64().unwrap() as usize;
            if count != 32 {
                let size: Vec<String> =
                    shape[1..].iter().map(|n| if *n > count { n / count } else { 3 }.to_string()).collect();
                add("window", size.join("x"));
                add("stride", size.join("x"));
            }
        }
        other => panic!("no such peer: {other}"),
    }
    vec![Setup { lead: 0, settings: set, array }]
}

/// What is expected where the vector shows a defect of its origin: the documented meaning, with the reason.
fn expected_instead(id: &str) -> Option<(&'static str, Value)> {
    let rows = |values: [[f64; 4]; 4]| json!([values, vec![vec![0.0; 4]; 4]]);
    Some(match id {
        "v041" => (
            "mean_patch multiplies the patch by its mean; replaced by it, the sum stays 136",
            rows([[136.0; 4]; 4]),
        ),
        "v048" => (
            "a whole number as mode fails; it is a fill like 0.0 of v037",
            rows([
                [122.0, 122.0, 114.0, 114.0],
                [122.0, 122.0, 114.0, 114.0],
                [90.0, 90.0, 82.0, 82.0],
                [90.0, 90.0, 82.0, 82.0],
            ]),
        ),
        "v049" => (
            "a function as mode always fails; this one returns 0, as the fill of v037",
            rows([
                [122.0, 122.0, 114.0, 114.0],
                [122.0, 122.0, 114.0, 114.0],
                [90.0, 90.0, 82.0, 82.0],
                [90.0, 90.0, 82.0, 82.0],
            ]),
        ),
        "v070" => (
            "whole-number pictures fail; half of v066",
            json!([
                [7.0, 16.0, 20.0, 11.0],
                [22.0, 48.0, 56.0, 30.0],
                [38.0, 80.0, 88.0, 46.0],
                [23.0, 48.0, 52.0, 27.0]
            ]),
        ),
        "v084" => (
            "columns start at the second one; minus the sum of the 3x3 neighbourhood is meant",
            json!([[
                [-14.0, -24.0, -30.0, -22.0],
                [-33.0, -54.0, -63.0, -45.0],
                [-57.0, -90.0, -99.0, -69.0],
                [-46.0, -72.0, -78.0, -54.0]
            ]]),
        ),
        _ => return None,
    })
}

/// v083: 1 minus the probability with 127.5 in each 2x2 patch, rows along the height (the original swaps the axes of a 6x5 picture), by the definition.
fn tf_explain_by_definition(subject: &Subject) -> Value {
    let mut rows = Vec::new();
    for top in [0, 2, 4] {
        let mut row = Vec::new();
        for left in [0, 2, 4] {
            let mut x = subject.inputs[0].clone();
            for r in top..top + 2 {
                for c in left..(left + 2).min(5) {
                    x[r * 5 + c] = 127.5;
                }
            }
            row.push(1.0 - (subject.run)(&[&x])[0]);
        }
        rows.push(row);
    }
    json!(rows)
}

fn preset_of(setup: &Setup) -> &str {
    setup.settings.iter().find(|(name, _)| *name == "preset").map_or("", |(_, value)| value)
}

fn settings_of(setup: &Setup) -> occlude::Result<Settings> {
    let mut settings = Settings { threads: Some(2), ..Settings::default() };
    setup.settings.iter().try_for_each(|(name, value)| settings.set(name, value))?;
    Ok(settings)
}

fn on_the_engine(subject: &Subject, setup: &Setup) -> occlude::Result<Map> {
    let model = Model::open(folder().join(format!("{}.onnx", subject.onnx)))?;
    let names: Vec<String> = model.ports().iter().map(|port| port.name.clone()).collect();
    let input = |i: usize| model.tensor_input_of(&names[i], &subject.shapes[i], subject.inputs[i].clone());
    let mut lead = input(setup.lead)?;
    for other in (0..names.len()).filter(|i| *i != setup.lead) {
        lead = lead.with_beside(input(other)?, false);
    }
    model.occlusion().with(&settings_of(setup)?).run(&lead)
}

fn through_a_callable(subject: &Subject, setup: &Setup) -> occlude::Result<Map> {
    let settings = settings_of(setup)?;
    let mut specs: Vec<TensorSpec> = subject
        .shapes
        .iter()
        .enumerate()
        .map(|(i, shape)| TensorSpec::new(format!("x{i}"), shape, Layout::ChannelsFirst))
        .collect();
    let input = |i: usize| Input::from_tensor(specs[i].clone(), subject.inputs[i].clone());
    let mut lead = input(setup.lead)?;
    for other in (0..specs.len()).filter(|i| *i != setup.lead) {
        lead = lead.with_beside(input(other)?, false);
    }
    if settings.padded {
        lead = lead.padded(&[1, 1], &[0.0]);
        specs[0] = lead.spec.clone();
    }
    let lengths: Vec<usize> = specs.iter().map(TensorSpec::len).collect();
    let scorer = BatchScorer::new(specs, 5, "callable", |inputs: &[&[f32]], count: usize| {
        let example = |e: usize| -> Vec<&[f32]> {
            inputs.iter().zip(&lengths).map(|(x, n)| &x[e * n..(e + 1) * n]).collect()
        };
        let values: Vec<f32> =
            (0..count).flat_map(|e| (subject.run)(&example(e))).map(|v| v as f32).collect();
        Ok(Outputs {
            names: vec!["y".into()],
            shapes: vec![vec![1, values.len() / count]],
            values: vec![values],
        })
    });
    let job = Job {
        scorer: &scorer,
        meaning: Meaning { class_output: Some(0), ..Meaning::default() },
        settings: &settings,
        read_image: None,
        model_file: occlude::FileFact::default(),
        load_secs: 0.0,
    };
    job.run(&lead, &mut Watch::default())
}

type Run = fn(&Subject, &Setup) -> occlude::Result<Map>;

const RUNS: [(&str, Run); 2] = [("engine", on_the_engine), ("callable", through_a_callable)];

fn compare(id: &str, how: &str, got: &[f32], expected: &[f64], tolerance: f64, problems: &mut Vec<String>) {
    if got.len() != expected.len() {
        problems.push(format!("{id} {how}: {} values, expected {}", got.len(), expected.len()));
        return;
    }
    let largest = expected.iter().fold(1e-30, |m: f64, v| m.max(v.abs()));
    for (at, (&got, &expected)) in got.iter().zip(expected).enumerate() {
        // NaN, no window covers it, is written as -9e99.
        let same = if expected < -1e98 {
            got.is_nan()
        } else {
            (f64::from(got) - expected).abs() <= tolerance * largest
        };
        if !same {
            problems.push(format!("{id} {how}: element {at} is {got}, expected {expected}"));
            return;
        }
    }
}

#[test]
fn every_vector_of_the_peers() {
    let all = vectors();
    let mut problems = Vec::new();
    let mut seen = 0;
    for vector in all["vectors"].as_array().unwrap() {
        let id = vector["id"].as_str().unwrap();
        if id == "v076" {
            // Scores only, no model: see `scores_alone`.
            continue;
        }
        let subject = subject(&all, vector["model"].as_str().unwrap());
        let instead = expected_instead(id);
        for (place, setup) in setups(vector, &subject.shapes[0]).iter().enumerate() {
            for (how, run) in RUNS {
                let result = run(&subject, setup);
                seen += 1;
                let note = vector["note"].as_str().unwrap();
                if note.starts_with("EXCEPTION") && instead.is_none() {
                    check_refused(id, note, result, &mut problems);
                    continue;
                }
                let map = match result {
                    Ok(map) => map,
                    Err(error) => {
                        problems.push(format!("{id} {how}: {error}"));
                        continue;
                    }
                };
                let output = &vector["output"];
                let expected = match (&instead, output.as_object()) {
                    (Some((_, value)), _) => flat(value),
                    (None, _) if id == "v083" => flat(&tf_explain_by_definition(&subject)),
                    (None, Some(object)) if object.contains_key("map") => flat(&object["map"]),
                    (None, Some(object)) => flat(&object[["attr1", "attr2"][place]]),
                    (None, None) => flat(output),
                };
                // MONAI 1.x pictures its Gaussian in f32 through a separable filter of its own.
                compare(id, how, &(setup.array)(&map), &expected, 1e-5, &mut problems);
                if vector["output_shape"].is_array() && ["mindspore", "monai-0.4"].contains(&preset_of(setup))
                {
                    let got = map.view().shape();
                    if json!(got) != vector["output_shape"] {
                        problems
                            .push(format!("{id} {how}: shape {got:?}, expected {}", vector["output_shape"]));
                    }
                }
                if let Some(classes) = output.get("most_probable") {
                    let view = map.view();
                    let got: Vec<f32> =
                        view.most_probable.as_ref().unwrap().iter().map(|c| *c as f32).collect();
                    compare(id, &format!("{how}, most probable"), &got, &flat(classes), 0.0, &mut problems);
                }
                if let Some(forwards) = vector["forwards"].as_u64() {
                    check_runs(id, how, &map, vector, forwards, &mut problems);
                }
            }
        }
    }
    assert!(problems.is_empty(), "{} problems:\n{}", problems.len(), problems.join("\n"));
    // Two Captum vectors have two inputs each; v076 has its own test.
    assert_eq!(seen, 2 * (all["vectors"].as_array().unwrap().len() - 1 + 2));
}

/// The original runs every window (and the untouched input); here those that hide the same elements run once.
fn check_runs(id: &str, how: &str, map: &Map, vector: &Value, forwards: u64, problems: &mut Vec<String>) {
    let windows = map.windows.len() as u64;
    let counts_untouched = ["mindspore", "monai 0", "captum", "PAIR", "xaitk", "xplique", "DeepExplain"];
    let is_counted = counts_untouched.iter().any(|peer| vector["peer"].as_str().unwrap().starts_with(peer));
    // Transcribed vectors count their batches, not their windows.
    let transcribed = vector["provenance"].as_str().unwrap().starts_with("transcribed");
    if !transcribed && windows + u64::from(is_counted) != forwards {
        problems.push(format!("{id} {how}: {windows} windows, the original ran {forwards}"));
    }
}

fn check_refused(id: &str, note: &str, result: occlude::Result<Map>, problems: &mut Vec<String>) {
    let wanted = match id {
        "v035" => "stride 3 does not divide the 4 elements",
        "v036" => "stride 2 and window 3 must both be odd or both be even",
        "v050" => "window 5 is larger than the input",
        _ => panic!("{id} has no known refusal: {note}"),
    };
    match result.map_err(|e: Error| e.to_string()) {
        Err(said) if said.contains(wanted) => {}
        Err(said) => problems.push(format!("{id} is refused with {said:?}, expected {wanted:?}")),
        Ok(_) => problems.push(format!("{id} runs, the original refuses it: {note}")),
    }
}

/// v076: xaitk's scoring of given scores with given masks, six 2x2 tiles of 4x6; a model that returns the given score for each tile.
#[test]
fn scores_alone() {
    let all = vectors();
    let vector = all["vectors"].as_array().unwrap().iter().find(|v| v["id"] == "v076").unwrap().clone();
    let (reference, perturbed) =
        (flat(&vector["params"]["reference"])[0], flat(&vector["params"]["perturbed"]));
    let spec = TensorSpec::new("x", &[1, 4, 6], Layout::ChannelsFirst);
    let scorer = BatchScorer::new(vec![spec.clone()], 4, "scores", |x: &[&[f32]], count: usize| {
        let score = |x: &[f32]| match x.iter().position(|v| *v == 0.0) {
            Some(at) => perturbed[at / 12 * 3 + at % 6 / 2] as f32,
            None => reference as f32,
        };
        let values = x[0].chunks(x[0].len() / count).map(score).collect();
        Ok(Outputs { names: vec!["y".into()], shapes: vec![vec![1, 1]], values: vec![values] })
    });
    let mut settings = Settings::default();
    for (name, value) in [("preset", "xaitk"), ("window", "2"), ("stride", "2"), ("target", "0")] {
        settings.set(name, value).unwrap();
    }
    let job = Job {
        scorer: &scorer,
        meaning: Meaning { class_output: Some(0), ..Meaning::default() },
        settings: &settings,
        read_image: None,
        model_file: occlude::FileFact::default(),
        load_secs: 0.0,
    };
    let map = job.run(&Input::from_tensor(spec, vec![1.0; 24]).unwrap(), &mut Watch::default()).unwrap();
    let mut problems = Vec::new();
    compare("v076", "callable", &plain(&map), &flat(&vector["output"]), 1e-5, &mut problems);
    assert!(problems.is_empty(), "{problems:?}");
    assert_eq!(shape(&vector["output"]), [1, 4, 6]);
}
