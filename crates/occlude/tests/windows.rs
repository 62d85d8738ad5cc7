//! Whole runs with windows beyond one grid of boxes: several sizes, regions, shapes, random masks, channels, several inputs, noise averaged, inpainting; each against its definition on a
//! model with a closed form, and on the incremental engine.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use std::path::Path;

use occlude::{
    BatchScorer, Cells, EngineChoice, Fill, GivenArray, Input, Job, Layout, Map, Masks, Meaning, Model,
    Outputs, RegionLabels, RegionNames, Scorer, Settings, Target, TensorSpec, Watch,
};

const SHAPE: [usize; 3] = [2, 6, 7];

fn spec() -> TensorSpec {
    TensorSpec::new("x", &SHAPE, Layout::ChannelsFirst)
}

fn values() -> Vec<f32> {
    (0..84).map(|i| ((i * 29) % 31) as f32 / 8.0 + 0.25).collect()
}

fn weight(element: usize) -> f64 {
    ((element * 17) % 13) as f64 / 4.0 - 1.5
}

/// Two outputs: sum(w x), and its negative.
fn linear() -> impl Scorer {
    BatchScorer::new(vec![spec()], 4, "linear", |x: &[&[f32]], count: usize| {
        let sum =
            |x: &[f32]| x.iter().enumerate().map(|(i, v)| weight(i) * f64::from(*v)).sum::<f64>() as f32;
        let values = x[0].chunks(x[0].len() / count).flat_map(|x| [sum(x), -sum(x)]).collect();
        Ok(Outputs { names: vec!["y".into()], shapes: vec![vec![1, 2]], values: vec![values] })
    })
}

fn run_input(scorer: &dyn Scorer, settings: &[(&str, &str)], input: &Input) -> occlude::Result<Map> {
    let mut all = Settings::default();
    for (name, value) in settings {
        all.set(name, value)?;
    }
    run_with(scorer, &all, input)
}

fn run_with(scorer: &dyn Scorer, settings: &Settings, input: &Input) -> occlude::Result<Map> {
    let job = Job {
        scorer,
        meaning: Meaning { class_output: Some(0), ..Meaning::default() },
        settings,
        read_image: None,
        model_file: occlude::FileFact::default(),
        load_secs: 0.0,
    };
    job.run(input, &mut Watch::default())
}

fn run(settings: &[(&str, &str)]) -> occlude::Result<Map> {
    run_input(&linear(), settings, &Input::from_tensor(spec(), values()).unwrap())
}

fn place(element: usize) -> (usize, usize) {
    (element % 42 / 7, element % 7)
}

/// The fall of the sum if so much of every place is replaced by `fill`.
fn fall(share: impl Fn(usize, usize) -> f64, fill: f64) -> f64 {
    let of = |i: usize| {
        let (r, c) = place(i);
        weight(i) * share(r, c) * (f64::from(values()[i]) - fill)
    };
    (0..84).map(of).sum()
}

fn near(got: f32, expected: f64) {
    assert!((f64::from(got) - expected).abs() < 1e-4, "{got}, expected {expected}");
}

#[test]
fn several_sizes_are_joined_by_the_mean_over_all_windows() {
    let map = run(&[("window", "2,3x4"), ("stride", "2,3"), ("fill", "0.5"), ("target", "0")]).unwrap();
    assert_eq!(map.windows.len(), 3 * 4 + 2 * 2);
    let view = map.view();
    assert_eq!((view.cells, view.grid.shape()), (Cells::Elements, vec![6, 7]));
    for at in 0..42 {
        let covering: Vec<f64> = (0..map.windows.len())
            .filter(|&w| {
                let bounds = map.windows.bounds(w);
                bounds[1].contains(&(at / 7)) && bounds[2].contains(&(at % 7))
            })
            .map(|w| f64::from(map.sensitivity_of(0)[w]))
            .collect();
        near(view.of(0)[at], covering.iter().sum::<f64>() / covering.len() as f64);
    }
}

