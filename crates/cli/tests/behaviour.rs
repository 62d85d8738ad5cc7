//! What the program does: files that agree with each other, partial results, exit codes, the same map however it is run.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::io::Read;
use std::process::Stdio;

use support::Shell;

const DEMO: &str = "examples/efficientnet-lite0";
const COFFEE: &str = "examples/images/coffee.jpg";
const QUICK: &str = "--window 112 --stride 56";

/// The values of a `.npy` file of f32.
fn values(bytes: &[u8]) -> Vec<f32> {
    let header = 10 + usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    bytes[header..].chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect()
}

fn json(bytes: &[u8]) -> serde_json::Value {
    serde_json::from_slice(bytes).unwrap()
}

fn map_of(shell: &Shell, flags: &str) -> Vec<u8> {
    let output = shell.run(&format!("map {DEMO} {COFFEE} {QUICK} {flags} -q -o [TMP]/m.npy"));
    assert!(output.status.success(), "{flags}: {}", String::from_utf8_lossy(&output.stderr));
    std::fs::read(shell.path("m.npy")).unwrap()
}

fn largest_difference(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

fn range(values: &[f32]) -> f32 {
    values.iter().fold(f32::NEG_INFINITY, |m, &v| m.max(v))
        - values.iter().fold(f32::INFINITY, |m, &v| m.min(v))
}

#[test]
fn the_same_bytes_at_any_thread_count_and_memory_limit() {
    let shell = Shell::new();
    let first = map_of(&shell, "--threads 1");
    for flags in ["--threads 2", "--threads 3", "--memory-limit 150M", "--memory-limit 1G --threads 1"] {
        assert!(map_of(&shell, flags) == first, "{flags} changes the map");
    }
}

#[test]
fn every_engine_gives_the_same_map() {
    let shell = Shell::new();
    let full = values(&map_of(&shell, "--engine full"));
    assert_eq!(values(&map_of(&shell, "--engine gather")), full, "the gather form has a full run's bits");
    let incremental = values(&map_of(&shell, "--engine incremental"));
    assert!(largest_difference(&incremental, &full) <= 1e-4 * range(&full));
}

#[test]
fn all_files_of_a_run_agree() {
    let shell = Shell::new();
    let output = shell.run(&format!(
        "map {DEMO} {COFFEE} {QUICK} --target top5 -o [TMP]/m.npy -o [TMP]/m.npz -o [TMP]/m.json -o [TMP]/m.html -o [TMP]/m.png --json"
    ));
    assert!(output.status.success());
    let read = |name: &str| std::fs::read(shell.path(name)).unwrap();
    let map = json(&read("m.json"));
    assert_eq!((&map["schema"], &map["complete"]), (&"occlude.map/1".into(), &true.into()));
    let sensitivity: Vec<f32> = map["targets"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|t| t["sensitivity"].as_array().unwrap())
        .flat_map(|row| row.as_array().unwrap())
        .map(|v| v.as_f64().unwrap() as f32)
        .collect();
    assert_eq!(sensitivity.len(), 5 * 3 * 3);
    assert_eq!(values(&read("m.npy")), sensitivity);
    let npz = read("m.npz");
    let place = npz.windows(8).position(|w| w == b"map.npy\x93").unwrap() + 7;
    assert_eq!(values(&npz[place..])[..45], sensitivity);
    let summary = json(&output.stdout);
    assert_eq!(summary["schema"], "occlude.map-summary/1");
    let baseline = |v: &serde_json::Value| v["targets"][0]["baseline"].as_f64().unwrap() as f32;
    assert_eq!(baseline(&summary), baseline(&map));
    assert_eq!(map["targets"][0]["class"], 967);
    let probability = map["targets"][0]["baseline"].as_f64().unwrap();
    assert!((probability - 0.9406).abs() < 1e-3, "espresso at {probability}");
    assert!(read("m.png").starts_with(b"\x89PNG") && read("m.html").starts_with(b"<!"));
}

#[test]
fn every_fill_border_and_score_runs() {
    let shell = Shell::new();
    let mean = map_of(&shell, "");
    for fill in [
        "zero",
        "0.5",
        "0.1,0.2,0.3",
        "rgb:128,128,128",
        "patch-mean",
        "blur",
        "noise",
        "min",
        "background",
        "image:examples/images/rocket.jpg",
    ] {
        assert!(map_of(&shell, &format!("--fill {fill}")) != mean, "{fill} gives the map of mean");
    }
    assert!(map_of(&shell, "--fill noise --seed 1") != map_of(&shell, "--fill noise --seed 2"));
    for border in ["shift", "clip", "drop", "center"] {
        map_of(&shell, &format!("--border {border}"));
    }
    for score in ["logit", "log-odds", "margin", "raw"] {
        assert!(map_of(&shell, &format!("--score {score}")) != mean, "{score} gives the map of probability");
    }
    let output =
        shell.run(&format!("map {DEMO} {COFFEE} --window 1x112x112 --stride 1x56x56 -q -o [TMP]/c.npy"));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(values(&std::fs::read(shell.path("c.npy")).unwrap()).len(), 3 * 3 * 3);
}

#[test]
fn one_bad_input_does_not_stop_the_others() {
    let shell = Shell::new();
    shell.write("bad.jpg", b"no picture");
    let line = format!("map {DEMO} [TMP]/bad.jpg {COFFEE} {QUICK} -o [TMP]/{{stem}}.json");
    let output = shell.run(&line);
    let tmp = shell.path("").to_string_lossy().trim_end_matches('/').to_string();
    let said = String::from_utf8_lossy(&output.stderr).replace(&tmp, "[TMP]");
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.lines().last().unwrap().ends_with("1 of 2 inputs failed: [TMP]/bad.jpg"), "{said}");
    assert_eq!(json(&std::fs::read(shell.path("coffee.json")).unwrap())["complete"], true);
    let output = shell.run(&format!("map {DEMO} [TMP]/bad.jpg nowhere.png {QUICK} -o [TMP]/{{stem}}.json"));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("bad.jpg") && said.contains("nowhere.png"), "{said}");
}

