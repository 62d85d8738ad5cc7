//! What the program says: help, a run, and every kind of bad input, word for word.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use support::{Shell, compare};

const DEMO: &str = "examples/efficientnet-lite0";
const COFFEE: &str = "examples/images/coffee.jpg";
const QUICK: &str = "--window 112 --stride 56 --threads 2";

/// A `.npy` file of little-endian f32.
fn npy(shape: &str, values: &[f32]) -> Vec<u8> {
    let mut header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({shape}), }}");
    while (header.len() + 11) % 64 != 0 {
        header.push(' ');
    }
    header.push('\n');
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.bytes());
    bytes.extend(values.iter().flat_map(|v| v.to_le_bytes()));
    bytes
}

/// A PNG whose header claims 100,000 x 100,000 pixels.
fn huge_png() -> Vec<u8> {
    let mut bytes = b"\x89PNG\r\n\x1a\n\x00\x00\x00\x0d".to_vec();
    let mut header = b"IHDR".to_vec();
    header.extend(100_000u32.to_be_bytes());
    header.extend(100_000u32.to_be_bytes());
    header.extend([8, 2, 0, 0, 0]);
    bytes.extend(&header);
    bytes.extend(crc32fast::hash(&header).to_be_bytes());
    bytes.extend(b"\x00\x00\x00\x00IDAT");
    bytes.extend(crc32fast::hash(b"IDAT").to_be_bytes());
    bytes
}

#[test]
fn help_of_every_command() {
    let shell = Shell::new();
    let cases = ["--help", "map --help", "inspect --help", "plan --help", "completions --help"];
    let names = ["help", "help_map", "help_inspect", "help_plan", "help_completions"];
    compare(&names.into_iter().zip(cases.map(|line| shell.transcript(line))).collect::<Vec<_>>());
}

#[test]
fn runs_of_the_demo() {
    let shell = Shell::new();
    let run = |line: String| shell.transcript(&line);
    compare(&[
        ("map", run(format!("map {DEMO} {COFFEE} {QUICK} -o [TMP]/map.html -o [TMP]/map.png"))),
        (
            "map_top3_logit",
            run(format!("map {DEMO} examples/images/chelsea.jpg {QUICK} --target top3 --score logit")),
        ),
        ("map_quiet", run(format!("map {DEMO} {COFFEE} {QUICK} -q"))),
        (
            "map_node",
            run(format!("map {DEMO} {COFFEE} {QUICK} --target node:/_conv_head/Conv_output_0:channel=7")),
        ),
        ("inspect", run(format!("inspect {DEMO}"))),
        ("inspect_whole_tensors", run("inspect tests/corpus/ops/rare_einsum.onnx".to_string())),
        ("plan", run(format!("plan {DEMO} {COFFEE} {QUICK} --roi 0:112,0:224"))),
    ]);
}

#[test]
fn bad_models() {
    let shell = Shell::new();
    let x = shell.write("x.npy", &npy("5, 9, 7", &[0.5; 5 * 9 * 7]));
    assert!(x.exists());
    let files = [
        "truncated",
        "truncated_in_header",
        "zero_bytes",
        "not_a_model",
        "text",
        "external_data_missing",
        "external_data_parent_folder",
        "external_data_hidden_parent_folder",
        "external_data_absolute",
        "external_data_too_short",
        "custom_operator",
        "unknown_operator",
        "opset_99",
        "opset_6",
    ];
    let names: Vec<String> = files.iter().map(|file| format!("bad_model_{file}")).collect();
    let mut cases: Vec<(&str, String)> = (names.iter().zip(files))
        .map(|(name, file)| {
            (name.as_str(), shell.transcript(&format!("inspect tests/corpus/bad/{file}.onnx")))
        })
        .collect();
    cases.push(("bad_model_missing", shell.transcript("map nowhere.onnx [TMP]/x.npy")));
    cases.push(("bad_model_empty_folder", shell.transcript("inspect [TMP]")));
    compare(&cases);
}