#[test]
fn windows_that_are_no_grid_are_spread_where_a_grid_would_be_enlarged() {
    let settings = [("window", "2,3x4"), ("stride", "2,3"), ("fill", "0.5"), ("target", "0")];
    let plain = run(&settings).unwrap();
    let matlab = run(&[&settings[..], &[("upsample", "cubic")]].concat()).unwrap();
    assert_eq!(matlab.view().of(0), plain.view().of(0));
    assert_eq!(matlab.view().grid.shape(), [6, 7]);
}

#[test]
fn only_scores_say_which_class_is_the_most_probable_one() {
    let settings =
        |value| [("window", "3"), ("aggregate", "mean"), ("value", value), ("target", "all"), ("fill", "9")];
    let scores = run(&settings("score")).unwrap();
    let view = scores.view();
    let classes = view.most_probable.clone().unwrap();
    for (at, &class) in classes.iter().enumerate() {
        assert_eq!(class, i32::from(view.of(1)[at] > view.of(0)[at]));
    }
    assert!(classes.iter().any(|c| *c != classes[0]), "the class changes somewhere");
    // What is drawn are falls, but it says the same classes.
    assert_eq!(scores.drawn().most_probable.unwrap(), classes);
    assert!(run(&settings("sensitivity")).unwrap().view().most_probable.is_none());
}

#[test]
fn regions_are_hidden_one_by_one() {
    let folder = tempfile::tempdir().unwrap();
    let labels: Vec<i64> = (0..42).map(|i| [0, 4, 9][(i / 7 * 2 + i % 7) % 3]).collect();
    let path = folder.path().join("labels.npy");
    std::fs::write(&path, occlude::input::npy::encode(&[6, 7], &labels).unwrap()).unwrap();
    let names = folder.path().join("names.csv");
    std::fs::write(&names, "label,name\n9,liver\n").unwrap();
    let settings = [
        ("regions", path.to_str().unwrap()),
        ("region-names", names.to_str().unwrap()),
        ("fill", "0.5"),
        ("target", "0"),
    ];
    let map = run(&settings).unwrap();
    assert_eq!((map.windows.len(), map.windows.title(1)), (2, Some("liver".to_string())));
    for (window, label) in [(0, 4), (1, 9)] {
        near(
            map.sensitivity_of(0)[window],
            fall(|r, c| f64::from(u8::from(labels[r * 7 + c] == label)), 0.5),
        );
    }
    let view = map.view();
    for (at, label) in labels.iter().enumerate() {
        match label {
            0 => assert!(view.of(0)[at].is_nan()),
            4 => assert_eq!(view.of(0)[at], map.sensitivity_of(0)[0]),
            _ => assert_eq!(view.of(0)[at], map.sensitivity_of(0)[1]),
        }
    }
    let error = run(&[("regions", path.to_str().unwrap()), ("window", "2")]).unwrap_err();
    assert!(error.to_string().contains("regions have their own form"), "{error}");
    // A fill by the patch looks at the box around a region.
    assert!(
        run(&[("regions", path.to_str().unwrap()), ("fill", "inpaint"), ("target", "0")])
            .unwrap()
            .is_complete()
    );
}

/// What a map says of an argument.
fn argument<'a>(map: &'a Map, name: &str) -> &'a str {
    &map.provenance.arguments.iter().find(|(n, _)| n == name).unwrap().1
}

