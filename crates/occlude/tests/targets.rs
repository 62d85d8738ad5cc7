//! Targets beyond classes on small generated models, against ONNX Runtime and numpy (`tests/targets/answers.json`, made by `tools/make_targets.py`): segmentation, detection,
//! elements of outputs, classes that exclude each other or not. Every case by the incremental engine, by full runs, and through a function on batches.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};

use occlude::{
    Activation, BatchScorer, EngineChoice, Input, Job, Map, Meaning, Model, Outputs, Settings, Target, Watch,
};
use occlude_engine::exec::{Program, Runner};
use occlude_engine::onnx::{self, ImportOptions};
use serde_json::Value;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/targets")
}

fn numbers(json: &Value) -> Vec<f32> {
    json.as_array().unwrap().iter().map(|v| v.as_f64().unwrap() as f32).collect()
}

struct Case {
    name: String,
    model: PathBuf,
    shape: Vec<usize>,
    x: Vec<f32>,
    settings: Settings,
    unit: String,
    baseline: f32,
    scores: Vec<f32>,
}

fn cases() -> Vec<Case> {
    let text = std::fs::read_to_string(folder().join("answers.json")).unwrap();
    let all: Vec<Value> = serde_json::from_str(&text).unwrap();
    let case = |json: &Value| {
        let mut settings = Settings::default();
        let window = json["window"].as_str().unwrap();
        let fixed = [("window", window), ("stride", window), ("fill", json["fill"].as_str().unwrap())];
        let given = json["settings"].as_object().unwrap().iter();
        let given = given.map(|(name, value)| (name.as_str(), value.as_str().unwrap()));
        let target = [("target", json["target"].as_str().unwrap())];
        for (name, value) in fixed.into_iter().chain(given).chain(target) {
            settings.set(name, value).unwrap();
        }
        let model = json["model"].as_str().unwrap();
        Case {
            name: format!("{model} {}", json["target"]),
            model: folder().join(format!("{model}.onnx")),
            shape: json["shape"].as_array().unwrap().iter().map(|n| n.as_u64().unwrap() as usize).collect(),
            x: numbers(&json["x"]),
            settings,
            unit: json["unit"].as_str().unwrap().to_string(),
            baseline: json["baseline"].as_f64().unwrap() as f32,
            scores: numbers(&json["scores"]),
        }
    };
    all.iter().map(case).collect()
}

impl Case {
    fn input(&self, model: &Model) -> Input {
        model.tensor_input(&self.shape, self.x.clone()).unwrap()
    }

    fn engine(&self, engine: EngineChoice) -> Map {
        let model = Model::open_with(&self.model, &self.settings).unwrap();
        let input = self.input(&model);
        let settings = Settings { engine, ..self.settings.clone() };
        model.occlusion().with(&settings).run(&input).unwrap_or_else(|e| panic!("{}: {e}", self.name))
    }

    /// The same model as a function on batches; all its outputs are returned, and what they end in is said.
    fn closure(&self) -> Map {
        let model = Model::open_with(&self.model, &self.settings).unwrap();
        let input = self.input(&model);
        let shape = std::iter::once(1).chain(self.shape.iter().copied()).collect();
        let options =
            ImportOptions { input_shapes: [("x".to_string(), shape)].into(), ..ImportOptions::default() };
        let graph = onnx::read(&self.model).unwrap().import(&options).unwrap();
        let names: Vec<String> = graph.outputs.iter().map(|id| graph.tensor(*id).name.clone()).collect();
        let shapes: Vec<Vec<usize>> =
            graph.outputs.iter().map(|id| graph.tensor(*id).model_shape()).collect();
        let runner = Runner::new(Program::compile(graph, occlude_engine::Isa::detect()).unwrap());
        let ending = |name: &String| {
            let file = self.model.file_stem().unwrap().to_str().unwrap();
            let activation = match (file, name.as_str()) {
                ("segment_sigmoid", _) | (_, "scores") => Activation::Sigmoid,
                ("segment_nhwc", _) => Activation::Softmax,
                _ => Activation::None,
            };
            (name.clone(), activation)
        };
        let meaning = Meaning {
            class_output: self.settings.target.wants_classes().then_some(0),
            endings: names.iter().map(ending).collect(),
            ..Meaning::default()
        };
        let scorer =
            BatchScorer::new(vec![input.spec.clone()], 3, "function", move |x: &[&[f32]], count: usize| {
                let mut values = vec![Vec::new(); names.len()];
                for example in x[0].chunks(x[0].len() / count) {
                    let outputs = runner.run_one(&|_, _, buffer| buffer.copy_from_slice(example)).unwrap();
                    values.iter_mut().zip(outputs).for_each(|(all, one)| all.extend(one));
                }
                Ok(Outputs { names: names.clone(), shapes: shapes.clone(), values })
            });
        let job = Job {
            scorer: &scorer,
            meaning,
            settings: &self.settings,
            read_image: None,
            model_file: occlude::FileFact::default(),
            load_secs: 0.0,
        };
        job.run(&input, &mut Watch::default()).unwrap_or_else(|e| panic!("{}: {e}", self.name))
    }

