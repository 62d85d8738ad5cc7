//! Judgements of maps given the object: against Quantus and TorchRay on random maps (`data/judge.json`), and through real runs of models whose truth is known: one reads only the object, one only a corner, one both in a known
//! proportion.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use occlude::judge::{POINTING_TOLERANCE, judge};
use occlude::{
    BatchScorer, FileFact, Geometry, Input, Job, Judgement, Layout, Map, Meaning, Object, Outputs, Settings,
    TensorSpec, Watch,
};

#[test]
fn quantus_and_torchray_say_the_same() {
    let text = include_str!("data/judge.json");
    let cases: Vec<serde_json::Value> = serde_json::from_str(text).unwrap();
    let numbers = |list: &serde_json::Value| -> Vec<f64> {
        list.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect()
    };
    let (mut hits, mut misses) = (0, 0);
    for case in &cases {
        let shape: Vec<usize> = numbers(&case["shape"]).into_iter().map(|n| n as usize).collect();
        let evidence: Vec<f32> = numbers(&case["values"]).into_iter().map(|v| v as f32).collect();
        let inside: Vec<bool> = numbers(&case["inside"]).into_iter().map(|v| v == 1.0).collect();
        let found = judge(&evidence, &inside, &shape, 0.0).unwrap();
        let near = |got: Option<occlude::Judged>, expected: &serde_json::Value| {
            // Quantus sums up in f32.
            assert!(
                (got.unwrap().value - expected.as_f64().unwrap()).abs() < 1e-6,
                "{got:?}, expected {expected}"
            );
        };
        near(found.share_inside, &case["mass"]);
        near(found.rank_accuracy, &case["rank"]);
        near(Some(found.pointing.unwrap().hit), &case["pointing"]);
        for (tolerance, hit) in case["tolerance"].as_object().unwrap() {
            let found = judge(&evidence, &inside, &shape, tolerance.parse().unwrap()).unwrap();
            let expected = f64::from(u8::from(hit.as_bool().unwrap()));
            assert_eq!(found.pointing.unwrap().hit.value, expected, "{shape:?} tolerance {tolerance}");
            if expected == 1.0 { hits += 1 } else { misses += 1 }
        }
    }
    assert!(cases.len() == 6 && hits > 5 && misses > 5, "{hits} hits, {misses} misses");
}

const SIDE: usize = 16;

/// Rows 4 to 9, columns 6 to 11.
fn is_object(row: usize, column: usize) -> bool {
    (4..9).contains(&row) && (6..11).contains(&column)
}
/// Rows and columns 0 to 2: a watermark.
fn is_corner(row: usize, column: usize) -> bool {
    row < 2 && column < 2
}

