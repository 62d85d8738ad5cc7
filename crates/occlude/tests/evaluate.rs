//! Evaluations against NumPy and ONNX Runtime (`data/evaluate.json`, made by `tools/make_evaluate_references.py`), on sums whose measures are known in closed form, and what is said where something is missing.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use occlude::evaluate::{Better, Evaluated};
use occlude::{
    BatchScorer, EngineChoice, Error, EvaluateOptions, Evaluation, Evidence, FileFact, Fill, Input, Job,
    Layout, Meaning, Metric, Model, Outputs, Settings, Target, TensorSpec, Watch,
};
use serde_json::Value;

fn reference() -> Value {
    serde_json::from_str(include_str!("data/evaluate.json")).unwrap()
}

fn numbers(json: &Value) -> Vec<f64> {
    json.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect()
}

fn floats(json: &Value) -> Vec<f32> {
    numbers(json).into_iter().map(|v| v as f32).collect()
}

fn near(what: &str, got: f64, expected: f64, tolerance: f64) {
    assert!((got - expected).abs() <= tolerance, "{what}: {got}, expected {expected}");
}

fn all_near(what: &str, got: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(got.len(), expected.len(), "{what}");
    got.iter().zip(expected).for_each(|(a, b)| near(what, *a, *b, tolerance));
}

fn model() -> Model {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/models/evaluate.onnx");
    Model::open_with(file, &Settings::default()).unwrap()
}

/// The options of the reference.
fn options() -> EvaluateOptions {
    let mut options = EvaluateOptions::default();
    for (name, value) in [
        ("steps", "7"),
        ("cells", "4"),
        ("random-maps", "3"),
        ("subsets", "40"),
        ("sensitivity-subsets", "25"),
    ] {
        options.set(name, value).unwrap();
    }
    options
}

fn evaluated(maps: &[Evidence], engine: EngineChoice) -> Evaluation {
    let (model, said) = (model(), reference());
    let input = model.tensor_input(&[3, 12, 10], floats(&said["x"])).unwrap();
    let run = model.occlusion().window(4).stride(2).seed(5).target(Target::parse("2").unwrap());
    run.engine(engine).evaluate(&input, maps, &options()).unwrap()
}

/// Two saliency maps from elsewhere, a coarse one and one of the input's size.
fn saliency_maps(said: &Value) -> [Evidence; 2] {
    [
        Evidence::of_array(&[1, 4, 5], floats(&said["coarse"]), "coarse").unwrap(),
        Evidence::of_array(&[12, 10], floats(&said["fine"]), "fine").unwrap(),
    ]
}

fn check(found: &Evaluated, expected: &Value) {
    let own = &expected["own"];
    for measure in &found.measures {
        let name = &measure.name;
        // Correlations divide by deviations, which makes more of rounding.
        let tolerance = if name.starts_with("average") || name.ends_with("tion") { 2e-5 } else { 2e-4 };
        near(name, measure.value.unwrap(), own[name].as_f64().unwrap(), tolerance);
        let random = measure.random.as_ref().unwrap();
        let of_random: Vec<f64> =
            expected["random"].as_array().unwrap().iter().map(|one| one[name].as_f64().unwrap()).collect();
        all_near(name, &random.values, &of_random, tolerance);
        let beaten = of_random.iter().filter(|other| match measure.better {
            Better::Higher => measure.value.unwrap() > **other,
            Better::Lower => measure.value.unwrap() < **other,
        });
        assert_eq!(random.better_than, beaten.count(), "{name}");
    }
    assert_eq!(found.measures.len(), 7);
    for (curve, name) in [(&found.deletion, "deletion_scores"), (&found.insertion, "insertion_scores")] {
        let curve = curve.as_ref().unwrap();
        all_near(name, &curve.scores, &numbers(&own[name]), 2e-5);
        all_near(name, &curve.random[1], &numbers(&expected["random"][1][name]), 2e-5);
        assert_eq!((curve.share[0], curve.share.last().copied()), (0.0, Some(1.0)));
    }
    let by_size: Vec<f64> = found.sensitivity_n.iter().map(|at| at.correlation.value.unwrap()).collect();
    all_near("sensitivity-n by size", &by_size, &numbers(&own["by_size"]), 2e-4);
}

