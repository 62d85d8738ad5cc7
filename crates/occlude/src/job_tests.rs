//! Tests of whole runs on models whose maps have a closed form.

use std::sync::atomic::{AtomicBool, Ordering};

use super::*;
use crate::ErrorKind;
use crate::input::Input;
use crate::occlusion::{Border, Fill};
use crate::scorer::{BatchScorer, Sink};
use crate::target::Target;
use crate::tensor::{Layout, TensorSpec};
use proptest::prelude::*;

fn ramp(spec: &TensorSpec) -> Vec<f32> {
    (0..spec.len()).map(|i| ((i * 29) % 31) as f32 / 8.0 - 1.0).collect()
}

/// Two outputs: sum(weights * x) and its negative.
fn linear(spec: &TensorSpec, batch: usize) -> (Vec<f32>, impl Scorer + use<>) {
    let weights: Vec<f32> = (0..spec.len()).map(|i| ((i * 17) % 13) as f32 / 4.0 - 1.5).collect();
    let w = weights.clone();
    let scorer = BatchScorer::new(vec![spec.clone()], batch, "linear", move |x: &[&[f32]], count: usize| {
        let x = x[0];
        let mut values = Vec::new();
        for example in x.chunks(x.len() / count) {
            let sum: f64 = example.iter().zip(&w).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
            values.extend([sum as f32, -sum as f32]);
        }
        Ok(Outputs { names: vec!["y".into()], shapes: vec![vec![1, 2]], values: vec![values] })
    });
    (weights, scorer)
}

fn run(scorer: &dyn Scorer, settings: &Settings, input: &Input) -> Result<Map> {
    job(scorer, settings).run(input, &mut Watch::default())
}