    fn check(&self, map: &Map, how: &str) {
        let name = format!("{} {how}", self.name);
        assert_eq!((map.targets.len(), map.targets[0].unit.as_str()), (1, self.unit.as_str()), "{name}");
        assert_eq!(map.scores.len(), self.scores.len(), "{name}");
        let largest = self.scores.iter().fold(self.baseline.abs(), |most, v| most.max(v.abs()));
        let pairs = map.scores.iter().zip(&self.scores).chain([(&map.targets[0].baseline, &self.baseline)]);
        for (place, (got, expected)) in pairs.enumerate() {
            assert!((got - expected).abs() <= 2e-5 * largest, "{name} {place}: {got}, expected {expected}");
        }
        // The target that was found can be asked for again.
        assert_eq!(Target::parse(&map.targets[0].spec).unwrap().to_string(), map.targets[0].spec, "{name}");
    }
}

#[test]
fn every_case_by_the_engine() {
    let all = cases();
    assert!(all.len() >= 23);
    for case in all {
        for engine in [EngineChoice::Incremental, EngineChoice::Gather, EngineChoice::Full] {
            case.check(&case.engine(engine), &format!("{engine:?}"));
        }
    }
}

#[test]
fn every_case_by_a_function_on_batches() {
    cases().iter().for_each(|case| case.check(&case.closure(), "function"));
}

#[test]
fn a_found_target_asked_for_again_gives_the_same_map() {
    for case in cases() {
        let map = case.engine(EngineChoice::Incremental);
        let settings =
            Settings { target: Target::parse(&map.targets[0].spec).unwrap(), ..case.settings.clone() };
        let again = Case { settings, ..case }.engine(EngineChoice::Incremental);
        assert_eq!((map.scores, &map.targets[0]), (again.scores, &again.targets[0]));
    }
}

fn open(model: &str) -> (Model, Input) {
    let case = cases().into_iter().find(|case| case.name.starts_with(&format!("{model} "))).unwrap();
    let model = Model::open(&case.model).unwrap();
    let input = case.input(&model);
    (model, input)
}

fn run(model: &str, settings: &[(&str, &str)]) -> occlude::Result<Map> {
    let (model, input) = open(model);
    let mut all = Settings::default();
    settings.iter().for_each(|(name, value)| all.set(name, value).unwrap());
    model.occlusion().with(&all).run(&input)
}

/// An early tensor runs only the layers before it, in the plan and in the count of the run, and there are no classes then.
#[test]
fn an_inner_tensor_alone_runs_only_what_is_before_it() {
    let planned = |target: &str| {
        let (model, input) = open("heads");
        let plan = model.occlusion().target(Target::parse(target).unwrap()).plan(&input).unwrap();
        (plan.macs_per_full_run, plan.work.unwrap().full)
    };
    // 36 places, 16 channels of 9 taps; the second convolution has 16 channels in.
    let (early, late) = (36 * 16 * 9, 36 * 16 * 9 * 16);
    assert_eq!(planned("node:early").0, early);
    assert_eq!(planned("node:late").0, early + late);
    assert_eq!(planned("top1").0, early + late + 16 * 3);
    assert_eq!(planned("top1,output:age").0, early + late + 16 * 4);
    assert!(planned("node:early").1 < planned("node:late").1 && planned("node:late").1 < planned("top1").1);
    let done = |target: &str| {
        let map = run("heads", &[("target", target)]).unwrap();
        (map.work.unwrap().multiply_adds, map.most_probable.is_some())
    };
    let (early, with_classes) = (done("node:early"), done("node:early,top1"));
    assert!(early.0 > 0 && 10 * early.0 < with_classes.0, "{early:?} of {with_classes:?}");
    assert_eq!((early.1, with_classes.1), (false, true));
}

