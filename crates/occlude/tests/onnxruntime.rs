//! The same job through ONNX Runtime: needs its library (`ORT_DYLIB_PATH`, or `VIRTUAL_ENV` with the `onnxruntime` package), so it is run by name:
//! `VIRTUAL_ENV=... cargo test --release -p occlude --test onnxruntime -- --ignored`.

use std::path::{Path, PathBuf};

use occlude::{EngineChoice, Fill, Map, Model, Runtime, ScoreKind, Settings, Target};

fn example(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples").join(path)
}

fn run(runtime: Runtime, change: impl Fn(&mut Settings)) -> Map {
    let variable = |name: &str| std::env::var_os(name).map(PathBuf::from);
    let mut settings =
        Settings { runtime, window: Some(vec![64]), stride: Some(vec![40]), ..Settings::default() };
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
        s.fill = Fill::Noise;
        s.score = Some(ScoreKind::Raw);
    };
    assert_same(&run(Runtime::Builtin, change), &run(Runtime::Ort, change));
}
