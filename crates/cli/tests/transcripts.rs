//! What the program says, word for word: help, runs, and every kind of bad input, against the goldens in `transcripts/`.
//!
//! Each test is a table of names and command lines; every row that differs is reported. The last test holds the folder against the tables, so that no
//! golden is left behind.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use support::arrays::{json, npy};
use support::{COFFEE, DEMO, QUICK, Shell, compare};

const PARTS: &str = "examples/images/parts.csv";
const SMALL: &str = "tests/corpus/ops/small_cnn_softmax.onnx";
const VOLUMES: &str = "tests/volumes";
const CT: &str = "tests/volumes/ct_lps.nii.gz";
/// Windows that tile a small input.
const GRID: &str = "--window 4 --stride 4 --fill 0.25 --threads 2";

/// The tables, by name of the transcript.
type Table = Vec<(String, String)>;

fn named(prefix: &str, rows: &[(&str, String)]) -> Table {
    rows.iter().map(|(name, line)| (format!("{prefix}{name}"), line.clone())).collect()
}

fn check(shell: &Shell, table: Table) {
    compare(&table.into_iter().map(|(name, line)| (name, shell.transcript(&line))).collect::<Vec<_>>());
}

fn help() -> Table {
    let page = |name: &str, line: &str| (name.to_string(), line.to_string());
    vec![
        page("version", "--version"),
        page("help", "--help"),
        page("help_map", "map --help"),
        page("help_inspect", "inspect --help"),
        page("help_plan", "plan --help"),
        page("help_judge", "judge --help"),
        page("help_serve", "serve --help"),
        page("help_verify", "verify --help"),
        page("help_zeiler", "zeiler --help"),
        page("help_correspondence", "correspondence --help"),
        page("help_compare", "compare --help"),
        page("help_completions", "completions --help"),
    ]
}

#[test]
fn help_of_every_command() {
    check(&Shell::new(), help());
}

