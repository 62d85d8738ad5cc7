//! Every form of every setting runs and does something: fills, borders, scores, targets, layouts.
//!
//! What each form means in numbers is tested in the library; here, that the command line reaches it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use support::arrays::{Array, json, npy, npz};
use support::{COFFEE, DEMO, QUICK, Shell};

#[test]
fn every_fill_gives_a_map_of_its_own() {
    let shell = Shell::new();
    let fills = [
        "mean",
        "zero",
        "0.5",
        "0.1,0.2,0.3",
        "-1",
        "rgb:128,0,128",
        "patch-mean",
        "blur",
        "noise",
        "noise --seed 1",
        "min",
        "background",
        "image:examples/images/rocket.jpg",
    ];
    let maps = fills.map(|fill| shell.map_of(&format!("{QUICK} --fill {fill}")));
    for (i, map) in maps.iter().enumerate() {
        if let Some(same) = maps[..i].iter().position(|other| other == map) {
            panic!("{} and {} give the same map", fills[same], fills[i]);
        }
    }
    assert!(shell.map_of(&format!("{QUICK} --fill noise --seed 0")) == maps[8], "the seed is 0 by default");
    assert!(shell.map_of(QUICK) == maps[0], "the fill is mean by default");
}

/// Window 90 and stride 60 do not fit into 224: each rule has its own windows.
#[test]
fn borders_place_the_last_windows() {
    let shell = Shell::new();
    let starts = |border: &str| {
        shell.done(&format!(
            "map {DEMO} {COFFEE} --window 90 --stride 60 --border {border} -q -o [TMP]/b.npz -o [TMP]/b.json"
        ));
        let axis = json(&shell.read("b.json"))["grid"]["axes"][0].clone();
        let ends = axis["ends"].as_array().unwrap().iter().map(|end| end.as_i64().unwrap()).collect();
        (npz(&shell.read("b.npz"))["starts_0"].i64(), ends)
    };
    let expected: [(&str, [&[i64]; 2]); 4] = [
        ("shift", [&[0, 60, 120, 134], &[90, 150, 210, 224]]),
        ("clip", [&[0, 60, 120, 180], &[90, 150, 210, 224]]),
        ("drop", [&[0, 60, 120], &[90, 150, 210]]),
        ("center", [&[0, 15, 75, 135], &[45, 105, 165, 224]]),
    ];
    for (border, [first, last]) in expected {
        let got: (Vec<i64>, Vec<i64>) = starts(border);
        assert_eq!((got.0.as_slice(), got.1.as_slice()), (first, last), "{border}");
    }
}

#[test]
fn every_score_has_its_unit_and_its_values() {
    let shell = Shell::new();
    let mut baselines = Vec::new();
    for score in ["logit", "probability", "log-odds", "margin", "raw"] {
        shell.done(&format!("map {DEMO} {COFFEE} {QUICK} --score {score} -q -o [TMP]/s.json"));
        let target = json(&shell.read("s.json"))["targets"][0].clone();
        assert_eq!(target["class"], 967, "{score}");
        baselines.push(target["baseline"].as_f64().unwrap());
    }
    let [logit, probability, log_odds, margin, raw] = baselines[..] else { panic!("{baselines:?}") };
    assert_eq!(raw, logit, "this model's outputs are logits");
    assert!((log_odds - (probability / (1.0 - probability)).ln()).abs() < 1e-3, "{log_odds}");
    assert!(margin > log_odds && margin < logit, "{margin}");
}