#[test]
fn labels_and_names_in_memory_are_as_good_as_in_files() {
    let folder = tempfile::tempdir().unwrap();
    // Of the source's size: twice the input's places, so that both go the way of the picture.
    let labels: Vec<i64> =
        (0..168).map(|i| [0, 4, 9, 16_777_215][(i / 14 / 2 * 2 + i % 14 / 2) % 4]).collect();
    let path = folder.path().join("labels.npy");
    std::fs::write(&path, occlude::input::npy::encode(&[12, 14], &labels).unwrap()).unwrap();
    let names = folder.path().join("names.csv");
    std::fs::write(&names, "label,name\n9,liver\n").unwrap();
    let mut input = Input::from_tensor(spec(), values()).unwrap();
    input.geometry = occlude::Geometry::identity(&[12, 14]);
    input.geometry.resize(&[6, 7]);
    let mut settings = Settings { fill: Some(Fill::Value(vec![0.5])), ..Settings::default() };
    settings.set("regions", path.to_str().unwrap()).unwrap();
    settings.set("region-names", names.to_str().unwrap()).unwrap();
    let by_file = run_with(&linear(), &settings, &input).unwrap();
    let given = |shape: &[usize], labels: &[i64]| Settings {
        regions: Some(RegionLabels::Given(GivenArray::labels(shape, labels).unwrap())),
        region_names: Some(RegionNames::Given([(9, "liver".to_string())].into())),
        ..settings.clone()
    };
    let in_memory = run_with(&linear(), &given(&[12, 14], &labels), &input).unwrap();
    assert_eq!(in_memory.windows, by_file.windows);
    assert_eq!((in_memory.windows.len(), in_memory.windows.title(1)), (3, Some("liver".to_string())));
    assert_eq!(in_memory.scores, by_file.scores);
    assert!(argument(&in_memory, "regions").starts_with("array [12, 14], sha256 "));
    assert_eq!(argument(&in_memory, "region-names"), r#"{"9":"liver"}"#);
    for (shape, labels, expected) in [
        (
            &[3, 14][..],
            &labels[..42],
            "the array given has labels of size [3, 14], the input has [6, 7] places, its source [12, 14]",
        ),
        (
            &[6, 7],
            &[-1; 42],
            "the array given has the label -1 (element 0), expected whole numbers from 0 to 16777215",
        ),
        (&[6, 7], &[16_777_216; 42], "the array given has the label 16777216"),
        (&[6, 7], &[0; 42], "the array given: the label image has no region"),
    ] {
        let error = run_with(&linear(), &given(shape, labels), &input).unwrap_err();
        assert!(error.to_string().starts_with(expected), "{error}");
        assert_eq!(error.kind(), occlude::ErrorKind::Argument);
    }
}

#[test]
fn masks_in_memory_are_as_good_as_in_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let kept: Vec<f32> = (0..210).map(|i| (i % 7) as f32 / 6.0).collect();
    let path = folder.path().join("masks.npy");
    std::fs::write(&path, occlude::input::npy::encode(&[5, 1, 6, 7], &kept).unwrap()).unwrap();
    let mut settings = Settings { fill: Some(Fill::Zero), ..Settings::default() };
    settings.set("masks", path.to_str().unwrap()).unwrap();
    let input = Input::from_tensor(spec(), values()).unwrap();
    let by_file = run_with(&linear(), &settings, &input).unwrap();
    let given = |shape: &[usize], kept: &[f32]| Settings {
        masks: Some(Masks::Given(GivenArray::masks(shape, kept).unwrap())),
        ..settings.clone()
    };
    for shape in [&[5, 1, 6, 7][..], &[5, 6, 7]] {
        let in_memory = run_with(&linear(), &given(shape, &kept), &input).unwrap();
        assert_eq!((&in_memory.windows, &in_memory.scores), (&by_file.windows, &by_file.scores));
        assert!(
            argument(&in_memory, "masks")
                .starts_with(&format!("array {}, sha256", occlude::shape_text(shape)))
        );
    }
    for (shape, kept, expected) in [
        (&[5, 42][..], &kept[..], "the array given holds masks of shape [5, 42], expected [N, 6, 7]"),
        (&[0, 6, 7], &[], "the array given holds no masks"),
        (&[1, 6, 7], &[1.5; 42], "mask 0 of the array given has the value 1.5 at place 0"),
        (&[1, 6, 7], &[f32::NAN; 42], "mask 0 of the array given has the value NaN"),
        (&[1, 6, 7], &[0.0; 42], "the array given: random masks keep an element with probability 0"),
    ] {
        let error = run_with(&linear(), &given(shape, kept), &input).unwrap_err();
        assert!(error.to_string().starts_with(expected), "{error}");
    }
}