#[test]
fn numpy_and_onnxruntime_say_the_same() {
    let said = reference();
    for engine in [EngineChoice::Incremental, EngineChoice::Gather, EngineChoice::Full] {
        let found = evaluated(&saliency_maps(&said), engine);
        near("untouched", f64::from(found.target.baseline), said["whole"].as_f64().unwrap(), 1e-5);
        near("nothing left", found.nothing_left.unwrap(), said["nothing_left"].as_f64().unwrap(), 1e-5);
        near(
            "nothing inserted",
            found.nothing_inserted.unwrap(),
            said["nothing_inserted"].as_f64().unwrap(),
            1e-5,
        );
        check(&found.maps[0], &said["maps"]["coarse"]);
        check(&found.maps[1], &said["maps"]["fine"]);
        let sizes: Vec<f64> = found.maps[0].sensitivity_n.iter().map(|at| at.n as f64).collect();
        assert_eq!(sizes, numbers(&said["sizes"]));
        assert!(found.complete && found.asked == found.of, "{} of {}", found.asked, found.of);
        assert!(
            found.notes.iter().any(|note| note.contains("coarse: enlarged linearly from 4 x 5 to 12 x 10"))
        );
        // Without maps the occlusion map is made, whose random maps are its windows in random order.
        let own = evaluated(&[], engine);
        assert_eq!((own.maps.len(), own.maps[0].kind.as_str()), (1, "map"));
        assert_eq!(own.maps[0].random_maps, "its windows' numbers in random order");
        check(&own.maps[0], &said["maps"]["windows"]);
    }
}

#[test]
fn small_sets_are_run_by_what_they_change() {
    let (model, said) = (model(), reference());
    let input = model.tensor_input(&[3, 12, 10], floats(&said["x"])).unwrap();
    let run = |cells: usize, metrics: Vec<Metric>| {
        let options = EvaluateOptions { metrics, cells, random_maps: 0, ..EvaluateOptions::default() };
        let found = model.occlusion().evaluate(&input, &saliency_maps(&said)[1..], &options).unwrap();
        found.work.unwrap()
    };
    let (local, wide) = (run(12, vec![Metric::SensitivityN]), run(2, vec![Metric::MuFidelity]));
    assert!(local.multiply_adds < local.multiply_adds_in_full, "{local:?}");
    assert!(wide.multiply_adds <= wide.multiply_adds_in_full, "{wide:?}");
}

const SIDE: usize = 12;

/// The weight of a place in the sum: above and below 0, no two alike.
fn weight(place: usize) -> f32 {
    ((place * 7919 % 1009) as f32 - 300.0) / 500.0
}

/// A model that answers `bias + sum of weight * x`, evaluated with 1 everywhere and 0 for what is hidden.
fn of_a_sum(
    bias: f32,
    settings: &[(&str, &str)],
    maps: &[Evidence],
    options: &EvaluateOptions,
    watch: &mut Watch<'_>,
) -> Result<Option<Evaluation>, Error> {
    let mut all = Settings::default();
    let defaults = [("fill", "0"), ("target", "0"), ("window", "1"), ("stride", "1")];
    for (name, value) in defaults.iter().chain(settings) {
        all.set(name, value)?;
    }
    let spec = TensorSpec::new("x", &[2, SIDE, SIDE], Layout::ChannelsFirst);
    let scorer = BatchScorer::new(vec![spec.clone()], 16, "by hand", move |x: &[&[f32]], count: usize| {
        let answer = |x: &[f32]| {
            let sum: f64 = x.iter().enumerate().map(|(i, v)| f64::from(weight(i % (SIDE * SIDE)) * v)).sum();
            [bias + sum as f32, 0.5]
        };
        let values = x[0].chunks(x[0].len() / count).flat_map(answer).collect();
        Ok(Outputs { names: vec!["y".into()], shapes: vec![vec![1, 2]], values: vec![values] })
    });
    let job = Job {
        scorer: &scorer,
        meaning: Meaning { class_output: Some(0), ..Meaning::default() },
        settings: &all,
        read_image: None,
        model_file: FileFact::default(),
        load_secs: 0.0,
    };
    let input = Input::from_tensor(spec, vec![1.0; 2 * SIDE * SIDE])?;
    job.evaluate(&input, maps, options, watch)
}

fn measure(found: &Evaluation, name: &str) -> occlude::Measured {
    found.maps[0].measures.iter().find(|measure| measure.name == name).unwrap().clone()
}

