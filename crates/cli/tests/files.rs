//! What is written: the formats agree with each other number by number, and outputs go where they were asked to.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use support::arrays::{Array, bits, flat, json, npy, npz};
use support::{COFFEE, DEMO, QUICK, Shell};

#[test]
fn all_files_of_a_run_agree() {
    let shell = Shell::new();
    let outputs: Vec<String> =
        ["npy", "npz", "json", "html", "png"].map(|ending| format!("-o [TMP]/m.{ending}")).to_vec();
    let output =
        shell.done(&format!("map {DEMO} {COFFEE} {QUICK} --target top5 --json {}", outputs.join(" ")));
    let map = json(&shell.read("m.json"));
    assert_eq!((&map["schema"], &map["complete"]), (&"occlude.map/1".into(), &true.into()));
    let of_targets = |key: &str| {
        let targets = map["targets"].as_array().unwrap();
        targets.iter().flat_map(|target| flat(&target[key])).collect::<Vec<f32>>()
    };
    let sensitivity = of_targets("sensitivity");
    assert_eq!(sensitivity.len(), 5 * 3 * 3);

    let array = Array::read(&shell.read("m.npy"));
    assert_eq!(array.shape, [5, 3, 3]);
    assert_eq!(bits(&array.f32()), bits(&sensitivity));

    let arrays = npz(&shell.read("m.npz"));
    let keys: Vec<&str> = arrays.keys().map(String::as_str).collect();
    let expected = [
        "attribution",
        "baseline",
        "complete",
        "ends_0",
        "ends_1",
        "map",
        "most_probable",
        "places",
        "scores",
        "starts_0",
        "starts_1",
        "window",
    ];
    assert_eq!(keys, expected);
    assert_eq!((&arrays["map"].shape, &arrays["map"].bytes), (&array.shape, &array.bytes));
    assert_eq!(arrays["baseline"].f32(), of_targets("baseline"));
    assert_eq!(bits(&arrays["scores"].f32()), bits(&of_targets("scores")));
    let scores = arrays["scores"].f32();
    let difference = |i: usize| arrays["baseline"].f32()[i / 9] - scores[i];
    assert_eq!(bits(&(0..45).map(difference).collect::<Vec<_>>()), bits(&sensitivity));
    for axis in ["starts_0", "starts_1"] {
        assert_eq!(arrays[axis].i64(), [0, 56, 112]);
    }
    for axis in ["ends_0", "ends_1"] {
        assert_eq!(arrays[axis].i64(), [112, 168, 224]);
    }
    assert_eq!(arrays["window"].i64(), [112, 112]);
    assert_eq!(arrays["places"].i64(), [224, 224]);
    assert_eq!((arrays["complete"].descr.as_str(), &arrays["complete"].bytes[..]), ("|b1", &[1u8][..]));
    let probable: Vec<f32> = arrays["most_probable"].i32().iter().map(|&class| class as f32).collect();
    assert_eq!(flat(&map["most_probable"]["windows"]), probable);

    // The attribution is the mean over the windows that cover an element: a corner is covered by one, the centre by four.
    let attribution = &arrays["attribution"];
    assert_eq!(attribution.shape, [5, 224, 224]);
    let spread = attribution.f32();
    let at = |y: usize, x: usize| spread[y * 224 + x];
    assert_eq!((at(0, 0), at(223, 223)), (sensitivity[0], sensitivity[8]));
    let four = (sensitivity[0] + sensitivity[1] + sensitivity[3] + sensitivity[4]) / 4.0;
    assert!((at(60, 60) - four).abs() < 1e-6);

    let summary = json(&output.stdout);
    assert_eq!(summary["schema"], "occlude.map-summary/1");
    for key in ["complete", "windows", "computed", "check", "notes"] {
        assert_eq!(summary[key], map[key], "{key}");
    }
    for (short, long) in summary["targets"].as_array().unwrap().iter().zip(map["targets"].as_array().unwrap())
    {
        for key in ["label", "class", "unit", "summary"] {
            assert_eq!(short[key], long[key], "{key}");
        }
        assert_eq!(flat(&short["baseline"]), flat(&long["baseline"]));
    }
    assert_eq!(map["targets"][0]["class"], 967);
    let probability = map["targets"][0]["baseline"].as_f64().unwrap();
    assert!((probability - 0.9406).abs() < 1e-3, "espresso at {probability}");

    assert!(shell.read("m.png").starts_with(b"\x89PNG"));
    let page = String::from_utf8(shell.read("m.html")).unwrap();
    assert!(page.starts_with("<!") && page.contains("espresso") && page.contains("occlude.page/1"));
    assert!(!page.contains("src=\"http") && !page.contains("href=\"http"), "the page needs a network");
}