#[test]
fn bad_inputs() {
    let shell = Shell::new();
    shell.write("rank.npy", &npy("224, 224", &[0.0; 224 * 224]));
    shell.write("size.npy", &npy("3, 100, 224", &[0.0; 3 * 100 * 224]));
    let mut values = vec![0.0; 3 * 224 * 224];
    values[224 * 224 + 3 * 224 + 5] = f32::NAN;
    shell.write("nan.npy", &npy("3, 224, 224", &values));
    shell.write("huge.png", &huge_png());
    shell.write("empty.png", b"");
    shell.write("text.jpg", b"this is no picture");
    let jpeg = std::fs::read(support::root().join(COFFEE)).unwrap();
    shell.write("cut.jpg", &jpeg[..1000]);
    let input = |name: &str| shell.transcript(&format!("map {DEMO} {name} {QUICK}"));
    compare(&[
        ("bad_input_missing", input("nowhere.jpg")),
        ("bad_input_rank", input("[TMP]/rank.npy")),
        ("bad_input_size", input("[TMP]/size.npy")),
        ("bad_input_nan", input("[TMP]/nan.npy")),
        ("bad_input_huge", input("[TMP]/huge.png")),
        ("bad_input_empty", input("[TMP]/empty.png")),
        ("bad_input_no_picture", input("[TMP]/text.jpg")),
        ("bad_input_truncated", input("[TMP]/cut.jpg")),
        ("bad_input_folder", input("[TMP]")),
    ]);
}

#[test]
fn bad_arguments() {
    let shell = Shell::new();
    shell.write("file.txt", b"");
    std::fs::create_dir(shell.path("folder.png")).unwrap();
    let flags = |flags: &str| shell.transcript(&format!("map {DEMO} {COFFEE} {flags}"));
    compare(&[
        ("bad_argument_class", flags("--target expresso")),
        ("bad_argument_class_index", flags("--target 1000")),
        ("bad_argument_node", flags("--target node:nowhere")),
        ("bad_argument_window", flags("--window 225")),
        ("bad_argument_window_text", flags("--window big")),
        ("bad_argument_window_axes", flags("--window 1x2x3x4")),
        ("bad_argument_stride_zero", flags("--stride 0")),
        ("bad_argument_fill", flags("--fill men")),
        ("bad_argument_inpaint", flags("--fill inpaint")),
        ("bad_argument_fill_numbers", flags("--fill 1,2")),
        ("bad_argument_border", flags("--border wrap")),
        ("bad_argument_score", flags("--score p")),
        ("bad_argument_roi", flags("--roi 300:400,0:10")),
        ("bad_argument_threads", flags("--threads 0")),
        ("bad_argument_memory", flags("--memory-limit 50M")),
        ("bad_argument_flag", flags("--windw 16")),
        ("bad_argument_ending", flags("-o [TMP]/map.gif")),
        ("bad_argument_no_ending", flags("-o [TMP]/map")),
        ("bad_argument_unwritable", flags("-o [TMP]/file.txt/map.png")),
        ("bad_argument_folder", flags("-o [TMP]/folder.png")),
        ("bad_argument_approximate", flags("--approximate 0.02")),
        ("bad_argument_runtime", flags("--runtime ort --ort-library /nowhere/libonnxruntime.so")),
        ("bad_argument_no_command", shell.transcript("mapp")),
    ]);
}

/// log(mean - 1/4) is NaN where hiding takes too much: the window is named, and what was computed before is kept.
#[test]
fn nan_out_of_the_model() {
    let shell = Shell::new();
    let mut values = vec![0.0; 64];
    for (place, value) in values.iter_mut().enumerate() {
        // The left half is bright in its lower rows only.
        *value = if place % 8 < 4 && place / 8 >= 4 { 0.9 } else { 0.1 };
    }
    shell.write("x.npy", &npy("1, 8, 8", &values));
    let line = "map crates/cli/tests/data/log_of_means.onnx [TMP]/x.npy --window 4 --stride 4 --fill zero --target 0 -o [TMP]/map.json";
    compare(&[("nan_out_of_the_model", shell.transcript(line))]);
    let json: serde_json::Value =
        serde_json::from_slice(&std::fs::read(shell.path("map.json")).unwrap()).unwrap();
    assert_eq!(json["complete"], false);
}
