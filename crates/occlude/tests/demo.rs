//! The demo model on the demo pictures, through the public API: what the model says, what the map looks like, that the engines agree.

use std::path::{Path, PathBuf};

use occlude::{EngineChoice, ErrorKind, Fill, Layout, Model, ScoreKind, Settings, Target};

fn example(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples").join(path)
}

fn model() -> Model {
    Model::open(example("efficientnet-lite0")).expect("the demo model opens")
}

#[test]
fn coffee_is_espresso_and_the_cup_is_why() {
    let model = model();
    let input = model.read_input(example("images/coffee.jpg")).expect("a picture");
    assert_eq!(input.spec.shape, [3, 224, 224]);
    let map = model.occlusion().window(56).stride(28).engine(EngineChoice::Full).run(&input).expect("runs");
    assert!(map.is_complete());
    assert_eq!((map.score, map.windows.shape()), (ScoreKind::Probability, vec![7, 7]));
    let target = &map.targets[0];
    assert_eq!(
        (target.class, target.label.as_str(), target.unit.as_str()),
        (Some(967), "espresso", "probability")
    );
    assert!((0.90..0.97).contains(&target.baseline), "{}", target.baseline);
    // The cup is right of the middle of the picture; its place must weigh more than the corners.
    let strongest = &map.top_windows(0, occlude::Direction::For, 1)[0];
    let [rows, columns] = [strongest.window_in_input[1].clone(), strongest.window_in_input[2].clone()];
    assert!(rows.start < 168 && rows.end > 56 && columns.start < 168 && columns.end > 56, "{strongest:?}");
    assert!(map.check.as_ref().is_some_and(|c| c.max_abs_diff <= c.tolerance));
    assert_eq!(map.most_probable.as_ref().map(|m| m.baseline), Some(967));
    assert!(map.notes.iter().any(|n| n.contains("preprocessor_config.json")), "{:?}", map.notes);
}

#[test]
fn incremental_equals_full() {
    let model = model();
    let input = model.read_input(example("images/chelsea.jpg")).expect("a picture");
    let run = |engine| {
        let target = Target::parse("tabby,Egyptian cat,282").expect("names");
        let occlusion =
            model.occlusion().window([40, 64]).stride(48).fill(Fill::Blur).target(target).engine(engine);
        occlusion.score(ScoreKind::Logit).run(&input).expect("runs")
    };
    let (full, incremental) = (run(EngineChoice::Full), run(EngineChoice::Incremental));
    assert_eq!(full.targets.iter().map(|t| t.class).collect::<Vec<_>>(), [Some(281), Some(285), Some(282)]);
    let range = full.sensitivity.iter().fold(0.0f32, |m, v| m.max(v.abs()));
    for (a, b) in full.sensitivity.iter().zip(&incremental.sensitivity) {
        assert!((a - b).abs() <= 1e-4 * range, "{a} {b}");
    }
}

#[test]
fn inner_tensors_can_be_targets() {
    let model = model();
    let input = model.read_input(example("images/rocket.jpg")).expect("a picture");
    let facts = model.facts().expect("facts");
    assert!(facts.is_classifier && facts.class_names == 1000, "{}", facts.why);
    assert!((300e6..500e6).contains(&(facts.macs as f64)), "{}", facts.macs);
    let output = &facts.outputs[0].name;
    let target = Target::parse(&format!("node:{output}:max,top1")).expect("a node");
    let map = model
        .occlusion()
        .window(112)
        .stride(112)
        .target(target)
        .score(ScoreKind::Raw)
        .run(&input)
        .expect("runs");
    assert_eq!(map.targets.len(), 2);
    assert!(
        (map.targets[0].baseline - map.targets[1].baseline).abs() < 1e-6,
        "the greatest logit is the top class's"
    );
    let missing = model.occlusion().target(Target::parse("node:nothing").expect("a node")).run(&input);
    assert!(missing.expect_err("no such tensor").to_string().contains("no tensor \"nothing\""));
}

#[test]
fn wrong_inputs_and_settings() {
    let model = model();
    let input = model.read_input(example("images/rocket.jpg")).expect("a picture");
    let error = model.occlusion().window(300).run(&input).expect_err("too large");
    assert!(error.to_string().contains("window 300 is larger than the input, which has 224"), "{error}");
    let error = model
        .occlusion()
        .target(Target::parse("expresso").expect("a name"))
        .run(&input)
        .expect_err("unknown");
    assert_eq!((error.kind(), error.hint()), (ErrorKind::Argument, Some("did you mean \"espresso\" (967)?")));
    let error = model.tensor_input(&[3, 10, 10], vec![0.0; 300]).map(|i| i.spec.layout);
    // The model's places are fixed or open; either way the layout is channels first and a wrong rank is refused.
    assert!(error.is_err() || error.is_ok_and(|l| l == Layout::ChannelsFirst));
    assert!(model.tensor_input(&[224, 224], vec![0.0; 224 * 224]).is_err());
    let error = Model::open(example("images/rocket.jpg")).expect_err("a picture is no model");
    assert_eq!(error.kind(), ErrorKind::File);
    let mut settings = Settings::default();
    settings.set("preprocess", "imagnet").expect("kept as text");
    assert!(
        Model::open_with(example("efficientnet-lite0"), &settings)
            .expect_err("unknown")
            .to_string()
            .contains("imagnet")
    );
}