#[test]
fn standard_output_takes_the_map() {
    let shell = Shell::new();
    let output = shell.run(&format!("map {DEMO} {COFFEE} {QUICK} -q -o -"));
    assert_eq!(json(&output.stdout)["schema"], "occlude.map/1");
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_closed_pipe_is_no_failure() {
    let shell = Shell::new();
    let mut child = shell
        .command(&format!("map {DEMO} {COFFEE} {QUICK} -q -o -"))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let status = child.wait().unwrap();
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!((status.code(), said.as_str()), (Some(0), ""));
}

/// Runs a job whose windows take minutes, sends Ctrl-C in the middle of it, and returns exit code and standard error.
#[cfg(unix)]
fn interrupted(shell: &Shell, line: &str) -> (Option<i32>, String) {
    let mut child = shell.command(line).stderr(Stdio::piped()).spawn().unwrap();
    let mut said = Vec::new();
    let mut pipe = child.stderr.take().unwrap();
    let mut byte = [0];
    while !String::from_utf8_lossy(&said).contains("\nplan") && pipe.read(&mut byte).unwrap() == 1 {
        said.push(byte[0]);
    }
    // Time for a first group of windows, also on a busy machine.
    std::thread::sleep(std::time::Duration::from_secs(3));
    let signal = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(signal.success());
    pipe.read_to_end(&mut said).unwrap();
    (child.wait().unwrap().code(), String::from_utf8_lossy(&said).into_owned())
}

/// Ctrl-C in the middle: what was computed is saved and marked, and the exit code says so.
#[test]
#[cfg(unix)]
fn an_interrupted_run_keeps_what_it_has() {
    let shell = Shell::new();
    let (code, said) = interrupted(
        &shell,
        &format!("map {DEMO} {COFFEE} --window 16 --stride 1 -o [TMP]/part.json -o [TMP]/part.npy"),
    );
    assert_eq!(code, Some(130), "{said}");
    assert!(said.contains("interrupted"), "{said}");
    let map = json(&std::fs::read(shell.path("part.json")).unwrap());
    assert_eq!(map["complete"], false);
    let computed = map["computed"].as_u64().unwrap() as usize;
    let array = values(&std::fs::read(shell.path("part.npy")).unwrap());
    assert_eq!(array.iter().filter(|v| !v.is_nan()).count(), computed);
    assert!(computed > 0 && computed < array.len(), "{computed} of {}", array.len());
    // Coarse to fine: what is there is spread over the whole picture.
    let side = 209;
    let quarter = |y: usize, x: usize| {
        (0..array.len()).filter(|i| i / side / 105 == y && i % side / 105 == x && !array[*i].is_nan()).count()
    };
    for (y, x) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
        assert!(quarter(y, x) > 0, "nothing computed in quarter {y} {x} of {computed} windows");
    }
}

