//! The same job through ONNX Runtime: needs its library (`ORT_DYLIB_PATH`, or `VIRTUAL_ENV` with the `onnxruntime` package), so it is run by name:
//! `VIRTUAL_ENV=... cargo test --release -p occlude --test onnxruntime -- --ignored`.

use std::path::{Path, PathBuf};

use occlude::{EngineChoice, Fill, Map, Model, Runtime, ScoreKind, Settings, Target};

fn example(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples").join(path)
}

fn run(runtime: Runtime, change: impl Fn(&mut Settings)) -> Map {
    let variable = |name: &str| std::env::var_os(name).map(PathBuf::from);
    let mut settings = Settings {
        runtime,
        window: Some(vec![vec![64]]),
        stride: Some(vec![vec![40]]),
        ..Settings::default()
    };
    settings.engine = EngineChoice::Full;
    (settings.ort_library, settings.virtual_env) = (variable("ORT_DYLIB_PATH"), variable("VIRTUAL_ENV"));
    change(&mut settings);
    let model = Model::open_with(example("efficientnet-lite0"), &settings).expect("opens");
    let input = model.read_input(example("images/coffee.jpg")).expect("reads");
    model.occlusion().run(&input).expect("runs")
}

fn assert_same(a: &Map, b: &Map) {
    assert_eq!(
        a.targets.iter().map(|t| &t.spec).collect::<Vec<_>>(),
        b.targets.iter().map(|t| &t.spec).collect::<Vec<_>>()
    );
    for target in 0..a.targets.len() {
        let range = a.sensitivity_of(target).iter().fold(0.0f32, |m, v| m.max(v.abs()));
        let worst = a
            .sensitivity_of(target)
            .iter()
            .zip(b.sensitivity_of(target))
            .map(|(x, y)| (x - y).abs())
            .fold(0.0, f32::max);
        assert!(worst <= 1e-4 * range, "target {target}: {worst} of {range}");
    }
}

#[test]
#[ignore = "needs the library of ONNX Runtime"]
fn onnxruntime_gives_the_same_map() {
    let change = |s: &mut Settings| s.target = Target::Top(3);
    let (ours, theirs) = (run(Runtime::Builtin, change), run(Runtime::Ort, change));
    assert!(theirs.provenance.runtime.starts_with("onnxruntime 1."), "{}", theirs.provenance.runtime);
    assert_same(&ours, &theirs);
}

#[test]
#[ignore = "needs the library of ONNX Runtime"]
fn onnxruntime_gives_inner_tensors() {
    // Not an output of the model: it becomes one by appending to the model's bytes.
    let change = |s: &mut Settings| {
        let name = "/_avg_pooling/GlobalAveragePool_output_0".to_string();
        s.target = Target::Node { name, reduce: occlude::NodeReduce::StrongestSum };
        s.fill = Some(Fill::Noise);
        s.score = Some(ScoreKind::Raw);
    };
    assert_same(&run(Runtime::Builtin, change), &run(Runtime::Ort, change));
}

#[test]
#[ignore = "needs the library of ONNX Runtime"]
fn onnxruntime_runs_models_that_do_not_take_batches() {
    let data = |name: &str| Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/models").join(name);
    let values: Vec<f32> = (0..108).map(|i| ((i * 31) % 17) as f32 / 8.0 - 1.0).collect();
    let map = |name: &str, runtime: Runtime| {
        let variable = |name: &str| std::env::var_os(name).map(PathBuf::from);
        let settings = Settings {
            runtime,
            ort_library: variable("ORT_DYLIB_PATH"),
            virtual_env: variable("VIRTUAL_ENV"),
            // So that no model depends on what its graph is known to end in.
            score: Some(ScoreKind::Raw),
            target: Target::All,
            ..Settings::default()
        };
        let model = Model::open_with(data(name), &settings).expect("opens");
        let input = model.tensor_input(&[3, 6, 6], values.clone()).expect("fits");
        model.occlusion().run(&input).expect(name)
    };
    let expected = map("softmax.onnx", Runtime::Builtin);
    for name in ["softmax.onnx", "baked_batch.onnx", "batch4.onnx"] {
        assert_same(&expected, &map(name, Runtime::Ort));
    }
    // 16 bits of weights and sums: the same map to their precision.
    let fp16 = map("fp16.onnx", Runtime::Ort);
    for (a, b) in expected.scores.iter().zip(&fp16.scores) {
        assert!((a - b).abs() < 4e-3, "{a} {b}");
    }
}