fn runs() -> Table {
    let demo = |flags: &str| format!("map {DEMO} {COFFEE} {QUICK} --threads 2 {flags}");
    let small = "tests/corpus/ops/small_cnn_softmax.onnx";
    named(
        "",
        &[
            ("map", demo("-o [TMP]/map.html -o [TMP]/map.png")),
            ("map_into_folder", demo("-o [TMP]/maps/")),
            ("map_without_output", demo("--fill 0.5")),
            ("map_quiet", demo("-q -o [TMP]/quiet.npy")),
            ("map_node", demo("--target node:/_conv_head/Conv_output_0:channel=7")),
            ("map_named_classes", demo("--target espresso,~968,~soup~bowl --score log-odds")),
            (
                "map_top3_logit",
                format!(
                    "map {DEMO} examples/images/chelsea.jpg {QUICK} --threads 2 --target top3 --score logit"
                ),
            ),
            ("map_all_classes", demo("--target all")),
            ("map_independent_classes", demo("--classes independent")),
            (
                "map_segment",
                format!("map tests/targets/segment.onnx [TMP]/seg.npy {GRID} --target segment:top1,segment:2"),
            ),
            (
                "map_detect",
                format!(
                    "map tests/targets/detect_columns.onnx [TMP]/seg.npy {GRID} --boxes cxcywh --target detect:top,detect:1@2/2/9/9"
                ),
            ),
            (
                "map_element",
                format!("map tests/targets/heads.onnx [TMP]/heads.npy {GRID} --target output:age,output:pose_out[1/2]"),
            ),
            ("map_roi", demo("--roi 0:60,0:224")),
            ("map_preset", format!("map {DEMO} {COFFEE} --preset monai-1 --window 112 --threads 2 -o [TMP]/map.npz")),
            ("map_several_sizes", format!("map {DEMO} {COFFEE} --window 112,64 --stride 112,80 --threads 2 -o [TMP]/sizes.png")),
            ("map_regions", format!("map {DEMO} {COFFEE} --regions [TMP]/labels.npy --region-names [TMP]/names.csv --threads 2 -o [TMP]/regions.html")),
            ("map_volume", format!("map {VOLUMES}/linear.onnx {CT} --preprocess orient=RAS,spacing=1.2x1.2x1.7,range=-200:300,pad-or-crop=input --window 5mm --fill zero --threads 2 -o [TMP]/map.nii.gz")),
            ("map_brain", format!("map {VOLUMES}/conv3d.onnx {VOLUMES}/mni152_4mm.nii.gz --window 12 --stride 12 --target 1 --threads 2")),
            ("plan_brain", format!("plan {VOLUMES}/conv3d.onnx {VOLUMES}/mni152_4mm.nii.gz --window 12 --stride 12 --target 1 --threads 2")),
            ("map_organs", format!("map {VOLUMES}/conv3d.onnx {CT} --regions {VOLUMES}/organs.nii.gz --region-names {VOLUMES}/organs.csv --threads 2 -o [TMP]/organs.csv")),
            ("map_slice", format!("map {VOLUMES}/conv2d.onnx {CT} --preprocess resize=11x9,crop=no,window=400/40 --slice axial:3 --window 4 --threads 2 -o [TMP]/slice.nii")),
            ("map_all_slices", format!("map {VOLUMES}/conv2d.onnx {CT} --preprocess resize=11x9,crop=no,window=400/40 --slice axial --target 2 --window 4 --threads 2 -o [TMP]/slices.nii.gz")),
            ("map_dicom", format!("map {VOLUMES}/conv3d.onnx {VOLUMES}/dicom --preprocess window=1000/0 --window 3 --threads 2 -q -o [TMP]/series.nii.gz")),
            ("map_signal", format!("map {VOLUMES}/conv1d.onnx {VOLUMES}/ecg.csv --window 40 --threads 2 -o [TMP]/beat.png")),
            ("map_masks", format!("map {DEMO} {COFFEE} --preset rise --masks 12 --threads 2 -o [TMP]/rise.png")),
            ("map_noise", demo("--fill noise --samples 2")),
            ("map_two_inputs", "map tests/conformance/conv.onnx [TMP]/a.npy --with x2=[TMP]/b.npy --hide x,x2 --window 2 --stride 1 --target 0 --threads 2".to_string()),
            ("plan_mindspore", format!("plan {DEMO} {COFFEE} --preset mindspore --threads 2")),
            ("plan_masks", format!("plan {DEMO} {COFFEE} --masks 100 --threads 2")),
            ("map_gather", demo("--engine gather --fill patch-mean")),
            (
                "map_tensor",
                format!("map {small} [TMP]/x.npy --window 7 --stride 7 --border drop --threads 2"),
            ),
            ("map_some_inputs_bad", demo("[TMP]/text.jpg nowhere.jpg -o [TMP]/{stem}.npy")),
            ("map_all_inputs_bad", format!("map {DEMO} [TMP]/text.jpg nowhere.jpg {QUICK}")),
            (
                "zeiler",
                format!(
                    "zeiler {DEMO} {COFFEE} {QUICK} --threads 2 -o [TMP]/zeiler.html -o [TMP]/zeiler.png"
                ),
            ),
            (
                "zeiler_layer",
                format!(
                    "zeiler {DEMO} {COFFEE} {QUICK} --threads 2 --layer /_swish/Clip_output_0 --class cup --strongest max"
                ),
            ),
            ("correspondence", format!("correspondence {DEMO} {PARTS} --threads 2 -o [TMP]/parts.json")),
            (
                "correspondence_layers",
                format!(
                    "correspondence {DEMO} {PARTS} -q --layer /_swish/Clip_output_0 --layer logits --fill zero --seed 3"
                ),
            ),
            ("inspect", format!("inspect {DEMO}")),
            ("inspect_nodes", format!("inspect -v {small}")),
            ("inspect_slow_nodes", "inspect tests/corpus/ops/rare_einsum_channels.onnx".to_string()),
            ("plan", format!("plan {DEMO} {COFFEE} {QUICK} --threads 2 --roi 0:112,0:224")),
            (
                "map_channels",
                format!("map {DEMO} {COFFEE} --window 1x112x112 --stride 1x112x112 --threads 2"),
            ),
            ("verify", format!("verify {DEMO} {COFFEE} {QUICK} --threads 2 -o [TMP]/new/both.npz")),
            ("verify_gather", format!("verify {DEMO} {COFFEE} {QUICK} --threads 2 --engine gather -q")),
            ("judge", format!("judge {DEMO} {COFFEE} --object 10:230,170:420 --threads 2 -o [TMP]/judged.html")),
            (
                "judge_mask",
                format!(
                    "judge {DEMO} {COFFEE} {QUICK} --object-mask [TMP]/labels.npy --target top1,cup --elsewhere 2 --threads 2 -q"
                ),
            ),
            (
                "judge_elements",
                format!(
                    "judge {DEMO} {COFFEE} {QUICK} --object 0:224,0:20 --object 200:224,0:224 --elements --elsewhere 0 --score logit --fill inpaint --threads 2 -q"
                ),
            ),
            (
                "plan_channels",
                format!("plan {DEMO} {COFFEE} --window 1x112x112 --stride 1x56x56 --threads 2"),
            ),
        ],
    )
}

