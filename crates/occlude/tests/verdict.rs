//! Verdicts on models whose truth is known: they read the object, a corner, both in a known proportion, both or nothing, one or the other, a hidden layer of both. The input is 1 everywhere and what is hidden becomes 0, unless said.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use occlude::judge::Shares;
use occlude::{
    BatchScorer, Error, FileFact, Finding, Findings, Input, Job, JudgeOptions, Layout, Meaning, Object,
    Outputs, Settings, TensorSpec, Thresholds, Verdict, Watch,
};

const SIDE: usize = 24;
type Place = (usize, usize);
type Net = dyn Fn(&Parts) -> Vec<f32> + Sync;

/// Means of the parts of an input that the models read.
struct Parts {
    object: f32,
    corner: f32,
    all: f32,
}

/// Objects of several sizes and forms, some at the border; none of them has the watermark.
type Named = (&'static str, fn(Place) -> bool);
const OBJECTS: [Named; 5] = [
    ("square", |(r, c)| (8..15).contains(&r) && (9..17).contains(&c)),
    ("small", |(r, c)| (11..13).contains(&r) && (14..16).contains(&c)),
    ("at the border", |(r, c)| r >= 16 && c >= 14),
    ("two parts", |(r, c)| (r < 6 && c > 18) || (r > 18 && c < 6)),
    ("disc", |(r, c)| r.abs_diff(13).pow(2) + c.abs_diff(13).pow(2) < 50),
];

fn is_corner((row, column): Place) -> bool {
    row < 3 && column < 3
}

fn mask(is: fn(Place) -> bool) -> Vec<bool> {
    (0..SIDE * SIDE).map(|at| is((at / SIDE, at % SIDE))).collect()
}

/// The job of a model that reads `object` and the corner, judged.
fn try_judge(
    net: &Net,
    object: fn(Place) -> bool,
    given: &Object,
    settings: &[(&str, &str)],
    options: &JudgeOptions,
    is_classifier: bool,
) -> Result<Findings, Error> {
    let mut all = Settings::default();
    let defaults = [("fill", "0"), ("target", "0"), ("window", "4"), ("stride", "2")];
    for (name, value) in defaults.iter().chain(settings) {
        all.set(name, value)?;
    }
    let spec = TensorSpec::new("x", &[2, SIDE, SIDE], Layout::ChannelsFirst);
    let mean = |x: &[f32], inside: &[bool]| {
        let chosen: Vec<f32> = (0..x.len()).filter(|i| inside[i % inside.len()]).map(|i| x[i]).collect();
        chosen.iter().sum::<f32>() / chosen.len() as f32
    };
    let (of_object, of_corner, of_all) = (mask(object), mask(is_corner), mask(|_| true));
    let classes = net(&Parts { object: 1.0, corner: 1.0, all: 1.0 }).len();
    let scorer = BatchScorer::new(vec![spec.clone()], 16, "by hand", move |x: &[&[f32]], count: usize| {
        let answer = |x: &[f32]| {
            net(&Parts { object: mean(x, &of_object), corner: mean(x, &of_corner), all: mean(x, &of_all) })
        };
        let values = x[0].chunks(x[0].len() / count).flat_map(answer).collect();
        Ok(Outputs { names: vec!["y".into()], shapes: vec![vec![1, classes]], values: vec![values] })
    });
    let job = Job {
        scorer: &scorer,
        meaning: Meaning { class_output: Some(0), is_classifier, ..Meaning::default() },
        settings: &all,
        read_image: None,
        model_file: FileFact::default(),
        load_secs: 0.0,
    };
    let input = Input::from_tensor(spec, vec![1.0; 2 * SIDE * SIDE])?;
    Ok(job.judge(&input, given, options, &mut Watch::default())?.unwrap())
}

fn judged(net: &Net, object: fn(Place) -> bool, settings: &[(&str, &str)]) -> Finding {
    let given = Object::Mask(mask(object));
    let found = try_judge(net, object, &given, settings, &JudgeOptions::default(), false).unwrap();
    assert_eq!((found.targets.len(), found.inside), (1, mask(object)));
    found.targets.into_iter().next().unwrap()
}

fn shares(found: &Finding) -> Shares {
    found.direct.shares.unwrap()
}

fn near(got: f64, expected: f64) {
    assert!((got - expected).abs() < 1e-5, "{got}, expected {expected}");
}

#[test]
fn a_sum_gives_the_proportion_that_was_put_in() {
    for (name, object) in OBJECTS {
        for (weight, verdict) in [
            (1.0, Verdict::Object),
            (0.8, Verdict::Object),
            (0.7, Verdict::Both),
            (0.5, Verdict::Both),
            (0.3, Verdict::Both),
            (0.2, Verdict::Surroundings),
            (0.0, Verdict::Surroundings),
        ] {
            // What is always there (5) belongs to nobody, and a score below 0 is a score.
            for always in [0.0, 5.0, -20.0] {
                let net =
                    move |p: &Parts| vec![always + 3.0 * (weight * p.object + (1.0 - weight) * p.corner)];
                let found = judged(&net, object, &[]);
                assert_eq!(found.verdict, verdict, "{name} {weight} {always}: {:?}", found.reasons);
                let shares = shares(&found);
                near(shares.share, f64::from(weight));
                near(shares.lost_without, f64::from(weight));
                near(shares.interaction, 0.0);
                near(found.direct.gain.unwrap(), 3.0);
                near(found.direct.object_hidden.score, f64::from(always + 3.0 * (1.0 - weight)));
                assert_eq!(found.direct.object_hidden.of_untouched.is_some(), always > -3.0);
            }
        }
    }
}

#[test]
fn the_map_agrees_by_windows_of_one_element() {
    let (_, object) = OBJECTS[0];
    let net = |p: &Parts| vec![0.7 * p.object + 0.3 * p.corner];
    let found = judged(&net, object, &[("window", "1"), ("stride", "1")]);
    near(found.evidence.unwrap().share_inside.unwrap().value, 0.7);
}

#[test]
fn what_works_only_together_or_instead_of_each_other_is_both() {
    for (name, object) in OBJECTS {
        let product = judged(&|p| vec![p.object * p.corner], object, &[]);
        assert_eq!(product.verdict, Verdict::Both, "{name}: {:?}", product.reasons);
        near(shares(&product).share, 0.5);
        near(shares(&product).interaction, 1.0);
        assert!(product.reasons.iter().any(|r| r.contains("work together")), "{:?}", product.reasons);
        let either = judged(&|p| vec![p.object.max(p.corner)], object, &[]);
        assert_eq!(either.verdict, Verdict::Both, "{name}: {:?}", either.reasons);
        near(shares(&either).share, 0.5);
        near(shares(&either).interaction, -1.0);
        // No window hides both, so the map knows nothing.
        assert_eq!(either.evidence.unwrap().share_inside, None);
        assert!(either.reasons.iter().any(|r| r.contains("stand in for each other")), "{:?}", either.reasons);
    }
}

#[test]
fn hidden_layers_and_what_speaks_against() {
    let (_, object) = OBJECTS[0];
    // ReLU(2 object - 1) + 0.1 ReLU(corner): half of the object is not enough, the whole of it gives 1.
    let relu = |p: &Parts| vec![(2.0 * p.object - 1.0).max(0.0) + 0.1 * p.corner.max(0.0)];
    let found = judged(&relu, object, &[]);
    assert_eq!(found.verdict, Verdict::Object, "{:?}", found.reasons);
    near(shares(&found).share, 1.0 / 1.1);
    // The corner speaks against it: without it the object has more than all.
    let against = judged(&|p| vec![p.object - 0.5 * p.corner], object, &[]);
    assert_eq!(against.verdict, Verdict::Object);
    near(shares(&against).share, 2.0);
    // A gate that the corner opens for an object that gives most: ReLU(object + corner - 1) + 3 object.
    let gate = |p: &Parts| vec![(p.object + p.corner - 1.0).max(0.0) + 3.0 * p.object];
    near(shares(&judged(&gate, object, &[])).share, (4.0 + 3.0) / 8.0);
}

#[test]
fn the_same_object_as_boxes_and_as_a_mask() {
    let (_, object) = OBJECTS[3];
    let net = |p: &Parts| vec![0.6 * p.object + 0.4 * p.corner];
    let options = JudgeOptions::default();
    let judge = |given: &Object| try_judge(&net, object, given, &[], &options, false).unwrap().targets;
    let boxes = vec![vec![0..6, 19..24], vec![19..24, 0..6]];
    let expected = judge(&Object::Mask(mask(object)));
    assert_eq!(judge(&Object::Boxes(boxes.clone())), expected);
    let pixels = boxes.into_iter().map(|one| one.into_iter().map(|r| r.start as f64..r.end as f64).collect());
    assert_eq!(judge(&Object::SourceBoxes(pixels.collect())), expected);
    near(shares(&expected[0]).share, f64::from(0.6f32));
}

#[test]
fn size_alone_is_no_object() {
    // Reads every place alike; the object is three quarters of them and more.
    let large: fn(Place) -> bool = |(r, _)| r >= 4;
    let uniform = |p: &Parts| vec![p.all];
    for elsewhere in [8, 0] {
        let options = JudgeOptions { elsewhere, ..JudgeOptions::default() };
        let found = try_judge(&uniform, large, &Object::Mask(mask(large)), &[], &options, false).unwrap();
        let found = &found.targets[0];
        near(shares(found).share, 20.0 / 24.0);
        assert_eq!(found.verdict, Verdict::Unclear);
        assert!(
            found.reasons.last().unwrap().contains("its size alone may explain it"),
            "{:?}",
            found.reasons
        );
        let control = found.direct.control.as_ref();
        assert_eq!(control.is_some(), elsewhere > 0);
        if let Some(control) = control {
            near(control.share.unwrap().mean, 20.0 / 24.0);
            near(control.share.unwrap().deviation, 0.0);
        }
    }
    // A small one of the same model: what is read is not the object.
    let (_, small) = OBJECTS[1];
    let found = judged(&uniform, small, &[]);
    assert_eq!(found.verdict, Verdict::Surroundings);
    let share = shares(&found).share;
    near(share, 4.0 / 576.0);
    near(found.direct.control.unwrap().share.unwrap().mean, share);
}

#[test]
fn regions_elsewhere_tell_the_object_from_its_size() {
    let (_, object) = OBJECTS[0];
    let found = judged(&|p| vec![p.object], object, &[]);
    let control = found.direct.control.unwrap();
    assert_eq!((control.regions, control.overlap), (8, 0.0));
    near(control.score_hidden.mean, 1.0);
    near(control.score_alone.mean, 0.0);
    near(control.share.unwrap().mean, 0.0);
}

#[test]
fn what_is_unclear() {
    let (_, object) = OBJECTS[0];
    let reason = |net: &Net, settings: &[(&str, &str)]| {
        let found = judged(net, object, settings);
        assert_eq!(found.verdict, Verdict::Unclear, "{:?}", found.reasons);
        found.reasons.join("; ")
    };
    let net = |p: &Parts| vec![p.object];
    // Nothing is read; hidden is what was there before; the score falls with what is seen.
    assert!(
        reason(&|_| vec![2.0], &[]).contains("nothing to explain: the score is 2.0000 untouched and 2.0000")
    );
    for same in ["1", "mean", "patch-mean", "blur", "noise"] {
        assert!(reason(&net, &[("fill", same)]).contains("nothing to explain"), "{same}");
    }
    assert!(reason(&|p| vec![-p.object], &[]).contains("nothing to explain"));
    assert!(reason(&|p| vec![100.0 + p.object], &[]).contains("nothing to explain"));
    // Another fill says more.
    assert_eq!(judged(&net, object, &[("fill", "-3")]).verdict, Verdict::Object);
}

/// A classifier of three classes with these logits.
fn classified(logits: &Net, target: &str, thresholds: Thresholds) -> Finding {
    let (_, object) = OBJECTS[0];
    let options = JudgeOptions { thresholds, ..JudgeOptions::default() };
    let given = Object::Mask(mask(object));
    let found = try_judge(logits, object, &given, &[("target", target)], &options, true).unwrap();
    found.targets.into_iter().next().unwrap()
}

#[test]
fn probabilities_and_the_class_that_is_said_instead() {
    let logits = |p: &Parts| vec![6.0 * p.object, 3.0 * p.corner, 0.0];
    let found = classified(&logits, "top1", Thresholds::default());
    assert_eq!((found.verdict, found.target.unit.as_str()), (Verdict::Object, "probability"));
    let said = |shown: &occlude::judge::Shown| shown.most_probable.clone().unwrap();
    assert_eq!((said(&found.direct.untouched).class, said(&found.direct.object_alone).class), (0, 0));
    let instead = said(&found.direct.object_hidden);
    let e = 1f64.exp();
    assert_eq!(instead.class, 1);
    near(f64::from(instead.probability), e.powi(3) / (e.powi(3) + 2.0));
    near(found.direct.all_hidden.unwrap().score, 1.0 / 3.0);
    near(found.direct.object_alone.score, e.powi(6) / (e.powi(6) + 2.0));
    // The class of the corner is not predicted (0.047), so nothing is said of it; who wants to know lowers the threshold.
    let beside = classified(&logits, "1", Thresholds::default());
    assert_eq!(beside.verdict, Verdict::Unclear);
    assert!(
        beside.reasons[0].contains("does not predict it: its probability is 0.047"),
        "{:?}",
        beside.reasons
    );
    let stronger = |p: &Parts| vec![6.0 * p.object, 5.0 * p.corner, 0.0, 0.0, 0.0, 0.0];
    let corner = classified(&stronger, "1", Thresholds { least_probability: 0.0, ..Thresholds::default() });
    assert_eq!(corner.verdict, Verdict::Surroundings, "{:?}", corner.reasons);
}

#[test]
fn a_map_contradicts_only_by_windows_that_matter() {
    let (_, object) = OBJECTS[0];
    // Most of the object may be hidden: no window of it is evidence, and all evidence lies in the corner.
    let robust = |corner: f32| {
        judged(&move |p: &Parts| vec![f32::from(u8::from(p.object > 0.2)) + corner * p.corner], object, &[])
    };
    let little = robust(0.01);
    assert_eq!(little.verdict, Verdict::Object, "{:?}", little.reasons);
    assert!(little.reasons.last().unwrap().contains("the map has no say"), "{:?}", little.reasons);
    near(little.evidence.unwrap().share_inside.unwrap().value, 0.0);
    let much = robust(0.25);
    near(shares(&much).share, 0.8);
    assert_eq!(much.verdict, Verdict::Unclear);
    assert!(much.reasons.last().unwrap().contains("denser around the object"), "{:?}", much.reasons);
    // The other way round: most of the surroundings may be hidden, and one window hides the object.
    let small: fn(Place) -> bool = |(r, c)| (10..12).contains(&r) && (14..16).contains(&c);
    let robust = |of_object: f32| {
        let net = move |p: &Parts| vec![f32::from(u8::from(p.all > 0.3)) + of_object * p.object];
        judged(&net, small, &[("window", "2"), ("stride", "2")])
    };
    assert_eq!(robust(0.01).verdict, Verdict::Surroundings);
    let much = robust(0.25);
    near(shares(&much).share, 0.2);
    assert_eq!(much.verdict, Verdict::Unclear);
    assert!(much.reasons.last().unwrap().contains("its evidence lies in the object"), "{:?}", much.reasons);
}

#[test]
fn outputs_as_they_are_need_not_be_predicted() {
    let (_, object) = OBJECTS[0];
    // As logits the second would have no probability at all.
    let found = judged(&|p| vec![60.0 * p.corner, p.object], object, &[("target", "1")]);
    assert_eq!((found.verdict, found.target.unit.as_str()), (Verdict::Object, "output"));
    let independent = |p: &Parts| vec![-5.0 * p.corner, -4.0 + 2.0 * p.object, -9.0];
    let given = Object::Mask(mask(object));
    let settings = [("classes", "independent"), ("target", "top1")];
    let options = JudgeOptions::default();
    let found = try_judge(&independent, object, &given, &settings, &options, true).unwrap();
    // The most probable one of classes that do not exclude each other may still be nothing.
    near(f64::from(found.targets[0].target.baseline), 1.0 / (1.0 + 2f64.exp()));
    assert_eq!(found.targets[0].verdict, Verdict::Object, "{:?}", found.targets[0].reasons);
    let thresholds = Thresholds { least_probability: 0.2, ..Thresholds::default() };
    let options = JudgeOptions { thresholds, ..options };
    let found = try_judge(&independent, object, &given, &settings, &options, true).unwrap();
    assert_eq!(found.targets[0].verdict, Verdict::Unclear);
    assert!(found.targets[0].reasons[0].contains("does not predict it"), "{:?}", found.targets[0].reasons);
}

#[test]
fn inpainting_cannot_hide_all() {
    // The corner is 1 as well as all around, and what is inpainted from it stays 1.
    let (_, object) = OBJECTS[0];
    let found = judged(&|p| vec![p.object], object, &[("fill", "inpaint:2")]);
    assert_eq!((found.verdict, found.direct.all_hidden), (Verdict::Unclear, None));
    assert!(found.reasons[0].contains("no example hides everything"), "{:?}", found.reasons);
}

#[test]
fn the_same_seed_draws_the_same_regions() {
    let (_, object) = OBJECTS[1];
    let partly = |p: &Parts| vec![p.object + p.corner];
    let control = |seed: &str| judged(&partly, object, &[("seed", seed)]).direct.control;
    assert_eq!(control("3"), control("3"));
}

#[test]
fn what_cannot_be_judged() {
    let (_, object) = OBJECTS[0];
    let net = |p: &Parts| vec![p.object];
    let error = |given: Object, settings: &[(&str, &str)], options: JudgeOptions| {
        try_judge(&net, object, &given, settings, &options, false).unwrap_err().to_string()
    };
    let whole = Object::Boxes(vec![vec![0..SIDE, 0..SIDE]]);
    assert!(error(whole, &[], JudgeOptions::default()).contains("the object is the whole input"));
    let nothing = Object::Mask(vec![false; SIDE * SIDE]);
    assert!(error(nothing, &[], JudgeOptions::default()).contains("the object is empty"));
    let here = || Object::Mask(mask(object));
    let thresholds = Thresholds { object_from: 0.2, ..Thresholds::default() };
    let turned = error(here(), &[], JudgeOptions { thresholds, ..JudgeOptions::default() });
    assert!(
        turned.contains("object-from is 0.2, expected more than surroundings-to, which is 0.25"),
        "{turned}"
    );
    let thresholds = Thresholds { least_gain: f64::NAN, ..Thresholds::default() };
    let turned = error(here(), &[], JudgeOptions { thresholds, ..JudgeOptions::default() });
    assert!(turned.contains("least-gain is NaN, expected a number from 0 to 1"), "{turned}");
    let beside = error(here(), &[("roi", "0:4,0:4")], JudgeOptions::default());
    assert!(beside.contains("no window covers the object"), "{beside}");
    let mut options = JudgeOptions::default();
    for name in JudgeOptions::NAMES {
        options.set(name, 1.0).unwrap();
    }
    assert_eq!((options.tolerance, options.elsewhere, options.thresholds.least_gain), (1.0, 1, 1.0));
    assert!(options.set("elsewhere", 1.5).unwrap_err().to_string().contains("expected a whole number"));
    assert!(options.set("else", 1.0).unwrap_err().hint().unwrap().contains("object-from"));
}