#[test]
fn sums_in_closed_form() {
    let mut options = EvaluateOptions::default();
    options.set("cells", "12").unwrap();
    options.set("insertion-fill", "zero").unwrap();
    let found = of_a_sum(50.0, &[], &[], &options, &mut Watch::default()).unwrap().unwrap();
    // The evidence of a place is what it adds: both channels' weight. Taking the strongest away leaves the sum of the others.
    let mut parts: Vec<f64> = (0..SIDE * SIDE).map(|place| 2.0 * f64::from(weight(place))).collect();
    parts.sort_by(|a, b| b.total_cmp(a));
    let whole = 50.0 + parts.iter().sum::<f64>();
    let step = parts.len().div_ceil(20);
    let left = |count: usize| 50.0 + parts[count.min(parts.len())..].iter().sum::<f64>();
    let points = parts.len().div_ceil(step);
    let deletion: Vec<f64> = (0..=points).map(|point| left(point * step)).collect();
    let insertion: Vec<f64> = deletion.iter().map(|left| 50.0 + whole - left).collect();
    let map = &found.maps[0];
    all_near("deletion", &map.deletion.as_ref().unwrap().scores, &deletion, 1e-3);
    all_near("insertion", &map.insertion.as_ref().unwrap().scores, &insertion, 1e-3);
    let area =
        |scores: &[f64]| scores.windows(2).map(|pair| (pair[0] + pair[1]) / 2.0).sum::<f64>() / points as f64;
    near("area", map.deletion.as_ref().unwrap().area, area(&deletion), 1e-3);
    near(
        "of untouched",
        map.insertion.as_ref().unwrap().of_untouched.unwrap(),
        area(&insertion) / whole,
        1e-4,
    );
    // An exact attribution of a sum: what is taken away is what the map says, for sets of every size.
    for at in &map.sensitivity_n {
        near("sensitivity-n", at.correlation.value.unwrap(), 1.0, 1e-5);
    }
    assert_eq!(map.sensitivity_n.iter().map(|at| at.n).collect::<Vec<_>>(), [1, 14, 36, 72, 108]);
    near("MuFidelity", measure(&found, "MuFidelity").value.unwrap(), 1.0, 1e-3);
    for name in ["sensitivity-n", "MuFidelity"] {
        let random = measure(&found, name).random.unwrap();
        assert_eq!((random.values.len(), random.better_than), (19, 19));
        // Correlations of random maps of 144 cells deviate by 1 / 12 from 0, their mean of 19 by a quarter of that.
        assert!(random.mean.abs() < 0.1 && (0.02..0.2).contains(&random.deviation), "{name} {random:?}");
    }
    // A random order takes away as much in every step: a straight line.
    let straight = (whole + 50.0) / 2.0;
    for (name, value) in [("deletion", area(&deletion)), ("insertion", area(&insertion))] {
        let random = measure(&found, name).random.unwrap();
        assert_eq!(random.better_than, 19, "{name}");
        near(name, random.mean, straight, (value - straight).abs() / 10.0);
    }
}

#[test]
fn a_map_upside_down_is_worse_than_chance() {
    let opposite: Vec<f32> = (0..SIDE * SIDE).map(|place| -weight(place)).collect();
    let opposite = Evidence::of_array(&[SIDE, SIDE], opposite, "opposite").unwrap();
    let found = of_a_sum(50.0, &[], &[opposite], &EvaluateOptions::default(), &mut Watch::default());
    let found = found.unwrap().unwrap();
    for name in ["deletion", "insertion", "sensitivity-n", "MuFidelity"] {
        assert_eq!(measure(&found, name).random.unwrap().better_than, 0, "{name}");
    }
    near("MuFidelity", measure(&found, "MuFidelity").value.unwrap(), -1.0, 1e-3);
    assert_eq!(found.maps[0].random_maps, "the map moved as a whole, opposite edges joined");
}