#[test]
fn runs_of_every_command() {
    let shell = Shell::new();
    shell.write("text.jpg", b"this is no picture");
    let labels: Vec<f32> = (0..224 * 224)
        .map(|i| f32::from(u8::from(i / 224 > 60)) * (1.0 + f32::from(u8::from(i % 224 > 112))))
        .collect();
    shell.write("labels.npy", &npy("224, 224", &labels));
    shell.write("names.csv", b"label,name\n1,left\n2,right\n");
    shell.write("a.npy", &npy("1, 4, 4", &(0..16).map(|i| i as f32).collect::<Vec<_>>()));
    shell.write("b.npy", &npy("1, 4, 4", &[3.0; 16]));
    let values: Vec<f32> = (0..3 * 21 * 17).map(|i| ((i * 37 % 101) as f32 - 50.0) / 30.0).collect();
    shell.write("x.npy", &npy("3, 21, 17", &values));
    shell.write("seg.npy", &npy("3, 16, 20", &values[..3 * 16 * 20]));
    shell.write("heads.npy", &npy("1, 12, 12", &values[..144]));
    check(&shell, runs());
}

#[test]
fn completions_of_every_shell() {
    let shell = Shell::new();
    let starts = [
        ("bash", "_occlude() {"),
        ("zsh", "#compdef occlude"),
        ("fish", "# Print an optspec"),
        ("powershell", "\nusing namespace System.Management.Automation"),
        ("elvish", "\nuse builtin;"),
    ];
    for (name, start) in starts {
        let output = shell.done(&format!("completions {name}"));
        let script = String::from_utf8(output.stdout).unwrap();
        assert!(script.starts_with(start), "{name}: {}", &script[..script.len().min(200)]);
        for word in ["inspect", "verify", "memory-limit", "ort-library"] {
            assert!(script.contains(word), "{name} does not complete {word}");
        }
        assert!(output.stderr.is_empty());
    }
}