/// A map of the model that answers `of_object` times the mean of the object and `of_corner` times the mean of the corner, and beside it the mean of the corner alone; the input is 1 everywhere, hidden is 0.
fn map(of_object: f32, of_corner: f32, settings: &[(&str, &str)]) -> Map {
    let mut all = Settings::default();
    for (name, value) in [("fill", "0"), ("target", "0"), ("score", "raw")].iter().chain(settings) {
        all.set(name, value).unwrap();
    }
    let spec = TensorSpec::new("x", &[2, SIDE, SIDE], Layout::ChannelsFirst);
    let mean = |x: &[f32], is: fn(usize, usize) -> bool| {
        let of = |i: &usize| is(i / SIDE % SIDE, i % SIDE);
        let chosen: Vec<f32> = (0..x.len()).filter(of).map(|i| x[i]).collect();
        chosen.iter().sum::<f32>() / chosen.len() as f32
    };
    let scorer = BatchScorer::new(vec![spec.clone()], 16, "by hand", move |x: &[&[f32]], count: usize| {
        let both = |x: &[f32]| {
            let (object, corner) = (mean(x, is_object), mean(x, is_corner));
            [of_object * object + of_corner * corner, corner]
        };
        let values = x[0].chunks(x[0].len() / count).flat_map(both).collect();
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
    let mut input = Input::from_tensor(spec, vec![1.0; 2 * SIDE * SIDE]).unwrap();
    // As if cut out of a picture of 40 x 48 pixels that was made half as large.
    input.geometry = Geometry::identity(&[40, 48]);
    input.geometry.resize(&[20, 24]);
    input.geometry.crop(&[2, 4], &[SIDE, SIDE]);
    job.run(&input, &mut Watch::default()).unwrap()
}

fn object() -> Object {
    Object::Boxes(vec![vec![4..9, 6..11]])
}

fn judged(map: &Map) -> Judgement {
    let mut all = map.judge(&object(), 0.0).unwrap();
    assert_eq!(all.len(), 1);
    all.remove(0)
}

fn near(got: f64, expected: f64) {
    assert!((got - expected).abs() < 1e-5, "{got}, expected {expected}");
}

#[test]
fn windows_of_one_element_find_the_truth() {
    let share = 25.0 / 256.0;
    for (of_object, of_corner) in [(1.0, 0.0), (0.0, 1.0), (0.75, 0.25), (0.9, 0.1), (0.1, 0.9)] {
        let found = judged(&map(of_object, of_corner, &[("window", "1"), ("stride", "1")]));
        assert_eq!((found.covered, found.object_covered, found.object_share), (256, 25, share));
        let inside = found.share_inside.unwrap();
        near(inside.value, f64::from(of_object));
        assert_eq!(inside.uniform, share);
        // A place of the corner weighs 25 / 4 times as much as one of the object, if both are read alike.
        let points = if of_object / 25.0 > of_corner / 4.0 { 1.0 } else { 0.0 };
        let pointing = found.pointing.unwrap();
        assert_eq!((pointing.hit.value, pointing.hit.uniform), (points, share));
        match found.density_ratio {
            Some(ratio) => near(ratio.value / (231.0 / 25.0), f64::from(of_object / of_corner)),
            None => assert_eq!(of_corner, 0.0),
        }
        let ranked = match (of_object, of_corner) {
            (_, 0.0) => 1.0,
            // The corner's four come first, and the last 21 ranks are drawn from the 252 places without evidence, 25 of them inside.
            (0.0, _) => 21.0 * 25.0 / 252.0 / 25.0,
            // The corner's four and 21 of the object.
            _ if points == 0.0 => 21.0 / 25.0,
            // The object's 25 come before the corner's.
            _ => 1.0,
        };
        near(found.rank_accuracy.unwrap().value, ranked);
        assert!(found.notes.len() == usize::from(of_corner == 0.0), "{:?}", found.notes);
    }
}

#[test]
fn larger_windows_blur_the_truth_but_do_not_turn_it_round() {
    let settings = [("window", "4"), ("stride", "2")];
    let reads_object = judged(&map(1.0, 0.0, &settings));
    let reads_corner = judged(&map(0.0, 1.0, &settings));
    let inside = |found: &Judgement| found.share_inside.unwrap();
    assert!(inside(&reads_object).value > 4.0 * inside(&reads_object).uniform, "{reads_object:?}");
    assert!(reads_object.density_ratio.unwrap().value > 5.0);
    assert_eq!(reads_object.pointing.unwrap().hit.value, 1.0);
    // Windows over the corner end before the object.
    assert_eq!((inside(&reads_corner).value, reads_corner.density_ratio.unwrap().value), (0.0, 0.0));
    assert_eq!(reads_corner.pointing.unwrap().hit.value, 0.0);
    // Within 15 elements of the object lies all that is near, the corner too.
    let far = map(0.0, 1.0, &settings).judge(&object(), POINTING_TOLERANCE).unwrap();
    assert_eq!(far[0].pointing.as_ref().unwrap().hit.value, 1.0);
}

#[test]
fn the_object_may_be_given_in_three_ways() {
    let map = map(0.5, 0.5, &[("window", "2"), ("stride", "2"), ("target", "0,1")]);
    let expected = map.judge(&object(), 3.0).unwrap();
    assert_eq!(expected.len(), 2);
    assert!(expected[0].share_inside.unwrap().value > 0.4 && expected[1].share_inside.unwrap().value == 0.0);
    let mask = (0..256).map(|at| is_object(at / SIDE, at % SIDE)).collect();
    assert_eq!(map.judge(&Object::Mask(mask), 3.0).unwrap(), expected);
    // Element e lies at pixels 4 + 2 e (rows) and 8 + 2 e (columns).
    let source = Object::SourceBoxes(vec![vec![12.0..22.0, 20.0..30.0]]);
    assert_eq!(map.judge(&source, 3.0).unwrap(), expected);
    let error = map.judge(&Object::SourceBoxes(vec![vec![0.0..4.0, 0.0..48.0]]), 3.0).unwrap_err();
    assert!(error.to_string().contains("lies outside what the model sees"), "{error}");
    assert_eq!(error.kind(), occlude::ErrorKind::Argument);
}

#[test]
fn places_without_a_window_are_left_out_and_said() {
    // Windows over rows 0 to 6 and columns 0 to 8 only: of the object rows 4 and 5, columns 6 and 7.
    let map = map(1.0, 0.0, &[("window", "2"), ("stride", "2"), ("roi", "0:6,0:8")]);
    let found = judged(&map);
    assert_eq!((found.places, found.covered, found.object_places, found.object_covered), (256, 48, 25, 4));
    assert_eq!(
        found.notes[0],
        "208 of 256 places are covered by no window and left out, 21 of them in the object"
    );
    near(found.share_inside.unwrap().value, 1.0);
    let error = map.judge(&Object::Boxes(vec![vec![10..12, 10..12]]), 0.0).unwrap_err();
    assert!(error.to_string().contains("no window covers the object"), "{error}");
}

#[test]
fn channels_by_themselves_and_random_masks() {
    let each = map(0.75, 0.25, &[("window", "1"), ("stride", "1"), ("channels", "each")]);
    assert_eq!(each.attribution().shape, [1, 2, SIDE, SIDE]);
    near(judged(&each).share_inside.unwrap().value, 0.75);
    for (of_object, of_corner, hit) in [(1.0, 0.0, 1.0), (0.0, 1.0, 0.0)] {
        let found = judged(&map(of_object, of_corner, &[("masks", "4000:8:0.5")]));
        assert_eq!(found.pointing.unwrap().hit.value, hit);
        let share = found.share_inside.unwrap();
        assert!((share.value > 2.0 * share.uniform) == (hit == 1.0), "{share:?}");
        assert!(found.notes[0].starts_with("random masks"), "{:?}", found.notes);
    }
}
