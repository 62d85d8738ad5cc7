//! The 3-D classifier of `examples/lesions` on the volumes beside it, through the public API: the map lights up the lesion and nothing else.
//!
//! In: model, volumes and `truth.json` (where each lesion is, what ONNX Runtime answers), all made by `tools/train_lesions.py`.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::ops::Range;
use std::path::{Path, PathBuf};

use occlude::{Direction, Fill, JudgeOptions, Model, Object, Target, Verdict};
use serde_json::Value;

fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/lesions").join(name)
}

fn model() -> Model {
    Model::open(example("")).unwrap()
}

/// What is known of a volume: the box around its lesion, if it has one, and the probability of a lesion by ONNX Runtime.
fn truth(name: &str) -> (Option<Vec<Range<usize>>>, f32) {
    let all: Value = serde_json::from_slice(&std::fs::read(example("truth.json")).unwrap()).unwrap();
    let of_volume = &all["volumes"][name];
    let number = |v: &Value| v.as_u64().unwrap() as usize;
    let ranges = |axes: &Vec<Value>| axes.iter().map(|ends| number(&ends[0])..number(&ends[1])).collect();
    (of_volume["lesion"].as_array().map(ranges), of_volume["probability_of_lesion"].as_f64().unwrap() as f32)
}

fn volume(name: &str) -> PathBuf {
    example(&format!("volumes/{name}.nii.gz"))
}

#[test]
fn the_map_lights_up_the_lesion_and_the_verdict_is_the_object() {
    let model = model();
    for name in ["left", "front", "top"] {
        let (lesion, probability) = truth(name);
        let lesion = lesion.unwrap();
        let input = model.read_input(volume(name)).unwrap();
        for fill in [Fill::Mean, Fill::Zero] {
            let what = format!("{name}, {fill:?}");
            let object = Object::Boxes(vec![lesion.clone()]);
            let occlusion = model.occlusion().window(8).stride(4).fill(fill);
            let found = occlusion.judge(&input, &object, &JudgeOptions::default()).unwrap();
            let (map, finding) = (&found.map, &found.targets[0]);
            assert_eq!(map.targets[0].label, "lesion", "{what}");
            assert!(probability > 0.9 && (map.targets[0].baseline - probability).abs() < 1e-4, "{what}");
            assert_eq!(finding.verdict, Verdict::Object, "{what}: {:?}", finding.reasons);
            // The strongest window's middle is in the lesion, and so is something of every window that is half as strong.
            let strongest = &map.top_windows(0, Direction::For, 1)[0];
            assert!(strongest.sensitivity > 0.5, "{what}: {strongest:?}");
            let middle_is_in = strongest.window_in_input[1..]
                .iter()
                .zip(&lesion)
                .all(|(w, l)| l.contains(&((w.start + w.end) / 2)));
            assert!(middle_is_in, "{what}: {strongest:?}, the lesion is {lesion:?}");
            for window in (0..map.windows.len()).filter(|&w| map.sensitivity[w] > strongest.sensitivity / 2.0)
            {
                let bounds = map.windows.bounds(window);
                let meets = bounds[1..].iter().zip(&lesion).all(|(w, l)| w.start < l.end && l.start < w.end);
                assert!(meets, "{what}: window {bounds:?} of {}", map.sensitivity[window]);
            }
        }
    }
}

#[test]
fn without_a_lesion_nothing_stands_out() {
    let model = model();
    let (lesion, probability) = truth("none");
    assert!(lesion.is_none() && probability < 0.1);
    let input = model.read_input(volume("none")).unwrap();
    for fill in [Fill::Mean, Fill::Zero] {
        let target = Target::parse("no lesion,lesion").unwrap();
        let map = model.occlusion().window(8).stride(4).fill(fill).target(target).run(&input).unwrap();
        assert!((map.targets[1].baseline - probability).abs() < 1e-4);
        let most = map.sensitivity.iter().fold(0.0f32, |most, v| most.max(v.abs()));
        assert!(most < 0.1, "{most}");
        assert!(map.most_probable.as_ref().unwrap().windows.iter().all(|&class| class == 0));
    }
}

#[test]
fn the_example_is_small() {
    let size = |path: PathBuf| std::fs::metadata(path).unwrap().len();
    assert!(size(example("model.onnx")) < 1_000_000);
    for name in ["left", "front", "top", "none"] {
        assert!(size(volume(name)) < 300_000, "{name}");
    }
}