#[test]
#[ignore = "needs the library of ONNX Runtime"]
fn onnxruntime_gives_the_same_map_of_two_inputs() {
    let run = |runtime: Runtime, together: bool| {
        let variable = |name: &str| std::env::var_os(name).map(PathBuf::from);
        let mut settings = Settings { runtime, target: Target::Class(0), ..Settings::default() };
        (settings.window, settings.stride) = (Some(vec![vec![2]]), Some(vec![vec![1]]));
        (settings.ort_library, settings.virtual_env) = (variable("ORT_DYLIB_PATH"), variable("VIRTUAL_ENV"));
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/conformance/conv.onnx");
        let model = Model::open_with(path, &settings).expect("opens");
        let input = |name: &str, offset: f32| {
            let values = (0..16).map(|i| offset + (i * 7 % 16) as f32).collect();
            model.tensor_input_of(name, &[1, 4, 4], values).expect("fits")
        };
        model.occlusion().run(&input("x2", 3.0).with_beside(input("x", 0.0), together)).expect("runs")
    };
    for together in [false, true] {
        let (ours, theirs) = (run(Runtime::Builtin, together), run(Runtime::Ort, together));
        assert!(ours.max_abs() > 1.0, "hiding matters");
        assert_same(&ours, &theirs);
    }
}

/// A model of `tests/targets` for ONNX Runtime, with the input and answer that belong to those with suppression.
fn target_model(name: &str, settings: &mut Settings) -> (Model, Vec<f32>, serde_json::Value) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/targets");
    let variable = |name: &str| std::env::var_os(name).map(PathBuf::from);
    (settings.ort_library, settings.virtual_env) = (variable("ORT_DYLIB_PATH"), variable("VIRTUAL_ENV"));
    settings.runtime = Runtime::Ort;
    for (name, value) in [("window", "4"), ("stride", "4"), ("fill", "0.25")] {
        settings.set(name, value).expect(name);
    }
    let answer = std::fs::read_to_string(folder.join("suppressed.json")).expect("reads");
    let answer: serde_json::Value = serde_json::from_str(&answer).expect("JSON");
    let number = |v: &serde_json::Value| v.as_f64().expect("a number") as f32;
    let x = answer["x"].as_array().expect("x").iter().map(number).collect();
    (Model::open_with(folder.join(format!("{name}.onnx")), settings).expect("opens"), x, answer)
}

/// Suppression inside the model: another number of boxes for every window. One by one they can be read, in a batch they cannot, and that is said.
#[test]
#[ignore = "needs the library of ONNX Runtime"]
fn a_detector_that_suppresses_boxes_itself() {
    let mut settings = Settings::default();
    settings.set("boxes", "xyxy,boxes=kept_boxes,scores=kept_scores").expect("boxes");
    settings.set("target", "detect:1@3/2.5/12/11").expect("target");
    let (model, x, answer) = target_model("detect_suppressed", &mut settings);
    assert_eq!(answer["target"], "detect:1@3/2.5/12/11");
    let map = model.occlusion().run(&model.tensor_input(&[3, 16, 20], x).expect("fits")).expect("runs");
    let expected = answer["scores"].as_array().expect("scores");
    assert_eq!(map.scores.len(), expected.len());
    for (got, expected) in map.scores.iter().zip(expected) {
        assert!((f64::from(*got) - expected.as_f64().expect("a number")).abs() < 1e-5, "{got}, {expected}");
    }
    let (model, x, _) = target_model("detect_suppressed_batch", &mut settings);
    let input = model.tensor_input(&[3, 16, 20], x).expect("fits");
    let error = model.occlusion().run(&input).expect_err("a batch");
    assert!(error.to_string().contains("values for a batch of"), "{error}");
}

/// Segmentation and boxes by ONNX Runtime are those of the engine.
#[test]
#[ignore = "needs the library of ONNX Runtime"]
fn onnxruntime_gives_places_and_boxes() {
    for (name, target) in [
        ("segment", "segment:top2"),
        ("detect_pair", "detect:1@3/2.5/12/11"),
        ("segment_sigmoid", "segment:0"),
    ] {
        let mut settings = Settings::default();
        settings.set("target", target).expect("target");
        settings.set("boxes", "xyxy").expect("boxes");
        let (model, x, _) = target_model(name, &mut settings);
        let input = model.tensor_input(&[3, 16, 20], x).expect("fits");
        let theirs = model.occlusion().run(&input).expect("runs");
        let ours = Settings { runtime: Runtime::Builtin, ..settings };
        assert_same(&model.occlusion().with(&ours).run(&input).expect("runs"), &theirs);
    }
}