#[test]
fn windows_that_are_cut_off_say_where_they_end() {
    let shell = Shell::new();
    let run = |border: &str| {
        shell.done(&format!(
            "map {DEMO} {COFFEE} --window 96 --stride 96 --border {border} -q -o [TMP]/m.npz"
        ));
        npz(&shell.read("m.npz"))
    };
    let clipped = run("clip");
    assert_eq!((clipped["starts_0"].i64(), clipped["ends_0"].i64()), (vec![0, 96, 192], vec![96, 192, 224]));
    let centred = run("center");
    let (starts, ends) = (centred["starts_1"].i64(), centred["ends_1"].i64());
    assert!(starts[0] == 0 && ends[0] < 96, "the first window is cut off: {starts:?} {ends:?}");
    assert_eq!(centred["window"].i64(), [96, 96]);
}

/// What `verify` says, as JSON and as arrays, is one and the same.
#[test]
fn a_verification_says_the_same_everywhere() {
    let shell = Shell::new();
    let output =
        shell.done(&format!("verify {DEMO} {COFFEE} {QUICK} --target top2 --json -o [TMP]/both.npz"));
    let found = json(&output.stdout);
    assert_eq!((&found["schema"], &found["within"]), (&"occlude.verify/1".into(), &true.into()));
    assert_eq!((&found["complete"], &found["compared"]), (&true.into(), &9.into()));
    let arrays = npz(&shell.read("both.npz"));
    let (map, full) = (arrays["map"].f32(), arrays["full"].f32());
    assert_eq!((&arrays["map"].shape[..], map.len()), (&[2, 3, 3][..], 18));
    assert_eq!(arrays["output_difference"].shape, [3, 3]);
    let expected: Vec<f32> = map.iter().zip(&full).map(|(a, b)| a - b).collect();
    assert_eq!(bits(&arrays["difference"].f32()), bits(&expected));
    let largest = expected.iter().fold(0.0f32, |m, v| m.max(v.abs()));
    let (said, scale) = (&found["map"]["max_abs_diff"], found["map"]["scale"].as_f64().unwrap());
    // The worst target is the one that uses most of what it is allowed, so its difference is no larger than the largest of all.
    assert!(said.as_f64().unwrap() <= f64::from(largest) + 1e-12 && scale > 0.1, "{said} of {scale}");
    // The map that is verified is the one that `map` makes.
    shell.done(&format!("map {DEMO} {COFFEE} {QUICK} --target top2 -q -o [TMP]/m.npz"));
    assert_eq!(bits(&npz(&shell.read("m.npz"))["map"].f32()), bits(&map));
}

#[test]
fn one_target_has_no_target_axis() {
    let shell = Shell::new();
    shell.done(&format!("map {DEMO} {COFFEE} {QUICK} -q -o [TMP]/m.npz -o [TMP]/m.npy"));
    let arrays = npz(&shell.read("m.npz"));
    assert_eq!(arrays["map"].shape, [3, 3]);
    assert_eq!(arrays["map"].bytes, Array::read(&shell.read("m.npy")).bytes);
    assert_eq!(
        (&arrays["attribution"].shape[..], &arrays["baseline"].shape[..]),
        (&[224, 224][..], &[1][..])
    );
}

#[test]
fn signals_and_volumes_keep_their_axes() {
    let shell = Shell::new();
    let values = |n: usize| (0..n).map(|i| ((i * 29 % 83) as f32 - 41.0) / 25.0).collect::<Vec<f32>>();
    shell.write("x1.npy", &npy("2, 61", &values(2 * 61)));
    shell.write("x3.npy", &npy("1, 1, 13, 12, 11", &values(13 * 12 * 11)));
    shell.done(
        "map tests/corpus/ops/cnn_1d.onnx [TMP]/x1.npy --window 8 --stride 4 -q -o [TMP]/1.npz -o [TMP]/1.png",
    );
    let signal = npz(&shell.read("1.npz"));
    // (61 - 8) / 4 leaves a rest: the last window is shifted in.
    assert_eq!(signal["map"].shape, [15]);
    assert_eq!(signal["starts_0"].i64().last(), Some(&53));
    shell.done("map tests/corpus/ops/cnn_3d.onnx [TMP]/x3.npy --window 6x5x4 --stride 4 --border drop -q -o [TMP]/3.npz -o [TMP]/3.html");
    let volume = npz(&shell.read("3.npz"));
    assert_eq!(volume["map"].shape, [2, 2, 2]);
    assert_eq!(volume["window"].i64(), [6, 5, 4]);
    // The last elements of an axis are in no window: they have no attribution.
    assert_eq!(volume["attribution"].shape, [13, 12, 11]);
    let spread = volume["attribution"].f32();
    assert!(spread[0].is_finite() && spread.last().unwrap().is_nan());
}