#[test]
fn only_one_thing_says_what_is_hidden() {
    let mut settings = Settings {
        regions: Some(RegionLabels::Given(GivenArray::labels(&[6, 7], vec![1; 42]).unwrap())),
        ..Settings::default()
    };
    let input = Input::from_tensor(spec(), values()).unwrap();
    assert!(run_with(&linear(), &settings, &input).is_ok());
    settings.set("masks", "10").unwrap();
    let error = run_with(&linear(), &settings, &input).unwrap_err();
    assert_eq!(error.kind(), occlude::ErrorKind::Argument);
    assert!(error.to_string().starts_with("regions and random masks both say"), "{error}");
    settings.preset = Some(occlude::Preset::Rise);
    let error = run_with(&linear(), &settings, &input).unwrap_err();
    assert!(error.to_string().contains("masks (of the preset rise)"), "{error}");
    let names = RegionNames::Given([(1, "all".to_string())].into());
    let settings = Settings { region_names: Some(names), ..Settings::default() };
    let error = run_with(&linear(), &settings, &input).unwrap_err();
    assert!(error.to_string().contains("and no regions"), "{error}");
}

#[test]
fn a_list_of_one_target_keeps_its_axis_and_an_empty_one_is_refused() {
    let input = Input::from_tensor(spec(), values()).unwrap();
    let with = |target| {
        let settings = Settings { target, ..Settings::default() };
        run_with(&linear(), &settings, &input)
    };
    let one = with(Target::Class(1)).unwrap();
    let listed = with(Target::List(vec![Target::Class(1)])).unwrap();
    assert!(!one.has_target_axis() && listed.has_target_axis());
    assert_eq!(listed.view().shape(), [&[1][..], &one.view().shape()].concat());
    assert_eq!(listed.sensitivity, one.sensitivity);
    let error = with(Target::List(Vec::new())).unwrap_err();
    assert_eq!(error.kind(), occlude::ErrorKind::Argument);
    let error = with(Target::List(vec![Target::Class(1), Target::Class(1)])).unwrap_err();
    assert_eq!(error.to_string(), "target 1 is given twice");
}

#[test]
fn shapes_hide_their_part_of_the_box() {
    for shape in ["ellipse", "soft", "gaussian"] {
        let map =
            run(&[("window", "5x4"), ("stride", "1x3"), ("shape", shape), ("fill", "-1"), ("target", "0")])
                .unwrap();
        let share = match shape {
            "ellipse" => occlude::Shape::Ellipse,
            "soft" => occlude::Shape::Soft,
            _ => occlude::Shape::Gaussian,
        }
        .weights(&[5, 4])
        .unwrap();
        for window in 0..map.windows.len() {
            let bounds = map.windows.bounds(window);
            let expected = fall(
                |r, c| {
                    let inside = bounds[1].contains(&r) && bounds[2].contains(&c);
                    if inside {
                        f64::from(share[(r - bounds[1].start) * 4 + c - bounds[2].start])
                    } else {
                        0.0
                    }
                },
                -1.0,
            );
            near(map.sensitivity_of(0)[window], expected);
        }
    }
}

#[test]
fn a_fill_may_be_a_tensor() {
    let fill: Vec<f32> = (0..84).map(|i| (i % 5) as f32 - 2.0).collect();
    let scorer = linear();
    let settings = Settings {
        fill: Some(Fill::Tensor(fill.clone())),
        window: Some(vec![vec![3, 2]]),
        target: occlude::Target::Class(0),
        ..Settings::default()
    };
    let job = |settings| Job {
        scorer: &scorer,
        meaning: Meaning { class_output: Some(0), ..Meaning::default() },
        settings,
        read_image: None,
        model_file: occlude::FileFact::default(),
        load_secs: 0.0,
    };
    let input = Input::from_tensor(spec(), values()).unwrap();
    let map = job(&settings).run(&input, &mut Watch::default()).unwrap();
    for window in 0..map.windows.len() {
        let bounds = map.windows.bounds(window);
        let hidden = (0..84).filter(|&i| {
            let (r, c) = place(i);
            bounds[1].contains(&r) && bounds[2].contains(&c)
        });
        near(map.sensitivity[window], hidden.map(|i| weight(i) * f64::from(values()[i] - fill[i])).sum());
    }
    let short = Settings { fill: Some(Fill::Tensor(vec![0.0; 3])), ..settings.clone() };
    let error = job(&short).run(&input, &mut Watch::default()).unwrap_err();
    assert!(error.to_string().contains("tensor of 3 values"), "{error}");
    let mut holes = fill;
    holes[43] = f32::INFINITY;
    let holes = Settings { fill: Some(Fill::Tensor(holes)), ..settings.clone() };
    let error = job(&holes).run(&input, &mut Watch::default()).unwrap_err();
    assert_eq!(error.to_string(), "the fill holds infinity at [1, 0, 1], expected finite numbers");
    let nothing = TensorSpec::new("x", &[2, 0, 7], Layout::ChannelsFirst);
    let error = Input::from_tensor(nothing, Vec::new()).err().unwrap();
    assert!(error.to_string().ends_with("has no elements"), "{error}");
}