#[test]
fn targets_by_index_name_list_and_rank() {
    let shell = Shell::new();
    let classes = |target: &str| {
        shell.done(&format!("map {DEMO} {COFFEE} {QUICK} --target {target} -q -o [TMP]/t.json"));
        let targets = json(&shell.read("t.json"))["targets"].as_array().unwrap().clone();
        targets.iter().map(|t| t["class"].as_u64().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(classes("top1"), [967]);
    assert_eq!(classes("967"), [967]);
    assert_eq!(classes("espresso"), [967]);
    assert_eq!(classes("Espresso"), [967]);
    assert_eq!(classes("cup,espresso,3"), [968, 967, 3]);
    let five = classes("top5");
    assert_eq!((five.len(), five[0]), (5, 967));
    let all = classes("all");
    assert_eq!((all.len(), all[0], all[999]), (1000, 0, 999));
}

#[test]
fn targets_inside_the_network() {
    let shell = Shell::new();
    let node = "node:/_conv_head/Conv_output_0";
    let mut maps = Vec::new();
    for how in ["", ":strongest-sum", ":sum", ":mean", ":max", ":channel=7", ":strongest-max"] {
        let map = shell.map_of(&format!("{QUICK} --target {node}{how}"));
        assert_eq!(Array::read(&map).shape, [3, 3], "{how}");
        maps.push(map);
    }
    assert!(maps[0] == maps[1], "the channel with the greatest sum is the default");
    for (i, map) in maps.iter().enumerate().skip(2) {
        assert!(!maps[..i].contains(map), "map {i} is that of another form");
    }
}

/// Whether classes exclude each other changes the number, and a file of all classes holds all of them.
#[test]
fn classes_exclude_each_other_or_not() {
    let shell = Shell::new();
    let maps = ["", "--classes exclusive", "--classes independent"]
        .map(|how| shell.map_of(&format!("{QUICK} --score probability {how}")));
    assert!(maps[0] == maps[1] && maps[0] != maps[2]);
    let all = shell.map_of(&format!("{QUICK} --target all"));
    assert_eq!(Array::read(&all).shape, [1000, 3, 3]);
}

/// An inner tensor alone asks for no classes: nothing of them is in any file.
#[test]
fn without_classes_there_is_no_most_probable_one() {
    let shell = Shell::new();
    let outputs = "-q -o [TMP]/n.json -o [TMP]/n.npz -o [TMP]/n.png -o [TMP]/n.html";
    shell.done(&format!("map {DEMO} {COFFEE} {QUICK} --target node:/_conv_stem/Conv_output_0 {outputs}"));
    let map = json(&shell.read("n.json"));
    assert!(map["most_probable"].is_null() && map["targets"][0]["summary"]["label_flips"].is_null());
    assert!(!npz(&shell.read("n.npz")).contains_key("most_probable"));
    // The stem alone: a twentieth of the network's work and less.
    assert!(map["work"]["multiply_adds_in_full"].as_u64().unwrap() < 9 * 20_000_000);
    assert!(shell.read("n.png").len() > 1000 && shell.read("n.html").len() > 1000);
}

#[test]
fn the_channel_axis_can_have_windows_of_its_own() {
    let shell = Shell::new();
    let map = shell.map_of("--window 1x112x112 --stride 1x56x56");
    assert_eq!(Array::read(&map).shape, [3, 3, 3]);
}

/// The same values given channels last are another input: the layout is what the flag says.
#[test]
fn layout_and_preprocessing_are_taken_from_flags() {
    let shell = Shell::new();
    let model = "tests/corpus/ops/small_cnn_opset13.onnx";
    shell.write("x.npy", &npy("3, 21, 17", &[0.25; 3 * 21 * 17]));
    shell.done(&format!("map {model} [TMP]/x.npy --layout nchw --window 7 -q -o [TMP]/l.json"));
    assert_eq!(json(&shell.read("l.json"))["input"]["layout"], "nchw");
    let output =
        shell.done(&format!("map {model} {COFFEE} --preprocess unit,crop=input --window 7 -o [TMP]/l.npy"));
    assert!(!shell.said(&output).contains("a guess"), "{}", shell.said(&output));
    let output = shell.done(&format!("map {model} {COFFEE} --window 7 -o [TMP]/g.npy"));
    assert!(shell.said(&output).contains("--preprocess"), "a guess is said: {}", shell.said(&output));
    assert!(shell.read("g.npy") != shell.read("l.npy"));
}