fn bad_models() -> Table {
    let corpus = [
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
    let mut rows: Vec<(&str, String)> =
        corpus.iter().map(|&file| (file, format!("inspect tests/corpus/bad/{file}.onnx"))).collect();
    rows.push(("missing", format!("map nowhere.onnx {COFFEE}")));
    rows.push(("empty_folder", "inspect [TMP]/empty".to_string()));
    rows.push(("broken_config", "inspect [TMP]/broken".to_string()));
    rows.push(("picture", format!("map {COFFEE} {DEMO}")));
    named("bad_model_", &rows)
}

#[test]
fn models_that_are_refused() {
    let shell = Shell::new();
    std::fs::create_dir(shell.path("empty")).unwrap();
    std::fs::create_dir(shell.path("broken")).unwrap();
    std::fs::copy(
        support::root().join("tests/corpus/ops/small_cnn_opset13.onnx"),
        shell.path("broken/model.onnx"),
    )
    .unwrap();
    shell.write("broken/config.json", b"{\"id2label\": {\"0\": \"cat\",}}");
    check(&shell, bad_models());
}

fn bad_inputs() -> Table {
    let input = |name: &str| format!("map {DEMO} {name} {QUICK} --threads 2");
    named(
        "bad_input_",
        &[
            ("missing", input("nowhere.jpg")),
            ("rank", input("[TMP]/rank.npy")),
            ("size", input("[TMP]/size.npy")),
            ("nan", input("[TMP]/nan.npy")),
            ("infinity", input("[TMP]/infinity.npy")),
            ("npy_truncated", input("[TMP]/short.npy")),
            ("huge", input("[TMP]/huge.png")),
            ("empty", input("[TMP]/empty.png")),
            ("no_picture", input("[TMP]/text.jpg")),
            ("truncated", input("[TMP]/cut.jpg")),
            ("folder", input("[TMP]")),
            ("frames", format!("map {VOLUMES}/conv3d.onnx {VOLUMES}/series.nii.gz")),
            ("volume_size", format!("map {VOLUMES}/linear.onnx {CT}")),
            ("volume_truncated", format!("map {VOLUMES}/conv3d.onnx [TMP]/cut.nii.gz")),
            (
                "volume_too_large",
                format!("map {VOLUMES}/conv3d.onnx {CT} --preprocess resize=90000x90000x90000"),
            ),
            ("volume_for_pictures", format!("map {VOLUMES}/conv2d.onnx {CT}")),
        ],
    )
}

/// A PNG whose header claims 100,000 x 100,000 pixels.
fn huge_png() -> Vec<u8> {
    let chunk = |name: &[u8; 4], data: &[u8]| {
        let body = [name, data].concat();
        [&(data.len() as u32).to_be_bytes()[..], &body, &crc32fast::hash(&body).to_be_bytes()].concat()
    };
    let side = 100_000u32.to_be_bytes();
    let header = [&side[..], &side, &[8, 2, 0, 0, 0]].concat();
    [b"\x89PNG\r\n\x1a\n".to_vec(), chunk(b"IHDR", &header), chunk(b"IDAT", &[])].concat()
}

#[test]
fn inputs_that_are_refused() {
    let shell = Shell::new();
    shell.write("rank.npy", &npy("224, 224", &[0.0; 224 * 224]));
    shell.write("size.npy", &npy("3, 100, 224", &[0.0; 3 * 100 * 224]));
    let mut values = vec![0.0; 3 * 224 * 224];
    shell.write("short.npy", &npy("3, 224, 224", &values[1..]));
    values[224 * 224 + 3 * 224 + 5] = f32::INFINITY;
    shell.write("infinity.npy", &npy("3, 224, 224", &values));
    values[224 * 224 + 3 * 224 + 5] = f32::NAN;
    shell.write("nan.npy", &npy("3, 224, 224", &values));
    shell.write("huge.png", &huge_png());
    shell.write("empty.png", b"");
    shell.write("text.jpg", b"this is no picture");
    let jpeg = std::fs::read(support::root().join(COFFEE)).unwrap();
    shell.write("cut.jpg", &jpeg[..1000]);
    let scan = std::fs::read(support::root().join(CT)).unwrap();
    shell.write("cut.nii.gz", &scan[..300]);
    check(&shell, bad_inputs());
}

fn bad_arguments() -> Table {
    let flags = |flags: &str| format!("map {DEMO} {COFFEE} {flags}");
    let judge = |flags: &str| format!("judge {DEMO} {COFFEE} {flags}");
    named(
        "bad_argument_",
        &[
            ("class", flags("--target expresso")),
            ("class_index", flags("--target 1000")),
            ("slice", format!("map {VOLUMES}/conv2d.onnx {CT} --slice axle:3")),
            ("slice_number", format!("map {VOLUMES}/conv2d.onnx {CT} --slice sagittal:9")),
            ("slices_as_page", format!("map {VOLUMES}/conv2d.onnx {CT} --slice axial -o [TMP]/x.html")),
            ("step", format!("map {VOLUMES}/conv3d.onnx {CT} --preprocess spacing=1x2")),
            ("millimetres", flags("--window 12mm")),
            ("volume_of_picture", flags("--window 112 --stride 112 -o [TMP]/x.nii.gz")),
            ("table_of_windows", flags("--window 112 --stride 112 -o [TMP]/x.csv")),
            ("node", flags("--target node:/_conv_head/Conv_output")),
            ("class_too_many", flags("--target top1001")),
            ("node_how", flags("--target node:/_conv_head/Conv_output_0:median")),
            ("node_channel", flags("--target node:/_conv_head/Conv_output_0:channel=1280")),
            ("window", flags("--window 225")),
            ("window_zero", flags("--window 0")),
            ("window_text", flags("--window big")),
            ("window_axes", flags("--window 1x2x3x4")),
            ("stride_zero", flags("--stride 0")),
            ("stride_negative", flags("--stride -1")),
            ("fill", flags("--fill men")),
            ("fill_inpaint", flags("--fill inpaint:0")),
            ("preset", flags("--preset captm")),
            ("preset_window", flags("--preset captum")),
            ("preset_padded", flags("--preset kazuto1011")),
            ("preset_cell", flags("--preset monai-0.9 --window 15 --stride 6")),
            ("samples", flags("--samples 4")),
            ("masks", flags("--masks 4000:7:half")),
            ("masks_window", flags("--masks 100 --window 16")),
            ("masks_regions", flags("--masks 100 --regions [TMP]/labels.npy")),
            ("region_names_alone", flags("--region-names [TMP]/names.csv")),
            ("target_twice", flags("--target espresso,top2,967")),
            ("regions", flags("--regions nowhere.png")),
            ("regions_size", flags("--regions [TMP]/labels.npy")),
            ("regions_colours", flags("--regions examples/images/coffee.jpg")),
            ("with", flags("--with image")),
            ("with_twice", flags("--with image=[TMP]/labels.npy")),
            ("with_unknown", flags("--with depth=[TMP]/labels.npy")),
            ("hide", flags("--hide depth")),
            ("second_input_missing", "map tests/conformance/conv.onnx [TMP]/four.npy".to_string()),
            ("fill_numbers", flags("--fill 1,2")),
            ("fill_image", flags("--fill image:nowhere.jpg")),
            ("border", flags("--border wrap")),
            ("score", flags("--score p")),
            ("classes", flags("--classes some")),
            ("classes_softmax", format!("map {} [TMP]/x.npy --classes independent", "tests/corpus/ops/small_cnn_softmax.onnx")),
            ("target_element", flags("--target output:logits")),
            ("target_element_text", flags("--target output:logits[1/-2]")),
            ("target_segment", flags("--target segment:1")),
            ("target_segment_two", "map tests/targets/segment_two.onnx [TMP]/seg.npy --target segment:1".to_string()),
            ("target_detect", flags("--target detect:top")),
            ("target_detect_box", flags("--target detect:cat@9/9/3/3")),
            ("target_detect_form", "map tests/targets/detect_pair.onnx [TMP]/seg.npy --target detect:top".to_string()),
            ("target_detect_logits", "map tests/targets/detect_rows.onnx [TMP]/seg.npy --target detect:0 --boxes cxcywh,objectness=yes".to_string()),
            ("target_detect_nowhere", "map tests/targets/detect_pair.onnx [TMP]/seg.npy --target detect:0@50/50/60/60 --boxes xyxy".to_string()),
            ("boxes", flags("--boxes xyzw")),
            ("judge_nothing", judge("")),
            ("judge_both", judge("--object 0:9,0:9 --object-mask [TMP]/labels.npy")),
            ("judge_box_text", judge("--object 10-230,170-420")),
            ("judge_box_axes", judge("--object 10:230")),
            ("judge_box_empty", judge("--object 10:10,170:420")),
            ("judge_box_outside", judge("--object 0:400,0:90")),
            ("judge_box_elements", judge("--object 0:230,0:90 --elements")),
            ("judge_box_whole", judge("--object 0:400,0:600")),
            ("judge_mask_size", judge("--object-mask [TMP]/labels.npy")),
            ("judge_mask_colours", judge("--object-mask examples/images/coffee.jpg")),
            ("judge_thresholds", judge("--object 10:230,170:420 --object-from 0.2")),
            ("judge_elsewhere", judge("--object 10:230,170:420 --elsewhere -1")),
            ("roi", flags("--roi 300:400,0:10")),
            ("roi_text", flags("--roi left")),
            ("seed", flags("--seed x")),
            ("layout", flags("--layout chwn")),
            ("preprocess", flags("--preprocess resise=256")),
            ("threads", flags("--threads 0")),
            ("memory", flags("--memory-limit 50M")),
            ("memory_text", flags("--memory-limit lots")),
            ("engine", flags("--engine fast")),
            ("approximate", flags("--approximate 2")),
            ("runtime", flags("--runtime onnx")),
            ("runtime_library", flags("--runtime ort --ort-library /nowhere/libonnxruntime.so")),
            ("ending", flags("-o [TMP]/map.gif")),
            ("no_ending", flags("-o [TMP]/map")),
            ("unwritable", flags("-o [TMP]/file.txt/map.png")),
            ("unwritable_deeper", flags("-o [TMP]/file.txt/maps/map.png")),
            ("same_output_twice", flags("-o [TMP]/map.png -o [TMP]/map.png")),
            ("one_output_for_two", flags(&format!("{COFFEE} -o [TMP]/map.png"))),
            ("two_on_stdout", flags("--json -o -")),
            ("flag", flags("--windw 16")),
            ("verify_full", format!("verify {DEMO} {COFFEE} --engine full")),
            ("verify_ort", format!("verify {DEMO} {COFFEE} --runtime ort")),
            ("verify_picture", format!("verify {DEMO} {COFFEE} -o [TMP]/difference.png")),
            ("zeiler_layer", format!("zeiler {DEMO} {COFFEE} --layer /_swish_1/Clip_output")),
            ("zeiler_no_way_back", format!("zeiler {SMALL} [TMP]/x.npy --layer y0")),
            ("zeiler_class", format!("zeiler {DEMO} {COFFEE} {QUICK} --class expresso")),
            ("zeiler_strongest", format!("zeiler {DEMO} {COFFEE} --strongest mean")),
            ("zeiler_npy", format!("zeiler {DEMO} {COFFEE} -o [TMP]/panels.npy")),
            (
                "zeiler_volume",
                "zeiler tests/deconv/volume.onnx [TMP]/volume.npy -o [TMP]/panels.png".to_string(),
            ),
            ("zeiler_two_on_stdout", format!("zeiler {DEMO} {COFFEE} --json -o -")),
            ("correspondence_missing", format!("correspondence {DEMO} nowhere.csv")),
            ("correspondence_header", format!("correspondence {DEMO} [TMP]/header.csv")),
            ("correspondence_part_missing", format!("correspondence {DEMO} [TMP]/missing.csv")),
            ("correspondence_cropped", format!("correspondence {DEMO} [TMP]/cropped.csv")),
            ("correspondence_picture", format!("correspondence {DEMO} {PARTS} -o [TMP]/parts.png")),
            ("no_input", format!("map {DEMO}")),
            ("no_command", "mapp".to_string()),
            ("shell", "completions csh".to_string()),
        ],
    )
}

#[test]
fn arguments_that_are_refused() {
    let shell = Shell::new();
    shell.write("labels.npy", &npy("5, 5", &[1.0; 25]));
    shell.write("four.npy", &npy("1, 4, 4", &[1.0; 16]));
    shell.write("file.txt", b"");
    shell.write("header.csv", b"file,part,left,top,right,bottom\n");
    shell.write("missing.csv", b"file,part,x0,y0,x1,y1\na.jpg,eye,0,0,9,9\nb.jpg,nose,0,0,9,9\n");
    let images = support::root().join("examples/images").canonicalize().unwrap();
    for name in ["coffee.jpg", "chelsea.jpg"] {
        std::fs::copy(images.join(name), shell.path(name)).unwrap();
    }
    let cropped = b"file,part,x0,y0,x1,y1\nchelsea.jpg,eye,134,83,208,149\ncoffee.jpg,eye,0,0,20,20\n";
    shell.write("cropped.csv", cropped);
    let values: Vec<f32> = (0..3 * 21 * 17).map(|i| ((i * 37 % 101) as f32 - 50.0) / 30.0).collect();
    shell.write("x.npy", &npy("3, 21, 17", &values));
    shell.write("seg.npy", &npy("3, 16, 20", &values[..3 * 16 * 20]));
    shell.write("volume.npy", &npy("1, 9, 10, 11", &values[..990]));
    let before = shell.files();
    check(&shell, bad_arguments());
    assert_eq!(shell.files(), before, "a refused call leaves nothing behind");
}

const NAN_MODEL: &str = "crates/cli/tests/data/log_of_means.onnx";

fn not_finite() -> Table {
    // One thread, so that what was computed before is always the same.
    let nan = |flags: &str| format!("map {NAN_MODEL} {flags} --threads 1");
    named(
        "nan_",
        &[
            (
                "out_of_the_model",
                nan("[TMP]/x.npy --window 4 --stride 4 --fill zero --target 0 -o [TMP]/map.json"),
            ),
            ("without_output", nan("[TMP]/x.npy --window 4 --stride 4 --fill zero --target 0")),
            ("from_the_untouched_input", nan("[TMP]/dark.npy --window 4 --stride 4 --fill zero --target 0")),
        ],
    )
}

/// log(mean of the left half - 1/4) is NaN where hiding takes too much: the window is named, and what was computed before is kept.
#[test]
fn a_model_that_gives_nan() {
    let shell = Shell::new();
    // Bright only in the lower left quarter, whose window is not the first one.
    let bright = |place: usize| place % 8 < 4 && place / 8 >= 4;
    let values: Vec<f32> = (0..64).map(|place| if bright(place) { 0.9 } else { 0.1 }).collect();
    shell.write("x.npy", &npy("1, 8, 8", &values));
    shell.write("dark.npy", &npy("1, 8, 8", &[0.1; 64]));
    check(&shell, not_finite());
    let map = json(&shell.read("map.json"));
    assert_eq!((&map["complete"], &map["windows"]), (&false.into(), &4.into()));
    let kept = support::arrays::flat(&map["targets"][0]["sensitivity"]);
    // Hiding the upper left quarter takes 16 times 0.1 of the mean; the baseline is log(0.5 - 0.25).
    assert!((kept[0] - (0.25f32.ln() - 0.2f32.ln())).abs() < 1e-5, "{kept:?}");
    assert!(kept[2].is_nan(), "{kept:?}");
}

fn comparisons() -> Table {
    named(
        "compare_",
        &[
            ("same_map", "compare [TMP]/fine.npz [TMP]/fine.json".to_string()),
            (
                "other_target",
                "compare [TMP]/fine.json [TMP]/fine.json --target 1 --target-b 3 -o [TMP]/compared.json"
                    .to_string(),
            ),
            ("other_grid", "compare [TMP]/fine.npz [TMP]/coarse.npz --target 1".to_string()),
            ("saliency_map", "compare [TMP]/fine.json [TMP]/cam.npy --positive".to_string()),
            ("channels", "compare [TMP]/channels.npy [TMP]/cam.npy -q".to_string()),
            ("constant", "compare [TMP]/cam.npy [TMP]/flat.npy".to_string()),
            ("bad_ending", "compare [TMP]/fine.html [TMP]/fine.npz".to_string()),
            ("bad_missing", "compare nowhere.npz [TMP]/fine.npz".to_string()),
            ("bad_npz", "compare [TMP]/text.npz [TMP]/fine.npz".to_string()),
            ("bad_npz_of_another", "compare [TMP]/both.npz [TMP]/fine.npz".to_string()),
            ("bad_json", "compare [TMP]/other.json [TMP]/fine.npz".to_string()),
            ("bad_npy", "compare [TMP]/text.npy [TMP]/fine.npz".to_string()),
            ("bad_regions", "compare [TMP]/regions.json [TMP]/fine.npz".to_string()),
            ("bad_target", "compare [TMP]/fine.json [TMP]/coarse.json --target cat".to_string()),
            ("bad_target_index", "compare [TMP]/fine.npz [TMP]/coarse.npz --target 7".to_string()),
            ("bad_target_of_arrays", "compare [TMP]/cam.npy [TMP]/flat.npy --target 1".to_string()),
            ("bad_axes", "compare [TMP]/fine.npz [TMP]/signal.npy".to_string()),
            ("bad_output", "compare [TMP]/fine.npz [TMP]/coarse.npz -o [TMP]/compared.png".to_string()),
        ],
    )
}

#[test]
fn maps_are_compared() {
    let shell = Shell::new();
    let values: Vec<f32> = (0..3 * 21 * 17).map(|i| ((i * 37 % 101) as f32 - 50.0) / 30.0).collect();
    shell.write("x.npy", &npy("3, 21, 17", &values));
    let labels: Vec<f32> = (0..21 * 17).map(|i| f32::from(u8::from(i % 17 > 8)) + 1.0).collect();
    shell.write("labels.npy", &npy("21, 17", &labels));
    let map =
        |flags: &str| shell.done(&format!("map {SMALL} [TMP]/x.npy --fill 0.25 --threads 2 -q {flags}"));
    map("--window 4 --stride 1 --target all -o [TMP]/fine.npz -o [TMP]/fine.json");
    map("--window 5 --stride 3 --target all -o [TMP]/coarse.npz -o [TMP]/coarse.json");
    map("--regions [TMP]/labels.npy -o [TMP]/regions.json");
    shell.done(&format!("verify {SMALL} [TMP]/x.npy --window 7 --stride 7 -q -o [TMP]/both.npz"));
    shell.write("cam.npy", &npy("1, 7, 6", &(0..42).map(|i| (i * 5 % 23) as f32 / 4.0).collect::<Vec<_>>()));
    shell.write("channels.npy", &npy("3, 21, 17", &values));
    shell.write("flat.npy", &npy("7, 6", &[0.5; 42]));
    shell.write("signal.npy", &npy("9,", &values[..9]));
    shell.write("text.npz", b"this is no archive");
    shell.write("text.npy", b"this is no array");
    shell.write("other.json", b"{\"schema\": \"occlude.verify/1\"}");
    check(&shell, comparisons());
    let compared = json(&shell.read("compared.json"));
    assert_eq!((&compared["schema"], &compared["a"]["kind"]), (&"occlude.compare/1".into(), &"map".into()));
    assert_eq!((&compared["shape"], &compared["n"]), (&serde_json::json!([18, 14]), &252.into()));
    assert_eq!(compared["top"][1]["k"], 25);
}

#[test]
fn every_golden_belongs_to_a_row() {
    let tables = [help(), runs(), bad_models(), bad_inputs(), bad_arguments(), not_finite(), comparisons()];
    let mut rows: Vec<String> = tables.concat().into_iter().map(|(name, _)| format!("{name}.txt")).collect();
    rows.sort();
    let mut files: Vec<String> = std::fs::read_dir(support::goldens())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    files.sort();
    assert_eq!(files, rows);
}