#[test]
fn channels_one_at_a_time() {
    let map = run(&[("window", "2"), ("channels", "each"), ("fill", "0"), ("target", "0")]).unwrap();
    assert_eq!(map.windows.shape(), [2, 5, 6]);
    for window in 0..map.windows.len() {
        let bounds = map.windows.bounds(window);
        let hidden = (0..84).filter(|&i| {
            let (r, c) = place(i);
            bounds[0].contains(&(i / 42)) && bounds[1].contains(&r) && bounds[2].contains(&c)
        });
        near(map.sensitivity_of(0)[window], hidden.map(|i| weight(i) * f64::from(values()[i])).sum());
    }
}

#[test]
fn rise_is_the_published_estimator_with_the_same_masks() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("masks.npy");
    let masks: Vec<f32> = (0..30 * 42).map(|i| ((i * 53) % 11) as f32 / 10.0).collect();
    std::fs::write(&path, occlude::input::npy::encode(&[30, 6, 7], &masks).unwrap()).unwrap();
    let map =
        run(&[("preset", "rise"), ("masks", path.to_str().unwrap()), ("score", "raw"), ("target", "all")])
            .unwrap();
    // rise.py: saliency = sum(p mask) / N / p1, with p the model on the picture times the mask.
    let p1 = masks.iter().map(|m| f64::from(*m)).sum::<f64>() / masks.len() as f64;
    let score = |mask: &[f32]| -> f64 {
        (0..84).map(|i| weight(i) * f64::from(values()[i]) * f64::from(mask[i % 42])).sum()
    };
    let view = map.view();
    for at in 0..42 {
        let sum: f64 = masks.chunks(42).map(|mask| score(mask) * f64::from(mask[at])).sum();
        near(view.of(0)[at], sum / 30.0 / p1);
        near(view.of(1)[at], -sum / 30.0 / p1);
    }
    // Without the preset the estimate is that of scores too.
    let alone = run(&[("masks", path.to_str().unwrap()), ("fill", "0"), ("score", "raw"), ("target", "all")])
        .unwrap();
    assert_eq!(alone.view().values, view.values);
    // Drawn masks: the same seed gives the same map, whatever the batch.
    let drawn = |seed| {
        run(&[("preset", "rise"), ("masks", "50:3:0.5"), ("score", "raw"), ("target", "0"), ("seed", seed)])
            .unwrap()
            .view()
            .values
            .to_vec()
    };
    assert_eq!(drawn("1"), drawn("1"));
    assert_ne!(drawn("1"), drawn("2"));
}

#[test]
fn noise_is_averaged_with_its_spread() {
    let one = |seed: &str| {
        run(&[("window", "3"), ("fill", "noise"), ("seed", seed), ("target", "0")]).unwrap().scores
    };
    let (a, b, c) = (one("5"), one("6"), one("7"));
    let map =
        run(&[("window", "3"), ("fill", "noise"), ("seed", "5"), ("samples", "3"), ("target", "0")]).unwrap();
    let spread = map.noise_spread.as_ref().unwrap();
    for at in 0..a.len() {
        let all = [a[at], b[at], c[at]].map(f64::from);
        let mean = all.iter().sum::<f64>() / 3.0;
        near(map.scores[at], mean);
        near(spread[at], (all.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / 3.0).sqrt());
        near(map.sensitivity[at], f64::from(map.targets[0].baseline) - mean);
    }
    let error = run(&[("window", "3"), ("fill", "0"), ("samples", "3")]).unwrap_err();
    assert!(error.to_string().contains("only noise differs"), "{error}");
}