#[test]
fn one_name_of_a_tensor_means_its_strongest_channel() {
    let map = run("heads", &[("target", "node:early")]).unwrap();
    let all = run("heads", &[("target", "node:early:strongest-sum")]).unwrap();
    assert_eq!((map.scores, &map.targets[0].label), (all.scores, &all.targets[0].label));
    assert!(map.targets[0].label.contains("(strongest by sum)"));
}

/// Every tensor that `inspect` lists under a name can be a target, and has the shape that is listed.
#[test]
fn every_listed_node_can_be_measured() {
    for name in ["heads", "segment_nhwc", "detect_pair"] {
        let (model, input) = open(name);
        let facts = model.facts().unwrap();
        let named: Vec<_> = facts.nodes.iter().filter(|node| !node.tensor.contains('#')).collect();
        assert!(named.len() >= 5, "{name}");
        for node in named {
            let target = Target::parse(&format!("node:{}:mean", node.tensor)).unwrap();
            let map = model.occlusion().target(target).run(&input).unwrap();
            let element = |at: usize| Target::Element { name: node.tensor.clone(), index: vec![at] };
            let length: usize = node.shape.iter().product();
            assert!(model.occlusion().target(element(length - 1)).run(&input).is_ok(), "{}", node.tensor);
            let error = model.occlusion().target(element(length)).run(&input).unwrap_err();
            assert!(error.to_string().contains(&occlude::shape_text(&node.shape)), "{error}");
            assert!(map.targets[0].baseline.is_finite());
        }
    }
}

#[test]
fn silent_choices_are_told() {
    for (model, settings, note) in [
        ("heads", [("target", "1"), ("score", "probability")], "probability is the Softmax of the 3 outputs"),
        (
            "heads",
            [("target", "1"), ("classes", "independent")],
            "probability is the Sigmoid of each of the 3 outputs",
        ),
        ("segment", [("target", "segment:top"), ("seed", "0")], "segment:top2 adds"),
        ("segment_sigmoid", [("target", "segment:0"), ("seed", "0")], "a probability above 1/2"),
        (
            "detect_pair",
            [("target", "detect:top"), ("boxes", "xyxy")],
            "20 boxes from \"boxes\" (xyxy, pixels), scores from \"scores\": 3 classes, probability is the scores as they are",
        ),
    ] {
        let map = run(model, &settings).unwrap();
        assert!(map.notes.iter().any(|n| n.contains(note)), "{model} {settings:?}: {:?}", map.notes);
    }
}