#[test]
fn what_has_no_value_says_why() {
    let has = |found: &Evaluation, says: &str| {
        assert!(found.notes.iter().any(|note| note.contains(says)), "{says}: {:?}", found.notes);
    };
    let found =
        of_a_sum(-500.0, &[], &[], &EvaluateOptions::default(), &mut Watch::default()).unwrap().unwrap();
    has(&found, "no average drop: it is a share of the untouched score");
    has(&found, "no average gain");
    assert_eq!((measure(&found, "average drop").value, measure(&found, "average drop").random), (None, None));
    assert_eq!(found.maps[0].deletion.as_ref().unwrap().of_untouched, None);
    // The second output never changes.
    let flat = of_a_sum(0.0, &[("target", "1")], &[], &EvaluateOptions::default(), &mut Watch::default());
    let flat = flat.unwrap().unwrap();
    has(&flat, "never changes the score");
    assert_eq!(measure(&flat, "MuFidelity").value, None);
    assert_eq!(measure(&flat, "deletion").random.unwrap().better_than, 0, "ties do not count");
    let patch =
        of_a_sum(0.0, &[("fill", "patch-mean")], &[], &EvaluateOptions::default(), &mut Watch::default());
    let patch = patch.unwrap().unwrap();
    has(&patch, "the fill patch-mean hangs on the window: places are replaced by the mean");
    assert_eq!((patch.deletion_fill.as_str(), patch.insertion_fill.as_str()), ("mean", "blur"));
    // A map that knows half of the input: what it does not know comes last.
    let half: Vec<f32> = (0..SIDE * SIDE).map(|at| if at < 72 { at as f32 } else { f32::NAN }).collect();
    let half = Evidence::of_array(&[SIDE, SIDE], half, "half").unwrap();
    let found =
        of_a_sum(9.0, &[], &[half], &EvaluateOptions::default(), &mut Watch::default()).unwrap().unwrap();
    assert_eq!(found.maps[0].known, 72);
    has(&found, "half: 72 of 144 places are not known");
    let scores = &found.maps[0].deletion.as_ref().unwrap().scores;
    let last_known = 9.0 + (72..144).map(|at| 2.0 * f64::from(weight(at))).sum::<f64>();
    near("half", scores[9], last_known, 1e-3);
}

#[test]
fn what_cannot_be_evaluated() {
    let array =
        |shape: &[usize]| Evidence::of_array(shape, vec![0.5; shape.iter().product()], "cam").unwrap();
    let error = |settings: &[(&str, &str)], maps: &[Evidence], options: &EvaluateOptions| {
        of_a_sum(0.0, settings, maps, options, &mut Watch::default()).unwrap_err().to_string()
    };
    let default = EvaluateOptions::default();
    assert!(error(&[("target", "0,1")], &[], &default).contains("the target 0,1 is several, expected one"));
    assert!(
        error(&[], &[array(&[14, 14])], &default)
            .contains("cam is an array of 14 x 14 places, this input has 12 x 12")
    );
    assert!(error(&[], &[array(&[2, 3, 4, 5])], &default).contains("expected 2 axes of places"));
    let inpaint = EvaluateOptions { deletion_fill: Some(Fill::PatchMean), ..default };
    assert!(error(&[], &[], &inpaint).contains("the fill patch-mean hangs on the window"));
}

#[test]
fn a_stop_keeps_what_is_known() {
    // 144 windows make the map; then come 481 sets of sensitivity-n, 200 of MuFidelity, everything taken away, 17 points a curve.
    let stopped = |at: &dyn Fn(&occlude::Progress) -> bool| {
        let cancel = AtomicBool::new(false);
        let mut progress = |progress: &occlude::Progress| cancel.store(at(progress), Ordering::Relaxed);
        let mut watch = Watch { cancel: Some(&cancel), progress: Some(&mut progress), ..Watch::default() };
        of_a_sum(50.0, &[], &[], &EvaluateOptions::default(), &mut watch).unwrap()
    };
    assert!(
        stopped(&|progress| progress.total == 144 && progress.done >= 3).is_none(),
        "before the map is complete"
    );
    let found = stopped(&|progress| progress.total > 144 && progress.done >= 760).unwrap();
    assert!(!found.complete && found.asked < found.of, "{} of {}", found.asked, found.of);
    assert_eq!(measure(&found, "average drop").value, None);
    assert_eq!(measure(&found, "insertion").value, None);
    assert_eq!(measure(&found, "MuFidelity").random.unwrap().values.len(), 19);
    let deletion = measure(&found, "deletion");
    assert!(deletion.value.is_some() && deletion.random.is_some_and(|random| random.values.len() < 19));
    let whole =
        of_a_sum(50.0, &[], &[], &EvaluateOptions::default(), &mut Watch::default()).unwrap().unwrap();
    assert_eq!(whole.maps[0].measures[0].value, deletion.value);
}