/// A box of centres selects windows of the full grid, with the same values.
#[test]
fn a_region_of_interest_is_a_part_of_the_map() {
    let shell = Shell::new();
    let run = |flags: &str| {
        shell.done(&format!(
            "map {DEMO} {COFFEE} --window 64 --stride 40 --fill zero {flags} -q -o [TMP]/m.npz"
        ));
        npz(&shell.read("m.npz"))
    };
    let (all, part) = (run(""), run("--roi 70:120,0:224"));
    assert_eq!((&all["map"].shape[..], &part["map"].shape[..]), (&[5, 5][..], &[2, 5][..]));
    let rows = part["starts_0"].i64();
    // Centres at 32 + start: 72 and 112 lie in the box.
    assert_eq!((rows.as_slice(), part["starts_1"].i64()), (&[40, 80][..], all["starts_1"].i64()));
    assert_eq!(bits(&part["map"].f32()), bits(&all["map"].f32()[5..15]));
}

#[test]
fn standard_output_takes_the_map() {
    let shell = Shell::new();
    let output = shell.done(&format!("map {DEMO} {COFFEE} {QUICK} -q -o - -o [TMP]/m.json"));
    let (printed, written) = (json(&output.stdout), json(&shell.read("m.json")));
    assert_eq!(printed["schema"], "occlude.map/1");
    assert_eq!(printed, written);
    assert!(output.stderr.is_empty(), "{}", shell.said(&output));
}

#[test]
fn programs_get_json_lines_and_nothing_else() {
    let shell = Shell::new();
    let output = shell.done(&format!("map {DEMO} {COFFEE} examples/images/chelsea.jpg {QUICK} -q --json"));
    let text = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<serde_json::Value> = text.lines().map(|line| json(line.as_bytes())).collect();
    let inputs: Vec<&str> = lines.iter().map(|line| line["input"].as_str().unwrap()).collect();
    assert_eq!(inputs, [COFFEE, "examples/images/chelsea.jpg"]);
    assert!(output.stderr.is_empty());

    let inspect = json(&shell.done(&format!("inspect {DEMO} --json")).stdout);
    assert_eq!(inspect["schema"], "occlude.inspect/1");
    let plan = json(&shell.done(&format!("plan {DEMO} {COFFEE} {QUICK} --json")).stdout);
    assert_eq!((&plan["schema"], &plan["windows"]), (&"occlude.plan/1".into(), &9.into()));
    assert_eq!(plan["macs_per_full_run"], inspect["macs"]);
}

#[test]
fn several_inputs_write_several_outputs() {
    let shell = Shell::new();
    let inputs = format!("{COFFEE} examples/images/rocket.jpg");
    shell.done(&format!("map {DEMO} {inputs} {QUICK} -q -o [TMP]/maps/ -o [TMP]/{{stem}}.map.npy"));
    assert_eq!(shell.files(), ["coffee.map.npy", "maps", "rocket.map.npy"]);
    assert!(shell.path("maps/coffee.html").exists() && shell.path("maps/rocket.html").exists());
    assert!(shell.read("coffee.map.npy") != shell.read("rocket.map.npy"));
}

/// The command that the map says it was made with makes the same map.
#[test]
fn the_command_in_the_file_makes_the_map_again() {
    let shell = Shell::new();
    shell.done(&format!(
        "map {DEMO} {COFFEE} {QUICK} --fill rgb:9,9,9 --score margin -q -o [TMP]/m.json -o [TMP]/m.npy"
    ));
    let command = json(&shell.read("m.json"))["provenance"]["command"].as_str().unwrap().to_string();
    let again = command.strip_prefix("occlude ").unwrap();
    shell.done(&format!("{again} -q -o [TMP]/again.npy"));
    assert!(shell.read("again.npy") == shell.read("m.npy"), "{command}");
}

#[test]
fn windows_with_a_channel_axis_give_it_to_every_array() {
    let shell = Shell::new();
    shell.done(&format!("map {DEMO} {COFFEE} --window 1x112x112 --stride 1x56x56 -q -o [TMP]/m.npz"));
    let arrays = npz(&shell.read("m.npz"));
    assert_eq!(
        (&arrays["map"].shape[..], &arrays["attribution"].shape[..]),
        (&[3, 3, 3][..], &[3, 224, 224][..])
    );
    assert_eq!((arrays["starts_0"].i64(), arrays["window"].i64()), (vec![0, 1, 2], vec![1, 112, 112]));
}