/// What failed before is not forgotten, and what was not begun is counted.
#[test]
#[cfg(unix)]
fn an_interrupted_call_accounts_for_every_input() {
    let shell = Shell::new();
    shell.write("bad.jpg", b"no picture");
    let inputs = format!("[TMP]/bad.jpg {COFFEE} examples/images/rocket.jpg");
    let (code, said) =
        interrupted(&shell, &format!("map {DEMO} {inputs} --window 16 --stride 1 -o [TMP]/{{stem}}.npy"));
    assert_eq!(code, Some(130), "{said}");
    assert!(said.contains("interrupted: 1 of 3 inputs not begun"), "{said}");
    let last = said.lines().last().unwrap();
    assert!(last.contains("1 of 3 inputs failed") && last.ends_with("bad.jpg"), "{said}");
    assert!(shell.path("coffee.npy").exists() && !shell.path("rocket.npy").exists());
}

#[test]
fn nobody_listening_to_standard_error_is_no_failure() {
    let shell = Shell::new();
    let mut child = shell
        .command(&format!("map {DEMO} {COFFEE} {QUICK} -o [TMP]/m.npy"))
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stderr.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(shell.path("m.npy").exists());
}

#[test]
#[ignore = "needs ONNX Runtime: make test-ort"]
fn onnxruntime_gives_the_same_map() {
    let shell = Shell::new();
    let corpus = ["small_cnn_opset13", "small_cnn_fixed_batch", "cnn_1d", "cnn_3d"]
        .map(|name| format!("tests/corpus/ops/{name}.onnx"));
    for model in std::iter::once(DEMO).chain(corpus.iter().map(String::as_str)) {
        if !support::root().join(model).exists() {
            panic!("{model} is not there");
        }
        let input = if model == DEMO {
            COFFEE.to_string()
        } else {
            // The case's own input, unpacked from its archive (the first array is x).
            let npz = std::fs::read(support::root().join(model).with_extension("npz")).unwrap();
            let start = npz.windows(6).position(|w| w == b"x.npy\x93").unwrap() + 5;
            let end = npz[start..].windows(4).position(|w| w == b"PK\x03\x04").unwrap() + start;
            shell.write("x.npy", &npz[start..end]);
            "[TMP]/x.npy".to_string()
        };
        let run = |runtime: &str| {
            let output = shell.run(&format!("map {model} {input} --runtime {runtime} -q -o [TMP]/m.npy"));
            assert!(
                output.status.success(),
                "{model} {runtime}: {}",
                String::from_utf8_lossy(&output.stderr)
            );
            values(&std::fs::read(shell.path("m.npy")).unwrap())
        };
        let (ours, theirs) = (run("builtin"), run("ort"));
        let (difference, range) = (largest_difference(&ours, &theirs), range(&theirs));
        println!("{model}: {} windows, largest difference {difference:e}, range {range}", ours.len());
        assert!(difference <= 1e-4 * range, "{model}: {difference} of {range}");
    }
}
