//! The map is the same however it is computed: threads, memory, engine, runtime.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use support::arrays::{Array, bits, difference_of_range, entries};
use support::{COFFEE, DEMO, QUICK, Shell};

fn values(file: &[u8]) -> Vec<f32> {
    Array::read(file).f32()
}

#[test]
fn the_same_bytes_at_any_thread_count_and_memory_limit() {
    let shell = Shell::new();
    let job = "--window 80 --stride 36 --fill patch-mean --target top3";
    let first = shell.map_of(&format!("{job} --threads 1"));
    assert_eq!(Array::read(&first).shape, [3, 5, 5]);
    for flags in ["--threads 2", "--threads 3", "--memory-limit 150M", "--memory-limit 1G --threads 1"] {
        assert!(shell.map_of(&format!("{job} {flags}")) == first, "{flags} changes the map");
    }
}

#[test]
fn every_engine_gives_the_same_map() {
    let shell = Shell::new();
    for fill in ["mean", "blur"] {
        let job = format!("{QUICK} --fill {fill} --score logit");
        let full = values(&shell.map_of(&format!("{job} --engine full")));
        let gather = values(&shell.map_of(&format!("{job} --engine gather")));
        assert_eq!(bits(&gather), bits(&full), "{fill}: the gather form has a full run's bits");
        let incremental = values(&shell.map_of(&format!("{job} --engine incremental")));
        let difference = difference_of_range(&incremental, &full);
        assert!(difference <= 1e-4, "{fill}: {difference}");
    }
}

#[test]
#[ignore = "needs ONNX Runtime: make test-ort"]
fn onnxruntime_gives_the_same_map_of_the_demo() {
    let shell = Shell::new();
    for job in [
        format!("{QUICK} --target top5"),
        format!("{QUICK} --score logit --fill noise --seed 3"),
        format!("{QUICK} --score margin --border center"),
    ] {
        let ours = values(&shell.map_of(&job));
        let theirs = values(&shell.map_of(&format!("{job} --runtime ort")));
        let difference = difference_of_range(&ours, &theirs);
        println!("{job}: {} windows, difference {difference:.1e} of the range", ours.len());
        assert!(difference <= 1e-4, "{job}: {difference}");
    }
}

/// Fixed batches are looped, the last Softmax is found by both, signals and volumes are axes like any other.
#[test]
#[ignore = "needs ONNX Runtime: make test-ort"]
fn onnxruntime_gives_the_same_map_of_small_models() {
    let shell = Shell::new();
    for name in [
        "small_cnn_opset9",
        "small_cnn_opset22",
        "small_cnn_fixed_batch",
        "small_cnn_softmax",
        "small_cnn_sigmoid_multilabel",
        "small_cnn_two_outputs",
        "rare_einsum_channels",
        "external_data_in_subfolder",
        "cnn_1d",
        "cnn_3d",
    ] {
        let model = format!("tests/corpus/ops/{name}.onnx");
        let case = std::fs::read(support::root().join(&model).with_extension("npz")).unwrap();
        shell.write("x.npy", &entries(&case)["x.npy"]);
        let target = if name == "rare_einsum_channels" || name.starts_with("external") {
            "--target node:y0:sum"
        } else {
            ""
        };
        let run = |runtime: &str| {
            shell.done(&format!("map {model} [TMP]/x.npy {target} --runtime {runtime} -q -o [TMP]/m.npy"));
            values(&shell.read("m.npy"))
        };
        let (ours, theirs) = (run("builtin"), run("ort"));
        let difference = difference_of_range(&ours, &theirs);
        println!("{name}: {} windows, difference {difference:.1e} of the range", ours.len());
        assert!(difference <= 1e-4, "{name}: {difference}");
    }
}

#[test]
#[ignore = "needs ONNX Runtime: make test-ort"]
fn onnxruntime_is_found_by_environment_and_named_when_it_is_not_there() {
    let shell = Shell::new();
    let line = format!("map {DEMO} {COFFEE} {QUICK} --runtime ort -q -o [TMP]/m.npy");
    shell.done(&line);
    let output = shell.command(&line).env("ORT_DYLIB_PATH", "/nowhere/lib.so").output().unwrap();
    let said = shell.said(&output);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("/nowhere/lib.so") && said.contains("\nhint: "), "{said}");
}