#[test]
fn inpainting_continues_what_is_around() {
    // A ramp along the columns is continued, so hiding a part of it changes nothing much.
    let ramp: Vec<f32> = (0..84).map(|i| (i % 7) as f32).collect();
    let input = Input::from_tensor(spec(), ramp).unwrap();
    let settings = |fill| [("window", "2"), ("stride", "2"), ("fill", fill), ("target", "0")];
    let inpainted = run_input(&linear(), &settings("inpaint:2"), &input).unwrap();
    let mean = run_input(&linear(), &settings("mean"), &input).unwrap();
    assert!(inpainted.max_abs() < 0.25 * mean.max_abs(), "{} {}", inpainted.max_abs(), mean.max_abs());
    let error = run(&[("window", "6x7"), ("fill", "inpaint")]).unwrap_err();
    assert!(error.to_string().contains("nothing") || error.to_string().contains("hidden"), "{error}");
}

/// Captum's model of two inputs as ONNX: relu(... conv(x + x2)).
fn two_inputs() -> Model {
    Model::open(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/conformance/conv.onnx")).unwrap()
}

#[test]
fn several_inputs_are_hidden_together_or_alone() {
    let model = two_inputs();
    let input = |name: &str, offset: f32| {
        let values = (0..16).map(|i| offset + (i * 7 % 16) as f32).collect();
        model.tensor_input_of(name, &[1, 4, 4], values).unwrap()
    };
    let run = |lead: &str, other: &str, together: bool, engine| {
        let (a, b) = if lead == "x" { (0.0, 3.0) } else { (3.0, 0.0) };
        let given = input(lead, a).with_beside(input(other, b), together);
        let run =
            model.occlusion().window(2).stride(1).fill(Fill::Value(vec![0.0])).score(occlude::ScoreKind::Raw);
        run.engine(engine).target(occlude::Target::Class(0)).run(&given).unwrap()
    };
    let reference = |hide: [bool; 2], window: usize| {
        let (top, left) = (window / 3, window % 3);
        let at = |which: usize, r: usize, c: usize| {
            let value = [0.0, 3.0][which] + ((r * 4 + c) * 7 % 16) as f64;
            let hidden = hide[which] && (top..top + 2).contains(&r) && (left..left + 2).contains(&c);
            if hidden { 0.0 } else { value }
        };
        let mut out = 0.0;
        for (feature, bias) in [(0, -50.0), (1, -75.0)] {
            for (i, (r, c)) in [(0, 0), (0, 1), (1, 0), (1, 1)].into_iter().enumerate() {
                let sum: f64 =
                    (0..9).map(|k| at(0, r + k / 3, c + k % 3) + at(1, r + k / 3, c + k % 3)).sum();
                let sign = if feature == 1 && i > 0 { -1.0 } else { 1.0 };
                out += sign * (sum + bias).max(0.0);
            }
        }
        out.max(0.0)
    };
    for engine in [EngineChoice::Incremental, EngineChoice::Gather, EngineChoice::Full] {
        for (lead, other, together, hide) in [
            ("x", "x2", true, [true, true]),
            ("x", "x2", false, [true, false]),
            ("x2", "x", false, [false, true]),
        ] {
            let map = run(lead, other, together, engine);
            for window in 0..9 {
                near(map.scores[window], reference(hide, window));
            }
            assert_eq!(map.input.name, lead);
        }
    }
    let alone = model.occlusion().run(&input("x", 0.0)).unwrap_err();
    assert!(alone.to_string().contains("\"x2\" is not given"), "{alone}");
    assert_eq!(alone.hint(), Some("--with x2=FILE gives it"));
}