#[test]
fn what_cannot_be_told_is_refused() {
    let none = ("seed", "0");
    for (model, settings, message) in [
        (
            "segment_two",
            [("target", "segment:1"), none],
            "2 outputs of the model may be the segmentation: \"out\" [1, 5, 16, 20], \"aux\" [1, 5, 8, 10]",
        ),
        (
            "segment",
            [("target", "segment:5"), none],
            "there is no class 5: the model's output \"out\" has 5 (0 to 4)",
        ),
        ("segment", [("target", "segment:top6"), none], "asks for 6 classes"),
        ("segment", [("target", "segment:1@y"), none], "the model has no tensor \"y\""),
        ("segment_nhwc", [("target", "segment:1"), ("classes", "independent")], "ends in Softmax"),
        ("segment", [("target", "1"), none], "which is not one vector of classes"),
        ("heads", [("target", "segment:1"), none], "no output of the model is a segmentation"),
        ("heads", [("target", "detect:1"), none], "no output holds boxes with scores"),
        ("heads", [("target", "output:pose_out"), none], "does not name one element"),
        ("heads", [("target", "output:age[1]"), none], "does not name one element"),
        (
            "detect_pair",
            [("target", "detect:top"), none],
            "has boxes of four numbers, and nothing tells what they mean",
        ),
        (
            "detect_pair",
            [("target", "detect:0@100/100/110/110"), ("boxes", "xyxy")],
            "no box of the untouched input is class 0 in the box 100/100/110/110",
        ),
        ("detect_pair", [("target", "detect:3@1/1/9/9"), ("boxes", "xyxy")], "there is no class 3"),
        (
            "detect_rows",
            [("target", "detect:top"), ("boxes", "cxcywh")],
            "8 numbers per box: 4 and 4 classes, or 5 and 3",
        ),
        (
            "detect_rows",
            [("target", "detect:top"), ("boxes", "cxcywh,objectness=yes")],
            "they are logits, and nothing tells how they become probabilities",
        ),
        (
            "detect_softmax",
            [("target", "detect:top"), ("boxes", "cxcywh")],
            "several outputs may be boxes and their scores",
        ),
    ] {
        let error = run(model, &settings).unwrap_err();
        assert!(error.to_string().contains(message), "{model} {settings:?}: {error}");
        assert!(error.hint().is_some() || message.contains("no class"), "{error}");
    }
    // Where classes exclude each other, which one means "nothing" is not known without names.
    let (model, input) = open("detect_softmax");
    let mut settings = Settings::default();
    for (name, value) in
        [("target", "detect:top"), ("boxes", "cxcywh,boxes=boxes,scores=logits"), ("classes", "exclusive")]
    {
        settings.set(name, value).unwrap();
    }
    let error = model.occlusion().with(&settings).run(&input).unwrap_err();
    assert!(error.to_string().contains("one of them means that there is nothing"), "{error}");
}

/// Models whose number of boxes differs from input to input (suppression inside) can be read if they are run one by one.
#[test]
fn a_number_of_boxes_that_changes() {
    // The rest is dim, so that every window changes something. Bright pixels are boxes of 2 x 2 about them; their value is the score.
    let spec = occlude::TensorSpec::new("x", &[1, 8, 8], occlude::Layout::ChannelsFirst);
    let bright = |x: &[f32]| -> Outputs {
        let found: Vec<usize> = (0..64).filter(|&i| x[i] > 0.5).collect();
        let corners = |&i: &usize| [(i % 8) as f32, (i / 8) as f32, (i % 8 + 2) as f32, (i / 8 + 2) as f32];
        Outputs {
            names: vec!["boxes".into(), "scores".into()],
            shapes: vec![vec![found.len(), 4], vec![found.len()]],
            values: vec![found.iter().flat_map(corners).collect(), found.iter().map(|&i| x[i]).collect()],
        }
    };
    let mut x = vec![0.25; 64];
    (x[0], x[9], x[36]) = (0.75, 1.0, 0.875);
    let input = Input::from_tensor(spec.clone(), x).unwrap();
    let mut settings = Settings::default();
    for (name, value) in
        [("window", "1"), ("stride", "1"), ("fill", "0"), ("target", "detect:0@1/1/3/3"), ("boxes", "xyxy")]
    {
        settings.set(name, value).unwrap();
    }
    let run = |batch: usize| {
        let scorer = BatchScorer::new(vec![spec.clone()], batch, "bright", |x: &[&[f32]], count: usize| {
            let mut all = bright(&x[0][..64]);
            for example in x[0].chunks(64).skip(1) {
                all.values.iter_mut().zip(bright(example).values).for_each(|(all, one)| all.extend(one));
            }
            assert_eq!(x[0].len(), 64 * count);
            Ok(all)
        });
        let job = Job {
            scorer: &scorer,
            meaning: Meaning::default(),
            settings: &settings,
            read_image: None,
            model_file: occlude::FileFact::default(),
            load_secs: 0.0,
        };
        job.run(&input, &mut Watch::default())
    };
    let map = run(1).unwrap();
    // By hand: the box at pixel 9 is the chosen one; without it the one at pixel 0 overlaps by 1 of 7.
    assert_eq!(map.targets[0].baseline, 1.0);
    assert!((map.scores[9] - 0.75 / 7.0).abs() < 1e-6, "{}", map.scores[9]);
    assert_eq!((map.scores[0], map.scores[36], map.scores[50]), (1.0, 1.0, 1.0));
    // In a batch nothing tells where an example ends.
    assert!(run(4).unwrap_err().to_string().contains("values for a batch of 4"));
}