fn job<'a>(scorer: &'a dyn Scorer, settings: &'a Settings) -> Job<'a> {
    Job {
        scorer,
        meaning: Meaning { class_output: Some(0), ..Meaning::default() },
        settings,
        read_image: None,
        model_file: FileFact::default(),
        load_secs: 0.0,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn a_linear_model_has_a_closed_form(
        h in 1usize..9, w in 1usize..9, c in 1usize..4, wh in 1usize..5, ww in 1usize..5, s in 1usize..4,
        border in 0usize..4, last in any::<bool>(), channel in any::<bool>(), batch in 1usize..9,
    ) {
        let (shape, layout) = if last { ([h, w, c], Layout::ChannelsLast) } else { ([c, h, w], Layout::ChannelsFirst) };
        let spec = TensorSpec::new("x", &shape, layout);
        let (weights, scorer) = linear(&spec, batch);
        let input = Input::from_tensor(spec.clone(), ramp(&spec)).expect("fits");
        let mut window = vec![wh.min(h), ww.min(w)];
        if channel { window.insert(0, 1); }
        let settings = Settings {
            window: Some(vec![window]), stride: Some(vec![vec![s, s]]), fill: Some(Fill::Value(vec![0.5])), target: Target::Class(0),
            border: [Border::Shift, Border::Clip, Border::Drop, Border::Center][border], ..Settings::default()
        };
        let map = run(&scorer, &settings, &input).expect("runs");
        prop_assert!(map.is_complete());
        for window in 0..map.windows.len() {
            let ranges = map.windows.bounds(window);
            let expected: f64 = (0..spec.len())
                .filter(|&e| spec.unravel(e).iter().zip(&ranges).all(|(i, r)| r.contains(i)))
                .map(|e| f64::from(weights[e]) * (f64::from(input.values[e]) - 0.5))
                .sum();
            prop_assert!((f64::from(map.sensitivity[window]) - expected).abs() < 1e-3, "window {}", window);
        }
        let check = map.check.expect("every run is checked");
        prop_assert!(check.max_abs_diff == 0.0 && !check.windows.is_empty());
    }
}

#[test]
fn hiding_nothing_gives_zero() {
    let spec = TensorSpec::new("x", &[1, 6, 6], Layout::ChannelsFirst);
    let (_, scorer) = linear(&spec, 4);
    let input = Input::from_tensor(spec, vec![2.0; 36]).expect("fits");
    for fill in [Fill::Mean, Fill::PatchMean, Fill::Blur, Fill::Min, Fill::Background, Fill::Noise] {
        let settings = Settings {
            window: Some(vec![vec![3]]),
            fill: Some(fill.clone()),
            target: Target::All,
            ..Settings::default()
        };
        let map = run(&scorer, &settings, &input).expect("runs");
        assert!(map.sensitivity.iter().all(|v| v.abs() < 1e-4), "{fill} of a flat input is the input");
    }
}

#[test]
fn targets_scores_and_the_most_probable_class() {
    let spec = TensorSpec::new("x", &[1, 1, 4], Layout::ChannelsFirst);
    let scorer = BatchScorer::new(vec![spec.clone()], 3, "test", |x: &[&[f32]], count: usize| {
        let x = x[0];
        let values = x.chunks(x.len() / count).flat_map(|e| [e[0] + e[1], e[2], e[3]]).collect();
        Ok(Outputs { names: vec!["y".into()], shapes: vec![vec![1, 3, 1, 1]], values: vec![values] })
    });
    let input = Input::from_tensor(spec, vec![1.0, 2.0, 2.5, 0.0]).expect("fits");
    let settings = Settings {
        window: Some(vec![vec![1, 1]]),
        fill: Some(Fill::Zero),
        target: Target::parse("top2,0").expect("good"),
        score: Some(ScoreKind::Margin),
        ..Settings::default()
    };
    let map = run(&scorer, &settings, &input).expect("runs");
    assert_eq!(map.targets.iter().map(|t| t.class).collect::<Vec<_>>(), [Some(0), Some(1)]);
    assert_eq!(map.targets[0].unit, "logit margin");
    assert_eq!((map.targets[0].baseline, map.targets[1].baseline), (0.5, -0.5));
    assert_eq!(map.scores_of(0), [-0.5, -1.5, 3.0, 0.5]);
    let most_probable = map.most_probable.clone().expect("a vector of classes");
    assert_eq!((most_probable.baseline, most_probable.windows), (0, vec![1, 1, 0, 0]));
    assert_eq!(map.summary(0).expect("computed").label_flips, Some(2));
    let settings = Settings { score: None, ..settings };
    assert_eq!(
        run(&scorer, &settings, &input).expect("runs").score,
        ScoreKind::Raw,
        "nobody said that this is a classifier"
    );
    let mut classifier = job(&scorer, &settings);
    classifier.meaning.is_classifier = true;
    assert_eq!(classifier.run(&input, &mut Watch::default()).expect("runs").score, ScoreKind::Probability);
    classifier.meaning.labels = Arc::new(Labels::new(vec!["only one".into()]));
    let map = classifier.run(&input, &mut Watch::default()).expect("runs");
    assert!(map.notes.iter().any(|n| n.contains("names are not used")), "{:?}", map.notes);
}

#[test]
fn cancelling_keeps_what_is_computed() {
    let spec = TensorSpec::new("x", &[1, 8, 8], Layout::ChannelsFirst);
    let (_, scorer) = linear(&spec, 1);
    let input = Input::from_tensor(spec.clone(), ramp(&spec)).expect("fits");
    let settings = Settings { window: Some(vec![vec![2]]), ..Settings::default() };
    let cancel = AtomicBool::new(false);
    let mut seen = Vec::new();
    let mut progress = |p: &Progress| {
        seen.push((p.done, p.total));
        if p.done == 5 {
            cancel.store(true, Ordering::Relaxed);
        }
    };
    let map = job(&scorer, &settings)
        .run(&input, &mut Watch { cancel: Some(&cancel), progress: Some(&mut progress), ..Watch::default() })
        .expect("a partial map");
    assert!(!map.is_complete());
    assert_eq!((map.computed, map.sensitivity.iter().filter(|v| !v.is_nan()).count()), (5, 5));
    assert_eq!(map.most_probable.clone().expect("classes").windows.iter().filter(|c| **c >= 0).count(), 5);
    assert_eq!((seen[0], seen[5], seen.len()), ((0, 49), (5, 49), 6));
    assert!(map.check.is_some());
}

/// Five windows into a run by groups of four the user cancels: the second group was computed, so all of it is kept.
#[test]
fn cancelling_keeps_the_rest_of_a_group_that_was_computed() {
    let spec = TensorSpec::new("x", &[1, 8, 8], Layout::ChannelsFirst);
    let (_, scorer) = linear(&spec, 4);
    let input = Input::from_tensor(spec.clone(), ramp(&spec)).expect("fits");
    let settings = Settings { window: Some(vec![vec![2]]), ..Settings::default() };
    let cancel = AtomicBool::new(false);
    let mut progress = |p: &Progress| cancel.store(p.done >= 5, Ordering::Relaxed);
    let map = job(&scorer, &settings)
        .run(&input, &mut Watch { cancel: Some(&cancel), progress: Some(&mut progress), ..Watch::default() })
        .expect("a partial map");
    assert_eq!((map.computed, map.sensitivity.iter().filter(|v| !v.is_nan()).count()), (8, 8));
}

#[test]
fn nan_out_of_the_model_names_the_window_and_keeps_the_rest() {
    let spec = TensorSpec::new("x", &[1, 1, 4], Layout::ChannelsFirst);
    let scorer = BatchScorer::new(vec![spec.clone()], 2, "test", |x: &[&[f32]], count: usize| {
        let x = x[0];
        // ln(x2) is NaN once the third element is hidden by -1.
        let values = x.chunks(x.len() / count).flat_map(|e| [e[0], e[2].ln()]).collect();
        Ok(Outputs { names: vec!["y".into()], shapes: vec![vec![1, 2]], values: vec![values] })
    });
    let input = Input::from_tensor(spec.clone(), vec![1.0; 4]).expect("fits");
    let settings = Settings {
        window: Some(vec![vec![1, 1]]),
        fill: Some(Fill::Value(vec![-1.0])),
        ..Settings::default()
    };
    let error = run(&scorer, &settings, &input).expect_err("NaN");
    assert_eq!(error.kind(), ErrorKind::Number);
    assert!(
        error
            .to_string()
            .contains("NaN (element 1 of its output 0) with window [0, 2] of the grid (row 0:1, column 2:3"),
        "{error}"
    );
    let partial = error.partial_map().expect("what was computed before");
    assert_eq!((partial.computed, partial.is_complete()), (1, false));
    assert!(partial.check.is_some(), "what is shown is checked");
    let zero = Input::from_tensor(spec, vec![0.0; 4]).expect("fits");
    let error = run(&scorer, &settings, &zero).expect_err("infinite from the start");
    assert!(error.to_string().contains("-inf for the untouched input"), "{error}");
}

#[test]
fn a_scorer_that_disagrees_with_itself_is_caught() {
    struct Liar([TensorSpec; 1]);
    impl Scorer for Liar {
        fn inputs(&self) -> &[TensorSpec] {
            &self.0
        }
        fn runtime(&self) -> String {
            "liar".into()
        }
        fn baseline(&self, inputs: &[&[f32]]) -> Result<Outputs> {
            Ok(Outputs {
                names: vec!["y".into()],
                shapes: vec![vec![1, 1]],
                values: vec![vec![inputs[0].iter().sum()]],
            })
        }
        fn score(&self, occluder: &Occluder, windows: &[usize], sink: &mut Sink<'_>) -> Result<()> {
            let mut x = occluder.untouched()[0].to_vec();
            for &window in windows {
                occluder.occlude_into(window, 0, &mut x);
                let value = [x.iter().sum::<f32>() * 1.001];
                if sink(window, &[&value]).is_break() {
                    break;
                }
            }
            Ok(())
        }
    }
    let spec = TensorSpec::new("x", &[1, 4, 4], Layout::ChannelsFirst);
    let input = Input::from_tensor(spec.clone(), ramp(&spec)).expect("fits");
    let settings = Settings { fill: Some(Fill::Value(vec![3.0])), ..Settings::default() };
    let error = run(&Liar([spec]), &settings, &input).expect_err("a wrong number");
    assert!(error.to_string().contains("self-check failed") && error.partial_map().is_none(), "{error}");
}

/// What probability means hangs on the number of outputs, never on the channels of the input (MONAI 1.6 decides by the latter: three grey-scale classes summed to 1.5).
#[test]
fn softmax_or_sigmoid_by_the_outputs_alone() {
    for channels in [1, 3] {
        let spec = TensorSpec::new("x", &[channels, 4, 4], Layout::ChannelsFirst);
        let input = Input::from_tensor(spec.clone(), ramp(&spec)).expect("fits");
        for (outputs, classes, sigmoid) in [
            (3, None, false),
            (1, None, true),
            (3, Some(Classes::Independent), true),
            (3, Some(Classes::Exclusive), false),
        ] {
            let scorer =
                BatchScorer::new(vec![spec.clone()], 4, "logits", move |x: &[&[f32]], count: usize| {
                    let logits =
                        |example: &[f32]| (0..outputs).map(|k| example[k] * 2.0 - 0.5).collect::<Vec<_>>();
                    let values = x[0].chunks(x[0].len() / count).flat_map(logits).collect();
                    Ok(Outputs {
                        names: vec!["y".into()],
                        shapes: vec![vec![1, outputs]],
                        values: vec![values],
                    })
                });
            let settings = Settings {
                window: Some(vec![vec![2]]),
                target: Target::All,
                score: Some(ScoreKind::Probability),
                classes,
                ..Settings::default()
            };
            let map = run(&scorer, &settings, &input).expect("runs");
            let logits: Vec<f64> = (0..outputs).map(|k| f64::from(input.values[k]) * 2.0 - 0.5).collect();
            let sum: f64 = logits.iter().map(|v| v.exp()).sum();
            for (target, logit) in map.targets.iter().zip(&logits) {
                let expected = if sigmoid { 1.0 / (1.0 + (-logit).exp()) } else { logit.exp() / sum };
                assert!(
                    (f64::from(target.baseline) - expected).abs() < 1e-6,
                    "{channels} {outputs} {classes:?}"
                );
            }
            let word = if sigmoid { "Sigmoid" } else { "Softmax of the 3 outputs" };
            assert!(map.notes.iter().any(|note| note.contains(word)), "{:?}", map.notes);
        }
        let (_, scorer) = linear(&spec, 2);
        let one = Settings { classes: Some(Classes::Exclusive), ..Settings::default() };
        assert!(run(&scorer, &one, &input).is_ok(), "two outputs may exclude each other");
    }
}

/// Gives the machine away after every window.
#[derive(Default)]
struct Polite {
    passed: usize,
}

impl Turns for Polite {
    fn is_over(&mut self) -> bool {
        true
    }
    fn pass(&mut self) {
        self.passed += 1;
    }
}

#[test]
fn a_run_in_turns_is_the_same_run_and_tells_every_window_once() {
    let spec = TensorSpec::new("x", &[1, 8, 8], Layout::ChannelsFirst);
    let (_, scorer) = linear(&spec, 4);
    let input = Input::from_tensor(spec.clone(), ramp(&spec)).expect("fits");
    let settings = Settings { window: Some(vec![vec![2]]), ..Settings::default() };
    let job = job(&scorer, &settings);
    let whole = job.run(&input, &mut Watch::default()).expect("runs");
    let mut turns = Polite::default();
    let mut told = Vec::new();
    let mut computed = Vec::new();
    let mut growing = |map: &Map, scored: &[usize]| {
        told.extend_from_slice(scored);
        computed.push(map.computed);
        for &window in scored {
            assert!(!map.scores[window].is_nan());
        }
    };
    let mut watch = Watch { growing: Some(&mut growing), turns: Some(&mut turns), ..Watch::default() };
    let map = job.run(&input, &mut watch).expect("runs");
    assert_eq!((map.scores, map.sensitivity), (whole.scores, whole.sensitivity));
    assert!(turns.passed > 1, "{}", turns.passed);
    assert_eq!((computed[0], computed.last()), (0, Some(&map.computed)));
    told.sort_unstable();
    assert_eq!(told, (0..map.windows.len()).collect::<Vec<_>>());
}

#[test]
fn a_window_by_hand_has_the_closed_form_of_a_linear_model() {
    let spec = TensorSpec::new("x", &[2, 8, 8], Layout::ChannelsFirst);
    let (weights, scorer) = linear(&spec, 4);
    let input = Input::from_tensor(spec.clone(), ramp(&spec)).expect("fits");
    let settings = Settings {
        window: Some(vec![vec![3, 2]]),
        fill: Some(Fill::Value(vec![0.5])),
        target: Target::Class(1),
        ..Settings::default()
    };
    let job = job(&scorer, &settings);
    let map = job.run(&input, &mut Watch::default()).expect("runs");
    for (row, col) in [(0, 0), (5, 6), (1, 3)] {
        let probe = job.probe(&input, &[row, col], 5).expect("inside");
        assert_eq!(probe.bounds, [0..2, row..row + 3, col..col + 2]);
        let expected: f64 = (0..spec.len())
            .filter(|&e| spec.unravel(e).iter().zip(&probe.bounds).all(|(i, r)| r.contains(i)))
            .map(|e| -f64::from(weights[e]) * (f64::from(input.values[e]) - 0.5))
            .sum();
        let sensitivity = probe.targets[0].baseline - probe.scores[0];
        assert!(
            (f64::from(sensitivity) - expected).abs() < 1e-3,
            "{row}, {col}: {sensitivity} and {expected}"
        );
        if let Some(window) = (0..map.windows.len()).find(|&w| map.windows.bounds(w) == probe.bounds) {
            assert_eq!(probe.scores[0].to_bits(), map.scores[window].to_bits());
        }
        // Two outputs, of which one is the other's negative: their probabilities sum to one, the greater first.
        let sum: f32 = probe.classes.iter().map(|class| class.probability).sum();
        assert!((sum - 1.0).abs() < 1e-6 && probe.classes[0].probability >= probe.classes[1].probability);
        assert_eq!(probe.classes.len(), 2);
    }
    let refused = |start: &[usize]| job.probe(&input, start, 5).expect_err("outside").to_string();
    assert!(refused(&[6, 0]).contains("ends beyond the input"), "{}", refused(&[6, 0]));
    assert!(refused(&[1]).contains("expected 2 places"), "{}", refused(&[1]));
    assert!(refused(&[usize::MAX, 0]).contains("ends beyond the input"));
}
