//! Small classifiers with known answers (`data/models/make.py`): Zeiler and Fergus' analyses, final Softmax and Sigmoid, both layouts.

use std::path::{Path, PathBuf};

use occlude::{Border, EngineChoice, Fill, Map, Model, ScoreKind, Settings, Target};

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/models").join(name)
}

fn open(name: &str) -> Model {
    // Several models lie in the folder, so that none of them takes a configuration from it.
    Model::open_with(data(name), &Settings::default()).expect("opens")
}

fn numbers(json: &serde_json::Value) -> Vec<f32> {
    match json {
        serde_json::Value::Array(list) => list.iter().flat_map(numbers).collect(),
        number => vec![number.as_f64().expect("a number") as f32],
    }
}

fn assert_near(got: &[f32], expected: &[f32], tolerance: f32) {
    assert_eq!(got.len(), expected.len());
    for (place, (a, b)) in got.iter().zip(expected).enumerate() {
        assert!((a - b).abs() <= tolerance, "element {place}: {a}, expected {b}");
    }
}

#[test]
fn zeiler_and_fergus_three_analyses() {
    let text = std::fs::read_to_string(data("zeiler_fergus.json")).expect("reads");
    let answer: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let model = open("zeiler_fergus.onnx");
    let input = model.tensor_input(&[1, 8, 8], numbers(&answer["x"])).expect("fits");
    for engine in [EngineChoice::Full, EngineChoice::Incremental] {
        let target = Target::parse("top1,node:features:strongest-sum").expect("good");
        let run =
            model.occlusion().window(3).stride(1).border(Border::Center).fill(Fill::Mean).target(target);
        let map = run.engine(engine).run(&input).expect("runs");
        assert_eq!(
            (map.score, map.windows.shape()),
            (ScoreKind::Probability, vec![8, 8]),
            "it ends in Softmax"
        );
        assert_eq!(map.targets[0].class, answer["class"].as_u64().map(|c| c as usize));
        assert_near(&[map.targets[0].baseline], &numbers(&answer["probability_unoccluded"]), 1e-5);
        assert_near(map.scores_of(0), &numbers(&answer["probability"]), 1e-5);
        assert_near(&[map.targets[1].baseline], &numbers(&answer["activity_unoccluded"]), 1e-4);
        assert_near(map.scores_of(1), &numbers(&answer["activity"]), 1e-4);
        assert!(map.targets[1].label.contains("channel 1 (strongest by sum)"), "{}", map.targets[1].label);
        let most: Vec<f32> =
            map.most_probable.as_ref().expect("classes").windows.iter().map(|c| *c as f32).collect();
        assert_near(&most, &numbers(&answer["most_probable"]), 0.0);
        assert!(map.notes.iter().any(|n| n.contains("ends in Softmax")), "{:?}", map.notes);
    }
}

fn run(model: &Model, shape: &[usize], values: Vec<f32>, score: Option<ScoreKind>) -> Map {
    let input = model.tensor_input(shape, values).expect("fits");
    let mut settings =
        Settings { target: Target::All, score, fill: Some(Fill::Noise), ..Settings::default() };
    settings.set("window", "2x3").expect("good");
    model.occlusion().with(&settings).run(&input).expect("runs")
}

fn picture() -> Vec<f32> {
    (0..108).map(|i| ((i * 31) % 17) as f32 / 8.0 - 1.0).collect()
}

fn channels_last(values: &[f32]) -> Vec<f32> {
    (0..36).flat_map(|place| (0..3).map(move |channel| values[channel * 36 + place])).collect()
}

#[test]
fn a_final_softmax_is_the_probability_and_logits_are_read_before_it() {
    let model = open("softmax.onnx");
    let probability = run(&model, &[3, 6, 6], picture(), None);
    let sum: f32 = probability.targets.iter().map(|t| t.baseline).sum();
    assert!((sum - 1.0).abs() < 1e-6, "not normalised a second time");
    let logit = run(&model, &[3, 6, 6], picture(), Some(ScoreKind::Logit));
    assert!(
        logit.notes.iter().any(|n| n.contains("logits are read before it, from \"z\"")),
        "{:?}",
        logit.notes
    );
    assert_eq!(logit.targets[0].unit, "logit");
    for window in 0..logit.windows.len() {
        let exps: Vec<f64> = (0..4).map(|t| f64::from(logit.scores_of(t)[window]).exp()).collect();
        for (target, exp) in exps.iter().enumerate() {
            let expected = (exp / exps.iter().sum::<f64>()) as f32;
            assert_near(&[probability.scores_of(target)[window]], &[expected], 1e-5);
        }
    }
    let odds = run(&model, &[3, 6, 6], picture(), Some(ScoreKind::LogOdds));
    let p = f64::from(probability.targets[2].baseline);
    assert_near(&[odds.targets[2].baseline], &[(p / (1.0 - p)).ln() as f32], 1e-4);
}

#[test]
fn a_final_sigmoid_is_no_classifier_unless_asked() {
    let model = open("sigmoid.onnx");
    let raw = run(&model, &[3, 6, 6], picture(), None);
    assert_eq!(raw.score, ScoreKind::Raw);
    let probability = run(&model, &[3, 6, 6], picture(), Some(ScoreKind::Probability));
    assert_eq!(raw.scores, probability.scores, "the output is the probability already");
    let logit = run(&model, &[3, 6, 6], picture(), Some(ScoreKind::Logit));
    let p = f64::from(raw.targets[1].baseline);
    assert_near(&[logit.targets[1].baseline], &[(p / (1.0 - p)).ln() as f32], 1e-4);
}

#[test]
fn both_layouts_give_the_same_map() {
    let first = run(&open("softmax.onnx"), &[3, 6, 6], picture(), None);
    let last = run(&open("softmax_nhwc.onnx"), &[6, 6, 3], channels_last(&picture()), None);
    assert_eq!(last.input.layout, occlude::Layout::ChannelsLast);
    assert!(last.notes.iter().any(|n| n.contains("layout nhwc")), "a guess is said: {:?}", last.notes);
    assert_near(&first.scores, &last.scores, 1e-6);
    assert_near(&first.attribution().values, &last.attribution().values, 1e-6);
}

#[test]
fn a_picture_in_memory_gives_the_map_of_its_file() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("p.png");
    let image = image::RgbImage::from_fn(50, 30, |x, y| image::Rgb([x as u8 * 5, y as u8 * 8, 90]));
    image.save(&path).expect("save");
    for name in ["softmax.onnx", "softmax_nhwc.onnx"] {
        let model = open(name);
        let by_file = model.read_input(&path).expect("reads");
        let bytes = std::fs::read(&path).expect("reads");
        let others = [
            model.picture_input(image.as_raw(), 30, 50).expect("takes"),
            model.read_bytes_input(&bytes, "p.png").expect("reads"),
        ];
        let run = |input| model.occlusion().window(2).stride(2).run(input).expect("runs");
        for other in &others {
            assert_eq!((&other.values, &other.notes), (&by_file.values, &by_file.notes));
            assert_eq!(run(other).sensitivity, run(&by_file).sensitivity);
        }
        assert_eq!(others[1].file, by_file.file);
    }
}
